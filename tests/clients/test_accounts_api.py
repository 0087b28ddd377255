"""The accounts API of version 2.0, judged by `client.postgres_gateway` of Cognite's SDK."""

import psycopg
import pytest
from cognite.client.data_classes.data_modeling import ViewId
from cognite.client.data_classes.postgres_gateway import (
    Column,
    RawTableOptions,
    RawTableWrite,
    SessionCredentials,
    UserUpdate,
    UserWrite,
    ViewTableWrite,
)
from cognite.client.exceptions import CogniteAPIError, CogniteDuplicatedError, CogniteNotFoundError
from support.access import SECOND_MINIMUM, GatewayWithAccounts, GuardedCdf, acl
from support.binary import PROJECT

USERS = f"/api/v1/projects/{PROJECT}/postgresgateway"

pytestmark = pytest.mark.gateway_only


@pytest.fixture(scope="module")
def cdf(tmp_path_factory):
    cdf = GuardedCdf(tmp_path_factory.mktemp("cdf"))
    yield cdf
    cdf.process.stop()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, cdf):
    gateway = GatewayWithAccounts(
        tmp_path_factory.mktemp("gateway"), cdf, accounts={"public_host": "postgres.example"}
    )
    yield gateway
    gateway.process.stop()


@pytest.fixture(scope="module")
def loader(cdf):
    """An application with everything that the setup guide asks for, and RAW."""
    application = cdf.register("loader")
    cdf.link(application, *SECOND_MINIMUM, acl("raw", "READ", "WRITE", "LIST"), acl("dataModels"))
    return application


@pytest.fixture
def sdk(cdf, gateway, loader):
    return gateway.sdk(cdf.token(loader))


def nonce(cdf, application):
    from cognite.client.data_classes import ClientCredentials

    credentials = ClientCredentials(application.client_id, application.client_secret)
    session = cdf.client(application).iam.sessions.create(credentials, session_type="CLIENT_CREDENTIALS")
    return SessionCredentials(session.nonce), session.id


@pytest.fixture
def user(cdf, loader, sdk):
    """A user made from a nonce; deleted at the end."""
    created = sdk.postgres_gateway.users.create(UserWrite(nonce(cdf, loader)[0]))
    yield created
    sdk.postgres_gateway.users.delete(created.username, ignore_unknown_ids=True)


def test_a_user_made_from_a_nonce_signs_in_and_writes(cdf, gateway, user):
    assert user.host == "postgres.example"
    assert user.created_time == user.last_updated_time
    assert len(user.password) >= 32
    with psycopg.connect(**gateway.keywords(user.username, user.password), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES ('api', 't', 'k', '{\"a\": 1}')"
        )
    assert cdf.administrator.raw.rows.retrieve("api", "t", "k").columns == {"a": 1}


def test_a_password_is_shown_once_and_stored_nowhere(gateway, user):
    directory = gateway.file.parent
    for file in directory.iterdir():
        assert user.password.encode() not in file.read_bytes(), file


def test_users_are_listed_shown_and_deleted(sdk, user):
    users = sdk.postgres_gateway.users
    assert user.username in [found.username for found in users.list(limit=-1)]
    assert user.username in [found.username for found in users()]
    found = users.retrieve(user.username)
    assert found.session_id == user.session_id
    assert users.retrieve("nobody", ignore_unknown_ids=True) is None
    with pytest.raises(CogniteNotFoundError):
        users.retrieve([user.username, "nobody"])
    users.delete(user.username)
    assert users.retrieve(user.username) is None
    with pytest.raises(CogniteNotFoundError):
        users.delete(user.username)
    users.delete(user.username, ignore_unknown_ids=True)


def test_lists_come_in_pages(cdf, gateway, loader, sdk):
    made = [sdk.postgres_gateway.users.create(UserWrite(nonce(cdf, loader)[0])).username for _ in range(3)]
    token = cdf.token(loader)
    seen, cursor = [], None
    while True:
        body = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = gateway.call("POST", f"{USERS}/list", token, body).body
        seen += [item["username"] for item in page["items"]]
        if not (cursor := page.get("nextCursor")):
            break
    assert set(made) <= set(seen) and seen == sorted(seen)
    for name in made:
        sdk.postgres_gateway.users.delete(name)


def test_a_session_is_replaced_and_taken_away(cdf, gateway, loader, sdk, user):
    users = sdk.postgres_gateway.users
    credentials, session = nonce(cdf, loader)
    updated = users.update(UserUpdate(user.username).credentials.set(credentials))
    assert updated.session_id == session
    assert updated.last_updated_time >= user.last_updated_time
    with psycopg.connect(**gateway.keywords(user.username, user.password)) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (user.username,)
    assert users.update(UserUpdate(user.username).credentials.set(None)).session_id is None
    with pytest.raises(psycopg.OperationalError, match="session"):
        psycopg.connect(**gateway.keywords(user.username, user.password))


