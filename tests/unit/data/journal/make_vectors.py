#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes vectors.h: trees, proofs, notes and entries from the definitions alone.

The trees follow the recursive definition of RFC 6962 section 2.1, the JSON comes from Python's own encoder and the
signatures from the openssl program.  Ed25519 is deterministic, so a second run writes the same file.

    ./make_vectors.py > vectors.h
"""
import base64
import hashlib
import json
import os
import subprocess
import tempfile

ORIGIN = "log.example.org/journal"


def h(data):
    return hashlib.sha256(data).digest()


def split(n):
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def leaf(d):
    return h(b"\x00" + d)


def node(a, b):
    return h(b"\x01" + a + b)


def mth(d):
    if len(d) == 0:
        return h(b"")
    if len(d) == 1:
        return leaf(d[0])
    k = split(len(d))
    return node(mth(d[:k]), mth(d[k:]))


def path(m, d):
    if len(d) == 1:
        return []
    k = split(len(d))
    if m < k:
        return path(m, d[:k]) + [mth(d[k:])]
    return path(m - k, d[k:]) + [mth(d[:k])]


def subproof(m, d, complete):
    if m == len(d):
        return [] if complete else [mth(d)]
    k = split(len(d))
    if m <= k:
        return subproof(m, d[:k], complete) + [mth(d[k:])]
    return subproof(m - k, d[k:], False) + [mth(d[:k])]


class Key:
    """An Ed25519 key whose seed is the hash of its label."""

    def __init__(self, label):
        der = bytes.fromhex("302e020100300506032b657004220420") + h(label.encode())
        fd, self.file = tempfile.mkstemp()
        os.write(fd, der)
        os.close(fd)
        public = subprocess.run(["openssl", "pkey", "-inform", "DER", "-in", self.file, "-pubout", "-outform", "DER"],
                                check=True, capture_output=True).stdout
        self.public = public[-32:]

    def sign(self, message):
        with tempfile.NamedTemporaryFile() as f:
            f.write(message)
            f.flush()
            return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", self.file,
                                   "-in", f.name], check=True, capture_output=True).stdout

    def id(self, name, kind):
        return h(name.encode() + b"\n" + bytes([kind]) + self.public)[:4]

    def vkey(self, name, kind=1):
        return "%s+%s+%s" % (name, self.id(name, kind).hex(),
                             base64.b64encode(bytes([kind]) + self.public).decode())

    def line(self, name, text, kind=1):
        body = self.id(name, kind) + self.sign(text)
        return b"\xe2\x80\x94 " + name.encode() + b" " + base64.b64encode(body) + b"\n"


def c_string(data, indent="        "):
    if isinstance(data, str):
        data = data.encode()
    lines, line = [], ""
    for b in data:
        c = chr(b)
        if c == "\n":
            piece = "\\n"
        elif c in "\"\\":
            piece = "\\" + c
        elif 0x20 <= b < 0x7f:
            piece = c
        else:
            piece = "\\%03o" % b
        line += piece
        if c == "\n" or len(line) > 80:
            lines.append(line)
            line = ""
    if line or not lines:
        lines.append(line)
    return ("\n" + indent).join('"%s"' % x for x in lines)


def define(name, data):
    print("static const char %s[] =\n        %s;\n" % (name, c_string(data)))


def entries(n):
    return [b"entry %d" % i for i in range(n)]


def checkpoint_text(origin, n):
    return ("%s\n%d\n%s\n" % (origin, n, base64.b64encode(mth(entries(n))).decode())).encode()


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def trees():
    sizes = list(range(0, 34)) + [63, 64, 65, 127, 128, 129, 150, 255, 256, 257, 299, 300]
    print("/* Root of the tree of \"entry 0\" to \"entry <size - 1>\" */")
    print("static const struct {\n        uint64_t size;\n        const char *root;\n} vector_roots[] = {")
    for n in sizes:
        print('        {%d, "%s"},' % (n, mth(entries(n)).hex()))
    print("};\n")
    print("static const struct {\n        uint64_t index, size;\n        const char *proof;\n} vector_inclusion[] = {")
    for n in [1, 2, 3, 5, 7, 8, 13, 33, 256, 257, 300]:
        for m in sorted({0, 1, n // 2, n - 2, n - 1} & set(range(n))):
            print('        {%d, %d,\n         %s},' %
                  (m, n, c_string(b"".join(path(m, entries(n))).hex(), "         ")))
    print("};\n")
    print("static const struct {\n        uint64_t old_size, new_size;\n        const char *proof;\n"
          "} vector_consistency[] = {")
    for n in [1, 2, 3, 7, 8, 13, 33, 256, 257, 300]:
        for m in sorted({1, 2, 3, 4, 6, n // 2, n - 1, n, 255, 256} & set(range(1, n + 1))):
            print('        {%d, %d,\n         %s},' %
                  (m, n, c_string(b"".join(subproof(m, entries(n), True)).hex(), "         ")))
    print("};\n")


def notes(log, other, witness):
    define("VECTOR_ORIGIN", ORIGIN)
    define("VECTOR_VKEY", log.vkey(ORIGIN))
    define("VECTOR_VKEY_OTHER", other.vkey("other.example.org/log"))
    # The same name and another key, the same key and another name: neither is the log.
    define("VECTOR_VKEY_SAME_NAME", other.vkey(ORIGIN))
    define("VECTOR_VKEY_SAME_KEY", log.vkey("other.example.org/log"))
    define("VECTOR_VKEY_WITNESS", witness.vkey("witness.example.org/w1", 4))
    print("/* Identity of order 1: every signature of R = [s]B verifies under it. */")
    weak = Key.__new__(Key)
    weak.public = bytes([1]) + bytes(31)
    define("VECTOR_VKEY_WEAK", weak.vkey("weak.example.org"))
    print("static const uint8_t VECTOR_KEY[32] = {%s};\n" % ", ".join("0x%02x" % b for b in log.public))

    text = b"One line.\n\nAnd one after an empty line.\n"
    define("VECTOR_TEXT", text)
    define("VECTOR_SIGNATURE", base64.b64encode(log.sign(text)))
    define("VECTOR_NOTE", text + b"\n" + log.line(ORIGIN, text))
    unknown = "\u2014 unknown.example.org/x ".encode() + base64.b64encode(b"\x00\x00\x00\x01" + b"?" * 40) + b"\n"
    define("VECTOR_LINE", log.line(ORIGIN, text))
    define("VECTOR_LINE_OTHER", other.line("other.example.org/log", text))
    define("VECTOR_LINE_UNKNOWN", unknown)
    bad = log.id(ORIGIN, 1) + log.sign(text + b"!")
    define("VECTOR_LINE_BAD", "\u2014 ".encode() + ORIGIN.encode() + b" " + base64.b64encode(bad) + b"\n")
    # Line of the log's name and id, but with a key of type 0x04: it is another key's.
    define("VECTOR_LINE_TYPE_4", log.line(ORIGIN, text, 4))


def checkpoints(log):
    for n in [0, 1, 7, 300]:
        text = checkpoint_text(ORIGIN, n)
        define("VECTOR_CHECKPOINT_%d" % n, text + b"\n" + log.line(ORIGIN, text))
    text = checkpoint_text("other.example.org/log", 7)
    print("/* Signed by the log, for the origin of another: the name of a key proves nothing. */")
    define("VECTOR_CHECKPOINT_OTHER_ORIGIN", text + b"\n" + log.line(ORIGIN, text))
    text = checkpoint_text(ORIGIN, 7) + b"extension\n"
    define("VECTOR_CHECKPOINT_EXTENSION", text + b"\n" + log.line(ORIGIN, text))
    text = ("%s\n0\n%s\n" % (ORIGIN, base64.b64encode(bytes(32)).decode())).encode()
    print("/* The empty tree with the root that some libraries give it by mistake. */")
    define("VECTOR_CHECKPOINT_ZERO_ROOT", text + b"\n" + log.line(ORIGIN, text))


def proofs(log):
    for n, m in [(1, 0), (7, 4), (300, 299)]:
        text = checkpoint_text(ORIGIN, n)
        head = ["c2sp.org/tlog-proof@v1", "extra " + base64.b64encode(entries(n)[m]).decode(), "index %d" % m]
        head += [base64.b64encode(x).decode() for x in path(m, entries(n))]
        define("VECTOR_PROOF_%d_%d" % (n, m), "\n".join(head + ["", ""]).encode() + text + b"\n" +
               log.line(ORIGIN, text))


def fill(n):
    return bytes([n]) * 32


def entry_forms():
    policy = {"serial": 3, "sha256": fill(0xa0).hex()}
    source = {"uri": "git+https://example.org/src", "gitCommit": "0123456789abcdef0123456789abcdef01234567",
              "sha256": fill(0xa1).hex()}
    members = {
        "intent": 41, "requested": "2026-08-01T12:00:00.000001Z", "site": "berlin",
        "requester": {"name": "farm", "uid": 1001}, "release": "product",
        "artifact": {"name": "a \"quoted\"\\ \u00e4\u20ac\U0001f511\t\u0001\u007f", "size": 12345,
                     "sha256": fill(0xa2).hex()},
        "source": source,
        "attestations": [{"id": fill(0xa3).hex(), "org": "farm"}, {"id": fill(0xa4).hex(), "org": "overseer"}],
        "policy": policy, "key": {"name": "release-p256", "spki_sha256": fill(0xa5).hex()}, "format": "raw-ecdsa"}
    define("VECTOR_REQUEST", compact(members)[1:-1])
    define("VECTOR_ENTRY_SIGNATURE", compact({"type": "hsmd/signature@v1", "time": "2026-08-01T12:00:00.500000Z",
                                              **members, "signature_sha256": fill(0xa6).hex()}))
    define("VECTOR_ENTRY_ABANDONED", compact({"type": "hsmd/abandoned@v1", "time": "2026-08-01T12:00:01.000000Z",
                                              **members, "reason": "token-error"}))
    small = dict(members, artifact={"name": "x", "sha256": fill(0xa2).hex()}, attestations=[])
    define("VECTOR_ENTRY_SIGNATURE_SMALL", compact({"type": "hsmd/signature@v1",
                                                    "time": "2026-08-01T12:00:00.500000Z", **small,
                                                    "signature_sha256": fill(0xa6).hex()}))
    define("VECTOR_ENTRY_GENESIS", compact({"type": "hsmd/genesis@v1", "time": "1970-01-01T00:00:00.000000Z",
                                            "origin": ORIGIN, "site": "berlin", "policy": policy}))
    attestation = {"type": "hsmd/attestation@v1", "time": "2026-08-01T11:00:00.000000Z", "site": "berlin",
                   "submitter": {"uid": 4294967295}, "attestation": {"id": fill(0xa3).hex(), "size": 2048},
                   "release": "product", "source": source,
                   "signers": [{"rebuilder": "farm-1", "org": "farm"}, {"rebuilder": "farm-2", "org": "farm"}],
                   "subjects": {"n": 2, "first": {"name": "db.bin", "sha256": fill(0xa2).hex()}}}
    define("VECTOR_ENTRY_ATTESTATION", compact({**attestation, "policy": policy}))
    define("VECTOR_ENTRY_DISSENT", compact({**attestation, "contradicts": [fill(0xb0).hex(), fill(0xb1).hex()],
                                            "policy": policy}))
    refusal = {"type": "hsmd/refusal@v1", "time": "2026-08-01T11:00:00.000000Z", "site": "berlin",
               "requester": {"uid": 0}, "reason": "quorum-orgs", "count": 7, "first": "2026-08-01T10:59:00.000000Z"}
    define("VECTOR_ENTRY_REFUSAL", compact({**refusal, "key": "release-p256", "release": "product",
                                            "artifact": {"name": "db.bin", "sha256": fill(0xa2).hex()},
                                            "policy": policy}))
    define("VECTOR_ENTRY_REFUSAL_SMALL", compact({**refusal, "policy": policy}))


def main():
    print("/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by make_vectors.py: do not edit. */\n#pragma once\n"
          "#include <stdint.h>\n\n/* clang-format off */\n/* NOLINTBEGIN */")
    print("#pragma GCC diagnostic push\n#pragma GCC diagnostic ignored \"-Wunused-const-variable\"\n"
          "#pragma GCC diagnostic ignored \"-Wunused-variable\"\n")
    log, other, witness = Key("hsmd test log"), Key("hsmd test other"), Key("hsmd test witness")
    trees()
    notes(log, other, witness)
    checkpoints(log)
    proofs(log)
    entry_forms()
    print("#pragma GCC diagnostic pop\n/* NOLINTEND */\n/* clang-format on */")
    for key in (log, other, witness):
        os.unlink(key.file)


if __name__ == "__main__":
    main()
