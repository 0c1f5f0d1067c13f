/* SPDX-License-Identifier: Apache-2.0 */
/* What others send costs no more than it weighs (support/hostile.h): messages made to be
 * dear, and all that fuzzers have found. What costs more for a while (floors, who is
 * behind a horizon, new names for all) has a test that says how much. */
#include "base/cbor.h"
#include "base/prng.h"
#include "causal/dots.h"
#include "support/hostile.h"

#include <dirent.h>
#include <rejoin/crdt.h>
#include <stdio.h>
#include <string.h>

/* ---- tests */

TEST(nothing_but_spans)
{
    static const uint64_t shapes[][2] = {{0, 0}, {1, 0}, {30, 0}, {0, 3}, {1000, 500}};
    struct rj_buf out = {0}, column = {0};
    size_t i;

    for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        put_head(&out, RJ_CRDT_ORSET, false, 6);
        put_names(&out, 1);
        put_spans(&column, MANY, shapes[i][0], shapes[i][1]);
        put_column(&out, &column);
        put_no_rows(&out, 1);
        rj_cbor_put_array(&out, 0);
        assert_ok(join_new(RJ_CRDT_ORSET, false, "spans", rj_buf_view(&out)));
    }
    rj_buf_done(&out);
    rj_buf_done(&column);
}

TEST(nothing_but_names)
{
    struct rj_buf out = {0}, column = {0};
    size_t used, i;

    for (used = 0; used < 2; used++) {
        put_head(&out, RJ_CRDT_ORSET, false, 6);
        put_names(&out, NAMES);
        for (i = 0; i < NAMES; i++)
            put_spans(&column, used, 0, 0);
        put_column(&out, &column);
        put_no_rows(&out, NAMES);
        rj_cbor_put_array(&out, 0);
        assert_int_equal(join_new(RJ_CRDT_ORSET, false, used ? "names" : "unused names",
                                  rj_buf_view(&out)),
                         used ? RJ_OK : RJ_ECORRUPT);
    }
    rj_buf_done(&out);
    rj_buf_done(&column);
}

/* n rows from dot `from` on, with places of len bytes that count, beginning with first.
 */
static void put_rows(struct rj_buf *out, struct rj_span dots, size_t len, size_t first)
{
    size_t n = (size_t)(dots.to - dots.from) + 1, i;
    struct rj_spans_head head = {.next = 1};
    struct rj_buf column = {0};
    unsigned twice;

    rj_spans_count(&head, &dots);
    for (twice = 0; twice < 2; twice++) {
        struct rj_spans_writer w = rj_spans_put_head(&column, &head);

        rj_spans_put(&w, &dots);
        rj_spans_end(&w, &column);
        put_column(out, &column);
        if (twice == 0)
            rj_cbor_put_array(out, 5);
    }
    rj_buf_varint(&column, len);
    rj_buf_varint(&column, n - 1);
    put_column(out, &column);
    rj_buf_varint(&column, 0);
    rj_buf_varint(&column, n - 1);
    put_column(out, &column);
    for (i = 0; i < n; i++) {
        size_t v = first + i;
        uint8_t place[3] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16)};

        rj_buf_append(&column, rj_bytes_of(place, len));
    }
    put_column(out, &column);
    rj_cbor_put_bytes(out, (struct rj_bytes){0});
    rj_buf_done(&column);
}

/* Rows of one letter each, at few places; of three, each at its own. */
TEST(many_rows_with_next_to_nothing_in_them)
{
    struct rj_buf out = {0};
    size_t len;

    for (len = 1; len <= 3; len += 2) {
        put_head(&out, RJ_CRDT_ORSET, false, 6);
        put_names(&out, 1);
        put_rows(&out, (struct rj_span){1, MANY, 0}, len, 0);
        rj_cbor_put_array(&out, 0);
        assert_ok(join_new(RJ_CRDT_ORSET, false, len == 1 ? "rows of one letter" : "rows",
                           rj_buf_view(&out)));
    }
    rj_buf_done(&out);
}

