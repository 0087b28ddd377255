"""Access that is taken away: connections end, nothing acknowledged is lost, and it can come back."""

from __future__ import annotations

import dataclasses
import json
import time
import typing

import pytest
from support import frames
from support.access import FIRST_MINIMUM, SECOND_MINIMUM, GatewayWithAccounts, GuardedCdf, acl
from support.binary import PROJECT
from support.errors_document import proves
from support.frames import Frames, SignInRefused, signed_in
from support.samples import unique

pytestmark = pytest.mark.gateway_only

DATABASE = "revoked"
RAW = acl("raw", "READ", "WRITE", "LIST")
MINIMUM = {"1.0": FIRST_MINIMUM, "2.0": SECOND_MINIMUM}
TABLES = {
    "1.0": 'raw (database, "table", key, columns)',
    "2.0": "raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)",
}
USERS = f"/api/v1/projects/{PROJECT}/postgresgateway"

# Generous: how long something takes is not what is judged here.
COMES_WITHIN_S = 60
PARKED = "penstock_journal_identities_stopped"


@dataclasses.dataclass(frozen=True)
class Setting:
    cdf: GuardedCdf
    gateway: GatewayWithAccounts


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    directory = tmp_path_factory.mktemp("revocation")
    cdf = GuardedCdf(directory)
    cdf.administrator.raw.databases.create(DATABASE)
    cdf.administrator.raw.tables.create(DATABASE, ["delivered", "journaled"])
    gateway = GatewayWithAccounts(
        directory,
        cdf,
        accounts={"check_interval_s": 1},
        journal={"directory": "journal", "parked_retry_s": 1},
        retry={"interval_max_ms": 500},
        pacing={"breaker_failures": 0},
    )
    yield Setting(cdf, gateway)
    gateway.process.stop()
    cdf.process.stop()


@pytest.fixture(autouse=True)
def no_fault_is_left(setting):
    yield
    setting.cdf.emulator.clear_faults()


@dataclasses.dataclass
class Loader:
    """A user of the gateway, with what is behind it."""

    setting: Setting
    version: str

    def __post_init__(self):
        self.application = self.setting.cdf.register("loader")
        self.group = self.setting.cdf.link(self.application, *MINIMUM[self.version], RAW)
        gateway, cdf = self.setting.gateway, self.setting.cdf
        if self.version == "1.0":
            answer = gateway.create_by_secret(cdf, self.application)
        else:
            nonce, self.session = cdf.session(self.application)
            answer = gateway.send_nonce(cdf.token(self.application), nonce)
        assert answer.status == 200, answer
        made = answer.body if self.version == "1.0" else answer.body["items"][0]
        self.server = gateway.server(made["username"], made["password"])

    def connect(self) -> Frames:
        connection = signed_in(self.server)
        connection.socket.settimeout(COMES_WITHIN_S)
        return connection

    def insert(self, table: str, key: str) -> bytes:
        values = f"'{DATABASE}', '{table}', '{key}', '{{}}'"
        return frames.query(f"INSERT INTO {TABLES[self.version]} VALUES ({values})")

    def take_session(self) -> None:
        """Gives the user a new session, as an administrator of the gateway does."""
        cdf = self.setting.cdf
        nonce, self.session = cdf.session(self.application)
        item = {"username": self.server.user, "update": {"credentials": {"set": {"nonce": nonce}}}}
        token = cdf.token(self.application)
        answer = self.setting.gateway.call("POST", f"{USERS}/update", token, {"items": [item]})
        assert answer.status == 200, answer


def error(messages: list[frames.Message]) -> dict[str, str] | None:
    return next((got.fields for got in messages if got.kind == "E"), None)


def last_words(connection: Frames) -> dict[str, str]:
    """What the gateway says when it ends the connection by itself."""
    fields = error(connection.read_until("E"))
    assert connection.is_closed_by_server()
    return fields


