"""squad-intake, request by request: what is stored, what is refused and how it is said."""
import sys
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from client import ticket  # noqa: E402
from intake_alone import OTHER_KEY, alone, client, intake, parts  # noqa: E402,F401


# --- one request ---


def test_a_ticket_is_stored_with_its_event_in_one_transaction(intake, client):
    status, headers, made = client.request("POST", "/v1/tickets", ticket(1), {
        "Idempotency-Key": "one", "X-Request-Id": "web-1",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    assert status == 201 and set(made) == {"ref", "id", "state", "created_at", "tracking"}
    assert headers["Location"] == f"/v1/tickets/{made['ref']}" and headers["X-Request-Id"] == "web-1"
    with intake.db() as db:
        row = db.execute("""SELECT t.ref, o.aggregateid = t.id::text, o.xid::text = t.xmin::text, o.payload,
                                   o.traceparent, o.type, o.aggregatetype
                              FROM squad.ticket t JOIN squad.outbox o ON o.aggregateid = t.id::text
                             WHERE t.id = %s""", (made["id"],)).fetchall()
    assert len(row) == 1
    ref, same_id, same_xid, payload, trace, kind, aggregate = row[0]
    assert (ref, same_id, same_xid) == (made["ref"], True, True)
    assert payload == {"ticket_id": made["id"], "ref": made["ref"], "type": ticket(1)["type"],
                       "area": ticket(1)["area"], "source": "web", "created_at": made["created_at"]}
    assert trace == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert (kind, aggregate) == ("squad.ticket.created.v1", "ticket")


def test_the_same_key_gives_the_same_ticket_and_another_body_422(client):
    first = client.post(ticket(2), "two")
    again = client.post(ticket(2), "two")
    other = client.post(ticket(3), "two")
    assert first[0] == again[0] == 201 and first[2] == again[2]
    assert first[1]["Idempotency-Replayed"] is None and again[1]["Idempotency-Replayed"] == "true"
    assert other[0] == 422 and other[2]["type"] == "/problems/idempotency-key-reused"


def test_keys_of_two_clients_are_apart(intake, client):
    second = intake.client(OTHER_KEY)
    mine, theirs = client.post(ticket(4), "shared"), second.post(ticket(5), "shared")
    assert mine[0] == theirs[0] == 201 and mine[2]["id"] != theirs[2]["id"]
    assert second.request("GET", f"/v1/tickets/{mine[2]['ref']}")[0] == 404
    second.close()


def test_a_ticket_is_shown_by_reference_as_people_write_it_and_by_id(client):
    _, _, made = client.post(ticket(6))
    for name in (made["ref"], made["ref"].lower().replace("-", "%20"), made["id"]):
        status, _, shown = client.request("GET", f"/v1/tickets/{name}")
        assert status == 200, shown
        assert (shown["ref"], shown["id"], shown["state"], shown["flags"]) == (made["ref"], made["id"], "received", [])
        assert shown["created_at"] == shown["since"] == made["created_at"]
    for name in ("AAAAA-AAAAA", "nonsense", str(uuid.uuid4())):
        assert client.request("GET", f"/v1/tickets/{name}")[0] == 404


def test_a_call_has_one_ticket_whoever_posts_it(intake, client):
    path = "/v1/calls/acme/call-%2F77@host/ticket"
    first = client.request("POST", path, {"type": "tv", "area": "28013", "problem": "x"})
    again = client.request("POST", path, {"type": "internet", "area": "28013", "problem": "another"})
    second = intake.client(OTHER_KEY)
    theirs = second.request("POST", path, {"type": "tv", "area": "28013", "problem": "x"})
    second.close()
    assert (first[0], again[0], theirs[0]) == (201, 200, 200)
    assert first[2]["ref"] == again[2]["ref"] == theirs[2]["ref"]
    assert intake.one("SELECT source || ' ' || call_id FROM squad.ticket WHERE ref = %s", first[2]["ref"]) \
        == "phone call-/77@host"
    assert client.request("POST", "/v1/calls/a%20b/c/ticket", ticket())[0] == 404


def test_completing_an_assignment_frees_it_and_says_the_same_twice(intake, client):
    _, _, made = client.post(ticket(0))
    job = str(uuid.uuid4())
    with intake.db() as db:
        db.execute("""
            INSERT INTO squad.skill VALUES ('tv', 'tv') ON CONFLICT DO NOTHING;
            INSERT INTO squad.ticket_type VALUES ('tv', 'tv', 3) ON CONFLICT DO NOTHING;
            INSERT INTO squad.expert (id, name) VALUES (1, 'Ana') ON CONFLICT DO NOTHING;
            INSERT INTO squad.expert_area VALUES (1, '2') ON CONFLICT DO NOTHING;
            INSERT INTO squad.expert_load (expert_id) VALUES (1) ON CONFLICT DO NOTHING""")
        version = db.execute("SELECT version FROM squad.expert WHERE id = 1").fetchone()[0]
        # What an assigner does, in one statement.
        db.execute("""
            WITH d AS (INSERT INTO squad.dispatch (ticket_id, state, type, area, priority, created_at)
                       SELECT id, 'assigned', type, area, 3, created_at FROM squad.ticket WHERE id = %(t)s),
                 l AS (UPDATE squad.expert_load SET load = load + 1 WHERE expert_id = 1)
            INSERT INTO squad.assignment (id, ticket_id, expert_id, attempt, expert_version, why)
            VALUES (%(a)s, %(t)s, 1, 1, %(v)s, '{}')""", {"t": made["id"], "a": job, "v": version})
    shown = client.request("GET", f"/v1/tickets/{made['ref']}")[2]
    assert shown["state"] == "assigned" and shown["assignment"]["expert"] == {"id": 1, "name": "Ana"}
    first = client.request("POST", f"/v1/assignments/{job}/complete")
    again = client.request("POST", f"/v1/assignments/{job}/complete")
    assert first[0] == again[0] == 200 and first[2] == again[2]
    assert first[2]["ref"] == made["ref"] and first[2]["state"] == "completed" and first[2]["ended_at"]
    assert client.request("GET", f"/v1/tickets/{made['ref']}")[2]["state"] == "completed"
    assert client.request("POST", f"/v1/assignments/{uuid.uuid4()}/complete")[0] == 404
    assert client.request("POST", "/v1/assignments/nonsense/complete")[0] == 404


def test_errors_are_problems_that_name_the_field(client):
    status, headers, p = client.post({"type": "tv", "customer": {"email": "x"}, "emial": 1})
    assert status == 422 and headers["Content-Type"] == "application/problem+json"
    assert {e["pointer"] for e in p["errors"]} == {"/problem", "/area", "/customer/email", "/emial"}
    assert p["request_id"] == headers["X-Request-Id"] and p["type"] == "/problems/validation" and p["status"] == 422


def test_who_may_not_come_in_is_told_why(intake, client):
    for key in ("wrong", ""):
        c = intake.client(key)
        status, headers, _ = c.post(ticket())
        assert status == 401 and headers["WWW-Authenticate"].startswith("Bearer")
        c.close()
    with intake.db() as db:
        db.execute("INSERT INTO squad.client (name, key_hash) VALUES ('new', sha256('sk_new'))")
    time.sleep(0.25)  # the pause between two refreshes for unknown keys
    c = intake.client("sk_new")
    assert c.post(ticket())[0] == 201
    with intake.db() as db:
        db.execute("UPDATE squad.client SET revoked_at = now() WHERE name = 'new'")
    until = time.monotonic() + 10  # it looks every second
    while c.post(ticket())[0] == 201 and time.monotonic() < until:
        time.sleep(0.1)
    assert c.post(ticket())[0] == 401
    c.close()


def test_wrong_paths_methods_types_and_sizes(client):
    assert client.request("GET", "/nothing")[0] == 404
    status, headers, _ = client.request("DELETE", "/v1/tickets")
    assert status == 405 and headers["Allow"] == "POST, GET, HEAD"
    status, headers, _ = client.request("POST", "/v1/tickets/AAAAA-AAAAA", {})
    assert status == 405 and headers["Allow"] == "GET, HEAD, PATCH"
    assert client.request("POST", "/v1/tickets", ticket())[2]["type"] == "/problems/idempotency-key-missing"
    k = {"Idempotency-Key": "sizes"}
    assert client.request("POST", "/v1/tickets", ticket(), k | {"Content-Type": "text/plain"})[0] == 415
    assert client.request("POST", "/v1/tickets", ticket(), k | {"Content-Type": "application/json; charset=utf-8"})[0] == 201
    assert client.request("POST", "/v1/tickets", ticket(problem="x" * 70000), {"Idempotency-Key": "big"})[0] == 413
    assert client.request("GET", "/livez")[0] == 200  # the connection survived all that
    assert client.request("POST", "/v1/tickets", ticket(), {"Idempotency-Key": "k" * 256})[0] == 400
    assert client.request("POST", "/v1/tickets", ticket(problem="é" * 4000), {"Idempotency-Key": "long"})[0] == 201
