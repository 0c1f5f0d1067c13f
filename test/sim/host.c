/* SPDX-License-Identifier: Apache-2.0 */
/* A host: one process with one node, one disk and clocks of its own. It is the driver of
 * the engine: events in, a flush at the end of a turn, actions carried out in their
 * order. A crash may fall between any two steps and between any two actions; then the
 * node's memory is gone and the disk keeps what it must and what it happens to keep. */
#include "sim/ops.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { REOPEN_MS = 500, JOIN_MS = 120000 };

const struct rj_digest *sim_device_id(const struct sim_world *w, const struct sim_host *h)
{
    return &w->devices[h->device].id;
}

struct rj_now sim_now(const struct sim_world *w, const struct sim_host *h)
{
    int64_t drift = (int64_t)w->now_ms / 1000 * h->drift_ppm / 1000;
    int64_t wall = (int64_t)(SIM_EPOCH_MS + w->now_ms) + h->skew_ms + drift;

    return (struct rj_now){.wall = {wall > 0 ? (uint64_t)wall : 0},
                           .mono = {w->now_ms - h->boot_ms}};
}

/* ---- opening */

void sim_host_open(struct sim_world *w, struct sim_host *h)
{
    char why[200] = "";
    struct rj_node_config config = {.size = sizeof(config),
                                    .env = &h->env.env,
                                    .store = h->disk.store,
                                    .seed = rj_prng_u64(&w->rng),
                                    .name = rj_bytes_from_str(h->name),
                                    .limits = w->limits};
    enum rj_err err;

    if (h->node != NULL)
        return;
    h->boot_ms = w->now_ms;
    h->open_at = SIM_NEVER;
    h->flush_at = SIM_NEVER;
    h->crash_in = 0;
    h->forked = false;
    config.now = sim_now(w, h);
    err = rj_node_open(&config, why, sizeof(why), &h->node);
    sim_mix(w, (uint64_t)err);
    if (err != RJ_OK) {
        h->node = NULL;
        h->open_at = w->now_ms + REOPEN_MS;
        sim_log(w, "%s does not open: %s %s", h->name, rj_err_name(err), why);
        if (!sim_disk_excuses(h, err))
            sim_fail(w, "%s: open: %s %s", h->name, rj_err_name(err), why);
        return;
    }
    h->instance++;
    h->disk.safe = h->disk.done = rj_node_committed(h->node);
    h->timer_at = w->now_ms;
    sim_log(w, "%s opens", h->name);
}

static struct sim_host *host_make(struct sim_world *w, size_t device)
{
    struct sim_host *h = &w->hosts[w->hosts_n];

    if (w->hosts_n == SIM_HOSTS_MAX)
        abort();
    *h = (struct sim_host){.used = true,
                           .index = w->hosts_n,
                           .device = device,
                           .timer_at = SIM_NEVER,
                           .flush_at = SIM_NEVER,
                           .open_at = SIM_NEVER};
    snprintf(h->name, sizeof(h->name), "%c", (char)('A' + (int)w->hosts_n));
    w->hosts_n++;
    sim_env_init(&h->env, w, device, rj_prng_u64(&w->rng));
    return h;
}

struct sim_host *sim_host_new(struct sim_world *w)
{
    struct sim_host *h = host_make(w, sim_device_new(w));
    struct rj_store *store = NULL;

    if (rj_store_memory_open(&store) != RJ_OK)
        abort();
    sim_disk_init(w, &h->disk, store);
    sim_host_open(w, h);
    return h;
}

struct sim_host *sim_host_clone(struct sim_world *w, struct sim_host *from)
{
    struct rj_store *copy = sim_disk_copy(w, from, true);
    struct sim_host *h = host_make(w, from->device);

    w->cloned = true;
    sim_ops_cloned(w, from);
    sim_disk_init(w, &h->disk, copy);
    h->skew_ms = from->skew_ms;
    sim_log(w, "%s is a clone of %s", h->name, from->name);
    sim_host_open(w, h);
    return h;
}

