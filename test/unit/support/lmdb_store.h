/* SPDX-License-Identifier: Apache-2.0 */
/* An LMDB store in a directory of its own, and its table behind the store's back. */
#ifndef RJ_TEST_LMDB_STORE_H
#define RJ_TEST_LMDB_STORE_H

#include "support/temp_dir.h"
#include "support/test.h"

#include <lmdb.h>
#include <rejoin/store.h>

enum { LMDB_TEST_WHY = 200 };

/* State of a test: no store yet; it would be at path. */
struct lmdb_test {
    struct rj_test_dir dir;
    char path[RJ_TEST_PATH_MAX];
    char why[LMDB_TEST_WHY]; /* of the last lmdb_test_try() */
};

int lmdb_test_set_up(void **state);
int lmdb_test_tear_down(void **state);
#define WITH_LMDB(test)                                                                  \
    cmocka_unit_test_setup_teardown(test, lmdb_test_set_up, lmdb_test_tear_down)

/* The store at path; the test fails when it does not open. size_max: as of
 * rj_store_lmdb_open(). */
struct rj_store *lmdb_test_open(const char *path, uint64_t size_max);
/* Opens and closes; when that fails, a reason must be there. */
enum rj_err lmdb_test_try(struct lmdb_test *f);
/* One durable put; one seek to a key in a view of now. */
enum rj_err lmdb_test_put(struct rj_store *s, struct rj_bytes key, struct rj_bytes value);
enum rj_err lmdb_test_get(struct rj_store *s, struct rj_bytes key);

/* A transaction on the table of a closed store. */
struct lmdb_raw {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
};

struct lmdb_raw lmdb_raw_begin(const struct lmdb_test *f);
void lmdb_raw_put(const struct lmdb_raw *raw, struct rj_bytes key, struct rj_bytes value);
/* Commits and closes. */
void lmdb_raw_end(const struct lmdb_raw *raw);

#endif
