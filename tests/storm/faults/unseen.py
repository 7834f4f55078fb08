"""Events that a consumer must not act on, and events that it never sees."""
import json
import uuid

from . import NotNow, fault
from .kafka import OffsetsReset
from .poison import Poison


@fault("poison-aborted", touches=[])
class Aborted(Poison):
    """Well-formed events in a Kafka transaction that is aborted."""

    def inject(self):
        from confluent_kafka import KafkaException, Producer
        producer = Producer({"bootstrap.servers": self.stack.kafka_address(), "transactional.id": "storm",
                             "transaction.timeout.ms": 10000, "log_level": 2})
        try:
            producer.init_transactions(8)
            producer.begin_transaction()
            for _ in range(self.rng.randint(1, 3)):
                key, value, headers = self.record("squad.tickets")
                producer.produce("squad.tickets", value=value, key=key,
                                 headers=[(k, v.encode()) for k, v in (headers | {"storm-poison": "1"}).items()])
            if producer.flush(8):
                raise NotNow("Kafka did not take it")
            producer.abort_transaction(8)
        except (KafkaException, BufferError) as e:
            raise NotNow(str(e)) from None

    def record(self, topic):
        some = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        return some, json.dumps({"ticket_id": some}).encode(), self.headers("squad.ticket.created.v1")


@fault("offsets-skipped-assigner", locks=["assigner", "kafka"], touches=["assigner"], quick=False)
class OffsetsSkipped(OffsetsReset):
    """The offsets of the assigners' group are set to the end: what lies between is never brought by an event."""
    kind = "assigner"

    def offset(self, consumer, part):
        return consumer.get_watermark_offsets(part, timeout=5)[1]
