/* SPDX-License-Identifier: Apache-2.0 */
/* A few whole nodes in one thread, on stores in memory, with virtual time and connections
 * that keep count of frames; and connections whose far end is the test itself, which then
 * writes and reads frames by hand. */
#ifndef RJ_TEST_NODES_H
#define RJ_TEST_NODES_H

#include "node/frame.h"
#include "node/state.h"
#include "support/fake_env.h"
#include "support/test.h"

enum {
    NODES_MAX = 3,
    WIRES_MAX = 4,
    FRAME_TYPES = RJ_FRAME_APART + 1,
    HAND = -1,
    TURN_MS = 10,
    PIECE = 50000 /* bytes that a node reads at once */
};

/* Frames that one side sent. */
struct sent {
    uint64_t count[FRAME_TYPES], bytes[FRAME_TYPES];
    size_t longest;
};

struct wire {
    bool open, has_binding;
    int node[2]; /* HAND: the test */
    uint64_t peer[2];
    struct rj_buf to[2]; /* on the way to that side */
    struct sent by[2];
    enum rj_err closed[2]; /* RJ_ERR_COUNT: that side did not close it */
};

struct host {
    struct rj_test_env env;
    struct rj_store *store;
    struct rj_node *node; /* NULL: down */
    struct rj_limits limits;
};

struct nodes {
    struct host host[NODES_MAX];
    struct wire wire[WIRES_MAX];
    struct rj_test_env hand; /* the device of the test */
    uint64_t now_ms, next_peer;
};

static inline struct rj_now nodes_now(const struct nodes *t)
{
    return (struct rj_now){.wall = {UINT64_C(1800000000000) + t->now_ms},
                           .mono = {t->now_ms}};
}

static inline struct nodes *nodes_new(void)
{
    struct nodes *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    t->now_ms = 1000;
    for (uint64_t i = 0; i < NODES_MAX; i++)
        rj_test_env_init(&t->host[i].env, 100 + i);
    rj_test_env_init(&t->hand, 99);
    return t;
}

static inline struct rj_digest nodes_device(struct rj_test_env *env)
{
    struct rj_bytes key = RJ_BYTES_OF(env->env.pubkey);
    struct rj_digest id;

    rj_test_env_hash(&env->env, &key, 1, &id);
    return id;
}

static inline enum rj_err nodes_try_open(struct nodes *t, int i)
{
    struct host *h = &t->host[i];
    struct rj_node_config c = {.size = sizeof(c),
                               .env = &h->env.env,
                               .seed = 7,
                               .now = nodes_now(t),
                               .name = RJ_BYTES_LIT("host"),
                               .limits = h->limits};

    if (h->store == NULL)
        assert_ok(rj_store_memory_open(&h->store));
    c.store = h->store;
    return rj_node_open(&c, NULL, 0, &h->node);
}

static inline void nodes_open(struct nodes *t, int i)
{
    assert_ok(nodes_try_open(t, i));
}

static inline void nodes_close(struct nodes *t, int i)
{
    rj_node_close(t->host[i].node);
    t->host[i].node = NULL;
}

static inline void nodes_free(struct nodes *t)
{
    for (int i = 0; i < NODES_MAX; i++) {
        nodes_close(t, i);
        if (t->host[i].store != NULL)
            t->host[i].store->ops->close(t->host[i].store);
    }
    for (size_t k = 0; k < WIRES_MAX; k++) {
        rj_buf_done(&t->wire[k].to[0]);
        rj_buf_done(&t->wire[k].to[1]);
    }
    free(t);
}

/* Counts the frames in bytes, which holds whole ones. */
static inline void nodes_count(struct sent *s, struct rj_bytes bytes)
{
    while (bytes.len > 0) {
        size_t len = rj_be_load32(bytes.ptr);
        struct rj_reader r;
        uint64_t type;

        assert_true(bytes.len >= RJ_FRAME_HEAD && bytes.len - RJ_FRAME_HEAD >= len);
        r = rj_reader_of(rj_bytes_of(bytes.ptr + RJ_FRAME_HEAD, len));
        (void)rj_cbor_get_array(&r);
        type = rj_cbor_get_uint(&r);
        assert_true(type < FRAME_TYPES);
        s->count[type]++;
        s->bytes[type] += len;
        s->longest = len > s->longest ? len : s->longest;
        bytes = rj_bytes_skip(bytes, RJ_FRAME_HEAD + len);
    }
}

