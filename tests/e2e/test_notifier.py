"""The notifier against receivers that behave, misbehave and vanish."""
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from stack import BIN, Stack  # noqa: E402

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

TICKETS = """
WITH made AS (
    INSERT INTO squad.ticket (id, ref, client_id, key_hash, body_hash, source, type, area, problem, customer_name,
                              customer_phone)
    SELECT id, substr(ref, 1, 5) || '-' || substr(ref, 6), 1, uuid_send(id), sha256(uuid_send(id)), 'web', 'tv',
           '28013', 'No picture "\u2028" ' || %(expert)s, 'Ana Ruiz', '+34600123456'
      FROM (SELECT id, (SELECT string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + get_byte(b, i) %% 32, 1), '')
                          FROM generate_series(0, 9) AS i) AS ref
              FROM (SELECT id, sha256(uuid_send(id)) AS b
                      FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, %(n)s)) AS x) AS y) AS z
    RETURNING id, type, area, created_at
)
INSERT INTO squad.dispatch (ticket_id, state, type, area, priority, created_at, parked)
SELECT id, 'parked', type, area, 3, created_at, '{"experts":1}' FROM made RETURNING ticket_id"""

# The assigner's way: assignment, load, dispatch, notice and its event in one statement.
ASSIGN = """
WITH moved AS (
    UPDATE squad.dispatch SET state = 'assigned', parked = NULL, attempts = attempts + 1, since = clock_timestamp()
     WHERE ticket_id = ANY (%(tickets)s) RETURNING ticket_id, attempts
), taken AS (
    UPDATE squad.expert_load SET load = load + cardinality(%(tickets)s) WHERE expert_id = %(expert)s RETURNING expert_id
), made AS (
    INSERT INTO squad.assignment (ticket_id, expert_id, attempt, expert_version, why)
    SELECT ticket_id, expert_id, attempts, (SELECT version FROM squad.expert WHERE id = %(expert)s), '{}'
      FROM moved, taken RETURNING id, ticket_id, expert_id
), told AS (
    INSERT INTO squad.notice (assignment_id, ticket_id, expert_id, channel, message, traceparent)
    SELECT id, ticket_id, expert_id, 'webhook', 'offer', %(traceparent)s FROM made
    RETURNING id, ticket_id, assignment_id, expert_id
), published AS (
    INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload, traceparent)
    SELECT 'notice', ticket_id::text, 'squad.notice.requested.v1',
           json_build_object('notice_id', id, 'ticket_id', ticket_id, 'assignment_id', assignment_id,
                             'expert_id', expert_id, 'channel', 'webhook', 'message', 'offer'), %(traceparent)s
      FROM told
)
SELECT id FROM told"""


@pytest.fixture(scope="module")
def stack():
    with Stack(programs=()) as s:
        yield s


