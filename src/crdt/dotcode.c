/* SPDX-License-Identifier: Apache-2.0 */
/* [* dotted]; dotted = [origin, seq, stamp, deadline, value] for a version, [origin, seq,
 * stamp, deadline, epoch, cum, floor seq, floor cum, base / null, setter / null] for a
 * run, [origin, seq, stamp] for a gone; in records a gone that ended something late has
 * those dots as a fourth item, and the stamp 0 if it is owed. Deterministic but for the
 * order of the items, which means nothing. */
#include "crdt/dotcode.h"

#include "base/cbor.h"
#include "causal/origin.h"
#include "causal/stamp.h"
#include "crdt/register.h"

enum {
    VERSION_ITEMS = 5,
    RUN_ITEMS = 10,
    GONE_ITEMS = 3,
    LATE_ITEMS = 4,
    LATE_ROOM = 14,
    ENTRY_ROOM = 128 /* bytes of one, without its value: heads, 13 numbers of 9 at most */
};

static enum rj_err number_of(struct rj_dotcode_names *names, uint32_t origin,
                             uint32_t *ret_number)
{
    struct rj_writer *w = names->writer;
    uint32_t *memo = &names->memo_number[origin % RJ_DOTCODE_MEMO];
    enum rj_err err;

    if (w == NULL) {
        *ret_number = origin;
        return RJ_OK;
    }
    if (names->numbers != NULL) {
        memo = &names->numbers[origin];
        if (*memo < w->dict_n && w->dict[*memo] == origin) {
            *ret_number = *memo;
            return RJ_OK;
        }
        err = rj_writer_dict_add(w, origin, memo);
        *ret_number = *memo;
        return err;
    }
    if (names->memo_origin[origin % RJ_DOTCODE_MEMO] == origin && *memo < w->dict_n &&
        w->dict[*memo] == origin) {
        *ret_number = *memo;
        return RJ_OK;
    }
    err = rj_writer_dict(w, origin, ret_number);
    if (err == RJ_OK) {
        names->memo_origin[origin % RJ_DOTCODE_MEMO] = origin;
        *memo = *ret_number;
    }
    return err;
}

static enum rj_err put_dot(struct rj_buf *out, struct rj_dot dot,
                           struct rj_dotcode_names *names)
{
    uint32_t number;
    enum rj_err err = number_of(names, dot.origin, &number);

    if (err != RJ_OK)
        return err;
    rj_cbor_put_uint(out, number);
    rj_cbor_put_uint(out, dot.seq);
    return RJ_OK;
}

static enum rj_err put_run(struct rj_buf *out, const struct rj_run *run,
                           struct rj_dotcode_names *names)
{
    enum rj_err err = RJ_OK;

    rj_cbor_put_uint(out, run->epoch);
    rj_cbor_put_int(out, run->cum);
    rj_cbor_put_uint(out, run->floor_seq);
    rj_cbor_put_int(out, run->floor_cum);
    if (run->base.seq != 0) {
        rj_cbor_put_array(out, 2);
        err = put_dot(out, run->base, names);
    } else {
        rj_cbor_put_null(out);
    }
    if (run->setter.dot.seq != 0) {
        rj_cbor_put_array(out, 3);
        if (err == RJ_OK)
            err = put_dot(out, run->setter.dot, names);
        rj_cbor_put_uint(out, run->setter.stamp);
    } else {
        rj_cbor_put_null(out);
    }
    return err;
}

static enum rj_err put_gone(struct rj_buf *out, const struct rj_dotted *d,
                            struct rj_dotcode_names *names)
{
    const struct rj_seen *late = &((const struct rj_gone *)(const void *)d)->late;
    bool with_late = names->writer == NULL && late->n > 0;
    enum rj_err err;
    size_t i;

    rj_cbor_put_array(out, with_late ? LATE_ITEMS : GONE_ITEMS);
    err = put_dot(out, rj_dotted_dot(d), names);
    rj_cbor_put_uint(out, d->sort == RJ_DOTTED_OWED ? 0 : d->stamp);
    if (with_late)
        rj_cbor_put_array(out, 2 * late->n);
    for (i = 0; with_late && err == RJ_OK && i < late->n; i++) {
        struct rj_dot dot = {.seq = late->pairs[i].seq, .origin = late->pairs[i].origin};

        err = put_dot(out, dot, names);
    }
    return err;
}

