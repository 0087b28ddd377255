"""A table with a column of each type that the gateway has, and a row of values that are easily spoilt.

Owns the table's definition, as the gateway's tables API and as PostgreSQL has it, and the values as
Python has them. Promises that each value comes back equal if nothing was lost on its way. Never
writes or reads: each driver has its own way to.
"""

from __future__ import annotations

import datetime
import json

TABLE = "every_type"
KEY = "name"

TIME = datetime.datetime(2026, 11, 1, 12, 34, 56, 789_000, tzinfo=datetime.UTC)

# Column, type, value. A whole number beyond 2^53 and a double without a short binary form would not
# survive a number of JavaScript's or of four bytes; quotes, blanks and backslashes test the arrays.
COLUMNS = [
    ("a_text", "TEXT", 'æ\t"quoted" \\ it\'s\n🏭'),
    ("a_varchar", "VARCHAR", "short"),
    ("a_bool", "BOOL", True),
    ("a_bigint", "BIGINT", 2**53 + 1),
    ("a_double", "DOUBLE PRECISION", 0.1 + 0.2),
    ("a_real", "REAL", 0.5),
    ("a_time", "TIMESTAMPTZ", TIME),
    ("a_json", "JSON", {"a": [1, None, 2.5], "æ": {"b": True}}),
    ("some_bytes", "BYTEA", b"\x00\xff\\'\n"),
    ("texts", "TEXT[]", ["a", 'b "c", {d}', "", "\\"]),
    ("varchars", "VARCHAR[]", ["x", "NULL"]),
    ("bools", "BOOL[]", [True, False]),
    ("bigints", "BIGINT[]", [1, -(2**62)]),
    ("doubles", "DOUBLE PRECISION[]", [0.1, -1e300]),
    ("reals", "REAL[]", [0.5, -0.25]),
    ("jsons", "JSON[]", [{"a": 1}, [2, None]]),
]

NAMES = [name for name, _, _ in COLUMNS]
TYPES = {name: type_name for name, type_name, _ in COLUMNS}
VALUES = {name: value for name, _, value in COLUMNS}

DEFINITION = {
    "type": "raw_rows",
    "tablename": TABLE,
    "options": {"database": "every", "table": "type", "primaryKey": KEY},
    "columns": {KEY: {"type": "TEXT"}, **{name: {"type": type_name} for name, type_name in TYPES.items()}},
}

CREATE_TABLE = (
    f"CREATE TABLE {TABLE} ({KEY} TEXT PRIMARY KEY, "
    + ", ".join(f"{name} {type_name}" for name, type_name in TYPES.items())
    + ")"
)


def insert(*placeholders: str) -> str:
    """INSERT of a key and a value for each column."""
    return f"INSERT INTO {TABLE} ({', '.join([KEY, *NAMES])}) VALUES ({', '.join(placeholders)})"


def select(placeholder: str) -> str:
    """SELECT of each column of the row with that key."""
    return f"SELECT {', '.join(NAMES)} FROM {TABLE} WHERE {KEY} = {placeholder}"


def with_json_as_text() -> dict:
    """The values for drivers that take JSON as its text."""
    return VALUES | {
        "a_json": json.dumps(VALUES["a_json"]),
        "jsons": [json.dumps(value) for value in VALUES["jsons"]],
    }


def with_json_read(row, names=NAMES) -> dict:
    """A row of `select`, by column, with JSON that came as its text read; whatever the driver's own
    types of sequences and bytes are, they are lists and bytes."""
    return {name: _read(name, value) for name, value in zip(names, row, strict=True)}


def _read(name: str, value):
    kind = TYPES[name].removesuffix("[]")
    if kind != TYPES[name]:
        return [_json_read(element) if kind == "JSON" else element for element in value]
    if kind == "BYTEA":
        return bytes(value)
    return _json_read(value) if kind == "JSON" else value


def _json_read(value):
    return json.loads(value) if isinstance(value, str) else value
