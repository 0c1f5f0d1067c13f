/* SPDX-License-Identifier: Apache-2.0 */
/* The loop. libuv runs, in this order: timers, pending callbacks, idle, prepare, the wait
 * and its events, check, closing. The turn ends in prepare, right before the wait, so all
 * callbacks of whatever phase since the last wait belong to it and none of their output
 * is left behind while the process sleeps. What happens after prepare's flush (on_drain,
 * held connections) starts an idle handle, which makes the next wait return at once. */
#include "posix/loop.h"

#include "base/alloc.h"
#include "posix/loop_inner.h"

#include <assert.h>
#include <signal.h>
#include <time.h>

struct rj_work {
    uv_work_t req;
    LIST_ENTRY(rj_work) link;
    rj_work_fn *fn;
    rj_work_done_fn *done;
    void *ctx;
};

static const int signal_numbers[RJ_LOOP_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

/* ---- turns */

uint64_t rj_loop_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void on_again(uv_idle_t *idle)
{
    (void)uv_idle_stop(idle);
}

void rj_loop_again(struct rj_loop *loop)
{
    (void)uv_idle_start(&loop->again, on_again);
}

static void cut_all(struct rj_loop *loop)
{
    struct rj_conn *conn;
    struct rj_work *work;

    loop->cut = true;
    for (conn = TAILQ_FIRST(&loop->conns); conn != NULL;
         conn = TAILQ_NEXT(conn, all_link))
        rj_conn_abort(conn, RJ_ECLOSED);
    for (work = LIST_FIRST(&loop->works); work != NULL; work = LIST_NEXT(work, link))
        (void)uv_cancel((uv_req_t *)&work->req);
    rj_child_kill_all(loop);
}

static void on_turn_end(uv_prepare_t *prepare)
{
    struct rj_loop *loop = prepare->data;

    loop->turns++;
    loop->options.ops->on_turn(loop->options.ctx);
    if (loop->stopping && !loop->cut && rj_loop_ms() >= loop->stop_ms)
        cut_all(loop);
    rj_conn_flush_all(loop);
    rj_conn_tell_drained(loop);
    rj_listener_next_turn(loop);
    if (!TAILQ_EMPTY(&loop->dirty))
        rj_loop_again(loop);
    if (loop->stopping && TAILQ_EMPTY(&loop->conns) && LIST_EMPTY(&loop->works) &&
        LIST_EMPTY(&loop->children))
        uv_stop(&loop->uv);
}

static void on_sweep(uv_timer_t *timer)
{
    struct rj_loop *loop = timer->data;
    uint64_t now_ms = rj_loop_ms();
    uint64_t next_ms, child_ms;

    loop->sweep_ms = 0;
    next_ms = rj_conn_sweep_all(loop, now_ms);
    if (next_ms != 0)
        rj_loop_sweep_at(loop, next_ms);
    child_ms = rj_child_sweep_all(loop, now_ms);
    if (child_ms != 0)
        rj_loop_sweep_at(loop, child_ms);
}

void rj_loop_sweep_at(struct rj_loop *loop, uint64_t at_ms)
{
    uint64_t now_ms, wait_ms;

    if (loop->sweep_ms != 0 && loop->sweep_ms <= at_ms)
        return;
    now_ms = rj_loop_ms();
    wait_ms = at_ms > now_ms ? at_ms - now_ms : 0;
    if (wait_ms < RJ_CONN_SWEEP_MS) /* many deadlines close together are one sweep */
        wait_ms = RJ_CONN_SWEEP_MS;
    if (loop->sweep_ms != 0 && loop->sweep_ms <= now_ms + wait_ms)
        return;
    loop->sweep_ms = now_ms + wait_ms;
    (void)uv_timer_start(&loop->sweep, on_sweep, wait_ms, 0);
}

/* ---- spare buffers */

struct rj_chunk *rj_loop_take_spare(struct rj_loop *loop)
{
    struct rj_chunk *chunk = STAILQ_FIRST(&loop->spare);

    if (chunk == NULL)
        return rj_alloc_zero(1, sizeof(*chunk));
    STAILQ_REMOVE_HEAD(&loop->spare, link);
    loop->spares--;
    return chunk;
}

void rj_loop_give_spare(struct rj_loop *loop, struct rj_chunk *take_chunk)
{
    struct rj_buf *buf = &take_chunk->buf;

    if (loop->spares < RJ_LOOP_SPARES && buf->cap <= RJ_LOOP_SPARE_SIZE) {
        rj_buf_clear(buf);
        buf->limit = 0;
        loop->spares++;
        STAILQ_INSERT_HEAD(&loop->spare, take_chunk, link);
    } else {
        rj_buf_done(buf);
        free(take_chunk);
    }
}

/* ---- start and stop */

static void on_signal(uv_signal_t *handle, int signo)
{
    struct rj_loop *loop = handle->data;

    loop->options.ops->on_signal(loop->options.ctx, signo);
}

static enum rj_err start_signals(struct rj_loop *loop)
{
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < RJ_LOOP_SIGNALS; i++) {
        uv_signal_t *handle = &loop->signals[i];

        if (uv_signal_init(&loop->uv, handle) != 0)
            return RJ_EIO;
        handle->data = loop;
        if (uv_signal_start(handle, on_signal, signal_numbers[i]) != 0)
            return RJ_EIO;
    }
    return RJ_OK;
}