class World:
    """Experts with addresses of their own, their notices, and notifiers started by hand."""

    def __init__(self, stack):
        self.stack = stack
        self.db = stack.db()
        self.hooks_seen = len(stack.hooks())
        self.started = []
        self.hook_url = stack.env["SQUAD_HOOK_URL"]
        self.policy()

    def policy(self, max_attempts=3, base_ms=100, cap_ms=1000, timeout_ms=1000):
        self.db.execute("UPDATE squad.retry_policy SET max_attempts = %s, base_ms = %s, cap_ms = %s, timeout_ms = %s",
                        (max_attempts, base_ms, cap_ms, timeout_ms))

    def expert(self, path="/", secret="same", address=None, capacity=5000):
        expert = self.db.execute("INSERT INTO squad.expert (id, name) SELECT max(id) + 1, 'Expert \u00e9 \"' || max(id) "
                                 "FROM squad.expert RETURNING id").fetchone()[0]
        self.db.execute("INSERT INTO squad.expert_skill SELECT %s, skill, 5 FROM squad.skill", (expert,))
        self.db.execute("INSERT INTO squad.expert_area VALUES (%s, '28')", (expert,))
        self.db.execute("UPDATE squad.expert_load SET capacity = %s WHERE expert_id = %s", (capacity, expert))
        if secret == "same":
            secret = self.stack.env["SQUAD_WEBHOOK_SECRET"]
        if path is not None:
            self.db.execute("INSERT INTO squad.expert_contact VALUES (%s, 'webhook', %s, %s)",
                            (expert, address or self.hook_url + path, secret))
        return expert

    def notices(self, expert, n=1, traceparent=None):
        tickets = [r[0] for r in self.db.execute(TICKETS, {"n": n, "expert": expert})]
        return [r[0] for r in self.db.execute(ASSIGN, {"tickets": tickets, "expert": expert,
                                                       "traceparent": traceparent})]

    def start(self, *args, instance="t", **env):
        own = {"SQUAD_DB": self.stack.env["SQUAD_DB"].replace(" user=squad", ""),
               "SQUAD_KAFKA": self.stack.env["SQUAD_KAFKA"], "SQUAD_LOG_FORMAT": "logfmt"}
        log = open(self.stack.dir / "log" / f"notifier-{len(self.started)}-{time.monotonic_ns()}.log", "w+",
                   encoding="utf-8")
        p = subprocess.Popen([str(BIN / "squad-notifier"), "--instance", instance, *args], stdout=log, stderr=log,
                             env=self.stack.supervisor.base_env | own | env)
        p.log = log
        self.started.append(p)
        return p

    def drain(self, *args, timeout_s=30, **more):
        p = self.start("--drain", *args, **more)
        assert p.wait(timeout_s) == 0, self.log(p)
        return p

    def stop(self, p, timeout_s=10):
        p.terminate()
        assert p.wait(timeout_s) == 0, self.log(p)

    @staticmethod
    def log(p):
        p.log.flush()
        p.log.seek(0)
        return p.log.read()

    def rows(self, ids):
        names = "id, state, attempts, last_status, last_error, claimed_by, next_attempt_at, ended_at"
        cursor = self.db.execute(f"SELECT {names} FROM squad.notice WHERE id = ANY (%s)", (ids,))
        return [dict(zip(names.split(", "), row)) for row in cursor]

    def row(self, notice):
        return self.rows([notice])[0]

    def states(self, ids):
        return Counter(r["state"] for r in self.rows(ids))

    def wait_states(self, ids, timeout_s=20, **expected):
        until = time.monotonic() + timeout_s
        while self.states(ids) != Counter(expected):
            assert time.monotonic() < until, self.states(ids)
            time.sleep(0.02)

    def assignment(self, notice):
        return self.db.execute("SELECT a.state FROM squad.assignment a JOIN squad.notice n ON n.assignment_id = a.id "
                               "WHERE n.id = %s", (notice,)).fetchone()[0]

    def load(self, expert):
        return self.db.execute("SELECT load FROM squad.expert_load WHERE expert_id = %s", (expert,)).fetchone()[0]

    def history(self, notice):
        return self.db.execute("SELECT kind, actor, detail FROM squad.ticket_event WHERE detail ->> 'notice_id' = %s "
                               "ORDER BY seq", (str(notice),)).fetchall()

    def call_off(self, notice):
        self.db.execute("SELECT squad.ticket_cancel(ticket_id, 'customer', 'test') FROM squad.notice WHERE id = %s", (notice,))

    def others(self, notice):
        """What else the expert is told of the same offer: (message, state)."""
        return self.db.execute("SELECT o.message, o.state FROM squad.notice n JOIN squad.notice o USING (assignment_id)"
                               " WHERE n.id = %s AND o.id <> n.id ORDER BY o.created_at", (notice,)).fetchall()

    def hooks_of(self, notice):
        """Bodies of all that was said of its offer, in order."""
        offer = self.db.execute("SELECT assignment_id FROM squad.notice WHERE id = %s", (notice,)).fetchone()[0]
        return [h["body"] for h in self.stack.hooks() if h["body"].get("assignment_id") == str(offer)]

    def hooks(self, ids):
        wanted = {str(i) for i in ids}
        return [h for h in self.stack.hooks() if h["webhook_id"] in wanted]


@pytest.fixture
def w(stack):
    world = World(stack)
    yield world
    for p in world.started:
        if p.poll() is None:
            p.kill()
            p.wait()
        p.log.close()
    # What a test left waiting is not the next one's.
    world.db.execute("UPDATE squad.notice SET next_attempt_at = 'infinity' WHERE ended_at IS NULL")
    world.db.execute("UPDATE squad.assignment SET expires_at = 'infinity' WHERE state = 'offered'")
    world.db.close()


def test_a_notice_is_delivered_signed_and_recorded(w):
    expert = w.expert()
    [notice] = w.notices(expert, traceparent=TRACEPARENT)
    w.drain(instance="a")
    [hook] = w.hooks([notice])
    assert hook["verified"] is True and hook["traceparent"] == TRACEPARENT
    body = hook["body"]
    assert body["type"] == "offer" and body["notice_id"] == str(notice)
    assert body["complete_url"] == f"/v1/assignments/{body['assignment_id']}/complete"
    assert body["ticket"]["customer"] == {"name": "Ana Ruiz", "phone": "+34600123456"}
    assert body["expert"]["id"] == expert
    row = w.row(notice)
    assert (row["state"], row["attempts"], row["last_status"], row["last_error"]) == ("delivered", 1, 204, None)
    assert w.assignment(notice) == "offered"
    [(kind, actor, detail)] = w.history(notice)
    assert (kind, actor) == ("offered", "notifier/a")
    assert w.load(expert) == 1


