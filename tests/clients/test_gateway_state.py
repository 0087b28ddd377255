"""Schema penstock: the gateway's own state in SQL, as tools find and read it."""

import asyncio
import time

import asyncpg
import psycopg
import pytest
from support.configured import ConfiguredGateway
from support.psql import psql
from support.samples import unique

pytestmark = pytest.mark.gateway_only

RELATIONS = ["budgets", "connections", "dead_letters", "queues"]
WITHIN_S = 60


def insert(connection, database: str, key: str) -> None:
    connection.execute(
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES (%s, 't', %s, '{}')",
        (database, key),
    )


def await_row(connection, question: str, parameters=()):
    """The first row of a question, once there is one."""
    deadline = time.monotonic() + WITHIN_S
    while (row := connection.execute(question, parameters).fetchone()) is None:
        assert time.monotonic() < deadline, question
        time.sleep(0.1)
    return row


def test_psql_lists_the_relations_and_describes_them(server):
    listed = psql(server, "-c", r"\dt penstock.*")
    assert [line.split("|")[1] for line in listed.lines] == RELATIONS
    described = psql(server, "-c", r"\d+ penstock.queues")
    assert "waiting_rows|bigint" in described.out
    assert "what CDF said last" in described.out
    assert "penstock.queues" not in psql(server, "-c", r"\dt").out


def test_information_schema_and_comments_know_them(connection):
    columns = connection.execute(
        "SELECT table_name, count(*), count(col_description(format('penstock.%I', table_name)::regclass,"
        " ordinal_position::int)) FROM information_schema.columns WHERE table_schema = 'penstock'"
        " GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert [name for name, _, _ in columns] == RELATIONS
    assert all(count == commented > 5 for _, count, commented in columns)
    comments = connection.execute(
        "SELECT obj_description(oid, 'pg_class') FROM pg_class WHERE relnamespace = 'penstock'::regnamespace"
    ).fetchall()
    assert len(comments) == 4
    assert all(comment for (comment,) in comments)


@pytest.mark.embedded_only
def test_their_numbers_are_the_same_on_both_roads(connection):
    (by_engine,) = connection.execute(
        "SELECT max(oid::bigint) FROM pg_class WHERE oid = 'penstock.queues'::regclass"
    ).fetchone()
    cursor = connection.execute("SELECT * FROM penstock.queues WHERE 1 = 0")
    assert cursor.description is not None
    assert cursor.pgresult.ftable(0) == by_engine
    assert [column.name for column in cursor.description][:2] == ["project", "resource"]


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("INSERT INTO penstock.queues (project) VALUES ('x')", "42501"),
        ("INSERT INTO penstock.queues SELECT * FROM penstock.queues", "42501"),
        ("UPDATE penstock.budgets SET slots = 1000 WHERE budget = 'raw'", "42501"),
        ("UPDATE penstock.budgets SET slots = slots + 1", "42501"),
        ("DELETE FROM penstock.dead_letters WHERE id = 1", "42501"),
        ("DELETE FROM penstock.dead_letters", "42501"),
        ("TRUNCATE penstock.dead_letters", "42501"),
        ("COPY penstock.queues FROM STDIN", "42501"),
        (
            "MERGE INTO penstock.queues AS q USING (VALUES ('x')) AS v(p) ON q.project = v.p"
            " WHEN NOT MATCHED THEN INSERT (project) VALUES (v.p)",
            "42501",
        ),
        ("DROP TABLE penstock.queues", "42501"),
        ("ALTER TABLE penstock.queues ADD COLUMN a int", "42501"),
        ("CREATE TABLE penstock.own (a int)", "0A000"),
        ("CREATE TEMP TABLE penstock.own (a int)", "42501"),
    ],
)
def test_nobody_changes_what_the_gateway_shows(connection, statement, sqlstate):
    with pytest.raises(psycopg.Error) as refused:
        connection.execute(statement)
    assert refused.value.sqlstate == sqlstate, refused.value
    if statement.split()[0] in ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "COPY", "MERGE"):
        assert "only read" in refused.value.diag.message_hint
    assert connection.execute("SELECT count(*) FROM penstock.connections").fetchone()[0] >= 1


