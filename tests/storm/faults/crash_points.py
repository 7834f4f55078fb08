"""Crash points: the program dies or freezes at the n-th passing of a named place (src/common/crash.h).

A fault for each point of the build that is stormed; other builds have none.
"""
import functools
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from . import Fault, NotNow, fault
from .crossed_writers import write_rows_without_topic
from .kafka_transactions import AimedKill
from .programs import frozen
from ..stack import HERE, PROGRAMS

FIRED_WAIT_S = 10.0
FROZEN_S, FROZEN_LONG_S = (0.3, 4.0), (10.0, 18.0)  # the long one is one in five, for zombies
# Passed when a program starts, when it is asked to stop; all others under load.
AT_START = ("connect", "lock", "init", "position", "roster", "reclaim")
AT_STOP = ("drain", "leave")
POINT = re.compile(r'CRASH_POINT\("([a-z0-9._]+)"\)')


def points_in_source():
    """program: its points. Those of src/common begin with a dot and belong to the programs that use the file."""
    found = {}
    for program in PROGRAMS:
        own = "".join(path.read_text() for path in (HERE / "src" / program).glob("*.[ch]"))
        names = set(POINT.findall(own))
        for path in (HERE / "src" / "common").glob("*.c"):
            if f'#include "{path.stem}.h"' in own:
                names |= {program + n for n in POINT.findall(path.read_text())}
        found[program] = sorted(names)
    return found


@functools.cache
def points_of_build(build, program):
    binary = Path(build) / "bin" / f"squad-{program}"
    done = subprocess.run([binary], env=os.environ | {"SQUAD_CRASH": "list"}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=10, check=False)
    return frozenset(done.stdout.split()) if done.returncode == 0 else frozenset()


class CrashPoint(Fault):
    point = None

    def inject(self):
        self.program, step, _ = self.point.split(".")
        self.name = self.rng.choice(self.stack.running(self.program))
        freezes = self.rng.random() < 0.25
        passings = 1 if step in AT_START + AT_STOP else self.rng.choice((1, 1, 2, 3, 10))
        plan = f"{self.point}:{passings}:{'stop' if freezes else 'kill'}"
        self.facts |= {"program": self.name, "plan": plan}
        self.file = self.stack.crash_file(self.name)
        self.fired = self.stack.fired_file(self.name)
        self.fired.unlink(missing_ok=True)
        old = self.stack.pid(self.name)
        ready = self.file.with_name(self.file.name + ".new")
        ready.write_text(plan)
        ready.rename(self.file)
        self.nudge(step)
        until = time.monotonic() + FIRED_WAIT_S
        while not self.fired.exists():
            if time.monotonic() > until:
                self.file.unlink(missing_ok=True)
                raise NotNow(f"{self.point} was not passed")
            time.sleep(0.01)
        if freezes:
            self.touches |= frozenset(frozen(self.program))
            self.facts["frozen_s"] = round(self.rng.uniform(*(FROZEN_LONG_S if self.for_long() else FROZEN_S)), 1)
            time.sleep(self.facts["frozen_s"])
            self.stack.signal(self.name, signal.SIGCONT)
        else:
            self.facts["pid"] = old

    def nudge(self, step):
        if step in AT_START:
            self.stack.signal(self.name, signal.SIGKILL)
        elif step in AT_STOP:
            self.stack.signal(self.name, signal.SIGTERM)
        elif step == "dead":
            write_rows_without_topic(self.stack, 10)

    def heal(self):
        self.file.unlink(missing_ok=True)
        self.stack.signal(self.name, signal.SIGCONT)


class CrashWhileSettling(CrashPoint, AimedKill):
    """relay.settle and relay.barrier are passed only when a broker has forgotten markers."""
    forgets = True

    def nudge(self, _step):
        AimedKill.inject(self)

    def inject(self):
        CrashPoint.inject(self)

    def heal(self):
        CrashPoint.heal(self)
        AimedKill.heal(self)


def register(program, point):
    settles = point.startswith(("relay.settle", "relay.barrier"))

    @fault(f"crash-{point}", locks=[program] + (["kafka"] if settles else []),
           touches=[program] + (["kafka"] if settles else []), hold_s=(0.0, 0.5),
           needs=lambda build: point in points_of_build(str(build), program))
    class Point(CrashWhileSettling if settles else CrashPoint):
        __doc__ = f"dies or freezes at the n-th passing of {point}"
    Point.point = point


for each_program, points in points_in_source().items():
    for each in points:
        register(each_program, each)
