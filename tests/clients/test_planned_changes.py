"""Changes that take a plan: any condition, joins, queries, CTEs, MERGE. Read back by Cognite's SDK."""

import json

import psycopg
import pytest
from cognite.client.data_classes import AssetWrite, SequenceColumnWrite, SequenceWrite
from support import frames
from support.frames import signed_in
from support.samples import unique

pytestmark = pytest.mark.gateway_only


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        yield connection


@pytest.fixture
def cdf(store):
    return store.client


@pytest.fixture
def plant(connection):
    """The prefix of four assets and of two events."""
    prefix = unique("plant")
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO assets (external_id, name, description, source, metadata) VALUES (%s, %s, %s, %s, %s)",
            [
                (f"{prefix}-1", "Pump 1", "old", "sap", json.dumps({"bar": "7"})),
                (f"{prefix}-2", "Pump 2", None, "sap", json.dumps({"bar": "9"})),
                (f"{prefix}-3", "Valve", "", "pi", None),
                (f"{prefix}-4", 'Odd "name", \\ (x)', None, None, None),
            ],
        )
        cursor.executemany(
            "INSERT INTO events (external_id, type, subtype, start_time) VALUES (%s, %s, %s, %s)",
            [(f"{prefix}-e{n}", prefix, f"{prefix}-{n}", f"2026-11-0{n}T10:00:00.123Z") for n in (1, 2)],
        )
    return prefix


def assets(cdf, prefix) -> dict:
    found = cdf.assets.list(external_id_prefix=prefix, limit=None)
    return {asset.external_id.removeprefix(f"{prefix}-"): asset for asset in found}


def test_an_update_by_any_condition_changes_what_meets_it(connection, cdf, plant):
    done = connection.execute(
        "UPDATE assets SET description = upper(name) || %s, metadata = NULL"
        " WHERE external_id LIKE %s AND (metadata ->> 'bar')::int > 8",
        ["!", f"{plant}-%"],
    )
    assert done.statusmessage == "UPDATE 1"
    found = assets(cdf, plant)
    assert (found["2"].description, found["2"].metadata or {}) == ("PUMP 2!", {})
    assert (found["1"].description, found["1"].metadata) == ("old", {"bar": "7"})


@pytest.mark.parametrize(
    "condition",
    [
        "NOT (name LIKE 'Pump%%' OR name LIKE 'Odd%%')",
        "CASE WHEN source = 'pi' THEN true ELSE false END",
        "true AND source = 'pi'",
        "EXISTS (SELECT 1 FROM events WHERE source IS NULL) AND source = 'pi'",
        "(source, name) = ('pi', 'Valve')",
        "'pi' = source",
    ],
)
def test_conditions_may_begin_with_anything(connection, plant, condition):
    done = connection.execute(
        f"UPDATE assets SET description = 'met' WHERE {condition} AND external_id LIKE %s RETURNING external_id",
        [f"{plant}-%"],
    )
    assert done.fetchall() == [(f"{plant}-3",)]


def test_an_update_may_take_values_from_other_tables_and_return_rows(connection, cdf, plant):
    done = connection.execute(
        "UPDATE assets AS a SET source = e.type, description = to_char(e.start_time, 'DD')"
        " FROM events e WHERE e.subtype = a.external_id AND e.type = %s"
        " RETURNING a.external_id, lower(a.name), a.id IS NOT NULL",
        [plant],
    )
    assert sorted(done.fetchall()) == [(f"{plant}-1", "pump 1", True), (f"{plant}-2", "pump 2", True)]
    assert done.statusmessage == "UPDATE 2"
    found = assets(cdf, plant)
    assert (found["1"].source, found["2"].description) == (plant, "02")
    assert found["3"].source == "pi"


def test_a_delete_may_use_other_tables_and_queries(connection, cdf, plant):
    done = connection.execute(
        "DELETE FROM assets USING events WHERE events.subtype = assets.external_id AND events.type = %s"
        " AND events.external_id = (SELECT min(external_id) FROM events WHERE type = %s)"
        " RETURNING assets.*",
        [plant, plant],
    )
    row = dict(zip([column.name for column in done.description], done.fetchone(), strict=True))
    assert (row["external_id"], row["metadata"]) == (f"{plant}-1", {"bar": "7"})
    assert done.statusmessage == "DELETE 1"
    assert sorted(assets(cdf, plant)) == ["2", "3", "4"]


