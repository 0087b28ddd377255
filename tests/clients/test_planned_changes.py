"""Changes that take a plan: any condition, joins, queries, CTEs, MERGE. Read back by Cognite's SDK."""

import psycopg
import pytest
from cognite.client.data_classes import AssetWrite
from support.planned import assets, make_plant
from support.samples import unique

pytestmark = pytest.mark.gateway_only


@pytest.fixture
def plant(connection):
    return make_plant(connection)


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
            "UPDATE assets SET name = upper(name) WHERE external_id LIKE %s"
            " RETURNING last_updated_time, now() - last_updated_time",
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


def ms(time) -> int:
    return round(time.timestamp() * 1000)


@pytest.mark.parametrize("binary", [False, True])
def test_an_update_returns_when_cdf_changed_each_row(connection, cdf, plant, binary):
    before = assets(cdf, plant)
    with connection.cursor(binary=binary) as cursor:
        # Each row has other columns changed than the one before it, and the third none.
        cursor.execute(
            "UPDATE assets AS a SET name = CASE WHEN name LIKE 'Pump%%' THEN upper(name) ELSE name END,"
            " description = CASE external_id WHEN %s THEN 'new' WHEN %s THEN 'newer' ELSE description END"
            " WHERE external_id LIKE %s"
            " RETURNING lower(name), a.last_updated_time, metadata IS NULL, last_updated_time AS at, external_id",
            [f"{plant}-2", f"{plant}-4", f"{plant}-%"],
        )
        rows = {row[-1].removeprefix(f"{plant}-"): row[:-1] for row in cursor.fetchall()}
        assert cursor.statusmessage == "UPDATE 4"
    found = assets(cdf, plant)
    names = {"1": "pump 1", "2": "pump 2", "3": "valve", "4": 'odd "name", \\ (x)'}
    for key, (name, first, has_none, second) in rows.items():
        assert (name, has_none) == (names[key], key in "34")
        assert ms(first) == ms(second) == found[key].last_updated_time
    assert found["3"].last_updated_time == before["3"].last_updated_time
    assert all(found[key].last_updated_time >= before[key].last_updated_time for key in "124")
    assert (found["2"].description, found["4"].description, found["1"].name) == ("new", "newer", "PUMP 1")


def test_the_time_of_a_change_is_told_only_where_the_answer_waits_for_it(connection, cdf, plant):
    update = "UPDATE assets SET name = lower(name) WHERE external_id LIKE %s RETURNING last_updated_time"
    connection.execute("BEGIN")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="transaction block"):
        connection.execute(update, [f"{plant}-%"])
    connection.execute("ROLLBACK")
    assert assets(cdf, plant)["1"].name == "Pump 1"
    explained = connection.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {update}", [f"{plant}-1"]).fetchall()
    assert explained[0][0].startswith("Update on assets")
    assert assets(cdf, plant)["1"].name == "pump 1"


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
