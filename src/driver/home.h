/* SPDX-License-Identifier: Apache-2.0 */
/* The home of one node: where its things are, the lock that keeps a second daemon out,
 * the device key. */
#ifndef RJ_DRIVER_HOME_H
#define RJ_DRIVER_HOME_H

#include "posix/crypto.h"
#include "posix/dirs.h"

enum { RJ_HOME_WHY_MAX = 512 };

struct rj_home {
    struct rj_dirs dirs;
    char key_path[RJ_FILE_PATH_MAX];
    char store_path[RJ_FILE_PATH_MAX];
    char lock_path[RJ_FILE_PATH_MAX];
    char log_path[RJ_FILE_PATH_MAX];    /* of a daemon that the command line started */
    char pipes_path[RJ_FILE_PATH_MAX];  /* who is behind an ssh */
    char peer_socket[RJ_FILE_PATH_MAX]; /* for `rejoin pipe`; beside the control socket */
    int lock_fd;                        /* -1: not held */
    char why[RJ_HOME_WHY_MAX];          /* detail of the last failure */
};

/* Finds the paths (environment, see posix/dirs.h). Makes nothing. RJ_EINVAL, RJ_ELIMIT:
 * detail in why. */
RJ_NODISCARD enum rj_err rj_home_find(struct rj_home *h);
/* The paths below one directory, as REJOIN_HOME=path would give them, whatever the
 * environment; a relative path is taken from where the process stands now. Makes nothing.
 * RJ_EINVAL, RJ_ELIMIT: detail in why. */
RJ_NODISCARD enum rj_err rj_home_at(struct rj_home *h, const char *path);
/* Makes the directories (0700) and takes the lock. RJ_EBUSY: another daemon has it;
 * RJ_EDENIED: a directory is not this user's alone; RJ_EIO. Detail in why. */
RJ_NODISCARD enum rj_err rj_home_open(struct rj_home *h);
/* Whether some daemon holds the lock now. */
bool rj_home_locked(const struct rj_home *h);
/* Loads the device key, or makes one where there is none. RJ_ECORRUPT, RJ_EDENIED,
 * RJ_EIO: detail in why. */
RJ_NODISCARD enum rj_err rj_home_key(struct rj_home *h, struct rj_crypto **ret_crypto);
/* Gives the lock back. */
void rj_home_close(struct rj_home *h);

#endif
