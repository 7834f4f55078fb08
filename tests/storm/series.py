"""A campaign's runs, some side by side: each draws the faults that the campaign still lacks."""
import json
import os
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta, timezone

from . import campaign, faults
from .stack import HERE

CALM = "calm-kill-"
CALM_RATE = 200.0  # recovery under a load that is neither nothing nor all that can be taken
STAGGER_S = 25  # a stack begins so long after the one before
LEFT_S = 60  # no run is begun that would not be over so long before the end
TICKETS_A_RUN, TICKETS_LEAST, MORE = 60000, 10000, 1.15  # MORE than the mean, because a run may fail
OVERHEAD_S, RATE_PER_S = 100, 170  # of a run beside others on two cores: what is not load, and what the load reaches
FAULTS_LEAST = 60  # a run of fewer is not worth its start
EXPECTED_S = 330.0  # of the first run


def deadline(text):
    """The next time that it is so late; None: there is none."""
    if not text:
        return None
    now = datetime.now(timezone.utc)
    hour, minute = map(int, text.split(":"))
    at = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return at + timedelta(days=at < now)


class Run:
    """One run, in a process of its own that adds its line to the file."""

    def __init__(self, args, seed, planned, rate, tickets):
        self.started, self.planned = time.monotonic(), planned
        self.alone = rate == CALM_RATE
        plan = HERE / "build" / "storm" / f"campaign-{seed}.json"
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.write_text(json.dumps([vars(p) for p in planned], indent=1))
        argv = [sys.executable, "-m", "storm", "run", "--schedule", plan, "--seed", seed, "--rate-max", rate,
                *(("--tickets", tickets) if tickets else ("--flood",)), "--lanes", args.lanes, "--build", args.build, "--campaign", args.file,
                *(f"--arguments={a}" for a in args.arguments)]
        self.process = subprocess.Popen([str(a) for a in argv], cwd=HERE / "tests", env=os.environ)

    def over(self):
        return self.process.poll() is not None

    def counts(self):
        return Counter(p.id for p in self.planned)


class Series:
    def __init__(self, args):
        self.args, self.until = args, deadline(args.until)
        self.under_way, self.took_s, self.seed = [], EXPECTED_S, int(time.time())

    def done(self):
        every = campaign.read(self.args.file)
        return campaign.since(every, self.args.since) if self.args.since else campaign.same(every, campaign.digests())

    def left_s(self):
        return (self.until - datetime.now(timezone.utc)).total_seconds() - LEFT_S if self.until else float("inf")

    def go(self):
        while True:
            for run in [r for r in self.under_way if r.over()]:
                self.under_way.remove(run)
                if not run.alone:
                    self.took_s = time.monotonic() - run.started
            if len(self.under_way) < self.args.stacks and self.worth_it():
                self.begin()
                time.sleep(STAGGER_S)
            elif not self.under_way:
                return
            time.sleep(0.5)

    def worth_it(self):
        return not any(r.alone for r in self.under_way) and self.many() >= FAULTS_LEAST and not campaign.complete(self.done())

    def many(self):
        """How many faults there is time for."""
        return int(self.args.faults * min(1.0, self.left_s() / self.took_s))

    def tickets(self):
        """What is missing, spread over the runs that there is time for: a run whose faults are over goes on without."""
        missing = campaign.GOAL_TICKETS - sum(r["tickets"] for r in self.done() if r["ok"])
        runs = self.left_s() / self.took_s * self.args.stacks if self.until else missing / TICKETS_A_RUN
        most = (self.left_s() - OVERHEAD_S) * RATE_PER_S if self.until else TICKETS_A_RUN
        return int(max(TICKETS_LEAST, min(MORE * missing / max(runs, 1), most)))

    def begin(self):
        """The next run: kills for the recovery times by themselves, and everything else together."""
        faults.load()
        counted = campaign.counts(self.done()) + sum((r.counts() for r in self.under_way), Counter())
        able = faults.chosen([], self.args.build)
        calm = [i for i in able if i.startswith(CALM)]
        wanted = sum(max(0, campaign.goal(i) - counted[i]) for i in calm)
        self.seed += 1
        if wanted:
            planned, rate = faults.towards(self.seed, wanted, calm, counted, campaign.goal), CALM_RATE
        else:
            others = [i for i in able if i not in calm]
            lacking = sum(max(0, campaign.goal(i) - counted[i]) for i in others)
            n = min(self.many(), max(FAULTS_LEAST, lacking))
            planned, rate = faults.towards(self.seed, n, others, counted, campaign.goal), self.args.rate_max
        self.under_way.append(Run(self.args, self.seed, planned, rate, None if wanted else self.tickets()))


def run(args):
    args.file = args.file.resolve()
    series = Series(args)
    series.go()
    runs = series.done()
    print(f"{len(runs)} runs, {sum(r['tickets'] for r in runs if r['ok'])} tickets, "
          f"{campaign.counts(runs).total()} faults, {campaign.lacking(runs).total()} lacking")
    return 0 if all(r["ok"] for r in runs) else 1
