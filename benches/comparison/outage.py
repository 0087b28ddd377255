"""Memory of the gateway while CDF sleeps: a load meets a sink that does not answer.

The load is the text case. The sink's process is stopped before the first row and continued
later, so that every request waits. What is watched is the gateway's memory until the last row
is in.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import signal
import sys
import threading

from . import process_figures, senders
from .cases import CASES
from .contenders import PenstockGateway


@dataclasses.dataclass(frozen=True)
class Outage:
    slept_s: float
    took_s: float
    rows: int
    gateway_peak_bytes: int


def run(sleep_s: float, scale: float, folder: pathlib.Path, gateway: PenstockGateway) -> Outage:
    case = CASES[0]
    rows = case.scaled_rows(scale)
    file = case.prepare(folder, rows)
    before, _ = gateway.rows(case.table)
    process_figures.forget_peak(gateway.pid)
    wake = threading.Timer(sleep_s, os.kill, (gateway.sink.pid, signal.SIGCONT))
    os.kill(gateway.sink.pid, signal.SIGSTOP)
    wake.start()
    print(f"outage: {rows:,} rows while the sink sleeps {sleep_s:g} s", file=sys.stderr)
    try:
        took_s = senders.copy_s(gateway.server, case.copy, case.copy_options, file, rows)
    finally:
        wake.cancel()
        os.kill(gateway.sink.pid, signal.SIGCONT)
    after, _ = gateway.rows(case.table)
    if after - before != rows:
        raise senders.SendFailed(f"the sink counted {after - before} of {rows} rows")
    file.unlink()
    return Outage(sleep_s, took_s, rows, process_figures.resident_peak_bytes(gateway.pid))
