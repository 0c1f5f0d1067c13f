/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the control socket, in any pieces: what is taken is within the input, and a
 * request or reply that is accepted is written again as the same bytes. */
#include "client/doc.h"
#include "client/message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(struct rj_bytes frame, const struct rj_buf *again, enum rj_err err)
{
    if (err == RJ_OK && !rj_bytes_equal(rj_buf_view(again), frame))
        abort();
}

/* Looks into arguments as verbs do. */
static void look(struct rj_bytes doc)
{
    struct rj_bytes item, text;
    uint64_t n;
    bool flag;
    size_t pos = 0;

    (void)rj_doc_get_text(doc, "name", &text);
    (void)rj_doc_get_uint(doc, "timeout_ms", &n);
    (void)rj_doc_get_bool(doc, "token", &flag);
    if (!rj_doc_find(doc, "names", &item))
        return;
    while (rj_doc_next(item, &pos, &text))
        (void)rj_doc_is_text(text, &text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_bytes in = {data, len}, item;
    struct rj_message_request request;
    struct rj_message_reply reply;
    struct rj_buf again = {0};
    size_t used;

    while (rj_message_next(in, &item, &used) == RJ_OK) {
        struct rj_bytes frame = rj_bytes_first(in, used);

        if (used > in.len || item.ptr + item.len != in.ptr + used)
            abort();
        if (rj_message_request(item, &request) == RJ_OK) {
            look(request.args);
            rj_buf_clear(&again);
            check(frame, &again, rj_message_put_request(&again, &request));
        }
        if (rj_message_reply(item, &reply) == RJ_OK) {
            look(reply.body);
            rj_buf_clear(&again);
            check(frame, &again, rj_message_put_reply(&again, &reply));
        }
        in = rj_bytes_skip(in, used);
    }
    rj_buf_done(&again);
    return 0;
}
