/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the first corpus of fuzz_crdt. Not part of the build; after a change of format,
 * from the root:
 *
 *   gcc -std=c17 -D_GNU_SOURCE -Iinclude test/fuzz/seeds_crdt.c build/librejoin-crdt.a \
 *     -o build/seeds_crdt && build/seeds_crdt test/fuzz/corpus/fuzz_crdt
 */
#include <rejoin/crdt.h>
#include <stdio.h>

static const struct rj_bytes key = {(const uint8_t *)"k", 1};

/* Everything that the type can do once, and on behalf of a reader. */
static void fill(struct rj_crdt *v, struct rj_bytes context)
{
    struct rj_crdt_op op = {.size = sizeof(op), .keys = &key, .n_keys = 1, .amount = 4};
    unsigned at, code;

    op.value = op.tag = key;
    op.stamp = 1;
    op.path = &key;
    for (at = 0; at < RJ_CRDT_TYPE_END; at++) {
        op.at = (enum rj_crdt_type)at;
        op.n_path = at > 0;
        for (code = 1; code < RJ_CRDT_CODE_END; code++) {
            op.code = (enum rj_crdt_code)code;
            op.flags = 0;
            if (code == RJ_CRDT_REMOVE || code == RJ_CRDT_CLEAR) {
                op.flags = RJ_CRDT_CAUSED;
                op.context = context;
            }
            (void)!rj_crdt_write(v, &op, NULL);
        }
    }
}

static void save(const char *folder, const struct rj_crdt *v, bool forgets)
{
    struct rj_crdt_buf bytes = {0};
    unsigned type = rj_crdt_type(v);
    char path[4096];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s%s", folder,
                   rj_crdt_type_name(rj_crdt_type(v)), forgets ? "_forgets" : "");
    f = fopen(path, "wb");
    if (f == NULL || rj_crdt_encode(v, &bytes) != RJ_OK ||
        fputc((int)(type | (forgets ? 0x80U : 0)), f) == EOF ||
        fwrite(bytes.ptr, 1, bytes.len, f) != bytes.len || fclose(f) != 0)
        perror(path);
    rj_crdt_buf_free(&bytes);
}

static void make(const char *folder, enum rj_crdt_type type, bool forgets)
{
    struct rj_crdt_opts opts = {
        .size = sizeof(opts), .type = type, .replica = {(const uint8_t *)"me", 2}};
    struct rj_crdt *v = NULL, *other = NULL;
    struct rj_crdt_buf context = {0};

    opts.rules.size = sizeof(opts.rules);
    opts.rules.horizon = forgets;
    if (rj_crdt_new(&opts, &other) != RJ_OK)
        return; /* not built in, or it has nothing to forget */
    fill(other, (struct rj_bytes){0});
    opts.replica = (struct rj_bytes){(const uint8_t *)"you", 3};
    if (rj_crdt_context(other, &context) == RJ_OK && rj_crdt_new(&opts, &v) == RJ_OK) {
        fill(v, rj_crdt_bytes(&context));
        if (forgets) {
            (void)!rj_crdt_forget(v, NULL, 0, NULL);
            (void)!rj_crdt_retire(v, (struct rj_bytes){(const uint8_t *)"me", 2},
                                  opts.replica, NULL);
            fill(v, rj_crdt_bytes(&context));
        }
        save(folder, v, forgets);
    }
    rj_crdt_free(v);
    rj_crdt_free(other);
    rj_crdt_buf_free(&context);
}

int main(int argc, char **argv)
{
    unsigned type;

    for (type = 1; argc == 2 && type < RJ_CRDT_TYPE_END; type++) {
        make(argv[1], (enum rj_crdt_type)type, false);
        make(argv[1], (enum rj_crdt_type)type, true);
    }
    return argc == 2 ? 0 : 2;
}
