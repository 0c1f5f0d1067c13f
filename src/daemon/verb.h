/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of the control socket share: finding what the arguments name, words for
 * enums, describing spaces and devices. */
#ifndef RJ_DAEMON_VERB_H
#define RJ_DAEMON_VERB_H

#include "daemon/daemon.h"

enum {
    RJ_VERB_ID_LEN = 2 * RJ_DIGEST_LEN,
    RJ_VERB_SHORT_LEN = 8,
    RJ_VERB_NAMES_MAX = 1024
};

/* The node; NULL: there is none now, and the call was answered. */
struct rj_node *rj_verb_node(struct rj_call *c);
/* The space that argument "name" names; NULL: the call was answered (RJ_ENOENT,
 * RJ_EINVAL). */
struct rj_space *rj_verb_space(struct rj_call *c, struct rj_node *n);
/* The same for a bucket with the time of now. */
struct rj_bucket *rj_verb_bucket(struct rj_call *c, struct rj_node *n);
struct rj_now rj_verb_now(struct rj_call *c);

/* A text argument as a C string of at most size - 1 bytes; false: it is not there, is too
 * long or holds a NUL, and ret is "". */
bool rj_verb_text(struct rj_call *c, const char *key, char *ret, size_t size);
/* A text argument that must be there; false: the call was answered. */
bool rj_verb_need(struct rj_call *c, const char *key, struct rj_bytes *ret);

/* Words for enums, and back; RJ_EINVAL: there is no such word. */
const char *rj_verb_role_name(enum rj_role role);
RJ_NODISCARD enum rj_err rj_verb_role(const char *word, enum rj_role *ret);
const char *rj_verb_durability_name(enum rj_durability d);
RJ_NODISCARD enum rj_err rj_verb_durability(const char *word, enum rj_durability *ret);
const char *rj_verb_policy_name(enum rj_policy p);
RJ_NODISCARD enum rj_err rj_verb_policy(const char *word, enum rj_policy *ret);

/* 64 hexadecimal digits and a NUL. */
void rj_verb_id(const struct rj_digest *d, char ret[RJ_VERB_ID_LEN + 1]);

/* A device that is another member or a known peer. */
struct rj_verb_device {
    struct rj_digest device;
    char name[RJ_NAME_MAX + 1];
    bool member, connected, closed;
    uint64_t lag, lag_durable;           /* sums over spaces */
    uint64_t sent_bytes, received_bytes; /* of the present session */
    char spaces[2 * RJ_NAME_MAX];        /* names, comma-separated, cut when too long */
};

/* Gathers all other devices; the caller frees *ret. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_verb_devices(struct rj_node *n, struct rj_verb_device **ret,
                                         size_t *ret_n);
/* The one that argument "peer" names: a name or the first digits (>= 4) of an id. False:
 * none or several, and the call was answered. */
bool rj_verb_device(struct rj_call *c, struct rj_node *n, struct rj_verb_device *ret);

/* Answers that this device was closed in a space, and what lets it in again. */
enum rj_err rj_verb_removed(struct rj_call *c, const char *space);

/* Reaches the device through an ssh to host as well ("none": no longer). A host that is
 * none answers the call. */
enum rj_err rj_verb_set_pipe(struct rj_call *c, const struct rj_digest *device,
                             const char *host);
/* Answers with an empty map. */
enum rj_err rj_verb_done(struct rj_call *c);
/* Answers with what is in the call's document, once what clients did until now is durable
 * here where the space wants that before replies. */
enum rj_err rj_verb_done_after_commit(struct rj_call *c, struct rj_space *s);

#endif
