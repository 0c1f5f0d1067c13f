/* SPDX-License-Identifier: Apache-2.0 */
/* A value: rows and one causal context. The whole of the theory is in three lines:
 *
 *   - a change makes a delta: new rows, each under a fresh dot, and the dots of the rows
 *     that it takes away; and joins it;
 *   - a join keeps a row iff it is on both sides, or only on one and its dot not in the
 *     other's context; the contexts are united;
 *   - a type may say that of the rows at one place only the greatest stays (`beats`), or
 *     of those of one replica the latest, which says all (`sums`).
 *
 * A type adds what its changes do to rows and how rows are read. */
#ifndef RJ_CRDT_VALUE_H
#define RJ_CRDT_VALUE_H

#include "base/buf.h"
#include "causal/dots.h"
#include "crdt/heirs.h"
#include "crdt/roster.h"
#include "crdt/rows.h"

#include <rejoin/crdt.h>

struct rj_type;
struct rj_elements;
struct rj_seq;
struct rj_seq_run;
struct rj_watch;

/* Runs of a sequence as bytes; views of a message. */
struct rj_seq_wire {
    struct rj_bytes heads, lives, content;
};

/* Rows as columns of a message; views of it. */
struct rj_row_columns {
    struct rj_bytes place_lens, payload_lens, places, payloads;
    struct rj_dots dots; /* of the rows */
};

/* A removal on behalf of a reader that had seen more: rows with those dots are dead when
 * they come, if they come to that place (under: or to one that begins with it). */
struct rj_held {
    uint8_t *place; /* owned */
    size_t len;
    bool under;
    struct rj_dots dots; /* none of them in the value's context */
};

static inline struct rj_bytes rj_held_place(const struct rj_held *h)
{
    return rj_bytes_of(h->place, h->len);
}

struct rj_crdt {
    const struct rj_type *type;
    struct rj_crdt_rules rules;
    const struct rj_allocator *allocator;
    const struct rj_crdt_clock *clock;
    rj_crdt_check_fn *check;
    rj_crdt_judge_fn *judge;
    rj_crdt_digest_fn *digest;
    void *user;
    struct rj_roster *names;
    uint32_t self; /* RJ_NAME_NONE: reads only */
    uint64_t fingerprint;
    struct rj_dots seen; /* the causal context */
    struct rj_rows rows;
    struct rj_crdt *scratch; /* the last delta, emptied; NULL: none */
    struct rj_held *held;    /* ascending by (place, under) */
    size_t n_held, cap_held;
    struct rj_dots horizon; /* whose removals are forgotten (crdt/forget.h) */
    struct rj_heirs heirs;  /* of who retired */
    bool relays;            /* deltas are joined here on their way to others */
    uint64_t made;          /* of a delta: dots that it gave out */
    bool took;              /* of a delta: it takes rows away */
    /* Of a list or text, instead of rows (crdt/seq.h). A delta borrows it, or has runs of
     * its own; what was decoded to be joined has only wire. */
    struct rj_seq *seq;
    const struct rj_seq_run *runs;
    size_t n_runs;
    struct rj_seq_wire wire;
    /* A view of a message (crdt/code.h) has its rows here, in the message. */
    bool is_view;
    struct rj_row_columns columns;
    struct rj_bytes held_told; /* held removals */
    size_t n_held_told;
    struct rj_watch *watch; /* NULL: nobody watches */
    struct rj_map blobs;    /* values that are not in rows (crdt/lazy.h) */
    size_t blobs_kept;      /* how many the last clearing left */
};

/* It has what few values have, and what nothing but a whole value tells. */
static inline bool rj_crdt_has_more(const struct rj_crdt *v)
{
    return v->horizon.n > 0 || v->heirs.n > 0;
}