static void close_own(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Closes all handles and gives the memory back. */
static void finish(struct rj_loop *loop)
{
    struct rj_chunk *chunk;
    int result;

    uv_walk(&loop->uv, close_own, NULL);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    result = uv_loop_close(&loop->uv);
    assert(result == 0);
    while ((chunk = STAILQ_FIRST(&loop->spare)) != NULL) {
        STAILQ_REMOVE_HEAD(&loop->spare, link);
        rj_buf_done(&chunk->buf);
        free(chunk);
    }
    rj_buf_done(&loop->plain);
    free(loop);
}

enum rj_err rj_loop_new(const struct rj_loop_options *options, struct rj_loop **ret_loop)
{
    struct rj_loop *loop = rj_alloc_zero(1, sizeof(*loop));
    enum rj_err err = RJ_OK;

    if (loop == NULL)
        return RJ_ENOMEM;
    if (uv_loop_init(&loop->uv) != 0) {
        free(loop);
        return RJ_EIO;
    }
    loop->options = *options;
    TAILQ_INIT(&loop->conns);
    TAILQ_INIT(&loop->dirty);
    TAILQ_INIT(&loop->drained);
    LIST_INIT(&loop->listeners);
    LIST_INIT(&loop->works);
    LIST_INIT(&loop->children);
    STAILQ_INIT(&loop->spare);
    (void)uv_prepare_init(&loop->uv, &loop->turn);
    (void)uv_idle_init(&loop->uv, &loop->again);
    (void)uv_timer_init(&loop->uv, &loop->sweep);
    (void)uv_timer_init(&loop->uv, &loop->stop_timer);
    loop->turn.data = loop->sweep.data = loop->stop_timer.data = loop;
    (void)uv_prepare_start(&loop->turn, on_turn_end);
    if (options->signals)
        err = start_signals(loop);
    if (err != RJ_OK) {
        finish(loop);
        return err;
    }
    *ret_loop = loop;
    return RJ_OK;
}

void rj_loop_run(struct rj_loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

int rj_loop_fd(const struct rj_loop *loop)
{
    return uv_backend_fd(&loop->uv);
}

int rj_loop_wait_ms(struct rj_loop *loop)
{
    uv_update_time(&loop->uv); /* it has slept elsewhere */
    return uv_backend_timeout(&loop->uv);
}

void rj_loop_turn(struct rj_loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
    /* What the wait has brought came after prepare, and there is no next wait here. */
    on_turn_end(&loop->turn);
}

/* Ends the wait: the end of the turn sees that the time is over. libuv's clock is coarse:
 * it may be a little early. */
static void on_stop_timer(uv_timer_t *timer)
{
    const struct rj_loop *loop = timer->data;
    uint64_t now_ms = rj_loop_ms();

    if (now_ms < loop->stop_ms)
        (void)uv_timer_start(timer, on_stop_timer, loop->stop_ms - now_ms, 0);
}

void rj_loop_stop(struct rj_loop *loop, uint32_t deadline_ms)
{
    uint64_t at_ms = rj_loop_ms() + deadline_ms;
    struct rj_listener *listener;
    struct rj_conn *conn;

    if (loop->stopping && at_ms >= loop->stop_ms)
        return;
    loop->stop_ms = at_ms;
    (void)uv_timer_start(&loop->stop_timer, on_stop_timer, deadline_ms, 0);
    rj_loop_again(loop);
    if (loop->stopping)
        return;
    loop->stopping = true;
    for (listener = LIST_FIRST(&loop->listeners); listener != NULL;
         listener = LIST_NEXT(listener, link))
        rj_listener_mute(listener);
    for (conn = TAILQ_FIRST(&loop->conns); conn != NULL;
         conn = TAILQ_NEXT(conn, all_link))
        rj_conn_close(conn);
}

bool rj_loop_stopping(const struct rj_loop *loop)
{
    return loop->stopping;
}

void rj_loop_free(struct rj_loop *loop)
{
    struct rj_listener *listener;

    if (loop == NULL)
        return;
    assert(loop->users == 0); /* timers and wake-ups are freed first */
    if (!loop->stopping || !TAILQ_EMPTY(&loop->conns) || !LIST_EMPTY(&loop->works) ||
        !LIST_EMPTY(&loop->children)) {
        rj_loop_stop(loop, 0);
        rj_loop_run(loop);
    }
    while ((listener = LIST_FIRST(&loop->listeners)) != NULL)
        rj_listener_close(listener);
    (void)uv_prepare_stop(&loop->turn);
    finish(loop);
}

struct rj_now rj_loop_now(const struct rj_loop *loop)
{
    struct timespec wall = {0};
    struct rj_now now;

    (void)loop;
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    now.wall.ms = (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000;
    now.mono.ms = rj_loop_ms();
    return now;
}

uint64_t rj_loop_turns(const struct rj_loop *loop)
{
    return loop->turns;
}

struct uv_loop_s *rj_loop_uv(struct rj_loop *loop)
{
    return &loop->uv;
}

/* ---- jobs */

static void on_work(uv_work_t *req)
{
    struct rj_work *work = req->data;

    work->fn(work->ctx);
}

static void on_work_done(uv_work_t *req, int status)
{
    struct rj_work *work = req->data;

    LIST_REMOVE(work, link);
    work->done(work->ctx, status == 0 ? RJ_OK : RJ_ECLOSED);
    free(work);
}

enum rj_err rj_loop_work(struct rj_loop *loop, rj_work_fn *fn, rj_work_done_fn *done,
                         void *ctx)
{
    struct rj_work *work;

    if (loop->cut)
        return RJ_ECLOSED;
    work = rj_alloc_zero(1, sizeof(*work));
    if (work == NULL)
        return RJ_ENOMEM;
    work->fn = fn;
    work->done = done;
    work->ctx = ctx;
    work->req.data = work;
    LIST_INSERT_HEAD(&loop->works, work, link);
    (void)uv_queue_work(&loop->uv, &work->req, on_work, on_work_done);
    return RJ_OK;
}
