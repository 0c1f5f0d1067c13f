/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the Redis face: what the handlers of commands see. A command = one handler in a
 * cmd_*.c and one line in commands.def. */
#ifndef RJ_FACE_RESP_CMD_H
#define RJ_FACE_RESP_CMD_H

#include "face/resp.h"
#include "face/resp_parse.h"
#include "face/resp_reply.h"

enum {
    RJ_RESP_WORD_MAX = 24,    /* bytes of a command's name, with a final NUL */
    RJ_RESP_CACHE = 16,       /* commands that a session has at hand */
    RJ_RESP_SCAN_MAX = 65536, /* most of COUNT that is honoured */
    RJ_RESP_KEEP = 64 * 1024  /* bytes of buffers kept between commands */
};

/* Flags of a command. */
enum {
    RJ_RESP_READONLY = 1, /* reads the bucket */
    RJ_RESP_WRITE = 2,    /* writes to it */
    RJ_RESP_FAST = 4,
    RJ_RESP_ADMIN = 8,
    RJ_RESP_NOAUTH = 16,  /* allowed before AUTH */
    RJ_RESP_NOMULTI = 32, /* not allowed between MULTI and EXEC */
    RJ_RESP_NOQUEUE = 64, /* between MULTI and EXEC it is executed, not queued */
    RJ_RESP_PUBSUB = 128, /* in version 2 allowed while subscribed */
    RJ_RESP_NUMKEYS = 256 /* argument `first` says how many keys follow it */
};

struct rj_resp_call;

struct rj_resp_command {
    char name[RJ_RESP_WORD_MAX]; /* small letters, filled up with NUL */
    /* Appends one reply and returns RJ_OK, or returns an error: what it has appended is
     * then replaced by the error's reply. RJ_EBUSY, before anything was written, means:
     * cut the pending batch and call me again. Of a refused command NULL. */
    enum rj_err (*handler)(struct rj_resp_call *c);
    const char *group;
    const char *text; /* summary; of a refused command the reason */
    int arity;        /* with the name; -n: at least n */
    unsigned flags;
    int first, last, step; /* arguments that are keys; last -1: the last one */
};

/* Answers that are held back (CLIENT REPLY). */
enum rj_resp_mute { RJ_RESP_LOUD, RJ_RESP_SKIP_NEXT, RJ_RESP_SKIP_THIS, RJ_RESP_OFF };

/* MULTI: the commands, one behind the other: first this, then for each argument its
 * length (size_t) and its bytes, not aligned. */
struct rj_resp_queued {
    const struct rj_resp_command *cmd;
    size_t argc;
};

struct rj_resp_queue {
    struct rj_buf buf;
    size_t count;
    size_t args_max; /* most arguments of one command */
    size_t args;     /* of all of them */
    bool open;       /* between MULTI and EXEC */
    bool spoilt;     /* one was refused: EXEC will not run */
    bool writes;     /* one of them writes */
};

/* What a session has subscribed to. */
struct rj_resp_subs {
    struct rj_map held; /* by topic, bucket and name; its key 0 until the first one */
    size_t channels, shards; /* channels: patterns too */
};

struct rj_resp {
    struct rj_resp_host *host;
    struct rj_bucket *bucket;   /* within one rj_resp_input, NULL until needed */
    struct rj_resp_reply reply; /* into out */
    struct rj_buf in;           /* what was not executed yet, from in_off on */
    struct rj_buf out;
    size_t in_off;
    struct rj_resp_parse parse;
    struct rj_resp_queue queue;
    struct rj_buf scratch; /* of one handler */
    struct rj_buf pushed;  /* messages that came while a command was executed */
    struct rj_resp_subs subs;
    struct rj_pair *pairs; /* of HSET */
    size_t pairs_cap;
    const struct rj_resp_command *cache[RJ_RESP_CACHE];
    const struct rj_resp_command *last; /* the last command executed */
    void *user;
    uint64_t id, since_ms, active_ms; /* monotonic */
    enum rj_resp_mute mute;
    bool authenticated, waiting, wait_local, closing, wrote, wrote_ever;
    bool executing; /* a reply is being made: no message may come in between */
    bool slow;
    char name[RJ_RESP_NAME_MAX];
    char lib_name[RJ_RESP_LIB_MAX], lib_version[RJ_RESP_LIB_MAX];
    char login[RJ_RESP_NAME_MAX];
    char addr[RJ_RESP_ADDR_MAX], laddr[RJ_RESP_ADDR_MAX];
};

