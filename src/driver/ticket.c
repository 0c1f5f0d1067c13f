/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets: base32 as in RFC 4648 section 6, but in lower case and without padding, and
 * strict: the unused low bits of the last character are zero, so that one ticket has one
 * spelling. The check guards against slips of the hand only; what proves a ticket is its
 * secret. Addresses are outside the check, so that a person may correct them (a name
 * instead of a number, a forwarded port). */
#include "driver/ticket.h"

#include "base/hash.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>

enum {
    CHECK_LEN = 4,
    RAW_LEN = RJ_DIGEST_LEN + RJ_SECRET_LEN + CHECK_LEN,
    LABEL_MAX = 63,
    PORT_DIGITS_MAX = 5
};

static const char prefix[] = "rj1-";
static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

static int digit_of(uint8_t c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    if (c >= '2' && c <= '7')
        return c - '2' + 26;
    return -1;
}

static void encode(const uint8_t raw[RAW_LEN], char ret[RJ_TICKET_CODE_LEN])
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t out = 0;

    for (size_t i = 0; i < RAW_LEN; i++) {
        bits = bits << 8 | raw[i];
        for (have += 8; have >= 5; have -= 5)
            ret[out++] = alphabet[bits >> (have - 5) & 31];
        bits &= (1U << have) - 1;
    }
    if (have > 0)
        ret[out] = alphabet[bits << (5 - have) & 31];
}

static bool decode(struct rj_bytes code, uint8_t ret[RAW_LEN])
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t out = 0;

    for (size_t i = 0; i < code.len; i++) {
        int d = digit_of(code.ptr[i]);

        if (d < 0)
            return false;
        bits = bits << 5 | (uint32_t)d;
        have += 5;
        if (have >= 8 && out < RAW_LEN) {
            have -= 8;
            ret[out++] = (uint8_t)(bits >> have);
            bits &= (1U << have) - 1;
        }
    }
    return out == RAW_LEN && bits == 0;
}

static uint32_t check_of(const uint8_t raw[RAW_LEN])
{
    return (uint32_t)(rj_hash_checksum(rj_bytes_of(raw, RAW_LEN - CHECK_LEN)) >> 32);
}

static bool is_label_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_';
}

/* Letters, digits, dots: also covers numeric IPv4. */
static bool is_name(struct rj_bytes host)
{
    size_t label = 0;

    if (host.len == 0 || host.len > RJ_TICKET_HOST_MAX || host.ptr[0] == '-')
        return false;
    for (size_t i = 0; i < host.len; i++) {
        if (host.ptr[i] == '.') {
            if (label == 0)
                return false;
            label = 0;
        } else if (!is_label_char(host.ptr[i]) || ++label > LABEL_MAX) {
            return false;
        }
    }
    return label > 0;
}

/* The name of an interface behind a link-local address: "fe80::1%eth0". */
static bool is_scope(struct rj_bytes scope)
{
    if (scope.len == 0 || scope.len >= IF_NAMESIZE)
        return false;
    for (size_t i = 0; i < scope.len; i++) {
        if (!is_label_char(scope.ptr[i]) && scope.ptr[i] != '.')
            return false;
    }
    return true;
}

static bool is_ipv6(struct rj_bytes host)
{
    const uint8_t *scope = host.len > 0 ? memchr(host.ptr, '%', host.len) : NULL;
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    if (scope != NULL) {
        size_t at = (size_t)(scope - host.ptr);

        if (!is_scope(rj_bytes_skip(host, at + 1)))
            return false;
        host = rj_bytes_first(host, at);
    }

    if (host.len == 0 || host.len >= sizeof(text) ||
        memchr(host.ptr, '\0', host.len) != NULL)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET6, text, &addr) == 1 &&
           (scope == NULL || IN6_IS_ADDR_LINKLOCAL(&addr));
}

static bool port_of(struct rj_bytes digits, uint16_t *ret)
{
    uint32_t port = 0;

    if (digits.len == 0 || digits.len > PORT_DIGITS_MAX || digits.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        port = port * 10 + (uint32_t)(digits.ptr[i] - '0');
    }
    if (port > UINT16_MAX)
        return false;
    *ret = (uint16_t)port;
    return true;
}

/* Splits text in host and what follows it (":port" or nothing). */
static bool split(struct rj_bytes text, struct rj_bytes *ret_host,
                  struct rj_bytes *ret_rest)
{
    const uint8_t *end;

    if (text.len > 0 && text.ptr[0] == '[') {
        end = memchr(text.ptr, ']', text.len);
        if (end == NULL)
            return false;
        *ret_host = rj_bytes_of(text.ptr + 1, (size_t)(end - text.ptr) - 1);
        *ret_rest = rj_bytes_skip(text, (size_t)(end - text.ptr) + 1);
        return is_ipv6(*ret_host);
    }
    if (is_ipv6(text)) {
        *ret_host = text;
        *ret_rest = rj_bytes_of(NULL, 0);
        return true;
    }
    end = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
    *ret_host = rj_bytes_first(text, end != NULL ? (size_t)(end - text.ptr) : text.len);
    *ret_rest = rj_bytes_skip(text, ret_host->len);
    return is_name(*ret_host);
}

