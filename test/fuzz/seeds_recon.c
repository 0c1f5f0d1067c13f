/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the first corpus of fuzz_recon: what either side is told in sound sessions. Not
 * part of the build; after a change of format, from the root:
 *
 *   gcc -std=c17 -D_GNU_SOURCE -Iinclude test/fuzz/seeds_recon.c build/librejoin-crdt.a \
 *     -o build/seeds_recon && build/seeds_recon test/fuzz/corpus/fuzz_recon
 */
#include <rejoin/crdt.h>
#include <stdio.h>

enum { ELEMENTS = 100 };

/* The elements from `from` on whose number is no multiple of 7. */
static struct rj_crdt *make(const char *name, uint8_t from)
{
    struct rj_crdt_opts opts = {.size = sizeof(opts),
                                .type = RJ_CRDT_ORSET,
                                .replica = {(const uint8_t *)name, 2}};
    struct rj_crdt *v = NULL;
    uint8_t i;

    if (rj_crdt_new(&opts, &v) != RJ_OK)
        return NULL;
    for (i = from; i < ELEMENTS + from; i++) {
        if (i % 7 != 0)
            (void)!rj_crdt_add(v, (struct rj_bytes){&i, 1}, NULL);
    }
    return v;
}

static void append(FILE *f, const struct rj_crdt_buf *message)
{
    if (f == NULL || message->len == 0)
        return;
    (void)fputc((int)(message->len >> 8), f);
    (void)fputc((int)(message->len & 0xff), f);
    (void)fwrite(message->ptr, 1, message->len, f);
}

/* One session; what side number `told` is told goes to a file. */
static void play(const char *folder, unsigned method, uint8_t from, unsigned told)
{
    static const char *const names[] = {"auto", "range", "symbols"};
    struct rj_crdt *v[2] = {NULL, NULL};
    struct rj_crdt_recon *r[2] = {NULL, NULL};
    struct rj_crdt_buf out = {0}, last = {0}, delta = {0};
    struct rj_bytes key = {(const uint8_t *)"sixteen bytes it is", 19};
    char path[4096];
    bool done = false;
    unsigned turn;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s-%u-%u", folder, names[method],
                   (unsigned)from, told);
    f = fopen(path, "wb");
    if (f != NULL)
        (void)fputc(told == 0, f);
    v[told] = make("me", 0);
    v[1 - told] = make("it", from);
    for (turn = 0; turn < 2; turn++) {
        if (rj_crdt_recon_new(v[turn], (enum rj_crdt_method)method, key, &r[turn]) !=
            RJ_OK)
            perror(path);
    }
    for (turn = 0; turn == 0 || last.len > 0; turn++) {
        if (turn > 0 && turn % 2 == told)
            append(f, &last);
        if (rj_crdt_recon_turn(r[turn % 2], rj_crdt_bytes(&last), &out, &delta, &done) !=
            RJ_OK)
            break;
        rj_crdt_buf_free(&last);
        last = out;
        out = (struct rj_crdt_buf){0};
    }
    if (f != NULL)
        (void)fclose(f);
    for (turn = 0; turn < 2; turn++) {
        rj_crdt_recon_free(r[turn]);
        rj_crdt_free(v[turn]);
    }
    rj_crdt_buf_free(&last);
    rj_crdt_buf_free(&out);
    rj_crdt_buf_free(&delta);
}

int main(int argc, char **argv)
{
    static const uint8_t from[] = {0, 3, 60, 120};
    unsigned i;

    for (i = 0; argc == 2 && i < 3 * 4 * 2; i++)
        play(argv[1], i / 8, from[i / 2 % 4], i % 2);
    return argc == 2 ? 0 : 2;
}
