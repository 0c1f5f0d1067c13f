/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of http_web.c where libmicrohttpd is not there. */
#include "daemon/web.h"

#ifndef RJ_HAVE_http
enum rj_err rj_web_new(struct rj_daemon *d, struct rj_web **ret_web)
{
    (void)d;
    (void)ret_web;
    return RJ_EUPGRADE;
}

void rj_web_url(const struct rj_web *w, char ret[RJ_WEB_URL_MAX])
{
    (void)w;
    ret[0] = '\0';
}

void rj_web_stop(struct rj_web *w)
{
    (void)w;
}

void rj_web_free(struct rj_web *w)
{
    (void)w;
}
#else
extern const char rj_web_is_there; /* a file must declare something */
#endif