def test_rows_of_a_query_are_inserted_and_what_cdf_makes_is_returned(connection, cdf, plant):
    done = connection.execute(
        "INSERT INTO assets (external_id, name, description) OVERRIDING USER VALUE"
        " SELECT external_id || '-copy', name, description FROM assets WHERE external_id LIKE %s"
        " ORDER BY external_id RETURNING id, external_id, created_time",
        [f"{plant}-%"],
    )
    returned = done.fetchall()
    assert done.statusmessage == "INSERT 0 4"
    assert [row[1] for row in returned] == [f"{plant}-{n}-copy" for n in (1, 2, 3, 4)]
    found = assets(cdf, plant)
    assert [row[0] for row in returned] == [found[f"{n}-copy"].id for n in (1, 2, 3, 4)]
    assert found["4-copy"].name == 'Odd "name", \\ (x)'
    assert (found["3-copy"].description, found["4-copy"].description) == ("", None)


def test_rows_of_a_query_that_exist_are_cdfs_to_tell(connection, cdf, plant):
    rows = f"SELECT '{plant}-' || n, 'new ' || n FROM generate_series(3, 6) AS n"
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(f"INSERT INTO assets (external_id, name) {rows}")
    done = connection.execute(
        f"INSERT INTO assets (external_id, name) {rows} ON CONFLICT (external_id) DO NOTHING RETURNING name"
    )
    # One of the first statement's request may have been made.
    assert done.statusmessage == f"INSERT 0 {len(done.fetchall())}"
    found = assets(cdf, plant)
    assert (found["3"].name, found["6"].name) == ("Valve", "new 6")
    done = connection.execute(
        f"INSERT INTO assets (external_id, name) {rows} ON CONFLICT (external_id) DO UPDATE"
        " SET name = excluded.name, source = %s",
        ["upsert"],
    )
    assert done.statusmessage == "INSERT 0 4"
    found = assets(cdf, plant)
    assert {found[str(n)].name for n in range(3, 7)} == {f"new {n}" for n in range(3, 7)}
    # What is made takes nothing of DO UPDATE.
    assert found["3"].source == "upsert"


def test_an_upsert_may_take_the_row_that_exists(connection, cdf, plant):
    done = connection.execute(
        "INSERT INTO assets AS a (external_id, name, description) VALUES (%s, 'x', 'one'), (%s, 'made', NULL)"
        " ON CONFLICT (external_id) DO UPDATE SET name = a.name || '+' || excluded.name"
        " WHERE a.source = 'sap' RETURNING a.name",
        [f"{plant}-1", f"{plant}-9"],
    )
    assert [row[0] for row in done.fetchall()] == ["Pump 1+x", "made"]
    assert done.statusmessage == "INSERT 0 2"
    found = assets(cdf, plant)
    assert (found["1"].name, found["1"].description, found["9"].name) == ("Pump 1+x", "old", "made")


def test_parts_of_one_statement_change_several_tables(connection, cdf, plant):
    done = connection.execute(
        "WITH gone AS (DELETE FROM assets WHERE external_id LIKE %s AND source = 'sap' RETURNING external_id, name),"
        " made AS (INSERT INTO events (external_id, type, description) SELECT external_id || '-gone', 'gone', name"
        "   FROM gone RETURNING external_id)"
        " SELECT count(*), min(external_id) FROM made",
        [f"{plant}-%"],
    )
    assert done.fetchall() == [(2, f"{plant}-1-gone")]
    assert done.statusmessage == "SELECT 1"
    assert sorted(assets(cdf, plant)) == ["3", "4"]
    event = cdf.events.retrieve(external_id=f"{plant}-2-gone")
    assert (event.type, event.description) == ("gone", "Pump 2")


