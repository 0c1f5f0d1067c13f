/* SPDX-License-Identifier: Apache-2.0 */
/* Random histories of three buckets against the naive model of support/bucket_model.h:
 * local writes of every kind, batches delivered in any causal order, state transfers by
 * range with writes in between, reopening with writes issued again, re-basing, restarts
 * from the store, skewed clocks and expiry. After each local write and at the end every
 * bucket must show what the model shows; at the end all have one sum.
 *
 * Half of them in a bucket where deletions win; there, sums stay equal only until
 * somebody forgets one.
 *
 * SEED=n runs one history of each sort, SEEDS=n that many. */
#include "base/prng.h"
#include "support/bucket_model.h"
#include "support/histories.h"

enum { REPLICAS = 3, STEPS = 90, SEEDS_DEFAULT = 400, SLOT_MS = 10000 };

struct history {
    struct model m;
    struct rj_prng rng;
    struct rj_store *store[REPLICAS];
    unsigned source[REPLICAS]; /* while joining */
    uint64_t next_from[REPLICAS];
    bool deadlines, crashing; /* what this history has much of */
};

static unsigned below(struct history *h, unsigned n)
{
    return (unsigned)rj_prng_below(&h->rng, n);
}

static bool chance(struct history *h, unsigned percent)
{
    return below(h, 100) < percent;
}

/* ---- comparing */

/* What the bucket keeps beside its values is what its values say. */
static void audit(struct net *net, unsigned r)
{
    struct rj_bucket *b = net->r[r].bucket;
    struct rj_sum whole, counted;
    struct rj_vv all = {0};
    struct rj_bkey *k;
    uint64_t live = 0;

    for (k = rj_table_from(&b->table, 0); k != NULL; k = rj_table_next(&b->table, k)) {
        struct rj_dotmap *maps[] = {rj_bkey_set(k), rj_bkey_hash(k)};

        live += rj_bkey_is_live(k) ? 1 : 0;
        assert_int_equal(k->live, rj_bkey_is_live(k));
        assert_false(k->mark);
        for (unsigned i = 0; i < 2; i++) {
            uint64_t items = 0;
            struct rj_slot_walk w;
            struct rj_item *it;

            if (maps[i] == NULL)
                continue;
            w = rj_dotmap_items(maps[i]);
            while ((it = rj_item_next(&w)) != NULL) {
                assert_ptr_equal(rj_dotmap_find(maps[i], rj_item_name(it)), it);
                assert_false(it->mark);
                items += rj_dotfun_is_live(it->first) ? 1 : 0;
            }
            if (maps[i]->tally != NULL)
                assert_int_equal(items, maps[i]->tally->live);
            assert_int_equal(items > 0, rj_dotmap_is_live(maps[i]));
        }
    }
    assert_int_equal(live, rj_bucket_count(b));
    for (uint32_t o = 0; o < net->r[r].origins.n; o++)
        assert_ok(rj_vv_put(&all, o, UINT64_MAX));
    net_kind(net, r)->ops->sum(net_kind(net, r), (struct rj_range){5, UINT64_MAX - 5},
                               NULL, net->r[r].now_ms, &whole);
    net_kind(net, r)->ops->sum(net_kind(net, r), (struct rj_range){5, UINT64_MAX - 5},
                               &all, net->r[r].now_ms, &counted);
    assert_int_equal(whole.lo, counted.lo);
    assert_int_equal(whole.hi, counted.hi);
    rj_vv_done(&all);
}

static void compare(struct history *h, unsigned r)
{
    struct model *m = &h->m;

    m_look(m, r);
    for (int key = 0; key < M_KEYS; key++) {
        const char *shown = show(m->net, r, m_keys[key]);
        uint64_t deadline = 0, expected = m_key_deadline(m, key);

        if (strcmp(shown, m_show(m, key)) != 0)
            print_error("replica %u key %s\n", r, m_keys[key]);
        assert_string_equal(shown, m_show(m, key));
        if (strcmp(shown, "-") == 0)
            continue;
        assert_ok(rj_bucket_deadline(net_at(m->net, r), str(m_keys[key]), &deadline));
        if (deadline != expected)
            print_error("replica %u key %s shows %s\n", r, m_keys[key], shown);
        assert_int_equal(deadline, expected);
    }
    audit(m->net, r);
}

