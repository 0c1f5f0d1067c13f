/* SPDX-License-Identifier: Apache-2.0 */
/* Tips and floors (crdt/sums.h). Shapiro et al. 2011, "A comprehensive study of CRDTs",
 * 3.1 (a sum for each replica); Weidner, Almeida 2022, "An oblivious observed-reset
 * embeddable replicated counter" (a reset takes a prefix of what each replica added). */
#include "crdt/sums.h"

#include "base/reader.h"
#include "crdt/forget.h"

enum {
    SUM_MAX = 10, /* bytes of one sum; so all together stay within 128 bits */
    FLOOR = 'f',
    FLOOR_MAX = 2 + RJ_CRDT_NAME_MAX + 1 + RJ_CRDT_NAME_MAX,
    PAYLOAD_MAX = 2 * RJ_BUF_VARINT_MAX + SUM_MAX
};

struct tip {
    uint64_t epoch, seq;
    rj_int128 sum;
};

/* ---- payloads: tip: epoch, sum; floor: epoch, sequence, sum */

static size_t put_varint(uint8_t *p, uint64_t v)
{
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        p[n++] = (uint8_t)(v | 0x80);
    p[n++] = (uint8_t)v;
    return n;
}

/* Two's complement, big-endian, no byte more than it needs. 0: too great. */
static size_t put_sum(uint8_t *p, rj_int128 sum)
{
    size_t n = 1, i;
    rj_int128 top;

    for (top = sum >> 7; top != 0 && top != -1; top >>= 8)
        n++;
    if (n > SUM_MAX)
        return 0;
    for (i = 0; i < n; i++)
        p[i] = (uint8_t)(sum >> (8 * (n - 1 - i)));
    return n;
}

static rj_int128 get_sum(struct rj_reader *r)
{
    struct rj_bytes b = rj_reader_rest(r);
    rj_int128 sum;
    size_t i;

    if (b.len == 0 || b.len > SUM_MAX ||
        (b.len > 1 && ((b.ptr[0] == 0 && b.ptr[1] < 0x80) ||
                       (b.ptr[0] == 0xff && b.ptr[1] >= 0x80)))) {
        rj_reader_fail(r);
        return 0;
    }
    sum = b.ptr[0] >= 0x80 ? -1 : 0;
    for (i = 0; i < b.len; i++)
        sum = sum * 256 + b.ptr[i];
    return sum;
}

static bool get_payload(struct rj_bytes payload, bool is_floor, struct tip *ret)
{
    struct rj_reader r = rj_reader_of(payload);

    ret->epoch = rj_reader_varint(&r);
    ret->seq = is_floor ? rj_reader_varint(&r) : 0;
    ret->sum = get_sum(&r);
    return !r.failed;
}

static struct tip tip_told(const struct rj_told *row)
{
    struct tip tip = {0};

    (void)get_payload(row->payload, false, &tip);
    tip.seq = row->dot.seq;
    return tip;
}

static struct tip tip_of(const struct rj_row *row)
{
    struct rj_told told = rj_row_tell(row);

    return tip_told(&told);
}

/* ---- floors */

bool rj_sums_is_floor(struct rj_bytes place)
{
    return place.len > 0 && place.ptr[0] == FLOOR;
}

/* The place of a floor; 0: there is no such tip. */
static size_t floor_place(uint8_t p[FLOOR_MAX], struct rj_bytes replica,
                          struct rj_bytes name)
{
    if (replica.len > RJ_CRDT_NAME_MAX || name.len > RJ_CRDT_NAME_MAX + 1)
        return 0;
    p[0] = FLOOR;
    p[1] = (uint8_t)replica.len;
    memcpy(p + 2, replica.ptr, replica.len);
    if (name.len > 0)
        memcpy(p + 2 + replica.len, name.ptr, name.len);
    return 2 + replica.len + name.len;
}

static struct tip floor_of(const struct rj_crdt *v, struct rj_bytes prefix,
                           struct rj_bytes name, struct rj_bytes replica)
{
    uint8_t p[FLOOR_MAX];
    size_t n = floor_place(p, replica, name);
    const struct rj_row *place = rj_rows_at(&v->rows, prefix, rj_bytes_of(p, n));
    struct tip floor = {0};

    if (n > 0 && place != NULL)
        (void)get_payload(rj_row_payload(place), true, &floor);
    return floor;
}

