/* SPDX-License-Identifier: Apache-2.0 */
/* The types that are built in: a line in types.def and a file type_NAME.c each. */
#include "crdt/place.h"

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

/* ---- what holds for rows at a place */

const struct rj_type *rj_type_at(const struct rj_crdt *v, struct rj_bytes place,
                                 struct rj_bytes *ret_rest)
{
    struct rj_where w;

    if (v->type->number != RJ_CRDT_ORMAP) {
        *ret_rest = place;
        return v->type;
    }
    if (!rj_place_get(place, &w))
        return NULL;
    *ret_rest = w.rest;
    return w.type;
}

enum rj_contest rj_place_contest(const struct rj_crdt *v, struct rj_bytes place,
                                 const struct rj_type **ret_type)
{
    struct rj_bytes rest;
    const struct rj_type *type = rj_type_at(v, place, &rest);

    *ret_type = type;
    if (type == NULL)
        return RJ_CONTEST_NONE;
    if (type->beats != NULL && (type == v->type || type->reset != NULL) &&
        (type->is_contested == NULL || type->is_contested(rest)))
        return RJ_CONTEST_ALL;
    return type->sums ? RJ_CONTEST_OWN : RJ_CONTEST_NONE;
}

bool rj_place_dies(const struct rj_crdt *v, struct rj_bytes place)
{
    struct rj_bytes rest;
    const struct rj_type *type = rj_type_at(v, place, &rest);

    return type == NULL ||
           (type->reset == NULL && (type->stays == NULL || !type->stays(rest)));
}

bool rj_place_resets(const struct rj_crdt *v, struct rj_bytes place)
{
    struct rj_bytes rest;
    const struct rj_type *type = rj_type_at(v, place, &rest);

    return type != NULL && type->reset != NULL;
}

bool rj_row_is_lesser(const struct rj_crdt *v, const struct rj_row *a,
                      const struct rj_row *b)
{
    return rj_roster_compare(v->names, rj_row_dot(a).origin, rj_row_dot(b).origin) < 0;
}

/* ---- names */

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
