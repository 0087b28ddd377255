"""Transactions larger than memory, savepoints over them, and those that stream."""

import os
import time
import urllib.request

import psycopg
import pytest
from support.configured import ConfiguredGateway
from support.gateway import Gateway
from support.samples import moment, seconds

INSERT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"
COPY = "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
# Memory for one batch of 1,000 points; every batch is 16 kB on disk.
SMALL = {"staged_bytes_max": 50_000, "staged_bytes_max_total": 100_000}
BATCHES = {"batch_rows": 1000}


def copy(connection, series, rows):
    lines = (f"{series}\t{moment(row).isoformat()}\t{row}\n" for row in rows)
    with connection.cursor().copy(COPY) as to:
        for line in lines:
            to.write(line)


def gauge(gateway, name):
    with urllib.request.urlopen(f"{gateway.http_url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("cdf") / "behind.log", "--create-missing-time-series")
    yield gateway
    gateway.stop()


@pytest.fixture
def spooling(behind, tmp_path):
    transactions = SMALL | {"spool_directory": "spool"}
    with ConfiguredGateway(tmp_path, behind.cdf_url, transactions=transactions, copy=BATCHES) as gateway:
        yield gateway


@pytest.fixture
def large(spooling):
    with psycopg.connect(**spooling.server.keywords()) as connection:
        yield connection


@pytest.mark.gateway_only
def test_a_transaction_of_many_times_the_memory_waits_on_disk_for_its_commit(
    large, spooling, behind, series, tmp_path
):
    copy(large, series, range(50_000))
    assert gauge(spooling, "penstock_staged_bytes") <= SMALL["staged_bytes_max"]
    assert gauge(spooling, "penstock_spool_bytes") > 10 * SMALL["staged_bytes_max"]
    assert os.listdir(tmp_path / "spool") == [], "a file that waits has no name"
    assert behind.store.points(series) == []
    large.commit()
    assert behind.store.points(series) == seconds([float(row) for row in range(50_000)])
    assert gauge(spooling, "penstock_staged_bytes") == 0
    assert gauge(spooling, "penstock_spool_bytes") == 0


@pytest.mark.gateway_only
def test_savepoints_reach_rows_on_disk(large, behind, series):
    copy(large, series, range(5000))
    with pytest.raises(psycopg.errors.UndefinedTable), large.transaction():
        copy(large, series, range(5000, 10_000))
        large.execute("INSERT INTO nowhere VALUES (1)")
    with large.transaction():
        copy(large, series, range(10_000, 12_000))
    large.commit()
    rows = [*range(5000), *range(10_000, 12_000)]
    assert [value for _, value in behind.store.points(series)] == rows


@pytest.mark.gateway_only
def test_rollback_and_a_client_that_goes_leave_nothing_on_disk(large, spooling, behind, series):
    copy(large, series, range(20_000))
    large.rollback()
    assert gauge(spooling, "penstock_spool_bytes") == 0
    copy(large, series, range(20_000))
    large.close()
    while gauge(spooling, "penstock_connections_open") > 0:
        time.sleep(0.01)
    assert gauge(spooling, "penstock_spool_bytes") == 0
    assert behind.store.points(series) == []


@pytest.mark.gateway_only
def test_a_full_disk_fails_the_statement_with_53100_and_spares_what_a_savepoint_holds(
    behind, tmp_path, series
):
    # A file of the process may have 64 kB: the system says so as a full disk would.
    under = ("bash", "-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "bash")
    with ConfiguredGateway(
        tmp_path,
        behind.cdf_url,
        under=under,
        transactions=SMALL | {"spool_directory": "spool"},
        copy=BATCHES,
        logs={"filter": "warn"},
    ) as gateway:
        with psycopg.connect(**gateway.server.keywords()) as connection:
            copy(connection, series, range(3000))
            connection.execute("SAVEPOINT before")
            with pytest.raises(psycopg.errors.DiskFull) as caught:
                copy(connection, series, range(3000, 20_000))
            assert "rows wait" in caught.value.diag.message_detail
            assert "spool_directory" in caught.value.diag.message_hint
            connection.execute("ROLLBACK TO before")
            connection.execute(INSERT, (series, moment(3000), 3000))
            connection.commit()
    assert [value for _, value in behind.store.points(series)] == list(range(3001))


@pytest.mark.gateway_only
def test_a_staged_copy_writes_nothing_after_a_bad_line(behind, tmp_path, series):
    with ConfiguredGateway(
        tmp_path,
        behind.cdf_url,
        user={"copy": "staged"},
        transactions=SMALL | {"spool_directory": "spool"},
        copy=BATCHES,
    ) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            with pytest.raises(psycopg.errors.InvalidDatetimeFormat) as caught:
                with connection.cursor().copy(COPY) as to:
                    for row in range(20_000):
                        to.write(f"{series}\t{moment(row).isoformat()}\t{row}\n")
                    to.write(f"{series}\tyesterday evening\t1\n")
            assert "line 20001" in caught.value.diag.context
            assert behind.store.points(series) == []
            copy(connection, series, range(20_000))
            assert len(behind.store.points(series)) == 20_000


@pytest.mark.gateway_only
def test_a_streaming_transaction_writes_at_once_and_warns_at_rollback(behind, tmp_path, series):
    notices = []
    with ConfiguredGateway(tmp_path, behind.cdf_url, user={"transaction": "streaming"}) as gateway:
        with psycopg.connect(**gateway.server.keywords()) as connection:
            connection.add_notice_handler(
                lambda notice: notices.append((notice.sqlstate, notice.message_detail))
            )
            copy(connection, series, range(5))
            with connection.cursor() as cursor:
                cursor.executemany(INSERT, [(series, moment(row), row) for row in range(5, 10)])
            assert len(behind.store.points(series)) == 10
            connection.rollback()
            assert notices == [("01000", "10 rows of the transaction are in CDF and stay there.")]
            # Its own choice, for the block that has begun with it.
            connection.execute("SET penstock.transaction = 'staged'")
            connection.execute(INSERT, (series, moment(99), 99))
            connection.rollback()
    assert len(behind.store.points(series)) == 10
    assert len(notices) == 1


def test_names_of_savepoints_nest_and_are_used_again(server, store, series):
    with psycopg.connect(**server.keywords()) as connection:
        insert = iter(range(10))

        def put():
            connection.execute(INSERT, (series, moment(next(insert)), 1.0))

        put()
        connection.execute("SAVEPOINT s")
        put()
        connection.execute("SAVEPOINT s")
        put()
        connection.execute("ROLLBACK TO s")
        put()
        connection.execute("RELEASE s")
        # The older one has its name back.
        connection.execute("ROLLBACK TO s")
        put()
        connection.execute("RELEASE SAVEPOINT s")
        with pytest.raises(psycopg.errors.InvalidSavepointSpecification):
            connection.execute("ROLLBACK TO s")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SAVEPOINT t")
        connection.rollback()
        assert store.points(series) == []
        put()
        connection.execute("SAVEPOINT s")
        for wrong in ("selekt", "RELEASE nobody"):
            with pytest.raises(psycopg.Error):
                connection.execute(wrong)
            connection.execute("ROLLBACK TO s")
        put()
        connection.commit()
    assert [value for _, value in store.points(series)] == [1.0, 1.0]


def test_rollback_within_a_query_of_many_statements_takes_back_those_before_it(server, store, series):
    point = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ('{}', '{}', {})"
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        first = point.format(series, moment(0).isoformat(), 0)
        second = point.format(series, moment(1).isoformat(), 1)
        connection.execute(f"{first}; ROLLBACK; {second}")
    assert store.points(series) == [(seconds([0, 1])[1][0], 1.0)]
