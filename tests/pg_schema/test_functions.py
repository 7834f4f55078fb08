"""assignment_complete and notice_finish: normal, repeated, at once from two sessions, in a wrong state."""
import threading
import time
import uuid

import psycopg
import pytest


def wait_blocked(w, pid):
    """Until a session waits for a lock; no sleep decides the outcome."""
    until = time.monotonic() + 10
    while not w.one("SELECT cardinality(pg_blocking_pids(%s)) > 0", pid):
        assert time.monotonic() < until, "the other session never waited"
        time.sleep(0.005)


class Beside:
    """A call in another session that must wait for this one's transaction."""

    def __init__(self, w, call):
        self.w, self.c, self.result, self.error = w, w.db.connect(), None, None
        self.thread = threading.Thread(target=self.run, args=(call,))
        self.thread.start()
        wait_blocked(w, self.c.info.backend_pid)

    def run(self, call):
        try:
            self.result = call(self.c)
        except psycopg.Error as e:
            self.error = e

    def join(self):
        self.thread.join()
        self.c.close()


# assignment_complete

def test_completing_frees_the_slot_and_tells_both_topics(w):
    t, a, _ = w.offered()
    before = w.seq()
    assert w.complete(a) == "completed"
    assert w.load() == 0
    assert w.one("SELECT state FROM squad.dispatch WHERE ticket_id = %s", t) == "completed"
    assert w.one("SELECT state, reason, ended_at IS NOT NULL FROM squad.assignment") == ("completed", "completed", True)
    assert w.events(before) == ["squad.ticket.completed.v1", "squad.expert.freed.v1"]
    assert w.one("SELECT idle_since > created_at FROM squad.expert_load JOIN squad.expert ON id = expert_id WHERE id = 1")


def test_completing_again_has_no_effect(w):
    _, a, _ = w.offered()
    w.complete(a)
    before, ended = w.seq(), w.one("SELECT ended_at FROM squad.assignment")
    assert w.complete(a) == "already"
    assert (w.seq(), w.one("SELECT ended_at FROM squad.assignment"), w.load()) == (before, ended, 0)


def test_completing_before_the_delivery_is_recorded_counts_and_the_delivery_changes_nothing_more(w):
    _, a, n = w.sending()
    assert w.complete(a) == "completed"
    assert w.finish(n) == [("delivered", None)]
    assert w.one("SELECT state FROM squad.assignment") == "completed"
    assert w.load() == 0


def test_completing_what_was_undeliverable_is_gone(w):
    t, a, n = w.sending()
    w.finish(n, delivered=False)
    before = w.seq()
    assert w.complete(a) == "gone"
    assert w.seq() == before
    assert w.one("SELECT state FROM squad.dispatch WHERE ticket_id = %s", t) == "parked"


def test_completing_an_unknown_id_is_missing(w):
    assert w.complete(uuid.uuid4()) == "missing"


def test_two_sessions_complete_one_assignment_once(w):
    _, a, _ = w.offered()
    before = w.seq()
    with w.c.transaction():
        assert w.complete(a) == "completed"
        other = Beside(w, lambda c: w.complete(a, c))
    other.join()
    assert other.result == "already" and other.error is None
    assert w.events(before) == ["squad.ticket.completed.v1", "squad.expert.freed.v1"]
    assert w.load() == 0


def test_a_rolled_back_completion_leaves_it_to_the_other_session(w):
    _, a, _ = w.offered()
    with w.c.transaction() as tx:
        w.complete(a)
        other = Beside(w, lambda c: w.complete(a, c))
        raise psycopg.Rollback(tx)
    other.join()
    assert other.result == "completed"
    assert w.load() == 0


def test_two_sessions_complete_two_jobs_of_one_expert(w):
    a, b = w.offered()[1], w.offered()[1]
    assert w.load() == 2
    with w.c.transaction():
        w.complete(a)
        other = Beside(w, lambda c: w.complete(b, c))
    other.join()
    assert (other.result, w.load()) == ("completed", 0)


# notice_finish

def test_a_delivered_notice_offers_the_assignment(w):
    t, a, n = w.sending()
    before = w.seq()
    assert w.finish(n) == [("delivered", "offered")]
    assert w.one("SELECT state, offered_at IS NOT NULL, ended_at FROM squad.assignment") == ("offered", True, None)
    assert w.events(before) == ["squad.ticket.offered.v1"]
    assert w.one("SELECT kind FROM squad.ticket_event") == "offered"
    assert w.load() == 1


