/* SPDX-License-Identifier: Apache-2.0 */
/* The client library, librejoin-client: the data calls of bucket.h, and what belongs to
 * them, on a daemon that runs (rejoind), over its control socket. It needs the C library
 * and nothing else; bindings of other languages load it.
 *
 * Calls block until the daemon has answered, at most the time-out. A handle belongs to
 * one thread at a time; rj_client_cancel alone may come from any thread or signal
 * handler. Nothing is printed, no signal is touched, no thread is started.
 *
 * What a call returns through a pointer (values, lists, texts) is borrowed until the next
 * call on the same handle. Bytes go in and come out as they are, zeros included.
 *
 * Every call can fail with these, and rj_client_why says more:
 *   RJ_ENODAEMON  nobody listens at the socket, or the daemon ended before it answered;
 *   RJ_ETIMEOUT   no answer in time;           RJ_ECANCELED  rj_client_cancel;
 *   RJ_EVERSION   daemon and library are too far apart, or the daemon does not know what
 *                 was asked: the text says which of the two is the older one;
 *   RJ_EPROTO     what answers is no rejoind;  RJ_EDENIED    it is another user's;
 *   RJ_EBUSY      the daemon cannot just now, try again;  RJ_ENOMEM, RJ_EIO.
 * After ENODAEMON, ETIMEOUT, ECANCELED and EPROTO it is not known whether the daemon has
 * done what was asked. The handle stays good: the next call connects again. */
#ifndef REJOIN_CLIENT_H
#define REJOIN_CLIENT_H

#include <rejoin/bucket.h>
#include <rejoin/bytes.h>
#include <rejoin/error.h>
#include <rejoin/node.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rj_client;

enum {
    RJ_CLIENT_WHY_MAX = 1024,   /* bytes of a text that says why, with its NUL */
    RJ_CLIENT_OPS_MAX = 4096,   /* operations of one rj_client_run */
    RJ_CLIENT_ITEMS_MAX = 65536 /* items of one operation */
};

/* Bytes of all results of one rj_client_run: an operation whose result would go beyond is
 * not done (a write) or its result dropped (a read), with RJ_ELIMIT. */
#define RJ_CLIENT_REPLY_MAX ((size_t)20 * 1024 * 1024)
/* Bytes of all operations of one rj_client_run, about: more is RJ_ELIMIT. */
#define RJ_CLIENT_REQUEST_MAX ((size_t)24 * 1024 * 1024 - 4096)

#define RJ_CLIENT_NEVER UINT32_MAX /* a time-out that never comes */

/* Zero-initialise and set size; 0 and NULL are the defaults. Copied. */
struct rj_client_opts {
    size_t size;         /* sizeof(struct rj_client_opts) */
    const char *socket;  /* path; default: where `rejoin` looks (REJOIN_SOCKET,
                            REJOIN_HOME,  XDG_RUNTIME_DIR ...) */
    uint32_t timeout_ms; /* of each call; 0: 60,000 */
    bool interruptible;  /* a signal that a handler has caught ends a call that waits,
                            with RJ_ECANCELED: for languages whose handlers run later */
};

/* Connects to the daemon and checks that the two understand each other. opts NULL: all
 * defaults. RJ_EINVAL: size, or there is no place to look for a socket; RJ_ELIMIT: its
 * path is too long. Detail in why (at most why_len bytes, may be NULL). */
RJ_NODISCARD RJ_API enum rj_err rj_client_open(const struct rj_client_opts *opts,
                                               char *why, size_t why_len,
                                               struct rj_client **ret_client);
/* Closes and frees. What the daemon has begun goes on. NULL is accepted. */
RJ_API void rj_client_close(struct rj_client *c);

/* Why the last call failed, for people, and what they might type ("" when there is
 * nothing to say). Borrowed until the next call. */
