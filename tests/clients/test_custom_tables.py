"""Changes by key of RAW rows and of custom tables, counted in requests and read back by Cognite's SDK."""

import json
import subprocess

import psycopg
import pytest
from cognite.client import data_modeling as dm
from support.binary import PROJECT, USER, binary
from support.configured import ConfiguredGateway

pytestmark = pytest.mark.gateway_only

PUMPS = {
    "type": "raw_rows",
    "tablename": "pumps",
    "options": {"database": "plant", "table": "pumps", "primaryKey": "id"},
    "columns": {"id": {"type": "BIGINT"}, "name": {"type": "TEXT"}, "limits": {"type": "REAL[]"}},
}


@pytest.fixture(scope="module")
def gateway(local_cdf, tmp_path_factory):
    """A gateway whose user has a custom RAW table and one of a view, before it starts."""
    client = local_cdf.client(project=PROJECT)
    space = "plant"
    client.data_modeling.spaces.apply(dm.SpaceApply(space))
    properties = {
        "name": dm.ContainerProperty(dm.Text()),
        "power": dm.ContainerProperty(dm.Float64()),
    }
    container = client.data_modeling.containers.apply(
        dm.ContainerApply(space=space, external_id="Pump", properties=properties, used_for="node")
    )
    mapped = {name: dm.MappedPropertyApply(container.as_id(), name) for name in properties}
    client.data_modeling.views.apply(
        dm.ViewApply(space=space, external_id="Pump", version="v1", properties=mapped)
    )
    directory = tmp_path_factory.mktemp("custom")
    sections = {
        "state": {"path": str(directory / "state.sqlite")},
        "statements": {"on_conflict_reads": True},
    }
    with ConfiguredGateway(directory, local_cdf.url, **sections) as gateway:
        file = directory / "penstock.toml"
        view = {
            "type": "view",
            "tablename": "things",
            "options": {"space": space, "externalId": "Pump", "version": "v1"},
        }
        definitions = directory / "tables.json"
        definitions.write_text(json.dumps({"items": [PUMPS, view]}))
        command = [binary(), "table", "create", "--config", str(file), "--user", USER, str(definitions)]
        made = subprocess.run(command, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        yield gateway


@pytest.fixture
def connection(gateway):
    # Sessions that begin after the gateway has looked at its state have the tables.
    while True:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            known = connection.execute("SELECT relname FROM pg_class WHERE relname = 'things'").fetchall()
            if known:
                yield connection
                return


@pytest.fixture
def cdf(local_cdf):
    return local_cdf.client(project=PROJECT)


@pytest.fixture
def requests_of(local_cdf):
    """How many requests of an operation a piece of work needs."""

    def count(work, *operations) -> list[int]:
        def so_far() -> list[int]:
            figures = local_cdf.admin("GET", "statistics")["operations"]
            return [figures.get(name, {}).get("requests", 0) for name in operations]

        before = so_far()
        work()
        return [after - count for after, count in zip(so_far(), before, strict=True)]

    return count


def raw(cdf, key):
    row = cdf.raw.rows.retrieve("plant", "pumps", key)
    return row and row.columns


def test_cells_of_raw_rows_are_set_and_removed_and_the_others_stay(connection, cdf):
    cdf.raw.rows.insert("plant", "pumps", {"1": {"id": 1, "other": {"a": [1.5]}}}, ensure_parent=True)
    done = connection.execute(
        "UPDATE pumps SET name = %s, limits = %s WHERE id = ANY(%s) RETURNING id, name, limits",
        ("north", [0.1, 2.0], [1, 2]),
    )
    assert done.fetchall() == [(1, "north", [pytest.approx(0.1), 2])]
    assert done.statusmessage == "UPDATE 1"
    assert raw(cdf, "1") == {"id": 1, "other": {"a": [1.5]}, "name": "north", "limits": [0.1, 2]}
    assert connection.execute("UPDATE pumps SET name = NULL WHERE id = 1").statusmessage == "UPDATE 1"
    assert raw(cdf, "1") == {"id": 1, "other": {"a": [1.5]}, "limits": [0.1, 2]}
    assert raw(cdf, "2") is None


def test_a_thousand_changes_are_a_read_each_and_one_write(connection, requests_of):
    ids = list(range(1000, 2000))
    with connection.cursor().copy("COPY pumps (id, name) FROM STDIN") as copy:
        for number in ids:
            copy.write_row((number, "old"))

    def update():
        done = connection.execute("UPDATE pumps SET name = 'new' WHERE id = ANY(%s)", (ids,))
        assert done.statusmessage == "UPDATE 1000"

    def update_each():
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE pumps SET name = %s WHERE id = %s", [(str(n), n) for n in ids])
            assert cursor.rowcount == 1000

    def delete():
        done = connection.execute("DELETE FROM pumps WHERE id = ANY(%s)", (ids,))
        assert done.statusmessage == "DELETE 1000"

    assert requests_of(update, "raw.rows.get", "raw.rows.insert") == [1000, 1]
    reads, writes = requests_of(update_each, "raw.rows.get", "raw.rows.insert")
    assert reads == 1000
    assert writes <= 20
    assert requests_of(delete, "raw.rows.get", "raw.rows.delete") == [0, 1]


def test_a_loader_empties_its_table_first_and_fills_it_in_one_transaction(connection, cdf):
    cdf.raw.rows.insert("plant", "pumps", {"7": {"id": 7}, "8": {"id": 8}}, ensure_parent=True)
    with connection.transaction():
        connection.execute("TRUNCATE TABLE pumps")
        with connection.cursor().copy("COPY pumps (id, name) FROM STDIN") as copy:
            copy.write_row((8, "new"))
    rows = cdf.raw.rows.list("plant", "pumps", limit=-1)
    assert {row.key: row.columns for row in rows} == {"8": {"id": 8, "name": "new"}}
    assert connection.execute("DELETE FROM pumps").statusmessage == "DELETE 1"
    assert len(cdf.raw.rows.list("plant", "pumps", limit=-1)) == 0


def test_raw_rows_are_changed_by_their_whole_key_and_made_where_they_are_missing(connection, cdf):
    key = "_raw_database = %s AND _raw_table = %s AND _raw_key"
    place = ("plant", "pumps")
    statement = "INSERT INTO raw_rows VALUES (%s, %s, 'a', '{\"v\": 1}'), (%s, %s, 'b', '{\"v\": 1}')"
    assert connection.execute(statement, place * 2).statusmessage == "INSERT 0 2"
    skipped = connection.execute(f"{statement} ON CONFLICT DO NOTHING RETURNING _raw_key", place * 2)
    assert (skipped.fetchall(), skipped.statusmessage) == ([], "INSERT 0 0")
    done = connection.execute(
        f"UPDATE raw_rows SET _raw_columns = '{{\"w\": 2}}' WHERE {key} IN ('a', 'x')", place
    )
    assert done.statusmessage == "UPDATE 1"
    assert raw(cdf, "a") == {"w": 2}
    done = connection.execute(f"DELETE FROM raw_rows WHERE {key} = ANY (%s)", (*place, ["a", "b"]))
    assert done.statusmessage == "DELETE 2"
    assert raw(cdf, "a") is None
    # Without the rest of the key the rows are looked for.
    assert connection.execute("DELETE FROM raw_rows WHERE _raw_key = 'a'").statusmessage == "DELETE 0"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("TRUNCATE raw_rows")


def test_instances_are_read_once_changed_once_and_deleted_once(connection, cdf, requests_of):
    names = [f"p{number}" for number in range(1000)]
    with connection.cursor().copy("COPY things (space, external_id, name, power) FROM STDIN") as copy:
        for name in names:
            copy.write_row(("plant", name, "old", 1.5))
    where = "WHERE space = 'plant' AND external_id = ANY(%s)"

    def update():
        done = connection.execute(f"UPDATE things SET name = NULL, power = 2 {where}", (names,))
        assert done.statusmessage == "UPDATE 1000"

    def update_none():
        done = connection.execute(f"UPDATE things SET power = 3 {where}", (["none"],))
        assert done.statusmessage == "UPDATE 0"

    def delete():
        done = connection.execute(f"DELETE FROM things {where}", (["none", *names[1:]],))
        assert done.statusmessage == "DELETE 999"

    operations = ("models.instances.read.byids", "models.instances.apply", "models.instances.delete")
    assert requests_of(update, *operations) == [1, 1, 0]
    view = dm.ViewId("plant", "Pump", "v1")
    assert cdf.data_modeling.instances.retrieve(("plant", "p999"), sources=view).nodes[0].properties[
        view
    ] == {"power": 2.0}
    assert requests_of(update_none, *operations) == [1, 0, 0]
    assert requests_of(delete, *operations) == [0, 0, 1]
    left = cdf.data_modeling.instances.list("node", sources=view, limit=-1)
    assert [node.external_id for node in left] == ["p0"]
    done = connection.execute(
        "INSERT INTO things (space, external_id, name) VALUES ('plant', 'p0', 'x'), ('plant', 'q', 'y')"
        " ON CONFLICT (space, external_id) DO NOTHING RETURNING external_id"
    )
    assert (done.fetchall(), done.statusmessage) == ([("q",)], "INSERT 0 1")


def test_on_conflict_some_cells_change_and_the_others_stay(connection, cdf, requests_of):
    cdf.raw.rows.insert(
        "plant", "pumps", {"1": {"id": 1, "name": "old", "limits": [1], "other": "kept"}}, ensure_parent=True
    )

    def upsert():
        done = connection.execute(
            "INSERT INTO pumps (id, name, limits) VALUES (1, 'new', '{2}'), (2, 'made', '{3}')"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name"
        )
        assert done.statusmessage == "INSERT 0 2"

    assert requests_of(upsert, "raw.rows.get", "raw.rows.insert") == [2, 1]
    assert raw(cdf, "1") == {"id": 1, "name": "new", "limits": [1], "other": "kept"}
    assert raw(cdf, "2") == {"id": 2, "name": "made", "limits": [3]}
    # The columns that tools name are all but those that others own; a null takes the cell away.
    statement = (
        "INSERT INTO pumps (id, name) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE"
        " SET id = excluded.id, name = excluded.name"
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, [(1, None), (3, "a"), (3, "b"), (2, "c")])
        assert cursor.rowcount == 4
    assert raw(cdf, "1") == {"id": 1, "limits": [1], "other": "kept"}
    assert raw(cdf, "2") == {"id": 2, "name": "c", "limits": [3]}
    assert raw(cdf, "3") == {"id": 3, "name": "b"}
    with pytest.raises(psycopg.errors.CardinalityViolation):
        connection.execute(
            "INSERT INTO pumps (id, name) VALUES (5, 'a'), (5, 'b')"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name"
        )
    assert raw(cdf, "5") is None
    connection.execute("DELETE FROM pumps")


@pytest.mark.parametrize(
    ("update", "name"),
    [
        ("name = 'constant'", "constant"),
        ("name = excluded.id", "1"),
        ("name = pumps.name || upper(excluded.name)", "oldA"),
    ],
)
def test_on_conflict_takes_other_values_for_cells_from_a_plan(connection, cdf, update, name):
    cdf.raw.rows.insert(
        "plant", "pumps", {"1": {"id": 1, "name": "old", "other": "kept"}}, ensure_parent=True
    )
    done = connection.execute(
        f"INSERT INTO pumps (id, name) VALUES (1, 'a'), (4, 'b') ON CONFLICT (id) DO UPDATE SET {update}"
    )
    assert done.statusmessage == "INSERT 0 2"
    assert raw(cdf, "1") == {"id": 1, "name": name, "other": "kept"}
    assert raw(cdf, "4") == {"id": 4, "name": "b"}
    connection.execute("DELETE FROM pumps")


def test_deletes_of_raw_rows_are_counted_exactly_where_the_session_wants_it(connection, cdf):
    cdf.raw.rows.insert("plant", "pumps", {"1": {"id": 1}, "2": {"id": 2}}, ensure_parent=True)
    connection.execute("SET penstock.exact_row_counts = on")
    done = connection.execute("DELETE FROM pumps WHERE id IN (1, 9)")
    assert done.statusmessage == "DELETE 1"
    assert connection.execute("DELETE FROM pumps WHERE id = 1").statusmessage == "DELETE 0"
    assert raw(cdf, "2") == {"id": 2}
    connection.execute("SET penstock.exact_row_counts = off")
    assert connection.execute("DELETE FROM pumps WHERE id IN (2, 9)").statusmessage == "DELETE 2"


@pytest.mark.parametrize(
    "table, values, sqlstate, column",
    [
        ("pumps", {"id": None}, "23502", "id"),
        ("pumps", {"id": "one"}, "22P02", "id"),
        ("pumps", {"id": "9223372036854775808"}, "22003", "id"),
        ("pumps", {"limits": "{1,x}"}, "22P02", "limits"),
        ("pumps", {"limits": "{1,NULL}"}, "22004", "limits"),
        ("pumps", {"limits": "{1e39}"}, "22003", "limits"),
        ("things", {"space": None}, "23502", "space"),
        ("things", {"space": ""}, "22023", "space"),
        ("things", {"space": "s" * 44}, "22001", "space"),
        ("things", {"external_id": None}, "23502", "external_id"),
        ("things", {"external_id": ""}, "22023", "external_id"),
        ("things", {"external_id": "é" * 256}, "22001", "external_id"),
        ("things", {"power": "strong"}, "22P02", "power"),
        ("things", {"power": "NaN"}, "22003", "power"),
        ("things", {"colour": "red"}, "42703", "colour"),
    ],
)
def test_a_value_that_a_custom_table_does_not_take_is_refused_with_its_column(
    connection, requests_of, table, values, sqlstate, column
):
    good = {"pumps": {"id": "1", "name": "n"}, "things": {"space": "plant", "external_id": "x"}}[table]

    def refused():
        row = good | values
        statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})"
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(statement, list(row.values()))
        assert (caught.value.sqlstate, caught.value.diag.column_name) == (sqlstate, column)

    assert requests_of(refused, "raw.rows.insert", "models.instances.apply") == [0, 0]


