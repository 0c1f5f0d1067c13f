/* SPDX-License-Identifier: Apache-2.0 */
/* A node that dials an old address may reach itself: then both ends of the connection are
 * in this process, and each notes the same binding (TLS exporter, RFC 8446 7.5). A
 * binding that stays alone belongs to a connection whose other end is elsewhere: a second
 * node with the same key, such as a copied home or a cloned machine.
 *
 * A peer keeps one session with a device; of two nodes with one key each takes the place
 * of the other, is dialled out again, and so on. */
#include "driver/twins.h"

#include <stdio.h>
#include <string.h>

void rj_twins_note(struct rj_twins *t, const uint8_t *binding, const char *address,
                   struct rj_mono now)
{
    struct rj_twin *one;

    for (size_t i = 0; i < RJ_TWINS_KEPT; i++) {
        one = &t->seen[i];
        if (one->at.ms != 0 && memcmp(one->tag, binding, RJ_TWINS_TAG_LEN) == 0) {
            *one = (struct rj_twin){0}; /* both ends are here */
            return;
        }
    }
    one = &t->seen[t->next++ % RJ_TWINS_KEPT];
    memcpy(one->tag, binding, RJ_TWINS_TAG_LEN);
    one->at.ms = now.ms + (now.ms == 0);
    (void)snprintf(one->address, sizeof(one->address), "%s", address);
}

const char *rj_twins_address(const struct rj_twins *t, struct rj_mono now)
{
    for (size_t i = 0; i < RJ_TWINS_KEPT; i++) {
        const struct rj_twin *one = &t->seen[i];

        if (one->at.ms != 0 && now.ms >= one->at.ms + RJ_TWINS_SURE_MS)
            return one->address;
    }
    return NULL;
}

/* The slot of a device, or the one that was used least lately. */
static struct rj_rival *slot_of(struct rj_twins *t, const struct rj_digest *device)
{
    struct rj_rival *oldest = &t->rivals[0];

    for (size_t i = 0; i < RJ_TWINS_RIVALS; i++) {
        struct rj_rival *one = &t->rivals[i];

        if (one->last.ms != 0 && memcmp(one->device.b, device->b, RJ_DIGEST_LEN) == 0)
            return one;
        if (one->last.ms < oldest->last.ms)
            oldest = one;
    }
    *oldest = (struct rj_rival){.device = *device};
    return oldest;
}

void rj_twins_replaced(struct rj_twins *t, const struct rj_digest *device,
                       const char *const addresses[2], struct rj_mono now)
{
    struct rj_rival *one = slot_of(t, device);

    if (one->count < RJ_TWINS_REPLACED && now.ms - one->since.ms > RJ_TWINS_WINDOW_MS) {
        one->count = 0;
        one->since = now;
    }
    one->count++;
    one->last.ms = now.ms + (now.ms == 0);
    for (size_t i = 0; i < 2; i++)
        (void)snprintf(one->address[i], sizeof(one->address[i]), "%s", addresses[i]);
}

const struct rj_rival *rj_twins_rival(const struct rj_twins *t, size_t i,
                                      struct rj_mono now)
{
    const struct rj_rival *one = &t->rivals[i];

    if (one->last.ms == 0 || one->count < RJ_TWINS_REPLACED ||
        now.ms - one->last.ms > RJ_TWINS_RECALL_MS)
        return NULL;
    return one;
}