TEST(a_message_that_contradicts_at_its_end_leaves_nothing)
{
    struct rj_buf out = {0};
    unsigned watched;

    for (watched = 0; watched < 2; watched++) {
        struct rj_crdt *v = make(RJ_CRDT_ORSET, false);
        struct rj_crdt_buf before = {0}, after = {0};

        put_head(&out, RJ_CRDT_ORSET, false, 6);
        put_names(&out, 1);
        put_rows(&out, (struct rj_span){MANY, MANY, 0}, 1, 3);
        rj_cbor_put_array(&out, 0);
        assert_ok(rj_crdt_watch(v, watched));
        assert_ok(join(v, "one row", rj_buf_view(&out)));
        assert_ok(rj_crdt_encode(v, &before));
        put_head(&out, RJ_CRDT_ORSET, false, 6);
        put_names(&out, 1);
        put_rows(&out, (struct rj_span){1, MANY, 0}, 1, 0);
        rj_cbor_put_array(&out, 0);
        assert_int_equal(rj_crdt_join_bytes(v, rj_buf_view(&out), NULL), RJ_ECORRUPT);
        assert_ok(rj_crdt_encode(v, &after));
        assert_bytes_equal(rj_crdt_bytes(&after), rj_crdt_bytes(&before));
        if (watched) { /* of all that it named nothing is noted but what there was before
                        */
            assert_ok(rj_crdt_patch(v, &after));
            assert_err(RJ_ENOENT, rj_crdt_patch(v, &after));
        }
        rj_crdt_buf_free(&before);
        rj_crdt_buf_free(&after);
        rj_crdt_free(v);
        assert_int_equal(in_use, 0);
    }
    rj_buf_done(&out);
}

TEST(many_removals_that_wait)
{
    struct rj_buf out = {0}, column = {0};
    size_t spans, i;

    for (spans = 1; spans <= 400; spans += 399) {
        size_t n = NAMES / spans;

        put_head(&out, RJ_CRDT_ORSET, false, 6);
        put_names(&out, 1);
        put_spans(&column, 0, 0, 0);
        put_column(&out, &column);
        put_no_rows(&out, 1);
        rj_cbor_put_array(&out, n);
        for (i = 0; i < n; i++) {
            uint8_t place[2];

            rj_be_store16(place, (uint16_t)i);
            rj_cbor_put_array(&out, 3);
            rj_cbor_put_bytes(&out, RJ_BYTES_OF(place));
            rj_cbor_put_bool(&out, false);
            put_spans(&column, spans, 0, 0);
            put_column(&out, &column);
        }
        assert_ok(join_new(RJ_CRDT_ORSET, false,
                           spans == 1 ? "held removals" : "held removals with spans",
                           rj_buf_view(&out)));
    }
    rj_buf_done(&out);
    rj_buf_done(&column);
}

TEST(many_heirs)
{
    struct rj_buf out = {0}, column = {0};
    size_t i;

    put_head(&out, RJ_CRDT_BCOUNTER, false, 7);
    put_names(&out, NAMES);
    for (i = 0; i < NAMES; i++)
        put_spans(&column, 0, 0, 0);
    put_column(&out, &column);
    put_no_rows(&out, NAMES);
    rj_cbor_put_array(&out, 0);
    rj_cbor_put_array(&out, 2);
    for (i = 0; i < NAMES; i++)
        put_spans(&column, 0, 0, 0);
    put_column(&out, &column);
    for (i = 0; i < NAMES; i++) {
        rj_buf_varint(&column, i);
        rj_buf_varint(&column, i == 0);
    }
    put_column(&out, &column);
    assert_ok(join_new(RJ_CRDT_BCOUNTER, false, "heirs", rj_buf_view(&out)));
    rj_buf_done(&out);
    rj_buf_done(&column);
}

/* A value made by changes, as a whole. */
static void join_made(enum rj_crdt_type type, struct rj_crdt *v, const char *what)
{
    struct rj_crdt_buf bytes = {0};

    assert_ok(rj_crdt_encode(v, &bytes));
    rj_crdt_free(v);
    assert_ok(join_new(type, false, what, rj_crdt_bytes(&bytes)));
    rj_crdt_buf_free(&bytes);
}

