"""A private stack for a test: real PostgreSQL, real Kafka, the real programs, kept running."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "tools"))
from private_stack.services import wait_for  # noqa: E402,F401
from private_stack.supervisor import PROGRAMS, Supervisor  # noqa: E402

BIN = HERE / os.environ.get("SQUAD_BUILD", "build") / "bin"


class Stack:
    """with Stack() as s: ... ; the logs stay in s.dir when the test fails."""

    def __init__(self, programs=PROGRAMS, services_only=False, capacity=None):
        (HERE / "build").mkdir(exist_ok=True)
        self.dir = Path(tempfile.mkdtemp(prefix="e2e-", dir=HERE / "build"))
        self.supervisor = Supervisor(self.dir, BIN)
        self.env = self.supervisor.env
        self.programs = programs
        self.services_only = services_only
        self.capacity = capacity
        self.stop_keeping = threading.Event()
        self.keeper = None

    def __enter__(self):
        try:
            self.supervisor.services_up()
            if not self.services_only:
                self.supervisor.programs_up(self.programs, self.capacity)
        except BaseException:
            self.supervisor.down()
            raise
        self.keeper = threading.Thread(target=self.keep, daemon=True)
        self.keeper.start()
        return self

    def keep(self):
        while not self.stop_keeping.is_set():
            self.supervisor.keep()
            time.sleep(0.02)

    def __exit__(self, *failure):
        self.stop_keeping.set()
        self.keeper.join()
        self.supervisor.down()
        if failure[0] is None:
            subprocess.run(["rm", "-rf", str(self.dir)], check=False)
        else:
            print(f"evidence is kept in {self.dir}")

    def process(self, name):
        return next(p for p in self.supervisor.processes if p.name == name)

    def pid(self, name):
        return int((self.dir / "pid" / name).read_text())

    def kill(self, name, sig=signal.SIGKILL):
        pid = self.pid(name)
        os.kill(pid, sig)
        return pid

    def wait_back(self, name, old_pid, timeout_s=30):
        until = time.monotonic() + timeout_s
        while self.pid(name) == old_pid or not self.process(name).running():
            assert time.monotonic() < until, f"{name} was not started again"
            time.sleep(0.02)

    def log(self, name):
        return (self.dir / "log" / f"{name}.log").read_text(errors="replace")

    def rss_kib(self, name):
        for line in Path(f"/proc/{self.pid(name)}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError(f"{name} has no RSS")

    def db(self, **kwargs):
        import psycopg
        return psycopg.connect(self.env["SQUAD_DB"], autocommit=True, **kwargs)

    def one(self, sql, *params):
        with self.db() as db:
            row = db.execute(sql, params).fetchone()
            return row[0] if row else None

    def wait_sql(self, sql, *params, timeout_s=30, expected=True):
        """Waits until a one-value query gives `expected`."""
        until = time.monotonic() + timeout_s
        with self.db() as db:
            while True:
                value = db.execute(sql, params).fetchone()[0]
                if value == expected:
                    return
                assert time.monotonic() < until, f"{sql} is still {value!r} after {timeout_s} s"
                time.sleep(0.02)

    def squad(self, *args, check=True):
        done = subprocess.run([str(BIN / "squad"), *args], env=os.environ | self.env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if check:
            assert done.returncode == 0, f"squad {' '.join(args)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def verify(self, *args):
        done = self.squad("verify", "--json", *args, check=False)
        assert done.stdout, done.stderr
        facts = json.loads(done.stdout)
        assert facts["ok"] and done.returncode == 0, f"{facts}\n{done.stderr}"
        return facts

    def hooks(self):
        """Deliveries so far, parsed."""
        try:
            lines = Path(self.env["SQUAD_HOOKS"]).read_text().split("\n")  # not splitlines: U+2028 is data
            return [json.loads(line) for line in lines if line]
        except FileNotFoundError:
            return []