def test_merge_inserts_updates_and_deletes(connection, cdf, plant):
    done = connection.execute(
        "MERGE INTO assets AS a USING (VALUES (%s, 'First'), (%s, NULL), (%s, 'Seventh')) AS s (key, name)"
        " ON a.external_id = s.key"
        " WHEN MATCHED AND s.name IS NULL THEN DELETE"
        " WHEN MATCHED THEN UPDATE SET name = s.name"
        " WHEN NOT MATCHED THEN INSERT (external_id, name, source) VALUES (s.key, s.name, 'merge')"
        " RETURNING merge_action(), a.external_id",
        [f"{plant}-1", f"{plant}-2", f"{plant}-7"],
    )
    assert sorted(done.fetchall()) == [
        ("DELETE", f"{plant}-2"),
        ("INSERT", f"{plant}-7"),
        ("UPDATE", f"{plant}-1"),
    ]
    assert done.statusmessage == "MERGE 3"
    found = assets(cdf, plant)
    assert sorted(found) == ["1", "3", "4", "7"]
    assert (found["1"].name, found["1"].source, found["7"].source) == ("First", "sap", "merge")


def test_objects_that_have_only_an_id_are_read_and_changed(connection, cdf):
    source = unique("keyless")
    made = cdf.assets.create([AssetWrite(name="a", source=source), AssetWrite(name="b", source=source)])
    rows = connection.execute("SELECT name, external_id FROM assets WHERE source = %s ORDER BY 1", [source])
    assert rows.fetchall() == [("a", None), ("b", None)]
    done = connection.execute("UPDATE assets SET name = name || name WHERE source = %s", [source])
    assert done.statusmessage == "UPDATE 2"
    assert [cdf.assets.retrieve(id=asset.id).name for asset in made] == ["aa", "bb"]
    done = connection.execute("DELETE FROM assets WHERE source = %s AND name LIKE 'b%%'", [source])
    assert done.statusmessage == "DELETE 1"
    assert [asset.name for asset in cdf.assets.list(source=source)] == ["aa"]


def test_points_are_changed_by_their_values(connection, store, series):
    start = 1_700_000_000_000
    with connection.cursor().copy(
        "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
    ) as copy:
        for n in range(10):
            copy.write_row((series, f"2023-11-14 22:13:{20 + n}Z", n))
    done = connection.execute(
        "UPDATE double_datapoints SET value = value * 10 WHERE external_id = %s AND value > 7 RETURNING value",
        [series],
    )
    assert sorted(done.fetchall()) == [(80.0,), (90.0,)]
    done = connection.execute(
        "DELETE FROM double_datapoints WHERE external_id = %s AND value BETWEEN 2 AND 6", [series]
    )
    assert done.statusmessage == "DELETE 5"
    assert store.points(series) == [
        (start + n * 1000, value) for n, value in ((0, 0), (1, 1), (7, 7), (8, 80), (9, 90))
    ]
    done = connection.execute(
        "INSERT INTO double_datapoints (external_id, timestamp, value)"
        " SELECT external_id, timestamp, value / 4 FROM double_datapoints WHERE external_id = %s"
        " ON CONFLICT (external_id, timestamp) DO UPDATE SET value = excluded.value",
        [series],
    )
    assert done.statusmessage == "INSERT 0 5"
    assert [value for _, value in store.points(series)] == [0, 0.25, 1.75, 20, 22.5]


def test_points_with_statuses_keep_what_is_not_set(connection, series, cdf):
    connection.execute(
        "INSERT INTO cdf.double_datapoints (external_id, timestamp, value, status_symbol) VALUES"
        " (%s, '2026-11-01Z', 1.5, 'Uncertain'), (%s, '2026-11-02Z', 2.5, 'Good')",
        [series, series],
    )
    done = connection.execute(
        "UPDATE cdf.double_datapoints SET value = value + 1 WHERE external_id = %s AND value < 2", [series]
    )
    assert done.statusmessage == "UPDATE 1"
    points = cdf.time_series.data.retrieve(
        external_id=series, include_status=True, treat_uncertain_as_bad=False, ignore_bad_datapoints=False
    )
    assert list(points.value) == [2.5, 2.5]
    assert list(points.status_symbol) == ["Uncertain", "Good"]


