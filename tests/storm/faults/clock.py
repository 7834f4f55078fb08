"""The wall clock of one program is wrong; the machine's is never touched."""
import random
import time
from pathlib import Path

from . import fault
from .programs import ProgramFault
from ..stack import PROGRAMS

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
LOAD_WAIT_S = 2.0


class WrongClock(ProgramFault):
    offsets = ()

    @classmethod
    def locks_of(cls, seed):
        return frozenset({random.Random(seed).choice(PROGRAMS)})

    def inject(self):
        self.kind = self.rng.choice(PROGRAMS)  # the first that is drawn, as in locks_of
        name, offset = self.some(), self.rng.choice(self.offsets)
        self.facts["offset"] = offset
        self.stack.restart_with(name, {"LD_PRELOAD": LIBRARY, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
        if not self.is_loaded(name):
            raise RuntimeError(f"{LIBRARY} is not in {name}: its clock is right")

    def is_loaded(self, name):
        """ld.so only warns of a library that it does not find."""
        until = time.monotonic() + LOAD_WAIT_S
        while time.monotonic() < until:
            if LIBRARY in Path(f"/proc/{self.stack.pid(name)}/maps").read_text():
                return True
            time.sleep(0.01)
        return False

    def heal(self):
        if "program" in self.facts:
            self.stack.restart_with(self.facts["program"])


@fault("clock-hour", locks=PROGRAMS, touches=PROGRAMS, hold_s=(1.5, 4.0), quick=False)
class Hour(WrongClock):
    """One program's clock is an hour ahead or behind."""
    offsets = ("+1h", "-1h")


@fault("clock-year", locks=PROGRAMS, touches=PROGRAMS, hold_s=(1.5, 4.0))
class Year(WrongClock):
    """One program's clock is a year ahead or behind."""
    offsets = ("+1y", "-1y")
