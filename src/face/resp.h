/* SPDX-License-Identifier: Apache-2.0 */
/* One client of the Redis protocol: bytes in, bytes out. The session parses, executes
 * through the data calls of a bucket (rejoin/bucket.h) and appends replies to a buffer;
 * sockets, time and the choice of the bucket are its host's.
 *
 * Turn of a driver: rj_resp_input with what came, then send rj_resp_out. When the space
 * is durable `always`, hold what was appended back until the commit that covers the turn
 * (rj_resp_take_wrote says whether the session wrote anything). */
#ifndef RJ_FACE_RESP_H
#define RJ_FACE_RESP_H

#include "base/buf.h"
#include "base/map.h"

#include <rejoin/bucket.h>

/* What clients take for the version of the server they talk to. */
#define RJ_RESP_REDIS_VERSION "7.2.0"

enum {
    RJ_RESP_OUT_PAUSE = 1024 * 1024,        /* unsent bytes at which execution pauses */
    RJ_RESP_REPLY_MAX = 32 * 1024 * 1024,   /* bytes of one reply, of EXEC as a whole */
    RJ_RESP_QUEUE_MAX = 16384,              /* commands between MULTI and EXEC */
    RJ_RESP_QUEUE_BYTES = 24 * 1024 * 1024, /* their bytes */
    RJ_RESP_NAME_MAX = 128,                 /* CLIENT SETNAME, with a final NUL */
    RJ_RESP_LIB_MAX = 64,                   /* CLIENT SETINFO, with a final NUL */
    RJ_RESP_PUSH_MAX = 32 * 1024 * 1024, /* unsent bytes at which a subscriber is cut */
    RJ_RESP_SUBS_MAX = 16384,            /* subscriptions of one session */
    RJ_RESP_ADDR_MAX = 128               /* text of an address, with a final NUL */
};

struct rj_resp;
struct rj_resp_host;

/* What WAIT and WAITAOF ask for. */
struct rj_resp_wait {
    bool durable;   /* durable at the peers, not only received */
    bool wrote;     /* the session has written at all; if not nothing is waited for */
    bool at_once;   /* answer with what is known now, do not start anything */
    uint64_t local; /* WAITAOF: 1 = this node too has it durably */
    uint64_t peers; /* so many other nodes */
    uint64_t timeout_ms; /* 0: for ever */
};

struct rj_resp_acks {
    uint64_t local; /* 1: this node has it durably */
    uint64_t peers; /* so many others have it */
};

/* One setting for CONFIG GET. */
struct rj_resp_setting {
    const char *name, *value; /* borrowed until the next call of the host */
};

/* A message of PUBLISH, or one that another node sent. All borrowed. */
struct rj_resp_message {
    struct rj_bytes bucket; /* its name: those who subscribed to another do not hear it */
    struct rj_bytes channel, text;
    bool shard; /* SPUBLISH: for SSUBSCRIBE alone */
};

/* What happened to a key, for those who subscribed to keyspace events. All borrowed. */
struct rj_resp_event {
    struct rj_bytes bucket; /* its name */
    char letter;            /* its class as notify-keyspace-events names it: g $ s h x */
    const char *name;       /* "set", "del" ... */
    struct rj_bytes key;
};

/* What a session asks of the program around it. No slot may be NULL. */
struct rj_resp_host_ops {
    /* The bucket that the session has selected, with the time of now. Borrowed until
     * flush, auth, or the end of the call that the driver made. RJ_ENOENT: there is none.
     * RJ_EJOINING: it may not be read yet. */
    enum rj_err (*bucket)(struct rj_resp_host *h, struct rj_resp *s,
                          struct rj_bucket **ret_bucket);
    /* Cuts the pending batch of that bucket, so that a write that did not fit does. */
    enum rj_err (*flush)(struct rj_resp_host *h, struct rj_resp *s);
    /* Checks a password and selects the bucket by the user's name. user empty: what a new
     * connection has, and one after RESET, without AUTH; what was selected is forgotten.
     * RJ_EAUTH: refused (for the empty user: AUTH is needed). RJ_EINVAL: user "default"
     * has no password, so AUTH makes no sense. Else nothing is selected anew on failure.
     */
    enum rj_err (*auth)(struct rj_resp_host *h, struct rj_resp *s, struct rj_bytes user,
                        struct rj_bytes password);
    /* Appends "name:value\r\n" lines for a section of INFO, in small letters: "server",
     * "clients", "memory", "persistence", "stats", "replication", "cpu", "keyspace",
     * "rejoin". What stands there already: see rj_cmd_server_info. */
    void (*info)(struct rj_resp_host *h, struct rj_resp *s, const char *section,
                 struct rj_buf *out);
    /* The i-th setting; false at the end. */
    bool (*config)(struct rj_resp_host *h, size_t i, struct rj_resp_setting *ret);
    /* RJ_OK: *ret_acks is the answer. RJ_EBUSY: started; the host calls rj_resp_wake
     * later, never from within this call. Not with at_once. */
    enum rj_err (*wait)(struct rj_resp_host *h, struct rj_resp *s,
                        const struct rj_resp_wait *w, struct rj_resp_acks *ret_acks);
    /* Calls rj_resp_describe for each session, this one too, for CLIENT LIST. */
    void (*clients)(struct rj_resp_host *h, struct rj_buf *out);
    struct rj_now (*now)(struct rj_resp_host *h);
    /* 64 bits, for commands that pick something at random. */
    uint64_t (*random)(struct rj_resp_host *h);
    /* The name of the bucket that the session has selected, "" when there is none.
     * Borrowed until the next call of the host. */
    const char *(*bucket_name)(struct rj_resp_host *h, struct rj_resp *s);
    /* Brings a message to all who subscribed to its channel: those of this host with
     * rj_resp_deliver, those of other nodes as it can. Returns how many got it here. */
    uint64_t (*publish)(struct rj_resp_host *h, const struct rj_resp_message *m);
    /* The session has output that no call of its driver made: a message (event: one that
     * tells of a write, which may be undone until it is durable). The driver takes it
     * later, never from within this call. */
    void (*pushed)(struct rj_resp_host *h, struct rj_resp *s, bool event);
};

