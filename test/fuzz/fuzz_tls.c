/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a stranger against one end of TLS. The first byte says to whom, the second how
 * they are cut into pieces, the rest are the bytes:
 *   0  to a server from the beginning      1  to a client that has said hello
 *   2  to a server that is open            3  edits (2 bytes where, 1 byte mask) of what
 *                                             two honest ends say to each other
 * Nobody without a key gets in, nothing is heard that was not said, failure is final. */
#include "base/buf.h"
#include "base/reader.h"
#include "posix/crypto.h"
#include "posix/tls.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct end {
    struct rj_tls *tls;
    struct rj_buf out, plain;
};

static struct rj_tls_ctx *ctx;

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void set_up(void)
{
    static const uint8_t seed[RJ_CRYPTO_SEED_LEN] = {1};
    struct rj_crypto *crypto = NULL;

    if (ctx != NULL)
        return;
    demand(rj_crypto_new(seed, &crypto) == RJ_OK);
    demand(rj_tls_ctx_new(crypto, &ctx) == RJ_OK);
    rj_crypto_free(crypto);
}

/* Gives bytes to an end in pieces; checks what must hold after each. */
static void give(struct end *end, struct rj_bytes bytes, size_t piece)
{
    while (bytes.len > 0) {
        enum rj_err before = rj_tls_error(end->tls);
        enum rj_err err =
            rj_tls_input(end->tls, rj_bytes_first(bytes, piece), &end->plain, &end->out);

        demand(before == RJ_OK || err == before);
        demand((err != RJ_OK) == (rj_tls_state(end->tls) == RJ_TLS_FAILED));
        demand(err == RJ_OK || rj_tls_peer(end->tls) == NULL);
        bytes = rj_bytes_skip(bytes, piece);
    }
}

/* Changes what is about to be delivered; true when it is not what it was. */
static bool edit(struct rj_buf *out, struct rj_reader *edits)
{
    bool changed = false;

    while (rj_reader_left(edits) >= 3) {
        size_t at = rj_reader_u16be(edits);
        uint8_t mask = rj_reader_u8(edits);

        if (at == UINT16_MAX)
            break; /* the rest is for the next flight */
        if (at >= out->len || mask == 0)
            continue;
        out->ptr[at] ^= mask;
        changed = true;
    }
    return changed;
}

static bool deliver(struct end *from, struct end *to, size_t piece,
                    struct rj_reader *edits)
{
    bool changed = edit(&from->out, edits);

    give(to, rj_buf_view(&from->out), piece);
    rj_buf_clear(&from->out);
    return changed;
}

/* An honest handshake, but for the edits; true when there were some. */
static bool shake(struct end *client, struct end *server, size_t piece,
                  struct rj_reader *edits)
{
    bool changed = false;

    for (int i = 0; i < 3; i++) {
        changed |= deliver(client, server, piece, edits);
        changed |= deliver(server, client, piece, edits);
    }
    return changed;
}

static void check(uint8_t mode, struct end *client, struct end *server,
                  struct rj_reader *rest, size_t piece)
{
    struct rj_reader none = rj_reader_of((struct rj_bytes){0});
    struct rj_bytes bytes = rj_reader_rest(rest);
    bool changed;

    switch (mode % 4) {
    case 0:
        give(server, bytes, piece);
        demand(rj_tls_state(server->tls) != RJ_TLS_OPEN);
        break;
    case 1:
        give(client, bytes, piece);
        demand(rj_tls_state(client->tls) != RJ_TLS_OPEN);
        break;
    case 2:
        (void)shake(client, server, SIZE_MAX, &none);
        demand(rj_tls_state(server->tls) == RJ_TLS_OPEN);
        give(server, bytes, piece);
        break;
    default:
        *rest = rj_reader_of(bytes);
        changed = shake(client, server, piece, rest);
        demand(changed || rj_tls_state(server->tls) == RJ_TLS_OPEN);
        break;
    }
    demand(server->plain.len == 0 && client->plain.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_reader r = rj_reader_of(rj_bytes_of(data, len));
    uint8_t mode = rj_reader_u8(&r), piece = rj_reader_u8(&r);
    struct end client = {0}, server = {0};

    if (r.failed)
        return 0;
    set_up();
    demand(rj_tls_new(ctx, true, &client.tls) == RJ_OK);
    demand(rj_tls_new(ctx, false, &server.tls) == RJ_OK);
    demand(rj_tls_start(client.tls, &client.out) == RJ_OK);
    check(mode, &client, &server, &r, piece > 0 ? piece : SIZE_MAX);
    rj_tls_free(client.tls);
    rj_tls_free(server.tls);
    rj_buf_done(&client.out);
    rj_buf_done(&client.plain);
    rj_buf_done(&server.out);
    rj_buf_done(&server.plain);
    return 0;
}
