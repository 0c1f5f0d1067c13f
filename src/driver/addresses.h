/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses under which others may find this machine. */
#ifndef RJ_DRIVER_ADDRESSES_H
#define RJ_DRIVER_ADDRESSES_H

#include "driver/ticket.h"

struct rj_addresses {
    struct rj_ticket_address items[RJ_ADDRESSES_MAX];
    size_t n;
};

struct rj_addresses_options {
    const char *told; /* listen.address: these and no others; "": find them */
    const char *host; /* where it listens; "": any address */
    uint16_t port;    /* 0: none, nobody can dial it */
};

/* What was told; else the host that it listens at; else the addresses of the interfaces
 * that are up (loopback and link-local ones left out; 127.0.0.1 when nothing is left).
 * Those that are too many are left out. */
void rj_addresses_find(const struct rj_addresses_options *o, struct rj_addresses *ret);
bool rj_addresses_equal(const struct rj_addresses *a, const struct rj_addresses *b);

#endif