static enum rj_err put_one(struct rj_buf *out, const struct rj_dotted *d,
                           struct rj_dotcode_names *names)
{
    enum rj_err err;

    if (d->sort >= RJ_DOTTED_GONE)
        return put_gone(out, d, names);
    rj_cbor_put_array(out, d->sort == RJ_DOTTED_RUN ? RUN_ITEMS : VERSION_ITEMS);
    err = put_dot(out, rj_dotted_dot(d), names);
    rj_cbor_put_uint(out, d->stamp);
    if (err != RJ_OK)
        return err;
    rj_cbor_put_uint(out, d->deadline);
    if (d->sort == RJ_DOTTED_RUN)
        return put_run(out, rj_run_of_const(d), names);
    rj_cbor_put_bytes(out, rj_version_value(rj_version_of_const(d)));
    return RJ_OK;
}

const struct rj_dotted *rj_dotcode_fit(const struct rj_dotted *first, size_t max_bytes)
{
    const struct rj_dotted *d;
    size_t left = max_bytes;

    for (d = first; d != NULL; d = d->next) {
        size_t size = ENTRY_ROOM;

        if (d->sort == RJ_DOTTED_VERSION)
            size += rj_version_of_const(d)->len;
        else if (d->sort >= RJ_DOTTED_GONE)
            size += LATE_ROOM * ((const struct rj_gone *)(const void *)d)->late.n;
        if (size > left)
            return d != first ? d : d->next;
        left -= size;
    }
    return NULL;
}

/* What is owed is this node's own affair. */
static bool is_told(const struct rj_dotted *d, const struct rj_dotcode_names *names)
{
    return d->sort != RJ_DOTTED_OWED || names->writer == NULL;
}

enum rj_err rj_dotcode_put_until(struct rj_buf *out, const struct rj_dotted *first,
                                 const struct rj_dotted *end,
                                 struct rj_dotcode_names *names)
{
    const struct rj_dotted *d;
    enum rj_err err = RJ_OK;
    size_t n = 0;

    for (d = first; d != end; d = d->next)
        n += is_told(d, names) ? 1 : 0;
    rj_cbor_put_array(out, n);
    for (d = first; err == RJ_OK && d != end; d = d->next) {
        if (is_told(d, names))
            err = put_one(out, d, names);
    }
    return err == RJ_OK ? rj_buf_err(out) : err;
}

enum rj_err rj_dotcode_put(struct rj_buf *out, const struct rj_dotted *first,
                           struct rj_dotcode_names *names)
{
    return rj_dotcode_put_until(out, first, NULL, names);
}

/* ---- reading */

static struct rj_dot get_dot(struct rj_reader *r, const struct rj_dotcode_names *names)
{
    uint64_t number = rj_cbor_get_uint(r);
    uint64_t seq = rj_cbor_get_uint(r);
    uint32_t origin;

    if (r->failed || number >= names->n || seq == 0 || seq > RJ_SEQ_MAX) {
        rj_reader_fail(r);
        return (struct rj_dot){0};
    }
    origin = names->dict != NULL ? names->dict[number] : (uint32_t)number;
    if (names->meant != NULL)
        origin = rj_names_find(names->meant, origin, seq);
    if (origin == RJ_ORIGIN_NONE)
        rj_reader_fail(r);
    return (struct rj_dot){.seq = seq, .origin = origin};
}

static bool is_sound(const struct rj_run *run)
{
    if (run->epoch == 0 || run->epoch > run->d.seq)
        return false;
    if (run->floor_seq == 0)
        return run->floor_cum == 0;
    if (run->floor_seq < run->epoch || run->floor_seq > run->d.seq ||
        (run->base.seq != 0 && run->floor_seq == run->d.seq))
        return false;
    return run->floor_seq < run->d.seq || run->floor_cum == run->cum;
}

