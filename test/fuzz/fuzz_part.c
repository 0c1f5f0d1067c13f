/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a state transfer: what is refused changes nothing; what is taken can be taken
 * again to no effect, stored and loaded. Input: for each of four origins u8 the entry of
 * S and u8 that of C; u8 the number of keys (the highest bit says that the part is full,
 * the next one that deletions win); the part. It is joined with the state that a few
 * writes of two origins make. */
#include "buckets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint32_t dict[] = {0, 1, 2, 3};

static void apply(struct fuzz_bucket *f, uint32_t author, const char *op, size_t len)
{
    struct rj_batch_view view = {.origin = author,
                                 .first = rj_vv_get(&f->have, author) + 1,
                                 .count = 1,
                                 .stamp = 3,
                                 .dict = dict + author,
                                 .dict_n = 1,
                                 .ops = rj_bytes_of(op, len)};

    fuzz_must(f->k->ops->check(f->k, &view) == RJ_OK);
    fuzz_must(f->k->ops->apply(f->k, &view, NULL) == RJ_OK);
    fuzz_must(rj_vv_put(&f->have, author, view.first) == RJ_OK);
}

/* SET k v; INCR k by -1; SADD k e, until 9; DEL k with a reset. */
static void fill(struct fuzz_bucket *f)
{
    static const char set[] = "\x85\x01\x41k\x41v\x00\xf6";
    static const char incr[] = "\x8e\x03\x41k\xf6\xf6\x02\x00\x00\x20\xf6\xf6\x00\x80\x80"
                               "\xf6";
    static const char sadd[] = "\x86\x04\x41k\x41"
                               "e\x09\x80\xf6";
    static const char del[] = "\x83\x02\x41n\x83\x80\x85\x00\x01\x01\x05\x00\x80";

    apply(f, 0, set, sizeof(set) - 1);
    apply(f, 0, incr, sizeof(incr) - 1);
    apply(f, 1, sadd, sizeof(sadd) - 1);
    apply(f, 1, del, sizeof(del) - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_reader r = rj_reader_of(rj_bytes_of(data, len));
    struct rj_batch_view part = {.dict = dict, .dict_n = FUZZ_ORIGINS};
    const struct rj_given given = {.range = {0, UINT64_MAX}, .part = &part};
    struct rj_vv S = {0}, C = {0};
    struct fuzz_bucket f, untouched;
    enum rj_err err;
    uint8_t flags;

    for (uint32_t o = 0; o < FUZZ_ORIGINS; o++) {
        fuzz_must(rj_vv_put(&S, o, rj_reader_u8(&r)) == RJ_OK);
        fuzz_must(rj_vv_put(&C, o, rj_reader_u8(&r)) == RJ_OK);
    }
    flags = rj_reader_u8(&r);
    part.count = flags & 0x3f;
    fuzz_delete_wins = (flags & 0x40) != 0;
    part.ops = rj_reader_rest(&r);
    fuzz_open(&f);
    fuzz_open(&untouched);
    fill(&f);
    fill(&untouched);
    err = f.k->ops->take(f.k, &given, &S, &C, flags >= 0x80);
    fuzz_must(err == RJ_OK || err == RJ_ECORRUPT);
    if (err == RJ_OK) {
        struct rj_sum once = fuzz_sum(&f), twice;

        fuzz_must(f.k->ops->take(f.k, &given, &S, &C, flags >= 0x80) == RJ_OK);
        twice = fuzz_sum(&f);
        fuzz_must(once.lo == twice.lo && once.hi == twice.hi);
    } else {
        fuzz_must_equal(&f, &untouched);
    }
    fuzz_must_persist(&f);
    fuzz_close(&f);
    fuzz_close(&untouched);
    rj_vv_done(&S);
    rj_vv_done(&C);
    return 0;
}
