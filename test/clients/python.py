#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""python3-redis as Debian has it: python.py PORT BUCKET"""
import os
import subprocess
import sys
import time

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

port, bucket = int(sys.argv[1]), sys.argv[2]
count = failures = 0


def check(name, play):
    global count, failures
    count += 1
    try:
        play()
        print(f"ok {count} - {name}", flush=True)
    except Exception as e:  # the test goes on
        failures += 1
        print(f"not ok {count} - {name}\n# {type(e).__name__}: {e}", flush=True)


def until(look):
    end = time.monotonic() + 60
    while not look():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.02)


r = redis.Redis(port=port, decode_responses=True,
                retry=Retry(ConstantBackoff(0.1), 100),
                retry_on_error=[redis.exceptions.ConnectionError])
r.flushdb()


def strings():
    assert r.set("k", "v", ex=100) and r.get("k") == "v" and r.ttl("k") == 100
    assert r.incrby("n", 5) == 5 and r.mget("k", "n", "x") == ["v", "5", None]
    assert r.getdel("k") == "v" and not r.exists("k")
    assert r.mset({"a": 1, "b": 2}) and sorted(r.keys("[ab]")) == ["a", "b"]


def collections():
    assert r.sadd("s", "a", "b") == 2 and r.smembers("s") == {"a", "b"}
    assert r.sunion("s", "other") == {"a", "b"} and r.spop("s") in ("a", "b")
    assert r.hset("h", mapping={"f": 1, "g": 2}) == 2
    assert r.hgetall("h") == {"f": "1", "g": "2"} and r.hincrby("h", "f", 4) == 5


def pipelines():
    with r.pipeline(transaction=False) as p:
        for i in range(1000):
            p.set(f"p:{i}", i)
        assert all(p.execute())
    with r.pipeline(transaction=True) as p:
        assert p.set("t", 1).incr("t").execute() == [True, 2]
    assert len(set(r.scan_iter("p:*", count=100))) == 1000


def messages():
    ear = r.pubsub(ignore_subscribe_messages=True)
    heard = []
    ear.subscribe("news")
    ear.psubscribe("n*")

    def listen():
        m = ear.get_message(timeout=0.1)
        if m:
            heard.append((m["type"], m["data"]))
        return len(heard) == 2

    until(lambda: r.pubsub_numsub("news") == [("news", 1)] and r.pubsub_numpat() == 1)
    assert r.publish("news", "hi") == 2
    until(listen)
    assert sorted(heard) == [("message", "hi"), ("pmessage", "hi")]
    ear.close()


def refusals():
    try:
        r.lpush("l", "x")
    except redis.exceptions.ResponseError as e:
        assert "a bucket has no lists" in str(e)
    else:
        raise AssertionError("LPUSH was taken")


def users():
    other = redis.Redis.from_url(
        f"redis://{bucket}:{os.environ['TOKEN']}@127.0.0.1:{port}", decode_responses=True)
    assert other.set("where", bucket) and other.acl_whoami() == bucket
    assert r.get("where") is None
    wrong = redis.Redis.from_url(f"redis://{bucket}:wrong@127.0.0.1:{port}")
    try:
        wrong.ping()
    except redis.exceptions.RedisError as e:
        assert "WRONGPASS" in str(e)
        return
    raise AssertionError("a wrong token was taken")


def comes_back():
    assert r.set("kept", "v")
    subprocess.run(os.environ["RESTART"], shell=True, check=True,
                   stdout=subprocess.DEVNULL)
    assert r.get("kept") == "v"


check("strings", strings)
check("sets and hashes", collections)
check("pipelines and transactions", pipelines)
check("messages", messages)
check("what is refused is an error with a reason", refusals)
check("a user and a token", users)
check("it comes back after a restart", comes_back)
print(f"1..{count}")
sys.exit(failures > 0)
