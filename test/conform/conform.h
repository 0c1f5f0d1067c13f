/* SPDX-License-Identifier: Apache-2.0 */
/* Playing one case. */
#ifndef RJ_TEST_CONFORM_H
#define RJ_TEST_CONFORM_H

#include <jansson.h>
#include <rejoin/crdt.h>
#include <stdbool.h>

enum verdict { PASSED, FAILED, SKIPPED };

/* Plays a case of crdt/; says in why what was expected and what came. */
enum verdict play_crdt(const json_t *c, char *why, size_t why_len);

/* ---- op.c: steps as changes */

enum { KEYS_MAX = 1024 };

struct change {
    struct rj_crdt_op op;
    struct rj_bytes keys[KEYS_MAX];
    struct rj_bytes path[RJ_CRDT_DEPTH_MAX + 1];
};

/* Fills ret from [REPLICA, OP, ARG...] for a value of that type. SKIPPED: it names a type
 * that is not built in; FAILED: it is no change. Borrows from step and ret. */
enum verdict change_of(const char *type, const json_t *step, struct change *ret);

/* ---- query.c */

/* The answer to a query with an argument (a replica: other) and a second one. NULL: not a
 * query of this type. */
json_t *answer_of(const struct rj_crdt *v, const char *query, const json_t *arg,
                  const struct rj_crdt *other, const json_t *second);
/* The rows of joined, which is more than `to`, that are not in `to`. */
json_t *rows_to_ship(const struct rj_crdt *joined, const struct rj_crdt *to);
/* Equal as sets of rows. */
bool same_rows(const json_t *a, const json_t *b);

static inline struct rj_bytes bytes_of(const json_t *text)
{
    struct rj_bytes b = {(const uint8_t *)json_string_value(text),
                         json_string_length(text)};

    return b;
}

#endif
