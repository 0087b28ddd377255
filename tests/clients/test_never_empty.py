"""A table whose rows were not read from CDF never passes for an empty one, whatever reads it."""

import psycopg
import pytest
from support.samples import unique

pytestmark = pytest.mark.gateway_only

COUNT = "SELECT count(*) FROM public.labels WHERE external_id LIKE"


@pytest.fixture(scope="module")
def prefix(target):
    """The beginning of the names of three labels, of which two are called a."""
    prefix = unique("never-empty")
    with psycopg.connect(**target.server.keywords(autocommit=True)) as connection:
        for number, name in enumerate("aab"):
            insert = "INSERT INTO labels (external_id, name) VALUES (%s, %s)"
            connection.execute(insert, [f"{prefix}-{number}", name])
    return prefix


@pytest.fixture
def session(server, prefix):
    """A session with functions and views that read labels where no text of a statement shows it."""
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        connection.execute(
            f"CREATE TEMP VIEW first AS SELECT * FROM labels WHERE external_id LIKE '{prefix}%'"
        )
        connection.execute("CREATE TEMP VIEW second AS SELECT name, count(*) AS n FROM first GROUP BY name")
        connection.execute("CREATE TEMP VIEW none AS SELECT * FROM labels WHERE 1 = 0")
        for name, language, body in [
            ("in_sql", "sql", f"{COUNT} '{prefix}%'"),
            ("in_plpgsql", "plpgsql", f"BEGIN RETURN ({COUNT} '{prefix}%'); END"),
            (
                "by_dynamic_sql",
                "plpgsql",
                f"DECLARE n bigint; BEGIN EXECUTE 'SELECT count(*) FROM la' || 'bels WHERE external_id LIKE ''{prefix}%'''"
                " INTO n; RETURN n; END",
            ),
            (
                "by_cursor",
                "plpgsql",
                f"DECLARE n bigint := 0; l record; BEGIN FOR l IN TABLE labels LOOP"
                f" n := n + starts_with(l.external_id, '{prefix}')::int; END LOOP; RETURN n; END",
            ),
            ("by_view", "plpgsql", "BEGIN RETURN (SELECT sum(n) FROM second); END"),
        ]:
            connection.execute(
                f"CREATE FUNCTION pg_temp.{name}() RETURNS bigint LANGUAGE {language} AS $code${body}$code$"
            )
        connection.execute("CREATE TEMP TABLE tried (name text, n bigint)")
        connection.execute(
            "CREATE FUNCTION pg_temp.counts() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.n := pg_temp.in_plpgsql(); RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER counting BEFORE INSERT ON tried FOR EACH ROW EXECUTE FUNCTION pg_temp.counts()"
        )
        yield connection


