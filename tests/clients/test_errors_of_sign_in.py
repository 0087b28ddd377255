"""Sign-in: each way in which it fails, with the SQLSTATE and the words of docs/errors.md."""

import dataclasses
import json
import select
import ssl
import struct
import time

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from support import frames
from support.certificates import Authority, write_certificate
from support.configured import ConfiguredGateway
from support.errors_document import SIGN_IN, proves
from support.frames import Frames, startup
from support.refusal import Refusal, refusal, signs_in
from support.token_issuer import ADA, TokenIssuer
from support.told import told
from support.troubled import free_port

pytestmark = pytest.mark.gateway_only

NO_CDF = "http://127.0.0.1:1"
OAUTH_USER = "oauth@example.com"
NO_BOUND = {"per_user_max": 0, "per_address_max": 0}
ASKS_FOR_TLS = "Connect with sslmode=require, or sslmode=verify-full."


@dataclasses.dataclass(frozen=True)
class Setting:
    gateway: ConfiguredGateway
    issuer: TokenIssuer
    authority: Authority
    certificate: str

    @property
    def tls(self):
        """A context that trusts the gateway, and shows no certificate."""
        return trusting(self.certificate)

    @property
    def server(self):
        return self.gateway.server

    def of(self, user, password=None):
        """Where to connect as another user."""
        known = self.server
        return dataclasses.replace(known, user=user, database="postgres", password=password or known.password)


def trusting(certificate):
    return ssl.create_default_context(cafile=certificate)


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sign-in")
    certificate, key = write_certificate(directory)
    authority, issuer = Authority(directory), TokenIssuer()
    unreachable = {
        "name": "gone",
        "iss": ["https://gone.example.com"],
        "jwks_url": f"http://127.0.0.1:{free_port()}/keys",
        "audiences": ["gateway"],
    }
    listen = {"tls_certificate": certificate, "tls_private_key": key, "tls_client_ca": authority.file}
    rules = [
        {"user": "rejected", "method": "reject"},
        {"user": OAUTH_USER, "method": "oauth", "issuer": "entra", "scope": "openid"},
        {"user": "*@example.com", "method": "token"},
        {"user": "machine", "method": "scram", "client_certificate": "verify-ca", "tls": True},
        {"user": "person", "method": "scram", "client_certificate": "verify-full", "tls": True},
        {"user": ["writer", "nobody"], "method": "scram"},
    ]
    sections = {
        "listen": listen,
        "sign_in": rules,
        "sign_in_failures": NO_BOUND,
        "issuers": [issuer.section(), unreachable],
        "principals": [{"user": [ADA, OAUTH_USER], "cdf": "plant"}],
    }
    with ConfiguredGateway(directory, NO_CDF, **sections) as gateway:
        yield Setting(gateway, issuer, authority, certificate)
    issuer.stop()


@proves(SIGN_IN, {"wrong password, or no such user": "28P01"})
@pytest.mark.parametrize("user", ["writer", "nobody"])
def test_a_wrong_password_and_an_unknown_user_sound_the_same(setting, user):
    assert signs_in(setting.server)
    words = f'password authentication failed for user "{user}"'
    assert refusal(setting.of(user, "guessed")) == Refusal("FATAL", "28P01", words, "")


BAD_TOKENS = {
    "not good": lambda issuer: issuer.token(key=rsa.generate_private_key(65537, 2048)),
    "not for this gateway": lambda issuer: issuer.token(aud="https://graph.microsoft.com"),
    "expired": lambda issuer: issuer.token(exp=1_700_000_000),
    "another user's": lambda issuer: issuer.token(upn="bob@example.com"),
}


@proves(
    SIGN_IN,
    {
        "a token that is not good, not for this gateway, expired, or not of the user that it was shown for": "28P01"
    },
)
@pytest.mark.parametrize("name", BAD_TOKENS)
def test_whatever_is_wrong_with_a_token_sounds_the_same_and_the_log_says_what(setting, name):
    assert signs_in(setting.of(ADA, setting.issuer.token()), setting.tls)
    told_of = refusal(setting.of(ADA, BAD_TOKENS[name](setting.issuer)), setting.tls)
    assert (told_of.severity, told_of.sqlstate) == ("FATAL", "28P01")
    assert told_of.message == f'token authentication failed for user "{ADA}"'
    assert "current access token" in told_of.hint
    setting.gateway.process.await_log("a token was refused")


