"""Runs added up: every run is one line of a file, and the tables of docs/reliability.md come from it."""
import json
import statistics
from collections import Counter

from . import faults

PROGRAMS = ("intake", "relay", "assigner", "notifier")


# How often a campaign wants each fault.
GOAL, GOAL_CRASH_POINT, GOAL_AIMED = 20, 10, 75


def read(path):
    """The runs of a campaign's file; none when it is not there yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def goal(fault_id):
    aimed = ("kafka-kill-prepared", "kafka-relay-kill-prepared")
    return GOAL_AIMED if fault_id in aimed else GOAL_CRASH_POINT if fault_id.startswith("crash-") else GOAL


def counts(runs):
    """{fault: times} of the runs without a finding: only those count."""
    return sum((Counter(r["faults"]) for r in runs if r["ok"]), Counter())


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print()


def tables(args):
    runs = read(args.file)
    good, failed = [r for r in runs if r["ok"]], [r for r in runs if not r["ok"]]
    if not good:
        print("no run without a finding")
        return 1
    print(f"{len(good)} runs, seeds {min(r['seed'] for r in good)} to {max(r['seed'] for r in good)}, "
          f"{min(r['at'] for r in good)} to {max(r['at'] for r in good)}, "
          f"commits {', '.join(dict.fromkeys(r['commit'] for r in good))}.\n")
    for r in failed:
        print(f"Not counted: seed {r['seed']} at {r['at']}, commit {r['commit']}: {', '.join(r['failed'])}.\n")
    totals(good, len(failed))
    registry = faults.load()
    table(("fault", "what it does", "times"),
          [(f"`{i}`", (registry[i].__doc__ or "").strip().splitlines()[0] if i in registry else "", n)
           for i, n in sorted(counts(good).items())])
    recoveries(good)
    drained(good)
    resources(good)
    return 1 if failed else 0


def totals(good, failed):
    sums = {k: sum(r.get(k, 0) for r in good) for k in ("tickets", "commits", "events", "deliveries", "unknown")}
    done = counts(good)
    short = [f"`{i}` {done[i]}" for i in sorted(faults.load()) if done[i] < goal(i)]
    table(("what", "count"), [
        ("acknowledged tickets", f"{sums['tickets']:,}"), ("injected faults", f"{sum(done.values()):,}"),
        ("requests whose outcome was unknown at first", f"{sums['unknown']:,}"),
        ("commits replayed and checked", f"{sums['commits']:,}"), ("events published", f"{sums['events']:,}"),
        ("webhook deliveries", f"{sums['deliveries']:,}"), ("runs with a finding, not counted", failed)])
    print(f"Still rarer than wanted: {', '.join(short) or 'none'}.\n")


def recoveries(runs):
    """Of the runs that did nothing but kill, one program at a time: make storm-recovery."""
    rows = []
    calm = [r for r in runs if r["faults"] and all(i.startswith("calm-") for i in r["faults"])]
    for kind in PROGRAMS:
        times = [ms for r in calm for ms in r["recovery_ms"].get(kind, [])]
        known = [ms for ms in times if ms is not None]
        if known:
            rows.append((kind, len(known), f"{statistics.median(known) / 1000:.2f}", f"{max(known) / 1000:.2f}",
                         len(times) - len(known)))
    table(("kill -9 to first success", "samples", "median s", "worst s", "never"), rows)


def drained(runs):
    times = sorted(r["drained_s"] for r in runs if r["drained_s"] is not None)
    if times:
        table(("heal to drained", "samples", "median s", "worst s", "within 30 s"),
              [("whole path", len(times), f"{statistics.median(times):.1f}", f"{times[-1]:.1f}",
                sum(t <= 30 for t in times))])


def resources(runs):
    used = [r["resources"] for r in runs if r["resources"]]
    if used:
        table(("program", "RSS MiB", "descriptors", "threads"),
              [(k, f"{max(u[k]['rss_kib'] for u in used) / 1024:.1f}", max(u[k]["descriptors"] for u in used),
                max(u[k]["threads"] for u in used)) for k in PROGRAMS])
