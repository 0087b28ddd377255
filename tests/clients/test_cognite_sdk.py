"""Cognite's Python SDK, unpatched, against the emulator.

The SDK is the judge of the emulator: what it can do against CDF it has to be able to do
here.
"""

import time

import pytest
from cognite.client.credentials import OAuthClientCredentials, Token
from cognite.client.data_classes import (
    AssetWrite,
    DatapointsQuery,
    DataSetWrite,
    StatusCode,
    TimeSeriesUpdate,
    TimeSeriesWrite,
)
from cognite.client.data_classes.data_modeling import NodeId
from cognite.client.data_classes.raw import RowWrite
from cognite.client.exceptions import (
    CogniteAPIError,
    CogniteAuthError,
    CogniteDuplicatedError,
    CogniteNotFoundError,
    CogniteProjectAccessError,
)
from support.local_cdf import LocalCdf

pytestmark = pytest.mark.gateway_only

NOON = 1_700_000_000_000
DAY = 86_400_000


def series(sdk, external_id, **fields):
    return sdk.time_series.create(TimeSeriesWrite(external_id=external_id, **fields))


# --- time series -----------------------------------------------------------------------


def test_a_created_series_comes_back_with_all_its_fields(sdk):
    data_set = sdk.data_sets.create(DataSetWrite(external_id="set", name="Set", metadata={"a": "b"}))
    asset = sdk.assets.create(AssetWrite(name="pump"))
    made = series(
        sdk,
        "pump/1 é",
        name="Pump",
        description="first",
        unit="bar",
        metadata={"site": "Nørd", "line": "4"},
        is_step=True,
        asset_id=asset.id,
        data_set_id=data_set.id,
    )
    read = sdk.time_series.retrieve(external_id="pump/1 é")
    assert read.dump() == made.dump()
    assert read.metadata == {"site": "Nørd", "line": "4"}
    assert read.is_step is True and read.is_string is False
    assert (read.data_set_id, read.asset_id) == (data_set.id, asset.id)
    assert sdk.time_series.retrieve(id=made.id).external_id == "pump/1 é"
    assert sdk.time_series.retrieve(external_id="unknown") is None


def test_created_series_keep_the_order_of_the_request(sdk):
    names = [f"s{i}" for i in range(2_500)]
    made = sdk.time_series.create([TimeSeriesWrite(external_id=name) for name in names])
    assert [one.external_id for one in made] == names


def test_creating_a_taken_external_id_is_a_duplicate_that_names_it(sdk):
    series(sdk, "a")
    with pytest.raises(CogniteDuplicatedError) as caught:
        sdk.time_series.create([TimeSeriesWrite(external_id=x) for x in ("a", "b")])
    assert caught.value.duplicated == [{"externalId": "a"}]
    assert sdk.time_series.retrieve(external_id="b") is None


def test_unknown_series_are_named_as_missing(sdk):
    series(sdk, "a")
    with pytest.raises(CogniteNotFoundError) as caught:
        sdk.time_series.retrieve_multiple(external_ids=["a", "b"])
    assert caught.value.missing == [{"externalId": "b"}]
    found = sdk.time_series.retrieve_multiple(external_ids=["a", "b"], ignore_unknown_ids=True)
    assert [one.external_id for one in found] == ["a"]


def test_listing_goes_through_all_pages_and_filters(sdk):
    sdk.time_series.create(
        [
            TimeSeriesWrite(external_id=f"x{i}", unit="bar" if i % 2 else "K", is_string=i < 10)
            for i in range(2_300)
        ]
    )
    everything = sdk.time_series.list(limit=None)
    assert {one.external_id for one in everything} == {f"x{i}" for i in range(2_300)}
    assert len(sdk.time_series.list(unit="bar", limit=None)) == 1_150
    assert len(sdk.time_series.list(is_string=True, limit=None)) == 10
    assert len(sdk.time_series.list(external_id_prefix="x22", limit=None)) == 111
    assert len(sdk.time_series.list(limit=7)) == 7
    parted = sdk.time_series.list(limit=None, partitions=4)
    assert len({one.id for one in parted}) == 2_300


