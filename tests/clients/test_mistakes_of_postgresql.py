"""Mistakes get the SQLSTATE and the position that a PostgreSQL 15 gives them."""

import psycopg
import pytest
from support.postgresql import Cluster

pytestmark = pytest.mark.gateway_only

MISTAKES = [
    "SELEC 1",
    "SELECT 1 +",
    "SELECT (1",
    "SELECT 1 FROM",
    "SELECT * FROM time_series WHERE",
    "SELECT * FROM time_series WHERE name = 'open",
    'SELECT * FROM time_series WHERE "name = 1',
    "SELECT * FROM time_series WHERE name = $$open",
    "SELECT /* open",
    "SELECT * FROM time_series ORDER name",
    "SELECT * FROM time_series LIMIT -1",
    "SELECT * FROM time_series LIMIT 'x'",
    "SELECT nome FROM time_series",
    "SELECT t.nome FROM time_series AS t",
    "SELECT x.name FROM time_series AS t",
    "SELECT time_series.name FROM time_series AS t",
    "SELECT name FROM time_series AS a, time_series AS b",
    "SELECT 1 FROM time_series AS a, time_series AS a",
    "SELECT * FROM nowhere",
    "SELECT * FROM nowhere.time_series",
    "SELECT nothing_such(name) FROM time_series",
    "SELECT upper(name, name) FROM time_series",
    "SELECT name + 1 FROM time_series",
    "SELECT name = 1 FROM time_series",
    "SELECT 1 FROM time_series WHERE name",
    "SELECT 1 FROM time_series WHERE count(*) > 1",
    "SELECT name, count(*) FROM time_series",
    "SELECT sum(sum(id)) FROM time_series",
    "SELECT name FROM time_series GROUP BY unit",
    "SELECT 1 FROM time_series HAVING name = 'x'",
    "SELECT row_number() OVER w FROM time_series",
    "SELECT 'x'::bigint FROM time_series",
    "SELECT 1 FROM time_series WHERE id = 'x'",
    "SELECT 1 FROM double_datapoints WHERE timestamp > 'teatime'",
    "SELECT 1 FROM time_series WHERE id IN (SELECT id, name FROM time_series)",
    "SELECT (SELECT id, name FROM time_series)",
    "SELECT id FROM time_series UNION SELECT name FROM time_series",
    "SELECT id, name FROM time_series UNION SELECT id FROM time_series",
    "SELECT DISTINCT ON (id) name FROM time_series ORDER BY name",
    "SELECT name FROM time_series ORDER BY 2",
    "SELECT CASE WHEN 1 THEN 2 END FROM time_series",
    "SELECT 1 / 0 FROM generate_series(1, 2)",
    "SELECT (9223372036854775807 + n) FROM generate_series(1, 2) AS n",
    "SELECT sqrt(-n) FROM generate_series(1, 2) AS n",
    "SELECT '{'::json FROM generate_series(1, 2)",
    "SELECT ('{' || n)::json FROM generate_series(1, 2) AS n",
    "SELECT ARRAY[[1], [2, 3]]",
    "SELECT '{1,2'::int[] FROM generate_series(1, 2)",
    "SELECT substring('a' FROM '(') FROM generate_series(1, 2)",
    "SELECT 'a' ~ '(' FROM generate_series(1, 2)",
    "SELECT * FROM time_series WHERE name LIKE '%\\'",
    "SELECT name COLLATE nowhere FROM time_series",
    "SELECT CAST(name AS nothing) FROM time_series",
    "SELECT current_setting('nothing') FROM generate_series(1, 2)",
    "WITH x AS (SELECT 1) SELECT * FROM y",
    "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT count(*) FROM x) SELECT * FROM x",
    "SELECT 1 FROM time_series FOR UPDATE OF x",
    "INSERT INTO time_series (nome) SELECT 'x'",
    "INSERT INTO time_series (name) SELECT 'x', 'y'",
    "INSERT INTO time_series (name, name) SELECT 'x', 'y'",
    "UPDATE time_series SET nome = lower('x')",
    "UPDATE time_series SET name = lower(nome)",
    "UPDATE time_series SET is_step = lower('x')",
    "DELETE FROM time_series WHERE nome = lower('x')",
    "DELETE FROM nowhere WHERE lower(name) = 'x'",
    "MERGE INTO time_series USING nowhere ON true WHEN MATCHED THEN DELETE",
    "SELECT 1; SELECT nome FROM time_series",
    "FETCH ALL FROM nothing",
    "CLOSE nothing",
    "EXECUTE nothing",
    "DEALLOCATE nothing",
    "DO $$ BEGIN x := 1; END $$",
    "DO $$ BEGIN PERFORM 1/0; END $$",
    "DROP TABLE pg_temp.nothing",
    "EXPLAIN SELECT nome FROM time_series",
    "COPY (SELECT nome FROM time_series) TO STDOUT",
    "SHOW nothing",
    "SET TimeZone = 'Mars/Olympus'",
    "SELECT 'é', '🏭', nome FROM time_series",
    "SELECT\n\n  nome\nFROM time_series",
]


@pytest.fixture(scope="module")
def postgresql():
    cluster = Cluster("fsync = off")
    try:
        with psycopg.connect(**cluster.server.keywords(autocommit=True)) as connection:
            yield connection
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def connection(target):
    with psycopg.connect(**target.server.keywords(autocommit=True)) as connection:
        # `time_series` has rows: what is worked out for each of them is worked out here, too.
        connection.execute("INSERT INTO time_series (external_id, name) VALUES ('mistakes', 'pump')")
        yield connection


def mistake(connection, statement: str, is_prepared: bool) -> tuple[str, str | None]:
    wire = connection.pgconn
    result = wire.exec_params(statement.encode(), []) if is_prepared else wire.exec_(statement.encode())
    if result.status == psycopg.pq.ExecStatus.COPY_OUT:
        wire.get_copy_data(0)
        result = wire.get_result()
    field = psycopg.pq.DiagnosticField
    sqlstate = result.error_field(field.SQLSTATE)
    position = result.error_field(field.STATEMENT_POSITION)
    return sqlstate and sqlstate.decode(), position and position.decode()


@pytest.mark.parametrize("statement", MISTAKES)
@pytest.mark.parametrize("is_prepared", [False, True], ids=["simple", "prepared"])
def test_a_mistake_has_postgresqls_code_and_position(connection, postgresql, statement, is_prepared):
    postgresql.execute(
        "INSERT INTO time_series (external_id, name) SELECT 'm', 'pump' WHERE NOT EXISTS (TABLE time_series)"
    )
    expected = mistake(postgresql, statement, is_prepared)
    assert expected[0], "PostgreSQL sees no mistake"
    assert mistake(connection, statement, is_prepared) == expected
    assert connection.execute("SELECT 1").fetchone() == (1,)
