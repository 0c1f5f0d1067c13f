/* SPDX-License-Identifier: Apache-2.0 */
/* A device with favorites, on line or not:
 *
 *     device [-s TIME] [-g TIME] [-l TIME] DIR put ID TEXT
 *     device [-s TIME] [-g TIME] [-l TIME] DIR remove ID
 *     device DIR show
 *     device DIR request [all] >UP     what changed here since the server last answered;
 *                                      all: and what we know, to be told the rest
 *     device DIR accept <DOWN          the answer
 *
 * -s, -g, -l: the time by the server, by a satellite, by the device's own clock; what is
 * not given is not known. DIR's last part is the replica's name. */
#include "favorites.h"

#include <sys/stat.h>
#include <unistd.h>

struct device {
    const char *dir;
    struct rj_crdt *v;    /* what is here */
    struct rj_crdt *sent; /* what the server has for sure */
};

struct times {
    uint64_t at[RJ_CRDT_SOURCES];
    bool is_known[RJ_CRDT_SOURCES];
};

static bool read_time(void *user, enum rj_crdt_source source, uint64_t *ret_time)
{
    const struct times *times = user;

    *ret_time = times->at[source];
    return times->is_known[source];
}

static const char *path(const struct device *d, const char *name)
{
    static char room[4096];

    (void)snprintf(room, sizeof(room), "%s/%s", d->dir, name);
    return room;
}

static void change(struct device *d, enum rj_crdt_code code, char **args)
{
    struct rj_bytes id = text(args[0]);
    struct rj_crdt_op op = {.size = sizeof(op), .code = code, .flags = RJ_CRDT_NOW};

    op.keys = &id;
    op.n_keys = 1;
    op.value = text(code == RJ_CRDT_PUT ? args[1] : "");
    must(rj_crdt_write(d->v, &op, NULL), args[0]);
    save(d->v, path(d, "state"));
}

static void show(const struct device *d)
{
    struct rj_crdt_buf json = {0};

    must(rj_crdt_json(d->v, &json), "show");
    printf("%.*s\n", (int)json.len, (const char *)json.ptr);
    rj_crdt_buf_free(&json);
}

/* Length of the delta (4 bytes), delta, and perhaps what we know. */
static void request(const struct device *d, bool all)
{
    struct rj_crdt_buf known = {0}, delta = {0}, digest = {0};
    uint8_t len[4];
    size_t i;

    must(rj_crdt_digest(d->sent, &known), "request");
    must(rj_crdt_diff(d->v, rj_crdt_bytes(&known), &delta), "request");
    if (all)
        must(rj_crdt_digest(d->v, &digest), "request");
    for (i = 0; i < sizeof(len); i++)
        len[i] = (uint8_t)(delta.len >> (24 - 8 * i));
    put((struct rj_bytes){len, sizeof(len)}, stdout);
    put(rj_crdt_bytes(&delta), stdout);
    put(rj_crdt_bytes(&digest), stdout);
    save(d->v, path(d, "asked"));
    rj_crdt_buf_free(&known);
    rj_crdt_buf_free(&delta);
    rj_crdt_buf_free(&digest);
}

/* What was changed here since the request stays, and goes with the next one. */
static void accept_answer(struct device *d)
{
    struct rj_bytes answer = read_all(stdin);

    must(rj_crdt_join_bytes(d->v, answer, NULL), "accept");
    save(d->v, path(d, "state"));
    join_file(d->sent, path(d, "asked"));
    must(rj_crdt_join_bytes(d->sent, answer, NULL), "accept");
    save(d->sent, path(d, "sent"));
    free((void *)(uintptr_t)answer.ptr);
}

static int run(struct device *d, int n, char **args)
{
    if (n == 3 && strcmp(args[0], "put") == 0)
        change(d, RJ_CRDT_PUT, args + 1);
    else if (n == 2 && strcmp(args[0], "remove") == 0)
        change(d, RJ_CRDT_REMOVE, args + 1);
    else if (n == 1 && strcmp(args[0], "show") == 0)
        show(d);
    else if (n >= 1 && n <= 2 && strcmp(args[0], "request") == 0)
        request(d, n == 2);
    else if (n == 1 && strcmp(args[0], "accept") == 0)
        accept_answer(d);
    else
        return 2;
    return 0;
}

int main(int argc, char **argv)
{
    static const char letters[] = "sgl"; /* in the order of enum rj_crdt_source */
    struct times times = {0};
    struct rj_crdt_clock clock = {read_time, &times};
    struct rj_crdt_opts opts;
    struct device d = {0};
    const char *slash;
    int letter, status;

    while ((letter = getopt(argc, argv, "s:g:l:")) != -1) {
        const char *at = strchr(letters, letter);

        if (at == NULL)
            return 2;
        times.at[at - letters] = strtoull(optarg, NULL, 10);
        times.is_known[at - letters] = true;
    }
    if (argc - optind < 2)
        return 2;
    d.dir = argv[optind];
    (void)mkdir(d.dir, 0777);
    slash = strrchr(d.dir, '/');
    opts = favorites(slash != NULL ? slash + 1 : d.dir);
    opts.clock = &clock;
    must(rj_crdt_new(&opts, &d.v), d.dir);
    opts = favorites("");
    must(rj_crdt_new(&opts, &d.sent), d.dir);
    join_file(d.v, path(&d, "state"));
    join_file(d.sent, path(&d, "sent"));
    status = run(&d, argc - optind - 1, argv + optind + 1);
    rj_crdt_free(d.v);
    rj_crdt_free(d.sent);
    return status;
}
