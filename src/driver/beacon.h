/* SPDX-License-Identifier: Apache-2.0 */
/* The beacon: one signed datagram that tells everybody on the same network who is here
 * and at which port. So devices meet though every address that they know of each other is
 * stale. Sent soon after the start and after any change of the own addresses, then often
 * while somebody who is wanted is missing, and now and then otherwise.
 *
 * Heard from a device that is wanted here, and proven, it gives an address to dial. It
 * never does more than that: whoever answers there has to prove the device's key. */
#ifndef RJ_DRIVER_BEACON_H
#define RJ_DRIVER_BEACON_H

#include "driver/logger.h"
#include "driver/site.h"
#include "driver/ticket.h"
#include "posix/loop.h"

#include <sys/socket.h>

enum {
    RJ_BEACON_VERSION = 1,
    RJ_BEACON_MAX = 192,         /* bytes of a datagram */
    RJ_BEACON_SOON_MS = 100,     /* after a start, a change, a wake; so many are one */
    RJ_BEACON_MISSING_MS = 5000, /* while somebody is missing, */
    RJ_BEACON_IDLE_MS = 60000,   /* and otherwise; both +- a quarter */
    RJ_BEACON_ANSWER_MS = 1000,  /* between two that were asked for */
    RJ_BEACON_VERIFIES = 20,     /* signatures verified in a second */
    RJ_BEACON_KNOWN_MAX = 1024,  /* devices whose last beacon is remembered, */
    RJ_BEACON_FORGET_MS = 10 * 60 * 1000, /* for so long: clocks get corrected */
    RJ_BEACON_LOG_MS = 60000              /* between two lines about what was dropped */
};

/* "rejoin" in the last 48 bits; link-local scope, transient (RFC 4291, 2.7). */
#define RJ_BEACON_GROUP "ff12::7265:6a6f:696e"

struct rj_beacon_message {
    uint8_t pubkey[RJ_PUBKEY_LEN];
    uint64_t wall_ms; /* the sender's clock: later ones replace earlier ones */
    uint16_t port;    /* where it accepts peers; 0: nowhere */
    bool asks;        /* it misses somebody: say where you are */
    bool has_mac;
    uint8_t mac[RJ_SITE_MAC_LEN];
    uint8_t sig[RJ_SIG_LEN];
    /* Filled by rj_beacon_read: what mac and signature are over; borrowed. */
    struct rj_bytes maced, signed_part;
};

/* Appends a beacon with this device's key. site may be NULL. RJ_EIO: cannot sign. */
RJ_NODISCARD enum rj_err rj_beacon_put(const struct rj_beacon_message *m,
                                       struct rj_crypto *crypto,
                                       const struct rj_site *site, struct rj_buf *out);
/* Takes one apart; proves nothing. RJ_ECORRUPT: it is none; RJ_EVERSION: of a newer kind;
 * RJ_ELIMIT: too large. */
RJ_NODISCARD enum rj_err rj_beacon_read(struct rj_bytes datagram,
                                        struct rj_beacon_message *ret);
bool rj_beacon_mac_matches(const struct rj_beacon_message *m, struct rj_crypto *crypto,
                           const struct rj_site *site);
bool rj_beacon_sig_matches(const struct rj_beacon_message *m, struct rj_crypto *crypto);

/* ---- sending and hearing */

struct rj_beacon;

struct rj_beacon_ops {
    /* Whether a beacon of that device is of any use. Called for each datagram: cheap. */
    bool (*wanted)(void *ctx, const struct rj_digest *device);
    /* It is at that address now; "": it can only dial. asks: it misses somebody. */
    void (*found)(void *ctx, const struct rj_digest *device, const char *address,
                  bool asks);
};

struct rj_beacon_options {
    const struct rj_beacon_ops *ops;
    void *ctx;
    struct rj_loop *loop;
    struct rj_crypto *crypto;
    struct rj_logger *log;
    const struct rj_site *site; /* NULL: no network key */
    uint16_t port;              /* UDP; 0: hears and sends nothing */
    uint16_t port_peer;         /* what is told */
    const char *only;           /* as struct rj_udp_options; borrowed */
};

/* RJ_ENOMEM. When the port cannot be had it says so in the log and is silent. */
RJ_NODISCARD enum rj_err rj_beacon_new(const struct rj_beacon_options *options,
                                       struct rj_beacon **ret_beacon);
void rj_beacon_free(struct rj_beacon *beacon); /* after the loop; NULL is accepted */
void rj_beacon_stop(struct rj_beacon *beacon); /* sends and hears no more */
/* Something changed: sends soon. */
void rj_beacon_soon(struct rj_beacon *beacon);
/* Whether somebody who is wanted is missing. */
void rj_beacon_missing(struct rj_beacon *beacon, bool missing);
/* A session with it came up: what its last beacon said of its clock is forgotten. */
void rj_beacon_met(struct rj_beacon *beacon, const struct rj_digest *device);
/* A datagram; called by the socket, and by tests. */
void rj_beacon_hear(struct rj_beacon *beacon, const struct sockaddr *from,
                    struct rj_bytes datagram);

struct rj_beacon_stats {
    uint64_t sent, heard, accepted;
    /* Dropped, by the reason, in the order in which they are looked for. */
    uint64_t malformed, unwanted, foreign, stale, beyond_budget, forged;
};
struct rj_beacon_stats rj_beacon_stats(const struct rj_beacon *beacon);

#endif
