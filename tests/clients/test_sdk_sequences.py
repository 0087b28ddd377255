"""Sequences and their rows through Cognite's Python SDK, unpatched, against the emulator."""

import pytest
from cognite.client.data_classes import (
    AssetWrite,
    DataSetWrite,
    SequenceColumnUpdate,
    SequenceColumnWrite,
    SequenceUpdate,
    SequenceWrite,
)
from cognite.client.exceptions import CogniteAPIError, CogniteDuplicatedError, CogniteNotFoundError

pytestmark = pytest.mark.gateway_only


def column(external_id, value_type="DOUBLE", **fields):
    return SequenceColumnWrite(external_id=external_id, value_type=value_type, **fields)


def sequence(sdk, external_id, columns=None, **fields):
    columns = columns or [column("n"), column("s", "STRING"), column("i", "LONG")]
    return sdk.sequences.create(SequenceWrite(columns=columns, external_id=external_id, **fields))


def rows(sdk, external_id, columns, values):
    sdk.sequences.data.insert(values, columns=columns, external_id=external_id)


def read(sdk, external_id, **query):
    found = sdk.sequences.data.retrieve(external_id=external_id, **{"start": 0, "end": None, **query})
    return [(row.row_number, list(row.values)) for row in found.rows]


# --- sequences -------------------------------------------------------------------------


def test_a_created_sequence_comes_back_with_all_its_fields(sdk):
    data_set = sdk.data_sets.create(DataSetWrite(name="Set"))
    asset = sdk.assets.create(AssetWrite(name="a", external_id="a"))
    made = sequence(
        sdk,
        "curve/1",
        columns=[
            column("c", "Double", name="C", description="d", metadata={"k": "v"}),
            column("t", "String"),
        ],
        name="Curve é",
        description="first",
        metadata={"site": "Nørd"},
        asset_id=asset.id,
        data_set_id=data_set.id,
    )
    found = sdk.sequences.retrieve(external_id="curve/1")
    assert found.dump() == made.dump()
    assert (found.name, found.description, found.asset_id) == ("Curve é", "first", asset.id)
    assert [(one.external_id, one.value_type) for one in found.columns] == [("c", "DOUBLE"), ("t", "STRING")]
    assert (found.columns[0].name, found.columns[0].metadata) == ("C", {"k": "v"})
    assert sdk.sequences.retrieve(external_id="unknown") is None


def test_taken_and_unknown_sequences_are_named(sdk):
    sequence(sdk, "a")
    with pytest.raises(CogniteDuplicatedError) as caught:
        sequence(sdk, "a")
    assert caught.value.duplicated == [{"externalId": "a"}]
    with pytest.raises(CogniteNotFoundError) as caught:
        sdk.sequences.retrieve_multiple(external_ids=["a", "b"])
    assert caught.value.missing == [{"externalId": "b"}]
    with pytest.raises(CogniteNotFoundError):
        sdk.sequences.delete(external_id=["a", "b"])
    sdk.sequences.delete(external_id=["a", "b"], ignore_unknown_ids=True)
    assert sdk.sequences.retrieve(external_id="a") is None


def test_limits_of_sequences_are_those_of_cdf(sdk):
    for columns, fields in (
        ([column(f"c{i}") for i in range(401)], {}),
        ([column(f"c{i}", "STRING") for i in range(201)], {}),
        ([column("c"), column("c")], {}),
        ([column("c" * 256)], {}),
        ([column("c", "TEXT")], {}),
        (None, {"name": "n" * 256}),
        (None, {"description": "d" * 1_001}),
        (None, {"metadata": {"k": "v" * 10_000}}),
        (None, {"data_set_id": 5}),
        (None, {"asset_id": 5}),
    ):
        with pytest.raises(CogniteAPIError) as caught:
            sequence(sdk, "a", columns, **fields)
        assert caught.value.code in (400, 422), fields
    sequence(sdk, "a", [column(f"c{i}", "STRING" if i < 200 else "LONG") for i in range(400)])


def test_updates_set_clear_and_merge(sdk):
    sequence(sdk, "u", name="old", description="d", metadata={"a": "1"})
    update = SequenceUpdate(external_id="u").name.set("new").description.set(None)
    updated = sdk.sequences.update(update.metadata.add({"b": "2"}))
    assert (updated.name, updated.description) == ("new", None)
    assert updated.metadata == {"a": "1", "b": "2"}
    with pytest.raises(CogniteNotFoundError):
        sdk.sequences.update(SequenceUpdate(external_id="x").name.set("y"))


def test_columns_are_added_removed_and_renamed_with_their_cells(sdk):
    sequence(sdk, "q")
    rows(sdk, "q", ["n", "s", "i"], [(1, [1.5, "a", 7])])
    sdk.sequences.update(SequenceUpdate(external_id="q").columns.add(column("more")))
    sdk.sequences.update(SequenceUpdate(external_id="q").columns.remove("s"))
    modify = [SequenceColumnUpdate(external_id="n").external_id.set("number").name.set("N")]
    updated = sdk.sequences.update(SequenceUpdate(external_id="q").columns.modify(modify))
    assert [one.external_id for one in updated.columns] == ["number", "i", "more"]
    assert updated.columns[0].name == "N"
    assert read(sdk, "q") == [(1, [1.5, 7, None])]
    with pytest.raises(CogniteAPIError) as caught:
        sdk.sequences.update(SequenceUpdate(external_id="q").columns.remove("s"))
    assert caught.value.code == 400


