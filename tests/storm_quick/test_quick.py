"""One storm with every kind of fault."""
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]


def test_every_kind_of_fault_happens_once_and_every_promise_holds():
    done = subprocess.run(
        [sys.executable, "-m", "storm", "run", "--quick", "--verbose", "--tickets", "4000", "--seed",
         os.environ.get("SEED", "1"), "--build", HERE / os.environ.get("SQUAD_BUILD", "build") / "fault"],
        cwd=HERE / "tests", text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    print(done.stdout)
    assert done.returncode == 0
