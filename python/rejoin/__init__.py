# SPDX-License-Identifier: Apache-2.0
"""Buckets of a rejoin daemon (rejoind) from Python.

    import rejoin

    with rejoin.Client(bucket="guests") as c:
        c.incr("visits")
        c.sadd("guests", "Ada", "Bob")
        print(c.get("visits"), c.smembers("guests"))
        with c.atomic() as group:          # seen together or not at all, on every node
            group.set("last", "Ada")
            group.hincr("times", "Ada")
        c.wait(peers=1, durable=True)      # durable at one other member

Keys, values, elements and fields are bytes; str is taken as UTF-8; what comes back is bytes.
Failures raise rejoin.Error, which has the error's name (code), why, and what to type (hint).
A client belongs to one thread at a time; cancel() may come from any.

This is librejoin-client, loaded with cffi: no compiler is needed. REJOIN_CLIENT_LIBRARY
names another file than librejoin-client.so.0.
"""

import json
import os

import cffi

__all__ = ["Client", "Error", "NotFound", "WrongType", "Timeout", "Cancelled", "NoDaemon"]

_ffi = cffi.FFI()
_ffi.cdef("""
struct rj_bytes { const uint8_t *ptr; size_t len; };
struct rj_pair { struct rj_bytes field, value; };
struct rj_client;
struct rj_client_opts {
    size_t size; const char *socket; uint32_t timeout_ms; bool interruptible;
};
struct rj_op {
    int code; int ttl; struct rj_bytes key; struct rj_bytes value;
    const struct rj_bytes *items; size_t n_items;
    int64_t delta; uint64_t number; uint64_t cursor;
};
struct rj_op_result {
    int err; struct rj_bytes value; const struct rj_bytes *items; size_t n_items;
    int64_t number; uint64_t cursor;
};
struct rj_client_arg {
    const char *key; int kind; struct rj_bytes text; uint64_t number;
    const struct rj_bytes *items; size_t n_items;
};
struct rj_client_event {
    uint64_t time_ms; const char *level; const char *event; const char *text;
};
const char *rj_err_name(int err);
const char *rj_err_text(int err);
int rj_client_open(const struct rj_client_opts *opts, char *why, size_t why_len,
                   struct rj_client **ret_client);
void rj_client_close(struct rj_client *c);
const char *rj_client_why(const struct rj_client *c);
const char *rj_client_hint(const struct rj_client *c);
const char *rj_client_daemon_version(const struct rj_client *c);
void rj_client_set_timeout(struct rj_client *c, uint32_t timeout_ms);
void rj_client_cancel(struct rj_client *c);
int rj_client_use(struct rj_client *c, const char *bucket);
int rj_client_run(struct rj_client *c, const struct rj_op *ops, size_t n, bool atomic,
                  struct rj_op_result *ret_results);
int rj_client_smembers(struct rj_client *c, struct rj_bytes key,
                       const struct rj_bytes **ret_elems, size_t *ret_n);
int rj_client_hgetall(struct rj_client *c, struct rj_bytes key,
                      const struct rj_pair **ret_pairs, size_t *ret_n);
int rj_client_wait(struct rj_client *c, uint32_t peers, int level, uint32_t *ret_peers);
int rj_client_verb(struct rj_client *c, const char *verb, const struct rj_client_arg *args,
                   size_t n, const char **ret_json);
typedef bool rj_client_event_fn(void *ctx, const struct rj_client_event *ev);
int rj_client_watch(struct rj_client *c, rj_client_event_fn *fn, void *ctx);
""")
_lib = _ffi.dlopen(os.environ.get("REJOIN_CLIENT_LIBRARY", "librejoin-client.so.0"))

# In the order of RJ_CLIENT_OPS (rejoin/client.h).
_OPS = ("get set del type incr expire deadline count scan sadd srem sismember scard hset hget"
        " hdel hincr hlen walk").split()
_CODES = {name: code for code, name in enumerate(_OPS)}
_TYPES = ("none", "string", "set", "hash")
_TTL_CLEAR, _TTL_KEEP, _TTL_AT = range(3)
_TEXT, _UINT, _BOOL, _LIST = range(4)
_NEVER = 0xFFFFFFFF
_WHY_MAX = 1024


