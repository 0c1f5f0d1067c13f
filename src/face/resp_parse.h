/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the Redis protocol, cut anywhere: arrays of bulk strings, and inline
 * commands as a person types them. Arguments are borrowed from the input, not copied. */
#ifndef RJ_FACE_RESP_PARSE_H
#define RJ_FACE_RESP_PARSE_H

#include "base/buf.h"

#include <rejoin/bucket.h>

enum {
    RJ_RESP_ARGS_MAX = 1024 * 1024,         /* arguments of one command */
    RJ_RESP_BULK_MAX = 2 * RJ_VALUE_MAX,    /* bytes of one argument */
    RJ_RESP_COMMAND_MAX = 64 * 1024 * 1024, /* bytes of one command on the wire */
    RJ_RESP_INLINE_MAX = 64 * 1024,         /* bytes of an inline command, of a length */
    RJ_RESP_STRANGER_ARGS_MAX = 10,         /* before AUTH */
    RJ_RESP_STRANGER_BULK_MAX = 16 * 1024,  /* before AUTH */
    RJ_RESP_ARGS_KEEP = 1024                /* argument slots kept between commands */
};

struct rj_resp_slot;

/* Zero-initialise; end with rj_resp_parse_done. */
struct rj_resp_parse {
    /* The command that was read: valid after RJ_RESP_PARSED, borrowed from the input (an
     * inline command: from the parser) until the next call. */
    struct rj_bytes *argv;
    size_t argc;
    bool stranger;  /* set by the owner: the tight limits hold */
    char error[96]; /* after RJ_RESP_BROKEN: "Protocol error: ..." */
    /* private */
    struct rj_resp_slot *slots; /* arguments as offsets, for the input may move */
    size_t cap;                 /* of argv and slots */
    size_t want;                /* arguments of the array under way; 0: none is */
    size_t pos;                 /* what is read of the command under way */
    size_t scanned;             /* up to here no end of line was found */
    size_t bulk_len;
    bool in_bulk;
    struct rj_buf unquoted; /* arguments of an inline command */
};

enum rj_resp_parsed {
    RJ_RESP_MORE,   /* the command is not complete */
    RJ_RESP_PARSED, /* one command; argc may be 0: nothing to do */
    RJ_RESP_BROKEN, /* error says why; the connection must be closed */
    RJ_RESP_NOMEM   /* no memory for the arguments; the connection must be closed */
};

/* Reads the command at the start of in. After RJ_RESP_PARSED *ret_used is its length and
 * the next call begins behind it. After RJ_RESP_MORE the next call must see the same
 * bytes again, wherever they lie by then, and more behind them; nothing is read twice. */
enum rj_resp_parsed rj_resp_parse_next(struct rj_resp_parse *p, struct rj_bytes in,
                                       size_t *ret_used);
/* Gives back memory that an unusually large command took. Between commands only. */
void rj_resp_parse_trim(struct rj_resp_parse *p);
void rj_resp_parse_done(struct rj_resp_parse *p);

#endif
