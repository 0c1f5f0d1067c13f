/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "support/crdt_value.h"

#include <stdio.h>
#include <string.h>

enum { HISTORIES = 60, STEPS = 60, TEXT_MAX = 4096, WORDS = 4 };

static void assert_patch(struct rj_crdt *v, const char *expected)
{
    struct rj_crdt_buf json = {0};

    assert_ok(rj_crdt_patch(v, &json));
    assert_bytes_equal(rj_crdt_bytes(&json), rj_bytes_from_str(expected));
    rj_crdt_buf_free(&json);
}

static void assert_no_patch(struct rj_crdt *v)
{
    struct rj_crdt_buf json = {0};

    assert_err(RJ_ENOENT, rj_crdt_patch(v, &json));
    rj_crdt_buf_free(&json);
}

static void put(struct rj_crdt *v, const char *key, const char *value)
{
    struct rj_crdt_op op = crdt_op(RJ_CRDT_PUT);
    struct rj_bytes k = rj_bytes_from_str(key);

    op.flags = RJ_CRDT_NOW;
    op.keys = &k;
    op.n_keys = 1;
    op.value = rj_bytes_from_str(value);
    assert_ok(rj_crdt_write(v, &op, NULL));
}

TEST(a_patch_has_what_was_shown_and_what_is)
{
    struct rj_crdt *set = crdt_new(RJ_CRDT_ORSET, "a");
    struct rj_crdt *map = crdt_new(RJ_CRDT_LWWMAP, "a");
    struct rj_crdt *count = crdt_new(RJ_CRDT_PNCOUNTER, "a");
    struct rj_crdt_op inc = crdt_op(RJ_CRDT_INC);

    assert_ok(crdt_key(set, RJ_CRDT_ADD, "before", NULL));
    assert_ok(rj_crdt_watch(set, true));
    assert_ok(rj_crdt_watch(map, true));
    assert_ok(rj_crdt_watch(count, true));
    assert_ok(crdt_key(set, RJ_CRDT_ADD, "x", NULL));
    assert_ok(crdt_key(set, RJ_CRDT_REMOVE, "before", NULL));
    assert_patch(set, "{\"path\":[\"before\"],\"old\":true,\"new\":false}");
    assert_patch(set, "{\"path\":[\"x\"],\"old\":false,\"new\":true}");
    assert_no_patch(set);
    put(map, "k", "1");
    assert_patch(map, "{\"path\":[\"k\"],\"old\":null,\"new\":\"1\"}");
    put(map, "k", "2");
    assert_patch(map, "{\"path\":[\"k\"],\"old\":\"1\",\"new\":\"2\"}");
    assert_ok(crdt_key(map, RJ_CRDT_REMOVE, "k", NULL));
    assert_patch(map, "{\"path\":[\"k\"],\"old\":\"2\",\"new\":null}");
    inc.amount = 3;
    assert_ok(rj_crdt_write(count, &inc, NULL));
    assert_patch(count, "{\"path\":[],\"old\":0,\"new\":3}");
    assert_no_patch(count);
    rj_crdt_free(set);
    rj_crdt_free(map);
    rj_crdt_free(count);
}

TEST(a_place_that_changed_often_is_told_once_and_one_that_is_back_not_at_all)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_ORSET, "a");

    assert_ok(rj_crdt_watch(v, true));
    assert_ok(crdt_key(v, RJ_CRDT_ADD, "x", NULL));
    assert_ok(crdt_key(v, RJ_CRDT_ADD, "y", NULL));
    assert_ok(crdt_key(v, RJ_CRDT_REMOVE, "x", NULL));
    assert_ok(crdt_key(v, RJ_CRDT_REMOVE, "y", NULL));
    assert_ok(crdt_key(v, RJ_CRDT_ADD, "y", NULL));
    assert_patch(v, "{\"path\":[\"y\"],\"old\":false,\"new\":true}");
    assert_no_patch(v);
    assert_ok(crdt_key(v, RJ_CRDT_ADD, "z", NULL));
    assert_ok(rj_crdt_watch(v, false));
    assert_ok(rj_crdt_watch(v, true));
    assert_no_patch(v);
    rj_crdt_free(v);
}

/* ---- maps of maps */

