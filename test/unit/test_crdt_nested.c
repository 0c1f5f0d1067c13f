/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and texts below keys of maps: what other rows of a map can do they can do, too.
 * (That they follow the rules of sequences: test_crdt_seq.c.) */
#include "crdt/place.h"
#include "crdt/seq.h"
#include "support/crdt_value.h"
#include "support/fail_alloc.h"

#include <rejoin/crdt.h>
#include <string.h>

static const struct rj_bytes doc[] = {{(const uint8_t *)"doc", 3},
                                      {(const uint8_t *)"body", 4}};
enum { KEY = 1, BODY = 2 }; /* how much of that path */

static struct rj_crdt_op at(enum rj_crdt_code code, enum rj_crdt_type type, size_t depth)
{
    struct rj_crdt_op op = crdt_op(code);

    op.at = type;
    op.path = doc;
    op.n_path = depth;
    return op;
}

static enum rj_err type_text(struct rj_crdt *v, uint64_t pos, const char *text,
                             struct rj_crdt_buf *ret_delta)
{
    struct rj_crdt_op op = at(RJ_CRDT_INSERT, RJ_CRDT_TEXT, BODY);

    op.pos = pos;
    op.value = rj_bytes_from_str(text);
    return rj_crdt_write(v, &op, ret_delta);
}

static enum rj_err erase(struct rj_crdt *v, uint64_t pos, uint64_t count)
{
    struct rj_crdt_op op = at(RJ_CRDT_DELETE, RJ_CRDT_TEXT, BODY);

    op.pos = pos;
    op.count = count;
    return rj_crdt_write(v, &op, NULL);
}

static enum rj_err remove_doc(struct rj_crdt *v, struct rj_crdt_buf *ret_delta)
{
    struct rj_crdt_op op = at(RJ_CRDT_REMOVE, RJ_CRDT_NONE, KEY);

    return rj_crdt_write(v, &op, ret_delta);
}

static void join(struct rj_crdt *v, const struct rj_crdt *other)
{
    assert_ok(rj_crdt_join(v, other, NULL));
}

/* ---- what users see */

TEST(what_was_typed_apart_stands_side_by_side)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORMAP, "a"), *b = crdt_new(RJ_CRDT_ORMAP, "b");

    assert_ok(type_text(a, 0, "dear ", NULL));
    join(b, a);
    assert_ok(type_text(a, RJ_CRDT_END, "Ann", NULL));
    assert_ok(type_text(a, RJ_CRDT_END, "!", NULL));
    assert_ok(type_text(b, RJ_CRDT_END, "Bob", NULL));
    assert_ok(type_text(b, RJ_CRDT_END, "?", NULL));
    join(a, b);
    join(b, a);
    assert_same(a, b);
    assert_shows(a, "{\"doc\":{\"body\":\"dear Ann!Bob?\"}}");
    rj_crdt_free(a);
    rj_crdt_free(b);
}

TEST(a_removed_key_takes_what_was_seen_and_leaves_what_was_not)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORMAP, "a"), *b = crdt_new(RJ_CRDT_ORMAP, "b");

    struct rj_crdt_where body = {.path = doc, .n_path = BODY, .at = RJ_CRDT_TEXT};
    uint64_t n;

    assert_ok(type_text(a, 0, "old words", NULL));
    join(b, a);
    assert_ok(remove_doc(a, NULL));
    assert_shows(a, "{}");
    assert_ok(type_text(b, 3, " and new", NULL));
    join(a, b);
    join(b, a);
    assert_same(a, b);
    assert_shows(b, "{\"doc\":{\"body\":\" and new\"}}");
    assert_ok(type_text(b, 0, "all", NULL));
    assert_shows(b, "{\"doc\":{\"body\":\"all and new\"}}");
    assert_ok(rj_crdt_count(b, &body, &n));
    assert_int_equal(n, strlen("all and new"));
    rj_crdt_free(a);
    rj_crdt_free(b);
}

