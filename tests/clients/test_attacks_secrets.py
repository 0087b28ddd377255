"""Every secret that a gateway is given or gets, and every place where it could be read afterwards."""

import base64
import contextlib
import json
import re
import secrets
import urllib.error
import urllib.parse
import urllib.request

import psycopg
import pytest
from support.access import SECOND_MINIMUM, GatewayWithAccounts, GuardedCdf, acl
from support.binary import PROJECT
from support.certificates import write_certificate
from support.proxy import Proxy
from support.token_issuer import ADA, TokenIssuer

pytestmark = pytest.mark.gateway_only

USERS = f"/api/v1/projects/{PROJECT}/postgresgateway"
ROW = "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES ('s', 't', %s, '{}')"
STORED_USER = "stored-user"


class Stage:
    """A gateway that logs all it can, and what was said around it."""

    def __init__(self, directory):
        self.secrets: dict[str, str] = {}
        self.answers: list[str] = []
        certificate, key = write_certificate(directory)
        self.cdf = GuardedCdf(directory)
        self.proxy = Proxy(self.cdf.url)
        self.issuer = TokenIssuer()
        self.loader = self.cdf.register("loader")
        self.cdf.link(self.loader, *SECOND_MINIMUM, acl("raw", "READ", "WRITE", "LIST"))
        self.keep("a client secret", self.loader.client_secret)
        stored = self.made("the password of the configuration")
        self.admin_token = self.made("the token of the operators")
        plant = {
            "base_url": self.cdf.url,
            "project": PROJECT,
            "token_url": self.cdf.token_url.replace(self.cdf.url, self.proxy.url),
            "client_id": self.loader.client_id,
            "client_secret": self.loader.client_secret,
            "scope": f"{self.cdf.url}/.default",
        }
        exchange = f"{self.proxy.url}/api/v1/projects/{{project}}/sessions/token"
        self.gateway = GatewayWithAccounts(
            directory,
            self.cdf,
            accounts={"session_exchange_url": exchange, "token_hosts": [self.cdf.url, self.proxy.url]},
            listen={"tls_certificate": certificate, "tls_private_key": key},
            users=[{"name": STORED_USER, "password": stored, "cdf": "plant"}],
            **{"cdf.plant": plant},
            sign_in=[{"user": "*@example.com", "method": "token"}, {"method": "scram"}],
            issuers=[self.issuer.section()],
            principals=[{"user": ADA, "cdf": "plant"}],
            sign_in_failures={"per_user_max": 0, "per_address_max": 0},
            admin={"token": self.admin_token},
            dead_letters={"directory": str(directory / "letters")},
            journal={"directory": str(directory / "journal")},
            logs={"filter": "trace"},
        )
        self.keep("the sealing key", self.gateway.sealing_key)

    def keep(self, what: str, secret: str) -> str:
        self.secrets[f"{what} ({len(self.secrets)})"] = secret
        return secret

    def made(self, what: str) -> str:
        return self.keep(what, secrets.token_urlsafe(18))

    def call(self, method, path, token=None, body=None):
        answer = self.gateway.call(method, path, token, body)
        # The one answer that shows a password is the one that makes it.
        if not (answer.status == 200 and "password" in json.dumps(answer.body)):
            self.answers.append(json.dumps(answer.body))
        return answer

    def read(self, path, token=None):
        request = urllib.request.Request(self.gateway.http_url + path)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                self.answers.append(answer.read().decode())
        except urllib.error.HTTPError as error:
            self.answers.append(error.read().decode())

    def connect(self, user, password, database=""):
        keywords = self.gateway.server(user, password, database).keywords(sslmode="require")
        try:
            return psycopg.connect(**keywords, autocommit=True)
        except psycopg.Error as error:
            self.answers.append(str(error))
            raise

    def statement(self, connection, *statement):
        try:
            connection.execute(*statement)
        except psycopg.Error as error:
            self.answers.append(f"{error} {error.diag.message_detail} {error.diag.message_hint}")

    def passed(self, field: str) -> list[str]:
        """What went through the proxy under that name."""
        found = re.compile(rf'"{field}"\s*:\s*"([^"]+)"')
        return [secret for body in self.proxy.bodies for secret in found.findall(body)]

    def stop(self):
        self.gateway.process.stop()
        self.cdf.process.stop()
        self.proxy.stop()
        self.issuer.stop()


def use_version_2(stage):
    token = stage.keep("a bearer token", stage.cdf.token(stage.loader))
    nonce = stage.cdf.nonce(stage.loader)
    stage.keep("a nonce", nonce.nonce)
    made = stage.call("POST", USERS, token, {"items": [{"credentials": {"nonce": nonce.nonce}}]})
    user = made.body["items"][0]
    stage.keep("a password of version 2.0", user["password"])
    # Once more, and one that never was.
    for again in (nonce.nonce, stage.made("a nonce that is none")):
        assert stage.call("POST", USERS, token, {"items": [{"credentials": {"nonce": again}}]}).status == 400
    with stage.connect(user["username"], user["password"]) as connection:
        stage.statement(connection, ROW, ("second",))
        stage.statement(connection, "SET penstock.ack = 'journaled'")
        stage.statement(connection, ROW, ("journaled",))
    other = stage.cdf.nonce(stage.loader)
    stage.keep("a nonce", other.nonce)
    change = {"username": user["username"], "update": {"credentials": {"set": {"nonce": other.nonce}}}}
    assert stage.call("POST", f"{USERS}/update", token, {"items": [change]}).status == 200
    with stage.connect(user["username"], user["password"]) as connection:
        stage.statement(connection, ROW, ("rotated",))
    for path in (USERS, f"{USERS}/tables/{user['username']}", f"{USERS}?limit=0", "/nothing"):
        stage.call("GET", path, token)
        stage.call("GET", path, stage.made("a token that is none"))
        forged = stage.cdf.emulator.mint_token(client_id="x", signature="wrong_key")
        stage.call("GET", path, stage.keep("a forged token", forged))
    return user


