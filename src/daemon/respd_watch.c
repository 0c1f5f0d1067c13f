/* SPDX-License-Identifier: Apache-2.0 */
/* Keyspace events for what clients here did not do: writes that arrive from other nodes,
 * what expires, what the command line puts. A write that arrives says less than the
 * command that made it (EXPIRE travels as the whole value with its deadline), so its
 * events are those of SET, SADD or HSET, with "expire" when there is a deadline. */
#include "base/alloc.h"
#include "daemon/respd_inner.h"

#include <stdio.h>

struct told {
    char letter;
    const char *name;
};

/* What there is to say first of a change. */
static struct told first_of(const struct rj_bucket_change *c)
{
    switch (c->what) {
    case RJ_CHANGE_SET:
        return (struct told){'$', "set"};
    case RJ_CHANGE_INCR:
        return c->field ? (struct told){'h', "hincrby"} : (struct told){'$', "incrby"};
    case RJ_CHANGE_SADD:
        return (struct told){'s', "sadd"};
    case RJ_CHANGE_SREM:
        return (struct told){'s', "srem"};
    case RJ_CHANGE_HSET:
        return (struct told){'h', "hset"};
    case RJ_CHANGE_HDEL:
        return (struct told){'h', "hdel"};
    case RJ_CHANGE_TIME:
        return (struct told){'g', c->expires ? "expire" : "persist"};
    case RJ_CHANGE_EXPIRED:
        return (struct told){'x', "expired"};
    case RJ_CHANGE_DEL:
    case RJ_CHANGE_TAKEN:
    default:
        break;
    }
    switch (c->shown) { /* TAKEN: as if it had been written as it is now */
    case RJ_TYPE_STRING:
        return (struct told){'$', "set"};
    case RJ_TYPE_SET:
        return (struct told){'s', "sadd"};
    case RJ_TYPE_HASH:
        return (struct told){'h', "hset"};
    case RJ_TYPE_NONE:
    default:
        return (struct told){'g', "del"};
    }
}

static void tell(const struct rj_respd_watch *w, struct rj_bytes key, char letter,
                 const char *name)
{
    const struct rj_resp_event e = {
        .bucket = rj_bytes_from_str(w->name), .letter = letter, .name = name, .key = key};

    rj_resp_event(&w->respd->host, &e);
}

static void changed(struct rj_bucket_watch *watch, const struct rj_bucket_change *c)
{
    const struct rj_respd_watch *w = (const struct rj_respd_watch *)(void *)watch;
    struct told told = first_of(c);

    if (c->what == RJ_CHANGE_DEL)
        told = (struct told){'g', "del"};
    tell(w, c->key, told.letter, told.name);
    if (c->expires && told.letter != 'g')
        tell(w, c->key, 'g', "expire");
    if ((c->what == RJ_CHANGE_SREM || c->what == RJ_CHANGE_HDEL) &&
        c->shown == RJ_TYPE_NONE)
        tell(w, c->key, 'g', "del");
}

/* NULL: no memory; it is tried again in the next turn. */
static struct rj_respd_watch *watch_of(struct rj_respd *r, const char *name)
{
    struct rj_respd_watch *w = r->watches;

    while (w != NULL && strcmp(w->name, name) != 0)
        w = w->next;
    if (w != NULL)
        return w;
    w = rj_alloc_zero(1, sizeof(*w));
    if (w == NULL)
        return NULL;
    w->watch.changed = changed;
    w->respd = r;
    w->next = r->watches;
    (void)snprintf(w->name, sizeof(w->name), "%s", name);
    r->watches = w;
    return w;
}

void rj_respd_watch_all(struct rj_respd *r)
{
    bool wanted = rj_resp_events_on(&r->host);
    struct rj_node *n = r->engine != NULL ? rj_engine_node(r->engine) : NULL;
    struct rj_space *s;

    if (n == NULL || (!wanted && !r->watching))
        return;
    for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++) {
        struct rj_bucket *b = rj_space_bucket(s, rj_engine_now(r->engine));
        struct rj_respd_watch *w = wanted ? watch_of(r, rj_space_name(s)) : NULL;

        if (b != NULL)
            rj_bucket_watch(b, w != NULL ? &w->watch : NULL);
    }
    r->watching = wanted;
}

void rj_respd_watch_done(struct rj_respd *r)
{
    struct rj_respd_watch *next;

    for (struct rj_respd_watch *w = r->watches; w != NULL; w = next) {
        next = w->next;
        free(w);
    }
    r->watches = NULL;
}

void rj_respd_event(struct rj_respd *r, const struct rj_resp_event *e)
{
    rj_resp_event(&r->host, e);
}

void rj_respd_deliver(struct rj_respd *r, const struct rj_resp_message *m)
{
    (void)rj_resp_deliver(&r->host, m);
}
