"""Each check finds what it is there for: a good run is spoilt in one place, and the right check says so."""
import copy
import json

import pytest
from storm import checks, commits
from story import A, B, JOBS, NOTICES, REFS, Story, change

SPOILT = {}


def spoil(*expected):
    def register(function):
        SPOILT[function.__name__] = (set(expected), function)
        return function
    return register


def failed_checks(story, directory):
    story.write(directory)
    failed, _ = checks.run_all(directory)
    return failed


def test_a_good_run_passes_every_check(tmp_path):
    assert failed_checks(Story(), tmp_path) == {}


def test_the_desk_keeps_its_offers(tmp_path):
    assert failed_checks(Story(kept=True), tmp_path) == {}


def accept(s, n, step=True):
    s.commit(change("assignment", "UPDATE", id=JOBS[n], ticket_id=B, expert_id=1, state="accepted"),
             s.event("ticket", B, "squad.ticket.accepted.v1", 5.0))
    if step:
        s.history.append({"e": "step", "job": JOBS[n], "step": "accept", "attempt": 1, "status": 200, "t": 5.0})


def test_what_the_desk_accepted_is_accepted_at_the_end(tmp_path):
    s = Story(kept=True)
    accept(s, 3)
    assert failed_checks(s, tmp_path) == {}


def test_an_offer_of_the_desk_that_nobody_accepted_is_not_accepted(tmp_path):
    s = Story(kept=True)
    accept(s, 3, step=False)
    assert set(failed_checks(s, tmp_path)) == {"all-done"}


def test_an_offer_of_the_desk_that_nobody_completed_is_not_completed(tmp_path):
    s = Story(kept=True)
    s.complete(3)
    s.history.pop()
    assert set(failed_checks(s, tmp_path)) == {"all-done"}


def test_a_ticket_of_the_desk_that_waits_at_the_end_is_found(tmp_path):
    s = Story(kept=True)
    s.end(3, None, "declined", "parked", "squad.ticket.requeued.v1")
    assert "all-done" in failed_checks(s, tmp_path)


def test_only_the_desk_may_keep_an_offer(tmp_path):
    s = Story(kept=True)
    s.replace(["ticket: INSERT", B], "survey", "tv")
    assert set(failed_checks(s, tmp_path)) == {"all-done", "lost"}


@spoil("lost", "unexpected")
def an_acknowledged_ticket_is_not_stored(s):
    s.history[1]["id"], s.history[1]["ref"] = "cccccccc-0000-7000-8000-000000000003", "CCCCC-CCCCC"
    s.history[0]["customer_ref"] = "op-9"


@spoil("lost")
def two_requests_of_a_batch_get_each_others_tickets(s):
    first, second = (h for h in s.history if h["e"] == "ok")
    for what in ("id", "ref"):
        first[what], second[what] = second[what], first[what]


@spoil("lost")
def another_area_is_stored_than_was_asked_for(s):
    s.replace(["ticket: INSERT", A], "28013", "28014")


@spoil("one-expert")
def more_offers_are_allowed_than_the_company_says(s):
    s.commit(change("dispatch", "UPDATE", ticket_id=B, state="completed", offers=2))


@spoil("qualified")
def a_rule_is_broken_as_if_somebody_had_asked_for_it(s):
    s.replace(["assignment: INSERT", JOBS[3]], "state", "override[text]:'skill' state")


@spoil("readers-agree")
def the_reader_of_everything_ended_early(s):
    s.uncommitted = s.records[:-1]


@spoil("late-decision")
def a_late_decision_is_taken(s):
    s.run.append({"e": "fault", "id": "endtxn-late", "t0": 1.0, "t1": 2.0, "touches": [], "answer": "NONE"})


@spoil("resources")
def nobody_looked_at_the_resources(s):
    s.facts["resources"]["relay"]["samples"] = 0


@spoil("equal-answers")
def one_key_gets_two_answers(s):
    s.history.append(s.history[1] | {"created_at": "y"})