static inline struct wire *nodes_wire(struct nodes *t, int i, uint64_t peer, int *side)
{
    for (size_t k = 0; k < WIRES_MAX; k++) {
        for (*side = 0; *side < 2; ++*side) {
            if (t->wire[k].node[*side] == i && t->wire[k].peer[*side] == peer)
                return &t->wire[k];
        }
    }
    return NULL;
}

static inline void nodes_step(struct nodes *t, int i, struct rj_event ev);

static inline void nodes_act(struct nodes *t, int i, const struct rj_action *a)
{
    struct host *h = &t->host[i];
    struct rj_event ev = {.kind = RJ_EV_COMMITTED, .commit = a->commit};
    struct wire *w;
    int side;

    switch (a->kind) {
    case RJ_ACT_SEND:
        w = nodes_wire(t, i, a->peer, &side);
        assert_non_null(w);
        nodes_count(&w->by[side], a->bytes);
        rj_buf_append(&w->to[1 - side], a->bytes);
        break;
    case RJ_ACT_CLOSE:
        w = nodes_wire(t, i, a->peer, &side);
        assert_non_null(w);
        w->closed[side] = a->err;
        break;
    case RJ_ACT_COMMIT:
        assert_ok(h->store->ops->write(h->store, a->writes, a->durable));
        nodes_step(t, i, ev);
        break;
    case RJ_ACT_NOTE:
    case RJ_ACT_CAST:
    case RJ_ACT_RELAY:
        break;
    }
}

static inline void nodes_step(struct nodes *t, int i, struct rj_event ev)
{
    struct rj_actions actions;
    struct rj_action copy[64];
    size_t n;

    ev.now = nodes_now(t);
    assert_ok(rj_node_step(t->host[i].node, &ev, &actions));
    n = actions.n;
    assert_true(n <= 64);
    if (n > 0)
        memcpy(copy, actions.items, n * sizeof(copy[0]));
    for (size_t k = 0; k < n; k++) { /* commits last: their events are steps themselves */
        if (copy[k].kind != RJ_ACT_COMMIT)
            nodes_act(t, i, &copy[k]);
    }
    for (size_t k = 0; k < n; k++) {
        if (copy[k].kind == RJ_ACT_COMMIT)
            nodes_act(t, i, &copy[k]);
    }
}

static inline void nodes_flush(struct nodes *t, int i)
{
    nodes_step(t, i, (struct rj_event){.kind = RJ_EV_FLUSH});
}

/* Connects a node (side 0) with another one or with the test (HAND). */
static inline struct wire *nodes_connect(struct nodes *t, int a, int b)
{
    static const uint8_t binding[32] = {1, 2, 3};
    struct wire *w = NULL;

    for (size_t k = 0; k < WIRES_MAX && w == NULL; k++)
        w = !t->wire[k].open ? &t->wire[k] : NULL;
    assert_non_null(w);
    *w = (struct wire){.open = true,
                       .node = {a, b},
                       .peer = {t->next_peer + 1, t->next_peer + 2},
                       .closed = {RJ_ERR_COUNT, RJ_ERR_COUNT}};
    t->next_peer += 2;
    for (int side = 0; side < 2; side++) {
        int other = w->node[1 - side];
        struct rj_env *env = other == HAND ? &t->hand.env : &t->host[other].env.env;

        if (w->node[side] != HAND)
            nodes_step(t, w->node[side],
                       (struct rj_event){.kind = RJ_EV_PEER_UP,
                                         .peer = w->peer[side],
                                         .pubkey = env->pubkey,
                                         .binding = binding,
                                         .dialled = side == 0});
    }
    return w;
}

static inline void nodes_cut(struct nodes *t, struct wire *w)
{
    for (int side = 0; side < 2; side++) {
        if (w->node[side] != HAND && t->host[w->node[side]].node != NULL)
            nodes_step(t, w->node[side],
                       (struct rj_event){.kind = RJ_EV_PEER_DOWN, .peer = w->peer[side]});
        rj_buf_done(&w->to[side]);
    }
    w->open = false;
}

