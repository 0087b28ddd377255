"""A transaction reads what it wrote, before CDF has any of it."""

import contextlib

import psycopg
import pytest
from support.configured import ConfiguredGateway
from support.local_cdf import LocalCdf
from support.samples import unique

pytestmark = pytest.mark.gateway_only

NAMES = "SELECT external_id, name FROM assets WHERE external_id LIKE %s ORDER BY external_id"


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords()) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def prefix(server):
    """Of three assets in CDF: Pump 1, 2 and 3."""
    prefix = unique("staged")
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        for number in (1, 2, 3):
            connection.execute(
                "INSERT INTO assets (external_id, name, description) VALUES (%s, %s, 'old')",
                [f"{prefix}-{number}", f"Pump {number}"],
            )
    return prefix


def names(connection, prefix) -> dict[str, str]:
    rows = connection.execute(NAMES, [f"{prefix}-%"]).fetchall()
    return {external_id.removeprefix(f"{prefix}-"): name for external_id, name in rows}


def test_inserted_changed_and_deleted_rows_are_seen_in_the_order_of_the_statements(connection, prefix):
    connection.execute("INSERT INTO assets (external_id, name) VALUES (%s, 'Pump 4')", [f"{prefix}-4"])
    connection.execute("UPDATE assets SET name = 'Two' WHERE external_id = %s", [f"{prefix}-2"])
    connection.execute("DELETE FROM assets WHERE external_id = %s", [f"{prefix}-1"])
    assert names(connection, prefix) == {"2": "Two", "3": "Pump 3", "4": "Pump 4"}
    connection.execute("UPDATE assets SET name = 'Four' WHERE external_id = %s", [f"{prefix}-4"])
    connection.execute("DELETE FROM assets WHERE external_id = %s", [f"{prefix}-2"])
    assert names(connection, prefix) == {"3": "Pump 3", "4": "Four"}
    connection.commit()
    # CDF has come to the same.
    assert names(connection, prefix) == {"3": "Pump 3", "4": "Four"}


def test_a_change_brings_a_row_into_a_condition_that_it_did_not_meet(connection, prefix):
    connection.execute("UPDATE assets SET name = %s WHERE external_id = %s", [prefix, f"{prefix}-2"])
    row = connection.execute(
        "SELECT external_id, description FROM assets WHERE name = %s", [prefix]
    ).fetchone()
    assert row == (f"{prefix}-2", "old")
    assert connection.execute("SELECT count(*) FROM assets WHERE name = %s LIMIT 1", [prefix]).fetchone() == (
        1,
    )


def test_on_conflict_makes_or_changes_as_it_will_in_cdf(connection, prefix):
    for number in ("1", "5"):
        connection.execute(
            "INSERT INTO assets (external_id, name, description) VALUES (%s, %s, 'new') ON CONFLICT (external_id)"
            " DO UPDATE SET name = excluded.name, source = 'a constant'",
            [f"{prefix}-{number}", f"Upserted {number}"],
        )
    for number in ("2", "6"):
        connection.execute(
            "INSERT INTO assets (external_id, name) VALUES (%s, 'Missing') ON CONFLICT DO NOTHING",
            [f"{prefix}-{number}"],
        )
    question = "SELECT right(external_id, 1), name, description, source FROM assets WHERE external_id LIKE %s ORDER BY 1"
    seen = connection.execute(question, [f"{prefix}-%"]).fetchall()
    assert seen == [
        ("1", "Upserted 1", "old", "a constant"),
        ("2", "Pump 2", "old", None),
        ("3", "Pump 3", "old", None),
        ("5", "Upserted 5", "new", None),
        ("6", "Missing", None, None),
    ]
    connection.commit()
    assert connection.execute(question, [f"{prefix}-%"]).fetchall() == seen


def test_a_rollback_takes_back_what_was_seen(connection, prefix):
    connection.execute("SAVEPOINT here")
    connection.execute("DELETE FROM assets WHERE external_id = %s", [f"{prefix}-1"])
    assert set(names(connection, prefix)) == {"2", "3"}
    connection.execute("ROLLBACK TO here")
    assert set(names(connection, prefix)) == {"1", "2", "3"}
    connection.execute("UPDATE assets SET name = 'gone' WHERE external_id = %s", [f"{prefix}-1"])
    connection.rollback()
    assert names(connection, prefix)["1"] == "Pump 1"


