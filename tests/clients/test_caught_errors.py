"""Code that catches errors: the embedded PostgreSQL cannot, and says so before anything runs."""

import psycopg
import pytest
from support.samples import unique

pytestmark = pytest.mark.gateway_only

CATCHES = "BEGIN PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END"


@pytest.mark.parametrize(
    "statement",
    [
        f"DO $$ {CATCHES} $$",
        f"CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE plpgsql AS $$ {CATCHES} $$",
        f"CREATE PROCEDURE pg_temp.p() LANGUAGE plpgsql AS '{CATCHES}'",
    ],
)
def test_it_is_refused_with_what_can_be_done(connection, statement):
    connection.execute("CREATE TEMP TABLE kept AS SELECT 1 AS a")
    with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
        connection.execute(statement)
    assert "EXCEPTION WHEN" in refused.value.diag.message_primary
    assert "ON CONFLICT" in refused.value.diag.message_hint
    assert connection.execute("TABLE kept").fetchall() == [(1,)]


def test_code_that_raises_errors_runs_and_takes_itself_back(connection):
    connection.execute("CREATE TEMP TABLE kept AS SELECT 1 AS a")
    with pytest.raises(psycopg.errors.RaiseException, match="no more"):
        connection.execute("DO $$ BEGIN UPDATE kept SET a = 2; RAISE EXCEPTION 'no more'; END $$")
    assert connection.execute("TABLE kept").fetchall() == [(1,)]


def test_a_handler_that_nobody_saw_ends_the_engine_and_no_transaction_is_left_failed(server, connection):
    hidden = "EXECUTE 'DO ''BEGIN PERFORM 1 / 0; EXCEPTION ' || 'WHEN OTHERS THEN NULL; END''';"
    with pytest.raises(psycopg.Error) as ended:
        connection.execute(f"DO $$ BEGIN {hidden} END $$")
    assert ended.value.sqlstate in {"57P01", "58000", "22012"}, ended.value
    if connection.closed:
        connection = psycopg.connect(**server.keywords(autocommit=True))
    with connection:
        name = unique("after")
        connection.execute("INSERT INTO labels (external_id, name) VALUES (%s, 'n')", [name])
        found = connection.execute(
            "SELECT count(*), max(upper(name)) FROM labels WHERE external_id = %s", [name]
        )
        assert found.fetchone() == (1, "N")
