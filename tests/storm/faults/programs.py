"""Programs are killed, stopped and started."""
import signal
import time

from . import Fault, NotNow, fault
from ..stack import PROGRAMS


class ProgramFault(Fault):
    kind = None

    def some(self):
        names = self.stack.running(self.kind)
        if not names:
            raise NotNow(f"no {self.kind} runs")
        self.facts["program"] = self.rng.choice(names)
        return self.facts["program"]

    def send(self, sig):
        pid = self.stack.signal(self.some(), sig)
        if pid is None:
            raise NotNow("it does not run just now")
        self.facts["pid"] = pid


def register(kind):
    @fault(f"kill-{kind}", locks=[kind], touches=[kind], hold_s=(0.1, 1.0))
    class Kill(ProgramFault):
        """kill -9; it is started again at once."""

        def inject(self):
            self.send(signal.SIGKILL)
    Kill.kind = kind


for k in PROGRAMS:
    register(k)


def register_calm(kind):
    @fault(f"calm-kill-{kind}", locks=[kind], touches=[kind], alone=True, hold_s=(1.5, 2.5))
    class CalmKill(ProgramFault):
        """kill -9 while nothing else is broken: its recovery time is measured."""

        def inject(self):
            self.facts["killed_at"] = time.time()
            self.send(signal.SIGKILL)
    CalmKill.kind = kind


for k in PROGRAMS:
    register_calm(k)
