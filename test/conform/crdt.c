/* SPDX-License-Identifier: Apache-2.0 */
/* A case of crdt/: replicas, named deltas and contexts, steps. */
#include "conform.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THINGS_MAX = 512 };

/* A replica (value), or a delta or context (bytes). */
struct thing {
    const char *name;
    struct rj_crdt *value;
    struct rj_crdt_buf bytes;
};

struct world {
    const char *type;
    struct rj_crdt_rules rules;
    struct thing replicas[THINGS_MAX], named[THINGS_MAX];
    size_t n_replicas, n_named;
    size_t step; /* of the one played, from 1 */
    char *why;
    size_t why_len;
};

static enum verdict fail(struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum verdict fail(struct world *w, const char *format, ...)
{
    va_list args;
    size_t n = (size_t)snprintf(w->why, w->why_len, "step %zu: ", w->step);

    va_start(args, format);
    vsnprintf(w->why + n, w->why_len - n, format, args);
    va_end(args);
    return FAILED;
}

static enum verdict outcome(struct world *w, enum rj_err err)
{
    return err == RJ_OK ? PASSED : fail(w, "expected success, got %s", rj_err_name(err));
}

static struct thing *find(struct thing *things, size_t n, const json_t *name)
{
    size_t i;

    for (i = 0; json_is_string(name) && i < n; i++) {
        if (strcmp(things[i].name, json_string_value(name)) == 0)
            return &things[i];
    }
    return NULL;
}

static struct thing *replica(struct world *w, const json_t *name)
{
    return find(w->replicas, w->n_replicas, name);
}

/* The delta or context of that name, made if need be. */
static struct thing *named(struct world *w, const json_t *name, bool make)
{
    struct thing *t = find(w->named, w->n_named, name);

    if (t == NULL && make && json_is_string(name) && w->n_named < THINGS_MAX) {
        t = &w->named[w->n_named++];
        t->name = json_string_value(name);
    }
    return t;
}

static enum rj_err make(const struct world *w, const char *name, struct rj_crdt **ret)
{
    struct rj_crdt_opts opts = {.size = sizeof(opts),
                                .type = rj_crdt_type_of(w->type),
                                .replica = {(const uint8_t *)name, strlen(name)},
                                .rules = w->rules};

    return rj_crdt_new(&opts, ret);
}

/* ---- comparing */

static char *text_of(const json_t *j)
{
    return json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
}

static enum verdict compare(struct world *w, const char *what, const json_t *expected,
                            const json_t *got)
{
    char *a, *b;

    if (json_equal(expected, got))
        return PASSED;
    a = text_of(expected);
    b = text_of(got);
    fail(w, "%s: expected %s, got %s", what, a, b);
    free(a);
    free(b);
    return FAILED;
}

static json_t *value_of(const struct rj_crdt *v)
{
    struct rj_crdt_buf b = {0};
    json_t *j = NULL;

    if (rj_crdt_json(v, &b) == RJ_OK)
        j = json_loadb((const char *)b.ptr, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL,
                       NULL);
    rj_crdt_buf_free(&b);
    return j;
}

static enum verdict check(struct world *w, const struct thing *r, const json_t *expected)
{
    json_t *got = value_of(r->value);
    enum verdict verdict = compare(w, r->name, expected, got);

    json_decref(got);
    return verdict;
}

/* ---- steps */

/* [R, OP, ARG...]; into: its delta; context: of the reader on whose behalf it is. */
static enum verdict change(struct world *w, const json_t *step, struct thing *into,
                           const struct thing *context, enum rj_err *ret_err)
{
    struct thing *r = replica(w, json_array_get(step, 0));
    struct change c;
    enum verdict verdict;

    if (r == NULL)
        return fail(w, "no such replica or step");
    verdict = change_of(w->type, step, &c);
    if (verdict == FAILED)
        return fail(w, "not a change of this type");
    if (verdict != PASSED)
        return verdict;
    if (context != NULL) {
        c.op.flags |= RJ_CRDT_CAUSED;
        c.op.context = rj_crdt_bytes(&context->bytes);
    }
    *ret_err = rj_crdt_write(r->value, &c.op, into != NULL ? &into->bytes : NULL);
    return PASSED;
}

static enum verdict do_change(struct world *w, const json_t *step, struct thing *into)
{
    enum rj_err err = RJ_OK;
    enum verdict verdict = change(w, step, into, NULL, &err);

    return verdict == PASSED ? outcome(w, err) : verdict;
}

/* ["ctxop", R, OP, ARG..., C] */
static enum verdict do_ctxop(struct world *w, const json_t *step)
{
    size_t last = json_array_size(step) - 1;
    const struct thing *context = named(w, json_array_get(step, last), false);
    json_t *inner = json_copy((json_t *)(uintptr_t)step);
    enum rj_err err = RJ_OK;
    enum verdict verdict = FAILED;

    json_array_remove(inner, last);
    json_array_remove(inner, 0);
    if (context != NULL)
        verdict = change(w, inner, NULL, context, &err);
    json_decref(inner);
    return verdict == PASSED ? outcome(w, err) : verdict;
}

/* ["refuse", R, OP, ARG...] */
static enum verdict do_refuse(struct world *w, const json_t *step)
{
    json_t *inner = json_copy((json_t *)(uintptr_t)step);
    struct thing *r = replica(w, json_array_get(step, 1));
    struct rj_crdt_buf before = {0}, after = {0};
    enum rj_err err = RJ_OK;
    enum verdict verdict = FAILED;

    json_array_remove(inner, 0);
    if (r != NULL && rj_crdt_encode(r->value, &before) == RJ_OK)
        verdict = change(w, inner, NULL, NULL, &err);
    if (verdict == FAILED && r != NULL)
        verdict = PASSED; /* it cannot even be said */
    else if (verdict == PASSED && err == RJ_OK)
        verdict = fail(w, "expected a refusal");
    else if (verdict == PASSED &&
             (rj_crdt_encode(r->value, &after) != RJ_OK || before.len != after.len ||
              memcmp(before.ptr, after.ptr, after.len) != 0))
        verdict = fail(w, "refused, but changed");
    json_decref(inner);
    rj_crdt_buf_free(&before);
    rj_crdt_buf_free(&after);
    return verdict;
}

/* ["join", D, D1, D2...] */
static enum verdict do_join(struct world *w, const json_t *step)
{
    struct thing *into = named(w, json_array_get(step, 1), true);
    struct rj_crdt *v = NULL;
    enum rj_err err = make(w, "", &v);
    size_t i;

    for (i = 2; err == RJ_OK && i < json_array_size(step); i++) {
        const struct thing *d = named(w, json_array_get(step, i), false);

        err =
            d != NULL ? rj_crdt_join_bytes(v, rj_crdt_bytes(&d->bytes), NULL) : RJ_ENOENT;
    }
    if (err == RJ_OK)
        err = rj_crdt_encode(v, &into->bytes);
    rj_crdt_free(v);
    return outcome(w, err);
}

/* ["diff", D, SRC, DST] */
static enum verdict do_diff(struct world *w, const json_t *step)
{
    struct thing *into = named(w, json_array_get(step, 1), true);
    struct thing *src = replica(w, json_array_get(step, 2));
    struct thing *dst = replica(w, json_array_get(step, 3));
    struct rj_crdt_buf digest = {0};
    enum rj_err err = RJ_ENOENT;

    if (into != NULL && src != NULL && dst != NULL)
        err = rj_crdt_digest(dst->value, &digest);
    if (err == RJ_OK)
        err = rj_crdt_diff(src->value, rj_crdt_bytes(&digest), &into->bytes);
    rj_crdt_buf_free(&digest);
    return outcome(w, err);
}

/* R becomes an empty value of its name joined with bytes. */
static enum rj_err remake(const struct world *w, struct thing *r, struct rj_bytes bytes)
{
    struct rj_crdt *v = NULL;
    enum rj_err err = make(w, r->name, &v);

    if (err == RJ_OK)
        err = rj_crdt_join_bytes(v, bytes, NULL);
    if (err == RJ_OK) {
        rj_crdt_free(r->value);
        r->value = v;
        v = NULL;
    }
    rj_crdt_free(v);
    return err;
}

/* ["copy", A, B]: A's value is made from the bytes of B's */
static enum verdict do_copy(struct world *w, struct thing *a, const struct thing *b)
{
    struct rj_crdt_buf bytes = {0};
    enum rj_err err =
        a != NULL && b != NULL ? rj_crdt_encode(b->value, &bytes) : RJ_ENOENT;

    if (err == RJ_OK)
        err = remake(w, a, rj_crdt_bytes(&bytes));
    rj_crdt_buf_free(&bytes);
    return outcome(w, err);
}

/* ["roundtrip", R]: R's value is decoded from its own bytes, and has the same again */
static enum verdict do_roundtrip(struct world *w, struct thing *r)
{
    struct rj_crdt_opts opts = {
        .size = sizeof(opts), .type = rj_crdt_type_of(w->type), .rules = w->rules};
    struct rj_crdt_buf bytes = {0}, again = {0};
    struct rj_crdt *v = NULL;
    enum rj_err err = r != NULL ? rj_crdt_encode(r->value, &bytes) : RJ_ENOENT;

    if (err == RJ_OK) {
        opts.replica = (struct rj_bytes){(const uint8_t *)r->name, strlen(r->name)};
        err = rj_crdt_decode(&opts, rj_crdt_bytes(&bytes), &v);
    }
    if (err == RJ_OK)
        err = rj_crdt_encode(v, &again);
    if (err == RJ_OK && (again.len != bytes.len || !rj_crdt_equal(v, r->value) ||
                         memcmp(again.ptr, bytes.ptr, bytes.len) != 0))
        err = RJ_ECORRUPT;
    if (err == RJ_OK) {
        rj_crdt_free(r->value);
        r->value = v;
        v = NULL;
    }
    rj_crdt_free(v);
    rj_crdt_buf_free(&bytes);
    rj_crdt_buf_free(&again);
    return outcome(w, err);
}

static enum verdict do_query(struct world *w, const json_t *step)
{
    struct thing *r = replica(w, json_array_get(step, 1));
    const char *query = json_string_value(json_array_get(step, 2));
    const json_t *arg = json_array_get(step, 3);
    const json_t *answer = json_array_get(step, json_array_size(step) - 1);
    const struct thing *other = replica(w, arg);
    json_t *got;
    enum verdict verdict;

    if (r == NULL || query == NULL)
        return fail(w, "no such replica or query");
    got = answer_of(r->value, query, arg, other != NULL ? other->value : NULL,
                    json_array_get(step, 4));
    if (got == NULL)
        return fail(w, "no such query: %s", query);
    verdict = (strcmp(query, "sets") == 0 || strcmp(query, "elements") == 0) &&
                      same_rows(answer, got)
                  ? PASSED
                  : compare(w, query, answer, got);
    json_decref(got);
    return verdict;
}

/* ["diffis", A, B, ROWS]: the rows of both joined that B lacks */
static enum verdict do_diffis(struct world *w, const json_t *step)
{
    struct thing *a = replica(w, json_array_get(step, 1));
    struct thing *b = replica(w, json_array_get(step, 2));
    struct rj_crdt *v = NULL;
    enum rj_err err = make(w, "", &v);
    enum verdict verdict;

    if (err == RJ_OK)
        err = a != NULL && b != NULL ? rj_crdt_join(v, a->value, NULL) : RJ_ENOENT;
    if (err == RJ_OK)
        err = rj_crdt_join(v, b->value, NULL);
    verdict = outcome(w, err);
    if (verdict == PASSED) {
        json_t *got = rows_to_ship(v, b->value);

        if (!same_rows(json_array_get(step, 3), got))
            verdict = compare(w, "diffis", json_array_get(step, 3), got);
        json_decref(got);
    }
    rj_crdt_free(v);
    return verdict;
}

static enum verdict do_state(struct world *w, const json_t *step, bool context)
{
    struct thing *into = named(w, json_array_get(step, 1), true);
    struct thing *r = replica(w, json_array_get(step, 2));

    if (into == NULL || r == NULL)
        return fail(w, "no such replica");
    return outcome(w, context ? rj_crdt_context(r->value, &into->bytes)
                              : rj_crdt_encode(r->value, &into->bytes));
}

static enum verdict do_apply(struct world *w, const json_t *step)
{
    struct thing *r = replica(w, json_array_get(step, 1));
    const struct thing *d = named(w, json_array_get(step, 2), false);

    if (r == NULL || d == NULL)
        return fail(w, "no such replica or delta");
    return outcome(w, rj_crdt_join_bytes(r->value, rj_crdt_bytes(&d->bytes), NULL));
}

static enum verdict do_merge(struct world *w, const json_t *step)
{
    struct thing *a = replica(w, json_array_get(step, 1));
    struct thing *b = replica(w, json_array_get(step, 2));

    if (a == NULL || b == NULL)
        return fail(w, "no such replica");
    return outcome(w, rj_crdt_join(a->value, b->value, NULL));
}

static enum verdict do_check(struct world *w, const json_t *step)
{
    struct thing *r = replica(w, json_array_get(step, 1));

    return r != NULL ? check(w, r, json_array_get(step, 2)) : fail(w, "no such replica");
}

static enum verdict do_step(struct world *w, const json_t *step)
{
    const json_t *first = json_array_get(step, 0), *second = json_array_get(step, 1);
    const char *word = json_string_value(first);

    if (word == NULL)
        return fail(w, "not a step");
    if (replica(w, first) != NULL)
        return do_change(w, step, NULL);
    if (strcmp(word, "as") == 0)
        return do_change(w, json_array_get(step, 2), named(w, second, true));
    if (strcmp(word, "join") == 0)
        return do_join(w, step);
    if (strcmp(word, "state") == 0 || strcmp(word, "ctx") == 0)
        return do_state(w, step, word[0] == 'c');
    if (strcmp(word, "diff") == 0)
        return do_diff(w, step);
    if (strcmp(word, "apply") == 0)
        return do_apply(w, step);
    if (strcmp(word, "merge") == 0)
        return do_merge(w, step);
    if (strcmp(word, "copy") == 0)
        return do_copy(w, replica(w, second), replica(w, json_array_get(step, 2)));
    if (strcmp(word, "roundtrip") == 0)
        return do_roundtrip(w, replica(w, second));
    if (strcmp(word, "ctxop") == 0)
        return do_ctxop(w, step);
    if (strcmp(word, "refuse") == 0)
        return do_refuse(w, step);
    if (strcmp(word, "check") == 0)
        return do_check(w, step);
    if (strcmp(word, "checkq") == 0)
        return do_query(w, step);
    if (strcmp(word, "diffis") == 0)
        return do_diffis(w, step);
    return fail(w, "no such step: %s", word);
}

/* ---- ends */

static enum verdict check_ends(struct world *w, const json_t *c)
{
    const json_t *expect = json_object_get(c, "expect"), *one, *list;
    const json_t *converged = json_object_get(c, "converged");
    enum verdict verdict = PASSED;
    const char *name;
    json_t *value;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)expect, name, value)
    {
        one = json_string(name);
        if (verdict == PASSED)
            verdict = check(w, replica(w, one), value);
        json_decref((json_t *)(uintptr_t)one);
    }
    json_object_foreach((json_t *)(uintptr_t)json_object_get(c, "expect_oneof"), name,
                        value)
    {
        bool found = false;

        one = json_string(name);
        list = value_of(replica(w, one)->value);
        for (i = 0; i < json_array_size(value); i++)
            found = found || json_equal(json_array_get(value, i), list);
        if (!found)
            verdict = compare(w, name, value, list);
        json_decref((json_t *)(uintptr_t)list);
        json_decref((json_t *)(uintptr_t)one);
    }
    for (i = 1; verdict == PASSED && i < json_array_size(converged); i++) {
        value = value_of(replica(w, json_array_get(converged, 0))->value);
        verdict = check(w, replica(w, json_array_get(converged, i)), value);
        json_decref(value);
    }
    return verdict;
}

