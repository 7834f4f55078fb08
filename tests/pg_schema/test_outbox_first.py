"""Where a large window begins: right whatever the orders of seq, of xid and of commit, and without reading what was
published long ago."""
import json
import random

WRITE = """INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload)
           SELECT 'ticket', 'k', 't', '{}' FROM generate_series(1, %s)"""
SLOW = """SELECT min(seq) FROM squad.outbox o, (SELECT %s::pg_snapshot AS since) s
           WHERE o.xid >= pg_snapshot_xmax(s.since) OR o.xid IN (SELECT pg_snapshot_xip(s.since))"""
SNAPSHOT = "SELECT pg_current_snapshot()::text"


def test_it_is_the_lowest_of_all_rows_that_the_snapshot_did_not_see(w):
    """Transactions that begin, write in turns and end in any order, across partitions and beyond them."""
    rng = random.Random(7)
    sessions = [w.db.connect() for _ in range(6)]
    seen, answers = [w.one(SNAPSHOT)], set()
    for step in range(600):
        s = rng.choice(sessions)
        what = rng.random()
        if what < 0.15:
            s.execute("BEGIN" if s.info.transaction_status == 0 else "COMMIT")
        elif what < 0.2 and s.info.transaction_status != 0:
            s.execute("ROLLBACK")
        elif what < 0.8:
            s.execute(WRITE, (rng.randint(1, 3),))
        elif what < 0.9:
            seen.append(w.one(SNAPSHOT))
        elif what < 0.92:  # to the end of a partition, and once beyond all of them
            w.c.execute("SELECT setval('squad.outbox_seq_seq', greatest(last_value, least((last_value / 5000000 + 1) * 5000000 - 3, 16000000)))"
                        " FROM squad.outbox_seq_seq")
        for since in rng.sample(seen, min(3, len(seen))):
            first = w.one("SELECT squad.outbox_first(%s)", since)
            assert first == w.one(SLOW, since), (step, since)
            answers.add(first)
    for s in sessions:
        s.close()
    assert len(answers) > 20
    assert w.one("SELECT count(DISTINCT tableoid) FROM squad.outbox") == 4
    assert w.one("SELECT squad.outbox_first(pg_current_snapshot())") is None


def test_what_was_published_long_ago_is_not_read(w):
    w.c.execute(WRITE, (100000,))
    w.c.execute("ANALYZE squad.outbox")
    since = w.one(SNAPSHOT)
    w.c.execute(WRITE, (100,))
    w.c.execute("SET enable_seqscan = off")
    w.one("SELECT squad.outbox_first(%s)", since)  # what a session reads of the catalogue once is not counted
    plan = w.one("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT squad.outbox_first(%s)", since)
    plan = (plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]
    w.c.execute("RESET enable_seqscan")
    pages = w.one("SELECT pg_relation_size('squad.outbox_000000') / 8192")
    assert pages > 1000 and plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 300
