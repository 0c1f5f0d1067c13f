/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the first corpus of the fuzz targets for src/causal. Not part of the build;
 * after a change of format, from the root:
 *
 *   gcc -std=c17 -D_GNU_SOURCE -Iinclude -Isrc -Itest/unit test/fuzz/seeds.c \
 *     build/librejoin.a -o build/seeds && build/seeds test/fuzz/corpus
 */
#include "causal/batch.h"
#include "causal/member.h"
#include "support/fake_env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const struct rj_digest space = {{1, 2, 3}}; /* as in fuzz_batch.c */
static const char *corpus;
static struct rj_test_env env;

/* Writes what b holds to a file and empties b. */
static void save(const char *target, const char *name, struct rj_buf *b)
{
    char path[4096];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", corpus, target);
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        perror(path);
        exit(1);
    }
    (void)snprintf(path, sizeof(path), "%s/%s/%s", corpus, target, name);
    f = fopen(path, "wb");
    if (f == NULL || rj_buf_err(b) != RJ_OK ||
        (b->len > 0 && fwrite(b->ptr, 1, b->len, f) != b->len) || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
    rj_buf_clear(b);
}

static struct rj_origin_id id_of(uint8_t i)
{
    return (struct rj_origin_id){{i}};
}

static void put_header(struct rj_buf *b, enum rj_batch_class class, uint64_t first,
                       uint8_t n_deps, struct rj_bytes body)
{
    struct rj_header h = {.class = class,
                          .origin = id_of(1),
                          .first = first,
                          .count = class != RJ_CLASS_HEAD,
                          .stamp = UINT64_C(1700000000000) << 16,
                          .wall_ms = 1700000000000,
                          .n_deps = n_deps};
    struct rj_buf deps = {0};

    for (uint8_t i = 0; i < n_deps; i++) {
        struct rj_dep dep = {.origin = id_of(i), .seq = 1 + 300 * (uint64_t)i};

        rj_deps_put(&deps, &dep);
    }
    h.deps = rj_buf_view(&deps);
    if (first > 1)
        h.prev = (struct rj_digest){{1}};
    if (class != RJ_CLASS_HEAD)
        rj_test_env_hash(&env.env, &body, 1, &h.body);
    rj_header_put(b, &h);
    rj_buf_done(&deps);
}

static void put_batch(struct rj_buf *b, enum rj_batch_class class, uint64_t first,
                      uint8_t n_deps, struct rj_bytes body)
{
    struct rj_buf raw = {0};
    struct rj_batch batch = {.body = body};

    put_header(&raw, class, first, n_deps, body);
    batch.raw = rj_buf_view(&raw);
    rj_header_hash(&env.env, &space, batch.raw, &batch.hash);
    (void)rj_test_env_sign(&env.env, RJ_BYTES_OF(batch.hash.b), batch.sig);
    rj_batch_put(b, &batch);
    rj_buf_done(&raw);
}

static void save_headers(struct rj_buf *b)
{
    struct rj_bytes body = RJ_BYTES_LIT("body"), none = {0};

    save("fuzz_header", "empty", b);
    put_header(b, RJ_CLASS_MEMBER, 1, 0, body);
    save("fuzz_header", "opening", b);
    put_header(b, RJ_CLASS_DATA, 2, 3, body);
    save("fuzz_header", "data", b);
    put_header(b, RJ_CLASS_HEAD, UINT64_C(1) << 40, 2, none);
    save("fuzz_header", "head", b);
    put_header(b, RJ_CLASS_DATA, 70000, 1, body);
    b->ptr[1] = RJ_BATCH_FORMAT + 1;
    save("fuzz_header", "newer", b);
}

static void save_batches(struct rj_buf *b)
{
    struct rj_bytes body = RJ_BYTES_LIT("body"), none = {0};

    save("fuzz_batch", "empty", b);
    put_batch(b, RJ_CLASS_DATA, 2, 1, body);
    save("fuzz_batch", "data", b);
    put_batch(b, RJ_CLASS_HEAD, 2, 1, none);
    save("fuzz_batch", "head", b);
    put_batch(b, RJ_CLASS_MEMBER, 1, 0, body);
    put_batch(b, RJ_CLASS_DATA, 2, 2, body);
    put_batch(b, RJ_CLASS_HEAD, 3, 2, none);
    save("fuzz_batch", "three", b);
    put_batch(b, RJ_CLASS_DATA, 2, 1, body);
    b->ptr[b->len - 1] = 'i';
    save("fuzz_batch", "other-body", b);
}

