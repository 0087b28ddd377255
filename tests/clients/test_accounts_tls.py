"""The accounts API over TLS, by the certificate that PostgreSQL clients see."""

import http.client
import ssl

import psycopg
import pytest
from support.access import SECOND_MINIMUM, GatewayWithAccounts, GuardedCdf, acl
from support.binary import PROJECT
from support.certificates import write_certificate

pytestmark = pytest.mark.gateway_only

USERS = f"/api/v1/projects/{PROJECT}/postgresgateway"
RAW_ROW = (
    "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES ('api', 't', 'k', '{}')"
)


@pytest.fixture(scope="module")
def cdf(tmp_path_factory):
    cdf = GuardedCdf(tmp_path_factory.mktemp("cdf"))
    yield cdf
    cdf.process.stop()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, cdf):
    directory = tmp_path_factory.mktemp("gateway")
    certificate, key = write_certificate(directory)
    listen = {"tls_certificate": certificate, "tls_private_key": key}
    gateway = GatewayWithAccounts(directory, cdf, listen=listen)
    yield gateway
    gateway.process.stop()


@pytest.fixture(scope="module")
def loader(cdf):
    application = cdf.register("loader")
    cdf.link(application, *SECOND_MINIMUM, acl("raw", "READ", "WRITE", "LIST"))
    return application


def test_a_user_is_made_over_verified_tls_and_signs_in_by_the_same_certificate(cdf, gateway, loader):
    body = {"items": [{"credentials": {"nonce": cdf.nonce(loader).nonce}}]}
    made = gateway.call("POST", USERS, cdf.token(loader), body)
    assert made.status == 200, made
    user = made.body["items"][0]
    tls = {"sslmode": "verify-full", "sslrootcert": gateway.certificate, "channel_binding": "require"}
    keywords = gateway.keywords(user["username"], user["password"], **tls)
    with psycopg.connect(**keywords, autocommit=True) as connection:
        connection.execute(RAW_ROW)
    assert cdf.administrator.raw.rows.retrieve("api", "t", "k") is not None


def test_plain_http_is_refused_and_the_token_is_not_taken(cdf, gateway, loader):
    before = cdf.emulator.next_sequence()
    plain = http.client.HTTPConnection(*gateway.api_address, timeout=20)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        plain.request("GET", USERS, headers={"Authorization": f"Bearer {cdf.token(loader)}"})
        plain.getresponse()
    assert "token.inspect" not in {found["operation"] for found in cdf.emulator.requests(since=before)}
    assert gateway.call("GET", USERS, cdf.token(loader)).status == 200


def test_a_client_that_does_not_know_the_certificate_sends_nothing(gateway):
    strict = ssl.create_default_context()
    connection = http.client.HTTPSConnection(*gateway.api_address, timeout=20, context=strict)
    with pytest.raises(ssl.SSLCertVerificationError):
        connection.request("GET", USERS)


def test_a_name_that_is_not_the_certificates_is_refused(gateway):
    context = ssl.create_default_context(cafile=gateway.certificate)
    host, port = gateway.api_address
    with http.client.socket.create_connection((host, port), timeout=20) as plain:
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(plain, server_hostname="postgres.example.com")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_of_tls_are_refused(gateway, version):
    context = ssl.create_default_context(cafile=gateway.certificate)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    connection = http.client.HTTPSConnection(*gateway.api_address, timeout=20, context=context)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connection.request("GET", USERS)


def test_a_handshake_that_breaks_off_harms_nobody(cdf, gateway, loader):
    for greeting in (b"", b"\x16", b"\x16\x03\x01\x00\x05hello", b"GET / HTTP/1.1\r\n\r\n"):
        with http.client.socket.create_connection(gateway.api_address, timeout=20) as plain:
            plain.sendall(greeting)
    assert gateway.call("GET", USERS, cdf.token(loader)).status == 200