/* a joined with b, and again, into ret. */
static enum rj_err merged(const struct world *w, const struct thing *a,
                          const struct thing *b, struct rj_crdt_buf *ret)
{
    struct rj_crdt *v = NULL;
    enum rj_err err = make(w, "", &v);

    if (err == RJ_OK)
        err = rj_crdt_join(v, a->value, NULL);
    if (err == RJ_OK)
        err = rj_crdt_join(v, b->value, NULL);
    if (err == RJ_OK)
        err = rj_crdt_join(v, a->value, NULL);
    if (err == RJ_OK)
        err = rj_crdt_encode(v, ret);
    rj_crdt_free(v);
    return err;
}

/* Any two end states merge to the same bytes in either order, and a difference against a
 * digest is as good as the whole state. */
static enum verdict check_laws(struct world *w)
{
    struct rj_crdt_buf ab = {0}, ba = {0}, digest = {0}, delta = {0};
    enum verdict verdict = PASSED;
    size_t i, k;

    for (i = 0; i < w->n_replicas; i++) {
        for (k = 0; verdict == PASSED && k < w->n_replicas; k++) {
            struct thing copy = {.name = w->replicas[k].name};
            struct rj_crdt_report report = {0};
            const struct thing *a = &w->replicas[i], *b = &w->replicas[k];

            if (merged(w, a, b, &ab) != RJ_OK || merged(w, b, a, &ba) != RJ_OK ||
                ab.len != ba.len || memcmp(ab.ptr, ba.ptr, ab.len) != 0)
                verdict =
                    fail(w, "merging %s and %s depends on the order", a->name, b->name);
            if (rj_crdt_encode(b->value, &ba) != RJ_OK ||
                remake(w, &copy, rj_crdt_bytes(&ba)) != RJ_OK ||
                rj_crdt_digest(b->value, &digest) != RJ_OK ||
                rj_crdt_diff(a->value, rj_crdt_bytes(&digest), &delta) != RJ_OK ||
                rj_crdt_join_bytes(copy.value, rj_crdt_bytes(&delta), &report) != RJ_OK ||
                report.known + report.stale > 0 || /* more than was needed */
                rj_crdt_encode(copy.value, &ba) != RJ_OK || ab.len != ba.len ||
                memcmp(ab.ptr, ba.ptr, ab.len) != 0)
                verdict =
                    fail(w, "%s's difference is not what %s lacks", a->name, b->name);
            rj_crdt_free(copy.value);
        }
    }
    rj_crdt_buf_free(&ab);
    rj_crdt_buf_free(&ba);
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&delta);
    return verdict;
}

