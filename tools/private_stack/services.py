"""A private PostgreSQL and a private Kafka on free ports of the loopback interface."""
import base64
import os
import pwd
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from .process import Process

PG_BIN = Path("/usr/lib/postgresql/15/bin")
HERE = Path(__file__).resolve().parents[2]
KAFKA_LIB = HERE / "build" / "kafka" / "lib"
KAFKA_CLASSES = KAFKA_LIB.parent / "classes.jsa"  # of a broker, loaded: half the processor time of a start


class StackError(Exception):
    """What could not be done, in a sentence; shown as it is."""


def free_ports(n):
    """n free loopback ports, below those that the kernel gives to outgoing connections: while a server is down nobody
    takes its port by chance."""
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    held = []
    while len(held) < n:
        s = socket.socket()
        try:
            s.bind(("127.0.0.1", secrets.choice(range(10000, end)) if end > 20000 else 0))
        except OSError:
            s.close()
        else:
            held.append(s)
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def run(argv, what, **kwargs):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)
    if done.returncode != 0:
        raise StackError(f"could not {what}: exit code {done.returncode}\n{done.stdout.strip()[-2000:]}")
    return done.stdout


def postgres_user():
    """PostgreSQL refuses to run as root: then the user it runs as, else None."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
            return name
        except KeyError:
            continue
    raise StackError("could not find a user to run PostgreSQL as: neither postgres nor nobody exists")


def postgres(run_dir, env, port, data_root="/var/tmp", more=None):
    """Makes the cluster below data_root when it is not there and returns its process, not started.
    more: settings that differ from those below."""
    user = postgres_user()
    link = run_dir / "pgdata"
    if not link.exists():
        if user:
            # The checkout may lie where that user can not go.
            data = Path(tempfile.mkdtemp(prefix="squad-pg-", dir=data_root))
            os.chown(data, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
            link.unlink(missing_ok=True)
            link.symlink_to(data)
        drop = {"user": user, "group": user, "extra_groups": []} if user else {}
        run([PG_BIN / "initdb", "-D", link.resolve(), "-U", "squad", "--auth=trust", "-E", "UTF8", "--locale=C",
             "--data-checksums", "--no-sync"], "make the PostgreSQL cluster", cwd="/", **drop)
    settings = {
        "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
        "max_connections": 200, "max_prepared_transactions": 10, "shared_buffers": "256MB",
        "max_wal_size": "4GB", "checkpoint_timeout": "15min", "wal_level": "logical", "log_line_prefix": "%m [%p] %a ",
        "log_autovacuum_min_duration": -1, "log_checkpoints": "off", "random_page_cost": 1.1, "jit": "off",
    } | (more or {})
    argv = [str(PG_BIN / "postgres"), "-D", str(link.resolve())]
    for name, value in settings.items():
        argv += ["-c", f"{name}={value}"]
    return Process("postgres", argv, env, run_dir / "log" / "postgres.log", run_dir / "pid" / "postgres",
                   user=user, cwd="/", stop_signal=signal.SIGINT, stop_timeout_s=10)


def kafka(run_dir, env, port, controller_port, data_dir=None, listeners=None, more=None, java_options=()):
    """Formats the storage when it is not there and returns the broker's process, not started.
    listeners: {name: (port, advertised port)} beside the plain one; more: settings that differ."""
    if not KAFKA_LIB.is_dir():
        raise StackError("could not find the jars of Kafka: run make deps")
    home = run_dir / "kafka"
    config = home / "server.properties"
    java = ["java", "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData",
            f"-XX:SharedArchiveFile={KAFKA_CLASSES}", "-Xlog:cds=off", *java_options,
            f"-Dlog4j2.configurationFile={HERE}/tools/kafka/log4j2.properties", "-cp", f"{KAFKA_LIB}/*"]
    if not config.exists():
        home.mkdir(parents=True, exist_ok=True)
        at = {"PLAINTEXT": (port, port)} | (listeners or {})
        settings = {
            "process.roles": "broker,controller", "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "listeners": ",".join([f"{name}://127.0.0.1:{p}" for name, (p, _) in at.items()]
                                  + [f"CONTROLLER://127.0.0.1:{controller_port}"]),
            "advertised.listeners": ",".join(f"{name}://127.0.0.1:{p}" for name, (_, p) in at.items()),
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in (*at, "CONTROLLER")),
            "controller.listener.names": "CONTROLLER", "log.dirs": data_dir or home / "data",
            "auto.create.topics.enable": "false", "default.replication.factor": 1,
            "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4, "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1, "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000, "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500, "num.partitions": 1, "log.cleaner.dedupe.buffer.size": 16777216,
            "controlled.shutdown.enable": "true", "num.recovery.threads.per.data.dir": 2,
        } | (more or {})
        config.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        cluster_id = base64.urlsafe_b64encode(b"\0" + secrets.token_bytes(15)).decode().rstrip("=")
        run(java + ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(config)],
            "format Kafka's storage", env=env)
    return Process("kafka", java + ["kafka.Kafka", str(config)], env, run_dir / "log" / "kafka.log",
                   run_dir / "pid" / "kafka", cwd=str(home), stop_timeout_s=15)


def archive_classes():
    """Starts a broker once, so that later ones find their classes loaded."""
    run_dir = Path(tempfile.mkdtemp(prefix="classes-", dir=KAFKA_LIB.parent))
    for name in ("log", "pid"):
        (run_dir / name).mkdir()
    port, controller_port = free_ports(2)
    process = kafka(run_dir, dict(os.environ), port, controller_port)
    process.argv = [f"-XX:ArchiveClassesAtExit={KAFKA_CLASSES}" if "SharedArchiveFile" in a else a
                    for a in process.argv]
    process.start()
    try:
        wait_for(lambda: kafka_answers(port), process, "Kafka", 120)
    finally:
        process.stop_timeout_s = 60
        process.ask_to_stop()
        process.wait_stopped()
    if not KAFKA_CLASSES.exists():
        raise StackError(f"could not archive the classes of Kafka\n{process.tail()}")
    shutil.rmtree(run_dir)


def postgres_answers(port):
    done = subprocess.run([str(PG_BIN / "pg_isready"), "-q", "-U", "squad", "-h", "127.0.0.1", "-p", str(port)], check=False)
    return done.returncode == 0


def kafka_answers(port):
    """True when the broker answers an ApiVersions request (API 18, version 0): before it is ready it
    accepts connections but answers nothing."""
    try:
        with socket.create_connection(("127.0.0.1", port), 0.5) as s:
            s.settimeout(0.5)
            s.sendall(struct.pack(">ihhih", 10, 18, 0, 1, -1))
            return len(s.recv(8)) == 8
    except OSError:
        return False


def wait_for(answers, process, what, timeout_s=60):
    until = time.monotonic() + timeout_s
    while not answers():
        if not process.running():
            raise StackError(f"could not start {what}: it ended\n{process.tail()}")
        if time.monotonic() > until:
            raise StackError(f"could not start {what}: no answer within {timeout_s} s\n{process.tail()}")
        time.sleep(0.05)


def remove_data(run_dir):
    link = run_dir / "pgdata"
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
