/* SPDX-License-Identifier: Apache-2.0 */
/* Incremental parser of Redis requests (Redis protocol specification, "RESP"). The input
 * belongs to the caller and may be moved between two calls, so arguments are kept as
 * offsets until the command is complete. Invariants: pos <= input length; every slot
 * lies within [0, pos); nothing is allocated for what is only announced. What is wrong is
 * said in the words of Redis, for clients and people know them. */
#include "face/resp_parse.h"

#include "base/alloc.h"
#include "face/resp_num.h"

#include <stdio.h>

enum { SLOTS_MIN = 16, LENGTH_DIGITS = 10 };

struct rj_resp_slot {
    size_t off, len;
};

static enum rj_resp_parsed broken(struct rj_resp_parse *p, const char *why)
{
    (void)snprintf(p->error, sizeof(p->error), "Protocol error: %s", why);
    return RJ_RESP_BROKEN;
}

static bool grow(struct rj_resp_parse *p)
{
    size_t cap = p->cap > 0 ? 2 * p->cap : SLOTS_MIN;
    struct rj_resp_slot *slots = rj_alloc_resize(p->slots, cap, sizeof(*slots));
    struct rj_bytes *argv;

    if (slots == NULL)
        return false;
    p->slots = slots;
    argv = rj_alloc_resize(p->argv, cap, sizeof(*argv));
    if (argv == NULL)
        return false;
    p->argv = argv;
    p->cap = cap;
    return true;
}

static bool push(struct rj_resp_parse *p, size_t off, size_t len)
{
    if (p->argc == p->cap && !grow(p))
        return false;
    p->slots[p->argc++] = (struct rj_resp_slot){.off = off, .len = len};
    return true;
}

/* The command is complete: turns offsets into views. */
static enum rj_resp_parsed complete(struct rj_resp_parse *p, const uint8_t *base,
                                    size_t *ret_used)
{
    for (size_t i = 0; i < p->argc; i++)
        p->argv[i] = rj_bytes_of(base + p->slots[i].off, p->slots[i].len);
    *ret_used = p->pos;
    p->want = 0;
    p->pos = 0;
    p->scanned = 0;
    return RJ_RESP_PARSED;
}

/* ---- arrays */

struct header {
    char mark;           /* '*' or '$' */
    const char *too_big; /* no end of line in sight */
    const char *invalid; /* not a number */
};

static const struct header array_header = {'*', "too big mbulk count string",
                                           "invalid multibulk length"};
static const struct header bulk_header = {'$', "too big bulk count string",
                                          "invalid bulk length"};

/* Any header line that is not of the usual form, or not complete. */
static enum rj_resp_parsed read_odd_header(struct rj_resp_parse *p, struct rj_bytes in,
                                           const struct header *h, int64_t *ret)
{
    size_t from = p->scanned > p->pos ? p->scanned : p->pos;
    const uint8_t *cr = NULL;
    size_t end;

    if (in.len > from)
        cr = memchr(in.ptr + from, '\r', in.len - from);
    if (cr == NULL) {
        p->scanned = in.len;
        if (in.len - p->pos > RJ_RESP_INLINE_MAX)
            return broken(p, h->too_big);
        return RJ_RESP_MORE;
    }
    end = (size_t)(cr - in.ptr);
    if (in.ptr[p->pos] != (uint8_t)h->mark) {
        uint8_t c = in.ptr[p->pos];

        (void)snprintf(p->error, sizeof(p->error),
                       "Protocol error: expected '%c', got '%c'", h->mark,
                       c < ' ' ? ' ' : (int)c);
        return RJ_RESP_BROKEN;
    }
    if (end + 1 >= in.len) {
        p->scanned = end;
        return RJ_RESP_MORE;
    }
    if (in.ptr[end + 1] != '\n' ||
        !rj_resp_num_i64(rj_bytes_of(in.ptr + p->pos + 1, end - p->pos - 1), ret))
        return broken(p, h->invalid);
    p->pos = end + 2;
    return RJ_RESP_PARSED;
}

