"""The accounts API of version 1.0: `/create` and the tables below `/user`."""

import psycopg
import pytest
from support.access import FIRST_MINIMUM, GatewayWithAccounts, GuardedCdf, acl
from support.binary import PROJECT

pytestmark = pytest.mark.gateway_only


@pytest.fixture(scope="module")
def cdf(tmp_path_factory):
    cdf = GuardedCdf(tmp_path_factory.mktemp("cdf"))
    yield cdf
    cdf.process.stop()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, cdf):
    gateway = GatewayWithAccounts(tmp_path_factory.mktemp("gateway"), cdf)
    yield gateway
    gateway.process.stop()


@pytest.fixture(scope="module")
def loader(cdf):
    application = cdf.register("loader")
    cdf.link(application, *FIRST_MINIMUM, acl("raw", "READ", "WRITE", "LIST"))
    return application


def creation(cdf, application, **changes):
    auth = {
        "token_url": cdf.token_url,
        "client_id": application.client_id,
        "client_secret": application.client_secret,
        "scope": f"{cdf.url}/.default",
    }
    return {"auth": auth | changes, "project": PROJECT}


@pytest.fixture(scope="module")
def user(cdf, gateway, loader):
    """Name and password of a user of version 1.0."""
    answer = gateway.call("POST", "/create", cdf.token(loader), creation(cdf, loader))
    assert answer.status == 200, answer
    return answer.body["username"], answer.body["password"]


def test_a_user_of_version_1_writes_by_the_names_of_version_1(cdf, gateway, user):
    with psycopg.connect(**gateway.keywords(*user), autocommit=True) as connection:
        connection.execute(
            """INSERT INTO raw (database, "table", key, columns) VALUES ('first', 't', 'k', '{"a": 1}')"""
        )
    assert cdf.administrator.raw.rows.retrieve("first", "t", "k").columns == {"a": 1}


def test_tables_are_made_changed_and_deleted_by_number(cdf, gateway, loader, user):
    name, password = user
    token = cdf.token(loader)
    path = f"/user/{name}/tables"
    options = {"primary_key": "title", "database": "first", "table": "movies"}
    table = {"destination": "raw", "name": "movies", "columns": ["title", "year"], "options": options}
    made = gateway.call("POST", path, token, {"items": [table]})
    assert made.status == 200, made
    number = made.body["items"][0]["id"]
    assert made.body["items"] == [table | {"id": number}]
    assert gateway.call("GET", path, token).body == made.body
    assert gateway.call("GET", f"/{path}", token).body == made.body
    change = {"name": {"set": "films"}, "columns": {"add": ["director"]}}
    changed = gateway.call(
        "POST", f"{path}/update", token, {"items": [{"id": str(number), "update": change}]}
    )
    assert changed.body["items"][0] | {"options": options} == {
        "id": number,
        "destination": "raw",
        "name": "films",
        "columns": ["title", "year", "director"],
        "options": options,
    }
    with psycopg.connect(**gateway.keywords(name, password), autocommit=True) as connection:
        connection.execute("INSERT INTO films (title, year, director) VALUES ('Playtime', '1967', 'Tati')")
    row = cdf.administrator.raw.rows.retrieve("first", "movies", "Playtime").columns
    assert row["year"] == "1967" and row["director"] == "Tati"
    assert gateway.call("POST", f"{path}/delete", token, {"items": [{"id": number}]}).body == {}
    assert gateway.call("GET", path, token).body == {"items": []}


@pytest.mark.parametrize(
    ("left_out", "name"), [("projectsAcl", "project:list"), ("groupsAcl", "groups:list")]
)
def test_invalid_token_says_what_is_missing(cdf, gateway, left_out, name):
    poor = cdf.register("poor")
    cdf.link(poor, *[capability for capability in FIRST_MINIMUM if left_out not in capability])
    answer = gateway.call("POST", "/create", cdf.token(poor), creation(cdf, poor))
    assert answer.status == 401
    message = answer.body["error"]["message"]
    assert message.startswith("invalid token") and name in message


def test_a_secret_goes_to_listed_identity_providers_only(cdf, gateway, loader):
    for token_url in (
        "http://169.254.169.254/latest/meta-data",
        "https://login.microsoftonline.com.evil.example/token",
        cdf.url.replace("127.0.0.1", "127.0.0.2") + "/oauth2/token",
        "file:///etc/passwd",
    ):
        answer = gateway.call(
            "POST", "/create", cdf.token(loader), creation(cdf, loader, token_url=token_url)
        )
        assert answer.status == 400 and "is not accepted" in answer.body["error"]["message"], answer


def test_credentials_that_do_not_work_make_no_user(cdf, gateway, loader):
    answer = gateway.call("POST", "/create", cdf.token(loader), creation(cdf, loader, client_secret="wrong"))
    assert answer.status == 400 and "do not work" in answer.body["error"]["message"]
    assert "wrong" not in answer.body["error"]["message"]


def test_somebody_elses_tables_are_not_there(cdf, gateway, user):
    stranger = cdf.register("stranger")
    cdf.link(stranger, *FIRST_MINIMUM, client=cdf.administrator_of("other"))
    token = cdf.token(stranger)
    for name in (user[0], "nobody"):
        assert gateway.call("GET", f"/user/{name}/tables", token).status == 404


def test_secrets_are_nowhere_in_the_logs_and_the_store(cdf, gateway, loader, user):
    secrets = (loader.client_secret, user[1], cdf.token(loader))
    files = [file for file in gateway.file.parent.iterdir() if file.is_file()]
    for file in [*files, gateway.process.log, cdf.process.log]:
        content = file.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, file
