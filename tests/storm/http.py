"""A lean HTTP/1.1 client and server for the storm: what a test needs to know is exactly when an outcome is unknown."""
import asyncio

HEAD_MAX_BYTES = 32768
# What a connection that breaks raises; RuntimeError is uvloop's for a transport that has been closed meanwhile.
BROKEN = (OSError, EOFError, ValueError, IndexError, RuntimeError, asyncio.LimitOverrunError)


class Unknown(Exception):
    """No complete answer came: the request may or may not have been carried out."""


async def read_message(reader):
    """First line, headers (lower case) and body by Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
    length = int(headers.get("content-length", 0))
    return first, headers, await reader.readexactly(length) if length else b""


class Client:
    """One keep-alive connection, made again when it breaks."""

    def __init__(self, port, api_key):
        self.port, self.api_key = port, api_key
        self.reader = self.writer = None

    async def request(self, method, path, body=None, headers=(), timeout_s=10.0):
        """(status, headers, body); raises Unknown."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self.exchange(method, path, body, headers)
        except (*BROKEN, TimeoutError) as e:
            self.close()
            raise Unknown(f"{type(e).__name__} {e}".strip()) from None

    async def exchange(self, method, path, body, headers):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=HEAD_MAX_BYTES)
        lines = [f"{method} {path} HTTP/1.1", "Host: intake", f"Authorization: Bearer {self.api_key}"]
        lines += [f"{k}: {v}" for k, v in headers]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        elif method == "POST":
            lines.append("Content-Length: 0")
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))
        first, answer_headers, answer = await read_message(self.reader)
        if answer_headers.get("connection", "").lower() == "close":
            self.close()
        return int(first.split(" ")[1]), answer_headers, answer

    def close(self):
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None
