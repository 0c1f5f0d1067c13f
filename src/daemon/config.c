/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration. The file belongs to the person who edits it: `config set` changes
 * the lines of one key and leaves comments, order and everything else as they are. What
 * a person wrote wrongly is said with its line and not guessed at: a daemon that starts
 * on half a configuration is worse than one that does not start. */
#include "daemon/config.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "driver/logger.h"
#include "driver/site.h"
#include "driver/ticket.h"
#include "posix/file.h"
#include "posix/why.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>

struct rj_config_item {
    char *key;   /* section.key */
    char *value; /* a list: all its lines, comma-separated */
};

static const struct rj_config_key keys[] = {
#define LIVE  true
#define START false
#define X(name, kind, value, when, text)                                                 \
    {.key = name,                                                                        \
     .type = RJ_CONFIG_##kind,                                                           \
     .fallback = value,                                                                  \
     .live = when,                                                                       \
     .help = text},
#include "daemon/config.def"
#undef X
#undef LIVE
#undef START
};

static const struct rj_config_key token_key = {
    .key = "token.",
    .type = RJ_CONFIG_TOKEN,
    .fallback = "",
    .live = true,
    .help = "token of a bucket for Redis clients",
};

const struct rj_config_key *rj_config_key(size_t i)
{
    return i < sizeof(keys) / sizeof(keys[0]) ? &keys[i] : NULL;
}

/* ---- what a value may be */

static bool is_name(const char *value)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-";

    return strlen(value) <= RJ_NAME_MAX && value[strspn(value, allowed)] == '\0';
}

static bool is_uint(const char *value, uint64_t max)
{
    uint64_t n = 0;

    if (*value == '\0')
        return false;
    for (; *value != '\0'; value++) {
        uint64_t digit = (uint64_t)(*value - '0');

        if (*value < '0' || *value > '9' || n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    return true;
}

static bool is_host(const char *value)
{
    struct rj_bytes b = rj_bytes_from_str(value);
    struct rj_ticket_endpoint e;

    /* An endpoint without a port: what it gives back is the whole. */
    return b.len == 0 ||
           (rj_ticket_endpoint(b, 1, &e) == RJ_OK && strcmp(e.host, value) == 0);
}

static bool is_list(const char *value)
{
    struct rj_bytes rest = rj_bytes_from_str(value);
    size_t count = 0;

    while (rest.len > 0) {
        const uint8_t *comma = memchr(rest.ptr, ',', rest.len);
        size_t len = comma != NULL ? (size_t)(comma - rest.ptr) : rest.len;
        struct rj_ticket_endpoint e;

        if (++count > RJ_ADDRESSES_MAX || (comma != NULL && len + 1 == rest.len) ||
            rj_ticket_endpoint(rj_bytes_first(rest, len), RJ_TICKET_PORT, &e) != RJ_OK)
            return false;
        rest = rj_bytes_skip(rest, comma != NULL ? len + 1 : len);
    }
    return true;
}

static bool is_token(const char *value)
{
    size_t len = strlen(value);

    for (size_t i = 0; i < len; i++) {
        if (value[i] <= ' ' || value[i] > '~' || value[i] == ';' || value[i] == '#')
            return false;
    }
    return len > 0 && len <= RJ_CONFIG_TOKEN_MAX;
}

/* Long enough that nobody guesses it, or where it is; or none. */
static bool is_secret(const char *value)
{
    if (value[0] == '\0')
        return true;
    return is_token(value) && (value[0] == '/' || strlen(value) >= RJ_SITE_KEY_MIN);
}

static bool is_command(const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value < ' ' || *value > '~' || *value == ';' || *value == '#')
            return false;
    }
    return true;
}

/* What a value of that type must be, or NULL when value is one. */
static const char *refuse(enum rj_config_type type, const char *value)
{
    enum rj_note_level level;

    switch (type) {
    case RJ_CONFIG_PORT:
        return is_uint(value, UINT16_MAX) ? NULL : "a port, 0 to 65535";
    case RJ_CONFIG_UINT:
        return is_uint(value, UINT64_MAX) ? NULL : "a whole number";
    case RJ_CONFIG_HOST:
        return is_host(value) ? NULL : "a numeric address or a host name";
    case RJ_CONFIG_LIST:
        return is_list(value) ? NULL : "a list host:port,host:port...";
    case RJ_CONFIG_NAME:
        return is_name(value) ? NULL : "at most 64 letters, digits, dots, - and _";
    case RJ_CONFIG_DURABILITY:
        return strcmp(value, "always") == 0 || strcmp(value, "second") == 0 ||
                       strcmp(value, "none") == 0
                   ? NULL
                   : "always, second or none";
    case RJ_CONFIG_PATH:
        return value[0] == '\0' || (value[0] == '/' && is_command(value))
                   ? NULL
                   : "an absolute path";
    case RJ_CONFIG_YES_NO:
        return strcmp(value, "yes") == 0 || strcmp(value, "no") == 0 ? NULL : "yes or no";
    case RJ_CONFIG_LEVEL:
        return rj_logger_level(value, &level) == RJ_OK ? NULL
                                                       : "error, warn, info or debug";
    case RJ_CONFIG_TOKEN:
        return is_token(value) ? NULL : "1 to 100 printable characters without ; and #";
    case RJ_CONFIG_SECRET:
        return is_secret(value)
                   ? NULL
                   : "16 to 100 printable characters without ; and #, or a /path";
    case RJ_CONFIG_COMMAND:
        return is_command(value) ? NULL : "a command without ; and #";
    }
    return "of a known type";
}

