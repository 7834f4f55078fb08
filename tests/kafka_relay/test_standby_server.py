"""The relay beside a standby server, and after its promotion: what was lost is never taken for published."""
import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from private_stack import services
from psycopg.conninfo import make_conninfo
from relay_alone import HERE, LEADS
from test_refusals import EXIT_POSITION, sentence


class StandbyServer:
    """A streaming copy of the server that SQUAD_DB names."""

    def __init__(self, directory, db):
        self.dir, self.user = directory, services.postgres_user()
        self.primary, (self.port,) = db.server, services.free_ports(1)
        self.db = make_conninfo(db.conninfo(), host="127.0.0.1", port=self.port)
        for name in ("log", "pid"):
            (self.dir / name).mkdir()
        data = Path(tempfile.mkdtemp(prefix="squad-pg-", dir="/var/tmp"))
        if self.user:
            os.chown(data, pwd.getpwnam(self.user).pw_uid, pwd.getpwnam(self.user).pw_gid)
        drop = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        (self.dir / "pgdata").symlink_to(data)
        services.run([services.PG_BIN / "pg_basebackup", "-D", data, "-d", make_conninfo(self.primary, dbname="postgres"),
                      "-c", "fast", "-X", "stream", "-R", "--no-sync", "--no-manifest"], "copy the server", cwd="/", **drop)
        self.process = services.postgres(self.dir, dict(os.environ), self.port, more={"shared_buffers": "64MB"})
        self.process.start()
        services.wait_for(lambda: services.postgres_answers(self.port), self.process, "the standby server")
        self.c = psycopg.connect(self.db, autocommit=True)

    def follow(self, primary):
        """Until it has replayed all that the primary has written."""
        lsn, until = primary.execute("SELECT pg_current_wal_flush_lsn()").fetchone()[0], time.monotonic() + 20
        while not self.c.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (lsn,)).fetchone()[0]:
            assert time.monotonic() < until, "the standby server does not follow"
            time.sleep(0.02)

    def cut_off(self):
        self.c.execute("ALTER SYSTEM SET primary_conninfo = ''")
        self.c.execute("SELECT pg_reload_conf()")
        until = time.monotonic() + 20
        while self.c.execute("SELECT count(*) FROM pg_stat_wal_receiver").fetchone()[0]:
            assert time.monotonic() < until, "it is still connected"
            time.sleep(0.02)

    def promote(self):
        assert self.c.execute("SELECT pg_promote()").fetchone()[0]

    def as_relay(self):
        return "--db", make_conninfo(self.db, user="squad_relay")

    def close(self):
        self.c.close()
        self.process.ask_to_stop()
        self.process.wait_stopped()
        services.remove_data(self.dir)


@pytest.fixture
def copy(w):
    directory = Path(tempfile.mkdtemp(prefix="standby-", dir=HERE / "build"))
    server = StandbyServer(directory, w.db)
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(directory)


def test_a_relay_on_a_standby_server_lets_the_leader_be(w, copy):
    r = w.leader()
    other = w.start(*copy.as_relay()).wait_log("the database is a standby server")
    w.write(10)
    w.wait_published()
    time.sleep(2)
    w.write(10)
    w.wait_published()
    assert r.log().count(LEADS) == 1 and "fenced" not in r.log(), r.log()
    assert LEADS not in other.log() and w.check() == 20
    r.kill()
    copy.follow(w.c)
    copy.promote()
    other.wait_log(LEADS)
    assert other.stop() == 0 and w.check() == 20


def test_after_a_failover_the_position_has_the_new_timeline_at_once(w, copy):
    """A checkpoint tells of it minutes later: a second failover within them would look like an older primary."""
    w.write(5)
    w.drain()
    w.c.execute("CREATE TABLE much AS SELECT repeat('x', 1000) FROM generate_series(1, 20000)")  # to be written by it
    copy.follow(w.c)
    copy.promote()
    assert copy.c.execute("SELECT timeline_id FROM pg_control_checkpoint()").fetchone()[0] == 1, "it proves nothing"
    w.write(5, c=copy.c)
    w.drain(*copy.as_relay())
    assert json.loads(w.position())["timeline"] == 2
    until = time.monotonic() + 10  # a commit returns before its markers are written
    while len(w.events()) < 10 and time.monotonic() < until:
        time.sleep(0.1)
    assert len(w.events()) == 10


@pytest.mark.parametrize("rows, batch_max", ((1, 5000), (40, 2)))
def test_a_promoted_standby_that_lagged_is_refused_though_its_ids_have_caught_up(w, copy, rows, batch_max):
    """The ids of the lost transactions are given out again: their rows would count as published, and be lost too."""
    w.write(5)
    w.drain()
    copy.follow(w.c)
    copy.cut_off()
    for _ in range(5):
        w.write(rows)
    r = w.leader("--batch-max", str(batch_max))
    w.wait_published()
    copy.promote()
    for _ in range(50):
        w.write(1, c=copy.c)
    code, log = w.refused(*copy.as_relay())
    assert code == EXIT_POSITION and "which the position has seen, is gone" in sentence(log)[0], log
    for _ in range(2):  # by each of the pair
        w.write(1)
        w.wait_published()
    assert r.log().count(LEADS) == 1 and "fenced" not in r.log(), "who is refused fences nobody"
    assert r.stop() == 0 and w.check() == 5 + 5 * rows + 2
