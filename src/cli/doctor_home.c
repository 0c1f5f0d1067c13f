/* SPDX-License-Identifier: Apache-2.0 */
/* What lies on this machine: the files of the home and who may read them, the
 * configuration, the disk, and whether the system starts the daemon by itself. */
#include "cli/doctor.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { OTHERS = 077, ALL = 07777, PRIVATE_DIR = 0700, PRIVATE_FILE = 0600 };

#define DISK_FAIL_BYTES (64ULL * 1000 * 1000)
#define DISK_WARN_BYTES (1000ULL * 1000 * 1000)

/* ---- files */

/* A file or directory that nobody else may touch; missing is no finding here. */
static void look_private(struct rj_doctor *d, const char *check, const char *path,
                         mode_t mode)
{
    char room[RJ_FILE_PATH_MAX];
    struct stat st;

    if (stat(path, &st) != 0) {
        if (errno != ENOENT && errno != ENOTDIR) {
            rj_doctor_add(d, check, RJ_DOCTOR_FAIL, "%.200s: %s", path, strerror(errno));
            rj_doctor_fix(d, "ls -ld %s", rj_doctor_quote(path, room, sizeof(room)));
        }
        return;
    }
    if (st.st_uid != geteuid() && geteuid() != 0) {
        rj_doctor_add(d, check, RJ_DOCTOR_FAIL, "%.200s belongs to another user", path);
        rj_doctor_fix(d, "sudo chown -R %u %s", (unsigned)geteuid(),
                      rj_doctor_quote(path, room, sizeof(room)));
    } else if ((st.st_mode & OTHERS) != 0) {
        rj_doctor_add(d, check, RJ_DOCTOR_FAIL, "other users may get at %.200s", path);
        rj_doctor_fix(d, "chmod %o %s", (unsigned)mode,
                      rj_doctor_quote(path, room, sizeof(room)));
    }
}

static void look_at_config(struct rj_doctor *d)
{
    const struct rj_home *h = &d->cli->home;
    char room[RJ_FILE_PATH_MAX];
    enum rj_err err = rj_config_load(&d->config, h->dirs.config_file);

    d->config_read = err == RJ_OK;
    if (err != RJ_OK) {
        rj_doctor_add(d, "config", RJ_DOCTOR_FAIL, "%s",
                      d->config.why[0] != '\0' ? d->config.why : rj_err_text(err));
        rj_doctor_fix(d, "${EDITOR:-nano} %s",
                      rj_doctor_quote(h->dirs.config_file, room, sizeof(room)));
        return;
    }
    look_private(d, "config", h->dirs.config_file, PRIVATE_FILE);
    if (rj_doctor_worst(d, "config") != RJ_DOCTOR_GOOD)
        return;
    if (access(h->dirs.config_file, F_OK) == 0)
        rj_doctor_add(d, "config", RJ_DOCTOR_GOOD, "%s", h->dirs.config_file);
    else
        rj_doctor_add(d, "config", RJ_DOCTOR_GOOD, "all settings have their defaults");
}

static void look_at_key(struct rj_doctor *d)
{
    const struct rj_home *h = &d->cli->home;
    char room[RJ_FILE_PATH_MAX];

    look_private(d, "key", h->key_path, PRIVATE_FILE);
    if (rj_doctor_worst(d, "key") != RJ_DOCTOR_GOOD)
        return;
    if (access(h->key_path, F_OK) == 0) {
        rj_doctor_add(d, "key", RJ_DOCTOR_GOOD, "only this user may read it");
    } else if (access(h->store_path, F_OK) == 0) {
        rj_doctor_add(d, "key", RJ_DOCTOR_FAIL,
                      "device.key is gone, but the store is there; put the key back, or "
                      "begin as a new device:");
        rj_doctor_fix(d, "mv %s %s.old",
                      rj_doctor_quote(h->dirs.data, room, sizeof(room)), room);
    }
}

void rj_doctor_home(struct rj_doctor *d)
{
    const struct rj_home *h = &d->cli->home;

    if (access(h->dirs.data, F_OK) != 0 && errno == ENOENT) {
        rj_doctor_add(d, "home", RJ_DOCTOR_WARN, "%.300s is not there yet", h->dirs.data);
        rj_doctor_fix(d, "rejoin up");
    }
    look_private(d, "home", h->dirs.data, PRIVATE_DIR);
    look_private(d, "home", h->store_path, PRIVATE_DIR);
    look_private(d, "home", h->dirs.runtime, PRIVATE_DIR);
    look_private(d, "home", d->cli->socket != NULL ? d->cli->socket : h->dirs.socket,
                 PRIVATE_FILE);
    if (rj_doctor_worst(d, "home") == RJ_DOCTOR_GOOD)
        rj_doctor_add(d, "home", RJ_DOCTOR_GOOD, "%.300s is private", h->dirs.data);
    look_at_key(d);
    look_at_config(d);
}

/* ---- disk */