def test_the_public_url_stands_before_the_complete_url(w):
    [notice] = w.notices(w.expert())
    w.drain("--public-url", "https://squad.example.com")
    assert w.hooks([notice])[0]["body"]["complete_url"].startswith("https://squad.example.com/v1/assignments/")


def test_2000_notices_take_less_than_3_s_and_24_mib(w):
    ids = w.notices(w.expert(), 2000)
    began = time.monotonic()
    p = w.start()
    w.wait_states(ids, delivered=2000)
    took_s = time.monotonic() - began
    for line in Path(f"/proc/{p.pid}/status").read_text().splitlines():
        if line.startswith(("VmHWM", "VmRSS")):
            print(line)
            rss_kib = int(line.split()[1])
    print(f"2,000 in {took_s:.2f} s from the start")
    w.stop(p)
    assert Counter(h["webhook_id"] for h in w.hooks(ids)).most_common(1)[0][1] == 1
    assert took_s < 15
    if "asan" not in str(BIN):
        assert rss_kib <= 24 * 1024


def test_one_at_a_time_is_as_fast_as_the_receiver(w):
    """Answers gather before the next turn at the table, but not while places are wanting."""
    ids = w.notices(w.expert(), 400)
    p = w.start("--per-host", "1", "--gather", "100")
    began = time.monotonic()
    w.wait_states(ids, delivered=400)
    took_s = time.monotonic() - began
    w.stop(p)
    assert took_s < 20, "400 turns of 100 ms are 40 s"


@pytest.mark.parametrize("path,status,error", [
    ("/fail/503", 503, "HTTP status 503"), ("/fail/429", 429, "HTTP status 429"), ("/redirect", 307, "HTTP status 307"),
    ("/hang", None, "no answer within 300 ms"), ("/reset", None, None)])
def test_what_may_pass_is_tried_again_until_the_attempts_are_used_up(w, path, status, error):
    w.policy(timeout_ms=300 if path == "/hang" else 5000)
    expert = w.expert(path)
    [notice] = w.notices(expert)
    p = w.start()
    w.wait_states([notice], undeliverable=1)
    w.stop(p)
    row = w.row(notice)
    assert row["attempts"] == 3 and row["last_status"] == status
    assert row["last_error"] == error if error else row["last_error"]
    hooks = w.hooks([notice])
    assert len(hooks) == 3
    assert len({json.dumps(h["body"]) for h in hooks}) == 1, "the body changed between attempts"
    history = w.history(notice)
    assert [h[0] for h in history] == ["attempt_failed", "attempt_failed", "undeliverable"]
    assert [h[2].get("attempt") for h in history[:2]] == [1, 2]
    assert 50 <= history[0][2]["next_in_ms"] <= 100 and 100 <= history[1][2]["next_in_ms"] <= 200
    assert w.assignment(notice) == "undeliverable"
    assert w.load(expert) == 0
    text = json.dumps(history, default=str) + row["last_error"] + w.log(p)
    for word in ("127.0.0.1:" + w.hook_url.rsplit(":", 1)[1], "Ana", "+346", "whsec", path + "/"):
        assert word not in text


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
def test_what_is_refused_is_given_up_at_once(w, status):
    [notice] = w.notices(w.expert(f"/fail/{status}"))
    w.drain()
    row = w.row(notice)
    assert (row["state"], row["attempts"], row["last_status"]) == ("undeliverable", 1, status)
    assert len(w.hooks([notice])) == 1


def test_a_failure_of_an_attempt_whose_claim_has_ended_leaves_the_notice_to_the_next_one(w):
    """Its result came late: another notifier is at it, and the expert may just be hearing of the offer."""
    w.policy(max_attempts=1, timeout_ms=2000)
    expert = w.expert("/hang")
    [notice] = w.notices(expert)
    p = w.start(instance="a")
    w.wait_states([notice], sending=1)
    w.db.execute("UPDATE squad.notice SET attempts = attempts + 1, claimed_by = 'notifier/b', "
                 "next_attempt_at = now() + interval '1 h' WHERE id = %s", (notice,))
    w.stop(p)
    assert "delivered=0 failed=1" in w.log(p)
    assert (w.row(notice)["state"], w.assignment(notice), w.load(expert)) == ("sending", "reserved", 1)


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.parametrize("contact,error", [
    ({"path": None}, "no address"), ({"secret": "whsec_not base 64"}, "secret"),
    ({"address": "ftp://127.0.0.1/"}, "http"), ({"address": "file:///etc/passwd"}, "http"),
    ({"address": "http://"}, "http"), ({"address": "http://a b/"}, "http"),
    ({"address": "https:/\n/"}, "http")])