/* A change under way, at one place of v. */
struct rj_site {
    const struct rj_crdt *v;
    struct rj_crdt *delta;
    const struct rj_crdt_op *op;
    struct rj_bytes prefix;       /* of its places; empty but in maps of maps */
    const struct rj_dots *caused; /* only these dots may go; NULL: all that v has */
    const struct rj_crdt *known;  /* a view of the context that they are from */
};

struct rj_type {
    enum rj_crdt_type number;
    const char *name;
    bool alone;  /* it cannot stand in a map */
    bool bare;   /* it has no rows: what was seen is the value */
    bool walks;  /* a change or a reading of one place looks for those beside it */
    bool sums;   /* the latest row of a replica at a place says all that its others say */
    bool valued; /* read says what value a row holds, as it was written */
    /* Adds to s->delta what s->op does. RJ_EINVAL: not one of its changes. */
    enum rj_err (*change)(const struct rj_site *s);
    /* Takes away what a row under s->prefix says, which replica wrote and s->v or a
     * reader has, by a row that says so: for rows that must not be taken away by their
     * dots. NULL: the rows go. */
    enum rj_err (*reset)(const struct rj_site *s, const struct rj_told *row,
                         struct rj_bytes replica);
    /* Rows at that place (without prefix) are never taken away. NULL: none are so. */
    bool (*stays)(struct rj_bytes place);
    /* At one place a stays and b goes. NULL: both stay. In a map only for types that have
     * a reset: a row that was beaten must not be missed when what beat it goes. */
    bool (*beats)(const struct rj_crdt *v, const struct rj_row *a,
                  const struct rj_row *b);
    /* beats is asked there. NULL: at every place. */
    bool (*is_contested)(struct rj_bytes place);
    /* Adds the dots of rows at place (and at others of its element, then at one of them)
     * that are removals in horizon or lose against one. RJ_ENOMEM. NULL: none are. */
    enum rj_err (*spend)(const struct rj_crdt *v, struct rj_bytes prefix,
                         const struct rj_row *place, const struct rj_dots *horizon,
                         struct rj_dots *spent);
    /* A decoded row is one that change can make; place without prefix. NULL: no payload.
     */
    bool (*is_sound)(struct rj_bytes place, struct rj_bytes payload);

    /* Reading. A type has one of the first four, or it is a set of its places. */
    /* Appends the JSON of what is under prefix; sticky. */
    void (*show)(const struct rj_crdt *v, struct rj_bytes prefix, struct rj_buf *json);
    /* A number. RJ_ERANGE. */
    enum rj_err (*count)(const struct rj_crdt *v, struct rj_bytes prefix, int64_t *ret);
    bool (*is_on)(const struct rj_crdt *v, struct rj_bytes prefix);
    /* A map: what the key at this place (here and below: its first row) holds. */
    struct rj_bytes (*entry)(const struct rj_crdt *v, const struct rj_row *place);
    /* Sets and maps: this place shows an element. NULL: each does. */
    bool (*is_shown)(const struct rj_crdt *v, struct rj_bytes prefix,
                     const struct rj_row *place);
    /* The element whose place (without prefix) begins with a CBOR byte string. */
    bool coded;
    /* A key of a map is shown for it. NULL: when something is shown, a flag is on. */
    bool (*alive)(const struct rj_crdt *v, struct rj_bytes prefix);
    /* Says what a row holds, place without prefix; zeroed before. NULL: key is place. */
    void (*read)(struct rj_bytes place, struct rj_bytes payload,
                 struct rj_crdt_row *ret_row);

    /* bare: what the other, which has seen theirs, lacks; what may be decoded. */
    enum rj_err (*lacks)(const struct rj_crdt *v, const struct rj_dots *theirs,
                         struct rj_dots *ret);
    bool (*is_context)(const struct rj_dots *seen);
    const struct rj_elements *elements; /* of a sequence; NULL: it is none */
};

/* ---- types.c */

/* NULL: not built in. */
const struct rj_type *rj_type_get(uint64_t number);
/* The type that stands at a place of v, and what that type calls its place. NULL: there
 * cannot be such a place. */
