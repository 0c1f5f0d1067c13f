/* SPDX-License-Identifier: Apache-2.0 */
/* Texts as tests change them and send them to one another. */
#ifndef RJ_TEST_CRDT_SEQ_H
#define RJ_TEST_CRDT_SEQ_H

#include "support/crdt_value.h"

static inline enum rj_err text_insert(struct rj_crdt *v, uint64_t pos, const char *text,
                                      struct rj_crdt_buf *ret_delta)
{
    struct rj_crdt_op op = crdt_op(RJ_CRDT_INSERT);

    op.pos = pos;
    op.value = rj_bytes_from_str(text);
    return rj_crdt_write(v, &op, ret_delta);
}

static inline enum rj_err text_erase(struct rj_crdt *v, uint64_t pos, uint64_t count,
                                     struct rj_crdt_buf *ret_delta)
{
    struct rj_crdt_op op = crdt_op(RJ_CRDT_DELETE);

    op.pos = pos;
    op.count = count;
    return rj_crdt_write(v, &op, ret_delta);
}

/* `to` asks for what it lacks, and takes it. */
static inline void send_difference(const struct rj_crdt *from, struct rj_crdt *to)
{
    struct rj_crdt_buf digest = {0}, delta = {0};

    assert_ok(rj_crdt_digest(to, &digest));
    assert_ok(rj_crdt_diff(from, rj_crdt_bytes(&digest), &delta));
    assert_ok(rj_crdt_join_bytes(to, rj_crdt_bytes(&delta), NULL));
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&delta);
}

#endif
