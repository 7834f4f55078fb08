"""What experts and managers do over HTTP: offers, the page behind a link, steps of a job, reassign, why, experts."""
import json
import re
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from client import Client, ticket  # noqa: E402
from stack import Stack  # noqa: E402

TV = (1, 2, 5, 7, 10, 12)  # who can mend a television in 28013


@pytest.fixture(scope="module")
def stack():
    with Stack(capacity=50) as s:
        yield s


@pytest.fixture
def client(stack):
    with stack.db() as db:  # everybody at work, and nothing that was left makes anybody busy
        db.execute("UPDATE squad.ticket_type SET offer_timeout_s = 600 WHERE type = 'tv'")
        for expert in range(1, 13):
            db.execute("SELECT squad.expert_status_set(%s, 'available', NULL, 'test')", (expert,))
    c = Client(stack.env)
    yield c
    c.close()


def offered(stack, client, **change):
    """A ticket that an expert has been notified of: reference, offer, expert, body of the webhook."""
    status, _, answer = client.post(ticket(**change))
    assert status == 201
    ref = answer["ref"]
    stack.wait_sql("SELECT coalesce((SELECT a.state FROM squad.assignment a JOIN squad.ticket t ON t.id = a.ticket_id"
                   " WHERE t.ref = %s AND a.ended_at IS NULL), '-')", ref, expected="offered")
    [hook] = [h["body"] for h in stack.hooks() if h["body"].get("ref") == ref and h["body"]["type"] == "offer"][-1:]
    return ref, hook["assignment_id"], hook["expert"]["id"], hook


def state(stack, offer):
    return stack.one("SELECT state FROM squad.assignment WHERE id = %s", offer)


def test_an_offer_is_accepted_once_and_again_without_effect(stack, client):
    ref, offer, expert, _ = offered(stack, client)
    for _ in range(2):
        status, _, answer = client.request("POST", f"/v1/offers/{offer}/accept", {"expert_id": expert})
        assert (status, answer["state"], answer["ref"]) == (200, "accepted", ref)
    assert stack.one("SELECT count(*) FROM squad.ticket_event e JOIN squad.ticket t ON t.id = e.ticket_id"
                     " WHERE t.ref = %s AND e.kind = 'accepted'", ref) == 1


def test_an_offer_is_its_experts_alone(stack, client):
    _, offer, expert, _ = offered(stack, client)
    other = next(e for e in TV if e != expert)
    assert client.request("POST", f"/v1/offers/{offer}/accept", {"expert_id": other})[0] == 404
    assert client.request("POST", f"/v1/offers/{uuid.uuid4()}/accept")[0] == 404
    assert client.request("POST", "/v1/offers/7/accept")[0] == 404
    assert state(stack, offer) == "offered"


def test_a_declined_ticket_goes_to_another_expert_within_a_second(stack, client):
    ref, offer, expert, _ = offered(stack, client)
    start = time.monotonic()
    status, _, answer = client.request("POST", f"/v1/offers/{offer}/decline", {"reason": "too_far"})
    assert (status, answer["state"]) == (200, "declined")
    stack.wait_sql("SELECT count(*) FROM squad.assignment a JOIN squad.ticket t ON t.id = a.ticket_id"
                   " WHERE t.ref = %s AND a.ended_at IS NULL AND a.expert_id <> %s", ref, expert, expected=1)
    assert time.monotonic() - start < 3, "bound for a loaded machine; the goal is a second"
    status, _, answer = client.request("POST", f"/v1/offers/{offer}/accept")
    assert status == 409 and "declined" in answer["detail"]
    assert client.request("POST", f"/v1/offers/{offer}/decline", {"reason": "busy"})[0] == 200  # had been: no effect
    assert stack.one("SELECT code FROM squad.assignment WHERE id = %s", offer) == "too_far"


def test_a_wrong_body_is_answered_with_each_rule_it_breaks(client, stack):
    _, offer, _, _ = offered(stack, client)
    for path, body, pointer in ((f"/v1/offers/{offer}/decline", {"reason": "lazy"}, "/reason"),
                                (f"/v1/offers/{offer}/decline", {"reason": "or"}, "/reason"),
                                (f"/v1/offers/{offer}/accept", {"expert_id": "1"}, "/expert_id"),
                                (f"/v1/offers/{offer}/accept", {"expert": 1}, "/expert"),
                                (f"/v1/offers/{offer}/accept", [1], "")):
        status, headers, answer = client.request("POST", path, body)
        assert (status, headers["Content-Type"]) == (422, "application/problem+json"), (path, body, answer)
        assert answer["errors"][0]["pointer"] == pointer, answer
    assert state(stack, offer) == "offered"


