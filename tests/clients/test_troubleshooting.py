"""docs/troubleshooting.md: each of its symptoms is brought about, seen in its words, and cured."""

from __future__ import annotations

import dataclasses
import re
import time
import typing

import psycopg
import pytest
from support.access import FIRST_MINIMUM, SECOND_MINIMUM, Application, GatewayWithAccounts, GuardedCdf, acl
from support.binary import PROJECT
from support.certificates import write_certificate
from support.configured import ConfiguredGateway
from support.document import Document, says
from support.frames import signed_in
from support.samples import unique
from support.token_issuer import ADA, TokenIssuer

pytestmark = pytest.mark.gateway_only

DOCUMENT = Document("troubleshooting.md")
RAW = acl("raw", "READ", "WRITE", "LIST")
USERS = f"/api/v1/projects/{PROJECT}/postgresgateway"
RAW_ROWS = "raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
INSERT = f"INSERT INTO {RAW_ROWS} VALUES ('trouble', 't', %s, '{{}}')"
COMES_WITHIN_S = 60

# Filled by the tests below, as the module is read.
HEADINGS: set[str] = set()
QUOTED: set[str] = set()


def entry(heading: str, *parts: str) -> list[str]:
    """What the document quotes below a heading, by a part of each quotation."""
    HEADINGS.add(heading)
    found = [DOCUMENT.quotation(heading, part) for part in parts]
    QUOTED.update(found)
    return found


def test_every_entry_of_the_document_is_tried_and_every_message_in_it():
    assert set(DOCUMENT.headings) == HEADINGS
    # Messages are those quotations that are sentences; commands begin with the program's name.
    messages = {
        quoted
        for heading in DOCUMENT.headings
        for quoted in DOCUMENT.quotations(heading)
        if len(quoted.split()) > 2 and not quoted.startswith("penstock ")
    }
    assert messages - QUOTED == set()


@pytest.fixture(scope="module")
def cdf(tmp_path_factory):
    cdf = GuardedCdf(tmp_path_factory.mktemp("cdf"))
    cdf.administrator.raw.databases.create("trouble")
    cdf.administrator.raw.tables.create("trouble", "t")
    yield cdf
    cdf.process.stop()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, cdf):
    gateway = GatewayWithAccounts(
        tmp_path_factory.mktemp("gateway"),
        cdf,
        accounts={"check_interval_s": 1},
        sign_in_failures={"per_user_max": 5, "per_address_max": 0},
    )
    yield gateway
    gateway.process.stop()


@pytest.fixture(autouse=True)
def no_fault_is_left(cdf):
    yield
    cdf.emulator.clear_faults()


@dataclasses.dataclass
class User:
    """One of the gateway, and the application behind it."""

    gateway: GatewayWithAccounts
    application: Application
    name: str
    password: str

    def connect(self, **more) -> psycopg.Connection:
        return psycopg.connect(**self.gateway.keywords(self.name, self.password, **more), autocommit=True)


def new_application(cdf, *capabilities) -> Application:
    application = cdf.register("etl")
    cdf.link(application, *capabilities)
    return application


def user_2(cdf, gateway, *capabilities) -> User:
    application = new_application(cdf, *SECOND_MINIMUM, *capabilities)
    answer = gateway.create_by_nonce(cdf, application)
    assert answer.status == 200, answer
    made = answer.body["items"][0]
    return User(gateway, application, made["username"], made["password"])


def user_1(cdf, gateway) -> User:
    application = new_application(cdf, *FIRST_MINIMUM, RAW)
    answer = gateway.create_by_secret(cdf, application)
    assert answer.status == 200, answer
    return User(gateway, application, answer.body["username"], answer.body["password"])


RAW_1 = """INSERT INTO raw (database, "table", key, columns) VALUES ('trouble', 't', %s, '{}')"""


def message(answer) -> str:
    return answer.body["error"]["message"]


def until_it_works(attempt: typing.Callable[[], object], *expected: str) -> object:
    """Tries again as a person would while the old state is still seen; no other error may come."""
    deadline = time.monotonic() + COMES_WITHIN_S
    while True:
        try:
            return attempt()
        except psycopg.Error as error:
            assert time.monotonic() < deadline, error
            assert any(words in str(error) for words in expected), error
            time.sleep(0.3)


