/* SPDX-License-Identifier: Apache-2.0 */
/* Who has subscribed to what, and how a message reaches them. A topic is a channel, a
 * pattern or a shard channel of one bucket; it exists as long as somebody has subscribed
 * to it. A message goes into the output of each session at once, or, while that is making
 * a reply (it publishes to itself), behind that. Who does not read what comes is cut: a
 * message that waits for the slowest would stop everybody else. */
#include "base/alloc.h"
#include "face/resp_cmd.h"
#include "face/resp_glob.h"

struct subscription;

struct rj_resp_heard {
    struct rj_map_node node; /* in the hub */
    struct subscription *first;
    size_t count;
    size_t name; /* where in key it begins */
    size_t len;
    uint8_t key[]; /* topic, bucket, NUL, name */
};

struct subscription {
    struct rj_map_node node; /* in the session */
    struct rj_resp_heard *heard;
    struct rj_resp *session;
    struct subscription *next, *prev; /* of the same topic */
};

static struct rj_bytes heard_key(const struct rj_map_node *node)
{
    const struct rj_resp_heard *heard =
        RJ_MAP_ENTRY_CONST(node, struct rj_resp_heard, node);

    return rj_bytes_of(heard->key, heard->len);
}

static struct rj_bytes subscription_key(const struct rj_map_node *node)
{
    return heard_key(&RJ_MAP_ENTRY_CONST(node, struct subscription, node)->heard->node);
}

/* The key of a topic; failed when there is no memory. */
static struct rj_buf key_of(enum rj_resp_topic topic, struct rj_bytes bucket,
                            struct rj_bytes name)
{
    struct rj_buf key = {0};

    rj_buf_u8(&key, (uint8_t)topic);
    rj_buf_append(&key, bucket);
    rj_buf_u8(&key, 0); /* no bucket's name has one */
    rj_buf_append(&key, name);
    return key;
}

static struct rj_resp_heard *find(const struct rj_resp_host *h, const struct rj_buf *key)
{
    struct rj_map_node *node =
        key->failed ? NULL : rj_map_find(&h->hub.topics, rj_buf_view(key));

    return node != NULL ? RJ_MAP_ENTRY(node, struct rj_resp_heard, node) : NULL;
}

/* ---- subscribing */

static struct rj_resp_heard *heard_new(struct rj_resp_host *h, const struct rj_buf *key,
                                       size_t name)
{
    struct rj_resp_heard *heard = rj_alloc_zero(1, sizeof(*heard) + key->len);

    if (heard == NULL)
        return NULL;
    heard->name = name;
    heard->len = key->len;
    memcpy(heard->key, key->ptr, key->len);
    if (h->hub.topics.key == NULL)
        rj_map_init(&h->hub.topics, heard_key);
    if (rj_map_insert(&h->hub.topics, &heard->node) != NULL) {
        free(heard); /* it was looked for before: this cannot be */
        return NULL;
    }
    return heard;
}

static size_t *counter(struct rj_resp *s, enum rj_resp_topic topic)
{
    return topic == RJ_RESP_SHARD ? &s->subs.shards : &s->subs.channels;
}

static enum rj_err subscribe(struct rj_resp *s, const struct rj_buf *key, size_t name)
{
    struct rj_resp_heard *heard = find(s->host, key);
    struct subscription *sub = rj_alloc_zero(1, sizeof(*sub));

    if (heard == NULL && sub != NULL)
        heard = heard_new(s->host, key, name);
    if (heard == NULL || sub == NULL) {
        free(sub);
        return RJ_ENOMEM;
    }
    sub->heard = heard;
    sub->session = s;
    sub->next = heard->first;
    if (sub->next != NULL)
        sub->next->prev = sub;
    heard->first = sub;
    heard->count++;
    if (rj_map_insert(&s->subs.held, &sub->node) == NULL)
        ++*counter(s, (enum rj_resp_topic)heard->key[0]);
    return RJ_OK;
}

enum rj_err rj_resp_hub_add(struct rj_resp *s, enum rj_resp_topic topic,
                            struct rj_bytes bucket, struct rj_bytes name)
{
    struct rj_buf key = key_of(topic, bucket, name);
    enum rj_err err = rj_buf_err(&key);

