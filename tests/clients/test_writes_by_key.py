"""ON CONFLICT, UPDATE, DELETE and RETURNING: what changes objects by their key."""

import datetime

import psycopg
import pytest

pytestmark = pytest.mark.gateway_only


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        yield connection


def tag(cursor) -> str:
    return cursor.statusmessage


def make(connection, *names, **columns):
    for name in names:
        values = {"external_id": name} | columns
        connection.execute(
            f"INSERT INTO time_series ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})",
            list(values.values()),
        )


def test_do_nothing_skips_what_exists_and_does_not_count_it(connection, store, series):
    make(connection, series, name="old")
    done = connection.execute(
        "INSERT INTO time_series (external_id, name) VALUES (%s, 'new'), (%s, 'made')"
        " ON CONFLICT (external_id) DO NOTHING",
        (series, f"{series}-2"),
    )
    assert tag(done) == "INSERT 0 1"
    assert store.series(series)["name"] == "old"
    assert store.series(f"{series}-2")["name"] == "made"


def test_do_update_changes_what_exists_and_makes_the_rest(connection, store, series):
    make(connection, series, name="old", unit="bar", description="stays")
    done = connection.execute(
        "INSERT INTO time_series AS t (external_id, name, unit) VALUES (%s, 'a', NULL), (%s, 'b', 'm')"
        " ON CONFLICT (external_id) DO UPDATE SET name = excluded.name, unit = excluded.unit,"
        ' metadata = \'{"by": "upsert"}\'',
        (series, f"{series}-2"),
    )
    assert tag(done) == "INSERT 0 2"
    changed = store.series(series)
    assert changed["name"] == "a"
    assert "unit" not in changed
    assert changed["description"] == "stays"
    assert changed["metadata"] == {"by": "upsert"}
    made = store.series(f"{series}-2")
    assert (made["name"], made["unit"]) == ("b", "m")
    assert "metadata" not in made or made["metadata"] == {}


def test_do_update_of_one_key_twice_is_refused_with_21000(connection, store, series):
    with pytest.raises(psycopg.errors.CardinalityViolation) as caught:
        connection.execute(
            "INSERT INTO time_series (external_id, name) VALUES (%s, 'a'), (%s, 'b')"
            " ON CONFLICT (external_id) DO UPDATE SET name = excluded.name",
            (series, series),
        )
    assert (
        caught.value.diag.message_primary == "ON CONFLICT DO UPDATE command cannot affect row a second time"
    )
    assert store.series(series) is None


def test_many_upserts_by_executemany_need_few_requests(connection, store, emulator, series):
    names = [f"{series}-{n}" for n in range(500)]
    make(connection, *names[:3], name="old")
    since = emulator.next_sequence()
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO time_series (external_id, name) VALUES (%s, %s)"
            " ON CONFLICT (external_id) DO UPDATE SET name = excluded.name",
            [(name, f"new {n}") for n, name in enumerate(names)],
        )
        assert cursor.rowcount == 500
    assert store.series(names[0])["name"] == "new 0"
    assert store.series(names[499])["name"] == "new 499"
    assert len(emulator.requests(since=since)) < 20


def test_an_update_sets_and_clears_columns_of_the_rows_that_exist(connection, store, series):
    make(connection, series, f"{series}-2", name="old", unit="bar")
    done = connection.execute(
        "UPDATE time_series SET name = %s, unit = NULL, metadata = %s::json WHERE external_id IN (%s, %s, %s)",
        ("new", '{"a": "b"}', series, f"{series}-2", f"{series}-none"),
    )
    assert tag(done) == "UPDATE 2"
    for name in (series, f"{series}-2"):
        changed = store.series(name)
        assert changed["name"] == "new"
        assert "unit" not in changed
        assert changed["metadata"] == {"a": "b"}
    assert store.series(f"{series}-none") is None


def test_an_update_by_id_or_by_an_array_finds_its_rows(connection, store, series):
    names = [f"{series}-{n}" for n in range(3)]
    make(connection, *names, name="old")
    identity = store.series(names[0])["id"]
    assert (
        tag(connection.execute("UPDATE time_series SET name = 'by id' WHERE id = %s", (identity,)))
        == "UPDATE 1"
    )
    done = connection.execute(
        "UPDATE time_series SET name = 'by array' WHERE external_id = ANY(%s)", (names[1:],)
    )
    assert tag(done) == "UPDATE 2"
    binary = connection.cursor(binary=True)
    binary.execute("UPDATE time_series SET unit = 'm' WHERE id = ANY(%b)", ([identity],))
    assert binary.rowcount == 1
    assert [store.series(name)["name"] for name in names] == ["by id", "by array", "by array"]
    assert store.series(names[0])["unit"] == "m"


