/* SPDX-License-Identifier: Apache-2.0 */
/* Random histories. The seed first draws a profile (how many nodes, which durability,
 * which kinds of fault), so that some histories are simple enough to read and some mix
 * everything; then some hundred steps of writes and faults, then healing and the checks.
 */
#include "sim/random.h"

#include "sim/check.h"
#include "sim/ops.h"

enum { STEPS_MIN = 60, STEPS_SPREAD = 120, JOIN_TRIES = 6, REVOKES_MAX = 3 };

struct profile {
    size_t hosts, spaces;
    bool crashes, disks, clones, rollbacks, revokes, readmits, nasty, late, sleeps;
    uint32_t slow_ms;
    uint32_t writes; /* in 100 steps */
};

static void choose(struct sim_world *w, struct profile *p)
{
    *p = (struct profile){
        .hosts = 2 + sim_below(w, 4),
        .spaces = sim_chance(w, 1, 5) ? 2 : 1,
        .crashes = sim_chance(w, 2, 3),
        .disks = sim_chance(w, 1, 3),
        .clones = sim_chance(w, 1, 4),
        .rollbacks = sim_chance(w, 1, 5),
        .revokes = sim_chance(w, 1, 8),
        .nasty = sim_chance(w, 1, 8),
        .late = sim_chance(w, 1, 3),
        .sleeps = sim_chance(w, 1, 4),
        .slow_ms = sim_chance(w, 1, 2) ? (uint32_t)sim_below(w, 400) : 0,
        .writes = 30 + (uint32_t)sim_below(w, 40),
    };
    if (sim_chance(w, 1, 3))
        w->durability = sim_chance(w, 2, 3) ? RJ_DURABLE_SECOND : RJ_DURABLE_NONE;
    if (sim_chance(w, 1, 2)) {
        w->limits.log_bytes = 4096u << sim_below(w, 5);
        w->limits.part_bytes = 1024u << sim_below(w, 6);
    }
    p->readmits = p->revokes && sim_chance(w, 2, 3);
    w->nasty = p->nasty;
    w->wild_clocks = sim_chance(w, 1, 8);
}

static struct sim_host *any_up(struct sim_world *w)
{
    for (size_t tries = 0; tries < 20; tries++) {
        struct sim_host *h = &w->hosts[sim_below(w, w->hosts_n)];

        if (h->node != NULL)
            return h;
    }
    return NULL;
}

static void set_clock(struct sim_world *w, struct sim_host *h)
{
    uint64_t how = sim_below(w, 10);

    h->skew_ms = (int64_t)sim_below(w, 200) - 100;
    h->drift_ppm = (int64_t)sim_below(w, 400) - 200;
    if (how < 3)
        h->skew_ms = (int64_t)sim_below(w, 20000) - 10000;
    if (w->wild_clocks && how > 5)
        h->skew_ms = ((int64_t)sim_below(w, 2000) - 1000) * (int64_t)SIM_YEAR_MS / 500;
}

static void set_link(struct sim_world *w, size_t a, size_t b, const struct profile *p)
{
    struct sim_link *l = sim_link(w, a, b);

    l->latency_ms = sim_chance(w, 1, 2) ? 1 : (uint32_t)sim_below(w, 120);
    l->jitter_ms = sim_chance(w, 1, 2) ? 0 : (uint32_t)sim_below(w, 80);
    if (p->nasty && sim_chance(w, 1, 2))
        l->nasty_ppm = (uint32_t)sim_below(w, 20000);
}

static struct sim_host *add_host(struct sim_world *w, const struct profile *p)
{
    struct sim_host *h = sim_host_new(w);

    h->disk.slow_ms = p->slow_ms;
    set_clock(w, h);
    for (size_t i = 0; i < h->index; i++)
        set_link(w, i, h->index, p);
    return h;
}

