/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting: numeric addresses at once, names by the system's resolver on a worker
 * thread. The addresses of a name are tried one after the other, the families in turn,
 * each for a few seconds while there is another one, so that a dead IPv6 route does not
 * cost the whole time (after RFC 8305, without its races). With TLS an address counts
 * only once the handshake is done there and the program does not ask for the next one. A
 * lookup cannot be taken back: its request lives on without the connection until the
 * resolver answers. */
#include "base/alloc.h"
#include "posix/conn.h"
#include "posix/loop_inner.h"
#include "posix/tls.h"

#include <stdio.h>
#include <sys/un.h>

struct rj_conn_dial {
    uv_getaddrinfo_t lookup;
    struct rj_conn *conn; /* NULL: it does not want the answer any more */
    bool looking;         /* the resolver holds lookup */
    uint16_t port;
    size_t count, next; /* of addrs */
    uint64_t try_ms;    /* when the current one has taken too long */
    struct sockaddr_storage addrs[RJ_CONN_ADDRS_MAX];
};

static bool has_more(const struct rj_conn_dial *dial)
{
    return dial->next < dial->count;
}

static void on_connect(uv_connect_t *req, int status)
{
    struct rj_conn *conn = req->data;

    if (conn->state != RJ_CONN_DIAL || uv_is_closing(&conn->uv.handle))
        return;
    if (status == 0)
        rj_conn_connected(conn);
    else if (!rj_conn_dial_skip(conn, 0))
        rj_conn_fail(conn, RJ_EUNREACH, "%s: %s", conn->addr, uv_strerror(status));
}

static void connect_next(struct rj_conn *conn)
{
    struct rj_conn_dial *dial = conn->dial;
    const struct sockaddr *addr = (const struct sockaddr *)&dial->addrs[dial->next++];
    int status;

    dial->try_ms = rj_loop_ms() + RJ_CONN_TRY_MS;
    if (has_more(dial))
        rj_loop_sweep_at(conn->loop, dial->try_ms);
    conn->connect.data = conn;
    status = uv_tcp_connect(&conn->connect, &conn->uv.tcp, addr, on_connect);
    if (status != 0)
        on_connect(&conn->connect, status);
}

/* A handle serves for one address only: the next one is tried when it is closed. */
bool rj_conn_dial_skip(struct rj_conn *conn, uint64_t now_ms)
{
    if (conn->dial == NULL || !has_more(conn->dial))
        return false;
    if (now_ms != 0 && now_ms < conn->dial->try_ms)
        return false;
    conn->dial->try_ms = 0;
    conn->state = RJ_CONN_DIAL;
    if (!uv_is_closing(&conn->uv.handle))
        uv_close(&conn->uv.handle, rj_conn_closed);
    return true;
}

/* Forgets what there was with the address before. */
static void begin_again(struct rj_conn *conn)
{
    rj_conn_drop_queues(conn);
    conn->out.head = conn->wire.head = 0;
    conn->out.locked = conn->wire.locked = 0;
    rj_tls_free(conn->tls);
    conn->tls = NULL;
    conn->opened = conn->paused = conn->got_eof = conn->was_full = conn->writing = false;
    conn->deadline_ms = 0;
    conn->info.pubkey = NULL;
    conn->info.received = conn->info.sent = 0;
    if (conn->limit_ms == 0) /* it was open already */
        rj_conn_set_limit(conn, rj_loop_ms() + conn->options.handshake_ms);
}

bool rj_conn_dial_again(struct rj_conn *conn)
{
    begin_again(conn);
    (void)uv_tcp_init(&conn->loop->uv, &conn->uv.tcp);
    conn->uv.handle.data = conn;
    connect_next(conn);
    return true;
}

uint64_t rj_conn_dial_try_ms(const struct rj_conn *conn)
{
    const struct rj_conn_dial *dial = conn->dial;

    return dial != NULL && has_more(dial) ? dial->try_ms : 0;
}

void rj_conn_dial_free(struct rj_conn *conn)
{
    struct rj_conn_dial *dial = conn->dial;

    if (dial == NULL)
        return;
    conn->dial = NULL;
    dial->conn = NULL;
    if (dial->looking)
        (void)uv_cancel((uv_req_t *)&dial->lookup); /* on_lookup frees it */
    else
        free(dial);
}

/* The next of list with (or without) that family. */
static const struct addrinfo *next_of(const struct addrinfo *list, int family, bool with)
{
    while (list != NULL && ((list->ai_family == family) != with ||
                            list->ai_addrlen > sizeof(struct sockaddr_storage)))
        list = list->ai_next;
    return list;
}

