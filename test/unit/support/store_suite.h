/* SPDX-License-Identifier: Apache-2.0 */
/* What every store must do (<rejoin/store.h>), as tests that run over any of them. */
#ifndef RJ_TEST_STORE_SUITE_H
#define RJ_TEST_STORE_SUITE_H

#include <rejoin/store.h>

/* How the suite makes, breaks and ends a store. ctx is what setup returned, a new one for
 * each test. Every function fails the test when it cannot do its work. */
struct rj_store_maker {
    const char *name;
    void *(*setup)(void);
    void (*teardown)(void *ctx);
    /* An empty store. */
    struct rj_store *(*open)(void *ctx);
    /* Ends it as a crash would, which loses what was not made durable at least in part,
     * and opens it again. */
    struct rj_store *(*restart)(void *ctx, struct rj_store *s);
    /* Damages one bit of the stored value of key; gives the store back (opened anew). */
    struct rj_store *(*damage)(void *ctx, struct rj_store *s, const char *key,
                               const char *value);
    /* Leaves room for a few hundred KiB only; gives the store back (opened anew). */
    struct rj_store *(*make_small)(void *ctx, struct rj_store *s);
};

/* Runs the suite; returns the number of tests that failed. */
int rj_store_suite_run(const struct rj_store_maker *maker);

#endif
