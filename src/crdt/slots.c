/* SPDX-License-Identifier: Apache-2.0 */
/* Names: references in open addressing, in segments that are chosen by the first bits of
 * a keyed hash. Beside each reference stands a byte of the hash, so that things of other
 * names are hardly ever looked at; a removed one leaves a mark where others were put
 * behind it. A segment that is 7/8 full is made anew, doubled, or from 1,024 slots on
 * split in two by the next bit: so a table grows piece by piece, and no change waits for
 * all of it. Where a split would not help (someone who knows the key aimed at one
 * segment) it doubles on. Fagin et al. 1979, "Extendible hashing". */
#include "crdt/named.h"

enum { CAP_FIRST = 16, CAP_SPLIT = 1024, FAIR = 64, CHUNK = 256 };
enum { FREE = 0, LEFT = 1, TAGS = 2 }; /* bytes: never used, left, the first of a hash */

/* ---- hashing: what is long in chunks, each after the hash of those before */

static const struct rj_allocator *allocator_of(const struct rj_slots *s)
{
    return s->slab->naming->allocator;
}

static uint64_t hash_parts(const struct rj_slots *s, struct rj_bytes prefix,
                           struct rj_bytes name)
{
    uint8_t chunk[8 + CHUNK];
    uint64_t hash = 0;
    size_t n;

    if (prefix.len == 0 && name.len <= CHUNK)
        return rj_hash_64(s->slab->naming->key, name);
    do {
        struct rj_bytes part = rj_bytes_first(prefix, CHUNK), more;

        n = part.len;
        if (n > 0)
            memcpy(chunk + 8, part.ptr, n);
        prefix = rj_bytes_skip(prefix, n);
        more = rj_bytes_first(name, CHUNK - n);
        if (more.len > 0)
            memcpy(chunk + 8 + n, more.ptr, more.len);
        name = rj_bytes_skip(name, more.len);
        n += more.len;
        memcpy(chunk, &hash, sizeof(hash));
        hash = rj_hash_64(s->slab->naming->key, rj_bytes_of(hash != 0 ? chunk : chunk + 8,
                                                            hash != 0 ? n + 8 : n));
    } while (prefix.len + name.len > 0);
    return hash;
}

uint64_t rj_slots_hash(const struct rj_slots *s, struct rj_bytes prefix,
                       struct rj_bytes name)
{
    return s->dir != NULL ? hash_parts(s, prefix, name) : 0;
}

static uint64_t hash_of(const struct rj_slots *s, uint32_t ref)
{
    const struct rj_bytes none = {0};

    return hash_parts(s, none, rj_slab_name(s->slab, ref));
}

/* ---- segments */

static size_t segment_size(uint32_t cap)
{
    return sizeof(struct rj_segment) + cap * (sizeof(uint32_t) + 1);
}

static uint8_t *tags_of(struct rj_segment *g)
{
    return (uint8_t *)(g->ref + g->cap);
}

static uint8_t tag_of(uint64_t hash)
{
    uint8_t tag = (uint8_t)(hash >> 32);

    return tag < TAGS ? tag + TAGS : tag;
}

static struct rj_segment *new_segment(const struct rj_slots *s, uint32_t cap,
                                      uint32_t depth)
{
    struct rj_segment *g = rj_piece_new(allocator_of(s), segment_size(cap));

    if (g == NULL)
        return NULL;
    g->cap = cap;
    g->depth = depth;
    return g;
}

static void release(const struct rj_slots *s, struct rj_segment *g)
{
    rj_piece_release(allocator_of(s), g, segment_size(g->cap));
}

static size_t index_of(const struct rj_slots *s, uint64_t hash)
{
    return s->depth != 0 ? (size_t)(hash >> (64 - s->depth)) : 0;
}

/* Puts g where old was: a run of the directory. */
static void replace(struct rj_slots *s, uint64_t hash, struct rj_segment *g)
{
    size_t run = (size_t)1 << (s->depth - g->depth);
    size_t first = index_of(s, hash) / run * run, i;

    i = first;
    do {
        s->dir[i] = (struct rj_segment_at){g, g->cap};
    } while (++i < first + run);
}

static void place(struct rj_segment *g, uint64_t hash, uint32_t ref)
{
    uint8_t *tags = tags_of(g);
    uint32_t i = (uint32_t)hash & (g->cap - 1);

    while (tags[i] >= TAGS)
        i = (i + 1) & (g->cap - 1);
    g->filled += tags[i] == FREE;
    g->used++;
    g->ref[i] = ref;
    tags[i] = tag_of(hash);
}

