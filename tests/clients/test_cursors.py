"""Cursors: declared, fetched, moved and closed as in PostgreSQL."""

import asyncio

import asyncpg
import psycopg
import psycopg2
import pytest
from support.psql import psql
from support.samples import unique

pytestmark = pytest.mark.gateway_only


@pytest.fixture(scope="module")
def labels(target):
    """The beginning of the names of thirty labels in CDF."""
    prefix = unique("cursor")
    with psycopg.connect(**target.server.keywords(autocommit=True)) as connection:
        values = ", ".join(f"('{prefix}-{number:02}', 'Label {number:02}')" for number in range(30))
        connection.execute(f"INSERT INTO labels (external_id, name) VALUES {values}")
    return prefix


def names(rows) -> list[str]:
    return [name for (name,) in rows]


def expected(numbers) -> list[str]:
    return [f"Label {number:02}" for number in numbers]


def test_a_cursor_is_fetched_moved_and_closed(connection, labels):
    with connection.transaction():
        declared = connection.execute(
            "DECLARE c SCROLL CURSOR FOR SELECT name FROM labels WHERE external_id LIKE %s ORDER BY 1",
            [f"{labels}%"],
        )
        assert declared.statusmessage == "DECLARE CURSOR"
        assert names(connection.execute("FETCH 3 FROM c")) == expected(range(3))
        assert connection.execute("MOVE FORWARD 10 FROM c").statusmessage == "MOVE 10"
        assert names(connection.execute("FETCH NEXT FROM c")) == expected([13])
        assert names(connection.execute("FETCH BACKWARD 2 FROM c")) == expected([12, 11])
        assert names(connection.execute("FETCH ABSOLUTE 30 FROM c")) == expected([29])
        assert connection.execute("CLOSE c").statusmessage == "CLOSE CURSOR"
        with pytest.raises(psycopg.errors.InvalidCursorName), connection.transaction():
            connection.execute("FETCH 1 FROM c")


def test_other_statements_between_fetches_leave_a_cursor_alone(connection, labels):
    with connection.transaction():
        connection.execute(
            "DECLARE c CURSOR FOR SELECT name FROM labels WHERE external_id LIKE %s ORDER BY 1",
            [f"{labels}%"],
        )
        read = names(connection.execute("FETCH 10 FROM c"))
        # The same table, read with another condition, and changed.
        count = connection.execute("SELECT count(*) FROM labels WHERE external_id = %s", [f"{labels}-07"])
        assert count.fetchone() == (1,)
        connection.execute(
            "CREATE TEMP TABLE beside AS SELECT name FROM labels WHERE external_id LIKE %s", [f"{labels}%"]
        )
        read += names(connection.execute("FETCH 15 FROM c"))
        assert connection.execute("SELECT count(*) FROM beside").fetchone() == (30,)
        read += names(connection.execute("FETCH ALL FROM c"))
        connection.execute("DROP TABLE beside")
    assert read == expected(range(30))


def test_rows_that_a_cursor_reads_are_not_rows_of_the_next_statement(connection, labels):
    with connection.transaction():
        connection.execute("DECLARE c CURSOR FOR SELECT name FROM labels")
        connection.execute("FETCH 1 FROM c")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("SELECT query_to_xml('SELECT * FROM labels', true, true, '')")
        one = connection.execute("SELECT count(*) FROM labels WHERE external_id = %s", [f"{labels}-01"])
        assert one.fetchone() == (1,)


def test_a_cursor_ends_with_its_transaction(connection, labels):
    with connection.transaction():
        connection.execute("DECLARE c CURSOR FOR SELECT name FROM labels")
    with pytest.raises(psycopg.errors.InvalidCursorName):
        connection.execute("FETCH 1 FROM c")
    with pytest.raises(psycopg.errors.NoActiveSqlTransaction, match="DECLARE CURSOR can only be used"):
        connection.execute("DECLARE c CURSOR FOR SELECT name FROM labels")
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("DECLARE c CURSOR WITH HOLD FOR SELECT name FROM nowhere")