const struct rj_type *rj_type_at(const struct rj_crdt *v, struct rj_bytes place,
                                 struct rj_bytes *ret_rest);
/* Which rows at a place of v may beat others there: none, those of one replica, all. */
enum rj_contest { RJ_CONTEST_NONE, RJ_CONTEST_OWN, RJ_CONTEST_ALL };
enum rj_contest rj_place_contest(const struct rj_crdt *v, struct rj_bytes place,
                                 const struct rj_type **ret_type);
/* Rows at that place are taken away by their dots. */
bool rj_place_dies(const struct rj_crdt *v, struct rj_bytes place);
/* They are taken away by rows that say so. */
bool rj_place_resets(const struct rj_crdt *v, struct rj_bytes place);
/* What is equal is kept once: `beats` for rows whose place says all. */
bool rj_row_is_lesser(const struct rj_crdt *v, const struct rj_row *a,
                      const struct rj_row *b);

/* ---- value.c */

/* Its names in the stead of those that it has, while it is empty. RJ_ENOMEM: they are
 * NULL. */
RJ_NODISCARD enum rj_err rj_crdt_set_names(struct rj_crdt *v,
                                           struct rj_roster *take_names);
/* Empties a delta, to be filled again. NULL: it was great and is freed. */
struct rj_crdt *rj_crdt_emptied(struct rj_crdt *take_delta);
/* An empty value of v's type that shares its names. NULL: no memory. */
RJ_NODISCARD struct rj_crdt *rj_crdt_blank(const struct rj_crdt *v);
/* Adds dots to the held removals of a place; take: those of a place that has none become
 * these, and dots is empty. RJ_ENOMEM, RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_held_take(struct rj_crdt *v, struct rj_bytes place,
                                      bool under, struct rj_dots *dots);
RJ_NODISCARD enum rj_err rj_held_add(struct rj_crdt *v, struct rj_bytes place, bool under,
                                     const struct rj_dots *dots);
/* NULL: none. */
const struct rj_held *rj_held_find(const struct rj_crdt *v, struct rj_bytes place,
                                   bool under);
/* Takes what v has seen out of them. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_held_trim(struct rj_crdt *v);
/* The row (place, dot) is dead by one of them. */
bool rj_held_covers(const struct rj_crdt *v, struct rj_bytes place, struct rj_dot dot);

/* ---- diff.c */

/* What a reader has seen (rj_crdt_context), numbered as in v, and a view of its rows
 * (NULL: not wanted), good as long as bytes. RJ_ENOMEM, RJ_ELIMIT and the errors of
 * bytes.
 */
RJ_NODISCARD enum rj_err rj_context_get(const struct rj_crdt *v, struct rj_bytes bytes,
                                        struct rj_crdt **ret_known,
                                        struct rj_dots *ret_seen);

/* rj_crdt_diff against what another has seen, numbered as in v. same: where both agree
 * (crdt/agree.h); NULL: nobody knows. RJ_ENOMEM, RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_diff_encode(const struct rj_crdt *v,
                                        const struct rj_dots *theirs,
                                        const struct rj_dots *same,
                                        struct rj_crdt_buf *ret_delta);

/* ---- watch.c */

/* Notes, if v is watched, what a join with other is going to touch (map: other's names
 * -> v's, NULL: the same; spent: rows that go beside, numbered as in v); takes the notes
 * of a join that failed back; notes what stands at one place. Before it is done; noting
 * what then stays as it was does no harm. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_watch_join(struct rj_crdt *v, const struct rj_crdt *other,
                                       const uint32_t *map, const struct rj_dots *spent);
void rj_watch_undo(struct rj_crdt *v);
RJ_NODISCARD enum rj_err rj_watch_place(struct rj_crdt *v, struct rj_bytes place);
void rj_watch_free(struct rj_crdt *v);

/* ---- site.c: what changes are made of */

