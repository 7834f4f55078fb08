"""squad-intake under load and on bad days: races, outages, kills, a stop in mid-flight."""
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from client import ticket  # noqa: E402
from intake_alone import ASAN, KEY, Flood, alone, check_acks, client, intake, parts  # noqa: E402,F401
from stack import BIN, HERE  # noqa: E402


# --- many requests ---


def test_32_posts_of_one_key_at_once_make_one_ticket(intake):
    clients = [intake.client() for _ in range(32)]
    start = threading.Barrier(32)

    def post(c, key, n):
        start.wait()
        return c.post(ticket(n), key)

    with ThreadPoolExecutor(32) as pool:
        for round_ in range(10):
            key = f"race-{round_}"
            answers = list(pool.map(lambda c: post(c, key, round_), clients))
            assert {a[0] for a in answers} <= {201, 409} and {a[0] for a in answers} >= {201}
            answers = [a for a in answers if a[0] == 201]
            assert sum(a[1]["Idempotency-Replayed"] is None for a in answers) == 1
            answers += [c.post(ticket(round_), key) for c in clients]
            assert len({a[2]["id"] for a in answers}) == 1 and all(a[0] == 201 for a in answers)
        mixed = list(pool.map(lambda i: post(clients[i], "race-mixed", i % 3), range(32)))
        assert 201 in {a[0] for a in mixed} and {a[0] for a in mixed} <= {201, 409, 422}
        assert {clients[i].post(ticket(i), "race-mixed")[0] for i in range(3)} == {201, 422}
        calls = list(pool.map(lambda c: (start.wait(), c.request("POST", "/v1/calls/p/race/ticket", ticket()))[1],
                              clients))
        assert sorted(a[0] for a in calls) == [200] * 31 + [201] and len({a[2]["id"] for a in calls}) == 1
    assert intake.one("""SELECT count(*) FROM (SELECT 1 FROM squad.ticket t LEFT JOIN squad.outbox o
                          ON o.aggregateid = t.id::text GROUP BY t.id HAVING count(o.id) <> 1) x""") == 0
    for c in clients:
        c.close()


def test_a_row_that_postgresql_refuses_does_not_harm_its_neighbours(intake):
    with intake.db() as db:
        db.execute("ALTER TABLE squad.ticket ADD CONSTRAINT poison CHECK (problem NOT LIKE 'poison%')")
    try:
        def post(n):
            c = intake.client()
            answer = c.post(ticket(n, problem=f"poison {n}" if n % 7 == 0 else f"fine {n}"))
            c.close()
            return n, answer
        with ThreadPoolExecutor(64) as pool:
            for n, (status, _, body) in pool.map(post, range(300)):
                assert status == (422 if n % 7 == 0 else 201), body
        assert intake.one("SELECT count(*) FROM squad.ticket WHERE problem LIKE 'fine %'") == 257
    finally:
        with intake.db() as db:
            db.execute("ALTER TABLE squad.ticket DROP CONSTRAINT poison")


@pytest.mark.parametrize("connections", [128, 256])
def test_lock_step_connections_do_not_stall(intake, connections):
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", "-d2s", "--timeout", "2s", "-s",
                           str(HERE / "tests/bench/tickets.lua"), intake.env["SQUAD_URL"]], text=True,
                          env=os.environ | {"SQUAD_API_KEY": KEY}, stdout=subprocess.PIPE, check=True).stdout
    rate = float(done.split("Requests/sec:")[1].split()[0])
    assert rate > (200 if ASAN else 1000), done
    assert "Non-2xx" not in done and "Socket errors" not in done, done


def test_a_second_batch_beside_the_first_and_a_call_still_has_one_ticket(intake):
    before = intake.one("SELECT count(*) FROM squad.ticket"), intake.one("SELECT count(*) FROM squad.outbox")
    busy = subprocess.Popen([HERE / os.environ.get("SQUAD_BUILD", "build") / "bench/load", "127.0.0.1", str(intake.port),
                             "800", "3"], env=os.environ | {"SQUAD_API_KEY": KEY}, stdout=subprocess.PIPE, text=True)
    clients, calls = [intake.client() for _ in range(12)], 0
    try:
        with ThreadPoolExecutor(12) as pool:
            while busy.poll() is None:
                calls += 1
                answers = list(pool.map(lambda c: c.request("POST", f"/v1/calls/lanes/{calls}/ticket", ticket(1)), clients))
                assert sorted(a[0] for a in answers) == [200] * 11 + [201] and len({a[2]["id"] for a in answers}) == 1
    finally:
        for c in clients:
            c.close()
    acks = int(busy.stdout.read().split("acks=")[1].split()[0])
    assert acks > 800 and calls > 3
    assert intake.one("""SELECT count(*) FROM pg_stat_activity
                          WHERE usename = 'squad_intake' AND query LIKE '%call_id%'""") == 2
    assert intake.one("SELECT count(*) FROM squad.ticket") == before[0] + acks + calls
    assert intake.one("SELECT count(*) FROM squad.outbox") == before[1] + acks + calls


# --- bad days ---


def test_backends_terminated_in_mid_batch_lose_and_double_nothing(intake):
    flood = Flood(intake)
    with intake.db() as db:
        for _ in range(60):
            time.sleep(0.05)
            db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'squad_intake'")
    flood.stop()
    assert not flood.broken, flood.broken[:3]
    assert flood.statuses.get(201, 0) > 100 and set(flood.statuses) <= {201, 503}, flood.statuses
    check_acks(intake, flood.acks)


