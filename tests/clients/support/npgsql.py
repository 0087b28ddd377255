"""Npgsql as Python sees it: connections, commands, importers.

Owns the spelling of .NET's calls, so that tests read as what they test. Importing this
module starts .NET.
"""

from __future__ import annotations

import contextlib
import datetime

from . import dotnet

dotnet.load()

import Npgsql  # noqa: E402 - exists once the runtime is loaded
import NpgsqlTypes  # noqa: E402
import System  # noqa: E402

PostgresException = Npgsql.PostgresException
Type = NpgsqlTypes.NpgsqlDbType
NULL = object()


def value(given):
    """A Python value as the .NET value that a program would hold."""
    if given is NULL or given is None:
        return System.DBNull.Value
    if isinstance(given, bool):
        return System.Boolean(given)
    if isinstance(given, int):
        return System.Int64(given)
    if isinstance(given, float):
        return System.Double(given)
    if isinstance(given, datetime.datetime):
        return System.DateTime.UnixEpoch.AddMilliseconds(given.timestamp() * 1000)
    return given


def net_type(given):
    return {str: System.String, int: System.Int64, float: System.Double, datetime.datetime: System.DateTime}[
        type(given)
    ]


@contextlib.contextmanager
def opened(server, **options):
    connection = Npgsql.NpgsqlConnection(server.npgsql(**options))
    connection.Open()
    try:
        yield connection
    finally:
        connection.Dispose()


def command(connection, sql: str, *positional, **named):
    made = Npgsql.NpgsqlCommand(sql, connection)
    for given in positional:
        parameter = Npgsql.NpgsqlParameter()
        parameter.Value = value(given)
        made.Parameters.Add(parameter)
    for name, given in named.items():
        if isinstance(given, Npgsql.NpgsqlParameter):
            made.Parameters.Add(given)
        else:
            made.Parameters.Add(Npgsql.NpgsqlParameter(name, value(given)))
    return made


def typed(name: str, db_type, given):
    parameter = Npgsql.NpgsqlParameter(name, db_type)
    parameter.Value = given
    return parameter


def run(connection, sql: str, *positional, **named) -> int:
    return command(connection, sql, *positional, **named).ExecuteNonQuery()


def scalar(connection, sql: str):
    return Npgsql.NpgsqlCommand(sql, connection).ExecuteScalar()


def import_rows(connection, copy: str, rows, types=None, complete: bool = True) -> int | None:
    """Rows through the binary importer; `types` name the columns' types where given."""
    importer = connection.BeginBinaryImport(copy)
    try:
        for row in rows:
            importer.StartRow()
            for place, given in enumerate(row):
                if given is None:
                    importer.WriteNull()
                elif types:
                    importer.Write[net_type(given)](value(given), types[place])
                else:
                    importer.Write[net_type(given)](value(given))
        return importer.Complete() if complete else None
    finally:
        importer.Dispose()
