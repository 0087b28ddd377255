"""The figures of a comparison, as one JSON document and as a table for people."""

from __future__ import annotations

import dataclasses
import os

from .journal_outage import JournalOutage
from .outage import Outage
from .rounds import Result

MIB = 1 << 20


def document(
    results: list[Result],
    asleep: Outage | None,
    filled: JournalOutage | None,
    ack: str,
    fsync_s: float,
) -> dict:
    """Rates are rows per second (medians over the rounds), costs nanoseconds per row."""
    made = {
        "cores": os.cpu_count(),
        "ack": ack,
        "fsync_ms": round(fsync_s * 1000, 3),
        "cases": [
            {
                "name": result.case.name,
                "title": result.case.title,
                "rows": result.rows,
                "rounds": len(result.gateway_s),
                "postgresql_rows_per_s": round(result.postgresql_rows_per_s),
                "gateway_rows_per_s": round(result.gateway_rows_per_s),
                "ratio": round(result.gateway_rows_per_s / result.postgresql_rows_per_s, 2),
                "gateway_cpu_ns_per_row": round(result.gateway_cpu_ns_per_row, 1),
                "sink_cpu_ns_per_row": round(result.sink_cpu_ns_per_row, 1),
                "gateway_peak_bytes": result.gateway_peak_bytes,
                "postgresql_s": [round(value, 3) for value in result.postgresql_s],
                "gateway_s": [round(value, 3) for value in result.gateway_s],
            }
            for result in results
        ],
    }
    if asleep:
        made["outage"] = {
            "slept_s": asleep.slept_s,
            "took_s": round(asleep.took_s, 1),
            "rows": asleep.rows,
            "gateway_peak_bytes": asleep.gateway_peak_bytes,
        }
    if filled:
        made["journal_outage"] = dataclasses.asdict(filled)
    return made


def table(made: dict) -> str:
    head = [
        "case",
        "rows",
        "PostgreSQL rows/s",
        "gateway rows/s",
        "ratio",
        "gateway ns/row",
        "sink ns/row",
        "peak MiB",
    ]
    lines = [
        [
            case["title"],
            f"{case['rows']:,}",
            f"{case['postgresql_rows_per_s']:,}",
            f"{case['gateway_rows_per_s']:,}",
            f"{case['ratio']:.2f}",
            f"{case['gateway_cpu_ns_per_row']:.0f}",
            f"{case['sink_cpu_ns_per_row']:.0f}",
            f"{case['gateway_peak_bytes'] / MIB:.0f}",
        ]
        for case in made["cases"]
    ]
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    text = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in [head, *lines]
    ]
    rounds = {case["rounds"] for case in made["cases"]}
    text.append(
        f"Medians of {'/'.join(map(str, sorted(rounds)))} rounds on {made['cores']} cores, shared by client, gateway and sink;"
        f" acknowledged when {made['ack']}, one fsync takes {made['fsync_ms']:g} ms."
    )
    if asleep := made.get("outage"):
        text.append(
            f"While the sink slept {asleep['slept_s']:g} s: peak {asleep['gateway_peak_bytes'] / MIB:.0f} MiB,"
            f" {asleep['rows']:,} rows delivered after {asleep['took_s']:g} s."
        )
    if filled := made.get("journal_outage"):
        text.append(
            f"While the sink was stopped: the journal was full after {filled['full_after_s']:.1f} s with"
            f" {filled['journal_bytes'] / MIB:.0f} MiB; memory {filled['resident_when_full_bytes'] / MIB:.0f} MiB"
            f" then and {filled['resident_later_bytes'] / MIB:.0f} MiB {filled['watched_s']:g} s later;"
            f" {filled['drained_rows']:,} rows drained at {filled['drained_rows_per_s']:,.0f} rows/s, which is"
            f" {filled['drained_rows_per_s'] / filled['peak_rows_per_s']:.2f} of a load acknowledged when delivered."
        )
    return "\n".join(text)
