/* SPDX-License-Identifier: Apache-2.0 */
/* The bucket's table of calls, opening and closing, atomic groups. */
#include "bucket/bucket.h"

#include "base/alloc.h"
#include "bucket/state.h"

static void drop_keys(struct rj_bucket *b)
{
    struct rj_bkey *k = rj_table_from(&b->table, 0), *next;

    for (; k != NULL; k = next) {
        next = rj_table_next(&b->table, k);
        rj_bkey_free(k);
    }
    rj_table_done(&b->table);
    rj_due_done(&b->due);
    b->dirty = NULL;
}

static void clear(struct rj_kind *kind)
{
    struct rj_bucket *b = rj_bucket_of(kind);

    drop_keys(b);
    memset(b->forever, 0, sizeof(b->forever));
    memset(b->timed, 0, sizeof(b->timed));
    b->n_live = 0;
    b->wiped = true;
}

static void close_bucket(struct rj_kind *kind)
{
    struct rj_bucket *b;

    if (kind == NULL)
        return;
    b = rj_bucket_of(kind);
    drop_keys(b);
    rj_bop_done(&b->op);
    rj_bop_done(&b->old_op);
    rj_buf_done(&b->prefix);
    rj_buf_done(&b->text);
    rj_buf_done(&b->record);
    rj_buf_done(&b->record_key);
    free(b->steps);
    free(b->scan);
    free(b);
}

static const struct rj_kind_ops bucket_ops = {
    .check = rj_apply_check,
    .apply = rj_apply_batch,
    .reissue = rj_reissue,
    .again = rj_again,
    .collect = rj_persist_collect,
    .load = rj_persist_load,
    .sum = rj_digest_sum,
    .sum_part = rj_transfer_sum,
    .give = rj_transfer_give,
    .cut = rj_branch_cut,
    .take = rj_transfer_take,
    .expire = rj_expiry_drop,
    .clear = clear,
    .close = close_bucket,
};

static bool is_prefix(struct rj_bytes prefix)
{
    size_t i;

    for (i = 0; i < prefix.len; i++) {
        if (prefix.ptr[i] != UINT8_MAX)
            return true;
    }
    return false;
}

enum rj_err rj_bucket_open(const struct rj_bucket_config *c,
                           struct rj_bucket **ret_bucket)
{
    static const char sum_text[] = "sum";
    uint8_t material[RJ_BUCKET_SEED_LEN + sizeof(sum_text)];
    struct rj_bucket *b;

    if (!is_prefix(c->prefix))
        return RJ_EINVAL;
    b = rj_alloc_zero(1, sizeof(*b));
    if (b == NULL)
        return RJ_ENOMEM;
    b->kind = (struct rj_kind){
        .ops = &bucket_ops, .writer = c->writer, .origins = c->origins, .have = c->have};
    b->delete_wins = c->delete_wins;
    rj_table_init(&b->table);
    rj_due_init(&b->due);
    memcpy(material, c->seed, sizeof(c->seed));
    memcpy(material + sizeof(c->seed), sum_text, sizeof(sum_text));
    rj_hash_key_init(&b->position_key, RJ_BYTES_OF(c->seed));
    b->naming = rj_dotmap_naming(&b->position_key);
    rj_hash_key_init(&b->sum_key, RJ_BYTES_OF(material));
    rj_buf_append(&b->prefix, c->prefix);
    if (b->prefix.failed) {
        free(b);
        return RJ_ENOMEM;
    }
    *ret_bucket = b;
    return RJ_OK;
}

void rj_bucket_set_now(struct rj_bucket *b, struct rj_now now)
{
    b->now_ms = now.wall.ms;
}

struct rj_kind *rj_bucket_kind(struct rj_bucket *b)
{
    return &b->kind;
}

/* ---- atomic groups */

enum rj_err rj_bucket_begin(struct rj_bucket *b)
{
    struct rj_writer *w = b->kind.writer;
    enum rj_err err = rj_writer_room(w, 0);

    if (w->atomic)
        return RJ_EINVAL;
    if (w->partial) /* what it overwrites was not seen at one vector */
        return RJ_EJOINING;
    if (err != RJ_OK)
        return err;
    /* Half a batch must be left for the group. */
    if (w->count > RJ_BATCH_WRITES_MAX / 2 || w->ops.len > RJ_BATCH_BODY_MAX / 2 ||
        w->dict_n > RJ_BATCH_DICT_MAX / 2)
        return RJ_EBUSY;
    w->atomic = true;
    return RJ_OK;
}

void rj_bucket_end(struct rj_bucket *b)
{
    b->kind.writer->atomic = false;
}