@spoil("one-key-one-ticket", "equal-answers", "all-done", "not-acted-on")
def one_key_makes_two_tickets(s):
    s.commit(change("ticket", "INSERT", id="dd", ref="DDDDD-DDDDD", customer_ref="op-1", type="tv", area="28013"),
             s.event("ticket", "dd", "squad.ticket.created.v1", 9.0))
    s.history.append(s.history[1] | {"id": "dd", "ref": "DDDDD-DDDDD"})


@spoil("not-acted-on")
def an_event_is_not_brought_to_the_assigner(s):
    s.drop("inbox: INSERT")


@spoil("not-acted-on")
def an_event_after_the_skipped_ones_is_not_brought(s):
    s.run.append({"e": "fault", "id": checks.SKIPS, "t0": 0.0, "t1": 1.0, "touches": []})
    s.drop("inbox: INSERT")


@spoil("acted-on-nothing")
def a_consumer_acts_on_an_event_of_an_aborted_transaction(s):
    s.commit(change("inbox", "INSERT", consumer="assigner", event_id="00000009-9999-4000-8000-000000000000"))


@spoil("refused-yet-stored", "answers")
def a_refused_request_is_stored(s):
    s.history[1] |= {"e": "failed", "status": 422, "answer": ""}


@spoil("answers")
def a_bad_request_is_answered_500_for_good(s):
    next(h for h in s.history if h["e"] == "failed")["status"] = 400


@spoil("answers")
def a_read_shows_another_ticket(s):
    next(h for h in s.history if h["e"] == "read")["answer_ref"] = REFS[B]


@spoil("certain")
def a_request_is_never_answered(s):
    s.history.append({"e": "invoke", "op": 9, "copy": 0, "kind": "new", "key": "k9", "customer_ref": "op-9", "t": 9})


@spoil("experts", "all-done", "dispatch-agrees", "load-counts", "event-with-step")
def a_completed_job_is_not_completed(s):
    s.drop("assignment: UPDATE", JOBS[2], "'completed'")


@spoil("experts")
def an_acceptance_that_was_answered_200_never_happened(s):
    s.history.append({"e": "step", "job": JOBS[1], "step": "accept", "status": 200, "t": 9})


@spoil("experts")
def a_job_that_was_completed_is_over_for_its_expert(s):
    s.history.append({"e": "step", "job": JOBS[2], "step": "complete", "status": 409, "t": 9})


@spoil()
def an_offer_that_went_to_another_one_is_over(s):
    s.history.append({"e": "step", "job": JOBS[1], "step": "accept", "status": 409, "t": 9})


@spoil("canceled")
def a_canceled_ticket_is_completed(s):
    s.history.append({"e": "canceled", "op": 9, "ref": REFS[A], "status": 200, "answer": "", "t": 9})


@spoil()
def a_completed_ticket_can_not_be_canceled(s):
    s.history.append({"e": "canceled", "op": 9, "ref": REFS[A], "status": 409, "answer": "", "t": 9})


@spoil("transition")
def a_notice_goes_back(s):
    s.commit(change("notice", "UPDATE", id=NOTICES[3], assignment_id=JOBS[3], state="sending"),
             change("notice", "UPDATE", id=NOTICES[3], assignment_id=JOBS[3], state="delivered"))


@spoil("transition", "one-expert", "dispatch-agrees", "load-counts", "capacity", "step-with-event",
       "notice-with-assignment", "all-done", "not-notified")
def two_experts_have_one_ticket(s):
    s.transactions.insert(5, [change("assignment", "INSERT", id="x", ticket_id=A, expert_id=1, state="offered")])


@spoil("capacity")
def an_expert_has_more_than_the_capacity_allows(s):
    s.replace(["expert_load: UPDATE", "load[integer]:1"], "capacity[integer]:1", "capacity[integer]:0")


@spoil("load-counts")
def a_slot_is_not_freed(s):
    s.drop("expert_load: UPDATE", "load[integer]:0")


@spoil("qualified")
def an_expert_lacks_a_skill(s):
    s.replace(["expert_skill: INSERT", "expert_id[integer]:2"], "level[integer]:2", "level[integer]:1")


@spoil("qualified")
def an_expert_does_not_serve_the_area(s):
    s.replace(["expert_area: INSERT", "expert_id[integer]:2"], "'280'", "'281'")


@spoil("qualified")
def an_expert_is_not_active(s):
    s.replace(["expert: INSERT", "id[integer]:2"], "true", "false")


