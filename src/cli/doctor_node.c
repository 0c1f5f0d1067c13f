/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon knows: versions, clocks, peers, spaces, and whether another node has
 * this device's key. */
#include "cli/doctor.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 200, DEVICE_SHORT = 8 };

/* A difference of clocks that is noticed, and one at which a clock is not believed any
 * more (rj_limits.clock_bound_ms). */
#define CLOCK_WARN_MS 5000
#define CLOCK_FAIL_MS 60000

/* ---- this daemon */

/* Whether the file of the running daemon was replaced since. */
static bool was_replaced(uint64_t pid)
{
    char path[64], target[PATH_MAX + 1];
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/proc/%llu/exe", (unsigned long long)pid);
    n = readlink(path, target, sizeof(target) - 1);
    if (n < 0)
        return false;
    target[n] = '\0';
    return n > 10 && strcmp(target + n - 10, " (deleted)") == 0;
}

static void look_at_version(struct rj_doctor *d)
{
    char version[64], home[RJ_FILE_PATH_MAX], up[32];
    uint64_t pid = rj_cli_uint(d->status, "pid");

    (void)rj_cli_text(d->status, "version", version, sizeof(version));
    (void)rj_cli_text(d->status, "home", home, sizeof(home));
    if (strcmp(home, d->cli->home.dirs.data) != 0) {
        rj_doctor_add(d, "daemon", RJ_DOCTOR_WARN,
                      "the one that answers has another home: %.200s", home);
        rj_doctor_fix(d, "unset REJOIN_SOCKET");
    } else {
        rj_doctor_add(d, "daemon", RJ_DOCTOR_GOOD, "process %llu, up %s",
                      (unsigned long long)pid,
                      rj_cli_time(rj_cli_uint(d->status, "up_ms"), up, sizeof(up)));
    }
    if (d->doctor.len == 0) {
        rj_doctor_add(d, "version", RJ_DOCTOR_WARN,
                      "the daemon (rejoind %s) is older than this rejoin (%s)", version,
                      RJ_VERSION);
    } else if (strcmp(version, RJ_VERSION) != 0) {
        rj_doctor_add(d, "version", RJ_DOCTOR_WARN,
                      "the daemon is rejoind %s, this is rejoin %s", version, RJ_VERSION);
    } else if (was_replaced(pid)) {
        rj_doctor_add(d, "version", RJ_DOCTOR_WARN,
                      "rejoind was replaced on disk; the old one still runs");
    } else {
        rj_doctor_add(d, "version", RJ_DOCTOR_GOOD, "%s, peer protocol %llu", version,
                      (unsigned long long)rj_cli_uint(d->doctor, "protocol"));
        return;
    }
    rj_doctor_fix(d, "rejoin down; rejoin up");
}

/* What the file says and what is in force. */
static void look_at_settings(struct rj_doctor *d)
{
    const struct {
        const char *key, *field;
    } ports[] = {{"port.peer", "port_peer"}, {"port.resp", "port_resp"}};

    for (size_t i = 0; d->config_read && i < sizeof(ports) / sizeof(ports[0]); i++) {
        uint64_t now = rj_cli_uint(d->status, ports[i].field);

        if (rj_config_uint(&d->config, ports[i].key) == now)
            continue;
        rj_doctor_add(d, "config", RJ_DOCTOR_WARN,
                      "%s is set to %s, but %llu is still in use", ports[i].key,
                      rj_config_get(&d->config, ports[i].key), (unsigned long long)now);
        rj_doctor_fix(d, "rejoin down; rejoin up");
    }
}

/* The page is no reason to stay down; so it may be off without anybody having noticed. */
static void look_at_page(struct rj_doctor *d)
{
#ifdef RJ_HAVE_http
    uint64_t port = d->config_read ? rj_config_uint(&d->config, "port.web") : 0;

    if (port == 0 || rj_cli_uint(d->status, "port_web") != 0)
        return;
    rj_doctor_add(d, "port.web", RJ_DOCTOR_WARN, "no page: another program had port %llu",
                  (unsigned long long)port);
    rj_doctor_fix(d, "rejoin config set port.web PORT; rejoin down; rejoin up");
#else
    (void)d;
#endif
}