struct sim_host *sim_host_fork(struct sim_world *w, struct sim_host *from)
{
    struct rj_store *copy = sim_disk_copy(w, from, false);
    struct sim_host *h = host_make(w, from->device);

    w->forked = true;
    sim_disk_init(w, &h->disk, copy);
    h->skew_ms = from->skew_ms;
    h->env.repeats = true;
    h->env.incarnation = sim_peek_incarnation(from->node);
    sim_log(w, "%s is %s with its memory", h->name, from->name);
    sim_host_open(w, h);
    if (h->node == NULL)
        return h;
    for (size_t space = 0; space < SIM_SPACES_MAX; space++)
        sim_ops_forked(w, from, h, space);
    for (size_t space = 0; space < SIM_SPACES_MAX && w->splits_n < SIM_SPLITS_MAX;
         space++)
        if (sim_space(h, space) != NULL) {
            struct sim_split *split = &w->splits[w->splits_n++];

            split->space = space;
            split->seq = sim_peek_self(sim_space(h, space), split->origin);
        }
    from->forked = h->forked = true;
    return h;
}

bool sim_splits_beyond(struct sim_world *w)
{
    for (size_t i = 0; i < w->splits_n; i++)
        for (size_t j = 0; j < w->hosts_n; j++) {
            struct rj_space *s = w->hosts[j].node != NULL
                                     ? sim_space(&w->hosts[j], w->splits[i].space)
                                     : NULL;

            if (s != NULL && sim_peek_beyond(s, &w->splits[i]))
                return true;
        }
    return false;
}

void sim_host_free(struct sim_world *w, struct sim_host *h)
{
    (void)w;
    rj_node_close(h->node);
    h->node = NULL;
    if (h->backup != NULL)
        h->backup->ops->close(h->backup);
    sim_disk_done(&h->disk);
    sim_env_done(&h->env);
}

/* ---- ending */

void sim_host_crash(struct sim_world *w, struct sim_host *h)
{
    if (h->node == NULL)
        return;
    sim_log(w, "%s crashes", h->name);
    w->stats.crashes++;
    sim_net_host_gone(w, h->index);
    rj_node_close(h->node);
    h->node = NULL;
    sim_disk_crash(w, h);
    sim_ops_crashed(w, h);
    h->timer_at = h->flush_at = h->open_at = SIM_NEVER;
}

void sim_host_backup(struct sim_world *w, struct sim_host *h)
{
    if (h->backup != NULL)
        h->backup->ops->close(h->backup);
    h->backup = sim_disk_copy(w, h, true);
    sim_ops_backed_up(w, h);
    sim_log(w, "%s is backed up", h->name);
}

void sim_host_rollback(struct sim_world *w, struct sim_host *h)
{
    if (h->backup == NULL)
        return;
    sim_ops_rolled_back(w, h);
    sim_host_crash(w, h);
    sim_log(w, "%s is rolled back", h->name);
    w->rolled_back = true;
    sim_disk_done(&h->disk);
    sim_disk_init(w, &h->disk, h->backup);
    h->backup = NULL;
    sim_host_open(w, h);
}

/* ---- steps */

static void node_failed(struct sim_world *w, struct sim_host *h, enum rj_err err)
{
    sim_log(w, "%s step: %s (%s)", h->name, rj_err_name(err), rj_node_why(h->node));
    if (!sim_disk_excuses(h, err) && !(err == RJ_EFORK && w->forked)) {
        sim_fail(w, "%s: step: %s (%s)", h->name, rj_err_name(err), rj_node_why(h->node));
        return;
    }
    sim_host_crash(w, h);
    h->open_at = w->now_ms + REOPEN_MS;
}

/* Sessions between honest nodes over honest links never end with these. */
static bool is_protocol_error(enum rj_err err)
{
    return err == RJ_EPROTO || err == RJ_ECORRUPT || err == RJ_EVERSION ||
           err == RJ_EUPGRADE || err == RJ_EFORK || err == RJ_EGAP || err == RJ_EAUTH ||
           err == RJ_EINVAL || err == RJ_ELIMIT;
}

