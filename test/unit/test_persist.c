/* SPDX-License-Identifier: Apache-2.0 */
/* The bucket in the store: what is written when, and what comes back. */
#include "base/cbor.h"
#include "support/replicas.h"

static struct rj_store *open_store(void)
{
    struct rj_store *s = NULL;

    assert_ok(rj_store_memory_open(&s));
    return s;
}

static size_t collect(struct net *net, unsigned r, struct rj_store *s)
{
    struct rj_writes w = {0};
    size_t n;

    assert_ok(net_kind(net, r)->ops->collect(net_kind(net, r), &w));
    n = w.count;
    assert_ok(s->ops->write(s, &w, true));
    rj_writes_done(&w);
    return n;
}

static enum rj_err load(struct net *net, unsigned r, struct rj_store *s)
{
    struct rj_view *view = NULL;
    enum rj_err err;

    assert_ok(s->ops->view_open(s, &view));
    err = net_kind(net, r)->ops->load(net_kind(net, r), s->ops, view);
    s->ops->view_close(view);
    return err;
}

static void restart(struct net *net, unsigned r, struct rj_store *s)
{
    net_close_replica(net, r);
    net->r[r].bucket = net_open_bucket(net, r);
    assert_ok(load(net, r, s));
}

/* Something of every shape. */
static void fill(struct net *net)
{
    char text[800];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    do_set(net, 0, "", "empty key");
    do_set(net, 0, "long", text);
    do_set(net, 0, "both", "0");
    do_set(net, 1, "both", "1");
    do_incr(net, 1, "both", 3);
    do_set_until(net, 0, "timed", "t", 2000000);
    do_incr(net, 0, "n", 5);
    do_incr(net, 1, "n", 6);
    do_incr(net, 0, "dead", 1);
    assert_true(do_del(net, 0, "dead"));
    do_sadd(net, 0, "s", "");
    do_sadd(net, 0, "s", "x");
    do_sadd(net, 1, "s", "x");
    assert_ok(rj_bucket_expire(net_at(net, 0), str("s"), 3000000));
    do_hset(net, 0, "h", "f", "7");
    do_hincr(net, 0, "h", "f", 1);
    do_hincr(net, 1, "h", "c", 1);
    assert_ok(rj_bucket_expire(net_at(net, 1), str("h"), 3000000));
    net_sync(net);
}

TEST(everything_comes_back_from_the_store)
{
    static const char *const keys[] = {"",  "long", "both", "timed",
                                       "n", "dead", "s",    "h"};
    struct net *net = net_open(2);
    struct rj_store *s = open_store();
    struct rj_sum before, after;
    char shown[8][1000];
    uint64_t count, next;

    fill(net);
    for (size_t i = 0; i < 8; i++)
        (void)snprintf(shown[i], sizeof(shown[i]), "%s", show(net, 0, keys[i]));
    before = net_sum(net, 0, 0);
    count = rj_bucket_count(net->r[0].bucket);
    (void)collect(net, 0, s);
    restart(net, 0, s);
    after = net_sum(net, 0, 0);
    assert_int_equal(before.lo, after.lo);
    assert_int_equal(before.hi, after.hi);
    assert_int_equal(rj_bucket_count(net->r[0].bucket), count);
    for (size_t i = 0; i < 8; i++)
        assert_string_equal(show(net, 0, keys[i]), shown[i]);
    assert_int_equal(collect(net, 0, s), 0); /* nothing has changed */
    /* The index of deadlines is there again, and the removal record. */
    assert_ok(net_drop(net, 0, 2010000, 10, &next));
    assert_int_equal(next, 3010000);
    assert_string_equal(show(net, 0, "timed"), "-");
    do_incr(net, 0, "dead", 1);
    net_sync(net);
    assert_all_show(net, "dead", "1");
    s->ops->close(s);
    net_close(net);
}

/* Sets key, or a field of it, at all of n nodes at once to values of RJ_VALUE_MAX. */
static void write_large(struct net *net, unsigned n, bool field)
{
    uint8_t *value = malloc(RJ_VALUE_MAX);
    struct rj_pair pair = {str("f"), rj_bytes_of(value, RJ_VALUE_MAX)};
    uint64_t added;

    assert_non_null(value);
    for (unsigned r = 0; r < n; r++) {
        memset(value, (int)('a' + r), RJ_VALUE_MAX);
        if (field)
            assert_ok(rj_bucket_hset(net_at(net, r), str("h"), &pair, 1, &added));
        else
            assert_ok(rj_bucket_set(net_at(net, r), str("k"), pair.value, NULL));
    }
    free(value);
    net_sync(net);
}

static size_t largest(const struct rj_writes *w)
{
    struct rj_write write;
    size_t pos = 0, most = 0;

    while (rj_writes_next(w, &pos, &write)) {
        if (write.kind == RJ_WRITE_PUT && write.value.len > most)
            most = write.value.len;
    }
    return most;
}

