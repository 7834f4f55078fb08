"""Starts the parts of a stack in order, keeps them running and stops them."""
import base64
import os
import secrets
import signal
import subprocess
import threading
import time
from pathlib import Path

from . import services
from .process import Process
from .services import HERE, StackError

PROGRAMS = ("intake", "relay", "assigner", "notifier")
TICK_S = 0.05


class Supervisor:
    def __init__(self, run_dir, bin_dir, say=lambda text: None):
        self.run_dir = Path(run_dir).resolve()
        self.bin_dir = Path(bin_dir).resolve()
        self.say = say
        self.processes = []
        self.stop_asked = False
        for name in ("log", "pid", "crash"):
            (self.run_dir / name).mkdir(parents=True, exist_ok=True)
        ports = services.free_ports(6)
        self.pg_port, self.kafka_port, controller_port, self.http_port, self.hook_port, self.admin_port = ports
        self.base_env = {k: v for k, v in os.environ.items() if not k.startswith(("SQUAD_", "PG"))}
        self.base_env["SQUAD_STACK_DIR"] = str(self.run_dir)
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.base_env[name] = os.environ[name]
        self.controller_port = controller_port
        self.env = {
            "SQUAD_URL": f"http://127.0.0.1:{self.http_port}",
            "SQUAD_ADMIN_URL": f"http://127.0.0.1:{self.admin_port}",
            "SQUAD_DB": f"host=127.0.0.1 port={self.pg_port} dbname=squad user=squad",
            "SQUAD_KAFKA": f"127.0.0.1:{self.kafka_port}",
            "SQUAD_API_KEY": "sk_" + secrets.token_urlsafe(24),
            "SQUAD_HOOKS": str(self.run_dir / "hooks.jsonl"),
            "SQUAD_HOOK_URL": f"http://127.0.0.1:{self.hook_port}",
            "SQUAD_WEBHOOK_SECRET": "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
        }

    def services_up(self):
        """PostgreSQL and Kafka, side by side; Kafka takes the longer."""
        failure = []

        def start_kafka():
            try:
                kafka = services.kafka(self.run_dir, self.base_env, self.kafka_port, self.controller_port)
                self.processes.append(kafka)
                kafka.start()
                services.wait_for(lambda: services.kafka_answers(self.kafka_port), kafka, "Kafka")
            except StackError as e:
                failure.append(e)

        thread = threading.Thread(target=start_kafka)
        thread.start()
        postgres = services.postgres(self.run_dir, self.base_env, self.pg_port)
        self.processes.append(postgres)
        postgres.start()
        services.wait_for(lambda: services.postgres_answers(self.pg_port), postgres, "PostgreSQL")
        services.run([services.PG_BIN / "createdb", "-h", "127.0.0.1", "-p", str(self.pg_port), "-U", "squad",
                      "squad"], "make the database", env=self.base_env)
        thread.join()
        if failure:
            raise failure[0]

    def squad(self, *args):
        services.run([self.bin_dir / "squad", *args], f"run squad {' '.join(args)}", env=self.base_env | self.env)

    def programs_up(self, programs=PROGRAMS, capacity=None):
        """capacity: jobs that each seeded expert may hold at once, instead of the seed's 1 to 4."""
        self.say("migrating, making topics, seeding")
        for command in ("migrate", "topics", "seed"):
            self.squad(command, *(["--capacity", str(capacity)] if command == "seed" and capacity else []))
        self.add_receiver()
        # Each program connects as its own role: no user in the conninfo.
        own = {"SQUAD_DB": f"host=127.0.0.1 port={self.pg_port} dbname=squad",
               "SQUAD_KAFKA": self.env["SQUAD_KAFKA"]}
        for name in programs:
            extra = {"SQUAD_CRASH_FILE": str(self.run_dir / "crash" / name)}  # a fault build looks at it
            if name == "intake":
                extra["SQUAD_LISTEN"] = f"127.0.0.1:{self.http_port}"
                extra["SQUAD_ADMIN_LISTEN"] = f"127.0.0.1:{self.admin_port}"
            self.add(name, [str(self.bin_dir / f"squad-{name}")], own | extra)
        if "intake" in programs:
            self.wait_intake()

    def add_receiver(self):
        self.add("receiver", [str(HERE / "tools" / "squad-receiver"), "--port", str(self.hook_port),
                              "--hooks", self.env["SQUAD_HOOKS"], "--secret", self.env["SQUAD_WEBHOOK_SECRET"]], {})

    def add(self, name, argv, env):
        p = Process(name, argv, self.base_env | env, self.run_dir / "log" / f"{name}.log",
                    self.run_dir / "pid" / name)
        p.start()
        self.processes.append(p)
        return p

    def wait_intake(self, timeout_s=15):
        intake = next(p for p in self.processes if p.name == "intake")
        until = time.monotonic() + timeout_s
        url = self.env["SQUAD_URL"] + "/readyz"
        while subprocess.run(["curl", "-sf", "-o", "/dev/null", "-m", "1", url], check=False).returncode:
            if time.monotonic() > until or not intake.running():
                raise StackError(f"could not start intake\n{intake.tail()}")
            time.sleep(0.05)

    def write_env(self):
        path = self.run_dir / "env"
        temporary = path.with_suffix(".new")
        temporary.write_text("".join(f"export {k}='{v}'\n" for k, v in self.env.items()))
        temporary.chmod(0o600)
        temporary.rename(path)

    def keep(self):
        for p in self.processes:
            p.keep()

    def keep_until(self, stop):
        while not (self.stop_asked or stop()):
            self.keep()
            time.sleep(TICK_S)

    def down(self):
        """Programs first, all at once; then Kafka and PostgreSQL."""
        last = [p for p in self.processes if p.name in ("postgres", "kafka")]
        first = [p for p in self.processes if p not in last]
        for group in (first, last):
            for p in group:
                p.ask_to_stop()
            for p in group:
                p.wait_stopped()
        self.processes = []
        services.remove_data(self.run_dir)

    def on_signals(self):
        def ask(_signal, _frame):
            self.stop_asked = True
        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)
