/* SPDX-License-Identifier: Apache-2.0 */
/* Map from keys to values with time stamps. A put and a remove take away the rows that
 * they see; of concurrent puts the greater (stamp, value) is shown, and all of them stay
 * until a write has seen them, so that a remove takes exactly what it observed.
 * Akka's LWWMap; AWLWWMap of delta_crdt_ex. */
#include "crdt/stamped.h"

static enum rj_err put(const struct rj_site *s, struct rj_bytes key)
{
    const struct rj_row *top = rj_stamped_top(s->v, rj_site_place(s, key), false);
    struct rj_stamped what = {.value = s->op->value}, old = {0};
    struct rj_buf payload = {.allocator = s->v->allocator};
    enum rj_err err;

    if (top != NULL)
        (void)rj_stamped_get(rj_row_payload(top), false, &old);
    err = rj_site_stamp(s, top != NULL ? &old.stamp : NULL, &what.stamp);
    rj_stamped_put(&payload, false, &what);
    if (err == RJ_OK)
        err = rj_buf_err(&payload);
    if (err == RJ_OK)
        err = rj_site_kill(s, key);
    if (err == RJ_OK)
        err = rj_site_put(s, key, rj_buf_view(&payload));
    rj_buf_done(&payload);
    return err;
}

static enum rj_err change(const struct rj_site *s)
{
    enum rj_err err = RJ_OK;
    size_t i;

    if (s->op->code == RJ_CRDT_CLEAR)
        return rj_site_kill_under(s);
    if (s->op->code == RJ_CRDT_PUT)
        return s->op->n_keys == 1 ? put(s, s->op->keys[0]) : RJ_EINVAL;
    if (s->op->code != RJ_CRDT_REMOVE)
        return RJ_EINVAL;
    for (i = 0; err == RJ_OK && i < s->op->n_keys; i++)
        err = rj_site_kill(s, s->op->keys[i]);
    return err;
}

static struct rj_bytes entry(const struct rj_crdt *v, const struct rj_row *place)
{
    const struct rj_row *top = rj_stamped_top(v, place, false);
    struct rj_stamped what = {0};

    (void)rj_stamped_get(rj_row_payload(top), false, &what);
    return what.value;
}

static void read_row(struct rj_bytes place, struct rj_bytes payload,
                     struct rj_crdt_row *ret_row)
{
    struct rj_stamped what;

    ret_row->key = place;
    if (!rj_stamped_get(payload, false, &what))
        return;
    ret_row->stamp = what.stamp;
    ret_row->value = what.value;
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    struct rj_stamped what;

    return place.len <= RJ_CRDT_KEY_MAX && rj_stamped_get(payload, false, &what);
}

const struct rj_type rj_type_lwwmap = {
    .number = RJ_CRDT_LWWMAP,
    .name = "lwwmap",
    .valued = true,
    .change = change,
    .is_sound = is_sound,
    .entry = entry,
    .read = read_row,
};