/* Two hosts that are linked before they have a space in common, or before one of them
 * heard that the other is a member; or one that was closed; or one that is a clone and
 * lacks the invitation that its twin made. */
static bool is_unacquainted(struct sim_world *w, struct sim_host *h, uint64_t peer)
{
    struct sim_host *other = sim_net_other(w, h, peer);
    bool common = false;

    if (w->cloned && sim_peek_guest(h->node, peer))
        return true;
    if (h->outsider || (other != NULL && other->outsider))
        return true; /* its ticket is not good any more */
    for (size_t space = 0; other != NULL && space < SIM_SPACES_MAX; space++)
        common |= sim_space(h, space) != NULL && sim_space(other, space) != NULL;
    return !common || strstr(h->note, "unknown device") != NULL ||
           strstr(h->note, "no ticket was presented") != NULL;
}

static void act_close(struct sim_world *w, struct sim_host *h, const struct rj_action *a)
{
    sim_log(w, "%s closes peer %" PRIu64 ": %s %.*s", h->name, a->peer,
            rj_err_name(a->err), (int)a->bytes.len, (const char *)a->bytes.ptr);
    if (is_protocol_error(a->err) && !w->nasty && !h->expect_errors &&
        !(a->err == RJ_EAUTH && is_unacquainted(w, h, a->peer)))
        sim_fail(w, "%s closes an honest session: %s", h->name, rj_err_name(a->err));
    sim_net_close(w, h, a->peer);
}

static void act(struct sim_world *w, struct sim_host *h, const struct rj_action *a)
{
    sim_mix(w, (uint64_t)a->kind << 32 | (uint64_t)a->err);
    sim_mix(w, a->peer ^ a->commit);
    switch (a->kind) {
    case RJ_ACT_SEND:
        sim_mix_bytes(w, a->bytes);
        sim_net_send(w, h, a->peer, a->bytes);
        break;
    case RJ_ACT_CLOSE:
        act_close(w, h, a);
        break;
    case RJ_ACT_COMMIT:
        sim_disk_commit(w, h, a);
        break;
    case RJ_ACT_RELAY:
        break;
    case RJ_ACT_CAST:
        h->casts++;
        sim_log(w, "%s hears: %.*s", h->name, (int)a->bytes.len,
                (const char *)a->bytes.ptr);
        break;
    case RJ_ACT_NOTE:
        snprintf(h->note, sizeof(h->note), "%.*s", (int)a->bytes.len,
                 (const char *)a->bytes.ptr);
        sim_log(w, "%s notes: %.*s %s", h->name, (int)a->bytes.len,
                (const char *)a->bytes.ptr, a->err != RJ_OK ? rj_err_name(a->err) : "");
        break;
    }
}

static void carry_out(struct sim_world *w, struct sim_host *h,
                      const struct rj_actions *actions)
{
    uint64_t mono = actions->deadline.ms;

    h->timer_at = mono == UINT64_MAX ? SIM_NEVER : h->boot_ms + mono;
    if (h->timer_at < w->now_ms)
        h->timer_at = w->now_ms;
    for (size_t i = 0; i < actions->n && !w->failed; i++) {
        if (h->crash_in > 0 && --h->crash_in == 0) {
            sim_host_crash(w, h);
            h->open_at = w->now_ms + sim_below(w, 4 * REOPEN_MS);
            return;
        }
        act(w, h, &actions->items[i]);
    }
}

static void step(struct sim_world *w, struct sim_host *h, struct rj_event *ev)
{
    struct rj_actions actions = {.deadline = {UINT64_MAX}};
    enum rj_err err;

    ev->now = sim_now(w, h);
    sim_mix(w, (uint64_t)ev->kind << 32 ^ ev->peer);
    err = rj_node_step(h->node, ev, &actions);
    sim_mix(w, (uint64_t)err);
    if (err != RJ_OK)
        node_failed(w, h, err);
    else
        carry_out(w, h, &actions);
    for (size_t space = 0; space < SIM_SPACES_MAX; space++) {
        struct rj_space *s = sim_space(h, space);

        if (s != NULL && sim_peek_joining(s))
            w->took_ms[space] = w->now_ms;
    }
}