def test_time_series_and_files_are_changed_by_any_condition(connection, store, cdf, series):
    connection.execute("INSERT INTO time_series (external_id, name) VALUES (%s, 'a')", [series])
    connection.execute(
        "UPDATE time_series SET unit = 'bar', description = initcap(name) WHERE lower(name) = 'a'"
        " AND external_id = %s",
        [series],
    )
    assert (store.series(series)["unit"], store.series(series)["description"]) == ("bar", "A")
    connection.execute(
        "INSERT INTO files (external_id, name, metadata, source_created_time) SELECT %s, 'f.txt', '{\"a\": \"b\"}',"
        " '2026-11-01 12:00:00.5Z'",
        [series],
    )
    connection.execute(
        "UPDATE files SET source = name, source_created_time = source_created_time + interval '1 hour'"
        " WHERE external_id = %s AND metadata ->> 'a' = 'b'",
        [series],
    )
    file = cdf.files.retrieve(external_id=series)
    assert (file.source, file.metadata) == ("f.txt", {"a": "b"})
    assert file.source_created_time == 1_793_538_000_500
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="name"):
        connection.execute("UPDATE files SET name = upper(name) WHERE external_id = %s", [series])


def test_sequences_and_their_rows_are_changed(connection, cdf, series):
    cdf.sequences.create(
        SequenceWrite(
            external_id=series,
            columns=[
                SequenceColumnWrite("a", value_type="Long"),
                SequenceColumnWrite("b", value_type="String"),
            ],
        )
    )
    connection.execute(
        "INSERT INTO sequence_rows (external_id, row_number, columns, values)"
        " SELECT %s, n, '{a,b}', json_build_array(n, 'row ' || n) FROM generate_series(1, 5) AS n",
        [series],
    )
    done = connection.execute(
        "UPDATE sequence_rows SET values = json_build_array((values ->> 0)::int * 10, NULL)"
        " WHERE external_id = %s AND values ->> 1 IN ('row 2', 'row 4')",
        [series],
    )
    assert done.statusmessage == "UPDATE 2"
    done = connection.execute(
        "DELETE FROM sequence_rows WHERE external_id = %s AND (values ->> 0)::int < 4", [series]
    )
    assert done.statusmessage == "DELETE 2"
    rows = cdf.sequences.data.retrieve(external_id=series)
    found = {row.row_number: list(row.values) for row in rows.rows}
    assert found == {2: [20, None], 4: [40, None], 5: [5, "row 5"]}
    done = connection.execute(
        "UPDATE sequences SET name = external_id || '!' WHERE external_id = %s AND name IS NULL", [series]
    )
    assert done.statusmessage == "UPDATE 1"
    assert cdf.sequences.retrieve(external_id=series).name == f"{series}!"


def test_labels_are_made_and_deleted_and_never_updated(connection, cdf):
    prefix = unique("label")
    done = connection.execute(
        "INSERT INTO labels (external_id, name) SELECT %s || n, 'Label ' || n FROM generate_series(1, 3) AS n",
        [prefix],
    )
    assert done.statusmessage == "INSERT 0 3"
    done = connection.execute(
        "DELETE FROM labels WHERE external_id LIKE %s AND right(name, 1)::int > 1", [f"{prefix}%"]
    )
    assert done.statusmessage == "DELETE 2"
    found = [label.external_id for label in cdf.labels.list(external_id_prefix=prefix)]
    assert found == [f"{prefix}1"]
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="does not allow updates"):
        connection.execute("UPDATE labels SET name = upper(name) WHERE external_id LIKE %s", [f"{prefix}%"])


