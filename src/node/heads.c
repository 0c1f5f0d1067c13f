/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of others: signed headers without a body, which tell what their author has
 * durably. From them comes all knowledge of what members have; own ones are in cut.c. */
#include "base/cbor.h"
#include "node/state.h"

/* One dep: of a branch it tells that its author has all that this goes on from. False: it
 * is not known which origin is meant. Of a branch that is not the one here (R7) it tells
 * nothing. */
static bool note_known(struct rj_space *s, const struct rj_dep *dep, struct rj_vv *known,
                       enum rj_err *err)
{
    const struct rj_origin *items = s->origins.items;
    uint32_t d = rj_fork_locate(s, dep, RJ_ORIGIN_NONE);
    bool found = d != RJ_ORIGIN_NONE;
    bool other = found && rj_fork_contradicts(s, d, dep);
    uint64_t seq = dep->seq;

    if (!found)
        d = rj_origins_find(&s->origins, &dep->origin);
    for (; !other && *err == RJ_OK && d != RJ_ORIGIN_NONE; d = items[d].parent) {
        seq = seq < items[d].end ? seq : items[d].end;
        if (rj_vv_get(known, d) < seq)
            *err = rj_vv_put(known, d, seq);
        seq = items[d].start;
    }
    return found;
}

/* What a head tells of origins that are known. *ret_partial: it tells of others too. */
static enum rj_err decode_known(struct rj_space *s, const struct rj_header *h,
                                struct rj_vv *known, bool *ret_partial)
{
    struct rj_reader r = rj_reader_of(h->deps);
    struct rj_dep dep = {.origin = h->origin,
                         .seq = h->first - 1}; /* prev may be later */
    enum rj_err err = RJ_OK;

    *ret_partial = !note_known(s, &dep, known, &err);
    while (err == RJ_OK && rj_deps_next(&r, &dep)) {
        if (!note_known(s, &dep, known, &err))
            *ret_partial = true;
    }
    return err;
}

enum rj_err rj_heads_read_anew(struct rj_space *s)
{
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        rj_vv_clear(&s->os[o].known);
        s->os[o].head_partial = true;
    }
    return rj_heads_read_again(s);
}

enum rj_err rj_heads_read_again(struct rj_space *s)
{
    enum rj_err err = RJ_OK;
    uint32_t o;

    for (o = 0; err == RJ_OK && o < s->origins.n; o++) {
        struct rj_origin_state *os = &s->os[o];
        struct rj_reader r = rj_reader_of(rj_buf_view(&os->head));
        struct rj_vv known = {0};
        struct rj_header h;

        if (os->head.len == 0 || !os->head_partial)
            continue;
        err = rj_header_get(rj_cbor_get_bytes(&r), &h);
        if (err == RJ_OK)
            err = decode_known(s, &h, &known, &os->head_partial);
        if (err == RJ_OK)
            err = rj_vv_join(&os->known, &known);
        os->dirty = true;
        rj_vv_done(&known);
    }
    return err;
}

/* The heads of former origins of a device tell nothing any more once a head of a later
 * one tells as much; kept, they would grow with the square of the number of openings. */
static void forget_heads(struct rj_space *s, uint32_t by)
{
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        struct rj_origin_state *os = &s->os[o];

        if (o == by || os->head.len == 0 || os->device != s->os[by].device ||
            s->origins.items[o].replaced_by == RJ_ORIGIN_NONE ||
            !rj_vv_covers(&s->os[by].known, &os->known))
            continue;
        rj_vv_done(&os->known);
        rj_buf_done(&os->head);
        os->dirty = true;
    }
}

/* Who signed a head has what it tells: another branch of an origin than is here, perhaps
 * (R7); or another process of that device has. Again with each connection, for the answer
 * to a question may have been lost. */
static void compare(struct rj_space *s, const struct rj_header *h, uint32_t o,
                    struct rj_session *from)
{
    struct rj_reader r = rj_reader_of(h->deps);
    struct rj_dep dep;

    if (memcmp(from->device.b, s->members.items[s->os[o].device].id.b, RJ_DIGEST_LEN) !=
        0)
        return;
    while (rj_deps_next(&r, &dep)) {
        uint32_t d = rj_fork_locate(s, &dep, RJ_ORIGIN_NONE);

        if (d != RJ_ORIGIN_NONE && rj_fork_contradicts(s, d, &dep))
            rj_fork_ask(s, from, d, dep.seq);
        rj_fork_answer(s, from, &dep);
    }
}

enum rj_err rj_space_offer_head(struct rj_space *s, struct rj_bytes raw,
                                const uint8_t *sig, struct rj_session *from)
{
    struct rj_header h;
    struct rj_digest hash;
    struct rj_vv known = {0};
    struct rj_origin_state *os;
    enum rj_err err = rj_header_get(raw, &h);
    bool partial;
    uint32_t o;

    if (err != RJ_OK)
        return err;
    if (h.class != RJ_CLASS_HEAD)
        return RJ_ECORRUPT;
    o = rj_origins_find(&s->origins, &h.origin);
    if (o == RJ_ORIGIN_NONE || s->os[o].device == UINT32_MAX)
        return RJ_OK; /* its opening comes first; heads come again */
    os = &s->os[o];
    if (from != NULL && h.stamp == os->head_stamp)
        compare(s, &h, o, from);
    if (h.stamp <= os->head_stamp)
        return RJ_OK;
    rj_header_hash(s->node->env, &s->id, raw, &hash);
    if (from != NULL &&
        !s->node->env->ops->verify(s->node->env, s->members.items[os->device].pubkey,
                                   RJ_BYTES_OF(hash.b), sig))
        return RJ_EAUTH;
    if (from != NULL && o == s->self) {
        rj_fork_cloned(s);
        return RJ_OK;
    }
    err = decode_known(s, &h, &known, &partial);
    if (err == RJ_OK) {
        rj_vv_done(&os->known);
        os->known = known;
        os->head_stamp = h.stamp;
        os->head_partial = partial;
        os->dirty = true;
        s->dirty = true;
        if (h.stamp > s->clock)
            s->clock = h.stamp;
        rj_buf_clear(&os->head);
        rj_cbor_put_bytes(&os->head, raw);
        rj_cbor_put_bytes(&os->head, rj_bytes_of(sig, RJ_SIG_LEN));
        err = rj_buf_err(&os->head);
        if (from != NULL)
            compare(s, &h, o, from);
        forget_heads(s, o);
    } else {
        rj_vv_done(&known);
    }
    return err;
}