def test_the_list_of_an_expert_waits_for_news(stack, client):
    ref, offer, expert, _ = offered(stack, client)
    status, headers, answer = client.request("GET", f"/v1/me/offers?expert={expert}")
    assert status == 200 and offer in [o["id"] for o in answer["offers"]]
    [mine] = [o for o in answer["offers"] if o["id"] == offer]
    assert (mine["ref"], mine["state"], mine["type"]) == (ref, "offered", "tv") and mine["expires_at"]
    etag = headers["ETag"]
    started, got = time.monotonic(), []

    def wait():
        c = Client(stack.env, timeout_s=30)
        got.append(c.request("GET", f"/v1/me/offers?expert={expert}", headers={"If-None-Match": etag, "Prefer": "wait=20"}))
        got.append(time.monotonic() - started)
        c.close()
    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(1)
    assert not got, "answered though nothing had changed"
    client.request("POST", f"/v1/offers/{offer}/accept")
    waiter.join()
    assert got[0][0] == 200 and got[1] < 10
    assert [o["state"] for o in got[0][2]["offers"] if o["id"] == offer] == ["accepted"]
    assert client.request("GET", "/v1/me/offers")[0] == 400
    assert client.request("GET", "/v1/me/offers?expert=x")[0] == 400
    assert client.request("GET", "/v1/me/offers?expert=999")[0] == 404


def test_a_get_of_the_link_never_answers_the_offer_and_its_buttons_do(stack, client):
    _, offer, _, hook = offered(stack, client)
    url = stack.env["SQUAD_URL"] + hook["offer_url"]
    for _ in range(3):
        page = requests.get(url, timeout=5)
        assert page.status_code == 200 and "Accept" in page.text and "Decline" in page.text
        assert "+34600123456" not in page.text, "the customer's number is for the one who has accepted"
        requests.head(url, timeout=5)
    assert state(stack, offer) == "offered"
    page = requests.post(url, data={"answer": "accept"}, timeout=5)
    assert page.status_code == 200 and "This one is yours" in page.text and "+34600123456" in page.text
    assert state(stack, offer) == "accepted"
    page = requests.post(url, data={"answer": "accept"}, timeout=5)
    assert "This one is yours" in page.text


def test_the_link_declines_with_a_reason(stack, client):
    _, offer, _, hook = offered(stack, client)
    page = requests.post(stack.env["SQUAD_URL"] + hook["offer_url"], data={"answer": "decline", "reason": "wrong_skill"}, timeout=5)
    assert "You have declined" in page.text
    assert stack.one("SELECT code FROM squad.assignment WHERE id = %s", offer) == "wrong_skill"
    assert stack.one("SELECT count(*) FROM rpt.skill_review") >= 1


def test_a_link_that_is_not_whole_or_guessed_leads_nowhere(stack, client):
    _, offer, _, hook = offered(stack, client)
    base = stack.env["SQUAD_URL"] + "/o/"
    for link in (offer, offer + ".", f"{offer}.{uuid.uuid4()}", f"{uuid.uuid4()}.{hook['offer_url'][-36:]}", "x", "%3Cb%3E"):
        for method in ("GET", "POST"):
            page = requests.request(method, base + link, data={"answer": "accept"} if method == "POST" else None, timeout=5)
            assert page.status_code == 404, (method, link, page.status_code)
    page = requests.post(stack.env["SQUAD_URL"] + hook["offer_url"], data={"answer": "maybe"}, timeout=5)
    assert page.status_code == 400
    assert state(stack, offer) == "offered"


