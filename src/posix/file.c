/* SPDX-License-Identifier: Apache-2.0 */
/* Durable replacement of small files: write a temporary file in the same directory,
 * fsync it, rename it over the old one (or link it, where nothing may be replaced), fsync
 * the directory. Readers see the old or the new content, a crash leaves one of the two.
 * A failed fsync is final: the temporary file is removed and never retried, since the
 * kernel may have dropped the dirty pages already (P. Pillai et al., "All file systems
 * are not created equal", OSDI 2014; A. Rebello et al., "Can applications recover from
 * fsync failures?", ATC 2020). */
#include "posix/file.h"

#include "base/buf.h"
#include "posix/why.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 64 * 1024 };

struct why {
    char *text;
    size_t len;
};

enum rj_err rj_file_err(int sys_errno)
{
    switch (sys_errno) {
    case ENOENT:
        return RJ_ENOENT;
    case EEXIST:
    case ENOTDIR:
        return RJ_EEXIST;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP: /* a symbolic link where none may be */
        return RJ_EDENIED;
    case ENOSPC:
    case EDQUOT:
        return RJ_EFULL;
    case ENAMETOOLONG:
    case EFBIG:
        return RJ_ELIMIT;
    case ENOMEM:
        return RJ_ENOMEM;
    default:
        return RJ_EIO;
    }
}

/* The error of errno, with "<what> <path>: <reason>" as its detail. */
static enum rj_err fail(struct why why, const char *what, const char *path)
{
    int saved = errno;

    rj_why_set(why.text, why.len, "%s %s: %s", what, path, strerror(saved));
    return rj_file_err(saved);
}

static enum rj_err refuse(struct why why, enum rj_err err, const char *path,
                          const char *reason)
{
    rj_why_set(why.text, why.len, "%s: %s", path, reason);
    return err;
}

/* The directory of path: "." when it names none. */
static bool parent_of(const char *path, char ret[RJ_FILE_PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);

    if (len >= RJ_FILE_PATH_MAX)
        return false;
    memcpy(ret, slash == NULL ? "." : path, len);
    ret[len] = '\0';
    return true;
}

static enum rj_err sync_dir(const char *path, struct why why)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum rj_err err = RJ_OK;

    if (fd < 0)
        return fail(why, "opening", path);
    if (fsync(fd) != 0)
        err = fail(why, "making durable", path);
    (void)close(fd);
    return err;
}

static enum rj_err write_all(int fd, struct rj_bytes data, const char *path,
                             struct why why)
{
    while (data.len > 0) {
        ssize_t n = write(fd, data.ptr, data.len < SSIZE_MAX ? data.len : SSIZE_MAX);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(why, "writing", path);
        data = rj_bytes_skip(data, (size_t)n);
    }
    return RJ_OK;
}

/* A durable file temp (a mkstemp pattern, filled in) with data. On failure none is left.
 */
static enum rj_err make_temp(char *temp, struct rj_bytes data, mode_t mode,
                             struct why why)
{
    enum rj_err err;
    int fd = mkostemp(temp, O_CLOEXEC);

    if (fd < 0)
        return fail(why, "making", temp);
    err = write_all(fd, data, temp, why);
    if (err == RJ_OK && fchmod(fd, mode) != 0)
        err = fail(why, "setting the mode of", temp);
    if (err == RJ_OK && fsync(fd) != 0)
        err = fail(why, "making durable", temp);
    if (close(fd) != 0 && err == RJ_OK)
        err = fail(why, "closing", temp);
    if (err != RJ_OK)
        (void)unlink(temp);
    return err;
}

