/* SPDX-License-Identifier: Apache-2.0 */
/* INFO: what only the daemon knows. The names of the fields are those that Redis clients
 * and dashboards look for; a field whose meaning does not exist here is left out rather
 * than invented. Section "rejoin" says what there is in this system's own words. */
#include "daemon/respd_inner.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static void put_hex(struct rj_buf *out, const char *name, const struct rj_digest *d)
{
    rj_buf_printf(out, "%s:", name);
    for (size_t i = 0; i < RJ_DIGEST_LEN; i++)
        rj_buf_printf(out, "%02x", d->b[i]);
    rj_buf_append_str(out, "\r\n");
}

static void put_server(struct rj_respd *r, struct rj_buf *out)
{
    struct rj_now now = rj_loop_now(r->options.loop);
    uint64_t up_s = (now.wall.ms - r->started.ms) / 1000;
    struct rj_node *n = r->engine != NULL ? rj_engine_node(r->engine) : NULL;

    if (now.wall.ms < r->started.ms)
        up_s = 0;
    rj_buf_printf(out, "process_id:%ld\r\n", (long)getpid());
    rj_buf_printf(out, "tcp_port:%u\r\n", r->options.port);
    rj_buf_printf(out, "uptime_in_seconds:%llu\r\n", (unsigned long long)up_s);
    rj_buf_printf(out, "uptime_in_days:%llu\r\n", (unsigned long long)(up_s / 86400));
    rj_buf_printf(out, "config_file:%s\r\n",
                  r->options.config->path != NULL ? r->options.config->path : "");
    if (n != NULL)
        put_hex(out, "run_id", rj_node_device(n));
}

static void put_clients(struct rj_respd *r, struct rj_buf *out)
{
    uint64_t waiting = 0;

    for (struct rj_respd_client *c = r->attention; c != NULL; c = c->next)
        waiting += c->waiting;
    rj_buf_printf(out, "connected_clients:%zu\r\n", r->clients.count);
    rj_buf_printf(out, "maxclients:%u\r\n", RJ_LISTENER_CONNS_MAX);
    rj_buf_printf(out, "blocked_clients:%llu\r\n", (unsigned long long)waiting);
}

static void put_memory(struct rj_buf *out)
{
    struct rusage u = {0};

    (void)getrusage(RUSAGE_SELF, &u);
    rj_buf_printf(out, "used_memory_rss:%llu\r\n",
                  (unsigned long long)u.ru_maxrss * 1024ULL);
    rj_buf_append_str(out, "maxmemory:0\r\nmaxmemory_policy:noeviction\r\n");
}

static void put_cpu(struct rj_buf *out)
{
    struct rusage u = {0};

    (void)getrusage(RUSAGE_SELF, &u);
    rj_buf_printf(out, "used_cpu_sys:%lld.%06lld\r\n", (long long)u.ru_stime.tv_sec,
                  (long long)u.ru_stime.tv_usec);
    rj_buf_printf(out, "used_cpu_user:%lld.%06lld\r\n", (long long)u.ru_utime.tv_sec,
                  (long long)u.ru_utime.tv_usec);
}

static void put_stats(struct rj_respd *r, struct rj_buf *out)
{
    struct rj_listener_stats l = {0};

    if (r->listener != NULL)
        l = rj_listener_stats(r->listener);
    rj_buf_printf(out, "total_connections_received:%llu\r\n",
                  (unsigned long long)l.accepted);
    rj_buf_printf(out, "rejected_connections:%llu\r\n", (unsigned long long)l.refused);
    rj_buf_printf(out, "total_commands_processed:%llu\r\n",
                  (unsigned long long)r->host.commands);
    rj_buf_printf(out, "total_error_replies:%llu\r\n",
                  (unsigned long long)r->host.errors);
}

static void put_replication(struct rj_respd *r, struct rj_buf *out)
{
    struct rj_peers_stats p = rj_peers_stats(r->options.peers);

    /* Every node takes writes; what follows it are its connected peers. */
    rj_buf_printf(out, "connected_slaves:%u\r\n", p.sessions);
}

static void put_space(struct rj_buf *out, const struct rj_space_info *i)
{
    static const char *const durability[] = {"always", "second", "none"};

    rj_buf_printf(out,
                  "space_%s:keys=%llu,writes=%llu,members=%llu,joining=%d,durability=%s,"
                  "log_bytes=%llu,digest=%016llx%016llx\r\n",
                  i->name, (unsigned long long)i->keys, (unsigned long long)i->writes,
                  (unsigned long long)i->members, i->joining, durability[i->durability],
                  (unsigned long long)i->log_bytes, (unsigned long long)i->digest.hi,
                  (unsigned long long)i->digest.lo);
}

static void put_rejoin(struct rj_respd *r, struct rj_buf *out)
{
    struct rj_node *n = r->engine != NULL ? rj_engine_node(r->engine) : NULL;
    struct rj_peers_stats p = rj_peers_stats(r->options.peers);
    struct rj_space_info info;
    struct rj_space *s;

    rj_buf_printf(out, "peer_port:%u\r\npeers_connected:%u\r\n", r->options.port_peer,
                  p.sessions);
    rj_buf_printf(out, "default_bucket:%s\r\n", rj_respd_default(r));
    if (n == NULL)
        return;
    put_hex(out, "device", rj_node_device(n));
    for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++) {
        rj_space_info(s, rj_engine_now(r->engine), &info);
        put_space(out, &info);
    }
}

void rj_respd_info(struct rj_respd *r, const char *section, struct rj_buf *out)
{
    if (strcmp(section, "server") == 0)
        put_server(r, out);
    else if (strcmp(section, "clients") == 0)
        put_clients(r, out);
    else if (strcmp(section, "memory") == 0)
        put_memory(out);
    else if (strcmp(section, "cpu") == 0)
        put_cpu(out);
    else if (strcmp(section, "stats") == 0)
        put_stats(r, out);
    else if (strcmp(section, "replication") == 0)
        put_replication(r, out);
    else if (strcmp(section, "rejoin") == 0)
        put_rejoin(r, out);
}
