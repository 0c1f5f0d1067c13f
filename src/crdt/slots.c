/* SPDX-License-Identifier: Apache-2.0 */
/* Names: references in open addressing, in segments that are chosen by the first bits of
 * a keyed hash. Beside each reference stands a byte of the hash, so that things of other
 * names are hardly ever looked at; eight of them, a group, are compared at once, and what
 * finds no room in its group goes to one behind. A removed one leaves a mark where its
 * group was ever full. A segment that is 7/8 full is made anew, doubled, or from 1,024
 * slots on split in two by the next bit: so a table grows piece by piece, and no change
 * waits for all of it. Where a split would not help (someone who knows the key aimed at
 * one segment) it doubles on.
 * Fagin et al. 1979, "Extendible hashing"; groups of tags after Kulukundis 2017,
 * "Designing a fast, efficient, cache-friendly hash table, step by step". */
#include "base/be.h"
#include "crdt/named.h"

enum { CAP_FIRST = 16, CAP_SPLIT = 1024, GROUP = 8, FAIR = 64, CHUNK = 256, AHEAD = 8 };
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

static uint64_t hash_name(const struct rj_slots *s, struct rj_bytes prefix,
                          struct rj_bytes name)
{
    return prefix.len == 0 && name.len <= CHUNK ? rj_hash_64(s->slab->naming->key, name)
                                                : hash_parts(s, prefix, name);
}

uint64_t rj_slots_hash(const struct rj_slots *s, struct rj_bytes prefix,
                       struct rj_bytes name)
{
    return s->dir != NULL ? hash_name(s, prefix, name) : 0;
}

