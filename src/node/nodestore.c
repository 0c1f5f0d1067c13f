/* SPDX-License-Identifier: Apache-2.0 */
/* Records that belong to no space: the node's own ('N'), devices and their addresses
 * ('D'), invitations ('V'). doc/format.md, "Records". */
#include "base/alloc.h"
#include "base/cbor.h"
#include "node/state.h"

enum { NODE_FORMAT = 1 };

static void put_devices(struct rj_node *n, struct rj_buf *b, struct rj_writes *w)
{
    uint8_t key[1 + RJ_DIGEST_LEN] = {'D'};
    size_t i, j;

    for (i = 0; i < n->n_devices; i++) {
        struct rj_known_device *d = &n->devices[i];

        if (!d->dirty)
            continue;
        d->dirty = false;
        memcpy(key + 1, d->device.b, RJ_DIGEST_LEN);
        rj_buf_clear(b);
        rj_cbor_put_array(b, 2);
        rj_cbor_put_text(b, rj_bytes_from_str(d->name));
        rj_cbor_put_array(b, d->n_addresses);
        for (j = 0; j < d->n_addresses; j++)
            rj_cbor_put_text(b, rj_bytes_from_str(d->addresses[j]));
        rj_writes_put(w, RJ_BYTES_OF(key), rj_buf_view(b));
    }
}

static void put_invites(struct rj_node *n, struct rj_buf *b, struct rj_writes *w)
{
    size_t i, j;

    rj_buf_clear(b);
    rj_cbor_put_array(b, n->n_invites);
    for (i = 0; i < n->n_invites; i++) {
        const struct rj_invitation *inv = &n->invites[i];

        rj_cbor_put_array(b, 4 + inv->n_spaces);
        rj_cbor_put_bytes(b, RJ_BYTES_OF(inv->secret));
        rj_cbor_put_uint(b, inv->role);
        rj_cbor_put_uint(b, inv->expires_ms);
        rj_cbor_put_uint(b, inv->uses);
        for (j = 0; j < inv->n_spaces; j++)
            rj_cbor_put_bytes(b, RJ_BYTES_OF(inv->spaces[j].b));
    }
    rj_writes_put(w, RJ_BYTES_LIT("V"), rj_buf_view(b));
    n->invites_dirty = false;
}

enum rj_err rj_node_collect(struct rj_node *n, struct rj_writes *w)
{
    struct rj_buf b = {0};
    enum rj_err err;

    put_devices(n, &b, w);
    if (n->invites_dirty)
        put_invites(n, &b, w);
    if (n->meta_dirty) {
        rj_buf_clear(&b);
        rj_cbor_put_array(&b, 2);
        rj_cbor_put_uint(&b, NODE_FORMAT);
        rj_cbor_put_uint(&b, n->next_space);
        rj_writes_put(w, RJ_BYTES_LIT("N"), rj_buf_view(&b));
        n->meta_dirty = false;
    }
    err = rj_buf_err(&b);
    rj_buf_done(&b);
    return err == RJ_OK && w->failed ? RJ_ENOMEM : err;
}

static enum rj_err load_device(struct rj_node *n, struct rj_bytes key,
                               struct rj_bytes value)
{
    struct rj_reader r = rj_reader_of(value);
    struct rj_known_device *d;
    struct rj_digest id;
    struct rj_bytes name;
    size_t count, i;
    enum rj_err err;

    if (key.len != 1 + RJ_DIGEST_LEN)
        return RJ_ECORRUPT;
    memcpy(id.b, key.ptr + 1, RJ_DIGEST_LEN);
    rj_cbor_expect_array(&r, 2);
    name = rj_cbor_get_text(&r);
    count = rj_cbor_get_array(&r);
    if (r.failed || name.len > RJ_NAME_MAX || count > RJ_ADDRESSES_MAX)
        return RJ_ECORRUPT;
    err = rj_device_add(n, &id, &d);
    if (err == RJ_OK && name.len > 0)
        memcpy(d->name, name.ptr, name.len);
    for (i = 0; i < count && err == RJ_OK; i++) {
        struct rj_bytes address = rj_cbor_get_text(&r);

        err = r.failed ? RJ_ECORRUPT : rj_device_add_address(n, d, address, false);
    }
    if (err == RJ_OK)
        d->dirty = false;
    n->meta_dirty = false;
    return err == RJ_OK && !rj_reader_complete(&r) ? RJ_ECORRUPT : err;
}

static enum rj_err load_invite(struct rj_node *n, struct rj_reader *r)
{
    struct rj_invitation inv = {0};
    size_t fields = rj_cbor_get_array(r), i;
    uint64_t role, uses;

    rj_cbor_get_fixed(r, inv.secret, sizeof(inv.secret));
    role = rj_cbor_get_uint(r);
    inv.expires_ms = rj_cbor_get_uint(r);
    uses = rj_cbor_get_uint(r);
    if (r->failed || fields < 4 || fields - 4 > RJ_SPACES_MAX || role > RJ_ROLE_ADMIN ||
        uses > UINT32_MAX)
        return RJ_ECORRUPT;
    inv.role = (enum rj_role)role;
    inv.uses = (uint32_t)uses;
    inv.n_spaces = fields - 4;
    inv.spaces = rj_alloc_zero(inv.n_spaces, sizeof(*inv.spaces));
    if (inv.spaces == NULL)
        return RJ_ENOMEM;
    for (i = 0; i < inv.n_spaces; i++)
        rj_cbor_get_fixed(r, inv.spaces[i].b, RJ_DIGEST_LEN);
    n->invites[n->n_invites++] = inv;
    return r->failed ? RJ_ECORRUPT : RJ_OK;
}

