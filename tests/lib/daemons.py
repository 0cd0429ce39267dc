# SPDX-License-Identifier: Apache-2.0
"""The two daemons of an instance (instance.sh), started, killed and looked at from Python."""
import contextlib
import os
import signal
import subprocess
import time

import varlink

PROGRAMS = {"hsmd": "hsmd/hsmd", "hsmd-token": "hsmd/token/hsmd-token"}


class Instance:
    def __init__(self, folder=None):
        self.folder = folder or os.environ["HSMD_DIR"]
        self.build = os.environ["HSMD_BUILD"]
        self.children = {}

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def sign_socket(self, timeout=30):
        return varlink.Connection(self.path("run/sign.sock"), timeout)

    def audit_socket(self, timeout=30):
        return varlink.Connection(self.path("run/audit.sock"), timeout)

    def pid(self, name):
        with open(self.path("run", name + ".pid"), encoding="ascii") as f:
            return int(f.read())

    def start(self, name, **environment):
        """As instance_spawn does, so that instance_stop finds it."""
        with open(self.path("run", name + ".log"), "ab") as log:
            child = subprocess.Popen(
                [os.path.join(self.build, PROGRAMS[name]), "--config", self.path("hsmd.conf")], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, env={**os.environ, **environment})
        self.children[name] = child
        with open(self.path("run", name + ".pid"), "w", encoding="ascii") as f:
            f.write("%d\n" % child.pid)
        return child

    def kill(self, name, number=signal.SIGKILL, timeout=30):
        """Its exit status, if it is our child; else only when it is gone."""
        pid = self.pid(name)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        child = self.children.pop(name, None)
        if child:
            return child.wait(timeout)
        deadline = time.monotonic() + timeout
        while os.path.exists("/proc/%d" % pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        return None

    def workers(self):
        """Processes of hsmd-token's workers."""
        with open("/proc/%d/task/%d/children" % ((self.pid("hsmd-token"),) * 2), encoding="ascii") as f:
            return [int(n) for n in f.read().split()]

    def status(self, timeout=10):
        with self.audit_socket(timeout) as c:
            return c.status()

    def wait_ready(self, timeout=30):
        """Until hsmd answers and its token has a worker."""
        deadline, last = time.monotonic() + timeout, "no answer"
        while time.monotonic() < deadline:
            child = self.children.get("hsmd")
            if child and child.poll() is not None:
                raise AssertionError("hsmd ended with %d" % child.returncode)
            try:
                last = self.status()["token"]
                if last["state"] == "ready":
                    return
            except varlink.Gone:
                pass
            time.sleep(0.02)
        raise AssertionError("hsmd did not become ready in %d s: %s" % (timeout, last))
