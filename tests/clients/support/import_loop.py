"""Npgsql's binary importer fed by a loop of .NET's own, as a program in C# feeds it.

A call from Python into .NET takes some microseconds, so a million rows of three values would take
half a minute of nothing but calls. The loop is put together from expressions and compiled by .NET.
"""

from __future__ import annotations

import functools

from . import npgsql
from .npgsql import Npgsql, System, Type

import clr  # isort: skip - exists once the runtime is loaded

clr.AddReference("System.Linq.Expressions")
from System.Linq import Expressions  # noqa: E402

Expression = Expressions.Expression


def _type(net_type):
    return clr.GetClrType(net_type)


def _several(kind, values):
    return System.Array[kind](list(values))


def _call(target, method, *arguments):
    return Expression.Call(target, method, _several(Expression, arguments))


def _write(net_type):
    """`importer.Write<net_type>(value, NpgsqlDbType)`."""
    for method in _type(Npgsql.NpgsqlBinaryImporter).GetMethods():
        parameters = [parameter.ParameterType.Name for parameter in method.GetParameters()]
        if method.Name == "Write" and parameters[1:] == ["NpgsqlDbType"]:
            return method.MakeGenericMethod(_several(System.Type, [_type(net_type)]))
    raise AssertionError("this Npgsql has no typed Write")


@functools.cache
def _points_of_a_series():
    """(importer, series, first moment, rows): one point a second, its value its number."""
    parameters = [
        Expression.Parameter(_type(net_type), name)
        for net_type, name in (
            (Npgsql.NpgsqlBinaryImporter, "importer"),
            (System.String, "series"),
            (System.DateTime, "first"),
            (System.Int32, "rows"),
        )
    ]
    importer, series, first, rows = parameters
    number = Expression.Variable(_type(System.Int32), "number")
    value = Expression.Convert(number, _type(System.Double))
    add_seconds = _type(System.DateTime).GetMethod(
        "AddSeconds", _several(System.Type, [_type(System.Double)])
    )
    row = [
        Expression.Call(importer, _type(Npgsql.NpgsqlBinaryImporter).GetMethod("StartRow")),
        _call(importer, _write(System.String), series, Expression.Constant(Type.Varchar)),
        _call(
            importer,
            _write(System.DateTime),
            _call(first, add_seconds, value),
            Expression.Constant(Type.TimestampTz),
        ),
        _call(importer, _write(System.Double), value, Expression.Constant(Type.Double)),
        Expression.PreIncrementAssign(number),
    ]
    end = Expression.Label("end")
    loop = Expression.Loop(
        Expression.IfThenElse(
            Expression.LessThan(number, rows),
            Expression.Block(_several(Expression, row)),
            Expression.Break(end),
        ),
        end,
    )
    kind = Expressions.ParameterExpression
    whole = Expression.Block(_several(kind, [number]), _several(Expression, [loop]))
    return Expression.Lambda(whole, _several(kind, parameters)).Compile()


def import_points(connection, copy: str, series: list[str], first, rows_each: int) -> int:
    """Imports points of each series by COPY; returns how many rows the server counted. The COPY names
    series, time and value, in this order."""
    importer = connection.BeginBinaryImport(copy)
    try:
        for name in series:
            given = [importer, System.String(name), npgsql.value(first), System.Int32(rows_each)]
            _points_of_a_series().DynamicInvoke(_several(System.Object, given))
        return importer.Complete()
    finally:
        importer.Dispose()
