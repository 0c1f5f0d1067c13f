/* SPDX-License-Identifier: Apache-2.0 */
/* Devices and the records about them, for the tests of src/causal/member. */
#ifndef RJ_TEST_MEMBERS_H
#define RJ_TEST_MEMBERS_H

#include "base/be.h"
#include "causal/member.h"
#include "support/batches.h"

/* The members, the origins that wrote about them, and the past in which a role is asked
 * for: at first an empty one. */
struct rj_test_members {
    struct rj_members m;
    struct rj_origins t;
    struct rj_vv vv;
};

/* Without devices; origins as of rj_test_origins(). */
static inline void rj_test_members_init(struct rj_test_members *x, uint32_t origins,
                                        uint32_t step)
{
    *x = (struct rj_test_members){0};
    rj_test_origins(&x->t, origins, step);
}

static inline void rj_test_members_done(struct rj_test_members *x)
{
    rj_vv_done(&x->vv);
    rj_origins_done(&x->t);
    rj_members_done(&x->m);
}

static inline struct rj_digest rj_test_device_id(uint32_t i)
{
    struct rj_digest id = {{0}};

    rj_be_store32(id.b + 28, i);
    return id;
}

/* Device i, added to m; borrowed until the next one is. */
static inline struct rj_device *rj_test_device(struct rj_members *m, uint32_t i)
{
    struct rj_digest id = rj_test_device_id(i);
    uint8_t key[RJ_PUBKEY_LEN] = {(uint8_t)i, 1};
    struct rj_device *d = NULL;

    assert_ok(rj_members_add(m, &id, key, &d));
    assert_non_null(d);
    return d;
}

static inline struct rj_role_record rj_test_role(uint32_t origin, uint64_t seq,
                                                 uint64_t stamp, enum rj_role role)
{
    return (struct rj_role_record){
        .dot = {.seq = seq, .origin = origin}, .stamp = stamp, .role = role};
}

static inline struct rj_role_record rj_test_close(uint32_t origin, uint64_t seq,
                                                  uint64_t stamp)
{
    struct rj_role_record r = rj_test_role(origin, seq, stamp, RJ_ROLE_NONE);

    r.close = true;
    return r;
}

#endif