/* ---- device */

/* Peers that come from two places. */
static void look_at_rivals(struct rj_doctor *d)
{
    struct rj_bytes list = {0}, one, addresses = {0}, item;
    char device[ROOM], first[ROOM] = "", second[ROOM] = "";
    size_t pos = 0;

    (void)rj_doc_find(d->doctor, "rivals", &list);
    while (rj_doc_next(list, &pos, &one)) {
        size_t at = 0;

        (void)rj_doc_find(one, "addresses", &addresses);
        if (rj_doc_next(addresses, &at, &item))
            (void)rj_cli_plain(item, first, sizeof(first));
        if (rj_doc_next(addresses, &at, &item))
            (void)rj_cli_plain(item, second, sizeof(second));
        rj_doctor_add(
            d, "device", RJ_DOCTOR_WARN,
            "device %.8s comes from %.60s and from %.60s in turn: a copied home, "
            "or a connection that breaks again and again. On a copy:",
            rj_cli_text(one, "device", device, sizeof(device)), first, second);
        rj_doctor_fix(d, "rejoin down; mv DATA DATA.copy; rejoin join TICKET");
    }
}

/* A device that went on twice: here, or seen from here. */
static void report_fork(struct rj_doctor *d, const char *text, bool own)
{
    rj_doctor_add(d, "device", own ? RJ_DOCTOR_FAIL : RJ_DOCTOR_WARN,
                  "%s (%s). On the copy:",
                  own ? "a second node went on with this device's key"
                      : "two nodes went on with one device's key",
                  text);
}

static void look_at_device(struct rj_doctor *d)
{
    char text[ROOM], home[RJ_FILE_PATH_MAX];
    struct rj_bytes list = {0}, one;
    size_t pos = 0;

    (void)rj_doctor_quote(d->cli->home.dirs.data, home, sizeof(home));
    if (rj_cli_text(d->doctor, "twin", text, sizeof(text))[0] != '\0') {
        rj_doctor_add(d, "device", RJ_DOCTOR_FAIL,
                      "another node has this device's key, met at %s: a copied home or a "
                      "cloned machine. On the copy:",
                      text);
        rj_doctor_fix(d, "rejoin down; mv %s %s.copy; rejoin join TICKET", home, home);
    }
    (void)rj_doc_find(d->doctor, "incidents", &list);
    while (rj_doc_next(list, &pos, &one)) {
        char event[ROOM];
        bool own;

        (void)rj_cli_text(one, "event", event, sizeof(event));
        own = strcmp(event, "cloned") == 0;
        if (!own && strcmp(event, "fork") != 0)
            continue;
        (void)rj_cli_text(one, "text", text, sizeof(text));
        if (strstr(text, "not-merged") != NULL)
            continue; /* look_at_fork */
        report_fork(d, text, own);
        rj_doctor_fix(d, "rejoin down; mv %s %s.copy; rejoin join TICKET", home, home);
    }
    look_at_rivals(d);
    if (rj_doctor_worst(d, "device") == RJ_DOCTOR_GOOD)
        rj_doctor_add(d, "device", RJ_DOCTOR_GOOD, "%.8s, met nowhere else",
                      rj_cli_text(d->status, "device", text, sizeof(text)));
}

/* ---- clocks */

struct clocks {
    size_t known, off, ahead, behind; /* peers; of those off, by which way ours is */
    uint64_t worst_ms;
    char worst[ROOM];
    bool worst_ahead; /* that peer's clock is ahead of ours */
};

static const char *peer_name(struct rj_bytes p, char room[ROOM])
{
    if (rj_cli_text(p, "name", room, ROOM)[0] == '\0') {
        (void)rj_cli_text(p, "device", room, ROOM);
        room[DEVICE_SHORT] = '\0';
    }
    return room;
}

