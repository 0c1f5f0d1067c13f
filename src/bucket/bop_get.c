/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a write: everything is verified here, so that applying it need not ask again.
 * The bytes come from another node: nothing is asserted, every array is bounded by what
 * is left to read and by a named limit.
 *
 * Of other origins a write names only what its author had, so who has all that the author
 * had has that, too. A write that names more is a lie, and waits for what it names: else
 * what it takes away would depend on the order of delivery. */
#include "base/cbor.h"
#include "bucket/bop_layout.h"
#include "causal/origin.h"
#include "causal/stamp.h"

#include <rejoin/bucket.h>

struct source {
    struct rj_reader *r;
    const struct rj_bop_source *s;
    enum rj_err err; /* RJ_ENOMEM */
    bool beyond;     /* it names what s->have lacks */
};

static void fail_if(struct source *in, bool bad)
{
    if (bad)
        rj_reader_fail(in->r);
}

static void note(struct source *in, enum rj_err err)
{
    if (err == RJ_ENOMEM)
        in->err = err;
    fail_if(in, err != RJ_OK);
}

static uint32_t get_number(struct source *in)
{
    uint64_t number = rj_cbor_get_uint(in->r);

    if (number >= in->s->dict_n) {
        rj_reader_fail(in->r);
        return 0;
    }
    return (uint32_t)number;
}

/* R7: the origin that a sequence of the origin with that number belongs to. */
static uint32_t meant(struct source *in, uint32_t number, uint64_t seq)
{
    uint32_t origin;

    if (in->s->names == NULL)
        return in->s->dict[number];
    origin = rj_names_find(in->s->names, in->s->dict[number], seq);
    if (origin != RJ_ORIGIN_NONE)
        return origin;
    in->beyond = true;
    return in->s->dict[number];
}

/* A dot of the origin with that number: its sequence from 1, and of the author's own one
 * before this write. */
static struct rj_dot get_seq(struct source *in, uint32_t number)
{
    struct rj_dot dot = {.seq = rj_cbor_get_uint(in->r)};

    fail_if(in, dot.seq == 0 || dot.seq > RJ_SEQ_MAX);
    if (in->r->failed)
        return (struct rj_dot){0};
    dot.origin = meant(in, number, dot.seq);
    if (dot.origin == in->s->dot.origin)
        fail_if(in, dot.seq >= in->s->dot.seq);
    else if (in->s->have != NULL && !rj_vv_has(in->s->have, dot.origin, dot.seq))
        in->beyond = true;
    return dot;
}

static struct rj_dot get_dot(struct source *in)
{
    return get_seq(in, get_number(in));
}

/* R7: the next of the origins that a named one goes on from, up to the named one itself:
 * begin with the one that is meant. The author saw all of them. */
static uint32_t before(const struct source *in, uint32_t origin, uint32_t number)
{
    return origin == in->s->dict[number] || in->s->names == NULL
               ? RJ_ORIGIN_NONE
               : in->s->names->origins->items[origin].parent;
}

static uint64_t end_of(const struct source *in, uint32_t origin)
{
    return in->s->names->origins->items[origin].end;
}

static struct rj_bytes get_name(struct source *in)
{
    struct rj_bytes name = rj_cbor_get_bytes(in->r);

    fail_if(in, name.len > RJ_KEY_MAX);
    return name;
}

/* past: 0, or 1 for bounds: all of what a branch goes on from lies below its bound. */
static void get_seen(struct source *in, struct rj_seen *seen, uint64_t past)
{
    size_t n = rj_cbor_get_array(in->r), i;
    uint32_t number = 0, last = 0;

    fail_if(in, n % 2 != 0 || n / 2 > in->s->dict_n);
    for (i = 0; i < n / 2 && !in->r->failed; i++) {
        struct rj_dot dot;

        number = get_number(in);
        dot = get_seq(in, number);
        fail_if(in, i > 0 && number <= last);
        last = number;
        while (!in->r->failed && dot.origin != RJ_ORIGIN_NONE) {
            note(in, rj_seen_add(seen, dot));
            dot.origin = before(in, dot.origin, number);
            if (dot.origin != RJ_ORIGIN_NONE)
                dot.seq = end_of(in, dot.origin) + past;
        }
    }
}

