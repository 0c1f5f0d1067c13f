/* SPDX-License-Identifier: Apache-2.0 */
/* web: where the page is. */
#include "cli/cli.h"

#include <stdio.h>

enum { URL_BYTES = 512 };

static int show(struct rj_cli *cli, struct rj_bytes doc)
{
    char url[URL_BYTES];

    (void)printf("%s\n", rj_cli_text(doc, "url", url, sizeof(url)));
    return rj_cli_end(cli);
}

int rj_cmd_web(struct rj_cli *cli)
{
    struct rj_doc args = {0};

    rj_doc_map(&args);
    return rj_cli_ask(cli, "web", &args, show);
}
