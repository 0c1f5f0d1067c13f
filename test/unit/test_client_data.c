/* SPDX-License-Identifier: Apache-2.0 */
/* The client library and a real daemon, which runs in a thread here; another member is an
 * embedded node in a thread of its own. */
#include "daemon/daemon.h"
#include "support/temp_dir.h"
#include "support/test.h"

#include <poll.h>
#include <pthread.h>
#include <rejoin/client.h>
#include <rejoin/embed.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct rj_test_dir dir;
static struct rj_daemon daemon_;
static pthread_t daemon_thread, member_thread;
static struct rj_client *c;
static char why[RJ_CLIENT_WHY_MAX];

/* ---- the daemon */

static void *run_daemon(void *arg)
{
    (void)rj_daemon_run(&daemon_);
    return arg;
}

static void write_config(void)
{
    char path[RJ_TEST_PATH_MAX];
    FILE *f;

    rj_test_dir_path(&dir, "rejoin.conf", path);
    f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs("[port]\npeer = 0\nresp = 0\nweb = 0\n[device]\nname = a\n"
                "[log]\nlevel = error\n",
                f);
    (void)fclose(f);
}

static int begin(void **state)
{
    (void)state;
    rj_test_dir_init(&dir);
    write_config();
    (void)unsetenv("REJOIN_CONFIG");
    (void)unsetenv("REJOIN_SOCKET");
    (void)setenv("REJOIN_HOME", dir.path, 1);
    assert_ok(rj_daemon_start(&daemon_));
    assert_int_equal(pthread_create(&daemon_thread, NULL, run_daemon, NULL), 0);
    if (rj_client_open(NULL, why, sizeof(why), &c) != RJ_OK)
        fail_msg("%s", why);
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_ok(rj_client_verb(c, "down", NULL, 0, NULL));
    (void)pthread_join(daemon_thread, NULL);
    rj_client_close(c);
    rj_daemon_done(&daemon_);
    rj_test_dir_done(&dir);
    return 0;
}

static void add_bucket(const char *name, const char *durability)
{
    const struct rj_client_arg args[] = {
        {.key = "name", .text = rj_bytes_from_str(name)},
        {.key = "durability", .text = rj_bytes_from_str(durability)},
    };

    assert_ok(rj_client_verb(c, "bucket.add", args, 2, NULL));
}

static struct rj_bytes text(const char *s)
{
    return rj_bytes_from_str(s);
}

/* ---- tests */

TEST(without_a_bucket_nothing_can_be_done)
{
    uint64_t n;

    assert_err(RJ_ENOENT, rj_client_count(c, &n));
    assert_non_null(strstr(rj_client_why(c), "no default bucket"));
    assert_ok(rj_client_use(c, "nowhere"));
    assert_err(RJ_ENOENT, rj_client_count(c, &n));
    assert_non_null(strstr(rj_client_why(c), "nowhere"));
    assert_ok(rj_client_use(c, NULL));
    add_bucket("data", "second");
    assert_ok(rj_client_count(c, &n));
    assert_int_equal(n, 0);
}

TEST(strings_and_counters)
{
    static const uint8_t raw[] = {0, 0xff, 'x', 0};
    struct rj_set_opts opts = {.ttl = RJ_TTL_AT};
    enum rj_type type = RJ_TYPE_HASH;
    struct rj_bytes v;
    uint64_t ms = 1;
    bool flag = false;
    int64_t sum;

    assert_err(RJ_ENOENT, rj_client_get(c, text("none"), &v));
    assert_ok(rj_client_set(c, RJ_BYTES_OF(raw), RJ_BYTES_OF(raw), NULL));
    assert_ok(rj_client_get(c, RJ_BYTES_OF(raw), &v));
    assert_bytes_equal(v, RJ_BYTES_OF(raw));
    assert_ok(rj_client_set(c, text("empty"), text(""), NULL));
    assert_ok(rj_client_get(c, text("empty"), &v));
    assert_int_equal(v.len, 0);
    assert_ok(rj_client_type(c, text("empty"), &type));
    assert_int_equal(type, RJ_TYPE_STRING);
    assert_ok(rj_client_exists(c, text("none"), &flag));
    assert_false(flag);
    assert_ok(rj_client_incr(c, text("n"), INT64_MIN, &sum));
    assert_true(sum == INT64_MIN);
    assert_err(RJ_ERANGE, rj_client_incr(c, text("n"), -1, &sum));
    assert_err(RJ_ERANGE, rj_client_incr(c, text("empty"), 1, &sum));
    opts.deadline_ms = UINT64_C(4000000000000);
    assert_ok(rj_client_set(c, text("t"), text("v"), &opts));
    assert_ok(rj_client_deadline(c, text("t"), &ms));
    assert_true(ms == opts.deadline_ms);
    opts.ttl = RJ_TTL_KEEP;
    assert_ok(rj_client_set(c, text("t"), text("w"), &opts));
    assert_ok(rj_client_deadline(c, text("t"), &ms));
    assert_true(ms == opts.deadline_ms);
    assert_ok(rj_client_expire(c, text("t"), 1)); /* long ago: deletes */
    assert_err(RJ_ENOENT, rj_client_expire(c, text("t"), 0));
    assert_ok(rj_client_del(c, text("empty"), &flag));
    assert_true(flag);
    assert_ok(rj_client_del(c, text("empty"), &flag));
    assert_false(flag);
}