/* One reset, and of what its run goes on from: all. *ret_n: how many that makes. */
static void add_resets(struct source *in, struct rj_resets *resets, struct rj_reset reset,
                       uint32_t number, size_t *ret_n)
{
    while (!in->r->failed && reset.origin != RJ_ORIGIN_NONE) {
        note(in, rj_resets_add(resets, &reset));
        ++*ret_n;
        reset.origin = before(in, reset.origin, number);
        reset.all = true;
        if (reset.origin != RJ_ORIGIN_NONE && reset.epoch > end_of(in, reset.origin))
            return;
    }
}

/* True iff (number, epoch) comes after (last, last_epoch). */
static bool ascends(uint32_t number, uint64_t epoch, uint32_t last, uint64_t last_epoch)
{
    return number > last || (number == last && epoch > last_epoch);
}

static size_t get_resets(struct source *in, struct rj_resets *resets)
{
    size_t items = rj_cbor_get_array(in->r), n = items / 5, added = 0, i;
    uint32_t last = 0;
    uint64_t last_epoch = 0;

    fail_if(in, items % 5 != 0);
    for (i = 0; i < n && !in->r->failed; i++) {
        uint32_t number = get_number(in);
        struct rj_reset reset = {.epoch = rj_cbor_get_uint(in->r)};
        struct rj_dot dot = get_seq(in, number);

        reset.origin = dot.origin;
        reset.seq = dot.seq;
        reset.cum = rj_cbor_get_int(in->r);
        reset.deadline = rj_cbor_get_uint(in->r);
        fail_if(in, reset.epoch == 0 || reset.epoch > reset.seq ||
                        !ascends(number, reset.epoch, last, last_epoch));
        last = number;
        last_epoch = reset.epoch;
        add_resets(in, resets, reset, number, &added);
    }
    return added;
}

static void get_whole(struct source *in, struct rj_whole *whole)
{
    size_t n, i;

    if (rj_cbor_peek(in->r) == RJ_CBOR_NULL) {
        rj_cbor_get_null(in->r);
        return;
    }
    rj_cbor_expect_array(in->r, 3);
    get_seen(in, &whole->seen, 0);
    (void)get_resets(in, &whole->place);
    n = rj_cbor_get_array(in->r);
    fail_if(in, n % 2 != 0);
    for (i = 0; i < n / 2 && !in->r->failed; i++) {
        struct rj_bytes name = get_name(in);

        if (in->r->failed)
            return;
        fail_if(in, i > 0 && rj_bytes_compare(whole->names[i - 1].name, name) >= 0);
        note(in, rj_whole_field(whole, name));
        if (in->r->failed)
            return;
        whole->names[i].n = get_resets(in, &whole->fields);
        fail_if(in, whole->names[i].n == 0);
    }
    fail_if(in, rj_whole_is_empty(whole));
}

static void get_touched(struct source *in, struct rj_bop *op)
{
    uint32_t number;

    if (rj_cbor_peek(in->r) == RJ_CBOR_NULL) {
        rj_cbor_get_null(in->r);
        return;
    }
    op->touch = true;
    rj_cbor_expect_array(in->r, 4);
    op->touched_deadline = rj_cbor_get_uint(in->r);
    number = get_number(in);
    op->touched_setter.dot.seq = rj_cbor_get_uint(in->r);
    op->touched_setter.stamp = rj_cbor_get_uint(in->r);
    if (in->r->failed)
        return;
    if (op->touched_setter.dot.seq == 0) {
        fail_if(in, number != 0 || op->touched_setter.stamp != 0);
        return;
    }
    op->touched_setter.dot.origin = meant(in, number, op->touched_setter.dot.seq);
    fail_if(in, op->touched_setter.dot.seq > RJ_SEQ_MAX ||
                    !rj_stamp_is_valid(op->touched_setter.stamp) ||
                    (op->touched_setter.dot.origin == in->s->dot.origin &&
                     op->touched_setter.dot.seq >= in->s->dot.seq));
}

