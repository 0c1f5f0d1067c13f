/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated world: whole nodes in one process, virtual time, one seed. Everything
 * that happens is decided by the world's random sequence and by nothing else, so that a
 * seed can be replayed; sim_mix() folds each event and each action into a hash that two
 * runs of one seed must share.
 *
 * Words: a host is a process that runs (or ran) one node on one disk; a device is a key
 * pair, which clones share; a link joins two hosts and carries connections; an op is one
 * write of a client. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/prng.h"

#include <rejoin/node.h>

enum {
    SIM_HOSTS_MAX = 12,
    SIM_CONNS_MAX = 96,
    SIM_SPACES_MAX = 2,
    SIM_PAST_MAX = 16, /* old segments that a nasty link may replay */
    SIM_SPLITS_MAX = 32,
    SIM_WHY_MAX = 600
};

#define SIM_NEVER    UINT64_MAX
#define SIM_EPOCH_MS ((uint64_t)1800000000000) /* wall clock at virtual time 0 */
#define SIM_YEAR_MS  ((uint64_t)365 * 24 * 3600 * 1000)

struct sim_world;

/* ---- env.c: hashes, signatures and randomness of one host */

struct sim_device {
    uint8_t secret[32];
    uint8_t pubkey[RJ_PUBKEY_LEN];
    struct rj_digest id;
};

struct sim_env {
    struct rj_env env;
    struct sim_world *world;
    size_t device;
    struct rj_prng random;
    struct rj_buf scratch;
    bool repeats;         /* the next incarnation is that of another process */
    uint64_t incarnation; /* ... this one */
};

/* ---- disk.c: when commits are carried out, and how they fail */

struct sim_disk {
    struct rj_store *store;
    const struct rj_writes *writes; /* the commit under way; NULL: none */
    uint64_t commit;
    bool durable;
    uint64_t write_at, done_at; /* when it is carried out, when the node hears of it */
    enum rj_err result;
    uint64_t safe;       /* highest commit of this instance that survives a crash */
    uint64_t done;       /* highest commit that the node was told of */
    uint32_t slow_ms;    /* a commit takes up to this */
    bool full;           /* no room */
    uint64_t room_since; /* when there was room again */
    bool fail_next;      /* the next commit ends with RJ_EIO */
    bool failing;        /* RJ_EIO was given: the instance must end */
    bool eio;            /* since the last open: the failed batch may survive */
};

/* ---- hosts (host.c) */

struct sim_host {
    bool used;
    size_t index, device;
    char name[8];
    struct sim_env env;
    struct sim_disk disk;
    struct rj_store *backup; /* an older copy of the store, or NULL */
    struct rj_node *node;    /* NULL: down */
    uint32_t instance;       /* number of opens */
    uint64_t boot_ms;
    int64_t skew_ms, drift_ppm;
    uint64_t timer_at, flush_at, open_at; /* virtual times; SIM_NEVER: not */
    uint64_t crash_in;                    /* crash after so many actions; 0: not */
    char note[128];                       /* the last one */
    uint64_t casts;                       /* messages heard */
    bool stopped;                         /* stays down, also through healing */
    bool forked;        /* another process goes on under its incarnation */
    bool reader;        /* joined with role reader */
    bool outsider;      /* not expected to agree (closed device, stranger) */
    bool expect_errors; /* its sessions may end with protocol errors */
};

/* ---- network (net.c) */

struct sim_segment {
    struct sim_segment *next;
    uint64_t at;
    size_t len, off;
    uint8_t data[];
};

struct sim_pipe {
    struct sim_segment *head, *tail;
    uint64_t last_at;
    size_t bytes;
    bool owes_drained;
};

struct sim_conn {
    bool used;
    size_t host[2];   /* [0] dialled */
    uint64_t peer[2]; /* the number that each side knows it by */
    bool known[2];    /* PEER_UP was told and PEER_DOWN was not */
    bool closing[2];  /* that side asked to close it */
    bool broken;
    uint64_t since, up_at[2], down_at[2];
    struct sim_pipe pipe[2]; /* [i]: written by side i */
    uint8_t binding[32];
};

