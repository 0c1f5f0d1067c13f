/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a key: [head][key][home]. sizeof(head) + 16 + 48 + 8 for a key of 16 bytes
 * with a value of 8: 120 bytes in one piece. */
#include "bucket/key.h"

#include "base/alloc.h"

static size_t home_offset(size_t len)
{
    size_t align = _Alignof(struct rj_version);

    return (sizeof(struct rj_bkey) + len + align - 1) / align * align;
}

/* The home takes what the allocator would leave unused behind it. */
static size_t rounded(size_t size)
{
    return (size + 8 + 15) / 16 * 16 - 8;
}

struct rj_bkey *rj_bkey_new(uint64_t position, struct rj_bytes key, size_t cap)
{
    size_t offset = home_offset(key.len);
    size_t size = sizeof(struct rj_bkey) + key.len;
    bool home = cap <= RJ_HOME_MAX;
    struct rj_bkey *k;
    struct rj_version *v;

    if (home)
        size = rounded(offset + sizeof(*v) + cap);
    k = rj_alloc_array(size, 1);
    if (k == NULL)
        return NULL;
    *k = (struct rj_bkey){.position = position, .len = (uint32_t)key.len, .home = home};
    if (key.len > 0)
        memcpy(k + 1, key.ptr, key.len);
    if (home) {
        v = rj_bkey_home(k);
        v->d = (struct rj_dotted){.sort = RJ_DOTTED_VERSION, .home = true};
        v->len = 0;
        v->cap = (uint32_t)(size - offset - sizeof(*v));
    }
    return k;
}

void rj_bkey_free(struct rj_bkey *k)
{
    struct rj_dotted *d = rj_bkey_first(k);

    while (d != NULL) {
        struct rj_dotted *next = d->next;

        if (!d->home)
            rj_dotted_free(d);
        d = next;
    }
    if (k->has_ext) {
        rj_dotmap_done(k->u.ext->set);
        rj_dotmap_done(k->u.ext->hash);
        free(k->u.ext->set);
        free(k->u.ext->hash);
        free(k->u.ext);
    }
    free(k);
}

void rj_bkey_move(struct rj_bkey *to, struct rj_bkey *from)
{
    to->u = from->u;
    to->has_ext = from->has_ext;
    to->live = from->live;
    to->place_dirty = from->place_dirty;
    to->stored = from->stored;
    to->split = from->split;
    to->mark = from->mark;
    if (to->has_ext)
        to->u.ext->key = to;
    from->has_ext = false;
    from->u.first = NULL;
}

struct rj_version *rj_bkey_home(struct rj_bkey *k)
{
    if (!k->home)
        return NULL;
    return (struct rj_version *)(void *)((char *)k + home_offset(k->len));
}

enum rj_err rj_bkey_extend(struct rj_bkey *k)
{
    struct rj_bkey_ext *ext;

    if (k->has_ext)
        return RJ_OK;
    ext = rj_alloc_zero(1, sizeof(*ext));
    if (ext == NULL)
        return RJ_ENOMEM;
    ext->first = k->u.first;
    ext->key = k;
    k->u.ext = ext;
    k->has_ext = true;
    return RJ_OK;
}

enum rj_err rj_bkey_make_map(struct rj_dotmap **map, const struct rj_naming *naming)
{
    if (*map != NULL)
        return RJ_OK;
    *map = rj_alloc_array(1, sizeof(**map));
    if (*map == NULL)
        return RJ_ENOMEM;
    rj_dotmap_init(*map, naming);
    return RJ_OK;
}

static void tidy_map(struct rj_dotmap **map)
{
    if (*map != NULL && rj_dotmap_count(*map) == 0) {
        rj_dotmap_done(*map);
        free(*map);
        *map = NULL;
    }
}

/* What will be looked at again (a deadline, a gone, an owed one) needs the extension. */
static bool is_noted(const struct rj_dotted *first)
{
    const struct rj_dotted *d;

    for (d = first; d != NULL; d = d->next) {
        if (d->deadline != 0 || d->sort >= RJ_DOTTED_GONE)
            return true;
    }
    return false;
}

void rj_bkey_tidy(struct rj_bkey *k, struct rj_due *due)
{
    struct rj_bkey_ext *ext;

    if (!k->has_ext)
        return;
    ext = k->u.ext;
    tidy_map(&ext->set);
    tidy_map(&ext->hash);
    if (ext->set != NULL || ext->hash != NULL || is_noted(ext->first))
        return;
    rj_due_drop(due, &ext->due);
    k->u.first = ext->first;
    k->has_ext = false;
    free(ext);
}

bool rj_bkey_is_void(const struct rj_bkey *k)
{
    if (!k->has_ext)
        return k->u.first == NULL;
    return k->u.ext->first == NULL && k->u.ext->set == NULL && k->u.ext->hash == NULL;
}

bool rj_bkey_is_live(const struct rj_bkey *k)
{
    const struct rj_dotmap *set = rj_bkey_set(k), *hash = rj_bkey_hash(k);

    return (set != NULL && rj_dotmap_is_live(set)) ||
           (hash != NULL && rj_dotmap_is_live(hash)) ||
           rj_dotfun_is_live(rj_bkey_first(k));
}
