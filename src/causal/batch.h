/* SPDX-License-Identifier: Apache-2.0 */
/* The batch: the unit of signing, delivery, truncation and atomicity. Its header names
 * origin, sequences, the hash of the previous batch header of that origin, the hash of
 * the body and what its author had seen (deps). A header without a body, a head, says
 * what its author has durably: one record for acknowledgement, knowledge, seal and
 * proof. Layout: doc/format.md, "Batch". */
#ifndef RJ_CAUSAL_BATCH_H
#define RJ_CAUSAL_BATCH_H

#include "base/buf.h"
#include "base/reader.h"
#include "causal/origin.h"

enum { RJ_BATCH_FORMAT = 1, RJ_DEP_HASH_LEN = 8 };

enum rj_batch_class {
    RJ_CLASS_HEAD = 0,   /* no body: deps are all that its author has durably */
    RJ_CLASS_MEMBER = 1, /* body: one membership record */
    RJ_CLASS_DATA = 2    /* body: writes of the space's kind */
};

/* One entry of deps: everything of origin up to seq, whose batch header's hash begins
 * with hash (zero: not known to the author). */
struct rj_dep {
    struct rj_origin_id origin;
    uint64_t seq;
    uint8_t hash[RJ_DEP_HASH_LEN];
};

struct rj_header {
    enum rj_batch_class class;
    struct rj_origin_id origin;
    uint64_t first;        /* sequence of the first write; of a head: own sequence + 1 */
    uint32_t count;        /* writes; 0 for a head */
    struct rj_digest prev; /* hash of the batch header that ends at first - 1; 0: none */
    struct rj_digest body; /* SHA-256 of the body; 0 for a head */
    uint64_t stamp;
    uint64_t wall_ms;
    struct rj_bytes deps; /* encoded entries; a batch: those that changed since its prev;
                             a head: all. Walk with rj_deps_next. */
    size_t n_deps;
};

static inline uint64_t rj_header_last(const struct rj_header *h)
{
    return h->first + h->count - 1;
}

/* A batch as it travels and lies in the log. */
struct rj_batch {
    struct rj_header header;
    struct rj_bytes raw; /* the encoded header, what is hashed and signed */
    struct rj_bytes body;
    uint8_t sig[RJ_SIG_LEN];
    struct rj_digest hash; /* of the header, see rj_header_hash */
};

/* Appends one dep to an encoding in progress. */
void rj_deps_put(struct rj_buf *b, const struct rj_dep *dep);
/* Reads the next of h->deps; r starts as rj_reader_of(h->deps). False at the end. */
bool rj_deps_next(struct rj_reader *r, struct rj_dep *ret_dep);

/* Appends the encoding of h; h->deps holds n_deps entries made by rj_deps_put. */
void rj_header_put(struct rj_buf *b, const struct rj_header *h);
/* Decodes exactly raw, borrowed. RJ_ECORRUPT: malformed, a count or sequence out of its
 * limits, deps not ascending by origin id, a stamp that is none. RJ_EVERSION: another
 * format, whatever follows its number. */
RJ_NODISCARD enum rj_err rj_header_get(struct rj_bytes raw, struct rj_header *ret);
/* SHA-256("rejoin header" || space id || raw): what is chained and signed. */
void rj_header_hash(struct rj_env *env, const struct rj_digest *space,
                    struct rj_bytes raw, struct rj_digest *ret_hash);

/* Appends [raw header, signature, body]. */
void rj_batch_put(struct rj_buf *b, const struct rj_batch *batch);
/* Decodes what rj_batch_put wrote, borrowed from r's bytes, checks the header's form and,
 * with check_body, the hash of the body; computes hash. Signature and right are the
 * caller's. RJ_ECORRUPT, RJ_EVERSION. */
RJ_NODISCARD enum rj_err rj_batch_get(struct rj_reader *r, struct rj_env *env,
                                      const struct rj_digest *space, bool check_body,
                                      struct rj_batch *ret);

/* A data body is [dictionary of origin ids] followed by the writes. Appends the
 * dictionary. */
void rj_dict_put(struct rj_buf *b, const struct rj_origins *origins, const uint32_t *dict,
                 uint32_t n);
/* Reads a dictionary into ret_dict (room for RJ_BATCH_DICT_MAX). RJ_ECORRUPT: malformed,
 * an origin twice, or one that the table does not know (whoever has its deps knows it).
 */
RJ_NODISCARD enum rj_err rj_dict_get(struct rj_reader *r,
                                     const struct rj_origins *origins, uint32_t *ret_dict,
                                     uint32_t *ret_n);

/* The same of a part of a state, which may name any number of origins: *ret_dict is made,
 * the caller frees it (also after an error, if it is set). RJ_ENOMEM too. */
RJ_NODISCARD enum rj_err rj_dict_take(struct rj_reader *r,
                                      const struct rj_origins *origins,
                                      uint32_t **ret_dict, uint32_t *ret_n);

/* Vectors on the wire: one flat array id, seq, id, seq ..., ascending by id, no zeros. */
void rj_vv_encode(struct rj_buf *b, const struct rj_origins *origins,
                  const struct rj_vv *v);
/* Reads one into v (cleared first). Origins that the table does not know are left out and
 * counted in *ret_unknown (may be NULL): nobody makes this node remember names by telling
 * them. So are entries beyond the end of an origin that was split; they count up to it.
 * RJ_ECORRUPT, RJ_ELIMIT (more than RJ_ORIGINS_MAX entries), RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_vv_decode(struct rj_reader *r,
                                      const struct rj_origins *origins, struct rj_vv *v,
                                      size_t *ret_unknown);

#endif
