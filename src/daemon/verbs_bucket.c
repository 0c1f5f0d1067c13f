/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about buckets as a whole: add, list, show, set, remove. */
#include "daemon/status.h"
#include "daemon/verb.h"

#include <stdio.h>

enum { TOKEN_CHARS = 26 }; /* 130 bits in base32 */

static enum rj_err answer_space(struct rj_call *c, struct rj_space *s)
{
    struct rj_doc *doc = rj_call_doc(c);

    rj_doc_map(doc);
    rj_status_space(rj_call_daemon(c), doc, s);
    rj_doc_end(doc);
    return rj_verb_done_after_commit(c, s);
}

enum rj_err rj_verb_bucket_add(struct rj_call *c)
{
    struct rj_daemon *d = rj_call_daemon(c);
    struct rj_node *n = rj_verb_node(c);
    struct rj_space_opts opts = {.kind = RJ_KIND_BUCKET};
    struct rj_space *s = NULL;
    char word[32];
    enum rj_err err;

    if (n == NULL || !rj_verb_need(c, "name", &opts.name))
        return RJ_OK;
    if (!rj_verb_text(c, "durability", word, sizeof(word)))
        (void)snprintf(word, sizeof(word), "%s",
                       rj_config_get(&d->config, "bucket.durability"));
    if (rj_verb_durability(word, &opts.durability) != RJ_OK)
        return rj_call_error(c, RJ_EINVAL, "--durability always|second|none",
                             "%s is no durability", word);
    if (rj_verb_text(c, "policy", word, sizeof(word)) &&
        rj_verb_policy(word, &opts.policy) != RJ_OK)
        return rj_call_error(c, RJ_EINVAL, "--policy merge|delete-wins",
                             "%s is no policy", word);
    err = rj_node_space_add(n, &opts, rj_verb_now(c), &s);
    if (err == RJ_EEXIST)
        return rj_call_error(c, err, "rejoin bucket list",
                             "there is a bucket %.*s already", (int)opts.name.len,
                             (const char *)opts.name.ptr);
    if (err == RJ_EINVAL)
        return rj_call_error(c, err, "rejoin bucket add my-notes",
                             "a name is 1 to %d of letters, digits, dots, - and _",
                             RJ_NAME_MAX);
    if (err != RJ_OK)
        return err;
    rj_engine_touch(d->engine);
    rj_logger_line(&d->log, RJ_NOTE_INFO, "bucket.added name=%s", rj_space_name(s));
    return answer_space(c, s);
}

enum rj_err rj_verb_bucket_list(struct rj_call *c)
{
    struct rj_node *n = rj_verb_node(c);
    struct rj_doc *doc;
    struct rj_space *s;

    if (n == NULL)
        return RJ_OK;
    doc = rj_call_doc(c);
    rj_doc_map(doc);
    rj_doc_key(doc, "buckets");
    rj_doc_array(doc);
    for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++) {
        rj_doc_map(doc);
        rj_status_space(rj_call_daemon(c), doc, s);
        rj_doc_end(doc);
    }
    rj_doc_end(doc);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}

/* ---- tokens */

static void token_key(char ret[RJ_CONFIG_KEY_MAX + 1], const char *name)
{
    (void)snprintf(ret, RJ_CONFIG_KEY_MAX + 1, "token.%s", name);
}

/* Draws a token and stores it. */
static enum rj_err token_make(struct rj_daemon *d, const char *name)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    struct rj_env *env = rj_crypto_env(d->crypto);
    char key[RJ_CONFIG_KEY_MAX + 1], token[TOKEN_CHARS + 1];
    uint8_t raw[TOKEN_CHARS];
    enum rj_err err = env->ops->random(env, raw, sizeof(raw));

    if (err != RJ_OK)
        return err;
    for (size_t i = 0; i < TOKEN_CHARS; i++)
        token[i] = alphabet[raw[i] % 32];
    token[TOKEN_CHARS] = '\0';
    token_key(key, name);
    err = rj_config_set(&d->config, key, token);
    rj_bytes_wipe(token, sizeof(token));
    rj_bytes_wipe(raw, sizeof(raw));
    return err;
}

