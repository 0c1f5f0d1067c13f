/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/ticket.h"
#include "support/test.h"

#include <stdio.h>

static struct rj_ticket sample(void)
{
    struct rj_ticket t = {.n_addresses = 3};

    for (size_t i = 0; i < RJ_DIGEST_LEN; i++)
        t.device.b[i] = (uint8_t)(i * 7 + 1);
    for (size_t i = 0; i < RJ_SECRET_LEN; i++)
        t.secret[i] = (uint8_t)(0xf0 + i);
    (void)snprintf(t.addresses[0].text, sizeof(t.addresses[0].text), "192.0.2.10:7340");
    (void)snprintf(t.addresses[1].text, sizeof(t.addresses[1].text),
                   "[2001:db8::1]:9000");
    (void)snprintf(t.addresses[2].text, sizeof(t.addresses[2].text),
                   "laptop.example:7340");
    return t;
}

static struct rj_buf text_of(const struct rj_ticket *t)
{
    struct rj_buf b = {0};

    rj_ticket_print(t, &b);
    assert_ok(rj_buf_err(&b));
    return b;
}

static enum rj_err parse(const char *text, struct rj_ticket *ret)
{
    const char *why = NULL;
    enum rj_err err = rj_ticket_parse(rj_bytes_from_str(text), ret, &why);

    if (err != RJ_OK)
        assert_non_null(why);
    return err;
}

TEST(a_ticket_is_read_as_it_was_printed)
{
    struct rj_ticket t = sample(), back;
    struct rj_buf b = text_of(&t);

    assert_int_equal(memcmp(b.ptr, "rj1-", 4), 0);
    assert_non_null(
        strstr(rj_buf_str(&b), "@192.0.2.10,[2001:db8::1]:9000,laptop.example"));
    assert_int_equal(strcspn(rj_buf_str(&b), "@"), 4 + RJ_TICKET_CODE_LEN);
    assert_ok(parse(rj_buf_str(&b), &back));
    assert_memory_equal(back.device.b, t.device.b, RJ_DIGEST_LEN);
    assert_memory_equal(back.secret, t.secret, RJ_SECRET_LEN);
    assert_int_equal(back.n_addresses, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(back.addresses[i].text, t.addresses[i].text);
    rj_buf_done(&b);
}

TEST(white_space_around_it_is_ignored)
{
    struct rj_ticket t = sample(), back;
    struct rj_buf b = text_of(&t), spaced = {0};

    rj_buf_printf(&spaced, " \t%s\r\n", rj_buf_str(&b));
    assert_ok(parse(rj_buf_str(&spaced), &back));
    rj_buf_done(&spaced);
    rj_buf_done(&b);
}

TEST(every_changed_character_is_noticed)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    struct rj_ticket t = sample(), back;
    struct rj_buf b = text_of(&t);

    for (size_t i = 4; i < 4 + RJ_TICKET_CODE_LEN; i++) {
        uint8_t right = b.ptr[i];

        for (size_t k = 0; k < sizeof(alphabet) - 1; k++) {
            b.ptr[i] = (uint8_t)alphabet[k];
            if (b.ptr[i] != right)
                assert_err(RJ_EINVAL, parse(rj_buf_str(&b), &back));
        }
        b.ptr[i] = right;
    }
    assert_ok(parse(rj_buf_str(&b), &back));
    rj_buf_done(&b);
}

TEST(only_one_spelling_is_accepted)
{
    struct rj_ticket t = sample(), back;
    struct rj_buf b = text_of(&t);

    b.ptr[10] = (uint8_t)(b.ptr[10] >= 'a' ? b.ptr[10] - 'a' + 'A' : 'A');
    assert_err(RJ_EINVAL, parse(rj_buf_str(&b), &back)); /* upper case */
    rj_buf_done(&b);
}

TEST(what_is_cut_short_or_no_ticket_is_refused)
{
    struct rj_ticket t = sample(), back;
    struct rj_buf b = text_of(&t);
    size_t whole = 4 + RJ_TICKET_CODE_LEN + 2;
    const char *why;

    for (size_t n = 0; n < whole; n++)
        assert_err(RJ_EINVAL,
                   rj_ticket_parse(rj_bytes_first(rj_buf_view(&b), n), &back, &why));
    assert_err(RJ_EINVAL, parse("", &back));
    assert_err(RJ_EINVAL, parse("rj2-abc@host", &back));
    assert_err(RJ_EINVAL, parse("hello", &back));
    rj_buf_done(&b);
}