TEST(sets_and_hashes)
{
    const struct rj_bytes elems[] = {text("a"), text(""), text("c")};
    const struct rj_pair pairs[] = {{text("f"), text("1")}, {text("g"), text("x")}};
    const struct rj_bytes *got;
    const struct rj_pair *fields;
    struct rj_bytes v;
    uint64_t n = 0;
    int64_t sum = 0;
    bool is = false;
    size_t count;

    assert_ok(rj_client_sadd(c, text("s"), elems, 3, &n));
    assert_int_equal(n, 3);
    assert_ok(rj_client_srem(c, text("s"), elems, 1, &n));
    assert_int_equal(n, 1);
    assert_ok(rj_client_sismember(c, text("s"), elems[1], &is));
    assert_true(is);
    assert_ok(rj_client_scard(c, text("s"), &n));
    assert_int_equal(n, 2);
    assert_ok(rj_client_smembers(c, text("s"), &got, &count));
    assert_int_equal(count, 2);
    assert_int_equal(got[0].len, 0);
    assert_bytes_equal(got[1], elems[2]);
    assert_ok(rj_client_smembers(c, text("none"), &got, &count));
    assert_int_equal(count, 0);
    assert_ok(rj_client_hset(c, text("h"), pairs, 2, &n));
    assert_int_equal(n, 2);
    assert_ok(rj_client_hincr(c, text("h"), text("f"), 41, &sum));
    assert_int_equal(sum, 42);
    assert_err(RJ_ERANGE, rj_client_hincr(c, text("h"), text("g"), 1, &sum));
    assert_ok(rj_client_hget(c, text("h"), text("f"), &v));
    assert_bytes_equal(v, text("42"));
    assert_ok(rj_client_hgetall(c, text("h"), &fields, &count));
    assert_int_equal(count, 2);
    assert_bytes_equal(fields[1].field, text("g"));
    assert_bytes_equal(fields[1].value, text("x"));
    assert_ok(rj_client_hdel(c, text("h"), elems, 1, &n));
    assert_int_equal(n, 0);
    assert_ok(rj_client_hlen(c, text("h"), &n));
    assert_int_equal(n, 2);
    assert_err(RJ_ETYPE, rj_client_smembers(c, text("h"), &got, &count));
    assert_err(RJ_ETYPE, rj_client_hgetall(c, text("s"), &fields, &count));
    assert_err(RJ_ETYPE, rj_client_get(c, text("s"), &v));
    assert_string_equal(rj_client_why(c), rj_err_text(RJ_ETYPE));
    assert_err(RJ_EINVAL, rj_client_sadd(c, text("s"), NULL, 0, &n));
}

TEST(a_large_set_comes_in_several_answers)
{
    enum { N = 20000, PIECE = 5000 };
    static char names[N][8];
    struct rj_bytes elems[PIECE];
    const struct rj_bytes *got;
    uint64_t added;
    size_t count;

    for (size_t from = 0; from < N; from += PIECE) {
        for (size_t i = 0; i < PIECE; i++) {
            (void)snprintf(names[from + i], 8, "%06zu", from + i);
            elems[i] = text(names[from + i]);
        }
        assert_ok(rj_client_sadd(c, text("large"), elems, PIECE, &added));
        assert_int_equal(added, PIECE);
    }
    assert_ok(rj_client_smembers(c, text("large"), &got, &count));
    assert_int_equal(count, N);
    for (size_t i = 0; i < N; i++)
        assert_bytes_equal(got[i], text(names[i]));
}

TEST(a_scan_sees_every_key_once)
{
    const struct rj_bytes *keys;
    uint64_t cursor = 0, n = 0;
    size_t seen = 0, count;

    do {
        assert_ok(rj_client_scan(c, &cursor, 3, &keys, &count));
        seen += count;
    } while (cursor != 0);
    assert_ok(rj_client_count(c, &n));
    assert_int_equal(seen, n);
    assert_err(RJ_EINVAL, rj_client_scan(c, &cursor, 0, &keys, &count));
    assert_err(RJ_EINVAL,
               rj_client_scan(c, &cursor, RJ_CLIENT_ITEMS_MAX + 1, &keys, &count));
}

