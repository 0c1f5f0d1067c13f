/* SPDX-License-Identifier: Apache-2.0 */
/* The whole state of a bucket as text, one line for each entry of each place, ascending:
 * what replicas with one set of writes must have in common, to the last field. */
#ifndef RJ_TEST_STATES_H
#define RJ_TEST_STATES_H

#include "support/replicas.h"

enum { STATE_LINE_MAX = 400, STATE_LINES_MAX = 4096 };

struct state_text {
    char line[STATE_LINES_MAX][STATE_LINE_MAX];
    size_t n;
};

static inline int state_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static inline unsigned long long state_dot(struct net *net, unsigned r, struct rj_dot dot)
{
    return dot.seq == 0 ? 0 : dot.seq * 100 + net_origin(net, r, dot.origin);
}

/* The stamp of a write; of a run none where the state depends on it no more. */
static inline unsigned long long state_stamp(const struct rj_dotted *d)
{
    const struct rj_run *run = rj_run_of_const(d);

    if (d->sort == RJ_DOTTED_RUN && (rj_run_is_dead(run) || run->setter.stamp > d->stamp))
        return 0;
    return d->stamp;
}

static inline void state_entry(struct net *net, unsigned r, const struct rj_site *site,
                               const struct rj_dotted *d, char ret[STATE_LINE_MAX])
{
    const struct rj_run *run = rj_run_of_const(d);
    struct rj_bytes key = rj_bkey_name(site->key), name = {0}, value = {0};
    int n;

    if (site->item != NULL)
        name = rj_item_name(site->item);
    n = snprintf(ret, STATE_LINE_MAX, "%.*s %s %.*s: %llu stamp %llu until %llu ",
                 (int)key.len, (const char *)key.ptr,
                 site->item == NULL                    ? "-"
                 : site->map == rj_bkey_set(site->key) ? "set"
                                                       : "hash",
                 (int)name.len, (const char *)name.ptr,
                 state_dot(net, r, rj_dotted_dot(d)), state_stamp(d),
                 (unsigned long long)d->deadline);
    assert_in_range(n, 1, STATE_LINE_MAX / 2);
    if (d->sort == RJ_DOTTED_VERSION) {
        value = rj_version_value(rj_version_of_const(d));
        (void)snprintf(ret + n, STATE_LINE_MAX - (size_t)n, "= %.*s",
                       (int)(value.len < 40 ? value.len : 40), (const char *)value.ptr);
        return;
    }
    (void)snprintf(ret + n, STATE_LINE_MAX - (size_t)n,
                   "run %llu on %llu: %lld floor %llu %lld by %llu %llu",
                   (unsigned long long)run->epoch, state_dot(net, r, run->base),
                   (long long)run->cum, (unsigned long long)run->floor_seq,
                   (long long)run->floor_cum, state_dot(net, r, run->setter.dot),
                   (unsigned long long)run->setter.stamp);
}

/* What is due before cutoff is left out: some have dropped it. */
static inline void state_describe(struct net *net, unsigned r, uint64_t cutoff,
                                  struct state_text *ret)
{
    struct rj_bkey *k;

    ret->n = 0;
    for (k = rj_table_from(&net->r[r].bucket->table, 0); k != NULL;
         k = rj_table_next(&net->r[r].bucket->table, k)) {
        struct rj_site site = {.key = k};
        struct rj_walk walk = {0};
        const struct rj_dotted *d;

        while (rj_walk_next(&site, &walk)) {
            for (d = *rj_site_list(&site); d != NULL; d = d->next) {
                if (d->deadline != 0 && d->deadline < cutoff)
                    continue;
                assert_true(ret->n < STATE_LINES_MAX);
                state_entry(net, r, &site, d, ret->line[ret->n++]);
            }
        }
    }
    qsort(ret->line, ret->n, STATE_LINE_MAX, state_compare);
}

static inline void state_assert_equal(const struct state_text *a,
                                      const struct state_text *b)
{
    for (size_t i = 0; i < a->n && i < b->n; i++)
        assert_string_equal(a->line[i], b->line[i]);
    assert_int_equal(a->n, b->n);
}

/* All replicas have one state. */
static inline void state_assert_all_equal(struct net *net, uint64_t cutoff)
{
    struct state_text *first = malloc(sizeof(*first)), *other = malloc(sizeof(*other));

    assert_true(first != NULL && other != NULL);
    state_describe(net, 0, cutoff, first);
    for (unsigned r = 1; r < net->n; r++) {
        state_describe(net, r, cutoff, other);
        state_assert_equal(first, other);
    }
    free(first);
    free(other);
}

#endif