ADF = '"User configuration error" in Azure Data Factory, though the connection test passes'
[NOT_ALLOWED] = entry(ADF, "CDF does not allow")
WRITES = {
    "Copy command": f"COPY {RAW_ROWS} FROM STDIN",
    "Bulk insert": f"INSERT INTO {RAW_ROWS} VALUES ('trouble', 't', 'a', '{{}}'), ('trouble', 't', 'b', '{{}}')",
    "Upsert": f"INSERT INTO {RAW_ROWS} VALUES ('trouble', 't', 'a', '{{}}') "
    "ON CONFLICT (_raw_database, _raw_table, _raw_key) DO UPDATE SET _raw_columns = EXCLUDED._raw_columns",
}


def write(connection, method: str) -> None:
    if method == "Copy command":
        with connection.cursor().copy(WRITES[method]) as copy:
            copy.write_row(("trouble", "t", "a", "{}"))
    else:
        connection.execute(WRITES[method])


def test_the_connection_test_passes_and_each_write_method_is_refused_until_the_group_has_the_acl(
    cdf, gateway
):
    user = user_2(cdf, gateway)
    with user.connect() as connection:
        # The test of a linked service signs in and asks for nothing of CDF's.
        assert connection.execute("SELECT 1").fetchone() == (1,)
        for method in WRITES:
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
                write(connection, method)
            assert says(str(refused.value), NOT_ALLOWED), method
            assert "rawAcl" in refused.value.diag.message_hint
        # What the document says, and no more.
        cdf.link(user.application, acl("raw", "READ", "WRITE"))
        for method in WRITES:
            write(connection, method)


CREATION = "A capability is missing when a user is made"
[CALLER_LACKS, LACKS_GATEWAY, SESSION_LACKS, AUTH_LACKS] = entry(
    CREATION,
    "session:CREATE",
    "postgresGateway:WRITE",
    "the principal of the session",
    "the application in auth",
)


def all_but(minimum: list[dict], *left_out: str) -> list[dict]:
    return [capability for capability in minimum if not set(left_out) & set(capability)]


def test_what_the_caller_lacks_at_creation_is_named_and_the_next_call_works(cdf, gateway):
    application = new_application(cdf, *all_but(SECOND_MINIMUM, "sessionsAcl"))
    token = cdf.token(application)
    answer = gateway.send_nonce(token, "unused")
    assert (answer.status, says(message(answer), CALLER_LACKS)) == (403, True), answer
    cdf.link(application, acl("sessions", "CREATE"))
    # With the same token: groups are CDF's, not the token's.
    assert gateway.send_nonce(token, cdf.session(application)[0]).status == 200


def test_who_lacks_the_gateways_own_acl_is_told_so(cdf, gateway):
    application = new_application(cdf, *all_but(SECOND_MINIMUM, "postgresGatewayAcl"))
    answer = gateway.send_nonce(cdf.token(application), "unused")
    assert (answer.status, says(message(answer), LACKS_GATEWAY)) == (403, True), answer


def test_what_the_principal_of_a_session_lacks_is_named(cdf, gateway):
    caller, poor = new_application(cdf, *SECOND_MINIMUM), new_application(cdf, acl("sessions", "CREATE"))
    answer = gateway.send_nonce(cdf.token(caller), cdf.session(poor)[0])
    assert (answer.status, says(message(answer), SESSION_LACKS)) == (403, True), answer
    assert "postgresGateway:READ" in message(answer) and "groups:list" in message(answer)


def test_what_the_application_in_auth_lacks_is_named(cdf, gateway):
    caller, poor = new_application(cdf, *FIRST_MINIMUM), new_application(cdf, RAW)
    answer = gateway.create_by_secret(cdf, poor, token=cdf.token(caller))
    assert (answer.status, says(message(answer), AUTH_LACKS)) == (403, True), answer
    assert "project:list" in message(answer) and "groups:list" in message(answer)


INVALID = '"invalid token" though the token is valid'
[OPENS_NOTHING, REFUSED_TOKEN, FIRST_LACKS] = entry(
    INVALID, "opens no project", "CDF refuses", "groups:list …"
)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_token_without_a_linked_group_is_invalid_and_a_new_one_is_not(cdf, gateway, version):
    application = cdf.register("etl")
    cdf.link(application, *SECOND_MINIMUM, RAW)
    # The application is no member of the group when the token is made.
    cdf.change(application, is_member=False)
    old = cdf.token(application)

    def create(token):
        if version == "1.0":
            return gateway.create_by_secret(cdf, application, token)
        return gateway.send_nonce(token, cdf.session(application)[0] if token != old else "unused")

    answer = create(old)
    assert (answer.status, says(message(answer), OPENS_NOTHING)) == (401, True), answer
    cdf.change(application)
    assert create(old).status == 401
    assert create(cdf.token(application)).status == 200


