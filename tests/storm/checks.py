"""The checks on a run's evidence. Each is a function with a name; what it yields is wrong."""
import traceback
from collections import Counter, defaultdict

from .evidence import Evidence
from .model import LIVE, RULES

CHECKS = {}
TOO_LATE_S = 3.0  # from the second in which a notice was sent to its answer; the notifier waits for 4 s
CREATED = "squad.ticket.created.v1"
SKIPS = "offsets-skipped-assigner"  # the fault after which events are not brought to the assigner


def check(name):
    def register(function):
        CHECKS[name] = function
        return function
    return register


# --- the clients' history ---

@check("lost")
def acknowledged_tickets_are_stored(ev):
    """And as they were asked for: an answer may name a ticket that is stored and is another one's."""
    for key, answers in ev.acknowledged.items():
        for answer in answers:
            ticket, asked = ev.model.tickets.get(answer["id"]), ev.asked[answer["op"], answer["copy"]]
            if ticket is None:
                yield f"{key} was answered {answer['status']} with {answer['ref']}, which is not stored"
            elif ticket["ref"] != answer["ref"]:
                yield f"{key} was answered {answer['ref']}, stored is {ticket['ref']}"
            else:
                for what in ("customer_ref", "type", "area"):
                    if ticket[what] != asked[what]:
                        yield f"{key} asked for {what} {asked[what]}, its ticket {ticket['ref']} has {ticket[what]}"


@check("equal-answers")
def one_key_has_one_answer(ev):
    for key, answers in ev.acknowledged.items():
        if len({(a["id"], a["ref"], a["created_at"]) for a in answers}) > 1:
            yield f"{key} was answered {sorted({a['ref'] for a in answers})}"


@check("one-key-one-ticket")
def one_key_makes_one_ticket(ev):
    for marker, tickets in ev.by_marker.items():
        if len(tickets) > 1:
            yield f"{marker} made {len(tickets)} tickets: {[t['ref'] for t in tickets]}"


@check("unexpected")
def every_ticket_was_posted(ev):
    posted = {line["customer_ref"] for line in ev.history if line["e"] == "invoke"}
    for marker, tickets in ev.by_marker.items():
        if marker not in posted:
            yield f"ticket {tickets[0]['ref']} of {marker} was posted by nobody"


@check("refused-yet-stored")
def refused_requests_leave_no_ticket(ev):
    refused = {(line["op"], line["copy"]): line for line in ev.history if line["e"] == "failed"}
    for op, line in refused.items():
        marker = ev.asked[op]["customer_ref"]
        if ev.by_marker.get(marker):
            yield f"{marker} ({line['kind']}) was answered {line['status']} and is stored"


@check("answers")
def answers_are_what_the_request_deserves(ev):
    for line in ev.history:
        if line["e"] == "failed" and line["kind"] not in ("invalid", "other_body"):
            yield f"a good request ({line['kind']}, {line['key']}) was refused: {line['status']} {line['answer']}"
        elif line["e"] == "ok" and line["kind"] in ("invalid", "other_body"):
            yield f"a bad request ({line['kind']}, {line['key']}) was accepted: {line['ref']}"
        elif line["e"] == "failed" and line["status"] != 422:
            yield f"a bad request ({line['kind']}, {line['key']}) was answered {line['status']}, not 422"
        elif line["e"] == "read" and (line["status"] != 200 or line["answer_ref"] != line["ref"]):
            yield f"reading {line['ref']} gave {line['status']} {line['answer_ref']}"


@check("certain")
def every_request_gets_a_certain_answer(ev):
    answered = {(line["op"], line["copy"]) for line in ev.history if line["e"] in ("ok", "failed")}
    for op in ev.asked.keys() - answered:
        line = ev.asked[op]
        yield f"{line['kind']} {line['key']} was never answered for certain"


# What a step that was answered 200 has left behind: the assignment was in one of these states.
DONE_BY = {"accept": {"accepted", "en_route", "on_site", "completed"}, "decline": {"declined"},
           "en-route": {"en_route", "on_site", "completed"}, "arrived": {"on_site", "completed"},
           "complete": {"completed"}}


