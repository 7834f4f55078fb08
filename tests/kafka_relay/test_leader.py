"""One relay leads: standbys, zombies, fencing, kills, and how a relay ends."""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import confluent_kafka as ck
import pytest
from private_stack import services
from relay_alone import HERE, LEADS, STANDS_BY, World, header

sys.path.insert(0, str(HERE / "tests"))
from storm.control import Remote  # noqa: E402

EXIT_CONFIG, EXIT_FENCED, EXIT_DEADLINE = 2, 7, 8


class Writer:
    """Commits transactions of some rows each, from two connections that overlap, until stopped."""

    def __init__(self, w, pause_s=0.002):
        self.w, self.pause_s, self.stopping = w, pause_s, threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(i,), daemon=True) for i in range(2)]
        for t in self.threads:
            t.start()

    def work(self, i):
        with self.w.db.connect() as c:
            rng = random.Random(i)
            while not self.stopping.is_set():
                with c.transaction():
                    self.w.write(rng.randint(1, 20), key=f"'{i}-' || i % 5", c=c)
                    time.sleep(self.pause_s)

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join()


@pytest.fixture
def frozen_kafka():
    """Call it to freeze the broker; it goes on at the end."""
    pid = int((Path(os.environ["SQUAD_STACK_DIR"]) / "pid" / "kafka").read_text())
    yield lambda: os.kill(pid, signal.SIGSTOP), lambda: os.kill(pid, signal.SIGCONT)
    os.kill(pid, signal.SIGCONT)


def take_session(w, relay):
    """What a cut network does to the leader, and idle_session_timeout to a frozen one."""
    w.c.execute("SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
                "WHERE l.locktype = 'advisory' AND l.granted AND d.datname = %s", (w.db.name,))


def test_a_standby_waits_for_the_lock_and_takes_over_when_the_leader_is_killed(w):
    one = w.leader()
    two = w.start().wait_log(STANDS_BY)
    w.write(100)
    w.wait_published()
    assert LEADS not in two.log()
    one.kill()
    at = time.monotonic()
    w.write(1)
    two.wait_log(LEADS)
    w.wait_published()
    print(f"\ntaken over and published {time.monotonic() - at:.2f} s after the kill")
    assert w.check() == 101
    assert two.stop() == 0


def test_a_frozen_leader_loses_the_lead_by_itself(w):
    one = w.leader("--leader-timeout", "2000")
    two = w.start("--leader-timeout", "2000").wait_log(STANDS_BY)
    time.sleep(2.5)
    assert "recovers" not in one.log(), "one that is only idle keeps it"
    w.write(10)
    w.wait_published()
    one.send(signal.SIGSTOP)
    w.write(10)
    two.wait_log(LEADS, timeout_s=20)
    w.wait_published()
    one.send(signal.SIGCONT)
    one.wait_log(STANDS_BY)
    w.write(10)
    w.wait_published()
    assert w.check() == 30
    assert two.log().count(LEADS) == 1, "the one that woke let the other be"
    assert two.stop() == 0
    one.wait_log(LEADS, times=2)
    w.write(1)
    w.wait_published()
    assert one.stop() == 0 and w.check() == 31


@pytest.fixture
def far(monkeypatch):
    """A broker of its own; yields the address by which it is 100 ms away."""
    directory = Path(tempfile.mkdtemp(prefix="far-", dir=HERE / "build"))
    for name in ("log", "pid"):
        (directory / name).mkdir()
    port, controller_port, behind, front, control = services.free_ports(5)
    process = services.kafka(directory, dict(os.environ), port, controller_port, listeners={"FAR": (behind, front)})
    process.start()
    proxy = subprocess.Popen([sys.executable, "-m", "storm.proxy", str(control)],
                             env=os.environ | {"PYTHONPATH": str(HERE / "tests")})
    try:
        services.wait_for(lambda: services.kafka_answers(port), process, "Kafka")
        remote = Remote(control)
        remote.call("link", name="k", port=front, to_port=behind)
        remote.call("set", name="k", up={"delay_ms": 50}, down={"delay_ms": 50})
        monkeypatch.setenv("SQUAD_KAFKA", f"127.0.0.1:{port}")
        yield f"127.0.0.1:{front}"
    finally:
        proxy.terminate()
        proxy.wait()
        process.ask_to_stop()
        process.wait_stopped()
        shutil.rmtree(directory)