def test_updates_set_clear_and_merge(sdk):
    made = series(sdk, "u", name="old", unit="K", metadata={"a": "1", "b": "2"})
    update = (
        TimeSeriesUpdate(external_id="u")
        .name.set("new")
        .unit.set(None)
        .metadata.add({"c": "3"})
        .external_id.set("u2")
    )
    updated = sdk.time_series.update(update)
    assert (updated.name, updated.unit, updated.external_id) == ("new", None, "u2")
    assert updated.metadata == {"a": "1", "b": "2", "c": "3"}
    assert updated.last_updated_time >= made.last_updated_time
    removed = sdk.time_series.update(TimeSeriesUpdate(id=made.id).metadata.remove(["a"]))
    assert removed.metadata == {"b": "2", "c": "3"}
    assert sdk.time_series.retrieve(external_id="u") is None
    with pytest.raises(CogniteNotFoundError):
        sdk.time_series.update(TimeSeriesUpdate(external_id="u").name.set("x"))


def test_upsert_creates_what_is_missing_and_updates_the_rest(sdk):
    series(sdk, "old", name="before")
    written = sdk.time_series.upsert(
        [
            TimeSeriesWrite(external_id="old", name="after"),
            TimeSeriesWrite(external_id="new", name="made"),
        ]
    )
    assert [(one.external_id, one.name) for one in written] == [("old", "after"), ("new", "made")]


def test_deleted_series_are_gone_with_their_points(sdk):
    series(sdk, "d")
    sdk.time_series.data.insert([(NOON, 1.0)], external_id="d")
    sdk.time_series.delete(external_id="d")
    assert sdk.time_series.retrieve(external_id="d") is None
    with pytest.raises(CogniteNotFoundError):
        sdk.time_series.delete(external_id="d")
    sdk.time_series.delete(external_id="d", ignore_unknown_ids=True)
    series(sdk, "d")
    assert sdk.time_series.data.retrieve_latest(external_id="d").value is None


# --- datapoints ------------------------------------------------------------------------


def test_doubles_come_back_bit_for_bit(sdk):
    series(sdk, "n")
    values = [0.1, -1.5e-300, 9.999999999999999e99, 1 / 3, 5e-324, 123456789.123456789, 0.0]
    points = [(NOON + i, value) for i, value in enumerate(values)]
    sdk.time_series.data.insert(points, external_id="n")
    read = sdk.time_series.data.retrieve(external_id="n", start=NOON, end=NOON + 10)
    assert list(zip(read.timestamp, read.value, strict=True)) == points
    assert read.is_string is False and read.external_id == "n"


def test_points_of_every_year_from_1900_to_2099(sdk):
    series(sdk, "y")
    points = [(-2_208_988_800_000, 1.0), (-1, 2.0), (0, 3.0), (4_102_444_799_999, 4.0)]
    sdk.time_series.data.insert(points, external_id="y")
    read = sdk.time_series.data.retrieve(external_id="y", start=-2_208_988_800_000, end=4_102_444_800_000)
    assert list(zip(read.timestamp, read.value, strict=True)) == points


def test_strings_come_back_with_all_their_characters(sdk):
    series(sdk, "s", is_string=True)
    texts = ["", "blå 🦀", "a" * 1_023, '"quoted"\\\n', "NaN"]
    points = [(NOON + i, text) for i, text in enumerate(texts)]
    sdk.time_series.data.insert(points, external_id="s")
    read = sdk.time_series.data.retrieve(external_id="s", start=NOON, end=NOON + 10)
    assert list(zip(read.timestamp, read.value, strict=True)) == points
    assert read.is_string is True


def test_a_point_written_again_is_overwritten(sdk):
    series(sdk, "o")
    sdk.time_series.data.insert([(NOON, 1.0), (NOON + 1, 2.0)], external_id="o")
    sdk.time_series.data.insert([(NOON, 5.0)], external_id="o")
    read = sdk.time_series.data.retrieve(external_id="o", start=0, end=NOON + DAY)
    assert read.value == [5.0, 2.0]


