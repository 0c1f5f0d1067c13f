/* SPDX-License-Identifier: Apache-2.0 */
/* Rateless coded symbols. A part is mixed into symbol 0, and into symbol i with chance
 * 1 / (1 + i / 2); a symbol is the XOR of its parts' words. The symbols of two sets,
 * XORed, are those of what differs; one in which a single part is left gives that part,
 * which is taken out of its other symbols, and so on. Any number of symbols is a
 * beginning of infinitely many; some 1.36 d of them tell d parts.
 *
 * A word is an id and 16 bits that depend on it, by which a single part shows. No count
 * is told: whose a part is the reader sees, for it has its own. Where a mixture passes
 * for a part it is mixed in, and shows up once more, which takes it out again. Yang,
 * Gilad, Alizadeh 2024, "Practical rateless set reconciliation", sections 4 and 5. */
#include "base/prng.h"
#include "crdt/recon.h"

enum { CHECK_BITS = 64 - RJ_RECON_ID_BITS, ROOT_FIRST = 256, STEPS = 4, ROUNDS = 4 };

static uint64_t check_of(uint64_t id, uint64_t salt)
{
    uint64_t state = id ^ salt;

    return rj_prng_splitmix(&state) >> (64 - CHECK_BITS);
}

static uint64_t word_of(uint64_t id, uint64_t salt)
{
    return id << CHECK_BITS | check_of(id, salt);
}

/* ---- which symbols */

static uint64_t square_root(uint64_t x)
{
    uint64_t root = 0, bit;

    for (bit = (uint64_t)1 << 31; bit != 0; bit >>= 1) {
        if ((root + bit) * (root + bit) <= x)
            root += bit;
    }
    return root;
}

/* 2^30 / sqrt(k / 1024), k from 256 to 1024 */
void rj_recon_roots_init(struct rj_recon_roots *roots)
{
    uint64_t k;

    for (k = 0; k <= RJ_RECON_ROOTS; k++)
        roots->at[k] = (uint32_t)square_root(((uint64_t)1 << 62) / (k + ROOT_FIRST) << 8);
}

struct walk {
    const struct rj_recon_roots *roots;
    uint64_t state, index;
};

/* From symbol i the part goes on to the first j with (j+1)(j+2) > (i+1)(i+2) / u, u being
 * uniform in (0, 1]: about (i + 3/2) / sqrt(u) - 1/2. The root of u, scaled by powers of
 * 4 to [1/4, 1), is looked up and interpolated: whole numbers, alike on every machine. */
static void step(struct walk *w)
{
    uint32_t u = (uint32_t)(rj_prng_splitmix(&w->state) >> 32) | 1;
    unsigned halvings = (unsigned)__builtin_clz(u) / 2;
    uint32_t scaled = u << (2 * halvings);
    const uint32_t *root = &w->roots->at[(scaled >> 22) - ROOT_FIRST];
    uint64_t part = scaled >> 6 & 0xffff;
    uint64_t g = root[0] - ((root[0] - root[1]) * part >> 16);
    uint64_t x = ((2 * w->index + 3) * g >> 15 << halvings) >> 15;
    uint64_t next = (x - 1) / 2;

    w->index = next > w->index ? next : w->index + 1;
}

static void mix(uint64_t *symbols, uint64_t n, uint64_t word,
                const struct rj_recon_roots *roots)
{
    struct walk w = {roots, word, 0};

    for (; w.index < n; step(&w))
        symbols[w.index] ^= word;
}

static bool is_in(uint64_t index, uint64_t word, const struct rj_recon_roots *roots)
{
    struct walk w = {roots, word, 0};

    while (w.index < index)
        step(&w);
    return w.index == index;
}

static void mix_all(const struct rj_parts *parts, const struct rj_recon_roots *roots,
                    uint64_t salt, uint64_t *symbols, uint64_t n)
{
    size_t i;

    for (i = 0; i < parts->n; i++) {
        if (!parts->items[i].again)
            mix(symbols, n, word_of(rj_part_id(&parts->items[i]), salt), roots);
    }
}

void rj_recon_symbols_put(const struct rj_parts *parts,
                          const struct rj_recon_roots *roots, uint64_t salt,
                          const uint64_t range[2], struct rj_buf *out)
{
    size_t size = (size_t)range[1] * sizeof(uint64_t) + 1;
    uint64_t *symbols = rj_mem_new(parts->allocator, size), i;

    if (symbols == NULL) {
        rj_buf_fail(out, RJ_ENOMEM);
        return;
    }
    memset(symbols, 0, size);
    mix_all(parts, roots, salt, symbols, range[1]);
    for (i = range[0]; i < range[1]; i++)
        rj_buf_u64be(out, symbols[i]);
    rj_mem_free(parts->allocator, symbols, size);
}