def test_a_job_goes_its_steps_by_the_tickets_reference(stack, client):
    ref, offer, expert, _ = offered(stack, client)
    assert client.request("POST", f"/v1/tickets/{ref}/en-route")[0] == 409  # not accepted yet
    client.request("POST", f"/v1/offers/{offer}/accept")
    for step in ("en-route", "arrived", "complete"):
        assert client.request("POST", f"/v1/tickets/{ref}/{step}", {"expert_id": expert + 1})[0] == 404, step
    for step, expected in (("en-route", "en_route"), ("en-route", "en_route"), ("arrived", "on_site"), ("en-route", "on_site"),
                           ("complete", "completed"), ("complete", "completed")):
        status, _, answer = client.request("POST", f"/v1/tickets/{ref}/{step}")
        assert (status, answer["state"]) == (200, expected), (step, answer)
    assert client.request("POST", f"/v1/tickets/{ref}/arrived")[2]["state"] == "completed"  # farther than that
    assert stack.one("SELECT load FROM squad.expert_load WHERE expert_id = %s", expert) == stack.one(
        "SELECT count(*) FROM squad.assignment WHERE expert_id = %s AND ended_at IS NULL", expert)
    assert client.request("POST", "/v1/tickets/00000-00000/arrived")[0] == 404


def test_a_manager_reassigns_and_what_he_breaks_is_recorded(stack, client):
    ref, offer, expert, _ = offered(stack, client)
    other = next(e for e in TV if e != expert)
    status, _, answer = client.request("POST", f"/v1/tickets/{ref}/reassign", {"expert_id": other, "reason": "closer"})
    assert (status, answer["outcome"]) == (200, "reassigned"), answer
    assert state(stack, offer) == "rescinded"
    status, _, answer = client.request("POST", f"/v1/tickets/{ref}/reassign", {"expert_id": 3})  # has no such skill
    assert status == 409 and "lacks a required skill" in answer["detail"] and "override" in answer["detail"]
    status, _, answer = client.request("POST", f"/v1/tickets/{ref}/reassign", {"expert_id": 3, "override": True})
    assert (status, answer["override"]) == (200, ["skill"])
    assert stack.one("SELECT a.override::text FROM squad.assignment a WHERE a.id = %s", answer["assignment_id"]) == "{skill}"
    assert client.request("POST", f"/v1/tickets/{ref}/reassign", {"expert_id": 999})[0] == 404
    status, _, answer = client.request("POST", f"/v1/tickets/{ref}/reassign", {})
    assert (status, answer["outcome"]) == (200, "requeued")
    stack.wait_sql("SELECT count(*) FROM squad.assignment a JOIN squad.ticket t ON t.id = a.ticket_id"
                   " WHERE t.ref = %s AND a.ended_at IS NULL AND a.expert_id NOT IN (3, %s)", ref, other, expected=1)


def test_a_manager_puts_a_waiting_ticket_first(stack, client):
    refs = [client.post(ticket(area="99001"))[2]["ref"] for _ in range(2)]
    for ref in refs:
        stack.wait_sql("SELECT count(*) FROM squad.dispatch d JOIN squad.ticket t ON t.id = d.ticket_id"
                       " WHERE t.ref = %s AND d.state = 'parked'", ref, expected=1)
    status, _, answer = client.request("PUT", f"/v1/tickets/{refs[1]}/priority", {"priority": 1, "reason": "elderly"})
    assert (status, answer["priority"], answer["state"]) == (200, 1, "parked"), answer
    status, _, why = client.request("GET", f"/v1/tickets/{refs[1]}/why")
    assert why["priority"] == 1
    with stack.db() as db:  # a slot for one of the two
        db.execute("UPDATE squad.expert_load SET capacity = load + 1 WHERE expert_id = %s", (TV[0],))
        db.execute("INSERT INTO squad.expert_area SELECT id, '99' FROM squad.expert WHERE id = %s", (TV[0],))
    of = ("SELECT d.state || d.priority FROM squad.dispatch d JOIN squad.ticket t ON t.id = d.ticket_id WHERE t.ref = %s")
    stack.wait_sql(of, refs[1], expected="assigned1")
    assert stack.one(of, refs[0]) == "parked3"
    with stack.db() as db:
        db.execute("DELETE FROM squad.expert_area WHERE prefix = '99'")
        db.execute("UPDATE squad.expert_load SET capacity = 50 WHERE expert_id = %s", (TV[0],))
        for ref in refs:
            db.execute("SELECT squad.ticket_cancel(id, 'test', 'test') FROM squad.ticket WHERE ref = %s", (ref,))
    for wrong in ({"priority": 6}, {"priority": 2.5}, {"assign_due": "soon"}):
        assert client.request("PUT", f"/v1/tickets/{refs[0]}/priority", wrong)[0] == 422
    status, _, answer = client.request("PUT", f"/v1/tickets/{refs[0]}/priority", {"priority": 2})
    assert status == 409 and answer["detail"] == "The ticket is canceled."


