/* SPDX-License-Identifier: Apache-2.0 */
/* Starting the daemon: rejoind beside this program, else the one on PATH, in a session of
 * its own, with its log in a file. It says on a pipe when it is ready, or why it is not.
 */
#include "cli/cli.h"
#include "posix/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_FD = 3, LOG_MODE = 0600, LOG_OLD_BYTES = 1024 * 1024, LINE_MAX_ = 2048 };

/* rejoind in the directory of this program, or the bare name for a search on PATH. */
static void daemon_path(char ret[RJ_FILE_PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", ret, RJ_FILE_PATH_MAX - 16);
    char *slash;

    ret[n > 0 ? n : 0] = '\0';
    slash = strrchr(ret, '/');
    if (slash != NULL) {
        (void)snprintf(slash + 1, 16, "rejoind");
        if (access(ret, X_OK) == 0)
            return;
    }
    (void)snprintf(ret, RJ_FILE_PATH_MAX, "rejoind");
}

/* A log that grew large becomes the old one. */
static int open_log(const char *path)
{
    char old[RJ_FILE_PATH_MAX];
    struct stat st;

    if (stat(path, &st) == 0 && st.st_size > LOG_OLD_BYTES &&
        snprintf(old, sizeof(old), "%s.1", path) < (int)sizeof(old) &&
        rename(path, old) != 0)
        return -1;
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, LOG_MODE);
}

/* The child: never returns. */
static void run_daemon(const struct rj_cli *cli, const char *path, int ready, int log)
{
    char fd_text[16];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)snprintf(fd_text, sizeof(fd_text), "%d", READY_FD);
    if (cli->socket != NULL && setenv("REJOIN_SOCKET", cli->socket, 1) != 0)
        _exit(127);
    /* The pipe may be at READY_FD already: then dup2 would leave close-on-exec set. */
    if (null < 0 || setsid() < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0 ||
        (ready != READY_FD ? dup2(ready, READY_FD) : fcntl(ready, F_SETFD, 0)) < 0 ||
        chdir("/") != 0)
        _exit(127);
    (void)execlp(path, "rejoind", "--ready-fd", fd_text, (char *)NULL);
    _exit(127);
}

/* Reads the daemon's one line, without its newline. RJ_ETIMEOUT, RJ_ECLOSED. */
static enum rj_err read_line(int fd, int timeout_ms, char *line, size_t size)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t len = 0;

    for (;;) {
        int n = poll(&p, 1, timeout_ms);
        ssize_t got;

        if (n == 0)
            return RJ_ETIMEOUT;
        if (n < 0 && errno == EINTR)
            continue;
        got = n > 0 && len < size - 1 ? read(fd, line + len, size - 1 - len) : -1;
        if (got <= 0)
            break;
        len += (size_t)got;
        if (memchr(line, '\n', len) != NULL)
            break;
    }
    line[len] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return len > 0 ? RJ_OK : RJ_ECLOSED;
}

/* The next field of a tab-separated line. */
static const char *field(char **rest)
{
    char *start = *rest, *tab = strchr(start, '\t');

    *rest = tab != NULL ? tab + 1 : start + strlen(start);
    if (tab != NULL)
        *tab = '\0';
    return start;
}

static int say_failure(struct rj_cli *cli, char *line)
{
    char *rest = line;
    enum rj_err err = RJ_EIO;
    const char *name, *why, *hint;

    (void)field(&rest); /* "error" */
    name = field(&rest);
    why = field(&rest);
    hint = field(&rest);
    for (int e = 0; e < RJ_ERR_COUNT; e++) {
        if (strcmp(name, rj_err_name((enum rj_err)e)) == 0)
            err = (enum rj_err)e;
    }
    return rj_cli_fail(cli, err, hint, "the daemon did not start: %s", why);
}

static int await(struct rj_cli *cli, int fd)
{
    char line[LINE_MAX_] = "";
    uint64_t timeout_ms = cli->timeout_ms > 0 ? cli->timeout_ms : RJ_CLI_START_TIMEOUT_MS;
    enum rj_err err =
        read_line(fd, timeout_ms < 1000000000 ? (int)timeout_ms : -1, line, sizeof(line));

    if (err == RJ_ETIMEOUT)
        return rj_cli_fail(cli, err, "rejoin status",
                           "the daemon was started but is not ready yet");
    if (err != RJ_OK)
        return rj_cli_fail(cli, RJ_ENODAEMON, cli->home.log_path,
                           "the daemon ended at once; its log says why");
    return strcmp(line, "ok") == 0 ? 0 : say_failure(cli, line);
}

int rj_cli_start(struct rj_cli *cli)
{
    char path[RJ_FILE_PATH_MAX];
    int ready[2] = {-1, -1}, log = -1, status;
    enum rj_err err;
    pid_t pid;

    daemon_path(path);
    err = rj_file_mkdirs(cli->home.dirs.data, 0700, cli->home.why, sizeof(cli->home.why));
    if (err != RJ_OK)
        return rj_cli_fail(cli, err, "", "%s", cli->home.why);
    log = open_log(cli->home.log_path);
    if (log < 0)
        return rj_cli_fail(cli, RJ_EIO, "", "%s: %s", cli->home.log_path,
                           strerror(errno));
    if (pipe2(ready, O_CLOEXEC) != 0) {
        (void)close(log);
        return rj_cli_fail(cli, RJ_EIO, "", "%s", strerror(errno));
    }
    rj_cli_detail(cli, "starting %s, its log is %s", path, cli->home.log_path);
    pid = fork();
    if (pid == 0)
        run_daemon(cli, path, ready[1], log);
    (void)close(log);
    (void)close(ready[1]);
    if (pid < 0)
        status = rj_cli_fail(cli, RJ_EIO, "", "%s", strerror(errno));
    else
        status = await(cli, ready[0]);
    (void)close(ready[0]);
    return status;
}
