/* SPDX-License-Identifier: Apache-2.0 */
/* rejoin doctor: a list of findings, each with the command that mends it. */
#ifndef RJ_CLI_DOCTOR_H
#define RJ_CLI_DOCTOR_H

#include "cli/cli.h"
#include "daemon/config.h"

enum {
    RJ_DOCTOR_MAX = 128, /* findings; more are dropped */
    RJ_DOCTOR_WHY = 400,
    RJ_DOCTOR_FIX = 1024,
    RJ_DOCTOR_PROBE_MS = 3000, /* for one address to answer */
    RJ_DOCTOR_NAME_MS = 3000,  /* for one name to be looked up */
    RJ_DOCTOR_NAMES = 16       /* names that are looked up */
};

enum rj_doctor_result { RJ_DOCTOR_GOOD, RJ_DOCTOR_WARN, RJ_DOCTOR_FAIL };

struct rj_doctor_finding {
    const char *check; /* static: what was looked at */
    enum rj_doctor_result result;
    char why[RJ_DOCTOR_WHY], fix[RJ_DOCTOR_FIX];
};

struct rj_doctor {
    struct rj_cli *cli;
    struct rj_config config; /* as in the file */
    bool config_read;
    bool running;                   /* the daemon answers, and: */
    struct rj_bytes status, doctor; /* what it says */
    struct rj_doctor_finding findings[RJ_DOCTOR_MAX];
    size_t n_findings;
};

/* Adds a finding; format as printf. Its fix comes with rj_doctor_fix. */
void rj_doctor_add(struct rj_doctor *d, const char *check, enum rj_doctor_result result,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* What mends the finding that was added last. */
void rj_doctor_fix(struct rj_doctor *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The worst result of a check so far; GOOD when it has none. */
enum rj_doctor_result rj_doctor_worst(const struct rj_doctor *d, const char *check);
/* A path as a shell wants it. */
const char *rj_doctor_quote(const char *path, char *room, size_t size);

/* ---- what is looked at */

/* doctor_home.c: files, disk, configuration, and how the daemon is started. */
void rj_doctor_home(struct rj_doctor *d);
void rj_doctor_disk(struct rj_doctor *d);
void rj_doctor_service(struct rj_doctor *d);
/* doctor_net.c: ports and names. */
void rj_doctor_ports(struct rj_doctor *d);
void rj_doctor_names(struct rj_doctor *d);
/* doctor_node.c: what the daemon knows; only while it runs. */
void rj_doctor_node(struct rj_doctor *d);

#endif