static void gather(struct rj_bytes list, struct clocks *c)
{
    struct rj_bytes p;
    size_t pos = 0;
    uint64_t unused;

    while (rj_doc_next(list, &pos, &p)) {
        uint64_t ahead = rj_cli_uint(p, "clock_ahead_ms");
        uint64_t behind = rj_cli_uint(p, "clock_behind_ms");
        uint64_t by = ahead > behind ? ahead : behind;

        if (!rj_doc_get_uint(p, "clock_ahead_ms", &unused))
            continue;
        c->known++;
        c->off += by >= CLOCK_WARN_MS;
        c->behind += ahead >= CLOCK_WARN_MS; /* ours is behind its */
        c->ahead += behind >= CLOCK_WARN_MS;
        if (by >= c->worst_ms) {
            c->worst_ms = by;
            c->worst_ahead = ahead > behind;
            (void)peer_name(p, c->worst);
        }
    }
}

static void look_at_clock(struct rj_doctor *d)
{
    struct rj_bytes list = {0};
    struct clocks c = {0};
    char by[32];
    enum rj_doctor_result bad;

    (void)rj_doc_find(d->doctor, "peers", &list);
    gather(list, &c);
    if (c.known == 0) {
        rj_doctor_add(d, "clock", RJ_DOCTOR_GOOD,
                      "no peer is connected to compare it with");
        return;
    }
    if (c.off == 0) {
        rj_doctor_add(d, "clock", RJ_DOCTOR_GOOD, "at most %llu ms off the %s of %zu %s",
                      (unsigned long long)c.worst_ms, c.known == 1 ? "clock" : "clocks",
                      c.known, c.known == 1 ? "peer" : "peers");
        return;
    }
    bad = c.worst_ms >= CLOCK_FAIL_MS ? RJ_DOCTOR_FAIL : RJ_DOCTOR_WARN;
    (void)rj_cli_time(c.worst_ms, by, sizeof(by));
    if (c.known > 1 && (c.ahead * 2 > c.known || c.behind * 2 > c.known)) {
        rj_doctor_add(d, "clock", bad, "this clock is up to %s %s those of most peers",
                      by, c.behind > c.ahead ? "behind" : "ahead of");
        rj_doctor_fix(d, "sudo timedatectl set-ntp true");
    } else {
        rj_doctor_add(
            d, "clock", bad, "the clock of %s is %s %s this one. There%s:", c.worst, by,
            c.worst_ahead ? "ahead of" : "behind", c.known == 1 ? ", or here" : "");
        rj_doctor_fix(d, "sudo timedatectl set-ntp true");
    }
}

/* ---- peers */

static void look_at_peer(struct rj_doctor *d, struct rj_bytes p)
{
    char name[ROOM], why[ROOM], word[4 * ROOM];

    (void)peer_name(p, name);
    (void)rj_cli_text(p, "why", why, sizeof(why));
    if (strcmp(why, rj_err_text(RJ_EVERSION)) == 0 ||
        strcmp(why, rj_err_text(RJ_EUPGRADE)) == 0) {
        rj_doctor_add(
            d, "peers", RJ_DOCTOR_FAIL,
            "%.64s speaks another version of the protocol: upgrade the older one", name);
        rj_doctor_fix(d, "rejoin version");
        return;
    }
    rj_doctor_add(d, "peers", RJ_DOCTOR_WARN,
                  "%.64s is not reachable%s%.150s%s. Is it up? If it has moved, here:",
                  name, why[0] != '\0' ? " (" : "", why, why[0] != '\0' ? ")" : "");
    rj_doctor_fix(d, "rejoin peer set %s address=HOST:PORT",
                  rj_doctor_quote(name, word, sizeof(word)));
}