static void get_incr(struct source *in, struct rj_bop *op)
{
    if (rj_cbor_peek(in->r) == RJ_CBOR_NULL) {
        rj_cbor_get_null(in->r);
    } else {
        rj_cbor_expect_array(in->r, 2);
        op->base = get_dot(in);
    }
    op->epoch = rj_cbor_get_uint(in->r);
    op->prev = rj_cbor_get_uint(in->r);
    op->before = rj_cbor_get_int(in->r);
    op->delta = rj_cbor_get_int(in->r);
    if (rj_cbor_peek(in->r) == RJ_CBOR_NULL) {
        rj_cbor_get_null(in->r);
    } else {
        rj_cbor_expect_array(in->r, 2);
        op->floor_seq = rj_cbor_get_uint(in->r);
        op->floor_cum = rj_cbor_get_int(in->r);
        fail_if(in, op->floor_seq == 0);
    }
    get_touched(in, op);
}

static void get_carried(struct source *in, struct rj_carried *carried)
{
    size_t n = rj_cbor_get_array(in->r), i;
    uint32_t last = 0;
    uint64_t last_epoch = 0;

    fail_if(in, n == 0 || n % 6 != 0);
    for (i = 0; i < n / 6 && !in->r->failed; i++) {
        uint32_t number = get_number(in);
        struct rj_run run = {.epoch = rj_cbor_get_uint(in->r)};
        struct rj_dot dot = get_seq(in, number);

        run.d.origin = dot.origin;
        run.d.seq = dot.seq;
        run.cum = rj_cbor_get_int(in->r);
        run.floor_seq = rj_cbor_get_uint(in->r);
        run.floor_cum = rj_cbor_get_int(in->r);
        fail_if(in, run.epoch == 0 || run.epoch > run.d.seq ||
                        !ascends(number, run.epoch, last, last_epoch));
        if (run.floor_seq == 0)
            fail_if(in, run.floor_cum != 0);
        else
            fail_if(in, run.floor_seq < run.epoch || run.floor_seq > run.d.seq ||
                            (run.floor_seq == run.d.seq && run.floor_cum != run.cum));
        last = number;
        last_epoch = run.epoch;
        if (!in->r->failed)
            note(in, rj_carried_add(carried, &run));
    }
}

void rj_bop_bind(struct rj_bop *op)
{
    size_t i;

    for (i = 0; i < op->bounds.n; i++) {
        const struct rj_seen_pair *bound = &op->bounds.pairs[i];

        rj_seen_bound(&op->seen, bound->origin, bound->seq);
        rj_seen_bound(&op->whole.seen, bound->origin, bound->seq);
    }
}

/* An increment must fit the run that it names. */
static bool is_sound_incr(const struct rj_bop *op, uint64_t seq)
{
    int64_t sum;

    if (op->prev == 0 ? op->epoch != seq || op->before != 0 || op->floor_seq != 0
                      : op->epoch == 0 || op->epoch > op->prev || op->prev >= seq)
        return false;
    if (op->floor_seq == 0 ? op->floor_cum != 0
                           : op->floor_seq < op->epoch || op->floor_seq > op->prev)
        return false;
    if (op->floor_seq != 0 && op->floor_seq == op->prev && op->floor_cum != op->before)
        return false;
    if (__builtin_add_overflow(op->before, op->delta, &sum))
        return false;
    if (op->base.seq != 0)
        return !op->touch && op->deadline == 0 && op->floor_seq == 0 && op->seen.n == 0;
    return op->resets.n == 0 && (!op->touch || op->prev != 0);
}

