/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about the node as a whole: ping, status, watch, down. */
#include "daemon/status.h"
#include "daemon/verb.h"

enum rj_err rj_verb_ping(struct rj_call *c)
{
    struct rj_doc *doc = rj_call_doc(c);

    rj_doc_map(doc);
    rj_status_self(rj_call_daemon(c), doc);
    rj_doc_put_uint(doc, "control", RJ_MESSAGE_VERSION);
    rj_doc_put_uint(doc, "control_least", RJ_MESSAGE_LEAST);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}

enum rj_err rj_verb_web(struct rj_call *c)
{
    const struct rj_daemon *d = rj_call_daemon(c);
    struct rj_doc *doc = rj_call_doc(c);
    char url[RJ_WEB_URL_MAX];

    if (d->web == NULL)
        return rj_call_error(c, RJ_ENOENT,
                             "rejoin config set port.web 7342, then: rejoin down, "
                             "rejoin up",
                             "this node has no page (port.web is 0 or was taken)");
    rj_web_url(d->web, url);
    rj_doc_map(doc);
    rj_doc_put_str(doc, "url", url);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}

enum rj_err rj_verb_down(struct rj_call *c)
{
    enum rj_err err = rj_verb_ping(c);

    rj_daemon_stop(rj_call_daemon(c));
    return err;
}

enum rj_err rj_verb_watch(struct rj_call *c)
{
    rj_call_watch(c);
    return RJ_OK;
}

enum rj_err rj_verb_status(struct rj_call *c)
{
    struct rj_node *n = rj_verb_node(c);
    struct rj_space *only = NULL;
    struct rj_bytes name;
    enum rj_err err;

    if (n == NULL)
        return RJ_OK;
    if (rj_doc_get_text(rj_call_args(c), "name", &name)) {
        only = rj_verb_space(c, n);
        if (only == NULL)
            return RJ_OK;
    }
    err = rj_status_put(rj_call_daemon(c), n, only, rj_call_doc(c));
    if (err == RJ_OK)
        rj_call_reply(c, RJ_MESSAGE_RESULT);
    return err;
}
