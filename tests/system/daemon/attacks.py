# SPDX-License-Identifier: Apache-2.0
"""Peers that misbehave, one a process: attacks.py NAME DIR UID.  Exit 0 if hsmd did what it should.  Some
say that they are holding, and stay until their standard input ends."""
import json
import os
import random
import resource
import socket
import sys
import time

import varlink

GET_INFO = b'{"method":"org.varlink.service.GetInfo"}'
MESSAGE_LIMIT = 1 << 20
MESSAGE_TIMEOUT = 10
WRITE_TIMEOUT = 30


def connect(role="sign", timeout=60):
    return varlink.Connection(os.path.join(sys.argv[2], "run", role + ".sock"), timeout)


def hold():
    print("holding")
    sys.stdout.flush()
    sys.stdin.read()


def is_alive(c):
    c.send_bytes(GET_INFO + b"\0")
    return "interfaces" in c.receive()[0]


def gone(c):
    """Seconds until the connection ended without an answer."""
    start = time.monotonic()
    try:
        answer = c.receive_bytes()
    except varlink.Gone:
        return time.monotonic() - start
    raise AssertionError("an answer: %r" % answer[:200])


def bytewise():
    """Slow, but in time."""
    with connect() as c:
        for byte in GET_INFO + b"\0":
            c.send_bytes(bytes([byte]))
            time.sleep(0.02)
        assert c.receive()[0]["interfaces"]


def trickle():
    """A byte now and then does not keep a message alive."""
    with connect() as c:
        c.socket.settimeout(0.5)
        start = time.monotonic()
        while True:
            try:
                c.send_bytes(b" ")
                c.receive_bytes()
                raise AssertionError("an answer")
            except socket.timeout:
                if time.monotonic() - start > MESSAGE_TIMEOUT + 5:
                    raise AssertionError("half a message lives on") from None
            except varlink.Gone:
                assert time.monotonic() - start > MESSAGE_TIMEOUT - 2
                return


def half():
    with connect() as c:
        c.send_bytes(GET_INFO[:10])
        assert MESSAGE_TIMEOUT - 2 < gone(c) < MESSAGE_TIMEOUT + 5


def length():
    with connect() as c:
        c.send_bytes(GET_INFO + b" " * (MESSAGE_LIMIT - len(GET_INFO)) + b"\0")
        assert c.receive()[0]["interfaces"]
        assert is_alive(c)
    with connect() as c:
        try:
            c.send_bytes(b" " * (MESSAGE_LIMIT + 1) + GET_INFO + b"\0")
        except varlink.Gone:
            return
        gone(c)


def malformed():
    bad = (b"", b"[" * 200000, b'{"method":' * 40 + b"1" + b"}" * 40, GET_INFO[:-1], GET_INFO + b"x", b"\xff" + GET_INFO, b"null",
           b'{"method":"a","method":"org.varlink.service.GetInfo"}', b'{"method":"a\\u0000"}', b'{"method":1e400}', b"GET / HTTP/1.1\r\n")
    for message in bad:
        with connect() as c:
            c.send_bytes(message + b"\0")
            assert gone(c) < 5, message[:50]
    refused = (b"{}", b'{"method":1}', b'{"method":"x"}', b'{"method":"a.b.C"}', b'{"method":"org.hsmd.Sign.Sign"}',
               b'{"method":"org.hsmd.Sign.Sign","parameters":[]}', b'{"method":"org.hsmd.Sign.Sign","parameters":{"key":"k","artifacts":[]}}',
               b'{"method":"org.hsmd.Sign.Sign","parameters":{"key":"k","artifacts":[{"name":"a","fd":0}]}}',
               b'{"method":"org.hsmd.Sign.Attest","parameters":{"fd":-1}}', b'{"method":"org.hsmd.Journal.List"}',
               b'{"method":"org.hsmd.Sign.Sign","parameters":{"key":"k","artifacts":[' + b'{"name":"a"},' * 1024 + b'{"name":"a"}]}}')
    with connect() as c:
        for message in refused:
            c.send_bytes(message + b"\0")
            try:
                raise AssertionError("%r was answered with %s" % (message[:80], c.receive()))
            except varlink.VarlinkError as e:
                assert e.name.startswith(("org.varlink.service.", "org.hsmd.Sign.Refused")), e
        assert is_alive(c)


