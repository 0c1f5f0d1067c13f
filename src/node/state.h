/* SPDX-License-Identifier: Apache-2.0 */
/* The structures of the engine, shared by the files of this folder only. A node has
 * spaces and sessions; a link is what one session knows about one space. */
#ifndef RJ_NODE_STATE_H
#define RJ_NODE_STATE_H

#include "base/map.h"
#include "base/prng.h"
#include "bucket/bucket.h"
#include "causal/batch.h"
#include "causal/contexts.h"
#include "causal/log.h"
#include "causal/member.h"
#include "causal/trail.h"

#include <rejoin/node.h>

enum {
    RJ_BUCKET_RULES = 1,  /* fingerprint of the merge rules of a bucket (R10); the policy
                             is added */
    RJ_CUT_MS = 5,        /* under load a batch is cut (and signed) this often */
    RJ_CUT_WRITES = 8192, /* ... or after so many writes */
    RJ_CUT_BYTES = 512 * 1024,
    RJ_ACK_MS = 5,              /* acknowledgements are at least so far apart */
    RJ_HEAD_MS = 500,           /* signed heads are at least so far apart */
    RJ_RELAY_MS = 100,          /* others' batches are passed on after this delay */
    RJ_PULL_MS = 200,           /* a parked batch asks for what it waits for after this */
    RJ_PULL_MAX_MS = 30000,     /* ... and again at growing distances up to this */
    RJ_TRANSFER_MS = 5000,      /* a transfer without progress is given up after this */
    RJ_EXPIRE_GRACE_MS = 60000, /* expired values are dropped this long after */
    RJ_EXPIRE_STEP = 1024,      /* values dropped in one step */
    RJ_SUM_SLOT_MS = 10000,     /* expiring values are compared in slots of this */
    RJ_DIGEST_MS = 5000,        /* sums are told at least so far apart */
    RJ_GUESTS_MAX = 64,         /* strangers at a time */
    RJ_GUEST_MS = 10000,        /* a stranger must present a ticket within this */
    RJ_CLOCK_MS = 60000,        /* stamps that are far ahead are refused for so long */
    RJ_HEARSAY_MS =
        600000, /* an instance lives so long, whatever unproven forks are told */
    RJ_BRANCHES_MAX = 64,   /* branches of one device (R7) */
    RJ_APART_MS = 10000,    /* a fork that no log has shown after this is reported */
    RJ_TOLD_POINTS = 1024,  /* points of a trail in one piece of META */
    RJ_RESEND_MS = 5000,    /* what was refused for its stamp is offered again */
    RJ_BUSY_MS = 50,        /* a busy holder is asked again after this */
    RJ_STRANDED_MS = 60000, /* ranges that nobody can complete are taken afresh after */
    RJ_AGAIN_MS = 2000,     /* unequal ranges are asked for again after this */
    RJ_TRANSFER_LEAF = 64,  /* a range of so few keys is compared key by key */
    RJ_TRANSFER_QUEUE_MAX = 4096,
    RJ_INVITES_MAX = 256,
    RJ_MEMBER_BATCHES_MAX = RJ_ORIGINS_MAX + RJ_MEMBER_RECORDS_MAX,
    RJ_WRITES_KEEP = 4 * 1024 * 1024,     /* a commit's buffer is kept up to this size */
    RJ_LOG_CACHE_BYTES = 8 * 1024 * 1024, /* newest batches kept in memory, a space */
    RJ_COMMIT_BYTES = 64 * 1024 * 1024,   /* log bytes that make a commit due */
    RJ_ROOM_MS = 1000,                    /* a full disk is looked at again after this */
    RJ_ROOM_MIN = 16 * 1024 * 1024        /* free bytes below which writes are refused */
};

/* Where the chain of an origin stands at a holder of the state, as that tells. */
struct rj_told {
    uint64_t seq;
    struct rj_digest hash;
    struct rj_trail trail;
};

/* What a space knows about one origin, beside the origin table. */
struct rj_origin_state {
    struct rj_digest chain; /* hash of the batch header that ends at chain_seq */
    uint64_t chain_seq;
    struct rj_trail trail; /* of its headers before that which the log lacks */
    struct rj_told *told;  /* by who gives the state; NULL: nothing */
    struct rj_vv known;    /* what its device has durably: its last head (knowledge) */
    struct rj_vv past;   /* deps of its batches: what its author had seen of origins that
                            have written role or close records */
    uint64_t head_stamp; /* order of heads */
    struct rj_buf head;  /* that head as it travels: [raw, sig] */
    bool head_partial;   /* it tells (loaded: maybe) of origins that are not known */
    uint32_t device;     /* index into members, UINT32_MAX: unknown */
    struct rj_mono clock_since; /* 0, or when its stamps were first refused here */
    uint64_t frozen;            /* closed: own vector's entry when the close came */
    uint64_t
        taken; /* up to here it was taken as state: by which chain is not known (R7) */
    struct rj_choice *choices; /* R7: which branches its author means by what names */
    size_t n_choices;
    uint64_t cast_top, cast_seen; /* cast.c: greatest number; the 64 up to it, as bits */
    bool closed;
    bool rules; /* it has written role or close records */
    bool dirty; /* its record has to be written */
};

