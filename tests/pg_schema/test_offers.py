"""The life of an offer: each function normal, repeated, at once from two sessions, in a wrong state; several at once."""
import uuid

import psycopg
import pytest

from test_functions import Beside


def call(w, sql, *args, c=None):
    return (c or w.c).execute("SELECT outcome FROM squad." + sql, args).fetchone()[0]


def accept(w, a, expert=None, c=None):
    return call(w, "offer_accept(%s, %s, 'test')", a, expert, c=c)


def decline(w, a, code="busy", expert=None, c=None):
    return call(w, "offer_decline(%s, %s, %s, 'test')", a, expert, code, c=c)


def move(w, a, state, c=None):
    return call(w, "job_move(%s, NULL, %s, 'test')", a, state, c=c)


def cancel(w, t, c=None):
    return call(w, "ticket_cancel(%s, 'customer', 'test')", t, c=c)


def reassign(w, t, expert, override=False, c=None):
    return (c or w.c).execute("SELECT outcome, broken FROM squad.ticket_reassign(%s, %s, 'asked', %s, 'boss')",
                              (t, expert, override)).fetchone()


def state(w, a):
    return w.one("SELECT state FROM squad.assignment WHERE id = %s", a)


def ticket(w, t):
    return w.one("SELECT state FROM squad.dispatch WHERE ticket_id = %s", t)


def kinds(w, t):
    return [k for k, in w.c.execute("SELECT kind FROM squad.ticket_event WHERE ticket_id = %s ORDER BY seq", (t,))]


def several(w, *experts):
    """A ticket offered to several at once; ticket and assignments."""
    t = w.parked()
    rows = w.c.execute("""
        WITH moved AS (UPDATE squad.dispatch SET state = 'assigned', parked = NULL, attempts = %(n)s, offers = %(n)s
                        WHERE ticket_id = %(t)s RETURNING ticket_id),
             taken AS (UPDATE squad.expert_load SET load = load + 1 WHERE expert_id = ANY (%(e)s) RETURNING expert_id),
             made AS (INSERT INTO squad.assignment (ticket_id, expert_id, attempt, place, expert_version, why)
                      SELECT ticket_id, e.id, i.n, i.n, e.version, '{}'
                        FROM moved, unnest(%(e)s) WITH ORDINALITY AS i (id, n) JOIN squad.expert e USING (id)
                      RETURNING id, ticket_id, expert_id, place),
             told AS (INSERT INTO squad.notice (assignment_id, ticket_id, expert_id, channel, message, state, attempts)
                      SELECT id, ticket_id, expert_id, 'webhook', 'offer', 'sending', 1 FROM made RETURNING id)
        SELECT m.id, (SELECT array_agg(id) FROM told) FROM made m ORDER BY m.place""",
                       {"t": t, "n": len(experts), "e": list(experts)}).fetchall()
    return t, [r[0] for r in rows], rows[0][1]


# accept

def test_accepting_keeps_the_slot_and_says_so(w):
    t, a, _ = w.offered()
    before = w.seq()
    assert accept(w, a, 1) == "accepted"
    assert (state(w, a), w.load(), ticket(w, t)) == ("accepted", 1, "assigned")
    assert w.events(before) == ["squad.ticket.accepted.v1"]
    assert kinds(w, t)[-1] == "accepted"


def test_accepting_again_and_later_is_already_and_has_no_effect(w):
    _, a, _ = w.offered()
    accept(w, a)
    before = w.seq()
    assert accept(w, a) == "already"
    move(w, a, "en_route")
    assert accept(w, a) == "already"
    w.complete(a)
    assert accept(w, a) == "already"
    assert "squad.ticket.accepted.v1" not in w.events(before)


def test_accepting_what_is_gone_or_another_s_or_nothing(w):
    _, a, _ = w.offered()
    assert accept(w, a, expert=2) == "missing"
    assert accept(w, uuid.uuid4()) == "missing"
    decline(w, a)
    before = w.seq()
    assert accept(w, a) == "gone"
    assert w.seq() == before


def test_accepting_before_the_delivery_is_recorded_counts(w):
    _, a, n = w.sending()
    assert accept(w, a) == "accepted"
    assert w.finish(n) == [("delivered", None)]
    assert state(w, a) == "accepted"


