/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: what is published reaches those who have subscribed at that moment, in the
 * same bucket. Nothing is kept. In version 2 of the protocol a session that has
 * subscribed can do little else, for its replies and messages would look alike. */
#include "face/resp_cmd.h"
#include "face/resp_glob.h"

static struct rj_bytes bucket_of(const struct rj_resp_call *c)
{
    return rj_bytes_from_str(c->s->host->ops->bucket_name(c->s->host, c->s));
}

/* What became of one subscription: how, to what (NULL: there was none), how many are
 * left. */
static void confirm(struct rj_resp_call *c, const char *how, const struct rj_bytes *name,
                    enum rj_resp_topic topic)
{
    const struct rj_resp_subs *subs = &c->s->subs;

    rj_resp_reply_push(c->r, 3);
    rj_resp_reply_bulk_str(c->r, how);
    if (name != NULL)
        rj_resp_reply_bulk(c->r, *name);
    else
        rj_resp_reply_null(c->r);
    rj_resp_reply_int(c->r,
                      (int64_t)(topic == RJ_RESP_SHARD ? subs->shards : subs->channels));
}

static enum rj_err subscribe(struct rj_resp_call *c, enum rj_resp_topic topic)
{
    for (size_t i = 1; i < c->argc; i++) {
        enum rj_err err = rj_resp_hub_add(c->s, topic, bucket_of(c), c->argv[i]);

        if (err == RJ_ELIMIT)
            rj_resp_reply_errorf(c->r,
                                 "ERR more than %d subscriptions, or a name of more than "
                                 "%d KiB",
                                 RJ_RESP_SUBS_MAX, RJ_KEY_MAX / 1024);
        else if (err != RJ_OK)
            return err;
        else
            confirm(c, c->cmd->name, &c->argv[i], topic);
    }
    return RJ_OK;
}

static enum rj_err unsubscribe(struct rj_resp_call *c, enum rj_resp_topic topic)
{
    for (size_t i = 1; i < c->argc; i++) {
        rj_resp_hub_remove(c->s, topic, bucket_of(c), c->argv[i]);
        confirm(c, c->cmd->name, &c->argv[i], topic);
    }
    if (c->argc > 1)
        return RJ_OK;
    if (!rj_resp_hub_has(c->s, topic))
        confirm(c, c->cmd->name, NULL, topic);
    while (rj_resp_hub_remove_any(c->s, topic)) {
        const struct rj_bytes name = rj_buf_view(&c->s->scratch);

        if (c->s->scratch.failed)
            return RJ_ENOMEM;
        confirm(c, c->cmd->name, &name, topic);
    }
    return RJ_OK;
}

enum rj_err rj_cmd_pubsub_subscribe(struct rj_resp_call *c)
{
    return subscribe(c, RJ_RESP_CHANNEL);
}

enum rj_err rj_cmd_pubsub_psubscribe(struct rj_resp_call *c)
{
    return subscribe(c, RJ_RESP_PATTERN);
}

enum rj_err rj_cmd_pubsub_ssubscribe(struct rj_resp_call *c)
{
    return subscribe(c, RJ_RESP_SHARD);
}

enum rj_err rj_cmd_pubsub_unsubscribe(struct rj_resp_call *c)
{
    return unsubscribe(c, RJ_RESP_CHANNEL);
}

enum rj_err rj_cmd_pubsub_punsubscribe(struct rj_resp_call *c)
{
    return unsubscribe(c, RJ_RESP_PATTERN);
}

enum rj_err rj_cmd_pubsub_sunsubscribe(struct rj_resp_call *c)
{
    return unsubscribe(c, RJ_RESP_SHARD);
}

static enum rj_err publish(struct rj_resp_call *c, bool shard)
{
    const struct rj_resp_message m = {.bucket = bucket_of(c),
                                      .channel = c->argv[1],
                                      .text = c->argv[2],
                                      .shard = shard};