enum rj_err rj_file_replace(const char *path, struct rj_bytes data,
                            const struct rj_file_options *options, char *why_text,
                            size_t why_len)
{
    static const struct rj_file_options defaults = {0};
    struct why why = {why_text, why_len};
    char temp[RJ_FILE_PATH_MAX], dir[RJ_FILE_PATH_MAX];
    mode_t mode;
    enum rj_err err;
    int n;

    if (options == NULL)
        options = &defaults;
    mode = options->mode != 0 ? options->mode : 0600;
    n = snprintf(temp, sizeof(temp), "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof(temp) || !parent_of(path, dir))
        return refuse(why, RJ_ELIMIT, path, "the path is too long");
    err = make_temp(temp, data, mode, why);
    if (err != RJ_OK)
        return err;
    if (options->exclusive) {
        if (link(temp, path) != 0)
            err = fail(why, "making", path);
        (void)unlink(temp);
    } else if (rename(temp, path) != 0) {
        err = fail(why, "replacing", path);
        (void)unlink(temp);
    }
    return err == RJ_OK ? sync_dir(dir, why) : err;
}

/* Appends what fd has to ret; on failure ret is as it was. */
static enum rj_err read_all(int fd, const char *path, size_t max_bytes, struct why why,
                            struct rj_buf *ret)
{
    size_t start = ret->len;
    enum rj_err err = RJ_OK;

    for (;;) {
        size_t room_len = max_bytes - (ret->len - start);
        uint8_t *room;
        ssize_t n;

        room_len =
            room_len < READ_STEP ? room_len + 1 : READ_STEP; /* 1 more: too long? */
        room = rj_buf_reserve(ret, room_len);
        if (room == NULL) {
            err = rj_buf_err(ret);
            break;
        }
        n = read(fd, room, room_len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = fail(why, "reading", path);
        else if ((size_t)n > max_bytes - (ret->len - start))
            err = refuse(why, RJ_ELIMIT, path, "larger than it may be");
        if (n <= 0 || err != RJ_OK)
            break;
        rj_buf_commit(ret, (size_t)n);
    }
    if (err != RJ_OK)
        rj_buf_truncate(ret, start);
    return err;
}

static enum rj_err read_file(const char *path, size_t max_bytes, bool private,
                             struct why why, struct rj_buf *ret)
{
    struct stat st;
    enum rj_err err = RJ_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (private ? O_NOFOLLOW : 0));

    if (fd < 0)
        return fail(why, "opening", path);
    if (fstat(fd, &st) != 0)
        err = fail(why, "looking at", path);
    else if (!S_ISREG(st.st_mode))
        err = refuse(why, RJ_EDENIED, path, "not a regular file");
    else if (private && st.st_uid != geteuid())
        err = refuse(why, RJ_EDENIED, path, "belongs to another user");
    else if (private && (st.st_mode & 077) != 0)
        err = refuse(why, RJ_EDENIED, path, "others may access it; chmod 600 it");
    if (err == RJ_OK)
        err = read_all(fd, path, max_bytes, why, ret);
    (void)close(fd);
    return err;
}

enum rj_err rj_file_read(const char *path, size_t max_bytes, char *why, size_t why_len,
                         struct rj_buf *ret)
{
    return read_file(path, max_bytes, false, (struct why){why, why_len}, ret);
}

enum rj_err rj_file_read_private(const char *path, size_t max_bytes, char *why,
                                 size_t why_len, struct rj_buf *ret)
{
    return read_file(path, max_bytes, true, (struct why){why, why_len}, ret);
}

/* Makes one directory, unless it is there. */
static enum rj_err make_dir(const char *path, mode_t mode, struct why why)
{
    char parent[RJ_FILE_PATH_MAX];
    struct stat st;

    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return RJ_OK;
        return refuse(why, RJ_EEXIST, path, "not a directory");
    }
    if (mkdir(path, mode) != 0)
        return fail(why, "making", path);
    if (chmod(path, mode) != 0) /* the umask may have taken bits away */
        return fail(why, "setting the mode of", path);
    if (!parent_of(path, parent))
        return refuse(why, RJ_ELIMIT, path, "the path is too long");
    return sync_dir(parent, why);
}

enum rj_err rj_file_mkdirs(const char *path, mode_t mode, char *why_text, size_t why_len)
{
    struct why why = {why_text, why_len};
    char part[RJ_FILE_PATH_MAX];
    size_t len = strlen(path);

    if (len >= sizeof(part))
        return refuse(why, RJ_ELIMIT, path, "the path is too long");
    if (len == 0)
        return refuse(why, RJ_EINVAL, "(no path)", "cannot be made");
    while (len > 1 && path[len - 1] == '/')
        len--;
    for (size_t i = 1; i <= len; i++) {
        enum rj_err err;

        if (i < len && (path[i] != '/' || path[i - 1] == '/'))
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        err = make_dir(part, mode, why);
        if (err != RJ_OK)
            return err;
    }
    return RJ_OK;
}

enum rj_err rj_file_private(const char *path, char *why_text, size_t why_len)
{
    struct why why = {why_text, why_len};
    struct stat st;

    if (lstat(path, &st) != 0)
        return fail(why, "looking at", path);
    if (!S_ISDIR(st.st_mode))
        return refuse(why, RJ_EDENIED, path, "not a directory");
    if (st.st_uid != geteuid())
        return refuse(why, RJ_EDENIED, path, "belongs to another user");
    if ((st.st_mode & 077) != 0)
        return refuse(why, RJ_EDENIED, path, "others may enter it; chmod 700 it");
    return RJ_OK;
}

void rj_file_guard_std(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR); /* the lowest that is free; to be inherited */
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        (void)close(fd);
}