def test_raw_rows_are_changed_and_copied(connection, store, raw_database):
    connection.execute(
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
        " SELECT %s, 't', n::text, json_build_object('n', n, 'text', E'a\\nb\"') FROM generate_series(1, 4) AS n",
        [raw_database],
    )
    done = connection.execute(
        "UPDATE raw_rows SET _raw_columns = json_build_object('n', (_raw_columns ->> 'n')::int * 2)"
        " WHERE _raw_database = %s AND _raw_table = 't' AND (_raw_columns ->> 'n')::int > 2",
        [raw_database],
    )
    assert done.statusmessage == "UPDATE 2"
    done = connection.execute(
        "DELETE FROM raw_rows WHERE _raw_database = %s AND _raw_columns ->> 'n' = '1'", [raw_database]
    )
    assert done.statusmessage == "DELETE 1"
    # RAW overwrites what exists: no key is violated, and the last of two wins.
    done = connection.execute(
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
        " SELECT _raw_database, _raw_table, k, '{}' FROM raw_rows, (VALUES ('2'), ('5'), ('5')) AS t (k)"
        " WHERE _raw_database = %s AND _raw_table = 't' AND _raw_key = '2'",
        [raw_database],
    )
    assert done.statusmessage == "INSERT 0 3"
    assert store.raw(raw_database, "t") == {"2": {}, "3": {"n": 6}, "4": {"n": 8}, "5": {}}


def test_values_of_every_kind_survive_whatever_the_session_says(server, cdf, plant):
    text = "line\n\ttab \\ 'q' \"d\" (x,y) {z} é漢"
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        connection.execute(
            "SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Tokyo'; SET extra_float_digits = 0"
        )
        connection.execute(
            "INSERT INTO events (external_id, start_time, end_time, description, metadata, asset_ids)"
            " SELECT e.external_id || '-c', e.start_time, e.start_time + interval '1 ms', %s,"
            " json_build_object('k', %s::text), (SELECT array_agg(id) FROM assets WHERE external_id LIKE %s)"
            " FROM events e WHERE e.type = %s",
            [text, text, f"{plant}-%", plant],
        )
        connection.execute(
            "INSERT INTO relationships (external_id, source_external_id, source_type, target_external_id,"
            " target_type, confidence) SELECT %s, a.external_id, 'asset', e.external_id, 'event', 0.1::float8 + 0.2::float8"
            " FROM assets a, events e WHERE a.external_id = %s AND e.external_id = %s",
            [plant, f"{plant}-1", f"{plant}-e1"],
        )
    event = cdf.events.retrieve(external_id=f"{plant}-e2-c")
    assert event.start_time == 1_793_613_600_123
    assert event.end_time == event.start_time + 1
    assert (event.description, event.metadata) == (text, {"k": text})
    assert sorted(event.asset_ids) == sorted(asset.id for asset in assets(cdf, plant).values())
    assert cdf.relationships.retrieve(plant).confidence == 0.1 + 0.2


def test_text_in_latin1_is_returned_in_latin1(server, plant):
    with psycopg.connect(**server.keywords(autocommit=True, client_encoding="latin1")) as connection:
        row = connection.execute(
            "UPDATE assets SET name = name || 'é' WHERE external_id LIKE %s AND name LIKE 'Valve%%'"
            " RETURNING name",
            [f"{plant}-%"],
        ).fetchone()
    assert row == ("Valveé",)


def test_binary_parameters_and_results_are_taken(server, plant):
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        cursor = connection.cursor(binary=True)
        cursor.execute(
            "UPDATE assets SET description = (%b::int8 + 1)::text WHERE external_id LIKE %b AND source = 'pi'"
            " RETURNING description::int8, ARRAY[external_id::text]",
            [41, f"{plant}-%"],
        )
        assert cursor.fetchall() == [(42, [f"{plant}-3"])]