/* ---- local writes, in the bucket and in the model */

static uint64_t some_deadline(struct history *h, unsigned r)
{
    if (!h->deadlines || chance(h, 40))
        return 0;
    return h->m.net->r[r].now_ms + 1 + below(h, 4 * SLOT_MS);
}

static void write_set(struct history *h, unsigned r, int key)
{
    struct model *m = &h->m;
    struct rj_set_opts opts = {.ttl = RJ_TTL_AT, .deadline_ms = some_deadline(h, r)};
    struct rj_bucket *b = net_at(m->net, r);
    struct m_write *w = m_add(m, M_REG, key, M_PLACE);

    if (chance(h, 30)) {
        opts.ttl = RJ_TTL_KEEP;
        opts.deadline_ms = m_key_deadline(m, key);
    }
    if (chance(h, 60))
        (void)snprintf(w->value, sizeof(w->value), "%d", (int)below(h, 40) - 20);
    else
        (void)snprintf(w->value, sizeof(w->value), "%.*s", (int)below(h, 20),
                       "xyzxyzxyzxyzxyzxyzxyz");
    w->deadline = opts.deadline_ms;
    m_over_rest(m, w, M_NOTHING);
    assert_ok(rj_bucket_set(b, str(m_keys[key]), str(w->value), &opts));
    m_commit(m);
}

static bool any_live(const struct model *m, int key)
{
    for (int i = 0; i < m->n; i++) {
        if (m->live[i] && m->w[i].key == key)
            return true;
    }
    return false;
}

static void write_del(struct history *h, unsigned r, int key)
{
    struct model *m = &h->m;
    struct rj_bucket *b = net_at(m->net, r);
    bool existed = false, shown = m_shape_of(m, key) != M_NOTHING;
    struct m_write *w = m_add(m, M_REMOVAL, key, M_PLACE);

    m_over_rest(m, w, M_NOTHING);
    if (h->deadlines && shown && chance(h, 20)) {
        assert_ok(rj_bucket_expire(b, str(m_keys[key]), m->now));
    } else {
        assert_ok(rj_bucket_del(b, str(m_keys[key]), &existed));
        assert_int_equal(existed, shown);
    }
    /* Values that were due and dropped are live in the model: both may say that there is
     * nothing to delete, or only the bucket. */
    w->del = true;
    if (m->net->delete_wins ||
        (w->over_n > 0 && any_live(m, key) && m->net->r[r].writer.count > 0 &&
         m->net->r[r].writer.first + m->net->r[r].writer.count > w->seq))
        m_commit(m);
}

static void write_incr(struct history *h, unsigned r, int key, int name)
{
    struct model *m = &h->m;
    struct rj_bucket *b = net_at(m->net, r);
    struct m_place place = m_read_place(m, key, name);
    enum m_shape shape = m_shape_of(m, key);
    bool is_field = name != M_PLACE, fits;
    struct m_write *w = m_add(m, M_INC, key, name);
    uint64_t inherited = m_key_deadline(m, key);
    struct m_rank setter;
    int64_t value = 0, start = 0;
    enum rj_err err;

    w->delta = (int64_t)below(h, 9) - 4;
    fits =
        shape == M_NOTHING ||
        (is_field ? shape == M_HASH : shape == M_STRING_REG || shape == M_STRING_COUNT);
    if (is_field)
        err = rj_bucket_hincr(b, str(m_keys[key]), str(m_names[name]), w->delta, &value);
    else
        err = rj_bucket_incr(b, str(m_keys[key]), w->delta, &value);
    if (!fits) {
        assert_err(RJ_ETYPE, err);
        return;
    }
    if (place.shape == M_STRING_REG && !rj_register_int(str(place.text), &start)) {
        assert_err(RJ_ERANGE, err);
        return;
    }
    assert_ok(err);
    w->deadline = 0;
    if (place.shape == M_STRING_REG)
        w->base = place.top;
    else if (shape != M_NOTHING)
        w->deadline = inherited;
    w->run = m_own_run(m, key, name, w->base);
    if (w->run == M_NONE)
        w->run = m_new_run(m, key, name, w->base, w->deadline);
    else if (w->base == M_NONE)
        w->touch = m_run_deadline(m, w->run, &setter) != w->deadline;
    m_over_place(m, w, is_field ? M_FIELD : M_REG, w->base == M_NONE, w->base != M_NONE);
    m_over_rest(m, w, is_field ? M_HASH : M_STRING_REG);
    m_commit(m);
}

