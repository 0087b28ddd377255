"""Changes by key and RETURNING on the tables beside time series, and what they cost in requests."""

import psycopg
import pytest

pytestmark = pytest.mark.gateway_only

ROWS = 10_000


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def requests_of(emulator):
    """How many requests of some operations a piece of work needs."""

    def count(work, *operations) -> int:
        def so_far() -> int:
            return sum(emulator.operation(name).get("requests", 0) for name in operations)

        before = so_far()
        work()
        return so_far() - before

    return count


def test_ten_thousand_changes_and_upserts_need_few_requests(connection, requests_of, series):
    def names(first):
        return [f"{series}-{n}" for n in range(first, first + ROWS)]

    def load():
        with connection.cursor().copy("COPY assets (external_id, name) FROM STDIN") as copy:
            for name in names(0):
                copy.write(f"{name}\tn\n")

    def update():
        with connection.cursor() as cursor:
            changes = [(f"d {name}", name) for name in names(0)]
            cursor.executemany("UPDATE assets SET description = %s WHERE external_id = %s", changes)
            assert cursor.rowcount == ROWS

    def update_listed():
        done = connection.execute("UPDATE assets SET source = 's' WHERE external_id = ANY(%s)", (names(0),))
        assert done.statusmessage == f"UPDATE {ROWS}"

    def upsert():
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO assets (external_id, name) VALUES (%s, 'new')"
                " ON CONFLICT (external_id) DO UPDATE SET name = excluded.name",
                [(name,) for name in names(ROWS // 2)],
            )
            assert cursor.rowcount == ROWS

    load()
    assert requests_of(update, "assets.update") <= 12
    assert requests_of(update_listed, "assets.update") <= 12
    assert requests_of(upsert, "assets.update", "assets.create") <= 26


def test_of_one_key_twice_the_first_is_made_and_the_second_skipped(connection, series):
    done = connection.execute(
        "INSERT INTO assets (external_id, name) VALUES (%s, 'x'), (%s, 'y') ON CONFLICT DO NOTHING RETURNING name",
        (series, series),
    )
    assert done.fetchall() == [("x",)]
    assert done.statusmessage == "INSERT 0 1"


def test_labels_are_made_skipped_and_deleted_but_never_changed(connection, series):
    statement = "INSERT INTO labels (external_id, name) VALUES (%s, 'n') ON CONFLICT (external_id) "
    assert connection.execute(f"{statement} DO NOTHING", (series,)).statusmessage == "INSERT 0 1"
    assert connection.execute(f"{statement} DO NOTHING", (series,)).statusmessage == "INSERT 0 0"
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute(f"{statement} DO UPDATE SET name = excluded.name", (series,))
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        connection.execute("UPDATE labels SET name = 'a' WHERE external_id = %s", (series,))
    done = connection.execute("DELETE FROM labels WHERE external_id IN (%s, 'no-such-label')", (series,))
    assert done.statusmessage == "DELETE 1"


def test_an_upsert_makes_the_rows_that_have_no_key(connection, series):
    done = connection.execute(
        "INSERT INTO events (external_id, type) VALUES (%s, 'u'), (NULL, 'v')"
        " ON CONFLICT (external_id) DO UPDATE SET type = excluded.type RETURNING external_id, type",
        (series,),
    )
    assert done.fetchall() == [(series, "u"), (None, "v")]


def test_lists_and_objects_come_back_as_they_are(connection, series):
    connection.execute("INSERT INTO labels (external_id, name) VALUES (%s, 'n')", (f"{series}-label",))
    connection.execute(
        "INSERT INTO assets (external_id, name, metadata) VALUES (%s, 'n', '{\"k\": \"v\"}')", (series,)
    )
    for binary in (False, True):
        changed = connection.cursor(binary=binary).execute(
            "UPDATE assets SET labels = %s WHERE external_id = %s RETURNING labels, metadata, parent_id",
            ([f"{series}-label"], series),
        )
        assert changed.fetchall() == [([f"{series}-label"], {"k": "v"}, None)]
    cleared = connection.execute(
        "UPDATE assets SET metadata = NULL WHERE external_id = %s RETURNING metadata", (series,)
    )
    assert cleared.fetchall() == [(None,)]
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute("UPDATE assets SET parent_external_id = NULL WHERE external_id = %s", (series,))


def test_rows_of_sequences_say_overwrite_by_do_update(connection, series):
    connection.execute(
        'INSERT INTO sequences (external_id, columns) VALUES (%s, \'[{"externalId": "c", "valueType": "LONG"}]\')',
        (series,),
    )
    done = connection.execute(
        "INSERT INTO sequence_rows (values, external_id, row_number, columns) VALUES ('[1]', %s, 1, '{c}')"
        " ON CONFLICT (external_id, row_number) DO UPDATE SET values = excluded.values RETURNING *",
        (series,),
    )
    assert done.fetchall() == [([1], series, None, 1, ["c"])]


def test_a_streaming_transaction_returns_what_cdf_made(connection, series):
    connection.execute("SET penstock.transaction = 'streaming'")
    with connection.transaction():
        made = connection.execute(
            "INSERT INTO assets (external_id, name) VALUES (%s, 'n') RETURNING id, root_id", (series,)
        ).fetchone()
    assert made[0] == made[1] > 0
