/* SPDX-License-Identifier: Apache-2.0 */
/* What the two sorts of TLS settings share; for src/posix alone. */
#ifndef RJ_POSIX_TLS_INNER_H
#define RJ_POSIX_TLS_INNER_H

#include "posix/tls.h"

#include <openssl/ssl.h>

struct rj_tls_ctx {
    SSL_CTX *ssl;
    BIO_METHOD *bio;
    bool
        for_clients; /* rj_tls_ctx_server: no ALPN, whoever comes is not known by a key */
};

/* Settings without anything in them; rj_tls_ctx_free. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_tls_ctx_empty(struct rj_tls_ctx **ret_ctx);

#endif
