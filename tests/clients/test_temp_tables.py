"""Temporary tables: made, filled, changed and dropped as in PostgreSQL, each session with its own."""

import asyncio
import io
import pathlib

import asyncpg
import psycopg
import pytest
from support import frames
from support.psql import psql
from support.samples import unique
from support.told import refusal

pytestmark = pytest.mark.gateway_only


@pytest.fixture(scope="module")
def session(target):
    """A session whose engine stays up from test to test, for it has a table in it."""
    with psycopg.connect(**target.server.keywords(autocommit=True)) as connection:
        connection.execute("CREATE TEMP TABLE anchor (a int)")
        yield connection


@pytest.fixture
def table(session):
    """A temporary table of the session, gone after the test."""
    name = unique("staging").replace("-", "_").lower()
    session.execute(f"CREATE TEMP TABLE {name} (id int PRIMARY KEY, name text, at timestamptz)")
    yield name
    session.rollback()
    session.execute(f"DROP TABLE IF EXISTS {name}")


def test_rows_are_inserted_changed_and_removed(session, table):
    tag = session.execute(f"INSERT INTO {table} VALUES (1, 'a', NULL), (2, 'b', now())").statusmessage
    assert tag == "INSERT 0 2"
    session.execute(f"INSERT INTO {table} (id, name) VALUES (%s, %s)", [3, "c"])
    rows = session.execute(f"UPDATE {table} SET name = upper(name) WHERE id < 3 RETURNING id, name")
    assert sorted(rows.fetchall()) == [(1, "A"), (2, "B")]
    assert session.execute(f"DELETE FROM {table} WHERE name = 'A'").statusmessage == "DELETE 1"
    found = session.execute(f"SELECT id, name, at IS NULL FROM {table} ORDER BY id").fetchall()
    assert found == [(2, "B", False), (3, "c", True)]
    assert session.execute(f"TRUNCATE {table}").statusmessage == "TRUNCATE TABLE"
    assert session.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_rows_are_merged_and_upserted(session, table):
    session.execute(f"INSERT INTO {table} VALUES (1, 'a')")
    session.execute(
        f"INSERT INTO {table} VALUES (1, 'b') ON CONFLICT (id) DO UPDATE SET name = excluded.name"
    )
    session.execute(
        f"MERGE INTO {table} AS t USING (VALUES (1, 'c'), (2, 'd')) AS s (id, name) ON s.id = t.id"
        " WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)"
    )
    assert session.execute(f"SELECT id, name FROM {table} ORDER BY id").fetchall() == [(1, "c"), (2, "d")]


def test_a_table_takes_the_columns_of_a_gateway_table(session):
    session.execute("CREATE TEMP TABLE like_assets (LIKE assets INCLUDING ALL) ON COMMIT PRESERVE ROWS")
    names = session.execute(
        "SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = 'like_assets'::regclass AND attnum > 0"
    ).fetchone()[0]
    assert names[:2] and "external_id" in names and "metadata" in names
    session.execute("DROP TABLE like_assets")


def test_a_table_is_made_of_rows_of_cdf(session, connection):
    prefix = unique("made")
    connection.execute(
        f"INSERT INTO assets (external_id, name) VALUES ('{prefix}-1', 'One'), ('{prefix}-2', 'Two')"
    )
    like = f"'{prefix}%%'"
    made = session.execute(
        "CREATE TEMP TABLE made AS SELECT external_id, name FROM assets WHERE external_id LIKE %s",
        [f"{prefix}%"],
    )
    assert made.statusmessage == "SELECT 2"
    session.execute(f"SELECT external_id INTO TEMP chosen FROM assets WHERE external_id LIKE {like}", [])
    assert session.execute("SELECT name FROM made ORDER BY 1").fetchall() == [("One",), ("Two",)]
    joined = session.execute(
        "SELECT count(*) FROM made JOIN chosen USING (external_id) JOIN assets USING (external_id)"
    )
    assert joined.fetchone() == (2,)
    session.execute("DROP TABLE made, chosen")