def use_version_1(stage):
    token = stage.keep("a bearer token", stage.cdf.token(stage.loader))
    wrong = stage.made("a client secret that is wrong")
    for token_url, secret, status in [
        (stage.cdf.token_url, stage.loader.client_secret, 200),
        (stage.cdf.token_url, wrong, 400),
        ("https://login.microsoftonline.com.evil.example/token", stage.loader.client_secret, 400),
        (f"{stage.proxy.url}/no-such-path", stage.loader.client_secret, 503),
    ]:
        auth = {"token_url": token_url, "client_id": stage.loader.client_id, "client_secret": secret}
        auth["scope"] = f"{stage.cdf.url}/.default"
        made = stage.call("POST", "/create", token, {"auth": auth, "project": PROJECT})
        assert made.status == status, made
        if status == 200:
            stage.keep("a password of version 1.0", made.body["password"])
            with stage.connect(made.body["username"], made.body["password"]) as connection:
                stage.statement(connection, """INSERT INTO raw VALUES ('s', 't', 'first', '{}')""")
    for body in (b'{"auth": {"client_secret": "%b"' % wrong.encode(), {"auth": {"client_secret": wrong}}):
        stage.call("POST", "/create", token, body)


def sign_in_in_every_way(stage, user):
    stored = next(secret for what, secret in stage.secrets.items() if "of the configuration" in what)
    with stage.connect(STORED_USER, stored) as connection:
        stage.statement(connection, ROW, ("stored",))
    with stage.connect(ADA, stage.issuer.token(), "postgres") as connection:
        stage.statement(connection, ROW, ("token",))
    tries = [
        (user["username"], stage.made("a wrong password")),
        ("nobody", stage.made("a wrong password")),
        (ADA, stage.issuer.token(exp=1_700_000_000)),
        (ADA, stage.issuer.token(aud="https://graph.microsoft.com")),
        (ADA, stage.issuer.token(upn="bob@example.com")),
        ("bob@example.com", stage.issuer.token(upn="bob@example.com")),
        (ADA, stage.made("a password in the place of a token")),
        (ADA, stage.issuer.token()[:-9]),
    ]
    for name, secret in tries:
        with contextlib.suppress(psycopg.Error), stage.connect(name, secret, "postgres"):
            raise AssertionError(f"{name} came in")


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp("stage"))
    user = use_version_2(stage)
    use_version_1(stage)
    sign_in_in_every_way(stage, user)
    for token in (None, stage.made("a token of operators that is none"), stage.admin_token):
        for path in (
            "/metrics",
            "/health",
            "/ready",
            "/dead-letters",
            "/dead-letters/1",
            "/dead-letters/export",
        ):
            stage.read(path, token)
    for field in ("sessionKey", "accessToken", "access_token"):
        passed = stage.passed(field)
        assert passed, field
        for secret in passed:
            stage.keep(f"a {field} from CDF", secret)
    for token in stage.issuer.tokens:
        stage.keep("a token of the issuer", token)
    yield stage
    stage.stop()


def spellings(secret: str):
    """The secret, as it is and as it travels; of a token also what only its owner can make."""
    yield secret
    yield urllib.parse.quote(secret, safe="")
    yield base64.b64encode(secret.encode()).decode().rstrip("=")
    parts = secret.split(".")
    if len(parts) == 3:
        # The first part is the same for all tokens.
        yield from (part for part in parts[1:] if len(part) >= 40)


def places_with_secrets(stage, text: str) -> list[str]:
    return [
        f"{what}: …{text[max(0, at - 150) : at + 20]!r}"
        for what, secret in stage.secrets.items()
        for spelling in spellings(secret)
        if (at := text.find(spelling)) >= 0
    ]


def test_the_log_tells_everything_and_no_secret(stage):
    log = stage.gateway.process.log_text()
    # It is a log of everything: what is hidden there is hidden on purpose.
    for line in (" TRACE ", " DEBUG ", "a user was made", "a token was refused"):
        assert line in log
    assert places_with_secrets(stage, log) == []


def test_no_answer_has_a_secret_but_the_one_that_makes_it(stage):
    assert len(stage.answers) > 40
    for answer in stage.answers:
        assert places_with_secrets(stage, answer) == []


def test_metrics_have_been_read_and_have_no_secret(stage):
    stage.read("/metrics")
    assert "penstock_sign_ins_failed_total" in stage.answers[-1]
    assert places_with_secrets(stage, stage.answers[-1]) == []


def test_no_file_of_the_gateway_has_a_secret_but_those_that_are_its_own(stage):
    own = {"penstock.toml", "state.key", "server.key"}
    files = [file for file in stage.gateway.file.parent.rglob("*") if file.is_file() and file.name not in own]
    assert {"state.sqlite", "gateway.log"} <= {file.name for file in files}
    for file in files:
        assert places_with_secrets(stage, file.read_bytes().decode("latin-1")) == [], file


def test_a_good_client_is_served_after_all_of_it(stage):
    body = {"items": [{"credentials": {"nonce": stage.cdf.nonce(stage.loader).nonce}}]}
    made = stage.gateway.call("POST", USERS, stage.cdf.token(stage.loader), body)
    user = made.body["items"][0]
    with stage.connect(user["username"], user["password"]) as connection:
        connection.execute(ROW, ("good",))
    assert stage.cdf.administrator.raw.rows.retrieve("s", "t", "good") is not None
