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
 * a time.
 *
 * Errors. Every call may also give RJ_ENOMEM and RJ_EINVAL (a call that the type does not
 * know, NULL where something must be). A call that fails changes nothing (but see
 * rj_crdt_join for lists and texts when memory ends). Encoded bytes are never trusted:
 * malformed or truncated ones are RJ_ECORRUPT, and so are contradictory ones when they
 * are joined; ones beyond a limit below are RJ_ELIMIT, another format RJ_EVERSION,
 * another fingerprint RJ_EUPGRADE.
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
    RJ_CRDT_KEYS_MAX = 65536,             /* keys that one change may name */
    RJ_CRDT_DIGEST_LEN = 32               /* bytes of a digest of a value */
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

/* ---- making, freeing */

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
    /* In the caller's unit of time, for this library reads no clock: for how long rows
     * live, and for how long removals are kept (rj_crdt_forget). 0: for ever. */
    uint64_t ttl, horizon;
    /* Number of a validation rule that all share. Not 0: opts.judge is that rule, and
     * what others send is judged too. Not for lists and texts. */
    uint64_t check;
    /* Values of registers and maps that are longer are told by digest (opts.digest, the
     * same for all), their bytes on demand: rj_crdt_missing. 0: none are. */
    uint64_t lazy_bytes;
};

struct rj_crdt_op;
struct rj_crdt_row;

/* Judges a change before it is made. v is as it was; must not change it. Anything but
 * RJ_OK refuses the change (the call returns it). */
typedef enum rj_err rj_crdt_check_fn(void *user, const struct rj_crdt *v,
                                     const struct rj_crdt_op *op);

/* Judges a row by what it says alone, else replicas that share the rule would come to
 * differ; so a value that is told by digest is missing there. False: it is refused. */
typedef bool rj_crdt_judge_fn(void *user, const struct rj_crdt_row *row);

/* The digest of bytes that come from others: one that nobody can find two values for
 * (SHA-256), or liars can give some replicas other bytes than others. */
typedef void rj_crdt_digest_fn(void *user, struct rj_bytes bytes,
                               uint8_t ret_digest[RJ_CRDT_DIGEST_LEN]);

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
    rj_crdt_check_fn *check;           /* NULL: no change is refused */
    rj_crdt_judge_fn *judge;   /* NULL: no row is refused. Rows of own changes are judged
                                  always (RJ_EDENIED), received ones if rules.check is not
                                  0: then a refused one counts as seen and is not kept */
    rj_crdt_digest_fn *digest; /* needed with rules.lazy_bytes */
    void *user;                /* for check, judge and digest */
    struct rj_bytes secret;    /* borrowed for the call: 16 bytes or more that nobody else
                                  can know, lest somebody make keys that are slow to find.
                                  Empty: replica in its stead */
};

/* An empty value. RJ_EINVAL: unknown type or rule, a name longer than RJ_CRDT_NAME_MAX.
 * O(1). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_new(const struct rj_crdt_opts *opts,
                                            struct rj_crdt **ret_value);
/* NULL is accepted. O(n). */
RJ_API void rj_crdt_free(struct rj_crdt *v);
/* Another name from now on, for who takes a state over. RJ_EEXIST: that name has written
 * here already and the caller did not say that it is its own. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_rename(struct rj_crdt *v, struct rj_bytes replica,
                                               bool own);
RJ_API enum rj_crdt_type rj_crdt_type(const struct rj_crdt *v);
/* A copy under another name (empty: it only reads and joins) that shares memory with v:
 * what one of them changes it copies then, some 64 KiB at a time; neither sees what the
 * other does. The hook and the clock are v's. RJ_EEXIST: the name is v's, or has written
 * here. O(s + n / 100); lists and texts are copied: O(n). v is used by this call and by
 * the fork as by one thread. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_fork(const struct rj_crdt *v,
                                             struct rj_bytes replica,
                                             struct rj_crdt **ret_value);

/* ---- changing */

