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

void rj_json_put_vector(struct rj_buf *out, const struct rj_crdt *v)
{
    const struct rj_map_node *node;
    const char *comma = "";

    rj_buf_u8(out, '{');
    for (node = rj_map_first(&v->names->map); node != NULL; node = rj_map_next(node)) {
        uint32_t origin = RJ_MAP_ENTRY_CONST(node, struct rj_replica, node)->index;
        uint64_t n = rj_dots_vector(&v->seen, origin);

        if (n == 0)
            continue;
        rj_buf_append_str(out, comma);
        rj_json_put_str(out, rj_roster_get(v->names, origin));
        rj_buf_printf(out, ":%llu", (unsigned long long)n);
        comma = ",";
    }
    rj_buf_u8(out, '}');
}
