# SPDX-License-Identifier: Apache-2.0
"""What needs more than files and a command: descriptors of all kinds, large requests, a flood, and the journal's lists."""
import collections
import hashlib
import os
import tempfile
import time

import daemons
import varlink
import verify_log

KEY, FORMAT = "release-p256", "raw-ecdsa"


def expect(what, result, outcome, reason=None):
    if result["outcome"] != outcome or result.get("reason") != reason:
        raise AssertionError("%s: %s" % (what, result))
    if outcome != "signed" and ("signature" in result or "proof" in result):
        raise AssertionError("%s: something was released: %s" % (what, result))


def refused(c, what, reason, artifact, name="known", key=KEY):
    result, = c.sign(key, [(name, artifact)])
    expect(what, result, "refused", reason)


def kinds(instance, c):
    """Descriptors that are no artifacts; each has the same file as its twin that is."""
    path = instance.path("artifacts/known")
    digest = hashlib.sha256(open(path, "rb").read()).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        os.mkfifo(folder + "/fifo")
        refused(c, "FIFO", "artifact-type", os.open(folder + "/fifo", os.O_RDWR))
        refused(c, "folder", "artifact-type", os.open(folder, os.O_RDONLY))
    refused(c, "device", "artifact-type", os.open("/dev/null", os.O_RDONLY))
    refused(c, "pipe", "artifact-type", os.pipe()[0])
    refused(c, "open for writing", "artifact-unreadable", os.open(path, os.O_WRONLY))
    refused(c, "O_PATH", "artifact-unreadable", os.open(path, os.O_PATH))
    refused(c, "name", "artifact-name", path, name="a/b")
    refused(c, "name", "artifact-name", path, name="..")
    refused(c, "name", "artifact-name", path, name="a\nb")
    refused(c, "no digest", "artifact-digest", {"sha256": digest[:-2]})
    refused(c, "no digest", "artifact-digest", {"sha256": digest.upper()})
    refused(c, "digest alone for content", "content-required", {"sha256": digest}, key="release-ed25519")
    with open(path, "rb") as f:
        listed = [{"name": "known", "fd": 0, "sha256": "00" * 32}]
        c.send("org.hsmd.Sign.Sign", {"key": KEY, "artifacts": listed}, [f.fileno()])
        expect("another digest", c.receive()[0]["results"][0], "refused", "artifact-digest")
    large = os.memfd_create("large")
    os.ftruncate(large, (16 << 20) + 1)
    refused(c, "17 MiB as content", "artifact-too-large", large, name="x", key="release-ed25519")
    refused(c, "17 MiB as digest", "evidence-none", large, name="x")
    by_digest, = c.sign(KEY, [("known", {"sha256": digest})])
    expect("digest alone", by_digest, "signed")
    by_content, = c.sign(KEY, [("known", path)])
    if by_content["signature"] != by_digest["signature"] or by_content["entry"] != by_digest["entry"]:
        raise AssertionError("content and digest of one artifact are signed apart")


def attest(instance, folder, contents):
    os.mkdir(folder)
    names = sorted(contents)
    for name in names:
        with open(os.path.join(folder, name), "wb") as f:
            f.write(contents[name])
    with instance.sign_socket() as c:
        for org in ("farm", "overseer"):
            for i in range(0, len(names), 256):
                out = os.path.join(folder, "%s-%d.dsse" % (org, i))
                command = [os.path.join(instance.build, "client/hsmctl"), "attest", "make", "--key",
                           instance.path("rebuilders", org + ".pem"), "--release", "hsmd", "--builder-id",
                           "https://%s.example/rebuilder" % org, "--source", "git+https://git.example/hsmd", "--git-commit",
                           "01" * 20, "--source-sha256", "02" * 32, "--out", out]
                if os.spawnv(os.P_WAIT, command[0], command + [os.path.join(folder, n) for n in names[i:i + 256]]) != 0:
                    raise AssertionError("attest make")
                if not c.attest(out)["accepted"]:
                    raise AssertionError("attest submit")


def batches(instance, c):
    contents = {"batch-%d" % i: b"batch %d" % i for i in range(1024)}
    attest(instance, instance.path("batch"), contents)
    asked = [(name, instance.path("batch", name)) for name in contents]
    results = c.sign(KEY, asked, more=True)
    if [r["index"] for r in results] != list(range(1024)) or len({r["entry"] for r in results}) != 1024:
        raise AssertionError("1024 artifacts: not one result and one entry each")
    for result in results:
        expect("1024 artifacts", result, "signed")
    again = c.sign(KEY, asked)
    if [(r["signature"], r["entry"], r["repeated"]) for r in again] != [(r["signature"], r["entry"], True) for r in results]:
        raise AssertionError("1024 artifacts: another answer the second time")
    # One artifact many times in one request, new: one signature.
    attest(instance, instance.path("twin"), {"twin": b"twin"})
    twins = c.sign(KEY, [("twin", instance.path("twin/twin"))] * 50)
    if len({(r["signature"], r["entry"]) for r in twins}) != 1:
        raise AssertionError("one artifact has several signatures")
    # One bad artifact does not spoil the others.
    attest(instance, instance.path("mixed"), {"mixed": b"mixed"})
    mixed = c.sign(KEY, [("mixed", instance.path("mixed/mixed")), ("other", b"nobody has attested this")])
    expect("good of mixed", mixed[0], "signed")
    expect("bad of mixed", mixed[1], "refused", "evidence-none")
    for n in (0, 1025):
        try:
            c.sign(KEY, [("x", {"sha256": "00" * 32})] * n)
            raise AssertionError("a request of %d artifacts" % n)
        except varlink.VarlinkError as e:
            if e.name != "org.varlink.service.InvalidParameter":
                raise