/* Delivers what is on the way, lets every node flush, passes some time. */
static inline void nodes_turn(struct nodes *t)
{
    t->now_ms += TURN_MS;
    for (size_t k = 0; k < WIRES_MAX; k++) {
        for (int side = 0; side < 2; side++) {
            struct wire *w = &t->wire[k];
            struct rj_buf b = w->to[side];

            if (!w->open || w->node[side] == HAND || b.len == 0)
                continue;
            w->to[side] = (struct rj_buf){0};
            for (size_t at = 0; at < b.len; at += PIECE)
                nodes_step(
                    t, w->node[side],
                    (struct rj_event){.kind = RJ_EV_PEER_BYTES,
                                      .peer = w->peer[side],
                                      .bytes = rj_bytes_first(
                                          rj_bytes_skip(rj_buf_view(&b), at), PIECE)});
            rj_buf_done(&b);
        }
    }
    for (int i = 0; i < NODES_MAX; i++) {
        if (t->host[i].node != NULL)
            nodes_flush(t, i);
    }
}

static inline void nodes_run(struct nodes *t, uint64_t ms)
{
    for (uint64_t end = t->now_ms + ms; t->now_ms < end;)
        nodes_turn(t);
}

static inline struct rj_space *nodes_space(struct nodes *t, int i)
{
    return rj_node_space(t->host[i].node, RJ_BYTES_LIT("s"));
}

static inline struct rj_bucket *nodes_bucket(struct nodes *t, int i)
{
    return rj_space_bucket(nodes_space(t, i), nodes_now(t));
}

static inline struct rj_space *nodes_add_space(struct nodes *t, int i)
{
    struct rj_space_opts opts = {.kind = RJ_KIND_BUCKET,
                                 .name = RJ_BYTES_LIT("s"),
                                 .durability = RJ_DURABLE_SECOND};
    struct rj_space *s = NULL;

    assert_ok(rj_node_space_add(t->host[i].node, &opts, nodes_now(t), &s));
    nodes_run(t, 1000);
    return s;
}

/* Node i makes that device a member of its space. */
static inline void nodes_admit(struct nodes *t, int i, struct rj_test_env *device)
{
    struct rj_record rec = {.kind = RJ_RECORD_ROLE,
                            .device = nodes_device(device),
                            .name = RJ_BYTES_LIT("member"),
                            .role = RJ_ROLE_ADMIN};

    memcpy(rec.pubkey, device->env.pubkey, RJ_PUBKEY_LEN);
    assert_ok(rj_space_write_record(nodes_space(t, i), &rec));
}

/* Node b asks to be let in by node a; they must be connected. */
static inline void nodes_join(struct nodes *t, int a, int b)
{
    struct rj_invite_opts opts = {
        .role = RJ_ROLE_WRITER, .uses = 1, .expires_ms = UINT64_MAX};
    struct rj_digest inviter = nodes_device(&t->host[a].env);
    uint8_t secret[RJ_SECRET_LEN];

    assert_ok(rj_node_invite(t->host[a].node, &opts, nodes_now(t), secret));
    assert_ok(rj_node_join(t->host[b].node, &inviter, secret));
}

static inline bool nodes_is_whole(struct nodes *t, int i)
{
    struct rj_space *s = nodes_space(t, i);
    struct rj_space_info info;

    if (s == NULL)
        return false;
    rj_space_info(s, nodes_now(t), &info);
    return !info.joining;
}

static inline bool nodes_agree(struct nodes *t, int a, int b)
{
    struct rj_space_info x, y;

    if (!nodes_is_whole(t, a) || !nodes_is_whole(t, b))
        return false;
    rj_space_info(nodes_space(t, a), nodes_now(t), &x);
    rj_space_info(nodes_space(t, b), nodes_now(t), &y);
    return x.vector_hash == y.vector_hash && x.digest.lo == y.digest.lo &&
           x.digest.hi == y.digest.hi && x.keys == y.keys;
}

static inline void nodes_until_agreed(struct nodes *t, int a, int b)
{
    for (int i = 0; i < 6000 && !nodes_agree(t, a, b); i++)
        nodes_turn(t);
    assert_true(nodes_agree(t, a, b));
}

/* ---- frames by hand */

/* Ends the frame that begins in b at `at`, as rj_frame_end, whatever it holds. */
static inline void hand_end(struct rj_buf *b, size_t at)
{
    struct rj_bytes payload =
        rj_bytes_of(b->ptr + at + RJ_FRAME_HEAD, b->len - at - RJ_FRAME_HEAD);

    rj_be_store32(b->ptr + at, (uint32_t)payload.len);
    rj_be_store32(b->ptr + at + 4, (uint32_t)rj_hash_checksum(payload));
}

