/* SPDX-License-Identifier: Apache-2.0 */
/* What tools that watch a server ask: who am I, what was slow, what is its role. Nothing
 * is recorded for them; the lists are there and empty. */
#include "face/resp_cmd.h"
#include "face/resp_num.h"

static enum rj_err reply_empty(struct rj_resp_call *c)
{
    rj_resp_reply_array(c->r, 0);
    return RJ_OK;
}

static enum rj_err reply_zero(struct rj_resp_call *c)
{
    rj_resp_reply_int(c->r, 0);
    return RJ_OK;
}

static enum rj_err reply_done(struct rj_resp_call *c)
{
    rj_resp_reply_ok(c->r);
    return RJ_OK;
}

enum rj_err rj_cmd_server_slowlog(struct rj_resp_call *c)
{
    static const struct rj_resp_sub subs[] = {
        {"get", -2, "GET [<count>] -- always empty", reply_empty},
        {"len", 2, "LEN -- always 0", reply_zero},
        {"reset", 2, "RESET -- no effect", reply_done},
    };

    return rj_resp_cmd_sub(c, subs, sizeof(subs) / sizeof(subs[0]));
}

enum rj_err rj_cmd_server_latency(struct rj_resp_call *c)
{
    static const struct rj_resp_sub subs[] = {
        {"latest", 2, "LATEST -- always empty", reply_empty},
        {"history", 3, "HISTORY <event> -- always empty", reply_empty},
        {"reset", -2, "RESET [<event> ...] -- no effect", reply_zero},
        {"doctor", 0, "", NULL},
        {"graph", 0, "", NULL},
        {"histogram", 0, "", NULL},
    };

    return rj_resp_cmd_sub(c, subs, sizeof(subs) / sizeof(subs[0]));
}

static enum rj_err acl_whoami(struct rj_resp_call *c)
{
    rj_resp_reply_bulk_str(c->r, c->s->login);
    return RJ_OK;
}

enum rj_err rj_cmd_server_acl(struct rj_resp_call *c)
{
    static const struct rj_resp_sub subs[] = {
        {"whoami", 2, "WHOAMI -- the user, whose name is that of a bucket", acl_whoami},
        {"cat", 0, "", NULL},
        {"deluser", 0, "", NULL},
        {"dryrun", 0, "", NULL},
        {"genpass", 0, "", NULL},
        {"getuser", 0, "", NULL},
        {"list", 0, "", NULL},
        {"load", 0, "", NULL},
        {"log", 0, "", NULL},
        {"save", 0, "", NULL},
        {"setuser", 0, "", NULL},
        {"users", 0, "", NULL},
    };

    return rj_resp_cmd_sub(c, subs, sizeof(subs) / sizeof(subs[0]));
}

/* As a master without replicas: every node takes writes. */
enum rj_err rj_cmd_server_role(struct rj_resp_call *c)
{
    rj_resp_reply_array(c->r, 3);
    rj_resp_reply_bulk_str(c->r, "master");
    rj_resp_reply_int(c->r, 0);
    rj_resp_reply_array(c->r, 0);
    return RJ_OK;
}