@check("experts")
def what_experts_were_told_is_true(ev):
    for line in ev.history:
        if line["e"] != "step" or line["step"] == "silent":
            continue
        step, status, job = line["step"], line["status"], ev.model.assignments.get(line["job"])
        said = f"{step} of assignment {line['job']} was answered {status}"
        if job is None or status not in (200, 404, 409):
            yield f"{said} and it is {job and job.state}"
        elif status == 200 and not DONE_BY[step] & job.reached:
            yield f"{said} and it has been {sorted(job.reached)}"
        elif status == 404 and step in ("accept", "decline", "complete"):
            yield f"{said} and it is {job.state}"
        elif status == 409 and job.state in RULES["assignment"]["done"] and step != "decline":
            yield f"{said} and it is {job.state}"


@check("canceled")
def canceled_tickets_stay_canceled(ev):
    of_ref = {t["ref"]: t["id"] for t in ev.model.tickets.values()}
    for line in ev.history:
        if line["e"] != "canceled":
            continue
        state = ev.model.dispatch.get(of_ref.get(line["ref"]))
        if line["status"] not in (200, 409):
            yield f"calling {line['ref']} off was answered {line['status']} {line['answer']}"
        elif (line["status"] == 200) != (state == "canceled"):
            yield f"calling {line['ref']} off was answered {line['status']} and it is {state}"


# --- every commit ---

MODEL_CHECKS = ("transition", "append-only", "unknown-ticket", "one-expert", "dispatch-agrees", "capacity",
                "load-counts", "qualified", "notice-with-assignment", "ticket-with-event", "step-with-event",
                "event-with-step", "outbox-order", "outbox-xid")


def model_check(name):
    @check(name)
    def of_the_model(ev):
        return (text for found, text in ev.model.found if found == name)


for name in MODEL_CHECKS:
    model_check(name)


@check("all-done")
def everything_is_done_at_the_end(ev):
    """The desk keeps its offers: there each assignment is where the expert's own steps have left it."""
    m, rules = ev.model, RULES
    kept_types, done = set(rules["ticket"]["kept_types"]), defaultdict(set)
    for line in ev.history:
        if line["e"] == "step" and line["status"] == 200:
            done[line["job"]].add(line["step"])
    for ticket, row in m.tickets.items():
        state = m.dispatch.get(ticket, "not seen")
        kept = row["type"] in kept_types and state in rules["ticket"]["assigned"]
        if not kept and state not in rules["ticket"]["last"]:
            yield f"ticket {row['ref']} is {state} at the end"
    for job in m.assignments.values():
        if m.tickets[job.ticket]["type"] not in kept_types:
            if job.state not in rules["assignment"]["last"]:
                yield f"assignment {job.id} is {job.state} at the end"
        elif job.state in LIVE:
            left = "accepted" if "accept" in done[job.id] else "offered"
            if job.state != left or "complete" in done[job.id]:
                yield f"assignment {job.id} is {job.state} at the end, its expert did {sorted(done[job.id])}"
        elif job.state == "completed" and "complete" not in done[job.id]:
            yield f"assignment {job.id} is completed, its expert did {sorted(done[job.id])}"
    for notice_id, notice in m.notices.items():
        if notice["state"] not in rules["notice"]["last"]:
            yield f"notice {notice_id} is {notice['state']} at the end"


# --- Kafka ---

@check("event-lost")
def every_committed_event_is_published(ev):
    seen = {r["id"] for r in ev.committed}
    for e in ev.model.events:
        if e.id not in seen:
            yield f"{e.type} {e.id} of {e.key} (seq {e.seq}) is not in {e.topic}"


@check("event-duplicated")
def no_event_is_published_twice(ev):
    counts = Counter(r["id"] for r in ev.committed)
    twice = {i for i, n in counts.items() if n > 1 and i}
    places = defaultdict(list)
    for r in ev.committed:
        if r["id"] in twice:
            places[r["id"]].append(f"{r['topic']}[{r['partition']}]@{r['offset']}")
    for i, where in places.items():
        yield f"event {i} is there {len(where)} times: {where}"


@check("event-reordered")
def events_of_a_key_are_in_commit_order(ev):
    place = {e.id: (e.commit, e.seq) for e in ev.model.events}
    last = {}
    for r in ev.committed:
        at = place.get(r["id"])
        if at is None:
            continue
        where = (r["topic"], r["partition"], r["key"])
        if at < last.get(where, (at, None))[0]:
            yield f"{r['type']} of {r['key']} comes after a later event, {last[where][1]} ({r['topic']}@{r['offset']})"
        last[where] = max(last.get(where, (at, r["type"])), (at, r["type"]))
    parts = defaultdict(set)
    for r in ev.committed:
        parts[r["topic"], r["key"]].add(r["partition"])
    for (topic, key), where in parts.items():
        if len(where) > 1:
            yield f"events of {key} are in several partitions of {topic}: {sorted(where)}"


