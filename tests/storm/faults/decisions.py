"""A program is frozen between what it has read and what it writes, at a crash point, while another one goes on."""
import signal
import time

from . import Fault, NotNow, fault
from .crash_points import points_of_build
from .programs import frozen

FIRED_WAIT_S = 10.0
LEADS_WAIT_S = 15.0
RELAY_LOCKS = ("SELECT pid FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
               "WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = 'squad-relay'")


class Frozen(Fault):
    def freeze_at(self, name, point, then=lambda: None):
        """Returns when the program has stopped there."""
        file = self.stack.crash_file(name)
        fired = file.with_name(file.name + ".fired")
        fired.unlink(missing_ok=True)
        file.write_text(f"{point}:1:stop")
        then()
        until = time.monotonic() + FIRED_WAIT_S
        while not fired.exists():
            if time.monotonic() > until:
                file.unlink(missing_ok=True)
                raise NotNow(f"{point} was not passed")
            time.sleep(0.005)

    def thaw(self, *names):
        for name in names:
            self.stack.crash_file(name).unlink(missing_ok=True)
            if name in self.stack.kept:
                self.stack.signal(name, signal.SIGCONT)


@fault("assigner-frozen-deciding", locks=["assigner"], touches=frozen("assigner"), hold_s=(0.5, 1.0),
       needs=lambda build: "assigner.decide.before" in points_of_build(str(build), "assigner"))
class FrozenDeciding(Frozen):
    """An assigner is frozen between its choice and its writing until another one has swept the same tickets."""

    def inject(self):
        self.stack.start_program("assigner-2")
        time.sleep(self.rng.uniform(0.5, 1.5))
        self.freeze_at("assigner-1", self.rng.choice(("assigner.decide.before", "assigner.lock.before")))
        time.sleep(self.rng.uniform(7.0, 9.0))  # a sweep takes what is older than 3 s, every 3 s

    def heal(self):
        self.thaw("assigner-1")
        time.sleep(0.5)
        self.stack.stop("assigner-2")


@fault("relay-zombie-decides", locks=["relay", "postgres"], hold_s=(0.2, 0.5),
       needs=lambda build: "relay.begin.before" in points_of_build(str(build), "relay"))
class ZombieDecides(Frozen):
    """A leading relay is frozen with a batch in hand and loses its lead; it returns when its successor has the
    position and the same batch in hand, and has not begun."""

    def inject(self):
        self.stack.start_program("relay-2")
        time.sleep(1.0)
        self.freeze_at("relay-1", "relay.begin.before")
        self.freeze_at("relay-2", "relay.begin.before", then=self.terminate_leader)
        self.thaw("relay-1")
        time.sleep(self.rng.uniform(0.5, 1.5))
        self.thaw("relay-2")

    def terminate_leader(self):
        with self.stack.db() as db:
            self.facts["terminated"] = db.execute(
                f"SELECT count(pg_terminate_backend(pid)) FROM ({RELAY_LOCKS}) AS leaders").fetchone()[0]

    def heal(self):
        self.thaw("relay-1", "relay-2")
        time.sleep(1.0)
        self.stack.stop("relay-2")
