"""What is compared: the rows, as bytes that both sides get.

Owns the data of each case. The same call makes the same bytes on every machine: numbers
come from arithmetic, not from chance. Times advance by a second after each series had its
point, which is how plants deliver them.
"""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import struct
import typing

SERIES = 1000
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
MICROSECONDS_2000_TO_START = int(
    (START - datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)).total_seconds() * 1_000_000
)
COLUMNS = "double_datapoints (external_id, timestamp, value)"
RAW_COLUMNS = "raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
RAW_LINE_BYTES = 100
ROWS_PER_INSERT = 1000
PGBENCH_CLIENTS = 50


@dataclasses.dataclass(frozen=True)
class Case:
    """`write` puts `rows` rows into an open binary file."""

    name: str
    title: str
    rows: int
    table: str
    write: typing.Callable[[typing.BinaryIO, int], None]
    """What follows `\\copy` and precedes the file; None: INSERT statements, sent as they are."""
    copy: str | None = None
    copy_options: str = ""
    """The file is a script of pgbench, run by `PGBENCH_CLIENTS` clients, a row each time."""
    is_pgbench: bool = False

    def scaled_rows(self, scale: float) -> int:
        """A whole number of INSERT statements, at least one."""
        return max(1, round(self.rows * scale / ROWS_PER_INSERT)) * ROWS_PER_INSERT

    def prepare(self, folder: pathlib.Path, rows: int) -> pathlib.Path:
        path = folder / self.name
        with path.open("wb", buffering=1 << 20) as file:
            self.write(file, rows)
        return path


def _series_names() -> list[str]:
    return [f"sensor-{number:04}" for number in range(SERIES)]


def _ticks(rows: int):
    """(tick, number of series that have a point at it)"""
    for tick in range((rows + SERIES - 1) // SERIES):
        yield tick, min(SERIES, rows - tick * SERIES)


def _time(tick: int) -> str:
    return (START + datetime.timedelta(seconds=tick)).strftime("%Y-%m-%d %H:%M:%S.000+00")


def _thousandths(tick: int, number: int) -> int:
    """A value between 0 and 1000, in thousandths."""
    return (tick * 7919 + number * 104_729) % 1_000_000


def write_text(file: typing.BinaryIO, rows: int) -> None:
    names = _series_names()
    for tick, series in _ticks(rows):
        time = _time(tick)
        values = (_thousandths(tick, number) for number in range(series))
        lines = [f"{name}\t{time}\t{value / 1000:.3f}\n" for name, value in zip(names, values, strict=False)]
        file.write("".join(lines).encode())


def write_binary(file: typing.BinaryIO, rows: int) -> None:
    names = [struct.pack("!hi11s", 3, 11, name.encode()) for name in _series_names()]
    row = struct.Struct("!iqid")
    file.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
    for tick, series in _ticks(rows):
        time = MICROSECONDS_2000_TO_START + tick * 1_000_000
        file.write(
            b"".join(
                names[number] + row.pack(8, time, 8, _thousandths(tick, number) / 1000)
                for number in range(series)
            )
        )
    file.write(b"\xff\xff")


def write_raw(file: typing.BinaryIO, rows: int) -> None:
    for start in range(0, rows, 10_000):
        lines = []
        for number in range(start, min(start + 10_000, rows)):
            head = f'plant\tpumps\tpump-{number:09}\t{{"pressure": {_thousandths(number, 1) / 1000:.3f}, "note": "'
            filler = "n" * (RAW_LINE_BYTES - len(head) - len('"}\n'))
            lines.append(f'{head}{filler}"}}\n')
        file.write("".join(lines).encode())


def write_inserts(file: typing.BinaryIO, rows: int) -> None:
    """Query messages of the protocol, one after the other."""
    names = _series_names()
    for tick in range(rows // ROWS_PER_INSERT):
        time = _time(tick)
        values = ",".join(
            f"('{name}','{time}',{_thousandths(tick, number) / 1000:.3f})"
            for number, name in enumerate(names)
        )
        statement = f"INSERT INTO {COLUMNS} VALUES {values}\0".encode()
        file.write(b"Q" + struct.pack("!i", len(statement) + 4) + statement)


def write_pgbench_script(file: typing.BinaryIO, rows: int) -> None:
    """Each client counts its rows up, so that no two rows have one key."""
    file.write(
        b"\\set n :n + 1\n\\set key :client_id * 1000000000 + :n\n"
        b"INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
        b" VALUES ('plant', 'pumps', :key, '{\"pressure\": 1.5}');\n"
    )


CASES = [
    Case("copy-text", "COPY text, 1,000 series", 5_000_000, "double_datapoints", write_text, COLUMNS),
    Case(
        "copy-binary",
        "COPY binary, 1,000 series",
        5_000_000,
        "double_datapoints",
        write_binary,
        COLUMNS,
        "(format binary)",
    ),
    Case(
        "copy-raw",
        f"COPY text, RAW rows of {RAW_LINE_BYTES} bytes",
        1_000_000,
        "raw_rows",
        write_raw,
        RAW_COLUMNS,
    ),
    Case(
        "insert",
        f"INSERT of {ROWS_PER_INSERT:,} rows, one connection",
        2_000_000,
        "double_datapoints",
        write_inserts,
    ),
    Case(
        "insert-one",
        f"INSERT of one row, {PGBENCH_CLIENTS} connections",
        200_000,
        "raw_rows",
        write_pgbench_script,
        is_pgbench=True,
    ),
]