def test_two_sessions_accept_and_decline_and_the_first_decides(w):
    t, a, _ = w.offered()
    with w.c.transaction():
        assert accept(w, a) == "accepted"
        other = Beside(w, lambda c: accept(w, a, c=c))
    other.join()
    assert other.result == "already"
    with w.c.transaction():
        assert decline(w, a) == "declined"
        other = Beside(w, lambda c: move(w, a, "en_route", c=c))
    other.join()
    assert (other.result, state(w, a), w.load()) == ("gone", "declined", 0)


# decline

@pytest.mark.parametrize("after", ["reserved", "offered", "accepted", "en_route", "on_site"])
def test_declining_from_any_live_state_frees_the_slot_and_sends_the_ticket_on(w, after):
    t, a, _ = w.reserved() if after == "reserved" else w.offered()
    if after not in ("reserved", "offered"):
        accept(w, a)
    if after in ("en_route", "on_site"):
        move(w, a, after)
    created, routable = w.one("SELECT created_at, routable_at FROM squad.dispatch")
    before = w.seq()
    assert decline(w, a) == "declined"
    assert (state(w, a), w.load(), ticket(w, t)) == ("declined", 0, "parked")
    assert w.events(before) == ["squad.ticket.declined.v1", "squad.ticket.requeued.v1", "squad.expert.freed.v1"]
    assert w.one("SELECT created_at, routable_at FROM squad.dispatch") == (created, routable), "its age is kept"
    assert decline(w, a) == "already"


def test_a_decline_excludes_for_12_hours_and_wrong_skill_for_ever_with_a_review(w):
    t, a, _ = w.offered()
    idle = w.one("SELECT idle_since FROM squad.expert_load WHERE expert_id = 1")
    decline(w, a, "too_far")
    assert w.one("SELECT until - now() BETWEEN interval '11:59' AND interval '12:00', reason FROM squad.exclusion") == (True, "declined")
    assert w.one("SELECT idle_since FROM squad.expert_load WHERE expert_id = 1") == idle, "a decline is no job"
    with pytest.raises(psycopg.errors.CheckViolation, match="is excluded from this ticket"):
        w.assign(t, 1)
    a2, _ = w.assign(t, 2)
    decline(w, a2, "wrong_skill")
    assert w.one("SELECT until, reason FROM squad.exclusion WHERE expert_id = 2") == (None, "wrong_skill")
    assert w.one("SELECT expert_id, ticket_id, type, closed_at FROM squad.skill_review") == (2, t, "tv", None)
    w.c.execute("UPDATE squad.exclusion SET until = now() WHERE expert_id = 1")
    w.assign(t, 1)


@pytest.mark.parametrize("code", [None, "lazy"])
def test_a_decline_wants_a_known_reason(w, code):
    _, a, _ = w.offered()
    with pytest.raises(psycopg.errors.CheckViolation):
        decline(w, a, code)
    assert state(w, a) == "offered"


# en route, arrived, complete

def test_the_steps_go_forward_only(w):
    t, a, _ = w.offered()
    assert move(w, a, "en_route") == "not_accepted"
    accept(w, a)
    before = w.seq()
    assert [move(w, a, s) for s in ("en_route", "en_route", "on_site", "en_route")] == ["moved", "already", "moved", "already"]
    assert w.events(before) == ["squad.ticket.en_route.v1", "squad.ticket.on_site.v1"]
    assert w.one("SELECT en_route_at < on_site_at FROM squad.assignment")
    assert w.complete(a) == "completed"
    assert move(w, a, "on_site") == "already"
    assert kinds(w, t)[-4:] == ["accepted", "en_route", "on_site", "completed"]
    assert move(w, uuid.uuid4(), "on_site") == "missing"


def test_completing_makes_the_expert_the_customer_s(w):
    t, a, _ = w.offered()
    w.c.execute("SET session_replication_role = replica")
    w.c.execute("UPDATE squad.ticket SET customer_ref = 'C-1' WHERE id = %s", (t,))
    w.c.execute("RESET session_replication_role")
    w.complete(a)
    assert w.one("SELECT client_id, customer_ref, expert_id FROM squad.sticky_expert") == (1, "C-1", 1)


# time-out

def expire(w, c=None):
    w.c.execute("UPDATE squad.assignment SET expires_at = now() - interval '1 s' WHERE state = 'offered'")
    return (c or w.c).execute("SELECT expert_id, on_break FROM squad.offers_expire(100, 'test') ORDER BY 1").fetchall()


