/* SPDX-License-Identifier: Apache-2.0 */
/* Replies for people. Both outputs walk the reply the same way: one element after the
 * other, with a stack that says how many are still to come in each array around. */
#include "cli/reply.h"

#include "base/reader.h"
#include "face/json.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_ = 64 * 1024, INDEX_MAX = 24 };

/* One element: its type, its text (of $ and lines) or its count (of arrays). */
struct element {
    char type; /* + - : $ * and of version 3 _ # , = ( % ~ > ; n: null */
    struct rj_bytes text;
    size_t count;
};

static bool is_array(const struct element *e)
{
    return e->type == '*' || e->type == '%' || e->type == '~' || e->type == '>';
}

/* The line that ends with CR LF. */
static struct rj_bytes read_line(struct rj_reader *r)
{
    struct rj_bytes rest = rj_bytes_of(r->ptr, rj_reader_left(r)), line;
    const uint8_t *end = rest.len > 0 ? memchr(rest.ptr, '\r', rest.len) : NULL;

    if (end == NULL) {
        rj_reader_fail(r);
        return (struct rj_bytes){0};
    }
    line = rj_reader_bytes(r, (size_t)(end - rest.ptr));
    if (rj_reader_u8(r) != '\r' || rj_reader_u8(r) != '\n')
        rj_reader_fail(r);
    return line;
}

/* A count; -1 is null. */
static int64_t read_count(struct rj_reader *r, struct rj_bytes line)
{
    char text[INDEX_MAX] = "";
    char *end;
    long long n;

    if (line.len == 0 || line.len >= sizeof(text)) {
        rj_reader_fail(r);
        return 0;
    }
    (void)snprintf(text, sizeof(text), "%.*s", (int)line.len, (const char *)line.ptr);
    n = strtoll(text, &end, 10);
    if (*end != '\0' || n < -1)
        rj_reader_fail(r);
    return n;
}

static struct element read_element(struct rj_reader *r)
{
    struct element e = {.type = (char)rj_reader_u8(r)};
    int64_t n;

    e.text = read_line(r);
    switch (e.type) {
    case '$':
    case '=':
        n = read_count(r, e.text);
        e.text = n >= 0 ? rj_reader_bytes(r, (size_t)n) : (struct rj_bytes){0};
        if (n >= 0 && (rj_reader_u8(r) != '\r' || rj_reader_u8(r) != '\n'))
            rj_reader_fail(r);
        if (e.type == '=') /* "txt:" stands before it */
            e.text = rj_bytes_skip(e.text, 4);
        if (n < 0)
            e.type = 'n';
        break;
    case '*':
    case '%':
    case '~':
    case '>':
        n = read_count(r, e.text);
        if (n < 0)
            e.type = 'n';
        else
            e.count = e.type == '%' ? 2 * (size_t)n : (size_t)n;
        if (n > 0 && e.count > rj_reader_left(r))
            rj_reader_fail(r); /* each takes at least one byte */
        break;
    case '_':
        e.type = 'n';
        break;
    case '+':
    case '-':
    case ':':
    case '#':
    case ',':
    case '(':
        break;
    default:
        rj_reader_fail(r);
    }
    return e;
}

/* ---- text */

static void put_quoted(struct rj_buf *out, struct rj_bytes b)
{
    static const char raw[] = {'\n', '\r', '\t', '\a', '\b', '\\', '"'};
    static const char escaped[] = {'n', 'r', 't', 'a', 'b', '\\', '"'};

    rj_buf_append_str(out, "\"");
    for (size_t i = 0; i < b.len; i++) {
        uint8_t c = b.ptr[i];
        const char *special = memchr(raw, c, sizeof(raw));

        if (special != NULL)
            rj_buf_printf(out, "\\%c", escaped[special - raw]);
        else if (c < 0x20 || c >= 0x7f)
            rj_buf_printf(out, "\\x%02x", c);
        else
            rj_buf_u8(out, c);
    }
    rj_buf_append_str(out, "\"");
}

static void put_pretty(struct rj_buf *out, const struct element *e)
{
    switch (e->type) {
    case '-':
        rj_buf_append_str(out, "(error) ");
        rj_buf_append(out, e->text);
        break;
    case ':':
        rj_buf_append_str(out, "(integer) ");
        rj_buf_append(out, e->text);
        break;
    case ',':
        rj_buf_append_str(out, "(double) ");
        rj_buf_append(out, e->text);
        break;
    case '#':
        rj_buf_append_str(out, rj_bytes_equal(e->text, RJ_BYTES_LIT("t")) ? "(true)"
                                                                          : "(false)");
        break;
    case 'n':
        rj_buf_append_str(out, "(nil)");
        break;
    case '$':
        put_quoted(out, e->text);
        break;
    default:
        if (is_array(e))
            rj_buf_append_str(out, "(empty array)");
        else
            rj_buf_append(out, e->text);
    }
}