TEST(each_operation_of_a_list_has_its_own_result)
{
    const struct rj_op ops[] = {
        {.code = RJ_OP_SET, .key = text("x"), .value = text("1")},
        {.code = RJ_OP_SCARD, .key = text("x")}, /* no set */
        {.code = RJ_OP_INCR, .key = text("x"), .delta = 2},
        {.code = RJ_OP_GET, .key = text("y")}, /* not there */
        {.code = RJ_OP_GET, .key = text("x")},
    };
    struct rj_op_result r[5];

    for (int atomic = 0; atomic < 2; atomic++) {
        assert_ok(rj_client_run(c, ops, 5, atomic != 0, r));
        assert_err(RJ_OK, r[0].err);
        assert_err(RJ_ETYPE, r[1].err);
        assert_int_equal(r[2].number, 3);
        assert_err(RJ_ENOENT, r[3].err);
        assert_bytes_equal(r[4].value, text("3"));
    }
    assert_ok(rj_client_run(c, NULL, 0, true, NULL));
}

TEST(a_malformed_operation_keeps_all_from_being_done)
{
    struct rj_client_arg arg = {.key = "ops", .kind = RJ_CLIENT_LIST};
    const struct rj_bytes word = text("get");

    arg.items = &word; /* a text is no operation */
    arg.n_items = 1;
    assert_err(RJ_EINVAL, rj_client_verb(c, "data", &arg, 1, NULL));
    assert_non_null(strstr(rj_client_why(c), "operation 1"));
    assert_err(RJ_EINVAL, rj_client_verb(c, "data", NULL, 0, NULL));
    arg = (struct rj_client_arg){.key = "ops", .text = word};
    assert_err(RJ_EINVAL, rj_client_verb(c, "data", &arg, 1, NULL));
    assert_err(RJ_EVERSION, rj_client_verb(c, "frobnicate", NULL, 0, NULL));
    assert_non_null(strstr(rj_client_why(c), "frobnicate"));
}

TEST(an_atomic_group_has_a_limit)
{
    enum { N = 3000, ITEMS = 30 };
    struct rj_bytes items[ITEMS];
    struct rj_op *ops = calloc(N, sizeof(*ops));
    struct rj_op_result *r = calloc(N, sizeof(*r));

    for (size_t i = 0; i < ITEMS; i++)
        items[i] = text("abcdefghijklmnopqrstuvwxyz0123456789" + i);
    for (size_t i = 0; i < N; i++)
        ops[i] = (struct rj_op){
            .code = RJ_OP_SADD, .key = text("many"), .items = items, .n_items = ITEMS};
    assert_err(RJ_ELIMIT, rj_client_run(c, ops, N, true, r));
    assert_ok(rj_client_run(c, ops, N / 3, true, r));
    assert_int_equal(r[0].number, ITEMS);
    assert_ok(rj_client_run(c, ops, N, false, r)); /* one by one it may be any number */
    free(ops);
    free(r);
}

TEST(results_have_a_limit_and_a_largest_value_fits)
{
    struct rj_bytes v = {.len = RJ_VALUE_MAX};
    uint8_t *large = malloc(v.len + 1);
    const struct rj_op twice[] = {{.code = RJ_OP_GET, .key = text("largest")},
                                  {.code = RJ_OP_GET, .key = text("largest")},
                                  {.code = RJ_OP_GET, .key = text("small")}};
    struct rj_op_result r[3];

    memset(large, 'v', v.len + 1);
    v.ptr = large;
    assert_ok(rj_client_set(c, text("small"), text("1"), NULL));
    assert_ok(rj_client_set(c, text("largest"), v, NULL));
    assert_ok(rj_client_run(c, twice, 3, false, r));
    assert_bytes_equal(r[0].value, v);
    assert_err(RJ_ELIMIT, r[1].err);
    assert_bytes_equal(r[2].value, text("1"));
    v.len++;
    assert_err(RJ_ELIMIT, rj_client_set(c, text("largest"), v, NULL));
    assert_ok(rj_client_del(c, text("largest"), NULL));
    free(large);
}

TEST(the_status_is_a_document)
{
    const char *json = NULL;

    assert_ok(rj_client_status(c, NULL, &json));
    assert_non_null(strstr(json, "\"name\":\"data\""));
    assert_int_equal(json[0], '{');
    assert_err(RJ_ENOENT, rj_client_status(c, "nowhere", &json));
    assert_string_equal(rj_client_daemon_version(c), RJ_VERSION);
}

static bool first_event(void *ctx, const struct rj_client_event *ev)
{
    struct rj_client *other = NULL;
    const struct rj_client_arg args[] = {{.key = "key", .text = text("log.level")},
                                         {.key = "value", .text = text("info")}};

    if (ev == NULL) {
        rj_client_cancel(ctx); /* nothing happens here: events are in test_client */
        assert_ok(rj_client_open(NULL, NULL, 0, &other));
        assert_ok(rj_client_verb(other, "config.set", args, 2, NULL));
        rj_client_close(other);
    }
    return true;
}