class Error(Exception):
    """A call failed. code: the error's name, "ENOENT"; why and hint: for people."""

    def __init__(self, code, why="", hint=""):
        super().__init__(why + (" (%s)" % hint if hint else ""))
        self.code, self.why, self.hint = code, why, hint


class NotFound(Error, KeyError):
    """No such bucket, key or field."""

    __str__ = Exception.__str__


class WrongType(Error, TypeError):
    """The key holds another type."""


class Timeout(Error, TimeoutError):
    """The daemon did not answer in time, or too few peers have it."""


class Cancelled(Error):
    """cancel() was called, or a signal came."""


class NoDaemon(Error, ConnectionError):
    """Nobody listens at the socket, or the daemon ended."""


_CLASSES = {"ENOENT": NotFound, "ETYPE": WrongType, "ETIMEOUT": Timeout,
            "ECANCELED": Cancelled, "ENODAEMON": NoDaemon}


def _error(code, why="", hint=""):
    return _CLASSES.get(code, Error)(code, why, hint)


def _text(c_string):
    return _ffi.string(c_string).decode("utf-8", "replace")


def _name(err):
    return _text(_lib.rj_err_name(err))


def _take(b):
    return _ffi.buffer(b.ptr, b.len)[:] if b.len else b""


class _Keep:
    """Bytes that stay where they are as long as this does."""

    def __init__(self):
        self.held = []

    def bytes(self, value, into):
        if isinstance(value, str):
            value = value.encode()
        data = _ffi.from_buffer("uint8_t[]", bytes(value) or b"\0")
        self.held.append(data)
        into.ptr, into.len = data, len(value)

    def list(self, values):
        items = _ffi.new("struct rj_bytes[]", max(1, len(values)))
        for item, value in zip(items, values):
            self.bytes(value, item)
        self.held.append(items)
        return items


def _milliseconds(seconds):
    return _NEVER if seconds is None else min(max(1, int(seconds * 1000)), _NEVER - 1)


class _Operations:
    """The data calls; what becomes of an operation says _do."""

    def _do(self, name, convert, **fields):
        raise NotImplementedError

    def get(self, key, default=None):
        """The value of a string or counter; default when there is none."""
        return self._do("get", lambda r: _take(r.value), key=key, default=default)

    def set(self, key, value, expire_at=None, keep_ttl=False):
        """Sets key to value. expire_at: seconds since 1970; keep_ttl: as the key has it."""
        ttl = _TTL_AT if expire_at is not None else _TTL_KEEP if keep_ttl else _TTL_CLEAR
        self._do("set", lambda r: None, key=key, value=value, ttl=ttl,
                 number=int((expire_at or 0) * 1000))

    def delete(self, key):
        """Whether the key was there."""
        return self._do("del", lambda r: r.number != 0, key=key)

    def type(self, key):
        """"none", "string", "set" or "hash"."""
        return self._do("type", lambda r: _TYPES[r.number], key=key)

    def exists(self, key):
        return self._do("type", lambda r: r.number != 0, key=key)

    def incr(self, key, delta=1):
        """Adds delta to a counter; the sum."""
        return self._do("incr", lambda r: r.number, key=key, delta=delta)

    def expire(self, key, at):
        """Gives the key a deadline, seconds since 1970; None: it never expires."""
        self._do("expire", lambda r: None, key=key, number=int((at or 0) * 1000))

    def deadline(self, key):
        """Seconds since 1970, or None."""
        return self._do("deadline", lambda r: r.number / 1000 if r.number else None, key=key)

    def count(self):
        """Number of keys."""
        return self._do("count", lambda r: r.number)

    def sadd(self, key, *elements):
        """How many were new."""
        return self._do("sadd", lambda r: r.number, key=key, items=elements)

    def srem(self, key, *elements):
        """How many were there."""
        return self._do("srem", lambda r: r.number, key=key, items=elements)

    def sismember(self, key, element):
        return self._do("sismember", lambda r: r.number != 0, key=key, value=element)

    def scard(self, key):
        """Number of elements."""
        return self._do("scard", lambda r: r.number, key=key)

    def hset(self, key, mapping):
        """How many fields were new."""
        items = [part for pair in mapping.items() for part in pair]
        return self._do("hset", lambda r: r.number, key=key, items=items)

    def hget(self, key, field, default=None):
        return self._do("hget", lambda r: _take(r.value), key=key, value=field,
                        default=default)

    def hdel(self, key, *fields):
        """How many were there."""
        return self._do("hdel", lambda r: r.number, key=key, items=fields)

    def hincr(self, key, field, delta=1):
        """Adds delta to a counter in a hash; the sum."""
        return self._do("hincr", lambda r: r.number, key=key, value=field, delta=delta)

    def hlen(self, key):
        """Number of fields."""
        return self._do("hlen", lambda r: r.number, key=key)


