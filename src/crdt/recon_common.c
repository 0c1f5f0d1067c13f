/* SPDX-License-Identifier: Apache-2.0 */
/* What two sides made apart they have twice, under their own dots each: a digest of one
 * would not cover what the other has, and all would be sent again. So, when both hold the
 * same, each names it anew by itself: rows in the order of their hashes get the dots 1,
 * 2, 3, ... of a replica that is called by a hash of all that. Equal rows give equal
 * names; the old dots are seen and gone, on both sides.
 *
 * Who has copies of the old rows drops them when it joins either side, and takes the new
 * ones: a removal that it made meanwhile did not see these, and loses. */
#include "base/be.h"
#include "crdt/recon.h"

struct naming {
    const struct rj_crdt *all; /* what both hold */
    struct rj_crdt *delta;
    struct rj_parts parts; /* of all */
    uint32_t name;
};

/* All that either side has seen. */
static enum rj_err see_all(struct naming *n, const struct rj_dots *theirs)
{
    n->delta->seen.allocator = n->delta->allocator;
    return rj_dots_union(&n->delta->seen, &n->all->seen, theirs);
}

/* By what both hold, and have seen: so no name comes twice. */
static enum rj_err choose_name(struct naming *n, const struct rj_hash_key *key)
{
    const struct rj_recon_sum *sum = &n->parts.sum;
    struct rj_crdt_buf seen = {.allocator = n->delta->allocator};
    enum rj_err err = rj_code_digest(n->delta, false, &seen);
    struct rj_hash_128 hash = rj_hash_128(key, rj_crdt_bytes(&seen));
    uint8_t name[16];

    rj_crdt_buf_free(&seen);
    rj_be_store64(name, hash.low ^ sum->low);
    rj_be_store64(name + 8, hash.high ^ sum->high);
    hash = rj_hash_128(key, RJ_BYTES_OF(name));
    rj_be_store64(name, hash.low);
    rj_be_store64(name + 8, hash.high);
    return err == RJ_OK ? rj_roster_add(n->delta->names, RJ_BYTES_OF(name), &n->name)
                        : err;
}

static enum rj_err name_rows(struct naming *n)
{
    uint64_t seq = 0;
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < n->parts.n; i++) {
        struct rj_part part = n->parts.items[i];
        struct rj_dot dot = part.named ? part.dot : (struct rj_dot){seq + 1, n->name};

        if (part.again)
            continue;
        err = rj_part_copy(n->all, &part, dot, n->delta);
        seq += !part.named;
    }
    return err;
}

enum rj_err rj_recon_common(const struct rj_crdt *v, const struct rj_crdt *gain,
                            const struct rj_dots *theirs, const struct rj_hash_key *key,
                            struct rj_crdt **ret_delta)
{
    struct rj_crdt *all = rj_crdt_blank(v);
    struct naming n = {.all = all, .delta = rj_crdt_blank(v)};
    enum rj_err err = all != NULL && n.delta != NULL ? RJ_OK : RJ_ENOMEM;

    if (err == RJ_OK)
        err = rj_crdt_join(all, v, NULL);
    if (err == RJ_OK)
        err = rj_crdt_join(all, gain, NULL);
    if (err == RJ_OK)
        err = rj_parts_init(&n.parts, all, key);
    if (err == RJ_OK)
        err = see_all(&n, theirs);
    if (err == RJ_OK)
        err = choose_name(&n, key);
    if (err == RJ_OK)
        err = name_rows(&n);
    if (err == RJ_OK) {
        *ret_delta = n.delta;
        n.delta = NULL;
    }
    rj_parts_done(&n.parts);
    rj_crdt_free(n.delta);
    rj_crdt_free(all);
    return err;
}
