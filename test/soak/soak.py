#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Three real daemons on loopback, six Redis clients that write to them, and kill -9,
stops and pauses at random. What a client was told to be durable (WAITAOF) must be there
in the end, at every node; nothing may be there that nobody wrote; and all nodes must come
to one digest.

    soak.py BUILD [MINUTES [SEED [BYTES-OF-LOG]]]

A small log makes nodes that were away take the state instead. Ends with 0 iff all held;
the homes are kept where it did not."""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

NODES, WRITERS = 3, 6
KEYS, COUNTERS, SETS, HASHES, FIELDS = 3000, 50, 5, 20, 7
BATCH_MOST, REPLY_SECONDS, EQUAL_SECONDS = 60, 60, 240


class Node:
    def __init__(self, build, home, name, log_bytes):
        self.rejoin, self.home = os.path.join(build, "rejoin"), home
        os.makedirs(home)
        self.port = free_port()
        self.pid = None
        for key, value in {
            "port.peer": free_port(),
            "port.resp": self.port,
            "port.web": 0,
            "listen.peer": "127.0.0.1",
            "device.name": name,
            "limit.log": log_bytes,
        }.items():
            self.run("config", "set", key, str(value))

    def run(self, *args):
        env = dict(os.environ, REJOIN_HOME=self.home)
        done = subprocess.run(
            [self.rejoin, *args], env=env, capture_output=True, text=True, timeout=120
        )
        if done.returncode != 0:
            raise RuntimeError(f"rejoin {' '.join(args)}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def up(self):
        self.pid = json.loads(self.run("--json", "up"))["pid"]

    def down(self):
        self.run("down")
        self.pid = None

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.pid = None

    def pause(self, seconds):
        os.kill(self.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self.pid, signal.SIGCONT)

    def digest(self):
        return json.loads(self.run("--json", "bucket", "show", "data"))["digest"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Redis:
    """One connection; error replies are values, a connection that ends is OSError."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), REPLY_SECONDS * 2)
        self.file = self.socket.makefile("rb")

    def run(self, commands):
        out = bytearray()
        for command in commands:
            out += b"*%d\r\n" % len(command)
            for word in command:
                word = str(word).encode()
                out += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(out)
        return [self.reply() for _ in commands]

    def read(self, n):
        data = self.file.read(n)
        if len(data) < n:
            raise OSError("closed")
        return data

    def reply(self):
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise OSError("closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if int(rest) < 0 else self.read(int(rest) + 2)[:-2].decode()
        if kind in (b"*", b"~"):
            return [self.reply() for _ in range(int(rest))]
        raise OSError(f"not a reply: {line!r}")


class Writer(threading.Thread):
    """Writes at one node, and remembers what may be there: of its own keys the last value
    that was acknowledged and those after it, of counters and sets that all write to the
    least and the most."""

    def __init__(self, number, node, seed, stop):
        super().__init__()
        self.number, self.node, self.stop = number, node, stop
        self.rng = random.Random(seed * 1000 + number)
        self.may = {}  # key, or (key, field) -> values; None: not there
        self.least, self.most = {}, {}  # counters
        self.must, self.n, self.acknowledged, self.wrong = set(), 0, 0, []

    def choose(self):
        """What is done, as (what, where, value) and as a command."""
        self.n += 1
        dice, w = self.rng.random(), self.number
        key = f"w{w}:{self.rng.randrange(KEYS)}"
        if dice < 0.5:
            value = f"{self.n}-" + "x" * self.rng.randrange(200)
            return ("key", key, value), ("SET", key, value)
        if dice < 0.6:
            return ("key", key, None), ("DEL", key)
        if dice < 0.8:
            key, by = f"c:{self.rng.randrange(COUNTERS)}", self.rng.randint(1, 9)
            return ("counter", key, by), ("INCRBY", key, by)
        if dice < 0.9:
            name = f"{w}.{self.n}"
            return ("element", name, None), ("SADD", f"s:{self.n % SETS}", name)
        at = (f"h{w}:{self.rng.randrange(HASHES)}", f"f{self.n % FIELDS}")
        return ("key", at, str(self.n)), ("HSET", *at, self.n)

    def note_sent(self, done):
        for what, where, value in done:
            if what == "key":
                self.may.setdefault(where, [None]).append(value)
            elif what == "counter":
                self.most[where] = self.most.get(where, 0) + value

    def note_acknowledged(self, done):
        self.acknowledged += len(done)
        for what, where, value in done:
            if what == "key":
                self.may[where] = [value]
            elif what == "counter":
                self.least[where] = self.least.get(where, 0) + value
            else:
                self.must.add(where)

    def run(self):
        link = None
        while not self.stop.is_set():
            chosen = [self.choose() for _ in range(self.rng.randint(1, BATCH_MOST))]
            done = [c[0] for c in chosen]
            try:
                link = link or Redis(self.node.port)
                self.note_sent(done)
                wait = ("WAITAOF", 1, 0, REPLY_SECONDS * 1000)
                replies = link.run([c[1] for c in chosen] + [wait])
            except OSError:
                link = None
                time.sleep(0.1)
                continue
            errors = [r for r in replies if isinstance(r, RuntimeError)]
            self.wrong += [f"writer {self.number}: {e}" for e in errors]
            if not errors and replies[-1][0] == 1:
                self.note_acknowledged(done)


def disturb(nodes, until, rng):
    counts = {"kills": 0, "stops": 0, "pauses": 0}
    while time.monotonic() < until:
        time.sleep(rng.uniform(0.3, 4))
        node, dice = rng.choice(nodes), rng.random()
        if dice < 0.2:
            node.pause(rng.choice([0.1, 1, 8]))
            counts["pauses"] += 1
            continue
        if dice < 0.8:
            node.kill()
            counts["kills"] += 1
        else:
            node.down()
            counts["stops"] += 1
        time.sleep(rng.choice([0, 0, 0.5, 5, 12]))
        node.up()
    return counts


def await_equal(nodes):
    begun = time.monotonic()
    while len({n.digest() for n in nodes}) > 1:
        if time.monotonic() - begun > EQUAL_SECONDS:
            return ["the nodes do not come to one digest"]
        time.sleep(0.5)
    return []


def look(node, writers):
    """What is at that node and should not, or should be and is not."""
    link, wrong = Redis(node.port), []
    for w in writers:
        for where, may in sorted(w.may.items(), key=str):
            command = ("HGET", *where) if isinstance(where, tuple) else ("GET", where)
            got = link.run([command])[0]
            if got not in may:
                wrong.append(f"{where}: {got!r:.40}, not in {str(may):.200}")
    for key in sorted({key for w in writers for key in w.most}):
        got = int(link.run([("GET", key)])[0] or 0)
        least = sum(w.least.get(key, 0) for w in writers)
        most = sum(w.most.get(key, 0) for w in writers)
        if not least <= got <= most:
            wrong.append(f"{key}: {got}, not in {least}..{most}")
    have = set()
    for i in range(SETS):
        have.update(link.run([("SMEMBERS", f"s:{i}")])[0])
    for w in writers:
        wrong += [f"element {name} is not there" for name in sorted(w.must - have)]
    return wrong


def main(build, minutes="2", seed="1", log_bytes="65536"):
    home, stop = tempfile.mkdtemp(prefix="rejoin-soak."), threading.Event()
    wrong, nodes = [], []
    try:
        for i in range(NODES):
            nodes.append(Node(build, f"{home}/{i}", f"node{i}", log_bytes))
            nodes[i].up()
        nodes[0].run("bucket", "add", "data")
        for node in nodes[1:]:
            node.run("join", json.loads(nodes[0].run("--json", "invite"))["ticket"])
        writers = [Writer(i, nodes[i % NODES], int(seed), stop) for i in range(WRITERS)]
        for w in writers:
            w.start()
        try:
            until = time.monotonic() + float(minutes) * 60
            counts = disturb(nodes, until, random.Random(int(seed)))
        finally:
            stop.set()
            for w in writers:
                w.join()
                wrong += w.wrong
        wrong += await_equal(nodes)
        for i, node in enumerate(nodes):
            wrong += [f"node{i}: {what}" for what in look(node, writers)]
        print(
            f"writes {sum(w.n for w in writers)}, "
            f"acknowledged {sum(w.acknowledged for w in writers)}, "
            + ", ".join(f"{k} {v}" for k, v in counts.items())
            + f", wrong {len(wrong)}"
        )
    finally:
        for node in nodes:
            if node.pid is not None:
                node.down()
    print("\n".join(wrong[:50]))
    if wrong:
        print("homes are kept in " + home)
        return 1
    shutil.rmtree(home)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
