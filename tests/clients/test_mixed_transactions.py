"""Blocks of statements of both kinds: those that go straight to CDF and those that take a plan.

Read back by Cognite's SDK. What happens when CDF, an engine or the gateway fails in between.
"""

import contextlib
import os
import signal
import threading

import psycopg
import pytest
from support.binary import PROJECT
from support.configured import ConfiguredGateway
from support.engines import processes
from support.local_cdf import LocalCdf
from support.samples import unique
from support.store import CdfStore

pytestmark = pytest.mark.gateway_only


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords()) as connection:
        yield connection


@pytest.fixture
def prefix():
    return unique("mixed")


def insert(connection, *keys):
    for key in keys:
        connection.execute("INSERT INTO events (external_id, type, description) VALUES (%s, 'a', '0')", [key])


def appended(connection, prefix, letter) -> str:
    """Adds a letter to each description, by a plan; returns the tag."""
    change = "UPDATE events SET description = description || %s WHERE external_id LIKE %s"
    return connection.execute(change, [letter, f"{prefix}%"]).statusmessage


def seen(connection, prefix) -> dict:
    select = "SELECT external_id, description FROM events WHERE external_id LIKE %s"
    rows = connection.execute(select, [f"{prefix}%"]).fetchall()
    return {key.removeprefix(prefix): description for key, description in rows}


def written(cdf, prefix) -> dict:
    found = cdf.events.list(external_id_prefix=prefix, limit=None)
    return {event.external_id.removeprefix(prefix): event.description for event in found}


def test_each_statement_sees_what_those_before_it_staged_and_commit_keeps_their_order(
    connection, cdf, prefix
):
    insert(connection, f"{prefix}1", f"{prefix}2")
    assert appended(connection, prefix, "b") == "UPDATE 2"
    connection.execute("UPDATE events SET description = 'hot' WHERE external_id = %s", [f"{prefix}1"])
    assert seen(connection, prefix) == {"1": "hot", "2": "0b"}
    assert appended(connection, prefix, "c") == "UPDATE 2"
    connection.execute("DELETE FROM events WHERE external_id = %s", [f"{prefix}2"])
    insert(connection, f"{prefix}2", f"{prefix}3")
    assert appended(connection, prefix, "d") == "UPDATE 3"
    expected = {"1": "hotcd", "2": "0d", "3": "0d"}
    assert seen(connection, prefix) == expected
    assert written(cdf, prefix) == {}
    connection.commit()
    assert written(cdf, prefix) == expected


def test_rollback_takes_back_both(connection, cdf, prefix):
    insert(connection, f"{prefix}1")
    connection.commit()
    appended(connection, prefix, "b")
    insert(connection, f"{prefix}2")
    connection.execute("DELETE FROM events WHERE external_id LIKE %s AND description = '0b'", [f"{prefix}%"])
    assert seen(connection, prefix) == {"2": "0"}
    connection.rollback()
    assert seen(connection, prefix) == {"1": "0"}
    assert written(cdf, prefix) == {"1": "0"}


def test_savepoints_reach_both_at_any_depth(connection, cdf, prefix):
    insert(connection, f"{prefix}1")
    connection.execute("SAVEPOINT a")
    appended(connection, prefix, "b")
    connection.execute("SAVEPOINT b")
    insert(connection, f"{prefix}2")
    appended(connection, prefix, "c")
    connection.execute("ROLLBACK TO b")
    assert seen(connection, prefix) == {"1": "0b"}
    appended(connection, prefix, "d")
    connection.execute("RELEASE b")
    connection.execute("SAVEPOINT c")
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute(
            "UPDATE events SET description = (1 / 0)::text WHERE external_id LIKE %s", [f"{prefix}%"]
        )
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        seen(connection, prefix)
    connection.execute("ROLLBACK TO c")
    assert seen(connection, prefix) == {"1": "0bd"}
    connection.execute("SAVEPOINT e")
    appended(connection, prefix, "lost")
    connection.execute("ROLLBACK TO a")
    assert seen(connection, prefix) == {"1": "0"}
    insert(connection, f"{prefix}3")
    connection.commit()
    assert written(cdf, prefix) == {"1": "0", "3": "0"}


