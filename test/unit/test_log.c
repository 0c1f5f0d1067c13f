/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/prng.h"
#include "causal/log.h"
#include "support/test.h"

enum { ORIGINS = 5, ENTRIES_MAX = 2000 };

/* What must be in the log: one entry after another, none ever removed from the array. */
struct model {
    struct rj_log_entry
        items[ENTRIES_MAX]; /* at position start + i; bytes: any or NULL */
    uint64_t start;
    uint64_t begin, end;
    uint64_t next_seq[ORIGINS];
};

static struct rj_log_entry *model_at(struct model *m, uint64_t position)
{
    return &m->items[position - m->start];
}

/* A log that begins at a position, as a loaded one does. */
static void init(struct rj_log *log, struct model *m, uint64_t start)
{
    *log = (struct rj_log){.begin = start, .end = start, .cached_from = start};
    memset(m, 0, sizeof(*m));
    m->start = m->begin = m->end = start;
    for (size_t i = 0; i < ORIGINS; i++)
        m->next_seq[i] = 1;
}

static void append(struct rj_log *log, struct model *m, uint32_t origin, uint32_t count,
                   bool cached)
{
    static const uint8_t content[] = "an encoded batch of some length, more or less";
    struct rj_log_entry e = {.first = m->next_seq[origin],
                             .count = count,
                             .origin = origin,
                             .accepted_ms = m->end,
                             .hash = {(uint8_t)m->end},
                             .size = 1 + m->end % sizeof(content)};

    assert_true(m->end - m->start < ENTRIES_MAX);
    if (cached) {
        e.bytes = rj_alloc_copy(rj_bytes_of(content, e.size));
        assert_non_null(e.bytes);
    }
    assert_ok(rj_log_append(log, &e));
    *model_at(m, m->end++) = e;
    m->next_seq[origin] += count;
}

static void drop_front(struct rj_log *log, struct model *m)
{
    rj_log_drop_front(log);
    if (m->begin < m->end)
        m->begin++;
}

static size_t cached_bytes(struct model *m)
{
    size_t sum = 0;

    for (uint64_t p = m->begin; p < m->end; p++)
        if (model_at(m, p)->bytes != NULL)
            sum += model_at(m, p)->size;
    return sum;
}

static void uncache(struct rj_log *log, struct model *m, uint64_t below, size_t keep)
{
    rj_log_uncache(log, below, keep);
    for (uint64_t p = m->begin; p < m->end && p < below && cached_bytes(m) > keep; p++)
        model_at(m, p)->bytes = NULL;
}

static uint64_t model_find(struct model *m, uint32_t origin, uint64_t seq)
{
    for (uint64_t p = m->begin; p < m->end; p++)
        if (model_at(m, p)->origin == origin &&
            model_at(m, p)->first + model_at(m, p)->count - 1 >= seq)
            return p;
    return UINT64_MAX;
}

/* The smallest position of a batch of which vv lacks something. */
static uint64_t model_start(struct model *m, const struct rj_vv *vv)
{
    for (uint64_t p = m->begin; p < m->end; p++) {
        const struct rj_log_entry *e = model_at(m, p);

        if (e->first + e->count - 1 > rj_vv_get(vv, e->origin))
            return p;
    }
    return m->end;
}

static void check(struct rj_log *log, struct model *m)
{
    uint64_t total = 0, cached = 0;

    assert_true(log->begin == m->begin && log->end == m->end);
    for (uint64_t p = m->begin; p < m->end; p++) {
        const struct rj_log_entry *e = rj_log_at(log, p), *expected = model_at(m, p);

        assert_non_null(e);
        assert_int_equal(e->first, expected->first);
        assert_int_equal(e->count, expected->count);
        assert_int_equal(e->origin, expected->origin);
        assert_int_equal(e->accepted_ms, expected->accepted_ms);
        assert_memory_equal(e->hash, expected->hash, sizeof(e->hash));
        assert_int_equal(e->size, expected->size);
        assert_ptr_equal(e->bytes, expected->bytes);
        assert_true(p >= log->cached_from || e->bytes == NULL);
        total += e->size;
        cached += e->bytes != NULL ? e->size : 0;
    }
    assert_int_equal(log->total_bytes, total);
    assert_int_equal(log->cached_bytes, cached);
    assert_null(rj_log_at(log, m->end));
    assert_null(rj_log_at(log, m->begin - 1));
    assert_null(rj_log_at(log, UINT64_MAX));
}

