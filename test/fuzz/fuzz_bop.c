/* SPDX-License-Identifier: Apache-2.0 */
/* Writes of a bucket, well-formed or not, honest or not: what check accepts can be
 * applied, in every order that delivery allows gives one state, and can be stored, loaded
 * and taken over. Input: repeated { u8 of which the low two bits are the author and the
 * rest the stamp; u8 length; one operation }; each is a batch of its own, origins are
 * numbered from the author on. */
#include "buckets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { BATCHES_MAX = 64 };

struct batches {
    struct rj_batch_view view[BATCHES_MAX];
    uint32_t dict[FUZZ_ORIGINS][FUZZ_ORIGINS];
    bool there[BATCHES_MAX]; /* in the second bucket */
    unsigned n;
};

/* Applies a batch that is the next one of its author; false: it has to wait, or it is
 * none. */
static bool apply(struct fuzz_bucket *f, const struct rj_batch_view *batch)
{
    struct rj_batch_view view = *batch;

    view.have = &f->have;
    if (f->k->ops->check(f->k, &view) != RJ_OK)
        return false;
    fuzz_must(f->k->ops->apply(f->k, &view, NULL) == RJ_OK);
    fuzz_must(rj_vv_put(&f->have, view.origin, view.first) == RJ_OK);
    return true;
}

static void apply_input(struct fuzz_bucket *f, struct rj_bytes input, struct batches *all)
{
    struct rj_reader r = rj_reader_of(input);

    while (rj_reader_left(&r) > 0 && all->n < BATCHES_MAX) {
        uint8_t head = rj_reader_u8(&r), size = rj_reader_u8(&r);
        struct rj_batch_view *view = &all->view[all->n];

        *view = (struct rj_batch_view){.origin = head % FUZZ_ORIGINS,
                                       .count = 1,
                                       .stamp = 1 + head / FUZZ_ORIGINS,
                                       .dict = all->dict[head % FUZZ_ORIGINS],
                                       .dict_n = FUZZ_ORIGINS};
        view->first = rj_vv_get(&f->have, view->origin) + 1;
        view->ops = rj_reader_bytes(&r, size);
        if (!r.failed && apply(f, view))
            all->n++;
    }
}

/* The same batches, the last author's first. */
static void apply_otherwise(struct fuzz_bucket *f, struct batches *all)
{
    unsigned left = all->n;

    while (left > 0) {
        unsigned before = left;

        for (uint32_t author = FUZZ_ORIGINS; author-- > 0;) {
            for (unsigned i = 0; i < all->n; i++) {
                const struct rj_batch_view *view = &all->view[i];

                if (all->there[i] || view->origin != author)
                    continue;
                if (view->first != rj_vv_get(&f->have, author) + 1 || !apply(f, view))
                    break;
                all->there[i] = true;
                left--;
            }
        }
        fuzz_must(left < before);
    }
}

static void take_over(struct fuzz_bucket *from)
{
    struct rj_range range = {0, UINT64_MAX};
    struct rj_writer part = {.self = UINT32_MAX};
    struct rj_vv none = {0};
    struct rj_give g = {
        .range = range, .have = &none, .full = true, .budget_bytes = SIZE_MAX};
    struct rj_batch_view view;
    struct rj_given given = {.part = &view};
    struct fuzz_bucket to;
    uint64_t count;

    fuzz_open(&to);
    fuzz_must(from->k->ops->give(from->k, &g, &part, &range.to, &count) == RJ_OK);
    view = (struct rj_batch_view){.count = part.count,
                                  .dict = part.dict,
                                  .dict_n = part.dict_n,
                                  .ops = rj_buf_view(&part.ops)};
    given.range = range;
    fuzz_must(to.k->ops->take(to.k, &given, &from->have, &none, true) == RJ_OK);
    fuzz_must_equal(from, &to);
    rj_buf_done(&part.ops);
    free(part.dict);
    fuzz_close(&to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct batches all = {.n = 0};
    struct fuzz_bucket one, two;

    for (uint32_t a = 0; a < FUZZ_ORIGINS; a++) {
        for (uint32_t i = 0; i < FUZZ_ORIGINS; i++)
            all.dict[a][i] = (a + i) % FUZZ_ORIGINS;
    }
    fuzz_open(&one);
    fuzz_open(&two);
    apply_input(&one, rj_bytes_of(data, len), &all);
    apply_otherwise(&two, &all);
    fuzz_must_equal(&one, &two);
    take_over(&one);
    fuzz_must_persist(&one);
    fuzz_must_persist(&two);
    fuzz_close(&one);
    fuzz_close(&two);
    return 0;
}
