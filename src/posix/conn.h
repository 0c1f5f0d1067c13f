/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of a loop: TCP, Unix stream or a child process, plain or TLS, accepted or
 * made. One set of callbacks and calls for all of them.
 *
 * Order of callbacks: on_open, then any of on_data, on_drain, on_eof, then on_close,
 * always last, always once. A connection that the program made and that could not be
 * opened gets on_close alone; one that was accepted and never opened gets none.
 * All calls here are for the loop's thread. */
#ifndef RJ_POSIX_CONN_H
#define RJ_POSIX_CONN_H

#include "base/buf.h"

#include <rejoin/bytes.h>
#include <rejoin/env.h>
#include <rejoin/error.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

struct rj_loop;
struct rj_tls;
struct rj_tls_ctx;
struct rj_conn;
struct rj_listener;

enum {
    RJ_CONN_READ_SIZE = 64 * 1024, /* one buffer a loop, reused */
    RJ_CONN_COPY_MAX = 4096,       /* a sent buffer up to this size is copied, not kept */
    RJ_CONN_ADDR_MAX = 128,        /* text of an address with its NUL */
    RJ_CONN_HOST_MAX = 253,        /* a DNS name, RFC 1035 */
    RJ_CONN_ADDRS_MAX = 8,         /* addresses tried for one name */
    RJ_CONN_TRY_MS = 3000,         /* for each of them, while there is another */
    RJ_CONN_GOODBYE_MS = 1000,     /* most to wait for the other end to close too */
    RJ_CONN_PREAMBLE_MAX = 64,     /* bytes in front of TLS */
    RJ_CONN_ARGS_MAX = 32,         /* words of a child's command, its name included */
    RJ_CONN_CHILD_GRACE_MS = 500,  /* for a child to end by itself, then SIGTERM, */
    RJ_CONN_CHILD_KILL_MS = 2000,  /* and SIGKILL */
    RJ_CONN_PROBE_S = 1,           /* between the probes of rj_conn_probe, */
    RJ_CONN_PROBE_MS = 3000,       /* and how long nobody may answer them */
    RJ_CONN_SWEEP_MS = 250         /* how late a deadline of a connection may be */
};

/* Defaults of struct rj_conn_options. */
#define RJ_CONN_QUEUE_HIGH      ((size_t)1 << 20)  /* 1 MiB */
#define RJ_CONN_QUEUE_MAX       ((size_t)64 << 20) /* 64 MiB */
#define RJ_CONN_HANDSHAKE_MS    ((uint32_t)10000)
#define RJ_CONN_LINGER_MS       ((uint32_t)5000)
#define RJ_LISTENER_CONNS_MAX   ((uint32_t)10000)
#define RJ_LISTENER_HALF_MAX    ((uint32_t)256)
#define RJ_LISTENER_HALF_MIN_MS ((uint32_t)1000)
#define RJ_LISTENER_TURN_MAX    ((uint32_t)16)

/* No slot may be NULL. Every callback may close any connection, its own too. */
struct rj_conn_ops {
    /* Bytes can be sent and will come. With TLS the handshake is done and
     * rj_conn_info's pubkey says who is there: decide here whether it may stay. */
    void (*on_open)(struct rj_conn *conn);
    /* data (plaintext) is borrowed until the callback returns. */
    void (*on_data)(struct rj_conn *conn, struct rj_bytes data);
    /* The other end will send no more but may still read. Usual: rj_conn_close. */
    void (*on_eof)(struct rj_conn *conn);
    /* After rj_conn_full was true: less than half of queue_high is queued again. */
    void (*on_drain)(struct rj_conn *conn);
    /* RJ_OK: rj_conn_close here, and all was sent. Otherwise why it ended: RJ_EUNREACH
     * (never came up, or cut), RJ_ETIMEOUT (a deadline), RJ_EAUTH, RJ_EPROTO (TLS),
     * RJ_ELIMIT (queue_max), RJ_ENOMEM, RJ_ECLOSED (the loop's stop was in a hurry), or
     * what rj_conn_abort was given. conn is gone when the callback returns. */
    void (*on_close)(struct rj_conn *conn, enum rj_err err);
};