/* Reads mark, number, CR LF at p->pos and steps behind them. */
static inline enum rj_resp_parsed read_header(struct rj_resp_parse *p, struct rj_bytes in,
                                              const struct header *h, int64_t *ret)
{
    size_t i = p->pos + 1;
    int64_t v = 0;

    if (in.len < p->pos + LENGTH_DIGITS + 3)
        return read_odd_header(p, in, h, ret);
    if (in.ptr[p->pos] != (uint8_t)h->mark || in.ptr[i] == '0')
        return read_odd_header(p, in, h, ret);
    for (; i <= p->pos + LENGTH_DIGITS; i++) {
        unsigned digit = (unsigned)in.ptr[i] - '0';

        if (digit > 9)
            break;
        v = v * 10 + digit;
    }
    if (i == p->pos + 1 || in.ptr[i] != '\r' || in.ptr[i + 1] != '\n')
        return read_odd_header(p, in, h, ret);
    *ret = v;
    p->pos = i + 2;
    return RJ_RESP_PARSED;
}

static enum rj_resp_parsed read_count(struct rj_resp_parse *p, struct rj_bytes in)
{
    int64_t count;
    enum rj_resp_parsed got = read_header(p, in, &array_header, &count);

    if (got != RJ_RESP_PARSED)
        return got;
    if (count > RJ_RESP_ARGS_MAX)
        return broken(p, "invalid multibulk length");
    if (p->stranger && count > RJ_RESP_STRANGER_ARGS_MAX)
        return broken(p, "unauthenticated multibulk length");
    p->want = count > 0 ? (size_t)count : 0;
    return RJ_RESP_PARSED;
}

static enum rj_resp_parsed read_bulk_len(struct rj_resp_parse *p, struct rj_bytes in)
{
    int64_t len;
    enum rj_resp_parsed got = read_header(p, in, &bulk_header, &len);

    if (got != RJ_RESP_PARSED)
        return got;
    if (len < 0 || len > RJ_RESP_BULK_MAX)
        return broken(p, "invalid bulk length");
    if (p->stranger && len > RJ_RESP_STRANGER_BULK_MAX)
        return broken(p, "unauthenticated bulk length");
    if ((size_t)len > RJ_RESP_COMMAND_MAX - p->pos)
        return broken(p, "too big request");
    p->bulk_len = (size_t)len;
    p->in_bulk = true;
    return RJ_RESP_PARSED;
}

static enum rj_resp_parsed read_array(struct rj_resp_parse *p, struct rj_bytes in,
                                      size_t *ret_used)
{
    enum rj_resp_parsed got;

    while (p->argc < p->want) {
        size_t end;

        if (!p->in_bulk) {
            if (p->pos > RJ_RESP_COMMAND_MAX)
                return broken(p, "too big request");
            got = read_bulk_len(p, in);
            if (got != RJ_RESP_PARSED)
                return got;
        }
        if (in.len - p->pos < p->bulk_len + 2)
            return RJ_RESP_MORE;
        end = p->pos + p->bulk_len;
        if (in.ptr[end] != '\r' || in.ptr[end + 1] != '\n')
            return broken(p, "invalid bulk length");
        if (!push(p, p->pos, p->bulk_len))
            return RJ_RESP_NOMEM;
        p->pos = end + 2;
        p->in_bulk = false;
    }
    return complete(p, in.ptr, ret_used);
}

/* ---- inline commands */

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What stands behind a \ within "...": appends it, returns how many bytes it took. */
static size_t unescape(struct rj_resp_parse *p, struct rj_bytes rest)
{
    static const char names[] = "nrtba", bytes[] = "\n\r\t\b\a";
    const char *name = rest.ptr[0] != '\0' ? strchr(names, rest.ptr[0]) : NULL;

    if (rest.ptr[0] == 'x' && rest.len >= 3 && hex_digit(rest.ptr[1]) >= 0 &&
        hex_digit(rest.ptr[2]) >= 0) {
        rj_buf_u8(&p->unquoted,
                  (uint8_t)(hex_digit(rest.ptr[1]) * 16 + hex_digit(rest.ptr[2])));
        return 3;
    }
    rj_buf_u8(&p->unquoted, name != NULL ? (uint8_t)bytes[name - names] : rest.ptr[0]);
    return 1;
}

