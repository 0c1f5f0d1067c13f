/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a record in LMDB (doc/format.md, "Store on disk"): how a key of any length
 * is cut into LMDB keys of at most 511 bytes without losing its order, and what frames a
 * value so that damage is found. Pure computation; reads foreign bytes. */
#ifndef RJ_STORE_STORED_H
#define RJ_STORE_STORED_H

#include "base/bytes.h"

#include <rejoin/store.h>

enum {
    RJ_STORED_KEY_MAX = 511,  /* the longest key of LMDB */
    RJ_STORED_PART_MAX = 501, /* bytes of the user's key in one LMDB key */
    RJ_STORED_PREFIX_MAX = 9, /* the longest group number with its length */
    RJ_STORED_HEAD = 8,       /* the checksum before each body */
    RJ_STORED_OWN = 0xff,     /* first byte of the store's own keys */
    RJ_STORED_DEPTH_MAX = RJ_STORE_KEY_MAX / RJ_STORED_PART_MAX + 1, /* nested groups */
    RJ_STORED_FORMAT = 2 /* the format that this code writes, and the only one it reads */
};

enum rj_stored_kind {
    RJ_STORED_VALUE = 0, /* the whole rest of the key stands in the LMDB key */
    RJ_STORED_ONE = 1,   /* the only long key that begins so: its rest and its value */
    RJ_STORED_GROUP = 2  /* several begin so: the number of the group that holds them */
};

/* A record, as it is understood. Views borrow from the bytes that it was decoded from. */
struct rj_stored {
    enum rj_stored_kind kind;
    uint64_t group;        /* that it stands in; 0: the top */
    struct rj_bytes part;  /* its piece of the key; RJ_STORED_PART_MAX but for VALUE */
    struct rj_bytes rest;  /* ONE: what follows part in the key */
    struct rj_bytes value; /* VALUE, ONE */
    uint64_t child;        /* GROUP */
};

/* The prefix of all LMDB keys in a group; returns its length, 1..RJ_STORED_PREFIX_MAX. */
size_t rj_stored_prefix(uint64_t group, uint8_t ret[RJ_STORED_PREFIX_MAX]);

/* The LMDB key of a (part of a) key in a group; returns its length. More than
 * RJ_STORED_PART_MAX bytes: the key of the ONE or GROUP record for their beginning. */
size_t rj_stored_key(uint64_t group, struct rj_bytes key, uint8_t ret[RJ_STORED_KEY_MAX]);

/* Bytes that r takes in LMDB as a value. */
size_t rj_stored_size(const struct rj_stored *r);

/* Writes kind, rest, value, child of r with their checksum as the value of that LMDB key
 * to room (rj_stored_size(r) bytes). */
void rj_stored_write(const struct rj_stored *r, struct rj_bytes lmdb_key, uint8_t *room);

/* True iff stored is what was written under that LMDB key, so the checksum says. */
bool rj_stored_intact(struct rj_bytes lmdb_key, struct rj_bytes stored);

/* Reads a record. RJ_ECORRUPT: the checksum or the form is wrong. */
RJ_NODISCARD enum rj_err rj_stored_read(struct rj_bytes lmdb_key, struct rj_bytes stored,
                                        struct rj_stored *ret);

/* XXH3-64 over the length of key (two bytes, big-endian), key, body. */
uint64_t rj_stored_checksum(struct rj_bytes key, struct rj_bytes body);

/* The store's format record under its key rj_stored_format_key. */
enum { RJ_STORED_MAKER_MAX = 24, RJ_STORED_FORMAT_SIZE = 20 + RJ_STORED_MAKER_MAX };
struct rj_stored_format {
    uint32_t number;
    char maker[RJ_STORED_MAKER_MAX + 1]; /* version of rejoin that wrote it, or "" */
};
struct rj_bytes rj_stored_format_key(void);
void rj_stored_format_write(const struct rj_stored_format *format,
                            uint8_t ret[RJ_STORED_FORMAT_SIZE]);
/* RJ_ECORRUPT, or RJ_OK and what it says, which may be of another format. */
RJ_NODISCARD enum rj_err rj_stored_format_read(struct rj_bytes stored,
                                               struct rj_stored_format *ret_format);

/* "17 bytes 0012ab…" for messages; text has room for RJ_STORED_TEXT bytes. */
enum { RJ_STORED_TEXT = 64 };
void rj_stored_key_text(struct rj_bytes key, char text[RJ_STORED_TEXT]);

#endif