/* SADD, HSET of up to three names, one of them perhaps twice. */
static void write_names(struct history *h, unsigned r, int key, bool hash)
{
    struct model *m = &h->m;
    struct rj_bucket *b = net_at(m->net, r);
    enum m_shape part = hash ? M_HASH : M_SET, shape = m_shape_of(m, key);
    uint64_t inherited = shape == part ? m_key_deadline(m, key) : 0;
    unsigned n = 1 + below(h, 3);
    struct rj_pair pairs[3];
    struct rj_bytes names[3];
    uint64_t first_seq = m->net->r[r].writer.first + m->net->r[r].writer.count, added;
    char values[3][M_VALUE_MAX];
    int name[3];
    enum rj_err err;

    for (unsigned i = 0; i < n; i++) {
        name[i] = (int)below(h, M_NAMES);
        (void)snprintf(values[i], sizeof(values[i]), "%d", (int)below(h, 2000));
        names[i] = str(m_names[name[i]]);
        pairs[i] = (struct rj_pair){names[i], str(values[i])};
    }
    err = hash ? rj_bucket_hset(b, str(m_keys[key]), pairs, n, &added)
               : rj_bucket_sadd(b, str(m_keys[key]), names, n, &added);
    if (shape != M_NOTHING && shape != part) {
        assert_err(RJ_ETYPE, err);
        return;
    }
    assert_ok(err);
    for (unsigned i = 0; i < n; i++) {
        struct m_write *w = m_add(m, hash ? M_FIELD : M_ADD, key, name[i]);
        int this = m->n;

        w->seq = first_seq + i;
        w->deadline = inherited;
        if (hash)
            memcpy(w->value, values[i], sizeof(w->value));
        m_over_place(m, w, w->kind, true, hash);
        if (i == 0)
            m_over_rest(m, w, part);
        for (unsigned k = 0; k < w->over_n; k++)
            m->live[m->over[w->over_at + k]] = false;
        m_commit(m);
        m->live[this] = true;
        for (int k = 0; k < this; k++) { /* increments on what was overwritten */
            if (m->w[k].base != M_NONE && !m->live[m->w[k].base])
                m->live[k] = false;
        }
    }
}

static void write_remove(struct history *h, unsigned r, int key, bool hash)
{
    struct model *m = &h->m;
    struct rj_bucket *b = net_at(m->net, r);
    enum m_shape part = hash ? M_HASH : M_SET, shape = m_shape_of(m, key);
    int name = (int)below(h, M_NAMES);
    struct rj_bytes n = str(m_names[name]);
    struct m_write *w = m_add(m, M_REMOVAL, key, name);
    bool shown =
        hash ? m_read_place(m, key, name).shape != M_NOTHING : m_has_elem(m, key, name);
    uint64_t removed = 0;
    enum rj_err err = hash ? rj_bucket_hdel(b, str(m_keys[key]), &n, 1, &removed)
                           : rj_bucket_srem(b, str(m_keys[key]), &n, 1, &removed);

    if (shape != M_NOTHING && shape != part) {
        assert_err(RJ_ETYPE, err);
        return;
    }
    assert_ok(err);
    assert_int_equal(removed, shown);
    m_over_place(m, w, hash ? M_FIELD : M_ADD, true, hash);
    if (m->net->r[r].writer.first + m->net->r[r].writer.count == w->seq)
        return; /* nothing was there (for the bucket), so nothing was written */
    m_over_rest(m, w, part);
    m_commit(m);
}

