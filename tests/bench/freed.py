"""How soon a freed expert has the best waiting ticket, while WAITING=100000 tickets wait.

  freed.py     1,000 experts with one slot each; jobs end one by one, at RATES="5 20 50" a second, for 20 s

Counted from the commit that ends a job to the commit that gives its expert the next ticket (reserved), and to
the delivered webhook (offered), by the rows' own clock. Also: was the ticket the best that he may have?
"""
import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from dispatch import HERE, Bench, Stack  # noqa: E402

WAITING = int(os.environ.get("WAITING", "100000"))
EXPERTS = 1000
RATES = [int(r) for r in os.environ.get("RATES", "5 20 50").split()]
SECONDS = 20


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


def fill(s, b):
    """Every expert has a job, and WAITING tickets have been looked at and wait."""
    b.sql("company.sql", experts=EXPERTS, capacity=1)
    with s.db() as db:
        db.execute("UPDATE squad.ticket_type SET offer_timeout_s = 3600")
        db.execute("UPDATE squad.policy SET timeouts_to_break = 1000")
        db.execute("INSERT INTO squad.expert_contact (expert_id, channel, address, secret)"
                   " SELECT id, 'webhook', %s, %s FROM squad.expert",
                   (s.env["SQUAD_HOOK_URL"], s.env["SQUAD_WEBHOOK_SECRET"]))
    b.backlog(WAITING + EXPERTS)
    start = time.monotonic()
    s.supervisor.add_receiver()
    own = {"SQUAD_DB": b.own, "SQUAD_KAFKA": s.env["SQUAD_KAFKA"]}
    for name in ("relay", "assigner", "notifier"):
        s.supervisor.add(name, [str(HERE / "build" / "bin" / f"squad-{name}")], own)
    s.wait_sql("SELECT count(*) FROM squad.dispatch", expected=WAITING + EXPERTS, timeout_s=300)
    s.wait_sql("SELECT count(*) = 0 FROM squad.assignment WHERE state = 'reserved'", timeout_s=120)
    took_s = time.monotonic() - start
    offered = s.one("SELECT count(*) FROM squad.assignment WHERE state = 'offered'")
    print(f"{WAITING + EXPERTS:,} tickets looked at in {took_s:.0f} s; {offered:,} offered", flush=True)


def run(s, rate):
    rng = random.Random(rate)
    freed = {}
    with s.db() as db:
        jobs = db.execute("SELECT id, expert_id FROM squad.assignment WHERE state = 'offered' ORDER BY id").fetchall()
        jobs = rng.sample(jobs, min(len(jobs), rate * SECONDS))
        start = time.monotonic()
        for i, (job, expert) in enumerate(jobs):
            time.sleep(max(0, start + i / rate - time.monotonic()))
            db.execute("SELECT outcome FROM squad.assignment_complete(%s, 'bench')", (job,))
            freed[expert] = job
        time.sleep(5)
        rows = db.execute("SELECT extract(epoch FROM n.reserved_at - o.ended_at)::float8 * 1000,"
                          "       extract(epoch FROM n.offered_at - o.ended_at)::float8 * 1000"
                          "  FROM squad.assignment o JOIN squad.assignment n"
                          "    ON n.expert_id = o.expert_id AND n.reserved_at >= o.ended_at"
                          " WHERE o.id = ANY (%s)", (list(freed.values()),)).fetchall()
        # Left over: waiting tickets that were older and as urgent, that he may have had.
        overtaken = db.execute("""
            SELECT count(*) FROM squad.assignment n JOIN squad.dispatch t ON t.ticket_id = n.ticket_id
             WHERE n.reserved_at > clock_timestamp() - %s * interval '1 second' AND EXISTS (
                   SELECT FROM squad.dispatch w
                    WHERE w.state = 'parked' AND w.type = t.type AND w.area = t.area AND w.priority = t.priority
                      AND w.created_at < t.created_at)""", (SECONDS + 5,)).fetchone()[0]
    reserved, offered = [r[0] for r in rows], [r[1] for r in rows if r[1] is not None]
    print(f"  {rate:>3} jobs/s end: {len(jobs)} freed, {len(rows)} have the next ticket, {len(offered)} offered;"
          f" reserved p50 {percentile(reserved, .5):.0f} ms, p99 {percentile(reserved, .99):.0f} ms;"
          f" offered p50 {percentile(offered, .5):.0f} ms, p99 {percentile(offered, .99):.0f} ms,"
          f" worst {max(offered, default=float('nan')):.0f} ms; overtaken {overtaken}", flush=True)
    assert len(offered) == len(jobs), "somebody is still idle after five seconds"


def main():
    with Stack(services_only=True) as s:
        for command in ("migrate", "topics"):
            s.squad(command)
        b = Bench(s)
        fill(s, b)
        for rate in RATES:
            run(s, rate)


if __name__ == "__main__":
    main()