def test_an_offer_expires_after_the_time_of_its_type(w):
    assert w.one("SELECT offer_timeout_s FROM squad.ticket_type") == 120
    t, a, _ = w.offered()
    assert w.one("SELECT expires_at - offered_at BETWEEN interval '119.9 s' AND interval '120.1 s' FROM squad.assignment")
    assert w.c.execute("SELECT * FROM squad.offers_expire(100, 'test')").fetchall() == []
    before = w.seq()
    assert expire(w) == [(1, False)]
    assert (state(w, a), w.load(), ticket(w, t)) == ("timed_out", 0, "parked")
    assert w.events(before) == ["squad.ticket.timed_out.v1", "squad.ticket.requeued.v1", "squad.notice.requested.v1",
                                "squad.expert.freed.v1"]
    assert w.one("SELECT reason FROM squad.exclusion") == "timed_out"
    assert accept(w, a) == "gone"


def test_two_time_outs_in_a_row_set_the_expert_on_break_and_say_so(w):
    w.offered()
    assert expire(w) == [(1, False)]
    w.offered()
    before = w.seq()
    assert expire(w) == [(1, True)]
    assert w.one("SELECT status, status_reason FROM squad.expert WHERE id = 1") == ("break", "2 offers in a row timed out")
    assert w.one("SELECT kind, detail->>'to' FROM squad.expert_event") == ("status", "break")
    assert "squad.expert.break.v1" in w.events(before)
    with pytest.raises(psycopg.errors.CheckViolation, match="is not available"):
        w.assign(w.parked(), 1)
    assert call(w, "expert_status_set(1, 'available', NULL, 'ana')") == "changed"
    assert w.one("SELECT timeouts FROM squad.expert_load WHERE expert_id = 1") == 0


@pytest.mark.parametrize("answer", [accept, decline])
def test_an_answer_between_breaks_the_row(w, answer):
    w.offered()
    expire(w)
    answer(w, w.offered()[1])
    w.offered()
    assert expire(w) == [(1, False)]


def test_expiring_and_accepting_at_once_free_or_keep_the_slot_once(w):
    for first, second, left in ((accept, expire_due, ("accepted", 1)), (expire_due, accept, ("timed_out", 1))):
        _, a, _ = w.offered()
        w.c.execute("UPDATE squad.assignment SET expires_at = now() - interval '1 s' WHERE id = %s", (a,))
        with w.c.transaction():
            first(w, a)
            if second is expire_due:  # which waits for nobody
                with w.db.connect() as c:
                    assert second(w, a, c=c) == []
            else:
                other = Beside(w, lambda c: second(w, a, c=c))
        if second is not expire_due:
            other.join()
            assert other.error is None
        assert (state(w, a), w.load()) == left


def expire_due(w, _, c=None):
    return (c or w.c).execute("SELECT * FROM squad.offers_expire(100, 'test')").fetchall()


def test_two_assigners_expire_one_offer_once(w):
    _, a, _ = w.offered()
    w.c.execute("UPDATE squad.assignment SET expires_at = now() - interval '1 s'")
    with w.c.transaction():
        assert len(w.c.execute("SELECT * FROM squad.offers_expire(100, 'test')").fetchall()) == 1
        with w.db.connect() as c:
            assert c.execute("SELECT * FROM squad.offers_expire(100, 'x')").fetchall() == []
    assert w.load() == 0


HOLDS = ["SELECT outcome FROM squad.ticket_prioritize(%(ticket)s, 1, NULL, 'x', 'boss')",
         "UPDATE squad.expert SET active = false WHERE id = 1",
         "UPDATE squad.expert_load SET capacity = 3 WHERE expert_id = 1"]


@pytest.mark.parametrize("hold", HOLDS)
def test_an_offer_that_somebody_holds_expires_later_and_the_others_now(w, hold):
    t, a, _ = w.offered()
    _, b, _ = w.offered(2)
    w.c.execute("UPDATE squad.assignment SET expires_at = now() - interval '1 s'")
    with w.db.connect() as c:
        c.execute("SET lock_timeout = '1s'")
        with w.c.transaction():
            w.c.execute(hold, {"ticket": t})
            assert c.execute("SELECT expert_id FROM squad.offers_expire(1, 'test')").fetchall() == [(2,)]
            raise psycopg.Rollback
        assert (state(w, a), state(w, b)) == ("offered", "timed_out")
        assert c.execute("SELECT expert_id FROM squad.offers_expire(1, 'test')").fetchall() == [(1,)]
    assert (state(w, a), w.load()) == ("timed_out", 0)


