/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket and the types of librejoin-crdt merge alike. Three replicas make the same
 * writes, with the same stamps, in a bucket and in values: in one value for each key, and
 * in one map of maps for the whole bucket. What comes to the bucket as a batch comes to
 * the values as deltas, as their join, as the state, its parts or a difference; what it
 * takes over by a state transfer, range by range, they join. After each step both show
 * the same and keep the same versions, also those that are hidden; so they do when the
 * bucket is read from its store again, and the values from their bytes.
 *
 * A set is an orset, a hash an lwwmap, a counter an rcounter, a hash of counters a map of
 * these. A string is an lwwreg, or, where it may be deleted, an lwwreg in a map; its
 * versions are those of an mvreg, and that there is one is an ewflag. Ties: the bucket's
 * go to the greater origin, TIE_MIN_REPLICA's to the lesser name, so a name here is the
 * complement of the origin.
 *
 * Left out, for there they differ on purpose (doc/crdt.md): a key that changes its type
 * (SET over a counter), INCR and HINCRBY on a string, deadlines, deletions that win, sums
 * that leave int64, writes that are issued again under other dots, forks, and a string
 * that is set with an older stamp than it has (is_later).
 *
 * SEED=n runs one history of each sort, SEEDS=n that many. */
#include "base/buf.h"
#include "base/prng.h"
#include "support/histories.h"
#include "support/replicas.h"

#include <rejoin/crdt.h>

enum { REPLICAS = 3, STEPS = 80, SEEDS_DEFAULT = 100, DELTAS_MAX = 1024, NAMES = 3 };

/* What stands at which key, in the order of a map's JSON (shorter keys first). Each type
 * once: rows of a map are told apart by it. */
static const struct pairing {
    const char *key;
    enum rj_crdt_type type;
    const char *nothing; /* what a value of its own shows when the key is not there */
} pairings[] = {
    {"set", RJ_CRDT_ORSET, "[]"},        {"hash", RJ_CRDT_LWWMAP, "{}"},
    {"exists", RJ_CRDT_EWFLAG, "false"}, {"string", RJ_CRDT_LWWREG, "null"},
    {"counter", RJ_CRDT_RCOUNTER, "0"},  {"counters", RJ_CRDT_ORMAP, "{}"},
    {"versions", RJ_CRDT_MVREG, "[]"},
};

enum { KEYS = sizeof(pairings) / sizeof(pairings[0]), PENDING = NET_BATCHES_MAX };

static const char *const names[NAMES] = {"a", "b", "c"};

/* What one write made. */
struct delta {
    unsigned replica, value, batch; /* PENDING: not cut */
    struct rj_crdt_buf bytes;
};

struct history {
    struct net *net;
    struct rj_prng rng;
    bool in_map; /* one map for all keys, values[r][0] */
    unsigned n_values;
    struct rj_crdt *values[REPLICAS][KEYS];
    struct delta deltas[DELTAS_MAX];
    unsigned n_deltas;
    struct rj_store *store[REPLICAS];
    struct rj_crdt_buf *states; /* [batch][value]: its author's when it was cut */
};

static unsigned below(struct history *h, unsigned n)
{
    return (unsigned)rj_prng_below(&h->rng, n);
}

static bool chance(struct history *h, unsigned percent)
{
    return below(h, 100) < percent;
}

/* ---- values */

/* The name under which an origin writes to values. */
static struct rj_origin_id name_of(const struct rj_origin_id *id)
{
    struct rj_origin_id name;

    for (size_t i = 0; i < sizeof(name.b); i++)
        name.b[i] = (uint8_t)~id->b[i];
    return name;
}

static struct rj_origin_id name_at(const struct history *h, unsigned r)
{
    return name_of(&h->net->ids[h->net->r[r].self]);
}

static struct rj_crdt_opts opts_of(const struct history *h, unsigned value)
{
    return (struct rj_crdt_opts){
        .size = sizeof(struct rj_crdt_opts),
        .type = h->in_map ? RJ_CRDT_ORMAP : pairings[value].type,
        .rules = {.size = sizeof(struct rj_crdt_rules), .tie = RJ_CRDT_TIE_MIN_REPLICA}};
}