TEST(a_reader_who_saw_more_removes_what_is_still_to_come)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORMAP, "a"), *b = crdt_new(RJ_CRDT_ORMAP, "b");
    struct rj_crdt_op op = at(RJ_CRDT_REMOVE, RJ_CRDT_NONE, KEY);
    struct rj_crdt_buf seen = {0};

    assert_ok(type_text(a, 0, "one", NULL));
    assert_ok(rj_crdt_context(a, &seen));
    op.flags = RJ_CRDT_CAUSED;
    op.context = rj_crdt_bytes(&seen);
    assert_ok(rj_crdt_write(b, &op, NULL));
    assert_ok(type_text(a, RJ_CRDT_END, " two", NULL));
    join(b, a);
    assert_shows(b, "{\"doc\":{\"body\":\" two\"}}");
    join(a, b);
    assert_same(a, b);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&seen);
}

TEST(what_hangs_from_something_that_has_not_come_is_not_shown_yet)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORMAP, "a"), *b = crdt_new(RJ_CRDT_ORMAP, "b");
    struct rj_crdt_buf first = {0}, second = {0};

    assert_ok(type_text(a, 0, "here", &first));
    assert_ok(type_text(a, 4, " and there", &second));
    assert_ok(rj_crdt_join_bytes(b, rj_crdt_bytes(&second), NULL));
    assert_shows(b, "{}");
    assert_ok(rj_crdt_join_bytes(b, rj_crdt_bytes(&first), NULL));
    assert_shows(b, "{\"doc\":{\"body\":\"here and there\"}}");
    assert_same(a, b);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&first);
    rj_crdt_buf_free(&second);
}

TEST(what_cannot_be_done_is_refused_and_changes_nothing)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_ORMAP, "a"), *before = NULL;
    struct rj_crdt_op op = at(RJ_CRDT_ADD, RJ_CRDT_TEXT, BODY);

    assert_ok(type_text(v, 0, "\xc3\xa4o", NULL));
    assert_ok(rj_crdt_fork(v, rj_bytes_from_str(""), &before));
    assert_err(RJ_EINVAL, type_text(v, 3, "x", NULL));
    assert_err(RJ_EINVAL, type_text(v, 0, "\xc3", NULL));
    assert_err(RJ_EINVAL, erase(v, 1, 2));
    assert_err(RJ_EINVAL, erase(v, 1, UINT64_MAX));
    assert_err(RJ_EINVAL, rj_crdt_write(v, &op, NULL));
    assert_same(v, before);
    rj_crdt_free(v);
    rj_crdt_free(before);
}

TEST(who_watches_is_told_what_a_key_showed_and_shows)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_ORMAP, "a");
    struct rj_crdt_buf json = {0};

    assert_ok(type_text(v, 0, "so", NULL));
    assert_ok(rj_crdt_watch(v, true));
    assert_ok(type_text(v, 2, "me", NULL));
    assert_ok(rj_crdt_patch(v, &json));
    assert_bytes_equal(
        rj_crdt_bytes(&json),
        rj_bytes_from_str(
            "{\"path\":[\"doc\",\"body\"],\"old\":\"so\",\"new\":\"some\"}"));
    assert_err(RJ_ENOENT, rj_crdt_patch(v, &json));
    rj_crdt_buf_free(&json);
    rj_crdt_free(v);
}

static void digest(void *user, struct rj_bytes b, uint8_t ret[RJ_CRDT_DIGEST_LEN])
{
    (void)user;
    memset(ret, (int)b.len, RJ_CRDT_DIGEST_LEN);
}

