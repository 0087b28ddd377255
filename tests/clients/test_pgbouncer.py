"""PgBouncer 1.18 in transaction mode: many clients share few connections of the gateway's."""

import concurrent.futures
import threading

import psycopg
import psycopg2
import pytest
from psycopg.types.json import Json
from support import every_type
from support.every_type import VALUES, with_json_read
from support.pgbouncer import PgBouncer
from support.psql import psql
from support.samples import moment, seconds, unique
from support.silence import END_WHEN_SILENT, until_one_is_ended

INSERT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"
SERVERS = 2


@pytest.fixture(scope="module")
def target(typed_target):
    return typed_target


@pytest.fixture(scope="module")
def bouncer(target):
    bouncer = PgBouncer(target.server, SERVERS)
    yield bouncer
    bouncer.stop()


def connect(bouncer, **more):
    """As PgBouncer before 1.21 wants it: without statements that are prepared by name."""
    return psycopg.connect(**bouncer.server.keywords(**more), prepare_threshold=None)


def test_clients_connect_through_it(bouncer):
    with connect(bouncer) as connection:
        row = connection.execute("SELECT current_user, current_database()").fetchone()
        assert row == (bouncer.server.user, bouncer.server.database)
        assert connection.info.parameter_status("server_version")
    assert psql(bouncer.server, "-c", "SELECT 1").lines == ["1"]


def test_more_clients_than_connections_lose_nothing(bouncer, store, series):
    clients, rows = 12, 20

    def write(client):
        with connect(bouncer) as connection:
            for row in range(rows):
                connection.execute(INSERT, (series, moment(client * rows + row), float(row)))
                connection.commit()
                process = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
                connection.rollback()
        return process

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        processes = set(pool.map(write, range(clients)))
    assert store.points(series) == seconds(float(n % rows) for n in range(clients * rows))
    assert len(processes) <= SERVERS


def test_rows_are_copied_through_it(bouncer, store, series):
    with connect(bouncer) as connection:
        copy = "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
        with connection.cursor().copy(copy) as writing:
            for n in range(5000):
                writing.write_row((series, moment(n), float(n)))
        assert store.points(series) == []
    assert store.points(series) == seconds(float(n) for n in range(5000))


def test_a_pipeline_goes_through_it(bouncer, store, series):
    with connect(bouncer) as connection:
        connection.cursor().executemany(INSERT, [(series, moment(n), float(n)) for n in range(500)])
    assert store.points(series) == seconds(float(n) for n in range(500))


def test_transactions_commit_and_roll_back_whoever_has_the_connection_next(bouncer, store, series):
    with connect(bouncer) as one, connect(bouncer) as other:
        one.execute(INSERT, (series, moment(0), 1.0))
        other.execute(INSERT, (series, moment(1), 2.0))
        one.rollback()
        other.commit()
        one.execute(INSERT, (series, moment(0), 3.0))
        one.commit()
    assert store.points(series) == seconds([3.0, 2.0])


def test_a_client_that_leaves_in_a_transaction_discards_it_and_the_connection_is_not_soiled(
    bouncer, store, series
):
    for _ in range(SERVERS + 1):
        client = connect(bouncer)
        client.execute(INSERT, (series, moment(0), 1.0))
        client.close()
    with connect(bouncer) as connection:
        connection.execute(INSERT, (series, moment(1), 2.0))
    assert [value for _, value in store.points(series)] == [2.0]


def test_settings_that_it_follows_go_with_the_client(bouncer):
    with (
        connect(bouncer, options="") as one,
        psycopg2.connect(**bouncer.server.keywords(application_name="other")) as other,
    ):
        one.execute("SET TimeZone TO 'Asia/Tokyo'")
        one.commit()
        for _ in range(4):
            assert one.execute("SHOW TimeZone").fetchone() == ("Asia/Tokyo",)
            one.rollback()
            cursor = other.cursor()
            cursor.execute("SHOW TimeZone")
            assert cursor.fetchone() != ("Asia/Tokyo",)
            other.rollback()
    other.close()


def test_errors_come_through_it_and_the_client_goes_on(bouncer):
    with connect(bouncer, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("INSERT INTO nowhere VALUES (1)")
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1 / (n - n) FROM generate_series(1, 2) AS n")
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.gateway_only
def test_a_statement_is_cancelled_through_it(bouncer, emulator, series):
    emulator.inject(operation="datapoints.insert", kind="delay", delay_ms=5_000)
    with connect(bouncer, autocommit=True) as connection:

        def cancel():
            emulator.await_in_flight("datapoints.insert")
            connection.cancel()

        canceller = threading.Thread(target=cancel)
        canceller.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(INSERT, (series, moment(0), 1.0))
        canceller.join()
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.gateway_only
def test_it_replaces_a_connection_that_the_server_ended_unseen_by_the_client(bouncer, target):
    with connect(bouncer, autocommit=True) as connection:
        with until_one_is_ended(target.process):
            connection.execute(END_WHEN_SILENT)
        for _ in range(2 * SERVERS):
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_each_type_is_read_back_through_it(bouncer):
    key = unique("pgbouncer")
    values = VALUES | {"a_json": Json(VALUES["a_json"]), "jsons": [Json(value) for value in VALUES["jsons"]]}
    with connect(bouncer) as connection:
        connection.execute(every_type.insert(*["%s"] * (len(values) + 1)), [key, *values.values()])
        connection.commit()
        row = connection.execute(every_type.select("%s"), [key]).fetchone()
    assert with_json_read(row) == VALUES
