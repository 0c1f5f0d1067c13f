/* SPDX-License-Identifier: Apache-2.0 */
/* Tells a service manager how the program is: the protocol of sd_notify(3), without its
 * library. */
#ifndef RJ_POSIX_NOTIFY_H
#define RJ_POSIX_NOTIFY_H

#include "posix/dirs.h"

#include <sys/socket.h>
#include <sys/un.h>

enum { RJ_NOTIFY_TEXT_MAX = 512 }; /* of one datagram; a longer status is cut */

/* Zeroed: nobody is told. */
struct rj_notify {
    struct sockaddr_un addr;
    socklen_t addr_len;   /* 0: nobody wants to hear */
    uint64_t watchdog_ms; /* a sign of life is wanted this often; 0: none */
    int fd;
};

/* Reads NOTIFY_SOCKET (a path, or @ and an abstract name), WATCHDOG_USEC and, where it is
 * set, WATCHDOG_PID, which must be pid. RJ_OK also where nobody is to be told; RJ_EINVAL:
 * no such address can be; RJ_EIO: no socket. n is zeroed then. */
RJ_NODISCARD enum rj_err rj_notify_open(rj_dirs_env_fn *env, pid_t pid,
                                        struct rj_notify *n);
/* Sends one datagram: state (assignments as sd_notify has them, or NULL), and text as
 * STATUS (or NULL), its control characters made spaces. Never waits; what cannot be sent
 * is lost. */
void rj_notify_say(const struct rj_notify *n, const char *state, const char *text);
void rj_notify_close(struct rj_notify *n);

#endif
