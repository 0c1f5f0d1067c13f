/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations that fail on demand. Every unit test is linked so that malloc, calloc,
 * realloc, strdup, strndup and free of the code under test go through here. */
#ifndef RJ_TEST_FAIL_ALLOC_H
#define RJ_TEST_FAIL_ALLOC_H

#include <rejoin/error.h>
#include <stdbool.h>

/* Runs fn(ctx) again and again: in run k (from 1) its k-th allocation and all after it
 * return NULL; ends with the first run in which none had to fail. fn builds, uses and
 * frees all of its state, and returns what the code under test said. The test fails when
 *   - a run with a failed allocation returns anything but RJ_ENOMEM or RJ_OK (RJ_OK: the
 *     code can do without),
 *   - the last run, with all the memory it wants, does not return RJ_OK,
 *   - a run leaves memory behind. */
void rj_test_with_failing_alloc(enum rj_err (*fn)(void *ctx), void *ctx);

/* The same, but only the k-th allocation fails in run k and later ones work again. */
void rj_test_with_one_failing_alloc(enum rj_err (*fn)(void *ctx), void *ctx);

/* For tests that arrange it themselves: the next `after` allocations work, then all fail
 * until rj_test_alloc_restore. */
void rj_test_alloc_fail_after(unsigned after);
void rj_test_alloc_restore(void);

/* True iff an allocation was made to fail since the last rj_test_alloc_fail_after, or
 * since the run began. */
bool rj_test_alloc_failed(void);

#endif
