"""A small model of squad's tables. Every commit is replayed into it, in commit order, and checked at its end.

It knows what must hold, not how squad does it: its rules are states.json and the checks below, each a name.
"""
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

RULES = json.loads((Path(__file__).parent / "states.json").read_text())
LIVE = set(RULES["assignment"]["live"])
TAKEN = set(RULES["assignment"]["taken"])
ASSIGNED = set(RULES["ticket"]["assigned"])
STEP_EVENTS = {r["type"] for r in RULES["events"] if r["of"] != "freed"}


@dataclass
class Event:
    """A committed row of the outbox."""
    id: str
    topic: str
    key: str
    type: str
    payload: str
    seq: int
    commit: int
    at: float


@dataclass
class Assignment:
    id: str
    ticket: str
    expert: int
    state: str
    commit_at: float
    reserved_at: str | None = None
    override: str | None = None  # rules that a manager broke knowingly: the storm has no manager
    reached: set = field(default_factory=set)


class Model:
    def __init__(self):
        self.found = []  # (check, text)
        self.tickets, self.dispatch, self.assignments, self.notices = {}, {}, {}, {}
        self.live_of_ticket, self.live_of_expert = defaultdict(set), Counter()
        self.decided_at = {}  # ticket: when the assigner first gave it to an expert, parked it or left it to a person
        self.offers = {}  # ticket: how many experts may have its offer at once
        self.offers_max = {}  # type: the most that the company allows
        self.available, self.capacity, self.load = {}, {}, {}
        self.skills, self.areas = defaultdict(dict), defaultdict(set)
        self.absences, self.excluded = defaultdict(dict), {}
        self.types = {}
        self.acted_on = set()
        self.events, self.last_seq = [], {}
        self.commits = self.checked_states = 0

    def wrong(self, check, text):
        self.found.append((check, f"{text} (xid {self.commit.xid}, {self.commit.lsn})"))

    def replay(self, commits):
        for commit in commits:
            self.apply(commit)
        return self

    def apply(self, commit):
        self.commit = commit
        self.commits += 1
        self.stored, self.reached, self.told = [], [], []  # tickets; (assignment, state); events
        self.were = {}  # ticket: its state before this commit
        self.new_jobs, self.told_jobs, self.touched, self.moved = [], set(), set(), set()
        self.requested = []  # tickets, or experts, of new notices
        for change in commit.changes:
            handler = getattr(self, "on_" + change.table, None)
            if handler:
                handler(change.verb, change.row)
        self.at_commit()

    # --- one change each ---

    def step(self, entity, what, before, after):
        self.checked_states += 1
        if before is None:
            if after not in RULES[entity]["first"]:
                self.wrong("transition", f"{entity} {what} begins as {after}")
        elif before != after and after not in RULES[entity]["transitions"].get(before, ()):
            self.wrong("transition", f"{entity} {what} goes from {before} to {after}")

    def on_ticket(self, verb, row):
        if verb != "INSERT":
            self.wrong("append-only", f"{verb} of ticket {row.get('id')}")
            return
        self.tickets[row["id"]] = row | {"commit_at": self.commit.at}
        self.stored.append(row["id"])

    def on_outbox(self, verb, row):
        if verb != "INSERT":
            self.wrong("append-only", f"{verb} of outbox row {row.get('id') or row.get('seq')}")
            return
        if int(row["xid"]) & 0xffffffff != self.commit.xid:
            self.wrong("outbox-xid", f"outbox row {row['id']} says transaction {row['xid']}")
        event = Event(row["id"], RULES["topics"].get(row["aggregatetype"], "squad.dead"), row["aggregateid"],
                      row["type"], row["payload"], int(row["seq"]), self.commits, self.commit.at)
        self.events.append(event)
        self.told.append(event)

    def on_dispatch(self, verb, row):
        ticket = row["ticket_id"]
        if verb == "DELETE" or ticket not in self.tickets:
            self.wrong("append-only" if verb == "DELETE" else "unknown-ticket", f"{verb} of dispatch {ticket}")
            return
        if ticket not in self.dispatch and row["state"] != "canceled":
            self.decided_at[ticket] = self.commit.at
        self.step("ticket", ticket, self.dispatch.get(ticket), row["state"])
        self.were.setdefault(ticket, self.dispatch.get(ticket))
        self.check_offers(ticket, row)
        self.dispatch[ticket] = row["state"]
        self.moved.add(ticket)

    def check_offers(self, ticket, row):
        """The assigner writes how many offers there may be; the company has said how many are allowed."""
        offers, most = int(row.get("offers", 1)), self.offers_max.get(self.tickets[ticket]["type"], 1)
        self.offers[ticket] = min(offers, most)
        if offers > most:
            self.wrong("one-expert", f"ticket {ticket} may have {offers} offers, its type {most}")

    def on_assignment(self, verb, row):
        if verb == "DELETE":
            self.wrong("append-only", f"DELETE of assignment {row['id']}")
            return
        job = self.assignments.get(row["id"])
        self.step("assignment", row["id"], job and job.state, row["state"])
        if job is None:
            job = Assignment(row["id"], row["ticket_id"], int(row["expert_id"]), None, self.commit.at,
                             row.get("reserved_at"), row.get("override"))
            self.assignments[job.id] = job
            self.new_jobs.append(job)
        elif (job.ticket, job.expert) != (row["ticket_id"], int(row["expert_id"])):
            self.wrong("append-only", f"assignment {job.id} changes ticket or expert")
        if job.state != row["state"]:
            self.reached.append((job, row["state"]))
            job.reached.add(row["state"])
        self.count_live(job, row["state"])

    def count_live(self, job, state):
        was, now = job.state in LIVE, state in LIVE
        if now and not was:
            self.live_of_ticket[job.ticket].add(job.id)
            self.live_of_expert[job.expert] += 1
        if was and not now:
            self.live_of_ticket[job.ticket].discard(job.id)
            self.live_of_expert[job.expert] -= 1
        job.state = state
        self.touched.add(job.expert)
        self.moved.add(job.ticket)

    def on_notice(self, verb, row):
        if verb == "DELETE":
            self.wrong("append-only", f"DELETE of notice {row['id']}")
            return
        before = self.notices.get(row["id"])
        self.step("notice", row["id"], before and before["state"], row["state"])
        self.notices[row["id"]] = row
        if verb == "INSERT":
            self.requested.append(row["ticket_id"] or row["expert_id"])
            if row.get("message", "offer") == "offer":
                self.told_jobs.add(row["assignment_id"])

    def on_inbox(self, verb, row):
        if verb == "INSERT":
            self.acted_on.add(row["event_id"])

    def on_expert(self, verb, row):
        self.available[int(row["id"])] = (verb != "DELETE" and row["active"] == "true"
                                          and row.get("status", "available") == "available")

    def on_expert_load(self, verb, row):
        expert = int(row["expert_id"])
        if verb != "DELETE":
            self.load[expert], self.capacity[expert] = int(row["load"]), int(row["capacity"])
            self.touched.add(expert)

    def on_expert_skill(self, verb, row):
        if verb == "DELETE":
            self.skills[int(row["expert_id"])].pop(row["skill"], None)
        else:
            self.skills[int(row["expert_id"])][row["skill"]] = int(row["level"])

    def on_expert_area(self, verb, row):
        areas = self.areas[int(row["expert_id"])]
        areas.discard(row["prefix"]) if verb == "DELETE" else areas.add(row["prefix"])

    def on_absence(self, verb, row):
        if verb == "DELETE":
            for of_expert in self.absences.values():
                of_expert.pop(row["id"], None)
        else:
            self.absences[int(row["expert_id"])][row["id"]] = time_range(row["during"])

    def on_exclusion(self, verb, row):
        where = (row["ticket_id"], int(row["expert_id"]))
        if verb == "DELETE":
            self.excluded.pop(where, None)
        else:
            self.excluded[where] = row["until"]

    def on_ticket_type(self, verb, row):
        self.types.pop(row["type"], None) if verb == "DELETE" else self.types.setdefault(row["type"], {})
        self.offers_max[row["type"]] = int(row.get("offers_max", 1))

    def on_ticket_type_skill(self, verb, row):
        if verb == "DELETE":
            self.types[row["type"]].pop(row["skill"], None)
        else:
            self.types[row["type"]][row["skill"]] = int(row["min_level"])

    # --- at the end of each commit ---

    def at_commit(self):
        for ticket in self.moved:
            self.check_one_expert(ticket)
        for expert in self.touched:
            self.check_load(expert)
        for job in self.new_jobs:
            self.check_qualified(job)
            if job.id not in self.told_jobs:
                self.wrong("notice-with-assignment", f"assignment {job.id} is committed without a notice")
        self.check_events()

    def check_one_expert(self, ticket):
        live = self.live_of_ticket[ticket]
        if len(live) > self.offers.get(ticket, 1):
            self.wrong("one-expert", f"ticket {ticket} has {len(live)} live assignments: {sorted(live)}")
        elif len(live) > 1 and any(self.assignments[a].state in TAKEN for a in live):
            self.wrong("one-expert", f"ticket {ticket} is taken and has other live assignments: {sorted(live)}")
        if (self.dispatch.get(ticket) in ASSIGNED) != bool(live):
            self.wrong("dispatch-agrees", f"ticket {ticket} is {self.dispatch.get(ticket)} with {len(live)} live")

    def check_load(self, expert):
        live, load, capacity = self.live_of_expert[expert], self.load.get(expert, 0), self.capacity.get(expert, 0)
        if live > capacity:
            self.wrong("capacity", f"expert {expert} has {live} live assignments and capacity {capacity}")
        if live != load:
            self.wrong("load-counts", f"expert {expert} has {live} live assignments, expert_load says {load}")

    def check_qualified(self, job):
        ticket = self.tickets[job.ticket]
        needs = self.types.get(ticket["type"])
        lacking = [s for s, level in (needs or {}).items() if self.skills[job.expert].get(s, 0) < level]
        excluded_until = self.excluded.get((job.ticket, job.expert), "")
        reason = ("is not active and available" if not self.available.get(job.expert) else
                  f"got the unknown type {ticket['type']}" if needs is None else
                  f"lacks {lacking}" if lacking else
                  "does not serve the area" if not any(ticket["area"].startswith(p) for p in self.areas[job.expert]) else
                  "is absent" if self.absent(job) else
                  "is excluded from it" if excluded_until is None or excluded_until > (job.reserved_at or "") else None)
        if job.override:
            self.wrong("qualified", f"assignment {job.id} breaks the rules {job.override}, and nobody asked for that")
        if reason:
            self.wrong("qualified", f"expert {job.expert} {reason}: ticket {job.ticket}, assignment {job.id}")

    def absent(self, job):
        return any(a <= job.reserved_at < b for a, b in self.absences[job.expert].values())

    def steps(self, rule):
        """(ticket, expert) of the steps of this commit that a rule is about."""
        if rule["of"] == "stored":
            return [(t, None) for t in self.stored]
        if rule["of"] == "notice":
            return [(key, None) for key in self.requested]
        if rule["of"] == "ticket":
            return [(t, None) for t, was in self.were.items()
                    if was in rule["from"] and self.dispatch[t] in rule["to"]]
        return [(job.ticket, job.expert) for job, state in self.reached if state in rule["to"]]

    def check_events(self):
        """Each step has its event in the same transaction, and each event its step. An expert is told to be free
        once however many jobs have ended, and for other reasons too."""
        due, freed = Counter(), set()
        for rule in RULES["events"]:
            topic = RULES["topics"][rule["topic"]]
            for ticket, expert in self.steps(rule):
                if rule["of"] == "freed":
                    freed.add((topic, str(expert), rule["type"]))
                else:
                    due[(topic, ticket, rule["type"])] += 1
        got = Counter((e.topic, e.key, e.type) for e in self.told)
        for what in freed:
            if not got[what]:
                self.wrong("step-with-event", f"{what[2]} of {what[1]} is missing")
        for what, n in due.items():
            if got[what] < n:
                check = "ticket-with-event" if what[2].endswith("created.v1") else "step-with-event"
                self.wrong(check, f"{what[2]} of {what[1]} is missing: {got[what]} of {n}")
        for what, n in got.items():
            if what[2] in STEP_EVENTS and n > due[what]:
                self.wrong("event-with-step", f"{what[2]} of {what[1]} {n} times for {due[what]} steps")
        for e in self.told:
            where = (e.topic, e.key)
            if e.seq <= self.last_seq.get(where, -1):
                self.wrong("outbox-order", f"seq {e.seq} of {e.key} is committed after {self.last_seq[where]}")
            self.last_seq[where] = e.seq


def time_range(text):
    """Ends of a tstzrange as PostgreSQL writes it in UTC: such times compare as text."""
    low, high = text[1:-1].replace('"', "").split(",")
    return low or "", high or "infinity"
