"""What the gateway leaves to a PostgreSQL: questions about the catalog, expressions, bounds."""

import datetime
import pathlib
import threading

import psycopg
import pytest
from support.engines import processes
from support.psql import psql
from support.samples import unique

pytestmark = pytest.mark.gateway_only


def test_psql_lists_the_tables_with_their_comments(server):
    done = psql(server, "-c", r"\dt+", "-c", r"\dn")
    assert done.code == 0, done.error
    assert any("public|assets|table|penstock" in line for line in done.lines), done.lines
    assert any("Assets" in line for line in done.lines), done.lines
    assert any(line.startswith("cdf|") for line in done.lines), done.lines


def test_psql_describes_a_table(server):
    done = psql(server, "-c", r"\d+ assets", "-c", r"\d cdf.data_sets")
    assert done.code == 0, done.error
    text = "\n".join(done.lines)
    assert "external_id|character varying(255)" in text
    assert "metadata|json" in text


@pytest.mark.parametrize(
    "command", [r"\du", r"\df", r"\dT", r"\di", r"\dv", r"\dx", r"\dp", r"\z assets", r"\dO"]
)
def test_psql_commands_are_answered(server, command):
    if command == r"\dO":
        pytest.skip("psql 15 asks for columns that PostgreSQL 17 renamed")
    done = psql(server, "-c", command)
    assert done.code == 0, done.error


@pytest.mark.embedded_only
def test_the_roles_are_the_user_and_the_owner_of_the_tables(connection):
    roles = connection.execute(r"SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1").fetchall()
    assert sorted(roles) == sorted([("penstock",), (connection.info.user,)])
    row = connection.execute(
        "SELECT current_user, session_user, current_database() FROM pg_class LIMIT 1"
    ).fetchone()
    assert row == (connection.info.user, connection.info.user, connection.info.dbname)


def test_information_schema_tells_columns_and_keys(connection):
    columns = connection.execute(
        "SELECT column_name, data_type, character_maximum_length, is_nullable FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
        ["double_datapoints"],
    ).fetchall()
    assert ("timestamp", "timestamp with time zone", None, "NO") in columns
    names = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
    ).fetchall()
    assert ("assets",) in names and ("raw_rows",) in names


def test_keys_are_indexes(connection):
    index = "CREATE UNIQUE INDEX assets_pkey ON public.assets USING btree (external_id)"
    found = connection.execute(
        "SELECT pg_get_indexdef(indexrelid), indisprimary FROM pg_index WHERE indrelid = 'assets'::regclass"
    ).fetchall()
    assert found == [(index, True)]


@pytest.mark.embedded_only
def test_the_gateway_and_its_engine_know_a_table_by_the_same_number(connection):
    with connection.cursor() as cursor:
        # Answered by the gateway.
        cursor.execute("SELECT name, external_id FROM assets LIMIT 0")
        oid = cursor.pgresult.ftable(0)
        numbers = [cursor.pgresult.ftablecol(0), cursor.pgresult.ftablecol(1)]
    # Answered by the engine.
    rows = connection.execute(
        "SELECT c.relname, a.attname, array_length(ARRAY[1, 2], 1) FROM pg_attribute a"
        " JOIN pg_class c ON c.oid = a.attrelid WHERE c.oid = %s AND a.attnum = ANY(%s) ORDER BY a.attname",
        [oid, numbers],
    ).fetchall()
    assert rows == [("assets", "external_id", 2), ("assets", "name", 2)]


def test_expressions_of_every_kind_are_postgresqls(connection):
    row = connection.execute(
        "SELECT sum(n), string_agg(n::text, ',' ORDER BY n DESC), percentile_cont(0.5) WITHIN GROUP (ORDER BY n)"
        " FROM generate_series(1, %s) AS n",
        [5],
    ).fetchone()
    assert row == (15, "5,4,3,2,1", 3.0)
    row = connection.execute(
        "WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 100) SELECT sum(n) FROM t"
    ).fetchone()
    assert row == (5050,)


