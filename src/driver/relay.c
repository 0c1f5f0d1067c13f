/* SPDX-License-Identifier: Apache-2.0 */
/* Splicing. A meeting is expected, waits with one connection, or joins two. Every byte
 * that one brings is queued at the other; when that queue is long, or the pair has used
 * up its rate, the one that brings is not read any more, and TCP makes its end feel it.
 * What waits here before the other one has come is bounded by not reading it at all. */
#include "driver/relay.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <sys/queue.h>

static const char magic[] = "RJRELAY1";

enum { MAGIC_LEN = sizeof(magic) - 1, ENDS = 2 };

struct meeting;

/* One connection; without a meeting it is a stranger. */
struct end {
    LIST_ENTRY(end) link;
    struct rj_relay *relay;
    struct rj_conn *conn;
    struct meeting *meeting;
    size_t n_got;
    uint8_t got[RJ_RELAY_PREAMBLE_LEN];
    struct rj_buf early; /* came behind the preamble */
    bool full;           /* the other one's queue was too long */
    bool gone;           /* it said or met its end */
};

struct meeting {
    LIST_ENTRY(meeting) link;
    uint8_t token[RJ_RELAY_TOKEN_LEN];
    struct end *ends[ENDS];
    unsigned n_ends;   /* so many came */
    uint64_t until_ms; /* while fewer than two came */
    uint64_t budget;   /* bytes that it may still move */
    bool slowed;
};

LIST_HEAD(end_list, end);
LIST_HEAD(meeting_list, meeting);

struct rj_relay {
    struct rj_relay_options options;
    struct rj_timer *timer;
    struct end_list ends;
    struct meeting_list meetings;
    size_t n_meetings;
    uint64_t budget_ms; /* when budgets grew last */
    bool stopped;
    struct rj_relay_stats stats;
};

static uint64_t now_ms(const struct rj_relay *relay)
{
    return rj_loop_now(relay->options.loop).mono.ms;
}

static void tick_at(struct rj_relay *relay, uint64_t at_ms)
{
    rj_timer_set(relay->timer, (struct rj_mono){at_ms});
}

/* ---- meetings */

static bool is_joined(const struct meeting *m)
{
    return m->n_ends == ENDS;
}

static void meeting_free(struct rj_relay *relay, struct meeting *m)
{
    if (is_joined(m))
        relay->stats.pairs--;
    else if (m->n_ends > 0)
        relay->stats.waiting--;
    LIST_REMOVE(m, link);
    relay->n_meetings--;
    free(m);
}

static struct meeting *meeting_of(struct rj_relay *relay, const uint8_t *token)
{
    struct meeting *m;

    LIST_FOREACH(m, &relay->meetings, link)
    {
        if (rj_bytes_equal_secret(rj_bytes_of(m->token, RJ_RELAY_TOKEN_LEN),
                                  rj_bytes_of(token, RJ_RELAY_TOKEN_LEN)))
            return m;
    }
    return NULL;
}

enum rj_err rj_relay_expect(struct rj_relay *relay,
                            const uint8_t token[RJ_RELAY_TOKEN_LEN])
{
    struct meeting *m;

    if (relay->stopped)
        return RJ_ECLOSED;
    if (meeting_of(relay, token) != NULL)
        return RJ_OK;
    if (relay->n_meetings >= RJ_RELAY_TOKENS_MAX)
        return RJ_ELIMIT;
    m = rj_alloc_zero(1, sizeof(*m));
    if (m == NULL)
        return RJ_ENOMEM;
    memcpy(m->token, token, RJ_RELAY_TOKEN_LEN);
    m->until_ms = now_ms(relay) + RJ_RELAY_TOKEN_MS;
    m->budget = relay->options.rate_bytes;
    LIST_INSERT_HEAD(&relay->meetings, m, link);
    relay->n_meetings++;
    tick_at(relay, now_ms(relay) + RJ_RELAY_TICK_MS);
    return RJ_OK;
}

static struct end *other_of(const struct end *e)
{
    return e->meeting->ends[e->meeting->ends[0] == e ? 1 : 0];
}

/* ---- moving bytes */

static void settle(struct end *e)
{
    if (e->gone)
        return;
    if (e->full || e->meeting->slowed || !is_joined(e->meeting))
        rj_conn_pause(e->conn);
    else
        rj_conn_resume(e->conn);
}