/* One write of EXPIRE: a version or an add made anew, or a counter carried. */
static void expire_place(struct history *h, int key, int name, enum m_kind kind,
                         uint64_t deadline)
{
    struct model *m = &h->m;
    struct m_place place = m_read_place(m, key, name);
    bool carry = kind != M_ADD && place.shape == M_STRING_COUNT;
    enum m_shape part = kind == M_ADD ? M_SET : name == M_PLACE ? M_STRING_REG : M_HASH;
    struct m_write *w = m_add(m, carry ? M_CARRY : kind, key, name);

    w->deadline = deadline;
    if (!carry && kind != M_ADD)
        (void)snprintf(w->value, sizeof(w->value), "%s", place.text);
    m_over_place(m, w, kind, true, !carry);
    m_over_rest(m, w, part); /* only the first finds anything */
    w->runs_at = m->over_n;
    for (int i = 0; carry && i < m->n; i++) {
        bool known = false;

        if (m->w[i].kind != M_INC || m->w[i].base != M_NONE || !m_at(m, i, key, name) ||
            !m_shows(m, i))
            continue;
        for (unsigned k = 0; k < w->runs_n; k++)
            known = known || m->over[w->runs_at + k] == m->w[i].run;
        if (!known) {
            m->over[m->over_n++] = m->w[i].run;
            w->runs_n++;
        }
    }
    m_commit(m);
}

static void write_expire(struct history *h, unsigned r, int key)
{
    struct model *m = &h->m;
    struct rj_bucket *b = net_at(m->net, r);
    uint64_t deadline = some_deadline(h, r);
    enum m_shape shape = m_shape_of(m, key);
    uint64_t seq = m->net->r[r].writer.first + m->net->r[r].writer.count;
    enum rj_err err = rj_bucket_expire(b, str(m_keys[key]), deadline);

    if (shape == M_NOTHING) {
        assert_err(RJ_ENOENT, err);
        return;
    }
    assert_ok(err);
    if (shape == M_STRING_REG || shape == M_STRING_COUNT) {
        expire_place(h, key, M_PLACE, M_REG, deadline);
        m->w[m->n - 1].seq = seq;
        return;
    }
    for (int name = 0; name < M_NAMES; name++) {
        bool shown = shape == M_SET ? m_has_elem(m, key, name)
                                    : m_read_place(m, key, name).shape != M_NOTHING;

        if (!shown)
            continue;
        expire_place(h, key, name, shape == M_SET ? M_ADD : M_FIELD, deadline);
        m->w[m->n - 1].seq = seq++;
        m_look(m, r); /* the next one overwrites what is left */
    }
}

static void write_something(struct history *h, unsigned r)
{
    struct model *m = &h->m;
    int key = (int)below(h, M_KEYS);

    (void)net_at(m->net, r);
    m_look(m, r);
    switch (below(h, 16)) {
    case 0:
    case 1:
    case 2:
        write_set(h, r, key);
        break;
    case 3:
        write_del(h, r, key);
        break;
    case 4:
    case 5:
    case 6:
        write_incr(h, r, key, M_PLACE);
        break;
    case 7:
    case 8:
        write_incr(h, r, key, (int)below(h, M_NAMES));
        break;
    case 9:
    case 10:
        write_names(h, r, key, false);
        break;
    case 11:
    case 12:
        write_names(h, r, key, true);
        break;
    case 13:
        write_remove(h, r, key, false);
        break;
    case 14:
        write_remove(h, r, key, true);
        break;
    default:
        write_expire(h, r, key);
        break;
    }
    compare(h, r);
}

/* ---- what happens besides */

static void cut_something(struct history *h, unsigned r)
{
    (void)net_cut(h->m.net, r, NULL);
}

static void deliver_something(struct history *h, unsigned r)
{
    struct net *net = h->m.net;
    unsigned start = below(h, net->n_batches + 1);

    if (net->r[r].joining && net->r[r].writer.count > 0)
        return; /* the engine cuts before it applies; a joiner cannot cut */
    for (unsigned k = 0; k < net->n_batches; k++) {
        unsigned i = (start + k) % net->n_batches;

        if (net_can_deliver(net, r, i)) {
            net_deliver(net, r, i);
            return;
        }
    }
}

/* Begins a state transfer, or takes the next range of one. */
static void transfer_something(struct history *h, unsigned r)
{
    struct net *net = h->m.net;
    unsigned from = (r + 1 + below(h, REPLICAS - 1)) % REPLICAS;
    struct rj_range range = {0, UINT64_MAX};

    if (net->r[from].joining)
        return;
    if (chance(h, 70)) {
        range.from = rj_prng_u64(&h->rng);
        range.to = chance(h, 50) ? UINT64_MAX : range.from | rj_prng_u64(&h->rng);
    }
    (void)net_join_range(net, from, r, range, 1 + below(h, 300));
}

