/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 with padding (RFC 4648, 4), for bytes that JSON cannot hold as text. */
#ifndef RJ_BASE_BASE64_H
#define RJ_BASE_BASE64_H

#include "base/buf.h"

/* Appends the digits of b; out's sticky error. */
void rj_base64_put(struct rj_buf *out, struct rj_bytes b);

#endif
