"""Answers of CDF that say nothing of single rows: repeated, given up, in doubt, or the end.

Each row of the table in docs/errors.md has a test here, in test_errors_of_rows.py or in
test_errors_of_late_rows.py.
"""

import psycopg
import pytest
from support.errors_document import ANSWERS, WHAT_HAPPENS, proves
from support.samples import moment, seconds
from support.scripted_http import Reply, cdf_error
from support.told import told
from support.troubled import HASTY, Troubled, copy_raw

pytestmark = pytest.mark.gateway_only

POINT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"
RAW = "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES (%s, 't', %s, '{}')"
NAMED = "INSERT INTO time_series (external_id, name) VALUES (%s, 'named')"
NAMELESS = "INSERT INTO time_series (name) VALUES (%s)"
WORDS = "The moon is in the wrong phase"
REDIRECT = Reply(302, headers={"location": "https://login.example.com/"})
PAGE = Reply(200, "<html><title>Welcome</title></html>", {"content-type": "text/html"})


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    with Troubled(tmp_path_factory.mktemp("cdf")) as troubled:
        yield troubled


@pytest.fixture
def cdf(troubled):
    yield troubled
    troubled.front.calm()


@pytest.fixture(scope="module")
def troubled_and_hasty(tmp_path_factory):
    with Troubled(tmp_path_factory.mktemp("hasty"), retry=HASTY) as troubled:
        yield troubled


@pytest.fixture
def hasty(troubled_and_hasty):
    """A CDF whose gateway gives up soon."""
    yield troubled_and_hasty
    troubled_and_hasty.front.calm()


@pytest.fixture
def connection(cdf):
    with cdf.connect() as connection:
        yield connection


def auto_retryable(status, where):
    if where == "header":
        return Reply(status, {"error": {"code": status, "message": WORDS}}, {"cdf-is-auto-retryable": "true"})
    return cdf_error(status, WORDS, isAutoRetryable=True)


AUTO = "any, with the header `cdf-is-auto-retryable: true` or `isAutoRetryable` in the body"
IN_DOUBT = "408, 500, 502, 504"
# Per answer: the row, and what is told when it goes on for too long.
REPEATED = {
    "400 with the header": (AUTO, auto_retryable(400, "header"), "08006"),
    "403 with isAutoRetryable": (AUTO, auto_retryable(403, "body"), "08006"),
    "429": ("429", cdf_error(429, WORDS), "53000"),
    "409": ("409 on an overwrite", cdf_error(409, WORDS), "08006"),
    "503": ("other 5xx", cdf_error(503, WORDS), "08006"),
    "507": ("other 5xx", cdf_error(507, WORDS), "08006"),
    "408": (IN_DOUBT, cdf_error(408, WORDS), "40003"),
    "500": (IN_DOUBT, cdf_error(500, WORDS), "40003"),
    "502": (IN_DOUBT, cdf_error(502, WORDS), "40003"),
    "504": (IN_DOUBT, cdf_error(504, WORDS), "40003"),
}
# The first row says "as below".
REPEATED_ROWS = {row: sqlstate if row != AUTO else () for row, _, sqlstate in REPEATED.values()}


@proves(WHAT_HAPPENS, {"retry": ()})
@proves(ANSWERS, REPEATED_ROWS)
@pytest.mark.parametrize("name", REPEATED)
def test_what_passes_costs_no_row(cdf, connection, series, name):
    cdf.store.make_series(series)
    _, reply, _ = REPEATED[name]
    cdf.front.script("/timeseries/data", reply, count=2)
    connection.execute(POINT, (series, moment(0), 1.0))
    sent = cdf.front.asked("/timeseries/data")
    assert [exchange.status for exchange in sent] == [reply.status, reply.status, 200]
    assert cdf.store.points(series) == seconds([1.0])