# What is answered must be this, or an error: `{p}` is the prefix.
RIGHT = [
    ("SELECT count(*) FROM labels WHERE external_id LIKE '{p}%'", 3),
    ("SELECT count(*) FROM (TABLE labels) AS l WHERE starts_with(external_id, '{p}')", 3),
    ("SELECT count(*) FROM ONLY labels WHERE external_id LIKE '{p}%'", 3),
    ("SELECT count(*) FROM labels * WHERE external_id LIKE '{p}%' AND name = 'a'", 2),
    ("SELECT sum(n) FROM second", 3),
    ("SELECT n FROM second WHERE name = 'b'", 1),
    ("SELECT count(*) FROM first WHERE name = 'a'", 2),
    ("SELECT count(*) + (SELECT sum(n) FROM second) FROM labels WHERE external_id = '{p}-0'", 4),
    ("SELECT count(*) FROM first AS f, LATERAL (SELECT 1 FROM labels AS l WHERE l.name = f.name) AS x", None),
    (
        "SELECT sum(n) FROM (VALUES ('{p}-0'), ('{p}-2')) AS v (k),"
        " LATERAL (SELECT count(*) AS n FROM labels WHERE external_id >= v.k AND external_id LIKE '{p}%') AS x",
        4,
    ),
    ("WITH labels AS (SELECT 1 AS external_id) SELECT count(*) FROM labels", 1),
    ("WITH labels AS (SELECT 1) SELECT count(*) FROM public.labels WHERE external_id LIKE '{p}%'", 3),
    (
        "WITH x AS MATERIALIZED (SELECT * FROM first) SELECT count(*) FROM x JOIN x AS y USING (external_id)",
        3,
    ),
    ("SELECT count(*) FROM labels WHERE external_id LIKE '{p}%' AND 1 = 0", 0),
    ("SELECT count(*) FROM labels WHERE 1 = 0 OR external_id = '{p}-1'", 1),
    ("SELECT count(*) FROM none", 0),
    ("SELECT pg_temp.in_sql()", 3),
    ("SELECT pg_temp.in_plpgsql()", 3),
    ("SELECT pg_temp.by_dynamic_sql()", 3),
    ("SELECT pg_temp.by_cursor()", 3),
    ("SELECT pg_temp.by_view()", 3),
    # The name of the table makes it readable: then its rows must be there.
    ("SELECT pg_temp.in_sql() AS labels", 3),
    ("SELECT pg_temp.in_plpgsql() AS labels", 3),
    ("SELECT pg_temp.by_dynamic_sql() AS labels", 3),
    ("SELECT pg_temp.by_cursor() + count(*) FROM labels WHERE 1 = 0", 3),
    ('SELECT pg_temp.by_view() AS "labels"', 3),
    ("VALUES (0), (pg_temp.in_plpgsql()) ORDER BY 1 DESC LIMIT 1 -- labels", 3),
    ("SELECT x FROM (VALUES (pg_temp.in_plpgsql()), (0)) AS labels (x) ORDER BY x DESC LIMIT 1", 3),
    # Conditions of one part of the statement are none of what a function reads.
    ("SELECT pg_temp.in_plpgsql() FROM labels WHERE external_id = '{p}-0'", 3),
    ("SELECT pg_temp.by_dynamic_sql() FROM labels WHERE external_id = '{p}-0'", 3),
    ("SELECT pg_temp.by_cursor() FROM labels WHERE external_id = '{p}-0'", 3),
    ("SELECT pg_temp.by_view() FROM labels WHERE external_id = '{p}-0'", 3),
    ("SELECT pg_temp.in_plpgsql() FROM labels LIMIT 1", 3),
    ("INSERT INTO tried SELECT name FROM labels WHERE external_id = '{p}-0' RETURNING n", 3),
    (
        "INSERT INTO labels (external_id, name) SELECT '{p}', pg_temp.in_plpgsql()::text RETURNING name::bigint",
        3,
    ),
    # Statistics and sizes are of the tables in the engine: there is nothing to take for rows.
    ("SELECT count(*) >= 0 FROM pg_stats WHERE tablename = 'labels'", True),
]

# Functions that run SQL which stands in a text: there is no telling what they read.
TEXTS = [
    "query_to_xml('SELECT * FROM labels', true, true, '')",
    "query_to_xml('SELECT * FROM la' || 'bels', true, true, '')",
    "query_to_xml_and_xmlschema('SELECT * FROM labels', true, true, '')",
    "table_to_xml('labels', true, true, '')",
    "schema_to_xml('public', true, true, '')",
    "database_to_xml(true, true, '')",
    "(SELECT count(*) FROM ts_stat('SELECT to_tsvector(name) FROM labels'))",
    "ts_rewrite('a'::tsquery, 'SELECT to_tsquery(name), to_tsquery(name) FROM labels')",
]


def first_value(connection, statement):
    return connection.execute(statement).fetchone()[0]


@pytest.mark.parametrize(("statement", "right"), RIGHT, ids=[statement for statement, _ in RIGHT])
def test_a_statement_finds_the_rows_or_fails(session, prefix, statement, right):
    statement = statement.replace("{p}", prefix)
    try:
        with session.transaction(force_rollback=True):
            found = first_value(session, statement)
    except psycopg.errors.InsufficientPrivilege as refused:
        # What no plan shows is not read for it.
        assert "labels" in str(refused) and "pg_temp" in statement, refused
        return
    assert found is not None and found == (found if right is None else right)


@pytest.mark.parametrize("call", TEXTS)
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT {call}",
        "SELECT {call} AS labels",
        "SELECT {call} FROM labels WHERE external_id = '{p}-0'",
        "SELECT {call} FROM labels WHERE 1 = 0 UNION ALL SELECT {call}",
        "VALUES (NULL), ({call})",
        "SELECT 1 FROM labels WHERE external_id = '{p}-0' LIMIT length(({call})::text)",
    ],
)
def test_sql_within_a_text_is_refused(server, prefix, call, statement):
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        # A PostgreSQL without XML may find that out while it plans.
        refusals = (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported)
        with pytest.raises(refusals):
            connection.execute(statement.replace("{call}", call).replace("{p}", prefix)).fetchall()


