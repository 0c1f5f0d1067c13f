/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of respd share. */
#ifndef RJ_DAEMON_RESPD_INNER_H
#define RJ_DAEMON_RESPD_INNER_H

#include "base/map.h"
#include "base/prng.h"
#include "daemon/respd.h"
#include "face/resp.h"
#include "posix/conn.h"

enum { RJ_RESPD_MARKS_MAX = 65536 }; /* held pieces of one client */

/* A piece of output that waits for a commit: all up to end. */
struct rj_respd_mark {
    size_t end;
    uint64_t group;
};

/* One client: a connection, or a command from within (run). */
struct rj_respd_client {
    struct rj_map_node node;
    uint8_t key[8]; /* id, big-endian */
    uint64_t id;
    struct rj_respd *respd;
    struct rj_conn *conn; /* NULL: run is set */
    struct rj_respd_run *run;
    struct rj_resp *session;
    char bucket[RJ_NAME_MAX + 1]; /* chosen by AUTH; "": the default one */
    bool local;                   /* over loopback, or from within */
    bool inside;                  /* from within */
    bool whole;                   /* the bucket was seen not joining */

    /* Replies that wait for a commit. */
    struct rj_buf held;
    struct rj_respd_mark *marks;
    size_t n_marks, cap_marks;

    enum rj_resp_state state;
    bool eof;   /* the client sends no more: close when all is answered */
    bool ended; /* execute nothing more, close when everything was sent */

    /* WAIT under way. */
    bool waiting;
    struct rj_resp_wait wait;
    uint64_t wait_mark;
    struct rj_mono wait_until; /* UINT64_MAX: for ever */

    /* Messages came for it that were not handed to the connection yet; those that tell of
     * a write leave after commit push_group (0: at once). */
    bool pushed;
    uint64_t push_group;

    /* In the list of clients that want attention at the end of a turn. */
    bool listed;
    struct rj_respd_client *next, *prev;
};

/* Tells of changes in one bucket that come from elsewhere. */
struct rj_respd_watch {
    struct rj_bucket_watch watch; /* first */
    struct rj_respd *respd;
    struct rj_respd_watch *next;
    char name[RJ_NAME_MAX + 1];
};

struct rj_respd {
    struct rj_resp_host host; /* first */
    struct rj_prng prng;
    struct rj_respd_watch *watches; /* kept while the daemon runs */
    bool watching;
    struct rj_respd_options options;
    struct rj_engine *engine; /* NULL between two instances */
    struct rj_listener *listener, *tls_listener;
    struct rj_tls_ctx *tls; /* NULL: none */
    struct rj_timer *timer;
    struct rj_map clients;
    struct rj_respd_client *attention; /* held, waiting, full, ended */
    uint64_t last_id;
    uint64_t connections; /* accepted so far */
    struct rj_wall started;
    /* Spaces that hold all they should: there at the start, or seen whole since. */
    char (*whole)[RJ_NAME_MAX + 1];
    size_t n_whole;
};

extern const struct rj_resp_host_ops rj_respd_host_ops;

/* The space that a client works on; NULL: there is none (now). */
struct rj_space *rj_respd_space(struct rj_respd_client *c);
/* Notes that a space is whole. Lost when there is no memory: it is asked again. */
void rj_respd_note_whole(struct rj_respd *r, const char *name);
/* What a wait would be answered with now. *ret_done: it is fulfilled. */
struct rj_resp_acks rj_respd_acks(struct rj_respd_client *c, bool *ret_done);
/* Watches all buckets while somebody wants keyspace events, and none otherwise. */
void rj_respd_watch_all(struct rj_respd *r);
void rj_respd_watch_done(struct rj_respd *r);
/* Looks at the client when the turn ends. */
void rj_respd_list(struct rj_respd_client *c);
/* The lines of a section of INFO that only the daemon knows. */
void rj_respd_info(struct rj_respd *r, const char *section, struct rj_buf *out);

/* Callbacks of the connections of clients. */
extern const struct rj_conn_ops rj_respd_conn_ops;

#endif
