/* SPDX-License-Identifier: Apache-2.0 */
/* Healing, and what must hold afterwards: all members have one vector, one digest, and
 * show the same values (read through the data calls, whole); what was acknowledged is
 * there (oracle.c); nothing joins, nothing waits; an idle network is quiet. */
#include "sim/check.h"

#include "sim/ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HEAL_MS = 6 * 60 * 1000,
    CALM_MS = 15000,     /* members must agree for so long */
    TTL_MS = 200 * 1000, /* all deadlines have passed by then */
    IDLE_MS = 3 * 60 * 1000,
    IDLE_BYTES_A_MINUTE = 600, /* a connection and direction */
    LOG_SLACK = 2 * 1024 * 1024
};

static bool is_member(struct sim_host *h, size_t space)
{
    return h->node != NULL && !h->outsider && sim_space(h, space) != NULL;
}

/* The latest of all clocks: what is due there is due everywhere. */
static struct rj_now latest(const struct sim_world *w, const struct sim_host *h)
{
    struct rj_now now = sim_now(w, h);

    for (size_t i = 0; i < w->hosts_n; i++) {
        struct rj_now other = sim_now(w, &w->hosts[i]);

        if (other.wall.ms > now.wall.ms)
            now.wall = other.wall;
    }
    return now;
}

/* One of them knows that the other has another branch of something, and no log says since
 * when. */
static bool are_apart(struct sim_world *w, size_t a, size_t b, size_t space)
{
    for (size_t i = 0; i < SIM_CONNS_MAX; i++) {
        const struct sim_conn *c = &w->conns[i];

        for (size_t side = 0; side < 2 && c->used; side++)
            if (c->host[side] == a && c->host[1 - side] == b &&
                (sim_peek_apart(sim_space(&w->hosts[a], space), c->peer[side]) ||
                 sim_peek_apart(sim_space(&w->hosts[b], space), c->peer[1 - side])))
                return true;
    }
    return false;
}

static bool knows(struct sim_world *w, size_t a, size_t b, size_t space)
{
    struct rj_member_info m;

    for (size_t i = 0; rj_space_member(sim_space(&w->hosts[a], space), i, &m); i++)
        if (memcmp(m.device.b, sim_device_id(w, &w->hosts[b])->b, RJ_DIGEST_LEN) == 0)
            return m.role != RJ_ROLE_NONE;
    return false;
}

static bool is_apart(struct sim_world *w, size_t a, size_t space)
{
    for (size_t b = 0; b < w->hosts_n; b++)
        if (b != a && is_member(&w->hosts[b], space) && are_apart(w, a, b, space))
            return true;
    return false;
}

static bool is_settled(struct sim_world *w, struct sim_host *h, size_t space, char *ret,
                       size_t len)
{
    struct rj_space_info info;

    rj_space_info(sim_space(h, space), latest(w, h), &info);
    if ((!info.joining && sim_peek_waiting(sim_space(h, space)) == 0 &&
         (info.refuse == RJ_OK || h->reader || w->wild_clocks)) ||
        is_apart(w, h->index, space))
        return true;
    snprintf(ret, len, "%s: joining %d, parked %" PRIu64 ", refuse %s", h->name,
             info.joining, info.parked_batches, rj_err_name(info.refuse));
    return false;
}

static bool are_equal(struct sim_world *w, struct sim_host *a, struct sim_host *b,
                      size_t space, char *ret, size_t len)
{
    struct rj_space_info one, other;

    rj_space_info(sim_space(a, space), latest(w, a), &one);
    rj_space_info(sim_space(b, space), latest(w, b), &other);
    if (one.vector_hash == other.vector_hash && one.digest.lo == other.digest.lo &&
        one.digest.hi == other.digest.hi)
        return true;
    snprintf(ret, len, "%s and %s: %s differ (writes %" PRIu64 ", %" PRIu64 ")", a->name,
             b->name, one.vector_hash != other.vector_hash ? "vectors" : "digests",
             one.writes, other.writes);
    return false;
}

/* Whether two members have nothing in common: they are apart, or one became a member at
 * nodes that the other is apart from. */
static bool may_differ(struct sim_world *w, size_t a, size_t b, size_t space)
{
    return are_apart(w, a, b, space) ||
           ((!knows(w, a, b, space) || !knows(w, b, a, space)) &&
            (is_apart(w, a, space) || is_apart(w, b, space)));
}

