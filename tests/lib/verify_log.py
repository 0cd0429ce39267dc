#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks a whole log from its folder, sharing no code with hsmd: Python's library and the openssl program only.

    verify_log.py LOGDIR VKEY [--old-checkpoint FILE]... [--state-entries STATE.DB] [--any-entries]

VKEY is the verifier key itself or a file that holds it.  Everything is recomputed from the entry bundles: leaf hashes,
every hash tile, the root; then the entries are read as JOURNAL.md (hsmd/journal) describes them.

    --old-checkpoint FILE    a checkpoint seen before: it has to be of this log and of a prefix of it; may be repeated
    --state-entries FILE     state.db of the stopped daemon: it has to hold the same entries
    --any-entries            entries of any content: check the tree only

One line on success.  Exit 1 with the exact reason otherwise, 2 on wrong usage.
"""
import argparse
import base64
import binascii
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile

WIDTH = 256
MAX_SIZE = 2**63 - 1
MAX_ENTRY = 8192
DASH = "\u2014 ".encode()


class Failed(Exception):
    """The log is not what it should be; the text says where and why."""


def fail(text, *values):
    raise Failed(text % values if values else text)


def sha256(data):
    return hashlib.sha256(data).digest()


# ---- encodings ----

def unbase64(text, size=None, what="base64"):
    """Canonical RFC 4648 section 4 only."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        fail("%s is not base64", what)
    if base64.b64encode(data) != (text if isinstance(text, bytes) else text.encode()):
        fail("%s is not canonical base64", what)
    if size is not None and len(data) != size:
        fail("%s has %d bytes, not %d", what, len(data), size)
    return data


def number(text, what, maximum=MAX_SIZE):
    if not re.fullmatch(rb"0|[1-9][0-9]{0,18}", text) or int(text) > maximum:
        fail("%s is not a number in canonical form", what)
    return int(text)


# ---- signed notes and checkpoints ----

class Vkey:
    """A log's verifier key: Ed25519, type 0x01."""

    def __init__(self, text):
        parts = text.split("+", 2)
        if len(parts) != 3 or not parts[0] or not re.fullmatch("[0-9a-f]{8}", parts[1]):
            fail("not a verifier key: %s", text)
        self.name = parts[0].encode()
        body = unbase64(parts[2], 33, "verifier key")
        if body[0] != 1:
            fail("verifier key is of type 0x%02x, not Ed25519", body[0])
        self.public = body[1:]
        self.id = sha256(self.name + b"\n" + body)[:4]
        if self.id.hex() != parts[1]:
            fail("verifier key has id %s, should be %s", parts[1], self.id.hex())


