"""One kept process: started, watched, started again, stopped."""
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

RESTART_PAUSE_MAX_S = 1.0


@dataclass
class Process:
    name: str
    argv: list
    env: dict
    log: Path
    pid_file: Path
    user: str | None = None
    cwd: str | None = None
    stop_signal: int = signal.SIGTERM
    stop_timeout_s: float = 8.0
    child: subprocess.Popen | None = None
    started_at: float = 0.0
    start_after: float = 0.0
    pause_s: float = 0.0
    starts: int = 0

    def start(self):
        with open(self.log, "ab") as log:
            extra = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
            self.child = subprocess.Popen(
                self.argv, env=self.env, cwd=self.cwd, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, **extra)
        self.started_at = time.monotonic()
        self.starts += 1
        temporary = self.pid_file.with_suffix(".new")
        temporary.write_text(f"{self.child.pid}\n")
        temporary.rename(self.pid_file)

    def running(self):
        return self.child is not None and self.child.poll() is None

    def keep(self):
        """Starts it again when it has died: at once, or after a pause when it dies young."""
        now = time.monotonic()
        if self.running():
            return
        if self.child is not None:
            young = now - self.started_at < 1.0
            self.pause_s = min(RESTART_PAUSE_MAX_S, self.pause_s * 2 or 0.1) if young else 0.0
            self.start_after = now + self.pause_s
            self.child = None
        if now >= self.start_after:
            self.start()

    def ask_to_stop(self):
        if self.running():
            self.child.send_signal(signal.SIGCONT)  # a stopped process does not hear TERM
            self.child.send_signal(self.stop_signal)

    def wait_stopped(self):
        if self.child is None:
            return
        try:
            self.child.wait(self.stop_timeout_s)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.pid_file.unlink(missing_ok=True)

    def tail(self, lines=15):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def pids_of_stack(run_dir):
    """Every process started by a stack in run_dir, found by its environment."""
    mark = f"SQUAD_STACK_DIR={run_dir}".encode()
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry.name}/environ", "rb") as f:
                if mark in f.read().split(b"\0"):
                    found.append(int(entry.name))
        except OSError:
            continue
    return found


def kill_leftovers(run_dir):
    """Kills what a supervisor that died left behind; returns how many."""
    pids = pids_of_stack(run_dir)
    for sig in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids_of_stack(run_dir):
            try:
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, sig)
            except OSError:
                pass
        until = time.monotonic() + 5
        while time.monotonic() < until and pids_of_stack(run_dir):
            time.sleep(0.05)
    return len(pids)
