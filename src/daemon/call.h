/* SPDX-License-Identifier: Apache-2.0 */
/* A call: one request on the control socket, from its arrival to its answer. A verb
 * answers it now, or later, at the end of some turn. */
#ifndef RJ_DAEMON_CALL_H
#define RJ_DAEMON_CALL_H

#include "client/doc.h"
#include "client/message.h"

#include <rejoin/node.h>

struct rj_daemon;
struct rj_call;

enum {
    RJ_CALL_WHY_MAX = 512,
    RJ_CALL_PROGRESS_MS = 200 /* least time between two progress replies */
};

/* A verb: answers the call now, or sets what is needed to answer it later
 * (rj_call_wait). An error that is returned becomes the error reply, unless the call was
 * answered already. */
typedef enum rj_err rj_verb_fn(struct rj_call *c);
/* Looks again at a call that waits, at the end of each turn. */
typedef enum rj_err rj_call_poll_fn(struct rj_call *c);
typedef void rj_call_free_fn(void *state);

struct rj_daemon *rj_call_daemon(const struct rj_call *c);
/* The arguments: a map, valid, lives as long as the call. */
struct rj_bytes rj_call_args(const struct rj_call *c);
/* An empty document for the reply, one a call. */
struct rj_doc *rj_call_doc(struct rj_call *c);
/* Sends what is in that document. PROGRESS and EVENT are dropped when the client does not
 * keep up; RESULT ends the call. */
void rj_call_reply(struct rj_call *c, enum rj_message_kind kind);
/* A piece of output. */
void rj_call_output(struct rj_call *c, struct rj_bytes bytes);
/* Ends the call with an error; what to type next is in hint (may be ""). format as
 * printf. Returns RJ_OK, so that a verb can end with it. */
enum rj_err rj_call_error(struct rj_call *c, enum rj_err err, const char *hint,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Whether it was answered already. */
bool rj_call_answered(const struct rj_call *c);
/* The call is answered later: by poll, at the end of some turn. */
void rj_call_wait(struct rj_call *c, rj_call_poll_fn *poll);
/* What the call keeps for poll; freed with free_fn when the call ends. */
void rj_call_set_state(struct rj_call *c, void *take_state, rj_call_free_fn *free_fn);
void *rj_call_state(const struct rj_call *c);
/* Wants another look at that time, even if nothing happens. */
void rj_call_wake_at(struct rj_call *c, struct rj_mono at);
/* Whether it is time for another progress reply (and counts it). */
bool rj_call_progress_due(struct rj_call *c);
/* Gets events from now on. */
void rj_call_watch(struct rj_call *c);

#endif