/* A foreign batch that waits for its deps, its opening or its turn. Ordered by origin id
 * and first sequence; of branches that are not told apart yet also by hash. */
struct rj_parked {
    struct rj_map_node node;
    uint8_t key[RJ_ORIGIN_LEN + 8 + RJ_DEP_HASH_LEN];
    uint64_t session; /* who sent it */
    size_t size;
    uint8_t bytes[]; /* as rj_batch_put */
};

/* One range still to be taken over. */
struct rj_piece {
    struct rj_range range;
    struct rj_vv have; /* what the state there has, for the holder's choice */
    bool full;
    bool renew; /* what the holder lacks there goes, but for what the log has */
};

struct rj_transfer {
    bool active; /* pieces are being asked for */
    bool meta_done;
    uint64_t session; /* the holder's session */
    uint64_t request; /* number of the outstanding request, 0 none */
    struct rj_mono deadline;
    struct rj_mono again_at;    /* unequal ranges: when to ask for them again */
    struct rj_mono not_before;  /* a busy peer is not asked again before */
    struct rj_mono progress_at; /* 0, or when a part last brought something */
    struct rj_vv need;          /* every range must cover it */
    struct rj_piece *pieces;
    size_t n, cap; /* a stack */
    bool told;     /* of some origin: counts here once a part was taken */
    size_t n_told_points;
};

struct rj_link {
    struct rj_space *space;
    uint64_t number_here;  /* our number of the space on this session */
    uint64_t number_there; /* the peer's, valid once heard */
    bool told, heard;      /* announced by us, by the peer */
    bool parted;           /* it was told that it is closed here */
    bool streaming;        /* the peer's vector covers what we truncated */
    struct rj_vv received; /* the peer has applied */
    struct rj_vv durable;
    struct rj_vv sent;  /* received, joined with what we sent since */
    struct rj_vv trunc; /* below this the peer has no log */
    bool trunc_unknown; /* ... and of origins that are not known here */
    struct rj_vv told_received, told_durable; /* our last acknowledgement */
    uint64_t cursor;                          /* next log position to consider */
    struct rj_vv heads;    /* by origin: stamp of the last head sent or got */
    struct rj_vv doubted;  /* by incarnation: up to where another branch was asked for */
    struct rj_vv reminded; /* ... and was shown what proves a split, twice that */
    struct rj_vv lines;    /* where chains stand here, as was told in LINE ... */
    struct rj_vv chains;   /* ... and in META */
    struct rj_vv claims;   /* where they stand there, as the peer told in LINE */
    bool apart;            /* it has another branch than is here, or says so ... */
    struct rj_mono apart_at; /* ... since then ... */
    uint32_t apart_of;       /* ... of this origin, or NONE ... */
    uint64_t apart_seq;      /* ... up to this at least */
    bool knows_split;        /* it showed one ... */
    uint64_t vouched;        /* ... and has what is here of that origin, up to this */
    struct rj_vv digest_vv;  /* the vector at which our sum was told last */
    struct rj_mono digest_at;
    struct rj_mono began_at;  /* when the peer first told its vector */
    struct rj_mono resend_at; /* 0, or when to offer again what a clock refused */
    struct rj_buf held;       /* parts of the state that wait for a commit */
    uint64_t held_commit;     /* ... this one */
    struct rj_mono behind_at; /* when a BEHIND was sent last */
    size_t meta_batches;      /* MEMBER batches and origins when META was sent last */
};

struct rj_session {
    uint64_t peer;
    struct rj_digest device;
    uint8_t pubkey[RJ_PUBKEY_LEN];
    uint8_t binding[32];
    char name[RJ_NAME_MAX + 1];
    bool dialled, guest, hello, closing;
    enum rj_err close_err;
    struct rj_mono since;
    struct rj_buf in, out;
    uint64_t sent_bytes, acked_bytes; /* of frames, for credit */
    uint64_t got_bytes, told_bytes;   /* received and handled; last told */
    int64_t clock_offset_ms;          /* its wall clock minus ours */
    bool clock_known;
    struct rj_mono acked_at;
    struct rj_link *links;
    size_t n_links, cap_links;
    size_t parked_bytes;
    bool join_sent;
    bool relay_asks;               /* relay.c: it is to be asked ... */
    struct rj_digest relay_wanted; /* ... for this device */
    struct rj_mono relay_at;       /* when it asked last; 0: never */
    struct rj_buf parts;           /* a long payload as far as it has come */
    bool parts_skip;               /* ... nobody waits for it (any more) */
    struct rj_buf held;            /* a welcome that waits for a commit */
    uint64_t held_commit;          /* ... this one */
};

/* What proves a split: two headers behind one. */
struct rj_fork_proof {
    struct rj_bytes raw[2];
    uint8_t sig[2][RJ_SIG_LEN];
};

