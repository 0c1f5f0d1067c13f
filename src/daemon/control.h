/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: how the command line talks to the daemon (doc/format.md, "The
 * control socket"). Whoever may open the socket (this user, root) may do everything. A
 * connection may have several requests under way; each is a *call* (call.h), handled by
 * the verb of verbs.def. */
#ifndef RJ_DAEMON_CONTROL_H
#define RJ_DAEMON_CONTROL_H

#include <rejoin/node.h>

struct rj_daemon;
struct rj_control;

enum {
    RJ_CONTROL_CONNS_MAX = 128,
    RJ_CONTROL_CALLS_MAX = 64 /* under way on one connection */
};

/* RJ_ENOMEM. The daemon outlives it. */
RJ_NODISCARD enum rj_err rj_control_new(struct rj_daemon *d,
                                        struct rj_control **ret_control);
/* As rj_listener_unix; where given_fd is not 0, as rj_listener_given with that. */
RJ_NODISCARD enum rj_err rj_control_listen(struct rj_control *control, const char *path,
                                           int given_fd);
/* The end of a turn: calls that wait are looked at. */
void rj_control_turn(struct rj_control *control);
/* Something that those who watch want to know. */
void rj_control_event(struct rj_control *control, enum rj_note_level level,
                      const char *text);
/* The engine's instance has ended: calls that wait for it fail. */
void rj_control_ended(struct rj_control *control, enum rj_err err);
void rj_control_stop(struct rj_control *control); /* accepts nobody any more */
void rj_control_free(struct rj_control *control); /* after the loop; NULL is accepted */

#endif