def test_rows_of_cdf_are_not_left_for_the_next_statement(session, table):
    # The function reads it where no plan shows it.
    session.execute("SELECT count(*) FROM labels")
    for statement in (
        "SELECT query_to_xml('SELECT * FROM labels', true, true, '')",
        "DO $$ DECLARE n int; BEGIN SELECT count(*) INTO n FROM labels; END $$",
    ):
        assert refusal(session, statement).sqlstate == "42501"


def test_copy_fills_a_table_in_each_format(session, table):
    with session.cursor() as cursor:
        with cursor.copy(f"COPY {table} (id, name) FROM STDIN") as copy:
            copy.write_row((1, "tab\there"))
        assert cursor.statusmessage == "COPY 1"
        with cursor.copy(f"COPY {table} (id, name) FROM STDIN (FORMAT csv, HEADER)") as copy:
            copy.write('id,name\n2,"a,""b"""\n')
        with cursor.copy(f"COPY {table} (id, name) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            copy.write_row((3, None))
    rows = session.execute(f"SELECT id, name FROM {table} ORDER BY id").fetchall()
    assert rows == [(1, "tab\there"), (2, 'a,"b"'), (3, None)]
    with session.cursor().copy(f"COPY {table} (id) TO STDOUT") as copy:
        assert b"".join(bytes(block) for block in copy) == b"1\n2\n3\n"


def test_much_is_copied_without_filling_memory(session, table, target):
    def resident() -> int:
        status = pathlib.Path(f"/proc/{target.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    before = resident()
    line = "\t" + "x" * 200 + "\n"
    with session.cursor() as cursor, cursor.copy(f"COPY {table} (id, name) FROM STDIN") as copy:
        for block in range(300):
            copy.write("".join(f"{block * 1000 + row}{line}" for row in range(1000)))
    assert session.execute(f"SELECT count(*), max(id) FROM {table}").fetchone() == (300000, 299999)
    # 62 MB passed through.
    assert resident() - before < 32 * 1024


def test_a_bad_row_of_a_copy_is_told_with_its_line_and_column(session, table):
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as caught, session.cursor() as cursor:
        with cursor.copy(f"COPY {table} (id, name) FROM STDIN") as copy:
            copy.write("1\ta\nnone\tb\n")
            for number in range(200):
                copy.write(f"{number + 2}\t{'y' * 10000}\n")
    assert caught.value.diag.context == f'COPY {table}, line 2, column id: "none"'
    assert session.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_a_copy_that_the_client_gives_up_leaves_nothing(session, table):
    with pytest.raises(ValueError, match="no more"), session.cursor() as cursor:
        with cursor.copy(f"COPY {table} (id) FROM STDIN") as copy:
            copy.write("1\n")
            raise ValueError("no more")
    assert session.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_a_copy_that_waits_for_its_client_can_be_cancelled_and_the_tables_stay(session, table):
    with pytest.raises(psycopg.errors.QueryCanceled), session.cursor() as cursor:
        with cursor.copy(f"COPY {table} (id) FROM STDIN") as copy:
            copy.write("1\n")
            session.cancel_safe()
    assert session.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_a_copy_by_the_extended_protocol_fills_a_table(server):
    with frames.signed_in(server) as client:
        client.ask(frames.query("CREATE TEMP TABLE t (a int, b text)"))
        statement = frames.parse("COPY t FROM STDIN (FORMAT csv)")
        client.send(
            statement, frames.describe("S"), frames.bind(), frames.execute(), frames.FLUSH, frames.SYNC
        )
        assert "".join(each.kind for each in client.read_until("G")) == "1tn2G"
        halves = [frames.copy_data(b"1,x\n2,"), frames.FLUSH, frames.copy_data(b"y\n")]
        answer = client.ask(*halves, frames.COPY_DONE, frames.SYNC)
        assert "".join(each.kind for each in answer) == "CZ"
        answer = client.ask(frames.query("SELECT sum(a), string_agg(b, '' ORDER BY a) FROM t"))
        rows = [each.body for each in answer if each.kind == "D"]
        assert rows == [b"\x00\x02\x00\x00\x00\x013\x00\x00\x00\x02xy"]


def test_text_of_a_latin1_client_is_copied(server):
    with psycopg.connect(**server.keywords(autocommit=True, client_encoding="latin1")) as connection:
        connection.execute("CREATE TEMP TABLE words (w text)")
        with connection.cursor().copy("COPY words FROM STDIN") as copy:
            copy.write("blåbær\n".encode("latin1"))
        assert connection.execute("SELECT w, length(w) FROM words").fetchone() == ("blåbær", 6)


def test_a_table_goes_back_with_its_transaction_and_to_savepoints(session, table):
    with session.transaction(force_rollback=True):
        session.execute("CREATE TEMP TABLE gone AS SELECT 1 AS a")
        session.execute(f"INSERT INTO {table} VALUES (1, 'rolled back')")
    assert refusal(session, "SELECT * FROM gone").sqlstate == "42P01"
    with session.transaction():
        session.execute(f"INSERT INTO {table} VALUES (1, 'stays')")
        with session.transaction(force_rollback=True):
            session.execute(f"INSERT INTO {table} VALUES (2, 'goes')")
            session.execute(f"ALTER TABLE {table} DROP COLUMN at")
        with pytest.raises(psycopg.errors.UniqueViolation), session.transaction():
            session.execute(f"INSERT INTO {table} VALUES (1, 'again')")
        session.execute(f"INSERT INTO {table} VALUES (3, 'stays, too')")
    rows = session.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
    assert rows == [(1, "stays", None), (3, "stays, too", None)]


def test_savepoints_from_before_the_first_statement_of_the_engine_count(session, table):
    session.execute("BEGIN")
    session.execute("SAVEPOINT first")
    session.execute("SAVEPOINT second")
    session.execute(f"INSERT INTO {table} VALUES (1)")
    session.execute("ROLLBACK TO first")
    session.execute(f"INSERT INTO {table} VALUES (2)")
    session.execute("RELEASE first")
    session.execute("COMMIT")
    assert session.execute(f"SELECT id FROM {table}").fetchall() == [(2,)]


def test_a_failed_statement_takes_itself_back_and_nothing_else(session, table):
    session.execute(f"INSERT INTO {table} VALUES (1)")
    assert refusal(session, f"INSERT INTO {table} VALUES (2), (1)").sqlstate == "23505"
    assert refusal(session, f"SELECT 1 / (id - 1) FROM {table}").sqlstate == "22012"
    assert session.execute(f"SELECT id FROM {table}").fetchall() == [(1,)]


def test_the_statements_of_one_query_are_one_transaction(session, table):
    with pytest.raises(psycopg.errors.DivisionByZero):
        session.execute(
            f"CREATE TEMP TABLE half (a int); INSERT INTO {table} VALUES (1); SELECT 1 / (0 * 1) FROM half",
            None,
        )
        session.execute(
            f"INSERT INTO {table} VALUES (1); CREATE TEMP TABLE half2 AS SELECT 1 / (SELECT 0) AS a"
        )
    session.execute("DROP TABLE IF EXISTS half")
    session.execute(f"DELETE FROM {table}; INSERT INTO {table} VALUES (7); CREATE TEMP TABLE whole (a int)")
    assert session.execute(f"SELECT id FROM {table}").fetchall() == [(7,)]
    session.execute("DROP TABLE whole")


def test_a_pipeline_is_one_transaction(session, table):
    with pytest.raises(psycopg.errors.UniqueViolation), session.pipeline() as pipeline:
        session.execute(f"INSERT INTO {table} VALUES (%s)", [1])
        session.execute(f"INSERT INTO {table} VALUES (%s)", [1])
        pipeline.sync()
    assert session.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    with session.pipeline():
        for number in range(50):
            session.execute(f"INSERT INTO {table} VALUES (%s)", [number])
    assert session.execute(f"SELECT count(*) FROM {table}").fetchone() == (50,)


def test_on_commit_drop_and_delete_rows(session):
    with session.transaction():
        session.execute("CREATE TEMP TABLE short (a int) ON COMMIT DROP")
        session.execute("CREATE TEMP TABLE emptied (a int) ON COMMIT DELETE ROWS")
        session.execute("INSERT INTO short VALUES (1)")
        session.execute("INSERT INTO emptied SELECT a FROM short")
        assert session.execute("SELECT count(*) FROM emptied").fetchone() == (1,)
    assert refusal(session, "SELECT * FROM short").sqlstate == "42P01"
    assert session.execute("SELECT count(*) FROM emptied").fetchone() == (0,)
    session.execute("DROP TABLE emptied")


def test_indexes_views_sequences_and_functions_of_the_session(session, table):
    session.execute(f"CREATE INDEX ON {table} (name)")
    session.execute(f"CREATE TEMP VIEW seen AS SELECT id FROM {table}")
    session.execute("CREATE TEMP SEQUENCE counter START 41")
    session.execute("CREATE FUNCTION pg_temp.twice(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1'")
    session.execute(f"INSERT INTO {table} (id) VALUES (nextval('counter')), (nextval('counter'))")
    rows = session.execute("SELECT id, pg_temp.twice(id) FROM seen ORDER BY 1").fetchall()
    assert rows == [(41, 82), (42, 84)]
    session.execute(f"ANALYZE {table}")
    session.execute("DROP VIEW seen; DROP SEQUENCE counter; DROP FUNCTION pg_temp.twice(int)")


def test_a_view_of_the_session_reads_cdf(session, connection):
    name = unique("seen")
    connection.execute("INSERT INTO assets (external_id, name) VALUES (%s, 'Seen')", [name])
    session.execute("CREATE TEMP VIEW all_assets AS SELECT external_id, name FROM assets")
    assert session.execute("SELECT name FROM all_assets WHERE external_id = %s", [name]).fetchall() == [
        ("Seen",)
    ]
    session.execute("DROP VIEW all_assets")


def test_a_block_of_code_works_on_tables_of_the_session(session, table):
    session.execute(
        f"DO $$ BEGIN FOR n IN 1..3 LOOP INSERT INTO {table} VALUES (n); END LOOP;"
        " CREATE TEMP TABLE by_block AS SELECT 1 AS a; END $$"
    )
    assert session.execute(f"SELECT count(*) FROM {table}").fetchone() == (3,)
    session.execute("DROP TABLE by_block")


def test_a_block_of_code_that_leaves_nothing_needs_no_table(connection):
    assert connection.execute("DO $$ BEGIN PERFORM 1; END $$").statusmessage == "DO"
    assert connection.execute("DROP TABLE IF EXISTS nowhere").statusmessage == "DROP TABLE"


def test_a_temporary_table_hides_the_gateways_of_the_same_name(session, connection):
    label = unique("label")
    insert = "INSERT INTO labels (external_id, name) VALUES (%s, %s)"
    session.execute(insert, [f"{label}-before", "In CDF"], prepare=True)
    session.execute("CREATE TEMP TABLE labels (external_id text, name text)")
    try:
        # Prepared before the table was there, or not: it is the session's now.
        session.execute(insert, [f"{label}-1", "Mine"], prepare=True)
        session.execute(f"INSERT INTO labels VALUES ('{label}-2', 'Mine')")
        with session.cursor().copy("COPY labels FROM STDIN") as copy:
            copy.write_row((f"{label}-3", "Mine"))
        session.execute("UPDATE labels SET name = 'Changed' WHERE external_id = %s", [f"{label}-3"])
        session.execute(f"INSERT INTO public.labels (external_id, name) VALUES ('{label}-cdf', 'In CDF')")
        mine = session.execute("SELECT external_id, name FROM labels ORDER BY 1").fetchall()
        assert mine == [(f"{label}-1", "Mine"), (f"{label}-2", "Mine"), (f"{label}-3", "Changed")]
    finally:
        session.execute("DROP TABLE labels")
    found = connection.execute(
        "SELECT external_id FROM labels WHERE external_id LIKE %s ORDER BY 1", [f"{label}%"]
    ).fetchall()
    assert found == [(f"{label}-before",), (f"{label}-cdf",)]


def test_conditions_on_a_table_that_hides_another_are_none_on_that(session, connection):
    prefix = unique("hidden")
    connection.execute(f"INSERT INTO labels (external_id, name) VALUES ('{prefix}', 'In CDF')")
    session.execute("CREATE TEMP VIEW in_cdf AS SELECT * FROM public.labels")
    session.execute("CREATE TEMP TABLE labels AS SELECT 'x' AS name")
    try:
        found = session.execute(
            "SELECT c.external_id FROM in_cdf c, labels WHERE labels.name = 'x' AND c.external_id = %s",
            [prefix],
        )
        assert found.fetchall() == [(prefix,)]
    finally:
        session.execute("DROP TABLE pg_temp.labels; DROP VIEW in_cdf")


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("CREATE TABLE stays (a int)", "42501"),
        ("CREATE TABLE stays AS SELECT 1 AS a", "42501"),
        ("SELECT 1 AS a INTO stays FROM pg_class", "42501"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "42501"),
        ("CREATE SCHEMA mine", "42501"),
        ("CREATE ROLE other", "42501"),
        ("ALTER TABLE assets ADD COLUMN a int", "42501"),
        ("DROP TABLE assets", "42501"),
        ("CREATE INDEX ON assets (name)", "42501"),
        ("ALTER ROLE CURRENT_USER PASSWORD 'x'", "0A000"),
        ("DROP OWNED BY CURRENT_USER", "0A000"),
        ("VACUUM", "0A000"),
        ("DO $$ BEGIN INSERT INTO labels (external_id) VALUES ('never'); END $$", "42501"),
        ("DO $$ BEGIN DELETE FROM labels; END $$", "42501"),
        ("CREATE TEMP TABLE t AS SELECT pg_read_file('/etc/passwd')", "42501"),
        ("COPY anchor FROM '/etc/passwd'", "42501"),
        ("COPY anchor FROM PROGRAM 'id'", "42501"),
    ],
)
def test_what_would_outlive_the_session_is_refused(session, statement, sqlstate):
    assert refusal(session, statement).sqlstate == sqlstate
    assert session.execute("SELECT count(*) FROM anchor").fetchone() == (0,)


