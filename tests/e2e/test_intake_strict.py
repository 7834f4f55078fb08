"""squad-intake against ugly clients: raw bytes, slow and silent ones, crowds."""
import json
import random
import re
import resource
import socket
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "corpus")]
import json_documents  # noqa: E402
import raw_requests  # noqa: E402
from client import ticket  # noqa: E402
from intake_alone import ASAN, alone, client, intake, parts  # noqa: E402,F401


def answers(out):
    """The statuses in what came back, answer by answer, and what is left over."""
    statuses = []
    while m := re.match(rb"HTTP/1\.[01] (\d+) [^\r]*\r\n((?:[^\r\n]+\r\n)*)\r\n", out):
        statuses.append(m[1].decode())
        out = out[m.end():]
        length = re.search(rb"(?im)^Content-Length: (\d+)", m[2])
        if length and not out.startswith(b"HTTP/1.1 "):  # else it answers a HEAD
            out = out[int(length[1]):]
    return statuses, out


def exchange(port, data, expected, settle_s=0.25, timeout_s=5):
    """Sends, and reads until the server closes, or is silent once all expected answers are there."""
    out, closed, until = b"", False, time.monotonic() + timeout_s
    with socket.create_connection(("127.0.0.1", port), timeout_s) as s:
        try:
            s.sendall(data)
            while time.monotonic() < until:
                s.settimeout(settle_s if len(answers(out)[0]) >= expected else until - time.monotonic())
                if not (chunk := s.recv(65536)):
                    closed = True
                    break
                out += chunk
        except TimeoutError:
            pass
        except (ConnectionResetError, BrokenPipeError):
            closed = True
    return out, closed


@pytest.fixture(scope="module")
def verdicts(alone):
    """Every case of the corpus on a connection of its own, several at a time."""
    alone.start()
    before = alone.one("SELECT count(*) FROM squad.ticket")

    def run(case):
        i, (_, data, verdict) = case
        *statuses, end = verdict.split()
        out, closed = exchange(alone.port, data.replace(b"{key}", b"raw-%d" % i),
                               len(statuses) if end == "open" else 1000)
        return " ".join(answers(out)[0] + ["closed" if closed else "open"]), out

    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(run, enumerate(raw_requests.ALL)))
    stored = alone.one("SELECT count(*) FROM squad.ticket") - before
    refs = {ref for _, out in got for ref in re.findall(rb'"ref":"([^"]+)"', out)}
    ready = alone.ready()
    code = alone.stop()
    return got, stored, len(refs), ready, code


@pytest.mark.parametrize("i", range(len(raw_requests.ALL)), ids=[c[0].replace(" ", "-") for c in raw_requests.ALL])
def test_a_raw_request_gets_the_verdict_of_the_corpus(verdicts, i):
    verdict, out = verdicts[0][i]
    assert verdict == raw_requests.ALL[i][2], out[:1000]
    assert not answers(out)[1], out


def test_after_the_corpus_nothing_is_stored_but_what_was_answered_201_and_intake_is_well(verdicts):
    _, stored, acknowledged, ready, code = verdicts
    assert stored == acknowledged > 0 and ready == 200 and code == 0


# --- JSON ---


@pytest.fixture(scope="module")
def documents(alone):
    """The answer to every document, over one connection."""
    alone.start()
    before = alone.one("SELECT count(*) FROM squad.ticket")
    c, got = alone.client(), []
    for i, (_, data, _) in enumerate(json_documents.ALL):
        status, headers, answer = c.request("POST", "/v1/tickets", data=data, headers={"Idempotency-Key": f"json-{i}"})
        got.append((status, answer))
        assert headers.get("Connection") != "close"
    c.close()
    stored = alone.one("SELECT count(*) FROM squad.ticket") - before
    return got, stored, alone.stop()


@pytest.mark.parametrize("i", range(len(json_documents.ALL)),
                         ids=[re.sub(r"[^!-~]+", "-", c[0])[:80] for c in json_documents.ALL])
