/* SPDX-License-Identifier: Apache-2.0 */
/* Broadcast and multicast. A datagram to an interface's own broadcast address (RFC 919)
 * leaves by that interface, so no route has to be chosen; a multicast one to a link-local
 * group (RFC 4291, 2.7) names the interface by its scope. Interfaces come and go: they
 * are looked up at each sending, which is rare. */
#include "posix/udp.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "posix/loop.h"
#include "posix/loop_inner.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

enum { V4, V6, FAMILIES };

struct socket {
    uv_udp_t uv;
    bool made, open;
};

struct rj_udp {
    struct rj_loop *loop;
    struct rj_udp_options options;
    struct socket sockets[FAMILIES];
    unsigned handles; /* not yet closed */
    struct in6_addr group;
    unsigned joined[RJ_UDP_GROUPS_MAX]; /* interfaces, by index */
    size_t n_joined;
    char buf[RJ_UDP_DATAGRAM_MAX + 1];
};

void rj_udp_host(const struct sockaddr *addr, char ret[RJ_UDP_HOST_MAX])
{
    const struct sockaddr_in *v4 = (const void *)addr;
    const struct sockaddr_in6 *v6 = (const void *)addr;
    char text[INET6_ADDRSTRLEN] = "", name[IF_NAMESIZE] = "";

    if (addr->sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    else if (addr->sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    if (addr->sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) &&
        if_indextoname(v6->sin6_scope_id, name) != NULL)
        (void)snprintf(ret, RJ_UDP_HOST_MAX, "%s%%%s", text, name);
    else
        (void)snprintf(ret, RJ_UDP_HOST_MAX, "%s", text);
}

/* ---- receiving */

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
    struct rj_udp *udp = handle->data;

    (void)size;
    *ret = uv_buf_init(udp->buf, sizeof(udp->buf));
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libuv's */
static void on_recv(uv_udp_t *uv, ssize_t len, const uv_buf_t *buf,
                    const struct sockaddr *from, unsigned flags)
{
    struct rj_udp *udp = uv->data;

    (void)flags;
    if (len > 0 && from != NULL)
        udp->options.fn(udp->options.ctx, from, rj_bytes_of(buf->base, (size_t)len));
}

/* ---- sending */

static bool is_up(const struct ifaddrs *i)
{
    const unsigned up = IFF_UP | IFF_RUNNING;

    return i->ifa_addr != NULL && (i->ifa_flags & up) == up &&
           (i->ifa_flags & IFF_LOOPBACK) == 0;
}

static bool is_only(const struct ifaddrs *i, const char *only)
{
    char host[RJ_UDP_HOST_MAX];

    if (i->ifa_addr == NULL)
        return false;
    rj_udp_host(i->ifa_addr, host);
    return strcmp(host, only) == 0;
}

/* The interface to which sending is restricted; NULL: there is none such now. */
static const char *only_name(const struct ifaddrs *all, const char *only)
{
    for (; all != NULL; all = all->ifa_next)
        if (is_only(all, only))
            return all->ifa_name;
    return NULL;
}

static bool send_to(struct rj_udp *udp, int which, const struct sockaddr *to,
                    struct rj_bytes datagram)
{
    uint8_t copy[RJ_UDP_DATAGRAM_MAX];
    uv_buf_t buf;

    if (datagram.len == 0 || datagram.len > sizeof(copy))
        return false;
    memcpy(copy, datagram.ptr, datagram.len);
    buf = uv_buf_init((char *)copy, (unsigned)datagram.len);
    return uv_udp_try_send(&udp->sockets[which].uv, &buf, 1, to) >= 0;
}

static struct in_addr v4_of(const struct sockaddr *addr)
{
    return ((const struct sockaddr_in *)(const void *)addr)->sin_addr;
}

/* An address that was set by hand often has no broadcast address: then the last one of
 * its network. */
static bool send_v4(struct rj_udp *udp, const struct ifaddrs *i, struct rj_bytes datagram)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(udp->options.port)};
    struct in_addr own = v4_of(i->ifa_addr);

    if ((i->ifa_flags & IFF_BROADCAST) == 0 || i->ifa_netmask == NULL)
        return false;
    if (i->ifa_broadaddr != NULL)
        to.sin_addr = v4_of(i->ifa_broadaddr);
    if (to.sin_addr.s_addr == 0 || to.sin_addr.s_addr == own.s_addr)
        to.sin_addr.s_addr = own.s_addr | ~v4_of(i->ifa_netmask).s_addr;
    if (to.sin_addr.s_addr == own.s_addr)
        return false;
    return send_to(udp, V4, (const struct sockaddr *)&to, datagram);
}

