/* SPDX-License-Identifier: Apache-2.0 */
/* What peers.c (sessions), dial.c (whom, where and when) and roam.c (own addresses,
 * sleep, beacon) share. Nobody else includes this.
 *
 *   session  one connection, from accept or dial on; `up` once the engine knows it;
 *   target   a device that is wanted: which of its addresses comes next and when;
 *   peer     what the engine knows of a device (names, addresses, whether it is wanted).
 */
#ifndef RJ_DRIVER_PEERS_INNER_H
#define RJ_DRIVER_PEERS_INNER_H

#include "base/map.h"
#include "driver/addresses.h"
#include "driver/peers.h"
#include "driver/sleep.h"
#include "posix/backoff.h"
#include "posix/conn.h"
#include "posix/netwatch.h"
#include "posix/tls.h"

enum {
    RJ_PEERS_SHORT_ID = 8,
    RJ_PEERS_WHY_MAX = 160,
    RJ_PEERS_LIST_MAX = RJ_PEERS_CANDIDATES_MAX + 1 + RJ_ADDRESSES_MAX
};

/* Of several reasons of one round people are told the one that helps most. */
enum rj_weight {
    RJ_WEIGHT_NOBODY,   /* nobody answered there */
    RJ_WEIGHT_SOMEBODY, /* somebody did, or a command was run, and it failed */
    RJ_WEIGHT_KEY       /* a key does not match */
};

struct rj_target {
    struct rj_map_node node;
    struct rj_digest device;
    bool wanted; /* at the last look */
    struct rj_backoff backoff;
    struct rj_mono next; /* not before */
    size_t address;      /* the one of its list that comes next */
    size_t attempts;     /* under way */
    uint32_t asked;      /* how many relays were asked, in turn */
    uint64_t began;      /* number of the last dial_now when this round began, */
    uint64_t tried;      /* and when the last round began that is over */
    struct rj_ticket_address candidates[RJ_PEERS_CANDIDATES_MAX]; /* newest first */
    size_t n_candidates;
    unsigned weight; /* of why, in this round: an enum rj_weight */
    char why[RJ_PEERS_WHY_MAX];
};

struct rj_session {
    struct rj_map_node node;
    uint8_t key[8]; /* id, big-endian */
    uint64_t id;
    struct rj_peers *peers;
    struct rj_conn *conn;
    struct rj_digest device;          /* once open */
    struct rj_target *target;         /* whom it was dialled for; NULL: accepted */
    struct rj_ticket_address address; /* that was dialled; "" */
    struct rj_site_end site;          /* proof of the network's key */
    struct rj_mono since;             /* when it was up; 0: it never was */
    struct rj_mono probed;            /* since its beacon was heard */
    bool opened;                      /* the device is who it should be */
    bool up;                          /* the engine knows it */
};

struct rj_peers {
    struct rj_peers_options options;
    struct rj_conn_options conn_options;
    struct rj_engine *engine; /* NULL between two instances */
    struct rj_listener *listener, *pipe_listener;
    struct rj_beacon *beacon; /* NULL: none */
    struct rj_relay *relay;
    struct rj_netwatch *watch; /* NULL: the system does not tell */
    struct rj_timer *timer;
    struct rj_map sessions, targets;
    struct rj_digest self;
    bool stopped;
    bool missing; /* somebody who is wanted is not there */
    uint64_t last_id;
    uint64_t dials; /* number of the last dial_now */
    size_t attempts;
    struct rj_addresses own;     /* as told to others */
    struct rj_netwatch_own here; /* all of this machine */
    struct rj_mono own_next;     /* when they are looked up */
    struct rj_mono probes_until; /* sessions are asked whether they live; 0: not */
    struct rj_sleep sleep;
    struct rj_twins twins;
};

static inline bool rj_peers_same(const struct rj_digest *a, const struct rj_digest *b)
{
    return memcmp(a->b, b->b, RJ_DIGEST_LEN) == 0;
}

/* ---- peers.c */

void rj_peers_short_id(const struct rj_digest *d, char ret[RJ_PEERS_SHORT_ID + 1]);
/* The session with device that the engine knows; NULL: none. */
struct rj_session *rj_session_to(const struct rj_peers *p,
                                 const struct rj_digest *device);
/* A session that does not have its connection yet; NULL: out of memory. */
struct rj_session *rj_session_new(struct rj_peers *p);
void rj_session_drop(struct rj_session *s); /* before it had one */
struct rj_session *rj_session_next(const struct rj_peers *p, const struct rj_session *s);
/* Asks whether the other end is still there. */
void rj_session_probe(struct rj_session *s, struct rj_mono now);
/* Callbacks of connections made here; their context is the session. */
extern const struct rj_conn_ops rj_session_dial_ops;

/* ---- dial.c */

void rj_targets_init(struct rj_peers *p);
void rj_targets_free(struct rj_peers *p);
struct rj_target *rj_target_find(const struct rj_peers *p,
                                 const struct rj_digest *device);
/* Dials whoever is wanted, missing and due. */
void rj_dial_look(struct rj_peers *p, struct rj_mono now);
/* A beacon of a wanted device was believed: see struct rj_beacon_ops. */
void rj_target_found(struct rj_peers *p, const struct rj_digest *device,
                     const char *address, bool asks);
/* Says why it is not there, unless something weightier was said in this round. */
void rj_target_why(struct rj_target *t, enum rj_weight weight, const char *why);
/* A session or attempt for it ended. lasted: it was up, for a while. */
void rj_target_ended(struct rj_peers *p, struct rj_target *t, bool lasted);

/* ---- roam.c */

enum rj_err rj_roam_new(struct rj_peers *p);
/* The port is known: addresses and beacon can name it. */
enum rj_err rj_roam_listen(struct rj_peers *p);
void rj_roam_stop(struct rj_peers *p);
void rj_roam_free(struct rj_peers *p);
void rj_roam_tell(struct rj_peers *p); /* the own addresses to the engine */
/* Whatever is due: own addresses, dead sessions, the end of a sleep. */
void rj_roam_look(struct rj_peers *p, struct rj_mono now);

#endif
