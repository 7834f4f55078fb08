"""A broker that forgets transaction markers when it is killed: the relay settles what hangs, rightly.

What Kafka does by itself once in some twenty kills is done to its files here: after a kill -9 the markers of the
last transaction are taken from the ends of some partitions, or of all. All of them, and nobody but the relay's own
copy in PostgreSQL knows that it had been committed. What else can hang is in tests/kafka_relay/test_hanging.py.
"""
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "support"), str(Path(__file__).resolve().parents[1])]
from client import Client, ticket  # noqa: E402
from stack import Stack  # noqa: E402
from storm.broker_files import TransactionStates, cut_markers, trailing_markers  # noqa: E402

PROGRESS = "squad.relay.progress"
DATA = ("squad.tickets", "squad.experts", "squad.notices")


class Broken(Stack):
    """Relay and intake alone, so that nothing follows the transaction under test."""

    def __init__(self):
        super().__init__(programs=("intake", "relay"))
        self.data = self.dir / "kafka" / "data"

    def post(self, n):
        client = Client(self.env)
        for i in range(n):
            status, _ = client.post_surely(ticket(i))
            assert status == 201
        client.close()

    def published(self):
        """Until the relay has nothing more to do, and the broker has written the markers."""
        rows = self.one("SELECT count(*) FROM squad.outbox")
        self.wait_sql("SELECT coalesce(max(rows_total), 0) FROM squad.relay_progress", expected=rows)
        states, until = TransactionStates(self.data), time.monotonic() + 10
        while states.news() or any(s not in ("Empty", "CompleteCommit") for s in states.state.values()):
            assert time.monotonic() < until, states.state
            time.sleep(0.02)

    def markers(self):
        """The markers of the last transaction: those at the ends of the partitions that it wrote to."""
        found = trailing_markers(self.data, (PROGRESS, *DATA))
        progress = next(b for p, b in found.items() if p.parent.name.startswith(PROGRESS))
        return {p: b for p, b in found.items() if b.producer_id == progress.producer_id}

    def break_broker(self, choose):
        """kill -9 of relay and broker, markers gone, both started again. Returns how many were taken."""
        self.stop_keeping.set()
        self.keeper.join()
        for name in ("relay", "kafka"):
            self.kill(name, signal.SIGKILL)
            self.process(name).child.wait()
        cut = choose(self.markers())
        cut_markers(cut)
        self.supervisor.keep()
        from private_stack import services
        services.wait_for(lambda: services.kafka_answers(self.supervisor.kafka_port), self.process("kafka"), "Kafka")
        until = time.monotonic() + 60
        while "a transaction hangs" not in self.log("relay"):
            assert time.monotonic() < until, self.log("relay")
            self.supervisor.keep()
            time.sleep(0.05)
        return len(cut)

    def committed_ids(self):
        """ce_id of everything a read_committed reader sees, how often."""
        from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.env["SQUAD_KAFKA"], "group.id": "test", "enable.partition.eof": True,
                             "enable.auto.commit": False, "isolation.level": "read_committed"})
        topics = consumer.list_topics(timeout=10).topics
        parts = [TopicPartition(t, p, OFFSET_BEGINNING) for t in DATA for p in topics[t].partitions]
        consumer.assign(parts)
        left, seen = len(parts), Counter()
        while left:
            message = consumer.poll(10)
            assert message is not None, "a partition did not come to its end"
            if message.error():
                assert message.error().code() == KafkaError._PARTITION_EOF
                left -= 1
                continue
            headers = dict(message.headers())
            if headers["ce_type"] != b"squad.relay.barrier.v1":
                seen[headers["ce_id"].decode()] += 1
        consumer.close()
        return seen


def some_of_the_data(markers):
    """One data partition: the position and the rest of the transaction are visible."""
    return dict([next((p, b) for p, b in markers.items() if not p.parent.name.startswith(PROGRESS))])


def every_one(markers):
    return dict(markers)


@pytest.mark.parametrize(("choose", "first"), [(some_of_the_data, False), (every_one, True)])
def test_a_published_transaction_that_lost_its_markers_is_committed_and_every_event_is_there_once(choose, first):
    with Broken() as stack:
        stack.published()  # the events of the seed: the first transaction of all
        if not first:
            stack.kill("relay", signal.SIGSTOP)
            stack.post(40)  # one transaction for all of them, in several partitions
            stack.kill("relay", signal.SIGCONT)
            stack.published()
        taken = stack.break_broker(choose)
        assert taken > 0
        stack.supervisor.keep()
        assert "verdict=commit" in stack.log("relay")
        stack.post(5)
        stack.published()
        seen = stack.committed_ids()
        with stack.db() as db:
            rows = {str(r[0]) for r in db.execute("SELECT id FROM squad.outbox")}
        assert set(seen) == rows, "an event is missing or was invented"
        assert set(seen.values()) == {1}, "an event is there twice"
