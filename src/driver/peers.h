/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to peers: accepts and dials them, tells the engine of those whose key is
 * proven, and keeps one session a device. Which devices to dial the engine says: those
 * that share a space, and the one that a ticket names.
 *
 * Two devices may dial each other at the same moment. Of two sessions that different ends
 * dialled, both keep the one that the device with the lower id dialled. Where that cannot
 * be the reason (one end dialled both, or the older one is not that young) the older one
 * is dead and was not yet noticed: the newer stays. */
#ifndef RJ_DRIVER_PEERS_H
#define RJ_DRIVER_PEERS_H

#include "driver/engine.h"
#include "driver/ticket.h"
#include "driver/twins.h"
#include "posix/crypto.h"

struct rj_tls_ctx;
struct rj_peers;

enum {
    RJ_PEERS_TICK_MS = 250,          /* how often those are looked at who are missing, */
    RJ_PEERS_IDLE_MS = 1000,         /* and whether anybody is */
    RJ_PEERS_BACKOFF_MIN_MS = 200,   /* before a device is dialled again, and */
    RJ_PEERS_BACKOFF_MAX_MS = 30000, /* the longest wait */
    RJ_PEERS_LASTED_MS = 5000,       /* a session as long as this resets the wait */
    RJ_PEERS_ADDRESSES_MS = 30000,   /* how often the own addresses are looked up */
    RJ_PEERS_RACE_MS = 15000,        /* two ends that dial each other do so within this */
    RJ_PEERS_DIALS_MAX = 64          /* attempts under way */
};

#define RJ_PEERS_BINDING_LABEL "EXPORTER-rejoin-binding"

struct rj_peers_options {
    struct rj_loop *loop;
    struct rj_crypto *crypto;
    struct rj_tls_ctx *tls;
    const struct rj_logger *log;
    const char *listen_host;    /* "": any */
    uint16_t port;              /* 0: accept nobody, or with any_port: */
    bool any_port;              /* one that the system chooses */
    int listen_fd;              /* inherited, listens at port; 0: none */
    const char *told_addresses; /* listen.address; "": find them */
};

/* Options are copied, what they point at is borrowed. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_peers_new(const struct rj_peers_options *options,
                                      struct rj_peers **ret_peers);
/* Begins to listen. RJ_EBUSY, RJ_EINVAL, RJ_EDENIED as rj_listener_tcp. */
RJ_NODISCARD enum rj_err rj_peers_listen(struct rj_peers *p);
/* A new instance of the engine: tells it the own addresses, dials its peers. */
void rj_peers_begin(struct rj_peers *p, struct rj_engine *e);
/* The instance has ended: cuts every session. */
void rj_peers_end(struct rj_peers *p);
void rj_peers_stop(struct rj_peers *p); /* accepts and dials no more */
void rj_peers_free(struct rj_peers *p); /* after the loop; NULL is accepted */

/* Actions of the engine. */
void rj_peers_send(struct rj_peers *p, uint64_t peer, struct rj_bytes bytes);
void rj_peers_close(struct rj_peers *p, uint64_t peer, enum rj_err err);

/* Forgets every wait: whoever is wanted and not there is dialled now. Returns a number
 * for rj_peers_tried. */
uint64_t rj_peers_dial_now(struct rj_peers *p);
/* Whether, since that rj_peers_dial_now, every wanted device was reached, or all its
 * addresses were tried in vain (or it has none). */
bool rj_peers_tried(struct rj_peers *p, uint64_t since);
bool rj_peers_connected(const struct rj_peers *p, const struct rj_digest *device);
/* The address of its connection as text; NULL when it is not connected. */
const char *rj_peers_address(const struct rj_peers *p, const struct rj_digest *device);
/* Why the last attempt to reach it failed, for people; "" when none did. */
const char *rj_peers_why(const struct rj_peers *p, const struct rj_digest *device);
/* Own addresses as told to others; *ret_n of them. Borrowed until the next turn. */
const struct rj_ticket_address *rj_peers_own(const struct rj_peers *p, size_t *ret_n);
/* Where another node runs with this device's key (driver/twins.h); NULL: none was met.
 * Borrowed until the next turn. */
const char *rj_peers_twin(const struct rj_peers *p);
/* The i-th of RJ_TWINS_RIVALS peers that may run twice with one key; NULL: not that many.
 */
const struct rj_rival *rj_peers_rival(const struct rj_peers *p, size_t i);

struct rj_peers_stats {
    uint32_t sessions, half; /* now */
    uint64_t accepted, refused;
};
struct rj_peers_stats rj_peers_stats(const struct rj_peers *p);

#endif
