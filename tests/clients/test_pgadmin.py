"""pgAdmin's way in: a token in the place of the password, and what pgAdmin asks when it connects.

What is asked here are questions of pgAdmin's kind in words of our own; pgAdmin itself asks its own in
`test_pgadmin_tree`.
"""

import concurrent.futures
import dataclasses

import psycopg
import pytest
from support.certificates import write_certificate
from support.configured import ConfiguredGateway
from support.gateway import Gateway
from support.psql import psql
from support.samples import moment, seconds
from support.token_issuer import ADA, TokenIssuer

pytestmark = pytest.mark.gateway_only

# As pgAdmin 9 sends it: one query. It closes the connection on an error.
SETTINGS = (
    "SET DateStyle=ISO; "
    "SET client_min_messages=notice; "
    "SELECT set_config('bytea_output','hex',false)"
    " FROM pg_show_all_settings()"
    " WHERE name = 'bytea_output'; "
    "SET client_encoding='utf-8';"
)


@pytest.fixture(scope="module")
def entra(tmp_path_factory):
    """(gateway that takes tokens made for PostgreSQL, their issuer, the store behind)"""
    directory = tmp_path_factory.mktemp("pgadmin")
    certificate, key = write_certificate(directory)
    behind = Gateway(directory / "behind.log", "--create-missing-time-series")
    issuer = TokenIssuer()
    sections = {
        "listen": {"tls_certificate": certificate, "tls_private_key": key},
        "sign_in": [{"user": "*@example.com", "method": "token"}, {"method": "scram"}],
        "issuers": [issuer.section()],
        "principals": [{"user": ADA, "cdf": "plant"}],
    }
    with ConfiguredGateway(directory, behind.cdf_url, **sections) as gateway:
        yield gateway, issuer, behind.store
    issuer.stop()
    behind.stop()


def server(entra, database):
    gateway, issuer, _ = entra
    return dataclasses.replace(gateway.server, user=ADA, password=issuer.token(), database=database)


@pytest.mark.parametrize("database", ["postgres", ADA])
def test_psql_writes_with_a_token_from_its_environment_to_either_database(entra, series, database):
    statement = f"INSERT INTO double_datapoints VALUES (1, '2026-11-01Z', '{series}')"
    done = psql(server(entra, database), "-c", statement, PGSSLMODE="require")
    assert done.lines == ["INSERT 0 1"], done.error
    assert entra[2].points(series) == seconds([1.0])


@pytest.mark.parametrize("database", ["postgres", ADA])
def test_pgadmin_gets_through_its_first_queries_and_writes(entra, series, database):
    keywords = server(entra, database).keywords(sslmode="prefer", application_name="pgAdmin 4 - DB:postgres")
    with psycopg.connect(**keywords, autocommit=True) as connection:
        cursor = connection.cursor()
        # Without parameters psycopg sends one simple query, as pgAdmin does.
        cursor.execute(SETTINGS)
        said = []
        while True:
            said.append(cursor.statusmessage)
            if cursor.statusmessage.startswith("SELECT"):
                assert cursor.fetchall() == [("hex",)]
            if not cursor.nextset():
                break
        assert said == ["SET", "SET", "SELECT 1", "SET"]
        (version,) = connection.execute("SELECT version()").fetchone()
        assert version.startswith("PostgreSQL ")
        assert connection.info.server_version >= 120_000
        asked = "SELECT current_database(), current_user, session_user, current_schema()"
        assert connection.execute(asked).fetchone() == (database, ADA, ADA, "public")
        connection.execute("INSERT INTO double_datapoints VALUES (1, %s, %s)", (moment(0), series))
    assert entra[2].points(series) == seconds([1.0])


@pytest.fixture(scope="module", params=["postgres", ADA])
def connection(entra, request):
    """Signed in with a token over TLS, to either database."""
    keywords = server(entra, request.param).keywords(sslmode="require", autocommit=True)
    with psycopg.connect(**keywords) as connection:
        yield connection


