/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cbor.h"
#include "causal/kind.h"
#include "support/batches.h"
#include "support/fake_env.h"

static const struct rj_digest space = {{5, 5, 5}};

/* A batch, its encoding and what it borrows from. */
struct sample {
    struct rj_test_env env;
    struct rj_buf deps, raw, whole;
    struct rj_batch batch;
};

static void sample_init(struct sample *s, enum rj_batch_class class, struct rj_bytes body)
{
    struct rj_header h;

    memset(s, 0, sizeof(*s));
    rj_test_env_init(&s->env, 1);
    h = rj_test_header(&s->deps);
    h.class = class;
    h.count = class != RJ_CLASS_HEAD;
    h.body = (struct rj_digest){{0}};
    if (class != RJ_CLASS_HEAD)
        rj_test_env_hash(&s->env.env, &body, 1, &h.body);
    rj_header_put(&s->raw, &h);
    s->batch = (struct rj_batch){.header = h, .raw = rj_buf_view(&s->raw), .body = body};
    rj_header_hash(&s->env.env, &space, s->batch.raw, &s->batch.hash);
    assert_ok(rj_test_env_sign(&s->env.env, RJ_BYTES_OF(s->batch.hash.b), s->batch.sig));
    rj_batch_put(&s->whole, &s->batch);
    assert_ok(rj_buf_err(&s->whole));
}

static void sample_done(struct sample *s)
{
    rj_buf_done(&s->deps);
    rj_buf_done(&s->raw);
    rj_buf_done(&s->whole);
}

/* Encodes the batch as it is now and decodes it again; refused ones leave ret alone. */
static enum rj_err batch_again(struct sample *s, bool check_body, struct rj_batch *ret)
{
    struct rj_batch before;
    struct rj_reader r;
    enum rj_err err;

    rj_buf_clear(&s->whole);
    rj_batch_put(&s->whole, &s->batch);
    assert_ok(rj_buf_err(&s->whole));
    memset(ret, 0x5a, sizeof(*ret));
    memcpy(&before, ret, sizeof(before));
    r = rj_reader_of(rj_buf_view(&s->whole));
    err = rj_batch_get(&r, &s->env.env, &space, check_body, ret);
    if (err == RJ_OK)
        assert_true(rj_reader_complete(&r));
    else
        assert_memory_equal(ret, &before, sizeof(before));
    return err;
}

TEST(a_batch_comes_back_as_it_was)
{
    for (int class = RJ_CLASS_HEAD; class <= RJ_CLASS_DATA; class ++) {
        struct rj_bytes body = RJ_BYTES_LIT("writes");
        struct rj_batch got;
        struct sample s;

        sample_init(&s, (enum rj_batch_class) class,
                    class == RJ_CLASS_HEAD ? (struct rj_bytes){0} : body);
        for (int check = 0; check < 2; check++) {
            assert_ok(batch_again(&s, check != 0, &got));
            rj_test_same_header(&got.header, &s.batch.header);
            assert_bytes_equal(got.raw, s.batch.raw);
            assert_bytes_equal(got.body, s.batch.body);
            assert_memory_equal(got.sig, s.batch.sig, RJ_SIG_LEN);
            assert_memory_equal(got.hash.b, s.batch.hash.b, RJ_DIGEST_LEN);
            assert_true(got.raw.ptr > s.whole.ptr &&
                        got.raw.ptr < s.whole.ptr + s.whole.len); /* borrowed */
        }
        sample_done(&s);
    }
}

TEST(batches_are_read_one_after_another)
{
    struct rj_buf stream = {0};
    struct rj_batch got;
    struct rj_reader r;
    struct sample s;

    sample_init(&s, RJ_CLASS_DATA, RJ_BYTES_LIT("writes"));
    rj_batch_put(&stream, &s.batch);
    rj_batch_put(&stream, &s.batch);
    rj_buf_u8(&stream, 7);
    r = rj_reader_of(rj_buf_view(&stream));
    assert_ok(rj_batch_get(&r, &s.env.env, &space, true, &got));
    assert_int_equal(rj_reader_left(&r), s.whole.len + 1);
    assert_ok(rj_batch_get(&r, &s.env.env, &space, true, &got));
    assert_int_equal(rj_reader_u8(&r), 7);
    assert_true(rj_reader_complete(&r));
    rj_buf_done(&stream);
    sample_done(&s);
}

