"""python3 -m mutants [--only NAME[,NAME]] [--list] [--check] [--fresh]: see README.md."""
import argparse
import hashlib
import json
import subprocess
import sys
import time

from .mutant import HERE, WORK, Stale, load_all, prepare, storm

# Checks that say that the storm or the machine was in trouble, or that are squad's own opinion.
NOT_CAUGHT_BY = {"storm", "resources", "verify", "drained", "stops"}
FIRST_SEED = 1


class Results:
    """What was found so far, for one state of the sources: a table of two hours can be continued."""

    def __init__(self, fresh):
        WORK.mkdir(parents=True, exist_ok=True)
        self.path = WORK / "results.json"
        self.all = {} if fresh or not self.path.exists() else json.loads(self.path.read_text())

    def get(self, kind, key):
        return self.all.get(f"{kind} {key}")

    def put(self, kind, key, value):
        self.all[f"{kind} {key}"] = value
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.all, indent=1))
        new.rename(self.path)


def source_state():
    """Programs and storm: what a result depends on."""
    done = subprocess.run(["git", "ls-files", "-s", "src", "sql", "tests/storm"], cwd=HERE, capture_output=True,
                          text=True, check=True)
    diff = subprocess.run(["git", "diff", "HEAD", "--", "src", "sql", "tests/storm"], cwd=HERE, capture_output=True,
                          text=True, check=True)
    return hashlib.sha256((done.stdout + diff.stdout).encode()).hexdigest()[:12]


def digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def seen_by(result):
    return sorted(result["failed"].keys() - NOT_CAUGHT_BY)


class Hunt:
    def __init__(self, args):
        self.args = args
        self.results = Results(args.fresh)
        self.state = source_state()

    def healthy(self, mutant, seed):
        """The unmutated tree passes with the same seed: else nothing is proved. Returns the checks that failed."""
        key = f"{self.state} {digest(mutant.profile())} {seed}"
        known = self.results.get("healthy", key)
        if known is None:
            build, sql = prepare(mutant, defect=False)
            result = storm(mutant, build, sql, seed, self.args.keep)
            known = sorted(result["failed"]) or ([] if result["tickets"] and result["faults"] else ["nothing happened"])
            self.results.put("healthy", key, known)
        return known

    def hunt(self, mutant):
        """{"by": checks, "runs": n, "seed": seed} or {"by": []} when it survived."""
        key = f"{self.state} {mutant.name} {digest(vars(mutant))}"
        known = self.results.get("mutant", key)
        if known is not None:
            return known
        build, sql = prepare(mutant)
        outcome, faults = {"by": [], "runs": mutant.runs}, 0
        for run in range(1, mutant.runs + 1):
            seed = FIRST_SEED + run - 1
            result = storm(mutant, build, sql, seed, self.args.keep)
            faults += sum(result["faults"].values())
            by = seen_by(result)
            if by:
                outcome = {"by": by, "runs": run, "seed": seed, "faults": faults,
                           "found": result["failed"][by[0]][0][:200]}
                break
        if outcome["by"]:
            outcome["healthy"] = self.healthy(mutant, outcome["seed"])
        self.results.put("mutant", key, outcome)
        return outcome


def chosen(only):
    mutants = load_all()
    if not only:
        return mutants
    names = only.split(",")
    picked = [m for m in mutants if any(m.name == n or (n.endswith("*") and m.name.startswith(n[:-1])) for n in names)]
    if not picked:
        raise SystemExit(f"no mutant is called {only}")
    return picked


def check_all(mutants):
    """Every patch applies and compiles; nothing is stormed."""
    bad = 0
    for m in mutants:
        try:
            prepare(m)
            print(f"  {m.name:32} applies")
        except Stale as e:
            print(f"  {m.name:32} {e}")
            bad += 1
    return 1 if bad else 0


def row(mutant, outcome):
    return f"| `{mutant.name}` | {mutant.title} | {', '.join(outcome['by'])} | {outcome['runs']} | {outcome['seed']} |"


def main():
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--only", default="", help="names, separated by commas; a * at the end is a prefix")
    parser.add_argument("--list", action="store_true", help="name them")
    parser.add_argument("--check", action="store_true", help="apply and build each, storm none")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--keep", action="store_true", help="keep the evidence of every run")
    args = parser.parse_args()
    mutants = chosen(args.only)
    if args.list:
        for m in mutants:
            print(f"{m.name:32} {m.title}")
        return 0
    if args.check:
        return check_all(mutants)
    hunt, rows, bad = Hunt(args), [], []
    for m in mutants:
        started = time.monotonic()
        try:
            outcome = hunt.hunt(m)
        except Stale as e:
            bad.append(f"{m.name}: does not apply any more: {e}")
            print(f"  {m.name:32} STALE {e}", flush=True)
            continue
        took = f"{time.monotonic() - started:.0f} s"
        if not outcome["by"]:
            bad.append(f"{m.name}: survived {outcome['runs']} runs")
            print(f"  {m.name:32} SURVIVED {outcome['runs']} runs, {took}", flush=True)
        elif outcome["healthy"]:
            bad.append(f"{m.name}: the unmutated tree fails with seed {outcome['seed']} too: {outcome['healthy']}")
            print(f"  {m.name:32} nothing proved, unmutated fails {outcome['healthy']}, {took}", flush=True)
        else:
            rows.append(row(m, outcome))
            print(f"  {m.name:32} {', '.join(outcome['by'])} after {outcome['runs']}, seed {outcome['seed']}, {took}: "
                  f"{outcome['found']}", flush=True)
    print("\n| mutant | defect | caught by | runs | seed |\n|---|---|---|---|---|")
    print("\n".join(rows))
    print(f"\n{len(rows)} of {len(mutants)} caught")
    for text in bad:
        print(text)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