def test_an_undeliverable_notice_frees_the_slot_and_sends_the_ticket_on(w):
    t, a, n = w.sending()
    before = w.seq()
    assert w.finish(n, delivered=False, status=410, error="gone") == [("undeliverable", "undeliverable")]
    assert w.load() == 0
    assert w.one("SELECT state, parked->>'undeliverable', attempts FROM squad.dispatch") == ("parked", "true", 1)
    assert sorted(w.events(before)) == ["squad.expert.freed.v1", "squad.ticket.requeued.v1"]
    assert w.one("SELECT last_status, last_error FROM squad.notice") == (410, "gone")
    w.assign(t, 2)
    assert w.one("SELECT max(attempt), count(*) FROM squad.assignment") == (2, 2)


def test_finishing_again_has_no_effect_whatever_it_says(w):
    _, _, n = w.sending()
    w.finish(n)
    before = w.seq()
    assert w.finish(n, delivered=False) == []
    assert w.finish(n) == []
    assert (w.seq(), w.load(), w.one("SELECT state FROM squad.notice")) == (before, 1, "delivered")


def test_a_notice_that_nobody_claimed_is_left_alone(w):
    _, _, n = w.reserved()
    before = w.seq()
    assert w.finish(n) == []
    assert (w.seq(), w.one("SELECT state FROM squad.notice")) == (before, "pending")


def test_an_unknown_notice_and_an_empty_list_do_nothing(w):
    assert w.finish(uuid.uuid4()) == []
    assert w.finish() == []


def test_one_notice_twice_in_a_list_counts_once_and_a_delivery_wins(w):
    _, _, n = w.sending()
    rows = w.c.execute("SELECT notice_state FROM squad.notice_finish(%s, %s, %s, %s, %s, 'test')",
                       ([n, n], [1, 1], [False, True], [500, 200], ["x", None])).fetchall()
    assert rows == [("delivered",)]
    assert w.load() == 1


def claim_again(w, notice, c=None):
    (c or w.c).execute("UPDATE squad.notice SET attempts = attempts + 1, claimed_by = 'other' WHERE id = %s", (notice,))


def still_sending(w):
    return w.one("SELECT n.state, a.state, d.state FROM squad.notice n JOIN squad.assignment a ON a.id = n.assignment_id "
                 "JOIN squad.dispatch d ON d.ticket_id = a.ticket_id") == ("sending", "reserved", "assigned") and w.load() == 1


def test_a_failure_of_an_attempt_that_is_not_the_last_changes_nothing(w):
    """Its claim had ended, and another notifier is just delivering."""
    _, _, n = w.sending()
    claim_again(w, n)
    before = w.seq()
    assert w.finish(n, attempt=1, delivered=False) == []
    assert still_sending(w) and w.events(before) == []
    assert w.finish(n, attempt=2) == [("delivered", "offered")]


def test_a_delivery_counts_whatever_attempt_it_was(w):
    _, _, n = w.sending()
    claim_again(w, n)
    assert w.finish(n, attempt=1) == [("delivered", "offered")]
    assert w.finish(n, attempt=2, delivered=False) == []


def test_of_two_failures_in_a_list_the_last_attempt_counts(w):
    _, _, n = w.sending()
    claim_again(w, n)
    rows = w.c.execute("SELECT notice_state FROM squad.notice_finish(%s, '{2,1}', '{f,f}', '{503,500}', '{y,x}', 'test')",
                       ([n, n],)).fetchall()
    assert rows == [("undeliverable",)]
    assert w.one("SELECT last_status FROM squad.notice") == 503 and w.load() == 0


@pytest.mark.parametrize("commit", [True, False])
def test_a_failure_waits_for_an_attempt_that_just_begins(w, commit):
    _, _, n = w.sending()
    with w.c.transaction() as tx:
        claim_again(w, n)
        other = Beside(w, lambda c: w.finish(n, attempt=1, delivered=False, c=c))
        if not commit:
            raise psycopg.Rollback(tx)
    other.join()
    assert other.result == ([] if commit else [("undeliverable", "undeliverable")]) and other.error is None
    assert still_sending(w) == commit


def test_many_notices_of_several_experts_finish_together(w):
    notices = [w.sending(1)[2], w.sending(1)[2], w.sending(2)[2]]
    assert w.finish(*notices, delivered=False) == [("undeliverable", "undeliverable")] * 3
    assert (w.load(1), w.load(2)) == (0, 0)
    assert w.one("SELECT count(*) FROM squad.outbox WHERE type = 'squad.ticket.requeued.v1'") == 3


def test_two_sessions_finish_one_notice_once(w):
    _, _, n = w.sending()
    before = w.seq()
    with w.c.transaction():
        assert w.finish(n, delivered=False)
        other = Beside(w, lambda c: w.finish(n, c=c))
    other.join()
    assert other.result == [] and other.error is None
    assert w.load() == 0
    assert sorted(w.events(before)) == ["squad.expert.freed.v1", "squad.ticket.requeued.v1"]


