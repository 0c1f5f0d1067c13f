/* SPDX-License-Identifier: Apache-2.0 */
/* Editing traces (sequential ones, .json in the form of josephg/editing-traces) through a
 * text: changes by position, with and without a delta each; the deltas joined elsewhere;
 * the whole history as bytes, and read back. Prints lines (name, value, unit), as
 * bench/crdt-peers does for other libraries: CPU time, best of some rounds; bytes.
 *
 *     crdt_text FILE.json... */
#include "crdt_bench.h"

#include <jansson.h>

enum { ROUNDS = 5 };

struct patch {
    uint64_t pos, deleted;
    struct rj_bytes inserted;
};

struct trace {
    json_t *json;
    struct patch *patches;
    size_t n;
    struct rj_bytes end;
    const char *name; /* of the file, without folder and ending */
    int name_len;
};

static struct rj_bytes bytes_of(const json_t *text)
{
    struct rj_bytes b = {(const uint8_t *)json_string_value(text),
                         json_string_length(text)};

    return b;
}

static struct trace load(const char *path)
{
    struct trace t = {.json = json_load_file(path, 0, NULL)};
    const json_t *txns = json_object_get(t.json, "txns"), *patches;
    size_t i, j;

    t.name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    t.name_len = (int)strcspn(t.name, ".");
    t.end = bytes_of(json_object_get(t.json, "endContent"));
    for (i = 0; i < json_array_size(txns); i++) {
        patches = json_object_get(json_array_get(txns, i), "patches");
        for (j = 0; j < json_array_size(patches); j++) {
            const json_t *p = json_array_get(patches, j);

            t.patches = realloc(t.patches, (t.n + 1) * sizeof(*t.patches));
            if (t.patches == NULL)
                abort();
            t.patches[t.n++] =
                (struct patch){(uint64_t)json_integer_value(json_array_get(p, 0)),
                               (uint64_t)json_integer_value(json_array_get(p, 1)),
                               bytes_of(json_array_get(p, 2))};
        }
    }
    return t;
}

static struct rj_crdt *new_text(const char *name)
{
    return new_value(RJ_CRDT_TEXT, name, &counting);
}

/* Plays all patches; deltas: where the delta of each change goes (NULL: none is made). */
static struct rj_crdt *play(const struct trace *t, struct rj_crdt_buf *deltas,
                            size_t *ret_n)
{
    struct rj_crdt *v = new_text("a");
    size_t i, n = 0;

    for (i = 0; i < t->n; i++) {
        const struct patch *p = &t->patches[i];
        struct rj_crdt_op op = {.size = sizeof(op), .pos = p->pos};

        if (p->deleted > 0) {
            op.code = RJ_CRDT_DELETE;
            op.count = p->deleted;
            must(rj_crdt_write(v, &op, deltas != NULL ? &deltas[n++] : NULL));
        }
        if (p->inserted.len > 0) {
            op.code = RJ_CRDT_INSERT;
            op.value = p->inserted;
            must(rj_crdt_write(v, &op, deltas != NULL ? &deltas[n++] : NULL));
        }
    }
    *ret_n = n;
    return v;
}

static bool shows(const struct rj_crdt *v, struct rj_bytes text)
{
    struct rj_crdt_buf json = {0};
    json_t *got;
    bool same;

    must(rj_crdt_json(v, &json));
    got = json_loadb((const char *)json.ptr, json.len, JSON_DECODE_ANY, NULL);
    same = got != NULL && json_string_length(got) == text.len &&
           memcmp(json_string_value(got), text.ptr, text.len) == 0;
    json_decref(got);
    rj_crdt_buf_free(&json);
    return same;
}

static void say(const struct trace *t, const char *name, double value, const char *unit)
{
    printf("text.%.*s.%s %.*f %s\n", t->name_len, t->name, name,
           strcmp(unit, "bytes") == 0 ? 0 : 3, value, unit);
}

static void run_deltas(const struct trace *t, double best[3])
{
    struct rj_crdt_buf *deltas = calloc(2 * t->n, sizeof(*deltas));
    struct rj_crdt *v, *w = new_text("");
    size_t n, i;
    double start = cpu_seconds(), seconds;

    if (deltas == NULL)
        abort();
    v = play(t, deltas, &n);
    seconds = cpu_seconds() - start;
    best[1] = seconds < best[1] ? seconds : best[1];
    start = cpu_seconds();
    for (i = 0; i < n; i++)
        must(rj_crdt_join_bytes(w, rj_crdt_bytes(&deltas[i]), NULL));
    seconds = cpu_seconds() - start;
    best[2] = seconds < best[2] ? seconds : best[2];
    if (!shows(w, t->end))
        say(t, "wrong", 1, "text");
    for (i = 0; i < n; i++)
        rj_crdt_buf_free(&deltas[i]);
    free(deltas);
    rj_crdt_free(v);
    rj_crdt_free(w);
}

static void run(const char *path)
{
    struct trace t = load(path);
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = RJ_CRDT_TEXT};
    struct rj_crdt_buf bytes = {0};
    struct rj_crdt *v = NULL, *w = NULL;
    double best[3] = {1e9, 1e9, 1e9}, start, seconds, written;
    size_t n, held = 0, i;
    bool is_right;

    for (i = 0; i < ROUNDS; i++) {
        size_t before = in_use;

        rj_crdt_free(v);
        before = v != NULL ? in_use : before;
        start = cpu_seconds();
        v = play(&t, NULL, &n);
        seconds = cpu_seconds() - start;
        best[0] = seconds < best[0] ? seconds : best[0];
        held = in_use - before;
    }
    is_right = shows(v, t.end);
    for (i = 0; i < 2; i++)
        run_deltas(&t, best);
    start = cpu_seconds();
    must(rj_crdt_encode(v, &bytes));
    written = cpu_seconds() - start;
    start = cpu_seconds();
    must(rj_crdt_decode(&opts, rj_crdt_bytes(&bytes), &w));
    seconds = cpu_seconds() - start;
    say(&t, "edit", best[0] * 1e6 / (double)t.n, "us");
    say(&t, "edit.delta", best[1] * 1e6 / (double)t.n, "us");
    say(&t, "join", best[2] * 1e6 / (double)t.n, "us");
    say(&t, "history", (double)bytes.len, "bytes");
    say(&t, "memory", (double)held, "bytes");
    say(&t, "write", written * 1e3, "ms");
    say(&t, "read", seconds * 1e3, "ms");
    if (!is_right || !shows(w, t.end))
        say(&t, "wrong", 1, "text");
    rj_crdt_free(v);
    rj_crdt_free(w);
    rj_crdt_buf_free(&bytes);
    free(t.patches);
    json_decref(t.json);
}

int main(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++)
        run(argv[i]);
    return 0;
}
