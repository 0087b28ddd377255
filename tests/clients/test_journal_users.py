"""Journaled rows of users with tokens, over the end of the gateway, the token and the rule."""

from __future__ import annotations

import dataclasses
import time

import psycopg
import pytest
from support.binary import PROJECT
from support.certificates import write_certificate
from support.configured import ConfiguredGateway
from support.emulator import Emulator
from support.local_cdf import LocalCdf
from support.samples import unique
from support.token_issuer import ADA, AUDIENCE, CDF_AUDIENCE, TokenIssuer

pytestmark = pytest.mark.gateway_only

OWN = "own@example.com"
BEHALF = "behalf@example.com"
COMES_WITHIN_S = 60


class Site:
    """A gateway that is killed and started again, with one journal, one CDF and one issuer."""

    def __init__(self, directory):
        self.directory = directory
        self.cdf = LocalCdf(directory / "cdf.log", "--require-token", "--project", PROJECT)
        self.emulator = Emulator(self.cdf.url)
        self.issuer = TokenIssuer()
        certificate, key = write_certificate(directory)
        self.emulator.register_application("plant-app", "the plant's secret", [])
        self.plant = {
            "token_url": self.cdf.token_url,
            "client_id": "plant-app",
            "client_secret": "the plant's secret",
        }
        own_token = {"own_token": True, "base_url": self.cdf.url, "project": PROJECT}
        self.sections = {
            "listen": {"tls_certificate": certificate, "tls_private_key": key},
            "sign_in": [{"user": "*@example.com", "method": "token"}, {"method": "scram"}],
            "issuers": [self.issuer.section() | {"audiences": [AUDIENCE, "plant-app"]}],
            "principals": [
                {"user": OWN, **own_token},
                {"user": BEHALF, "on_behalf_of": "plant"},
                {"user": ADA, "cdf": "plant"},
            ],
            "journal": {"directory": str(directory / "journal"), "parked_retry_s": 1},
            "retry": {"interval_max_ms": 500},
            "pacing": {"breaker_failures": 0},
        }
        self.gateway = None

    def start(self, **sections) -> None:
        self.gateway = ConfiguredGateway(self.directory, self.cdf.url, self.plant, **self.sections | sections)

    def kill(self) -> None:
        """As the machine does that runs out of memory."""
        self.gateway.process.kill()

    def end(self) -> None:
        if self.gateway is not None and self.gateway.process.child.poll() is None:
            self.gateway.process.stop()
        self.issuer.stop()
        self.cdf.stop()

    def connect(self, user: str, token: str) -> psycopg.Connection:
        server = dataclasses.replace(self.gateway.server, user=user, password=token, database="postgres")
        return psycopg.connect(**server.keywords(sslmode="require"), autocommit=True)

    def cdf_is_down(self) -> None:
        self.emulator.inject(kind="status", status=503, operation="raw.rows.insert")

    def cdf_is_back(self) -> None:
        self.emulator.clear_faults()

    def written(self) -> dict[str, str]:
        """Who wrote the rows that CDF took, by key."""
        requests = [entry for entry in self.emulator.requests("raw.rows.insert") if entry["status"] == 200]
        return {key: entry["identity"] for entry in requests for key in entry["keys"]}

    def await_written(self, key: str) -> str:
        deadline = time.monotonic() + COMES_WITHIN_S
        while key not in (written := self.written()):
            assert time.monotonic() < deadline, self.gateway.process.log_tail()
            time.sleep(0.1)
        return written[key]


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.end()


def insert(connection, key: str) -> None:
    connection.execute(
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES ('tokens', 't', %s, '{}')",
        (key,),
    )


def test_acknowledged_rows_outlive_the_gateway_the_token_and_its_issuer(site):
    site.start()
    site.cdf_is_down()
    keys = [unique("k") for _ in range(3)]
    # A token that ends before the rows are delivered.
    with site.connect(ADA, site.issuer.token(exp=int(time.time()) + 5)) as connection:
        connection.execute("SET penstock.ack = 'journaled'")
        for key in keys:
            insert(connection, key)
        site.kill()
    assert site.written() == {}
    site.issuer.stop()
    site.cdf_is_back()
    site.start()
    # They go out with the credentials that the gateway keeps, and nobody has to sign in.
    assert {site.await_written(key) for key in keys} == {"plant-app"}


@pytest.mark.parametrize("ack", ["of the session", "of the configuration"])
@pytest.mark.parametrize("user", [OWN, BEHALF])
def test_rows_that_nobody_could_deliver_later_are_refused_up_front(site, user, ack):
    if ack == "of the configuration":
        site.sections["journal"] |= {"ack": "journaled"}
    site.start()
    audience = {OWN: CDF_AUDIENCE}.get(user)
    token = site.issuer.token(upn=user, **({"aud": audience} if audience else {}))
    refused = unique("k")
    with site.connect(user, token) as connection:
        if ack == "of the session":
            connection.execute("SET penstock.ack = 'journaled'")
        with pytest.raises(psycopg.errors.FeatureNotSupported) as told:
            insert(connection, refused)
        assert "credentials the gateway does not keep" in str(told.value)
        assert "SET penstock.ack = 'delivered'" in told.value.diag.message_hint
    site.kill()
    site.start()
    # What was refused is not in the journal either: what comes behind it is delivered alone.
    with site.connect(ADA, site.issuer.token()) as connection:
        connection.execute("SET penstock.ack = 'journaled'")
        later = unique("k")
        insert(connection, later)
    assert site.await_written(later) == "plant-app"
    assert refused not in site.written()


def test_rows_wait_in_their_order_while_no_rule_gives_their_user_the_credentials(site):
    site.start()
    site.cdf_is_down()
    first, second = unique("k"), unique("k")
    with site.connect(ADA, site.issuer.token()) as connection:
        connection.execute("SET penstock.ack = 'journaled'")
        insert(connection, first)
    site.kill()
    site.cdf_is_back()
    bob = "bob@example.com"
    site.start(principals=[{"user": bob, "cdf": "plant"}])
    # Bob writes as the same principal, whose rows keep their order.
    with site.connect(bob, site.issuer.token(upn=bob)) as connection:
        connection.execute("SET statement_timeout = '3s'")
        with pytest.raises(psycopg.errors.QueryCanceled, match="0 of 1 rows are in CDF"):
            insert(connection, unique("refused"))
        connection.execute("SET penstock.ack = 'journaled'")
        insert(connection, second)
    assert site.written() == {}
    site.kill()
    site.sections["principals"].append({"user": bob, "cdf": "plant"})
    site.start()
    assert site.await_written(second) == "plant-app"
    assert list(site.written()) == [first, second]
