"""Partitions are made ahead of the writers, and never in their way."""
import threading
import time

WRITE = "INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload) VALUES ('ticket', 'k', 't', '{}')"
LAST = "SELECT tableoid::regclass::text FROM squad.outbox ORDER BY seq DESC LIMIT 1"


def partitions(w):
    return [n for n, in w.c.execute("SELECT relid::regclass::text FROM pg_partition_tree('squad.outbox') "
                                    "WHERE isleaf ORDER BY 1")]


def test_the_present_partition_and_two_more_are_there(w):
    assert partitions(w) == [f"outbox_{k}" for k in ("000000", "000001", "000002", "default")]
    assert w.one("SELECT squad.outbox_extend(2)") == 0
    w.c.execute("SELECT setval('squad.outbox_seq_seq', 5000000)")
    assert w.one("SELECT squad.outbox_extend(2)") == 1
    w.c.execute(WRITE)
    assert w.one(LAST) == "outbox_000001"


def test_a_seq_beyond_all_partitions_is_taken_all_the_same(w):
    w.c.execute("SELECT setval('squad.outbox_seq_seq', 50000000)")
    w.c.execute(WRITE)
    assert w.one(LAST) == "outbox_default"
    assert w.one("SELECT squad.outbox_extend(2)") == 2, "all but the one whose rows are in the default partition"


def test_a_partition_whose_rows_the_net_has_caught_is_not_tried_again_and_again(w):
    w.c.execute("SELECT setval('squad.outbox_seq_seq', 50000000)")
    w.c.execute(WRITE)
    assert w.one("SELECT squad.outbox_extend(2)") == 2
    w.c.execute("CREATE SEQUENCE public.tries; "
                "CREATE FUNCTION public.tried() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('public.tries'); END $$; "
                "CREATE EVENT TRIGGER tried ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.tried()")
    assert w.one("SELECT squad.outbox_extend(2)") == 0
    assert not w.one("SELECT is_called FROM public.tries")
    assert w.one("SELECT squad.outbox_extend(3)") == 1 and w.one("SELECT is_called FROM public.tries")


def test_a_reader_with_a_long_transaction_holds_up_nobody(w):
    w.c.execute("SELECT setval('squad.outbox_seq_seq', 14000000)")
    reader = w.db.connect()
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM squad.outbox")
    slowest, stop = 0.0, threading.Event()

    def write():
        nonlocal slowest
        with w.db.connect() as c:
            while not stop.is_set():
                start = time.monotonic()
                c.execute(WRITE)
                slowest = max(slowest, time.monotonic() - start)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        w.c.execute("SET statement_timeout = '5s'")
        made = [w.one("SELECT squad.outbox_extend(2)") for _ in range(3)]
    finally:
        stop.set()
        writer.join()
    assert made == [0, 0, 0]
    assert slowest < 3.0, f"a writer waited {slowest:.1f} s"
    reader.execute("ROLLBACK")
    reader.close()
    assert w.one("SELECT squad.outbox_extend(2)") == 2