def test_settings_of_the_session_hold_in_the_engine(connection):
    connection.execute("SET TimeZone = 'Europe/Oslo'")
    connection.execute("SET DateStyle = 'German'")
    text = connection.execute(
        "SELECT max(x)::text FROM (VALUES ('2026-07-01 12:00:00Z'::timestamptz)) AS t(x) GROUP BY ()"
    ).fetchone()[0]
    assert text == "01.07.2026 14:00:00 CEST"


def test_parameters_and_results_may_be_binary(server):
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        cursor = connection.cursor(binary=True)
        moment = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
        cursor.execute("SELECT %b::timestamptz + interval '1 day', ARRAY[%b::int8, NULL]", [moment, 7])
        assert cursor.fetchone() == (moment + datetime.timedelta(days=1), [7, None])


def test_text_in_latin1_comes_in_latin1(server):
    with psycopg.connect(**server.keywords(autocommit=True, client_encoding="latin1")) as connection:
        row = connection.execute(
            "SELECT string_agg(x, '') FROM (VALUES ('é'), (%s)) AS t(x)", ["ø"]
        ).fetchone()
        assert row == ("éø",)


@pytest.mark.parametrize(
    ("statement", "sqlstate", "position"),
    [
        ("SELECT relname FROM pg_class GROUP relkind", "42601", 36),
        ("SELECT nothing_such(oid) FROM pg_class", "42883", 8),
        ("SELECT 1 / (oid::int8 - oid::int8) FROM pg_class", "22012", None),
        ("SELECT relname FROM pg_class GROUP BY relkind", "42803", 8),
        ("SELECT * FROM nowhere ORDER BY random()", "42P01", 15),
    ],
)
def test_errors_are_postgresqls_with_their_positions(connection, statement, sqlstate, position):
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)
    assert caught.value.sqlstate == sqlstate
    told = caught.value.diag.statement_position
    assert (int(told) if told else None) == position
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_an_error_fails_the_transaction_and_rollback_mends_it(server):
    with psycopg.connect(**server.keywords()) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT max(1 / (n - n)) FROM generate_series(1, 2) AS n")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SELECT 1")
        connection.rollback()
        assert connection.execute("SELECT max(n) FROM generate_series(1, 2) AS n").fetchone() == (2,)


def test_copy_of_a_query_goes_to_the_client(connection):
    with connection.cursor().copy("COPY (SELECT n, 'x' FROM generate_series(1, 3) AS n) TO STDOUT") as copy:
        assert b"".join(bytes(block) for block in copy) == b"1\tx\n2\tx\n3\tx\n"


def test_explain_shows_postgresqls_plan(connection):
    plan = connection.execute("EXPLAIN (COSTS OFF) SELECT * FROM assets WHERE external_id = 'a'").fetchall()
    assert any("assets" in line for (line,) in plan)


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("CREATE TABLE t (a int)", "0A000"),
        ("SELECT 1 AS a INTO t FROM pg_class", "42501"),
        ("WITH gone AS (DELETE FROM assets RETURNING 1) SELECT * FROM gone", "42501"),
        ("DELETE FROM assets WHERE true", "42501"),
        ("COPY (SELECT 1) TO PROGRAM 'cat'", "0A000"),
        ("SELECT pg_read_file('/etc/passwd') FROM pg_am", "42501"),
        ("SELECT lo_import('/etc/passwd') FROM pg_am", "42501"),
        ("SELECT rolpassword FROM pg_authid", "42501"),
        ("SELECT nextval('nothing') FROM pg_am", "42P01"),
        ("DO $$ BEGIN DELETE FROM assets; END $$", "42501"),
    ],
)
def test_what_would_change_or_reach_something_is_refused(connection, statement, sqlstate):
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)
    assert caught.value.sqlstate == sqlstate, caught.value
    assert connection.execute("SELECT count(*) > 0 FROM pg_class").fetchone() == (True,)


