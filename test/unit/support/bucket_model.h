/* SPDX-License-Identifier: Apache-2.0 */
/* The bucket as a naive function of a set of writes, to compare with: plain arrays, every
 * write with the explicit list of the writes that it overwrites, every increment a write
 * of its own, everything looked for again at every question. It shares no code with the
 * bucket and none of its compression (greatest sequences, runs, floors). */
#ifndef RJ_TEST_BUCKET_MODEL_H
#define RJ_TEST_BUCKET_MODEL_H

#include "support/replicas.h"

enum {
    M_WRITES_MAX = 600,
    M_OVER_MAX = 16384,
    M_RUNS_MAX = 400,
    M_VALUE_MAX = 24,
    M_KEYS = 3,
    M_NAMES = 3,
    M_PLACE = -1, /* name of the key's own place */
    M_NONE = -1
};

enum m_kind { M_REG, M_INC, M_ADD, M_FIELD, M_REMOVAL, M_CARRY };
enum m_shape { M_NOTHING, M_STRING_REG, M_STRING_COUNT, M_SET, M_HASH };

struct m_write {
    uint32_t origin; /* in the net */
    uint64_t seq, stamp;
    enum m_kind kind;
    int key, name;
    char value[M_VALUE_MAX];
    uint64_t deadline;
    int base; /* INC: the version it adds to */
    int64_t delta;
    int run;
    bool touch;               /* INC: sets the run's deadline */
    unsigned over_at, over_n; /* in m->over */
    unsigned runs_at, runs_n; /* CARRY: in m->over too */
    bool del;                 /* REMOVAL: of the whole key */
    unsigned dels_at, dels_n; /* deletions of its key that it has seen, in m->over too */
    bool hidden;              /* waits for being issued again */
};

/* Increments of one origin that share a deadline. */
struct m_run {
    int key, name, base;
    uint32_t origin;
    uint64_t deadline; /* that it began with */
    int first;         /* write */
};

struct model {
    struct net *net;
    struct m_write w[M_WRITES_MAX];
    int n;
    int over[M_OVER_MAX];
    unsigned over_n;
    struct m_run runs[M_RUNS_MAX];
    int n_runs;
    uint64_t position[M_KEYS];
    /* As one replica sees it at one moment: */
    unsigned r;
    uint64_t now;
    bool visible[M_WRITES_MAX], live[M_WRITES_MAX];
};

/* Where deletions win: w had not seen one that is visible. */
static inline bool m_is_gone(const struct model *m, const struct m_write *w)
{
    for (int d = 0; d < m->n && m->net->delete_wins; d++) {
        bool saw = false;

        for (unsigned k = 0; k < w->dels_n; k++)
            saw = saw || m->over[w->dels_at + k] == d;
        if (m->w[d].del && m->visible[d] && m->w[d].key == w->key && !saw)
            return true;
    }
    return false;
}

static const char *const m_keys[M_KEYS] = {"k0", "k1", "k2"};
static const char *const m_names[M_NAMES] = {"a", "b", "c"};

struct m_rank {
    uint64_t stamp, seq;
    uint32_t origin;
};

static inline int m_compare(const struct model *m, struct m_rank a, struct m_rank b)
{
    int order;

    if (a.seq == 0 || b.seq == 0)
        return (a.seq != 0) - (b.seq != 0);
    if (a.stamp != b.stamp)
        return a.stamp < b.stamp ? -1 : 1;
    order = memcmp(m->net->ids[a.origin].b, m->net->ids[b.origin].b, 16);
    if (order != 0)
        return order;
    return (a.seq > b.seq) - (a.seq < b.seq);
}

static inline struct m_rank m_rank_of(const struct m_write *w)
{
    return (struct m_rank){.stamp = w->stamp, .seq = w->seq, .origin = w->origin};
}

static inline struct m_rank m_max(const struct model *m, struct m_rank a, struct m_rank b)
{
    return m_compare(m, a, b) < 0 ? b : a;
}

static inline bool m_due(uint64_t deadline, uint64_t now)
{
    return deadline != 0 && deadline <= now;
}

