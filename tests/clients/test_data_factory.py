"""Azure Data Factory's copy activity, as Npgsql speaks for it: each thing that it does to a sink.

Its connector is Npgsql (docs/azure-data-factory.md says what of this is recorded and what inferred), so
Npgsql does here what the connector asks of it: test the connection, list tables, import a schema, run a
pre-copy script, write by each of the three methods, and report the run.
"""

import dataclasses

import pytest
from cognite.client.data_classes import AssetWrite, DataSetWrite, ExtractionPipelineWrite
from support import npgsql
from support.certificates import write_certificate
from support.configured import ConfiguredGateway
from support.import_loop import import_points
from support.npgsql import PostgresException, Type, command, import_rows, opened, run, scalar
from support.samples import moment, unique

pytestmark = pytest.mark.gateway_only

COPY_POINTS = (
    'COPY "public"."double_datapoints" ("external_id","timestamp","value") FROM STDIN (FORMAT BINARY)'
)
# More parameters PostgreSQL's protocol does not take of Npgsql 4, and the connector says so.
PARAMETERS_MAX = 32_767


@pytest.fixture
def connection(server):
    with opened(server, Pooling="false", Application_Name="AzureDataFactory") as connection:
        yield connection


def table_of(reader) -> list[dict]:
    """All rows of a .NET DataTable."""
    names = [column.ColumnName for column in reader.Columns]
    return [{name: row[name] for name in names} for row in reader.Rows]


def test_the_connection_test_passes(server):
    with opened(server, Pooling="false") as connection:
        assert scalar(connection, "SELECT version()").startswith("PostgreSQL 17")
        assert scalar(connection, "SELECT 1") == 1


def test_the_connection_test_passes_where_tls_is_required(tmp_path, target):
    certificate, key = write_certificate(tmp_path)
    listen = {"tls_certificate": certificate, "tls_private_key": key, "require_tls": True}
    options = {"SSL_Mode": "Require", "Trust_Server_Certificate": "true", "Pooling": "false"}
    with ConfiguredGateway(tmp_path, target.cdf_url, listen=listen) as gateway:
        with opened(gateway.server, **options) as connection:
            assert scalar(connection, "SELECT 1") == 1
        with pytest.raises(PostgresException) as caught, opened(gateway.server, SSL_Mode="Disable"):
            pass
    assert caught.value.SqlState == "28000"


def test_a_wrong_password_fails_the_connection_test_with_its_reason(server):
    wrong = dataclasses.replace(server, password="wrong")
    with pytest.raises(PostgresException) as caught, opened(wrong, Pooling="false"):
        pass
    assert caught.value.SqlState == "28P01"


def test_the_tables_are_listed_by_schema_and_name(connection, server):
    listed = table_of(connection.GetSchema("Tables"))
    names = {(row["table_schema"], row["table_name"]) for row in listed}
    assert {("public", "assets"), ("public", "raw_rows"), ("cdf", "data_sets")} <= names
    assert {row["table_catalog"] for row in listed} == {server.database}


def test_the_picker_finds_tables_in_information_schema(connection):
    reader = command(
        connection,
        "SELECT table_schema, table_name FROM information_schema.tables"
        " WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2",
    ).ExecuteReader()
    found = []
    while reader.Read():
        found.append((reader.GetString(0), reader.GetString(1)))
    reader.Close()
    assert ("public", "extraction_pipeline_runs") in found
    assert found == sorted(found)


def test_the_columns_of_a_table_are_listed_with_their_types(connection):
    columns = connection.GetSchema(
        "Columns", npgsql.System.Array[npgsql.System.String]([None, "public", "raw_rows"])
    )
    found = {row["column_name"]: row["data_type"] for row in table_of(columns)}
    assert found == {
        "_raw_database": "character varying",
        "_raw_table": "character varying",
        "_raw_key": "text",
        "_raw_columns": "json",
        "_raw_last_updated_time": "timestamp with time zone",
    }


