"""Who is told what, besides offers: over, amended, break; and what a late delivery says."""
import json
from pathlib import Path

import pytest

from test_offers import accept, call, cancel, decline, expire, kinds, reassign, several, state


def told(w, *messages):
    """Notices that are not offers: (message, expert, ticket)."""
    return w.c.execute("SELECT message, expert_id, ticket_id FROM squad.notice WHERE message <> 'offer' ORDER BY created_at, id").fetchall()


def amend(w, t, **change):
    version = w.one("SELECT squad.ticket_version(%s)", t)
    return w.one("SELECT squad.ticket_amend(1, %s, %s, %s, 'test')", t, version, json.dumps(change))


@pytest.mark.parametrize("end, expected", [(lambda w, t, a: cancel(w, t), "canceled"),
                                           (lambda w, t, a: reassign(w, t, None), "rescinded"),
                                           (lambda w, t, a: call(w, "expert_status_set(1, 'offline', NULL, 'ana')"), "rescinded"),
                                           (lambda w, t, a: expire(w), "timed_out")])
def test_an_expert_hears_that_an_offer_is_over(w, end, expected):
    t, a, _ = w.offered()
    before = w.seq()
    end(w, t, a)
    assert (state(w, a), told(w)) == (expected, [("over", 1, t)])
    assert w.events(before).count("squad.notice.requested.v1") == 1
    assert w.one("SELECT payload->>'message' FROM squad.outbox WHERE seq > %s AND type = 'squad.notice.requested.v1'", before) == "over"


def test_who_ended_it_himself_hears_nothing(w):
    _, a, _ = w.offered()
    decline(w, a)
    _, a, _ = w.offered(2)
    w.complete(a)
    assert told(w) == []


def test_the_others_of_several_hear_that_somebody_was_faster(w):
    t, jobs, notices = several(w, 1, 2)
    w.finish(*notices)
    accept(w, jobs[1])
    assert told(w) == [("over", 1, t)]
    assert w.one("SELECT reason FROM squad.assignment WHERE id = %s", jobs[0]) == "another expert accepted"


def test_a_delivery_recorded_after_the_end_changes_no_history(w):
    t, a, n = w.sending()
    cancel(w, t)
    before = w.seq()
    assert w.finish(n) == [("delivered", None)]
    assert (state(w, a), kinds(w, t), w.events(before)) == ("canceled", ["canceled"], [])
    t, a, n = w.sending(2)
    cancel(w, t)
    assert w.finish(n, delivered=False, error="gone") == [("undeliverable", None)]
    assert (state(w, a), kinds(w, t)) == ("canceled", ["canceled"])


def test_what_is_delivered_besides_an_offer_changes_no_assignment(w):
    t, a, _ = w.offered()
    cancel(w, t)
    over = w.one("UPDATE squad.notice SET state = 'sending', attempts = 1 WHERE message = 'over' RETURNING id")
    before = w.seq()
    assert w.finish(over) == [("delivered", None)]
    assert (state(w, a), kinds(w, t)[-1], w.events(before)) == ("canceled", "canceled", [])


def test_whoever_has_a_ticket_hears_that_it_was_amended_each_time(w):
    t, a, _ = w.offered()
    assert amend(w, t, problem="Smoke") == "ok" and amend(w, t, problem="Fire") == "ok"
    assert amend(w, t, problem="Fire") == "ok"
    assert told(w) == [("amended", 1, t)] * 2
    accept(w, a)
    amend(w, t, customer_phone="+34600000000")
    assert told(w) == [("amended", 1, t)] * 3


def test_nobody_hears_that_a_waiting_ticket_was_amended(w):
    t, a, _ = w.offered()
    decline(w, a)
    assert (amend(w, t, problem="Smoke"), told(w)) == ("ok", [])


def test_an_expert_hears_that_he_is_on_break(w):
    first, second = w.offered()[0], None
    expire(w)
    second = w.offered()[0]
    assert expire(w) == [(1, True)]
    assert sorted(told(w), key=str) == sorted([("over", 1, first), ("over", 1, second), ("break", 1, None)], key=str)


def prepare(w, name, types):
    sql = (Path(__file__).resolve().parents[2] / "sql/queries/notifier" / f"{name}.sql").read_text(encoding="utf-8")
    w.c.execute("SET search_path = squad; SET enable_seqscan = off")
    w.c.execute(f"PREPARE {name} ({types}) AS {sql}")


def test_a_failed_attempt_that_is_recorded_again_changes_nothing(w):
    """The first reply may have been lost."""
    t, _, n = w.sending()
    w.c.execute("UPDATE squad.notice SET claimed_by = 'notifier/a' WHERE id = %s", (n,))
    prepare(w, "retry", "uuid[], integer[], integer[], text[], bigint[], text")
    record = f"EXECUTE retry ('{{{n}}}', '{{1}}', '{{503}}', '{{x}}', '{{60000}}', 'notifier/%s')"
    w.c.execute(record % "b")
    assert kinds(w, t) == [], "it is not his"
    w.c.execute(record % "a")
    due = w.one("SELECT next_attempt_at FROM squad.notice WHERE id = %s", n)
    w.c.execute(record % "a")
    assert kinds(w, t) == ["attempt_failed"]
    assert w.one("SELECT next_attempt_at FROM squad.notice WHERE id = %s", n) == due


def test_a_claim_reads_no_whole_table_of_notices(w):
    prepare(w, "claim", "text, bigint, integer, text[], integer[], integer, text")
    plan = "\n".join(r[0] for r in w.c.execute("EXPLAIN EXECUTE claim ('notifier/a', 5000, 64, '{}', '{}', 64, NULL)"))
    assert "Seq Scan on notice" not in plan and all(f"Scan using {i} on notice" in plan for i in ("notice_due", "notice_ticket")), plan
