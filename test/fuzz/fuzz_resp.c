/* SPDX-License-Identifier: Apache-2.0 */
/* A session of the Redis face takes any bytes, and how they are cut makes no difference:
 * two sessions with a bucket each, one fed at once, one in pieces whose size the first
 * byte of the input gives, answer alike and close alike. */
#include "support/resp_host.h"

#include <stdbool.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct talk {
    struct resp_host host;
    struct rj_resp *session;
    struct rj_buf out;
    enum rj_resp_state state;
};

static void begin(struct talk *t)
{
    *t = (struct talk){.state = RJ_RESP_READ};
    if (!resp_host_begin(&t->host) ||
        rj_resp_new(&t->host.host, &(struct rj_resp_opts){.id = 1}, &t->session) != RJ_OK)
        abort();
    t->host.wait_err = RJ_EBUSY;
}

static void end(struct talk *t)
{
    rj_resp_free(t->session);
    resp_host_end(&t->host);
    rj_buf_done(&t->out);
}

/* What a driver does with a piece of input. */
static void feed(struct talk *t, struct rj_bytes piece)
{
    struct rj_buf *out = rj_resp_out(t->session);

    t->state = rj_resp_input(t->session, piece);
    for (;;) {
        rj_buf_append(&t->out, rj_buf_view(out));
        rj_buf_clear(out);
        if (t->state == RJ_RESP_WAIT)
            t->state = rj_resp_wake(t->session, &t->host.acks);
        else if (t->state == RJ_RESP_FULL)
            t->state = rj_resp_input(t->session, rj_bytes_of(NULL, 0));
        else
            break;
    }
    rj_buf_append(&t->out, rj_buf_view(out));
    rj_buf_clear(out);
}

/* CLIENT INFO and LIST tell how much input is kept, which depends on the cuts. */
static bool tells_of_cuts(const struct talk *t)
{
    return t->out.len > 0 && memmem(t->out.ptr, t->out.len, "qbuf=", 5) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct talk whole, pieces;
    size_t step = len > 0 ? 1 + (size_t)data[0] % 32 : 1;

    begin(&whole);
    begin(&pieces);
    if (len > 1)
        feed(&whole, rj_bytes_of(data + 1, len - 1));
    for (size_t at = 1; at < len; at += step)
        feed(&pieces, rj_bytes_of(data + at, len - at < step ? len - at : step));
    if (whole.state != pieces.state)
        abort();
    if (!tells_of_cuts(&whole) &&
        !rj_bytes_equal(rj_buf_view(&whole.out), rj_buf_view(&pieces.out)))
        abort();
    end(&whole);
    end(&pieces);
    return 0;
}
