/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the event loop share: loop.c, conn.c, conn_send.c, conn_dial.c,
 * conn_child.c, listener.c, timer.c, udp.c, netwatch.c. Nobody else includes this. */
#ifndef RJ_POSIX_LOOP_INNER_H
#define RJ_POSIX_LOOP_INNER_H

#include "base/buf.h"
#include "posix/conn.h"
#include "posix/loop.h"

#include <sys/queue.h>
#include <uv.h>

enum {
    RJ_LOOP_SPARES = 32,             /* emptied buffers kept for the next turn */
    RJ_LOOP_SPARE_SIZE = 256 * 1024, /* and the largest that is kept */
    RJ_LOOP_SIGNALS = 3,
    RJ_CONN_WHY_MAX = 128
};

struct rj_work;  /* loop.c */
struct rj_child; /* conn_child.c */
/* One buffer of a queue. */
struct rj_chunk {
    STAILQ_ENTRY(rj_chunk) link;
    struct rj_buf buf;
};

STAILQ_HEAD(rj_chunk_list, rj_chunk);
TAILQ_HEAD(rj_conn_list, rj_conn);
LIST_HEAD(rj_listener_list, rj_listener);
LIST_HEAD(rj_work_list, rj_work);
LIST_HEAD(rj_child_list, rj_child);

struct rj_loop {
    uv_loop_t uv;
    struct rj_loop_options options;
    uv_prepare_t turn;     /* runs right before each wait: the end of a turn */
    uv_idle_t again;       /* active: the next wait takes no time */
    uv_timer_t sweep;      /* looks for connections whose deadline has passed */
    uv_timer_t stop_timer; /* cuts what a stop waits for */
    uv_signal_t signals[RJ_LOOP_SIGNALS];
    uint64_t turns;
    uint64_t sweep_ms; /* when sweep fires; 0: not at all */
    uint64_t stop_ms;  /* the deadline of the stop */
    bool stopping, cut;
    size_t users;                /* timers and wake-ups that are not freed yet */
    struct rj_conn_list conns;   /* all of them */
    struct rj_conn_list dirty;   /* with something to send */
    struct rj_conn_list drained; /* with an on_drain to come */
    struct rj_listener_list listeners;
    struct rj_work_list works;
    struct rj_child_list children;
    struct rj_chunk_list spare;
    size_t spares;
    struct rj_buf plain; /* what one read decrypts to */
    uint8_t read_buf[RJ_CONN_READ_SIZE];
};

/* Buffers in order. The first head bytes of the first one have left already; the first
 * locked ones are with the system and must not change. */
struct rj_conn_queue {
    struct rj_chunk_list chunks;
    struct rj_chunk *last; /* of chunks; NULL: none */
    size_t count, locked;
    size_t head;
    size_t before; /* bytes in all but the last one */
};

enum rj_conn_state {
    RJ_CONN_DIAL,      /* name lookup, connect */
    RJ_CONN_HANDSHAKE, /* TLS */
    RJ_CONN_OPEN,
    RJ_CONN_CLOSING, /* rj_conn_close: still sending */
    RJ_CONN_SHUT,    /* all sent: waits for the other end's goodbye */
    RJ_CONN_DEAD     /* the handle is closing; on_close will be called */
};

struct rj_conn_dial; /* conn_dial.c */

struct rj_conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_write_t write;
    uv_shutdown_t shutdown;
    uv_connect_t connect;
    struct rj_loop *loop;
    struct rj_listener *listener; /* NULL: made here */
    struct rj_conn_options options;
    void *ctx;
    enum rj_conn_state state;
    bool is_unix, opened, paused, got_eof, was_full;
    bool writing; /* libuv holds the locked buffers */
    bool in_half; /* in its listener's list of handshakes */
    bool in_dirty, in_drained;
    TAILQ_ENTRY(rj_conn) all_link, dirty_link, drained_link, half_link;
    struct rj_conn_dial *dial; /* NULL: not (or no longer) needed */
    struct rj_child *child;    /* NULL: none, or gone */
    struct rj_tls *tls;
    struct rj_conn_queue out;  /* plaintext */
    struct rj_conn_queue wire; /* TLS: records */
    size_t handed;             /* bytes of the locked buffers */
    struct rj_buf sink;        /* a failed buffer, for what is dropped */
    uint64_t since_ms;         /* accepted, connected */
    uint64_t limit_ms;         /* our own deadline: handshake, linger; 0: none */
    uint64_t deadline_ms;      /* the program's */
    enum rj_err err;
    struct rj_conn_info info;
    size_t preamble_len;
    uint8_t preamble[RJ_CONN_PREAMBLE_MAX];
    char addr[RJ_CONN_ADDR_MAX];
    char why[RJ_CONN_WHY_MAX];
};

