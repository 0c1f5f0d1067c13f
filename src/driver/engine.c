/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of the engine. States:
 *
 *     running --step or commit failed--> ending --no commit under way--> waiting
 *        ^                                                                  |
 *        +---------------------- opened again ------------------------------+
 *
 * While a commit is under way the worker reads the writes that the node owns and writes
 * to the store, so neither may go before it has ended. Between two instances the node is
 * NULL: events are dropped, clients are told to try again. */
#include "driver/engine.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "posix/backoff.h"
#include "posix/why.h"

#include <stdio.h>

struct rj_engine {
    struct rj_engine_options options;
    struct rj_store *store; /* NULL between two instances */
    struct rj_node *node;
    struct rj_timer *timer; /* the node's deadline, or the next attempt to open */
    struct rj_backoff backoff;
    uint64_t instances;
    bool ending; /* the node is dead but a commit still runs */
    bool dirty;  /* something happened since the last flush */

    /* The commit under way; written by the loop's thread before and after the job. */
    bool committing;
    bool commit_here; /* it was written without a job: tell the node after its actions */
    uint64_t commit;
    const struct rj_writes *writes;
    bool durable;
    enum rj_err result;
};

static void step(struct rj_engine *e, struct rj_event *ev);

struct rj_now rj_engine_now(const struct rj_engine *e)
{
    return rj_loop_now(e->options.loop);
}

struct rj_node *rj_engine_node(struct rj_engine *e)
{
    return e->ending ? NULL : e->node;
}

uint64_t rj_engine_instance(const struct rj_engine *e)
{
    return e->instances;
}

/* ---- one instance */

static enum rj_err open_instance(struct rj_engine *e, char *why, size_t why_len)
{
    const struct rj_engine_options *o = &e->options;
    struct rj_node_config config = {
        .size = sizeof(config),
        .env = o->env,
        .now = rj_engine_now(e),
        .name = o->name,
        .limits = o->limits,
    };
    struct rj_store *store = NULL;
    enum rj_err err =
        rj_store_lmdb_open(o->store_path, o->store_max_bytes, why, why_len, &store);

    if (err != RJ_OK)
        return err;
    err = o->env->ops->random(o->env, (uint8_t *)&config.seed, sizeof(config.seed));
    config.store = store;
    if (err == RJ_OK)
        err = rj_node_open(&config, why, why_len, &e->node);
    if (err != RJ_OK) {
        store->ops->close(store);
        return err;
    }
    e->store = store;
    e->instances++;
    e->dirty = true;
    return RJ_OK;
}

static void close_instance(struct rj_engine *e)
{
    rj_node_close(e->node);
    e->node = NULL;
    if (e->store != NULL)
        e->store->ops->close(e->store);
    e->store = NULL;
    e->ending = false;
}

static void open_again_later(struct rj_engine *e)
{
    struct rj_mono at = rj_engine_now(e).mono;
    uint64_t draw = 0;

    (void)e->options.env->ops->random(e->options.env, (uint8_t *)&draw, sizeof(draw));
    at.ms += rj_backoff_next_ms(&e->backoff, draw);
    rj_timer_set(e->timer, at);
}

static void open_again(struct rj_engine *e)
{
    const struct rj_engine_options *o = &e->options;
    char why[RJ_ENGINE_WHY_MAX] = "";
    enum rj_err err = open_instance(e, why, sizeof(why));

    if (err == RJ_OK) {
        rj_logger_line(o->log, RJ_NOTE_INFO, "engine.reopened instance=%llu",
                       (unsigned long long)e->instances);
        rj_backoff_reset(&e->backoff);
        o->ops->began(o->ctx);
        return;
    }
    rj_logger_line(o->log, RJ_NOTE_ERROR, "engine.reopen_failed error=%s why=\"%s\"",
                   rj_err_name(err), why);
    if (err == RJ_ECORRUPT || err == RJ_EVERSION)
        o->ops->gave_up(o->ctx, err, why);
    else
        open_again_later(e);
}

/* The instance is over: nobody gets its node from now on. */
static void end_instance(struct rj_engine *e, enum rj_err err)
{
    const struct rj_engine_options *o = &e->options;
    char why[RJ_ENGINE_WHY_MAX];

    if (e->ending || e->node == NULL)
        return;
    (void)snprintf(why, sizeof(why), "%s", rj_node_why(e->node));
    rj_logger_line(o->log, RJ_NOTE_ERROR, "engine.ended error=%s why=\"%s\" store=\"%s\"",
                   rj_err_name(err), why, e->store->why);
    e->ending = true;
    rj_timer_cancel(e->timer);
    o->ops->ended(o->ctx, err, why);
    if (!e->committing) {
        close_instance(e);
        open_again_later(e);
    }
}

/* ---- commits */

static void commit_run(void *ctx)
{
    struct rj_engine *e = ctx;

    e->result = e->store->ops->write(e->store, e->writes, e->durable);
}

/* The event that says how the commit ended. */
static struct rj_event commit_event(struct rj_engine *e)
{
    e->committing = false;
    if (e->result != RJ_OK && e->result != RJ_EFULL) /* which the node notes once */
        rj_logger_line(e->options.log, RJ_NOTE_ERROR,
                       "store.commit_failed error=%s why=\"%s\"", rj_err_name(e->result),
                       e->store->why);
    return (struct rj_event){
        .kind = RJ_EV_COMMITTED, .commit = e->commit, .result = e->result};
}

static void commit_done(void *ctx, enum rj_err err)
{
    struct rj_engine *e = ctx;
    struct rj_event ev;

    if (err != RJ_OK)
        e->result = RJ_EIO; /* cancelled: it was not written */
    ev = commit_event(e);
    if (e->ending) {
        close_instance(e);
        open_again_later(e);
        return;
    }
    step(e, &ev);
}

