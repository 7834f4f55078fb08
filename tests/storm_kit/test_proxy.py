"""The storm's proxy does to bytes what it is told, and nothing else."""
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from storm.control import Remote
from storm.stack import services

HERE = Path(__file__).resolve().parents[1]


class Echo:
    """A server that sends back what it gets, in upper case."""

    def __init__(self, port):
        self.sock = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        try:
            while data := s.recv(65536):
                s.sendall(data.upper())
        except OSError:
            pass
        s.close()


class Setup:
    def __init__(self):
        self.control, self.port, self.to_port = services.free_ports(3)
        self.process = subprocess.Popen([sys.executable, "-m", "storm.proxy", str(self.control)],
                                        env=os.environ | {"PYTHONPATH": str(HERE)})
        self.echo = Echo(self.to_port)
        self.proxy = Remote(self.control)
        self.proxy.call("link", name="a", port=self.port, to_port=self.to_port)

    def connect(self, timeout_s=5):
        return socket.create_connection(("127.0.0.1", self.port), timeout_s)

    def set(self, **what):
        self.proxy.call("set", name="a", **what)


@pytest.fixture
def setup():
    s = Setup()
    yield s
    s.proxy.close()
    s.process.terminate()
    s.process.wait()
    s.echo.sock.close()


def receive(s, n):
    data = b""
    while len(data) < n:
        piece = s.recv(65536)
        if not piece:
            return data
        data += piece
    return data


def ask(s, data):
    s.sendall(data)
    return receive(s, len(data))


def test_a_link_passes_bytes_both_ways_whole_and_in_order(setup):
    data = os.urandom(3_000_000).hex().encode()
    with setup.connect() as s:
        threading.Thread(target=s.sendall, args=(data,), daemon=True).start()
        assert receive(s, len(data)) == data.upper()


def test_many_bytes_stop_at_a_stall_and_none_is_lost_when_it_ends(setup):
    data = b"abcdefgh" * 500_000
    setup.set(down={"stall": True})
    with setup.connect(1) as s:
        threading.Thread(target=s.sendall, args=(data,), daemon=True).start()
        with pytest.raises(socket.timeout):
            s.recv(1)
        setup.set()
        s.settimeout(10)
        assert receive(s, len(data)) == data.upper()


def test_what_was_held_back_or_cut_is_counted(setup):
    def disturbed():
        return setup.proxy.call("stats")["a"]["disturbed"]
    with setup.connect() as s:
        assert ask(s, b"abc") == b"ABC"
        setup.set(up={"delay_ms": 20}, down={"reset_after_bytes": 4})
        assert disturbed() == 0
        assert ask(s, b"abc") == b"ABC"
        assert disturbed() == 1
        s.sendall(b"abc")
        with pytest.raises(ConnectionResetError):
            receive(s, 3)
        assert disturbed() == 3


def test_a_stall_of_one_direction_lets_the_other_pass(setup):
    with setup.connect(1) as s:
        assert ask(s, b"x") == b"X"
        setup.set(up={"stall": True})
        s.sendall(b"y")
        with pytest.raises(socket.timeout):
            s.recv(1)
        assert setup.proxy.call("stats")["a"]["open"] == 1


def test_a_delay_holds_each_way_and_keeps_the_order(setup):
    setup.set(up={"delay_ms": 150}, down={"delay_ms": 150})
    with setup.connect() as s:
        t0 = time.monotonic()
        s.sendall(b"one ")
        s.sendall(b"two")
        assert receive(s, 7) == b"ONE TWO"
        assert 0.3 <= time.monotonic() - t0 < 1.5


def test_a_rate_is_kept(setup):
    setup.set(down={"rate_bytes_s": 1024})
    with setup.connect() as s:
        t0 = time.monotonic()
        assert len(ask(s, b"x" * 1024)) == 1024
        assert 0.7 < time.monotonic() - t0 < 4


def test_a_reply_is_cut_after_exactly_n_bytes_and_the_connection_is_reset(setup):
    with setup.connect() as s:
        assert ask(s, b"before") == b"BEFORE"
        setup.set(down={"reset_after_bytes": 7})
        s.sendall(b"0123456789")
        assert receive(s, 7) == b"0123456"
        with pytest.raises(ConnectionResetError):
            s.recv(1)
    with setup.connect() as s:
        assert ask(s, b"after") == b"AFTER"  # it happens once


def test_a_cut_resets_every_connection(setup):
    with setup.connect() as s, setup.connect() as t:
        assert ask(s, b"x") + ask(t, b"y") == b"XY"
        assert setup.proxy.call("cut", name="a") == 2
        for one in (s, t):
            with pytest.raises(ConnectionResetError):
                one.recv(1)


def test_a_refusing_link_resets_who_comes_and_keeps_who_is_there(setup):
    with setup.connect() as s:
        assert ask(s, b"x") == b"X"
        setup.set(refuse=True)
        with pytest.raises(ConnectionError):
            with setup.connect() as t:
                t.sendall(b"y")
                assert t.recv(1) == b""
                raise ConnectionResetError
        assert ask(s, b"z") == b"Z"


def test_the_end_of_one_side_ends_the_other(setup):
    with setup.connect() as s:
        assert ask(s, b"x") == b"X"
    until = time.monotonic() + 5
    while setup.proxy.call("stats")["a"]["open"] and time.monotonic() < until:
        time.sleep(0.01)
    assert setup.proxy.call("stats")["a"]["open"] == 0


def test_a_server_that_is_not_there_resets_the_client(setup):
    setup.proxy.call("upstream", name="a", to_port=services.free_ports(1)[0])
    with pytest.raises(ConnectionError):
        with setup.connect() as s:
            s.sendall(b"x")
            assert s.recv(1) == b""
            raise ConnectionResetError


def test_a_new_upstream_gets_the_new_connections(setup):
    port = services.free_ports(1)[0]
    other = socket.create_server(("127.0.0.1", port))
    setup.proxy.call("upstream", name="a", to_port=port)
    with setup.connect() as s:
        accepted, _ = other.accept()
        accepted.sendall(b"other")
        assert receive(s, 5) == b"other"
        accepted.close()
    other.close()


def test_an_error_of_a_command_is_raised_at_the_caller(setup):
    with pytest.raises(RuntimeError, match="KeyError"):
        setup.proxy.call("cut", name="nothing")
