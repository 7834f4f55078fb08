"""A reader of all topics that keeps what it sees, one JSON line a record.

  python3 -m storm.watch BROKER ISOLATION FILE [--end]    --end: stops at the end of every partition

Without --end it reads live, through every crash, and times are times of arrival.
"""
import sys
import time

import ujson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

TOPICS = ("squad.tickets", "squad.experts", "squad.notices", "squad.dead")


def header(headers, name):
    for k, v in headers or ():
        if k == name:
            return v.decode(errors="replace") if isinstance(v, bytes) else v
    return None


def partitions(consumer, timeout_s=60):
    until = time.monotonic() + timeout_s
    while True:
        try:
            topics = consumer.list_topics(timeout=5).topics
            missing = [t for t in TOPICS if t not in topics]
            if not missing:
                return [TopicPartition(t, p, OFFSET_BEGINNING) for t in TOPICS for p in topics[t].partitions]
        except KafkaException:
            missing = TOPICS
        if time.monotonic() > until:
            raise SystemExit(f"no topics {missing}")
        time.sleep(0.2)


def shown(value):
    """Of poison, which may be anything, only what is text and short."""
    return value.decode(errors="replace") if value is not None and len(value) < 20000 else None


def line_of(message):
    headers = message.headers()
    return {"t": round(time.time(), 4), "topic": message.topic(), "partition": message.partition(),
            "offset": message.offset(), "key": (message.key() or b"").decode(errors="replace"),
            "id": header(headers, "ce_id"), "type": header(headers, "ce_type"),
            "poison": header(headers, "storm-poison"),
            "value": shown(message.value())}


def main():
    broker, isolation, path = sys.argv[1:4]
    to_end = "--end" in sys.argv
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "storm-watch", "enable.auto.commit": False,
                         "isolation.level": isolation, "auto.offset.reset": "error", "enable.partition.eof": to_end,
                         "reconnect.backoff.max.ms": 500, "fetch.wait.max.ms": 100, "queued.min.messages": 10000})
    parts = partitions(consumer)
    consumer.assign(parts)
    open_parts = {(p.topic, p.partition) for p in parts}
    with open(path, "w") as out:
        written = time.monotonic()
        while open_parts:
            messages = consumer.consume(500, 0.05)
            for m in messages:
                if m.error() is None:
                    out.write(ujson.dumps(line_of(m), escape_forward_slashes=False) + "\n")
                elif m.error().code() == KafkaError._PARTITION_EOF:
                    open_parts.discard((m.topic(), m.partition()))
                elif to_end:
                    raise SystemExit(f"{m.topic()}[{m.partition()}]: {m.error()}")
            if time.monotonic() - written > 0.2:
                out.flush()
                written = time.monotonic()


if __name__ == "__main__":
    main()
