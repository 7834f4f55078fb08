"""Who was right when he was chosen stays right when a rule changes afterwards; who was wrong is found all the same."""
import pytest

from testdb import HERE as ROOT

VERIFY = (ROOT / "sql" / "queries" / "cli" / "verify_wrong_expert.sql").read_text()
SHIFT = "INSERT INTO squad.expert_shift (expert_id, during) VALUES (1, tstzrange(now() - interval '%s', now() + interval '%s'))"


def wrong(w):
    """How many choices squad verify calls wrong; of live ones the audit says the same."""
    with w.db.connect(options="-c search_path=squad") as c:
        found = len(c.execute(VERIFY).fetchall())
    assert w.one("SELECT count(*) FROM rpt.audit WHERE check_name = 'wrong expert'") == found
    return found


def unseen(w, sql):
    """What no trigger has seen, and so no version tells of."""
    w.c.execute(f"SET session_replication_role = replica; {sql}; SET session_replication_role = origin")


@pytest.mark.parametrize("change", [
    "UPDATE squad.ticket_type_skill SET min_level = 4",
    "INSERT INTO squad.ticket_type_skill VALUES ('tv', 'net', 1)",
    "UPDATE squad.ticket_type_skill SET skill = 'net'",
    "UPDATE squad.ticket_type SET duration_s = 7200",
    "DELETE FROM squad.ticket_type_skill; DELETE FROM squad.ticket_type",
])
def test_a_rule_of_later_judges_nobody(w, change):
    w.c.execute("UPDATE squad.expert SET schedule = 'shifts'; " + SHIFT % ("1 hour", "90 minutes"))
    w.offered()
    assert wrong(w) == 0
    w.c.execute(change)
    assert wrong(w) == 0


def test_a_requirement_that_was_dropped_counts_as_dropped_whatever_the_times_are_later(w):
    w.c.execute("UPDATE squad.ticket_type_skill SET min_level = 5, importance = 3; UPDATE squad.priority SET relax_3_s = 0")
    w.offered()
    assert wrong(w) == 0
    w.c.execute("UPDATE squad.priority SET relax_3_s = 300")
    assert wrong(w) == 0


def test_a_priority_that_was_set_later_has_later_times(w):
    w.c.execute("UPDATE squad.ticket_type_skill SET min_level = 5, importance = 3; "
                "UPDATE squad.priority SET relax_3_s = 0 WHERE priority = 3")
    t, _, _ = w.offered()
    assert wrong(w) == 0
    assert w.one("SELECT outcome FROM squad.ticket_prioritize(%s, 1, NULL, NULL, 'boss')", t) == "set"
    assert wrong(w) == 0


def test_until_its_commit_a_change_is_not_made(w):
    t = w.parked()
    with w.db.connect() as manager, manager.transaction():
        manager.execute("UPDATE squad.ticket_type_skill SET min_level = 4")
        w.assign(t)
    assert wrong(w) == 0


def test_who_lacked_a_skill_is_found_before_and_after_a_change_of_the_rules(w):
    w.offered()
    unseen(w, "UPDATE squad.expert_skill SET level = 1 WHERE expert_id = 1")
    assert wrong(w) == 1
    w.c.execute("UPDATE squad.expert_skill SET level = 3 WHERE expert_id = 1; UPDATE squad.ticket_type_skill SET min_level = 3")
    w.offered()
    assert wrong(w) == 0
    unseen(w, "UPDATE squad.expert_skill SET level = 2 WHERE expert_id = 1")
    assert wrong(w) == 1


def test_a_shift_is_missed_while_the_job_goes_on_and_may_be_deleted_when_it_has_elapsed(w):
    w.c.execute("UPDATE squad.expert SET schedule = 'shifts'; " + SHIFT % ("3 hours", "90 minutes"))
    w.offered()
    unseen(w, "UPDATE squad.expert_shift SET during = tstzrange(lower(during), now() - interval '1 minute')")
    assert wrong(w) == 1
    unseen(w, "UPDATE squad.ticket_type SET changed_at = now() - interval '1 day'; "
              "UPDATE squad.assignment SET reserved_at = now() - interval '2 hours'")
    w.c.execute("DELETE FROM squad.expert_shift")
    assert wrong(w) == 0
