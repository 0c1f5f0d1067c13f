/* SPDX-License-Identifier: Apache-2.0 */
/* The data calls, on one node. */
#include "support/replicas.h"

TEST(a_string_is_set_read_and_deleted)
{
    struct net *net = net_open(1);
    struct rj_bucket *b = net_at(net, 0);
    struct rj_bytes value;

    assert_err(RJ_ENOENT, rj_bucket_get(b, str("k"), &value));
    assert_int_equal(rj_bucket_type(b, str("k")), RJ_TYPE_NONE);
    do_set(net, 0, "k", "one");
    assert_string_equal(show(net, 0, "k"), "one");
    assert_int_equal(rj_bucket_type(b, str("k")), RJ_TYPE_STRING);
    assert_int_equal(rj_bucket_count(b), 1);
    do_set(net, 0, "k", "");
    assert_string_equal(show(net, 0, "k"), "");
    assert_true(do_del(net, 0, "k"));
    assert_false(do_del(net, 0, "k"));
    assert_string_equal(show(net, 0, "k"), "-");
    assert_int_equal(rj_bucket_count(b), 0);
    assert_int_equal(net->r[0].writer.count, 3); /* the last DEL found nothing */
    net_close(net);
}

TEST(values_of_every_size_are_kept)
{
    static const size_t sizes[] = {0, 1, 7, 24, 25, 511, 512, 513, 5000, 100000, 3};
    struct net *net = net_open(1);
    uint8_t *text = malloc(100000);
    struct rj_bytes value;

    assert_non_null(text);
    for (size_t i = 0; i < 100000; i++)
        text[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct rj_bytes v = {text, sizes[i * 3 % (sizeof(sizes) / sizeof(sizes[0]))]};
        struct rj_pair p = {str("field"), v};
        uint64_t n;

        assert_ok(rj_bucket_set(net_at(net, 0), str("key"), v, NULL));
        assert_ok(rj_bucket_get(net_at(net, 0), str("key"), &value));
        assert_bytes_equal(value, v);
        assert_ok(rj_bucket_hset(net_at(net, 0), str("hash"), &p, 1, &n));
        assert_ok(rj_bucket_hget(net_at(net, 0), str("hash"), str("field"), &value));
        assert_bytes_equal(value, v);
    }
    free(text);
    net_close(net);
}

TEST(a_value_that_fits_is_overwritten_without_allocating)
{
    struct net *net = net_open(1);

    do_set(net, 0, "some-key-of-16-b", "12345678");
    assert_non_null(rj_buf_reserve(&net->r[0].writer.ops, 4096));
    rj_test_alloc_fail_after(0);
    do_set(net, 0, "some-key-of-16-b", "87654321");
    do_set(net, 0, "some-key-of-16-b", "x");
    rj_test_alloc_restore();
    assert_false(rj_test_alloc_failed());
    assert_string_equal(show(net, 0, "some-key-of-16-b"), "x");
    net_close(net);
}

TEST(what_a_read_gave_may_be_written)
{
    struct net *net = net_open(1);
    struct rj_bytes value;

    do_set(net, 0, "k", "first value");
    assert_ok(rj_bucket_get(net_at(net, 0), str("k"), &value));
    assert_ok(rj_bucket_set(net_at(net, 0), str("k"), value, NULL));
    assert_string_equal(show(net, 0, "k"), "first value");
    assert_ok(rj_bucket_get(net_at(net, 0), str("k"), &value));
    value.len = 5;
    assert_ok(rj_bucket_set(net_at(net, 0), str("k"), value, NULL));
    assert_string_equal(show(net, 0, "k"), "first");
    net_close(net);
}

TEST(a_counter_counts_from_nothing_and_from_an_integer)
{
    struct net *net = net_open(1);

    assert_int_equal(do_incr(net, 0, "n", 5), 5);
    assert_int_equal(do_incr(net, 0, "n", -7), -2);
    assert_string_equal(show(net, 0, "n"), "-2");
    do_set(net, 0, "m", "40");
    assert_int_equal(do_incr(net, 0, "m", 2), 42);
    assert_int_equal(do_incr(net, 0, "m", 1), 43);
    assert_string_equal(show(net, 0, "m"), "43");
    assert_true(do_del(net, 0, "n"));
    assert_int_equal(do_incr(net, 0, "n", 1), 1);
    net_close(net);
}