static bool rebuild(struct rj_slots *s, struct rj_segment *g, uint64_t hash, uint32_t cap)
{
    struct rj_segment *fresh =
        cap <= (uint32_t)1 << 30 ? new_segment(s, cap, g->depth) : NULL;
    uint32_t i;

    if (fresh == NULL)
        return false;
    for (i = 0; i < g->cap; i++) {
        if (g->ref[i] != 0)
            place(fresh, hash_of(s, g->ref[i]), g->ref[i]);
    }
    replace(s, hash, fresh);
    release(s, g);
    return true;
}

static bool double_dir(struct rj_slots *s)
{
    size_t n = (size_t)1 << s->depth, i;
    struct rj_segment_at *dir = rj_mem_new(allocator_of(s), 2 * n * sizeof(*dir));

    if (dir == NULL)
        return false;
    for (i = 0; i < 2 * n; i++)
        dir[i] = s->dir[i / 2];
    rj_mem_free(allocator_of(s), s->dir, n * sizeof(*dir));
    s->dir = dir;
    s->depth++;
    return true;
}

static bool split_segment(struct rj_slots *s, struct rj_segment *g, uint64_t hash)
{
    uint64_t bit = (uint64_t)1 << (63 - g->depth), h;
    struct rj_segment *low = new_segment(s, g->cap, g->depth + 1);
    struct rj_segment *high = new_segment(s, g->cap, g->depth + 1);
    uint32_t i;

    if (low == NULL || high == NULL || (g->depth == s->depth && !double_dir(s))) {
        if (low != NULL)
            release(s, low);
        if (high != NULL)
            release(s, high);
        return false;
    }
    for (i = 0; i < g->cap; i++) {
        if (g->ref[i] == 0)
            continue;
        h = hash_of(s, g->ref[i]);
        place((h & bit) != 0 ? high : low, h, g->ref[i]);
    }
    replace(s, hash & ~bit, low);
    replace(s, hash | bit, high);
    release(s, g);
    return true;
}

static bool make_room(struct rj_slots *s, struct rj_segment *g, uint64_t hash)
{
    bool fair = g->depth < 32 && ((size_t)FAIR << (g->depth + 1)) <= s->count;

    if (g->used <= g->cap / 8 * 5)
        return rebuild(s, g, hash, g->cap);
    return g->cap >= CAP_SPLIT && fair ? split_segment(s, g, hash)
                                       : rebuild(s, g, hash, g->cap * 2);
}

static bool own(struct rj_slots *s, struct rj_segment *g, uint64_t hash)
{
    struct rj_segment *copy;

    if (g->users == 1)
        return true;
    copy = rj_piece_new(allocator_of(s), segment_size(g->cap));
    if (copy == NULL)
        return false;
    memcpy(copy, g, segment_size(g->cap));
    copy->users = 1;
    replace(s, hash, copy);
    g->users--;
    return true;
}

/* ---- names */

static bool is_at(const struct rj_slots *s, uint32_t ref, struct rj_bytes prefix,
                  struct rj_bytes name)
{
    struct rj_bytes at = rj_slab_name(s->slab, ref);

    return at.len == prefix.len + name.len &&
           (prefix.len == 0 || memcmp(at.ptr, prefix.ptr, prefix.len) == 0) &&
           (name.len == 0 || memcmp(at.ptr + prefix.len, name.ptr, name.len) == 0);
}

static uint32_t *find_few(struct rj_slots *s, struct rj_bytes prefix,
                          struct rj_bytes name)
{
    size_t i;

    for (i = 0; i < s->count; i++) {
        if (is_at(s, s->few[i], prefix, name))
            return &s->few[i];
    }
    return NULL;
}

uint32_t *rj_slots_find(struct rj_slots *s, uint64_t hash, struct rj_bytes prefix,
                        struct rj_bytes name)
{
    struct rj_segment *g;
    const uint8_t *tags;
    uint8_t tag = tag_of(hash);
    uint32_t i;

    if (s->dir == NULL)
        return find_few(s, prefix, name);
    g = s->dir[index_of(s, hash)].segment;
    tags = tags_of(g);
    for (i = (uint32_t)hash & (g->cap - 1); tags[i] != FREE; i = (i + 1) & (g->cap - 1)) {
        if (tags[i] == tag && is_at(s, g->ref[i], prefix, name))
            return &g->ref[i];
    }
    return NULL;
}

void rj_slots_expect(const struct rj_slots *s, uint64_t hash)
{
    const struct rj_segment_at *b = s->dir != NULL ? &s->dir[index_of(s, hash)] : NULL;
    uint32_t home;

    if (b == NULL)
        return;
    home = (uint32_t)hash & (b->cap - 1);
    __builtin_prefetch(b->segment);
    __builtin_prefetch(&b->segment->ref[home]);
    __builtin_prefetch((const uint8_t *)(b->segment->ref + b->cap) + home);
}

