"""What integrators and people see of squad-intake: forms, pages, lists, long polls, corrections."""
import html
import http.client
import re
import sys
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import urlencode

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from client import ticket  # noqa: E402
from intake_alone import KEY, OTHER_KEY, alone, client, intake, parts  # noqa: E402,F401

FORM = "application/x-www-form-urlencoded"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def raw(intake, method, path, body=None, headers=None):
    """Status, headers, text; without a key of its own."""
    c = http.client.HTTPConnection("127.0.0.1", intake.port, timeout=10)
    c.request(method, path, body, headers or {})
    reply = c.getresponse()
    out = reply.status, reply.headers, reply.read().decode()
    c.close()
    return out


def auth(**headers):
    return {"Authorization": f"Bearer {KEY}"} | {k.replace("_", "-"): v for k, v in headers.items()}


FIELDS = {"type": "tv", "area": "28013", "problem": "No picture <b>&amp;</b>", "customer.name": "Ana Ruiz",
          "customer.phone": "+34600123456"}


def multipart(fields, boundary="xYz"):
    return "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()) \
        + f"--{boundary}--\r\n"


# --- tickets in three encodings ---


def stored(intake, ref):
    with intake.db() as db:
        return db.execute("SELECT type, area, problem, source, customer_name, customer_phone, customer_email "
                          "FROM squad.ticket WHERE ref = %s", (ref,)).fetchone()


@pytest.mark.parametrize("type_,body", [(FORM, urlencode(FIELDS)), ("multipart/form-data; boundary=xYz", multipart(FIELDS))],
                         ids=["urlencoded", "multipart"])
def test_a_form_is_stored_as_its_json_would_be(intake, client, type_, body):
    import json
    status, headers, text = raw(intake, "POST", "/v1/tickets", body, auth(Content_Type=type_, Idempotency_Key=str(uuid.uuid4())))
    assert status == 201, text
    made = json.loads(text)
    assert headers["Link"] == f'</v1/tickets/{made["ref"]}>; rel="status"'
    assert stored(intake, made["ref"]) == ("tv", "28013", FIELDS["problem"], "web", "Ana Ruiz", "+34600123456", None)


@pytest.mark.parametrize("type_,body,status,what", [
    (FORM, "type=tv&area=28013&problem=%zz", 400, "broken"),
    (FORM, "type=tv&area=28013&problem=a&problem=b", 400, "twice"),
    (FORM, "type=tv&area=28013&problem=%ff", 400, "UTF-8"),
    (FORM, "type=tv&area=28013&problem=a&emial=x", 422, "/emial"),
    (FORM, "type=tv&area=28013", 422, "/problem"),
    (FORM, "type=tv&area=28013&problem=a&customer.email=x", 422, "/customer/email"),
    ("multipart/form-data", multipart(FIELDS), 400, "boundary"),
    ("application/json; charset=latin1", "{}", 415, "Content-Type"),
    ("text/plain", "a", 415, "Content-Type"),
])
def test_what_is_not_a_good_form_is_refused_with_its_rule(intake, type_, body, status, what):
    got, headers, text = raw(intake, "POST", "/v1/tickets", body, auth(Content_Type=type_, Idempotency_Key="bad"))
    assert got == status and headers["Content-Type"] == "application/problem+json" and what in text, text


def test_a_browser_is_sent_to_a_page_it_can_load_again(intake):
    status, headers, text = raw(intake, "POST", "/v1/tickets", urlencode(FIELDS),
                                auth(Content_Type=FORM, Idempotency_Key=str(uuid.uuid4()), Accept=BROWSER))
    assert status == 303 and re.fullmatch(r"/t/[A-Za-z0-9_-]{22}", headers["Location"]) and text == ""
    pages = [raw(intake, "GET", headers["Location"]) for _ in range(2)]
    assert [p[0] for p in pages] == [200, 200] and pages[0][2] == pages[1][2]


# --- the tracking page ---