/* All others have the same. */
static bool agree_in(struct sim_world *w, size_t space, char *ret, size_t len)
{
    for (size_t i = 0; i < w->hosts_n; i++) {
        struct sim_host *h = &w->hosts[i];

        if (!is_member(h, space))
            continue;
        if (!is_settled(w, h, space, ret, len))
            return false;
        for (size_t j = 0; j < i; j++)
            if (is_member(&w->hosts[j], space) && !may_differ(w, i, j, space) &&
                !are_equal(w, &w->hosts[j], h, space, ret, len))
                return false;
    }
    return true;
}

bool sim_agree(struct sim_world *w, char *ret, size_t len)
{
    for (size_t space = 0; space < SIM_SPACES_MAX; space++)
        if (!agree_in(w, space, ret, len))
            return false;
    return true;
}

bool sim_settle(struct sim_world *w, uint64_t most_ms)
{
    uint64_t end = w->now_ms + most_ms, since = w->now_ms;
    char why[200] = "";

    while (!w->failed && w->now_ms < end) {
        sim_run(w, 1000);
        if (!sim_agree(w, why, sizeof(why)))
            since = w->now_ms;
        else if (w->now_ms - since >= CALM_MS)
            return true;
    }
    sim_log(w, "not settled: %s", why);
    return false;
}

/* ---- all that can be read */

static void dump_members(struct rj_bucket *b, struct rj_bytes key, struct rj_buf *out)
{
    struct rj_pair pair;
    struct rj_bytes after = {NULL, 0};
    struct rj_buf last = {.limit = 0};
    bool begun = false;

    while (rj_bucket_next(b, key, begun ? &after : NULL, &pair) == RJ_OK) {
        rj_buf_append_str(out, " ");
        rj_buf_append(out, pair.field);
        rj_buf_append_str(out, "=");
        rj_buf_append(out, pair.value);
        rj_buf_clear(&last);
        rj_buf_append(&last, pair.field);
        after = rj_buf_view(&last);
        begun = true;
    }
    rj_buf_done(&last);
}

static void dump_key(struct rj_bucket *b, struct rj_bytes key, struct rj_buf *out)
{
    enum rj_type type = rj_bucket_type(b, key);
    struct rj_bytes value = {NULL, 0};
    uint64_t deadline = 0;

    rj_buf_append(out, key);
    rj_buf_printf(out, " type %d", type);
    if (type == RJ_TYPE_STRING && rj_bucket_get(b, key, &value) == RJ_OK) {
        rj_buf_append_str(out, " ");
        rj_buf_append(out, value);
    } else if (type != RJ_TYPE_NONE) {
        dump_members(b, key, out);
    }
    if (type != RJ_TYPE_NONE && rj_bucket_deadline(b, key, &deadline) == RJ_OK)
        rj_buf_printf(out, " deadline %" PRIu64, deadline);
    rj_buf_append_str(out, "\n");
}

static void dump(struct sim_world *w, struct sim_host *h, size_t space,
                 struct rj_buf *out)
{
    struct rj_bucket *b = rj_space_bucket(sim_space(h, space), latest(w, h));
    struct rj_buf keys = {.limit = 0}, ends = {.limit = 0};
    const struct rj_bytes *found = NULL;
    uint64_t cursor = 0;
    size_t n = 0, from = 0;

    do {
        if (rj_bucket_scan(b, &cursor, 16, &found, &n) != RJ_OK)
            sim_fail(w, "%s: scan fails", h->name);
        for (size_t i = 0; i < n; i++) {
            rj_buf_append(&keys, found[i]);
            rj_buf_append_raw(&ends, &keys.len, sizeof(keys.len));
        }
    } while (cursor != 0 && !w->failed);
    for (size_t i = 0; i < ends.len; i += sizeof(size_t)) {
        size_t end;

        memcpy(&end, ends.ptr + i, sizeof(end));
        dump_key(b, rj_bytes_of(keys.ptr + from, end - from), out);
        from = end;
    }
    rj_buf_done(&keys);
    rj_buf_done(&ends);
}

static void report_difference(struct sim_world *w, const struct sim_host *a,
                              const struct sim_host *b, struct rj_buf *da,
                              struct rj_buf *db)
{
    const char *ta = rj_buf_str(da), *tb = rj_buf_str(db);
    size_t line = 0, at = 0;

    for (; ta[at] != '\0' && ta[at] == tb[at]; at++)
        if (ta[at] == '\n')
            line = at + 1;
    sim_fail(w, "%s and %s show different values: \"%.*s\" and \"%.*s\"", a->name,
             b->name, (int)strcspn(ta + line, "\n"), ta + line,
             (int)strcspn(tb + line, "\n"), tb + line);
}

