"""The PostgreSQLs that a gateway keeps for statements that are not its own.

Owns finding their processes and the gateway's figures about them. Never ends one by itself.
"""

from __future__ import annotations

import pathlib
import time
import urllib.request

WITHIN_S = 60


def processes(gateway_pid: int) -> list[int]:
    """The child processes of a gateway that are engines."""
    return list(directories(gateway_pid))


def directories(gateway_pid: int) -> dict[int, pathlib.Path]:
    """The engines of a gateway by their process, and where each has its files."""
    found = {}
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            parent = next(line for line in status.read_text().splitlines() if line.startswith("PPid:"))
            words = (status.parent / "cmdline").read_bytes().split(b"\0")
        except (OSError, StopIteration):
            continue
        if int(parent.split()[1]) == gateway_pid and b"engine" in words:
            directory = pathlib.Path(words[words.index(b"--directory") + 1].decode()).parent
            found[int(status.parent.name)] = directory
    return found


def figure(gateway, name: str) -> float:
    """A line of /metrics, with its labels: `penstock_engines{state="spare"}`."""
    with urllib.request.urlopen(f"{gateway.http_url}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} "))


def state(gateway, name: str) -> float:
    return figure(gateway, f'penstock_engines{{state="{name}"}}')


def await_figure(gateway, name: str, wanted: float) -> None:
    """Returns once a line of /metrics has that number."""
    deadline = time.monotonic() + WITHIN_S
    while (now := figure(gateway, name)) != wanted:
        assert time.monotonic() < deadline, f"{name} is {now} instead of {wanted}"
        time.sleep(0.05)
