"""The load generator of the benchmarks, against servers whose behaviour is known."""
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from stack import HERE  # noqa: E402

LOAD = HERE / os.environ.get("SQUAD_BUILD", "build") / "bench" / "load"


class Server(threading.Thread):
    """Answers 201 to whatever comes, one request after the other; stalls once for stall_s, stall_at_s after the first."""

    def __init__(self, stall_at_s=None, stall_s=1.0, status=b"201 Created"):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        self.stall_at_s, self.stall_s, self.status = stall_at_s, stall_s, status
        self.keys, self.bodies, self.lock, self.began = [], set(), threading.Lock(), None
        self.start()

    def run(self):
        while True:
            s, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        rest = b""
        while True:
            while (end := rest.find(b"\r\n\r\n")) < 0:
                if not (chunk := s.recv(65536)):
                    return
                rest += chunk
            head = rest[:end]
            length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
            while len(rest) < end + 4 + length:
                rest += s.recv(65536)
            body, rest = rest[end + 4:end + 4 + length], rest[end + 4 + length:]
            with self.lock:  # everybody waits for the one that stalls
                self.began = self.began or time.monotonic()
                if self.stall_at_s is not None and time.monotonic() - self.began > self.stall_at_s:
                    self.stall_at_s = None
                    time.sleep(self.stall_s)
                self.keys.append(re.search(rb"Idempotency-Key: (\S+)", head)[1])
                self.bodies.add(body)
                s.sendall(b"HTTP/1.1 " + self.status + b"\r\nContent-Length: 2\r\n\r\n{}")


def load(server, *args):
    done = subprocess.run([LOAD, "127.0.0.1", str(server.port), *map(str, args)], text=True, capture_output=True, check=True)
    return {k: float(v) for k, v in re.findall(r"(\w+)=([0-9.]+)", done.stdout)}


def test_an_open_loop_shows_a_stall_to_everybody_who_would_have_come_meanwhile():
    server = Server(stall_at_s=1.5)
    got = load(server, 16, 5, 400)
    assert got["acks"] == len(server.keys) and got["broken"] == got["other"] == got["unanswered"] == 0
    assert 1800 < got["acks"] < 2200, "the rate is kept, whatever the server does"
    # A fifth of the customers came within the second; half of those waited more than half of it.
    assert 950 < got["max_ms"] < 1800 and got["p99_ms"] > 700 and got["p50_ms"] < 100, got


def test_a_closed_loop_hides_it():
    got = load(Server(stall_at_s=1.5), 16, 5)
    assert got["max_ms"] > 950 and got["p99_ms"] < 500, got


def test_every_request_has_a_key_of_its_own_and_a_refusal_is_no_acknowledgement():
    server = Server(status=b"503 Service Unavailable")
    got = load(server, 8, 1)
    assert got["acks"] == 0 and got["other"] == len(server.keys) == len(set(server.keys)) > 100
    assert len(server.bodies) == 1
