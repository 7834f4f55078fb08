"""The experts' webhook receivers: one server, a path per expert, misbehaving on command.

A delivery is processed when the expert has read it and remembers its webhook-id, whatever is answered then. Every
request is one line of hooks.jsonl, written before the answer.
"""
import asyncio
import base64
import hashlib
import hmac
import json
import os
import random
import socket
import struct
import time

from .http import BROKEN, HEAD_MAX_BYTES, read_message

# mode: (processed, status that is sent or None)
MODES = {
    "well": (True, 204),
    "hang": (False, None),
    "hang_after": (True, None),
    "500": (False, 500),
    "429": (False, 429),
    "reset_after": (True, None),
    "redirect": (False, 307),
    "endless": (True, 200),
    "410": (False, 410),
}
HANG_S = 20


class Receiver:
    def __init__(self, config, take):
        self.key = base64.b64decode(config["webhook_secret"].removeprefix("whsec_"))
        self.out = os.open(config["hooks"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.take = take
        self.known = set()
        self.modes = {}
        self.seen = 0
        self.experts = config["experts"]
        self.loopback = f"http://127.0.0.1:{config['trap_port']}/trap"

    def behave(self, mode, share, seed):
        rng = random.Random(seed)
        self.modes = {} if mode == "well" else {
            e: mode for e in range(1, self.experts + 1) if rng.random() < share}

    async def listen(self, port):
        await asyncio.start_server(self.serve, "127.0.0.1", port, limit=HEAD_MAX_BYTES, backlog=1024)

    def signed(self, headers, body):
        text = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
        mac = base64.b64encode(hmac.new(self.key, text, hashlib.sha256).digest()).decode()
        return f"v1,{mac}" in headers.get("webhook-signature", "").split()

    def record(self, expert, headers, raw, mode):
        processed, status = MODES[mode]
        try:
            body = json.loads(raw)
        except ValueError:
            body = {}
        webhook_id, job = headers.get("webhook-id"), body.get("assignment_id")
        sent = headers.get("webhook-timestamp", "")
        line = {"t": round(time.time(), 6), "sent": int(sent) if sent.isdigit() else None, "expert": expert, "webhook_id": webhook_id, "assignment": job,
                "ticket": (body.get("ticket") or {}).get("id"), "type": body.get("type"),
                "body_expert": (body.get("expert") or {}).get("id"), "signed": self.signed(headers, raw),
                "mode": mode, "status": status, "processed": processed,
                "first": processed and webhook_id not in self.known,
                "digest": hashlib.sha256(raw).hexdigest()[:16]}
        os.write(self.out, (json.dumps(line, separators=(",", ":")) + "\n").encode())
        self.seen += 1
        if line["first"]:
            self.known.add(webhook_id)
            if body.get("type") == "offer":
                self.take({"job": job, "ref": body.get("ref"), "expert": expert})

    def note_trap(self, path):
        """Nobody is told to come here but by a redirect, which must not be followed."""
        os.write(self.out, (json.dumps({"t": round(time.time(), 6), "trap": path}) + "\n").encode())

    async def serve(self, reader, writer):
        try:
            while await self.one(reader, writer):
                pass
        except BROKEN:
            pass
        finally:
            writer.close()

    async def one(self, reader, writer):
        first, headers, body = await read_message(reader)
        path = first.split(" ")[1]
        if not path.startswith("/experts/"):
            self.note_trap(path)
            return False
        expert = int(path.rsplit("/", 1)[1])
        mode = self.modes.get(expert, "well")
        self.record(expert, headers, body, mode)
        if mode in ("hang", "hang_after"):
            await asyncio.sleep(HANG_S)
            return False
        if mode == "reset_after":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        if mode == "endless":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
            while True:
                writer.write(b"x" * 16384)
                await writer.drain()
                await asyncio.sleep(0.01)
        status = MODES[mode][1]
        more = f"Location: {self.loopback}\r\n" if mode == "redirect" else ""
        more += "Retry-After: 1\r\n" if mode == "429" else ""
        more += "" if status == 204 else "Content-Length: 0\r\n"
        writer.write(f"HTTP/1.1 {status} .\r\n{more}\r\n".encode())
        await writer.drain()
        return True