def test_upsert_creates_what_is_missing_and_updates_the_rest(sdk):
    sequence(sdk, "old", name="before")
    written = sdk.sequences.upsert(
        [
            SequenceWrite(external_id="old", name="after", columns=[column("n")]),
            SequenceWrite(external_id="new", name="made", columns=[column("n")]),
        ]
    )
    assert [(one.external_id, one.name) for one in written] == [("old", "after"), ("new", "made")]


def test_sequences_are_listed_in_pages_and_filtered(sdk):
    asset = sdk.assets.create(AssetWrite(name="a", external_id="a"))
    sdk.sequences.create(
        [
            SequenceWrite(external_id=f"x{i}", columns=[column("n")], asset_id=asset.id if i < 10 else None)
            for i in range(1_200)
        ]
    )
    assert len(sdk.sequences.list(limit=None)) == 1_200
    assert len(sdk.sequences.list(asset_ids=[asset.id], limit=None)) == 10
    assert len(sdk.sequences.list(asset_subtree_external_ids=["a"], limit=None)) == 10
    assert len(sdk.sequences.list(external_id_prefix="x11", limit=None)) == 111
    assert len({one.id for one in sdk.sequences.list(limit=None, partitions=3)}) == 1_200
    assert sdk.sequences.aggregate_count() == 1_200


# --- rows ------------------------------------------------------------------------------


def test_rows_come_back_as_they_went(sdk):
    sequence(sdk, "q")
    values = [
        (0, [0.1, "blå 🦀", 9_007_199_254_740_993]),
        (3, [-1.3086674553990275e66, "", -1]),
        (2**53, [0.0, None, None]),
    ]
    rows(sdk, "q", ["n", "s", "i"], values)
    assert read(sdk, "q") == values
    assert read(sdk, "q", columns=["i", "n"])[0] == (0, [9_007_199_254_740_993, 0.1])
    assert read(sdk, "q", start=1, end=4) == values[1:2]
    latest = sdk.sequences.data.retrieve_last_row(external_id="q")
    assert latest.rows[0].row_number == 2**53
    before = sdk.sequences.data.retrieve_last_row(external_id="q", before=2**53)
    assert before.rows[0].row_number == 3


def test_only_the_named_cells_are_overwritten(sdk):
    sequence(sdk, "q")
    rows(sdk, "q", ["n", "s"], [(1, [1.0, "a"]), (2, [2.0, "b"])])
    rows(sdk, "q", ["i", "s"], [(1, [7, "c"])])
    assert read(sdk, "q") == [(1, [1.0, "c", 7]), (2, [2.0, "b", None])]


def test_many_rows_are_split_by_the_sdk_and_read_back_whole(sdk, local_cdf):
    sequence(sdk, "q")
    values = [(number, [number / 2, f"row {number}", number]) for number in range(25_000)]
    rows(sdk, "q", ["n", "s", "i"], values)
    assert read(sdk, "q", limit=None) == values
    assert max(one["rows"] for one in local_cdf.requests("sequence_rows.insert")) <= 10_000


def test_values_of_another_type_are_refused_and_nothing_is_written(sdk):
    sequence(sdk, "q")
    for columns, values in (
        (["n"], ["text"]),
        (["s"], [1]),
        (["i"], [1.5]),
        (["n"], [1e101]),
        (["s"], ["s" * 257]),
    ):
        with pytest.raises(CogniteAPIError) as caught:
            rows(sdk, "q", columns, [(1, values)])
        assert caught.value.code == 400, values
    rows(sdk, "q", ["s"], [(1, ["s" * 256])])
    assert len(read(sdk, "q")) == 1


def test_unknown_sequences_and_columns_are_named(sdk):
    with pytest.raises(CogniteNotFoundError) as caught:
        rows(sdk, "x", ["n"], [(1, [1.0])])
    assert (caught.value.code, caught.value.missing) == (400, [{"externalId": "x"}])
    sequence(sdk, "q")
    with pytest.raises(CogniteNotFoundError) as caught:
        rows(sdk, "q", ["n", "y"], [(1, [1.0, 2.0])])
    assert (caught.value.code, caught.value.missing) == (404, [{"externalId": "y"}])


def test_rows_are_deleted_one_by_one_and_with_their_sequence(sdk):
    sequence(sdk, "q")
    rows(sdk, "q", ["n"], [(number, [number / 1]) for number in range(10)])
    sdk.sequences.data.delete(external_id="q", rows=[1, 2, 77])
    sdk.sequences.data.delete_range(external_id="q", start=5, end=9)
    assert [number for number, _ in read(sdk, "q")] == [0, 3, 4, 9]
    sdk.sequences.delete(external_id="q")
    sequence(sdk, "q")
    assert read(sdk, "q") == []
