/* SPDX-License-Identifier: Apache-2.0 */
/* Operations and results of the verb data: an operation that is accepted is written and
 * read again as the same; any document becomes JSON or is refused. */
#include "base/cbor.h"
#include "client/docjson.h"
#include "client/op.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void twice(const struct rj_op *op)
{
    struct rj_buf once = {0}, again = {0};
    struct rj_op_room room = {0};
    struct rj_op back;

    if (rj_op_put(&once, op) != RJ_OK ||
        rj_op_get(rj_buf_view(&once), &room, &back) != RJ_OK ||
        rj_op_put(&again, &back) != RJ_OK ||
        !rj_bytes_equal(rj_buf_view(&once), rj_buf_view(&again)))
        abort();
    rj_buf_done(&once);
    rj_buf_done(&again);
    free(room.items);
}

static void results(struct rj_bytes in)
{
    struct rj_op_result counted, filled;

    for (int code = 0; code < RJ_OP_COUNT_; code++) {
        struct rj_bytes *items;

        if (rj_op_result(in, (enum rj_op_code)code, NULL, &counted) != RJ_OK)
            continue;
        items = calloc(counted.n_items + 1, sizeof(*items));
        if (items != NULL &&
            (rj_op_result(in, (enum rj_op_code)code, items, &filled) != RJ_OK ||
             filled.n_items != counted.n_items))
            abort();
        free(items);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_bytes in = {data, len};
    struct rj_op_room room = {0};
    struct rj_buf json = {0};
    struct rj_op op;

    if (!rj_cbor_is_valid(in))
        return 0; /* the message layer has refused it */
    if (rj_op_get(in, &room, &op) == RJ_OK)
        twice(&op);
    free(room.items);
    results(in);
    rj_docjson_put(in, &json); /* refuses what does not fit 64 bits with sign */
    rj_buf_done(&json);
    return 0;
}
