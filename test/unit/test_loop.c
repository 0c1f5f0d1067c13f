/* SPDX-License-Identifier: Apache-2.0 */
#include "posix/loop.h"
#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static struct rj_loop *loop;
static struct rj_timer *watchdog;
static char diary[256];
static int last_signal;
static unsigned turns;

static void note(const char *what)
{
    size_t len = strlen(diary);

    (void)snprintf(diary + len, sizeof(diary) - len, "%s ", what);
}

static void on_turn(void *ctx)
{
    assert_ptr_equal(ctx, diary);
    turns++;
}

static void on_signal(void *ctx, int signo)
{
    assert_ptr_equal(ctx, diary);
    last_signal = signo;
    rj_loop_stop(loop, 0);
}

static const struct rj_loop_ops ops = {.on_turn = on_turn, .on_signal = on_signal};

static void bark(void *ctx)
{
    (void)ctx;
    (void)fprintf(stderr, "the test hangs\n");
    abort();
}

static struct rj_mono in_ms(uint64_t ms)
{
    return (struct rj_mono){rj_loop_now(loop).mono.ms + ms};
}

static int open_loop(void **state)
{
    const struct rj_loop_options options = {.ops = &ops, .ctx = diary, .signals = true};

    (void)state;
    diary[0] = '\0';
    last_signal = 0;
    turns = 0;
    assert_ok(rj_loop_new(&options, &loop));
    assert_ok(rj_timer_new(loop, bark, NULL, &watchdog));
    rj_timer_set(watchdog, in_ms(60000));
    return 0;
}

static int close_loop(void **state)
{
    (void)state;
    rj_timer_free(watchdog);
    rj_loop_free(loop);
    return 0;
}

static void stop(void *ctx)
{
    (void)ctx;
    rj_loop_stop(loop, 60000);
}

/* ---- turns and clocks */

TEST(a_stop_before_the_start_ends_it_at_once)
{
    stop(NULL);
    rj_loop_run(loop);
    assert_int_equal(turns, 1);
    assert_int_equal(rj_loop_turns(loop), 1);
}

TEST(the_clocks_go_forward)
{
    struct rj_now a = rj_loop_now(loop), b;

    (void)usleep(3000);
    b = rj_loop_now(loop);
    assert_in_range(b.mono.ms - a.mono.ms, 2, 3600000);
    assert_true(a.wall.ms > UINT64_C(1600000000000));
}

TEST(an_idle_loop_sleeps)
{
    struct rj_timer *timer;

    assert_ok(rj_timer_new(loop, stop, NULL, &timer));
    rj_timer_set(timer, in_ms(200));
    rj_loop_run(loop);
    assert_in_range(turns, 1, 10);
    rj_timer_free(timer);
}

/* ---- timers */

struct moved {
    struct rj_timer *timer;
    uint64_t due_ms;
    unsigned fired;
};

static void on_moved(void *ctx)
{
    struct moved *m = ctx;

    m->fired++;
    assert_true(rj_loop_now(loop).mono.ms >= m->due_ms); /* never early */
    stop(NULL);
}

static void check_moves(uint64_t first_ms, uint64_t second_ms)
{
    struct moved m = {0};

    assert_ok(rj_timer_new(loop, on_moved, &m, &m.timer));
    rj_timer_set(m.timer, in_ms(first_ms));
    m.due_ms = in_ms(second_ms).ms;
    rj_timer_set(m.timer, (struct rj_mono){m.due_ms});
    rj_loop_run(loop);
    assert_int_equal(m.fired, 1);
    rj_timer_free(m.timer);
}

TEST(a_deadline_can_be_moved_later)
{
    check_moves(10, 150);
}

TEST(a_deadline_can_be_moved_earlier)
{
    check_moves(50000, 20);
}

TEST(a_deadline_in_the_past_fires_at_once)
{
    struct moved m = {0};

    assert_ok(rj_timer_new(loop, on_moved, &m, &m.timer));
    rj_timer_set(m.timer, (struct rj_mono){0});
    rj_loop_run(loop);
    assert_int_equal(m.fired, 1);
    rj_timer_free(m.timer);
}