def test_an_instance_that_only_cdf_can_judge_fails_alone(connection, cdf):
    # No space of that name: the row that names it is told, and the others are there.
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(
            "INSERT INTO things (space, external_id, power) VALUES"
            " ('plant', 'g1', 1), ('nowhere', 'g2', 2), ('plant', 'g3', 3)"
        )
    assert caught.value.diag.context == "INSERT INTO things, row 2"
    assert "2 of 3 rows are in CDF, 1 was refused" in caught.value.diag.message_detail
    found = cdf.data_modeling.instances.retrieve([("plant", "g1"), ("plant", "g3")]).nodes
    assert sorted(node.external_id for node in found) == ["g1", "g3"]


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("pumps", [("id", "bigint"), ("name", "text"), ("limits", "real[]")]),
        (
            "things",
            [
                ("space", "character varying(43)"),
                ("external_id", "character varying(255)"),
                ("name", "text"),
                ("power", "double precision"),
            ],
        ),
    ],
)
def test_the_catalog_has_one_oid_and_one_number_a_column_of_a_custom_table(connection, table, columns):
    listed = connection.execute(
        "SELECT c.oid, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.oid = %s::regclass AND pg_catalog.pg_table_is_visible(c.oid) AND a.attnum > 0"
        " ORDER BY a.attnum",
        (f'"public" . "{table}"',),
    ).fetchall()
    assert sorted((name, shown) for _, _, name, shown in listed) == sorted(columns)
    probed = connection.execute(f"SELECT * FROM {table} WHERE 1=0")
    described = [
        (probed.pgresult.ftable(place), probed.pgresult.ftablecol(place), column.name)
        for place, column in enumerate(probed.description)
    ]
    assert [(oid, number, name) for oid, number, name, _ in listed] == described
    shown = connection.execute("SELECT to_regclass(%s)::text", (table,)).fetchone()
    assert shown == (table,)
