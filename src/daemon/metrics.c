/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics in Prometheus' text format 0.0.4: one family after the other, each with its
 * help, its type and a line for each space or peer. */
#include "base/alloc.h"
#include "daemon/verb.h"
#include "daemon/web.h"

#include <stdio.h>

enum {
    LABEL_MAX = 2 * RJ_NAME_MAX /* every byte of a name escaped */
};

static void family(struct rj_buf *out, const char *name, const char *type,
                   const char *help)
{
    rj_buf_printf(out, "# HELP rejoin_%s %s\n", name, help);
    rj_buf_printf(out, "# TYPE rejoin_%s %s\n", name, type);
}

/* A label's value: names of devices may hold anything. */
static const char *label(const char *value, char room[LABEL_MAX + 1])
{
    size_t n = 0;

    for (; *value != '\0' && n + 2 <= LABEL_MAX; value++) {
        if (*value == '"' || *value == '\\')
            room[n++] = '\\';
        room[n++] = *value == '\n' ? ' ' : *value;
    }
    room[n] = '\0';
    return room;
}

/* A figure of each space. */
struct figure {
    const char *name, *type, *help;
    uint64_t (*of)(const struct rj_space_info *i);
};

#define FIGURE(field)                                                                    \
    static uint64_t get_##field(const struct rj_space_info *i)                           \
    {                                                                                    \
        return i->field;                                                                 \
    }
FIGURE(keys)
FIGURE(writes)
FIGURE(own_seq)
FIGURE(missing)
FIGURE(unstable)
FIGURE(members)
FIGURE(log_batches)
FIGURE(log_bytes)
FIGURE(parked_batches)
FIGURE(truncated)
FIGURE(joining)
#undef FIGURE

static uint64_t get_refuses(const struct rj_space_info *i)
{
    return i->refuse != RJ_OK;
}

static const struct figure figures[] = {
    {"space_keys", "gauge", "Keys of the space.", get_keys},
    {"space_writes_total", "counter", "Writes known here, of all origins.", get_writes},
    {"space_own_writes", "gauge", "Writes of this incarnation.", get_own_seq},
    {"space_missing_writes", "gauge",
     "Writes that connected peers have and this node has not.", get_missing},
    {"space_unstable_writes", "gauge", "Writes that some member is not known to have.",
     get_unstable},
    {"space_members", "gauge", "Devices of the space.", get_members},
    {"space_log_batches", "gauge", "Batches in the log.", get_log_batches},
    {"space_log_bytes", "gauge", "Bytes of the log.", get_log_bytes},
    {"space_parked_batches", "gauge", "Batches that wait for what they depend on.",
     get_parked_batches},
    {"space_truncated_batches_total", "counter",
     "Batches dropped from the front of the log.", get_truncated},
    {"space_joining", "gauge", "1 while the state is being taken over.", get_joining},
    {"space_refuses_writes", "gauge", "1 while local writes are refused.", get_refuses},
};

static void put_spaces(const struct rj_daemon *d, struct rj_node *n, struct rj_buf *out)
{
    char room[LABEL_MAX + 1];
    struct rj_space_info info;
    struct rj_space *s;

    for (size_t f = 0; f < sizeof(figures) / sizeof(figures[0]); f++) {
        family(out, figures[f].name, figures[f].type, figures[f].help);
        for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++) {
            rj_space_info(s, rj_loop_now(d->loop), &info);
            rj_buf_printf(out, "rejoin_%s{space=\"%s\"} %llu\n", figures[f].name,
                          label(info.name, room),
                          (unsigned long long)figures[f].of(&info));
        }
    }
}

/* Each family of the members of each space. */
static void put_lag(struct rj_node *n, struct rj_buf *out, bool durable)
{
    char space[LABEL_MAX + 1], peer[LABEL_MAX + 1];
    const char *name = durable ? "peer_lag_durable_writes" : "peer_lag_writes";
    struct rj_member_info m;
    struct rj_space *s;

    family(out, name, "gauge",
           durable ? "Own writes that the member is not known to have on disk."
                   : "Own writes that the member is not known to have received.");
    for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++) {
        for (size_t k = 0; rj_space_member(s, k, &m); k++) {
            if (m.self || m.closed)
                continue;
            rj_buf_printf(out, "rejoin_%s{space=\"%s\",peer=\"%s\"} %llu\n", name,
                          label(rj_space_name(s), space), label(m.name, peer),
                          (unsigned long long)(durable ? m.lag_durable : m.lag));
        }
    }
}

static void put_peers(struct rj_node *n, struct rj_buf *out)
{
    static const char *const names[][3] = {
        {"peer_connected", "gauge", "1 while a session with the device is up."},
        {"peer_sent_bytes", "gauge", "Bytes sent in the present session."},
        {"peer_received_bytes", "gauge", "Bytes received in the present session."},
    };
    struct rj_verb_device *all = NULL;
    char room[LABEL_MAX + 1];
    size_t count = 0;

    if (rj_verb_devices(n, &all, &count) != RJ_OK)
        return;
    for (size_t f = 0; f < 3; f++) {
        family(out, names[f][0], names[f][1], names[f][2]);
        for (size_t i = 0; i < count; i++) {
            uint64_t values[3] = {all[i].connected, all[i].sent_bytes,
                                  all[i].received_bytes};

            rj_buf_printf(out,
                          "rejoin_%s{peer=\"%s\",device=\"%02x%02x%02x%02x\"} %llu\n",
                          names[f][0], label(all[i].name, room), all[i].device.b[0],
                          all[i].device.b[1], all[i].device.b[2], all[i].device.b[3],
                          (unsigned long long)values[f]);
        }
    }
    free(all);
}

void rj_metrics_put(const struct rj_daemon *d, struct rj_buf *out)
{
    struct rj_node *n = rj_engine_node(d->engine);

    family(out, "build_info", "gauge", "What runs.");
    rj_buf_printf(out, "rejoin_build_info{version=\"%s\"} 1\n", RJ_VERSION);
    family(out, "start_time_seconds", "gauge", "When the daemon started.");
    rj_buf_printf(out, "rejoin_start_time_seconds %llu\n",
                  (unsigned long long)(d->started.ms / 1000));
    family(out, "store_open", "gauge", "1 while the store is open and served.");
    rj_buf_printf(out, "rejoin_store_open %d\n", n != NULL);
    family(out, "store_openings_total", "counter", "How often the store was opened.");
    rj_buf_printf(out, "rejoin_store_openings_total %llu\n",
                  (unsigned long long)rj_engine_instance(d->engine));
    family(out, "turns_total", "counter", "Turns of the event loop.");
    rj_buf_printf(out, "rejoin_turns_total %llu\n",
                  (unsigned long long)rj_loop_turns(d->loop));
    family(out, "log_dropped_lines_total", "counter",
           "Lines of the log that could not be written.");
    rj_buf_printf(out, "rejoin_log_dropped_lines_total %llu\n",
                  (unsigned long long)d->log.dropped);
    if (n == NULL)
        return;
    put_spaces(d, n, out);
    put_lag(n, out, false);
    put_lag(n, out, true);
    put_peers(n, out);
}