TEST(a_changed_body_is_found_when_it_is_looked_at)
{
    struct rj_batch got;
    struct sample s;

    sample_init(&s, RJ_CLASS_DATA, RJ_BYTES_LIT("writes"));
    s.batch.body = RJ_BYTES_LIT("writez");
    assert_err(RJ_ECORRUPT, batch_again(&s, true, &got));
    assert_ok(batch_again(&s, false, &got));
    s.batch.body = RJ_BYTES_LIT("write");
    assert_err(RJ_ECORRUPT, batch_again(&s, true, &got));
    sample_done(&s);
}

TEST(the_space_is_bound_into_the_hash)
{
    struct rj_digest other = {{5, 5, 6}};
    struct rj_batch here, there;
    struct rj_reader r;
    struct sample s;

    sample_init(&s, RJ_CLASS_DATA, RJ_BYTES_LIT("writes"));
    assert_ok(batch_again(&s, true, &here));
    r = rj_reader_of(rj_buf_view(&s.whole));
    assert_ok(rj_batch_get(&r, &s.env.env, &other, true, &there));
    assert_memory_not_equal(here.hash.b, there.hash.b, RJ_DIGEST_LEN);
    assert_true(rj_test_env_verify(&s.env.env, s.env.env.pubkey, RJ_BYTES_OF(here.hash.b),
                                   here.sig));
    assert_false(rj_test_env_verify(&s.env.env, s.env.env.pubkey,
                                    RJ_BYTES_OF(there.hash.b), there.sig));
    sample_done(&s);
}

TEST(a_head_has_no_body_and_every_other_batch_has_one)
{
    struct rj_batch got;
    struct sample s;

    sample_init(&s, RJ_CLASS_HEAD, (struct rj_bytes){0});
    s.batch.body = RJ_BYTES_LIT("writes");
    assert_err(RJ_ECORRUPT, batch_again(&s, true, &got));
    assert_err(RJ_ECORRUPT, batch_again(&s, false, &got));
    sample_done(&s);
    for (int class = RJ_CLASS_MEMBER; class <= RJ_CLASS_DATA; class ++) {
        sample_init(&s, (enum rj_batch_class) class, RJ_BYTES_LIT("writes"));
        s.batch.body = (struct rj_bytes){0};
        assert_err(RJ_ECORRUPT, batch_again(&s, true, &got));
        assert_err(RJ_ECORRUPT, batch_again(&s, false, &got));
        sample_done(&s);
    }
}

TEST(a_body_beyond_its_limit_is_corrupt)
{
    size_t most = RJ_BATCH_BODY_MAX;
    uint8_t *body = calloc(most + 1, 1);
    struct rj_batch got;
    struct sample s;

    assert_non_null(body);
    sample_init(&s, RJ_CLASS_DATA, rj_bytes_of(body, most));
    assert_ok(batch_again(&s, true, &got));
    sample_done(&s);
    sample_init(&s, RJ_CLASS_DATA, rj_bytes_of(body, most + 1));
    assert_err(RJ_ECORRUPT, batch_again(&s, true, &got));
    assert_err(RJ_ECORRUPT, batch_again(&s, false, &got));
    sample_done(&s);
    free(body);
}

TEST(what_is_wrong_with_the_header_is_wrong_with_the_batch)
{
    struct rj_buf other = {0};
    struct rj_batch got;
    struct rj_bytes raw;
    struct sample s;

    sample_init(&s, RJ_CLASS_DATA, RJ_BYTES_LIT("writes"));
    raw = s.batch.raw;
    rj_buf_append(&other, raw);
    other.ptr[1] = RJ_BATCH_FORMAT + 1;
    s.batch.raw = rj_buf_view(&other);
    assert_err(RJ_EVERSION, batch_again(&s, true, &got));
    other.ptr[1] = RJ_BATCH_FORMAT;
    assert_ok(batch_again(&s, true, &got));
    rj_buf_u8(&other, 0);
    s.batch.raw = rj_buf_view(&other);
    assert_err(RJ_ECORRUPT, batch_again(&s, true, &got));
    s.batch.raw = (struct rj_bytes){0};
    assert_err(RJ_ECORRUPT, batch_again(&s, true, &got));
    rj_buf_done(&other);
    sample_done(&s);
}

TEST(a_batch_of_another_form_is_corrupt)
{
    static const uint8_t sig[RJ_SIG_LEN + 1] = {1};
    struct rj_bytes body = RJ_BYTES_LIT("writes");
    struct rj_batch got;
    struct sample s;

    sample_init(&s, RJ_CLASS_DATA, body);
    for (size_t fields = 2; fields <= 4; fields++) {
        for (size_t len = RJ_SIG_LEN - 1; len <= RJ_SIG_LEN + 1; len++) {
            bool right = fields == 3 && len == RJ_SIG_LEN;
            struct rj_reader r;

            rj_buf_clear(&s.whole);
            rj_cbor_put_array(&s.whole, fields);
            rj_cbor_put_bytes(&s.whole, s.batch.raw);
            rj_cbor_put_bytes(&s.whole, rj_bytes_of(sig, len));
            rj_cbor_put_bytes(&s.whole, body);
            rj_cbor_put_bytes(&s.whole, body);
            r = rj_reader_of(rj_buf_view(&s.whole));
            assert_err(right ? RJ_OK : RJ_ECORRUPT,
                       rj_batch_get(&r, &s.env.env, &space, true, &got));
        }
    }
    sample_done(&s);
}

