"""Changes that take a plan within transactions, Queries and portals, beside COPY and temporary tables."""

import psycopg
import pytest
from support import frames
from support.frames import signed_in
from support.planned import assets, make_plant

pytestmark = pytest.mark.gateway_only


@pytest.fixture
def plant(connection):
    return make_plant(connection)


def test_rollback_drops_and_commit_delivers_hot_and_cold_in_their_order(server, cdf, plant):
    with psycopg.connect(**server.keywords()) as connection:
        done = connection.execute(
            "UPDATE assets SET description = 'dropped' WHERE external_id LIKE %s RETURNING name",
            [f"{plant}-%"],
        )
        assert len(done.fetchall()) == 4
        connection.rollback()
        assert {asset.description for asset in assets(cdf, plant).values()} == {"old", None, ""}

        connection.execute(
            "UPDATE assets SET description = lower(name) WHERE external_id LIKE %s", [f"{plant}-%"]
        )
        connection.execute("UPDATE assets SET description = 'hot' WHERE external_id = %s", [f"{plant}-1"])
        connection.execute(
            "INSERT INTO events (external_id, type, description) SELECT %s || n, %s, 'made' FROM generate_series(1, 2) n",
            [f"{plant}-made", plant],
        )
        connection.execute("DELETE FROM events WHERE external_id = %s", [f"{plant}-made1"])
        assert assets(cdf, plant)["1"].description == "old"
        connection.commit()
    found = assets(cdf, plant)
    assert (found["1"].description, found["2"].description) == ("hot", "pump 2")
    assert [
        event.external_id for event in cdf.events.list(type=plant, external_id_prefix=f"{plant}-made")
    ] == [f"{plant}-made2"]


def test_a_savepoint_takes_a_planned_change_back(server, cdf, plant):
    with psycopg.connect(**server.keywords()) as connection:
        connection.execute("UPDATE events SET description = subtype || '!' WHERE type = %s", [plant])
        with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction():
            connection.execute(
                "UPDATE assets SET description = 'lost' WHERE external_id LIKE %s", [f"{plant}-%"]
            )
            connection.execute("SELECT 1 / count(*) FROM pg_class WHERE relname = 'none'")
        connection.commit()
    assert cdf.events.retrieve(external_id=f"{plant}-e1").description == f"{plant}-1!"
    assert assets(cdf, plant)["1"].description == "old"


def test_an_error_of_commit_says_which_statement_it_is_of(server, plant):
    with psycopg.connect(**server.keywords()) as connection:
        connection.execute("UPDATE events SET description = 'x' || subtype WHERE type = %s", [plant])
        connection.execute(
            "INSERT INTO assets (external_id, name) SELECT %s || '-' || n, 'n' FROM generate_series(4, 5) AS n",
            [plant],
        )
        with pytest.raises(psycopg.errors.UniqueViolation) as caught:
            connection.commit()
    assert "INSERT INTO assets" in caught.value.diag.context


def test_a_read_only_transaction_changes_nothing(connection, plant):
    connection.execute("SET default_transaction_read_only = on")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM assets WHERE external_id LIKE %s", [f"{plant}-%"])


def test_a_query_string_changes_and_reads_in_order(connection, plant):
    cursor = connection.execute(
        f"UPDATE assets SET source = 'one' WHERE external_id LIKE '{plant}-%' AND source = 'sap';"
        f" UPDATE assets SET source = source || '!' WHERE external_id LIKE '{plant}-%' AND source = 'one';"
        f" SELECT count(*) FROM assets WHERE external_id LIKE '{plant}-%' AND source = 'one!'"
    )
    assert cursor.statusmessage == "UPDATE 2"
    assert cursor.nextset() and cursor.statusmessage == "UPDATE 2"
    assert cursor.nextset() and cursor.fetchone() == (2,)


def test_nothing_of_the_log_is_seen_or_touched(connection, plant):
    row = connection.execute(
        "UPDATE assets SET description = 'seen' WHERE external_id LIKE %s AND source = 'pi' RETURNING"
        " has_schema_privilege('penstock_changes', 'USAGE, CREATE'),"
        " has_table_privilege('events', 'SELECT, INSERT, UPDATE, DELETE'),"
        " has_table_privilege('assets', 'INSERT, DELETE')",
        [f"{plant}-%"],
    ).fetchone()
    assert row == (False, False, False)
    for inner in ("SELECT * FROM penstock_changes.change_log", "SELECT * FROM events"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                "UPDATE assets SET description = query_to_xml(%s, true, true, '')::text WHERE external_id LIKE %s",
                [inner, f"{plant}-%"],
            )
    for statement in (
        "DELETE FROM penstock_changes.change_log",
        "INSERT INTO penstock_changes.change_log (place) VALUES (0)",
        "SELECT * FROM penstock_changes.change_log",
    ):
        with pytest.raises((psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)):
            connection.execute(statement)
    assert connection.execute("SELECT count(*) FROM pg_trigger").fetchone() == (0,)
    namespaces = connection.execute(
        "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'penstock%'"
    ).fetchall()
    # That of the gateway's own state, and none for the log.
    assert namespaces == [("penstock",)]


def test_rows_of_a_change_may_be_fetched_in_parts(server, cdf, plant):
    statement = f"UPDATE assets SET source = 'parts' WHERE external_id LIKE '{plant}-%' RETURNING name"
    with signed_in(server) as client:
        answer = client.ask(
            frames.parse(statement),
            frames.bind(),
            frames.execute(rows_max=3),
            frames.execute(rows_max=3),
            frames.SYNC,
        )
    assert "".join(part.kind for part in answer) == "12DDDsDCZ"
    assert answer[-2].body.rstrip(b"\0") == b"UPDATE 4"
    assert {asset.source for asset in assets(cdf, plant).values()} == {"parts"}


