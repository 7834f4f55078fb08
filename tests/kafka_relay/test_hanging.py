"""Transactions that hang, on a real broker: whatever a restart of it has forgotten, the relay settles it right.

A broker killed between PrepareCommit and its markers can drop markers. The test does what the relay's producer
does, by hand, and leaves partitions out of AddPartitionsToTxn: those never get a marker, exactly as if it had been
dropped. (The broker's check that they were added is switched off meanwhile.)
"""
import json
import signal
import time
from collections import Counter

import pytest
from confluent_kafka import TopicPartition
from kafka_raw import ABORT, COMMIT
from relay_alone import LEADS, World, header

EXIT_DEADLINE = 8


class Forger:
    """The relay's producers by hand, going on behind what a real relay has published."""

    def __init__(self, w):
        self.w, self.raw = w, w.raw()
        w.write(5, key="'k'")
        w.drain()
        self.at = json.loads(w.position())
        self.events = w.check()
        self.positions = len(w.read("relay.progress"))
        self.partition = next(m.partition() for m in w.events("tickets") if m.key() == b"k")

    def seen(self):
        """Events and positions that have become visible since."""
        return len(self.w.events("tickets")) - self.events, len(self.w.read("relay.progress")) - self.positions

    def next_rows(self, n=3):
        """Commits rows in PostgreSQL; what the relay would send of them, and the position behind them."""
        last = self.w.one("SELECT max(seq) FROM squad.outbox")
        self.w.write(n, key="'k'")
        txn = self.at["txn"] + 1
        rows = self.w.c.execute("SELECT id::text, aggregateid, type, payload::text FROM squad.outbox WHERE seq > %s "
                                "ORDER BY seq", (last,)).fetchall()
        self.at |= {"txn": txn, "rows": self.at["rows"] + n, "snapshot_prev": self.w.one("SELECT pg_current_snapshot()::text")}
        return txn, [(key.encode(), payload.encode(), {"ce_specversion": "1.0", "ce_id": id_, "ce_type": type_,
                                                       "ce_source": "/squad", "squad_txn": str(txn)})
                     for id_, key, type_, payload in rows]

    def send(self, marked, unmarked, end=None):
        """Transaction by the next producer in turn; marked and unmarked: of "rows" and "position", what it wrote to
        partitions that get a marker at the end, and to those that do not."""
        txn, rows = self.next_rows()
        id_ = f"{self.w.prefix}-relay-{'ab'[txn % 2]}"
        pid, epoch = self.raw.init_producer_id(id_)
        position = [(b"position", json.dumps(self.at).encode(), {"squad_txn": str(txn)})]
        places = {"rows": (self.w.topic("tickets"), self.partition, rows),
                  "position": (self.w.topic("relay.progress"), 0, position)}
        if marked:
            self.raw.add_partitions(id_, pid, epoch, [places[m][:2] for m in marked])
        for what in ("rows", "position"):
            if what in marked + unmarked:
                topic, partition, records = places[what]
                self.raw.produce(id_, topic, partition, records, pid, epoch)
        if end is not None:
            self.raw.end(id_, pid, epoch, end)
        return txn

    def lost_barrier(self, txn, *whats):
        """What a relay does that dies before the commit of its barrier: Kafka aborts it, and what hung with it."""
        places = {"rows": ("tickets", self.partition), "position": ("relay.progress", 0)}
        id_ = f"{self.w.prefix}-relay-{'ab'[txn % 2]}"
        pid, epoch = self.raw.init_producer_id(id_)
        reader = self.w.consumer()
        for what in whats:
            topic, partition = self.w.topic(places[what][0]), places[what][1]
            first = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1]
            self.raw.add_partitions(id_, pid, epoch, [(topic, partition)])
            self.raw.produce(id_, topic, partition, [(b"barrier", b"{}", {
                "squad_from": str(first), "ce_specversion": "1.0", "ce_type": "squad.relay.barrier.v1",
                "ce_source": "/squad", "squad_txn": str(txn)})], pid, epoch)
        reader.close()
        self.raw.end(id_, pid, epoch, ABORT)


