/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of the Redis protocol, versions 2 and 3: each call appends one value in the
 * form that the client asked for with HELLO. */
#ifndef RJ_FACE_RESP_REPLY_H
#define RJ_FACE_RESP_REPLY_H

#include "base/buf.h"

struct rj_resp_reply {
    struct rj_buf *buf; /* sticky: check once */
    uint8_t proto;      /* 2 or 3 */
    uint64_t errors;    /* errors written so far */
};

/* +text: a literal without line breaks. */
void rj_resp_reply_simple(struct rj_resp_reply *r, const char *text);
static inline void rj_resp_reply_ok(struct rj_resp_reply *r)
{
    rj_buf_append_raw(r->buf, "+OK\r\n", 5);
}

/* -text: begins with the class in capitals ("ERR ..."); no line breaks. */
void rj_resp_reply_error(struct rj_resp_reply *r, const char *text);
/* The same, formatted; line breaks that come with the arguments become blanks. */
void rj_resp_reply_errorf(struct rj_resp_reply *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void rj_resp_reply_int(struct rj_resp_reply *r, int64_t v);
void rj_resp_reply_bulk(struct rj_resp_reply *r, struct rj_bytes bytes);
void rj_resp_reply_bulk_str(struct rj_resp_reply *r, const char *text);
void rj_resp_reply_null(struct rj_resp_reply *r);
/* Version 2: a null array instead of a null string. */
void rj_resp_reply_null_array(struct rj_resp_reply *r);
/* Version 2: 1 or 0. */
void rj_resp_reply_bool(struct rj_resp_reply *r, bool v);
/* Version 2: a string with the number. */
void rj_resp_reply_double(struct rj_resp_reply *r, double v);
/* Text for people. Version 2: a string. */
void rj_resp_reply_verbatim(struct rj_resp_reply *r, struct rj_bytes text);

/* The heads of aggregates; n elements must follow, of a map 2 n. In version 2 all are
 * arrays. */
void rj_resp_reply_array(struct rj_resp_reply *r, size_t n);
void rj_resp_reply_set(struct rj_resp_reply *r, size_t n);
void rj_resp_reply_map(struct rj_resp_reply *r, size_t n);
void rj_resp_reply_push(struct rj_resp_reply *r, size_t n);

enum rj_resp_aggregate { RJ_RESP_ARRAY, RJ_RESP_SET, RJ_RESP_MAP };

/* For an aggregate whose size is known only afterwards: open, append elements, close with
 * their number (of a map: of its pairs). */
size_t rj_resp_reply_open(struct rj_resp_reply *r);
void rj_resp_reply_close(struct rj_resp_reply *r, size_t opened,
                         enum rj_resp_aggregate kind, size_t n);

#endif