/* A new row at prefix || name. RJ_EINVAL: v has no replica of its own; RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_site_put(const struct rj_site *s, struct rj_bytes name,
                                     struct rj_bytes payload);
/* The same for places where many rows stand, each a thing of its own. */
RJ_NODISCARD enum rj_err rj_site_add(const struct rj_site *s, struct rj_bytes name,
                                     struct rj_bytes payload);
/* For what only grows: a row without payload at prefix || name, in the stead of those
 * that are there; but where nothing can be reset, that one is told which is there. */
RJ_NODISCARD enum rj_err rj_site_grow(const struct rj_site *s, struct rj_bytes name);
/* A dot without a row: a change that only takes away has one too, so that a context tells
 * which removals its owner knows. Errors as rj_site_put. */
RJ_NODISCARD enum rj_err rj_site_event(const struct rj_site *s);
/* Takes away the rows at prefix || name; all rows under the prefix. What the reader had
 * seen and is not here goes when it comes: it is held. */
RJ_NODISCARD enum rj_err rj_site_kill(const struct rj_site *s, struct rj_bytes name);
RJ_NODISCARD enum rj_err rj_site_kill_under(const struct rj_site *s);
/* Resets (struct rj_type) what is under the prefix and must not go by its dots: what the
 * reader knew, if it is asked for its context. */
RJ_NODISCARD enum rj_err rj_site_reset_under(const struct rj_site *s);
/* Takes one row away, if it may go. */
RJ_NODISCARD enum rj_err rj_site_kill_row(const struct rj_site *s,
                                          const struct rj_row *row);
/* Tells of a row that is there. */
RJ_NODISCARD enum rj_err rj_site_copy(const struct rj_site *s, const struct rj_row *row);
/* The first row at prefix || name. NULL: none. */
const struct rj_row *rj_site_place(const struct rj_site *s, struct rj_bytes name);
/* The dot that the next rj_site_put will give. Errors as there. */
RJ_NODISCARD enum rj_err rj_site_next(const struct rj_site *s, struct rj_dot *ret_dot);
/* The time stamp of the change, own being that of what it replaces (NULL: nothing).
 * RJ_ERANGE. */
RJ_NODISCARD enum rj_err rj_site_stamp(const struct rj_site *s, const uint64_t *own,
                                       uint64_t *ret_stamp);

/* ---- read.c: reading by the hooks of a type */

/* Appends JSON; sticky. */
void rj_read_json(const struct rj_crdt *v, const struct rj_type *type,
                  struct rj_bytes prefix, struct rj_buf *json);
bool rj_read_is_alive(const struct rj_crdt *v, const struct rj_type *type,
                      struct rj_bytes prefix);
/* It shows elements or keys, each by places of its own. */
bool rj_read_is_set(const struct rj_type *type);
/* Appends what the map v (no map of maps) has at key, or null; of a set true or false. */
void rj_read_element(const struct rj_crdt *v, struct rj_bytes key, struct rj_buf *json);

/* Says what a row of v is, or one that comes to v: its dot is numbered as in v. */
struct rj_crdt_row rj_read_row(const struct rj_crdt *v, const struct rj_told *row);
/* v's judge does not refuse it. */
bool rj_read_is_allowed(const struct rj_crdt *v, const struct rj_told *row);

/* ---- public buffers as builders */

static inline struct rj_buf rj_buf_open(struct rj_crdt_buf *b)
{
    return (struct rj_buf){.ptr = b->ptr, .cap = b->cap, .allocator = b->allocator};
}

/* RJ_OK: b holds what was built; else nothing. */
RJ_NODISCARD static inline enum rj_err rj_buf_close(struct rj_buf *built,
                                                    struct rj_crdt_buf *b)
{
    b->ptr = built->ptr;
    b->cap = built->cap;
    b->len = built->failed ? 0 : built->len;
    return rj_buf_err(built);
}

#endif
