/* SPDX-License-Identifier: Apache-2.0 */
/* Devices and where they may be found. Addresses come from hello, from gossip and from
 * tickets; none is trusted: whoever answers there has to prove the device's key. */
#include "base/alloc.h"
#include "node/state.h"

struct rj_known_device *rj_device_find(struct rj_node *n, const struct rj_digest *device)
{
    size_t i;

    for (i = 0; i < n->n_devices; i++) {
        if (memcmp(n->devices[i].device.b, device->b, RJ_DIGEST_LEN) == 0)
            return &n->devices[i];
    }
    return NULL;
}

enum rj_err rj_device_add(struct rj_node *n, const struct rj_digest *device,
                          struct rj_known_device **ret)
{
    struct rj_known_device *d = rj_device_find(n, device);

    if (d == NULL) {
        if (n->n_devices >= RJ_DEVICES_MAX)
            return RJ_ELIMIT;
        if (n->n_devices == n->cap_devices) {
            size_t cap = n->cap_devices != 0 ? n->cap_devices * 2 : 8;
            struct rj_known_device *list =
                rj_alloc_resize(n->devices, cap, sizeof(*list));

            if (list == NULL)
                return RJ_ENOMEM;
            n->devices = list;
            n->cap_devices = cap;
        }
        d = &n->devices[n->n_devices++];
        *d = (struct rj_known_device){.device = *device, .dirty = true};
    }
    *ret = d;
    return RJ_OK;
}

enum rj_err rj_device_add_address(struct rj_node *n, struct rj_known_device *d,
                                  struct rj_bytes address, bool first)
{
    char *copy;
    size_t i;

    if (address.len == 0 || address.len > RJ_ADDRESS_MAX)
        return RJ_EINVAL;
    for (i = 0; i < d->n_addresses; i++) {
        if (rj_bytes_equal(rj_bytes_from_str(d->addresses[i]), address))
            return RJ_OK;
    }
    copy = (char *)rj_alloc_copy(address);
    if (copy == NULL)
        return RJ_ENOMEM;
    if (d->n_addresses == RJ_ADDRESSES_MAX)
        free(d->addresses[--d->n_addresses]);
    if (first) {
        memmove(d->addresses + 1, d->addresses, d->n_addresses * sizeof(*d->addresses));
        d->addresses[0] = copy;
    } else {
        d->addresses[d->n_addresses] = copy;
    }
    d->n_addresses++;
    d->dirty = true;
    n->meta_dirty = true;
    return RJ_OK;
}

enum rj_err rj_node_add_address(struct rj_node *n, const struct rj_digest *device,
                                struct rj_bytes address)
{
    struct rj_known_device *d;
    enum rj_err err = rj_device_add(n, device, &d);

    return err == RJ_OK ? rj_device_add_address(n, d, address, true) : err;
}

enum rj_err rj_node_set_addresses(struct rj_node *n, const struct rj_bytes *addresses,
                                  size_t count)
{
    char *copies[RJ_ADDRESSES_MAX] = {0};
    size_t i;

    if (count > RJ_ADDRESSES_MAX)
        return RJ_ELIMIT;
    for (i = 0; i < count; i++) {
        if (addresses[i].len > RJ_ADDRESS_MAX)
            return RJ_ELIMIT;
    }
    for (i = 0; i < count; i++) {
        copies[i] = (char *)rj_alloc_copy(addresses[i]);
        if (copies[i] == NULL) {
            while (i-- > 0)
                free(copies[i]);
            return RJ_ENOMEM;
        }
    }
    for (i = 0; i < n->n_addresses; i++)
        free(n->addresses[i]);
    memcpy(n->addresses, copies, sizeof(copies));
    n->n_addresses = count;
    return RJ_OK;
}

/* A member of a space of ours, this device itself excepted. */
static bool is_wanted(const struct rj_node *n, const struct rj_digest *device)
{
    size_t i;

    if (memcmp(device->b, n->device.b, RJ_DIGEST_LEN) == 0)
        return false;
    if (n->join_state == RJ_JOIN_WAITING &&
        memcmp(device->b, n->join_device.b, RJ_DIGEST_LEN) == 0)
        return true;
    for (i = 0; i < n->n_spaces; i++) {
        const struct rj_space *s = n->spaces[i];
        const struct rj_device *d = rj_members_find(&s->members, device);

        if (!s->removed && d != NULL &&
            rj_members_role(d, &s->origins, NULL) != RJ_ROLE_NONE)
            return true;
    }
    return false;
}

bool rj_node_peer(struct rj_node *n, size_t i, struct rj_peer_info *ret)
{
    const struct rj_known_device *d;
    const struct rj_session *ss;

    if (i >= n->n_devices)
        return false;
    d = &n->devices[i];
    ss = rj_node_session(n, d->session);
    *ret = (struct rj_peer_info){
        .device = d->device,
        .name = d->name,
        .addresses = (const char *const *)d->addresses,
        .n_addresses = d->n_addresses,
        .wanted = is_wanted(n, &d->device),
        .session = d->session,
        .sent_bytes = ss != NULL ? ss->sent_bytes : 0,
        .received_bytes = ss != NULL ? ss->got_bytes : 0,
        .clock_known = ss != NULL && ss->clock_known,
        .clock_offset_ms = ss != NULL ? ss->clock_offset_ms : 0,
    };
    return true;
}
