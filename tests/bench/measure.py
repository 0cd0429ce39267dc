# SPDX-License-Identifier: Apache-2.0
"""Single measurements.  Each returns a dict; rates are signatures per second, times microseconds."""
import json
import os
import pathlib
import statistics
import subprocess
import time

from fixture import LABEL, BenchError, call, first_existing


# ---- processes ----

def cpu_seconds(pid):
    """CPU of a process so far, with its reaped children: clock ticks from /proc/PID/stat."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def cpu_exact(pid):
    """The same of live threads alone, in nanoseconds of the scheduler: for short measurements."""
    total = 0
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        total += int(path.read_text().split()[0])
    return total / 1e9


def children(pid):
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in path.read_text().split()]
    return found


def memory_kib(pid):
    fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM", "RssAnon")}


# ---- peers ----

def p11bench(programs, token, key, seconds, processes=1, threads=1, module=None, environment=None):
    output = call(
        [programs["p11bench"], "--module", module or token.module, "--token", LABEL, "--pin-file", token.pin_file,
         "--key", key, "--kind", "rsa" if key.startswith("rsa") else "ecdsa", "--processes", processes,
         "--threads", threads, "--seconds", seconds],
        timeout=seconds + 90, env=environment or token.environment)
    return json.loads(output)


class P11Kit:
    """`p11-kit server` over the same module: signing in another process, with nothing checked or recorded."""

    def __init__(self, token, sockets, processes):
        self.module = first_existing("p11-kit-modules", "/usr/lib/*/pkcs11/p11-kit-client.so")
        self.processes = processes
        path = sockets / "p11-kit"
        self.process = processes.start(
            ["p11-kit", "server", "--foreground", "--name", path, "--provider", token.module, f"pkcs11:token={LABEL}"],
            token.folder / "p11-kit.out", env=dict(token.environment, XDG_RUNTIME_DIR=str(sockets)))
        self.environment = dict(token.environment, P11_KIT_SERVER_ADDRESS=f"unix:path={path}")
        deadline = time.monotonic() + 10
        while not path.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise BenchError("p11-kit server did not start")
            time.sleep(0.02)

    def _cpu(self):
        deadline = time.monotonic() + 1
        while children(self.process.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        return cpu_seconds(self.process.pid)

    def bench(self, programs, token, key, seconds, processes=1, threads=1):
        before = self._cpu()
        result = p11bench(programs, token, key, seconds, processes, threads, self.module, self.environment)
        served = (self._cpu() - before) * 1e6 / result["signatures"]
        result["cpu_usec_per_signature"] = round(result["cpu_usec_per_signature"] + served, 2)
        return result

    def stop(self):
        self.processes.stop(self.process)


# ---- hsmd ----

def hsmd_load(instance, key, seconds, clients, batch, files=False, expected_rate=2000):
    """Load on a running instance.  `expected_rate` decides how many artifacts are attested beforehand."""
    # The last requests of all clients go on after the end.
    count = int(expected_rate * seconds * 1.3) + 2 * clients * batch
    first = instance.take(key, count)
    pids = {"hsmd": [instance.hsmd.pid], "token": [instance.hsmd_token.pid] + children(instance.hsmd_token.pid)}
    before = {name: sum(cpu_exact(pid) for pid in group) for name, group in pids.items()}
    command = [
        instance.programs["hsmd-load"], "--socket", instance.sign_socket, "--key", key, "--clients", clients,
        "--batch", batch, "--first", first, "--count", count, "--msec", int(seconds * 1000),
    ] + (["--files"] if files else [])
    try:
        result = json.loads(call(command, timeout=seconds + 150))
    except BenchError as error:
        raise BenchError(f"{error}\nhsmd's last words: {instance.last_words()}") from None
    instance.used[key] = result.pop("next")
    for name, group in pids.items():
        used = sum(cpu_exact(pid) for pid in group) - before[name]
        result[f"{name}_cpu_usec_per_signature"] = round(used * 1e6 / result["signatures"], 2)
    result["cpu_usec_per_signature"] = round(sum(
        result[f"{name}_cpu_usec_per_signature"] for name in ("hsmd", "token", "client")), 2)
    return result


def verification_cpu(programs, folder, key):
    """CPU of one verification by hsmd's own code, with a key of that kind made for the purpose."""
    rsa = key.startswith("rsa")
    algorithm = ["RSA", "-pkeyopt", f"rsa_keygen_bits:{key[3:]}"] if rsa else ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    paths = {name: folder / f"verify-{key}.{name}" for name in ("pem", "der", "digest", "sig")}
    call(["openssl", "genpkey", "-algorithm"] + algorithm + ["-out", paths["pem"]])
    call(["openssl", "pkey", "-in", paths["pem"], "-pubout", "-outform", "DER", "-out", paths["der"]])
    paths["digest"].write_bytes(bytes(range(32)))
    call(["openssl", "pkeyutl", "-sign", "-inkey", paths["pem"], "-pkeyopt", "digest:sha256", "-in", paths["digest"],
          "-out", paths["sig"]])
    scheme = "rsa-pkcs1" if rsa else "ecdsa-der"
    runs = [float(call([programs["verify-bench"], paths["der"], scheme, paths["digest"], paths["sig"], 3000]))
            for _ in range(3)]
    return min(runs)


# ---- the machine ----

def fdatasync_usec(folder, count=100):
    path = folder / "fdatasync"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    times = []
    for i in range(count):
        os.pwrite(fd, b"\x5a" * 4096, i * 4096)
        begin = time.perf_counter()
        os.fdatasync(fd)
        times.append((time.perf_counter() - begin) * 1e6)
    os.close(fd)
    path.unlink()
    return round(statistics.median(times), 1)


def machine(folder):
    cpu = next((line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), "unknown")
    system = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], stdout=subprocess.PIPE, check=True)
    return {
        "cpu": cpu, "cpus": len(os.sched_getaffinity(0)), "kernel": os.uname().release,
        "filesystem": system.stdout.decode().strip(), "fdatasync_p50_usec": fdatasync_usec(folder),
        "load_before": round(os.getloadavg()[0], 2),
    }