/* What replica r has seen, and what of that nothing overwrites. */
static inline void m_look(struct model *m, unsigned r)
{
    const struct replica *rep = &m->net->r[r];
    bool over[M_WRITES_MAX] = {false};

    m->r = r;
    m->now = rep->now_ms;
    for (int i = 0; i < m->n; i++) {
        const struct m_write *w = &m->w[i];
        const struct rj_vv *vv =
            rep->joining ? &rj_contexts_at(&rep->ctx, m->position[w->key])->have
                         : &rep->vv;

        m->visible[i] =
            !w->hidden && (w->origin == rep->self ||
                           rj_vv_has(vv, net_index(m->net, r, w->origin), w->seq));
        for (unsigned k = 0; m->visible[i] && k < w->over_n; k++)
            over[m->over[w->over_at + k]] = true;
    }
    for (int i = 0; i < m->n; i++) {
        const struct m_write *w = &m->w[i];

        m->live[i] = m->visible[i] && !over[i] && w->kind != M_REMOVAL &&
                     w->kind != M_CARRY && (w->base == M_NONE || !over[w->base]) &&
                     !m_is_gone(m, w);
    }
}

/* The deadline of a run as seen, and who set it. */
static inline uint64_t m_run_deadline(const struct model *m, int run,
                                      struct m_rank *ret_setter)
{
    struct m_rank setter = {0};
    uint64_t deadline = m->runs[run].deadline;

    for (int i = 0; i < m->n; i++) {
        const struct m_write *w = &m->w[i];
        bool sets = w->kind == M_INC && w->touch && w->run == run;

        for (unsigned k = 0; w->kind == M_CARRY && k < w->runs_n; k++)
            sets = sets || m->over[w->runs_at + k] == run;
        if (m->visible[i] && sets && m_compare(m, m_rank_of(w), setter) > 0) {
            setter = m_rank_of(w);
            deadline = w->deadline;
        }
    }
    *ret_setter = setter;
    return deadline;
}

static inline uint64_t m_deadline_of(const struct model *m, int i)
{
    struct m_rank setter;

    if (m->w[i].kind != M_INC)
        return m->w[i].deadline;
    if (m->w[i].base != M_NONE)
        return m->w[m->w[i].base].deadline;
    return m_run_deadline(m, m->w[i].run, &setter);
}

static inline bool m_shows(const struct model *m, int i)
{
    return m->live[i] && !m_due(m_deadline_of(m, i), m->now);
}

static inline bool m_at(const struct model *m, int i, int key, int name)
{
    return m->w[i].key == key && m->w[i].name == name;
}

/* A register or counter: at the key itself, or in a field. */
struct m_place {
    enum m_shape shape; /* NOTHING, REG, COUNT */
    int top;            /* the shown version */
    struct m_rank rank;
    char text[M_VALUE_MAX];
    uint64_t deadline;
};

static inline int64_t m_sum(const struct model *m, int key, int name, int base)
{
    int64_t sum = 0;

    for (int i = 0; i < m->n; i++) {
        if (m->w[i].kind == M_INC && m_at(m, i, key, name) && m->w[i].base == base &&
            m_shows(m, i))
            sum += m->w[i].delta;
    }
    return sum;
}

static inline void m_read_register(const struct model *m, int key, int name,
                                   struct m_place *p)
{
    bool counted = false;

    for (int i = 0; i < m->n; i++) {
        if (m->w[i].kind == M_INC && m->w[i].base == p->top && m_shows(m, i))
            counted = true;
    }
    (void)snprintf(p->text, sizeof(p->text), "%s", m->w[p->top].value);
    if (counted)
        (void)snprintf(
            p->text, sizeof(p->text), "%lld",
            (long long)(atoll(m->w[p->top].value) + m_sum(m, key, name, p->top)));
    p->deadline = m->w[p->top].deadline;
}

