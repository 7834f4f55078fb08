"""Somebody else writes to the topics."""
import json
import uuid

from . import Fault, NotNow, fault

TYPES = {"squad.tickets": "squad.ticket.created.v1", "squad.experts": "squad.expert.changed.v1",
         "squad.notices": "squad.notice.requested.v1"}
LARGE_BYTES = 1000000


class Poison(Fault):
    def inject(self):
        from confluent_kafka import KafkaException, Producer
        producer = Producer({"bootstrap.servers": self.stack.kafka_address(), "message.max.bytes": 1 << 21,
                             "message.timeout.ms": 8000, "log_level": 2})
        failed = []
        topics = list(TYPES)
        n = self.rng.randint(1, 3)
        try:
            for _ in range(n):
                topic = self.rng.choice(topics)
                key, value, headers = self.record(topic)
                headers = [(k, v.encode()) for k, v in headers.items()] + [("storm-poison", b"1")]
                producer.produce(topic, value=value, key=key, headers=headers,
                                 on_delivery=lambda e, m: failed.append(str(e)) if e else None)
            left = producer.flush(10)
        except (KafkaException, BufferError) as e:
            raise NotNow(str(e)) from None
        if left or len(failed) == n:
            raise NotNow(f"Kafka did not take it: {failed}")
        self.facts["records"] = n - len(failed)

    def headers(self, event_type, **change):
        return {"ce_specversion": "1.0", "ce_id": str(uuid.UUID(int=self.rng.getrandbits(128), version=4)),
                "ce_type": event_type, "ce_source": "/storm", "content-type": "application/json"} | change


@fault("poison-json", touches=[])
class BadJson(Poison):
    """Records of known types that are not JSON, or JSON of another shape."""

    def record(self, topic):
        value = self.rng.choice((b"{", b"\xff\xfe\x00", b"[]", b"17", b'{"ticket_id": 5}', b'{"ticket_id": "x"}',
                                 b'{"expert_id": "seven", "notice_id": []}', b"", b"{" * 5000))
        return "storm", value, self.headers(TYPES[topic])


@fault("poison-type", touches=[])
class UnknownType(Poison):
    """Records of an unknown type, of a later version, or without any header that says what they are."""

    def record(self, topic):
        types = ("squad.ticket.exploded.v1", "com.example.other", "", TYPES[topic].replace(".v1", ".v9"))
        headers = self.headers(self.rng.choice(types))
        if self.rng.random() < 0.3:
            headers = {}
        if self.rng.random() < 0.3:
            headers["ce_id"] = self.rng.choice(("not-a-uuid", "", "0" * 400))
        return "storm", json.dumps({"ticket_id": str(uuid.UUID(int=self.rng.getrandbits(128)))}).encode(), headers


@fault("poison-null", touches=[])
class Null(Poison):
    """Records without key and without value."""

    def record(self, topic):
        return None, None, self.headers(TYPES[topic])


@fault("poison-large", touches=[])
class Large(Poison):
    """Records of a megabyte."""

    def record(self, topic):
        return "storm", b'{"x":"' + b"x" * LARGE_BYTES + b'"}', self.headers(TYPES[topic])


@fault("poison-unknown-ticket", touches=[])
class UnknownTicket(Poison):
    """Well-formed events of tickets, experts and notices that do not exist."""

    def record(self, topic):
        some = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        value = {"ticket_id": some, "assignment_id": some, "notice_id": some, "expert_id": 999999,
                 "channel": "webhook", "message": "offer"}
        return some, json.dumps(value).encode(), self.headers(TYPES[topic])
