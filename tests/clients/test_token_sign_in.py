"""Access tokens in the place of passwords: real clients, and those who should not get in."""

import base64
import ctypes
import dataclasses
import glob
import hashlib
import hmac
import json
import os
import ssl
import time

import asyncpg
import jwt
import psycopg
import psycopg2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from support.binary import PROJECT
from support.certificates import write_certificate
from support.configured import ConfiguredGateway
from support.gateway import Gateway
from support.local_cdf import LocalCdf
from support.process import ServerFailed
from support.psql import psql
from support.samples import moment, seconds, unique
from support.token_issuer import ADA, CDF_AUDIENCE, TokenIssuer

pytestmark = pytest.mark.gateway_only

POINT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"
OAUTH_USER = "oauth@example.com"


@dataclasses.dataclass(frozen=True)
class Setting:
    gateway: ConfiguredGateway
    issuer: TokenIssuer
    other_issuer: TokenIssuer
    store: object
    emulator: object
    certificate: str

    def server(self, user=ADA, token=None):
        """Where to connect as `user`, with a token for a password."""
        return dataclasses.replace(
            self.gateway.server, user=user, password=token or self.issuer.token(), database="postgres"
        )

    def refusal(self, user, token) -> str:
        """What libpq says of a token that must not let `user` in."""
        with pytest.raises(psycopg.OperationalError) as caught:
            psycopg.connect(**self.server(user, token).keywords(sslmode="require"))
        return str(caught.value)


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tokens")
    certificate, key = write_certificate(directory)
    behind = Gateway(directory / "behind.log", "--create-missing-time-series")
    issuer, other_issuer = TokenIssuer(), TokenIssuer()
    other_issuer.kid = "key-of-another-issuer"
    own_token = {"own_token": True, "base_url": behind.cdf_url, "project": PROJECT}
    sections = {
        "listen": {"tls_certificate": certificate, "tls_private_key": key},
        "sign_in": [
            {"user": OAUTH_USER, "method": "oauth", "scope": "openid", "issuer": "entra"},
            {"user": ["*@example.com", "etl-application"], "method": "token"},
            {"method": "scram"},
        ],
        # The other one is known for other names.
        "issuers": [
            issuer.section(),
            other_issuer.section() | {"name": "other", "name_claims": ["other_name"]},
        ],
        "principals": [
            {"user": "own@example.com", **own_token},
            {"user": ["ada@example.com", "etl-application", OAUTH_USER], "cdf": "plant"},
        ],
        "sign_in_failures": {"per_user_max": 0, "per_address_max": 0},
        "journal": {"directory": str(directory / "journal")},
        "logs": {"filter": "debug"},
    }
    with ConfiguredGateway(directory, behind.cdf_url, **sections) as gateway:
        yield Setting(gateway, issuer, other_issuer, behind.store, behind.emulator, certificate)
        assert_secrets_are_in_no_log(gateway, issuer)
    issuer.stop()
    other_issuer.stop()
    behind.stop()


def assert_secrets_are_in_no_log(gateway, issuer):
    log = gateway.process.log_text()
    assert "a token was refused" in log
    assert gateway.server.password not in log
    for token in issuer.tokens:
        for part in token.split("."):
            # Headers are the same for all tokens, and short ones are no secret.
            assert len(part) < 60 or part not in log


def test_psql_writes_with_a_token_for_a_password(setting, series):
    statement = f"INSERT INTO double_datapoints VALUES (1, '2026-11-01Z', '{series}')"
    done = psql(setting.server(), "-c", statement, PGSSLMODE="require")
    assert done.lines == ["INSERT 0 1"], done.error
    assert setting.store.points(series) == seconds([1.0])


@pytest.mark.parametrize("connect", [psycopg.connect, psycopg2.connect])
def test_psycopg_writes_with_a_token_for_a_password(setting, series, connect):
    keywords = setting.server().keywords(sslmode="verify-full", sslrootcert=setting.certificate)
    with connect(**keywords) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == (ADA,)
        cursor.execute(POINT, (series, moment(0), 1.0))
    assert setting.store.points(series) == seconds([1.0])


def test_asyncpg_writes_with_a_token_for_a_password(setting, series):
    import asyncio

    async def write():
        context = ssl.create_default_context(cafile=setting.certificate)
        connection = await asyncpg.connect(**setting.server().asyncpg(ssl=context))
        await connection.execute("INSERT INTO double_datapoints VALUES ($1, $2, $3)", 1.0, moment(0), series)
        await connection.close()

    asyncio.run(write())
    assert setting.store.points(series) == seconds([1.0])


