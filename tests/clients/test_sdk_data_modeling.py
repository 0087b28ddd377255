"""Cognite's Python SDK, unpatched, on the emulator's data modeling and units."""

import datetime

import pytest
from cognite.client.data_classes import filters
from cognite.client.data_classes.data_modeling import (
    ContainerApply,
    ContainerId,
    ContainerProperty,
    DataModelApply,
    DirectRelation,
    DirectRelationReference,
    EdgeApply,
    EdgeId,
    InstanceSort,
    MappedPropertyApply,
    MultiEdgeConnectionApply,
    NodeApply,
    NodeId,
    NodeOrEdgeData,
    SpaceApply,
    Text,
    ViewApply,
    ViewId,
)
from cognite.client.data_classes.data_modeling.cdm.v1 import CogniteTimeSeriesApply
from cognite.client.data_classes.data_modeling.containers import (
    BTreeIndexApply,
    RequiresConstraintApply,
    UniquenessConstraintApply,
)
from cognite.client.data_classes.data_modeling.data_types import (
    Boolean,
    Date,
    Enum,
    EnumValue,
    FileReference,
    Float32,
    Float64,
    Int32,
    Int64,
    Json,
    SequenceReference,
    TimeSeriesReference,
    Timestamp,
)
from cognite.client.exceptions import CogniteAPIError, CogniteNotFoundError

pytestmark = pytest.mark.gateway_only

SPACE = "plant"
PUMP = ViewId(SPACE, "Pump", "v1")
NOON = 1_700_000_000_000

TYPES = {
    "text": Text(),
    "boolean": Boolean(),
    "int32": Int32(),
    "int64": Int64(),
    "float32": Float32(),
    "float64": Float64(),
    "timestamp": Timestamp(),
    "date": Date(),
    "json": Json(),
    "series": TimeSeriesReference(),
    "file": FileReference(),
    "sequence": SequenceReference(),
    "texts": Text(is_list=True),
    "floats": Float64(is_list=True),
    "state": Enum({"on": EnumValue(name="On"), "off": EnumValue()}),
    "feeds": DirectRelation(),
    "fedBy": DirectRelation(is_list=True),
}

VALUES = {
    "text": "Pumpe é",
    "boolean": True,
    "int32": -7,
    "int64": 2**53 + 1,
    "float32": 1.5,
    "float64": 1e-300,
    "timestamp": "2024-05-01T10:00:00.000+00:00",
    "date": "2024-02-29",
    "json": {"a": [1, {"b": None}]},
    "series": "flow",
    "file": "manual.pdf",
    "sequence": "curve",
    "texts": ["a", "b"],
    "floats": [1.0, 2.5],
    "state": "on",
    "feeds": {"space": SPACE, "externalId": "tank"},
    "fedBy": [{"space": SPACE, "externalId": "well"}],
}


@pytest.fixture
def models(sdk):
    """Data modeling with a space, a container of every type and a view over it."""
    models = sdk.data_modeling
    models.spaces.apply(SpaceApply(SPACE, name="Plant"))
    models.containers.apply(pump_container())
    models.views.apply(pump_view())
    return models


def pump_container(**more):
    properties = {name: ContainerProperty(type_) for name, type_ in TYPES.items()}
    properties["starts"] = ContainerProperty(Int32(), nullable=False, default_value=0)
    return ContainerApply(SPACE, "Pump", properties, used_for="all", **more)


def pump_view(version="v1", **more):
    container = ContainerId(SPACE, "Pump")
    properties = {name: MappedPropertyApply(container, name) for name in [*TYPES, "starts"]}
    properties["pipes"] = MultiEdgeConnectionApply(
        type=DirectRelationReference(SPACE, "Pump.pipes"), source=PUMP, name="Pipes"
    )
    return ViewApply(SPACE, "Pump", version, properties=properties, **more)


def pump(external_id, **values):
    return NodeApply(SPACE, external_id, sources=[NodeOrEdgeData(PUMP, values)])


def pipe(external_id, start, end):
    return EdgeApply(
        SPACE,
        external_id,
        type=(SPACE, "Pump.pipes"),
        start_node=(SPACE, start),
        end_node=(SPACE, end),
    )


# --- schemas ---------------------------------------------------------------------------


def test_spaces_are_made_read_listed_and_deleted(sdk):
    spaces = sdk.data_modeling.spaces
    made = spaces.apply([SpaceApply("a", description="first"), SpaceApply("b")])
    assert [space.space for space in made] == ["a", "b"]
    assert made[0].is_global is False
    assert spaces.retrieve("a").dump() == made[0].dump()
    assert spaces.retrieve("unknown") is None
    assert {space.space for space in spaces.list(limit=-1)} == {"a", "b"}
    assert "cdf_cdm" in {space.space for space in spaces.list(include_global=True, limit=-1)}
    assert spaces.delete(["a", "unknown"]) == ["a"]


