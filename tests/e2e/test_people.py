"""From the form for people to the expert and back, on the whole stack: quarantine, release, correction, calling off."""
import http.client
import re
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from client import Client, ticket  # noqa: E402
from stack import Stack  # noqa: E402


@pytest.fixture(scope="module")
def stack():
    with Stack(capacity=1000) as s:
        s.squad("client", "add", "website", "--scope", "form")
        until = time.monotonic() + 10
        while page(s, "GET", "/new")[0] != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        yield s


def page(stack, method, path, fields=None):
    c = http.client.HTTPConnection(urlsplit(stack.env["SQUAD_URL"]).netloc, timeout=10)
    c.request(method, path, urlencode(fields) if fields else None,
              {"Accept": "text/html"} | ({"Content-Type": "application/x-www-form-urlencoded"} if fields else {}))
    reply = c.getresponse()
    out = reply.status, reply.headers, reply.read().decode()
    c.close()
    return out


def fill_in(stack, **fields):
    token = re.search(r'name="token" value="([^"]+)"', page(stack, "GET", "/new")[2])[1]
    status, headers, text = page(stack, "POST", "/new", {"token": token, "type": "tv", "area": "28013", "problem": "No picture",
                                                         "customer.name": "Ana Ruiz"} | fields)
    assert status == 303, text
    track = headers["Location"]
    return track, re.search(r'class="ref">([^<]+)', page(stack, "GET", track)[2])[1]


def wait_state(stack, ref, state):
    stack.wait_sql("SELECT coalesce((SELECT d.state FROM squad.dispatch d WHERE d.ticket_id = t.id), 'received') "
                   "FROM squad.ticket t WHERE t.ref = %s", ref, expected=state)


def test_a_person_s_form_finds_an_expert_and_the_page_says_so(stack):
    track, ref = fill_in(stack)
    wait_state(stack, ref, "assigned")
    text = page(stack, "GET", track)[2]
    assert "Expert found" in text and "Hello Ana," in text and "Ruiz" not in text


def test_what_is_quarantined_waits_for_a_person_and_then_goes_its_way(stack):
    _, ref = fill_in(stack, website="http://spam.example")
    _, after = fill_in(stack)
    wait_state(stack, after, "assigned")
    time.sleep(4)  # longer than the sweep for tickets that no event has brought
    wait_state(stack, ref, "quarantined")
    stack.verify("--wait", "10")
    with stack.db() as db:
        assert db.execute("SELECT tickets FROM rpt.backlog WHERE state = 'quarantined'").fetchone()[0] == 1
    listed = json.loads(stack.squad("ticket", "quarantined", "--json").stdout)
    assert [t["ref"] for t in listed] == [ref] and ref in stack.squad("ticket", "quarantined").stdout
    done = stack.squad("ticket", "release", after, check=False)
    assert done.returncode == 1 and "not quarantined" in done.stderr and "squad ticket quarantined" in done.stderr
    assert "released" in stack.squad("ticket", "release", ref.lower(), "--actor", "ana").stdout
    with stack.db() as db:
        assert db.execute("SELECT actor FROM squad.ticket_event WHERE kind = 'released'").fetchall() == [("ana",)]
    wait_state(stack, ref, "assigned")
    stack.verify("--wait", "10")


def test_a_ticket_corrected_and_called_off_leaves_nothing_behind(stack):
    client = Client(stack.env)
    made = client.post(ticket(0))[2]
    wait_state(stack, made["ref"], "assigned")
    path = f"/v1/tickets/{made['ref']}"
    status, _, body = client.request("PATCH", path, {"customer": {"phone": "+34600654321"}},
                                     {"If-Match": "*", "Content-Type": "application/merge-patch+json"})
    assert status == 200 and body["state"] == "assigned"
    assert client.request("POST", path + "/cancel", {"reason": "mistake"})[0] == 200
    stack.wait_sql("SELECT count(*) FROM squad.assignment a JOIN squad.ticket t ON t.id = a.ticket_id "
                   "WHERE t.ref = %s AND a.ended_at IS NULL", made["ref"], expected=0)
    assert client.request("GET", path)[2]["state"] == "canceled"
    kinds = [e["kind"] for e in client.request("GET", path + "/events")[2]["events"]]
    assert kinds[0] == "received" and {"amended", "canceled"} <= set(kinds)
    client.close()
    stack.verify("--wait", "10")


def test_an_assigner_starts_though_no_shifts_can_be_made(stack):
    client = Client(stack.env)
    with stack.db() as db, db.transaction():
        db.execute("LOCK TABLE squad.shift_pattern")
        stack.wait_back("assigner", stack.kill("assigner"))
        made = client.post(ticket(0))[2]
        wait_state(stack, made["ref"], "assigned")
    client.close()
    assert "what is due waits" in stack.log("assigner")
