"""From commit to a read_committed reader; the program that `make bench-latency` runs at length."""
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "tests" / "support"))
from stack import Stack  # noqa: E402

PROGRAM = HERE / os.environ.get("SQUAD_BUILD", "build") / "bench" / "latency"
# A broker that has just started is slow until its code is compiled, and a shared machine can be busy with other
# things: the first of eight runs within the bound is enough, and a bound that a pause of an idle relay would break is
# what it can hold there (bench-latency prints the figure).
RUNS, RATE, SECONDS, P50_MAX_MS = 8, 200, 5, 50.0


def test_half_of_the_events_can_be_read_at_once():
    seen = []
    with Stack(programs=("relay",)) as s:
        for _ in range(RUNS):
            done = subprocess.run([str(PROGRAM), str(RATE), str(SECONDS)], env=os.environ | s.env, capture_output=True,
                                  text=True, check=False)
            assert done.returncode == 0, done.stderr
            seen.append(float(re.search(r"p50_ms=([0-9.]+)", done.stdout)[1]))
            if seen[-1] <= P50_MAX_MS:
                return
    assert min(seen) <= P50_MAX_MS * (5 if "asan" in str(PROGRAM) else 1), seen
