"""A web form's back end and the experts, as HTTP clients: no code shared with squad."""
import http.client
import json
import random
import threading
import time
import uuid
from urllib.parse import urlsplit

TYPES = ("tv", "internet", "phone")
AREAS = ("28013", "28001", "28045", "28020")


def ticket(n=0, **change):
    body = {"type": TYPES[n % len(TYPES)], "area": AREAS[n % len(AREAS)], "problem": f"No picture {n}",
            "source": "web", "customer": {"ref": f"C-{n}", "name": "Ana Ruiz", "phone": "+34600123456",
                                          "email": "ana@example.com"}}
    return body | change


class Client:
    """One keep-alive connection, made again when it breaks."""

    def __init__(self, env, timeout_s=10):
        self.where = urlsplit(env["SQUAD_URL"]).netloc
        self.key = env["SQUAD_API_KEY"]
        self.timeout_s = timeout_s
        self.conn = None

    def request(self, method, path, body=None, headers=None, data=None):
        """Status, headers, parsed body; raises OSError or HTTPException when the outcome is unknown.
        The body is sent as JSON; data are bytes to be sent as they are."""
        if self.conn is None:
            self.conn = http.client.HTTPConnection(self.where, timeout=self.timeout_s)
        all_headers = {"Authorization": f"Bearer {self.key}"} | (headers or {})
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            all_headers.setdefault("Content-Type", "application/json")
        try:
            self.conn.request(method, path, data, all_headers)
            reply = self.conn.getresponse()
            raw = reply.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        return reply.status, reply.headers, json.loads(raw) if raw else None

    def close(self):
        if self.conn:
            self.conn.close()
        self.conn = None

    def post(self, body, key=None):
        return self.request("POST", "/v1/tickets", body, {"Idempotency-Key": key or str(uuid.uuid4())})

    def post_surely(self, body, timeout_s=60):
        """Posts until there is an answer below 500, with one key: what a careful client does."""
        key, until = str(uuid.uuid4()), time.monotonic() + timeout_s
        while True:
            try:
                status, _, answer = self.post(body, key)
                if status < 500:
                    return status, answer
            except (OSError, http.client.HTTPException):
                pass
            if time.monotonic() > until:
                raise AssertionError("no answer within the deadline")
            time.sleep(0.02 + random.random() * 0.1)


class Load:
    """n tickets from several connections; acks holds every reference answered 201."""

    def __init__(self, env, n, connections=32, pause_s=0.0):
        self.env, self.n, self.pause_s = env, n, pause_s
        self.acks, self.refused, self.failure = [], [], None
        self.next, self.lock = 0, threading.Lock()
        self.last_ack_at = None
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(connections)]

    def start(self):
        for t in self.threads:
            t.start()
        return self

    def work(self):
        client = Client(self.env)
        try:
            while True:
                with self.lock:
                    i, self.next = self.next, self.next + 1
                if i >= self.n:
                    return
                status, answer = client.post_surely(ticket(i))
                with self.lock:
                    (self.acks if status == 201 else self.refused).append(answer["ref"] if status == 201 else answer)
                    self.last_ack_at = time.monotonic()
                if self.pause_s:
                    time.sleep(self.pause_s)
        except BaseException as e:  # shown by join
            self.failure = e
        finally:
            client.close()

    def done(self):
        return not any(t.is_alive() for t in self.threads)

    def join(self, timeout_s=300):
        until = time.monotonic() + timeout_s
        for t in self.threads:
            t.join(max(0.0, until - time.monotonic()))
        assert self.failure is None, self.failure
        assert self.done(), "the load did not end"
        assert not self.refused, self.refused[:3]
        return self

    def write_acks(self, path):
        path.write_text("".join(ref + "\n" for ref in self.acks))
        return str(path)


class Experts:
    """Completes every job it is told of, after a moment, until stopped."""

    def __init__(self, env, work_s=0.0, workers=4):
        self.env, self.work_s = env, work_s
        self.stopping = threading.Event()
        self.completed, self.seen = set(), set()
        self.queue, self.ready = [], threading.Condition()
        self.threads = [threading.Thread(target=self.read, daemon=True)]
        self.threads += [threading.Thread(target=self.work, daemon=True) for _ in range(workers)]

    def start(self):
        for t in self.threads:
            t.start()
        return self

    def read(self):
        while not self.stopping.is_set():
            try:
                f = open(self.env["SQUAD_HOOKS"])
                break
            except FileNotFoundError:
                time.sleep(0.05)
        else:
            return
        rest = ""
        while not self.stopping.is_set():
            rest += f.read()
            *lines, rest = rest.split("\n")
            with self.ready:
                for line in lines:
                    hook = json.loads(line)
                    job = hook["body"]["assignment_id"]
                    if 200 <= hook["status"] < 300 and job not in self.seen:
                        self.seen.add(job)
                        self.queue.append(job)
                self.ready.notify_all()
            if not lines:
                time.sleep(0.01)

    def work(self):
        client = Client(self.env)
        while not self.stopping.is_set():
            with self.ready:
                if not self.queue:
                    self.ready.wait(0.1)
                    continue
                job = self.queue.pop(0)
            if self.work_s:
                time.sleep(self.work_s)
            try:
                status, _, _ = client.request("POST", f"/v1/assignments/{job}/complete")
            except (OSError, http.client.HTTPException):
                status = 503
            with self.ready:
                if status in (200, 409):
                    self.completed.add(job)
                else:
                    self.queue.append(job)
            if status >= 500:
                time.sleep(0.05)
        client.close()

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join()
