/* SPDX-License-Identifier: Apache-2.0 */
/* The home of one node. The lock is a lock on the open file (fcntl(2), F_OFD_SETLK)
 * that is never removed: it goes with the process, however that ends, no second process
 * can hold one on another inode, and asking for it (F_OFD_GETLK) does not disturb a
 * daemon that is just starting. The file holds the process id for people. */
#include "driver/home.h"

#include "posix/file.h"
#include "posix/why.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PID_TEXT_MAX = 32, DIR_MODE = 0700, FILE_MODE = 0600 };

static bool join_path(char ret[RJ_FILE_PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(ret, RJ_FILE_PATH_MAX, "%s/%s", dir, name);

    return n > 0 && n < RJ_FILE_PATH_MAX;
}

/* Beside the control socket, wherever that is. */
static bool find_peer_socket(struct rj_home *h)
{
    const char *slash = strrchr(h->dirs.socket, '/');
    size_t len = slash != NULL ? (size_t)(slash - h->dirs.socket) : 0;
    char dir[RJ_FILE_PATH_MAX] = ".";

    if (len > 0)
        (void)snprintf(dir, sizeof(dir), "%.*s", (int)len, h->dirs.socket);
    return join_path(h->peer_socket, dir, "peer.sock");
}

static enum rj_err find_files(struct rj_home *h)
{
    if (!join_path(h->key_path, h->dirs.data, "device.key") ||
        !join_path(h->store_path, h->dirs.data, "store") ||
        !join_path(h->lock_path, h->dirs.data, "lock") ||
        !join_path(h->log_path, h->dirs.data, "rejoind.log") ||
        !join_path(h->pipes_path, h->dirs.data, "pipes") || !find_peer_socket(h)) {
        rj_why_set(h->why, sizeof(h->why), "%s: the path is too long", h->dirs.data);
        return RJ_ELIMIT;
    }
    return RJ_OK;
}

enum rj_err rj_home_find(struct rj_home *h)
{
    enum rj_err err;

    *h = (struct rj_home){.lock_fd = -1};
    err = rj_dirs_find(getenv, h->why, sizeof(h->why), &h->dirs);
    return err == RJ_OK ? find_files(h) : err;
}

enum rj_err rj_home_at(struct rj_home *h, const char *path)
{
    char whole[RJ_FILE_PATH_MAX] = "", here[RJ_FILE_PATH_MAX] = "";
    enum rj_err err = RJ_OK;

    *h = (struct rj_home){.lock_fd = -1};
    if (path[0] == '\0')
        err = RJ_EINVAL;
    else if (path[0] == '/')
        err = rj_dirs_in(path, &h->dirs);
    else if (getcwd(here, sizeof(here)) == NULL || !join_path(whole, here, path))
        err = RJ_ELIMIT;
    else
        err = rj_dirs_in(whole, &h->dirs);
    if (err != RJ_OK) {
        rj_why_set(h->why, sizeof(h->why), "%.200s: %s", path,
                   err == RJ_ELIMIT ? "the path is too long" : "no path of a directory");
        return err;
    }
    return find_files(h);
}

static enum rj_err make_private(struct rj_home *h, const char *path)
{
    enum rj_err err = rj_file_mkdirs(path, DIR_MODE, h->why, sizeof(h->why));

    return err != RJ_OK ? err : rj_file_private(path, h->why, sizeof(h->why));
}

static enum rj_err take_lock(struct rj_home *h)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char pid[PID_TEXT_MAX] = "";
    int fd = open(h->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    int n;

    if (fd < 0) {
        rj_why_set(h->why, sizeof(h->why), "%s: %s", h->lock_path, strerror(errno));
        return RJ_EIO;
    }
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        ssize_t got = pread(fd, pid, sizeof(pid) - 1, 0);

        pid[got > 0 ? strcspn(pid, "\n") : 0] = '\0';
        rj_why_set(h->why, sizeof(h->why), "another daemon uses %s (process %s)",
                   h->dirs.data, pid[0] != '\0' ? pid : "?");
        (void)close(fd);
        return RJ_EBUSY;
    }
    n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
        rj_why_set(h->why, sizeof(h->why), "%s: %s", h->lock_path, strerror(errno));
        (void)close(fd);
        return RJ_EIO;
    }
    h->lock_fd = fd;
    return RJ_OK;
}

enum rj_err rj_home_open(struct rj_home *h)
{
    enum rj_err err = rj_file_mkdirs(h->dirs.config, DIR_MODE, h->why, sizeof(h->why));

    if (err == RJ_OK)
        err = make_private(h, h->dirs.data);
    if (err == RJ_OK)
        err = take_lock(h);
    return err;
}

bool rj_home_locked(const struct rj_home *h)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(h->lock_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool held;

    if (fd < 0)
        return false;
    held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    (void)close(fd);
    return held;
}

enum rj_err rj_home_key(struct rj_home *h, struct rj_crypto **ret_crypto)
{
    enum rj_err err = rj_crypto_load(h->key_path, h->why, sizeof(h->why), ret_crypto);

    /* A store without its key is no fresh start: making a new key would silently turn
     * this node into another device. */
    if (err == RJ_ENOENT && access(h->store_path, F_OK) == 0) {
        rj_why_set(h->why, sizeof(h->why), "%s is missing, but %s is there", h->key_path,
                   h->store_path);
        return RJ_ECORRUPT;
    }
    if (err == RJ_ENOENT)
        err = rj_crypto_generate(h->key_path, h->why, sizeof(h->why), ret_crypto);
    return err;
}

void rj_home_close(struct rj_home *h)
{
    if (h->lock_fd >= 0)
        (void)close(h->lock_fd);
    h->lock_fd = -1;
}