# several at once

def test_the_first_of_several_who_accepts_has_it_and_the_others_are_free(w):
    t, (a, b), notices = several(w, 1, 2)
    w.finish(*notices)
    before = w.seq()
    assert accept(w, b) == "accepted"
    assert (state(w, a), state(w, b), w.load(1), w.load(2), ticket(w, t)) == ("rescinded", "accepted", 0, 1, "assigned")
    assert w.events(before) == ["squad.ticket.rescinded.v1", "squad.notice.requested.v1", "squad.expert.freed.v1",
                                "squad.ticket.accepted.v1"]
    assert accept(w, a) == "gone"
    assert w.one("SELECT holder, attempts FROM squad.dispatch") == (None, 2)


def test_the_ticket_shows_who_has_it_and_not_the_last_one_tried(w):
    t, (a, b), notices = several(w, 1, 2)
    w.finish(*notices)
    accept(w, a)
    assert w.one("SELECT holder, attempts FROM squad.dispatch") == (1, 2)
    assert w.one("SELECT expert, assignment_state FROM rpt.ticket WHERE ticket_id = %s", t) == ("Ana", "accepted")
    assert w.one("SELECT count(*) FROM rpt.audit WHERE check_name NOT LIKE 'no %%'") == 0


def test_two_experts_accept_at_once_and_one_has_it(w):
    t, (a, b), notices = several(w, 1, 2)
    w.finish(*notices)
    with w.c.transaction():
        assert accept(w, a) == "accepted"
        other = Beside(w, lambda c: accept(w, b, c=c))
    other.join()
    assert (other.result, w.load(1), w.load(2)) == ("gone", 1, 0)


def test_one_of_several_declines_and_the_others_keep_their_offers_until_the_last(w):
    t, (a, b), notices = several(w, 1, 2)
    before = w.seq()
    decline(w, a)
    assert (ticket(w, t), "squad.ticket.requeued.v1" in w.events(before)) == ("assigned", False)
    assert sorted(w.finish(*notices, delivered=False), key=str) == [("undeliverable", "undeliverable"), ("undeliverable", None)]
    assert (ticket(w, t), state(w, b), w.load(1), w.load(2)) == ("parked", "undeliverable", 0, 0)
    assert w.events(before).count("squad.ticket.requeued.v1") == 1


def test_one_of_several_completes_it_unasked(w):
    t, (a, b), _ = several(w, 1, 2)
    assert w.complete(a) == "completed"
    assert (state(w, b), ticket(w, t), w.load(1), w.load(2)) == ("rescinded", "completed", 0, 0)


@pytest.mark.parametrize("place, offers, name", [(1, 1, "assignment_one_live"), (2, 1, "assignment_one_taken")])
def test_a_second_live_assignment_is_refused(w, place, offers, name):
    t, a, _ = w.reserved(1)
    with pytest.raises(psycopg.errors.IntegrityError) as e:
        w.c.execute("WITH taken AS (UPDATE squad.expert_load SET load = load + 1 WHERE expert_id = 2) "
                    "INSERT INTO squad.assignment (ticket_id, expert_id, attempt, place, expert_version, why) "
                    "SELECT %s, 2, 2, %s, version, '{}' FROM squad.expert WHERE id = 2", (t, place))
    assert e.value.diag.constraint_name == name


def test_two_acceptances_are_refused_whatever_a_program_does(w):
    _, (a, b), _ = several(w, 1, 2)
    with pytest.raises(psycopg.errors.CheckViolation) as e:
        w.c.execute("UPDATE squad.assignment SET state = 'accepted', accepted_at = now() WHERE id = %s", (a,))
    assert e.value.diag.constraint_name == "assignment_one_taken"
    with pytest.raises(psycopg.errors.UniqueViolation) as e:
        w.c.execute("UPDATE squad.assignment SET state = 'accepted', accepted_at = now()")
    assert e.value.diag.constraint_name == "assignment_one_holder"