static void finish_transfer(struct history *h, unsigned r)
{
    struct net *net = h->m.net;
    uint64_t at = 0;
    unsigned from;

    if (!net->r[r].joining)
        return;
    from = net_holder(net, r);
    net_catch_up(net, from, false);
    while (net->r[r].joining) {
        struct rj_range rest = {at, UINT64_MAX};

        at = net_join_range(net, from, r, rest, SIZE_MAX).to + 1;
    }
}

/* The writes that r has not cut get the dots that they have been issued again under. */
static void rename_pending(struct history *h, uint32_t old_origin, uint64_t from,
                           unsigned r, uint64_t to)
{
    struct model *m = &h->m;
    const struct replica *rep = &m->net->r[r];
    int map[M_RUNS_MAX];

    for (int i = 0; i < M_RUNS_MAX; i++)
        map[i] = M_NONE;
    for (int i = 0; i < m->n; i++) {
        struct m_write *w = &m->w[i];

        if (w->origin != old_origin || w->seq < from)
            continue;
        w->origin = rep->self;
        w->seq = w->seq - from + to;
        w->stamp = rep->writer.stamp;
        w->hidden = false;
        if (w->kind == M_INC && map[w->run] == M_NONE) {
            struct m_run run = m->runs[w->run];

            map[w->run] = m->n_runs;
            run.origin = rep->self;
            run.deadline = w->deadline;
            assert_true(m->n_runs < M_RUNS_MAX);
            m->runs[m->n_runs++] = run;
            w->touch = false;
        }
        if (w->kind == M_INC)
            w->run = map[w->run];
        /* A carry stands for what was sent of a run and for what took the rest over. */
        if (w->kind == M_CARRY) {
            unsigned at = m->over_n;

            for (unsigned k = 0; k < w->runs_n; k++) {
                int run = m->over[w->runs_at + k];

                m->over[m->over_n++] = run;
                if (map[run] != M_NONE)
                    m->over[m->over_n++] = map[run];
                assert_true(m->over_n < M_OVER_MAX - 2);
            }
            w->runs_at = at;
            w->runs_n = m->over_n - at;
        }
    }
}

/* A crash: what was not cut is issued again by a new incarnation. */
static void reopen(struct history *h, unsigned r)
{
    struct net *net = h->m.net;
    struct replica *rep = &net->r[r];
    uint32_t old_origin = rep->self;
    struct net_pending old;

    if (net->n_origins >= 40 || rep->joining)
        return;
    old = net_reopen(net, r);
    net_reissue(net, r, &old);
    rename_pending(h, old_origin, old.view.first, r, rep->writer.first);
    compare(h, r);
}

/* The re-based (R6): forgets its state, takes another's, writes, and only then issues
 * again what it had not sent. */
static void rebase(struct history *h, unsigned r)
{
    struct net *net = h->m.net;
    struct replica *rep = &net->r[r];
    unsigned from = (r + 1 + below(h, REPLICAS - 1)) % REPLICAS;
    uint32_t old_origin = rep->self;
    uint64_t to;
    struct net_pending old;

    if (net->n_origins >= 40 || rep->joining || net->r[from].joining)
        return;
    net_catch_up(net, from, false);
    for (int i = 0; i < h->m.n; i++) {
        struct m_write *w = &h->m.w[i];

        w->hidden = w->hidden || (w->origin == old_origin && w->seq >= rep->writer.first);
    }
    old = net_reopen(net, r);
    net_kind(net, r)->ops->clear(net_kind(net, r));
    rj_vv_clear(&rep->vv);
    net_take_all(net, from, r, 200);
    compare(h, r);
    for (unsigned n = below(h, 3); n > 0; n--)
        write_something(h, r);
    if (chance(h, 30))
        (void)net_cut(net, r, NULL);
    to = rep->writer.first + rep->writer.count;
    net_reissue(net, r, &old);
    assert_ok(net_kind(net, r)->ops->again(net_kind(net, r))); /* as before a seal */
    rename_pending(h, old_origin, old.view.first, r, to);
    compare(h, r);
}