def test_why_counts_filters_names_the_nearest_and_agrees_with_the_command(stack, client):
    with stack.db() as db:
        for expert in TV:
            db.execute("SELECT squad.expert_status_set(%s, 'break', 'lunch', 'test')", (expert,))
    status, _, answer = client.post(ticket())
    ref = answer["ref"]
    stack.wait_sql("SELECT coalesce((SELECT d.parked ->> 'presence' FROM squad.dispatch d JOIN squad.ticket t ON t.id = d.ticket_id"
                   " WHERE t.ref = %s), '-')", ref, expected="6")
    status, _, why = client.request("GET", f"/v1/tickets/{ref}/why")
    assert status == 200 and why["state"] == "parked" and why["fit"] == 0
    assert why["chain"] == "12 experts -> serves the area 10 -> skill tv>=2 6 -> available 0"
    assert why["near"][0]["lacks"][0]["what"] == "is on break"
    assert {w["what"] for w in why["wakes"]} == {"presence"}
    told = json.loads(stack.squad("why", ref, "--json").stdout)
    assert (told["chain"], told["near"], told["filters"]) == (why["chain"], why["near"], why["filters"])
    with stack.db() as db:
        why_text, = db.execute("SELECT why FROM rpt.parked WHERE ref = %s", (ref,)).fetchone()
    assert re.search(r"6 not available", why_text), why_text
    client.request("PUT", "/v1/experts/7/status", {"status": "available"})
    stack.wait_sql("SELECT coalesce((SELECT a.expert_id FROM squad.assignment a JOIN squad.ticket t ON t.id = a.ticket_id"
                   " WHERE t.ref = %s AND a.ended_at IS NULL), 0)", ref, expected=7, timeout_s=10)
    status, _, why = client.request("GET", f"/v1/tickets/{ref}/why")
    assert why["tried"][0]["name"] == "Gloria Herrero" and why["tried"][0]["live"]


def test_an_expert_who_goes_offline_gives_offers_back_at_once(stack, client):
    ref, offer, expert, _ = offered(stack, client)
    status, _, answer = client.request("PUT", f"/v1/experts/{expert}/status", {"status": "offline", "reason": "flat tyre"})
    assert status == 200 and answer["rescinded"] >= 1
    assert state(stack, offer) == "rescinded"
    stack.wait_sql("SELECT count(*) FROM squad.assignment a JOIN squad.ticket t ON t.id = a.ticket_id"
                   " WHERE t.ref = %s AND a.ended_at IS NULL AND a.expert_id <> %s", ref, expert, expected=1)


