/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor.h"
#include "support/test.h"

#include <stdio.h>

TEST(a_plain_path_is_not_quoted)
{
    char room[64];

    assert_string_equal(rj_doctor_quote("/home/a/.local/x-1", room, sizeof(room)),
                        "/home/a/.local/x-1");
}

TEST(what_a_shell_would_take_apart_is_quoted)
{
    char room[64];

    assert_string_equal(rj_doctor_quote("my notes", room, sizeof(room)), "'my notes'");
    assert_string_equal(rj_doctor_quote("x; rm $HOME", room, sizeof(room)),
                        "'x; rm $HOME'");
    assert_string_equal(rj_doctor_quote("it's", room, sizeof(room)), "'it'\\''s'");
}

TEST(what_is_too_long_is_cut_and_still_closed)
{
    char room[12];

    assert_string_equal(rj_doctor_quote("a b c d e f g h", room, sizeof(room)),
                        "'a b c'");
    assert_string_equal(rj_doctor_quote("''''''''", room, sizeof(room)), "''\\'''\\'''");
}

TEST(the_worst_result_of_a_check_counts)
{
    static struct rj_doctor d;

    assert_int_equal(rj_doctor_worst(&d, NULL), RJ_DOCTOR_GOOD);
    rj_doctor_add(&d, "one", RJ_DOCTOR_WARN, "%s", "a");
    rj_doctor_add(&d, "two", RJ_DOCTOR_GOOD, "%s", "b");
    rj_doctor_add(&d, "one", RJ_DOCTOR_GOOD, "%s", "c");
    assert_int_equal(rj_doctor_worst(&d, "one"), RJ_DOCTOR_WARN);
    assert_int_equal(rj_doctor_worst(&d, "two"), RJ_DOCTOR_GOOD);
    assert_int_equal(rj_doctor_worst(&d, NULL), RJ_DOCTOR_WARN);
    rj_doctor_fix(&d, "type %d", 3);
    assert_string_equal(d.findings[2].fix, "type 3");
    for (int i = 0; i < 2 * RJ_DOCTOR_MAX; i++)
        rj_doctor_add(&d, "many", RJ_DOCTOR_FAIL, "%d", i);
    assert_int_equal(d.n_findings, RJ_DOCTOR_MAX);
}

/* What the daemon says of one space, judged. */
static struct rj_doctor *judge(struct rj_doc *doc, const char *device, const char *peer)
{
    static struct rj_doctor d;
    static struct rj_cli cli;

    d = (struct rj_doctor){.cli = &cli, .running = true};
    (void)snprintf(cli.home.dirs.data, sizeof(cli.home.dirs.data), "/home/a/my node");
    rj_doc_clear(doc);
    rj_doc_map(doc);
    rj_doc_put_str(doc, "home", cli.home.dirs.data);
    rj_doc_key(doc, "spaces");
    rj_doc_array(doc);
    rj_doc_map(doc);
    rj_doc_put_str(doc, "name", "notes");
    rj_doc_put_str(doc, "refuses", "");
    rj_doc_put_str(doc, "fork_device", device);
    rj_doc_put_str(doc, "fork_peer", peer);
    rj_doc_end(doc);
    rj_doc_end(doc);
    rj_doc_end(doc);
    assert_ok(rj_doc_view(doc, &d.status));
    rj_doctor_node(&d);
    return &d;
}

TEST(a_fork_that_cannot_be_merged_is_told_with_its_way_out)
{
    struct rj_doc doc = {0};
    struct rj_doctor *d = judge(&doc, "laptop", "backup box");
    const struct rj_doctor_finding *last = &d->findings[d->n_findings - 1];

    assert_int_equal(rj_doctor_worst(d, "spaces"), RJ_DOCTOR_FAIL);
    assert_string_equal(last->check, "spaces");
    assert_non_null(strstr(last->why, "notes: laptop was copied while it ran"));
    assert_non_null(strstr(last->why, "This node and backup box are on two sides"));
    assert_non_null(strstr(last->why, "on each node of the other:")); /* not cut off */
    assert_string_equal(last->fix, "rejoin down; mv '/home/a/my node' '/home/a/my "
                                   "node'.other; rejoin join TICKET");
    d = judge(&doc, "laptop", "");
    last = &d->findings[d->n_findings - 1];
    assert_non_null(strstr(last->why, "This node and some other are on two sides"));
    d = judge(&doc, "", "");
    assert_int_equal(rj_doctor_worst(d, "spaces"), RJ_DOCTOR_GOOD);
    rj_doc_done(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_path_is_not_quoted),
        cmocka_unit_test(what_a_shell_would_take_apart_is_quoted),
        cmocka_unit_test(what_is_too_long_is_cut_and_still_closed),
        cmocka_unit_test(the_worst_result_of_a_check_counts),
        cmocka_unit_test(a_fork_that_cannot_be_merged_is_told_with_its_way_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
