/* SPDX-License-Identifier: Apache-2.0 */
/* What tools ask of a key: how it is kept, what it takes. There is one way to keep each
 * type, nothing is shared between keys, and accesses are not counted. */
#include "face/resp_cmd.h"

enum {
    KEY_BYTES = 96, /* about what a key takes beside its name and its value */
    ITEM_BYTES = 64 /* an element, a field */
};

/* The key of argument 2. False: there is none; replies so. */
static bool is_there(struct rj_resp_call *c)
{
    if (rj_bucket_type(c->bucket, c->argv[2]) != RJ_TYPE_NONE)
        return true;
    rj_resp_reply_null(c->r);
    return false;
}

static enum rj_err object_encoding(struct rj_resp_call *c)
{
    bool string = rj_bucket_type(c->bucket, c->argv[2]) == RJ_TYPE_STRING;

    if (is_there(c))
        rj_resp_reply_bulk_str(c->r, string ? "raw" : "hashtable");
    return RJ_OK;
}

static enum rj_err object_refcount(struct rj_resp_call *c)
{
    if (is_there(c))
        rj_resp_reply_int(c->r, 1);
    return RJ_OK;
}

static enum rj_err object_freq(struct rj_resp_call *c)
{
    if (!is_there(c))
        return RJ_OK;
    return rj_resp_cmd_fail(
        c, "ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
           "Please note that when switching between policies at runtime LRU and LFU data "
           "will take some time to adjust.");
}

enum rj_err rj_cmd_key_object(struct rj_resp_call *c)
{
    static const struct rj_resp_sub subs[] = {
        {"encoding", 3, "ENCODING <key> -- how its value is kept", object_encoding},
        {"refcount", 3, "REFCOUNT <key> -- always 1", object_refcount},
        {"freq", 3, "FREQ <key> -- is not counted", object_freq},
        {"idletime", 3, "", NULL},
    };

    return rj_resp_cmd_sub(c, subs, sizeof(subs) / sizeof(subs[0]));
}

/* ---- MEMORY */

static enum rj_err measure(struct rj_resp_call *c, struct rj_bytes key, uint64_t *ret)
{
    struct rj_bytes value, after;
    struct rj_pair pair;
    enum rj_err err = rj_bucket_get(c->bucket, key, &value);

    *ret = KEY_BYTES + key.len;
    if (err == RJ_OK)
        *ret += value.len;
    if (err != RJ_ETYPE)
        return err;
    err = rj_bucket_next(c->bucket, key, NULL, &pair);
    while (err == RJ_OK) {
        *ret += ITEM_BYTES + pair.field.len + pair.value.len;
        after = pair.field;
        err = rj_bucket_next(c->bucket, key, &after, &pair);
    }
    return err == RJ_ENOENT ? RJ_OK : err;
}

/* USAGE key [SAMPLES n]: all is walked, whatever n */
static enum rj_err memory_usage(struct rj_resp_call *c)
{
    uint64_t bytes = 0, samples;
    enum rj_err err;

    if (c->argc != 3 && (c->argc != 5 || !rj_resp_cmd_is(c, 3, "samples")))
        return rj_resp_cmd_syntax(c);
    if (c->argc == 5 && !rj_resp_cmd_natural(c, 4, &samples))
        return RJ_OK;
    if (!is_there(c))
        return RJ_OK;
    err = measure(c, c->argv[2], &bytes);
    if (err == RJ_OK)
        rj_resp_reply_int(c->r, (int64_t)bytes);
    return err;
}

enum rj_err rj_cmd_key_memory(struct rj_resp_call *c)
{
    static const struct rj_resp_sub subs[] = {
        {"usage", -3, "USAGE <key> [SAMPLES <n>] -- about how many bytes it takes",
         memory_usage},
        {"stats", 0, "", NULL},
        {"doctor", 0, "", NULL},
        {"purge", 0, "", NULL},
        {"malloc-stats", 0, "", NULL},
    };

    return rj_resp_cmd_sub(c, subs, sizeof(subs) / sizeof(subs[0]));
}
