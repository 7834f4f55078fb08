"""What dispatch does, on a private stack, against its peers in the same run. Prints every run and the medians.

  dispatch.py database     a backlog on the database alone: ours, one ticket a transaction, plain SQL, River
  dispatch.py assigners    the same backlog from Kafka, by one, two and three assigners
  dispatch.py path         HTTP to delivered webhook: the rate that is sustained, and latency at half of it

RUNS=3 runs of every arm, interleaved, behind one that does not count. TICKETS=60000.
"""
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "tests" / "support"))
from stack import BIN, PROGRAMS, Stack  # noqa: E402

RUNS = int(os.environ.get("RUNS", "3"))
TICKETS = int(os.environ.get("TICKETS", "60000"))
EXPERTS = [int(n) for n in os.environ.get("EXPERTS", "1000 10000 100000").split()]
SQL = Path(__file__).parent / "dispatch"
BATCH = 500  # tickets in a transaction of the statement's own limit
PG_BIN = Path("/usr/lib/postgresql/15/bin")


class Bench:
    def __init__(self, stack):
        self.s = stack
        self.rates = {}
        self.own = stack.env["SQUAD_DB"].replace(" user=squad", "")
        self.n = 0

    def backends_cpu_s(self):
        """CPU time of all sessions that have ended."""
        stat = Path(f"/proc/{self.s.pid('postgres')}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(stat[13]) + int(stat[14])) / os.sysconf("SC_CLK_TCK")

    def sql(self, file, **variables):
        argv = [str(PG_BIN / "psql"), "-qXv", "ON_ERROR_STOP=1", "-c", "SET client_min_messages = warning", "-d", self.s.env["SQUAD_DB"], "-f", str(SQL / file)]
        for name, value in variables.items():
            argv += ["-v", f"{name}={value}"]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)

    def company(self, experts):
        # Room for three times the backlog, and for a plan that is not even.
        self.sql("company.sql", experts=experts, capacity=max(10, 6 * TICKETS // experts))

    def backlog(self, tickets=TICKETS, events=0):
        self.sql("backlog.sql", tickets=tickets, events=events)
        self.begin()

    def begin(self):
        """What follows is the arm. A session that made it ends a moment after its client."""
        time.sleep(0.5)
        self.backends_before_s = self.backends_cpu_s()

    def pg_s(self):
        """CPU time of the arm in PostgreSQL's sessions: it hardly depends on what else the machine does."""
        time.sleep(0.5)  # the sessions end, and their parent adds them up
        return self.backends_cpu_s() - self.backends_before_s

    def pg_us(self, tickets):
        return f"{self.pg_s() / tickets * 1e6:.0f} us CPU a ticket in PostgreSQL"

    def note(self, arm, rate, more=""):
        self.rates.setdefault(arm, []).append(rate)
        print(f"  {arm:<44} {rate:>9,.0f}/s  {more}", flush=True)

    def print_medians(self):
        print(f"medians of {RUNS} runs")
        for arm, rates in self.rates.items():
            if arm != "warm-up":
                print(f"  {arm:<44} {statistics.median(rates):>9,.0f}/s")

    def assigner(self, *args):
        self.n += 1
        env = os.environ | self.s.env | {"SQUAD_DB": self.own}
        return subprocess.Popen([str(BIN / "squad-assigner"), "--instance", f"b{self.n}", *args], env=env,
                                stderr=subprocess.PIPE, text=True)

    def assigned(self):
        """How many, and how long from the first to the last, by the rows' own clock."""
        with self.s.db() as db:
            return db.execute("SELECT count(*), extract(epoch FROM max(reserved_at) - min(reserved_at))::float8"
                              " FROM squad.assignment WHERE state = 'reserved'").fetchone()

    def pgbench(self, script, clients, transactions):
        # As every session of ours: a plan that was made while a table was empty must not scan it when it is full.
        env = os.environ | {"PGOPTIONS": "-c search_path=squad -c enable_seqscan=off -c jit=off -c plan_cache_mode=force_generic_plan"}
        done = subprocess.run([str(PG_BIN / "pgbench"), "-n", "-M", "prepared", "-f", str(script), "-c", str(clients),
                               "-j", str(min(clients, 2)), "-t", str(transactions), "-D", "n=0", "-D",
                               f"clients={clients}", self.s.env["SQUAD_DB"]], env=env, text=True, capture_output=True,
                              check=False)
        assert done.returncode == 0, done.stderr
        tps = float(re.search(r"tps = ([0-9.]+) \(without", done.stdout)[1])
        failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
        assert not failed or failed[1] == "0", done.stdout
        return tps


def peak(process):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1]) / 1024


