# SPDX-License-Identifier: Apache-2.0
"""What the benchmark runs on: one SoftHSM token, and instances of hsmd that use it."""
import base64
import datetime
import glob
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

LABEL = "hsmd-bench"
RELEASE = "updates"
SOURCE = "git+https://git.example/updates"
SITE = "here"
ORGS = ("farm", "overseer")
# name of the key: (type for hsmd-token --generate-key, algorithm, format), the last two as in a policy
KEYS = {
    "p256": ("ecdsa-p256", "ecdsa-p256", "raw-ecdsa"),
    "rsa3072": ("rsa-3072", "rsa", "raw-rsa-pkcs1-sha256"),
}
# A policy takes no RSA key this short; what the bare module does with it is what published numbers are about.
BARE_KEYS = {"rsa2048": "rsa-2048"}


class BenchError(Exception):
    """Something did not work; the text is for a person."""


def call(command, timeout=120, **options):
    """Standard output of a command that has to succeed."""
    if "input" not in options:
        options["stdin"] = subprocess.DEVNULL
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=timeout, check=False, **options)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()[-1500:]
        raise BenchError(f"{pathlib.Path(str(command[0])).name} ended with {done.returncode}: {words}")
    return done.stdout


def first_existing(what, *patterns):
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            return path
    raise BenchError(f"{what} is not installed")


def write_config(token, folder, run, origin, workers):
    """FOLDER/hsmd.conf for an instance with its state below `folder` and its sockets in `run`."""
    lines = [
        f"origin {origin}", f"site {SITE}", f"policy {folder}/policy.hsmd", f"state {folder}/state",
        f"log {folder}/log", f"token-socket {run}/token.sock", f"token-module {token.module}",
        f"token-uri pkcs11:token={LABEL}", f"token-pin-file {token.pin_file}",
        f"token-client-user {os.getuid()}", f"token-state {folder}/token-state", f"workers {workers}",
    ]
    lines += [f"socket {role} {run}/{role}.sock mode 0600" for role in ("sign", "officer", "audit")]
    (folder / "token-state").mkdir(mode=0o700)
    path = folder / "hsmd.conf"
    path.write_text("\n".join(lines) + "\n")
    return path


class Token:
    """A throw-away SoftHSM token with all the keys, and the environment that leads to it."""

    def __init__(self, folder, programs):
        self.module = first_existing(
            "softhsm2", "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/softhsm/libsofthsm2.so")
        self.folder = folder
        self.pin_file = folder / "pin"
        self.public = folder / "public"
        (folder / "tokens").mkdir()
        self.public.mkdir()
        conf = folder / "softhsm2.conf"
        conf.write_text(
            f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.environment = dict(os.environ, SOFTHSM2_CONF=str(conf))
        pin = os.urandom(8).hex()
        self.pin_file.touch(mode=0o600)
        self.pin_file.write_text(pin + "\n")
        call(["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", pin, "--so-pin", pin],
             env=self.environment)
        config = write_config(self, folder, folder, "bench.example/keys", 1)
        kinds = {name: kind for name, (kind, _, _) in KEYS.items()} | BARE_KEYS | {"journal": "ed25519"}
        for name, kind in kinds.items():
            pem = call([programs["hsmd-token"], "--config", config, "--generate-key", kind, "--label", name],
                       env=self.environment)
            der = call(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem)
            (self.public / f"{name}.der").write_bytes(der)


class Rebuilder:
    """The Ed25519 key of one organisation that rebuilds."""

    def __init__(self, org, folder):
        self.org = org
        self.key_file = folder / f"{org}.pem"
        self.builder_id = f"https://{org}.example/rebuilder"
        call(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.key_file])
        self.public = call(["openssl", "pkey", "-in", self.key_file, "-pubout", "-outform", "DER"])[-32:]


class Processes:
    """Everything that was started, so that it is stopped whatever happens."""

    def __init__(self):
        self.running = []

    def start(self, command, log, **options):
        with open(log, "ab") as file:
            process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True, **options)
        self.running.append(process)
        return process

    def stop(self, process):
        if process in self.running:
            self.running.remove(process)
        if process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop_all(self):
        for process in reversed(list(self.running)):
            self.stop(process)


