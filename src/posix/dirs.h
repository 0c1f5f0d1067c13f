/* SPDX-License-Identifier: Apache-2.0 */
/* Where a node keeps its things. */
#ifndef RJ_POSIX_DIRS_H
#define RJ_POSIX_DIRS_H

#include "posix/file.h"

/* Absolute paths without a slash at the end (REJOIN_CONFIG and REJOIN_SOCKET as given).
 */
struct rj_dirs {
    char config[RJ_FILE_PATH_MAX];      /* directory of what people edit */
    char config_file[RJ_FILE_PATH_MAX]; /* REJOIN_CONFIG, or <config>/rejoin.conf */
    char data[RJ_FILE_PATH_MAX];        /* key, stores */
    char runtime[RJ_FILE_PATH_MAX];     /* gone at reboot; holds the socket */
    char socket[RJ_FILE_PATH_MAX];      /* REJOIN_SOCKET, or <runtime>/control */
};

/* Looks up a variable of the environment: getenv, or a test's own. */
typedef char *rj_dirs_env_fn(const char *name);

/* Decides by, in this order: REJOIN_HOME (config: it, data: /data in it, runtime: /run in
 * it); systemd's CONFIGURATION_, STATE_ and RUNTIME_DIRECTORY; XDG_CONFIG_HOME,
 * XDG_DATA_HOME, XDG_RUNTIME_DIR with /rejoin added (relative ones are ignored, as XDG
 * asks); HOME/.config/rejoin, HOME/.local/share/rejoin, <data>/run. An empty variable
 * counts as unset. Makes nothing. RJ_EINVAL: no home, or REJOIN_HOME is relative;
 * RJ_ELIMIT: too long. */
RJ_NODISCARD enum rj_err rj_dirs_find(rj_dirs_env_fn *env, char *why, size_t why_len,
                                      struct rj_dirs *ret_dirs);
/* As with REJOIN_HOME=home and nothing else in the environment. RJ_EINVAL: home is not
 * absolute; RJ_ELIMIT: too long. */
RJ_NODISCARD enum rj_err rj_dirs_in(const char *home, struct rj_dirs *ret_dirs);

#endif
