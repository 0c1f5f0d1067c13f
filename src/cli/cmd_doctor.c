/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: looks at what usually is wrong when two machines do not come in sync, says so
 * in one line each, and what to type. It changes nothing. */
#include "cli/doctor.h"
#include "cli/width.h"
#include "face/json.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE = 80, INDENT = 16, QUIET_MS = 10000 };

static const char *const words[] = {"ok", "warn", "fail"};

/* ---- output */

static void show(struct rj_cli *cli, const struct rj_doctor *d)
{
    static const enum rj_cli_paint paints[] = {RJ_CLI_GREEN, RJ_CLI_YELLOW, RJ_CLI_RED};

    for (size_t i = 0; i < d->n_findings; i++) {
        const struct rj_doctor_finding *f = &d->findings[i];

        if (cli->quiet && f->result == RJ_DOCTOR_GOOD)
            continue;
        (void)printf("%s%-4s%s  %-9s ", rj_cli_paint(cli, paints[f->result]),
                     words[f->result], rj_cli_paint(cli, RJ_CLI_PLAIN), f->check);
        rj_width_wrap(stdout, f->why, INDENT, LINE);
        if (f->fix[0] != '\0') /* never broken: it is to be copied */
            (void)printf("%*s%s%s%s\n", INDENT, "", rj_cli_paint(cli, RJ_CLI_BOLD),
                         f->fix, rj_cli_paint(cli, RJ_CLI_PLAIN));
    }
}

static json_t *text(const char *s)
{
    return rj_json_bytes(rj_bytes_from_str(s));
}

static int show_json(struct rj_cli *cli, const struct rj_doctor *d)
{
    json_t *list = json_array(), *doc;
    bool ok = list != NULL;

    for (size_t i = 0; ok && i < d->n_findings; i++) {
        const struct rj_doctor_finding *f = &d->findings[i];

        ok = json_array_append_new(list,
                                   json_pack("{s:s, s:s, s:o, s:o}", "check", f->check,
                                             "result", words[f->result], "why",
                                             text(f->why), "fix", text(f->fix))) == 0;
    }
    doc = ok ? json_pack("{s:i, s:s, s:O}", "v", 1, "result",
                         words[rj_doctor_worst(d, NULL)], "checks", list)
             : NULL;
    json_decref(list);
    if (doc == NULL)
        return rj_cli_fail(cli, RJ_ENOMEM, "", "%s", rj_err_text(RJ_ENOMEM));
    (void)json_dumpf(doc, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(doc);
    return 0;
}

/* ---- the daemon */

/* Asks for a document that holds nothing but facts; false: it did not come. */
static bool ask(struct rj_cli *cli, const char *verb, struct rj_buf *ret)
{
    struct rj_doc args = {0};
    bool silent = cli->silent;
    int status;

    rj_doc_map(&args);
    rj_doc_end(&args);
    cli->silent = true;
    status = rj_cli_call(cli, verb, &args, QUIET_MS, ret);
    cli->silent = silent;
    rj_doc_done(&args);
    return status == 0;
}

static void look_at_daemon(struct rj_doctor *d, struct rj_buf *status,
                           struct rj_buf *doctor)
{
    struct rj_cli *cli = d->cli;
    char why[RJ_CLI_WHY_MAX] = "", room[RJ_FILE_PATH_MAX];
    enum rj_err err = rj_cli_connect(cli, why, sizeof(why));

    if (err == RJ_ENODAEMON && rj_home_locked(&cli->home)) {
        rj_doctor_add(d, "daemon", RJ_DOCTOR_FAIL,
                      "it has the home but does not listen at %s: it is just starting "
                      "or ending, or was started with another REJOIN_SOCKET",
                      cli->socket != NULL ? cli->socket : cli->home.dirs.socket);
        rj_doctor_fix(d, "rejoin down; rejoin up");
    } else if (err == RJ_ENODAEMON) {
        rj_doctor_add(d, "daemon", RJ_DOCTOR_FAIL, "it is not running");
        rj_doctor_fix(d, "rejoin up");
    } else if (err != RJ_OK) {
        rj_doctor_add(d, "daemon", RJ_DOCTOR_FAIL, "%s", why);
        rj_doctor_fix(d, "ls -ld %s",
                      rj_doctor_quote(cli->home.dirs.runtime, room, sizeof(room)));
    } else if (!ask(cli, "status", status)) {
        rj_doctor_add(d, "daemon", RJ_DOCTOR_FAIL,
                      "it is there but does not say how it is");
        rj_doctor_fix(d, "tail %s",
                      rj_doctor_quote(cli->home.log_path, room, sizeof(room)));
    } else {
        d->running = true;
        d->status = rj_buf_view(status);
        rj_cli_disconnect(cli); /* an answer that came too late is not the next one */
        if (ask(cli, "doctor", doctor))
            d->doctor = rj_buf_view(doctor);
    }
}

static int exit_of(enum rj_doctor_result worst)
{
    return worst == RJ_DOCTOR_FAIL ? 1 : worst == RJ_DOCTOR_WARN ? RJ_CLI_PARTLY : 0;
}

int rj_cmd_doctor(struct rj_cli *cli)
{
    struct rj_doctor *d = calloc(1, sizeof(*d));
    struct rj_buf status = {0}, doctor = {0};
    enum rj_doctor_result worst;
    int end;

    if (d == NULL)
        return rj_cli_fail(cli, RJ_ENOMEM, "", "%s", rj_err_text(RJ_ENOMEM));
    d->cli = cli;
    rj_doctor_home(d);
    look_at_daemon(d, &status, &doctor);
    rj_doctor_node(d);
    rj_doctor_ports(d);
    rj_doctor_names(d);
    rj_doctor_disk(d);
    rj_doctor_service(d);
    worst = rj_doctor_worst(d, NULL);
    if (!cli->json)
        show(cli, d);
    end = cli->json ? show_json(cli, d) : 0;
    if (end == 0)
        end = rj_cli_end(cli);
    rj_config_done(&d->config);
    rj_buf_done(&status);
    rj_buf_done(&doctor);
    free(d);
    return end != 0 ? end : exit_of(worst);
}
