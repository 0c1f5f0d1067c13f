/* SPDX-License-Identifier: Apache-2.0 */
/* The book of pipes: one line a device, its id in hex, a blank, the host. Written whole,
 * as rare as people change it. A host that looks like an option of ssh would be one, so
 * neither it nor its user may begin with '-', and no character means anything to a shell
 * (ProxyCommand hands %h to one). */
#include "driver/pipes.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "posix/file.h"
#include "posix/why.h"

#include <stdio.h>

enum { HEX_LEN = 2 * RJ_DIGEST_LEN, FILE_MAX = 1024 * 1024 };

struct pipe {
    struct rj_digest device;
    char address[sizeof(RJ_PIPES_PREFIX) + RJ_PIPES_HOST_MAX];
};

struct rj_pipes {
    char *path;
    struct pipe items[RJ_PIPES_MAX];
    size_t n;
};

/* ---- hosts and commands */

static bool is_part(struct rj_bytes b, const char *extra)
{
    if (b.len == 0 || b.ptr[0] == '-')
        return false;
    for (size_t i = 0; i < b.len; i++) {
        uint8_t c = b.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' ||
              (c != '\0' && strchr(extra, c) != NULL)))
            return false;
    }
    return true;
}

bool rj_pipes_is_host(struct rj_bytes text)
{
    const uint8_t *at = text.len > 0 ? memchr(text.ptr, '@', text.len) : NULL;
    size_t user = at != NULL ? (size_t)(at - text.ptr) : 0;

    if (text.len == 0 || text.len > RJ_PIPES_HOST_MAX)
        return false;
    if (at != NULL && !is_part(rj_bytes_first(text, user), ""))
        return false;
    return is_part(at != NULL ? rj_bytes_skip(text, user + 1) : text, ":%");
}

enum rj_err rj_pipes_argv(const char *command, const char *host,
                          struct rj_pipes_argv *ret)
{
    size_t n = 0;
    char *word, *rest;

    if (!rj_pipes_is_host(rj_bytes_from_str(host)) ||
        strlen(command) > RJ_PIPES_COMMAND_MAX)
        return RJ_EINVAL;
    (void)snprintf(ret->text, sizeof(ret->text), "%s", command);
    (void)snprintf(ret->host, sizeof(ret->host), "%s", host);
    for (word = strtok_r(ret->text, " \t", &rest); word != NULL;
         word = strtok_r(NULL, " \t", &rest)) {
        if (n + 3 >= RJ_CONN_ARGS_MAX)
            return RJ_EINVAL;
        ret->argv[n++] = word;
    }
    if (n == 0)
        return RJ_EINVAL;
    ret->argv[n++] = ret->host;
    ret->argv[n++] = "rejoin";
    ret->argv[n++] = "pipe";
    ret->argv[n] = NULL;
    return RJ_OK;
}

/* ---- the book */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_line(struct rj_pipes *pipes, struct rj_bytes line)
{
    struct pipe *item = &pipes->items[pipes->n];
    struct rj_bytes host;

    if (pipes->n == RJ_PIPES_MAX || line.len < HEX_LEN + 2 || line.ptr[HEX_LEN] != ' ')
        return false;
    for (size_t i = 0; i < RJ_DIGEST_LEN; i++) {
        int high = hex_digit(line.ptr[2 * i]), low = hex_digit(line.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        item->device.b[i] = (uint8_t)(high << 4 | low);
    }
    host = rj_bytes_skip(line, HEX_LEN + 1);
    if (!rj_pipes_is_host(host))
        return false;
    (void)snprintf(item->address, sizeof(item->address), RJ_PIPES_PREFIX "%.*s",
                   (int)host.len, (const char *)host.ptr);
    pipes->n++;
    return true;
}

static enum rj_err read_book(struct rj_pipes *pipes, char *why, size_t why_len)
{
    struct rj_buf text = {0};
    struct rj_bytes rest;
    enum rj_err err = rj_file_read(pipes->path, FILE_MAX, why, why_len, &text);

    if (err == RJ_ENOENT)
        err = RJ_OK;
    rest = rj_buf_view(&text);
    while (err == RJ_OK && rest.len > 0) {
        const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.ptr) : rest.len;

        if (!read_line(pipes, rj_bytes_first(rest, len))) {
            rj_why_set(why, why_len, "%s: a line is not \"device host\"", pipes->path);
            err = RJ_ECORRUPT;
        }
        rest = rj_bytes_skip(rest, end != NULL ? len + 1 : len);
    }
    rj_buf_done(&text);
    return err;
}

static enum rj_err write_book(const struct rj_pipes *pipes)
{
    static const struct rj_file_options options = {.mode = 0600};
    struct rj_buf text = {0};
    enum rj_err err;

    for (size_t i = 0; i < pipes->n; i++) {
        for (size_t k = 0; k < RJ_DIGEST_LEN; k++)
            rj_buf_printf(&text, "%02x", pipes->items[i].device.b[k]);
        rj_buf_printf(&text, " %s\n",
                      pipes->items[i].address + sizeof(RJ_PIPES_PREFIX) - 1);
    }
    err = rj_buf_err(&text);
    if (err == RJ_OK)
        err = rj_file_replace(pipes->path, rj_buf_view(&text), &options, NULL, 0);
    rj_buf_done(&text);
    return err;
}

enum rj_err rj_pipes_open(const char *path, char *why, size_t why_len,
                          struct rj_pipes **ret_pipes)
{
    struct rj_pipes *pipes = rj_alloc_zero(1, sizeof(*pipes));
    enum rj_err err = RJ_ENOMEM;

    if (pipes != NULL)
        pipes->path = strdup(path);
    if (pipes != NULL && pipes->path != NULL)
        err = read_book(pipes, why, why_len);
    if (err != RJ_OK)
        rj_pipes_close(pipes);
    else
        *ret_pipes = pipes;
    return err;
}

void rj_pipes_close(struct rj_pipes *pipes)
{
    if (pipes == NULL)
        return;
    free(pipes->path);
    free(pipes);
}

static size_t find(const struct rj_pipes *pipes, const struct rj_digest *device)
{
    size_t i = 0;

    while (i < pipes->n &&
           memcmp(pipes->items[i].device.b, device->b, RJ_DIGEST_LEN) != 0)
        i++;
    return i;
}

const char *rj_pipes_address(const struct rj_pipes *pipes, const struct rj_digest *device)
{
    size_t i = find(pipes, device);

    return i < pipes->n ? pipes->items[i].address : NULL;
}

enum rj_err rj_pipes_set(struct rj_pipes *pipes, const struct rj_digest *device,
                         const char *host)
{
    size_t i = find(pipes, device), n = pipes->n;
    bool remove = host == NULL || host[0] == '\0';
    struct pipe old;
    enum rj_err err;

    if (!remove && !rj_pipes_is_host(rj_bytes_from_str(host)))
        return RJ_EINVAL;
    if (remove && i == n)
        return RJ_OK;
    if (i == RJ_PIPES_MAX)
        return RJ_ELIMIT;
    old = pipes->items[i];
    if (remove) {
        pipes->items[i] = pipes->items[--pipes->n];
    } else {
        pipes->items[i].device = *device;
        (void)snprintf(pipes->items[i].address, sizeof(pipes->items[i].address),
                       RJ_PIPES_PREFIX "%s", host);
        pipes->n += i == n;
    }
    err = write_book(pipes);
    if (err != RJ_OK) { /* as it was; its order means nothing */
        if (remove)
            pipes->items[n - 1] = pipes->items[i];
        pipes->items[i] = old;
        pipes->n = n;
    }
    return err;
}