@pytest.mark.parametrize("sql", ["UPDATE squad.ticket_type SET offers_max = 6", "UPDATE squad.dispatch SET offers = 6"])
def test_six_at_once_are_refused(w, sql):
    w.parked()
    with pytest.raises(psycopg.errors.CheckViolation):
        w.c.execute(sql)


# cancel

@pytest.mark.parametrize("where", ["received", "review", "parked", "reserved", "offered", "accepted", "on_site"])
def test_canceling_ends_everything_in_whatever_state(w, where):
    if where in ("received", "parked"):
        t = w.ticket() if where == "received" else w.parked()
    elif where == "review":
        t = w.ticket(type_="submarine")
        w.c.execute("INSERT INTO squad.dispatch (ticket_id, state, type, area, priority, created_at, routable_at) "
                    "SELECT id, 'review', type, area, 3, created_at, NULL FROM squad.ticket WHERE id = %s", (t,))
    else:
        t, a, _ = w.reserved() if where == "reserved" else w.offered()
        if where in ("accepted", "on_site"):
            accept(w, a)
        if where == "on_site":
            move(w, a, "on_site")
    before = w.seq()
    assert cancel(w, t) == "canceled"
    assert (ticket(w, t), w.load(), kinds(w, t)[-1]) == ("canceled", 0, "canceled")
    assert w.events(before).count("squad.ticket.canceled.v1") == 1
    before = w.seq()
    assert (cancel(w, t), w.seq()) == ("already", before)


def test_a_completed_ticket_and_an_unknown_one_are_not_canceled(w):
    t, a, _ = w.offered()
    w.complete(a)
    assert (cancel(w, t), cancel(w, uuid.uuid4())) == ("gone", "missing")
    assert ticket(w, t) == "completed"


def test_canceling_several_offers_frees_every_slot(w):
    t, _, notices = several(w, 1, 2)
    assert cancel(w, t) == "canceled"
    assert (w.load(1), w.load(2)) == (0, 0)
    w.finish(*notices)
    assert ticket(w, t) == "canceled"


def test_canceling_and_accepting_at_once(w):
    t, a, _ = w.offered()
    with w.c.transaction():
        assert cancel(w, t) == "canceled"
        other = Beside(w, lambda c: accept(w, a, c=c))
    other.join()
    assert (other.result, w.load()) == ("gone", 0)


def test_a_ticket_canceled_before_it_was_seen_is_not_assigned(w):
    t = w.ticket()
    cancel(w, t)
    with pytest.raises(psycopg.errors.CheckViolation):
        w.assign(t, 1)


# reassign

def test_a_manager_gives_a_ticket_to_another_expert(w):
    t, a, _ = w.offered(1)
    before = w.seq()
    assert reassign(w, t, 2) == ("reassigned", [])
    assert (state(w, a), w.load(1), w.load(2)) == ("rescinded", 0, 1)
    assert w.events(before) == ["squad.ticket.rescinded.v1", "squad.notice.requested.v1", "squad.expert.freed.v1",
                                "squad.ticket.reserved.v1", "squad.notice.requested.v1"]
    assert w.one("SELECT attempt, override FROM squad.assignment WHERE expert_id = 2") == (2, None)
    assert reassign(w, t, 2) == ("already", [])


def test_a_manager_breaks_rules_knowingly_and_it_is_recorded(w):
    t, a, _ = w.offered(1)
    before = w.seq()
    assert reassign(w, t, 4) == ("refused", ["area"])
    assert (w.seq(), state(w, a)) == (before, "offered")
    w.c.execute("UPDATE squad.expert SET status = 'break' WHERE id = 4")
    assert reassign(w, t, 4, True) == ("reassigned", ["area", "presence"])
    assert w.one("SELECT override FROM squad.assignment WHERE expert_id = 4") == ["area", "presence"]
    assert w.one("SELECT detail->'override' FROM squad.ticket_event WHERE kind = 'reassigned'") == ["area", "presence"]
    assert w.one("SELECT count(*) FROM rpt.audit WHERE check_name = 'wrong expert'") == 0


def test_capacity_is_broken_by_nobody(w):
    w.offered(2)
    t, a, _ = w.offered(1)
    assert reassign(w, t, 2, True) == ("refused", ["capacity"])
    assert state(w, a) == "offered"


