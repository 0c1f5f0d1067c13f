/* SPDX-License-Identifier: Apache-2.0 */
/* The driver: an instance that ends, for whatever reason, is followed by another one on
 * the same store, with all that was written and a new incarnation. */
#include "driver/engine.h"
#include "node/state.h"
#include "posix/crypto.h"
#include "support/temp_dir.h"
#include "support/test.h"

#include <fcntl.h>
#include <rejoin/bucket.h>
#include <unistd.h>

enum { STOP_MS = 1000, TOO_LATE_MS = 20000 };

struct fixture {
    struct rj_test_dir dir;
    char path[RJ_TEST_PATH_MAX];
    struct rj_logger log;
    struct rj_crypto *crypto;
    struct rj_loop *loop;
    struct rj_timer *late;
    struct rj_engine *engine;
    uint64_t incarnations[2]; /* of each instance */
    unsigned began, ended, gave_up;
    enum rj_err why;
};

static void on_send(void *ctx, uint64_t peer, struct rj_bytes bytes)
{
    (void)ctx;
    (void)peer;
    (void)bytes;
}

static void on_close(void *ctx, uint64_t peer, enum rj_err err)
{
    (void)ctx;
    (void)peer;
    (void)err;
}

static void on_note(void *ctx, enum rj_note_level level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)text;
}

static void on_ended(void *ctx, enum rj_err err, const char *why)
{
    struct fixture *f = ctx;

    (void)why;
    f->ended++;
    f->why = err;
    assert_null(rj_engine_node(f->engine));
}

static void on_began(void *ctx)
{
    struct fixture *f = ctx;

    f->began++;
    rj_loop_stop(f->loop, STOP_MS);
}

static void on_gave_up(void *ctx, enum rj_err err, const char *why)
{
    struct fixture *f = ctx;

    (void)err;
    (void)why;
    f->gave_up++;
    rj_loop_stop(f->loop, STOP_MS);
}

static void on_cast(void *ctx, struct rj_space *s, struct rj_bytes topic,
                    struct rj_bytes text)
{
    (void)ctx, (void)s, (void)topic, (void)text;
}

static void on_relay(void *ctx, const struct rj_action *a)
{
    (void)ctx, (void)a;
}

static const struct rj_engine_ops engine_ops = {.cast = on_cast,
                                                .relay = on_relay,
                                                .send = on_send,
                                                .close = on_close,
                                                .note = on_note,
                                                .ended = on_ended,
                                                .began = on_began,
                                                .gave_up = on_gave_up};

static void on_turn(void *ctx)
{
    rj_engine_flush(((struct fixture *)ctx)->engine);
}

static void on_signal(void *ctx, int signo)
{
    (void)ctx;
    (void)signo;
}

static const struct rj_loop_ops loop_ops = {.on_turn = on_turn, .on_signal = on_signal};

static void on_late(void *ctx)
{
    rj_loop_stop(((struct fixture *)ctx)->loop, STOP_MS);
}

static struct rj_bucket *begin(struct fixture *f)
{
    const struct rj_loop_options loop = {.ops = &loop_ops, .ctx = f};
    const struct rj_space_opts space = {.kind = RJ_KIND_BUCKET,
                                        .name = RJ_BYTES_LIT("s"),
                                        .durability = RJ_DURABLE_SECOND};
    struct rj_engine_options options = {.ops = &engine_ops,
                                        .ctx = f,
                                        .log = &f->log,
                                        .store_path = f->path,
                                        .name = RJ_BYTES_LIT("tester")};
    struct rj_space *s = NULL;
    struct rj_mono late;
    char why[RJ_ENGINE_WHY_MAX] = "";

    *f = (struct fixture){.log = {.level = RJ_NOTE_ERROR}};
    f->log.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(f->log.fd >= 0);
    rj_test_dir_init(&f->dir);
    rj_test_dir_path(&f->dir, "store", f->path);
    assert_ok(rj_crypto_new(NULL, &f->crypto));
    assert_ok(rj_loop_new(&loop, &f->loop));
    options.loop = f->loop;
    options.env = rj_crypto_env(f->crypto);
    assert_ok(rj_engine_open(&options, why, sizeof(why), &f->engine));
    assert_ok(rj_timer_new(f->loop, on_late, f, &f->late));
    late = rj_loop_now(f->loop).mono;
    late.ms += TOO_LATE_MS;
    rj_timer_set(f->late, late);
    f->incarnations[0] = rj_engine_node(f->engine)->incarnation;
    assert_ok(rj_node_space_add(rj_engine_node(f->engine), &space,
                                rj_engine_now(f->engine), &s));
    return rj_space_bucket(s, rj_engine_now(f->engine));
}

static struct rj_bucket *bucket(struct fixture *f)
{
    struct rj_space *s = rj_node_space(rj_engine_node(f->engine), RJ_BYTES_LIT("s"));

    assert_non_null(s);
    return rj_space_bucket(s, rj_engine_now(f->engine));
}

static void end(struct fixture *f)
{
    rj_timer_free(f->late);
    rj_engine_close(f->engine);
    rj_loop_free(f->loop);
    rj_crypto_free(f->crypto);
    (void)close(f->log.fd);
    rj_test_dir_done(&f->dir);
}

TEST(a_fork_ends_the_instance_and_another_one_begins)
{
    struct fixture f;
    struct rj_bucket *b = begin(&f);
    struct rj_bytes value;

    assert_ok(rj_bucket_set(b, RJ_BYTES_LIT("k"), RJ_BYTES_LIT("before"), NULL));
    rj_node_renew(rj_engine_node(f.engine)); /* as when a fork was found */
    assert_err(RJ_EBUSY,
               rj_bucket_set(b, RJ_BYTES_LIT("k"), RJ_BYTES_LIT("while"), NULL));
    rj_engine_touch(f.engine);
    rj_loop_run(f.loop);

    assert_int_equal(f.ended, 1);
    assert_err(RJ_EFORK, f.why);
    assert_int_equal(f.began, 1);
    assert_int_equal(f.gave_up, 0);
    assert_int_equal(rj_engine_instance(f.engine), 2);
    assert_true(rj_engine_node(f.engine)->incarnation != f.incarnations[0]);
    b = bucket(&f);
    assert_ok(rj_bucket_get(b, RJ_BYTES_LIT("k"), &value));
    assert_bytes_equal(value, RJ_BYTES_LIT("before"));
    assert_ok(rj_bucket_set(b, RJ_BYTES_LIT("k"), RJ_BYTES_LIT("after"), NULL));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fork_ends_the_instance_and_another_one_begins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