def until(what: str, is_so: typing.Callable[[], object]) -> None:
    """Returns once `is_so`; it looks at what only shows by looking."""
    deadline = time.monotonic() + COMES_WITHIN_S
    while not is_so():
        assert time.monotonic() < deadline, f"not within {COMES_WITHIN_S} s: {what}"
        time.sleep(0.1)


def outcome(loader: Loader) -> tuple[str, str]:
    """How far somebody comes who connects and writes: ("sign-in", SQLSTATE), and so on."""
    try:
        connection = loader.connect()
    except SignInRefused as refused:
        return "sign-in", refused.fields["C"]
    with connection:
        connection.send(loader.insert("delivered", unique("k")))
        while (got := connection.read()).kind not in "EC":
            pass
        return ("statement", got.fields["C"]) if got.kind == "E" else ("written", "")


# How access is taken, and how it comes back.


def unlink(loader: Loader) -> None:
    loader.setting.cdf.unlink(loader.group)


def link(loader: Loader) -> None:
    loader.group = loader.setting.cdf.link(loader.application, *MINIMUM[loader.version], RAW)


def leave_the_tables_only(loader: Loader) -> None:
    """What CDF itself asks for stays, what the gateway asks for goes."""
    everything = loader.group
    loader.group = loader.setting.cdf.link(loader.application, RAW)
    loader.setting.cdf.unlink(everything)


def revoke_the_session(loader: Loader) -> None:
    loader.setting.cdf.administrator.iam.sessions.revoke(loader.session)


def change_the_secret(loader: Loader) -> None:
    loader.application = loader.setting.cdf.change(loader.application, secret=unique("secret"))


def rotate_the_secret(loader: Loader) -> None:
    if loader.version == "2.0":
        return loader.take_session()
    command = ("user", "rotate-secret", "--client-secret-env", "NEW_SECRET", loader.server.user)
    done = loader.setting.gateway.command(*command, NEW_SECRET=loader.application.client_secret)
    assert done.returncode == 0, done.stderr


def end_the_membership(loader: Loader) -> None:
    loader.setting.cdf.change(loader.application, is_member=False)
    # Groups are written into a token when it is made: the old ones are let expire.
    loader.setting.cdf.expire_tokens()


def begin_the_membership(loader: Loader) -> None:
    loader.setting.cdf.change(loader.application)
    loader.setting.cdf.expire_tokens()


def delete_the_application(loader: Loader) -> None:
    loader.setting.cdf.emulator.delete_application(loader.application.client_id)


def register_the_application(loader: Loader) -> None:
    loader.setting.cdf.change(loader.application)
    if loader.version == "2.0":
        # The session ended with the application.
        loader.take_session()


def delete_the_user(loader: Loader) -> None:
    done = loader.setting.gateway.command("user", "delete", loader.server.user)
    assert done.returncode == 0, done.stderr


def make_the_user_again(loader: Loader) -> None:
    cdf, application = loader.setting.cdf, loader.application
    done = loader.setting.gateway.command(
        *("user", "create", "--project", PROJECT, "--name", loader.server.user, "--dialect", "1.0"),
        *("--token-url", cdf.token_url, "--client-id", application.client_id),
        *("--client-secret-env", "CLIENT_SECRET"),
        CLIENT_SECRET=application.client_secret,
    )
    assert done.returncode == 0, done.stderr
    password = done.stdout.splitlines()[1].removeprefix("password ")
    loader.server = dataclasses.replace(loader.server, password=password)


@dataclasses.dataclass(frozen=True)
class Withdrawal:
    take: typing.Callable[[Loader], None]
    give_back: typing.Callable[[Loader], None]
    ends_with: str
    new_ones: tuple[str, str]
    # Whether CDF itself would still take the user's rows.
    cdf_takes_rows: bool = False


