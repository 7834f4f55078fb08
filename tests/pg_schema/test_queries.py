"""Statements of sql/queries whose answers people read, or whose plan matters."""
import json
import re

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


NIL = "00000000-0000-0000-0000-000000000000"


def pages(w, c, size):
    """Everything that waits, page by page, as the sweep reads it."""
    seen, last = [], NIL
    while page := [t for t, in c.execute(f"EXECUTE page ('{last}', {size})")]:
        seen += page
        last = page[-1]
    return seen


def test_the_sweep_finds_its_place_in_the_index(w):
    tickets = [w.parked() for _ in range(7)]
    w.c.execute("UPDATE squad.dispatch SET priority = 1 WHERE ticket_id = %s", (tickets[5],))
    w.c.execute("UPDATE squad.dispatch SET assign_due = assign_due - interval '1 hour' WHERE ticket_id = %s", (tickets[3],))
    wanted = [tickets[5], tickets[3], *(tickets[i] for i in (0, 1, 2, 4, 6))]
    with w.db.connect(options="-c search_path=squad -c enable_seqscan=off -c plan_cache_mode=force_generic_plan") as c:
        c.execute(f"PREPARE page (uuid, integer) AS {query('assigner/waiting_page')}")
        for size in (1, 3, 7, 8):
            assert pages(w, c, size) == wanted, size
        plan = "\n".join(line for line, in c.execute(f"EXPLAIN EXECUTE page ('{NIL}', 500)"))
    assert re.search(r"dispatch_waiting.*\n\s+Index Cond: \(ROW\(priority, assign_due, created_at, ticket_id\) > ROW", plan), plan
