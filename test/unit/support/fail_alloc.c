/* SPDX-License-Identifier: Apache-2.0 */
/* The linker turns calls of malloc into calls of __wrap_malloc, and __real_malloc into
 * the true one (ld --wrap). Counters are atomic because some tests run worker threads. */
#include "support/fail_alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { RUNS_MAX = 100000 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t size);
void __real_free(void *ptr);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void __wrap_free(void *ptr);
char *__wrap_strdup(const char *str);
char *__wrap_strndup(const char *str, size_t len);

static atomic_bool armed;  /* some allocation is to fail */
static atomic_bool once;   /* only one */
static atomic_bool failed; /* it has */
static atomic_uint passes; /* allocations that still work */
static atomic_long live;   /* pieces taken and not given back */

static bool must_fail(void)
{
    if (!atomic_load(&armed))
        return false;
    if (atomic_load(&passes) > 0) {
        atomic_fetch_sub(&passes, 1);
        return false;
    }
    atomic_store(&failed, true);
    if (atomic_load(&once))
        atomic_store(&armed, false);
    return true;
}

static void *counted(void *ptr)
{
    if (ptr != NULL)
        atomic_fetch_add(&live, 1);
    return ptr;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *ptr, size_t size)
{
    void *moved;

    if (must_fail())
        return NULL;
    moved = __real_realloc(ptr, size);
    return ptr == NULL ? counted(moved) : moved;
}

void __wrap_free(void *ptr)
{
    if (ptr != NULL)
        atomic_fetch_sub(&live, 1);
    __real_free(ptr);
}

char *__wrap_strndup(const char *str, size_t len)
{
    size_t n = strnlen(str, len);
    char *copy = __wrap_malloc(n + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, str, n);
    copy[n] = '\0';
    return copy;
}

char *__wrap_strdup(const char *str)
{
    return __wrap_strndup(str, strlen(str));
}

void rj_test_alloc_fail_after(unsigned after)
{
    atomic_store(&passes, after);
    atomic_store(&failed, false);
    atomic_store(&once, false);
    atomic_store(&armed, true);
}

void rj_test_alloc_restore(void)
{
    atomic_store(&armed, false);
}

bool rj_test_alloc_failed(void)
{
    return atomic_load(&failed);
}

static void run_all(enum rj_err (*fn)(void *ctx), void *ctx, bool only_one)
{
    for (unsigned k = 0; k < RUNS_MAX; k++) {
        long before = atomic_load(&live);
        enum rj_err err;

        rj_test_alloc_fail_after(k);
        atomic_store(&once, only_one);
        err = fn(ctx);
        rj_test_alloc_restore();
        if (atomic_load(&live) > before)
            fail_msg("%ld pieces leaked when allocation %u failed",
                     atomic_load(&live) - before, k + 1);
        if (!rj_test_alloc_failed()) {
            if (err != RJ_OK)
                fail_msg("%s with all the memory it wants", rj_err_name(err));
            return;
        }
        if (err != RJ_OK && err != RJ_ENOMEM)
            fail_msg("%s when allocation %u failed", rj_err_name(err), k + 1);
    }
    fail_msg("still failing after %d runs", RUNS_MAX);
}

void rj_test_with_failing_alloc(enum rj_err (*fn)(void *ctx), void *ctx)
{
    run_all(fn, ctx, false);
}

void rj_test_with_one_failing_alloc(enum rj_err (*fn)(void *ctx), void *ctx)
{
    run_all(fn, ctx, true);
}
