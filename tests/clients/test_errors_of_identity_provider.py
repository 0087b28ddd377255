"""The identity provider: what is asked for again, what is the end, and what is shown of it."""

import psycopg
import pytest
from support.errors_document import IDENTITY_PROVIDER, proves
from support.scripted_http import RESET, SILENCE, Reply, ScriptedHttp
from support.troubled import HASTY, SECRET, Troubled, alone, credentials_of, failure_of

pytestmark = pytest.mark.gateway_only

RAW = "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES (%s, 't', 'k', '{}')"


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    with Troubled(tmp_path_factory.mktemp("cdf")) as troubled:
        yield troubled


@pytest.fixture
def cdf(troubled):
    yield troubled
    troubled.front.calm()


@pytest.fixture
def provider():
    with ScriptedHttp() as provider:
        yield provider


GRANTED = Reply(200, {"access_token": "a-good-token", "expires_in": 3600})
AWAY = {
    "nobody listens": None,
    "reset": RESET,
    "silence": SILENCE,
    "408": Reply(408),
    "425": Reply(425),
    "429": Reply(429),
    "500": Reply(500, "<html><title>Oops</title></html>", {"content-type": "text/html"}),
    "503": Reply(503),
    "temporarily_unavailable": Reply(400, {"error": "temporarily_unavailable"}),
    "server_error": Reply(400, {"error": "server_error", "error_description": f"over {SECRET}"}),
}
IS_AWAY = (
    "it cannot be reached, or says nothing for 30 seconds; 408, 425, 429, 5xx; "
    "`temporarily_unavailable`, `server_error`"
)


@proves(IDENTITY_PROVIDER, {IS_AWAY: "08006"})
@pytest.mark.parametrize("how", AWAY)
def test_a_provider_that_is_away_is_asked_again_and_then_given_up(cdf, provider, tmp_path, raw_database, how):
    reply = AWAY[how]
    if reply is None:
        provider = ScriptedHttp()
        provider.stop()
    else:
        provider.script("/token", reply)
    with alone(tmp_path, cdf.front.url, credentials_of(provider), retry=HASTY) as gateway:
        error = failure_of(gateway, RAW, raw_database)
        log = gateway.process.log_text()
    error.must_have(
        "08006", message="the identity provider", detail=("0 of 1 rows are in CDF, 1 was not sent.",)
    )
    assert f"{provider.url}/token" in error.message + error.detail
    if isinstance(reply, Reply):
        request_id = provider.asked("/token")[-1].request_id
        assert f"HTTP {reply.status}, x-request-id {request_id}" in error.detail
        assert len(provider.asked("/token")) > 1
    assert cdf.front.asked("/") == []
    assert SECRET not in log and SECRET not in str(error)


@proves(IDENTITY_PROVIDER, {IS_AWAY: ()})
@pytest.mark.parametrize("how", [how for how, reply in AWAY.items() if reply])
def test_rows_wait_for_a_provider_that_comes_back(cdf, provider, tmp_path, raw_database, how):
    provider.script("/token", AWAY[how], count=1)
    provider.script("/token", GRANTED)
    with alone(tmp_path, cdf.front.url, credentials_of(provider), retry={"request_timeout_s": 3}) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            connection.execute(RAW, (raw_database,))
    assert len(provider.asked("/token")) == 2
    assert cdf.store.raw(raw_database, "t") == {"k": {}}


def refusal(status, code, description="AADSTS7000215: no such key"):
    return Reply(status, {"error": code, "error_description": f"{description} {SECRET}"})


REFUSED = {
    "invalid_client": (refusal(401, "invalid_client"), "client id or its secret", "client_id"),
    "unauthorized_client": (refusal(400, "unauthorized_client"), "client id or its secret", "client_id"),
    "invalid_scope": (refusal(400, "invalid_scope"), "the scope", "/.default"),
    "consent_required": (refusal(400, "consent_required"), "consent to the scope", "Grant admin consent"),
    "access_denied": (refusal(400, "access_denied"), "gives no token", "token_url"),
    "401 without words": (Reply(401), "gives no token", "token_url"),
}


@proves(
    IDENTITY_PROVIDER,
    {
        "`invalid_client`, `unauthorized_client`, `invalid_scope`, a scope that wants consent,"
        " any other refusal in OAuth's form, 401": "28000"
    },
)
@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_of_the_provider_is_the_end_and_is_remembered(cdf, provider, tmp_path, raw_database, name):
    reply, message, hint = REFUSED[name]
    provider.script("/token", reply)
    with alone(tmp_path, cdf.front.url, credentials_of(provider)) as gateway:
        error = failure_of(gateway, RAW, raw_database)
        again = failure_of(gateway, RAW, raw_database)
        log = gateway.process.log_text()
    (asked,) = provider.asked("/token")
    words = reply.body.get("error", "") if reply.body else "no message"
    detail = (f"said: {words}", f"x-request-id {asked.request_id}", "0 of 1 rows are in CDF, 1 was refused.")
    error.must_have("28000", message=message, detail=detail, hint=hint)
    again.must_have("28000", message=message, detail=(asked.request_id,))
    assert cdf.front.asked("/") == []
    assert SECRET not in log and SECRET not in str(error)


NO_PROVIDER = {
    "a web page": Reply(200, "<html><title>Welcome</title></html>", {"content-type": "text/html"}),
    "an empty token": Reply(200, {"access_token": ""}),
    "404": Reply(404),
}


@proves(
    IDENTITY_PROVIDER, {"an answer without a token, or a refusal in no form that a provider has": "08006"}
)
@pytest.mark.parametrize("name", NO_PROVIDER)
def test_an_answer_that_no_provider_gives_is_the_end(cdf, provider, tmp_path, raw_database, name):
    reply = NO_PROVIDER[name]
    provider.script("/token", reply)
    with alone(tmp_path, cdf.front.url, credentials_of(provider)) as gateway:
        error = failure_of(gateway, RAW, raw_database)
    (asked,) = provider.asked("/token")
    detail = (
        f"HTTP {reply.status}, x-request-id {asked.request_id}",
        "0 of 1 rows are in CDF, 1 was refused.",
    )
    error.must_have("08006", message="token", detail=detail, hint="token_url")
    assert cdf.front.asked("/") == []