static uint64_t hash_of(const struct rj_slots *s, uint32_t ref)
{
    const struct rj_bytes none = {0};

    return hash_name(s, none, rj_slab_name(s->slab, ref));
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

#define EACH_BYTE 0x0101010101010101u

/* The high bit of each byte of w that is 0, and maybe of some above the lowest such. */
static uint64_t zero_bytes(uint64_t w)
{
    return (w - EACH_BYTE) & ~w & EACH_BYTE << 7;
}

/* Which byte, as they lie in memory, the lowest bit of such a mask means. */
static uint32_t byte_of(uint64_t mask)
{
    return GROUP - 1 - (uint32_t)__builtin_ctzll(mask) / 8;
}

/* The first slot of the group where that hash belongs. */
static uint32_t home_of(uint32_t cap, uint64_t hash)
{
    return (uint32_t)hash & (cap - 1) & ~(uint32_t)(GROUP - 1);
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
    uint32_t i = home_of(g->cap, hash);
    uint64_t room;

    while ((room = zero_bytes(rj_be_load64(tags + i) & ~EACH_BYTE)) == 0)
        i = (i + GROUP) & (g->cap - 1);
    i += byte_of(room);
    g->filled += tags[i] == FREE;
    g->used++;
    g->ref[i] = ref;
    tags[i] = tag_of(hash);
}

/* The next reference in g from *i on, which goes behind it; 0: none. Rows further on are
 * fetched: each of them is going to be hashed. */
static uint32_t next_ref(const struct rj_slots *s, const struct rj_segment *g,
                         uint32_t *i)
{
    uint32_t ref = 0;

    for (; ref == 0 && *i < g->cap; ++*i) {
        if (*i + AHEAD < g->cap && g->ref[*i + AHEAD] != 0)
            __builtin_prefetch(rj_slab_at(s->slab, g->ref[*i + AHEAD]));
        ref = g->ref[*i];
    }
    return ref;
}

static bool rebuild(struct rj_slots *s, struct rj_segment *g, uint64_t hash, uint32_t cap)
{
    struct rj_segment *fresh =
        cap <= (uint32_t)1 << 30 ? new_segment(s, cap, g->depth) : NULL;
    uint32_t i = 0, ref;

    if (fresh == NULL)
        return false;
    while ((ref = next_ref(s, g, &i)) != 0)
        place(fresh, hash_of(s, ref), ref);
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
    uint32_t i = 0, ref;

    if (low == NULL || high == NULL || (g->depth == s->depth && !double_dir(s))) {
        if (low != NULL)
            release(s, low);
        if (high != NULL)
            release(s, high);
        return false;
    }
    while ((ref = next_ref(s, g, &i)) != 0) {
        h = hash_of(s, ref);
        place((h & bit) != 0 ? high : low, h, ref);
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

/* ---- names */

void rj_slots_expect(const struct rj_slots *s, uint64_t hash)
{
    const struct rj_segment_at *at = s->dir != NULL ? &s->dir[index_of(s, hash)] : NULL;
    uint32_t home;

    if (at == NULL)
        return;
    home = home_of(at->cap, hash);
    __builtin_prefetch(at->segment, 1);
    __builtin_prefetch(&at->segment->ref[home], 1);
    __builtin_prefetch((const uint8_t *)(at->segment->ref + at->cap) + home);
}

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
    const struct rj_segment_at *at;
    const uint8_t *tags;
    uint64_t same, group;
    uint32_t i, slot;

    if (s->dir == NULL)
        return find_few(s, prefix, name);
    at = &s->dir[index_of(s, hash)];
    rj_slots_expect(s, hash); /* mostly a change follows */
    tags = (const uint8_t *)(at->segment->ref + at->cap);
    for (i = home_of(at->cap, hash);; i = (i + GROUP) & (at->cap - 1)) {
        group = rj_be_load64(tags + i);
        for (same = zero_bytes(group ^ EACH_BYTE * tag_of(hash)); same != 0;
             same &= same - 1) {
            slot = i + byte_of(same);
            if (tags[slot] >= TAGS && is_at(s, at->segment->ref[slot], prefix, name))
                return &at->segment->ref[slot];
        }
        if (zero_bytes(group) != 0)
            return NULL;
    }
}

void rj_slots_fetch(const struct rj_slots *s, uint64_t hash)
{
    enum { LINE = 64 };
    const struct rj_segment_at *at = s->dir != NULL ? &s->dir[index_of(s, hash)] : NULL;
    const uint8_t *thing;
    uint64_t same;
    uint32_t home, slot;

    if (at == NULL)
        return;
    home = home_of(at->cap, hash);
    same = zero_bytes(rj_be_load64((const uint8_t *)(at->segment->ref + at->cap) + home) ^
                      EACH_BYTE * tag_of(hash));
    slot = home + (same != 0 ? byte_of(same) : 0);
    if (same == 0 || at->segment->ref[slot] == 0)
        return; /* it is in another group, or nowhere */
    thing = rj_slab_at(s->slab, at->segment->ref[slot]);
    __builtin_prefetch(thing);
    __builtin_prefetch(thing + LINE);
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

bool rj_slots_own(struct rj_slots *s, uint64_t hash)
{
    struct rj_segment *g, *copy;

    if (s->dir == NULL)
        return true;
    g = s->dir[index_of(s, hash)].segment;
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
    if (g->users > 1) {
        if (!rj_slots_own(s, hash))
            return false;
        g = s->dir[index_of(s, hash)].segment;
    }
    place(g, hash, ref);
    s->count++;
    return true;
}

void rj_slots_remove(struct rj_slots *s, uint64_t hash, const uint32_t *slot)
{
    struct rj_segment *g;
    uint8_t *tags;
    bool was_full;
    uint32_t i;

    if (s->dir == NULL) {
        s->few[slot - s->few] = s->few[--s->count];
        return;
    }
    g = s->dir[index_of(s, hash)].segment;
    i = (uint32_t)(slot - g->ref);
    tags = tags_of(g);
    was_full = zero_bytes(rj_be_load64(tags + (i & ~(uint32_t)(GROUP - 1)))) == 0;
    g->ref[i] = 0;
    tags[i] = was_full ? LEFT : FREE;
    g->filled -= !was_full;
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
