"""squad-relay on a database and topics of a test's own, on the services that SQUAD_DB and SQUAD_KAFKA name."""
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import confluent_kafka as ck

sys.path.insert(0, str(Path(__file__).resolve().parent))
from kafka_raw import Raw  # noqa: E402
from testdb import HERE, TestDb  # noqa: E402

BUILD = HERE / os.environ.get("SQUAD_BUILD", "build")
BIN = BUILD / "bin"
FAULT_BIN = HERE / "build" / "fault" / "bin"
DATA = ("tickets", "experts", "notices")
LEADS, STANDS_BY = 'msg="relay leads"', 'msg="standing by: another relay leads"'


class Running:
    """One relay process and what it says."""

    def __init__(self, world, name, *args, crash=None):
        self.log_path = world.dir / f"{name}.log"
        env = world.env | {"SQUAD_DB": world.db.conninfo(user="squad_relay")} | ({"SQUAD_CRASH": crash} if crash else {})
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen([(FAULT_BIN if crash else BIN) / "squad-relay", "--instance", name, *args],
                                          stderr=log, env=env)

    def log(self):
        return self.log_path.read_text()

    def send(self, sig):
        self.child.send_signal(sig)

    def wait_log(self, text, times=1, timeout_s=30):
        until = time.monotonic() + timeout_s
        while self.log().count(text) < times:
            assert self.child.poll() is None, f"it ended with {self.child.returncode}\n{self.log()}"
            assert time.monotonic() < until, f"it did not say \"{text}\" within {timeout_s} s\n{self.log()}"
            time.sleep(0.01)
        return self

    def wait_stopped(self, timeout_s=30):
        """Until it has come to its crash point, PROGRAM.STEP:N:stop."""
        until = time.monotonic() + timeout_s
        while " T " not in Path(f"/proc/{self.child.pid}/stat").read_text():
            assert time.monotonic() < until, self.log()
            time.sleep(0.01)

    def wait(self, timeout_s=30):
        """Its exit code."""
        try:
            return self.child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {timeout_s} s\n{self.log()}") from None

    def stop(self, timeout_s=20):
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    def peak_rss_kib(self):
        for line in Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
        raise AssertionError("no VmHWM")