/* Invites without waiting: what comes of it is seen at the end. */
static void begin_join(struct sim_world *w, struct sim_host *h)
{
    struct sim_host *from = &w->hosts[0];
    uint8_t secret[RJ_SECRET_LEN];
    struct rj_invite_opts opts = {
        .role = sim_chance(w, 1, 4) ? RJ_ROLE_ADMIN : RJ_ROLE_WRITER, .uses = 1};

    if (from->node == NULL || h->node == NULL)
        return;
    opts.expires_ms = sim_now(w, from).wall.ms + 3600 * 1000;
    if (rj_node_invite(from->node, &opts, sim_now(w, from), secret) != RJ_OK ||
        rj_node_join(h->node, sim_device_id(w, from), secret) != RJ_OK)
        return;
    sim_log(w, "%s begins to join", h->name);
    sim_host_flush(w, from);
    sim_host_flush(w, h);
}

static void set_up(struct sim_world *w, const struct profile *p)
{
    (void)add_host(w, p);
    for (size_t s = 0; s < p->spaces && !w->failed; s++)
        sim_space_add(w, &w->hosts[0], s);
    for (size_t i = 1; i < p->hosts && !w->failed; i++) {
        struct sim_host *h = add_host(w, p);

        for (size_t j = 0; j < i; j++)
            sim_link_set(w, &w->hosts[j], h, true);
        begin_join(w, h);
        sim_run(w, sim_below(w, 1500));
    }
}

/* ---- faults */

static void fault_link(struct sim_world *w)
{
    size_t a = sim_below(w, w->hosts_n), b = sim_below(w, w->hosts_n);

    if (a == b || w->hosts[a].device == w->hosts[b].device)
        return;
    w->stats.faults++;
    switch (sim_below(w, 4)) {
    case 0:
        *sim_stall(w, a, b) ^= true;
        break;
    case 1:
        for (size_t i = 0; i < SIM_CONNS_MAX; i++)
            if (w->conns[i].used && sim_chance(w, 1, 2))
                sim_net_break(w, i);
        break;
    default:
        sim_link_set(w, &w->hosts[a], &w->hosts[b], !sim_link(w, a, b)->up);
        break;
    }
}

static void fault_crash(struct sim_world *w)
{
    struct sim_host *h = any_up(w);

    if (h == NULL)
        return;
    w->stats.faults++;
    if (sim_chance(w, 1, 2)) {
        h->crash_in = 1 + sim_below(w, 20);
        return;
    }
    sim_host_crash(w, h);
    h->open_at = w->now_ms + (sim_chance(w, 1, 2) ? 0 : sim_below(w, 8000));
}

static void fault_disk(struct sim_world *w)
{
    struct sim_host *h = any_up(w);

    if (h == NULL)
        return;
    w->stats.faults++;
    switch (sim_below(w, 4)) {
    case 0:
        h->disk.fail_next = true;
        break;
    case 1:
        h->disk.slow_ms = (uint32_t)sim_below(w, 2000);
        break;
    default:
        sim_disk_full(w, h, !h->disk.full);
        break;
    }
}

static void fault_copy(struct sim_world *w, const struct profile *p)
{
    struct sim_host *h = any_up(w);
    struct sim_host *twin;

    if (h == NULL)
        return;
    if (p->rollbacks && h->backup != NULL && sim_chance(w, 1, 2)) {
        w->stats.faults++;
        sim_host_rollback(w, h);
    } else if (p->rollbacks && sim_chance(w, 1, 2)) {
        sim_host_backup(w, h);
    } else if (p->clones && w->hosts_n < p->hosts + 3 && sim_space(h, 0) != NULL) {
        w->stats.faults++;
        twin = sim_host_clone(w, h);
        twin->outsider = h->outsider;
        for (size_t i = 0; i < twin->index; i++)
            if (w->hosts[i].device != twin->device)
                sim_link_set(w, &w->hosts[i], twin, sim_chance(w, 2, 3));
    }
}