def test_what_can_not_be_sent_is_undeliverable_at_once(w, contact, error):
    [notice] = w.notices(w.expert(**contact))
    w.drain()
    row = w.row(notice)
    assert (row["state"], row["attempts"], row["last_status"]) == ("undeliverable", 1, None), row
    assert error in row["last_error"]


def test_nobody_listening_is_tried_again(w):
    [notice] = w.notices(w.expert(address=f"http://127.0.0.1:{closed_port()}/"))
    p = w.start()
    w.wait_states([notice], undeliverable=1)
    w.stop(p)
    row = w.row(notice)
    assert row["attempts"] == 3 and "connect" in row["last_error"]


def test_a_receiver_that_recovers_gets_the_same_notice(w):
    ids = w.notices(w.expert("/flaky/2"), 20)
    p = w.start()
    w.wait_states(ids, delivered=20)
    w.stop(p)
    assert all(r["attempts"] == 3 for r in w.rows(ids))


def test_an_endless_answer_counts_by_its_status(w):
    [notice] = w.notices(w.expert("/endless"))
    w.drain()
    assert w.row(notice)["state"] == "delivered"


def test_without_a_secret_it_goes_unsigned(w):
    [notice] = w.notices(w.expert(secret=None))
    w.drain()
    assert w.row(notice)["state"] == "delivered" and w.hooks([notice])[0]["verified"] is False


def test_drain_leaves_retries_of_the_future(w):
    w.policy(base_ms=60000, cap_ms=60000)
    [notice] = w.notices(w.expert("/fail/503"))
    w.drain(timeout_s=10)
    row = w.row(notice)
    assert (row["state"], row["attempts"], row["claimed_by"]) == ("sending", 1, None)


def test_a_hanging_receiver_does_not_slow_the_others(w):
    w.policy(timeout_ms=5000)
    stuck = w.notices(w.expert("/hang"), 1000)
    w.start()
    time.sleep(0.5)
    other = w.hook_url.replace("127.0.0.1", "localhost")
    began = time.monotonic()
    ids = w.notices(w.expert(address=other + "/"), 200)
    w.wait_states(ids, delivered=200, timeout_s=20)
    took_s = time.monotonic() - began
    print(f"200 beside a hanging host: {took_s:.2f} s")
    assert took_s < 15
    assert w.states(stuck)["delivered"] == 0


def test_a_slow_receiver_costs_no_attempts_that_were_not_made(w):
    w.policy(max_attempts=1, timeout_ms=2000)
    ids = w.notices(w.expert("/slow/0.8"), 64 * 5)
    p = w.start()
    w.wait_states(ids, delivered=len(ids), timeout_s=20)
    w.stop(p)


def test_killed_in_the_middle_nothing_is_lost(w):
    w.policy(max_attempts=20, timeout_ms=5000)
    ids = w.notices(w.expert("/slow/0.05"), 600)
    for _ in range(4):
        p = w.start(instance="k")
        time.sleep(0.35)
        p.kill()
        p.wait()
    held = w.states(ids)
    began = time.monotonic()
    p = w.start(instance="k")
    w.wait_states(ids, delivered=600, timeout_s=10)
    print(f"after the kills {dict(held)}; all delivered {time.monotonic() - began:.2f} s after the last start")
    w.stop(p)
    hooks = Counter(h["webhook_id"] for h in w.hooks(ids))
    assert len(hooks) == 600
    print(f"{sum(hooks.values()) - 600} sent again")


def test_two_notifiers_share_the_work_and_send_nothing_twice(w):
    ids = w.notices(w.expert("/slow/0.1"), 1000)
    both = [w.start("--concurrency", "64", instance=i) for i in ("x", "y")]
    w.wait_states(ids, delivered=1000)
    for p in both:
        w.stop(p)
    assert set(Counter(h["webhook_id"] for h in w.hooks(ids)).values()) == {1}
    actors = Counter(w.history(i)[0][1] for i in ids[::5])
    print(dict(actors))
    assert set(actors) == {"notifier/x", "notifier/y"}


def hold(w, sql, *ids):
    """A session that holds rows until it is closed."""
    holder = w.stack.db()
    holder.execute("BEGIN")
    assert holder.execute(sql + " FOR UPDATE", ids).rowcount > 0
    return holder


HELD = {"dispatch": "SELECT FROM squad.dispatch WHERE ticket_id IN (SELECT ticket_id FROM squad.notice WHERE id = ANY (%s))",
        "notice": "SELECT FROM squad.notice WHERE id = ANY (%s)",
        "ticket": "SELECT FROM squad.ticket WHERE id IN (SELECT ticket_id FROM squad.notice WHERE id = ANY (%s))"}


