"""A few requests of Kafka's protocol by hand: for what no client library lets a test do.

Message layouts: https://kafka.apache.org/protocol. One connection, to the only broker.
"""
import socket
import struct
from dataclasses import dataclass

COMMIT, ABORT = True, False


def crc32c(data):
    """CRC-32C (Castagnoli), as record batches have it."""
    if not TABLE:
        for i in range(256):
            c = i
            for _ in range(8):
                c = c >> 1 ^ 0x82F63B78 if c & 1 else c >> 1
            TABLE.append(c)
    crc = 0xFFFFFFFF
    for b in data:
        crc = TABLE[(crc ^ b) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


TABLE = []


def text(s):
    return struct.pack(">h", -1) if s is None else struct.pack(">h", len(s.encode())) + s.encode()


def array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


def varint(n):
    n, out = (n << 1 ^ n >> 63) & 0xFFFFFFFFFFFFFFFF, b""
    while n > 0x7F:
        out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
    return out + bytes([n])


def sized(data):
    return varint(len(data)) + data


def record_batch(records, producer_id, epoch, sequence, transactional=True):
    """records: (key, value, headers) of bytes and a dict of text. Record batch v2, not compressed."""
    body = b""
    for i, (key, value, headers) in enumerate(records):
        hs = varint(len(headers)) + b"".join(sized(k.encode()) + sized(v.encode()) for k, v in headers.items())
        body += sized(b"\0" + varint(0) + varint(i) + sized(key) + sized(value) + hs)
    now = 1700000000000
    tail = struct.pack(">hiqqqhii", 0x10 if transactional else 0, len(records) - 1, now, now, producer_id, epoch,
                       sequence, len(records)) + body
    return struct.pack(">qiibI", 0, 9 + len(tail), -1, 2, crc32c(tail)) + tail


@dataclass
class Batch:
    base_offset: int
    is_transactional: bool
    is_control: bool
    producer_id: int


class Raw:
    TOPIC, BROKER = 2, 4

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.s = socket.create_connection((host, int(port)), 20)
        self.n = 0

    def close(self):
        self.s.close()

    def receive(self, n):
        data = b""
        while len(data) < n:
            piece = self.s.recv(n - len(data))
            assert piece, "the broker closed the connection"
            data += piece
        return data

    def call(self, api, version, body, flexible=False):
        """Response after its header."""
        self.n += 1
        message = struct.pack(">hhi", api, version, self.n) + text("raw") + (b"\0" if flexible else b"") + body
        self.s.sendall(struct.pack(">i", len(message)) + message)
        reply = self.receive(struct.unpack(">i", self.receive(4))[0])
        assert struct.unpack(">i", reply[:4])[0] == self.n
        return reply[5 if flexible else 4:]

    def init_producer_id(self, transactional_id, timeout_ms=60000):
        """Producer id and epoch; fences every older producer of the transactional id."""
        for _ in range(400):
            r = self.call(22, 0, text(transactional_id) + struct.pack(">i", timeout_ms))
            _, error, pid, epoch = struct.unpack(">ihqh", r)
            if error not in (14, 15, 16, 51):  # the coordinator loads, or ends the last transaction
                assert error == 0, f"InitProducerId: error {error}"
                return pid, epoch
        raise AssertionError("InitProducerId: never ready")

    def add_partitions(self, transactional_id, pid, epoch, parts):
        """parts: (topic, partition). Only those added get a marker at the end."""
        topics = [text(t) + array([struct.pack(">i", p)]) for t, p in parts]
        for _ in range(400):
            r = self.call(24, 0, text(transactional_id) + struct.pack(">qh", pid, epoch) + array(topics))
            errors, at = [], 8
            for _ in range(struct.unpack(">i", r[4:8])[0]):
                at += 2 + struct.unpack(">h", r[at:at + 2])[0]
                at += 4 + 4  # one partition
                errors.append(struct.unpack(">h", r[at:at + 2])[0])
                at += 2
            if 51 not in errors:  # CONCURRENT_TRANSACTIONS
                assert not any(errors), f"AddPartitionsToTxn: errors {errors}"
                return
        raise AssertionError("AddPartitionsToTxn: never ready")

    def end(self, transactional_id, pid, epoch, commit):
        r = self.call(26, 0, text(transactional_id) + struct.pack(">qh?", pid, epoch, commit))
        assert struct.unpack(">ih", r)[1] == 0, f"EndTxn: error {r.hex()}"

    def produce(self, transactional_id, topic, partition, records, pid, epoch, sequence=0):
        """acks=all."""
        batch = record_batch(records, pid, epoch, sequence)
        data = array([struct.pack(">i", partition) + struct.pack(">i", len(batch)) + batch])
        r = self.call(0, 3, text(transactional_id) + struct.pack(">hi", -1, 10000) + array([text(topic) + data]))
        at = 4 + 2 + struct.unpack(">h", r[4:6])[0] + 4
        _, error = struct.unpack(">ih", r[at:at + 6])
        assert error == 0, f"Produce: error {error}"

    def batches(self, topic, partition):
        """Headers of all the batches in a (short) partition, control batches among them."""
        ask = struct.pack(">iqi", partition, 0, 8 << 20)
        r = self.call(1, 4, struct.pack(">iiiib", -1, 100, 1, 8 << 20, 0) + array([text(topic) + array([ask])]))
        at = 4 + 4 + 2 + len(topic) + 4
        _, error, _, _, aborted = struct.unpack(">ihqqi", r[at:at + 26])
        assert error == 0, f"Fetch: error {error}"
        at += 26 + 16 * max(aborted, 0)
        end = at + 4 + struct.unpack(">i", r[at:at + 4])[0]
        at, out = at + 4, []
        while at < end:
            offset, size = struct.unpack(">qi", r[at:at + 12])
            attributes = struct.unpack(">h", r[at + 21:at + 23])[0]
            pid = struct.unpack(">q", r[at + 43:at + 51])[0]
            out.append(Batch(offset, bool(attributes & 16), bool(attributes & 32), pid))
            at += 12 + size
        return out

    def transactional_ids(self):
        """Transactional id by producer id, of all that the broker coordinates."""
        r = self.call(66, 0, b"\1\1\0", flexible=True)
        assert struct.unpack(">h", r[4:6])[0] == 0
        at, out = 6, {}

        def length():  # an unsigned varint, one more than the length
            nonlocal at
            n = shift = 0
            while True:
                b, at = r[at], at + 1
                n |= (b & 0x7F) << shift
                shift += 7
                if not b & 0x80:
                    return n - 1

        def word():
            nonlocal at
            n = length()
            at += n
            return r[at - n:at].decode()

        for _ in range(length()):
            word()  # unknown state filters
        for _ in range(length()):
            name = word()
            pid = struct.unpack(">q", r[at:at + 8])[0]
            at += 8
            word()
            at += 1
            out[pid] = name
        return out

    def set_config(self, kind, name, settings):
        """kind: TOPIC or BROKER (name: its id)."""
        entries = [text(k) + struct.pack(">b", 0) + text(v) for k, v in settings.items()]
        r = self.call(44, 0, array([struct.pack(">b", kind) + text(name) + array(entries)]) + b"\0")
        assert struct.unpack(">iih", r[:10])[2] == 0, f"IncrementalAlterConfigs: {r!r}"
