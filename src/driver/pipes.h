/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that are reached through a pipe: `ssh HOST rejoin pipe`. Which device is behind
 * which host only this device's user says: it is kept in a file of this node, never told
 * to others and never taken from them, for it makes this device run a command. */
#ifndef RJ_DRIVER_PIPES_H
#define RJ_DRIVER_PIPES_H

#include "posix/conn.h"

#include <rejoin/bytes.h>

enum {
    RJ_PIPES_HOST_MAX = 200, /* "user@host" */
    RJ_PIPES_MAX = 256,      /* devices behind a pipe */
    RJ_PIPES_HANDSHAKE_MS = 30000,
    RJ_PIPES_COMMAND_MAX = 512
};

#define RJ_PIPES_PREFIX  "ssh:"
#define RJ_PIPES_COMMAND "ssh -T -o BatchMode=yes -o ServerAliveInterval=15"

struct rj_pipes;

/* Whether text names a host as ssh takes it: [user@]host of letters, digits, '.', '_',
 * '-', ':' (and '%' in a host), neither part beginning with '-'. */
bool rj_pipes_is_host(struct rj_bytes text);

/* Reads the book at path (copied); none is an empty one. RJ_ECORRUPT, RJ_EDENIED, RJ_EIO,
 * RJ_ENOMEM: detail in why. */
RJ_NODISCARD enum rj_err rj_pipes_open(const char *path, char *why, size_t why_len,
                                       struct rj_pipes **ret_pipes);
void rj_pipes_close(struct rj_pipes *pipes); /* NULL is accepted */
/* "ssh:HOST" of a device; NULL: none. Borrowed until the next rj_pipes_set. */
const char *rj_pipes_address(const struct rj_pipes *pipes,
                             const struct rj_digest *device);
/* Sets (host NULL or "": removes) and writes the book. RJ_EINVAL: no host; RJ_ELIMIT;
 * RJ_EIO... and nothing has changed. */
RJ_NODISCARD enum rj_err rj_pipes_set(struct rj_pipes *pipes,
                                      const struct rj_digest *device, const char *host);

/* command, split at blanks, with host and "rejoin pipe" behind it: an argv. */
struct rj_pipes_argv {
    const char *argv[RJ_CONN_ARGS_MAX + 1];
    char text[RJ_PIPES_COMMAND_MAX + 1];
    char host[RJ_PIPES_HOST_MAX + 1];
};
/* RJ_EINVAL: no command, or too long; or no host. */
RJ_NODISCARD enum rj_err rj_pipes_argv(const char *command, const char *host,
                                       struct rj_pipes_argv *ret);

#endif
