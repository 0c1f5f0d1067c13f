/* SPDX-License-Identifier: Apache-2.0 */
/* Convergent values. A value is changed on its own, at any replica, and joined with what
 * other replicas hold of it, in any order, as often as one likes: replicas that have
 * joined the same changes hold equal values.
 *
 * One struct for all types. What a replica sends is an encoded value: its whole state,
 * the delta that a change makes, or the difference against another's digest. rj_crdt_join
 * takes them alike; nothing tells a receiver which of them it was. doc/crdt.md has the
 * ideas and the format.
 *
 * The library does no input or output, starts no thread, reads no clock and no
 * randomness, and holds nothing outside the values. A value may be used by one thread at
 * a time; forks are values of their own but count as one here.
 *
 * Errors. Every call may also give RJ_ENOMEM and RJ_EINVAL (a call that the type does not
 * know, NULL where something must be). A call that fails changes nothing. Encoded bytes
 * are never trusted: malformed, truncated or contradictory ones are RJ_ECORRUPT, ones
 * beyond a limit below RJ_ELIMIT, another format RJ_EVERSION, another fingerprint
 * RJ_EUPGRADE.
 *
 * Growth. n: rows of the value (an element, an entry, a version, a run of text), d: rows
 * of the argument or of the difference, r: replicas that ever wrote, s: spans of dots (r,
 * and one more for each gap). */
#ifndef REJOIN_CRDT_H
#define REJOIN_CRDT_H

#include <rejoin/allocator.h>
#include <rejoin/bytes.h>
#include <rejoin/error.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RJ_CRDT_NAME_MAX = 255,               /* bytes of a replica's name */
    RJ_CRDT_KEY_MAX = 64 * 1024,          /* bytes of an element, a key, an identity */
    RJ_CRDT_VALUE_MAX = 16 * 1024 * 1024, /* bytes of what a register holds */
    RJ_CRDT_DEPTH_MAX = 12,               /* keys of a path */
    RJ_CRDT_REPLICAS_MAX = 65536,         /* names in one value */
    RJ_CRDT_SPANS_MAX = 1 << 24,          /* gaps that a context may have */
    RJ_CRDT_HELD_MAX = 65536,             /* removals that wait for what they remove */
    RJ_CRDT_KEYS_MAX = 65536              /* keys that one change may name */
};

/* The table of types: X(number on the wire, NAME, name, what one reads). A type is a line
 * here and a file src/crdt/type_NAME.c. */
#define RJ_CRDT_TYPES(X)                                                                 \
    X(1, GCOUNTER, gcounter)         /* integer; only grows */                           \
    X(2, PNCOUNTER, pncounter)       /* integer */                                       \
    X(3, RCOUNTER, rcounter)         /* integer; a reset takes exactly what it saw */    \
    X(4, BCOUNTER, bcounter)         /* integer >= 0; rights to take away */             \
    X(5, GSET, gset)                 /* set; only grows */                               \
    X(6, TWOPSET, twopset)           /* set; what was removed never returns */           \
    X(7, LWWSET, lwwset)             /* set; the later time wins, bias at equal times */ \
    X(8, ORSET_TAGGED, orset_tagged) /* set; the caller makes unique tags */             \
    X(9, ORSET, orset)               /* set; add wins; no tombstones */                  \
    X(10, RWORSET, rworset)          /* set; remove wins */                              \
    X(11, OURSET, ourset)            /* id -> value; time, flag, value decide */         \
    X(12, EWFLAG, ewflag)            /* flag; enable wins, starts false */               \
    X(13, DWFLAG, dwflag)            /* flag; disable wins, starts true */               \
    X(14, GFLAG, gflag)              /* flag; once true always true */                   \
    X(15, LWWREG, lwwreg)            /* bytes; the later time wins */                    \
    X(16, MVREG, mvreg)              /* all concurrent values */                         \
    X(17, LWWMAP, lwwmap)            /* key -> bytes; observed remove */                 \
    X(18, ORMAP, ormap)              /* key -> value of any type, also this one */       \
    X(19, LIST, list)                /* sequence of bytes (Fugue) */                     \
    X(20, TEXT, text)                /* sequence of characters (Fugue) */                \
    X(21, VV, vv)                    /* version vector */                                \
    X(22, CAUSAL_CONTEXT, causal_context) /* version vector and cloud of dots */