enum rj_crdt_code {
    RJ_CRDT_ADD = 1, /* sets: keys; lwwset: stamp too; orset_tagged: tag too */
    RJ_CRDT_REMOVE, /* the same; ourset: keys[0], value, stamp; maps: the keys, or (ormap,
                       at 0) path itself */
    RJ_CRDT_CLEAR,  /* all that this replica has seen of it */
    RJ_CRDT_INC,    /* counters: amount; vv, causal_context: of keys[0] the next */
    RJ_CRDT_DEC,
    RJ_CRDT_MOVE, /* bcounter: amount to replica keys[0] */
    RJ_CRDT_RESET,
    RJ_CRDT_SET,     /* registers: value, stamp; list: keys[0] replaces what is at pos */
    RJ_CRDT_RESOLVE, /* mvreg: the greatest value alone stays */
    RJ_CRDT_PUT,     /* lwwmap, ourset: keys[0], value, stamp */
    RJ_CRDT_ENABLE,
    RJ_CRDT_DISABLE,
    RJ_CRDT_INSERT, /* list: each of keys is an element; text: value; at pos */
    RJ_CRDT_DELETE, /* list, text: count from pos */
    RJ_CRDT_NOTE,   /* causal_context: dot (keys[0], amount) */
    RJ_CRDT_CODE_END
};

#define RJ_CRDT_END UINT64_MAX /* list, text: the position behind the last element */

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
 * O(log n) a key; CLEAR and a path's REMOVE O(rows below); a list or text in an ormap
 * O(its elements, deleted ones too). Almeida, Shoker, Baquero 2018,
 * "Delta state replicated data types". */
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
    uint64_t refused; /* rows that the shared validation rule refused */
};

/* v := v joined with other, a value of the same type and rules (RJ_EUPGRADE; RJ_ETYPE).
 * other is not changed. Associative, commutative, idempotent; never takes away what was
 * not seen. Rows are compared by dots: O(d) for a delta, O(d + n / 64) for a state. Of a
 * list or text O(d log n), and more than eight runs come in few at a time: where memory
 * (RJ_ENOMEM) or its 4 GiB (RJ_ELIMIT) end among them, those that are in stay in. The
 * value is as good as any, knows what it has, and takes the rest when it is joined again.
 */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_join(struct rj_crdt *v,
                                             const struct rj_crdt *other,
                                             struct rj_crdt_report *ret_report);
/* The same with an encoded value: state, delta, difference. Checked in full before
 * anything changes. It is read where it stands: beside what stays it takes memory for
 * names and spans alone, at most twice its size (and 96 KiB, and 8 bytes a name);
 * doc/crdt.md says which few cost more. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_join_bytes(struct rj_crdt *v,
                                                   struct rj_bytes bytes,
                                                   struct rj_crdt_report *ret_report);
/* True iff they hold the same rows and have seen the same (not only: show the same).
 * O((n + s) log n). */
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
/* ---- what the other lacks */

/* What v has seen: fingerprint and causal context, O(s) bytes; of rows with many holes
 * also sums, 2 KB at most, by which others find where they agree. O(s + n / 64), with
 * sums O(s + n). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_digest(const struct rj_crdt *v,
                                               struct rj_crdt_buf *ret_digest);
/* The delta that the maker of digest lacks, no row more: rows whose dots it has not seen,
 * and the dots that it may hold and that are gone here. Another who joins it may go on
 * with some of what is gone until it asks for its own. O(s + n log n). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_diff(const struct rj_crdt *v,
                                             struct rj_bytes digest,
                                             struct rj_crdt_buf *ret_delta);
/* Scoped: the reply to a delta that was just joined: at the places that it names, the
 * rows that won against what it said, and nothing of other places. O(d log n). (Ivanov
 * 2016, "CRDTs in NavCloud": scoped diff.) */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_diff_scoped(const struct rj_crdt *v,
                                                    struct rj_bytes received,
                                                    struct rj_crdt_buf *ret_delta);
