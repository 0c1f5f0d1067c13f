/* SPDX-License-Identifier: Apache-2.0 */
/* LMDB orders keys as unsigned bytes, shorter first, up to 511 bytes. A key of up to 501
 * bytes is stored as it is, in group 0. Longer keys that begin with the same 501 bytes P
 * live behind one record P + 00: in that order it comes right after P itself and before
 * everything greater, exactly where those keys belong. While there is only one of them,
 * the record holds it; when a second one comes, both go to a group of their own, without
 * P, and the same rule again. So order is exact at any length, and no record grows with
 * the number of keys that share a beginning. (A trie with fixed steps, its single chains
 * compressed: Fredkin 1960, Morrison 1968.)
 * Each record carries XXH3-64 over its LMDB key and its body: a flipped bit, a lost
 * write and a value under the wrong key are found when it is read. */
#include "store/stored.h"

#include "base/be.h"
#include "base/hash.h"
#include "base/reader.h"

#include <stdio.h>

enum {
    MARK = 0x00,       /* the byte after the 501 bytes of a beginning */
    GROUP_LEN_MAX = 8, /* bytes of a group number */
    SMALL_MAX = 1024   /* up to here copying costs less than hashing in pieces */
};

static const uint8_t format_key[] = {RJ_STORED_OWN, 'f', 'o', 'r', 'm', 'a', 't'};
static const uint8_t format_magic[] = {'r', 'j', 's', 't', 'o', 'r', 'e', '\n'};

uint64_t rj_stored_checksum(struct rj_bytes key, struct rj_bytes body)
{
    uint8_t small[2 + SMALL_MAX];
    struct rj_bytes parts[] = {{.ptr = small, .len = 2}, key, body};

    rj_be_store16(small, (uint16_t)key.len);
    if (key.len > SMALL_MAX || body.len > SMALL_MAX - key.len)
        return rj_hash_checksum_parts(parts, 3);
    if (key.len > 0)
        memcpy(small + 2, key.ptr, key.len);
    if (body.len > 0)
        memcpy(small + 2 + key.len, body.ptr, body.len);
    return rj_hash_checksum(rj_bytes_of(small, 2 + key.len + body.len));
}

size_t rj_stored_prefix(uint64_t group, uint8_t ret[RJ_STORED_PREFIX_MAX])
{
    uint8_t be[GROUP_LEN_MAX];
    size_t skip = 0;

    rj_be_store64(be, group);
    while (skip < sizeof(be) && be[skip] == 0)
        skip++;
    ret[0] = (uint8_t)(sizeof(be) - skip);
    memcpy(ret + 1, be + skip, sizeof(be) - skip);
    return 1 + sizeof(be) - skip;
}

size_t rj_stored_key(uint64_t group, struct rj_bytes key, uint8_t ret[RJ_STORED_KEY_MAX])
{
    size_t at = rj_stored_prefix(group, ret);
    size_t n = key.len < RJ_STORED_PART_MAX ? key.len : RJ_STORED_PART_MAX;

    if (n > 0)
        memcpy(ret + at, key.ptr, n);
    at += n;
    if (key.len > RJ_STORED_PART_MAX)
        ret[at++] = MARK;
    return at;
}

size_t rj_stored_size(const struct rj_stored *r)
{
    switch (r->kind) {
    case RJ_STORED_ONE:
        return RJ_STORED_HEAD + 1 + sizeof(uint32_t) + r->rest.len + r->value.len;
    case RJ_STORED_GROUP:
        return RJ_STORED_HEAD + 1 + sizeof(uint64_t);
    case RJ_STORED_VALUE:
        break;
    }
    return RJ_STORED_HEAD + r->value.len;
}

void rj_stored_write(const struct rj_stored *r, struct rj_bytes lmdb_key, uint8_t *room)
{
    uint8_t *p = room + RJ_STORED_HEAD;

    if (r->kind != RJ_STORED_VALUE)
        *p++ = (uint8_t)r->kind;
    if (r->kind == RJ_STORED_GROUP) {
        rj_be_store64(p, r->child);
        p += sizeof(uint64_t);
    }
    if (r->kind == RJ_STORED_ONE) {
        rj_be_store32(p, (uint32_t)r->rest.len);
        p += sizeof(uint32_t);
        memcpy(p, r->rest.ptr, r->rest.len);
        p += r->rest.len;
    }
    if (r->kind != RJ_STORED_GROUP && r->value.len > 0) {
        memcpy(p, r->value.ptr, r->value.len);
        p += r->value.len;
    }
    rj_be_store64(room, rj_stored_checksum(
                            lmdb_key, rj_bytes_of(room + RJ_STORED_HEAD,
                                                  (size_t)(p - room) - RJ_STORED_HEAD)));
}

bool rj_stored_intact(struct rj_bytes lmdb_key, struct rj_bytes stored)
{
    return stored.len >= RJ_STORED_HEAD && lmdb_key.len <= RJ_STORED_KEY_MAX &&
           rj_be_load64(stored.ptr) ==
               rj_stored_checksum(lmdb_key, rj_bytes_skip(stored, RJ_STORED_HEAD));
}

/* The group and the part that an LMDB key holds; *ret_mark: a beginning of long keys. */
static enum rj_err read_key(struct rj_bytes lmdb_key, struct rj_stored *r, bool *ret_mark)
{
    struct rj_reader in = rj_reader_of(lmdb_key);
    uint8_t n = rj_reader_u8(&in);
    struct rj_bytes number = rj_reader_bytes(&in, n);