/* In version 2 a session that has subscribed may do little else. */
static inline size_t rj_resp_subscribed(const struct rj_resp *s)
{
    return s->subs.channels + s->subs.shards;
}

/* One execution of one command. */
struct rj_resp_call {
    struct rj_resp *s;
    struct rj_resp_reply *r;
    struct rj_bucket *bucket; /* set when the flags say READONLY or WRITE */
    const struct rj_bytes *argv;
    size_t argc; /* fits the arity */
    const struct rj_resp_command *cmd;
    bool grouped; /* within EXEC */
};

/* ---- the tables (resp_table.c) */

/* The command of that name, of either case: from commands.def, from refused.def (handler
 * NULL), or NULL. */
const struct rj_resp_command *rj_resp_table_find(struct rj_bytes name);
/* The same through the session's cache. */
const struct rj_resp_command *rj_resp_table_cached(struct rj_resp *s,
                                                   struct rj_bytes name);
/* The i-th of commands.def, NULL at the end. */
const struct rj_resp_command *rj_resp_table_at(size_t i);
/* Why something is refused, by its name in refused.def ("set nx"). */
const char *rj_resp_table_reason(const char *name);

/* ---- helpers for handlers (resp_cmd.c) */

/* Appends an error and returns RJ_OK, so that a handler can end with it. */
enum rj_err rj_resp_cmd_fail(struct rj_resp_call *c, const char *text);
enum rj_err rj_resp_cmd_syntax(struct rj_resp_call *c);
enum rj_err rj_resp_cmd_not_int(struct rj_resp_call *c);
/* "wrong number of arguments" for a command that counts them itself. */
enum rj_err rj_resp_cmd_arity(struct rj_resp_call *c);
/* The refusal that refused.def gives the reason for. */
enum rj_err rj_resp_cmd_refuse(struct rj_resp_call *c, const char *name);
/* The reply for an error of a data call. */
void rj_resp_cmd_error(struct rj_resp_reply *r, enum rj_err err);
/* The answer of WAIT, or with_local of WAITAOF. */
void rj_resp_cmd_acks(struct rj_resp_reply *r, const struct rj_resp_acks *acks,
                      bool with_local);
/* Is argument i this word (given in small letters)? */
bool rj_resp_cmd_is(const struct rj_resp_call *c, size_t i, const char *word);
bool rj_resp_cmd_word(struct rj_bytes arg, const char *word);

/* Elements of a set, or fields and values of a hash, as the reply needs them. */
struct rj_resp_walk {
    bool fields, values; /* of a set only fields */
    bool matched;        /* only what pattern matches */
    struct rj_bytes pattern;
};
/* Replies with what a look-up gave: the value, or null where err is RJ_ENOENT. Returns
 * any other error. */
RJ_NODISCARD enum rj_err rj_resp_cmd_value(struct rj_resp_call *c, enum rj_err err,
                                           struct rj_bytes value);
/* RJ_OK and *ret_is: whether the key is there and of that type; RJ_ETYPE: of another. */
RJ_NODISCARD enum rj_err rj_resp_cmd_has_type(struct rj_resp_call *c, enum rj_type type,
                                              bool *ret_is);
/* Appends the elements of key argv[1], if there is one; *ret_n: how many. Stops early
 * when the reply is full. RJ_ERANGE: the pattern costs too much. */
RJ_NODISCARD enum rj_err rj_resp_cmd_walk(struct rj_resp_call *c,
                                          const struct rj_resp_walk *w, size_t *ret_n);
