/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.3 between two devices, as a function of bytes: no sockets inside. Both ends show
 * a self-signed Ed25519 certificate made from their device key; what counts is the raw
 * public key alone (names and dates are ignored). Whether that key may talk to us is
 * decided above, by rj_tls_peer, before anything it says is believed.
 * No resumption, tickets, early data, renegotiation, TLS 1.2, list of authorities. */
#ifndef RJ_POSIX_TLS_H
#define RJ_POSIX_TLS_H

#include <rejoin/env.h>
#include <stdbool.h>

struct rj_buf;    /* base/buf.h */
struct rj_crypto; /* posix/crypto.h */

#define RJ_TLS_ALPN "rejoin/1"

enum {
    RJ_TLS_RECORD_MAX = 16384,        /* plaintext of one record, RFC 8446 5.1 */
    RJ_TLS_HANDSHAKE_MAX = 16 * 1024, /* bytes taken from a peer before it is open */
    RJ_TLS_CERT_MAX = 4096,           /* a peer's certificate message */
    RJ_TLS_EXPORT_LEN = 32
};

enum rj_tls_state {
    RJ_TLS_HANDSHAKE, /* not yet known who is there */
    RJ_TLS_OPEN,
    RJ_TLS_ENDED, /* the peer said close_notify: nothing more will come */
    RJ_TLS_FAILED /* final; see rj_tls_error */
};

struct rj_tls_ctx;
struct rj_tls;

/* Makes the certificate and both sides' settings. crypto is used during the call only.
 * Any number of rj_tls may share one; it must outlive them. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_tls_ctx_new(struct rj_crypto *crypto,
                                        struct rj_tls_ctx **ret_ctx);
void rj_tls_ctx_free(struct rj_tls_ctx *ctx); /* NULL is accepted */

/* Where a server for ordinary clients has its certificate. */
struct rj_tls_files {
    const char *cert, *key; /* PEM; cert: with its chain */
    const char *ca;         /* "": anybody may come; else who signed the clients' ones */
    bool make;              /* cert and key are made where neither is there */
    char *why;              /* detail of a failure, why_len bytes */
    size_t why_len;
};

/* Settings of a server for ordinary clients (TLS 1.2 or 1.3, no ALPN): its connections
 * show no key, rj_tls_peer stays NULL. RJ_EINVAL: a file cannot be used; otherwise as
 * rj_file_replace. */
RJ_NODISCARD enum rj_err rj_tls_ctx_server(const struct rj_tls_files *files,
                                           struct rj_tls_ctx **ret_ctx);

/* One end of one connection. A client speaks first: call rj_tls_start. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_tls_new(struct rj_tls_ctx *ctx, bool is_client,
                                    struct rj_tls **ret_tls);
void rj_tls_free(struct rj_tls *tls); /* NULL is accepted */

/* Appends the first bytes of a client to out; does nothing at a server. Errors as
 * rj_tls_input. */
RJ_NODISCARD enum rj_err rj_tls_start(struct rj_tls *tls, struct rj_buf *out);

/* Takes bytes from the peer, all of them, cut anywhere. Appends to plain what they say
 * and to out what must be sent in reply (handshake, alerts: also on failure; send it).
 * RJ_EAUTH: no certificate, or not a self-signed Ed25519 one, or its key is not there;
 * RJ_EPROTO: anything else that is not this protocol; RJ_ENOMEM. All are final: the
 * state is RJ_TLS_FAILED and the same error comes again. Bytes after the peer's
 * close_notify are ignored. */
RJ_NODISCARD enum rj_err rj_tls_input(struct rj_tls *tls, struct rj_bytes in,
                                      struct rj_buf *plain, struct rj_buf *out);

/* Encrypts in into records of at most RJ_TLS_RECORD_MAX and appends them to out: many
 * small messages given at once share one record. RJ_EINVAL: not open (or ended by us).
 * Errors otherwise as rj_tls_input. */
RJ_NODISCARD enum rj_err rj_tls_write(struct rj_tls *tls, struct rj_bytes in,
                                      struct rj_buf *out);

/* Says close_notify: appends it to out, once; nothing may be written afterwards. What
 * the peer still sends can be read. Does nothing unless open or ended. */
void rj_tls_end(struct rj_tls *tls, struct rj_buf *out);

enum rj_tls_state rj_tls_state(const struct rj_tls *tls);
/* Why it failed; RJ_OK while it did not. */
enum rj_err rj_tls_error(const struct rj_tls *tls);
/* The same for people; empty while it did not fail. Borrowed, lives with tls. */
const char *rj_tls_why(const struct rj_tls *tls);

/* The peer's raw Ed25519 public key, proven; NULL at an ordinary client, before the state
 * is RJ_TLS_OPEN and once it failed. A client is open one flight before the server has
 * judged it (RFC 8446 4.4.4): that the server accepts it is known with the first bytes
 * from there. Borrowed, lives with tls. */
const uint8_t *rj_tls_peer(const struct rj_tls *tls);

/* Keying material of this session under label (RFC 8446 7.5, no context), equal at both
 * ends and nowhere else. RJ_EINVAL: never was open. */
RJ_NODISCARD enum rj_err rj_tls_export(struct rj_tls *tls, const char *label,
                                       uint8_t ret[RJ_TLS_EXPORT_LEN]);

#endif
