"""Npgsql and what it reads: each type, in binary, by the types it has loaded; schemas; ends and beginnings."""

import json
import threading

import pytest
from support import every_type, npgsql
from support.every_type import VALUES
from support.npgsql import Npgsql, System, Type, command, opened, run, scalar
from support.samples import moment, seconds, unique
from support.silence import END_WHEN_SILENT, until_one_is_ended

DB_TYPES = {
    "TEXT": Type.Text,
    "VARCHAR": Type.Varchar,
    "BOOL": Type.Boolean,
    "BIGINT": Type.Bigint,
    "DOUBLE PRECISION": Type.Double,
    "REAL": Type.Real,
    "TIMESTAMPTZ": Type.TimestampTz,
    "JSON": Type.Json,
    "BYTEA": Type.Bytea,
}
NET_TYPES = {
    "TEXT": System.String,
    "VARCHAR": System.String,
    "BOOL": System.Boolean,
    "BIGINT": System.Int64,
    "DOUBLE PRECISION": System.Double,
    "REAL": System.Single,
    "TIMESTAMPTZ": System.DateTime,
    "JSON": System.String,
    "BYTEA": System.Array[System.Byte],
}


@pytest.fixture(scope="module")
def target(typed_target):
    return typed_target


@pytest.fixture
def connection(server):
    with opened(server, Pooling="false") as connection:
        yield connection


def net_value(type_name: str, value):
    if type_name == "REAL":
        return System.Single(value)
    if type_name == "JSON":
        return json.dumps(value)
    if type_name == "BYTEA":
        return System.Array[System.Byte](value)
    return npgsql.value(value)


def parameter(type_name: str, value):
    element = type_name.removesuffix("[]")
    if element == type_name:
        return npgsql.typed("", DB_TYPES[element], net_value(element, value))
    values = System.Array[NET_TYPES[element]]([net_value(element, one) for one in value])
    return npgsql.typed("", Type(int(Type.Array) | int(DB_TYPES[element]), True), values)


def python_value(type_name: str, value):
    if type_name == "BYTEA":
        return bytes(value)
    if type_name == "JSON":
        return json.loads(value)
    if type_name == "TIMESTAMPTZ":
        assert value.Kind == System.DateTimeKind.Utc
        return value.ToString("o")
    return value


def read(reader, place: int, type_name: str):
    element = type_name.removesuffix("[]")
    if element == type_name:
        return python_value(element, reader.GetFieldValue[NET_TYPES[element]](place))
    values = reader.GetFieldValue[System.Array[NET_TYPES[element]]](place)
    return [python_value(element, value) for value in values]


@pytest.mark.parametrize("is_prepared", [False, True], ids=["once", "prepared"])
def test_each_type_is_read_back(connection, is_prepared):
    key = unique("npgsql")
    placeholders = [f"${number}" for number in range(1, len(VALUES) + 2)]
    insert = command(connection, every_type.insert(*placeholders), key)
    for type_name, value in zip(every_type.TYPES.values(), VALUES.values(), strict=True):
        insert.Parameters.Add(parameter(type_name, value))
    assert insert.ExecuteNonQuery() == 1
    select = command(connection, every_type.select("$1"), key)
    if is_prepared:
        select.Prepare()
    reader = select.ExecuteReader()
    assert reader.Read()
    found = {
        name: read(reader, place, type_name)
        for place, (name, type_name) in enumerate(every_type.TYPES.items())
    }
    assert not reader.Read()
    reader.Close()
    assert found.pop("a_time") == "2026-11-01T12:34:56.7890000Z"
    assert found == {name: value for name, value in VALUES.items() if name != "a_time"}


def test_columns_of_a_result_have_postgresqls_types(connection):
    reader = command(connection, f"SELECT * FROM {every_type.TABLE} WHERE 1 = 0").ExecuteReader()
    found = {reader.GetName(n): reader.GetDataTypeName(n) for n in range(reader.FieldCount)}
    reader.Close()
    names = {
        "VARCHAR": "character varying",
        "BOOL": "boolean",
        "TIMESTAMPTZ": "timestamp with time zone",
    }

    def full(type_name: str) -> str:
        element = type_name.removesuffix("[]")
        return names.get(element, element.lower()) + type_name[len(element) :]

    assert found == {"name": "text"} | {name: full(type_name) for name, type_name in every_type.TYPES.items()}