/* Another process goes on with the memory of one that is up. */
static void fault_fork(struct sim_world *w, const struct profile *p)
{
    struct sim_host *h = any_up(w), *twin;

    if (h == NULL || w->hosts_n >= p->hosts + 4 || sim_peek_renews(h->node))
        return;
    for (size_t space = 0; space < p->spaces; space++)
        if (sim_space(h, space) == NULL || sim_peek_unsealed(sim_space(h, space)))
            return;
    w->stats.faults++;
    twin = sim_host_fork(w, h);
    twin->outsider = h->outsider;
    twin->reader = h->reader;
    for (size_t i = 0; i < twin->index; i++)
        if (w->hosts[i].device != twin->device || sim_chance(w, 1, 4))
            sim_link_set(w, &w->hosts[i], twin, sim_chance(w, 2, 3));
}

/* A ticket names a device: whoever uses it must not meet a clone of the inviter. */
static void hide_twins(struct sim_world *w, struct sim_host *h)
{
    for (size_t i = 1; i < w->hosts_n; i++)
        if (w->hosts[i].device == w->hosts[0].device && h->device != w->hosts[i].device)
            sim_link_set(w, h, &w->hosts[i], false);
}

static void set_outsider(struct sim_world *w, const struct sim_host *h, bool outsider)
{
    for (size_t i = 0; i < w->hosts_n; i++)
        if (w->hosts[i].device == h->device)
            w->hosts[i].outsider = outsider;
}

static void revoke(struct sim_world *w, const struct profile *p)
{
    size_t victim = 1 + sim_below(w, w->hosts_n - 1);
    struct sim_host *a = &w->hosts[0];
    struct rj_space *s = sim_space(a, 0);

    if (w->revokes >= (p->readmits ? REVOKES_MAX : 1) || s == NULL ||
        w->hosts[victim].device == a->device ||
        rj_space_close_device(s, sim_device_id(w, &w->hosts[victim]), sim_now(w, a)) !=
            RJ_OK)
        return;
    sim_log(w, "%s is closed", w->hosts[victim].name);
    w->revoked = true;
    w->revokes++;
    set_outsider(w, &w->hosts[victim], true);
    sim_host_flush(w, a);
}

/* Somebody who was closed gets a new ticket; what comes of it is seen at the end. */
static void readmit(struct sim_world *w)
{
    struct sim_host *h = any_up(w);

    if (h != NULL && h->outsider) {
        hide_twins(w, h);
        begin_join(w, h);
    }
}

static void late_joiner(struct sim_world *w, const struct profile *p)
{
    struct sim_host *h;

    if (w->hosts_n >= p->hosts + 2)
        return;
    h = add_host(w, p);
    for (size_t i = 0; i < h->index; i++)
        sim_link_set(w, &w->hosts[i], h, sim_chance(w, 2, 3));
    hide_twins(w, h);
    begin_join(w, h);
}

static void fault(struct sim_world *w, const struct profile *p)
{
    struct sim_host *h = any_up(w);

    if (w->forks && sim_chance(w, 1, 8)) {
        fault_fork(w, p);
        return;
    }
    switch (sim_below(w, 10)) {
    case 0:
    case 1:
    case 2:
        fault_link(w);
        break;
    case 3:
    case 4:
        if (p->crashes)
            fault_crash(w);
        break;
    case 5:
        if (p->disks)
            fault_disk(w);
        break;
    case 6:
        if (p->clones || p->rollbacks)
            fault_copy(w, p);
        break;
    case 7:
        if (h != NULL && sim_chance(w, 1, 3))
            set_clock(w, h);
        break;
    case 8:
        if (p->revokes && w->hosts_n > 2 && sim_chance(w, 1, 4))
            revoke(w, p);
        else if (p->readmits)
            readmit(w);
        break;
    default:
        if (p->late && sim_chance(w, 1, 3))
            late_joiner(w, p);
        break;
    }
}

/* ---- a history */

static void burst(struct sim_world *w, const struct profile *p)
{
    struct sim_host *h = any_up(w);
    size_t n = 1 + sim_below(w, sim_chance(w, 1, 10) ? 40 : 5);

    for (size_t i = 0; h != NULL && i < n && h->node != NULL && !w->failed; i++) {
        size_t space = sim_below(w, p->spaces);

        if (sim_space(h, space) != NULL)
            sim_write_any(w, h, space);
        if (sim_chance(w, 1, 4))
            sim_run(w, sim_below(w, 20));
    }
}

