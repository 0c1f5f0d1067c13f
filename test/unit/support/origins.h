/* SPDX-License-Identifier: Apache-2.0 */
/* Three origins, in an order that is not the one in which they came. */
#ifndef RJ_TEST_ORIGINS_H
#define RJ_TEST_ORIGINS_H

#include "causal/origin.h"
#include "support/test.h"

static struct rj_origins origins;

static inline int set_up(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 3; i++) {
        struct rj_origin_id id = {{(uint8_t)(9 - i)}};
        uint32_t index;

        if (rj_origins_add(&origins, &id, &index) != RJ_OK)
            return -1;
    }
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    rj_origins_done(&origins);
    return 0;
}

#endif