TEST(a_batch_cut_off_at_any_byte_is_corrupt)
{
    struct rj_batch got;
    struct sample s;

    sample_init(&s, RJ_CLASS_DATA, RJ_BYTES_LIT("writes"));
    for (size_t len = 0; len < s.whole.len; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1);
        struct rj_reader r = rj_reader_of(rj_bytes_of(exact, len));

        assert_non_null(exact);
        memcpy(exact, s.whole.ptr, len);
        assert_err(RJ_ECORRUPT, rj_batch_get(&r, &s.env.env, &space, false, &got));
        free(exact);
    }
    sample_done(&s);
}

TEST(a_flipped_bit_changes_the_hash_or_is_refused)
{
    struct rj_batch got, right;
    struct sample s;

    sample_init(&s, RJ_CLASS_DATA, RJ_BYTES_LIT("writes"));
    assert_ok(batch_again(&s, true, &right));
    for (size_t bit = 0; bit < 8 * s.whole.len; bit++) {
        struct rj_reader r = rj_reader_of(rj_buf_view(&s.whole));
        enum rj_err err;

        s.whole.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        err = rj_batch_get(&r, &s.env.env, &space, true, &got);
        if (err == RJ_OK)
            assert_true(memcmp(got.hash.b, s.batch.hash.b, RJ_DIGEST_LEN) != 0 ||
                        memcmp(got.sig, s.batch.sig, RJ_SIG_LEN) != 0);
        else
            assert_true(err == RJ_ECORRUPT || err == RJ_EVERSION);
        s.whole.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    sample_done(&s);
}

static enum rj_err encode_and_decode(void *ctx)
{
    struct rj_test_env *env = ctx;
    struct rj_buf deps = {0}, raw = {0}, whole = {0};
    struct rj_bytes body = RJ_BYTES_LIT("writes");
    struct rj_header h = {.class = RJ_CLASS_DATA, .first = 1, .count = 1};
    struct rj_batch batch = {.body = body}, got;
    enum rj_err err;

    for (uint32_t i = 0; i < 100; i++)
        rj_test_put_dep(&deps, i, 1);
    h.deps = rj_buf_view(&deps);
    h.n_deps = 100;
    rj_test_env_hash(&env->env, &body, 1, &h.body);
    err = rj_buf_err(&deps);
    if (err == RJ_OK)
        rj_header_put(&raw, &h);
    batch.raw = rj_buf_view(&raw);
    if (err == RJ_OK && (err = rj_buf_err(&raw)) == RJ_OK)
        rj_batch_put(&whole, &batch);
    if (err == RJ_OK && (err = rj_buf_err(&whole)) == RJ_OK) {
        struct rj_reader r = rj_reader_of(rj_buf_view(&whole));

        err = rj_batch_get(&r, &env->env, &space, true, &got);
    }
    rj_buf_done(&deps);
    rj_buf_done(&raw);
    rj_buf_done(&whole);
    return err;
}

TEST(out_of_memory_is_reported_wherever_it_happens)
{
    struct rj_test_env env;

    rj_test_env_init(&env, 1);
    rj_test_with_failing_alloc(encode_and_decode, &env);
    rj_test_with_one_failing_alloc(encode_and_decode, &env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_comes_back_as_it_was),
        cmocka_unit_test(batches_are_read_one_after_another),
        cmocka_unit_test(a_changed_body_is_found_when_it_is_looked_at),
        cmocka_unit_test(the_space_is_bound_into_the_hash),
        cmocka_unit_test(a_head_has_no_body_and_every_other_batch_has_one),
        cmocka_unit_test(a_body_beyond_its_limit_is_corrupt),
        cmocka_unit_test(what_is_wrong_with_the_header_is_wrong_with_the_batch),
        cmocka_unit_test(a_batch_of_another_form_is_corrupt),
        cmocka_unit_test(a_batch_cut_off_at_any_byte_is_corrupt),
        cmocka_unit_test(a_flipped_bit_changes_the_hash_or_is_refused),
        cmocka_unit_test(out_of_memory_is_reported_wherever_it_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