/* A point of the trail of an origin. */
struct rj_trail_fresh {
    uint32_t origin;
    struct rj_trail_point point;
};

/* Where an incarnation was continued twice: behind the header that ends at seq. */
struct rj_split {
    uint32_t root;
    uint64_t seq;
    uint8_t hash[RJ_DEP_HASH_LEN];
    struct rj_buf proof; /* two headers behind it: [raw, sig, raw, sig];
                            empty: told by a holder of the state */
    bool fresh;          /* the next open carries it out */
};

struct rj_space {
    struct rj_node *node;
    uint32_t number; /* in store keys */
    struct rj_digest id;
    char name[RJ_NAME_MAX + 1];
    struct rj_buf genesis;
    enum rj_kind_id kind_id;
    enum rj_policy policy;
    enum rj_durability durability;
    bool removed;

    struct rj_origins origins;
    struct rj_origin_state *os; /* by origin index */
    uint32_t os_n;
    struct rj_members members;
    struct rj_buf *member_batches; /* all MEMBER batches, in order of acceptance */
    uint32_t *member_origins;      /* ... and whose they are */
    size_t n_member_batches, cap_member_batches, stored_member_batches;
    size_t early_openings; /* that came before the opening of what they replace */

    struct rj_vv vv;      /* announced: while joining the minimum over contexts */
    struct rj_vv durable; /* vv as of the last durable commit */
    struct rj_vv committing;
    struct rj_vv trunc; /* what the log does not hold any more */
    struct rj_vv deps;  /* vv at the last own batch */
    struct rj_log log;
    uint64_t stored_begin, stored_end; /* positions that the store holds */
    uint64_t committed_end;            /* positions below it are in a done commit */
    uint64_t hold_end;                 /* positions below it leave only once committed */
    uint64_t collected_end;            /* ... in the commit under way */
    struct rj_writer writer;
    uint64_t clock;                      /* greatest stamp seen or made */
    uint32_t self;                       /* own origin index */
    struct rj_buf casts;                 /* cast.c: own messages since the last flush */
    uint64_t cast_number, casts_dropped; /* own messages so far; what was not passed on */
    struct rj_mono cut_at, head_at;
    struct rj_vv head_vv; /* deps of the last own head */
    bool urgent;          /* cut at this flush */
    bool overtaken;       /* others' writes came in while some were unsealed */

    struct rj_map parked;
    size_t parked_bytes;
    size_t parked_unknown; /* of origins that were unknown when they came */
    struct rj_mono pull_at;
    uint64_t pull_wait_ms; /* until the next pull, while nothing is applied */
    uint32_t pull_turn;

    struct rj_contexts *contexts; /* NULL: whole */
    struct rj_transfer transfer;
    struct rj_vv target; /* first catch-up: what peers were heard to have */
    bool may_seal;       /* the vector has a record that lets this device write */
    bool catching_up;
    bool closed_here; /* this device was closed, as a record says that lacks its deps */
    struct rj_dot closed_by; /* ... this one */

    struct rj_kind *kind;
    struct rj_bucket *bucket;
    struct rj_mono expire_at;
    bool expires; /* there is something to look at then */
    uint64_t truncated;
    size_t trail_points;                /* of all origins */
    struct rj_trail_fresh *trail_fresh; /* those that the store lacks */
    size_t n_trail_fresh, cap_trail_fresh;
    uint64_t trail_next;      /* number of the next one there */
    bool trail_anew;          /* all are to be stored again */
    bool dirty;               /* something to commit */
    uint32_t collected_count; /* pending writes that the last commit holds */
    uint64_t pending_log_bytes;
    uint64_t pulls, invalid, forks, diverged;

    struct rj_split *splits; /* R7 */
    size_t n_splits;
    uint32_t
        uncut; /* an incarnation that goes on twice and cannot be cut here, or NONE */
    uint64_t uncut_seq;                  /* where it was split, */
    uint8_t uncut_hash[RJ_DEP_HASH_LEN]; /* behind that header, */
    struct rj_buf uncut_proof;           /* and what proves it */
    bool afresh;                         /* the next open begins as a joiner does */
    bool forgotten;                      /* this one did: the store is to follow */
    bool torn;                           /* one is fresh */
    bool fork_refused;                   /* that one cannot be merged was told: */
    char fork_device[RJ_NAME_MAX + 1];   /* whose it is; empty: there are too many */
    char fork_peer[RJ_NAME_MAX + 1]; /* who has another branch; empty: not known yet */
    bool any_apart;                  /* some link is, since this instance began */
    struct rj_choice
        *renamed; /* while loading: what was cut, and the branch here of it */
    size_t n_renamed;
    uint32_t stored_origins; /* log entries of later ones have to be stored again */
};

/* A device that this node knows, in whatever space, and where it may be found. */
struct rj_known_device {
    struct rj_digest device;
    char name[RJ_NAME_MAX + 1];
    char *addresses[RJ_ADDRESSES_MAX];
    size_t n_addresses;
    uint64_t session;
    bool dirty;
};