static void check_search(struct rj_log *log, struct model *m, struct rj_prng *p)
{
    for (int i = 0; i < 20; i++) {
        uint32_t origin = (uint32_t)rj_prng_below(p, ORIGINS + 2);
        uint64_t most = origin < ORIGINS ? m->next_seq[origin] + 2 : 3;
        uint64_t seq = rj_prng_below(p, most);
        struct rj_vv vv = {0};

        assert_true(rj_log_find(log, origin, seq) == model_find(m, origin, seq));
        for (uint32_t o = 0; o < ORIGINS; o++) /* near the end, or anywhere */
            assert_ok(rj_vv_put(&vv, o,
                                rj_prng_chance(p, 1, 2)
                                    ? m->next_seq[o] - 1
                                    : rj_prng_below(p, m->next_seq[o])));
        assert_true(rj_log_start(log, &vv) == model_start(m, &vv));
        rj_vv_done(&vv);
    }
}

static void step(struct rj_log *log, struct model *m, struct rj_prng *p)
{
    uint32_t origin = (uint32_t)rj_prng_below(p, ORIGINS);

    switch (rj_prng_below(p, 10)) {
    case 0:
        for (uint64_t n = rj_prng_below(p, 20); n > 0; n--)
            drop_front(log, m);
        break;
    case 1:
        uncache(log, m, m->begin + rj_prng_below(p, m->end - m->begin + 2),
                rj_prng_below(p, 500));
        break;
    case 2:
        m->next_seq[origin] += rj_prng_below(p, 4); /* a hole, as a transfer leaves it */
        break;
    default:
        append(log, m, origin, 1 + (uint32_t)rj_prng_below(p, 3),
               rj_prng_chance(p, 3, 4));
        break;
    }
}

TEST(random_histories_agree_with_a_list)
{
    static struct model m;

    for (uint64_t seed = 0; seed < 60; seed++) {
        struct rj_log log;
        struct rj_prng p;

        rj_prng_init(&p, seed);
        init(&log, &m, seed % 3 == 0 ? 0 : rj_prng_below(&p, 100000));
        for (int i = 0; i < 600; i++) {
            step(&log, &m, &p);
            if (i % 10 == 0) {
                check(&log, &m);
                check_search(&log, &m, &p);
            }
        }
        rj_log_done(&log);
    }
}

TEST(an_empty_log_holds_nothing)
{
    struct rj_log log = {0};
    struct rj_vv vv = {0};

    assert_null(rj_log_at(&log, 0));
    assert_int_equal(rj_log_find(&log, 0, 1), UINT64_MAX);
    assert_int_equal(rj_log_start(&log, &vv), 0);
    rj_log_drop_front(&log);
    rj_log_uncache(&log, UINT64_MAX, 0);
    assert_int_equal(log.begin, 0);
    assert_int_equal(log.end, 0);
    rj_log_done(&log);
    rj_log_done(NULL);
}

TEST(the_ring_keeps_its_order_when_it_grows_wrapped_around)
{
    static struct model m;

    for (uint64_t start = 0; start < 200; start += 37) {
        struct rj_log log;

        init(&log, &m, start);
        for (int i = 0; i < 60; i++)
            append(&log, &m, (uint32_t)(i % ORIGINS), 1, true);
        for (int i = 0; i < 45; i++)
            drop_front(&log, &m);
        for (int i = 0; i < 40; i++) /* now the end lies before the beginning */
            append(&log, &m, (uint32_t)(i * i % ORIGINS), 2, true);
        check(&log, &m);
        for (int i = 0; i < 200; i++)
            append(&log, &m, (uint32_t)(i % 3), 1, i % 2 == 0);
        check(&log, &m);
        while (m.begin < m.end)
            drop_front(&log, &m);
        check(&log, &m);
        append(&log, &m, 1, 1, true);
        check(&log, &m);
        rj_log_done(&log);
    }
}

