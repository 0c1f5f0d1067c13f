/* SPDX-License-Identifier: Apache-2.0 */
/* Messages on the control socket. Both ends are programs of one user, but the daemon
 * outlives many of them, so it trusts no length and no form. */
#include "client/message.h"

#include "base/cbor.h"

static const char *const kinds[] = {"progress", "event", "output", "result", "error"};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

enum rj_err rj_message_next(struct rj_bytes in, struct rj_bytes *ret_item,
                            size_t *ret_used)
{
    struct rj_reader r = rj_reader_of(in);
    size_t len;

    if (in.len < RJ_MESSAGE_HEAD_LEN)
        return RJ_EGAP;
    len = rj_reader_u32be(&r);
    if (len == 0 || len > RJ_MESSAGE_MAX)
        return RJ_EPROTO;
    if (rj_reader_left(&r) < len)
        return RJ_EGAP;
    *ret_item = rj_reader_bytes(&r, len);
    *ret_used = RJ_MESSAGE_HEAD_LEN + len;
    return rj_cbor_is_valid(*ret_item) ? RJ_OK : RJ_EPROTO;
}

/* Reads the text name, which must come next. */
static void expect(struct rj_reader *r, const char *name)
{
    if (!rj_bytes_equal(rj_cbor_get_text(r), rj_bytes_from_str(name)))
        rj_reader_fail(r);
}

enum rj_err rj_message_request(struct rj_bytes item, struct rj_message_request *ret)
{
    struct rj_reader r = rj_reader_of(item);
    struct rj_message_request m;

    if (rj_cbor_get_map(&r) != 3)
        rj_reader_fail(&r);
    expect(&r, "id");
    m.id = rj_cbor_get_uint(&r);
    expect(&r, "args");
    if (rj_cbor_peek(&r) != RJ_CBOR_MAP)
        rj_reader_fail(&r);
    m.args = rj_cbor_item(&r);
    expect(&r, "verb");
    m.verb = rj_cbor_get_text(&r);
    if (!rj_reader_complete(&r) || m.verb.len > RJ_MESSAGE_VERB_MAX)
        return RJ_EPROTO;
    *ret = m;
    return RJ_OK;
}

enum rj_err rj_message_reply(struct rj_bytes item, struct rj_message_reply *ret)
{
    struct rj_reader r = rj_reader_of(item);
    struct rj_message_reply m;
    struct rj_bytes name;
    size_t kind = 0;

    if (rj_cbor_get_map(&r) != 3)
        rj_reader_fail(&r);
    expect(&r, "id");
    m.id = rj_cbor_get_uint(&r);
    expect(&r, "body");
    m.body = rj_cbor_item(&r);
    expect(&r, "kind");
    name = rj_cbor_get_text(&r);
    if (!rj_reader_complete(&r))
        return RJ_EPROTO;
    while (kind < KINDS && !rj_bytes_equal(name, rj_bytes_from_str(kinds[kind])))
        kind++;
    if (kind == KINDS)
        return RJ_EPROTO;
    m.kind = (enum rj_message_kind)kind;
    *ret = m;
    return RJ_OK;
}

enum rj_err rj_message_err(struct rj_bytes name)
{
    for (int e = 0; e < RJ_ERR_COUNT; e++) {
        if (rj_bytes_equal(name, rj_bytes_from_str(rj_err_name((enum rj_err)e))))
            return (enum rj_err)e;
    }
    return RJ_EIO;
}

static size_t begin(struct rj_buf *out)
{
    rj_buf_u32be(out, 0);
    return out->len;
}

static enum rj_err finish(struct rj_buf *out, size_t start)
{
    size_t len = out->len - start;

    if (rj_buf_err(out) != RJ_OK)
        return rj_buf_err(out);
    if (len > RJ_MESSAGE_MAX) {
        rj_buf_truncate(out, start - RJ_MESSAGE_HEAD_LEN);
        return RJ_ELIMIT;
    }
    rj_buf_set_u32be(out, start - RJ_MESSAGE_HEAD_LEN, (uint32_t)len);
    return RJ_OK;
}

static void put_key(struct rj_buf *out, const char *name)
{
    rj_cbor_put_text(out, rj_bytes_from_str(name));
}

enum rj_err rj_message_put_request(struct rj_buf *out, const struct rj_message_request *m)
{
    size_t start = begin(out);

    rj_cbor_put_map(out, 3);
    put_key(out, "id");
    rj_cbor_put_uint(out, m->id);
    put_key(out, "args");
    rj_buf_append(out, m->args);
    put_key(out, "verb");
    rj_cbor_put_text(out, m->verb);
    return finish(out, start);
}

enum rj_err rj_message_put_reply(struct rj_buf *out, const struct rj_message_reply *m)
{
    size_t start = begin(out);

    rj_cbor_put_map(out, 3);
    put_key(out, "id");
    rj_cbor_put_uint(out, m->id);
    put_key(out, "body");
    rj_buf_append(out, m->body);
    put_key(out, "kind");
    put_key(out, kinds[m->kind]);
    return finish(out, start);
}
