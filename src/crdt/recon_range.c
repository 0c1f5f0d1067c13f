/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of ids, split where their sums differ, until few enough parts are left to be
 * listed. One side tells, the other answers with a bit for each sum, and so finds all
 * that differs. As ids are hashes, ranges are prefixes and parts are spread evenly: so
 * nothing but bits and sums has to be told, and nobody can crowd a range.
 * Meyer 2023, "Range-based set reconciliation", section 3. */
#include "crdt/recon.h"

enum { SUM_LEN = 8 };

static struct rj_recon_range range_at(const struct rj_buf *open, size_t i)
{
    struct rj_recon_range range;

    memcpy(&range, open->ptr + i * sizeof(range), sizeof(range));
    return range;
}

static uint64_t width(const struct rj_recon_range *range)
{
    return (uint64_t)1 << (RJ_RECON_ID_BITS - range->bits);
}

static struct rj_recon_range child(const struct rj_recon_range *range, unsigned fan,
                                   uint64_t i)
{
    struct rj_recon_range c = {.bits = range->bits + fan};

    c.prefix = range->prefix + i * width(&c);
    return c;
}

static size_t end_of(const struct rj_parts *parts, const struct rj_recon_range *range)
{
    return rj_parts_at(parts, range->prefix + width(range));
}

static uint64_t sum_of(const struct rj_parts *parts, const struct rj_recon_range *range)
{
    size_t i = rj_parts_at(parts, range->prefix), end = end_of(parts, range);
    uint64_t sum = 0;

    for (; i < end; i++)
        sum += parts->items[i].again ? 0 : parts->items[i].high;
    return sum;
}

void rj_recon_ranges_begin(struct rj_recon_ranges *s)
{
    const struct rj_recon_range all = {0};

    rj_buf_clear(&s->open);
    rj_buf_append_raw(&s->open, &all, sizeof(all));
}

/* ---- the side that tells */

static void put_id(struct rj_buf *out, uint64_t id)
{
    rj_buf_u16be(out, (uint16_t)(id >> 32));
    rj_buf_u32be(out, (uint32_t)id);
}

static void put_list(const struct rj_parts *parts, size_t from, size_t to,
                     struct rj_buf *out)
{
    uint64_t n = 0;
    size_t i;

    for (i = from; i < to; i++)
        n += !parts->items[i].again;
    rj_buf_varint(out, 1 + n);
    for (i = from; i < to; i++) {
        if (!parts->items[i].again)
            put_id(out, rj_part_id(&parts->items[i]));
    }
}

static bool is_listed(const struct rj_recon_ranges *s, const struct rj_parts *parts,
                      unsigned fan, const struct rj_recon_range *range)
{
    return range->bits + fan > RJ_RECON_ID_BITS ||
           end_of(parts, range) - rj_parts_at(parts, range->prefix) <= s->list;
}

void rj_recon_ranges_put(const struct rj_recon_ranges *s, const struct rj_parts *parts,
                         unsigned fan, struct rj_buf *out)
{
    size_t n = rj_recon_ranges_n(s), k;
    uint64_t i;

    for (k = 0; k < n; k++) {
        struct rj_recon_range range = range_at(&s->open, k);
        size_t at = rj_parts_at(parts, range.prefix), end = end_of(parts, &range);

        if (is_listed(s, parts, fan, &range)) {
            put_list(parts, at, end, out);
            continue;
        }
        rj_buf_varint(out, 0);
        rj_buf_varint(out, fan);
        for (i = 0; i < (uint64_t)1 << fan; i++) {
            struct rj_recon_range c = child(&range, fan, i);

            rj_buf_u64be(out, sum_of(parts, &c));
        }
    }
}

enum rj_err rj_recon_ranges_answer(struct rj_recon_ranges *s,
                                   const struct rj_parts *parts, unsigned fan,
                                   struct rj_bytes answer)
{
    struct rj_buf open = {.allocator = s->open.allocator};
    size_t n = rj_recon_ranges_n(s), k;
    uint64_t i, bit = 0;

    for (k = 0; k < n; k++) {
        struct rj_recon_range range = range_at(&s->open, k);

        for (i = 0; !is_listed(s, parts, fan, &range) && i < (uint64_t)1 << fan; i++) {
            struct rj_recon_range c = child(&range, fan, i);

            if (bit / 8 >= answer.len) {
                rj_buf_done(&open);
                return RJ_EPROTO;
            }
            if ((answer.ptr[bit / 8] >> (bit % 8) & 1) != 0)
                rj_buf_append_raw(&open, &c, sizeof(c));
            bit++;
        }
    }
    rj_buf_done(&s->open);
    s->open = open;
    if (open.failed)
        return rj_buf_err(&open);
    return (bit + 7) / 8 == answer.len && rj_recon_ranges_n(s) > 0 ? RJ_OK : RJ_EPROTO;
}