/* A zero number stands for its default. ops, tls and ctx must outlive the connection. */
struct rj_conn_options {
    const struct rj_conn_ops *ops;
    void *ctx;               /* first value of rj_conn_ctx */
    struct rj_tls_ctx *tls;  /* NULL: plain */
    size_t queue_high_bytes; /* rj_conn_full from here on: the program should pause */
    size_t queue_max_bytes;  /* a send beyond closes the connection with RJ_ELIMIT */
    uint32_t handshake_ms;   /* from accept or connect (names, TCP, TLS) to on_open */
    uint32_t linger_ms;      /* from rj_conn_close to the end */
    uint32_t dead_ms;        /* TCP: it is cut when the other end gave no sign so long,
                              * neither to data nor to probes; 0: the system's default */
    /* Made here, with TLS: */
    struct rj_bytes preamble; /* goes in front of TLS, as it is; copied */
    bool tls_server;          /* this end is TLS's server */
    /* Listeners only: */
    uint32_t conns_max; /* connections beyond are closed at once */
    uint32_t half_max;  /* handshakes at one time; beyond, the oldest one that is older
                         * than RJ_LISTENER_HALF_MIN_MS is cut, else new ones wait */
    uint32_t turn_max;  /* accepted in one turn; more wait for the next */
    /* With TLS: who begins with another byte than TLS does becomes a plain connection
     * with these callbacks; NULL: is refused. */
    const struct rj_conn_ops *plain_ops;
    void *plain_ctx;
};

/* Listens on a numeric address (IPv4, IPv6) or name; NULL or "" is any address of both
 * families. Port 0: the system chooses, see rj_listener_port. RJ_EBUSY: the port is
 * taken. RJ_EINVAL: no such address here. RJ_EDENIED: a port below 1024. RJ_ENOMEM.
 * RJ_ECLOSED: the loop is stopping. */
RJ_NODISCARD enum rj_err rj_listener_tcp(struct rj_loop *loop, const char *host,
                                         uint16_t port,
                                         const struct rj_conn_options *options,
                                         struct rj_listener **ret_listener);
/* Listens on a Unix stream socket, mode 0600. Its directory is made (0700) when missing
 * and must belong to this user alone (RJ_EDENIED). A dead socket is replaced; RJ_EBUSY: a
 * live one is there; RJ_EEXIST: something else is. RJ_ELIMIT: the path is longer than the
 * system can. Connections of other users than this one and root are cut at once. The file
 * goes with the listener. RJ_ENOMEM, RJ_ECLOSED as above. */
RJ_NODISCARD enum rj_err rj_listener_unix(struct rj_loop *loop, const char *path,
                                          const struct rj_conn_options *options,
                                          struct rj_listener **ret_listener);
uint16_t rj_listener_port(const struct rj_listener *listener); /* 0: Unix */

struct rj_listener_stats {
    uint32_t conns, half;       /* now */
    uint64_t accepted, refused; /* so far; refused: by a limit, a user, a handshake */
};
struct rj_listener_stats rj_listener_stats(const struct rj_listener *listener);
/* Stops listening; its connections stay. The listener is gone. NULL is accepted. A stop
 * of the loop makes all listeners deaf, rj_loop_free closes those that are left. */
void rj_listener_close(struct rj_listener *listener);

/* Connects to host (IPv4, IPv6 also with %scope, DNS name: its addresses are tried one
 * after the other, the two families in turn, until with one of them the handshake is
 * done). The outcome comes as on_open or on_close. RJ_EINVAL: no host or port. RJ_ENOMEM.
 * RJ_ECLOSED: the loop is stopping. */
RJ_NODISCARD enum rj_err rj_conn_tcp(struct rj_loop *loop, const char *host,
                                     uint16_t port, const struct rj_conn_options *options,
                                     struct rj_conn **ret_conn);
/* The same to a Unix stream socket. RJ_ELIMIT: the path is too long. */
RJ_NODISCARD enum rj_err rj_conn_unix(struct rj_loop *loop, const char *path,
                                      const struct rj_conn_options *options,
                                      struct rj_conn **ret_conn);

/* Runs a command and connects to its standard input and output; name is what
 * rj_conn_info's addr says. No shell: argv is as execvp wants it, copied by the system
 * before this returns. What it last said on its standard error becomes part of
 * rj_conn_why. It is ended, and waited for, before on_close. RJ_EINVAL: no command.
 * RJ_ENOMEM, RJ_EIO, RJ_ECLOSED. A command that does not start ends as on_close. */
