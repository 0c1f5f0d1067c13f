/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over live dots, block by block (crdt/agree.h): a byte for the logarithm of a
 * block's length, a salt, and for each name the sums from its first block to that of its
 * last dot. Idea: Byers, Considine, Mitzenmacher, Rost 2004, "Informed content delivery
 * across adaptive overlay networks" (approximate reconciliation by summaries); sums in
 * the stead of trees, since one round is what a difference has. */
#include "crdt/agree.h"

#include "base/be.h"

enum { BITS_MIN = 8, BITS_MAX = 63, SUM_LEN = 8 };

/* Blocks up to the last dot that d has of a name. */
static uint64_t blocks_of(const struct rj_dots *d, uint32_t origin, unsigned bits)
{
    uint64_t last = rj_dots_last(d, origin);

    return last > 0 ? (last >> bits) + 1 : 0;
}

/* The shortest blocks of which there are at most `most`; 0: none are long enough. */
static unsigned bits_for(const struct rj_dots *d, const struct rj_agree_names *names,
                         uint64_t most)
{
    unsigned bits = BITS_MIN;

    for (; bits <= BITS_MAX; bits++) {
        uint64_t n = 0;
        uint32_t i;

        for (i = 0; i < names->n && n <= most; i++)
            n += blocks_of(d, names->index[i], bits);
        if (n <= most)
            return bits;
    }
    return 0;
}

static unsigned bits_of(const struct rj_crdt *v, const struct rj_agree_names *names)
{
    uint64_t most;

    if (v->type->elements != NULL || v->type->bare || v->rules.horizon != 0 ||
        names->n > RJ_AGREE_BLOCKS)
        return 0;
    most = rj_rows_runs(&v->rows) / RJ_AGREE_HOLES;
    if (most < 1 || most < names->n)
        return 0;
    return bits_for(&v->seen, names, most < RJ_AGREE_BLOCKS ? most : RJ_AGREE_BLOCKS);
}

bool rj_agree_is_worth(const struct rj_crdt *v, const struct rj_agree_names *names)
{
    return bits_of(v, names) != 0;
}

static uint64_t salt_of(const struct rj_crdt *v)
{
    uint8_t state[SUM_LEN];

    rj_be_store64(state, rj_dots_count(&v->seen));
    return rj_hash_64(&v->names->key, RJ_BYTES_OF(state));
}

static struct rj_span block(uint32_t origin, uint64_t number, unsigned bits)
{
    uint64_t from = number << bits;

    return (struct rj_span){from > 0 ? from : 1, from + (((uint64_t)1 << bits) - 1),
                            origin};
}

void rj_agree_put(const struct rj_crdt *v, const struct rj_agree_names *names,
                  struct rj_buf *out)
{
    unsigned bits = bits_of(v, names);
    uint64_t salt = salt_of(v), number;
    uint32_t i;

    rj_buf_u8(out, (uint8_t)bits);
    rj_buf_u64be(out, salt);
    for (i = 0; i < names->n; i++) {
        uint32_t origin = names->index[i];
        uint64_t n = blocks_of(&v->seen, origin, bits);

        for (number = 0; number < n; number++)
            rj_buf_u64be(out, rj_rows_sum(&v->rows, block(origin, number, bits), salt));
    }
}

/* Of v's rows in a block those that they have seen. */
static uint64_t sum_of(const struct rj_crdt *v, const struct rj_dots *theirs,
                       struct rj_span in, uint64_t salt)
{
    struct rj_dots_walk w = rj_dots_walk_from(theirs, in.origin, in.from);
    uint64_t sum = 0;
    struct rj_span span;

    while (rj_dots_next(&w, &span) && span.origin == in.origin && span.from <= in.to) {
        span.from = span.from > in.from ? span.from : in.from;
        span.to = span.to < in.to ? span.to : in.to;
        sum += rj_rows_sum(&v->rows, span, salt);
    }
    return sum;
}

enum rj_err rj_agree_get(const struct rj_crdt *v, const struct rj_agree_names *names,
                         const struct rj_dots *theirs, struct rj_bytes sums,
                         struct rj_dots *ret_same)
{
    struct rj_reader r = rj_reader_of(sums);
    unsigned bits = rj_reader_u8(&r);
    uint64_t salt = rj_reader_u64be(&r), number;
    enum rj_err err = RJ_OK;
    uint32_t i;

    if (r.failed || bits < BITS_MIN || bits > BITS_MAX)
        return RJ_ECORRUPT;
    for (i = 0; i < names->n; i++) {
        uint32_t origin = names->index[i];
        uint64_t n = blocks_of(theirs, origin, bits);

        if (n > rj_reader_left(&r) / SUM_LEN)
            return RJ_ECORRUPT;
        for (number = 0; err == RJ_OK && number < n; number++) {
            struct rj_span in = block(origin, number, bits);

            if (rj_reader_u64be(&r) == sum_of(v, theirs, in, salt))
                err = rj_dots_add(ret_same, in);
        }
    }
    return err == RJ_OK && !rj_reader_complete(&r) ? RJ_ECORRUPT : err;
}
