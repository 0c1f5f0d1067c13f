/* SPDX-License-Identifier: Apache-2.0 */
/* The server: it keeps nothing, and its database understands nothing. That one holds
 * siblings, as stores do that never refuse a write: who stores names the siblings that it
 * has read, which go; what others stored meanwhile stays beside it.
 *
 *     server DB fetch                  the siblings' names
 *     server DB serve [NAMES] <UP >DOWN
 *
 * Serving is: fetch, merge, store. NAMES: what an earlier fetch told; so two servers that
 * overlap can be played. The answer is scoped: what won against the rows that came, no
 * more; but where the device said what it knows, all that it lacks. */
#include "favorites.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_MAX = 4096 };

/* Names of all siblings, with a blank behind each; returns the highest. */
static unsigned fetch(const char *db, char names[NAMES_MAX])
{
    DIR *dir = opendir(db);
    const struct dirent *entry;
    unsigned highest = 0;
    size_t len = 0;

    names[0] = '\0';
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        unsigned number = (unsigned)strtoul(entry->d_name, NULL, 10);

        if (number == 0 || strchr(entry->d_name, '.') != NULL ||
            len + strlen(entry->d_name) + 2 > NAMES_MAX)
            continue;
        len += (size_t)sprintf(names + len, "%s ", entry->d_name);
        highest = number > highest ? number : highest;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return highest;
}

/* Does something with the path of each sibling in names. */
static void each(const char *db, const char *names, struct rj_crdt *v,
                 void (*what)(struct rj_crdt *v, const char *path))
{
    char path[4096], copy[NAMES_MAX], *name, *rest = copy;

    (void)snprintf(copy, sizeof(copy), "%s", names);
    while ((name = strtok_r(rest, " \n", &rest)) != NULL) {
        (void)snprintf(path, sizeof(path), "%s/%s", db, name);
        what(v, path);
    }
}

static void forget(struct rj_crdt *v, const char *path)
{
    (void)v;
    (void)unlink(path);
}

static struct rj_bytes cut(struct rj_bytes *from, size_t n)
{
    struct rj_bytes first = {from->ptr, n};

    if (n > from->len) {
        fprintf(stderr, "server: not a request\n");
        exit(1);
    }
    from->ptr += n;
    from->len -= n;
    return first;
}

static void serve(const char *db, const char *names)
{
    struct rj_crdt_opts opts = favorites("");
    struct rj_bytes all = read_all(stdin), rest = all, len, delta;
    struct rj_crdt_buf answer = {0};
    struct rj_crdt *v = NULL;
    char path[4096], now[NAMES_MAX];

    len = cut(&rest, 4);
    delta = cut(&rest, (size_t)len.ptr[0] << 24 | (size_t)len.ptr[1] << 16 |
                           (size_t)len.ptr[2] << 8 | len.ptr[3]);
    must(rj_crdt_new(&opts, &v), db);
    each(db, names, v, join_file); /* merge */
    must(rj_crdt_join_bytes(v, delta, NULL), "request");
    must(rest.len > 0 ? rj_crdt_diff(v, rest, &answer)
                      : rj_crdt_diff_scoped(v, delta, &answer),
         "answer");
    (void)snprintf(path, sizeof(path), "%s/%u", db, fetch(db, now) + 1);
    save(v, path); /* store */
    each(db, names, NULL, forget);
    put(rj_crdt_bytes(&answer), stdout);
    rj_crdt_free(v);
    rj_crdt_buf_free(&answer);
    free((void *)(uintptr_t)all.ptr);
}

int main(int argc, char **argv)
{
    char names[NAMES_MAX];

    if (argc < 3 || argc > 4)
        return 2;
    (void)mkdir(argv[1], 0777);
    (void)fetch(argv[1], names);
    if (argc == 3 && strcmp(argv[2], "fetch") == 0)
        printf("%s\n", names);
    else if (strcmp(argv[2], "serve") == 0)
        serve(argv[1], argc == 4 ? argv[3] : names);
    else
        return 2;
    return 0;
}