/* What each shows, beside the first that it is not apart from. */
static void check_shown(struct sim_world *w, size_t space)
{
    struct rj_buf first = {.limit = 0}, other = {.limit = 0};

    for (size_t i = 1; i < w->hosts_n && !w->failed; i++) {
        size_t j = 0;

        if (!is_member(&w->hosts[i], space))
            continue;
        while (j < i && (!is_member(&w->hosts[j], space) || may_differ(w, i, j, space)))
            j++;
        if (j == i)
            continue;
        rj_buf_clear(&first);
        rj_buf_clear(&other);
        dump(w, &w->hosts[j], space, &first);
        dump(w, &w->hosts[i], space, &other);
        if (!rj_bytes_equal(rj_buf_view(&first), rj_buf_view(&other)))
            report_difference(w, &w->hosts[j], &w->hosts[i], &first, &other);
    }
    rj_buf_done(&first);
    rj_buf_done(&other);
}

/* ---- branches that are not merged */

static bool has_element(struct sim_world *w, struct sim_host *h, const struct sim_op *op)
{
    char name[24];
    bool is = false;

    (void)!rj_bucket_sismember(sim_bucket(w, h, op->space), sim_key(op->key),
                               rj_bytes_from_str(sim_elem_name(op, name)), &is);
    return is;
}

/* Notes what each host has of the set that only grows. */
static void note_had(struct sim_world *w)
{
    for (size_t k = 0; w->ops != NULL && k < w->ops->n; k++) {
        struct sim_op *op = &w->ops->items[k];

        for (size_t i = 0; i < w->hosts_n; i++)
            if (sim_key_class(op->key) == SIM_GROW &&
                is_member(&w->hosts[i], op->space) && has_element(w, &w->hosts[i], op))
                op->had |= (uint16_t)(1u << i);
    }
}

/* Where branches stay apart nothing is lost anywhere: each host still has what it had,
 * and what was written at it. */
static void check_kept(struct sim_world *w, size_t space)
{
    for (size_t k = 0; w->ops != NULL && k < w->ops->n && !w->failed; k++) {
        const struct sim_op *op = &w->ops->items[k];

        for (size_t i = 0; i < w->hosts_n; i++) {
            struct sim_host *h = &w->hosts[i];
            bool wrote = op->host == i && op->fate == SIM_SAFE && !op->elsewhere;

            if (op->space == space && sim_key_class(op->key) == SIM_GROW &&
                is_member(h, space) && (wrote || (op->had >> i & 1) != 0) &&
                !has_element(w, h, op))
                sim_fail(w, "%s has lost op %" PRIu32 " of %s", h->name, op->id,
                         w->hosts[op->host].name);
        }
    }
}

/* Whoever is apart from somebody has said so; and there is a reason. */
static bool check_apart(struct sim_world *w, size_t space)
{
    struct rj_space_info info;
    bool any = false;

    for (size_t i = 0; i < w->hosts_n && !w->failed; i++) {
        struct sim_host *h = &w->hosts[i];

        if (!is_member(h, space) || !is_apart(w, i, space))
            continue;
        any = true;
        rj_space_info(sim_space(h, space), latest(w, h), &info);
        if (!info.fork_refused)
            sim_fail(w, "%s does not report that it is apart", h->name);
    }
    if (any && !sim_splits_beyond(w))
        sim_fail(w, "apart, though all logs reach back to all splits");
    return any;
}

/* ---- at any time */

static void check_pair(struct sim_world *w, struct sim_host *h, size_t space)
{
    size_t key = sim_key_of(SIM_PAIR);
    int64_t one = 0, other = 0;
    bool has[2];
    struct rj_space *s = sim_space(h, space);

    if (sim_peek_joining(s))
        return; /* reads may be incomplete */
    has[0] = sim_shown(sim_bucket(w, h, space), key, NULL, &one);
    has[1] = sim_shown(sim_bucket(w, h, space), key + 1, NULL, &other);
    if (has[0] != has[1] || one != other)
        sim_fail(w, "%s: half of a group: %" PRId64 " and %" PRId64, h->name, one, other);
}