def test_a_function_cannot_change_a_gateway_table(session):
    session.execute(
        "CREATE FUNCTION pg_temp.sneaks() RETURNS int LANGUAGE sql"
        " AS 'INSERT INTO labels (external_id) VALUES (''never'') RETURNING 1'"
    )
    assert refusal(session, "SELECT pg_temp.sneaks()").sqlstate == "25006"
    assert refusal(session, "CREATE TEMP TABLE t AS SELECT pg_temp.sneaks()").sqlstate == "42501"
    assert refusal(session, "SELECT * FROM t").sqlstate == "42P01"
    session.execute("DROP FUNCTION pg_temp.sneaks()")


def test_without_a_temporary_table_what_stays_is_refused_with_a_hint(connection):
    error = refusal(connection, "CREATE TABLE stays (a int)")
    assert error.sqlstate == "0A000"
    assert "CREATE TEMPORARY TABLE" in error.diag.message_hint


def test_a_read_only_transaction_makes_nothing(session):
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), session.transaction():
        session.execute("SET TRANSACTION READ ONLY")
        session.execute("CREATE TEMP TABLE t (a int)")


def test_settings_that_a_statement_sets_are_the_sessions(session):
    session.execute("DO $$ BEGIN PERFORM set_config('TimeZone', 'Europe/Oslo', false); END $$")
    try:
        assert session.info.parameter_status("TimeZone") == "Europe/Oslo"
        assert session.execute("SHOW TimeZone").fetchone() == ("Europe/Oslo",)
        session.execute("SELECT set_config('search_path', 'cdf, public', true) FROM pg_am LIMIT 1")
        assert session.execute("SHOW search_path").fetchone() != ("cdf, public",)
        with session.transaction():
            session.execute("SELECT set_config('DateStyle', 'German', true) FROM pg_am LIMIT 1")
            assert session.execute("SHOW DateStyle").fetchone() == ("German, DMY",)
        assert session.execute("SHOW DateStyle").fetchone() == ("ISO, MDY",)
        with session.transaction(force_rollback=True):
            session.execute("SELECT set_config('TimeZone', 'UTC', false) FROM pg_am LIMIT 1")
        assert session.execute("SHOW TimeZone").fetchone() == ("Europe/Oslo",)
    finally:
        session.execute("RESET TimeZone")
    text = session.execute("SELECT max(t)::text FROM (VALUES ('2026-07-01 12:00Z'::timestamptz)) AS v (t)")
    assert text.fetchone() == ("2026-07-01 12:00:00+00",)


