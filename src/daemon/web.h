/* SPDX-License-Identifier: Apache-2.0 */
/* The page, and what monitors read: `/` (for people, live), `/metrics` (Prometheus text
 * format 0.0.4), `/healthz`. Read-only; on loopback unless set otherwise. */
#ifndef RJ_DAEMON_WEB_H
#define RJ_DAEMON_WEB_H

#include "base/buf.h"

#include <rejoin/error.h>

struct rj_daemon;
struct rj_web;

enum {
    RJ_WEB_TICK_MS = 1000, /* between two events to those who watch */
    RJ_WEB_TOKEN_LEN = 32, /* digits of the token */
    RJ_WEB_URL_MAX = 512
};

/* Makes the token where there is none (web.token beside the data, 0600) and listens at
 * listen.web, port.web. RJ_EBUSY, RJ_EINVAL, RJ_EDENIED as rj_http_new; RJ_EUPGRADE:
 * built without HTTP; RJ_EIO, RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_web_new(struct rj_daemon *d, struct rj_web **ret_web);
/* The address of the page with the token: whoever has it may look. */
void rj_web_url(const struct rj_web *w, char ret[RJ_WEB_URL_MAX]);
void rj_web_stop(struct rj_web *w); /* NULL is accepted */
void rj_web_free(struct rj_web *w); /* NULL is accepted */

/* Appends what `/metrics` says. */
void rj_metrics_put(const struct rj_daemon *d, struct rj_buf *out);

#endif
