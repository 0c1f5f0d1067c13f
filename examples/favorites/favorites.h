/* SPDX-License-Identifier: Apache-2.0 */
/* What device and server share: the value, and whole files. */
#ifndef FAVORITES_H
#define FAVORITES_H

#include <rejoin/crdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 16 << 20 };

static inline struct rj_bytes text(const char *s)
{
    return (struct rj_bytes){(const uint8_t *)s, strlen(s)};
}

static inline void must(enum rj_err err, const char *what)
{
    if (err == RJ_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, rj_err_text(err));
    exit(1);
}

/* Favorites by identity, each with a time, a flag that says whether it was removed, and
 * its text. At equal times the flag decides, then the greater text: the same everywhere.
 */
static inline struct rj_crdt_opts favorites(const char *replica)
{
    return (struct rj_crdt_opts){.size = sizeof(struct rj_crdt_opts),
                                 .type = RJ_CRDT_OURSET,
                                 .replica = text(replica)};
}

/* All that f holds; NULL: nothing. The caller frees. */
static inline struct rj_bytes read_all(FILE *f)
{
    uint8_t *data = malloc(FILE_MAX);
    size_t n = data != NULL && f != NULL ? fread(data, 1, FILE_MAX, f) : 0;

    if (data == NULL)
        exit(1);
    return (struct rj_bytes){data, n};
}

static inline void put(struct rj_bytes bytes, FILE *f)
{
    if (bytes.len > 0 && fwrite(bytes.ptr, 1, bytes.len, f) != bytes.len) {
        perror("write");
        exit(1);
    }
}

/* Joins v with the value in a file, if it is there. */
static inline void join_file(struct rj_crdt *v, const char *path)
{
    FILE *f = fopen(path, "rb");
    struct rj_bytes bytes = read_all(f);

    if (bytes.len > 0)
        must(rj_crdt_join_bytes(v, bytes, NULL), path);
    free((void *)(uintptr_t)bytes.ptr);
    if (f != NULL)
        (void)fclose(f);
}

/* Writes all of it under another name first, so that nobody sees a half. */
static inline void save(const struct rj_crdt *v, const char *path)
{
    struct rj_crdt_buf bytes = {0};
    char other[4200];
    FILE *f;

    (void)snprintf(other, sizeof(other), "%s.new", path);
    must(rj_crdt_encode(v, &bytes), path);
    f = fopen(other, "wb");
    if (f != NULL)
        put(rj_crdt_bytes(&bytes), f);
    if (f == NULL || fclose(f) != 0 || rename(other, path) != 0) {
        perror(path);
        exit(1);
    }
    rj_crdt_buf_free(&bytes);
}

#endif
