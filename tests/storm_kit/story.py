"""A small good run, written as evidence: two tickets, one of which changes hands. Tests spoil it line by line."""
import json

A, B = "aaaaaaaa-0000-7000-8000-000000000001", "bbbbbbbb-0000-7000-8000-000000000002"
JOBS = {n: f"{n:08d}-1111-4000-8000-000000000000" for n in (1, 2, 3)}
NOTICES = {n: f"{n:08d}-2222-4000-8000-000000000000" for n in (1, 2, 3)}
JOB_OF = {1: (A, 1), 2: (A, 2), 3: (B, 1)}  # job: ticket, expert
REFS = {A: "AAAAA-AAAAA", B: "BBBBB-BBBBB"}


def column(name, kind, value):
    shown = "null" if value is None else str(value) if kind in ("integer", "bigint", "xid8", "boolean") else \
        "'" + str(value).replace("'", "''") + "'"
    return f"{name}[{kind}]:{shown}"


def change(table, verb, **columns):
    kinds = {"expert_id": "integer", "id": "uuid", "load": "integer", "capacity": "integer", "seq": "bigint",
             "xid": "xid8", "active": "boolean", "level": "smallint", "min_level": "smallint"}
    if table == "expert":
        kinds["id"] = "integer"
    kinds |= {"level": "integer", "min_level": "integer"}
    return f"table squad.{table}: {verb}: " + " ".join(
        column(k, kinds.get(k, "character varying(9)" if k == "state" else "text"), v) for k, v in columns.items())