void rj_slots_fetch(const struct rj_slots *s, uint64_t hash)
{
    enum { LINE = 64 };
    uint8_t tag = tag_of(hash);
    struct rj_segment *g;
    const uint8_t *tags, *thing;
    uint32_t i;

    if (s->dir == NULL)
        return;
    g = s->dir[index_of(s, hash)].segment;
    tags = tags_of(g);
    for (i = (uint32_t)hash & (g->cap - 1); tags[i] != FREE; i = (i + 1) & (g->cap - 1)) {
        if (tags[i] != tag)
            continue;
        thing = rj_slab_at(s->slab, g->ref[i]);
        __builtin_prefetch(thing);
        __builtin_prefetch(thing + LINE);
        return;
    }
}

/* They become too many to be compared with one by one. */
static bool make_dir(struct rj_slots *s)
{
    struct rj_segment *g = new_segment(s, CAP_FIRST, 0);
    size_t i;

    s->dir = g != NULL ? rj_mem_new(allocator_of(s), sizeof(*s->dir)) : NULL;
    if (s->dir == NULL) {
        if (g != NULL)
            release(s, g);
        return false;
    }
    s->dir[0] = (struct rj_segment_at){g, CAP_FIRST};
    for (i = 0; i < s->count; i++)
        place(g, hash_of(s, s->few[i]), s->few[i]);
    return true;
}

bool rj_slots_put(struct rj_slots *s, uint64_t hash, uint32_t ref)
{
    struct rj_segment *g;

    if (s->dir == NULL && s->count < RJ_SLOTS_FEW) {
        s->few[s->count++] = ref;
        return true;
    }
    if (s->dir == NULL) {
        if (!make_dir(s))
            return false;
        hash = hash_of(s, ref);
    }
    g = s->dir[index_of(s, hash)].segment;
    while (g->filled >= g->cap - g->cap / 8) {
        if (!make_room(s, g, hash))
            return false;
        g = s->dir[index_of(s, hash)].segment;
    }
    if (!own(s, g, hash))
        return false;
    place(s->dir[index_of(s, hash)].segment, hash, ref);
    s->count++;
    return true;
}

void rj_slots_remove(struct rj_slots *s, uint64_t hash, const uint32_t *slot)
{
    struct rj_segment *g;
    uint32_t mask, i;
    uint8_t *tags;

    if (s->dir == NULL) {
        s->few[slot - s->few] = s->few[--s->count];
        return;
    }
    g = s->dir[index_of(s, hash)].segment;
    mask = g->cap - 1;
    i = (uint32_t)(slot - g->ref);
    tags = tags_of(g);
    g->ref[i] = 0;
    tags[i] = LEFT;
    if (tags[(i + 1) & mask] == FREE) { /* nobody was put behind it */
        for (; tags[i] == LEFT; i = (i - 1) & mask) {
            tags[i] = FREE;
            g->filled--;
        }
    }
    g->used--;
    s->count--;
}

uint32_t rj_slots_next(struct rj_slot_walk *w)
{
    const struct rj_slots *s = w->slots;

    if (s->dir == NULL)
        return w->slot < s->count ? s->few[w->slot++] : 0;
    while (w->at < (size_t)1 << s->depth) {
        const struct rj_segment *g = s->dir[w->at].segment;

        while (w->slot < g->cap) {
            uint32_t ref = g->ref[w->slot++];

            if (ref != 0)
                return ref;
        }
        w->at += (size_t)1 << (s->depth - g->depth);
        w->slot = 0;
    }
    return 0;
}

bool rj_slots_own(struct rj_slots *s, uint64_t hash)
{
    return s->dir == NULL || own(s, s->dir[index_of(s, hash)].segment, hash);
}

/* ---- the whole */

void rj_slots_done(struct rj_slots *s)
{
    size_t n = (size_t)1 << s->depth, i, run;

    for (i = 0; s->dir != NULL && i < n; i += run) {
        run = (size_t)1 << (s->depth - s->dir[i].segment->depth);
        release(s, s->dir[i].segment);
    }
    rj_mem_free(allocator_of(s), s->dir, n * sizeof(*s->dir));
    s->dir = NULL;
    s->depth = 0;
    s->count = 0;
}

bool rj_slots_fork(struct rj_slots *to, const struct rj_slots *from)
{
    size_t n = (size_t)1 << from->depth, i, run;

    to->count = from->count;
    memcpy(to->few, from->few, sizeof(to->few));
    if (from->dir == NULL)
        return true;
    to->dir = rj_mem_new(allocator_of(to), n * sizeof(*to->dir));
    if (to->dir == NULL)
        return false;
    memcpy(to->dir, from->dir, n * sizeof(*to->dir));
    to->depth = from->depth;
    for (i = 0; i < n; i += run) {
        run = (size_t)1 << (to->depth - to->dir[i].segment->depth);
        to->dir[i].segment->users++;
    }
    return true;
}