REFUSED_BY_CDF = ("28000", ("statement", "28000"))
GROUP = Withdrawal(unlink, link, *REFUSED_BY_CDF)
GATEWAY = Withdrawal(leave_the_tables_only, link, "28000", ("sign-in", "28000"), cdf_takes_rows=True)
SESSION = Withdrawal(revoke_the_session, Loader.take_session, *REFUSED_BY_CDF)
SECRET = Withdrawal(change_the_secret, rotate_the_secret, *REFUSED_BY_CDF)
MEMBERSHIP = Withdrawal(end_the_membership, begin_the_membership, *REFUSED_BY_CDF)
APPLICATION = Withdrawal(delete_the_application, register_the_application, *REFUSED_BY_CDF)
# What is on its way to CDF when its user is deleted goes on: CDF still takes it.
USER = Withdrawal(delete_the_user, make_the_user_again, "57P01", ("sign-in", "28P01"), cdf_takes_rows=True)

CASES = [
    pytest.param("1.0", GROUP, id="1.0-group"),
    pytest.param("2.0", GROUP, id="2.0-group"),
    pytest.param("1.0", GATEWAY, id="1.0-capabilities-of-the-gateway"),
    pytest.param("2.0", GATEWAY, id="2.0-capabilities-of-the-gateway"),
    pytest.param("2.0", SESSION, id="2.0-session"),
    pytest.param("1.0", SECRET, id="1.0-secret"),
    pytest.param("2.0", SECRET, id="2.0-secret"),
    pytest.param("1.0", MEMBERSHIP, id="1.0-membership"),
    pytest.param("2.0", MEMBERSHIP, id="2.0-membership"),
    pytest.param("1.0", APPLICATION, id="1.0-application"),
    pytest.param("2.0", APPLICATION, id="2.0-application"),
    pytest.param("1.0", USER, id="1.0-user"),
]


def at_work(loader: Loader) -> dict[str, Frames]:
    """Connections of one user in the middle of whatever a client may be doing."""
    idle, in_transaction, in_copy, waiting = (loader.connect() for _ in range(4))
    # Somebody whose statements work, so that what ends is a connection that was good.
    assert error(idle.ask(loader.insert("delivered", unique("k")))) is None
    rows = loader.insert("delivered", "staged")
    assert error(in_transaction.ask(frames.query("BEGIN"))) is None
    assert error(in_transaction.ask(rows)) is None
    in_copy.send(frames.query(f"COPY {TABLES[loader.version]} FROM STDIN"))
    in_copy.read_until("G")
    in_copy.send(frames.copy_data(f"{DATABASE}\tdelivered\tcopied\t{{}}\n".encode()))
    loader.setting.cdf.emulator.inject(
        kind="status", status=503, operation="raw.rows.insert", identity=loader.application.client_id
    )
    waiting.send(loader.insert("delivered", "waiting"))
    until("CDF is asked", lambda: loader.setting.cdf.emulator.fault_hits() > 0)
    return {"idle": idle, "in a transaction": in_transaction, "in a COPY": in_copy, "waiting": waiting}


@proves(
    "Sign-in",
    {"the user has no session any more, or lacks what the gateway asks for in CDF": "28000"},
)
@pytest.mark.parametrize(("version", "withdrawal"), CASES)
def test_connections_end_and_journaled_rows_come_when_access_is_back(setting, version, withdrawal):
    cdf, loader = setting.cdf, Loader(setting, version)
    neighbour = Loader(setting, version).connect()
    connections = at_work(loader)
    journaled = unique("journaled")
    with loader.connect() as writer:
        assert error(writer.ask(frames.query("SET penstock.ack = 'journaled'"))) is None
        assert error(writer.ask(loader.insert("journaled", journaled))) is None

    parked = setting.gateway.metric(PARKED)
    withdrawal.take(loader)
    for what, connection in connections.items():
        assert last_words(connection)["C"] == withdrawal.ends_with, what
    assert outcome(loader) == withdrawal.new_ones

    def row():
        return cdf.administrator.raw.rows.retrieve(DATABASE, "journaled", journaled)

    cdf.emulator.clear_faults()
    if withdrawal.cdf_takes_rows:
        until("the journaled row is delivered", row)
    else:
        until("the journaled row is parked", lambda: setting.gateway.metric(PARKED) > parked)
        assert row() is None
    assert cdf.administrator.raw.rows.retrieve(DATABASE, "delivered", "staged") is None
    assert cdf.administrator.raw.rows.retrieve(DATABASE, "delivered", "copied") is None

    withdrawal.give_back(loader)
    # Those who were refused are looked at again when they come, so it takes some seconds.
    until("new connections write", lambda: outcome(loader)[0] == "written")
    until("the journaled row is in CDF", row)
    # CDF has the row before the gateway has its answer, and the next test counts from here.
    until("its user is stopped no more", lambda: setting.gateway.metric(PARKED) <= parked)
    # Nobody else has noticed anything.
    assert error(neighbour.ask(loader.insert("delivered", unique("k")))) is None
    neighbour.socket.close()


