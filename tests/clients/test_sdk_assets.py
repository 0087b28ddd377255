"""Assets through Cognite's Python SDK, unpatched, against the emulator."""

import pytest
from cognite.client.data_classes import (
    AssetHierarchy,
    AssetUpdate,
    AssetWrite,
    DataSetWrite,
    GeoLocation,
    Geometry,
    LabelDefinitionWrite,
    LabelFilter,
)
from cognite.client.exceptions import CogniteAPIError, CogniteDuplicatedError, CogniteNotFoundError

pytestmark = pytest.mark.gateway_only


def plant(sdk):
    """A root with two children, one of which has a child."""
    return sdk.assets.create(
        [
            AssetWrite(name="valve", external_id="valve", parent_external_id="pump"),
            AssetWrite(name="pump", external_id="pump", parent_external_id="root"),
            AssetWrite(name="root", external_id="root"),
            AssetWrite(name="tank", external_id="tank", parent_external_id="root"),
        ]
    )


def test_a_created_asset_comes_back_with_all_its_fields(sdk):
    data_set = sdk.data_sets.create(DataSetWrite(external_id="set", name="Set"))
    sdk.labels.create(LabelDefinitionWrite(external_id="hot", name="Hot"))
    made = sdk.assets.create(
        AssetWrite(
            name="Pump é",
            external_id="pump/1",
            description="first",
            source="SAP",
            metadata={"site": "Nørd"},
            labels=["hot"],
            data_set_id=data_set.id,
            geo_location=GeoLocation("Feature", Geometry("Point", [10.5, 59.9])),
        )
    )
    read = sdk.assets.retrieve(external_id="pump/1")
    assert read.dump() == made.dump()
    assert (read.name, read.description, read.source) == ("Pump é", "first", "SAP")
    assert read.metadata == {"site": "Nørd"}
    assert [label.external_id for label in read.labels] == ["hot"]
    assert read.data_set_id == data_set.id
    assert read.geo_location.geometry.coordinates == [10.5, 59.9]
    assert read.root_id == read.id and read.parent_id is None
    assert sdk.assets.retrieve(id=made.id).external_id == "pump/1"
    assert sdk.assets.retrieve(external_id="unknown") is None


def test_parents_may_stand_anywhere_in_the_request(sdk):
    valve, pump, root, tank = plant(sdk)
    assert [valve.parent_id, pump.parent_id, tank.parent_id] == [pump.id, root.id, root.id]
    assert {one.root_id for one in (valve, pump, root, tank)} == {root.id}
    assert valve.parent_external_id == "pump"


def test_an_unknown_parent_is_refused_in_the_vendors_words_and_nothing_is_created(sdk):
    orphan = AssetWrite(name="a", external_id="a", parent_external_id="nobody")
    with pytest.raises(CogniteAPIError, match="unknown parent with externalId nobody") as caught:
        sdk.assets.create([AssetWrite(name="b", external_id="b"), orphan])
    assert caught.value.code == 400
    with pytest.raises(CogniteAPIError, match="parent ids do not exist: 17"):
        sdk.assets.create(AssetWrite(name="a", parent_id=17))
    assert len(sdk.assets.list()) == 0


def test_no_asset_can_be_its_own_ancestor(sdk):
    with pytest.raises(CogniteAPIError, match="ancestor"):
        sdk.assets.create(
            [
                AssetWrite(name="a", external_id="a", parent_external_id="b"),
                AssetWrite(name="b", external_id="b", parent_external_id="a"),
            ]
        )
    valve, _, root, _ = plant(sdk)
    with pytest.raises(CogniteAPIError, match="ancestor"):
        sdk.assets.update(AssetUpdate(external_id="root").parent_id.set(valve.id))
    assert sdk.assets.retrieve(id=root.id).parent_id is None


