"""docs/setup.md, walked as an administrator would: from the application to rows in CDF."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from support.access import FIRST_MINIMUM, SECOND_MINIMUM, GatewayWithAccounts, GuardedCdf, acl
from support.binary import PROJECT, binary

pytestmark = pytest.mark.gateway_only

RAW = acl("raw", "READ", "WRITE", "LIST")


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


def post(url: str, token: str, body: dict) -> dict:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def load(gateway, user: str, password: str, command: str, rows: str) -> None:
    """Step 5, with psql in the place of an ETL tool."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    environment |= {"PGPASSWORD": password}
    place = f"host={gateway.host} port={gateway.port} dbname={user} user={user}"
    done = subprocess.run(
        ["psql", "-X", "-v", "ON_ERROR_STOP=1", place, "-c", command],
        input=rows,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_version_2_from_the_application_to_rows_in_cdf(cdf, gateway):
    # Steps 1 to 3.
    application = cdf.register("etl")
    cdf.link(application, *SECOND_MINIMUM, RAW)
    # Step 4: a token, a session, and the user.
    token = cdf.token(application)
    client = {"clientId": application.client_id, "clientSecret": application.client_secret}
    session = post(f"{cdf.url}/api/v1/projects/{PROJECT}/sessions", token, {"items": [client]})
    nonce = session["items"][0]["nonce"]
    users = f"{gateway.api}/api/v1/projects/{PROJECT}/postgresgateway"
    made = post(users, token, {"items": [{"credentials": {"nonce": nonce}}]})["items"][0]
    # Step 5.
    command = r"\copy raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) from stdin csv"
    load(gateway, made["username"], made["password"], command, 'setup,second,k,"{""a"": 1}"\n')
    assert cdf.administrator.raw.rows.retrieve("setup", "second", "k").columns == {"a": 1}


def test_version_1_from_the_application_to_rows_in_cdf(cdf, gateway):
    application = cdf.register("etl")
    cdf.link(application, *FIRST_MINIMUM, RAW)
    auth = {
        "token_url": cdf.token_url,
        "client_id": application.client_id,
        "client_secret": application.client_secret,
        "scope": f"{cdf.url}/.default",
    }
    body = {"auth": auth, "project": PROJECT}
    made = post(f"{gateway.api}/create", cdf.token(application), body)
    command = r'\copy raw (database, "table", key, columns) from stdin csv'
    load(gateway, made["username"], made["password"], command, 'setup,first,k,"{""a"": 2}"\n')
    assert cdf.administrator.raw.rows.retrieve("setup", "first", "k").columns == {"a": 2}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [binary(), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
    )


def test_the_way_without_a_nonce_by_the_command_line(cdf, gateway):
    application = cdf.register("etl")
    cdf.link(application, *SECOND_MINIMUM, RAW)
    config = str(gateway.file)
    made = run(
        *("user", "create", "--config", config, "--project", PROJECT, "--name", "Ada L@example.com"),
        *("--token-url", cdf.token_url, "--client-id", application.client_id),
        *("--client-secret-env", "CLIENT_SECRET", "--scope", f"{cdf.url}/.default"),
        CLIENT_SECRET=application.client_secret,
    )
    assert made.returncode == 0, made.stderr
    said = dict(line.split(" ", 1) for line in made.stdout.splitlines()[:2])
    assert said["username"] == "Ada L@example.com"
    listed = run("user", "list", "--config", config)
    assert (
        f"Ada L@example.com  project {PROJECT}, version 2.0, client {application.client_id}" in listed.stdout
    )
    # The gateway that runs has seen it once another password is accepted: commands are seen in a second.
    rotated = run("user", "rotate-password", "--config", config, "Ada L@example.com")
    password = dict(line.split(" ", 1) for line in rotated.stdout.splitlines()[:2])["password"]
    await_sign_in(gateway, "Ada L@example.com", password)
    deleted = run("user", "delete", "--config", config, "Ada L@example.com")
    assert deleted.returncode == 0, deleted.stderr
    assert run("user", "delete", "--config", config, "Ada L@example.com").returncode == 1


def await_sign_in(gateway, user: str, password: str) -> None:
    """Tries until the gateway knows the password."""
    import psycopg

    # A command is seen within a second; each failure counts against a bound of sign-ins.
    for _ in range(60):
        try:
            with psycopg.connect(**gateway.keywords(user, password)) as connection:
                assert connection.execute("SELECT current_user").fetchone() == (user,)
                return
        except psycopg.OperationalError as error:
            assert "password authentication failed" in str(error), error
            time.sleep(0.5)
    raise AssertionError("the gateway does not see the change")


def test_a_key_is_rotated_while_users_keep_working(tmp_path, cdf):
    application = cdf.register("etl")
    cdf.link(application, *FIRST_MINIMUM, RAW)
    gateway = GatewayWithAccounts(tmp_path, cdf)
    auth = {
        "token_url": cdf.token_url,
        "client_id": application.client_id,
        "client_secret": application.client_secret,
    }
    made = post(f"{gateway.api}/create", cdf.token(application), {"auth": auth, "project": PROJECT})
    gateway.process.stop()
    (tmp_path / "new.key").write_text("ab" * 32)
    text = gateway.file.read_text()
    both = text.replace('key_file = "state.key"', 'key_file = "new.key"\nprevious_key_file = "state.key"')
    gateway.file.write_text(both)
    rotated = run("state", "rotate-key", "--config", str(gateway.file))
    assert rotated.returncode == 0 and rotated.stdout.startswith("1 secrets"), rotated
    gateway.file.write_text(both.replace('previous_key_file = "state.key"\n', ""))
    gateway.restart()
    command = r'\copy raw (database, "table", key, columns) from stdin csv'
    load(gateway, made["username"], made["password"], command, 'setup,rotated,k,"{}"\n')
    gateway.process.stop()
    # The old key opens nothing any more, and the start says which key it would take.
    gateway.file.write_text(text)
    refused = run("serve", str(gateway.file))
    assert refused.returncode == 1 and "check state.key and state.previous_key" in refused.stderr, (
        refused.stderr
    )


def test_a_second_gateway_waits_and_takes_over(tmp_path, cdf):
    from support.process import ServerProcess

    first = GatewayWithAccounts(tmp_path, cdf)
    waiting = ServerProcess(
        [binary(), "serve", str(first.file)],
        r"penstock serve ready",
        tmp_path / "second.log",
        awaits_ready=False,
    )
    waiting.await_log("another gateway serves")
    address = waiting.await_log(r"readiness are shown http=(\S+)")[1]
    with pytest.raises(urllib.error.HTTPError) as standby:
        urllib.request.urlopen(f"http://{address}/ready", timeout=20)
    assert (standby.value.code, standby.value.read()) == (503, b"standby\n")
    first.process.stop()
    waiting.await_ready()
    waiting.stop()
