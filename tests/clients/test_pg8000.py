"""pg8000: a pure Python driver that flushes after every message and copies in the extended
protocol, with the Sync sent before the data."""

import io

import pg8000.native
import pytest
from support.samples import moment, seconds

INSERT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (:series, :time, :value)"
COPY = "COPY double_datapoints (external_id, timestamp, value) FROM STDIN WITH (FORMAT CSV)"


@pytest.fixture
def connection(server):
    connection = pg8000.native.Connection(**server.asyncpg())
    yield connection
    connection.close()


def test_rows_with_parameters_are_stored(connection, store, series):
    for second in range(5):
        connection.run(INSERT, series=series, time=moment(second), value=second / 2)
    assert store.points(series) == seconds(n / 2 for n in range(5))


def test_a_statement_prepared_once_runs_many_times(connection, store, series):
    statement = connection.prepare(INSERT)
    for second in range(20):
        statement.run(series=series, time=moment(second), value=float(second))
    statement.close()
    assert store.points(series) == seconds(float(n) for n in range(20))


def test_a_copy_in_the_extended_protocol_arrives(connection, store, series):
    lines = "".join(f"{series},{moment(n).isoformat()},{n}\n" for n in range(3000))
    connection.run(COPY, stream=io.StringIO(lines))
    assert connection.row_count == 3000
    assert store.points(series) == seconds(float(n) for n in range(3000))
    assert connection.run("SELECT 1") == [[1]]


def test_a_failed_copy_in_the_extended_protocol_leaves_the_session_in_step(connection, store, series):
    with pytest.raises(pg8000.exceptions.DatabaseError) as caught:
        connection.run(COPY, stream=io.StringIO(f"{series},2026-11-01Z,one\n"))
    assert caught.value.args[0]["C"] == "22P02"
    assert connection.run("SELECT 1") == [[1]]
    assert store.points(series) == []


def test_transactions_commit_and_roll_back(connection, store, series):
    connection.run("BEGIN TRANSACTION")
    connection.run(INSERT, series=series, time=moment(0), value=1.0)
    connection.run("ROLLBACK")
    connection.run("START TRANSACTION")
    connection.run(INSERT, series=series, time=moment(0), value=2.0)
    assert store.points(series) == []
    connection.run("COMMIT")
    assert store.points(series) == seconds([2.0])
