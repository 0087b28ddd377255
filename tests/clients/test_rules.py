"""CDF's rules for every column of every table.

What the gateway can know is refused before anything is sent, with the row, the column and the
SQLSTATE. What lies just within a rule arrives, and Cognite's SDK reads it back.
"""

import datetime

import psycopg
import pytest
from psycopg.types.json import Json
from support.samples import moment

pytestmark = pytest.mark.gateway_only

UTC = datetime.UTC
BEFORE_1970 = datetime.datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)
ID_MAX = 2**53 - 1
POINT = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [4.3, 60.2]}}


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        yield connection


def insert(connection, table: str, *rows: dict):
    """One INSERT of all rows, which have the same columns."""
    names = list(rows[0])
    marks = ", ".join(["(" + ", ".join(["%s"] * len(names)) + ")"] * len(rows))
    columns = ", ".join(f'"{name}"' for name in names)
    values = [row[name] for row in rows for name in names]
    return connection.execute(f"INSERT INTO {table} ({columns}) VALUES {marks}", values)


# A row of each table that the gateway sends.
GOOD = {
    "assets": {"external_id": "a", "name": "n"},
    "events": {"external_id": "a"},
    "time_series": {"external_id": "a"},
    "double_datapoints": {"external_id": "a", "timestamp": moment(0), "value": 1.0},
    "string_datapoints": {"external_id": "a", "timestamp": moment(0), "value": "v"},
    "cdf.double_datapoints": {"external_id": "a", "timestamp": moment(0), "value": 1.0},
    "cdf.string_datapoints": {"external_id": "a", "timestamp": moment(0), "value": "v"},
    "raw_rows": {"_raw_database": "d", "_raw_table": "t", "_raw_key": "k", "_raw_columns": Json({})},
    "raw_tables": {"_raw_database": "d", "_raw_table": "t"},
    "files": {"external_id": "a", "name": "n"},
    "sequences": {"external_id": "a", "columns": Json([{"externalId": "c"}])},
    "sequence_rows": {"values": Json([1]), "external_id": "a", "row_number": 1, "columns": ["c"]},
    "labels": {"external_id": "a", "name": "n"},
    "relationships": {
        "external_id": "a",
        "source_external_id": "s",
        "source_type": "asset",
        "target_external_id": "t",
        "target_type": "event",
    },
    "extraction_pipelines": {"external_id": "a", "name": "n", "data_set_id": 1},
    "extraction_pipeline_runs": {"external_id": "a", "status": "success"},
    "cdf.data_sets": {"external_id": "a", "name": "n"},
}


def wide(count: int) -> str:
    """So many characters, and twice as many bytes."""
    return "é" * count


def texts(table: str, **characters: int):
    """Columns that take so many characters: one more is refused."""
    for column, most in characters.items():
        yield table, {column: wide(most + 1)}, "22001", column


def metadata(table: str, value_bytes: int, bytes_in_all: int):
    """Bytes are counted, not characters."""
    pairs = {str(number): "" for number in range(257)}
    too_much = {"a": "v" * (bytes_in_all // 2), "b": "v" * (bytes_in_all - bytes_in_all // 2)}
    for values, code in [
        (pairs, "54000"),
        ({wide(64) + "k": ""}, "54000"),
        ({"k": wide(value_bytes // 2) + "v"}, "54000"),
        (too_much, "54000"),
        ({"k": 1}, "22023"),
        ({"k": None}, "22023"),
        (["k"], "22023"),
    ]:
        yield table, {"metadata": Json(values)}, code, "metadata"


def ids(table: str, *columns: str):
    """References by CDF's ids."""
    for column in columns:
        for number in (0, -1, ID_MAX + 1):
            yield table, {column: number}, "22003", column


def id_lists(table: str, **most: int):
    for column, count in most.items():
        yield table, {column: list(range(1, count + 2))}, "54000", column
        yield table, {column: [0]}, "22003", column
        yield table, {column: [1, None]}, "22004", column


def made_by_cdf(table: str, *columns: str):
    for column in columns:
        value = 1 if column.endswith("id") else moment(0)
        yield table, {column: value}, "428C9", column


def required(table: str, *columns: str):
    for column in columns:
        yield table, {column: None}, "23502", column


def labels(table: str):
    yield table, {"labels": [f"l{number}" for number in range(11)]}, "54000", "labels"
    yield table, {"labels": ["l", "m", "l"]}, "23514", "labels"


def geo_locations(table: str):
    for value in (
        [1],
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "Feature"},
        {"type": "Feature", "geometry": {"type": "Circle", "coordinates": [1, 2]}},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2, 3]}},
        {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [1, 2]}},
    ):
        yield table, {"geo_location": Json(value)}, "22023", "geo_location"


