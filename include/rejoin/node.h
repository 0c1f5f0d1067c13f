/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: a node is a set of spaces; a space is a log of writes, a state computed
 * from it, and a table of who has seen what.
 *
 * The engine is a function: rj_node_step(node, event, actions). It never touches a
 * socket, a file, a clock or a thread; events carry the time, actions say what to do.
 * Its driver (daemon, embedding program, simulator) runs turns: deliver whatever
 * happened as events, let clients use the data calls (bucket.h), then one RJ_EV_FLUSH,
 * then carry out the actions in their order. One thread at a time.
 *
 * Durability. State goes to the store in commits: RJ_ACT_COMMIT hands out one atomic
 * batch; the driver writes it (in a worker thread if it likes) and reports
 * RJ_EV_COMMITTED. At most one is under way. What a client did is covered by the commit
 * number that rj_node_group() names at that moment, and is safe once
 * rj_node_committed() >= it. Spaces with durability `always` send nothing to peers, and
 * their clients should get no reply, before that. */
#ifndef REJOIN_NODE_H
#define REJOIN_NODE_H

#include <rejoin/bucket.h>
#include <rejoin/bytes.h>
#include <rejoin/env.h>
#include <rejoin/error.h>
#include <rejoin/store.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RJ_PROTOCOL = 1,                 /* version of the peer protocol */
    RJ_NAME_MAX = 64,                /* bytes of a space's or device's name */
    RJ_ADDRESSES_MAX = 16,           /* addresses of one device */
    RJ_ADDRESS_MAX = 255,            /* bytes of one address "host:port" */
    RJ_SPACES_MAX = 1024,            /* spaces of one node */
    RJ_SESSIONS_MAX = 1024,          /* sessions of one node */
    RJ_FRAME_MAX = 40 * 1024 * 1024, /* bytes of one frame between peers */
    RJ_RELAY_TOKEN = 32,             /* bytes that name a meeting through a relay */
    RJ_CAST_MAX = 17 * 1024 * 1024,  /* bytes of a message, its topic included */
    RJ_SECRET_LEN = 16               /* bytes of a ticket's one-time secret */
};

enum rj_kind_id { RJ_KIND_BUCKET = 1 };
enum rj_role { RJ_ROLE_NONE, RJ_ROLE_READER, RJ_ROLE_WRITER, RJ_ROLE_ADMIN };
enum rj_durability { RJ_DURABLE_ALWAYS, RJ_DURABLE_SECOND, RJ_DURABLE_NONE };
enum rj_level { RJ_RECEIVED, RJ_DURABLE }; /* of a receipt */

struct rj_node;
struct rj_space; /* owned by the node; borrowed until it is removed */

/* Limits with their defaults; 0 = default. Each is checked before memory is taken. */
struct rj_limits {
    uint64_t log_bytes;      /* 256 MiB: a longer log is truncated at its front */
    uint64_t parked_bytes;   /* 16 MiB a peer: batches that wait for their deps */
    uint64_t unacked_bytes;  /* 4 MiB a peer: sent and not yet received (credit) */
    uint64_t clock_bound_ms; /* 60,000: how far ahead an author's stamp may be (R2) */
    uint64_t part_bytes;     /* 256 KiB: one part of a state transfer */
    uint64_t commit_ms;      /* 500: commit interval of durability second and none */
};

struct rj_node_config {
    size_t size;            /* sizeof(struct rj_node_config) */
    struct rj_env *env;     /* borrowed for the node's life */
    struct rj_store *store; /* borrowed for the node's life */
    uint64_t seed;          /* of the engine's PRNG (timing jitter only, never ids) */
    struct rj_now now;
    struct rj_bytes name; /* of this device, for people; copied */
    struct rj_limits limits;
};

/* Loads all spaces from the store, draws a new incarnation (R1) and writes its opening
 * records durably before it returns. RJ_ECORRUPT, RJ_EVERSION (detail in why, at most
 * why_len bytes), RJ_EFULL, RJ_EIO. */
