"""Strangers at the door: what they learn, what they may send, how often they may guess."""

import contextlib
import dataclasses
import re
import struct

import psycopg
import pytest
from support import frames
from support.access import GatewayWithAccounts, GuardedCdf
from support.binary import PROJECT
from support.certificates import write_certificate
from support.configured import ConfiguredGateway
from support.frames import Frames, SignInRefused, signed_in
from support.gateway import Gateway
from support.token_issuer import ADA, TokenIssuer

pytestmark = pytest.mark.gateway_only

UNLIMITED = {"per_user_max": 0, "per_address_max": 0}

# "pencil" with 10,000 rounds and a salt of 12 bytes, as PostgreSQL can be told to make them.
VERIFIER = (
    "SCRAM-SHA-256$10000:c2FsdC1vZi1hbiEh$6WgU50mFR888F0x11cmi9Vf+XEcMfAgzLXtYBtlfH7g=:"
    "JS/RMGMJLaFpfejmFClb1i4FYhYo47BQ8vc9DA/Nyv8="
)


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    behind = Gateway(tmp_path_factory.mktemp("behind") / "log", "--create-missing-time-series")
    yield behind
    behind.stop()


@pytest.fixture(scope="module")
def issuer():
    issuer = TokenIssuer()
    yield issuer
    issuer.stop()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, behind, issuer):
    """With TLS, tokens for some names, and guesses without end."""
    directory = tmp_path_factory.mktemp("gateway")
    certificate, key = write_certificate(directory)
    sections = {
        "listen": {"tls_certificate": certificate, "tls_private_key": key},
        "sign_in": [{"user": "*@example.com", "method": "token"}, {"method": "scram"}],
        "issuers": [issuer.section()],
        "principals": [{"user": ADA, "cdf": "plant"}],
        "sign_in_failures": UNLIMITED,
    }
    with ConfiguredGateway(directory, behind.cdf_url, **sections) as gateway:
        yield gateway


class Transcript(Frames):
    """Keeps whatever the server sends."""

    def read(self):
        got = super().read()
        self.seen = [*getattr(self, "seen", []), (got.kind, got.body)]
        return got

    def of(self, user: str) -> list[tuple[str, bytes]]:
        """What was sent, without the name, the nonce, and the value of the salt."""
        random = re.compile(rb"r=[^,]+,s=[^,]+")
        hidden = [(kind, body.replace(user.encode(), b"USER")) for kind, body in self.seen]
        return [
            (kind, random.sub(lambda found: b"%d" % len(found[0]), body) if kind == "R" else body)
            for kind, body in hidden
        ]


def refused_by_scram(server, user, is_encrypted, is_bound):
    with Transcript(server) as client:
        if is_encrypted:
            client.encrypt()
        with pytest.raises(SignInRefused):
            client.sign_in(user=user, password="wrong", is_bound=is_bound)
        assert client.is_closed_by_server()
        return client.of(user), client.salt


