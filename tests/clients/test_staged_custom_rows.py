"""A transaction reads the rows of a custom RAW table that it wrote, before CDF has any of them."""

import contextlib

import psycopg
import pytest
from support import every_type
from support.configured import ConfiguredGateway
from support.local_cdf import LocalCdf
from support.samples import unique

pytestmark = pytest.mark.gateway_only

VALVES = {
    "type": "raw_rows",
    "tablename": "valves",
    "options": {"database": "plant", "table": "valves", "primaryKey": "id"},
    "columns": {
        "id": {"type": "BIGINT"},
        "name": {"type": "TEXT"},
        "tags": {"type": "TEXT[]"},
        "is_open": {"type": "BOOL"},
    },
}
# Without a key among its columns.
NOTES = {
    "type": "raw_rows",
    "tablename": "notes",
    "options": {"database": "plant", "table": "notes"},
    "columns": {"text": {"type": "VARCHAR"}},
}
# The same RAW table under another name.
OTHER_VALVES = VALVES | {"tablename": "other_valves"}

QUESTION = "SELECT id, name, tags FROM valves ORDER BY id"


@contextlib.contextmanager
def gateway_with(directory, **sections):
    local = LocalCdf(directory / "cdf.log")
    try:
        tables = (VALVES, NOTES, OTHER_VALVES, every_type.DEFINITION)
        sections["statements"] = {"on_conflict_reads": True}
        with ConfiguredGateway(directory, local.url, tables=tables, **sections) as gateway:
            yield gateway
    finally:
        local.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with gateway_with(tmp_path_factory.mktemp("staged")) as gateway:
        yield gateway.server


@pytest.fixture
def connection(server):
    """A transaction may begin; CDF has three valves."""
    with psycopg.connect(**server.keywords()) as connection:
        connection.execute("TRUNCATE valves")
        connection.execute("TRUNCATE notes")
        with connection.cursor().copy("COPY valves (id, name, tags) FROM STDIN") as copy:
            for number in (1, 2, 3):
                copy.write_row((number, f"Valve {number}", ["old", "a, b"]))
        connection.commit()
        yield connection
        connection.rollback()


def seen_before_and_after_commit(connection, question=QUESTION) -> list[tuple]:
    """What the transaction sees, which is what is there once CDF has it."""
    seen = connection.execute(question).fetchall()
    connection.commit()
    assert connection.execute(question).fetchall() == seen
    return seen


OLD = ["old", "a, b"]


def test_new_changed_and_deleted_rows_are_seen_in_the_order_of_the_statements(connection):
    connection.execute("INSERT INTO valves (id, name, tags) VALUES (4, 'new', %s)", [['q"', "{x}"]])
    connection.execute("UPDATE valves SET name = 'two' WHERE id = 2")
    connection.execute("DELETE FROM valves WHERE id = 1")
    # A new row takes the place of the whole old one.
    connection.execute("INSERT INTO valves (id, name) VALUES (3, 'again')")
    connection.execute("UPDATE valves SET tags = NULL WHERE id = 4")
    # There is no such row, and none is made.
    connection.execute("UPDATE valves SET name = 'none' WHERE id = 7")
    assert seen_before_and_after_commit(connection) == [
        (2, "two", OLD),
        (3, "again", None),
        (4, "new", None),
    ]


def test_a_change_brings_a_row_into_a_condition_that_it_did_not_meet(connection):
    connection.execute("UPDATE valves SET name = 'changed' WHERE id = 2")
    seen = connection.execute("SELECT id, tags FROM valves WHERE name = 'changed' LIMIT 1").fetchall()
    assert seen == [(2, OLD)]


def test_a_change_of_what_was_read_reads_what_was_staged(connection):
    connection.execute("CREATE TEMP TABLE loaded (id bigint, name text)")
    connection.execute("INSERT INTO loaded VALUES (3, 'three'), (4, 'four')")
    connection.execute(
        "INSERT INTO valves (id, name) SELECT l.id, 'made' FROM loaded l"
        " WHERE NOT EXISTS (SELECT 1 FROM valves v WHERE v.id = l.id)"
    )
    done = connection.execute("UPDATE valves SET name = l.name FROM loaded l WHERE valves.id = l.id")
    assert done.statusmessage == "UPDATE 2"
    done = connection.execute("UPDATE valves SET name = name || '!' WHERE name LIKE '%r%'")
    assert done.statusmessage == "UPDATE 2"
    assert seen_before_and_after_commit(connection) == [
        (1, "Valve 1", OLD),
        (2, "Valve 2", OLD),
        (3, "three!", OLD),
        (4, "four!", None),
    ]


def test_on_conflict_makes_or_changes_as_it_will_in_cdf(connection):
    for number in (1, 5):
        connection.execute(
            "INSERT INTO valves (id, name, is_open) VALUES (%s, 'upserted', true)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, tags = excluded.tags",
            [number],
        )
    for number in (2, 6):
        connection.execute(
            "INSERT INTO valves (id, name) VALUES (%s, 'missing') ON CONFLICT DO NOTHING", [number]
        )
    assert seen_before_and_after_commit(connection, "SELECT * FROM valves ORDER BY id") == [
        (1, "upserted", None, None),
        (2, "Valve 2", OLD, None),
        (3, "Valve 3", OLD, None),
        (5, "upserted", None, True),
        (6, "missing", None, None),
    ]


