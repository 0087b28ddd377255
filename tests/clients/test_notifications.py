"""LISTEN and NOTIFY: who is told what, and when."""

import asyncio

import asyncpg
import psycopg
import pytest
from psycopg import sql
from support.samples import unique

WITHIN_S = 30


@pytest.fixture
def other(server):
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        yield connection


@pytest.fixture
def channel():
    return unique("news").replace("-", "_")


def heard(connection, count: int) -> list[tuple[str, str, int]]:
    """The next notifications; fails where they do not come."""
    found = [
        (told.channel, told.payload, told.pid)
        for told in connection.notifies(timeout=WITHIN_S, stop_after=count)
    ]
    assert len(found) >= count, found
    return found


def payloads(connection, count: int) -> list[str]:
    return [payload for _, payload, _ in heard(connection, count)]


def test_who_listens_is_told_while_idle(connection, other, channel):
    connection.execute(f"LISTEN {channel}")
    other.execute(f"NOTIFY {channel}, 'pump''s off: é'")
    other.execute(f"NOTIFY {channel}")
    number = other.info.backend_pid
    assert heard(connection, 2) == [(channel, "pump's off: é", number), (channel, "", number)]


def test_a_session_hears_itself(connection, channel):
    connection.execute(f"LISTEN {channel}; NOTIFY {channel}, 'me'")
    assert heard(connection, 1) == [(channel, "me", connection.info.backend_pid)]


def test_pg_notify_says_what_parameters_hold(connection, other, channel):
    connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(f"{channel} é")))
    other.execute("SELECT pg_notify(%s, %s)", [f"{channel} é", "x" * 7999])
    assert heard(connection, 1) == [(f"{channel} é", "x" * 7999, other.info.backend_pid)]


def test_nobody_is_told_before_commit_nor_of_what_was_rolled_back(connection, other, channel):
    connection.execute(f"LISTEN {channel}")
    other.execute("BEGIN")
    other.execute(f"NOTIFY {channel}, 'first'")
    other.execute("SAVEPOINT s")
    other.execute(f"NOTIFY {channel}, 'taken back'")
    other.execute("ROLLBACK TO s")
    other.execute(f"NOTIFY {channel}, 'second'")
    connection.execute("SELECT 1")
    assert list(connection.notifies(timeout=0)) == []
    other.execute("COMMIT")
    other.execute("BEGIN")
    other.execute(f"NOTIFY {channel}, 'rolled back'")
    other.execute("ROLLBACK")
    with pytest.raises(psycopg.errors.UndefinedTable):
        other.execute(f"NOTIFY {channel}, 'failed'; SELECT * FROM there_is_none")
    other.execute(f"NOTIFY {channel}, 'last'")
    assert payloads(connection, 3) == ["first", "second", "last"]


def test_the_same_words_are_told_once_a_transaction(connection, other, channel):
    connection.execute(f"LISTEN {channel}")
    with other.transaction():
        for word in ("a", "b", "a"):
            other.execute(f"NOTIFY {channel}, '{word}'")
    other.execute(f"NOTIFY {channel}, 'a'")
    assert payloads(connection, 3) == ["a", "b", "a"]


def test_a_listener_in_a_transaction_is_told_at_its_end(connection, other, channel):
    connection.execute(f"LISTEN {channel}")
    connection.execute("BEGIN")
    other.execute(f"NOTIFY {channel}, 'waits'")
    connection.execute("SELECT 1")
    assert list(connection.notifies(timeout=0)) == []
    connection.execute("COMMIT")
    # It comes before the client is told that it may go on.
    assert [told.payload for told in connection.notifies(timeout=0)] == ["waits"]


def test_listening_begins_and_ends_with_commit(connection, other, channel):
    connection.execute("BEGIN")
    connection.execute(f"LISTEN {channel}")
    connection.execute("ROLLBACK")
    other.execute(f"NOTIFY {channel}, 'not heard'")
    connection.execute(f"LISTEN {channel}")
    connection.execute("BEGIN")
    connection.execute("UNLISTEN *")
    connection.execute("ROLLBACK")
    other.execute(f"NOTIFY {channel}, 'heard'")
    assert payloads(connection, 1) == ["heard"]
    connection.execute(f"LISTEN {channel}_2; UNLISTEN {channel}")
    other.execute(f"NOTIFY {channel}, 'not heard'; NOTIFY {channel}_2, 'heard'")
    assert payloads(connection, 1) == ["heard"]
    connection.execute("DISCARD ALL")
    other.execute(f"NOTIFY {channel}_2, 'not heard'")
    connection.execute(f"LISTEN {channel}; NOTIFY {channel}, 'end'")
    assert payloads(connection, 1) == ["end"]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELECT pg_notify('', 'x')", "channel name cannot be empty"),
        ("SELECT pg_notify(NULL, 'x')", "channel name cannot be empty"),
        ("SELECT pg_notify(repeat('c', 64), 'x')", "channel name too long"),
        ("SELECT pg_notify('c', repeat('x', 8000))", "payload string too long"),
    ],
)
def test_what_cannot_be_said_is_refused(connection, statement, words):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=words):
        connection.execute(statement)


def test_a_longer_name_of_a_channel_is_cut_as_any_name(connection, other):
    name = unique("c" * 40).replace("-", "_") + "x" * 40
    connection.execute(f"LISTEN {name}")
    other.execute(f"NOTIFY {name}, 'cut'")
    assert heard(connection, 1) == [(name[:63], "cut", other.info.backend_pid)]


def test_a_client_of_another_encoding_reads_what_is_said(server, other, channel):
    with psycopg.connect(**server.keywords(autocommit=True), client_encoding="latin1") as connection:
        connection.execute(f"LISTEN {channel}")
        other.execute(f"NOTIFY {channel}, 'é'")
        assert payloads(connection, 1) == ["é"]


def test_asyncpg_calls_its_listeners(server, other, channel):
    async def listen() -> tuple:
        connection = await asyncpg.connect(**server.asyncpg())
        told = asyncio.get_running_loop().create_future()
        await connection.add_listener(channel, lambda _, *rest: told.set_result(rest))
        other.execute(f"NOTIFY {channel}, 'called'")
        found = await asyncio.wait_for(told, WITHIN_S)
        await connection.close()
        return found

    assert asyncio.run(listen()) == (other.info.backend_pid, channel, "called")


@pytest.mark.gateway_only
@pytest.mark.embedded_only
def test_what_an_engine_would_say_to_nobody_is_refused(connection):
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="pg_notify"):
        connection.execute("SELECT pg_notify('c', n::text) FROM generate_series(1, 2) AS n")


@pytest.mark.gateway_only
def test_who_does_not_listen_keeps_others_from_saying_more_and_not_from_ending(connection, other, channel):
    connection.execute(f"LISTEN {channel}")
    connection.execute("BEGIN")
    # None of it is taken while the transaction lasts.
    with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="NOTIFY queue"):
        for number in range(1000):
            other.execute(f"NOTIFY {channel}, '{number}{'x' * 7000}'")
    connection.execute("COMMIT")
    taken = [told.payload for told in connection.notifies(timeout=0)]
    assert 100 < len(taken) < 1000
    other.execute(f"NOTIFY {channel}, 'again'")
    assert payloads(connection, 1) == ["again"]