static enum rj_err load_invites(struct rj_node *n, struct rj_bytes value)
{
    struct rj_reader r = rj_reader_of(value);
    size_t count = rj_cbor_get_array(&r), i;
    enum rj_err err = RJ_OK;

    if (r.failed || count > RJ_INVITES_MAX)
        return RJ_ECORRUPT;
    n->invites = rj_alloc_zero(count, sizeof(*n->invites));
    if (n->invites == NULL)
        return RJ_ENOMEM;
    for (i = 0; i < count && err == RJ_OK; i++)
        err = load_invite(n, &r);
    return err == RJ_OK && !rj_reader_complete(&r) ? RJ_ECORRUPT : err;
}

/* The number of the first space from *number on that has records; RJ_ENOENT: none. */
static enum rj_err next_number(struct rj_node *n, struct rj_view *view, uint32_t *number)
{
    uint8_t from[5] = {'S'};
    struct rj_bytes key, value;
    enum rj_err err;

    rj_be_store32(from + 1, *number);
    err = n->store->ops->seek(view, RJ_SEEK_GE, RJ_BYTES_OF(from), &key, &value);
    if (err != RJ_OK || key.len < sizeof(from) || key.ptr[0] != 'S')
        return err == RJ_OK ? RJ_ENOENT : err;
    *number = rj_be_load32(key.ptr + 1);
    return *number < n->next_space ? RJ_OK : RJ_ECORRUPT;
}

static enum rj_err load_space(struct rj_node *n, struct rj_view *view, uint32_t number)
{
    uint8_t key[6] = {'S', 0, 0, 0, 0, 'A'};
    struct rj_bytes k, meta;
    struct rj_buf copy = {0};
    enum rj_err err;

    rj_be_store32(key + 1, number);
    err = n->store->ops->seek(view, RJ_SEEK_EQ, RJ_BYTES_OF(key), &k, &meta);
    if (err != RJ_OK)
        return err == RJ_ENOENT ? RJ_ECORRUPT : err;
    rj_buf_append(&copy, meta); /* the load seeks on */
    err = rj_buf_err(&copy);
    if (err == RJ_OK)
        err = rj_space_load(n, view, number, rj_buf_view(&copy));
    rj_buf_done(&copy);
    return err;
}

static enum rj_err load_spaces(struct rj_node *n, struct rj_view *view)
{
    uint32_t number = 1;
    enum rj_err err;

    while ((err = next_number(n, view, &number)) == RJ_OK) {
        if (n->n_spaces >= RJ_SPACES_MAX)
            return RJ_ECORRUPT;
        err = load_space(n, view, number);
        if (err != RJ_OK)
            return err;
        number++;
    }
    return err == RJ_ENOENT ? RJ_OK : err;
}

static enum rj_err load_node(struct rj_node *n, struct rj_bytes value)
{
    struct rj_reader r = rj_reader_of(value);
    size_t fields = rj_cbor_get_array(&r);
    uint64_t next;

    if (rj_cbor_get_uint(&r) != NODE_FORMAT)
        return r.failed ? RJ_ECORRUPT : RJ_EVERSION; /* of other fields, maybe */
    next = rj_cbor_get_uint(&r);
    if (!rj_reader_complete(&r) || fields != 2 || next == 0 || next > UINT32_MAX)
        return RJ_ECORRUPT;
    n->next_space = (uint32_t)next;
    return RJ_OK;
}

enum rj_err rj_node_load(struct rj_node *n, struct rj_view *view)
{
    const struct rj_store_ops *ops = n->store->ops;
    enum rj_seek how = RJ_SEEK_GE;
    uint8_t last[1 + RJ_DIGEST_LEN] = {'D'};
    size_t last_len = 1;
    struct rj_bytes key, value;
    enum rj_err err = ops->seek(view, RJ_SEEK_EQ, RJ_BYTES_LIT("N"), &key, &value);

    if (err == RJ_ENOENT) {
        n->meta_dirty = true;
        err = ops->seek(view, RJ_SEEK_GE, RJ_BYTES_LIT("D"), &key, &value);
        return err == RJ_ENOENT ? RJ_OK : err == RJ_OK ? RJ_ECORRUPT : err;
    }
    if (err != RJ_OK)
        return err;
    err = load_node(n, value);
    if (err != RJ_OK)
        return err;
    for (;;) {
        err = ops->seek(view, how, rj_bytes_of(last, last_len), &key, &value);
        if (err != RJ_OK || key.len == 0 || key.ptr[0] != 'D' || key.len > sizeof(last))
            break;
        memcpy(last, key.ptr, key.len);
        last_len = key.len;
        err = load_device(n, rj_bytes_of(last, last_len), value);
        if (err != RJ_OK)
            return err;
        how = RJ_SEEK_GT;
    }
    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    err = ops->seek(view, RJ_SEEK_EQ, RJ_BYTES_LIT("V"), &key, &value);
    if (err == RJ_OK)
        err = load_invites(n, value);
    return err == RJ_ENOENT || err == RJ_OK ? load_spaces(n, view) : err;
}
