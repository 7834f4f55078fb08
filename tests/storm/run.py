"""One run: stack, load, faults, heal, drain, evidence, checks."""
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

import psycopg

from . import campaign, checks, commits, company, faults, recovery
from .control import Remote
from .evidence import read_lines
from .resources import Sampler
from .stack import HERE, PROGRAMS, Stack, kind_of, services

TRIES_MAX, QUICK_TRIES_MAX = 3, 12  # of a fault that can not be done just now; a quick storm is to have them all
FAULT_LIMIT_S = 240  # inject, hold and heal of one fault
DRAIN_WAIT_S = 240  # how long is looked on when the limit is broken, to tell late from never
READ_LIMIT_S = 300  # of all topics, by the readers of the end
EXPECTED_FAULT_S = 2.6  # mean time of a lane per fault: sets the pace of the load
WORK_S = (0.05, 0.5)
DESK_SHARE = 0.94
LIMITS = {"intake": {"rss_kib": 64 << 10, "descriptors": 512, "threads": 8},
          "relay": {"rss_kib": 96 << 10, "descriptors": 96, "threads": 40},
          "assigner": {"rss_kib": 96 << 10, "descriptors": 96, "threads": 40},
          "notifier": {"rss_kib": 64 << 10, "descriptors": 256, "threads": 40}}