def test_an_update_of_nothing_says_so(connection, series):
    assert (
        tag(connection.execute("UPDATE time_series SET name = 'a' WHERE external_id = %s", (series,)))
        == "UPDATE 0"
    )
    assert (
        tag(connection.execute("UPDATE time_series SET name = 'a' WHERE external_id = ANY('{}')"))
        == "UPDATE 0"
    )


def test_pipelined_updates_share_requests_and_tell_their_own_counts(connection, store, emulator, series):
    names = [f"{series}-{n}" for n in range(300)]
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO time_series (external_id) VALUES (%s)", [(name,) for name in names])
    since = emulator.next_sequence()
    with connection.pipeline():
        cursors = [
            connection.execute("UPDATE time_series SET name = %s WHERE external_id = %s", (f"n {name}", name))
            for name in [*names, f"{series}-none"]
        ]
    assert [tag(cursor) for cursor in cursors] == ["UPDATE 1"] * 300 + ["UPDATE 0"]
    assert store.series(names[299])["name"] == f"n {names[299]}"
    assert len(emulator.requests(since=since)) < 10


def test_two_updates_of_one_row_in_a_pipeline_take_effect_in_order(connection, store, series):
    make(connection, series, name="old")
    with connection.pipeline():
        for value in ("first", "second", "third"):
            connection.execute("UPDATE time_series SET name = %s WHERE external_id = %s", (value, series))
    assert store.series(series)["name"] == "third"


def test_a_delete_by_key_takes_the_named_rows_only(connection, store, series):
    names = [f"{series}-{n}" for n in range(4)]
    make(connection, *names)
    done = connection.execute("DELETE FROM time_series WHERE external_id IN (%s, %s)", tuple(names[:2]))
    assert tag(done) == "DELETE 2"
    identity = store.series(names[2])["id"]
    assert (
        tag(connection.execute("DELETE FROM public.time_series t WHERE t.id = %s", (identity,))) == "DELETE 1"
    )
    assert [store.series(name) is None for name in names] == [True, True, True, False]


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("DELETE FROM time_series", "42501"),
        ("TRUNCATE time_series", "42501"),
        ("UPDATE time_series SET created_time = now() WHERE id = 1", "428C9"),
        ("UPDATE views SET name = 'a'", "55000"),
        ("INSERT INTO data_models (space) VALUES ('a')", "55000"),
        ("UPDATE time_series SET is_step = NULL WHERE id = 1", "0A000"),
    ],
)
def test_what_is_not_done_is_refused_with_a_hint(connection, statement, sqlstate):
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)
    assert caught.value.sqlstate == sqlstate
    assert caught.value.diag.message_hint or caught.value.diag.message_detail


def test_a_staged_block_holds_changes_back_until_commit(server, store, series):
    with psycopg.connect(**server.keywords()) as connection:
        make(connection, series, f"{series}-2", name="old")
        connection.commit()
        connection.execute("UPDATE time_series SET name = 'new' WHERE external_id = %s", (series,))
        connection.execute("DELETE FROM time_series WHERE external_id = %s", (f"{series}-2",))
        assert store.series(series)["name"] == "old"
        connection.rollback()
        assert store.series(f"{series}-2") is not None
        connection.execute("UPDATE time_series SET name = 'new' WHERE external_id = %s", (series,))
        connection.execute("DELETE FROM time_series WHERE external_id = %s", (f"{series}-2",))
        connection.commit()
    assert store.series(series)["name"] == "new"
    assert store.series(f"{series}-2") is None


def test_a_row_made_changed_and_deleted_in_one_pipeline_ends_as_told(connection, store, series):
    with connection.pipeline():
        make(connection, series, f"{series}-2", name="first")
        connection.execute("UPDATE time_series SET name = 'second' WHERE external_id = %s", (series,))
        connection.execute("DELETE FROM time_series WHERE external_id = %s", (f"{series}-2",))
    assert store.series(series)["name"] == "second"
    assert store.series(f"{series}-2") is None


@pytest.mark.parametrize("binary", [False, True])
def test_returning_gives_what_was_sent_and_what_cdf_made(connection, store, series, binary):
    cursor = connection.cursor(binary=binary)
    cursor.execute(
        "INSERT INTO time_series (external_id, name, is_step, metadata, security_categories) VALUES"
        " (%s, 'a', true, '{\"k\": \"v\"}', '{1,2}'), (%s, 'b', NULL, NULL, NULL)"
        " RETURNING id, external_id AS key, name, is_step, metadata, security_categories, created_time, unit",
        (series, f"{series}-2"),
    )
    assert tag(cursor) == "INSERT 0 2"
    assert [column.name for column in cursor.description][:3] == ["id", "key", "name"]
    first, second = cursor.fetchall()
    assert first[0] == store.series(series)["id"]
    assert first[1:6] == (series, "a", True, {"k": "v"}, [1, 2])
    assert abs(first[6] - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)
    assert first[7] is None
    assert second[0] == store.series(f"{series}-2")["id"]
    assert second[4:6] == (None, None)


