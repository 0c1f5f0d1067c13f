/* SPDX-License-Identifier: Apache-2.0 */
/* Own writes that were overtaken: they were made, and could not be sealed while writes of
 * others came in. Others will apply them after all of these, so here the state has to be
 * what it is in that order; and what had not seen a deletion that is here by now is
 * sealed as a write that does nothing, so that no sealed write lacks a gone that its deps
 * have. */
#include "base/cbor.h"
#include "bucket/bop_layout.h"
#include "bucket/state.h"

/* An operation that does nothing, of the same key. */
static void put_void(struct rj_buf *ops, struct rj_bytes key)
{
    rj_cbor_put_array(ops, rj_bop_items(rj_bop_layout[RJ_BOP_SREM]));
    rj_cbor_put_uint(ops, RJ_BOP_SREM);
    rj_cbor_put_bytes(ops, key);
    rj_cbor_put_bytes(ops, (struct rj_bytes){0});
    rj_cbor_put_array(ops, 0);
    rj_cbor_put_null(ops);
}

enum rj_err rj_again(struct rj_kind *k)
{
    struct rj_bucket *b = rj_bucket_of(k);
    struct rj_writer *w = k->writer;
    struct rj_bop_source source = {.dict = w->dict, .dict_n = w->dict_n};
    struct rj_rank rank = {.stamp = w->stamp};
    struct rj_reader r = rj_reader_of(rj_buf_view(&w->ops));
    struct rj_buf ops = {.limit = w->ops.limit};
    enum rj_err err = RJ_OK;
    uint32_t i;

    for (i = 0; err == RJ_OK && i < w->count; i++) {
        size_t left = rj_reader_left(&r);
        struct rj_prep prep;
        uint64_t position;

        rank.dot = (struct rj_dot){.seq = w->first + i, .origin = w->self};
        source.dot = rank.dot;
        err = rj_bop_get(&b->op, &r, &source);
        if (err != RJ_OK)
            break;
        position = rj_change_position(b, b->op.key);
        if (rj_gone_stops(b, &b->op, position))
            put_void(&ops, b->op.key);
        else
            rj_buf_append_raw(&ops, w->ops.ptr + w->ops.len - left,
                              left - rj_reader_left(&r));
        err = rj_apply_prepare(b, &b->op, position, rank.dot, &prep);
        if (err == RJ_OK)
            err = rj_apply_commit(b, &b->op, &rank, &prep);
    }
    if (err == RJ_OK)
        err = rj_buf_err(&ops);
    if (err == RJ_OK) {
        rj_buf_clear(&w->ops);
        rj_buf_append(&w->ops, rj_buf_view(&ops));
        err = rj_buf_err(&w->ops);
    }
    rj_buf_done(&ops);
    return err;
}
