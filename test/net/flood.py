#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stranger on the network.

  flood.py hear FILE N    writes the first N beacons of different senders to FILE, in hex
  flood.py send FILE N    sends N datagrams: noise, too large ones, what was heard again,
                          the same with a bit changed, beacons of keys nobody knows
"""
import os
import random
import socket
import sys

PORT = 7340


def hear(path, count):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", PORT))
    open(path + ".ready", "w").close()
    heard = {}
    while len(heard) < count:
        data, sender = s.recvfrom(2048)
        heard[sender[0]] = data
    with open(path + ".new", "w") as f:
        f.writelines(d.hex() + "\n" for d in heard.values())
    os.rename(path + ".new", path)


def forge(heard, i):
    kind = i % 6
    data = bytearray(random.choice(heard))
    if kind == 0:
        return random.randbytes(random.randrange(1, 300))
    if kind == 1:
        return random.randbytes(1400)
    if kind == 2:
        return bytes(data)
    if kind == 3:  # newer by its clock, so that its signature has to be looked at
        data[-1] ^= 1
        data[39] += 1
        return bytes(data)
    if kind == 4:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        return bytes(data)
    data[4:36] = random.randbytes(32)
    return bytes(data)


def send(path, count):
    random.seed(1)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    heard = [bytes.fromhex(line) for line in open(path)]
    for i in range(count):
        s.sendto(forge(heard, i), ("10.1.0.255", PORT))


{"hear": hear, "send": send}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
