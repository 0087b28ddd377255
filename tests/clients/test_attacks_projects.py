"""Reaching for what is somebody else's: by project, by name, by path."""

import http.client
import json

import psycopg
import pytest
from cognite.client.data_classes.postgres_gateway import Column, RawTableOptions, RawTableWrite
from cognite.client.exceptions import CogniteAPIError
from support.access import FIRST_MINIMUM
from support.binary import PROJECT
from support.samples import unique
from support.two_projects import OTHER, USERS, TwoProjects

RAW_ROW = "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES (%s, %s, %s, %s)"

pytestmark = pytest.mark.gateway_only


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    two = TwoProjects(tmp_path_factory.mktemp("two"))
    yield two
    two.stop()


@pytest.fixture(autouse=True)
def good_client(two):
    """Whatever was tried, a good client is served right after."""
    yield
    two.serve_a_good_client()


def attempts(project, name, table):
    """Calls on somebody's user and tables."""
    users = f"/api/v1/projects/{project}/postgresgateway"
    tables = f"{users}/tables/{name}"
    first = f"/user/{name}/tables"
    taken_away = {"username": name, "update": {"credentials": {"setNull": True}}}
    options = {"database": "own", "table": "x", "primaryKey": "k"}
    new = {"type": "raw_rows", "tablename": "x", "options": options, "columns": [{"k": {"type": "TEXT"}}]}
    yield "GET", tables, None
    yield "POST", f"{users}/byids", {"items": [{"username": name}]}
    yield "POST", f"{users}/update", {"items": [taken_away]}
    yield "POST", f"{users}/delete", {"items": [{"username": name}]}
    yield "POST", tables, {"items": [new]}
    yield "POST", f"{tables}/byids", {"items": [{"tablename": "rows"}]}
    yield "POST", f"{tables}/delete", {"items": [{"tablename": "rows"}]}
    yield "GET", first, None
    yield "POST", first, {"items": []}
    yield "POST", f"{first}/update", {"items": [{"id": table, "update": {"name": {"set": "y"}}}]}
    yield "POST", f"{first}/delete", {"items": [{"id": table}]}


def number_of_table(two, user, owner):
    """By which version 1.0 names the user's table."""
    shown = two.gateway.call("GET", f"/user/{user.username}/tables", two.cdf.token(owner)).body
    return shown["items"][0]["id"]


def test_another_projects_users_can_be_neither_seen_nor_touched(two):
    token = two.cdf.token(two.loader)
    user, sdk = two.theirs, two.their_sdk
    number = number_of_table(two, user, two.stranger)
    for project in (PROJECT, OTHER):
        for method, path, body in attempts(project, user.username, number):
            answer = two.gateway.call(method, path, token, body)
            # In the other project the token is none; in its own there is no such user.
            wanted = (401,) if project in path and project == OTHER else (400, 404)
            assert answer.status in wanted, (method, path, answer)
    assert user.username not in json.dumps(two.gateway.call("GET", f"{USERS}?limit=100", token).body)
    assert [table.tablename for table in sdk.tables.list(user.username)] == ["rows"]
    with two.connected(user) as connection:
        connection.execute("INSERT INTO rows (k) VALUES ('still mine')")
    assert two.cdf.administrator_of(OTHER).raw.rows.retrieve("own", "rows", "still mine") is not None


def test_the_same_names_in_two_projects_are_two_things(two):
    for user, mark in ((two.ours, "ours"), (two.theirs, "theirs")):
        with two.connected(user) as connection:
            connection.execute(RAW_ROW, ("shared", "t", "k", json.dumps({"by": mark})))
    for client, mark in ((two.cdf.administrator, "ours"), (two.cdf.administrator_of(OTHER), "theirs")):
        assert client.raw.rows.retrieve("shared", "t", "k").columns == {"by": mark}


def test_sql_reaches_nobody_elses_rows_tables_or_name(two):
    user, other = two.ours, two.theirs
    with two.connected(other) as connection:
        connection.execute("INSERT INTO rows (k) VALUES ('secret')")
    secret = RawTableWrite("private", RawTableOptions("own", "p", "k"), [Column("k", "TEXT")])
    two.their_sdk.tables.create(other.username, secret)
    with two.connected(user) as connection:
        for statement, code in [
            ("INSERT INTO private (k) VALUES ('x')", "42P01"),
            (f"INSERT INTO \"{other.username}\".rows (k) VALUES ('x')", "42P01"),
            (f"INSERT INTO \"{other.username}\".public.rows (k) VALUES ('x')", "0A000"),
            ("SELECT * FROM private WHERE 1=0", "42P01"),
            ("DELETE FROM private WHERE k = 'secret'", "42P01"),
            ("COPY private FROM STDIN", "42P01"),
            (f'SET SESSION AUTHORIZATION "{other.username}"', None),
            (f'SET ROLE "{other.username}"', None),
        ]:
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(statement)
            assert code is None or caught.value.sqlstate == code, (statement, caught.value)
        assert connection.execute("SELECT current_user").fetchone() == (user.username,)
        # The same table name, and one's own row of that key.
        connection.execute("DELETE FROM rows WHERE k = 'secret'")
    assert two.cdf.administrator_of(OTHER).raw.rows.retrieve("own", "rows", "secret") is not None
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(**two.gateway.keywords(user.username, user.password, dbname=other.username))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**two.gateway.keywords(other.username, user.password))