def test_a_source_id_of_another_group_is_as_good_as_none(cdf, gateway):
    application = cdf.register("etl")
    wrong = dataclasses.replace(application, source_id=application.source_id[:-1] + "x")
    cdf.link(wrong, *SECOND_MINIMUM)
    answer = gateway.send_nonce(cdf.token(application), "unused")
    assert (answer.status, says(message(answer), OPENS_NOTHING)) == (401, True), answer


def test_a_token_that_cdf_refuses_is_invalid(cdf, gateway):
    answer = gateway.send_nonce("a.b.c", "unused")
    assert (answer.status, says(message(answer), REFUSED_TOKEN)) == (401, True), answer


def test_version_1_calls_a_token_invalid_that_lacks_a_capability(cdf, gateway):
    application = new_application(cdf, *all_but(FIRST_MINIMUM, "groupsAcl"))
    answer = gateway.create_by_secret(cdf, application)
    assert (answer.status, says(message(answer), FIRST_LACKS)) == (401, True), answer


REVOKED = "The group was revoked while a tool is connected"
[WITHDRAWN, REFUSED_USER] = entry(REVOKED, "terminating connection", "the access of this user")


def test_a_tool_whose_group_is_revoked_is_told_so_and_so_is_the_next_one(cdf, gateway):
    # Only what the gateway asks for is taken; test_revocation.py takes everything else.
    user = user_2(cdf, gateway, RAW)
    open_one = signed_in(gateway.server(user.name, user.password))
    open_one.socket.settimeout(COMES_WITHIN_S)
    groups = [
        group.id
        for group in cdf.administrator.iam.groups.list(all=True)
        if group.source_id == user.application.source_id
    ]
    cdf.link(user.application, RAW)
    cdf.administrator.iam.groups.delete(groups)
    told = open_one.read_until("E")[-1].fields
    assert (told["C"], says(told["M"], WITHDRAWN)) == ("28000", True), told
    open_one.socket.close()
    with pytest.raises(psycopg.OperationalError) as refused:
        user.connect()
    assert says(str(refused.value), REFUSED_USER)
    assert "postgresGatewayAcl" in str(refused.value)
    cdf.link(user.application, *SECOND_MINIMUM)
    with until_it_works(user.connect, REFUSED_USER) as connection:
        connection.execute(INSERT, (unique("k"),))


NONCE = "The nonce is refused"
[OLD_NONCE] = entry(NONCE, "the nonce is not accepted")


def test_a_nonce_is_refused_when_it_is_old_was_used_or_failed_after_it_was_redeemed(cdf, gateway):
    application = new_application(cdf, *SECOND_MINIMUM)
    token = cdf.token(application)

    def refused(nonce):
        answer = gateway.send_nonce(token, nonce)
        assert (answer.status, says(message(answer), OLD_NONCE)) == (400, True), answer

    used, _ = cdf.session(application)
    assert gateway.send_nonce(token, used).status == 200
    refused(used)
    refused("never-made")
    poor = new_application(cdf, acl("sessions", "CREATE"))
    failed, _ = cdf.session(poor)
    assert gateway.send_nonce(token, failed).status == 403
    refused(failed)
    old, _ = cdf.session(application)
    cdf.emulator.pass_time(seconds=61)
    refused(old)
    assert gateway.send_nonce(token, cdf.session(application)[0]).status == 200


SECRET = "The client secret has expired"
[WRONG_SECRET, ENTRA_EXPIRED, SESSION_ENDED] = entry(
    SECRET, "does not accept the client id", "AADSTS7000222", "has ended the session"
)
EXPIRED = {
    "error": "invalid_client",
    "error_description": "AADSTS7000222: The provided client secret keys for app 'etl' are expired.",
}


def refused_statement(connect, statement: str) -> psycopg.Error:
    """What a new connection is told when it writes, once the gateway has noticed."""

    def attempt():
        with (
            connect() as connection,
            pytest.raises(psycopg.errors.InvalidAuthorizationSpecification) as refused,
        ):
            connection.execute(statement, (unique("k"),))
        return refused.value

    return attempt()


def await_end(connection) -> None:
    """Returns once the gateway has ended the connection."""
    connection.socket.settimeout(COMES_WITHIN_S)
    told = connection.read_until("E")[-1].fields
    assert told["C"] == "28000" and says(told["M"], WITHDRAWN), told
    connection.socket.close()