static void set_at(struct rj_crdt *v, const char *key, const char *below,
                   const char *value)
{
    struct rj_bytes path[2] = {rj_bytes_from_str(key), rj_bytes_from_str(below)};
    struct rj_crdt_op op = crdt_op(value[0] != '\0' ? RJ_CRDT_SET : RJ_CRDT_REMOVE);

    op.path = path;
    op.n_path = below[0] != '\0' ? 2 : 1;
    op.at = value[0] != '\0' ? RJ_CRDT_LWWREG : RJ_CRDT_NONE;
    op.value = rj_bytes_from_str(value);
    op.flags = RJ_CRDT_NOW;
    assert_ok(rj_crdt_write(v, &op, NULL));
}

TEST(in_a_map_of_maps_the_path_leads_to_a_leaf)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORMAP, "a");
    struct rj_crdt *b = crdt_new(RJ_CRDT_ORMAP, "b");

    assert_ok(rj_crdt_watch(a, true));
    set_at(a, "k", "x", "1");
    set_at(b, "k", "y", "2");
    assert_ok(rj_crdt_join(a, b, NULL));
    assert_patch(a, "{\"path\":[\"k\",\"x\"],\"old\":null,\"new\":\"1\"}");
    assert_patch(a, "{\"path\":[\"k\",\"y\"],\"old\":null,\"new\":\"2\"}");
    assert_no_patch(a);
    set_at(a, "k", "", "");
    assert_shows(a, "{}");
    assert_patch(a, "{\"path\":[\"k\",\"x\"],\"old\":\"1\",\"new\":null}");
    assert_patch(a, "{\"path\":[\"k\",\"y\"],\"old\":\"2\",\"new\":null}");
    assert_no_patch(a);
    rj_crdt_free(a);
    rj_crdt_free(b);
}

TEST(a_leaf_hides_what_is_below_it)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_ORMAP, "a");
    struct rj_bytes key = rj_bytes_from_str("k");
    struct rj_crdt_op off = crdt_op(RJ_CRDT_CLEAR), on = crdt_op(RJ_CRDT_SET);

    set_at(v, "k", "x", "1");
    assert_ok(rj_crdt_watch(v, true));
    on.path = off.path = &key;
    on.n_path = off.n_path = 1;
    on.at = off.at = RJ_CRDT_MVREG;
    on.value = rj_bytes_from_str("top");
    assert_ok(rj_crdt_write(v, &on, NULL));
    assert_shows(v, "{\"k\":[\"top\"]}");
    assert_patch(v, "{\"path\":[\"k\"],\"old\":{\"x\":\"1\"},\"new\":[\"top\"]}");
    set_at(v, "k", "x", "2"); /* nobody sees it */
    assert_no_patch(v);
    assert_ok(rj_crdt_write(v, &off, NULL));
    assert_shows(v, "{\"k\":{\"x\":\"2\"}}");
    assert_patch(v, "{\"path\":[\"k\"],\"old\":[\"top\"],\"new\":{\"x\":\"2\"}}");
    assert_no_patch(v);
    rj_crdt_free(v);
}

/* ---- against what is shown */

static const char *const words[WORDS] = {"", "x", "xy", "z"};

/* Reads all patches into what was known to be shown. */
static void follow(struct rj_crdt *v, bool known[WORDS])
{
    struct rj_crdt_buf json = {0};
    char expected[64];
    size_t i;

    for (i = 0; i < WORDS; i++) { /* places come in the order of their bytes */
        bool is = false;

        assert_ok(rj_crdt_contains(v, NULL, rj_bytes_from_str(words[i]), &is));
        if (is == known[i])
            continue;
        (void)snprintf(expected, sizeof(expected), "{\"path\":[\"%s\"],\"old\":%s",
                       words[i],
                       known[i] ? "true,\"new\":false}" : "false,\"new\":true}");
        assert_ok(rj_crdt_patch(v, &json));
        assert_bytes_equal(rj_crdt_bytes(&json), rj_bytes_from_str(expected));
        known[i] = is;
    }
    assert_err(RJ_ENOENT, rj_crdt_patch(v, &json));
    rj_crdt_buf_free(&json);
}

