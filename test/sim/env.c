/* SPDX-License-Identifier: Apache-2.0 */
/* Cryptography that is fast and reproducible, and sound against everything that the
 * simulator itself does (it never looks for collisions): a digest is two keyed XXH3-128,
 * a signature is a keyed digest over secret and message, a public key is the digest of
 * the secret, and who verifies asks the world for the secret. */
#include "base/hash.h"
#include "sim/world.h"

#include <stdlib.h>

static void digest(struct rj_bytes all, uint8_t ret[32])
{
    static struct rj_hash_key keys[2]; /* the same on every run */
    static bool ready;
    struct rj_hash_128 h;

    if (!ready) {
        rj_hash_key_init(&keys[0], RJ_BYTES_LIT("simulated digest, lower half"));
        rj_hash_key_init(&keys[1], RJ_BYTES_LIT("simulated digest, upper half"));
        ready = true;
    }
    for (size_t i = 0; i < 2; i++) {
        h = rj_hash_128(&keys[i], all);
        rj_be_store64(ret + 16 * i, h.high);
        rj_be_store64(ret + 16 * i + 8, h.low);
    }
}

void sim_hash(struct rj_buf *scratch, const char *domain, struct rj_bytes b,
              uint8_t ret[32])
{
    rj_buf_clear(scratch);
    rj_buf_append_str(scratch, domain);
    rj_buf_u8(scratch, 0);
    rj_buf_append(scratch, b);
    if (rj_buf_err(scratch) != RJ_OK)
        abort();
    digest(rj_buf_view(scratch), ret);
}

static void env_hash(struct rj_env *env, const struct rj_bytes *parts, size_t n,
                     struct rj_digest *ret_digest)
{
    struct sim_env *e = (struct sim_env *)env;

    if (n == 1) {
        digest(parts[0], ret_digest->b);
        return;
    }
    rj_buf_clear(&e->scratch);
    for (size_t i = 0; i < n; i++)
        rj_buf_append(&e->scratch, parts[i]);
    if (rj_buf_err(&e->scratch) != RJ_OK)
        abort();
    digest(rj_buf_view(&e->scratch), ret_digest->b);
}

static void make_signature(struct sim_env *e, const struct sim_device *d,
                           struct rj_bytes msg, uint8_t ret_sig[RJ_SIG_LEN])
{
    rj_buf_clear(&e->scratch);
    rj_buf_append(&e->scratch, RJ_BYTES_OF(d->secret));
    rj_buf_append(&e->scratch, msg);
    if (rj_buf_err(&e->scratch) != RJ_OK)
        abort();
    digest(rj_buf_view(&e->scratch), ret_sig);
    memcpy(ret_sig + 32, d->pubkey, 32);
}

static enum rj_err env_sign(struct rj_env *env, struct rj_bytes msg,
                            uint8_t ret_sig[RJ_SIG_LEN])
{
    struct sim_env *e = (struct sim_env *)env;

    make_signature(e, &e->world->devices[e->device], msg, ret_sig);
    return RJ_OK;
}

static bool env_verify(struct rj_env *env, const uint8_t pubkey[RJ_PUBKEY_LEN],
                       struct rj_bytes msg, const uint8_t sig[RJ_SIG_LEN])
{
    struct sim_env *e = (struct sim_env *)env;
    uint8_t want[RJ_SIG_LEN];

    for (size_t i = 0; i < e->world->devices_n; i++)
        if (memcmp(e->world->devices[i].pubkey, pubkey, RJ_PUBKEY_LEN) == 0) {
            make_signature(e, &e->world->devices[i], msg, want);
            return memcmp(want, sig, RJ_SIG_LEN) == 0;
        }
    return false;
}

static enum rj_err env_random(struct rj_env *env, uint8_t *ret, size_t len)
{
    struct sim_env *e = (struct sim_env *)env;

    rj_prng_bytes(&e->random, ret, len);
    if (e->repeats && len == 8) {
        rj_be_store64(ret, e->incarnation);
        e->repeats = false;
    }
    return RJ_OK;
}

static const struct rj_env_ops env_ops = {
    .hash = env_hash,
    .sign = env_sign,
    .verify = env_verify,
    .random = env_random,
};

size_t sim_device_new(struct sim_world *w)
{
    size_t i = w->devices_n++;
    struct sim_device *d = &w->devices[i];

    rj_prng_bytes(&w->rng, d->secret, sizeof(d->secret));
    sim_hash(&w->scratch, "public key", RJ_BYTES_OF(d->secret), d->pubkey);
    digest(RJ_BYTES_OF(d->pubkey), d->id.b); /* as rj_env.h says: the hash of the key */
    return i;
}

void sim_env_init(struct sim_env *e, struct sim_world *w, size_t device, uint64_t seed)
{
    *e = (struct sim_env){.env.ops = &env_ops, .world = w, .device = device};
    memcpy(e->env.pubkey, w->devices[device].pubkey, RJ_PUBKEY_LEN);
    rj_prng_init(&e->random, seed);
}

void sim_env_done(struct sim_env *e)
{
    rj_buf_done(&e->scratch);
}
