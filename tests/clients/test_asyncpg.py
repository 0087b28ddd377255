"""asyncpg: everything in binary, types asked from the server, pools that reset sessions."""

import asyncio
import datetime
import functools
import inspect
import io

import asyncpg
import pytest
from support.samples import moment, seconds

INSERT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ($1, $2, $3)"
COLUMNS = ["external_id", "timestamp", "value"]


def connected(test):
    """Runs an async test with a connection of its own."""

    @functools.wraps(test)
    def run(server, **fixtures):
        async def whole():
            connection = await asyncpg.connect(**server.asyncpg())
            try:
                await test(server, connection, **fixtures)
            finally:
                await connection.close(timeout=10)

        asyncio.run(whole())

    # pytest asks for the fixtures by name, and `connection` is none of them.
    signature = inspect.signature(test)
    fixtures = [parameter for name, parameter in signature.parameters.items() if name != "connection"]
    run.__signature__ = signature.replace(parameters=fixtures)
    return run


@connected
async def test_a_row_with_parameters_is_stored(server, connection, store, series):
    assert await connection.execute(INSERT, series, moment(0), 1.5) == "INSERT 0 1"
    assert store.points(series) == seconds([1.5])


@connected
async def test_parameter_types_are_those_of_the_columns(server, connection):
    statement = await connection.prepare(
        "INSERT INTO double_datapoints (value, timestamp, external_id, id) VALUES ($1, $2, $3, $4)"
    )
    names = [parameter.name for parameter in statement.get_parameters()]
    assert names == ["float8", "timestamptz", "varchar", "int8"]
    assert statement.get_attributes() == ()


@connected
async def test_executemany_sends_thousands_of_rows_before_one_sync(server, connection, store, series):
    await connection.executemany(INSERT, [(series, moment(n), n / 3) for n in range(3000)])
    assert store.points(series) == seconds(n / 3 for n in range(3000))


@connected
async def test_a_bad_row_in_executemany_stores_none(server, connection, store, series):
    insert = "INSERT INTO string_datapoints (external_id, timestamp, value) VALUES ($1, $2, $3)"
    rows = [(series, moment(n), "x" * (256 if n == 500 else 10)) for n in range(1000)]
    with pytest.raises(asyncpg.StringDataRightTruncationError):
        await connection.executemany(insert, rows)
    assert store.points(series) == []
    assert await connection.fetchval("SELECT 1") == 1


@connected
async def test_copied_records_arrive(server, connection, store, series):
    records = [(series, moment(n), n / 3) for n in range(5000)]
    tag = await connection.copy_records_to_table("double_datapoints", records=records, columns=COLUMNS)
    assert tag == "COPY 5000"
    assert store.points(series) == seconds(n / 3 for n in range(5000))


@connected
async def test_copied_json_records_arrive(server, connection, store, raw_database):
    columns = ["_raw_database", "_raw_table", "_raw_key", "_raw_columns"]
    records = [(raw_database, "t", f"k{n}", f'{{"n": {n}}}') for n in range(100)]
    await connection.copy_records_to_table("raw_rows", schema_name="public", records=records, columns=columns)
    assert store.raw(raw_database, "t") == {f"k{n}": {"n": n} for n in range(100)}


@connected
async def test_a_copied_csv_file_arrives(server, connection, store, series):
    source = io.BytesIO("".join(f"{series},{moment(n).isoformat()},{n}\n" for n in range(2000)).encode())
    tag = await connection.copy_to_table("double_datapoints", source=source, columns=COLUMNS, format="csv")
    assert tag == "COPY 2000"
    assert store.points(series) == seconds(float(n) for n in range(2000))


@connected
async def test_a_copy_error_leaves_the_connection_usable(server, connection, store, series):
    source = io.BytesIO(f"{series},2026-11-01Z,one\n".encode())
    with pytest.raises(asyncpg.InvalidTextRepresentationError) as caught:
        await connection.copy_to_table("double_datapoints", source=source, columns=COLUMNS, format="csv")
    assert caught.value.context == 'COPY double_datapoints, line 1, column value: "one"'
    assert await connection.fetchval("SELECT 1") == 1
    assert store.points(series) == []


@connected
async def test_a_source_that_fails_midway_stores_nothing(server, connection, store, series):
    async def source():
        yield f"{series},2026-11-01Z,1\n".encode()
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await connection.copy_to_table("double_datapoints", source=source(), columns=COLUMNS, format="csv")
    assert await connection.fetchval("SELECT 1") == 1
    assert store.points(series) == []


