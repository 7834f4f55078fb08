"""The relay's queries and a PostgreSQL that crashes: transaction ids that never reached the disk are given out again."""
import shutil
import signal
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "tests" / "support"))
from intake_alone import Parts  # noqa: E402

QUERIES = HERE / "sql" / "queries" / "relay"
WRITE = ("INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload) VALUES ('ticket', 'k', 't', '{}') "
         "RETURNING xid::text::bigint")


@pytest.fixture
def pg():
    p = Parts()
    try:
        with p.db() as db:
            # An abort is not flushed; by default the WAL writer does it within moments.
            db.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
            db.execute("ALTER SYSTEM SET autovacuum = off")
            # Who reads a page with dead rows cleans it up; the page's image fills the WAL, which is then flushed.
            db.execute("VACUUM")
        p.pg_stop()
        p.pg_start()
        yield p
    finally:
        p.close()
        shutil.rmtree(p.dir, ignore_errors=True)


def crash(pg):
    stop, pg.pg.stop_signal = pg.pg.stop_signal, signal.SIGQUIT
    pg.pg_stop()
    pg.pg.stop_signal = stop
    pg.pg_start()


def prepare(db):
    for name in ("window", "window_begin", "piece"):
        db.execute(f"PREPARE q_{name} AS {(QUERIES / (name + '.sql')).read_text()}")


def window(pg, prev):
    """New rows' transaction ids, and the end of the window."""
    with pg.db() as db:
        prepare(db)
        rows = db.execute(f"EXECUTE q_window('{prev}', 100)").fetchall()
        xids = [db.execute("SELECT xid::text::bigint FROM squad.outbox WHERE seq = %s", (r[1],)).fetchone()[0]
                for r in rows if r[1] is not None]
        return xids, rows[0][0]


def pieces(pg, prev):
    with pg.db() as db:
        prepare(db)
        return db.execute(f"EXECUTE q_window_begin('{prev}')").fetchone()[0]


def test_an_id_that_was_only_aborted_is_given_out_again_and_its_row_is_read(pg):
    other = pg.db()
    other.autocommit = False
    with pg.db() as db:
        _, first = window(pg, "1:1:")
        published = db.execute(WRITE).fetchone()[0]
        lost = int(other.execute("SELECT pg_current_xact_id()::text").fetchone()[0])
        other.rollback()
        assert lost > published
        xids, prev = window(pg, first)
        assert xids == [published]
        cut = pieces(pg, first)
        naive = db.execute("SELECT pg_current_snapshot()::text").fetchone()[0]
    crash(pg)
    with pg.db() as db:
        assert db.execute(WRITE).fetchone()[0] == lost, "the id was not given out again: it proved nothing"
    assert window(pg, naive)[0] == [], "the plain snapshot should have lost it"
    assert window(pg, prev)[0] == [lost]
    assert window(pg, cut)[0] == [lost], "likewise behind a window that was cut"
    assert window(pg, window(pg, prev)[1])[0] == []