def test_a_container_of_every_type_comes_back_as_it_went(models):
    read = models.containers.retrieve((SPACE, "Pump"))
    assert {name: read.properties[name].type.dump() for name in TYPES} == {
        name: type_.dump() for name, type_ in TYPES.items()
    }
    assert read.properties["starts"].default_value == 0
    assert read.properties["starts"].nullable is False
    assert read.used_for == "all"
    assert models.containers.list(space=SPACE, limit=-1)[0].dump() == read.dump()


def test_constraints_and_indexes_are_kept_and_taken_away(models):
    models.containers.apply(
        pump_container(
            constraints={
                "texts": UniquenessConstraintApply(["text"]),
                "named": RequiresConstraintApply(ContainerId("cdf_cdm", "CogniteDescribable")),
            },
            indexes={"text": BTreeIndexApply(["text"], cursorable=True)},
        )
    )
    read = models.containers.retrieve((SPACE, "Pump"))
    assert set(read.constraints) == {"texts", "named"} and set(read.indexes) == {"text"}
    pump_id = ContainerId(SPACE, "Pump")
    assert models.containers.delete_constraints([(pump_id, "named")]) == [(pump_id, "named")]
    assert models.containers.delete_indexes([(pump_id, "text")]) == [(pump_id, "text")]
    read = models.containers.retrieve((SPACE, "Pump"))
    assert set(read.constraints) == {"texts"} and not read.indexes


def test_a_view_shows_types_connections_and_what_it_inherits(models):
    special = ViewApply(
        SPACE,
        "SpecialPump",
        "v1",
        implements=[PUMP],
        filter=filters.HasData(views=[PUMP]),
        properties={"title": MappedPropertyApply(ContainerId(SPACE, "Pump"), "text")},
    )
    made = models.views.apply(special)
    assert made.properties["title"].type == Text()
    assert made.properties["float64"].type == Float64()
    assert made.properties["pipes"].name == "Pipes"
    assert made.implements == [PUMP]
    assert made.filter.dump() == special.filter.dump()
    own = models.views.retrieve(made.as_id(), include_inherited_properties=False)[0]
    assert set(own.properties) == {"title"}
    models.views.apply(pump_view("v2"))
    assert [view.version for view in models.views.retrieve((SPACE, "Pump"), all_versions=True)] == [
        "v1",
        "v2",
    ]
    listed = models.views.list(space=SPACE, limit=-1)
    assert {view.external_id: view.version for view in listed} == {"Pump": "v2", "SpecialPump": "v1"}
    assert models.views.delete(made.as_id()) == [made.as_id()]


def test_a_data_model_holds_views(models):
    made = models.data_models.apply(DataModelApply(SPACE, "Plant", "v1", name="Plant", views=[PUMP]))
    assert made.views == [PUMP]
    read = models.data_models.retrieve(made.as_id(), inline_views=True)[0]
    assert read.views[0].properties["int64"].type == Int64()
    assert [model.external_id for model in models.data_models.list(space=SPACE)] == ["Plant"]
    assert models.data_models.delete(made.as_id()) == [made.as_id()]
    assert models.data_models.list(space=SPACE) == []


def test_statistics_show_the_limits_of_a_project(models):
    figures = models.statistics.project()
    assert figures.spaces.count == 1 and figures.containers.count == 1
    assert (
        figures.concurrent_write_limit,
        figures.concurrent_delete_limit,
        figures.concurrent_read_limit,
    ) == (4, 2, 8)
    assert models.statistics.spaces.retrieve(SPACE).views == 1


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        (
            lambda models: models.containers.apply(other_space(pump_container())),
            "One or more spaces do not exist",
        ),
        (lambda models: models.views.apply(other_space(pump_view())), "One or more spaces do not exist"),
        (
            lambda models: models.views.apply(pump_view("v3", implements=[ViewId(SPACE, "None", "v1")])),
            "One or more views do not exist: 'plant:None/v1'",
        ),
        (
            lambda models: models.data_models.apply(
                DataModelApply(SPACE, "Plant", "v1", views=[ViewId(SPACE, "None", "v1")])
            ),
            "One or more views do not exist: 'plant:None/v1'",
        ),
        (lambda models: models.spaces.delete(SPACE), "not empty"),
        (lambda models: models.views.delete(("cdf_cdm", "CogniteTimeSeries", "v1")), "system space"),
    ],
    ids=["container", "view", "implements", "data model", "space in use", "system"],
)
def test_a_wrong_schema_is_a_400(models, apply, message):
    with pytest.raises(CogniteAPIError, match=message) as caught:
        apply(models)
    assert caught.value.code == 400


def other_space(definition):
    definition.space = "elsewhere"
    return definition