enum rj_crdt_type {
    RJ_CRDT_NONE = 0,
#define RJ_X(number, NAME, name) RJ_CRDT_##NAME = number,
    RJ_CRDT_TYPES(RJ_X)
#undef RJ_X
        RJ_CRDT_TYPE_END
};

/* The type called name ("orset"); RJ_CRDT_NONE: none, or not built in. */
RJ_API enum rj_crdt_type rj_crdt_type_of(const char *name);
/* Its name, static; NULL: not built in. */
RJ_API const char *rj_crdt_type_name(enum rj_crdt_type type);

struct rj_crdt;

/* Bytes that the library writes. Zero-initialise (and name an allocator if need be);
 * every call that is given one replaces what it holds and keeps the memory, so one buffer
 * serves any number of calls. */
struct rj_crdt_buf {
    uint8_t *ptr;
    size_t len, cap;
    const struct rj_allocator *allocator;
};

static inline struct rj_bytes rj_crdt_bytes(const struct rj_crdt_buf *b)
{
    struct rj_bytes view = {b->ptr, b->len};

    return view;
}

RJ_API void rj_crdt_buf_free(struct rj_crdt_buf *b);

/* ---- clocks */

/* Sources of time, the preferred ones first: what a server or a satellite says is taken
 * before what a device believes. */
enum rj_crdt_source { RJ_CRDT_SERVER, RJ_CRDT_GPS, RJ_CRDT_LOCAL, RJ_CRDT_SOURCES };

struct rj_crdt_clock {
    /* Reads one source, in the unit of the value's time stamps (ms by convention). False:
     * it is not known at the moment; the next source is asked. */
    bool (*read)(void *user, enum rj_crdt_source source, uint64_t *ret_time);
    void *user;
};

/* ---- making, forking, freeing */

/* Who decides at equal times. */
enum rj_crdt_bias { RJ_CRDT_BIAS_ADD, RJ_CRDT_BIAS_REMOVE };
enum rj_crdt_tie {
    RJ_CRDT_TIE_MAX_VALUE,
    RJ_CRDT_TIE_MIN_VALUE,
    RJ_CRDT_TIE_MIN_REPLICA
};

/* What all replicas of a value must have in common. Its digest is the merge fingerprint:
 * it stands in every encoded value and is compared before anything else. All zero: the
 * defaults. */
struct rj_crdt_rules {
    size_t size; /* sizeof(struct rj_crdt_rules), or 0: all defaults */
    enum rj_crdt_bias bias;
    enum rj_crdt_tie tie;
    uint64_t ttl;     /* rows go this long after they were written; 0: never */
    uint64_t horizon; /* tombstones are kept this long, and whoever was away for longer is
                         refused (RJ_ECLOSED); 0: for ever */
    uint64_t check; /* number of a validation rule that all share; 0: none. Then the hook
                       judges received rows as well as local writes */
};

struct rj_crdt_op;

/* Judges a change before it is made. v is as it was; must not change it. Anything but
 * RJ_OK refuses the change (the call returns it). */
typedef enum rj_err rj_crdt_check_fn(void *user, const struct rj_crdt *v,
                                     const struct rj_crdt_op *op);

struct rj_crdt_opts {
    size_t size; /* sizeof(struct rj_crdt_opts) */
    enum rj_crdt_type type;
    struct rj_bytes
        replica; /* own name, unique for ever: a copy of the state that goes on
                    elsewhere needs a new one. Empty: only reads and joins */
    struct rj_crdt_rules rules;
    const struct rj_allocator *allocator; /* borrowed, outlives the value; NULL: malloc */
    const struct rj_crdt_clock *clock; /* borrowed; NULL: ops with RJ_CRDT_NOW carry the
                                          reading themselves */
    rj_crdt_check_fn *check;           /* NULL: nothing is refused */
    void *user;                        /* for check */
    size_t lazy_bytes; /* payloads longer than this are encoded as length and digest
                          unless asked for; 0: never */
};

