"""What the relay does, on a private stack: latency and a backlog. Prints every run and the medians.

  relay.py latency [RATE...]     commit of a row to the row in a read_committed consumer's hands
  relay.py backlog [ROWS]        a backlog of ROWS rows, exactly once, with the broker on this machine
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
from stack import BIN, Stack  # noqa: E402

RUNS = int(os.environ.get("RUNS", "3"))


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def latency(rates, seconds=20):
    program = HERE / os.environ.get("SQUAD_BUILD", "build") / "bench" / "latency"
    for rate in rates:
        lines = []
        with Stack(programs=("relay",)) as s:
            for _ in range(RUNS):
                before, start = cpu_s(s.pid("relay")), time.monotonic()
                done = subprocess.run([str(program), str(rate), str(seconds)], env=os.environ | s.env, text=True,
                                      capture_output=True, check=False)
                assert done.returncode == 0, done.stderr
                core = (cpu_s(s.pid("relay")) - before) / (time.monotonic() - start) * 100
                lines.append(dict(re.findall(r"(\w+)=([0-9.]+)", done.stdout)))
                print(f"  {done.stdout.strip()} relay_cpu={core:.1f}% relay_rss_mib={s.rss_kib('relay') / 1024:.1f}",
                      flush=True)
        median = {k: statistics.median(float(x[k]) for x in lines) for k in ("p50_ms", "p99_ms")}
        print(f"{rate} rows/s: median of {RUNS} runs: p50 {median['p50_ms']:.1f} ms, p99 {median['p99_ms']:.1f} ms", flush=True)


# 330 bytes of payload, the size of the peers' measurements; 50,000 keys.
FILL = """
INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload)
SELECT 'ticket', 'key-' || i %% 50000, 'squad.bench.v1', json_build_object('n', i, 'text', repeat('x', 300))
  FROM generate_series(1, %s) AS i"""


def backlog(rows):
    rates = []
    for run in range(RUNS):
        with Stack(services_only=True) as s:
            for command in ("migrate", "topics"):
                s.squad(command)
            with s.db() as db:
                for _ in range(rows // 100000):
                    db.execute(FILL % 100000)
                db.execute("CHECKPOINT")
            env = os.environ | s.env | {"SQUAD_DB": s.env["SQUAD_DB"].replace(" user=squad", "")}
            start = time.monotonic()
            done = subprocess.Popen([str(BIN / "squad-relay"), "--drain"], env=env, stderr=subprocess.PIPE, text=True)
            rss = 0
            used = 0.0
            while done.poll() is None:
                try:
                    rss = max(rss, int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{done.pid}/status").read_text())[1]))
                    used = cpu_s(done.pid)
                except (OSError, TypeError):
                    pass
                time.sleep(0.02)
            took = time.monotonic() - start
            assert done.returncode == 0, done.stderr.read()
            lead = re.search(r"relay leads.*took_ms=(\d+)", done.stderr.read())
            rates.append(rows / took)
            print(f"  run {run + 1}: {rows} rows in {took:.2f} s from start to exit (first lead after {lead[1]} ms): "
                  f"{rows / took:,.0f} rows/s, {used / rows * 1e6:.1f} us CPU a row, {rss / 1024:.0f} MiB", flush=True)
            if run == 0:
                facts = s.squad("verify", "--json", check=False).stdout
                print(f"  verify: {re.findall(r'.(lost|duplicated|reordered|phantom).:([0-9]+)', facts)}", flush=True)
    print(f"backlog of {rows} rows: median of {RUNS} runs: {statistics.median(rates):,.0f} rows/s", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["latency"]:
        latency([int(r) for r in sys.argv[2:]] or [200, 1000])
    elif sys.argv[1:2] == ["backlog"]:
        backlog(int(sys.argv[2]) if len(sys.argv) > 2 else 1000000)
    else:
        sys.exit(__doc__)
