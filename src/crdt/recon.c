/* SPDX-License-Identifier: Apache-2.0 */
/* The turns of a reconciliation (doc/crdt.md, "Reconciling without shared metadata"):
 *
 *     HELLO  ->          how many parts, their sum
 *            <- SAME     that was all; or
 *            <- ESTIMATE context, counters, a few symbols: enough for few differences
 *     then, as the first side chooses by what it guesses,
 *     STATE  ->          context, and what the other lacks by its own;  <- ROWS
 *     SYMBOLS ->         until they suffice (<- MORE), or
 *     RANGES ->          until nothing is left to compare (<- ANSWER)
 *            <- GIVE     rows, ids of rows that are wanted, the sum of what both have
 *     ROWS   ->          those rows
 *
 * Who got enough to tell what differs gives; that may be the first side too, at once
 * behind ESTIMATE. Who is given to compares the sum, and where it is another one goes
 * over to STATE, which needs no hash. So does who has removals that wait, for those mean
 * dots, or whom the other shows that it has some (no counters in ESTIMATE). Every message
 * is expected or refused, and symbols and ranges come to an end by their limits: so there
 * is no endless exchange. */
#include "crdt/recon.h"

#include "base/cbor.h"

enum kind { HELLO = 1, SAME, ESTIMATE, STATE, SYMBOLS, MORE, RANGES, ANSWER, GIVE, ROWS };

enum {
    FIRST_SYMBOLS = 64,
    MORE_MAX = 8, /* times that symbols are asked for again */
    FAN = 4,      /* bits, behind the first split */
    ITEMS = 8,    /* of a message, at most */
};

#define KIND(kind) (1u << (kind))

/* ---- life */

enum rj_err rj_crdt_recon_new(const struct rj_crdt *v, enum rj_crdt_method method,
                              struct rj_bytes key, struct rj_crdt_recon **ret_recon)
{
    struct rj_crdt_recon *r;
    enum rj_err err;

    if (v->type->elements != NULL || v->type->bare || key.len == 0 ||
        (unsigned)method > RJ_CRDT_SYMBOLS)
        return RJ_EINVAL;
    if (rj_crdt_has_more(v))
        return RJ_ECLOSED;
    r = rj_mem_new(v->allocator, sizeof(*r));
    if (r == NULL)
        return RJ_ENOMEM;
    *r = (struct rj_crdt_recon){.v = v, .method = method, .expected = KIND(HELLO)};
    r->theirs.allocator = v->allocator;
    r->symbols.allocator = r->ranges.open.allocator = v->allocator;
    r->diff.mine.allocator = r->diff.theirs.allocator = v->allocator;
    rj_hash_key_init(&r->key, key);
    rj_recon_roots_init(&r->roots);
    r->salt = rj_hash_64(&r->key, (struct rj_bytes){0});
    r->gain = rj_crdt_blank(v);
    err = r->gain != NULL ? rj_parts_init(&r->parts, v, &r->key) : RJ_ENOMEM;
    if (err == RJ_OK) {
        *ret_recon = r;
        r = NULL;
    }
    rj_crdt_recon_free(r);
    return err;
}

void rj_crdt_recon_free(struct rj_crdt_recon *r)
{
    if (r == NULL)
        return;
    rj_parts_done(&r->parts);
    rj_dots_done(&r->theirs);
    rj_buf_done(&r->symbols);
    rj_buf_done(&r->ranges.open);
    rj_buf_done(&r->diff.mine);
    rj_buf_done(&r->diff.theirs);
    rj_crdt_free(r->gain);
    rj_mem_free(r->v->allocator, r, sizeof(*r));
}

static void put_head(struct rj_recon_turn *t, enum kind kind, size_t items)
{
    rj_cbor_put_array(&t->out, 1 + items);
    rj_cbor_put_uint(&t->out, kind);
}

/* ---- turns of the side that knows what differs */

/* Its context is told by who has not told it. */
static enum rj_err give(struct rj_crdt_recon *r, struct rj_recon_turn *t,
                        bool with_context)
{
    struct rj_recon_sum sum = rj_recon_common_sum(r);
    enum rj_err err;

    put_head(t, GIVE, 5);
    if (with_context)
        rj_recon_put_context(r, t);
    else
        rj_cbor_put_bytes(&t->out, (struct rj_bytes){0});
    rj_cbor_put_bool(&t->out, r->apart);
    rj_recon_put_sum(t, &sum);
    rj_recon_put_wanted(r, t);
    err = rj_recon_put_rows(r, t);
    r->expected = KIND(ROWS) | KIND(STATE);
    return err;
}

