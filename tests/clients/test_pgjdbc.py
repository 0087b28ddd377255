"""pgjdbc 42.5: batches, rewritten batches, CopyManager, time-outs, DatabaseMetaData, types in text and binary.

programs/Jdbc.java does what a program in Java would; here is what it must have been told.
"""

import json

import pytest
from support.every_type import COLUMNS, VALUES
from support.jdbc import Jdbc
from support.samples import seconds, unique


@pytest.fixture(scope="module")
def target(typed_target):
    return typed_target


@pytest.fixture(scope="module")
def jdbc(target, tmp_path_factory):
    return Jdbc(target.server, tmp_path_factory.mktemp("classes"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ApplicationName": "pump loader", "assumeMinServerVersion": "14", "currentSchema": "public"},
        {"preferQueryMode": "simple"},
        {"sslmode": "disable", "options": "-c statement_timeout=90s", "binaryTransfer": "false"},
    ],
    ids=["plain", "named", "simple", "options"],
)
def test_the_driver_connects_and_says_to_what(jdbc, server, options):
    assert jdbc.lines("connect", **options) == [
        "product|PostgreSQL|true",
        "driver|42.5.5",
        "valid|true",
        f"catalog|{server.database}",
        "schema|public",
        "isolation|true",
        "read only|false",
    ]


def test_a_statement_that_is_prepared_on_its_fifth_use_goes_on_working(jdbc, store, series):
    assert jdbc.lines("insert", series, "20") == ["20"]
    assert store.points(series) == seconds(n / 2 for n in range(20))


@pytest.mark.parametrize(
    "options",
    [{}, {"reWriteBatchedInserts": "true"}, {"preferQueryMode": "simple"}, {"prepareThreshold": "1"}],
    ids=["plain", "rewritten", "simple", "named at once"],
)
def test_a_batch_is_stored_whole(jdbc, store, series, options):
    assert jdbc.lines("batch", series, "2000", **options) == ["2000|true"]
    assert store.points(series) == seconds(n / 2 for n in range(2000))


@pytest.mark.parametrize("form", ["text", "csv"])
def test_the_copy_manager_copies(jdbc, store, series, form):
    assert jdbc.lines(f"copy-{form}", series, "5000") == ["5000"]
    assert store.points(series) == seconds(float(n) for n in range(5000))


def test_a_copy_that_the_client_gives_up_stores_nothing_and_spares_the_connection(jdbc, store, series):
    assert jdbc.lines("copy-given-up", series) == ["active|false", "valid|true"]
    assert store.points(series) == []


def test_errors_have_postgresqls_codes_and_positions(jdbc):
    found = [line.split("|") for line in jdbc.lines("errors", preferQueryMode="simple")]
    assert found == [
        ["42P01", "ERROR", "13"],
        ["42703", "ERROR", "32"],
        ["22P02", "ERROR", "47"],
        ["42601", "ERROR", "36"],
        ["22012", "ERROR", "0"],
        ["valid", "true"],
    ]
    # In the extended protocol values are read when the statement is executed, without its text.
    codes = [line.split("|")[0] for line in jdbc.lines("errors")]
    assert codes == ["42P01", "42703", "22P02", "42601", "22012", "valid"]


@pytest.mark.parametrize("options", [{}, {"reWriteBatchedInserts": "true"}], ids=["plain", "rewritten"])
def test_a_bad_row_in_a_batch_discards_it(jdbc, store, series, options):
    assert jdbc.lines("bad-batch", series, **options) == ["22001", "valid|true"]
    assert store.points(series) == []


@pytest.mark.gateway_only
def test_a_query_time_out_cancels_the_statement(jdbc, emulator, series):
    emulator.inject(operation="datapoints.insert", kind="delay", delay_ms=5_000)
    assert jdbc.lines("time-out", series) == ["57014", "valid|true"]


def test_transactions_commit_and_roll_back_with_savepoints(jdbc, store, series):
    # The last statement is one that writes in a read-only transaction.
    assert jdbc.lines("transaction", series) == ["25006"]
    assert store.points(series) == seconds([2.0, 4.0])


def test_a_connection_that_the_server_ended_is_not_valid_and_another_is_had(jdbc):
    assert jdbc.lines("reconnect") == ["closed|true", "valid|true"]


