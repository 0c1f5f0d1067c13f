/* SPDX-License-Identifier: Apache-2.0 */
/* Steps as changes: a table of names, what arguments each takes, and what it becomes. */
#include "conform.h"

#include <stdio.h>
#include <string.h>

/* args, a letter each: e key, E array of keys, n amount (optional: 1), t stamp, v value,
 * g tag, p position, c count (optional: 1), w value as a key */
static const struct form {
    const char *name;
    enum rj_crdt_code code;
    const char *args;
    unsigned flags;
    const char *types; /* empty: all */
} forms[] = {
    {"inc", RJ_CRDT_INC, "e", 0, " vv "},
    {"inc", RJ_CRDT_INC, "n", 0, ""},
    {"dec", RJ_CRDT_DEC, "n", 0, ""},
    {"move", RJ_CRDT_MOVE, "ne", 0, ""},
    {"reset", RJ_CRDT_RESET, "", 0, ""},
    {"add", RJ_CRDT_ADD, "te", 0, " lwwset "},
    {"remove", RJ_CRDT_REMOVE, "te", 0, " lwwset "},
    {"add", RJ_CRDT_ADD, "ge", 0, " orset_tagged "},
    {"remove", RJ_CRDT_REMOVE, "ge", 0, " orset_tagged "},
    {"put", RJ_CRDT_PUT, "etv", 0, " ourset lwwmap "},
    {"remove", RJ_CRDT_REMOVE, "etv", 0, " ourset "},
    {"put_now", RJ_CRDT_PUT, "etv", RJ_CRDT_NOW, " ourset "},
    {"remove_now", RJ_CRDT_REMOVE, "etv", RJ_CRDT_NOW, " ourset "},
    {"add", RJ_CRDT_NOTE, "en", 0, " causal_context "},
    {"next", RJ_CRDT_INC, "e", 0, " causal_context "},
    {"add", RJ_CRDT_ADD, "e", 0, ""},
    {"add_all", RJ_CRDT_ADD, "E", 0, ""},
    {"remove", RJ_CRDT_REMOVE, "e", 0, ""},
    {"remove_all", RJ_CRDT_REMOVE, "E", 0, ""},
    {"clear", RJ_CRDT_CLEAR, "", 0, ""},
    {"enable", RJ_CRDT_ENABLE, "", 0, ""},
    {"disable", RJ_CRDT_DISABLE, "", 0, ""},
    {"set", RJ_CRDT_SET, "tv", 0, " lwwreg "},
    {"set_now", RJ_CRDT_SET, "tv", RJ_CRDT_NOW, " lwwreg "},
    {"set", RJ_CRDT_SET, "v", 0, ""},
    {"resolve", RJ_CRDT_RESOLVE, "", 0, ""},
    {"insert", RJ_CRDT_INSERT, "pe", 0, ""},
    {"delete", RJ_CRDT_DELETE, "pc", 0, ""},
    {"push", RJ_CRDT_INSERT, "e", 0, ""},
    {"update", RJ_CRDT_SET, "pe", 0, ""},
};

enum { N_FORMS = sizeof(forms) / sizeof(forms[0]) };

static const struct form *form_of(const char *type, const char *name)
{
    char padded[64];
    size_t i;

    snprintf(padded, sizeof(padded), " %s ", type);
    for (i = 0; i < N_FORMS; i++) {
        if (strcmp(forms[i].name, name) == 0 &&
            (forms[i].types[0] == '\0' || strstr(forms[i].types, padded) != NULL))
            return &forms[i];
    }
    return NULL;
}

static bool take_keys(struct change *c, const json_t *arg)
{
    size_t i, n = json_array_size(arg);

    if (!json_is_array(arg) || n > KEYS_MAX)
        return false;
    for (i = 0; i < n; i++)
        c->keys[i] = bytes_of(json_array_get(arg, i));
    c->op.n_keys = n;
    return true;
}

static bool take_number(struct change *c, char letter, const json_t *arg)
{
    int64_t number = json_integer_value(arg);

    if (!json_is_integer(arg) || (letter != 'n' && number < 0))
        return false;
    if (letter == 'n')
        c->op.amount = number;
    else if (letter == 't')
        c->op.stamp = (uint64_t)number;
    else if (letter == 'p')
        c->op.pos = (uint64_t)number;
    else
        c->op.count = (uint64_t)number;
    return true;
}

static bool take(struct change *c, char letter, const json_t *arg)
{
    if (letter == 'E')
        return take_keys(c, arg);
    if (strchr("ntpc", letter) != NULL)
        return take_number(c, letter, arg);
    if (!json_is_string(arg))
        return false;
    if (letter == 'e') {
        c->keys[0] = bytes_of(arg);
        c->op.n_keys = 1;
    } else if (letter == 'v') {
        c->op.value = bytes_of(arg);
    } else {
        c->op.tag = bytes_of(arg);
    }
    return true;
}

/* The name of the change is step[at], its arguments follow. */
static enum verdict fill(const char *type, const json_t *step, size_t at,
                         struct change *c)
{
    const json_t *word = json_array_get(step, at);
    const struct form *form =
        json_is_string(word) ? form_of(type, json_string_value(word)) : NULL;
    size_t i;

    if (form == NULL)
        return FAILED;
    c->op.code = form->code;
    c->op.flags = form->flags;
    c->op.pos = RJ_CRDT_END; /* where no position is given */
    for (i = 0; form->args[i] != '\0'; i++) {
        const json_t *arg = json_array_get(step, at + 1 + i);

        if (arg == NULL && strchr("nc", form->args[i]) != NULL)
            continue; /* 1 */
        if (!take(c, form->args[i], arg))
            return FAILED;
    }
    return json_array_size(step) <= at + 1 + i ? PASSED : FAILED;
}

static enum verdict fill_map(const json_t *step, struct change *c)
{
    const char *word = json_string_value(json_array_get(step, 1));
    const json_t *path = json_array_get(step, 2);
    const char *type = json_string_value(json_array_get(step, 3));
    size_t i, n = json_array_size(path);

    if (!json_is_array(path) || n > RJ_CRDT_DEPTH_MAX)
        return FAILED;
    for (i = 0; i < n; i++)
        c->path[i] = bytes_of(json_array_get(path, i));
    c->op.path = c->path;
    c->op.n_path = n;
    if (strcmp(word, "remove") == 0) {
        c->op.code = n > 0 ? RJ_CRDT_REMOVE : RJ_CRDT_CLEAR;
        return PASSED;
    }
    if (strcmp(word, "update") != 0 || type == NULL)
        return FAILED;
    c->op.at = rj_crdt_type_of(type);
    return c->op.at != RJ_CRDT_NONE ? fill(type, step, 4, c) : SKIPPED;
}

enum verdict change_of(const char *type, const json_t *step, struct change *ret)
{
    *ret = (struct change){.op = {.size = sizeof(ret->op), .amount = 1, .count = 1}};
    ret->op.keys = ret->keys;
    if (!json_is_string(json_array_get(step, 1)))
        return FAILED;
    if (strcmp(type, "ormap") == 0 &&
        strcmp(json_string_value(json_array_get(step, 1)), "clear") != 0)
        return fill_map(step, ret);
    return fill(type, step, 1, ret);
}