static void make_values(struct history *h, unsigned r)
{
    struct rj_origin_id name = name_at(h, r);

    for (unsigned v = 0; v < h->n_values; v++) {
        struct rj_crdt_opts opts = opts_of(h, v);

        opts.replica = RJ_BYTES_OF(name.b);
        assert_ok(rj_crdt_new(&opts, &h->values[r][v]));
    }
}

/* Joins the state of a value, in one of four ways. */
static void join_state(struct history *h, unsigned r, unsigned v,
                       const struct rj_crdt *state)
{
    struct rj_crdt_buf bytes = {0}, digest = {0};
    struct rj_crdt_cursor cursor = {0};

    switch (below(h, 4)) {
    case 0:
        assert_ok(rj_crdt_join(h->values[r][v], state, NULL));
        break;
    case 1:
        assert_ok(rj_crdt_encode(state, &bytes));
        assert_ok(rj_crdt_join_bytes(h->values[r][v], rj_crdt_bytes(&bytes), NULL));
        break;
    case 2:
        while (rj_crdt_part(state, &cursor, &bytes) == RJ_OK)
            assert_ok(rj_crdt_join_bytes(h->values[r][v], rj_crdt_bytes(&bytes), NULL));
        break;
    default:
        assert_ok(rj_crdt_digest(h->values[r][v], &digest));
        assert_ok(rj_crdt_diff(state, rj_crdt_bytes(&digest), &bytes));
        assert_ok(rj_crdt_join_bytes(h->values[r][v], rj_crdt_bytes(&bytes), NULL));
    }
    rj_crdt_buf_free(&bytes);
    rj_crdt_buf_free(&digest);
}

/* The deltas of a batch: in their order, backwards, or as one. */
static void join_deltas(struct history *h, unsigned r, unsigned v, unsigned batch)
{
    struct rj_crdt_opts opts = opts_of(h, v);
    struct rj_bytes list[DELTAS_MAX];
    struct rj_crdt_buf one = {0};
    unsigned order = below(h, 3);
    size_t n = 0;

    for (unsigned i = 0; i < h->n_deltas; i++) {
        if (h->deltas[i].batch == batch && h->deltas[i].value == v)
            list[n++] = rj_crdt_bytes(&h->deltas[i].bytes);
    }
    if (n == 0)
        return;
    if (order == 2) {
        assert_ok(rj_crdt_join_deltas(&opts, list, n, &one));
        assert_ok(rj_crdt_join_bytes(h->values[r][v], rj_crdt_bytes(&one), NULL));
    }
    for (size_t i = 0; order < 2 && i < n; i++)
        assert_ok(
            rj_crdt_join_bytes(h->values[r][v], list[order == 0 ? i : n - 1 - i], NULL));
    rj_crdt_buf_free(&one);
}

/* A batch comes to the values. Its author then had nothing that its reader has not by
 * now, for delivery is causal: so its state says as much as its deltas. */
static void join_batch(struct history *h, unsigned r, unsigned batch)
{
    for (unsigned v = 0; v < h->n_values; v++) {
        struct rj_crdt_opts opts = opts_of(h, v);
        struct rj_crdt *state = NULL;

        if (chance(h, 60)) {
            join_deltas(h, r, v, batch);
            continue;
        }
        assert_ok(
            rj_crdt_decode(&opts, rj_crdt_bytes(&h->states[batch * KEYS + v]), &state));
        join_state(h, r, v, state);
        rj_crdt_free(state);
    }
}

/* ---- what a bucket shows, as JSON */