def test_a_document_gets_the_verdict_of_the_corpus(documents, i):
    status, answer = documents[0][i]
    pointers = [e["pointer"] or "-" for e in answer.get("errors", [])]
    assert " ".join([str(status), *pointers]) == json_documents.ALL[i][2], answer


def test_only_the_documents_that_are_right_are_stored(documents):
    got, stored, code = documents
    assert stored == sum(status == 201 for status, _ in got) > 0 and code == 0


# --- naughty strings ---

MEMBERS = ("problem", "type", "source", "contract", "customer.ref", "customer.name")


def naughty(member, text):
    outer, _, inner = member.partition(".")
    return ticket(0, **{outer: {inner: text} if inner else text})


def test_texts_come_back_byte_for_byte_or_are_refused_with_the_fields_name(intake, client):
    longest = {"type": 64, "source": 32, "contract": 64, "customer.ref": 64, "customer.name": 200, "problem": 4000}
    sent = refused = 0
    with intake.db() as db:
        for member in MEMBERS:
            column = member.replace(".", "_")
            for text in json_documents.NAUGHTY + json_documents.PROSE + json_documents.NOWHERE:
                fits = 1 <= len(text) <= longest[member] and text not in json_documents.NOWHERE and \
                    (member == "problem" or text not in json_documents.PROSE)
                for escaped in (True, False):
                    data = json.dumps(naughty(member, text), ensure_ascii=escaped).encode()
                    status, _, answer = client.request("POST", "/v1/tickets", data=data,
                                                       headers={"Idempotency-Key": str(uuid.uuid4())})
                    if not fits:
                        assert status in (400, 422) and answer["errors"][0]["pointer"] == "/" + member.replace(".", "/"), \
                            (member, text, answer)
                        refused += 1
                        continue
                    assert status == 201, (member, text, answer)
                    back = db.execute(f"SELECT convert_to({column}, 'UTF8') FROM squad.ticket WHERE id = %s",
                                      (answer["id"],)).fetchone()[0]
                    assert bytes(back) == text.encode(), (member, text, back)
                    event = db.execute("SELECT payload->>'type', payload->>'source' FROM squad.outbox WHERE aggregateid = %s",
                                       (answer["id"],)).fetchone()
                    stored = db.execute("SELECT type, source FROM squad.ticket WHERE id = %s", (answer["id"],)).fetchone()
                    assert event == stored
                    sent += 1
    assert sent > 1500 and refused > 100, (sent, refused)


def test_lone_surrogates_are_refused_with_the_fields_name(client):
    for member in MEMBERS:
        data = json.dumps(naughty(member, "a\ud83d")).encode()
        status, _, answer = client.request("POST", "/v1/tickets", data=data, headers={"Idempotency-Key": member})
        assert status == 400 and answer["errors"][0]["pointer"] == "/" + member.replace(".", "/"), answer


def test_a_naughty_key_names_one_ticket_and_a_naughty_call_too(intake, client):
    for text in json_documents.NAUGHTY:
        if not text.isascii() or not text.isprintable() or text.strip() != text:
            continue
        first, again = client.post(ticket(1), text), client.post(ticket(1), text)
        assert (first[0], again[0]) == (201, 201) and first[2] == again[2], text
        path = f"/v1/calls/acme/{quote(text, safe='')}/ticket"
        status, _, made = client.request("POST", path, ticket(1))
        if " " in text or len(text) > 128:
            assert status == 404
            continue
        assert status in (200, 201), (text, made)
        assert intake.one("SELECT call_id FROM squad.ticket WHERE ref = %s", made["ref"]) == text


# --- slow, silent and many ---


def test_a_slow_client_is_cut_off_in_every_phase(parts):
    parts.start("--header-timeout", "400", "--body-timeout", "400", "--idle-timeout", "900")
    body = b'{"type":"tv"'
    for what, first, drip in (("silent", b"", b""), ("head", raw_requests.GET + b"Host: a\r\nX: ", b"a"),
                              ("body", raw_requests.POST + b"Content-Length: 2000\r\n\r\n" + body, b" ")):
        with socket.create_connection(("127.0.0.1", parts.port), 5) as s:
            start = time.monotonic()
            s.sendall(first)
            s.settimeout(0.1)
            while True:
                assert time.monotonic() - start < 4, f"{what}: a byte now and then lives for ever"
                try:
                    if drip:
                        s.sendall(drip)
                    if s.recv(100) == b"":
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
    with socket.create_connection(("127.0.0.1", parts.port), 5) as s:
        s.sendall(raw_requests.LIVE)
        assert b"alive" in s.recv(1000)
        start = time.monotonic()
        assert s.recv(100) == b"" and 0.5 < time.monotonic() - start < 3
    assert parts.stop() == 0


