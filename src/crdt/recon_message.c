/* SPDX-License-Identifier: Apache-2.0 */
/* What the messages of a reconciliation are made of: contexts, sums, rows, ids that are
 * wanted. Nothing that is read here is believed to be asked for; what rows say is judged
 * as any delta is. */
#include "base/cbor.h"
#include "crdt/recon.h"

void rj_recon_put_built(struct rj_recon_turn *t, struct rj_buf *take_bytes)
{
    rj_cbor_put_bytes(&t->out, rj_buf_view(take_bytes));
    if (take_bytes->failed)
        rj_buf_fail(&t->out, rj_buf_err(take_bytes));
    rj_buf_done(take_bytes);
}

/* What a call wrote that ended with err. */
static enum rj_err put_written(struct rj_recon_turn *t, enum rj_err err,
                               struct rj_crdt_buf *take_bytes)
{
    if (err == RJ_OK)
        rj_cbor_put_bytes(&t->out, rj_crdt_bytes(take_bytes));
    rj_crdt_buf_free(take_bytes);
    return err;
}

void rj_recon_put_context(const struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    struct rj_crdt_buf digest = {.allocator = r->v->allocator};
    enum rj_err err = put_written(t, rj_code_digest(r->v, false, &digest), &digest);

    if (err != RJ_OK)
        rj_buf_fail(&t->out, err);
}

void rj_recon_put_sum(struct rj_recon_turn *t, const struct rj_recon_sum *sum)
{
    uint8_t bytes[16];

    rj_be_store64(bytes, sum->low);
    rj_be_store64(bytes + 8, sum->high);
    rj_cbor_put_bytes(&t->out, RJ_BYTES_OF(bytes));
}

bool rj_recon_is_sum(struct rj_recon_turn *t, const struct rj_recon_sum *sum)
{
    uint8_t bytes[16];

    rj_cbor_get_fixed(&t->in, bytes, sizeof(bytes));
    return rj_be_load64(bytes) == sum->low && rj_be_load64(bytes + 8) == sum->high;
}

void rj_recon_put_symbols(const struct rj_crdt_recon *r, struct rj_recon_turn *t,
                          uint64_t from, uint64_t to)
{
    struct rj_buf b = {.allocator = r->v->allocator};

    rj_recon_symbols_put(&r->parts, &r->roots, r->salt, (uint64_t[2]){from, to}, &b);
    rj_recon_put_built(t, &b);
}

enum rj_err rj_recon_get_context(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    struct rj_bytes digest = rj_cbor_get_bytes(&t->in);
    enum rj_err err;
    size_t i;

    if (t->in.failed)
        return RJ_EPROTO;
    if (digest.len == 0)
        return r->knows_theirs ? RJ_OK : RJ_EPROTO;
    rj_dots_clear(&r->theirs);
    err = rj_code_get_digest(r->v, digest, &r->theirs, NULL, NULL);
    r->knows_theirs = true;
    r->apart = r->parts.n > 0;
    for (i = 0; i < r->parts.n; i++)
        r->apart = r->apart && (r->parts.items[i].named ||
                                !rj_dots_has(&r->theirs, r->parts.items[i].dot));
    return err;
}

enum rj_err rj_recon_get_rows(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    struct rj_bytes delta = rj_cbor_get_bytes(&t->in);

    return t->in.failed ? RJ_EPROTO : rj_crdt_join_bytes(r->gain, delta, NULL);
}

/* Of a part that is ours alone: what the other has seen it has no more, so it goes here;
 * all else is told. */
static enum rj_err tell_row(struct rj_crdt_recon *r, const struct rj_part *part,
                            struct rj_crdt *delta)
{
    return rj_dots_has(&r->theirs, part->dot)
               ? rj_dots_note(&r->gain->seen, part->dot)
               : rj_part_copy(r->v, part, part->dot, delta);
}

enum rj_err rj_recon_put_rows(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    struct rj_crdt_buf bytes = {.allocator = r->v->allocator};
    struct rj_crdt *delta = rj_crdt_blank(r->v);
    enum rj_err err = delta != NULL ? RJ_OK : RJ_ENOMEM;
    size_t n = rj_recon_n(&r->diff.mine), i;
    uint64_t at;

    for (i = 0; err == RJ_OK && i < n; i++) {
        memcpy(&at, r->diff.mine.ptr + i * sizeof(at), sizeof(at));
        do
            err = tell_row(r, &r->parts.items[at++], delta);
        while (err == RJ_OK && at < r->parts.n && r->parts.items[at].again);
    }
    if (err == RJ_OK)
        err = rj_code_encode(delta, &bytes);
    rj_crdt_free(delta);
    return put_written(t, err, &bytes);
}

enum rj_err rj_recon_put_diff(const struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    struct rj_crdt_buf delta = {.allocator = r->v->allocator};

    return put_written(t, rj_diff_encode(r->v, &r->theirs, NULL, &delta), &delta);
}

/* ---- what both have, what is wanted */

struct rj_recon_sum rj_recon_common_sum(const struct rj_crdt_recon *r)
{
    struct rj_recon_sum sum = r->parts.sum;
    size_t n = rj_recon_n(&r->diff.mine), i;
    uint64_t at;

    for (i = 0; i < n; i++) {
        memcpy(&at, r->diff.mine.ptr + i * sizeof(at), sizeof(at));
        rj_recon_sum_sub(&sum, &r->parts.items[at]);
    }
    return sum;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

void rj_recon_put_wanted(struct rj_crdt_recon *r, struct rj_recon_turn *t)
{
    struct rj_buf ids = {.allocator = r->v->allocator};
    size_t n = rj_recon_n(&r->diff.theirs), i;
    uint64_t id;

    if (n > 1)
        qsort(r->diff.theirs.ptr, n, sizeof(id), by_number);
    for (i = 0; i < n; i++) {
        memcpy(&id, r->diff.theirs.ptr + i * sizeof(id), sizeof(id));
        rj_buf_u16be(&ids, (uint16_t)(id >> 32));
        rj_buf_u32be(&ids, (uint32_t)id);
    }
    rj_recon_put_built(t, &ids);
}

enum rj_err rj_recon_get_wanted(struct rj_crdt_recon *r, struct rj_bytes ids)
{
    struct rj_reader in = rj_reader_of(ids);
    uint64_t last = 0;

    rj_buf_clear(&r->diff.mine);
    if (ids.len % RJ_RECON_ID_LEN != 0)
        return RJ_EPROTO;
    while (rj_reader_left(&in) > 0) {
        uint64_t id = (uint64_t)rj_reader_u16be(&in) << 32 | rj_reader_u32be(&in), at;

        at = rj_parts_at(&r->parts, id);
        if (at == r->parts.n || rj_part_id(&r->parts.items[at]) != id ||
            (r->diff.mine.len > 0 && id <= last))
            return RJ_EPROTO;
        rj_buf_append_raw(&r->diff.mine, &at, sizeof(at));
        last = id;
    }
    return rj_buf_err(&r->diff.mine);
}