@pytest.fixture(scope="module")
def world():
    w = World()
    w.raw().set_config(w.raw().BROKER, "1", {"transaction.partition.verification.enable": "false"})
    try:
        yield w
    finally:
        w.raw().set_config(w.raw().BROKER, "1", {"transaction.partition.verification.enable": "true"})
        w.close()


@pytest.fixture
def forger(world):
    """One world for all: each test goes on where the last one left it settled."""
    yield Forger(world)
    for r in world.relays:  # of a test that failed
        r.kill()


@pytest.fixture
def apart(world):
    """A world of its own, for what leaves an order that is not right; the broker is still set as for the others."""
    w = World()
    try:
        yield Forger(w)
    finally:
        w.close()


def settles(forger, *verdicts):
    """Runs a relay: it settles, then publishes what is left; everything is there once. Its log."""
    w = forger.w
    log = w.drain()
    assert [v for v in log.split() if v.startswith("verdict=")] == [f"verdict={v}" for v in verdicts], log
    assert w.check() == w.one("SELECT count(*) FROM squad.outbox") == json.loads(w.position())["rows"]
    return log


def txns(w):
    return [header(m, "squad_txn") for m in w.events("tickets")]


def test_the_position_is_visible_and_the_rows_hang_so_they_are_committed(forger):
    w, txn = forger.w, forger.send(["position"], ["rows"], COMMIT)
    assert forger.seen() == (0, 1)
    # What others write, without a transaction's number, misleads it neither behind the hanging nor as a position.
    w.plant("tickets", forger.partition, b"{}")
    w.plant("relay.progress", 0, b"not a position", key="other")
    settles(forger, "commit")
    # The rows that hung, not copies of them, and a barrier behind.
    assert txns(w)[-3:] == [str(txn)] * 3
    last = [m for m in w.read("tickets") if m.partition() == forger.partition][-1]
    assert header(last, "ce_type") == "squad.relay.barrier.v1" and header(last, "squad_txn") == str(txn)


def test_the_rows_are_visible_and_the_position_hangs_so_it_is_committed(forger):
    forger.send(["rows"], ["position"], COMMIT)
    assert forger.seen() == (3, 0)
    settles(forger, "commit")
    assert json.loads(forger.w.position()) == forger.at, "the position that hung, to the letter"


def test_all_of_it_hangs_and_a_later_one_had_begun_so_it_is_committed(forger):
    txn = forger.send([], ["rows", "position"])
    forger.send(["rows", "position"], [], ABORT)
    assert forger.seen() == (0, 0)
    settles(forger, "commit")
    assert txns(forger.w)[-6:] == [str(txn)] * 3 + [str(txn + 1)] * 3


def test_it_hangs_and_a_later_one_was_committed_so_that_one_s_position_stays_the_last(forger):
    txn = forger.send([], ["rows", "position"])
    forger.send(["rows", "position"], [], COMMIT)
    settles(forger, "commit")
    assert txns(forger.w)[-6:] == [str(txn)] * 3 + [str(txn + 1)] * 3
    assert json.loads(forger.w.position()) == forger.at


def test_all_of_it_hangs_and_nobody_has_seen_it_so_it_is_aborted_and_sent_again(forger):
    forger.send([], ["rows", "position"])
    assert forger.seen() == (0, 0)
    settles(forger, "abort")


def test_two_hang_the_first_is_committed_and_the_second_aborted(forger):
    forger.send([], ["rows", "position"])
    forger.send([], ["rows", "position"])
    settles(forger, "commit", "abort")


def test_a_relay_that_died_amid_a_transaction_leaves_nothing_to_settle(forger):
    forger.send(["rows", "position"], [])
    settles(forger)