@spoil("qualified")
def a_skill_is_taken_away_in_the_commit_before(s):
    at = next(i for i, t in enumerate(s.transactions) if any(JOBS[3] in c for c in t))
    s.transactions.insert(at, [change("expert_skill", "DELETE", expert_id=1, skill="tv")])


@spoil("qualified")
def an_expert_is_on_a_break(s):
    s.replace(["expert: INSERT", "id[integer]:2"], "active[boolean]:true", "active[boolean]:true status[text]:'break'")


@spoil("qualified")
def an_expert_is_absent(s):
    s.transactions[0].append(change("absence", "INSERT", id=1, expert_id=2,
                                    during='["2026-11-24 00:00:00+00","2026-11-25 00:00:00+00")'))
    s.replace(["assignment: INSERT", JOBS[2]], "state[", "reserved_at[timestamp with time zone]:'2026-11-24 12:00:00+00' state[")


@spoil()
def an_expert_is_absent_on_another_day(s):
    s.transactions[0].append(change("absence", "INSERT", id=1, expert_id=2, during='["2026-11-25 00:00:00+00",)'))
    s.replace(["assignment: INSERT", JOBS[2]], "state[", "reserved_at[timestamp with time zone]:'2026-11-24 12:00:00+00' state[")


@spoil("qualified")
def an_expert_gets_a_ticket_again_that_he_declined(s):
    at = next(i for i, t in enumerate(s.transactions) if any(JOBS[2] in c for c in t))
    s.transactions.insert(at, [change("exclusion", "INSERT", ticket_id=A, expert_id=2, until=None)])


@spoil("one-expert", "dispatch-agrees", "step-with-event", "load-counts", "capacity", "notice-with-assignment",
       "all-done", "not-notified")
def a_second_offer_stays_when_one_has_accepted(s):
    s.replace(["dispatch: UPDATE", A, "assigned"], "state[", "offers[integer]:2 state[")
    at = next(i for i, t in enumerate(s.transactions) if any(JOBS[2] in c for c in t))
    s.transactions.insert(at + 1, [
        change("assignment", "INSERT", id="x", ticket_id=A, expert_id=1, state="reserved"),
        change("assignment", "UPDATE", id="x", ticket_id=A, expert_id=1, state="accepted")])


@spoil("acted-on-nothing", "ticket-with-event", "event-phantom", "uncommitted-phantom")
def a_ticket_has_no_event(s):
    s.drop("outbox", "created.v1", A)


@spoil("ticket-with-event", "event-with-step", "outbox-xid")
def a_tickets_event_is_in_the_next_transaction(s):
    event = s.drop("outbox", "created.v1", A)
    at = next(i for i, t in enumerate(s.transactions) if any(A in c for c in t))
    s.transactions.insert(at + 1, [event])


@spoil("step-with-event", "event-phantom", "uncommitted-phantom")
def a_step_has_no_event(s):
    s.drop("outbox", "offered.v1")


@spoil("event-with-step")
def an_event_has_no_step(s):
    s.commit(s.event("ticket", A, "squad.ticket.offered.v1", 9.0))


@spoil("notice-with-assignment", "all-done", "step-with-event", "event-with-step")
def an_assignment_is_committed_before_its_notice(s):
    notice = s.drop("notice: INSERT", NOTICES[3])
    at = next(i for i, t in enumerate(s.transactions) if any(JOBS[3] in c for c in t))
    s.transactions.insert(at + 1, [notice])
    s.drop("notice: UPDATE", NOTICES[3], "delivered")


@spoil("append-only")
def an_outbox_row_is_deleted(s):
    s.commit(change("outbox_000000", "DELETE", seq=1))


@spoil("append-only")
def a_ticket_is_changed(s):
    s.commit(change("ticket", "UPDATE", id=A, ref=REFS[A], customer_ref="op-1", type="tv", area="28013"))