static void get_run(struct rj_reader *r, const struct rj_dotcode_names *names,
                    struct rj_run *run)
{
    run->epoch = rj_cbor_get_uint(r);
    run->cum = rj_cbor_get_int(r);
    run->floor_seq = rj_cbor_get_uint(r);
    run->floor_cum = rj_cbor_get_int(r);
    if (rj_cbor_peek(r) == RJ_CBOR_NULL) {
        rj_cbor_get_null(r);
    } else {
        rj_cbor_expect_array(r, 2);
        run->base = get_dot(r, names);
    }
    if (rj_cbor_peek(r) == RJ_CBOR_NULL) {
        rj_cbor_get_null(r);
    } else {
        rj_cbor_expect_array(r, 3);
        run->setter.dot = get_dot(r, names);
        run->setter.stamp = rj_cbor_get_uint(r);
    }
    if (!is_sound(run) || (run->base.seq != 0 && run->setter.dot.seq != 0) ||
        !rj_stamp_is_valid(run->setter.stamp))
        rj_reader_fail(r);
}

/* Dots of late writes, added to late if that is not NULL: of branches (R7) those too that
 * they go on from. */
static enum rj_err get_late(struct rj_reader *r, const struct rj_dotcode_names *names,
                            struct rj_seen *late)
{
    size_t n = rj_cbor_get_array(r), i;
    enum rj_err err = RJ_OK;

    if (n == 0 || n % 2 != 0)
        rj_reader_fail(r);
    for (i = 0; i < n / 2 && !r->failed; i++) {
        struct rj_dot dot = get_dot(r, names);

        while (late != NULL && err == RJ_OK && !r->failed) {
            err = rj_seen_add(late, dot);
            if (names->meant == NULL)
                break;
            dot.origin = names->meant->origins->items[dot.origin].parent;
            if (dot.origin == RJ_ORIGIN_NONE)
                break;
            dot.seq = names->meant->origins->items[dot.origin].end;
        }
    }
    return err;
}

enum rj_err rj_dotcode_late(const struct rj_dotcode *code,
                            const struct rj_dotcode_names *names, struct rj_seen *late)
{
    struct rj_reader r = code->late;

    return code->has_late ? get_late(&r, names, late) : RJ_OK;
}

void rj_dotcode_get(struct rj_reader *r, const struct rj_dotcode_names *names,
                    struct rj_dotcode *ret)
{
    size_t n = rj_cbor_get_array(r);
    struct rj_dot dot;

    *ret = (struct rj_dotcode){.is_run = n == RUN_ITEMS,
                               .is_gone = n == GONE_ITEMS || n == LATE_ITEMS,
                               .has_late = n == LATE_ITEMS};
    if (n != VERSION_ITEMS && !ret->is_run && !ret->is_gone)
        rj_reader_fail(r);
    dot = get_dot(r, names);
    ret->run.d.seq = dot.seq;
    ret->run.d.origin = dot.origin;
    ret->run.d.stamp = rj_cbor_get_uint(r);
    if (!rj_stamp_is_valid(ret->run.d.stamp))
        rj_reader_fail(r);
    ret->run.d.sort =
        ret->has_late && ret->run.d.stamp == 0 ? RJ_DOTTED_OWED : RJ_DOTTED_GONE;
    ret->late = *r;
    if (ret->has_late)
        (void)!get_late(r, names, NULL);
    if (ret->is_gone)
        return;
    ret->run.d.sort = ret->is_run ? RJ_DOTTED_RUN : RJ_DOTTED_VERSION;
    ret->run.d.deadline = rj_cbor_get_uint(r);
    if (ret->is_run)
        get_run(r, names, &ret->run);
    else
        ret->value = rj_cbor_get_bytes(r);
}

size_t rj_dotcode_peek(struct rj_reader r, const struct rj_dotcode_names *names)
{
    struct rj_dotcode code;

    if (rj_cbor_get_array(&r) == 0)
        return SIZE_MAX;
    rj_dotcode_get(&r, names, &code);
    return r.failed || code.is_run || code.is_gone ? SIZE_MAX : code.value.len;
}