RJ_API const char *rj_client_why(const struct rj_client *c);
RJ_API const char *rj_client_hint(const struct rj_client *c);
/* The version of the daemon, "0.1.0". Borrowed for the life of the handle. */
RJ_API const char *rj_client_daemon_version(const struct rj_client *c);
/* The time-out of the calls that follow, ms; 0: 60,000. */
RJ_API void rj_client_set_timeout(struct rj_client *c, uint32_t timeout_ms);
/* Ends the call that is under way with RJ_ECANCELED; when there is none, the next one.
 * From any thread, and from signal handlers. */
RJ_API void rj_client_cancel(struct rj_client *c);

/* The bucket of the data calls that follow (1..RJ_NAME_MAX bytes, copied); NULL, and at
 * first: the daemon's default bucket. RJ_EINVAL: too long. That there is such a bucket
 * the next call finds out (RJ_ENOENT, which rj_client_why tells apart from a missing
 * key). */
RJ_API enum rj_err rj_client_use(struct rj_client *c, const char *bucket);

/* ---- one operation a call: effect, results and errors as in bucket.h. While the daemon
 * still joins the bucket (rj_client_status: "joining") reads may be incomplete. Under
 * durability `always` a write returns when it is durable on this node. Pointers for
 * counts and sums, and for whether a key existed, may be NULL. */

RJ_API enum rj_err rj_client_type(struct rj_client *c, struct rj_bytes key,
                                  enum rj_type *ret_type);
RJ_API enum rj_err rj_client_exists(struct rj_client *c, struct rj_bytes key,
                                    bool *ret_exists);
/* Number of keys, expired ones that were not dropped yet included. */
RJ_API enum rj_err rj_client_count(struct rj_client *c, uint64_t *ret_n);
RJ_API enum rj_err rj_client_get(struct rj_client *c, struct rj_bytes key,
                                 struct rj_bytes *ret_value);
/* opts NULL: no expiry. */
RJ_API enum rj_err rj_client_set(struct rj_client *c, struct rj_bytes key,
                                 struct rj_bytes value, const struct rj_set_opts *opts);
RJ_API enum rj_err rj_client_del(struct rj_client *c, struct rj_bytes key,
                                 bool *ret_existed);
RJ_API enum rj_err rj_client_incr(struct rj_client *c, struct rj_bytes key, int64_t delta,
                                  int64_t *ret_value);
RJ_API enum rj_err rj_client_expire(struct rj_client *c, struct rj_bytes key,
                                    uint64_t deadline_ms);
RJ_API enum rj_err rj_client_deadline(struct rj_client *c, struct rj_bytes key,
                                      uint64_t *ret_deadline_ms);
/* count: 1 to RJ_CLIENT_ITEMS_MAX. */
RJ_API enum rj_err rj_client_scan(struct rj_client *c, uint64_t *cursor, size_t count,
                                  const struct rj_bytes **ret_keys, size_t *ret_n);

RJ_API enum rj_err rj_client_sadd(struct rj_client *c, struct rj_bytes key,
                                  const struct rj_bytes *elems, size_t n,
                                  uint64_t *ret_added);
RJ_API enum rj_err rj_client_srem(struct rj_client *c, struct rj_bytes key,
                                  const struct rj_bytes *elems, size_t n,
                                  uint64_t *ret_removed);
RJ_API enum rj_err rj_client_sismember(struct rj_client *c, struct rj_bytes key,
                                       struct rj_bytes elem, bool *ret_is);
RJ_API enum rj_err rj_client_scard(struct rj_client *c, struct rj_bytes key,
                                   uint64_t *ret_n);
/* All elements in byte order; none for a key that does not exist. A large set comes in
 * several requests: what changes meanwhile may show or not. */
RJ_API enum rj_err rj_client_smembers(struct rj_client *c, struct rj_bytes key,
                                      const struct rj_bytes **ret_elems, size_t *ret_n);

RJ_API enum rj_err rj_client_hset(struct rj_client *c, struct rj_bytes key,
                                  const struct rj_pair *pairs, size_t n,
                                  uint64_t *ret_added);
RJ_API enum rj_err rj_client_hget(struct rj_client *c, struct rj_bytes key,
                                  struct rj_bytes field, struct rj_bytes *ret_value);