static enum rj_err tell_state(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    put_head(t, STATE, 2);
    rj_recon_put_context(r, t);
    r->expected = KIND(ROWS);
    return rj_recon_put_diff(r, t);
}

/* ---- the first side */

static enum rj_err begin(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    if (r->expected != KIND(HELLO))
        return RJ_EPROTO;
    put_head(t, HELLO, 4);
    rj_cbor_put_uint(&t->out, r->v->fingerprint);
    rj_cbor_put_uint(&t->out, r->method);
    rj_cbor_put_uint(&t->out, r->parts.count);
    rj_recon_put_sum(t, &r->parts.sum);
    r->expected = KIND(SAME) | KIND(ESTIMATE);
    return RJ_OK;
}

static enum rj_err tell_symbols(struct rj_crdt_recon *r, struct rj_recon_turn *t,
                                uint64_t to)
{
    put_head(t, SYMBOLS, 2);
    if (r->told == 0)
        rj_recon_put_context(r, t);
    else
        rj_cbor_put_bytes(&t->out, (struct rj_bytes){0});
    rj_recon_put_symbols(r, t, r->told, to);
    r->told = to;
    r->expected = KIND(GIVE) | KIND(MORE) | KIND(STATE);
    return RJ_OK;
}

static enum rj_err tell_ranges(struct rj_crdt_recon *r, struct rj_recon_turn *t,
                               bool first)
{
    struct rj_buf b = {.allocator = r->v->allocator};

    put_head(t, RANGES, 2);
    if (first)
        rj_recon_put_context(r, t);
    else
        rj_cbor_put_bytes(&t->out, (struct rj_bytes){0});
    rj_recon_ranges_put(&r->ranges, &r->parts, r->fan, &b);
    rj_recon_put_built(t, &b);
    r->expected = KIND(GIVE) | KIND(ANSWER);
    return RJ_OK;
}

static enum rj_err begin_ranges(struct rj_crdt_recon *r, struct rj_recon_turn *t,
                                uint64_t guess, size_t list)
{
    r->ranges.list = list;
    for (r->fan = FAN; r->fan < RJ_RECON_FAN_MAX && guess >> r->fan != 0;)
        r->fan += FAN;
    rj_recon_ranges_begin(&r->ranges);
    return tell_ranges(r, t, true);
}

/* Rows that the other's context does not cover. */
static uint64_t unseen(const struct rj_crdt_recon *r)
{
    uint64_t n = 0;
    size_t i;

    for (i = 0; i < r->parts.n; i++)
        n += !rj_dots_has(&r->theirs, r->parts.items[i].dot);
    return n;
}

/* By symbols 13 bytes go a difference (1.6 symbols, of which 0.24 are for the error of
 * the guess), by a list 6 bytes for each part that is here. */
static enum rj_err choose(struct rj_crdt_recon *r, struct rj_recon_turn *t,
                          uint64_t guess)
{
    uint64_t count = guess * 8 / 5 + FIRST_SYMBOLS;
    bool few = guess < RJ_RECON_SYMBOLS_MAX / 2;

    if (few && (r->method == RJ_CRDT_SYMBOLS || guess * 2 < r->parts.n + FIRST_SYMBOLS))
        return tell_symbols(r, t, count);
    return begin_ranges(r, t, guess, r->parts.n);
}

static enum rj_err on_same(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    r->expected = 0;
    t->done = true;
    return RJ_OK;
}

/* Contexts come first: if they leave no more rows to tell than differ, nothing is
 * cheaper, and nothing better, for they know of removals. */
static enum rj_err on_estimate(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    enum rj_err err = rj_recon_get_context(r, t);
    struct rj_bytes counters = rj_cbor_get_bytes(&t->in);
    struct rj_bytes symbols = rj_cbor_get_bytes(&t->in);
    uint64_t guess = 0;
    bool told;

    if (err == RJ_OK && symbols.len != (size_t)FIRST_SYMBOLS * RJ_RECON_SYMBOL_LEN)
        err = RJ_EPROTO;
    if (err == RJ_OK && (counters.len == 0 || r->v->n_held > 0))
        return tell_state(r, t);
    if (err == RJ_OK)
        err = rj_recon_guess(&r->parts, counters, &guess);
    if (err != RJ_OK)
        return err;
    if (r->method == RJ_CRDT_RANGE)
        return begin_ranges(r, t, guess, RJ_RECON_LIST);
    err = rj_recon_symbols_get(&r->parts, &r->roots, r->salt, symbols, &r->diff);
    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    told = err == RJ_OK;
    if (told)
        guess = rj_recon_n(&r->diff.mine) + rj_recon_n(&r->diff.theirs);
    if (r->method == RJ_CRDT_AUTO && unseen(r) <= guess)
        return tell_state(r, t);
    if (told)
        return give(r, t, true);
    return choose(r, t, guess);
}