@pytest.mark.parametrize("rows,path", [("dispatch", "/slow/0.5"), ("notice", "/slow/0.5"), ("notice", "/slow/0.5/fail/503"),
                                       ("ticket", "/fail/410")])
def test_who_holds_a_row_stops_nobody_else(w, rows, path):
    """A result that waits is not lost, and its notice not sent again meanwhile, however long that is."""
    # Who holds the notice itself keeps its claim from being prolonged.
    w.policy(timeout_ms=30000 if rows == "notice" else 1500, base_ms=60000, cap_ms=60000)
    held = w.notices(w.expert(path), 3)
    others = w.expert()
    with hold(w, HELD[rows], held) if rows != "notice" else w.stack.db() as holder:
        p = w.start()
        if rows == "notice":
            until = time.monotonic() + 5
            while w.states(held) != {"sending": 3}:
                assert time.monotonic() < until
            holder.execute("BEGIN")
            holder.execute(HELD[rows] + " FOR UPDATE", (held,))
        until = time.monotonic() + 5
        while len(w.hooks(held)) < 3:
            assert time.monotonic() < until
            time.sleep(0.02)
        time.sleep(1)
        for _ in range(5):
            ids = w.notices(others, 100)
            w.wait_states(ids, delivered=100, timeout_s=8)  # not when the row is free: that is later
        if rows != "notice":
            time.sleep(7)  # beyond the claim
        assert w.states(held) == {"sending": 3}
        holder.execute("ROLLBACK")
    state = {"/slow/0.5": "delivered", "/slow/0.5/fail/503": "sending", "/fail/410": "undeliverable"}[path]
    until = time.monotonic() + 5
    while any((r["state"], r["last_status"] is None) != (state, False) for r in w.rows(held)):
        assert time.monotonic() < until, w.rows(held)
        time.sleep(0.02)
    w.stop(p)
    assert [r["attempts"] for r in w.rows(held)] == [1] * 3
    assert len(w.hooks(held)) == 3
    assert w.log(p).count("somebody holds the rows") == 1


def test_many_results_that_wait_for_one_row_cost_the_others_little(w):
    gone = w.expert("/fail/410")
    held = w.notices(gone, 500)
    others = w.expert()
    with hold(w, "SELECT FROM squad.expert_load WHERE expert_id = %s", gone) as holder:
        p = w.start()
        until = time.monotonic() + 20
        while len(w.hooks(held)) < 500:
            assert time.monotonic() < until, "what waits keeps the places of others"
            time.sleep(0.02)
        ids = w.notices(others, 500)
        w.wait_states(ids, delivered=500, timeout_s=12)
        holder.execute("ROLLBACK")
    w.wait_states(held, undeliverable=500)
    w.stop(p)
    assert len(w.hooks(held)) == 500 and w.load(gone) == 0


def test_a_result_that_waits_at_the_deadline_is_said(w):
    [notice] = w.notices(w.expert())
    with hold(w, HELD["dispatch"], [notice]):
        p = w.start("--shutdown-timeout", "1500")
        w.wait_states([notice], sending=1)
        time.sleep(0.5)
        p.terminate()
        assert p.wait(10) == 8
        assert "1 notices were under way" in w.log(p)


def test_what_a_killed_one_held_does_not_stop_its_next_start(w):
    w.policy(timeout_ms=30000)
    [notice] = w.notices(w.expert("/hang"))
    p = w.start(instance="r")
    w.wait_states([notice], sending=1)
    p.kill()
    p.wait()
    with hold(w, HELD["notice"], [notice]):
        ids = w.notices(w.expert(), 10)
        p = w.start(instance="r")
        w.wait_states(ids, delivered=10, timeout_s=20)
        w.stop(p)


def test_results_are_written_while_more_can_not_be_sent(w):
    ids = w.notices(w.expert(path=None), 2000)
    p = w.start("--concurrency", "8")
    until = time.monotonic() + 20
    while not w.states(ids)["undeliverable"]:
        assert time.monotonic() < until
        time.sleep(0.005)
    assert w.states(ids)["pending"], "all were claimed before the first result was written"
    w.wait_states(ids, undeliverable=2000)
    w.stop(p)


def test_term_is_heard_while_much_is_dropped(w):
    expert = w.expert()
    ids = [r[0] for r in w.db.execute("INSERT INTO squad.notice (expert_id, channel, message) SELECT %s, 'webhook', 'break' "
                                      "FROM generate_series(1, 20000) RETURNING id", (expert,))]
    p = w.start("--concurrency", "8")
    until = time.monotonic() + 20
    while not w.states(ids)["dropped"]:
        assert time.monotonic() < until
        time.sleep(0.005)
    w.stop(p)
    assert w.states(ids)["pending"]


