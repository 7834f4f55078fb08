"""What a broker has written to its disk: the states of transactions, and the markers at the ends of partitions.

Only what is needed to kill a broker between PrepareCommit and the markers, and to give it the defect that it
forgets those markers at its restart. Layout: record batch version 2, see
https://kafka.apache.org/documentation/#recordbatch and TransactionLogValue.json of Kafka.
"""
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

HEAD = struct.Struct(">qiibIhiqqqhii")  # up to and including the number of records
TRANSACTIONAL, CONTROL = 0x10, 0x20
MARKER_COMMIT = 1
STATES = ("Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead",
          "PrepareEpochFence")
POLL_S = 0.0001
CHECKED_FROM = 21  # the checksum of a batch covers its attributes and all behind them
STATE_AT = 16  # in the value: version, producer id, epoch, time-out, state


@dataclass
class Batch:
    at: int  # byte in the file
    size: int
    attributes: int
    producer_id: int
    records: bytes
    base_offset: int

    @property
    def is_control(self):
        return bool(self.attributes & CONTROL)

    def marker(self):
        """The type of a control batch: 0 abort, 1 commit."""
        key, _ = next(records(self))
        return struct.unpack(">hh", key)[1]


def batches(path, start=0):
    """Whole batches of a segment from a byte on; what is being written at its end is left out."""
    with open(path, "rb") as f:
        f.seek(start)
        data = f.read()
    at = 0
    while at + HEAD.size <= len(data):
        base, length, _, magic, _, attributes, _, _, _, pid, _, _, _ = HEAD.unpack_from(data, at)
        if magic != 2 or at + 12 + length > len(data):
            return
        yield Batch(start + at, 12 + length, attributes, pid, data[at + HEAD.size:at + 12 + length], base)
        at += 12 + length


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1), at


def records(batch):
    """(key, value) of every record of a batch that is not compressed."""
    data, at = batch.records, 0
    while at < len(data):
        length, at = varint(data, at)
        end = at + length
        at += 1
        for _ in range(2):
            _, at = varint(data, at)
        fields = []
        for _ in range(2):
            size, at = varint(data, at)
            fields.append(data[at:at + size] if size >= 0 else None)
            at += max(size, 0)
        yield tuple(fields)
        at = end


def segments(data_dir, topic):
    """Of each partition of a topic the newest segment."""
    newest = [max(d.glob("*.log"), default=None) for d in sorted(Path(data_dir).glob(f"{topic}-*"))
              if d.name.removeprefix(topic + "-").isdigit()]
    return [s for s in newest if s]


class TransactionStates:
    """The log of the transaction coordinator, read while the broker writes it."""

    def __init__(self, data_dir):
        self.data_dir = data_dir
        self.read_to = {}
        self.state, self.producer_id = {}, {}

    def news(self):
        """What has been appended: (transactional id, state), in order of each partition."""
        found = []
        for path in segments(self.data_dir, "__transaction_state"):
            start = self.read_to.get(path, 0)
            if os.stat(path).st_size <= start:
                continue
            for batch in batches(path, start):
                self.read_to[path] = batch.at + batch.size
                for key, value in records(batch):
                    size, = struct.unpack_from(">h", key, 2)
                    name = key[4:4 + size].decode()
                    if value is None:
                        continue
                    pid, _, _, state = struct.unpack_from(">qhib", value, 2)
                    self.state[name], self.producer_id[name] = STATES[state], pid
                    found.append((name, STATES[state]))
        return found

    def wait(self, state, timeout_s, prefix=""):
        """Until a transaction comes into a state: its id, within a millisecond. None when none does. The files are
        polled because the moment is short; what was written before does not count."""
        self.news()
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            for name, now in self.news():
                if now == state and name.startswith(prefix):
                    return name
            time.sleep(POLL_S)
        return None


def unmarked(data_dir, topics, producer_id):
    """How many partitions have records of a producer's transaction and not yet its marker."""
    n = 0
    for topic in topics:
        for path in segments(data_dir, topic):
            last = None
            for batch in batches(path):
                if batch.producer_id == producer_id and batch.attributes & TRANSACTIONAL:
                    last = batch
            n += last is not None and not last.is_control
    return n


def trailing_markers(data_dir, topics):
    """Commit markers that are the last thing in their partition: {segment: batch}."""
    found = {}
    for topic in topics:
        for path in segments(data_dir, topic):
            last = None
            for batch in batches(path):
                last = batch
            if last and last.is_control and last.marker() == MARKER_COMMIT:
                found[path] = last
    return found


def cut_markers(cut):
    """Takes markers away, as if the broker had died before it wrote them. The broker must not run; it rebuilds
    what it knows of the segment at its start."""
    for path, batch in cut.items():
        os.truncate(path, batch.at)
        for index in path.parent.glob(path.stem + ".*index"):
            index.unlink()  # made anew: they may point behind the end
        for snapshot in path.parent.glob("*.snapshot"):
            if int(snapshot.stem) > batch.base_offset:
                snapshot.unlink()


def crc32c_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        table.append(n)
    return table


CRC32C = crc32c_table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = CRC32C[(crc ^ byte) & 0xff] ^ crc >> 8
    return crc ^ 0xffffffff


def forget_markers(data_dir):
    """Transactions in PrepareCommit become CompleteCommit: the coordinator will not write the markers that are
    missing. The broker must not run. Returns their transactional ids."""
    forgotten = []
    for path in segments(data_dir, "__transaction_state"):
        last = {}
        for batch in batches(path):
            for key, value in records(batch):
                last[key] = (batch, value)
        for key, (batch, value) in last.items():
            if value is None or STATES[value[STATE_AT]] != "PrepareCommit":
                continue
            with open(path, "r+b") as f:
                f.seek(batch.at)
                data = bytearray(f.read(batch.size))
                at = data.index(value) + STATE_AT
                data[at] = STATES.index("CompleteCommit")
                struct.pack_into(">I", data, 17, crc32c(data[CHECKED_FROM:]))
                f.seek(batch.at)
                f.write(data)
            forgotten.append(key[4:].decode())
    return forgotten
