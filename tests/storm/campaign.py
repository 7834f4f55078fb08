"""Runs added up: every run is one line of a file, and the tables of docs/reliability.md come from it.

Only runs of the same programs and the same load are added: each line has a digest of both, and those that differ from
the last line's are another campaign. On request the runs of a line of commits are added: those from certain programs on.
"""
import hashlib
import json
import statistics
from collections import Counter
from pathlib import Path

from . import faults

HERE = Path(__file__).resolve().parents[2]
LOAD = ("company.py", "receiver.py", "world.py")
PROGRAMS = ("intake", "relay", "assigner", "notifier")


# How often a campaign wants each fault. AIMED: all kills of the broker between a commit and its markers together, those
# that also take the markers away among them; a kill that came too late does not count as one.
GOAL, GOAL_CRASH_POINT, GOAL_AIMED_EACH = 20, 10, 48
GOAL_AIMED, GOAL_FAULTS, GOAL_TICKETS = 150, 2000, 1000000
GOAL_DRAINED_S = 30
GOAL_RECOVERY_MS = {"intake": 500, "relay": 2000, "assigner": 3000, "notifier": 3000}
AIMED = ("kafka-kill-prepared", "kafka-relay-kill-prepared", "kafka-forgets-markers", "kafka-relay-forgets-markers",
         "crash-relay.settle.before", "crash-relay.settle.after", "crash-relay.barrier.after")


