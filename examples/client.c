/* SPDX-License-Identifier: Apache-2.0 */
/* A program that keeps its data in a bucket of the daemon that runs here (`rejoin up`):
 * a counter, a set, and two writes that are seen together or not at all.
 *
 *     cc client.c $(pkg-config --cflags --libs rejoin-client) -o client
 *     rejoin bucket add guests; ./client guests Ada
 */
#include <rejoin/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rj_bytes bytes(const char *s)
{
    return (struct rj_bytes){(const uint8_t *)s, strlen(s)};
}

/* Every call says what went wrong; the handle says more, and what to do about it. */
static void check(struct rj_client *c, enum rj_err err)
{
    if (err == RJ_OK)
        return;
    fprintf(stderr, "client: %s\n  %s\n", rj_client_why(c), rj_client_hint(c));
    exit(rj_err_exit(err));
}

int main(int argc, char **argv)
{
    char why[RJ_CLIENT_WHY_MAX];
    const struct rj_bytes *names;
    struct rj_client *c;
    struct rj_bytes name;
    uint64_t added;
    int64_t visits;
    uint32_t peers;
    size_t n;

    if (argc != 3) {
        fprintf(stderr, "usage: client BUCKET NAME\n");
        return 2;
    }
    name = bytes(argv[2]);
    if (rj_client_open(NULL, why, sizeof(why), &c) != RJ_OK) {
        fprintf(stderr, "client: %s\n", why);
        return 1;
    }
    check(c, rj_client_use(c, argv[1]));

    /* One operation a call. Writes take effect here at once and travel by themselves;
     * counters add up and sets unite, whoever else writes meanwhile. */
    check(c, rj_client_incr(c, bytes("visits"), 1, &visits));
    check(c, rj_client_sadd(c, bytes("guests"), &name, 1, &added));
    printf("visit %lld, %s is %s\n", (long long)visits, argv[2],
           added > 0 ? "new here" : "back");

    /* A group: every node sees both or none. */
    {
        const struct rj_op ops[] = {
            {.code = RJ_OP_SET, .key = bytes("last"), .value = name},
            {.code = RJ_OP_HINCR, .key = bytes("times"), .value = name, .delta = 1},
        };
        struct rj_op_result results[2];

        check(c, rj_client_run(c, ops, 2, true, results));
        check(c, results[0].err);
        check(c, results[1].err);
        printf("number of visits of this name: %lld\n", (long long)results[1].number);
    }

    /* What a call returns is borrowed until the next one. */
    check(c, rj_client_smembers(c, bytes("guests"), &names, &n));
    for (size_t i = 0; i < n; i++)
        printf("  %.*s\n", (int)names[i].len, (const char *)names[i].ptr);

    /* Durable here, and at as many others as we like: none, for this is an example. */
    check(c, rj_client_wait(c, 0, RJ_DURABLE, &peers));
    rj_client_close(c);
    return 0;
}