def test_who_lacks_only_a_table_stays_connected_and_is_told_what_is_missing(setting):
    loader = Loader(setting, "2.0")
    with loader.connect() as connection:
        setting.cdf.unlink(loader.group)
        loader.group = setting.cdf.link(loader.application, *SECOND_MINIMUM)
        told = error(connection.ask(loader.insert("delivered", unique("k"))))
        assert (told["C"], "rawAcl (WRITE" in told["H"]) == ("42501", True), told
        # Long enough for a look because of the denial: the next checks are waited for.
        looks = setting.gateway.metric("penstock_access_checks_total")
        until("it was looked at", lambda: setting.gateway.metric("penstock_access_checks_total") > looks + 2)
        setting.cdf.unlink(loader.group)
        link(loader)
        assert error(connection.ask(loader.insert("delivered", unique("k")))) is None


def test_an_identity_provider_that_is_away_ends_nothing(setting):
    loader = Loader(setting, "1.0")
    with loader.connect() as connection:
        assert error(connection.ask(loader.insert("delivered", unique("k")))) is None
        setting.cdf.emulator.inject(kind="status", status=503, operation="token.issue")
        before = setting.gateway.metric("penstock_access_checks_total")
        asked = setting.cdf.emulator.fault_hits
        until(
            "it was looked at several times",
            lambda: setting.gateway.metric("penstock_access_checks_total") > before + 2 and asked() > 2,
        )
        setting.cdf.emulator.clear_faults()
        assert error(connection.ask(loader.insert("delivered", unique("k")))) is None


def test_rows_of_a_deleted_user_are_not_sent_with_other_credentials(setting):
    cdf, loader = setting.cdf, Loader(setting, "1.0")
    journaled = unique("journaled")
    cdf.emulator.inject(
        kind="status", status=503, operation="raw.rows.insert", identity=loader.application.client_id
    )
    with loader.connect() as writer:
        assert error(writer.ask(frames.query("SET penstock.ack = 'journaled'"))) is None
        assert error(writer.ask(loader.insert("journaled", journaled))) is None
    delete_the_user(loader)
    # Another application, with the old user's name: its rows go out as its own, and no others.
    owner, other = loader.application, Loader(setting, "1.0")
    loader.application = other.application
    make_the_user_again(loader)
    cdf.unlink(loader.group)
    cdf.emulator.clear_faults()
    until("new connections write", lambda: outcome(loader)[0] == "written")
    assert cdf.administrator.raw.rows.retrieve(DATABASE, "journaled", journaled) is None
    # The old owner comes back, and so do the rows.
    delete_the_user(loader)
    loader.application = owner
    link(loader)
    make_the_user_again(loader)
    until(
        "the journaled row is in CDF",
        lambda: cdf.administrator.raw.rows.retrieve(DATABASE, "journaled", journaled),
    )
    sent = [entry for entry in cdf.emulator.requests("raw.rows.insert") if journaled in json.dumps(entry)]
    assert {entry["identity"] for entry in sent if entry["status"] == 200} == {owner.client_id}
