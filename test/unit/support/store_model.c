/* SPDX-License-Identifier: Apache-2.0 */
#include "support/store_model.h"

#include "support/test.h"

static struct rj_bytes key_of(const struct rj_model_record *r)
{
    return rj_bytes_of(r->key, r->key_len);
}

static struct rj_bytes value_of(const struct rj_model_record *r)
{
    return rj_bytes_of(r->value, r->value_len);
}

static uint8_t *copy(struct rj_bytes b)
{
    uint8_t *p = malloc(b.len > 0 ? b.len : 1);

    assert_non_null(p);
    if (b.len > 0)
        memcpy(p, b.ptr, b.len);
    return p;
}

void rj_model_done(struct rj_model *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->records[i].key);
        free(m->records[i].value);
    }
    free(m->records);
    *m = (struct rj_model){0};
}

void rj_model_copy(struct rj_model *ret, const struct rj_model *m)
{
    *ret = (struct rj_model){.n = m->n};
    ret->records = malloc((m->n + 1) * sizeof(ret->records[0]));
    assert_non_null(ret->records);
    for (size_t i = 0; i < m->n; i++)
        ret->records[i] = (struct rj_model_record){
            .key = copy(key_of(&m->records[i])),
            .value = copy(value_of(&m->records[i])),
            .key_len = m->records[i].key_len,
            .value_len = m->records[i].value_len,
        };
}

/* The number of records before key. */
static size_t rank(const struct rj_model *m, struct rj_bytes key)
{
    size_t i = 0;

    while (i < m->n && rj_bytes_compare(key_of(&m->records[i]), key) < 0)
        i++;
    return i;
}

static void drop(struct rj_model *m, size_t i)
{
    free(m->records[i].key);
    free(m->records[i].value);
    m->n--;
    memmove(&m->records[i], &m->records[i + 1], (m->n - i) * sizeof(m->records[0]));
}

static void put(struct rj_model *m, struct rj_bytes key, struct rj_bytes value)
{
    size_t i = rank(m, key);

    if (i < m->n && rj_bytes_equal(key_of(&m->records[i]), key))
        drop(m, i);
    m->records = realloc(m->records, (m->n + 1) * sizeof(m->records[0]));
    assert_non_null(m->records);
    memmove(&m->records[i + 1], &m->records[i], (m->n - i) * sizeof(m->records[0]));
    m->records[i] = (struct rj_model_record){.key = copy(key),
                                             .value = copy(value),
                                             .key_len = key.len,
                                             .value_len = value.len};
    m->n++;
}

void rj_model_apply(struct rj_model *m, const struct rj_writes *w)
{
    struct rj_write one;
    size_t pos = 0;

    while (rj_writes_next(w, &pos, &one)) {
        size_t i = rank(m, one.key);

        switch (one.kind) {
        case RJ_WRITE_PUT:
            put(m, one.key, one.value);
            break;
        case RJ_WRITE_DELETE:
            if (i < m->n && rj_bytes_equal(key_of(&m->records[i]), one.key))
                drop(m, i);
            break;
        case RJ_WRITE_DELETE_RANGE:
            while (i < m->n && rj_bytes_compare(key_of(&m->records[i]), one.value) < 0)
                drop(m, i);
            break;
        }
    }
}

/* ---- random input */

struct rj_bytes rj_model_random_key(struct rj_prng *p, uint8_t *room, size_t size)
{
    static const uint8_t letters[] = {0x00, 0x01, 'a', 0xff};
    size_t steps = rj_prng_chance(p, 1, 2) ? 0 : (size_t)rj_prng_below(p, 5);
    size_t tail = (size_t)rj_prng_below(p, steps > 0 ? 3 : 4);
    size_t len = 0;

