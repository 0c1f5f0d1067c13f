/* SPDX-License-Identifier: Apache-2.0 */
#include "support/temp_dir.h"

#include "support/test.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

enum { OPEN_MAX_FILES = 16 };

void rj_test_dir_init(struct rj_test_dir *d)
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(d->path, sizeof(d->path), "%s/rejoin-test-XXXXXX",
                     base != NULL && base[0] == '/' ? base : "/tmp");

    assert_true(n > 0 && n < (int)sizeof(d->path));
    assert_non_null(mkdtemp(d->path));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    (void)remove(path);
    return 0;
}

void rj_test_dir_done(struct rj_test_dir *d)
{
    (void)nftw(d->path, remove_one, OPEN_MAX_FILES, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    d->path[0] = '\0';
}

void rj_test_dir_path(const struct rj_test_dir *d, const char *name,
                      char ret[RJ_TEST_PATH_MAX])
{
    int n = snprintf(ret, RJ_TEST_PATH_MAX, "%s/%s", d->path, name);

    assert_true(n > 0 && n < RJ_TEST_PATH_MAX);
}