def test_a_large_insert_is_split_by_the_sdk_and_read_back_whole(sdk, local_cdf):
    series(sdk, "big")
    points = [(NOON + 1_000 * i, i * 0.5) for i in range(230_000)]
    sdk.time_series.data.insert(points, external_id="big")
    read = sdk.time_series.data.retrieve(
        external_id="big", start=NOON, end=NOON + 1_000 * 230_000, limit=None
    )
    assert len(read) == 230_000
    assert list(zip(read.timestamp, read.value, strict=True)) == points
    inserts = local_cdf.requests("datapoints.insert")
    assert max(one["points"] for one in inserts) == 100_000
    assert all(one["content_encoding"] == "gzip" for one in inserts)
    lists = local_cdf.requests("datapoints.list")
    assert lists and all(one["status"] == 200 for one in lists)


def test_many_series_in_one_call(sdk):
    sdk.time_series.create([TimeSeriesWrite(external_id=f"m{i}") for i in range(150)])
    sdk.time_series.data.insert_multiple(
        [
            {"external_id": f"m{i}", "datapoints": [(NOON + j, i + j / 10) for j in range(50)]}
            for i in range(150)
        ]
    )
    read = sdk.time_series.data.retrieve(
        external_id=[f"m{i}" for i in range(150)], start=NOON, end=NOON + DAY
    )
    assert len(read) == 150
    assert all(len(one) == 50 for one in read)
    assert read.get(external_id="m7").value[3] == 7.3


def test_status_codes_survive_the_round_trip(sdk):
    series(sdk, "q")
    sdk.time_series.data.insert(
        [
            {"timestamp": NOON, "value": 1.0},
            {"timestamp": NOON + 1, "value": 2.0, "status": {"code": StatusCode.Uncertain}},
            {"timestamp": NOON + 2, "value": float("nan"), "status": {"symbol": "Bad"}},
            {"timestamp": NOON + 3, "value": None, "status": {"code": StatusCode.Bad}},
            {"timestamp": NOON + 4, "value": 1e200, "status": {"symbol": "BadNoData, Low"}},
            {"timestamp": NOON + 5, "value": float("inf"), "status": {"symbol": "Bad"}},
        ],
        external_id="q",
    )
    good = sdk.time_series.data.retrieve(external_id="q", start=NOON, end=NOON + 10)
    assert good.timestamp == [NOON]
    read = sdk.time_series.data.retrieve(
        external_id="q",
        start=NOON,
        end=NOON + 10,
        include_status=True,
        ignore_bad_datapoints=False,
        treat_uncertain_as_bad=False,
    )
    assert read.status_code == [0, 0x40000000, 0x80000000, 0x80000000, 0x809B0500, 0x80000000]
    assert read.status_symbol[0] == "Good" and read.status_symbol[4] == "BadNoData, Low"
    assert read.value[0] == 1.0 and read.value[2] != read.value[2]
    assert read.value[3] is None and read.value[4] == 1e200 and read.value[5] == float("inf")
    latest = sdk.time_series.data.retrieve_latest(
        external_id="q", before=NOON + 10, include_status=True, ignore_bad_datapoints=False
    )
    assert latest.value == float("inf") and latest.status_symbol == "Bad"


def test_the_latest_point_is_strictly_before_the_given_time(sdk):
    series(sdk, "l", unit="bar")
    sdk.time_series.data.insert([(NOON, 1.0), (NOON + DAY, 2.0)], external_id="l")
    latest = sdk.time_series.data.retrieve_latest(external_id="l")
    assert latest.timestamp.timestamp() * 1_000 == NOON + DAY
    assert (latest.value, latest.unit) == (2.0, "bar")
    earlier = sdk.time_series.data.retrieve_latest(external_id="l", before=NOON + DAY)
    assert earlier.value == 1.0
    none = sdk.time_series.data.retrieve_latest(external_id="l", before=NOON)
    assert none.value is None


