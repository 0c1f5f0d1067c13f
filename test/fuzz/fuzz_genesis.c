/* SPDX-License-Identifier: Apache-2.0 */
/* A genesis record that is accepted has one form, for its hash is the space id: written
 * again, it gives the same bytes. */
#include "base/bytes.h"
#include "causal/member.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_bytes input = {data, len};
    struct rj_buf again = {0};
    struct rj_genesis g;

    if (rj_genesis_get(input, &g) != RJ_OK)
        return 0;
    if (g.kind != RJ_KIND_BUCKET || !rj_space_name_is_valid(g.name) ||
        g.creator_name.len > RJ_NAME_MAX || !rj_bytes_is_utf8(g.creator_name))
        abort();
    rj_genesis_put(&again, &g);
    if (!rj_bytes_equal(rj_buf_view(&again), input))
        abort();
    rj_buf_done(&again);
    return 0;
}
