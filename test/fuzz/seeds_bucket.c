/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the first corpus of the fuzz targets for src/bucket. Not part of the build;
 * after a change of format, from the root:
 *
 *   gcc -std=c17 -D_GNU_SOURCE -Iinclude -Isrc test/fuzz/seeds_bucket.c \
 *     build/librejoin.a -lxxhash -o build/seeds_bucket && \
 *     build/seeds_bucket test/fuzz/corpus
 */
#include "buckets.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static const char *corpus;

static void save(const char *target, const char *name, const struct rj_buf *b)
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
    if (f == NULL || fwrite(b->ptr, 1, b->len, f) != b->len || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

/* Buckets of the four origins write in turn: what the last one wrote is appended to
 * `input` and applied by all. */
struct world {
    struct fuzz_bucket at[FUZZ_ORIGINS];
    struct rj_buf input;
};

static void open_world(struct world *w)
{
    *w = (struct world){.input = {0}};
    for (uint32_t i = 0; i < FUZZ_ORIGINS; i++)
        fuzz_open(&w->at[i]);
}

static void close_world(struct world *w)
{
    for (uint32_t i = 0; i < FUZZ_ORIGINS; i++)
        fuzz_close(&w->at[i]);
    rj_buf_done(&w->input);
}

static struct rj_bucket *begin(struct world *w, uint32_t author)
{
    struct fuzz_bucket *f = &w->at[author];
    uint32_t number;

    f->writer.self = author;
    f->writer.first = rj_vv_get(&f->have, author) + 1;
    f->writer.stamp = 5;
    for (uint32_t i = 0; i < FUZZ_ORIGINS; i++)
        fuzz_must(rj_writer_dict(&f->writer, (author + i) % FUZZ_ORIGINS, &number) ==
                  RJ_OK);
    return f->b;
}

static void end(struct world *w, uint32_t author)
{
    struct rj_writer *from = &w->at[author].writer;

    fuzz_must(from->count == 1 && from->ops.len < 256);
    rj_buf_u8(&w->input, (uint8_t)(author + 4 * FUZZ_ORIGINS));
    rj_buf_u8(&w->input, (uint8_t)from->ops.len);
    rj_buf_append(&w->input, rj_buf_view(&from->ops));
    for (uint32_t i = 0; i < FUZZ_ORIGINS; i++) {
        struct fuzz_bucket *f = &w->at[i];
        struct rj_batch_view view = {.origin = author,
                                     .first = from->first,
                                     .count = 1,
                                     .stamp = from->stamp,
                                     .dict = from->dict,
                                     .dict_n = from->dict_n,
                                     .ops = rj_buf_view(&from->ops)};

        if (i != author)
            fuzz_must(f->k->ops->apply(f->k, &view, NULL) == RJ_OK);
        fuzz_must(rj_vv_put(&f->have, author, from->first) == RJ_OK);
    }
    rj_buf_done(&from->ops);
    free(from->dict);
    *from = (struct rj_writer){0};
}

static const struct rj_bytes key = {(const uint8_t *)"k", 1};
static const struct rj_bytes name = {(const uint8_t *)"f", 1};

static void incr(struct world *w, uint32_t author, int64_t delta)
{
    int64_t value;

    fuzz_must(rj_bucket_incr(begin(w, author), key, delta, &value) == RJ_OK);
    end(w, author);
}

static void expire(struct world *w, uint32_t author, uint64_t deadline)
{
    fuzz_must(rj_bucket_expire(begin(w, author), key, deadline) == RJ_OK);
    end(w, author);
}

static void save_part(struct world *w, const char *title)
{
    struct fuzz_bucket *f = &w->at[0];
    struct rj_writer part = {.self = UINT32_MAX};
    struct rj_vv none = {0};
    struct rj_give g = {
        .range = {0, UINT64_MAX}, .have = &none, .full = true, .budget_bytes = SIZE_MAX};
    struct rj_buf out = {0};
    uint64_t last, count;
    uint32_t number;

    for (uint32_t i = 0; i < FUZZ_ORIGINS; i++) {
        fuzz_must(rj_writer_dict(&part, i, &number) == RJ_OK);
        rj_buf_u8(&out, (uint8_t)rj_vv_get(&f->have, i));
        rj_buf_u8(&out, 0);
    }
    fuzz_must(f->k->ops->give(f->k, &g, &part, &last, &count) == RJ_OK);
    rj_buf_u8(&out, (uint8_t)(part.count | (fuzz_delete_wins ? 0xc0 : 0x80)));
    rj_buf_append(&out, rj_buf_view(&part.ops));
    save("fuzz_part", title, &out);
    rj_buf_done(&out);
    rj_buf_done(&part.ops);
    free(part.dict);
}

static void save_world(struct world *w, const char *title)
{
    save("fuzz_bop", title, &w->input);
    save_part(w, title);
    close_world(w);
}

int main(int argc, char **argv)
{
    struct rj_pair pair = {name, {(const uint8_t *)"1", 1}};
    struct world w;
    int64_t value;
    uint64_t n;
    bool is;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: seeds_bucket CORPUS\n");
        return 2;
    }
    corpus = argv[1];
    open_world(&w);
    save_world(&w, "empty");
    open_world(&w);
    incr(&w, 0, 5);
    incr(&w, 1, -2);
    expire(&w, 2, 1000);
    incr(&w, 0, 1);
    fuzz_must(rj_bucket_del(begin(&w, 3), key, &is) == RJ_OK);
    end(&w, 3);
    incr(&w, 0, 7);
    save_world(&w, "counter");
    open_world(&w);
    fuzz_must(rj_bucket_set(begin(&w, 0), key, pair.value, NULL) == RJ_OK);
    end(&w, 0);
    incr(&w, 1, 2);
    expire(&w, 2, 1000);
    save_world(&w, "register");
    open_world(&w);
    fuzz_must(rj_bucket_sadd(begin(&w, 0), key, &name, 1, &n) == RJ_OK);
    end(&w, 0);
    expire(&w, 1, 1000);
    fuzz_must(rj_bucket_srem(begin(&w, 2), key, &name, 1, &n) == RJ_OK);
    end(&w, 2);
    fuzz_must(rj_bucket_sadd(begin(&w, 3), key, &name, 1, &n) == RJ_OK);
    end(&w, 3);
    save_world(&w, "set");
    open_world(&w);
    fuzz_must(rj_bucket_hset(begin(&w, 0), key, &pair, 1, &n) == RJ_OK);
    end(&w, 0);
    fuzz_must(rj_bucket_hincr(begin(&w, 1), key, name, 3, &value) == RJ_OK);
    end(&w, 1);
    fuzz_must(rj_bucket_hincr(begin(&w, 1), key, key, 3, &value) == RJ_OK);
    end(&w, 1);
    fuzz_must(rj_bucket_hdel(begin(&w, 2), key, &key, 1, &n) == RJ_OK);
    end(&w, 2);
    fuzz_must(rj_bucket_set(begin(&w, 3), key, pair.value, NULL) == RJ_OK);
    end(&w, 3);
    save_world(&w, "hash");
    fuzz_delete_wins = true;
    open_world(&w);
    fuzz_must(rj_bucket_set(begin(&w, 0), key, pair.value, NULL) == RJ_OK);
    end(&w, 0);
    fuzz_must(rj_bucket_del(begin(&w, 1), key, &is) == RJ_OK);
    end(&w, 1);
    incr(&w, 2, 3);
    save_part(&w, "gone");
    close_world(&w);
    return 0;
}
