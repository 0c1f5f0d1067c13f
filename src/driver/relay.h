/* SPDX-License-Identifier: Apache-2.0 */
/* The relay: a member that listens joins two connections, of two members that cannot
 * reach each other, into one. Each of the two connects to its port for peers and sends
 *
 *     preamble = "RJRELAY1" token        token: 32 bytes, made for this one meeting
 *
 * where TLS would begin (with 0x16). From then on every byte goes to the other one as it
 * is: the two run their TLS through it, from key to key, so the relay can read, change or
 * repeat nothing without their noticing; it can only cut them. */
#ifndef RJ_DRIVER_RELAY_H
#define RJ_DRIVER_RELAY_H

#include "posix/conn.h"
#include "posix/loop.h"

#include <rejoin/node.h>

enum {
    RJ_RELAY_TOKEN_LEN = RJ_RELAY_TOKEN,
    RJ_RELAY_PREAMBLE_LEN = 8 + RJ_RELAY_TOKEN_LEN,
    RJ_RELAY_TOKENS_MAX = 256,              /* meetings that are expected */
    RJ_RELAY_TOKEN_MS = 30000,              /* how long one is */
    RJ_RELAY_PAIRS_MAX = 64,                /* meetings at one time */
    RJ_RELAY_STRANGERS_MAX = 128,           /* connections without a token yet */
    RJ_RELAY_PREAMBLE_MS = 3000,            /* for the preamble to come, */
    RJ_RELAY_PAIR_MS = 15000,               /* and for the other one */
    RJ_RELAY_QUEUE_BYTES = 256 * 1024,      /* under way in one direction */
    RJ_RELAY_RATE_BYTES = 16 * 1024 * 1024, /* a second and pair, both directions */
    RJ_RELAY_TICK_MS = 50                   /* how often a slowed pair goes on */
};

struct rj_relay;

struct rj_relay_options {
    struct rj_loop *loop;
    /* 0: the constants above. */
    uint32_t pairs_max, pair_ms, rate_bytes;
};

RJ_NODISCARD enum rj_err rj_relay_new(const struct rj_relay_options *options,
                                      struct rj_relay **ret_relay);
void rj_relay_free(struct rj_relay *relay); /* after the loop; NULL is accepted */
void rj_relay_stop(struct rj_relay *relay); /* cuts all; nothing more is joined */

/* Two connections with this token will come: joins them. RJ_ELIMIT: too many meetings. */
RJ_NODISCARD enum rj_err rj_relay_expect(struct rj_relay *relay,
                                         const uint8_t token[RJ_RELAY_TOKEN_LEN]);
/* Callbacks and context of accepted connections that do not begin with TLS. */
extern const struct rj_conn_ops rj_relay_conn_ops;

void rj_relay_preamble(const uint8_t token[RJ_RELAY_TOKEN_LEN],
                       uint8_t ret[RJ_RELAY_PREAMBLE_LEN]);

struct rj_relay_stats {
    uint32_t strangers, waiting, pairs; /* now */
    uint64_t joined, refused, bytes;    /* so far */
};
struct rj_relay_stats rj_relay_stats(const struct rj_relay *relay);

#endif
