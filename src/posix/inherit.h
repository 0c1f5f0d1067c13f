/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets that whoever started the program opened for it. */
#ifndef RJ_POSIX_INHERIT_H
#define RJ_POSIX_INHERIT_H

#include "posix/dirs.h"

enum { RJ_INHERIT_FIRST = 3, RJ_INHERIT_MAX = 16 };

/* What a socket is for: its name in LISTEN_FDNAMES. */
enum rj_inherit {
    RJ_INHERIT_CONTROL,
    RJ_INHERIT_PEER,
    RJ_INHERIT_RESP,
    RJ_INHERIT_COUNT
};

/* Zeroed: none. */
struct rj_inherited {
    int fd[RJ_INHERIT_COUNT]; /* listening stream sockets, close-on-exec; 0: none */
};

/* Reads LISTEN_PID, which must be pid, LISTEN_FDS and LISTEN_FDNAMES (sd_listen_fds(3)).
 * A Unix socket needs no name: it is the control socket. RJ_OK also where there is
 * none. RJ_EINVAL, with why: a name that is none of "control", "peer" and "resp", or is
 * there twice; something that is no listening stream socket. */
RJ_NODISCARD enum rj_err rj_inherit_take(rj_dirs_env_fn *env, pid_t pid, char *why,
                                         size_t why_len, struct rj_inherited *ret);
/* The port that a socket is bound to; 0: it is none of TCP. */
uint16_t rj_inherit_port(int fd);

#endif