static void move(struct end *e, struct rj_bytes data)
{
    struct meeting *m = e->meeting;
    struct end *to = other_of(e);

    if (data.len == 0 || to == NULL || to->gone)
        return;
    rj_conn_write(to->conn, data);
    e->relay->stats.bytes += data.len;
    m->budget -= data.len < m->budget ? data.len : m->budget;
    e->full = rj_conn_full(to->conn);
    if (m->budget == 0 && !m->slowed) {
        m->slowed = true;
        tick_at(e->relay, now_ms(e->relay) + RJ_RELAY_TICK_MS);
        settle(to);
    }
    settle(e);
}

static void refuse(struct end *e)
{
    e->relay->stats.refused++;
    e->gone = true;
    rj_conn_abort(e->conn, RJ_EDENIED);
}

static void join(struct meeting *m)
{
    for (size_t i = 0; i < ENDS; i++) {
        struct end *e = m->ends[i];

        move(e, rj_buf_view(&e->early));
        rj_buf_done(&e->early);
        settle(e);
    }
}

/* The preamble is complete. */
static void enter(struct end *e)
{
    struct rj_relay *relay = e->relay;
    struct meeting *m;

    m = memcmp(e->got, magic, MAGIC_LEN) == 0 ? meeting_of(relay, e->got + MAGIC_LEN)
                                              : NULL;
    if (m == NULL || is_joined(m) ||
        (m->n_ends > 0 && relay->stats.pairs >= relay->options.pairs_max)) {
        refuse(e);
        return;
    }
    relay->stats.strangers--;
    rj_conn_deadline(e->conn, (struct rj_mono){0});
    e->meeting = m;
    m->ends[m->n_ends++] = e;
    if (m->n_ends == 1) {
        relay->stats.waiting++;
        m->until_ms = now_ms(relay) + relay->options.pair_ms;
        settle(e);
        return;
    }
    relay->stats.waiting--;
    relay->stats.pairs++;
    relay->stats.joined++;
    join(m);
}

/* ---- connections */

static void on_open(struct rj_conn *conn)
{
    struct rj_relay *relay = rj_conn_ctx(conn);
    struct end *e = NULL;
    struct rj_mono until = {now_ms(relay) + RJ_RELAY_PREAMBLE_MS};

    rj_conn_set_ctx(conn, NULL);
    if (!relay->stopped && relay->stats.strangers < RJ_RELAY_STRANGERS_MAX)
        e = rj_alloc_zero(1, sizeof(*e));
    if (e == NULL) {
        relay->stats.refused++;
        rj_conn_abort(conn, RJ_ELIMIT);
        return;
    }
    e->relay = relay;
    e->conn = conn;
    rj_conn_set_ctx(conn, e);
    LIST_INSERT_HEAD(&relay->ends, e, link);
    relay->stats.strangers++;
    rj_conn_deadline(conn, until);
}

static void on_data(struct rj_conn *conn, struct rj_bytes data)
{
    struct end *e = rj_conn_ctx(conn);
    size_t n;

    if (e == NULL || e->gone)
        return;
    if (e->meeting == NULL) {
        n = RJ_RELAY_PREAMBLE_LEN - e->n_got;
        n = data.len < n ? data.len : n;
        memcpy(e->got + e->n_got, data.ptr, n);
        e->n_got += n;
        data = rj_bytes_skip(data, n);
        if (memcmp(e->got, magic, e->n_got < MAGIC_LEN ? e->n_got : MAGIC_LEN) != 0) {
            refuse(e);
            return;
        }
        if (e->n_got < RJ_RELAY_PREAMBLE_LEN)
            return;
        enter(e);
        if (e->gone)
            return;
    }
    if (is_joined(e->meeting)) {
        move(e, data);
    } else { /* one read at most: it is paused */
        rj_buf_append(&e->early, data);
        if (rj_buf_err(&e->early) != RJ_OK)
            refuse(e);
    }
}

/* Both go when one goes: the other gets first what is under way. */
static void close_other(struct end *e)
{
    struct end *other = e->meeting != NULL ? other_of(e) : NULL;

    if (other != NULL && !other->gone) {
        other->gone = true;
        rj_conn_close(other->conn);
    }
}

static void on_eof(struct rj_conn *conn)
{
    struct end *e = rj_conn_ctx(conn);

    if (e == NULL)
        return;
    e->gone = true;
    close_other(e);
    rj_conn_close(conn);
}

static void on_drain(struct rj_conn *conn)
{
    struct end *e = rj_conn_ctx(conn), *from;

    if (e == NULL || e->meeting == NULL || (from = other_of(e)) == NULL)
        return;
    from->full = false;
    settle(from);
}