@connected
async def test_nested_transactions_roll_back_to_their_savepoint(server, connection, store, series):
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute(INSERT, series, moment(0), 0.0)
        with pytest.raises(ZeroDivisionError):
            async with connection.transaction():
                await connection.execute(INSERT, series, moment(1), 1.0)
                raise ZeroDivisionError
        async with connection.transaction():
            await connection.execute(INSERT, series, moment(1), 2.0)
        assert store.points(series) == []
    assert store.points(series) == seconds([0.0, 2.0])


@connected
async def test_a_prepared_statement_is_used_again_and_closed(server, connection, store, series):
    statement = await connection.prepare(INSERT, name="insert_point")
    for second in range(10):
        await statement.fetch(series, moment(second), float(second))
    assert statement.get_statusmsg() == "INSERT 0 1"
    with pytest.raises(asyncpg.DuplicatePreparedStatementError):
        await connection.prepare(INSERT, name="insert_point")
    assert store.points(series) == seconds(float(n) for n in range(10))


@connected
async def test_columns_of_a_probe_have_their_types_lengths_and_no_rows(server, connection):
    for probe in (
        "SELECT * FROM double_datapoints WHERE 1=0",
        'SELECT "value", "timestamp", "external_id", "id" FROM "double_datapoints" LIMIT 0',
    ):
        statement = await connection.prepare(probe)
        attributes = [(attribute.name, attribute.type.name) for attribute in statement.get_attributes()]
        expected = [
            ("value", "float8"),
            ("timestamp", "timestamptz"),
            ("external_id", "varchar"),
            ("id", "int8"),
        ]
        assert attributes == expected
        assert await statement.fetch() == []


@connected
async def test_settings_set_by_the_client_are_reported_back(server, connection):
    assert connection.get_settings().client_encoding in ("UTF8", "utf-8", "'utf-8'")
    assert connection.get_settings().TimeZone
    await connection.execute("SET timezone TO 'Asia/Tokyo'")
    assert connection.get_settings().TimeZone == "Asia/Tokyo"
    await connection.execute("RESET ALL")
    assert connection.get_settings().TimeZone != "Asia/Tokyo"
    assert connection.get_server_version().major >= 14


@connected
async def test_the_simple_protocol_takes_several_statements(server, connection, store, series):
    script = ";".join(
        f"INSERT INTO double_datapoints VALUES ({n}, '{moment(n).isoformat()}', '{series}')" for n in range(5)
    )
    assert await connection.execute(script) == "INSERT 0 1"
    assert store.points(series) == seconds(float(n) for n in range(5))


@connected
async def test_times_of_any_zone_and_precision_keep_their_milliseconds(server, connection, store, series):
    east = datetime.timezone(datetime.timedelta(hours=5, minutes=45))
    times = [moment(0).astimezone(east), moment(1) + datetime.timedelta(milliseconds=123)]
    for time in times:
        await connection.execute(INSERT, series, time, 1.0)
    expected = [round(time.timestamp() * 1000) for time in times]
    assert [time_ms for time_ms, _ in store.points(series)] == expected


def test_a_pool_resets_the_session_between_users(server, store, series):
    async def whole():
        async with asyncpg.create_pool(min_size=1, max_size=1, **server.asyncpg()) as pool:
            async with pool.acquire() as connection:
                await connection.execute("SET timezone TO 'Asia/Tokyo'")
                await connection.execute(INSERT, series, moment(0), 1.0)
            async with pool.acquire() as connection:
                assert await connection.fetchval("SHOW timezone") != "Asia/Tokyo"
                await connection.execute(INSERT, series, moment(1), 2.0)

    asyncio.run(whole())
    assert store.points(series) == seconds([1.0, 2.0])


def test_a_pool_of_many_writers_loses_nothing(server, store, series):
    async def write(pool, number):
        async with pool.acquire() as connection, connection.transaction():
            for n in range(20):
                await connection.execute(INSERT, series, moment(number * 20 + n), float(n))

    async def whole():
        async with asyncpg.create_pool(min_size=8, max_size=8, **server.asyncpg()) as pool:
            await asyncio.gather(*(write(pool, number) for number in range(40)))

    asyncio.run(whole())
    assert store.points(series) == seconds(float(n % 20) for n in range(800))