/* Who has subscribed to what. Zero-initialise; it is empty when the last session is
 * gone. */
struct rj_resp_hub {
    struct rj_map topics; /* channels, patterns, shard channels, by bucket and name */
};

/* First member of each implementation; outlives its sessions. */
struct rj_resp_host {
    const struct rj_resp_host_ops *ops;
    uint64_t commands; /* executed, all sessions */
    uint64_t errors;   /* of these, answered with an error */
    unsigned events;   /* notify-keyspace-events, see rj_resp_events_on */
    struct rj_resp_hub hub;
};

struct rj_resp_opts {
    uint64_t id;              /* CLIENT ID: never 0, never reused */
    const char *addr, *laddr; /* the client's and the own address, copied; may be NULL */
    void *user;               /* for rj_resp_user */
};

/* What the driver does next. */
enum rj_resp_state {
    RJ_RESP_READ, /* wait for bytes from the client */
    RJ_RESP_WAIT, /* WAIT is under way: rj_resp_wake will be called; stop reading */
    RJ_RESP_FULL, /* send the output, then rj_resp_input with no bytes; stop reading */
    RJ_RESP_CLOSE /* send the output, then close; nothing more is executed */
};

/* A new session of host. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_resp_new(struct rj_resp_host *host,
                                     const struct rj_resp_opts *opts,
                                     struct rj_resp **ret_session);
/* A wait that is under way is forgotten; the host forgets it too. NULL is accepted. */
void rj_resp_free(struct rj_resp *s);

/* Executes every command that is complete, and keeps the rest. bytes are borrowed for the
 * call. After RJ_RESP_WAIT or RJ_RESP_FULL more bytes are kept up to the size of one
 * command, then the session is closed. */
enum rj_resp_state rj_resp_input(struct rj_resp *s, struct rj_bytes bytes);
/* Ends the wait under way: writes its reply and goes on with what was kept. Without one
 * it does nothing. */
enum rj_resp_state rj_resp_wake(struct rj_resp *s, const struct rj_resp_acks *acks);

/* Replies that wait to be sent, for the driver to take or to empty. */
struct rj_buf *rj_resp_out(struct rj_resp *s);
/* Whether the session has written to its bucket since the last call. */
bool rj_resp_take_wrote(struct rj_resp *s);
void *rj_resp_user(const struct rj_resp *s);
uint64_t rj_resp_id(const struct rj_resp *s);
/* The session takes messages more slowly than they come (RJ_RESP_PUSH_MAX), or its
 * pattern costs too much: it is to be cut without ado. */
bool rj_resp_is_slow(const struct rj_resp *s);
/* Appends the session's line of CLIENT LIST. */
void rj_resp_describe(const struct rj_resp *s, struct rj_now now, struct rj_buf *out);

/* ---- messages and events */

/* Appends a message to the output of every session that has subscribed to it. Returns how
 * many messages that were. */
uint64_t rj_resp_deliver(struct rj_resp_host *h, const struct rj_resp_message *m);
/* Whether anybody wants keyspace events: if not, rj_resp_event need not be called. */
static inline bool rj_resp_events_on(const struct rj_resp_host *h)
{
    return h->events != 0;
}
/* Tells those who have subscribed to it, if notify-keyspace-events has its class. */
void rj_resp_event(struct rj_resp_host *h, const struct rj_resp_event *e);

#endif