@proves(
    SIGN_IN,
    {"a good token of another tenant, or of somebody whom no `[[principals]]` rule fits": "28000"},
)
def test_a_good_token_of_somebody_who_has_no_place_here_is_told_which_of_the_two(setting):
    stranger = refusal(setting.of(ADA, setting.issuer.token(tid="another")), setting.tls)
    assert (stranger.severity, stranger.sqlstate) == ("FATAL", "28000")
    assert stranger.message == f'the token of user "{ADA}" is of another tenant'
    assert "tenant" in stranger.hint
    eve = "eve@example.com"
    unmapped = refusal(setting.of(eve, setting.issuer.token(upn=eve)), setting.tls)
    assert (unmapped.severity, unmapped.sqlstate) == ("FATAL", "28000")
    assert unmapped.message == f'user "{eve}" is mapped to no principal of CDF'
    assert "[[principals]]" in unmapped.hint


@proves(SIGN_IN, {"a rule rejects the connection, or none is for it": "28000"})
@pytest.mark.parametrize(
    ("user", "what"), [("rejected", "a sign-in rule rejects"), ("unheard-of", "no sign-in rule is for")]
)
def test_whom_the_rules_keep_out_is_told_as_whom_and_from_where(setting, user, what):
    for context, how in [(False, "without TLS"), (setting.tls, "with TLS")]:
        words = f'{what} the connection from 127.0.0.1: user "{user}", database "postgres", {how}'
        assert refusal(setting.of(user), context) == Refusal("FATAL", "28000", words, "")


@proves(SIGN_IN, {"the rule, or `listen.require_tls`, wants TLS": "28000"})
def test_a_plain_connection_that_only_needs_tls_is_told_so(setting, tmp_path):
    words = f'user "{ADA}" can sign in with TLS only'
    assert refusal(setting.of(ADA)) == Refusal("FATAL", "28000", words, ASKS_FOR_TLS)
    certificate, key = write_certificate(tmp_path)
    listen = {"tls_certificate": certificate, "tls_private_key": key, "require_tls": True}
    with ConfiguredGateway(tmp_path, NO_CDF, listen=listen) as gateway:
        words = "this gateway accepts connections with TLS only"
        assert refusal(gateway.server) == Refusal("FATAL", "28000", words, ASKS_FOR_TLS)
        assert signs_in(gateway.server, trusting(certificate))


@proves(SIGN_IN, {"no certificate of the client, or one of another name": "28000"})
def test_a_client_without_the_certificate_of_the_rule_is_told_which_of_the_two(setting):
    for user in ("machine", "person"):
        missing = refusal(setting.of(user), setting.tls)
        words = "connection requires a valid client certificate"
        assert (missing.severity, missing.sqlstate, missing.message) == ("FATAL", "28000", words)
    showing = setting.tls
    showing.load_cert_chain(*setting.authority.certificate_of("somebody else"))
    another = refusal(setting.of("person"), showing)
    words = 'certificate authentication failed for user "person"'
    assert (another.severity, another.sqlstate, another.message) == ("FATAL", "28000", words)


@proves(SIGN_IN, {"OAUTHBEARER without a token": "28000"})
def test_a_client_without_a_token_is_told_where_they_come_from(setting):
    with Frames(setting.of(OAUTH_USER)).encrypt(setting.tls) as client:
        client.send(startup({"user": OAUTH_USER, "database": "postgres"}))
        assert b"OAUTHBEARER" in client.read().body
        asking = b"n,,\x01auth=\x01\x01"
        client.send(frames.message("p", frames.text("OAUTHBEARER") + struct.pack("!i", len(asking)) + asking))
        where = json.loads(client.read().body[4:])
        assert where["openid-configuration"] == setting.issuer.discovery_url
        assert where["scope"] == "openid"
        client.send(frames.message("p", b"\x01"))
        told_of = Refusal.in_message(client.read())
    assert (told_of.severity, told_of.sqlstate) == ("FATAL", "28000")
    assert told_of.message == f'no token was sent for user "{OAUTH_USER}"'


@proves(SIGN_IN, {"the keys of a token's issuer cannot be fetched": "57P03"})
def test_a_token_that_nobody_can_check_now_is_to_be_tried_again(setting):
    token = setting.issuer.token(iss="https://gone.example.com", aud="gateway")
    told_of = refusal(setting.of(ADA, token), setting.tls)
    assert (told_of.severity, told_of.sqlstate) == ("FATAL", "57P03")
    assert "keys cannot be fetched" in told_of.message
    assert "Try again" in told_of.hint


@proves(SIGN_IN, {"too many sign-ins failed under the name or from the address": "53300"})
@pytest.mark.parametrize("bound", ["per_user_max", "per_address_max"])
def test_after_too_many_failures_the_client_is_told_how_long_to_wait(tmp_path, bound):
    failures = NO_BOUND | {bound: 2, "forgotten_s": 1000}
    with ConfiguredGateway(tmp_path, NO_CDF, sign_in_failures=failures) as gateway:
        for n in range(2):
            user = "writer" if bound == "per_user_max" else f"guess-{n}"
            assert refusal(gateway.server, user=user, password="guessed").sqlstate == "28P01"
        told_of = refusal(gateway.server)
        assert (told_of.severity, told_of.sqlstate) == ("FATAL", "53300")
        assert told_of.message == "too many sign-ins have failed"
        assert "try again in 1000 seconds" in told_of.hint or "try again in 999 seconds" in told_of.hint