SENT_AGAIN = "a barrier was aborted; sending again what it was to commit"


def once(w):
    """Every row is visible once, and the position has passed them all."""
    ids = Counter(header(m, "ce_id") for m in w.events())
    rows = {str(r[0]) for r in w.c.execute("SELECT id FROM squad.outbox")}
    assert set(ids) == rows and set(ids.values()) == {1}
    assert json.loads(w.position())["rows"] == len(rows)


def test_a_relay_that_died_before_its_barrier_was_decided_has_taken_rows_with_it_and_they_are_sent_again(forger):
    w, txn = forger.w, forger.send(["position"], ["rows"], COMMIT)
    forger.lost_barrier(txn, "rows")
    assert forger.seen() == (0, 1)
    assert SENT_AGAIN in settles(forger)
    again = [m for m in w.events("tickets")][-3:]
    assert [header(m, "squad_txn") for m in again] == [str(txn + 1)] * 3 and len({header(m, "ce_id") for m in again}) == 3
    assert SENT_AGAIN not in settles(forger), "once is enough"


def test_the_position_was_lost_with_its_barrier_and_is_written_again(forger):
    txn = forger.send(["rows"], ["position"], COMMIT)
    forger.lost_barrier(txn, "position")
    assert forger.seen() == (3, 0)
    assert SENT_AGAIN in settles(forger)
    assert json.loads(forger.w.position()) == forger.at | {"txn": txn + 1}


def test_all_of_it_was_lost_with_its_barrier(forger):
    txn = forger.send([], ["rows", "position"])
    forger.send(["rows", "position"], [], ABORT)
    forger.lost_barrier(txn, "rows", "position")
    assert forger.seen() == (0, 0)
    assert SENT_AGAIN in settles(forger)


def test_rows_that_a_later_transaction_has_overtaken_are_not_lost(apart):
    """This relay commits nothing behind what may be lost; if another has, its order is lost, and no row."""
    w, txn = apart.w, apart.send([], ["rows", "position"])
    later = apart.send(["rows", "position"], [], COMMIT)
    apart.lost_barrier(txn, "rows", "position")
    assert apart.seen() == (3, 1)
    assert SENT_AGAIN in w.drain()
    once(w)
    assert txns(w)[-6:] == [str(later)] * 3 + [str(later + 1)] * 3


def test_what_was_sent_again_hangs_and_is_lost_with_its_barrier_too(forger):
    """By hand, as the relay sends again: the rows are in the log twice, and become visible once."""
    w, raw = forger.w, forger.raw
    txn = forger.send(["position"], ["rows"], COMMIT)
    place = (w.topic("tickets"), forger.partition)
    lost = [m for m in w.read("tickets", isolation="read_uncommitted") if header(m, "squad_txn") == str(txn)
            and header(m, "ce_type") == "squad.test.v1"][-3:]
    forger.lost_barrier(txn, "rows")
    id_ = f"{w.prefix}-relay-{'ab'[(txn + 1) % 2]}"
    pid, epoch = raw.init_producer_id(id_)
    raw.add_partitions(id_, pid, epoch, [(w.topic("relay.progress"), 0)])
    raw.produce(id_, *place, [(m.key(), m.value(), {k: v.decode() for k, v in m.headers()} | {"squad_txn": str(txn + 1)})
                              for m in lost], pid, epoch)
    forger.at["txn"] = txn + 1
    raw.produce(id_, w.topic("relay.progress"), 0,
                [(b"position", json.dumps(forger.at).encode(), {"squad_txn": str(txn + 1)})], pid, epoch)
    raw.end(id_, pid, epoch, COMMIT)
    forger.lost_barrier(txn + 1, "rows")
    assert SENT_AGAIN in w.drain()
    once(w)


