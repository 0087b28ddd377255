"""The PostgreSQL that a session with temporary tables has for itself: its bounds and its end."""

import contextlib
import os
import pathlib
import signal
import threading

import psycopg
import pytest
from support.configured import ConfiguredGateway
from support.engines import await_figure, directories, state
from support.local_cdf import LocalCdf
from support.told import refusal

pytestmark = pytest.mark.gateway_only


def test_discard_drops_what_there_is_and_the_engine_with_it(server, target):
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        for discard in ("DISCARD TEMP", "DISCARD ALL"):
            before = state(target, "leased")
            connection.execute("CREATE TEMP TABLE kept AS SELECT 1 AS a")
            assert state(target, "leased") == before + 1
            connection.execute(discard)
            await_figure(target, 'penstock_engines{state="leased"}', before)
            assert refusal(connection, "SELECT * FROM kept").sqlstate == "42P01"


@pytest.fixture
def alone(local_cdf, tmp_path):
    """A gateway that starts no engine before it is needed."""
    with ConfiguredGateway(tmp_path, local_cdf.url, engine={"spares": 0}) as gateway:
        yield gateway


def test_nothing_is_left_when_a_session_ends(alone):
    with psycopg.connect(**alone.server.keywords(autocommit=True)) as connection:
        connection.execute("CREATE TEMP TABLE secrets AS SELECT 'xyzzy' || 'plugh' AS word")
        mine = directories(alone.process.pid)
        assert len(mine) == 1
    ended(alone.process, mine)
    with psycopg.connect(**alone.server.keywords(autocommit=True)) as connection:
        assert refusal(connection, "SELECT * FROM secrets").sqlstate == "42P01"
        found = connection.execute("SELECT count(*) FROM pg_class WHERE relname = 'secrets'")
        assert found.fetchone() == (0,)


def ended(process, engines: dict[int, pathlib.Path]):
    """Waits until engines have ended and their files are gone."""
    gone = threading.Event()
    for _ in range(300):
        here = directories(process.pid)
        if not any(number in here or directory.exists() for number, directory in engines.items()):
            return
        gone.wait(0.1)
    raise AssertionError(f"engines stay: {engines}")


def in_thread(work) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.embedded_only
def test_a_cancel_ends_the_session_that_has_tables(server):
    with (
        contextlib.suppress(psycopg.OperationalError),
        psycopg.connect(**server.keywords(autocommit=True)) as connection,
    ):
        connection.execute("CREATE TEMP TABLE doomed (a int)")
        failed = []

        def run():
            try:
                connection.execute("SELECT count(*), pg_sleep(600) FROM doomed")
            except psycopg.Error as error:
                failed.append(error)

        thread = in_thread(run)
        while thread.is_alive():
            connection.cancel_safe()
            thread.join(0.2)
        assert failed[0].sqlstate == "57P01"
        assert "canceling statement due to user request" in failed[0].diag.message_detail
        assert "make them anew" in failed[0].diag.message_hint
        assert connection.closed


def test_a_time_out_ends_no_session_without_tables(connection):
    connection.execute("SET statement_timeout = '500ms'")
    error = refusal(connection, "DO $$ BEGIN LOOP END LOOP; END $$")
    assert error.sqlstate == "57014"
    connection.execute("SET statement_timeout = 0")
    assert connection.execute("DO $$ BEGIN END $$").statusmessage == "DO"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A gateway that lets two sessions have an engine, with little disk."""
    local = LocalCdf(tmp_path_factory.mktemp("small") / "emulator.log")
    directory = tmp_path_factory.mktemp("small-gateway")
    engines = directory / "engines"
    engines.mkdir()
    engine = {"owned_max": 2, "engines_max": 2, "disk_bytes_max": 200 << 20, "directory": str(engines)}
    with ConfiguredGateway(directory, local.url, engine=engine) as gateway:
        gateway.engines = engines
        yield gateway
    local.stop()


def test_so_many_sessions_have_tables_and_no_more(small):
    with contextlib.ExitStack() as stack:

        def connect():
            return stack.enter_context(psycopg.connect(**small.server.keywords(autocommit=True)))

        first, second, third = connect(), connect(), connect()
        first.execute("CREATE TEMP TABLE t (a int)")
        second.execute("CREATE TEMP TABLE t (a int)")
        error = refusal(third, "CREATE TEMP TABLE t (a int)")
        assert error.sqlstate == "53300"
        assert "engine.owned_max is 2" in error.diag.message_detail
        # Statements share others.
        assert third.execute("SELECT count(*) FROM generate_series(1, 3)").fetchone() == (3,)
        first.execute("DROP TABLE t")
        third.execute("CREATE TEMP TABLE t (a int)")


def test_a_table_that_fills_the_disk_ends_its_session(small):
    with (
        contextlib.suppress(psycopg.OperationalError),
        psycopg.connect(**small.server.keywords(autocommit=True)) as connection,
    ):
        connection.execute("CREATE TEMP TABLE big (t text)")
        error = refusal(
            connection,
            "INSERT INTO big SELECT string_agg(md5((n * m)::text), '') FROM generate_series(1, 20000) AS n,"
            " generate_series(1, 200) AS m GROUP BY n",
        )
        assert error.sqlstate == "53400"
        assert "engine.disk_bytes_max" in error.diag.message_detail
        assert connection.closed
    with psycopg.connect(**small.server.keywords(autocommit=True)) as connection:
        connection.execute("CREATE TEMP TABLE big (t text)")


def test_an_engine_that_is_killed_takes_its_tables_and_says_so(small):
    with (
        contextlib.suppress(psycopg.OperationalError),
        psycopg.connect(**small.server.keywords(autocommit=True)) as connection,
    ):
        connection.execute("CREATE TEMP TABLE doomed (a int)")
        # Its own, and whatever is kept ready beside it.
        for number in directories(small.process.pid):
            os.kill(number, signal.SIGKILL)
        error = refusal(connection, "SELECT * FROM doomed")
        assert error.sqlstate == "57P01"
        assert connection.closed
    with psycopg.connect(**small.server.keywords(autocommit=True)) as connection:
        connection.execute("CREATE TEMP TABLE doomed (a int)")
        assert connection.execute("SELECT * FROM doomed").fetchall() == []
