"""A user who writes the names of version 1.0: the same resources by other names."""

import asyncio
import datetime
import re
import time
import urllib.request

import asyncpg
import psycopg
import pytest
from support.binary import PROJECT
from support.configured import ConfiguredGateway
from support.emulator import Emulator
from support.local_cdf import LocalCdf
from support.samples import unique
from support.store import CdfStore

pytestmark = pytest.mark.gateway_only


@pytest.fixture(scope="module")
def gateway(target, tmp_path_factory):
    directory = tmp_path_factory.mktemp("first-version")
    with ConfiguredGateway(directory, target.cdf_url, user={"dialect": "1.0"}) as gateway:
        yield gateway


@pytest.fixture
def connection(gateway):
    with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
        yield connection


def test_points_and_raw_rows_are_written_by_their_old_names(connection, store, series, raw_database):
    connection.execute(
        "INSERT INTO datapoints (external_id, timestamp, value) VALUES (%s, '2026-01-01T00:00:00Z', 1.5)",
        (series,),
    )
    assert [value for _, value in store.points(series)] == [1.5]
    with connection.cursor().copy("COPY raw FROM STDIN (FORMAT csv)") as copy:
        copy.write(f'{raw_database},t,k,"{{""a"": 1}}"\n')
    done = connection.execute(
        'INSERT INTO raw (database, "table", key, columns) VALUES (%s, %s, %s, %s::json) RETURNING key, columns',
        (raw_database, "t", "k2", "{}"),
    )
    assert done.fetchall() == [("k2", {})]
    assert store.raw(raw_database, "t") == {"k": {"a": 1}, "k2": {}}


def test_a_legacy_name_is_dropped_with_a_notice(connection, store, series):
    notices = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    connection.execute(
        "INSERT INTO timeseries (legacy_name, external_id, name) VALUES ('old', %s, 'n')", (series,)
    )
    told = 'values for column "legacy_name" are ignored: CDF takes none'
    assert notices == [told]
    assert store.series(series)["name"] == "n"
    for change in ("legacy_name = 'older'", "legacy_name = 'older', unit = 'm'"):
        changed = connection.execute(f"UPDATE timeseries SET {change} WHERE external_id = %s", (series,))
        assert changed.rowcount == 1
    assert notices == [told] * 3
    assert store.series(series)["unit"] == "m"


def test_changes_by_key_and_returning_use_the_columns_of_the_version(connection, store, series):
    made = connection.execute(
        "INSERT INTO timeseries (name, unit, external_id) VALUES ('a', 'm', %s)"
        " ON CONFLICT (external_id) DO UPDATE SET unit = excluded.unit RETURNING id, unit, legacy_name",
        (series,),
    )
    assert made.fetchall() == [(store.series(series)["id"], "m", None)]
    changed = connection.execute(
        "UPDATE timeseries SET name = 'b' WHERE external_id = %s RETURNING name", (series,)
    )
    assert changed.fetchall() == [("b",)]
    assert store.series(series)["name"] == "b"
    connection.execute("DELETE FROM timeseries WHERE external_id = %s", (series,))
    assert store.series(series) is None


def test_files_have_the_columns_that_there_were(connection, target):
    name = unique("file")
    connection.execute(
        "INSERT INTO files (external_id, name, source, metadata) VALUES (%s, 'f', 's', '{\"k\": \"v\"}')"
        " ON CONFLICT (external_id) DO NOTHING",
        (name,),
    )
    made = target.store.client.files.retrieve(external_id=name)
    assert (made.name, made.source, made.metadata) == ("f", "s", {"k": "v"})
    changed = connection.execute(
        "INSERT INTO files (external_id, name, source, mime_type) VALUES (%s, 'f', 't', 'text/plain')"
        " ON CONFLICT (external_id) DO UPDATE SET source = excluded.source, mime_type = 'text/csv'",
        (name,),
    )
    assert changed.statusmessage == "INSERT 0 1"
    made = target.store.client.files.retrieve(external_id=name)
    assert (made.source, made.mime_type, made.metadata) == ("t", "text/csv", {"k": "v"})
    with pytest.raises(psycopg.errors.UndefinedColumn):
        connection.execute("INSERT INTO files (external_id, directory) VALUES ('a', '/d')")


@pytest.mark.parametrize("table", ["time_series", "double_datapoints", "raw_rows", "views"])
def test_names_of_version_2_are_unknown_and_the_hint_lists_the_others(connection, table):
    with pytest.raises(psycopg.errors.UndefinedTable) as caught:
        connection.execute(f"INSERT INTO {table} VALUES (NULL)")
    assert "timeseries" in caught.value.diag.message_hint