static void put_names(struct rj_bucket *b, const struct pairing *p, struct rj_buf *json)
{
    bool is_set = p->type == RJ_CRDT_ORSET;
    const char *quote = p->type == RJ_CRDT_LWWMAP ? "\"" : "";
    struct rj_pair pair;

    rj_buf_append_str(json, is_set ? "[" : "{");
    for (unsigned i = 0, n = 0; i < NAMES; i++) {
        bool is_in = false;

        pair = (struct rj_pair){.field = str(names[i])};
        if (is_set)
            assert_ok(rj_bucket_sismember(b, str(p->key), pair.field, &is_in));
        else
            is_in = rj_bucket_hget(b, str(p->key), pair.field, &pair.value) == RJ_OK;
        if (!is_in)
            continue;
        rj_buf_printf(json, "%s\"%s\"", n++ > 0 ? "," : "", names[i]);
        if (!is_set)
            rj_buf_printf(json, ":%s%.*s%s", quote, (int)pair.value.len,
                          (const char *)pair.value.ptr, quote);
    }
    rj_buf_append_str(json, is_set ? "]" : "}");
}

static int by_bytes(const void *a, const void *b)
{
    return rj_bytes_compare(*(const struct rj_bytes *)a, *(const struct rj_bytes *)b);
}

static struct rj_bkey *key_of(struct rj_bucket *b, const char *key)
{
    return rj_table_find(&b->table, rj_change_position(b, str(key)), str(key));
}

/* The different values of all versions, sorted. */
static void put_versions(struct rj_bucket *b, const char *key, struct rj_buf *json)
{
    struct rj_bytes values[NET_ORIGINS_MAX];
    size_t n = 0;

    for (const struct rj_dotted *d = rj_bkey_first(key_of(b, key)); d != NULL;
         d = d->next) {
        assert_true(d->sort == RJ_DOTTED_VERSION && n < NET_ORIGINS_MAX);
        values[n++] = rj_version_value(rj_version_of_const(d));
    }
    qsort(values, n, sizeof(values[0]), by_bytes);
    rj_buf_append_str(json, "[");
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !rj_bytes_equal(values[i], values[i - 1]))
            rj_buf_printf(json, "%s\"%.*s\"", i > 0 ? "," : "", (int)values[i].len,
                          (const char *)values[i].ptr);
    }
    rj_buf_append_str(json, "]");
}

static void put_key(struct history *h, unsigned r, const struct pairing *p,
                    struct rj_buf *json)
{
    struct rj_bucket *b = net_at(h->net, r);

    if (rj_bucket_type(b, str(p->key)) == RJ_TYPE_NONE) {
        rj_buf_append_str(json, p->nothing);
        return;
    }
    switch ((int)p->type) {
    case RJ_CRDT_RCOUNTER:
        rj_buf_append_str(json, show(h->net, r, p->key));
        break;
    case RJ_CRDT_EWFLAG:
        rj_buf_append_str(json, "true");
        break;
    case RJ_CRDT_LWWREG:
        rj_buf_printf(json, "\"%s\"", show(h->net, r, p->key));
        break;
    case RJ_CRDT_MVREG:
        put_versions(b, p->key, json);
        break;
    default:
        put_names(b, p, json);
    }
}

/* The whole bucket: keys that are there. */
static void put_bucket(struct history *h, unsigned r, struct rj_buf *json)
{
    const char *comma = "";

    rj_buf_append_str(json, "{");
    for (unsigned k = 0; k < KEYS; k++) {
        if (rj_bucket_type(net_at(h->net, r), str(pairings[k].key)) == RJ_TYPE_NONE)
            continue;
        rj_buf_printf(json, "%s\"%s\":", comma, pairings[k].key);
        put_key(h, r, &pairings[k], json);
        comma = ",";
    }
    rj_buf_append_str(json, "}");
}

static void assert_shown(struct history *h, unsigned r, unsigned v)
{
    struct rj_buf bucket = {0};
    struct rj_crdt_buf value = {0};

    if (h->in_map)
        put_bucket(h, r, &bucket);
    else
        put_key(h, r, &pairings[v], &bucket);
    assert_ok(rj_buf_err(&bucket));
    assert_ok(rj_crdt_json(h->values[r][v], &value));
    if (!rj_bytes_equal(rj_buf_view(&bucket), rj_crdt_bytes(&value)))
        print_error("replica %u: the bucket shows %.*s, the value %.*s\n", r,
                    (int)bucket.len, (const char *)bucket.ptr, (int)value.len,
                    (const char *)value.ptr);
    assert_bytes_equal(rj_buf_view(&bucket), rj_crdt_bytes(&value));
    rj_buf_done(&bucket);
    rj_crdt_buf_free(&value);
}

