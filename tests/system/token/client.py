#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A peer of hsmd-token that shares no code with it: frames as hsmd/token/wire.h describes them.

    client.py SOCKET hello
    client.py SOCKET open  --uri URI --spki DER --type TYPE
    client.py SOCKET sign  --uri URI --spki DER --type TYPE --mechanism M (--file F | --content F) --out SIG [--count N]
    client.py SOCKET raw   HEX          send these bytes after HELLO
    client.py SOCKET hold  SECONDS      log in and stay

Prints "status: text".  Exit: 0 status token-ok; 3 another status; 4 the connection ended without an answer.
"""
import argparse
import array
import fcntl
import hashlib
import os
import socket
import struct
import sys
import time

STATUS = ["token-ok", "token-module", "token-absent", "token-pin-refused", "token-login", "token-key-missing",
          "token-key-ambiguous", "token-key-unsafe", "token-key-mismatch", "token-failed", "token-refused",
          "token-fault"]
TYPES = ["ed25519", "ecdsa-p256", "ecdsa-p384", "rsa"]
MECHANISMS = ["ecdsa", "rsa-pkcs1", "rsa-pss", "eddsa"]
HELLO, OPEN, OPENED, SIGN, SIGNED = 1, 2, 3, 4, 5
FRAME = 32 * 1024
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


class Ended(Exception):
    pass


def text(data):
    return struct.pack(">H", len(data)) + data


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if self.at + size > len(self.data):
            raise ValueError("frame too short")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def text(self):
        return self.take(self.number(2))

    def done(self):
        if self.at != len(self.data):
            raise ValueError("bytes after the frame")


class Token:
    """One connection.  `hello` is (status, label, manufacturer, model, serial, message)."""

    def __init__(self, path, timeout=30):
        self.sequence = 0
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        c = self.receive(HELLO, 1)
        self.hello = (STATUS[c.number(1)], *[c.text().decode() for _ in range(5)])
        c.done()

    def send(self, kind, n, body, fds=()):
        self.sequence += 1
        frame = struct.pack(">BBHI", 1, kind, n, self.sequence) + body
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([frame], control)

    def receive(self, kind, n):
        try:
            data = self.socket.recv(FRAME + 1)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Ended()
        c = Cursor(data)
        header = struct.unpack(">BBHI", c.take(8))
        expected = (1, kind, n, 0 if kind == HELLO else self.sequence)
        if header != expected:
            raise ValueError(f"header {header}, expected {expected}")
        return c

    def open(self, handle, kind, uri, spki):
        body = struct.pack(">HB", handle, TYPES.index(kind)) + text(uri.encode()) + text(spki)
        self.send(OPEN, 1, body)
        c = self.receive(OPENED, 1)
        if c.number(2) != handle:
            raise ValueError("answer for another handle")
        answer = (STATUS[c.number(1)], c.text().decode())
        c.done()
        return answer

    def sign(self, handle, mechanism, messages, fd=None, fds=None):
        """List of (status, ckr, signature)."""
        body = b"".join(struct.pack(">HBB", handle, MECHANISMS.index(mechanism), 0 if fd is None else 1) + text(m)
                        for m in messages)
        self.send(SIGN, len(messages), body, fds if fds is not None else [] if fd is None else [fd])
        c = self.receive(SIGNED, len(messages))
        answers = []
        for _ in messages:
            status, ckr, _usec = STATUS[c.number(1)], c.number(4), c.number(4)
            answers.append((status, ckr, c.text()))
        c.done()
        return answers

    def close(self):
        self.socket.close()


def sealed(data, seals=fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW):
    fd = os.memfd_create("content", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def message_for(mechanism, kind, data):
    if mechanism == "eddsa":
        return data
    digest = (hashlib.sha384 if kind == "ecdsa-p384" else hashlib.sha256)(data).digest()
    return DIGEST_INFO + digest if mechanism == "rsa-pkcs1" else digest


def ecdsa_to_der(raw):
    def integer(b):
        b = b.lstrip(b"\0") or b"\0"
        b = (b"\0" if b[0] & 0x80 else b"") + b
        return b"\x02" + bytes([len(b)]) + b
    half = len(raw) // 2
    body = integer(raw[:half]) + integer(raw[half:])
    return b"\x30" + (bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])) + body


def finish(status, message):
    print(f"{status}: {message}")
    sys.exit(0 if status == "token-ok" else 3)


def run_sign(token, a, spki):
    status, message = token.open(1, a.type, a.uri, spki)
    if status != "token-ok":
        finish(status, message)
    for path in [a.content] if a.content else []:
        with open(path, "rb") as f:
            answers = token.sign(1, a.mechanism, [b""], fd=sealed(f.read()))
    if a.file:
        with open(a.file, "rb") as f:
            answers = token.sign(1, a.mechanism, [message_for(a.mechanism, a.type, f.read())] * a.count)
    for status, ckr, signature in answers:
        if status != "token-ok":
            finish(status, f"0x{ckr:x}")
    if a.out:
        with open(a.out, "wb") as f:
            f.write(ecdsa_to_der(signature) if a.mechanism == "ecdsa" else signature)
    finish(status, f"{len(answers)} signatures")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("socket")
    p.add_argument("verb", choices=["hello", "open", "sign", "raw", "hold"])
    p.add_argument("value", nargs="?")
    p.add_argument("--uri")
    p.add_argument("--spki")
    p.add_argument("--type", choices=TYPES)
    p.add_argument("--mechanism", choices=MECHANISMS)
    p.add_argument("--file")
    p.add_argument("--content")
    p.add_argument("--out")
    p.add_argument("--count", type=int, default=1)
    a = p.parse_args()
    try:
        token = Token(a.socket)
        status, *names, message = token.hello
        if status != "token-ok" or a.verb == "hello":
            finish(status, message or " ".join(names))
        if a.verb == "hold":
            print("holding", flush=True)
            time.sleep(float(a.value))
            finish("token-ok", "held")
        if a.verb == "raw":
            token.socket.send(bytes.fromhex(a.value))
            data = token.socket.recv(FRAME)
            if not data:
                raise Ended()
            finish("token-ok", data.hex())
        with open(a.spki, "rb") as f:
            spki = f.read()
        if a.verb == "open":
            finish(*token.open(1, a.type, a.uri, spki))
        run_sign(token, a, spki)
    except Ended:
        print("ended")
        sys.exit(4)


if __name__ == "__main__":
    main()