def amend(w, notice, problem):
    w.db.execute("SELECT squad.ticket_amend(t.client_id, t.id, squad.ticket_version(t.id), jsonb_build_object('problem', %s::text),"
                 " 'test') FROM squad.ticket t JOIN squad.notice n ON n.ticket_id = t.id WHERE n.id = %s", (problem, notice))


def test_what_is_said_of_an_offer_does_not_overtake_an_amendment(w):
    [notice] = w.notices(w.expert())
    w.drain()
    amend(w, notice, "Smoke")
    w.db.execute("UPDATE squad.notice SET state = 'sending', attempts = 1, next_attempt_at = now() + interval '1 h' "
                 "WHERE message = 'amended' AND ticket_id = (SELECT ticket_id FROM squad.notice WHERE id = %s)", (notice,))
    amend(w, notice, "Fire")
    w.drain()
    assert w.others(notice) == [("amended", "sending"), ("amended", "pending")]
    w.call_off(notice)
    w.drain()
    assert w.others(notice) == [("amended", "sending"), ("amended", "pending"), ("over", "pending")]
    w.db.execute("UPDATE squad.notice SET state = 'delivered', ended_at = now() WHERE state = 'sending' AND message = 'amended' "
                 "AND ticket_id = (SELECT ticket_id FROM squad.notice WHERE id = %s)", (notice,))
    w.drain()
    w.drain()
    assert w.others(notice) == [("amended", "delivered"), ("amended", "dropped"), ("over", "delivered")]


def test_no_spelling_of_an_address_evades_the_limit_of_its_host(w):
    w.policy(timeout_ms=30000)
    host = w.hook_url.removeprefix("http://").replace("127.0.0.1", "localhost")
    ids = [w.notices(w.expert(address=a), 2) for a in
           (f"http://{host}/hang", f"http://ana@{host}/hang", f"HTTP://a:b@LOCALHOST:{host.split(':')[1]}/hang",
            f"http://{host}?hang", f"http://{host}#hang")]
    ids = [i for two in ids for i in two]
    p = w.start("--per-host", "1")
    time.sleep(2)
    states = w.states(ids)
    assert (states["sending"] + states["delivered"] + states["undeliverable"], states["pending"]) == (1, 9)
    p.kill()


def test_another_instance_takes_over_when_the_claim_ends(w):
    w.policy(timeout_ms=30000)
    ids = w.notices(w.expert("/hang"), 5)
    p = w.start(instance="gone")
    w.wait_states(ids, sending=5)
    p.kill()
    p.wait()
    w.db.execute("UPDATE squad.expert_contact SET address = %s WHERE address LIKE '%%/hang'", (w.hook_url + "/",))
    w.drain(instance="heir")
    assert w.states(ids) == {"sending": 5}, "a live claim was taken"
    w.db.execute("UPDATE squad.notice SET next_attempt_at = clock_timestamp() WHERE id = ANY (%s)", (ids,))
    w.drain(instance="heir")
    assert w.states(ids) == {"delivered": 5}


def test_term_finishes_what_is_in_flight(w):
    ids = w.notices(w.expert("/slow/1"), 30)
    w.policy(timeout_ms=5000)
    p = w.start()
    w.wait_states(ids, sending=30)
    time.sleep(0.2)
    w.stop(p)
    assert w.states(ids) == {"delivered": 30}


def test_term_does_not_wait_beyond_its_deadline(w):
    w.policy(timeout_ms=20000)
    ids = w.notices(w.expert("/hang"), 3)
    p = w.start("--shutdown-timeout", "500")
    w.wait_states(ids, sending=3)
    began = time.monotonic()
    p.terminate()
    assert p.wait(10) == 8
    assert time.monotonic() - began < 3


def test_a_completed_assignment_is_still_told(w):
    expert = w.expert()
    [notice] = w.notices(expert)
    w.db.execute("SELECT squad.assignment_complete((SELECT assignment_id FROM squad.notice WHERE id = %s), 'test')",
                 (notice,))
    w.drain()
    assert w.row(notice)["state"] == "delivered" and w.assignment(notice) == "completed"
    assert w.load(expert) == 0


def test_an_offer_that_is_over_is_not_sent_and_nobody_hears_of_its_end(w):
    [notice] = w.notices(w.expert())
    w.call_off(notice)
    w.drain()
    assert w.row(notice)["state"] == "dropped" and w.row(notice)["attempts"] == 0
    assert w.others(notice) == [("over", "dropped")]
    assert w.hooks_of(notice) == []


def test_the_end_of_an_offer_waits_for_the_offer(w):
    [notice] = w.notices(w.expert())
    w.db.execute("UPDATE squad.notice SET next_attempt_at = now() + interval '1 h' WHERE id = %s", (notice,))
    w.call_off(notice)
    w.drain()
    assert w.others(notice) == [("over", "pending")]
    w.db.execute("UPDATE squad.notice SET next_attempt_at = now() WHERE id = %s", (notice,))
    w.drain()
    w.drain()
    assert w.others(notice) == [("over", "dropped")]


