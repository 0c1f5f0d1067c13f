/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: how the command line talks to the daemon (doc/format.md, "The
 * control socket"). Whoever may open the socket (this user, root) may do everything. A
 * connection may have several requests under way; each is a *call*, handled by the verb
 * of verbs.def. */
#ifndef RJ_DAEMON_CONTROL_H
#define RJ_DAEMON_CONTROL_H

#include "client/doc.h"
#include "client/message.h"

#include <rejoin/node.h>

struct rj_daemon;
struct rj_control;
struct rj_call;

enum {
    RJ_CONTROL_CONNS_MAX = 128,
    RJ_CONTROL_CALLS_MAX = 64, /* under way on one connection */
    RJ_CONTROL_WHY_MAX = 512,
    RJ_CONTROL_PROGRESS_MS = 200 /* least time between two progress replies */
};

/* A verb: answers the call now, or sets what is needed to answer it later
 * (rj_call_wait). An error that is returned becomes the error reply, unless the call was
 * answered already. */
typedef enum rj_err rj_verb_fn(struct rj_call *c);
/* Looks again at a call that waits, at the end of each turn. */
typedef enum rj_err rj_call_poll_fn(struct rj_call *c);
typedef void rj_call_free_fn(void *state);

/* RJ_ENOMEM. The daemon outlives it. */
RJ_NODISCARD enum rj_err rj_control_new(struct rj_daemon *d,
                                        struct rj_control **ret_control);
/* As rj_listener_unix. */
RJ_NODISCARD enum rj_err rj_control_listen(struct rj_control *control, const char *path);
/* The end of a turn: calls that wait are looked at. */
void rj_control_turn(struct rj_control *control);
/* Something that those who watch want to know. */
void rj_control_event(struct rj_control *control, enum rj_note_level level,
                      const char *text);
/* The engine's instance has ended: calls that wait for it fail. */
void rj_control_ended(struct rj_control *control, enum rj_err err);
void rj_control_stop(struct rj_control *control); /* accepts nobody any more */
void rj_control_free(struct rj_control *control); /* after the loop; NULL is accepted */

/* ---- for verbs */

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