def test_version_1_is_no_way_around_what_version_2_asks_for(two):
    user, sdk = two.ours, two.our_sdk
    poor = two.cdf.register("first-only")
    two.cdf.link(poor, *FIRST_MINIMUM)
    scoped = two.cdf.register("scoped")
    scope = {"usersScope": {"usernames": ["somebody-else"]}}
    two.cdf.link(
        scoped, *FIRST_MINIMUM, {"postgresGatewayAcl": {"actions": ["READ", "WRITE"], "scope": scope}}
    )
    number = number_of_table(two, user, two.loader)
    for application in (poor, scoped):
        token = two.cdf.token(application)
        for method, path, body in attempts(PROJECT, user.username, number):
            answer = two.gateway.call(method, path, token, body)
            assert answer.status in (400, 403, 404), (method, path, answer)
    assert [table.tablename for table in sdk.tables.list(user.username)] == ["rows"]


PATHS = [
    "/api/v1/projects/../projects/plant/postgresgateway",
    "/api/v1/projects/%2e%2e/postgresgateway",
    "/api/v1/projects/./postgresgateway",
    "/api/v1/projects//postgresgateway",
    "/api/v1/projects/..%2f..%2fother/postgresgateway",
    "/api/v1/projects/other%2fpostgresgateway%2f..%2f..%2f{project}/postgresgateway",
    "/api/v1/projects/{project}%00/postgresgateway",
    "/api/v1/projects/{project}%0d%0aX-Evil:%201/postgresgateway",
    "/api/v1/projects/{project}/postgresgateway/../postgresgateway",
    "/api/v1/projects/{project}/postgresgateway/tables/..%2f{user}",
    "/api/v1/projects/{project}/postgresgateway/tables/%2e%2e%2f{user}",
    "/api/v1/projects/{project}/postgresgateway/tables/{user}%2f..",
    "/api/v1/projects/{project}/postgresgateway/tables/{user}%00",
    "/api/v1/projects/{project}/postgresgateway/tables/%c0%ae%c0%ae",
    "/api/v1/projects/{project}/postgresgateway/tables/%ff%fe",
    "/api/v1/projects/{project}/postgresgateway/tables/%",
    "/api/v1/projects/{project}/postgresgateway/tables//",
    "/user/..%2f{user}/tables",
    "/user/%2e%2e/tables",
    "/user//tables",
    "/user/{user}%2ftables/tables",
    "/user/{user}/tables/../../create",
    "http://two.evil.example/user/%2e%2e/tables",
    "/" + "a" * 60_000,
]


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_no_trick_in_a_path_leads_to_anything(two, path):
    token = two.cdf.token(two.loader)
    before = two.cdf.emulator.next_sequence()
    connection = http.client.HTTPConnection(two.gateway.api.removeprefix("http://"), timeout=20)
    connection.putrequest("GET", path.format(project=PROJECT, user=two.ours.username), skip_host=True)
    connection.putheader("Host", "127.0.0.1")
    connection.putheader("Authorization", f"Bearer {token}")
    connection.endheaders()
    answer = connection.getresponse()
    assert 400 <= answer.status < 500, (answer.status, answer.read())
    # At most CDF was asked whose token it is.
    asked = {request["operation"] for request in two.cdf.emulator.requests(since=before)}
    assert asked <= {"token.inspect"}, asked


def test_names_of_raw_databases_tables_and_keys_are_only_names(two):
    tricks = [
        "%2f",
        "%2e%2e",
        "..%2f..%2ftimeseries",
        "a/../b",
        "../x",
        "a?x=1",
        "a#b",
        "a;b",
        "a\\b",
        "...",
        " ",
    ]
    raw = two.cdf.administrator.raw
    before = {found.name for found in raw.databases.list(limit=None)}
    with two.connected(two.ours) as connection:
        for trick in tricks:
            database = f"{trick}{unique('-db')}"
            connection.execute(RAW_ROW, (database, trick, trick, '{"a": 1}'))
            before.add(database)
            assert [table.name for table in raw.tables.list(database, limit=None)] == [trick]
            assert [row.key for row in raw.rows.list(database, trick, limit=None)] == [trick]
        for step in (".", "..", ""):
            for names in ((step, "t"), ("d", step)):
                with pytest.raises(psycopg.Error) as caught:
                    connection.execute(RAW_ROW, (*names, "k", "{}"))
                assert caught.value.sqlstate[:2] in ("22", "23", "42"), (names, caught.value)
    assert {found.name for found in raw.databases.list(limit=None)} == before


@pytest.mark.parametrize("step", [".", "..", ""])
def test_a_custom_table_of_a_name_that_is_a_step_in_a_path_writes_nothing(two, step):
    user, sdk = two.ours, two.our_sdk
    for options in (RawTableOptions(step, "t", "k"), RawTableOptions("d", step, "k")):
        name = unique("step")
        before = two.cdf.emulator.next_sequence()
        try:
            sdk.tables.create(user.username, RawTableWrite(name, options, [Column("k", "TEXT")]))
        except CogniteAPIError as refused:
            assert refused.code == 422
            continue
        with two.connected(user) as connection, pytest.raises(psycopg.Error):
            connection.execute(f'INSERT INTO "{name}" (k) VALUES (%s)', ("k",))
        assert "raw.rows.insert" not in {
            found["operation"] for found in two.cdf.emulator.requests(since=before)
        }
        sdk.tables.delete(user.username, name)