def test_relative_times_count_back_from_now(sdk):
    now = int(time.time() * 1_000)
    series(sdk, "r")
    sdk.time_series.data.insert([(now - 3 * DAY, 1.0), (now - DAY, 2.0)], external_id="r")
    read = sdk.time_series.data.retrieve(external_id="r", start="2d-ago", end="now")
    assert read.value == [2.0]


def test_outside_points_frame_the_range(sdk):
    series(sdk, "f")
    sdk.time_series.data.insert([(NOON + i, float(i)) for i in range(5)], external_id="f")
    read = sdk.time_series.data.retrieve(
        external_id="f", start=NOON + 2, end=NOON + 3, include_outside_points=True
    )
    assert read.value == [1.0, 2.0, 3.0]


def test_a_deleted_range_keeps_its_end(sdk):
    series(sdk, "x")
    sdk.time_series.data.insert([(NOON + i, float(i)) for i in range(10)], external_id="x")
    sdk.time_series.data.delete_range(start=NOON + 2, end=NOON + 5, external_id="x")
    sdk.time_series.data.delete_ranges([{"external_id": "x", "start": NOON + 7, "end": NOON + 8}])
    read = sdk.time_series.data.retrieve(external_id="x", start=NOON, end=NOON + 20)
    assert read.value == [0.0, 1.0, 5.0, 6.0, 8.0, 9.0]


def test_writing_to_an_unknown_series_names_it_and_writes_nothing(sdk):
    series(sdk, "known")
    with pytest.raises(CogniteNotFoundError) as caught:
        sdk.time_series.data.insert_multiple(
            [
                {"external_id": "known", "datapoints": [(NOON, 1.0)]},
                {"external_id": "unknown", "datapoints": [(NOON, 1.0)]},
            ]
        )
    assert caught.value.missing == [{"externalId": "unknown"}]
    assert sdk.time_series.data.retrieve_latest(external_id="known").value is None


def test_a_value_of_the_wrong_type_is_refused_in_the_vendors_words(sdk):
    series(sdk, "numeric")
    series(sdk, "text", is_string=True)
    with pytest.raises(CogniteAPIError, match="Expected numeric value") as caught:
        sdk.time_series.data.insert([(NOON, "a")], external_id="numeric")
    assert caught.value.code == 400
    with pytest.raises(CogniteAPIError, match="Expected string value"):
        sdk.time_series.data.insert([(NOON, 1.0)], external_id="text")
    with pytest.raises(CogniteAPIError):
        sdk.time_series.data.insert([(NOON, float("inf"))], external_id="numeric")


def test_a_series_of_a_data_model_is_written_by_instance_id(sdk, local_cdf):
    item = {"space": "sp", "externalId": "node", "isString": False}
    local_cdf.admin("POST", "instances", {"project": "plant", "items": [item]})
    node = NodeId("sp", "node")
    sdk.time_series.data.insert([(NOON, 4.5)], instance_id=node)
    read = sdk.time_series.data.retrieve(instance_id=node, start=NOON, end=NOON + 1)
    assert read.value == [4.5] and read.instance_id == node
    assert sdk.time_series.retrieve(instance_id=node).instance_id == node


def test_queries_of_one_call_may_differ(sdk):
    series(sdk, "a")
    series(sdk, "b")
    for name in ("a", "b"):
        sdk.time_series.data.insert([(NOON + i, float(i)) for i in range(20)], external_id=name)
    read = sdk.time_series.data.retrieve(
        external_id=[
            DatapointsQuery(external_id="a", start=NOON, end=NOON + 3),
            DatapointsQuery(external_id="b", start=NOON + 5, end=NOON + 20, limit=4),
        ]
    )
    assert [one.value for one in read] == [[0.0, 1.0, 2.0], [5.0, 6.0, 7.0, 8.0]]


# --- RAW -------------------------------------------------------------------------------


