"""A TCP proxy that breaks connections on command.

A link listens on a port and forwards to another. Each direction ("up": client to server, "down") can be
given a delay, a rate, a stall (nothing passes, nothing is lost: what a network does while it drops
everything one way and the peers send again), or a number of bytes after which the connection is reset.
A link can refuse new connections (reset), and close or reset those it has.

  python3 -m storm.proxy CONTROL_PORT     commands: see Proxy.do_*
"""
import asyncio
import socket
import struct
import sys
import time

import uvloop

from .control import serve

QUEUE_MAX_BYTES = 1 << 20
PIECES_PER_S = 20  # how often a rate-limited direction sends


class Direction:
    """What one direction of a link does to bytes."""

    def __init__(self):
        self.delay_ms = 0
        self.rate_bytes_s = 0
        self.stall = False
        self.reset_after_bytes = None
        self.changed = asyncio.Event()

    def quiet(self):
        return not (self.delay_ms or self.rate_bytes_s or self.stall or self.reset_after_bytes is not None)

    def holds_back(self):
        return bool(self.delay_ms or self.rate_bytes_s or self.stall)

    def set(self, delay_ms=0, rate_bytes_s=0, stall=False, reset_after_bytes=None):
        self.delay_ms, self.rate_bytes_s, self.stall = delay_ms, rate_bytes_s, stall
        self.reset_after_bytes = reset_after_bytes
        self.changed.set()
        self.changed = asyncio.Event()


class Half(asyncio.Protocol):
    """One socket of a connection; what it receives goes to the other one's transport."""

    def __init__(self, connection, direction):
        self.connection, self.direction = connection, direction
        self.transport = self.other = None
        self.queue, self.queued_bytes, self.worker, self.ended = [], 0, None, False

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.made(self)

    def data_received(self, data):
        if self.worker is None and self.direction.quiet() and self.other and self.other.transport:
            self.connection.link.bytes += len(data)
            self.other.transport.write(data)
            return
        self.connection.link.disturbed += self.direction.holds_back()
        self.queue.append((time.monotonic(), data))
        self.queued_bytes += len(data)
        if self.queued_bytes > QUEUE_MAX_BYTES:
            self.transport.pause_reading()
        self.work()

    def work(self):
        if self.worker is None and self.other and self.other.transport:
            self.worker = asyncio.ensure_future(self.run())

    async def run(self):
        try:
            while self.queue:
                at, data = self.queue[0]
                if self.direction.stall:
                    await self.direction.changed.wait()
                    continue
                late_s = at + self.direction.delay_ms / 1000 - time.monotonic()
                if late_s > 0:
                    try:
                        await asyncio.wait_for(self.direction.changed.wait(), late_s)
                    except asyncio.TimeoutError:
                        pass
                    continue
                await self.forward(data)
        finally:
            self.worker = None
        if self.ended:
            self.connection.close()

    async def forward(self, data):
        d = self.direction
        piece = data[:max(1, d.rate_bytes_s // PIECES_PER_S)] if d.rate_bytes_s else data
        if d.reset_after_bytes is not None:
            piece = piece[:d.reset_after_bytes]
            d.reset_after_bytes -= len(piece)
        rest = data[len(piece):]
        self.queued_bytes -= len(piece)
        self.connection.link.bytes += len(piece)
        if piece:
            self.other.transport.write(piece)
        if d.reset_after_bytes == 0:
            d.reset_after_bytes = None
            self.connection.link.disturbed += 1
            self.queue.clear()
            self.connection.reset_soon()
            return
        if rest:
            self.queue[0] = (self.queue[0][0], rest)
            await asyncio.sleep(1 / PIECES_PER_S)
        else:
            self.queue.pop(0)
        if self.queued_bytes <= QUEUE_MAX_BYTES and not self.transport.is_closing():
            self.transport.resume_reading()

    def pause_writing(self):
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self):
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def eof_received(self):
        return False

    def connection_lost(self, _error):
        self.ended = True
        if not self.queue:
            self.connection.close()


class Connection:
    def __init__(self, link):
        self.link = link
        self.client, self.server = Half(self, link.up), Half(self, link.down)
        link.connections.add(self)
        link.accepted += 1

    def made(self, half):
        if half is self.client:
            if self.link.refuse:
                self.reset()
            else:
                self.dialling = asyncio.ensure_future(self.dial())
            return
        self.client.other, self.server.other = self.server, self.client
        for one in (self.client, self.server):
            if one.queue:
                one.work()

    async def dial(self):
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.server, "127.0.0.1", self.link.to_port)
            if self not in self.link.connections:
                self.server.transport.abort()
        except OSError:
            self.reset()

    def halves(self):
        return [h for h in (self.client, self.server) if h.transport]

    def close(self):
        self.link.connections.discard(self)
        for half in self.halves():
            half.transport.close()

    def reset(self):
        self.link.connections.discard(self)
        for half in self.halves():
            sock = half.transport.get_extra_info("socket")
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except (OSError, ValueError):  # it has been closed meanwhile
                pass
            half.transport.abort()

    def reset_soon(self):
        """Lets the kernel send what was written last, so that the peer sees it and then the reset."""
        asyncio.get_running_loop().call_later(0.02, self.reset)


class Link:
    def __init__(self, to_port):
        self.to_port = to_port
        self.up, self.down = Direction(), Direction()
        self.refuse = False
        self.connections = set()
        self.accepted = self.bytes = 0
        self.disturbed = 0  # times that data was held back or cut


class Proxy:
    def __init__(self):
        self.links = {}
        self.servers = []

    async def do_link(self, name, port, to_port):
        """A new link."""
        link = self.links[name] = Link(to_port)
        self.servers.append(await asyncio.get_running_loop().create_server(
            lambda: Connection(link).client, "127.0.0.1", port, backlog=1024))

    def do_set(self, name, up=None, down=None, refuse=False):
        """up, down: arguments of Direction.set; what is not named is as if there were no proxy."""
        link = self.links[name]
        link.up.set(**(up or {}))
        link.down.set(**(down or {}))
        link.refuse = refuse

    def do_cut(self, name, reset=True):
        """Ends every connection of the link; returns how many there were."""
        connections = list(self.links[name].connections)
        for c in connections:
            c.reset() if reset else c.close()
        return len(connections)

    def do_upstream(self, name, to_port):
        """New connections go elsewhere: to a proxy that knows the protocol, say."""
        self.links[name].to_port = to_port

    def do_stats(self):
        return {name: {"open": len(link.connections), "accepted": link.accepted, "bytes": link.bytes,
                       "disturbed": link.disturbed}
                for name, link in self.links.items()}


async def main():
    server = await serve(int(sys.argv[1]), Proxy())
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main())
