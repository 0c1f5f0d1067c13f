/* SPDX-License-Identifier: Apache-2.0 */
/* A whole node inside a program: the library opens the store, listens for peers, dials
 * them and keeps the data the same, with no daemon. The program's own event loop gives it
 * its turns:
 *
 *     wait until rj_embed_fd() is readable, or for rj_embed_timeout_ms()
 *     rj_embed_process()
 *     use the data calls (bucket.h) on rj_embed_node(), then rj_embed_touch()
 *
 * in any order, as often as it likes; ask for the timeout last before each wait. The
 * descriptor is an epoll instance of its own, level-triggered: it nests in poll, epoll,
 * libuv, GLib.
 *
 * One thread at a time may make calls on one instance (data calls included); several
 * instances, each with a home of its own, may live in one process. The library starts a
 * few worker threads (for the disk and for name lookup) that no call of the program ever
 * runs on. Signals are the program's: no handler is installed, none runs on a worker, and
 * a connection that breaks raises no SIGPIPE. Nothing is printed.
 *
 * Do not use an instance after fork() in the child, except to exec. */
#ifndef REJOIN_EMBED_H
#define REJOIN_EMBED_H

#include <rejoin/bucket.h>
#include <rejoin/bytes.h>
#include <rejoin/error.h>
#include <rejoin/node.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rj_embed;

enum {
    RJ_EMBED_WHY_MAX = 1024,    /* bytes of a text that says why, with its NUL */
    RJ_EMBED_TICKET_MAX = 8192, /* bytes of a ticket's text, with its NUL */
    RJ_EMBED_BEACON_PORT = 7340 /* where daemons send their beacons, unless told other */
};

/* Something worth a log line: text is "event key=value ...", borrowed for the call. Comes
 * from within rj_embed_open, rj_embed_process, rj_embed_flush and rj_embed_close; must
 * make no call on the instance. */
typedef void rj_embed_note_fn(void *ctx, enum rj_note_level level, const char *text);

/* Another member has sent a message in a space, by rj_space_cast (node.h) or as a Redis
 * client's PUBLISH. Comes from where notes come from; all is borrowed for the call, which
 * must use nothing of the instance but rj_space_name(space): copy what is to be kept. */
typedef void rj_embed_cast_fn(void *ctx, struct rj_space *space, struct rj_bytes topic,
                              struct rj_bytes text);

/* Zero-initialise, set size and home; 0 and NULL are the defaults. What it points at is
 * copied. */
struct rj_embed_opts {
    size_t size; /* sizeof(struct rj_embed_opts) */
    /* The directory of this node, made when missing (mode 0700): key, store. It is laid
     * out as REJOIN_HOME is, so `REJOIN_HOME=home rejoin up` can run the same node while
     * the program does not. */
    const char *home;
    const char *name; /* of this device, for people, at most RJ_NAME_MAX bytes; default:
                         the name of the machine */
    bool listen;      /* accept connections; false: this node only dials */
    uint16_t port;    /* with listen; 0: one that the system chooses, another each time */
    const char *listen_host;  /* address to listen at; default: all */
    const char *addresses;    /* where others find this node: "host[:port],...";
                                 default: found out */
    uint64_t store_max_bytes; /* most that the store may grow to; 0: follows the disk */
    struct rj_limits limits;
    rj_embed_note_fn *note; /* NULL: none */
    void *ctx;              /* handed to note and cast */
    /* UDP port of a signed datagram that tells everybody on the same network that this
     * device is here, and by which it finds others that moved; 0: neither. It must be the
     * same for all (RJ_EMBED_BEACON_PORT). Not used where listen_host is loopback. */
    uint16_t beacon_port;
    /* A secret of all devices of a network on top of their keys: itself, 16 bytes or
     * more, or the absolute path of a private file that holds it. NULL or "": none; a
     * device with one and a device without do not speak to each other. */
    const char *network_key;
    /* Lets devices in by `ssh HOST REJOIN_HOME=home rejoin pipe`, through the socket
     * run/peer.sock in the home, listen or not. An embedded node does not dial such a
     * pipe: that would need a child process, and with it the program's SIGCHLD. */
    bool pipe;
    rj_embed_cast_fn *cast; /* NULL: messages of others are not heard */
};

/* Opens the node of opts->home: waits for the disk. RJ_EBUSY: another program runs it, or
 * has the port; RJ_EINVAL: size, home, name, listen_host or network_key; RJ_EDENIED: the
 * home, or the file of the network's key, is not this user's alone; RJ_ENOENT: that file;
 * RJ_ECORRUPT, RJ_EVERSION: the store (nothing was changed); RJ_EFULL,
 * RJ_EIO, RJ_ENOMEM, RJ_ELIMIT (a path). Detail in why (at most why_len bytes,
 * RJ_EMBED_WHY_MAX will do, may be NULL). */