def test_settings_of_the_session_hold_where_it_has_tables(session, table):
    session.execute("SET TimeZone = 'Asia/Tokyo'")
    session.execute(f"INSERT INTO {table} VALUES (1, 'x', '2026-01-01 00:00')")
    session.execute("RESET TimeZone")
    row = session.execute(f"SELECT at AT TIME ZONE 'UTC' = '2025-12-31 15:00' FROM {table}").fetchone()
    assert row == (True,)


def test_two_sessions_have_tables_of_the_same_name(session, connection):
    for each, value in ((session, 1), (connection, 2)):
        each.execute("CREATE TEMP TABLE twin (a int)")
        each.execute("INSERT INTO twin VALUES (%s)", [value])
    assert session.execute("SELECT a FROM twin").fetchall() == [(1,)]
    assert connection.execute("SELECT a FROM twin").fetchall() == [(2,)]
    session.execute("DROP TABLE twin")


def test_prepared_statements_of_sql_are_executed_and_forgotten(session, table):
    session.execute(f"PREPARE fill (int, text) AS INSERT INTO {table} (id, name) VALUES ($1, $2)")
    session.execute("EXECUTE fill (1, 'a')")
    session.execute("PREPARE look AS SELECT count(*) FROM labels WHERE external_id = 'nothing-such'")
    assert session.execute("EXECUTE look").fetchone() == (0,)
    assert session.execute(f"SELECT name FROM {table}").fetchall() == [("a",)]
    assert session.execute("DEALLOCATE fill").statusmessage == "DEALLOCATE"
    assert refusal(session, "EXECUTE fill (2, 'b')").sqlstate == "26000"
    session.execute("DEALLOCATE look")
    assert refusal(session, "DEALLOCATE look").sqlstate == "26000"