static void count_and_repeat(void *ctx)
{
    struct moved *m = ctx;

    if (++m->fired < 100)
        rj_timer_set(m->timer, in_ms(0));
    else
        stop(NULL);
}

TEST(a_timer_may_set_itself_again)
{
    struct moved m = {0};

    assert_ok(rj_timer_new(loop, count_and_repeat, &m, &m.timer));
    rj_timer_set(m.timer, in_ms(0));
    rj_loop_run(loop);
    assert_int_equal(m.fired, 100);
    rj_timer_free(m.timer);
}

static void free_itself(void *ctx)
{
    struct moved *m = ctx;

    rj_timer_free(m->timer);
    m->fired++;
    stop(NULL);
}

TEST(a_timer_may_free_itself)
{
    struct moved m = {0};

    assert_ok(rj_timer_new(loop, free_itself, &m, &m.timer));
    rj_timer_set(m.timer, in_ms(1));
    rj_loop_run(loop);
    assert_int_equal(m.fired, 1);
}

static void note_it(void *ctx)
{
    note(ctx);
}

TEST(a_cancelled_timer_is_silent)
{
    static char never[] = "never";
    struct rj_timer *silent, *timer;

    assert_ok(rj_timer_new(loop, note_it, never, &silent));
    assert_ok(rj_timer_new(loop, stop, NULL, &timer));
    rj_timer_set(silent, in_ms(10));
    rj_timer_cancel(silent);
    rj_timer_set(timer, in_ms(100));
    rj_loop_run(loop);
    assert_string_equal(diary, "");
    rj_timer_free(silent);
    rj_timer_free(timer);
    rj_timer_free(NULL);
}

/* ---- jobs */

static atomic_uint jobs_waiting; /* that a worker has begun, see wait_for_leave */

struct job {
    pthread_t ran_on;
    atomic_int state; /* 1: may go on */
    bool ran, done;
    enum rj_err err;
};

static void run_job(void *ctx)
{
    struct job *job = ctx;

    job->ran_on = pthread_self();
    job->ran = true;
}

static void job_done(void *ctx, enum rj_err err)
{
    struct job *job = ctx;

    assert_false(job->done);
    job->done = true;
    job->err = err;
    stop(NULL);
}

TEST(a_job_runs_elsewhere_and_is_reported_here)
{
    struct job job = {0};

    assert_ok(rj_loop_work(loop, run_job, job_done, &job));
    rj_loop_run(loop);
    assert_true(job.done && job.ran);
    assert_ok(job.err);
    assert_false(pthread_equal(job.ran_on, pthread_self()));
}

static void note_done(void *ctx, enum rj_err err)
{
    struct job *job = ctx;

    job->done = true;
    job->err = err;
}

static void wait_for_leave(void *ctx)
{
    struct job *job = ctx;

    job->ran = true;
    atomic_fetch_add(&jobs_waiting, 1);
    while (atomic_load(&job->state) == 0)
        (void)usleep(1000);
}

TEST(a_stop_waits_for_jobs_within_its_deadline)
{
    enum { JOBS = 50 };
    static struct job jobs[JOBS];

    memset(jobs, 0, sizeof(jobs));
    for (int i = 0; i < JOBS; i++)
        assert_ok(rj_loop_work(loop, run_job, note_done, &jobs[i]));
    stop(NULL);
    rj_loop_run(loop);
    for (int i = 0; i < JOBS; i++) {
        assert_true(jobs[i].ran && jobs[i].done);
        assert_ok(jobs[i].err);
    }
}

static void let_them_go(void *ctx)
{
    struct job *jobs = ctx;

    for (int i = 0; i < 200; i++)
        atomic_store(&jobs[i].state, 1);
}