def test_values_of_all_kinds_are_seen_as_they_were_written(connection, prefix):
    values = ["tab\there \\ line\nbreak é", '{"a \\" b": "c"}']
    connection.execute(
        "INSERT INTO assets (external_id, name, description, metadata) VALUES (%s, 'n', %s, %s)",
        [f"{prefix}-7", values[0], values[1]],
    )
    row = connection.execute(
        "SELECT description, metadata ->> 'a \" b' FROM assets WHERE external_id = %s", [f"{prefix}-7"]
    ).fetchone()
    assert row == (values[0], "c")
    connection.execute(
        "INSERT INTO events (external_id, start_time, asset_ids) VALUES (%s, '2026-11-01 12:00:00.125+02', '{1,2}')",
        [f"{prefix}-e"],
    )
    row = connection.execute(
        "SELECT start_time = '2026-11-01 10:00:00.125Z', asset_ids FROM events WHERE external_id = %s",
        [f"{prefix}-e"],
    ).fetchone()
    assert row == (True, [1, 2])


def test_datapoints_of_a_load_are_seen_and_deleted_ranges_are_not(server, connection, series):
    with psycopg.connect(**server.keywords(autocommit=True)) as other:
        other.execute(
            "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES"
            " (%s, '2026-11-01 00:00:00Z', 1), (%s, '2026-11-01 00:00:01Z', 2)",
            [series, series],
        )
    with connection.cursor().copy(
        "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
    ) as copy:
        for second in range(1, 10):
            copy.write_row([series, f"2026-11-01 00:00:0{second}Z", second * 10])
    question = "SELECT count(*), min(value), max(value) FROM double_datapoints WHERE external_id = %s"
    assert connection.execute(question, [series]).fetchone() == (10, 1.0, 90.0)
    connection.execute(
        "DELETE FROM double_datapoints WHERE external_id = %s AND timestamp >= '2026-11-01 00:00:05Z'"
        " AND timestamp < '2026-11-01 00:00:08Z'",
        [series],
    )
    assert connection.execute(question, [series]).fetchone() == (7, 1.0, 90.0)
    connection.commit()
    assert connection.execute(question, [series]).fetchone() == (7, 1.0, 90.0)


def test_raw_rows_are_seen(connection, raw_database):
    insert = (
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES (%s, 't', %s, %s)"
    )
    connection.execute(insert, [raw_database, "a", '{"x": 1}'])
    connection.execute(insert, [raw_database, "a", '{"x": 2}'])
    connection.execute(insert, [raw_database, "b", "{}"])
    rows = connection.execute(
        "SELECT _raw_key, _raw_columns ->> 'x' FROM raw_rows WHERE _raw_database = %s AND _raw_table = 't'"
        " ORDER BY 1",
        [raw_database],
    ).fetchall()
    assert rows == [("a", "2"), ("b", None)]


def test_rows_that_cannot_be_laid_over_others_are_not_passed_over(connection, series):
    connection.execute("INSERT INTO double_datapoints (id, timestamp, value) VALUES (4711, now(), 1)")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="same transaction"):
        connection.execute("SELECT count(*) FROM double_datapoints WHERE external_id = %s", [series])


def test_rows_that_wait_on_disk_are_seen_as_well(tmp_path):
    with contextlib.ExitStack() as stack:
        cdf = LocalCdf(tmp_path / "cdf.log")
        stack.callback(cdf.stop)
        gateway = stack.enter_context(
            ConfiguredGateway(
                tmp_path,
                cdf.url,
                {"token": "any"},
                transactions={"staged_bytes_max": 100_000, "spool_directory": "spool"},
            )
        )
        connection = stack.enter_context(psycopg.connect(**gateway.server.keywords()))
        with connection.cursor().copy("COPY events (external_id, type) FROM STDIN") as copy:
            for number in range(25_000):
                copy.write_row([f"e{number}", "a" if number % 2 else "b"])
        connection.execute("DELETE FROM events WHERE external_id = 'e1'")
        question = "SELECT type, count(*) FROM events GROUP BY type ORDER BY type"
        assert connection.execute(question).fetchall() == [("a", 12_499), ("b", 12_500)]
        connection.rollback()
        assert connection.execute(question).fetchall() == []
