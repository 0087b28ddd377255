"""Rows of CDF in statements that a PostgreSQL runs."""

import contextlib

import psycopg
import pytest
from support.configured import ConfiguredGateway
from support.local_cdf import LocalCdf
from support.samples import unique

pytestmark = pytest.mark.gateway_only


@pytest.fixture
def plant(connection):
    """The prefix of a root with two pumps and an event at each."""
    prefix = unique("plant")
    connection.execute(
        "INSERT INTO assets (external_id, name, parent_external_id, metadata) VALUES"
        f" ('{prefix}-root', 'Root', NULL, NULL),"
        f" ('{prefix}-1', 'Pump 1', '{prefix}-root', '{{\"bar\": \"7\"}}'),"
        f" ('{prefix}-2', 'Pump 2', '{prefix}-root', '{{\"bar\": \"9\"}}')"
    )
    ids = dict(
        connection.execute(
            "SELECT external_id, id FROM assets WHERE external_id IN (%s, %s)", [f"{prefix}-1", f"{prefix}-2"]
        ).fetchall()
    )
    for number in (1, 2):
        connection.execute(
            "INSERT INTO events (external_id, type, asset_ids, start_time) VALUES (%s, %s, %s, '2026-11-01Z')",
            [f"{prefix}-e{number}", prefix, [ids[f"{prefix}-{number}"]]],
        )
    return prefix


def test_rows_are_read_by_key(connection, plant):
    rows = connection.execute(
        "SELECT name, metadata ->> 'bar' FROM assets WHERE external_id = %s", [f"{plant}-1"]
    ).fetchall()
    assert rows == [("Pump 1", "7")]


@pytest.mark.parametrize("row", ["a::text", "a", "row_to_json(a) ->> 'name'", "(a).name", "count(a)::text"])
def test_a_row_may_be_taken_whole_with_parameters_and_without(connection, plant, row):
    without = connection.execute(f"SELECT {row} FROM assets a WHERE a.external_id = '{plant}-1'").fetchone()
    found = connection.execute(f"SELECT {row} FROM assets a WHERE a.external_id = %s", [f"{plant}-1"])
    assert found.fetchone() == without
    assert "Pump 1" in str(without[0]) or without == ("1",)
    with pytest.raises(psycopg.errors.UndefinedColumn, match='"b" does not exist'):
        connection.execute("SELECT b::text FROM assets a WHERE a.external_id = %s", [f"{plant}-1"])


def test_joins_and_aggregates_see_every_row(connection, plant):
    rows = connection.execute(
        "SELECT a.name, count(e.id), p.name FROM assets a JOIN assets p ON p.id = a.parent_id"
        " LEFT JOIN events e ON a.id = ANY (e.asset_ids) AND e.type = %s"
        " WHERE a.external_id LIKE %s GROUP BY a.name, p.name ORDER BY a.name",
        [plant, f"{plant}-%"],
    ).fetchall()
    assert rows == [("Pump 1", 1, "Root"), ("Pump 2", 1, "Root")]


def test_datapoints_are_read_by_series_and_time(connection, series):
    with connection.cursor().copy(
        "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
    ) as copy:
        for second in range(1000):
            copy.write_row((series, f"2026-11-01 00:{second // 60:02}:{second % 60:02}Z", second / 2))
    count, total = connection.execute(
        "SELECT count(*), sum(value) FROM double_datapoints WHERE external_id = %s"
        " AND timestamp >= '2026-11-01 00:01:00Z' AND timestamp < '2026-11-01 00:02:00Z'",
        [series],
    ).fetchone()
    assert (count, total) == (60, sum(second / 2 for second in range(60, 120)))


def test_a_read_sees_raw_rows_that_were_just_written(connection, raw_database):
    connection.execute(
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES (%s, 't', 'a', '{\"x\": 1}')",
        [raw_database],
    )
    rows = connection.execute(
        "SELECT _raw_key, _raw_columns ->> 'x' FROM raw_rows WHERE _raw_database = %s AND _raw_table = 't'",
        [raw_database],
    ).fetchall()
    assert rows == [("a", "1")]


def test_a_query_string_writes_and_reads_in_order(server, raw_database):
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        cursor = connection.execute(
            f"INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
            f" VALUES ('{raw_database}', 't', 'b', '{{}}');"
            f" SELECT count(*) FROM raw_rows WHERE _raw_database = '{raw_database}'"
        )
        assert cursor.nextset()
        assert cursor.fetchone() == (1,)


