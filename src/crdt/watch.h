/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody who watches has been shown: of values with rows the JSON, before the
 * first change, of each place that was touched since; of sequences which elements. */
#ifndef RJ_CRDT_WATCH_H
#define RJ_CRDT_WATCH_H

#include "base/map.h"
#include "crdt/seq.h"

/* A splice of a sequence: at pos, elements counted with the splices before it done. */
struct rj_splice {
    uint64_t pos, deleted;
    size_t from, len; /* what is inserted, in `inserted` */
};

struct rj_watch {
    struct rj_map noted;
    uint64_t joins; /* that noted something */
    /* Sequences: runs of dots that were shown, and splices from an earlier state to that,
     * of which next_splice is the next to be told. */
    struct rj_buf shown, splices, inserted;
    size_t next_splice;
};

/* ---- watch_seq.c */

/* Takes v's elements as shown. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_watch_seq_start(struct rj_crdt *v);
/* The next splice as JSON. RJ_ENOENT: none. RJ_ENOMEM. O(runs), when all were told. */
RJ_NODISCARD enum rj_err rj_watch_seq_patch(struct rj_crdt *v, struct rj_buf *json);

#endif
