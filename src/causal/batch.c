/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of headers, batches, dictionaries and vectors: deterministic CBOR, so that a
 * header has one encoding and can be hashed, chained and signed as bytes. What is read is
 * checked in full before any of it is used. */
#include "causal/batch.h"

#include "base/alloc.h"
#include "base/cbor.h"
#include "causal/kind.h"
#include "causal/stamp.h"

enum { HEADER_FIELDS = 10 };

static const struct rj_digest zero_digest;

void rj_deps_put(struct rj_buf *b, const struct rj_dep *dep)
{
    rj_cbor_put_bytes(b, RJ_BYTES_OF(dep->origin.b));
    rj_cbor_put_uint(b, dep->seq);
    rj_cbor_put_bytes(b, RJ_BYTES_OF(dep->hash));
}

bool rj_deps_next(struct rj_reader *r, struct rj_dep *ret_dep)
{
    if (rj_reader_left(r) == 0)
        return false;
    rj_cbor_get_fixed(r, ret_dep->origin.b, RJ_ORIGIN_LEN);
    ret_dep->seq = rj_cbor_get_uint(r);
    rj_cbor_get_fixed(r, ret_dep->hash, RJ_DEP_HASH_LEN);
    return !r->failed;
}

static void put_digest(struct rj_buf *b, const struct rj_digest *d)
{
    bool none = memcmp(d->b, zero_digest.b, sizeof(d->b)) == 0;

    rj_cbor_put_bytes(b, rj_bytes_of(d->b, none ? 0 : sizeof(d->b)));
}

static void get_digest(struct rj_reader *r, struct rj_digest *ret)
{
    struct rj_bytes b = rj_cbor_get_bytes(r);

    *ret = zero_digest;
    if (b.len == sizeof(ret->b))
        memcpy(ret->b, b.ptr, b.len);
    if (b.len != 0 &&
        (b.len != sizeof(ret->b) || memcmp(ret->b, zero_digest.b, sizeof(ret->b)) == 0))
        rj_reader_fail(r);
}

void rj_header_put(struct rj_buf *b, const struct rj_header *h)
{
    rj_cbor_put_array(b, HEADER_FIELDS);
    rj_cbor_put_uint(b, RJ_BATCH_FORMAT);
    rj_cbor_put_uint(b, h->class);
    rj_cbor_put_bytes(b, RJ_BYTES_OF(h->origin.b));
    rj_cbor_put_uint(b, h->first);
    rj_cbor_put_uint(b, h->count);
    put_digest(b, &h->prev);
    put_digest(b, &h->body);
    rj_cbor_put_array(b, h->n_deps * 3);
    rj_buf_append(b, h->deps);
    rj_cbor_put_uint(b, h->stamp);
    rj_cbor_put_uint(b, h->wall_ms);
}

/* Passes over n deps, checks their order. */
static void get_deps(struct rj_reader *r, size_t n, struct rj_header *ret)
{
    struct rj_origin_id last = {{0}};
    struct rj_dep dep;
    size_t i;

    ret->deps.ptr = r->ptr;
    ret->n_deps = n;
    for (i = 0; i < n && rj_deps_next(r, &dep); i++) {
        if ((i > 0 && memcmp(last.b, dep.origin.b, RJ_ORIGIN_LEN) >= 0) || dep.seq == 0 ||
            dep.seq > RJ_SEQ_MAX)
            rj_reader_fail(r);
        last = dep.origin;
    }
    ret->deps.len = r->failed ? 0 : (size_t)(r->ptr - ret->deps.ptr);
}

static bool is_sane(const struct rj_header *h)
{
    bool head = h->class == RJ_CLASS_HEAD;
    bool no_body = memcmp(h->body.b, zero_digest.b, sizeof(h->body.b)) == 0;
    bool no_prev = memcmp(h->prev.b, zero_digest.b, sizeof(h->prev.b)) == 0;

    if (h->class > RJ_CLASS_DATA || h->first == 0 || !rj_stamp_is_valid(h->stamp))
        return false;
    if (h->count > RJ_BATCH_WRITES_MAX || h->first > RJ_SEQ_MAX ||
        (h->count > 0 && h->count - 1 > RJ_SEQ_MAX - h->first))
        return false;
    if (head != (h->count == 0) || head != no_body || (h->first == 1) != no_prev)
        return false;
    return h->class != RJ_CLASS_MEMBER || h->count == 1;
}