def test_databases_and_tables_with_blanks_and_slashes(sdk):
    sdk.raw.databases.create(["my db", "ø/1"])
    sdk.raw.tables.create("ø/1", ["t/1", "t 2", "100%"])
    assert {one.name for one in sdk.raw.databases.list(limit=-1)} == {"my db", "ø/1"}
    assert {one.name for one in sdk.raw.tables.list("ø/1", limit=-1)} == {"t/1", "t 2", "100%"}
    sdk.raw.rows.insert("ø/1", "t/1", {"k/1": {"a": 1}})
    assert sdk.raw.rows.retrieve("ø/1", "t/1", "k/1").columns == {"a": 1}
    sdk.raw.tables.delete("ø/1", "t 2")
    assert {one.name for one in sdk.raw.tables.list("ø/1", limit=-1)} == {"t/1", "100%"}
    with pytest.raises(CogniteAPIError):
        sdk.raw.databases.delete("ø/1")
    sdk.raw.databases.delete("ø/1", recursive=True)
    assert [one.name for one in sdk.raw.databases.list(limit=-1)] == ["my db"]


def test_many_databases_are_listed_in_pages(sdk):
    names = [f"db{i:04}" for i in range(1_200)]
    sdk.raw.databases.create(names)
    assert sorted(one.name for one in sdk.raw.databases.list(limit=-1)) == names


def test_rows_come_back_as_they_went(sdk):
    columns = {"text": "blå 🦀", "n": 1.5, "none": None, "list": [1, {"x": "y"}], "flag": True}
    sdk.raw.rows.insert("db", "t", {"k": columns, "empty": {}}, ensure_parent=True)
    assert sdk.raw.rows.retrieve("db", "t", "k").columns == columns
    assert sdk.raw.rows.retrieve("db", "t", "empty").columns == {}
    assert sdk.raw.rows.retrieve("db", "t", "unknown") is None


def test_an_insert_replaces_the_whole_row(sdk):
    sdk.raw.rows.insert("db", "t", {"k": {"a": 1, "b": 2}}, ensure_parent=True)
    first = sdk.raw.rows.retrieve("db", "t", "k")
    sdk.raw.rows.insert("db", "t", {"k": {"b": 2, "a": 1}})
    assert sdk.raw.rows.retrieve("db", "t", "k").last_updated_time == first.last_updated_time
    sdk.raw.rows.insert("db", "t", {"k": {"c": 3}})
    assert sdk.raw.rows.retrieve("db", "t", "k").columns == {"c": 3}


def test_all_rows_are_read_by_parallel_cursors(sdk, local_cdf):
    rows = {f"key{i:05}": {"i": i} for i in range(12_345)}
    sdk.raw.rows.insert("db", "t", rows, ensure_parent=True)
    read = sdk.raw.rows.list("db", "t", limit=-1)
    assert {row.key: row.columns["i"] for row in read} == {key: row["i"] for key, row in rows.items()}
    assert local_cdf.requests("raw.cursors.list")
    assert len(sdk.raw.rows.list("db", "t", limit=7)) == 7
    assert len(sdk.raw.rows.list("db", "t", limit=None, partitions=1)) == 12_345


def test_columns_can_be_chosen(sdk):
    sdk.raw.rows.insert("db", "t", {"k": {"a": 1, "b": 2, "c": 3}}, ensure_parent=True)
    assert sdk.raw.rows.list("db", "t", columns=["c", "a"])[0].columns == {"a": 1, "c": 3}
    assert sdk.raw.rows.list("db", "t", columns=[])[0].columns == {}
    assert sdk.raw.rows.list("db", "t")[0].columns == {"a": 1, "b": 2, "c": 3}


def test_rows_are_filtered_by_the_time_of_their_last_update(sdk):
    sdk.raw.rows.insert("db", "t", [RowWrite("k", {"a": 1})], ensure_parent=True)
    at = sdk.raw.rows.retrieve("db", "t", "k").last_updated_time
    rows = sdk.raw.rows
    assert len(rows.list("db", "t", min_last_updated_time=at - 1, max_last_updated_time=at)) == 1
    assert len(rows.list("db", "t", min_last_updated_time=at)) == 0
    assert len(rows.list("db", "t", max_last_updated_time=at - 1)) == 0