@pytest.mark.parametrize("rows", ["dispatch WHERE ticket_id = %s", "assignment WHERE ticket_id = %s", "notice WHERE ticket_id = %s",
                                  "expert_load WHERE expert_id = 1 AND %s IS NOT NULL",
                                  "expert WHERE id = 1 AND %s IS NOT NULL", "ticket WHERE id = %s"])
def test_what_somebody_holds_is_left_and_the_rest_is_finished(w, rows):
    (t, a, n), (_, b, m) = w.sending(1), w.sending(2)
    lone = w.one("INSERT INTO squad.notice (expert_id, channel, message, state, attempts) "
                 "VALUES (2, 'webhook', 'break', 'sending', 1) RETURNING id")
    delivered = [rows.startswith(("dispatch", "assignment", "notice")), False, True]
    finish = ("SELECT notice_id, notice_state, assignment_state FROM squad.notice_finish(%s, '{1,1,1}', %s, %s, '{x,x,NULL}', 'test', true)",
              ([n, m, lone], delivered, [200, 500, 200]))
    w.c.execute("UPDATE squad.notice SET claimed_by = 'test', next_attempt_at = clock_timestamp()")
    with w.db.connect() as holder:
        holder.execute("BEGIN")
        holder.execute(f"SELECT FROM squad.{rows} FOR UPDATE", (t,))
        w.c.execute("SET lock_timeout = '1s'")
        assert sorted(w.c.execute(*finish).fetchall(), key=str) == sorted(
            [(n, "locked", None), (m, "undeliverable", "undeliverable"), (lone, "delivered", None)], key=str)
        holder.execute("ROLLBACK")
    claimed = w.one("SELECT next_attempt_at > clock_timestamp() + interval '5 s' FROM squad.notice WHERE id = %s", n)
    assert claimed == (not rows.startswith("notice"))
    state = "delivered" if delivered[0] else "undeliverable"
    assert w.c.execute(*finish).fetchall() == [(n, state, "offered" if delivered[0] else state)]
    assert (w.load(1), w.load(2)) == (int(delivered[0]), 0)


def test_completing_and_giving_up_at_once_free_the_slot_once(w):
    t, a, n = w.sending()
    with w.c.transaction():
        assert w.complete(a) == "completed"
        other = Beside(w, lambda c: w.finish(n, delivered=False, c=c))
    other.join()
    assert other.result == [("undeliverable", None)]
    assert (w.load(), w.one("SELECT state FROM squad.dispatch")) == (0, "completed")


def test_the_reverse_order_of_notices_in_two_sessions_does_not_deadlock(w):
    x, y = w.sending(1)[2], w.sending(1)[2]
    with w.c.transaction():
        w.finish(x, delivered=False)
        other = Beside(w, lambda c: w.finish(y, x, delivered=False, c=c))
    other.join()
    assert other.error is None and len(other.result) == 1
    assert w.load() == 0


def test_holding_a_ticket_reads_the_loads_of_its_experts_alone(w):
    w.c.execute("INSERT INTO squad.expert (id, name) SELECT i, 'Eva' FROM generate_series(100, 5000) AS i")
    w.c.execute("VACUUM ANALYZE squad.expert_load")
    t, _, _ = w.offered()
    read = "SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'squad.expert_load'::regclass"
    for more, n in (("NULL", 1), ("2", 2)):
        with w.db.connect() as c, c.transaction():
            c.execute(f"SELECT squad.tickets_hold(ARRAY[%s::uuid], {more})", (t,))
            assert c.execute(read).fetchone() == (0, n)


# races that constraints decide

def test_two_sessions_assign_one_ticket_and_one_wins(w):
    t = w.parked()
    with w.c.transaction():
        w.assign(t, 1)
        other = Beside(w, lambda c: w.assign(t, 2, c=c))
    other.join()
    assert other.error.diag.constraint_name in ("assignment_one_live", "expert_load_counts")
    assert (w.load(1), w.load(2), w.one("SELECT count(*) FROM squad.assignment")) == (1, 0, 1)


def test_two_sessions_take_the_last_slot_and_one_wins(w):
    t, u = w.parked(), w.parked()
    with w.c.transaction():
        w.assign(t, 2)
        other = Beside(w, lambda c: w.assign(u, 2, c=c))
    other.join()
    assert other.error.diag.constraint_name == "expert_load_capacity"
    assert w.load(2) == 1


@pytest.mark.parametrize("change", [
    "UPDATE squad.expert SET active = false WHERE id = 1", "DELETE FROM squad.expert_skill WHERE expert_id = 1",
    "DELETE FROM squad.expert_area WHERE expert_id = 1"])