def test_a_cursor_goes_back_with_a_savepoint(connection):
    with connection.transaction():
        connection.execute("SELECT 1")
        with connection.transaction(force_rollback=True):
            connection.execute("DECLARE inner_one CURSOR FOR SELECT generate_series(1, 3)")
        with pytest.raises(psycopg.errors.InvalidCursorName), connection.transaction():
            connection.execute("FETCH 1 FROM inner_one")
        connection.execute("DECLARE outer_one CURSOR FOR SELECT generate_series(1, 3)")
        with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction():
            connection.execute("SELECT max(1 / (n - n)) FROM generate_series(1, 2) AS n")
        assert connection.execute("FETCH ALL FROM outer_one").fetchall() == [(1,), (2,), (3,)]


def test_a_cursor_with_hold_outlives_its_transaction(connection, labels):
    connection.execute(
        "DECLARE held CURSOR WITH HOLD FOR SELECT name FROM labels WHERE external_id LIKE %s ORDER BY 1",
        [f"{labels}%"],
    )
    assert names(connection.execute("FETCH 20 FROM held")) == expected(range(20))
    # Its rows are its own by now.
    assert connection.execute(
        "SELECT count(*) FROM labels WHERE external_id = %s", [f"{labels}-00"]
    ).fetchone() == (1,)
    with connection.transaction(force_rollback=True):
        connection.execute("SELECT count(*) FROM pg_class")
    assert names(connection.execute("FETCH ALL FROM held")) == expected(range(20, 30))
    connection.execute("CLOSE held")
    with pytest.raises(psycopg.errors.InvalidCursorName):
        connection.execute("FETCH 1 FROM held")
    with pytest.raises(psycopg.errors.InvalidCursorName):
        connection.execute("CLOSE held")


def test_close_all_closes_all(connection):
    connection.execute("DECLARE a CURSOR WITH HOLD FOR SELECT 1")
    connection.execute("DECLARE b CURSOR WITH HOLD FOR SELECT 1")
    assert connection.execute("CLOSE ALL").statusmessage == "CLOSE CURSOR ALL"
    with pytest.raises(psycopg.errors.InvalidCursorName):
        connection.execute("FETCH 1 FROM b")


def test_a_query_of_several_statements_declares_and_fetches(server, connection, labels):
    # As psqlODBC reads.
    cursor = connection.execute(
        'BEGIN; DECLARE "SQL_CUR01" CURSOR WITH HOLD FOR SELECT name FROM labels'
        f" WHERE external_id LIKE '{labels}%' ORDER BY 1; FETCH 2 IN \"SQL_CUR01\""
    )
    while cursor.nextset():
        pass
    assert names(cursor.fetchall()) == expected(range(2))
    connection.execute('CLOSE "SQL_CUR01"; COMMIT')
    done = psql(server, "-At", "-c", "DECLARE c CURSOR FOR VALUES (1), (2); FETCH ALL FROM c")
    assert done.code == 0, done.error
    assert done.lines[-2:] == ["1", "2"]


def test_psql_reads_in_parts(server, labels):
    done = psql(
        server,
        "-At",
        "-v",
        "FETCH_COUNT=7",
        "-c",
        f"SELECT name FROM labels WHERE external_id LIKE '{labels}%' ORDER BY 1",
    )
    assert done.code == 0, done.error
    assert done.lines == expected(range(30))


def test_named_cursors_of_psycopg2(server, labels):
    keywords = server.keywords()
    connection = psycopg2.connect(**{key: value for key, value in keywords.items() if key != "autocommit"})
    try:
        with connection.cursor(name="part by part") as cursor:
            cursor.itersize = 7
            cursor.execute("SELECT name FROM labels WHERE external_id LIKE %s ORDER BY 1", [f"{labels}%"])
            assert names(cursor.fetchmany(4)) == expected(range(4))
            assert names(cursor) == expected(range(4, 30))
        connection.commit()
        with connection.cursor(name="held", withhold=True, scrollable=True) as cursor:
            cursor.execute("SELECT generate_series(1, 10)")
            connection.commit()
            cursor.scroll(5)
            assert cursor.fetchone() == (6,)
        connection.rollback()
    finally:
        connection.close()


