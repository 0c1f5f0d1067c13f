/* SPDX-License-Identifier: Apache-2.0 */
/* The data calls of a bucket: keys that hold strings (last-writer-wins register or
 * counter), sets and hashes, all of which merge by themselves. The handle comes from
 * rj_space_bucket() and is borrowed until the next rj_node_step(); it carries the time of
 * that moment, so that expired values are hidden. Calls are not thread-safe. What they
 * are given is copied where it is kept; what they return is borrowed as each one says.
 *
 * A write takes effect at once on this node and travels in the next batch. Every write
 * call can also fail with RJ_ENOMEM; with RJ_ELIMIT (key, value, or the call with the
 * atomic group around it, too large); with RJ_EBUSY (the pending batch is full: call
 * rj_node_step with RJ_EV_FLUSH, then again); and with what makes the space refuse local
 * writes at the moment (RJ_EDENIED, RJ_ECLOSED, RJ_EFULL, RJ_EJOINING, see
 * rj_space_info.refuse). A failed call changes nothing, also not what it would return.
 * A call that meets another type gives RJ_ETYPE; set and del take any. Reads that find
 * nothing give RJ_ENOENT where nothing else is said; they too can fail with RJ_ENOMEM. */
#ifndef REJOIN_BUCKET_H
#define REJOIN_BUCKET_H

#include <rejoin/bytes.h>
#include <rejoin/error.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RJ_KEY_MAX = 64 * 1024,          /* bytes of a key, an element, a field */
    RJ_VALUE_MAX = 16 * 1024 * 1024, /* bytes of a value */
    /* Bytes of all elements and fields of a key, about 50 counted for each beside name
     * and value: a key that holds so much takes no more (RJ_ELIMIT), it only gives. */
    RJ_KEY_BYTES_MAX = 256 * 1024 * 1024
};

enum rj_type { RJ_TYPE_NONE, RJ_TYPE_STRING, RJ_TYPE_SET, RJ_TYPE_HASH };

struct rj_bucket;

/* Deadlines are wall-clock milliseconds since 1970; 0 = never expires. */
enum rj_ttl { RJ_TTL_CLEAR, RJ_TTL_KEEP, RJ_TTL_AT };

struct rj_set_opts {
    enum rj_ttl ttl;      /* CLEAR (default): no expiry; KEEP: as the key has it; AT */
    uint64_t deadline_ms; /* for AT */
};

/* The shown type; RJ_TYPE_NONE when the key does not exist (or is expired). */
RJ_API enum rj_type rj_bucket_type(const struct rj_bucket *b, struct rj_bytes key);
/* Number of keys, expired ones that were not dropped yet included. O(1). */
RJ_API uint64_t rj_bucket_count(const struct rj_bucket *b);
/* The wall time that this handle works with, ms. */
RJ_API uint64_t rj_bucket_now(const struct rj_bucket *b);

/* ---- strings: last-writer-wins register, or counter */

/* The value, borrowed until the next call on b. A counter reads as its decimal digits.
 * RJ_ENOENT; RJ_ETYPE: a set or a hash. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_get(struct rj_bucket *b, struct rj_bytes key,
                                              struct rj_bytes *ret_value);
/* Sets key to value whatever it held; overwrites exactly what this node has seen.
 * opts NULL = defaults. A deadline that has passed deletes the key. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_set(struct rj_bucket *b, struct rj_bytes key,
                                              struct rj_bytes value,
                                              const struct rj_set_opts *opts);
/* Adds delta to a counter, or to a register that holds a decimal integer; a key that does
 * not exist counts as 0. *ret_value: the sum. RJ_ERANGE: not an integer, or the sum
 * leaves int64. RJ_ETYPE: a set or a hash. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_incr(struct rj_bucket *b, struct rj_bytes key,
                                               int64_t delta, int64_t *ret_value);

/* ---- any type */

/* Deletes what this node has seen of key, of whatever type; under RJ_POLICY_DELETE_WINS
 * also whatever others write to it without having seen this, even if there is no such key
 * here. *ret_existed: whether it was shown; no key is no error. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_del(struct rj_bucket *b, struct rj_bytes key,
                                              bool *ret_existed);
/* Gives the key a deadline (0 = removes it). The whole value travels with it, so a touch
 * beats an expiry elsewhere. RJ_ENOENT: no such key. A passed deadline deletes. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_expire(struct rj_bucket *b, struct rj_bytes key,
                                                 uint64_t deadline_ms);
/* The greatest deadline among what is shown; 0 when something shown never expires.
 * RJ_ENOENT. */
RJ_NODISCARD RJ_API enum rj_err
rj_bucket_deadline(struct rj_bucket *b, struct rj_bytes key, uint64_t *ret_deadline_ms);

/* Walks the keys in the order of their positions (a hash; the same order on all nodes of
 * the space). Start with *cursor = 0; it is 0 again at the end. At least one and about
 * count keys a call; keys present during the whole walk are returned exactly once.
 * *ret_keys is borrowed until the next call on b. RJ_ENOMEM: the cursor stays. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_scan(struct rj_bucket *b, uint64_t *cursor,
                                               size_t count,
                                               const struct rj_bytes **ret_keys,
                                               size_t *ret_n);

/* ---- sets: add wins over a concurrent remove */

