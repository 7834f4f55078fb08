"""PostgreSQL is stopped, killed, frozen, filled up and interrupted."""
import os
import signal
import threading
import time
from pathlib import Path

from . import Fault, NotNow, fault
from .programs import wait_for
from ..stack import services

OURS = "usename LIKE 'squad\\_%%' AND pid <> pg_backend_pid()"

REFUSED_WAIT_S = 4.0


class PostgresFault(Fault):
    sig = None

    def inject(self):
        if self.stack.signal("postgres", self.sig) is None:
            raise NotNow("PostgreSQL does not run just now")

    def heal(self):
        wait_for(self.stack, "postgres")

    def admin(self, *statements):
        """Runs each and returns the first value of the last; None when it gave no row."""
        import psycopg
        try:
            with self.stack.db() as db:
                for s in statements:
                    cursor = db.execute(s)
                row = cursor.fetchone() if cursor.description else None
                return row and row[0]
        except (psycopg.OperationalError, psycopg.errors.InternalError_) as e:  # the latter with its disk full
            raise NotNow(f"PostgreSQL does not answer: {e}") from None

    def surely(self, *statements):
        """The same, tried for half a minute."""
        until = time.monotonic() + 30
        while True:
            try:
                return self.admin(*statements)
            except NotNow:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)


@fault("pg-immediate", locks=["postgres"], touches=["postgres"], hold_s=(0.3, 1.5))
class Immediate(PostgresFault):
    """Immediate stop (SIGQUIT), started again with recovery."""
    sig = signal.SIGQUIT


@fault("pg-fast", locks=["postgres"], touches=["postgres"], hold_s=(0.3, 1.5))
class Fast(PostgresFault):
    """Fast restart (SIGINT)."""
    sig = signal.SIGINT


@fault("pg-kill", locks=["postgres"], touches=["postgres"], hold_s=(0.3, 1.5))
class Kill(PostgresFault):
    """kill -9 of the postmaster; its children find out by themselves."""
    sig = signal.SIGKILL


@fault("pg-backend-kill", locks=["postgres"], touches=["postgres"], hold_s=(0.3, 1.5))
class BackendKill(PostgresFault):
    """kill -9 of one backend: PostgreSQL drops every connection and recovers."""

    def inject(self):
        pid = self.admin(f"SELECT pid FROM pg_stat_activity WHERE {OURS} ORDER BY random() LIMIT 1".replace("%%", "%"))
        if pid is None:
            raise NotNow("no program is connected")
        os.kill(pid, signal.SIGKILL)


@fault("pg-freeze", locks=["postgres"], touches=["postgres"], hold_s=(1.0, 5.0))
class Freeze(PostgresFault):
    """SIGSTOP of all of PostgreSQL for 1 to 5 s."""

    def inject(self):
        postmaster = self.stack.signal("postgres", signal.SIGSTOP)
        if postmaster is None:
            raise NotNow("PostgreSQL does not run just now")
        self.frozen = [postmaster]
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in map(int, children):
            try:
                os.kill(pid, signal.SIGSTOP)
                self.frozen.append(pid)
            except ProcessLookupError:
                pass

    def heal(self):
        for pid in getattr(self, "frozen", []):
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass


@fault("pg-terminate", locks=["postgres"], touches=["postgres"])
class Terminate(PostgresFault):
    """pg_terminate_backend of the programs' connections at random, several times."""

    def inject(self):
        hit = 0
        for _ in range(self.rng.randint(1, 4)):
            hit += self.admin(f"SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity "
                              f"WHERE {OURS} ORDER BY random() LIMIT 2) x".replace("%%", "%"))
            time.sleep(self.rng.uniform(0.05, 0.4))
        if not hit:
            raise NotNow("no program is connected")
        self.facts["backends"] = hit