def many():
    """Connections beyond the quota are turned away at once; those within are served."""
    served, kept = 0, []
    for _ in range(500):
        try:
            c = connect(random.choice(("sign", "audit", "officer")))
            if is_alive(c):
                served += 1
                kept.append(c)
        except varlink.Gone:
            pass
    assert 40 <= served <= 64, "%d connections are served" % served
    hold()
    assert all(is_alive(c) for c in kept)


def descriptors():
    """Beyond what one request can name, and beyond what a uid may have here."""
    null = os.open("/dev/null", os.O_RDONLY)
    with connect() as c:
        try:
            for _ in range(5):
                c.send_bytes(b" " * 5, [null] * varlink.FDS_PER_SEND)
        except varlink.Gone:
            pass
        assert gone(c) < 5
    kept = []
    for _ in range(12):
        c = connect()
        try:
            c.send_bytes(b"{", [null] * varlink.FDS_PER_SEND)
            c.socket.settimeout(0.3)
            c.receive_bytes()
        except socket.timeout:
            kept.append(c)
        except varlink.Gone:
            pass
    assert len(kept) == 8, "%d connections with 253 descriptors each" % len(kept)
    hold()


def deaf():
    """Asks for much and does not read: nothing is read from it meanwhile, and in the end it is dropped."""
    call = json.dumps({"method": "org.hsmd.Journal.List", "parameters": {"limit": 1000}}).encode() + b"\0"
    held = []
    for _ in range(20):
        c = connect("audit")
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.socket.settimeout(0.5)
        try:
            for _ in range(1000):
                c.send_bytes(call)
        except socket.timeout:
            pass
        held.append(c)
    time.sleep(WRITE_TIMEOUT + 4)
    for c in held:
        c.socket.settimeout(10)
        try:
            while True:
                c.receive_bytes()
        except varlink.Gone:
            pass


def leave():
    """Away again at any stage."""
    end = time.monotonic() + 6
    sign = json.dumps({"method": "org.hsmd.Sign.Sign", "more": True, "parameters": {"key": "release-p256", "artifacts": [
        {"name": "x", "fd": i} for i in range(64)]}}).encode() + b"\0"
    whole = (sign, json.dumps({"method": "org.hsmd.Journal.List", "parameters": {"limit": 1000}}).encode() + b"\0")
    fd = varlink.open_artifact(os.urandom(1 << 20))
    while time.monotonic() < end:
        try:
            c = connect(random.choice(("sign", "audit")))
            message = random.choice(whole)
            c.send_bytes(message[:random.choice((0, 1, len(message) // 2, len(message)))], [fd] * 64 if message is sign else ())
            if random.random() < 0.3:
                c.socket.shutdown(socket.SHUT_WR)
            if random.random() < 0.5:
                c.socket.settimeout(random.uniform(0.001, 0.05))
                c.socket.recv(random.choice((1, 4096)))
        except (varlink.Gone, OSError):
            pass
        c.close()


def huge():
    """Files that take long to hash, on several connections."""
    held = []
    for _ in range(4):
        c = connect()
        fd = os.memfd_create("huge")
        os.ftruncate(fd, 10 << 30)
        c.send("org.hsmd.Sign.Sign", {"key": "release-p256", "artifacts": [{"name": "x", "fd": 0}]}, [fd])
        held.append(c)
    hold()


def flood():
    """As many questions as it can ask; each is refused."""
    end, connections = time.monotonic() + 6, [connect() for _ in range(8)]
    digests = [{"sha256": "%064x" % random.getrandbits(256)} for _ in range(1024)]
    call = {"key": "release-p256", "artifacts": [{"name": "x", **d} for d in digests]}
    n = 0
    while time.monotonic() < end:
        for c in connections:
            c.send("org.hsmd.Sign.Sign", call)
        for c in connections:
            n += sum(r["outcome"] == "refused" for r in c.receive()[0]["results"])
    assert n > 10000, "%d refusals" % n


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if os.getuid() != int(sys.argv[3]):
        uid = int(sys.argv[3])
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    globals()[sys.argv[1]]()
    return 0


sys.exit(main())
