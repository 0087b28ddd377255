"""A server as a child process: started, awaited by its ready line, ended by SIGTERM.

Owns the process and its log. Promises that every wait is bounded, that the log outlives
the process, and that an exit code other than 0 or a panic in the log is never overlooked.
"""

from __future__ import annotations

import pathlib
import queue
import re
import signal
import subprocess
import threading
import time

READY_WITHIN_S = 30
ENDS_WITHIN_S = 45


class ServerFailed(AssertionError):
    """The process did not start, did not end, or did not end well."""


class ServerProcess:
    """`command` must print one line that matches `ready` on stdout once it serves."""

    def __init__(
        self,
        command: list[str],
        ready: str,
        log: pathlib.Path,
        environment=None,
        awaits_ready: bool = True,
        ready_within_s: float = READY_WITHIN_S,
    ):
        self.command = command
        self._ready_within_s = ready_within_s
        self._ready = re.compile(ready)
        self.log = log
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._log_file = log.open("ab")
        self.child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log_file,
            env=environment,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read_stdout, daemon=True)
        self._reader.start()
        if awaits_ready:
            self.await_ready()

    def await_ready(self) -> None:
        """Returns once the process serves."""
        try:
            self.ready = self._await_line(self._ready)
        except BaseException:
            self.kill()
            raise

    def await_log(self, pattern: str) -> re.Match:
        """Returns once the log says so."""
        deadline = time.monotonic() + READY_WITHIN_S
        while not (found := re.search(pattern, self.log_text())):
            if time.monotonic() > deadline or self.child.poll() is not None:
                raise self._failure(f"did not log {pattern!r}")
            time.sleep(0.02)
        return found

    def _read_stdout(self) -> None:
        for line in self.child.stdout:
            self._log_file.write(line)
            self._log_file.flush()
            self._lines.put(line.decode("utf-8", "replace").rstrip("\n"))
        self._lines.put(None)

    def _await_line(self, pattern: re.Pattern) -> re.Match:
        while True:
            try:
                line = self._lines.get(timeout=self._ready_within_s)
            except queue.Empty:
                raise self._failure(f"printed no ready line within {self._ready_within_s} s") from None
            if line is None:
                raise self._failure(f"ended with {self.child.wait()} before it was ready")
            if found := pattern.search(line):
                return found

    def _failure(self, what: str) -> ServerFailed:
        return ServerFailed(f"{' '.join(self.command)}\n{what}; its log ends:\n{self.log_tail()}")

    def log_text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def log_tail(self, lines: int = 60) -> str:
        return "\n".join(self.log_text().splitlines()[-lines:])

    def stop(self) -> None:
        """Ends it as an operator would; anything but a clean end is a failure."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            code = self.child.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self._failure(f"did not end within {ENDS_WITHIN_S} s of SIGTERM") from None
        self._close()
        if code != 0:
            raise self._failure(f"ended with {code} instead of 0")
        if "panicked at" in self.log_text():
            raise self._failure("panicked")

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()
        self._close()

    def _close(self) -> None:
        self._reader.join()
        self.child.stdout.close()
        self._log_file.close()

    @property
    def pid(self) -> int:
        return self.child.pid