def digest(paths):
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(f"{path.relative_to(HERE)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()[:12]


def digests():
    """Of the programs' sources and of the load."""
    sources = [p for folder in ("src", "sql") for p in (HERE / folder).rglob("*") if p.is_file()]
    return {"programs": digest(sources), "load": digest(HERE / "tests" / "storm" / name for name in LOAD)}


def same(runs, like):
    """Those runs whose programs and load are the same as those of a run."""
    return [r for r in runs if all(r.get(k) == like.get(k) for k in ("programs", "load"))]


def since(every, programs):
    """The runs from the first of these programs on, with the present load."""
    first = next((n for n, r in enumerate(every) if r.get("programs") == programs), None)
    if first is None:
        raise SystemExit(f"no run has programs {programs}")
    return [r for r in every[first:] if r.get("load") == digests()["load"]]


def read(path):
    """The runs of a campaign's file; none when it is not there yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def goal(fault_id):
    return GOAL_AIMED_EACH if fault_id in AIMED[:2] else GOAL_CRASH_POINT if fault_id.startswith("crash-") else GOAL


def counts(runs):
    """{fault: times} of the runs without a finding: only those count."""
    return sum((Counter(r["faults"]) for r in runs if r["ok"]), Counter())


def aimed(runs):
    """Kills of the broker that came in time."""
    return sum(r.get("aimed_hits", {}).get(i, 0) for r in runs if r["ok"] for i in AIMED)


def lacking(runs):
    """{fault: times} that a campaign still wants."""
    done = counts(runs)
    return Counter({i: goal(i) - done[i] for i in faults.load() if done[i] < goal(i)})


def is_calm(run):
    """It did nothing but kill, one program at a time: make storm-recovery."""
    return bool(run["faults"]) and all(i.startswith("calm-") for i in run["faults"])


def late(runs):
    """What took longer than it may, in words."""
    for r in runs:
        for what, s in r.get("after_heal_s", {}).items():
            if s > GOAL_DRAINED_S:
                yield f"seed {r['seed']}: {s} s until what was waiting was {what}"
        for kind, times in r["recovery_ms"].items() if is_calm(r) else ():
            for ms in times:
                if ms is None or ms > GOAL_RECOVERY_MS[kind]:
                    yield f"seed {r['seed']}: {kind} came back after {ms} ms"


def complete(runs):
    good = [r for r in runs if r["ok"]]
    return (not lacking(good) and not any(late(good)) and aimed(good) >= GOAL_AIMED and sum(counts(good).values()) >= GOAL_FAULTS
            and sum(r["tickets"] for r in good) >= GOAL_TICKETS)


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print()


def tables(args):
    every = read(args.file)
    runs = since(every, args.since) if args.since else same(every, every[-1]) if every else []
    good, failed = [r for r in runs if r["ok"]], [r for r in runs if not r["ok"]]
    if not good:
        print("no run without a finding")
        return 1
    print(f"{len(good)} runs, seeds {min(r['seed'] for r in good)} to {max(r['seed'] for r in good)}, "
          f"{min(r['at'] for r in good)} to {max(r['at'] for r in good)}, "
          f"commits {', '.join(dict.fromkeys(r['commit'] for r in good))}, "
          f"programs {', '.join(dict.fromkeys(r.get('programs') for r in good))}, load {good[-1].get('load')}.\n")
    for text in late(good):
        print(f"Too late: {text}.\n")
    for r in failed:
        print(f"Not counted: seed {r['seed']} at {r['at']}, commit {r['commit']}: {', '.join(r['failed'])}.\n")
    totals(good, len(failed))
    registry = faults.load()
    done = counts(good)
    table(("fault", "what it does", "times"),
          [(f"`{i}`", (registry[i].__doc__ or "").strip().splitlines()[0] if i in registry else "", done[i])
           for i in sorted(registry.keys() | done) if not i.startswith("crash-")])
    crash_points(done, registry)
    recoveries(good)
    drained(good)
    resources(good)
    earlier([r for r in every if r not in runs])
    return 1 if failed else 0


def earlier(runs):
    """Of programs and loads before the present ones: not added to anything above."""
    groups = {}
    for r in runs:
        groups.setdefault((r.get("programs", "before there were digests"), r.get("load", "")), []).append(r)
    rows = []
    for (programs, load), of in groups.items():
        good = [r for r in of if r["ok"]]
        rows.append((f"`{programs}`", load, min(r["at"] for r in of)[:16].replace("T", " "), len(of), f"{sum(r['tickets'] for r in good):,}",
                     f"{counts(of).total():,}", aimed(of), len(of) - len(good)))
    if rows:
        table(("earlier programs", "load", "from (UTC)", "runs", "tickets", "faults", "aimed kills", "with a finding"), rows)


def crash_points(done, registry):
    """One row a program: there are too many to name each."""
    rows = []
    for program in PROGRAMS:
        times = sorted(done[i] for i in registry if i.startswith(f"crash-{program}."))
        rows.append((program, len(times), sum(times), times[0], statistics.median(times), sum(n >= GOAL_CRASH_POINT for n in times)))
    table(("crash points of", "points", "died or frozen there", "rarest", "median", f"points with {GOAL_CRASH_POINT} or more"), rows)


def totals(good, failed):
    sums = {k: sum(r.get(k, 0) for r in good) for k in ("tickets", "tickets_after_heal", "commits", "events", "deliveries", "unknown",
                                                        "sent_again")}
    done, short = counts(good), lacking(good)
    crash = [i for i in short if i.startswith("crash-")]
    table(("what", "count"), [
        ("acknowledged tickets", f"{sums['tickets']:,}"),
        ("of them when the faults of their run were over", f"{sums['tickets_after_heal']:,}"), ("injected faults", f"{sum(done.values()):,}"),
        ("kills of the broker between a commit and its markers", aimed(good)),
        ("requests whose outcome was unknown at first", f"{sums['unknown']:,}"),
        ("commits replayed and checked", f"{sums['commits']:,}"), ("events published", f"{sums['events']:,}"),
        ("of them in the log twice, first aborted, with an aborted barrier between", f"{sums['sent_again']:,}"),
        ("webhook deliveries", f"{sums['deliveries']:,}"), ("runs with a finding, not counted", failed)])
    others = [f"`{i}`" for i in sorted(set(short) - set(crash))]
    if short:
        print(f"Still rarer than wanted: {len(crash)} crash points and {len(others)} other faults"
              + (f", {', '.join(others)}" if 0 < len(others) <= 12 else "") + ".\n")


def recoveries(runs):
    rows = []
    calm = [r for r in runs if is_calm(r)]
    for kind in PROGRAMS:
        times = [ms for r in calm for ms in r["recovery_ms"].get(kind, [])]
        known = [ms for ms in times if ms is not None]
        if known:
            rows.append((kind, len(known), f"{statistics.median(known) / 1000:.2f}", f"{max(known) / 1000:.2f}",
                         len(times) - len(known)))
    table(("kill -9 to first success", "samples", "median s", "worst s", "never"), rows)


def drained(runs):
    times = sorted(r["drained_s"] for r in runs if r["drained_s"] is not None)
    rows = [("everything, and no more comes", times)] if times else []
    for what in ("published", "decided", "told"):
        of = sorted(r["after_heal_s"][what] for r in runs if "after_heal_s" in r)
        if of:
            rows.append((f"what was waiting is {what}", of))
    if rows:
        table(("from heal until", "samples", "median s", "worst s", f"within {GOAL_DRAINED_S} s"),
              [(what, len(of), f"{statistics.median(of):.1f}", f"{of[-1]:.1f}", sum(t <= GOAL_DRAINED_S for t in of))
               for what, of in rows])


def resources(runs):
    used = [r["resources"] for r in runs if r["resources"]]
    if used:
        table(("program", "RSS MiB", "descriptors", "threads"),
              [(k, f"{max(u[k]['rss_kib'] for u in used) / 1024:.1f}", max(u[k]["descriptors"] for u in used),
                max(u[k]["threads"] for u in used)) for k in PROGRAMS])
