/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of texts cost no more than they weigh (support/hostile.h): as many as bits allow,
 * that wait, that cut what is there, of many replicas. */
#include "base/bits.h"
#include "support/hostile.h"

#include <string.h>

/* What a run of a text says, as bits. */
struct said {
    unsigned code; /* 4 deletes, 2 on the left, 1 far */
    uint64_t n, name, distance;
};

/* A text that n runs of one replica (of two names) are, each said by said_of(its number);
 * what comes in is deleted. */
static void put_runs(struct rj_buf *out, size_t n, struct said (*said_of)(size_t i))
{
    struct rj_buf column = {0};
    struct rj_bits_writer w = {0};
    uint64_t dots = 0, elements = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        struct said s = said_of(i);

        rj_bits_put(&w, s.code, 3);
        rj_bits_put_gamma(&w, s.n);
        if ((s.code & 1) != 0)
            rj_bits_put_gamma(&w, s.name + 1);
        rj_bits_put_long(&w, s.distance);
        dots += s.n;
        elements += (s.code & 4) != 0 ? 0 : s.n;
    }
    rj_bits_end(&w);
    put_head(out, RJ_CRDT_TEXT, false, 6);
    put_names(out, 2);
    put_spans(&column, 1, 0, dots - 1);
    rj_buf_varint(&column, 0); /* the other one was not seen */
    put_column(out, &column);
    rj_cbor_put_array(out, 3);
    put_column(out, &w.b);
    if (elements > 0) {
        rj_buf_varint(&column, 0);
        rj_buf_varint(&column, elements);
    }
    put_column(out, &column);
    rj_cbor_put_bytes(out, (struct rj_bytes){0});
    rj_cbor_put_array(out, 0);
    rj_buf_done(&column);
    rj_buf_done(&w.b);
}

enum { TOLD = MANY / 4 };

/* The second name is referred to in all of them: once at least, as bytes have to. */
static struct said far(size_t i, unsigned code, uint64_t first)
{
    if (i == 0)
        return (struct said){code | 1, 1, 1, first};
    return (struct said){code, 1, 0, 0};
}

/* Of 2^30 elements each. */
static struct said long_run(size_t i)
{
    struct said s = i == 0 ? far(i, 0, 2) : (struct said){0, 1, 0, 1};

    s.n = 1 << 30;
    return s;
}

/* Of one element, each on the left of the last. */
static struct said left_run(size_t i)
{
    return i == 0 ? far(i, 0, 2) : (struct said){2, 1, 0, 0};
}

/* They delete an element each, which nobody knows: every second one. */
static struct said deletion(size_t i)
{
    return i == 0 ? far(i, 4, (uint64_t)TOLD * 8) : (struct said){4, 1, 0, 4};
}

/* Each on the right of another element that never comes. */
static struct said orphan(size_t i)
{
    return (struct said){1, 1, 1, i == 0 ? 2 : 4};
}

/* The same of an element each. */
static struct said every_second(size_t i)
{
    return (struct said){i == 0 ? 5 : 4, 1, 1, i == 0 ? 2 : 4};
}

TEST(runs_of_a_text)
{
    static const struct {
        const char *what;
        struct said (*said_of)(size_t i);
    } sorts[] = {{"long runs", long_run},
                 {"short runs", left_run},
                 {"deletions", deletion},
                 {"orphans", orphan}};
    struct rj_buf out = {0};
    unsigned i;

    for (i = 0; i < sizeof(sorts) / sizeof(*sorts); i++) {
        put_runs(&out, TOLD, sorts[i].said_of);
        assert_ok(join_new(RJ_CRDT_TEXT, false, sorts[i].what, rj_buf_view(&out)));
    }
    rj_buf_done(&out);
}

/* The same runs behind every second element of a text that is there, or comes later, and
 * deletions of every second element. */
TEST(runs_that_cut_a_long_text)
{
    static const uint8_t name[] = {0, 1};
    struct rj_crdt *v = make(RJ_CRDT_TEXT, false), *w = make(RJ_CRDT_TEXT, false);
    struct rj_crdt_op op = {.size = sizeof(op), .code = RJ_CRDT_INSERT};
    struct rj_crdt_buf text = {0};
    struct rj_buf xs = {0}, runs = {0}, deletions = {0};

    memset(rj_buf_reserve(&xs, (size_t)TOLD * 2), 'x', (size_t)TOLD * 2);
    op.value = rj_bytes_of(xs.ptr, (size_t)TOLD * 2);
    assert_ok(rj_crdt_rename(v, RJ_BYTES_OF(name), false));
    assert_ok(rj_crdt_write(v, &op, &text));
    assert_ok(rj_crdt_rename(v, rj_bytes_from_str("me"), false));
    put_runs(&runs, TOLD, orphan);
    put_runs(&deletions, TOLD, every_second);
    assert_ok(join(v, "runs cut a text", rj_buf_view(&runs)));
    assert_ok(join(w, "runs that wait", rj_buf_view(&runs)));
    assert_ok(join(w, "  their text comes", rj_crdt_bytes(&text)));
    rj_crdt_free(v);
    rj_crdt_free(w);
    v = make(RJ_CRDT_TEXT, false);
    w = make(RJ_CRDT_TEXT, false);
    assert_ok(join(v, "a text", rj_crdt_bytes(&text)));
    assert_ok(join(v, "deletions cut it", rj_buf_view(&deletions)));
    assert_ok(join(w, "deletions that wait", rj_buf_view(&deletions)));
    assert_ok(join(w, "  their text comes", rj_crdt_bytes(&text)));
    rj_crdt_free(v);
    rj_crdt_free(w);
    rj_crdt_buf_free(&text);
    rj_buf_done(&xs);
    rj_buf_done(&runs);
    rj_buf_done(&deletions);
    assert_int_equal(in_use, 0);
}

/* What an index takes depends on the runs, not on how many replicas they are of. */
TEST(runs_of_many_replicas)
{
    enum { REPLICAS = 600, RUNS = 10 };
    struct rj_crdt *v = make(RJ_CRDT_TEXT, false);
    struct rj_crdt_buf delta = {0}, all = {0};
    char name[8];
    unsigned i, j;

    for (i = 0; i < REPLICAS; i++) {
        struct rj_crdt_opts opts = crdt_opts(RJ_CRDT_TEXT, name);
        struct rj_crdt *w = NULL;

        (void)snprintf(name, sizeof(name), "%04u", i);
        opts.replica = rj_bytes_of((const uint8_t *)name, strlen(name));
        assert_ok(rj_crdt_new(&opts, &w));
        for (j = 0; j < RUNS; j++) { /* each before the one before: a run each */
            struct rj_crdt_op op = {.size = sizeof(op),
                                    .code = RJ_CRDT_INSERT,
                                    .value = rj_bytes_of((const uint8_t *)"x", 1)};

            assert_ok(rj_crdt_write(w, &op, &delta));
            assert_ok(rj_crdt_join_bytes(v, rj_crdt_bytes(&delta), NULL));
        }
        rj_crdt_free(w);
    }
    assert_ok(rj_crdt_encode(v, &all));
    rj_crdt_free(v);
    assert_ok(join_new(RJ_CRDT_TEXT, false, "runs of many", rj_crdt_bytes(&all)));
    rj_crdt_buf_free(&delta);
    rj_crdt_buf_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_of_a_text),
        cmocka_unit_test(runs_that_cut_a_long_text),
        cmocka_unit_test(runs_of_many_replicas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
