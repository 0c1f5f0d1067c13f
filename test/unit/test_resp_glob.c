/* SPDX-License-Identifier: Apache-2.0 */
#include "face/resp_glob.h"
#include "support/test.h"

#include <stdio.h>

static bool matches(const char *pattern, const char *text)
{
    uint64_t steps = RJ_RESP_GLOB_STEPS;

    return rj_resp_glob_match(rj_bytes_from_str(pattern), rj_bytes_from_str(text),
                              &steps);
}

struct example {
    const char *pattern, *text;
    bool matches;
};

TEST(patterns_match_as_in_redis)
{
    static const struct example examples[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*", "", true},
        {"**", "", true},
        {"*", "abc", true},
        {"?", "", false},
        {"?", "a", true},
        {"h?llo", "hello", true},
        {"h?llo", "hllo", false},
        {"h*llo", "heeello", true},
        {"h*llo", "hllo", true},
        {"*a", "ba", true},
        {"*a", "ab", false},
        {"*a*b*c*", "xxaxbxc", true},
        {"*a*b*c", "aabbccd", false},
        {"*ab", "aab", true},
        {"a*b*b", "abb", true},
        {"a*b*b", "ab", false},
        {"[ab]c", "bc", true},
        {"[ab]c", "cc", false},
        {"[^a]c", "bc", true},
        {"[^a]c", "ac", false},
        {"[a-c]", "b", true},
        {"[c-a]", "b", true},
        {"[a-c]", "d", false},
        {"[a-]", "-", false},
        {"[\\-]", "-", true},
        {"[\\]]", "]", true},
        {"[\\]]", "a", false},
        {"[]", "a", false},
        {"[^]", "a", true},
        {"[a", "a", true},
        {"[a", "b", false},
        {"[", "[", false},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"\\?x", "?x", true},
        {"\\", "\\", true},
        {"a\\", "a\\", true},
        {"user:*:name", "user:17:name", true},
        {"user:*:name", "user:17:mail", false},
        {"A", "a", false},
        {"[a-z]*[0-9]", "key1", true},
        {"[a-z]*[0-9]", "1key", false},
    };

    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct example *e = &examples[i];

        if (matches(e->pattern, e->text) != e->matches)
            fail_msg("'%s' and '%s'", e->pattern, e->text);
    }
}

TEST(case_matters_only_where_it_is_asked_for)
{
    uint64_t steps = 1000;

    assert_false(matches("MaxMem*", "maxmemory"));
    assert_true(rj_resp_glob_match_nocase(RJ_BYTES_LIT("MaxMem*[X-Y]"),
                                          RJ_BYTES_LIT("maxmemory"), &steps));
    assert_false(rj_resp_glob_match_nocase(RJ_BYTES_LIT("[^M]axmemory"),
                                           RJ_BYTES_LIT("maxmemory"), &steps));
}

TEST(bytes_of_any_value_can_match)
{
    uint64_t steps = 1000;
    const uint8_t text[] = {0, 255, '*', 128};
    const uint8_t pattern[] = {0, '?', '\\', '*', '[', 127, '-', 255, ']'};

    assert_true(rj_resp_glob_match(RJ_BYTES_OF(pattern), RJ_BYTES_OF(text), &steps));
}

TEST(a_pattern_that_costs_too_much_is_given_up)
{
    enum { TEXT = 64 * 1024, STARS = 400 };
    static uint8_t text[TEXT], pattern[2 * STARS + 1];
    uint64_t steps = RJ_RESP_GLOB_STEPS;

    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < STARS; i++)
        memcpy(pattern + 2 * i, "*a", 2);
    pattern[2 * STARS] = 'b';
    /* However many stars, the cost stays below |pattern| * |text|. */
    assert_false(rj_resp_glob_match(RJ_BYTES_OF(pattern), RJ_BYTES_OF(text), &steps));
    assert_true(steps > 0);
    /* A long class for each byte: over the budget, and it says so. */
    memset(pattern, 'x', sizeof(pattern));
    memcpy(pattern, "*[", 2);
    pattern[sizeof(pattern) - 1] = ']';
    assert_false(rj_resp_glob_match(RJ_BYTES_OF(pattern), RJ_BYTES_OF(text), &steps));
    assert_int_equal(steps, 0);
    assert_false(rj_resp_glob_match(RJ_BYTES_LIT("*"), RJ_BYTES_LIT(""), &steps));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_in_redis),
        cmocka_unit_test(case_matters_only_where_it_is_asked_for),
        cmocka_unit_test(bytes_of_any_value_can_match),
        cmocka_unit_test(a_pattern_that_costs_too_much_is_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