static enum rj_err on_more(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    uint64_t to = rj_cbor_get_uint(&t->in);

    if (t->in.failed || to <= r->told || to > RJ_RECON_SYMBOLS_MAX ||
        ++r->asked > MORE_MAX)
        return RJ_EPROTO;
    return tell_symbols(r, t, to);
}

static enum rj_err on_answer(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    struct rj_bytes bits = rj_cbor_get_bytes(&t->in);
    enum rj_err err = t->in.failed
                          ? RJ_EPROTO
                          : rj_recon_ranges_answer(&r->ranges, &r->parts, r->fan, bits);

    r->fan = FAN;
    return err == RJ_OK ? tell_ranges(r, t, false) : err;
}

/* ---- the other side */

static enum rj_err on_hello(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    uint64_t fingerprint = rj_cbor_get_uint(&t->in);
    uint64_t method = rj_cbor_get_uint(&t->in);
    uint64_t n = rj_cbor_get_uint(&t->in);
    bool same = rj_recon_is_sum(t, &r->parts.sum) && n == r->parts.count;
    struct rj_buf b = {.allocator = r->v->allocator};

    if (t->in.failed || method > RJ_CRDT_SYMBOLS)
        return RJ_EPROTO;
    if (fingerprint != r->v->fingerprint)
        return RJ_EUPGRADE;
    if (same) {
        put_head(t, SAME, 0);
        return on_same(r, t);
    }
    put_head(t, ESTIMATE, 3);
    rj_recon_put_context(r, t);
    if (r->v->n_held == 0)
        rj_recon_guess_put(&r->parts, &b);
    rj_recon_put_built(t, &b);
    rj_recon_put_symbols(r, t, 0, FIRST_SYMBOLS);
    rj_recon_ranges_begin(&r->ranges);
    r->expected = KIND(STATE) | KIND(SYMBOLS) | KIND(RANGES) | KIND(GIVE);
    return RJ_OK;
}

static enum rj_err on_state(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    enum rj_err err = rj_recon_get_context(r, t);

    rj_crdt_free(r->gain); /* of what was given before nothing counts */
    r->gain = rj_crdt_blank(r->v);
    if (r->gain == NULL)
        return RJ_ENOMEM;
    if (err == RJ_OK)
        err = rj_recon_get_rows(r, t);
    put_head(t, ROWS, 2);
    rj_cbor_put_bool(&t->out, false);
    r->expected = 0;
    t->done = true;
    return err == RJ_OK ? rj_recon_put_diff(r, t) : err;
}

static enum rj_err on_symbols(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    enum rj_err err = rj_recon_get_context(r, t);
    struct rj_bytes bytes = rj_cbor_get_bytes(&t->in);
    uint64_t n;

    if (err != RJ_OK || bytes.len == 0 || bytes.len % RJ_RECON_SYMBOL_LEN != 0 ||
        bytes.len > (size_t)RJ_RECON_SYMBOLS_MAX * RJ_RECON_SYMBOL_LEN - r->symbols.len)
        return err != RJ_OK ? err : RJ_EPROTO;
    rj_buf_append(&r->symbols, bytes);
    err = rj_buf_err(&r->symbols);
    if (err == RJ_OK)
        err = rj_recon_symbols_get(&r->parts, &r->roots, r->salt,
                                   rj_buf_view(&r->symbols), &r->diff);
    if (err != RJ_ENOENT)
        return err == RJ_OK ? give(r, t, false) : err;
    n = r->symbols.len / RJ_RECON_SYMBOL_LEN;
    n += n / 8 + FIRST_SYMBOLS;
    if (n > RJ_RECON_SYMBOLS_MAX || ++r->asked > MORE_MAX)
        return tell_state(r, t);
    put_head(t, MORE, 1);
    rj_cbor_put_uint(&t->out, n);
    r->expected = KIND(SYMBOLS);
    return RJ_OK;
}

