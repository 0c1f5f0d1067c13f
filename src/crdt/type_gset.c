/* SPDX-License-Identifier: Apache-2.0 */
/* Set that only grows: a row for each element. Shapiro et al. 2011, "A comprehensive
 * study of CRDTs", 3.3.1. */
#include "crdt/value.h"

static enum rj_err change(const struct rj_site *s)
{
    enum rj_err err = s->op->code == RJ_CRDT_ADD ? RJ_OK : RJ_EINVAL;
    size_t i;

    for (i = 0; err == RJ_OK && i < s->op->n_keys; i++)
        err = rj_site_grow(s, s->op->keys[i]);
    return err;
}

const struct rj_type rj_type_gset = {
    .number = RJ_CRDT_GSET,
    .name = "gset",
    .change = change,
    .beats = rj_row_is_lesser,
};