TEST(what_is_no_integer_or_leaves_int64_is_refused)
{
    struct net *net = net_open(1);
    struct rj_bucket *b = net_at(net, 0);
    int64_t v = 7;

    do_set(net, 0, "s", "12x");
    assert_err(RJ_ERANGE, rj_bucket_incr(b, str("s"), 1, &v));
    do_set(net, 0, "max", "9223372036854775807");
    assert_err(RJ_ERANGE, rj_bucket_incr(b, str("max"), 1, &v));
    assert_int_equal(do_incr(net, 0, "max", -1), INT64_MAX - 1);
    assert_int_equal(do_incr(net, 0, "max", 1), INT64_MAX);
    assert_err(RJ_ERANGE, rj_bucket_incr(b, str("max"), 1, &v));
    assert_int_equal(do_incr(net, 0, "n", INT64_MIN), INT64_MIN);
    assert_err(RJ_ERANGE, rj_bucket_incr(b, str("n"), -1, &v));
    assert_int_equal(v, 7);
    net_close(net);
}

TEST(a_run_that_is_full_is_followed_by_another)
{
    struct net *net = net_open(2);

    assert_int_equal(do_incr(net, 0, "n", INT64_MAX), INT64_MAX);
    assert_true(do_del(net, 0, "n"));
    assert_int_equal(do_incr(net, 0, "n", INT64_MAX), INT64_MAX);
    assert_true(do_del(net, 0, "n"));
    assert_int_equal(do_incr(net, 0, "n", 3), 3);
    net_sync(net);
    assert_all_show(net, "n", "3");
    net_close(net);
}

TEST(a_set_holds_each_element_once)
{
    struct net *net = net_open(1);
    struct rj_bytes three[] = {str("b"), str("a"), str("b")};
    uint64_t n = 9;
    bool is = false;

    assert_ok(rj_bucket_sadd(net_at(net, 0), str("s"), three, 3, &n));
    assert_int_equal(n, 2);
    assert_string_equal(show(net, 0, "s"), "{a b}");
    assert_int_equal(do_sadd(net, 0, "s", "a"), 0);
    assert_ok(rj_bucket_scard(net_at(net, 0), str("s"), &n));
    assert_int_equal(n, 2);
    assert_ok(rj_bucket_sismember(net_at(net, 0), str("s"), str("b"), &is));
    assert_true(is);
    assert_ok(rj_bucket_srem(net_at(net, 0), str("s"), three, 3, &n));
    assert_int_equal(n, 2);
    assert_string_equal(show(net, 0, "s"), "-");
    assert_ok(rj_bucket_sismember(net_at(net, 0), str("s"), str("b"), &is));
    assert_false(is);
    assert_ok(rj_bucket_scard(net_at(net, 0), str("s"), &n));
    assert_int_equal(n, 0);
    assert_int_equal(do_srem(net, 0, "s", "b"), 0);
    assert_int_equal(rj_bucket_count(net_at(net, 0)), 0);
    net_close(net);
}

TEST(a_hash_holds_strings_and_counters)
{
    struct net *net = net_open(1);
    struct rj_pair two[] = {{str("f"), str("1")}, {str("g"), str("x")}};
    struct rj_bytes value;
    uint64_t n = 0;
    int64_t v;

    assert_ok(rj_bucket_hset(net_at(net, 0), str("h"), two, 2, &n));
    assert_int_equal(n, 2);
    assert_int_equal(do_hset(net, 0, "h", "g", "yy"), 0);
    assert_int_equal(do_hincr(net, 0, "h", "f", 4), 5);
    assert_int_equal(do_hincr(net, 0, "h", "new", 7), 7);
    assert_string_equal(show(net, 0, "h"), "{f=5 g=yy new=7}");
    assert_err(RJ_ERANGE, rj_bucket_hincr(net_at(net, 0), str("h"), str("g"), 1, &v));
    assert_ok(rj_bucket_hget(net_at(net, 0), str("h"), str("f"), &value));
    assert_bytes_equal(value, str("5"));
    assert_err(RJ_ENOENT, rj_bucket_hget(net_at(net, 0), str("h"), str("no"), &value));
    assert_ok(rj_bucket_hlen(net_at(net, 0), str("h"), &n));
    assert_int_equal(n, 3);
    assert_int_equal(do_hdel(net, 0, "h", "new"), 1);
    assert_int_equal(do_hdel(net, 0, "h", "new"), 0);
    assert_int_equal(do_hset(net, 0, "h", "new", "back"), 1);
    assert_string_equal(show(net, 0, "h"), "{f=5 g=yy new=back}");
    assert_int_equal(do_hset(net, 0, "h", "f", "0"), 0);
    assert_string_equal(show(net, 0, "h"), "{f=0 g=yy new=back}");
    net_close(net);
}

