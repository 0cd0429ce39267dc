# SPDX-License-Identifier: Apache-2.0
"""SIGTERM while clients are asking: nothing is abandoned, nothing is open, and every answer is one of three."""
import random
import signal
import socket
import sys
import threading
import time

import daemons
import history
import varlink


def load(instance, files, rng, told, faults):
    try:
        with instance.sign_socket() as c:
            while True:
                names = rng.sample(files, rng.choice((1, 8, 64)))
                key, form = rng.choice((("release-p256", "raw-ecdsa"), ("release-rsa3072", "raw-rsa-pss-sha256")))
                for result in c.sign(key, [(name, instance.path("artifacts", name)) for name in names], format=form):
                    if result["outcome"] == "signed":
                        told.append(result["entry"])
                    elif result["reason"] != "stopping":
                        faults.append("failed: %s" % result)
    except varlink.Gone:
        pass
    except varlink.VarlinkError as e:
        if e.reason != "stopping":
            faults.append(str(e))
    except socket.timeout as e:
        faults.append("no answer: %s" % e)


def main(seed):
    instance, rng = daemons.Instance(), random.Random(seed)
    state = instance.path("state/state.db")
    files = ["a%d" % i for i in range(1, 701)]
    told, faults = [], []
    threads = [threading.Thread(target=load, args=(instance, files, random.Random("%s %d" % (seed, i)), told, faults))
               for i in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(rng.uniform(0.1, 0.5))
    start = time.monotonic()
    instance.kill("hsmd", signal.SIGTERM)
    took = time.monotonic() - start
    for thread in threads:
        thread.join()
    h = history.History(instance.path("log"), instance.path("trust"), state)
    abandoned, opened = len(h.of_type("abandoned")), history.open_intents(state)
    print("%d answers, stopped in %.2f s, %d abandoned, %d open" % (len(told), took, abandoned, opened))
    if abandoned or opened or not told or took > 20:
        faults.append("not an orderly stop under load")
    if faults:
        sys.exit("; ".join(faults[:5]))


main(int(sys.argv[1]))