TEST(long_texts_stay_texts_where_long_values_stand_elsewhere)
{
    struct rj_crdt_opts opts = crdt_opts(RJ_CRDT_ORMAP, "a");
    struct rj_crdt *v = NULL;

    opts.rules.lazy_bytes = 8;
    opts.digest = digest;
    assert_ok(rj_crdt_new(&opts, &v));
    assert_ok(type_text(v, 0, "a text that is longer than most", NULL));
    assert_shows(v, "{\"doc\":{\"body\":\"a text that is longer than most\"}}");
    rj_crdt_free(v);
}

/* ---- replicas that were apart for long */

static struct rj_crdt *forgetful(const char *name)
{
    struct rj_crdt_opts opts = crdt_opts(RJ_CRDT_ORMAP, name);
    struct rj_crdt *v = NULL;

    opts.rules.horizon = 100;
    assert_ok(rj_crdt_new(&opts, &v));
    return v;
}

TEST(who_is_re_based_keeps_what_it_typed_and_deleted)
{
    struct rj_crdt *a = forgetful("a"), *b = forgetful("b"), *c = forgetful("c");
    struct rj_crdt_buf digest = {0};
    struct rj_bytes own;

    assert_ok(type_text(a, 0, "abcdef", NULL));
    join(b, a);
    join(c, a);
    assert_ok(type_text(b, 3, "xyz", NULL));
    join(c, b);
    assert_ok(type_text(c, 5, "!", NULL)); /* it hangs from what b typed */
    assert_ok(erase(b, 4, 1));
    assert_ok(erase(b, 0, 1));
    assert_ok(type_text(a, 6, "g", NULL));
    assert_ok(rj_crdt_digest(a, &digest));
    own = rj_crdt_bytes(&digest);
    assert_ok(rj_crdt_forget(a, &own, 1, NULL));
    assert_err(RJ_ECLOSED, rj_crdt_join(a, b, NULL));
    assert_ok(rj_crdt_rebase(b, a, rj_bytes_from_str("b2")));
    assert_shows(b, "{\"doc\":{\"body\":\"bcxzdefg\"}}");
    join(a, b);
    assert_same(a, b);
    assert_ok(rj_crdt_rebase(c, a, rj_bytes_from_str("c2")));
    assert_shows(c, "{\"doc\":{\"body\":\"bcx!zdefg\"}}");
    join(a, c);
    assert_same(a, c);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_free(c);
    rj_crdt_buf_free(&digest);
}

/* ---- messages that nobody honest makes */

/* A value into which rows were put as they are. */
static struct rj_crdt *forged(const char *name, size_t n, const char *const *payloads)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_ORMAP, name);
    struct rj_buf prefix = {0};
    size_t i;

    rj_place_put(&prefix, doc, BODY, RJ_CRDT_TEXT);
    for (i = 0; i < n; i++) { /* "e" and a character, or "r" and numbers below 10 */
        struct rj_buf place = {0}, payload = {0};
        struct rj_told told = {.dot = {i + 1, v->self}};
        const char *c;

        rj_buf_append(&place, rj_buf_view(&prefix));
        rj_buf_u8(&place, (uint8_t)payloads[i][0]);
        for (c = payloads[i] + 1; *c != '\0'; c++)
            rj_buf_u8(&payload,
                      (uint8_t)(payloads[i][0] == 'r' && *c <= '9' ? *c - '0' : *c));
        told.place = rj_buf_view(&place);
        told.payload = rj_buf_view(&payload);
        assert_ok(rj_rows_put(&v->rows, &told, NULL));
        assert_ok(rj_dots_note(&v->seen, told.dot));
        rj_buf_done(&place);
        rj_buf_done(&payload);
    }
    rj_buf_done(&prefix);
    return v;
}

static enum rj_err take(struct rj_crdt *v, const struct rj_crdt *from)
{
    struct rj_crdt_buf bytes = {0};
    enum rj_err err;

    assert_ok(rj_crdt_encode(from, &bytes));
    err = rj_crdt_join_bytes(v, rj_crdt_bytes(&bytes), NULL);
    rj_crdt_buf_free(&bytes);
    return err;
}