def openssl(arguments, files):
    """Run openssl; @NAME in an argument stands for a file of these bytes."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
        command = ["openssl"] + [os.path.join(folder, a[1:]) if a[:1] == "@" else a for a in arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def ed25519_verify(public, message, signature):
    spki = bytes.fromhex("302a300506032b6570032100") + public
    return openssl(["pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", "@key", "-in", "@message",
                    "-sigfile", "@signature"], {"key": spki, "message": message, "signature": signature})


def open_note(note, vkey):
    """The text of a note that the key signed."""
    try:
        characters = note.decode("utf-8")
    except UnicodeDecodeError:
        fail("checkpoint is not UTF-8")
    if any(ord(c) < 32 and c != "\n" for c in characters):
        fail("checkpoint has control characters")
    at = note.rfind(b"\n\n")
    if at < 0 or not note.endswith(b"\n") or at + 2 == len(note):
        fail("checkpoint is not a signed note")
    text, found = note[:at + 1], 0
    for line in note[at + 2:-1].split(b"\n"):
        name, _, encoded = line[len(DASH):].partition(b" ")
        if not line.startswith(DASH) or not name or b"+" in name:
            fail("signature line is malformed: %r", line)
        body = unbase64(encoded, None, "signature line")
        if len(body) < 5:
            fail("signature line is too short: %r", line)
        if name != vkey.name or body[:4] != vkey.id:
            continue
        if len(body) != 68 or not ed25519_verify(vkey.public, text, body[4:]):
            fail("signature of the log on the checkpoint does not verify")
        found += 1
    if not found:
        fail("checkpoint is not signed by %s", vkey.name.decode())
    return text


def open_checkpoint(note, vkey):
    """(size, root) of a checkpoint of this log."""
    lines = open_note(note, vkey).split(b"\n")
    if len(lines) != 4 or lines[3]:
        fail("checkpoint has %d lines of text, not 3", len(lines) - 1)
    if lines[0] != vkey.name:
        fail("checkpoint has origin %r, not %r", lines[0], vkey.name)
    size, root = number(lines[1], "size of the checkpoint"), unbase64(lines[2], 32, "root of the checkpoint")
    if size == 0 and root != sha256(b""):
        fail("checkpoint of the empty tree has another root than SHA-256 of nothing")
    return size, root


# ---- the tree, RFC 6962 2.1 ----

def hash_leaf(entry):
    return sha256(b"\x00" + entry)


def hash_node(left, right):
    return sha256(b"\x01" + left + right)


def tree_root(leaves):
    """MTH: pairs are joined level by level, an unpaired last node is handed up as it is."""
    if not leaves:
        return sha256(b"")
    row = list(leaves)
    while len(row) > 1:
        joined = [hash_node(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        if len(row) % 2:
            joined.append(row[-1])
        row = joined
    return row[0]


def root_from_path(index, size, leaf, path):
    """The root that a path (leaf's sibling first) leads to, by the recursive definition of PATH in RFC 6962 2.1.1."""
    if size == 1:
        if path:
            fail("inclusion proof is too long")
        return leaf
    if not path:
        fail("inclusion proof is too short")
    k = 1 << (size - 1).bit_length() - 1
    if index < k:
        return hash_node(root_from_path(index, k, leaf, path[:-1]), path[-1])
    return hash_node(path[-1], root_from_path(index - k, size - k, leaf, path[:-1]))


# ---- the folder, C2SP tlog-tiles ----

def tile_name(n):
    parts = ["%03d" % (n % 1000)]
    while n >= 1000:
        n //= 1000
        parts.insert(0, "x%03d" % (n % 1000))
    return "/".join(parts)


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as e:
        fail("%s: %s", path, e.strerror)


def split_bundle(data, path):
    entries, at = [], 0
    while at < len(data):
        if at + 2 > len(data):
            fail("%s: %d bytes after the last entry", path, len(data) - at)
        size = int.from_bytes(data[at:at + 2], "big")
        if at + 2 + size > len(data):
            fail("%s: entry %d is cut off", path, len(entries))
        entries.append(data[at + 2:at + 2 + size])
        at += 2 + size
    return entries


def read_tile(folder, kind, n, width):
    """The tile of that width: the partial file, or else the full one, cut by the caller.  (bytes, path)"""
    full = os.path.join(folder, "tile", kind, *tile_name(n).split("/"))
    partial = full + ".p/%d" % width
    if width == WIDTH or not os.path.exists(partial):
        if width < WIDTH and not os.path.exists(full):
            fail("%s is missing", partial)
        return read(full), full
    return read(partial), partial


def read_entries(folder, size):
    entries = []
    for n in range((size + WIDTH - 1) // WIDTH):
        width = min(WIDTH, size - n * WIDTH)
        data, path = read_tile(folder, "entries", n, width)
        bundle = split_bundle(data, path)
        if len(bundle) != (int(path.rpartition("/")[2]) if path.rpartition("/")[0].endswith(".p") else WIDTH):
            fail("%s has %d entries", path, len(bundle))
        entries += bundle[:width]
    return entries


def tile_rows(leaves):
    """Hashes of each level: level l + 1 has the roots of the full tiles of level l."""
    rows = [leaves]
    while len(rows[-1]) >= WIDTH:
        row = rows[-1]
        rows.append([tree_root(row[i:i + WIDTH]) for i in range(0, len(row) - WIDTH + 1, WIDTH)])
    return rows


def check_hashes(data, want, path):
    """Hashes that are known have to be equal; a file may be ahead of the checkpoint."""
    if len(data) % 32 or not data:
        fail("%s has %d bytes", path, len(data))
    for i in range(min(len(data) // 32, len(want))):
        if data[32 * i:32 * i + 32] != want[i]:
            fail("%s: hash %d is %s, should be %s", path, i, data[32 * i:32 * i + 32].hex(), want[i].hex())


def check_tiles(folder, rows):
    """All that the checkpoint's size demands is there."""
    count = 0
    for level, row in enumerate(rows):
        for n in range((len(row) + WIDTH - 1) // WIDTH):
            want = row[n * WIDTH:(n + 1) * WIDTH]
            data, path = read_tile(folder, str(level), n, len(want))
            if len(data) < 32 * len(want):
                fail("%s has %d bytes", path, len(data))
            check_hashes(data, want, path)
            count += 1
    return count


def parse_tile_path(path):
    """(kind, n, width) of a path below tile/, None if it has another form."""
    m = re.fullmatch(r"(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", path)
    if not m:
        return None
    n = int(re.sub(r"[x/]", "", m.group(2)))
    width = int(m.group(3)) if m.group(3) else WIDTH
    if tile_name(n) != m.group(2) or (m.group(3) and width >= WIDTH):
        return None
    return m.group(1), n, width


def check_every_file(folder, rows, entries):
    """Every file that is there agrees, also partial ones that the checkpoint does not need."""
    top, count = os.path.join(folder, "tile"), 0
    for where, _, names in os.walk(top):
        for name in names:
            path = os.path.join(where, name)
            parsed = parse_tile_path(os.path.relpath(path, top))
            if not parsed:
                fail("%s is not a tile", path)
            kind, n, width = parsed
            data = read(path)
            if kind == "entries":
                bundle, known = split_bundle(data, path), entries[n * WIDTH:(n + 1) * WIDTH]
                if len(bundle) != width:
                    fail("%s has %d entries", path, len(bundle))
                for i, (a, b) in enumerate(zip(bundle, known)):
                    if a != b:
                        fail("%s: entry %d is another than in the wider bundle", path, i)
            else:
                row = rows[int(kind)] if int(kind) < len(rows) else []
                if len(data) != 32 * width:
                    fail("%s has %d bytes", path, len(data))
                check_hashes(data, row[n * WIDTH:(n + 1) * WIDTH], path)
            count += 1
    return count


# ---- entries, JOURNAL.md ----

def is_string(v):
    return isinstance(v, str)


def is_count(v):
    return isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= MAX_SIZE


def is_uid(v):
    return is_count(v) and v < 2**32


def is_hash(v):
    return is_string(v) and re.fullmatch("[0-9a-f]{64}", v) is not None


def is_time(v):
    return is_string(v) and re.fullmatch(
        r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z", v, re.ASCII) is not None


def is_commit(v):
    return is_string(v) and re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", v) is not None


POLICY = [("serial", is_count), ("sha256", is_hash)]
SOURCE = [("uri", is_string), ("gitCommit", is_commit), ("sha256", is_hash)]
HEAD = [("type", is_string), ("time", is_time)]
REQUEST = [
    ("intent", is_count), ("requested", is_time), ("site", is_string),
    ("requester", [("name", is_string), ("uid", is_uid)]), ("release", is_string),
    ("artifact", [("name", is_string), ("size?", is_count), ("sha256", is_hash)]), ("source", SOURCE),
    ("attestations", ([("id", is_hash), ("org", is_string)],)), ("policy", POLICY),
    ("key", [("name", is_string), ("spki_sha256", is_hash)]), ("format", is_string)]
# A list is an object with these members in this order ("?" at the end: may be missing), a tuple is an array.
SHAPES = {
    "hsmd/genesis@v1": HEAD + [("origin", is_string), ("site", is_string), ("policy", POLICY)],
    "hsmd/attestation@v1": HEAD + [
        ("site", is_string), ("submitter", [("uid", is_uid)]), ("attestation", [("id", is_hash), ("size", is_count)]),
        ("release", is_string), ("source", SOURCE), ("signers", ([("rebuilder", is_string), ("org", is_string)],)),
        ("subjects", [("n", is_count), ("first", [("name", is_string), ("sha256", is_hash)])]),
        ("contradicts?", (is_hash,)), ("policy", POLICY)],
    "hsmd/signature@v1": HEAD + REQUEST + [("signature_sha256", is_hash)],
    "hsmd/abandoned@v1": HEAD + REQUEST + [("reason", is_string)],
    "hsmd/refusal@v1": HEAD + [
        ("site", is_string), ("requester", [("uid", is_uid)]), ("reason", is_string), ("count", is_count),
        ("first", is_time), ("key?", is_string), ("release?", is_string),
        ("artifact?", [("name", is_string), ("sha256?", is_hash)]), ("policy", POLICY)],
}


def check_shape(value, shape, where):
    if callable(shape):
        if not shape(value):
            fail("%s is not of its form: %r", where, value)
    elif isinstance(shape, tuple):
        if not isinstance(value, list):
            fail("%s is not an array", where)
        for i, element in enumerate(value):
            check_shape(element, shape[0], "%s[%d]" % (where, i))
    else:
        if not isinstance(value, dict):
            fail("%s is not an object", where)
        names = [n.rstrip("?") for n, _ in shape if not n.endswith("?") or n[:-1] in value]
        if list(value) != names:
            fail("%s has members %s, should have %s", where, list(value), names)
        for name, inner in shape:
            if name.rstrip("?") in value:
                check_shape(value[name.rstrip("?")], inner, where + "." + name.rstrip("?"))


def no_number(text):
    raise ValueError("number %s" % text)


def parse_entry(data, where):
    """The entry as a dict; it has to be what writing it again compactly gives."""
    if len(data) > MAX_ENTRY:
        fail("%s has %d bytes", where, len(data))
    try:
        value = json.loads(data.decode("utf-8"), parse_float=no_number, parse_constant=no_number)
        again = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except (ValueError, RecursionError) as e:
        fail("%s is not JSON: %s", where, e)
    if again != data:
        fail("%s is not compact JSON in its one form", where)
    if not isinstance(value, dict) or list(value)[:1] != ["type"]:
        fail("%s does not begin with its type", where)
    shape = SHAPES.get(value["type"]) if is_string(value["type"]) else None
    if not shape:
        fail("%s is of unknown type %r", where, value["type"])
    check_shape(value, shape, where)
    return value


def check_entries(entries, origin):
    """Counts by type, and how many intents below the last one known have no end yet."""
    counts, last, ended = {}, "", {}
    for i, data in enumerate(entries):
        where = "entry %d" % i
        entry = parse_entry(data, where)
        kind = entry["type"]
        counts[kind] = counts.get(kind, 0) + 1
        if (i == 0) != (kind == "hsmd/genesis@v1"):
            fail("%s is of type %s: the first entry, and no other, is the genesis", where, kind)
        if i == 0 and entry["origin"].encode() != origin:
            fail("the genesis names origin %s", entry["origin"])
        # Texts of one length and form are ordered as the times are.
        if entry["time"] < last:
            fail("%s: time %s is before %s", where, entry["time"], last)
        last = entry["time"]
        if "intent" not in entry:
            continue
        if entry["intent"] == 0:
            fail("%s: intents begin with 1", where)
        if entry["intent"] in ended:
            fail("%s: intent %d has ended in entry %d", where, entry["intent"], ended[entry["intent"]])
        ended[entry["intent"]] = i
    return counts, max(ended, default=0) - len(ended)


def check_state(path, entries):
    """state.db of a stopped daemon has the same entries."""
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    try:
        n = 0
        for index, (content,) in enumerate(db.execute("SELECT content FROM entries ORDER BY id")):
            if index < len(entries) and bytes(content) != entries[index]:
                fail("%s: entry %d is another than in the log", path, index)
            n += 1
    except sqlite3.Error as e:
        fail("%s: %s", path, e)
    finally:
        db.close()
    if n < len(entries):
        fail("%s has %d entries, the log %d", path, n, len(entries))
    return n


def verify(folder, vkey, old_checkpoints=(), state=None, any_entries=False):
    """Check all; the summary as text.  Raises Failed."""
    size, root = open_checkpoint(read(os.path.join(folder, "checkpoint")), vkey)
    entries = read_entries(folder, size)
    leaves = [hash_leaf(e) for e in entries]
    if tree_root(leaves) != root:
        fail("root of %d entries is %s, the checkpoint says %s", size, tree_root(leaves).hex(), root.hex())
    rows = tile_rows(leaves)
    n_tiles = check_tiles(folder, rows) if size else 0
    n_files = check_every_file(folder, rows, entries)
    parts = ["%d entries" % size, "root %s" % root.hex(), "%d hash tiles" % n_tiles, "%d files" % n_files]
    if not any_entries:
        counts, n_open = check_entries(entries, vkey.name)
        parts += ["%d %s" % (counts[k], k[5:-3]) for k in sorted(counts)]
        parts.append("%d intents not ended" % n_open)
    for path in old_checkpoints:
        old_size, old_root = open_checkpoint(read(path), vkey)
        if old_size > size:
            fail("%s is of %d entries, the log has %d", path, old_size, size)
        if tree_root(leaves[:old_size]) != old_root:
            fail("%s is of another history: root of %d entries is %s, it says %s", path, old_size,
                 tree_root(leaves[:old_size]).hex(), old_root.hex())
        parts.append("extends size %d" % old_size)
    if state:
        parts.append("%d entries in the state" % check_state(state, entries))
    return "%s: %s" % (vkey.name.decode(), ", ".join(parts))


def load_vkey(text):
    if os.path.exists(text):
        text = read(text).decode("utf-8").rstrip("\n")
    return Vkey(text)


def main():
    parser = argparse.ArgumentParser(description="Check a whole log, offline.")
    parser.add_argument("logdir")
    parser.add_argument("vkey")
    parser.add_argument("--old-checkpoint", action="append", default=[])
    parser.add_argument("--state-entries", metavar="STATE.DB")
    parser.add_argument("--any-entries", action="store_true")
    args = parser.parse_args()
    try:
        print("ok " + verify(args.logdir, load_vkey(args.vkey), args.old_checkpoint, args.state_entries,
                             args.any_entries))
    except Failed as e:
        print("FAILED %s" % e, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
