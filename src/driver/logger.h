/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's log: one line an event on stderr,
 *
 *     2026-03-01T12:00:00.123Z info peer.up device=3f9a10c2 address=192.0.2.7:7340
 *
 * time (UTC), level, then what the caller gives: "event key=value ...". A line is written
 * whole, with one write, or not at all: writing never waits. Lines that were lost are
 * counted, and told of by the next one that is not:
 *
 *     2026-03-01T12:00:07.004Z warn dropped=3
 */
#ifndef RJ_DRIVER_LOGGER_H
#define RJ_DRIVER_LOGGER_H

#include <rejoin/bytes.h>
#include <rejoin/error.h>
#include <rejoin/node.h>

enum { RJ_LOGGER_LINE_MAX = 2048 }; /* a longer one is cut */

/* Gets every line from RJ_NOTE_INFO on, whatever the level of the log; without time and
 * level. */
typedef void rj_logger_tap_fn(void *ctx, enum rj_note_level level, const char *text);

struct rj_logger {
    int fd;                   /* -1: the tap alone */
    enum rj_note_level level; /* what is below is dropped */
    rj_logger_tap_fn *tap;    /* NULL: none */
    void *tap_ctx;
    uint64_t dropped; /* lines lost; zero at first, as is: */
    uint64_t told;    /* how many of them the log itself tells of */
};

/* Reads "error", "warn", "info" or "debug". RJ_EINVAL: none of them. */
RJ_NODISCARD enum rj_err rj_logger_level(const char *name, enum rj_note_level *ret);
const char *rj_logger_level_name(enum rj_note_level level);

/* Writes one line; format as printf. Control characters become '?'. */
void rj_logger_line(struct rj_logger *log, enum rj_note_level level, const char *format,
                    ...) __attribute__((format(printf, 3, 4)));

#endif
