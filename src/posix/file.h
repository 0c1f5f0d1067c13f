/* SPDX-License-Identifier: Apache-2.0 */
/* Small files, whole and durable; directories. For start and configuration: everything
 * here waits for the disk. why: detail for people, why_len bytes, may be NULL; written on
 * failure only. */
#ifndef RJ_POSIX_FILE_H
#define RJ_POSIX_FILE_H

#include <rejoin/bytes.h>
#include <rejoin/error.h>
#include <stdbool.h>
#include <sys/types.h>

struct rj_buf;

enum { RJ_FILE_PATH_MAX = 4096 };

/* The error that a failed system call's errno stands for; RJ_EIO when there is none. */
enum rj_err rj_file_err(int sys_errno);

struct rj_file_options {
    mode_t mode;    /* exactly, whatever the umask; 0: 0600 */
    bool exclusive; /* refuse to replace: RJ_EEXIST */
};

/* Puts data at path, atomically and durably: temporary file beside it, fsync, rename,
 * fsync of the directory. On failure path is as it was and no temporary file stays.
 * RJ_EEXIST, RJ_EFULL, RJ_EDENIED, RJ_ENOENT (no directory), RJ_ELIMIT (path), RJ_EIO.
 * options: NULL is all zero. */
RJ_NODISCARD enum rj_err rj_file_replace(const char *path, struct rj_bytes data,
                                         const struct rj_file_options *options, char *why,
                                         size_t why_len);

/* Appends the whole of a regular file to ret. RJ_ELIMIT: more than max_bytes (ret is as
 * it was, also on other failures). RJ_ENOENT, RJ_EDENIED, RJ_EIO, RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_file_read(const char *path, size_t max_bytes, char *why,
                                      size_t why_len, struct rj_buf *ret);

/* The same for secrets: RJ_EDENIED also when it is a symbolic link, belongs to another
 * user or can be touched by one (any bit for group or others). */
RJ_NODISCARD enum rj_err rj_file_read_private(const char *path, size_t max_bytes,
                                              char *why, size_t why_len,
                                              struct rj_buf *ret);

/* Makes path and what is missing above it, each with mode (whatever the umask) and
 * durable; what is there is left as it is. RJ_EDENIED, RJ_EEXIST: something on the way is
 * no directory; RJ_EFULL, RJ_ELIMIT, RJ_EINVAL (empty), RJ_EIO. */
RJ_NODISCARD enum rj_err rj_file_mkdirs(const char *path, mode_t mode, char *why,
                                        size_t why_len);

/* Checks that path is a directory of this user that nobody else can enter: RJ_EDENIED
 * otherwise; RJ_ENOENT, RJ_EIO. */
RJ_NODISCARD enum rj_err rj_file_private(const char *path, char *why, size_t why_len);

/* Opens /dev/null at those of descriptors 0 to 2 that are closed: else a file that is
 * opened later gets such a number, and what is printed goes into it. First in main. */
void rj_file_guard_std(void);

#endif