    /* Steps of 500, 501 or 502 equal bytes, of which the last may differ. */
    for (size_t i = 0; i < steps; i++) {
        size_t n = rj_prng_chance(p, 3, 4) ? 501 : 500 + (size_t)rj_prng_below(p, 3);

        assert_true(len + n <= size);
        memset(room + len, 'p', n);
        len += n;
        if (rj_prng_chance(p, 1, 4))
            room[len - 1] = letters[rj_prng_below(p, sizeof(letters))];
    }
    if (len == 0 && tail == 0)
        tail = 1;
    for (size_t i = 0; i < tail; i++)
        room[len++] = letters[rj_prng_below(p, sizeof(letters))];
    return rj_bytes_of(room, len);
}

static struct rj_bytes random_value(struct rj_prng *p, uint8_t *room, size_t size)
{
    size_t len = (size_t)rj_prng_below(p, rj_prng_chance(p, 1, 8) ? size : 40);

    if (rj_prng_chance(p, 1, 8))
        len = 0;
    rj_prng_bytes(p, room, len);
    return rj_bytes_of(room, len);
}

void rj_model_random_batch(struct rj_prng *p, struct rj_writes *w)
{
    enum { OPS = 25, VALUE = 9000 };
    static uint8_t a[RJ_MODEL_KEY_ROOM], b[RJ_MODEL_KEY_ROOM], value[VALUE];
    size_t n = (size_t)rj_prng_below(p, OPS);

    for (size_t i = 0; i < n; i++) {
        struct rj_bytes key = rj_model_random_key(p, a, sizeof(a));
        uint64_t what = rj_prng_below(p, 32);

        if (what < 20)
            rj_writes_put(w, key, random_value(p, value, sizeof(value)));
        else if (what < 31)
            rj_writes_delete(w, key);
        else
            rj_writes_delete_range(w, key, rj_model_random_key(p, b, sizeof(b)));
    }
    assert_false(w->failed);
}

/* ---- comparing */

/* Returns the key as the store gave it. */
static struct rj_bytes check_one(struct rj_store *s, struct rj_view *v, enum rj_seek how,
                                 struct rj_bytes key,
                                 const struct rj_model_record *expected)
{
    struct rj_bytes got_key = {0}, got_value;
    enum rj_err err = s->ops->seek(v, how, key, &got_key, &got_value);

    assert_err(expected != NULL ? RJ_OK : RJ_ENOENT, err);
    if (expected == NULL)
        return got_key;
    assert_bytes_equal(got_key, key_of(expected));
    assert_bytes_equal(got_value, value_of(expected));
    return got_key;
}

void rj_model_check_walks(const struct rj_model *m, struct rj_store *s, struct rj_view *v)
{
    struct rj_bytes key = {0};

    /* Each key is asked for as it was found, although it is borrowed from the view. */
    for (size_t i = 0; i < m->n; i++)
        key = check_one(s, v, i == 0 ? RJ_SEEK_GE : RJ_SEEK_GT, key, &m->records[i]);
    (void)check_one(s, v, RJ_SEEK_GT, key, NULL);
    key = (struct rj_bytes){0};
    for (size_t i = m->n; i-- > 0;)
        key = check_one(s, v, RJ_SEEK_LT, key, &m->records[i]);
    if (m->n > 0)
        (void)check_one(s, v, RJ_SEEK_LT, key, NULL);
}

void rj_model_check_seeks(const struct rj_model *m, struct rj_store *s, struct rj_view *v,
                          struct rj_prng *p, size_t times)
{
    static uint8_t room[RJ_MODEL_KEY_ROOM];

    for (size_t i = 0; i < times; i++) {
        struct rj_bytes key = rj_model_random_key(p, room, sizeof(room));
        size_t at = rank(m, key);
        bool there = at < m->n && rj_bytes_equal(key_of(&m->records[at]), key);
        const struct rj_model_record *here = there ? &m->records[at] : NULL;
        size_t after = at + there;

        (void)check_one(s, v, RJ_SEEK_EQ, key, here);
        (void)check_one(s, v, RJ_SEEK_GE, key, at < m->n ? &m->records[at] : NULL);
        (void)check_one(s, v, RJ_SEEK_GT, key, after < m->n ? &m->records[after] : NULL);
        (void)check_one(s, v, RJ_SEEK_LT, key, at > 0 ? &m->records[at - 1] : NULL);
    }
}