@pytest.mark.parametrize(
    ("statement", "sqlstate", "text"),
    [
        (
            "UPDATE assets SET external_id = external_id || 'x' WHERE external_id LIKE %s",
            "0A000",
            "names the object",
        ),
        ("UPDATE assets SET id = id + 1 WHERE external_id LIKE %s", "428C9", "only be updated to DEFAULT"),
        ("UPDATE assets SET name = NULL WHERE external_id LIKE %s", "23502", "name"),
        ("UPDATE assets SET name = repeat(name, 100) WHERE external_id LIKE %s", "22001", "140"),
        (
            "UPDATE assets SET name = name || (1 / length(''))::text WHERE external_id LIKE %s",
            "22012",
            "zero",
        ),
        ("UPDATE assets SET nothing = 1 WHERE upper(external_id) LIKE %s", "42703", "nothing"),
        (
            "UPDATE assets SET metadata = json_build_object('a', repeat('x', 20000)) WHERE external_id LIKE %s",
            "54000",
            "metadata",
        ),
        (
            "WITH made AS (INSERT INTO assets (name) SELECT name FROM assets WHERE external_id LIKE %s RETURNING id)"
            " SELECT id FROM made",
            "0A000",
            "id",
        ),
        (
            "UPDATE assets SET name = upper(name) WHERE external_id LIKE %s RETURNING last_updated_time",
            "0A000",
            "last_updated_time",
        ),
    ],
)
def test_what_is_refused_sends_nothing(connection, emulator, plant, statement, sqlstate, text):
    since = emulator.next_sequence()
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement, [f"{plant}-%"])
    assert caught.value.sqlstate == sqlstate, caught.value
    assert text in str(caught.value)
    writes = [
        call for call in emulator.requests(since=since) if call["operation"].startswith(("create", "update"))
    ]
    assert writes == []


def test_an_error_names_the_row_by_its_key(connection, plant):
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(
            "UPDATE assets SET metadata = json_build_object('a', CASE source WHEN 'pi' THEN repeat('x', 20000)"
            " ELSE 'b' END) WHERE external_id LIKE %s",
            [f"{plant}-%"],
        )
    assert f'row with external_id "{plant}-3"' in caught.value.diag.context
    assert caught.value.diag.column_name == "metadata"


def test_an_error_of_cdf_is_the_statements_and_returns_no_rows(connection, cdf, plant):
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught:
        connection.execute(
            "UPDATE assets SET parent_external_id = external_id || '-none' WHERE external_id LIKE %s RETURNING name",
            [f"{plant}-%"],
        )
    assert "UPDATE assets, row" in caught.value.diag.context
    assert connection.execute("SELECT 1").fetchone() == (1,)


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


def test_explain_plans_and_explain_analyze_changes(connection, cdf, plant):
    change = (
        f"UPDATE assets SET description = 'analyzed' WHERE external_id LIKE '{plant}-%' AND source = 'pi'"
    )
    plan = connection.execute(f"EXPLAIN {change}").fetchall()
    assert plan[0][0].startswith("Update on assets")
    assert assets(cdf, plant)["3"].description == ""
    done = connection.execute(f"EXPLAIN ANALYZE {change}")
    assert any("actual time" in row[0] for row in done.fetchall())
    assert done.statusmessage == "EXPLAIN"
    assert assets(cdf, plant)["3"].description == "analyzed"


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


def test_twenty_thousand_assets_change_by_one_statement_in_few_requests(connection, emulator, cdf):
    rows = 20_000
    prefix = unique("many")
    with connection.cursor().copy("COPY assets (external_id, name) FROM STDIN") as copy:
        for n in range(rows):
            copy.write_row((f"{prefix}-{n}", f"Pump {n}"))
    since = emulator.next_sequence()
    done = connection.execute(
        "UPDATE assets SET description = CASE WHEN length(name) %% 2 = 0 THEN 'even' ELSE upper(name) END,"
        " source = CASE WHEN name LIKE '%%7' THEN 'seven' ELSE source END"
        " WHERE external_id LIKE %s AND name LIKE 'Pump%%'",
        [f"{prefix}-%"],
    )
    assert done.statusmessage == f"UPDATE {rows}"
    updates = [call for call in emulator.requests(since=since) if "update" in call["path"]]
    # A thousand a request, for each of the sets of columns that change.
    assert len(updates) <= 22
    found = cdf.assets.retrieve_multiple(external_ids=[f"{prefix}-12345", f"{prefix}-17"])
    assert [(asset.description, asset.source) for asset in found] == [("even", None), ("PUMP 17", "seven")]


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