const struct rj_config_key *rj_config_find(const char *key)
{
    static const char token[] = "token.";

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(key, keys[i].key) == 0)
            return &keys[i];
    }
    if (strncmp(key, token, sizeof(token) - 1) == 0 && key[sizeof(token) - 1] != '\0' &&
        is_name(key + sizeof(token) - 1))
        return &token_key;
    return NULL;
}

/* ---- what is set */

static void items_free(struct rj_config_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(items[i].key);
        free(items[i].value);
    }
    free(items);
}

static struct rj_config_item *item_of(const struct rj_config *c, const char *key)
{
    for (size_t i = 0; i < c->n_items; i++) {
        if (strcmp(c->items[i].key, key) == 0)
            return &c->items[i];
    }
    return NULL;
}

static enum rj_err item_add(struct rj_config *c, const char *key, const char *value)
{
    struct rj_config_item *grown;
    struct rj_config_item item;

    if (c->n_items == RJ_CONFIG_ITEMS_MAX)
        return RJ_ELIMIT;
    grown = rj_alloc_resize(c->items, c->n_items + 1, sizeof(*grown));
    if (grown == NULL)
        return RJ_ENOMEM;
    c->items = grown;
    item.key = strdup(key);
    item.value = strdup(value);
    if (item.key == NULL || item.value == NULL) {
        free(item.key);
        free(item.value);
        return RJ_ENOMEM;
    }
    c->items[c->n_items++] = item;
    return RJ_OK;
}

/* A second line of a list adds to it. */
static enum rj_err item_append(struct rj_config_item *item, const char *value)
{
    size_t old = strlen(item->value), more = strlen(value);
    char *grown;

    if (old + 1 + more > RJ_CONFIG_VALUE_MAX)
        return RJ_ELIMIT;
    grown = rj_alloc_resize(item->value, old + 1 + more + 1, 1);
    if (grown == NULL)
        return RJ_ENOMEM;
    if (old > 0 && more > 0)
        grown[old++] = ',';
    memcpy(grown + old, value, more + 1);
    item->value = grown;
    return RJ_OK;
}

/* ---- reading */

/* What the callback of inih works on. */
struct reading {
    struct rj_config fresh;
    enum rj_err err;
    char why[200];
};

static enum rj_err take(struct reading *r, const char *name, const char *value)
{
    const struct rj_config_key *key = rj_config_find(name);
    struct rj_config_item *item;
    const char *must;

    if (key == NULL) {
        rj_why_set(r->why, sizeof(r->why), "there is no key %.100s", name);
        return RJ_EINVAL;
    }
    must = refuse(key->type, value);
    if (must != NULL) {
        rj_why_set(r->why, sizeof(r->why), "%.100s must be %s", name, must);
        return RJ_EINVAL;
    }
    item = item_of(&r->fresh, name);
    if (item == NULL)
        return item_add(&r->fresh, name, value);
    if (key->type == RJ_CONFIG_LIST)
        return item_append(item, value);
    rj_why_set(r->why, sizeof(r->why), "%.100s is there twice", name);
    return RJ_EINVAL;
}

/* Called by inih for each setting; 0 makes it report the line. */
static int on_setting(void *user, const char *section, const char *name,
                      const char *value)
{
    struct reading *r = user;
    char key[RJ_CONFIG_KEY_MAX + 1];
    int n;

    if (r->err != RJ_OK)
        return 1;
    n = snprintf(key, sizeof(key), "%s.%s", section, name);
    if (n < 0 || (size_t)n >= sizeof(key)) {
        rj_why_set(r->why, sizeof(r->why), "the key is too long");
        r->err = RJ_EINVAL;
    } else {
        r->err = take(r, key, value);
    }
    return r->err == RJ_OK;
}