struct rj_invitation {
    uint8_t secret[RJ_SECRET_LEN];
    enum rj_role role;
    uint64_t expires_ms;
    uint32_t uses;
    struct rj_digest *spaces;
    size_t n_spaces;
};

struct rj_node {
    struct rj_env *env;
    struct rj_store *store;
    struct rj_limits limits;
    struct rj_prng prng;
    struct rj_now now;
    int64_t clock_base_ms; /* wall - monotonic, as last trusted */
    int64_t clock_jump_ms; /* how far the wall clock has left that base */
    bool clock_based, clock_doubted;
    struct rj_digest device;
    char name[RJ_NAME_MAX + 1];
    uint64_t incarnation;
    uint32_t next_space; /* number of the next space */

    struct rj_space **spaces;
    size_t n_spaces, cap_spaces;
    struct rj_session **sessions;
    size_t n_sessions, cap_sessions;
    struct rj_known_device *devices;
    size_t n_devices, cap_devices;
    char *addresses[RJ_ADDRESSES_MAX];
    size_t n_addresses;
    struct rj_invitation *invites;
    size_t n_invites;
    bool invites_dirty, meta_dirty;

    enum rj_join_state join_state;
    enum rj_err join_err;
    struct rj_digest join_device;
    uint8_t join_secret[RJ_SECRET_LEN];

    struct rj_writes writes; /* the commit under way */
    bool committing;         /* writes is under way */
    bool commit_now;         /* something waits for a commit */
    bool commit_durable;
    uint64_t committed, issued; /* commit numbers */
    uint64_t renew;             /* 0, or the commit after which this instance ends */
    uint64_t synced;            /* the last durable one: all up to it is on disk */
    struct rj_mono commit_at;   /* when the last one was issued */
    struct rj_mono opened_at;   /* of the first step */
    struct rj_mono room_at;     /* while it is full: when to look again */
    enum rj_err full;           /* RJ_EFULL while the disk is full */
    enum rj_err dead;           /* final error */

    struct rj_action *actions;
    size_t n_actions, cap_actions;
    struct rj_buf notes; /* texts of NOTE actions, as offsets until the step ends */
    struct rj_buf casts; /* topics and texts of this step's messages */
    struct rj_buf scratch;
    uint32_t *dict; /* RJ_BATCH_DICT_MAX, scratch */
    uint64_t next_request;
    struct rj_mono deadline; /* collected during a step */
    char why[200];
};

static inline bool rj_space_is_whole(const struct rj_space *s)
{
    return s->contexts == NULL;
}

static inline struct rj_mono rj_mono_add(struct rj_mono t, uint64_t ms)
{
    return (struct rj_mono){t.ms + ms};
}

/* Pending writes can be sealed now: the vector is the one at which they were made. */
static inline bool rj_space_can_cut(const struct rj_space *s)
{
    return s->contexts == NULL && s->may_seal && !s->writer.atomic;
}

/* Asks for a timer no later than at. */
static inline void rj_node_wake(struct rj_node *n, struct rj_mono at)
{
    if (at.ms < n->deadline.ms)
        n->deadline = at;
}