enum rj_err rj_header_get(struct rj_bytes raw, struct rj_header *ret)
{
    struct rj_reader r = rj_reader_of(raw);
    struct rj_header h = {0};
    size_t fields = rj_cbor_get_array(&r), n;
    uint64_t version = rj_cbor_get_uint(&r), class, count;

    if (!r.failed && version != RJ_BATCH_FORMAT)
        return RJ_EVERSION; /* of other fields, maybe */
    if (fields != HEADER_FIELDS)
        return RJ_ECORRUPT;
    class = rj_cbor_get_uint(&r);
    rj_cbor_get_fixed(&r, h.origin.b, RJ_ORIGIN_LEN);
    h.first = rj_cbor_get_uint(&r);
    count = rj_cbor_get_uint(&r);
    get_digest(&r, &h.prev);
    get_digest(&r, &h.body);
    n = rj_cbor_get_array(&r);
    if (n % 3 != 0 || n / 3 > RJ_ORIGINS_MAX)
        return RJ_ECORRUPT;
    get_deps(&r, n / 3, &h);
    h.stamp = rj_cbor_get_uint(&r);
    h.wall_ms = rj_cbor_get_uint(&r);
    if (!rj_reader_complete(&r) || class > RJ_CLASS_DATA || count > RJ_BATCH_WRITES_MAX)
        return RJ_ECORRUPT;
    h.class = (enum rj_batch_class) class;
    h.count = (uint32_t)count;
    if (!is_sane(&h))
        return RJ_ECORRUPT;
    *ret = h;
    return RJ_OK;
}

void rj_header_hash(struct rj_env *env, const struct rj_digest *space,
                    struct rj_bytes raw, struct rj_digest *ret_hash)
{
    struct rj_bytes parts[3] = {RJ_BYTES_LIT("rejoin header"), RJ_BYTES_OF(space->b),
                                raw};

    env->ops->hash(env, parts, 3, ret_hash);
}

void rj_batch_put(struct rj_buf *b, const struct rj_batch *batch)
{
    rj_cbor_put_array(b, 3);
    rj_cbor_put_bytes(b, batch->raw);
    rj_cbor_put_bytes(b, RJ_BYTES_OF(batch->sig));
    rj_cbor_put_bytes(b, batch->body);
}

enum rj_err rj_batch_get(struct rj_reader *r, struct rj_env *env,
                         const struct rj_digest *space, bool check_body,
                         struct rj_batch *ret)
{
    struct rj_batch b = {0};
    struct rj_digest body = {{0}};
    enum rj_err err;

    rj_cbor_expect_array(r, 3);
    b.raw = rj_cbor_get_bytes(r);
    rj_cbor_get_fixed(r, b.sig, RJ_SIG_LEN);
    b.body = rj_cbor_get_bytes(r);
    if (r->failed || b.body.len > RJ_BATCH_BODY_MAX)
        return RJ_ECORRUPT;
    err = rj_header_get(b.raw, &b.header);
    if (err != RJ_OK)
        return err;
    if (b.header.class == RJ_CLASS_HEAD ? b.body.len != 0 : b.body.len == 0)
        return RJ_ECORRUPT;
    if (check_body && b.body.len > 0) {
        env->ops->hash(env, &b.body, 1, &body);
        if (memcmp(body.b, b.header.body.b, sizeof(body.b)) != 0)
            return RJ_ECORRUPT;
    }
    rj_header_hash(env, space, b.raw, &b.hash);
    *ret = b;
    return RJ_OK;
}

void rj_dict_put(struct rj_buf *b, const struct rj_origins *origins, const uint32_t *dict,
                 uint32_t n)
{
    uint32_t i;

    rj_cbor_put_array(b, n);
    for (i = 0; i < n; i++)
        rj_cbor_put_bytes(b, RJ_BYTES_OF(origins->items[dict[i]].id.b));
}

