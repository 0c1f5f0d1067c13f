/* SPDX-License-Identifier: Apache-2.0 */
/* The reply builder. One reserve for each value: head, payload and line end are written
 * into the room at once (Redis protocol specification, RESP2 and RESP3). */
#include "face/resp_reply.h"

#include "face/resp_num.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    HEAD_MAX = 1 + RJ_RESP_NUM_MAX + 2, /* mark, number, CR LF */
    DOUBLE_MAX = 32,
    ERROR_MAX = 1024 /* bytes of an error; longer ones are cut */
};

/* mark, number, CR LF at out; returns how many bytes. */
static inline size_t put_head(uint8_t *out, char mark, int64_t v)
{
    size_t n = 1;

    out[0] = (uint8_t)mark;
    n += rj_resp_num_put_i64(out + 1, v);
    out[n] = '\r';
    out[n + 1] = '\n';
    return n + 2;
}

static void head(struct rj_resp_reply *r, char mark, int64_t v)
{
    uint8_t *room = rj_buf_reserve(r->buf, HEAD_MAX);

    if (room != NULL)
        rj_buf_commit(r->buf, put_head(room, mark, v));
}

/* mark, text, CR LF. */
static void line(struct rj_resp_reply *r, char mark, const char *text, size_t len)
{
    uint8_t *room = rj_buf_reserve(r->buf, len + 3);

    if (room == NULL)
        return;
    room[0] = (uint8_t)mark;
    memcpy(room + 1, text, len);
    room[len + 1] = '\r';
    room[len + 2] = '\n';
    rj_buf_commit(r->buf, len + 3);
}

void rj_resp_reply_simple(struct rj_resp_reply *r, const char *text)
{
    line(r, '+', text, strlen(text));
}

void rj_resp_reply_error(struct rj_resp_reply *r, const char *text)
{
    r->errors++;
    line(r, '-', text, strlen(text));
}

void rj_resp_reply_errorf(struct rj_resp_reply *r, const char *format, ...)
{
    char text[ERROR_MAX];
    size_t len = 0;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n > 0)
        len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\r' || text[i] == '\n')
            text[i] = ' ';
    r->errors++;
    line(r, '-', text, len);
}

void rj_resp_reply_int(struct rj_resp_reply *r, int64_t v)
{
    head(r, ':', v);
}

/* $ or =, a length, an optional prefix of the payload, the payload. */
static void payload(struct rj_resp_reply *r, char mark, struct rj_bytes prefix,
                    struct rj_bytes bytes)
{
    size_t len = prefix.len + bytes.len;
    uint8_t *room = rj_buf_reserve(r->buf, HEAD_MAX + len + 2);
    size_t n;

    if (room == NULL)
        return;
    n = put_head(room, mark, (int64_t)len);
    if (prefix.len > 0)
        memcpy(room + n, prefix.ptr, prefix.len);
    n += prefix.len;
    if (bytes.len > 0)
        memcpy(room + n, bytes.ptr, bytes.len);
    n += bytes.len;
    room[n] = '\r';
    room[n + 1] = '\n';
    rj_buf_commit(r->buf, n + 2);
}

void rj_resp_reply_bulk(struct rj_resp_reply *r, struct rj_bytes bytes)
{
    payload(r, '$', rj_bytes_of(NULL, 0), bytes);
}

void rj_resp_reply_bulk_str(struct rj_resp_reply *r, const char *text)
{
    rj_resp_reply_bulk(r, rj_bytes_from_str(text));
}

void rj_resp_reply_null(struct rj_resp_reply *r)
{
    rj_buf_append_str(r->buf, r->proto == 3 ? "_\r\n" : "$-1\r\n");
}

void rj_resp_reply_null_array(struct rj_resp_reply *r)
{
    rj_buf_append_str(r->buf, r->proto == 3 ? "_\r\n" : "*-1\r\n");
}

void rj_resp_reply_bool(struct rj_resp_reply *r, bool v)
{
    if (r->proto == 3)
        line(r, '#', v ? "t" : "f", 1);
    else
        rj_resp_reply_int(r, v);
}

void rj_resp_reply_double(struct rj_resp_reply *r, double v)
{
    char text[DOUBLE_MAX];
    int n;

    if (isnan(v) || isinf(v))
        n = snprintf(text, sizeof(text), "%s", isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
    else
        n = snprintf(text, sizeof(text), "%.17g", v);
    if (r->proto == 3)
        line(r, ',', text, (size_t)n);
    else
        rj_resp_reply_bulk(r, rj_bytes_of(text, (size_t)n));
}

void rj_resp_reply_verbatim(struct rj_resp_reply *r, struct rj_bytes text)
{
    if (r->proto == 3)
        payload(r, '=', RJ_BYTES_LIT("txt:"), text);
    else
        rj_resp_reply_bulk(r, text);
}

void rj_resp_reply_array(struct rj_resp_reply *r, size_t n)
{
    head(r, '*', (int64_t)n);
}

void rj_resp_reply_set(struct rj_resp_reply *r, size_t n)
{
    head(r, r->proto == 3 ? '~' : '*', (int64_t)n);
}

void rj_resp_reply_map(struct rj_resp_reply *r, size_t n)
{
    if (r->proto == 3)
        head(r, '%', (int64_t)n);
    else
        head(r, '*', (int64_t)(2 * n));
}

void rj_resp_reply_push(struct rj_resp_reply *r, size_t n)
{
    head(r, r->proto == 3 ? '>' : '*', (int64_t)n);
}

size_t rj_resp_reply_open(struct rj_resp_reply *r)
{
    return r->buf->len;
}

/* Writes the head behind the elements, then turns the two round. */
void rj_resp_reply_close(struct rj_resp_reply *r, size_t opened,
                         enum rj_resp_aggregate kind, size_t n)
{
    size_t end = r->buf->len;
    uint8_t copy[HEAD_MAX];
    size_t len;

    if (kind == RJ_RESP_MAP)
        rj_resp_reply_map(r, n);
    else if (kind == RJ_RESP_SET)
        rj_resp_reply_set(r, n);
    else
        rj_resp_reply_array(r, n);
    len = r->buf->len - end;
    if (r->buf->failed || end == opened)
        return;
    memcpy(copy, r->buf->ptr + end, len);
    memmove(r->buf->ptr + opened + len, r->buf->ptr + opened, end - opened);
    memcpy(r->buf->ptr + opened, copy, len);
}