    if (s->subs.held.key == NULL)
        rj_map_init(&s->subs.held, subscription_key);
    if (err != RJ_OK || rj_map_find(&s->subs.held, rj_buf_view(&key)) != NULL)
        goto out;
    if (s->subs.held.count >= RJ_RESP_SUBS_MAX || name.len > RJ_KEY_MAX)
        err = RJ_ELIMIT;
    else
        err = subscribe(s, &key, key.len - name.len);
out:
    rj_buf_done(&key);
    return err;
}

/* ---- leaving */

static void drop(struct subscription *sub)
{
    struct rj_resp_heard *heard = sub->heard;
    struct rj_resp *s = sub->session;

    rj_map_remove(&s->subs.held, &sub->node);
    --*counter(s, (enum rj_resp_topic)heard->key[0]);
    if (sub->next != NULL)
        sub->next->prev = sub->prev;
    if (sub->prev != NULL)
        sub->prev->next = sub->next;
    else
        heard->first = sub->next;
    free(sub);
    if (--heard->count > 0)
        return;
    rj_map_remove(&s->host->hub.topics, &heard->node);
    free(heard);
}

void rj_resp_hub_remove(struct rj_resp *s, enum rj_resp_topic topic,
                        struct rj_bytes bucket, struct rj_bytes name)
{
    struct rj_buf key = key_of(topic, bucket, name);
    struct rj_map_node *node = NULL;

    if (s->subs.held.count > 0 && !key.failed)
        node = rj_map_find(&s->subs.held, rj_buf_view(&key));
    if (node != NULL)
        drop(RJ_MAP_ENTRY(node, struct subscription, node));
    rj_buf_done(&key);
}

/* The session's first subscription to a topic of that sort. */
static struct subscription *first_of(const struct rj_resp *s, enum rj_resp_topic topic)
{
    const uint8_t sort = (uint8_t)topic;
    struct rj_map_node *node =
        s->subs.held.count > 0 ? rj_map_lower_bound(&s->subs.held, rj_bytes_of(&sort, 1))
                               : NULL;
    struct subscription *sub =
        node != NULL ? RJ_MAP_ENTRY(node, struct subscription, node) : NULL;

    return sub != NULL && sub->heard->key[0] == sort ? sub : NULL;
}

bool rj_resp_hub_has(const struct rj_resp *s, enum rj_resp_topic topic)
{
    return first_of(s, topic) != NULL;
}

bool rj_resp_hub_remove_any(struct rj_resp *s, enum rj_resp_topic topic)
{
    struct subscription *sub = first_of(s, topic);

    if (sub == NULL)
        return false;
    rj_buf_clear(&s->scratch);
    rj_buf_append(&s->scratch, rj_resp_hub_name(sub->heard));
    drop(sub);
    return true;
}

void rj_resp_hub_leave(struct rj_resp *s)
{
    struct rj_map_node *node;

    while (s->subs.held.count > 0 && (node = rj_map_first(&s->subs.held)) != NULL)
        drop(RJ_MAP_ENTRY(node, struct subscription, node));
}

/* ---- looking */

struct rj_bytes rj_resp_hub_name(const struct rj_resp_heard *heard)
{
    return rj_bytes_of(heard->key + heard->name, heard->len - heard->name);
}

const struct rj_resp_heard *rj_resp_hub_next(const struct rj_resp_host *h,
                                             enum rj_resp_topic topic,
                                             struct rj_bytes bucket,
                                             const struct rj_resp_heard *after)
{
    struct rj_buf key = key_of(topic, bucket, rj_bytes_of(NULL, 0));
    const struct rj_resp_heard *heard = NULL;
    const struct rj_map_node *node = NULL;

    if (after != NULL)
        node = rj_map_next(&after->node);
    else if (h->hub.topics.count > 0 && !key.failed)
        node = rj_map_lower_bound(&h->hub.topics, rj_buf_view(&key));
    if (node != NULL)
        heard = RJ_MAP_ENTRY_CONST(node, struct rj_resp_heard, node);
    if (heard != NULL &&
        (heard->name != key.len || memcmp(heard->key, key.ptr, key.len) != 0))
        heard = NULL; /* of another bucket, or another sort */
    rj_buf_done(&key);
    return heard;
}

