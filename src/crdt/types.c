/* SPDX-License-Identifier: Apache-2.0 */
/* The types that are built in: a line in types.def and a file type_NAME.c each. */
#include "crdt/value.h"

#include <string.h>

#define RJ_TYPE(name) extern const struct rj_type rj_type_##name;
#include "crdt/types.def"
#undef RJ_TYPE

static const struct rj_type *const types[] = {
#define RJ_TYPE(name) &rj_type_##name,
#include "crdt/types.def"
#undef RJ_TYPE
};

enum { N_TYPES = sizeof(types) / sizeof(types[0]) };

const struct rj_type *rj_type_get(uint64_t number)
{
    size_t i;

    for (i = 0; i < N_TYPES; i++) {
        if ((uint64_t)types[i]->number == number)
            return types[i];
    }
    return NULL;
}

enum rj_crdt_type rj_crdt_type_of(const char *name)
{
    size_t i;

    for (i = 0; i < N_TYPES; i++) {
        if (strcmp(types[i]->name, name) == 0)
            return types[i]->number;
    }
    return RJ_CRDT_NONE;
}

const char *rj_crdt_type_name(enum rj_crdt_type type)
{
    const struct rj_type *t = rj_type_get((uint64_t)type);

    return t != NULL ? t->name : NULL;
}
