/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/width.h"
#include "support/test.h"

#include <stdio.h>

TEST(letters_take_one_column)
{
    assert_int_equal(rj_width_text(""), 0);
    assert_int_equal(rj_width_text("abc"), 3);
    assert_int_equal(rj_width_text("\xc3\xa4\xc3\xb6"), 2);
}

TEST(wide_characters_take_two_columns)
{
    assert_int_equal(rj_width_text("\xe6\x97\xa5\xe6\x9c\xac"), 4); /* nihon */
    assert_int_equal(rj_width_text("\xed\x95\x9c\xea\xb8\x80"), 4); /* hangul */
    assert_int_equal(rj_width_text("\xf0\x9f\x92\xbe"), 2);         /* a disk */
    assert_int_equal(rj_width_text("\xef\xbc\xa1"), 2);             /* wide A */
}

TEST(marks_that_combine_take_none)
{
    assert_int_equal(rj_width_text("e\xcc\x81"), 1);
    assert_int_equal(rj_width_text("a\xe2\x80\x8d"), 1);
}

TEST(what_is_no_utf8_takes_a_column_a_byte)
{
    assert_int_equal(rj_width_text("\xff\x80"), 2);
    assert_int_equal(rj_width_text("\xe6\x97"), 2); /* cut off */
    assert_int_equal(rj_width_text("\xc3"), 1);
}

TEST(no_character_is_cut_in_two)
{
    size_t used = 9;

    assert_int_equal(rj_width_fit("\xe6\x97\xa5\xe6\x9c\xac", 3, &used), 3);
    assert_int_equal(used, 2);
    assert_int_equal(rj_width_fit("abc", 2, &used), 2);
    assert_int_equal(rj_width_fit("abc", 9, &used), 3);
    assert_int_equal(used, 3);
}

static void wrapped(const char *text, size_t at, size_t columns, char *ret, size_t size)
{
    FILE *f = tmpfile();
    size_t n;

    assert_non_null(f);
    rj_width_wrap(f, text, at, columns);
    rewind(f);
    n = fread(ret, 1, size - 1, f);
    ret[n] = '\0';
    (void)fclose(f);
}

TEST(lines_break_at_blanks)
{
    char text[200];

    wrapped("one two three four", 2, 10, text, sizeof(text));
    assert_string_equal(text, "one two\n  three\n  four\n");
    wrapped("one", 2, 10, text, sizeof(text));
    assert_string_equal(text, "one\n");
    wrapped("12345678 x", 2, 10, text, sizeof(text));
    assert_string_equal(text, "12345678\n  x\n");
    wrapped("a  b", 0, 3, text, sizeof(text));
    assert_string_equal(text, "a\nb\n");
}

TEST(a_long_word_stays_whole)
{
    char text[200];

    wrapped("see /a/very/long/path/to/copy now", 0, 10, text, sizeof(text));
    assert_string_equal(text, "see\n/a/very/long/path/to/copy\nnow\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_take_one_column),
        cmocka_unit_test(wide_characters_take_two_columns),
        cmocka_unit_test(marks_that_combine_take_none),
        cmocka_unit_test(what_is_no_utf8_takes_a_column_a_byte),
        cmocka_unit_test(no_character_is_cut_in_two),
        cmocka_unit_test(lines_break_at_blanks),
        cmocka_unit_test(a_long_word_stays_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