static inline struct m_place m_read_place(const struct model *m, int key, int name)
{
    enum m_kind version = name == M_PLACE ? M_REG : M_FIELD;
    struct m_rank reg = {0}, count = {0}, top = {0}, setter;
    struct m_place p = {.top = M_NONE};
    bool forever = false;

    for (int i = 0; i < m->n; i++) {
        const struct m_write *w = &m->w[i];

        if (!m_at(m, i, key, name) || !m_shows(m, i))
            continue;
        if (w->kind == version && m_compare(m, m_rank_of(w), top) > 0) {
            top = m_rank_of(w);
            p.top = i;
        }
        if (w->kind == version || (w->kind == M_INC && w->base != M_NONE)) {
            reg = m_max(m, reg, m_rank_of(w));
        } else if (w->kind == M_INC) {
            uint64_t deadline = m_run_deadline(m, w->run, &setter);

            count = m_max(m, m_max(m, count, m_rank_of(w)), setter);
            forever = forever || deadline == 0;
            p.deadline = deadline > p.deadline ? deadline : p.deadline;
        }
    }
    if (m_compare(m, reg, count) > 0) {
        p.shape = M_STRING_REG;
        p.rank = reg;
        m_read_register(m, key, name, &p);
    } else if (count.seq != 0) {
        p.shape = M_STRING_COUNT;
        p.rank = count;
        p.deadline = forever ? 0 : p.deadline;
        (void)snprintf(p.text, sizeof(p.text), "%lld",
                       (long long)m_sum(m, key, name, M_NONE));
    } else {
        p.deadline = 0;
    }
    return p;
}

static inline struct m_rank m_map_rank(const struct model *m, int key, bool hash)
{
    struct m_rank rank = {0}, setter;

    for (int i = 0; i < m->n; i++) {
        const struct m_write *w = &m->w[i];
        bool is_field = w->kind == M_FIELD || (w->kind == M_INC && w->name != M_PLACE);

        if (w->key != key || !m_shows(m, i) || (hash ? !is_field : w->kind != M_ADD))
            continue;
        rank = m_max(m, rank, m_rank_of(w));
        if (w->kind == M_INC && w->base == M_NONE) {
            (void)m_run_deadline(m, w->run, &setter);
            rank = m_max(m, rank, setter);
        }
    }
    return rank;
}

static inline enum m_shape m_shape_of(const struct model *m, int key)
{
    struct m_place place = m_read_place(m, key, M_PLACE);
    struct m_rank set = m_map_rank(m, key, false), hash = m_map_rank(m, key, true);
    enum m_shape shape = place.shape;
    struct m_rank rank = place.rank;

    if (m_compare(m, set, rank) > 0) {
        shape = M_SET;
        rank = set;
    }
    return m_compare(m, hash, rank) > 0 ? M_HASH : shape;
}

/* The deadline that the key shows, 0: never. */
static inline uint64_t m_key_deadline(const struct model *m, int key)
{
    enum m_shape shape = m_shape_of(m, key);
    uint64_t deadline = 0;

    if (shape != M_SET && shape != M_HASH)
        return m_read_place(m, key, M_PLACE).deadline;
    for (int i = 0; i < m->n; i++) {
        const struct m_write *w = &m->w[i];
        bool is_field = w->kind == M_FIELD ||
                        (w->kind == M_INC && w->name != M_PLACE && w->base == M_NONE);
        uint64_t d;

        if (w->key != key || !m_shows(m, i) ||
            (shape == M_HASH ? !is_field : w->kind != M_ADD))
            continue;
        d = m_deadline_of(m, i);
        if (d == 0)
            return 0;
        deadline = d > deadline ? d : deadline;
    }
    return deadline;
}

static inline bool m_has_elem(const struct model *m, int key, int name)
{
    for (int i = 0; i < m->n; i++) {
        if (m->w[i].kind == M_ADD && m_at(m, i, key, name) && m_shows(m, i))
            return true;
    }
    return false;
}

/* As show() of support/replicas.h does it. */
static inline const char *m_show(const struct model *m, int key)
{
    static char text[512];
    enum m_shape shape = m_shape_of(m, key);
    size_t len = 0;

    if (shape == M_NOTHING)
        return "-";
    if (shape == M_STRING_REG || shape == M_STRING_COUNT) {
        (void)snprintf(text, sizeof(text), "%s", m_read_place(m, key, M_PLACE).text);
        return text;
    }
    len = (size_t)snprintf(text, sizeof(text), "{");
    for (int name = 0; name < M_NAMES; name++) {
        struct m_place p = m_read_place(m, key, name);
        const char *gap = len > 1 ? " " : "";

        if (shape == M_SET && m_has_elem(m, key, name))
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", gap,
                                    m_names[name]);
        else if (shape == M_HASH && p.shape != M_NOTHING)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%s", gap,
                                    m_names[name], p.text);
    }
    (void)snprintf(text + len, sizeof(text) - len, "}");
    return text;
}