def test_npgsql_writes_with_a_token_for_a_password(setting, series):
    from support import npgsql

    with npgsql.opened(setting.server(), Pooling="false", SSL_Mode="Require") as connection:
        npgsql.run(connection, "INSERT INTO double_datapoints VALUES ($1, $2, $3)", 1.0, moment(0), series)
    assert setting.store.points(series) == seconds([1.0])


def test_an_application_signs_in_by_its_id(setting):
    token = setting.issuer.token(
        appid="etl-application", upn=None, scp=None, oid="etl-object", sub="etl-object"
    )
    with psycopg.connect(
        **setting.server("etl-application", token).keywords(sslmode="require")
    ) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("etl-application",)


def test_users_with_passwords_sign_in_beside_those_with_tokens(setting):
    with psycopg.connect(**setting.gateway.server.keywords(sslmode="require")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_callers_own_token_writes_and_is_not_journaled(setting, series):
    token = setting.issuer.token(upn="own@example.com", aud=CDF_AUDIENCE)
    keywords = setting.server("own@example.com", token).keywords(sslmode="require")
    with psycopg.connect(**keywords, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES ('tokens', 't', 'k', '{}')"
        )
        connection.execute("SET penstock.ack = 'journaled'")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="journaled"):
            connection.execute(POINT, (series, moment(0), 1.0))


def test_a_token_is_not_taken_without_tls(setting):
    with pytest.raises(psycopg.OperationalError, match="TLS"):
        psycopg.connect(**setting.server().keywords(sslmode="disable"))


def unsigned(issuer, algorithm, signature=b""):
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    header = part(json.dumps({"alg": algorithm, "kid": issuer.kid}).encode())
    claims = part(json.dumps(issuer.claims()).encode())
    if algorithm == "HS256":
        signature = hmac.digest(issuer.public_pem, f"{header}.{claims}".encode(), hashlib.sha256)
    token = f"{header}.{claims}.{part(signature)}"
    issuer.tokens.append(token)
    return token


ATTACKS = {
    "another user's name": lambda issuer: issuer.token(upn="bob@example.com"),
    "the tool's name": lambda issuer: issuer.token(upn="x", appid=ADA),
    "no signature": lambda issuer: unsigned(issuer, "none"),
    "the public key for a secret": lambda issuer: unsigned(issuer, "HS256"),
    "a short signature": lambda issuer: unsigned(issuer, "RS256", b"x"),
    "another key": lambda issuer: issuer.token(key=rsa.generate_private_key(65537, 2048)),
    "another audience": lambda issuer: issuer.token(aud="https://graph.microsoft.com"),
    "another issuer": lambda issuer: issuer.token(iss="https://sts.windows.net/another/"),
    "expired": lambda issuer: issuer.token(exp=1_700_000_000),
    "never expires": lambda issuer: issuer.token(exp=None),
    "not valid yet": lambda issuer: issuer.token(nbf=4_000_000_000),
    "no token": lambda issuer: "' OR 1=1; DROP TABLE users; --",
    "cut": lambda issuer: issuer.token()[:-10],
}


def by_another_issuer(setting, **changes):
    """Signed by an issuer that the gateway knows, too, and named as that one names its key."""
    issuer, other = setting.issuer, setting.other_issuer
    token = jwt.encode(
        issuer.claims(**changes), other.key, algorithm="RS256", headers={"kid": changes.get("kid", other.kid)}
    )
    issuer.tokens.append(token)
    return token


FORGERS = {
    "the key and kid of another issuer": lambda setting: by_another_issuer(setting),
    "another issuer's key under this one's kid": lambda setting: by_another_issuer(
        setting, kid=setting.issuer.kid
    ),
    "another issuer's own token": lambda setting: setting.other_issuer.token(),
}


@pytest.mark.parametrize("forger", FORGERS)
def test_a_key_is_good_for_the_tokens_of_its_own_issuer_only(setting, forger):
    words = setting.refusal(ADA, FORGERS[forger](setting))
    assert f'token authentication failed for user "{ADA}"' in words
    assert_a_good_token_is_taken(setting)


