"""What a session is told of itself where a PostgreSQL answers: its own number, and not that of an engine."""

import psycopg
import pytest

# A PostgreSQL of the operator's tells of its own connections.
pytestmark = pytest.mark.embedded_only


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(autocommit=True), application_name="teller") as connection:
        yield connection


def test_a_session_has_one_number_whoever_answers(connection):
    own = connection.info.backend_pid
    for text in [
        "SELECT pg_backend_pid()",
        "SELECT pg_backend_pid() FROM generate_series(1, 1)",
        "SELECT max(p) FROM pg_backend_pid() AS p",
        "SELECT pid FROM pg_stat_activity WHERE pid = pg_backend_pid()",
        "SELECT pid FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    ]:
        assert connection.execute(text).fetchall() == [(own,)], text


def test_each_session_has_its_own_number_though_they_share_an_engine(server, connection):
    asked = "SELECT pid FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    with psycopg.connect(**server.keywords(autocommit=True)) as other:
        numbers = [one.execute(asked).fetchone()[0] for one in (connection, other, connection)]
        assert numbers == [one.info.backend_pid for one in (connection, other, connection)]


def test_a_session_sees_itself_in_pg_stat_activity(connection):
    row = connection.execute(
        "SELECT datname, usename, application_name, state, backend_type, client_addr = inet_client_addr(),"
        " client_port = inet_client_port(), backend_start <= query_start, query LIKE '%pg_stat_activity%'"
        " FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    ).fetchone()
    me = connection.info
    expected = (me.dbname, me.user, "teller", "active", "client backend", True, True, True, True)
    assert row == expected


def test_a_new_name_of_the_application_is_seen_at_once(connection):
    asked = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    connection.execute("SET application_name = 'another'")
    assert connection.execute(asked).fetchone() == ("another",)
    connection.execute("RESET application_name")
    assert connection.execute(asked).fetchone() == ("teller",)


def test_the_addresses_of_the_connection_are_told(server, connection):
    row = connection.execute(
        "SELECT host(inet_client_addr()), host(inet_server_addr()), inet_server_port(), inet_client_port() > 0"
        " FROM generate_series(1, 1)"
    ).fetchone()
    assert row == (server.host, server.host, server.port, True)


@pytest.mark.parametrize("within", ["a temporary table", "a transaction", "a function"])
def test_an_engine_of_ones_own_tells_the_same(connection, within):
    own = connection.info.backend_pid
    connection.execute("CREATE TEMP TABLE staged AS SELECT pg_backend_pid() AS number")
    assert connection.execute("SELECT number FROM staged").fetchone() == (own,)
    if within == "a transaction":
        connection.execute("BEGIN")
        connection.execute("INSERT INTO staged SELECT pg_backend_pid() + 0")
        connection.execute("ROLLBACK")
    if within == "a function":
        connection.execute(
            "DO $$ DECLARE n int := pg_backend_pid(); BEGIN UPDATE staged SET number = n + number; END $$"
        )
        assert connection.execute("SELECT number FROM staged").fetchone() == (own + own,)
    assert connection.execute("SELECT DISTINCT pg_backend_pid() FROM staged").fetchone() == (own,)


@pytest.mark.gateway_only
def test_a_session_sees_no_other(server, connection):
    with psycopg.connect(**server.keywords(autocommit=True)):
        seen = connection.execute("SELECT pid FROM pg_stat_activity").fetchall()
    assert seen == [(connection.info.backend_pid,)]