static void play_set(enum rj_crdt_type type, uint64_t seed)
{
    struct rj_crdt *values[2] = {crdt_new(type, "a"), crdt_new(type, "b")};
    struct rj_crdt_buf deltas[4] = {{0}};
    bool known[WORDS] = {false};
    struct rj_prng p;
    size_t i;

    rj_prng_init(&p, seed);
    assert_ok(rj_crdt_watch(values[0], true));
    for (i = 0; i < STEPS; i++) {
        struct rj_crdt *v = values[rj_prng_below(&p, 2)];
        struct rj_crdt_buf *delta = &deltas[rj_prng_below(&p, 4)];

        if (rj_prng_chance(&p, 1, 8))
            assert_ok(rj_crdt_join(values[0], values[1], NULL));
        else if (rj_prng_chance(&p, 1, 3) && delta->len > 0)
            assert_ok(rj_crdt_join_bytes(v, rj_crdt_bytes(delta), NULL));
        else
            assert_ok(crdt_key(v, rj_prng_chance(&p, 2, 3) ? RJ_CRDT_ADD : RJ_CRDT_REMOVE,
                               words[rj_prng_below(&p, WORDS)], delta));
        if (rj_prng_chance(&p, 1, 5))
            follow(values[0], known);
    }
    follow(values[0], known);
    for (i = 0; i < 4; i++)
        rj_crdt_buf_free(&deltas[i]);
    rj_crdt_free(values[0]);
    rj_crdt_free(values[1]);
}

TEST(patches_tell_every_change_of_a_set)
{
    static const enum rj_crdt_type types[] = {RJ_CRDT_ORSET, RJ_CRDT_RWORSET,
                                              RJ_CRDT_LWWSET, RJ_CRDT_TWOPSET};
    uint64_t seed;
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        for (seed = 1; seed <= HISTORIES; seed++)
            play_set(types[i], seed);
    }
}

/* ---- texts */

static uint64_t number_at(const char **s, const char *name)
{
    const char *at = strstr(*s, name);
    char *end;
    uint64_t n;

    assert_non_null(at);
    n = strtoull(at + strlen(name), &end, 10);
    *s = end;
    return n;
}

/* Does the splices of v to text, which is of letters alone. */
static void splice_all(struct rj_crdt *v, char *text)
{
    struct rj_crdt_buf json = {0};
    enum rj_err err;

    while ((err = rj_crdt_patch(v, &json)) == RJ_OK) {
        char all[TEXT_MAX], rest[TEXT_MAX];
        const char *s = all, *inserted;
        uint64_t pos, deleted;

        assert_true(json.len < sizeof(all));
        memcpy(all, json.ptr, json.len);
        all[json.len - 2] = '\0'; /* the last quotation mark */
        pos = number_at(&s, "\"pos\":");
        deleted = number_at(&s, "\"deleted\":");
        inserted = strstr(s, ":\"");
        assert_non_null(inserted);
        assert_true(pos + deleted <= strlen(text));
        (void)snprintf(rest, sizeof(rest), "%s%s", inserted + 2, text + pos + deleted);
        (void)snprintf(text + pos, TEXT_MAX - pos, "%s", rest);
    }
    assert_err(RJ_ENOENT, err);
    rj_crdt_buf_free(&json);
}

static void edit(struct rj_prng *p, struct rj_crdt *v, struct rj_crdt_buf *delta)
{
    struct rj_crdt_op op = crdt_op(RJ_CRDT_INSERT);
    uint64_t n = 0;

    assert_ok(rj_crdt_count(v, NULL, &n));
    op.pos = rj_prng_below(p, n + 1);
    op.value = rj_bytes_from_str("abcdefgh");
    op.value.ptr += rj_prng_below(p, 6);
    op.value.len = 1 + rj_prng_below(p, 3);
    if (n > 8 && rj_prng_chance(p, 1, 2)) {
        op.code = RJ_CRDT_DELETE;
        op.count = 1 + rj_prng_below(p, n - op.pos < 5 ? n - op.pos + 1 : 5);
        if (op.count > n - op.pos)
            op.pos = n - op.count;
    }
    assert_ok(rj_crdt_write(v, &op, delta));
}

static void assert_text(const struct rj_crdt *v, const char *text)
{
    char quoted[TEXT_MAX + 2];

    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", text);
    assert_shows(v, quoted);
}

