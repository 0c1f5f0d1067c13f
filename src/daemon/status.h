/* SPDX-License-Identifier: Apache-2.0 */
/* How this node is: one description, for the command line, for the page, for monitors. */
#ifndef RJ_DAEMON_STATUS_H
#define RJ_DAEMON_STATUS_H

#include "client/doc.h"
#include "daemon/daemon.h"

/* Adds the fields of the node itself to the map that is open in doc. */
void rj_status_self(const struct rj_daemon *d, struct rj_doc *doc);
/* The list "addresses": where others are told to find it. */
void rj_status_addresses(const struct rj_daemon *d, struct rj_doc *doc);
/* The fields of a space; and what keeps it from being in order, a list of texts
 * "limits". */
void rj_status_space(const struct rj_daemon *d, struct rj_doc *doc, struct rj_space *s);
void rj_status_limits(const struct rj_daemon *d, struct rj_doc *doc, struct rj_space *s);
/* All of it, as one map: the node, its spaces (only that one, where it is given) with
 * their members, its peers. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_status_put(const struct rj_daemon *d, struct rj_node *n,
                                       const struct rj_space *only, struct rj_doc *doc);

#endif