void sim_check_now(struct sim_world *w)
{
    uint64_t log_max = w->limits.log_bytes;
    struct rj_space_info info;

    for (size_t i = 0; i < w->hosts_n && !w->failed; i++)
        for (size_t space = 0; space < SIM_SPACES_MAX; space++) {
            struct sim_host *h = &w->hosts[i];

            if (h->node == NULL || sim_space(h, space) == NULL)
                continue;
            check_pair(w, h, space);
            rj_space_info(sim_space(h, space), sim_now(w, h), &info);
            if (info.parked_batches > w->stats.parked_peak)
                w->stats.parked_peak = info.parked_batches;
            if (log_max > 0 && info.log_bytes > log_max + LOG_SLACK)
                sim_fail(w, "%s: the log has %" PRIu64 " bytes", h->name, info.log_bytes);
        }
}

/* ---- healing */

/* Clones whose other peers cannot bring them together have to meet directly: a clone that
 * was made before the others became members is a stranger to them. */
static void link_twins(struct sim_world *w)
{
    for (size_t i = 0; i < w->hosts_n; i++)
        for (size_t j = 0; j < i; j++)
            if (!w->hosts[i].outsider && !w->hosts[j].outsider)
                sim_link_set(w, &w->hosts[i], &w->hosts[j], true);
}

/* True when a range of h was read at a vector that no other member has: its holder was
 * rolled back since, or closed below that. */
static bool is_stranded(struct sim_world *w, struct sim_host *h, size_t space)
{
    struct rj_space *s = sim_space(h, space);

    for (size_t range = 0; range < sim_peek_ranges(s); range++)
        for (uint32_t o = 0; o < sim_peek_origins(s); o++) {
            bool ahead = true;

            for (size_t i = 0; i < w->hosts_n; i++) {
                struct sim_host *other = &w->hosts[i];

                if (other != h && is_member(other, space))
                    ahead =
                        ahead && sim_peek_is_ahead(s, sim_space(other, space), range, o);
            }
            if (ahead)
                return true;
        }
    return false;
}

/* A known limit (doc/architecture.md, "What is not solved"): a joiner that took a part of
 * what its rolled-back holder then lost takes that part afresh from another, but not
 * while it has unsent writes that its log no longer holds. Who needs what it has waits
 * for it. It is counted; true: then nothing is left to check. */
static bool leave_stranded(struct sim_world *w)
{
    bool any = false;

    for (size_t i = 0; i < w->hosts_n; i++)
        for (size_t space = 0; space < SIM_SPACES_MAX; space++) {
            struct sim_host *h = &w->hosts[i];

            if (!is_member(h, space) || !sim_peek_joining(sim_space(h, space)) ||
                (!w->rolled_back && !w->revoked) || !is_stranded(w, h, space))
                continue;
            sim_log(w, "%s is stranded in its transfer", h->name);
            w->stats.stranded++;
            any = true;
        }
    return any;
}

void sim_faults_off(struct sim_world *w)
{
    for (size_t a = 0; a < w->hosts_n; a++)
        for (size_t b = a + 1; b < w->hosts_n; b++) {
            struct sim_link *l = sim_link(w, a, b);

            l->stalled[0] = l->stalled[1] = false;
            l->nasty_ppm = 0;
            l->backoff_ms = 0;
        }
    for (size_t i = 0; i < SIM_CONNS_MAX; i++)
        if (w->nasty && w->conns[i].used)
            sim_net_break(w,
                          i); /* a flipped length: it waits for bytes that nobody sends */
    for (size_t i = 0; i < w->hosts_n; i++) {
        struct sim_host *h = &w->hosts[i];

        h->crash_in = 0;
        h->disk.fail_next = false;
        if (h->disk.full)
            sim_disk_full(w, h, false);
        if (h->node == NULL && !h->stopped)
            h->open_at = w->now_ms;
    }
    sim_links_all(w, true);
}

/* Ops of hosts that do not come back, or that were shut out, may be nowhere. */
static void excuse(struct sim_world *w)
{
    for (size_t i = 0; w->ops != NULL && i < w->ops->n; i++) {
        struct sim_op *op = &w->ops->items[i];
        const struct sim_host *h = &w->hosts[op->host];

        if (op->fate != SIM_GONE && (h->node == NULL || h->outsider))
            op->fate = SIM_MAYBE;
    }
}

bool sim_told_too_much(const struct sim_world *w)
{
    return w->cloned || w->rolled_back || w->revoked || w->forked ||
           (w->durability == RJ_DURABLE_NONE && w->stats.crashes > 0);
}

/* Deletions are remembered until all have seen them, and no longer. An incarnation that a
 * rollback leaves behind, a member that is shut out or stays away, may still write. */