def times(table: str, *columns: str):
    for column in columns:
        yield table, {column: BEFORE_1970}, "22008", column
        yield table, {column: "infinity"}, "22008", column


def sequence_columns():
    def columns(*described):
        return {"columns": Json(list(described))}

    many = [{"externalId": str(number)} for number in range(401)]
    strings = [{"externalId": str(number), "valueType": "STRING"} for number in range(201)]
    for values, code in [
        (columns(), "22023"),
        ({"columns": Json({"externalId": "c"})}, "22023"),
        (columns(*many), "54000"),
        (columns(*strings), "54000"),
        (columns("c"), "22023"),
        (columns({"name": "c"}), "22023"),
        (columns({"externalId": ""}), "22023"),
        (columns({"externalId": wide(256)}), "22001"),
        (columns({"externalId": "c", "name": wide(256)}), "22001"),
        (columns({"externalId": "c", "description": wide(1001)}), "22001"),
        (columns({"externalId": "c", "valueType": "FLOAT"}), "23514"),
        (columns({"externalId": "c"}, {"externalId": "c"}), "23514"),
        (columns({"externalId": "c", "metadata": {"k": 1}}), "22023"),
    ]:
        yield "sequences", values, code, "columns"


def sequence_cells():
    def row(values, columns):
        return {"values": Json(values), "columns": columns}

    for values, code, column in [
        (row([1, 2], ["c"]), "22023", "values"),
        (row([], []), "22023", "values"),
        (row("text", ["c"]), "22023", "values"),
        (row([1], None), "22023", "columns"),
        (row({"c": 1}, ["c"]), "22023", "columns"),
        (row({}, None), "22023", "values"),
        (row([1, 2], ["c", "c"]), "23514", "columns"),
        (row([wide(257)], ["c"]), "22001", "values"),
        (row([1e101], ["c"]), "22003", "values"),
        (row([True], ["c"]), "22023", "values"),
        (row([{"a": 1}], ["c"]), "22023", "values"),
        (row({"c": [1]}, None), "22023", "values"),
        (row([1] * 201, [f"c{number}" for number in range(201)]), "54000", "columns"),
        (row({f"c{number}": 1 for number in range(201)}, None), "22023", "values"),
        ({"row_number": -1}, "22003", "row_number"),
        ({"id": 7}, "23514", "id"),
        ({"external_id": None}, "23502", "external_id"),
    ]:
        yield "sequence_rows", values, code, column


