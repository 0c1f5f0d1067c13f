/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that run twice with one key: this one, and peers. */
#ifndef RJ_DRIVER_TWINS_H
#define RJ_DRIVER_TWINS_H

#include <rejoin/bytes.h>
#include <rejoin/env.h>
#include <rejoin/node.h>
#include <stdbool.h>

enum {
    RJ_TWINS_KEPT = 8,       /* the last ones that were seen */
    RJ_TWINS_TAG_LEN = 8,    /* bytes of a connection's binding that name it */
    RJ_TWINS_SURE_MS = 2000, /* by then the other end of an own connection was seen too */
    RJ_TWINS_RIVALS = 4,   /* peers of which is remembered that they replace themselves */
    RJ_TWINS_REPLACED = 3, /* so often, */
    RJ_TWINS_WINDOW_MS = 120000, /* within this time */
    RJ_TWINS_RECALL_MS = 600000  /* how long that is told */
};

struct rj_twin {
    uint8_t tag[RJ_TWINS_TAG_LEN];
    struct rj_mono at; /* 0: none here */
    char address[RJ_ADDRESS_MAX + 1];
};

/* A peer whose sessions end because it comes anew. */
struct rj_rival {
    struct rj_digest device;
    struct rj_mono since, last; /* of the replacements that are counted; 0: none here */
    unsigned count;
    char address[2][RJ_ADDRESS_MAX + 1]; /* of the last two sessions */
};

/* Zero-initialise. */
struct rj_twins {
    struct rj_twin seen[RJ_TWINS_KEPT];
    struct rj_rival rivals[RJ_TWINS_RIVALS];
    size_t next;
};

/* A connection whose other end proved this device's own key. binding: what both ends of
 * the connection share (RJ_TWINS_TAG_LEN bytes of it count). */
void rj_twins_note(struct rj_twins *t, const uint8_t *binding, const char *address,
                   struct rj_mono now);
/* The address at which another machine, or another home, runs with this device's key;
 * NULL: none was met. Borrowed until the next note. */
const char *rj_twins_address(const struct rj_twins *t, struct rj_mono now);

/* A session of a peer was replaced by a newer one: once in a while a sign of a broken
 * connection, again and again one of two nodes with one key. */
void rj_twins_replaced(struct rj_twins *t, const struct rj_digest *device,
                       const char *const addresses[2], struct rj_mono now);
/* The i-th slot of RJ_TWINS_RIVALS, when its device does so again and again; else NULL.
 * Borrowed until the next rj_twins_replaced. */
const struct rj_rival *rj_twins_rival(const struct rj_twins *t, size_t i,
                                      struct rj_mono now);

#endif