@proves(WHAT_HAPPENS, {"retry": ()})
@proves(ANSWERS, REPEATED_ROWS)
@pytest.mark.parametrize("name", REPEATED)
def test_what_does_not_pass_fails_the_statement_with_the_last_reason(hasty, series, name):
    hasty.store.make_series(series)
    _, reply, sqlstate = REPEATED[name]
    hasty.front.script("/timeseries/data", reply)
    with hasty.connect() as connection:
        error = told(connection.execute, POINT, (series, moment(0), 1.0))
        sent = hasty.front.asked("/timeseries/data")
        assert len(sent) > 1
        in_doubt = "was sent without an answer" if sqlstate == "40003" else "was not sent"
        detail = (WORDS, sent[-1].request_id, "0 of 1 rows", in_doubt)
        error.must_have(sqlstate, message="CDF", detail=detail)
        assert ("look in CDF" in error.hint) == (sqlstate == "40003")
        hasty.front.calm()
        connection.execute(POINT, (series, moment(0), 2.0))
    assert hasty.store.points(series) == seconds([2.0])


@proves(WHAT_HAPPENS, {"retry": ()})
def test_a_repeat_waits_for_as_long_as_retry_after_says(cdf, connection, series):
    cdf.store.make_series(series)
    cdf.front.script("/timeseries/data", Reply(503, headers={"retry-after": "0.8"}), count=1)
    connection.execute(POINT, (series, moment(0), 1.0))
    refused, accepted = cdf.front.asked("/timeseries/data")
    assert accepted.arrived - refused.arrived >= 0.8


@proves(ANSWERS, {"200, 201": ()})
@pytest.mark.parametrize("status", [200, 201])
def test_an_answer_that_says_done_is_believed(cdf, connection, raw_database, status):
    cdf.front.script("/rows", Reply(status, {}))
    assert connection.execute(RAW, (raw_database, "k")).rowcount == 1
    assert len(cdf.front.asked("/rows")) == 1


# Answers after which nothing of this user can succeed.
STOPPED = {
    "3xx": (REDIRECT, "08006", "https://login.example.com/", "base_url"),
    "401": (cdf_error(401, WORDS), "28000", "token", "scope"),
    "403": (cdf_error(403, WORDS), "42501", "CDF does not allow", "rawAcl"),
    "404 otherwise": (cdf_error(404, WORDS), "3D000", "project", "base_url"),
}


@proves(WHAT_HAPPENS, {"stop": ()})
@proves(ANSWERS, {"3xx": "08006", "403": "42501", "404 otherwise": "3D000"})
@pytest.mark.parametrize("name", STOPPED)
def test_what_somebody_has_to_mend_fails_the_statement_at_once(cdf, connection, raw_database, name):
    reply, sqlstate, message, hint = STOPPED[name]
    cdf.front.script("/rows", reply)
    error = told(copy_raw, connection, raw_database, [f"k{n}" for n in range(20)])
    (refused,) = cdf.front.asked("/rows")
    words = WORDS if reply is not REDIRECT else "HTTP 302"
    detail = (words, refused.request_id, "0 of 20 rows are in CDF, 20 were refused")
    error.must_have(sqlstate, message=message, detail=detail, hint=hint)
    assert "COPY raw_rows, row 1" in error.context
    assert cdf.store.raw(raw_database, "t") == {}


def client_credentials(cdf):
    return {
        "token_url": f"{cdf.front.url}/oauth2/token",
        "client_id": "loader",
        "client_secret": "loader's secret",
        "scope": "cdf/.default",
    }


@proves(ANSWERS, {"401, after one renewal of the token": "28000"})
def test_a_refused_token_is_renewed_once_before_it_fails_the_statement(tmp_path, raw_database):
    with Troubled(tmp_path, cdf=client_credentials) as cdf, cdf.connect() as connection:
        connection.execute(RAW, (raw_database, "before"))
        cdf.front.script("/rows", cdf_error(401, WORDS), count=1)
        connection.execute(RAW, (raw_database, "renewed"))
        assert len(cdf.front.asked("/oauth2/token")) == 2
        cdf.front.calm()
        cdf.front.script("/rows", cdf_error(401, WORDS))
        error = told(connection.execute, RAW, (raw_database, "refused"))
        first, second = cdf.front.asked("/rows")
        # The gateway looks at the user's access when both are refused, which may ask for one, too.
        renewals = [token for token in cdf.front.asked("/oauth2/token") if token.arrived < second.arrived]
        assert len(renewals) == 1
        error.must_have("28000", message="token", detail=(WORDS, second.request_id), hint="scope")
        assert first.request_id not in error.detail
        assert set(cdf.store.raw(raw_database, "t")) == {"before", "renewed"}