REFUSED = [
    *texts("assets", external_id=255, name=140, description=500, source=128, parent_external_id=255),
    *required("assets", "name"),
    ("assets", {"name": ""}, "22023", "name"),
    *metadata("assets", 10_240, 10_240),
    *ids("assets", "parent_id", "data_set_id"),
    *labels("assets"),
    *geo_locations("assets"),
    *made_by_cdf("assets", "id", "root_id", "created_time", "last_updated_time"),
    ("assets", {"parent_id": 1, "parent_external_id": "p"}, "23514", "parent_external_id"),
    *texts("events", external_id=255, type=64, subtype=64, description=500, source=128),
    *metadata("events", 128_000, 200_000),
    *ids("events", "data_set_id"),
    *id_lists("events", asset_ids=10_000),
    ("events", {"asset_ids": [1, 2, 1]}, "23514", "asset_ids"),
    *times("events", "start_time", "end_time"),
    ("events", {"start_time": moment(1), "end_time": moment(0)}, "23514", "end_time"),
    *made_by_cdf("events", "id", "created_time", "last_updated_time"),
    *texts("time_series", external_id=255, name=255, description=1000, unit=32, unit_external_id=64),
    *metadata("time_series", 10_000, 10_000),
    *ids("time_series", "asset_id", "data_set_id"),
    ("time_series", {"security_categories": [0]}, "22003", "security_categories"),
    ("time_series", {"is_string": "perhaps"}, "22P02", "is_string"),
    ("time_series", {"is_string": True, "unit_external_id": "bar"}, "23514", "unit_external_id"),
    *made_by_cdf("time_series", "id", "created_time", "last_updated_time"),
    *texts("double_datapoints", external_id=255),
    *required("double_datapoints", "value", "timestamp"),
    *ids("double_datapoints", "id"),
    ("double_datapoints", {"external_id": ""}, "22023", "external_id"),
    ("double_datapoints", {"external_id": None}, "23502", "external_id"),
    ("double_datapoints", {"value": 1e100}, "22003", "value"),
    ("double_datapoints", {"timestamp": "2100-01-01 00:00:00Z"}, "22008", "timestamp"),
    *texts("string_datapoints", external_id=255, value=255),
    *required("string_datapoints", "value", "timestamp"),
    *ids("string_datapoints", "id"),
    ("string_datapoints", {"timestamp": "1899-12-31 23:59:59Z"}, "22008", "timestamp"),
    *texts("cdf.double_datapoints", external_id=255),
    *texts("cdf.string_datapoints", external_id=255),
    ("cdf.string_datapoints", {"instance_space": "s" * 44}, "22001", "instance_space"),
    ("cdf.string_datapoints", {"value": wide(511) + "vv"}, "22001", "value"),
    ("cdf.double_datapoints", {"status_code": 1}, "22023", "status_code"),
    ("cdf.double_datapoints", {"status_symbol": "Splendid"}, "22023", "status_symbol"),
    ("cdf.double_datapoints", {"status_code": 0, "status_symbol": "Bad"}, "22023", "status_symbol"),
    ("cdf.double_datapoints", {"value": None}, "23502", "value"),
    ("cdf.double_datapoints", {"value": float("nan"), "status_code": 0}, "22003", "value"),
    *texts("raw_rows", _raw_database=32, _raw_table=64, _raw_key=1024),
    *required("raw_rows", "_raw_database", "_raw_table", "_raw_key", "_raw_columns"),
    ("raw_rows", {"_raw_database": ""}, "22023", "_raw_database"),
    ("raw_rows", {"_raw_table": ""}, "22023", "_raw_table"),
    ("raw_rows", {"_raw_key": ""}, "22023", "_raw_key"),
    ("raw_rows", {"_raw_columns": Json([1])}, "22023", "_raw_columns"),
    ("raw_rows", {"_raw_columns": Json({"c": "v" * (5 << 20)})}, "54000", "_raw_columns"),
    *made_by_cdf("raw_rows", "_raw_last_updated_time"),
    *texts("raw_tables", _raw_database=32, _raw_table=64),
    *required("raw_tables", "_raw_database", "_raw_table"),
    ("raw_tables", {"_raw_database": ""}, "22023", "_raw_database"),
    ("raw_tables", {"_raw_table": ""}, "22023", "_raw_table"),
    *texts("files", external_id=255, name=256, source=128, mime_type=256),
    ("files", {"directory": "/" + wide(512)}, "22001", "directory"),
    ("files", {"directory": "plant/a"}, "22023", "directory"),
    *required("files", "name"),
    ("files", {"name": ""}, "22023", "name"),
    *metadata("files", 10_240, 10_240),
    *ids("files", "data_set_id"),
    *id_lists("files", asset_ids=1000, security_categories=100),
    ("files", {"asset_ids": [3, 3]}, "23514", "asset_ids"),
    *times("files", "source_created_time", "source_modified_time"),
    *labels("files"),
    *geo_locations("files"),
    *made_by_cdf("files", "id", "uploaded_time", "created_time", "last_updated_time"),
    ("files", {"uploaded": True}, "428C9", "uploaded"),
    *texts("sequences", external_id=255, name=255, description=1000),
    *required("sequences", "columns"),
    *metadata("sequences", 10_000, 10_000),
    *ids("sequences", "asset_id", "data_set_id"),
    *sequence_columns(),
    *made_by_cdf("sequences", "id", "created_time", "last_updated_time"),
    *texts("sequence_rows", external_id=255),
    *required("sequence_rows", "values", "row_number"),
    *sequence_cells(),
    *texts("labels", external_id=255, name=140, description=500),
    *required("labels", "external_id", "name"),
    ("labels", {"external_id": ""}, "22023", "external_id"),
    ("labels", {"name": ""}, "22023", "name"),
    ("labels", {"data_set_id": [1, 2]}, "54000", "data_set_id"),
    ("labels", {"data_set_id": [0]}, "22003", "data_set_id"),
    *made_by_cdf("labels", "created_time"),
    *texts("relationships", external_id=255, source_external_id=255, target_external_id=255),
    *required(
        "relationships",
        "external_id",
        "source_external_id",
        "source_type",
        "target_external_id",
        "target_type",
    ),
    ("relationships", {"source_external_id": ""}, "22023", "source_external_id"),
    ("relationships", {"source_type": "pump"}, "23514", "source_type"),
    ("relationships", {"target_type": "Asset"}, "23514", "target_type"),
    ("relationships", {"confidence": 1.01}, "22003", "confidence"),
    ("relationships", {"confidence": -0.01}, "22003", "confidence"),
    ("relationships", {"confidence": float("nan")}, "22003", "confidence"),
    ("relationships", {"start_time": moment(1), "end_time": moment(0)}, "23514", "end_time"),
    ("relationships", {"start_time": moment(1), "end_time": moment(1)}, "23514", "end_time"),
    *times("relationships", "start_time", "end_time"),
    *ids("relationships", "data_set_id"),
    *labels("relationships"),
    *made_by_cdf("relationships", "created_time", "last_updated_time"),
    *texts("extraction_pipelines", external_id=255, name=140, description=500, source=255),
    *texts("extraction_pipelines", documentation=10_000, created_by=255),
    *required("extraction_pipelines", "external_id", "name", "data_set_id"),
    ("extraction_pipelines", {"external_id": ""}, "22023", "external_id"),
    *metadata("extraction_pipelines", 10_240, 10_240),
    *ids("extraction_pipelines", "data_set_id"),
    ("extraction_pipelines", {"schedule": "often"}, "23514", "schedule"),
    ("extraction_pipelines", {"raw_tables": Json({})}, "22023", "raw_tables"),
    ("extraction_pipelines", {"raw_tables": Json([{"dbName": "d"}])}, "22023", "raw_tables"),
    ("extraction_pipelines", {"contacts": Json([{"email": "nobody"}])}, "22023", "contacts"),
    ("extraction_pipelines", {"contacts": Json([{"email": "a@" + "b" * 253}])}, "22001", "contacts"),
    ("extraction_pipelines", {"contacts": Json(["a"])}, "22023", "contacts"),
    (
        "extraction_pipelines",
        {"notification_config": Json({"allowedNotSeenRangeInMinutes": "5"})},
        "22023",
        "notification_config",
    ),
    *made_by_cdf("extraction_pipelines", "id", "last_success", "last_failure", "last_seen"),
    *made_by_cdf("extraction_pipelines", "created_time", "last_updated_time"),
    ("extraction_pipelines", {"last_message": "m"}, "428C9", "last_message"),
    *texts("extraction_pipeline_runs", external_id=255, message=1000),
    *required("extraction_pipeline_runs", "external_id", "status"),
    ("extraction_pipeline_runs", {"external_id": ""}, "22023", "external_id"),
    ("extraction_pipeline_runs", {"status": "Success"}, "23514", "status"),
    *times("extraction_pipeline_runs", "created_time"),
    *made_by_cdf("extraction_pipeline_runs", "id"),
    *texts("cdf.data_sets", external_id=255, name=50, description=500),
    ("cdf.data_sets", {"name": ""}, "22023", "name"),
    ("cdf.data_sets", {"description": ""}, "22023", "description"),
    ("cdf.data_sets", {"write_protected": "maybe"}, "22P02", "write_protected"),
    *metadata("cdf.data_sets", 10_240, 10_240),
    *made_by_cdf("cdf.data_sets", "id", "created_time", "last_updated_time"),
]


