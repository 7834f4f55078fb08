"""The world outside squad: clients that post tickets and keep a history, experts' receivers, experts who work.

  python3 -m storm.world CONFIG_FILE      commands: World.do_*

Every line of the history is written before the request goes out and after the answer has come. A request without
a complete answer, or with 5xx, has an unknown outcome and is repeated with the same key until the answer is certain.
"""
import asyncio
import json
import os
import random
import sys
import time

import ujson
import uvloop

from .control import serve
from .http import Client, Unknown
from .receiver import Receiver

WORKERS = 64
CONNECTIONS = 64  # of all experts together
TRICKLE_PER_S = 15.0
# Beyond it tickets trickle. Worked: experts that nobody has time for let offers pass. Desk: what is left to be offered
# when the faults are over has to drain in time.
BACKLOG_MAX, DESK_BACKLOG_MAX = 500, 5000
# Shares of the answers to offers. Who works and does none of these completes at once, at the desk an offer is kept.
SILENT, DECLINING, ACCEPTING = 0.02, 0.04, 0.5
DESK_DECLINING, DESK_ACCEPTING, DESK_COMPLETING = 0.01, 0.01, 0.01
PROVIDER = "acme"
TYPES = ("tv", "internet", "phone", "wiring", "appliance", "installation")
DESK_TYPES = ("survey", "callback")
AREAS = tuple(f"28{n:03d}" for n in range(1, 60))
# Kind of operation: share.
KINDS = {"new": 0.807, "twin": 0.04, "call": 0.05, "replay": 0.04, "other_body": 0.02, "invalid": 0.02,
         "unknown_type": 0.0015, "unserved": 0.0015, "read": 0.01, "cancel": 0.01}
RETRY_PAUSE_S = (0.02, 0.25)


class History:
    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, **line):
        line["t"] = round(time.time(), 6)
        os.write(self.fd, (ujson.dumps(line, escape_forward_slashes=False) + "\n").encode())


