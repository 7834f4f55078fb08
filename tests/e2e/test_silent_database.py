"""A PostgreSQL that takes connections, or statements, and says nothing: the programs stay well and can be stopped."""
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from stack import BIN, Stack  # noqa: E402

PROGRAMS = ("assigner", "notifier", "relay")
STALE_S = 10  # of the heartbeat
SHUTDOWN_S = 5


class Started:
    def __init__(self, name, directory, env):
        self.argv = [str(BIN / f"squad-{name}"), "--heartbeat", str(directory / f"beat-{name}")]
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("SQUAD_", "PG"))} | env
        self.log = directory / f"silent-{name}.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.argv, env=self.env, stdout=log, stderr=log)

    def well(self):
        """As Docker or a supervisor asks."""
        return subprocess.run([*self.argv, "--health"], env=self.env, check=False).returncode == 0

    def stops_within(self, seconds):
        self.process.terminate()
        assert self.process.wait(seconds) == 0, self.log.read_text(encoding="utf-8")


def stay_well(started, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for s in started:
            assert s.process.poll() is None, s.log.read_text(encoding="utf-8")
            assert s.well()
        time.sleep(0.5)


def end(started):
    for s in started:
        if s.process.poll() is None:
            s.process.kill()
            s.process.wait()


def test_while_they_connect(tmp_path):
    silent = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = ",".join(str(s.getsockname()[1]) for s in silent)
    env = {"SQUAD_DB": f"host=127.0.0.1,127.0.0.1 port={ports} dbname=squad", "SQUAD_KAFKA": "127.0.0.1:1"}
    started = [Started(name, tmp_path, env) for name in PROGRAMS]
    try:
        time.sleep(1)
        stay_well(started, STALE_S + 3)
        for s in started:
            s.stops_within(2)
    finally:
        end(started)


@pytest.fixture
def stack():
    with Stack(programs=()) as s:
        yield s


def test_in_the_middle_of_a_statement(stack, tmp_path):
    env = {"SQUAD_DB": stack.env["SQUAD_DB"].replace(" user=squad", ""), "SQUAD_KAFKA": stack.env["SQUAD_KAFKA"]}
    frozen, started = [], [Started(name, tmp_path, env) for name in PROGRAMS]
    try:
        with stack.db() as db:
            until = time.monotonic() + 30
            while len(frozen) < len(PROGRAMS):
                assert time.monotonic() < until
                # Settled: what setting up a session takes is behind it.
                frozen = [pid for pid, in db.execute(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = ANY (%s) "
                    "AND backend_start < clock_timestamp() - interval '3 s'",
                    ([f"squad-{name}" for name in PROGRAMS],))]
                time.sleep(0.1)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        stay_well(started, STALE_S + 3)
        for s in started:
            s.stops_within(SHUTDOWN_S + 3)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        end(started)
