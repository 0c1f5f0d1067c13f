/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR to JSON (RFC 8259), item by item with a stack of its own: how deep a document is
 * says the daemon, not the depth of this program's calls. */
#include "client/docjson.h"

#include "base/base64.h"
#include "base/cbor.h"

/* A container that is being written. */
struct level {
    size_t left; /* items, or keys and values, still to come */
    bool is_map, begun;
};

static void put_string(struct rj_buf *out, struct rj_bytes s)
{
    rj_buf_u8(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (c == '"' || c == '\\')
            rj_buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            rj_buf_printf(out, "\\u%04x", c);
        else
            rj_buf_u8(out, c);
    }
    rj_buf_u8(out, '"');
}

static void put_bytes(struct rj_buf *out, struct rj_bytes b)
{
    if (rj_bytes_is_utf8(b)) {
        put_string(out, b);
        return;
    }
    rj_buf_append_str(out, "{\"base64\":\"");
    rj_base64_put(out, b);
    rj_buf_append_str(out, "\"}");
}

/* A value that is no container. */
static void put_scalar(struct rj_buf *out, struct rj_reader *r)
{
    switch (rj_cbor_peek(r)) {
    case RJ_CBOR_UINT:
        rj_buf_printf(out, "%llu", (unsigned long long)rj_cbor_get_uint(r));
        break;
    case RJ_CBOR_NEGATIVE:
        rj_buf_printf(out, "%lld", (long long)rj_cbor_get_int(r));
        break;
    case RJ_CBOR_BYTES:
        put_bytes(out, rj_cbor_get_bytes(r));
        break;
    case RJ_CBOR_TEXT:
        put_string(out, rj_cbor_get_text(r));
        break;
    case RJ_CBOR_NULL:
        rj_cbor_get_null(r);
        rj_buf_append_str(out, "null");
        break;
    case RJ_CBOR_BOOL:
        rj_buf_append_str(out, rj_cbor_get_bool(r) ? "true" : "false");
        break;
    case RJ_CBOR_ARRAY:
    case RJ_CBOR_MAP:
    case RJ_CBOR_NONE:
    default:
        rj_reader_fail(r);
    }
}

/* What stands between two items of the innermost container. */
static void put_separator(struct rj_buf *out, struct level *l)
{
    if (l->begun)
        rj_buf_u8(out, l->is_map && l->left % 2 == 1 ? ':' : ',');
    l->begun = true;
    l->left--;
}

void rj_docjson_put(struct rj_bytes doc, struct rj_buf *out)
{
    struct level levels[RJ_CBOR_DEPTH_MAX] = {{0}};
    struct rj_reader r = rj_reader_of(doc);
    size_t depth = 0;

    do {
        enum rj_cbor_kind kind = rj_cbor_peek(&r);

        if (depth > 0)
            put_separator(out, &levels[depth - 1]);
        if (kind != RJ_CBOR_ARRAY && kind != RJ_CBOR_MAP) {
            put_scalar(out, &r);
        } else if (depth == RJ_CBOR_DEPTH_MAX) {
            rj_reader_fail(&r);
        } else {
            bool is_map = kind == RJ_CBOR_MAP;
            size_t n = is_map ? 2 * rj_cbor_get_map(&r) : rj_cbor_get_array(&r);

            levels[depth++] = (struct level){.left = n, .is_map = is_map};
            rj_buf_u8(out, is_map ? '{' : '[');
        }
        while (depth > 0 && levels[depth - 1].left == 0)
            rj_buf_u8(out, levels[--depth].is_map ? '}' : ']');
    } while (depth > 0 && !r.failed);
    if (!rj_reader_complete(&r))
        rj_buf_fail(out, RJ_EINVAL);
}