/* n origins that the table knows, none twice. */
static enum rj_err get_dict(struct rj_reader *r, const struct rj_origins *origins,
                            uint32_t *dict, size_t n)
{
    uint8_t named[RJ_ORIGINS_MAX / 8] = {0}; /* a bit for each origin */
    struct rj_origin_id id;
    size_t i;

    for (i = 0; i < n; i++) {
        rj_cbor_get_fixed(r, id.b, sizeof(id.b));
        dict[i] = r->failed ? RJ_ORIGIN_NONE : rj_origins_find(origins, &id);
        if (dict[i] >= RJ_ORIGINS_MAX || (named[dict[i] / 8] & 1u << dict[i] % 8) != 0)
            return RJ_ECORRUPT;
        named[dict[i] / 8] |= (uint8_t)(1u << dict[i] % 8);
    }
    return RJ_OK;
}

enum rj_err rj_dict_get(struct rj_reader *r, const struct rj_origins *origins,
                        uint32_t *ret_dict, uint32_t *ret_n)
{
    size_t n = rj_cbor_get_array(r);
    enum rj_err err = RJ_ECORRUPT;

    if (!r->failed && n <= RJ_BATCH_DICT_MAX)
        err = get_dict(r, origins, ret_dict, n);
    if (err == RJ_OK)
        *ret_n = (uint32_t)n;
    return err;
}

enum rj_err rj_dict_take(struct rj_reader *r, const struct rj_origins *origins,
                         uint32_t **ret_dict, uint32_t *ret_n)
{
    size_t n = rj_cbor_get_array(r);
    enum rj_err err;

    if (r->failed || n > RJ_ORIGINS_MAX)
        return RJ_ECORRUPT;
    *ret_dict = rj_alloc_array(n != 0 ? n : 1, sizeof(**ret_dict));
    if (*ret_dict == NULL)
        return RJ_ENOMEM;
    err = get_dict(r, origins, *ret_dict, n);
    if (err == RJ_OK)
        *ret_n = (uint32_t)n;
    return err;
}

void rj_vv_encode(struct rj_buf *b, const struct rj_origins *origins,
                  const struct rj_vv *v)
{
    size_t n = 0;
    uint32_t i;

    for (i = 0; i < v->n; i++)
        n += v->seq[i] != 0;
    rj_cbor_put_array(b, n * 2);
    for (i = 0; i < origins->n; i++) {
        uint32_t o = origins->order[i];

        if (rj_vv_get(v, o) == 0)
            continue;
        rj_cbor_put_bytes(b, RJ_BYTES_OF(origins->items[o].id.b));
        rj_cbor_put_uint(b, rj_vv_get(v, o));
    }
}

enum rj_err rj_vv_decode(struct rj_reader *r, const struct rj_origins *origins,
                         struct rj_vv *v, size_t *ret_unknown)
{
    size_t n = rj_cbor_get_array(r), unknown = 0, i;
    struct rj_origin_id id, last = {{0}};
    uint64_t seq;

    rj_vv_clear(v);
    if (r->failed || n % 2 != 0)
        return RJ_ECORRUPT;
    if (n / 2 > RJ_ORIGINS_MAX)
        return RJ_ELIMIT;
    for (i = 0; i < n / 2; i++) {
        uint32_t o;

        rj_cbor_get_fixed(r, id.b, sizeof(id.b));
        seq = rj_cbor_get_uint(r);
        if (r->failed || seq == 0 || seq > RJ_SEQ_MAX ||
            (i > 0 && memcmp(last.b, id.b, sizeof(id.b)) >= 0))
            return RJ_ECORRUPT;
        last = id;
        o = rj_origins_find(origins, &id);
        if (o == RJ_ORIGIN_NONE) {
            unknown++;
            continue;
        }
        if (seq > origins->items[o].end) { /* of a branch that is not named (R7) */
            unknown++;
            seq = origins->items[o].end;
        }
        if (rj_vv_put(v, o, seq) != RJ_OK)
            return RJ_ENOMEM;
    }
    if (ret_unknown != NULL)
        *ret_unknown = unknown;
    return RJ_OK;
}
