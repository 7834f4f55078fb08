"""A manager sets the priority and the due time of one ticket."""
import pytest

from test_experts import waiting_for
from test_offers import cancel, kinds


def prioritize(w, t, priority=None, due=None):
    return w.c.execute("SELECT outcome, priority, assign_due::text FROM squad.ticket_prioritize(%s, %s, %s, 'elderly', 'boss')",
                       (t, priority, due)).fetchone()


def of(w, t, what):
    return w.one(f"SELECT {what} FROM squad.dispatch WHERE ticket_id = %s", t)


def test_priority_and_due_are_set_and_recorded(w):
    t = w.parked()
    before = w.seq()
    outcome, priority, _ = prioritize(w, t, 1)
    assert (outcome, priority, of(w, t, "by_hand")) == ("set", 1, True)
    assert of(w, t, "assign_due = created_at + interval '900 s'") and of(w, t, "retry_at <= clock_timestamp()")
    assert w.events(before) == ["squad.ticket.prioritized.v1"]
    kind, actor, detail = w.one("SELECT kind, actor, detail FROM squad.ticket_event WHERE ticket_id = %s", t)
    assert (kind, actor, detail["from"], detail["to"], detail["reason"]) == ("prioritized", "boss", 3, 1, "elderly")


def test_the_due_time_alone_keeps_the_priority_and_nothing_gives_both_back(w):
    t = w.parked()
    assert prioritize(w, t, due="2030-01-01 00:00Z")[:2] == ("set", 3)
    assert of(w, t, "assign_due = '2030-01-01 00:00Z'")
    assert prioritize(w, t)[:2] == ("set", 3)
    assert (of(w, t, "by_hand"), of(w, t, "assign_due = created_at + interval '14400 s'")) == (False, True)


def test_manager_and_customer_are_told_by_the_new_priority(w):
    t = w.parked()
    prioritize(w, t, 1)
    assert of(w, t, "tell_at = routable_at + interval '600 s'")


@pytest.mark.parametrize("where, outcome", [("received", "early"), ("canceled", "gone"), ("offered", "set")])
def test_only_a_ticket_that_is_open_and_seen_has_a_priority(w, where, outcome):
    t = w.ticket() if where == "received" else w.parked() if where == "canceled" else w.offered()[0]
    if where == "canceled":
        cancel(w, t)
    assert prioritize(w, t, 1)[0] == outcome
    assert ("prioritized" in kinds(w, t)) == (outcome == "set")


def test_the_best_waiting_ticket_is_the_one_put_first(w):
    first, second = w.parked(), w.parked()
    best = "SELECT ticket_id FROM squad.waiting_best('{1}', '{1}')"
    assert w.one(best) == first
    prioritize(w, second, 1)
    assert w.one(best) == second


def test_requirements_are_dropped_at_the_times_of_the_priority_that_was_set(w):
    w.c.execute("UPDATE squad.ticket_type_skill SET importance = 3; UPDATE squad.priority SET relax_3_s = 0 WHERE priority = 1")
    others, t = [w.parked() for _ in range(3)], w.parked()
    assert waiting_for(w, 3, 9) == [], "he has tv 1, needed is 2"
    prioritize(w, t, 1)
    assert waiting_for(w, 3, 9) == [t]
    prioritize(w, t, 5)
    assert waiting_for(w, 3, 9) == []
    assert waiting_for(w, 1, 9) == [*others, t], "who lacks nothing waits for nothing"


def test_many_of_one_priority_do_not_hide_the_next(w):
    w.c.execute("UPDATE squad.ticket_type_skill SET importance = 3; UPDATE squad.priority SET relax_3_s = 0 WHERE priority = 3")
    t = w.parked()
    for _ in range(102):
        prioritize(w, w.parked(), 1)
    assert waiting_for(w, 3) == [t]
