/* SPDX-License-Identifier: Apache-2.0 */
/* Names and values copied out of the bucket, for commands that read and then write. They
 * are kept one behind the other, each after its length, and get their pointers when the
 * memory moves no more. */
#include "base/alloc.h"
#include "causal/kind.h"
#include "face/resp_cmd.h"

void rj_resp_list_add(struct rj_resp_list *l, struct rj_bytes item)
{
    if (l->bytes.limit == 0)
        l->bytes.limit = (size_t)RJ_BATCH_OPS_MAX + RJ_VALUE_MAX;
    rj_buf_append_raw(&l->bytes, &item.len, sizeof(item.len));
    rj_buf_append(&l->bytes, item);
    l->n++;
}

enum rj_err rj_resp_list_close(struct rj_resp_list *l)
{
    const uint8_t *p = l->bytes.ptr;

    if (l->bytes.failed)
        return rj_buf_err(&l->bytes);
    l->items = rj_alloc_array(l->n, sizeof(*l->items));
    if (l->items == NULL)
        return RJ_ENOMEM;
    for (size_t i = 0; i < l->n; i++) {
        size_t len;

        memcpy(&len, p, sizeof(len));
        l->items[i] = rj_bytes_of(p + sizeof(len), len);
        p += sizeof(len) + len;
    }
    return RJ_OK;
}

void rj_resp_list_done(struct rj_resp_list *l)
{
    rj_buf_done(&l->bytes);
    free(l->items);
    *l = (struct rj_resp_list){0};
}

enum rj_err rj_resp_list_read(struct rj_resp_list *l, struct rj_bucket *b,
                              struct rj_bytes key, bool values)
{
    struct rj_bytes after;
    struct rj_pair pair;
    enum rj_err err = rj_bucket_next(b, key, NULL, &pair);

    while (err == RJ_OK && !l->bytes.failed) {
        rj_resp_list_add(l, pair.field);
        if (values)
            rj_resp_list_add(l, pair.value);
        after = pair.field;
        err = rj_bucket_next(b, key, &after, &pair);
    }
    return err == RJ_ENOENT || err == RJ_OK ? rj_buf_err(&l->bytes) : err;
}
