#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A daemon that answers hsmctl as it is told to: what the real one does only when something is wrong.

usage: fake-hsmd.py SOCKET RECORD

The key that a call of Sign or Check names says how to behave (see MOODS).  Signatures are no signatures, but their
proofs name artifact and signature, which is all that hsmctl checks before it keeps them.  Each line of RECORD is one
call: method, artifacts, descriptors, the most descriptors that came at once.
"""
import array
import base64
import hashlib
import json
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../unit/data/client"))
import make_vectors as vectors  # noqa: E402

STATUS = {
    "version": "0.1.0", "state": "degraded", "message": "a worker is \u001b[31mgone", "site": "one",
    "startTime": "2026-03-01T12:00:00.000000Z", "memoryKiB": 9000,
    "token": {"state": "ready", "message": "", "label": "t", "manufacturer": "m", "model": "x", "serial": "1",
              "workers": [{"state": "ready", "restarts": 1, "signatures": 10, "inflight": 0}]},
    "counters": {"signed": 10, "repeated": 1, "refused": 2, "failed": 0, "abandoned": 0, "attestations": 3, "queued": 0,
                 "peers": 1, "signaturesPerSecond": 1.5, "refusalsPerSecond": 0.0},
    "request": {"p50": 100, "p99": 200, "max": 300}, "sign": {"p50": 10, "p99": 20, "max": 30},
    "commit": {"p50": 1000, "p99": 2000, "max": 3000},
    "journal": {"origin": vectors.ORIGIN, "size": 45, "published": 45, "openIntents": 0,
                "checkpointTime": "2026-03-01T12:00:01.500000Z"},
    "policy": {"serial": 3, "sha256": "0" * 64, "effective": "2026-01-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z"},
}


class Bad(Exception):
    """Ends the connection, after these bytes."""


def read_file(fd):
    size = os.fstat(fd).st_size
    return os.pread(fd, size, 0)


def digest_of(artifact, fds):
    if "fd" in artifact:
        return hashlib.sha256(read_file(fds[artifact["fd"]])).digest()
    return bytes.fromhex(artifact["sha256"])


def signed(index, artifact, fds, key, mood):
    digest = digest_of(artifact, fds)
    signature = hashlib.sha512(digest).digest()
    q = vectors.request(1, artifact["name"], b"", key, b"spki", "raw-ecdsa", None)
    q["artifact"]["sha256"] = (b"\0" * 32 if mood == "lie" else digest).hex()
    logged = b"another" if mood == "lie-signature" else signature
    entry = vectors.compact({"type": "hsmd/signature@v1", "time": vectors.time(1), **q,
                             "signature_sha256": hashlib.sha256(logged).hexdigest()})
    proof = vectors.proof(0, [entry], "%s\n1\n%s\n\n\u2014 x AAAA\n" % (vectors.ORIGIN, "A" * 43 + "="))
    return {"index": index, "name": artifact["name"], "outcome": "signed", "sha256": digest.hex(), "key": key,
            "format": "raw-ecdsa", "release": "product", "attestedBy": ["farm", "overseer"],
            "signature": base64.b64encode(signature).decode(), "proof": proof, "entry": index, "repeated": False}


def result(index, artifact, fds, key, mood):
    if artifact["name"].endswith(".bad"):
        return {"index": index, "name": artifact["name"], "outcome": "refused", "reason": "quorum-orgs",
                "message": "needs 1 more of: overseer; has: farm\u001b[2J",
                "missing": [{"rule": "orgs", "count": 1, "orgs": ["overseer"]}]}
    if artifact["name"].endswith(".fail"):
        return {"index": index, "name": artifact["name"], "outcome": "failed", "reason": "token-unavailable",
                "message": "no worker became ready"}
    return signed(index, artifact, fds, key, mood)


def allow(r):
    if r["outcome"] == "signed":
        r = {k: r[k] for k in ("index", "name", "sha256", "release", "key")}
        r["outcome"] = "allowed"
    return r


MOODS = {
    "silent": lambda: time.sleep(600),
    "close": lambda: (_ for _ in ()).throw(Bad(b"")),
    "cut": lambda: (_ for _ in ()).throw(Bad(b'{"parameters":{"res')),
    "garbage": lambda: (_ for _ in ()).throw(Bad(b"this is not JSON\0")),
    "refused": lambda: {"error": "org.hsmd.Sign.Refused",
                        "parameters": {"reason": "key-unknown", "message": "the policy has no such key"}},
    "busy": lambda: {"error": "org.hsmd.Sign.Busy", "parameters": {"reason": "busy", "message": "over a quota"}},
    "strange": lambda: {"error": "org.example.Strange", "parameters": {}},
}


def sign(parameters, fds, more):
    mood = parameters.get("key", "")
    if mood in MOODS:
        yield MOODS[mood]()
        return
    results = [result(i, a, fds, mood, mood) for i, a in enumerate(parameters["artifacts"])]
    results.reverse()
    if mood == "omit":
        results.pop()
    if mood == "twice":
        results.append(results[-1])
    if mood == "index":
        results[0]["index"] = len(results)
    step = 7 if more else len(results)
    for i in range(0, len(results), step):
        yield {"parameters": {"results": results[i:i + step]}, "continues": i + step < len(results)}


def check(parameters, fds, _more):
    mood = parameters.get("key", "")
    if mood in MOODS:
        yield MOODS[mood]()
        return
    results = [allow(result(i, a, fds, mood, mood)) for i, a in enumerate(parameters["artifacts"])]
    if not mood:  # one more release, that refuses everything
        results += [{**r, "outcome": "refused", "reason": "evidence-none", "message": "m", "release": "b"} for r in results]
    yield {"parameters": {"results": results}}


def attest(parameters, fds, _more):
    content = read_file(fds[parameters["fd"]])
    reply = {"accepted": b"bad" not in content, "known": False, "id": hashlib.sha256(content).hexdigest()}
    if reply["accepted"]:
        reply.update(release="product", subjects=2, entry=4, contradicts=0,
                     signers=[{"rebuilder": "farm-1", "org": "farm"}])
    else:
        reply.update(reason="no-trusted-signer", message="no signature verifies")
    yield {"parameters": reply}


def entry_of(index):
    return json.loads(vectors.refusal(index)) if index else json.loads(vectors.genesis())


def list_(parameters, _fds, _more):
    before = parameters.get("before", 45)
    first = max(0, before - parameters.get("limit", 100))
    reply = {"entries": [{"index": i, "entry": entry_of(i)} for i in range(before - 1, first - 1, -1)], "size": 45}
    if first > 0:
        reply["next"] = first
    yield {"parameters": reply}


def show(parameters, _fds, _more):
    index = parameters["index"]
    if index >= 45:
        yield {"error": "org.hsmd.Journal.NoSuchEntry", "parameters": {"index": index}}
    else:
        yield {"parameters": {"index": index, "entry": entry_of(index), "bytes": "AAAA", "proof": "line\u001b\nline\n"}}


METHODS = {
    "org.hsmd.Sign.Sign": sign,
    "org.hsmd.Sign.Check": check,
    "org.hsmd.Sign.Attest": attest,
    "org.hsmd.Journal.List": list_,
    "org.hsmd.Journal.Show": show,
    "org.hsmd.Status.Get": lambda _p, _f, _m: iter([{"parameters": STATUS}]),
}


def receive(connection):
    """One message and its descriptors; None at the end."""
    data, fds, most = b"", [], 0
    while not data.endswith(b"\0"):
        part, control, flags, _ = connection.recvmsg(65536, socket.CMSG_SPACE(4 * 300))
        if not part:
            return None
        assert not flags & socket.MSG_CTRUNC
        data += part
        for level, kind, payload in control:
            assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            here = array.array("i")
            here.frombytes(payload)
            fds += here
            most = max(most, len(here))
    return json.loads(data[:-1]), fds, most


def serve(connection, record):
    try:
        while True:
            received = receive(connection)
            if not received:
                return
            call, fds, most = received
            parameters = call.get("parameters", {})
            with open(record, "a", encoding="ascii") as f:
                f.write("%s %d %d %d\n" % (call["method"], len(parameters.get("artifacts", [])), len(fds), most))
            method = METHODS.get(call["method"])
            if method:
                replies = method(parameters, fds, call.get("more", False))
            else:
                replies = [{"error": "org.varlink.service.MethodNotFound", "parameters": {"method": call["method"]}}]
            for reply in replies:
                connection.sendall(json.dumps(reply).encode() + b"\0")
            for fd in fds:
                os.close(fd)
    except Bad as e:
        connection.sendall(e.args[0])
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        connection.close()


def main():
    path, record = sys.argv[1:]
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(16)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, record), daemon=True).start()


if __name__ == "__main__":
    main()