static void look_at_store(struct rj_doctor *d)
{
    uint64_t limit = d->config_read ? rj_config_uint(&d->config, "limit.store") : 0;
    char path[RJ_FILE_PATH_MAX + 16], used[32], most[32];
    struct stat st;
    uint64_t bytes;

    (void)snprintf(path, sizeof(path), "%s/data.mdb", d->cli->home.store_path);
    if (stat(path, &st) != 0)
        return;
    bytes = (uint64_t)st.st_size;
    (void)rj_cli_size(bytes, used, sizeof(used));
    (void)rj_cli_size(limit, most, sizeof(most));
    if (limit == 0) {
        rj_doctor_add(d, "store", RJ_DOCTOR_GOOD, "%s, limited by the disk alone", used);
        return;
    }
    rj_doctor_add(d, "store",
                  bytes >= limit / 100 * 98   ? RJ_DOCTOR_FAIL
                  : bytes >= limit / 100 * 80 ? RJ_DOCTOR_WARN
                                              : RJ_DOCTOR_GOOD,
                  "%s of the %s that limit.store allows", used, most);
    if (bytes >= limit / 100 * 80)
        rj_doctor_fix(d, "rejoin config set limit.store %llu; rejoin down; rejoin up",
                      (unsigned long long)limit * 2);
}

void rj_doctor_disk(struct rj_doctor *d)
{
    const char *path = d->cli->home.dirs.data;
    char room[RJ_FILE_PATH_MAX], have[32];
    struct statvfs fs;
    uint64_t bytes;

    if (statvfs(path, &fs) != 0)
        return; /* not there yet */
    bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    (void)rj_cli_size(bytes, have, sizeof(have));
    if (bytes < DISK_FAIL_BYTES || (fs.f_files > 0 && fs.f_favail == 0)) {
        rj_doctor_add(d, "disk", RJ_DOCTOR_FAIL,
                      "only %s%s left: writes are refused, or soon will be",
                      bytes < DISK_FAIL_BYTES ? have : "no inodes",
                      bytes < DISK_FAIL_BYTES ? " are" : "");
    } else if (bytes < DISK_WARN_BYTES) {
        rj_doctor_add(d, "disk", RJ_DOCTOR_WARN, "only %s are left", have);
    } else {
        rj_doctor_add(d, "disk", RJ_DOCTOR_GOOD, "%s free", have);
        look_at_store(d);
        return;
    }
    rj_doctor_fix(d, "df -h %s", rj_doctor_quote(path, room, sizeof(room)));
    look_at_store(d);
}

/* ---- service */

static bool is_there(const char *dir, const char *name)
{
    char path[RJ_FILE_PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", dir, name);

    return n > 0 && n < (int)sizeof(path) && access(path, F_OK) == 0;
}

/* Whether a unit of that name lies in one of the directories. */
static const char *unit_in(const char *const *dirs, size_t n)
{
    static const char *const names[] = {"rejoin.service", "rejoind.service"};

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            if (dirs[i][0] != '\0' && is_there(dirs[i], names[k]))
                return names[k];
        }
    }
    return NULL;
}

static void look_at_user_unit(struct rj_doctor *d, const char *installed,
                              const char *enabled)
{
    struct passwd *user = getpwuid(geteuid());
    const char *name = user != NULL ? user->pw_name : "$USER";

    if (enabled == NULL) {
        rj_doctor_add(d, "service", RJ_DOCTOR_WARN,
                      "the system does not start it: after a reboot it is down");
        rj_doctor_fix(d, "systemctl --user enable --now %s", installed);
    } else if (!is_there("/var/lib/systemd/linger", name)) {
        rj_doctor_add(d, "service", RJ_DOCTOR_WARN, "%s runs only while %s is logged in",
                      enabled, name);
        rj_doctor_fix(d, "loginctl enable-linger %s", name);
    } else {
        rj_doctor_add(d, "service", RJ_DOCTOR_GOOD, "%s starts with the system", enabled);
    }
}

void rj_doctor_service(struct rj_doctor *d)
{
    static const char *const system_wants[] = {
        "/etc/systemd/system/multi-user.target.wants"};
    char own[RJ_FILE_PATH_MAX] = "", own_wants[RJ_FILE_PATH_MAX + 32] = "";
    const char *home = getenv("HOME"), *unit;
    const char *wants[] = {own_wants, "/etc/systemd/user/default.target.wants"};
    const char *units[] = {own, "/etc/systemd/user", "/usr/lib/systemd/user",
                           "/usr/local/lib/systemd/user", "/lib/systemd/user"};

    if (getenv("REJOIN_HOME") != NULL) {
        rj_doctor_add(d, "service", RJ_DOCTOR_GOOD,
                      "a home of its own (REJOIN_HOME): rejoin up starts it");
        return;
    }
    if (home != NULL && snprintf(own, sizeof(own), "%s/.config/systemd/user", home) > 0)
        (void)snprintf(own_wants, sizeof(own_wants), "%s/default.target.wants", own);
    unit = unit_in(system_wants, 1);
    if (unit != NULL)
        rj_doctor_add(d, "service", RJ_DOCTOR_GOOD, "%s starts with the system", unit);
    else if (!is_there("/run/systemd", "system"))
        rj_doctor_add(d, "service", RJ_DOCTOR_GOOD,
                      "no systemd here: rejoin up starts it after a reboot");
    else if ((unit = unit_in(units, sizeof(units) / sizeof(units[0]))) == NULL)
        rj_doctor_add(d, "service", RJ_DOCTOR_GOOD,
                      "no unit is installed: rejoin up starts it after a reboot");
    else
        look_at_user_unit(d, unit, unit_in(wants, sizeof(wants) / sizeof(wants[0])));
}