def test_returning_leaves_out_what_was_skipped(connection, series):
    make(connection, series)
    cursor = connection.execute(
        "INSERT INTO time_series (external_id) VALUES (%s), (%s) ON CONFLICT DO NOTHING RETURNING external_id",
        (series, f"{series}-2"),
    )
    assert cursor.fetchall() == [(f"{series}-2",)]


def test_returning_of_an_upsert_tells_what_is_in_cdf(connection, store, series):
    make(connection, series, name="old", unit="bar")
    cursor = connection.execute(
        "INSERT INTO time_series (external_id, name, unit) VALUES (%s, 'new', 'm'), (%s, 'made', 'm')"
        " ON CONFLICT (external_id) DO UPDATE SET name = excluded.name RETURNING id, name, unit",
        (series, f"{series}-2"),
    )
    assert cursor.fetchall() == [
        (store.series(series)["id"], "new", "bar"),
        (store.series(f"{series}-2")["id"], "made", "m"),
    ]


def test_returning_of_updates_and_deletes(connection, store, series):
    make(connection, series, name="old")
    identity = store.series(series)["id"]
    cursor = connection.execute(
        "UPDATE time_series SET unit = 'm' WHERE external_id IN (%s, 'none') RETURNING *", (series,)
    )
    rows = cursor.fetchall()
    assert tag(cursor) == "UPDATE 1"
    assert len(rows) == 1
    assert rows[0][:3] == (identity, series, "old")
    cursor = connection.execute("DELETE FROM time_series WHERE id = %s RETURNING id", (identity,))
    assert cursor.fetchall() == [(identity,)]
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute("DELETE FROM time_series WHERE id = %s RETURNING name", (identity,))


def test_executemany_returns_a_row_for_each_statement(connection, store, series):
    names = [f"{series}-{n}" for n in range(50)]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO time_series (external_id) VALUES (%s) RETURNING id, external_id",
            [(name,) for name in names],
            returning=True,
        )
        returned = []
        while True:
            returned += cursor.fetchall()
            if not cursor.nextset():
                break
    assert [row[1] for row in returned] == names
    assert returned[7][0] == store.series(names[7])["id"]


def test_a_staged_block_returns_what_was_sent_and_nothing_of_cdf(server, series):
    with psycopg.connect(**server.keywords()) as connection:
        cursor = connection.execute(
            "INSERT INTO time_series (external_id, name) VALUES (%s, 'a') RETURNING external_id, name",
            (series,),
        )
        assert cursor.fetchall() == [(series, "a")]
        with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
            connection.execute("INSERT INTO time_series (external_id) VALUES ('x') RETURNING id")
        assert "streaming" in caught.value.diag.message_hint


def test_returning_of_points_and_raw_rows_is_what_was_sent(connection, raw_database, series):
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 250_000, datetime.UTC)
    cursor = connection.execute(
        "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, 1.5) RETURNING *",
        (series, moment),
    )
    assert cursor.fetchall() == [(1.5, moment, series, None)]
    cursor = connection.execute(
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES"
        " (%s, 't', 'k1', '{\"a\": 1}'), (%s, 'u', 'k2', '{}') RETURNING _raw_key, _raw_columns",
        (raw_database, raw_database),
    )
    assert cursor.fetchall() == [("k1", {"a": 1}), ("k2", {})]
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute(
            "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
            " VALUES ('d', 't', 'k', '{}') RETURNING _raw_last_updated_time"
        )


def test_the_description_of_a_prepared_statement_names_the_columns_of_its_table(connection, server):
    statement = b"INSERT INTO time_series (external_id) VALUES ($1) RETURNING id, metadata"
    connection.pgconn.prepare(b"described", statement)
    described = connection.pgconn.describe_prepared(b"described")
    assert [described.fname(0), described.fname(1)] == [b"id", b"metadata"]
    assert [described.ftype(0), described.ftype(1)] == [20, 114]
    assert described.ftablecol(0) == 1
    assert described.ftable(0) == 16405


def test_a_failed_statement_of_a_query_returns_nothing(connection, store, series):
    make(connection, series)
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO time_series (external_id) VALUES (%s) RETURNING id", (series,))
    assert connection.execute("SELECT 1").fetchone() == (1,)
