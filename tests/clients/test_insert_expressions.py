"""INSERT of values that a PostgreSQL works out: functions, operators, queries, in any row of VALUES."""

import datetime

import psycopg
import pytest
from support.samples import unique

pytestmark = pytest.mark.gateway_only


@pytest.fixture
def name():
    return unique("expression")


EXPRESSIONS = {
    "a function": ("lower('ABC')", "abc"),
    "an operator": ("'a' || 'b'", "ab"),
    "arithmetic": ("(1 + 1)::text", "2"),
    "arithmetic in a cast": ("CAST(1 + 1 AS text)", "2"),
    "a query": ("(SELECT 'x' || count(*) FROM generate_series(1, 3))", "x3"),
    "CASE": ("CASE WHEN 1 IS NULL THEN 'a' ELSE 'b' END", "b"),
    "a condition in parentheses": ("(NULL IS NULL)::text", "true"),
    "NOT": ("(NOT true)::text", "false"),
    "COALESCE": ("coalesce(NULL, 'c')", "c"),
    "an element of an array": ("(ARRAY['a', lower('B')])[2]", "b"),
    "an interval": ("interval '90 minutes'", "01:30:00"),
    "a type that no table has": ("'10.0.0.1'::inet", "10.0.0.1/32"),
    "a comparison of rows": ("((1, 2) < (1, 3))::text", "true"),
    "a time in a zone": (
        "('2026-01-02 03:00Z'::timestamptz AT TIME ZONE 'Europe/Oslo')::text",
        "2026-01-02 04:00:00",
    ),
    "a time as text": ("'2026-01-02 03:00'::timestamp", "2026-01-02 03:00:00"),
    "a collation": ("'a' COLLATE \"C\"", "a"),
}


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS.values(), ids=EXPRESSIONS.keys())
def test_a_value_may_be_any_expression(connection, cdf, name, expression, expected):
    done = connection.execute(f"INSERT INTO assets (external_id, name) VALUES ('{name}', {expression})")
    assert done.statusmessage == "INSERT 0 1"
    assert cdf.assets.retrieve(external_id=name).name == expected


def test_one_expression_among_many_constants_is_enough(connection, cdf, name):
    rows = [f"('{name}-{n}', '{n}', DEFAULT)" for n in range(5000)]
    rows[4321] = f"('{name}-4321', upper('late'), current_user)"
    done = connection.execute(f"INSERT INTO assets (external_id, name, source) VALUES {', '.join(rows)}")
    assert done.statusmessage == "INSERT 0 5000"
    last, other = (cdf.assets.retrieve(external_id=f"{name}-{n}") for n in (4321, 4322))
    assert (last.name, last.source) == ("LATE", connection.info.user)
    assert (other.name, other.source) == ("4322", None)


def test_a_late_expression_in_a_block_is_refused_with_where_it_may_stand(server, connection, cdf, name):
    rows = [f"('{name}-{n}', '{n}')" for n in range(40)]
    with psycopg.connect(**server.keywords()) as block:
        block.execute(f"INSERT INTO assets (external_id, name) VALUES ('{name}-before', 'x')")
        late = [*rows, f"('{name}-late', upper('late'))"]
        with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
            block.execute(f"INSERT INTO assets (external_id, name) VALUES {', '.join(late)}")
        assert "first 16 rows" in refused.value.diag.message_hint
        block.rollback()
        early = [f"('{name}-early', upper('early'))", *rows]
        done = block.execute(f"INSERT INTO assets (external_id, name) VALUES {', '.join(early)}")
        assert done.statusmessage == "INSERT 0 41"
    assert cdf.assets.retrieve(external_id=f"{name}-early").name == "EARLY"
    assert cdf.assets.retrieve(external_id=f"{name}-before") is None


def test_parameters_are_taken_and_a_prepared_statement_runs_again(connection, cdf, name):
    insert = (
        "INSERT INTO assets (external_id, name, description) VALUES (%s, upper(%s), %s)"
        " RETURNING external_id, name"
    )
    for number in range(3):
        row = connection.execute(insert, [f"{name}-{number}", f"n{number}", "d"], prepare=True).fetchone()
        assert row == (f"{name}-{number}", f"N{number}")
    assert cdf.assets.retrieve(external_id=f"{name}-2").description == "d"


def test_cdf_settles_conflicts_and_gives_what_it_makes(connection, cdf, name):
    insert = f"INSERT INTO assets (external_id, name) VALUES ('{name}', lower(%s)) "
    (made,) = connection.execute(insert + "RETURNING id", ["One"]).fetchone()
    skipped = connection.execute(insert + "ON CONFLICT DO NOTHING RETURNING id", ["Two"])
    assert (skipped.statusmessage, skipped.fetchall()) == ("INSERT 0 0", [])
    upsert = insert + "ON CONFLICT (external_id) DO UPDATE SET name = excluded.name"
    assert connection.execute(upsert, ["Three"]).statusmessage == "INSERT 0 1"
    found = cdf.assets.retrieve(external_id=name)
    assert (found.id, found.name) == (made, "three")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(insert, ["Four"])


def test_a_transaction_stages_what_was_worked_out(connection, cdf, name):
    insert = "INSERT INTO assets (external_id, name) VALUES (%s, upper(%s))"
    with connection.transaction(force_rollback=True):
        connection.execute(insert, [name, "gone"])
        found = connection.execute("SELECT name FROM assets WHERE external_id = %s", [name])
        assert found.fetchone() == ("GONE",)
    assert cdf.assets.retrieve(external_id=name) is None
    with connection.transaction():
        connection.execute(insert, [name, "here"])
    assert cdf.assets.retrieve(external_id=name).name == "HERE"


def test_points_are_written_at_times_and_with_values_that_are_worked_out(connection, store, series):
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    connection.execute(
        "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES"
        " (%s, now() - interval '1 hour', round(random()) + 2), (%s, '2026-01-01Z', pi())",
        [series, series],
    )
    (first, pi), (second, value) = store.points(series)
    assert first == datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp() * 1000
    assert (round(pi, 6), value in (2.0, 3.0)) == (3.141593, True)
    assert second >= int(before.timestamp() * 1000)


def test_what_postgresql_does_not_know_is_refused_in_its_words(connection, cdf, name):
    text = f"INSERT INTO assets (external_id, name) VALUES ('{name}', 'a'), ('{name}-2', there_is_none('b'))"
    with pytest.raises(psycopg.errors.UndefinedFunction, match="there_is_none") as caught:
        connection.execute(text)
    assert int(caught.value.diag.statement_position) == text.index("there_is_none") + 1
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute(f"INSERT INTO assets (external_id, name) VALUES ('{name}', (1 / (1 - 1))::text)")
    with pytest.raises(psycopg.errors.SyntaxError):
        connection.execute(f"INSERT INTO assets (external_id, name) VALUES ('{name}', lower('a'), ))")
    assert cdf.assets.retrieve(external_id=name) is None