TEST(deep_paths)
{
    struct rj_crdt *v = make(RJ_CRDT_ORMAP, false);
    struct rj_crdt_op op = crdt_op(RJ_CRDT_ENABLE);
    struct rj_bytes path[RJ_CRDT_DEPTH_MAX];
    uint8_t key[RJ_CRDT_DEPTH_MAX];
    size_t i, k;

    op.path = path;
    op.n_path = RJ_CRDT_DEPTH_MAX;
    op.at = RJ_CRDT_EWFLAG;
    for (i = 0; i < MANY / 40; i++) {
        for (k = 0; k < RJ_CRDT_DEPTH_MAX; k++) {
            key[k] = (uint8_t)(i >> (k % 8));
            path[k] = rj_bytes_of(&key[k], 1);
        }
        assert_ok(rj_crdt_write(v, &op, NULL));
    }
    join_made(RJ_CRDT_ORMAP, v, "deep paths");
}

/* Half of a million elements went, at random: what holes are for. */
TEST(a_set_of_which_half_was_removed)
{
    struct rj_crdt *v = make(RJ_CRDT_ORSET, false);
    struct rj_crdt *other = make(RJ_CRDT_ORSET, false);
    struct rj_crdt_buf digest = {0}, diff = {0};
    uint32_t i, n = MANY * 2;
    uint8_t key[4];

    assert_ok(rj_crdt_rename(v, rj_bytes_from_str("you"), false));
    for (i = 0; i < n; i++) {
        rj_be_store32(key, i);
        assert_ok(rj_crdt_add(v, RJ_BYTES_OF(key), NULL));
    }
    assert_ok(rj_crdt_digest(v, &digest));
    for (i = 0; i < n; i++) {
        rj_be_store32(key, i);
        if ((i * 2654435761U) >> 31)
            assert_ok(rj_crdt_remove(v, RJ_BYTES_OF(key), NULL));
    }
    assert_ok(rj_crdt_diff(v, rj_crdt_bytes(&digest), &diff));
    assert_ok(join(other, "a difference that is holes", rj_crdt_bytes(&diff)));
    assert_ok(join(other, "  again", rj_crdt_bytes(&diff)));
    rj_crdt_free(other);
    join_made(RJ_CRDT_ORSET, v, "half removed");
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&diff);
}

/* Both have all places, in another order, and nothing of each other. */
TEST(an_answer_at_every_place)
{
    struct rj_crdt *v[2] = {make(RJ_CRDT_ORSET, false), make(RJ_CRDT_ORSET, false)};
    struct rj_crdt_buf state = {0}, delta = {.allocator = &counting};
    uint32_t i, who;
    struct cost c;
    uint8_t key[4];

    assert_ok(rj_crdt_rename(v[1], rj_bytes_from_str("you"), false));
    for (who = 0; who < 2; who++) {
        for (i = 0; i < MANY / 4; i++) {
            rj_be_store32(key, who == 0 ? i : i * 2654435761U % (MANY / 4));
            assert_ok(rj_crdt_add(v[who], RJ_BYTES_OF(key), NULL));
        }
    }
    assert_ok(rj_crdt_encode(v[1], &state));
    c = begin(v[0], "every place", rj_crdt_bytes(&state));
    assert_ok(end(&c, rj_crdt_diff_scoped(v[0], rj_crdt_bytes(&state), &delta), 0));
    rj_crdt_free(v[0]);
    rj_crdt_free(v[1]);
    rj_crdt_buf_free(&state);
    rj_crdt_buf_free(&delta);
    assert_int_equal(in_use, 0);
}

/* What is reset on behalf of a reader that knew many counters, of which none is here: a
 * floor for each of them is written, and stands in the change before it stands in the
 * value. */