class Story:
    def __init__(self, kept=False):
        """kept: the second ticket is one of the desk's, whose expert keeps the offer."""
        self.kept = kept
        self.transactions, self.history, self.hooks, self.run = [], [], [], []
        self.records, self.seq = [], 0
        self.xids = {}  # of the transactions that belong to the story
        self.verify = dict.fromkeys(("lost", "duplicated", "reordered", "phantom", "double_assigned", "overloaded",
                                     "wrong_expert", "unnotified", "stuck", "missing_acks"), 0)
        self.facts = {"drained_s": 1.0, "drain_limit_s": 60, "left": {}, "stats": {},
                      "resources": {"relay": {"rss_kib": 1, "descriptors": 1, "threads": 1, "samples": 9}},
                      "limits": {"relay": {"rss_kib": 9, "descriptors": 9, "threads": 9}}}
        self.tell()

    def event(self, topic, key, kind, at):
        self.seq += 1
        event_id = f"{self.seq:08d}-3333-4000-8000-000000000000"
        payload = json.dumps({"n": self.seq, "text": "it's"})
        self.records.append({"t": at, "topic": {"ticket": "squad.tickets", "expert": "squad.experts",
                                                "notice": "squad.notices"}[topic], "partition": 0,
                             "offset": self.seq, "key": key, "id": event_id, "type": kind, "poison": None,
                             "value": payload})
        return change("outbox_000000", "INSERT", seq=self.seq, id=event_id, aggregatetype=topic, aggregateid=key,
                      type=kind, payload=payload, xid=len(self.transactions) + 100)

    def commit(self, *changes):
        self.transactions.append(list(changes))
        self.xids[id(self.transactions[-1])] = len(self.transactions) + 99

    def tell(self):
        self.commit(change("ticket_type", "INSERT", type="tv", title="tv"),
                    change("ticket_type_skill", "INSERT", type="tv", skill="tv", min_level=2),
                    change("ticket_type", "INSERT", type="survey", title="survey"),
                    change("ticket_type_skill", "INSERT", type="survey", skill="tv", min_level=1),
                    *(c for e in (1, 2) for c in (
                        change("expert", "INSERT", id=e, active="true"),
                        change("expert_skill", "INSERT", expert_id=e, skill="tv", level=2),
                        change("expert_area", "INSERT", expert_id=e, prefix="280"),
                        change("expert_load", "INSERT", expert_id=e, load=0, capacity=1))))
        for n, (ticket, marker) in enumerate(((A, "op-1"), (B, "op-2"))):
            self.history.append({"e": "invoke", "op": n + 1, "copy": 0, "kind": "new", "key": f"k{n}",
                                 "customer_ref": marker, "type": self.type_of(ticket), "area": "28013", "t": 1.0})
            self.commit(change("ticket", "INSERT", id=ticket, ref=REFS[ticket], customer_ref=marker,
                               type=self.type_of(ticket), area="28013"),
                        self.event("ticket", ticket, "squad.ticket.created.v1", 1.1))
            self.commit(change("inbox", "INSERT", consumer="assigner", event_id=self.records[-1]["id"]))
            self.history.append({"e": "ok", "op": n + 1, "copy": 0, "kind": "new", "key": f"k{n}", "status": 201,
                                 "id": ticket, "ref": REFS[ticket], "created_at": "x", "t": 1.2})
        self.history += [
            {"e": "invoke", "op": 3, "copy": 0, "kind": "invalid", "key": "k3", "customer_ref": "op-3", "t": 2.0},
            {"e": "failed", "op": 3, "copy": 0, "kind": "invalid", "key": "k3", "status": 422, "answer": "", "t": 2.1},
            {"e": "read", "op": 4, "ref": REFS[A], "status": 200, "answer_ref": REFS[A], "t": 2.2}]
        self.reserve(1)
        self.end(1, "undeliverable", "undeliverable", "parked", "squad.ticket.requeued.v1")
        self.reserve(2)
        self.deliver(2)
        self.complete(2)
        self.reserve(3)
        self.deliver(3)
        if not self.kept:
            self.complete(3)

    def type_of(self, ticket):
        return "survey" if self.kept and ticket == B else "tv"

    def reserve(self, n):
        ticket, expert = JOB_OF[n]
        first = n != 2
        self.commit(change("dispatch", "INSERT" if first else "UPDATE", ticket_id=ticket, state="assigned"),
                    change("expert_load", "UPDATE", expert_id=expert, load=1, capacity=1),
                    change("assignment", "INSERT", id=JOBS[n], ticket_id=ticket, expert_id=expert, state="reserved"),
                    change("notice", "INSERT", id=NOTICES[n], assignment_id=JOBS[n], ticket_id=ticket, state="pending"),
                    self.event("ticket", ticket, "squad.ticket.reserved.v1", 3.0),
                    self.event("notice", ticket, "squad.notice.requested.v1", 3.0))
        self.commit(change("notice", "UPDATE", id=NOTICES[n], assignment_id=JOBS[n], state="sending"))
        self.hook(n, 3.5, 204 if n != 1 else 500)

    def hook(self, n, t, status):
        ticket, expert = JOB_OF[n]
        self.hooks.append({"t": t, "sent": int(t), "expert": expert, "webhook_id": NOTICES[n], "assignment": JOBS[n],
                           "ticket": ticket, "type": "offer", "body_expert": expert, "signed": True, "mode": "well",
                           "status": status, "processed": status == 204, "first": status == 204, "digest": str(n)})

    def deliver(self, n):
        ticket, expert = JOB_OF[n]
        self.commit(change("notice", "UPDATE", id=NOTICES[n], assignment_id=JOBS[n], state="delivered"),
                    change("assignment", "UPDATE", id=JOBS[n], ticket_id=ticket, expert_id=expert, state="offered"),
                    self.event("ticket", ticket, "squad.ticket.offered.v1", 4.0))

    def complete(self, n):
        self.end(n, None, "completed", "completed", "squad.ticket.completed.v1")
        self.history.append({"e": "step", "job": JOBS[n], "step": "complete", "attempt": 1, "status": 200, "t": 5.0})

    def end(self, n, notice, state, ticket_state, kind):
        ticket, expert = JOB_OF[n]
        notice = [change("notice", "UPDATE", id=NOTICES[n], assignment_id=JOBS[n], state=notice)] if notice else []
        self.commit(*notice,
                    change("assignment", "UPDATE", id=JOBS[n], ticket_id=ticket, expert_id=expert, state=state),
                    change("expert_load", "UPDATE", expert_id=expert, load=0, capacity=1),
                    change("dispatch", "UPDATE", ticket_id=ticket, state=ticket_state),
                    self.event("ticket", ticket, kind, 5.0),
                    self.event("expert", str(expert), "squad.expert.freed.v1", 5.0))

    # --- spoiling ---

    def drop(self, *words):
        """Drops the first change that contains all the words."""
        for t in self.transactions:
            for c in t:
                if all(w in c for w in words):
                    t.remove(c)
                    return c
        raise AssertionError(f"no change contains {words}")

    def replace(self, words, old, new):
        """Changes the first change that contains all the words."""
        for t in self.transactions:
            for i, c in enumerate(t):
                if all(w in c for w in words):
                    assert old in c
                    t[i] = c.replace(old, new)
                    return
        raise AssertionError(f"no change contains {words}")

    def write(self, directory):
        with open(directory / "commits.txt", "w") as f:
            for n, changes in enumerate(self.transactions):
                xid = self.xids.get(id(changes), 900 + n)
                lines = [f"BEGIN {xid}", *changes, f"COMMIT {xid} (at 2026-11-24 12:00:{n:02d}.5+00)"]
                for line in lines:
                    line = line.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
                    f.write(f"0/{n:X}\t{xid}\t{line}\n")
        for name, lines in (("history", self.history), ("hooks", self.hooks), ("run", self.run)):
            (directory / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        for name in ("committed", "uncommitted", "live"):
            records = getattr(self, name, self.records)
            (directory / f"{name}.jsonl").write_text("".join(json.dumps(r, separators=(",", ":")) + "\n" for r in records))
        (directory / "verify.json").write_text(json.dumps(self.verify))
        (directory / "facts.json").write_text(json.dumps(self.facts))