size_t rj_resp_hub_count(const struct rj_resp_host *h, enum rj_resp_topic topic,
                         struct rj_bytes bucket, struct rj_bytes name)
{
    struct rj_buf key = {0};
    const struct rj_resp_heard *heard = NULL;
    size_t n;

    if (h->hub.topics.count == 0)
        return 0;
    key = key_of(topic, bucket, name);
    heard = find(h, &key);
    n = heard != NULL ? heard->count : 0;
    rj_buf_done(&key);
    return n;
}

/* ---- messages */

static void cut(struct rj_resp *s)
{
    s->slow = s->closing = true;
    s->host->ops->pushed(s->host, s, false);
}

/* Appends one message to a session. */
static void push(struct rj_resp *s, const struct rj_resp_heard *heard,
                 const struct rj_resp_message *m, bool event)
{
    static const char *const words[] = {"message", "pmessage", "smessage"};
    struct rj_buf *out = s->executing ? &s->pushed : &s->out;
    struct rj_resp_reply r = {.buf = out, .proto = s->reply.proto};
    bool pattern = heard->key[0] == RJ_RESP_PATTERN;
    size_t room = heard->len + m->channel.len + m->text.len;

    if (s->closing)
        return;
    if (s->out.len + s->pushed.len + room > RJ_RESP_PUSH_MAX) {
        cut(s);
        return;
    }
    if (!s->executing)
        s->out.limit = 2 * (size_t)RJ_RESP_PUSH_MAX;
    rj_resp_reply_push(&r, pattern ? 4 : 3);
    rj_resp_reply_bulk_str(&r, words[heard->key[0]]);
    if (pattern)
        rj_resp_reply_bulk(&r, rj_resp_hub_name(heard));
    rj_resp_reply_bulk(&r, m->channel);
    rj_resp_reply_bulk(&r, m->text);
    if (out->failed)
        cut(s);
    else
        s->host->ops->pushed(s->host, s, event);
}

static uint64_t push_all(const struct rj_resp_heard *heard,
                         const struct rj_resp_message *m, bool event)
{
    for (struct subscription *sub = heard->first; sub != NULL; sub = sub->next)
        push(sub->session, heard, m, event);
    return heard->count;
}

static uint64_t push_matching(const struct rj_resp_host *h,
                              const struct rj_resp_message *m, bool event)
{
    const struct rj_resp_heard *heard = NULL;
    uint64_t n = 0;

    while ((heard = rj_resp_hub_next(h, RJ_RESP_PATTERN, m->bucket, heard)) != NULL) {
        uint64_t steps = RJ_RESP_TOPIC_STEPS;

        if (rj_resp_glob_match(rj_resp_hub_name(heard), m->channel, &steps))
            n += push_all(heard, m, event);
        else if (steps == 0) /* it would hold everybody up */
            for (struct subscription *sub = heard->first; sub != NULL; sub = sub->next)
                cut(sub->session);
    }
    return n;
}

uint64_t rj_resp_hub_deliver(struct rj_resp_host *h, const struct rj_resp_message *m,
                             bool event)
{
    enum rj_resp_topic topic = m->shard ? RJ_RESP_SHARD : RJ_RESP_CHANNEL;
    const struct rj_resp_heard *heard;
    struct rj_buf key;
    uint64_t n = 0;

    if (h->hub.topics.count == 0)
        return 0;
    key = key_of(topic, m->bucket, m->channel);
    heard = find(h, &key);
    rj_buf_done(&key);
    if (heard != NULL)
        n += push_all(heard, m, event);
    return m->shard ? n : n + push_matching(h, m, event);
}

uint64_t rj_resp_deliver(struct rj_resp_host *h, const struct rj_resp_message *m)
{
    return rj_resp_hub_deliver(h, m, false);
}

void rj_resp_hub_settle(struct rj_resp *s)
{
    if (s->pushed.len == 0)
        return;
    s->out.limit = s->out.len + s->pushed.len + RJ_RESP_REPLY_MAX;
    rj_buf_append(&s->out, rj_buf_view(&s->pushed));
    rj_buf_clear(&s->pushed);
    if (s->pushed.cap > RJ_RESP_KEEP)
        rj_buf_done(&s->pushed);
}

bool rj_resp_is_slow(const struct rj_resp *s)
{
    return s->slow;
}