@pytest.mark.parametrize("options", [{}, {"binaryTransfer": "false"}], ids=["binary", "text"])
def test_each_type_is_read_back(jdbc, options):
    key = unique("jdbc")
    written, _, rows = jdbc.run("types", key, *texts(), **options).partition("\n")
    assert written == "1"
    rows = rows.split("\2")[:-1]
    assert len(rows) == 8
    for row in rows:
        found = dict(zip(VALUES, row.split("\1"), strict=True))
        assert json.loads(found.pop("a_json")) == VALUES["a_json"]
        assert found.pop("texts") == 'text[a, b "c", {d}, , \\]'
        assert found.pop("varchars") == "varchar[x, NULL]"
        assert found.pop("bools") == "bool[true, false]"
        assert found.pop("bigints") == "int8[1, -4611686018427387904]"
        assert found.pop("doubles") == "float8[0.1, -1.0E300]"
        assert found.pop("reals") == "float4[0.5, -0.25]"
        assert found.pop("jsons") == 'json[{"a": 1}, [2, null]]'
        assert found == {name: text for name, text in zip(VALUES, texts(), strict=False) if name in found}


def texts() -> list[str]:
    """The values that are not arrays, as Java reads and writes them."""
    found = []
    for _, type_name, value in COLUMNS:
        if type_name == "BOOL":
            found.append(str(value).lower())
        elif type_name == "JSON":
            found.append(json.dumps(value))
        elif type_name == "BYTEA":
            found.append(value.hex())
        elif type_name == "TIMESTAMPTZ":
            found.append(value.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        elif not type_name.endswith("[]"):
            found.append(str(value))
    return found


@pytest.mark.gateway_only
def test_rows_of_tables_can_be_copied_out(jdbc):
    key = unique("jdbc")
    jdbc.run("types", key, *texts())
    assert jdbc.lines("copy-out", key) == ["1", f"{key}\t{VALUES['a_bigint']}"]


def test_rows_are_fetched_in_parts(jdbc):
    assert jdbc.lines("fetch") == [str(1050 * 1051 // 2)]


@pytest.mark.gateway_only
def test_metadata_lists_schemas_tables_keys_and_types(jdbc, server):
    found = {}
    for line in jdbc.lines("metadata"):
        what, *cells = line.split("|")
        found.setdefault(what, []).append(cells)
    assert found["catalog"] == [[server.database]]
    schemas = {name for (name,) in found["schema"]}
    assert {"public", "cdf", "pg_catalog", "information_schema"} <= schemas
    tables = {name: (kind, remarks) for name, kind, remarks in found["table"]}
    assert {"assets", "double_datapoints", "raw_rows", "every_type"} <= set(tables)
    assert tables["assets"][0] == "TABLE" and tables["assets"][1].startswith("Assets")
    assert "data_sets" in {name for name, _, _ in found["cdf table"]}
    assert found["key"] == [["external_id", "1", "assets_pkey"]]
    assert ["assets_pkey", "external_id", "f"] in found["index"]
    assert found["best row"] == [["external_id"]]
    assert {"int8", "float8", "varchar", "json", "timestamptz", "bytea", "_int8"} <= {
        name for (name,) in found["type"]
    }
    assert ["lower"] in found["function"]
    assert ["INSERT"] in [cells[1:] for cells in found["privilege"] if cells[0] == server.user]
    # There are none of these.
    assert not {"imported", "exported", "procedure"} & set(found)
    assert found["keywords"] == [["true"]]
    assert found["name length"] == [["63"]]


@pytest.mark.gateway_only
def test_metadata_tells_the_columns_of_a_table(jdbc):
    columns = [line.split("|")[1:] for line in jdbc.lines("columns", "double_datapoints")]
    # Name, type, number of java.sql.Types, length, whether NULL is taken, place, whether it counts up.
    assert columns == [
        ["value", "float8", "8", "17", "0", "1", "NO"],
        ["timestamp", "timestamptz", "93", "35", "0", "2", "NO"],
        ["external_id", "varchar", "12", "255", "1", "3", "NO"],
        ["id", "int8", "-5", "19", "1", "4", "NO"],
    ]


@pytest.mark.gateway_only
def test_a_result_tells_what_it_is_made_of(jdbc):
    found = [line.split("|") for line in jdbc.lines("describe", "time_series")]
    columns = {name: rest for name, *rest in found}
    table = "time_series"
    assert columns["external_id"] == ["varchar", "java.lang.String", "255", "nullable", "false", table]
    assert columns["id"][:2] == ["int8", "java.lang.Long"]
    assert columns["is_string"][:2] == ["bool", "java.lang.Boolean"]
    assert columns["metadata"][:2] == ["json", "org.postgresql.util.PGobject"]
    assert columns["security_categories"][:2] == ["_int8", "java.sql.Array"]
    assert columns["created_time"][:2] == ["timestamptz", "java.sql.Timestamp"]