static void look_at_peers(struct rj_doctor *d)
{
    struct rj_bytes list = {0}, p;
    size_t pos = 0, there = 0, wanted = 0;

    (void)rj_doc_find(d->doctor, "peers", &list);
    while (rj_doc_next(list, &pos, &p)) {
        if (!rj_cli_bool(p, "wanted"))
            continue;
        wanted++;
        if (rj_cli_bool(p, "connected"))
            there++;
        else
            look_at_peer(d, p);
    }
    if (wanted == 0)
        rj_doctor_add(d, "peers", RJ_DOCTOR_GOOD,
                      "none yet: rejoin invite makes a ticket");
    else if (there == wanted)
        rj_doctor_add(d, "peers", RJ_DOCTOR_GOOD, "all %zu connected", there);
}

/* ---- spaces */

/* Two copies of a device went on, for longer than all logs reach (R7): nobody can merge
 * that, so a person has to choose. */
static void look_at_fork(struct rj_doctor *d, struct rj_bytes s, const char *space)
{
    char device[ROOM], peer[ROOM], home[RJ_FILE_PATH_MAX];

    if (rj_cli_text(s, "fork_device", device, sizeof(device))[0] == '\0')
        return;
    (void)rj_cli_text(s, "fork_peer", peer, sizeof(peer));
    (void)rj_doctor_quote(d->cli->home.dirs.data, home, sizeof(home));
    rj_doctor_add(
        d, "spaces", RJ_DOCTOR_FAIL,
        "%.48s: %.48s was copied while it ran, and no log reaches back to where "
        "the copies parted: not merged. This node and %.48s are on two sides, "
        "keep what they have, exchange no state. Keep one side; on each node of "
        "the other:",
        space, device, peer[0] != '\0' ? peer : "some other");
    rj_doctor_fix(d, "rejoin down; mv %s %s.other; rejoin join TICKET", home, home);
}

static void look_at_space(struct rj_doctor *d, struct rj_bytes s)
{
    char name[ROOM], refuses[32];
    uint64_t parked = rj_cli_uint(s, "parked_batches");

    (void)rj_cli_text(s, "name", name, sizeof(name));
    (void)rj_cli_text(s, "refuses", refuses, sizeof(refuses));
    look_at_fork(d, s, name);
    for (int e = 0; refuses[0] != '\0' && e < RJ_ERR_COUNT; e++) {
        if (strcmp(refuses, rj_err_name((enum rj_err)e)) != 0)
            continue;
        rj_doctor_add(d, "spaces", RJ_DOCTOR_FAIL, "%s takes no writes: %s%s", name,
                      rj_err_text((enum rj_err)e),
                      e == RJ_ECLOSED ? ". With a ticket of one of its admins:" : "");
        if (e == RJ_EFULL)
            rj_doctor_fix(d, "df -h; rejoin config get limit.store");
        else if (e == RJ_ECLOSED)
            rj_doctor_fix(d, "rejoin join TICKET");
        else
            rj_doctor_fix(d, "rejoin status %s", name);
    }
    if (rj_cli_bool(s, "joining")) {
        rj_doctor_add(d, "spaces", RJ_DOCTOR_WARN, "%s is still arriving", name);
        rj_doctor_fix(d, "rejoin status --watch");
    } else if (parked > 0) {
        rj_doctor_add(d, "spaces", RJ_DOCTOR_WARN,
                      "%s: %llu batches wait for others that they depend on", name,
                      (unsigned long long)parked);
        rj_doctor_fix(d, "rejoin sync %s", name);
    }
}

static void look_at_spaces(struct rj_doctor *d)
{
    struct rj_bytes list = {0}, s;
    size_t pos = 0, count = 0;

    (void)rj_doc_find(d->status, "spaces", &list);
    for (; rj_doc_next(list, &pos, &s); count++)
        look_at_space(d, s);
    if (rj_doctor_worst(d, "spaces") == RJ_DOCTOR_GOOD)
        rj_doctor_add(d, "spaces", RJ_DOCTOR_GOOD, "%zu, in order", count);
}

void rj_doctor_node(struct rj_doctor *d)
{
    if (!d->running)
        return;
    look_at_version(d);
    look_at_settings(d);
    look_at_page(d);
    if (d->doctor.len > 0) {
        look_at_device(d);
        look_at_clock(d);
        look_at_peers(d);
    }
    look_at_spaces(d);
}
