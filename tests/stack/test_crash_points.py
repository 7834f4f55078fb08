"""Crash points: in the fault build every one can be aimed at, in the other there is no trace of them."""
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from client import Client, Experts, ticket  # noqa: E402
from stack import BIN, HERE, Stack  # noqa: E402
sys.path.insert(0, str(HERE / "tests"))
from storm.faults import crash_points  # noqa: E402

PROGRAMS = ("intake", "relay", "assigner", "notifier")
FAULT_BIN = HERE / "build" / "fault" / "bin"


def listed(program):
    out = subprocess.run([FAULT_BIN / f"squad-{program}"], env={"SQUAD_CRASH": "list"}, text=True, check=True,
                         stdout=subprocess.PIPE).stdout
    return out.split()


def in_source(program):
    """Points named in the program's own folder, and those of src/common that begin with a dot."""
    names = set()
    for path in (HERE / "src" / program).glob("*.c"):
        names |= set(re.findall(r'CRASH_POINT\("([^"]+)"\)', path.read_text()))
    return names


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_programs_that_people_run_contain_no_trace_of_a_crash_point(program):
    binary = (BIN / f"squad-{program}").read_bytes()
    assert b"SQUAD_CRASH" not in binary
    assert [p for p in listed(program) if p.encode() in binary] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_fault_build_lists_every_point_of_the_source_once(program):
    points = listed(program)
    assert len(points) == len(set(points)) >= 10
    assert in_source(program) <= set(points)
    assert all(p.startswith(program + ".") and p.endswith((".before", ".after")) for p in points)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_storm_aims_at_every_point_of_the_fault_build(program):
    assert crash_points.points_in_source()[program] == sorted(listed(program))


@pytest.mark.parametrize("plan", ["relay.nowhere.before:1:kill", "relay.read.before:0:kill", "relay.read.before:1:x",
                                  "assigner.inbox.before:1:kill"])
def test_a_plan_that_can_not_happen_is_refused_at_the_start(plan):
    done = subprocess.run([FAULT_BIN / "squad-relay"], env={"SQUAD_CRASH": plan}, stderr=subprocess.PIPE, text=True,
                          check=False)
    assert done.returncode == 2 and plan in done.stderr


class FaultStack(Stack):
    def __init__(self):
        super().__init__(capacity=100)
        self.supervisor.bin_dir = FAULT_BIN

    def arm(self, program, plan):
        path = self.dir / "crash" / program
        path.with_suffix(".new").write_text(plan)
        path.with_suffix(".new").rename(path)

    def wait_fired(self, program, client, plan):
        """Posts tickets until the point has been passed so often."""
        fired = self.dir / "crash" / f"{program}.fired"
        until = time.monotonic() + 60
        while not fired.exists():
            assert time.monotonic() < until, f"{plan} was never passed"
            client.post_surely(ticket())
        assert fired.read_text() == plan


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_a_running_process_dies_or_freezes_at_the_point_and_comes_back():
    with FaultStack() as stack:
        experts, client = Experts(stack.env).start(), Client(stack.env)
        old = stack.pid("relay")
        stack.arm("relay", "relay.commit.after:2:kill")
        stack.wait_fired("relay", client, "relay.commit.after:2:kill")
        stack.wait_back("relay", old)
        frozen = stack.pid("assigner")
        stack.arm("assigner", "assigner.commit.before:1:stop")
        stack.wait_fired("assigner", client, "assigner.commit.before:1:stop")
        time.sleep(0.2)
        assert state_of(frozen) == "T"
        stack.kill("assigner", signal.SIGCONT)
        stack.verify("--wait", "60")
        stack.wait_sql("SELECT count(*) FROM squad.dispatch WHERE state <> 'completed'", expected=0, timeout_s=60)
        experts.stop()
        assert stack.pid("assigner") == frozen and stack.pid("relay") != old