    if (m.channel.len > RJ_KEY_MAX)
        return RJ_ELIMIT;
    rj_resp_reply_int(c->r, (int64_t)c->s->host->ops->publish(c->s->host, &m));
    return RJ_OK;
}

enum rj_err rj_cmd_pubsub_publish(struct rj_resp_call *c)
{
    return publish(c, false);
}

enum rj_err rj_cmd_pubsub_spublish(struct rj_resp_call *c)
{
    return publish(c, true);
}

/* ---- PUBSUB: what there is to hear in this bucket, on this node */

static enum rj_err channels(struct rj_resp_call *c, enum rj_resp_topic topic)
{
    const struct rj_resp_heard *heard = NULL;
    uint64_t steps = RJ_RESP_GLOB_STEPS;
    size_t opened = rj_resp_reply_open(c->r), n = 0;

    if (c->argc > 3) {
        rj_resp_reply_errorf(c->r,
                             "ERR unknown subcommand or wrong number of arguments for "
                             "'%.*s'. Try PUBSUB HELP.",
                             (int)c->argv[1].len, (const char *)c->argv[1].ptr);
        return RJ_OK;
    }
    while ((heard = rj_resp_hub_next(c->s->host, topic, bucket_of(c), heard)) != NULL) {
        struct rj_bytes name = rj_resp_hub_name(heard);

        if (c->argc == 3 && !rj_resp_glob_match(c->argv[2], name, &steps))
            continue;
        rj_resp_reply_bulk(c->r, name);
        n++;
    }
    if (steps == 0) {
        rj_buf_truncate(c->r->buf, opened);
        return rj_resp_cmd_costly(c);
    }
    rj_resp_reply_close(c->r, opened, RJ_RESP_ARRAY, n);
    return RJ_OK;
}

static enum rj_err numbers(struct rj_resp_call *c, enum rj_resp_topic topic)
{
    rj_resp_reply_array(c->r, 2 * (c->argc - 2));
    for (size_t i = 2; i < c->argc; i++) {
        rj_resp_reply_bulk(c->r, c->argv[i]);
        rj_resp_reply_int(c->r, (int64_t)rj_resp_hub_count(c->s->host, topic,
                                                           bucket_of(c), c->argv[i]));
    }
    return RJ_OK;
}

static enum rj_err pubsub_channels(struct rj_resp_call *c)
{
    return channels(c, RJ_RESP_CHANNEL);
}

static enum rj_err pubsub_shardchannels(struct rj_resp_call *c)
{
    return channels(c, RJ_RESP_SHARD);
}

static enum rj_err pubsub_numsub(struct rj_resp_call *c)
{
    return numbers(c, RJ_RESP_CHANNEL);
}

static enum rj_err pubsub_shardnumsub(struct rj_resp_call *c)
{
    return numbers(c, RJ_RESP_SHARD);
}

static enum rj_err pubsub_numpat(struct rj_resp_call *c)
{
    const struct rj_resp_heard *heard = NULL;
    int64_t n = 0;

    while ((heard = rj_resp_hub_next(c->s->host, RJ_RESP_PATTERN, bucket_of(c), heard)) !=
           NULL)
        n++;
    rj_resp_reply_int(c->r, n);
    return RJ_OK;
}

enum rj_err rj_cmd_pubsub_pubsub(struct rj_resp_call *c)
{
    static const struct rj_resp_sub subs[] = {
        {"channels", -2, "CHANNELS [<pattern>] -- that somebody hears", pubsub_channels},
        {"numsub", -2, "NUMSUB [<channel> ...] -- how many hear them", pubsub_numsub},
        {"numpat", 2, "NUMPAT -- how many patterns somebody hears", pubsub_numpat},
        {"shardchannels", -2, "SHARDCHANNELS [<pattern>]", pubsub_shardchannels},
        {"shardnumsub", -2, "SHARDNUMSUB [<channel> ...]", pubsub_shardnumsub},
    };

    return rj_resp_cmd_sub(c, subs, sizeof(subs) / sizeof(subs[0]));
}