# Answers that tell neither that it is done nor that it is not; even what could be repeated is not.
UNCLEAR = {
    "202": (Reply(202, {}), "HTTP 202"),
    "204": (Reply(204), "HTTP 204"),
    "a web page": (PAGE, 'an HTML page titled "Welcome"'),
}


@proves(WHAT_HAPPENS, {"unknown": ()})
@proves(ANSWERS, {"other 2xx, or a web page": "40003"})
@pytest.mark.parametrize("name", UNCLEAR)
def test_an_answer_that_says_nothing_leaves_the_rows_in_doubt(cdf, connection, raw_database, name):
    reply, words = UNCLEAR[name]
    cdf.front.script("/rows", reply)
    error = told(connection.execute, RAW, (raw_database, "k"))
    (answered,) = cdf.front.asked("/rows")
    detail = (words, answered.request_id, "0 of 1 rows are in CDF, 1 was sent without an answer")
    error.must_have("40003", message="CDF may or may not have", detail=detail, hint="base_url")


@proves(WHAT_HAPPENS, {"unknown": ()})
@proves(ANSWERS, {"408, 5xx on a create without `external_id`": "40003"})
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_create_that_a_repeat_could_double_is_never_repeated(cdf, connection, series, status):
    cdf.front.script("/timeseries", cdf_error(status, WORDS))
    error = told(connection.execute, NAMELESS, (series,))
    (failed,) = cdf.front.asked("/timeseries")
    detail = (WORDS, failed.request_id, "0 of 1 rows are in CDF, 1 was sent without an answer")
    error.must_have("40003", message="CDF may or may not have", detail=detail, hint="external_id")


@proves(WHAT_HAPPENS, {"retry": ()})
@pytest.mark.parametrize("status", [429, 503])
def test_a_create_by_name_is_repeated(cdf, connection, series, status):
    cdf.front.script("/timeseries", cdf_error(status, WORDS), count=1)
    connection.execute(NAMED, (series,))
    assert cdf.store.series(series)["name"] == "named"


@proves(WHAT_HAPPENS, {"reject": ()})
@proves(ANSWERS, {"anything else": "HV000"})
@pytest.mark.parametrize("status", [402, 415, 418])
def test_an_answer_that_cdf_does_not_document_is_not_repeated(cdf, connection, raw_database, status):
    cdf.front.script("/rows", cdf_error(status, WORDS))
    error = told(copy_raw, connection, raw_database, ["a", "b", "c"])
    (refused,) = cdf.front.asked("/rows")
    detail = (WORDS, refused.request_id, "0 of 3 rows are in CDF, 3 were refused")
    error.must_have("HV000", message="CDF did not take the RAW rows", detail=detail, hint="base_url")
    assert cdf.store.raw(raw_database, "t") == {}


def test_an_error_of_a_proxy_is_not_taken_for_cdfs(cdf, connection, raw_database):
    page = Reply(403, "<html><title>Blocked</title></html>", {"content-type": "text/html"})
    cdf.front.script("/rows", page)
    error = told(connection.execute, RAW, (raw_database, "k"))
    assert 'Peer said: an HTML page titled "Blocked"' in error.detail


def test_the_session_lives_after_each_error(cdf, connection, raw_database):
    for reply, *_ in STOPPED.values():
        cdf.front.script("/rows", reply, count=1)
        with pytest.raises(psycopg.Error):
            connection.execute(RAW, (raw_database, "k"))
    connection.execute(RAW, (raw_database, "k"))
    assert set(cdf.store.raw(raw_database, "t")) == {"k"}
