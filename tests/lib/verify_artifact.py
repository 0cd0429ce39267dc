#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A customer's check of one file, sharing no code with hsmd: Python's library and the openssl program only.

    verify_artifact.py ARTIFACT SIGNATURE PROOF TRUST [--key NAME]

Was this file signed by a key that I trust, for this format, and is that signature in the log that I trust?
One line on success.  Exit 1 with the exact reason otherwise, 2 on wrong usage.
"""
import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile

from verify_log import (Failed, Vkey, fail, hash_leaf, number, open_checkpoint, openssl, parse_entry, read,
                        root_from_path, unbase64)

MAX_PROOF = 65536
MAX_HASHES = 63
MAX_TRUST = 1024 * 1024

# Which formats go with which algorithm.
ALGORITHMS = {
    "ed25519": {"raw-ed25519"},
    "ecdsa-p256": {"raw-ecdsa"},
    "ecdsa-p384": {"raw-ecdsa"},
    "rsa": {"raw-rsa-pkcs1-sha256", "raw-rsa-pss-sha256"},
}


# ---- the trust file ----

def read_key(words, where):
    if (len(words) < 8 or words[2] != "algorithm" or words[4] != "spki" or words[6] != "formats" or
            not re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", words[1])):
        fail("%s: expected: key NAME algorithm ALGORITHM spki BASE64 formats FORMAT...", where)
    formats = words[7:]
    if words[3] not in ALGORITHMS:
        fail("%s: unknown algorithm %s", where, words[3])
    if len(set(formats)) != len(formats) or not set(formats) <= ALGORITHMS[words[3]]:
        fail("%s: formats do not go with %s", where, words[3])
    return {"algorithm": words[3], "spki": unbase64(words[5], None, "spki"), "formats": set(formats)}


def read_trust(path):
    """(verifier key of the log, keys by name)"""
    data, log, keys, header = read(path), None, {}, False
    if len(data) > MAX_TRUST or not data.endswith(b"\n") or re.search(rb"[^\t\n\x20-\x7e]", data):
        fail("%s is not a text file of this format", path)
    for i, line in enumerate(data.decode("ascii").split("\n")[:-1], 1):
        where = "%s:%d" % (path, i)
        words = re.sub(r"(^|[ \t])#.*", "", line).split()
        if not words:
            continue
        if not header:
            if words != ["hsmd-trust", "1"]:
                fail("%s: expected: hsmd-trust 1", where)
            header = True
        elif words[0] == "log" and len(words) == 2 and not log:
            log = Vkey(words[1])
        elif words[0] == "key":
            key = read_key(words, where)
            if words[1] in keys or any(key["spki"] == k["spki"] for k in keys.values()):
                fail("%s: a key is there twice", where)
            keys[words[1]] = key
        else:
            fail("%s: not a statement: %s", where, words[0])
    if not log or not keys:
        fail("%s needs a log and a key", path)
    return log, keys


# ---- the proof, C2SP tlog-proof ----

def read_proof(path):
    """(entry, index, hashes, checkpoint)"""
    data = read(path)
    if len(data) > MAX_PROOF:
        fail("%s has %d bytes", path, len(data))
    head, empty, checkpoint = data.partition(b"\n\n")
    lines = head.split(b"\n")
    if not empty or len(lines) < 3 or lines[0] != b"c2sp.org/tlog-proof@v1":
        fail("%s is not a proof", path)
    if not lines[1].startswith(b"extra ") or not lines[2].startswith(b"index "):
        fail("%s has no entry or no index", path)
    if len(lines) - 3 > MAX_HASHES:
        fail("%s has %d hashes", path, len(lines) - 3)
    return (unbase64(lines[1][6:], None, "extra"), number(lines[2][6:], "index"),
            [unbase64(line, 32, "hash of the proof") for line in lines[3:]], checkpoint)


def check_inclusion(entry, index, hashes, size, root):
    if index >= size:
        fail("entry %d is not in a tree of %d", index, size)
    if root_from_path(index, size, hash_leaf(entry), hashes) != root:
        fail("the entry is not in the tree of the checkpoint")


# ---- the artifact ----

def hash_file(path):
    h, size = hashlib.sha256(), 0
    try:
        with open(path, "rb") as f:
            while True:
                piece = f.read(1 << 20)
                if not piece:
                    return h.hexdigest(), size
                h.update(piece)
                size += len(piece)
    except OSError as e:
        fail("%s: %s", path, e.strerror)


def check_signature(key, form, artifact, signature):
    with tempfile.TemporaryDirectory() as folder:
        public = os.path.join(folder, "key.pem")
        converted = subprocess.run(["openssl", "pkey", "-pubin", "-inform", "DER", "-out", public], input=key["spki"],
                                   capture_output=True, check=False)
        if converted.returncode != 0:
            fail("spki of the key is not a public key")
        hash_name = "-sha384" if key["algorithm"] == "ecdsa-p384" else "-sha256"
        if form == "raw-ed25519":
            good = openssl(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-in", artifact, "-sigfile",
                            "@signature"], {"signature": signature})
        else:
            options = []
            if form == "raw-rsa-pss-sha256":
                options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sigopt",
                           "rsa_mgf1_md:sha256"]
            good = openssl(["dgst", hash_name, *options, "-verify", public, "-signature", "@signature", artifact],
                           {"signature": signature})
    if not good:
        fail("the signature does not verify")


def check_key(entry, keys, wanted):
    name, form = entry["key"]["name"], entry["format"]
    if wanted and name != wanted:
        fail("signed with key %s, not %s", name, wanted)
    if name not in keys:
        fail("key %s is not trusted", name)
    if hashlib.sha256(keys[name]["spki"]).hexdigest() != entry["key"]["spki_sha256"]:
        fail("the entry names another key %s than the trusted one", name)
    if form not in keys[name]["formats"]:
        fail("format %s is not trusted of key %s", form, name)
    return keys[name]


def verify(artifact, signature_path, proof, trust, wanted=None):
    """Check all; the verdict as text.  Raises Failed."""
    log, keys = read_trust(trust)
    data, index, hashes, checkpoint = read_proof(proof)
    size, root = open_checkpoint(checkpoint, log)
    check_inclusion(data, index, hashes, size, root)
    entry = parse_entry(data, "entry %d" % index)
    if entry["type"] != "hsmd/signature@v1":
        fail("entry %d is of type %s", index, entry["type"])

    digest, length = hash_file(artifact)
    if digest != entry["artifact"]["sha256"] or length != entry["artifact"].get("size", length):
        fail("the entry is of another artifact than %s", artifact)
    signature = read(signature_path)
    if hashlib.sha256(signature).hexdigest() != entry["signature_sha256"]:
        fail("the entry is of another signature than %s", signature_path)
    check_signature(check_key(entry, keys, wanted), entry["format"], artifact, signature)
    return "%s: signed with %s (%s) at %s, entry %d of %s, attested by %s" % (
        artifact, entry["key"]["name"], entry["format"], entry["time"], index, log.name.decode(),
        ", ".join(sorted({a["org"] for a in entry["attestations"]})) or "nobody")


def main():
    parser = argparse.ArgumentParser(description="Check one signed artifact, offline.")
    parser.add_argument("artifact")
    parser.add_argument("signature")
    parser.add_argument("proof")
    parser.add_argument("trust")
    parser.add_argument("--key")
    args = parser.parse_args()
    try:
        print("ok " + verify(args.artifact, args.signature, args.proof, args.trust, args.key))
    except Failed as e:
        print("FAILED %s" % e, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
