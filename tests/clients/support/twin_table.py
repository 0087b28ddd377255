"""A table of the gateway's and a table of a PostgreSQL 15 with the same rows, asked the same.

Owns the copy, and the comparison of answers: in text, as the wire has them. Promises that both are
asked by the same protocol with the same parameters. Never writes to CDF.
"""

from __future__ import annotations

import dataclasses

import psycopg

COLUMNS = """SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""


@dataclasses.dataclass(frozen=True)
class Column:
    name: str
    type: str


def rows_of(connection: psycopg.Connection, statement: str, parameters=()) -> list[tuple]:
    """Every row, each value as PostgreSQL's text of it; parameters are texts without a type."""
    values = [None if value is None else value.encode() for value in parameters]
    result = connection.pgconn.exec_params(statement.encode(), values)
    if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
        raise psycopg.errors.error_from_result(result)
    columns = range(result.nfields)
    return [tuple(result.get_value(row, column) for column in columns) for row in range(result.ntuples)]


class TwinTable:
    """`name` as the gateway has it, copied into the PostgreSQL that `twin` is connected to."""

    def __init__(self, gateway: psycopg.Connection, twin: psycopg.Connection, name: str):
        self.name = name
        self._gateway, self._twin = gateway, twin
        self.columns = [Column(*row) for row in gateway.execute(COLUMNS, [name]).fetchall()]
        self.rows = rows_of(gateway, f"SELECT * FROM {name}")
        schema, _, table = name.rpartition(".")
        with twin.transaction():
            if schema:
                twin.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            columns = ", ".join(f'"{column.name}" {column.type}' for column in self.columns)
            twin.execute(f"DROP TABLE IF EXISTS {name}; CREATE TABLE {name} ({columns})")
            with twin.cursor().copy(f"COPY {name} FROM STDIN") as copy:
                for row in self.rows:
                    copy.write_row([None if value is None else value.decode() for value in row])

    def compare(self, statement: str, parameters=(), is_ordered: bool = False) -> int:
        """Asks both; returns how many rows there are, which are the same."""
        expected = _answer(self._twin, statement, parameters)
        found = _answer(self._gateway, statement, parameters)
        if not is_ordered and isinstance(expected, list) and isinstance(found, list):
            expected, found = sorted(expected, key=repr), sorted(found, key=repr)
        assert found == expected, (
            f"{statement} {list(parameters)}\nlacks {_beyond(expected, found)}\nhas {_beyond(found, expected)}"
        )
        return len(expected) if isinstance(expected, list) else 0


def _answer(connection, statement, parameters) -> list[tuple] | str:
    """The rows, or the SQLSTATE."""
    try:
        return rows_of(connection, statement, parameters)
    except psycopg.Error as error:
        return error.sqlstate or repr(error)


def _beyond(one, other):
    if not isinstance(one, list) or not isinstance(other, list):
        return one
    return [row for row in one if row not in other][:3]
