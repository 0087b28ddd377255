"""Time-outs as PostgreSQL has them, and what they tell of rows that are under way."""

import time

import psycopg
import pytest
from support.configured import ConfiguredGateway
from support.gateway import Gateway
from support.samples import moment

INSERT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"
COPY = "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"


def test_silence_in_a_transaction_ends_the_connection_and_drops_its_rows(server, store, series):
    connection = psycopg.connect(**server.keywords())
    connection.execute("SET idle_in_transaction_session_timeout = '200ms'")
    connection.execute(INSERT, (series, moment(0), 1.0))
    time.sleep(0.6)
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        connection.execute(INSERT, (series, moment(1), 1.0))
    assert connection.closed
    assert store.points(series) == []


def test_silence_outside_of_a_transaction_ends_the_connection(server):
    connection = psycopg.connect(**server.keywords(), autocommit=True)
    connection.execute("SET idle_session_timeout = 200")
    connection.execute("SET idle_in_transaction_session_timeout = 0")
    with connection.transaction():
        connection.execute("SELECT 1")
        time.sleep(0.4)
        connection.execute("SELECT 1")
    time.sleep(0.6)
    with pytest.raises(psycopg.errors.IdleSessionTimeout):
        connection.execute("SELECT 1")


def test_time_outs_are_settings_with_units_that_go_back_with_their_transaction(server):
    with psycopg.connect(
        **server.keywords(), autocommit=True, options="-c statement_timeout=90s"
    ) as connection:
        show = lambda name: connection.execute(f"SHOW {name}").fetchone()[0]  # noqa: E731
        assert show("statement_timeout") == "90s"
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            connection.execute("SET statement_timeout = 'a while'")
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            connection.execute("SET statement_timeout = -1")
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL statement_timeout = '2min'")
            connection.execute("SET idle_in_transaction_session_timeout = 1500")
            assert show("statement_timeout") == "2min"
            assert show("idle_in_transaction_session_timeout") == "1500ms"
        assert show("statement_timeout") == "90s"
        assert show("idle_in_transaction_session_timeout") == "0"


def test_a_copy_that_gets_no_data_in_time_is_ended(server, store, series):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        connection.execute("SET statement_timeout = 200")
        with pytest.raises(psycopg.errors.QueryCanceled) as caught:
            with connection.cursor().copy(COPY) as to:
                to.write(f"{series}\t{moment(0).isoformat()}\t1\n")
                time.sleep(0.6)
        assert "statement timeout" in str(caught.value)
        connection.execute("SET statement_timeout = 0")
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert store.points(series) == []


@pytest.mark.gateway_only
def test_a_statement_that_waits_for_cdf_too_long_says_what_was_written(server, emulator, series):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        connection.execute(INSERT, (series, moment(0), 1.0))
        connection.execute("SET statement_timeout = 300")
        emulator.inject(operation="datapoints.insert", kind="delay", delay_ms=4000, count=1)
        started = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled) as caught:
            connection.execute(INSERT, (series, moment(1), 1.0))
        assert time.monotonic() - started < 3
        assert caught.value.diag.message_detail == (
            "0 of 1 rows are in CDF, 1 was sent without an answer, so that they may be in CDF."
        )


@pytest.mark.gateway_only
def test_a_commit_that_waits_for_cdf_too_long_says_what_was_written(server, emulator, series):
    with psycopg.connect(**server.keywords()) as connection:
        connection.execute("SET statement_timeout = 300")
        connection.execute(INSERT, (series, moment(0), 1.0))
        emulator.inject(operation="datapoints.insert", kind="delay", delay_ms=4000, count=1)
        with pytest.raises(psycopg.errors.QueryCanceled) as caught:
            connection.commit()
        assert "0 of 1 rows are in CDF" in caught.value.diag.message_detail
        connection.rollback()


@pytest.mark.gateway_only
def test_a_transaction_that_waits_for_cdf_too_long_ends_the_connection(server, emulator, series):
    connection = psycopg.connect(**server.keywords(), autocommit=True)
    connection.execute(INSERT, (series, moment(0), 1.0))
    connection.execute("SET transaction_timeout = 300")
    emulator.inject(operation="datapoints.insert", kind="delay", delay_ms=4000, count=1)
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(INSERT, (series, moment(1), 1.0))
    assert caught.value.sqlstate == "25P04"
    assert "0 of 1 rows are in CDF" in caught.value.diag.message_detail
    assert connection.closed


@pytest.mark.gateway_only
def test_the_configuration_sets_what_sessions_start_with(tmp_path, series):
    behind = Gateway(tmp_path / "behind.log", "--create-missing-time-series")
    timeouts = {"statement_s": 120, "idle_in_transaction_s": 1, "transaction_s": 3600, "idle_s": 1800}
    with ConfiguredGateway(tmp_path, behind.cdf_url, timeouts=timeouts) as gateway:
        connection = psycopg.connect(**gateway.server.keywords())
        shown = {
            name: connection.execute(f"SHOW {name}").fetchone()[0]
            for name in (
                "statement_timeout",
                "idle_in_transaction_session_timeout",
                "transaction_timeout",
                "idle_session_timeout",
            )
        }
        assert list(shown.values()) == ["2min", "1s", "1h", "30min"]
        connection.execute(INSERT, (series, moment(0), 1.0))
        time.sleep(1.5)
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            connection.commit()
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as other:
            other.execute("SET transaction_timeout = 0")
            other.execute("RESET transaction_timeout")
            assert other.execute("SHOW transaction_timeout").fetchone() == ("1h",)
    assert behind.store.points(series) == []
    behind.stop()
