/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of a program, on libuv: turns, clocks, timers, signals, jobs on worker
 * threads, wake-ups. Connections are in posix/conn.h.
 *
 * A *turn* is everything between two waits for the system. Within it callbacks run, one
 * after the other, on the loop's thread; at its end on_turn runs once (commit the group
 * here), and after it everything that was sent during the turn leaves, with one write
 * per connection. No callback is ever called from within a call that the program makes
 * into this floor: whatever a call causes is reported later, from the loop. */
#ifndef RJ_POSIX_LOOP_H
#define RJ_POSIX_LOOP_H

#include <rejoin/bytes.h>
#include <rejoin/error.h>
#include <stdbool.h>

struct uv_loop_s;

struct rj_loop;
struct rj_timer;
struct rj_wake;

/* No slot may be NULL. */
struct rj_loop_ops {
    /* The end of a turn, before output leaves. May send, close, set timers. */
    void (*on_turn)(void *ctx);
    /* SIGTERM, SIGINT or SIGHUP arrived. */
    void (*on_signal)(void *ctx, int signo);
};

struct rj_loop_options {
    const struct rj_loop_ops *ops;
    void *ctx;    /* handed to the ops */
    bool signals; /* take over SIGTERM, SIGINT and SIGHUP, ignore SIGPIPE */
};

/* RJ_ENOMEM, RJ_EIO. */
RJ_NODISCARD enum rj_err rj_loop_new(const struct rj_loop_options *options,
                                     struct rj_loop **ret_loop);
/* Runs until a stop is complete. Afterwards every connection was closed (on_close was
 * called) and every job is done; only rj_loop_free remains. */
void rj_loop_run(struct rj_loop *loop);
/* The same for who waits elsewhere: rj_loop_turn when the descriptor rj_loop_fd is
 * readable, or rj_loop_wait_ms milliseconds (-1: for ever) after it was asked. One turn
 * is what happened since the last one; all its output has left, or waits for the system;
 * never blocks. */
int rj_loop_fd(const struct rj_loop *loop);
int rj_loop_wait_ms(struct rj_loop *loop);
void rj_loop_turn(struct rj_loop *loop);
/* The next wait takes no time: what was done from outside wants a turn. */
void rj_loop_again(struct rj_loop *loop);
/* Begins to stop: listeners close at once, connections send what is queued and close,
 * jobs are waited for and new ones still taken (the last commit); on_turn goes on to the
 * end. After deadline_ms connections are cut, waiting jobs are cancelled, running ones
 * waited for. A second call can only shorten the deadline. From any callback, also before
 * rj_loop_run. */
void rj_loop_stop(struct rj_loop *loop, uint32_t deadline_ms);
bool rj_loop_stopping(const struct rj_loop *loop);
/* Not while it runs; timers and wake-ups are freed before. What a loop that never ran
 * still has is cut, on_close is called. May wait for a name lookup that the system does
 * not let go. NULL is accepted. */
void rj_loop_free(struct rj_loop *loop);

/* Both clocks, read now (about 50 ns): once for each step of an engine. */
struct rj_now rj_loop_now(const struct rj_loop *loop);
/* How many turns ended; for metrics. */
uint64_t rj_loop_turns(const struct rj_loop *loop);
/* libuv's loop, for other parts of floor 5 (child processes, foreign descriptors). */
struct uv_loop_s *rj_loop_uv(struct rj_loop *loop);

/* A deadline that fires once and can be moved cheaply (moving it later costs two stores).
 * Freed by rj_timer_free, at the latest before rj_loop_free. RJ_ENOMEM. */
typedef void rj_timer_fn(void *ctx);
RJ_NODISCARD enum rj_err rj_timer_new(struct rj_loop *loop, rj_timer_fn *fn, void *ctx,
                                      struct rj_timer **ret_timer);
/* Fires once the monotonic clock has reached at; replaces what was set. A time in the
 * past fires in the next turn. Never early. */
void rj_timer_set(struct rj_timer *timer, struct rj_mono at);
void rj_timer_cancel(struct rj_timer *timer);
/* Also from its own callback. NULL is accepted. */
void rj_timer_free(struct rj_timer *timer);

/* Runs fn(ctx) on a worker thread (4 of them, or UV_THREADPOOL_SIZE), then done(ctx,
 * RJ_OK) on the loop's thread; done(ctx, RJ_ECLOSED) without fn when a stop's deadline
 * came first. done is called once, unless this call fails: RJ_ENOMEM, RJ_ECLOSED (a
 * stop's deadline has passed). */
typedef void rj_work_fn(void *ctx);
typedef void rj_work_done_fn(void *ctx, enum rj_err err);
RJ_NODISCARD enum rj_err rj_loop_work(struct rj_loop *loop, rj_work_fn *fn,
                                      rj_work_done_fn *done, void *ctx);

/* A wake-up from any thread or from a signal handler: several rj_wake_send may become
 * one call of fn on the loop's thread. Freed as a timer is. RJ_ENOMEM, RJ_EIO. */
RJ_NODISCARD enum rj_err rj_wake_new(struct rj_loop *loop, rj_timer_fn *fn, void *ctx,
                                     struct rj_wake **ret_wake);
void rj_wake_send(struct rj_wake *wake);
void rj_wake_free(struct rj_wake *wake); /* NULL is accepted */

#endif
