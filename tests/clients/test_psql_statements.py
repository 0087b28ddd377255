"""psql 15 and INSERT: several statements in one, transactions, savepoints, settings."""

import pytest
from support.psql import psql
from support.samples import seconds


def test_several_statements_in_one_command_are_one_transaction(server, store, series):
    done = psql(
        server,
        "-c",
        f"INSERT INTO double_datapoints VALUES (1, '2026-11-01 00:00:00Z', '{series}');"
        f"INSERT INTO double_datapoints VALUES (2, '2026-11-01 00:00:01Z', '{series}'),"
        f" (3, '2026-11-01 00:00:02Z', '{series}'); select 1",
    )
    assert done.lines == ["INSERT 0 1", "INSERT 0 2", "1"], done.error
    assert store.points(series) == seconds([1.0, 2.0, 3.0])


def test_an_error_in_one_command_discards_the_statements_before_it(server, store, series):
    done = psql(
        server,
        "-c",
        f"INSERT INTO double_datapoints VALUES (1, '2026-11-01Z', '{series}'); INSERT INTO nowhere VALUES (1)",
    )
    assert done.code == 1
    assert 'relation "nowhere" does not exist' in done.error
    assert store.points(series) == []


def test_a_single_transaction_holds_every_command_or_none(server, store, series):
    insert = "INSERT INTO double_datapoints VALUES ({}, '2026-11-01 00:00:0{}Z', '{}')"
    good = psql(server, "-1", "-c", insert.format(1, 0, series), "-c", insert.format(2, 1, series))
    assert good.code == 0, good.error
    bad = psql(
        server,
        "-1",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        insert.format(3, 2, series),
        "-c",
        insert.format("'x'", 3, series),
    )
    assert bad.code != 0
    assert store.points(series) == seconds([1.0, 2.0])


def test_statements_after_an_error_in_a_transaction_are_refused_until_rollback(server, store, series):
    script = f"""BEGIN;
INSERT INTO double_datapoints VALUES (1, '2026-11-01Z', '{series}');
INSERT INTO double_datapoints VALUES (1, 2, 3, 4, 5);
SELECT 1;
COMMIT;
SELECT 2;
"""
    done = psql(server, "-v", "VERBOSITY=verbose", script=script)
    assert done.lines == ["BEGIN", "INSERT 0 1", "ROLLBACK", "2"], done.error
    assert "ERROR:  42601: INSERT has more expressions than target columns" in done.error
    assert "ERROR:  25P02: current transaction is aborted" in done.error
    assert store.points(series) == []


def test_on_error_rollback_saves_the_statements_that_were_good(server, store, series):
    script = f"""\\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO double_datapoints VALUES (1, '2026-11-01 00:00:00Z', '{series}');
INSERT INTO double_datapoints VALUES ('one', '2026-11-01 00:00:01Z', '{series}');
INSERT INTO double_datapoints VALUES (2, '2026-11-01 00:00:01Z', '{series}');
COMMIT;
"""
    done = psql(server, script=script)
    assert done.lines == ["BEGIN", "INSERT 0 1", "INSERT 0 1", "COMMIT"], done.error
    assert store.points(series) == seconds([1.0, 2.0])


def test_rollback_discards_and_warns_when_there_is_nothing_to_roll_back(server, store, series):
    script = f"""BEGIN;
INSERT INTO double_datapoints VALUES (1, '2026-11-01Z', '{series}');
ROLLBACK;
ROLLBACK;
"""
    done = psql(server, script=script)
    assert done.lines == ["BEGIN", "INSERT 0 1", "ROLLBACK", "ROLLBACK"], done.error
    assert "WARNING:  there is no transaction in progress" in done.error
    assert store.points(series) == []


def test_the_spellings_of_begin_are_understood(server):
    spellings = [
        "BEGIN",
        "begin transaction",
        "START TRANSACTION",
        "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "BEGIN READ WRITE",
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE",
        "start transaction isolation level serializable, read write, not deferrable",
    ]
    script = "".join(f"{spelling};\nCOMMIT;\n" for spelling in spellings)
    done = psql(server, script=script)
    assert done.error == ""
    answers = []
    for spelling in spellings:
        answers += ["START TRANSACTION" if spelling.upper().startswith("START") else "BEGIN", "COMMIT"]
    assert done.lines == answers


