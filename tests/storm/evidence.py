"""What a run has left behind, read when a check asks for it.

commits.txt (what PostgreSQL committed), history.jsonl (clients and experts), hooks.jsonl (receivers),
committed.jsonl, uncommitted.jsonl and live.jsonl (three readers of Kafka), run.jsonl (what the runner did),
verify.json (squad's own opinion), facts.json.
"""
import json
from collections import defaultdict
from functools import cached_property
from pathlib import Path

import ujson

from . import commits
from .model import Model

EXPLAINED_FOR_S = 15.0  # a fault explains repeats until so long after its end
BARRIER = "squad.relay.barrier.v1"


def read_lines(path):
    with open(path, "rb") as f:
        return [ujson.loads(line) for line in f if line.endswith(b"\n")]


class Evidence:
    def __init__(self, directory):
        self.dir = Path(directory)

    @cached_property
    def model(self):
        return Model().replay(commits.read(self.dir / "commits.txt"))

    @cached_property
    def history(self):
        return read_lines(self.dir / "history.jsonl")

    @cached_property
    def uncommitted(self):
        return self.records("uncommitted")

    @cached_property
    def live(self):
        return self.records("live")

    @cached_property
    def poison(self):
        """Records that the storm itself put there."""
        return [r for r in read_lines(self.dir / "committed.jsonl") if r["poison"]]

    @cached_property
    def deliveries(self):
        return read_lines(self.dir / "hooks.jsonl")

    @cached_property
    def hooks(self):
        return [h for h in self.deliveries if "trap" not in h]

    @cached_property
    def run(self):
        return read_lines(self.dir / "run.jsonl")

    @cached_property
    def facts(self):
        return json.loads((self.dir / "facts.json").read_text())

    @cached_property
    def verify(self):
        return json.loads((self.dir / "verify.json").read_text())

    def records(self, name):
        """Records of a reader without what the storm itself put there and without the relay's barriers."""
        return [r for r in read_lines(self.dir / f"{name}.jsonl") if not r["poison"] and r["type"] != BARRIER]

    @cached_property
    def committed(self):
        return self.records("committed")

    @cached_property
    def sent_again(self):
        """Ids of events that an aborted barrier has taken with it and the relay has sent again: the record is there twice
        in its partition, first aborted, then committed, and the barrier between them (docs/design.md)."""
        visible = {(r["topic"], r["partition"], r["offset"]) for r in read_lines(self.dir / "committed.jsonl")}
        barriers, aborted = defaultdict(list), defaultdict(list)
        for r in read_lines(self.dir / "uncommitted.jsonl"):
            where = r["topic"], r["partition"]
            if (*where, r["offset"]) not in visible:
                if r["type"] == BARRIER:
                    barriers[where].append(r["offset"])
                else:
                    aborted[*where, r["id"]].append(r["offset"])
        return {r["id"] for r in self.committed
                for first in aborted.get((r["topic"], r["partition"], r["id"]), ())
                if any(first < b < r["offset"] for b in barriers[r["topic"], r["partition"]])}

    @cached_property
    def acknowledged(self):
        """{key: [answers]} of posts with 2xx."""
        answers = defaultdict(list)
        for line in self.history:
            if line["e"] == "ok":
                answers[line["key"]].append(line)
        return answers

    @cached_property
    def asked(self):
        """{(operation, copy): what was posted}."""
        return {(line["op"], line["copy"]): line for line in self.history if line["e"] == "invoke"}

    @cached_property
    def by_marker(self):
        """{customer_ref: [tickets]}: each key's body names its operation."""
        tickets = defaultdict(list)
        for t in self.model.tickets.values():
            tickets[t["customer_ref"]].append(t)
        return tickets

    @cached_property
    def faults(self):
        return [line for line in self.run if line["e"] == "fault"]

    def explained(self, t0, t1, touches):
        """True when a fault that touches one of these was under way between the two times."""
        return any(f["t0"] <= t1 and t0 <= f["t1"] + EXPLAINED_FOR_S and touches & set(f["touches"])
                   for f in self.faults)