def test_temporary_tables_take_part(connection, cdf, prefix):
    insert(connection, f"{prefix}1", f"{prefix}2")
    connection.commit()
    connection.execute("CREATE TEMP TABLE wanted (key text, letter text)")
    connection.execute(
        "INSERT INTO wanted SELECT external_id, 'x' FROM events WHERE external_id = %s", [f"{prefix}1"]
    )
    connection.execute("SAVEPOINT a")
    connection.execute("UPDATE wanted SET letter = 'y'")
    join = "UPDATE events SET description = description || letter FROM wanted WHERE external_id = key"
    assert connection.execute(join).statusmessage == "UPDATE 1"
    assert seen(connection, prefix) == {"1": "0y", "2": "0"}
    connection.execute("ROLLBACK TO a")
    assert connection.execute(join).statusmessage == "UPDATE 1"
    connection.commit()
    assert written(cdf, prefix) == {"1": "0x", "2": "0"}


@pytest.mark.parametrize("operation", ["events.create", "events.update"])
def test_a_commit_that_cdf_refuses_says_so_and_the_session_goes_on(
    connection, cdf, emulator, prefix, operation
):
    insert(connection, f"{prefix}1")
    connection.commit()
    appended(connection, prefix, "b")
    insert(connection, f"{prefix}2")
    emulator.inject(operation=operation, kind="status", status=403)
    with pytest.raises(psycopg.Error) as refused:
        connection.commit()
    assert refused.value.sqlstate == "42501"
    # What came before the refused one may be in CDF, and nothing after it.
    found = written(cdf, prefix)
    assert "2" not in found if operation == "events.create" else found["1"] == "0", found
    emulator.clear_faults()
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert seen(connection, prefix) == found
    appended(connection, prefix, "z")
    connection.commit()
    assert written(cdf, prefix) == {key: description + "z" for key, description in found.items()}


def test_what_was_committed_is_there_after_the_gateway_is_killed(tmp_path, prefix):
    local = LocalCdf(tmp_path / "cdf.log")
    try:
        cdf = CdfStore(local.url, PROJECT).client
        gateway = ConfiguredGateway(tmp_path, local.url)
        try:
            with (
                contextlib.suppress(psycopg.OperationalError),
                psycopg.connect(**gateway.server.keywords()) as connection,
            ):
                insert(connection, f"{prefix}1")
                appended(connection, prefix, "b")
                connection.commit()
                # This one is only staged.
                assert appended(connection, prefix, "lost") == "UPDATE 1"
                gateway.process.kill()
        finally:
            if gateway.process.child.poll() is None:
                gateway.process.kill()
        assert written(cdf, prefix) == {"1": "0b"}
    finally:
        local.stop()


class Broken:
    """A gateway whose engines can be killed in the middle of a statement."""

    def __init__(self, directory):
        self.local = LocalCdf(directory / "cdf.log")
        self.gateway = ConfiguredGateway(directory, self.local.url)
        self.cdf = CdfStore(self.local.url, PROJECT).client

    def kill_engines(self) -> None:
        for number in processes(self.gateway.process.pid):
            os.kill(number, signal.SIGKILL)

    def stop(self) -> None:
        self.gateway.process.stop()
        self.local.stop()


@pytest.fixture
def broken(tmp_path):
    broken = Broken(tmp_path)
    yield broken
    broken.stop()


@pytest.mark.parametrize("is_block", [False, True], ids=["alone", "in a block"])
def test_an_engine_that_is_killed_in_a_change_has_sent_nothing(broken, prefix, is_block):
    with psycopg.connect(**broken.gateway.server.keywords(autocommit=True)) as connection:
        insert(connection, f"{prefix}1")
        if is_block:
            connection.execute("BEGIN")
            insert(connection, f"{prefix}2")
        failed = []

        def change():
            try:
                connection.execute(
                    "UPDATE events SET description = 'half' || pg_sleep(600) WHERE external_id LIKE %s",
                    [f"{prefix}%"],
                )
            except psycopg.Error as error:
                failed.append(error)

        thread = threading.Thread(target=change)
        thread.start()
        while thread.is_alive():
            # A spare may be there before the one that runs the statement.
            broken.kill_engines()
            thread.join(1)
        assert failed[0].sqlstate in {"58000", "57P01", "57P03"}, failed
        if is_block:
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
            connection.execute("ROLLBACK")
        assert written(broken.cdf, prefix) == {"1": "0"}
        assert appended(connection, prefix, "b") == "UPDATE 1"
        assert written(broken.cdf, prefix) == {"1": "0b"}