/* An empty value. RJ_EINVAL: unknown type or rule, a name longer than RJ_CRDT_NAME_MAX.
 * O(1). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_new(const struct rj_crdt_opts *opts,
                                            struct rj_crdt **ret_value);
/* NULL is accepted. O(n); of a fork O(what it does not share). */
RJ_API void rj_crdt_free(struct rj_crdt *v);
/* A copy under another name (empty: reads only) that shares rows with v until one of them
 * changes them. O(pages of v / 64) at once; the first change of a page copies it. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_fork(const struct rj_crdt *v,
                                             struct rj_bytes replica,
                                             struct rj_crdt **ret_value);
/* Another name from now on, for who takes a state over. RJ_EEXIST: that name has written
 * here already and the caller did not say that it is its own. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_rename(struct rj_crdt *v, struct rj_bytes replica,
                                               bool own);
RJ_API enum rj_crdt_type rj_crdt_type(const struct rj_crdt *v);

/* ---- changing */

enum rj_crdt_code {
    RJ_CRDT_ADD = 1, /* sets: keys */
    RJ_CRDT_REMOVE,  /* sets: keys; maps: the keys, or (ormap, none given) path itself */
    RJ_CRDT_CLEAR,   /* all that this replica has seen of it */
    RJ_CRDT_INC,     /* counters: amount; vv: keys[0] */
    RJ_CRDT_DEC,
    RJ_CRDT_MOVE, /* bcounter: amount to replica keys[0] */
    RJ_CRDT_RESET,
    RJ_CRDT_SET,     /* registers: value, stamp */
    RJ_CRDT_RESOLVE, /* mvreg: the greatest value alone stays */
    RJ_CRDT_PUT,     /* lwwmap, ourset: keys[0], value, stamp */
    RJ_CRDT_ENABLE,
    RJ_CRDT_DISABLE,
    RJ_CRDT_INSERT, /* list: each of keys is an element; text: value; at pos */
    RJ_CRDT_DELETE, /* list, text: count from pos */
    RJ_CRDT_NOTE,   /* causal_context: dot (keys[0], amount) */
    RJ_CRDT_CODE_END
};

enum {
    RJ_CRDT_NOW = 1,   /* stamp is a reading of a clock (or, if the value has a clock, is
                          not looked at): the change is stamped max(reading, own + 1) */
    RJ_CRDT_CAUSED = 2 /* context is given: see below */
};

/* One change. Only what its code names is looked at. All views are borrowed for the call.
 */
struct rj_crdt_op {
    size_t size; /* sizeof(struct rj_crdt_op) */
    enum rj_crdt_code code;
    unsigned flags;
    const struct rj_bytes *path; /* ormap: the keys down to what is changed */
    size_t n_path;
    enum rj_crdt_type at; /* ormap: its type (0: the key itself is removed) */
    const struct rj_bytes *keys;
    size_t n_keys;
    struct rj_bytes value;
    struct rj_bytes tag; /* orset_tagged */
    int64_t amount;
    uint64_t stamp, pos, count;
    /* RJ_CRDT_CAUSED: an encoded context (rj_crdt_context) of a reader on whose behalf it
     * removes: what that reader has seen goes, also what this replica has not received
     * yet, and nothing else. (Shapiro et al. 2011, 3.3.5; deferred removal of Riak.) */
    struct rj_bytes context;
};

/* Makes the change, and writes to ret_delta (NULL: not wanted, then nothing is encoded)
 * what other replicas must join to have it. A delta says all by itself: it may be lost,
 * late, twice or before others.
 * Refused: RJ_ERANGE (beyond int64, or beyond the rights of a bcounter), RJ_EINVAL (text
 * that is not UTF-8, a position behind the end, a negative amount where none can be, a
 * value without a name of its own), RJ_ELIMIT, RJ_ETYPE (a type that cannot stand in a
 * map), what the hook says. Removing what is not there is no error: an empty delta.
 * O(1) expected per key; CLEAR and a path's REMOVE O(rows below); INSERT, DELETE
 * O(log n + d). Almeida, Shoker, Baquero 2018, "Delta state replicated data types". */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_write(struct rj_crdt *v,
                                              const struct rj_crdt_op *op,
                                              struct rj_crdt_buf *ret_delta);

/* The commonest changes by name. */
static inline enum rj_err rj_crdt_key_op(struct rj_crdt *v, enum rj_crdt_code code,
                                         struct rj_bytes key,
                                         struct rj_crdt_buf *ret_delta)
{
    struct rj_crdt_op op = {sizeof(struct rj_crdt_op),
                            code,
                            0,
                            NULL,
                            0,
                            RJ_CRDT_NONE,
                            &key,
                            1,
                            {NULL, 0},
                            {NULL, 0},
                            0,
                            0,
                            0,
                            0,
                            {NULL, 0}};