def test_the_connection_is_encrypted_and_its_server_has_the_gateways_port(entra, connection):
    assert connection.pgconn.ssl_in_use
    assert connection.execute("SELECT inet_server_port()").fetchone() == (entra[0].server.port,)


def test_settings_are_found_by_their_function(connection):
    names = "SELECT name FROM pg_show_all_settings() WHERE name IN ('bytea_output', 'DateStyle')"
    assert set(connection.execute(names).fetchall()) == {("bytea_output",), ("DateStyle",)}
    connection.execute("SELECT set_config('bytea_output', 'escape', false)")
    assert connection.execute("SHOW bytea_output").fetchone() == ("escape",)
    connection.execute("RESET bytea_output")


def test_the_database_is_told_with_its_encoding_and_what_the_user_may_do_in_it(connection):
    row = connection.execute(
        "SELECT d.datname, pg_encoding_to_char(d.encoding), d.datallowconn, d.datistemplate,"
        " has_database_privilege(d.oid, 'CREATE'), has_database_privilege(d.oid, 'CONNECT')"
        " FROM pg_database AS d WHERE d.datname = current_database()"
    ).fetchone()
    assert row == (connection.info.dbname, "UTF8", True, False, False, True)


def test_the_only_database_in_the_list_is_the_one_of_the_connection(connection):
    listed = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"
    assert connection.execute(listed).fetchall() == [(connection.info.dbname,)]


def test_nobody_has_signed_in_by_gssapi(connection):
    asked = "SELECT gss_authenticated, encrypted FROM pg_stat_gssapi WHERE pid = pg_backend_pid()"
    assert connection.execute(asked).fetchall() in ([], [(False, False)])


def test_the_user_is_a_role_that_may_make_nothing(connection):
    row = connection.execute(
        "SELECT r.rolname, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolcanlogin"
        " FROM pg_roles AS r WHERE r.rolname = current_user"
    ).fetchone()
    assert row == (ADA, False, False, False, False, True)
    as_user = "SELECT usename, usesuper, usecreatedb FROM pg_user WHERE usename = current_user"
    assert connection.execute(as_user).fetchone() == (ADA, False, False)


def test_the_roles_that_the_user_is_in_are_found_by_following_their_memberships(connection):
    found = connection.execute(
        "SELECT ARRAY(WITH RECURSIVE above AS ("
        "  SELECT oid, rolname FROM pg_roles WHERE oid = mine.oid"
        "  UNION ALL SELECT g.oid, g.rolname FROM above"
        "  JOIN pg_auth_members AS m ON m.member = above.oid JOIN pg_roles AS g ON g.oid = m.roleid)"
        " SELECT rolname::text FROM above) FROM pg_roles AS mine WHERE mine.rolname = current_user"
    ).fetchone()
    assert found == ([ADA],)


def test_a_statement_is_cancelled_by_the_number_of_its_session(entra, connection):
    asked = "SELECT pg_sleep(60)"
    with (
        psycopg.connect(**server(entra, "postgres").keywords(autocommit=True)) as other,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        sleeping = pool.submit(other.execute, asked)
        cancel = f"SELECT pg_cancel_backend({other.info.backend_pid})"
        # It may not have begun yet.
        while not sleeping.done():
            assert connection.execute(cancel).fetchone() == (True,)
            concurrent.futures.wait([sleeping], timeout=0.2)
        assert isinstance(sleeping.exception(), psycopg.errors.QueryCanceled)


def test_nobody_cancels_what_another_user_runs(entra, connection):
    gateway, _, _ = entra
    with psycopg.connect(**gateway.server.keywords(autocommit=True)) as other:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"SELECT pg_cancel_backend({other.info.backend_pid})")
        assert other.execute("SELECT 1").fetchone() == (1,)
    assert connection.execute("SELECT pg_cancel_backend(2000000000)").fetchone() == (False,)