/* R7: a run that began before its origin was split goes on in each branch as a run of
 * that branch; what it was at the split counts in the run that it goes on from. */
static void begin_branch(const struct rj_bop_source *s, struct rj_bop *op)
{
    uint64_t start = s->names->origins->items[s->dot.origin].start;

    if (op->prev == 0 || op->prev > start)
        return;
    op->floor_seq = op->prev;
    op->floor_cum = op->before;
}

/* The code and, for a write that was issued again, what stands around it. */
static enum rj_err get_code(struct source *in, struct rj_bop *op)
{
    size_t n = rj_cbor_get_array(in->r);
    uint64_t code = rj_cbor_get_uint(in->r);

    if (!in->r->failed && code == RJ_BOP_AGAIN) {
        get_seen(in, &op->bounds, 1);
        fail_if(in, n != 3 || op->bounds.n == 0);
        n = rj_cbor_get_array(in->r);
        code = rj_cbor_get_uint(in->r);
    }
    if (in->r->failed || code == 0 || (op->bounds.n > 0 && code == RJ_BOP_AGAIN))
        return RJ_ECORRUPT;
    if (code >= RJ_BOP_CODES)
        return RJ_EUPGRADE;
    op->code = (enum rj_bop_code)code;
    return n == rj_bop_items(rj_bop_layout[op->code]) ? RJ_OK : RJ_ECORRUPT;
}

static void get_fields(struct source *in, struct rj_bop *op)
{
    unsigned has = rj_bop_layout[op->code];

    op->key = get_name(in);
    if ((has & RJ_BOP_MAY_NAME) != 0 && rj_cbor_peek(in->r) == RJ_CBOR_NULL) {
        rj_cbor_get_null(in->r);
    } else if ((has & (RJ_BOP_NAME | RJ_BOP_MAY_NAME)) != 0) {
        op->name = get_name(in);
        op->has_name = true;
    }
    if ((has & RJ_BOP_VALUE) != 0) {
        op->value = rj_cbor_get_bytes(in->r);
        fail_if(in, op->value.len > RJ_VALUE_MAX);
    }
    if ((has & RJ_BOP_RUN) != 0)
        get_incr(in, op);
    if ((has & RJ_BOP_RUNS) != 0)
        get_carried(in, &op->carried);
    if ((has & RJ_BOP_DEADLINE) != 0)
        op->deadline = rj_cbor_get_uint(in->r);
    if ((has & RJ_BOP_SEEN) != 0)
        get_seen(in, &op->seen, 0);
    if ((has & RJ_BOP_RESETS) != 0)
        (void)get_resets(in, &op->resets);
    get_whole(in, &op->whole);
}

enum rj_err rj_bop_get(struct rj_bop *op, struct rj_reader *r,
                       const struct rj_bop_source *source)
{
    struct source in = {.r = r, .s = source, .err = RJ_OK};
    enum rj_err err;

    rj_bop_clear(op);
    if (source->dict_n == 0)
        return RJ_ECORRUPT;
    err = get_code(&in, op);
    if (err != RJ_OK)
        return err;
    get_fields(&in, op);
    rj_bop_bind(op);
    if (op->code == RJ_BOP_FORGET)
        fail_if(&in, op->seen.n + op->whole.seen.n == 0 || op->whole.place.n > 0 ||
                         op->whole.n_names > 0);
    if (op->code == RJ_BOP_INCR)
        fail_if(&in, !is_sound_incr(op, source->dot.seq));
    if (r->failed)
        return in.err != RJ_OK ? in.err : RJ_ECORRUPT;
    if (op->code == RJ_BOP_INCR && source->names != NULL)
        begin_branch(source, op);
    return in.beyond ? RJ_EGAP : RJ_OK;
}
