/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of errors: code, text, exit status of the command line. */
#ifndef REJOIN_ERROR_H
#define REJOIN_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define RJ_API       __attribute__((visibility("default")))
#define RJ_NODISCARD __attribute__((warn_unused_result))
#else
#define RJ_API
#define RJ_NODISCARD
#endif

/* X(name, text, exit status). A code names what a caller can act on. */
#define RJ_ERRORS(X)                                                                     \
    X(OK, "done", 0)                                                                     \
    X(ENOMEM, "out of memory", 1)                                                        \
    X(EINVAL, "invalid argument", 2)                                                     \
    X(ENOENT, "no such thing", 4)                                                        \
    X(EEXIST, "exists already", 5)                                                       \
    X(ETYPE, "the key holds another type", 1)                                            \
    X(ERANGE, "not an integer or out of range", 1)                                       \
    X(ELIMIT, "larger than a named limit", 1)                                            \
    X(ECORRUPT, "stored data is damaged", 11)                                            \
    X(EPROTO, "the peer broke the protocol", 1)                                          \
    X(EVERSION, "unknown version or format", 1)                                          \
    X(EUPGRADE, "the peer uses a merge rule that this node lacks", 1)                    \
    X(ECLOCK, "the clock is too far from the clocks of the peers", 1)                    \
    X(EDENIED, "not permitted", 9)                                                       \
    X(EAUTH, "not trusted: key, signature or ticket does not match", 9)                  \
    X(ECLOSED, "this incarnation or device was closed", 9)                               \
    X(EFORK, "one origin continued twice from one header", 11)                           \
    X(EGAP, "a predecessor is missing", 1)                                               \
    X(EFULL, "no room left on the disk", 1)                                              \
    X(EIO, "the disk or the system failed", 1)                                           \
    X(EBUSY, "busy, try again", 1)                                                       \
    X(EJOINING, "this node is still taking over the state", 8)                           \
    X(EREADONLY, "read-only here", 6)                                                    \
    X(EUNREACH, "peer unreachable", 7)                                                   \
    X(ETIMEOUT, "timed out", 8)                                                          \
    X(ENODAEMON, "the daemon is not running", 10)                                        \
    X(ECANCELED, "cancelled", 130)

enum rj_err {
#define RJ_X(name, text, status) RJ_##name,
    RJ_ERRORS(RJ_X)
#undef RJ_X
        RJ_ERR_COUNT
};

/* The text of an error, static, never NULL (also for unknown codes). */
RJ_API const char *rj_err_text(enum rj_err err);
/* Its name without prefix, for logs and JSON: "ECORRUPT". Static, never NULL. */
RJ_API const char *rj_err_name(enum rj_err err);
/* The exit status of the command line for it (INTERFACE: 0 done .. 11 integrity). */
RJ_API int rj_err_exit(enum rj_err err);

#ifdef __cplusplus
}
#endif
#endif
