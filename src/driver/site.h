/* SPDX-License-Identifier: Apache-2.0 */
/* The network's key: a secret that all devices of one network share, on top of their own
 * keys. With one, a device speaks only to those that prove it: right after the TLS
 * handshake, before anything else is said.
 *
 *     message = "RJSITE1" kind proof
 *
 * kind 'P': proof = HMAC-SHA-256(key, "rejoin site proof" || role || exporter), role 'c'
 * (TLS's client) or 's', exporter 32 bytes of this TLS session. Kinds 'N' (nothing was
 * shown) and 'W' (a wrong key) refuse; their proof is zeros. The client proves first and
 * the server answers, so that a stranger who dials learns nothing to guess at. */
#ifndef RJ_DRIVER_SITE_H
#define RJ_DRIVER_SITE_H

#include "base/buf.h"
#include "posix/crypto.h"

enum {
    RJ_SITE_KEY_MIN = 16,   /* bytes of a key: shorter ones can be guessed */
    RJ_SITE_KEY_MAX = 4096, /* of its file */
    RJ_SITE_MESSAGE_LEN = 7 + 1 + RJ_DIGEST_LEN,
    RJ_SITE_EXPORT_LEN = 32,
    RJ_SITE_MAC_LEN = 16 /* of a beacon */
};

#define RJ_SITE_LABEL "EXPORTER-rejoin-site"

struct rj_site; /* the key, ready for use */

/* value: the key itself, or the absolute path of a private file that holds it (white
 * space around it does not count); "" gives NULL: no key. RJ_EINVAL: too short;
 * RJ_EDENIED: others can read the file; RJ_ENOENT, RJ_ELIMIT, RJ_EIO, RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_site_load(const char *value, char *why, size_t why_len,
                                      struct rj_site **ret_site);
void rj_site_free(struct rj_site *site); /* wipes it; NULL is accepted */

/* MAC of a beacon's first bytes. */
void rj_site_mac(const struct rj_site *site, struct rj_crypto *crypto,
                 struct rj_bytes msg, uint8_t ret[RJ_SITE_MAC_LEN]);

/* ---- one end of one connection */

enum rj_site_state {
    RJ_SITE_WAITS,  /* for the other end's message */
    RJ_SITE_PASSED, /* what comes is the engine's */
    RJ_SITE_REFUSED /* final */
};

struct rj_site_end {
    const struct rj_site *site; /* NULL: no key here */
    bool is_client;
    enum rj_site_state state;
    bool looked; /* no key here: the first byte was seen */
    uint8_t exporter[RJ_SITE_EXPORT_LEN];
    uint8_t got[RJ_SITE_MESSAGE_LEN];
    size_t n_got;
    const char *why; /* REFUSED: for people, static */
};

/* Begins; appends what must be sent first to out. Without a key the state is PASSED at
 * once, and rj_site_input only watches out for one that has a key. */
void rj_site_begin(struct rj_site_end *end, struct rj_crypto *crypto, struct rj_buf *out);
/* Takes bytes of the other end; *in keeps those that are the engine's. Appends to out
 * what must be sent, also before a refusal. */
enum rj_site_state rj_site_input(struct rj_site_end *end, struct rj_crypto *crypto,
                                 struct rj_bytes *in, struct rj_buf *out);

#endif
