"""python3 -m storm run | check | faults | tables: see README.md."""
import argparse
import json
import sys
from pathlib import Path

from . import campaign, checks, faults, series
from .run import DESK_SHARE, DRAIN_WAIT_S, HERE, Storm


def show(result, args):
    n = sum(result["faults"].values())
    line = (f"seed {result['seed']}: {'ok' if result['ok'] else 'FAILED'}, {result['tickets']} tickets, {n} faults of "
            f"{len(result['faults'])} kinds, drained in {result['drained_s']} s, {result['seconds']} s")
    print(line, flush=True)
    for name, found in result["failed"].items():
        print(f"  {name}: {result['counts_failed'][name]}")
        for text in found:
            print(f"    {text}")
    if not result["ok"]:
        print(f"  evidence: {result['evidence']} (schedule.json, log/, *.jsonl, commits.txt)")
        print(f"  replay:   {replay(result, args)}", flush=True)


def replay(result, args):
    how = ("--quick" if args.quick else f"--schedule {Path(result['evidence'], 'schedule.json')}" if args.schedule
           else f"--faults {args.faults}")
    text = (f"cd tests && /usr/bin/python3 -m storm run --seed {result['seed']} --tickets {args.tickets} "
            f"{how} --lanes {args.lanes}{' --flood' if args.flood else ''} "
            f"--build {Path(args.build).resolve()}")
    return text + (f" --only {','.join(args.only)}" if args.only else "")


def run(args):
    args.only = [x for x in (args.only or "").split(",") if x]
    bad = 0
    first = args.seed
    for i in range(args.runs):
        args.seed = first + i
        result = Storm(args).run()
        show(result, args)
        for path in filter(None, (args.json, args.campaign)):
            append(result, path)
        bad += not result["ok"]
        if bad and not args.go_on:
            break
    return 1 if bad else 0


def check(args):
    failed, _ = checks.run_all(args.directory)
    for name, found in failed.items():
        print(f"{name}: {len(found)}")
        for text in found[:args.show]:
            print(f"  {text}")
    print("FAILED" if failed else "ok")
    return 1 if failed else 0


def list_faults(_args):
    for fault_id, cls in sorted(faults.load().items()):
        print(f"{fault_id:24} {(cls.__doc__ or '').strip().splitlines()[0]}")
    return 0


def append(result, path):
    with open(path, "a") as f:
        f.write(json.dumps(result) + "\n")


def run_options(sub):
    """Options of a run, for those that make runs."""
    sub.add_argument("--faults", type=int, default=45)
    sub.add_argument("--lanes", type=int, default=4, help="faults at once, at most")
    sub.add_argument("--build", default=str(HERE / "build"), help="build directory whose bin is stormed")
    sub.add_argument("--rate-max", type=float, default=2000.0, help="tickets posted per second, at most")
    sub.add_argument("--desk-share", type=float, default=DESK_SHARE,
                     help="share of the tickets that are given to the desk, which keeps most of its offers")
    sub.add_argument("--drain-limit", type=float, default=120.0, help="seconds from heal to drained, at most")
    sub.add_argument("--drain-wait", type=float, default=DRAIN_WAIT_S, help="how long is looked on when it does not drain")
    sub.add_argument("--sql", type=Path, help="statements for the migrated database: a defect, a missing constraint")
    sub.add_argument("--arguments", action="append", default=[], metavar="PROGRAM=OPTIONS",
                     help="options of a program: assigner=--no-advisory-locks")
    sub.add_argument("--verbose", action="store_true", help="one line a fault")


def main():
    parser = argparse.ArgumentParser(prog="storm", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    sub = verbs.add_parser("run", help="storm it; exit 1 when a check failed")
    sub.set_defaults(function=run)
    run_options(sub)
    sub.add_argument("--flood", action="store_true", help="as many tickets as it can, until the faults are over")
    sub.add_argument("--seed", type=int, default=1)
    sub.add_argument("--runs", type=int, default=1, help="with seeds SEED, SEED+1, ...")
    sub.add_argument("--tickets", type=int, default=20000, help="acknowledged tickets, at least")
    sub.add_argument("--schedule", type=Path, help="the schedule.json of an earlier run, instead of --faults")
    sub.add_argument("--quick", action="store_true", help="every kind of fault once, instead of --faults")
    sub.add_argument("--only", help="fault ids, separated by commas; a * at the end is a prefix")
    sub.add_argument("--keep", action="store_true", help="keep the evidence of a good run too")
    sub.add_argument("--go-on", action="store_true", help="next seed even after a failure")
    sub.add_argument("--json", type=Path, help="append the result, one JSON object a run")
    sub.add_argument("--campaign", type=Path, help="the same, for the tables of the campaign")
    sub = verbs.add_parser("campaign", help="runs of the faults that a campaign lacks, one after the other")
    sub.set_defaults(function=series.run)
    run_options(sub)
    sub.add_argument("file", type=Path, help="the campaign's file: a line a run")
    sub.add_argument("--stacks", type=int, default=2, help="runs side by side: one restarts what the other does not wait for")
    sub.add_argument("--since", metavar="PROGRAMS", help="goes on with the runs from the first of these programs (a digest) on")
    sub.add_argument("--until", help="time of the day, UTC, HH:MM; else until every goal is met")
    sub = verbs.add_parser("check", help="check the evidence of a run again")
    sub.set_defaults(function=check)
    sub.add_argument("directory", type=Path)
    sub.add_argument("--show", type=int, default=10)
    sub = verbs.add_parser("faults", help="list the faults")
    sub.set_defaults(function=list_faults)
    sub = verbs.add_parser("tables", help="add up a campaign and print its tables in Markdown")
    sub.set_defaults(function=campaign.tables)
    sub.add_argument("file", type=Path, nargs="?", default=HERE / "tests" / "storm" / "campaign.jsonl")
    sub.add_argument("--since", metavar="PROGRAMS", help="add the runs from the first of these programs (a digest) on")
    args = parser.parse_args()
    return args.function(args)


if __name__ == "__main__":
    sys.exit(main())
