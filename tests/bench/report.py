# SPDX-License-Identifier: Apache-2.0
"""From measurements to ratios, and the table for people."""

# Published for comparison, RSA-2048, one request at a time, 32 clients (DESIGN: "Measures"); not measured here.
PUBLISHED_SIGND = 102
PUBLISHED_PESIGND = 52


def best(runs):
    return max(runs, key=lambda run: run["signatures_per_second"])


def rate(runs):
    return best(runs)["signatures_per_second"]


def by_round(runs):
    rounds = {}
    for run in runs:
        rounds.setdefault(run["round"], []).append(run)
    return [rate(group) for _, group in sorted(rounds.items())]


def ratio(runs, peers):
    """Best over best, and how far the single rounds (each against its own neighbours) lie apart."""
    each = [ours / theirs for ours, theirs in zip(by_round(runs), by_round(peers)) if theirs]
    return round(rate(runs) / rate(peers), 3), [round(min(each), 3), round(max(each), 3)]


def ratios(measured):
    """`measured`: {"bare": [run...], "p11kit": ..., "hsmd_batch": ...} of one kind of key."""
    pairs = {
        "hsmd_batch_over_bare": ("hsmd_batch", "bare"),
        "hsmd_batch_over_p11kit": ("hsmd_batch", "p11kit"),
        "hsmd_batch_over_bare_processes": ("hsmd_batch", "bare_processes"),
        "hsmd_batch_over_p11kit_processes": ("hsmd_batch", "p11kit_processes"),
        "hsmd_files_over_bare": ("hsmd_batch_files", "bare"),
        "hsmd_32_clients_over_bare": ("hsmd_single_32", "bare"),
        "p11kit_over_bare": ("p11kit", "bare"),
    }
    result, spread = {}, {}
    for name, (ours, theirs) in pairs.items():
        if measured.get(ours) and measured.get(theirs):
            result[name], spread[name] = ratio(measured[ours], measured[theirs])
    result["spread"] = spread
    return result


def summary(runs):
    chosen = dict(best(runs))
    chosen["best_of_rounds"] = [round(value, 1) for value in by_round(runs)]
    chosen["runs"] = runs
    return chosen


def single_over_bare_usec(measured):
    """What an idle hsmd adds to the bare operation: medians, the quietest round of each."""
    bare = min(run["p50_usec"] for run in measured["bare"] if run["threads"] == 1)
    return round(min(run["p50_usec"] for run in measured["hsmd_single_1"]) - bare, 1)


def targets(result):
    """Measure, target, what was reached, whether that is enough: the table of DESIGN's "Measures"."""
    rows = []

    def add(measure, target, reached, limit, at_least):
        if reached is not None:
            met = reached >= limit if at_least else reached <= limit
            rows.append({"measure": measure, "target": target, "reached": reached, "met": met})

    ratios_of = result["ratios"]
    p256, rsa = ratios_of.get("p256", {}), ratios_of.get("rsa3072", {})
    add("P-256 batches over bare", ">= 0.40", p256.get("hsmd_batch_over_bare"), 0.40, True)
    add("RSA-3072 batches over bare", ">= 0.95", rsa.get("hsmd_batch_over_bare"), 0.95, True)
    add("P-256 batches over p11-kit server", ">= 1.0", p256.get("hsmd_batch_over_p11kit"), 1.0, True)
    add("RSA-3072 batches over p11-kit server", ">= 1.1", rsa.get("hsmd_batch_over_p11kit"), 1.1, True)
    add("single, 32 clients, RSA-3072, over obs-sign signd's published 102/s with RSA-2048", ">= 10",
        result.get("published", {}).get("rsa3072_single_32_over_signd"), 10, True)
    add("CPU of hsmd a signature, P-256 batches, without verification", "<= 20 us",
        result.get("hsmd_cpu_without_verification_usec"), 20, False)
    journal = result.get("journal", {})
    add(f"cost a signature, {journal.get('entries_large', 0):,} entries over 1,000, time", "<= 1.1",
        journal.get("cost_ratio_time"), 1.1, False)
    add(f"cost a signature, {journal.get('entries_large', 0):,} entries over 1,000, CPU of hsmd", "<= 1.1",
        journal.get("cost_ratio_cpu"), 1.1, False)
    add(f"resident memory of hsmd after {journal.get('entries_large', 0):,} entries", "< 32 MiB",
        journal.get("rss_large_mib"), 32, False)
    add("one request when idle, over the bare operation", "< 1000 us",
        result.get("single_over_bare_usec", {}).get("p256"), 1000, False)
    return rows


NAMES = {
    "bare": "bare C_Sign, threads", "bare_processes": "bare C_Sign, processes",
    "p11kit": "p11-kit server, threads", "p11kit_processes": "p11-kit server, processes",
    "hsmd_batch": "hsmd, batches of 256 digests", "hsmd_batch_files": "hsmd, batches of 256 files",
    "hsmd_single_32": "hsmd, single, 32 clients", "hsmd_single_1": "hsmd, single, 1 client",
}


def how(run):
    if "clients" in run:
        return f"{run['clients']} cl"
    return f"{run['processes']} x {run['threads']}"


def table(result):
    machine = result["machine"]
    lines = [
        f"{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, {machine['filesystem']}, "
        f"fdatasync {machine['fdatasync_p50_usec']} us, load before {machine['load_before']}",
        f"{result['rounds']} rounds; best of them, in brackets the best of each round", "",
    ]
    for kind, measured in result["measures"].items():
        lines.append(f"{kind:<34}{'with':>8}{'/s':>10}{'p50 us':>10}{'p99 us':>10}{'CPU us':>9}{'hsmd':>8}{'token':>8}")
        for name, title in NAMES.items():
            if name not in measured:
                continue
            run = measured[name]
            parts = "".join(f"{run[f'{part}_cpu_usec_per_signature']:>8.1f}" if f"{part}_cpu_usec_per_signature" in run
                            else " " * 8 for part in ("hsmd", "token"))
            lines.append(f"  {title:<32}{how(run):>8}{run['signatures_per_second']:>10.0f}{run['p50_usec']:>10.0f}"
                         f"{run['p99_usec']:>10.0f}{run['cpu_usec_per_signature']:>9.1f}{parts:16}"
                         f"  [{' '.join(f'{value:.0f}' for value in run['best_of_rounds'])}]")
        lines.append("")
    for kind, values in result["ratios"].items():
        for name, (low, high) in values["spread"].items():
            lines.append(f"{kind + ' ' + name:<50}{values[name]:>8.3f}   rounds {low:.3f} to {high:.3f}")
    lines += ["", f"{'target':<78}{'wanted':>10}{'reached':>12}"]
    for row in result["targets"]:
        lines.append(f"{row['measure']:<78}{row['target']:>10}{row['reached']:>12.3f}  {'yes' if row['met'] else 'NO'}")
    return "\n".join(lines + [f"\n{note}" for note in result["notes"]])