def named(case) -> str:
    table, values, code, column = case
    shown = str(values[column].obj if isinstance(values.get(column), Json) else values.get(column))
    return f"{table}-{column}-{code}-{shown[:30]}"


@pytest.mark.parametrize("case", REFUSED, ids=map(named, REFUSED))
def test_a_row_that_breaks_a_rule_is_refused_before_any_is_sent(connection, emulator, case):
    table, values, code, column = case
    good = GOOD[table] | {name: GOOD[table].get(name) for name in values}
    if table == "sequence_rows" and "columns" in values and values["columns"] is None:
        good |= {"values": Json([1]), "columns": ["c"]}
    before = emulator.next_sequence()
    with pytest.raises(psycopg.Error) as caught:
        insert(connection, table, good, good | values)
    diagnostic = caught.value.diag
    assert (diagnostic.sqlstate, diagnostic.column_name) == (code, column), diagnostic.message_primary
    assert diagnostic.table_name == table.removeprefix("cdf.")
    assert f"INSERT INTO {table.removeprefix('cdf.')}, row 2" in diagnostic.context
    assert emulator.next_sequence() == before
    assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    "table, column, value, words",
    [
        ("relationships", "source_type", "pump", "asset, timeSeries, file, event, sequence"),
        ("extraction_pipeline_runs", "status", "fine", "success, failure, seen"),
        ("extraction_pipelines", "schedule", "often", "On trigger, Continuous"),
        ("sequences", "columns", Json([{"externalId": "c", "valueType": "INT"}]), "STRING, DOUBLE, LONG"),
    ],
)
def test_a_word_that_cdf_does_not_know_is_answered_with_those_that_it_does(
    connection, table, column, value, words
):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        insert(connection, table, GOOD[table] | {column: value})
    assert words in caught.value.diag.message_hint