@pytest.mark.parametrize("heard", ["accepted by the link", "sent, and the answer was lost"])
def test_who_may_know_of_an_offer_that_counts_as_undelivered_hears_of_its_end(w, heard):
    [notice] = w.notices(w.expert())
    w.db.execute("UPDATE squad.notice SET state = 'sending', attempts = 1 WHERE id = %s", (notice,))
    if heard.startswith("accepted"):
        w.db.execute("SELECT squad.offer_accept((SELECT assignment_id FROM squad.notice WHERE id = %s), NULL, 'test')", (notice,))
        w.db.execute("SELECT squad.notice_finish(ARRAY[%s::uuid], '{1}', '{f}', '{500}', '{late}', 'test')", (notice,))
        assert w.row(notice)["state"] == "undeliverable"
    w.call_off(notice)
    w.drain()
    w.drain()
    assert w.others(notice) == [("over", "delivered")]


@pytest.mark.parametrize("args,says", [
    (("--company-webhook", "example.com/hook"), "--company-webhook"), (("--company-secret", "hush"), "--company-secret")])
def test_a_company_that_can_not_be_told_is_said_at_the_start(w, args, says):
    p = w.start(*args)
    assert p.wait(10) == 2 and says in w.log(p)


def test_the_end_of_a_delivered_offer_says_why(w):
    [notice] = w.notices(w.expert())
    w.drain()
    w.call_off(notice)
    w.drain()
    offer, over = w.hooks_of(notice)
    assert (offer["type"], over["type"], over["state"], over["reason"]) == ("offer", "over", "canceled", "customer")
    assert over["assignment_id"] == offer["assignment_id"] and "customer" not in over["ticket"]


def test_an_amended_ticket_is_told_with_what_is_new(w):
    [notice] = w.notices(w.expert())
    w.drain()
    w.db.execute("SELECT squad.ticket_amend(t.client_id, t.id, squad.ticket_version(t.id), '{\"problem\": \"Smoke\"}', 'test')"
                 " FROM squad.ticket t JOIN squad.notice n ON n.ticket_id = t.id WHERE n.id = %s", (notice,))
    w.drain()
    offer, amended = w.hooks_of(notice)
    assert (amended["type"], amended["ticket"]["problem"]) == ("amended", "Smoke")
    assert amended["ticket"]["customer"] == offer["ticket"]["customer"] and amended["offer_url"] == offer["offer_url"]


def test_manager_and_customer_hear_at_the_company_s_webhook_that_a_ticket_waits(w):
    def tell(area):
        ticket = w.db.execute(TICKETS, {"n": 1, "expert": 1}).fetchone()[0]
        w.db.execute("UPDATE squad.dispatch SET tell_at = now(), routable_at = routable_at WHERE ticket_id = %s", (ticket,))
        w.db.execute("UPDATE squad.priority SET manager_s = 0, customer_s = 0")
        assert {r[0] for r in w.db.execute("SELECT whom FROM squad.waiting_tell(1000, 'test') WHERE ticket_id = %s", (ticket,))} \
            == {"manager", "customer"}
        return ticket

    def notices(ticket):
        return dict(w.db.execute("SELECT recipient, state || coalesce(': ' || last_error, '') FROM squad.notice"
                                 " WHERE ticket_id = %s", (ticket,)).fetchall())

    ticket = tell("28013")
    secret = w.stack.env["SQUAD_WEBHOOK_SECRET"]
    w.drain("--company-webhook", w.hook_url + "/company", "--public-url", "https://squad.example.com",
            SQUAD_COMPANY_SECRET=secret)
    assert notices(ticket) == {"manager": "delivered", "customer": "delivered"}
    hooks = [h for h in w.stack.hooks() if h["body"].get("ticket", {}).get("id") == str(ticket)]
    assert [h["verified"] for h in hooks] == [True, True]
    bodies = {h["body"]["tell"]: h["body"] for h in hooks}
    assert bodies["manager"]["why_url"] == f"https://squad.example.com/v1/tickets/{bodies['manager']['ref']}/why"
    assert "customer" not in bodies["manager"]["ticket"]
    assert bodies["customer"]["ref"] == bodies["manager"]["ref"]
    assert bodies["customer"]["ticket_url"] == f"https://squad.example.com/v1/tickets/{bodies['customer']['ref']}"
    assert bodies["customer"]["ticket"]["customer"]["phone"] == "+34600123456"
    ticket = tell("28013")
    w.drain()
    assert set(notices(ticket).values()) == {"undeliverable: there is no --company-webhook"}
    ticket = tell("28013")
    w.db.execute("SELECT squad.ticket_cancel(%s, 'customer', 'test')", (ticket,))
    w.drain()
    assert set(notices(ticket).values()) == {"dropped"}


