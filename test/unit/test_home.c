/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "driver/home.h"
#include "posix/file.h"
#include "support/temp_dir.h"
#include "support/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    struct rj_test_dir dir;
    struct rj_home home;
};

static void begin(struct fixture *f)
{
    rj_test_dir_init(&f->dir);
    assert_int_equal(setenv("REJOIN_HOME", f->dir.path, 1), 0);
    (void)unsetenv("REJOIN_CONFIG");
    (void)unsetenv("REJOIN_SOCKET");
    assert_ok(rj_home_find(&f->home));
}

static void end(struct fixture *f)
{
    rj_home_close(&f->home);
    rj_test_dir_done(&f->dir);
}

TEST(one_home_has_one_lock)
{
    struct fixture f;
    struct rj_home other;

    begin(&f);
    assert_false(rj_home_locked(&f.home));
    assert_ok(rj_home_open(&f.home));
    assert_true(rj_home_locked(&f.home));
    assert_ok(rj_home_find(&other));
    assert_err(RJ_EBUSY, rj_home_open(&other));
    assert_non_null(strstr(other.why, "another daemon"));
    rj_home_close(&f.home);
    assert_false(rj_home_locked(&f.home));
    assert_ok(rj_home_open(&other));
    rj_home_close(&other);
    end(&f);
}

TEST(asking_for_the_lock_does_not_take_it)
{
    struct fixture f;

    begin(&f);
    assert_ok(rj_home_open(&f.home));
    rj_home_close(&f.home);
    for (int i = 0; i < 100; i++) {
        assert_false(rj_home_locked(&f.home));
        assert_ok(rj_home_open(&f.home));
        rj_home_close(&f.home);
    }
    end(&f);
}

TEST(data_is_private)
{
    struct fixture f;
    struct stat st;

    begin(&f);
    assert_ok(rj_home_open(&f.home));
    assert_int_equal(stat(f.home.dirs.data, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    rj_home_close(&f.home);
    assert_int_equal(chmod(f.home.dirs.data, 0755), 0);
    assert_err(RJ_EDENIED, rj_home_open(&f.home));
    assert_int_equal(chmod(f.home.dirs.data, 0700), 0);
    end(&f);
}

TEST(the_key_is_made_once_and_stays)
{
    struct fixture f;
    struct rj_crypto *first = NULL, *second = NULL;

    begin(&f);
    assert_ok(rj_home_open(&f.home));
    assert_ok(rj_home_key(&f.home, &first));
    assert_ok(rj_home_key(&f.home, &second));
    assert_memory_equal(rj_crypto_env(first)->pubkey, rj_crypto_env(second)->pubkey,
                        RJ_PUBKEY_LEN);
    rj_crypto_free(first);
    rj_crypto_free(second);
    end(&f);
}

TEST(a_store_without_its_key_is_damaged)
{
    struct fixture f;
    struct rj_crypto *crypto = NULL;

    begin(&f);
    assert_ok(rj_home_open(&f.home));
    assert_int_equal(mkdir(f.home.store_path, 0700), 0);
    assert_err(RJ_ECORRUPT, rj_home_key(&f.home, &crypto));
    assert_int_equal(access(f.home.key_path, F_OK), -1);
    end(&f);
}

TEST(a_damaged_key_is_never_replaced)
{
    struct fixture f;
    struct rj_crypto *crypto = NULL;
    struct rj_buf b = {0};

    begin(&f);
    assert_ok(rj_home_open(&f.home));
    assert_ok(rj_file_replace(f.home.key_path, RJ_BYTES_LIT("no key"), NULL, NULL, 0));
    assert_err(RJ_ECORRUPT, rj_home_key(&f.home, &crypto));
    assert_ok(rj_file_read(f.home.key_path, 100, NULL, 0, &b));
    assert_bytes_equal(rj_buf_view(&b), RJ_BYTES_LIT("no key"));
    rj_buf_done(&b);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_home_has_one_lock),
        cmocka_unit_test(asking_for_the_lock_does_not_take_it),
        cmocka_unit_test(data_is_private),
        cmocka_unit_test(the_key_is_made_once_and_stays),
        cmocka_unit_test(a_store_without_its_key_is_damaged),
        cmocka_unit_test(a_damaged_key_is_never_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
