/* SPDX-License-Identifier: Apache-2.0 */
/* Where two values agree on what is gone. A difference tells what its reader may still
 * hold and is gone here; of a set with much churn that is its whole history of removals,
 * at each exchange. So a digest of such a value says, for each of some blocks of dots, a
 * sum over those that are live there. Where the writer finds the same sum over what it
 * has itself of the dots that the reader has seen, both have the same rows there: so
 * nothing of that block has to be told as gone.
 *
 * This trusts nothing that has happened: it compares what is there. (A log of what died
 * and when would be exact where it is right; but somebody may have got a dot without what
 * it took away: by a part, a scoped difference, a reconciliation.) Sums are keyed by what
 * only the reader knows, so nobody can make rows that sum up alike. */
#ifndef RJ_CRDT_AGREE_H
#define RJ_CRDT_AGREE_H

#include "base/reader.h"
#include "crdt/value.h"

enum {
    RJ_AGREE_BLOCKS = 256, /* at most */
    RJ_AGREE_HOLES = 16 /* runs of rows a block, at least: else it costs what it saves */
};

/* Names of a digest: number -> index. */
struct rj_agree_names {
    const uint32_t *index;
    uint32_t n;
};

/* v's digest has sums. */
bool rj_agree_is_worth(const struct rj_crdt *v, const struct rj_agree_names *names);
/* Appends them; sticky. */
void rj_agree_put(const struct rj_crdt *v, const struct rj_agree_names *names,
                  struct rj_buf *out);
/* Blocks of theirs (what the maker has seen) that v agrees with. RJ_ENOMEM; RJ_ECORRUPT:
 * these are no sums of theirs. */
RJ_NODISCARD enum rj_err rj_agree_get(const struct rj_crdt *v,
                                      const struct rj_agree_names *names,
                                      const struct rj_dots *theirs, struct rj_bytes sums,
                                      struct rj_dots *ret_same);

#endif