enum rj_err rj_ticket_endpoint(struct rj_bytes text, uint16_t default_port,
                               struct rj_ticket_endpoint *ret)
{
    struct rj_bytes host, rest;
    uint16_t port = default_port;

    if (!split(text, &host, &rest))
        return RJ_EINVAL;
    if (rest.len > 0 && (rest.ptr[0] != ':' || !port_of(rj_bytes_skip(rest, 1), &port)))
        return RJ_EINVAL;
    /* What it is printed as must fit RJ_ADDRESS_MAX: brackets, colon, five digits. */
    if (host.len + 2 + 1 + PORT_DIGITS_MAX > RJ_ADDRESS_MAX)
        return RJ_EINVAL;
    memcpy(ret->host, host.ptr, host.len);
    ret->host[host.len] = '\0';
    ret->port = port;
    return RJ_OK;
}

void rj_ticket_address(const struct rj_ticket_endpoint *e, struct rj_ticket_address *ret)
{
    bool v6 = strchr(e->host, ':') != NULL;

    (void)snprintf(ret->text, sizeof(ret->text), "%s%.*s%s:%u", v6 ? "[" : "",
                   RJ_ADDRESS_MAX - 8, e->host, v6 ? "]" : "", (unsigned)e->port);
}

static struct rj_bytes trim(struct rj_bytes b)
{
    static const char space[] = " \t\r\n";

    while (b.len > 0 && memchr(space, b.ptr[0], sizeof(space) - 1) != NULL)
        b = rj_bytes_skip(b, 1);
    while (b.len > 0 && memchr(space, b.ptr[b.len - 1], sizeof(space) - 1) != NULL)
        b.len--;
    return b;
}

static bool parse_addresses(struct rj_bytes list, struct rj_ticket *ret)
{
    ret->n_addresses = 0;
    for (;;) {
        const uint8_t *comma = list.len > 0 ? memchr(list.ptr, ',', list.len) : NULL;
        size_t len = comma != NULL ? (size_t)(comma - list.ptr) : list.len;
        struct rj_ticket_endpoint e;

        if (ret->n_addresses == RJ_ADDRESSES_MAX)
            return false;
        if (rj_ticket_endpoint(rj_bytes_first(list, len), RJ_TICKET_PORT, &e) != RJ_OK)
            return false;
        rj_ticket_address(&e, &ret->addresses[ret->n_addresses++]);
        if (comma == NULL)
            return true;
        list = rj_bytes_skip(list, len + 1);
    }
}

enum rj_err rj_ticket_parse(struct rj_bytes text, struct rj_ticket *ret,
                            const char **ret_why)
{
    const size_t head = sizeof(prefix) - 1;
    struct rj_ticket t = {0};
    uint8_t raw[RAW_LEN];

    text = trim(text);
    if (text.len > RJ_TICKET_TEXT_MAX ||
        !rj_bytes_starts_with(text, rj_bytes_from_str(prefix))) {
        *ret_why = "a ticket begins with rj1-";
        return RJ_EINVAL;
    }
    if (text.len < head + RJ_TICKET_CODE_LEN + 1 ||
        text.ptr[head + RJ_TICKET_CODE_LEN] != '@') {
        *ret_why = "it is cut short or has characters too many";
        return RJ_EINVAL;
    }
    if (!decode(rj_bytes_of(text.ptr + head, RJ_TICKET_CODE_LEN), raw) ||
        check_of(raw) != rj_be_load32(raw + RAW_LEN - CHECK_LEN)) {
        *ret_why = "a character is wrong (its check does not match)";
        return RJ_EINVAL;
    }
    if (!parse_addresses(rj_bytes_skip(text, head + RJ_TICKET_CODE_LEN + 1), &t)) {
        *ret_why = "what follows the @ is no list of host:port";
        return RJ_EINVAL;
    }
    memcpy(t.device.b, raw, RJ_DIGEST_LEN);
    memcpy(t.secret, raw + RJ_DIGEST_LEN, RJ_SECRET_LEN);
    *ret = t;
    return RJ_OK;
}

/* The address without the port that goes without saying. */
static void print_address(const char *text, struct rj_buf *out)
{
    static const char usual[] = ":7340";
    size_t len = strlen(text);

    if (len > sizeof(usual) - 1 && strcmp(text + len - (sizeof(usual) - 1), usual) == 0)
        len -= sizeof(usual) - 1;
    rj_buf_append_raw(out, text, len);
}

void rj_ticket_print(const struct rj_ticket *t, struct rj_buf *out)
{
    uint8_t raw[RAW_LEN];
    char code[RJ_TICKET_CODE_LEN];

    memcpy(raw, t->device.b, RJ_DIGEST_LEN);
    memcpy(raw + RJ_DIGEST_LEN, t->secret, RJ_SECRET_LEN);
    rj_be_store32(raw + RAW_LEN - CHECK_LEN, check_of(raw));
    encode(raw, code);
    rj_buf_append_str(out, prefix);
    rj_buf_append_raw(out, code, sizeof(code));
    for (size_t i = 0; i < t->n_addresses; i++) {
        rj_buf_append_str(out, i == 0 ? "@" : ",");
        print_address(t->addresses[i].text, out);
    }
    rj_bytes_wipe(raw, sizeof(raw));
    rj_bytes_wipe(code, sizeof(code));
}
