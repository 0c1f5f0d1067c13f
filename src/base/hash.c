/* SPDX-License-Identifier: Apache-2.0 */
/* XXH3 (Collet, 2019/2021), 64 and 128 bits, compiled in from its header. The keyed forms
 * use a secret of 192 bytes in place of the built-in one; it is derived from the given
 * material by hashing it once for each 8 bytes with a counter as seed, so all of the
 * material counts and the result is the same on every machine. */
#include "base/hash.h"

#include "base/be.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t rj_hash_checksum(struct rj_bytes b)
{
    return XXH3_64bits(b.ptr, b.len);
}

uint64_t rj_hash_checksum_parts(const struct rj_bytes *parts, size_t n)
{
    XXH3_state_t state;

    if (n == 1)
        return rj_hash_checksum(parts[0]);
    XXH3_INITSTATE(&state);
    (void)XXH3_64bits_reset(&state);
    for (size_t i = 0; i < n; i++)
        if (parts[i].len > 0)
            (void)XXH3_64bits_update(&state, parts[i].ptr, parts[i].len);
    return XXH3_64bits_digest(&state);
}

void rj_hash_key_init(struct rj_hash_key *key, struct rj_bytes material)
{
    for (size_t i = 0; i < RJ_HASH_SECRET_LEN / 8; i++)
        rj_be_store64(key->secret + 8 * i,
                      XXH3_64bits_withSeed(material.ptr, material.len, i + 1));
}

uint64_t rj_hash_64(const struct rj_hash_key *key, struct rj_bytes b)
{
    return XXH3_64bits_withSecret(b.ptr, b.len, key->secret, sizeof(key->secret));
}

struct rj_hash_128 rj_hash_128(const struct rj_hash_key *key, struct rj_bytes b)
{
    XXH128_hash_t h =
        XXH3_128bits_withSecret(b.ptr, b.len, key->secret, sizeof(key->secret));

    return (struct rj_hash_128){.low = h.low64, .high = h.high64};
}