def flood(instance, c):
    """5,000 refusals are all counted, and few entries."""
    with instance.audit_socket() as audit:
        time.sleep(0.5)  # refusals of before are on their way
        before = audit.list(type="hsmd/refusal@v1")
        for i in range(50):
            results = c.sign(KEY, [("flood", {"sha256": "%064x" % (i * 100 + k)}) for k in range(100)])
            for result in results:
                expect("flood", result, "refused", "evidence-none")
        for _ in range(100):
            added = audit.list(type="hsmd/refusal@v1")[:-len(before)]
            count = sum(e["count"] for _, e in added if e["reason"] == "evidence-none" and e.get("key") == KEY)
            if count >= 5000:
                break
            time.sleep(0.1)
    if count != 5000 or len(added) > 500:
        raise AssertionError("5000 refusals are %d in %d entries" % (count, len(added)))
    print("5000 refusals are %d entries" % len(added))


def facts(entry):
    """What an entry is listed under, from its text alone (JOURNAL.md)."""
    found = {("type", entry["type"])}
    key = entry.get("key")
    if key:
        found.add(("key", key if isinstance(key, str) else key["name"]))
    who = entry.get("requester") or entry.get("submitter")
    if who:
        found.add(("requester", who["uid"]))
    if "sha256" in entry.get("artifact", {}):
        found.add(("artifact", entry["artifact"]["sha256"]))
    return found


def lists(instance):
    """Every list is what a scan of the tiles gives."""
    folder, vkey = instance.path("log"), verify_log.load_vkey(instance.path("log.vkey"))
    with instance.audit_socket() as c:
        size, _ = verify_log.open_checkpoint(c.checkpoint(), vkey)
        entries = [verify_log.parse_entry(e, "entry") for e in verify_log.read_entries(folder, size)]
        scan = collections.defaultdict(list)
        for i, entry in enumerate(entries):
            for fact in facts(entry):
                scan[fact].append(i)
        sample = [f for f in sorted(scan, key=str) if f[0] != "artifact"] + [f for f in sorted(scan, key=str) if f[0] == "artifact"][:100]
        sample += [("key", "nothing"), ("requester", 4242), ("artifact", "00" * 32)]
        for name, value in sample:
            listed = c.list(**{name: value})
            want = [i for i in reversed(scan[name, value])]
            if name == "artifact":  # attestations are listed under each of their subjects, of which the entry has the first
                listed = [(i, e) for i, e in listed if e["type"] != "hsmd/attestation@v1"]
            if [i for i, _ in listed] != want or any(e != entries[i] for i, e in listed):
                raise AssertionError("list by %s %s is not what the tiles have: %d, %d" % (name, value, len(listed), len(want)))
        if [i for i, _ in c.list()] != list(reversed(range(size))):
            raise AssertionError("the whole list is not the whole log")
        for at in (1, size // 3, size - 1):
            since, until = entries[at]["time"], entries[min(size - 1, at + 50)]["time"]
            want = [i for i in reversed(range(size)) if since <= entries[i]["time"] < until]
            if [i for i, _ in c.list(since=since, until=until)] != want:
                raise AssertionError("list from %s to %s" % (since, until))
            both = [i for i in want if ("type", "hsmd/signature@v1") in facts(entries[i]) and ("key", KEY) in facts(entries[i])]
            if [i for i, _ in c.list(since=since, until=until, type="hsmd/signature@v1", key=KEY)] != both:
                raise AssertionError("list by all filters")
        subject = hashlib.sha256(b"batch 700").hexdigest()
        if sorted(e["type"] for _, e in c.list(artifact=subject)) != ["hsmd/attestation@v1"] * 2 + ["hsmd/signature@v1"]:
            raise AssertionError("list by artifact lacks its attestations: %s" % c.list(artifact=subject))
    print("%d lists agree with a scan of %d entries" % (len(sample), size))


def main():
    instance = daemons.Instance()
    with instance.sign_socket(timeout=60) as c:
        kinds(instance, c)
        batches(instance, c)
        flood(instance, c)
    lists(instance)


main()