def test_psql_stages_by_a_temporary_table(server, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("1,one\n2,two\n")
    done = psql(
        server,
        "-c", "CREATE TEMP TABLE s (a int, b text)",
        "-c", rf"\copy s FROM '{file}' CSV",
        "-c", "SELECT sum(a), max(b) FROM s",
        "-c", r"\d s",
    )  # fmt: skip
    assert done.code == 0, done.error
    assert "COPY 2" in done.lines and "3|two" in done.lines
    assert any(line.startswith("a|integer") for line in done.lines), done.lines


def test_asyncpg_copies_records_into_a_temporary_table(server):
    async def stage():
        connection = await asyncpg.connect(**server.asyncpg())
        try:
            await connection.execute("CREATE TEMP TABLE records (id int8, name text, at timestamptz)")
            records = [(number, f"n{number}", None) for number in range(1000)]
            status = await connection.copy_records_to_table("records", records=records)
            out = io.BytesIO()
            await connection.copy_from_query("SELECT id FROM records WHERE id < 3 ORDER BY 1", output=out)
            await connection.executemany("UPDATE records SET name = $2 WHERE id = $1", [(1, "x"), (2, "y")])
            changed = await connection.fetch("SELECT name FROM records WHERE id IN (1, 2) ORDER BY id")
            return status, out.getvalue(), [row["name"] for row in changed]
        finally:
            await connection.close()

    assert asyncio.run(stage()) == ("COPY 1000", b"0\n1\n2\n", ["x", "y"])