def test_an_expert_who_changes_meanwhile_is_not_assigned(w, change):
    t = w.parked()
    version = w.one("SELECT version FROM squad.expert WHERE id = 1")
    with w.c.transaction():
        w.c.execute(change)
        other = Beside(w, lambda c: w.assign(t, 1, version, c=c))
    other.join()
    assert other.error.diag.constraint_name == "assignment_qualified"
    assert w.load() == 0


def test_a_change_of_an_expert_waits_for_the_assignment_under_way(w):
    t = w.parked()
    with w.c.transaction():
        w.assign(t, 1)
        other = Beside(w, lambda c: c.execute("DELETE FROM squad.expert_skill WHERE expert_id = 1"))
    other.join()
    assert other.error is None
    assert w.one("SELECT e.version > a.expert_version FROM squad.expert e JOIN squad.assignment a ON a.expert_id = e.id")


# the order of an expert's events

def test_a_job_that_ends_waits_for_a_change_of_the_expert_so_that_events_are_in_commit_order(w):
    _, a, _ = w.offered()
    before = w.seq()
    with w.c.transaction():
        w.c.execute("UPDATE squad.expert SET active = false WHERE id = 1")
        done = Beside(w, lambda c: c.execute("SELECT outcome FROM squad.assignment_complete(%s, 'test')", [a]).fetchone()[0])
    done.join()
    assert (done.result, done.error) == ("completed", None)
    assert w.events(before) == ["squad.expert.changed.v1", "squad.ticket.completed.v1", "squad.expert.freed.v1"]


def test_a_change_of_the_expert_waits_for_a_job_that_ends(w):
    _, a, _ = w.offered()
    before = w.seq()
    with w.c.transaction():
        w.complete(a)
        changed = Beside(w, lambda c: c.execute("UPDATE squad.expert SET active = false WHERE id = 1"))
    changed.join()
    assert changed.error is None
    assert w.events(before) == ["squad.ticket.completed.v1", "squad.expert.freed.v1", "squad.expert.changed.v1"]


# small triggers

def test_a_new_expert_gets_a_load_row_and_every_change_an_event_and_a_version(w):
    before = w.seq()
    w.c.execute("INSERT INTO squad.expert (id, name) VALUES (9, 'Eva')")
    assert w.load(9) == 0
    for sql in ("UPDATE squad.expert SET name = 'Eva B' WHERE id = 9", "INSERT INTO squad.expert_skill VALUES (9, 'tv', 1)",
                "UPDATE squad.expert_skill SET level = 2 WHERE expert_id = 9", "DELETE FROM squad.expert_skill WHERE expert_id = 9",
                "INSERT INTO squad.expert_area VALUES (9, '28')", "UPDATE squad.expert_area SET prefix = '29' WHERE expert_id = 9",
                "DELETE FROM squad.expert_area WHERE expert_id = 9", "UPDATE squad.expert_load SET capacity = 5 WHERE expert_id = 9"):
        version = w.one("SELECT version FROM squad.expert WHERE id = 9")
        w.c.execute(sql)
        assert w.one("SELECT version FROM squad.expert WHERE id = 9") == version + 1, sql
    assert w.events(before) == ["squad.expert.changed.v1"] * 9


def test_outbox_partitions_are_made_ahead_and_only_once(w):
    assert w.one("SELECT squad.outbox_extend(2)") == 0
    assert w.one("SELECT squad.outbox_extend(4)") == 2
    assert w.one("SELECT count(*) FROM pg_inherits WHERE inhparent = 'squad.outbox'::regclass") == 6


@pytest.mark.parametrize("role", ["squad_intake", "squad_relay", "squad_assigner", "squad_notifier"])
def test_a_program_can_not_do_the_work_of_another(w, role):
    w.c.execute(f"SET ROLE {role}")
    denied = ["DELETE FROM squad.ticket", "UPDATE squad.outbox SET type = 'x'", "DELETE FROM squad.assignment",
              "UPDATE squad.expert SET active = true", "TRUNCATE squad.inbox", "SELECT squad.register_migration(99, 'x')"]
    if role != "squad_intake":
        denied += ["INSERT INTO squad.ticket (id) VALUES (gen_random_uuid())", "SELECT key_hash FROM squad.client"]
    if role != "squad_assigner":
        denied += ["UPDATE squad.dispatch SET since = now()", "UPDATE squad.expert_load SET load = 0"]
    if role != "squad_notifier":
        denied += ["SELECT secret FROM squad.expert_contact", "UPDATE squad.notice SET attempts = 9"]
    if role in ("squad_relay", "squad_assigner"):
        denied += ["SELECT customer_phone FROM squad.ticket"]
    for sql in denied:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            w.c.execute(sql)
    assert w.one("SELECT squad.schema_version()") >= 5
