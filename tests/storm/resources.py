"""What each program uses, looked at twice a second: resident memory, descriptors, threads."""
import os
import threading
from pathlib import Path

from .stack import PROGRAMS, kind_of

INTERVAL_S = 0.5


def look(pid):
    """(RSS in KiB, descriptors, threads), or None when it has gone."""
    try:
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return int(fields["VmRSS"].split()[0]), len(os.listdir(f"/proc/{pid}/fd")), int(fields["Threads"])
    except (OSError, KeyError):
        return None


class Sampler:
    def __init__(self, stack):
        self.stack = stack
        self.most = {kind: {"rss_kib": 0, "descriptors": 0, "threads": 0, "samples": 0} for kind in PROGRAMS}
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def work(self):
        while not self.stopping.wait(INTERVAL_S):
            for name, kept in list(self.stack.kept.items()):
                kind = kind_of(name)
                seen = look(kept.child.pid) if kind in self.most and kept.child else None
                if seen is None:
                    continue
                most = self.most[kind]
                most["samples"] += 1
                for what, value in zip(("rss_kib", "descriptors", "threads"), seen, strict=True):
                    most[what] = max(most[what], value)

    def stop(self):
        self.stopping.set()
        self.thread.join()
        return self.most
