"""Commands between the runner and its helper processes: one JSON line each way over a loopback socket."""
import asyncio
import json
import socket
import threading
import time


class Remote:
    """The runner's end. Calls are serialised; an error of the other side is raised here."""

    def __init__(self, port, timeout_s=15):
        until = time.monotonic() + timeout_s
        while True:
            try:
                self.sock = socket.create_connection(("127.0.0.1", port), timeout_s)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
        self.lines = self.sock.makefile("r")
        self.lock = threading.Lock()

    def call(self, op, **arguments):
        with self.lock:
            self.sock.sendall((json.dumps({"op": op} | arguments) + "\n").encode())
            answer = json.loads(self.lines.readline() or '{"error": "the other side has gone"}')
        if "error" in answer:
            raise RuntimeError(f"{op}: {answer['error']}")
        return answer.get("value")

    def close(self):
        self.sock.close()


async def serve(port, handler):
    """The helper's end: handler has a method do_OP(**arguments) for every operation."""
    async def one(reader, writer):
        while line := await reader.readline():
            try:
                command = json.loads(line)
                value = getattr(handler, "do_" + command.pop("op"))(**command)
                if asyncio.iscoroutine(value):
                    value = await value
                answer = {"value": value}
            except Exception as e:  # told to the runner, which raises it
                answer = {"error": f"{type(e).__name__}: {e}"}
            writer.write((json.dumps(answer) + "\n").encode())
            await writer.drain()
        writer.close()
    return await asyncio.start_server(one, "127.0.0.1", port)