/* A member also in the eyes of the first host: a rollback may have taken that back. */
static bool is_member(struct sim_world *w, struct sim_host *h)
{
    struct rj_member_info info;

    if (w->hosts[0].node == NULL || h->node == NULL)
        return false;
    for (size_t space = 0; space < SIM_SPACES_MAX; space++) {
        struct rj_space *s = sim_space(&w->hosts[0], space);
        bool found = false;

        for (size_t i = 0; s != NULL && !found && rj_space_member(s, i, &info); i++)
            found = memcmp(info.device.b, sim_device_id(w, h)->b, RJ_DIGEST_LEN) == 0 &&
                    info.role != RJ_ROLE_NONE && !info.closed;
        if (s != NULL && (!found || sim_space(h, space) == NULL))
            return false;
    }
    return true;
}

static bool has_twin(const struct sim_world *w)
{
    for (size_t i = 1; i < w->hosts_n; i++)
        if (w->hosts[i].device == w->hosts[0].device)
            return true;
    return false;
}

/* Who was closed and is not any more, at the first host; half of the others get a ticket
 * now. A crash or rollback may have taken back any of it, there: what others know comes
 * again; but what a twin of it knows comes much later. */
static void settle_outsiders(struct sim_world *w)
{
    sim_run(w, 30000);
    for (size_t i = 1; i < w->hosts_n && !w->failed && !has_twin(w); i++) {
        struct sim_host *h = &w->hosts[i];

        if (h->outsider && h->device != w->hosts[0].device &&
            (is_member(w, h) || sim_chance(w, 1, 2)))
            set_outsider(w, h, false);
    }
}

/* Whoever could not join during the faults does so now. */
static void join_all(struct sim_world *w)
{
    sim_run(w, 2000); /* all are up again */
    for (size_t i = 1; i < w->hosts_n; i++)
        for (size_t try = 0; try < JOIN_TRIES && !w->failed; try++) {
            struct sim_host *h = &w->hosts[i];

            if (h->outsider || h->stopped || is_member(w, h))
                break;
            hide_twins(w, h);
            if (!sim_join(w, &w->hosts[0], h, RJ_ROLE_WRITER))
                sim_run(w, 10000);
        }
}

/* An admin that is not whole lets nobody in: if what it lacks is with whom it shut out
 * (a crash took back that it had let them in), all wait for another admin. */
static void leave_outsiders(struct sim_world *w)
{
    struct rj_space *s = sim_space(&w->hosts[0], 0);

    for (size_t i = 1; s != NULL && sim_peek_joining(s) && i < w->hosts_n; i++)
        if (w->revoked && !is_member(w, &w->hosts[i]))
            set_outsider(w, &w->hosts[i], true);
}

void sim_random(struct sim_world *w)
{
    struct profile p;
    uint64_t steps = STEPS_MIN + sim_below(w, STEPS_SPREAD);

    choose(w, &p);
    sim_log(
        w,
        "%zu hosts, %zu spaces, durability %d, log %llu, part %llu, slow %u, nasty %d,"
        " wild clocks %d",
        p.hosts, p.spaces, (int)w->durability, (unsigned long long)w->limits.log_bytes,
        (unsigned long long)w->limits.part_bytes, p.slow_ms, p.nasty, w->wild_clocks);
    set_up(w, &p);
    for (uint64_t i = 0; i < steps && !w->failed; i++) {
        if (sim_below(w, 100) < p.writes)
            burst(w, &p);
        else
            fault(w, &p);
        sim_run(w, sim_below(w, sim_chance(w, 1, 10) ? 5000 : 250));
        if (p.sleeps && sim_chance(w, 1, 60))
            sim_skip(w, sim_below(w, 48 * 3600 * 1000));
        sim_check_now(w);
    }
    if (w->failed)
        return;
    sim_faults_off(w);
    if (p.readmits)
        settle_outsiders(w);
    join_all(w);
    if (p.readmits) { /* a close that a crash took back may have come again */
        sim_run(w, 30000);
        join_all(w);
        leave_outsiders(w);
    }
    sim_heal_and_check(w);
}