@check("event-phantom")
def nothing_is_published_that_was_not_committed(ev):
    events = {e.id for e in ev.model.events}
    for r in ev.committed:
        if r["id"] not in events:
            yield f"{r['type']} {r['id']} in {r['topic']}[{r['partition']}]@{r['offset']} was never committed"


@check("event-content")
def events_are_published_as_they_were_written(ev):
    events = {e.id: e for e in ev.model.events}
    for r in ev.committed:
        e = events.get(r["id"])
        if e and (e.topic, e.key, e.type, e.payload) != (r["topic"], r["key"], r["type"], r["value"]):
            yield f"event {e.id} was written as {e.topic} {e.key} {e.type}, published as {r['topic']} {r['key']} {r['type']}"


@check("uncommitted-phantom")
def not_even_an_aborted_transaction_holds_what_was_not_committed(ev):
    events = {e.id for e in ev.model.events}
    for r in ev.uncommitted:
        if r["id"] not in events:
            yield f"{r['type']} {r['id']} in {r['topic']}[{r['partition']}]@{r['offset']} was never committed"


@check("readers-agree")
def who_reads_everything_sees_what_is_committed_too(ev):
    """Else the reader of uncommitted records has not read to the end, and the check above has seen a part."""
    seen = {(r["topic"], r["partition"], r["offset"]) for r in ev.uncommitted}
    for r in ev.committed:
        if (r["topic"], r["partition"], r["offset"]) not in seen:
            yield f"{r['topic']}[{r['partition']}]@{r['offset']} was read committed and not seen uncommitted"


@check("acted-on-nothing")
def consumers_act_on_what_was_committed(ev):
    known = {e.id for e in ev.model.events}
    known |= {r["id"] for r in ev.poison}
    for event in ev.model.acted_on - known:
        yield f"a consumer acted on event {event}, which nobody has committed"


@check("not-acted-on")
def every_ticket_is_brought_to_the_assigner_by_its_event(ev):
    skipped_to = max((f["t1"] for f in ev.faults if f["id"] == SKIPS), default=0)
    for e in ev.model.events:
        if e.type == CREATED and e.at > skipped_to and e.id not in ev.model.acted_on:
            yield f"{e.type} {e.id} of {e.key} was never acted on"


@check("live-reader")
def a_reader_that_was_there_all_the_time_saw_the_same(ev):
    def places(records):
        return {(r["topic"], r["partition"], r["offset"]): r["id"] for r in records}
    live, later = places(ev.live), places(ev.committed)
    for where in live.keys() - later.keys():
        yield f"the live reader saw {live[where]} at {where}, which is not there at the end"
    for where in later.keys() - live.keys():
        yield f"the live reader did not see {later[where]} at {where}"


# --- the experts ---

@check("not-notified")
def every_assignment_was_notified(ev):
    told = {h["assignment"] for h in ev.hooks if h["processed"] and h["type"] == "offer"}
    for job in ev.model.assignments.values():
        if job.state in RULES["assignment"]["done"] + RULES["assignment"]["notified"] and job.id not in told:
            yield f"assignment {job.id} is {job.state} and expert {job.expert} was never told"
    delivered = {h["webhook_id"] for h in ev.hooks if h["status"] and 200 <= h["status"] < 300}
    for notice_id, notice in ev.model.notices.items():
        if notice["state"] == "delivered" and notice_id not in delivered:
            yield f"notice {notice_id} counts as delivered and no receiver answered it 2xx"


@check("wrong-recipient")
def each_notice_goes_to_its_expert(ev):
    for h in ev.hooks:
        job = ev.model.assignments.get(h["assignment"])
        if h["type"] == "break":
            if h["body_expert"] != h["expert"]:
                yield f"the break of expert {h['body_expert']} was told to expert {h['expert']}"
        elif job is None:
            yield f"expert {h['expert']} was told of assignment {h['assignment']}, which was never committed"
        elif (job.expert, job.ticket) != (h["expert"], h["ticket"]) or h["body_expert"] != h["expert"]:
            yield f"assignment {job.id} of expert {job.expert} was told to expert {h['expert']}"
        if not h["signed"]:
            yield f"the delivery {h['webhook_id']} to expert {h['expert']} is not signed"


@check("redirect-followed")
def no_redirect_is_followed(ev):
    for h in ev.deliveries:
        if "trap" in h:
            yield f"a redirect to a loopback address was followed: {h['trap']}"