struct sim_link {
    bool up;
    bool stalled[2]; /* [0]: from the lower host to the higher one */
    uint32_t latency_ms, jitter_ms;
    uint32_t nasty_ppm; /* chance that a delivery is damaged or a replay */
    uint64_t dial_at;
    uint32_t backoff_ms; /* grows while connections end at once */
};

struct sim_past {
    uint8_t *ptr;
    size_t len;
};

/* ---- the world */

struct sim_stats {
    uint64_t events, ops, refused, sent_bytes, faults, crashes, stranded, apart, beyond,
        parked_peak;
};

struct sim_ops;

/* An origin that goes on twice behind seq. */
struct sim_split {
    size_t space;
    uint8_t origin[16];
    uint64_t seq;
};

struct sim_world {
    uint64_t seed;
    struct rj_prng rng;
    uint64_t now_ms;
    uint64_t hash;
    bool verbose, failed;
    char why[SIM_WHY_MAX];
    struct sim_device devices[SIM_HOSTS_MAX];
    size_t devices_n;
    struct sim_host hosts[SIM_HOSTS_MAX];
    size_t hosts_n;
    struct sim_conn conns[SIM_CONNS_MAX];
    struct sim_link links[SIM_HOSTS_MAX][SIM_HOSTS_MAX]; /* [lower][higher] */
    struct sim_past past[SIM_PAST_MAX];
    size_t past_n;
    uint64_t next_peer;
    struct rj_limits limits;
    enum rj_durability durability;
    bool tidy;             /* no random order, no odd cuts: for named scenarios */
    bool nasty;            /* protocol errors are expected on nasty links */
    bool forks;            /* random histories: machines are copied with their memory */
    enum rj_policy policy; /* of the spaces */
    bool wild_clocks;
    bool rolled_back, cloned, revoked, forked;
    struct sim_split splits[SIM_SPLITS_MAX]; /* where machines were copied */
    size_t splits_n;
    uint64_t took_ms[SIM_SPACES_MAX]; /* when somebody was last taking over the state */
    size_t revokes; /* devices that were closed, again and again counted */
    struct rj_buf scratch;
    const char *watch; /* "HOST SPACE KEY", or NULL */
    struct rj_buf watched;
    struct sim_ops *ops; /* clients.c */
    struct sim_stats stats;
};

/* A world of that seed without hosts. Never NULL (out of memory ends the program). */
struct sim_world *sim_world_new(uint64_t seed, bool verbose);
void sim_world_free(struct sim_world *w);