def test_the_result_of_an_insert_is_described_as_none(server):
    done = psql(server, script="INSERT INTO double_datapoints VALUES (1, now(), 'x') \\gdesc\n")
    assert (done.lines, done.error) == (["The command has no result, or the result has no columns."], "")


def test_a_syntax_error_points_at_its_place(server):
    done = psql(server, "-v", "VERBOSITY=verbose", "-c", "INSERT INTO double_datapoints VALUE (1)")
    assert 'ERROR:  42601: syntax error at or near "VALUE"' in done.error
    assert "LINE 1: INSERT INTO double_datapoints VALUE (1)" in done.error
    assert "\n                                      ^" in done.error


def test_text_is_taken_in_the_clients_encoding(server, store, raw_database):
    statement = f"INSERT INTO raw_rows VALUES ('{raw_database}', 't', 'Ærø', '{{\"ø\": \"å\"}}');"
    done = psql(server, script=statement.encode("latin-1"), PGCLIENTENCODING="LATIN1")
    assert done.lines == ["INSERT 0 1"], done.error
    assert store.raw(raw_database, "t") == {"Ærø": {"ø": "å"}}


def test_bytes_that_are_no_utf8_are_refused(server):
    done = psql(
        server, "-v", "VERBOSITY=verbose", script=b"INSERT INTO raw_rows VALUES ('d', 't', '\xff', '{}');"
    )
    assert "ERROR:  22021: " in done.error


def test_the_time_zone_of_the_session_applies_to_times_without_one(server, store, series):
    done = psql(
        server,
        "-c",
        f"INSERT INTO double_datapoints VALUES (1, '2026-11-01 01:00:00', '{series}')",
        PGTZ="Europe/Oslo",
    )
    assert done.lines == ["INSERT 0 1"], done.error
    assert store.points(series) == seconds([1.0])


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("ISO, DMY", "01/11/2026 00:00:00+00"),
        ("ISO, MDY", "11/01/2026 00:00:00+00"),
        ("ISO, YMD", "2026-11-01 00:00+00"),
    ],
)
def test_the_date_style_of_the_session_orders_day_and_month(server, store, series, style, text):
    done = psql(
        server, "-c", f"INSERT INTO double_datapoints VALUES (1, '{text}', '{series}')", PGDATESTYLE=style
    )
    assert done.lines == ["INSERT 0 1"], done.error
    assert store.points(series) == seconds([1.0])


def test_settings_given_at_the_start_and_changed_later_are_shown(server):
    done = psql(
        server,
        script="SHOW timezone; SET timezone TO 'Asia/Tokyo'; SHOW timezone; RESET timezone; SHOW timezone; SHOW application_name;",
        PGOPTIONS="-c timezone=Europe/Oslo",
        PGAPPNAME="loader 7",
    )
    assert done.lines == ["Europe/Oslo", "SET", "Asia/Tokyo", "RESET", "Europe/Oslo", "loader 7"], done.error


def test_the_literals_that_clients_write_are_understood(server, store, series):
    values = ["1", "-1.5", "'2.5'", "'3'::float8", "4::double precision", "1e1", "+6", "'1e-3'::float"]
    rows = ", ".join(
        f"({value}, '2026-11-01 00:00:0{second}+00'::timestamptz, E'{series}')"
        for second, value in enumerate(values)
    )
    done = psql(
        server,
        "-c",
        f'INSERT INTO "public"."double_datapoints" ("value", "timestamp", "external_id") VALUES {rows}',
    )
    assert done.lines == [f"INSERT 0 {len(values)}"], done.error
    assert store.points(series) == seconds([1.0, -1.5, 2.5, 3.0, 4.0, 10.0, 6.0, 0.001])


def test_comments_case_and_dollar_quotes_do_not_disturb_an_insert(server, store, raw_database):
    done = psql(
        server,
        script=f"""insert /* a comment */ INTO Raw_Rows -- and another
            (_raw_database, _raw_table, _raw_key, _raw_columns)
            values ($tag${raw_database}$tag$, 't', 'it''s', '{{"a": "b;c"}}'), ('{raw_database}', 't', E'x\\ty', '{{}}');
        """,
    )
    assert done.lines == ["INSERT 0 2"], done.error
    assert store.raw(raw_database, "t") == {"it's": {"a": "b;c"}, "x\ty": {}}
