/* SPDX-License-Identifier: Apache-2.0 */
/* The Redis protocol over TLS: port.resps, with the certificate of resp.cert and
 * resp.key, or one that is made beside the data (resp.crt, resp.key), for clients to
 * trust. */
#include "daemon/respd_inner.h"
#include "posix/file.h"
#include "posix/tls.h"

#include <stdio.h>

static const char *path_of(const struct rj_respd_options *o, const char *key,
                           const char *fallback, char room[RJ_FILE_PATH_MAX])
{
    const char *set = rj_config_get(o->config, key);

    if (set[0] != '\0')
        return set;
    (void)snprintf(room, RJ_FILE_PATH_MAX, "%s/%s", o->data_dir, fallback);
    return room;
}

enum rj_err rj_respd_listen_tls(struct rj_respd *r, char *why, size_t why_len)
{
    struct rj_respd_options *o = &r->options;
    struct rj_conn_options options = {.ops = &rj_respd_conn_ops, .ctx = r};
    char cert[RJ_FILE_PATH_MAX], key[RJ_FILE_PATH_MAX];
    const struct rj_tls_files files = {
        .cert = path_of(o, "resp.cert", "resp.crt", cert),
        .key = path_of(o, "resp.key", "resp.key", key),
        .ca = rj_config_get(o->config, "resp.ca"),
        .make = !rj_config_is_set(o->config, "resp.cert"),
        .why = why,
        .why_len = why_len,
    };
    enum rj_err err;

    if (o->tls_port == 0)
        return RJ_OK;
    err = rj_tls_ctx_server(&files, &r->tls);
    if (err != RJ_OK)
        return err;
    options.tls = r->tls;
    return rj_listener_tcp(o->loop, o->listen_host[0] != '\0' ? o->listen_host : NULL,
                           o->tls_port, &options, &r->tls_listener);
}