def test_a_relay_keeps_the_lead_while_a_slow_kafka_takes_longer_than_its_session_may_be_idle(far):
    w = World()
    try:
        w.write(10)
        w.drain()
        w.env["SQUAD_KAFKA"] = far
        at = time.monotonic()
        r = w.start("--leader-timeout", "2500").wait_log(LEADS, timeout_s=90)
        took_s = time.monotonic() - at
        print(f"\nled after {took_s:.1f} s")
        assert took_s > 3.5, "Kafka was not far: it proved nothing"
        assert "recovers" not in r.log(), r.log()
        w.write(1)
        w.wait_published()
        assert r.stop() == 0 and w.check() == 11
    finally:
        w.close()


def test_zombies_double_and_lose_nothing(w):
    """The leader is frozen at any moment, also amid a transaction; another takes over; the first wakes up."""
    seed = int(time.time())
    print(f"seed {seed}")
    rng = random.Random(seed)
    relays = [w.leader(), w.start().wait_log(STANDS_BY)]
    writer = Writer(w)
    for turn in range(4):
        leads, waits = relays[turn % 2], relays[(turn + 1) % 2]
        before = waits.log().count(LEADS)
        time.sleep(0.2 + rng.random() * 0.2)
        leads.send(signal.SIGSTOP)
        take_session(w, leads)
        waits.wait_log(LEADS, times=before + 1)
        time.sleep(rng.random() * 0.2)
        leads.send(signal.SIGCONT)
        leads.wait_log(STANDS_BY, times=1 + (turn + 1) // 2 if leads is relays[1] else 1 + turn // 2)
    writer.stop()
    w.wait_published()
    assert [r.stop() for r in relays] == [0, 0]
    rows = w.check()
    print(f"{rows} rows")
    assert rows > 200, "it proved nothing"


def test_kills_double_and_lose_nothing(w):
    seed = int(time.time())
    print(f"seed {seed}")
    rng = random.Random(seed)
    writer = Writer(w)
    for _ in range(6):
        r = w.leader("--batch-max", "40")
        time.sleep(rng.random() * 0.3)
        r.kill()
    writer.stop()
    w.drain()
    rows = w.check()
    print(f"{rows} rows")
    assert rows > 200, "it proved nothing"


def test_a_transaction_that_outlasts_its_time_out_is_not_another_relay_s_doing(w):
    """Kafka aborts it and fences its producer, though nobody else leads. The relay is frozen while it waits, amid its
    transaction, to record a row without a topic."""
    r = w.leader("--transaction-timeout", "1000", "--leader-timeout", "60000")
    with w.db.connect() as c:
        c.execute("BEGIN")
        c.execute("LOCK TABLE squad.relay_dead IN ACCESS EXCLUSIVE MODE")
        with w.c.transaction():
            w.write(100)
            w.c.execute("INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload) VALUES ('no', '1', 'x', '{}')")
        until = time.monotonic() + 20
        while not w.one("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'squad.relay_dead'::regclass"):
            assert time.monotonic() < until, r.log()
            time.sleep(0.005)
        time.sleep(0.3)  # its partitions are added meanwhile; it waits for a second at most
        r.send(signal.SIGSTOP)
        c.execute("ROLLBACK")
    time.sleep(15)  # the broker looks for such transactions every ten seconds
    r.send(signal.SIGCONT)
    w.wait_published(timeout_s=60)
    assert "a transaction was not ended in time" in r.log(), r.log()
    assert "fenced by another relay" not in r.log(), r.log()
    assert r.stop() == 0 and w.check(dead=1) == 100


def test_an_idle_leader_is_not_configured_to_lose_the_lead(w):
    code, log = w.refused("--tick-idle", "1500", "--leader-timeout", "2000")
    assert code == EXIT_CONFIG and "--tick-idle is 1500: it must be at most half of --leader-timeout, 2000" in log


def test_two_relays_that_fence_each_other_end_with_one(w):
    """The lock can not see the other one: as behind a pooler, or on another server."""
    r = w.leader()
    w.write(1)
    w.wait_published()
    others = []
    for times in range(2, 8):
        for id_ in "ab":
            others.append(ck.Producer({"bootstrap.servers": w.broker, "transactional.id": f"{w.prefix}-relay-{id_}",
                                       "socket.nagle.disable": True}))
            others[-1].init_transactions(20)
        w.write(3)
        if times < 7:
            r.wait_log(LEADS, times=times)
            w.wait_published()  # it leads and publishes in between, and is fenced again and again all the same
    assert r.wait() == EXIT_FENCED, r.log()
    last = r.log().splitlines()[-1]
    assert "fenced 6 times" in last and f"{w.prefix}-relay-a" in last and "hint=" in last, last
    w.drain()
    assert w.check() == 1 + 6 * 3


def test_a_chore_that_fails_stops_no_row(w):
    """Neither the copy of the position nor partitions made ahead: a value the database refuses is not tried away."""
    w.c.execute("CREATE FUNCTION squad.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '22003'; END $$")
    w.c.execute("CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON squad.relay_progress "
                "FOR EACH STATEMENT EXECUTE FUNCTION squad.refuse()")
    w.write(10)
    r = w.leader()
    r.wait_log("a chore must wait")
    w.write(10)
    until = time.monotonic() + 10
    while len(w.events()) < 20:
        assert time.monotonic() < until, r.log()
    assert r.log().count(LEADS) == 1 and w.check() == 20
    assert r.stop() == 0


@pytest.mark.parametrize("how", ("SELECT FROM squad.relay_progress FOR UPDATE", "LOCK TABLE squad.relay_progress"))
def test_whoever_holds_the_copy_of_the_position_does_not_slow_the_rows(w, how):
    r = w.leader()
    w.write(1)
    w.wait_published()
    with w.db.connect() as c, c.transaction():
        c.execute(how)
        for _ in range(30):
            w.write(1)
            time.sleep(0.1)
    w.wait_published()
    written = dict(w.c.execute("SELECT id::text, extract(epoch FROM at)::float FROM squad.outbox"))
    waited = sorted(m.timestamp()[1] / 1000 - written[header(m, "ce_id")] for m in w.events())
    print(f"\nmedian {waited[15]:.3f} s, longest {waited[-1]:.3f} s")
    assert waited[15] < 0.2
    assert w.check() == 31 and r.stop() == 0


def test_drain_ends_though_rows_keep_coming(w):
    w.write(3000)
    there = w.one("SELECT count(*) FROM squad.outbox")
    writer = Writer(w, pause_s=0)
    r = w.start("--drain", "--batch-max", "100")
    code = r.wait(20)
    writer.stop()
    assert code == 0
    seen = {header(m, "ce_id") for m in w.events()}
    old = {str(i) for i, in w.c.execute("SELECT id FROM squad.outbox ORDER BY seq LIMIT %s", (there,))}
    assert old <= seen


def test_term_ends_it_within_its_deadline_and_with_nothing_open(w):
    r = w.leader()
    w.write(5000)
    w.wait_published()
    at = time.monotonic()
    r.send(signal.SIGTERM)
    assert r.wait(5) == 0 and time.monotonic() - at < 3
    w.write(1)
    w.drain()
    assert w.check() == 5001


def test_while_kafka_is_frozen_term_is_obeyed_and_afterwards_all_goes_on(w, frozen_kafka):
    freeze, thaw = frozen_kafka
    other = World()
    try:
        r, stays = w.leader("--shutdown-timeout", "1000"), other.leader()
        w.write(1)
        w.check()
        time.sleep(0.2)  # the relay has seen it too
        freeze()
        w.write(10)
        other.write(10)
        time.sleep(1)
        at = time.monotonic()
        r.send(signal.SIGTERM)
        code, took = r.wait(20), time.monotonic() - at
        assert code == EXIT_DEADLINE, r.log()
        assert took < 1 + 2 + 3 + 2, f"{took:.1f} s"  # the deadline, one slice of a commit, one close; a busy machine
        # So it is while it recovers.
        r = w.start()
        time.sleep(1)
        at = time.monotonic()
        r.send(signal.SIGTERM)
        code, took = r.wait(30), time.monotonic() - at
        thaw()
        assert code in (0, EXIT_DEADLINE) and took < 10, f"exit {code} after {took:.1f} s\n{r.log()}"
        # The controller had taken the broker for dead: it can be half a minute until that is over.
        other.wait_published(timeout_s=90)
        until = time.monotonic() + 30  # a commit has returned before its markers are written
        while len(other.events()) < 10 and time.monotonic() < until:
            time.sleep(0.2)
        assert stays.stop() == 0 and other.check() == 10
        w.drain(timeout_s=90)
        assert w.check() == 11
    finally:
        thaw()
        other.close()
