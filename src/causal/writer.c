/* SPDX-License-Identifier: Apache-2.0 */
/* The pending batch: writes are appended by the kinds, cut by the engine. */
#include "base/alloc.h"
#include "causal/kind.h"

enum rj_err rj_writer_dict(struct rj_writer *w, uint32_t origin, uint32_t *ret_number)
{
    uint32_t i;

    for (i = w->dict_n; i-- > 0;) {
        if (w->dict[i] == origin) {
            *ret_number = i;
            return RJ_OK;
        }
    }
    return rj_writer_dict_add(w, origin, ret_number);
}

enum rj_err rj_writer_dict_add(struct rj_writer *w, uint32_t origin, uint32_t *ret_number)
{
    if (w->dict_n >= (w->dict_max != 0 ? w->dict_max : RJ_BATCH_DICT_MAX))
        return RJ_ELIMIT;
    if (w->dict_n == w->dict_cap) {
        uint32_t cap = w->dict_cap != 0 ? w->dict_cap * 2 : 8;
        uint32_t *dict = rj_alloc_resize(w->dict, cap, sizeof(*dict));

        if (dict == NULL)
            return RJ_ENOMEM;
        w->dict = dict;
        w->dict_cap = cap;
    }
    w->dict[w->dict_n] = origin;
    *ret_number = w->dict_n++;
    return RJ_OK;
}

void rj_writer_wrote(struct rj_writer *w)
{
    w->count++;
}

enum rj_err rj_writer_room(const struct rj_writer *w, size_t size_bytes)
{
    if (w->refuse != RJ_OK)
        return w->refuse;
    if (size_bytes > RJ_BATCH_OPS_MAX)
        return RJ_ELIMIT;
    if (w->count >= RJ_BATCH_WRITES_MAX || w->ops.len + size_bytes > RJ_BATCH_OPS_MAX ||
        w->dict_n + 64 > RJ_BATCH_DICT_MAX)
        return w->atomic ? RJ_ELIMIT : RJ_EBUSY;
    return RJ_OK;
}
