"""An outage at full load with a journal: CDF is away until the journal is full.

The load is the text case, over and over, acknowledged when journaled. The sink's process is
stopped before the first row. Watched are the time until the journal takes no more, and the
gateway's memory from then on. Then the client is gone and the sink goes on: how fast the rows
drain is compared with a load that is acknowledged when delivered.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request

from support.psql import program

from . import process_figures, senders
from .cases import CASES
from .contenders import PenstockGateway

POLL_S = 0.1
STILL_S = 5
"""The journal is full when it has not grown for so long."""


@dataclasses.dataclass(frozen=True)
class JournalOutage:
    peak_rows_per_s: float
    full_after_s: float
    journal_bytes: int
    resident_when_full_bytes: int
    resident_later_bytes: int
    watched_s: float
    drained_rows: int
    drained_rows_per_s: float


def _metric(gateway: PenstockGateway, name: str) -> int:
    with urllib.request.urlopen(f"{gateway.gateway.http_url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return int(float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1]))


def run(watch_s: float, scale: float, folder: pathlib.Path, gateway: PenstockGateway) -> JournalOutage:
    case = CASES[0]
    rows = case.scaled_rows(scale)
    file = case.prepare(folder, rows)
    peak = rows / min(_delivered_s(case, file, rows, gateway) for _ in range(3))
    before, _ = gateway.rows(case.table)
    print("journal outage: loading while the sink is stopped", file=sys.stderr)
    os.kill(gateway.sink.pid, signal.SIGSTOP)
    try:
        files = " ".join([shlex.quote(str(file))] * 1000)
        command = [program(), "-X", "-c", f"\\copy {case.copy} from program 'cat {files}'"]
        begun = time.monotonic()
        client = subprocess.Popen(
            command, env=gateway.server.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        full_after_s, journal_bytes = _until_full(gateway, begun)
        resident = process_figures.resident_bytes(gateway.pid)
        time.sleep(watch_s)
        later = process_figures.resident_bytes(gateway.pid)
        client.kill()
        client.wait()
    finally:
        os.kill(gateway.sink.pid, signal.SIGCONT)
    begun = time.monotonic()
    while _metric(gateway, "penstock_journal_backlog_records"):
        time.sleep(POLL_S)
    drained_s = time.monotonic() - begun
    after, _ = gateway.rows(case.table)
    file.unlink()
    return JournalOutage(
        peak,
        full_after_s,
        journal_bytes,
        resident,
        later,
        watch_s,
        after - before,
        (after - before) / drained_s,
    )


def _delivered_s(case, file: pathlib.Path, rows: int, gateway: PenstockGateway) -> float:
    """A load that is acknowledged when delivered."""
    server = gateway.server
    environment = server.environment() | {"PGOPTIONS": "-c penstock.ack=delivered"}
    command = [program(), "-X", "-c", f"\\copy {case.copy} from '{file}'"]
    begun = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    took_s = time.perf_counter() - begun
    if done.stdout != f"COPY {rows}\n":
        raise senders.SendFailed(f"psql said {done.stdout!r} {done.stderr!r}")
    return took_s


def _until_full(gateway: PenstockGateway, begun: float) -> tuple[float, int]:
    """Seconds until the journal grew no more, and its bytes then."""
    grown_at, bytes_then = begun, 0
    while time.monotonic() - grown_at < STILL_S:
        time.sleep(POLL_S)
        now = _metric(gateway, "penstock_journal_appended_bytes_total")
        if now > bytes_then:
            grown_at, bytes_then = time.monotonic(), now
    return grown_at - begun, _metric(gateway, "penstock_journal_bytes")