class World:
    template = None  # a migrated database; whoever makes it drops it

    def __init__(self, topics=True):
        self.db = TestDb(template=World.template)
        self.prefix = self.db.name
        self.broker = os.environ["SQUAD_KAFKA"]  # missing: the test fails, it does not skip
        self.dir = Path(tempfile.mkdtemp(prefix="relay-", dir=HERE / "build"))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("SQUAD_")}
        self.env |= {"SQUAD_KAFKA": self.broker, "SQUAD_TOPIC_PREFIX": self.prefix}
        self.c = self.db.connect()
        self.relays = []
        self.raw_connection = None
        if topics:
            self.squad("topics", "--partitions", "3")

    def raw(self):
        self.raw_connection = self.raw_connection or Raw(self.broker)
        return self.raw_connection

    def squad(self, *args):
        done = subprocess.run([BIN / "squad", *args], env=self.env | {"SQUAD_DB": self.db.conninfo()},
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def close(self):
        for r in self.relays:
            r.kill()
        if self.raw_connection:
            self.raw_connection.close()
        self.c.close()
        self.db.drop()
        for f in self.dir.iterdir():
            f.unlink()
        self.dir.rmdir()

    def start(self, *args, name=None, crash=None):
        """crash: of the fault build, see src/common/crash.h."""
        r = Running(self, name or f"r{len(self.relays) + 1}", *args, crash=crash)
        self.relays.append(r)
        return r

    def leader(self, *args, name=None):
        return self.start(*args, name=name).wait_log(LEADS)

    def drain(self, *args, timeout_s=30):
        """Runs a relay until all is published; its log."""
        r = self.start("--drain", *args)
        assert r.wait(timeout_s) == 0, r.log()
        return r.log()

    def refused(self, *args):
        """Exit code and log of a relay that does not want to start."""
        r = self.start("--drain", *args)
        return r.wait(), r.log()

    def one(self, sql, *args):
        row = self.c.execute(sql, args or None).fetchone()
        return row[0] if row and len(row) == 1 else row

    def write(self, n=1, key="'k' || i % 7", type_="'ticket'", payload="json_build_object('n', i)", c=None):
        """n rows in one transaction; the strings are SQL expressions of i."""
        (c or self.c).execute(
            f"INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload) "
            f"SELECT {type_}, {key}, 'squad.test.v1', {payload} FROM generate_series(1, {n}) i")

    def topic(self, suffix):
        return f"{self.prefix}.{suffix}"

    def consumer(self, isolation="read_committed"):
        return ck.Consumer({"bootstrap.servers": self.broker, "group.id": "test", "enable.auto.commit": False,
                            "enable.partition.eof": True, "auto.offset.reset": "error", "fetch.wait.max.ms": 10,
                            "isolation.level": isolation, "socket.nagle.disable": True})

    def read(self, *suffixes, isolation="read_committed"):
        """Every record now in the topics, in order of offset within a partition."""
        c = self.consumer(isolation)
        try:
            parts = []
            for s in suffixes:
                for p in c.list_topics(self.topic(s), timeout=10).topics[self.topic(s)].partitions:
                    parts.append(ck.TopicPartition(self.topic(s), p, ck.OFFSET_BEGINNING))
            c.assign(parts)
            out, left, until = [], len(parts), time.monotonic() + 30
            while left:
                assert time.monotonic() < until, "the topics could not be read"
                m = c.poll(1)
                if m is None:
                    continue
                if m.error() is None:
                    out.append(m)
                elif m.error().code() == ck.KafkaError._PARTITION_EOF:
                    left -= 1
                else:
                    raise AssertionError(m.error())
            return out
        finally:
            c.close()

    def events(self, *suffixes, isolation="read_committed"):
        """The same without the relay's barriers and what others planted."""
        return [m for m in self.read(*(suffixes or DATA), isolation=isolation)
                if header(m, "ce_type") not in (None, "squad.relay.barrier.v1")]

    def look(self):
        """Compares the outbox and what can be read: published twice or out of order is an error at once."""
        rows = self.c.execute("SELECT id::text, aggregatetype || '/' || aggregateid FROM squad.outbox ORDER BY seq"
                              ).fetchall()
        known = {id_: (seq, key) for seq, (id_, key) in enumerate(rows)}
        seen, last = {}, {}
        for m in self.events():
            id_ = header(m, "ce_id")
            assert id_ in known, f"{id_} was published and is not in the outbox"
            assert id_ not in seen, f"{id_} was published twice: {seen[id_]}, {m.topic()}[{m.partition()}] {m.offset()}"
            seen[id_] = f"{m.topic()}[{m.partition()}] {m.offset()}"
            seq, key = known[id_]
            assert last.get(key, -1) < seq, f"{key} is out of order at {seen[id_]}"
            last[key] = seq
        gone = {header(m, "ce_id") for m in self.read("dead")}
        return seen, gone, known.keys() - seen.keys() - gone

    def check(self, dead=0):
        """Every committed row was published once, in order for its key; what is dead is in squad.dead."""
        until = time.monotonic() + 10  # a commit returns before its markers are written
        seen, gone, lost = self.look()
        while (lost or len(gone) != dead) and time.monotonic() < until:
            seen, gone, lost = self.look()
        assert len(gone) == dead and not gone & seen.keys()
        assert not lost, f"{len(lost)} of {len(lost) + len(seen) + len(gone)} rows were lost"
        return len(seen)

    def wait_published(self, timeout_s=30):
        """Until the copy of the position covers every row."""
        until = time.monotonic() + timeout_s
        while self.one("SELECT count(*) FROM squad.unpublished"):
            assert time.monotonic() < until, "".join(r.log()[-3000:] for r in self.relays)
            time.sleep(0.02)

    def position(self):
        return [m for m in self.read("relay.progress") if m.key() == b"position"][-1].value().decode()

    def plant_position(self, text, txn="0"):
        """As a relay would have left it, without a transaction; None deletes it."""
        self.plant("relay.progress", 0, text and text.encode(), "position", {"squad_txn": txn})

    def plant(self, suffix, partition, value, key="x", headers=None):
        p = ck.Producer({"bootstrap.servers": self.broker, "socket.nagle.disable": True})
        p.produce(self.topic(suffix), value, key, partition, headers=headers)
        assert p.flush(10) == 0


def header(m, name):
    for k, v in m.headers() or ():
        if k == name:
            return v.decode()
    return None
