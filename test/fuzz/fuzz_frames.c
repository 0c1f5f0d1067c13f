/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a member sends in frames of right length and checksum, the node goes on: it
 * ends the session at most, and commits what can be loaded again. The input is payloads,
 * each behind its length (u16be); the state is being taken over from the sender. */
#include "node/frame.h"
#include "node/state.h"
#include "support/fake_env.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { PEER = 7 };

struct target {
    struct rj_test_env env, member;
    struct rj_store *store;
    struct rj_node *node;
    uint64_t now_ms;
};

static void must(enum rj_err err)
{
    if (err != RJ_OK)
        abort();
}

static void step(struct target *t, struct rj_event ev)
{
    struct rj_actions actions;
    size_t i;

    t->now_ms += 10;
    ev.now = (struct rj_now){.wall = {UINT64_C(1800000000000) + t->now_ms},
                             .mono = {t->now_ms}};
    must(rj_node_step(t->node, &ev, &actions));
    for (i = 0; i < actions.n; i++) {
        struct rj_action a = actions.items[i];

        if (a.kind != RJ_ACT_COMMIT)
            continue;
        must(t->store->ops->write(t->store, a.writes, a.durable));
        step(t, (struct rj_event){.kind = RJ_EV_COMMITTED, .commit = a.commit});
        return; /* a commit is the last action of a flush */
    }
}

static void flush(struct target *t)
{
    step(t, (struct rj_event){.kind = RJ_EV_FLUSH});
}

static void open_node(struct target *t)
{
    struct rj_node_config c = {.size = sizeof(c),
                               .env = &t->env.env,
                               .store = t->store,
                               .now = {.wall = {1}, .mono = {t->now_ms}}};

    must(rj_node_open(&c, NULL, 0, &t->node));
}

static void send(struct target *t, struct rj_bytes payload)
{
    struct rj_buf b = {0};

    rj_buf_u32be(&b, (uint32_t)payload.len);
    rj_buf_u32be(&b, (uint32_t)rj_hash_checksum(payload));
    rj_buf_append(&b, payload);
    step(t, (struct rj_event){
                .kind = RJ_EV_PEER_BYTES, .peer = PEER, .bytes = rj_buf_view(&b)});
    rj_buf_done(&b);
    flush(t);
}

/* A space; the sender is a member of it, said hello and needs to be asked for the state.
 */
static void begin(struct target *t)
{
    static const uint8_t binding[32] = {1};
    struct rj_space_opts opts = {.kind = RJ_KIND_BUCKET, .name = RJ_BYTES_LIT("s")};
    struct rj_record rec = {.kind = RJ_RECORD_ROLE, .role = RJ_ROLE_ADMIN};
    struct rj_bytes key = RJ_BYTES_OF(rec.pubkey);
    struct rj_space *s = NULL;
    struct rj_vv ahead = {0};
    struct rj_buf b = {0};

    must(rj_store_memory_open(&t->store));
    open_node(t);
    must(rj_node_space_add(t->node, &opts, (struct rj_now){{1}, {1}}, &s));
    memcpy(rec.pubkey, t->member.env.pubkey, RJ_PUBKEY_LEN);
    rj_test_env_hash(&t->env.env, &key, 1, &rec.device);
    must(rj_space_write_record(s, &rec));
    flush(t);
    step(t, (struct rj_event){.kind = RJ_EV_PEER_UP,
                              .peer = PEER,
                              .pubkey = t->member.env.pubkey,
                              .binding = binding});
    send(t, RJ_BYTES_LIT("\x85\x01\x01\x07\x60\x80"));
    must(rj_vv_put(&ahead, s->self, 9));
    rj_cbor_put_array(&b, 6);
    rj_cbor_put_uint(&b, RJ_FRAME_SPACE);
    rj_cbor_put_uint(&b, 1);
    rj_cbor_put_bytes(&b, RJ_BYTES_OF(s->id.b));
    rj_cbor_put_uint(&b, RJ_BUCKET_RULES);
    rj_vv_encode(&b, &s->origins, &ahead);
    rj_vv_encode(&b, &s->origins, &ahead);
    send(t, rj_buf_view(&b));
    rj_buf_done(&b);
    rj_vv_done(&ahead);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_reader r = rj_reader_of(rj_bytes_of(data, len));
    struct target t = {.now_ms = 1000};

    rj_test_env_init(&t.env, 1);
    rj_test_env_init(&t.member, 2);
    begin(&t);
    while (rj_reader_left(&r) >= 2) {
        uint16_t n = rj_reader_u16be(&r);
        size_t left = rj_reader_left(&r);

        send(&t, rj_reader_bytes(&r, n < left ? n : left));
    }
    t.now_ms += 10000;
    flush(&t);
    rj_node_close(t.node);
    open_node(&t);
    rj_node_close(t.node);
    t.store->ops->close(t.store);
    return 0;
}
