"""A Query of several statements is parsed whole before any of it runs, as PostgreSQL does."""

import psycopg
import pytest

INSERT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ('{}', '2026-11-01Z', 1)"
NO_SQL = "SELECT n FROM generate_series(1, 2) AS n GROUP"


def refused(connection, text: str) -> psycopg.errors.SyntaxError:
    with pytest.raises(psycopg.errors.SyntaxError) as caught:
        connection.execute(text)
    return caught.value


BETWEEN = {
    "nothing": "",
    "a query": "SELECT count(*) FROM generate_series(1, 3) AS n;",
    "the end of the transaction": "COMMIT;",
    "semicolons that end nothing": "-- é; not the end\n SELECT 'a;b' /* ; */ , $$;$$;",
}


@pytest.mark.parametrize("between", BETWEEN)
def test_what_comes_before_a_syntax_error_does_not_run(connection, store, series, between):
    before = f"{INSERT.format(series)}; {BETWEEN[between]} "
    error = refused(connection, f"{before}{NO_SQL}; SELECT 2")
    # At the semicolon behind it, where PostgreSQL expected more.
    assert int(error.diag.statement_position) == len(before + NO_SQL) + 1
    assert store.points(series) == []


def test_rows_that_are_no_sql_keep_earlier_statements_from_running(connection, store, series):
    before = f"{INSERT.format(series)}; SELECT max(n) FROM generate_series(1, 3) AS n; "
    wrong = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ('x', now(), 1), ('y',,1)"
    error = refused(connection, before + wrong)
    assert int(error.diag.statement_position) == len(before) + wrong.index(",,") + 2
    assert store.points(series) == []


def test_of_two_syntax_errors_the_first_is_told(connection):
    before = "SELECT count(*) FROM generate_series(1, 3) AS n; "
    error = refused(connection, f"{before}{NO_SQL}; SELEC 1")
    assert int(error.diag.statement_position) == len(before + NO_SQL) + 1
    insert = "INSERT INTO double_datapoints VALUES (1,,2)"
    error = refused(connection, f"{insert}; {NO_SQL}")
    assert int(error.diag.statement_position) == insert.index(",,") + 2
    error = refused(connection, f"{NO_SQL}; {insert}")
    assert int(error.diag.statement_position) == len(NO_SQL) + 1


def test_an_open_transaction_fails_and_keeps_nothing(connection, store, series):
    connection.execute("BEGIN")
    connection.execute(INSERT.format(series))
    refused(connection, f"SAVEPOINT s; {NO_SQL}")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    assert connection.execute("COMMIT").statusmessage == "ROLLBACK"
    assert store.points(series) == []


def test_temporary_tables_stay_as_they_were(connection):
    connection.execute("CREATE TEMP TABLE staged (a int)")
    connection.execute("BEGIN; INSERT INTO staged VALUES (1)")
    refused(connection, f"INSERT INTO staged VALUES (2); {NO_SQL}")
    connection.execute("ROLLBACK")
    refused(connection, f"INSERT INTO staged VALUES (3); {NO_SQL}")
    connection.execute("INSERT INTO staged VALUES (4); INSERT INTO staged SELECT 5; SELECT 1 AS a GROUP BY 1")
    assert connection.execute("SELECT array_agg(a ORDER BY a) FROM staged").fetchone() == ([4, 5],)


def test_statements_that_are_sound_run_one_after_the_other(connection, store, series):
    found = connection.execute(
        f"{INSERT.format(series)}; SELECT count(*) FROM generate_series(1, 3) AS n; SELECT upper('done')"
    )
    assert found.statusmessage == "INSERT 0 1"
    assert found.nextset()
    assert found.fetchone() == (3,)
    assert found.nextset()
    assert found.fetchone() == ("DONE",)
    assert [value for _, value in store.points(series)] == [1.0]


def test_an_error_that_is_none_of_syntax_comes_when_its_statement_does(connection, store, series):
    before = f"BEGIN; {INSERT.format(series)}; COMMIT; "
    with pytest.raises(psycopg.errors.UndefinedFunction) as caught:
        connection.execute(f"{before}SELECT there_is_none(n) FROM generate_series(1, 2) AS n")
    assert int(caught.value.diag.statement_position) == len(before) + len("SELECT ") + 1
    assert [value for _, value in store.points(series)] == [1.0]