def test_an_expired_secret_of_a_users_own_application_is_told_and_rotated(cdf, gateway):
    user = user_1(cdf, gateway)
    open_one = signed_in(gateway.server(user.name, user.password))
    user.application = cdf.change(user.application, secret=unique("new"))
    await_end(open_one)
    refused = refused_statement(user.connect, RAW_1)
    assert says(str(refused), WRONG_SECRET)
    # Entra's own words for it reach the client, too.
    cdf.emulator.inject(kind="status", status=401, operation="token.issue", body=EXPIRED)
    told = until_it_works(lambda: told_by_entra(user), "AADSTS7000215", WITHDRAWN)
    cdf.emulator.clear_faults()
    assert says(told.diag.message_primary, WRONG_SECRET) and ENTRA_EXPIRED in told.diag.message_detail
    command = ("user", "rotate-secret", "--client-secret-env", "NEW_SECRET", user.name)
    done = gateway.command(*command, NEW_SECRET=user.application.client_secret)
    assert done.returncode == 0, done.stderr

    def write_it():
        with user.connect() as connection:
            connection.execute(RAW_1, (unique("k"),))

    until_it_works(write_it, WRONG_SECRET, WITHDRAWN, "credentials of its user were replaced")


def told_by_entra(user) -> psycopg.Error:
    with user.connect() as connection:
        try:
            connection.execute(RAW_1, (unique("k"),))
        except psycopg.Error as error:
            # A refusal is believed for some seconds, so the one before may still be told.
            if ENTRA_EXPIRED in str(error):
                return error
            raise
    raise AssertionError("it was written")


def test_an_expired_secret_of_a_sessions_principal_takes_a_new_session(cdf, gateway):
    user = user_2(cdf, gateway, RAW)
    open_one = signed_in(gateway.server(user.name, user.password))
    user.application = cdf.change(user.application, secret=unique("new"))
    await_end(open_one)
    refused = refused_statement(user.connect, INSERT)
    assert says(str(refused), SESSION_ENDED)
    nonce, _ = cdf.session(user.application)
    item = {"username": user.name, "update": {"credentials": {"set": {"nonce": nonce}}}}
    answer = gateway.call("POST", f"{USERS}/update", cdf.token(user.application), {"items": [item]})
    assert answer.status == 200, answer
    with user.connect() as connection:
        connection.execute(INSERT, (unique("k"),))


def test_an_expired_secret_of_the_configuration_is_replaced_by_a_restart(tmp_path, cdf):
    application = new_application(cdf, *FIRST_MINIMUM, RAW)
    (tmp_path / "secret").write_text("expired\n")
    principal = {
        "token_url": cdf.token_url,
        "client_id": application.client_id,
        "client_secret_file": str(tmp_path / "secret"),
        "scope": f"{cdf.url}/.default",
    }
    with ConfiguredGateway(tmp_path, cdf.url, principal) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification) as refused:
                connection.execute(INSERT, (unique("k"),))
            assert says(str(refused.value), WRONG_SECRET)
    (tmp_path / "secret").write_text(application.client_secret + "\n")
    with ConfiguredGateway(tmp_path, cdf.url, principal) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            connection.execute(INSERT, (unique("k"),))


CONSENT = "The scope has no consent"
[NO_CONSENT, ENTRA_CONSENT] = entry(CONSENT, "consent to the scope", "AADSTS65001")
WITHOUT_CONSENT = {
    "error": "invalid_grant",
    "error_description": "AADSTS65001: The user or administrator has not consented to use the application.",
    "suberror": "consent_required",
}


def test_a_scope_without_consent_is_told_by_statements_and_by_create(cdf, gateway):
    application = new_application(cdf, *FIRST_MINIMUM, RAW)
    token = cdf.token(application)
    cdf.emulator.inject(kind="status", status=400, operation="token.issue", body=WITHOUT_CONSENT)
    answer = gateway.create_by_secret(cdf, application, token)
    assert (answer.status, says(message(answer), NO_CONSENT)) == (400, True), answer
    assert ENTRA_CONSENT in message(answer)
    # The command line asks nobody, so the first to hear of it is a statement.
    done = gateway.command(
        *("user", "create", "--project", PROJECT, "--token-url", cdf.token_url),
        *("--client-id", application.client_id, "--client-secret-env", "CLIENT_SECRET"),
        CLIENT_SECRET=application.client_secret,
    )
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines()[:2])
    user = User(gateway, application, said["username"], said["password"])
    connection = until_it_works(user.connect, "password authentication failed")
    with connection, pytest.raises(psycopg.errors.InvalidAuthorizationSpecification) as refused:
        connection.execute(INSERT, (unique("k"),))
    assert says(str(refused.value), NO_CONSENT) and ENTRA_CONSENT in refused.value.diag.message_detail
    # An administrator consents.
    cdf.emulator.clear_faults()
    deadline = time.monotonic() + COMES_WITHIN_S
    # A refusal is believed for some seconds.
    while (answer := gateway.create_by_secret(cdf, application)).status != 200:
        assert says(message(answer), NO_CONSENT) and time.monotonic() < deadline, answer
        time.sleep(0.3)