RJ_NODISCARD RJ_API enum rj_err rj_node_open(const struct rj_node_config *config,
                                             char *why, size_t why_len,
                                             struct rj_node **ret_node);
/* Frees; does not commit. NULL is accepted. */
RJ_API void rj_node_close(struct rj_node *n);

/* ---- steps */

enum rj_event_kind {
    RJ_EV_TIMER,        /* a deadline came (early or needless ones are harmless) */
    RJ_EV_PEER_UP,      /* a connection to a peer is there and its key is proven */
    RJ_EV_PEER_BYTES,   /* bytes came on it, cut anywhere */
    RJ_EV_PEER_DRAINED, /* its output queue is short again (see RJ_ACT_SEND) */
    RJ_EV_PEER_DOWN,    /* it is gone */
    RJ_EV_FLUSH,        /* end of a turn: cut batches, send, commit */
    RJ_EV_COMMITTED     /* a commit ended */
};

struct rj_event {
    enum rj_event_kind kind;
    struct rj_now now;
    uint64_t peer;          /* PEER_*: the driver's number, never 0, never reused */
    struct rj_bytes bytes;  /* PEER_BYTES: borrowed for the step */
    const uint8_t *pubkey;  /* PEER_UP: the peer's raw key, RJ_PUBKEY_LEN */
    const uint8_t *binding; /* PEER_UP: 32 bytes both ends share (TLS exporter) */
    bool dialled;           /* PEER_UP: this side opened the connection */
    uint64_t commit;        /* COMMITTED: its number */
    enum rj_err result;     /* COMMITTED: RJ_OK, RJ_EFULL or RJ_EIO */
};

enum rj_action_kind {
    RJ_ACT_SEND,   /* append bytes to peer's output. The engine stops handing out more
                      than about unacked_bytes; no queue of the driver grows beyond. */
    RJ_ACT_CLOSE,  /* close peer after what was sent; err says why */
    RJ_ACT_COMMIT, /* store->ops->write(store, writes, durable), then RJ_EV_COMMITTED */
    RJ_ACT_NOTE,   /* something worth a log line or a watcher's event */
    RJ_ACT_CAST,   /* another member has sent a message (rj_space_cast) */
    RJ_ACT_RELAY   /* two members meet through a third (rj_node_relay_ask) */
};

/* What this node does at such a meeting. */
enum rj_relay_role {
    RJ_RELAY_CARRY,  /* joins two connections that bring the token */
    RJ_RELAY_CLIENT, /* connects to via, shows the token, is the client of what follows */
    RJ_RELAY_SERVER  /* the same, as the server */
};

enum rj_note_level { RJ_NOTE_DEBUG, RJ_NOTE_INFO, RJ_NOTE_WARN, RJ_NOTE_ERROR };

struct rj_action {
    enum rj_action_kind kind;
    uint64_t peer;
    struct rj_bytes bytes;        /* SEND; NOTE: text "event key=value ..."; CAST: text */
    struct rj_space *space;       /* CAST */
    struct rj_bytes topic;        /* CAST */
    enum rj_relay_role role;      /* RELAY, as the next three */
    struct rj_digest via, device; /* who carries, who is met; nobody to RJ_RELAY_CARRY */
    uint8_t token[RJ_RELAY_TOKEN];
    enum rj_err err;                /* CLOSE, NOTE */
    enum rj_note_level level;       /* NOTE */
    uint64_t commit;                /* COMMIT: its number */
    const struct rj_writes *writes; /* COMMIT: borrowed until RJ_EV_COMMITTED */
    bool durable;                   /* COMMIT */
};

/* Filled by a step; lives until the next step. */
struct rj_actions {
    const struct rj_action *items;
    size_t n;
    struct rj_mono deadline; /* call RJ_EV_TIMER at this time; UINT64_MAX: never */
};

/* One step: takes what happened, gives what is to be done. ev is borrowed for the call,
 * what *ret_actions points to until the next step. Bad input from a peer closes its
 * session and is no error here. RJ_EIO, RJ_ENOMEM, RJ_ECORRUPT are final: close the node,
 * reopen it. */