TEST(another_type_is_refused_but_for_SET)
{
    struct net *net = net_open(1);
    struct rj_bucket *b = net_at(net, 0);
    struct rj_bytes e = str("e"), v;
    struct rj_pair p = {e, e};
    uint64_t n;
    int64_t i;

    do_set(net, 0, "str", "1");
    do_sadd(net, 0, "set", "e");
    do_hset(net, 0, "hash", "e", "1");
    assert_err(RJ_ETYPE, rj_bucket_sadd(b, str("str"), &e, 1, &n));
    assert_err(RJ_ETYPE, rj_bucket_srem(b, str("hash"), &e, 1, &n));
    assert_err(RJ_ETYPE, rj_bucket_hset(b, str("set"), &p, 1, &n));
    assert_err(RJ_ETYPE, rj_bucket_hdel(b, str("str"), &e, 1, &n));
    assert_err(RJ_ETYPE, rj_bucket_incr(b, str("set"), 1, &i));
    assert_err(RJ_ETYPE, rj_bucket_hincr(b, str("str"), e, 1, &i));
    assert_err(RJ_ETYPE, rj_bucket_get(b, str("hash"), &v));
    assert_err(RJ_ETYPE, rj_bucket_scard(b, str("str"), &n));
    assert_err(RJ_ETYPE, rj_bucket_hlen(b, str("set"), &n));
    assert_err(RJ_ETYPE, rj_bucket_hget(b, str("set"), e, &v));
    assert_err(RJ_ETYPE, rj_bucket_next(b, str("str"), NULL, &p));
    do_set(net, 0, "set", "now a string");
    do_set(net, 0, "hash", "too");
    assert_string_equal(show(net, 0, "set"), "now a string");
    assert_string_equal(show(net, 0, "hash"), "too");
    assert_true(do_del(net, 0, "hash"));
    assert_string_equal(show(net, 0, "hash"), "-");
    net_close(net);
}

TEST(limits_are_checked_before_anything_changes)
{
    struct net *net = net_open(1);
    struct rj_bucket *b = net_at(net, 0);
    uint8_t *text = calloc(1, RJ_KEY_MAX + 1);
    struct rj_bytes longest = {text, RJ_KEY_MAX}, too_long = {text, RJ_KEY_MAX + 1};
    struct rj_bytes elems[2] = {str("fine"), too_long};
    struct rj_bytes too_large = {text, (size_t)RJ_VALUE_MAX + 1};
    struct rj_pair p = {str("f"), too_large};
    uint64_t n;
    int64_t i;
    bool existed;

    assert_non_null(text);
    assert_err(RJ_ELIMIT, rj_bucket_set(b, too_long, str("v"), NULL));
    assert_err(RJ_ELIMIT, rj_bucket_set(b, str("k"), too_large, NULL));
    assert_err(RJ_ELIMIT, rj_bucket_del(b, too_long, &existed));
    assert_err(RJ_ELIMIT, rj_bucket_incr(b, too_long, 1, &i));
    assert_err(RJ_ELIMIT, rj_bucket_hincr(b, str("h"), too_long, 1, &i));
    assert_err(RJ_ELIMIT, rj_bucket_sadd(b, str("s"), elems, 2, &n));
    assert_err(RJ_ELIMIT, rj_bucket_hset(b, str("h"), &p, 1, &n));
    assert_err(RJ_ELIMIT, rj_bucket_sadd(b, str("s"), elems, 65537, &n));
    assert_int_equal(rj_bucket_count(b), 0);
    assert_int_equal(net->r[0].writer.count, 0);
    assert_ok(rj_bucket_set(b, longest, str("v"), NULL));
    assert_ok(rj_bucket_sadd(b, str("s"), &longest, 1, &n));
    net_sync(net);
    free(text);
    net_close(net);
}