/* What v has seen, for RJ_CRDT_CAUSED: the causal context, and of counters the sums, for
 * what a reset takes away of them is a sum. O(n). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_context(const struct rj_crdt *v,
                                                struct rj_crdt_buf *ret_context);

/* ---- parts */

/* Where rj_crdt_part goes on. Zero-initialise. */
struct rj_crdt_cursor {
    uint64_t seq;
    uint32_t replica;
    size_t held;
};

/* The parts of which v is the join, one a call, each a delta: a row; the dots between two
 * rows, which say what is gone; a run of a list or text; a removal that waits. No two say
 * the same. RJ_ENOENT: no more. RJ_ECLOSED: v has a horizon or heirs, which say something
 * of all rows. v must not change meanwhile. O(r + log n) each. (Enes et al. 2019,
 * "Efficient synchronization of state-based CRDTs": join decomposition.) */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_part(const struct rj_crdt *v,
                                             struct rj_crdt_cursor *cursor,
                                             struct rj_crdt_buf *ret_delta);

/* ---- reconciling without shared metadata */

/* Two values whose contexts say nothing of each other (made apart of the same things, or
 * anew from a store that kept no contexts) find out what either has alone, by keyed
 * hashes of what their rows say, never by dots. What a row has that stands for its
 * replica, as a counter's do, counts as the same only if it is the same row. Not for
 * lists and texts, whose elements are what their dots are, nor for vv and causal_context
 * (RJ_EINVAL), nor once a removal was forgotten or somebody retired (RJ_ECLOSED): what is
 * made of that is known by dots alone.
 *
 * The outcome is the union. That one side has removed what the other has cannot be told
 * from never having had it: it comes back, unless the context of who removed it has the
 * other's very dot. Where the two share nothing, all rows get new dots in the end, the
 * same on both sides, so that they share a context from then on and digests work; others
 * who have copies get these too. */
struct rj_crdt_recon;

enum rj_crdt_method {
    RJ_CRDT_AUTO,   /* whatever costs the fewest bytes, by an estimate of how much differs
                       (9 %): contexts, if they do say something; symbols; a list of all */
    RJ_CRDT_RANGE,  /* sums over ranges, split where they differ: some 130 B a difference
                     */
    RJ_CRDT_SYMBOLS /* coded symbols: 12 B a difference */
};

/* One side of one reconciliation. v is borrowed and must not change until it is freed.
 * key: both sides' and nobody else's, 16 bytes or more. The method is the choice of the
 * side that begins. About 40 bytes a row. O(n log n). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_recon_new(const struct rj_crdt *v,
                                                  enum rj_crdt_method method,
                                                  struct rj_bytes key,
                                                  struct rj_crdt_recon **ret_recon);
RJ_API void rj_crdt_recon_free(struct rj_crdt_recon *r);
/* One turn. in: what the other side wrote (empty: this side begins). ret_out: what goes
 * there; empty: nothing. *ret_done: this side has all, and ret_delta holds what came in,
 * to be joined with v (or elsewhere) when r is freed; ret_out may still have to go. Equal
 * values: one message each way, less than 64 bytes together. Else two each way and a last
 * one, sometimes more; some 50 at the very most.
 * RJ_EPROTO: in is no answer to what was said; after an error r is only good to be freed.
 * O(n log d) and what is in the message. (Yang, Gilad, Alizadeh 2024, "Practical rateless
 * set reconciliation"; Meyer 2023, "Range-based set reconciliation".) */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_recon_turn(struct rj_crdt_recon *r,
                                                   struct rj_bytes in,
                                                   struct rj_crdt_buf *ret_out,
                                                   struct rj_crdt_buf *ret_delta,
                                                   bool *ret_done);

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