def test_the_tracking_page_shows_a_first_name_and_nothing_else_of_the_customer(intake, client):
    _, _, made = client.post(ticket(1, customer={"name": "Ana <Ruiz> Soler", "phone": "+34600123456", "email": "ana@example.com",
                                                 "ref": "C-77"}, problem="The screen is black"))
    status, headers, page = raw(intake, "GET", made["tracking"])
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Hello Ana," in page and made["ref"] in page
    for secret in ("Ruiz", "Soler", "600123456", "example.com", "C-77", "black", "28013", "28001"):
        assert secret not in page, secret
    assert 'http-equiv="refresh"' in page and "script" not in page
    assert headers["Referrer-Policy"] == "same-origin" and headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_a_name_is_escaped(intake, client):
    _, _, made = client.post(ticket(1, customer={"name": "<script>alert(1)</script> X"}))
    page = raw(intake, "GET", made["tracking"])[2]
    assert "<script" not in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_link_that_was_guessed_or_cut_leads_nowhere(intake, client):
    _, _, made = client.post(ticket(2))
    token = made["tracking"].removeprefix("/t/")
    other = ("A" if token[3] != "A" else "B")
    for bad in (token[:-1], token[:3] + other + token[4:], "A" * 22, "x", token + "A"):
        status, headers, page = raw(intake, "GET", "/t/" + bad)
        assert status == 404 and headers["Content-Type"].startswith("text/html") and "link" in page, bad


def test_links_of_an_older_secret_still_open(parts):
    parts.start()
    made = parts.client().post(ticket(3), "secret")[2]
    assert parts.stop() == 0
    with parts.db() as db:
        db.execute("INSERT INTO squad.link_secret DEFAULT VALUES")
    parts.start()
    again = parts.client().post(ticket(3), "secret")[2]
    assert again["ref"] == made["ref"] and again["tracking"] != made["tracking"]
    for link in (made["tracking"], again["tracking"]):
        assert made["ref"] in raw(parts, "GET", link)[2]
    assert parts.stop() == 0


def test_without_a_secret_nothing_is_stored_and_intake_lives_and_heals(parts):
    """A ticket that is stored before its link can be made would be answered by nobody."""
    with parts.db() as db:
        db.execute("INSERT INTO squad.client (name, key_hash, scopes) VALUES ('bare', sha256('bare'), '{form}')")
        secrets = db.execute("SELECT value FROM squad.link_secret ORDER BY id").fetchall()
        db.execute("DELETE FROM squad.link_secret")
    before = parts.one("SELECT count(*) FROM squad.ticket")
    try:
        parts.start(ready=False)
        c = parts.client()
        until = time.monotonic() + 10
        while parts.ready() is None or c.request("GET", "/v1/tickets")[0] != 200:  # the clients are known, secrets are not
            assert time.monotonic() < until
            time.sleep(0.05)
        assert parts.ready() == 503
        status, headers, answer = c.post(ticket(4), "bare")
        assert status == 503 and headers["Retry-After"] and "Nothing was stored" in answer["detail"]
        assert c.request("POST", "/v1/calls/acme/bare/ticket", ticket(4))[0] == 503
        for method, path in (("GET", "/new/bare"), ("POST", "/new/bare"), ("GET", "/t/" + "A" * 22)):
            got = raw(parts, method, path, "token=x" if method == "POST" else None,
                      {"Content-Type": FORM} if method == "POST" else {})
            assert got[0] == 503, (method, path, got)
        c.close()
        assert parts.intake.poll() is None and parts.one("SELECT count(*) FROM squad.ticket") == before
    finally:
        with parts.db() as db:
            for value, in secrets:
                db.execute("INSERT INTO squad.link_secret (value) VALUES (%s)", (value,))
            db.execute("DELETE FROM squad.client WHERE name = 'bare'")
    parts.wait_ready(5)
    assert parts.client().post(ticket(4), "bare")[0] == 201
    assert parts.stop() == 0


# --- the form for people ---


@pytest.fixture
def form(intake):
    with intake.db() as db:
        db.execute("INSERT INTO squad.client (name, key_hash, scopes) VALUES ('website', sha256('unused'), '{form}') "
                   "ON CONFLICT DO NOTHING")
        db.execute("INSERT INTO squad.ticket_type VALUES ('tv', 'Television & \"sound\"', 3) ON CONFLICT (type) DO UPDATE "
                   "SET title = excluded.title")
    until = time.monotonic() + 5
    while raw(intake, "GET", "/new")[0] != 200:
        assert time.monotonic() < until
        time.sleep(0.1)
    return intake


