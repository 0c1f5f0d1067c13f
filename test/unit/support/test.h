/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes: cmocka with the headers that it wants before it, and
 * assertions in the words of this project. */
#ifndef RJ_TEST_TEST_H
#define RJ_TEST_TEST_H

#include "base/bytes.h"
#include "support/fail_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* The call did what was expected; says the error's name when not. */
#define assert_err(expected, call)                                                       \
    assert_string_equal(rj_err_name(call), rj_err_name(expected))
#define assert_ok(call) assert_err(RJ_OK, call)

/* Two views hold equal bytes. */
#define assert_bytes_equal(a, b) rj_test_assert_bytes_equal((a), (b), __FILE__, __LINE__)

static inline void rj_test_assert_bytes_equal(struct rj_bytes a, struct rj_bytes b,
                                              const char *file, int line)
{
    _assert_int_equal(a.len, b.len, file, line);
    if (a.len > 0)
        _assert_memory_equal(a.ptr, b.ptr, a.len, file, line);
}

/* A test function takes the state of cmocka, mostly unused. */
#define TEST(name) static void name(void **cmocka_state __attribute__((unused)))

#endif
