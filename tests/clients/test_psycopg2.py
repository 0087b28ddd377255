"""psycopg2: literals in simple queries, its helpers for many rows, COPY from files."""

import io

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras
import pytest
from support.samples import moment, seconds

INSERT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"


@pytest.fixture
def connection(server):
    connection = psycopg2.connect(**server.keywords())
    yield connection
    connection.close()


@pytest.fixture
def cursor(connection):
    return connection.cursor()


def rows(series, count):
    return [(series, moment(n), n / 4) for n in range(count)]


def test_a_row_is_stored_at_commit_and_not_before(connection, cursor, store, series):
    cursor.execute(INSERT, (series, moment(0), 1.5))
    assert cursor.rowcount == 1
    assert connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_INTRANS
    assert store.points(series) == []
    connection.commit()
    assert connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE
    assert store.points(series) == seconds([1.5])


def test_executemany_sends_a_statement_a_row(connection, cursor, store, series):
    cursor.executemany(INSERT, rows(series, 50))
    connection.commit()
    assert store.points(series) == seconds(n / 4 for n in range(50))


def test_execute_batch_sends_many_statements_at_once(connection, cursor, store, series):
    psycopg2.extras.execute_batch(cursor, INSERT, rows(series, 350), page_size=100)
    connection.commit()
    assert store.points(series) == seconds(n / 4 for n in range(350))


def test_execute_values_sends_many_rows_in_one_statement(connection, cursor, store, series):
    statement = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES %s"
    psycopg2.extras.execute_values(cursor, statement, rows(series, 2500), page_size=1000)
    assert cursor.rowcount == 500
    connection.commit()
    assert store.points(series) == seconds(n / 4 for n in range(2500))


def test_copy_from_reads_tabs_and_nulls(connection, cursor, store, series):
    file = io.StringIO("".join(f"{series}\t\\N\t{moment(n).isoformat()}\t{n}\n" for n in range(3000)))
    cursor.copy_from(file, "double_datapoints", columns=("external_id", "id", "timestamp", "value"))
    assert cursor.rowcount == 3000
    connection.commit()
    assert store.points(series) == seconds(float(n) for n in range(3000))


def test_copy_from_takes_a_separator_and_a_null_marker_of_its_own(connection, cursor, store, series):
    file = io.StringIO(f"{series}|none|2026-11-01 00:00:00+00|1\n")
    columns = ("external_id", "id", "timestamp", "value")
    cursor.copy_from(file, "double_datapoints", sep="|", null="none", columns=columns)
    connection.commit()
    assert store.points(series) == seconds([1.0])


def test_copy_expert_reads_csv(connection, cursor, store, series):
    file = io.StringIO(
        f'when,id,value\n2026-11-01T00:00:00Z,"{series}",1.5\n2026-11-01T00:00:01Z,"{series}",-2\n'
    )
    cursor.copy_expert(
        'COPY "public"."double_datapoints" ("timestamp", "external_id", "value") FROM STDIN'
        " WITH (FORMAT CSV, DELIMITER ',', NULL '', HEADER TRUE, FORCE_NULL(\"value\"), ENCODING 'utf-8');",
        file,
    )
    connection.commit()
    assert store.points(series) == seconds([1.5, -2.0])


def test_a_copy_error_names_its_line(connection, cursor, store, series):
    file = io.StringIO(f"{series}\t2026-11-01Z\t1\n{series}\t2026-11-01Z\tnone\n")
    with pytest.raises(psycopg2.errors.InvalidTextRepresentation) as caught:
        cursor.copy_from(file, "double_datapoints", columns=("external_id", "timestamp", "value"))
    assert caught.value.diag.context == 'COPY double_datapoints, line 2, column value: "none"'
    assert connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_INERROR
    connection.rollback()
    assert store.points(series) == []


def test_reset_discards_everything_and_leaves_a_usable_session(connection, cursor, store, series):
    cursor.execute("SET timezone TO 'Asia/Tokyo'")
    cursor.execute(INSERT, (series, moment(0), 1.0))
    connection.reset()
    assert connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE
    cursor = connection.cursor()
    cursor.execute("SHOW timezone")
    assert cursor.fetchone() != ("Asia/Tokyo",)
    connection.rollback()
    assert store.points(series) == []


def test_an_autocommit_session_stores_each_statement(connection, store, series):
    connection.autocommit = True
    connection.cursor().execute(INSERT, (series, moment(0), 1.0))
    assert store.points(series) == seconds([1.0])


def test_isolation_level_and_access_mode_are_accepted(connection, store, series):
    connection.set_session(isolation_level="REPEATABLE READ", readonly=False)
    with connection, connection.cursor() as cursor:
        cursor.execute(INSERT, (series, moment(0), 1.0))
    assert store.points(series) == seconds([1.0])


def test_named_savepoints_keep_the_good_rows(connection, cursor, store, series):
    for second, value in enumerate([1.0, "two", 3.0]):
        cursor.execute("SAVEPOINT row_guard")
        try:
            cursor.execute(INSERT, (series, moment(second), value))
        except psycopg2.errors.InvalidTextRepresentation:
            cursor.execute("ROLLBACK TO SAVEPOINT row_guard")
        cursor.execute("RELEASE SAVEPOINT row_guard")
    connection.commit()
    assert [value for _, value in store.points(series)] == [1.0, 3.0]


def test_an_error_carries_code_and_table(connection, cursor):
    with pytest.raises(psycopg2.errors.UndefinedTable) as caught:
        cursor.execute("INSERT INTO nowhere VALUES (1)")
    assert caught.value.pgcode == "42P01"
    assert caught.value.diag.severity_nonlocalized == "ERROR"


def test_json_text_with_a_cast_is_stored(connection, cursor, store, raw_database):
    cursor.execute(
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES (%s, %s, %s, %s::json)",
        (raw_database, "t", "k", psycopg2.extras.Json({"a": "it's"})),
    )
    connection.commit()
    assert store.raw(raw_database, "t") == {"k": {"a": "it's"}}
