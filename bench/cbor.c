/* SPDX-License-Identifier: Apache-2.0 */
/* Which reader and writer of CBOR? Ten million records [uint, bytes(16), bytes(32),
 * [uint, uint]] each way: base/cbor.h against the streaming calls of libcbor, which do
 * not allocate either. libcbor's decoder neither refuses longer forms than need be nor
 * checks the kinds of what it finds; that it does less is in its favour here. Prints CPU
 * time a record; a sum over what was decoded shows that both saw the same. */
#include "base/cbor.h"

#include "base/prng.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if __has_include(<cbor.h>)
#include <cbor.h>
#define HAVE_LIBCBOR 1
#endif

enum { RECORDS = 10000000, ROUND = 10000, RECORD_MAX = 128 };

struct record {
    uint64_t a, b, c;
    uint8_t id[16], hash[32];
};

/* One round of records, encoded one behind another. */
struct encoded {
    uint8_t bytes[ROUND * RECORD_MAX];
    size_t len;
};

static double cpu_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void make_records(struct record *records)
{
    struct rj_prng p;

    rj_prng_init(&p, 1);
    for (size_t i = 0; i < ROUND; i++) {
        struct record *r = &records[i];

        /* Numbers of all lengths, as sequences, stamps and counts are. */
        r->a = rj_prng_u64(&p) >> rj_prng_below(&p, 64);
        r->b = rj_prng_u64(&p) >> rj_prng_below(&p, 64);
        r->c = rj_prng_u64(&p) >> rj_prng_below(&p, 64);
        rj_prng_bytes(&p, r->id, sizeof(r->id));
        rj_prng_bytes(&p, r->hash, sizeof(r->hash));
    }
}

static void encode_own(const struct record *records, struct encoded *ret)
{
    static struct rj_buf b;

    rj_buf_clear(&b);
    for (size_t i = 0; i < ROUND; i++) {
        const struct record *r = &records[i];

        rj_cbor_put_array(&b, 4);
        rj_cbor_put_uint(&b, r->a);
        rj_cbor_put_bytes(&b, RJ_BYTES_OF(r->id));
        rj_cbor_put_bytes(&b, RJ_BYTES_OF(r->hash));
        rj_cbor_put_array(&b, 2);
        rj_cbor_put_uint(&b, r->b);
        rj_cbor_put_uint(&b, r->c);
    }
    if (rj_buf_err(&b) != RJ_OK || b.len > sizeof(ret->bytes))
        abort();
    memcpy(ret->bytes, b.ptr, b.len);
    ret->len = b.len;
}

static uint64_t decode_own(const struct encoded *e)
{
    struct rj_reader r = rj_reader_of(rj_bytes_of(e->bytes, e->len));
    uint64_t sum = 0;

    while (rj_reader_left(&r) > 0) {
        uint8_t id[16], hash[32];

        rj_cbor_expect_array(&r, 4);
        sum += rj_cbor_get_uint(&r);
        rj_cbor_get_fixed(&r, id, sizeof(id));
        rj_cbor_get_fixed(&r, hash, sizeof(hash));
        rj_cbor_expect_array(&r, 2);
        sum += rj_cbor_get_uint(&r);
        sum += rj_cbor_get_uint(&r);
        sum += (uint64_t)id[15] + hash[31];
    }
    if (!rj_reader_complete(&r))
        abort();
    return sum;
}

#if defined(HAVE_LIBCBOR)
static void encode_libcbor(const struct record *records, struct encoded *ret)
{
    uint8_t *p = ret->bytes;
    const uint8_t *end = ret->bytes + sizeof(ret->bytes);

    for (size_t i = 0; i < ROUND; i++) {
        const struct record *r = &records[i];

        p += cbor_encode_array_start(4, p, (size_t)(end - p));
        p += cbor_encode_uint(r->a, p, (size_t)(end - p));
        p += cbor_encode_bytestring_start(sizeof(r->id), p, (size_t)(end - p));
        memcpy(p, r->id, sizeof(r->id));
        p += sizeof(r->id);
        p += cbor_encode_bytestring_start(sizeof(r->hash), p, (size_t)(end - p));
        memcpy(p, r->hash, sizeof(r->hash));
        p += sizeof(r->hash);
        p += cbor_encode_array_start(2, p, (size_t)(end - p));
        p += cbor_encode_uint(r->b, p, (size_t)(end - p));
        p += cbor_encode_uint(r->c, p, (size_t)(end - p));
    }
    ret->len = (size_t)(p - ret->bytes);
}

/* What the callbacks of one record leave behind. */
struct seen {
    uint64_t sum;
    uint8_t bytes[32];
};

static void on_uint8(void *context, uint8_t v)
{
    ((struct seen *)context)->sum += v;
}

static void on_uint16(void *context, uint16_t v)
{
    ((struct seen *)context)->sum += v;
}

static void on_uint32(void *context, uint32_t v)
{
    ((struct seen *)context)->sum += v;
}

static void on_uint64(void *context, uint64_t v)
{
    ((struct seen *)context)->sum += v;
}

static void on_bytes(void *context, cbor_data data, size_t len)
{
    struct seen *seen = context;

    if (len > sizeof(seen->bytes))
        abort();
    memcpy(seen->bytes, data, len);
    seen->sum += seen->bytes[len - 1];
}

static uint64_t decode_libcbor(const struct encoded *e)
{
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    struct seen seen = {0};
    size_t pos = 0;

    callbacks.uint8 = on_uint8;
    callbacks.uint16 = on_uint16;
    callbacks.uint32 = on_uint32;
    callbacks.uint64 = on_uint64;
    callbacks.byte_string = on_bytes;
    while (pos < e->len) {
        struct cbor_decoder_result result =
            cbor_stream_decode(e->bytes + pos, e->len - pos, &callbacks, &seen);

        if (result.status != CBOR_DECODER_FINISHED)
            abort();
        pos += result.read;
    }
    return seen.sum;
}
#endif

static void measure(const char *name, const struct record *records,
                    void (*encode)(const struct record *, struct encoded *),
                    uint64_t (*decode)(const struct encoded *))
{
    static struct encoded e;
    double start = cpu_seconds(), middle;
    uint64_t sum = 0;

    for (int i = 0; i < RECORDS / ROUND; i++)
        encode(records, &e);
    middle = cpu_seconds();
    for (int i = 0; i < RECORDS / ROUND; i++)
        sum += decode(&e);
    printf(
        "%-8s write %6.1f ns  read %6.1f ns a record  (%zu bytes a round, sum %016llx)\n",
        name, (middle - start) * 1e9 / RECORDS, (cpu_seconds() - middle) * 1e9 / RECORDS,
        e.len, (unsigned long long)sum);
}

int main(void)
{
    static struct record records[ROUND];

    make_records(records);
    measure("own", records, encode_own, decode_own);
#if defined(HAVE_LIBCBOR)
    measure("libcbor", records, encode_libcbor, decode_libcbor);
#endif
    return 0;
}