def token_of(page):
    return re.search(r'name="token" value="([^"]+)"', page)[1]


def send(form, fields, path="/new"):
    return raw(form, "POST", path, urlencode(fields), {"Content-Type": FORM, "Accept": BROWSER})


def test_a_person_fills_in_the_form_and_follows_the_ticket(form):
    status, headers, page = raw(form, "GET", "/new", headers={"Accept": BROWSER})
    assert status == 200 and "<script" not in page and 'value="tv">Television &amp; &quot;sound&quot;' in page
    fields = FIELDS | {"token": token_of(page), "website": ""}
    status, headers, _ = send(form, fields)
    assert status == 303
    again = send(form, fields)
    assert again[0] == 303 and again[1]["Location"] == headers["Location"], "the token is the idempotency key"
    status, _, page = raw(form, "GET", headers["Location"])
    ref = re.search(r'class="ref">([^<]+)', page)[1]
    assert stored(form, ref)[:4] == ("tv", "28013", FIELDS["problem"], "web")
    assert form.one("SELECT c.name FROM squad.ticket t JOIN squad.client c ON c.id = t.client_id WHERE t.ref = %s", ref) == "website"
    changed = send(form, fields | {"problem": "Something else"})
    assert changed[0] == 422 and "sent before" in changed[2]


def test_errors_stand_beside_their_fields_and_nothing_typed_is_lost(form):
    token = token_of(raw(form, "GET", "/new/website")[2])
    before = form.one("SELECT count(*) FROM squad.ticket")
    status, _, page = send(form, {"token": token, "type": "tv", "area": "28 013 <x>", "problem": "", "customer.email": "ana@",
                                  "customer.name": 'Ana "A" <Ruiz>'}, "/new/website")
    assert status == 422 and form.one("SELECT count(*) FROM squad.ticket") == before
    errors = dict(re.findall(r'<p class="error" id="(\w+)-error">([^<]*)<', page))
    assert set(errors) == {"problem", "area", "email"} and "is required" in errors["problem"]
    assert 'value="28 013 &lt;x&gt;"' in page and "Ana &quot;A&quot; &lt;Ruiz&gt;" in page
    assert '<option value="tv" selected>' in page


def test_a_forged_or_missing_token_stores_nothing_and_asks_again(form):
    good = token_of(raw(form, "GET", "/new")[2])
    before = form.one("SELECT count(*) FROM squad.ticket")
    for token in ("", "x", good[:-2] + ("AA" if good[-2:] != "AA" else "BA"), "A" * 59):
        status, _, page = send(form, FIELDS | {"token": token})
        assert status == 422 and "not whole" in page and "too long" not in page and html.escape(FIELDS["problem"]) in page
        assert token_of(page) != token
    assert form.one("SELECT count(*) FROM squad.ticket") == before


def test_what_a_machine_fills_in_is_quarantined_and_never_dropped(form):
    fields = FIELDS | {"token": token_of(raw(form, "GET", "/new")[2]), "website": "http://spam.example", "problem": "Buy this"}
    status, headers, _ = send(form, fields)
    assert status == 303
    assert send(form, fields)[1]["Location"] == headers["Location"]
    with form.db() as db:
        rows = db.execute("""SELECT t.ref, d.state, array_agg(DISTINCT e.kind), array_agg(DISTINCT o.type)
                               FROM squad.ticket t JOIN squad.dispatch d ON d.ticket_id = t.id
                               JOIN squad.ticket_event e ON e.ticket_id = t.id JOIN squad.outbox o ON o.aggregateid = t.id::text
                              WHERE t.problem = 'Buy this' GROUP BY 1, 2""").fetchall()
        assert len(rows) == 1 and rows[0][1:] == ("quarantined", ["quarantined"],
                                                  ["squad.ticket.created.v1", "squad.ticket.quarantined.v1"])
        assert raw(form, "GET", headers["Location"])[0] == 200
        assert db.execute("SELECT squad.ticket_release(%s, 'a person')", (rows[0][0],)).fetchone()[0] == "released"
        assert db.execute("SELECT d.state FROM squad.dispatch d JOIN squad.ticket t ON t.id = d.ticket_id WHERE t.ref = %s",
                          (rows[0][0],)).fetchone()[0] == "parked"