TEST(a_stops_deadline_cancels_jobs_that_wait)
{
    enum { JOBS = 200 }; /* more than there are workers */
    static struct job jobs[JOBS];
    struct rj_timer *timer;
    unsigned cancelled = 0;

    memset(jobs, 0, sizeof(jobs));
    atomic_store(&jobs_waiting, 0);
    for (int i = 0; i < JOBS; i++)
        assert_ok(rj_loop_work(loop, wait_for_leave, note_done, &jobs[i]));
    while (atomic_load(&jobs_waiting) == 0) /* one that runs is not cancelled */
        (void)usleep(1000);
    assert_ok(rj_timer_new(loop, let_them_go, jobs, &timer));
    rj_timer_set(timer, in_ms(300));
    rj_loop_stop(loop, 50);
    rj_loop_run(loop);
    for (int i = 0; i < JOBS; i++) {
        assert_true(jobs[i].done);
        assert_int_equal(jobs[i].ran, jobs[i].err == RJ_OK);
        cancelled += jobs[i].err == RJ_ECLOSED;
    }
    assert_in_range(cancelled, 1, JOBS - 1);
    assert_err(RJ_ECLOSED, rj_loop_work(loop, run_job, note_done, &jobs[0]));
    rj_timer_free(timer);
}

/* ---- wake-ups */

struct waking {
    struct rj_wake *wake;
    atomic_uint sent;
    unsigned seen;
    pthread_t heard_on;
};

static void on_wake(void *ctx)
{
    struct waking *w = ctx;

    w->heard_on = pthread_self();
    w->seen = atomic_load(&w->sent);
    if (w->seen == 1000)
        stop(NULL);
}

static void *wake_often(void *ctx)
{
    struct waking *w = ctx;

    for (int i = 0; i < 1000; i++) {
        atomic_fetch_add(&w->sent, 1);
        rj_wake_send(w->wake);
    }
    return NULL;
}

TEST(another_thread_can_wake_the_loop)
{
    struct waking w = {0};
    pthread_t thread;

    assert_ok(rj_wake_new(loop, on_wake, &w, &w.wake));
    assert_int_equal(pthread_create(&thread, NULL, wake_often, &w), 0);
    rj_loop_run(loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(w.seen, 1000);
    assert_true(pthread_equal(w.heard_on, pthread_self()));
    rj_wake_free(w.wake);
    rj_wake_free(NULL);
}

/* ---- signals */

TEST(signals_are_reported_on_the_loop)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    for (int i = 0; i < 3; i++) {
        assert_int_equal(raise(numbers[i]), 0);
        rj_loop_run(loop);
        assert_int_equal(last_signal, numbers[i]);
        (void)close_loop(NULL);
        (void)open_loop(NULL);
    }
}

/* ---- memory */

static enum rj_err make_all(void *ctx)
{
    const struct rj_loop_options options = {.ops = &ops, .ctx = diary};
    struct rj_loop *own = NULL;
    struct rj_timer *timer = NULL;
    struct rj_wake *wake = NULL;
    struct job job = {0};
    enum rj_err err = rj_loop_new(&options, &own);

    (void)ctx;
    if (err != RJ_OK)
        return err;
    err = rj_timer_new(own, note_it, NULL, &timer);
    if (err == RJ_OK)
        err = rj_wake_new(own, note_it, NULL, &wake);
    if (err == RJ_OK)
        err = rj_loop_work(own, run_job, note_done, &job);
    rj_timer_free(timer);
    rj_wake_free(wake);
    rj_loop_free(own);
    return err;
}

TEST(out_of_memory_is_reported)
{
    rj_test_with_failing_alloc(make_all, NULL);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, open_loop, close_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(a_stop_before_the_start_ends_it_at_once),
        WITH_LOOP(the_clocks_go_forward),
        WITH_LOOP(an_idle_loop_sleeps),
        WITH_LOOP(a_deadline_can_be_moved_later),
        WITH_LOOP(a_deadline_can_be_moved_earlier),
        WITH_LOOP(a_deadline_in_the_past_fires_at_once),
        WITH_LOOP(a_timer_may_set_itself_again),
        WITH_LOOP(a_timer_may_free_itself),
        WITH_LOOP(a_cancelled_timer_is_silent),
        WITH_LOOP(a_job_runs_elsewhere_and_is_reported_here),
        WITH_LOOP(a_stop_waits_for_jobs_within_its_deadline),
        WITH_LOOP(a_stops_deadline_cancels_jobs_that_wait),
        WITH_LOOP(another_thread_can_wake_the_loop),
        WITH_LOOP(signals_are_reported_on_the_loop),
        WITH_LOOP(out_of_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