TEST(a_batch_is_found_by_any_of_its_sequences)
{
    static struct model m;
    struct rj_log log;

    init(&log, &m, 10);
    append(&log, &m, 0, 3, false); /* 10: 1..3 */
    append(&log, &m, 1, 1, false); /* 11 */
    append(&log, &m, 0, 2, false); /* 12: 4..5 */
    m.next_seq[0] = 9;
    append(&log, &m, 0, 1, false); /* 13: 9 */
    for (uint64_t seq = 1; seq <= 3; seq++)
        assert_int_equal(rj_log_find(&log, 0, seq), 10);
    assert_int_equal(rj_log_find(&log, 0, 4), 12);
    assert_int_equal(rj_log_find(&log, 0, 5), 12);
    for (uint64_t seq = 6; seq <= 9; seq++) /* not held: the first later one */
        assert_int_equal(rj_log_find(&log, 0, seq), 13);
    assert_int_equal(rj_log_find(&log, 0, 10), UINT64_MAX);
    assert_int_equal(rj_log_find(&log, 2, 1), UINT64_MAX);
    assert_int_equal(rj_log_find(&log, RJ_ORIGIN_NONE, 1), UINT64_MAX);
    drop_front(&log, &m);
    assert_int_equal(rj_log_find(&log, 0, 1), 12);
    rj_log_done(&log);
}

TEST(a_peer_begins_at_the_first_batch_that_it_lacks_of_any_origin)
{
    static struct model m;
    struct rj_vv vv = {0};
    struct rj_log log;

    init(&log, &m, 0);
    append(&log, &m, 0, 1, false);
    append(&log, &m, 1, 4, false);
    append(&log, &m, 2, 1, false);
    append(&log, &m, 0, 1, false);
    assert_int_equal(rj_log_start(&log, &vv), 0);
    assert_ok(rj_vv_put(&vv, 0, 2)); /* all of 0, which stands at the end too */
    assert_int_equal(rj_log_start(&log, &vv), 1);
    assert_ok(rj_vv_put(&vv, 1, 3)); /* a part of a batch is not the batch */
    assert_int_equal(rj_log_start(&log, &vv), 1);
    assert_ok(rj_vv_put(&vv, 1, 4));
    assert_int_equal(rj_log_start(&log, &vv), 2);
    assert_ok(rj_vv_put(&vv, 2, 1));
    assert_int_equal(rj_log_start(&log, &vv), log.end);
    assert_ok(rj_vv_put(&vv, 9, 5)); /* more than is held here */
    assert_int_equal(rj_log_start(&log, &vv), log.end);
    assert_ok(rj_vv_put(&vv, 0, 0));
    drop_front(&log, &m);
    assert_int_equal(rj_log_start(&log, &vv), 3); /* of what is held */
    rj_vv_done(&vv);
    rj_log_done(&log);
}

TEST(bytes_are_given_up_from_the_oldest_on_until_few_enough_are_left)
{
    struct rj_log log = {0};

    for (uint64_t i = 0; i < 10; i++) {
        struct rj_log_entry e = {.first = i + 1, .count = 1, .size = 100};

        e.bytes = calloc(1, 100);
        assert_non_null(e.bytes);
        assert_ok(rj_log_append(&log, &e));
    }
    rj_log_uncache(&log, 10, 1000);
    assert_int_equal(log.cached_bytes, 1000);
    rj_log_uncache(&log, 10, 950); /* at most */
    assert_int_equal(log.cached_bytes, 900);
    assert_null(rj_log_at(&log, 0)->bytes);
    assert_non_null(rj_log_at(&log, 1)->bytes);
    rj_log_uncache(&log, 4, 0); /* the others are not stored yet */
    assert_int_equal(log.cached_bytes, 600);
    assert_null(rj_log_at(&log, 3)->bytes);
    assert_non_null(rj_log_at(&log, 4)->bytes);
    rj_log_uncache(&log, UINT64_MAX, 0);
    assert_int_equal(log.cached_bytes, 0);
    assert_int_equal(log.total_bytes, 1000); /* the batches are still in the log */
    assert_int_equal(rj_log_at(&log, 9)->size, 100);
    rj_log_done(&log);
}

