"""Changes that take a plan, of custom tables: rows of RAW and of a view. Read back by Cognite's SDK."""

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
    "columns": {
        "id": {"type": "BIGINT"},
        "name": {"type": "TEXT"},
        "power": {"type": "DOUBLE PRECISION"},
        "limits": {"type": "REAL[]"},
        "since": {"type": "TIMESTAMPTZ"},
    },
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
    sections = {"state": {"path": str(directory / "state.sqlite")}, "statements": {"delete_rows_max": 50}}
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


def raw(cdf) -> dict:
    return {row.key: row.columns for row in cdf.raw.rows.list("plant", "pumps", limit=None)}


def things(cdf) -> dict:
    view = dm.ViewId("plant", "Pump", "v1")
    found = cdf.data_modeling.instances.list("node", sources=view, limit=None)
    return {node.external_id: dict(node.properties[view]) for node in found}


def test_rows_of_a_custom_raw_table_are_changed_and_their_other_cells_stay(connection, cdf):
    cdf.raw.rows.insert("plant", "pumps", {"1": {"id": 1, "name": "a", "other": [1]}}, ensure_parent=True)
    done = connection.execute(
        "INSERT INTO pumps (id, name, power, limits, since) SELECT n, 'pump ' || n, n / 4.0, ARRAY[n, 0.1],"
        " '2026-11-01 10:00Z'::timestamptz + n * interval '1 hour' FROM generate_series(2, 5) AS n"
    )
    assert done.statusmessage == "INSERT 0 4"
    done = connection.execute(
        "UPDATE pumps SET name = upper(name), power = coalesce(power, 0) + 1 WHERE id % 2 = 1 RETURNING id, power"
    )
    assert sorted(done.fetchall()) == [(1, 1.0), (3, 1.75), (5, 2.25)]
    done = connection.execute("DELETE FROM pumps WHERE name LIKE 'pump%' AND id > 2")
    assert done.statusmessage == "DELETE 1"
    found = raw(cdf)
    assert sorted(found) == ["1", "2", "3", "5"]
    assert found["1"] == {"id": 1, "name": "A", "power": 1, "other": [1]}
    assert (found["3"]["name"], found["3"]["power"], found["3"]["limits"]) == ("PUMP 3", 1.75, [3, 0.1])
    row = connection.execute("SELECT since FROM pumps WHERE id = 5").fetchone()
    assert row[0].isoformat().startswith("2026-11-01T15:00:00")


def test_merge_keeps_a_custom_table_in_step_with_a_query(connection, cdf):
    connection.execute("DELETE FROM pumps WHERE id > 0")
    connection.execute("INSERT INTO pumps (id, name) VALUES (10, 'stays'), (11, 'goes'), (12, 'changes')")
    done = connection.execute(
        "MERGE INTO pumps p USING (VALUES (10, 'stays'), (12, 'changed'), (13, 'new')) AS s (id, name)"
        " ON p.id = s.id WHEN MATCHED AND p.name IS DISTINCT FROM s.name THEN UPDATE SET name = s.name"
        " WHEN NOT MATCHED BY SOURCE THEN DELETE"
        " WHEN NOT MATCHED BY TARGET THEN INSERT (id, name) VALUES (s.id, s.name)"
    )
    assert done.statusmessage == "MERGE 3"
    found = raw(cdf)
    assert {key: columns["name"] for key, columns in found.items()} == {
        "10": "stays",
        "12": "changed",
        "13": "new",
    }


def test_instances_are_changed_by_any_condition(connection, cdf):
    done = connection.execute(
        "INSERT INTO things (space, external_id, name, power) SELECT 'plant', 't' || n, 'thing', n"
        " FROM generate_series(1, 4) AS n"
    )
    assert done.statusmessage == "INSERT 0 4"
    done = connection.execute(
        "UPDATE things SET name = CASE WHEN power > 3 THEN NULL ELSE name || power END WHERE power > 1"
    )
    assert done.statusmessage == "UPDATE 3"
    done = connection.execute("DELETE FROM things USING generate_series(1, 1) AS n WHERE power = n")
    assert done.statusmessage == "DELETE 1"
    assert things(cdf) == {
        "t2": {"name": "thing2", "power": 2.0},
        "t3": {"name": "thing3", "power": 3.0},
        "t4": {"power": 4.0},
    }
    # As CDF does with instances: what is not named stays.
    done = connection.execute(
        "INSERT INTO things (space, external_id, power) SELECT space, external_id, power * 10 FROM things"
        " WHERE external_id = 't3'"
    )
    assert done.statusmessage == "INSERT 0 1"
    assert things(cdf)["t3"] == {"name": "thing3", "power": 30.0}


def test_more_deletes_than_the_configuration_allows_send_nothing(connection, cdf):
    connection.execute("INSERT INTO pumps (id, name) SELECT n, 'many' FROM generate_series(100, 150) AS n")
    with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="51 rows is more than 50"):
        connection.execute("DELETE FROM pumps WHERE name = 'many'")
    assert len([key for key, row in raw(cdf).items() if row["name"] == "many"]) == 51
    done = connection.execute("DELETE FROM pumps WHERE name = 'many' AND id > 100")
    assert done.statusmessage == "DELETE 50"
