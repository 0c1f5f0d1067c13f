/* SPDX-License-Identifier: Apache-2.0 */
/* Proof of the network's key, as a function of bytes. The exporter (RFC 8446, 7.5) binds
 * a proof to one TLS session, the role keeps it from being sent back. An engine's frame
 * begins with its length, which is far below the number that "RJSI" would be, so that
 * either end can tell the other's first message from a frame. */
#include "driver/site.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "posix/file.h"
#include "posix/why.h"

struct rj_site {
    size_t len;
    uint8_t key[RJ_SITE_KEY_MAX];
};

static const char magic[] = "RJSITE1";
static const char proof_label[] = "rejoin site proof";
static const char beacon_label[] = "rejoin site beacon";

enum { MAGIC_LEN = sizeof(magic) - 1, LABEL_MAX = 64, BEACON_MAX = 512 };

/* ---- the key */

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct rj_bytes trim(struct rj_bytes b)
{
    while (b.len > 0 && is_space(b.ptr[0]))
        b = rj_bytes_skip(b, 1);
    while (b.len > 0 && is_space(b.ptr[b.len - 1]))
        b.len--;
    return b;
}

static enum rj_err make(struct rj_bytes key, char *why, size_t why_len,
                        struct rj_site **ret_site)
{
    struct rj_site *site;

    key = trim(key);
    if (key.len < RJ_SITE_KEY_MIN || key.len > RJ_SITE_KEY_MAX) {
        rj_why_set(why, why_len, "network.key must have %d to %d bytes", RJ_SITE_KEY_MIN,
                   RJ_SITE_KEY_MAX);
        return RJ_EINVAL;
    }
    site = rj_alloc_zero(1, sizeof(*site));
    if (site == NULL)
        return RJ_ENOMEM;
    memcpy(site->key, key.ptr, key.len);
    site->len = key.len;
    *ret_site = site;
    return RJ_OK;
}

enum rj_err rj_site_load(const char *value, char *why, size_t why_len,
                         struct rj_site **ret_site)
{
    struct rj_buf text = {0};
    enum rj_err err;

    *ret_site = NULL;
    if (value[0] == '\0')
        return RJ_OK;
    if (value[0] != '/')
        return make(rj_bytes_from_str(value), why, why_len, ret_site);
    err = rj_file_read_private(value, RJ_SITE_KEY_MAX, why, why_len, &text);
    if (err == RJ_OK)
        err = make(rj_buf_view(&text), why, why_len, ret_site);
    if (text.ptr != NULL)
        rj_bytes_wipe(text.ptr, text.cap);
    rj_buf_done(&text);
    return err;
}

void rj_site_free(struct rj_site *site)
{
    if (site == NULL)
        return;
    rj_bytes_wipe(site, sizeof(*site));
    free(site);
}

static struct rj_bytes key_of(const struct rj_site *site)
{
    return rj_bytes_of(site->key, site->len);
}

void rj_site_mac(const struct rj_site *site, struct rj_crypto *crypto,
                 struct rj_bytes msg, uint8_t ret[RJ_SITE_MAC_LEN])
{
    uint8_t all[sizeof(beacon_label) - 1 + BEACON_MAX];
    struct rj_digest mac;
    size_t n = sizeof(beacon_label) - 1;

    memcpy(all, beacon_label, n);
    msg = rj_bytes_first(msg, BEACON_MAX);
    memcpy(all + n, msg.ptr, msg.len);
    rj_crypto_hmac(crypto, key_of(site), rj_bytes_of(all, n + msg.len), &mac);
    memcpy(ret, mac.b, RJ_SITE_MAC_LEN);
}

/* ---- messages */

static void prove(const struct rj_site_end *end, struct rj_crypto *crypto, bool client,
                  struct rj_digest *ret)
{
    uint8_t msg[LABEL_MAX + RJ_SITE_EXPORT_LEN];
    size_t n = sizeof(proof_label) - 1;

    memcpy(msg, proof_label, n);
    msg[n++] = client ? 'c' : 's';
    memcpy(msg + n, end->exporter, RJ_SITE_EXPORT_LEN);
    rj_crypto_hmac(crypto, key_of(end->site), rj_bytes_of(msg, n + RJ_SITE_EXPORT_LEN),
                   ret);
}

static void say(struct rj_site_end *end, struct rj_crypto *crypto, uint8_t kind,
                struct rj_buf *out)
{
    struct rj_digest proof = {{0}};

    if (kind == 'P')
        prove(end, crypto, end->is_client, &proof);
    rj_buf_append_raw(out, magic, MAGIC_LEN);
    rj_buf_u8(out, kind);
    rj_buf_append(out, RJ_BYTES_OF(proof.b));
}

static enum rj_site_state refuse(struct rj_site_end *end, const char *why)
{
    end->state = RJ_SITE_REFUSED;
    end->why = why;
    return end->state;
}

void rj_site_begin(struct rj_site_end *end, struct rj_crypto *crypto, struct rj_buf *out)
{
    end->state = end->site != NULL ? RJ_SITE_WAITS : RJ_SITE_PASSED;
    if (end->site != NULL && end->is_client)
        say(end, crypto, 'P', out);
}

/* A whole message came, and there is a key here. */
static enum rj_site_state judge(struct rj_site_end *end, struct rj_crypto *crypto,
                                struct rj_buf *out)
{
    const uint8_t *proof = end->got + MAGIC_LEN + 1;
    struct rj_digest right;

    if (end->got[MAGIC_LEN] != 'P')
        return refuse(end, "it belongs to a network with another key (network.key)");
    prove(end, crypto, !end->is_client, &right);
    if (!rj_bytes_equal_secret(rj_bytes_of(proof, RJ_DIGEST_LEN), RJ_BYTES_OF(right.b))) {
        if (!end->is_client)
            say(end, crypto, 'W', out);
        return refuse(end, "it has another network key (network.key)");
    }
    if (!end->is_client)
        say(end, crypto, 'P', out);
    end->state = RJ_SITE_PASSED;
    end->looked = true;
    return end->state;
}

enum rj_site_state rj_site_input(struct rj_site_end *end, struct rj_crypto *crypto,
                                 struct rj_bytes *in, struct rj_buf *out)
{
    size_t n;

    if (end->state == RJ_SITE_REFUSED || end->looked || in->len == 0)
        return end->state;
    n = RJ_SITE_MESSAGE_LEN - end->n_got;
    n = in->len < n ? in->len : n;
    memcpy(end->got + end->n_got, in->ptr, n);
    if (memcmp(end->got, magic,
               end->n_got + n < MAGIC_LEN ? end->n_got + n : MAGIC_LEN) != 0) {
        end->looked = true;
        if (end->site == NULL)
            return end->state; /* the engine's, from its first byte on */
        if (!end->is_client)
            say(end, crypto, 'N', out);
        return refuse(end, "it has no network key, this device has one (network.key)");
    }
    end->n_got += n;
    *in = rj_bytes_skip(*in, n);
    if (end->site == NULL) /* whatever it says: it has a key */
        return refuse(end, "it belongs to a network with a key, this device has none "
                           "(network.key)");
    return end->n_got < RJ_SITE_MESSAGE_LEN ? end->state : judge(end, crypto, out);
}
