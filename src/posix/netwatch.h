/* SPDX-License-Identifier: Apache-2.0 */
/* What changes around this machine: its addresses, and whether it slept. */
#ifndef RJ_POSIX_NETWATCH_H
#define RJ_POSIX_NETWATCH_H

#include "posix/loop.h"

#include <sys/socket.h>

struct rj_netwatch;

enum { RJ_NETWATCH_OWN_MAX = 128 }; /* addresses of this machine that are looked at */

/* Calls fn whenever an address or an interface comes, goes or changes (several changes
 * may be one call, one change several). RJ_EIO: the system does not tell. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_netwatch_new(struct rj_loop *loop, rj_timer_fn *fn, void *ctx,
                                         struct rj_netwatch **ret_watch);
/* Before rj_loop_free. NULL is accepted. */
void rj_netwatch_free(struct rj_netwatch *watch);

/* All addresses of this machine, of interfaces that are up, at one moment. */
struct rj_netwatch_own {
    struct sockaddr_storage items[RJ_NETWATCH_OWN_MAX];
    size_t n;
};
void rj_netwatch_own(struct rj_netwatch_own *ret);
/* Whether addr (IPv4 or IPv6; its port does not matter) is one of them; true as well when
 * they could not be found out. */
bool rj_netwatch_is_own(const struct rj_netwatch_own *own,
                        const struct sockaddr_storage *addr);

/* Milliseconds that the machine slept since it was started: the difference of two clocks,
 * one of which goes on in sleep. */
uint64_t rj_netwatch_slept_ms(void);

#endif
