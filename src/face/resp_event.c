/* SPDX-License-Identifier: Apache-2.0 */
/* Keyspace events: what happens to keys, told as messages in channels named after the key
 * and after what happened ("Redis keyspace notifications", redis.io). Which ones, says
 * notify-keyspace-events, for the whole node, until it ends. They are told once: who is
 * not there misses them. */
#include "face/resp_cmd.h"

#include <stdio.h>

enum {
    KEYSPACE = 1, /* into __keyspace@0__:key */
    KEYEVENT = 2, /* into __keyevent@0__:name */
    FIRST_CLASS = 4
};

/* Classes in the order in which Redis writes them. Of lists, sorted sets, streams,
 * modules and eviction there is nothing to tell. */
static const char classes[] = "g$lshzxetd";

static unsigned class_of(char letter)
{
    const char *at = letter != '\0' ? strchr(classes, letter) : NULL;

    return at != NULL ? (unsigned)FIRST_CLASS << (at - classes) : 0;
}

static unsigned all_classes(void)
{
    return ((unsigned)FIRST_CLASS << strlen(classes)) - FIRST_CLASS;
}

bool rj_resp_event_read(struct rj_bytes letters, unsigned *ret_events)
{
    unsigned events = 0;

    for (size_t i = 0; i < letters.len; i++) {
        char letter = (char)letters.ptr[i];
        unsigned is = letter == 'K'   ? KEYSPACE
                      : letter == 'E' ? KEYEVENT
                      : letter == 'A' ? all_classes()
                                      : class_of(letter);

        if (is == 0)
            return false;
        events |= is;
    }
    *ret_events = events;
    return true;
}

void rj_resp_event_write(unsigned events, char ret[RJ_RESP_LETTERS_MAX])
{
    size_t n = 0;

    if ((events & all_classes()) == all_classes())
        ret[n++] = 'A';
    else
        for (const char *c = classes; *c != '\0'; c++)
            if (events & class_of(*c))
                ret[n++] = *c;
    if (events & KEYSPACE)
        ret[n++] = 'K';
    if (events & KEYEVENT)
        ret[n++] = 'E';
    ret[n] = '\0';
}

/* One message of an event. */
static void tell(struct rj_resp_host *h, const struct rj_resp_event *e, bool by_key)
{
    const struct rj_bytes name = rj_bytes_from_str(e->name);
    struct rj_resp_message m = {.bucket = e->bucket, .text = by_key ? name : e->key};
    struct rj_buf channel = {0};

    rj_buf_append_str(&channel, by_key ? "__keyspace@0__:" : "__keyevent@0__:");
    rj_buf_append(&channel, by_key ? e->key : name);
    m.channel = rj_buf_view(&channel);
    if (!channel.failed)
        (void)rj_resp_hub_deliver(h, &m, true);
    rj_buf_done(&channel);
}

void rj_resp_event(struct rj_resp_host *h, const struct rj_resp_event *e)
{
    if (!(h->events & class_of(e->letter)) || h->hub.topics.count == 0)
        return;
    if (h->events & KEYSPACE)
        tell(h, e, true);
    if (h->events & KEYEVENT)
        tell(h, e, false);
}

void rj_resp_event_send(const struct rj_resp_call *c, char letter, const char *name,
                        struct rj_bytes key)
{
    struct rj_resp_host *h = c->s->host;
    const struct rj_resp_event e = {.bucket =
                                        rj_bytes_from_str(h->ops->bucket_name(h, c->s)),
                                    .letter = letter,
                                    .name = name,
                                    .key = key};

    rj_resp_event(h, &e);
}

void rj_resp_cmd_event_gone(const struct rj_resp_call *c, size_t i)
{
    if (rj_resp_events_on(c->s->host) &&
        rj_bucket_type(c->bucket, c->argv[i]) == RJ_TYPE_NONE)
        rj_resp_event_send(c, 'g', "del", c->argv[i]);
}
