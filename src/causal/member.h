/* SPDX-License-Identifier: Apache-2.0 */
/* Membership of a space (R8): who may do what, as a function of the set of membership
 * records. A record is the body of a batch of class MEMBER, an ordinary write under the
 * same vector. A device's role at a vector is that of its greatest (stamp, dot) record
 * among those that the vector has; what was once written with a right stays valid.
 * A close ends a device's rights until a role record lifts it, which names it (R6). */
#ifndef RJ_CAUSAL_MEMBER_H
#define RJ_CAUSAL_MEMBER_H

#include "base/buf.h"
#include "base/reader.h"
#include "causal/origin.h"

#include <rejoin/node.h>

enum {
    RJ_DEVICES_MAX = 4096,         /* devices of one space, closed ones included */
    RJ_MEMBER_RECORDS_MAX = 65536, /* role records of one space */
    RJ_LIFTS_MAX = 64,             /* closes that one role record lifts */
    RJ_GENESIS_FORMAT = 1,
    RJ_GENESIS_FORMAT_POLICY = 2 /* of a bucket with a policy other than MERGE */
};

enum rj_record_kind {
    RJ_RECORD_OPEN = 1, /* a new incarnation (R1) */
    RJ_RECORD_ROLE = 2, /* gives a device a role */
    RJ_RECORD_CLOSE = 3 /* closes a device */
};

/* The dot of a close record, as a role record names it. */
struct rj_lift {
    struct rj_origin_id origin;
    uint64_t seq;
};

/* One membership record; fields that its kind lacks are zero. */
struct rj_record {
    enum rj_record_kind kind;
    struct rj_digest device;
    uint8_t pubkey[RJ_PUBKEY_LEN]; /* OPEN, ROLE */
    uint64_t incarnation;          /* OPEN */
    struct rj_origin_id replaces;  /* OPEN: the device's former origin, or zero */
    struct rj_bytes name;          /* ROLE: for people */
    enum rj_role role;             /* ROLE */
    struct rj_bytes lifts;         /* ROLE: n_lifts closes, as rj_lifts_put wrote them */
    size_t n_lifts;                /* at most RJ_LIFTS_MAX, ascending, none twice */
};

/* Order of lifts in a record: by origin, then sequence. */
int rj_lift_compare(const struct rj_lift *a, const struct rj_lift *b);
void rj_lifts_put(struct rj_buf *b, const struct rj_lift *lift);
/* The next of a record's lifts; false at the end. */
bool rj_lifts_next(struct rj_reader *r, struct rj_lift *ret);

void rj_record_put(struct rj_buf *b, const struct rj_record *r);
/* Decodes exactly body, borrowed; a device id must be the hash of its key. RJ_ECORRUPT,
 * RJ_EUPGRADE: a kind that this version does not know. */
RJ_NODISCARD enum rj_err rj_record_get(struct rj_bytes body, struct rj_env *env,
                                       struct rj_record *ret);

/* True iff name may name a space: 1..RJ_NAME_MAX bytes of [A-Za-z0-9._-]. Others tell
 * such names too, and people type them. */
bool rj_space_name_is_valid(struct rj_bytes name);

/* The genesis record: makes the space; its SHA-256 is the space id. */
struct rj_genesis {
    enum rj_kind_id kind;
    enum rj_policy policy;
    uint8_t creator_key[RJ_PUBKEY_LEN];
    struct rj_bytes creator_name;
    struct rj_bytes name; /* suggested to who joins; rj_space_name_is_valid */
    uint8_t nonce[16];
    uint64_t created_ms;
};
void rj_genesis_put(struct rj_buf *b, const struct rj_genesis *g);
/* Decodes exactly raw, borrowed. RJ_ECORRUPT (also: no name of a space); RJ_EVERSION:
 * another format, whatever follows its number; RJ_EUPGRADE: a kind of space or a policy
 * that this version does not know. */
RJ_NODISCARD enum rj_err rj_genesis_get(struct rj_bytes raw, struct rj_genesis *ret);

struct rj_role_record {
    struct rj_dot dot; /* seq 0: the genesis */
    uint64_t stamp;
    enum rj_role role; /* NONE: closed */
    bool close;
    struct rj_origin_id author; /* of a close: the id of dot.origin */
};

/* A close of a device that a role record lifts. Either may come first. */
struct rj_lifted {
    struct rj_lift close;
    struct rj_dot by;
};

struct rj_device {
    struct rj_digest id;
    uint8_t pubkey[RJ_PUBKEY_LEN];
    char name[RJ_NAME_MAX + 1];
    struct rj_dot named; /* the record that the name is of; seq 0: the genesis, or none */
    uint64_t named_stamp;
    uint32_t rank;   /* distance from the genesis key */
    uint32_t active; /* its newest incarnation, RJ_ORIGIN_NONE: none yet */
    bool closed;     /* by all records known */
    struct rj_role_record *records;
    size_t n_records, cap_records;
    struct rj_lifted *lifted;
    size_t n_lifted;
};

/* Zero-initialise. */
struct rj_members {
    struct rj_device *items;
    size_t n, cap;
    size_t records;
};

/* NULL when unknown. Borrowed until the next add. */
struct rj_device *rj_members_find(const struct rj_members *m, const struct rj_digest *id);
/* Adds a device without any role, or finds it. RJ_ELIMIT, RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_members_add(struct rj_members *m, const struct rj_digest *id,
                                        const uint8_t pubkey[RJ_PUBKEY_LEN],
                                        struct rj_device **ret);
/* Notes a role or close record; again is harmless. RJ_ELIMIT, RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_members_note(struct rj_members *m, struct rj_device *d,
                                         const struct rj_role_record *r);
/* Notes that the role record `by` lifts the close record `close` of d. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_members_lift(struct rj_device *d, const struct rj_lift *close,
                                         struct rj_dot by);
/* True iff r, a close record of d, is lifted by a role record that vv has (NULL: any). */
bool rj_members_is_lifted(const struct rj_device *d, const struct rj_role_record *r,
                          const struct rj_vv *vv);
/* True iff a role or close record with this dot was noted, of whatever device. */
bool rj_members_have(const struct rj_members *m, struct rj_dot dot);
/* Gives the device the name that a role record (dot, stamp) tells, unless the name that
 * it has is of a greater (stamp, dot): all nodes that have the same records show one
 * name. An empty name says nothing; name is at most RJ_NAME_MAX bytes. */
void rj_members_name(struct rj_device *d, const struct rj_origins *origins,
                     const struct rj_role_record *r, struct rj_bytes name);
/* The role of a device in the past that vv describes (NULL: by all records known): that
 * of its greatest (stamp, dot) role record there, the genesis being the least; none while
 * a close is among them that none of them lifts. */
enum rj_role rj_members_role(const struct rj_device *d, const struct rj_origins *origins,
                             const struct rj_vv *vv);
/* Whether device a outranks device b in the past that vv describes (R8): is fewer steps
 * from the genesis key. A device that nobody gave a role there has the lowest rank.
 * RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_members_outrank(const struct rj_members *m,
                                            const struct rj_origins *origins,
                                            const struct rj_vv *vv,
                                            const struct rj_device *const pair[2],
                                            bool *ret);
void rj_members_done(struct rj_members *m);

#endif