def test_an_override_covers_only_the_rules_it_names(w):
    t = w.parked()
    with pytest.raises(psycopg.errors.CheckViolation, match="does not serve the area"):
        w.c.execute("""WITH moved AS (UPDATE squad.dispatch SET state = 'assigned', parked = NULL, attempts = 1 WHERE ticket_id = %s),
                            taken AS (UPDATE squad.expert_load SET load = load + 1 WHERE expert_id = 4)
                       INSERT INTO squad.assignment (ticket_id, expert_id, attempt, expert_version, why, override)
                       VALUES (%s, 4, 1, 1, '{}', '{presence}')""", (t, t))


def test_reassigning_to_nobody_in_particular_asks_the_next_one(w):
    t, a, _ = w.offered(1)
    before = w.seq()
    assert reassign(w, t, None) == ("requeued", [])
    assert (ticket(w, t), state(w, a)) == ("parked", "rescinded")
    assert "squad.ticket.requeued.v1" in w.events(before)
    assert w.one("SELECT reason FROM squad.exclusion WHERE expert_id = 1") == "reassigned"


def test_reassigning_excludes_also_an_expert_whose_earlier_exclusion_is_over(w):
    t, _, _ = w.offered(1)
    w.c.execute("INSERT INTO squad.exclusion (ticket_id, expert_id, until, reason) VALUES (%s, 1, now() - interval '5 min', 'timed_out')", (t,))
    assert reassign(w, t, None) == ("requeued", [])
    assert w.one("SELECT until > now() + interval '11 h', reason FROM squad.exclusion") == (True, "reassigned")


def test_reassigning_does_not_shorten_an_exclusion(w):
    t, _, _ = w.offered(1)
    w.c.execute("INSERT INTO squad.exclusion (ticket_id, expert_id, until, reason) VALUES (%s, 1, NULL, 'wrong_skill')", (t,))
    reassign(w, t, None)
    assert w.one("SELECT until, reason FROM squad.exclusion") == (None, "wrong_skill")


def test_reassigning_a_waiting_a_done_and_an_unknown_ticket(w):
    assert reassign(w, w.parked(), 1) == ("reassigned", [])
    t, a, _ = w.offered(1)
    w.complete(a)
    assert reassign(w, t, 2)[0] == "gone"
    assert reassign(w, uuid.uuid4(), 2)[0] == "missing"
    assert reassign(w, w.parked(), 99)[0] == "missing"


def test_reassigning_and_accepting_at_once(w):
    t, a, _ = w.offered(1)
    with w.c.transaction():
        assert reassign(w, t, 2)[0] == "reassigned"
        other = Beside(w, lambda c: accept(w, a, c=c))
    other.join()
    assert (other.result, w.load(1), w.load(2)) == ("gone", 0, 1)


# waiting

def test_manager_and_customer_are_told_once_each(w):
    t = w.parked()
    w.c.execute("UPDATE squad.dispatch SET tell_at = now()")
    w.c.execute("UPDATE squad.priority SET manager_s = 0, customer_s = 3600 WHERE priority = 3")
    before = w.seq()
    told = "SELECT whom FROM squad.waiting_tell(10, 'test')"
    assert w.c.execute(told).fetchall() == [("manager",)]
    assert w.c.execute(told).fetchall() == []
    assert w.one("SELECT tell_at = routable_at + interval '1 h' FROM squad.dispatch")
    w.c.execute("UPDATE squad.priority SET customer_s = 0 WHERE priority = 3")
    w.c.execute("UPDATE squad.dispatch SET tell_at = now()")
    assert w.c.execute(told).fetchall() == [("customer",)]
    assert (w.one("SELECT tell_at FROM squad.dispatch"), kinds(w, t)) == (None, ["manager_told", "customer_told"])
    assert w.events(before) == ["squad.ticket.waiting.v1", "squad.notice.requested.v1"] * 2
    assert w.c.execute("SELECT recipient, message, state FROM squad.notice WHERE ticket_id = %s ORDER BY recipient", (t,)
                       ).fetchall() == [("customer", "waiting", "pending"), ("manager", "waiting", "pending")]


def test_the_time_it_became_routable_stays(w):
    w.parked()
    with pytest.raises(psycopg.errors.CheckViolation) as e:
        w.c.execute("UPDATE squad.dispatch SET routable_at = now() + interval '1 s'")
    assert e.value.diag.constraint_name == "dispatch_routable_once"
