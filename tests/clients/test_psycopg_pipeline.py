"""psycopg 3 pipelines: order, errors in the middle, one transaction from Sync to Sync."""

import psycopg
import pytest
from support.samples import moment, seconds

INSERT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        yield connection


def test_statements_of_a_pipeline_are_answered_in_order(connection, store, series):
    with connection.pipeline():
        cursors = [connection.execute(INSERT, (series, moment(n), n / 2)) for n in range(900)]
        probe = connection.execute("SELECT 1")
    assert [cursor.rowcount for cursor in cursors] == [1] * 900
    assert probe.fetchone() == (1,)
    assert store.points(series) == seconds(n / 2 for n in range(900))


def test_an_error_skips_the_rest_up_to_sync_and_discards_what_came_before(connection, store, series):
    with pytest.raises(psycopg.errors.InvalidTextRepresentation), connection.pipeline():
        connection.execute(INSERT, (series, moment(0), 1.0))
        connection.execute(INSERT, (series, moment(1), "one"))
        connection.execute(INSERT, (series, moment(2), 3.0))
    assert store.points(series) == []
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_each_sync_ends_a_transaction_of_its_own(connection, store, series):
    with connection.pipeline() as pipeline:
        connection.execute(INSERT, (series, moment(0), 1.0))
        pipeline.sync()
        assert store.points(series) == seconds([1.0])
    # psycopg may read an error before it sends its Sync, so each pipeline ends by itself.
    with pytest.raises(psycopg.errors.UndefinedTable), connection.pipeline():
        connection.execute("INSERT INTO nowhere VALUES (1)")
        connection.execute(INSERT, (series, moment(1), 2.0))
    with connection.pipeline() as pipeline:
        connection.execute(INSERT, (series, moment(1), 3.0))
        pipeline.sync()
    assert store.points(series) == seconds([1.0, 3.0])


def test_a_transaction_inside_a_pipeline_commits_when_it_is_told(connection, store, series):
    with connection.pipeline(), connection.transaction():
        for n in range(10):
            connection.execute(INSERT, (series, moment(n), float(n)))
    assert store.points(series) == seconds(float(n) for n in range(10))


def test_a_failed_transaction_inside_a_pipeline_stores_nothing(connection, store, series):
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        with connection.pipeline(), connection.transaction():
            connection.execute(INSERT, (series, moment(0), 1.0))
            connection.execute("INSERT INTO double_datapoints (id) VALUES (99999999999999999999)")
            connection.execute(INSERT, (series, moment(1), 2.0))
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert store.points(series) == []


def test_executemany_inside_a_pipeline_keeps_its_place(connection, store, series):
    with connection.pipeline(), connection.cursor() as cursor:
        cursor.execute(INSERT, (series, moment(0), 1.0))
        cursor.executemany(INSERT, [(series, moment(n), n + 1.0) for n in range(1, 50)])
    assert store.points(series) == seconds(n + 1.0 for n in range(50))


def test_a_long_pipeline_does_not_block_while_answers_wait(connection, store, series):
    # Far more than the socket buffers of both sides hold.
    text = "x" * 250
    insert = "INSERT INTO string_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"
    with connection.pipeline():
        for n in range(20_000):
            connection.execute(insert, (series, moment(n), text))
    assert len(store.points(series)) == 20_000
