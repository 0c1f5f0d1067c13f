/* SPDX-License-Identifier: Apache-2.0 */
/* A document as JSON text, for those who have no reader of CBOR. */
#ifndef RJ_CLIENT_DOCJSON_H
#define RJ_CLIENT_DOCJSON_H

#include "base/buf.h"

/* Appends doc, one valid item, to out (sticky errors there: RJ_EINVAL when it is none).
 * Byte strings that are UTF-8 become strings, others {"base64": "..."}. */
void rj_docjson_put(struct rj_bytes doc, struct rj_buf *out);

#endif