/* Counters. RJ_ERANGE: the sum leaves int64. O(r log n). */
RJ_NODISCARD RJ_API enum rj_err
rj_crdt_int(const struct rj_crdt *v, const struct rj_crdt_where *where, int64_t *ret_sum);
/* bcounter: what replica `who` may still take away. O(r). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_rights(const struct rj_crdt *v,
                                               struct rj_bytes who, int64_t *ret_rights);
/* Flags. O(log n). */
RJ_NODISCARD RJ_API enum rj_err
rj_crdt_flag(const struct rj_crdt *v, const struct rj_crdt_where *where, bool *ret_on);
/* Sets and maps: key is in it. O(log n). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_contains(const struct rj_crdt *v,
                                                 const struct rj_crdt_where *where,
                                                 struct rj_bytes key, bool *ret_is);
/* Elements, keys, characters; of lists and texts of their own in O(1). O(rows there). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_count(const struct rj_crdt *v,
                                              const struct rj_crdt_where *where,
                                              uint64_t *ret_n);

/* What a type keeps, row by row, hidden rows too (removals, versions that lost). */
struct rj_crdt_row {
    struct rj_bytes path;    /* ormap: the keys down to it, each a CBOR byte string */
    enum rj_crdt_type at;    /* ormap: the type that stands there */
    struct rj_bytes key;     /* element, key, identity */
    struct rj_bytes value;   /* empty if the type has none, or it is missing */
    uint64_t length;         /* of the value */
    bool missing;            /* the value is known by its digest only */
    struct rj_bytes tag;     /* orset_tagged */
    struct rj_bytes replica; /* who wrote it: with seq the dot */
    uint64_t seq;
    uint64_t stamp;
    int64_t amount; /* counters */
    bool removed;   /* the row says that key is not there */
};

/* Walks the rows, those of one key together. *cursor begins at 0; RJ_ENOENT: no
 * more. Borrowed until v changes. O(log n) each. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_next(const struct rj_crdt *v, uint64_t *cursor,
                                             struct rj_crdt_row *ret_row);
/* What was seen (of vv: the value): v before, after, equal, concurrent. RJ_ETYPE. O(s log
 * s). */
enum rj_crdt_order { RJ_CRDT_BEFORE, RJ_CRDT_AFTER, RJ_CRDT_EQUAL, RJ_CRDT_CONCURRENT };
RJ_NODISCARD RJ_API enum rj_err rj_crdt_compare(const struct rj_crdt *v,
                                                const struct rj_crdt *other,
                                                enum rj_crdt_order *ret_order);
/* Dot (replica, seq) is in v's context (of vv and causal_context: in the value). O(log
 * s). */
RJ_API bool rj_crdt_has_seen(const struct rj_crdt *v, struct rj_bytes replica,
                             uint64_t seq);

/* ---- observing */

/* From now on v notes what its changes and joins do to what it shows (on), or no more.
 * A value that is watched pays for it: O(rows of the place) a place that is touched. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_watch(struct rj_crdt *v, bool on);
/* The next thing noted, as JSON:
 *
 *   {"path": [...], "old": ..., "new": ...}
 *   {"path": [], "pos": 5, "deleted": 2, "inserted": "abc"}     lists (an array), texts
 *
 * path: of a set the element (old and new: true or false), of a map its key (null: not
 * there), in an ormap the keys down to a leaf, else empty: the whole value. Shorter paths
 * come first; an object goes with its last key. The splices of a sequence are done one
 * after another. It is asked for, nothing calls back, so an observer may change v at
 * once. One entry a place however often it changed. RJ_ENOENT: nothing more. O(rows of
 * the place); of a sequence O(runs), once for all its splices. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_patch(struct rj_crdt *v,
                                              struct rj_crdt_buf *ret_json);

/* ---- forgetting */