def test_a_relation_that_is_not_there_is_told_which_there_are(connection):
    with pytest.raises(psycopg.errors.UndefinedTable) as refused:
        connection.execute("SELECT * FROM penstock.actors")
    assert "budgets, connections, dead_letters, queues" in refused.value.diag.message_hint


def test_each_statement_looks_anew(connection, raw_database):
    question = "SELECT received_rows FROM penstock.connections WHERE process_id = %s"
    own = connection.info.backend_pid
    (before,) = connection.execute(question, (own,)).fetchone()
    insert(connection, raw_database, "a")
    insert(connection, raw_database, "b")
    assert connection.execute(question, (own,)).fetchone() == (before + 2,)
    # In a block as well, and where the statement is prepared.
    with connection.transaction():
        insert(connection, raw_database, "c")
        assert connection.execute(question, (own,), prepare=True).fetchone() == (before + 3,)


def test_another_connection_is_shown_with_what_it_does(server, connection, raw_database):
    question = (
        "SELECT user_name, client_address, is_encrypted, state, table_name, resource, received_rows"
        " FROM penstock.connections WHERE NOT is_own AND application_name = %s"
    )
    name = unique("etl")
    with psycopg.connect(**server.keywords(autocommit=True, application_name=name)) as other:
        insert(other, raw_database, "a")
        row = await_row(connection, question + " AND state = 'idle'", (name,))
        assert row == (server.user, "127.0.0.1", False, "idle", "raw_rows", "raw_rows", 1)
        other.execute("BEGIN")
        assert await_row(connection, question + " AND state = 'idle in transaction'", (name,))
        with pytest.raises(psycopg.errors.UndefinedTable):
            other.execute("INSERT INTO nothing VALUES (1)")
        assert await_row(connection, question + " AND state = 'idle in transaction (aborted)'", (name,))
        other.execute("ROLLBACK")
        with other.cursor() as cursor, cursor.copy("COPY labels (external_id, name) FROM STDIN") as copy:
            copy.write_row((unique("label"), "a"))
            row = await_row(connection, question + " AND state = 'copy'", (name,))
            assert row[4:6] == ("labels", "labels")
        renamed = unique("renamed")
        other.execute(f"SET application_name = '{renamed}'")
        assert await_row(connection, question, (renamed,))[-1] == 2
    deadline = time.monotonic() + WITHIN_S
    while connection.execute(question, (renamed,)).fetchone() is not None:
        assert time.monotonic() < deadline, "a connection that has ended is shown"
        time.sleep(0.1)


@pytest.mark.embedded_only
def test_a_session_finds_itself_by_the_number_that_postgresql_tells(connection):
    found = connection.execute("SELECT is_own FROM penstock.connections WHERE process_id = pg_backend_pid()")
    assert found.fetchall() == [(True,)]


def test_a_block_that_stays_open_shows_since_when(server, connection):
    with psycopg.connect(**server.keywords(autocommit=True)) as other:
        other.execute("BEGIN")
        question = (
            "SELECT transaction_time BETWEEN connected_time AND now() + interval '5 s'"
            " FROM penstock.connections WHERE process_id = %s AND transaction_time IS NOT NULL"
        )
        assert await_row(connection, question, (other.info.backend_pid,)) == (True,)
        other.execute("COMMIT")


def test_asyncpg_reads_them_by_parameter_and_by_cursor(server, raw_database):
    async def read():
        connection = await asyncpg.connect(**server.asyncpg())
        try:
            own = connection.get_server_pid()
            row = await connection.fetchrow(
                "SELECT process_id, is_own, state, connected_time FROM penstock.connections WHERE process_id = $1",
                own,
            )
            async with connection.transaction():
                found = [
                    record["process_id"]
                    async for record in connection.cursor("SELECT * FROM penstock.connections", prefetch=1)
                ]
            return own, row, found
        finally:
            await connection.close()

    own, row, found = asyncio.run(read())
    assert (row["process_id"], row["is_own"], row["state"]) == (own, True, "active")
    assert row["connected_time"].tzinfo is not None
    assert own in found