static void set_rules(struct world *w, const json_t *params)
{
    const char *bias = json_string_value(json_object_get(params, "bias"));
    const char *value = json_string_value(json_object_get(params, "value"));
    const char *tie = json_string_value(json_object_get(params, "tie"));

    w->rules.size = sizeof(w->rules);
    if (bias != NULL && strcmp(bias, "remove") == 0)
        w->rules.bias = RJ_CRDT_BIAS_REMOVE;
    if (value != NULL && strcmp(value, "min") == 0)
        w->rules.tie = RJ_CRDT_TIE_MIN_VALUE;
    if (tie != NULL && strcmp(tie, "min_replica") == 0)
        w->rules.tie = RJ_CRDT_TIE_MIN_REPLICA;
}

static enum verdict start(struct world *w, const json_t *c)
{
    const json_t *names = json_object_get(c, "replicas");
    enum rj_err err = RJ_OK;
    size_t i;

    w->type = json_string_value(json_object_get(c, "type"));
    if (w->type == NULL || json_array_size(names) > THINGS_MAX)
        return fail(w, "not a case");
    if (rj_crdt_type_of(w->type) == RJ_CRDT_NONE)
        return SKIPPED;
    set_rules(w, json_object_get(c, "params"));
    for (i = 0; err == RJ_OK && i < json_array_size(names); i++) {
        struct thing *r = &w->replicas[w->n_replicas++];

        r->name = json_string_value(json_array_get(names, i));
        err = r->name != NULL ? make(w, r->name, &r->value) : RJ_EINVAL;
    }
    return outcome(w, err);
}

enum verdict play_crdt(const json_t *c, char *why, size_t why_len)
{
    struct world w = {.why = why, .why_len = why_len};
    const json_t *steps = json_object_get(c, "steps");
    enum verdict verdict = start(&w, c);
    size_t i;

    for (i = 0; verdict == PASSED && i < json_array_size(steps); i++) {
        w.step = i + 1;
        verdict = do_step(&w, json_array_get(steps, i));
    }
    w.step = json_array_size(steps);
    if (verdict == PASSED)
        verdict = check_ends(&w, c);
    if (verdict == PASSED)
        verdict = check_laws(&w);
    for (i = 0; i < THINGS_MAX; i++) {
        rj_crdt_free(w.replicas[i].value);
        rj_crdt_buf_free(&w.named[i].bytes);
    }
    return verdict;
}