def test_a_table_that_was_not_filled_is_never_read_as_empty(connection):
    # The function reads it where no plan shows it.
    with pytest.raises(psycopg.Error) as caught:
        connection.execute("SELECT query_to_xml('SELECT * FROM assets', true, true, '')")
    assert caught.value.sqlstate == "42501"


def test_a_statement_that_runs_too_long_is_ended_and_the_next_one_works(connection, target):
    connection.execute("SET statement_timeout = '500ms'")
    with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
        connection.execute("SELECT count(*) FROM generate_series(1, 1000000000) AS n")
    connection.execute("SET statement_timeout = 0")
    assert connection.execute("SELECT count(*) FROM generate_series(1, 10) AS n").fetchone() == (10,)
    assert len(processes(target.process.pid)) <= 4


def test_a_statement_can_be_cancelled(connection):
    failed = []

    def run():
        try:
            connection.execute("SELECT count(*), pg_sleep(600) FROM generate_series(1, 2) AS n")
        except psycopg.Error as error:
            failed.append(error.sqlstate)

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        # A cancel that comes before the statement has begun is for nothing.
        connection.cancel_safe()
        thread.join(0.2)
    assert failed == ["57014"]
    assert connection.execute("SELECT max(n) FROM generate_series(1, 10) AS n").fetchone() == (10,)


def test_rows_may_be_fetched_in_parts(server):
    import asyncio

    import asyncpg

    async def fetch():
        connection = await asyncpg.connect(**server.asyncpg())
        async with connection.transaction():
            cursor = await connection.cursor("SELECT n, n * n FROM generate_series(1, $1::int) AS n", 10)
            parts = []
            while part := await cursor.fetch(4):
                parts.append([tuple(row) for row in part])
        await connection.close()
        return parts

    parts = asyncio.run(fetch())
    assert [len(part) for part in parts] == [4, 4, 2]
    assert sum(parts, []) == [(n, n * n) for n in range(1, 11)]


def test_many_rows_stream_without_filling_memory(connection, target):
    def resident() -> int:
        status = pathlib.Path(f"/proc/{target.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    before = resident()
    with connection.cursor() as cursor:
        rows = 0
        for _ in cursor.stream("SELECT n, repeat('x', 200) FROM generate_series(1, 200000) AS n"):
            rows += 1
    assert rows == 200000
    # 44 MB passed through.
    assert resident() - before < 24 * 1024


@pytest.mark.parametrize("table", ["assets", "time_series"])
def test_rows_without_their_key_are_read_and_told_apart(connection, store, table):
    """CDF has objects without external ids, and tools are shown these as the primary key."""
    name = unique("keyless")
    client = getattr(store.client, table)
    made = client.create([{"name": f"{name}-{n}"} for n in range(2)])
    try:
        asked = f"SELECT external_id, name FROM {table} WHERE name LIKE '{name}%' GROUP BY external_id, name ORDER BY 2"
        assert connection.execute(asked).fetchall() == [(None, f"{name}-0"), (None, f"{name}-1")]
        asked = f"SELECT count(*) FROM {table} WHERE external_id IS NULL AND starts_with(name, '{name}')"
        assert connection.execute(asked).fetchone() == (2,)
    finally:
        client.delete(id=[one.id for one in made])


def test_columns_have_comments_that_name_their_field_and_rules(connection):
    comment = "SELECT col_description('assets'::regclass, %s)"
    assert connection.execute(comment, [2]).fetchone() == ("externalId in CDF; key",)
    assert connection.execute(comment, [1]).fetchone() == (
        "id in CDF; names a row in UPDATE and DELETE; made by CDF",
    )
    without = connection.execute(
        "SELECT count(*) FROM information_schema.columns WHERE table_schema IN ('public', 'cdf')"
        " AND col_description(format('%I.%I', table_schema, table_name)::regclass, ordinal_position) IS NULL"
    ).fetchone()
    assert without == (0,)
