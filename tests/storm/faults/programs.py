"""Programs are killed, frozen, stopped and started; more of them run at once."""
import signal
import time

from . import Fault, NotNow, fault
from ..stack import PROGRAMS, services

CROWD = ("relay-2", "assigner-2", "assigner-3", "notifier-2")
STOP_LIMIT_S = 20  # after TERM: the programs' own 5 s, and what blocks them when it comes
# Stopped; TERM before it was handled; killed by a fault before; could not finish in time (docs/operating.md).
STOPPED_CODES = (0, -signal.SIGTERM, -signal.SIGKILL, 8)


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

    def term(self, name, limit_s=STOP_LIMIT_S):
        """TERM and wait; it must end by itself, with 0."""
        kept = self.stack.kept[name]
        with kept.guard:
            self.stack.hold(name)
            child = kept.child if kept.running() else None
        if child is None:
            return
        if not self.stack.stop(name, limit_s):
            self.stack.signal(name, signal.SIGKILL)
            self.stack.wait_ended(name, 5)
            self.storm.note("stopped", program=name, code=None, took_s=limit_s)
        elif child.returncode not in STOPPED_CODES:
            self.storm.note("stopped", program=name, code=child.returncode, took_s=0)


def frozen(kind):
    """What a frozen program disturbs: it may hold row locks that the notifier waits for, while its receivers answer."""
    return [kind] + (["postgres"] if kind in ("intake", "assigner") else [])


def register(kind):
    @fault(f"kill-{kind}", locks=[kind], touches=[kind], hold_s=(0.1, 1.0))
    class Kill(ProgramFault):
        """kill -9; it is started again at once."""

        def inject(self):
            self.send(signal.SIGKILL)

    @fault(f"freeze-{kind}", locks=[kind], touches=frozen(kind), hold_s=(1.0, 5.0))
    class Freeze(ProgramFault):
        """SIGSTOP for 1 to 5 s, one in five times for 11 to 23 s, then SIGCONT: a zombie returns."""

        def inject(self):
            self.send(signal.SIGSTOP)
            if self.for_long():
                time.sleep(self.rng.uniform(10, 18))

        def heal(self):
            if "program" in self.facts:
                self.stack.signal(self.facts["program"], signal.SIGCONT)

    @fault(f"term-{kind}", locks=[kind], touches=[kind], hold_s=(0.0, 1.5))
    class Term(ProgramFault):
        """TERM; it ends by itself and is started again after a while."""

        def inject(self):
            self.term(self.some())

        def heal(self):
            self.stack.release(self.facts.get("program", f"{self.kind}-1"))

    @fault(f"calm-kill-{kind}", locks=[kind], touches=[kind], alone=True, hold_s=(1.5, 2.5), quick=False)
    class CalmKill(ProgramFault):
        """kill -9 while nothing else is broken: its recovery time is measured."""

        def inject(self):
            self.facts["killed_at"] = time.time()
            self.send(signal.SIGKILL)

    for cls in (Kill, Freeze, Term, CalmKill):
        cls.kind = kind


for k in PROGRAMS:
    register(k)


@fault("rolling-restart", locks=PROGRAMS, touches=PROGRAMS)
class RollingRestart(ProgramFault):
    """Every program in turn: TERM, start again."""

    def inject(self):
        self.names = [f"{kind}-1" for kind in PROGRAMS]
        self.rng.shuffle(self.names)
        for name in self.names:
            self.term(name)
            self.stack.release(name)
            time.sleep(0.1)

    def heal(self):
        for kind in PROGRAMS:
            self.stack.release(f"{kind}-1")


@fault("crowd", locks=["relay", "assigner", "notifier"], touches=["notifier"], hold_s=(2.0, 5.0))
class Crowd(ProgramFault):
    """Two relays, three assigners and two notifiers at once; some are killed meanwhile."""

    def inject(self):
        for name in CROWD:
            self.stack.start_program(name)
        for _ in range(self.rng.randint(1, 4)):
            time.sleep(self.rng.uniform(0.5, 1.5))
            self.kind = self.rng.choice(PROGRAMS[1:])
            self.stack.signal(self.some(), signal.SIGKILL)

    def heal(self):
        for name in CROWD:
            self.term(name)


@fault("zombie-relay", locks=["relay", "postgres"], touches=[], hold_s=(0.5, 4.0))
class ZombieRelay(ProgramFault):
    """The leading relay is frozen and loses its connection; another one leads; the frozen one returns."""

    def inject(self):
        self.stack.start_program("relay-2")
        time.sleep(self.rng.uniform(0.5, 2.0))
        if self.stack.signal("relay-1", signal.SIGSTOP) is None:
            raise NotNow("it does not run just now")
        with self.stack.db() as db:
            self.facts["backends"] = db.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'squad_relay' "
                "AND application_name <> '' AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"
            ).fetchone()[0]
        time.sleep(self.rng.uniform(1.0, 4.0))

    def took_place(self):
        return self.facts["backends"] > 0

    def heal(self):
        self.stack.signal("relay-1", signal.SIGCONT)
        time.sleep(1.0)
        self.term("relay-2")


@fault("zombie-assigner", locks=["assigner"], touches=frozen("assigner"), hold_s=(8.0, 11.0))
class ZombieAssigner(ProgramFault):
    """One of two assigners is frozen beyond its session in the group, the other takes over, and it returns."""

    def inject(self):
        self.stack.start_program("assigner-2")
        time.sleep(self.rng.uniform(0.5, 2.0))
        if self.stack.signal("assigner-1", signal.SIGSTOP) is None:
            raise NotNow("it does not run just now")

    def heal(self):
        self.stack.signal("assigner-1", signal.SIGCONT)
        time.sleep(0.5)
        self.term("assigner-2")


@fault("no-advisory-locks", locks=["assigner"], touches=[], hold_s=(2.0, 5.0))
class NoAdvisoryLocks(ProgramFault):
    """Three assigners run with --no-advisory-locks: constraints alone keep the promises."""
    names = ("assigner-1", "assigner-2", "assigner-3")
    # Each refusal of a batch halves it, and without locks all three have the same tickets in hand.
    STOP_LIMIT_S = 60

    def inject(self):
        for name in self.names:
            if name in self.stack.kept:
                self.term(name)
            self.stack.start_program(name, arguments=["--no-advisory-locks"])

    def heal(self):
        for name in self.names:
            self.term(name, self.STOP_LIMIT_S)
        self.stack.release("assigner-1")


@fault("kill-everything", locks=[*PROGRAMS, "postgres", "kafka"], touches=[*PROGRAMS, "postgres", "kafka"],
       hold_s=(2.0, 4.0))
class KillEverything(ProgramFault):
    """kill -9 of all four programs, PostgreSQL and Kafka in one moment."""

    def inject(self):
        for name in [*(f"{kind}-1" for kind in PROGRAMS), "postgres", "kafka"]:
            self.stack.signal(name, signal.SIGKILL)

    def heal(self):
        wait_for(self.stack, "postgres", "kafka")


def wait_for(stack, *names, timeout_s=180):
    """Until PostgreSQL or Kafka answers: the next fault is about something that lives."""
    answers = {"postgres": lambda: services.postgres_answers(stack.port["pg"]),
               "kafka": lambda: services.kafka_answers(stack.port["kafka"])}
    until = time.monotonic() + timeout_s
    while not all(answers[name]() for name in names):
        if time.monotonic() > until:
            raise RuntimeError(f"no answer from {' or '.join(names)} within {timeout_s} s")
        time.sleep(0.1)