def test_a_form_that_is_not_there_is_404_as_a_page(intake):
    for path in ("/new/nobody", "/new/first"):
        status, headers, page = raw(intake, "GET", path)
        assert status == 404 and headers["Content-Type"].startswith("text/html") and "no such form" in page


# --- reading ---


def test_a_version_that_is_known_is_304(client):
    _, _, made = client.post(ticket(5))
    path = f"/v1/tickets/{made['ref']}"
    status, headers, _ = client.request("GET", path)
    etag = headers["ETag"]
    assert status == 200 and re.fullmatch(r'"[0-9a-f]{16}"', etag)
    for header, expected in ((etag, 304), (f'W/{etag}', 304), (f'"other", {etag}', 304), ("*", 304), ('"other"', 200), ("x", 200)):
        status, headers, body = client.request("GET", path, headers={"If-None-Match": header})
        assert status == expected and headers["ETag"] == etag and (body is None) == (expected == 304), header


def park(db, id_):
    db.execute("""WITH d AS (INSERT INTO squad.dispatch (ticket_id, state, type, area, priority, created_at, parked)
                             SELECT id, 'parked', type, area, 3, created_at, '{"experts": 0}' FROM squad.ticket WHERE id = %s)
                  INSERT INTO squad.ticket_event (ticket_id, kind, actor) VALUES (%s, 'parked', 'test')""", (id_, id_))


def test_a_long_poll_is_answered_when_the_ticket_changes(intake, client):
    _, _, made = client.post(ticket(6))
    path = f"/v1/tickets/{made['ref']}"
    etag = client.request("GET", path)[1]["ETag"]
    got = {}

    def wait():
        c = intake.client(timeout_s=30)
        start = time.monotonic()
        got["answer"] = c.request("GET", path, headers={"If-None-Match": etag, "Prefer": "wait=20"})
        got["took"] = time.monotonic() - start
        c.close()
    threads = [threading.Thread(target=wait) for _ in range(3)]
    for t in threads:
        t.start()
    time.sleep(0.5)
    assert client.post(ticket(7))[0] == 201, "others are served meanwhile"
    with intake.db() as db:
        park(db, made["id"])
    for t in threads:
        t.join(20)
    status, headers, body = got["answer"]
    assert status == 200 and body["state"] == "parked" and headers["ETag"] != etag and 0.4 < got["took"] < 3


def test_a_long_poll_without_a_change_is_304_at_its_time(client):
    _, _, made = client.post(ticket(8))
    path = f"/v1/tickets/{made['ref']}"
    etag = client.request("GET", path)[1]["ETag"]
    start = time.monotonic()
    status, headers, _ = client.request("GET", path, headers={"If-None-Match": etag, "Prefer": "wait=1"})
    assert status == 304 and headers["Preference-Applied"] == "wait=1" and 0.9 < time.monotonic() - start < 2.5
    start = time.monotonic()
    assert client.request("GET", path, headers={"If-None-Match": '"old"', "Prefer": "wait=5"})[0] == 200
    assert time.monotonic() - start < 1


def test_who_waits_is_answered_when_intake_stops(parts):
    parts.start()
    c = parts.client()
    _, _, made = c.post(ticket(9))
    path = f"/v1/tickets/{made['ref']}"
    etag = c.request("GET", path)[1]["ETag"]
    got = []
    t = threading.Thread(target=lambda: got.append(c.request("GET", path, headers={"If-None-Match": etag, "Prefer": "wait=30"})))
    t.start()
    time.sleep(0.5)
    start = time.monotonic()
    assert parts.stop() == 0 and time.monotonic() - start < 3
    t.join(5)
    assert got and got[0][0] == 304 and got[0][1]["Connection"] == "close"