/* ---- versions, the hidden ones too, a line each */

enum { LINES_MAX = 256, LINE_MAX = 128 };

struct lines {
    char text[LINES_MAX][LINE_MAX];
    size_t n;
};

struct version {
    enum rj_crdt_type type;
    struct rj_bytes name, writer, value;
    uint64_t stamp;
};

static bool has_stamp(enum rj_crdt_type type)
{
    return type == RJ_CRDT_LWWREG || type == RJ_CRDT_LWWMAP;
}

static bool has_value(enum rj_crdt_type type)
{
    return has_stamp(type) || type == RJ_CRDT_MVREG;
}

static void put_line(struct lines *l, const struct version *v)
{
    assert_true(l->n < LINES_MAX && v->writer.len == sizeof(struct rj_origin_id));
    (void)snprintf(l->text[l->n++], LINE_MAX, "%s '%.*s' by %02x%02x at %llu: '%.*s'",
                   rj_crdt_type_name(v->type), (int)v->name.len,
                   (const char *)v->name.ptr, v->writer.ptr[0], v->writer.ptr[1],
                   (unsigned long long)(has_stamp(v->type) ? v->stamp : 0),
                   has_value(v->type) ? (int)v->value.len : 0,
                   (const char *)v->value.ptr);
}

/* Versions at one place of a bucket. An lwwreg of its own keeps the greatest alone. */
static void put_place(struct history *h, unsigned r, enum rj_crdt_type type,
                      const struct rj_site *site, struct lines *l)
{
    const struct rj_origins *origins = &h->net->r[r].origins;
    struct rj_dotted *first = *rj_site_list(site), *d = first;
    const struct rj_version *top = rj_register_top(first, origins, 0);
    struct version v = {.type = type};

    if (site->item != NULL)
        v.name = rj_item_name(site->item);
    for (; d != NULL; d = d->next) {
        struct rj_origin_id name = name_of(&origins->items[d->origin].id);

        if (d->sort != RJ_DOTTED_VERSION ||
            (type == RJ_CRDT_LWWREG && !h->in_map && d != &top->d))
            continue;
        v.writer = RJ_BYTES_OF(name.b);
        v.value = rj_version_value(rj_version_of(d));
        v.stamp = d->stamp;
        put_line(l, &v);
    }
}

static void put_bucket_versions(struct history *h, unsigned r, unsigned k,
                                struct lines *l)
{
    struct rj_site site = {.key = key_of(h->net->r[r].bucket, pairings[k].key)};
    struct rj_walk walk = {0};

    while (site.key != NULL && rj_walk_next(&site, &walk))
        put_place(h, r, pairings[k].type, &site, l);
}