@pytest.mark.gateway_only
def test_schemas_tables_and_columns_are_listed(connection, server):
    tables = connection.GetSchema("Tables")
    names = {(row["table_schema"], row["table_name"]) for row in tables.Rows}
    assert {("public", "assets"), ("cdf", "data_sets"), ("public", "every_type")} <= names
    restrictions = System.Array[System.String]([server.database, "public", "assets"])
    columns = connection.GetSchema("Columns", restrictions)
    found = {row["column_name"]: str(row["data_type"]) for row in columns.Rows}
    assert found["external_id"] == "varchar" or found["external_id"].startswith("character varying")
    assert "metadata" in found
    databases = {row["database_name"] for row in connection.GetSchema("Databases").Rows}
    assert server.database in databases
    assert connection.GetSchema("DataTypes").Rows.Count > 10


@pytest.mark.gateway_only
def test_a_reader_of_the_schema_knows_keys_and_lengths(connection):
    behavior = System.Data.CommandBehavior
    both = behavior(int(behavior.SchemaOnly) | int(behavior.KeyInfo))
    reader = command(connection, "SELECT * FROM assets").ExecuteReader(both)
    schema = {row["ColumnName"]: row for row in reader.GetSchemaTable().Rows}
    reader.Close()
    external_id = schema["external_id"]
    assert (external_id["ColumnSize"], external_id["IsKey"]) == (255, True)
    assert (external_id["AllowDBNull"], external_id["BaseTableName"]) == (True, "assets")
    assert schema["name"]["IsKey"] is False
    assert schema["metadata"]["DataTypeName"] == "json"


def test_rows_of_a_data_adapter_are_written_with_its_own_insert(connection, store, series):
    run(
        connection,
        "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ($1, $2, $3)",
        series,
        moment(0),
        0.5,
    )
    select = "SELECT value, timestamp, external_id FROM double_datapoints WHERE external_id = $1"
    adapter = Npgsql.NpgsqlDataAdapter(command(connection, select, series))
    table = System.Data.DataTable()
    adapter.FillSchema(table, System.Data.SchemaType.Source)
    table.Columns["timestamp"].DateTimeMode = System.Data.DataSetDateTime.Utc
    adapter.Fill(table)
    assert [row["value"] for row in table.Rows] == [0.5]
    row = table.NewRow()
    row["external_id"], row["timestamp"], row["value"] = series, npgsql.value(moment(1)), 1.5
    table.Rows.Add(row)
    # Names the table with database and schema.
    adapter.InsertCommand = Npgsql.NpgsqlCommandBuilder(adapter).GetInsertCommand()
    assert adapter.Update(table) == 1
    assert store.points(series) == seconds([0.5, 1.5])


def test_rows_are_exported_in_binary(connection):
    exporter = connection.BeginBinaryExport(
        "COPY (SELECT n::int8, 'n' || n FROM generate_series(1, 1000) AS n) TO STDOUT (FORMAT BINARY)"
    )
    found = []
    while exporter.StartRow() != -1:
        found.append((exporter.Read[System.Int64](), exporter.Read[System.String]()))
    exporter.Dispose()
    assert found == [(n, f"n{n}") for n in range(1, 1001)]
    assert scalar(connection, "SELECT 1") == 1


@pytest.mark.gateway_only
def test_a_statement_is_cancelled(connection, emulator, series):
    emulator.inject(operation="datapoints.insert", kind="delay", delay_ms=5_000)
    insert = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ($1, $2, $3)"
    made = command(connection, insert, series, moment(0), 1.0)

    def cancel():
        emulator.await_in_flight("datapoints.insert")
        made.Cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    # What waits in .NET holds Python's lock, so the wait is a task of .NET's.
    task = made.ExecuteNonQueryAsync()
    canceller.join()
    # Npgsql takes 57014 for the end that was asked for.
    with pytest.raises(System.AggregateException):
        task.Wait()
    assert task.IsCanceled
    assert scalar(connection, "SELECT 1") == 1


@pytest.mark.gateway_only
def test_a_pool_replaces_a_connection_that_the_server_ended(server, target, series):
    options = {"Maximum_Pool_Size": "1", "Application_Name": series[-60:]}
    with opened(server, **options) as connection:
        process = connection.ProcessID
        with until_one_is_ended(target.process):
            run(connection, END_WHEN_SILENT)
        with pytest.raises(Npgsql.NpgsqlException):
            scalar(connection, "SELECT 1")
    with opened(server, **options) as connection:
        assert connection.ProcessID != process
        assert scalar(connection, "SELECT 1") == 1
        Npgsql.NpgsqlConnection.ClearPool(connection)