/* The answer of SSCAN and HSCAN: everything at once, cursor 0. */
enum rj_err rj_resp_cmd_scan_all(struct rj_resp_call *c, enum rj_type type);
/* Reads a cursor. False: an error was appended. */
bool rj_resp_cmd_cursor(struct rj_resp_call *c, size_t at, uint64_t *ret_cursor);
/* Reads the argument of COUNT, 1 or more. False: an error was appended. */
bool rj_resp_cmd_count(struct rj_resp_call *c, size_t at, size_t *ret_count);
enum rj_err rj_resp_cmd_costly(struct rj_resp_call *c); /* says so of a pattern */

/* A deadline from argument `at`: seconds or milliseconds, from now or absolute. */
struct rj_resp_when {
    int64_t unit_ms; /* 1000 or 1 */
    bool absolute;
    bool positive; /* only > 0 is valid */
};
/* *ret_ms: wall time, at least 1. RJ_ERANGE: an error was appended. */
RJ_NODISCARD enum rj_err rj_resp_cmd_deadline(struct rj_resp_call *c, size_t at,
                                              const struct rj_resp_when *when,
                                              uint64_t *ret_ms);

/* Reads a whole number of at least 0. False: an error was appended. */
bool rj_resp_cmd_natural(struct rj_resp_call *c, size_t at, uint64_t *ret);
/* Reads how many are to be picked at random; negative: with repetition, and not more than
 * RJ_RESP_PICK_MAX. False: an error was appended. */
bool rj_resp_cmd_picks(struct rj_resp_call *c, size_t at, int64_t *ret);

/* The bucket of the session, fetched when that was not done yet. */
RJ_NODISCARD enum rj_err rj_resp_cmd_bucket(struct rj_resp *s,
                                            struct rj_bucket **ret_bucket);
/* Cuts the pending batch; c->bucket is fresh afterwards. */
RJ_NODISCARD enum rj_err rj_resp_cmd_flush(struct rj_resp_call *c);

/* Begins an atomic group of n writes of about size_bytes for a command that writes
 * several keys. Within EXEC there is one already and nothing is done. RJ_ELIMIT: no batch
 * can hold it. */
RJ_NODISCARD enum rj_err rj_resp_cmd_begin(struct rj_resp_call *c, size_t n,
                                           size_t size_bytes);
/* Ends it. done: writes that took effect; err: of the next one. Returns what the handler
 * returns: never RJ_EBUSY when something was written. */
enum rj_err rj_resp_cmd_end(struct rj_resp_call *c, size_t done, enum rj_err err);

/* A subcommand, as in CLIENT ID. */
struct rj_resp_sub {
    const char *name;                               /* small letters */
    int arity;                                      /* with both words */
    const char *usage;                              /* for HELP */
    enum rj_err (*handler)(struct rj_resp_call *c); /* NULL: see refused.def */
};
/* Calls the subcommand that argument 1 names, or appends the error. HELP is answered from
 * the table. */
enum rj_err rj_resp_cmd_sub(struct rj_resp_call *c, const struct rj_resp_sub *subs,
                            size_t n);

/* Executes a command that is complete (resp.c); used by EXEC. */
void rj_resp_run(struct rj_resp_call *c);

/* ---- names in memory of their own (resp_list.c): what a bucket lends is gone with its
 * next call */

struct rj_resp_list {
    struct rj_buf bytes;
    struct rj_bytes *items; /* after rj_resp_list_close */
    size_t n;
};

/* Zero-initialise; end with rj_resp_list_done. Sticky: close tells. */
void rj_resp_list_add(struct rj_resp_list *l, struct rj_bytes item);
/* Makes items. RJ_ENOMEM, RJ_ELIMIT: more than a batch can hold. */
RJ_NODISCARD enum rj_err rj_resp_list_close(struct rj_resp_list *l);
void rj_resp_list_done(struct rj_resp_list *l);
/* Adds what the set or hash shows: its elements, or its fields and values in turn. RJ_OK
 * for a key that is not there. */
RJ_NODISCARD enum rj_err rj_resp_list_read(struct rj_resp_list *l, struct rj_bucket *b,
                                           struct rj_bytes key, bool values);

/* ---- numbers at random (resp_pick.c) */