    if (n > GROUP_LEN_MAX || (n > 0 && number.len > 0 && number.ptr[0] == 0))
        return RJ_ECORRUPT;
    r->group = 0;
    for (size_t i = 0; i < number.len; i++)
        r->group = r->group << 8 | number.ptr[i];
    r->part = rj_reader_rest(&in);
    if (in.failed || r->part.len == 0 || r->part.len > RJ_STORED_PART_MAX + 1)
        return RJ_ECORRUPT;
    *ret_mark = r->part.len > RJ_STORED_PART_MAX;
    if (*ret_mark && r->part.ptr[--r->part.len] != MARK)
        return RJ_ECORRUPT;
    return RJ_OK;
}

static enum rj_err read_mark(struct rj_bytes body, struct rj_stored *r)
{
    struct rj_reader in = rj_reader_of(body);
    uint8_t kind = rj_reader_u8(&in);

    if (kind == RJ_STORED_GROUP) {
        r->kind = RJ_STORED_GROUP;
        r->child = rj_reader_u64be(&in);
        if (r->child == 0 || r->child == UINT64_MAX || r->child == r->group)
            rj_reader_fail(&in);
    } else if (kind == RJ_STORED_ONE) {
        r->kind = RJ_STORED_ONE;
        r->rest = rj_reader_bytes(&in, rj_reader_u32be(&in));
        r->value = rj_reader_rest(&in);
        if (r->rest.len == 0 || r->rest.len > RJ_STORE_KEY_MAX - RJ_STORED_PART_MAX)
            rj_reader_fail(&in);
    } else {
        rj_reader_fail(&in);
    }
    return rj_reader_complete(&in) ? RJ_OK : RJ_ECORRUPT;
}

enum rj_err rj_stored_read(struct rj_bytes lmdb_key, struct rj_bytes stored,
                           struct rj_stored *ret)
{
    struct rj_stored r = {.kind = RJ_STORED_VALUE};
    struct rj_bytes body = rj_bytes_skip(stored, RJ_STORED_HEAD);
    bool mark = false;
    enum rj_err err = RJ_ECORRUPT;

    if (rj_stored_intact(lmdb_key, stored))
        err = read_key(lmdb_key, &r, &mark);
    if (err != RJ_OK)
        return err;
    if (mark)
        err = read_mark(body, &r);
    else
        r.value = body;
    if (err == RJ_OK)
        *ret = r;
    return err;
}

struct rj_bytes rj_stored_format_key(void)
{
    return RJ_BYTES_OF(format_key);
}

void rj_stored_format_write(const struct rj_stored_format *format,
                            uint8_t ret[RJ_STORED_FORMAT_SIZE])
{
    uint8_t *body = ret + RJ_STORED_HEAD;
    uint8_t *maker = body + sizeof(format_magic) + 4;

    memcpy(body, format_magic, sizeof(format_magic));
    rj_be_store32(body + sizeof(format_magic), format->number);
    memset(maker, 0, RJ_STORED_MAKER_MAX);
    memcpy(maker, format->maker, strnlen(format->maker, RJ_STORED_MAKER_MAX));
    rj_be_store64(ret, rj_stored_checksum(
                           rj_stored_format_key(),
                           rj_bytes_of(body, RJ_STORED_FORMAT_SIZE - RJ_STORED_HEAD)));
}

enum rj_err rj_stored_format_read(struct rj_bytes stored,
                                  struct rj_stored_format *ret_format)
{
    struct rj_reader in = rj_reader_of(rj_bytes_skip(stored, RJ_STORED_HEAD));
    struct rj_bytes magic = rj_reader_bytes(&in, sizeof(format_magic));
    struct rj_stored_format format = {.number = rj_reader_u32be(&in)};
    struct rj_bytes maker;

    if (in.failed || !rj_stored_intact(rj_stored_format_key(), stored) ||
        !rj_bytes_equal(magic, RJ_BYTES_OF(format_magic)) || format.number == 0)
        return RJ_ECORRUPT;
    /* What follows may belong to another format; those that have it at all have it here.
     */
    maker = rj_reader_bytes(&in, RJ_STORED_MAKER_MAX);
    if (in.failed && format.number == RJ_STORED_FORMAT)
        return RJ_ECORRUPT;
    for (size_t i = 0; !in.failed && i < maker.len && maker.ptr[i] != 0; i++)
        format.maker[i] =
            maker.ptr[i] > ' ' && maker.ptr[i] <= '~' ? (char)maker.ptr[i] : '?';
    *ret_format = format;
    return RJ_OK;
}

void rj_stored_key_text(struct rj_bytes key, char text[RJ_STORED_TEXT])
{
    enum { SHOWN = 16 };
    size_t shown = key.len < SHOWN ? key.len : SHOWN;
    int at = snprintf(text, RJ_STORED_TEXT, "%zu bytes ", key.len);

    for (size_t i = 0; i < shown && at > 0 && at < RJ_STORED_TEXT; i++)
        at += snprintf(text + at, (size_t)(RJ_STORED_TEXT - at), "%02x", key.ptr[i]);
    if (shown < key.len && at > 0 && at < RJ_STORED_TEXT)
        (void)snprintf(text + at, (size_t)(RJ_STORED_TEXT - at), "...");
}