/* ---- writes of replica m->r, as seen now (m_look) */

static inline bool m_is_part(const struct m_write *w, enum m_shape part)
{
    switch (part) {
    case M_SET:
        return w->kind == M_ADD;
    case M_HASH:
        return w->kind == M_FIELD || (w->kind == M_INC && w->name != M_PLACE);
    case M_STRING_REG:
    case M_STRING_COUNT:
        return w->kind == M_REG || (w->kind == M_INC && w->name == M_PLACE);
    case M_NOTHING:
    default:
        return false;
    }
}

/* A new write with the next dot of m->r; its list of what it overwrites follows. */
static inline struct m_write *m_add(struct model *m, enum m_kind kind, int key, int name)
{
    const struct replica *rep = &m->net->r[m->r];
    struct m_write *w = &m->w[m->n];

    assert_true(m->n < M_WRITES_MAX);
    *w = (struct m_write){.origin = rep->self,
                          .seq = rep->writer.first + rep->writer.count,
                          .stamp = rep->writer.stamp,
                          .kind = kind,
                          .key = key,
                          .name = name,
                          .base = M_NONE,
                          .run = M_NONE,
                          .dels_at = m->over_n};
    for (int i = 0; i < m->n; i++) {
        assert_true(m->over_n < M_OVER_MAX);
        if (m->w[i].del && m->visible[i] && m->w[i].key == key) {
            m->over[m->over_n++] = i;
            w->dels_n++;
        }
    }
    w->over_at = m->over_n;
    return w;
}

static inline void m_over(struct model *m, struct m_write *w, int i)
{
    assert_true(m->over_n < M_OVER_MAX);
    m->over[m->over_n++] = i;
    w->over_n++;
}

/* All that is live in the key, but for one part. */
static inline void m_over_rest(struct model *m, struct m_write *w, enum m_shape except)
{
    for (int i = 0; i < m->n; i++) {
        if (m->live[i] && m->w[i].key == w->key && !m_is_part(&m->w[i], except))
            m_over(m, w, i);
    }
}

/* Versions, increments without a base, or both, at the place of w. */
static inline void m_over_place(struct model *m, struct m_write *w, enum m_kind version,
                                bool versions, bool increments)
{
    for (int i = 0; i < m->n; i++) {
        const struct m_write *o = &m->w[i];

        if (!m->live[i] || !m_at(m, i, w->key, w->name))
            continue;
        if ((versions && o->kind == version) ||
            (increments && o->kind == M_INC && o->base == M_NONE))
            m_over(m, w, i);
    }
}

static inline void m_commit(struct model *m)
{
    m->visible[m->n] = true;
    m->n++;
}

/* The run that an increment of m->r on that base would lengthen; M_NONE: none. */
static inline int m_own_run(const struct model *m, int key, int name, int base)
{
    uint32_t self = m->net->r[m->r].self;
    struct m_rank setter;
    int run;

    for (run = m->n_runs - 1; run >= 0; run--) {
        if (m->runs[run].key == key && m->runs[run].name == name &&
            m->runs[run].base == base && m->runs[run].origin == self)
            break;
    }
    if (run < 0 || m_is_gone(m, &m->w[m->runs[run].first]))
        return M_NONE;
    if (base != M_NONE)
        return run;
    return m_due(m_run_deadline(m, run, &setter), m->now) ? M_NONE : run;
}

static inline int m_new_run(struct model *m, int key, int name, int base,
                            uint64_t deadline)
{
    assert_true(m->n_runs < M_RUNS_MAX);
    m->runs[m->n_runs] = (struct m_run){.key = key,
                                        .name = name,
                                        .base = base,
                                        .origin = m->net->r[m->r].self,
                                        .deadline = deadline,
                                        .first = m->n};
    return m->n_runs++;
}

#endif
