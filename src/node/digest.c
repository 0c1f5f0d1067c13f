/* SPDX-License-Identifier: Apache-2.0 */
/* Two nodes at one vector must have one sum. Once a link is quiet, each side tells its
 * own; a difference is an error of this program or of its storage, and is reported, never
 * repaired in silence. */
#include "node/frame.h"
#include "node/state.h"

uint64_t rj_sum_cutoff(struct rj_wall wall)
{
    return (wall.ms / RJ_SUM_SLOT_MS + 2) * RJ_SUM_SLOT_MS;
}

uint64_t rj_space_vector_hash(const struct rj_space *s)
{
    struct rj_buf b = {0};
    uint64_t hash;

    rj_vv_encode(&b, &s->origins, &s->vv);
    hash = rj_hash_checksum(rj_buf_view(&b));
    rj_buf_done(&b);
    return hash;
}

/* Nothing is under way on this side that would make a comparison meaningless. */
static bool is_quiet(const struct rj_space *s)
{
    return rj_space_is_whole(s) && s->writer.count == 0;
}

void rj_digest_pump(struct rj_node *n, struct rj_session *ss, struct rj_link *l)
{
    struct rj_space *s = l->space;
    struct rj_mono due = rj_mono_add(l->digest_at, RJ_DIGEST_MS);
    uint64_t cutoff = rj_sum_cutoff(n->now.wall);
    struct rj_sum sum;
    size_t at;

    if (!is_quiet(s) || l->apart || rj_vv_equal(&l->digest_vv, &s->vv) ||
        !rj_vv_equal(&l->received, &s->vv))
        return;
    if (n->now.mono.ms < due.ms) {
        rj_node_wake(n, due);
        return;
    }
    if (rj_vv_copy(&l->digest_vv, &s->vv) != RJ_OK)
        return; /* at the next occasion */
    l->digest_at = n->now.mono;
    s->kind->ops->sum(s->kind, (struct rj_range){0, UINT64_MAX}, NULL, cutoff, &sum);
    at = rj_frame_begin(&ss->out, RJ_FRAME_DIGEST, 5);
    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_cbor_put_uint(&ss->out, rj_space_vector_hash(s));
    rj_cbor_put_uint(&ss->out, cutoff);
    rj_cbor_put_uint(&ss->out, sum.hi);
    rj_cbor_put_uint(&ss->out, sum.lo);
    rj_frame_end(&ss->out, at);
}

void rj_digest_heard(struct rj_link *l, struct rj_reader *r, const char *peer)
{
    struct rj_space *s = l->space;
    uint64_t hash = rj_cbor_get_uint(r), cutoff = rj_cbor_get_uint(r);
    struct rj_sum theirs, mine;

    theirs.hi = rj_cbor_get_uint(r);
    theirs.lo = rj_cbor_get_uint(r);
    if (r->failed || !is_quiet(s) || l->apart || hash != rj_space_vector_hash(s))
        return;
    s->kind->ops->sum(s->kind, (struct rj_range){0, UINT64_MAX}, NULL, cutoff, &mine);
    if (mine.lo == theirs.lo && mine.hi == theirs.hi)
        return;
    s->diverged++;
    rj_node_note(s->node, RJ_NOTE_ERROR, RJ_ECORRUPT, "diverged space=%s peer=%s",
                 s->name, peer);
}