/* Which of n things are picked. */
struct rj_resp_pick {
    uint64_t *index; /* ascending */
    size_t n;
};

enum { RJ_RESP_PICK_MAX = 1024 * 1024 }; /* most that are picked with repetition */

/* count of n things, each at most once; with repeat each as often as it comes. RJ_ENOMEM;
 * RJ_ELIMIT: RJ_RESP_PICK_MAX. */
RJ_NODISCARD enum rj_err rj_resp_pick(struct rj_resp_host *h, uint64_t n, uint64_t count,
                                      bool repeat, struct rj_resp_pick *ret);
void rj_resp_pick_done(struct rj_resp_pick *p);

/* ---- subscriptions (resp_hub.c) */

enum rj_resp_topic { RJ_RESP_CHANNEL, RJ_RESP_PATTERN, RJ_RESP_SHARD };
enum {
    RJ_RESP_TOPIC_STEPS = 1024 * 1024 /* most that a pattern may cost for one message */
};

/* RJ_OK also when it was there already. RJ_ENOMEM; RJ_ELIMIT: RJ_RESP_SUBS_MAX,
 * RJ_KEY_MAX. */
RJ_NODISCARD enum rj_err rj_resp_hub_add(struct rj_resp *s, enum rj_resp_topic topic,
                                         struct rj_bytes bucket, struct rj_bytes name);
void rj_resp_hub_remove(struct rj_resp *s, enum rj_resp_topic topic,
                        struct rj_bytes bucket, struct rj_bytes name);
/* Some name that the session has subscribed to, of any bucket, copied to the session's
 * scratch, and taken away; false: there is none left. */
bool rj_resp_hub_remove_any(struct rj_resp *s, enum rj_resp_topic topic);
bool rj_resp_hub_has(const struct rj_resp *s, enum rj_resp_topic topic);
void rj_resp_hub_leave(struct rj_resp *s); /* everything */
/* The topics of a bucket in the order of their names, each after the one before; begin
 * with NULL. Borrowed until subscriptions change. */
struct rj_resp_heard;
const struct rj_resp_heard *rj_resp_hub_next(const struct rj_resp_host *h,
                                             enum rj_resp_topic topic,
                                             struct rj_bytes bucket,
                                             const struct rj_resp_heard *after);
struct rj_bytes rj_resp_hub_name(const struct rj_resp_heard *heard);
/* How many sessions have subscribed to a name. */
size_t rj_resp_hub_count(const struct rj_resp_host *h, enum rj_resp_topic topic,
                         struct rj_bytes bucket, struct rj_bytes name);
/* rj_resp_deliver; event: the message tells of a write. */
uint64_t rj_resp_hub_deliver(struct rj_resp_host *h, const struct rj_resp_message *m,
                             bool event);
/* Puts messages that came meanwhile behind the reply that is done. */
void rj_resp_hub_settle(struct rj_resp *s);

/* ---- keyspace events (resp_event.c) */

/* Reads the letters of notify-keyspace-events. False: one of them is none. */
bool rj_resp_event_read(struct rj_bytes letters, unsigned *ret_events);
/* Writes them, with a final NUL, as Redis orders them. */
enum { RJ_RESP_LETTERS_MAX = 16 };
void rj_resp_event_write(unsigned events, char ret[RJ_RESP_LETTERS_MAX]);
void rj_resp_event_send(const struct rj_resp_call *c, char letter, const char *name,
                        struct rj_bytes key);

/* Tells of what the command did to a key. */
static inline void rj_resp_cmd_event(const struct rj_resp_call *c, char letter,
                                     const char *name, struct rj_bytes key)
{
    if (rj_resp_events_on(c->s->host))
        rj_resp_event_send(c, letter, name, key);
}
/* "del", if the command took the last of what key argv[i] showed. */
void rj_resp_cmd_event_gone(const struct rj_resp_call *c, size_t i);

/* ---- every handler */

#define X(word, argc, marks, from, to, every, part, function, summary)                   \
    enum rj_err rj_cmd_##part##_##function(struct rj_resp_call *c);
#include "face/commands.def"
#undef X

#endif