def test_the_list_shows_every_ticket_of_ones_own_once_in_pages(intake, client):
    second = intake.client(OTHER_KEY)
    mark = f"C-{uuid.uuid4()}"
    made = []
    for n in range(7):
        made.append(client.post(ticket(n, customer={"ref": mark}))[2]["ref"])
        second.post(ticket(n, customer={"ref": mark}))
    seen, path = [], f"/v1/tickets?customer={mark}&limit=3"
    while path:
        status, headers, page = client.request("GET", path)
        assert status == 200 and len(page["tickets"]) <= 3
        seen += [t["ref"] for t in page["tickets"]]
        link = headers["Link"]
        path = re.fullmatch(r'<(.+)>; rel="next"', link)[1] if link else None
        assert len(seen) < 20
    assert seen == made[::-1]
    assert [t["ref"] for t in client.request("GET", "/v1/tickets?limit=1")[2]["tickets"]] == made[-1:]
    assert client.request("GET", f"/v1/tickets?customer={mark}&state=completed")[2]["tickets"] == []
    second.close()


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=201", "state=lost", "cursor=x", "stat=received", "limit=1&limit=2",
                                   "customer=%zz"])
def test_a_query_that_breaks_a_rule_is_refused_by_name(client, query):
    status, _, p = client.request("GET", f"/v1/tickets?{query}")
    assert status == 400 and p["type"] == "/problems/query" and p["detail"]


@pytest.mark.parametrize("path,names", [
    ("/events?limt=5", "limt is not a parameter: after, limit are."), ("/events?limit=%zz", "broken"), ("?wait=20", "wait"),
    ("?%", "broken"), ("?" + "&".join(f"a{n}=1" for n in range(100)), "too many fields"),
], ids=["misspelt", "broken-value", "of-a-header", "broken", "too-many"])
def test_no_parameter_is_overlooked(client, path, names):
    _, _, made = client.post(ticket(1), "parameters")
    status, _, p = client.request("GET", f"/v1/tickets/{made['ref']}{path}")
    assert status == 400 and p["type"] == "/problems/query" and names in p["detail"], p


def test_what_a_mail_program_adds_to_a_link_does_no_harm(intake, client):
    _, _, made = client.post(ticket(1), "parameters")
    assert raw(intake, "GET", made["tracking"] + "?utm_source=mail")[0] == 200
    assert raw(intake, "GET", "/livez?now=1")[0] == 200


def test_the_history_of_a_ticket_is_read_in_pages(intake, client):
    _, _, made = client.post(ticket(1))
    with intake.db() as db:
        park(db, made["id"])
        for n in range(3):
            db.execute("INSERT INTO squad.ticket_event (ticket_id, kind, actor, detail) VALUES (%s, 'attempt_failed', 'test', "
                       "jsonb_build_object('n', %s::integer))", (made["id"], n))
    path = f"/v1/tickets/{made['ref']}/events"
    status, headers, whole = client.request("GET", path)
    assert status == 200 and [e["kind"] for e in whole["events"]] == ["received", "parked"] + ["attempt_failed"] * 3
    assert headers["Link"] is None and whole["events"][0]["at"] == made["created_at"]
    seen, path = [], path + "?limit=2"
    while path:
        _, headers, page = client.request("GET", path)
        seen += page["events"]
        path = headers["Link"] and re.match(r"<(.+)>", headers["Link"])[1] + "&limit=2"
    assert seen == whole["events"]
    assert client.request("GET", f"/v1/tickets/{uuid.uuid4()}/events")[0] == 404


# --- corrections ---


def test_a_correction_is_answered_with_the_ticket_though_its_new_version_were_known(intake, client):
    _, _, made = client.post(ticket(2))
    path, merge = f"/v1/tickets/{made['ref']}", {"Content-Type": "application/merge-patch+json", "If-Match": "*"}
    status, headers, body = client.request("PATCH", path, {"problem": "No sound"}, merge | {"If-None-Match": "*"})
    assert status == 200 and body["ref"] == made["ref"] and headers["ETag"]
    assert client.request("GET", path, headers={"If-None-Match": headers["ETag"]})[0] == 304
    assert client.request("HEAD", path, headers={"If-None-Match": headers["ETag"]})[0] == 304


