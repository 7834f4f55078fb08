"""Two intakes behind haproxy with docs/haproxy.cfg: stopped, started and killed in turn under load."""
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from client import ticket  # noqa: E402
from intake_alone import Flood, Parts, check_acks  # noqa: E402
from private_stack import services  # noqa: E402
from stack import BIN, HERE  # noqa: E402


class Fleet(Parts):
    """Parts with two intakes and haproxy, which clients talk to."""

    def __init__(self):
        super().__init__()
        self.front, *self.ports = services.free_ports(3)
        self.env["SQUAD_URL"] = f"http://127.0.0.1:{self.front}"
        self.intakes = [None, None]
        for n in (0, 1):
            self.up(n)
        self.haproxy = subprocess.Popen(
            ["haproxy", "-db", "-f", HERE / "docs/haproxy.cfg"], stdout=open(self.dir / "log/haproxy.log", "wb"),
            stderr=subprocess.STDOUT, env=self.base | {"SQUAD_FRONT": f"127.0.0.1:{self.front}"} |
            {f"SQUAD_INTAKE_{n + 1}": f"127.0.0.1:{port}" for n, port in enumerate(self.ports)})
        self.intake = self.haproxy
        self.wait_ready()

    def up(self, n):
        with open(self.dir / "log" / "intake.log", "ab") as log:
            self.intakes[n] = subprocess.Popen(
                [BIN / "squad-intake", "--listen", f"127.0.0.1:{self.ports[n]}"], stderr=log,
                env=self.base | {"SQUAD_DB": f"host=127.0.0.1 port={self.pg_port} dbname=squad"})

    def serving(self, n):
        c = type(self.client())(self.env | {"SQUAD_URL": f"http://127.0.0.1:{self.ports[n]}"})
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                if c.request("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.01)
        raise AssertionError(f"intake {n} does not become ready: {self.log()[-2000:]}")

    def close(self):
        for p in self.intakes:
            p.kill()
            p.wait()
        super().close()


@pytest.fixture
def fleet():
    f = Fleet()
    yield f
    f.close()
    shutil.rmtree(f.dir, ignore_errors=True)


def verdict(fleet, flood):
    flood.stop()
    assert not flood.broken, flood.broken[:3]
    assert set(flood.statuses) == {201}, flood.statuses
    check_acks(fleet, flood.acks)
    assert fleet.one("SELECT count(*) FROM squad.ticket") == len(flood.acks) == flood.statuses[201] > 100


def test_a_rolling_restart_under_load_loses_no_request(fleet):
    flood = Flood(fleet)
    for _ in range(3):
        for n in (0, 1):
            time.sleep(0.3)
            fleet.intakes[n].terminate()
            assert fleet.intakes[n].wait(10) == 0
            fleet.up(n)
            fleet.serving(n)
            time.sleep(0.7)  # haproxy looks again
    verdict(fleet, flood)


def test_a_kill_9_of_one_under_load_loses_no_request_and_doubles_none(fleet):
    flood = Flood(fleet)
    for round_ in range(6):
        time.sleep(0.4)
        fleet.intakes[round_ % 2].kill()
        fleet.intakes[round_ % 2].wait()
        time.sleep(0.2)
        fleet.up(round_ % 2)
        fleet.serving(round_ % 2)
        time.sleep(0.7)
    verdict(fleet, flood)


def test_what_haproxy_lets_through_intake_still_refuses(fleet):
    c = fleet.client()
    assert c.request("POST", "/v1/tickets", ticket())[0] == 400
    assert c.request("POST", "/v1/tickets", ticket(problem=""), {"Idempotency-Key": "x"})[0] == 422
    c.close()