def test_they_join_with_each_other_and_with_tables_of_cdf(connection, raw_database):
    insert(connection, raw_database, "a")
    rows = connection.execute(
        "SELECT q.resource, q.state, b.budget, b.scope FROM penstock.queues AS q"
        " JOIN penstock.budgets AS b ON b.budget = q.resource AND b.project = q.project"
        " WHERE q.resource = 'raw_rows' ORDER BY b.scope"
    ).fetchall()
    assert rows == [("raw_rows", "idle", "raw_rows", "identity"), ("raw_rows", "idle", "raw_rows", "project")]
    counted = connection.execute(
        "SELECT t._raw_table, count(DISTINCT c.process_id) > 0 FROM raw_tables AS t"
        " CROSS JOIN penstock.connections AS c WHERE t._raw_database = %s GROUP BY 1",
        (raw_database,),
    ).fetchall()
    assert counted == [("t", True)]
    connection.execute(
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
        " SELECT %s, 'seen', scope || budget, json_build_object('slots', slots) FROM penstock.budgets",
        (raw_database,),
    )
    seen = connection.execute(
        "SELECT _raw_columns ->> 'slots' FROM raw_rows WHERE _raw_database = %s AND _raw_table = 'seen'"
        " AND _raw_key = 'identityraw_rows'",
        (raw_database,),
    ).fetchall()
    assert seen == [("48",)]
    plan = connection.execute(
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM penstock.queues"
    ).fetchone()
    assert plan[0][0]["Plan"]["Node Type"] == "Aggregate"
    assert plan[0][0]["Plan"]["Plans"][0]["Actual Rows"] >= 1


def test_a_session_with_an_engine_of_its_own_reads_them_too(connection):
    connection.execute("CREATE TEMP TABLE seen AS SELECT process_id FROM penstock.connections")
    connection.execute("CREATE TEMP VIEW mine AS SELECT count(*) AS n FROM penstock.connections")
    (seen,) = connection.execute("SELECT count(*) FROM seen").fetchone()
    assert seen >= 1
    assert connection.execute("SELECT n FROM mine").fetchone()[0] >= 1
    with connection.transaction():
        connection.execute("DECLARE c CURSOR FOR SELECT process_id FROM penstock.connections")
        assert connection.execute("FETCH 1 FROM c").fetchone() is not None
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DO $$ BEGIN DELETE FROM penstock.connections; END $$")


def test_without_a_store_there_are_no_dead_letters_to_show(connection):
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as refused:
        connection.execute("SELECT * FROM penstock.dead_letters")
    assert "dead_letters.directory" in refused.value.diag.message_hint


def test_a_name_in_public_is_no_relation_of_the_gateways_state(connection):
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM queues")


def test_without_an_engine_they_are_refused_with_a_hint(tmp_path, target):
    with (
        ConfiguredGateway(tmp_path, target.cdf_url, engine={"kind": "off"}) as gateway,
        psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection,
    ):
        with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
            connection.execute("SELECT * FROM penstock.queues")
        assert refused.value.diag.message_hint
        probe = connection.execute("SELECT * FROM penstock.queues WHERE 1 = 0")
        assert "waiting_rows" in [column.name for column in probe.description]


def test_more_rows_than_a_statement_may_read_are_refused(tmp_path, target):
    with (
        ConfiguredGateway(tmp_path, target.cdf_url, engine={"scan_rows_max": 1}) as gateway,
        psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection,
    ):
        assert connection.execute("SELECT count(*) FROM penstock.connections").fetchone() == (1,)
        with (
            psycopg.connect(**gateway.server.keywords(autocommit=True)),
            pytest.raises(psycopg.errors.ConfigurationLimitExceeded) as refused,
        ):
            connection.execute("SELECT count(*) FROM penstock.connections")
        assert "penstock.connections" in refused.value.diag.message_primary
