"""Files through Cognite's Python SDK, unpatched, against the emulator."""

import pytest
from cognite.client.data_classes import (
    AssetWrite,
    DataSetWrite,
    FileMetadataUpdate,
    FileMetadataWrite,
    LabelDefinitionWrite,
)
from cognite.client.exceptions import CogniteAPIError, CogniteDuplicatedError, CogniteNotFoundError

pytestmark = pytest.mark.gateway_only

NOON = 1_700_000_000_000


def file(sdk, external_id, overwrite=False, **fields):
    fields = {"name": external_id, **fields}
    return sdk.files.create(FileMetadataWrite(external_id=external_id, **fields), overwrite=overwrite)


def test_a_created_file_comes_back_with_all_its_fields_and_a_place_for_its_content(sdk):
    data_set = sdk.data_sets.create(DataSetWrite(name="Set"))
    asset = sdk.assets.create(AssetWrite(name="a", external_id="a"))
    sdk.labels.create(LabelDefinitionWrite(external_id="l", name="l"))
    made, upload_url = file(
        sdk,
        "doc/1",
        name="é.pdf",
        directory="/a/b",
        source="s",
        mime_type="application/pdf",
        metadata={"k": "v"},
        asset_ids=[asset.id],
        labels=["l"],
        source_created_time=NOON,
        source_modified_time=NOON + 1,
        data_set_id=data_set.id,
        security_categories=[1],
    )
    assert upload_url.startswith("http://")
    read = sdk.files.retrieve(external_id="doc/1")
    assert read.dump() == made.dump()
    assert (read.name, read.directory, read.mime_type) == ("é.pdf", "/a/b", "application/pdf")
    assert read.uploaded is False and read.uploaded_time is None
    assert read.asset_ids == [asset.id] and read.data_set_id == data_set.id
    assert sdk.files.retrieve(external_id="unknown") is None


def test_an_uploaded_file_says_so(sdk):
    made = sdk.files.upload_bytes(b"content", name="f.txt", external_id="f", mime_type="text/plain")
    assert sdk.files.retrieve(id=made.id).uploaded is True
    assert [one.id for one in sdk.files.list(uploaded=True)] == [made.id]
    assert len(sdk.files.list(uploaded=False)) == 0


def test_content_can_be_put_to_a_file_that_is_there(sdk):
    file(sdk, "f")
    sdk.files.upload_content_bytes(b"content", external_id="f")
    assert sdk.files.retrieve(external_id="f").uploaded is True
    with pytest.raises(CogniteNotFoundError):
        sdk.files.upload_content_bytes(b"content", external_id="nothing")


def test_a_taken_external_id_is_a_duplicate_unless_it_is_to_be_overwritten(sdk):
    first, _ = file(sdk, "a", source="x", metadata={"k": "v"})
    with pytest.raises(CogniteDuplicatedError) as caught:
        file(sdk, "a")
    assert (caught.value.code, caught.value.duplicated) == (409, [{"externalId": "a"}])
    second, _ = file(sdk, "a", overwrite=True, name="new")
    assert second.id == first.id
    read = sdk.files.retrieve(external_id="a")
    assert (read.name, read.source, read.metadata) == ("new", None, None)


def test_limits_and_references_are_those_of_cdf(sdk):
    for fields in (
        {"name": "n" * 257},
        {"directory": "relative"},
        {"directory": "/" + "d" * 512},
        {"source": "s" * 129},
        {"mime_type": "m" * 257},
        {"metadata": {"k": "v" * 10_240}},
        {"labels": [f"l{i}" for i in range(11)]},
    ):
        with pytest.raises(CogniteAPIError) as caught:
            file(sdk, "a", **fields)
        assert caught.value.code == 400, fields
    with pytest.raises(CogniteNotFoundError, match="Asset ids not found"):
        file(sdk, "a", asset_ids=[3])
    with pytest.raises(CogniteAPIError, match="Invalid dataSetIds: 4"):
        file(sdk, "a", data_set_id=4)


def test_updates_set_clear_and_merge(sdk):
    asset = sdk.assets.create(AssetWrite(name="a", external_id="a"))
    file(sdk, "u", source="x", metadata={"a": "1"})
    update = FileMetadataUpdate(external_id="u").source.set(None).directory.set("/new")
    updated = sdk.files.update(update.metadata.add({"b": "2"}).asset_ids.add([asset.id]))
    assert (updated.source, updated.directory) == (None, "/new")
    assert updated.metadata == {"a": "1", "b": "2"} and updated.asset_ids == [asset.id]
    with pytest.raises(CogniteNotFoundError) as caught:
        sdk.files.update(FileMetadataUpdate(external_id="x").source.set("y"))
    assert caught.value.missing == [{"externalId": "x"}]


def test_files_are_listed_filtered_and_deleted(sdk, local_cdf):
    for i in range(30):
        file(sdk, f"f{i}", directory=f"/d{i % 3}", mime_type="text/plain" if i < 10 else None)
    assert {one["items"] for one in local_cdf.requests("files.create")} == {1}
    assert len(sdk.files.list(limit=None)) == 30
    assert len(sdk.files.list(limit=7)) == 7
    assert len(sdk.files.list(directory_prefix="/d1", limit=None)) == 10
    assert len(sdk.files.list(mime_type="text/plain", limit=None)) == 10
    assert len(sdk.files.list(name="f3", limit=None)) == 1
    with pytest.raises(CogniteNotFoundError):
        sdk.files.delete(external_id=["f1", "nothing"])
    sdk.files.delete(external_id=["f1", "f2"])
    found = sdk.files.retrieve_multiple(external_ids=["f1", "f2", "f3"], ignore_unknown_ids=True)
    assert [one.external_id for one in found] == ["f3"]