def patch(client, made, body, etag, type_="application/merge-patch+json"):
    return client.request("PATCH", f"/v1/tickets/{made['ref']}", body,
                          {"Content-Type": type_} | ({"If-Match": etag} if etag else {}))


def test_a_customer_corrects_a_ticket_that_has_not_changed_meanwhile(intake, client):
    _, _, made = client.post(ticket(2))
    etag = client.request("GET", f"/v1/tickets/{made['ref']}")[1]["ETag"]
    assert patch(client, made, {"problem": "x"}, None)[0] == 428
    status, headers, body = patch(client, made, {"problem": "Sound, but no picture", "customer": {"phone": None}}, etag)
    assert status == 200 and body["ref"] == made["ref"] and headers["ETag"] != etag
    assert stored(intake, made["ref"])[2:6] == ("Sound, but no picture", "web", "Ana Ruiz", None)
    status, _, p = patch(client, made, {"problem": "late"}, etag)
    assert status == 412 and p["type"] == "/problems/changed"
    assert patch(client, made, {"problem": "any version"}, "*")[0] == 200
    with intake.db() as db:
        events = db.execute("SELECT kind, actor, detail FROM squad.ticket_event WHERE ticket_id = %s ORDER BY seq",
                            (made["id"],)).fetchall()
        shipped = db.execute("SELECT payload FROM squad.outbox WHERE aggregateid = %s AND type LIKE '%%amended%%' ORDER BY seq",
                             (made["id"],)).fetchall()
    assert events[0] == ("amended", "client first", {"fields": ["customer_phone", "problem"]}) and len(events) == 2
    assert shipped[0][0] == {"ticket_id": made["id"], "fields": ["customer_phone", "problem"]}
    # The first answer belongs to the request as it was.
    assert client.post(ticket(2), "unrelated")[0] == 201


def test_a_correction_that_changes_nothing_leaves_no_event(intake, client):
    _, _, made = client.post(ticket(2))
    etag = client.request("GET", f"/v1/tickets/{made['ref']}")[1]["ETag"]
    status, headers, _ = patch(client, made, {"problem": ticket(2)["problem"]}, etag)
    assert status == 200 and headers["ETag"] == etag


@pytest.mark.parametrize("body,status,pointer", [
    ({"type": "internet"}, 422, "/type"), ({"customer": {"ref": "x"}}, 422, "/customer/ref"), ({"problem": None}, 422, "/problem"),
    ({"customer": {"email": "x"}}, 422, "/customer/email"), ({"customer": None}, 422, "/customer"), ({}, 422, ""), ([], 422, ""),
])
def test_a_correction_of_what_is_fixed_or_wrong_is_refused_by_name(client, body, status, pointer):
    _, _, made = client.post(ticket(2))
    got, _, p = patch(client, made, body, "*")
    assert got == status and [e["pointer"] for e in p["errors"]] == [pointer], p


def test_a_ticket_that_is_done_or_another_s_can_not_be_corrected(intake, client):
    _, _, made = client.post(ticket(2))
    second = intake.client(OTHER_KEY)
    assert patch(second, made, {"problem": "x"}, "*")[0] == 404
    second.close()
    with intake.db() as db:
        park(db, made["id"])
        db.execute("ALTER TABLE squad.dispatch DISABLE TRIGGER USER")
        db.execute("UPDATE squad.dispatch SET state = 'completed', parked = NULL WHERE ticket_id = %s", (made["id"],))
        db.execute("ALTER TABLE squad.dispatch ENABLE TRIGGER USER")
    for status, _, p in (patch(client, made, {"problem": "x"}, "*"), client.request("POST", f"/v1/tickets/{made['ref']}/cancel")):
        assert status == 409 and p["type"] == "/problems/conflict"


# --- keys, scopes, media types ---


