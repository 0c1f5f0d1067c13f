# SPDX-License-Identifier: Apache-2.0
"""The Python binding against a daemon. Needs REJOIN_CLIENT_LIBRARY, and a daemon at
REJOIN_HOME that has a bucket "data" and another member of it."""

import os
import signal
import threading
import time
import unittest

import rejoin


class Data(unittest.TestCase):
    def setUp(self):
        self.c = rejoin.Client(bucket="data")
        self.addCleanup(self.c.close)

    def test_strings_and_counters(self):
        c = self.c
        c.set("k", b"\0\xff")
        self.assertEqual(c.get("k"), b"\0\xff")
        c.set("k", "")
        self.assertEqual(c.get("k"), b"")
        self.assertIsNone(c.get("none"))
        self.assertEqual(c.get("none", b"d"), b"d")
        self.assertEqual(c.incr("n", -5), -5)
        self.assertEqual(c.incr("n"), -4)
        self.assertEqual(c.type("n"), "string")
        self.assertTrue(c.exists("n"))
        self.assertTrue(c.delete("n"))
        self.assertFalse(c.delete("n"))
        at = int(time.time()) + 1000
        c.set("t", "v", expire_at=at)
        c.set("t", "w", keep_ttl=True)
        self.assertEqual(c.deadline("t"), at)
        c.expire("t", None)
        self.assertIsNone(c.deadline("t"))

    def test_sets_and_hashes(self):
        c = self.c
        self.assertEqual(c.sadd("s", "a", b"b", ""), 3)
        self.assertEqual(c.srem("s", "a", "x"), 1)
        self.assertTrue(c.sismember("s", "b"))
        self.assertEqual(c.scard("s"), 2)
        self.assertEqual(c.smembers("s"), {b"b", b""})
        self.assertEqual(c.hset("h", {"f": "1", "g": "x"}), 2)
        self.assertEqual(c.hincr("h", "f", 2), 3)
        self.assertEqual(c.hget("h", "f"), b"3")
        self.assertIsNone(c.hget("h", "none"))
        self.assertEqual(c.hgetall("h"), {b"f": b"3", b"g": b"x"})
        self.assertEqual(c.hdel("h", "g"), 1)
        self.assertEqual(c.hlen("h"), 1)

    def test_all_keys_come_once(self):
        for i in range(25):
            self.c.set("walk:%d" % i, "x")
        keys = [k for k in self.c.keys(count=7) if k.startswith(b"walk:")]
        self.assertEqual(sorted(keys), sorted(b"walk:%d" % i for i in range(25)))
        self.assertGreaterEqual(self.c.count(), 25)

    def test_groups(self):
        with self.c.atomic() as group:
            group.set("g", "1")
            group.incr("g", 4)
            group.get("g")
            group.get("nothing")
        self.assertEqual(group.results, [None, 5, b"5", None])
        group = self.c.pipeline()
        group.scard("g")
        group.incr("g")
        wrong, six = group.run()
        self.assertIsInstance(wrong, rejoin.WrongType)
        self.assertEqual(six, 6)
        with self.assertRaises(rejoin.WrongType):
            with self.c.atomic() as group:
                group.scard("g")

    def test_a_wait_tells_how_many_have_it(self):
        self.c.incr("w")
        self.assertEqual(self.c.wait(peers=1, durable=True), 1)
        self.c.set_timeout(0.05)
        with self.assertRaises(TimeoutError):
            self.c.wait(peers=9)

    def test_errors_have_names_and_texts(self):
        self.c.use("nowhere")
        with self.assertRaises(rejoin.NotFound) as caught:
            self.c.get("k")
        self.assertEqual(caught.exception.code, "ENOENT")
        self.assertIn("nowhere", str(caught.exception))
        with self.assertRaises(rejoin.Error) as caught:
            self.c.verb("frobnicate")
        self.assertEqual(caught.exception.code, "EVERSION")
        with self.assertRaises(ConnectionError):
            rejoin.Client(socket="/nonexistent/control")
        closed = rejoin.Client()
        closed.close()
        with self.assertRaises(ValueError):
            closed.count()

    def test_status_and_verbs(self):
        status = self.c.status()
        self.assertIn("data", [s["name"] for s in status["spaces"]])
        self.assertEqual(self.c.status("data")["spaces"][0]["name"], "data")
        self.assertEqual(self.c.verb("bucket.show", name="data")["name"], "data")
        self.assertIn("ticket", self.c.verb("invite", names=["data"], uses=2))
        self.assertEqual(self.c.daemon_version, status["version"])

    def test_events_are_watched(self):
        events = []

        def on_event(event):
            if event is None:
                with rejoin.Client() as other:
                    other.verb("bucket.add", name="watched")
                return True
            events.append(event)
            return event["event"] != "bucket.added"

        self.c.watch(on_event)
        self.assertIn("name=watched", events[-1]["text"])

        def fails(event):
            raise LookupError("as it should")

        with self.assertRaises(LookupError):
            self.c.watch(fails)
        self.assertGreaterEqual(self.c.count(), 0)

    def test_a_call_is_cancelled_by_a_thread_and_by_a_signal(self):
        begun = threading.Event()

        def cancel():
            begun.wait()
            self.c.cancel()

        thread = threading.Thread(target=cancel)
        thread.start()
        with self.assertRaises(rejoin.Cancelled):
            self.c.watch(lambda event: begun.set())
        thread.join()

        def on_alarm(signo, frame):
            raise InterruptedError("as it should")

        old = signal.signal(signal.SIGALRM, on_alarm)
        self.addCleanup(signal.signal, signal.SIGALRM, old)
        with self.assertRaises(InterruptedError):
            self.c.watch(lambda event: signal.setitimer(signal.ITIMER_REAL, 0.05))


if __name__ == "__main__":
    if not os.environ.get("REJOIN_CLIENT_LIBRARY"):
        raise SystemExit("REJOIN_CLIENT_LIBRARY is not set")
    unittest.main()
