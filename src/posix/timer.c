/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines and wake-ups. Most deadlines are moved later again and again and never come
 * (the next acknowledgement, the next idle check), so a timer that moves later leaves
 * libuv's heap alone: it fires at the old time, looks, and sleeps for the rest. */
#include "base/alloc.h"
#include "posix/loop.h"
#include "posix/loop_inner.h"

struct rj_timer {
    uv_timer_t uv;
    struct rj_loop *loop;
    rj_timer_fn *fn;
    void *ctx;
    uint64_t at_ms;
    uint64_t armed_ms; /* when libuv fires; may be before at_ms */
    bool set, armed;
};

struct rj_wake {
    uv_async_t uv;
    struct rj_loop *loop;
    rj_timer_fn *fn;
    void *ctx;
};

/* ---- timers */

enum rj_err rj_timer_new(struct rj_loop *loop, rj_timer_fn *fn, void *ctx,
                         struct rj_timer **ret_timer)
{
    struct rj_timer *timer = rj_alloc_zero(1, sizeof(*timer));

    if (timer == NULL)
        return RJ_ENOMEM;
    timer->loop = loop;
    timer->fn = fn;
    timer->ctx = ctx;
    (void)uv_timer_init(&loop->uv, &timer->uv);
    timer->uv.data = timer;
    loop->users++;
    *ret_timer = timer;
    return RJ_OK;
}

static void on_timer(uv_timer_t *uv);

static void arm(struct rj_timer *timer)
{
    uint64_t now_ms = rj_loop_ms();

    timer->armed = true;
    timer->armed_ms = timer->at_ms;
    (void)uv_timer_start(&timer->uv, on_timer,
                         timer->at_ms > now_ms ? timer->at_ms - now_ms : 0, 0);
}

/* libuv counts from a clock that is coarse and read once a turn, and the deadline may
 * have moved away meanwhile: look again. */
static void on_timer(uv_timer_t *uv)
{
    struct rj_timer *timer = uv->data;

    timer->armed = false;
    if (!timer->set)
        return;
    if (rj_loop_ms() < timer->at_ms) {
        arm(timer);
        return;
    }
    timer->set = false;
    timer->fn(timer->ctx);
}

void rj_timer_set(struct rj_timer *timer, struct rj_mono at)
{
    timer->at_ms = at.ms;
    timer->set = true;
    if (!timer->armed || at.ms < timer->armed_ms)
        arm(timer);
}

void rj_timer_cancel(struct rj_timer *timer)
{
    timer->set = false;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void rj_timer_free(struct rj_timer *timer)
{
    if (timer == NULL)
        return;
    timer->loop->users--;
    uv_close((uv_handle_t *)&timer->uv, on_timer_closed);
}

/* ---- wake-ups */

static void on_wake(uv_async_t *uv)
{
    struct rj_wake *wake = uv->data;

    wake->fn(wake->ctx);
}

enum rj_err rj_wake_new(struct rj_loop *loop, rj_timer_fn *fn, void *ctx,
                        struct rj_wake **ret_wake)
{
    struct rj_wake *wake = rj_alloc_zero(1, sizeof(*wake));

    if (wake == NULL)
        return RJ_ENOMEM;
    wake->loop = loop;
    wake->fn = fn;
    wake->ctx = ctx;
    if (uv_async_init(&loop->uv, &wake->uv, on_wake) != 0) {
        free(wake);
        return RJ_EIO;
    }
    wake->uv.data = wake;
    loop->users++;
    *ret_wake = wake;
    return RJ_OK;
}

void rj_wake_send(struct rj_wake *wake)
{
    (void)uv_async_send(&wake->uv);
}

static void on_wake_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void rj_wake_free(struct rj_wake *wake)
{
    if (wake == NULL)
        return;
    wake->loop->users--;
    uv_close((uv_handle_t *)&wake->uv, on_wake_closed);
}