TEST(a_writer_that_refuses_is_obeyed)
{
    struct net *net = net_open(1);
    struct rj_bucket *b = net_at(net, 0);
    struct rj_writer *w = &net->r[0].writer;
    struct rj_bytes two[] = {str("x"), str("y")};
    uint64_t n;

    do_set(net, 0, "k", "1");
    w->refuse = RJ_EFULL;
    assert_err(RJ_EFULL, rj_bucket_set(b, str("k"), str("2"), NULL));
    assert_err(RJ_EFULL, rj_bucket_set(b, str("new"), str("2"), NULL));
    assert_err(RJ_EFULL, rj_bucket_sadd(b, str("s"), two, 2, &n));
    assert_err(RJ_EFULL, rj_bucket_begin(b));
    w->refuse = RJ_OK;
    w->count = RJ_BATCH_WRITES_MAX - 1;
    assert_err(RJ_EBUSY, rj_bucket_sadd(b, str("s"), two, 2, &n));
    w->atomic = true;
    assert_err(RJ_ELIMIT, rj_bucket_sadd(b, str("s"), two, 2, &n));
    w->atomic = false;
    w->count = RJ_BATCH_WRITES_MAX;
    assert_err(RJ_EBUSY, rj_bucket_set(b, str("k"), str("2"), NULL));
    w->count = 1;
    assert_string_equal(show(net, 0, "k"), "1");
    assert_string_equal(show(net, 0, "s"), "-");
    assert_int_equal(rj_bucket_count(b), 1);
    net_close(net);
}

TEST(a_group_is_marked_for_the_engine)
{
    struct net *net = net_open(1);
    struct rj_bucket *b = net_at(net, 0);
    struct rj_writer *w = &net->r[0].writer;

    assert_ok(rj_bucket_begin(b));
    assert_true(w->atomic);
    assert_err(RJ_EINVAL, rj_bucket_begin(b));
    do_set(net, 0, "a", "1");
    do_set(net, 0, "b", "2");
    rj_bucket_end(b);
    assert_false(w->atomic);
    w->count = RJ_BATCH_WRITES_MAX / 2 + 1; /* too little room may be left for a group */
    assert_err(RJ_EBUSY, rj_bucket_begin(b));
    w->count = 2;
    net_close(net);
}

TEST(scan_returns_every_key_once_whatever_happens_to_others)
{
    enum { KEYS = 500 };
    struct net *net = net_open(1);
    struct rj_bucket *b = net_at(net, 0);
    unsigned seen[KEYS] = {0};
    uint64_t cursor = 0;
    char key[16];
    unsigned rounds = 0;

    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(key, sizeof(key), "%d", i);
        do_set(net, 0, key, "v");
    }
    do {
        const struct rj_bytes *keys;
        size_t n = 0;

        assert_ok(rj_bucket_scan(b, &cursor, 7, &keys, &n));
        assert_true(n >= 1 && (n >= 7 || cursor == 0));
        for (size_t i = 0; i < n; i++) {
            (void)snprintf(key, sizeof(key), "%.*s", (int)keys[i].len,
                           (const char *)keys[i].ptr);
            if (key[0] != 'x')
                seen[atoi(key)]++;
        }
        (void)snprintf(key, sizeof(key), "x%u", rounds++); /* the table grows meanwhile */
        do_set(net, 0, key, "v");
    } while (cursor != 0);
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(seen[i], 1);
    net_close(net);
}

TEST(scan_of_nothing_ends_at_once)
{
    struct net *net = net_open(1);
    const struct rj_bytes *keys;
    uint64_t cursor = 0;
    size_t n = 3;

    do_set(net, 0, "k", "v");
    (void)do_del(net, 0, "k");
    assert_ok(rj_bucket_scan(net_at(net, 0), &cursor, 10, &keys, &n));
    assert_int_equal(n, 0);
    assert_int_equal(cursor, 0);
    net_close(net);
}