def test_a_hierarchy_of_thousands_is_created_by_the_sdk(sdk):
    assets = [AssetWrite(name="root", external_id="n0")]
    for i in range(1, 2_500):
        parent = f"n{(i - 1) // 3}"
        assets.append(AssetWrite(name=f"node {i}", external_id=f"n{i}", parent_external_id=parent))
    made = sdk.assets.create_hierarchy(AssetHierarchy(assets))
    assert len(made) == 2_500
    assert len(sdk.assets.retrieve_subtree(external_id="n0")) == 2_500
    assert len(sdk.assets.list(asset_subtree_external_ids=["n1"], limit=None)) == 1_093


def test_a_taken_external_id_is_a_duplicate_that_names_it(sdk):
    sdk.assets.create(AssetWrite(name="a", external_id="a"))
    with pytest.raises(CogniteDuplicatedError) as caught:
        sdk.assets.create([AssetWrite(name=x, external_id=x) for x in ("a", "b")])
    assert caught.value.code == 409
    assert caught.value.duplicated == [{"externalId": "a"}]
    assert sdk.assets.retrieve(external_id="b") is None


def test_unknown_assets_are_named_as_missing(sdk):
    plant(sdk)
    with pytest.raises(CogniteNotFoundError) as caught:
        sdk.assets.retrieve_multiple(external_ids=["pump", "x"])
    assert caught.value.missing == [{"externalId": "x"}]
    found = sdk.assets.retrieve_multiple(external_ids=["pump", "x"], ignore_unknown_ids=True)
    assert [one.external_id for one in found] == ["pump"]


def test_references_have_to_exist(sdk):
    with pytest.raises(CogniteAPIError, match="Invalid dataSetIds: 5") as caught:
        sdk.assets.create(AssetWrite(name="a", data_set_id=5))
    assert caught.value.code == 400
    with pytest.raises(CogniteAPIError, match="Label ids not found"):
        sdk.assets.create(AssetWrite(name="a", labels=["nothing"]))


def test_limits_are_those_of_cdf(sdk):
    for fields in (
        {"name": ""},
        {"name": "n" * 141},
        {"name": "a", "description": "d" * 501},
        {"name": "a", "source": "s" * 129},
        {"name": "a", "external_id": "x" * 256},
        {"name": "a", "metadata": {"ü" * 65: ""}},
        {"name": "a", "metadata": {"k": "v" * 10_240}},
        {"name": "a", "metadata": {str(i): "" for i in range(257)}},
    ):
        with pytest.raises(CogniteAPIError) as caught:
            sdk.assets.create(AssetWrite(**fields))
        assert caught.value.code == 400, fields
    sdk.assets.create(AssetWrite(name="n" * 140, metadata={"k": "v" * 10_239}))


def test_updates_set_clear_and_merge(sdk):
    sdk.labels.create([LabelDefinitionWrite(external_id=x, name=x) for x in ("hot", "cold")])
    made = sdk.assets.create(
        AssetWrite(name="old", external_id="u", source="x", metadata={"a": "1", "b": "2"}, labels=["hot"])
    )
    update = (
        AssetUpdate(external_id="u")
        .name.set("new")
        .source.set(None)
        .metadata.add({"c": "3"})
        .labels.add(["cold", "hot"])
        .external_id.set("u2")
    )
    updated = sdk.assets.update(update)
    assert (updated.name, updated.source, updated.external_id) == ("new", None, "u2")
    assert updated.metadata == {"a": "1", "b": "2", "c": "3"}
    assert {label.external_id for label in updated.labels} == {"hot", "cold"}
    assert updated.last_updated_time >= made.last_updated_time
    again = AssetUpdate(id=made.id).metadata.remove(["a"]).labels.remove(["hot"])
    removed = sdk.assets.update(again)
    assert removed.metadata == {"b": "2", "c": "3"}
    assert [label.external_id for label in removed.labels] == ["cold"]
    assert sdk.assets.update(AssetUpdate(id=made.id).metadata.set({"z": "9"})).metadata == {"z": "9"}
    with pytest.raises(CogniteNotFoundError) as caught:
        sdk.assets.update(AssetUpdate(external_id="u").name.set("x"))
    assert caught.value.missing == [{"externalId": "u"}]