@spoil("outbox-order", "event-reordered")
def seq_is_not_in_commit_order_within_a_key(s):
    i, j = (next(i for i, t in enumerate(s.transactions) if any(w in c for c in t))
            for w in ("requeued.v1", "offered.v1"))
    a = next(c for c in s.transactions[i] if "requeued.v1" in c)
    b = next(c for c in s.transactions[j] if "offered.v1" in c)
    seq_a, seq_b = (c.split("seq[bigint]:")[1].split(" ")[0] for c in (a, b))
    s.transactions[i][s.transactions[i].index(a)] = a.replace(f"seq[bigint]:{seq_a} ", f"seq[bigint]:{seq_b} ")
    s.transactions[j][s.transactions[j].index(b)] = b.replace(f"seq[bigint]:{seq_b} ", f"seq[bigint]:{seq_a} ")
    s.records[int(seq_a) - 1]["offset"], s.records[int(seq_b) - 1]["offset"] = int(seq_b), int(seq_a)
    s.records.sort(key=lambda r: r["offset"])


@spoil("outbox-xid")
def an_outbox_row_names_another_transaction(s):
    s.replace(["outbox", "offered.v1"], "xid[xid8]:1", "xid[xid8]:9")


@spoil("event-lost", "live-reader")
def an_event_is_not_published(s):
    s.committed = s.records[:3] + s.records[4:]


@spoil("event-duplicated", "live-reader", "readers-agree")
def an_event_is_published_twice(s):
    s.committed = [*s.records, s.records[-1] | {"offset": 999}]


@spoil("event-reordered")
def two_events_of_a_key_change_places(s):
    records = copy.deepcopy(s.records)
    i, j = (next(i for i, r in enumerate(records) if r["type"] == t)
            for t in ("squad.ticket.requeued.v1", "squad.ticket.offered.v1"))
    records[i], records[j] = records[j], records[i]
    s.committed = records


def sent_again(s, at):
    """An event is aborted, then an aborted barrier, and it is there again: (s, at) the first, or behind another of its key."""
    i = next(i for i, r in enumerate(s.records) if r["type"] == "squad.ticket.requeued.v1")
    again = s.records[i] | {"offset": s.records[i]["offset"] + 0.6 if at == "before" else 999}
    barrier = {"t": 1.0, "topic": again["topic"], "partition": 0, "key": "barrier", "id": None, "poison": None,
               "value": "{}", "type": "squad.relay.barrier.v1", "offset": again["offset"] - 0.1}
    s.uncommitted = sorted([*s.records, barrier, again], key=lambda r: (r["topic"], r["partition"], r["offset"]))
    s.committed = [r for r in s.uncommitted if r not in (barrier, s.records[i])]
    s.live = s.committed


def test_what_an_aborted_barrier_took_with_it_may_be_sent_again_in_its_place(tmp_path):
    s = Story()
    sent_again(s, "before")
    assert failed_checks(s, tmp_path) == {}


@spoil("event-reordered")
def what_an_aborted_barrier_took_with_it_is_sent_again_behind_later_events(s):
    sent_again(s, "behind")


@spoil("event-phantom", "uncommitted-phantom")
def an_event_is_published_that_was_never_committed(s):
    s.records.append(s.records[0] | {"id": "phantom", "offset": 999})


@spoil("uncommitted-phantom")
def an_aborted_event_was_never_committed_in_the_database(s):
    s.uncommitted = [*s.records, s.records[0] | {"id": "phantom", "offset": 999}]


@spoil("event-content")
def an_event_is_published_with_another_content(s):
    s.records[2]["value"] = "{}"


@spoil("event-content", "event-reordered")
def an_event_is_published_under_another_key(s):
    s.records[0] |= {"key": B, "partition": 3}


@spoil("live-reader")
def a_live_reader_saw_a_record_that_is_gone(s):
    s.live = [*s.records, s.records[0] | {"offset": 999}]


@spoil("not-notified")
def an_expert_was_never_told(s):
    s.hooks = [h for h in s.hooks if h["assignment"] != JOBS[3]]


@spoil("wrong-recipient")
def another_expert_was_told(s):
    s.hooks[-1]["expert"] = 2


@spoil("wrong-recipient")
def a_delivery_is_not_signed(s):
    s.hooks[-1]["signed"] = False


@spoil("redirect-followed")
def a_redirect_was_followed(s):
    s.hooks.append({"t": 9.0, "trap": "/trap"})


