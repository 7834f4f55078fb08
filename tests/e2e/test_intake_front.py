"""Who is let in to squad-intake: keys changed while it runs, quotas, hosts, other sites' pages, the admin port."""
import http.client
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from client import ticket  # noqa: E402
from intake_alone import KEY, alone, client, intake, parts  # noqa: E402,F401
from private_stack import services  # noqa: E402
from stack import BIN  # noqa: E402

LIVE = "/livez"


def raw(port, method, path, headers=None, body=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    c.request(method, path, body, headers or {})
    reply = c.getresponse()
    out = reply.status, reply.headers, reply.read().decode()
    c.close()
    return out


def squad(parts, *args):
    done = subprocess.run([BIN / "squad", *args], env=parts.base | {"SQUAD_DB": parts.db_url}, text=True,
                          capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


def status(parts, key, body=None):
    c = parts.client(key)
    try:
        return c.post(body or ticket())[0]
    finally:
        c.close()


def until(what, timeout_s=5):
    end = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


# --- squad client ---


def test_a_client_is_added_rotated_and_revoked_while_intake_runs(intake):
    code, out, _ = squad(intake, "client", "add", "shop", "--json")
    first = json.loads(out)["api_key"]
    assert code == 0 and re.fullmatch(r"sq_[0-9a-f]{48}", first)
    until(lambda: status(intake, first) == 201)
    assert intake.one("SELECT key_hash = sha256(convert_to(%s, 'UTF8')) FROM squad.client WHERE name = 'shop'", first)
    code, out, _ = squad(intake, "client", "rotate", "shop", "--json", "--grace", "3")
    second = json.loads(out)["api_key"]
    until(lambda: status(intake, second) == 201)
    assert status(intake, first) == 201, "the old key is let in for a while"
    until(lambda: status(intake, first) == 401, 8)
    assert squad(intake, "client", "revoke", "shop")[0] == 0
    until(lambda: status(intake, second) == 401)
    code, out, _ = squad(intake, "client", "list", "--json")
    shop = next(c for c in json.loads(out) if c["client"] == "shop")
    assert shop["revoked_at"] and first not in out and second not in out


@pytest.mark.parametrize("args,code,says", [
    (("add", "first"), 1, "already"), (("add", "x", "--scope", "everything"), 2, "--scope"),
    (("add", "x", "--origin", "example.com"), 2, "--origin"), (("add", "x", "--origin", "https://example.com/path"), 2, "--origin"),
    (("change", "nobody", "--rate", "3"), 1, "no client"), (("change", "x"), 2, "--scope, --origin, --rate or --burst"),
    (("rotate", "nobody"), 1, "no client"), (("revoke", "nobody"), 1, "no client"), (("add",), 2, "NAME"),
])
def test_squad_client_says_what_is_wrong(alone, args, code, says):
    got, out, err = squad(alone, "client", *args)
    assert got == code and says in err and not out


def test_the_list_of_clients_is_readable(alone):
    assert squad(alone, "client", "add", "spa", "--origin", "https://a.example", "--rate", "7", "--scope", "tickets:read")[0] == 0
    heads, *lines = squad(alone, "client", "list")[1].splitlines()
    assert re.split(r"  +", heads.strip())[:4] == ["client", "may", "origins", "requests/s"]
    assert ["spa", "tickets:read", "https://a.example", "7"] in [re.split(r"  +", x.strip()) for x in lines]


def test_what_a_client_may_do_is_changed_while_intake_runs(intake):
    key = json.loads(squad(intake, "client", "add", "till", "--scope", "tickets:read", "--json")[1])["api_key"]
    until(lambda: status(intake, key) == 403)
    for wrong in ("everything", "none"):
        assert squad(intake, "client", "change", "till", "--scope", wrong)[0] == 2
    code, out, _ = squad(intake, "client", "change", "till", "--scope", "tickets:write", "--rate", "50",
                         "--origin", "https://a.example")
    assert code == 0 and "tickets:write" in out
    until(lambda: status(intake, key) == 201)
    assert squad(intake, "client", "change", "till", "--origin", "none")[0] == 0
    till = next(c for c in json.loads(squad(intake, "client", "list", "--json")[1]) if c["client"] == "till")
    assert (till["scopes"], till["origins"], till["rate_per_s"]) == ("tickets:write", "", 50)


# --- quotas ---


def test_a_client_over_its_quota_is_429_and_told_when_to_come_back(parts):
    squad(parts, "client", "add", "slow", "--rate", "1", "--burst", "4")
    key = json.loads(squad(parts, "client", "rotate", "slow", "--json")[1])["api_key"]
    parts.start()
    c = parts.client(key)
    answers = [c.post(ticket(n)) for n in range(6)]
    assert [a[0] for a in answers] == [201] * 4 + [429] * 2
    assert re.fullmatch(r'"client";q=4;w=4', answers[3][1]["RateLimit-Policy"])
    assert re.fullmatch(r'"client";r=0;t=\d', answers[3][1]["RateLimit"])
    code, headers, p = answers[5]
    assert p["type"] == "/problems/too-many-requests" and int(headers["Retry-After"]) >= 1
    assert parts.client().post(ticket())[0] == 201, "another client has its own quota"
    time.sleep(1.1)
    assert c.post(ticket())[0] == 201
    c.close()
    assert parts.stop() == 0


def test_an_address_has_its_quota_and_a_proxy_s_word_counts_only_when_it_is_trusted(parts):
    parts.start_serving("--address-rate", "1", "--address-burst", "3")
    codes = [raw(parts.port, "GET", LIVE, {"X-Forwarded-For": f"10.0.0.{n}"})[0] for n in range(5)]
    assert codes == [200] * 3 + [429] * 2, "X-Forwarded-For of anybody is not believed"
    assert parts.stop() == 0
    parts.start_serving("--address-rate", "1", "--address-burst", "3", "--proxy", "127.0.0.1")
    for n in range(3):
        codes = [raw(parts.port, "GET", LIVE, {"X-Forwarded-For": f"1.2.3.4, 10.0.0.{n}"})[0] for _ in range(4)]
        assert codes == [200] * 3 + [429]
    # Addresses of one IPv6 network count as one.
    codes = [raw(parts.port, "GET", LIVE, {"X-Forwarded-For": f"2001:db8::{n}"})[0] for n in range(4)]
    assert codes == [200] * 3 + [429]
    # Some proxies write the port too: it is not the address.
    for address in ("10.1.0.1", "10.1.0.2", "[2001:db8:1::1]", "[2001:db8:2::1]"):
        codes = [raw(parts.port, "GET", LIVE, {"X-Forwarded-For": f"{address}:{5000 + n}"})[0] for n in range(3)]
        codes.append(raw(parts.port, "GET", LIVE, {"X-Forwarded-For": address})[0])
        assert codes == [200] * 3 + [429], address
    # What names no address counts for the proxy, which has a quota of its own.
    codes = [raw(parts.port, "GET", LIVE, {"X-Forwarded-For": word})[0] for word in ("unknown", "", "10.1.0.1:5000:x", "[::1", "x" * 99)]
    assert codes == [200] * 3 + [429] * 2
    assert raw(parts.port, "GET", LIVE)[0] == 429, "the proxy's own quota"
    assert parts.stop() == 0


def test_by_default_a_burst_is_not_limited(intake):
    c = intake.client()
    for _ in range(300):
        code, headers, _ = c.request("GET", LIVE)
        assert code == 200 and headers["RateLimit"] is None
    c.close()


# --- hosts, origins ---


def test_another_host_is_421(parts):
    parts.start("--host", "tickets.example.com", "--host", "[::1]", "--host", "127.0.0.1")
    for host, code in (("tickets.example.com", 200), ("TICKETS.example.com:8080", 200), ("[::1]:80", 200), ("example.com", 421),
                       ("tickets.example.com.evil.net", 421), ("tickets", 421)):
        got, headers, body = raw(parts.port, "GET", LIVE, {"Host": host})
        assert got == code, host
        assert code == 200 or json.loads(body)["type"] == "/problems/misdirected"
    assert parts.stop() == 0


def test_a_page_of_an_allowed_site_may_read_the_answer_and_no_other(parts):
    key = json.loads(squad(parts, "client", "add", "cors", "--origin", "https://www.example.com", "--json")[1])["api_key"]
    parts.start()
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    code, headers, _ = raw(parts.port, "OPTIONS", "/v1/tickets", ask | {"Origin": "https://www.example.com"})
    assert code == 204 and headers["Access-Control-Allow-Origin"] == "https://www.example.com" and headers["Vary"] == "Origin"
    assert "POST" in headers["Access-Control-Allow-Methods"] and "Idempotency-Key" in headers["Access-Control-Allow-Headers"]
    code, headers, _ = raw(parts.port, "OPTIONS", "/v1/tickets", ask | {"Origin": "https://evil.example"})
    assert code == 204 and headers["Access-Control-Allow-Origin"] is None and headers["Allow"] == "POST, GET, HEAD"
    for who, origin, allowed in ((key, "https://www.example.com", True), (key, "https://evil.example", False),
                                 (KEY, "https://www.example.com", False)):
        c = parts.client(who)
        code, headers, _ = c.request("GET", "/v1/tickets", headers={"Origin": origin})
        c.close()
        assert code == 200 and (headers["Access-Control-Allow-Origin"] == origin) == allowed
    assert raw(parts.port, "OPTIONS", "/nothing")[0] == 404
    assert parts.stop() == 0


def test_a_form_is_sent_from_its_own_page_or_an_allowed_site(parts):
    squad(parts, "client", "add", "web", "--scope", "form", "--origin", "https://www.example.com")
    parts.start()
    page = raw(parts.port, "GET", "/new/web")[2]
    token = re.search(r'name="token" value="([^"]+)"', page)[1]
    body = f"token={token}&type=tv&area=28013&problem=x"
    for origin, code in (("https://evil.example", 403), (f"http://127.0.0.1:{parts.port}", 303), ("null", 303),
                         ("https://www.example.com", 303)):
        got = raw(parts.port, "POST", "/new/web", {"Origin": origin, "Content-Type": "application/x-www-form-urlencoded"}, body)
        assert got[0] == code, origin
    assert parts.stop() == 0


# --- what is echoed ---


def test_the_trace_and_the_request_s_id_are_made_echoed_and_logged(parts):
    parts.start("--log-level", "debug")
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    c = parts.client()
    _, headers, made = c.request("POST", "/v1/tickets", ticket(), {"Idempotency-Key": "trace-1", "traceparent": trace,
                                                                  "X-Request-Id": "order-4711"})
    assert headers["traceparent"] == trace and headers["X-Request-Id"] == "order-4711"
    _, headers, _ = c.request("GET", f"/v1/tickets/{made['ref']}")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", headers["traceparent"]) and headers["X-Request-Id"]
    raw(parts.port, "GET", made["tracking"])
    c.close()
    assert parts.stop() == 0
    log = parts.log()
    line = next(x for x in log.splitlines() if "request_id=order-4711" in x)
    assert trace in line and "status=201" in line and 'route=/v1/tickets' in line
    for secret in (KEY, "600123456", "Ruiz", made["tracking"].removeprefix("/t/"), "No picture"):
        assert secret not in log


def test_a_head_too_large_is_431(intake):
    code, _, body = raw(intake.port, "GET", LIVE, {"X-Filler": "a" * 6500})
    assert code == 431 and json.loads(body)["type"] == "/problems/headers-too-large"


# --- the admin port ---


def test_the_admin_port_has_metrics_and_health_and_the_other_one_no_metrics(parts):
    admin, = services.free_ports(1)
    parts.start("--admin-listen", f"127.0.0.1:{admin}", "--client-rate", "5", "--client-burst", "50")
    c = parts.client()
    for n in range(60):
        c.post(ticket(n, customer={"name": "Ana Ruiz"}))
    c.close()
    assert raw(parts.port, "GET", "/metrics")[0] == 404
    assert raw(admin, "POST", "/v1/tickets")[0] == 404
    assert raw(admin, "GET", "/livez")[0] == 200 and raw(admin, "GET", "/readyz")[0] == 200
    code, headers, text = raw(admin, "GET", "/metrics")
    assert code == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    values = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            assert re.fullmatch(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+]+', line), line
            name, value = line.rsplit(" ", 1)
            assert name not in values, "twice"
            values[name] = float(value)
    created = values['squad_tickets_total{outcome="created"}']
    assert created >= 50 and created + values['squad_rate_limited_total{by="client"}'] == 60
    assert values['squad_http_requests_total{method="POST",route="/v1/tickets",status="2xx"}'] == created
    assert values["squad_store_batch_tickets_sum"] == created
    assert values["squad_http_request_seconds_count"] >= 60 and values["squad_postgres_up"] == 1
    families = re.findall(r"^# TYPE (\S+) ", text, re.M)
    assert len(families) == len(set(families)) == len(re.findall(r"^# HELP ", text, re.M))
    assert "Ruiz" not in text and KEY not in text and "first" not in text
    assert parts.stop() == 0


def test_a_port_that_is_taken_names_its_option(parts):
    parts.start()
    done = subprocess.run([BIN / "squad-intake", "--listen", "127.0.0.1:0", "--admin-listen", f"127.0.0.1:{parts.port}"],
                          env=parts.base | {"SQUAD_DB": parts.db_url}, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 2 and "could not listen" in done.stderr
    assert parts.stop() == 0
