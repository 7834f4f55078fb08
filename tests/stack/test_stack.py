"""The private stack itself: dead programs come back, down leaves nothing, the receiver checks signatures."""
import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "tools"))
from private_stack.process import Process, pids_of_stack  # noqa: E402

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()


def wait_for(condition, timeout_s=10):
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.01)


def process(tmp_path, *argv):
    return Process("dummy", list(argv), dict(os.environ), tmp_path / "log", tmp_path / "pid")


def test_a_killed_program_is_back_at_once(tmp_path):
    p = process(tmp_path, "sleep", "60")
    p.start()
    time.sleep(1.1)
    first = p.child.pid
    os.kill(first, signal.SIGKILL)
    start = time.monotonic()
    wait_for(lambda: (p.keep(), p.running() and p.child.pid != first)[1], 1)
    assert time.monotonic() - start < 1
    assert int((tmp_path / "pid").read_text()) == p.child.pid
    p.ask_to_stop()
    p.wait_stopped()


def test_a_program_that_dies_at_once_is_tried_at_most_every_second(tmp_path):
    p = process(tmp_path, "false")
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        p.keep()
        time.sleep(0.01)
    assert 4 <= p.starts <= 7


def test_a_stopped_program_still_hears_term(tmp_path):
    p = process(tmp_path, "sleep", "60")
    p.start()
    os.kill(p.child.pid, signal.SIGSTOP)
    p.ask_to_stop()
    start = time.monotonic()
    p.wait_stopped()
    assert time.monotonic() - start < 2


def test_services_come_up_and_go_without_a_trace(tmp_path):
    stack = [str(HERE / "tools" / "squad-stack")]
    where = ["--run-dir", str(tmp_path / "run")]
    up = subprocess.run([*stack, "up", "--services-only", *where], capture_output=True, text=True, check=False)
    assert up.returncode == 0, up.stderr
    env = dict(line.removeprefix("export ").replace("'", "").split("=", 1)
               for line in (tmp_path / "run" / "env").read_text().splitlines())
    try:
        assert env["SQUAD_DB"].startswith("host=127.0.0.1 ")
        again = subprocess.run([*stack, "up", "--services-only", *where], capture_output=True, text=True, check=False)
        assert again.returncode == 0 and "up already" in again.stdout
        for name in ("postgres", "kafka"):
            pid = int((tmp_path / "run" / "pid" / name).read_text())
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: int((tmp_path / "run" / "pid" / name).read_text()) != pid)
        query = ["psql", env["SQUAD_DB"], "-Atqc", "SELECT 1"]
        wait_for(lambda: subprocess.run(query, capture_output=True, check=False).stdout == b"1\n", 30)
        if os.geteuid() == 0:
            pid = (tmp_path / "run" / "pid" / "postgres").read_text().strip()
            assert os.stat(f"/proc/{pid}").st_uid != 0
    finally:
        subprocess.run([*stack, "down", *where], check=True)
    assert pids_of_stack(tmp_path / "run") == []
    assert not (tmp_path / "run" / "env").exists()


def test_what_a_dead_supervisor_left_is_stopped(tmp_path):
    stack = [str(HERE / "tools" / "squad-stack")]
    where = ["--run-dir", str(tmp_path / "run")]
    subprocess.run([*stack, "up", "--services-only", *where], check=True, capture_output=True)
    os.kill(int((tmp_path / "run" / "pid" / "supervisor").read_text()), signal.SIGKILL)
    subprocess.run([*stack, "down", *where], check=True)
    assert pids_of_stack(tmp_path / "run") == []


@pytest.fixture
def receiver(tmp_path):
    hooks = tmp_path / "hooks"
    child = subprocess.Popen([str(HERE / "tools" / "squad-receiver"), "--port", "0", "--hooks", str(hooks),
                              "--secret", SECRET], stdout=subprocess.PIPE, text=True)
    yield "http://" + child.stdout.readline().split()[-1], hooks
    child.terminate()
    child.wait()


def deliver(url, body, secret=SECRET, webhook_id="msg_1"):
    stamp = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{webhook_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    request = urllib.request.Request(url, body, {
        "webhook-id": webhook_id, "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(mac).decode()})
    try:
        return urllib.request.urlopen(request, timeout=5).status
    except urllib.error.HTTPError as e:
        return e.code


def test_the_receiver_tells_right_signatures_from_wrong_ones(receiver):
    url, hooks = receiver
    other = "whsec_" + base64.b64encode(b"x" * 24).decode()
    assert deliver(url + "/a", b'{"n":1}') == 204
    assert deliver(url + "/a", b'{"n":2}', secret=other) == 204
    lines = [json.loads(line) for line in hooks.read_text().splitlines()]
    assert [line["verified"] for line in lines] == [True, False]
    assert lines[0]["body"] == {"n": 1} and lines[0]["webhook_id"] == "msg_1"


def test_the_receiver_misbehaves_by_path(receiver):
    url, _ = receiver
    assert deliver(url + "/fail/410/x", b"{}") == 410
    assert [deliver(url + "/flaky/2/x", b"{}", webhook_id="msg_f") for _ in range(3)] == [503, 503, 204]
