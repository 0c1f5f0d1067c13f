/* SPDX-License-Identifier: Apache-2.0 */
/* The place of configuration, data and socket: one directory for a whole node
 * (REJOIN_HOME, so that several nodes can live on one machine), else what systemd or the
 * XDG Base Directory Specification 0.8 says. The first rule that gives an answer decides,
 * for each of the three by itself. */
#include "posix/dirs.h"

#include "posix/why.h"

#include <string.h>

/* Text put together in a fixed buffer; sticky. */
struct path {
    char *text; /* RJ_FILE_PATH_MAX bytes */
    size_t len;
    bool failed;
};

static void add(struct path *p, const char *part, size_t len)
{
    if (p->failed || len >= RJ_FILE_PATH_MAX - p->len) {
        p->failed = true;
        return;
    }
    memcpy(p->text + p->len, part, len);
    p->len += len;
    p->text[p->len] = '\0';
}

/* ret = base without slashes at its end + tail. False: too long. */
static bool join(const char *base, size_t base_len, const char *tail,
                 char ret[RJ_FILE_PATH_MAX])
{
    struct path p = {.text = ret};

    while (base_len > 1 && base[base_len - 1] == '/')
        base_len--;
    if (base_len == 1 && base[0] == '/' && tail[0] != '\0')
        base_len = 0;
    add(&p, base, base_len);
    add(&p, tail, strlen(tail));
    return !p.failed;
}

/* The variable, when it is set and not empty. */
static const char *get(rj_dirs_env_fn *env, const char *name)
{
    const char *value = env(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static const char *get_absolute(rj_dirs_env_fn *env, const char *name)
{
    const char *value = get(env, name);

    return value != NULL && value[0] == '/' ? value : NULL;
}

/* Where to look for one of the directories. */
struct rule {
    const char *systemd; /* may list several, with colons: the first counts */
    const char *xdg;
    const char *under_home; /* NULL: no such rule */
};

/* RJ_ENOENT: no rule gave an answer. */
static enum rj_err decide(rj_dirs_env_fn *env, const struct rule *rule,
                          char ret[RJ_FILE_PATH_MAX])
{
    const char *base = get_absolute(env, rule->systemd);
    bool fits;

    if (base != NULL) {
        fits = join(base, strcspn(base, ":"), "", ret);
    } else if ((base = get_absolute(env, rule->xdg)) != NULL) {
        fits = join(base, strlen(base), "/rejoin", ret);
    } else {
        base = rule->under_home != NULL ? get_absolute(env, "HOME") : NULL;
        if (base == NULL)
            return RJ_ENOENT;
        fits = join(base, strlen(base), rule->under_home, ret);
    }
    return fits ? RJ_OK : RJ_ELIMIT;
}

/* All in one directory. */
static enum rj_err find_in(const char *home, struct rj_dirs *dirs)
{
    size_t len = strlen(home);

    if (join(home, len, "", dirs->config) && join(home, len, "/data", dirs->data) &&
        join(home, len, "/run", dirs->runtime))
        return RJ_OK;
    return RJ_ELIMIT;
}

static enum rj_err find_three(rj_dirs_env_fn *env, struct rj_dirs *dirs)
{
    static const struct rule config = {"CONFIGURATION_DIRECTORY", "XDG_CONFIG_HOME",
                                       "/.config/rejoin"};
    static const struct rule data = {"STATE_DIRECTORY", "XDG_DATA_HOME",
                                     "/.local/share/rejoin"};
    static const struct rule runtime = {"RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", NULL};
    const char *home = get(env, "REJOIN_HOME");
    enum rj_err err;

    if (home != NULL)
        return home[0] == '/' ? find_in(home, dirs) : RJ_EINVAL;
    err = decide(env, &config, dirs->config);
    if (err == RJ_OK)
        err = decide(env, &data, dirs->data);
    if (err == RJ_OK)
        err = decide(env, &runtime, dirs->runtime);
    if (err == RJ_ENOENT && dirs->data[0] != '\0')
        err = join(dirs->data, strlen(dirs->data), "/run", dirs->runtime) ? RJ_OK
                                                                          : RJ_ELIMIT;
    return err == RJ_ENOENT ? RJ_EINVAL : err;
}

/* A file: what the variable says, or name in dir. */
static enum rj_err find_file(const char *value, const char *dir, const char *name,
                             char ret[RJ_FILE_PATH_MAX])
{
    if (value != NULL)
        return join(value, strlen(value), "", ret) ? RJ_OK : RJ_ELIMIT;
    return join(dir, strlen(dir), name, ret) ? RJ_OK : RJ_ELIMIT;
}

enum rj_err rj_dirs_find(rj_dirs_env_fn *env, char *why, size_t why_len,
                         struct rj_dirs *ret_dirs)
{
    struct rj_dirs dirs = {0};
    enum rj_err err = find_three(env, &dirs);

    if (err == RJ_OK)
        err = find_file(get(env, "REJOIN_CONFIG"), dirs.config, "/rejoin.conf",
                        dirs.config_file);
    if (err == RJ_OK)
        err = find_file(get(env, "REJOIN_SOCKET"), dirs.runtime, "/control", dirs.socket);
    if (err == RJ_EINVAL)
        rj_why_set(why, why_len,
                   "no place for the node: set REJOIN_HOME to an absolute "
                   "path, or HOME");
    if (err == RJ_ELIMIT)
        rj_why_set(why, why_len, "the path of the node's directory is too long");
    if (err == RJ_OK)
        *ret_dirs = dirs;
    return err;
}

enum rj_err rj_dirs_in(const char *home, struct rj_dirs *ret_dirs)
{
    struct rj_dirs dirs = {0};
    enum rj_err err = home[0] == '/' ? find_in(home, &dirs) : RJ_EINVAL;

    if (err == RJ_OK)
        err = find_file(NULL, dirs.config, "/rejoin.conf", dirs.config_file);
    if (err == RJ_OK)
        err = find_file(NULL, dirs.runtime, "/control", dirs.socket);
    if (err == RJ_OK)
        *ret_dirs = dirs;
    return err;
}