def test_a_loader_empties_its_table_and_reads_what_it_filled_in(connection):
    connection.execute("TRUNCATE valves")
    assert connection.execute(QUESTION).fetchall() == []
    with connection.cursor().copy("COPY valves (id, name) FROM STDIN") as copy:
        copy.write_row((2, "tab\there \\ line\nbreak æ"))
    assert seen_before_and_after_commit(connection) == [(2, "tab\there \\ line\nbreak æ", None)]


def test_a_key_that_is_no_declared_column_names_rows_as_well(connection):
    for key in ("a", "b", "c"):
        connection.execute("INSERT INTO notes (_raw_key, text) VALUES (%s, 'first')", [key])
    connection.execute("UPDATE notes SET text = 'second' WHERE _raw_key = 'b'")
    connection.execute("DELETE FROM notes WHERE _raw_key = 'c'")
    question = "SELECT _raw_key, text FROM notes ORDER BY 1"
    assert seen_before_and_after_commit(connection, question) == [("a", "first"), ("b", "second")]


def test_a_rollback_takes_back_what_was_seen(connection):
    before = connection.execute(QUESTION).fetchall()
    connection.execute("SAVEPOINT here")
    connection.execute("DELETE FROM valves WHERE id = 1")
    assert connection.execute(QUESTION).fetchall() == before[1:]
    connection.execute("ROLLBACK TO here")
    assert connection.execute(QUESTION).fetchall() == before
    connection.execute("UPDATE valves SET name = 'gone' WHERE id = 1")
    connection.rollback()
    assert connection.execute(QUESTION).fetchall() == before


def test_values_of_every_type_are_seen_as_they_will_be(connection):
    values = every_type.with_json_as_text()
    keys = {"inserted": unique("inserted"), "changed": unique("changed"), "upserted": unique("upserted")}
    placeholders = ["%s"] * (len(every_type.NAMES) + 1)
    insert = every_type.insert(*placeholders)
    connection.execute(insert, [keys["inserted"], *values.values()])
    connection.execute(f"INSERT INTO {every_type.TABLE} ({every_type.KEY}) VALUES (%s)", [keys["changed"]])
    sets = ", ".join(f"{name} = %s" for name in every_type.NAMES)
    connection.execute(
        f"UPDATE {every_type.TABLE} SET {sets} WHERE {every_type.KEY} = %s",
        [*values.values(), keys["changed"]],
    )
    excluded = ", ".join(f"{name} = excluded.{name}" for name in every_type.NAMES[1:])
    connection.execute(
        f"{insert} ON CONFLICT ({every_type.KEY}) DO UPDATE SET {excluded}",
        [keys["upserted"], *values.values()],
    )
    # As PostgreSQL writes them, so that no reading hides a difference.
    columns = ", ".join(f"{name}::text" for name in every_type.NAMES)
    question = f"SELECT {columns} FROM {every_type.TABLE} WHERE {every_type.KEY} = %s"
    texts = {}
    for name, key in keys.items():
        row = connection.execute(every_type.select("%s"), [key]).fetchone()
        assert every_type.with_json_read(row) == every_type.VALUES, name
        texts[key] = connection.execute(question, [key]).fetchone()
    connection.commit()
    for key, text in texts.items():
        assert connection.execute(question, [key]).fetchone() == text


def test_rows_of_the_same_raw_table_under_another_name_are_not_passed_over(connection):
    connection.execute("INSERT INTO notes (_raw_key, text) VALUES ('k', 'of no concern to valves')")
    assert len(connection.execute(QUESTION).fetchall()) == 3
    for other in ("other_valves (id)", "raw_rows (_raw_database, _raw_table, _raw_columns, _raw_key)"):
        values = "('plant', 'valves', '{}', '9')" if other.startswith("raw_rows") else "(9)"
        with connection.transaction(force_rollback=True):
            connection.execute(f"INSERT INTO {other} VALUES {values}")
            with (
                pytest.raises(psycopg.errors.FeatureNotSupported, match="same transaction"),
                connection.transaction(),
            ):
                connection.execute(QUESTION)


def test_rows_that_wait_on_disk_are_seen_as_well(tmp_path):
    spool = {"staged_bytes_max": 100_000, "spool_directory": "spool"}
    with (
        gateway_with(tmp_path, transactions=spool) as gateway,
        psycopg.connect(**gateway.server.keywords()) as connection,
    ):
        with connection.cursor().copy("COPY valves (id, name, is_open) FROM STDIN") as copy:
            for number in range(25_000):
                copy.write_row((number, f"Valve {number}", number % 2 == 0))
        connection.execute("UPDATE valves SET is_open = NULL WHERE id = 1")
        question = "SELECT is_open, count(*) FROM valves GROUP BY is_open ORDER BY is_open"
        assert connection.execute(question).fetchall() == [(False, 12_499), (True, 12_500), (None, 1)]
        connection.rollback()
        assert connection.execute(question).fetchall() == []
