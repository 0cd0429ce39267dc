# SPDX-License-Identifier: Apache-2.0
"""The load, the kills and the checks of 050-crash."""
import os
import random
import signal
import socket
import sys
import threading
import time

import daemons
import history
import varlink
import verify_log

ROUNDS = 25
SECONDS = 70
CLIENTS = 4
FORMATS = (("release-p256", "raw-ecdsa"), ("release-rsa3072", "raw-rsa-pkcs1-sha256"),
           ("release-rsa3072", "raw-rsa-pss-sha256"), ("release-ed25519", "raw-ed25519"))


def read_folder(path):
    files = {}
    for name in os.listdir(path):
        with open(os.path.join(path, name), "rb") as f:
            files[name] = f.read()
    return files


class Load:
    """Clients that ask for signatures and remember each answer."""

    def __init__(self, instance, seed):
        self.instance = instance
        self.attested = read_folder(instance.path("artifacts/attested"))
        self.never = {**read_folder(instance.path("artifacts/half")), **read_folder(instance.path("artifacts/alien"))}
        self.told, self.failed, self.faults, self.refused = [], {}, [], 0
        self.checkpoints = set()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(self.client, random.Random("%s-%d" % (seed, i))))
                        for i in range(CLIENTS)]
        self.threads.append(threading.Thread(target=self.run, args=(self.watch, None)))

    def run(self, function, rng):
        try:
            while not self.over.is_set():
                try:
                    function(rng)
                except (varlink.Gone, varlink.VarlinkError, socket.timeout) as e:
                    if isinstance(e, socket.timeout) or getattr(e, "reason", "stopping") not in ("stopping", "busy"):
                        raise
                    time.sleep(0.01)
        except Exception as e:  # a thread's fault is the test's
            self.faults.append("%s: %r" % (threading.current_thread().name, e))

    def client(self, rng):
        with self.instance.sign_socket(timeout=60) as c:
            while not self.over.is_set():
                n = rng.choice((1, 1, 4, 16, 64))
                key, form = rng.choice(FORMATS)
                names = rng.sample(sorted(self.attested), n)
                if rng.random() < 0.1:
                    names[0] = rng.choice(sorted(self.never))
                asked = [(name, self.attested.get(name, self.never.get(name))) for name in names]
                for result in c.sign(key, asked, format=form):
                    self.take(key, form, *asked[result["index"]], result)

    def take(self, key, form, name, content, result):
        if name in self.never:
            if result["outcome"] != "refused":
                raise AssertionError("%s, which nobody may have signed, is %s" % (name, result["outcome"]))
            self.refused += 1
        elif result["outcome"] == "signed":
            self.told.append(history.Told(key, form, name, content, varlink.signature_of(result), result["proof"],
                                          result["entry"]))
        elif result["outcome"] == "failed":
            self.failed[result["reason"]] = self.failed.get(result["reason"], 0) + 1
        else:
            raise AssertionError("%s is refused: %s" % (name, result))

    def watch(self, _):
        """What anybody could have seen: the published file, and what the daemon shows."""
        with open(self.instance.path("log/checkpoint"), "rb") as f:
            self.checkpoints.add(f.read())
        with self.instance.audit_socket() as c:
            self.checkpoints.add(c.checkpoint())
        time.sleep(0.02)


def kill_something(instance, rng, number):
    """The daemon mostly; sometimes the token's parent, or one of its workers."""
    if number % 5 == 3:
        workers = instance.workers()
        if workers:
            try:
                os.kill(rng.choice(workers), signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(rng.uniform(0, 0.3))
    if number % 5 == 4:
        instance.kill("hsmd-token")
        if rng.random() < 0.5:
            time.sleep(rng.uniform(0, 0.3))
        instance.start("hsmd-token")
        return
    instance.kill("hsmd")
    instance.start("hsmd")


def crash(instance, seed):
    rng, load = random.Random(seed), Load(instance, seed)
    instance.start("hsmd-token")
    instance.start("hsmd")
    instance.wait_ready()
    for thread in load.threads:
        thread.start()
    end, rounds = time.monotonic() + SECONDS, 0
    try:
        while rounds < ROUNDS and time.monotonic() < end and not load.faults:
            time.sleep(rng.choice((0.05, 0.3, 0.8)) * rng.uniform(0.5, 1.5))
            kill_something(instance, rng, rounds)
            if rng.random() < 0.8:  # else again while it starts
                instance.wait_ready()
            rounds += 1
        instance.wait_ready()
    finally:
        load.over.set()
        for thread in load.threads:
            thread.join()
    if load.faults:
        raise AssertionError("; ".join(load.faults))
    return load, rounds


def ask_again(instance, load, rng):
    """The same question has the same answer, whoever was killed since."""
    first = {}
    for told in load.told:
        at = (told.key, told.format, told.name)
        if first.setdefault(at, told)[4:5] + (told.entry,) != (told.signature, told.entry):
            raise AssertionError("%s was answered in two ways" % (at,))
    with instance.sign_socket() as c:
        for at in rng.sample(sorted(first), min(200, len(first))):
            told = first[at]
            result, = c.sign(told.key, [(told.name, told.content)], format=told.format)
            if not result.get("repeated") or varlink.signature_of(result) != told.signature or \
                    result["entry"] != told.entry:
                raise AssertionError("%s: answered anew: %s" % (at, result))
            load.told.append(told._replace(proof=result["proof"]))


def check(instance, load):
    state = instance.path("state/state.db")
    h = history.History(instance.path("log"), instance.path("trust"), state)
    print(h.summary)
    if ", 0 intents not ended" not in h.summary or history.open_intents(state):
        verify_log.fail("intents are open after a clean stop")
    h.check_once()
    for told in load.told:
        h.check_told(told, instance.path("proof"))
    for note in load.checkpoints:
        h.check_checkpoint(note, "checkpoint that was seen")
    points, used = h.check_asked(history.read_asked(instance.path("record.signed")), load.attested.values())
    for entry in h.of_type("signature"):
        if {a["org"] for a in entry["attestations"]} != {"farm", "overseer"}:
            verify_log.fail("signed without both organisations: %s", entry)
    print("%d answers with %d signature entries, %d abandoned, %d refused, failed: %s; %d C_Sign on keys, %d checkpoints"
          % (len(load.told), len(h.of_type("signature")), len(h.of_type("abandoned")), load.refused, load.failed, used,
             points))
    if not h.of_type("abandoned"):
        verify_log.fail("no kill hit anything: the test has shown nothing")


def main():
    seed = os.environ.get("HSMD_TEST_SEED") or str(random.SystemRandom().randrange(10**9))
    print("HSMD_TEST_SEED=%s" % seed)
    sys.stdout.flush()
    instance = daemons.Instance()
    load, rounds = crash(instance, seed)
    print("%d kills" % rounds)
    ask_again(instance, load, random.Random(seed))
    if instance.kill("hsmd", signal.SIGTERM) != 0 or instance.kill("hsmd-token", signal.SIGTERM) != 0:
        raise AssertionError("the stop was not clean")
    check(instance, load)


main()
