/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the client library share: the handle, one request and its answer. */
#ifndef RJ_CLIENT_HANDLE_H
#define RJ_CLIENT_HANDLE_H

#include "client/doc.h"
#include "client/wire.h"
#include "posix/file.h"

#include <rejoin/client.h>

enum {
    RJ_CLIENT_TIMEOUT_MS = 60000,
    RJ_CLIENT_GRACE_MS = 5000, /* for an answer that the daemon itself gives at a limit */
    RJ_CLIENT_VERSION_MAX = 32
};

/* A list that comes in several answers: the items one after the other, and their ends. */
struct rj_client_kept {
    struct rj_buf bytes;
    struct rj_bytes *items; /* their lengths; pointers only once all are there */
    size_t n, cap;
};

struct rj_client {
    struct rj_wire wire;
    int cancel_fd;
    uint32_t timeout_ms;
    char socket[RJ_FILE_PATH_MAX];
    char version[RJ_CLIENT_VERSION_MAX];
    char bucket[RJ_NAME_MAX + 1]; /* "": the daemon's default */
    char why[RJ_CLIENT_WHY_MAX], hint[RJ_CLIENT_WHY_MAX];
    struct rj_doc args; /* of the request that is made */
    struct rj_buf text; /* JSON, or encoded operations */
    struct rj_bytes *items;
    size_t cap_items;
    struct rj_client_kept kept;
    struct rj_pair *pairs;
    uint64_t under_way; /* a request of a _begin, 0: none */
    uint64_t ping;      /* of a watch: answered when it has begun; 0: it has */
};

/* When a call that begins now is given up. */
uint64_t rj_client_until(const struct rj_client *c, uint32_t timeout_ms);
/* A new call: forgets the last failure; the map of arguments is open in what is returned.
 */
struct rj_doc *rj_client_begin(struct rj_client *c);
/* Sets why and returns err. */
enum rj_err rj_client_fail(struct rj_client *c, enum rj_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Ends the map, connects where needed, sends the request. */
RJ_NODISCARD enum rj_err rj_client_send(struct rj_client *c, const char *verb,
                                        uint64_t until_ms, uint64_t *ret_id);
/* The same, and waits for the result: borrowed until the next call. An error of the
 * daemon is returned, with its why and hint. */
RJ_NODISCARD enum rj_err rj_client_ask(struct rj_client *c, const char *verb,
                                       uint64_t until_ms, struct rj_bytes *ret_body);
/* Waits for the result of a request that was sent. With until_ms 0 RJ_EBUSY means that it
 * is not there yet. */
RJ_NODISCARD enum rj_err rj_client_receive(struct rj_client *c, uint64_t id,
                                           uint64_t until_ms, struct rj_bytes *ret_body);
/* The connection is of no use any more because of err; what the caller is told. */
enum rj_err rj_client_lost(struct rj_client *c, enum rj_err err);
/* The error that an error reply tells, with its why and hint. */
enum rj_err rj_client_refused(struct rj_client *c, struct rj_bytes body);

#endif