bool rj_sums_beats(const struct rj_crdt *v, const struct rj_row *a,
                   const struct rj_row *b)
{
    struct tip x = {0}, y = {0};

    (void)get_payload(rj_row_payload(a), true, &x);
    (void)get_payload(rj_row_payload(b), true, &y);
    if (x.epoch != y.epoch)
        return x.epoch > y.epoch;
    if (x.seq != y.seq)
        return x.seq > y.seq;
    if (x.sum != y.sum)
        return x.sum > y.sum;
    if (rj_row_dot(a).origin == rj_row_dot(b).origin)
        return rj_row_dot(a).seq > rj_row_dot(b).seq;
    return rj_row_is_lesser(v, a, b);
}

/* Notes a tip as seen up to where it is, and no further. */
static enum rj_err raise_floor(const struct rj_site *s, struct rj_bytes replica,
                               struct rj_bytes name, struct tip tip)
{
    uint8_t at[FLOOR_MAX], payload[PAYLOAD_MAX];
    size_t at_len = floor_place(at, replica, name), n;

    n = put_varint(payload, tip.epoch);
    n += put_varint(payload + n, tip.seq);
    n += put_sum(payload + n, tip.sum);
    return rj_site_put(s, rj_bytes_of(at, at_len), rj_bytes_of(payload, n));
}

enum rj_err rj_sums_reset(const struct rj_site *s, const struct rj_told *row,
                          struct rj_bytes replica)
{
    struct rj_bytes name = rj_bytes_skip(row->place, s->prefix.len);
    struct tip tip = tip_told(row);

    if (rj_sums_is_floor(name) || floor_of(s->v, s->prefix, name, replica).seq >= tip.seq)
        return RJ_OK;
    return raise_floor(s, replica, name, tip);
}

/* ---- sums */

static rj_int128 live(const struct rj_row *row, struct tip floor, bool *ret_alive)
{
    struct tip tip = tip_of(row);

    *ret_alive = tip.seq > floor.seq;
    if (!*ret_alive)
        return 0;
    return tip.epoch == floor.epoch ? tip.sum - floor.sum : tip.sum;
}

rj_int128 rj_sums_live(const struct rj_crdt *v, struct rj_bytes prefix,
                       const struct rj_row *tip, bool *ret_alive)
{
    struct rj_bytes name = rj_bytes_skip(rj_row_place(tip), prefix.len);

    struct rj_bytes replica = rj_roster_get(v->names, rj_row_dot(tip).origin);

    return live(tip, floor_of(v, prefix, name, replica), ret_alive);
}

rj_int128 rj_sums_total(const struct rj_crdt *v, struct rj_bytes prefix,
                        struct rj_bytes name, bool *ret_alive)
{
    const struct rj_row *place = rj_rows_at(&v->rows, prefix, name);
    const struct rj_row *row = place;
    rj_int128 sum = 0;

    *ret_alive = false;
    for (; row != NULL; row = rj_row_next(&v->rows, row)) {
        struct rj_bytes replica = rj_roster_get(v->names, rj_row_dot(row).origin);
        bool alive;

        sum += live(row, floor_of(v, prefix, name, replica), &alive);
        *ret_alive = *ret_alive || alive;
    }
    return sum;
}

static const struct rj_row *row_of(const struct rj_crdt *v, struct rj_bytes prefix,
                                   struct rj_bytes name, uint32_t origin)
{
    const struct rj_row *place = rj_rows_at(&v->rows, prefix, name);
    const struct rj_row *row = place;

    while (row != NULL && rj_row_dot(row).origin != origin)
        row = rj_row_next(&v->rows, row);
    return row;
}

enum rj_err rj_sums_spend(const struct rj_crdt *v, struct rj_bytes prefix,
                          const struct rj_row *place, const struct rj_dots *horizon,
                          struct rj_dots *spent)
{
    struct rj_bytes name = rj_bytes_skip(rj_row_place(place), prefix.len);
    const struct rj_row *tip;
    struct tip floor = {0};
    uint32_t origin;

    if (!rj_sums_is_floor(name) || !rj_horizon_has(v, place, horizon))
        return RJ_OK;
    (void)get_payload(rj_row_payload(place), true, &floor);
    origin = rj_roster_find(v->names, rj_bytes_of(name.ptr + 2, name.ptr[1]));
    tip = row_of(v, prefix, rj_bytes_skip(name, 2 + (size_t)name.ptr[1]), origin);
    return tip != NULL && tip_of(tip).epoch > floor.epoch
               ? rj_horizon_spend(v, place, horizon, spent)
               : RJ_OK;
}

enum rj_err rj_sums_add(const struct rj_site *s, struct rj_bytes name, rj_int128 amount)
{
    const struct rj_row *row = row_of(s->v, s->prefix, name, s->v->self);
    struct tip tip = {0};
    uint8_t payload[PAYLOAD_MAX];
    struct rj_dot dot = {0};
    size_t n, n_sum;
    enum rj_err err = rj_site_next(s, &dot);