static void put_rows(struct history *h, unsigned r, unsigned v, struct lines *l)
{
    struct rj_crdt_row row = {0};
    uint64_t cursor = 0;

    while (rj_crdt_next(h->values[r][v], &cursor, &row) == RJ_OK) {
        struct version version = {.type = row.at != 0 ? row.at : pairings[v].type,
                                  .name = row.key,
                                  .writer = row.replica,
                                  .value = row.value,
                                  .stamp = row.stamp};

        if (version.type != RJ_CRDT_RCOUNTER) /* runs, and tips and floors */
            put_line(l, &version);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void assert_versions(struct history *h, unsigned r, unsigned v)
{
    static struct lines bucket, value;

    bucket.n = value.n = 0;
    for (unsigned k = h->in_map ? 0 : v; k < (h->in_map ? KEYS : v + 1); k++)
        put_bucket_versions(h, r, k, &bucket);
    put_rows(h, r, v, &value);
    qsort(bucket.text, bucket.n, LINE_MAX, by_text);
    qsort(value.text, value.n, LINE_MAX, by_text);
    for (size_t i = 0; i < bucket.n && i < value.n; i++)
        assert_string_equal(bucket.text[i], value.text[i]);
    assert_int_equal(bucket.n, value.n);
}

static void compare(struct history *h, unsigned r)
{
    for (unsigned v = 0; v < h->n_values; v++) {
        assert_shown(h, r, v);
        assert_versions(h, r, v);
    }
}

/* ---- writes, in the bucket and in the values */

struct write {
    unsigned key;
    enum rj_crdt_code code; /* RJ_CRDT_CLEAR: the whole key */
    unsigned n;             /* names, of which some may be the same */
    struct rj_bytes names[NAMES];
    int64_t amount;
    char value[16];
};

/* Chooses a write that the type of its key knows. */
static void choose(struct history *h, struct write *w)
{
    enum rj_crdt_type type;
    bool has_names, removes = chance(h, 30);

    *w = (struct write){.key = below(h, KEYS), .n = 1};
    type = pairings[w->key].type;
    has_names = type == RJ_CRDT_ORSET || type == RJ_CRDT_LWWMAP || type == RJ_CRDT_ORMAP;
    /* An lwwreg that holds what is set, with that stamp, needs no event. */
    (void)snprintf(w->value, sizeof(w->value), "%u",
                   type == RJ_CRDT_LWWREG ? 100 + h->n_deltas : below(h, 30));
    w->amount = (int64_t)below(h, 9) - 4;
    if (has_names && type != RJ_CRDT_ORMAP)
        w->n += below(h, NAMES);
    for (unsigned i = 0; i < w->n; i++)
        w->names[i] = str(names[below(h, NAMES)]);
    if (type == RJ_CRDT_RCOUNTER || type == RJ_CRDT_ORMAP)
        w->code = w->amount < 0 ? RJ_CRDT_DEC : RJ_CRDT_INC;
    else if (type == RJ_CRDT_EWFLAG)
        w->code = RJ_CRDT_ENABLE;
    else if (type == RJ_CRDT_ORSET)
        w->code = RJ_CRDT_ADD;
    else
        w->code = type == RJ_CRDT_LWWMAP ? RJ_CRDT_PUT : RJ_CRDT_SET;
    if (removes && has_names && chance(h, 60))
        w->code = RJ_CRDT_REMOVE;
    else if (removes && (type != RJ_CRDT_LWWREG || h->in_map))
        w->code = RJ_CRDT_CLEAR;
}

static void write_bucket(struct history *h, unsigned r, const struct write *w)
{
    struct rj_bucket *b = net_at(h->net, r);
    struct rj_bytes key = str(pairings[w->key].key);
    bool is_set = pairings[w->key].type == RJ_CRDT_ORSET, existed;
    bool has_fields = pairings[w->key].type == RJ_CRDT_ORMAP;
    struct rj_pair pairs[NAMES];
    int64_t value;
    uint64_t n;

    for (unsigned i = 0; i < w->n; i++)
        pairs[i] = (struct rj_pair){w->names[i], str(w->value)};
    if (w->code == RJ_CRDT_CLEAR)
        assert_ok(rj_bucket_del(b, key, &existed));
    else if (w->code == RJ_CRDT_ADD)
        assert_ok(rj_bucket_sadd(b, key, w->names, w->n, &n));
    else if (w->code == RJ_CRDT_REMOVE && is_set)
        assert_ok(rj_bucket_srem(b, key, w->names, w->n, &n));
    else if (w->code == RJ_CRDT_REMOVE)
        assert_ok(rj_bucket_hdel(b, key, w->names, w->n, &n));
    else if (w->code == RJ_CRDT_PUT)
        assert_ok(rj_bucket_hset(b, key, pairs, w->n, &n));
    else if (w->code == RJ_CRDT_SET || w->code == RJ_CRDT_ENABLE)
        assert_ok(rj_bucket_set(b, key, str(w->value), NULL));
    else if (has_fields)
        assert_ok(rj_bucket_hincr(b, key, w->names[0], w->amount, &value));
    else
        assert_ok(rj_bucket_incr(b, key, w->amount, &value));
}

/* One change of a value; false: it was none. */
static bool change_value(struct history *h, unsigned r, const struct rj_crdt_op *op,
                         unsigned v)
{
    struct delta *d = &h->deltas[h->n_deltas];
    struct rj_crdt_buf before = {0}, after = {0};
    bool is_change;

    assert_true(h->n_deltas < DELTAS_MAX);
    *d = (struct delta){.replica = r, .value = v, .batch = PENDING};
    assert_ok(rj_crdt_digest(h->values[r][v], &before));
    assert_ok(rj_crdt_write(h->values[r][v], op, &d->bytes));
    assert_ok(rj_crdt_digest(h->values[r][v], &after));
    is_change = !rj_bytes_equal(rj_crdt_bytes(&before), rj_crdt_bytes(&after));
    if (is_change)
        h->n_deltas++;
    else
        rj_crdt_buf_free(&d->bytes);
    rj_crdt_buf_free(&before);
    rj_crdt_buf_free(&after);
    return is_change;
}

/* True: it changed something. */
static bool write_value(struct history *h, unsigned r, const struct write *w)
{
    enum rj_crdt_type type = pairings[w->key].type;
    struct rj_bytes path[2];
    struct rj_crdt_op op = {.size = sizeof(op),
                            .code = w->code,
                            .path = path,
                            .keys = w->names,
                            .n_keys = w->n,
                            .value = str(w->value),
                            .amount = w->amount < 0 ? -w->amount : w->amount,
                            .stamp = h->net->r[r].writer.stamp};
    unsigned v = h->in_map ? 0 : w->key, i;
    bool is_change = false, each = w->code == RJ_CRDT_PUT || type == RJ_CRDT_ORMAP;

    if (h->in_map)
        path[op.n_path++] = str(pairings[w->key].key);
    if (w->code == RJ_CRDT_CLEAR) {
        op.code = h->in_map ? RJ_CRDT_REMOVE : RJ_CRDT_CLEAR;
        return change_value(h, r, &op, v);
    }
    if (h->in_map)
        op.at = type;
    if (type == RJ_CRDT_ORMAP) {
        op.at = w->code == RJ_CRDT_REMOVE ? RJ_CRDT_NONE : RJ_CRDT_RCOUNTER;
        path[op.n_path++] = w->names[0];
    }
    if (each)
        op.n_keys = 1;
    for (i = 0; i < (each ? w->n : 1); i++) {
        op.keys = &w->names[i];
        is_change = change_value(h, r, &op, v) || is_change;
    }
    return is_change;
}

/* The next write of r is greater than all strings that it sees. It is not where its batch
 * was begun before a state transfer: its stamp is as old as the batch. A bucket takes
 * what was seen all the same, and so does an lwwmap; in an lwwreg the greater stamp
 * stays. */
static bool is_later(struct history *h, unsigned r, const char *string)
{
    struct rj_bucket *b = net_at(h->net, r);
    const struct rj_bkey *k = key_of(b, string);
    const struct replica *rep = &h->net->r[r];
    struct rj_dot next = {rep->writer.first + rep->writer.count, rep->writer.self};
    const struct rj_dotted *d = k != NULL ? rj_bkey_first(k) : NULL;

    while (d != NULL && rj_dot_order(&rep->origins, d->stamp, rj_dotted_dot(d),
                                     rep->writer.stamp, next) < 0)
        d = d->next;
    return d == NULL;
}

/* Both write, or there is nothing to write for either. */
static void write_something(struct history *h, unsigned r)
{
    uint32_t before = h->net->r[r].writer.count;
    struct write w;

    choose(h, &w);
    if (pairings[w.key].type == RJ_CRDT_LWWREG && !is_later(h, r, pairings[w.key].key))
        return;
    write_bucket(h, r, &w);
    assert_int_equal(write_value(h, r, &w), h->net->r[r].writer.count > before);
    compare(h, r);
}

/* ---- what happens besides */

static void cut(struct history *h, unsigned r)
{
    unsigned batch;

    if (!net_cut(h->net, r, &batch))
        return;
    for (unsigned i = 0; i < h->n_deltas; i++) {
        if (h->deltas[i].replica == r && h->deltas[i].batch == PENDING)
            h->deltas[i].batch = batch;
    }
    for (unsigned v = 0; v < h->n_values; v++)
        assert_ok(rj_crdt_encode(h->values[r][v], &h->states[batch * KEYS + v]));
}

static void deliver(struct history *h, unsigned r, unsigned batch)
{
    cut(h, r);
    net_deliver(h->net, r, batch);
    join_batch(h, r, batch);
    compare(h, r);
}

/* Some batch that r can take; false: there is none. */
static bool deliver_one(struct history *h, unsigned r)
{
    struct net *net = h->net;
    unsigned start = below(h, net->n_batches + 1);

    if (net->r[r].joining && net->r[r].writer.count > 0)
        return false; /* the engine cuts before it applies; a joiner cannot cut */
    for (unsigned k = 0; k < net->n_batches; k++) {
        unsigned i = (start + k) % net->n_batches;

        if (net_can_deliver(net, r, i)) {
            deliver(h, r, i);
            return true;
        }
    }
    return false;
}

static void deliver_something(struct history *h, unsigned r)
{
    (void)deliver_one(h, r);
}

static void catch_up(struct history *h, unsigned r)
{
    while (deliver_one(h, r))
        continue;
}

/* What r took of the bucket of `from`, its values join; returns the end of the range. */
static uint64_t take_range(struct history *h, unsigned from, unsigned r,
                           struct rj_range range, size_t budget)
{
    cut(h, r);
    cut(h, from);
    range = net_join_range(h->net, from, r, range, budget);
    for (unsigned k = 0; k < KEYS; k++) {
        uint64_t at = rj_change_position(h->net->r[r].bucket, str(pairings[k].key));

        if (at >= range.from && at <= range.to)
            join_state(h, r, k, h->values[from][k]);
    }
    compare(h, r);
    return range.to;
}

/* A map of all keys has one context: it can only be joined as a whole. */
static void take_all(struct history *h, unsigned from, unsigned r)
{
    cut(h, r);
    cut(h, from);
    net_take_all(h->net, from, r, 1 + below(h, 300));
    join_state(h, r, 0, h->values[from][0]);
    compare(h, r);
}

static void transfer_something(struct history *h, unsigned r)
{
    unsigned from = (r + 1 + below(h, REPLICAS - 1)) % REPLICAS;
    struct rj_range range = {0, UINT64_MAX};

    if (h->net->r[from].joining)
        return;
    if (h->in_map) {
        take_all(h, from, r);
        return;
    }
    if (chance(h, 70)) {
        range.from = rj_prng_u64(&h->rng);
        range.to = chance(h, 50) ? UINT64_MAX : range.from | rj_prng_u64(&h->rng);
    }
    (void)take_range(h, from, r, range, 1 + below(h, 300));
}

static void finish_transfer(struct history *h, unsigned r)
{
    uint64_t at = 0;
    unsigned from;

    if (!h->net->r[r].joining)
        return;
    from = net_holder(h->net, r);
    catch_up(h, from);
    while (h->net->r[r].joining) {
        struct rj_range rest = {at, UINT64_MAX};

        at = take_range(h, from, r, rest, SIZE_MAX) + 1;
    }
}

/* A new incarnation: new dots on both sides. */
static void reopen(struct history *h, unsigned r)
{
    struct rj_origin_id name;
    struct net_pending old;

    if (h->net->n_origins >= 40 || h->net->r[r].joining)
        return;
    cut(h, r);
    old = net_reopen(h->net, r);
    net_reissue(h->net, r, &old); /* nothing was pending */
    name = name_at(h, r);
    for (unsigned v = 0; v < h->n_values; v++)
        assert_ok(rj_crdt_rename(h->values[r][v], RJ_BYTES_OF(name.b), false));
}

/* The bucket is read from its store, the values from their bytes. */
static void restart(struct history *h, unsigned r)
{
    struct rj_origin_id name = name_at(h, r);
    struct rj_crdt_buf bytes = {0};

    net_restart(h->net, r, h->store[r]);
    for (unsigned v = 0; v < h->n_values; v++) {
        struct rj_crdt_opts opts = opts_of(h, v);

        opts.replica = RJ_BYTES_OF(name.b);
        assert_ok(rj_crdt_encode(h->values[r][v], &bytes));
        rj_crdt_free(h->values[r][v]);
        h->values[r][v] = NULL;
        assert_ok(rj_crdt_decode(&opts, rj_crdt_bytes(&bytes), &h->values[r][v]));
    }
    rj_crdt_buf_free(&bytes);
    compare(h, r);
}

static void sync_all(struct history *h, unsigned unused)
{
    (void)unused;
    for (unsigned r = 0; r < REPLICAS; r++)
        finish_transfer(h, r);
    for (unsigned r = 0; r < REPLICAS; r++)
        cut(h, r);
    for (unsigned r = 0; r < REPLICAS; r++)
        catch_up(h, r);
    net_assert_sums_equal(h->net, 0);
    for (unsigned r = 1; r < REPLICAS; r++) {
        for (unsigned v = 0; v < h->n_values; v++)
            assert_true(rj_crdt_equal(h->values[0][v], h->values[r][v]));
    }
}

static const struct {
    unsigned percent;
    void (*what)(struct history *h, unsigned r);
} events[] = {
    {52, write_something},
    {8, cut},
    {24, deliver_something},
    {8, transfer_something},
    {1, finish_transfer},
    {2, reopen},
    {3, restart},
    {2, sync_all},
};

static void step(struct history *h)
{
    unsigned r = below(h, REPLICAS), dice = below(h, 100), i;

    if (chance(h, 20))
        h->net->r[r].now_ms += below(h, 3);
    for (i = 0; dice >= events[i].percent; i++)
        dice -= events[i].percent;
    events[i].what(h, r);
}

static void play(uint64_t seed, bool in_map)
{
    struct history *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    rj_prng_init(&h->rng, seed);
    h->in_map = in_map;
    h->n_values = in_map ? 1 : KEYS;
    h->net = net_open(REPLICAS);
    h->states = calloc((size_t)NET_BATCHES_MAX * KEYS, sizeof(*h->states));
    assert_non_null(h->states);
    for (unsigned r = 0; r < REPLICAS; r++) {
        assert_ok(rj_store_memory_open(&h->store[r]));
        make_values(h, r);
    }
    for (unsigned i = 0; i < STEPS; i++)
        step(h);
    sync_all(h, 0);
    for (unsigned i = 0; i < h->n_deltas; i++)
        rj_crdt_buf_free(&h->deltas[i].bytes);
    for (unsigned i = 0; i < h->net->n_batches * KEYS; i++)
        rj_crdt_buf_free(&h->states[i]);
    for (unsigned r = 0; r < REPLICAS; r++) {
        for (unsigned v = 0; v < h->n_values; v++)
            rj_crdt_free(h->values[r][v]);
        h->store[r]->ops->close(h->store[r]);
    }
    free(h->states);
    net_close(h->net);
    free(h);
}

static void run_with_values(uint64_t seed)
{
    play(seed, false);
}

static void run_with_map(uint64_t seed)
{
    play(seed, true);
}

TEST(keys_merge_as_values_of_their_types)
{
    run_histories(run_with_values, SEEDS_DEFAULT);
}

TEST(a_bucket_merges_as_one_map_of_maps)
{
    run_histories(run_with_map, SEEDS_DEFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(keys_merge_as_values_of_their_types, tell_seed),
        cmocka_unit_test_teardown(a_bucket_merges_as_one_map_of_maps, tell_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