struct rj_listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    LIST_ENTRY(rj_listener) link;
    struct rj_loop *loop;
    struct rj_conn_options options;
    struct rj_conn_list half; /* oldest first */
    struct rj_listener_stats stats;
    size_t refs;                 /* connections that point here, dying ones too */
    uint32_t this_turn;          /* accepted */
    char path[RJ_CONN_ADDR_MAX]; /* Unix */
    uint16_t port;
    bool is_unix;
    bool held;   /* libuv has a connection that waits for room */
    bool deaf;   /* the handle is closing or closed */
    bool closed; /* the handle is gone */
    bool freed;  /* rj_listener_close was called */
};

/* ---- loop.c */

uint64_t rj_loop_ms(void); /* the monotonic clock */
/* Makes sure that deadlines are looked at when the clock has reached at_ms. */
void rj_loop_sweep_at(struct rj_loop *loop, uint64_t at_ms);
/* An empty buffer, from the spare ones if there is one; NULL: out of memory. And back. */
struct rj_chunk *rj_loop_take_spare(struct rj_loop *loop);
void rj_loop_give_spare(struct rj_loop *loop, struct rj_chunk *take_chunk);

/* ---- conn.c */

/* A new connection with an initialised handle, in state RJ_CONN_DIAL. RJ_ENOMEM. */
enum rj_err rj_conn_make(struct rj_loop *loop, const struct rj_conn_options *options,
                         bool is_unix, struct rj_conn **ret_conn);
/* Its socket is connected: handshake, or open. */
void rj_conn_connected(struct rj_conn *conn);
/* Cuts it: on_close(err) will come. Formats why as printf. */
void rj_conn_fail(struct rj_conn *conn, enum rj_err err, const char *why, ...)
    __attribute__((format(printf, 3, 4)));
/* The handle's close callback. */
void rj_conn_closed(uv_handle_t *handle);
void rj_conn_set_limit(struct rj_conn *conn, uint64_t at_ms);
/* Cuts what is over its deadline; the earliest deadline that is left, 0: none. */
uint64_t rj_conn_sweep_all(struct rj_loop *loop, uint64_t now_ms);

/* ---- conn_send.c */

/* The flush at the end of a turn, then the on_drain of those who have room again. */
void rj_conn_flush_all(struct rj_loop *loop);
void rj_conn_tell_drained(struct rj_loop *loop);
void rj_conn_mark_dirty(struct rj_conn *conn);
/* Where TLS may append records; NULL: out of memory. */
struct rj_buf *rj_conn_wire(struct rj_conn *conn);
/* More records wait than this end would ever queue by itself. */
bool rj_conn_wire_flooded(const struct rj_conn *conn);
/* Hands records to the system at once, as far as it takes them: a last alert. */
void rj_conn_push_wire(struct rj_conn *conn);
void rj_conn_init_queues(struct rj_conn *conn);
void rj_conn_drop_queues(struct rj_conn *conn);

/* ---- conn_dial.c */

/* The handle is closed: connects to the next address, if that was the intention. */
bool rj_conn_dial_again(struct rj_conn *conn);
/* The address takes too long: goes on to the next one. False: there is none. */
bool rj_conn_dial_skip(struct rj_conn *conn, uint64_t now_ms);
/* When that is; 0: never. */
uint64_t rj_conn_dial_try_ms(const struct rj_conn *conn);
void rj_conn_dial_free(struct rj_conn *conn);

/* ---- conn_child.c */

/* The connection is dying: its child has to end. */
void rj_child_end(struct rj_conn *conn);
/* The handle is closed. False: the child still runs; rj_conn_closed comes again. */
bool rj_child_done(struct rj_conn *conn);
/* Signals those that take too long; the next time to look, 0: none. And all of them. */
uint64_t rj_child_sweep_all(struct rj_loop *loop, uint64_t now_ms);
void rj_child_kill_all(struct rj_loop *loop);

/* ---- listener.c */

/* The connection leaves the handshakes of its listener: open, or failed. */
void rj_listener_half_done(struct rj_conn *conn);
/* The connection is dying; and it is gone. */
void rj_listener_conn_dead(struct rj_conn *conn);
void rj_listener_conn_gone(struct rj_conn *conn);
/* A new turn: accepts what was held back. */
void rj_listener_next_turn(struct rj_loop *loop);
void rj_listener_mute(struct rj_listener *listener);

#endif