static enum rj_err config_error(struct rj_call *c, enum rj_err err)
{
    return rj_call_error(c, err, "", "%s", rj_call_daemon(c)->config.why);
}

enum rj_err rj_verb_bucket_show(struct rj_call *c)
{
    struct rj_daemon *d = rj_call_daemon(c);
    struct rj_node *n = rj_verb_node(c);
    struct rj_space *s = n != NULL ? rj_verb_space(c, n) : NULL;
    char key[RJ_CONFIG_KEY_MAX + 1], name[RJ_NAME_MAX + 1];
    struct rj_doc *doc;
    bool want_token = false;

    if (s == NULL)
        return RJ_OK;
    (void)rj_verb_text(c, "name", name, sizeof(name));
    (void)rj_doc_get_bool(rj_call_args(c), "token", &want_token);
    token_key(key, name);
    if (want_token && !rj_config_is_set(&d->config, key)) {
        enum rj_err err = token_make(d, name);

        if (err != RJ_OK)
            return config_error(c, err);
    }
    doc = rj_call_doc(c);
    rj_doc_map(doc);
    rj_status_space(rj_call_daemon(c), doc, s);
    rj_status_limits(rj_call_daemon(c), doc, s);
    rj_doc_put_bool(doc, "has_token", rj_config_is_set(&d->config, key));
    rj_doc_put_uint(doc, "port_resp", d->port_resp);
    if (want_token)
        rj_doc_put_str(doc, "token", rj_config_get(&d->config, key));
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}

enum rj_err rj_verb_bucket_set(struct rj_call *c)
{
    struct rj_daemon *d = rj_call_daemon(c);
    struct rj_node *n = rj_verb_node(c);
    struct rj_space *s = n != NULL ? rj_verb_space(c, n) : NULL;
    char key[RJ_CONFIG_KEY_MAX + 1], name[RJ_NAME_MAX + 1], word[RJ_CONFIG_TOKEN_MAX + 1];
    enum rj_durability durability;
    bool flag = false;
    enum rj_err err = RJ_OK;

    if (s == NULL)
        return RJ_OK;
    (void)rj_verb_text(c, "name", name, sizeof(name));
    if (rj_verb_text(c, "durability", word, sizeof(word))) {
        if (rj_verb_durability(word, &durability) != RJ_OK)
            return rj_call_error(c, RJ_EINVAL, "durability=always|second|none",
                                 "%s is no durability", word);
        rj_space_set_durability(s, durability);
    }
    if (rj_verb_text(c, "token", word, sizeof(word))) {
        token_key(key, name);
        err = rj_config_set(&d->config, key, strcmp(word, "none") == 0 ? NULL : word);
    }
    if (err == RJ_OK && rj_doc_get_bool(rj_call_args(c), "default", &flag) && flag)
        err = rj_config_set(&d->config, "resp.bucket", name);
    if (err != RJ_OK)
        return config_error(c, err);
    return answer_space(c, s);
}

enum rj_err rj_verb_bucket_remove(struct rj_call *c)
{
    struct rj_daemon *d = rj_call_daemon(c);
    struct rj_node *n = rj_verb_node(c);
    struct rj_space *s = n != NULL ? rj_verb_space(c, n) : NULL;
    char key[RJ_CONFIG_KEY_MAX + 1], name[RJ_NAME_MAX + 1];
    enum rj_err err;

    if (s == NULL)
        return RJ_OK;
    (void)rj_verb_text(c, "name", name, sizeof(name));
    err = rj_node_space_remove(n, s);
    if (err != RJ_OK)
        return err;
    rj_engine_touch(d->engine);
    rj_logger_line(&d->log, RJ_NOTE_INFO, "bucket.removed name=%s", name);
    rj_respd_forget(d->respd, name);
    token_key(key, name);
    if (rj_config_is_set(&d->config, key))
        err = rj_config_set(&d->config, key, NULL);
    if (err == RJ_OK && strcmp(rj_config_get(&d->config, "resp.bucket"), name) == 0)
        err = rj_config_set(&d->config, "resp.bucket", NULL);
    return err == RJ_OK ? rj_verb_done(c) : config_error(c, err);
}
