/* SPDX-License-Identifier: Apache-2.0 */
/* How much two sets differ, from a few counters of each: a counter adds 1 or -1 for every
 * part, as a bit of its hash says. In the difference of two counters all that both sides
 * have cancels out, and the expected square of the rest is the number of parts that
 * differ. The counters of all parts are added bit by bit in planes, 64 at a time.
 * Alon, Matias, Szegedy 1999, "The space complexity of approximating the frequency
 * moments" (F2); for sets Gong et al. 2020, "Space- and computationally-efficient set
 * reconciliation via parity bitmap sketch", section 6. */
#include "base/prng.h"
#include "crdt/recon.h"

enum {
    LANES = RJ_RECON_COUNTERS / 64,
    PLANES = 8,
    ROUND = (1 << PLANES) - 1, /* parts until the planes are full */
    FAR = 1 << 24              /* a counter further off: all differs */
};

struct counting {
    uint64_t planes[LANES][PLANES];
    uint32_t ones[RJ_RECON_COUNTERS];
};

static void count(struct counting *c, const struct rj_part *part)
{
    uint64_t state = part->high;
    size_t lane, plane;

    for (lane = 0; lane < LANES; lane++) {
        uint64_t carry = rj_prng_splitmix(&state);

        for (plane = 0; carry != 0; plane++) {
            uint64_t both = c->planes[lane][plane] & carry;

            c->planes[lane][plane] ^= carry;
            carry = both;
        }
    }
}

static void empty_planes(struct counting *c)
{
    size_t i, plane;

    for (i = 0; i < RJ_RECON_COUNTERS; i++) {
        for (plane = 0; plane < PLANES; plane++)
            c->ones[i] += (uint32_t)(c->planes[i / 64][plane] >> (i % 64) & 1) << plane;
    }
    memset(c->planes, 0, sizeof(c->planes));
}

static void count_all(struct counting *c, const struct rj_parts *parts)
{
    size_t i;

    memset(c, 0, sizeof(*c));
    for (i = 0; i < parts->n; i++) {
        if (!parts->items[i].again)
            count(c, &parts->items[i]);
        if (i % ROUND == ROUND - 1)
            empty_planes(c);
    }
    empty_planes(c);
}

/* ones among n, as what is above the mean: twice that is the sum of 1 and -1 */
static int64_t counter(const struct counting *c, const struct rj_parts *parts, size_t i)
{
    return 2 * (int64_t)c->ones[i] - (int64_t)parts->count;
}

void rj_recon_guess_put(const struct rj_parts *parts, struct rj_buf *out)
{
    struct counting c;
    size_t i;

    count_all(&c, parts);
    for (i = 0; i < RJ_RECON_COUNTERS; i++) {
        int64_t x = counter(&c, parts, i);

        rj_buf_varint(out, x < 0 ? ((uint64_t)-x << 1) - 1 : (uint64_t)x << 1);
    }
}

enum rj_err rj_recon_guess(const struct rj_parts *parts, struct rj_bytes bytes,
                           uint64_t *ret_n)
{
    struct rj_reader r = rj_reader_of(bytes);
    struct counting c;
    uint64_t squares = 0;
    bool far = false;
    size_t i;

    count_all(&c, parts);
    for (i = 0; i < RJ_RECON_COUNTERS; i++) {
        uint64_t code = rj_reader_varint(&r), off;
        int64_t theirs = (code & 1) != 0 ? -(int64_t)(code / 2) - 1 : (int64_t)(code / 2);
        int64_t mine = counter(&c, parts, i);

        if (theirs < -INT64_MAX / 2 || theirs > INT64_MAX / 2)
            return RJ_EPROTO;
        off = mine > theirs ? (uint64_t)(mine - theirs) : (uint64_t)(theirs - mine);
        far = far || off >= FAR;
        squares += off < FAR ? off * off : 0;
    }
    if (!rj_reader_complete(&r))
        return RJ_EPROTO;
    *ret_n = far ? UINT64_MAX : squares / RJ_RECON_COUNTERS;
    return RJ_OK;
}