LOST = "The password is lost"
entry(LOST)


def test_a_lost_password_is_replaced_and_the_users_tables_stay(cdf, gateway):
    user = user_2(cdf, gateway, RAW)
    options = {"database": "trouble", "table": "t", "primaryKey": "k"}
    table = {"type": "raw_rows", "tablename": "pumps", "options": options, "columns": {"k": {"type": "TEXT"}}}
    token = cdf.token(user.application)
    made = gateway.call("POST", f"{USERS}/tables/{user.name}", token, {"items": [table]})
    assert made.status == 200, made
    with user.connect() as open_one:
        done = gateway.command("user", "rotate-password", user.name)
        assert done.returncode == 0, done.stderr
        old, new = user.password, re.search(r"^password (\S+)$", done.stdout, flags=re.MULTILINE)[1]
        renewed = dataclasses.replace(user, password=new)
        with until_it_works(renewed.connect, "password authentication failed") as connection:
            connection.execute("INSERT INTO pumps (k) VALUES (%s)", (unique("k"),))
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            user.connect()
        assert open_one.execute("SELECT 1").fetchone() == (1,)
    # Nowhere: neither the old one nor the new one.
    for file in gateway.file.parent.iterdir():
        if file.is_file():
            content = file.read_bytes()
            assert old.encode() not in content and new.encode() not in content, file


PASSWORD = "Password authentication failed"
[PASSWORD_FAILED, TOKEN_FAILED, PASSWORD_LOGGED, TOKEN_LOGGED, TOO_MANY] = entry(
    PASSWORD,
    "password authentication failed",
    "token authentication failed",
    "a password was refused",
    "a token was refused",
    "too many sign-ins",
)


def refusal(server, **more) -> str:
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect(**server.keywords(**more))
    return str(refused.value)


def test_a_wrong_password_and_an_unknown_user_sound_alike_and_the_log_tells_them_apart(cdf, gateway):
    user = user_2(cdf, gateway)
    known, unknown = gateway.server(user.name, "wrong"), gateway.server("nobody-of-that-name", "wrong")
    for server in (known, unknown):
        assert says(refusal(server), PASSWORD_FAILED)
    log = gateway.process.log_text()
    for server, reason in ((known, "it is not the user's"), (unknown, "there is no such user")):
        [line] = [line for line in log.splitlines() if PASSWORD_LOGGED in line and server.user in line]
        assert reason in line
    # More guesses are not judged any more, also if one is right.
    deadline = time.monotonic() + COMES_WITHIN_S
    while not says(told := refusal(known), TOO_MANY):
        assert says(told, PASSWORD_FAILED) and time.monotonic() < deadline, told
    assert says(refusal(gateway.server(user.name, user.password)), TOO_MANY)


def test_a_bad_token_is_told_in_words_of_its_own_and_the_log_says_why(tmp_path, cdf):
    certificate, key = write_certificate(tmp_path)
    issuer = TokenIssuer()
    sections = {
        "listen": {"tls_certificate": certificate, "tls_private_key": key},
        "sign_in": [{"user": "*@example.com", "method": "token"}, {"method": "scram"}],
        "issuers": [issuer.section()],
        "principals": [{"user": "*@example.com", "cdf": "plant"}],
    }
    with ConfiguredGateway(tmp_path, cdf.url, **sections) as gateway:
        expired = dataclasses.replace(
            gateway.server, user=ADA, database="postgres", password=issuer.token(exp=1_700_000_000)
        )
        foreign = dataclasses.replace(expired, password=issuer.token(aud="https://graph.microsoft.com"))
        for server in (expired, foreign):
            assert says(refusal(server, sslmode="require"), TOKEN_FAILED)
        logged = [line for line in gateway.process.log_text().splitlines() if TOKEN_LOGGED in line]
        assert ["it has expired" in line for line in logged] == [True, False]
    issuer.stop()


DATABASE = "The database does not exist"
[NO_DATABASE] = entry(DATABASE, "does not exist")


def test_a_database_of_another_name_does_not_exist_and_two_do(cdf, gateway):
    user = user_2(cdf, gateway)
    told = refusal(gateway.server(user.name, user.password), dbname="elsewhere")
    assert says(told, NO_DATABASE)
    for name in (user.name, "postgres"):
        with user.connect(dbname=name) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == (name,)