static enum rj_err on_ranges(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    struct rj_buf answer = {.allocator = r->v->allocator};
    enum rj_err err = rj_recon_get_context(r, t);
    struct rj_bytes bytes = rj_cbor_get_bytes(&t->in);

    if (err == RJ_OK)
        err = t->in.failed
                  ? RJ_EPROTO
                  : rj_recon_ranges_get(&r->ranges, &r->parts, bytes, &r->diff, &answer);
    if (err != RJ_OK || rj_recon_ranges_n(&r->ranges) == 0) {
        rj_buf_done(&answer);
        return err == RJ_OK ? give(r, t, false) : err;
    }
    put_head(t, ANSWER, 1);
    rj_recon_put_built(t, &answer);
    r->expected = KIND(RANGES);
    return RJ_OK;
}

/* ---- the end */

static enum rj_err on_give(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    enum rj_err err = rj_recon_get_context(r, t);
    bool apart = rj_cbor_get_bool(&t->in);
    struct rj_reader at_sum = t->in;
    struct rj_recon_sum sum;

    rj_cbor_skip(&t->in);
    if (err == RJ_OK)
        err = rj_recon_get_wanted(r, rj_cbor_get_bytes(&t->in));
    if (err == RJ_OK)
        err = rj_recon_get_rows(r, t);
    if (err != RJ_OK)
        return err;
    sum = rj_recon_common_sum(r);
    if (!rj_recon_is_sum(&(struct rj_recon_turn){.in = at_sum}, &sum))
        return tell_state(r, t);
    t->common = apart && r->apart;
    put_head(t, ROWS, 2);
    rj_cbor_put_bool(&t->out, t->common);
    r->expected = 0;
    t->done = true;
    return rj_recon_put_rows(r, t);
}

static enum rj_err on_rows(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    t->common = rj_cbor_get_bool(&t->in);
    if (t->in.failed || (t->common && !r->apart))
        return RJ_EPROTO;
    r->expected = 0;
    t->done = true;
    return rj_recon_get_rows(r, t);
}

/* ---- a turn */

static enum rj_err (*const handlers[])(struct rj_crdt_recon *, struct rj_recon_turn *) = {
    [HELLO] = on_hello,   [SAME] = on_same,       [ESTIMATE] = on_estimate,
    [STATE] = on_state,   [SYMBOLS] = on_symbols, [MORE] = on_more,
    [RANGES] = on_ranges, [ANSWER] = on_answer,   [GIVE] = on_give,
    [ROWS] = on_rows,
};

static enum rj_err take(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    size_t n = rj_cbor_get_array(&t->in);
    uint64_t kind = rj_cbor_get_uint(&t->in);
    enum rj_err err;

    if (t->in.failed || n > ITEMS || kind < HELLO || kind > ROWS ||
        (r->expected & KIND(kind)) == 0)
        return RJ_EPROTO;
    err = handlers[kind](r, t);
    return err == RJ_OK && !rj_reader_complete(&t->in) ? RJ_EPROTO : err;
}

/* What came in, and what went on the other side. */
static enum rj_err finish(struct rj_crdt_recon *r, const struct rj_recon_turn *t,
                          struct rj_crdt_buf *ret_delta)
{
    struct rj_crdt *named = NULL;
    enum rj_err err = RJ_OK;

    if (t->common)
        err = rj_recon_common(r->v, r->gain, &r->theirs, &r->key, &named);
    if (err == RJ_OK)
        err = rj_code_encode(t->common ? named : r->gain, ret_delta);
    rj_crdt_free(named);
    return err;
}

enum rj_err rj_crdt_recon_turn(struct rj_crdt_recon *r, struct rj_bytes in,
                               struct rj_crdt_buf *ret_out, struct rj_crdt_buf *ret_delta,
                               bool *ret_done)
{
    struct rj_recon_turn t = {.in = rj_reader_of(in), .out = rj_buf_open(ret_out)};
    enum rj_err err = in.len == 0 ? begin(r, &t) : take(r, &t);

    if (err == RJ_OK && t.done)
        err = finish(r, &t, ret_delta);
    else
        ret_delta->len = 0;
    if (err != RJ_OK) {
        rj_buf_fail(&t.out, err);
        r->expected = 0; /* it has ended */
        ret_delta->len = 0;
    }
    err = rj_buf_close(&t.out, ret_out);
    if (err == RJ_OK)
        *ret_done = t.done;
    return err;
}