def test_copy_names_the_line_and_the_column_of_a_broken_rule(connection, emulator):
    before = emulator.next_sequence()
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        with connection.cursor().copy("COPY events (external_id, start_time, end_time) FROM STDIN") as copy:
            copy.write_row(("a", moment(0), moment(0)))
            copy.write_row(("b", moment(1), moment(0)))
    assert caught.value.diag.column_name == "end_time"
    # The rule is one of the whole line.
    assert caught.value.diag.context.startswith("COPY events, line 2")
    # What was read before a bad line is sent; nothing of that line is.
    requests = emulator.requests("events.create", before)
    assert sum(request["items"] for request in requests) <= 1


@pytest.mark.parametrize(
    "statement, column",
    [
        ("UPDATE events SET start_time = %s, end_time = %s WHERE external_id = 'a'", "end_time"),
        ("UPDATE relationships SET start_time = %s, end_time = %s WHERE external_id = 'a'", "end_time"),
    ],
)
def test_times_that_an_update_sets_out_of_order_are_refused_before_they_are_sent(
    connection, emulator, statement, column
):
    before = emulator.next_sequence()
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        connection.execute(statement, (moment(1), moment(0)))
    assert caught.value.diag.column_name == column
    assert emulator.next_sequence() == before


def test_an_asset_at_every_limit_arrives(connection, store, series):
    name = (series + wide(255))[:255]
    marks = [f"{series}-{number}" for number in range(10)]
    insert(connection, "labels", *({"external_id": mark, "name": wide(140)} for mark in marks))
    pairs = {str(number).zfill(3): "v" for number in range(256)}
    insert(
        connection,
        "assets",
        {
            "external_id": name,
            "name": wide(140),
            "description": wide(500),
            "source": wide(128),
            "metadata": Json(pairs),
            "labels": marks,
            "geo_location": Json(POINT),
        },
    )
    asset = store.client.assets.retrieve(external_id=name)
    assert (asset.name, asset.description, asset.source) == (wide(140), wide(500), wide(128))
    assert asset.metadata == pairs
    assert sorted(label.external_id for label in asset.labels) == sorted(marks)
    # A key of 128 bytes, and 10,240 bytes in all.
    full = {wide(64): "v" * 10_112}
    insert(connection, "assets", {"external_id": series, "name": "n", "metadata": Json(full)})
    assert store.client.assets.retrieve(external_id=series).metadata == full


