"""Runs added up: every run is one line of a file, and the tables of docs/reliability.md come from it."""
import json
import statistics
from collections import Counter

from . import faults

PROGRAMS = ("intake", "relay", "assigner", "notifier")


def good(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print()


def tables(args):
    runs = good(args.file)
    counts = Counter()
    for r in runs:
        counts.update(r["faults"])
    sums = {k: sum(r.get(k, 0) for r in runs) for k in ("tickets", "commits", "events", "deliveries", "unknown")}
    failed = [r for r in runs if not r["ok"]]
    print(f"{len(runs)} runs, seeds {min(r['seed'] for r in runs)} to {max(r['seed'] for r in runs)}, "
          f"{min(r['at'] for r in runs)} to {max(r['at'] for r in runs)}, "
          f"commits {', '.join(dict.fromkeys(r['commit'] for r in runs))}.\n")
    table(("what", "count"), [
        ("acknowledged tickets", f"{sums['tickets']:,}"), ("injected faults", f"{sum(counts.values()):,}"),
        ("requests whose outcome was unknown at first", f"{sums['unknown']:,}"),
        ("commits replayed and checked", f"{sums['commits']:,}"), ("events published", f"{sums['events']:,}"),
        ("webhook deliveries", f"{sums['deliveries']:,}"), ("runs with a finding", len(failed))])
    registry = faults.load()
    table(("fault", "what it does", "times"),
          [(f"`{i}`", (registry[i].__doc__ or "").strip().splitlines()[0] if i in registry else "", n)
           for i, n in sorted(counts.items())])
    recoveries(runs)
    resources(runs)
    return 1 if failed else 0


def recoveries(runs):
    rows = []
    for kind in PROGRAMS:
        times = [ms for r in runs for ms in r["recovery_ms"].get(kind, []) if ms is not None]
        if times:
            rows.append((kind, len(times), f"{statistics.median(times) / 1000:.2f}", f"{max(times) / 1000:.2f}"))
    drained = [r["drained_s"] for r in runs if r["drained_s"] is not None]
    if drained:
        rows.append(("whole path, heal to drained", len(drained), f"{statistics.median(drained):.1f}",
                     f"{max(drained):.1f}"))
    table(("recovery", "samples", "median s", "worst s"), rows)


def resources(runs):
    used = [r["resources"] for r in runs if r["resources"]]
    if used:
        table(("program", "RSS MiB", "descriptors", "threads"),
              [(k, f"{max(u[k]['rss_kib'] for u in used) / 1024:.1f}", max(u[k]["descriptors"] for u in used),
                max(u[k]["threads"] for u in used)) for k in PROGRAMS])
