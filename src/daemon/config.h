/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: one file of [section] and key = value (inih), edited by people and
 * by `rejoin config set`. Keys are written section.key. Every key has a default
 * (config.def), so most nodes have no file at all. Section [token] holds the bucket
 * tokens, one key a bucket; so the file is written with mode 0600. */
#ifndef RJ_DAEMON_CONFIG_H
#define RJ_DAEMON_CONFIG_H

#include <rejoin/bytes.h>
#include <rejoin/error.h>
#include <stdbool.h>

enum {
    RJ_CONFIG_FILE_MAX = 1024 * 1024, /* bytes of the file */
    RJ_CONFIG_LINE_MAX = 198,         /* bytes of a line: inih's own limit */
    RJ_CONFIG_KEY_MAX = 80,           /* bytes of "section.key" */
    RJ_CONFIG_VALUE_MAX = 4096,       /* bytes of a value; only lists are that long */
    RJ_CONFIG_TOKEN_MAX = 100,        /* bytes of a bucket's token */
    RJ_CONFIG_ITEMS_MAX = 2048        /* values that are set */
};

enum rj_config_type {
    RJ_CONFIG_PORT,       /* 0..65535 */
    RJ_CONFIG_UINT,       /* decimal, 64 bits */
    RJ_CONFIG_HOST,       /* numeric address or name, may be empty */
    RJ_CONFIG_LIST,       /* host:port, comma-separated; one a line in the file */
    RJ_CONFIG_NAME,       /* at most RJ_NAME_MAX of [A-Za-z0-9._-], may be empty */
    RJ_CONFIG_DURABILITY, /* always, second, none */
    RJ_CONFIG_LEVEL,      /* error, warn, info, debug */
    RJ_CONFIG_YES_NO,
    RJ_CONFIG_PATH,   /* absolute, or empty; no ';' and '#' */
    RJ_CONFIG_TOKEN,  /* printable, 1..RJ_CONFIG_TOKEN_MAX, no space, no ';' */
    RJ_CONFIG_SECRET, /* a token that nobody guesses, or an absolute path */
    RJ_CONFIG_COMMAND /* a program and its arguments, split at blanks */
};

/* One line of config.def. */
struct rj_config_key {
    const char *key;
    enum rj_config_type type;
    const char *fallback; /* its default */
    bool live;            /* takes effect without a restart */
    const char *help;
};

/* The i-th known key, in the order of the table; NULL at the end. */
const struct rj_config_key *rj_config_key(size_t i);
/* The key of that name (token.NAME included); NULL: there is none. */
const struct rj_config_key *rj_config_find(const char *key);

struct rj_config_item;

/* Zero-initialise; end with rj_config_done. */
struct rj_config {
    char *path;
    struct rj_config_item *items; /* what is set, in the order of the file */
    size_t n_items;
    char why[256]; /* detail of the last failure */
};

/* Reads the file at path; no file is an empty one. RJ_EINVAL: a line that is no setting,
 * an unknown key, a bad value, detail in why; RJ_ELIMIT, RJ_EDENIED, RJ_EIO. On failure
 * c keeps what it had. */
RJ_NODISCARD enum rj_err rj_config_load(struct rj_config *c, const char *path);
/* The value in force, never NULL for a known key; "" for an unset token. Borrowed until
 * the next load or set. */
const char *rj_config_get(const struct rj_config *c, const char *key);
/* The same for people: of a secret only whether it is set. */
const char *rj_config_shown(const struct rj_config *c, const char *key);
uint64_t rj_config_uint(const struct rj_config *c, const char *key);
bool rj_config_is_set(const struct rj_config *c, const char *key);
/* The number of the line that sets key in the file as it is now; 0: none. */
size_t rj_config_line(const struct rj_config *c, const char *key);
/* Checks key and value, writes the file (durable) and takes it over. value NULL removes
 * the setting. Comments and order of the file are kept. RJ_ENOENT: unknown key;
 * RJ_EINVAL: bad value; otherwise as rj_file_replace. Detail in why. */
RJ_NODISCARD enum rj_err rj_config_set(struct rj_config *c, const char *key,
                                       const char *value);
void rj_config_done(struct rj_config *c); /* frees; NULL and zeroed accepted */

#endif
