/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/beacon.h"
#include "support/net.h"

#include <fcntl.h>

/* net.crypto[0] sends, net.crypto[1] hears. */
static struct rj_logger quiet;
static struct rj_beacon *beacon;
static struct rj_digest sender;
static bool is_wanted;
static unsigned looks, finds;
static char found_at[RJ_ADDRESS_MAX + 1];
static struct sockaddr_in from;

static bool wanted(void *ctx, const struct rj_digest *device)
{
    (void)ctx;
    looks++;
    return is_wanted && memcmp(device->b, sender.b, RJ_DIGEST_LEN) == 0;
}

static void found(void *ctx, const struct rj_digest *device, const char *address,
                  bool asks)
{
    (void)ctx, (void)asks;
    assert_memory_equal(device->b, sender.b, RJ_DIGEST_LEN);
    finds++;
    (void)snprintf(found_at, sizeof(found_at), "%s", address);
}

static const struct rj_beacon_ops ops = {.wanted = wanted, .found = found};

static void begin(const struct rj_site *site)
{
    const struct rj_beacon_options options = {
        .ops = &ops,
        .loop = net.loop,
        .crypto = net.crypto[1],
        .log = &quiet,
        .site = site,
        .port_peer = 7340,
        .only = "",
    };

    quiet = (struct rj_logger){.fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
                               .level = RJ_NOTE_ERROR};
    is_wanted = true;
    looks = finds = 0;
    from = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(9)};
    assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &from.sin_addr), 1);
    rj_crypto_device_id(net.crypto[1], rj_crypto_env(net.crypto[0])->pubkey, &sender);
    assert_ok(rj_beacon_new(&options, &beacon));
}

static void end(void)
{
    rj_beacon_stop(beacon);
    rj_beacon_free(beacon);
    (void)close(quiet.fd);
}

static void make(uint64_t wall_ms, uint16_t port, const struct rj_site *site,
                 struct rj_buf *ret)
{
    const struct rj_beacon_message m = {.wall_ms = wall_ms, .port = port};

    rj_buf_clear(ret);
    assert_ok(rj_beacon_put(&m, net.crypto[0], site, ret));
    assert_true(ret->len <= RJ_BEACON_MAX);
}

static void hear(struct rj_bytes datagram)
{
    rj_beacon_hear(beacon, (const struct sockaddr *)&from, datagram);
}

static struct rj_beacon_stats stats(void)
{
    return rj_beacon_stats(beacon);
}

static struct rj_site *key(const char *text)
{
    struct rj_site *site = NULL;

    assert_ok(rj_site_load(text, NULL, 0, &site));
    return site;
}

TEST(it_is_read_as_it_was_written)
{
    struct rj_site *site = key("correct horse battery");
    const struct rj_beacon_message m = {.wall_ms = 77, .port = 7340, .asks = true};
    struct rj_beacon_message back;
    struct rj_buf b = {0};

    assert_ok(rj_beacon_put(&m, net.crypto[0], site, &b));
    assert_ok(rj_beacon_read(rj_buf_view(&b), &back));
    assert_int_equal(back.wall_ms, 77);
    assert_int_equal(back.port, 7340);
    assert_true(back.asks && back.has_mac);
    assert_memory_equal(back.pubkey, rj_crypto_env(net.crypto[0])->pubkey, RJ_PUBKEY_LEN);
    assert_true(rj_beacon_mac_matches(&back, net.crypto[1], site));
    assert_true(rj_beacon_sig_matches(&back, net.crypto[1]));
    rj_buf_done(&b);
    rj_site_free(site);
}

TEST(every_changed_bit_is_noticed)
{
    struct rj_beacon_message m;
    struct rj_buf b = {0};

    make(1000, 7340, NULL, &b);
    for (size_t bit = 0; bit < 8 * b.len; bit++) {
        b.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
        if (rj_beacon_read(rj_buf_view(&b), &m) == RJ_OK &&
            rj_beacon_sig_matches(&m, net.crypto[1]))
            fail_msg("bit %zu", bit);
        b.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < b.len; len++)
        assert_true(rj_beacon_read(rj_bytes_of(b.ptr, len), &m) != RJ_OK);
    rj_buf_u8(&b, 0);
    assert_err(RJ_ECORRUPT, rj_beacon_read(rj_buf_view(&b), &m));
    while (b.len <= RJ_BEACON_MAX)
        rj_buf_u8(&b, 0);
    assert_err(RJ_ELIMIT, rj_beacon_read(rj_buf_view(&b), &m));
    make(1000, 7340, NULL, &b);
    b.ptr[1] = RJ_BEACON_VERSION + 1;
    assert_err(RJ_EVERSION, rj_beacon_read(rj_buf_view(&b), &m));
    rj_buf_done(&b);
}