TEST(floors_that_a_context_raises)
{
    struct rj_crdt *v = make(RJ_CRDT_ORMAP, false);
    struct rj_crdt_op op = crdt_op(RJ_CRDT_INC);
    struct rj_crdt_buf context = {0};
    struct cost c;
    uint32_t i;
    uint8_t key[4];
    struct rj_bytes path = RJ_BYTES_OF(key);

    op.path = &path;
    op.n_path = 1;
    op.at = RJ_CRDT_PNCOUNTER;
    op.amount = 1;
    for (i = 0; i < MANY / 4; i++) {
        rj_be_store32(key, i);
        assert_ok(rj_crdt_write(v, &op, NULL));
    }
    assert_ok(rj_crdt_context(v, &context));
    rj_crdt_free(v);
    v = make(RJ_CRDT_ORMAP, false);
    op = crdt_op(RJ_CRDT_CLEAR);
    op.flags = RJ_CRDT_CAUSED;
    op.context = rj_crdt_bytes(&context);
    assert_ok(rj_crdt_rename(v, rj_bytes_from_str("you"), false));
    c = begin(v, "floors", op.context);
    c.passing = KEPT;
    assert_ok(end(&c, rj_crdt_write(v, &op, NULL), 0));
    rj_crdt_free(v);
    rj_crdt_buf_free(&context);
    assert_int_equal(in_use, 0);
}

/* A horizon of n spans over dots that were seen. */
static void put_horizon(struct rj_buf *out, size_t n)
{
    struct rj_buf column = {0};

    put_head(out, RJ_CRDT_ORSET, true, 7);
    put_names(out, 1);
    put_spans(&column, 1, 0, 4ULL * MANY);
    put_column(out, &column);
    put_no_rows(out, 1);
    rj_cbor_put_array(out, 0);
    rj_cbor_put_array(out, 2);
    put_spans(&column, n, 1, 0);
    put_column(out, &column);
    put_column(out, &column);
    rj_buf_done(&column);
}

TEST(horizons)
{
    struct rj_crdt *v;
    struct rj_buf out = {0};
    size_t n;

    put_horizon(&out, MANY);
    assert_ok(join_new(RJ_CRDT_ORSET, true, "to begin with", rj_buf_view(&out)));
    v = make(RJ_CRDT_ORSET, true);
    for (n = 1; n <= MANY; n += MANY - 1) {
        put_horizon(&out, n);
        assert_ok(join(v, n == 1 ? "a horizon" : "one that moves", rj_buf_view(&out)));
        assert_ok(join(v, "  again", rj_buf_view(&out)));
        assert_ok(act(v, RJ_CRDT_REMOVE, rj_buf_view(&out)));
        ask(v, rj_buf_view(&out));
    }
    rj_crdt_free(v);
    assert_int_equal(in_use, 0);
    rj_buf_done(&out);
}

/* Adds n keys from `from` on, or removes them. */
static void write_keys(struct rj_crdt *v, enum rj_crdt_code code, uint32_t from,
                       uint32_t n)
{
    uint32_t i;
    uint8_t key[3];

    for (i = from; i < from + n; i++) {
        key[0] = (uint8_t)i;
        key[1] = (uint8_t)(i >> 8);
        key[2] = (uint8_t)(i >> 16);
        assert_ok(rj_crdt_key_op(v, code, RJ_BYTES_OF(key), NULL));
    }
}

/* From a replica whose horizon is the own one: rows are read where they stand. From one
 * that is behind: they are looked up by place, in a value of their own. */
