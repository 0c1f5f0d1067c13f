/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of commands, made from commands.def and refused.def, and the way from a name
 * to its line. A name is three machine words, so comparing is cheap; a session asks its
 * small cache first, for clients use few commands many times. */
#include "face/resp_cmd.h"

/* The letters of commands.def. */
enum {
    R = RJ_RESP_READONLY,
    W = RJ_RESP_WRITE,
    F = RJ_RESP_FAST,
    A = RJ_RESP_ADMIN,
    N = RJ_RESP_NOAUTH,
    M = RJ_RESP_NOMULTI,
    Q = RJ_RESP_NOQUEUE,
    P = RJ_RESP_PUBSUB,
    K = RJ_RESP_NUMKEYS
};

#define X(word, argc, marks, from, to, every, part, function, summary)                   \
    {.name = word,                                                                       \
     .handler = rj_cmd_##part##_##function,                                              \
     .group = #part,                                                                     \
     .text = summary,                                                                    \
     .arity = argc,                                                                      \
     .flags = marks,                                                                     \
     .first = from,                                                                      \
     .last = to,                                                                         \
     .step = every},
static const struct rj_resp_command commands[] = {
#include "face/commands.def"
};
#undef X

#define X(word, reason) {.name = word, .group = "refused", .text = reason},
static const struct rj_resp_command refused[] = {
#include "face/refused.def"
};
#undef X

enum {
    COMMANDS = sizeof(commands) / sizeof(commands[0]),
    REFUSED = sizeof(refused) / sizeof(refused[0]),
    WORDS = RJ_RESP_WORD_MAX / 8
};

struct word {
    uint64_t w[WORDS];
};

#define EVERY_BYTE(b) (UINT64_MAX / 255 * (b))

/* Eight ASCII characters in small letters, all at once. */
static inline uint64_t lower(uint64_t v)
{
    uint64_t low7 = v & EVERY_BYTE(0x7f);
    uint64_t from_a = low7 + EVERY_BYTE(0x80 - 'A');
    uint64_t beyond_z = low7 + EVERY_BYTE(0x7f - 'Z');
    uint64_t capitals = (from_a ^ beyond_z) & ~v & EVERY_BYTE(0x80);

    return v | (capitals >> 2);
}

/* False: longer than any name. */
static inline bool load(struct rj_bytes name, struct word *ret)
{
    if (name.len >= RJ_RESP_WORD_MAX)
        return false;
    *ret = (struct word){{0}};
    if (name.len > 0)
        memcpy(ret, name.ptr, name.len);
    for (size_t i = 0; i < WORDS; i++)
        ret->w[i] = lower(ret->w[i]);
    return true;
}

/* The length matters too: "get" and NUL is not GET. len > 0. */
static inline bool is(const struct rj_resp_command *cmd, const struct word *word,
                      size_t len)
{
    return memcmp(cmd->name, word, sizeof(*word)) == 0 && cmd->name[len - 1] != '\0';
}

static const struct rj_resp_command *find(const struct word *word, size_t len)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (is(&commands[i], word, len))
            return &commands[i];
    for (size_t i = 0; i < REFUSED; i++)
        if (is(&refused[i], word, len) && strchr(refused[i].name, ' ') == NULL)
            return &refused[i];
    return NULL;
}

const struct rj_resp_command *rj_resp_table_find(struct rj_bytes name)
{
    struct word word;

    if (name.len == 0 || !load(name, &word))
        return NULL;
    return find(&word, name.len);
}

const struct rj_resp_command *rj_resp_table_cached(struct rj_resp *s,
                                                   struct rj_bytes name)
{
    const struct rj_resp_command **slot;
    struct word word;

    if (name.len == 0 || !load(name, &word))
        return NULL;
    slot = &s->cache[(word.w[0] ^ word.w[1] ^ word.w[2]) * 0x9e3779b97f4a7c15u >> 60];
    if (*slot == NULL || !is(*slot, &word, name.len))
        *slot = find(&word, name.len);
    return *slot;
}

const struct rj_resp_command *rj_resp_table_at(size_t i)
{
    return i < COMMANDS ? &commands[i] : NULL;
}

const char *rj_resp_table_reason(const char *name)
{
    for (size_t i = 0; i < REFUSED; i++)
        if (strcmp(refused[i].name, name) == 0)
            return refused[i].text;
    return "it cannot converge";
}
