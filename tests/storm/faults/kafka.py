"""Kafka is killed, frozen, filled up; groups lose their offsets and their peace; a topic is missing."""
import signal
import time

from . import Fault, NotNow, fault
from .postgres import empty, fill
from .programs import ProgramFault, wait_for
from ..stack import KAFKA_SIZE_MIB, services

GROUPS = {"assigner": "squad.assigner", "notifier": "squad.notifier"}
TOPICS_OF = {"assigner": ("squad.tickets", "squad.experts"), "notifier": ("squad.notices",)}


class KafkaFault(Fault):
    sig = None

    def inject(self):
        if self.stack.signal("kafka", self.sig) is None:
            raise NotNow("Kafka does not run just now")

    def heal(self):
        wait_for(self.stack, "kafka")


@fault("kafka-kill", locks=["kafka"], touches=["kafka"], hold_s=(0.5, 2.0), quick=False)
class Kill(KafkaFault):
    """kill -9 of the broker."""
    sig = signal.SIGKILL


@fault("kafka-restart", locks=["kafka"], touches=["kafka"], hold_s=(0.5, 2.0))
class Restart(KafkaFault):
    """The broker is restarted (TERM)."""
    sig = signal.SIGTERM


@fault("kafka-freeze", locks=["kafka"], touches=["kafka"], hold_s=(10.5, 13.0))
class Freeze(KafkaFault):
    """SIGSTOP of the broker for longer than the relay's transaction timeout."""
    sig = signal.SIGSTOP

    def heal(self):
        self.stack.signal("kafka", signal.SIGCONT)
        wait_for(self.stack, "kafka")


@fault("kafka-blink", locks=["kafka"], touches=["kafka"], hold_s=(0.3, 4.0), quick=False)
class Blink(Freeze):
    """SIGSTOP of the broker for up to 4 s."""


@fault("kafka-kill-with-relay", locks=["kafka", "relay"], touches=["kafka", "relay"], hold_s=(0.5, 2.0), quick=False)
class KillWithRelay(KafkaFault):
    """kill -9 of the broker and of the relay in one moment."""

    def inject(self):
        self.stack.signal("relay-1", signal.SIGKILL)
        if self.stack.signal("kafka", signal.SIGKILL) is None:
            raise NotNow("Kafka does not run just now")


@fault("kafka-disk-full", locks=["kafka"], touches=["kafka"], hold_s=(1.0, 4.0))
class DiskFull(KafkaFault):
    """The disk of Kafka is full for 1 to 4 s; the broker gives up its log directory and is started again."""

    def inject(self):
        for _ in range(20):
            try:
                fill(self.stack, self.stack.kafka_root)
                return
            except services.StackError:
                time.sleep(0.05)
        raise NotNow("the disk grew too fast")

    def heal(self):
        empty(self.stack, self.stack.kafka_root, KAFKA_SIZE_MIB)
        # A broker whose only log directory has failed ends by itself; one that has not is restarted all the
        # same, because it takes a partition that it could not write for offline until then.
        self.stack.signal("kafka", signal.SIGTERM)
        time.sleep(1.0)
        wait_for(self.stack, "kafka")


class OffsetsReset(ProgramFault):
    def inject(self):
        from confluent_kafka import Consumer, KafkaException, TopicPartition
        name = f"{self.kind}-1"
        self.term(name)
        consumer = Consumer({"bootstrap.servers": self.stack.kafka_address(), "group.id": GROUPS[self.kind],
                             "enable.auto.commit": False, "log_level": 2})
        try:
            topics = consumer.list_topics(timeout=5).topics
            parts = [TopicPartition(t, p) for t in TOPICS_OF[self.kind] for p in topics[t].partitions]
            for part in parts:
                part.offset = self.offset(consumer, part)
            until = time.monotonic() + 15  # a member that was killed before is in the group until its session ends
            while True:
                try:
                    consumer.commit(offsets=parts, asynchronous=False)
                    break
                except KafkaException as e:
                    if time.monotonic() > until:
                        raise NotNow(f"no offsets: {e}") from None
                    time.sleep(0.3)
        except KafkaException as e:
            raise NotNow(f"Kafka does not answer: {e}") from None
        finally:
            consumer.close()

    def offset(self, _consumer, _part):
        return 0

    def heal(self):
        self.stack.release(f"{self.kind}-1")


@fault("offsets-reset-assigner", locks=["assigner", "kafka"], touches=["assigner"])
class OffsetsResetAssigner(OffsetsReset):
    """The offsets of the assigners' group are set back to the start: every event comes again."""
    kind = "assigner"


@fault("offsets-reset-notifier", locks=["notifier", "kafka"], touches=["notifier"])
class OffsetsResetNotifier(OffsetsReset):
    """The offsets of the notifiers' group are set back to the start."""
    kind = "notifier"


@fault("rebalance-storm", locks=["assigner"], touches=["assigner"])
class RebalanceStorm(ProgramFault):
    """Assigners join and leave the group every moment, some by kill -9."""

    def inject(self):
        for _ in range(8):
            name = self.rng.choice(("assigner-2", "assigner-3"))
            self.stack.start_program(name)
            time.sleep(self.rng.uniform(0.1, 0.8))
            if self.rng.random() < 0.4:
                self.stack.hold(name)
                self.stack.signal(name, signal.SIGKILL)
            elif self.rng.random() < 0.6:
                self.term(name)

    def heal(self):
        for name in ("assigner-2", "assigner-3"):
            if name in self.stack.kept:
                self.term(name)


@fault("topic-missing", locks=["relay", "kafka"], touches=["relay"], alone=True, hold_s=(1.0, 3.0))
class TopicMissing(ProgramFault):
    """The topic of dead letters is deleted, while it is empty, and the relay killed: it refuses to start until squad topics."""

    def inject(self):
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient
        self.storm.allow_exit("relay", 5)
        admin = AdminClient({"bootstrap.servers": self.stack.kafka_address(), "log_level": 2})
        try:
            for future in admin.delete_topics(["squad.dead"], operation_timeout=5).values():
                future.result()
        except KafkaException as e:
            raise NotNow(f"not deleted: {e}") from None
        self.stack.signal("relay-1", signal.SIGKILL)

    def heal(self):
        until = time.monotonic() + 40
        while True:
            try:
                self.stack.squad("topics")
                break
            except services.StackError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.3)
        time.sleep(1.2)  # the last start before the topic was there
        self.storm.disallow_exit("relay", 5)