static void collect(struct history *h, unsigned r)
{
    net_collect(h->m.net, r, h->store[r]);
}

static void restart(struct history *h, unsigned r)
{
    net_restart(h->m.net, r, h->store[r]);
    compare(h, r);
}

/* The slowest clock. */
static uint64_t least_now(const struct net *net)
{
    uint64_t least = UINT64_MAX;

    for (unsigned r = 0; r < REPLICAS; r++)
        least = net->r[r].now_ms < least ? net->r[r].now_ms : least;
    return least;
}

/* Everybody has everything: what was due by every clock may go. */
static void sync_and_drop(struct history *h, unsigned unused)
{
    struct net *net = h->m.net;
    uint64_t cutoff = least_now(net), next;

    (void)unused;
    for (unsigned r = 0; r < REPLICAS; r++)
        finish_transfer(h, r);
    net_sync(net);
    net_assert_sums_equal(net, cutoff);
    for (unsigned r = 0; r < REPLICAS; r++) {
        struct rj_sum before = net_sum(net, r, cutoff), after;

        assert_ok(net_drop(net, r, cutoff, 1 + below(h, 20), &next));
        after = net_sum(net, r, cutoff);
        if (net->r[r].writer.count == 0) {
            assert_int_equal(before.lo, after.lo);
            assert_int_equal(before.hi, after.hi);
        }
        compare(h, r);
    }
}

/* How often what happens, in percent; the last column: a history of many crashes. */
static const struct {
    unsigned usual, crashing;
    void (*what)(struct history *h, unsigned r);
} events[] = {
    {52, 60, write_something}, {8, 3, cut_something}, {20, 14, deliver_something},
    {3, 1, collect},           {3, 1, restart},       {7, 4, transfer_something},
    {1, 2, finish_transfer},   {2, 9, reopen},        {1, 4, rebase},
    {3, 2, sync_and_drop},
};

static void step(struct history *h)
{
    struct net *net = h->m.net;
    unsigned r = below(h, REPLICAS), dice = below(h, 100);
    uint64_t passed = below(h, 4) == 0 ? below(h, 3000) : 0;

    for (unsigned i = 0; i < REPLICAS; i++)
        net->r[i].now_ms += passed;
    for (unsigned i = 0;; i++) {
        unsigned share = h->crashing ? events[i].crashing : events[i].usual;

        if (dice < share) {
            events[i].what(h, r);
            return;
        }
        dice -= share;
    }
}

static void play(uint64_t seed, bool delete_wins)
{
    struct history *h = calloc(1, sizeof(*h));
    unsigned r;

    assert_non_null(h);
    rj_prng_init(&h->rng, seed);
    h->deadlines = seed % 2 == 0;
    h->crashing = seed % 3 == 0;
    h->m.net = net_open_policy(REPLICAS, delete_wins);
    for (r = 0; r < REPLICAS; r++) {
        assert_ok(rj_store_memory_open(&h->store[r]));
        h->m.net->r[r].now_ms += below(h, 3000);
    }
    for (int key = 0; key < M_KEYS; key++)
        h->m.position[key] = rj_change_position(h->m.net->r[0].bucket, str(m_keys[key]));
    for (unsigned i = 0; i < STEPS; i++)
        step(h);
    sync_and_drop(h, 0);
    net_sync(h->m.net);
    for (r = 0; r < REPLICAS; r++) {
        compare(h, r);
        restart(h, r);
        h->store[r]->ops->close(h->store[r]);
    }
    net_assert_sums_equal(h->m.net, least_now(h->m.net));
    net_close(h->m.net);
    free(h);
}

static void run_merging(uint64_t seed)
{
    play(seed, false);
}

static void run_deleting(uint64_t seed)
{
    play(seed, true);
}

TEST(random_histories_show_what_the_set_of_writes_says)
{
    run_histories(run_merging, SEEDS_DEFAULT);
}

TEST(so_they_do_where_deletions_win)
{
    run_histories(run_deleting, SEEDS_DEFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(random_histories_show_what_the_set_of_writes_says,
                                  tell_seed),
        cmocka_unit_test_teardown(so_they_do_where_deletions_win, tell_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