@pytest.mark.parametrize("accepted,state", [(False, "delivered"), (True, "dropped")])
def test_that_a_ticket_waits_is_told_as_long_as_nobody_has_accepted_it(w, accepted, state):
    [offer] = w.notices(w.expert())
    if accepted:
        w.db.execute("SELECT squad.offer_accept((SELECT assignment_id FROM squad.notice WHERE id = %s), NULL, 'test')", (offer,))
    waiting = w.db.execute("INSERT INTO squad.notice (ticket_id, channel, message, recipient) SELECT ticket_id, channel, 'waiting',"
                           " 'manager' FROM squad.notice WHERE id = %s RETURNING id", (offer,)).fetchone()[0]
    w.drain("--company-webhook", w.hook_url + "/company")
    assert w.row(waiting)["state"] == state


def test_an_expert_on_break_hears_why_unless_he_is_back(w):
    def tire():
        expert = w.expert()
        for _ in range(2):
            [notice] = w.notices(expert)
            w.drain()
            w.db.execute("UPDATE squad.assignment SET expires_at = now() WHERE expert_id = %s AND state = 'offered'", (expert,))
            w.db.execute("SELECT squad.offers_expire(1000, 'test')")
        return expert

    def message(expert):
        return w.db.execute("SELECT id, state FROM squad.notice WHERE expert_id = %s AND message = 'break'", (expert,)).fetchone()

    expert = tire()
    w.drain()
    notice, state = message(expert)
    assert state == "delivered"
    [hook] = w.hooks([notice])
    assert hook["body"]["expert"]["id"] == expert and hook["body"]["reason"] == "2 offers in a row timed out"
    expert = tire()
    w.db.execute("SELECT squad.expert_status_set(%s, 'available', NULL, 'test')", (expert,))
    w.drain()
    assert message(expert)[1] == "dropped"


def test_events_wake_it_between_sweeps(w):
    relay = subprocess.Popen([str(BIN / "squad-relay")], stderr=subprocess.DEVNULL,
                             env=w.stack.supervisor.base_env | {"SQUAD_DB": w.stack.env["SQUAD_DB"].replace(" user=squad", ""),
                                                                "SQUAD_KAFKA": w.stack.env["SQUAD_KAFKA"]})
    try:
        p = w.start("--sweep-interval", "60000", instance="events")
        expert = w.expert()
        [first] = w.notices(expert)
        w.wait_states([first], delivered=1)
        took = []
        for _ in range(20):
            began = time.monotonic()
            [notice] = w.notices(expert)
            w.wait_states([notice], delivered=1)
            took.append(time.monotonic() - began)
        print(f"by event: median {sorted(took)[10] * 1000:.0f} ms, most {max(took) * 1000:.0f} ms")
        assert sorted(took)[10] < 5
        w.stop(p)
    finally:
        relay.terminate()
        relay.wait()


def test_postgresql_away_for_a_while_loses_no_result(w):
    w.policy(max_attempts=1, timeout_ms=5000)
    ids = w.notices(w.expert("/slow/1"), 40)
    p = w.start()
    w.wait_states(ids, sending=40)
    until = time.monotonic() + 10
    while len(w.hooks(ids)) < 40:
        assert time.monotonic() < until
        time.sleep(0.02)
    postgres = w.stack.process("postgres")
    old = w.stack.kill("postgres", signal.SIGQUIT)
    w.stack.wait_back("postgres", old)
    assert postgres.running()
    for _ in range(200):
        try:
            w.db = w.stack.db()
            break
        except Exception:
            time.sleep(0.05)
    w.wait_states(ids, delivered=40, timeout_s=15)
    w.stop(p)
    assert len(w.hooks(ids)) == 40, "sent again though the results were known"
    log = w.log(p)
    assert log.count("notifier waits for PostgreSQL") == 1 and log.count("PostgreSQL is back") == 1, log


def test_without_kafka_the_sweep_goes_on(w):
    p = w.start("--kafka", f"127.0.0.1:{closed_port()}", instance="nokafka")
    time.sleep(0.5)
    expert, took = w.expert(), []
    for _ in range(10):
        began = time.monotonic()
        ids = w.notices(expert, 3)
        w.wait_states(ids, delivered=3)
        took.append(time.monotonic() - began)
    print(f"without Kafka: most {max(took):.2f} s")
    assert max(took) < 5
    w.stop(p)


def test_a_missing_topic_ends_it_with_a_hint(w):
    p = w.start("--topic-prefix", "nosuch")
    assert p.wait(10) == 5
    assert "squad topics" in w.log(p)
