/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets and addresses as people copy them. A ticket says who invites (device id), where
 * that device may be found, and a one-time secret that both ends prove to each other:
 *
 *     rj1-<84 characters>@host:port[,host:port...]
 *
 * The characters are base32 (RFC 4648, lower case, no padding) of device id (32 bytes),
 * secret (16), check (4: the first bytes, big-endian, of XXH3-64 of the 48 before). A
 * port of 7340 is left out; an IPv6 address stands in brackets. One ticket has one
 * spelling of its first part; nothing else is accepted. */
#ifndef RJ_DRIVER_TICKET_H
#define RJ_DRIVER_TICKET_H

#include "base/buf.h"

#include <rejoin/node.h>

enum {
    RJ_TICKET_PORT = 7340,    /* the port of an address that names none */
    RJ_TICKET_HOST_MAX = 253, /* a DNS name, RFC 1035 */
    RJ_TICKET_CODE_LEN = 84,  /* base32 of 52 bytes */
    RJ_TICKET_TEXT_MAX = 8192 /* a longer text is no ticket */
};

/* "host:port", the port always there, IPv6 in brackets; NUL-terminated. */
struct rj_ticket_address {
    char text[RJ_ADDRESS_MAX + 1];
};

struct rj_ticket {
    struct rj_digest device;
    uint8_t secret[RJ_SECRET_LEN];
    struct rj_ticket_address addresses[RJ_ADDRESSES_MAX];
    size_t n_addresses; /* 1..RJ_ADDRESSES_MAX */
};

/* Host (without brackets, NUL-terminated) and port of an address. */
struct rj_ticket_endpoint {
    char host[RJ_TICKET_HOST_MAX + 1];
    uint16_t port;
};

/* Takes "host", "host:port", "[v6]", "[v6]:port" or a bare IPv6 address apart; without a
 * port it gets default_port. RJ_EINVAL: anything else, port 0, a host that is neither a
 * numeric address nor made of labels of [A-Za-z0-9_-]. */
RJ_NODISCARD enum rj_err rj_ticket_endpoint(struct rj_bytes text, uint16_t default_port,
                                            struct rj_ticket_endpoint *ret);
/* Writes it as "host:port", IPv6 in brackets. */
void rj_ticket_address(const struct rj_ticket_endpoint *e, struct rj_ticket_address *ret);

/* Reads a ticket; white space around it is ignored. RJ_EINVAL: it is none, or was changed
 * (check), *ret_why (static) says what is wrong. Device and secret are untrusted. */
RJ_NODISCARD enum rj_err rj_ticket_parse(struct rj_bytes text, struct rj_ticket *ret,
                                         const char **ret_why);
/* Appends the text of a ticket to out (sticky errors there). */
void rj_ticket_print(const struct rj_ticket *t, struct rj_buf *out);

#endif
