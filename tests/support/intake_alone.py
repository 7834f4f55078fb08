"""squad-intake alone on a PostgreSQL of its own: for tests that stop, freeze and kill either.

No broker runs here, and SQUAD_KAFKA names a port where nobody listens: whatever passes needs none.
"""
import hashlib
import http.client
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from pathlib import Path

import psycopg
import pytest
from client import Client, ticket
from stack import BIN, HERE, wait_for
from private_stack import services

KEY, OTHER_KEY = "sk_test_first", "sk_test_second"
ASAN = "asan" in str(BIN)


class Parts:
    """PostgreSQL and intake, each started and stopped by the test."""

    def __init__(self):
        (HERE / "build").mkdir(exist_ok=True)
        self.dir = Path(tempfile.mkdtemp(prefix="intake-", dir=HERE / "build"))
        for name in ("log", "pid"):
            (self.dir / name).mkdir()
        self.pg_port, self.port = services.free_ports(2)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SQUAD_", "PG"))}
        self.base = env | {"SQUAD_STACK_DIR": str(self.dir), "SQUAD_KAFKA": "127.0.0.1:1"}
        self.db_url = f"host=127.0.0.1 port={self.pg_port} dbname=squad user=squad"
        self.env = {"SQUAD_URL": f"http://127.0.0.1:{self.port}", "SQUAD_API_KEY": KEY}
        self.pg = services.postgres(self.dir, self.base, self.pg_port)
        self.pg_start()
        services.run([services.PG_BIN / "createdb", "-h", "127.0.0.1", "-p", str(self.pg_port), "-U", "squad",
                      "squad"], "make the database", env=self.base)
        services.run([BIN / "squad", "migrate"], "migrate", env=self.base | {"SQUAD_DB": self.db_url})
        with self.db() as db:
            for name, key in (("first", KEY), ("second", OTHER_KEY)):
                db.execute("INSERT INTO squad.client (name, key_hash) VALUES (%s, %s)",
                           (name, hashlib.sha256(key.encode()).digest()))
        self.intake = None

    def pg_start(self):
        self.pg.start()
        wait_for(lambda: services.postgres_answers(self.pg_port), self.pg, "PostgreSQL")

    def pg_stop(self):
        self.pg.ask_to_stop()
        self.pg.wait_stopped()

    def log(self):
        return (self.dir / "log" / "intake.log").read_text()

    def start(self, *args, ready=True):
        with open(self.dir / "log" / "intake.log", "ab") as log:
            self.intake = subprocess.Popen(
                [BIN / "squad-intake", "--listen", f"127.0.0.1:{self.port}", *args], stderr=log,
                env=self.base | {"SQUAD_DB": f"host=127.0.0.1 port={self.pg_port} dbname=squad"})
        if ready:
            self.wait_ready()
        return self.intake

    def start_serving(self, *args):
        """For who must not ask it whether it is ready: it would count."""
        before = self.log().count("serving HTTP")
        self.start(*args, ready=False)
        until = time.monotonic() + 10
        while self.log().count("serving HTTP") == before:
            assert time.monotonic() < until and self.intake.poll() is None, self.log()[-2000:]
            time.sleep(0.01)

    def wait_ready(self, timeout_s=10):
        until = time.monotonic() + timeout_s
        while self.ready() != 200:
            assert time.monotonic() < until and self.intake.poll() is None, self.log()[-2000:]
            time.sleep(0.01)

    def ready(self):
        c = self.client()
        try:
            return c.request("GET", "/readyz")[0]
        except OSError:
            return None
        finally:
            c.close()

    def stop(self, timeout_s=10):
        if self.intake and self.intake.poll() is None:
            self.intake.send_signal(signal.SIGTERM)
        code = self.intake.wait(timeout_s) if self.intake else None
        self.intake = None
        return code

    def kill(self):
        if self.intake:
            self.intake.kill()
            self.intake.wait()
        self.intake = None

    def client(self, key=KEY, timeout_s=10):
        return Client(self.env | {"SQUAD_API_KEY": key}, timeout_s)

    def db(self):
        return psycopg.connect(self.db_url, autocommit=True)

    def one(self, sql, *params):
        with self.db() as db:
            return db.execute(sql, params or None).fetchone()[0]

    def rss_kib(self):
        for line in Path(f"/proc/{self.intake.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def close(self):
        self.kill()
        self.pg.stop_signal = signal.SIGQUIT
        self.pg.ask_to_stop()
        self.pg.wait_stopped()
        services.remove_data(self.dir)


class Flood:
    """Posts from several connections until told to stop; keeps every answer by its key."""

    def __init__(self, parts, connections=24, timeout_s=10):
        self.parts, self.stopping, self.lock = parts, threading.Event(), threading.Lock()
        self.acks, self.statuses, self.broken, self.slowest = {}, {}, [], 0.0
        self.timeout_s = timeout_s
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(connections)]
        for t in self.threads:
            t.start()

    def work(self):
        c = self.parts.client(timeout_s=self.timeout_s)
        n = 0
        while not self.stopping.is_set():
            key, n, start = str(uuid.uuid4()), n + 1, time.monotonic()
            try:
                status, headers, answer = c.post(ticket(n), key)
            except (OSError, http.client.HTTPException) as e:
                with self.lock:
                    self.broken.append((key, repr(e), time.monotonic() - start))
                time.sleep(0.01)
                continue
            with self.lock:
                self.slowest = max(self.slowest, time.monotonic() - start)
                self.statuses[status] = self.statuses.get(status, 0) + 1
                if status == 201:
                    self.acks[key] = answer["id"]
                elif status == 503 and int(headers["Retry-After"] or 0) < 1:
                    self.broken.append((key, "a 503 without Retry-After", 0.0))
            if status == 503:
                time.sleep(0.01)
            if headers.get("Connection") == "close":
                c.close()
        c.close()

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join(20)
        assert not any(t.is_alive() for t in self.threads)
        return self


def check_acks(parts, acks):
    """Every 201 is exactly one ticket and one outbox row of one transaction."""
    with parts.db() as db:
        rows = db.execute("""SELECT t.id::text, encode(t.key_hash, 'hex'), count(o.id),
                                    bool_and(o.xid::text::bigint % (1::bigint << 32) = t.xmin::text::bigint)
                               FROM squad.ticket t LEFT JOIN squad.outbox o ON o.aggregateid = t.id::text
                              GROUP BY t.id""").fetchall()
    by_key = {}
    for id_, key, events, same in rows:
        by_key.setdefault(key, []).append((id_, events, same))
        assert events == 1 and same, (id_, events, same)
    for key, id_ in acks.items():
        assert [t[0] for t in by_key.get(hashlib.sha256(key.encode()).hexdigest()[:32], [])] == [id_]


@pytest.fixture(scope="module")
def alone():
    p = Parts()
    yield p
    p.close()
    shutil.rmtree(p.dir, ignore_errors=True)


@pytest.fixture
def parts(alone):
    """PostgreSQL runs, intake does not: the test starts it as it likes."""
    yield alone
    alone.kill()
    if not alone.pg.running():
        alone.pg_start()


@pytest.fixture
def intake(parts):
    parts.start()
    yield parts
    if parts.intake:
        assert parts.stop() == 0, parts.log()[-2000:]


@pytest.fixture
def client(intake):
    c = intake.client()
    yield c
    c.close()