RJ_NODISCARD RJ_API enum rj_err rj_node_step(struct rj_node *n, const struct rj_event *ev,
                                             struct rj_actions *ret_actions);
/* The commit that will cover what clients do now; and the last one that is done. */
RJ_API uint64_t rj_node_group(const struct rj_node *n);
RJ_API uint64_t rj_node_committed(const struct rj_node *n);
/* Whether anything is in no finished commit yet (before an orderly end, wait for it). */
RJ_API bool rj_node_unsaved(const struct rj_node *n);
/* Detail of the last error, for people; may be empty, never NULL. Borrowed until the next
 * step. */
RJ_API const char *rj_node_why(const struct rj_node *n);

/* ---- spaces */

/* What a deletion of a key does in a bucket; fixed when it is made. */
enum rj_policy {
    RJ_POLICY_MERGE,      /* it takes away what its author had seen; all else stays */
    RJ_POLICY_DELETE_WINS /* it also wins over every write that had not seen it */
};

struct rj_space_opts {
    enum rj_kind_id kind;
    struct rj_bytes name; /* 1..RJ_NAME_MAX of [A-Za-z0-9._-], unique here */
    enum rj_durability durability;
    enum rj_policy policy;
};

/* Makes a new space with this device as its admin (genesis). *ret_space is the node's.
 * RJ_EEXIST: the name is taken here; RJ_EINVAL: a name, kind, durability or policy that
 * there is not; RJ_ELIMIT: RJ_SPACES_MAX; RJ_EFULL, RJ_EIO, RJ_ENOMEM: nothing was made.
 */
RJ_NODISCARD RJ_API enum rj_err rj_node_space_add(struct rj_node *n,
                                                  const struct rj_space_opts *opts,
                                                  struct rj_now now,
                                                  struct rj_space **ret_space);
/* Forgets a space here; others keep theirs. s and its bucket are used no more; the next
 * commits delete what is stored of it. Cannot fail at present. */
RJ_NODISCARD RJ_API enum rj_err rj_node_space_remove(struct rj_node *n,
                                                     struct rj_space *s);
/* Changes the durability that this node uses for a space; stored with the next commit. */
RJ_API void rj_space_set_durability(struct rj_space *s, enum rj_durability d);
/* Its durability and name (borrowed while the space lives), without the cost of
 * rj_space_info. */
RJ_API enum rj_durability rj_space_durability(const struct rj_space *s);
RJ_API const char *rj_space_name(const struct rj_space *s);
/* The space of that name (as it was given at add, or found at join), or NULL. */
RJ_API struct rj_space *rj_node_space(struct rj_node *n, struct rj_bytes name);
/* The i-th space, NULL at the end. i stays the same until a space is added or removed. */
RJ_API struct rj_space *rj_node_space_at(struct rj_node *n, size_t i);
/* The bucket of a space, with this time. NULL for another kind. Borrowed until the next
 * step. While a node joins (rj_space_info.joining) reads may be incomplete. */
RJ_API struct rj_bucket *rj_space_bucket(struct rj_space *s, struct rj_now now);

struct rj_space_info {
    struct rj_digest id;
    const char *name; /* borrowed while the space lives */
    enum rj_kind_id kind;
    enum rj_durability durability;
    enum rj_policy policy;
    enum rj_role role;  /* of this device, now */
    bool joining;       /* a state transfer or first catch-up is under way */
    double joined_part; /* 0..1 of the positions taken over; in a first catch-up from
                           the log: of the writes that peers have */
    uint64_t keys;      /* bucket: number of keys */
    uint64_t members, origins;
    uint64_t own_seq; /* sequence of the last own write */
    uint64_t writes;  /* sum of the vector: all writes known here */
    uint64_t log_batches, log_bytes, parked_batches;
    uint64_t unstable;  /* writes that some member is not known to have */
    uint64_t missing;   /* writes that connected peers have and this node has not */
    uint64_t truncated; /* batches dropped from the front of the log */
    struct {
        uint64_t lo, hi;
    } digest;             /* of the state; equal at equal vectors */
    uint64_t vector_hash; /* equal iff the vectors are equal (by origin ids) */
    enum rj_err refuse;   /* why local writes are refused, or RJ_OK */
    bool fork_refused;    /* a branch of some device cannot be merged here (R7); no state
                             is exchanged with who has it */
    const char *fork_device; /* whose, if no log reaches back to where it parted ... */
    const char *fork_peer;   /* ... from this node's; empty: not known. Borrowed while the
                                space lives */
};
/* What a space looks like now. Goes through members and origins: not for a hot path. */
RJ_API void rj_space_info(struct rj_space *s, struct rj_now now,
                          struct rj_space_info *ret);
