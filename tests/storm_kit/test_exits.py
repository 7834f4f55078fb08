"""Which ends of a program a fault accounts for, and which are findings."""
import signal
from collections import Counter, defaultdict
from types import SimpleNamespace

import pytest

from storm.run import Storm

CRASH_POINT = 'time=... level=warn program=squad-relay msg="crash point" name=relay.read.after signal=KILL\n'
HANGS = 'time=... level=warn program=squad-relay msg="Kafka client does not close; leaving without it" timeout_ms=3000\n'


def run(*sent):
    r = object.__new__(Storm)
    r.allowed_exits = Counter()
    r.stack = SimpleNamespace(signalled=defaultdict(set, {7: set(sent)}))
    return r


@pytest.mark.parametrize("sent, code, last_lines, expected", [
    ((signal.SIGKILL,), -9, "", True),
    ((), -9, "", False),
    ((signal.SIGTERM,), -9, "", False),
    ((), -9, CRASH_POINT, True),
    ((), -9, CRASH_POINT.replace("KILL", "STOP"), False),
    ((signal.SIGTERM,), 0, "", True),
    ((signal.SIGTERM,), 8, "", True),
    ((), 0, "", False),
    ((), 8, "", False),
    ((), 8, HANGS, True),
    ((), 1, HANGS, False),
    ((signal.SIGTERM,), -11, "", False),
    ((signal.SIGTERM,), 6, "", False)])
def test_an_end_is_expected_only_when_something_accounts_for_it(sent, code, last_lines, expected):
    assert run(*sent).expects("relay-1", 7, code, last_lines) == expected


def test_a_fault_may_allow_a_code_while_it_is_under_way():
    r = run()
    r.allow_exit("relay", 6)
    assert r.expects("relay-1", 7, 6, "")
    assert not r.expects("notifier-1", 7, 6, "")
    r.disallow_exit("relay", 6)
    assert not r.expects("relay-1", 7, 6, "")