class _Op:
    def __init__(self, name, convert, fields):
        self.code, self.convert, self.fields = _CODES[name], convert, fields
        self.default = fields.pop("default", _Op)

    def put(self, into, keep):
        into.code = self.code
        for name, value in self.fields.items():
            if name in ("key", "value"):
                keep.bytes(value, getattr(into, name))
            elif name == "items":
                into.items, into.n_items = keep.list(value), len(value)
            else:
                setattr(into, name, value)

    def result(self, r):
        if r.err == 0:
            return self.convert(r)
        code = _name(r.err)
        if code == "ENOENT" and self.default is not _Op:
            return self.default
        return _error(code, _text(_lib.rj_err_text(r.err)))


class _Group(_Operations):
    """Operations that are collected. results: after the end, one for each."""

    def __init__(self, client, atomic):
        self._client, self._atomic, self._ops, self.results = client, atomic, [], None

    def _do(self, name, convert, **fields):
        self._ops.append(_Op(name, convert, fields))

    def run(self):
        """Does them; one result each, an Error where one failed (none is raised)."""
        self.results = self._client._run(self._ops, self._atomic)
        self._ops = []
        return self.results

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if kind is None:
            for result in self.run():
                if isinstance(result, Error):
                    raise result


class Client(_Operations):
    """A connection to the daemon. socket: path (default: where `rejoin` looks); bucket:
    its name (default: the daemon's default bucket); timeout: seconds, None: none."""

    def __init__(self, socket=None, bucket=None, timeout=60):
        path = _ffi.new("char[]", os.fsencode(socket)) if socket else _ffi.NULL
        opts = _ffi.new("struct rj_client_opts *")
        opts.size = _ffi.sizeof("struct rj_client_opts")
        opts.socket, opts.interruptible = path, True
        opts.timeout_ms = _milliseconds(timeout)
        why, c = _ffi.new("char[]", _WHY_MAX), _ffi.new("struct rj_client **")
        self._c = None
        err = _lib.rj_client_open(opts, why, _WHY_MAX, c)
        if err != 0:
            raise _error(_name(err), _text(why))
        self._c = c[0]
        if bucket is not None:
            self.use(bucket)

    def close(self):
        if self._c is not None:
            _lib.rj_client_close(self._c)
        self._c = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.close()

    def __del__(self):
        self.close()

    def _handle(self):
        if self._c is None:
            raise ValueError("the client is closed")
        return self._c

    def _check(self, err):
        if err != 0:
            raise _error(_name(err), _text(_lib.rj_client_why(self._c)),
                         _text(_lib.rj_client_hint(self._c)))

    def _run(self, ops, atomic):
        keep = _Keep()
        c_ops = _ffi.new("struct rj_op[]", max(1, len(ops)))
        results = _ffi.new("struct rj_op_result[]", max(1, len(ops)))
        for op, into in zip(ops, c_ops):
            op.put(into, keep)
        self._check(_lib.rj_client_run(self._handle(), c_ops, len(ops), atomic, results))
        return [op.result(r) for op, r in zip(ops, results)]

    def _do(self, name, convert, **fields):
        result, = self._run([_Op(name, convert, fields)], False)
        if isinstance(result, Error):
            raise result
        return result

    def use(self, bucket):
        """The bucket of the calls that follow; None: the daemon's default one."""
        name = _ffi.new("char[]", bucket.encode()) if bucket is not None else _ffi.NULL
        self._check(_lib.rj_client_use(self._handle(), name))

    def atomic(self):
        """A group of operations that every node sees together or not at all."""
        return _Group(self, True)

    def pipeline(self):
        """A group of operations in one request."""
        return _Group(self, False)

    def smembers(self, key):
        """All elements of a set."""
        keep, items, n = _Keep(), _ffi.new("struct rj_bytes **"), _ffi.new("size_t *")
        self._check(_lib.rj_client_smembers(self._handle(), keep.list([key])[0], items, n))
        return {_take(items[0][i]) for i in range(n[0])}

    def hgetall(self, key):
        """All fields of a hash, in their order."""
        keep, pairs, n = _Keep(), _ffi.new("struct rj_pair **"), _ffi.new("size_t *")
        self._check(_lib.rj_client_hgetall(self._handle(), keep.list([key])[0], pairs, n))
        return {_take(pairs[0][i].field): _take(pairs[0][i].value) for i in range(n[0])}

    def keys(self, count=1000):
        """Walks all keys; each that is there all the time comes exactly once."""
        cursor = 0
        while True:
            cursor, some = self._do(
                "scan", lambda r: (r.cursor, [_take(r.items[i]) for i in range(r.n_items)]),
                cursor=cursor, number=count)
            yield from some
            if cursor == 0:
                return

    def wait(self, peers=1, durable=False):
        """Waits until what this node has written in the bucket so far is received (or
        durable) at so many other members, and with durable also here. At how many it is."""
        reached = _ffi.new("uint32_t *")
        self._check(_lib.rj_client_wait(self._handle(), peers, 1 if durable else 0, reached))
        return reached[0]

    def verb(self, verb, **arguments):
        """Any verb of the control socket: c.verb("bucket.add", name="guests"). Its result."""
        keep, args = _Keep(), _ffi.new("struct rj_client_arg[]", max(1, len(arguments)))
        for arg, (key, value) in zip(args, arguments.items()):
            name = _ffi.new("char[]", key.encode())
            keep.held.append(name)
            arg.key = name
            if isinstance(value, bool):
                arg.kind, arg.number = _BOOL, value
            elif isinstance(value, int):
                arg.kind, arg.number = _UINT, value
            elif isinstance(value, (list, tuple)):
                arg.kind, arg.items, arg.n_items = _LIST, keep.list(value), len(value)
            else:
                arg.kind = _TEXT
                keep.bytes(value, arg.text)
        text = _ffi.new("char **")
        self._check(_lib.rj_client_verb(self._handle(), verb.encode(), args, len(arguments),
                                        text))
        return json.loads(_text(text[0]))

    def status(self, bucket=None):
        """The state of the node, of all buckets or one, and of the peers."""
        return self.verb("status", **({} if bucket is None else {"name": bucket}))

    def watch(self, on_event):
        """Calls on_event(event) for what happens on the node, until that returns False.
        event: {"time", "level", "event", "text"}; None once, first: it has begun."""
        failure = []

        def tell(_, ev):
            try:
                event = None if ev == _ffi.NULL else {
                    "time": ev.time_ms / 1000, "level": _text(ev.level),
                    "event": _text(ev.event), "text": _text(ev.text)}
                return on_event(event) is not False
            except BaseException as e:  # goes on where the watch was begun
                failure.append(e)
                return False

        fn = _ffi.callback("rj_client_event_fn", tell)
        err = _lib.rj_client_watch(self._handle(), fn, _ffi.NULL)
        if failure:
            raise failure[0]
        self._check(err)

    def cancel(self):
        """Ends the call that is under way, or the next one. From any thread."""
        _lib.rj_client_cancel(self._handle())

    def set_timeout(self, seconds):
        """Of the calls that follow; None: none."""
        _lib.rj_client_set_timeout(self._handle(), _milliseconds(seconds))

    @property
    def daemon_version(self):
        return _text(_lib.rj_client_daemon_version(self._handle()))