@pytest.mark.parametrize(
    ("is_encrypted", "is_bound"),
    [(False, False), (True, False), (True, True)],
    ids=["plain", "over TLS", "bound to TLS"],
)
def test_an_unknown_user_and_a_wrong_password_get_the_same_bytes(gateway, is_encrypted, is_bound):
    server = gateway.server
    nobody = "n" * len(server.user)
    answers = [refused_by_scram(server, user, is_encrypted, is_bound) for user in (server.user, nobody) * 3]
    assert [kind for kind, _ in answers[0][0]] == ["R", "R", "E"]
    assert all(seen == answers[0][0] for seen, _ in answers)
    # Each name has one salt, at each try.
    assert len({salt for _, salt in answers[::2]}) == len({salt for _, salt in answers[1::2]}) == 1
    with psycopg.connect(**server.keywords(sslmode="require", channel_binding="require")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def refused_by_token(server, user, token):
    with Transcript(server) as client:
        client.encrypt()
        client.send(frames.startup({"user": user, "database": "postgres"}))
        client.read()
        client.send(frames.message("p", frames.text(token)))
        client.read_until("E")
        assert client.is_closed_by_server()
        return client.of(user)


def test_a_bad_token_gets_the_same_bytes_whoever_it_is_for(gateway, issuer):
    good, expired = issuer.token(upn="x@example.com"), issuer.token(exp=1_700_000_000)
    nobody = "nob@example.com"
    assert len(nobody) == len(ADA)
    for token in (good, expired, "no token", "", "x" * 16_000):
        first, *others = [refused_by_token(gateway.server, user, token) for user in (ADA, nobody) * 2]
        assert [kind for kind, _ in first] == ["R", "E"]
        assert all(other == first for other in others)
    server = dataclasses.replace(gateway.server, user=ADA, password=issuer.token(), database="postgres")
    with psycopg.connect(**server.keywords(sslmode="require")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (ADA,)


def test_names_keep_their_salts_through_a_restart(tmp_path):
    cdf = GuardedCdf(tmp_path)
    users = [
        {"name": "by-password", "password": "pencil", "cdf": "plant"},
        {"name": "by-verifier", "password": VERIFIER, "cdf": "plant"},
    ]
    plant = {"base_url": cdf.url, "project": PROJECT, "token": "t"}
    sections = {"users": users, "cdf.plant": plant, "sign_in_failures": UNLIMITED}
    gateway = GatewayWithAccounts(tmp_path, cdf, **sections)
    names = ["by-password", "by-verifier", "nobody-yet", "no-one", *(f"name-{n}" for n in range(20))]

    def asked():
        server = gateway.server("", "wrong")
        return {name: refused_by_scram(server, name, False, False) for name in names}

    before = asked()
    gateway.process.stop()
    gateway.restart()
    after = asked()
    assert {name: salt for name, (_, salt) in before.items()} == {
        name: salt for name, (_, salt) in after.items()
    }
    # Rounds do not tell the users either: some names that nobody has are asked for as many.
    rounds = {name: re.search(rb"i=(\d+)", seen[1][1])[1] for name, (seen, _) in after.items()}
    assert rounds["by-verifier"] == b"10000"
    assert {rounds[f"name-{n}"] for n in range(20)} == {b"4096", b"10000"}
    with psycopg.connect(**gateway.keywords("by-verifier", "pencil")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    gateway.process.stop()
    cdf.process.stop()


NAMES = [
    "'; DROP TABLE accounts; --",
    '" OR ""="',
    "' OR '1'='1",
    "admin'/*",
    "\\'; SELECT pg_sleep(10); --",
    "$1",
    "%s%n%x",
    "../../etc/passwd",
    "{user}",
    "a\n2026-11-01T00:00:00Z  INFO penstock: forged",
    "a\rb\x1b[2J\x07",
    "\u202etxt",
    "n" * 9_000,
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_whatever_is_in_a_name_is_a_name(gateway, name):
    with pytest.raises(SignInRefused) as caught:
        signed_in(gateway.server, user=name, database="postgres")
    assert caught.value.fields["C"] == "28P01"
    assert caught.value.fields["M"] == f'password authentication failed for user "{name}"'
    with pytest.raises(SignInRefused) as caught:
        signed_in(gateway.server, database=name)
    assert caught.value.fields["C"] == "3D000"
    # It begins no line of the log, and does nothing to a terminal.
    log = gateway.process.log_text()
    assert "\n2026-11-01T" not in log and not re.search("[\\x00-\\x09\\x0b-\\x1f\\x7f\u202e]", log)
    signed_in(gateway.server).socket.close()


@pytest.mark.parametrize("length", [0, 4, 10_001, 1 << 20, (1 << 31) - 1, 0xFFFF_FFFF])
def test_a_start_of_impossible_length_is_refused_unread(gateway, length):
    with Frames(gateway.server) as client:
        client.send(struct.pack("!I", length) + b"x" * 20_000)
        with contextlib.suppress(ConnectionError):
            assert client.read().fields["C"] == "08P01"
        assert client.is_closed_by_server()
    signed_in(gateway.server).socket.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, behind):
    """Few guesses, never forgotten, and a second user."""
    other = {"name": "other", "password": "other's password", "cdf": "plant"}
    sections = {
        "sign_in_failures": {"per_user_max": 3, "per_address_max": 6, "forgotten_s": 86_400},
        "users": [other],
    }
    with ConfiguredGateway(tmp_path_factory.mktemp("guarded"), behind.cdf_url, **sections) as gateway:
        yield gateway


def answer(server, source, user="", password="wrong") -> str:
    """The code of the refusal, or nothing."""
    given = {"user": user, "database": user} if user else {}
    try:
        with Frames(server, source) as client:
            client.sign_in(password=password, **given)
            return ""
    except SignInRefused as refused:
        return refused.fields["C"]


def test_guesses_end_for_one_user_and_lock_nobody_else_out(guarded):
    server = guarded.server
    assert answer(server, "127.0.0.2", password=None) == ""
    guesses = [answer(server, "127.0.0.3") for _ in range(5)]
    assert guesses == ["28P01"] * 3 + ["53300"] * 2
    # Elsewhere, too, and be it the right password; a name that nobody has is no different.
    assert answer(server, "127.0.0.4", password=None) == "53300"
    nobody = [answer(server, "127.0.0.5", "nobody") for _ in range(5)]
    assert nobody == guesses
    # The user comes in from where it came before, and others from everywhere.
    assert answer(server, "127.0.0.2", password=None) == ""
    assert answer(server, "127.0.0.3", "other", "other's password") == ""


def test_guesses_end_for_one_address_and_lock_no_other_out(guarded):
    server = guarded.server
    guesses = [answer(server, "127.0.0.6", f"user-{n}") for n in range(8)]
    assert guesses == ["28P01"] * 6 + ["53300"] * 2
    assert answer(server, "127.0.0.6", "other", "other's password") == "53300"
    assert answer(server, "127.0.0.7", "other", "other's password") == ""
