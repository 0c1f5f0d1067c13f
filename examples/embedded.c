/* SPDX-License-Identifier: Apache-2.0 */
/* Two programs that share a counter, with no daemon and no server:
 *
 *     cc embedded.c $(pkg-config --cflags --libs rejoin) -o embedded
 *     ./embedded new one                 prints a ticket and waits for others
 *     ./embedded join two TICKET         elsewhere: joins with it
 *     ./embedded go-on one               later on: everything is still there
 *
 * Each adds 1 to the counter when it begins and prints it whenever it changes. Data lives
 * in the directory that is named. Options, before the word: -n N: end when the counter
 * has reached N; -l ADDRESS: listen there (default: at all addresses).
 */
#include <poll.h>
#include <rejoin/embed.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int signo)
{
    (void)signo;
    interrupted = 1;
}

static struct rj_bytes bytes(const char *s)
{
    return (struct rj_bytes){(const uint8_t *)s, strlen(s)};
}

static void die(const char *what, enum rj_err err, const char *why)
{
    fprintf(stderr, "embedded: %s: %s%s%s\n", what, rj_err_text(err),
            why[0] != '\0' ? ": " : "", why);
    exit(rj_err_exit(err));
}

/* The bucket, taken afresh each time: a handle lives until the next turn. NULL: we have
 * not been let in yet, or the store is just being opened again. */
static struct rj_bucket *bucket(struct rj_embed *e)
{
    struct rj_node *node = rj_embed_node(e);
    struct rj_space *space = node != NULL ? rj_node_space(node, bytes("shared")) : NULL;

    return space != NULL ? rj_space_bucket(space, rj_embed_now(e)) : NULL;
}

/* `new`: a bucket, and a ticket for it. */
static void make_bucket(struct rj_embed *e)
{
    const struct rj_space_opts opts = {
        .kind = RJ_KIND_BUCKET, .name = bytes("shared"), .durability = RJ_DURABLE_SECOND};
    struct rj_space *space;
    enum rj_err err = rj_node_space_add(rj_embed_node(e), &opts, rj_embed_now(e), &space);

    if (err != RJ_OK)
        die("making the bucket", err, rj_node_why(rj_embed_node(e)));
    rj_embed_touch(e); /* data calls were used: the next turn sends and stores */
}

static void invite(struct rj_embed *e)
{
    struct rj_invite_opts opts = {.role = RJ_ROLE_WRITER, .uses = 10};
    char ticket[RJ_EMBED_TICKET_MAX];
    enum rj_err err;

    opts.expires_ms = rj_embed_now(e).wall.ms + 10 * 60 * 1000;
    err = rj_embed_invite(e, &opts, ticket, sizeof(ticket));
    if (err != RJ_OK)
        die("inviting", err, "");
    printf("%s\n", ticket);
    fflush(stdout);
}

/* One turn of this program's own event loop: waits at most so long, then lets the node do
 * what there is to do. A real program has its other descriptors in the same poll. */
static void turn(struct rj_embed *e, int most_ms)
{
    struct pollfd fd = {.fd = rj_embed_fd(e), .events = POLLIN};
    int wait_ms = rj_embed_timeout_ms(e);
    enum rj_err err;

    if (wait_ms < 0 || wait_ms > most_ms)
        wait_ms = most_ms;
    (void)poll(&fd, 1, wait_ms);
    err = rj_embed_process(e);
    if (err != RJ_OK)
        die("the store", err, "");
}

static void join(struct rj_embed *e, const char *ticket)
{
    struct rj_embed_join j = {.size = sizeof(j)};
    enum rj_err err = rj_embed_join(e, ticket);

    if (err != RJ_OK)
        die("the ticket", err, "");
    do {
        turn(e, 1000);
        (void)rj_embed_join_state(e, &j);
        if (j.state == RJ_JOIN_REFUSED)
            die("joining", j.err, "");
    } while (!j.whole && !interrupted);
}

static long long count(struct rj_embed *e)
{
    struct rj_bucket *b = bucket(e);
    struct rj_bytes value;
    char digits[32];

    if (b == NULL || rj_bucket_get(b, bytes("count"), &value) != RJ_OK)
        return 0;
    snprintf(digits, sizeof(digits), "%.*s", (int)value.len, (const char *)value.ptr);
    return strtoll(digits, NULL, 10);
}

/* Shows the counter whenever it changes. */
static void run(struct rj_embed *e, long long until)
{
    long long shown = -1;

    while (!interrupted && (until == 0 || shown < until)) {
        long long now = count(e);

        if (now != shown) {
            printf("count %lld\n", now);
            fflush(stdout);
        }
        shown = now;
        turn(e, 1000);
    }
}

/* Before we go: another one should have all that we wrote, if one is there. */
static void hand_over(struct rj_embed *e)
{
    for (int i = 0; i < 100 && !interrupted; i++) {
        struct rj_node *node = rj_embed_node(e);
        struct rj_space *space =
            node != NULL ? rj_node_space(node, bytes("shared")) : NULL;

        if (space == NULL ||
            rj_space_receipts(space, rj_space_mark(space), RJ_DURABLE) > 0)
            return;
        rj_space_hurry(space);
        rj_embed_touch(e);
        turn(e, 20);
    }
}

static int usage(void)
{
    fprintf(stderr, "usage: embedded [-n N] [-l ADDRESS] new|go-on DIR\n"
                    "       embedded [-n N] [-l ADDRESS] join DIR TICKET\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct rj_embed_opts opts = {.size = sizeof(opts), .listen = true};
    char why[RJ_EMBED_WHY_MAX] = "";
    long long until = 0;
    struct rj_embed *e;
    int64_t sum;
    enum rj_err err;
    int option;

    while ((option = getopt(argc, argv, "n:l:")) != -1) {
        if (option == 'n')
            until = strtoll(optarg, NULL, 10);
        else if (option == 'l')
            opts.listen_host = optarg;
        else
            return usage();
    }
    argv += optind;
    argc -= optind;
    if (argc < 2 || argc != (strcmp(argv[0], "join") == 0 ? 3 : 2))
        return usage();
    signal(SIGINT, on_signal); /* signals stay this program's own */
    signal(SIGTERM, on_signal);

    opts.home = argv[1];
    err = rj_embed_open(&opts, why, sizeof(why), &e);
    if (err != RJ_OK)
        die("opening", err, why);
    if (strcmp(argv[0], "new") == 0)
        make_bucket(e);
    if (argc == 3)
        join(e, argv[2]);
    else
        invite(e);
    if (!interrupted) {
        err = rj_bucket_incr(bucket(e), bytes("count"), 1, &sum);
        if (err != RJ_OK)
            die("counting", err, "");
        rj_embed_touch(e);
        run(e, until);
        hand_over(e);
    }
    rj_embed_close(e, 5000); /* waits until all is on the disk */
    return 0;
}