TEST(a_loaded_log_uncaches_only_what_came_after)
{
    struct rj_log log = {.begin = 1000, .end = 1000}; /* cached_from stays 0 */

    for (uint64_t i = 0; i < 6; i++) {
        struct rj_log_entry e = {.first = i + 1, .count = 1, .size = 100};

        if (i >= 3) {
            e.bytes = calloc(1, 100);
            assert_non_null(e.bytes);
        }
        assert_ok(rj_log_append(&log, &e));
    }
    assert_int_equal(log.cached_bytes, 300);
    rj_log_uncache(&log, UINT64_MAX, 150);
    assert_int_equal(log.cached_bytes, 100);
    assert_null(rj_log_at(&log, 1004)->bytes);
    assert_non_null(rj_log_at(&log, 1005)->bytes);
    rj_log_done(&log);
}

TEST(a_log_that_is_full_takes_nothing_more)
{
    /* Only the counters say that it is full: the memory for so many is not there. */
    struct rj_log log = {.cap = RJ_LOG_BATCHES_MAX, .end = RJ_LOG_BATCHES_MAX};
    uint8_t mine = 7;
    struct rj_log_entry e = {.first = 1, .count = 1, .size = 1, .bytes = &mine};

    assert_err(RJ_ELIMIT, rj_log_append(&log, &e));
    assert_int_equal(log.end, RJ_LOG_BATCHES_MAX);
    assert_int_equal(log.total_bytes, 0);
    assert_int_equal(log.cached_bytes, 0);
    log.cap = log.end = RJ_LOG_BATCHES_MAX / 2; /* half full: it asks for memory */
    rj_test_alloc_fail_after(0);
    assert_err(RJ_ENOMEM, rj_log_append(&log, &e));
    rj_test_alloc_restore();
}

static enum rj_err build(void *ctx)
{
    struct rj_log log = {.begin = 50, .end = 50, .cached_from = 50};
    enum rj_err err = RJ_OK;

    (void)ctx;
    for (uint64_t i = 0; err == RJ_OK && i < 200; i++) {
        struct rj_log_entry e = {
            .first = i / 20 + 1, .count = 1, .origin = (uint32_t)(i % 20), .size = 5};

        e.bytes = rj_alloc_copy(RJ_BYTES_LIT("bytes"));
        if (e.bytes == NULL) {
            err = RJ_ENOMEM;
            break;
        }
        err = rj_log_append(&log, &e);
        if (err == RJ_OK) {
            assert_int_equal(rj_log_find(&log, e.origin, e.first), 50 + i);
        } else {
            assert_int_equal(log.end, 50 + i);
            assert_int_equal(log.total_bytes, 5 * i);
            assert_int_equal(log.cached_bytes, 5 * i);
            assert_int_equal(rj_log_find(&log, e.origin, e.first), UINT64_MAX);
            free(e.bytes); /* not taken */
        }
    }
    rj_log_done(&log);
    return err;
}

TEST(out_of_memory_is_reported_wherever_it_happens)
{
    rj_test_with_failing_alloc(build, NULL);
    rj_test_with_one_failing_alloc(build, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_agree_with_a_list),
        cmocka_unit_test(an_empty_log_holds_nothing),
        cmocka_unit_test(the_ring_keeps_its_order_when_it_grows_wrapped_around),
        cmocka_unit_test(a_batch_is_found_by_any_of_its_sequences),
        cmocka_unit_test(a_peer_begins_at_the_first_batch_that_it_lacks_of_any_origin),
        cmocka_unit_test(bytes_are_given_up_from_the_oldest_on_until_few_enough_are_left),
        cmocka_unit_test(a_loaded_log_uncaches_only_what_came_after),
        cmocka_unit_test(a_log_that_is_full_takes_nothing_more),
        cmocka_unit_test(out_of_memory_is_reported_wherever_it_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