/* ---- reading them */

struct peeling {
    const struct rj_recon_roots *roots;
    uint64_t salt;
    uint64_t *symbols, n;
    uint64_t *queue, queued; /* symbols that hold one part, or did */
    uint64_t steps;          /* left, lest mixtures go round in circles */
    struct rj_buf words;     /* that were found, some twice */
};

static bool is_single(const struct peeling *p, uint64_t i)
{
    uint64_t word = p->symbols[i];

    return word != 0 && word == word_of(word >> CHECK_BITS, p->salt) &&
           is_in(i, word, p->roots);
}

/* Takes the part out of all its symbols; the queue has room for each symbol once. What
 * appears where nothing was left is a mixture that passed for a part: to take it out at
 * once would show it where it came from, and so on. */
static void peel(struct peeling *p, uint64_t word)
{
    struct walk w = {p->roots, word, 0};

    for (; w.index < p->n; step(&w)) {
        bool was_empty = p->symbols[w.index] == 0;

        p->symbols[w.index] ^= word;
        if (!was_empty && p->queued < p->n && is_single(p, w.index))
            p->queue[p->queued++] = w.index;
    }
    rj_buf_append_raw(&p->words, &word, sizeof(word));
}

/* Every symbol once, and all that follows from it. */
static void peel_all(struct peeling *p)
{
    uint64_t i;

    for (i = p->n; i-- > 0 && p->steps > 0;) {
        if (!is_single(p, i))
            continue;
        p->queue[p->queued++] = i;
        while (p->queued > 0 && p->steps > 0) {
            uint64_t at = p->queue[--p->queued];

            if (!is_single(p, at))
                continue;
            p->steps--;
            peel(p, p->symbols[at]);
        }
    }
}

static bool is_empty(const struct peeling *p)
{
    uint64_t i = 0;

    while (i < p->n && p->symbols[i] == 0)
        i++;
    return i == p->n;
}

/* True: nothing is left in the symbols. */
static bool solve(struct peeling *p)
{
    unsigned round;

    for (round = 0; round < ROUNDS && !is_empty(p); round++)
        peel_all(p);
    return is_empty(p);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Whose they are. What was found twice is none. */
static enum rj_err sort_out(const struct rj_parts *parts, struct rj_buf *words,
                            struct rj_recon_diff *diff)
{
    uint64_t *all = (uint64_t *)(void *)words->ptr;
    size_t n = rj_recon_n(words), i;

    if (n > 1)
        qsort(all, n, sizeof(*all), by_number);
    for (i = 0; i < n; i++) {
        uint64_t id = all[i] >> CHECK_BITS;
        uint64_t at = rj_parts_at(parts, id);

        if (i + 1 < n && all[i + 1] == all[i])
            i++;
        else if (at < parts->n && rj_part_id(&parts->items[at]) == id)
            rj_buf_append_raw(&diff->mine, &at, sizeof(at));
        else
            rj_buf_append_raw(&diff->theirs, &id, sizeof(id));
    }
    return diff->mine.failed ? rj_buf_err(&diff->mine) : rj_buf_err(&diff->theirs);
}

enum rj_err rj_recon_symbols_get(const struct rj_parts *parts,
                                 const struct rj_recon_roots *roots, uint64_t salt,
                                 struct rj_bytes bytes, struct rj_recon_diff *diff)
{
    struct peeling p = {.roots = roots, .salt = salt};
    struct rj_reader r = rj_reader_of(bytes);
    enum rj_err err;
    uint64_t i;
    size_t size;

    p.n = bytes.len / RJ_RECON_SYMBOL_LEN;
    p.steps = STEPS * p.n;
    p.words.allocator = parts->allocator;
    size = 2 * (size_t)p.n * sizeof(uint64_t) + 1;
    p.symbols = rj_mem_new(parts->allocator, size);
    if (p.symbols == NULL)
        return RJ_ENOMEM;
    p.queue = p.symbols + p.n;
    for (i = 0; i < p.n; i++)
        p.symbols[i] = rj_reader_u64be(&r);
    mix_all(parts, roots, salt, p.symbols, p.n);
    err = solve(&p) && p.n > 0 ? rj_buf_err(&p.words) : RJ_ENOENT;
    if (err == RJ_OK)
        err = sort_out(parts, &p.words, diff);
    rj_mem_free(parts->allocator, p.symbols, size);
    rj_buf_done(&p.words);
    return err;
}