@check("notice-duplicated")
def no_expert_is_told_twice_in_effect(ev):
    first = Counter((h["assignment"], h["type"]) for h in ev.hooks if h["first"] and h["type"] in ("offer", "over"))
    for (job, message), n in first.items():
        if n > 1:
            yield f"{message} of assignment {job} was processed {n} times under different webhook-ids"
    digests = defaultdict(set)
    for h in ev.hooks:
        digests[h["webhook_id"]].add((h["digest"], h["expert"]))
    for webhook_id, seen in digests.items():
        if len(seen) > 1:
            yield f"webhook-id {webhook_id} came with {len(seen)} different contents"


@check("notice-repeated")
def a_notice_that_was_answered_well_is_repeated_only_where_a_fault_explains_it(ev):
    """Or the busy machine: when the receiver got round to it, nobody waited for its answer any more."""
    well = {}
    for h in ev.hooks:
        before = well.get(h["webhook_id"])
        if before and not ev.explained(before, h["t"], {"notifier", "postgres", "hooks"}):
            yield f"{h['webhook_id']} came again {h['t'] - before:.2f} s after a good answer and no fault explains it"
        if h["status"] and 200 <= h["status"] < 300 and h["t"] - (h["sent"] or h["t"]) < TOO_LATE_S:
            well[h["webhook_id"]] = h["t"]


# --- the programs ---

@check("verify")
def squad_verify_agrees(ev):
    """verify reports the storm's own poison as phantoms, and what a consumer noted as seen of it, and nothing else."""
    poison = len(ev.poison) + len(ev.model.acted_on & {r["id"] for r in ev.poison})
    counts = {k: ev.verify.get(k) for k in ("lost", "duplicated", "reordered", "phantom", "double_assigned",
                                            "overloaded", "wrong_expert", "unnotified", "stuck", "missing_acks")}
    # Records without an id are phantoms of the id zero each; counted as duplicates they must not be.
    for name, n in counts.items():
        if n is None:
            yield f"squad verify says nothing of {name}: {ev.verify}"
        elif n != (poison if name == "phantom" else 0):
            yield f"squad verify found {name} {n}: {ev.verify.get('stderr', '')[-300:]}"


@check("exits")
def no_program_ends_by_itself(ev):
    """But with the codes that a fault which was under way allows."""
    for line in ev.run:
        if line["e"] == "exit" and not line["expected"]:
            yield f"{line['program']} ended by itself with {line['code']}: {line['last_line']}"


@check("stops")
def every_program_stops_when_asked(ev):
    for line in ev.run:
        if line["e"] == "stopped" and line["code"] != 0:
            yield f"{line['program']} ended with {line['code']} after TERM, in {line['took_s']:.1f} s"


@check("drained")
def the_backlog_drains_in_time(ev):
    if ev.facts["drained_s"] is None or ev.facts["drained_s"] > ev.facts["drain_limit_s"]:
        yield f"not drained within {ev.facts['drain_limit_s']} s: {ev.facts['left']}"


@check("resources")
def resources_are_bounded(ev):
    for kind, most in ev.facts["resources"].items():
        if not most["samples"]:
            yield f"{kind} was never looked at"
        for what, limit in ev.facts["limits"][kind].items():
            if most[what] > limit:
                yield f"{kind} used {most[what]} {what}, more than {limit}"


@check("late-decision")
def a_late_decision_is_refused(ev):
    """Of an EndTxn that came after the next transaction had begun (KAFKA-17754)."""
    for f in ev.faults:
        if f["id"] == "endtxn-late" and f.get("answer") in (None, "NONE"):
            yield f"the broker answered {f.get('answer')} to a commit of {f.get('transaction')} that came late"


@check("storm")
def the_storm_itself_worked(ev):
    for line in ev.run:
        if line["e"] == "broken":
            yield f"{line['what']}: {line['why']}"
    if not ev.acknowledged:
        yield "no ticket was acknowledged"


def run_all(directory):
    """{check: [findings]} of the checks that failed. A check that can not run has failed."""
    ev, failed = Evidence(directory), {}
    if not (ev.dir / "facts.json").exists():
        return {"storm": [f"{line['what']}: {line['why']}" for line in ev.run if line["e"] == "broken"]
                or ["the run did not come to its end"]}, ev
    for name, function in CHECKS.items():
        try:
            found = list(function(ev))
        except Exception:
            found = [f"the check could not run: {traceback.format_exc()[-1500:]}"]
        if found:
            failed[name] = found
    return failed, ev
