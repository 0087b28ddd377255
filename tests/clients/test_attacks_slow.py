"""Clients that send byte by byte: they hold few places for a bounded time, and delay nobody."""

import contextlib
import select
import socket
import struct
import threading
import urllib.request

import psycopg
import pytest
from support import frames
from support.access import SECOND_MINIMUM, GatewayWithAccounts, GuardedCdf
from support.binary import PROJECT
from support.certificates import write_certificate
from support.configured import ConfiguredGateway
from support.gateway import Gateway
from support.samples import moment, seconds

pytestmark = pytest.mark.gateway_only

USERS = f"/api/v1/projects/{PROJECT}/postgresgateway"
POINT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    behind = Gateway(tmp_path_factory.mktemp("behind") / "log", "--create-missing-time-series")
    yield behind
    behind.stop()


def start(server):
    """A start that announces more than it brings."""
    return [b"", struct.pack("!iI", 9_999, frames.PROTOCOL_3_0) + b"user\0" + b"x" * 9_000]


def proof(server):
    return [
        frames.startup({"user": server.user, "database": server.database}),
        b"p\0\0\x23\x28" + b"x" * 9_000,
    ]


def handshake(_):
    return [b"", b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03" + b"x" * 9_000]


def drip(sockets, closed, rest):
    """Sends one byte each, again and again, until the server has closed every connection."""
    left = {opened: position for position, opened in enumerate(sockets)}
    sent = 0
    while left:
        try:
            # The pace of the attack: nothing is waited for but the end.
            readable, _, _ = select.select(list(left), [], [], 0.1)
        except ValueError:
            return  # the test is over and has closed them
        for opened in list(left):
            try:
                if opened in readable and not opened.recv(65536):
                    raise ConnectionResetError
                opened.send(rest[sent : sent + 1])
            except OSError:
                closed.append(left.pop(opened))
        sent += 1


@contextlib.contextmanager
def dripping(host, port, count, first, rest):
    """So many connections that send byte by byte; gives the list of those that were closed."""
    with contextlib.ExitStack() as stack:
        sockets = []
        for _ in range(count):
            opened = stack.enter_context(socket.create_connection((host, port), timeout=frames.WAIT_S))
            sockets.append(opened)
            # The server may have closed it already, for another one.
            with contextlib.suppress(ConnectionError):
                opened.sendall(first)
        closed = []
        attacker = threading.Thread(target=drip, args=(sockets, closed, rest), daemon=True)
        attacker.start()
        yield closed, attacker


@pytest.fixture(scope="module")
def patient(tmp_path_factory, behind):
    """Few may be on their way at once, and they may take long."""
    directory = tmp_path_factory.mktemp("patient")
    certificate, key = write_certificate(directory)
    listen = {"tls_certificate": certificate, "tls_private_key": key, "sign_ins_max_per_address": 8}
    with ConfiguredGateway(directory, behind.cdf_url, listen=listen) as gateway:
        yield gateway.server


@pytest.fixture(scope="module")
def hasty(tmp_path_factory, behind):
    """Many may be on their way at once, and they may not take long."""
    directory = tmp_path_factory.mktemp("hasty")
    certificate, key = write_certificate(directory)
    listen = {"tls_certificate": certificate, "tls_private_key": key}
    sections = {"listen": listen, "timeouts": {"sign_in_s": 1}}
    with ConfiguredGateway(directory, behind.cdf_url, **sections) as gateway:
        yield gateway.server


ATTACKS = [start, proof, handshake]


@pytest.mark.parametrize("attack", ATTACKS)
def test_who_signs_in_byte_by_byte_holds_few_places_and_delays_nobody(patient, behind, series, attack):
    with dripping(patient.host, patient.port, 40, *attack(patient)) as (closed, attacker):
        for n in range(10):
            with psycopg.connect(**patient.keywords(sslmode="require"), autocommit=True) as connection:
                connection.execute(POINT, (series, moment(n), 1.0))
        assert behind.store.points(series) == seconds([1.0] * 10)
        # The oldest are gone, and the last of them still is at it.
        while len(closed) < 32:
            attacker.join(0.05)
            assert attacker.is_alive()
        assert 39 not in closed


@pytest.mark.parametrize("attack", ATTACKS)
def test_who_signs_in_byte_by_byte_is_closed_in_the_end(hasty, behind, series, attack):
    with dripping(hasty.host, hasty.port, 10, *attack(hasty)) as (closed, attacker):
        with psycopg.connect(**hasty.keywords(sslmode="require"), autocommit=True) as connection:
            connection.execute(POINT, (series, moment(0), 1.0))
            attacker.join(60)
            assert sorted(closed) == list(range(10))
            # Who is signed in has all the time there is.
            connection.execute(POINT, (series, moment(1), 1.0))
    assert behind.store.points(series) == seconds([1.0] * 2)


HEAD = (b"", b"GET /user/x/tables HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 9_000)
BODY = (
    b"POST /create HTTP/1.1\r\nHost: h\r\nContent-Length: 9000\r\nAuthorization: Bearer t\r\n\r\n",
    b"x" * 9_000,
)


@pytest.fixture(scope="module")
def cdf(tmp_path_factory):
    cdf = GuardedCdf(tmp_path_factory.mktemp("cdf"))
    yield cdf
    cdf.process.stop()


@pytest.fixture(scope="module")
def token(cdf):
    application = cdf.register("loader")
    cdf.link(application, *SECOND_MINIMUM)
    return cdf.token(application)


@pytest.fixture(scope="module")
def api(tmp_path_factory, cdf):
    """Starts gateways with an accounts API: `api(is_encrypted, sign_in_s)`."""
    started = []

    def start(is_encrypted, sign_in_s):
        directory = tmp_path_factory.mktemp("api")
        certificate, key = write_certificate(directory)
        listen = {"tls_certificate": certificate, "tls_private_key": key} if is_encrypted else {}
        gateway = GatewayWithAccounts(directory, cdf, listen=listen, timeouts={"sign_in_s": sign_in_s})
        started.append(gateway)
        return gateway

    yield start
    for gateway in started:
        gateway.process.stop()


@pytest.mark.parametrize("attack", [HEAD, BODY, handshake(None)], ids=["head", "body", "handshake"])
def test_who_asks_the_api_byte_by_byte_is_closed_in_the_end(api, token, attack):
    gateway = api(is_encrypted=attack not in (HEAD, BODY), sign_in_s=1)
    with dripping(*gateway.api_address, 10, *attack) as (closed, attacker):
        assert gateway.call("GET", USERS, token).status == 200
        attacker.join(60)
        assert sorted(closed) == list(range(10))
    assert gateway.call("GET", USERS, token).status == 200


@pytest.mark.parametrize("attack", [HEAD, BODY, handshake(None)], ids=["head", "body", "handshake"])
def test_who_asks_the_api_byte_by_byte_holds_few_places_and_delays_nobody(api, token, attack):
    gateway = api(is_encrypted=attack not in (HEAD, BODY), sign_in_s=60)
    with dripping(*gateway.api_address, 300, *attack) as (closed, attacker):
        for _ in range(5):
            assert gateway.call("GET", USERS, token).status == 200
        while len(closed) < 44:
            attacker.join(0.05)
            assert attacker.is_alive()
        assert 299 not in closed


def test_a_scrape_is_answered_while_others_ask_byte_by_byte(api):
    gateway = api(is_encrypted=False, sign_in_s=60)
    host, port = gateway.http_url.removeprefix("http://").split(":")
    with dripping(host, int(port), 300, *HEAD):
        with urllib.request.urlopen(f"{gateway.http_url}/metrics", timeout=30) as answer:
            assert b"penstock_" in answer.read()
