/* SPDX-License-Identifier: Apache-2.0 */
/* Linux tells of its addresses and interfaces by rtnetlink (rtnetlink(7)). What it tells
 * is not read: that something changed is enough, and what there is now is looked up. So a
 * message that was lost for want of room (ENOBUFS) costs nothing: it too says "changed".
 */
#include "posix/netwatch.h"

#include "base/alloc.h"
#include "posix/loop_inner.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_MAX = 4096, MESSAGES_MAX = 256 };

struct rj_netwatch {
    uv_poll_t uv;
    struct rj_loop *loop;
    rj_timer_fn *fn;
    void *ctx;
    int fd;
};

static void on_readable(uv_poll_t *uv, int status, int events)
{
    struct rj_netwatch *watch = uv->data;
    char buf[MESSAGE_MAX];
    bool changed = false;

    (void)status, (void)events;
    for (int i = 0; i < MESSAGES_MAX; i++) {
        ssize_t n = recv(watch->fd, buf, sizeof(buf), MSG_DONTWAIT);

        if (n < 0 && errno != ENOBUFS && errno != EINTR)
            break;
        changed = true;
    }
    if (changed)
        watch->fn(watch->ctx);
}

enum rj_err rj_netwatch_new(struct rj_loop *loop, rj_timer_fn *fn, void *ctx,
                            struct rj_netwatch **ret_watch)
{
    const struct sockaddr_nl addr = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_LINK,
    };
    struct rj_netwatch *watch = rj_alloc_zero(1, sizeof(*watch));

    if (watch == NULL)
        return RJ_ENOMEM;
    watch->fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (watch->fd < 0 ||
        bind(watch->fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        uv_poll_init(&loop->uv, &watch->uv, watch->fd) != 0) {
        if (watch->fd >= 0)
            (void)close(watch->fd);
        free(watch);
        return RJ_EIO;
    }
    watch->loop = loop;
    watch->fn = fn;
    watch->ctx = ctx;
    watch->uv.data = watch;
    loop->users++;
    (void)uv_poll_start(&watch->uv, UV_READABLE, on_readable);
    *ret_watch = watch;
    return RJ_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct rj_netwatch *watch = handle->data;

    (void)close(watch->fd);
    free(watch);
}

void rj_netwatch_free(struct rj_netwatch *watch)
{
    if (watch == NULL)
        return;
    watch->loop->users--;
    uv_close((uv_handle_t *)&watch->uv, on_closed);
}

/* ---- own addresses */

void rj_netwatch_own(struct rj_netwatch_own *ret)
{
    struct ifaddrs *all = NULL;

    ret->n = 0;
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        struct sockaddr_storage *item = &ret->items[ret->n];

        if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0 ||
            ret->n == RJ_NETWATCH_OWN_MAX)
            continue;
        memset(item, 0, sizeof(*item));
        if (i->ifa_addr->sa_family == AF_INET)
            memcpy(item, i->ifa_addr, sizeof(struct sockaddr_in));
        else if (i->ifa_addr->sa_family == AF_INET6)
            memcpy(item, i->ifa_addr, sizeof(struct sockaddr_in6));
        else
            continue;
        ret->n++;
    }
    freeifaddrs(all);
}

static bool is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr,
                  sizeof(struct in6_addr)) == 0;
}

/* The whole of 127.0.0.0/8 is this machine's. */
static bool is_loopback(const struct sockaddr_storage *addr)
{
    return addr->ss_family == AF_INET &&
           (ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr) >> 24) == 127;
}

bool rj_netwatch_is_own(const struct rj_netwatch_own *own,
                        const struct sockaddr_storage *addr)
{
    if (own->n == 0 || own->n == RJ_NETWATCH_OWN_MAX || is_loopback(addr))
        return true;
    for (size_t i = 0; i < own->n; i++)
        if (is_same(&own->items[i], addr))
            return true;
    return false;
}

/* ---- sleep */

static uint64_t clock_ms(clockid_t id)
{
    struct timespec t = {0};

    (void)clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t rj_netwatch_slept_ms(void)
{
    uint64_t awake_ms = clock_ms(CLOCK_MONOTONIC), all_ms = clock_ms(CLOCK_BOOTTIME);

    return all_ms > awake_ms ? all_ms - awake_ms : 0;
}