def test_a_schema_is_imported_with_lengths_and_keys(connection):
    behaviour = npgsql.System.Data.CommandBehavior
    asked = command(connection, 'SELECT * FROM "public"."assets" WHERE 1=0')
    reader = asked.ExecuteReader(behaviour.SchemaOnly | behaviour.KeyInfo)
    found = {row["ColumnName"]: row for row in table_of(reader.GetSchemaTable())}
    reader.Close()
    shown = {name: (row["DataTypeName"], int(row["ColumnSize"])) for name, row in found.items()}
    assert shown["external_id"] == ("character varying", 255)
    assert shown["name"] == ("character varying", 140)
    assert shown["metadata"] == ("json", -1)
    assert shown["labels"] == ("text[]", -1)
    assert shown["created_time"] == ("timestamp with time zone", -1)
    assert [name for name, row in found.items() if row["IsKey"]] == ["external_id"]
    assert found["external_id"]["BaseTableName"] == "assets"
    assert found["external_id"]["BaseSchemaName"] == "public"


@pytest.mark.parametrize(
    "table", ["double_datapoints", "raw_rows", "extraction_pipeline_runs", "time_series"]
)
def test_the_schema_of_a_sink_is_imported_without_reading_rows(connection, table):
    reader = command(connection, f'SELECT * FROM "public"."{table}" LIMIT 0').ExecuteReader()
    assert reader.FieldCount > 3 and not reader.Read()
    reader.Close()


def test_a_pre_copy_script_deletes_the_rows_of_the_last_run(connection, store, raw_database):
    store.client.raw.rows.insert(raw_database, "t", {"a": {"n": 1}, "b": {"n": 2}}, ensure_parent=True)
    script = (
        f"DELETE FROM public.raw_rows WHERE _raw_database = '{raw_database}' AND _raw_table = 't'"
        " AND _raw_key IN ('a', 'gone')"
    )
    run(connection, script)
    assert store.raw(raw_database, "t") == {"b": {"n": 2}}


def test_a_pre_copy_script_may_ask_something(connection):
    assert (
        run(connection, "SELECT count(*) FROM public.time_series WHERE external_id = 'none of these'") == -1
    )


def test_a_pre_copy_script_that_would_empty_a_shared_table_is_refused(connection):
    with pytest.raises(PostgresException) as caught:
        run(connection, 'TRUNCATE TABLE "public"."raw_rows"')
    assert caught.value.SqlState == "42501"
    assert caught.value.Hint


def test_copy_command_writes_a_million_rows(connection, store, series):
    names = [f"{series}-{n:02}" for n in range(100)]
    assert import_points(connection, COPY_POINTS, names, moment(0), 10_000) == 1_000_000
    first = int(moment(0).timestamp() * 1000)
    expected = [(first + 1000 * n, float(n)) for n in range(10_000)]
    for name in (names[0], names[49], names[99]):
        assert store.points(name) == expected
    latest = store.client.time_series.data.retrieve_latest(external_id=names)
    assert [point.value for point in latest] == [9999.0] * 100


def test_copy_command_writes_rows_of_raw(connection, store, raw_database):
    copy = (
        'COPY "public"."raw_rows" ("_raw_database","_raw_table","_raw_key","_raw_columns") FROM STDIN'
        " (FORMAT BINARY)"
    )
    rows = [(raw_database, "orders", f"k{n}", f'{{"n": {n}}}') for n in range(5000)]
    assert import_rows(connection, copy, rows, [Type.Varchar, Type.Varchar, Type.Text, Type.Json]) == 5000
    assert store.raw(raw_database, "orders") == {f"k{n}": {"n": n} for n in range(5000)}


def test_a_row_that_copy_command_cannot_write_fails_with_its_line_and_column(connection, store, series):
    rows = [(series if n != 700 else "x" * 256, moment(n), 1.0) for n in range(1000)]
    with pytest.raises(PostgresException) as caught:
        import_rows(connection, COPY_POINTS, rows, [Type.Varchar, Type.TimestampTz, Type.Double])
    assert caught.value.SqlState == "22001"
    assert "line 701, column external_id" in caught.value.Where


def bulk_insert(connection, table: str, columns: list[str], rows: list[tuple]) -> int:
    """One statement of many rows, a parameter for each value."""
    names = ",".join(f'"{column}"' for column in columns)
    width = len(columns)
    places = (f"({','.join(f'${row * width + n + 1}' for n in range(width))})" for row in range(len(rows)))
    values = [value for row in rows for value in row]
    return run(connection, f'INSERT INTO "public"."{table}" ({names}) VALUES {",".join(places)}', *values)


