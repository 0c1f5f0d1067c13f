/* SPDX-License-Identifier: Apache-2.0 */
/* A directory for one test, under $TMPDIR or /tmp. */
#ifndef RJ_TEST_TEMP_DIR_H
#define RJ_TEST_TEMP_DIR_H

enum { RJ_TEST_PATH_MAX = 256 };

struct rj_test_dir {
    char path[RJ_TEST_PATH_MAX];
};

/* Makes an empty directory; the test fails when it cannot. */
void rj_test_dir_init(struct rj_test_dir *d);
/* Removes it with all that is in it. */
void rj_test_dir_done(struct rj_test_dir *d);
/* The path of a name in it, in ret. */
void rj_test_dir_path(const struct rj_test_dir *d, const char *name,
                      char ret[RJ_TEST_PATH_MAX]);

#endif
