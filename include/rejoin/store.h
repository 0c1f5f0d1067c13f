/* SPDX-License-Identifier: Apache-2.0 */
/* Ordered keys and values on disk or in memory: atomic batches, read snapshots, both
 * directions. Keys are 1..RJ_STORE_KEY_MAX bytes and ordered as unsigned bytes, shorter
 * first. A store verifies a checksum for each value that it returns (RJ_ECORRUPT).
 * One thread writes at a time; views may be read by other threads while it writes. */
#ifndef REJOIN_STORE_H
#define REJOIN_STORE_H

#include <rejoin/bytes.h>
#include <rejoin/error.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { RJ_STORE_KEY_MAX = 1 << 20 };         /* 1 MiB */
#define RJ_STORE_VALUE_MAX ((size_t)1 << 30) /* 1 GiB */

/* An atomic batch in the order in which it was made: put, delete, delete a range. One
 * flat buffer, so that it can be handed to a worker thread whole. Later entries win.
 * Zero-initialise. Format: repeated { u8 kind, u32 key length, u32 value length, key,
 * value } in host order; it never leaves the process. */
struct rj_writes {
    uint8_t *buf;
    size_t len, cap;
    size_t count;
    bool failed; /* sticky: out of memory while building, or an entry too large */
};

enum rj_write_kind { RJ_WRITE_PUT = 1, RJ_WRITE_DELETE = 2, RJ_WRITE_DELETE_RANGE = 3 };

struct rj_write {
    enum rj_write_kind kind;
    struct rj_bytes key;   /* RANGE: first key of the range */
    struct rj_bytes value; /* PUT: the value. RANGE: first key after the range */
};

/* Each appends one entry; what it is given is copied. Want of memory sets w->failed,
 * after which they do nothing and a store refuses the batch with RJ_ENOMEM. A delete of
 * what is not there changes nothing. A range: from <= key < to. */
RJ_API void rj_writes_put(struct rj_writes *w, struct rj_bytes key,
                          struct rj_bytes value);
RJ_API void rj_writes_delete(struct rj_writes *w, struct rj_bytes key);
RJ_API void rj_writes_delete_range(struct rj_writes *w, struct rj_bytes from,
                                   struct rj_bytes to);
/* Walks a batch. *pos starts at 0. False at the end. The views borrow from w. */
RJ_API bool rj_writes_next(const struct rj_writes *w, size_t *pos, struct rj_write *ret);
RJ_API void rj_writes_clear(struct rj_writes *w); /* empties, keeps the memory */
RJ_API void rj_writes_done(struct rj_writes *w);  /* frees the memory */

struct rj_store;
struct rj_view; /* a read snapshot; each implementation embeds it */

/* Which neighbour a seek asks for. */
enum rj_seek {
    RJ_SEEK_EQ, /* the key itself */
    RJ_SEEK_GE, /* the first key >= the given one */
    RJ_SEEK_GT, /* the first key > the given one */
    RJ_SEEK_LT  /* the last key < the given one; an empty key means the very last */
};

struct rj_store_ops {
    /* Applies the whole batch or nothing. durable: on return it survives a crash, and so
     * does every batch before it. RJ_EFULL: nothing changed, try again when there is
     * room. RJ_EINVAL: an empty key; RJ_ELIMIT: a key or value too large; RJ_ENOMEM: also
     * when w->failed. RJ_EIO: the instance is finished (a failed fsync is final); close,
     * reopen. RJ_ECORRUPT: what must be read for it is damaged; nothing changed. */
    enum rj_err (*write)(struct rj_store *s, const struct rj_writes *w, bool durable);
    /* Makes every batch so far durable. RJ_EIO is final, as above. */
    enum rj_err (*sync)(struct rj_store *s);
    /* A snapshot of what is written now; unaffected by later writes. RJ_EBUSY: too many
     * are open; RJ_EIO: finished, as above; RJ_ENOMEM. */
    enum rj_err (*view_open)(struct rj_store *s, struct rj_view **ret_view);
    /* Finds a record. Both views are borrowed until the next seek or view_close on this
     * view. RJ_ENOENT: none. RJ_ECORRUPT: its checksum does not match. */
    enum rj_err (*seek)(struct rj_view *v, enum rj_seek how, struct rj_bytes key,
                        struct rj_bytes *ret_key, struct rj_bytes *ret_value);
    void (*view_close)(struct rj_view *v); /* NULL is accepted */
    /* Bytes that can still be written, a low estimate; UINT64_MAX: unlimited. RJ_EIO. */
    enum rj_err (*room)(struct rj_store *s, uint64_t *ret_bytes);
    void (*close)(struct rj_store *s); /* frees; NULL is accepted */
};

/* First member of each implementation. */
struct rj_store {
    const struct rj_store_ops *ops;
    char why[200]; /* detail of the last error, for people */
};

/* A store in memory, for tests, the simulator and buckets that need not survive. The
 * caller ends it with ops->close. RJ_ENOMEM. */
RJ_NODISCARD RJ_API enum rj_err rj_store_memory_open(struct rj_store **ret_store);

/* LMDB in directory path (made when missing, mode 0700). size_max_bytes: most that the
 * file may grow to (0: a default that follows the disk). RJ_EVERSION: it has another
 * format and was left as it is, why says who wrote it. RJ_EBUSY: it is open already, here
 * or in another process. RJ_ECORRUPT: damaged, or no store of ours. RJ_ENOENT: no
 * directory to make it in. RJ_EDENIED, RJ_EIO, RJ_EFULL, RJ_ENOMEM. Detail in why (at
 * most why_len bytes, may be NULL). The caller ends it with ops->close. */
RJ_NODISCARD RJ_API enum rj_err rj_store_lmdb_open(const char *path,
                                                   uint64_t size_max_bytes, char *why,
                                                   size_t why_len,
                                                   struct rj_store **ret_store);

#ifdef __cplusplus
}
#endif
#endif