static void on_close(struct rj_conn *conn, enum rj_err err)
{
    struct end *e = rj_conn_ctx(conn);
    struct meeting *m = e != NULL ? e->meeting : NULL;

    (void)err;
    if (e == NULL)
        return;
    e->gone = true;
    close_other(e);
    if (m == NULL)
        e->relay->stats.strangers--;
    else if (other_of(e) == NULL)
        meeting_free(e->relay, m);
    else
        m->ends[m->ends[0] == e ? 0 : 1] = NULL;
    LIST_REMOVE(e, link);
    rj_buf_done(&e->early);
    free(e);
}

const struct rj_conn_ops rj_relay_conn_ops = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_close = on_close,
};

/* ---- time */

static void grow(struct rj_relay *relay, struct meeting *m, uint64_t elapsed_ms)
{
    uint64_t rate = relay->options.rate_bytes;

    m->budget += rate * (elapsed_ms < 1000 ? elapsed_ms : 1000) / 1000;
    if (m->budget > rate)
        m->budget = rate;
    if (!m->slowed || m->budget == 0)
        return;
    m->slowed = false;
    for (size_t i = 0; i < ENDS; i++)
        if (m->ends[i] != NULL)
            settle(m->ends[i]);
}

static void on_tick(void *ctx)
{
    struct rj_relay *relay = ctx;
    uint64_t now = now_ms(relay), elapsed_ms = now - relay->budget_ms;
    struct meeting *next;

    relay->budget_ms = now;
    for (struct meeting *m = LIST_FIRST(&relay->meetings); m != NULL; m = next) {
        next = LIST_NEXT(m, link);
        if (is_joined(m)) {
            grow(relay, m, elapsed_ms);
        } else if (now >= m->until_ms && m->n_ends == 0) {
            meeting_free(relay, m);
        } else if (now >= m->until_ms && !m->ends[0]->gone) {
            m->ends[0]->gone = true; /* on_close frees the meeting */
            rj_conn_abort(m->ends[0]->conn, RJ_ETIMEOUT);
        }
    }
    if (relay->n_meetings > 0 && !relay->stopped)
        tick_at(relay, now + RJ_RELAY_TICK_MS);
}

/* ---- life */

enum rj_err rj_relay_new(const struct rj_relay_options *options,
                         struct rj_relay **ret_relay)
{
    struct rj_relay *relay = rj_alloc_zero(1, sizeof(*relay));
    enum rj_err err;

    if (relay == NULL)
        return RJ_ENOMEM;
    relay->options = *options;
    if (options->pairs_max == 0)
        relay->options.pairs_max = RJ_RELAY_PAIRS_MAX;
    if (options->pair_ms == 0)
        relay->options.pair_ms = RJ_RELAY_PAIR_MS;
    if (options->rate_bytes == 0)
        relay->options.rate_bytes = RJ_RELAY_RATE_BYTES;
    LIST_INIT(&relay->ends);
    LIST_INIT(&relay->meetings);
    relay->budget_ms = now_ms(relay);
    err = rj_timer_new(options->loop, on_tick, relay, &relay->timer);
    if (err != RJ_OK) {
        free(relay);
        return err;
    }
    *ret_relay = relay;
    return RJ_OK;
}

void rj_relay_stop(struct rj_relay *relay)
{
    struct end *e;

    relay->stopped = true;
    rj_timer_cancel(relay->timer);
    LIST_FOREACH(e, &relay->ends, link)
    {
        e->gone = true;
        rj_conn_abort(e->conn, RJ_ECLOSED);
    }
}

void rj_relay_free(struct rj_relay *relay)
{
    struct meeting *next;

    if (relay == NULL)
        return;
    for (struct meeting *m = LIST_FIRST(&relay->meetings); m != NULL; m = next) {
        next = LIST_NEXT(m, link);
        meeting_free(relay, m);
    }
    rj_timer_free(relay->timer);
    free(relay);
}

void rj_relay_preamble(const uint8_t token[RJ_RELAY_TOKEN_LEN],
                       uint8_t ret[RJ_RELAY_PREAMBLE_LEN])
{
    memcpy(ret, magic, MAGIC_LEN);
    memcpy(ret + MAGIC_LEN, token, RJ_RELAY_TOKEN_LEN);
}

struct rj_relay_stats rj_relay_stats(const struct rj_relay *relay)
{
    return relay->stats;
}