def test_a_client_that_sends_fin_behind_its_request_is_answered_and_not_kept(intake):
    for n in range(40):
        data = raw_requests.LIVE if n % 2 else raw_requests.TICKET.replace(b"{key}", b"half-closed-%d" % n)
        with socket.create_connection(("127.0.0.1", intake.port), 2) as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            out = b""
            while chunk := s.recv(4096):
                out += chunk
        # A FIN that is read before the body is taken for a client that has left.
        assert answers(out)[0] in ([["200"]] if n % 2 else [["201"], []]), out


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(parts):
    parts.start("--header-timeout", "500", "--body-timeout", "500")
    before = parts.one("SELECT count(*) FROM squad.ticket")
    whole = raw_requests.TICKET.replace(b"{key}", b"left")
    for cut in range(1, len(whole), 7):
        s = socket.create_connection(("127.0.0.1", parts.port), 5)
        s.sendall(whole[:cut])
        if cut % 2:  # a reset, as of a machine that has died and come back
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        s.close()
    assert parts.ready() == 200 and parts.one("SELECT count(*) FROM squad.ticket") == before
    assert parts.stop() == 0


def stuck_bytes(port):
    """What the kernel keeps on intake's side for clients that do not read."""
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(f[4].split(":")[0], 16) for f in sockets if f[1].endswith(f":{port:04X}") and f[3] != "0A")


@pytest.mark.parametrize("pace_s", [0, 0.3])
def test_a_client_that_never_reads_is_cut_off_and_holds_little(parts, pace_s):
    parts.start("--header-timeout", "500", "--body-timeout", "500", "--idle-timeout", "1000")
    rss = parts.rss_kib()
    with socket.create_connection(("127.0.0.1", parts.port), 5) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(0.2)
        start, sent = time.monotonic(), 0
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while time.monotonic() - start < 60:  # until every buffer between us is full
                try:
                    sent += s.send(raw_requests.LIVE * 1000)
                    time.sleep(pace_s)
                except TimeoutError:
                    continue
        assert sent > 50000
    assert stuck_bytes(parts.port) == 0
    assert ASAN or parts.rss_kib() < rss + 2048
    assert parts.stop() == 0


def open_many(port, n, data, timeout_s=0.5):
    """n connections that have each sent data, as far as they are let in."""
    held = []
    for _ in range(n):
        s = socket.socket()
        s.settimeout(timeout_s)
        try:
            s.connect(("127.0.0.1", port))
            s.sendall(data)
        except OSError:
            s.close()
            break
        held.append(s)
    return held


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= 12000, f"this test needs 12,000 descriptors, the limit is {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("half", [b"", b"GET /livez HTTP/1.1\r\nHost: a\r\nX: ",
                                  raw_requests.POST + b"Content-Length: 60000\r\n\r\n" + b" " * 100],
                         ids=["silent", "in-the-head", "in-the-body"])
def test_10000_connections_at_once_are_served_and_cost_little(parts, many_files, half):
    parts.start("--max-connections", "11000", "--max-connections-per-ip", "11000", "--header-timeout", "20000",
                "--body-timeout", "20000")
    held = open_many(parts.port, 10000, half, timeout_s=5)
    try:
        assert len(held) == 10000
        c = parts.client()
        start = time.monotonic()
        for n in range(50):
            status, _, answer = c.post(ticket(n))
            assert status in (201, 503), answer
            if half.startswith(b"POST"):  # bodies under way are bounded: 32 MiB
                continue
            assert status == 201
        assert time.monotonic() - start < 10
        c.close()
        assert ASAN or parts.rss_kib() < 160 * 1024, parts.rss_kib()
    finally:
        for s in held:
            s.close()
    parts.wait_ready()
    assert parts.client().post(ticket())[0] == 201
    assert parts.stop() == 0


