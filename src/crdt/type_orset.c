/* SPDX-License-Identifier: Apache-2.0 */
/* Set in which an add wins over a concurrent remove, without tombstones: an element is a
 * place with at least one row. An add writes a row and takes away those it sees; a remove
 * takes away those it sees.
 * Bieniusa et al. 2012, "An optimized conflict-free replicated set"; Almeida, Shoker,
 * Baquero 2018, section 7.3. */
#include "crdt/value.h"

static enum rj_err change(const struct rj_site *s)
{
    const struct rj_crdt_op *op = s->op;
    const struct rj_bytes nothing = {0};
    enum rj_err err = RJ_OK;
    size_t i;

    if (op->code == RJ_CRDT_CLEAR)
        return rj_site_kill_under(s);
    if (op->code != RJ_CRDT_ADD && op->code != RJ_CRDT_REMOVE)
        return RJ_EINVAL;
    for (i = 0; err == RJ_OK && i < op->n_keys; i++) {
        err = rj_site_kill(s, op->keys[i]);
        if (err == RJ_OK && op->code == RJ_CRDT_ADD)
            err = rj_site_put(s, op->keys[i], nothing);
    }
    return err;
}

const struct rj_type rj_type_orset = {
    .number = RJ_CRDT_ORSET,
    .name = "orset",
    .change = change,
};
