"""CDF in trouble: throttling, outages, lost answers, refusals. Nothing acknowledged is lost."""

import threading
import time

import psycopg
import pytest
from support.samples import moment, seconds

pytestmark = pytest.mark.gateway_only

COPY = "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
POINT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        yield connection


def copy_points(connection, series, count):
    with connection.cursor() as cursor:
        with cursor.copy(COPY) as copy:
            copy.write("".join(f"{series}\t{moment(n):%Y-%m-%d %H:%M:%S+00}\t{n}\n" for n in range(count)))
        return cursor.rowcount


TROUBLE = {
    "429": {"kind": "status", "status": 429},
    "429 with Retry-After": {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
    "503": {"kind": "status", "status": 503},
    "502": {"kind": "status", "status": 502},
    "504 after the write": {"kind": "status", "status": 504, "after_commit": True},
    "reset before the write": {"kind": "reset_before_commit"},
    "500 that may be repeated": {
        "kind": "status",
        "status": 500,
        "headers": {"cdf-is-auto-retryable": "true"},
    },
}


@pytest.mark.parametrize("name", TROUBLE)
def test_passing_trouble_costs_time_and_no_rows(connection, store, emulator, series, name):
    emulator.inject(operation="datapoints.insert", count=3, **TROUBLE[name])
    assert copy_points(connection, series, 30_000) == 30_000
    assert emulator.fault_hits() == 3
    assert store.points(series) == seconds(float(n) for n in range(30_000))


def test_an_answer_lost_after_the_write_is_asked_for_again(connection, store, emulator, series):
    emulator.inject(operation="datapoints.insert", kind="reset_after_commit", count=1)
    connection.execute(POINT, (series, moment(0), 1.0))
    connection.execute(POINT, (series, moment(0), 2.0))
    assert emulator.fault_hits() == 1
    assert store.points(series) == seconds([2.0])


def test_retry_after_is_honoured(connection, store, emulator, series):
    store.make_series(series)
    since = emulator.next_sequence()
    emulator.inject(
        operation="datapoints.insert", kind="status", status=429, headers={"Retry-After": "2"}, count=1
    )
    connection.execute(POINT, (series, moment(0), 1.0))
    refused, accepted = emulator.requests("datapoints.insert", since)
    assert (refused["status"], accepted["status"]) == (429, 200)
    assert accepted["started_us"] - refused["ended_us"] >= 1_900_000


def test_half_written_raw_rows_are_completed(connection, store, emulator, raw_database):
    emulator.inject(operation="raw.rows.insert", kind="partial_write", status=503, rows=100, count=1)
    with connection.cursor().copy(
        "COPY raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) FROM STDIN"
    ) as copy:
        for n in range(1000):
            copy.write_row((raw_database, "t", f"k{n}", f'{{"n": {n}}}'))
    assert store.raw(raw_database, "t") == {f"k{n}": {"n": n} for n in range(1000)}


def test_nothing_is_acknowledged_while_cdf_has_not_answered(server, store, emulator, series):
    emulator.inject(operation="datapoints.insert", kind="delay", delay_ms=1500, count=1)
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        begun = time.monotonic()
        connection.execute(POINT, (series, moment(0), 1.0))
        assert time.monotonic() - begun >= 1.4
    assert store.points(series) == seconds([1.0])


def test_a_refused_token_is_told_as_28000_and_the_session_lives(connection, store, emulator, series):
    emulator.inject(operation="datapoints.insert", kind="status", status=401)
    with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification):
        connection.execute(POINT, (series, moment(0), 1.0))
    emulator.clear_faults()
    connection.execute(POINT, (series, moment(0), 2.0))
    assert store.points(series) == seconds([2.0])


def test_a_missing_right_is_told_as_42501(connection, emulator, series):
    emulator.inject(
        operation="datapoints.insert",
        kind="status",
        status=403,
        body={"error": "Resource not found. This may also be due to insufficient access rights."},
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        connection.execute(POINT, (series, moment(0), 1.0))
    assert "insufficient access rights" in str(caught.value)


def test_a_refusal_shows_cdfs_words_and_the_id_of_the_request(connection, emulator, series):
    since = emulator.next_sequence()
    emulator.inject(
        operation="raw.rows.insert", kind="status", status=400, message="The moon is in the wrong phase"
    )
    with pytest.raises(psycopg.Error) as caught:
        connection.execute("INSERT INTO raw_rows VALUES ('db', 't', %s, '{}')", (series,))
    assert "The moon is in the wrong phase" in str(caught.value)
    [refused] = emulator.requests("raw.rows.insert", since)[:1]
    assert refused["request_id"] in caught.value.diag.message_detail


def test_a_rejected_row_is_named_and_the_others_are_written(connection, store, emulator, raw_database):
    # Answered so for every request that holds the bad key's table, and for no other.
    emulator.inject(
        operation="raw.rows.insert",
        path_contains="/tables/bad/",
        kind="status",
        status=400,
        message="No such luck",
    )
    with pytest.raises(psycopg.Error) as caught:
        with connection.cursor().copy(
            "COPY raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) FROM STDIN"
        ) as copy:
            for n in range(100):
                copy.write_row((raw_database, "bad" if n == 41 else "good", f"k{n}", "{}"))
    assert "No such luck" in str(caught.value)
    assert "99" in caught.value.diag.message_detail
    assert len(store.raw(raw_database, "good")) == 99


def test_a_failed_commit_says_so_and_is_never_a_serialization_failure(server, store, emulator, series):
    emulator.inject(operation="datapoints.insert", kind="status", status=403)
    with psycopg.connect(**server.keywords()) as connection:
        connection.execute(POINT, (series, moment(0), 1.0))
        with pytest.raises(psycopg.Error) as caught:
            connection.commit()
        assert caught.value.sqlstate == "42501"
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert store.points(series) == []


def test_the_trouble_of_one_resource_does_not_hold_up_another(server, store, emulator, series, raw_database):
    emulator.inject(operation="raw.rows.insert", kind="delay", delay_ms=60_000)
    stuck = psycopg.connect(**server.keywords(), autocommit=True)
    waiting = threading.Thread(
        target=lambda: _ignore(
            lambda: stuck.execute("INSERT INTO raw_rows VALUES (%s, 't', 'k', '{}')", (raw_database,))
        )
    )
    waiting.start()
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        begun = time.monotonic()
        for n in range(10):
            connection.execute(POINT, (series, moment(n), 1.0))
        assert time.monotonic() - begun < 10
    stuck.cancel_safe(timeout=10)
    waiting.join(20)
    assert not waiting.is_alive()
    stuck.close()


def _ignore(call):
    try:
        call()
    except psycopg.Error:
        pass


def test_a_large_copy_fills_its_requests(connection, store, emulator, series):
    store.make_series(series)
    since = emulator.next_sequence()
    assert copy_points(connection, series, 250_000) == 250_000
    sent = emulator.requests("datapoints.insert", since)
    assert sum(entry["points"] for entry in sent) == 250_000
    assert max(entry["points"] for entry in sent) <= 100_000
    # Three full requests would do. Rows wait for company no longer than linger_ms, so a slow
    # machine makes more of them, but never one for every few rows.
    assert len(sent) <= 50
