/* SPDX-License-Identifier: Apache-2.0 */
/* rejoind: one node in the foreground. Its home, configuration and log are described in
 * driver/home.h, config.def and logger.h; everything else is asked for over the control
 * socket by `rejoin`. */
#include "daemon/daemon.h"
#include "posix/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static const char usage[] =
    "usage: rejoind [--ready-fd N] [-h|--help] [--version]\n"
    "\n"
    "Runs one node of rejoin in the foreground until SIGTERM or SIGINT; logs to stderr.\n"
    "SIGHUP reads the configuration again. `rejoin up` starts it in the background.\n"
    "\n"
    "  --ready-fd N  write one line to descriptor N and close it: \"ok\" when it is\n"
    "                ready, or the error\n"
    "\n"
    "  REJOIN_HOME   all of a node in one directory; otherwise XDG directories\n"
    "\n"
    "Exit status: 0 stopped when told to, 2 usage or configuration, 11 damaged store,\n"
    "1 other failures.\n";

enum { LINE_MAX_ = 2 * RJ_DAEMON_WHY_MAX + 64 };

/* The line for whoever started it: "ok", or "error", code, why and hint, tab-separated.
 */
static void describe(enum rj_err err, const struct rj_daemon *d, char line[LINE_MAX_])
{
    if (err == RJ_OK)
        (void)snprintf(line, LINE_MAX_, "ok\n");
    else
        (void)snprintf(line, LINE_MAX_, "error\t%s\t%s\t%s\n", rj_err_name(err), d->why,
                       d->hint);
}

static void tell(int fd, const char *line)
{
    if (fd < 0)
        return;
    if (write(fd, line, strlen(line)) < 0)
        (void)fprintf(stderr, "rejoind: nobody listens at the ready descriptor\n");
    (void)close(fd);
}

static bool parse(int argc, char **argv, int *ret_fd)
{
    char *end;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            (void)fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        }
        if (strcmp(argv[i], "--version") == 0) {
            (void)printf("rejoind %s\n", RJ_VERSION);
            exit(EXIT_SUCCESS);
        }
        if (strcmp(argv[i], "--ready-fd") != 0 || i + 1 == argc)
            return false;
        *ret_fd = (int)strtol(argv[++i], &end, 10);
        if (*end != '\0' || *ret_fd < 3)
            return false;
    }
    return true;
}

/* Left alone, glibc keeps an arena for each worker, each with the pages of the largest
 * commit that it wrote, and takes large buffers from the heap between small pieces, where
 * they leave holes. */
static void limit_heap(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_ARENA_MAX, 2);
    (void)mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
#endif
}

int main(int argc, char **argv)
{
    struct rj_daemon d;
    int ready_fd = -1, status = 0;
    char line[LINE_MAX_];
    enum rj_err err;

    rj_file_guard_std();
    if (!parse(argc, argv, &ready_fd)) {
        (void)fputs("rejoind: unknown argument\n\n", stderr);
        (void)fputs(usage, stderr);
        return rj_err_exit(RJ_EINVAL);
    }
    (void)umask(077);
    limit_heap();
    err = rj_daemon_start(&d);
    if (err != RJ_OK)
        (void)fprintf(stderr, "rejoind: %s\n%s%s%s", d.why, d.hint[0] != '\0' ? "  " : "",
                      d.hint, d.hint[0] != '\0' ? "\n" : "");
    describe(err, &d, line);
    if (err == RJ_OK) {
        tell(ready_fd, line);
        status = rj_daemon_run(&d);
    }
    rj_daemon_done(&d);
    if (err != RJ_OK) {
        tell(ready_fd, line); /* now that the home is free again */
        status = rj_err_exit(err);
    }
    return status;
}
