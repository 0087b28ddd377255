"""Rounds of one case: both sides in turn, the count checked every time.

The side that goes first changes from round to round, so that neither always finds the
machine warm. One round before the first does not count: it fills caches on both sides.
"""

from __future__ import annotations

import dataclasses
import pathlib
import statistics
import sys

from . import process_figures, senders
from .cases import ROWS_PER_INSERT, Case
from .contenders import PenstockGateway, PostgreSql


@dataclasses.dataclass
class Result:
    case: Case
    rows: int
    postgresql_s: list[float] = dataclasses.field(default_factory=list)
    gateway_s: list[float] = dataclasses.field(default_factory=list)
    gateway_cpu_s: list[float] = dataclasses.field(default_factory=list)
    sink_cpu_s: list[float] = dataclasses.field(default_factory=list)
    gateway_peak_bytes: int = 0

    @property
    def postgresql_rows_per_s(self) -> float:
        return self.rows / statistics.median(self.postgresql_s)

    @property
    def gateway_rows_per_s(self) -> float:
        return self.rows / statistics.median(self.gateway_s)

    @property
    def gateway_cpu_ns_per_row(self) -> float:
        return statistics.median(self.gateway_cpu_s) / self.rows * 1e9

    @property
    def sink_cpu_ns_per_row(self) -> float:
        return statistics.median(self.sink_cpu_s) / self.rows * 1e9


class CountDiffers(Exception):
    """Rows sent and rows stored are not the same."""


def _send_s(case: Case, server, file: pathlib.Path, rows: int) -> float:
    if case.is_pgbench:
        return senders.pgbench_s(server, file, rows)
    if case.copy is None:
        return senders.insert_s(server, file, ROWS_PER_INSERT)
    return senders.copy_s(server, case.copy, case.copy_options, file, rows)


@dataclasses.dataclass(frozen=True)
class _PostgreSqlSide:
    side: PostgreSql

    def round(self, case: Case, rows: int, file: pathlib.Path, result: Result | None) -> None:
        self.side.prepare_round(case.table)
        took_s = _send_s(case, self.side.server, file, rows)
        if (stored := self.side.rows(case.table)) != rows:
            raise CountDiffers(f"PostgreSQL has {stored} of {rows} rows")
        if result:
            result.postgresql_s.append(took_s)


class _GatewaySide:
    """Remembers the checksum of a case's rows: it must be the same in every round."""

    def __init__(self, side: PenstockGateway):
        self.side = side
        self.sum: int | None = None

    def round(self, case: Case, rows: int, file: pathlib.Path, result: Result | None) -> None:
        side = self.side
        before, sum_before = side.rows(case.table)
        process_figures.forget_peak(side.pid)
        gateway_cpu_s, sink_cpu_s = process_figures.cpu_s(side.pid), process_figures.cpu_s(side.sink.pid)
        took_s = _send_s(case, side.server, file, rows)
        # Journaled rows are acknowledged before they are delivered.
        after, sum_after = side.delivered(case.table, before + rows)
        gateway_cpu_s = process_figures.cpu_s(side.pid) - gateway_cpu_s
        sink_cpu_s = process_figures.cpu_s(side.sink.pid) - sink_cpu_s
        if after - before != rows:
            raise CountDiffers(f"the sink counted {after - before} of {rows} rows")
        added = (int(sum_after, 16) - int(sum_before, 16)) % (1 << 64)
        if self.sum not in (None, added):
            raise CountDiffers("the sink's checksum differs from the round before")
        self.sum = added
        if result:
            result.gateway_s.append(took_s)
            result.gateway_cpu_s.append(gateway_cpu_s)
            result.sink_cpu_s.append(sink_cpu_s)
            peak = process_figures.resident_peak_bytes(side.pid)
            result.gateway_peak_bytes = max(result.gateway_peak_bytes, peak)


def run(
    case: Case,
    rounds: int,
    scale: float,
    folder: pathlib.Path,
    postgresql: PostgreSql,
    gateway: PenstockGateway,
) -> Result:
    rows = case.scaled_rows(scale)
    print(f"{case.name}: making {rows:,} rows", file=sys.stderr)
    file = case.prepare(folder, rows)
    result = Result(case, rows)
    postgresql_side, gateway_side = _PostgreSqlSide(postgresql), _GatewaySide(gateway)
    for number in range(rounds + 1):
        counted = result if number else None
        sides = [postgresql_side, gateway_side]
        for side in sides if number % 2 else reversed(sides):
            side.round(case, rows, file, counted)
        if counted:
            print(
                f"{case.name}: round {number} of {rounds}: PostgreSQL {result.postgresql_s[-1]:.2f} s,"
                f" gateway {result.gateway_s[-1]:.2f} s",
                file=sys.stderr,
            )
    file.unlink()
    return result