/* Moves the horizon, of values whose rules have one (RJ_EINVAL), to what v and the makers
 * of all n digests have seen: removals in it are forgotten, and what loses against them
 * goes. Given the latest digest of every other replica, nobody can miss anything. Given a
 * digest that v itself made rules.horizon ago, whoever was away for longer is refused
 * from then on: rj_crdt_diff against its digest and joins with it give RJ_ECLOSED, and
 * so do joins of its own with what it is sent. Then it takes a whole state
 * (rj_crdt_encode); where that is refused as well, it must be re-based.
 *
 * What is forgotten is decided: it does not return, whatever the clocks say, but may be
 * added anew. A delta made before its maker had the horizon is refused too; the next
 * difference brings what is in it. Values move their horizons independently; states
 * (not always differences) with different ones join. Lists, texts, version vectors keep
 * no removals. Rows past rules.ttl go by an RJ_CRDT_CLEAR or RJ_CRDT_REMOVE on behalf of
 * the reader that v was then: RJ_CRDT_CAUSED with its context of that time. O(n log n).
 * (Baquero, Almeida, Shoker 2017, "Pure operation-based CRDTs": causal stability; Ivanov
 * 2016, "CRDTs in NavCloud".) */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_forget(struct rj_crdt *v,
                                               const struct rj_bytes *digests, size_t n,
                                               struct rj_crdt_buf *ret_delta);

/* v := other, a whole state, and on top of it, written anew under a new name, what v
 * alone had done: rows of its own that other has not seen, and the removal of what v had
 * seen go. What others had done comes from them. The old name retires in favour of the
 * new one. For who was refused with RJ_ECLOSED; not for lists and texts, which never are.
 * RJ_EINVAL: v is not older than other's horizon (so it is other that must be re-based).
 * RJ_EEXIST: somebody has written under that name. O((n + d) log n). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_rebase(struct rj_crdt *v,
                                               const struct rj_crdt *other,
                                               struct rj_bytes new_replica);
/* Replica `name` will never write again (v itself: RJ_ECLOSED from then on), and `heir`
 * takes over what it had: its rights, and so all that a bcounter lets only it take away.
 * Its counts go on counting under its name, also those that come late. Idempotent; two
 * who name different heirs agree on the lesser name (and if both spent the rights until
 * they met, a bcounter shows 0 until that is made good). RJ_EINVAL: heir has retired in
 * favour of name. In lists and texts it travels with what is sent, but no digest tells of
 * it. O(log r). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_retire(struct rj_crdt *v, struct rj_bytes name,
                                               struct rj_bytes heir,
                                               struct rj_crdt_buf *ret_delta);

/* ---- values on demand */

/* The next row whose value v has by digest only (rules.lazy_bytes); RJ_ENOENT: none. As
 * rj_crdt_next, which elsewhere gives the bytes that were asked for. JSON has null
 * instead. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_missing(const struct rj_crdt *v, uint64_t *cursor,
                                                struct rj_crdt_row *ret_row);
/* Brings the value of row (replica, seq). RJ_ECORRUPT: that is not what the digest says.
 * RJ_ENOENT: it is not (any more) missing. Encoded values never hold such bytes: who
 * decodes one asks again, or brings what it has kept. O(log n), now and then O(n). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_supply(struct rj_crdt *v, struct rj_bytes replica,
                                               uint64_t seq, struct rj_bytes value);

/* ---- loop guard */

/* One for each peer. Two sides that keep exchanging a row without coming to rest are a
 * defect (of a peer, of a relay): the guard names it. It remembers about a thousand rows:
 * enough to find one of those that go round. */
struct rj_crdt_guard;
/* allocator: as in rj_crdt_opts. */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_guard_new(const struct rj_allocator *allocator,
                                                  unsigned most,
                                                  struct rj_crdt_guard **ret_guard);
RJ_API void rj_crdt_guard_free(struct rj_crdt_guard *g); /* NULL is accepted */
/* Tells of a delta of a value like v that is about to go out (sent) or came in.
 * RJ_EPROTO: some row has turned round more than `most` times under one dot; *ret_row
 * names it (of sequences a run, by its dot), borrowed until the next call. O(d log d). */
RJ_NODISCARD RJ_API enum rj_err rj_crdt_guard_note(struct rj_crdt_guard *g,
                                                   const struct rj_crdt *v,
                                                   struct rj_bytes delta, bool sent,
                                                   struct rj_crdt_row *ret_row);

#ifdef __cplusplus
}
#endif
#endif