def test_an_event_at_every_limit_arrives(connection, store, series):
    full = {"a": "v" * 128_000, "b": "v" * 71_998}
    insert(
        connection,
        "events",
        {
            "external_id": series,
            "type": wide(64),
            "subtype": wide(64),
            "description": wide(500),
            "source": wide(128),
            "metadata": Json(full),
            "start_time": moment(0),
            "end_time": moment(0),
        },
    )
    event = store.client.events.retrieve(external_id=series)
    assert (event.type, event.subtype, event.source) == (wide(64), wide(64), wide(128))
    assert event.start_time == event.end_time
    assert event.metadata == full


def test_series_and_their_points_at_every_limit_arrive(connection, store, series):
    name = (series + wide(255))[:255]
    insert(
        connection,
        "time_series",
        {
            "external_id": name,
            "name": wide(255),
            "description": wide(1000),
            "unit": wide(32),
            "metadata": Json({"k": "v" * 9999}),
            "is_step": True,
            "security_categories": [],
        },
    )
    made = store.series(name)
    assert (made["name"], made["description"], made["unit"]) == (wide(255), wide(1000), wide(32))
    assert made["isStep"] is True
    insert(connection, "double_datapoints", {"external_id": name, "timestamp": moment(0), "value": 9.99e99})
    assert [value for _, value in store.points(name)] == [9.99e99]
    values = [wide(255), ""]
    rows = [
        {"external_id": series, "timestamp": moment(second), "value": value}
        for second, value in enumerate(values)
    ]
    insert(connection, "string_datapoints", *rows)
    # Bytes count in schema cdf: 1023 of them, here 511 characters of two and one more.
    longest = {"external_id": series, "timestamp": moment(2), "value": wide(511) + "v"}
    insert(connection, "cdf.string_datapoints", longest)
    assert [value for _, value in store.points(series)] == [*values, wide(511) + "v"]


def test_raw_rows_and_tables_at_every_limit_arrive(connection, store, raw_database):
    database, table = raw_database.ljust(32, "d"), wide(64)
    insert(connection, "raw_tables", {"_raw_database": database, "_raw_table": table})
    assert store.raw_tables(database) == [table]
    row = {"_raw_database": database, "_raw_table": table, "_raw_key": wide(1024)}
    insert(connection, "raw_rows", row | {"_raw_columns": Json({"é": None, "n": {"a": [1]}})})
    assert store.raw(database, table) == {wide(1024): {"é": None, "n": {"a": [1]}}}