/* ---- node.c */
/* Adds a NOTE action: "event key=value ...". Lost when there is no memory. */
void rj_node_note(struct rj_node *n, enum rj_note_level level, enum rj_err err,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Remembers a final error and returns it. */
enum rj_err rj_node_die(struct rj_node *n, enum rj_err err, const char *why);
struct rj_session *rj_node_session(const struct rj_node *n, uint64_t peer); /* or NULL */
/* The commit after which all that is shown now (dirty: or was not collected) is on disk,
 * at every durability level; asks for it where needed. n->synced: it is already. */
uint64_t rj_node_sync(struct rj_node *n, bool dirty);

/* ---- space.c: life of a space, its records in the store */
enum rj_err rj_space_make(struct rj_node *n, struct rj_bytes genesis,
                          struct rj_bytes name, enum rj_durability durability,
                          struct rj_space **ret);
enum rj_err rj_space_load(struct rj_node *n, struct rj_view *view, uint32_t number,
                          struct rj_bytes meta);
/* Begins the space's part of this incarnation: opening record, and again what lay
 * unsealed. */
enum rj_err rj_space_open(struct rj_space *s);
void rj_space_free(struct rj_space *s);
/* Appends everything that changed to w. */
enum rj_err rj_space_collect(struct rj_space *s, struct rj_writes *w);
void rj_space_committed(struct rj_space *s, bool durable);
/* State of an origin, made when missing; NULL: no memory. */
struct rj_origin_state *rj_space_origin(struct rj_space *s, uint32_t origin);
enum rj_err rj_space_add_origin(struct rj_space *s, const struct rj_origin_id *id,
                                uint32_t *ret_index);
/* Recomputes why local writes are refused. */
void rj_space_set_refuse(struct rj_space *s);
/* Bytes of the batch at a position: cached or from the store into scratch. */
enum rj_err rj_space_batch_at(struct rj_space *s, uint64_t position,
                              struct rj_bytes *ret_bytes);
/* The same of what the store holds. */
enum rj_err rj_space_stored_batch(struct rj_space *s, uint64_t position,
                                  struct rj_bytes *ret_bytes);
void rj_space_truncate(struct rj_space *s);
/* Node-level records: devices, invitations, meta. */
enum rj_err rj_node_collect(struct rj_node *n, struct rj_writes *w);
enum rj_err rj_node_load(struct rj_node *n, struct rj_view *view);

/* ---- cut.c: own batches and heads */
/* Cuts the pending writes into one signed batch. Nothing to do: RJ_OK. */
enum rj_err rj_space_cut(struct rj_space *s);
/* The same for a node that takes over the state and is asked for it by a peer that has
 * all of what its ranges have: deps is then the join of all ranges. Else two nodes that
 * need each other's state would wait for each other, since unsealed writes cannot be
 * given. */
enum rj_err rj_space_cut_early(struct rj_space *s, const struct rj_vv *peer);
/* Applies the unsealed writes once more, if any of others came in since they were made.
 */
enum rj_err rj_space_overtaken(struct rj_space *s);
/* Makes, signs and logs a MEMBER batch of this node. */
enum rj_err rj_space_write_record(struct rj_space *s, const struct rj_record *rec);
/* Signs a head when what is durable changed; sends it to all links. */
enum rj_err rj_space_head(struct rj_space *s);

/* ---- deliver.c: foreign batches (R3) */
/* Takes a batch as it came from a session (0: from a transfer's META): parks it, applies
 * what can be. RJ_ECORRUPT etc.: the sender is at fault. */
enum rj_err rj_space_offer(struct rj_space *s, struct rj_bytes bytes,
                           struct rj_session *from);
/* Applies whatever of the parked can be applied now. */
enum rj_err rj_space_drain(struct rj_space *s);
/* Applies a MEMBER batch's record, whatever its place in the log (again is harmless). */
enum rj_err rj_space_note_member(struct rj_space *s, const struct rj_batch *b,
                                 struct rj_bytes bytes, uint32_t o);
/* That membership batch, or another with its dot, has been noted. */
bool rj_space_has_member_batch(const struct rj_space *s, const struct rj_batch *b,
                               uint32_t o);
/* Fingerprint of the merge rules of s. */
static inline uint64_t rj_space_rules(const struct rj_space *s)
{
    return RJ_BUCKET_RULES + (uint64_t)s->policy;
}

/* Adds a batch's deps to what is known of its author's past. RJ_ENOMEM. */
enum rj_err rj_space_note_past(struct rj_space *s, const struct rj_header *h, uint32_t o);
/* R8: the greatest sequence of a closed origin that may be merged. */
bool rj_space_allows(const struct rj_space *s, uint32_t origin, uint64_t last);
void rj_space_unpark_session(struct rj_space *s, uint64_t session);
/* Applies again, where the contexts lack them, the logged writes that S does not cover.
 */
enum rj_err rj_space_replay(struct rj_space *s, const struct rj_vv *S);
/* Appends to the log, moves vector and chain. bytes is copied. */
enum rj_err rj_space_log(struct rj_space *s, const struct rj_batch *b, uint32_t origin,
                         struct rj_bytes bytes);
/* R4: minimum of what the active incarnations are known to have, into v. */
enum rj_err rj_space_stable(const struct rj_space *s, struct rj_vv *v);
/* The same, but nothing while what some active origin has is still on its way here: who
 * writes what comes from now on has seen all of v. RJ_ENOMEM. */
enum rj_err rj_space_settled(const struct rj_space *s, struct rj_vv *v);
bool rj_space_is_active(const struct rj_space *s, uint32_t origin);
/* Sequence that the next batch of an origin begins with. */
uint64_t rj_space_next(const struct rj_space *s, uint32_t origin);
/* Applies the writes of a DATA batch of that origin to the state. have: the vector that
 * they may name; NULL: that was checked before. */
enum rj_err rj_space_apply_data(struct rj_space *s, const struct rj_batch *b, uint32_t o,
                                const struct rj_vv *have);
/* Cuts the runs that it goes on with, at the begin of its branch (R7). */
enum rj_err rj_space_cut_data(struct rj_space *s, const struct rj_batch *b, uint32_t o);

/* ---- fork.c (R7) */
/* The origin that a batch belongs to; RJ_ORIGIN_NONE: its incarnation is unknown.
 * RJ_EGAP: of a branch that is not known, or not known to be one. RJ_ECORRUPT. */
enum rj_err rj_fork_find(const struct rj_space *s, const struct rj_batch *b,
                         uint32_t *ret);
/* Makes the origin of the branch that b begins. RJ_EGAP: it begins none that is known;
 * RJ_EAUTH, RJ_ELIMIT, RJ_ENOMEM. */
enum rj_err rj_fork_begin(struct rj_space *s, const struct rj_batch *b, uint32_t *ret);
/* The same where the parent is known, and its end set. */
enum rj_err rj_fork_make(struct rj_space *s, const struct rj_batch *b, uint32_t parent,
                         uint32_t *ret);
/* What the author of a branch had told before the split holds in the branch, too. */
enum rj_err rj_fork_follow(struct rj_space *s, uint32_t branch);
/* `middle`, a branch of o, is what the branches go on from that o had before it. */
enum rj_err rj_fork_insert(struct rj_space *s, uint32_t o, uint32_t middle);
/* The header of origin o that ends at seq is here, and has that hash. */
bool rj_fork_has_hash(const struct rj_space *s, uint32_t o, uint64_t seq,
                      const uint8_t *hash);
/* The same, or what goes on behind it is here. */
bool rj_fork_goes_on(struct rj_space *s, uint32_t o, uint64_t seq, const uint8_t *hash);
/* By `of`, beyond its end, the author means that branch. RJ_ENOMEM. */
enum rj_err rj_fork_set_choice(struct rj_space *s, uint32_t author, uint32_t of,
                               uint32_t branch);
/* The origin that a dep means; RJ_ORIGIN_NONE: it is not here. author: whose earlier
 * batches may say it, or RJ_ORIGIN_NONE. */
uint32_t rj_fork_locate(const struct rj_space *s, const struct rj_dep *dep,
                        uint32_t author);
/* What this node has of origin o at that sequence is not what the dep tells. */
bool rj_fork_contradicts(const struct rj_space *s, uint32_t o, const struct rj_dep *dep);
bool rj_fork_differs(const struct rj_space *s, uint32_t o, uint64_t seq,
                     const uint8_t *hash);
/* A head of somebody who is not closed names the branch that b would begin. */
bool rj_fork_is_told(const struct rj_space *s, const struct rj_batch *b);
/* Notes which branches an author means from a batch on. RJ_ENOMEM. */
enum rj_err rj_fork_choose(struct rj_space *s, const struct rj_header *h,
                           uint32_t author);
/* Notes a branch, or a choice, that a holder of the state tells. RJ_EGAP: one of the two
 * has more of that origin, under the name from before a split. */
enum rj_err rj_fork_learn(struct rj_space *s, const struct rj_origin_id *id,
                          uint32_t parent, uint64_t start, const uint8_t *hash);
enum rj_err rj_fork_note_choice(struct rj_space *s, uint32_t author, uint32_t of,
                                uint32_t branch);
/* A peer that tells more of an incarnation than there was before its split does not know
 * of that: it is shown why. r: at the vector that it tells. */
void rj_fork_remind(struct rj_space *s, struct rj_session *ss, struct rj_reader r);
/* The same for one entry of its head. */
void rj_fork_answer(struct rj_space *s, struct rj_session *ss, const struct rj_dep *dep);
/* The begin of the hash of the header of origin o that ends at seq, NULL: not known.
 * Borrowed until the next step. */
const uint8_t *rj_fork_hash(const struct rj_space *s, uint32_t o, uint64_t seq);
/* Asks a peer for all of an incarnation. */
void rj_fork_ask(struct rj_space *s, struct rj_session *ss, uint32_t origin,
                 uint64_t seq);
/* A peer has another branch of an origin: no state is taken from it, and it is asked for
 * all of the incarnation. */
void rj_fork_doubt(struct rj_space *s, struct rj_session *ss, uint32_t origin,
                   uint64_t seq);
/* A batch in whose place the log has one already: if another one, a fork is found. */
enum rj_err rj_fork_check(struct rj_space *s, const struct rj_batch *b, uint32_t o,
                          struct rj_session *from);
/* Two headers with one predecessor, from a peer that has, up to `has`, what the last head
 * from here tells of that incarnation. RJ_ECORRUPT, RJ_EAUTH. */
enum rj_err rj_fork_on_proof(struct rj_space *s, struct rj_session *ss,
                             const struct rj_fork_proof *proof, uint64_t has);
/* Where a split cannot be cut, this node begins again as a joiner, as soon as a peer has
 * all that is here. RJ_ENOMEM. */
enum rj_err rj_fork_consider(struct rj_space *s);
/* A peer told this vector: nobody can have more of this incarnation than it wrote. True:
 * this one has. It is asked for what proves it; if that is not there any more, its word
 * counts, but not again and again. */
bool rj_fork_heard(struct rj_space *s, struct rj_session *ss, const struct rj_vv *told);
/* This incarnation goes on elsewhere, too: another one begins here. */
void rj_fork_cloned(struct rj_space *s);
/* Ends this instance once all is on disk: RJ_EFORK. The next has a new incarnation. */
void rj_node_renew(struct rj_node *n);
/* Devices of branches, once the membership is loaded. */
void rj_fork_inherit(struct rj_space *s);

/* Reports that the branch of a peer cannot be merged here. */
void rj_fork_report(struct rj_space *s, const struct rj_session *ss,
                    const struct rj_link *l);

/* ---- line.c (R7) */
/* Notes an entry of the log, or a header that was told, in the trail. RJ_ENOMEM. */
enum rj_err rj_line_keep(struct rj_space *s, uint32_t o, const struct rj_trail_point *p);
/* The first header of o that is known to end behind seq. False: none. */
bool rj_line_next(const struct rj_space *s, uint32_t o, uint64_t seq,
                  struct rj_trail_point *ret);
/* Tells where chains stand here that went on since that was told. RJ_ENOMEM. */
enum rj_err rj_line_put(struct rj_session *ss, struct rj_link *l);
/* A LINE, without its number of the space. RJ_EPROTO, RJ_ENOMEM. */
enum rj_err rj_line_heard(struct rj_session *ss, struct rj_link *l, struct rj_reader *r);
/* A peer tells where a chain stands, or a header of it. RJ_EGAP: it has another branch
 * than is here, or does not know of a split: no state flows between the two. */
enum rj_err rj_line_judge(struct rj_space *s, struct rj_session *ss,
                          const struct rj_dep *dep);
enum rj_err rj_line_judge_point(struct rj_space *s, struct rj_session *ss, uint32_t o,
                                const struct rj_trail_point *p);
/* Notes where a holder's chain stands, or a point of its trail; it counts once a part of
 * its state is taken. RJ_ENOMEM. */
enum rj_err rj_line_tell(struct rj_space *s, uint32_t o, uint64_t seq,
                         const struct rj_digest *hash);
enum rj_err rj_line_tell_point(struct rj_space *s, uint32_t o,
                               const struct rj_trail_point *p);
enum rj_err rj_line_adopt(struct rj_space *s);
void rj_line_forget_told(struct rj_space *s);
/* No state flows over this link any more; the peer is told. o: RJ_ORIGIN_NONE: any. */
void rj_line_part(struct rj_space *s, struct rj_session *ss, uint32_t o, uint64_t seq);
enum rj_err rj_line_on_apart(struct rj_node *n, struct rj_link *l, struct rj_reader *r);
/* Reports what no log has shown for a while. */
void rj_line_consider(struct rj_space *s);

/* ---- split.c (R7) */
/* At an open, origins and log being loaded: makes the branches of fresh splits, and puts
 * what is loaded so far under the names that hold now. */
enum rj_err rj_split_carry_out(struct rj_space *s);
/* How names of what is loaded after that are meant. Borrowed. */
struct rj_names rj_split_names(const struct rj_space *s);
/* A vector, too. RJ_ENOMEM. */
enum rj_err rj_split_vv(const struct rj_space *s, struct rj_vv *v);
/* What is loaded of state, log and vectors is forgotten. */
enum rj_err rj_split_forget(struct rj_space *s);
/* Once membership and state are loaded: cuts runs of increments, and pasts. */
enum rj_err rj_split_walk(struct rj_space *s);

/* ---- heads.c */
/* An origin became known: heads that came before may tell of it. A limit that was not
 * understood would hold back for ever what others have. */
enum rj_err rj_heads_read_again(struct rj_space *s);
/* Origins have other names now. */
enum rj_err rj_heads_read_anew(struct rj_space *s);
/* Takes a head (raw, signed); from NULL: an own one. RJ_EAUTH, RJ_ECORRUPT. */
enum rj_err rj_space_offer_head(struct rj_space *s, struct rj_bytes raw,
                                const uint8_t *sig, struct rj_session *from);

/* ---- rights.c */
/* The origin of a batch that is here or is judged: its branch, where that is known. */
uint32_t rj_space_origin_of(const struct rj_space *s, const struct rj_batch *b);
/* Whether a membership batch of origin o may say what it says: RJ_EDENIED when it removes
 * or demotes a device of no lower rank. Its author's past was noted before. */
enum rj_err rj_space_may_record(const struct rj_space *s, const struct rj_batch *b,
                                uint32_t o);

/* ---- relay.c */
enum {
    RJ_RELAY_ASK_MS = 1000
}; /* between two questions of one session; more are ignored */
void rj_relay_flush(struct rj_session *ss);
/* RELAY_ASK, RELAY. RJ_EPROTO, RJ_EIO. */
enum rj_err rj_relay_on_ask(struct rj_node *n, struct rj_session *ss,
                            struct rj_reader *r);
enum rj_err rj_relay_on_token(struct rj_node *n, struct rj_session *ss,
                              struct rj_reader *r);
/* Adds an action that needs nothing else. */
void rj_node_act(struct rj_node *n, const struct rj_action *a);

/* ---- cast.c */
/* A CAST, without its number of the space; l: its link, NULL: none. RJ_EPROTO. */
enum rj_err rj_cast_on_frame(struct rj_link *l, struct rj_reader *r);
/* Sends own messages. RJ_ENOMEM. */
enum rj_err rj_cast_flush(struct rj_space *s);
/* Adds the action that hands a message to the driver. */
void rj_node_tell_cast(struct rj_space *s, struct rj_bytes topic, struct rj_bytes text);

/* ---- session.c */
enum rj_err rj_session_up(struct rj_node *n, const struct rj_event *ev);
void rj_session_down(struct rj_node *n, uint64_t peer);
/* Ends a session after what was sent. */
void rj_session_close(struct rj_session *ss, enum rj_err err, struct rj_node *n,
                      const char *why);
void rj_session_free(struct rj_session *ss);
/* Ends the session of a stranger that wants nothing; a closed device is told so. */
enum rj_err rj_session_idle(struct rj_node *n, struct rj_session *ss);

/* ---- link.c */
/* A device of which any space of ours has a member record in force. */
bool rj_node_knows(const struct rj_node *n, const struct rj_digest *device);
/* Announces spaces that the peer belongs to and was not told of. */
enum rj_err rj_session_announce(struct rj_node *n, struct rj_session *ss);
/* Shows a closed device the records that closed it, and ends the session. */
enum rj_err rj_session_farewell(struct rj_node *n, struct rj_session *ss);
struct rj_link *rj_session_link(struct rj_session *ss, const struct rj_space *s);
void rj_session_forget_space(struct rj_session *ss, const struct rj_space *s);
/* The link of s, made when there is none. RJ_ENOMEM. */
enum rj_err rj_link_add(struct rj_session *ss, struct rj_space *s, struct rj_link **ret);
void rj_link_done(struct rj_link *l);
void rj_link_put_space(struct rj_session *ss, const struct rj_link *l);

/* ---- receive.c, hear.c */
enum rj_err rj_session_bytes(struct rj_node *n, struct rj_session *ss, struct rj_bytes b);
/* Acts on a whole frame of that type, as receive.c checked it: r stands behind the type;
 * whatever is not read was well-formed. */
enum rj_err rj_session_hear(struct rj_node *n, struct rj_session *ss, uint64_t type,
                            struct rj_reader *r);

/* ---- stream.c */
/* The peer tells its vector (SPACE, PULL): begin to stream from there. */
enum rj_err rj_link_begin(struct rj_node *n, struct rj_session *ss, struct rj_link *l);
/* Tells the peer our vector and asks it to begin there. */
void rj_link_pull(struct rj_session *ss, struct rj_link *l);
/* Sends what the credit allows; acknowledges. */
enum rj_err rj_session_pump(struct rj_node *n, struct rj_session *ss);

/* ---- transfer.c (R5) */
enum rj_err rj_transfer_consider(struct rj_space *s); /* begin, give up, go on */
enum rj_err rj_transfer_on_take(struct rj_node *n, struct rj_session *ss,
                                struct rj_link *l, struct rj_reader *r);
enum rj_err rj_transfer_on_give(struct rj_node *n, struct rj_session *ss,
                                struct rj_link *l, struct rj_reader *r);
void rj_transfer_stop(struct rj_space *s);
/* The request is the one under way, and that session is the holder's. */
bool rj_transfer_is_asked(const struct rj_space *s, const struct rj_session *ss,
                          uint64_t request);
void rj_transfer_busy(struct rj_space *s); /* the holder said so */
void rj_transfer_session_down(struct rj_space *s, uint64_t session);

/* ---- meta.c: what goes before parts of the state */
void rj_meta_put(struct rj_session *ss, struct rj_link *l, uint64_t request);
/* Where chains stand that went on since. */
void rj_meta_put_moved(struct rj_session *ss, struct rj_link *l, uint64_t request);
enum rj_err rj_meta_heard(struct rj_session *ss, struct rj_link *l, struct rj_reader *r);

/* ---- clock.c */
/* Looks at the clocks at the begin of a step. */
void rj_clock_step(struct rj_node *n);
/* The stamp of a write that is made now. */
uint64_t rj_clock_stamp(const struct rj_space *s);
/* Whether a batch with that stamp, offered by its own author, is refused here. */
bool rj_clock_refuses(struct rj_space *s, uint32_t origin, uint64_t stamp,
                      const struct rj_session *from);

/* ---- digest.c */
/* Values due before this are left out of sums that two nodes compare. */
uint64_t rj_sum_cutoff(struct rj_wall wall);
/* Hash of the announced vector, equal on all nodes with an equal one. */
uint64_t rj_space_vector_hash(const struct rj_space *s);
void rj_digest_pump(struct rj_node *n, struct rj_session *ss, struct rj_link *l);
void rj_digest_heard(struct rj_link *l, struct rj_reader *r, const char *peer);

/* ---- join.c */
enum rj_err rj_join_send(struct rj_node *n, struct rj_session *ss);
enum rj_err rj_join_on_join(struct rj_node *n, struct rj_session *ss,
                            struct rj_reader *r);
enum rj_err rj_join_on_welcome(struct rj_node *n, struct rj_session *ss,
                               struct rj_reader *r);

/* ---- peers.c */
struct rj_known_device *rj_device_find(struct rj_node *n, const struct rj_digest *device);
enum rj_err rj_device_add(struct rj_node *n, const struct rj_digest *device,
                          struct rj_known_device **ret);
enum rj_err rj_device_add_address(struct rj_node *n, struct rj_known_device *d,
                                  struct rj_bytes address, bool first);

#endif