COMES_WITHIN_S = 60

# One for each shape that rows have in the journal, and one whose columns have other names today.
JOURNALED = {
    "timeseries": "INSERT INTO timeseries (name, external_id, is_string) VALUES ('n', '{name}', false)",
    "datapoints": "INSERT INTO datapoints (external_id, timestamp, value) VALUES ('{name}', '2026-01-01Z', 1.5)",
    "raw": """INSERT INTO raw (database, "table", key, columns) VALUES ('{name}', 't', 'k', '{{"a": 1}}')""",
    "files": "INSERT INTO files (external_id, name, source) VALUES ('{name}', 'f', 's')",
    "sequences": """INSERT INTO sequences (external_id, columns)
        VALUES ('{name}', '[{{"externalId": "c", "valueType": "LONG"}}]')""",
    "sequence_rows": """INSERT INTO sequence_rows (external_id, row_number, columns, row_values)
        VALUES ('{name}', 1, '{{c}}', '[7]')""",
}


def seen(store: CdfStore, name: str) -> dict:
    """What CDF has of the rows above."""
    client = store.client
    series, file = store.series(name), client.files.retrieve(external_id=name)
    sequence = client.sequences.retrieve(external_id=name)
    return {
        "timeseries": series and series.get("name"),
        "datapoints": [value for _, value in store.points(name)],
        "raw": store.raw(name, "t"),
        "files": file and (file.name, file.source),
        "sequences": sequence and sequence.columns[0].external_id,
        "sequence_rows": sequence
        and [row.values for row in client.sequences.data.retrieve(external_id=name).rows],
    }


def test_journaled_rows_are_read_back_by_whatever_name_they_were_written(tmp_path):
    cdf = LocalCdf(tmp_path / "cdf.log", "--project", PROJECT)
    emulator, name = Emulator(cdf.url), unique("journaled")
    settings = {
        "user": {"dialect": "1.0"},
        "journal": {"directory": str(tmp_path / "journal")},
        "retry": {"interval_max_ms": 500},
        "pacing": {"breaker_failures": 0},
    }
    emulator.inject(kind="status", status=503)
    gateway = ConfiguredGateway(tmp_path, cdf.url, **settings)
    with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
        connection.execute("SET penstock.ack = 'journaled'")
        for statement in JOURNALED.values():
            connection.execute(statement.format(name=name))
        gateway.process.kill()
    emulator.clear_faults()
    arrived = {
        "timeseries": "n",
        "datapoints": [1.5],
        "raw": {"k": {"a": 1}},
        "files": ("f", "s"),
        "sequences": "c",
        "sequence_rows": [[7]],
    }
    store, deadline = CdfStore(cdf.url, PROJECT), time.monotonic() + COMES_WITHIN_S
    with ConfiguredGateway(tmp_path, cdf.url, **settings) as gateway:
        while (found := seen(store, name)) != arrived:
            assert time.monotonic() < deadline, (found, gateway.process.log_tail())
            time.sleep(0.2)
    cdf.stop()


def test_rows_that_a_transaction_keeps_on_disk_are_read_back_by_their_old_names(tmp_path, target):
    store, name = target.store, unique("spooled")
    sections = {
        "transactions": {"staged_bytes_max": 65_536, "spool_directory": str(tmp_path / "spool")},
        "copy": {"batch_rows": 500},
    }
    (tmp_path / "spool").mkdir()
    with (
        ConfiguredGateway(tmp_path, target.cdf_url, user={"dialect": "1.0"}, **sections) as gateway,
        psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection,
    ):
        connection.execute(JOURNALED["sequences"].format(name=name))
        with connection.transaction():
            with connection.cursor().copy(
                "COPY sequence_rows (external_id, row_number, columns, row_values) FROM STDIN"
            ) as copy:
                for number in range(5_000):
                    copy.write_row((name, number, ["c"], f"[{number}]"))
            with urllib.request.urlopen(f"{gateway.http_url}/metrics", timeout=20) as answer:
                assert re.search(r"^penstock_spool_bytes [1-9]", answer.read().decode(), flags=re.MULTILINE)
    rows = store.client.sequences.data.retrieve(external_id=name).rows
    assert [(row.row_number, row.values) for row in rows] == [(number, [number]) for number in range(5_000)]


TABLES = {
    "assets",
    "datapoints",
    "events",
    "extraction_pipeline_runs",
    "extraction_pipelines",
    "files",
    "labels",
    "raw",
    "relationships",
    "sequence_rows",
    "sequences",
    "timeseries",
}


