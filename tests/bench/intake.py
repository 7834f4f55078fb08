"""What intake does beside the alternatives, on a private PostgreSQL with everything durable.

  intake.py table [ARM...]   every arm in turn, ROUNDS times (5), SECONDS each (4); then latencies at 25, 50 and 70 %
  intake.py large [MILLION]  the same statement and the same intake on an empty table and on one of 10 M tickets

Prints medians and ranges. An arm whose acknowledgements are not its rows and its outbox rows ends the run.
"""
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "tests" / "support"))
from intake_alone import KEY, Parts  # noqa: E402
from private_stack import services  # noqa: E402
from stack import HERE as ROOT  # noqa: E402

ROUNDS, SECONDS = int(os.environ.get("ROUNDS", "5")), float(os.environ.get("SECONDS", "4"))
BENCH = ROOT / os.environ.get("SQUAD_BUILD", "build") / "bench"
BATCH = 256


def facts(text):
    return {k: float(v) for k, v in re.findall(r"(\w+)=([0-9.]+)", text)}


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid, what):
    """VmHWM: the most that was resident, libraries included; RssAnon: what is the process's own now."""
    return int(re.search(rf"{what}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


class Bench:
    def __init__(self):
        self.parts = Parts()
        self.dsn = f"host=127.0.0.1 port={self.parts.pg_port} dbname=squad user=squad"
        self.url = f"postgres://squad@127.0.0.1:{self.parts.pg_port}/squad"
        self.env = self.parts.base | {"SQUAD_API_KEY": KEY}
        self.runs = 0

    def close(self):
        self.parts.close()

    def clear(self):
        with self.parts.db() as db:
            db.execute("TRUNCATE squad.ticket, squad.outbox RESTART IDENTITY CASCADE")
            db.execute("CHECKPOINT")

    def rows(self):
        with self.parts.db() as db:
            return db.execute("SELECT (SELECT count(*) FROM squad.ticket), (SELECT count(*) FROM squad.outbox)").fetchone()

    def check(self, name, acks, outbox=True):
        tickets, events = self.rows()
        if tickets != acks or events != (acks if outbox else 0):
            sys.exit(f"{name}: {acks} acknowledgements, {tickets} tickets, {events} outbox rows")

    def load(self, port, connections, seconds=SECONDS, rate=None):
        args = [BENCH / "load", "127.0.0.1", port, connections, seconds] + ([rate] if rate else [])
        done = subprocess.run([str(a) for a in args], env=self.env, text=True, stdout=subprocess.PIPE, check=True)
        got = facts(done.stdout)
        if got["other"] or got["broken"] or got["unanswered"]:
            sys.exit(f"not every request was answered 201: {done.stdout}")
        return got

    def ours(self, connections, rate=None, seconds=SECONDS):
        self.parts.start("--max-connections", "2000", "--max-connections-per-ip", "2000")
        pid = self.parts.intake.pid
        self.load(self.parts.port, connections, 0.3)
        self.clear()
        before = cpu_s(pid)
        got = self.load(self.parts.port, connections, seconds, rate)
        used = cpu_s(pid) - before
        got["rss_mib"], got["own_mib"] = memory_mib(pid, "VmHWM"), memory_mib(pid, "RssAnon")
        self.check("intake", got["acks"])
        got["batch"] = got["acks"] / self.parts.one("SELECT count(DISTINCT xid) FROM squad.outbox")
        got["cpu_us"] = used / got["acks"] * 1e6
        assert self.parts.stop() == 0
        return got

    def pgbench(self, clients):
        self.runs += 1
        self.clear()
        done = subprocess.run(
            [str(services.PG_BIN / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(round(SECONDS)),
             "-D", "i=0", "-D", f"base={self.runs * 10**10}", "-f", str(HERE / "tests/bench/ticket.pgbench"), "-h", "127.0.0.1",
             "-p", str(self.parts.pg_port), "-U", "squad_intake", "squad"], text=True, env=self.env, capture_output=True, check=False)
        if done.returncode or "number of failed transactions: 0 " not in done.stdout:
            sys.exit(done.stdout + done.stderr)
        acks = int(re.search(r"actually processed: (\d+)", done.stdout)[1])
        self.check("pgbench", acks)
        return {"rate": float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])}

    def limit(self, *mode):
        self.clear()
        done = subprocess.run([str(BENCH / "limit"), str(BATCH), str(SECONDS), *mode], text=True, stdout=subprocess.PIPE,
                              env=self.env | {"SQUAD_DB": self.dsn.replace("user=squad", "user=squad_intake")}, check=True)
        got = facts(done.stdout)
        self.check("limit", got["acks"], outbox=not mode)
        return got

    def server(self, argv, connections, stored, env=None):
        """A server that is not squad-intake, under the same load."""
        port = services.free_ports(1)[0]
        argv = [str(a).replace("PORT", str(port)) for a in argv]
        with subprocess.Popen(argv, env=self.env | {"PORT": str(port), "SQUAD_DB_URL": self.url} | (env or {})) as p:
            try:
                until = time.monotonic() + 10
                while subprocess.run([str(BENCH / "load"), "127.0.0.1", str(port), "1", "0.1"], env=self.env, check=False,
                                     capture_output=True).returncode:
                    assert time.monotonic() < until and p.poll() is None, f"{argv[0]} does not answer"
                    time.sleep(0.1)
                self.load(port, connections, 1)
                self.clear()
                got = self.load(port, connections)
                if stored:
                    self.check(argv[0], got["acks"])
                return got
            finally:
                p.terminate()


ARMS = {
    "intake, 32 connections": lambda b: b.ours(32),
    "intake, 128 connections": lambda b: b.ours(128),
    "intake, 256 connections": lambda b: b.ours(256),
    "intake, 1,000 connections": lambda b: b.ours(1000),
    "pgbench, 8 clients": lambda b: b.pgbench(8),
    "pgbench, 16 clients": lambda b: b.pgbench(16),
    "pgbench, 32 clients": lambda b: b.pgbench(32),
    "pgbench, 64 clients": lambda b: b.pgbench(64),
    f"batch writer, {BATCH} a batch": lambda b: b.limit(),
    "the same without the outbox row": lambda b: b.limit("without-outbox"),
    "intake's HTTP loop, no database": lambda b: b.server([BENCH / "http_only", "127.0.0.1:PORT"], 256, False),
    "Node 20, http + pg": lambda b: b.server(["node", BENCH / "peers/node/server.js"], 64, True),
    "Go, net/http + pgx": lambda b: b.server([BENCH / "peers/go/peer"], 64, True),
}


def spread(values, form="{:,.0f}"):
    return f"{form.format(statistics.median(values))} ({form.format(min(values))}-{form.format(max(values))})"


def print_row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def table(names):
    (BENCH / "peers/node/server.js").write_text((HERE / "tests/bench/peers/node/server.js").read_text())
    arms = {n: f for n, f in ARMS.items() if not names or any(x in n for x in names)}
    got = {n: [] for n in arms}
    b = Bench()
    try:
        for round_ in range(ROUNDS):
            for name, run in arms.items():
                got[name].append(run(b))
                print(f"  round {round_ + 1}: {name}: {got[name][-1]['rate']:,.0f}/s", file=sys.stderr, flush=True)
        print_row("arm", "durable tickets/s, median (range)", "p50 / p99 ms", "notes")
        print_row("---", "---:", "---", "---")
        for name, runs in got.items():
            note = ""
            if "batch" in runs[0]:
                note = f"{statistics.median(r['batch'] for r in runs):.0f} tickets a batch, " \
                       f"{statistics.median(r['cpu_us'] for r in runs):.1f} us CPU a ticket, " \
                       f"{max(r['rss_mib'] for r in runs):.1f} MiB, {max(r['own_mib'] for r in runs):.1f} of it its own"
            latency = " / ".join(f"{statistics.median(r[k] for r in runs):.1f}" for k in ("p50_ms", "p99_ms")) \
                if "p50_ms" in runs[0] else ""
            print_row(name, spread([r["rate"] for r in runs]), latency, note)
        ratios(got)
        ours = [n for n in got if n.startswith("intake, ")]
        if ours:
            latencies(b, statistics.median(r["rate"] for r in got[ours[-1]]))
    finally:
        b.close()


def best(got, prefix):
    medians = [statistics.median(r["rate"] for r in runs) for n, runs in got.items() if n.startswith(prefix)]
    return max(medians) if medians else None


def ratios(got):
    ours = best(got, "intake, ")
    print()
    for what, prefix in (("pgbench's best", "pgbench"), ("the batch limit", "batch writer"), ("Node", "Node"), ("Go", "Go")):
        other = best(got, prefix)
        if ours and other:
            print(f"intake's best is {ours / other:.2f} x {what}")
    with_outbox, without = best(got, "batch writer"), best(got, "the same without")
    if with_outbox and without:
        print(f"the outbox row adds {without / with_outbox * 100 - 100:.0f} % to the insert")
    print(flush=True)


def latencies(b, capacity):
    got = {share: [] for share in (25, 50, 70)}
    for _ in range(ROUNDS):
        for share in got:
            got[share].append(b.ours(256, round(capacity * share / 100), seconds=SECONDS))
    print_row("open loop, from the intended moment", "requests/s", "p50 ms", "p99 ms", "p99.9 ms", "worst ms")
    print_row("---", "---:", "---", "---", "---", "---")
    for share, runs in got.items():
        print_row(f"{share} % of {capacity:,.0f}/s", f"{capacity * share / 100:,.0f}",
                  *(spread([r[k] for r in runs], "{:.1f}") for k in ("p50_ms", "p99_ms", "p999_ms", "max_ms")))


FILL = """
INSERT INTO squad.ticket (id, ref, client_id, key_hash, body_hash, source, type, area, problem, customer_ref, customer_name,
                          customer_phone, customer_email)
SELECT lpad(to_hex(i), 32, '0')::uuid, substr(h, 1, 5) || '-' || substr(h, 6, 5), 1, decode(md5(i::text), 'hex'),
       '\\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', 'web', 'tv', '28013',
       'No picture since this morning, the sound is fine', 'C-1001', 'Ana Ruiz', '+34600123456', 'ana@example.com'
  FROM generate_series(%s, %s) AS i, upper(md5((-i)::text)) AS h
    ON CONFLICT DO NOTHING"""


def large(millions):
    """The table is never emptied here: what the second half stores is counted by difference."""
    b = Bench()

    def measure():
        b.parts.start("--max-connections", "2000", "--max-connections-per-ip", "2000")
        b.load(b.parts.port, 256, 0.5)
        runs = []
        for _ in range(ROUNDS):
            with b.parts.db() as db:
                db.execute("CHECKPOINT")
            before = b.rows()
            got = b.load(b.parts.port, 256)
            after = b.rows()
            if (after[0] - before[0], after[1] - before[1]) != (got["acks"],) * 2:
                sys.exit(f"{got['acks']} acknowledgements, from {before} to {after} rows")
            runs.append(got["rate"])
        assert b.parts.stop() == 0
        return runs

    try:
        few = measure()
        start = time.monotonic()
        for i in range(millions * 10):
            with b.parts.db() as db:
                db.execute(FILL % (10**8 + i * 100000, 10**8 + (i + 1) * 100000 - 1))
            print(f"\r  {(i + 1) / 10:.1f} M tickets, {time.monotonic() - start:.0f} s", end="", file=sys.stderr, flush=True)
        with b.parts.db() as db:
            db.execute("VACUUM ANALYZE squad.ticket")
        print(file=sys.stderr)
        tickets = b.rows()[0]
        many = measure()
        print(f"empty table: {spread(few)} tickets/s; {tickets / 1e6:.1f} M tickets: {spread(many)} tickets/s; "
              f"a ticket costs {statistics.median(few) / statistics.median(many):.2f} x")
    finally:
        b.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["table"]:
        table(sys.argv[2:])
    elif sys.argv[1:2] == ["large"]:
        large(int(sys.argv[2]) if len(sys.argv) > 2 else 10)
    else:
        sys.exit(__doc__)
