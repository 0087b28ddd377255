"""Rows for every table, made so that they are easily mistaken for one another.

Owns the values: equal ones, NULLs, texts that differ in case, blanks, composition or wildcards, times a
millisecond apart, numbers at the ends of their types. Promises the same rows for the same seed. Writes
them through the gateway.
"""

from __future__ import annotations

import json
import random

import psycopg

NAMES = [
    "a",
    "A",
    "a ",
    "ab",
    "a%",
    "a_",
    "a\\",
    "\\%",
    "é",
    "e\u0301",
    "É",
    "ß",
    "ss",
    "Ω",
    "🏭",
    "it's",
    "$t",
    "NULL",
]
SOURCES = [None, None, "a", "A", "SAP", "sap", "sap ", "x%y", "x_y", "back\\slash"]
TIMES = [
    None,
    "1970-01-01 00:00:00+00",
    "1970-01-01 00:00:00.001+00",
    "2026-03-29 01:59:59.999+01",
    "2026-03-29 03:00:00+02",
    "2026-11-01 12:00:00.001+00",
    "2026-11-01 12:00:00.002+00",
    "2026-11-01 12:00:00.003+00",
    "2099-12-31 23:59:59.999+00",
]
DOUBLES = [
    "0",
    "-0",
    "0.1",
    "0.30000000000000004",
    "9.9e99",
    "-9.9e99",
    "1e-100",
    "1e-300",
    "2147483648",
    "5",
]
STRINGS = [*NAMES, "", " ", "5", "\t", "x" * 255]
BIGINTS = ["0", "-1", "7", "9007199254740993", "9223372036854775807", "-9223372036854775808", None]


class AssortedRows:
    def __init__(self, connection: psycopg.Connection, seed: int):
        self._connection = connection
        self._random = random.Random(seed)

    def fill_all(self) -> None:
        pick = self._random.choice
        for number in range(3):
            self._insert(
                "cdf.data_sets", external_id=f"set-{number}", name=pick(NAMES), write_protected=False
            )
        sets = [None, *self._ids("cdf.data_sets")]
        self._insert("assets", external_id="root", name="root")
        for number in range(30):
            name, source, data_set = pick(NAMES), pick(SOURCES), pick(sets)
            self._insert(
                "assets",
                external_id=self._external_id(number),
                name=name,
                parent_external_id=pick([None, "root"]),
                source=source,
                description=pick(SOURCES),
                data_set_id=data_set,
            )
        assets = [None, *self._ids("assets")[:3]]
        for number in range(30):
            began, ended = sorted([pick(TIMES[1:]), pick(TIMES[1:])], key=TIMES.index)
            self._insert(
                "events",
                external_id=self._external_id(number),
                type=pick([None, *NAMES]),
                subtype=pick([None, "a", "A"]),
                source=pick(SOURCES),
                description=pick(SOURCES),
                start_time=pick([None, began]),
                end_time=pick([None, ended]),
                data_set_id=pick(sets),
            )
            self._insert(
                "time_series",
                external_id=self._external_id(number),
                name=pick([None, *NAMES]),
                is_step=pick([True, False]),
                is_string=number % 2 == 1,
                unit=pick(SOURCES),
                asset_id=pick(assets),
                description=pick(SOURCES),
                data_set_id=pick(sets),
            )
            self._insert(
                "files",
                external_id=self._external_id(number),
                name=pick(NAMES),
                directory=pick([None, "/a", "/A", "/a/b", "/a%"]),
                source=pick(SOURCES),
                mime_type=pick([None, "text/plain", "TEXT/plain"]),
                source_created_time=pick(TIMES),
                source_modified_time=pick(TIMES),
                data_set_id=pick(sets),
            )
            self._insert(
                "sequences",
                external_id=self._external_id(number),
                name=pick([None, *NAMES]),
                description=pick(SOURCES),
                asset_id=pick(assets),
                data_set_id=pick(sets),
                columns=json.dumps([{"externalId": "c", "valueType": "STRING"}]),
            )
            self._insert(
                "relationships",
                external_id=f"{pick(NAMES)}{number}",
                source_external_id=pick(NAMES),
                source_type=pick(["asset", "event"]),
                target_external_id=pick(NAMES),
                target_type=pick(["asset", "timeSeries"]),
                start_time=pick([None, *TIMES[1:3]]),
                end_time=pick([None, *TIMES[4:]]),
                confidence=pick([None, 0, 0.1, 1]),
                data_set_id=pick(sets),
            )
            self._insert(
                "labels", external_id=f"{pick(NAMES)}{number}", name=pick(NAMES), description=pick(SOURCES)
            )
        for number in range(5):
            self._insert(
                "extraction_pipelines",
                external_id=f"{pick(NAMES)}{number}",
                name=pick(NAMES),
                data_set_id=sets[1],
                source=pick(SOURCES),
            )
        pipelines = self._column("extraction_pipelines", "external_id")
        for _ in range(10):
            self._insert(
                "extraction_pipeline_runs",
                external_id=pick(pipelines),
                status=pick(["success", "failure", "seen"]),
                message=pick(SOURCES),
            )
        series = self._rows("SELECT id, is_string FROM time_series")
        for id_, is_string in series[:12]:
            for time in self._random.sample(TIMES[1:], 5):
                table = "string_datapoints" if is_string else "double_datapoints"
                self._insert(table, id=id_, timestamp=time, value=pick(STRINGS if is_string else DOUBLES))
        for id_ in self._ids("sequences")[:6]:
            for row in self._random.sample(range(10), 4):
                self._insert("sequence_rows", id=id_, row_number=row, values=json.dumps({"c": pick(NAMES)}))
        for database in ("plant", "Plant", "a%"):
            for table in ("t", "T", "a_"):
                for key in self._random.sample(STRINGS[:-1], 4):
                    self._insert(
                        "raw_rows",
                        _raw_database=database,
                        _raw_table=table,
                        _raw_key=key or "k",
                        _raw_columns="{}",
                    )

    def fill(self, table: str, keys: list[str], key: str, **fixed) -> None:
        """A custom table with the columns of `support.twin_definitions`."""
        pick = self._random.choice
        for value in keys:
            self._insert(
                table,
                **fixed,
                **{
                    key: value,
                    "a_text": pick([None, *STRINGS]),
                    "a_flag": pick([None, True, False]),
                    "a_bigint": pick(BIGINTS),
                    "a_double": pick([None, *DOUBLES]),
                    "a_time": pick(TIMES),
                },
            )

    def _external_id(self, number: int) -> str | None:
        return self._random.choice(
            [None, f"{self._random.choice(NAMES)}{number}", f"{self._random.choice(NAMES)}-{number}"]
        )

    def _insert(self, table: str, **values) -> None:
        names = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join(["%s"] * len(values))
        self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))

    def _rows(self, statement: str) -> list[tuple]:
        return self._connection.execute(statement).fetchall()

    def _column(self, table: str, column: str) -> list:
        return [value for (value,) in self._rows(f"SELECT {column} FROM {table}")]

    def _ids(self, table: str) -> list[int]:
        return self._column(table, "id")