/* Notes the first failure; the run ends soon after. */
void sim_fail(struct sim_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One line of trace when the world is verbose. */
void sim_log(struct sim_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Folds a number, or bytes, into the hash of the trace. */
void sim_mix(struct sim_world *w, uint64_t v);
void sim_mix_bytes(struct sim_world *w, struct rj_bytes b);

uint64_t sim_below(struct sim_world *w, uint64_t n);
bool sim_chance(struct sim_world *w, uint64_t num, uint64_t den);

/* Lets everything happen that is due within the next ms milliseconds of virtual time. */
void sim_run(struct sim_world *w, uint64_t ms);
/* The same until done(w, arg), at most ms. True iff done. */
bool sim_run_until(struct sim_world *w, uint64_t ms,
                   bool (*done)(struct sim_world *w, void *arg), void *arg);
/* Time passes and nobody runs (a machine that sleeps). */
void sim_skip(struct sim_world *w, uint64_t ms);

/* ---- env.c */
size_t sim_device_new(struct sim_world *w);
void sim_env_init(struct sim_env *e, struct sim_world *w, size_t device, uint64_t seed);
void sim_env_done(struct sim_env *e);
/* 32 bytes under a domain: bindings, secrets. */
void sim_hash(struct rj_buf *scratch, const char *domain, struct rj_bytes b,
              uint8_t ret[32]);

/* ---- host.c */

/* A new machine with a new device and an empty disk; opened at once. */
struct sim_host *sim_host_new(struct sim_world *w);
/* A second machine with the device and the disk of another as they are at this moment
 * (as after a crash). Opened at once; no link to the original. */
struct sim_host *sim_host_clone(struct sim_world *w, struct sim_host *from);
/* The same of a machine with its memory: both go on under one incarnation. */
struct sim_host *sim_host_fork(struct sim_world *w, struct sim_host *from);
/* Some log does not reach back to a split that its node does not know of. */
bool sim_splits_beyond(struct sim_world *w);
void sim_host_open(struct sim_world *w, struct sim_host *h);
/* The process ends here and now; the disk loses what it may lose. */
void sim_host_crash(struct sim_world *w, struct sim_host *h);
/* Keeps a copy of the disk; puts it back (the host is crashed and opened again). */
void sim_host_backup(struct sim_world *w, struct sim_host *h);
void sim_host_rollback(struct sim_world *w, struct sim_host *h);
void sim_host_free(struct sim_world *w, struct sim_host *h);
struct rj_now sim_now(const struct sim_world *w, const struct sim_host *h);
/* One event for a host that is up, and what it asks for. */
void sim_host_event(struct sim_world *w, struct sim_host *h, struct rj_event ev);
void sim_host_flush(struct sim_world *w, struct sim_host *h);
/* The space of a host by index ("s0"..), NULL: it has none (or is down). */
struct rj_space *sim_space(struct sim_host *h, size_t space);
struct rj_bucket *sim_bucket(struct sim_world *w, struct sim_host *h, size_t space);
/* Genesis at h. */
void sim_space_add(struct sim_world *w, struct sim_host *h, size_t space);
/* Invitation from one, join by the other; they must be linked. Runs the world until it is
 * done. False (and no failure noted) when it was refused or did not end. */
bool sim_join(struct sim_world *w, struct sim_host *inviter, struct sim_host *h,
              enum rj_role role);
const struct rj_digest *sim_device_id(const struct sim_world *w,
                                      const struct sim_host *h);

/* ---- disk.c */
void sim_disk_init(struct sim_world *w, struct sim_disk *d, struct rj_store *store);
void sim_disk_done(struct sim_disk *d);
void sim_disk_commit(struct sim_world *w, struct sim_host *h, const struct rj_action *a);
void sim_disk_write(struct sim_world *w, struct sim_host *h);  /* write_at came */
void sim_disk_report(struct sim_world *w, struct sim_host *h); /* done_at came */
void sim_disk_crash(struct sim_world *w, struct sim_host *h);
/* Copy of what the disk holds; as a crash now would leave it when `crashed`. */
struct rj_store *sim_disk_copy(struct sim_world *w, struct sim_host *h, bool crashed);
void sim_disk_full(struct sim_world *w, struct sim_host *h, bool full);
/* True while errors of the node are our own doing. */
bool sim_disk_excuses(const struct sim_host *h, enum rj_err err);

/* ---- net.c */
struct sim_link *sim_link(struct sim_world *w, size_t a, size_t b);
bool *sim_stall(struct sim_world *w, size_t from, size_t to);
void sim_link_set(struct sim_world *w, const struct sim_host *a, const struct sim_host *b,
                  bool up);
void sim_links_all(struct sim_world *w, bool up); /* between different devices */
void sim_net_dial(struct sim_world *w, size_t a, size_t b);
void sim_net_up(struct sim_world *w, size_t conn, size_t side);
void sim_net_down(struct sim_world *w, size_t conn, size_t side);
void sim_net_deliver(struct sim_world *w, size_t conn, size_t to);
void sim_net_send(struct sim_world *w, struct sim_host *h, uint64_t peer,
                  struct rj_bytes bytes);
void sim_net_close(struct sim_world *w, struct sim_host *h, uint64_t peer);
/* Breaks one connection: what is in flight is lost in part. */
void sim_net_break(struct sim_world *w, size_t conn);
void sim_net_host_gone(struct sim_world *w, size_t host);
/* The host at the other end; NULL: no such connection. */
struct sim_host *sim_net_other(struct sim_world *w, const struct sim_host *h,
                               uint64_t peer);
bool sim_net_between(const struct sim_world *w, size_t a, size_t b);
/* True while conn can carry something from its other side to `to`. */
bool sim_net_flows(struct sim_world *w, const struct sim_conn *c, size_t to);
void sim_net_done(struct sim_world *w);

#endif
