# SPDX-License-Identifier: Apache-2.0
"""Runs attacks.py while a client signs, and looks at what they cost."""
import os
import statistics
import subprocess
import sys
import threading
import time

import daemons

ROOT = os.getuid() == 0
GUEST = int(os.environ["PEERS_GUEST"])
# What a signature may take while others misbehave.  Two busy cores and SoftHSM have moments of their own.
MEDIAN_S = 0.25
WORST_S = 3.0
MEMORY_KIB = 32 * 1024


class Client:
    """Signs something new again and again."""

    def __init__(self, instance):
        self.instance = instance
        self.n, self.latencies, self.fault = 0, [], None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            with self.instance.sign_socket(timeout=20) as c:
                while not self.over.is_set():
                    self.n += 1
                    name = "a%d" % self.n
                    start = time.monotonic()
                    result, = c.sign("release-p256", [(name, self.instance.path("artifacts", name))])
                    self.latencies.append(time.monotonic() - start)
                    if result["outcome"] != "signed":
                        raise AssertionError("%s" % result)
                    self.over.wait(0.03)
        except Exception as e:  # a thread's fault is the test's
            self.fault = repr(e)

    def measure(self):
        """Of what was signed since the last call: (how many, median, worst)."""
        taken, self.latencies = self.latencies, []
        if self.fault:
            raise AssertionError("the client: " + self.fault)
        return len(taken), statistics.median(taken or [99]), max(taken or [99])

    def stop(self):
        self.over.set()
        self.thread.join()


class Cost:
    """What hsmd has: descriptors (only root may look) and memory."""

    def __init__(self, instance):
        pid = instance.pid("hsmd")
        self.fds = len(os.listdir("/proc/%d/fd" % pid)) if ROOT else 0
        with open("/proc/%d/status" % pid, encoding="ascii") as f:
            self.memory = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def __str__(self):
        return "%d descriptors, %d KiB" % (self.fds, self.memory)


def cpu(instance):
    with open("/proc/%d/stat" % instance.pid("hsmd"), encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def attack(instance, name, uid):
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attacks.py")
    return subprocess.Popen([sys.executable, program, name, instance.folder, str(uid if ROOT else os.getuid())],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(name, process, timeout):
    _, words = process.communicate(timeout=timeout)
    if process.returncode:
        raise AssertionError("%s: %s" % (name, words.strip()[-1500:]))


def report(name, client, cost=""):
    n, median, worst = client.measure()
    print("%-26s %4d signed meanwhile, median %.1f ms, worst %.1f ms  %s" % (name, n, median * 1e3, worst * 1e3, cost))
    sys.stdout.flush()
    if median > MEDIAN_S or worst > WORST_S or not n:
        raise AssertionError("%s delays others" % name)


def together(instance, client, names, timeout=60):
    """Attacks that end by themselves, each by a user of its own."""
    running = [(name, attack(instance, name, GUEST + 1 + i)) for i, name in enumerate(names)]
    for name, process in running:
        finish(name, process, timeout)
    report("+".join(names), client)


def holding(instance, client, name, seconds, uid):
    process = attack(instance, name, uid)
    line = process.stdout.readline()
    if line:
        time.sleep(seconds)
        cost = Cost(instance)
        report(name, client, cost)
    finish(name, process, 30)
    if not line:
        raise AssertionError("%s ended early" % name)
    return cost


def settle(instance, before):
    """Back to what it was, but for this connection and what malloc keeps."""
    after = None
    for _ in range(100):
        after = Cost(instance)
        if after.fds <= before.fds and instance.status()["counters"]["peers"] <= 1:
            break
        time.sleep(0.1)
    print("before: %s; after: %s" % (before, after))
    if after.fds > before.fds or after.memory > before.memory + MEMORY_KIB:
        raise AssertionError("what peers took is not given back")
    if instance.status()["counters"]["peers"] != 1:
        raise AssertionError("peers are left: %s" % instance.status()["counters"])


def main():
    instance = daemons.Instance()
    pid = instance.pid("hsmd")
    before = Cost(instance)
    client = Client(instance)
    try:
        time.sleep(2)
        report("nobody", client)
        slow = [(name, attack(instance, name, GUEST + 10 + i)) for i, name in enumerate(("trickle", "half", "deaf"))]
        together(instance, client, ("bytewise", "length", "malformed", "leave"))
        if ROOT:
            holding(instance, client, "many", 2, GUEST + 20)
            cost = holding(instance, client, "descriptors", 2, GUEST + 21)
            assert cost.fds > 2000, "the attack does not reach hsmd"
        else:
            # One uid has it all: its quota is the client's too.
            for name, process in slow:
                finish(name, process, 90)
        holding(instance, client, "huge", 4, GUEST)
        time.sleep(0.5)
        start = cpu(instance)
        time.sleep(2)
        report("after huge", client)
        if cpu(instance) - start > 1:
            raise AssertionError("hsmd goes on hashing for peers that have left")
        attacks = [("flood", attack(instance, "flood", GUEST))]
        for name, process in attacks + (slow if ROOT else []):
            finish(name, process, 90)
        report("flood, deaf", client)
    finally:
        client.stop()
    settle(instance, before)
    if instance.pid("hsmd") != pid or not os.path.exists("/proc/%d" % pid):
        raise AssertionError("hsmd has ended")


main()
