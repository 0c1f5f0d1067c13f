/* SPDX-License-Identifier: Apache-2.0 */
/* bucket run: any Redis command through the daemon. */
#include "cli/cli.h"
#include "cli/reply.h"

#include <stdio.h>
#include <unistd.h>

static void on_output(struct rj_cli *cli, const struct rj_message_reply *reply)
{
    struct rj_bytes piece;

    if (reply->kind == RJ_MESSAGE_OUTPUT && rj_doc_is_text(reply->body, &piece))
        rj_buf_append(&cli->output, piece);
}

static int show_json(struct rj_cli *cli, struct rj_bytes resp)
{
    bool is_error = false;
    json_t *value = rj_reply_json(resp, &is_error);
    json_t *doc = value != NULL ? json_pack("{s:i, s:o}", "v", 1, "reply", value) : NULL;

    if (doc == NULL)
        return rj_cli_fail(cli, RJ_EPROTO, "", "the reply was not understood");
    (void)json_dumpf(doc, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    (void)putchar('\n');
    json_decref(doc);
    return is_error ? 1 : rj_cli_end(cli);
}

static int show(struct rj_cli *cli, struct rj_bytes resp)
{
    bool pretty = isatty(STDOUT_FILENO) != 0, is_error = false;
    struct rj_buf text = {0};
    enum rj_err err;

    if (cli->json)
        return show_json(cli, resp);
    err = rj_reply_print(resp, pretty ? RJ_REPLY_PRINT_PRETTY : RJ_REPLY_PRINT_RAW, &text,
                         &is_error);
    if (err == RJ_OK && text.len > 0)
        (void)fwrite(text.ptr, 1, text.len, stdout);
    rj_buf_done(&text);
    if (err != RJ_OK)
        return rj_cli_fail(cli, err, "", "the reply was not understood");
    return is_error ? 1 : rj_cli_end(cli);
}

int rj_cmd_bucket_run(struct rj_cli *cli)
{
    struct rj_buf body = {0};
    struct rj_doc args = {0};
    int status;

    rj_doc_map(&args);
    rj_doc_put_str(&args, "name", cli->args[0]);
    rj_doc_key(&args, "command");
    rj_doc_array(&args);
    for (size_t i = 1; i < cli->n_args; i++)
        rj_doc_bytes(&args, rj_bytes_from_str(cli->args[i]));
    rj_doc_end(&args);
    rj_doc_end(&args);
    cli->on_reply = on_output;
    status = rj_cli_call(cli, "bucket.run", &args, cli->timeout_ms, &body);
    if (status == 0)
        status = show(cli, rj_buf_view(&cli->output));
    rj_doc_done(&args);
    rj_buf_done(&cli->output);
    rj_buf_done(&body);
    return status;
}