/* How many writes of other origins are here (own ones of an earlier incarnation count as
 * another's); it grows whenever some are applied, and with the end of a state transfer.
 * Costs a walk over the origins. */
RJ_API uint64_t rj_space_received(const struct rj_space *s);

/* A member of a space. */
struct rj_member_info {
    struct rj_digest device;
    const char *name; /* borrowed until the next step */
    enum rj_role role;
    bool self, connected, closed;
    uint64_t lag;         /* own writes that it is not known to have received */
    uint64_t lag_durable; /* .. to have durably */
    uint32_t forks; /* how often it went on twice under one incarnation: it was copied
                       with its memory; all branches are merged (R7) */
};
/* The i-th member, in ret. False when there is none: ret is unchanged. */
RJ_API bool rj_space_member(struct rj_space *s, size_t i, struct rj_member_info *ret);
/* Sets another device's role. RJ_EDENIED: this device is no admin, or of no higher rank;
 * RJ_ECLOSED: the other was closed, only an invitation brings it back; RJ_ENOENT: no
 * member; RJ_EINVAL: not reader, writer or admin. As a data call: RJ_EBUSY, RJ_EJOINING,
 * RJ_ENOMEM, RJ_ELIMIT; and RJ_EIO: it cannot be signed. */
RJ_NODISCARD RJ_API enum rj_err rj_space_member_set(struct rj_space *s,
                                                    const struct rj_digest *device,
                                                    enum rj_role role, struct rj_now now);
/* Closes a device (R8): what active members have seen of it stays valid, what comes later
 * is kept aside until it joins again with a new invitation (R6). RJ_EDENIED, RJ_ENOENT
 * and the rest as for rj_space_member_set(). */
RJ_NODISCARD RJ_API enum rj_err rj_space_close_device(struct rj_space *s,
                                                      const struct rj_digest *device,
                                                      struct rj_now now);

/* ---- receipts */

/* Names what this node has written in the space so far (pending writes included). */
RJ_API uint64_t rj_space_mark(const struct rj_space *s);
/* How many other members are known to have own writes up to mark at a level. */
RJ_API size_t rj_space_receipts(const struct rj_space *s, uint64_t mark,
                                enum rj_level level);
/* Somebody waits for receipts: the next flush sends at once what is pending. */
RJ_API void rj_space_hurry(struct rj_space *s);
/* Whether this node itself has them durably. */
RJ_API bool rj_space_durable_here(const struct rj_space *s, uint64_t mark);

/* ---- messages that nobody keeps */

/* Sends a message to the other members of the space that can be reached now, directly or
 * through others: at most once, in no order, kept nowhere; who does not keep up misses
 * it. topic and text are any bytes. It leaves with the next flush. RJ_ELIMIT: more than
 * RJ_CAST_MAX bytes; RJ_EBUSY: too many since the last flush; RJ_ECLOSED: this device was
 * closed; RJ_ENOMEM. */
RJ_NODISCARD RJ_API enum rj_err rj_space_cast(struct rj_space *s, struct rj_bytes topic,
                                              struct rj_bytes text);

/* ---- invitations */