def assert_a_good_token_is_taken(setting):
    with psycopg.connect(**setting.server().keywords(sslmode="require")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (ADA,)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_bad_token_is_refused_like_any_other(setting, attack):
    words = setting.refusal(ADA, ATTACKS[attack](setting.issuer))
    assert f'token authentication failed for user "{ADA}"' in words
    assert "expired" not in words
    assert_a_good_token_is_taken(setting)


def test_another_tenant_and_an_owner_without_a_principal_are_refused(setting):
    assert "another tenant" in setting.refusal(ADA, setting.issuer.token(tid="another"))
    eve = setting.issuer.token(upn="eve@example.com")
    assert "mapped to no principal" in setting.refusal("eve@example.com", eve)


def test_a_huge_token_is_refused_by_its_length(setting):
    assert "16389" in setting.refusal(ADA, "a" * 40_000)


class BearerRequest(ctypes.Structure):
    """libpq's PGoauthBearerRequest."""

    _fields_ = [
        ("openid_configuration", ctypes.c_char_p),
        ("scope", ctypes.c_char_p),
        ("asynchronous", ctypes.c_void_p),
        ("cleanup", ctypes.c_void_p),
        ("token", ctypes.c_char_p),
        ("user", ctypes.c_void_p),
    ]


@pytest.fixture
def libpq_18_with_token(monkeypatch):
    """Gives psycopg's libpq a token whenever it asks; (set the token, what libpq asked with)."""
    directory = os.path.join(os.path.dirname(os.path.dirname(psycopg.__file__)), "psycopg_binary.libs")
    (path,) = glob.glob(os.path.join(directory, "libpq-*.so*"))
    libpq = ctypes.CDLL(path)
    # An issuer on this machine has no https.
    monkeypatch.setenv("PGOAUTHDEBUG", "UNSAFE")
    given, asked = [], []
    hook_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    bearer_token = 1

    def hook(kind, _, data):
        if kind != bearer_token:
            return 0
        request = BearerRequest.from_address(data)
        asked.append((request.openid_configuration.decode(), request.scope))
        request.token = given[-1]
        return 1

    installed = hook_type(hook)
    libpq.PQsetAuthDataHook(installed)
    yield (lambda token: given.append(token.encode())), asked
    libpq.PQsetAuthDataHook(None)


def oauth_keywords(setting):
    server = setting.server(OAUTH_USER)
    return server.keywords(sslmode="require", oauth_issuer=setting.issuer.url, oauth_client_id="a-client")


def test_libpq_18_signs_in_by_oauthbearer(setting, libpq_18_with_token):
    give, asked = libpq_18_with_token
    give(setting.issuer.token(upn=OAUTH_USER))
    with psycopg.connect(**oauth_keywords(setting)) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (OAUTH_USER,)
    # It learned from the gateway where tokens come from.
    assert asked == [(setting.issuer.discovery_url, b"openid")]


def test_libpq_18_is_told_that_its_bearer_token_is_not_good(setting, libpq_18_with_token):
    give, _ = libpq_18_with_token
    give(setting.issuer.token(upn=ADA))
    with pytest.raises(psycopg.OperationalError, match="invalid_token|token authentication failed"):
        psycopg.connect(**oauth_keywords(setting))


def test_tokens_without_an_issuer_are_refused_at_the_start(tmp_path):
    with pytest.raises(ServerFailed, match="there is no issuer"):
        ConfiguredGateway(tmp_path, "http://127.0.0.1:1", sign_in=[{"method": "token"}])


ENTRA_TENANT = "2f9d3f0c-6c5e-4e5b-9d0f-6b1a7c3e8d21"
POSTGRESQL = "https://ossrdbms-aad.database.windows.net"


@pytest.fixture(scope="module")
def entra(tmp_path_factory):
    """(local CDF with its identity provider, gateway that trusts it)"""
    directory = tmp_path_factory.mktemp("entra")
    certificate, key = write_certificate(directory)
    local = LocalCdf(directory / "emulator.log", "--require-token", "--project", PROJECT)
    for client_id, secret in [("gateway-app", "the gateway's secret"), ("etl-app", "the tool's secret")]:
        local.admin("PUT", "identity/applications", {"client_id": client_id, "secrets": [secret]})
    for user in ("carol@plant.example", "dave@plant.example", "group-member@plant.example"):
        local.admin("PUT", "identity/users", {"upn": user, "groups": ["group-loaders"]})
    plant = {
        "token_url": local.token_url,
        "client_id": "gateway-app",
        "client_secret": "the gateway's secret",
        "scope": f"{local.url}/.default",
    }
    sections = {
        "listen": {"tls_certificate": certificate, "tls_private_key": key},
        "sign_in": [{"method": "token"}],
        "issuers": [
            {
                "name": "entra",
                "iss": [f"{local.url}/{ENTRA_TENANT}/v2.0", f"{local.url}/{ENTRA_TENANT}/"],
                "audiences": [POSTGRESQL, "gateway-app"],
                "cdf_audiences": [local.url],
                "tenant": ENTRA_TENANT,
                "keys_interval_min_s": 1,
            }
        ],
        "issuers.group_names": {"loaders": "group-loaders"},
        "principals": [
            {"user": "carol@plant.example", "on_behalf_of": "plant"},
            {"user": "dave@plant.example", "own_token": True, "base_url": local.url, "project": PROJECT},
            {"application": "etl-app", "cdf": "plant"},
            {"group": "group-loaders", "user": "loaders", "cdf": "plant"},
        ],
    }
    with ConfiguredGateway(directory, local.url, plant, **sections) as gateway:
        yield local, gateway
        log = gateway.process.log_text()
        assert "the gateway's secret" not in log and "eyJ" not in log
    local.stop()


def write_raw(gateway, user, token):
    server = dataclasses.replace(gateway.server, user=user, password=token, database="postgres")
    with psycopg.connect(**server.keywords(sslmode="require"), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES (%s, 't', 'k', '{}')",
            (unique("db"),),
        )


@pytest.mark.parametrize(
    ("user", "order", "written_as"),
    [
        # The token of CDF that the gateway gets on behalf of a user is the user's.
        ("carol@plant.example", {"audience": "gateway-app"}, "carol@plant.example"),
        ("dave@plant.example", {"audience": "CDF"}, "dave@plant.example"),
        ("loaders", {"user": "group-member@plant.example", "groups": ["group-loaders"]}, "gateway-app"),
        ("etl-app", {"user": None, "client_id": "etl-app"}, "gateway-app"),
    ],
)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_rows_reach_cdf_as_the_principal_that_the_rules_say(entra, user, order, written_as, version):
    local, gateway = entra
    wanted = {"user": user, "audience": POSTGRESQL, "tenant": ENTRA_TENANT, "version": version} | order
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if wanted["audience"] == "CDF":
        wanted["audience"] = local.url
    token = local.admin("POST", "identity/tokens", wanted)["token"]
    local.admin("DELETE", "requests")
    write_raw(gateway, user, token)
    assert {entry["identity"] for entry in local.requests("raw.rows.insert")} == {written_as}


def test_a_token_for_postgresql_is_not_passed_on(entra):
    local, gateway = entra
    for user in ("carol@plant.example", "dave@plant.example"):
        token = local.admin(
            "POST", "identity/tokens", {"user": user, "tenant": ENTRA_TENANT, "audience": POSTGRESQL}
        )["token"]
        with pytest.raises(psycopg.Error, match="mapped to no principal|identity provider"):
            write_raw(gateway, user, token)


@pytest.mark.parametrize("signature", ["wrong_key", "unknown_key", "damaged", "absent"])
def test_a_token_that_entra_did_not_sign_is_refused(entra, signature):
    local, gateway = entra
    order = {
        "user": "dave@plant.example",
        "tenant": ENTRA_TENANT,
        "audience": local.url,
        "signature": signature,
    }
    token = local.admin("POST", "identity/tokens", order)["token"]
    with pytest.raises(psycopg.OperationalError, match="token authentication failed"):
        write_raw(gateway, "dave@plant.example", token)


def test_a_token_with_a_new_key_is_accepted_without_a_restart(entra):
    local, gateway = entra
    order = {"user": "dave@plant.example", "tenant": ENTRA_TENANT, "audience": local.url}
    write_raw(gateway, order["user"], local.admin("POST", "identity/tokens", order)["token"])
    local.admin("POST", "identity/rotate-keys")
    token = local.admin("POST", "identity/tokens", order)["token"]
    deadline = time.monotonic() + 30
    while True:
        # Keys are fetched at most once a second here, whatever tokens come.
        try:
            return write_raw(gateway, order["user"], token)
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
