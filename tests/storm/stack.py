"""The stack of one run: PostgreSQL and Kafka on small tmpfs, a proxy on every connection, the programs kept running.

Names: "postgres", "kafka", "world" (client, experts, receiver), "proxy", and programs as "relay-1", "assigner-2".
Links of the proxy: "<program>-pg", "<program>-kafka", "intake-1-http", "hooks".
"""
import base64
import hashlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "tools"))
from private_stack import services  # noqa: E402
from private_stack.process import Process  # noqa: E402

from .control import Remote  # noqa: E402

# Instances that have a place; those with 1 run from the start, the others when a fault wants more at once.
INSTANCES = {"intake": 2, "relay": 2, "assigner": 3, "notifier": 2}
PROGRAMS = tuple(INSTANCES)
PG_SIZE_MIB, KAFKA_SIZE_MIB = 6144, 4096
TICK_S = 0.02


def privileged(*argv):
    """Words before a command, for root alone."""
    return list(argv) if os.geteuid() == 0 else []


def kind_of(name):
    return name.rsplit("-", 1)[0]


class Kept(Process):
    """A process that is started again whenever it ends, unless it is held."""

    def __init__(self, stack, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.stack = stack
        self.held = False
        self.guard = threading.RLock()
        self.base_env = dict(self.env)
        self.base_argv = list(self.argv)
        self.seen_end = True

    def start(self):
        super().start()
        self.seen_end = False
        self.stack.note("start", program=self.name, pid=self.child.pid)

    def tend(self):
        with self.guard:
            if self.child is not None and not self.seen_end and self.child.poll() is not None:
                self.seen_end = True
                self.stack.note("end", program=self.name, pid=self.child.pid, code=self.child.returncode)
            if not self.held:
                self.keep()


class Stack:
    def __init__(self, run_dir, bin_dir, note, arguments=()):
        """arguments: options of programs, as "assigner=--no-advisory-locks"."""
        self.run_dir, self.bin_dir, self.note = Path(run_dir).resolve(), Path(bin_dir).resolve(), note
        self.arguments = {kind: options.split() for kind, options in (a.split("=", 1) for a in arguments)}
        for name in ("log", "pid", "crash"):
            (self.run_dir / name).mkdir(parents=True, exist_ok=True)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("SQUAD_", "PG"))}
        self.env["SQUAD_STACK_DIR"] = str(self.run_dir)
        self.kept = {}
        self.signalled = defaultdict(set)  # pid: signals that it was sent
        self.mounts = []
        self.keeper_stop = threading.Event()
        self.keeper = threading.Thread(target=self.tend, daemon=True)
        self.api_key = "sk_" + secrets.token_urlsafe(24)
        self.webhook_secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        self.links = {}
        self.assign_ports()

    def assign_ports(self):
        programs = [f"{kind}-{i}" for kind, n in INSTANCES.items() for i in range(1, n + 1)]
        kafka_users = [p for p in programs if kind_of(p) != "intake"]
        intakes = [p for p in programs if kind_of(p) == "intake"]
        names = ([f"{p}-pg" for p in programs] + [f"{p}-kafka" for p in kafka_users]
                 + [f"{p}-kafka-broker" for p in kafka_users] + [f"{p}-http" for p in intakes]
                 + [f"{p}-http-server" for p in intakes]
                 + ["hooks", "hooks-server", "pg", "kafka", "controller", "proxy", "world"])
        self.port = dict(zip(names, services.free_ports(len(names)), strict=True))
        for p in programs:
            self.links[f"{p}-pg"] = self.port["pg"]
        for p in kafka_users:
            self.links[f"{p}-kafka"] = self.port[f"{p}-kafka-broker"]
        for p in intakes:
            self.links[f"{p}-http"] = self.port[f"{p}-http-server"]
        self.links["hooks"] = self.port["hooks-server"]
        self.programs = programs

    # --- start and stop ---

    def up(self):
        self.pg_root = self.mount("pg", PG_SIZE_MIB)
        self.kafka_root = self.mount("kafka", KAFKA_SIZE_MIB)
        self.start_helper("proxy", "storm.proxy", [self.port["proxy"]])
        self.keeper.start()
        failure = []
        starting = threading.Thread(target=self.kafka_up, args=(failure,))
        starting.start()
        self.postgres_up()
        self.proxy = Remote(self.port["proxy"])
        for name, to_port in self.links.items():
            self.proxy.call("link", name=name, port=self.port[name], to_port=to_port)
        self.squad("migrate")
        starting.join()
        if failure:
            raise failure[0]
        self.squad("topics")

    def postgres_up(self):
        process = services.postgres(self.run_dir, self.env, self.port["pg"], data_root=self.pg_root, more={
            "max_connections": 60, "max_replication_slots": 4, "max_wal_size": "1GB", "shared_buffers": "192MB",
            "wal_level": "logical", "max_slot_wal_keep_size": -1})
        self.keep_process(process)
        services.wait_for(lambda: services.postgres_answers(self.port["pg"]), process, "PostgreSQL")
        services.run([services.PG_BIN / "createdb", "-h", "127.0.0.1", "-p", str(self.port["pg"]), "-U", "squad",
                      "squad"], "make the database", env=self.env)

    def kafka_up(self, failure):
        try:
            listeners = {name.removesuffix("-kafka").replace("-", "").upper(): (to_port, self.port[name])
                         for name, to_port in self.links.items() if name.endswith("-kafka")}
            process = services.kafka(
                self.run_dir, self.env, self.port["kafka"], self.port["controller"],
                data_dir=Path(self.kafka_root) / "data", listeners=listeners,
                more={"num.network.threads": 1, "num.io.threads": 4, "log.segment.bytes": 16 << 20,
                      # A broker that was killed is let in again when its last session is over.
                      "broker.session.timeout.ms": 1000, "broker.heartbeat.interval.ms": 200},
                java_options=["-XX:TieredStopAtLevel=1"])  # a start costs a third, and it is started often
            # It is started more often than anything else, and a start is two seconds of work.
            process.argv = [*privileged("nice", "-n", "-10"), *process.argv]
            self.keep_process(process)
            services.wait_for(lambda: services.kafka_answers(self.port["kafka"]), process, "Kafka")
        except BaseException as e:  # raised again by the caller
            failure.append(e)

    def keep_process(self, process):
        """Turns a Process of the private stack into one that this stack keeps."""
        names = ("name", "argv", "env", "log", "pid_file", "user", "cwd", "stop_signal", "stop_timeout_s")
        kept = Kept(self, **{n: getattr(process, n) for n in names})
        process.__class__, process.__dict__ = Kept, kept.__dict__
        with process.guard:
            self.kept[process.name] = process
            process.start()

    def start_helper(self, name, module, arguments):
        """A Python helper of the storm's own: never killed by a fault."""
        process = Process(name, ["/usr/bin/python3", "-m", module, *map(str, arguments)],
                          self.env | {"PYTHONPATH": str(HERE / "tests")}, self.run_dir / "log" / f"{name}.log",
                          self.run_dir / "pid" / name)
        self.keep_process(process)

    def programs_up(self):
        for kind in PROGRAMS:
            self.start_program(f"{kind}-1")
        self.wait_intake()

    def program_env(self, name):
        kind, instance = name.rsplit("-", 1)
        env = {"SQUAD_DB": f"host=127.0.0.1 port={self.port[name + '-pg']} dbname=squad", "SQUAD_INSTANCE": instance,
               # Looked at by a build with crash points only: what is written there happens at the next passing.
               "SQUAD_CRASH_FILE": str(self.crash_file(name))}
        if kind == "intake":
            env["SQUAD_LISTEN"] = f"127.0.0.1:{self.port[name + '-http-server']}"
        else:
            env["SQUAD_KAFKA"] = f"127.0.0.1:{self.port[name + '-kafka']}"
        return env

    def start_program(self, name, env=None, arguments=()):
        """Starts a program, or starts it again, with additional environment and arguments."""
        kept = self.kept.get(name)
        if kept is None:
            kept = Kept(self, name, [str(self.bin_dir / f"squad-{kind_of(name)}"), *self.arguments.get(kind_of(name), [])],
                        self.env | self.program_env(name), self.run_dir / "log" / f"{name}.log",
                        self.run_dir / "pid" / name)
        with kept.guard:
            kept.env = kept.base_env | (env or {})
            kept.argv = kept.base_argv + list(arguments)
            kept.held = False
            if not kept.running():
                kept.child = None
                kept.pause_s = kept.start_after = 0.0
                kept.start()
        self.kept[name] = kept

    def wait_intake(self, timeout_s=15):
        until = time.monotonic() + timeout_s
        url = f"http://127.0.0.1:{self.port['intake-1-http']}/readyz"
        while subprocess.run(["curl", "-sf", "-o", "/dev/null", "-m", "1", url], check=False).returncode:
            if time.monotonic() > until:
                raise services.StackError("could not start intake")
            time.sleep(0.05)

    def mount(self, name, size_mib):
        """A tmpfs of its own, so that a disk can be full."""
        where = tempfile.mkdtemp(prefix=f"squad-storm-{name}-", dir="/var/tmp")
        os.chmod(where, 0o755)
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        services.run([*sudo, "mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=1777", "squad-storm", where],
                     "mount a tmpfs (the storm needs root or sudo for it)")
        self.mounts.append((sudo, where))
        return where

    def tend(self):
        while not self.keeper_stop.is_set():
            for kept in list(self.kept.values()):
                kept.tend()
            time.sleep(TICK_S)

    def down(self):
        self.keeper_stop.set()
        if self.keeper.is_alive():
            self.keeper.join()
        last = [self.kept[n] for n in ("postgres", "kafka") if n in self.kept]
        first = [p for p in self.kept.values() if p not in last]
        for group in (first, last):
            for p in group:
                p.held = True
                p.ask_to_stop()
            for p in group:
                p.wait_stopped()
        for sudo, where in self.mounts:
            subprocess.run([*sudo, "umount", "-l", where], check=False)
            os.rmdir(where)
        (self.run_dir / "pgdata").unlink(missing_ok=True)

    # --- what faults and checks use ---

    def running(self, kind):
        """Names of the instances of a kind that are kept running: ["relay-1"]."""
        return [n for n, k in self.kept.items() if kind_of(n) == kind and not k.held]

    def pid(self, name):
        child = self.kept[name].child
        return child.pid if child else None

    def signal(self, name, sig):
        """Sends a signal to the running process; returns its pid, or None when it does not run just now."""
        kept = self.kept[name]
        with kept.guard:
            if not kept.running():
                return None
            self.signalled[kept.child.pid].add(sig)
            os.kill(kept.child.pid, sig)
            return kept.child.pid

    def hold(self, name):
        """From now on it is not started again when it ends."""
        self.kept[name].held = True

    def release(self, name):
        """It is kept running again, as it was at first."""
        self.start_program(name) if kind_of(name) in PROGRAMS else self.release_service(name)

    def release_service(self, name):
        kept = self.kept[name]
        with kept.guard:
            kept.held = False
            kept.pause_s = kept.start_after = 0.0

    def wait_ended(self, name, timeout_s):
        """True when the process ends within the time. Hold it first."""
        child, until = self.kept[name].child, time.monotonic() + timeout_s
        while child is not None and child.poll() is None:
            if time.monotonic() > until:
                return False
            time.sleep(0.005)
        return True

    def stop(self, name, timeout_s=10.0):
        """TERM, and not started again; True when it ended in time."""
        self.hold(name)
        self.signal(name, signal.SIGCONT)
        self.signal(name, self.kept[name].stop_signal)
        return self.wait_ended(name, timeout_s)

    def restart_with(self, name, env=None, arguments=(), timeout_s=10.0):
        """The same program with other environment or arguments; release(name) undoes it."""
        if not self.stop(name, timeout_s):
            self.signal(name, signal.SIGKILL)
            self.wait_ended(name, 5)
        self.start_program(name, env, arguments)

    def db(self, **options):
        """A superuser's connection that goes round the proxy."""
        import psycopg
        return psycopg.connect(f"host=127.0.0.1 port={self.port['pg']} dbname=squad user=squad", autocommit=True,
                               connect_timeout=5, **options)

    def crash_file(self, name):
        """Where a fault build looks for what is to happen at a crash point (src/common/crash.h)."""
        return self.run_dir / "crash" / name

    def fired_file(self, name):
        """What becomes of the crash file when its point is passed."""
        return self.crash_file(name).with_suffix(".fired")

    def wait_kafka(self, timeout_s):
        """Until the broker answers."""
        until = time.monotonic() + timeout_s
        while not services.kafka_answers(self.port["kafka"]):
            if time.monotonic() > until:
                raise services.StackError(f"Kafka did not come back within {timeout_s} s")
            time.sleep(0.1)

    def kafka_address(self):
        """The broker's own listener, round the proxy."""
        return f"127.0.0.1:{self.port['kafka']}"

    def client_key_hash(self):
        return hashlib.sha256(self.api_key.encode()).digest()

    def squad_env(self):
        return self.env | {"SQUAD_DB": f"host=127.0.0.1 port={self.port['pg']} dbname=squad user=squad",
                           "SQUAD_KAFKA": self.kafka_address()}

    def squad(self, *args):
        return services.run([self.bin_dir / "squad", *args], f"run squad {' '.join(args)}", env=self.squad_env())
