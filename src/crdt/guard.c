/* SPDX-License-Identifier: Apache-2.0 */
/* Names the row that two sides keep exchanging. Replicas that obey the rules come to
 * rest: a row goes to a peer once, and comes back at most because nobody knew that it was
 * there. So each row is counted by how often it changed its direction; a row that does so
 * again and again, under one dot, is a defect of a peer or of a relay. Sequences are
 * counted by runs of dots. Rows are remembered by a hash, one in each slot, as long as it
 * goes round or the slot is not wanted. */
#include "base/hash.h"
#include "crdt/code.h"

enum { SLOTS = 1024, TURNS_MAX = UINT16_MAX };
/* The golden ratio: spreads what counts up. */
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

struct slot {
    uint64_t row;  /* hash of its dot */
    uint32_t note; /* when it last passed; 0: never */
    uint16_t turns;
    bool sent;
};

struct rj_crdt_guard {
    const struct rj_allocator *allocator;
    unsigned most;
    uint32_t note;
    struct rj_crdt *lent; /* a view of bytes, of which a row is lent out; NULL: of none */
    struct rj_buf bytes;
    struct slot slots[SLOTS];
};

enum rj_err rj_crdt_guard_new(const struct rj_allocator *allocator, unsigned most,
                              struct rj_crdt_guard **ret_guard)
{
    struct rj_crdt_guard *g;

    if (most >= TURNS_MAX)
        return RJ_EINVAL;
    g = rj_mem_new(allocator, sizeof(*g));
    if (g == NULL)
        return RJ_ENOMEM;
    *g = (struct rj_crdt_guard){
        .allocator = allocator, .most = most, .bytes.allocator = allocator};
    *ret_guard = g;
    return RJ_OK;
}

static void take_back(struct rj_crdt_guard *g)
{
    rj_crdt_free(g->lent);
    g->lent = NULL;
    rj_buf_done(&g->bytes);
}

void rj_crdt_guard_free(struct rj_crdt_guard *g)
{
    if (g == NULL)
        return;
    take_back(g);
    rj_mem_free(g->allocator, g, sizeof(*g));
}

/* Nothing of a loop that a row were part of has passed for a while. */
static bool is_idle(const struct rj_crdt_guard *g, const struct slot *slot)
{
    return slot->note == 0 || g->note - slot->note > 2 * (g->most + 2);
}

/* A row goes one way. RJ_EPROTO: it has changed its way too often. */
static enum rj_err pass(struct rj_crdt_guard *g, uint64_t row, bool sent)
{
    struct slot *slot = &g->slots[row % SLOTS];

    if (slot->note == 0 || (slot->row != row && is_idle(g, slot)))
        *slot = (struct slot){.row = row, .sent = sent};
    if (slot->row != row)
        return RJ_OK;
    slot->note = g->note;
    if (slot->sent != sent && slot->turns < TURNS_MAX)
        slot->turns++;
    slot->sent = sent;
    return slot->turns > g->most ? RJ_EPROTO : RJ_OK;
}

/* Each row, or run. RJ_EPROTO: *ret_dot names the one. */
static enum rj_err pass_all(struct rj_crdt_guard *g, const struct rj_crdt *noted,
                            bool sent, struct rj_dot *ret_dot)
{
    bool is_rows = noted->type->elements == NULL && !noted->type->bare;
    struct rj_rows_told r = rj_rows_told_of(noted);
    struct rj_dots_walk w = rj_dots_walk_of(&noted->seen);
    struct rj_told told = {.dot = {0}};
    struct rj_bytes name;
    struct rj_span span;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK &&
           (is_rows ? rj_rows_told_next(&r, &told) : rj_dots_next(&w, &span))) {
        if (!is_rows)
            told.dot = (struct rj_dot){span.from, span.origin};
        name = rj_roster_get(noted->names, told.dot.origin);
        err = pass(g, rj_hash_64(&noted->names->key, name) + told.dot.seq * SPREAD, sent);
    }
    *ret_dot = told.dot;
    return err;
}

/* Lends out a row of a copy of delta. */
static enum rj_err lend(struct rj_crdt_guard *g, const struct rj_crdt *v,
                        struct rj_bytes delta, struct rj_dot dot,
                        struct rj_crdt_row *ret_row)
{
    struct rj_rows_told r;
    struct rj_told told;
    enum rj_err err;

    rj_buf_append(&g->bytes, delta);
    err = rj_buf_err(&g->bytes);
    if (err == RJ_OK)
        err = rj_code_view(v, rj_buf_view(&g->bytes), &g->lent);
    if (err != RJ_OK)
        return err;
    *ret_row = (struct rj_crdt_row){.replica = rj_roster_get(g->lent->names, dot.origin),
                                    .seq = dot.seq};
    r = rj_rows_told_of(g->lent);
    while (rj_rows_told_next(&r, &told)) {
        if (told.dot.origin == dot.origin && told.dot.seq == dot.seq)
            *ret_row = rj_read_row(g->lent, &told);
    }
    return RJ_EPROTO;
}

enum rj_err rj_crdt_guard_note(struct rj_crdt_guard *g, const struct rj_crdt *v,
                               struct rj_bytes delta, bool sent,
                               struct rj_crdt_row *ret_row)
{
    struct rj_crdt *noted = NULL;
    struct rj_dot dot = {0};
    enum rj_err err = rj_code_view(v, delta, &noted);

    take_back(g);
    if (err != RJ_OK)
        return err;
    if (++g->note == 0) /* 0 is never */
        g->note = 1;
    err = pass_all(g, noted, sent, &dot);
    rj_crdt_free(noted);
    return err == RJ_EPROTO ? lend(g, v, delta, dot, ret_row) : err;
}
