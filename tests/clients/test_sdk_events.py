"""Events through Cognite's Python SDK, unpatched, against the emulator."""

import pytest
from cognite.client.data_classes import AssetWrite, DataSetWrite, EndTimeFilter, EventUpdate, EventWrite
from cognite.client.exceptions import CogniteAPIError, CogniteDuplicatedError, CogniteNotFoundError

pytestmark = pytest.mark.gateway_only

NOON = 1_700_000_000_000


def assets(sdk, *names):
    made = sdk.assets.create([AssetWrite(name=name, external_id=name) for name in names])
    return [one.id for one in made]


def test_a_created_event_comes_back_with_all_its_fields(sdk):
    data_set = sdk.data_sets.create(DataSetWrite(name="Set"))
    ids = assets(sdk, "a", "b")
    made = sdk.events.create(
        EventWrite(
            external_id="stop/1",
            start_time=NOON,
            end_time=NOON + 1,
            type="stop",
            subtype="trip",
            description="é",
            source="log",
            metadata={"k": "v" * 128_000},
            asset_ids=ids,
            data_set_id=data_set.id,
        )
    )
    read = sdk.events.retrieve(external_id="stop/1")
    assert read.dump() == made.dump()
    assert (read.start_time, read.end_time, read.type, read.subtype) == (NOON, NOON + 1, "stop", "trip")
    assert read.asset_ids == ids and read.data_set_id == data_set.id
    assert sdk.events.retrieve(id=made.id).external_id == "stop/1"
    assert sdk.events.retrieve(external_id="unknown") is None


def test_an_event_needs_no_field_at_all(sdk):
    assert sdk.events.create(EventWrite()).id


def test_thousands_of_events_keep_the_order_of_the_request(sdk, local_cdf):
    made = sdk.events.create([EventWrite(external_id=f"e{i}") for i in range(2_500)])
    assert [one.external_id for one in made] == [f"e{i}" for i in range(2_500)]
    assert sorted(one["items"] for one in local_cdf.requests("events.create")) == [500, 1_000, 1_000]


def test_references_have_to_exist(sdk):
    with pytest.raises(CogniteNotFoundError, match="Asset ids not found") as caught:
        sdk.events.create(EventWrite(asset_ids=[7]))
    assert caught.value.code == 400
    assert caught.value.missing == [{"id": 7}]
    with pytest.raises(CogniteAPIError, match="Invalid dataSetIds: 5"):
        sdk.events.create(EventWrite(data_set_id=5))


def test_limits_are_those_of_cdf(sdk):
    for fields in (
        {"start_time": NOON, "end_time": NOON - 1},
        {"start_time": -1},
        {"type": "t" * 65},
        {"subtype": "t" * 65},
        {"description": "d" * 501},
        {"source": "s" * 129},
        {"external_id": "x" * 256},
        {"metadata": {"k": "v" * 128_001}},
        {"metadata": {"a": "v" * 100_000, "b": "v" * 100_000}},
        {"asset_ids": [1, 1]},
    ):
        with pytest.raises(CogniteAPIError) as caught:
            sdk.events.create(EventWrite(**fields))
        assert caught.value.code == 400, fields


def test_taken_and_unknown_events_are_named(sdk):
    sdk.events.create(EventWrite(external_id="a"))
    with pytest.raises(CogniteDuplicatedError) as caught:
        sdk.events.create([EventWrite(external_id=x) for x in ("a", "b")])
    assert caught.value.duplicated == [{"externalId": "a"}]
    with pytest.raises(CogniteNotFoundError) as caught:
        sdk.events.retrieve_multiple(external_ids=["a", "b"])
    assert caught.value.missing == [{"externalId": "b"}]
    with pytest.raises(CogniteNotFoundError) as caught:
        sdk.events.delete(external_id=["a", "b"])
    assert caught.value.missing == [{"externalId": "b"}]
    sdk.events.delete(external_id=["a", "b"], ignore_unknown_ids=True)
    assert sdk.events.retrieve(external_id="a") is None


def test_updates_set_clear_and_merge(sdk):
    one, two, three = assets(sdk, "1", "2", "3")
    sdk.events.create(EventWrite(external_id="u", type="x", asset_ids=[one], metadata={"a": "1"}))
    update = EventUpdate(external_id="u").type.set(None).start_time.set(NOON)
    updated = sdk.events.update(update.asset_ids.add([two, three]).metadata.add({"b": "2"}))
    assert (updated.type, updated.start_time) == (None, NOON)
    assert updated.asset_ids == [one, two, three] and updated.metadata == {"a": "1", "b": "2"}
    removed = sdk.events.update(EventUpdate(external_id="u").asset_ids.remove([one]))
    assert removed.asset_ids == [two, three]
    with pytest.raises(CogniteAPIError, match="endTime"):
        sdk.events.update(EventUpdate(external_id="u").end_time.set(NOON - 1))
    with pytest.raises(CogniteNotFoundError, match="Asset ids not found"):
        sdk.events.update(EventUpdate(external_id="u").asset_ids.set([9]))


def test_upsert_creates_what_is_missing_and_updates_the_rest(sdk):
    sdk.events.create(EventWrite(external_id="old", type="before"))
    written = sdk.events.upsert(
        [EventWrite(external_id="old", type="after"), EventWrite(external_id="new", type="made")]
    )
    assert [(one.external_id, one.type) for one in written] == [("old", "after"), ("new", "made")]


def test_listing_goes_through_all_pages_filters_and_orders(sdk):
    (asset,) = assets(sdk, "a")
    sdk.events.create(
        [
            EventWrite(
                external_id=f"e{i}",
                type="even" if i % 2 == 0 else "odd",
                start_time=NOON + (i * 7_919) % 2_300,
                end_time=NOON + 10_000 if i < 100 else None,
                asset_ids=[asset] if i < 10 else None,
            )
            for i in range(2_300)
        ]
    )
    assert len(sdk.events.list(limit=None)) == 2_300
    assert len(sdk.events.list(type="odd", limit=None)) == 1_150
    assert len(sdk.events.list(asset_ids=[asset], limit=None)) == 10
    assert len(sdk.events.list(asset_subtree_external_ids=["a"], limit=None)) == 10
    assert len(sdk.events.list(start_time={"min": NOON + 100, "max": NOON + 199}, limit=None)) == 100
    assert len(sdk.events.list(end_time=EndTimeFilter(is_null=True), limit=None)) == 2_200
    assert len({one.id for one in sdk.events.list(limit=None, partitions=3)}) == 2_300
    for order in ("asc", "desc"):
        listed = sdk.events.list(sort=("startTime", order), limit=1_200)
        times = [one.start_time - NOON for one in listed]
        expected = range(1_200) if order == "asc" else range(2_299, 1_099, -1)
        assert times == list(expected)
    assert sdk.events.aggregate_count(filter={"type": "odd"}) == 1_150
