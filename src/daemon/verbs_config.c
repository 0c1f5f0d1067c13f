/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about the configuration, for a daemon that runs (without one the command line
 * edits the file itself, with the same code). */
#include "daemon/verb.h"

static enum rj_err config_error(struct rj_call *c, enum rj_err err)
{
    return rj_call_error(c, err, "rejoin config list", "%s",
                         rj_call_daemon(c)->config.why);
}

enum rj_err rj_verb_config_get(struct rj_call *c)
{
    struct rj_config *config = &rj_call_daemon(c)->config;
    char key[RJ_CONFIG_KEY_MAX + 1];
    struct rj_doc *doc;

    if (!rj_verb_text(c, "key", key, sizeof(key)) || rj_config_find(key) == NULL)
        return rj_call_error(c, RJ_ENOENT, "rejoin config list", "there is no key %s",
                             key);
    doc = rj_call_doc(c);
    rj_doc_map(doc);
    rj_doc_put_str(doc, "key", key);
    rj_doc_put_str(doc, "value", rj_config_shown(config, key));
    rj_doc_put_bool(doc, "set", rj_config_is_set(config, key));
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}

enum rj_err rj_verb_config_set(struct rj_call *c)
{
    struct rj_daemon *d = rj_call_daemon(c);
    char key[RJ_CONFIG_KEY_MAX + 1], value[RJ_CONFIG_VALUE_MAX + 1];
    bool has_value = rj_verb_text(c, "value", value, sizeof(value));
    struct rj_doc *doc;
    enum rj_err err;

    if (!rj_verb_text(c, "key", key, sizeof(key)))
        return RJ_EINVAL;
    err = rj_config_set(&d->config, key, has_value ? value : NULL);
    if (err != RJ_OK)
        return config_error(c, err);
    rj_daemon_apply_config(d);
    doc = rj_call_doc(c);
    rj_doc_map(doc);
    rj_doc_put_str(doc, "key", key);
    rj_doc_put_str(doc, "value", rj_config_shown(&d->config, key));
    rj_doc_put_bool(doc, "restart", !rj_config_find(key)->live);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}

enum rj_err rj_verb_config_list(struct rj_call *c)
{
    struct rj_config *config = &rj_call_daemon(c)->config;
    struct rj_doc *doc = rj_call_doc(c);
    const struct rj_config_key *key;

    rj_doc_map(doc);
    rj_doc_put_str(doc, "file", config->path);
    rj_doc_key(doc, "keys");
    rj_doc_array(doc);
    for (size_t i = 0; (key = rj_config_key(i)) != NULL; i++) {
        rj_doc_map(doc);
        rj_doc_put_str(doc, "key", key->key);
        rj_doc_put_str(doc, "value", rj_config_shown(config, key->key));
        rj_doc_put_bool(doc, "set", rj_config_is_set(config, key->key));
        rj_doc_put_str(doc, "help", key->help);
        rj_doc_end(doc);
    }
    rj_doc_end(doc);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}