def test_more_connections_than_the_limit_wait_and_those_inside_go_on(parts, many_files):
    parts.start("--max-connections", "500", "--header-timeout", "1500")
    c = parts.client()
    assert c.post(ticket(1))[0] == 201
    held = open_many(parts.port, 1500, b"GET /livez HTTP/1.1\r\n")
    for n in range(20):
        assert c.post(ticket(n))[0] == 201
    c.close()
    assert ASAN or parts.rss_kib() < 20 * 1024
    # Who says nothing more is cut off, and the door is open again.
    until = time.monotonic() + 15
    while parts.ready() != 200:
        assert time.monotonic() < until, "nobody comes in any more"
    for s in held:
        s.close()
    assert parts.stop() == 0


def is_open(s):
    s.setblocking(False)
    try:
        return s.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def test_one_address_can_not_take_every_connection(parts):
    parts.start("--max-connections-per-ip", "20")
    held = open_many(parts.port, 60, b"GET /livez HTTP/1.1\r\n")
    until = time.monotonic() + 5
    while (alive := sum(map(is_open, held))) > 20 and time.monotonic() < until:
        time.sleep(0.05)
    assert 0 < alive <= 20
    with socket.create_connection(("127.0.0.1", parts.port), 5, source_address=("127.0.0.2", 0)) as s:
        s.sendall(raw_requests.LIVE)
        assert b"alive" in s.recv(1000)
    for s in held:
        s.close()
    assert parts.stop() == 0


def test_large_bodies_by_many_are_bounded(parts, many_files):
    parts.start("--body-timeout", "3000")
    part = raw_requests.POST + b"Content-Length: 65536\r\n\r\n" + b" " * 65000
    held = open_many(parts.port, 1000, part)
    assert ASAN or parts.rss_kib() < 64 * 1024, parts.rss_kib()
    for s in held:
        s.close()
    assert parts.client().post_surely(ticket(), timeout_s=5)[0] == 201
    assert parts.stop() == 0


def test_bodies_are_bounded_though_all_heads_come_before_them(parts, many_files):
    parts.start("--body-timeout", "9000")
    held = open_many(parts.port, 2000, raw_requests.POST + b"Content-Length: 65536\r\n\r\n", timeout_s=5)
    assert len(held) == 2000
    assert parts.ready() == 200  # behind them: their heads have been read
    for s in held:
        s.sendall(b" " * 65000)
    assert parts.ready() == 200
    assert ASAN or parts.rss_kib() < 64 * 1024, parts.rss_kib()
    for s in held:
        s.close()
    assert parts.client().post_surely(ticket(), timeout_s=5)[0] == 201
    assert parts.stop() == 0


def test_term_resets_nobody_not_even_who_was_silent_until_then(parts):
    """Keep-alive clients that send now and then, at the moment of the stop too: an end is a FIN, never a reset."""
    resets, ends, served = [], [], []

    def talk(seed):
        rng = random.Random(seed)
        with socket.create_connection(("127.0.0.1", parts.port), 5) as s:
            s.settimeout(5)
            while True:
                time.sleep(rng.random() * 0.7)
                try:
                    s.sendall(raw_requests.LIVE)
                    out = s.recv(4096)
                except (ConnectionResetError, BrokenPipeError) as e:
                    resets.append(repr(e))
                    return
                if not out:
                    ends.append(seed)
                    return
                served.append(seed)
                if b"Connection: close" in out:
                    s.recv(1)
                    ends.append(seed)
                    return

    for round_ in range(3):
        parts.start()
        threads = [threading.Thread(target=talk, args=(1000 * round_ + i,)) for i in range(100)]
        for t in threads:
            t.start()
        time.sleep(0.8)
        assert parts.stop() == 0
        for t in threads:
            t.join(10)
    assert not resets and len(ends) == 300 and len(served) > 300, resets[:3]
