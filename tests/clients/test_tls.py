"""TLS with a given certificate, asked for first or spoken at once."""

import psycopg
import pytest
from support.certificates import write_certificate
from support.configured import ConfiguredGateway
from support.gateway import Gateway
from support.psql import psql
from support.samples import moment, seconds

pytestmark = pytest.mark.gateway_only


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory):
    """(gateway with a certificate, the store behind it, its certificate's file)"""
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = write_certificate(directory)
    behind = Gateway(directory / "behind.log")
    listen = {"tls_certificate": certificate, "tls_private_key": key, "require_tls": True}
    with ConfiguredGateway(directory, behind.cdf_url, listen=listen) as gateway:
        yield gateway.server, behind.store, certificate
    behind.stop()


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
def test_libpq_18_writes_over_verified_tls(encrypted, series, negotiation):
    server, store, certificate = encrypted
    options = {"sslmode": "verify-full", "sslrootcert": certificate, "sslnegotiation": negotiation}
    with psycopg.connect(**server.keywords(**options)) as connection:
        assert connection.pgconn.ssl_in_use
        connection.execute("INSERT INTO double_datapoints VALUES (1, %s, %s)", (moment(0), series))
    assert store.points(series) == seconds([1.0])


def test_psql_15_writes_over_tls(encrypted, series, tmp_path):
    server, store, _ = encrypted
    path = tmp_path / "rows"
    path.write_text("".join(f"{n}\t{moment(n):%Y-%m-%d %H:%M:%S+00}\t{series}\t\\N\n" for n in range(20_000)))
    done = psql(server, "-c", f"\\copy double_datapoints from '{path}'", PGSSLMODE="require")
    assert done.lines == ["COPY 20000"], done.error
    assert len(store.points(series)) == 20_000


def test_npgsql_writes_over_tls(encrypted, series):
    from support import npgsql

    server, store, _ = encrypted
    with npgsql.opened(server, Pooling="false", SSL_Mode="Require") as connection:
        npgsql.run(connection, "INSERT INTO double_datapoints VALUES ($1, $2, $3)", 1.0, moment(0), series)
    assert store.points(series) == seconds([1.0])


def test_a_plain_connection_is_refused_where_tls_is_required(encrypted):
    server, _, _ = encrypted
    with pytest.raises(psycopg.OperationalError, match="TLS|SSL|encrypt"):
        psycopg.connect(**server.keywords(sslmode="disable"))


def test_tls_that_breaks_off_harms_nobody(encrypted):
    import socket
    import struct

    server, _, _ = encrypted
    for greeting in (struct.pack("!iI", 8, 80877103), b""):
        with socket.create_connection((server.host, server.port), timeout=20) as plain:
            plain.sendall(greeting)
            if greeting:
                assert plain.recv(1) == b"S"
            plain.sendall(b"\x16\x03\x01\x00\x05hello")
            while plain.recv(4096):
                pass
    with psycopg.connect(**server.keywords(sslmode="require")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_plain_message_smuggled_behind_the_tls_request_is_refused(encrypted):
    import socket
    import struct

    from support import frames

    server, _, _ = encrypted
    with socket.create_connection((server.host, server.port), timeout=20) as plain:
        plain.sendall(struct.pack("!iI", 8, 80877103) + frames.startup({"user": server.user}))
        received = b""
        while part := plain.recv(4096):
            received += part
    assert b"R\0\0\0" not in received