TEST(a_wanted_device_is_found_where_its_beacon_came_from)
{
    struct rj_buf b = {0};

    begin(NULL);
    make(1000, 7000, NULL, &b);
    hear(rj_buf_view(&b));
    assert_int_equal(finds, 1);
    assert_string_equal(found_at, "192.0.2.7:7000");
    make(1001, 0, NULL, &b); /* it only dials */
    hear(rj_buf_view(&b));
    assert_int_equal(finds, 2);
    assert_string_equal(found_at, "");
    assert_int_equal(stats().accepted, 2);
    rj_buf_done(&b);
    end();
}

TEST(one_who_is_not_wanted_costs_no_signature)
{
    struct rj_buf b = {0};

    begin(NULL);
    is_wanted = false;
    make(1000, 7000, NULL, &b);
    for (int i = 0; i < 10 * RJ_BEACON_VERIFIES; i++)
        hear(rj_buf_view(&b));
    assert_int_equal(looks, 10 * RJ_BEACON_VERIFIES);
    assert_int_equal(stats().unwanted, 10 * RJ_BEACON_VERIFIES);
    is_wanted = true; /* the budget is whole */
    hear(rj_buf_view(&b));
    assert_int_equal(finds, 1);
    rj_buf_done(&b);
    end();
}

TEST(what_was_heard_before_is_not_believed_again)
{
    struct rj_buf b = {0}, old = {0};

    begin(NULL);
    make(999, 7000, NULL, &old);
    make(1000, 7000, NULL, &b);
    hear(rj_buf_view(&b));
    hear(rj_buf_view(&b));
    hear(rj_buf_view(&old));
    assert_int_equal(finds, 1);
    assert_int_equal(stats().stale, 2);
    rj_beacon_met(beacon, &sender); /* its clock may have been set back */
    hear(rj_buf_view(&old));
    assert_int_equal(finds, 2);
    rj_buf_done(&b);
    rj_buf_done(&old);
    end();
}

TEST(a_flood_of_forgeries_is_counted_and_costs_little)
{
    struct rj_buf b = {0};
    struct rj_beacon_stats s;

    begin(NULL);
    make(1000, 7000, NULL, &b);
    b.ptr[b.len - 1] ^= 1;
    for (int i = 0; i < 10000; i++)
        hear(rj_buf_view(&b));
    s = stats();
    assert_int_equal(finds, 0);
    assert_int_equal(s.heard, 10000);
    assert_int_equal(s.forged + s.beyond_budget, 10000);
    assert_true(s.forged >= RJ_BEACON_VERIFIES);
    assert_true(s.beyond_budget > 0);
    for (int i = 0; i < 100; i++)
        hear(RJ_BYTES_LIT("noise"));
    assert_int_equal(stats().malformed, 100);
    rj_buf_done(&b);
    end();
}

TEST(strangers_to_the_network_are_dropped_before_their_signature)
{
    struct rj_site *site = key("correct horse battery"),
                   *other = key("wrong horse battery");
    struct rj_buf b = {0};

    begin(site);
    for (int i = 0; i < 2 * RJ_BEACON_VERIFIES; i++) {
        make(1000, 7000, i % 2 == 0 ? NULL : other, &b);
        hear(rj_buf_view(&b));
    }
    assert_int_equal(stats().foreign, 2 * RJ_BEACON_VERIFIES);
    make(1000, 7000, site, &b);
    hear(rj_buf_view(&b));
    assert_int_equal(finds, 1);
    rj_buf_done(&b);
    end();
    rj_site_free(site);
    rj_site_free(other);
}

TEST(the_own_beacon_is_nothing_new)
{
    const struct rj_beacon_message m = {.wall_ms = 5, .port = 1};
    struct rj_buf b = {0};

    begin(NULL);
    assert_ok(rj_beacon_put(&m, net.crypto[1], NULL, &b));
    hear(rj_buf_view(&b));
    assert_int_equal(looks, 0);
    rj_buf_done(&b);
    end();
}

static enum rj_err put_once(void *ctx)
{
    const struct rj_beacon_message m = {.wall_ms = 5, .port = 1};
    struct rj_buf b = {0};
    enum rj_err err = rj_beacon_put(&m, net.crypto[0], NULL, &b);

    (void)ctx;
    rj_buf_done(&b);
    return err;
}

TEST(want_of_memory_is_reported)
{
    rj_test_with_failing_alloc(put_once, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NET(it_is_read_as_it_was_written),
        WITH_NET(every_changed_bit_is_noticed),
        WITH_NET(a_wanted_device_is_found_where_its_beacon_came_from),
        WITH_NET(one_who_is_not_wanted_costs_no_signature),
        WITH_NET(what_was_heard_before_is_not_believed_again),
        WITH_NET(a_flood_of_forgeries_is_counted_and_costs_little),
        WITH_NET(strangers_to_the_network_are_dropped_before_their_signature),
        WITH_NET(the_own_beacon_is_nothing_new),
        WITH_NET(want_of_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