/* inih cuts longer lines in two without a word; 0: there is none. */
static size_t long_line(struct rj_bytes text)
{
    size_t line = 1, len = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            len = 0;
        } else if (++len > RJ_CONFIG_LINE_MAX) {
            return line;
        }
    }
    return 0;
}

/* Reads text into r->fresh, which the caller frees. */
static enum rj_err parse(struct rj_config *c, const char *path, struct rj_buf *text,
                         struct reading *r)
{
    size_t too_long = long_line(rj_buf_view(text));
    int line;

    if (text->len > 0 && memchr(text->ptr, '\0', text->len) != NULL) {
        rj_why_set(c->why, sizeof(c->why), "%s: holds a NUL byte", path);
        return RJ_EINVAL;
    }
    if (too_long > 0) {
        rj_why_set(c->why, sizeof(c->why), "%s:%zu: the line is longer than %d bytes",
                   path, too_long, RJ_CONFIG_LINE_MAX);
        return RJ_EINVAL;
    }
    line = ini_parse_string(rj_buf_str(text), on_setting, r);
    if (line == 0)
        return RJ_OK;
    if (r->err == RJ_OK || r->why[0] == '\0')
        rj_why_set(r->why, sizeof(r->why), "%s",
                   r->err == RJ_OK ? "neither [section] nor key = value"
                                   : rj_err_text(r->err));
    rj_why_set(c->why, sizeof(c->why), "%s:%d: %s", path, line, r->why);
    return line < 0 ? RJ_ENOMEM : r->err != RJ_OK ? r->err : RJ_EINVAL;
}

static enum rj_err read_file(struct rj_config *c, const char *path, struct rj_buf *ret)
{
    enum rj_err err = rj_file_read(path, RJ_CONFIG_FILE_MAX, c->why, sizeof(c->why), ret);

    return err == RJ_ENOENT ? RJ_OK : err;
}

enum rj_err rj_config_load(struct rj_config *c, const char *path)
{
    struct reading r = {0};
    struct rj_buf text = {0};
    char *copy = strdup(path);
    enum rj_err err = copy != NULL ? RJ_OK : RJ_ENOMEM;

    if (err == RJ_OK)
        err = read_file(c, path, &text);
    if (err == RJ_OK)
        err = parse(c, path, &text, &r);
    if (err == RJ_OK) {
        rj_config_done(c);
        c->path = copy;
        copy = NULL;
        c->items = r.fresh.items;
        c->n_items = r.fresh.n_items;
        r.fresh = (struct rj_config){0};
    }
    items_free(r.fresh.items, r.fresh.n_items);
    rj_buf_done(&text);
    free(copy);
    return err;
}

const char *rj_config_get(const struct rj_config *c, const char *key)
{
    const struct rj_config_item *item = item_of(c, key);
    const struct rj_config_key *known;

    if (item != NULL)
        return item->value;
    known = rj_config_find(key);
    return known != NULL ? known->fallback : "";
}

const char *rj_config_shown(const struct rj_config *c, const char *key)
{
    const struct rj_config_key *known = rj_config_find(key);
    bool secret = known != NULL && known->type == RJ_CONFIG_SECRET;
    const char *value = rj_config_get(c, key);

    return secret && value[0] != '\0' ? "(hidden)" : value;
}

uint64_t rj_config_uint(const struct rj_config *c, const char *key)
{
    return strtoull(rj_config_get(c, key), NULL, 10);
}

bool rj_config_is_set(const struct rj_config *c, const char *key)
{
    return item_of(c, key) != NULL;
}

/* ---- writing */

/* What the editor of the file knows while it walks the lines. */
struct edit {
    struct rj_buf out;
    struct rj_bytes section, name; /* of the key that changes */
    const char *value;             /* NULL: it goes */
    bool is_list;
    bool in_section; /* the line belongs to its section */
    bool dropping;   /* the last setting was of that key: its continuation goes too */
    bool done;       /* the new lines are written */
};