TEST(rows_for_a_value_that_forgets)
{
    struct rj_crdt *you = make(RJ_CRDT_RWORSET, true), *v = make(RJ_CRDT_RWORSET, true);
    struct rj_crdt_buf state = {0}, old = {0};
    struct cost c;
    uint32_t n = MANY / 4;

    assert_ok(rj_crdt_rename(you, rj_bytes_from_str("you"), false));
    write_keys(you, RJ_CRDT_REMOVE, 0, n);
    assert_ok(rj_crdt_encode(you, &state));
    assert_ok(join(v, "removals", rj_crdt_bytes(&state)));
    assert_ok(rj_crdt_forget(v, NULL, 0, NULL));
    write_keys(you, RJ_CRDT_ADD, n, n);
    assert_ok(rj_crdt_encode(you, &old));
    c = begin(v, "of one that is behind", rj_crdt_bytes(&old));
    c.passing = KEPT;
    assert_ok(end(&c, rj_crdt_join_bytes(v, rj_crdt_bytes(&old), NULL), 0));
    assert_ok(rj_crdt_encode(v, &state));
    assert_ok(rj_crdt_join_bytes(you, rj_crdt_bytes(&state), NULL));
    write_keys(you, RJ_CRDT_ADD, 2 * n, n);
    assert_ok(rj_crdt_encode(you, &state));
    assert_ok(join(v, "of one that is not", rj_crdt_bytes(&state)));
    assert_ok(join(v, "  again", rj_crdt_bytes(&state)));
    rj_crdt_free(v);
    rj_crdt_free(you);
    assert_ok(join_new(RJ_CRDT_RWORSET, true, "all of it", rj_crdt_bytes(&state)));
    rj_crdt_buf_free(&state);
    rj_crdt_buf_free(&old);
}

/* The last message that v gets, which brings rows; named: all that both have gets new
 * names in the end. */
static void reconcile(struct rj_crdt *v, struct rj_crdt *you, bool named)
{
    struct rj_crdt *values[2] = {you, v};
    struct rj_crdt_recon *sides[2] = {NULL, NULL};
    struct rj_crdt_buf out[2] = {{0}, {0}}, delta[2] = {{0}, {0}};
    struct rj_bytes in = {0};
    bool done[2] = {false, false};
    unsigned turn, who;

    for (who = 0; who < 2; who++)
        assert_ok(rj_crdt_recon_new(values[who], RJ_CRDT_AUTO,
                                    rj_bytes_from_str("sixteen bytes it is"),
                                    &sides[who]));
    for (turn = 0; turn == 0 || in.len > 0; turn++) {
        struct cost c = begin(v, named ? "gained and named" : "gained", in);
        enum rj_err err;

        who = turn % 2;
        c.passing = named ? NAMED : 2;
        err = rj_crdt_recon_turn(sides[who], in, &out[who], &delta[who], &done[who]);
        if (who == 1 && done[who])
            assert_ok(end(&c, err, 0));
        assert_ok(err);
        in = rj_crdt_bytes(&out[who]);
    }
    for (who = 0; who < 2; who++) {
        assert_true(done[who]);
        rj_crdt_recon_free(sides[who]);
        rj_crdt_buf_free(&out[who]);
        rj_crdt_buf_free(&delta[who]);
    }
}

/* It is a value for as long as the reconciliation lasts. What was made apart on both
 * sides is put together and named anew: that costs by the rows of both. */
TEST(what_a_reconciliation_gains)
{
    uint32_t own, n = MANY / 4;

    for (own = 1; own <= n; own += n - 1) {
        struct rj_crdt *v = make(RJ_CRDT_ORSET, false), *you = make(RJ_CRDT_ORSET, false);

        assert_ok(rj_crdt_rename(you, rj_bytes_from_str("you"), false));
        write_keys(you, RJ_CRDT_ADD, 0, n);
        write_keys(v, RJ_CRDT_ADD, n, own);
        reconcile(v, you, own == 1);
        rj_crdt_free(v);
        rj_crdt_free(you);
        assert_int_equal(in_use, 0);
    }
}

TEST(digests_of_spans_and_names)
{
    struct rj_crdt *v = make(RJ_CRDT_ORSET, false);
    struct rj_crdt_buf diff = {0};
    struct rj_buf out = {0}, column = {0};
    size_t names, i;

    for (names = 1; names <= NAMES; names += NAMES - 1) {
        struct cost c;

        put_head(&out, RJ_CRDT_ORSET, false, 4);
        put_names(&out, names);
        for (i = 0; i < names; i++)
            put_spans(&column, names == 1 ? MANY : 1, 0, 0);
        put_column(&out, &column);
        c = begin(v, "digest", rj_buf_view(&out));
        assert_ok(end(&c, rj_crdt_diff(v, rj_buf_view(&out), &diff), 0));
    }
    rj_crdt_free(v);
    assert_int_equal(in_use, 0);
    rj_crdt_buf_free(&diff);
    rj_buf_done(&out);
    rj_buf_done(&column);
}