@spoil("notice-duplicated")
def a_notice_is_repeated_under_a_new_id(s):
    s.hooks.append(s.hooks[-1] | {"webhook_id": "other"})


@spoil("notice-duplicated", "notice-repeated")
def a_repeat_has_other_bytes(s):
    s.hooks.append(s.hooks[-1] | {"first": False, "digest": "other"})


@spoil("notice-repeated")
def a_notice_is_repeated_without_a_reason(s):
    s.hooks.append(s.hooks[-1] | {"first": False, "t": 8.0})


@spoil()
def a_notice_is_repeated_that_was_read_too_late(s):
    s.hooks[-1]["sent"] = s.hooks[-1]["t"] - 3.2
    s.hooks.append(s.hooks[-1] | {"first": False, "t": 8.0})


@spoil()
def a_notice_is_repeated_after_the_notifier_was_killed(s):
    s.hooks.append(s.hooks[-1] | {"first": False, "t": 8.0})
    s.run.append({"e": "fault", "id": "kill-notifier", "t0": 5.0, "t1": 5.1, "touches": ["notifier"]})


@spoil("verify")
def squad_verify_sees_what_is_not_there(s):
    s.verify["lost"] = 1


@spoil()
def squad_verify_calls_the_storms_poison_a_phantom(s):
    s.verify["phantom"] = 1
    s.records.append(s.records[0] | {"id": None, "offset": 999, "poison": "1"})


@spoil("verify")
def squad_verify_does_not_see_a_foreign_record(s):
    s.records.append(s.records[0] | {"id": None, "offset": 999, "poison": "1"})


@spoil("exits")
def a_program_crashed(s):
    s.run.append({"e": "exit", "program": "relay-1", "pid": 1, "code": -11, "expected": False, "last_line": ""})


@spoil("stops")
def a_program_did_not_stop(s):
    s.run.append({"e": "stopped", "program": "relay-1", "code": None, "took_s": 10.0})


@spoil("drained")
def the_backlog_did_not_drain(s):
    s.facts["drained_s"] = None


@spoil("resources")
def a_program_used_too_much(s):
    s.facts["resources"]["relay"]["descriptors"] = 10


@spoil("storm")
def a_fault_of_the_storm_was_broken(s):
    s.run.append({"e": "broken", "what": "fault x", "why": "Traceback"})


@pytest.mark.parametrize("name", SPOILT)
def test_the_check_finds(name, tmp_path):
    expected, function = SPOILT[name]
    story = Story()
    function(story)
    failed = failed_checks(story, tmp_path)
    assert set(failed) == expected, json.dumps(failed, indent=1)


def test_every_check_has_found_something():
    found = set().union(*(expected for expected, _ in SPOILT.values()))
    assert set(checks.CHECKS) - found - {"unknown-ticket"} == set()


def test_a_run_without_its_end_has_failed(tmp_path):
    (tmp_path / "run.jsonl").write_text("")
    failed, _ = checks.run_all(tmp_path)
    assert list(failed) == ["storm"]


def test_values_with_quotes_tabs_backslashes_and_brackets_are_read(tmp_path):
    story = Story()
    story.transactions[1].append(change("ticket_event", "INSERT", detail="x"))
    story.replace(["ticket: INSERT", A], "'op-1'", "'it''s [text]:''a'' b\\c\td' flags[text[]]:'{}'")
    story.write(tmp_path)
    read = list(commits.read(tmp_path / "commits.txt"))
    row = read[1].changes[0].row
    assert (row["customer_ref"], row["area"]) == ("it's [text]:'a' b\\c\td", "28013")
    assert read[1].at - read[0].at == pytest.approx(1)


def test_rows_of_one_table_may_differ_in_shape(tmp_path):
    story = Story()
    story.commit(change("dispatch", "UPDATE", ticket_id=A, state="parked", offers=None),
                 change("dispatch", "UPDATE", ticket_id=B, state="assigned").replace("'assigned'", "unchanged-toast-datum"))
    story.write(tmp_path)
    *_, last = commits.read(tmp_path / "commits.txt")
    assert [c.row for c in last.changes] == [{"ticket_id": A, "state": "parked", "offers": None}, {"ticket_id": B}]
