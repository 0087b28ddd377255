"""Gateways that operators configure: CDF out of reach, wrong credentials, refused files."""

import socket
import subprocess
import time

import psycopg
import pytest
from support.binary import binary
from support.configured import ConfiguredGateway
from support.gateway import Gateway
from support.samples import moment, seconds

pytestmark = pytest.mark.gateway_only

POINT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"
SOON = {
    "initial_interval_ms": 50,
    "interval_max_ms": 200,
    "elapsed_max_s": 2,
    "request_timeout_s": 2,
    "stale_write_guard_ms": 100,
}
# An endpoint must not be left alone for longer than its requests are repeated.
SOON_PROBED = {"breaker_open_initial_ms": 100, "breaker_open_max_ms": 500}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_cdf_out_of_reach_fails_the_statement_with_08006_and_spares_the_session(tmp_path, series):
    with ConfiguredGateway(
        tmp_path, f"http://127.0.0.1:{free_port()}", retry=SOON, pacing=SOON_PROBED
    ) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            for _ in range(2):
                with pytest.raises(psycopg.Error) as caught:
                    connection.execute(POINT, (series, moment(0), 1.0))
                assert caught.value.sqlstate == "08006"
                assert connection.execute("SELECT 1").fetchone() == (1,)


def test_rows_wait_for_a_cdf_that_comes_back(tmp_path, series):
    first = Gateway(tmp_path / "first.log", "--create-missing-time-series")
    with ConfiguredGateway(tmp_path, first.cdf_url, retry=SOON | {"elapsed_max_s": 60}) as gateway:
        first.emulator.inject(kind="reset_before_commit", count=8)
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            connection.execute(POINT, (series, moment(0), 1.0))
        assert first.store.points(series) == seconds([1.0])
    first.stop()


@pytest.fixture
def behind(tmp_path):
    gateway = Gateway(tmp_path / "behind.log", "--create-missing-time-series")
    yield gateway
    gateway.stop()


def client_credentials(behind, secret):
    return {
        "token_url": f"{behind.cdf_url}/oauth2/token",
        "client_id": "loader",
        "client_secret": secret,
        "scope": f"{behind.cdf_url}/.default",
    }


def test_a_token_is_fetched_with_client_credentials(behind, tmp_path, series):
    with ConfiguredGateway(tmp_path, behind.cdf_url, client_credentials(behind, "secret")) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            connection.execute(POINT, (series, moment(0), 1.0))
        assert behind.store.points(series) == seconds([1.0])
        assert {entry["identity"] for entry in behind.emulator.requests("datapoints.insert")} == {"loader"}


def test_an_expired_token_is_renewed_once_and_the_rows_are_stored(behind, tmp_path, series):
    with ConfiguredGateway(tmp_path, behind.cdf_url, client_credentials(behind, "secret")) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            connection.execute(POINT, (series, moment(0), 1.0))
            behind.emulator.inject(operation="datapoints.insert", kind="expire_token", count=1)
            connection.execute(POINT, (series, moment(1), 2.0))
        assert behind.store.points(series) == seconds([1.0, 2.0])
        assert behind.emulator.operation("token.issue")["requests"] == 2


def test_refused_client_credentials_are_told_as_28000(behind, tmp_path, series):
    behind.emulator.inject(
        operation="token.issue", kind="status", status=401, body={"error": "invalid_client"}
    )
    with ConfiguredGateway(
        tmp_path, behind.cdf_url, client_credentials(behind, "wrong"), retry=SOON, pacing=SOON_PROBED
    ) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(POINT, (series, moment(0), 1.0))
            assert caught.value.sqlstate == "28000"
            assert "wrong" not in str(caught.value)
        assert "wrong" not in gateway.process.log_text()


def test_a_transaction_beyond_its_bound_fails_with_53400(behind, tmp_path, series):
    bound = {"staged_bytes_max": 100_000, "staged_bytes_max_total": 200_000}
    with ConfiguredGateway(tmp_path, behind.cdf_url, transactions=bound) as gateway:
        with psycopg.connect(**gateway.server.keywords()) as connection:
            with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
                with connection.cursor().copy(
                    "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
                ) as copy:
                    for n in range(50_000):
                        copy.write_row((series, moment(n), float(n)))
            connection.rollback()
            connection.execute(POINT, (series, moment(0), 1.0))
    assert behind.store.points(series) == seconds([1.0])


def test_one_connection_too_many_is_refused_with_53300(behind, tmp_path):
    with ConfiguredGateway(tmp_path, behind.cdf_url, listen={"connections_max": 2}) as gateway:
        with psycopg.connect(**gateway.server.keywords()), psycopg.connect(**gateway.server.keywords()):
            with pytest.raises(psycopg.OperationalError, match="too many (connections|clients)"):
                psycopg.connect(**gateway.server.keywords())
        # The gateway learns of a closed connection a moment after its client.
        assert connect_within(10, gateway.server).execute("SELECT 1").fetchone() == (1,)


def connect_within(limit_s, server):
    deadline = time.monotonic() + limit_s
    while True:
        try:
            return psycopg.connect(**server.keywords())
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise


def test_a_line_beyond_its_bound_is_refused(behind, tmp_path, raw_database):
    with ConfiguredGateway(tmp_path, behind.cdf_url, copy={"line_bytes_max": 100_000}) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            with pytest.raises(psycopg.Error) as caught:
                with connection.cursor().copy(
                    "COPY raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) FROM STDIN"
                ) as copy:
                    copy.write(f"{raw_database}\tt\tk\t")
                    for _ in range(1000):
                        copy.write("x" * 1000)
            assert caught.value.sqlstate in ("54000", "53400")
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_mistaken_file_is_refused_at_the_start_with_place_key_and_mend(tmp_path):
    file = tmp_path / "penstock.toml"
    file.write_text('[listen]\npostgres = "127.0.0.1:0"\nspeed = 9\n')
    for command in ("check", "serve"):
        done = subprocess.run([binary(), command, str(file)], capture_output=True, text=True, timeout=30)
        assert done.returncode == 1
        assert "penstock.toml:3" in done.stdout + done.stderr
        assert "speed" in done.stdout + done.stderr