TEST(bad_lists_of_addresses_are_refused)
{
    static const char *const bad[] = {
        "",     ",",   "a,",    ",a",     "a,,b", "a b",     "a:0",       "a:65536",
        "a:x",  "a:",  ":7340", "[::1",   "::1]", "[x]:80",  "[]:80",     "-a",
        "a..b", "a@b", "a:080", "[::1]x", "a/b",  "a:1:2:3", "[::1]:80:", "."};
    struct rj_ticket t = sample(), back;
    struct rj_buf b = text_of(&t);
    size_t head = 4 + RJ_TICKET_CODE_LEN + 1;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rj_buf made = {0};

        rj_buf_append(&made, rj_bytes_first(rj_buf_view(&b), head));
        rj_buf_append_str(&made, bad[i]);
        if (parse(rj_buf_str(&made), &back) != RJ_EINVAL)
            fail_msg("accepted: '%s'", bad[i]);
        rj_buf_done(&made);
    }
    rj_buf_done(&b);
}

TEST(more_than_the_most_addresses_are_refused)
{
    struct rj_ticket t = sample(), back;
    struct rj_buf b = text_of(&t);

    for (size_t i = 3; i < RJ_ADDRESSES_MAX; i++)
        rj_buf_printf(&b, ",h%zu", i);
    assert_ok(parse(rj_buf_str(&b), &back));
    assert_int_equal(back.n_addresses, RJ_ADDRESSES_MAX);
    rj_buf_append_str(&b, ",x");
    assert_err(RJ_EINVAL, parse(rj_buf_str(&b), &back));
    rj_buf_done(&b);
}

TEST(an_endpoint_is_taken_apart)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"laptop", "laptop", 7340},
        {"laptop:80", "laptop", 80},
        {"192.0.2.1:65535", "192.0.2.1", 65535},
        {"[::1]", "::1", 7340},
        {"[::1]:1", "::1", 1},
        {"2001:db8::7", "2001:db8::7", 7340},
        {"a_b.c-d.example", "a_b.c-d.example", 7340},
        {"fe80::1%eth0", "fe80::1%eth0", 7340},
        {"[fe80::1%wlp2s0.7]:80", "fe80::1%wlp2s0.7", 80},
    };
    static const char *const bad[] = {
        "[2001:db8::7%eth0]:80",      "[fe80::1%]:80", "fe80::1%eth0;x",
        "[fe80::1%0123456789abcdef]", "10.0.0.1%eth0", "ssh:nas"};
    struct rj_ticket_endpoint e;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct rj_bytes text = rj_bytes_from_str(good[i].text);

        assert_ok(rj_ticket_endpoint(text, RJ_TICKET_PORT, &e));
        assert_string_equal(e.host, good[i].host);
        assert_int_equal(e.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_err(RJ_EINVAL, rj_ticket_endpoint(rj_bytes_from_str(bad[i]), 1, &e));
}

TEST(an_address_is_read_again_as_it_was_written)
{
    struct rj_ticket_endpoint e = {.host = "2001:db8::7", .port = 7340}, back;
    struct rj_ticket_address a;

    rj_ticket_address(&e, &a);
    assert_string_equal(a.text, "[2001:db8::7]:7340");
    assert_ok(rj_ticket_endpoint(rj_bytes_from_str(a.text), 1, &back));
    assert_string_equal(back.host, e.host);
    assert_int_equal(back.port, e.port);
}

TEST(the_longest_name_fits_and_a_longer_one_is_refused)
{
    struct rj_ticket_endpoint e, back;
    struct rj_ticket_address a;
    char name[400] = "";
    bool refused = false;

    for (size_t n = 0; n + 2 < sizeof(name); n += 2) {
        memcpy(name + n, "a.", 3);
        name[n + 1] = '\0';
        if (rj_ticket_endpoint(rj_bytes_from_str(name), 65535, &e) != RJ_OK) {
            refused = true;
        } else {
            assert_false(refused);
            rj_ticket_address(&e, &a);
            assert_ok(rj_ticket_endpoint(rj_bytes_from_str(a.text), 1, &back));
            assert_string_equal(back.host, name);
            assert_int_equal(back.port, 65535);
        }
        name[n + 1] = '.';
    }
    assert_true(refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_is_read_as_it_was_printed),
        cmocka_unit_test(white_space_around_it_is_ignored),
        cmocka_unit_test(every_changed_character_is_noticed),
        cmocka_unit_test(only_one_spelling_is_accepted),
        cmocka_unit_test(what_is_cut_short_or_no_ticket_is_refused),
        cmocka_unit_test(bad_lists_of_addresses_are_refused),
        cmocka_unit_test(more_than_the_most_addresses_are_refused),
        cmocka_unit_test(an_endpoint_is_taken_apart),
        cmocka_unit_test(an_address_is_read_again_as_it_was_written),
        cmocka_unit_test(the_longest_name_fits_and_a_longer_one_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