void sim_host_event(struct sim_world *w, struct sim_host *h, struct rj_event ev)
{
    if (h->node == NULL || w->failed)
        return;
    step(w, h, &ev);
    if (h->node != NULL && h->flush_at == SIM_NEVER)
        h->flush_at = w->now_ms;
}

void sim_host_flush(struct sim_world *w, struct sim_host *h)
{
    struct rj_event ev = {.kind = RJ_EV_FLUSH};

    if (h->node == NULL || w->failed)
        return;
    h->flush_at = SIM_NEVER;
    step(w, h, &ev);
}

/* ---- spaces */

static const char *const space_names[SIM_SPACES_MAX] = {"s0", "s1"};

struct rj_space *sim_space(struct sim_host *h, size_t space)
{
    if (h->node == NULL)
        return NULL;
    return rj_node_space(h->node, rj_bytes_from_str(space_names[space]));
}

struct rj_bucket *sim_bucket(struct sim_world *w, struct sim_host *h, size_t space)
{
    struct rj_space *s = sim_space(h, space);

    return s != NULL ? rj_space_bucket(s, sim_now(w, h)) : NULL;
}

void sim_space_add(struct sim_world *w, struct sim_host *h, size_t space)
{
    struct rj_space *s = NULL;
    struct rj_space_opts opts = {.kind = RJ_KIND_BUCKET,
                                 .name = rj_bytes_from_str(space_names[space]),
                                 .durability = w->durability,
                                 .policy = w->policy};
    enum rj_err err = rj_node_space_add(h->node, &opts, sim_now(w, h), &s);

    if (err != RJ_OK) {
        sim_fail(w, "%s: space_add: %s", h->name, rj_err_name(err));
        return;
    }
    sim_host_flush(w, h);
}

struct join_wait {
    struct sim_host *host;
};

static bool join_ended(struct sim_world *w, void *arg)
{
    const struct join_wait *j = arg;
    enum rj_err why = RJ_OK;

    (void)w;
    if (j->host->node == NULL)
        return true;
    switch (rj_node_join_state(j->host->node, &why)) {
    case RJ_JOIN_NONE:
    case RJ_JOIN_DONE:
    case RJ_JOIN_REFUSED:
        return true;
    case RJ_JOIN_WAITING:
        break;
    }
    return false;
}

bool sim_join(struct sim_world *w, struct sim_host *inviter, struct sim_host *h,
              enum rj_role role)
{
    struct join_wait wait = {.host = h};
    uint8_t secret[RJ_SECRET_LEN];
    struct rj_now now;
    struct rj_invite_opts opts = {.role = role, .uses = 1};
    enum rj_err err;

    if (inviter->node == NULL || h->node == NULL)
        return false;
    now = sim_now(w, inviter);
    opts.expires_ms = now.wall.ms + 10 * 60 * 1000;
    err = rj_node_invite(inviter->node, &opts, now, secret);
    if (err == RJ_OK)
        err = rj_node_join(h->node, sim_device_id(w, inviter), secret);
    if (err != RJ_OK) {
        sim_log(w, "%s joins at %s: %s", h->name, inviter->name, rj_err_name(err));
        return false;
    }
    sim_host_flush(w, inviter);
    sim_host_flush(w, h);
    (void)sim_run_until(w, JOIN_MS, join_ended, &wait);
    return h->node != NULL && rj_node_join_state(h->node, &err) == RJ_JOIN_DONE;
}

void sim_world_free(struct sim_world *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->hosts_n; i++)
        sim_host_free(w, &w->hosts[i]);
    sim_net_done(w);
    sim_ops_free(w->ops);
    rj_buf_done(&w->scratch);
    rj_buf_done(&w->watched);
    free(w);
}