class Storm:
    def __init__(self, options):
        self.o = options
        root = HERE / "build" / "storm"
        root.mkdir(parents=True, exist_ok=True)
        self.dir = root / f"{options.seed}-{time.strftime('%H%M%S')}-{os.getpid()}"
        self.dir.mkdir()
        self.notes = open(self.dir / "run.jsonl", "a")
        self.notes_guard = threading.Lock()
        self.build = Path(options.build).resolve()
        self.stack = Stack(self.dir, self.build / "bin", self.note, self.o.arguments)
        self.world = None
        self.allowed_exits = Counter()  # (kind, code) that a fault which is under way accounts for
        self.active, self.lane_guard = set(), threading.Condition()
        self.counts, self.aimed_hits, self.not_done = Counter(), Counter(), Counter()
        self.drained_s, self.skipped_to = None, 0.0

    def note(self, event, **facts):
        if event == "end":
            self.note_end(**facts)
            return
        with self.notes_guard:
            self.notes.write(json.dumps({"e": event, "t": round(time.time(), 4)} | facts) + "\n")
            self.notes.flush()

    def note_end(self, program, pid, code):
        kept = self.stack.kept[program]
        if kind_of(program) in PROGRAMS:
            expected = self.expects(program, pid, code, kept.tail(3))
        else:
            expected = bool(self.stack.signalled[pid]) or program in self.active or kept.held
        self.note("exit", program=program, pid=pid, code=code, expected=expected, last_line=kept.tail(1)[-400:])

    def expects(self, program, pid, code, last_lines):
        """-9: killed by a fault, or at a crash point, as its last words say; 0, 8, -15: asked to stop by one; 8 also
        when a Kafka client does not close, which librdkafka can; others when a fault said so."""
        sent = self.stack.signalled[pid]
        if code == -signal.SIGKILL:
            return signal.SIGKILL in sent or 'msg="crash point"' in last_lines and "signal=KILL" in last_lines
        if code == 8 and "Kafka client does not close" in last_lines:
            return True
        return (code in (0, 8, -signal.SIGTERM) and signal.SIGTERM in sent
                or self.allowed_exits[kind_of(program), code] > 0)

    def allow_exit(self, kind, code):
        self.allowed_exits[kind, code] += 1

    def disallow_exit(self, kind, code):
        self.allowed_exits[kind, code] -= 1

    # --- the run ---

    def run(self):
        self.storm()
        return judge(self.dir, self.o.keep)

    def storm(self):
        """Everything but the checks: afterwards the evidence is in the directory."""
        started = time.monotonic()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is stopped all the same
        try:
            self.set_up()
            self.load_and_faults()
            self.heal_and_drain()
            self.collect()
        except Exception:
            self.note("broken", what="the run", why=traceback.format_exc())
            print(traceback.format_exc(), flush=True)
        finally:
            self.stack.down()
            (self.dir / "summary.json").write_text(json.dumps(self.summary(started)))
            self.notes.close()

    def phase(self, name):
        self.note("phase", name=name)

    def set_up(self):
        self.stack.up()
        with self.stack.db() as db:
            db.execute("SELECT pg_create_logical_replication_slot('storm', 'test_decoding')")
            company.make(db, self.stack, self.o.seed)
            if self.o.sql:
                db.execute(self.o.sql.read_text())
        config = {"seed": self.o.seed, "tickets": self.o.tickets, "experts": company.LAST, "workers": company.EXPERTS,
                  "work_s": WORK_S, "desk_share": self.o.desk_share, "flood": self.o.flood,
                  "intake_ports": [self.stack.port["intake-1-http"]], "api_key": self.stack.api_key,
                  "webhook_secret": self.stack.webhook_secret, "receiver_port": self.stack.port["hooks-server"],
                  "trap_port": self.stack.port["hooks"], "control_port": self.stack.port["world"],
                  "history": str(self.dir / "history.jsonl"), "hooks": str(self.dir / "hooks.jsonl")}
        (self.dir / "world.json").write_text(json.dumps(config))
        self.stack.start_helper("world", "storm.world", [self.dir / "world.json"])
        self.stack.start_helper("watch", "storm.watch",
                                [self.stack.kafka_address(), "read_committed", self.dir / "live.jsonl"])
        self.world = Remote(self.stack.port["world"])
        self.stack.programs_up()
        self.sampler = Sampler(self.stack).start()

    def load_and_faults(self):
        ids = faults.chosen(self.o.only, self.build)
        if not ids and self.o.faults:
            raise RuntimeError(f"no fault is called {self.o.only}")
        plan = self.plan(ids)
        (self.dir / "schedule.json").write_text(json.dumps([vars(p) for p in plan], indent=1))
        rate = max(50.0, self.o.tickets / max(10.0, len(plan) * EXPECTED_FAULT_S / self.o.lanes))
        self.world.call("start", rate=self.o.rate_max if self.o.flood else min(rate, self.o.rate_max))
        self.changes = company.Changes(self.stack, self.o.seed).start()
        time.sleep(1.0)
        alone, to_the_end, self.todo = [], [], []
        for p in plan:
            cls = faults.REGISTRY[p.id]
            (alone if cls.alone else to_the_end if cls.until_end else self.todo).append(Todo(p, cls))
        for todo in alone:
            self.one_fault(todo, last=True)
        self.phase("lanes")
        lasting = [event for event in (self.begin(todo, last=True) for todo in to_the_end) if event]
        lanes = [threading.Thread(target=self.lane) for _ in range(self.o.lanes)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        for event in lasting:
            self.end(event)

    def plan(self, ids):
        if self.o.quick:
            return faults.each_once(self.o.seed, ids)
        if self.o.schedule:
            return [faults.Planned(**p) for p in json.loads(self.o.schedule.read_text())]
        return faults.plan(self.o.seed, self.o.faults, ids)

    def lane(self):
        while True:
            with self.lane_guard:
                while not (mine := self.next_free()):
                    if not self.todo and not self.active:
                        return
                    self.lane_guard.wait(1)
                self.todo.remove(mine)
                self.active |= mine.locks
            time.sleep(mine.planned.pause_s)
            self.one_fault(mine)
            with self.lane_guard:
                self.active -= mine.locks
                self.lane_guard.notify_all()

    def next_free(self):
        """Of those whose locks nobody holds: first those that keep many others waiting, then one of the lock that
        most are waiting for, so that the run is not longer than its busiest lock."""
        free = [t for t in self.todo if not t.locks & self.active]
        if not free:
            return None
        waiting = Counter(name for t in self.todo for name in t.locks)
        return max(free, key=lambda t: (t.wide, max((waiting[name] for name in t.locks), default=0)))

    def one_fault(self, todo, last=False):
        event = self.begin(todo, last)
        if event:
            shortest, longest = event.hold_s
            time.sleep(event.rng.uniform(shortest, shortest + (longest - shortest) / (3 if self.o.quick else 1)))
            if not self.end(event):
                self.again(todo, "nothing came that it could break", last)

    def begin(self, todo, last=False):
        """The fault, injected; None when that could not be done. last: it is not tried again."""
        planned = todo.planned
        event = faults.REGISTRY[planned.id](self, planned.seed)
        event.planned, event.t0 = planned, time.time()
        try:
            event.inject()
            return event
        except (faults.NotNow, psycopg.OperationalError) as e:  # perhaps another fault has PostgreSQL just now
            self.heal(event)
            self.again(todo, str(e), last)
        except Exception:
            self.note("broken", what=f"fault {planned.id}", why=traceback.format_exc())
            self.heal(event)
        return None

    def heal(self, event):
        try:
            event.heal()
        except Exception:
            self.note("broken", what=f"healing {event.id}", why=traceback.format_exc())

    def end(self, event):
        """Heals it, and counts it when it took place."""
        self.heal(event)
        if not event.took_place():
            return False
        took_s = time.time() - event.t0
        if took_s > FAULT_LIMIT_S and not event.until_end:
            self.note("broken", what=f"fault {event.id}", why=f"it took {took_s:.0f} s")
        if event.id == checks.SKIPS:
            self.skipped_to = time.time()
        with self.lane_guard:
            self.counts[event.id] += 1
            self.aimed_hits[event.id] += bool(event.facts.get("hit"))
        self.note("fault", id=event.id, seed=event.planned.seed, t0=event.t0, t1=time.time(),
                  touches=sorted(event.touches), **event.facts)
        if self.o.verbose:
            sys.stdout.write(f"    {event.id} {took_s:.1f} s {event.facts}\n")
            sys.stdout.flush()
        return True

    def again(self, todo, why, last):
        planned = todo.planned
        todo.tries += 1
        if todo.tries < (QUICK_TRIES_MAX if self.o.quick else TRIES_MAX) and not last:
            time.sleep(0.2)
            with self.lane_guard:
                self.todo.append(todo)
        else:
            self.not_done[planned.id] += 1
            self.note("broken" if self.o.quick else "not_done", what=f"fault {planned.id}", why=why)

    def heal_and_drain(self):
        for name in self.stack.programs:
            if name.endswith("-1"):
                self.stack.release(name)
        for name in self.stack.links:
            self.stack.proxy.call("set", name=name)
        self.world.call("receiver", mode="well", share=0, seed=0)
        self.world.call("enough")
        self.changes.stop()
        healed = time.monotonic()
        self.phase("healed")
        until = healed + self.o.drain_wait
        posted, acked = None, -1
        left = {}
        while time.monotonic() < until:
            stats = self.world.call("stats")
            if stats["failure"]:
                raise RuntimeError(f"the client failed: {stats['failure']}")
            if not stats["posting"]:
                posted = posted or time.monotonic()
            elif posted is None and not self.o.flood and acked < stats["acked"] < self.o.tickets:
                until, acked = time.monotonic() + self.o.drain_wait, stats["acked"]  # the faults were over before the load
            left = self.left() | {"posting": stats["posting"], "working": stats["working"]}
            if left["tickets"]:
                self.changes.back_from_break()
            if not any(left.values()):
                self.drained_s = round(time.monotonic() - max(healed, posted), 1)
                break
            time.sleep(0.3)
        self.left_over, self.stats = left, stats
        self.note("drained", drained_s=self.drained_s, left=left)
        self.phase("drained")

    def left(self):
        with self.stack.db() as db:
            row = db.execute(
                "SELECT (SELECT count(*) FROM squad.ticket), "
                "(SELECT count(*) FROM squad.dispatch d WHERE d.state IN ('completed', 'canceled') OR d.state = 'assigned' "
                "AND d.type = ANY (%s)), "
                "(SELECT count(*) FROM squad.notice WHERE state IN ('pending', 'sending'))",
                [list(company.DESK_TYPES)]).fetchone()
            left = {"tickets": row[0] - row[1], "notices": row[2]}
            if not any(left.values()):
                left["unread"] = db.execute(
                    "SELECT count(*) FROM squad.outbox o WHERE o.type = %s AND o.at > to_timestamp(%s) "
                    "AND NOT EXISTS (SELECT FROM squad.inbox i WHERE i.event_id = o.id)",
                    [checks.CREATED, self.skipped_to]).fetchone()[0]
        return left

    # --- evidence ---

    def collect(self):
        stopped = threading.Thread(target=self.read_topics)
        acks = self.dir / "acks"
        acks.write_text("".join(r + "\n" for r in self.acknowledged_refs()))
        done = subprocess.run([self.stack.bin_dir / "squad", "verify", "--json", "--wait", "30", "--acks", acks],
                              env=self.stack.squad_env(), capture_output=True, text=True, check=False)
        facts = json.loads(done.stdout) if done.stdout.strip() else {}
        (self.dir / "verify.json").write_text(json.dumps(facts | {"exit": done.returncode, "stderr": done.stderr}))
        self.resources = self.sampler.stop()
        self.phase("verified")
        self.stop_programs()
        stopped.start()
        self.read_commits()
        stopped.join()
        time.sleep(0.3)
        self.stack.stop("watch")
        (self.dir / "facts.json").write_text(json.dumps({
            "seed": self.o.seed, "tickets": self.stats["acked"], "drained_s": self.drained_s, "left": self.left_over,
            "drain_limit_s": self.o.drain_limit, "resources": self.resources, "limits": LIMITS, "stats": self.stats}))
        self.phase("collected")

    def acknowledged_refs(self):
        return sorted({line["ref"] for line in read_lines(self.dir / "history.jsonl") if line["e"] == "ok"})

    def stop_programs(self):
        for name in self.stack.programs:
            kept = self.stack.kept.get(name)
            if kept is None or not kept.running():
                continue
            t0, child = time.monotonic(), kept.child
            ended = self.stack.stop(name, 20)
            self.note("stopped", program=name, code=child.returncode if ended else None,
                      took_s=time.monotonic() - t0)

    def read_topics(self):
        readers = [subprocess.Popen(
            ["/usr/bin/python3", "-m", "storm.watch", self.stack.kafka_address(), isolation,
             str(self.dir / f"{name}.jsonl"), "--end"], env=self.stack.env | {"PYTHONPATH": str(HERE / "tests")})
            for name, isolation in (("committed", "read_committed"), ("uncommitted", "read_uncommitted"))]
        for reader in readers:
            try:
                if reader.wait(READ_LIMIT_S):
                    self.note("broken", what="reading the topics", why=f"a reader ended with {reader.returncode}")
            except subprocess.TimeoutExpired:
                reader.kill()
                self.note("broken", what="reading the topics", why=f"no end within {READ_LIMIT_S} s")

    def read_commits(self):
        with self.stack.db() as db, open(self.dir / "commits.txt", "wb") as out:
            left_out = " AND ".join(f"data NOT LIKE 'table squad.{t}:%'" for t in commits.LEFT_OUT)
            with db.cursor().copy("COPY (SELECT * FROM pg_logical_slot_peek_changes('storm', NULL, NULL, "
                                  f"'include-timestamp', 'on', 'skip-empty-xacts', 'on') WHERE {left_out}) "
                                  "TO STDOUT") as copy:
                for block in copy:
                    out.write(block)

    def dump_tables(self):
        with open(self.dir / "tables.sql", "wb") as out:
            subprocess.run([services.PG_BIN / "pg_dump", "-h", "127.0.0.1", "-p", str(self.stack.port["pg"]),
                            "-U", "squad", "squad"], stdout=out, check=False)

    def summary(self, started):
        """What the runner knows of its run before the checks."""
        return {"seed": self.o.seed, "commit": commit(), **campaign.digests(),
                "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "seconds": round(time.monotonic() - started),
                "faults": dict(sorted(self.counts.items())), "not_done": dict(self.not_done),
                "aimed_hits": {i: n for i, n in sorted(self.aimed_hits.items()) if n}}


class Todo:
    """A fault of the schedule that is still to be done."""

    def __init__(self, planned, cls):
        self.planned, self.tries = planned, 0
        self.locks = cls.locks_of(planned.seed)
        self.wide = len(self.locks) > 3


def judge(directory, keep=False):
    """Checks the evidence of a run: its result, which is kept there as well. The evidence of a good run is removed."""
    started = time.monotonic()
    gc.disable()  # millions of objects, and none of them is garbage
    failed, ev = checks.run_all(directory)
    gc.enable()
    facts = ev.facts if (ev.dir / "facts.json").exists() else {}
    result = {"ok": not failed} | json.loads((ev.dir / "summary.json").read_text()) | {
        "tickets": facts.get("tickets", 0),
        "failed": {name: found[:5] for name, found in failed.items()},
        "counts_failed": {name: len(found) for name, found in failed.items()},
        "drained_s": facts.get("drained_s"), "resources": facts.get("resources"),
        "recovery_ms": recovery.measure(ev) if not failed else {},
    }
    if not failed:
        result |= {"commits": ev.model.commits, "states": ev.model.checked_states,
                   "events": len(ev.model.events), "deliveries": len(ev.hooks),
                   "unknown": facts["stats"]["unknown"], "sent_again": len(ev.sent_again)}
        result["after_heal_s"], result["tickets_after_heal"] = recovery.after_heal(ev)
    result["checked_s"] = round(time.monotonic() - started)
    (ev.dir / "result.json").write_text(json.dumps(result, indent=1))
    if not failed and not keep:
        shutil.rmtree(ev.dir, ignore_errors=True)
    else:
        result["evidence"] = os.path.relpath(ev.dir, HERE)
    return result


def commit():
    """With -dirty when something else than the campaign's own file differs from it."""
    def git(*words):
        return subprocess.run(["git", "-C", str(HERE), *words], capture_output=True, text=True, check=False).stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!tests/storm/campaign.jsonl")
    return git("describe", "--always", "--abbrev=10") + ("-dirty" if changed else "")
