/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded editing histories (josephg/editing-traces) end in the recorded text: made by
 * position, and joined from deltas in any order. The recordings are not part of this
 * project: REJOIN_TRACES names their folder (../shared/traces). */
#include "base/prng.h"
#include "crdt/seq.h"
#include "support/test.h"

#include <jansson.h>
#include <rejoin/crdt.h>
#include <stdio.h>
#include <string.h>

enum { AGENTS_MAX = 8, PATH_ROOM = 4096 };

struct trace {
    json_t *json;
    const json_t *txns;
    size_t n;
    struct rj_crdt_buf *deltas; /* two for each patch, in order; may be empty */
    size_t *first;              /* of a transaction's deltas */
    size_t n_deltas;
};

static json_t *load_json(const char *name)
{
    const char *folder = getenv("REJOIN_TRACES");
    char path[PATH_ROOM], command[PATH_ROOM + 64];
    json_t *json = NULL;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s.json.gz",
             folder != NULL ? folder : "../shared/traces", name);
    f = strchr(path, '\'') == NULL ? fopen(path, "rb") : NULL;
    if (f == NULL) {
        print_message("no recording at %s\n", path);
        return NULL;
    }
    fclose(f);
    snprintf(command, sizeof(command), "gzip -dc '%s'", path);
    f = popen(command, "r");
    if (f != NULL) {
        json = json_loadf(f, 0, NULL);
        pclose(f);
    }
    if (json == NULL)
        print_message("gzip cannot read %s\n", path);
    return json;
}

/* False: it is not here. */
static bool load(const char *name, struct trace *t)
{
    size_t i, n = 0;

    *t = (struct trace){.json = load_json(name)};
    if (t->json == NULL)
        return false;
    t->txns = json_object_get(t->json, "txns");
    t->n = json_array_size(t->txns);
    for (i = 0; i < t->n; i++)
        n += 2 * json_array_size(json_object_get(json_array_get(t->txns, i), "patches"));
    t->deltas = calloc(n, sizeof(*t->deltas));
    t->first = calloc(t->n + 1, sizeof(*t->first));
    assert_non_null(t->deltas);
    assert_non_null(t->first);
    return true;
}

static void unload(struct trace *t)
{
    size_t i;

    for (i = 0; i < t->n_deltas; i++)
        rj_crdt_buf_free(&t->deltas[i]);
    free(t->deltas);
    free(t->first);
    json_decref(t->json);
}

static struct rj_crdt *new_text(const char *name)
{
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = RJ_CRDT_TEXT};
    struct rj_crdt *v = NULL;

    opts.replica = rj_bytes_from_str(name);
    assert_ok(rj_crdt_new(&opts, &v));
    return v;
}

static void assert_ends_as_recorded(const struct trace *t, const struct rj_crdt *v)
{
    const json_t *end = json_object_get(t->json, "endContent");
    struct rj_crdt_buf json = {0};
    json_t *got;

    assert_true(rj_seq_is_sound(v->seq));
    assert_ok(rj_crdt_json(v, &json));
    got = json_loadb((const char *)json.ptr, json.len, JSON_DECODE_ANY, NULL);
    assert_true(json_equal(got, end));
    json_decref(got);
    rj_crdt_buf_free(&json);
}

/* The patches of transaction i, their deltas kept (keep) or not made. */
static void play(struct trace *t, struct rj_crdt *v, size_t i, bool keep)
{
    const json_t *patches = json_object_get(json_array_get(t->txns, i), "patches"), *p;
    size_t j;

    t->first[i] = t->n_deltas;
    for (j = 0; j < json_array_size(patches); j++) {
        struct rj_crdt_op op = {.size = sizeof(op), .code = RJ_CRDT_DELETE};

        p = json_array_get(patches, j);
        op.pos = (uint64_t)json_integer_value(json_array_get(p, 0));
        op.count = (uint64_t)json_integer_value(json_array_get(p, 1));
        if (op.count > 0)
            assert_ok(rj_crdt_write(v, &op, keep ? &t->deltas[t->n_deltas++] : NULL));
        op.code = RJ_CRDT_INSERT;
        op.value = rj_bytes_from_str(json_string_value(json_array_get(p, 2)));
        if (op.value.len > 0)
            assert_ok(rj_crdt_write(v, &op, keep ? &t->deltas[t->n_deltas++] : NULL));
    }
    t->first[i + 1] = t->n_deltas;
}