TEST(a_prefix_that_is_none_is_refused)
{
    static const uint8_t high[] = {0xff, 0xff};
    struct rj_bucket_config c = {.prefix = {NULL, 0}};
    struct rj_bucket *b = NULL;

    assert_err(RJ_EINVAL, rj_bucket_open(&c, &b));
    c.prefix = RJ_BYTES_OF(high);
    assert_err(RJ_EINVAL, rj_bucket_open(&c, &b));
    assert_null(b);
}

/* ---- want of memory: a call that fails changes nothing */

static enum rj_err call_set_new(struct rj_bucket *b)
{
    return rj_bucket_set(b, str("new"), str("value"), NULL);
}

static enum rj_err call_set_longer(struct rj_bucket *b)
{
    return rj_bucket_set(b, str("k"),
                         str("a value that is much longer than the one that "
                             "is there, so it does not fit its home"),
                         NULL);
}

static enum rj_err call_set_until(struct rj_bucket *b)
{
    struct rj_set_opts opts = {.ttl = RJ_TTL_AT, .deadline_ms = 5000000};

    return rj_bucket_set(b, str("k"), str("until"), &opts);
}

static enum rj_err call_incr(struct rj_bucket *b)
{
    int64_t v;

    return rj_bucket_incr(b, str("n"), 1, &v);
}

static enum rj_err call_incr_version(struct rj_bucket *b)
{
    int64_t v;

    return rj_bucket_incr(b, str("k"), 1, &v);
}

static enum rj_err call_sadd(struct rj_bucket *b)
{
    struct rj_bytes e[] = {str("x"), str("y"), str("x"), str("z")};
    uint64_t n;

    return rj_bucket_sadd(b, str("s"), e, 4, &n);
}

static enum rj_err call_sadd_new(struct rj_bucket *b)
{
    struct rj_bytes e[] = {str("x"), str("y")};
    uint64_t n;

    return rj_bucket_sadd(b, str("new"), e, 2, &n);
}

static enum rj_err call_hset(struct rj_bucket *b)
{
    struct rj_pair p[] = {
        {str("f"), str("a value that does not fit the home of the first")},
        {str("g"), str("1")},
        {str("f"), str("2")}};
    uint64_t n;

    return rj_bucket_hset(b, str("h"), p, 3, &n);
}

static enum rj_err call_hincr(struct rj_bucket *b)
{
    int64_t v;

    return rj_bucket_hincr(b, str("h"), str("new"), 1, &v);
}

static enum rj_err call_expire_set(struct rj_bucket *b)
{
    return rj_bucket_expire(b, str("s"), 3000000);
}

static enum rj_err call_expire_hash(struct rj_bucket *b)
{
    return rj_bucket_expire(b, str("h"), 3000000);
}

static enum rj_err call_del(struct rj_bucket *b)
{
    bool existed;

    return rj_bucket_del(b, str("h"), &existed);
}

static enum rj_err call_scan(struct rj_bucket *b)
{
    const struct rj_bytes *keys;
    uint64_t cursor = 0;
    size_t n;

    return rj_bucket_scan(b, &cursor, 10, &keys, &n);
}

static void describe(struct net *net, unsigned r, char *text, size_t size)
{
    static const char *const keys[] = {"k", "n", "s", "h", "new"};
    uint64_t deadline;
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < 5; i++) {
        deadline = 0;
        (void)!rj_bucket_deadline(net_at(net, r), str(keys[i]), &deadline);
        len += (size_t)snprintf(text + len, size - len, "%s: %s until %llu\n", keys[i],
                                show(net, r, keys[i]), (unsigned long long)deadline);
        assert_true(len < size - 100);
    }
}