/* ---- the side that answers */

/* Passes over our part, and notes it if they have not got it. */
static uint64_t pass(const struct rj_parts *parts, uint64_t at, struct rj_buf *mine)
{
    if (mine != NULL)
        rj_buf_append_raw(mine, &at, sizeof(at));
    for (at++; at < parts->n && parts->items[at].again; at++)
        continue;
    return at;
}

/* Their ids of a range, ascending, against ours. */
static bool compare_list(const struct rj_parts *parts, const struct rj_recon_range *range,
                         uint64_t n, struct rj_reader *r, struct rj_recon_diff *diff)
{
    uint64_t at = rj_parts_at(parts, range->prefix), end = end_of(parts, range), i, last;

    if (n > rj_reader_left(r) / RJ_RECON_ID_LEN)
        return false;
    for (i = 0, last = 0; i < n; i++) {
        uint64_t id = (uint64_t)rj_reader_u16be(r) << 32;

        id |= rj_reader_u32be(r);
        if (id - range->prefix >= width(range) || (i > 0 && id < last))
            return false;
        while (at < end && rj_part_id(&parts->items[at]) < id)
            at = pass(parts, at, &diff->mine);
        if (at < end && rj_part_id(&parts->items[at]) == id)
            at = pass(parts, at, NULL);
        else
            rj_buf_append_raw(&diff->theirs, &id, sizeof(id));
        last = id;
    }
    while (at < end)
        at = pass(parts, at, &diff->mine);
    return true;
}

struct answering {
    const struct rj_parts *parts;
    struct rj_reader r;
    struct rj_buf *bits, *open;
    uint8_t byte;
    unsigned n; /* bits in byte */
};

static void answer_bit(struct answering *a, bool bit)
{
    a->byte = (uint8_t)(a->byte | (unsigned)bit << a->n);
    if (++a->n < 8)
        return;
    rj_buf_u8(a->bits, a->byte);
    a->byte = 0;
    a->n = 0;
}

static bool compare_sums(struct answering *a, const struct rj_recon_range *range)
{
    uint64_t fan = rj_reader_varint(&a->r), i;

    if (fan == 0 || fan > RJ_RECON_FAN_MAX || range->bits + fan > RJ_RECON_ID_BITS ||
        (uint64_t)1 << fan > rj_reader_left(&a->r) / SUM_LEN)
        return false;
    for (i = 0; i < (uint64_t)1 << fan; i++) {
        struct rj_recon_range c = child(range, (unsigned)fan, i);
        bool differs = rj_reader_u64be(&a->r) != sum_of(a->parts, &c);

        answer_bit(a, differs);
        if (differs)
            rj_buf_append_raw(a->open, &c, sizeof(c));
    }
    return true;
}

enum rj_err rj_recon_ranges_get(struct rj_recon_ranges *s, const struct rj_parts *parts,
                                struct rj_bytes bytes, struct rj_recon_diff *diff,
                                struct rj_buf *answer)
{
    struct rj_buf open = {.allocator = s->open.allocator};
    struct answering a = {
        .parts = parts, .r = rj_reader_of(bytes), .bits = answer, .open = &open};
    size_t n = rj_recon_ranges_n(s), k;
    bool holds = true;

    for (k = 0; holds && k < n; k++) {
        struct rj_recon_range range = range_at(&s->open, k);
        uint64_t head = rj_reader_varint(&a.r);

        holds = !a.r.failed &&
                (head == 0 ? compare_sums(&a, &range)
                           : compare_list(parts, &range, head - 1, &a.r, diff));
    }
    if (a.n > 0)
        rj_buf_u8(answer, a.byte);
    rj_buf_done(&s->open);
    s->open = open;
    if (!holds || !rj_reader_complete(&a.r))
        return RJ_EPROTO;
    if (open.failed)
        return rj_buf_err(&open);
    if (diff->mine.failed || diff->theirs.failed)
        return diff->mine.failed ? rj_buf_err(&diff->mine) : rj_buf_err(&diff->theirs);
    return rj_buf_err(answer);
}