def drain(b):
    """The real assigner until nothing waits: (seconds, CPU seconds of its own, MiB at most)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    p = b.assigner("--drain")
    rss = 0
    while p.poll() is None:
        try:
            rss = max(rss, peak(p))
        except (OSError, TypeError):
            pass
        time.sleep(0.02)
    wall = time.monotonic() - start
    assert p.returncode == 0, p.stderr.read()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, rss


def roster(b, experts):
    """What an assigner does once, when it starts: nothing waits. (CPU seconds in PostgreSQL, in the assigner)"""
    b.begin()
    wall, cpu_s, rss = drain(b)
    pg_s = b.pg_s()
    print(f"  {experts:,} experts: reading the roster, once: {wall:.2f} s from start to exit, CPU {pg_s * 1e3:.0f} ms in PostgreSQL,"
          f" {cpu_s * 1e3:.0f} ms in the assigner, {rss:.1f} MiB", flush=True)
    return pg_s, cpu_s


def ours(b, arm, once=(0, 0)):
    """With what no event has brought, so that PostgreSQL alone does something. once: CPU that is not a ticket's."""
    b.backlog()
    wall, cpu_s, rss = drain(b)
    pg_s = b.pg_s()
    n, took = b.assigned()
    assert n == TICKETS, f"{n} of {TICKETS} tickets are assigned"
    b.note(arm, n / took, f"{wall:.2f} s from start to exit, {(pg_s - once[0]) / n * 1e6:.0f} us CPU a ticket in PostgreSQL,"
           f" {(cpu_s - once[1]) / n * 1e6:.1f} us in the assigner, {rss:.1f} MiB")


def statement(name):
    """A query file with its array parameters taken from plan.batch; $11 is the actor."""
    text = (HERE / "sql" / "queries" / "assigner" / f"{name}.sql").read_text()
    text = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    columns = {"decide": ["tickets", "states", "experts", "versions", "places", "offers", "facts", "announce", "traceparents",
                          "retries"],
               "inbox_put": ["events"], "tickets_lock": ["tickets"], "tickets_load": ["tickets"],
               "experts_lock": ["experts"], "experts_check": ["experts"]}[name]
    text = text.replace("$11", "'bench'::text")
    for i, column in reversed(list(enumerate(columns, 1))):
        text = text.replace(f"${i}", f"(SELECT {column} FROM plan.batch WHERE n = :b)")
    return text + ";\n"


def script(b, *names):
    """A pgbench script: each connection takes every clients-th batch of the plan."""
    path = b.s.dir / ("+".join(names) + ".sql")
    path.write_text("\\set b :n * :clients + :client_id\n\\set n :n + 1\nBEGIN;\n" +
                    "".join(statement(n) for n in names) + "COMMIT;\n")
    return path


def limit(b, arm, clients, batch=BATCH):
    """The statements that hold experts and write decisions, alone: no choice, nothing read."""
    b.backlog()
    b.sql("plan.sql", batch=batch)
    b.begin()
    turns = TICKETS // batch // clients
    rate = b.pgbench(script(b, "experts_lock", "decide"), clients, turns) * batch
    b.note(arm, rate, b.pg_us(turns * clients * batch))