RJ_API enum rj_err rj_client_hdel(struct rj_client *c, struct rj_bytes key,
                                  const struct rj_bytes *fields, size_t n,
                                  uint64_t *ret_removed);
RJ_API enum rj_err rj_client_hincr(struct rj_client *c, struct rj_bytes key,
                                   struct rj_bytes field, int64_t delta,
                                   int64_t *ret_value);
RJ_API enum rj_err rj_client_hlen(struct rj_client *c, struct rj_bytes key,
                                  uint64_t *ret_n);
/* All fields in byte order, as rj_client_smembers. */
RJ_API enum rj_err rj_client_hgetall(struct rj_client *c, struct rj_bytes key,
                                     const struct rj_pair **ret_pairs, size_t *ret_n);

/* ---- several operations in one request */

/* The operations, added to at the end only: X(NAME, word on the socket, what it takes,
 * what it gives).
 *
 * Takes: k key; v value (element, field); d delta; n number; c cursor; t ttl; l items;
 * p items: field, value, field, value ...; a value, whose ptr NULL is the beginning.
 *
 * Gives: - nothing; v value; i number; s cursor and items; w the type in number, whether
 * there is more in cursor, and items (of a hash: field, value, field, value ...). */
#define RJ_CLIENT_OPS(X)                                                                 \
    X(GET, get, "k", 'v')                                                                \
    X(SET, set, "kvtn", '-') /* ttl; number: deadline_ms */                              \
    X(DEL, del, "k", 'i')    /* 1: it existed */                                         \
    X(TYPE, type, "k", 'i')  /* enum rj_type */                                          \
    X(INCR, incr, "kd", 'i')                                                             \
    X(EXPIRE, expire, "kn", '-') /* number: deadline_ms */                               \
    X(DEADLINE, deadline, "k", 'i')                                                      \
    X(COUNT, count, "", 'i')                                                             \
    X(SCAN, scan, "cn", 's') /* number: how many keys, about */                          \
    X(SADD, sadd, "kl", 'i')                                                             \
    X(SREM, srem, "kl", 'i')                                                             \
    X(SISMEMBER, sismember, "kv", 'i')                                                   \
    X(SCARD, scard, "k", 'i')                                                            \
    X(HSET, hset, "kp", 'i')                                                             \
    X(HGET, hget, "kv", 'v')                                                             \
    X(HDEL, hdel, "kl", 'i')                                                             \
    X(HINCR, hincr, "kvd", 'i')                                                          \
    X(HLEN, hlen, "k", 'i')                                                              \
    X(WALK, walk, "ka", 'w') /* value: the last one that is known already */

enum rj_op_code {
#define RJ_X(name, word, takes, gives) RJ_OP_##name,
    RJ_CLIENT_OPS(RJ_X)
#undef RJ_X
        RJ_OP_COUNT_
};

/* What the operation does not take is ignored. All pointers are borrowed for the call. */
struct rj_op {
    enum rj_op_code code;
    enum rj_ttl ttl;
    struct rj_bytes key;
    struct rj_bytes value;
    const struct rj_bytes *items;
    size_t n_items;
    int64_t delta;
    uint64_t number;
    uint64_t cursor;
};

/* What one operation gave; fields that it does not give are 0. */
struct rj_op_result {
    enum rj_err err; /* of this operation, as in bucket.h */
    struct rj_bytes value;
    const struct rj_bytes *items;
    size_t n_items;
    int64_t number;
    uint64_t cursor;
};

/* Does n operations in their order and fills n results. RJ_OK: each result has an error
 * of its own, and as in a Redis transaction one that fails changes nothing and stops none
 * of the others. Any other error: none was done (but see the top for what is not known).
 *
 * atomic: all writes are one unit, seen together or not at all on every node; at most
 * 65,536, an item counted as one (RJ_ELIMIT); RJ_EJOINING: not while the daemon takes
 * over the state. RJ_EINVAL: an operation that is malformed; RJ_ENOENT: no such bucket.
 */
