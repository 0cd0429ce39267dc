# SPDX-License-Identifier: Apache-2.0
"""What has to hold between a journal, what its clients were told, and what the token was asked, whatever happened.

Shares no code with hsmd: entries come from the tiles, C_Sign calls from the record of p11shim, signatures are checked
by OpenSSL."""
import base64
import collections
import hashlib
import json
import sqlite3

import evp
import verify_artifact
import verify_log
from verify_log import fail

# CK_MECHANISM_TYPE of a C_Sign, and what is signed under it.
CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_ECDSA, CKM_EDDSA = 0x1, 0xd, 0x1041, 0x1057
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")

Told = collections.namedtuple("Told", "key format name content signature proof entry")
Asked = collections.namedtuple("Asked", "mechanism data signature")


def question(mechanism, data):
    """(format, what it says of the artifact) of a C_Sign, None if it is of a checkpoint."""
    if mechanism == CKM_ECDSA:
        return ("raw-ecdsa", data)
    if mechanism == CKM_RSA_PKCS:
        if not data.startswith(SHA256_INFO) or len(data) != len(SHA256_INFO) + 32:
            fail("C_Sign of RSA PKCS #1 with other data than a SHA-256: %s", data.hex())
        return ("raw-rsa-pkcs1-sha256", data[len(SHA256_INFO):])
    if mechanism == CKM_RSA_PKCS_PSS:
        return ("raw-rsa-pss-sha256", data)
    if mechanism != CKM_EDDSA:
        fail("C_Sign with mechanism 0x%x", mechanism)
    return None


def read_asked(path):
    """Every C_Sign in RECORD.signed of p11shim: what it was asked, and the signature if it returned one."""
    asked, done = {}, {}
    with open(path, encoding="ascii") as f:
        for line in f:
            what, pid, n, value, data = line.rstrip("\n").split(" ")
            (asked if what == "asked" else done)[pid, n] = (int(value, 16), bytes.fromhex(data))
    calls = []
    for at, (mechanism, data) in asked.items():
        rv, signature = done.get(at, (None, b""))
        calls.append(Asked(mechanism, data, signature if rv == 0 else None))
    return calls


def prefix_roots(leaves):
    """Root of the first n leaves, for every n: by the peaks of RFC 6962, highest first."""
    roots, peaks = [hashlib.sha256(b"").digest()], []
    for leaf in leaves:
        peak = (1, leaf)
        while peaks and peaks[-1][0] == peak[0]:
            size, left = peaks.pop()
            peak = (2 * size, verify_log.hash_node(left, peak[1]))
        peaks.append(peak)
        root = peaks[-1][1]
        for _, left in reversed(peaks[:-1]):
            root = verify_log.hash_node(left, root)
        roots.append(root)
    return roots