static void save_records(struct rj_buf *b)
{
    struct rj_record r = {.kind = RJ_RECORD_OPEN,
                          .pubkey = {1, 2, 3},
                          .incarnation = 12345678901234567,
                          .replaces = id_of(5)};
    struct rj_bytes key = RJ_BYTES_OF(r.pubkey);

    rj_test_env_hash(&env.env, &key, 1, &r.device);
    save("fuzz_member", "empty", b);
    rj_record_put(b, &r);
    save("fuzz_member", "open", b);
    rj_record_put(b, &r);
    memset(b->ptr + b->len - RJ_ORIGIN_LEN, 0, RJ_ORIGIN_LEN); /* a second form */
    save("fuzz_member", "open-zeros", b);
    r.replaces = (struct rj_origin_id){{0}};
    rj_record_put(b, &r);
    save("fuzz_member", "open-first", b);
    r.kind = RJ_RECORD_ROLE;
    r.name = RJ_BYTES_LIT("b\xc3\xbcro");
    r.role = RJ_ROLE_WRITER;
    rj_record_put(b, &r);
    save("fuzz_member", "role", b);
    r.kind = RJ_RECORD_CLOSE;
    rj_record_put(b, &r);
    save("fuzz_member", "close", b);
    rj_record_put(b, &r);
    b->ptr[1] = RJ_RECORD_CLOSE + 1;
    save("fuzz_member", "newer", b);
}

static void save_genesis(struct rj_buf *b)
{
    struct rj_genesis g = {.kind = RJ_KIND_BUCKET,
                           .creator_key = {1, 2, 3},
                           .creator_name = RJ_BYTES_LIT("b\xc3\xbcro"),
                           .name = RJ_BYTES_LIT("main"),
                           .nonce = {7, 7},
                           .created_ms = 1700000000000};

    save("fuzz_genesis", "empty", b);
    rj_genesis_put(b, &g);
    save("fuzz_genesis", "bucket", b);
    g.creator_name = (struct rj_bytes){0};
    rj_genesis_put(b, &g);
    save("fuzz_genesis", "nameless", b);
    rj_genesis_put(b, &g);
    b->ptr[1] = RJ_GENESIS_FORMAT_POLICY + 1;
    save("fuzz_genesis", "newer", b);
    g.policy = RJ_POLICY_DELETE_WINS;
    rj_genesis_put(b, &g);
    save("fuzz_genesis", "policy", b);
}

/* Vectors and dictionaries over ids of which the first eight are known. */
static void save_vectors(struct rj_buf *b)
{
    struct rj_origins t = {0};
    struct rj_vv v = {0};
    uint32_t dict[] = {3, 0, 7, 1}, index;

    for (uint8_t i = 0; i < 10; i++) {
        struct rj_origin_id id = id_of(i);

        if (rj_origins_add(&t, &id, &index) != RJ_OK)
            exit(1);
    }
    save("fuzz_vector", "empty", b);
    rj_vv_encode(b, &t, &v);
    save("fuzz_vector", "zero", b);
    if (rj_vv_put(&v, 1, 5) != RJ_OK || rj_vv_put(&v, 6, UINT64_C(1) << 33) != RJ_OK)
        exit(1);
    rj_vv_encode(b, &t, &v);
    save("fuzz_vector", "known", b);
    if (rj_vv_put(&v, 9, 70000) != RJ_OK)
        exit(1);
    rj_vv_encode(b, &t, &v);
    save("fuzz_vector", "unknown", b);
    rj_dict_put(b, &t, dict, 4);
    save("fuzz_vector", "dictionary", b);
    dict[2] = 8;
    rj_dict_put(b, &t, dict, 4);
    save("fuzz_vector", "dictionary-unknown", b);
    rj_vv_done(&v);
    rj_origins_done(&t);
}

int main(int argc, char **argv)
{
    struct rj_buf b = {0};

    if (argc != 2) {
        (void)fprintf(stderr, "usage: seeds CORPUS\n");
        return 2;
    }
    corpus = argv[1];
    rj_test_env_init(&env, 1);
    save_headers(&b);
    save_batches(&b);
    save_records(&b);
    save_genesis(&b);
    save_vectors(&b);
    rj_buf_done(&b);
    return 0;
}
