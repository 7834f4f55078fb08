"""The whole path on real parts: a ticket by HTTP comes out as one notified expert."""
import statistics
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from client import Client, Experts, Load, ticket  # noqa: E402
from stack import Stack  # noqa: E402


@pytest.fixture(scope="module")
def stack():
    with Stack(capacity=1000) as s:
        yield s


@pytest.fixture
def client(stack):
    c = Client(stack.env)
    yield c
    c.close()


def wait_state(client, ref, *states, timeout_s=60):
    until = time.monotonic() + timeout_s
    while True:
        status, _, shown = client.request("GET", f"/v1/tickets/{ref}")
        assert status == 200, shown
        if shown["state"] in states:
            return shown
        assert time.monotonic() < until, shown
        time.sleep(0.02)


def wait_offered(client, ref, timeout_s=60):
    until = time.monotonic() + timeout_s
    while True:
        shown = client.request("GET", f"/v1/tickets/{ref}")[2]
        if (shown.get("assignment") or {}).get("state") == "offered":
            return shown
        assert time.monotonic() < until, shown
        time.sleep(0.02)


def test_a_ticket_reaches_one_expert_with_a_signed_webhook(stack, client):
    status, headers, made = client.post(ticket(0))
    assert status == 201
    assert headers["Location"].endswith(made["ref"])
    assert made["state"] == "received"
    shown = wait_offered(client, made["ref"])
    hooks = [h for h in stack.hooks() if h["body"]["assignment_id"] == shown["assignment"]["id"]]
    assert len(hooks) == 1 and hooks[0]["verified"] is True
    status, _, done = client.request("POST", f"/v1/assignments/{shown['assignment']['id']}/complete")
    assert status == 200
    assert wait_state(client, made["ref"], "completed")
    again, _, _ = client.request("POST", f"/v1/assignments/{shown['assignment']['id']}/complete")
    assert again == 200


def test_the_timeline_shows_every_step(stack, client):
    import json
    made = client.post(ticket(3))[2]
    wait_offered(client, made["ref"])
    facts = json.loads(stack.squad("ticket", "show", made["ref"], "--json").stdout)
    text = json.dumps(facts)
    for word in ("received", "published", "partition", "offset", "reserved", "offered"):
        assert word in text, f"{word} is missing in {text}"
    assert "Ana" not in text and "+34600" not in text
    assert made["ref"] in stack.squad("ticket", "show", made["ref"].lower().replace("-", " ")).stdout


def test_an_unknown_type_is_stored_and_shown_to_a_person(stack, client):
    status, _, made = client.post(ticket(1, type="perpetuum-mobile"))
    assert status == 201
    assert "unknown_type" in wait_state(client, made["ref"], "review")["flags"]


def test_a_ticket_nobody_can_take_says_why_and_is_taken_when_somebody_can(stack, client):
    status, _, made = client.post(ticket(0, area="99999"))
    assert status == 201
    parked = wait_state(client, made["ref"], "parked")["parked"]
    assert parked["experts"] == parked["area"] + parked["inactive"] > 0
    stack.one("INSERT INTO squad.expert_area SELECT id, '999' FROM squad.expert ON CONFLICT DO NOTHING "
              "RETURNING expert_id")
    wait_offered(client, made["ref"])
    with stack.db() as db:
        db.execute("DELETE FROM squad.expert_area WHERE prefix = '999'")


def test_a_call_has_one_ticket(stack, client):
    first = client.request("POST", "/v1/calls/acme/call-1/ticket", ticket(0, source="phone"))
    again = client.request("POST", "/v1/calls/acme/call-1/ticket", ticket(0, source="phone"))
    assert (first[0], again[0]) == (201, 200)
    assert first[2]["ref"] == again[2]["ref"]


def test_kafka_down_is_not_noticed_by_clients(stack, client):
    kafka = stack.process("kafka")
    stack.kill("kafka", 19)
    try:
        refs = [client.post(ticket(i))[2]["ref"] for i in range(20)]
    finally:
        kafka.child.send_signal(18)
    for ref in refs:
        wait_offered(client, ref, timeout_s=60)


def test_2000_tickets_at_full_speed_are_notified_in_time(stack):
    load = Load(stack.env, 2000).start().join()
    stack.wait_sql("SELECT count(*) FROM squad.ticket t WHERE t.ref = ANY (%s) AND NOT EXISTS (SELECT FROM "
                   "squad.notice n WHERE n.ticket_id = t.id AND n.state = 'delivered')", load.acks,
                   timeout_s=30, expected=0)
    took_s = time.monotonic() - load.last_ack_at
    facts = stack.verify("--wait", "10", "--acks", load.write_acks(stack.dir / "acks"))
    assert facts["unnotified"] == 0
    rss = {name: stack.rss_kib(name) for name in ("intake", "relay", "assigner", "notifier")}
    print(f"\nall of 2,000 notified {took_s:.2f} s after the last acknowledgement; RSS KiB {rss}")
    assert took_s <= 25
    if "asan" not in str(stack.supervisor.bin_dir):
        assert rss["relay"] <= 40 * 1024 and rss["intake"] <= 16 * 1024


