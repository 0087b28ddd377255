"""Labels and relationships through Cognite's Python SDK, unpatched, against the emulator."""

import pytest
from cognite.client.data_classes import (
    AssetWrite,
    DataSetWrite,
    EventWrite,
    LabelDefinitionWrite,
    LabelFilter,
    RelationshipUpdate,
    RelationshipWrite,
    TimeSeriesWrite,
)
from cognite.client.exceptions import CogniteAPIError, CogniteDuplicatedError, CogniteNotFoundError

pytestmark = pytest.mark.gateway_only


def labels(sdk, *names):
    return sdk.labels.create([LabelDefinitionWrite(external_id=name, name=name) for name in names])


def link(external_id, **fields):
    ends = {
        "source_external_id": "s",
        "source_type": "asset",
        "target_external_id": "t",
        "target_type": "event",
    }
    return RelationshipWrite(external_id=external_id, **{**ends, **fields})


# --- labels ----------------------------------------------------------------------------


def test_a_created_label_comes_back_with_all_its_fields(sdk):
    data_set = sdk.data_sets.create(DataSetWrite(name="Set"))
    made = sdk.labels.create(
        LabelDefinitionWrite(external_id="hot/é", name="Hot", description="warm", data_set_id=data_set.id)
    )
    read = sdk.labels.retrieve("hot/é")
    assert read.dump() == made.dump()
    assert (read.name, read.description, read.data_set_id) == ("Hot", "warm", data_set.id)
    assert read.created_time
    assert sdk.labels.retrieve("cold", ignore_unknown_ids=True) is None


def test_unknown_labels_are_named(sdk):
    # The SDK fails to show labels that it could not create: what is refused to a second
    # label of the same name is tested without it.
    labels(sdk, "a")
    with pytest.raises(CogniteNotFoundError) as caught:
        sdk.labels.retrieve("b")
    assert caught.value.missing == [{"externalId": "b"}]
    with pytest.raises(CogniteNotFoundError):
        sdk.labels.delete(["a", "b"])
    assert sdk.labels.retrieve("a").name == "a"


def test_labels_are_listed_in_pages_and_filtered(sdk):
    labels(sdk, *(f"x{i}" for i in range(1_500)))
    assert len(sdk.labels.list(limit=None)) == 1_500
    assert [one.external_id for one in sdk.labels.list(name="x7")] == ["x7"]
    assert len(sdk.labels.list(external_id_prefix="x14", limit=None)) == 111


def test_a_deleted_label_stays_on_its_assets(sdk):
    labels(sdk, "a")
    sdk.assets.create(AssetWrite(name="n", external_id="n", labels=["a"]))
    sdk.labels.delete("a")
    assert [label.external_id for label in sdk.assets.retrieve(external_id="n").labels] == ["a"]
    assert len(sdk.labels.list()) == 0


# --- relationships ---------------------------------------------------------------------


def test_a_created_relationship_comes_back_with_all_its_fields(sdk):
    labels(sdk, "flow")
    data_set = sdk.data_sets.create(DataSetWrite(name="Set"))
    made = sdk.relationships.create(
        link("r/1", start_time=1, end_time=2, confidence=0.5, data_set_id=data_set.id, labels=["flow"])
    )
    read = sdk.relationships.retrieve("r/1")
    assert read.dump() == made.dump()
    assert (read.source_external_id, read.source_type) == ("s", "asset")
    assert (read.target_external_id, read.target_type) == ("t", "event")
    assert (read.start_time, read.end_time, read.confidence) == (1, 2, 0.5)
    assert [label.external_id for label in read.labels] == ["flow"]
    assert sdk.relationships.retrieve("unknown") is None


def test_taken_and_unknown_relationships_are_named(sdk):
    sdk.relationships.create(link("a"))
    with pytest.raises(CogniteDuplicatedError) as caught:
        sdk.relationships.create([link("a"), link("b")])
    assert (caught.value.code, caught.value.duplicated) == (409, [{"externalId": "a"}])
    with pytest.raises(CogniteNotFoundError) as caught:
        sdk.relationships.retrieve_multiple(["a", "b"])
    assert caught.value.missing == [{"externalId": "b"}]
    with pytest.raises(CogniteNotFoundError):
        sdk.relationships.delete(["a", "b"])
    sdk.relationships.delete(["a", "b"], ignore_unknown_ids=True)
    assert sdk.relationships.retrieve("a") is None


def test_limits_of_relationships_are_those_of_cdf(sdk):
    for fields in ({"confidence": 1.1}, {"start_time": 2, "end_time": 1}, {"source_external_id": "x" * 256}):
        with pytest.raises(CogniteAPIError) as caught:
            sdk.relationships.create(link("a", **fields))
        assert caught.value.code == 400, fields
    with pytest.raises(CogniteAPIError, match="Label ids not found"):
        sdk.relationships.create(link("a", labels=["nothing"]))


def test_relationships_are_updated_and_upserted(sdk):
    labels(sdk, "x", "y")
    sdk.relationships.create(link("a", confidence=0.1, labels=["x"]))
    update = RelationshipUpdate("a").confidence.set(None).target_type.set("file").labels.add("y")
    updated = sdk.relationships.update(update)
    assert (updated.confidence, updated.target_type) == (None, "file")
    assert {label.external_id for label in updated.labels} == {"x", "y"}
    written = sdk.relationships.upsert([link("a", confidence=0.9), link("b", confidence=0.2)])
    assert [(one.external_id, one.confidence) for one in written] == [("a", 0.9), ("b", 0.2)]


def test_relationships_are_filtered_by_their_ends_and_labels(sdk):
    labels(sdk, "x")
    sdk.relationships.create([link(f"r{i}", source_external_id=f"s{i % 3}") for i in range(1_200)])
    sdk.relationships.create(link("z", target_type="file", labels=["x"], confidence=0.7))
    assert len(sdk.relationships.list(limit=None)) == 1_201
    assert len(sdk.relationships.list(source_external_ids=["s1"], limit=None)) == 400
    assert [one.external_id for one in sdk.relationships.list(target_types=["file"])] == ["z"]
    assert len(sdk.relationships.list(labels=LabelFilter(contains_any=["x"]))) == 1
    assert len(sdk.relationships.list(confidence={"min": 0.5})) == 1
    assert len({one.external_id for one in sdk.relationships.list(limit=None, partitions=3)}) == 1_201


def test_the_ends_of_relationships_are_shown_when_asked_for(sdk):
    sdk.assets.create(AssetWrite(name="Pump", external_id="pump"))
    sdk.events.create(EventWrite(external_id="stop", type="trip"))
    sdk.time_series.create(TimeSeriesWrite(external_id="flow", name="Flow"))
    sdk.relationships.create(
        [
            link("a", source_external_id="pump", target_external_id="stop"),
            link("b", source_external_id="pump", target_external_id="flow", target_type="timeSeries"),
            link("c", source_external_id="nobody", target_external_id="nothing"),
        ]
    )
    found = sdk.relationships.retrieve_multiple(["a", "b", "c"], fetch_resources=True)
    assert [one.source.name if one.source else None for one in found] == ["Pump", "Pump", None]
    assert (found[0].target.type, found[1].target.name, found[2].target) == ("trip", "Flow", None)
    listed = sdk.relationships.list(fetch_resources=True, target_types=["event"], limit=None)
    assert {one.external_id for one in listed} == {"a", "c"}
    assert sdk.relationships.retrieve("a").source is None