class Posts:
    """Makes operations at a pace and carries each to a certain answer."""

    def __init__(self, config, history, experts):
        self.history, self.experts = history, experts
        self.rng = random.Random(config["seed"])
        self.ports, self.api_key, self.tickets = config["intake_ports"], config["api_key"], config["tickets"]
        self.n = self.acked = self.open = self.unknowns = 0
        self.done_keys = []  # (key, body, ref) of acknowledged tickets, to be repeated
        self.rate, self.due, self.enough, self.pausing = 0.0, 0.0, False, False
        self.worked = self.canceled = self.desk = 0
        self.desk_share, self.flood, self.resting = config["desk_share"], config["flood"], False
        self.no_work = False
        self.workers = []
        self.statuses = {}

    def start(self, rate):
        self.rate, self.due = rate, time.monotonic()
        self.workers = [asyncio.ensure_future(self.work(i)) for i in range(WORKERS)]

    def more(self):
        return not self.enough or not self.flood and self.acked + self.open < self.tickets

    def backlog(self):
        """What experts have still to do."""
        return self.worked - self.canceled - self.experts.completed

    def desk_backlog(self):
        """What has still to be offered to the desk."""
        return self.desk - len(self.experts.at_desk)

    def rests(self):
        """Tickets come in bursts: from the most that may wait to be offered until a third of it is left."""
        self.resting = self.desk_backlog() > (DESK_BACKLOG_MAX // 3 if self.resting else DESK_BACKLOG_MAX)
        return self.resting

    async def work(self, i):
        client = Client(self.ports[i % len(self.ports)], self.api_key)
        while self.more():
            now = time.monotonic()
            if now < self.due or self.pausing:
                await asyncio.sleep(max(0.005, min(self.due - now, 0.2)))
                continue
            # After an outage what is late is made up for, at most three seconds of it. Beyond the number wanted
            # there is a trickle, so that the last faults have something to break.
            self.no_work = self.backlog() > BACKLOG_MAX
            many = self.rests() or self.no_work and not self.desk_share
            many |= not self.flood and self.acked + self.open >= self.tickets
            rate = min(self.rate, TRICKLE_PER_S) if many else self.rate
            self.due = max(self.due + 1 / rate, now - 3)
            self.open += 1
            try:
                await self.one(client, i)
            finally:
                self.open -= 1
        client.close()

    def body(self, n, kind):
        rng = self.rng
        at_desk = kind != "unserved" and (self.no_work or rng.random() < self.desk_share)
        return {"type": "mystery" if kind == "unknown_type" else rng.choice(DESK_TYPES if at_desk else TYPES),
                "area": "99999" if kind == "unserved" else rng.choice(AREAS),
                "problem": f"Problem {n}", "source": "web",
                "customer": {"ref": f"op-{n}", "name": "Ana Ruiz", "phone": "+34600123456"}}

    def invalid_body(self, n):
        body = self.body(n, "new")
        change = self.rng.choice(("area", "type", "problem", "field", "email", "text"))
        if change in ("area", "type", "problem"):
            del body[change]
        elif change == "field":
            body["emial"] = "x"
        elif change == "email":
            body["customer"]["phone"] = "0" * 40
        else:
            body["problem"] = "x" * 4001
        return body

    async def one(self, client, i):
        self.n += 1
        n = self.n
        kind = self.rng.choices(list(KINDS), list(KINDS.values()))[0]
        if kind in ("replay", "other_body", "read", "cancel") and not self.done_keys:
            kind = "new"
        key = f"key-{n}-{self.rng.getrandbits(48):x}"
        if kind == "replay":
            key, body, ref = self.rng.choice(self.done_keys)
            await self.post(client, n, kind, key, body)
        elif kind == "other_body":
            key = self.rng.choice(self.done_keys)[0]
            if key.startswith("call:"):
                return  # a call is its own key, whatever is written down about it
            await self.post(client, n, kind, key, self.body(n, kind))
        elif kind == "read":
            await self.read(client, n, self.rng.choice(self.done_keys)[2])
        elif kind == "cancel":
            _, body, ref = self.done_keys[-self.rng.randint(1, min(50, len(self.done_keys)))]
            await self.cancel(client, n, ref, body["type"])
        elif kind == "twin":
            body = self.body(n, kind)
            other = Client(self.ports[(i + 1) % len(self.ports)], self.api_key)
            await asyncio.gather(self.post(client, n, kind, key, body), self.post(other, n, kind, key, body, copy=1))
            other.close()
        elif kind == "call":
            body = self.body(n, kind)
            await self.post(client, n, kind, f"call:{n}", body)
            if n % 3 == 0:
                await self.post(client, n, kind, f"call:{n}", body, copy=1)
        else:
            await self.post(client, n, kind, key, self.invalid_body(n) if kind == "invalid" else self.body(n, kind))

    async def post(self, client, n, kind, key, body, copy=0):
        """Posts until the answer is certain."""
        data = json.dumps(body).encode()
        path, headers = "/v1/tickets", [("Idempotency-Key", key)]
        if key.startswith("call:"):
            path, headers = f"/v1/calls/{PROVIDER}/{key[5:]}/ticket", []
        attempt = 0
        while True:
            attempt += 1
            self.history.write(e="invoke", op=n, copy=copy, attempt=attempt, kind=kind, key=key,
                               customer_ref=body["customer"]["ref"], type=body.get("type"), area=body.get("area"))
            status, answer = await self.once(client, "POST", path, data, headers)
            certain = status is not None and status < 500 and not to_be_repeated(status, answer)
            self.history.write(e="ok" if certain and status < 300 else "failed" if certain else "unknown", op=n,
                               copy=copy, attempt=attempt, kind=kind, key=key, status=status,
                               **({k: answer[k] for k in ("id", "ref", "created_at")}
                                  if certain and status < 300 else {"answer": str(answer)[:200]}))
            if certain:
                break
            self.unknowns += 1
            await asyncio.sleep(random.uniform(*RETRY_PAUSE_S))
        if status < 300 and kind not in ("replay", "other_body") and not copy:
            self.acked += 1
            if body["type"] in DESK_TYPES:
                self.desk += 1
            elif kind not in ("unknown_type", "unserved"):
                self.worked += 1
            self.done_keys.append((key, body, answer["ref"]))

    async def read(self, client, n, ref):
        while True:
            status, answer = await self.once(client, "GET", f"/v1/tickets/{ref}", None, [])
            if status is not None and status < 500:
                self.history.write(e="read", op=n, ref=ref, status=status, answer_ref=answer.get("ref"))
                return
            await asyncio.sleep(random.uniform(*RETRY_PAUSE_S))

    def called_off(self, ref, of_type):
        if of_type in DESK_TYPES:
            self.experts.at_desk.add(ref)
        else:
            self.canceled += 1

    async def cancel(self, client, n, ref, of_type):
        """Calls a ticket off, until the answer is certain: 200, or 409 when it was completed before."""
        while True:
            status, answer = await self.once(client, "POST", f"/v1/tickets/{ref}/cancel", b'{"reason":"mistake"}', [])
            if status is not None and status < 500:
                self.history.write(e="canceled", op=n, ref=ref, status=status, answer=str(answer)[:200])
                if status == 200:
                    self.called_off(ref, of_type)
                return
            await asyncio.sleep(random.uniform(*RETRY_PAUSE_S))

    async def once(self, client, method, path, data, headers):
        """(status, parsed answer), status None when the outcome is unknown."""
        try:
            status, _, raw = await client.request(method, path, data, headers)
            answer = json.loads(raw) if raw else {}
        except Unknown as e:
            return None, str(e)
        except ValueError:
            return None, "the answer is not JSON"
        self.statuses[status] = self.statuses.get(status, 0) + 1
        return status, answer


def to_be_repeated(status, answer):
    """A request of the same key is still under way, or there were too many: neither yes nor no."""
    return status == 429 or status == 409 and str(answer.get("type", "")).endswith("/idempotency-key-running")


class Experts:
    """What experts do about an offer that a receiver has taken: some never answer, some decline, some accept and
    go there, some just say when it is done. Each step is repeated until its answer is certain."""

    def __init__(self, config, history):
        self.history, self.rng = history, random.Random(config["seed"] + 1)
        self.ports, self.api_key = config["intake_ports"], config["api_key"]
        self.work_s, self.last_worker = config["work_s"], config["workers"]
        self.at_desk = set()  # tickets that somebody at the desk has been offered
        self.free = [Client(self.ports[i % len(self.ports)], self.api_key) for i in range(CONNECTIONS)]
        self.one_free = asyncio.Semaphore(CONNECTIONS)
        self.tasks = set()
        self.completed = 0
        self.willing = False

    def take(self, offer):
        if offer["expert"] > self.last_worker:
            self.at_desk.add(offer["ref"])
            if not (act := self.at_the_desk()):
                return
            offer["act"] = act
        task = asyncio.ensure_future(self.answer(offer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def at_the_desk(self):
        """What is done with an offer: mostly nothing, and it stays."""
        mood = self.rng.random()
        for act, share in (("decline", 0 if self.willing else DESK_DECLINING), ("accept", DESK_ACCEPTING),
                           ("complete", DESK_COMPLETING)):
            if mood < share:
                return act
            mood -= share
        return None

    async def answer(self, offer):
        if "act" in offer:
            await asyncio.sleep(self.rng.uniform(*self.work_s))
            job = offer["job"]
            path = f"/v1/assignments/{job}/complete" if offer["act"] == "complete" else f"/v1/offers/{job}/{offer['act']}"
            body = {"accept": {"expert_id": offer["expert"]}, "decline": {"reason": "busy"}, "complete": None}
            await self.step(offer, offer["act"], path, body[offer["act"]])
            return
        # The first four always work, so nothing waits for ever; after the faults everybody does.
        mood, trusted = self.rng.random(), self.willing or offer["expert"] <= 4
        await asyncio.sleep(self.rng.uniform(*self.work_s))
        if mood < SILENT and not trusted:
            self.history.write(e="step", job=offer["job"], step="silent", status=0)
            await self.heard()
            await self.step(offer, "complete", f"/v1/assignments/{offer['job']}/complete", None)
        elif mood < SILENT + DECLINING and not trusted:
            reason = self.rng.choice(("busy", "too_far", "unwell", "other", "wrong_skill"))
            await self.step(offer, "decline", f"/v1/offers/{offer['job']}/decline", {"reason": reason})
        elif mood < SILENT + DECLINING + ACCEPTING:
            await self.work(offer)
        else:
            await self.step(offer, "complete", f"/v1/assignments/{offer['job']}/complete", None)

    async def heard(self):
        """Until the faults are over."""
        while not self.willing:
            await asyncio.sleep(0.5)

    async def work(self, offer):
        """Accept, perhaps set out, perhaps arrive, complete; until it is over."""
        of_ticket = f"/v1/tickets/{offer['ref']}/"
        steps = [("accept", f"/v1/offers/{offer['job']}/accept")]
        steps += [("en-route", of_ticket + "en-route")] if self.rng.random() < 0.4 else []
        steps += [("arrived", of_ticket + "arrived")] if self.rng.random() < 0.4 else []
        for step, path in steps:
            if not await self.step(offer, step, path, {"expert_id": offer["expert"]}):
                return
            await asyncio.sleep(self.rng.uniform(0, self.work_s[1] / 2))
        await self.step(offer, "complete", f"/v1/assignments/{offer['job']}/complete", None)

    async def step(self, offer, step, path, body):
        """True when it was done."""
        data, attempt, status = json.dumps(body).encode() if body else None, 0, None
        while status is None or status >= 500 or status == 429:
            if attempt:
                await asyncio.sleep(self.rng.uniform(*RETRY_PAUSE_S))
            attempt += 1
            async with self.one_free:
                client = self.free.pop()
                try:
                    status, _, _ = await client.request("POST", path, data)
                except Unknown:
                    status = None
                self.free.append(client)
        self.completed += step == "complete" and status == 200 and offer["expert"] <= self.last_worker
        self.history.write(e="step", job=offer["job"], step=step, attempt=attempt, status=status)
        return status == 200


class World:
    def __init__(self, config):
        history = History(config["history"])
        self.experts = Experts(config, history)
        self.posts = Posts(config, history, self.experts)
        self.receiver = Receiver(config, self.experts.take)

    def do_start(self, rate):
        """Starts posting at a rate per second."""
        self.posts.start(rate)

    def do_rate(self, rate):
        self.posts.rate = rate

    def do_enough(self):
        """The faults are over: stop as soon as enough tickets are acknowledged; experts are at fault no more either."""
        self.posts.enough = self.experts.willing = True

    def do_receiver(self, mode, share, seed):
        """From now on this share of the experts answers like that; mode "well" for all is the end of it."""
        self.receiver.behave(mode, share, seed)

    def do_stats(self):
        p = self.posts
        return {"acked": p.acked, "open": p.open, "operations": p.n, "unknown": p.unknowns, "statuses": p.statuses,
                "posting": sum(not w.done() for w in p.workers), "working": len(self.experts.tasks),
                "completed": self.experts.completed, "hooks": self.receiver.seen,
                "failure": [repr(w.exception()) for w in p.workers if w.done() and w.exception()][:3]}


async def main():
    with open(sys.argv[1]) as f:
        config = json.load(f)
    world = World(config)
    await world.receiver.listen(config["receiver_port"])
    server = await serve(config["control_port"], world)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main())