    return rj_crdt_write(v, &op, ret_delta);
}

static inline enum rj_err rj_crdt_add(struct rj_crdt *v, struct rj_bytes element,
                                      struct rj_crdt_buf *ret_delta)
{
    return rj_crdt_key_op(v, RJ_CRDT_ADD, element, ret_delta);
}

static inline enum rj_err rj_crdt_remove(struct rj_crdt *v, struct rj_bytes element,
                                         struct rj_crdt_buf *ret_delta)
{
    return rj_crdt_key_op(v, RJ_CRDT_REMOVE, element, ret_delta);
}

/* ---- joining */

/* What a join did; all zero: nothing was new. */
struct rj_crdt_report {
    size_t size;      /* sizeof(struct rj_crdt_report) */
    uint64_t taken;   /* rows that came in */
    uint64_t dropped; /* rows that went */
    uint64_t known;   /* rows that were here already */
    uint64_t stale;   /* rows that had been here and are gone: the sender is behind */
    uint64_t refused; /* rows that the hook does not like (joined all the same, unless the
                         rules name a check) */
};

/* v := v joined with other, a value of the same type and rules (RJ_EUPGRADE; RJ_ETYPE).
 * other is not changed. Associative, commutative, idempotent; never takes away what was
 * not seen. Rows are compared by dots alone: O(d log n) for a delta; of two states,
 * ranges of dots that are equal are skipped 64 dots at a time: O(s + n / 64 + d). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_join(struct rj_crdt *v,
                                             const struct rj_crdt *other,
                                             struct rj_crdt_report *ret_report);
/* The same with an encoded value: state, delta, difference. Checked in full before
 * anything changes; beyond what stays in v it takes at most twice the bytes' memory. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_join_bytes(struct rj_crdt *v,
                                                   struct rj_bytes bytes,
                                                   struct rj_crdt_report *ret_report);
/* True iff they hold the same rows and have seen the same (not only: show the same). */
RJ_API bool rj_crdt_equal(const struct rj_crdt *a, const struct rj_crdt *b);

/* ---- encoding */

/* The whole state. Equal values have equal bytes. O(n). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_encode(const struct rj_crdt *v,
                                               struct rj_crdt_buf *ret_bytes);
/* A value from its bytes; type and rules are those of opts (RJ_EUPGRADE). O(n). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_decode(const struct rj_crdt_opts *opts,
                                               struct rj_bytes bytes,
                                               struct rj_crdt **ret_value);
/* The join of encoded values, without a value: for who relays or batches deltas. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_join_deltas(const struct rj_crdt_opts *opts,
                                                    const struct rj_bytes *deltas,
                                                    size_t n,
                                                    struct rj_crdt_buf *ret_bytes);
/* The smallest parts of which v is the join, one a call, in the order of dots. *cursor
 * begins at 0. RJ_ENOENT: no more. O(1) each. (Enes et al. 2019, "Efficient
 * synchronization of state-based CRDTs", join-irreducible decomposition.) */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_part(const struct rj_crdt *v, uint64_t *cursor,
                                             struct rj_crdt_buf *ret_delta);

/* ---- what the other lacks */

/* What v has seen: fingerprint and causal context, O(s) bytes. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_digest(const struct rj_crdt *v,
                                               struct rj_crdt_buf *ret_digest);
/* The delta that the maker of digest lacks, no row more: rows whose dots it has not seen,
 * and the dots that it may hold and that are gone here. RJ_ECLOSED: it has been away for
 * longer than the horizon; it must be re-based (rj_crdt_rebase). O(s + n / 64 + d). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_diff(const struct rj_crdt *v,
                                             struct rj_bytes digest,
                                             struct rj_crdt_buf *ret_delta);
/* Scoped: the reply to a delta that was just joined: at the places that it names, the
 * rows that won against what it said, and nothing of other places. O(d log n). (Ivanov
 * 2016, "CRDTs in NavCloud": scoped diff.) */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_diff_scoped(const struct rj_crdt *v,
                                                    struct rj_bytes received,
                                                    struct rj_crdt_buf *ret_delta);
