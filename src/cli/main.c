/* SPDX-License-Identifier: Apache-2.0 */
/* rejoin: the command line, a thin client of the daemon's control socket. */
#include "cli/cli.h"
#include "posix/file.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static int run(struct rj_cli *cli, int argc, char **argv)
{
    enum rj_err err = rj_cli_parse(cli, argc, argv);

    if (err != RJ_OK)
        return rj_err_exit(err);
    if (cli->version)
        return rj_cmd_version(cli);
    if (cli->help || cli->command == NULL) {
        int status = rj_cmd_help(cli);

        return cli->help ? status : rj_err_exit(RJ_EINVAL);
    }
    err = rj_home_find(&cli->home);
    if (err != RJ_OK)
        return rj_cli_fail(cli, err, "set REJOIN_HOME", "%s", cli->home.why);
    return cli->command->fn(cli);
}

int main(int argc, char **argv)
{
    struct rj_cli *cli = calloc(1, sizeof(*cli));
    int status;

    rj_file_guard_std();
    if (cli == NULL) {
        (void)fputs("rejoin: out of memory\n", stderr);
        return rj_err_exit(RJ_ENOMEM);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    rj_cli_interrupts();
    cli->fd = -1;
    cli->home.lock_fd = -1;
    status = run(cli, argc, argv);
    rj_cli_disconnect(cli);
    free(cli);
    return status;
}