static inline void hand_send(struct nodes *t, struct wire *w, struct rj_bytes payload)
{
    struct rj_buf *b = &w->to[0];
    size_t at = b->len;

    rj_buf_u64be(b, 0);
    rj_buf_append(b, payload);
    assert_ok(rj_buf_err(b));
    hand_end(b, at);
    nodes_turn(t);
}

static inline void hand_hello(struct nodes *t, struct wire *w)
{
    struct rj_buf b = {0};

    rj_cbor_put_array(&b, 5);
    rj_cbor_put_uint(&b, 1);
    rj_cbor_put_uint(&b, RJ_PROTOCOL);
    rj_cbor_put_uint(&b, nodes_now(t).wall.ms);
    rj_cbor_put_text(&b, RJ_BYTES_LIT("hand"));
    rj_cbor_put_array(&b, 0);
    hand_send(t, w, rj_buf_view(&b));
    rj_buf_done(&b);
}

/* SPACE with number 1 and what the log of the test's device has lost. */
static inline void hand_space(struct nodes *t, struct wire *w, struct rj_space *s,
                              const struct rj_vv *have, const struct rj_vv *truncated)
{
    struct rj_buf b = {0};

    rj_cbor_put_array(&b, 6);
    rj_cbor_put_uint(&b, 2);
    rj_cbor_put_uint(&b, 1);
    rj_cbor_put_bytes(&b, RJ_BYTES_OF(s->id.b));
    rj_cbor_put_uint(&b, RJ_BUCKET_RULES);
    rj_vv_encode(&b, &s->origins, have);
    rj_vv_encode(&b, &s->origins, truncated);
    hand_send(t, w, rj_buf_view(&b));
    rj_buf_done(&b);
}

/* A batch of the device of env, signed: body may be a record or a data body. */
struct hand_batch {
    enum rj_batch_class class;
    struct rj_origin_id origin;
    uint64_t first;
    uint32_t count;
    struct rj_digest prev;
    uint64_t stamp;
};

static inline void hand_batch(struct rj_test_env *env, const struct rj_digest *space,
                              const struct hand_batch *h, struct rj_bytes body,
                              struct rj_buf *out, struct rj_digest *ret_hash)
{
    struct rj_header header = {.class = h->class,
                               .origin = h->origin,
                               .first = h->first,
                               .count = h->count,
                               .prev = h->prev,
                               .stamp = h->stamp,
                               .wall_ms = 1};
    struct rj_batch b = {.body = body};
    struct rj_buf raw = {0};

    rj_test_env_hash(&env->env, &body, 1, &header.body);
    rj_header_put(&raw, &header);
    b.raw = rj_buf_view(&raw);
    rj_header_hash(&env->env, space, b.raw, &b.hash);
    assert_ok(rj_test_env_sign(&env->env, RJ_BYTES_OF(b.hash.b), b.sig));
    rj_batch_put(out, &b);
    assert_ok(rj_buf_err(out));
    if (ret_hash != NULL)
        *ret_hash = b.hash;
    rj_buf_done(&raw);
}

/* The opening of one more incarnation of that device. */
static inline struct rj_origin_id
hand_opening(struct rj_test_env *env, const struct rj_digest *space, uint64_t incarnation,
             const struct rj_origin_id *replaces, struct rj_buf *out,
             struct rj_digest *ret_hash)
{
    struct rj_record rec = {
        .kind = RJ_RECORD_OPEN, .device = nodes_device(env), .incarnation = incarnation};
    struct hand_batch h = {.class = RJ_CLASS_MEMBER, .first = 1, .count = 1};
    struct rj_buf body = {0};

    memcpy(rec.pubkey, env->env.pubkey, RJ_PUBKEY_LEN);
    if (replaces != NULL)
        rec.replaces = *replaces;
    rj_origin_id_make(&env->env, &rec.device, incarnation, &h.origin);
    h.stamp = (UINT64_C(1800000000000) << 16) + incarnation % 65536;
    rj_record_put(&body, &rec);
    assert_ok(rj_buf_err(&body));
    hand_batch(env, space, &h, rj_buf_view(&body), out, ret_hash);
    rj_buf_done(&body);
    return h.origin;
}

#endif
