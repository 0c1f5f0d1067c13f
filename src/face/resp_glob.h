/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns as in SCAN MATCH: * ? [abc] [a-z] [^a] and \ before a character that stands
 * for itself. */
#ifndef RJ_FACE_RESP_GLOB_H
#define RJ_FACE_RESP_GLOB_H

#include <rejoin/bytes.h>
#include <stdbool.h>

/* Steps that the patterns of one command may cost altogether. */
#define RJ_RESP_GLOB_STEPS ((uint64_t)1 << 24)

/* True iff text as a whole matches pattern. Takes one step from *steps for each
 * comparison; when none is left it returns false and *steps is 0: the answer is then not
 * known. */
bool rj_resp_glob_match(struct rj_bytes pattern, struct rj_bytes text, uint64_t *steps);
/* The same for ASCII letters of either case. */
bool rj_resp_glob_match_nocase(struct rj_bytes pattern, struct rj_bytes text,
                               uint64_t *steps);

#endif