def test_an_asset_moves_below_another_parent(sdk):
    valve, _, _, tank = plant(sdk)
    moved = sdk.assets.update(AssetUpdate(external_id="valve").parent_external_id.set("tank"))
    assert moved.parent_id == tank.id
    assert [one.id for one in sdk.assets.list(parent_ids=[tank.id])] == [valve.id]


def test_upsert_creates_what_is_missing_and_updates_the_rest(sdk, local_cdf):
    sdk.assets.create(AssetWrite(name="before", external_id="old"))
    written = sdk.assets.upsert(
        [AssetWrite(name="after", external_id="old"), AssetWrite(name="made", external_id="new")]
    )
    assert [(one.external_id, one.name) for one in written] == [("old", "after"), ("new", "made")]
    assert [one["status"] for one in local_cdf.requests("assets.update")] == [400, 200]


def test_deleting_takes_the_subtree_only_when_asked(sdk):
    plant(sdk)
    with pytest.raises(CogniteAPIError, match="recursive") as caught:
        sdk.assets.delete(external_id="pump")
    assert caught.value.code == 400
    sdk.assets.delete(external_id="pump", recursive=True)
    assert {one.external_id for one in sdk.assets.list()} == {"root", "tank"}
    sdk.assets.delete(external_id=["root", "tank"])
    with pytest.raises(CogniteNotFoundError) as caught:
        sdk.assets.delete(external_id="root")
    assert caught.value.missing == [{"externalId": "root"}]
    sdk.assets.delete(external_id="root", ignore_unknown_ids=True)


def test_listing_goes_through_all_pages_and_filters(sdk):
    sdk.labels.create(LabelDefinitionWrite(external_id="even", name="even"))
    root = sdk.assets.create(AssetWrite(name="root", external_id="root"))
    sdk.assets.create(
        [
            AssetWrite(
                name="even" if i % 2 == 0 else "odd",
                external_id=f"x{i}",
                parent_id=root.id,
                labels=["even"] if i % 2 == 0 else None,
                metadata={"tens": str(i // 10)},
            )
            for i in range(2_300)
        ]
    )
    assert len(sdk.assets.list(limit=None)) == 2_301
    assert len(sdk.assets.list(limit=7)) == 7
    assert len(sdk.assets.list(name="odd", limit=None)) == 1_150
    assert len(sdk.assets.list(labels=LabelFilter(contains_all=["even"]), limit=None)) == 1_150
    assert len(sdk.assets.list(metadata={"tens": "17"}, limit=None)) == 10
    assert len(sdk.assets.list(external_id_prefix="x22", limit=None)) == 111
    assert len(sdk.assets.list(parent_external_ids=["root"], limit=None)) == 2_300
    assert [one.id for one in sdk.assets.list(root=True)] == [root.id]
    assert len({one.id for one in sdk.assets.list(limit=None, partitions=4)}) == 2_301
    ordered = sdk.assets.list(sort=("externalId", "desc"), limit=1_500)
    names = [one.external_id for one in ordered]
    assert names == sorted(names, reverse=True) and len(set(names)) == 1_500
    assert sdk.assets.aggregate_count(filter={"name": "odd"}) == 1_150


def test_aggregated_properties_describe_the_place_in_the_tree(sdk):
    _, pump, root, _ = plant(sdk)
    listed = sdk.assets.list(name="pump", aggregated_properties=["child_count", "path", "depth"])[0]
    assert (listed.aggregates.child_count, listed.aggregates.depth) == (1, 1)
    assert [one["id"] for one in listed.aggregates.path] == [root.id, pump.id]


def test_a_throttled_create_is_retried_and_an_unavailable_one_is_not(sdk, local_cdf):
    fault = {"kind": "status", "count": 1, "operation": "assets.create"}
    local_cdf.admin("POST", "faults", [{**fault, "status": 429}])
    sdk.assets.create(AssetWrite(name="a", external_id="a"))
    local_cdf.admin("POST", "faults", [{**fault, "status": 503}])
    with pytest.raises(CogniteAPIError) as caught:
        sdk.assets.create(AssetWrite(name="b", external_id="b"))
    assert caught.value.code == 503
    assert [one["status"] for one in local_cdf.requests("assets.create")] == [429, 201, 503]
