"""Everything is killed while tickets flow; nothing is lost, doubled or given twice."""
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from client import Experts, Load  # noqa: E402
from stack import Stack  # noqa: E402

TICKETS = 5000
KILLS_EACH = 5
BROKER_KILLS = 2


def test_5000_tickets_survive_25_kills():
    seed = int(time.time())
    print(f"seed {seed}")
    rng = random.Random(seed)
    kills = ["relay", "assigner", "notifier", "intake"] * KILLS_EACH + ["kafka"] * BROKER_KILLS
    rng.shuffle(kills)
    with Stack(capacity=100) as stack:
        experts = Experts(stack.env).start()
        # Slow enough to last through all the kills.
        load = Load(stack.env, TICKETS, pause_s=0.12).start()
        for name in kills:
            old = stack.kill(name, signal.SIGKILL)
            stack.wait_back(name, old)
            time.sleep(rng.random() * 0.8)
        assert not load.done(), "the load ended before the kills: it proved nothing"
        load.join()
        facts = stack.verify("--wait", "90", "--acks", load.write_acks(stack.dir / "acks"))
        stack.wait_sql("SELECT count(*) FROM squad.dispatch WHERE state <> 'completed'", expected=0, timeout_s=60)
        experts.stop()
        assert facts["tickets"] == len(load.acks) == TICKETS
        with stack.db() as db:
            assert db.execute("SELECT * FROM rpt.audit").fetchall() == []
