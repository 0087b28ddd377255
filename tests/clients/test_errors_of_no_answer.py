"""No answer of CDF: what is repeated, what is in doubt, and what is the end."""

import subprocess
import threading

import psycopg
import pytest
from support.binary import PROJECT, binary
from support.certificates import write_certificate
from support.errors_document import NO_ANSWER, proves
from support.samples import moment, seconds
from support.scripted_http import RESET, SILENCE, ScriptedHttp
from support.told import told
from support.troubled import HASTY, Troubled, alone, credentials_of, failure_of, free_port, retries

pytestmark = pytest.mark.gateway_only

POINT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"
RAW = "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES (%s, 't', 'k', '{}')"
NAMELESS = "INSERT INTO time_series (name) VALUES (%s)"


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    """A CDF whose gateway waits for a second, and gives up soon."""
    with Troubled(tmp_path_factory.mktemp("cdf"), retry=HASTY | {"request_timeout_s": 1}) as troubled:
        yield troubled


@pytest.fixture
def cdf(troubled):
    yield troubled
    troubled.front.calm()


@pytest.fixture
def connection(cdf):
    with cdf.connect() as connection:
        yield connection


@proves(NO_ANSWER, {"CDF cannot be reached": "08006"})
def test_a_cdf_that_cannot_be_reached_fails_the_statement_after_a_while(tmp_path, raw_database):
    port = free_port()
    with alone(tmp_path, f"http://127.0.0.1:{port}", retry=HASTY) as gateway:
        error = failure_of(gateway, RAW, raw_database)
        message = f"CDF at http://127.0.0.1:{port} cannot be reached"
        detail = ("Nothing was sent.", "0 of 1 rows are in CDF, 1 was not sent.")
        error.must_have("08006", message=message, detail=detail, hint="network")
        assert retries(gateway, "connect") > 0


@proves(NO_ANSWER, {"CDF cannot be reached": ()})
def test_rows_wait_for_a_cdf_that_comes_back(cdf, tmp_path, raw_database):
    port = free_port()
    with alone(tmp_path, f"http://127.0.0.1:{port}") as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            writing = threading.Thread(target=connection.execute, args=(RAW, (raw_database,)))
            writing.start()
            while retries(gateway, "connect") == 0:
                assert writing.is_alive()
            with ScriptedHttp(cdf.local.url, port=port):
                writing.join(60)
                assert not writing.is_alive()
    assert cdf.store.raw(raw_database, "t") == {"k": {}}


@proves(NO_ANSWER, {"no answer in time, or the connection broke": ()})
@pytest.mark.parametrize("how", [RESET, SILENCE])
def test_a_request_without_an_answer_is_repeated(cdf, series, how, tmp_path):
    cdf.store.make_series(series)
    with alone(tmp_path, cdf.front.url, retry={"request_timeout_s": 3}) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            cdf.front.script("/timeseries/data", how, count=1)
            connection.execute(POINT, (series, moment(0), 1.0))
    assert len(cdf.front.asked("/timeseries/data")) == 2
    assert cdf.store.points(series) == seconds([1.0])


@proves(NO_ANSWER, {"no answer in time, or the connection broke": "40003"})
@pytest.mark.parametrize("how", [RESET, SILENCE])
def test_requests_that_are_never_answered_leave_the_rows_in_doubt(cdf, connection, series, how):
    cdf.store.make_series(series)
    cdf.front.script("/timeseries/data", how)
    error = told(connection.execute, POINT, (series, moment(0), 1.0))
    detail = (
        "The request was sent and no answer came back.",
        "0 of 1 rows are in CDF, 1 was sent without an answer",
    )
    error.must_have("40003", message="did not answer", detail=detail, hint="look in CDF")


@proves(NO_ANSWER, {"the same, on a create without `external_id`": "40003"})
@pytest.mark.parametrize("how", [RESET, SILENCE])
def test_a_create_that_a_repeat_could_double_is_not_repeated(cdf, connection, series, how):
    cdf.front.script("/timeseries", how)
    error = told(connection.execute, NAMELESS, (series,))
    assert len(cdf.front.asked("/timeseries")) == 1
    detail = (
        "The request was sent and no answer came back.",
        "0 of 1 rows are in CDF, 1 was sent without an answer",
    )
    error.must_have("40003", message="CDF may or may not have", detail=detail, hint="Look in CDF")


def test_a_create_whose_answer_was_lost_is_told_from_one_that_was_there_before(cdf, connection, series):
    cdf.emulator.inject(operation="time_series.create", kind="reset_after_commit", count=1)
    connection.execute("INSERT INTO time_series (external_id) VALUES (%s)", (series,))
    error = told(connection.execute, "INSERT INTO time_series (external_id) VALUES (%s)", (series,))
    assert error.sqlstate == "23505"
    cdf.emulator.clear_faults()


UNTRUSTED = "the TLS certificate of CDF or of the identity provider is not trusted"


@proves(NO_ANSWER, {UNTRUSTED: "08006"})
def test_a_certificate_of_cdf_that_nobody_trusts_is_the_end_at_once(tmp_path, raw_database):
    with ScriptedHttp(tls=write_certificate(tmp_path)) as strange, alone(tmp_path, strange.url) as gateway:
        error = failure_of(gateway, RAW, raw_database)
        message = f"the TLS certificate of CDF at {strange.url} is not trusted"
        detail = ("Nothing was sent.", "0 of 1 rows are in CDF, 1 was refused.")
        error.must_have("08006", message=message, detail=detail, hint="CA certificate")
        assert retries(gateway, "") == 0


@proves(NO_ANSWER, {UNTRUSTED: "08006"})
def test_a_certificate_of_the_identity_provider_that_nobody_trusts_is_the_end_at_once(
    cdf, tmp_path, raw_database
):
    with ScriptedHttp(tls=write_certificate(tmp_path)) as strange:
        with alone(tmp_path, cdf.front.url, credentials_of(strange)) as gateway:
            error = failure_of(gateway, RAW, raw_database)
            message = f"the TLS certificate of the identity provider at {strange.url}/token is not trusted"
            error.must_have("08006", message=message, detail=("Nothing was sent.",), hint="CA certificate")
            assert retries(gateway, "") == 0
    assert cdf.front.asked("/") == []


NO_CERTIFICATES = "no CA certificates on this machine"


@proves(NO_ANSWER, {NO_CERTIFICATES: "08006"})
def test_a_machine_without_ca_certificates_is_told_what_to_install(tmp_path, raw_database):
    # The places that TLS libraries are told of by the environment, and nothing there.
    under = ("env", f"SSL_CERT_FILE={tmp_path}/none", f"SSL_CERT_DIR={tmp_path}/none")
    with ScriptedHttp(tls=write_certificate(tmp_path)) as strange:
        with alone(tmp_path, strange.url, under=under) as gateway:
            error = failure_of(gateway, RAW, raw_database)
            error.must_have("08006", message="TLS", hint="ca-certificates")
            assert "0 of 1 rows are in CDF, 1 was refused." in error.detail


def test_a_base_url_that_is_no_address_is_refused_before_anybody_connects(tmp_path):
    file = tmp_path / "penstock.toml"
    cdf = f'[cdf.plant]\nbase_url = "westeurope-1"\nproject = "{PROJECT}"\ntoken = "any"\n'
    file.write_text(f'[[users]]\nname = "writer"\npassword = "secret"\ncdf = "plant"\n{cdf}')
    done = subprocess.run([binary(), "serve", str(file)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "base_url" in done.stderr and "is no http or https address" in done.stderr