def test_a_key_whose_first_request_is_still_running_is_409(intake, client):
    with intake.db() as db:
        blocker = intake.db()
        blocker.autocommit = False
        blocker.execute("LOCK TABLE squad.ticket IN SHARE MODE")
        first = {}
        t = threading.Thread(target=lambda: first.update(answer=intake.client().post(ticket(1), "slow")))
        t.start()
        time.sleep(0.5)
        status, headers, p = client.post(ticket(1), "slow")
        blocker.rollback()
        blocker.close()
        t.join(10)
        assert db is not None
    assert status == 409 and p["type"] == "/problems/idempotency-key-running" and headers["Retry-After"] == "1"
    assert first["answer"][0] == 201
    again = client.post(ticket(1), "slow")
    assert again[0] == 201 and again[1]["Idempotency-Replayed"] == "true" and again[2] == first["answer"][2]


def test_a_key_does_what_its_scopes_allow_and_nothing_else(intake):
    with intake.db() as db:
        db.execute("INSERT INTO squad.client (name, key_hash, scopes) VALUES ('reader', sha256('sk_reader'), '{tickets:read}') "
                   "ON CONFLICT DO NOTHING")
    c = intake.client("sk_reader")
    time.sleep(0.3)
    status, _, p = c.post(ticket())
    assert status == 403 and p["type"] == "/problems/forbidden" and "tickets:write" in p["detail"]
    assert c.request("GET", "/v1/tickets")[0] == 200
    assert c.request("POST", f"/v1/assignments/{uuid.uuid4()}/complete")[0] == 403
    c.close()


def test_a_type_that_is_not_given_is_406(client):
    assert client.request("GET", "/v1/tickets", headers={"Accept": "application/xml"})[0] == 406
    assert client.request("GET", "/v1/tickets", headers={"Accept": "application/json;q=0"})[0] == 406
    assert client.request("GET", "/v1/tickets", headers={"Accept": "application/xml, */*;q=0.1"})[0] == 200


def test_every_problem_is_documented_at_its_address(intake, client):
    page = raw(intake, "GET", "/problems")[2]
    slugs = set(re.findall(r'href="/problems/([a-z-]+)"', page))
    assert {"validation", "unavailable", "too-many-requests", "idempotency-key-running"} <= slugs
    for slug in slugs:
        status, _, text = raw(intake, "GET", f"/problems/{slug}")
        assert status == 200 and f"/problems/{slug}" in text
    assert raw(intake, "GET", "/problems/nothing")[0] == 404
    for path in ("/v1/tickets/none", "/nothing"):
        assert raw(intake, "GET", client.request("GET", path)[2]["type"])[0] == 200


# --- calling off ---


def test_a_ticket_is_called_off_once_however_often_it_is_asked(intake, client):
    for seen in (False, True):
        _, _, made = client.post(ticket(3))
        path = f"/v1/tickets/{made['ref']}"
        if seen:
            with intake.db() as db:
                park(db, made["id"])
        first = client.request("POST", path + "/cancel", {"reason": "duplicate"})
        again = client.request("POST", path + "/cancel")
        assert first[0] == again[0] == 200 and first[2] == again[2] == {"ref": made["ref"], "state": "canceled"}
        with intake.db() as db:
            kinds = [k for k, in db.execute("SELECT kind FROM squad.ticket_event WHERE ticket_id = %s ORDER BY seq", (made["id"],))]
            sent = db.execute("SELECT count(*) FROM squad.outbox WHERE aggregateid = %s AND type = 'squad.ticket.canceled.v1'",
                              (made["id"],)).fetchone()[0]
        assert kinds[-1:] == ["canceled"] and kinds.count("canceled") == 1 and sent == 1
        assert client.request("GET", path)[2]["state"] == "canceled"
        assert patch(client, made, {"problem": "x"}, "*")[0] == 409
        assert "called off" in raw(intake, "GET", made["tracking"])[2]


def test_calling_off_checks_its_body_and_its_owner(intake, client):
    _, _, made = client.post(ticket(3))
    path = f"/v1/tickets/{made['ref']}/cancel"
    for body, pointer in (({"reason": "he died"}, "/reason"), ({"why": "x"}, "/why"), ([], "")):
        status, _, p = client.request("POST", path, body)
        assert status == 422 and p["errors"][0]["pointer"] == pointer
    second = intake.client(OTHER_KEY)
    assert second.request("POST", path)[0] == 404
    second.close()
    assert client.request("GET", f"/v1/tickets/{made['ref']}")[2]["state"] == "received"
