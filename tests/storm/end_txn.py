"""A proxy that knows EndTxn, the request by which a producer commits or aborts its Kafka transaction.

  late   one EndTxn is held back and its connection reset; when a later transaction of the same id has begun and
         has sent its first records, the broker gets the old request (KAFKA-17754: a delayed EndTxn may decide a
         later transaction)
  lost   the broker gets one EndTxn, the client never its answer

Every other request and answer passes. Frames: https://kafka.apache.org/protocol
"""
import asyncio
import socket
import struct
import threading

PRODUCE, ADD_PARTITIONS, END_TXN = 0, 24, 26
ERRORS = {0: "NONE", 47: "INVALID_PRODUCER_EPOCH", 48: "INVALID_TXN_STATE", 49: "INVALID_PRODUCER_ID_MAPPING",
          51: "CONCURRENT_TRANSACTIONS", 90: "PRODUCER_FENCED"}
ANSWER_WAIT_S = 5


class Request:
    """A request as far as it is needed: librdkafka 2.0 sends these kinds in versions without tagged fields."""

    def __init__(self, frame):
        self.frame = frame
        self.api, self.version, self.correlation, client = struct.unpack_from(">hhih", frame, 4)
        self.at = 14 + max(client, 0)
        self.transaction = self.text() if self.api in (PRODUCE, ADD_PARTITIONS, END_TXN) else None

    def text(self):
        size, = struct.unpack_from(">h", self.frame, self.at)
        return self.frame[self.at + 2:self.at + 2 + size].decode() if size >= 0 else None


async def read_frame(reader):
    head = await reader.readexactly(4)
    return head + await reader.readexactly(struct.unpack(">i", head)[0])


def reset(writer):
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Connection:
    def __init__(self, proxy, client, server):
        self.proxy = proxy
        (self.from_client, self.to_client), (self.from_server, self.to_server) = client, server
        self.hushed = set()  # correlation ids whose answer is not passed on
        self.awaited = {}    # correlation id: future

    async def run(self):
        tasks = [asyncio.ensure_future(t) for t in (self.requests(), self.answers())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            # The held request goes out on its own connection, after the client has been cut off.
            if self is self.proxy.holder:
                await asyncio.wait([tasks[1], asyncio.ensure_future(self.proxy.finished.wait())],
                                   return_when=asyncio.FIRST_COMPLETED)
        finally:
            for t in tasks:
                t.cancel()
            self.to_client.close()
            self.to_server.close()

    async def requests(self):
        while True:
            request = Request(await read_frame(self.from_client))
            if request.api == END_TXN and await self.proxy.on_end_txn(self, request):
                return
            if request.api == PRODUCE and self.proxy.is_later(request):
                await self.ask(request)
                await self.proxy.release()
            else:
                self.to_server.write(request.frame)

    async def answers(self):
        while True:
            frame = await read_frame(self.from_server)
            correlation, = struct.unpack_from(">i", frame, 4)
            if correlation in self.awaited:
                self.awaited.pop(correlation).set_result(frame)
            if correlation in self.hushed:
                self.proxy.on_hushed(self, frame)
            else:
                self.to_client.write(frame)

    async def ask(self, request):
        """Sends and waits for the answer, which is passed on as well unless it is hushed."""
        done = self.awaited[request.correlation] = asyncio.get_running_loop().create_future()
        self.to_server.write(request.frame)
        try:
            return await asyncio.wait_for(asyncio.shield(done), ANSWER_WAIT_S)
        except asyncio.TimeoutError:
            return None


class EndTxnProxy:
    """Runs in a thread of its own. facts says what happened, done is set when it has."""

    def __init__(self, to_port, mode):
        self.to_port, self.mode = to_port, mode
        self.facts, self.done = {}, threading.Event()
        self.holder = self.held = None
        self.began_again = False
        self.port = None
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)

    def start(self):
        self.thread.start()
        self.ready.wait()
        return self

    def stop(self):
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join()

    async def serve(self):
        self.loop, self.stopping, self.finished = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        server = await asyncio.start_server(self.connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await self.stopping.wait()
        server.close()

    async def connect(self, reader, writer):
        try:
            server = await asyncio.open_connection("127.0.0.1", self.to_port)
        except OSError:
            reset(writer)
            return
        try:
            for _, w in ((reader, writer), server):
                w.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await Connection(self, (reader, writer), server).run()
        except (OSError, EOFError):
            pass

    def finish(self, **facts):
        self.facts |= facts
        self.done.set()
        self.finished.set()

    async def on_end_txn(self, connection, request):
        """True when the request is not to be passed on now."""
        if self.holder is not None or self.done.is_set():
            return False
        self.facts["transaction"] = request.transaction
        connection.hushed.add(request.correlation)
        if self.mode == "lost":
            return False
        self.holder, self.held = connection, request
        reset(connection.to_client)
        return True

    def on_hushed(self, connection, frame):
        error, = struct.unpack_from(">h", frame, 12)
        if self.mode == "lost":
            reset(connection.to_client)
        self.finish(answer=ERRORS.get(error, error))

    def is_later(self, request):
        """Records of the transaction's id after another transaction has begun: the moment to let the old one go."""
        return bool(self.held) and not self.done.is_set() and request.transaction == self.held.transaction

    async def release(self):
        held, self.held = self.held, None
        await self.holder.ask(held)
