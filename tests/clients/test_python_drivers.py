"""psycopg 3 and 2, asyncpg and pg8000: each type read back, and life after the server ends a connection.

What they write, and what goes wrong then, is in the modules that have their names.
"""

import asyncio

import asyncpg
import pg8000.native
import psycopg
import psycopg2
import psycopg2.extras
import pytest
from psycopg.types.json import Json
from support import every_type
from support.every_type import VALUES, with_json_as_text, with_json_read
from support.samples import unique
from support.silence import END_WHEN_SILENT, await_end


@pytest.fixture(scope="module")
def target(typed_target):
    return typed_target


def wrapped(wrap) -> list:
    """The values for drivers that are told what JSON is."""
    values = VALUES | {"a_json": wrap(VALUES["a_json"]), "jsons": [wrap(value) for value in VALUES["jsons"]]}
    return list(values.values())


@pytest.mark.parametrize("is_binary", [False, True], ids=["text", "binary"])
def test_psycopg_reads_each_type_back(server, is_binary):
    key = unique("psycopg")
    with psycopg.connect(**server.keywords()) as connection:
        placeholder = "%b" if is_binary else "%s"
        connection.execute(every_type.insert(*[placeholder] * (len(VALUES) + 1)), [key, *wrapped(Json)])
        connection.commit()
        cursor = connection.cursor(binary=is_binary)
        row = cursor.execute(every_type.select(placeholder), [key]).fetchone()
    assert with_json_read(row) == VALUES


def test_psycopg_streams_rows_and_fetches_in_a_pipeline(server):
    key = unique("psycopg")
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        connection.execute(every_type.insert(*["%s"] * (len(VALUES) + 1)), [key, *wrapped(Json)])
        with connection.pipeline():
            first = connection.execute(every_type.select("%s"), [key])
            second = connection.execute(f"SELECT a_bigint FROM {every_type.TABLE} WHERE name = %s", [key])
            assert with_json_read(first.fetchone()) == VALUES
            assert second.fetchall() == [(VALUES["a_bigint"],)]
        select = f"SELECT name, n FROM {every_type.TABLE}, generate_series(1, 100) AS n WHERE name = %s"
        assert [n for _, n in connection.cursor().stream(select, [key])] == list(range(1, 101))


def test_psycopg_copies_each_type_out_in_binary(server):
    key = unique("psycopg")
    names = ["a_text", "a_bool", "a_bigint", "a_double", "a_real", "a_time", "some_bytes", "bigints", "texts"]
    types = ["text", "bool", "int8", "float8", "float4", "timestamptz", "bytea", "int8[]", "text[]"]
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        connection.execute(every_type.insert(*["%s"] * (len(VALUES) + 1)), [key, *wrapped(Json)])
        select = f"SELECT {', '.join(names)} FROM {every_type.TABLE} WHERE name = '{key}'"
        with connection.cursor().copy(f"COPY ({select}) TO STDOUT (FORMAT BINARY)") as copy:
            copy.set_types(types)
            [row] = list(copy.rows())
    assert dict(zip(names, row, strict=True)) == {name: VALUES[name] for name in names}


def test_psycopg2_reads_each_type_back(server):
    key = unique("psycopg2")
    connection = psycopg2.connect(**server.keywords())
    cursor = connection.cursor()
    placeholders = ["%s"] * (len(VALUES) + 1)
    # psycopg2 has no type of JSON arrays: it is told by the statement.
    placeholders[-1] = "%s::json[]"
    cursor.execute(every_type.insert(*placeholders), [key, *wrapped(psycopg2.extras.Json)])
    connection.commit()
    cursor.execute(every_type.select("%s"), [key])
    assert with_json_read(cursor.fetchone()) == VALUES
    connection.close()


def test_asyncpg_reads_each_type_back(server):
    key = unique("asyncpg")

    async def whole():
        connection = await asyncpg.connect(**server.asyncpg())
        placeholders = [f"${number}" for number in range(1, len(VALUES) + 2)]
        await connection.execute(every_type.insert(*placeholders), key, *with_json_as_text().values())
        row = await connection.fetchrow(every_type.select("$1"), key)
        await connection.close()
        return row

    assert with_json_read(tuple(asyncio.run(whole()))) == VALUES


def test_pg8000_reads_each_type_back(server):
    key = unique("pg8000")
    connection = pg8000.native.Connection(**server.asyncpg())
    values = with_json_as_text()
    placeholders = [f":{name}" for name in every_type.NAMES]
    connection.run(every_type.insert(":key", *placeholders), key=key, **values)
    [row] = connection.run(every_type.select(":key"), key=key)
    connection.close()
    assert with_json_read(row) == VALUES


def test_pg8000_ends_a_statement_by_its_time_out(server):
    # It has no way to cancel one.
    connection = pg8000.native.Connection(**server.asyncpg())
    connection.run("SET statement_timeout = 200")
    with pytest.raises(pg8000.exceptions.DatabaseError) as caught:
        connection.run("SELECT count(*) FROM generate_series(1, 1000000000) AS n")
    assert caught.value.args[0]["C"] == "57014"
    assert connection.run("SELECT 1") == [[1]]
    connection.close()


def test_psycopg_learns_of_the_end_of_its_connection_and_connects_again(server):
    connection = psycopg.connect(**server.keywords(autocommit=True))
    connection.execute(END_WHEN_SILENT)
    await_end(connection)
    with pytest.raises(psycopg.errors.IdleSessionTimeout):
        connection.execute("SELECT 1")
    assert connection.broken
    with psycopg.connect(**server.keywords(autocommit=True)) as again:
        assert again.execute("SELECT 1").fetchone() == (1,)


def test_psycopg2_learns_of_the_end_of_its_connection_and_connects_again(server):
    connection = psycopg2.connect(**server.keywords())
    connection.autocommit = True
    connection.cursor().execute(END_WHEN_SILENT)
    await_end(connection)
    with pytest.raises(psycopg2.OperationalError):
        connection.cursor().execute("SELECT 1")
    assert connection.closed
    again = psycopg2.connect(**server.keywords())
    again.cursor().execute("SELECT 1")
    again.close()


def test_a_pool_of_asyncpg_replaces_a_connection_that_the_server_ended(server):
    async def whole():
        async with asyncpg.create_pool(min_size=1, max_size=1, **server.asyncpg()) as pool:
            async with pool.acquire() as connection:
                process = connection.get_server_pid()
                ended = asyncio.Event()
                connection.add_termination_listener(lambda _: ended.set())
                await connection.execute(END_WHEN_SILENT)
                await asyncio.wait_for(ended.wait(), 20)
            async with pool.acquire() as connection:
                assert connection.get_server_pid() != process
                assert await connection.fetchval("SELECT 1") == 1

    asyncio.run(whole())


def test_pg8000_learns_of_the_end_of_its_connection_and_connects_again(server):
    connection = pg8000.native.Connection(**server.asyncpg())
    connection.run(END_WHEN_SILENT)
    await_end(connection._usock)
    ends = (pg8000.exceptions.DatabaseError, pg8000.exceptions.InterfaceError, ConnectionError)
    with pytest.raises(ends):
        connection.run("SELECT 1")
        # The first statement may read why, the next one finds the stream at its end.
        connection.run("SELECT 1")
    again = pg8000.native.Connection(**server.asyncpg())
    assert again.run("SELECT 1") == [[1]]
    again.close()