TEST(rows_that_say_nothing_sound_are_refused)
{
    static const char *const bad[][1] = {
        {"r"},     {"r00"},   {"r1"},   {"r15"},   {"r110"},
        {"r111x"}, {"r13"},   {"r139"}, {"r100x"}, {"exy"},
        {"e"},     {"e\xff"}, {"x"},    {"r141"},  {"r211\xff"},
    };
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rj_crdt *v = crdt_new(RJ_CRDT_ORMAP, "v"), *f = forged("f", 1, bad[i]);

        assert_err(RJ_ECORRUPT, take(v, f));
        assert_shows(v, "{}");
        rj_crdt_free(v);
        rj_crdt_free(f);
    }
}

TEST(runs_that_claim_too_much_harm_nobody)
{
    /* Elements without a run; a run into which another one goes; one that hangs from what
     * its maker had not made yet, and from itself; a replica that nobody knows. */
    static const char *const rows[] = {"ex",    "r90",  "ea",         "r10",   "eb",
                                       "ec",    "r112", "ed",         "r13;f", "ee",
                                       "r131f", "ef",   "r137nobody", "eg"};
    struct rj_crdt *f = forged("f", sizeof(rows) / sizeof(rows[0]), rows);
    struct rj_crdt *v = crdt_new(RJ_CRDT_ORMAP, "v");

    assert_ok(type_text(v, 0, "mine", NULL));
    assert_ok(take(v, f));
    assert_ok(take(f, v));
    assert_same(v, f);
    assert_shows(v, "{\"doc\":{\"body\":\"abdmine\"}}");
    assert_ok(type_text(v, 7, "!", NULL));
    assert_ok(erase(v, 0, 3));
    assert_shows(v, "{\"doc\":{\"body\":\"mine!\"}}");
    rj_crdt_free(f);
    rj_crdt_free(v);
}

/* ---- memory */

static enum rj_err use(void *user)
{
    struct rj_crdt *a = NULL, *b = NULL;
    struct rj_crdt_buf delta = {0};
    enum rj_err err;

    (void)user;
    err = crdt_make(RJ_CRDT_ORMAP, "a", &a);
    if (err == RJ_OK)
        err = crdt_make(RJ_CRDT_ORMAP, "b", &b);
    if (err == RJ_OK)
        err = type_text(a, 0, "some text", &delta);
    if (err == RJ_OK)
        err = rj_crdt_join_bytes(b, rj_crdt_bytes(&delta), NULL);
    if (err == RJ_OK)
        err = erase(a, 2, 3);
    if (err == RJ_OK)
        err = type_text(b, 0, "x", NULL);
    if (err == RJ_OK)
        err = rj_crdt_join(b, a, NULL);
    if (err == RJ_OK)
        err = rj_crdt_json(b, &delta);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&delta);
    return err;
}

TEST(every_lack_of_memory_is_told)
{
    rj_test_with_failing_alloc(use, NULL);
    rj_test_with_one_failing_alloc(use, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_typed_apart_stands_side_by_side),
        cmocka_unit_test(a_removed_key_takes_what_was_seen_and_leaves_what_was_not),
        cmocka_unit_test(a_reader_who_saw_more_removes_what_is_still_to_come),
        cmocka_unit_test(what_hangs_from_something_that_has_not_come_is_not_shown_yet),
        cmocka_unit_test(what_cannot_be_done_is_refused_and_changes_nothing),
        cmocka_unit_test(who_watches_is_told_what_a_key_showed_and_shows),
        cmocka_unit_test(long_texts_stay_texts_where_long_values_stand_elsewhere),
        cmocka_unit_test(who_is_re_based_keeps_what_it_typed_and_deleted),
        cmocka_unit_test(rows_that_say_nothing_sound_are_refused),
        cmocka_unit_test(runs_that_claim_too_much_harm_nobody),
        cmocka_unit_test(every_lack_of_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