# --- nodes and edges -------------------------------------------------------------------


def test_a_node_with_every_type_comes_back(models):
    written = models.instances.apply(nodes=pump("p1", **VALUES)).nodes[0]
    assert written.version == 1 and written.was_modified
    read = models.instances.retrieve(nodes=NodeId(SPACE, "p1"), sources=PUMP).nodes[0]
    assert dict(read.properties[PUMP]) == VALUES | {"starts": 0}
    assert models.instances.retrieve(nodes=NodeId(SPACE, "unknown")).nodes == []
    # Targets of direct relations are made along.
    targets = models.instances.retrieve(nodes=[NodeId(SPACE, "tank"), NodeId(SPACE, "well")])
    assert len(targets.nodes) == 2


def test_a_second_write_patches_or_replaces(models):
    models.instances.apply(nodes=pump("p1", text="a", int32=1))
    patched = models.instances.apply(nodes=pump("p1", int32=2)).nodes[0]
    assert (patched.version, patched.was_modified) == (2, True)
    same = models.instances.apply(nodes=pump("p1", int32=2)).nodes[0]
    assert (same.version, same.was_modified) == (2, False)
    read = models.instances.retrieve(nodes=NodeId(SPACE, "p1"), sources=PUMP).nodes[0]
    assert read.properties[PUMP] == {"text": "a", "int32": 2, "starts": 0}
    models.instances.apply(nodes=pump("p1", float64=1.5), replace=True)
    read = models.instances.retrieve(nodes=NodeId(SPACE, "p1"), sources=PUMP).nodes[0]
    assert read.properties[PUMP] == {"float64": 1.5, "starts": 0}


def test_edges_need_their_nodes_or_make_them(models):
    with pytest.raises(CogniteAPIError, match="startNode") as caught:
        models.instances.apply(edges=pipe("e1", "a", "b"))
    assert caught.value.code == 400
    made = models.instances.apply(
        edges=pipe("e1", "a", "b"), auto_create_start_nodes=True, auto_create_end_nodes=True
    ).edges[0]
    assert made.was_modified
    edge = models.instances.retrieve(edges=EdgeId(SPACE, "e1")).edges[0]
    assert edge.start_node == DirectRelationReference(SPACE, "a")
    assert edge.type == DirectRelationReference(SPACE, "Pump.pipes")
    deleted = models.instances.delete(nodes=[NodeId(SPACE, "a"), NodeId(SPACE, "unknown")])
    assert deleted.nodes == [NodeId(SPACE, "a")]
    assert models.instances.list(instance_type="edge") == []


def test_two_and_a_half_thousand_nodes_go_in_chunks_and_come_back_in_pages(models):
    nodes = [pump(f"p{number:04}", int32=number) for number in range(2_500)]
    assert len(models.instances.apply(nodes=nodes).nodes) == 2_500
    read = models.instances.list(sources=PUMP, limit=None)
    assert [node.properties[PUMP]["int32"] for node in read] == list(range(2_500))


def test_lists_are_filtered_and_sorted(models):
    base = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    models.instances.apply(
        nodes=[
            pump(
                f"p{number}",
                text=f"Pump {number}",
                float64=10.0 - number,
                timestamp=(base + datetime.timedelta(days=number)).isoformat(timespec="milliseconds"),
                texts=["even" if number % 2 == 0 else "odd"],
                state="on" if number < 3 else "off",
            )
            for number in range(6)
        ]
    )

    def found(where, **more):
        nodes = models.instances.list(sources=PUMP, filter=where, limit=None, **more)
        return [node.external_id for node in nodes]

    at = PUMP.as_property_ref
    assert found(filters.Equals(at("text"), "Pump 4")) == ["p4"]
    assert found(filters.In(at("state"), ["off"])) == ["p3", "p4", "p5"]
    assert found(filters.Range(at("float64"), gt=8.0)) == ["p0", "p1"]
    assert found(filters.Range(at("timestamp"), gte="2024-01-05T00:00:00Z")) == ["p4", "p5"]
    assert found(filters.Prefix(at("text"), "Pump 2")) == ["p2"]
    assert found(filters.Exists(at("int64"))) == []
    assert found(filters.HasData(views=[PUMP]) & filters.ContainsAny(at("texts"), ["odd"])) == [
        "p1",
        "p3",
        "p5",
    ]
    assert found(~filters.Or(filters.Equals(at("state"), "on"), filters.Equals(at("float64"), 5.0))) == [
        "p3",
        "p4",
    ]
    assert found(filters.Equals(["node", "externalId"], "p1")) == ["p1"]
    order = InstanceSort(at("float64"), direction="ascending")
    assert found(None, sort=order) == ["p5", "p4", "p3", "p2", "p1", "p0"]
    in_space = models.instances.list(space=SPACE, limit=2)
    assert [node.external_id for node in in_space] == ["p0", "p1"]
    typed = models.instances.list(sources=PUMP, include_typing=True)
    assert typed.typing[SPACE, "Pump/v1"]["float64"].type == Float64()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"int32": "seven"}, "expected int32"),
        ({"int32": 2**31}, "expected int32"),
        ({"float32": 1e39}, "expected float32"),
        ({"boolean": 1}, "expected boolean"),
        ({"timestamp": "noon"}, "expected timestamp"),
        ({"date": "2023-02-29"}, "expected date"),
        ({"state": "broken"}, "expected enum"),
        ({"texts": "a"}, "expected a list of text"),
        ({"feeds": "tank"}, "expected direct"),
        ({"text": "x" * 128_001}, "128000 bytes"),
        ({"height": 1}, "Unknown property 'height'"),
        ({"starts": None}, "has to have a value"),
    ],
)
def test_a_wrong_value_is_a_400_and_nothing_is_written(models, values, message):
    with pytest.raises(CogniteAPIError, match=message) as caught:
        models.instances.apply(nodes=[pump("good"), pump("bad", **values)])
    assert caught.value.code == 400
    assert models.instances.list(instance_type="node") == []