static void check_forgotten(struct sim_world *w)
{
    bool all = !sim_told_too_much(w);

    for (size_t i = 0; i < w->hosts_n; i++)
        all = all && w->hosts[i].node != NULL && !w->hosts[i].outsider;
    for (size_t i = 0; i < w->hosts_n && all && !w->failed; i++)
        for (size_t space = 0; space < SIM_SPACES_MAX; space++) {
            struct rj_space *s = sim_space(&w->hosts[i], space);

            if (s != NULL && sim_peek_gones(s) > 0)
                sim_fail(w, "%s still remembers %zu deletions", w->hosts[i].name,
                         sim_peek_gones(s));
        }
}

static void check_quiet(struct sim_world *w)
{
    uint64_t before, conns = 0, bound;

    for (size_t i = 0; i < w->hosts_n; i++)
        for (size_t j = 0; j < i; j++)
            if (w->hosts[i].outsider || w->hosts[j].outsider)
                sim_link_set(w, &w->hosts[i], &w->hosts[j], false);
    sim_run(w, 60000);
    before = w->stats.sent_bytes;
    sim_run(w, IDLE_MS);
    for (size_t i = 0; i < SIM_CONNS_MAX; i++)
        conns += w->conns[i].used;
    bound = conns * 2 * IDLE_BYTES_A_MINUTE * (IDLE_MS / 60000);
    if (w->stats.sent_bytes - before > bound)
        sim_fail(w, "not quiet: %" PRIu64 " bytes in %d s over %" PRIu64 " connections",
                 w->stats.sent_bytes - before, IDLE_MS / 1000, conns);
}

void sim_explain(struct sim_world *w)
{
    struct rj_buf b = {.limit = 0};

    for (size_t i = 0; i < w->hosts_n && w->verbose; i++)
        for (size_t space = 0; space < SIM_SPACES_MAX; space++) {
            if (sim_space(&w->hosts[i], space) == NULL)
                continue;
            rj_buf_clear(&b);
            sim_peek_dump(sim_space(&w->hosts[i], space), &b);
            sim_log(w, "%s s%zu%s", w->hosts[i].name, space, rj_buf_str(&b));
        }
    rj_buf_done(&b);
    for (size_t i = 1; i < w->hosts_n && w->verbose; i++)
        for (size_t space = 0; space < SIM_SPACES_MAX; space++)
            if (is_member(&w->hosts[0], space) && is_member(&w->hosts[i], space))
                sim_differ(w, &w->hosts[0], &w->hosts[i], space);
}

/* A joiner that is apart from who has the rest; counted. */
static bool any_joins(struct sim_world *w)
{
    for (size_t i = 0; i < w->hosts_n; i++)
        for (size_t space = 0; space < SIM_SPACES_MAX; space++)
            if (is_member(&w->hosts[i], space) &&
                sim_peek_joining(sim_space(&w->hosts[i], space)))
                w->stats.stranded++;
    return w->stats.stranded > 0;
}

/* Any one member has all that must be there. */
static void check_all(struct sim_world *w, size_t space)
{
    for (size_t i = 0; i < w->hosts_n; i++)
        if (is_member(&w->hosts[i], space)) {
            sim_oracle_check(w, &w->hosts[i], space);
            return;
        }
}

void sim_heal_and_check(struct sim_world *w)
{
    char why[200] = "";

    if (w->failed)
        return;
    sim_log(w, "healing begins");
    note_had(w);
    sim_faults_off(w);
    if (!sim_settle(w, HEAL_MS)) {
        link_twins(w);
        if (!w->failed && leave_stranded(w))
            return;
    }
    if (!w->failed && !sim_settle(w, HEAL_MS)) {
        if (!w->failed) {
            (void)sim_agree(w, why, sizeof(why));
            sim_fail(w, "not healed: %s", why);
        }
        return;
    }
    sim_run(w, TTL_MS);
    if (!sim_agree(w, why, sizeof(why)))
        sim_fail(w, "no longer agreed: %s", why);
    excuse(w);
    for (size_t space = 0; space < SIM_SPACES_MAX && !w->failed; space++) {
        check_shown(w, space);
        if (check_apart(w, space)) {
            w->stats.apart = 1;
            check_kept(w, space);
        } else {
            check_all(w, space);
        }
    }
    sim_check_now(w);
    check_forgotten(w);
    if (!any_joins(w)) /* else somebody asks again and again */
        check_quiet(w);
}
