"""psycopg 3 with ordinary statements: parameters, transactions, prepared statements."""

import decimal
import json

import psycopg
import pytest
from psycopg.types.json import Json, Jsonb
from support.samples import moment, seconds

INSERT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords()) as connection:
        yield connection


def test_rows_are_stored_at_commit_and_not_before(connection, store, series):
    assert connection.execute(INSERT, (series, moment(0), 1.5)).rowcount == 1
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    assert store.points(series) == []
    connection.commit()
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert store.points(series) == seconds([1.5])


def test_rollback_discards_rows(connection, store, series):
    connection.execute(INSERT, (series, moment(0), 1.5))
    connection.rollback()
    assert store.points(series) == []


def test_autocommit_stores_each_statement(server, store, series):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        connection.execute(INSERT, (series, moment(0), 1.0))
        assert store.points(series) == seconds([1.0])


def test_small_integers_sent_as_int2_fit_bigint_and_double_columns(connection, store, series):
    identity = store.make_series(series)
    insert = "INSERT INTO double_datapoints (id, timestamp, value) VALUES (%s, %s, %s)"
    for second, value in enumerate([7, 70_000, 7_000_000_000, decimal.Decimal("0.25"), 0.5]):
        connection.execute(insert, (identity, moment(second), value))
    connection.commit()
    assert store.points(series) == seconds([7.0, 70_000.0, 7e9, 0.25, 0.5])


@pytest.mark.parametrize("wrap", [Json, Jsonb, json.dumps], ids=["json", "jsonb", "text of unknown type"])
def test_json_is_taken_in_each_type_that_the_client_declares(connection, store, raw_database, wrap):
    columns = {"a": [1, 2.5, None, "æ\u2028"], "b": {"c": True}}
    connection.execute(
        "INSERT INTO raw_rows VALUES (%s, %s, %s, %s)", (raw_database, "t", "k", wrap(columns))
    )
    connection.commit()
    assert store.raw(raw_database, "t") == {"k": columns}


def test_a_statement_is_prepared_on_its_sixth_use_and_goes_on_working(connection, store, series):
    for second in range(20):
        connection.execute(INSERT, (series, moment(second), second / 2))
    connection.commit()
    assert store.points(series) == seconds(second / 2 for second in range(20))


def test_a_prepared_statement_survives_a_rollback(connection, store, series):
    connection.execute(INSERT, (series, moment(0), 0.0), prepare=True)
    connection.rollback()
    connection.execute(INSERT, (series, moment(0), 1.0), prepare=True)
    connection.commit()
    assert store.points(series) == seconds([1.0])


def test_executemany_pipelines_rows_into_one_transaction(connection, store, series):
    with connection.cursor() as cursor:
        cursor.executemany(INSERT, [(series, moment(n), n / 4) for n in range(1500)])
        assert cursor.rowcount == 1500
    connection.commit()
    assert store.points(series) == seconds(n / 4 for n in range(1500))


def test_nested_transactions_are_savepoints(connection, store, series):
    with connection.transaction():
        connection.execute(INSERT, (series, moment(0), 0.0))
        with pytest.raises(psycopg.errors.InvalidTextRepresentation), connection.transaction():
            connection.execute(INSERT, (series, moment(1), 1.0))
            connection.execute("INSERT INTO double_datapoints (value) VALUES ('one')")
        with connection.transaction() as inner:
            connection.execute(INSERT, (series, moment(1), 2.0))
            raise psycopg.Rollback(inner)
        with connection.transaction():
            connection.execute(INSERT, (series, moment(1), 3.0))
    assert store.points(series) == seconds([0.0, 3.0])


def test_savepoints_of_any_name_release_and_roll_back(connection, store, series):
    connection.execute('SAVEPOINT "Odd; Näme"')
    connection.execute(INSERT, (series, moment(0), 0.0))
    connection.execute("SAVEPOINT s")
    connection.execute(INSERT, (series, moment(1), 1.0))
    connection.execute("SAVEPOINT s")
    connection.execute(INSERT, (series, moment(2), 2.0))
    connection.execute("ROLLBACK TO SAVEPOINT s")
    connection.execute("RELEASE s")
    connection.execute("ROLLBACK TRANSACTION TO s")
    connection.execute(INSERT, (series, moment(1), 9.0))
    connection.execute('RELEASE SAVEPOINT "Odd; Näme"')
    with pytest.raises(psycopg.errors.InvalidSavepointSpecification):
        connection.execute("ROLLBACK TO s")
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    connection.rollback()
    assert store.points(series) == []
    connection.execute(INSERT, (series, moment(0), 0.0))
    connection.execute("SAVEPOINT s")
    connection.execute(INSERT, (series, moment(1), 1.0))
    connection.execute("ROLLBACK TO s")
    connection.commit()
    assert store.points(series) == seconds([0.0])


def test_a_savepoint_outside_a_transaction_is_refused(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        with pytest.raises(psycopg.errors.NoActiveSqlTransaction):
            connection.execute("SAVEPOINT s")


def test_commit_of_a_failed_transaction_answers_rollback(connection, store, series):
    connection.execute(INSERT, (series, moment(0), 0.0))
    with pytest.raises(psycopg.errors.UndefinedColumn):
        connection.execute("INSERT INTO double_datapoints (nonsense) VALUES (1)")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute(INSERT, (series, moment(0), 0.0))
    assert connection.execute("COMMIT").statusmessage == "ROLLBACK"
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert store.points(series) == []


def test_text_keeps_every_character(connection, store, series):
    texts = ["", " ", "æøå", "日本語", "🏭", 'it\'s "quoted" \\ and\ttabbed\nlines', "x" * 255, "é" * 255]
    insert = "INSERT INTO string_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"
    for second, text in enumerate(texts):
        connection.execute(insert, (series, moment(second), text))
    connection.commit()
    assert store.points(series) == seconds(texts)


def test_doubles_keep_every_bit(connection, store, series):
    values = [0.1, 1 / 3, 0.0, 5e-324, 2**53 + 1.0, 1.7976931348623157e99, -9.999999999999999e99, 1e-310]
    for second, value in enumerate(values):
        connection.execute(INSERT, (series, moment(second), value))
    connection.commit()
    assert [repr(value) for _, value in store.points(series)] == [repr(value) for value in values]


def test_a_dropped_connection_commits_nothing(server, store, series):
    connection = psycopg.connect(**server.keywords())
    connection.execute(INSERT, (series, moment(0), 0.0))
    connection.close()
    with psycopg.connect(**server.keywords()) as other:
        other.execute("SELECT 1")
    assert store.points(series) == []
