"""Where the CPU time of a ticket goes, from its HTTP request to its delivered webhook.

  path_cpu.py [RATE ...]     tickets a second, 500 1000 2000 by default, eight seconds each

Prints CPU time a ticket of every process and of every kind of session of PostgreSQL, and the statements
that take the most of it (SHOW=25). The tickets of a rate that is not sustained count when they are delivered.
"""
import os
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from dispatch import PROGRAMS, Bench, Stack, load, path_company  # noqa: E402

RATES = [int(a) for a in sys.argv[1:]] or [500, 1000, 2000]
SECONDS = 8
SHOW = int(os.environ.get("SHOW", "25"))
TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")


def with_statements(s):
    """Sessions that count their statements, those in functions too."""
    postgres = s.process("postgres")
    postgres.argv += ["-c", "shared_preload_libraries=pg_stat_statements", "-c", "pg_stat_statements.track=all"]
    postgres.ask_to_stop()
    postgres.wait_stopped()
    for _ in range(600):
        try:
            with s.db() as db:
                db.execute("CREATE EXTENSION pg_stat_statements")
                return
        except Exception:  # not up yet
            time.sleep(0.05)
    raise AssertionError("PostgreSQL did not come back")


def cpu_us(s):
    """CPU time so far: programs and broker by name, threads of librdkafka apart, sessions by their program."""
    us = Counter()

    def add(name, stat):
        fields = stat.rsplit(")", 1)[1].split()
        us[name] += (int(fields[11]) + int(fields[12])) * TICK_US

    for name in (*PROGRAMS, "kafka"):
        for task in Path(f"/proc/{s.pid(name)}/task").iterdir():
            stat = (task / "stat").read_text()
            thread = stat[stat.index("(") + 1:stat.rindex(")")]
            add(f"{name}, librdkafka" if thread.startswith("rdk:") else name, stat)
    with s.db() as db:
        sessions = dict(db.execute("SELECT pid, coalesce(nullif(application_name, ''), backend_type)"
                                   " FROM pg_stat_activity WHERE pid <> pg_backend_pid()").fetchall())
    for pid, name in sessions.items():
        try:
            add(f"PostgreSQL, {name}", Path(f"/proc/{pid}/stat").read_text())
        except OSError:
            pass
    return us


def print_statements(s, tickets):
    print("    us a ticket  calls a s  ms a call  statement")
    with s.db() as db:
        rows = db.execute("SELECT total_exec_time, calls, toplevel, query FROM pg_stat_statements"
                          " ORDER BY 1 DESC LIMIT %s", (SHOW,)).fetchall()
    for ms, calls, top, query in rows:
        text = " ".join(" ".join(l for l in query.splitlines() if not l.startswith("--")).split())
        print(f"    {ms * 1000 / tickets:>11.0f}  {calls / SECONDS:>9.1f}  {ms / calls:>9.2f}  {'' if top else '.. '}{text[:110]}")


def main():
    with Stack(services_only=True) as s:
        with_statements(s)
        s.supervisor.programs_up(PROGRAMS)
        receiver = s.process("receiver")
        s.supervisor.processes.remove(receiver)
        receiver.ask_to_stop()
        receiver.wait_stopped()
        path_company(s, Bench(s))
        load(s, 1000, 10)  # the broker compiles its code
        for rate in RATES:
            with s.db() as db:
                db.execute("SELECT pg_stat_statements_reset()")
            before = cpu_us(s)
            facts = load(s, rate, SECONDS)
            spent = cpu_us(s) - before
            tickets = facts["delivered"]
            print(f"  {sum(spent.values()) / tickets:.0f} us of CPU a ticket at {rate}/s, the generator's not counted")
            for name, us in spent.most_common():
                if us / tickets >= 1:
                    print(f"    {us / tickets:>7.0f}  {name}")
            print_statements(s, tickets)


if __name__ == "__main__":
    main()
