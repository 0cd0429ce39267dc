#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the test policy and the attestations of this folder, by means that share nothing with hsmd: the Python
standard library and the openssl command.

Keys are kept when they exist; ECDSA signatures differ from run to run, all else is the same.  cases.txt has one line
a case: file, reason ("none": accepted), and the rebuilders who count, separated by commas.
"""

import base64
import copy
import hashlib
import json
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
KEYS = HERE / "keys"
ATTESTATIONS = HERE / "attestations"
TYPE = "application/vnd.in-toto+json"
TYPE_PROVENANCE = "application/vnd.in-toto.provenance+json"
SOURCE = "https://git.example/product"
FARM, LAB, OVERSEER, ACADEMY = (f"https://{org}.example/rebuild" for org in ("farm", "lab", "overseer", "academy"))
REBUILDERS = [  # name, org, form, builder id; farm-1 and farm-2 are two keys of one operator
    ("farm-1", "farm", "ed25519", FARM),
    ("farm-2", "farm", "ed25519", FARM),
    ("lab-1", "lab", "ecdsa-p256-der", LAB),
    ("overseer-1", "overseer", "ecdsa-p256-p1363", OVERSEER),
    ("academy-1", "academy", "ed25519", ACADEMY),
]
FORMS = {name: form for name, _, form, _ in REBUILDERS} | {"stranger": "ed25519", "revoked": "ed25519"}
ARTIFACT = hashlib.sha256(b"product-1.0").hexdigest()


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *args], input=stdin, check=True, capture_output=True).stdout


def make_key(name, algorithm):
    path = KEYS / f"{name}.pem"
    if path.exists():
        return
    options = {
        "ed25519": ["ed25519"],
        "p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "p384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "rsa3072": ["RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
        "rsa2048": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    }[algorithm]
    path.write_bytes(openssl("genpkey", "-algorithm", *options))


def spki(name, *options):
    return openssl("pkey", "-in", str(KEYS / f"{name}.pem"), "-pubout", "-outform", "DER", *options)


def public_hex(name, form):
    return spki(name)[-32 if form == "ed25519" else -65:].hex()


def public_base64(name):
    return base64.b64encode(spki(name)).decode()


def der_to_p1363(der):
    assert der[0] == 0x30
    out, at = b"", 2
    for _ in range(2):
        assert der[at] == 2
        size = der[at + 1]
        out += int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big")
        at += 2 + size
    return out


def sign(name, message, form=None):
    form = form or FORMS[name]
    key = str(KEYS / f"{name}.pem")
    with tempfile.NamedTemporaryFile() as file:
        file.write(message)
        file.flush()
        if form == "ed25519":
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file.name)
        der = openssl("dgst", "-sha256", "-sign", key, file.name)
        return der if form == "ecdsa-p256-der" else der_to_p1363(der)


def pae(payload_type, payload):
    t = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(t), t, len(payload), payload)


def subject(name="product-1.0.bin", **digests):
    return {"name": name, "digest": digests or {"sha256": ARTIFACT}}


def statement(builder=FARM):
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject()],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:hsmd:rebuild:v1",
                "externalParameters": {"source": {"uri": SOURCE}, "target": "product"},
                "internalParameters": {"jobs": 8},
                "resolvedDependencies": [
                    {"uri": "https://deb.example/gcc", "digest": {"sha1": "00"}},
                    {"uri": SOURCE, "digest": {"gitCommit": "c0ffee" + "0" * 34, "sha256": "5e" * 32}},
                ],
            },
            "runDetails": {
                "builder": {"id": builder},
                "metadata": {"startedOn": "2026-06-01T10:00:00Z", "finishedOn": "2026-06-01T11:00:00.25Z"},
            },
        },
    }


def b64(data):
    return base64.b64encode(data).decode()


def envelope(body, *signers, payload_type=TYPE, signed_type=None):
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    message = pae(signed_type or payload_type, payload)
    return {
        "payload": b64(payload),
        "payloadType": payload_type,
        "signatures": [{"keyid": name, "sig": b64(sign(name, message))} for name in signers],
    }


CASES = []


def case(name, reason, signers, text):
    data = text if isinstance(text, bytes) else json.dumps(text).encode() + b"\n"
    (ATTESTATIONS / f"{name}.json").write_bytes(data)
    CASES.append(f"{name} {reason} {signers}\n")


def variant(name, reason, change, signer="farm-1", counts=None, builder=FARM):
    """A statement that differs from the good one in what `change` does to it, properly signed."""
    body = statement(builder)
    body = change(body) or body
    case(name, reason, counts or (signer if reason == "none" else "-"), envelope(body, signer))


def put(path, value):
    def change(body):
        *parents, last = path
        for key in parents:
            body = body[key]
        body[last] = value
    return change


def drop(path):
    def change(body):
        *parents, last = path
        for key in parents:
            body = body[key]
        del body[last]
    return change


DEFINITION = ("predicate", "buildDefinition")
PARAMETERS = (*DEFINITION, "externalParameters")
DEPENDENCIES = (*DEFINITION, "resolvedDependencies")
RUN = ("predicate", "runDetails")


def accepted():
    good = envelope(statement(), "farm-1")
    case("accept-ed25519", "none", "farm-1", good)
    case("accept-der", "none", "lab-1", envelope(statement(LAB), "lab-1"))
    case("accept-p1363", "none", "overseer-1", envelope(statement(OVERSEER), "overseer-1"))
    case("accept-payload-type-provenance", "none", "farm-1",
         envelope(statement(), "farm-1", payload_type=TYPE_PROVENANCE))
    case("accept-worker-and-daemon-of-one-org", "none", "farm-1,farm-2", envelope(statement(), "farm-1", "farm-2"))
    case("accept-foreign-cosigner-not-counted", "none", "farm-1", envelope(statement(), "overseer-1", "farm-1"))

    thrice = copy.deepcopy(good)
    thrice["signatures"] *= 3
    case("accept-same-signature-three-times", "none", "farm-1", thrice)
    twice = copy.deepcopy(good)
    twice["signatures"].append({"keyid": "another", "sig": good["signatures"][0]["sig"]})
    case("accept-same-key-under-two-key-ids", "none", "farm-1", twice)
    many = copy.deepcopy(good)
    many["signatures"] = [{"sig": b64(b"\1" * 64)}] * 15 + many["signatures"]
    case("accept-16-signatures", "none", "farm-1", many)
    junk = copy.deepcopy(good)
    junk["signatures"] = [{"sig": "!"}, {"sig": ""}, {"sig": "A" * 4000}, {"sig": "QR=="}] + junk["signatures"]
    case("accept-bad-signature-skipped", "none", "farm-1", junk)
    extra = copy.deepcopy(good) | {"cert": "x", "more": [None, True, {"a": 1}]}
    extra["signatures"][0]["cert"] = "-----BEGIN"
    case("accept-unknown-envelope-members", "none", "farm-1", extra)

    body = statement()
    body["note"] = ">>>???~~~"
    url = envelope(body, "farm-1")
    assert "+" in url["payload"] or "/" in url["payload"]
    for holder, key in ((url, "payload"), (url["signatures"][0], "sig")):
        holder[key] = holder[key].replace("+", "-").replace("/", "_")
    case("accept-base64-url-safe", "none", "farm-1", url)

    variant("accept-unknown-statement-members", "none", lambda b: b["predicate"].update(future={"x": [1]}))
    variant("accept-256-subjects", "none", put(("subject",), [subject(f"f{i}", sha256=f"{i:064x}") for i in range(256)]))
    variant("accept-two-names-one-digest", "none", put(("subject",), [subject("b"), subject("a")]))
    variant("accept-subject-repeated", "none", put(("subject",), [subject(), subject()]))
    variant("accept-other-algorithms", "none", put(("subject", 0, "digest"), {
        "sha1": "XX", "md5": None, "sha256": ARTIFACT, "sha512": hashlib.sha512(b"product-1.0").hexdigest(),
        "sha384": hashlib.sha384(b"product-1.0").hexdigest()}))
    variant("accept-no-metadata", "none", drop((*RUN, "metadata")))
    variant("accept-null-metadata", "none", put((*RUN, "metadata"), None))
    variant("accept-null-and-empty-times", "none", put((*RUN, "metadata"), {"startedOn": None, "finishedOn": ""}))
    variant("accept-finished-within-skew", "none", put((*RUN, "metadata", "finishedOn"), "2026-07-01T00:05:00Z"))
    variant("accept-git-sha256-commit", "none", put((*DEPENDENCIES, 1, "digest", "gitCommit"), "ab" * 32))
    variant("accept-dependency-without-uri", "none", lambda b: b["predicate"]["buildDefinition"]
            ["resolvedDependencies"].append({"digest": {"sha256": "00"}}))


def refused_envelopes():
    good = envelope(statement(), "farm-1")
    text = json.dumps(good)
    payload = base64.b64decode(good["payload"])

    def changed(name, reason, **members):
        case(name, reason, "-", {**good, **members})

    raw = {**good, "signatures": [{"sig": b64(sign("farm-1", payload))}]}
    case("bad-pae-raw-payload", "no-trusted-signer", "-", raw)
    case("other-payload-type-than-signed", "no-trusted-signer", "-",
         envelope(statement(), "farm-1", payload_type=TYPE_PROVENANCE, signed_type=TYPE))
    changed("other-payload-than-signed", "no-trusted-signer", payload=b64(json.dumps(statement(LAB)).encode()))
    case("unknown-signer", "no-trusted-signer", "-", envelope(statement(), "stranger"))
    old = statement()
    old["predicate"]["runDetails"]["metadata"] = {"finishedOn": "2020-01-01T00:00:00Z"}
    case("revoked-key-with-old-timestamp", "no-trusted-signer", "-", envelope(old, "revoked"))

    message = pae(TYPE, json.dumps(statement(LAB)).encode())
    case("p1363-where-der-is-fixed", "no-trusted-signer", "-",
         {**envelope(statement(LAB)), "signatures": [{"sig": b64(sign("lab-1", message, "ecdsa-p256-p1363"))}]})
    message = pae(TYPE, json.dumps(statement(OVERSEER)).encode())
    case("der-where-p1363-is-fixed", "no-trusted-signer", "-",
         {**envelope(statement(OVERSEER)), "signatures": [{"sig": b64(sign("overseer-1", message, "ecdsa-p256-der"))}]})

    for name, value in (("case", TYPE.upper()), ("extra-space", TYPE + " "), ("suffix", TYPE + ";v=1"),
                        ("json", "application/json"), ("empty", "")):
        case(f"payload-type-{name}", "payload-type", "-", envelope(statement(), "farm-1", payload_type=value))

    body = statement()
    body["note"] = ">>>???~~~>>?"
    mixed = envelope(body, "farm-1")
    assert mixed["payload"].count("+") + mixed["payload"].count("/") > 1
    mixed["payload"] = mixed["payload"].replace("/", "_", 1).replace("+", "-", 1)
    assert set("+/") & set(mixed["payload"]) and set("-_") & set(mixed["payload"])
    case("base64-mixed-alphabets", "payload-base64", "-", mixed)
    padded = next(e for e in (envelope(json.dumps(statement()).encode() + b" " * n, "farm-1") for n in range(3))
                  if e["payload"].endswith("=="))
    case("accept-base64-padded", "none", "farm-1", padded)
    case("base64-missing-padding", "payload-base64", "-", {**padded, "payload": padded["payload"].rstrip("=")})
    last = padded["payload"][-3]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    trailing = padded["payload"][:-3] + alphabet[alphabet.index(last) + 1] + "=="
    assert base64.b64decode(trailing) == base64.b64decode(padded["payload"])
    case("base64-trailing-bits", "payload-base64", "-", {**padded, "payload": trailing})
    changed("base64-newline", "payload-base64", payload=good["payload"] + "\n")
    changed("base64-blank", "payload-base64", payload=" " + good["payload"])
    changed("payload-empty", "payload-size", payload="")

    changed("17-signatures", "signature-count", signatures=good["signatures"] * 17)
    changed("no-signatures", "signature-count", signatures=[])
    changed("signature-without-sig", "attestation-shape", signatures=good["signatures"] + [{"keyid": "x"}])
    changed("signature-no-object", "attestation-shape", signatures=["x"])
    changed("both-shapes", "attestation-shape", signed={})
    case("link-shape", "attestation-shape", "-", {"signed": {"_type": "link"}, "signatures": []})
    changed("payload-no-string", "attestation-shape", payload=1)
    changed("signatures-no-array", "attestation-shape", signatures={})
    case("envelope-empty-object", "attestation-shape", "-", {})

    for name, member in (("plain", '"payload": "", '), ("escaped", '"pa\\u0079load": "", '),
                         ("case", '"PAYLOAD": "", ')):
        case(f"duplicate-envelope-member-{name}", "attestation-duplicate-member", "-",
             ("{" + member + text[1:]).encode())
    case("envelope-nul", "attestation-syntax", "-", ('{"x": "\\u0000", ' + text[1:]).encode())
    case("envelope-real-number", "attestation-syntax", "-", ('{"x": 1.5, ' + text[1:]).encode())
    case("envelope-trailing-bytes", "attestation-syntax", "-", text.encode() + b"{}")
    case("envelope-array", "attestation-syntax", "-", b"[" + text.encode() + b"]")
    case("envelope-too-deep", "attestation-syntax", "-", ('{"x": ' + "[" * 40 + "]" * 40 + ", " + text[1:]).encode())
    case("envelope-empty", "attestation-syntax", "-", b"")
    case("envelope-zstd", "attestation-syntax", "-", b"\x28\xb5\x2f\xfd\x00\x58\x11\x00\x00{}\n")


def refused_statements():
    link = {"_type": "link", "name": "rebuild", "materials": {}, "products": {}}
    case("link-in-dsse", "statement-type", "-", envelope(link, "farm-1"))
    case("layout-in-dsse", "statement-type", "-", envelope({"_type": "layout", "steps": []}, "farm-1"))
    variant("statement-v0.1", "statement-type", put(("_type",), "https://in-toto.io/Statement/v0.1"))
    variant("statement-no-type", "statement-type", drop(("_type",)))
    variant("predicate-type-v0.2", "predicate-type", put(("predicateType",), "https://slsa.dev/provenance/v0.2"))
    variant("predicate-missing", "statement-syntax", drop(("predicate",)))
    case("statement-not-json", "statement-syntax", "-", envelope(b"hello world", "farm-1"))
    text = json.dumps(statement())
    for name, member in (("plain", '"subject": [], '), ("escaped", '"s\\u0075bject": [], '), ("case", '"Subject": [], ')):
        case(f"duplicate-statement-member-{name}", "statement-duplicate-member", "-",
             envelope(("{" + member + text[1:]).encode(), "farm-1"))
    case("statement-nul", "statement-syntax", "-", envelope(('{"x": "a\\u0000", ' + text[1:]).encode(), "farm-1"))

    variant("no-subjects", "subject-count", put(("subject",), []))
    variant("subject-missing", "subject-count", drop(("subject",)))
    variant("257-subjects", "subject-count", put(("subject",), [subject(f"f{i}") for i in range(257)]))
    variant("subject-in-position-300", "subject-count",
            put(("subject",), [subject(f"f{i}", sha256=f"{i:064x}") for i in range(299)] + [subject()]))
    for name, value in (("slash", "dist/product"), ("empty", ""), ("dot-dot", ".."), ("control", "a\tb"),
                        ("too-long", "n" * 256), ("null", None)):
        variant(f"subject-name-{name}", "subject-name", put(("subject", 0, "name"), value))
    variant("subject-name-missing", "subject-name", drop(("subject", 0, "name")))
    for name, value in (("sha1-only", {"sha1": "0" * 40}), ("sha256-upper-case", {"sha256": ARTIFACT.upper()}),
                        ("sha256-prefix", {"sha256": "sha256:" + ARTIFACT}), ("sha256-63-digits", {"sha256": ARTIFACT[1:]}),
                        ("sha256-null", {"sha256": None}), ("sha512-malformed", {"sha256": ARTIFACT, "sha512": "00"}),
                        ("sha384-null", {"sha256": ARTIFACT, "sha384": None}),
                        ("17-digests", {"sha256": ARTIFACT} | {f"x{i}": "" for i in range(16)})):
        variant(name, "subject-digest", put(("subject", 0, "digest"), value))
    variant("digest-missing", "subject-digest", drop(("subject", 0, "digest")))
    variant("two-subjects-same-name", "subject-conflict", put(("subject",), [subject(), subject(sha256="0" * 64)]))
    variant("two-subjects-same-name-other-sha512", "subject-conflict",
            put(("subject",), [subject(), subject(sha256=ARTIFACT, sha512="0" * 128)]))

    variant("build-type-of-another", "build-type", put((*DEFINITION, "buildType"), "https://slsa.dev/container/v1"))
    variant("unknown-external-parameter", "external-parameters", put((*PARAMETERS, "patch"), "x"))
    variant("unknown-external-parameter-null", "external-parameters", put((*PARAMETERS, "patch"), None))
    variant("unknown-source-parameter", "external-parameters", put((*PARAMETERS, "source", "ref"), "main"))
    variant("source-parameter-missing", "external-parameters", drop((*PARAMETERS, "source")))
    variant("target-missing", "external-parameters", drop((*PARAMETERS, "target")))
    variant("target-of-nobody", "target-unknown", put((*PARAMETERS, "target"), "products"))
    variant("target-case", "target-unknown", put((*PARAMETERS, "target"), "Product"))

    def other_source(body):
        body["predicate"]["buildDefinition"]["externalParameters"]["source"]["uri"] = SOURCE + ".git"
        body["predicate"]["buildDefinition"]["resolvedDependencies"][1]["uri"] = SOURCE + ".git"
    variant("source-of-nobody", "source-unknown", other_source)

    variant("source-not-resolved", "source-digest", drop((*DEPENDENCIES, 1)))
    variant("source-resolved-twice", "source-digest", lambda b: b["predicate"]["buildDefinition"]
            ["resolvedDependencies"].append(b["predicate"]["buildDefinition"]["resolvedDependencies"][1]))
    variant("source-commit-only", "source-digest", drop((*DEPENDENCIES, 1, "digest", "sha256")))
    variant("source-sha256-only", "source-digest", drop((*DEPENDENCIES, 1, "digest", "gitCommit")))
    variant("source-commit-upper-case", "source-digest", put((*DEPENDENCIES, 1, "digest", "gitCommit"), "AB" * 20))
    variant("source-commit-short", "source-digest", put((*DEPENDENCIES, 1, "digest", "gitCommit"), "c0ffee"))
    variant("source-sha256-prefix", "source-digest", put((*DEPENDENCIES, 1, "digest", "sha256"), "sha256:" + "5e" * 32))
    variant("dependencies-missing", "source-digest", drop(DEPENDENCIES))
    variant("dependency-no-object", "source-digest", put((*DEPENDENCIES, 0), "gcc"))

    variant("builder-id-of-another-org", "builder-id", put((*RUN, "builder", "id"), OVERSEER))
    variant("builder-missing", "builder-id", drop((*RUN, "builder")))
    variant("finished-in-the-future", "statement-time", put((*RUN, "metadata", "finishedOn"), "2026-07-01T00:05:00.000001Z"))
    variant("finished-no-time", "statement-time", put((*RUN, "metadata", "finishedOn"), "yesterday"))
    variant("started-no-time", "statement-time", put((*RUN, "metadata", "startedOn"), 1780000000))
    variant("started-other-zone", "statement-time", put((*RUN, "metadata", "startedOn"), "2026-06-01T10:00:00+02:00"))
    variant("metadata-no-object", "statement-time", put((*RUN, "metadata"), []))


def policy():
    lines = [
        "hsmd-policy 1",
        "serial 1",
        "previous none",
        "effective 2026-01-01T00:00:00Z",
        "expires 2030-01-01T00:00:00Z",
        f"log log.example/hsmd key ed25519:{public_hex('log', 'ed25519')} uri pkcs11:token=hsmd;object=log",
        "site berlin country DE",
        "site riga country LV",
        "org farm class internal",
        "org lab class internal",
        "org overseer class third-party",
        "org academy class third-party",
    ]
    lines += [f"rebuilder {name} org {org} key {form}:{public_hex(name, form)} builder-id {builder}"
              for name, org, form, builder in REBUILDERS]
    lines += [
        f"key product algorithm ecdsa-p256 spki {public_base64('product')} uri pkcs11:token=hsmd;object=product "
        "formats raw-ecdsa",
        f"key firmware algorithm rsa spki {public_base64('firmware')} uri pkcs11:token=hsmd;object=firmware "
        "formats raw-rsa-pkcs1-sha256 raw-rsa-pss-sha256 sites berlin",
        f"key update algorithm ed25519 spki {public_base64('update')} uri pkcs11:token=hsmd;id=%01 formats raw-ed25519",
        f"key kernel algorithm ecdsa-p384 spki {public_base64('kernel')} uri pkcs11:object=kernel formats raw-ecdsa",
        "requester builder uid 1000",
        "requester farmers gid 2000",
        "release product",
        "    keys product firmware",
        "    requesters builder",
        f"    source git {SOURCE}",
        "    require orgs 2 of farm overseer academy",
        "    require class third-party 1",
        "    on-dissent deny",
        "end",
        "release updates",
        "    keys update product",
        "    requesters farmers builder",
        "    source git https://git.example/updates",
        f"    source git {SOURCE}",
        "    require orgs 2 of farm lab overseer academy",
        "    on-dissent record",
        "end",
    ]
    (HERE / "policy.conf").write_text("\n".join(lines) + "\n")
    spare = ["rsa2048", "rsa3072-other", "p256-other"]
    (HERE / "spare-keys.txt").write_text(
        f"p256-compressed {spki('lab-1', '-ec_conv_form', 'compressed')[-33:].hex()}\n" +
        f"p256-other-point {public_hex('p256-other', 'p256')}\n"
        f"ed-other {public_hex('stranger', 'ed25519')}\n" +
        "".join(f"{name} {public_base64(name)}\n" for name in spare))


def main():
    KEYS.mkdir(exist_ok=True)
    ATTESTATIONS.mkdir(exist_ok=True)
    for name, form in FORMS.items():
        make_key(name, "ed25519" if form == "ed25519" else "p256")
    for name, algorithm in (("log", "ed25519"), ("product", "p256"), ("firmware", "rsa3072"), ("update", "ed25519"),
                            ("kernel", "p384"), ("rsa2048", "rsa2048"), ("rsa3072-other", "rsa3072"),
                            ("p256-other", "p256")):
        make_key(name, algorithm)
    policy()
    accepted()
    refused_envelopes()
    refused_statements()
    (HERE / "cases.txt").write_text("".join(CASES))


main()