def test_a_file_at_every_limit_arrives_and_an_empty_list_of_assets_is_none(connection, store, series):
    directory = "/" + wide(511)
    insert(
        connection,
        "files",
        {
            "external_id": series,
            "name": wide(256),
            "directory": directory,
            "source": wide(128),
            "mime_type": wide(256),
            "asset_ids": [],
            "security_categories": list(range(1, 101)),
            "source_created_time": moment(0),
            "geo_location": Json(
                {
                    "type": "Feature",
                    "geometry": {"type": "LineString", "coordinates": [[1, 2], [3, 4]]},
                }
            ),
        },
    )
    file = store.client.files.retrieve(external_id=series)
    assert (file.name, file.directory, file.mime_type) == (wide(256), directory, wide(256))
    assert file.security_categories == list(range(1, 101))
    assert not file.asset_ids
    assert file.geo_location.geometry.coordinates == [[1, 2], [3, 4]]


def test_a_sequence_at_every_limit_arrives(connection, store, series):
    columns = [{"externalId": wide(250) + f"{n:03}", "valueType": "STRING"} for n in range(200)]
    columns += [{"externalId": f"d{n}", "valueType": "double"} for n in range(200)]
    insert(
        connection,
        "sequences",
        {
            "external_id": series,
            "name": wide(255),
            "description": wide(1000),
            "columns": Json(columns),
            "metadata": Json({"k": "v" * 9999}),
        },
    )
    sequence = store.client.sequences.retrieve(external_id=series)
    assert (sequence.name, len(sequence.columns)) == (wide(255), 400)
    strings = [column["externalId"] for column in columns[:200]]
    row = {"external_id": series, "row_number": 2**53 - 1, "columns": strings}
    insert(connection, "sequence_rows", row | {"values": Json([wide(256)] * 200)})
    numbers = {"external_id": series, "row_number": 0, "columns": ["d0", "d1"]}
    insert(connection, "sequence_rows", numbers | {"values": Json([-1e100, None])})
    first = store.client.sequences.data.retrieve(external_id=series, start=0, end=1, columns=["d0", "d1"])
    assert [list(values) for _, values in first.items()] == [[-1e100, None]]
    last = store.client.sequences.data.retrieve(
        external_id=series, start=2**53 - 1, end=None, columns=strings
    )
    assert [list(values) for _, values in last.items()] == [[wide(256)] * 200]


def test_pipelines_relationships_and_data_sets_at_every_limit_arrive(connection, store, series):
    data_set = {"external_id": series, "name": wide(50), "description": wide(500), "write_protected": False}
    insert(connection, "cdf.data_sets", data_set)
    made = store.client.data_sets.retrieve(external_id=series)
    assert (made.name, made.description, made.write_protected) == (wide(50), wide(500), False)
    insert(
        connection,
        "extraction_pipelines",
        {
            "external_id": series,
            "name": wide(140),
            "data_set_id": made.id,
            "description": wide(500),
            "source": wide(255),
            "documentation": wide(10_000),
            "created_by": wide(255),
            "schedule": "0 8 * * 1-5",
            "contacts": Json([{"name": "n", "email": "a@b.no", "sendNotification": True}]),
            "notification_config": Json({"allowedNotSeenRangeInMinutes": 0}),
        },
    )
    pipeline = store.client.extraction_pipelines.retrieve(external_id=series)
    assert (pipeline.name, pipeline.documentation) == (wide(140), wide(10_000))
    assert pipeline.schedule == "0 8 * * 1-5"
    run = {"external_id": series, "status": "seen", "message": wide(1000), "created_time": moment(0)}
    insert(connection, "extraction_pipeline_runs", run)
    [run] = store.client.extraction_pipelines.runs.list(external_id=series)
    assert (run.status, run.message) == ("seen", wide(1000))
    insert(
        connection,
        "relationships",
        GOOD["relationships"]
        | {"external_id": series, "confidence": 1, "start_time": moment(0), "end_time": moment(1)},
    )
    assert store.client.relationships.retrieve(external_id=series).confidence == 1