RJ_NODISCARD RJ_API enum rj_err rj_embed_open(const struct rj_embed_opts *opts, char *why,
                                              size_t why_len,
                                              struct rj_embed **ret_embed);

/* ---- turns */

/* Readable when a turn is due. The same for the life of the instance; not to be read. */
RJ_API int rj_embed_fd(const struct rj_embed *e);
/* Milliseconds after which a turn is due though nothing becomes readable: 0 at once, -1
 * never. True until the next call on e. */
RJ_API int rj_embed_timeout_ms(struct rj_embed *e);
/* One turn: takes in what has come, sends what data calls and peers gave rise to. Never
 * blocks; early or needless calls are harmless. Ends every bucket handle, and what else
 * is borrowed "until the next step". RJ_OK; RJ_ECORRUPT, RJ_EVERSION: the store was found
 * damaged when it was opened again, nothing will go on: close. */
RJ_API enum rj_err rj_embed_process(struct rj_embed *e);

/* The node, for the calls of node.h (but not rj_node_step, rj_node_close, rj_node_join,
 * rj_node_invite: their counterparts are below) and, through rj_space_bucket, of
 * bucket.h. Borrowed until the next turn. NULL between two instances of the engine: when
 * a write to the disk fails for good, the store is closed and opened again, with a new
 * node on it, half a second or more later. All pointers to the old node, its spaces and
 * buckets are void then: take them afresh in each turn. What was durable is there again,
 * later writes may be lost. */
RJ_API struct rj_node *rj_embed_node(struct rj_embed *e);
/* Which instance of the engine that is, from 1. When it has grown, marks and commit
 * numbers that were taken before (rj_space_mark, rj_node_group) mean nothing any more,
 * and a join that was under way must be begun again. */
RJ_API uint64_t rj_embed_instance(const struct rj_embed *e);
/* Both clocks, now: for the data calls. */
RJ_API struct rj_now rj_embed_now(const struct rj_embed *e);
/* Calls that write were used on the node: the next turn sends and commits. Without it
 * that may wait for something else to happen. */
RJ_API void rj_embed_touch(struct rj_embed *e);
/* Cuts what is pending now: for a data call that said RJ_EBUSY, to be tried again after
 * it. Ends handles as rj_embed_process does. */
RJ_API void rj_embed_flush(struct rj_embed *e);
/* A number that has grown when writes of peers (not those of this program) have been
 * applied since it was asked for last. Costs a walk over the spaces. */
RJ_API uint64_t rj_embed_changes(struct rj_embed *e);

/* ---- other devices */

/* Makes a ticket that lets devices into spaces (see rj_node_invite) and writes it to
 * ret_text with a NUL. It is a secret. RJ_EDENIED: this device may not invite; RJ_ENOENT:
 * no such space; RJ_ELIMIT: too many invitations are open, or text_len is too small;
 * RJ_EUNREACH: nobody could reach this device, it does not listen; RJ_EBUSY: no node now.
 */
RJ_NODISCARD RJ_API enum rj_err rj_embed_invite(struct rj_embed *e,
                                                const struct rj_invite_opts *opts,
                                                char *ret_text, size_t text_len);
/* Begins to join with a ticket; how it goes tells rj_embed_join_state. Replaces a join
 * that is under way. RJ_EINVAL: this is no ticket, or an own one; RJ_EBUSY: no node now.
 */
RJ_NODISCARD RJ_API enum rj_err rj_embed_join(struct rj_embed *e, const char *ticket);

struct rj_embed_join {
    size_t size;              /* sizeof(struct rj_embed_join), set by the caller */
    enum rj_join_state state; /* of the last join; NONE also after a new instance */
    enum rj_err err;          /* REFUSED: why */
    bool connected;           /* the device that invited is connected */
    bool whole;               /* DONE, and all that it had has arrived */
    const char *why;          /* why it could not be reached so far, "" when nothing is
                                 known; borrowed until the next call on e */
};
/* RJ_EINVAL: size. */
RJ_API enum rj_err rj_embed_join_state(struct rj_embed *e, struct rj_embed_join *ret);

/* Where others find this node, the i-th "host:port"; NULL at the end. Borrowed until the
 * next turn. */
RJ_API const char *rj_embed_address(const struct rj_embed *e, size_t i);

/* ---- the end */

/* Begins to stop: no new peers are accepted or dialled. The program may go on giving
 * turns until rj_embed_quiet, so that the end never blocks. */
RJ_API void rj_embed_stop(struct rj_embed *e);
/* Whether all that was written so far is durable here. */
RJ_API bool rj_embed_quiet(struct rj_embed *e);
/* Stops and waits, at most timeout_ms, until all that was written is durable here, says
 * goodbye to peers (at most a second more) and frees everything. NULL is accepted. */
RJ_API void rj_embed_close(struct rj_embed *e, uint32_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