class Instance:
    """One hsmd with its hsmd-token, its journal and the artifacts that were attested to it."""

    def __init__(self, name, folder, sockets, token, rebuilders, programs, processes, workers=2):
        self.name, self.token, self.rebuilders = name, token, rebuilders
        self.programs, self.processes = programs, processes
        self.folder = folder / name
        self.run = sockets / name
        self.origin = f"{name}.example/log"
        self.hsmd = self.hsmd_token = None
        self.folder.mkdir()
        self.run.mkdir(mode=0o700)
        (self.folder / "policy.hsmd").write_text(self._policy())
        self.config = write_config(token, self.folder, self.run, self.origin, workers)
        self.reset()

    sign_socket = property(lambda self: self.run / "sign.sock")
    state = property(lambda self: self.folder / "state")
    log = property(lambda self: self.folder / "log")

    def _policy(self):
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        times = [(now + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ") for days in (0, 30)]
        journal = (self.token.public / "journal.der").read_bytes()[-32:].hex()
        uri = f"pkcs11:token={LABEL};object=%s;type=private"
        lines = [
            "hsmd-policy 1", "serial 1", "previous none", f"effective {times[0]}", f"expires {times[1]}",
            f"log {self.origin} key ed25519:{journal} uri {uri % 'journal'}",
            f"site {SITE} country DE", "org farm class internal", "org overseer class third-party",
        ]
        for rebuilder in self.rebuilders:
            lines.append(f"rebuilder {rebuilder.org}-1 org {rebuilder.org} key ed25519:{rebuilder.public.hex()} "
                         f"builder-id {rebuilder.builder_id}")
        for name, (_, algorithm, form) in KEYS.items():
            spki = base64.b64encode((self.token.public / f"{name}.der").read_bytes()).decode()
            lines.append(f"key {name} algorithm {algorithm} spki {spki} uri {uri % name} formats {form}")
        lines += [
            f"requester builder uid {os.getuid()}", f"release {RELEASE}", f"\tkeys {' '.join(KEYS)}",
            "\trequesters builder", f"\tsource git {SOURCE}", f"\trequire orgs 2 of {' '.join(ORGS)}",
            "\trequire class third-party 1", "\ton-dissent deny", "end", "",
        ]
        return "\n".join(lines).replace("\t", "        ")

    def reset(self):
        """Forget the journal and all that was attested."""
        for path in (self.state, self.log):
            if path.exists():
                call(["rm", "-rf", "--", path])
            path.mkdir(mode=0o700)
        self.attested = 0
        self.used = dict.fromkeys(KEYS, 0)

    def start(self):
        options = {"env": self.token.environment}
        config = ["--config", self.config]
        begin = time.monotonic()
        self.hsmd_token = self.processes.start(
            [self.programs["hsmd-token"]] + config, self.folder / "hsmd-token.out", **options)
        self.hsmd = self.processes.start(
            [self.programs["hsmd"]] + config, self.folder / "hsmd.out", **options)
        while True:
            try:
                if self.status()["token"]["state"] == "ready":
                    return time.monotonic() - begin
            except (OSError, KeyError, ValueError):
                pass
            if self.hsmd.poll() is not None or time.monotonic() - begin > 60:
                raise BenchError(f"hsmd did not become ready: {self.last_words()}")
            time.sleep(0.02)

    def stop(self):
        for process in (self.hsmd, self.hsmd_token):
            if process:
                self.processes.stop(process)
        self.hsmd = self.hsmd_token = None

    def last_words(self):
        texts = [(self.folder / f"{name}.out").read_text(errors="replace")[-1000:]
                 for name in ("hsmd-token", "hsmd")]
        return "\n".join(texts)

    def call(self, method, **parameters):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.sign_socket))
            message = json.dumps({"method": method, "parameters": parameters}).encode()
            connection.sendall(message + b"\0")
            reply = b""
            while not reply.endswith(b"\0"):
                part = connection.recv(1 << 16)
                if not part:
                    raise OSError("hsmd closed the connection")
                reply += part
        return json.loads(reply[:-1])["parameters"]

    def status(self):
        return self.call("org.hsmd.Status.Get")

    def attest(self, count):
        """Have `count` more artifacts attested by every organisation, at the same time."""
        count = (count + 255) // 256 * 256
        begin = time.monotonic()
        running = [
            subprocess.Popen(
                [str(word) for word in (
                    self.programs["hsmd-load-attest"], "--socket", self.sign_socket, "--key", rebuilder.key_file,
                    "--builder-id", rebuilder.builder_id, "--release", RELEASE, "--source", SOURCE,
                    "--first", self.attested, "--count", count)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for rebuilder in self.rebuilders
        ]
        try:
            results = [(process.communicate(timeout=180)[1], process.returncode) for process in running]
        finally:
            for process in running:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        for words, code in results:
            if code:
                raise BenchError(f"attesting failed: {words.decode(errors='replace')[-1500:]}")
        self.attested += count
        return time.monotonic() - begin

    def take(self, key, count):
        """First of `count` artifacts that are attested and that this key has not signed."""
        lacking = self.used[key] + count - self.attested
        if lacking > 0:
            self.attest(lacking)
        return self.used[key]
