/* SPDX-License-Identifier: Apache-2.0 */
/* Rows with a time stamp, of which the greatest is shown: stamp (8 bytes, big-endian),
 * 1 if it says that nothing is there (only where a type has that), value. Order: stamp;
 * removed or not, by the bias; then the tie, by value or replica; then value, the lesser
 * name, the later write.
 *
 * A write takes away the lesser ones that it sees, and stands beside a greater one: that
 * may be reset in a map by who has not seen the write. */
#ifndef RJ_CRDT_STAMPED_H
#define RJ_CRDT_STAMPED_H

#include "crdt/value.h"

struct rj_stamped {
    uint64_t stamp;
    bool removed;
    struct rj_bytes value;
};

/* False: not such a payload. */
bool rj_stamped_get(struct rj_bytes payload, bool with_flag, struct rj_stamped *ret);
/* Appends it; sticky. */
void rj_stamped_put(struct rj_buf *out, bool with_flag, const struct rj_stamped *what);
/* The row that is shown. */
const struct rj_row *rj_stamped_top(const struct rj_crdt *v, const struct rj_row *place,
                                    bool with_flag);
/* Writes what at prefix || name, under the stamp of the change. */
RJ_NODISCARD enum rj_err rj_stamped_write(const struct rj_site *s, struct rj_bytes name,
                                          bool with_flag, struct rj_stamped what);
/* a comes after b. */
bool rj_stamped_beats(const struct rj_crdt *v, const struct rj_row *a,
                      const struct rj_row *b, bool with_flag);

#endif
