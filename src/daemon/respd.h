/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the Redis protocol: the sockets, bucket choice, tokens and waiting around
 * face/resp.h. A client works on one bucket, named by the user part of AUTH; without AUTH
 * it is the one of resp.bucket, or the first one.
 *
 * Who may in: the default bucket is open to connections over loopback. Any other bucket,
 * and any connection from elsewhere, needs the bucket's token; a bucket that has none is
 * open over loopback alone. With resp.open = no loopback is like elsewhere.
 *
 * When a space is durable `always`, replies to writes (and what follows them on that
 * connection) are held until the commit that covers the writes is done. */
#ifndef RJ_DAEMON_RESPD_H
#define RJ_DAEMON_RESPD_H

#include "daemon/config.h"
#include "driver/engine.h"
#include "driver/peers.h"
#include "face/resp.h"

struct rj_respd;

struct rj_respd_options {
    struct rj_loop *loop;
    struct rj_logger *log;
    const struct rj_config *config;
    const struct rj_peers *peers;
    const char *listen_host;
    const char *data_dir;
    uint16_t port;      /* 0: no listener, `bucket run` alone */
    uint16_t tls_port;  /* the same over TLS; 0: none */
    int listen_fd;      /* inherited, listens at port; 0: none */
    uint16_t port_peer; /* for INFO */
};

/* Options are copied, what they point at is borrowed. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_respd_new(const struct rj_respd_options *options,
                                      struct rj_respd **ret_respd);
/* RJ_EBUSY, RJ_EINVAL, RJ_EDENIED as rj_listener_tcp. */
RJ_NODISCARD enum rj_err rj_respd_listen(struct rj_respd *r);
/* Over TLS, where tls_port is set. RJ_EINVAL also: a certificate or key cannot be used;
 * detail in why. Otherwise as above. */
RJ_NODISCARD enum rj_err rj_respd_listen_tls(struct rj_respd *r, char *why,
                                             size_t why_len);
void rj_respd_begin(struct rj_respd *r, struct rj_engine *e); /* a new instance */
/* The instance has ended: clients that are owed a reply are cut, others are told to try
 * again. */
void rj_respd_end(struct rj_respd *r);
void rj_respd_stop(struct rj_respd *r); /* accepts nobody any more */
void rj_respd_free(struct rj_respd *r); /* after the loop; NULL is accepted */

/* The two halves of a turn's end, around rj_engine_flush: waits that are over go on; then
 * replies whose commit is done leave. */
void rj_respd_before_flush(struct rj_respd *r);
void rj_respd_after_flush(struct rj_respd *r);

/* A space was removed here. */
void rj_respd_forget(struct rj_respd *r, const char *name);
/* Name of the default bucket, "" when there is none. Borrowed until the next turn. */
const char *rj_respd_default(const struct rj_respd *r);

/* Another node has published this: brings it to those who listen here. */
void rj_respd_deliver(struct rj_respd *r, const struct rj_resp_message *m);
/* The same as the space brings it. */
void rj_respd_on_cast(struct rj_respd *r, struct rj_space *s, struct rj_bytes topic,
                      struct rj_bytes text);
/* A key was written here by other means than a client: tells those who want to hear. */
void rj_respd_event(struct rj_respd *r, const struct rj_resp_event *e);

/* ---- one command from within the daemon (`bucket run`) */

struct rj_respd_run;

struct rj_respd_run_ops {
    void (*output)(void *ctx, struct rj_bytes resp); /* a piece of the reply */
    /* All of it was given. RJ_OK, or RJ_ECLOSED: the instance ended. Afterwards only
     * rj_respd_run_free, not from within. */
    void (*done)(void *ctx, enum rj_err err);
};

struct rj_respd_run_options {
    const struct rj_respd_run_ops *ops;
    void *ctx;
    struct rj_bytes bucket;  /* its name */
    struct rj_bytes command; /* as a client sends it */
};

/* Begins; callbacks come later, from the turn's end. RJ_ENOENT: no such bucket. */
RJ_NODISCARD enum rj_err rj_respd_run_new(struct rj_respd *r,
                                          const struct rj_respd_run_options *options,
                                          struct rj_respd_run **ret_run);
void rj_respd_run_free(struct rj_respd_run *run); /* NULL is accepted */

#endif