def test_bulk_insert_writes_batches_as_large_as_it_makes_them(connection, store, series):
    rows_max = PARAMETERS_MAX // 3
    rows = [(series, moment(n), n / 2) for n in range(2 * rows_max)]
    for start in (0, rows_max):
        batch = rows[start : start + rows_max]
        columns = ["external_id", "timestamp", "value"]
        assert bulk_insert(connection, "double_datapoints", columns, batch) == rows_max
    first = int(moment(0).timestamp() * 1000)
    assert store.points(series) == [(first + 1000 * n, n / 2) for n in range(2 * rows_max)]


def test_bulk_insert_in_a_transaction_is_all_or_nothing(connection, store, raw_database):
    transaction = connection.BeginTransaction()
    insert = (
        'INSERT INTO "public"."raw_rows" ("_raw_database","_raw_table","_raw_key","_raw_columns")'
        " VALUES (@database,'t',@key,@columns)"
    )
    for n in range(3):
        cells = npgsql.typed("columns", Type.Json, "{}")
        run(connection, insert, database=raw_database, key=f"k{n}", columns=cells)
    transaction.Rollback()
    assert store.raw(raw_database, "t") == {}


# An interim table, as the method "Upsert" makes one (inferred), and both forms of what follows.
INTERIM = 'CREATE TEMP TABLE "interim" AS SELECT "external_id", "name", "description" FROM "public"."assets" WHERE 1=0'
COPY_INTERIM = 'COPY "interim" ("external_id","name","description") FROM STDIN (FORMAT BINARY)'
BY_CONFLICT = [
    'INSERT INTO "public"."assets" ("external_id","name","description")'
    ' SELECT "external_id","name","description" FROM "interim"'
    ' ON CONFLICT ("external_id") DO UPDATE SET "name" = EXCLUDED."name", "description" = EXCLUDED."description"'
]
BY_UPDATE_AND_INSERT = [
    'UPDATE "public"."assets" SET "name" = i."name", "description" = i."description"'
    ' FROM "interim" AS i WHERE "assets"."external_id" = i."external_id"',
    'INSERT INTO "public"."assets" ("external_id","name","description")'
    ' SELECT i."external_id", i."name", i."description" FROM "interim" AS i'
    ' WHERE NOT EXISTS (SELECT 1 FROM "public"."assets" AS a WHERE a."external_id" = i."external_id")',
]


@pytest.mark.parametrize("statements", [BY_CONFLICT, BY_UPDATE_AND_INSERT], ids=["conflict", "update"])
def test_upsert_goes_through_an_interim_table(connection, store, statements):
    known, new = unique("known"), unique("new")
    store.client.assets.create(AssetWrite(external_id=known, name="before"))
    run(connection, INTERIM)
    rows = [(known, "after", "changed"), (new, "new", "made")]
    assert import_rows(connection, COPY_INTERIM, rows, [Type.Varchar] * 3) == 2
    transaction = connection.BeginTransaction()
    for statement in statements:
        run(connection, statement)
    transaction.Commit()
    run(connection, 'DROP TABLE "interim"')
    assets = store.client.assets.retrieve_multiple(external_ids=[known, new])
    assert [(asset.name, asset.description) for asset in assets] == [("after", "changed"), ("new", "made")]


@pytest.mark.parametrize("spelling", ["external_id", "externalId"])
def test_the_status_of_the_run_is_reported_in_either_spelling(connection, store, spelling):
    client = store.client
    pipeline = unique("pipeline")
    data_set = client.data_sets.create(DataSetWrite(external_id=pipeline, name="copies"))
    client.extraction_pipelines.create(
        ExtractionPipelineWrite(external_id=pipeline, name="copy", data_set_id=data_set.id)
    )
    copy = f'COPY "public"."extraction_pipeline_runs" ("{spelling}","status","message") FROM STDIN (FORMAT BINARY)'
    row = (pipeline, "success", "1000000 rows")
    assert import_rows(connection, copy, [row], [Type.Varchar, Type.Text, Type.Varchar]) == 1
    [reported] = client.extraction_pipelines.runs.list(external_id=pipeline)
    assert (reported.status, reported.message) == ("success", "1000000 rows")


def test_a_status_that_cdf_does_not_know_is_refused(connection):
    insert = (
        'INSERT INTO "public"."extraction_pipeline_runs" ("externalId","status") VALUES (@pipeline,@status)'
    )
    with pytest.raises(PostgresException) as caught:
        run(connection, insert, pipeline="p", status="Succeeded")
    assert caught.value.SqlState == "23514"