/* Whatever fuzzers have found, to values that have something: whole, cut, with a byte
 * changed; as deltas, digests, contexts, to a value that is watched. */
static void try_all(struct rj_crdt *v, struct rj_bytes bytes)
{
    struct rj_crdt_op op = crdt_op(RJ_CRDT_CLEAR);
    struct rj_crdt_buf diff = {0};
    struct cost c;

    (void)join(v, "corpus", bytes);
    c = begin(v, "  digest", bytes);
    (void)end(&c, rj_crdt_diff(v, bytes, &diff), 0);
    if (rj_crdt_type(v) < RJ_CRDT_LIST) {
        c = begin(v, "  scoped", bytes);
        (void)end(&c, rj_crdt_diff_scoped(v, bytes, &diff), 0);
    }
    op.flags = RJ_CRDT_CAUSED;
    op.context = bytes;
    c = begin(v, "  context", bytes);
    (void)end(&c, rj_crdt_write(v, &op, &diff), SCRATCH);
    rj_crdt_buf_free(&diff);
}

static void try_file(const uint8_t *data, size_t len)
{
    struct rj_prng p;
    uint8_t copy[4096];
    unsigned i;

    rj_prng_init(&p, len);
    if (len == 0 || len > sizeof(copy) || (data[0] & 0x7f) >= RJ_CRDT_TYPE_END)
        return;
    for (i = 0; i < 20; i++) {
        enum rj_crdt_type type = (enum rj_crdt_type)(data[0] & 0x7f);
        size_t cut = i % 2 == 0 ? len - 1 : (size_t)rj_prng_below(&p, len);
        struct rj_crdt *v = NULL;
        struct rj_crdt_opts opts = crdt_opts(type, "me");

        opts.allocator = &counting;
        opts.rules.horizon = data[0] >> 7;
        if (rj_crdt_new(&opts, &v) != RJ_OK)
            return;
        memcpy(copy, data + 1, len - 1);
        if (i > 1 && len > 1)
            copy[rj_prng_below(&p, len - 1)] = (uint8_t)rj_prng_u64(&p);
        if (i % 4 == 3)
            assert_ok(rj_crdt_watch(v, true));
        try_all(v, rj_bytes_of(copy, cut < len ? cut : len - 1));
        rj_crdt_free(v);
        assert_int_equal(in_use, 0);
    }
}

TEST(what_fuzzers_have_found)
{
    static const char folder[] = "test/fuzz/corpus/fuzz_crdt";
    struct dirent **names = NULL;
    int n = scandir(folder, &names, NULL, alphasort), i;
    uint8_t data[8192];

    assert_true(n > 2);
    for (i = 0; i < n; i++) {
        char path[512];
        FILE *f;

        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
        f = names[i]->d_name[0] != '.' ? fopen(path, "rb") : NULL;
        if (f != NULL) {
            try_file(data, fread(data, 1, sizeof(data), f));
            (void)fclose(f);
        }
        free(names[i]);
    }
    free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_but_spans),
        cmocka_unit_test(nothing_but_names),
        cmocka_unit_test(many_rows_with_next_to_nothing_in_them),
        cmocka_unit_test(a_message_that_contradicts_at_its_end_leaves_nothing),
        cmocka_unit_test(many_removals_that_wait),
        cmocka_unit_test(many_heirs),
        cmocka_unit_test(deep_paths),
        cmocka_unit_test(a_set_of_which_half_was_removed),
        cmocka_unit_test(an_answer_at_every_place),
        cmocka_unit_test(floors_that_a_context_raises),
        cmocka_unit_test(horizons),
        cmocka_unit_test(rows_for_a_value_that_forgets),
        cmocka_unit_test(what_a_reconciliation_gains),
        cmocka_unit_test(digests_of_spans_and_names),
        cmocka_unit_test(what_fuzzers_have_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
