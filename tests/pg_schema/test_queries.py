"""Statements of sql/queries whose answers people read."""
import json

import pytest

from test_offers import accept, move
from testdb import HERE as ROOT


def query(name):
    return (ROOT / "sql" / "queries" / f"{name}.sql").read_text()


def rows(w, name):
    with w.db.connect(options="-c search_path=squad") as c:
        return c.execute(query(name)).fetchall()


def counts(w):
    """Tickets, assigned, parked, review, notified."""
    [row] = rows(w, "cli/verify_counts")
    return row


def test_who_was_notified_stays_so_on_his_way_through_the_job(w):
    _, a, _ = w.offered()
    assert counts(w) == (1, 1, 0, 0, 1)
    assert accept(w, a) == "accepted"
    assert counts(w)[4] == 1
    for state in ("en_route", "on_site"):
        move(w, a, state)
        assert w.one("SELECT state FROM squad.assignment") == state and counts(w)[4] == 1
    assert w.complete(a) == "completed" and counts(w)[4] == 1


def test_a_message_that_is_no_offer_does_not_count_as_one(w):
    _, a, n = w.sending()
    w.c.execute("INSERT INTO squad.notice (assignment_id, ticket_id, expert_id, channel, message, state, attempts, ended_at) "
                "SELECT assignment_id, ticket_id, expert_id, channel, 'amended', 'delivered', 1, now() FROM squad.notice WHERE id = %s", (n,))
    assert counts(w)[4] == 0


FILTERS = ("inactive", "area", "skill", "shift", "absent", "presence", "excluded", "capacity")


@pytest.mark.parametrize("parked, reason", [
    *(({"experts": 5} | {f: int(FILTERS.index(f) <= last) for f in FILTERS}, FILTERS[last]) for last in range(len(FILTERS))),
    *(({word: True}, word) for word in ("declined", "timed_out", "rescinded", "undeliverable", "contended", "released")),
    ({"experts": 0}, "no experts"), ({}, "unknown"),
])
def test_a_ticket_waits_for_the_last_filter_that_removed_somebody_or_for_what_happened(w, parked, reason):
    t = w.parked()
    w.c.execute("UPDATE squad.dispatch SET parked = %s WHERE ticket_id = %s", (json.dumps(parked), t))
    assert rows(w, "cli/status_parked") == [(reason, 1)]