def test_what_was_prepared_reads_rows_each_time(session, prefix):
    session.execute(f"PREPARE counting AS {COUNT} '{prefix}%' AND name = $1")
    for _ in range(7):
        assert first_value(session, "EXECUTE counting ('a')") == 2
    session.execute("PREPARE labels AS VALUES (0), (pg_temp.in_plpgsql()) ORDER BY 1 DESC")
    # Its name is that of the table, which makes the table readable.
    assert first_value(session, "EXECUTE labels") == 3
    session.execute("PREPARE nothing AS SELECT * FROM labels WHERE 1 = 0")
    assert session.execute("EXECUTE nothing").fetchall() == []


def test_a_block_of_code_reads_rows_or_fails(session, prefix):
    for code in [
        "PERFORM 1 FROM labels; IF NOT FOUND THEN RAISE EXCEPTION 'empty'; END IF",
        "EXECUTE 'SELECT 1 FROM labels'",
        "FOR l IN TABLE labels LOOP END LOOP; RAISE EXCEPTION 'empty'",
        "IF pg_temp.in_plpgsql() = 0 THEN RAISE EXCEPTION 'empty'; END IF",
        "CREATE TEMP TABLE copied AS TABLE labels; RAISE EXCEPTION 'empty'",
    ]:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f"DO $$ DECLARE l record; BEGIN {code}; END $$")


def test_a_cursor_has_the_rows_of_its_declaration_and_functions_in_it_fail(session, prefix):
    with session.transaction():
        session.execute(f"DECLARE c CURSOR FOR SELECT name FROM labels WHERE external_id LIKE '{prefix}%'")
        session.execute(
            "DECLARE f CURSOR FOR SELECT pg_temp.in_plpgsql() AS labels FROM generate_series(1, 2)"
        )
        assert first_value(session, f"{COUNT} '{prefix}%'") == 3
        assert len(session.execute("FETCH ALL FROM c").fetchall()) == 3
        try:
            with session.transaction():
                rows = session.execute("FETCH ALL FROM f").fetchall()
        except psycopg.errors.InsufficientPrivilege:
            return
        assert rows == [(3,), (3,)]


def test_a_held_cursor_has_its_rows_after_commit(session, prefix):
    with session.transaction():
        session.execute(
            f"DECLARE held CURSOR WITH HOLD FOR SELECT name FROM labels WHERE external_id LIKE '{prefix}%'"
        )
    assert len(session.execute("FETCH ALL FROM held").fetchall()) == 3


def test_another_search_path_finds_the_same_rows_or_no_table(session, prefix):
    session.execute("SET search_path = cdf, pg_catalog")
    with pytest.raises(psycopg.errors.UndefinedTable):
        session.execute("SELECT count(*) FROM labels")
    assert first_value(session, f"{COUNT} '{prefix}%'") == 3
    session.execute("SET search_path = nowhere, public")
    assert first_value(session, f"SELECT count(*) FROM labels WHERE external_id LIKE '{prefix}%'") == 3


def test_a_temporary_table_hides_and_what_it_hides_is_read_in_full(session, prefix):
    session.execute("CREATE TEMP TABLE labels AS SELECT 'x' AS external_id, 'y' AS name")
    assert first_value(session, "SELECT count(*) FROM labels") == 1
    assert first_value(session, f"{COUNT} '{prefix}%'") == 3
    both = (
        f"SELECT (SELECT count(*) FROM labels WHERE external_id = 'x'), ({COUNT} '{prefix}%' AND name <> 'x')"
    )
    assert session.execute(both).fetchone() == (1, 3)
    session.execute("DROP TABLE pg_temp.labels")
    assert first_value(session, f"SELECT count(*) FROM labels WHERE external_id LIKE '{prefix}%'") == 3


def test_rows_are_copied_out_of_tables_views_and_queries(session, prefix):
    for source, rows in [
        ("labels (external_id)", None),
        ("(TABLE labels)", None),
        (f"(SELECT name FROM labels WHERE external_id LIKE '{prefix}%')", 3),
        ("(SELECT * FROM first)", 3),
        ("(TABLE second)", 2),
    ]:
        with session.cursor().copy(f"COPY {source} TO STDOUT") as copy:
            lines = b"".join(bytes(block) for block in copy).splitlines()
        assert len(lines) >= 3 if rows is None else len(lines) == rows, source


def test_a_probe_of_a_view_answers_with_its_columns(session):
    cursor = session.execute("SELECT * FROM first WHERE 1 = 0")
    assert cursor.description[0].name == "external_id"
    assert cursor.fetchall() == []
