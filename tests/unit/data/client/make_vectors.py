#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the files here: a small log with its tiles, signatures in every format, proofs and trust files.

Independent of hsmd: Python's standard library and the openssl command.  Keys are fresh at each run and thrown
away at its end, so a second run gives other files that are just as good; commit all of them together.

usage: make_vectors.py [FOLDER]
"""
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

ORIGIN = "log.example/hsmd-test"
SIZE = 259
OPENSSL = "openssl"


def run(*args, data=None):
    return subprocess.run([OPENSSL, *args], input=data, check=True, capture_output=True).stdout


def sha256(data):
    return hashlib.sha256(data).digest()


def b64(data):
    return base64.b64encode(data).decode()


class Key:
    def __init__(self, folder, name, *genpkey):
        self.path = os.path.join(folder, name)
        run("genpkey", *genpkey, "-out", self.path)
        self.spki = run("pkey", "-in", self.path, "-pubout", "-outform", "DER")

    def sign(self, data, *options):
        return run("dgst", *options, "-sign", self.path, data=data)

    def sign_ed25519(self, data):
        with tempfile.NamedTemporaryFile() as f:
            f.write(data)
            f.flush()
            return run("pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", f.name)

    def raw_ed25519(self):
        return self.spki[-32:]


# ---- the tree (RFC 6962), by its recursive definition ----

def leaf_hash(entry):
    return sha256(b"\0" + entry)


def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def root(leaves):
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\1" + root(leaves[:k]) + root(leaves[k:]))


def path(m, leaves):
    if len(leaves) <= 1:
        return []
    k = split(len(leaves))
    if m < k:
        return path(m, leaves[:k]) + [root(leaves[k:])]
    return path(m - k, leaves[k:]) + [root(leaves[:k])]


# ---- notes ----

def key_id(name, raw):
    return sha256(name.encode() + b"\n\x01" + raw)[:4]


def vkey(name, raw):
    return "%s+%s+%s" % (name, key_id(name, raw).hex(), b64(b"\x01" + raw))


def checkpoint(origin, size, hash_, key, key_name):
    text = "%s\n%d\n%s\n" % (origin, size, b64(hash_))
    signature = key_id(key_name, key.raw_ed25519()) + key.sign_ed25519(text.encode())
    return "%s\n\u2014 %s %s\n" % (text, key_name, b64(signature))


def proof(index, entries, note):
    leaves = [leaf_hash(e) for e in entries]
    lines = ["c2sp.org/tlog-proof@v1", "extra " + b64(entries[index]), "index %d" % index]
    lines += [b64(h) for h in path(index, leaves)]
    return "\n".join(lines) + "\n\n" + note


# ---- entries ----

def time(n):
    return "2026-03-01T12:%02d:%02d.000000Z" % (n // 60, n % 60)


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


POLICY = {"serial": 3, "sha256": sha256(b"policy").hex()}
SOURCE = {"uri": "https://git.example/product", "gitCommit": "a" * 40, "sha256": sha256(b"source").hex()}


def request(intent, name, content, key_name, spki, format_, size):
    artifact = {"name": name}
    if size is not None:
        artifact["size"] = size
    artifact["sha256"] = sha256(content).hex()
    return {
        "intent": intent,
        "requested": time(intent),
        "site": "one",
        "requester": {"name": "farm", "uid": 1000},
        "release": "product",
        "artifact": artifact,
        "source": SOURCE,
        "attestations": [{"id": sha256(b"a1").hex(), "org": "farm"}, {"id": sha256(b"a2").hex(), "org": "overseer"}],
        "policy": POLICY,
        "key": {"name": key_name, "spki_sha256": sha256(spki).hex()},
        "format": format_,
    }


def refusal(n):
    return compact({"type": "hsmd/refusal@v1", "time": time(n), "site": "one", "requester": {"uid": 1001},
                    "reason": "quorum-orgs", "count": 1, "first": time(n), "policy": POLICY})


def genesis():
    return compact({"type": "hsmd/genesis@v1", "time": time(0), "origin": ORIGIN, "site": "one", "policy": POLICY})


# ---- tiles ----

def write(path_, data):
    os.makedirs(os.path.dirname(path_), exist_ok=True)
    with open(path_, "wb") as f:
        f.write(data)


def write_tiles(folder, entries):
    level, hashes = 0, [leaf_hash(e) for e in entries]
    while hashes:
        for n in range((len(hashes) + 255) // 256):
            part = hashes[n * 256:(n + 1) * 256]
            suffix = "" if len(part) == 256 else ".p/%d" % len(part)
            write("%s/tile/%d/%03d%s" % (folder, level, n, suffix), b"".join(part))
            if level == 0:
                bundle = b"".join(len(e).to_bytes(2, "big") + e for e in entries[n * 256:(n + 1) * 256])
                write("%s/tile/entries/%03d%s" % (folder, n, suffix), bundle)
        hashes = [root(hashes[i:i + 256]) for i in range(0, len(hashes) - 255, 256)]
        level += 1


# ---- all of it ----

def main():
    out = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(__file__) or ".")
    content = b"The artifact: some bytes that were rebuilt.\n" * 20
    pss = ("-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32")

    with tempfile.TemporaryDirectory() as tmp:
        log = Key(tmp, "log", "-algorithm", "ed25519")
        other_log = Key(tmp, "log2", "-algorithm", "ed25519")
        p256 = Key(tmp, "p256", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        other = Key(tmp, "other", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        p384 = Key(tmp, "p384", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384")
        rsa = Key(tmp, "rsa", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072")
        ed = Key(tmp, "ed", "-algorithm", "ed25519")

        # name of the files -> signature, key name, key, format, size in the entry
        signed = {
            "ecdsa-p256": (p256.sign(content, "-sha256"), "release-p256", p256, "raw-ecdsa", len(content)),
            "ecdsa-p384": (p384.sign(content, "-sha384"), "release-p384", p384, "raw-ecdsa", len(content)),
            "rsa-pkcs1": (rsa.sign(content, "-sha256"), "release-rsa", rsa, "raw-rsa-pkcs1-sha256", len(content)),
            "rsa-pss": (rsa.sign(content, *pss), "release-rsa", rsa, "raw-rsa-pss-sha256", len(content)),
            "ed25519": (ed.sign_ed25519(content), "release-ed25519", ed, "raw-ed25519", len(content)),
            "digest-only": (p256.sign(content, "-sha256"), "release-p256", p256, "raw-ecdsa", None),
            # logged all the same, but wrong: what only the last checks can find
            "wrong-size": (p256.sign(content, "-sha256"), "release-p256", p256, "raw-ecdsa", len(content) + 1),
            "wrong-signature": (p256.sign(content + b"x", "-sha256"), "release-p256", p256, "raw-ecdsa", len(content)),
            "unknown-key": (other.sign(content, "-sha256"), "nobody", other, "raw-ecdsa", len(content)),
            "unknown-format": (p256.sign(content, "-sha256"), "release-p256", p256, "raw-other", len(content)),
        }
        entries, index = [genesis()], {"genesis": 0}
        for n, (name, (signature, key_name, key, format_, size)) in enumerate(signed.items()):
            q = request(n + 1, "artifact.bin", content, key_name, key.spki, format_, size)
            index[name] = len(entries)
            entries.append(compact({"type": "hsmd/signature@v1", "time": time(n + 1), **q,
                                    "signature_sha256": sha256(signature).hex()}))
        q = request(90, "artifact.bin", content, "release-p256", p256.spki, "raw-ecdsa", len(content))
        q["requested"] = time(11)
        index["abandoned"] = len(entries)
        entries.append(compact({"type": "hsmd/abandoned@v1", "time": time(11), **q, "reason": "token-failed"}))
        while len(entries) < SIZE:
            entries.append(refusal(len(entries)))

        hash_ = root([leaf_hash(e) for e in entries])
        note = checkpoint(ORIGIN, SIZE, hash_, log, ORIGIN)
        os.makedirs(out, exist_ok=True)
        write(out + "/artifact.bin", content)
        write(out + "/other.bin", content[:-1] + b"!")
        for name, n in index.items():
            write("%s/%s.tlog-proof" % (out, name), proof(n, entries, note).encode())
            if name in signed:
                write("%s/%s.sig" % (out, name), signed[name][0])

        # The same entry in the log of somebody else, and under another origin by the same key.
        n = index["ecdsa-p256"]
        write(out + "/other-log.tlog-proof",
              proof(n, entries, checkpoint("other.example/log", SIZE, hash_, other_log, "other.example/log")).encode())
        write(out + "/other-origin.tlog-proof",
              proof(n, entries, checkpoint("other.example/log", SIZE, hash_, log, ORIGIN)).encode())
        # An entry that was never logged.
        forged = list(entries)
        forged[n] = entries[n].replace(b'"uid":1000', b'"uid":1001')
        write(out + "/not-in-log.tlog-proof", proof(n, forged, note).encode())

        head = "hsmd-trust 1\nlog %s\n" % vkey(ORIGIN, log.raw_ed25519())
        line = "key %s algorithm %s spki %s formats %s\n"
        keys = [
            ("release-p256", "ecdsa-p256", p256, "raw-ecdsa"),
            ("release-p384", "ecdsa-p384", p384, "raw-ecdsa"),
            ("release-rsa", "rsa", rsa, "raw-rsa-pkcs1-sha256 raw-rsa-pss-sha256"),
            ("release-ed25519", "ed25519", ed, "raw-ed25519"),
        ]
        lines = [line % (name, a, b64(k.spki), f) for name, a, k, f in keys]
        write(out + "/trust", ("# the customer's\n" + head + "".join(lines)).encode())
        write(out + "/trust-other-key",
              (head + line % ("release-p256", "ecdsa-p256", b64(other.spki), "raw-ecdsa")).encode())
        write(out + "/trust-pkcs1-only",
              (head + line % ("release-rsa", "rsa", b64(rsa.spki), "raw-rsa-pkcs1-sha256")).encode())

        shutil.rmtree(out + "/log", ignore_errors=True)
        write_tiles(out + "/log", entries)
        write(out + "/log/checkpoint", note.encode())


if __name__ == "__main__":
    main()