def test_deleted_rows_are_gone_and_unknown_keys_are_ignored(sdk):
    sdk.raw.rows.insert("db", "t", {"a": {}, "b": {}}, ensure_parent=True)
    sdk.raw.rows.delete("db", "t", ["a", "unknown"])
    assert [row.key for row in sdk.raw.rows.list("db", "t")] == ["b"]


def test_unknown_tables_are_a_404_in_the_vendors_words(sdk):
    with pytest.raises(CogniteAPIError, match="Following databases not found: nowhere") as caught:
        sdk.raw.rows.insert("nowhere", "t", {"k": {}})
    assert caught.value.code == 404
    sdk.raw.databases.create("db")
    with pytest.raises(CogniteAPIError, match="Following tables not found: t"):
        sdk.raw.rows.list("db", "t")


def test_a_taken_database_name_is_a_duplicate(sdk):
    sdk.raw.databases.create("db")
    with pytest.raises(CogniteDuplicatedError):
        sdk.raw.databases.create("db")


# --- sign-in and faults ----------------------------------------------------------------


def test_client_credentials_sign_in_and_are_the_identity(tmp_path):
    emulator = LocalCdf(
        tmp_path / "log",
        "--project",
        "plant",
        "--require-token",
        "--client-id",
        "line 1",
        "--client-secret",
        "s:1&",
    )
    try:
        credentials = OAuthClientCredentials(
            token_url=emulator.token_url,
            client_id="line 1",
            client_secret="s:1&",
            scopes=["https://local.cognitedata.com/.default"],
        )
        client = emulator.client(credentials)
        client.time_series.create(TimeSeriesWrite(external_id="a"))
        inspected = client.iam.token.inspect()
        assert inspected.subject == "line 1"
        assert [one.url_name for one in inspected.projects] == ["plant"]
        assert {one["identity"] for one in emulator.requests("time_series.create")} == {"line 1"}

        wrong = OAuthClientCredentials(emulator.token_url, "line 1", "wrong", ["x"])
        with pytest.raises(CogniteAuthError):
            emulator.client(wrong).time_series.list()
        with pytest.raises(CogniteProjectAccessError, match="code: 401"):
            emulator.client(Token("made up")).time_series.list()
        with pytest.raises(CogniteProjectAccessError):
            emulator.client(credentials, project="elsewhere").time_series.list()
    finally:
        emulator.stop()


def test_a_throttled_request_is_retried_by_the_sdk(sdk, local_cdf):
    local_cdf.admin("POST", "faults", [{"kind": "status", "status": 429, "count": 1}])
    series(sdk, "a")
    statuses = [one["status"] for one in local_cdf.requests("time_series.create")]
    assert statuses == [429, 201]


def test_only_an_auto_retryable_503_of_a_create_is_retried(sdk, local_cdf):
    fault = {"kind": "status", "status": 503, "count": 1, "operation": "time_series.create"}
    local_cdf.admin("POST", "faults", [fault])
    with pytest.raises(CogniteAPIError) as caught:
        series(sdk, "a")
    assert caught.value.code == 503
    assert caught.value.x_request_id
    local_cdf.admin("POST", "faults", [{**fault, "headers": {"cdf-is-auto-retryable": "true"}}])
    series(sdk, "a")


def test_an_insert_whose_answer_was_lost_is_repeated_without_harm(sdk, local_cdf):
    series(sdk, "a")
    fault = {"kind": "reset_after_commit", "count": 1, "operation": "datapoints.insert"}
    local_cdf.admin("POST", "faults", [fault])
    sdk.time_series.data.insert([(NOON, 1.0)], external_id="a")
    assert sdk.time_series.data.retrieve_latest(external_id="a").value == 1.0
    inserts = local_cdf.requests("datapoints.insert")
    assert [one["committed"] for one in inserts] == [True, True]