/* v := other, and what only v had written since `base` (a digest that it once gave) under
 * v's new name: for who was refused with RJ_ECLOSED. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_rebase(struct rj_crdt *v,
                                               const struct rj_crdt *other,
                                               struct rj_bytes base,
                                               struct rj_bytes new_replica);

/* The causal context alone, for RJ_CRDT_CAUSED. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_context(const struct rj_crdt *v,
                                                struct rj_crdt_buf *ret_context);

/* ---- reading */

/* The value as JSON (UTF-8, keys in one order, one form): sets as arrays sorted by bytes,
 * maps as objects, counters as integers, a register as a string or null. Bytes that are
 * not UTF-8 appear as U+0080 to U+00FF. O(n log n). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_json(const struct rj_crdt *v,
                                             struct rj_crdt_buf *ret_json);

/* What is read in an ormap: path and type; elsewhere NULL. */
struct rj_crdt_where {
    const struct rj_bytes *path;
    size_t n_path;
    enum rj_crdt_type at;
};

/* Counters. RJ_ERANGE: the sum leaves int64. O(r). */
RJ_NODISCARD RJ_API enum rj_err
rj_crdt_int(const struct rj_crdt *v, const struct rj_crdt_where *where, int64_t *ret_sum);
/* bcounter: what replica `who` may still take away. O(r). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_rights(const struct rj_crdt *v,
                                               struct rj_bytes who, int64_t *ret_rights);
/* Flags. O(1). */
RJ_NODISCARD RJ_API enum rj_err
rj_crdt_flag(const struct rj_crdt *v, const struct rj_crdt_where *where, bool *ret_on);
/* Sets and maps: key is in it. O(1) expected. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_contains(const struct rj_crdt *v,
                                                 const struct rj_crdt_where *where,
                                                 struct rj_bytes key, bool *ret_is);
/* Elements, keys, characters. O(1); in an ormap O(rows of the place). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_count(const struct rj_crdt *v,
                                              const struct rj_crdt_where *where,
                                              uint64_t *ret_n);

/* What a type keeps, row by row, hidden rows too (removals, versions that lost). */
struct rj_crdt_row {
    struct rj_bytes path;    /* ormap: the keys down to it, each a CBOR byte string */
    enum rj_crdt_type at;    /* ormap: the type that stands there */
    struct rj_bytes key;     /* element, key, identity */
    struct rj_bytes value;   /* empty if the type has none, or not here (missing) */
    struct rj_bytes tag;     /* orset_tagged */
    struct rj_bytes replica; /* who wrote it: with seq the dot */
    uint64_t seq;
    uint64_t stamp;
    int64_t amount;  /* counters */
    bool removed;    /* the row says that key is not there */
    bool missing;    /* the payload was not sent (lazy): value is its digest */
    uint64_t length; /* of the payload */
};

/* Walks the rows, keys in byte order, then by dot. *cursor begins at 0; RJ_ENOENT: no
 * more. Borrowed until v changes. O(log n) each. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_next(const struct rj_crdt *v, uint64_t *cursor,
                                             struct rj_crdt_row *ret_row);
/* Version vectors: v before, after, equal, concurrent. O(r). */
enum rj_crdt_order { RJ_CRDT_BEFORE, RJ_CRDT_AFTER, RJ_CRDT_EQUAL, RJ_CRDT_CONCURRENT };
RJ_NODISCARD RJ_API enum rj_err rj_crdt_compare(const struct rj_crdt *v,
                                                const struct rj_crdt *other,
                                                enum rj_crdt_order *ret_order);
/* Dot (replica, seq) is in v's context (of vv and causal_context: in the value). O(log
 * s). */
RJ_API bool rj_crdt_has_seen(const struct rj_crdt *v, struct rj_bytes replica,
                             uint64_t seq);

/* ---- observing */

/* From now on v notes what its changes and joins do to what it shows (on), or no more. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_watch(struct rj_crdt *v, bool on);
/* The next thing noted: {"path": [...], "old": ..., "new": ...} as JSON. It is asked for,
 * nothing calls back, so an observer may change v at once. One entry a place however
 * often it changed. RJ_ENOENT: nothing more. O(rows of the place). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_patch(struct rj_crdt *v,
                                              struct rj_crdt_buf *ret_json);

/* ---- forgetting */