static void put_lines(struct edit *e)
{
    struct rj_bytes rest = rj_bytes_from_str(e->value);

    e->done = true;
    if (e->value == NULL)
        return;
    do {
        const uint8_t *comma =
            e->is_list && rest.len > 0 ? memchr(rest.ptr, ',', rest.len) : NULL;
        size_t len = comma != NULL ? (size_t)(comma - rest.ptr) : rest.len;

        rj_buf_append(&e->out, e->name);
        rj_buf_append_str(&e->out, len > 0 ? " = " : " =");
        rj_buf_append(&e->out, rj_bytes_first(rest, len));
        rj_buf_append_str(&e->out, "\n");
        rest = rj_bytes_skip(rest, comma != NULL ? len + 1 : len);
    } while (rest.len > 0);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The name of a setting in a line; empty when it is none. */
static struct rj_bytes name_in(struct rj_bytes line)
{
    size_t n = 0;

    while (n < line.len && line.ptr[n] != '=' && line.ptr[n] != ':')
        n++;
    if (n == line.len)
        return (struct rj_bytes){0};
    while (n > 0 && is_blank(line.ptr[n - 1]))
        n--;
    return rj_bytes_first(line, n);
}

static void edit_line(struct edit *e, struct rj_bytes line)
{
    struct rj_bytes text = line;
    bool indented;

    while (text.len > 0 && is_blank(text.ptr[0]))
        text = rj_bytes_skip(text, 1);
    indented = text.len < line.len;
    if (text.len > 0 && text.ptr[0] == '[') {
        const uint8_t *end = memchr(text.ptr, ']', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) - 1 : 0;

        if (e->in_section && !e->done)
            put_lines(e);
        e->in_section =
            rj_bytes_equal(rj_bytes_first(rj_bytes_skip(text, 1), len), e->section);
        e->dropping = false;
    } else if (text.len > 0 && text.ptr[0] != ';' && text.ptr[0] != '#') {
        if (!(indented && e->dropping))
            e->dropping = e->in_section && rj_bytes_equal(name_in(text), e->name);
        if (e->dropping) {
            if (!e->done)
                put_lines(e);
            return;
        }
    }
    rj_buf_append(&e->out, line);
    rj_buf_append_str(&e->out, "\n");
}

/* The whole text with the lines of the key replaced. */
static void edit_text(struct edit *e, struct rj_bytes text)
{
    while (text.len > 0) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;

        edit_line(e, rj_bytes_first(text, len));
        text = rj_bytes_skip(text, end != NULL ? len + 1 : len);
    }
    if (e->done || e->value == NULL)
        return;
    if (!e->in_section) {
        rj_buf_append_str(&e->out, e->out.len > 0 ? "\n[" : "[");
        rj_buf_append(&e->out, e->section);
        rj_buf_append_str(&e->out, "]\n");
    }
    put_lines(e);
}

static enum rj_err check_setting(struct rj_config *c, const char *key, const char *value)
{
    const struct rj_config_key *known = rj_config_find(key);
    const char *must;

    if (known == NULL) {
        rj_why_set(c->why, sizeof(c->why), "there is no key %.100s", key);
        return RJ_ENOENT;
    }
    if (strlen(key) > RJ_CONFIG_KEY_MAX ||
        (value != NULL && strlen(value) > RJ_CONFIG_VALUE_MAX)) {
        rj_why_set(c->why, sizeof(c->why), "%.80s: the value is too long", key);
        return RJ_EINVAL;
    }
    must = value != NULL ? refuse(known->type, value) : NULL;
    if (must == NULL)
        return RJ_OK;
    rj_why_set(c->why, sizeof(c->why), "%s must be %s", key, must);
    return RJ_EINVAL;
}

enum rj_err rj_config_set(struct rj_config *c, const char *key, const char *value)
{
    const char *dot = strchr(key, '.');
    struct rj_file_options options = {.mode = 0600};
    struct reading r = {0};
    struct rj_buf text = {0};
    struct edit e = {.value = value};
    enum rj_err err = check_setting(c, key, value);

    if (err != RJ_OK || dot == NULL)
        return err != RJ_OK ? err : RJ_EINVAL;
    e.section = rj_bytes_of(key, (size_t)(dot - key));
    e.name = rj_bytes_from_str(dot + 1);
    e.is_list = rj_config_find(key)->type == RJ_CONFIG_LIST;
    err = read_file(c, c->path, &text);
    if (err == RJ_OK) {
        edit_text(&e, rj_buf_view(&text));
        err = rj_buf_err(&e.out);
    }
    if (err == RJ_OK) /* nothing is written that would not be read again */
        err = parse(c, c->path, &e.out, &r);
    if (err == RJ_OK)
        err = rj_file_replace(c->path, rj_buf_view(&e.out), &options, c->why,
                              sizeof(c->why));
    if (err == RJ_OK) {
        items_free(c->items, c->n_items);
        c->items = r.fresh.items;
        c->n_items = r.fresh.n_items;
        r.fresh = (struct rj_config){0};
    }
    items_free(r.fresh.items, r.fresh.n_items);
    rj_buf_done(&e.out);
    rj_buf_done(&text);
    return err;
}

void rj_config_done(struct rj_config *c)
{
    if (c == NULL)
        return;
    items_free(c->items, c->n_items);
    free(c->path);
    *c = (struct rj_config){0};
}