def one(b, arm, clients):
    """Everything that the assigner does in PostgreSQL, for one ticket in a transaction."""
    b.backlog(min(TICKETS, 20000))
    b.sql("plan.sql", batch=1)
    names = ("inbox_put", "tickets_lock", "tickets_load", "experts_lock", "experts_check", "decide")
    b.begin()
    rate = b.pgbench(script(b, *names), clients, min(TICKETS, 20000) // clients)
    b.note(arm, rate, b.pg_us(min(TICKETS, 20000)))


def plain(b, arm, clients):
    b.backlog()
    b.sql("plain.sql")
    b.begin()
    rate = b.pgbench(SQL / "plain_one.sql", clients, min(TICKETS, 20000) // clients)
    b.note(arm, rate, b.pg_us(min(TICKETS, 20000)))


def river(b, arm, kind):
    b.backlog()
    b.sql("plain.sql")
    b.begin()
    done = subprocess.run([str(HERE / "build" / "bench" / "river"), kind, str(min(TICKETS, 30000)), "100"],
                          env=os.environ | b.s.env, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    b.note(arm, float(re.search(r"rate=(\d+)", done.stdout)[1]), b.pg_us(min(TICKETS, 30000)))


def database():
    with Stack(services_only=True) as s:
        for command in ("migrate", "topics"):
            s.squad(command)
        b = Bench(s)
        for experts in EXPERTS:
            print(f"{experts:,} experts, {TICKETS:,} tickets", flush=True)
            b.company(experts)
            ours(b, "warm-up")
            once = roster(b, experts)
            for _ in range(RUNS):
                at = f"{experts:,} experts: "
                ours(b, at + "ours, set-wise", once)
                for clients in (1, 2, 3):
                    limit(b, at + f"the statement alone, {clients} connections", clients)
                one(b, at + "ours, one ticket a transaction", 4)
                plain(b, at + "plain SQL, 4 connections", 4)
                if experts == 10000:
                    plain(b, at + "plain SQL, 8 connections", 8)
                    river(b, at + "River, empty jobs", "empty")
                    river(b, at + "River, jobs of plain SQL", "plain")
        b.print_medians()


def from_kafka(b, arm, n):
    """n assigners share the partitions of a backlog that the relay has shipped before."""
    b.backlog(events=1)
    env = os.environ | b.s.env | {"SQUAD_DB": b.own}
    subprocess.run([str(BIN / "squad-relay"), "--drain"], env=env, check=True, stderr=subprocess.DEVNULL)
    running = [b.assigner("--sweep-age", "600000") for _ in range(n)]
    b.s.wait_sql("SELECT count(*) FROM squad.dispatch", expected=TICKETS, timeout_s=120)
    said = []
    for p in running:
        p.terminate()
        said.append(re.search(r"tickets decided.*", p.communicate(timeout=30)[1])[0])
        assert p.returncode == 0, said
    n_assigned, _ = b.assigned()
    assert n_assigned == TICKETS, f"{n_assigned} of {TICKETS} tickets are assigned"
    # A few come by the sweep while Kafka still lets the group's members gather, for some seconds.
    with b.s.db() as db:
        took = db.execute("SELECT extract(epoch FROM p[2] - p[1])::float8 FROM (SELECT percentile_disc('{0.05,1}'::float8[])"
                          " WITHIN GROUP (ORDER BY reserved_at) AS p FROM squad.assignment) AS x").fetchone()[0] / 0.95
    again = sum(int(re.search(r"again=(\d+)", line)[1]) if "again=" in line else 0 for line in said)
    refused = sum(int(re.search(r"refused=(\d+)", line)[1]) for line in said)
    b.note(arm, n_assigned / took, f"chosen again {again}, refused {refused}")


def assigners():
    with Stack(services_only=True) as s:
        for command in ("migrate", "topics"):
            s.squad(command)
        b = Bench(s)
        b.company(10000)
        from_kafka(b, "warm-up", 1)
        for _ in range(RUNS):
            for n in (1, 2, 3):
                from_kafka(b, f"10,000 experts, {n} assigner{'s' if n > 1 else ''}", n)
        b.print_medians()


HOOK_HOSTS = 50
STEPS = [int(n) for n in os.environ.get("STEPS", "1000 2000 3000 4000 5000 6000 7000 8000").split()]


def path_company(s, b):
    """10,000 experts on fifty hosts, all of them this machine's."""
    b.sql("company.sql", experts=10000, capacity=1000)
    with s.db() as db:
        db.execute("INSERT INTO squad.expert_contact (expert_id, channel, address, secret)"
                   " SELECT id, 'webhook', 'http://127.0.0.' || 1 + id %% %s || ':' || %s || '/', %s FROM squad.expert",
                   (HOOK_HOSTS, s.supervisor.hook_port, s.env["SQUAD_WEBHOOK_SECRET"]))


def load(s, rate, seconds):
    done = subprocess.run([str(HERE / "build" / "bench" / "path"), str(rate), str(seconds), "64",
                           str(s.supervisor.hook_port)], env=os.environ | s.env, text=True, capture_output=True, check=False)
    facts = {k: float(v) for k, v in re.findall(r"(\w+)=([0-9.-]+)", done.stdout)}
    assert facts, done.stderr
    print("  " + done.stdout.strip(), flush=True)
    return facts


def path():
    """Steps up until it no longer keeps up: everything delivered, and the last within a second of the end."""
    halves, best = [], []
    for run in range(RUNS):
        with Stack(programs=PROGRAMS) as s:
            receiver = s.process("receiver")
            s.supervisor.processes.remove(receiver)
            receiver.ask_to_stop()
            receiver.wait_stopped()
            b = Bench(s)
            path_company(s, b)
            load(s, 500, 2)
            sustained = 0
            for rate in STEPS:
                facts = load(s, rate, 10)
                if facts["delivered"] < facts["sent"] or facts["behind_ms"] > 1000 or facts["notified_p99_ms"] > 2000:
                    break
                sustained = rate
            best.append(sustained)
            if sustained:
                halves.append(load(s, sustained // 2, 20))
            for name in PROGRAMS:
                print(f"    {name}: {s.rss_kib(name) / 1024:.1f} MiB", flush=True)
            if run == 0:
                s.verify("--wait", "60")
                print("    verify: ok", flush=True)
    print(f"sustained: median of {RUNS} runs {statistics.median(best):,.0f} tickets/s; at half of it p50"
          f" {statistics.median(h['notified_p50_ms'] for h in halves):.0f} ms, p99"
          f" {statistics.median(h['notified_p99_ms'] for h in halves):.0f} ms from request to webhook")


if __name__ == "__main__":
    {"database": database, "assigners": assigners, "path": path}.get(sys.argv[1] if len(sys.argv) > 1 else "", lambda: sys.exit(__doc__))()