@fault("pg-commit-hangs", locks=["postgres"], touches=["postgres"])
class CommitHangs(PostgresFault):
    """Commits wait for a standby that does not exist; the backends are terminated in the middle of COMMIT."""

    def inject(self):
        self.admin("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
        time.sleep(self.rng.uniform(0.2, 1.5))
        self.facts["backends"] = self.admin(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        if not self.facts["backends"]:
            raise NotNow("no COMMIT was on its way")

    def heal(self):
        # Not waiting itself: a connection of its own setting.
        self.surely("SET synchronous_commit = off", "ALTER SYSTEM RESET synchronous_standby_names",
                    "SELECT pg_reload_conf()")


@fault("pg-commit-slow", locks=["postgres"], touches=["postgres"])
class CommitSlow(PostgresFault):
    """Each commit takes 50 ms (commit_delay) and backends are terminated meanwhile."""

    def inject(self):
        self.admin("ALTER SYSTEM SET commit_delay = 50000", "ALTER SYSTEM SET commit_siblings = 0",
                   "SELECT pg_reload_conf()")
        hit = 0
        for _ in range(6):
            time.sleep(self.rng.uniform(0.1, 0.3))
            hit += self.admin(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                              f"WHERE {OURS} AND state = 'active' AND backend_xid IS NOT NULL".replace("%%", "%"))
        self.facts["backends"] = hit

    def took_place(self):
        return self.facts["backends"] > 0

    def heal(self):
        self.surely("ALTER SYSTEM RESET commit_delay", "ALTER SYSTEM RESET commit_siblings", "SELECT pg_reload_conf()")


@fault("pg-connections", locks=["postgres"], touches=["postgres"], hold_s=(0.7, 2.5))
class Connections(PostgresFault):
    """All connections are used up by others while the programs have to connect again."""

    def inject(self):
        import psycopg
        self.taken = []
        self.admin(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {OURS}".replace("%%", "%"))
        try:
            while len(self.taken) < 100:
                self.taken.append(psycopg.connect(f"host=127.0.0.1 port={self.stack.port['pg']} dbname=squad "
                                                  "user=squad_report", connect_timeout=5))
        except psycopg.OperationalError:
            pass
        self.facts["connections"] = len(self.taken)
        if not self.taken:
            raise NotNow("PostgreSQL does not answer")

    def heal(self):
        for c in getattr(self, "taken", []):
            c.close()


@fault("pg-xmin-held", touches=[], until_end=True)
class XminHeld(PostgresFault):
    """A transaction with an xid and a snapshot is left idle until the faults are over."""

    def inject(self):
        self.stopping = threading.Event()
        self.opened = threading.Event()
        self.thread = threading.Thread(target=self.keep, daemon=True)
        self.thread.start()
        if not self.opened.wait(10):
            raise NotNow("PostgreSQL does not answer")

    def keep(self):
        import psycopg
        while not self.stopping.is_set():
            try:
                with self.stack.db() as db:
                    db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                    db.execute("SELECT pg_current_xact_id(), count(*) FROM squad.outbox")
                    self.opened.set()
                    while not self.stopping.wait(1):
                        db.execute("SELECT 1")
            except psycopg.Error:
                self.stopping.wait(0.5)  # another fault ended it: hold xmin again

    def heal(self):
        self.stopping.set()
        self.thread.join()


@fault("pg-table-locked", locks=["postgres"], touches=["postgres"], hold_s=(0.7, 4.0))
class TableLocked(PostgresFault):
    """Somebody holds an ACCESS EXCLUSIVE lock on a table for up to 4 s."""

    def inject(self):
        import psycopg
        table = self.facts["table"] = self.rng.choice(("ticket", "outbox", "dispatch", "assignment", "notice",
                                                       "expert_load", "expert"))
        try:
            self.db = self.stack.db(options="-c lock_timeout=3s")
            self.db.execute("BEGIN")
            self.db.execute(f"LOCK TABLE squad.{table} IN ACCESS EXCLUSIVE MODE")
        except psycopg.Error as e:
            raise NotNow(f"no lock: {e}") from None

    def heal(self):
        if hasattr(self, "db"):
            self.db.close()


def fill(stack, where, spare_bytes=0):
    """Makes a tmpfs full by shrinking it to what is used."""
    sudo = next(s for s, w in stack.mounts if w == where)
    st = os.statvfs(where)
    size = (st.f_blocks - st.f_bfree) * st.f_frsize + spare_bytes
    services.run([*sudo, "mount", "-o", f"remount,size={max(size, 4096)}", where], "shrink a tmpfs")


def empty(stack, where, size_mib):
    sudo = next(s for s, w in stack.mounts if w == where)
    services.run([*sudo, "mount", "-o", f"remount,size={size_mib}m", where], "grow a tmpfs")


@fault("pg-disk-full", locks=["postgres"], touches=["postgres"], hold_s=(1.0, 3.0))
class DiskFull(PostgresFault):
    """The disk of PostgreSQL is full for 1 to 3 s."""

    def inject(self):
        self.refused_before = self.refused()
        for _ in range(20):  # it may grow between the look and the shrinking
            try:
                fill(self.stack, self.stack.pg_root, 0 if self.storm.o.quick else self.rng.choice((0, 1 << 20)))
                break
            except services.StackError:
                time.sleep(0.05)
        else:
            raise NotNow("the disk grew too fast")

    def heal(self):
        from ..stack import PG_SIZE_MIB
        until = time.monotonic() + REFUSED_WAIT_S  # a busy machine: little comes
        while not self.took_place() and time.monotonic() < until:
            time.sleep(0.1)
        empty(self.stack, self.stack.pg_root, PG_SIZE_MIB)
        wait_for(self.stack, "postgres")

    def refused(self):
        """How often PostgreSQL has said that its disk is full."""
        return self.stack.kept["postgres"].log.read_bytes().count(b"No space left on device")

    def took_place(self):
        self.facts["refused"] = self.refused() - self.refused_before
        return self.facts["refused"] > 0


@fault("pg-checkpoint", touches=[])
class Checkpoint(PostgresFault):
    """CHECKPOINT and VACUUM in the middle of everything."""

    def inject(self):
        self.admin("CHECKPOINT", "VACUUM squad.expert_load", "VACUUM squad.dispatch", "SELECT 1")