def test_raw_tables_are_made_listed_written_and_deleted(cdf, gateway, sdk, user):
    tables = sdk.postgres_gateway.tables
    columns = [Column("k", "TEXT"), Column("n", "BIGINT"), Column("xs", "DOUBLE PRECISION[]")]
    table = RawTableWrite("Pump-1", RawTableOptions("api", "pumps", "k"), columns)
    created = tables.create(user.username, table)
    assert created.created_time and created.tablename == "Pump-1"
    # A client repeats a call whose answer it did not get.
    assert tables.create(user.username, table).created_time == created.created_time
    with pytest.raises(CogniteDuplicatedError):
        tables.create(user.username, RawTableWrite("Pump-1", RawTableOptions("api", "other", "k"), columns))
    assert [found.tablename for found in tables.list(user.username)] == ["Pump-1"]
    everything = tables.list(user.username, include_built_ins="yes", limit=-1)
    assert {"Pump-1", "assets", "raw_rows"} <= {found.dump()["tablename"] for found in everything}
    with psycopg.connect(**gateway.keywords(user.username, user.password), autocommit=True) as connection:
        connection.execute('INSERT INTO "Pump-1" (k, n, xs) VALUES (%s, %s, %s)', ("p", 7, [1.5, 2.0]))
    assert cdf.administrator.raw.rows.retrieve("api", "pumps", "p").columns["n"] == 7
    tables.delete(user.username, "Pump-1")
    with pytest.raises(CogniteNotFoundError):
        tables.delete(user.username, "Pump-1")
    tables.delete(user.username, "Pump-1", ignore_unknown_ids=True)


def test_a_new_connection_sees_the_tables_that_there_are_now(gateway, sdk, user):
    """Whatever was answered about the catalog before."""
    question = "SELECT relname FROM pg_class WHERE relname IN ('pumps', 'valves') ORDER BY 1"
    tables = sdk.postgres_gateway.tables

    def seen() -> list[str]:
        with psycopg.connect(**gateway.keywords(user.username, user.password)) as connection:
            return [name for (name,) in connection.execute(question)]

    for names in ([], ["pumps"], ["pumps", "valves"], ["valves"]):
        existing = {found.tablename for found in tables.list(user.username)}
        for name in set(names) - existing:
            columns = [Column("k", "TEXT"), Column("n", "BIGINT")]
            tables.create(user.username, RawTableWrite(name, RawTableOptions("api", name, "k"), columns))
        for name in existing - set(names):
            tables.delete(user.username, name)
        assert seen() == names
        assert seen() == names
    tables.delete(user.username, "valves")


def test_a_view_is_read_as_the_user_and_must_exist(sdk, user):
    tables = sdk.postgres_gateway.tables
    core = ViewId("cdf_cdm", "CogniteDescribable", "v1")
    created = tables.create(user.username, ViewTableWrite("descriptions", core))
    assert created.tablename == "descriptions"
    with pytest.raises(CogniteNotFoundError):
        tables.create(user.username, ViewTableWrite("nothing", ViewId("cdf_cdm", "NoSuchView", "v1")))
    tables.delete(user.username, "descriptions")


def test_a_deleted_users_connection_ends_and_nobody_signs_in_again(gateway, sdk, user):
    connection = psycopg.connect(**gateway.keywords(user.username, user.password), autocommit=True)
    sdk.postgres_gateway.users.delete(user.username)
    with pytest.raises(psycopg.OperationalError) as ended:
        while True:
            connection.execute("SELECT 1")
    assert ended.value.sqlstate in ("57P01", None)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**gateway.keywords(user.username, user.password))


def test_what_is_missing_at_creation_is_named(cdf, gateway):
    for left_out, name in (("sessionsAcl", "session:CREATE"), ("groupsAcl", "groups:list")):
        poor = cdf.register("poor")
        kept = [capability for capability in SECOND_MINIMUM if left_out not in capability]
        cdf.link(poor, *kept)
        answer = gateway.call("POST", USERS, cdf.token(poor), {"items": [{"credentials": {"nonce": "n"}}]})
        assert (answer.status, name in answer.body["error"]["message"]) == (403, True), answer