static void begin_commit(struct rj_engine *e, const struct rj_action *a)
{
    e->committing = true;
    e->commit = a->commit;
    e->writes = a->writes;
    e->durable = a->durable;
    e->result = RJ_EIO;
    if (rj_loop_work(e->options.loop, commit_run, commit_done, e) == RJ_OK)
        return;
    /* No job to be had (the loop is stopping): here and now; see step. */
    commit_run(e);
    e->commit_here = true;
}

/* ---- steps */

static void carry_out(struct rj_engine *e, const struct rj_actions *actions)
{
    const struct rj_engine_options *o = &e->options;
    char text[RJ_LOGGER_LINE_MAX];

    for (size_t i = 0; i < actions->n; i++) {
        const struct rj_action *a = &actions->items[i];

        switch (a->kind) {
        case RJ_ACT_SEND:
            o->ops->send(o->ctx, a->peer, a->bytes);
            break;
        case RJ_ACT_CLOSE:
            o->ops->close(o->ctx, a->peer, a->err);
            break;
        case RJ_ACT_COMMIT:
            begin_commit(e, a);
            break;
        case RJ_ACT_NOTE:
            (void)snprintf(text, sizeof(text), "%.*s",
                           (int)rj_bytes_first(a->bytes, sizeof(text)).len,
                           (const char *)a->bytes.ptr);
            o->ops->note(o->ctx, a->level, text);
            break;
        case RJ_ACT_RELAY:
            o->ops->relay(o->ctx, a);
            break;
        case RJ_ACT_CAST:
            o->ops->cast(o->ctx, a->space, a->topic, a->bytes);
            break;
        }
    }
    if (actions->deadline.ms == UINT64_MAX)
        rj_timer_cancel(e->timer);
    else
        rj_timer_set(e->timer, actions->deadline);
}

static void step(struct rj_engine *e, struct rj_event *ev)
{
    struct rj_event here;

    while (ev != NULL && rj_engine_node(e) != NULL) {
        struct rj_actions actions = {0};
        enum rj_err err;

        ev->now = rj_engine_now(e);
        /* These do all that a flush does. */
        e->dirty = ev->kind != RJ_EV_FLUSH && ev->kind != RJ_EV_TIMER &&
                   ev->kind != RJ_EV_PEER_DRAINED;
        err = rj_node_step(e->node, ev, &actions);
        if (err != RJ_OK) {
            end_instance(e, err);
            return;
        }
        carry_out(e, &actions);
        ev = NULL;
        if (e->commit_here) {
            e->commit_here = false;
            here = commit_event(e);
            ev = &here;
        }
    }
}

static void on_timer(void *ctx)
{
    struct rj_engine *e = ctx;
    struct rj_event ev = {.kind = RJ_EV_TIMER};

    if (e->node == NULL)
        open_again(e);
    else
        step(e, &ev);
}

void rj_engine_peer_up(struct rj_engine *e, uint64_t peer, const uint8_t *pubkey,
                       const uint8_t *binding, bool dialled)
{
    struct rj_event ev = {
        .kind = RJ_EV_PEER_UP,
        .peer = peer,
        .pubkey = pubkey,
        .binding = binding,
        .dialled = dialled,
    };

    step(e, &ev);
}

void rj_engine_peer_bytes(struct rj_engine *e, uint64_t peer, struct rj_bytes bytes)
{
    struct rj_event ev = {.kind = RJ_EV_PEER_BYTES, .peer = peer, .bytes = bytes};

    step(e, &ev);
}

void rj_engine_peer_drained(struct rj_engine *e, uint64_t peer)
{
    struct rj_event ev = {.kind = RJ_EV_PEER_DRAINED, .peer = peer};

    step(e, &ev);
}

void rj_engine_peer_down(struct rj_engine *e, uint64_t peer)
{
    struct rj_event ev = {.kind = RJ_EV_PEER_DOWN, .peer = peer};

    step(e, &ev);
}

void rj_engine_touch(struct rj_engine *e)
{
    e->dirty = true;
}

void rj_engine_flush_now(struct rj_engine *e)
{
    struct rj_event ev = {.kind = RJ_EV_FLUSH};

    step(e, &ev);
}

void rj_engine_flush(struct rj_engine *e)
{
    if (e->dirty)
        rj_engine_flush_now(e);
}

bool rj_engine_quiet(struct rj_engine *e)
{
    struct rj_node *n = rj_engine_node(e);

    return n == NULL || (!e->committing && !rj_node_unsaved(n));
}

/* ---- life */

enum rj_err rj_engine_open(const struct rj_engine_options *options, char *why,
                           size_t why_len, struct rj_engine **ret_engine)
{
    struct rj_engine *e = rj_alloc_zero(1, sizeof(*e));
    enum rj_err err;

    if (e == NULL)
        return RJ_ENOMEM;
    e->options = *options;
    rj_backoff_init(&e->backoff, RJ_ENGINE_RETRY_MIN_MS, RJ_ENGINE_RETRY_MAX_MS);
    err = rj_timer_new(options->loop, on_timer, e, &e->timer);
    if (err == RJ_OK)
        err = open_instance(e, why, why_len);
    if (err != RJ_OK) {
        rj_engine_close(e);
        return err;
    }
    *ret_engine = e;
    return RJ_OK;
}

void rj_engine_close(struct rj_engine *e)
{
    if (e == NULL)
        return;
    close_instance(e);
    rj_timer_free(e->timer);
    free(e);
}