def has_table(connection, name: str) -> bool:
    """What SQLAlchemy asks before pandas writes a frame, with its parameters."""
    asked = connection.execute(
        "SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class"
        " JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace"
        " WHERE pg_catalog.pg_class.relname = %s::VARCHAR AND pg_catalog.pg_class.relkind = ANY"
        " (ARRAY[%s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR])"
        " AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid)"
        " AND pg_catalog.pg_namespace.nspname != %s::VARCHAR",
        (name, "r", "p", "f", "v", "m", "pg_catalog"),
    )
    return asked.fetchall() == [(name,)]


@pytest.mark.parametrize("table", sorted(TABLES))
def test_pandas_finds_the_tables_of_the_version(connection, table):
    assert has_table(connection, table)


@pytest.mark.parametrize("table", ["time_series", "double_datapoints", "raw_rows", "data_sets"])
def test_pandas_does_not_find_those_of_the_other_version(connection, table):
    assert not has_table(connection, table)


def test_the_tables_of_schema_public_are_those_of_the_version(connection):
    found = connection.execute(
        "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
        " ON n.oid = c.relnamespace WHERE n.nspname = current_schema()"
        " AND c.relkind = 'r'"
    ).fetchall()
    assert {name for (name,) in found} == TABLES


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("datapoints", ["value", "timestamp", "external_id", "id"]),
        ("raw", ["database", "table", "key", "columns"]),
        ("sequence_rows", ["row_values", "external_id", "id", "row_number", "columns"]),
    ],
)
def test_adbc_finds_the_columns_of_a_table_by_the_name_that_it_quotes(connection, table, columns):
    found = connection.execute(
        "SELECT attr.attname, attr.atttypid FROM pg_catalog.pg_attribute AS attr"
        " INNER JOIN pg_catalog.pg_class AS cls ON attr.attrelid = cls.oid"
        " INNER JOIN pg_catalog.pg_type AS typ ON attr.atttypid = typ.oid"
        " WHERE attr.attnum >= 0 AND cls.oid = %s::regclass::oid ORDER BY attr.attnum",
        (f'"public" . "{table}"',),
    ).fetchall()
    assert [name for name, _ in found] == columns


def test_a_probe_describes_its_columns_as_the_catalog_lists_them(connection):
    for table in sorted(TABLES):
        probed = connection.execute(f'SELECT * FROM "{table}" WHERE 1=0')
        described = [
            (column.name, probed.pgresult.ftable(place), probed.pgresult.ftablecol(place), column.type_code)
            for place, column in enumerate(probed.description)
        ]
        listed = connection.execute(
            "SELECT attname, attrelid, attnum, atttypid FROM pg_attribute"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 ORDER BY attnum",
            (table,),
        ).fetchall()
        assert [tuple(row) for row in listed] == described, table
        shown = connection.execute("SELECT %s::oid::regclass::text", (described[0][1],)).fetchone()
        assert shown == (table,)


def test_a_table_of_the_other_version_is_no_regclass(connection):
    assert connection.execute("SELECT to_regclass('public.time_series')").fetchone() == (None,)
    with pytest.raises(psycopg.errors.UndefinedTable) as caught:
        connection.execute("SELECT 'time_series'::regclass")
    assert "timeseries" in caught.value.diag.message_hint


async def copied_by_asyncpg(server, database: str) -> str:
    connection = await asyncpg.connect(**server.asyncpg())
    try:
        rows = [(database, "t", "k", '{"a": 2}')]
        return await connection.copy_records_to_table(
            "raw", records=rows, columns=["database", "table", "key", "columns"]
        )
    finally:
        await connection.close()


def test_asyncpg_copies_records_by_the_columns_that_it_probes(gateway, store, raw_database):
    assert asyncio.run(copied_by_asyncpg(gateway.server, raw_database)) == "COPY 1"
    assert store.raw(raw_database, "t") == {"k": {"a": 2}}


def test_npgsql_reads_the_schema_of_a_table_and_imports_into_it(gateway, store, series):
    from support.npgsql import Type, command, import_rows, opened

    at = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    types = [Type.Varchar, Type.TimestampTz, Type.Double]
    with opened(gateway.server, Pooling="false") as connection:
        reader = command(connection, "SELECT * FROM datapoints WHERE 1=0").ExecuteReader()
        names = [reader.GetName(place) for place in range(reader.FieldCount)]
        reader.Close()
        assert names == ["value", "timestamp", "external_id", "id"]
        copy = "COPY datapoints (external_id, timestamp, value) FROM STDIN (FORMAT BINARY)"
        assert import_rows(connection, copy, [(series, at, 2.5)], types) == 1
    assert [value for _, value in store.points(series)] == [2.5]