RJ_NODISCARD enum rj_err rj_conn_child(struct rj_loop *loop, const char *const *argv,
                                       const char *name,
                                       const struct rj_conn_options *options,
                                       struct rj_conn **ret_conn);

/* From within on_open: this is not who was meant, try the next address of the name (the
 * outcome comes as before). False: there is none, nothing was done. */
bool rj_conn_next(struct rj_conn *conn);
/* Asks the other end whether it is still there: one that does not answer is cut with
 * RJ_EUNREACH within some RJ_CONN_PROBE_MS. false: back to dead_ms. TCP only. */
void rj_conn_probe(struct rj_conn *conn, bool hurry);
/* The own address of a TCP connection, IPv4 in IPv6 unwrapped. False: none. */
bool rj_conn_local(const struct rj_conn *conn, struct sockaddr_storage *ret);

void *rj_conn_ctx(const struct rj_conn *conn);
void rj_conn_set_ctx(struct rj_conn *conn, void *ctx);
/* Replaces callbacks, for a connection that turns out to be something else. */
void rj_conn_set_ops(struct rj_conn *conn, const struct rj_conn_ops *ops);
struct rj_loop *rj_conn_loop(const struct rj_conn *conn);

struct rj_conn_info {
    bool is_client;        /* made here, and not as tls_server */
    bool is_unix;          /* a Unix socket, or a child */
    const char *addr;      /* "192.0.2.1:7340", "[::1]:7340", the socket's path */
    const uint8_t *pubkey; /* TLS: the peer's raw key, proven; else NULL */
    bool has_cred;         /* accepted Unix: uid, gid and pid of the other end */
    uid_t uid;
    gid_t gid;
    pid_t pid;
    uint64_t received, sent; /* plaintext bytes: delivered; handed to the system */
};
/* What is borrowed lives as long as conn. */
struct rj_conn_info rj_conn_info(const struct rj_conn *conn);
/* For rj_tls_export; NULL when plain or not yet open. */
struct rj_tls *rj_conn_tls(struct rj_conn *conn);
/* Detail of a failure, for people; never NULL. Lives as long as conn. */
const char *rj_conn_why(const struct rj_conn *conn);

/* The three ways to send; all only queue, and everything leaves at the end of the turn.
 * Before on_open and after a close what is sent is dropped silently; after a failure
 * (out of memory, queue_max_bytes) the connection is cut and on_close says why. */
/* Copies data: for small messages. */
void rj_conn_write(struct rj_conn *conn, struct rj_bytes data);
/* Takes the memory of take_buf (left empty): for what is large or ready made. */
void rj_conn_send(struct rj_conn *conn, struct rj_buf *take_buf);
/* The cheapest: the end of the queue itself, to append to. Borrowed until the next call
 * with this conn or the end of the callback; append only. */
struct rj_buf *rj_conn_out(struct rj_conn *conn);

/* Bytes of plaintext (and unsent ciphertext) that wait here. */
size_t rj_conn_queued(const struct rj_conn *conn);
/* At least queue_high_bytes are queued: hold back until on_drain, which follows whenever
 * the answer was true. */
bool rj_conn_full(struct rj_conn *conn);

/* Stops and continues reading: the other end will feel it. No on_data, on_eof meanwhile
 * (but what came with the end of a handshake is delivered after on_open); a cut may go
 * unnoticed. */
void rj_conn_pause(struct rj_conn *conn);
void rj_conn_resume(struct rj_conn *conn);
/* Cuts the connection with RJ_ETIMEOUT when the monotonic clock has reached at, at most
 * RJ_CONN_SWEEP_MS late; 0: never. Replaces the last one. Cheap to move. */
void rj_conn_deadline(struct rj_conn *conn, struct rj_mono at);

/* Sends what is queued, says goodbye, waits a second at most for the other end to close
 * as well, then on_close(RJ_OK). What cannot be sent within linger_ms is dropped:
 * on_close(RJ_ETIMEOUT). No on_data, on_eof, on_drain from now on. A second call does
 * nothing; one that is not open yet is cut, on_close(RJ_OK). */
void rj_conn_close(struct rj_conn *conn);
/* Cuts now: drops what is queued; on_close(err) follows. */
void rj_conn_abort(struct rj_conn *conn, enum rj_err err);

#endif
