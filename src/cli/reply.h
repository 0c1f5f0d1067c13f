/* SPDX-License-Identifier: Apache-2.0 */
/* A reply of the Redis protocol, printed as redis-cli prints it, or as JSON. */
#ifndef RJ_CLI_REPLY_H
#define RJ_CLI_REPLY_H

#include "base/buf.h"

#include <jansson.h>

enum { RJ_REPLY_PRINT_DEPTH = 16 };

enum rj_reply_how { RJ_REPLY_PRINT_PRETTY, RJ_REPLY_PRINT_RAW };

/* Appends the text of the reply that stands at the start of in. PRETTY: types shown,
 * strings quoted, elements numbered (for terminals). RAW: the values alone, one a line.
 * *ret_error: it is an error reply. RJ_EPROTO: it is no whole reply. */
RJ_NODISCARD enum rj_err rj_reply_print(struct rj_bytes in, enum rj_reply_how how,
                                        struct rj_buf *out, bool *ret_error);
/* A new reference: string, number, bool, null or array (a map becomes an array of keys
 * and values); an error {"error": "..."}. NULL: no whole reply, or no memory. */
json_t *rj_reply_json(struct rj_bytes in, bool *ret_error);

#endif
