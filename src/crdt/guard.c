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
    struct rj_crdt *last; /* what was noted last: its row is lent out */
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
    *g = (struct rj_crdt_guard){.allocator = allocator, .most = most};
    *ret_guard = g;
    return RJ_OK;
}

void rj_crdt_guard_free(struct rj_crdt_guard *g)
{
    if (g == NULL)
        return;
    rj_crdt_free(g->last);
    rj_mem_free(g->allocator, g, sizeof(*g));
}

/* Nothing of a loop that a row were part of has passed for a while. */
static bool is_idle(const struct rj_crdt_guard *g, const struct slot *slot)
{
    return slot->note == 0 || g->note - slot->note > 2 * (g->most + 2);
}

/* A row goes one way. RJ_EPROTO: it has changed its way too often. */
static enum rj_err pass(struct rj_crdt_guard *g, struct rj_bytes name, uint64_t seq,
                        bool sent)
{
    uint64_t row = rj_hash_64(&g->last->names->key, name) + seq * SPREAD;
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

static enum rj_err pass_rows(struct rj_crdt_guard *g, bool sent,
                             struct rj_crdt_row *ret_row)
{
    const struct rj_row *row = rj_rows_from(&g->last->rows, (struct rj_dot){0});
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && row != NULL; row = rj_rows_after(&g->last->rows, row)) {
        struct rj_told told = rj_row_tell(row);
        struct rj_crdt_row what = rj_read_row(g->last, &told);

        err = pass(g, what.replica, what.seq, sent);
        if (err == RJ_EPROTO)
            *ret_row = what;
    }
    return err;
}

static enum rj_err pass_runs(struct rj_crdt_guard *g, bool sent,
                             struct rj_crdt_row *ret_row)
{
    struct rj_dots_walk w = rj_dots_walk_of(&g->last->seen);
    struct rj_span span;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && rj_dots_next(&w, &span)) {
        struct rj_bytes name = rj_roster_get(g->last->names, span.origin);

        err = pass(g, name, span.from, sent);
        if (err == RJ_EPROTO)
            *ret_row = (struct rj_crdt_row){.replica = name, .seq = span.from};
    }
    return err;
}

enum rj_err rj_crdt_guard_note(struct rj_crdt_guard *g, const struct rj_crdt *v,
                               struct rj_bytes delta, bool sent,
                               struct rj_crdt_row *ret_row)
{
    bool is_rows = v->type->elements == NULL && !v->type->bare;
    struct rj_crdt *noted = NULL;
    enum rj_err err =
        is_rows ? rj_code_decode(v, delta, &noted) : rj_code_view(v, delta, &noted);

    if (err != RJ_OK)
        return err;
    rj_crdt_free(g->last);
    g->last = noted;
    if (++g->note == 0) /* 0 is never */
        g->note = 1;
    return is_rows ? pass_rows(g, sent, ret_row) : pass_runs(g, sent, ret_row);
}