def test_a_freed_expert_takes_the_waiting_ticket_at_once(stack, client):
    with stack.db() as db:
        db.execute("INSERT INTO squad.skill VALUES ('rare', 'Rare') ON CONFLICT DO NOTHING")
        db.execute("INSERT INTO squad.ticket_type VALUES ('rare', 'Rare') ON CONFLICT DO NOTHING")
        db.execute("INSERT INTO squad.ticket_type_skill VALUES ('rare', 'rare', 3) ON CONFLICT DO NOTHING")
        expert = db.execute("INSERT INTO squad.expert (name) VALUES ('Only One') RETURNING id").fetchone()[0]
        db.execute("INSERT INTO squad.expert_skill VALUES (%s, 'rare', 5)", [expert])
        db.execute("INSERT INTO squad.expert_area VALUES (%s, '28')", [expert])
        db.execute("INSERT INTO squad.expert_contact SELECT %s, 'webhook', %s, secret FROM squad.expert_contact "
                   "LIMIT 1", [expert, stack.env["SQUAD_HOOK_URL"] + "/only-one"])
    refs = [client.post(ticket(0, type="rare"))[2]["ref"] for _ in range(4)]
    waits = []
    for i, ref in enumerate(refs):
        offered = wait_offered(client, ref)
        if i:
            done_at = datetime.fromisoformat(completed["ended_at"].replace("Z", "+00:00"))
            waits.append((datetime.fromisoformat(offered["assignment"]["reserved_at"].replace("Z", "+00:00"))
                          - done_at).total_seconds())
        for later in refs[i + 1:]:
            assert wait_state(client, later, "parked", "received")["state"] in ("parked", "received")
        completed = client.request("POST", f"/v1/assignments/{offered['assignment']['id']}/complete")[2]
    print(f"\nfreed to reserved: {[round(w * 1000) for w in waits]} ms")
    assert statistics.median(waits) < 1


def test_an_expert_who_can_not_be_told_does_not_keep_the_ticket(stack, client):
    with stack.db() as db:
        db.execute("INSERT INTO squad.ticket_type VALUES ('gone', 'Gone') ON CONFLICT DO NOTHING")
        db.execute("INSERT INTO squad.skill VALUES ('gone', 'Gone') ON CONFLICT DO NOTHING")
        db.execute("INSERT INTO squad.ticket_type_skill VALUES ('gone', 'gone', 1) ON CONFLICT DO NOTHING")
        ids = []
        for name, path in (("Deaf", "/fail/410/deaf"), ("Hears", "/hears")):
            expert = db.execute("INSERT INTO squad.expert (name) VALUES (%s) RETURNING id", [name]).fetchone()[0]
            db.execute("INSERT INTO squad.expert_skill VALUES (%s, 'gone', 5)", [expert])
            db.execute("INSERT INTO squad.expert_area VALUES (%s, '28')", [expert])
            db.execute("INSERT INTO squad.expert_contact SELECT %s, 'webhook', %s, secret FROM "
                       "squad.expert_contact LIMIT 1", [expert, stack.env["SQUAD_HOOK_URL"] + path])
            ids.append(expert)
        # The longest idle goes first: the deaf one.
        db.execute("UPDATE squad.expert_load SET idle_since = now() - interval '1 day' WHERE expert_id = %s",
                   [ids[0]])
    time.sleep(0.5)
    ref = client.post(ticket(0, type="gone"))[2]["ref"]
    shown = wait_offered(client, ref)
    assert shown["assignment"]["expert"]["id"] == ids[1]
    assert stack.one("SELECT load FROM squad.expert_load WHERE expert_id = %s", ids[0]) == 0


def test_experts_who_work_drain_a_backlog(stack):
    experts = Experts(stack.env).start()
    load = Load(stack.env, 300, connections=8).start().join()
    stack.wait_sql("SELECT count(*) FROM squad.ticket t JOIN squad.dispatch d ON d.ticket_id = t.id "
                   "WHERE t.ref = ANY (%s) AND d.state <> 'completed'", load.acks, expected=0, timeout_s=120)  # the experts have 2,000 older jobs first
    experts.stop()
    stack.verify("--wait", "10")


def test_the_audit_view_is_empty(stack):
    with stack.db() as db:
        assert db.execute("SELECT * FROM rpt.audit").fetchall() == []