    if (err != RJ_OK)
        return err;
    tip.epoch = dot.seq;
    if (row != NULL &&
        tip_of(row).seq >
            floor_of(s->v, s->prefix, name, rj_roster_get(s->v->names, s->v->self)).seq)
        tip = tip_of(row);
    n = put_varint(payload, tip.epoch);
    n_sum = put_sum(payload + n, tip.sum + amount);
    if (n_sum == 0)
        return RJ_ERANGE;
    if (row != NULL)
        err = rj_dots_note(&s->delta->seen, rj_row_dot(row));
    return err == RJ_OK ? rj_site_put(s, name, rj_bytes_of(payload, n + n_sum)) : err;
}

enum rj_err rj_sums_move(const struct rj_site *s, const struct rj_crdt *from,
                         const struct rj_row *row)
{
    struct rj_bytes name = rj_bytes_skip(rj_row_place(row), s->prefix.len);
    struct rj_bytes replica = rj_roster_get(from->names, row->origin);
    struct tip tip = tip_of(row), floor = floor_of(from, s->prefix, name, replica);
    struct tip other = floor_of(s->v, s->prefix, name, replica);
    enum rj_err err;

    if (other.seq > floor.seq)
        floor = other;
    if (floor.seq >= tip.seq)
        return RJ_OK;
    err = raise_floor(s, replica, name, tip);
    return err == RJ_OK
               ? rj_sums_add(s, name,
                             tip.epoch == floor.epoch ? tip.sum - floor.sum : tip.sum)
               : err;
}

enum rj_err rj_sums_int(rj_int128 sum, int64_t *ret)
{
    if (sum < INT64_MIN || sum > INT64_MAX)
        return RJ_ERANGE;
    *ret = (int64_t)sum;
    return RJ_OK;
}

/* ---- rows from elsewhere */

bool rj_sums_is_sound(struct rj_bytes place, struct rj_bytes payload,
                      struct rj_bytes *ret_name)
{
    bool is_floor = rj_sums_is_floor(place);
    struct tip tip;

    *ret_name = place;
    if (is_floor) {
        if (place.len < 3 || place.ptr[1] == 0 || place.len - 2 < place.ptr[1])
            return false;
        *ret_name = rj_bytes_skip(place, 2 + (size_t)place.ptr[1]);
    }
    return get_payload(payload, is_floor, &tip) && tip.epoch > 0 &&
           tip.epoch <= RJ_SEQ_MAX && tip.seq <= RJ_SEQ_MAX &&
           (!is_floor || tip.seq >= tip.epoch) && !rj_sums_is_floor(*ret_name);
}

void rj_sums_read(struct rj_bytes place, struct rj_bytes payload,
                  struct rj_crdt_row *ret_row)
{
    struct tip tip = {0};

    ret_row->removed = rj_sums_is_floor(place);
    (void)get_payload(payload, ret_row->removed, &tip);
    ret_row->key = ret_row->removed
                       ? rj_bytes_first(rj_bytes_skip(place, 2), place.ptr[1])
                       : rj_bytes_skip(place, 1);
    (void)!rj_sums_int(tip.sum, &ret_row->amount);
}

/* ---- plain counters */

enum rj_err rj_sums_count(const struct rj_crdt *v, struct rj_bytes prefix, int64_t *ret)
{
    const struct rj_bytes here = {0};
    bool alive;

    return rj_sums_int(rj_sums_total(v, prefix, here, &alive), ret);
}

bool rj_sums_alive(const struct rj_crdt *v, struct rj_bytes prefix)
{
    const struct rj_bytes here = {0};
    bool alive;

    (void)rj_sums_total(v, prefix, here, &alive);
    return alive;
}

enum rj_err rj_sums_change(const struct rj_site *s)
{
    const struct rj_bytes here = {0};
    rj_int128 amount = s->op->amount, sum;
    int64_t fits;
    bool alive;

    if (s->op->code == RJ_CRDT_DEC)
        amount = -amount;
    else if (s->op->code != RJ_CRDT_INC)
        return RJ_EINVAL;
    sum = rj_sums_total(s->v, s->prefix, here, &alive) + amount;
    if (rj_sums_int(sum, &fits) != RJ_OK && (sum > 0) == (amount > 0))
        return RJ_ERANGE;
    return rj_sums_add(s, here, amount);
}

bool rj_sums_is_counter(struct rj_bytes place, struct rj_bytes payload)
{
    struct rj_bytes name;

    return rj_sums_is_sound(place, payload, &name) && name.len == 0;
}