/* Adds n elements. *ret_added: how many were not in the set. RJ_ETYPE: not a set. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_sadd(struct rj_bucket *b, struct rj_bytes key,
                                               const struct rj_bytes *elems, size_t n,
                                               uint64_t *ret_added);
/* Removes what this node has seen of n elements. *ret_removed: how many were in the set;
 * 0 for a key that does not exist. RJ_ETYPE. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_srem(struct rj_bucket *b, struct rj_bytes key,
                                               const struct rj_bytes *elems, size_t n,
                                               uint64_t *ret_removed);
/* Whether elem is in the set; false for a key that does not exist. RJ_ETYPE. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_sismember(struct rj_bucket *b,
                                                    struct rj_bytes key,
                                                    struct rj_bytes elem, bool *ret_is);
/* Number of elements that are shown; 0 for a key that does not exist. RJ_ETYPE. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_scard(struct rj_bucket *b, struct rj_bytes key,
                                                uint64_t *ret_n);

/* ---- hashes: each field is a register or a counter */

struct rj_pair {
    struct rj_bytes field, value;
};

/* Sets n fields, each as rj_bucket_set() would; a deadline of the hash stays. *ret_added:
 * how many were not there. RJ_ETYPE: not a hash. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_hset(struct rj_bucket *b, struct rj_bytes key,
                                               const struct rj_pair *pairs, size_t n,
                                               uint64_t *ret_added);
/* The value of a field, borrowed until the next call on b. RJ_ENOENT: no such key or
 * field; RJ_ETYPE. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_hget(struct rj_bucket *b, struct rj_bytes key,
                                               struct rj_bytes field,
                                               struct rj_bytes *ret_value);
/* Deletes what this node has seen of n fields. *ret_removed: how many were there; 0 for a
 * key that does not exist. RJ_ETYPE. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_hdel(struct rj_bucket *b, struct rj_bytes key,
                                               const struct rj_bytes *fields, size_t n,
                                               uint64_t *ret_removed);
/* rj_bucket_incr() of a field; a field that does not exist counts as 0. RJ_ETYPE,
 * RJ_ERANGE. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_hincr(struct rj_bucket *b, struct rj_bytes key,
                                                struct rj_bytes field, int64_t delta,
                                                int64_t *ret_value);
/* Number of fields that are shown; 0 for a key that does not exist. RJ_ETYPE. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_hlen(struct rj_bucket *b, struct rj_bytes key,
                                               uint64_t *ret_n);

/* Walks the elements of a set (value empty) or the fields of a hash in byte order.
 * after: the one returned last, or NULL to begin. RJ_ENOENT: the end, or no such key;
 * RJ_ETYPE: neither set nor hash. *ret is borrowed until the next call on b. */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_next(struct rj_bucket *b, struct rj_bytes key,
                                               const struct rj_bytes *after,
                                               struct rj_pair *ret);

/* A hint for who has many calls to make: one on key, or on what is called *name in it
 * (NULL: nothing), comes soon, after one on what was told of before. Asks for the memory
 * that they need. */
RJ_API void rj_bucket_fetch(struct rj_bucket *b, struct rj_bytes key,
                            const struct rj_bytes *name);

/* ---- changes that come from elsewhere */

enum rj_change {
    RJ_CHANGE_SET,
    RJ_CHANGE_INCR, /* of a key or, with field, of a field */
    RJ_CHANGE_DEL,
    RJ_CHANGE_SADD,
    RJ_CHANGE_SREM,
    RJ_CHANGE_HSET,
    RJ_CHANGE_HDEL,
    RJ_CHANGE_TIME,   /* of a counter: its deadline alone */
    RJ_CHANGE_TAKEN,  /* whatever it was: the state was taken over */
    RJ_CHANGE_EXPIRED /* it was due and is gone */
};

struct rj_bucket_change {
    enum rj_change what;
    struct rj_bytes key; /* borrowed for the call */
    bool field;
    bool expires;       /* with a deadline */
    enum rj_type shown; /* what the key shows now */
};

/* Told of what other nodes have written, and of what expires, key by key; not of the
 * writes of this node. Called in the midst of a step: it may not call anything of the
 * node or the bucket. Several changes of one sort in a row to one key are told once. */
struct rj_bucket_watch {
    void (*changed)(struct rj_bucket_watch *w, const struct rj_bucket_change *change);
};

/* Sets it, NULL: nobody; costs nothing then. Borrowed until the next call or the end of
 * the bucket. */
RJ_API void rj_bucket_watch(struct rj_bucket *b, struct rj_bucket_watch *watch);

/* ---- atomic groups */

/* Between begin and end all writes travel in one batch and are applied as one unit
 * everywhere. begin may fail with RJ_EBUSY when the pending batch must be cut first (call
 * rj_node_step with RJ_EV_FLUSH, then again), with RJ_EJOINING while the node takes
 * over the state: what a group overwrites must have been seen at one vector; and with
 * what the space refuses writes with. Never nested (RJ_EINVAL). No step between the two.
 */
RJ_NODISCARD RJ_API enum rj_err rj_bucket_begin(struct rj_bucket *b);
RJ_API void rj_bucket_end(struct rj_bucket *b);

#ifdef __cplusplus
}
#endif
#endif