static void play_text(uint64_t seed)
{
    struct rj_crdt *values[2] = {crdt_new(RJ_CRDT_TEXT, "a"),
                                 crdt_new(RJ_CRDT_TEXT, "b")};
    struct rj_crdt_buf deltas[4] = {{0}};
    char text[TEXT_MAX] = "";
    struct rj_prng p;
    size_t i;

    rj_prng_init(&p, seed);
    assert_ok(rj_crdt_watch(values[0], true));
    for (i = 0; i < STEPS; i++) {
        struct rj_crdt *v = values[rj_prng_below(&p, 2)];
        struct rj_crdt_buf *delta = &deltas[rj_prng_below(&p, 4)];

        if (rj_prng_chance(&p, 1, 8))
            assert_ok(rj_crdt_join(v, values[rj_prng_below(&p, 2)], NULL));
        else if (rj_prng_chance(&p, 1, 3) && delta->len > 0)
            assert_ok(rj_crdt_join_bytes(v, rj_crdt_bytes(delta), NULL));
        else
            edit(&p, v, delta);
        if (rj_prng_chance(&p, 1, 4)) {
            splice_all(values[0], text);
            assert_text(values[0], text);
        }
    }
    for (i = 0; i < 4; i++)
        rj_crdt_buf_free(&deltas[i]);
    rj_crdt_free(values[0]);
    rj_crdt_free(values[1]);
}

TEST(splices_lead_from_the_old_text_to_the_new_one)
{
    uint64_t seed;

    for (seed = 1; seed <= HISTORIES; seed++)
        play_text(seed);
}

TEST(a_splice_of_a_list_has_its_elements)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_LIST, "a");
    struct rj_bytes keys[2] = {rj_bytes_from_str("one"), rj_bytes_from_str("")};
    struct rj_crdt_op op = crdt_op(RJ_CRDT_INSERT);

    op.keys = keys;
    op.n_keys = 2;
    assert_ok(rj_crdt_write(v, &op, NULL));
    assert_ok(rj_crdt_watch(v, true));
    op.pos = 1;
    op.n_keys = 1;
    assert_ok(rj_crdt_write(v, &op, NULL));
    op.code = RJ_CRDT_DELETE;
    op.pos = 2;
    op.count = 1;
    assert_ok(rj_crdt_write(v, &op, NULL));
    assert_patch(v, "{\"path\":[],\"pos\":1,\"deleted\":1,\"inserted\":[\"one\"]}");
    assert_no_patch(v);
    rj_crdt_free(v);
}

/* ---- lack of memory */

static enum rj_err use_type(enum rj_crdt_type type, enum rj_crdt_code code)
{
    struct rj_bytes path = rj_bytes_from_str("k");
    struct rj_crdt_opts opts = crdt_opts(type, "a");
    struct rj_crdt_op op = crdt_op(code);
    struct rj_crdt_buf json = {0};
    struct rj_crdt *v = NULL;
    enum rj_err err = rj_crdt_new(&opts, &v);

    op.path = op.keys = &path;
    op.n_path = op.n_keys = 1;
    op.at = RJ_CRDT_MVREG;
    op.value = path;
    if (err == RJ_OK)
        err = rj_crdt_watch(v, true);
    if (err == RJ_OK)
        err = rj_crdt_write(v, &op, NULL);
    if (err == RJ_OK)
        err = rj_crdt_patch(v, &json);
    rj_crdt_free(v);
    rj_crdt_buf_free(&json);
    return err;
}

static enum rj_err use(void *ctx)
{
    enum rj_err err = use_type(RJ_CRDT_ORSET, RJ_CRDT_ADD);

    (void)ctx;
    if (err == RJ_OK)
        err = use_type(RJ_CRDT_ORMAP, RJ_CRDT_SET);
    return err == RJ_OK ? use_type(RJ_CRDT_TEXT, RJ_CRDT_INSERT) : err;
}

TEST(every_lack_of_memory_is_told)
{
    rj_test_with_failing_alloc(use, NULL);
    rj_test_with_one_failing_alloc(use, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patch_has_what_was_shown_and_what_is),
        cmocka_unit_test(
            a_place_that_changed_often_is_told_once_and_one_that_is_back_not_at_all),
        cmocka_unit_test(in_a_map_of_maps_the_path_leads_to_a_leaf),
        cmocka_unit_test(a_leaf_hides_what_is_below_it),
        cmocka_unit_test(patches_tell_every_change_of_a_set),
        cmocka_unit_test(splices_lead_from_the_old_text_to_the_new_one),
        cmocka_unit_test(a_splice_of_a_list_has_its_elements),
        cmocka_unit_test(every_lack_of_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
