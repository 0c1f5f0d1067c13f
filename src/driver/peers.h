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

#include "driver/beacon.h"
#include "driver/engine.h"
#include "driver/pipes.h"
#include "driver/relay.h"
#include "driver/site.h"
#include "driver/ticket.h"
#include "driver/twins.h"
#include "posix/crypto.h"

struct rj_tls_ctx;
struct rj_peers;

enum {
    RJ_PEERS_TICK_MS = 250,        /* how often those are looked at who are missing, */
    RJ_PEERS_IDLE_MS = 1000,       /* and whether anybody is */
    RJ_PEERS_STAGGER_MS = 250,     /* before the next address is tried beside the last */
    RJ_PEERS_AT_ONCE_MAX = 4,      /* addresses of one device tried beside each other */
    RJ_PEERS_BACKOFF_MIN_MS = 200, /* before a device is dialled again, and */
    RJ_PEERS_BACKOFF_MAX_MS = 30000, /* the longest wait */
    RJ_PEERS_LASTED_MS = 5000,       /* a session as long as this resets the wait */
    RJ_PEERS_ADDRESSES_MS = 30000, /* how often the own addresses are looked up anyway */
    RJ_PEERS_SETTLE_MS = 50,       /* after a change of them: several come together */
    RJ_PEERS_RACE_MS = 3000,       /* two ends that dial each other do so within this */
    RJ_PEERS_SITE_MS = 10000,      /* for the proof of the network's key */
    RJ_PEERS_DEAD_MS = 20000,      /* a link without a sign of life */
    RJ_PEERS_PROBE_MS = 20000,     /* between two probes that beacons are reason for */
    RJ_PEERS_CANDIDATES_MAX = 4,   /* addresses of a device that beacons told */
    RJ_PEERS_DIALS_MAX = 64        /* attempts under way */
};

#define RJ_PEERS_BINDING_LABEL "EXPORTER-rejoin-binding"

/* What is pointed at is borrowed for the life of the peers; unsaid things are off. */
struct rj_peers_options {
    struct rj_loop *loop;
    struct rj_crypto *crypto;
    struct rj_tls_ctx *tls;
    struct rj_logger *log;
    const char *listen_host;    /* "": any */
    uint16_t port;              /* 0: accept nobody, or with any_port: */
    bool any_port;              /* one that the system chooses */
    int listen_fd;              /* inherited, listens at port; 0: none */
    const char *told_addresses; /* listen.address; "": find them */
    uint16_t port_beacon;       /* UDP; 0: no beacon; none either on loopback */
    const struct rj_site *site; /* the network's key; NULL: none */
    struct rj_pipes *pipes;     /* who is behind an ssh; NULL: nobody */
    const char *ssh_command;    /* NULL: RJ_PIPES_COMMAND */
    const char *peer_socket;    /* Unix socket for `rejoin pipe`; NULL: none */
};

/* Options are copied. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_peers_new(const struct rj_peers_options *options,
                                      struct rj_peers **ret_peers);
/* Begins to listen. RJ_EBUSY, RJ_EINVAL, RJ_EDENIED as rj_listener_tcp; the socket for
 * pipes only says in the log that it could not be had. */
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

/* Reaches the device through `ssh HOST rejoin pipe` as well; host "": no longer. Kept
 * over restarts. RJ_EINVAL: no host; RJ_ELIMIT, RJ_EIO... */
RJ_NODISCARD enum rj_err
rj_peers_set_pipe(struct rj_peers *p, const struct rj_digest *device, const char *host);
/* "ssh:HOST", or NULL. */
const char *rj_peers_pipe(const struct rj_peers *p, const struct rj_digest *device);
/* ---- relay: see driver/relay.h; the engine's sessions carry the token */

/* Two members will come to the port here with this token. RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_peers_relay_carry(struct rj_peers *p,
                                              const uint8_t token[RJ_RELAY_TOKEN_LEN]);
/* Meets device through via, which is connected: as TLS's client or server (one end each).
 * RJ_EUNREACH: via has no address to dial; RJ_ENOENT: device is not wanted; RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_peers_relay_meet(struct rj_peers *p,
                                             const struct rj_digest *via,
                                             const struct rj_digest *device,
                                             const uint8_t token[RJ_RELAY_TOKEN_LEN],
                                             bool is_client);

struct rj_peers_stats {
    uint32_t sessions, half; /* now */
    uint64_t accepted, refused;
};
struct rj_peers_stats rj_peers_stats(const struct rj_peers *p);

#endif
