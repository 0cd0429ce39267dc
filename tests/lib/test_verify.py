#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of verify_log.py and verify_artifact.py: logs made here from the definitions, and each of them spoilt."""
import base64
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../unit/data/journal")]
sys.dont_write_bytecode = True

import make_vectors  # noqa: E402
import verify_artifact  # noqa: E402
import verify_log  # noqa: E402

ORIGIN = "log.example.org/journal"
KEY = make_vectors.Key("log of the verifier's tests")
VKEY = verify_log.Vkey(KEY.vkey(ORIGIN))
POLICY = {"serial": 1, "sha256": "aa" * 32}
SOURCE = {"uri": "git+https://example.org/src", "gitCommit": "12" * 20, "sha256": "bb" * 32}


def tearDownModule():
    os.unlink(KEY.file)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def time(i):
    return "2026-08-01T12:%02d:%02d.000000Z" % (i // 60 % 60, i % 60)


def genesis(origin=ORIGIN):
    return compact({"type": "hsmd/genesis@v1", "time": time(0), "origin": origin, "site": "berlin", "policy": POLICY})


def signature_entry(i, **changes):
    members = {
        "type": "hsmd/signature@v1", "time": time(i), "intent": i, "requested": time(i), "site": "berlin",
        "requester": {"name": "farm", "uid": 1000}, "release": "product",
        "artifact": {"name": "db-%d.bin" % i, "size": i, "sha256": "cc" * 32}, "source": SOURCE,
        "attestations": [{"id": "dd" * 32, "org": "farm"}], "policy": POLICY,
        "key": {"name": "release", "spki_sha256": "ee" * 32}, "format": "raw-ecdsa", "signature_sha256": "ff" * 32}
    members.update(changes)
    return compact(members)


def entries_of(n):
    return [genesis()] + [signature_entry(i) for i in range(1, n)] if n else []


def checkpoint(entries, origin=ORIGIN, key=KEY):
    text = "%s\n%d\n%s\n" % (origin, len(entries), base64.b64encode(make_vectors.mth(entries)).decode())
    return text.encode() + b"\n" + key.line(ORIGIN, text.encode())


def put(folder, path, data):
    path = os.path.join(folder, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def number(n):
    text = "%03d" % (n % 1000)
    return text if n < 1000 else "x" * (n < 1000000) + number(n // 1000) + "/" + text


def write_tiles(folder, entries):
    """From the definition: tile(l, n)[i] = MTH(D[(n*256+i)*256^l : (n*256+i+1)*256^l])."""
    level, rows = 0, [make_vectors.leaf(e) for e in entries]
    while rows:
        for at in range(0, len(rows), 256):
            tile = rows[at:at + 256]
            name = number(at // 256) + ("" if len(tile) == 256 else ".p/%d" % len(tile))
            put(folder, "tile/%d/%s" % (level, name), b"".join(tile))
            if level == 0:
                part = entries[at:at + 256]
                put(folder, "tile/entries/" + name, b"".join(len(e).to_bytes(2, "big") + e for e in part))
        level += 1
        rows = [make_vectors.mth(entries[i * 256**level:(i + 1) * 256**level])
                for i in range(len(entries) // 256**level)]


def write_log(folder, entries):
    write_tiles(folder, entries)
    put(folder, "checkpoint", checkpoint(entries))


def files_of(folder):
    return sorted(os.path.join(w, n) for w, _, names in os.walk(folder) for n in names)


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.log = os.path.join(self.folder, "log")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)


class LogTest(Folder):
    def good(self, **options):
        return verify_log.verify(self.log, VKEY, **options)

    def bad(self, reason, **options):
        with self.assertRaisesRegex(verify_log.Failed, reason):
            verify_log.verify(self.log, VKEY, **options)

    def bad_entries(self, reason, *entries):
        shutil.rmtree(self.log, ignore_errors=True)
        write_log(self.log, [genesis(), *entries])
        self.bad(reason)

    def test_log_of_many_sizes_is_good(self):
        for n in (0, 1, 2, 255, 256, 257, 511, 512, 513, 700):
            shutil.rmtree(self.log, ignore_errors=True)
            write_log(self.log, entries_of(n))
            self.assertIn("%d entries" % n, self.good())

    def test_log_with_any_changed_file_is_bad(self):
        write_log(self.log, entries_of(300))
        write_tiles(self.log, entries_of(290))
        self.assertEqual(len(files_of(self.log)), 8)
        self.good()
        for path in files_of(self.log):
            data = verify_log.read(path)
            for at in (0, len(data) // 2, len(data) - 1):
                put("/", path, data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
                self.bad(".")
            for spoilt in (data[:-1], data + b"\0", b"", bytes(len(data))):
                put("/", path, spoilt)
                self.bad(".")
            put("/", path, data)
        self.good()

    def test_log_with_any_needed_file_missing_is_bad(self):
        write_log(self.log, entries_of(300))
        for path in files_of(self.log):
            os.rename(path, self.path("aside"))
            self.bad("missing|No such file")
            os.rename(self.path("aside"), path)
        self.good()

    def test_partial_missing_with_full_tile_is_good(self):
        write_log(self.log, entries_of(300))
        write_tiles(self.log, entries_of(512))
        for kind in ("0", "entries"):
            os.unlink(os.path.join(self.log, "tile", kind, "001.p/44"))
        self.good()

    def test_tiles_ahead_of_the_checkpoint_are_compared_as_far_as_known(self):
        write_log(self.log, entries_of(300))
        write_tiles(self.log, entries_of(310))
        self.good()
        write_tiles(self.log, entries_of(290) + [signature_entry(i, site="paris") for i in range(290, 311)])
        self.bad("should be|another")

    def test_stray_files_are_bad(self):
        for stray in ("tile/0/x", "tile/0/0", "tile/0/000.p/0", "tile/0/000.p/256", "tile/64x/000", "tile/0/x000/000"):
            shutil.rmtree(self.log, ignore_errors=True)
            write_log(self.log, entries_of(3))
            put(self.log, stray, bytes(32))
            self.bad("is not a tile")

    def test_bundle_with_trailing_bytes_is_bad(self):
        write_log(self.log, entries_of(3))
        path = os.path.join(self.log, "tile/entries/000.p/3")
        data = verify_log.read(path)
        put("/", path, data + b"\0")
        self.bad("after the last entry")
        put("/", path, data + b"\0\0")
        self.bad("has 4 entries")

    def test_path_of_large_numbers(self):
        for n, name in ((0, "000"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")):
            self.assertEqual(verify_log.tile_name(n), name)

    def test_checkpoint_of_others_is_bad(self):
        entries = entries_of(3)
        write_log(self.log, entries)
        put(self.log, "checkpoint", checkpoint(entries, origin="other.example.org/log"))
        self.bad("origin")
        other = make_vectors.Key("another")
        self.addCleanup(os.unlink, other.file)
        put(self.log, "checkpoint", checkpoint(entries, key=other))
        self.bad("not signed by")
        put(self.log, "checkpoint", checkpoint(entries) + other.line("other.example.org/log", b"x"))
        self.good()
        put(self.log, "checkpoint", checkpoint(entries) + KEY.line(ORIGIN, b"x"))
        self.bad("does not verify")
        put(self.log, "checkpoint", checkpoint(entries) + b"\n")
        self.bad("not a signed note")

    def test_old_checkpoints_of_every_size_are_prefixes(self):
        entries = entries_of(20)
        write_log(self.log, entries)
        for n in range(21):
            put(self.folder, "old", checkpoint(entries[:n]))
            self.assertIn("extends size %d" % n, self.good(old_checkpoints=[self.path("old")]))

    def test_old_checkpoint_of_another_history_is_bad(self):
        entries = entries_of(20)
        write_log(self.log, entries)
        put(self.folder, "old", checkpoint(entries[:9] + [signature_entry(9, site="paris")]))
        self.bad("another history", old_checkpoints=[self.path("old")])
        put(self.folder, "old", checkpoint(entries_of(21)))
        self.bad("the log has 20", old_checkpoints=[self.path("old")])

    def test_entries_that_break_a_rule_are_bad(self):
        self.bad_entries("time .* is before", signature_entry(5), signature_entry(4))
        self.bad_entries("intent 5 has ended in entry 1", signature_entry(5), signature_entry(6, intent=5))
        self.bad_entries("intents begin with 1", signature_entry(5, intent=0))
        self.bad_entries("the first entry, and no other", genesis())
        self.bad_entries("unknown type", signature_entry(5, type="hsmd/other@v1"))
        self.bad_entries("should have", signature_entry(5, more=1))
        self.bad_entries("not of its form", signature_entry(5, signature_sha256="FF" * 32))
        self.bad_entries("not of its form", signature_entry(5, time="2026-08-01T12:00:05Z"))
        self.bad_entries("not of its form", signature_entry(5, intent=2**63))
        self.bad_entries("not of its form", signature_entry(5, intent=True))
        self.bad_entries("not compact", signature_entry(5).replace(b":", b": ", 1))
        self.bad_entries("not compact", signature_entry(5).replace(b"berlin", b"b\\u0065rlin"))
        self.bad_entries("not JSON", signature_entry(5).replace(b'"size":5', b'"size":5.0'))
        self.bad_entries("not JSON", b"")
        self.bad_entries("not JSON", b"\xff")
        self.bad_entries("does not begin with its type", b"[]")
        self.bad_entries("has 8[0-9]* bytes", signature_entry(5, site="x" * 7600))
        shutil.rmtree(self.log)
        write_log(self.log, [genesis("other.example.org")])
        self.bad("genesis names origin")
        shutil.rmtree(self.log)
        write_log(self.log, [signature_entry(1)])
        self.bad("the first entry, and no other")
        self.good(any_entries=True)

    def test_intents_without_end_are_counted(self):
        write_log(self.log, [genesis(), signature_entry(1), signature_entry(4), signature_entry(5, intent=3)])
        self.assertIn("1 intents not ended", self.good())

    def test_state_with_other_entries_is_bad(self):
        entries = entries_of(5)
        write_log(self.log, entries)

        def state(rows):
            if os.path.exists(self.path("state.db")):
                os.unlink(self.path("state.db"))
            db = sqlite3.connect(self.path("state.db"))
            db.execute("CREATE TABLE entries(id INTEGER PRIMARY KEY, content BLOB)")
            db.executemany("INSERT INTO entries VALUES(?, ?)", enumerate(rows))
            db.commit()
            db.close()
            return self.path("state.db")

        self.good(state=state(entries))
        self.good(state=state(entries + [b"x"]))
        self.bad("has 4 entries", state=state(entries[:4]))
        self.bad("entry 2 is another", state=state(entries[:2] + [b"x"] + entries[3:]))

    def test_vkey_of_other_forms_is_bad(self):
        text = KEY.vkey(ORIGIN)
        verify_log.Vkey(text)
        for spoilt in (text[1:], text[:-1], text + "A", text.replace("+", "+0", 1), "", KEY.vkey(ORIGIN, 4)):
            with self.assertRaises(verify_log.Failed):
                verify_log.Vkey(spoilt)

    def test_program_exits_with_the_reason(self):
        write_log(self.log, entries_of(3))
        command = [sys.executable, "-B", os.path.join(HERE, "verify_log.py"), self.log, KEY.vkey(ORIGIN)]
        good = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual((good.returncode, good.stdout.count("\n"), good.stderr), (0, 1, ""))
        os.unlink(os.path.join(self.log, "checkpoint"))
        bad = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual((bad.returncode, bad.stdout), (1, ""))
        self.assertIn("FAILED", bad.stderr)


FORMATS = {
    "raw-ecdsa": ("ecdsa-p256", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], ["-sha256"]),
    "raw-rsa-pkcs1-sha256": ("rsa", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ["-sha256"]),
    "raw-rsa-pss-sha256": ("rsa", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                           ["-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]),
    "raw-ed25519": ("ed25519", ["-algorithm", "ED25519"], None),
}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True).stdout


class ArtifactTest(Folder):
    def make(self, form, artifact=b"content", **changes):
        """A signed artifact, its proof in a log of 10 entries, and the trust file."""
        algorithm, generate, options = FORMATS[form]
        put(self.folder, "artifact", artifact)
        run("openssl", "genpkey", *generate, "-out", self.path("key"))
        if options:
            run("openssl", "dgst", *options, "-sign", self.path("key"), "-out", self.path("sig"), self.path("artifact"))
        else:
            run("openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.path("key"), "-in", self.path("artifact"), "-out",
                self.path("sig"))
        spki = run("openssl", "pkey", "-in", self.path("key"), "-pubout", "-outform", "DER")
        members = {"artifact": {"name": "artifact", "size": len(artifact), "sha256": hashlib.sha256(artifact).hexdigest()},
                   "key": {"name": "release", "spki_sha256": hashlib.sha256(spki).hexdigest()}, "format": form,
                   "signature_sha256": hashlib.sha256(verify_log.read(self.path("sig"))).hexdigest()}
        members.update(changes)
        entries = entries_of(10)
        entries[6] = signature_entry(6, **members)
        self.put_proof(entries, 6)
        self.trust = ("# what we believe\nhsmd-trust 1\nlog %s\nkey release algorithm %s spki %s formats %s # only\n" %
                      (KEY.vkey(ORIGIN), algorithm, base64.b64encode(spki).decode(), form))
        put(self.folder, "trust", self.trust.encode())

    def put_proof(self, entries, index, extra=None):
        lines = ["c2sp.org/tlog-proof@v1", "extra " + base64.b64encode(extra or entries[index]).decode(), "index %d" % index]
        lines += [base64.b64encode(h).decode() for h in make_vectors.path(index, entries)]
        put(self.folder, "proof", "\n".join(lines + ["", ""]).encode() + checkpoint(entries))

    def verify(self, **options):
        return verify_artifact.verify(self.path("artifact"), self.path("sig"), self.path("proof"), self.path("trust"),
                                      **options)

    def bad(self, reason, **options):
        with self.assertRaisesRegex(verify_log.Failed, reason):
            self.verify(**options)

    def test_every_format_is_good_and_a_changed_signature_bad(self):
        for form in FORMATS:
            self.make(form)
            self.assertIn("entry 6", self.verify())
            signature = verify_log.read(self.path("sig"))
            put(self.folder, "sig", signature[:-1] + bytes([signature[-1] ^ 1]))
            self.bad("another signature")
            wrong = hashlib.sha256(verify_log.read(self.path("sig"))).hexdigest()
            spoilt = verify_log.read(self.path("sig"))
            self.make(form, signature_sha256=wrong)
            put(self.folder, "sig", spoilt)
            self.bad("does not verify")

    def test_another_artifact_is_bad(self):
        self.make("raw-ecdsa")
        self.verify()
        put(self.folder, "artifact", b"Content")
        self.bad("another artifact")

    def test_every_changed_byte_of_the_proof_is_bad(self):
        self.make("raw-ecdsa")
        data = verify_log.read(self.path("proof"))
        for at in [*range(0, 30), *range(30, len(data), 61), len(data) - 1]:
            put(self.folder, "proof", data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
            self.bad(".")
        for spoilt in (data[:-1], data + b"\n", data + b"x", data.replace(b"\n", b"\r\n"), b""):
            put(self.folder, "proof", spoilt)
            self.bad(".")
        put(self.folder, "proof", data)
        self.verify()

    def test_entry_that_is_not_in_the_tree_is_bad(self):
        self.make("raw-ecdsa")
        entries = entries_of(10)
        entry = verify_artifact.read_proof(self.path("proof"))[0]
        self.put_proof(entries, 6, extra=entry)
        self.bad("not in the tree")

    def test_entry_of_another_type_is_bad(self):
        self.make("raw-ecdsa")
        self.put_proof(entries_of(10), 0)
        self.bad("of type hsmd/genesis@v1")

    def test_key_that_is_not_trusted_is_bad(self):
        self.make("raw-ecdsa")
        self.verify(wanted="release")
        self.bad("not other", wanted="other")
        put(self.folder, "trust", self.trust.replace("key release", "key other").encode())
        self.bad("key release is not trusted")
        trust = self.trust
        self.make("raw-ecdsa")
        put(self.folder, "trust", trust.encode())
        self.bad("another key")

    def test_format_that_is_not_trusted_is_bad(self):
        self.make("raw-rsa-pkcs1-sha256")
        put(self.folder, "trust", self.trust.replace("raw-rsa-pkcs1-sha256", "raw-rsa-pss-sha256").encode())
        self.bad("format raw-rsa-pkcs1-sha256 is not trusted")

    def test_trust_file_with_a_fault_is_bad(self):
        self.make("raw-ecdsa")
        lines = self.trust.split("\n")[:-1]
        for spoilt in (lines[1:3], [lines[1], lines[3]], lines[2:], ["hsmd-trust 2"] + lines[2:], lines + [lines[2]],
                       lines + [lines[3]], lines + ["other"], lines[:3] + [lines[3].replace("raw-ecdsa", "raw-x")],
                       lines[:3] + [lines[3].replace("ecdsa-p256", "rsa")], lines + ["\x01"]):
            put(self.folder, "trust", "\n".join(spoilt + [""]).encode())
            self.bad(".")
        put(self.folder, "trust", self.trust[:-1].encode())
        self.bad(".")
        put(self.folder, "trust", self.trust.encode())
        self.verify()


if __name__ == "__main__":
    unittest.main()
