/* SPDX-License-Identifier: Apache-2.0 */
/* What the control socket knows of its calls. Nobody else includes this. */
#ifndef RJ_DAEMON_CALL_INNER_H
#define RJ_DAEMON_CALL_INNER_H

#include "base/buf.h"
#include "daemon/call.h"
#include "posix/conn.h"

struct rj_call {
    struct rj_daemon *daemon;
    struct rj_conn *conn; /* whom it is answered; outlives it */
    struct rj_call *next; /* of this connection */
    uint64_t id;
    struct rj_buf args;
    struct rj_doc doc;
    rj_call_poll_fn *poll;
    void *state;
    rj_call_free_fn *free_fn;
    struct rj_mono wake_at; /* UINT64_MAX: never */
    struct rj_mono progress_next;
    bool watching;
    bool done; /* answered; freed at the end of the turn */
};

/* Arguments are copied. RJ_ENOMEM, RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_call_new(struct rj_daemon *d, struct rj_conn *conn,
                                     const struct rj_message_request *m,
                                     struct rj_call **ret_call);
void rj_call_free(struct rj_call *c);
/* Turns what a verb returned into a reply, where there is none yet. */
void rj_call_settle(struct rj_call *c, enum rj_err err);
/* One who watches is told. */
void rj_call_event(struct rj_call *c, enum rj_note_level level, const char *text);

#endif
