/* SPDX-License-Identifier: Apache-2.0 */
/* Own addresses. Nothing here is trusted by anyone: an address is only where a device is
 * tried, its key proves that it is the one. IPv4 comes first, for that is what people can
 * read in a ticket; both families are tried in turn anyway. */
#include "driver/addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

static void add(struct rj_addresses *a, const char *host, uint16_t port)
{
    struct rj_ticket_endpoint e;
    struct rj_ticket_address text = {0};

    if (a->n == RJ_ADDRESSES_MAX ||
        rj_ticket_endpoint(rj_bytes_from_str(host), port, &e) != RJ_OK)
        return;
    rj_ticket_address(&e, &text);
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->items[i].text, text.text) == 0)
            return;
    }
    a->items[a->n++] = text;
}

static void add_list(struct rj_addresses *a, const char *list, uint16_t port)
{
    struct rj_bytes rest = rj_bytes_from_str(list);

    while (rest.len > 0 && a->n < RJ_ADDRESSES_MAX) {
        const uint8_t *comma = memchr(rest.ptr, ',', rest.len);
        size_t len = comma != NULL ? (size_t)(comma - rest.ptr) : rest.len;
        struct rj_ticket_endpoint e;

        if (rj_ticket_endpoint(rj_bytes_first(rest, len), port, &e) == RJ_OK)
            rj_ticket_address(&e, &a->items[a->n++]);
        rest = rj_bytes_skip(rest, comma != NULL ? len + 1 : len);
    }
}

static bool is_useful(const struct ifaddrs *i, int family)
{
    const unsigned up = IFF_UP | IFF_RUNNING;

    return i->ifa_addr != NULL && i->ifa_addr->sa_family == family &&
           (i->ifa_flags & up) == up && (i->ifa_flags & IFF_LOOPBACK) == 0;
}

static void add_interfaces(struct rj_addresses *a, int family, uint16_t port)
{
    char text[INET6_ADDRSTRLEN];
    struct ifaddrs *all = NULL;

    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        const void *raw;

        if (!is_useful(i, family))
            continue;
        if (family == AF_INET) {
            raw = &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr;
        } else {
            const struct sockaddr_in6 *v6 = (const void *)i->ifa_addr;

            if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr))
                continue;
            raw = &v6->sin6_addr;
        }
        if (inet_ntop(family, raw, text, sizeof(text)) != NULL)
            add(a, text, port);
    }
    freeifaddrs(all);
}

void rj_addresses_find(const struct rj_addresses_options *o, struct rj_addresses *ret)
{
    bool any = o->host[0] == '\0' || strcmp(o->host, "0.0.0.0") == 0 ||
               strcmp(o->host, "::") == 0;

    ret->n = 0;
    if (o->told[0] != '\0') {
        add_list(ret, o->told, o->port != 0 ? o->port : RJ_TICKET_PORT);
        return;
    }
    if (o->port == 0)
        return;
    if (!any) {
        add(ret, o->host, o->port);
        return;
    }
    if (strcmp(o->host, "::") != 0)
        add_interfaces(ret, AF_INET, o->port);
    if (strcmp(o->host, "0.0.0.0") != 0)
        add_interfaces(ret, AF_INET6, o->port);
    if (ret->n == 0)
        add(ret, strcmp(o->host, "::") == 0 ? "::1" : "127.0.0.1", o->port);
}

bool rj_addresses_equal(const struct rj_addresses *a, const struct rj_addresses *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->items[i].text, b->items[i].text) != 0)
            return false;
    }
    return true;
}