class History:
    def __init__(self, folder, trust, state=None):
        """The whole log, checked."""
        self.vkey, self.keys = verify_artifact.read_trust(trust)
        self.summary = verify_log.verify(folder, self.vkey, state=state)
        self.size, _ = verify_log.open_checkpoint(verify_log.read(folder + "/checkpoint"), self.vkey)
        self.raw = verify_log.read_entries(folder, self.size)
        self.entries = [json.loads(e) for e in self.raw]
        self.roots = prefix_roots([verify_log.hash_leaf(e) for e in self.raw])
        self.log_key = evp.ed25519(self.vkey.public)
        self.public = {name: evp.PublicKey(key["spki"]) for name, key in self.keys.items()}
        self.seen = set()

    def of_type(self, kind):
        return [e for e in self.entries if e["type"] == "hsmd/%s@v1" % kind]

    def check_point(self, size, root, where):
        if size > self.size:
            fail("%s is of %d entries, the log has %d", where, size, self.size)
        if root != self.roots[size]:
            fail("%s: root of %d entries is %s, that of the log %s", where, size, root.hex(), self.roots[size].hex())

    def check_checkpoint(self, note, where):
        """A signed checkpoint is a prefix of this log."""
        if note in self.seen:
            return
        text, _, lines = note.partition(b"\n\n")
        signature = base64.b64decode(lines.split(b" ")[2])[4:]
        if not self.log_key.verify("raw-ed25519", text + b"\n", signature):
            fail("%s: the signature on the checkpoint does not verify", where)
        origin, size, root = text.split(b"\n")
        if origin != self.vkey.name:
            fail("%s: checkpoint of %r", where, origin)
        self.check_point(int(size), base64.b64decode(root), where)
        self.seen.add(note)

    def check_told(self, told, proof_path):
        """A client was told this signature: it is in the log, under its proof, and good."""
        where = "answer for %s with %s" % (told.name, told.format)
        if told.entry >= self.size:
            fail("%s: entry %d is not in the log", where, told.entry)
        entry = self.entries[told.entry]
        want = {"type": "hsmd/signature@v1", "format": told.format,
                "signature_sha256": hashlib.sha256(told.signature).hexdigest()}
        if any(entry.get(k) != v for k, v in want.items()) or entry["key"]["name"] != told.key or \
                entry["artifact"]["sha256"] != hashlib.sha256(told.content).hexdigest():
            fail("%s: entry %d is of something else: %s", where, told.entry, entry)
        if not self.public[told.key].verify(self.form(told.key, told.format), told.content, told.signature):
            fail("%s: the signature does not verify", where)
        with open(proof_path, "w", encoding="utf-8") as f:
            f.write(told.proof)
        raw, index, hashes, note = verify_artifact.read_proof(proof_path)
        if raw != self.raw[told.entry] or index != told.entry:
            fail("%s: the proof is of another entry", where)
        self.check_checkpoint(note, where)
        _, size, root = note.split(b"\n")[:3]
        verify_artifact.check_inclusion(raw, index, hashes, int(size), base64.b64decode(root))

    def form(self, key, form):
        return "raw-ecdsa-sha384" if self.keys[key]["algorithm"] == "ecdsa-p384" else form

    def check_asked(self, calls, contents):
        """Each C_Sign has its entry, each signature that came back is accounted for.  contents: what may be signed."""
        accounted, signed = collections.Counter(), {}
        for entry in self.of_type("signature") + self.of_type("abandoned"):
            accounted[entry["format"], entry["artifact"]["sha256"]] += 1
        for entry in self.of_type("signature"):
            signed.setdefault((entry["format"], entry["artifact"]["sha256"]), []).append(entry["signature_sha256"])
        by_data = {}
        for content in contents:
            digest = hashlib.sha256(content)
            for data in (digest.digest(), content):
                by_data[data] = digest.hexdigest()

        used, points = collections.Counter(), {}
        for call in calls:
            if call.mechanism == CKM_EDDSA and call.data.startswith(self.vkey.name + b"\n"):
                _, size, root, _ = call.data.split(b"\n")
                if points.setdefault(int(size), root) != root:
                    fail("C_Sign of two checkpoints of size %s with different roots", size.decode())
                self.check_point(int(size), base64.b64decode(root), "checkpoint that the token was asked for")
                continue
            form, data = question(call.mechanism, call.data) or ("raw-ed25519", call.data)
            if data not in by_data:
                fail("C_Sign of something that nobody may have signed: %s", data.hex())
            used[form, by_data[data]] += 1
        for at, n in used.items():
            if n > accounted[at]:
                fail("%d C_Sign of %s with %s, but %d entries", n, at[1], at[0], accounted[at])
        return len(points), sum(used.values())

    def check_once(self):
        """No question has two signature entries."""
        seen = set()
        for entry in self.of_type("signature"):
            at = (entry["key"]["name"], entry["format"], entry["artifact"]["sha256"])
            if at in seen:
                fail("two signature entries for %s", at)
            seen.add(at)


def open_intents(state):
    db = sqlite3.connect("file:%s?mode=ro" % state, uri=True)
    try:
        return db.execute("SELECT count(*) FROM intents").fetchone()[0]
    finally:
        db.close()