def test_postgresql_stopped_is_503_in_time_and_heals(parts):
    parts.start("--request-timeout", "1000")
    logged = len(parts.log())
    flood = Flood(parts)
    time.sleep(0.5)
    parts.pg.stop_signal = signal.SIGINT
    parts.pg_stop()
    time.sleep(3)
    assert parts.ready() == 503
    rss = parts.rss_kib()
    with flood.lock:
        refused, stored = flood.statuses.get(503, 0), flood.statuses.get(201, 0)
    time.sleep(1)
    assert refused > 0
    assert ASAN or parts.rss_kib() < rss + 4096
    parts.pg_start()
    parts.wait_ready(5)
    time.sleep(0.5)
    flood.stop()
    assert not flood.broken, flood.broken[:3]
    assert flood.statuses[201] > stored and flood.slowest < 2.5, (flood.statuses, flood.slowest)
    check_acks(parts, flood.acks)
    assert ASAN or parts.rss_kib() < 16384
    log = parts.log()[logged:]
    assert log.count("PostgreSQL is not available") < 12, "logged at every try"
    assert parts.stop() == 0


def test_a_frozen_postgresql_is_503_in_time_and_heals(parts):
    parts.start("--request-timeout", "1000")
    until = time.monotonic() + 10
    with parts.db() as db:
        while len(pids := [pid for pid, in db.execute(
                "SELECT pid FROM pg_stat_activity WHERE usename = 'squad_intake'")]) < 3:
            assert time.monotonic() < until
            time.sleep(0.05)
    flood = Flood(parts, connections=4)
    time.sleep(0.3)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(3)
    live = parts.client().request("GET", "/livez")[0]
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    time.sleep(0.5)
    flood.stop()
    assert live == 200 and not flood.broken, flood.broken[:3]
    assert flood.statuses[201] > 10 and flood.statuses.get(503, 0) > 0 and flood.slowest < 2.5, (flood.statuses, flood.slowest)
    check_acks(parts, flood.acks)
    assert parts.stop() == 0


def test_started_before_postgresql_it_waits_and_says_so(parts):
    parts.pg_stop()
    parts.start(ready=False)
    until = time.monotonic() + 10
    while parts.ready() is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert parts.client().request("GET", "/livez")[0] == 200
    assert parts.ready() == 503
    status, headers, _ = parts.client().post(ticket())
    assert status == 503 and headers["Retry-After"]
    parts.pg_start()
    parts.wait_ready(5)
    assert parts.client().post(ticket())[0] == 201
    assert parts.stop() == 0


def test_term_under_load_loses_and_resets_nothing(parts):
    for _ in range(3):
        parts.start()
        flood = Flood(parts, connections=32)
        time.sleep(0.4)
        start = time.monotonic()
        code = parts.stop()
        took = time.monotonic() - start
        # Refused connections after the end are not lost requests: nobody took them.
        flood.stop()
        lost = [b for b in flood.broken if "ConnectionRefused" not in b[1]]
        assert code == 0 and took < 5
        assert not lost, lost[:3]
        check_acks(parts, flood.acks)


def test_a_full_queue_is_503_and_the_rest_goes_through(parts):
    parts.start("--queue-max", "4", "--batch-max", "2")
    flood = Flood(parts, connections=32)
    time.sleep(0.7)
    with parts.db() as db, db.transaction():  # a disk may be quick enough for all of them
        db.execute("LOCK TABLE squad.ticket IN SHARE MODE")
        time.sleep(0.3)
    time.sleep(0.5)
    flood.stop()
    assert flood.statuses.get(201, 0) > 20 and flood.statuses.get(503, 0) > 0 and not flood.broken, flood.statuses
    check_acks(parts, flood.acks)
    assert parts.stop() == 0


def test_wrong_configuration_ends_with_its_code_and_a_sentence(parts):
    def run(*args, db=f"host=127.0.0.1 port={parts.pg_port} dbname=squad"):
        return subprocess.run([BIN / "squad-intake", *args], env=parts.base | {"SQUAD_DB": db}, text=True,
                              stderr=subprocess.PIPE, stdout=subprocess.PIPE, timeout=10, check=False)
    free = f"127.0.0.1:{parts.port}"
    assert run("--drain").returncode == 0
    done = run("--listen", "nowhere")
    assert done.returncode == 2 and "HOST:PORT" in done.stderr
    for proxy in ("10.0.0.0/8", "proxy.example.com", "10.0.0.5:8080", "10.0.0.5,10.0.0.6", ""):
        done = run("--listen", free, "--proxy", "10.0.0.5", "--proxy", proxy)
        assert done.returncode == 2 and "--proxy" in done.stderr and proxy in done.stderr, proxy
    done = run("--listen", "203.0.113.1:80")
    assert done.returncode == 2 and "could not listen" in done.stderr
    done = run("--listen", free, db=f"host=127.0.0.1 port={parts.pg_port} dbname=nothing")
    assert done.returncode == 3 and "nothing" in done.stderr
    done = run("--listen", free, db=f"host=127.0.0.1 port={parts.pg_port} dbname=template1")
    assert done.returncode == 4 and "squad migrate" in done.stderr