@proves(SIGN_IN, {"too many connections, or too many that have not signed in": "53300"})
def test_one_connection_too_many_is_told_so(tmp_path):
    with ConfiguredGateway(tmp_path, NO_CDF, listen={"connections_max": 1}) as gateway:
        with psycopg.connect(**gateway.server.keywords()):
            words = "sorry, too many clients already"
            assert refusal(gateway.server) == Refusal("FATAL", "53300", words, "")


@proves(SIGN_IN, {"too many connections, or too many that have not signed in": "53300"})
def test_who_does_not_sign_in_gives_way_and_is_told_so(tmp_path):
    with ConfiguredGateway(tmp_path, NO_CDF, listen={"sign_ins_max": 1}) as gateway:
        with Frames(gateway.server) as slow:
            slow.send(startup({"user": "writer"}))
            assert slow.read().kind == "R"
            assert signs_in(gateway.server)
            words = "too many connections have not signed in yet"
            assert Refusal.in_message(slow.read()) == Refusal("FATAL", "53300", words, "")
            assert slow.is_closed_by_server()


@proves(SIGN_IN, {"sign-in took too long": "57014"})
def test_who_takes_too_long_to_sign_in_is_told_so(tmp_path):
    with ConfiguredGateway(tmp_path, NO_CDF, timeouts={"sign_in_s": 1}) as gateway:
        with Frames(gateway.server) as slow:
            slow.send(startup({"user": "writer"}))
            assert slow.read().kind == "R"
            words = "canceling authentication due to timeout"
            assert Refusal.in_message(slow.read()) == Refusal("FATAL", "57014", words, "")


BEYOND = struct.pack("!i", 70_000)
NONSENSE = {
    "a query before sign-in": (frames.query("SELECT 1"), "expected SASL response"),
    "an unknown type": (b"\x07" + struct.pack("!i", 4), "invalid frontend message type 7"),
    "no length": (b"p" + struct.pack("!i", 3), "invalid message length 3"),
    "too long a message": (b"p" + BEYOND, "the most that is accepted is 65536"),
    "another mechanism": (
        frames.message("p", frames.text("PLAIN") + struct.pack("!i", 0)),
        "invalid SASL authentication mechanism",
    ),
}


@proves(SIGN_IN, {"a message that makes no sense, or is beyond the bound": "08P01"})
@pytest.mark.parametrize("name", NONSENSE)
def test_a_message_that_makes_no_sense_is_told_what_is_wrong_with_it(setting, name):
    sent, words = NONSENSE[name]
    with Frames(setting.server) as client:
        client.send(startup({"user": "writer"}))
        assert client.read().kind == "R"
        client.send(sent)
        told_of = Refusal.in_message(client.read())
        assert (told_of.severity, told_of.sqlstate) == ("FATAL", "08P01")
        assert words in told_of.message
        assert client.is_closed_by_server()


@proves(SIGN_IN, {"a message that makes no sense, or is beyond the bound": "08P01"})
def test_a_first_packet_beyond_its_bound_is_told_so(setting):
    with Frames(setting.server) as client:
        client.send(struct.pack("!iI", 20_000, frames.PROTOCOL_3_0))
        told_of = Refusal.in_message(client.read())
        assert (told_of.severity, told_of.sqlstate) == ("FATAL", "08P01")
        assert "20000 bytes" in told_of.message


@proves(SIGN_IN, {"the token of an open session has expired, and its grace is over": "57P01"})
def test_a_session_whose_token_has_expired_is_told_to_come_again(tmp_path):
    certificate, key = write_certificate(tmp_path)
    issuer = TokenIssuer()
    sections = {
        "listen": {"tls_certificate": certificate, "tls_private_key": key},
        "sign_in": [{"method": "token"}],
        "issuers": [issuer.section() | {"leeway_s": 0}],
        "principals": [{"cdf": "plant"}],
        "timeouts": {"token_grace_s": 0},
    }
    with ConfiguredGateway(tmp_path, NO_CDF, **sections) as gateway:
        token = issuer.token(exp=int(time.time()) + 8)
        server = dataclasses.replace(gateway.server, user=ADA, password=token, database="postgres")
        connection = psycopg.connect(**server.keywords(sslmode="require"), autocommit=True)
        assert connection.execute("SELECT 1").fetchone() == (1,)
        # The server speaks first.
        assert select.select([connection.fileno()], [], [], 30)[0]
        error = told(connection.execute, "SELECT 1")
        error.must_have("57P01", message="access token of its sign-in has expired", hint="connect again")
        assert error.severity == "FATAL"
        assert connection.closed
    issuer.stop()