def test_readers_do_not_write_and_scopes_hide_other_users(cdf, gateway, user):
    reader = cdf.register("reader")
    cdf.link(reader, acl("postgresGateway", "READ"))
    token = cdf.token(reader)
    assert gateway.call("GET", USERS, token).status == 200
    assert (
        gateway.call("POST", f"{USERS}/delete", token, {"items": [{"username": user.username}]}).status == 403
    )
    scoped = cdf.register("scoped")
    scope = {"usersScope": {"usernames": ["somebody-else"]}}
    cdf.link(scoped, {"postgresGatewayAcl": {"actions": ["READ", "WRITE"], "scope": scope}})
    token = cdf.token(scoped)
    assert gateway.call("GET", USERS, token).body == {"items": []}
    assert (
        gateway.call("POST", f"{USERS}/byids", token, {"items": [{"username": user.username}]}).status == 400
    )
    assert gateway.call("GET", f"{USERS}/tables/{user.username}", token).status == 404


def test_users_of_another_project_are_not_there(cdf, gateway, user):
    elsewhere = cdf.register("elsewhere")
    other = cdf.client(elsewhere, "other").config.project
    cdf.link(elsewhere, *SECOND_MINIMUM, client=cdf.administrator_of("other"))
    token = cdf.token(elsewhere)
    theirs = f"/api/v1/projects/{other}/postgresgateway"
    assert gateway.call("GET", theirs, token).body == {"items": []}
    assert (
        gateway.call("POST", f"{theirs}/byids", token, {"items": [{"username": user.username}]}).status == 400
    )
    assert gateway.call("GET", f"{theirs}/tables/{user.username}", token).status == 404
    # And the other way round: the token opens nothing here.
    assert gateway.call("GET", USERS, token).status == 401


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", USERS, {"items": []}, 422, "1 to 1"),
        ("POST", USERS, {"items": [{"credentials": {"nonce": "a"}}] * 2}, 422, "1 to 1"),
        (
            "POST",
            USERS,
            {"items": [{"credentials": {"nonce": "a"}, "type": "x"}]},
            422,
            "Extra inputs are not permitted",
        ),
        ("POST", USERS, {"items": [{"credentials": None}]}, 400, "null"),
        ("POST", USERS, {"items": [{"credentials": {"nonce": 7}}]}, 422, "items.0.credentials.nonce"),
        ("POST", USERS, b"{", 400, "no JSON"),
        ("POST", USERS, [], 422, "object"),
        ("GET", f"{USERS}?limit=0", None, 422, "1 to 100"),
        ("GET", f"{USERS}?limit=101", None, 422, "1 to 100"),
        ("GET", f"{USERS}?cursor=*", None, 400, "cursor"),
        ("POST", f"{USERS}/list", {"limit": 11}, 422, "1 to 10"),
        ("POST", f"{USERS}/byids", {"items": [{"username": "x"}] * 11}, 422, "1 to 10"),
        ("GET", f"{USERS}/tables/x'; DROP TABLE accounts; --", None, 404, "no user"),
        ("GET", f"{USERS}/tables/..%2F..%2Fetc", None, 404, "no user"),
        ("GET", "/api/v1/projects/no%2Fproject/postgresgateway", None, 404, "no project"),
        ("GET", "/nothing", None, 404, "no such path"),
    ],
)
def test_requests_that_make_no_sense_are_told_so(cdf, gateway, loader, method, path, body, status, said):
    answer = gateway.call(method, path.replace(" ", "%20").replace("'", "%27"), cdf.token(loader), body)
    assert (answer.status, said in answer.body["error"]["message"]) == (status, True), answer


def test_nobody_gets_in_without_a_token_that_cdf_accepts(gateway):
    for token in (None, "", "nonsense", "a.b.c"):
        for method, path in (("GET", USERS), ("POST", USERS), ("POST", "/create"), ("GET", "/user/x/tables")):
            body = {} if method == "POST" else None
            assert gateway.call(method, path, token, body).status in (401, 422), (token, method, path)


def test_a_replayed_nonce_is_refused_and_makes_no_user(cdf, loader, sdk):
    users = sdk.postgres_gateway.users
    before = len(users.list(limit=-1))
    credentials = nonce(cdf, loader)[0]
    created = users.create(UserWrite(credentials))
    with pytest.raises(CogniteAPIError, match="older than a minute or was used before"):
        users.create(UserWrite(credentials))
    assert len(users.list(limit=-1)) == before + 1
    users.delete(created.username)


def test_a_nonce_older_than_a_minute_is_refused(cdf, loader, sdk):
    credentials = nonce(cdf, loader)[0]
    cdf.emulator.pass_time(seconds=61)
    with pytest.raises(CogniteAPIError, match="older than a minute"):
        sdk.postgres_gateway.users.create(UserWrite(credentials))
