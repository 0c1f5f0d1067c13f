/* SPDX-License-Identifier: Apache-2.0 */
/* What two states have that the other lacks, dot by dot: the first thing to know about
 * nodes that have one vector and two digests. Lines are sorted, for lists of concurrent
 * writes need not be in one order. */
#include "bucket/state.h"
#include "node/state.h"
#include "sim/ops.h"

#include <stdio.h>
#include <stdlib.h>

struct lines {
    struct rj_buf text; /* one after the other, NUL-terminated */
    const char **items;
    size_t n;
};

static void put_dot(struct rj_buf *out, const struct rj_space *s, struct rj_dot dot)
{
    rj_buf_printf(out, "%02x%02x:%llu", s->origins.items[dot.origin].id.b[0],
                  s->origins.items[dot.origin].id.b[1], (unsigned long long)dot.seq);
}

static void put_dotted(struct rj_buf *out, const struct rj_space *s,
                       const struct rj_dotted *d)
{
    const struct rj_run *run = rj_run_of_const(d);

    put_dot(out, s, rj_dotted_dot(d));
    rj_buf_printf(out, " stamp %llx", (unsigned long long)d->stamp);
    if (d->deadline != 0)
        rj_buf_printf(out, " deadline %llu", (unsigned long long)d->deadline);
    if (d->sort != RJ_DOTTED_RUN)
        return;
    rj_buf_printf(out, " run %llu cum %lld floor %llu %lld base ",
                  (unsigned long long)run->epoch, (long long)run->cum,
                  (unsigned long long)run->floor_seq, (long long)run->floor_cum);
    put_dot(out, s, run->base);
}

static void put_state(struct rj_buf *out, const struct rj_space *s)
{
    struct rj_bkey *k;

    for (k = rj_table_from(&s->bucket->table, 0); k != NULL;
         k = rj_table_next(&s->bucket->table, k)) {
        struct rj_site site = {.key = k};
        struct rj_walk walk = {0};

        while (rj_walk_next(&site, &walk)) {
            struct rj_bytes item =
                site.item != NULL ? rj_item_name(site.item) : (struct rj_bytes){NULL, 0};

            for (struct rj_dotted *d = *rj_site_list(&site); d != NULL; d = d->next) {
                rj_buf_append(out, rj_bkey_name(k));
                rj_buf_printf(out, "%s%.*s ", item.len > 0 ? "." : "", (int)item.len,
                              (const char *)item.ptr);
                put_dotted(out, s, d);
                rj_buf_u8(out, 0);
            }
        }
    }
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

static void make_lines(struct lines *l, const struct rj_space *s)
{
    size_t n = 0;

    *l = (struct lines){.n = 0};
    put_state(&l->text, s);
    for (size_t i = 0; i < l->text.len; i++)
        n += l->text.ptr[i] == 0;
    l->items = calloc(n + 1, sizeof(*l->items));
    if (l->items == NULL)
        abort();
    for (size_t at = 0; at < l->text.len; at += strlen((char *)l->text.ptr + at) + 1)
        l->items[l->n++] = (char *)l->text.ptr + at;
    qsort(l->items, l->n, sizeof(*l->items), by_text);
}

void sim_differ(struct sim_world *w, struct sim_host *a, struct sim_host *b, size_t space)
{
    struct lines la, lb;
    size_t i = 0, j = 0;

    make_lines(&la, sim_space(a, space));
    make_lines(&lb, sim_space(b, space));
    while (i < la.n || j < lb.n) {
        int order = i == la.n ? 1 : j == lb.n ? -1 : strcmp(la.items[i], lb.items[j]);

        if (order < 0)
            sim_log(w, "only %s has %s", a->name, la.items[i]);
        if (order > 0)
            sim_log(w, "only %s has %s", b->name, lb.items[j]);
        i += order <= 0;
        j += order >= 0;
    }
    free(la.items);
    free(lb.items);
    rj_buf_done(&la.text);
    rj_buf_done(&lb.text);
}

/* The dots of one key at one host whenever they change: SIM_WATCH="A 0 m0" sim seed N -v
 */
void sim_watch(struct sim_world *w)
{
    const char *want = w->watch;
    struct rj_buf now = {.limit = 0};
    struct sim_host *h;
    struct lines l;

    if (want == NULL || strlen(want) < 5 || (size_t)(want[0] - 'A') >= w->hosts_n)
        return;
    h = &w->hosts[want[0] - 'A'];
    if (sim_space(h, (size_t)(want[2] - '0')) == NULL)
        return;
    make_lines(&l, sim_space(h, (size_t)(want[2] - '0')));
    for (size_t i = 0; i < l.n; i++)
        if (strncmp(l.items[i], want + 4, strlen(want + 4)) == 0)
            rj_buf_printf(&now, "\n    %s", l.items[i]);
    if (!rj_bytes_equal(rj_buf_view(&now), rj_buf_view(&w->watched)))
        sim_log(w, "%s now%s", want, rj_buf_str(&now));
    rj_buf_done(&w->watched);
    w->watched = now;
    free(l.items);
    rj_buf_done(&l.text);
}

void sim_dump_key(struct sim_world *w, struct sim_host *h, size_t space, size_t key)
{
    const char *name = sim_key_name(key);
    struct lines l;

    make_lines(&l, sim_space(h, space));
    for (size_t i = 0; i < l.n; i++)
        if (strncmp(l.items[i], name, strlen(name)) == 0)
            sim_log(w, "%s has %s", h->name, l.items[i]);
    free(l.items);
    rj_buf_done(&l.text);
}
