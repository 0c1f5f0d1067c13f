/* SPDX-License-Identifier: Apache-2.0 */
/* Documents: what requests and replies of the control socket carry. A document is one
 * item of deterministic CBOR (base/cbor.h). The builder here takes the pairs of a map in
 * any order and without a count, and sorts them when the map ends. Sticky like rj_buf. */
#ifndef RJ_CLIENT_DOC_H
#define RJ_CLIENT_DOC_H

#include "base/cbor.h"

enum {
    RJ_DOC_DEPTH_MAX = 8 /* maps and arrays inside one another */
};

struct rj_doc_level {
    size_t start; /* where its items begin in out */
    size_t first; /* its first entry in marks */
    bool is_map;
};

/* Zero-initialise; end with rj_doc_done. */
struct rj_doc {
    struct rj_buf out;
    size_t *marks; /* where each item (array) or pair (map) of the open levels begins */
    size_t n_marks, cap_marks;
    struct rj_doc_level levels[RJ_DOC_DEPTH_MAX];
    size_t depth;
};

/* Begin and end a map or an array. In a map each value follows an rj_doc_key. */
void rj_doc_map(struct rj_doc *d);
void rj_doc_array(struct rj_doc *d);
void rj_doc_end(struct rj_doc *d);
void rj_doc_key(struct rj_doc *d, const char *key);

/* Values. Text that is not UTF-8 becomes a byte string. */
void rj_doc_text(struct rj_doc *d, struct rj_bytes v);
void rj_doc_bytes(struct rj_doc *d, struct rj_bytes v);
void rj_doc_uint(struct rj_doc *d, uint64_t v);
void rj_doc_bool(struct rj_doc *d, bool v);
/* One item that is encoded already. */
void rj_doc_raw(struct rj_doc *d, struct rj_bytes item);

/* Key and value together. */
void rj_doc_put_text(struct rj_doc *d, const char *key, struct rj_bytes v);
void rj_doc_put_str(struct rj_doc *d, const char *key, const char *v);
void rj_doc_put_uint(struct rj_doc *d, const char *key, uint64_t v);
void rj_doc_put_bool(struct rj_doc *d, const char *key, bool v);

/* The whole document; borrowed until d changes. RJ_EINVAL: a level is still open. */
RJ_NODISCARD enum rj_err rj_doc_view(const struct rj_doc *d, struct rj_bytes *ret);
void rj_doc_clear(struct rj_doc *d); /* empties, keeps the memory */
void rj_doc_done(struct rj_doc *d);

/* ---- reading: doc is one valid item (rj_cbor_is_valid); what is returned borrows */

/* The value of key in a map; false when doc is no map or has no such key. */
bool rj_doc_find(struct rj_bytes doc, const char *key, struct rj_bytes *ret_value);
/* The same with a kind; text also takes a byte string. */
bool rj_doc_get_text(struct rj_bytes doc, const char *key, struct rj_bytes *ret);
bool rj_doc_get_uint(struct rj_bytes doc, const char *key, uint64_t *ret);
bool rj_doc_get_bool(struct rj_bytes doc, const char *key, bool *ret);

/* Walks an array: *pos = 0 at first. False at the end, or when doc is none. */
bool rj_doc_next(struct rj_bytes doc, size_t *pos, struct rj_bytes *ret_item);
/* The content of an item that is text or a byte string. */
bool rj_doc_is_text(struct rj_bytes item, struct rj_bytes *ret);

#endif