/* Joins once an interface. The system forgets it together with the interface. */
static void join(struct rj_udp *udp, unsigned index)
{
    struct ipv6_mreq request = {.ipv6mr_multiaddr = udp->group,
                                .ipv6mr_interface = index};
    uv_os_fd_t fd;

    for (size_t k = 0; k < udp->n_joined; k++)
        if (udp->joined[k] == index)
            return;
    if (udp->n_joined == RJ_UDP_GROUPS_MAX)
        udp->n_joined = 0; /* joining twice does no harm */
    if (uv_fileno((const uv_handle_t *)&udp->sockets[V6].uv, &fd) == 0 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof(request)) == 0)
        udp->joined[udp->n_joined++] = index;
}

static bool send_v6(struct rj_udp *udp, const struct ifaddrs *i, struct rj_bytes datagram)
{
    const struct sockaddr_in6 *own = (const void *)i->ifa_addr;
    struct sockaddr_in6 to = {.sin6_family = AF_INET6,
                              .sin6_port = htons(udp->options.port),
                              .sin6_addr = udp->group};

    if ((i->ifa_flags & IFF_MULTICAST) == 0 ||
        !IN6_IS_ADDR_LINKLOCAL(&own->sin6_addr)) /* one of them an interface */
        return false;
    to.sin6_scope_id = if_nametoindex(i->ifa_name);
    if (to.sin6_scope_id == 0)
        return false;
    join(udp, to.sin6_scope_id);
    return send_to(udp, V6, (const struct sockaddr *)&to, datagram);
}

size_t rj_udp_send(struct rj_udp *udp, struct rj_bytes datagram)
{
    const char *only = NULL;
    struct ifaddrs *all = NULL;
    size_t sent = 0;

    if (getifaddrs(&all) != 0)
        return 0;
    if (udp->options.only[0] != '\0')
        only = only_name(all, udp->options.only);
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        if (!is_up(i) || (udp->options.only[0] != '\0' &&
                          (only == NULL || strcmp(only, i->ifa_name) != 0)))
            continue;
        if (i->ifa_addr->sa_family == AF_INET && udp->sockets[V4].open)
            sent += send_v4(udp, i, datagram);
        else if (i->ifa_addr->sa_family == AF_INET6 && udp->sockets[V6].open)
            sent += send_v6(udp, i, datagram);
    }
    freeifaddrs(all);
    return sent;
}

/* ---- life */

static int bind_to(struct rj_udp *udp, int which)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(udp->options.port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons(udp->options.port)};
    struct socket *s = &udp->sockets[which];
    int status = uv_udp_init(&udp->loop->uv, &s->uv);

    if (status != 0)
        return status;
    s->uv.data = udp;
    s->made = true;
    udp->handles++;
    if (which == V4)
        status = uv_udp_bind(&s->uv, (const struct sockaddr *)&v4, UV_UDP_REUSEADDR);
    else
        status = uv_udp_bind(&s->uv, (const struct sockaddr *)&v6,
                             UV_UDP_REUSEADDR | UV_UDP_IPV6ONLY);
    if (status == 0 && which == V4)
        status = uv_udp_set_broadcast(&s->uv, 1);
    if (status == 0)
        status = uv_udp_recv_start(&s->uv, on_alloc, on_recv);
    s->open = status == 0;
    return status;
}

enum rj_err rj_udp_open(struct rj_loop *loop, const struct rj_udp_options *options,
                        struct rj_udp **ret_udp)
{
    struct rj_udp *udp = rj_alloc_zero(1, sizeof(*udp));
    int v4, v6;

    if (udp == NULL)
        return RJ_ENOMEM;
    udp->loop = loop;
    udp->options = *options;
    loop->users++;
    (void)inet_pton(AF_INET6, options->group, &udp->group);
    v4 = bind_to(udp, V4);
    v6 = bind_to(udp, V6);
    if (v4 != 0 && v6 != 0) {
        rj_udp_close(udp);
        return v4 == UV_EADDRINUSE ? RJ_EBUSY : RJ_EIO;
    }
    *ret_udp = udp;
    return RJ_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct rj_udp *udp = handle->data;

    if (--udp->handles == 0)
        free(udp);
}

void rj_udp_close(struct rj_udp *udp)
{
    if (udp == NULL)
        return;
    udp->loop->users--;
    if (udp->handles == 0)
        free(udp);
    else
        for (size_t k = 0; k < FAMILIES; k++)
            if (udp->sockets[k].made)
                uv_close((uv_handle_t *)&udp->sockets[k].uv, on_closed);
}
