/* SPDX-License-Identifier: Apache-2.0 */
/* One end of a control socket: connects, sends requests, gives replies, with a limit in
 * time and a way to be called off. One thread at a time, but for the calling off. */
#ifndef RJ_CLIENT_WIRE_H
#define RJ_CLIENT_WIRE_H

#include "client/message.h"

enum { RJ_WIRE_RETRY_MS = 10 }; /* while the daemon has no room for a connection */

#define RJ_WIRE_NEVER UINT64_MAX /* a time that never comes */

struct rj_wire {
    int fd;             /* -1: not connected */
    int cancel_fd;      /* readable: give up. -1: none; the owner's */
    bool interruptible; /* a caught signal: give up */
    struct rj_buf in, out;
    size_t used;      /* bytes of in that the last reply took */
    uint64_t last_id; /* of requests */
};

/* Zeroed but for the descriptors. */
void rj_wire_init(struct rj_wire *w, int cancel_fd);
/* The monotonic clock, ms. */
uint64_t rj_wire_now_ms(void);
/* Connects to the socket at path. RJ_ENODAEMON: nobody listens; RJ_ELIMIT: the path is
 * too long; RJ_EDENIED, RJ_EIO, RJ_ETIMEOUT, RJ_ECANCELED. Detail in why. */
RJ_NODISCARD enum rj_err rj_wire_connect(struct rj_wire *w, const char *path,
                                         uint64_t until_ms, char *why, size_t why_len);
/* Closes the connection; the daemon gives up on its requests. */
void rj_wire_close(struct rj_wire *w);
/* Also frees the memory. */
void rj_wire_done(struct rj_wire *w);
/* Whether the other end has closed, as far as is known now. */
bool rj_wire_is_stale(const struct rj_wire *w);

/* Sends a request with arguments (a map), whose number is put into ret_id. RJ_ELIMIT:
 * too large, nothing was sent. After any other failure the connection is of no use:
 * RJ_ECLOSED (by the other end), RJ_ETIMEOUT, RJ_ECANCELED, RJ_ENOMEM, RJ_EIO. */
RJ_NODISCARD enum rj_err rj_wire_send(struct rj_wire *w, const char *verb,
                                      struct rj_bytes args, uint64_t until_ms,
                                      uint64_t *ret_id);
/* The next reply to any request, borrowed until the next call on w. RJ_EPROTO: what came
 * is no reply; others as above. */
RJ_NODISCARD enum rj_err rj_wire_next(struct rj_wire *w, uint64_t until_ms,
                                      struct rj_message_reply *ret);

#endif