TEST(a_watch_is_cancelled)
{
    uint64_t n;

    assert_err(RJ_ECANCELED, rj_client_watch(c, first_event, c));
    assert_ok(rj_client_count(c, &n));
}

/* ---- durability, with another member */

static struct rj_embed *member;
static atomic_bool leave;
static char ticket[RJ_EMBED_TICKET_MAX];

static void *run_member(void *arg)
{
    while (!atomic_load(&leave)) {
        struct pollfd p = {.fd = rj_embed_fd(member), .events = POLLIN};
        int ms = rj_embed_timeout_ms(member);

        (void)poll(&p, 1, ms >= 0 && ms < 20 ? ms : 20);
        assert_ok(rj_embed_process(member));
    }
    return arg;
}

static void open_member(void)
{
    char home[RJ_TEST_PATH_MAX];
    struct rj_embed_opts opts = {.size = sizeof(opts),
                                 .home = home,
                                 .name = "member",
                                 .listen = true,
                                 .listen_host = "127.0.0.1"};
    const struct rj_space_opts space = {
        .kind = RJ_KIND_BUCKET, .name = text("shared"), .durability = RJ_DURABLE_SECOND};
    struct rj_invite_opts invite = {.role = RJ_ROLE_WRITER, .uses = 1};
    struct rj_space *s;

    rj_test_dir_path(&dir, "member", home);
    assert_ok(rj_embed_open(&opts, why, sizeof(why), &member));
    assert_ok(rj_node_space_add(rj_embed_node(member), &space, rj_embed_now(member), &s));
    invite.expires_ms = rj_embed_now(member).wall.ms + 600000;
    assert_ok(rj_embed_invite(member, &invite, ticket, sizeof(ticket)));
}

TEST(a_wait_tells_how_many_others_have_it)
{
    struct rj_client_arg arg = {.key = "ticket"};
    uint32_t peers = 7;
    int64_t sum;

    assert_ok(rj_client_incr(c, text("n2"), 1, &sum));
    assert_ok(rj_client_wait(c, 0, RJ_DURABLE, &peers)); /* here */
    assert_int_equal(peers, 0);
    rj_client_set_timeout(c, 50);
    assert_err(RJ_ETIMEOUT, rj_client_wait(c, 1, RJ_RECEIVED, &peers));
    assert_int_equal(peers, 0);
    assert_non_null(strstr(rj_client_why(c), "0 of 1"));
    rj_client_set_timeout(c, 0);
    open_member();
    atomic_store(&leave, false);
    assert_int_equal(pthread_create(&member_thread, NULL, run_member, NULL), 0);
    arg.text = text(ticket);
    assert_ok(rj_client_verb(c, "join", &arg, 1, NULL));
    assert_ok(rj_client_use(c, "shared"));
    assert_ok(rj_client_incr(c, text("n"), 5, &sum));
    assert_ok(rj_client_wait(c, 1, RJ_RECEIVED, &peers));
    assert_int_equal(peers, 1);
    assert_ok(rj_client_wait(c, 1, RJ_DURABLE, &peers));
    assert_int_equal(peers, 1);
    atomic_store(&leave, true);
    (void)pthread_join(member_thread, NULL);
    rj_embed_close(member, 5000);
    assert_ok(rj_client_use(c, NULL));
}

TEST(a_bucket_that_is_always_durable_answers_too)
{
    uint32_t peers;
    int64_t sum;

    add_bucket("safe", "always");
    assert_ok(rj_client_use(c, "safe"));
    assert_ok(rj_client_incr(c, text("n"), 1, &sum));
    assert_ok(rj_client_wait(c, 0, RJ_DURABLE, &peers));
    assert_ok(rj_client_use(c, NULL));
}

int main(void)
{
    /* In this order: on one daemon. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_bucket_nothing_can_be_done),
        cmocka_unit_test(strings_and_counters),
        cmocka_unit_test(sets_and_hashes),
        cmocka_unit_test(a_large_set_comes_in_several_answers),
        cmocka_unit_test(a_scan_sees_every_key_once),
        cmocka_unit_test(each_operation_of_a_list_has_its_own_result),
        cmocka_unit_test(a_malformed_operation_keeps_all_from_being_done),
        cmocka_unit_test(an_atomic_group_has_a_limit),
        cmocka_unit_test(results_have_a_limit_and_a_largest_value_fits),
        cmocka_unit_test(the_status_is_a_document),
        cmocka_unit_test(a_watch_is_cancelled),
        cmocka_unit_test(a_wait_tells_how_many_others_have_it),
        cmocka_unit_test(a_bucket_that_is_always_durable_answers_too),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
