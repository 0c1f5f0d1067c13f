/* SPDX-License-Identifier: Apache-2.0 */
/* JSON out of values. */
#ifndef RJ_CRDT_JSON_H
#define RJ_CRDT_JSON_H

#include "crdt/value.h"

/* Appends b as a string; bytes that are not UTF-8 as U+0080 to U+00FF. */
void rj_json_put_str(struct rj_buf *out, struct rj_bytes b);
/* Appends {replica: the end of what was seen of it without a gap}. */
void rj_json_put_vector(struct rj_buf *out, const struct rj_crdt *v);

#endif