def test_experts_are_changed_and_wrong_values_are_named(stack, client):
    put = lambda what, body, expert=9: client.request("PUT", f"/v1/experts/{expert}/{what}", body)  # noqa: E731
    assert put("skills", {"skills": {"tv": 4, "wiring": 1}})[0] == 200
    assert put("areas", {"areas": ["280", "AB 1"]})[0] == 200
    assert put("location", {"lat": 40.4168, "lon": -3.7038, "at": "2026-11-24T08:00:00+01:00"})[2]["known"] is True
    assert put("location", {"lat": 40.4, "lon": -3.7, "at": "2026-11-24T06:00:00Z"})[2]["known"] is False  # older
    assert put("shifts", {"from": "2031-12-24", "to": "2031-12-25",
                          "shifts": [{"from": "2031-12-24T08:00", "to": "2031-12-24T12:00"}]})[0] == 200
    assert put("shifts", {"zone": "Europe/Madrid", "week": [{"weekday": 1, "starts": "08:00", "ends": "16:00"}]})[0] == 200
    with stack.db() as db:
        assert db.execute("SELECT string_agg(skill || level, ' ' ORDER BY skill) FROM squad.expert_skill WHERE expert_id = 9").fetchone()[0] == "tv4 wiring1"
        assert db.execute("SELECT string_agg(prefix, ' ' ORDER BY prefix) FROM squad.expert_area WHERE expert_id = 9").fetchone()[0] == "280 AB 1"
        assert db.execute("SELECT count(*) FROM squad.expert_shift WHERE expert_id = 9 AND lower(during) = '2031-12-24 08:00 Europe/Madrid'").fetchone()[0] == 1
    for what, body, pointer in (("status", {"status": "away"}, "/status"), ("status", {}, "/status"),
                                ("skills", {"skills": {"tv": 6}}, "/skills/tv"), ("skills", {"skills": {"T V": 1}}, "/skills/T V"),
                                ("areas", {"areas": ["28%"]}, "/areas/0"), ("areas", {"areas": "280"}, "/areas"),
                                ("location", {"lat": 91, "lon": 0}, "/lat"), ("location", {"lat": 1, "lon": 1, "at": "yesterday"}, "/at"),
                                ("shifts", {"from": "2031-02-30", "to": "2031-03-01", "shifts": []}, "/from"),
                                ("shifts", {"from": "2031-12-24", "to": "2031-12-25", "shifts": [{"from": "8", "to": "9"}]}, "/shifts/0"),
                                ("shifts", {"week": [{"weekday": 8, "starts": "08:00", "ends": "16:00"}]}, "/week/0"),
                                ("shifts", {"zone": "Europe/Madird", "week": []}, "/zone"), ("shifts", {"zone": "utc", "week": []}, "/zone"),
                                ("shifts", {"from": "2031-12-25", "to": "2031-12-24", "shifts": []}, "")):
        status, _, answer = put(what, body)
        assert status == 422 and answer["errors"][0]["pointer"] == pointer, (what, body, status, answer)
    assert put("skills", {"skills": {"juggling": 1}})[0] == 409
    assert put("shifts", {"from": "2031-12-24", "to": "2031-12-24", "shifts": [
        {"from": "2031-12-24T08:00", "to": "2031-12-24T12:00"}, {"from": "2031-12-24T11:00", "to": "2031-12-24T13:00"}]})[0] == 409
    assert put("shifts", {"from": "2031-12-24", "to": "2031-12-24", "shifts": [{"from": "2031-12-24T08:00", "to": "2031-12-24T12:00"}] * 2})[0] == 409
    for starts in ("08:00", "11:00"):
        assert put("shifts", {"week": [{"weekday": 1, "starts": "08:00", "ends": "16:00"}, {"weekday": 1, "starts": starts, "ends": "17:00"}]})[0] == 409
    for what, body in (("status", {"status": "busy"}), ("skills", {"skills": {}}), ("areas", {"areas": []}), ("location", {"lat": 1, "lon": 1})):
        assert put(what, body, 999)[0] == 404 and put(what, body, "x")[0] == 404


def test_each_endpoint_asks_for_its_scope(stack, client):
    with stack.db() as db:
        db.execute("INSERT INTO squad.client (name, key_hash, scopes) VALUES ('reader', sha256('reader-key-0123456789'), '{tickets:read}')"
                   " ON CONFLICT DO NOTHING")
    reader = Client(stack.env | {"SQUAD_API_KEY": "reader-key-0123456789"})
    until = time.monotonic() + 10
    while reader.request("GET", "/v1/tickets")[0] == 401 and time.monotonic() < until:
        time.sleep(0.1)
    offer = uuid.uuid4()
    for method, path in (("GET", "/v1/me/offers?expert=1"), ("POST", f"/v1/offers/{offer}/accept"), ("POST", f"/v1/offers/{offer}/decline"),
                         ("POST", "/v1/tickets/00000-00000/en-route"), ("POST", "/v1/tickets/00000-00000/reassign"),
                         ("GET", "/v1/tickets/00000-00000/why"), ("PUT", "/v1/experts/1/status"), ("PUT", "/v1/experts/1/skills")):
        status, _, answer = reader.request(method, path, {} if method == "PUT" else None)
        assert status == 403, (method, path, status, answer)
    reader.close()


def test_nothing_of_this_has_broken_a_promise(stack):
    stack.verify("--wait", "20")
    with stack.db() as db:
        assert db.execute("SELECT * FROM rpt.audit").fetchall() == []