def test_a_change_that_returns_nothing_is_counted_whatever_the_limit(server, plant):
    statement = f"UPDATE assets SET source = 'limit' WHERE external_id LIKE '{plant}-%'"
    with signed_in(server) as client:
        answer = client.ask(frames.parse(statement), frames.bind(), frames.execute(rows_max=1), frames.SYNC)
    assert "".join(part.kind for part in answer) == "12CZ"
    assert answer[-2].body.rstrip(b"\0") == b"UPDATE 4"


def test_a_copy_with_a_condition_writes_what_meets_it(connection, emulator, cdf, plant):
    with connection.cursor().copy(
        "COPY assets (external_id, name, description) FROM STDIN WITH (FORMAT csv)"
        " WHERE description <> '' AND external_id NOT LIKE '%-skip'"
    ) as copy:
        copy.write(f'{plant}-c1,"a, b",kept\n{plant}-c2,b,""\n{plant}-skip,c,not kept\n')
        copy.write(f"{plant}-c3,d,kept é\n")
    found = assets(cdf, plant)
    assert (found["c1"].name, found["c3"].description) == ("a, b", "kept é")
    assert "c2" not in found and "skip" not in found
    since = emulator.next_sequence()
    with pytest.raises(psycopg.errors.BadCopyFileFormat) as caught:
        with connection.cursor().copy("COPY assets (external_id, name) FROM STDIN WHERE name > ''") as copy:
            copy.write(f"{plant}-c4\tgood\n{plant}-c5\n")
    assert "line 2" in caught.value.diag.context
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        with connection.cursor().copy("COPY assets (external_id, name) FROM STDIN WHERE name > ''") as copy:
            copy.write(f"{plant}-c1\tagain\n")
    assert "COPY assets, row 1" in caught.value.diag.context
    assert len([call for call in emulator.requests(since=since) if call["path"].endswith("/assets")]) == 1
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_copy_with_a_condition_may_be_broken_off_and_rolled_back(server, cdf, plant):
    with psycopg.connect(**server.keywords()) as connection:
        with pytest.raises(psycopg.errors.QueryCanceled):
            with connection.cursor().copy("COPY assets (external_id, name) FROM STDIN WHERE true") as copy:
                copy.write(f"{plant}-d1\tx\n")
                raise psycopg.errors.QueryCanceled("no more")
        connection.rollback()
        with connection.cursor().copy("COPY assets (external_id, name) FROM STDIN WHERE true") as copy:
            copy.write(f"{plant}-d2\tx\n")
        connection.rollback()
        with connection.cursor().copy("COPY assets (external_id, name) FROM STDIN WHERE true") as copy:
            copy.write(f"{plant}-d3\tx\n")
        connection.commit()
    assert sorted(assets(cdf, plant)) == ["1", "2", "3", "4", "d3"]


def test_an_interim_table_is_loaded_and_written_on_in_one_transaction(server, cdf, plant):
    with psycopg.connect(**server.keywords()) as connection:
        connection.execute("CREATE TEMP TABLE interim (key text, title text, weight int) ON COMMIT DROP")
        with connection.cursor().copy("COPY interim FROM STDIN") as copy:
            for n in range(1, 7):
                copy.write_row((f"{plant}-{n}", f"title {n}", n))
        done = connection.execute(
            "UPDATE assets SET name = i.title FROM interim i WHERE i.key = assets.external_id AND i.weight > 2"
        )
        assert done.statusmessage == "UPDATE 2"
        # What the transaction has staged is read, too.
        done = connection.execute(
            "MERGE INTO assets a USING interim i ON a.external_id = i.key"
            " WHEN MATCHED AND a.name = i.title THEN UPDATE SET source = 'merged'"
            " WHEN NOT MATCHED THEN INSERT (external_id, name) VALUES (i.key, i.title)"
        )
        assert done.statusmessage == "MERGE 4"
        done = connection.execute(
            "WITH taken AS (DELETE FROM interim WHERE weight < 3 RETURNING *)"
            " INSERT INTO events (external_id, type) SELECT key || '-event', %s FROM taken",
            [plant],
        )
        assert done.statusmessage == "INSERT 0 2"
        assert connection.execute("SELECT count(*) FROM interim").fetchone() == (4,)
        assert assets(cdf, plant)["3"].name == "Valve"
        connection.commit()
    found = assets(cdf, plant)
    assert (found["3"].name, found["3"].source) == ("title 3", "merged")
    assert (found["1"].name, found["1"].source, found["6"].name) == ("Pump 1", "sap", "title 6")
    assert cdf.events.retrieve(external_id=f"{plant}-2-event").type == plant


def test_a_change_that_fails_leaves_the_temporary_tables_of_its_block(server, cdf, plant):
    with psycopg.connect(**server.keywords()) as connection:
        connection.execute(
            "CREATE TEMP TABLE interim AS SELECT external_id AS key FROM assets WHERE source = 'sap'"
        )
        with pytest.raises(psycopg.errors.FeatureNotSupported), connection.transaction():
            connection.execute(
                "UPDATE assets SET external_id = 'x' || key FROM interim WHERE key = external_id AND key LIKE %s",
                [f"{plant}-%"],
            )
        done = connection.execute(
            "DELETE FROM assets USING interim WHERE key = external_id AND key LIKE %s", [f"{plant}-%"]
        )
        assert done.statusmessage == "DELETE 2"
        connection.commit()
        assert sorted(assets(cdf, plant)) == ["3", "4"]
        assert connection.execute("SELECT count(*) > 1 FROM interim").fetchone() == (True,)
