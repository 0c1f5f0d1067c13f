/* SPDX-License-Identifier: Apache-2.0 */
/* The table of errors of <rejoin/error.h>, unrolled: one line there is one row here. */
#include <rejoin/error.h>
#include <stddef.h>

struct row {
    const char *name;
    const char *text;
    int status;
};

static const struct row rows[RJ_ERR_COUNT] = {
#define RJ_X(name, text, status) {#name, text, status},
    RJ_ERRORS(RJ_X)
#undef RJ_X
};

static const struct row unknown = {"EUNKNOWN", "unknown error", 1};

static const struct row *find_row(enum rj_err err)
{
    return (size_t)err < RJ_ERR_COUNT ? &rows[err] : &unknown;
}

const char *rj_err_text(enum rj_err err)
{
    return find_row(err)->text;
}

const char *rj_err_name(enum rj_err err)
{
    return find_row(err)->name;
}

int rj_err_exit(enum rj_err err)
{
    return find_row(err)->status;
}