struct rj_invite_opts {
    const struct rj_bytes *spaces; /* names; n_spaces 0 = all spaces */
    size_t n_spaces;
    enum rj_role role;
    uint64_t expires_ms; /* wall time */
    uint32_t uses;
};

/* Makes a secret that lets as many devices as `uses` into spaces; kept until used up or
 * expired. The driver forms the ticket from it (device id, secret, addresses). opts is
 * borrowed for the call. RJ_EDENIED: not admin of one of them; RJ_ENOENT: no space of a
 * name, or none at all; RJ_EINVAL: role or uses; RJ_ELIMIT: too many are open; RJ_EIO: no
 * randomness; RJ_ENOMEM. */
RJ_NODISCARD RJ_API enum rj_err rj_node_invite(struct rj_node *n,
                                               const struct rj_invite_opts *opts,
                                               struct rj_now now,
                                               uint8_t ret_secret[RJ_SECRET_LEN]);
/* Remembers that this node wants in: as soon as a session with that device is up, it
 * proves the secret (HMAC over the binding) and takes what it is given. A join that was
 * under way is replaced; the secret is not stored. RJ_EINVAL: this device itself;
 * RJ_ELIMIT: too many devices are known; RJ_ENOMEM. */
RJ_NODISCARD RJ_API enum rj_err rj_node_join(struct rj_node *n,
                                             const struct rj_digest *inviter,
                                             const uint8_t secret[RJ_SECRET_LEN]);
enum rj_join_state { RJ_JOIN_NONE, RJ_JOIN_WAITING, RJ_JOIN_DONE, RJ_JOIN_REFUSED };
/* State of the last rj_node_join; *ret_err (unless NULL) says why it was refused, RJ_OK
 * otherwise. */
RJ_API enum rj_join_state rj_node_join_state(const struct rj_node *n,
                                             enum rj_err *ret_err);

/* ---- peers */

struct rj_peer_info {
    struct rj_digest device;
    const char *name;             /* borrowed until the next step */
    const char *const *addresses; /* "host:port", borrowed until the next step */
    size_t n_addresses;
    bool wanted;                         /* a member of a space of ours: dial it */
    uint64_t session;                    /* the driver's peer number, 0 = not connected */
    uint64_t sent_bytes, received_bytes; /* of the present session */
    bool clock_known;                    /* it has told its clock in this session, */
    int64_t clock_offset_ms;             /* which is this much ahead of ours */
};
/* The id of this device; borrowed for the node's life. */
RJ_API const struct rj_digest *rj_node_device(const struct rj_node *n);
/* The i-th of all devices known, in ret; false when there is none: ret is unchanged. */
RJ_API bool rj_node_peer(struct rj_node *n, size_t i, struct rj_peer_info *ret);
/* Own addresses instead of those before, told to peers at their next hello. Copied.
 * RJ_ELIMIT: more than RJ_ADDRESSES_MAX, or one longer than RJ_ADDRESS_MAX; RJ_ENOMEM. On
 * failure those before stay. */
RJ_NODISCARD RJ_API enum rj_err
rj_node_set_addresses(struct rj_node *n, const struct rj_bytes *addresses, size_t count);
/* Asks a connected peer to let this node and a device meet through it: both get
 * RJ_ACT_RELAY, if it has a session with the device, and they share a space. It leaves
 * with the next flush; one question a peer is under way. RJ_EUNREACH: via is not
 * connected. */
RJ_NODISCARD RJ_API enum rj_err rj_node_relay_ask(struct rj_node *n,
                                                  const struct rj_digest *via,
                                                  const struct rj_digest *device);
/* Adds an address at which a device was or may be found, as the first to try; of too many
 * the last one goes. Copied and stored. RJ_EINVAL: empty or longer than RJ_ADDRESS_MAX;
 * RJ_ELIMIT: too many devices; RJ_ENOMEM. */
RJ_NODISCARD RJ_API enum rj_err rj_node_add_address(struct rj_node *n,
                                                    const struct rj_digest *device,
                                                    struct rj_bytes address);

#ifdef __cplusplus
}
#endif
#endif