class Stranger:
    """Another's transaction: while it is open nothing behind it in its partition is visible, as if markers were missing."""

    def __init__(self, forger):
        w, self.raw = forger.w, forger.raw
        self.id = f"{w.prefix}-stranger"
        self.pid, self.epoch = self.raw.init_producer_id(self.id)
        place = (w.topic("tickets"), forger.partition)
        self.raw.add_partitions(self.id, self.pid, self.epoch, [place])
        self.raw.produce(self.id, *place, [(b"x", b"{}", {})], self.pid, self.epoch)

        self.open = True

    def end(self):
        if self.open:
            self.raw.end(self.id, self.pid, self.epoch, ABORT)
        self.open = False


@pytest.fixture
def stranger(forger):
    """Call it to begin one."""
    begun = []
    yield lambda: begun.append(Stranger(forger)) or begun[-1]
    for s in begun:
        s.end()


def test_a_transaction_of_another_stays_open_and_the_relay_waits_and_says_so(forger, stranger):
    w, stranger = forger.w, stranger()
    w.write(3)
    r = w.start().wait_log("could not settle a transaction that hangs")
    at = time.monotonic()
    assert r.stop() == 0 and time.monotonic() - at < 5, "it looks again and again, and ends when it is asked to"
    r = w.start("--drain").wait_log("could not settle a transaction that hangs")
    stranger.end()
    assert r.wait() == 0
    w.check()


MISSING = "what was committed 3 s ago can not be read: markers are missing"


def one_that_waits(forger, stranger):
    """A relay has committed a row that can not be seen, and has sent another."""
    w = forger.w
    sent = len(w.events("tickets", isolation="read_uncommitted"))
    r, rows, stranger = w.leader(), forger.at["rows"], stranger()
    w.write(1, key="'k'")
    w.wait_published()  # says the copy of the position
    w.write(1, key="'k'")
    until = time.monotonic() + 10
    while len(w.events("tickets", isolation="read_uncommitted")) < sent + 2:
        assert time.monotonic() < until, r.log()
    return r, rows, stranger


def test_nothing_is_committed_behind_what_is_not_visible(forger, stranger):
    w = forger.w
    r, rows, stranger = one_that_waits(forger, stranger)
    until = time.monotonic() + 4  # it recovers meanwhile, which makes no difference
    while time.monotonic() < until:
        assert json.loads(w.position())["rows"] == rows + 1
        time.sleep(0.1)
    assert MISSING in r.log()
    stranger.end()
    w.wait_published()
    assert w.check() == rows + 2 and r.stop() == 0


def test_term_while_it_waits_for_markers_leaves_a_transaction_open_and_says_so(forger, stranger):
    w = forger.w
    for _ in range(5):
        r, rows, at_it = one_that_waits(forger, stranger)
        late = MISSING in r.log()  # by then: a busy machine
        code = r.stop()
        at_it.end()
        w.drain()
        assert w.check() == rows + 2
        if not late:
            break
        forger.at = json.loads(w.position())
    assert code == EXIT_DEADLINE and "could not end a Kafka transaction" in r.log(), r.log()


def test_a_row_with_none_behind_it_that_stays_hidden_is_looked_for(forger, stranger):
    w = forger.w
    r, stranger = w.leader(), stranger()
    w.write(1, key="'k'")
    r.wait_log(MISSING)
    stranger.end()
    r.wait_log(LEADS, times=2)
    assert r.stop() == 0
    w.check()


def test_drained_is_what_can_be_read(forger, stranger):
    w, rows = forger.w, forger.at["rows"]
    w.write(1, key="'k'")
    r = w.start("--drain", crash="relay.begin.before:1:stop")
    r.wait_stopped()  # it has recovered
    stranger = stranger()
    r.send(signal.SIGCONT)
    until = time.monotonic() + 20
    while json.loads(w.position())["rows"] == rows:
        assert time.monotonic() < until, r.log()
    time.sleep(1)
    assert r.child.poll() is None, "it is committed, and can not be read"
    stranger.end()
    assert r.wait() == 0
    assert w.check() == rows + 1