def test_an_overtaken_version_is_a_409(models):
    models.instances.apply(nodes=pump("p1", int32=1))
    models.instances.apply(nodes=pump("p1", int32=2))
    late = pump("p1", int32=3)
    late.existing_version = 1
    with pytest.raises(CogniteAPIError, match="version conflict caused the ingest to fail") as caught:
        models.instances.apply(nodes=late)
    assert caught.value.code == 409
    skipped = models.instances.apply(nodes=late, skip_on_version_conflict=True).nodes[0]
    assert (skipped.version, skipped.was_modified) == (2, False)


def test_unknown_spaces_and_views_are_named(models):
    with pytest.raises(CogniteAPIError, match="One or more spaces do not exist: 'elsewhere'") as caught:
        models.instances.apply(nodes=NodeApply("elsewhere", "p1"))
    assert caught.value.code == 400
    with pytest.raises(CogniteAPIError, match="One or more views do not exist: 'plant:None/v1'"):
        models.instances.list(sources=ViewId(SPACE, "None", "v1"))
    with pytest.raises(CogniteAPIError, match="One or more spaces do not exist"):
        models.instances.delete(nodes=NodeId("elsewhere", "p1"))


# --- time series and units -------------------------------------------------------------


def test_a_time_series_node_takes_datapoints_by_instance_id(sdk, models):
    flow = NodeId(SPACE, "flow")
    data = sdk.time_series.data
    with pytest.raises(CogniteNotFoundError) as caught:
        data.insert([(NOON, 1.5)], instance_id=flow)
    assert caught.value.code == 400
    models.instances.apply(
        nodes=CogniteTimeSeriesApply(
            SPACE,
            "flow",
            is_step=False,
            time_series_type="numeric",
            name="Flow",
            source_unit="l/s",
            tags=["a"],
        )
    )
    data.insert([(NOON, 1.5), (NOON + 1_000, 2.5)], instance_id=flow)
    points = data.retrieve(instance_id=flow)
    assert list(points.value) == [1.5, 2.5]
    series = sdk.time_series.retrieve(instance_id=flow)
    assert (series.name, series.unit, series.is_string) == ("Flow", "l/s", False)
    node = models.time_series.retrieve(flow)
    assert node.properties[ViewId("cdf_cdm", "CogniteTimeSeries", "v1")]["type"] == "numeric"


def test_the_type_of_a_time_series_node_is_immutable(models):
    def series(kind):
        return CogniteTimeSeriesApply(SPACE, "flow", is_step=False, time_series_type=kind)

    models.instances.apply(nodes=series("string"))
    with pytest.raises(CogniteAPIError, match="Cannot update immutable property") as caught:
        models.instances.apply(nodes=series("numeric"))
    assert caught.value.code == 400


def test_units_are_found_by_id_and_by_name(sdk):
    bar = sdk.units.retrieve("pressure:bar")
    assert (bar.symbol, bar.quantity, bar.conversion.multiplier) == ("bar", "Pressure", 1e5)
    assert sdk.units.from_alias("degC", quantity="Temperature").external_id == "temperature:deg_c"
    assert len(sdk.units.list()) > 50
    assert sdk.units.retrieve(["pressure:bar", "time:sec"])[1].name == "SEC"
    assert {system.name for system in sdk.units.systems.list()} == {"Default", "SI", "Imperial"}
    with pytest.raises(CogniteNotFoundError) as caught:
        sdk.units.retrieve(["pressure:bar", "pressure:foot"])
    assert caught.value.code == 400
    assert sdk.units.retrieve("pressure:foot") is None