static size_t count_records(struct rj_store *s)
{
    struct rj_bytes key = {0}, value;
    struct rj_view *view = NULL;
    uint8_t last[100];
    size_t n = 0;

    assert_ok(s->ops->view_open(s, &view));
    while (s->ops->seek(view, RJ_SEEK_GT, key, &key, &value) == RJ_OK) {
        assert_true(key.len <= sizeof(last));
        memcpy(last, key.ptr, key.len);
        key.ptr = last;
        n++;
    }
    s->ops->view_close(view);
    return n;
}

TEST(large_values_that_nobody_has_overwritten_lie_in_several_records)
{
    struct rj_writes w = {0};

    for (unsigned field = 0; field < 2; field++) {
        struct net *net = net_open(3);
        struct rj_store *s = open_store();
        struct rj_sum sum;

        write_large(net, 3, field == 1);
        sum = net_sum(net, 1, 0);
        assert_ok(net_kind(net, 1)->ops->collect(net_kind(net, 1), &w));
        assert_in_range(largest(&w), RJ_VALUE_MAX, RJ_RECORD_MAX + 1024);
        assert_ok(s->ops->write(s, &w, true));
        rj_writes_done(&w);
        assert_int_equal(count_records(s), 3); /* two do not fit one record, quite */
        restart(net, 1, s);
        assert_int_equal(net_sum(net, 1, 0).lo, sum.lo);
        assert_int_equal(net_sum(net, 1, 0).hi, sum.hi);
        assert_int_equal(collect(net, 1, s), 0);
        if (field == 1)
            do_hset(net, 1, "h", "f", "small");
        else
            do_set(net, 1, "k", "small");
        (void)collect(net, 1, s);
        assert_int_equal(count_records(s), 1);
        restart(net, 1, s);
        assert_string_equal(show(net, 1, field == 1 ? "h" : "k"),
                            field == 1 ? "{f=small}" : "small");
        if (field == 1)
            assert_int_equal(do_hdel(net, 1, "h", "f"), 1);
        else
            assert_true(do_del(net, 1, "k"));
        assert_int_equal(collect(net, 1, s), 1); /* one deletion */
        assert_int_equal(count_records(s), 0);
        s->ops->close(s);
        net_close(net);
    }
}

TEST(only_what_changed_is_written)
{
    struct net *net = net_open(1);
    struct rj_store *s = open_store();
    char name[8];

    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof(name), "e%u", i);
        do_sadd(net, 0, "s", name);
        do_hset(net, 0, "h", name, "v");
        do_set(net, 0, name, "v");
    }
    assert_int_equal(collect(net, 0, s), 300);
    assert_int_equal(collect(net, 0, s), 0);
    do_sadd(net, 0, "s", "one more");
    assert_int_equal(collect(net, 0, s), 1);
    do_hset(net, 0, "h", "e5", "w");
    do_hset(net, 0, "h", "e5", "x");
    do_set(net, 0, "e7", "y");
    assert_int_equal(collect(net, 0, s), 2);
    do_srem(net, 0, "s", "e3");
    do_set(net, 0, "passing", "v"); /* made and deleted: never stored */
    (void)do_del(net, 0, "passing");
    assert_int_equal(collect(net, 0, s), 1);
    (void)do_del(net, 0, "s");
    assert_int_equal(collect(net, 0, s), 100);
    assert_int_equal(net->r[0].bucket->table.count, 101);
    s->ops->close(s);
    net_close(net);
}

TEST(what_is_deleted_does_not_come_back)
{
    struct net *net = net_open(1);
    struct rj_store *s = open_store();

    do_set(net, 0, "k", "v");
    do_sadd(net, 0, "s", "x");
    do_sadd(net, 0, "s", "y");
    (void)collect(net, 0, s);
    (void)do_del(net, 0, "k");
    do_srem(net, 0, "s", "x");
    (void)collect(net, 0, s);
    restart(net, 0, s);
    assert_string_equal(show(net, 0, "k"), "-");
    assert_string_equal(show(net, 0, "s"), "{y}");
    do_set(net, 0, "k", "again"); /* deleted and made again between two collects */
    do_srem(net, 0, "s", "y");
    do_sadd(net, 0, "s", "y");
    (void)do_del(net, 0, "k");
    do_set(net, 0, "k", "twice");
    (void)collect(net, 0, s);
    restart(net, 0, s);
    assert_string_equal(show(net, 0, "k"), "twice");
    assert_string_equal(show(net, 0, "s"), "{y}");
    s->ops->close(s);
    net_close(net);
}

TEST(clear_deletes_the_records_of_before_and_no_others)
{
    struct net *net = net_open(1);
    struct rj_store *s = open_store();
    static const uint8_t before[] = {'b', 0, 9}, after[] = {'b', 2};
    struct rj_writes w = {0};
    struct rj_view *view = NULL;
    struct rj_bytes key, value;

    rj_writes_put(&w, RJ_BYTES_OF(before), str("mine"));
    rj_writes_put(&w, RJ_BYTES_OF(after), str("mine"));
    assert_ok(s->ops->write(s, &w, true));
    rj_writes_done(&w);
    do_set(net, 0, "k", "v");
    do_sadd(net, 0, "s", "x");
    (void)collect(net, 0, s);
    net_kind(net, 0)->ops->clear(net_kind(net, 0));
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 0);
    assert_int_equal(net_sum(net, 0, 0).lo, 0);
    do_set(net, 0, "other", "w");
    (void)collect(net, 0, s);
    restart(net, 0, s);
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 1);
    assert_string_equal(show(net, 0, "other"), "w");
    assert_ok(s->ops->view_open(s, &view));
    assert_ok(s->ops->seek(view, RJ_SEEK_EQ, RJ_BYTES_OF(before), &key, &value));
    assert_ok(s->ops->seek(view, RJ_SEEK_EQ, RJ_BYTES_OF(after), &key, &value));
    s->ops->view_close(view);
    s->ops->close(s);
    net_close(net);
}

