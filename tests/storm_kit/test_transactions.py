"""The broker's files and the EndTxn proxy do what the faults rest on."""
import socket
import struct
import threading

import pytest
from storm import broker_files as files
from storm.end_txn import ADD_PARTITIONS, END_TXN, PRODUCE, EndTxnProxy


def varint(n):
    n, out = n << 1 ^ n >> 63, b""
    while n > 0x7f:
        out, n = out + bytes([n & 0x7f | 0x80]), n >> 7
    return out + bytes([n])


def batch(records, producer_id=7, attributes=0, base=0):
    body = b""
    for i, (key, value) in enumerate(records):
        record = b"\0" + varint(0) + varint(i) + varint(len(key)) + key + varint(len(value)) + value + varint(0)
        body += varint(len(record)) + record
    checked = struct.pack(">hiqqqhii", attributes, len(records) - 1, 0, 0, producer_id, 0, 0, len(records)) + body
    head = struct.pack(">ibI", 0, 2, files.crc32c(checked))
    return struct.pack(">qi", base, len(head + checked)) + head + checked


def state_record(name, state, producer_id=7):
    return (struct.pack(">hh", 0, len(name)) + name.encode(),
            struct.pack(">hqhib", 0, producer_id, 3, 10000, files.STATES.index(state)) + b"\0\0\0\0")


def partition(tmp_path, name, content):
    directory = tmp_path / name
    directory.mkdir()
    path = directory / "00000000000000000000.log"
    path.write_bytes(content)
    return path


def test_the_checksum_is_crc32c():
    assert files.crc32c(b"123456789") == 0xe3069283


def test_a_state_is_seen_when_its_batch_is_whole(tmp_path):
    first, second = (batch([state_record("squad-relay-a", s)]) for s in ("Ongoing", "PrepareCommit"))
    path = partition(tmp_path, "__transaction_state-0", first + second[:-1])
    states = files.TransactionStates(tmp_path)
    assert states.news() == [("squad-relay-a", "Ongoing")]
    assert states.wait("PrepareCommit", 0.05) is None
    path.write_bytes(first + second)
    assert states.news() == [("squad-relay-a", "PrepareCommit")]
    assert states.news() == []


def test_a_broker_that_forgets_finds_its_prepared_transactions_complete(tmp_path):
    partition(tmp_path, "__transaction_state-0", batch([state_record("a", "PrepareCommit")])
              + batch([state_record("b", "PrepareCommit")], base=1) + batch([state_record("a", "Ongoing")], base=2))
    assert files.forget_markers(tmp_path) == ["b"]
    states = files.TransactionStates(tmp_path)
    assert states.news() == [("a", "PrepareCommit"), ("b", "CompleteCommit"), ("a", "Ongoing")]
    for path in files.segments(tmp_path, "__transaction_state"):
        for b in files.batches(path):
            data = path.read_bytes()[b.at:b.at + b.size]
            assert struct.unpack_from(">I", data, 17)[0] == files.crc32c(data[files.CHECKED_FROM:])


def test_only_a_commit_marker_at_the_end_is_cut(tmp_path):
    rows = batch([(b"k", b"v")], attributes=files.TRANSACTIONAL)
    def marker(kind):
        return batch([(struct.pack(">hh", 0, kind), b"\0" * 6)], attributes=files.TRANSACTIONAL | files.CONTROL, base=1)
    committed = partition(tmp_path, "squad.tickets-0", rows + marker(1))
    aborted = partition(tmp_path, "squad.tickets-1", rows + marker(0))
    open_one = partition(tmp_path, "squad.tickets-2", rows + marker(1) + rows)
    found = files.trailing_markers(tmp_path, ["squad.tickets"])
    assert list(found) == [committed]
    files.cut_markers(found)
    assert committed.read_bytes() == rows
    assert len(aborted.read_bytes()) > len(rows) and len(open_one.read_bytes()) > len(rows)


# --- the proxy ---

def request(api, correlation, transaction):
    body = struct.pack(">hhih", api, 1, correlation, 1) + b"c" + struct.pack(">h", len(transaction)) + transaction
    return struct.pack(">i", len(body)) + body


class Broker:
    """Remembers what comes, answers each request with its correlation id and no error."""

    def __init__(self):
        self.seen = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        while head := s.recv(4, socket.MSG_WAITALL):
            body = s.recv(struct.unpack(">i", head)[0], socket.MSG_WAITALL)
            api, _, correlation = struct.unpack_from(">hhi", body)
            self.seen.append((api, correlation))
            s.sendall(struct.pack(">iiih", 10, correlation, 0, 0))


class Client:
    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), 5)

    def ask(self, api, correlation, transaction=b"squad-relay-a"):
        self.s.sendall(request(api, correlation, transaction))
        try:
            answer = self.s.recv(14, socket.MSG_WAITALL)
        except ConnectionResetError:
            return None
        return struct.unpack_from(">i", answer, 4)[0] if answer else None


@pytest.fixture
def broker():
    b = Broker()
    yield b
    b.listener.close()


def test_an_end_whose_answer_is_lost_reaches_the_broker_once(broker):
    proxy = EndTxnProxy(broker.port, "lost").start()
    assert Client(proxy.port).ask(END_TXN, 5) is None
    assert proxy.done.wait(5) and proxy.facts == {"transaction": "squad-relay-a", "answer": "NONE"}
    assert Client(proxy.port).ask(END_TXN, 6) == 6, "only one is lost"
    assert broker.seen == [(END_TXN, 5), (END_TXN, 6)]
    proxy.stop()


def test_a_late_end_comes_behind_the_first_records_of_the_next_transaction_of_its_id(broker):
    proxy = EndTxnProxy(broker.port, "late").start()
    first, second = Client(proxy.port), Client(proxy.port)
    assert first.ask(END_TXN, 5) is None
    assert second.ask(END_TXN, 6) == 6
    assert second.ask(ADD_PARTITIONS, 7) == 7
    assert second.ask(PRODUCE, 8, b"squad-relay-b") == 8
    assert not proxy.done.is_set()
    assert second.ask(PRODUCE, 9) == 9
    assert proxy.done.wait(5) and proxy.facts["answer"] == "NONE"
    assert second.ask(PRODUCE, 10) == 10
    assert broker.seen == [(END_TXN, 6), (ADD_PARTITIONS, 7), (PRODUCE, 8), (PRODUCE, 9), (END_TXN, 5), (PRODUCE, 10)]
    proxy.stop()


def test_a_transaction_is_unmarked_where_its_records_came_and_its_marker_did_not(tmp_path):
    data, marker = files.TRANSACTIONAL, files.TRANSACTIONAL | files.CONTROL
    written = batch([(b"k", b"v")], attributes=data)
    commit = batch([(struct.pack(">hh", 0, 1), b"\0\0\0\0\0\0")], attributes=marker, base=1)
    another = batch([(b"k", b"v")], producer_id=8, attributes=data, base=2)
    partition(tmp_path, "squad.tickets-0", written + commit)
    partition(tmp_path, "squad.tickets-1", written + another)
    partition(tmp_path, "squad.experts-0", written + commit + batch([(b"k", b"v")], attributes=data, base=3))
    assert files.unmarked(tmp_path, ["squad.tickets", "squad.experts"], 7) == 2
    assert files.unmarked(tmp_path, ["squad.tickets"], 8) == 1
    assert files.unmarked(tmp_path, ["squad.tickets"], 9) == 0
