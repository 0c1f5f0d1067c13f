/* SPDX-License-Identifier: Apache-2.0 */
/* From documents of the control socket (CBOR) to JSON. */
#ifndef RJ_FACE_JSON_H
#define RJ_FACE_JSON_H

#include <jansson.h>
#include <rejoin/bytes.h>

/* A new reference, or NULL: doc is no valid item, or there is no memory. Byte strings
 * that are no UTF-8 become {"base64": "..."}. */
json_t *rj_json_of(struct rj_bytes doc);
/* The same for bytes alone. */
json_t *rj_json_bytes(struct rj_bytes b);

#endif
