#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reference model of the row types: no dots, no vectors, no rows.

A replica's state is a set of events, merging is the union, and a value is a function of
that set: an event counts unless another one in the set has taken it away. A delta is the
event of one operation; of a counter, the replica's own events that the operation adds to
as well (its sum says all), and of a bounded counter, all that justified it.

    model.py check FILE...          play cases, compare with what they expect
    model.py make SEED N TYPE...    print N random cases of each type, answers filled in
    model.py orders                 print a case for each type in a map: two updates, one
                                    that is not seen, and a removal, in every order
"""
import itertools
import json
import random
import sys

U64 = 2**64 - 1
I64 = 2**63
COUNTERS = ('gcounter', 'pncounter', 'rcounter', 'bcounter')
BARE = ('vv', 'causal_context')
TYPES = COUNTERS + ('gset', 'twopset', 'lwwset', 'orset_tagged', 'orset', 'rworset',
                    'ourset', 'ewflag', 'dwflag', 'gflag', 'lwwreg', 'mvreg', 'lwwmap', 'list')


class Refused(Exception):
    pass


def by_bytes(texts):
    return sorted(texts, key=lambda t: t.encode())


class Event:
    ids = itertools.count(1)

    def __init__(self, who, place, what, kills=()):
        self.id = next(Event.ids)
        self.who, self.place, self.what = who, place, what  # place: (path, type)
        self.kills = frozenset(kills)


class Case:
    def __init__(self, case):
        self.type = case['type']
        self.params = case.get('params', {})
        self.state = {r: {} for r in case['replicas']}  # id -> event
        self.deltas, self.contexts = {}, {}

    # -- what counts

    @staticmethod
    def alive(events):
        gone = set().union(*(e.kills for e in events.values())) if events else set()
        return [e for e in events.values() if e.id not in gone]

    def at(self, events, place):
        return [e for e in self.alive(events) if e.place == place and e.what[0] != 'none']

    # -- orders

    def rank(self, who, ts, removed, v, n):
        """Sorts stamped versions, the one that is shown last."""
        bias = self.params.get('bias', 'add') == 'remove'
        low = tuple(255 - b for b in v.encode()) + (256,)
        value = tuple(v.encode()) if self.params.get('value', 'max') == 'max' else low
        name = tuple(255 - b for b in who.encode()) + (256,)
        if self.params.get('tie') == 'min_replica':
            return (ts, removed == bias, name, n)
        return (ts, removed == bias, value, name, n)

    # -- one operation: events that it adds, or a refusal

    def operate(self, who, op, args, ctx=None):
        path, type_ = (), self.type
        if self.type == 'ormap':
            if op == 'clear':
                op, args = 'remove', [[]]
            path = tuple(args[0])
            if op == 'remove':
                return self.remove_path(who, path, ctx)
            type_, op, args = args[1], args[2], args[3:]
        if type_ in BARE:
            return self.context_op(who, type_, op, args)
        return self.row_op(who, (path, type_), op, list(args), ctx)

    def remove_path(self, who, path, ctx):
        seen = self.alive(self.state[who]) if ctx is None else ctx.values()
        kills = [e.id for e in seen if e.place[0][:len(path)] == path]
        return [Event(who, (path, None), ('none',), kills)] if kills else []

    def context_op(self, who, type_, op, args):
        mine = [e.what[2] for e in self.state[who].values() if e.what[1] == args[0]]
        if type_ == 'vv' or op == 'next':
            n = max(mine, default=0) + 1
        else:
            n = args[1]
            if n < 1:
                raise Refused
        return [Event(who, ((), type_), ('dot', args[0], n))]

    def row_op(self, who, place, op, args, ctx):
        type_ = place[1]
        here = self.at(self.state[who], place)
        seen = here if ctx is None else \
            [e for e in ctx.values() if e.place == place and e.what[0] != 'none']

        def event(what, kills=()):
            return [Event(who, place, what, [e.id for e in kills])]

        def removal(kills):
            return event(('none',), kills) if kills else []

        def of(key):
            return [e for e in seen if e.what[1] == key]

        if type_ in COUNTERS:
            return self.counter_op(who, place, op, args, here, seen)
        if type_ in ('gset', 'twopset', 'lwwset', 'orset_tagged'):
            if op not in ('add', 'remove', 'add_all') or (type_ == 'gset' and op == 'remove'):
                raise Refused
            keys = args[0] if op == 'add_all' else [args[-1]]
            out = []
            for key in keys:
                extra = args[0] if type_ in ('lwwset', 'orset_tagged') else None
                what = ('r' if op == 'remove' else 'a', key, extra)
                same = [e for e in here if e.what == what]
                # in a map a later fact stands for the same that it saw; elsewhere what
                # is there already is no event
                out += event(what, same) if place[0] or not same else same[:1]
            return out
        if type_ in ('orset', 'rworset'):
            if op == 'clear':
                return removal(seen)
            keys = args[0] if op.endswith('_all') else [args[0]]
            word = op.split('_')[0]
            if type_ == 'orset' and word == 'remove':
                return removal([e for key in keys for e in of(key)])
            return [x for key in dict.fromkeys(keys)
                    for x in event(('a' if word == 'add' else 'r', key), of(key))]
        if type_ in ('ewflag', 'dwflag', 'gflag'):
            if type_ == 'gflag' and op != 'enable':
                raise Refused
            if op == 'clear' or (op == 'disable' and type_ == 'ewflag'):
                return removal(seen)
            return event((op, None), seen)
        if type_ == 'list':
            return self.list_op(who, place, op, args)
        if type_ == 'mvreg':
            if op == 'clear':
                return removal(seen)
            if op == 'resolve':
                top = max((e.what[1].encode() for e in here), default=None)
                return removal([e for e in here if e.what[1].encode() != top])
            return event(('set', args[0]), seen)
        if type_ == 'lwwmap':
            if op == 'put':
                return event(('put', args[0], args[1], args[2]), of(args[0]))
            return removal(of(args[0]))
        if type_ in ('lwwreg', 'ourset'):
            key = args.pop(0) if type_ == 'ourset' else None
            ts, v = args
            top = self.top([e for e in here if e.what[1] == key])
            if op.endswith('_now') and top is not None:
                ts = max(ts, top.what[2] + 1)
            what = ('r' if op.startswith('remove') else 'a', key, ts, v)
            new = event(what)[0]
            kills = [e.id for e in here if e.what[1] == key and
                     (self.place_rank(e) < self.place_rank(new) or e.what == what)]
            new.kills = frozenset(kills) if place[0] else frozenset()
            return [new]
        raise Refused

    def sequence(self, events, place):
        """The elements of a list in order, deleted ones too: each event hangs from another
        (None: the root), which must be there; an event has one place for ever."""
        sides = {}
        for e in events.values():
            if e.place == place and e.what[0] == 'ins':
                sides.setdefault(e.what[2:], []).append(e)
        out, todo = [], [(None, False)]
        while todo:
            e, entered = todo.pop()
            key = e.id if e else None
            if entered:
                out.append(e)
                continue
            for side in ('right', 'left'):
                below = sorted(sides.get((key, side), ()), key=lambda c: (c.who.encode(), c.id))
                todo += [(c, False) for c in reversed(below)]
                if side == 'right' and e:
                    todo.append((e, True))
        return out

    def list_op(self, who, place, op, args):
        order = self.sequence(self.state[who], place)
        alive = {e.id for e in self.at(self.state[who], place)}
        shown = [e for e in order if e.id in alive]
        pos = len(shown) if op == 'push' else args[0]
        gone = {'push': 0, 'insert': 0, 'update': 1, 'delete': (args + [1])[1]}.get(op)
        if gone is None or pos + gone > len(shown):
            raise Refused
        kills = [e.id for e in shown[pos:pos + gone]]
        if op == 'delete':
            return [Event(who, place, ('none',), kills)] if kills else []
        before = shown[pos - 1] if pos > 0 else None
        key, side = before.id if before else None, 'right'
        if any(e.what[2:] == (key, side) for e in order):
            key, side = order[order.index(before) + 1 if before else 0].id, 'left'
        return [Event(who, place, ('ins', args[-1], key, side), kills)]

    def place_rank(self, e):
        return self.rank(e.who, e.what[2], e.what[0] == 'r', e.what[3], e.id)

    def top(self, events):
        return max(events, key=self.place_rank, default=None)

    def counter_op(self, who, place, op, args, here, seen):
        type_ = place[1]
        n = args[0] if args else 1
        if op == 'reset' and type_ == 'rcounter':
            incs = [e for e in seen if e.what[0] == 'inc']
            return [Event(who, place, ('none',), [e.id for e in incs])] if incs else []
        if op not in ('inc', 'dec', 'move') or (op == 'dec' and type_ == 'gcounter') or \
                (op == 'move') != (op == 'move' and type_ == 'bcounter'):
            raise Refused
        if type_ in ('gcounter', 'bcounter') and n < 0:
            raise Refused
        total = sum(e.what[1] for e in here if e.what[0] == 'inc')
        if type_ == 'bcounter':
            if op != 'inc' and self.rights(self.state[who], who) < n:
                raise Refused
            if op == 'move':
                return [Event(who, place, ('move', n, args[1]))]
        amount = n if op == 'inc' else -n
        if not -I64 <= total + amount < I64:
            raise Refused
        own = [e for e in self.state[who].values()
               if e.place == place and e.who == who and e.what[0] == 'inc']
        dead = own if not any(e.who == who and e.what[0] == 'inc' for e in here) else []
        return [Event(who, place, ('inc', amount), [e.id for e in dead])]

    def delta_of(self, who, events):
        out = {e.id: e for e in events}
        for e in events:
            if e.place[1] == 'bcounter':
                out.update(self.state[who])
            elif e.what[0] == 'inc' and e.place[1] in COUNTERS:
                own = [x for x in self.state[who].values() if x.who == who and
                       x.place == e.place and x.what[0] == 'inc']
                replaced = set().union(*(x.kills for x in own)) if own else set()
                out.update((x.id, x) for x in own if x.id not in replaced | e.kills)
        if self.type == 'vv':
            for e in events:
                out.update((x.id, x) for x in self.state[who].values()
                           if x.what[1] == e.what[1])
        return out

    # -- values

    def rights(self, events, who):
        sum_ = 0
        for e in self.at(events, ((), 'bcounter')):
            if e.what[0] == 'inc':
                sum_ += e.what[1] if e.who == who else 0
            else:
                sum_ += e.what[1] * ((e.what[2] == who) - (e.who == who))
        return sum_

    def stamped(self, rows):
        keys = {e.what[1] for e in rows}
        return {k: self.top([e for e in rows if e.what[1] == k]) for k in keys}

    def leaf(self, events, place):
        """(value, alive)"""
        rows, type_ = self.at(events, place), place[1]
        if type_ in COUNTERS:
            return (sum(e.what[1] for e in rows if e.what[0] == 'inc'),
                    any(e.what[0] == 'inc' for e in rows))
        if type_ == 'gflag' or type_ == 'ewflag':
            return bool(rows), bool(rows)
        if type_ == 'dwflag':
            on = not any(e.what[0] == 'disable' for e in rows)
            return on, on and bool(rows)
        if type_ == 'list':
            live = {e.id for e in rows}
            v = [e.what[1] for e in self.sequence(events, place) if e.id in live]
            return v, bool(v)
        if type_ == 'mvreg':
            v = by_bytes({e.what[1] for e in rows})
            return v, bool(v)
        if type_ == 'lwwreg':
            top = self.top(rows)
            return (top.what[3] if top else None), top is not None
        if type_ == 'ourset':
            v = {k: e.what[3] for k, e in self.stamped(rows).items() if e.what[0] == 'a'}
        elif type_ == 'lwwmap':
            v = {}
            for k in {e.what[1] for e in rows}:
                v[k] = max((e.what[2], e.what[3].encode(), e.what[3])
                           for e in rows if e.what[1] == k)[2]
        else:
            v = by_bytes({e.what[1] for e in rows if self.is_in(rows, type_, e.what[1])})
        return v, bool(v)

    def is_in(self, rows, type_, key):
        a = [e.what for e in rows if e.what[1] == key and e.what[0] == 'a']
        r = [e.what for e in rows if e.what[1] == key and e.what[0] == 'r']
        if type_ == 'orset_tagged':
            return bool({w[2] for w in a} - {w[2] for w in r})
        if type_ == 'lwwset' and a and r:
            add, remove = max(w[2] for w in a), max(w[2] for w in r)
            return add > remove or (add == remove and
                                    self.params.get('bias', 'add') == 'add')
        return bool(a) and (not r or type_ == 'orset')

    def value(self, who):
        events = self.state[who]
        if self.type == 'ormap':
            return self.map_value(events)
        if self.type in BARE:
            return self.context_value(events)
        return self.leaf(events, ((), self.type))[0]

    def map_value(self, events):
        out = {}
        for place in {e.place for e in events.values() if e.place[1]}:
            v, alive = self.leaf(events, place)
            if alive:
                node = out
                for key in place[0][:-1]:
                    node = node.setdefault(key, {})
                node[place[0][-1]] = v
        return out

    def context_value(self, events):
        dots = {(e.what[1], e.what[2]) for e in events.values()}
        if self.type == 'vv':
            return {a: max(n for b, n in dots if b == a) for a, _ in dots}
        vector = {}
        for a in {a for a, _ in dots}:
            while (a, vector.get(a, 0) + 1) in dots:
                vector[a] = vector.get(a, 0) + 1
        cloud = [list(d) for d in sorted(dots, key=lambda d: (d[0].encode(), d[1]))
                 if d[1] > vector.get(d[0], 0)]
        return {'vector': vector, 'cloud': cloud}

    # -- rows and queries

    def rows(self, events):
        facts = [e for e in self.at(events, ((), self.type))]
        if self.type == 'ourset':
            return [[k, e.what[2], e.what[0] == 'r', e.what[3]]
                    for k, e in self.stamped(facts).items()]
        sides = {'add': [], 'remove': []}
        for e in facts:
            row = e.what[1] if e.what[2] is None else [e.what[2], e.what[1]]
            side = sides['remove' if e.what[0] == 'r' else 'add']
            if row not in side:
                side.append(row)
        return sides['add'] if self.type == 'gset' else sides

    def diffis(self, a, b):
        all_ = self.rows({**self.state[a], **self.state[b]})
        there = self.rows(self.state[b])
        if isinstance(all_, dict):
            return {k: [r for r in all_[k] if r not in there[k]] for k in all_}
        return [r for r in all_ if r not in there]

    def query(self, who, q, args):
        value = self.value(who)
        if q == 'size':
            return len(value)
        if q == 'contains':
            return args[0] in value
        if q in ('sets', 'elements'):
            return self.rows(self.state[who])
        if q == 'timestamp':
            top = self.top(self.at(self.state[who], ((), 'lwwreg')))
            return top.what[2] if top else None
        if q == 'local':
            return self.rights(self.state[who], args[0])
        if q == 'get':
            return value.get(args[0], 0)
        if q == 'has':
            return any(e.what[1:] == (args[0], args[1]) for e in self.state[who].values())
        if q == 'compare':
            a, b = value, self.value(args[0])
            below = all(n <= b.get(k, 0) for k, n in a.items())
            above = all(n <= a.get(k, 0) for k, n in b.items())
            return {(1, 1): 'equal', (1, 0): 'before', (0, 1): 'after',
                    (0, 0): 'concurrent'}[below, above]
        raise ValueError(q)

    # -- steps

    def act(self, who, op, args, ctx=None):
        events = self.operate(who, op, args, ctx)
        delta = self.delta_of(who, events)
        self.state[who].update((e.id, e) for e in events)
        return delta

    def step(self, step):
        """None, or (what, expected, got) where they differ."""
        word, rest = step[0], step[1:]
        if word in self.state:
            self.act(word, rest[0], rest[1:])
        elif word == 'as':
            self.deltas[rest[0]] = self.act(rest[1][0], rest[1][1], rest[1][2:])
        elif word == 'join':
            self.deltas[rest[0]] = {k: e for d in rest[1:]
                                    for k, e in self.deltas[d].items()}
        elif word in ('state', 'ctx'):
            into = self.deltas if word == 'state' else self.contexts
            into[rest[0]] = dict(self.state[rest[1]])
        elif word == 'diff':
            src, dst = self.state[rest[1]], self.state[rest[2]]
            there = {e.what for e in dst.values()} if self.type in BARE else ()
            self.deltas[rest[0]] = {k: e for k, e in src.items()
                                    if k not in dst and e.what not in there}
        elif word == 'apply':
            self.state[rest[0]].update(self.deltas[rest[1]])
        elif word == 'merge':
            self.state[rest[0]].update(self.state[rest[1]])
        elif word == 'copy':
            self.state[rest[0]] = dict(self.state[rest[1]])
        elif word == 'ctxop':
            self.act(rest[0], rest[1], rest[2:-1], self.contexts[rest[-1]])
        elif word == 'refuse':
            try:
                self.operate(rest[0], rest[1], rest[2:])
            except Refused:
                return None
            return step, 'a refusal', 'success'
        elif word == 'check':
            return self.differs(step, rest[1], self.value(rest[0]))
        elif word == 'checkq':
            return self.differs(step, rest[-1], self.query(rest[0], rest[1], rest[2:-1]))
        elif word == 'diffis':
            return self.differs(step, rest[2], self.diffis(rest[0], rest[1]))
        elif word != 'roundtrip':
            raise ValueError(word)
        return None

    @staticmethod
    def differs(step, expected, got):
        def rows(x):
            return sorted(map(json.dumps, x)) if isinstance(x, list) else x
        if isinstance(got, dict) and set(got) == {'add', 'remove'}:
            same = all(rows(expected[k]) == rows(got[k]) for k in got)
        elif step[0] == 'diffis' or (step[0] == 'checkq' and isinstance(got, list)):
            same = rows(expected) == rows(got)
        else:
            same = expected == got
        return None if same else (step, expected, got)


def play(case):
    """What differs, as text; None: nothing."""
    m = Case(case)
    for n, step in enumerate(case['steps'], 1):
        wrong = m.step(step)
        if wrong:
            return f'step {n}: {wrong[0]}: expected {wrong[1]}, got {wrong[2]}'
    for who, expected in case.get('expect', {}).items():
        if m.value(who) != expected:
            return f'{who}: expected {expected}, got {m.value(who)}'
    return None


def check(files):
    passed = failed = skipped = 0
    for path in files:
        for line in open(path, encoding='utf-8'):
            case = json.loads(line)
            if case['type'] == 'text':
                skipped += 1
                continue
            wrong = play(case)
            passed, failed = passed + (not wrong), failed + bool(wrong)
            if wrong:
                print(f'{case["id"]}: {wrong}')
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed else 0


# ---- random cases

KEYS = ['x', 'xy', 'é', '']
OPS = {
    'gcounter': ['inc n', 'inc n', 'inc', 'dec'],
    'pncounter': ['inc n', 'dec n', 'inc', 'reset'],
    'rcounter': ['inc n', 'dec n', 'inc', 'reset'],
    'bcounter': ['inc n', 'inc n', 'dec n', 'dec n', 'move n r'],
    'gset': ['add e', 'add e', 'add_all E', 'remove e'],
    'twopset': ['add e', 'add e', 'remove e'],
    'lwwset': ['add t e', 'add t e', 'remove t e'],
    'orset_tagged': ['add g e', 'add g e', 'remove g e'],
    'orset': ['add e', 'add e', 'add_all E', 'remove e', 'remove_all E', 'clear'],
    'rworset': ['add e', 'add e', 'add_all E', 'remove e', 'remove_all E', 'clear'],
    'ourset': ['put e t v', 'put e t v', 'remove e t v', 'put_now e t v', 'remove_now e t v'],
    'ewflag': ['enable', 'enable', 'disable', 'clear'],
    'dwflag': ['enable', 'disable', 'disable', 'clear'],
    'gflag': ['enable', 'disable'],
    'lwwreg': ['set t v', 'set t v', 'set_now t v'],
    'mvreg': ['set v', 'set v', 'clear', 'resolve'],
    'lwwmap': ['put e t v', 'put e t v', 'remove e'],
    'list': ['push v', 'insert p v', 'insert p v', 'delete p', 'delete p c', 'update p v'],
    'vv': ['inc a'],
    'causal_context': ['add a d', 'add a d', 'next r'],
}
QUERIES = {
    'gset': ['contains e'], 'twopset': ['sets', 'contains e'],
    'lwwset': ['sets', 'contains e'], 'orset_tagged': ['sets', 'contains e'],
    'orset': ['contains e', 'size'], 'rworset': ['contains e', 'size'],
    'ourset': ['elements'], 'lwwreg': ['timestamp'], 'bcounter': ['local r'],
    'vv': ['get a', 'compare r'], 'causal_context': ['has a d'],
}
PARAMS = {
    'lwwset': [{'bias': 'add'}, {'bias': 'remove'}],
    'ourset': [{'bias': b, 'value': v} for b in ('add', 'remove') for v in ('max', 'min')],
    'lwwreg': [{'tie': 'max_value'}, {'tie': 'min_replica'}],
}
CONTEXT_OPS = ('remove', 'clear', 'reset', 'disable', 'remove_all')


class Maker:
    def __init__(self, rng, type_):
        self.rng, self.type = rng, type_
        self.replicas = rng.sample(['a', 'b', 'bb', 'c', 'é'], 3)
        self.case = {'type': type_, 'replicas': self.replicas, 'steps': []}
        if type_ in PARAMS:
            self.case['params'] = rng.choice(PARAMS[type_])
        self.model = Case(self.case)
        self.nested = rng.sample(sorted(set(TYPES) - {'bcounter'}), 2)
        self.names = 0

    def arg(self, letter):
        r = self.rng
        return {'n': lambda: r.randint(-2, 9), 'e': lambda: r.choice(KEYS[:3]),
                'E': lambda: [r.choice(KEYS) for _ in range(r.randint(1, 3))],
                'p': lambda: r.randint(0, 3), 'c': lambda: r.randint(0, 2),
                't': lambda: r.randint(0, 3), 'v': lambda: r.choice(KEYS),
                'g': lambda: r.choice(['#1', '#2']), 'r': lambda: r.choice(self.replicas),
                'a': lambda: r.choice(['p', 'q']), 'd': lambda: r.randint(1, 5)}[letter]()

    def fill(self, form):
        words = form.split()
        return [words[0]] + [self.arg(w) for w in words[1:]]

    def op(self):
        if self.type != 'ormap':
            return self.fill(self.rng.choice(OPS[self.type]))
        path = [self.rng.choice('kl')] + ([self.rng.choice('mn')]
                                          if self.rng.random() < .3 else [])
        if self.rng.random() < .25:
            return ['remove', path[:1] if self.rng.random() < .5 else path]
        path = ['f'] + path[:1] if len(path) == 2 else path  # no key is leaf and map
        type_ = self.nested[len(path) - 1]
        return ['update', path, type_] + self.fill(self.rng.choice(OPS[type_]))

    def name(self, letter):
        self.names += 1
        return f'{letter}{self.names}'

    def add(self, step):
        self.model.step(step)
        self.case['steps'].append(step)

    def write(self):
        who, op = self.rng.choice(self.replicas), self.op()
        try:
            self.model.operate(who, op[0], op[1:])
        except Refused:
            return self.add(['refuse', who] + op)
        nested = self.type == 'ormap' and op[0] == 'update'
        word = op[3] if nested else op[0]
        if word in CONTEXT_OPS and self.model.contexts and self.rng.random() < .3 and \
                self.type not in ('gset', 'twopset', 'lwwset', 'orset_tagged', 'ourset') \
                and not (nested and op[2] in
                         ('gset', 'twopset', 'lwwset', 'orset_tagged', 'ourset')):
            return self.add(['ctxop', who] + op + [self.rng.choice(list(self.model.contexts))])
        if self.rng.random() < .6:
            return self.add(['as', self.name('d'), [who] + op])
        return self.add([who] + op)

    def exchange(self):
        r, m = self.rng, self.model
        a, b = r.sample(self.replicas, 2)
        dice = r.random()
        own = {k for k, e in m.state[a].items() if e.who == a}
        if dice < .5 and m.deltas:
            self.add(['apply', a, r.choice(list(m.deltas))])
        elif dice < .6:
            self.add(['merge', a, b])
        elif dice < .7:
            d = self.name('d')
            self.add(['diff', d, a, b])
            if r.random() < .7:
                self.add(['apply', b, d])
            del m.deltas[d]  # it is for b alone
        elif dice < .75 and len(m.deltas) > 1:
            self.add(['join', self.name('j')] + r.sample(list(m.deltas), 2))
        elif dice < .8:
            self.add(['state', self.name('s'), a])
        elif dice < .9 and self.type not in BARE:
            self.add(['ctx', self.name('c'), a])
        elif dice < .95 and own <= set(m.state[b]):
            self.add(['copy', a, b])
        else:
            self.add(['roundtrip', a])

    def look(self):
        who = self.rng.choice(self.replicas)
        if self.type in ('gset', 'twopset', 'lwwset', 'orset_tagged', 'ourset') and \
                self.rng.random() < .3:
            a, b = self.rng.sample(self.replicas, 2)
            return self.add(['diffis', a, b, self.model.diffis(a, b)])
        if self.type in QUERIES and self.rng.random() < .5:
            q = self.fill(self.rng.choice(QUERIES[self.type]))
            return self.add(['checkq', who] + q + [self.model.query(who, q[0], q[1:])])
        return self.add(['check', who, self.model.value(who)])

    def make(self, id_):
        for _ in range(self.rng.randint(8, 24)):
            dice = self.rng.random()
            (self.write if dice < .5 else self.exchange if dice < .85 else self.look)()
        self.case['expect'] = {r: self.model.value(r) for r in self.replicas}
        return {'id': id_, **self.case}


def make(seed, n, types):
    for type_ in types:
        for i in range(n):
            rng = random.Random(f'{seed} {type_} {i}')
            case = Maker(rng, type_).make(f'random-{type_}-{seed}-{i:03}')
            print(json.dumps(case, ensure_ascii=False, separators=(',', ':')))
    return 0


TWO_UPDATES = {  # and a third
    'gcounter': ['inc 5', 'inc 2', 'inc 1'], 'pncounter': ['inc 5', 'dec 2', 'dec 9'],
    'rcounter': ['inc 5', 'dec 2', 'inc 1'],
    'gset': ['add x', 'add y', 'add x'], 'twopset': ['add x', 'remove x', 'add y'],
    'lwwset': ['add 3 x', 'remove 5 x', 'add 4 x'],
    'orset_tagged': ['add #1 x', 'remove #1 x', 'add #2 x'],
    'orset': ['add x', 'add y', 'add x'], 'rworset': ['add x', 'remove x', 'add y'],
    'ourset': ['put x 5 u', 'remove x 4 u', 'put x 3 w'],
    'ewflag': ['enable', 'disable', 'enable'], 'dwflag': ['disable', 'enable', 'enable'],
    'gflag': ['enable', 'enable', 'enable'],
    'lwwreg': ['set 9 u', 'set 5 v', 'set 2 w'], 'mvreg': ['set u', 'set v', 'set w'],
    'lwwmap': ['put x 9 u', 'put x 5 v', 'remove x'],
}


def orders():
    for type_, ops in TWO_UPDATES.items():
        for last in (True, False):  # the third update: after the removal, or before
            words = [[int(w) if w.isdigit() else w for w in op.split()] for op in ops]
            up = [['update', ['k', 'l'], type_] + w for w in words]
            rest = [['as', 'r', ['a', 'remove', ['k']]], ['as', 'd3', ['c', *up[2]]]]
            if last:
                rest[1] = ['as', 'd3', ['a', *up[2]]]
            steps = [['as', 'd1', ['a', *up[0]]], ['apply', 'b', 'd1'],
                     ['as', 'd2', ['b', *up[1]]], *rest]
            names = []
            for order in itertools.permutations(['d1', 'd2', 'd3', 'r']):
                names.append('-'.join(order))
                steps += [['apply', names[-1], d] for d in order]
                steps.append(['apply', names[-1], order[0]])
            case = {'id': f'orders-{type_}-{int(last)}', 'type': 'ormap',
                    'features': ['reset_remove'], 'replicas': ['a', 'b', 'c'] + names,
                    'steps': steps}
            model = Case(case)
            for step in steps:
                model.step(step)
            case['expect'] = {names[0]: model.value(names[0])}
            assert all(model.value(n) == model.value(names[0]) for n in names), type_
            case['converged'] = names
            print(json.dumps(case, ensure_ascii=False, separators=(',', ':')))
    return 0


if __name__ == '__main__':
    if sys.argv[1:2] == ['check']:
        sys.exit(check(sys.argv[2:]))
    if sys.argv[1:2] == ['make'] and len(sys.argv) > 3:
        sys.exit(make(sys.argv[2], int(sys.argv[3]), sys.argv[4:] or list(OPS) + ['ormap']))
    if sys.argv[1:2] == ['orders']:
        sys.exit(orders())
    sys.exit(__doc__)
