/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/columns.h"
#include "support/test.h"

#include <stdio.h>

/* What a table prints, in ret. */
static void printed(const struct rj_columns *t, char *ret, size_t size)
{
    FILE *f = tmpfile();
    size_t n;

    assert_non_null(f);
    rj_columns_print(t, f, false);
    rewind(f);
    n = fread(ret, 1, size - 1, f);
    ret[n] = '\0';
    (void)fclose(f);
}

TEST(columns_are_aligned)
{
    static const char *const heads[] = {"NAME", ">KEYS", "STATE"};
    char text[512];
    struct rj_columns t;

    rj_columns_init(&t, heads, 3);
    rj_columns_cell(&t, "fruit");
    rj_columns_cell(&t, "1,234");
    rj_columns_cell(&t, "in sync");
    rj_columns_cell(&t, "a");
    rj_columns_cell(&t, "5");
    rj_columns_cell(&t, "");
    printed(&t, text, sizeof(text));
    assert_string_equal(text, "NAME    KEYS  STATE\n"
                              "fruit  1,234  in sync\n"
                              "a          5  \n");
    rj_columns_done(&t);
}

TEST(no_line_is_wider_than_80_characters)
{
    static const char *const heads[] = {"ONE", "TWO", ">THREE"};
    char text[2048], long_cell[RJ_COLUMNS_CELL_MAX];
    struct rj_columns t;

    memset(long_cell, 'x', sizeof(long_cell) - 1);
    long_cell[sizeof(long_cell) - 1] = '\0';
    rj_columns_init(&t, heads, 3);
    for (int i = 0; i < 6; i++)
        rj_columns_cell(&t, i % 2 == 0 ? long_cell : "short");
    printed(&t, text, sizeof(text));
    assert_non_null(strstr(text, ".."));
    for (char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= RJ_COLUMNS_WIDTH);
    rj_columns_done(&t);
}

TEST(a_character_of_several_bytes_takes_one_column)
{
    static const char *const heads[] = {"N", "X"};
    char text[256];
    struct rj_columns t;

    rj_columns_init(&t, heads, 2);
    rj_columns_cell(&t, "\xc3\xa4\xc3\xb6\xc3\xbc");
    rj_columns_cell(&t, "y");
    printed(&t, text, sizeof(text));
    assert_string_equal(text, "N    X\n\xc3\xa4\xc3\xb6\xc3\xbc  y\n");
    rj_columns_done(&t);
}

TEST(wide_characters_take_two_columns_and_are_never_cut_in_two)
{
    static const char *const heads[] = {"NAME", "X"};
    char text[512], cell[RJ_COLUMNS_CELL_MAX] = "";
    struct rj_columns t;

    for (int i = 0; i < 45; i++)
        (void)strcat(cell, "\xe6\x97\xa5");
    rj_columns_init(&t, heads, 2);
    rj_columns_cell(&t, cell);
    rj_columns_cell(&t, "yy");
    printed(&t, text, sizeof(text));
    /* 76 columns for the name: 37 characters and ".." */
    assert_string_equal(strstr(text, "..") + 2, "  yy\n");
    assert_int_equal(strstr(text, "..") - strchr(text, '\n') - 1, 37 * 3);
    rj_columns_done(&t);
}

TEST(text_gives_way_before_numbers)
{
    static const char *const heads[] = {"NAME", ">COUNT", "NOTE"};
    char text[512], cell[81];
    struct rj_columns t;

    memset(cell, 'x', sizeof(cell) - 1);
    cell[sizeof(cell) - 1] = '\0';
    rj_columns_init(&t, heads, 3);
    rj_columns_cell(&t, cell);
    rj_columns_cell(&t, "18,446,744,073,709,551,615");
    rj_columns_cell(&t, cell);
    printed(&t, text, sizeof(text));
    assert_non_null(strstr(text, "  18,446,744,073,709,551,615  "));
    rj_columns_done(&t);
}

TEST(a_table_without_rows_is_its_head)
{
    static const char *const heads[] = {"A", ">B"};
    char text[64];
    struct rj_columns t;

    rj_columns_init(&t, heads, 2);
    printed(&t, text, sizeof(text));
    assert_string_equal(text, "A  B\n");
    rj_columns_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned),
        cmocka_unit_test(no_line_is_wider_than_80_characters),
        cmocka_unit_test(a_character_of_several_bytes_takes_one_column),
        cmocka_unit_test(wide_characters_take_two_columns_and_are_never_cut_in_two),
        cmocka_unit_test(text_gives_way_before_numbers),
        cmocka_unit_test(a_table_without_rows_is_its_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
