/* SPDX-License-Identifier: Apache-2.0 */
/* The page over posix/http: its files are linked into the program, its data is the status
 * document as JSON, sent again each second to those who watch. */
#include "base/alloc.h"
#include "daemon/status.h"
#include "daemon/web.h"
#include "face/json.h"
#include "posix/http.h"
#include "posix/why.h"

#include <stdio.h>

/* The files of the page, as they are. */
#define RJ_FILE(symbol, path)                                                            \
    __asm__(".section .rodata\n" #symbol ":\n.incbin \"src/daemon/page/" path            \
            "\"\n" #symbol "_end:\n.byte 0\n.previous\n");                               \
    extern const uint8_t symbol[] __attribute__((visibility("hidden")));                 \
    extern const uint8_t symbol##_end[] __attribute__((visibility("hidden")))

RJ_FILE(rj_page_index, "index.html");
RJ_FILE(rj_page_script, "page.js");
RJ_FILE(rj_page_style, "page.css");

enum { PAGES = 7, PATH = RJ_FILE_PATH_MAX + 16 };

struct rj_web {
    struct rj_daemon *d;
    struct rj_http *http;
    struct rj_timer *timer;
    struct rj_http_page pages[PAGES + 1];
    char token[RJ_WEB_TOKEN_LEN + 1];
    char name[RJ_HTTP_HOST_MAX + 1];
    const char *host;
    uint16_t port;
};

/* ---- pages */

static unsigned metrics(void *ctx, struct rj_buf *out)
{
    rj_metrics_put(((struct rj_web *)ctx)->d, out);
    return 200;
}

static unsigned health(void *ctx, struct rj_buf *out)
{
    const struct rj_daemon *d = ((struct rj_web *)ctx)->d;
    struct rj_node *n = rj_engine_node(d->engine);
    const char *word = n == NULL     ? "the store is being opened again\n"
                       : d->stopping ? "stopping\n"
                                     : "ok\n";
    struct rj_space_info info;
    struct rj_space *s;

    for (size_t i = 0; n != NULL && (s = rj_node_space_at(n, i)) != NULL; i++) {
        rj_space_info(s, rj_loop_now(d->loop), &info);
        if (info.refuse == RJ_EFULL || info.refuse == RJ_EIO)
            word = "the disk is full\n";
    }
    rj_buf_append(out, rj_bytes_from_str(word));
    return word[0] == 'o' ? 200 : 503;
}

/* The status as one line of JSON. RJ_EBUSY: there is no instance at the moment. */
static enum rj_err status_json(const struct rj_web *w, char **ret)
{
    struct rj_node *n = rj_engine_node(w->d->engine);
    struct rj_doc doc = {0};
    struct rj_bytes bytes;
    json_t *json = NULL;
    enum rj_err err = n == NULL ? RJ_EBUSY : rj_status_put(w->d, n, NULL, &doc);

    if (err == RJ_OK)
        err = rj_doc_view(&doc, &bytes);
    if (err == RJ_OK)
        json = rj_json_of(bytes);
    rj_doc_done(&doc);
    if (err != RJ_OK)
        return err;
    *ret = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return *ret != NULL ? RJ_OK : RJ_ENOMEM;
}

static unsigned status(void *ctx, struct rj_buf *out)
{
    char *text = NULL;

    if (status_json(ctx, &text) != RJ_OK)
        return 503;
    rj_buf_append(out, rj_bytes_from_str(text));
    free(text);
    return 200;
}

static void tick(void *ctx)
{
    struct rj_web *w = ctx;
    struct rj_mono at = rj_loop_now(w->d->loop).mono;
    char *text = NULL;

    if (rj_http_streams(w->http) == 0)
        return;
    if (status_json(w, &text) == RJ_OK &&
        rj_http_publish(w->http, rj_bytes_from_str(text)) != RJ_OK)
        rj_logger_line(&w->d->log, RJ_NOTE_WARN, "web.event_lost");
    free(text);
    at.ms += RJ_WEB_TICK_MS;
    rj_timer_set(w->timer, at);
}

/* Somebody came: it is told at once. */
static void on_streams(void *ctx, size_t n)
{
    struct rj_web *w = ctx;

    if (n > 0)
        rj_timer_set(w->timer, rj_loop_now(w->d->loop).mono);
}

/* What lies between two symbols of the linker; in C they are two objects. */
static struct rj_bytes between(const void *from, const void *end)
{
    return rj_bytes_of(from, (size_t)((uintptr_t)end - (uintptr_t)from));
}

static void list_pages(struct rj_web *w)
{
    const struct rj_http_page pages[PAGES] = {
        {.path = "/",
         .type = "text/html; charset=utf-8",
         .access = RJ_HTTP_TOKEN,
         .fixed = between(rj_page_index, rj_page_index_end)},
        {.path = "/page.js",
         .type = "text/javascript; charset=utf-8",
         .access = RJ_HTTP_OPEN,
         .fixed = between(rj_page_script, rj_page_script_end)},
        {.path = "/page.css",
         .type = "text/css; charset=utf-8",
         .access = RJ_HTTP_OPEN,
         .fixed = between(rj_page_style, rj_page_style_end)},
        {.path = "/events",
         .type = "text/event-stream",
         .access = RJ_HTTP_TOKEN,
         .stream = true},
        {.path = "/status.json",
         .type = "application/json",
         .access = RJ_HTTP_TOKEN,
         .fill = status},
        {.path = "/metrics",
         .type = "text/plain; version=0.0.4; charset=utf-8",
         .access = RJ_HTTP_LOCAL,
         .fill = metrics},
        {.path = "/healthz",
         .type = "text/plain; charset=utf-8",
         .access = RJ_HTTP_OPEN,
         .fill = health},
    };

    memcpy(w->pages, pages, sizeof(pages));
}

/* ---- the token */

static enum rj_err make_token(struct rj_web *w, const char *path)
{
    struct rj_env *env = rj_crypto_env(w->d->crypto);
    uint8_t raw[RJ_WEB_TOKEN_LEN / 2];
    enum rj_err err = env->ops->random(env, raw, sizeof(raw));

    if (err != RJ_OK)
        return err;
    for (size_t i = 0; i < sizeof(raw); i++)
        (void)snprintf(w->token + 2 * i, 3, "%02x", raw[i]);
    return rj_file_replace(path, rj_bytes_from_str(w->token), NULL, w->d->why,
                           sizeof(w->d->why));
}

static enum rj_err take_token(struct rj_web *w)
{
    struct rj_buf text = {0};
    char path[PATH];
    enum rj_err err;

    (void)snprintf(path, sizeof(path), "%s/web.token", w->d->home.dirs.data);
    err = rj_file_read_private(path, RJ_WEB_TOKEN_LEN + 1, w->d->why, sizeof(w->d->why),
                               &text);
    if (err == RJ_OK && text.len >= RJ_WEB_TOKEN_LEN)
        memcpy(w->token, text.ptr, RJ_WEB_TOKEN_LEN);
    else if (err == RJ_OK || err == RJ_ENOENT || err == RJ_ELIMIT)
        err = make_token(w, path);
    rj_buf_done(&text);
    return err;
}

/* ---- life */

void rj_web_url(const struct rj_web *w, char ret[RJ_WEB_URL_MAX])
{
    bool any = w->host[0] == '\0' || strcmp(w->host, "0.0.0.0") == 0 ||
               strcmp(w->host, "::") == 0;
    bool six = !any && strchr(w->host, ':') != NULL;

    (void)snprintf(ret, RJ_WEB_URL_MAX, "http://%s%s%s:%u/?token=%s", six ? "[" : "",
                   any ? "127.0.0.1" : w->host, six ? "]" : "", w->port, w->token);
}

enum rj_err rj_web_new(struct rj_daemon *d, struct rj_web **ret_web)
{
    struct rj_web *w = rj_alloc_zero(1, sizeof(*w));
    struct rj_http_options options = {.loop = d->loop, .on_streams = on_streams};
    enum rj_err err;

    if (w == NULL)
        return RJ_ENOMEM;
    w->d = d;
    w->host = d->listen_web;
    w->port = d->port_web;
    list_pages(w);
    err = take_token(w);
    if (err == RJ_OK)
        err = rj_timer_new(d->loop, tick, w, &w->timer);
    options.host = w->host;
    options.port = w->port;
    (void)snprintf(w->name, sizeof(w->name), "%s", rj_config_get(&d->config, "web.name"));
    options.names = w->name;
    options.token = w->token;
    options.pages = w->pages;
    options.ctx = w;
    if (err == RJ_OK)
        err = rj_http_new(&options, &w->http);
    if (err == RJ_OK)
        *ret_web = w;
    else
        rj_web_free(w);
    return err;
}

void rj_web_stop(struct rj_web *w)
{
    if (w != NULL)
        rj_http_stop(w->http);
}

void rj_web_free(struct rj_web *w)
{
    if (w == NULL)
        return;
    rj_http_free(w->http);
    rj_timer_free(w->timer);
    free(w);
}