def test_server_cursors_of_psycopg(server, labels):
    with psycopg.connect(**server.keywords()) as connection:
        with connection.cursor(name="parts", binary=True) as cursor:
            cursor.itersize = 8
            cursor.execute("SELECT name FROM labels WHERE external_id LIKE %s ORDER BY 1", [f"{labels}%"])
            assert [column.name for column in cursor.description] == ["name"]
            assert names(cursor) == expected(range(30))
        with connection.cursor(name="scrolled", scrollable=True) as cursor:
            cursor.execute("SELECT generate_series(1, 10)")
            cursor.scroll(8)
            assert cursor.fetchall() == [(9,), (10,)]
        connection.rollback()
        # What a transaction used is another's when it is over.
        assert connection.execute("SELECT count(*) FROM pg_cursors WHERE name <> ''").fetchone() == (0,)


def test_cursors_of_asyncpg(server, labels):
    async def read():
        connection = await asyncpg.connect(**server.asyncpg())
        try:
            async with connection.transaction():
                await connection.execute("CREATE TEMP TABLE beside (n int) ON COMMIT DROP")
                await connection.executemany("INSERT INTO beside VALUES ($1)", [(n,) for n in range(20)])
                query = "SELECT name FROM labels WHERE external_id LIKE $1 ORDER BY 1"
                rows = [row["name"] async for row in connection.cursor(query, f"{labels}%", prefetch=7)]
                cursor = await connection.cursor("SELECT n FROM beside ORDER BY n")
                await cursor.forward(15)
                rest = [row["n"] for row in await cursor.fetch(10)]
            return rows, rest
        finally:
            await connection.close()

    rows, rest = asyncio.run(read())
    assert rows == expected(range(30))
    assert rest == [15, 16, 17, 18, 19]


def test_a_portal_that_is_fetched_in_parts_waits_in_the_engine(server, target):
    # More than the gateway would keep for it.
    async def read():
        connection = await asyncpg.connect(**server.asyncpg())
        try:
            async with connection.transaction():
                first = await connection.cursor(
                    "SELECT n, repeat('x', 300) FROM generate_series(1, 200000) AS n"
                )
                second = await connection.cursor("SELECT name FROM labels ORDER BY external_id")
                numbers = [row["n"] for row in await first.fetch(1000)]
                assert await second.fetchrow() is not None
                numbers += [row["n"] for row in await first.fetch(1000)]
                return numbers
        finally:
            await connection.close()

    assert asyncio.run(read()) == list(range(1, 2001))


def test_an_error_of_a_later_part_fails_the_transaction(server):
    async def read():
        connection = await asyncpg.connect(**server.asyncpg())
        try:
            with pytest.raises(asyncpg.DivisionByZeroError):
                async with connection.transaction():
                    cursor = await connection.cursor("SELECT 10 / (15 - n) FROM generate_series(1, 20) AS n")
                    assert len(await cursor.fetch(10)) == 10
                    await cursor.fetch(10)
            return await connection.fetchval("SELECT max(n) FROM generate_series(1, 3) AS n")
        finally:
            await connection.close()

    assert asyncio.run(read()) == 3


def test_many_rows_of_a_cursor_stay_in_the_engine(connection):
    # 220 MB, of which the client wants a little.
    with connection.transaction():
        connection.execute(
            "DECLARE c CURSOR FOR SELECT n, repeat('x', 200) FROM generate_series(1, 1000000) AS n"
        )
        for part in range(10):
            rows = connection.execute("FETCH 100 FROM c").fetchall()
            assert rows[0][0] == part * 100 + 1