/* Runs the call with its k-th allocation failing. True: it did not need that many. */
static bool run_failing(enum rj_err (*fn)(struct rj_bucket *b), unsigned k)
{
    static char before[4096], after[4096];
    struct net *net = net_open(2);
    struct rj_writes w = {0};
    uint32_t count, dict_n;
    size_t len;
    enum rj_err err;
    struct rj_bucket *b;

    do_set(net, 1, "k", "11");
    do_sadd(net, 1, "s", "x");
    do_sadd(net, 1, "s", "w");
    do_hset(net, 1, "h", "f", "1");
    do_hincr(net, 1, "h", "c", 5);
    net_sync(net);
    assert_ok(net_kind(net, 0)->ops->collect(net_kind(net, 0), &w));
    rj_writes_clear(&w);
    b = net_at(net, 0);
    describe(net, 0, before, sizeof(before));
    count = net->r[0].writer.count;
    dict_n = net->r[0].writer.dict_n;
    len = net->r[0].writer.ops.len;
    rj_test_alloc_fail_after(k);
    err = fn(b);
    rj_test_alloc_restore();
    if (err != RJ_OK) {
        assert_err(RJ_ENOMEM, err);
        describe(net, 0, after, sizeof(after));
        assert_string_equal(before, after);
        assert_int_equal(net->r[0].writer.count, count);
        assert_int_equal(net->r[0].writer.dict_n, dict_n);
        assert_int_equal(net->r[0].writer.ops.len, len);
        assert_int_equal(rj_bucket_count(b), 3);
        net_assert_sums_equal(net, 0);
        /* What was made in vain is tidied up, and nothing of it is stored. */
        assert_ok(net_kind(net, 0)->ops->collect(net_kind(net, 0), &w));
        assert_int_equal(w.count, 0);
        assert_int_equal(net->r[0].bucket->table.count, 3);
        assert_ok(fn(b));
    }
    net_sync(net);
    net_assert_sums_equal(net, 0);
    describe(net, 0, before, sizeof(before));
    describe(net, 1, after, sizeof(after));
    assert_string_equal(before, after);
    rj_writes_done(&w);
    net_close(net);
    return err == RJ_OK;
}

TEST(a_call_without_memory_leaves_no_trace)
{
    static enum rj_err (*const calls[])(struct rj_bucket *) = {
        call_set_new,      call_set_longer,  call_set_until, call_incr, call_sadd,
        call_sadd_new,     call_hset,        call_hincr,     call_scan, call_expire_set,
        call_incr_version, call_expire_hash, call_del};

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        unsigned k = 0;

        while (!run_failing(calls[i], k))
            assert_true(k++ < 100);
        assert_true(k > 0);
    }
}

static enum rj_err open_and_close(void *ctx)
{
    struct rj_origins origins = {0};
    struct rj_writer w = {0};
    struct rj_bucket_config c = {
        .writer = &w, .origins = &origins, .prefix = RJ_BYTES_OF(net_prefix)};
    struct rj_bucket *b = NULL;
    enum rj_err err = rj_bucket_open(&c, &b);

    (void)ctx;
    if (err == RJ_OK)
        rj_bucket_kind(b)->ops->close(rj_bucket_kind(b));
    return err;
}

TEST(a_bucket_opens_wholly_or_not_at_all)
{
    rj_test_with_failing_alloc(open_and_close, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_is_set_read_and_deleted),
        cmocka_unit_test(values_of_every_size_are_kept),
        cmocka_unit_test(a_value_that_fits_is_overwritten_without_allocating),
        cmocka_unit_test(what_a_read_gave_may_be_written),
        cmocka_unit_test(a_counter_counts_from_nothing_and_from_an_integer),
        cmocka_unit_test(what_is_no_integer_or_leaves_int64_is_refused),
        cmocka_unit_test(a_run_that_is_full_is_followed_by_another),
        cmocka_unit_test(a_set_holds_each_element_once),
        cmocka_unit_test(a_hash_holds_strings_and_counters),
        cmocka_unit_test(another_type_is_refused_but_for_SET),
        cmocka_unit_test(limits_are_checked_before_anything_changes),
        cmocka_unit_test(a_writer_that_refuses_is_obeyed),
        cmocka_unit_test(a_group_is_marked_for_the_engine),
        cmocka_unit_test(scan_returns_every_key_once_whatever_happens_to_others),
        cmocka_unit_test(scan_of_nothing_ends_at_once),
        cmocka_unit_test(a_prefix_that_is_none_is_refused),
        cmocka_unit_test(a_call_without_memory_leaves_no_trace),
        cmocka_unit_test(a_bucket_opens_wholly_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
