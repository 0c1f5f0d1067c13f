/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR to JSON with a stack of its own: how deep a document is says the daemon, not the
 * depth of this program's calls. */
#include "face/json.h"

#include "base/base64.h"
#include "base/buf.h"
#include "base/cbor.h"

/* A container that is being filled. */
struct level {
    json_t *value;
    size_t left;         /* items or pairs still to come */
    struct rj_bytes key; /* of the pair that comes next, in a map */
};

json_t *rj_json_bytes(struct rj_bytes b)
{
    struct rj_buf text = {0};
    json_t *json = NULL;

    if (rj_bytes_is_utf8(b))
        return json_stringn(b.len > 0 ? (const char *)b.ptr : "", b.len);
    rj_base64_put(&text, b);
    if (rj_buf_err(&text) == RJ_OK)
        json = json_pack("{s:s%}", "base64", (const char *)text.ptr, text.len);
    rj_buf_done(&text);
    return json;
}

/* A value that is no container. */
static json_t *scalar(struct rj_reader *r)
{
    switch (rj_cbor_peek(r)) {
    case RJ_CBOR_UINT:
    case RJ_CBOR_NEGATIVE:
        return json_integer(rj_cbor_get_int(r));
    case RJ_CBOR_BYTES:
        return rj_json_bytes(rj_cbor_get_bytes(r));
    case RJ_CBOR_TEXT:
        return rj_json_bytes(rj_cbor_get_text(r));
    case RJ_CBOR_BOOL:
        return json_boolean(rj_cbor_get_bool(r));
    case RJ_CBOR_NULL:
        rj_cbor_get_null(r);
        return json_null();
    case RJ_CBOR_ARRAY:
    case RJ_CBOR_MAP:
    case RJ_CBOR_NONE:
        break;
    }
    rj_reader_fail(r);
    return NULL;
}

/* Puts value (owned) into the container; false: no memory. */
static bool put(struct level *l, json_t *take_value)
{
    l->left--;
    if (json_is_array(l->value))
        return json_array_append_new(l->value, take_value) == 0;
    return json_object_setn_new(l->value, (const char *)l->key.ptr, l->key.len,
                                take_value) == 0;
}

json_t *rj_json_of(struct rj_bytes doc)
{
    struct level stack[RJ_CBOR_DEPTH_MAX + 1];
    struct rj_reader r = rj_reader_of(doc);
    json_t *root = NULL;
    size_t depth = 0;
    bool ok = true;

    if (!rj_cbor_is_valid(doc))
        return NULL;
    do {
        enum rj_cbor_kind kind = rj_cbor_peek(&r);
        bool container = kind == RJ_CBOR_MAP || kind == RJ_CBOR_ARRAY;
        json_t *value = !container            ? scalar(&r)
                        : kind == RJ_CBOR_MAP ? json_object()
                                              : json_array();

        ok = value != NULL && !r.failed && depth < RJ_CBOR_DEPTH_MAX;
        if (depth == 0 && root == NULL)
            root = value;
        else if (ok)
            ok = put(&stack[depth - 1], value);
        else
            json_decref(value);
        if (ok && container)
            stack[depth++] =
                (struct level){.value = value,
                               .left = kind == RJ_CBOR_MAP ? rj_cbor_get_map(&r)
                                                           : rj_cbor_get_array(&r)};
        while (depth > 0 && stack[depth - 1].left == 0)
            depth--;
        if (ok && depth > 0 && json_is_object(stack[depth - 1].value))
            stack[depth - 1].key = rj_cbor_get_text(&r);
    } while (ok && !r.failed && depth > 0);
    if (ok && !r.failed)
        return root;
    json_decref(root);
    return NULL;
}