/* What may be forgotten. Both may be given. */
struct rj_crdt_forget {
    size_t size;            /* sizeof(struct rj_crdt_forget) */
    struct rj_bytes stable; /* a context that every replica has: removal rows, floors and
                               deleted runs of text that it covers go. Empty: none */
    uint64_t now; /* rows past their ttl go, and tombstones older than the horizon;
                     the horizon is noted, who is older is refused. 0: none */
};

/* O(n). Values that forget different things still join to equal values, provided `stable`
 * was told rightly. (Baquero, Almeida, Shoker 2017, "Pure operation-based CRDTs": causal
 * stability.) */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_forget(struct rj_crdt *v,
                                               const struct rj_crdt_forget *what,
                                               struct rj_crdt_buf *ret_delta);
/* Replica `name` will never write again and `heir` takes over what it had: its counts and
 * rights. Idempotent; two who name different heirs agree on the lesser name. Its dots
 * fold into one span when they have no gaps. RJ_EBUSY: there are gaps. O(rows of name).
 */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_retire(struct rj_crdt *v, struct rj_bytes name,
                                               struct rj_bytes heir,
                                               struct rj_crdt_buf *ret_delta);

/* ---- payload on demand */

/* A payload that v has only by digest: the next one; RJ_ENOENT: none. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_missing(const struct rj_crdt *v, uint64_t *cursor,
                                                struct rj_crdt_row *ret_row);
/* Brings it. RJ_ECORRUPT: that is not what the digest says. RJ_ENOENT: not (any more)
 * asked for. O(1). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_supply(struct rj_crdt *v, struct rj_bytes replica,
                                               uint64_t seq, struct rj_bytes value);

/* ---- loop guard */

/* One for each peer. Two sides that keep exchanging a row without coming to rest are a
 * defect (of a peer, of a rule that differs): the guard names it. */
struct rj_crdt_guard;
RJ_NODISCARD RJ_API enum rj_err rj_crdt_guard_new(const struct rj_allocator *allocator,
                                                  unsigned most,
                                                  struct rj_crdt_guard **ret_guard);
RJ_API void rj_crdt_guard_free(struct rj_crdt_guard *g);
/* Tells of a delta that is about to go out (sent) or came in. RJ_EPROTO: some row has
 * gone both ways more than `most` times without a new dot; *ret_row names it (key
 * borrowed from delta). O(d). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_guard_note(struct rj_crdt_guard *g,
                                                   struct rj_bytes delta, bool sent,
                                                   struct rj_crdt_row *ret_row);

/* ---- reconciling without shared metadata */

/* Two values that share no context (built apart from the same things, or whose contexts
 * were lost) compare their parts: a keyed hash of each (place, payload), never of dots.
 */
struct rj_crdt_recon;

enum rj_crdt_method {
    RJ_CRDT_AUTO,   /* by the estimated difference */
    RJ_CRDT_RANGE,  /* sums over ranges, split where they differ: O(d log(n / d)) bytes */
    RJ_CRDT_SYMBOLS /* rateless coded symbols: about 1.4 d of 24 bytes, any d */
};

/* v is borrowed and must not change until free. key: 16 bytes or more that both sides
 * share. O(n) once; the sums are kept with v. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_recon_new(const struct rj_crdt *v,
                                                  enum rj_crdt_method method,
                                                  struct rj_bytes key,
                                                  struct rj_crdt_recon **ret_recon);
RJ_API void rj_crdt_recon_free(struct rj_crdt_recon *r);
/* One turn. in: what the other side wrote (empty: this side begins). ret_out: what goes
 * there; empty: nothing. *ret_delta: the parts that came in, to be joined (as another
 * value may be). *ret_done: this side knows that both have all. Equal values: one message
 * each way, 64 bytes together. RJ_EPROTO: in is no answer to what was said.
 * (Yang et al. 2024, "Practical rateless set reconciliation"; Meyer 2023, "Range-based
 * set reconciliation".) */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_recon_turn(struct rj_crdt_recon *r,
                                                   struct rj_bytes in,
                                                   struct rj_crdt_buf *ret_out,
                                                   struct rj_crdt_buf *ret_delta,
                                                   bool *ret_done);

#ifdef __cplusplus
}
#endif
#endif
