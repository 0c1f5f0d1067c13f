/* SPDX-License-Identifier: Apache-2.0 */
/* A side of a reconciliation that is told anything. First byte: whether it begins; then
 * messages, each behind its length (2 bytes, big-endian). It refuses or answers; it comes
 * to an end; what it says to have got can be joined, or is refused. */
#include <rejoin/crdt.h>
#include <stdlib.h>
#include <string.h>

enum { ELEMENTS = 100, TURNS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* The elements whose number is no multiple of 7. */
static struct rj_crdt *make(void)
{
    struct rj_crdt_opts opts = {.size = sizeof(opts),
                                .type = RJ_CRDT_ORSET,
                                .replica = {(const uint8_t *)"me", 2}};
    struct rj_crdt *v = NULL;
    uint8_t i;

    must(rj_crdt_new(&opts, &v) == RJ_OK);
    for (i = 0; i < ELEMENTS; i++) {
        if (i % 7 != 0)
            must(rj_crdt_add(v, (struct rj_bytes){&i, 1}, NULL) == RJ_OK);
    }
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_crdt *v = make();
    struct rj_bytes key = {(const uint8_t *)"sixteen bytes it is", 19}, in = {0};
    struct rj_crdt_buf out = {0}, delta = {0};
    struct rj_crdt_recon *r = NULL;
    unsigned turns = 0;
    bool done = false;
    size_t at = 1;

    must(rj_crdt_recon_new(v, RJ_CRDT_AUTO, key, &r) == RJ_OK);
    if (len > 0 && (data[0] & 1) != 0)
        must(rj_crdt_recon_turn(r, in, &out, &delta, &done) == RJ_OK);
    while (!done && at + 2 <= len) {
        in.len = (size_t)data[at] << 8 | data[at + 1];
        in.ptr = data + at + 2;
        at += 2;
        if (in.len == 0 || in.len > len - at)
            break;
        at += in.len;
        if (rj_crdt_recon_turn(r, in, &out, &delta, &done) != RJ_OK)
            break;
        must(++turns <= TURNS_MAX);
    }
    rj_crdt_recon_free(r);
    if (done)
        must(rj_crdt_join_bytes(v, rj_crdt_bytes(&delta), NULL) == RJ_OK ||
             delta.len > 0);
    rj_crdt_free(v);
    rj_crdt_buf_free(&out);
    rj_crdt_buf_free(&delta);
    return 0;
}
