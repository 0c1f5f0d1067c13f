/* SPDX-License-Identifier: Apache-2.0 */
/* rejoin bench: timing, and a small client of the Redis protocol. */
#ifndef RJ_CLI_BENCH_H
#define RJ_CLI_BENCH_H

#include "base/buf.h"

#include <rejoin/error.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    RJ_BENCH_SAMPLES = 1 << 18, /* times that are kept of a row; more are counted only */
    RJ_BENCH_WHY = 256,
    RJ_BENCH_REPLY_MS = 30000 /* for one answer */
};

/* What was measured in one row. */
struct rj_bench_row {
    const char *name; /* static, for JSON */
    char what[64];    /* for people */
    uint64_t at_once; /* commands sent together */
    uint64_t count;   /* commands done */
    uint64_t took_ns; /* by all of them */
    uint32_t *ns;     /* times of rounds, RJ_BENCH_SAMPLES of room */
    size_t n_ns;
};

/* The monotonic clock. */
uint64_t rj_bench_now_ns(void);
/* Adds a round of `commands` commands that began at that time and ends now. */
void rj_bench_note(struct rj_bench_row *row, uint64_t begun_ns, uint64_t commands);
/* The time below which that many of 1000 rounds were; sorts ns. */
uint64_t rj_bench_permille(struct rj_bench_row *row, unsigned permille);
uint64_t rj_bench_per_second(const struct rj_bench_row *row);

/* ---- client; zero-initialise, fd -1 */

struct rj_bench_client {
    int fd;
    struct rj_buf in;
    char why[RJ_BENCH_WHY];
};

/* RJ_EUNREACH: detail in why. host is a numeric address. */
RJ_NODISCARD enum rj_err rj_bench_open(struct rj_bench_client *c, const char *host,
                                       unsigned port);
/* Sends commands (RESP) and waits for that many replies. RJ_EIO: one of them is an error,
 * or the connection ended; RJ_ETIMEOUT; detail in why. *ret_last (may be NULL): the last
 * one as a number, when it is one. */
RJ_NODISCARD enum rj_err rj_bench_ask(struct rj_bench_client *c, struct rj_bytes commands,
                                      size_t replies, int64_t *ret_last);
void rj_bench_close(struct rj_bench_client *c);
/* Appends a command of n words. */
void rj_bench_put(struct rj_buf *out, const char *const *words, size_t n);

#endif
