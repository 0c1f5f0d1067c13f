/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams to everybody on the networks at hand: IPv4 broadcast and IPv6 multicast, on
 * every interface that is up (loopback excepted). */
#ifndef RJ_POSIX_UDP_H
#define RJ_POSIX_UDP_H

#include <rejoin/bytes.h>
#include <rejoin/error.h>
#include <sys/socket.h>

struct rj_loop;
struct rj_udp;

enum {
    RJ_UDP_DATAGRAM_MAX = 1024, /* the largest that can be received whole */
    RJ_UDP_GROUPS_MAX = 64,     /* interfaces on which a group is joined */
    RJ_UDP_HOST_MAX = 128       /* "192.0.2.1", "fe80::1%eth0", with a NUL */
};

/* A datagram arrived; both are borrowed until it returns. One that was larger than
 * RJ_UDP_DATAGRAM_MAX has one byte more than that. */
typedef void rj_udp_fn(void *ctx, const struct sockaddr *from, struct rj_bytes datagram);

struct rj_udp_options {
    rj_udp_fn *fn;
    void *ctx;
    uint16_t port;
    const char *group; /* IPv6, link-local scope; borrowed */
    const char *only;  /* numeric: only the interface with this address; "": all */
};

/* Opens what there is of both families; others on this machine may have the same port.
 * RJ_EBUSY: the port is taken by one who does not share it; RJ_EIO, RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_udp_open(struct rj_loop *loop,
                                     const struct rj_udp_options *options,
                                     struct rj_udp **ret_udp);
/* Sends to all, and joins the group on interfaces that are new. Returns to how many
 * networks it went; what cannot be sent now is lost. */
size_t rj_udp_send(struct rj_udp *udp, struct rj_bytes datagram);
/* Host of an address as text, link-local ones with their %scope. */
void rj_udp_host(const struct sockaddr *addr, char ret[RJ_UDP_HOST_MAX]);
/* Before rj_loop_free. NULL is accepted. */
void rj_udp_close(struct rj_udp *udp);

#endif