/* One quoted part that opens at *at; moves *at behind its closing quote. False: it is not
 * closed, or something stands right behind it. */
static bool read_quoted(struct rj_resp_parse *p, struct rj_bytes line, size_t *at)
{
    uint8_t quote = line.ptr[*at];
    size_t i = *at + 1;

    while (i < line.len && line.ptr[i] != quote) {
        bool escaped = line.ptr[i] == '\\' && i + 1 < line.len;

        if (escaped && quote == '"') {
            i += 1 + unescape(p, rj_bytes_of(line.ptr + i + 1, line.len - i - 1));
        } else if (escaped && line.ptr[i + 1] == '\'') {
            rj_buf_u8(&p->unquoted, '\'');
            i += 2;
        } else {
            rj_buf_u8(&p->unquoted, line.ptr[i++]);
        }
    }
    *at = i + 1;
    return i < line.len && (i + 1 == line.len || is_space(line.ptr[i + 1]));
}

static enum rj_resp_parsed split(struct rj_resp_parse *p, struct rj_bytes line)
{
    size_t i = 0;

    rj_buf_clear(&p->unquoted);
    if (rj_buf_reserve(&p->unquoted, line.len) == NULL)
        return RJ_RESP_NOMEM;
    for (;;) {
        size_t off = p->unquoted.len;

        while (i < line.len && is_space(line.ptr[i]))
            i++;
        if (i == line.len)
            return p->unquoted.failed ? RJ_RESP_NOMEM : RJ_RESP_PARSED;
        while (i < line.len && !is_space(line.ptr[i])) {
            if (line.ptr[i] == '"' || line.ptr[i] == '\'') {
                if (!read_quoted(p, line, &i))
                    return broken(p, "unbalanced quotes in request");
                break;
            }
            rj_buf_u8(&p->unquoted, line.ptr[i++]);
        }
        if (!push(p, off, p->unquoted.len - off))
            return RJ_RESP_NOMEM;
    }
}

static enum rj_resp_parsed read_inline(struct rj_resp_parse *p, struct rj_bytes in,
                                       size_t *ret_used)
{
    const uint8_t *newline = memchr(in.ptr + p->scanned, '\n', in.len - p->scanned);
    size_t len = newline != NULL ? (size_t)(newline - in.ptr) : in.len;
    enum rj_resp_parsed got;

    if (len > RJ_RESP_INLINE_MAX)
        return broken(p, "too big inline request");
    if (newline == NULL) {
        p->scanned = len;
        return RJ_RESP_MORE;
    }
    got = split(p, rj_bytes_of(in.ptr, len));
    if (got != RJ_RESP_PARSED)
        return got;
    p->pos = len + 1;
    return complete(p, p->unquoted.ptr, ret_used);
}

enum rj_resp_parsed rj_resp_parse_next(struct rj_resp_parse *p, struct rj_bytes in,
                                       size_t *ret_used)
{
    enum rj_resp_parsed got;

    if (p->want > 0)
        return read_array(p, in, ret_used);
    p->argc = 0;
    p->in_bulk = false;
    if (in.len == 0)
        return RJ_RESP_MORE;
    if (in.ptr[0] != '*')
        return read_inline(p, in, ret_used);
    got = read_count(p, in);
    if (got != RJ_RESP_PARSED)
        return got;
    return read_array(p, in, ret_used);
}

void rj_resp_parse_trim(struct rj_resp_parse *p)
{
    if (p->cap > RJ_RESP_ARGS_KEEP) {
        free(p->slots);
        free(p->argv);
        p->slots = NULL;
        p->argv = NULL;
        p->cap = 0;
        p->argc = 0;
    }
    if (p->unquoted.cap > 0)
        rj_buf_done(&p->unquoted);
}

void rj_resp_parse_done(struct rj_resp_parse *p)
{
    free(p->slots);
    free(p->argv);
    rj_buf_done(&p->unquoted);
    *p = (struct rj_resp_parse){0};
}
