"""Somebody has a session open in which he has changed a ticket: who wants to change it too is told so, and nobody else
has to do with it."""
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from client import ticket  # noqa: E402
from intake_alone import alone, client, intake, parts  # noqa: E402,F401

AT_ONCE = 30  # together they wait longer than PostgreSQL may be silent before the connection is given up
SHORT_FOR_S = 10


@contextmanager
def somebody_holds(intake, made):
    with intake.db() as db, db.transaction():
        db.execute("SELECT FROM squad.dispatch WHERE ticket_id = %s FOR UPDATE", (made["id"],))
        yield


def seen(intake, client):
    """A ticket that waits for an expert."""
    _, _, made = client.post(ticket())
    with intake.db() as db:
        db.execute("INSERT INTO squad.dispatch (ticket_id, state, type, area, priority, created_at, parked) "
                   "SELECT id, 'parked', type, area, 3, created_at, '{\"experts\": 0}' FROM squad.ticket WHERE id = %s", (made["id"],))
    return made


def test_what_somebody_holds_is_503_at_once_and_is_done_when_it_is_asked_again(intake, client):
    made = seen(intake, client)
    with somebody_holds(intake, made):
        start = time.monotonic()
        status, headers, p = client.request("POST", f"/v1/tickets/{made['ref']}/cancel")
        assert time.monotonic() - start < 2
        assert status == 503 and int(headers["Retry-After"]) >= 1 and "holds it" in p["detail"], p
    assert client.request("POST", f"/v1/tickets/{made['ref']}/cancel")[0] == 200
    assert "connection to PostgreSQL lost" not in intake.log()


def test_many_who_ask_for_it_delay_the_others_and_lose_them_nothing(intake, client):
    made, answers, started = seen(intake, client), [], threading.Barrier(AT_ONCE + 1)

    def cancel():
        c = intake.client(timeout_s=30)
        started.wait()
        answers.append(c.request("POST", f"/v1/tickets/{made['ref']}/cancel"))
        c.close()

    threads = [threading.Thread(target=cancel) for _ in range(AT_ONCE)]
    with somebody_holds(intake, made):
        for t in threads:
            t.start()
        started.wait()
        reader = intake.client(timeout_s=30)
        assert reader.request("GET", f"/v1/tickets/{made['ref']}")[0] == 200
        reader.close()
        for t in threads:
            t.join()
    assert len(answers) == AT_ONCE
    assert {(status, "holds it" in p["detail"]) for status, _, p in answers} == {(503, True)}
    assert "connection to PostgreSQL lost" not in intake.log()


def test_who_asks_for_it_again_and_again_delays_the_others_little_and_waiting_comes_back(intake, client):
    made = seen(intake, client)
    path = f"/v1/tickets/{made['ref']}/cancel"
    with somebody_holds(intake, made):
        client.request("POST", path)
        start = time.monotonic()
        assert {client.request("POST", path)[0] for _ in range(40)} == {503}
        assert time.monotonic() - start < 40 * 0.2, "a loaded machine; a try takes 50 ms"
    time.sleep(SHORT_FOR_S + 0.5)
    releasing = threading.Event()

    def hold():
        with somebody_holds(intake, made):
            releasing.set()
            time.sleep(0.2)
    holder = threading.Thread(target=hold)
    holder.start()
    releasing.wait()
    assert client.request("POST", path)[0] == 200, "whoever holds it for a moment is waited for"
    holder.join()