/* The families in turn, each in the resolver's order, which family is first as well (RFC
 * 8305, 4). */
static void take_addrs(struct rj_conn_dial *dial, const struct addrinfo *list)
{
    int family = list != NULL ? list->ai_family : AF_UNSPEC;
    const struct addrinfo *at[2] = {next_of(list, family, true),
                                    next_of(list, family, false)};

    for (size_t turn = 0; at[0] != NULL || at[1] != NULL; turn ^= 1) {
        const struct addrinfo *a = at[turn];

        if (a == NULL)
            continue;
        if (dial->count == RJ_CONN_ADDRS_MAX)
            return;
        memcpy(&dial->addrs[dial->count++], a->ai_addr, a->ai_addrlen);
        at[turn] = next_of(a->ai_next, family, turn == 0);
    }
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct rj_conn_dial *dial = req->data;
    struct rj_conn *conn = dial->conn;

    dial->looking = false;
    if (status == 0 && conn != NULL)
        take_addrs(dial, list);
    uv_freeaddrinfo(list);
    if (conn == NULL)
        free(dial);
    else if (dial->count == 0)
        rj_conn_fail(conn, RJ_EUNREACH, "%s: %s", conn->addr,
                     status != 0 ? uv_strerror(status) : "no address");
    else
        connect_next(conn);
}

/* A numeric address, as the only one. */
static bool take_numeric(struct rj_conn_dial *dial, const char *host)
{
    struct sockaddr_storage *addr = &dial->addrs[0];

    if (uv_ip4_addr(host, dial->port, (struct sockaddr_in *)addr) != 0 &&
        uv_ip6_addr(host, dial->port, (struct sockaddr_in6 *)addr) != 0)
        return false;
    dial->count = 1;
    return true;
}

static int look_up(struct rj_loop *loop, struct rj_conn_dial *dial, const char *host)
{
    static const struct addrinfo hints = {
        .ai_flags = AI_NUMERICSERV,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    char service[8];
    int status;

    (void)snprintf(service, sizeof(service), "%u", (unsigned int)dial->port);
    dial->lookup.data = dial;
    status = uv_getaddrinfo(&loop->uv, &dial->lookup, on_lookup, host, service, &hints);
    dial->looking = status == 0;
    return status;
}

enum rj_err rj_conn_tcp(struct rj_loop *loop, const char *host, uint16_t port,
                        const struct rj_conn_options *options, struct rj_conn **ret_conn)
{
    size_t host_len = host != NULL ? strlen(host) : 0;
    struct rj_conn_dial *dial;
    struct rj_conn *conn;
    int status;

    if (loop->stopping)
        return RJ_ECLOSED;
    if (host_len == 0 || host_len > RJ_CONN_HOST_MAX || port == 0)
        return RJ_EINVAL;
    dial = rj_alloc_zero(1, sizeof(*dial));
    if (dial == NULL)
        return RJ_ENOMEM;
    if (rj_conn_make(loop, options, false, &conn) != RJ_OK) {
        free(dial);
        return RJ_ENOMEM;
    }
    dial->port = port;
    dial->conn = conn;
    conn->dial = dial;
    conn->info.is_client = !options->tls_server;
    (void)snprintf(conn->addr, sizeof(conn->addr), "%s:%u", host, (unsigned int)port);
    if (take_numeric(dial, host))
        connect_next(conn);
    else if ((status = look_up(loop, dial, host)) != 0)
        rj_conn_fail(conn, RJ_EUNREACH, "%s: %s", host, uv_strerror(status));
    *ret_conn = conn;
    return RJ_OK;
}

enum rj_err rj_conn_unix(struct rj_loop *loop, const char *path,
                         const struct rj_conn_options *options, struct rj_conn **ret_conn)
{
    struct rj_conn *conn;
    enum rj_err err;

    if (loop->stopping)
        return RJ_ECLOSED;
    if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return RJ_ELIMIT; /* libuv would cut it */
    err = rj_conn_make(loop, options, true, &conn);
    if (err != RJ_OK)
        return err;
    conn->info.is_client = true;
    conn->connect.data = conn;
    (void)snprintf(conn->addr, sizeof(conn->addr), "%s", path);
    uv_pipe_connect(&conn->connect, &conn->uv.pipe, path, on_connect);
    *ret_conn = conn;
    return RJ_OK;
}