/* Puts one record into an otherwise empty store and loads it. */
static void assert_load_fails(struct rj_bytes key, struct rj_bytes value)
{
    struct net *net = net_open(1);
    struct rj_store *s = open_store();
    struct rj_writes w = {0};

    rj_writes_put(&w, key, value);
    assert_ok(s->ops->write(s, &w, true));
    rj_writes_done(&w);
    assert_err(RJ_ECORRUPT, load(net, 0, s));
    s->ops->close(s);
    net_close(net);
}

TEST(damaged_records_are_refused)
{
    struct net *net = net_open(1);
    struct rj_writes w = {0};
    struct rj_write write = {.kind = RJ_WRITE_DELETE};
    struct rj_buf key = {0}, value = {0};
    size_t pos = 0;

    do_set(net, 0, "k", "v");
    assert_ok(net_kind(net, 0)->ops->collect(net_kind(net, 0), &w));
    assert_true(rj_writes_next(&w, &pos, &write));
    rj_buf_append(&key, write.key);
    rj_buf_append(&value, write.value);
    for (size_t i = sizeof(net_prefix); i < key.len; i++) { /* position, length, ... */
        key.ptr[i] ^= 0x10;
        assert_load_fails(rj_buf_view(&key), rj_buf_view(&value));
        key.ptr[i] ^= 0x10;
        assert_load_fails(rj_bytes_of(key.ptr, i), rj_buf_view(&value));
    }
    for (size_t i = 0; i < value.len; i++)
        assert_load_fails(rj_buf_view(&key), rj_bytes_of(value.ptr, i));
    value.ptr[2] = 5; /* an origin that there is not */
    assert_load_fails(rj_buf_view(&key), rj_buf_view(&value));
    rj_buf_done(&key);
    rj_buf_done(&value);
    rj_writes_done(&w);
    net_close(net);
}

/* Collects with the k-th allocation failing, then again. */
static bool collect_failing(unsigned k)
{
    struct net *net = net_open(2);
    struct rj_store *s = open_store();
    struct rj_writes w = {0};
    struct rj_sum before, after;
    enum rj_err err;

    fill(net);
    before = net_sum(net, 0, 0);
    rj_test_alloc_fail_after(k);
    err = net_kind(net, 0)->ops->collect(net_kind(net, 0), &w);
    rj_test_alloc_restore();
    if (err != RJ_OK) {
        assert_err(RJ_ENOMEM, err);
        rj_writes_done(&w);
        (void)collect(net, 0, s);
    } else {
        assert_ok(s->ops->write(s, &w, true));
        rj_writes_done(&w);
    }
    restart(net, 0, s);
    after = net_sum(net, 0, 0);
    assert_int_equal(before.lo, after.lo);
    s->ops->close(s);
    net_close(net);
    return err == RJ_OK;
}

TEST(a_collect_without_memory_can_be_repeated)
{
    unsigned k = 0;

    while (!collect_failing(k))
        assert_true(k++ < 100);
    assert_true(k > 0);
}

TEST(a_load_without_memory_says_so)
{
    struct net *net = net_open(2);
    struct rj_store *s = open_store();
    struct rj_view *view = NULL;
    enum rj_err err = RJ_ENOMEM;
    unsigned k;

    fill(net);
    (void)collect(net, 0, s);
    assert_ok(s->ops->view_open(s, &view));
    for (k = 0; err != RJ_OK; k++) {
        net_close_replica(net, 0);
        net->r[0].bucket = net_open_bucket(net, 0);
        rj_test_alloc_fail_after(k);
        err = net_kind(net, 0)->ops->load(net_kind(net, 0), s->ops, view);
        rj_test_alloc_restore();
        assert_true(err == RJ_OK || err == RJ_ENOMEM);
        assert_true(k < 1000);
    }
    assert_true(k > 10);
    net_assert_sums_equal(net, 0);
    s->ops->view_close(view);
    s->ops->close(s);
    net_close(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back_from_the_store),
        cmocka_unit_test(large_values_that_nobody_has_overwritten_lie_in_several_records),
        cmocka_unit_test(only_what_changed_is_written),
        cmocka_unit_test(what_is_deleted_does_not_come_back),
        cmocka_unit_test(clear_deletes_the_records_of_before_and_no_others),
        cmocka_unit_test(damaged_records_are_refused),
        cmocka_unit_test(a_collect_without_memory_can_be_repeated),
        cmocka_unit_test(a_load_without_memory_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