/* Joins all deltas, each somewhere near its place (window) or anywhere (0). */
static void assert_shuffled_deltas_suffice(const struct trace *t, size_t window)
{
    struct rj_crdt *v = new_text("");
    size_t *order = calloc(t->n_deltas, sizeof(*order)), i;
    struct rj_prng p;

    rj_prng_init(&p, 11);
    for (i = 0; i < t->n_deltas; i++)
        order[i] = i;
    for (i = t->n_deltas; i > 1; i--) {
        size_t most = window != 0 && window < i ? window : i;
        size_t other = i - 1 - rj_prng_below(&p, most), kept = order[i - 1];

        order[i - 1] = order[other];
        order[other] = kept;
    }
    for (i = 0; i < t->n_deltas; i++)
        assert_ok(rj_crdt_join_bytes(v, rj_crdt_bytes(&t->deltas[order[i]]), NULL));
    assert_ends_as_recorded(t, v);
    free(order);
    rj_crdt_free(v);
}

static void play_sequential(const char *name, bool shuffled)
{
    struct trace t;
    struct rj_crdt *v;
    size_t i;

    if (!load(name, &t))
        skip();
    v = new_text("a");
    for (i = 0; i < t.n; i++)
        play(&t, v, i, shuffled);
    assert_ends_as_recorded(&t, v);
    if (shuffled) {
        assert_shuffled_deltas_suffice(&t, 100);
        assert_shuffled_deltas_suffice(&t, 0);
    }
    rj_crdt_free(v);
    unload(&t);
}

TEST(a_component_typed_by_one_ends_as_recorded)
{
    play_sequential("sveltecomponent", true);
}

TEST(a_program_typed_by_one_ends_as_recorded)
{
    play_sequential("rustcode", false);
}

TEST(an_article_typed_by_one_ends_as_recorded)
{
    play_sequential("seph-blog1", false);
}

/* Joins what v lacks of transaction i and all before it. */
static void join_history(const struct trace *t, struct rj_crdt *v, bool *known, size_t i)
{
    size_t *stack = calloc(t->n + 1, sizeof(*stack)), n = 0, d, j;

    assert_non_null(stack);
    if (!known[i])
        stack[n++] = i;
    known[i] = true;
    while (n > 0) {
        const json_t *parents;

        i = stack[--n];
        for (d = t->first[i]; d < t->first[i + 1]; d++)
            assert_ok(rj_crdt_join_bytes(v, rj_crdt_bytes(&t->deltas[d]), NULL));
        parents = json_object_get(json_array_get(t->txns, i), "parents");
        for (j = 0; j < json_array_size(parents); j++) {
            size_t p = (size_t)json_integer_value(json_array_get(parents, j));

            if (!known[p])
                stack[n++] = p;
            known[p] = true;
        }
    }
    free(stack);
}

static void play_concurrent(const char *name)
{
    static const char *const names[AGENTS_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct rj_crdt *agents[AGENTS_MAX] = {0}, *v = new_text("");
    bool *known[AGENTS_MAX] = {0};
    struct trace t;
    size_t i, j;

    if (!load(name, &t)) {
        rj_crdt_free(v);
        skip();
    }
    for (i = 0; i < AGENTS_MAX; i++) {
        agents[i] = new_text(names[i]);
        known[i] = calloc(t.n, sizeof(bool));
    }
    for (i = 0; i < t.n; i++) {
        const json_t *txn = json_array_get(t.txns, i);
        const json_t *parents = json_object_get(txn, "parents");
        size_t agent = (size_t)json_integer_value(json_object_get(txn, "agent"));

        assert_in_range(agent, 0, AGENTS_MAX - 1);
        for (j = 0; j < json_array_size(parents); j++)
            join_history(&t, agents[agent], known[agent],
                         (size_t)json_integer_value(json_array_get(parents, j)));
        play(&t, agents[agent], i, true);
        known[agent][i] = true;
    }
    for (i = 0; i < AGENTS_MAX; i++)
        assert_ok(rj_crdt_join(v, agents[i], NULL));
    assert_ends_as_recorded(&t, v);
    assert_shuffled_deltas_suffice(&t, 100);
    for (i = 0; i < AGENTS_MAX; i++) {
        rj_crdt_free(agents[i]);
        free(known[i]);
    }
    rj_crdt_free(v);
    unload(&t);
}

TEST(a_text_typed_by_two_at_once_ends_as_recorded)
{
    play_concurrent("friendsforever");
}

TEST(a_text_typed_by_three_at_once_ends_as_recorded)
{
    play_concurrent("clownschool");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_component_typed_by_one_ends_as_recorded),
        cmocka_unit_test(a_program_typed_by_one_ends_as_recorded),
        cmocka_unit_test(an_article_typed_by_one_ends_as_recorded),
        cmocka_unit_test(a_text_typed_by_two_at_once_ends_as_recorded),
        cmocka_unit_test(a_text_typed_by_three_at_once_ends_as_recorded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