RJ_API enum rj_err rj_client_run(struct rj_client *c, const struct rj_op *ops, size_t n,
                                 bool atomic, struct rj_op_result *ret_results);

/* ---- in a loop of the program's own: nothing here waits for an answer */

/* The descriptor that becomes readable when there is something for rj_client_run_end or
 * rj_client_watch_next; -1 when nothing is under way. Ask afresh after each _begin. */
RJ_API int rj_client_fd(const struct rj_client *c);
/* Sends what rj_client_run would. Waits only to connect, and while the daemon does not
 * read a large request. Until the answer is taken every other call is RJ_EBUSY. */
RJ_NODISCARD RJ_API enum rj_err
rj_client_run_begin(struct rj_client *c, const struct rj_op *ops, size_t n, bool atomic);
/* Takes the answer, to the same operations. RJ_EBUSY: it is not there yet. */
RJ_NODISCARD RJ_API enum rj_err rj_client_run_end(struct rj_client *c,
                                                  const struct rj_op *ops, size_t n,
                                                  struct rj_op_result *ret_results);

/* ---- durability */

/* Waits until what this node (all its clients) has written in the bucket so far is known
 * to be received, or durable, at `peers` other members; with RJ_DURABLE also here.
 * *ret_peers: at how many it is, also with RJ_ETIMEOUT. */
RJ_API enum rj_err rj_client_wait(struct rj_client *c, uint32_t peers,
                                  enum rj_level level, uint32_t *ret_peers);

/* ---- the node */

/* An argument of a verb. */
enum rj_client_kind { RJ_CLIENT_TEXT, RJ_CLIENT_UINT, RJ_CLIENT_BOOL, RJ_CLIENT_LIST };
struct rj_client_arg {
    const char *key;
    enum rj_client_kind kind;
    struct rj_bytes text;         /* TEXT */
    uint64_t number;              /* UINT; BOOL: 0 or 1 */
    const struct rj_bytes *items; /* LIST: of texts */
    size_t n_items;
};
/* Any verb of the control socket (rejoin-protocol(7)): "bucket.add", "invite", "join",
 * "sync", "config.set" ... *ret_json (may be NULL): its result as a JSON object, NUL-
 * terminated; bytes that are no UTF-8 are {"base64": "..."} there. Progress and output of
 * a verb are dropped; "watch" has a call of its own. */
RJ_API enum rj_err rj_client_verb(struct rj_client *c, const char *verb,
                                  const struct rj_client_arg *args, size_t n,
                                  const char **ret_json);
/* The state of the node, its buckets and peers, as `rejoin --json status` shows it; of
 * one bucket unless name is NULL. RJ_ENOENT: no such bucket. */
RJ_API enum rj_err rj_client_status(struct rj_client *c, const char *name,
                                    const char **ret_json);

/* Something that happened on the node: a line of its log. Borrowed for the call. */
struct rj_client_event {
    uint64_t time_ms;  /* wall clock */
    const char *level; /* "error", "warn", "info", "debug" */
    const char *event; /* "peer.up" */
    const char *text;  /* "peer.up device=3f9a10c2 address=..." */
};
/* Gets each event; ev NULL, once and first: events are flowing. False ends the watch.
 * Must make no call on the handle but rj_client_cancel. */
typedef bool rj_client_event_fn(void *ctx, const struct rj_client_event *ev);
/* Watches until fn returns false (RJ_OK) or the call is cancelled. The handle's time-out
 * is for the beginning only. A watcher that does not keep up misses events. */
RJ_API enum rj_err rj_client_watch(struct rj_client *c, rj_client_event_fn *fn,
                                   void *ctx);
/* The same in a loop: begins, then hands out what has come. False from fn ends the watch,
 * as rj_client_close does; until then every other call is RJ_EBUSY. */
RJ_NODISCARD RJ_API enum rj_err rj_client_watch_begin(struct rj_client *c);
RJ_NODISCARD RJ_API enum rj_err rj_client_watch_next(struct rj_client *c,
                                                     rj_client_event_fn *fn, void *ctx);

#ifdef __cplusplus
}
#endif
#endif
