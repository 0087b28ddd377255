"""COPY and plain INSERT of what exists: refused, changed or left out, as table or session ask."""

import psycopg
import pytest
from support.configured import ConfiguredGateway

pytestmark = pytest.mark.gateway_only


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        yield connection


def copy(connection, rows, columns="external_id, name") -> str:
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY time_series ({columns}) FROM STDIN (FORMAT csv)") as data:
            for row in rows:
                data.write(",".join(row) + "\n")
        return cursor.statusmessage


def test_a_session_may_let_copy_and_insert_change_what_exists(connection, store, series):
    copy(connection, [(series, "old")])
    connection.execute("SET penstock.on_duplicate = 'update'")
    assert copy(connection, [(series, "new"), (f"{series}-2", "made")]) == "COPY 2"
    assert store.series(series)["name"] == "new"
    assert store.series(f"{series}-2")["name"] == "made"
    done = connection.execute("INSERT INTO time_series (external_id, name) VALUES (%s, 'newer')", (series,))
    assert done.statusmessage == "INSERT 0 1"
    assert store.series(series)["name"] == "newer"
    connection.execute("RESET penstock.on_duplicate")
    with pytest.raises(psycopg.errors.UniqueViolation):
        copy(connection, [(series, "again")])


def test_a_session_may_leave_out_what_exists(connection, store, series):
    copy(connection, [(series, "old")])
    connection.execute("SET penstock.on_duplicate = 'ignore'")
    assert copy(connection, [(series, "new"), (f"{series}-2", "made")]) == "COPY 1"
    assert store.series(series)["name"] == "old"
    assert store.series(f"{series}-2")["name"] == "made"


def test_datapoints_are_overwritten_whatever_the_session_says(connection, store, series):
    connection.execute("SET penstock.on_duplicate = 'ignore'")
    for value in (1, 2):
        connection.execute(
            "INSERT INTO double_datapoints (external_id, timestamp, value)"
            " VALUES (%s, '2026-01-01T00:00:00Z', %s)",
            (series, value),
        )
    assert [value for _, value in store.points(series)] == [2.0]


def test_the_operator_chooses_by_table_and_may_drop_read_only_columns(tmp_path, target, store, series):
    tables = {
        "tables.time_series": {"on_duplicate": "update", "ignore_read_only_columns": True},
        "statements": {"delete_rows_max": 2},
    }
    with ConfiguredGateway(tmp_path, target.cdf_url, **tables) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            for name in ("first", "second"):
                rows = [("7", series, name, "2026-01-01T00:00:00Z")]
                assert copy(connection, rows, "id, external_id, name, created_time") == "COPY 1"
            assert store.series(series)["name"] == "second"
            connection.execute("SET penstock.on_duplicate = 'error'")
            with pytest.raises(psycopg.errors.UniqueViolation):
                copy(connection, [(series, "third")])
            with pytest.raises(psycopg.errors.ProgramLimitExceeded):
                connection.execute("DELETE FROM time_series WHERE id IN (1, 2, 3)")


def test_schema_cdf_is_known_to_the_catalog_and_takes_rows(connection):
    found = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 'data_sets'"
    ).fetchall()
    assert found == [("cdf", "data_sets")]
    assert connection.execute("SELECT 'cdf.data_sets'::regclass::text").fetchone() == ("cdf.data_sets",)
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("INSERT INTO data_sets (name) VALUES ('a')")
