/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8259, one form: no spaces, only what must be is escaped. */
#include "crdt/json.h"

void rj_json_put_str(struct rj_buf *out, struct rj_bytes b)
{
    bool utf8 = rj_bytes_is_utf8(b);
    size_t i;

    rj_buf_u8(out, '"');
    for (i = 0; i < b.len; i++) {
        uint8_t c = b.ptr[i];

        if (c == '"' || c == '\\') {
            rj_buf_u8(out, '\\');
            rj_buf_u8(out, c);
        } else if (c < 0x20) {
            rj_buf_printf(out, "\\u%04x", (unsigned)c);
        } else if (c >= 0x80 && !utf8) {
            rj_buf_u8(out, (uint8_t)(0xc0 | c >> 6));
            rj_buf_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
        } else {
            rj_buf_u8(out, c);
        }
    }
    rj_buf_u8(out, '"');
}

void rj_json_put_places(struct rj_buf *out, const struct rj_crdt *v,
                        struct rj_bytes prefix)
{
    const struct rj_place *place = rj_rows_under(&v->rows, prefix);
    const char *comma = "";

    rj_buf_u8(out, '[');
    for (; place != NULL; place = rj_place_next(place, prefix)) {
        rj_buf_append_str(out, comma);
        rj_json_put_str(out, rj_bytes_skip(rj_place_name(place), prefix.len));
        comma = ",";
    }
    rj_buf_u8(out, ']');
}
