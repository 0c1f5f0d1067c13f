/* SPDX-License-Identifier: Apache-2.0 */
/* Deltas of convergent values. First byte: the type (and 0x80: it may forget); the rest:
 * an encoded value, joined with one that has something already. What is refused changes
 * nothing; what is taken has one form, shows something or says why not, and is known the
 * second time. */
#include <rejoin/crdt.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool same(const struct rj_crdt_buf *a, const struct rj_crdt_buf *b)
{
    return a->len == b->len && memcmp(a->ptr, b->ptr, a->len) == 0;
}

/* Some change of every type: those that the type does not know are refused. */
static void fill(struct rj_crdt *v)
{
    static const struct rj_bytes key = {(const uint8_t *)"k", 1};
    struct rj_crdt_op op = {.size = sizeof(op), .keys = &key, .n_keys = 1, .amount = 3};
    unsigned code, at;

    op.value = key;
    op.tag = key;
    op.stamp = 2;
    for (code = 1; code < RJ_CRDT_CODE_END; code++) {
        op.code = (enum rj_crdt_code)code;
        if (code != RJ_CRDT_CLEAR && code != RJ_CRDT_REMOVE)
            (void)!rj_crdt_write(v, &op, NULL);
    }
    op.path = &key;
    op.n_path = 1;
    for (at = 1; at < RJ_CRDT_TYPE_END; at++) {
        op.at = (enum rj_crdt_type)at;
        for (code = 1; code < RJ_CRDT_CODE_END; code++) {
            op.code = (enum rj_crdt_code)code;
            if (rj_crdt_type(v) == RJ_CRDT_ORMAP && code != RJ_CRDT_REMOVE)
                (void)!rj_crdt_write(v, &op, NULL);
        }
    }
}

static void check_taken(const struct rj_crdt_opts *opts, struct rj_crdt *v,
                        struct rj_bytes input)
{
    struct rj_crdt_buf once = {0}, again = {0}, json = {0};
    struct rj_crdt_row row;
    struct rj_crdt *copy = NULL;
    uint64_t cursor = 0;
    enum rj_err err = rj_crdt_json(v, &json);

    must(err == RJ_OK || err == RJ_ERANGE || err == RJ_ELIMIT || err == RJ_ENOMEM);
    while (rj_crdt_next(v, &cursor, &row) == RJ_OK)
        must(row.seq > 0 && row.replica.len > 0);
    must(rj_crdt_encode(v, &once) == RJ_OK);
    must(rj_crdt_decode(opts, rj_crdt_bytes(&once), &copy) == RJ_OK);
    must(rj_crdt_encode(copy, &again) == RJ_OK && same(&once, &again));
    must(rj_crdt_join_bytes(v, input, NULL) == RJ_OK);
    must(rj_crdt_encode(v, &again) == RJ_OK && same(&once, &again));
    rj_crdt_free(copy);
    rj_crdt_buf_free(&once);
    rj_crdt_buf_free(&again);
    rj_crdt_buf_free(&json);
}

/* What is taken as a value has one form. */
static void check_decoded(const struct rj_crdt_opts *opts, struct rj_bytes input)
{
    struct rj_crdt_buf again = {0};
    struct rj_crdt *v = NULL;

    if (rj_crdt_decode(opts, input, &v) == RJ_OK)
        must(rj_crdt_encode(v, &again) == RJ_OK && again.len == input.len &&
             memcmp(again.ptr, input.ptr, again.len) == 0);
    rj_crdt_free(v);
    rj_crdt_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_crdt_opts opts = {.size = sizeof(opts)};
    struct rj_crdt_buf before = {0}, after = {0};
    struct rj_bytes input = {data, len};
    struct rj_crdt *v = NULL;

    if (len == 0 || (data[0] & 0x7f) >= RJ_CRDT_TYPE_END)
        return 0;
    opts.type = (enum rj_crdt_type)(data[0] & 0x7f);
    opts.rules.size = sizeof(opts.rules);
    opts.rules.horizon = data[0] >> 7;
    opts.replica = (struct rj_bytes){(const uint8_t *)"me", 2};
    if (rj_crdt_new(&opts, &v) != RJ_OK)
        return 0;
    opts.replica = (struct rj_bytes){0};
    input.ptr++;
    input.len--;
    check_decoded(&opts, input);
    fill(v);
    must(rj_crdt_encode(v, &before) == RJ_OK);
    if (rj_crdt_join_bytes(v, input, NULL) == RJ_OK)
        check_taken(&opts, v, input);
    else
        must(rj_crdt_encode(v, &after) == RJ_OK && same(&before, &after));
    rj_crdt_free(v);
    rj_crdt_buf_free(&before);
    rj_crdt_buf_free(&after);
    return 0;
}