/* An array around the element that comes next. */
struct level {
    size_t count, next; /* elements, and the number of the next one from 1 */
    size_t indent;      /* columns before its elements */
    size_t width;       /* digits of count */
    json_t *json;
};

static size_t digits_of(size_t n)
{
    size_t digits = 1;

    for (; n >= 10; n /= 10)
        digits++;
    return digits;
}

/* The numbers before an element; the first one of an array follows its parent's. */
static void put_index(struct rj_buf *out, const struct level *l)
{
    size_t width = digits_of(l->next);

    if (l->next > 1)
        rj_buf_printf(out, "%*s", (int)l->indent, "");
    rj_buf_printf(out, "%*s%zu) ", (int)(l->width - width), "", l->next);
}

enum rj_err rj_reply_print(struct rj_bytes in, enum rj_reply_how how, struct rj_buf *out,
                           bool *ret_error)
{
    struct level stack[RJ_REPLY_PRINT_DEPTH] = {{0}};
    struct rj_reader r = rj_reader_of(in);
    size_t depth = 0;
    bool first = true;

    *ret_error = in.len > 0 && in.ptr[0] == '-';
    do {
        struct level *l = depth > 0 ? &stack[depth - 1] : NULL;
        struct element e = read_element(&r);
        size_t indent = 0;

        if (r.failed || depth == RJ_REPLY_PRINT_DEPTH)
            return RJ_EPROTO;
        if (l != NULL && how == RJ_REPLY_PRINT_PRETTY) {
            put_index(out, l);
            indent = l->indent + l->width + 2;
        }
        if (l != NULL)
            l->next++;
        if (is_array(&e) && e.count > 0) {
            stack[depth++] = (struct level){.count = e.count,
                                            .next = 1,
                                            .indent = indent,
                                            .width = digits_of(e.count)};
        } else {
            if (how == RJ_REPLY_PRINT_PRETTY)
                put_pretty(out, &e);
            else if (e.type != 'n' && !is_array(&e))
                rj_buf_append(out, e.text);
            /* redis-cli ends a raw string without a newline of its own only when it is
             * the whole of an empty array; everything else gets one. */
            if (!(how == RJ_REPLY_PRINT_RAW && is_array(&e)) || first)
                rj_buf_append_str(out, "\n");
        }
        first = false;
        while (depth > 0 && stack[depth - 1].next > stack[depth - 1].count)
            depth--;
    } while (depth > 0);
    return rj_buf_err(out);
}

/* ---- JSON */

static json_t *json_of(const struct element *e)
{
    char text[INDEX_MAX] = "";

    switch (e->type) {
    case 'n':
        return json_null();
    case '-':
        return json_pack("{s:o}", "error", rj_json_bytes(e->text));
    case '#':
        return json_boolean(rj_bytes_equal(e->text, RJ_BYTES_LIT("t")));
    case ':':
        if (e->text.len == 0 || e->text.len >= sizeof(text))
            return NULL;
        (void)snprintf(text, sizeof(text), "%.*s", (int)e->text.len,
                       (const char *)e->text.ptr);
        return json_integer(strtoll(text, NULL, 10));
    default:
        return is_array(e) ? json_array() : rj_json_bytes(e->text);
    }
}

json_t *rj_reply_json(struct rj_bytes in, bool *ret_error)
{
    struct level stack[RJ_REPLY_PRINT_DEPTH] = {{0}};
    struct rj_reader r = rj_reader_of(in);
    json_t *root = NULL;
    size_t depth = 0;
    bool ok;

    *ret_error = in.len > 0 && in.ptr[0] == '-';
    do {
        struct level *l = depth > 0 ? &stack[depth - 1] : NULL;
        struct element e = read_element(&r);
        json_t *value = r.failed || depth == RJ_REPLY_PRINT_DEPTH ? NULL : json_of(&e);

        ok = value != NULL;
        if (root == NULL)
            root = value;
        else if (ok)
            ok = json_array_append_new(l->json, value) == 0;
        if (l != NULL)
            l->next++;
        if (ok && is_array(&e) && e.count > 0)
            stack[depth++] = (struct level){.count = e.count, .next = 1, .json = value};
        while (depth > 0 && stack[depth - 1].next > stack[depth - 1].count)
            depth--;
    } while (ok && depth > 0);
    if (ok)
        return root;
    json_decref(root);
    return NULL;
}
