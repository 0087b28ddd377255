"""Extraction pipelines through Cognite's Python SDK, unpatched, against the emulator."""

import pytest
from cognite.client.data_classes import (
    DataSetWrite,
    ExtractionPipelineContact,
    ExtractionPipelineRunWrite,
    ExtractionPipelineUpdate,
    ExtractionPipelineWrite,
)
from cognite.client.exceptions import CogniteAPIError, CogniteDuplicatedError, CogniteNotFoundError

pytestmark = pytest.mark.gateway_only

NOON = 1_700_000_000_000


@pytest.fixture
def data_set_id(sdk):
    return sdk.data_sets.create(DataSetWrite(name="Set")).id


def pipeline(external_id, data_set_id, **fields):
    fields = {"name": external_id, **fields}
    return ExtractionPipelineWrite(external_id=external_id, data_set_id=data_set_id, **fields)


def run(external_id, status, **fields):
    return ExtractionPipelineRunWrite(extpipe_external_id=external_id, status=status, **fields)


def test_a_created_pipeline_comes_back_with_all_its_fields(sdk, data_set_id):
    made = sdk.extraction_pipelines.create(
        pipeline(
            "p/1",
            data_set_id,
            name="Pipeline",
            description="d",
            raw_tables=[{"dbName": "db", "tableName": "t"}],
            schedule="0 */5 * * *",
            contacts=[ExtractionPipelineContact("Ann", "ann@example.com", "owner", True)],
            metadata={"k": "v"},
            source="SAP",
            documentation="# About",
            created_by="me",
        )
    )
    read = sdk.extraction_pipelines.retrieve(external_id="p/1")
    assert read.dump() == made.dump()
    assert (read.name, read.schedule, read.source) == ("Pipeline", "0 */5 * * *", "SAP")
    assert read.contacts[0].email == "ann@example.com"
    assert read.raw_tables == [{"dbName": "db", "tableName": "t"}]
    assert sdk.extraction_pipelines.retrieve(external_id="unknown") is None


def test_pipelines_are_listed_and_deleted(sdk, data_set_id):
    sdk.extraction_pipelines.create([pipeline(f"p{i}", data_set_id) for i in range(120)])
    assert len(sdk.extraction_pipelines.list(limit=None)) == 120
    sdk.extraction_pipelines.delete(external_id=["p1", "p2"])
    found = sdk.extraction_pipelines.retrieve_multiple(external_ids=["p1", "p3"], ignore_unknown_ids=True)
    assert [one.external_id for one in found] == ["p3"]


def test_taken_and_unknown_pipelines_are_named(sdk, data_set_id):
    sdk.extraction_pipelines.create(pipeline("a", data_set_id))
    with pytest.raises(CogniteDuplicatedError) as caught:
        sdk.extraction_pipelines.create([pipeline("a", data_set_id), pipeline("b", data_set_id)])
    assert caught.value.duplicated == [{"externalId": "a"}]
    with pytest.raises(CogniteNotFoundError) as caught:
        sdk.extraction_pipelines.retrieve_multiple(external_ids=["a", "x"])
    assert caught.value.missing == [{"externalId": "x"}]
    with pytest.raises(CogniteNotFoundError):
        sdk.extraction_pipelines.delete(external_id="x")


def test_limits_and_references_are_those_of_cdf(sdk, data_set_id):
    for fields in (
        {"name": ""},
        {"name": "n" * 141},
        {"description": "d" * 501},
        {"documentation": "d" * 10_001},
        {"schedule": "sometimes"},
        {"contacts": [ExtractionPipelineContact("Ann", "nowhere", "owner", True)]},
        {"raw_tables": [{"dbName": "db"}]},
    ):
        with pytest.raises(CogniteAPIError) as caught:
            sdk.extraction_pipelines.create(pipeline("a", data_set_id, **fields))
        assert caught.value.code == 400, fields
    with pytest.raises(CogniteAPIError) as caught:
        sdk.extraction_pipelines.create(pipeline("a", 17))
    assert caught.value.code == 400


def test_updates_set_and_merge(sdk, data_set_id):
    sdk.extraction_pipelines.create(pipeline("u", data_set_id, metadata={"a": "1"}))
    update = ExtractionPipelineUpdate(external_id="u").description.set("new").schedule.set("Continuous")
    update = update.metadata.add({"b": "2"}).raw_tables.add([{"dbName": "d", "tableName": "t"}])
    updated = sdk.extraction_pipelines.update(update)
    assert (updated.description, updated.schedule) == ("new", "Continuous")
    assert updated.metadata == {"a": "1", "b": "2"}
    cleared = sdk.extraction_pipelines.update(ExtractionPipelineUpdate(external_id="u").metadata.set(None))
    assert not cleared.metadata
    assert updated.raw_tables == [{"dbName": "d", "tableName": "t"}]


def test_runs_are_listed_newest_first_and_show_on_their_pipeline(sdk, data_set_id):
    sdk.extraction_pipelines.create(pipeline("p", data_set_id))
    runs = sdk.extraction_pipelines.runs
    read = sdk.extraction_pipelines.retrieve(external_id="p")
    assert (read.last_success, read.last_failure, read.last_seen) == (0, 0, 0)
    for number, status in enumerate(("success", "failure", "seen", "success")):
        runs.create(run("p", status, message=f"run {number}", created_time=NOON + number))
    listed = runs.list(external_id="p")
    assert [one.message for one in listed] == ["run 3", "run 2", "run 1", "run 0"]
    assert [one.message for one in runs.list(external_id="p", limit=2)] == ["run 3", "run 2"]
    assert [one.message for one in runs.list(external_id="p", statuses="failure")] == ["run 1"]
    assert [one.message for one in runs.list(external_id="p", message_substring="RUN 2")] == ["run 2"]
    read = sdk.extraction_pipelines.retrieve(external_id="p")
    assert (read.last_success, read.last_failure, read.last_seen) == (NOON + 3, NOON + 1, NOON + 3)
    assert read.last_message == "run 3"


def test_a_run_needs_a_pipeline_and_a_known_status(sdk, data_set_id):
    sdk.extraction_pipelines.create(pipeline("p", data_set_id))
    for bad in (run("x", "success"), run("p", "perhaps"), run("p", "seen", message="m" * 1_001)):
        with pytest.raises(CogniteAPIError) as caught:
            sdk.extraction_pipelines.runs.create(bad)
        assert caught.value.code == 400
    sdk.extraction_pipelines.runs.create(run("p", "seen", message="m" * 1_000))
    sdk.extraction_pipelines.delete(external_id="p")
    with pytest.raises(CogniteNotFoundError):
        sdk.extraction_pipelines.runs.list(external_id="p")