def test_rows_of_tables_can_be_copied_out(connection, plant):
    with connection.cursor().copy(
        f"COPY (SELECT name FROM assets WHERE external_id = '{plant}-2') TO STDOUT"
    ) as copy:
        assert b"".join(bytes(block) for block in copy) == b"Pump 2\n"


def test_a_statement_that_would_read_too_much_is_refused_with_what_would_help(tmp_path):
    with contextlib.ExitStack() as stack:
        cdf = LocalCdf(tmp_path / "cdf.log")
        stack.callback(cdf.stop)
        gateway = stack.enter_context(
            ConfiguredGateway(tmp_path, cdf.url, {"token": "any"}, engine={"scan_rows_max": 2})
        )
        connection = stack.enter_context(psycopg.connect(**gateway.server.keywords(autocommit=True)))
        for number in range(3):
            connection.execute("INSERT INTO assets (external_id, name) VALUES (%s, 'n')", [f"a{number}"])
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded) as caught:
            connection.execute("SELECT count(*) FROM assets")
        assert "external_id" in caught.value.diag.message_hint
        row = connection.execute("SELECT count(*) FROM assets WHERE external_id = 'a1'").fetchone()
        assert row == (1,)


def explained(connection, statement, *parameters) -> list[str]:
    return [line for (line,) in connection.execute(statement, parameters or None).fetchall()]


def test_explain_shows_what_is_asked_of_cdf(connection, plant):
    lines = explained(
        connection,
        "EXPLAIN (COSTS OFF) SELECT name FROM assets WHERE external_id = %s AND description <> 'x'",
        f"{plant}-1",
    )
    scan = lines.index("CDF Scan on assets: POST /assets/byids")
    # PostgreSQL's own lines come first.
    assert any("Scan" in line for line in lines[:scan]), lines
    assert any(line.startswith("  CDF Filter: ") and f"{plant}-1" in line for line in lines[scan:]), lines
    assert not any("actual" in line for line in lines), lines


def test_explain_names_conditions_that_cdf_does_not_take(connection):
    lines = explained(
        connection, "EXPLAIN SELECT * FROM events WHERE type = 'pump' AND description LIKE 'leak%' LIMIT 5"
    )
    assert "CDF Scan on events: POST /events/list" in lines
    assert '  CDF Filter: {"type":"pump"}' in lines, lines
    assert "  Filter, after reading: starts_with(description, 'leak')" in lines, lines
    assert not any("CDF Limit" in line for line in lines), lines


def test_explain_analyze_tells_what_was_read(connection, plant):
    lines = explained(connection, "EXPLAIN ANALYZE SELECT count(*) FROM events WHERE type = %s", plant)
    (scan,) = (line for line in lines if line.startswith("CDF Scan on events"))
    assert "(actual rows=2 requests=" in scan, scan


def test_explain_in_json_has_the_scans_beside_the_plan(connection, plant):
    statement = (
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT a.name FROM assets a JOIN events e ON a.id = ANY (e.asset_ids)"
        " WHERE e.type = %s AND a.external_id IN (%s, %s)"
    )
    parameters = [plant, f"{plant}-1", f"{plant}-2"]
    ((explanation,),) = connection.execute(statement, parameters).fetchall()
    (query,) = explanation
    assert "Plan" in query and "Execution Time" in query
    scans = {scan["Relation Name"]: scan for scan in query["CDF Scans"]}
    assert scans["assets"]["CDF Operation"] == "POST /assets/byids"
    assert scans["assets"]["Actual Rows"] == 2
    assert scans["events"]["Actual Rows"] == 2 and scans["events"]["Actual Requests"] >= 1


@pytest.mark.parametrize("form", ["YAML", "XML"])
def test_explain_in_other_formats_is_postgresqls_alone(connection, form):
    lines = explained(connection, f"EXPLAIN (FORMAT {form}) SELECT name FROM assets")
    assert "CDF" not in "\n".join(lines)
    assert "assets" in "\n".join(lines)


def test_explain_of_the_catalog_is_postgresqls_alone(connection):
    lines = explained(connection, "EXPLAIN SELECT relname FROM pg_class")
    assert not any("CDF" in line for line in lines), lines


def test_an_explanation_of_nonsense_is_refused_where_the_nonsense_is(connection):
    with pytest.raises(psycopg.errors.UndefinedTable) as caught:
        connection.execute("EXPLAIN   (COSTS OFF)   SELECT * FROM nowhere")
    assert caught.value.diag.statement_position == "39"
