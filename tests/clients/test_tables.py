"""Every table is written by INSERT and by COPY, and Cognite's SDK says what is in CDF."""

import datetime
import io
import json

import psycopg
import pytest
from psycopg.types.json import Json

pytestmark = pytest.mark.gateway_only

UTC = datetime.UTC
BEGAN = datetime.datetime(2026, 1, 1, 12, tzinfo=UTC)
ENDED = datetime.datetime(2026, 1, 1, 13, tzinfo=UTC)
COLUMNS = [
    {"externalId": "c1", "valueType": "DOUBLE"},
    {"externalId": "c2", "valueType": "STRING"},
]


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        yield connection


def insert(connection, table: str, **values):
    marks = ", ".join(["%s"] * len(values))
    names = ", ".join(f'"{name}"' for name in values)
    return connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))


@pytest.fixture
def data_set(connection, store, series):
    insert(connection, "cdf.data_sets", external_id=series, name="set", metadata=Json({"a": "b"}))
    return store.client.data_sets.retrieve(external_id=series).id


def test_assets_hold_what_was_inserted(connection, store, series, data_set):
    insert(connection, "labels", external_id=f"{series}-l", name="Pump", data_set_id=[data_set])
    insert(
        connection,
        "assets",
        external_id=series,
        name="Pump 1",
        description="é",
        data_set_id=data_set,
        metadata=Json({"k": "v"}),
        source="test",
        labels=[f"{series}-l"],
        geo_location=Json({"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}}),
    )
    insert(connection, "assets", external_id=f"{series}-c", name="c", parent_external_id=series)
    asset = store.client.assets.retrieve(external_id=series)
    assert (asset.name, asset.description, asset.source) == ("Pump 1", "é", "test")
    assert asset.metadata == {"k": "v"}
    assert [label.external_id for label in asset.labels] == [f"{series}-l"]
    assert asset.geo_location.geometry.coordinates == [1, 2]
    assert store.client.assets.retrieve(external_id=f"{series}-c").parent_id == asset.id
    assert store.client.labels.retrieve(external_id=f"{series}-l").data_set_id == data_set


def test_events_hold_what_was_inserted(connection, store, series):
    insert(connection, "assets", external_id=series, name="a")
    asset = store.client.assets.retrieve(external_id=series).id
    insert(
        connection,
        "events",
        external_id=series,
        start_time=BEGAN,
        end_time=ENDED,
        type="stop",
        subtype="planned",
        asset_ids=[asset],
    )
    event = store.client.events.retrieve(external_id=series)
    assert event.start_time == int(BEGAN.timestamp() * 1000)
    assert (event.type, event.subtype, event.asset_ids) == ("stop", "planned", [asset])


def test_files_are_made_one_by_one(connection, store, emulator, series):
    before = emulator.operation("files.create").get("requests", 0)
    with connection.cursor().copy("COPY files (external_id, name, directory) FROM STDIN") as copy:
        for number in range(5):
            copy.write_row((f"{series}-{number}", f"{number}.txt", "/plant"))
    assert emulator.operation("files.create")["requests"] == before + 5
    file = store.client.files.retrieve(external_id=f"{series}-4")
    assert (file.name, file.directory, file.uploaded) == ("4.txt", "/plant", False)


def test_relationships_link_and_change(connection, store, series):
    insert(
        connection,
        "relationships",
        external_id=series,
        source_external_id="a",
        source_type="asset",
        target_external_id="b",
        target_type="timeSeries",
        confidence=0.25,
    )
    done = connection.execute("UPDATE relationships SET confidence = 0.5 WHERE external_id = %s", (series,))
    assert done.statusmessage == "UPDATE 1"
    assert store.client.relationships.retrieve(external_id=series).confidence == 0.5
    done = connection.execute("DELETE FROM relationships WHERE external_id = %s", (series,))
    assert done.statusmessage == "DELETE 1"
    assert store.client.relationships.retrieve(external_id=series) is None


def test_sequences_and_their_rows(connection, store, series):
    insert(connection, "sequences", external_id=series, name="q", columns=Json(COLUMNS))
    rows = [
        ('[1.5, "a"]', series, 1, "{c1,c2}"),
        ('{"c1": 2}', series, 2, None),
        ('{"c2": "b"}', series, 2, None),
    ]
    with connection.cursor().copy(
        'COPY sequence_rows ("values", external_id, row_number, columns) FROM STDIN'
    ) as copy:
        for row in rows:
            copy.write_row(row)
    data = store.client.sequences.data.retrieve(external_id=series, start=0, end=None)
    assert [list(values) for _, values in data.items()] == [[1.5, "a"], [2, "b"]]


def test_extraction_pipelines_and_their_runs(connection, store, series, data_set):
    insert(
        connection,
        "extraction_pipelines",
        external_id=series,
        name="p",
        data_set_id=data_set,
        raw_tables=Json([{"dbName": "d", "tableName": "t"}]),
        contacts=Json([{"name": "n", "email": "n@example.com", "role": "owner", "sendNotification": False}]),
    )
    # Azure Data Factory's guides write the column so.
    connection.execute(
        'INSERT INTO extraction_pipeline_runs ("externalId", status, message) VALUES (%s, %s, %s)',
        (series, "success", "done"),
    )
    pipeline = store.client.extraction_pipelines.retrieve(external_id=series)
    assert pipeline.name == "p"
    assert pipeline.last_success > 0
    runs = store.client.extraction_pipelines.runs.list(external_id=series)
    assert [(run.status, run.message) for run in runs] == [("success", "done")]


def test_a_thousand_assets_by_copy_in_all_formats(connection, store, series):
    text = io.StringIO()
    for number in range(1000):
        text.write(
            f'{series}-csv-{number},"Pump, {number}",{{"n": "{number}"}}\n'.replace('{"', '"{""')
            .replace('": "', '"": ""')
            .replace('"}', '""}"')
        )
    with connection.cursor().copy(
        "COPY assets (external_id, name, metadata) FROM STDIN WITH (FORMAT csv)"
    ) as copy:
        copy.write(text.getvalue())
    with connection.cursor().copy(
        "COPY assets (external_id, name, metadata) FROM STDIN WITH (FORMAT binary)"
    ) as copy:
        copy.set_types(["varchar", "varchar", "json"])
        for number in range(1000):
            copy.write_row((f"{series}-bin-{number}", f"Pump, {number}", Json({"n": str(number)})))
    for kind in ("csv", "bin"):
        asset = store.client.assets.retrieve(external_id=f"{series}-{kind}-999")
        assert (asset.name, asset.metadata) == ("Pump, 999", {"n": "999"})


def test_children_may_come_before_their_parents(connection, store, series):
    with connection.cursor().copy("COPY assets (external_id, name, parent_external_id) FROM STDIN") as copy:
        for number in reversed(range(2500)):
            parent = f"{series}-{number - 1}" if number else None
            copy.write_row((f"{series}-{number}", "link", parent))
    last = store.client.assets.retrieve(external_id=f"{series}-2499")
    assert last.root_id == store.client.assets.retrieve(external_id=f"{series}-0").id


@pytest.mark.parametrize(
    "table, values, sqlstate, column",
    [
        ("assets", {"external_id": "x"}, "23502", "name"),
        ("assets", {"name": ""}, "22023", "name"),
        ("assets", {"name": "n" * 141}, "22001", "name"),
        ("assets", {"name": "n", "id": 7}, "428C9", "id"),
        ("assets", {"name": "n", "labels": [f"l{n}" for n in range(11)]}, "54000", "labels"),
        ("assets", {"name": "n", "parent_id": 1, "parent_external_id": "p"}, "23514", "parent_external_id"),
        ("assets", {"name": "n", "geo_location": Json([1])}, "22023", "geo_location"),
        ("assets", {"name": "n", "metadata": Json({"k": 1})}, "22023", "metadata"),
        ("assets", {"name": "n", "metadata": Json({"k": "v" * 10_241})}, "54000", "metadata"),
        ("assets", {"name": "n", "parent_external_id": "nobody"}, "23503", "parent_external_id"),
        ("assets", {"name": "n", "data_set_id": 4711}, "23503", "data_set_id"),
        ("events", {"start_time": ENDED, "end_time": BEGAN}, "23514", "end_time"),
        ("events", {"asset_ids": [4711]}, "23503", "asset_ids"),
        ("events", {"type": "t" * 65}, "22001", "type"),
        ("files", {"external_id": "x"}, "23502", "name"),
        (
            "relationships",
            {
                "external_id": "x",
                "source_external_id": "a",
                "source_type": "pump",
                "target_external_id": "b",
                "target_type": "asset",
            },
            "23514",
            "source_type",
        ),
        ("sequences", {"external_id": "x"}, "23502", "columns"),
        (
            "sequence_rows",
            {"values": Json([1, 2]), "external_id": "x", "row_number": 1, "columns": ["c"]},
            "22023",
            "values",
        ),
        ("sequence_rows", {"values": Json([1]), "row_number": 1, "columns": ["c"]}, "23502", "external_id"),
        (
            "sequence_rows",
            {"values": Json({"c": 1}), "external_id": "x", "row_number": -1},
            "22003",
            "row_number",
        ),
        ("extraction_pipeline_runs", {"external_id": "x", "status": "fine"}, "23514", "status"),
        ("labels", {"external_id": "x", "name": "n", "data_set_id": [1, 2]}, "54000", "data_set_id"),
        ("cdf.data_sets", {"name": "n" * 51}, "22001", "name"),
    ],
)
def test_a_value_that_cdf_does_not_take_is_refused_with_its_column(
    connection, table, values, sqlstate, column
):
    with pytest.raises(psycopg.Error) as caught:
        insert(connection, table, **values)
    assert caught.value.sqlstate == sqlstate
    assert caught.value.diag.column_name == column


@pytest.mark.parametrize("table", ["data_models", "views", "containers", "units", "unit_systems"])
def test_tables_to_be_read_are_not_written(connection, table):
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(f"INSERT INTO {table} DEFAULT VALUES")
    assert caught.value.sqlstate in ("42501", "55000", "25006")


@pytest.mark.parametrize(
    "old, hint",
    [("timeseries", "time_series"), ("datapoints", "double_datapoints"), ("raw", "raw_rows")],
)
def test_names_of_the_first_gateway_get_a_hint(connection, old, hint):
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(f"INSERT INTO {old} DEFAULT VALUES")
    assert caught.value.sqlstate == "42P01"
    assert hint in caught.value.diag.message_hint


def test_good_rows_are_written_and_the_bad_one_is_named(connection, store, series):
    with pytest.raises(psycopg.Error) as caught:
        with connection.cursor().copy("COPY events (external_id, data_set_id) FROM STDIN") as copy:
            for number in range(10):
                copy.write_row((f"{series}-{number}", 4711 if number == 6 else None))
    assert caught.value.sqlstate == "23503"
    assert "row 7" in caught.value.diag.context
    assert "9" in caught.value.diag.message_detail
    found = store.client.events.retrieve_multiple(
        external_ids=[f"{series}-{number}" for number in range(10)], ignore_unknown_ids=True
    )
    assert len(found) == 9


def test_json_travels_as_it_is(connection, store, series):
    metadata = {"quote": '"', "unicode": "é€😀", "empty": ""}
    insert(connection, "events", external_id=series, metadata=Json(metadata, dumps=json.dumps))
    assert store.client.events.retrieve(external_id=series).metadata == metadata
