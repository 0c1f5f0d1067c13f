/* SPDX-License-Identifier: Apache-2.0 */
/* A ticket that is accepted is printed again and read as the same ticket; printing it
 * twice gives the same text. */
#include "driver/ticket.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool equal(const struct rj_ticket *a, const struct rj_ticket *b)
{
    if (memcmp(a->device.b, b->device.b, RJ_DIGEST_LEN) != 0 ||
        memcmp(a->secret, b->secret, RJ_SECRET_LEN) != 0 ||
        a->n_addresses != b->n_addresses)
        return false;
    for (size_t i = 0; i < a->n_addresses; i++) {
        if (strcmp(a->addresses[i].text, b->addresses[i].text) != 0)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_ticket t, again;
    struct rj_buf text = {0};
    const char *why = NULL;

    if (rj_ticket_parse(rj_bytes_of(data, len), &t, &why) != RJ_OK) {
        if (why == NULL)
            abort();
        return 0;
    }
    if (t.n_addresses == 0 || t.n_addresses > RJ_ADDRESSES_MAX)
        abort();
    rj_ticket_print(&t, &text);
    if (rj_buf_err(&text) == RJ_OK &&
        (rj_ticket_parse(rj_buf_view(&text), &again, &why) != RJ_OK ||
         !equal(&t, &again)))
        abort();
    rj_buf_done(&text);
    return 0;
}
