"""Random questions about every table, answered as a PostgreSQL 15 with the same rows answers them.

What CDF is asked to leave out must not be missing from an answer. `PENSTOCK_QUESTIONS` is the number of
questions for each table, `PENSTOCK_SEED` the seed; both are in what a failure prints.
"""

import os
import random

import psycopg
import pytest
from cognite.client import data_modeling as dm
from support.assorted_rows import STRINGS, AssortedRows
from support.binary import PROJECT
from support.configured import ConfiguredGateway
from support.postgresql import Cluster
from support.random_questions import RandomQuestions
from support.twin_table import TwinTable

pytestmark = pytest.mark.gateway_only

QUESTIONS = int(os.environ.get("PENSTOCK_QUESTIONS", "16"))
SEED = int(os.environ.get("PENSTOCK_SEED", random.SystemRandom().randrange(10**6)))

COLUMNS = {
    "a_text": "TEXT",
    "a_flag": "BOOL",
    "a_bigint": "BIGINT",
    "a_double": "DOUBLE PRECISION",
    "a_time": "TIMESTAMPTZ",
}
KEYS = {
    "by_text": ("TEXT", [text for text in STRINGS if text.strip()]),
    "by_bigint": ("BIGINT", ["0", "-1", "7", "10", "9007199254740993", "9223372036854775807"]),
    "by_double": ("DOUBLE PRECISION", ["0", "0.1", "1e300", "-1e300", "5", "1e-7"]),
    "by_time": ("TIMESTAMPTZ", ["1970-01-01Z", "2026-11-01 12:00:00.001Z", "2026-11-01 12:00:00.002+01"]),
    "by_flag": ("BOOL", ["true", "false"]),
}
RAW_TABLES = [
    {
        "type": "raw_rows",
        "tablename": name,
        "options": {"database": "custom", "table": name, "primaryKey": "key"},
        "columns": {"key": {"type": kind}} | {column: {"type": type_} for column, type_ in COLUMNS.items()},
    }
    for name, (kind, _) in KEYS.items()
]
VIEW = {
    "type": "view",
    "tablename": "things",
    "options": {"space": "plant", "externalId": "Thing", "version": "v1"},
}
PROPERTIES = {
    "a_text": dm.Text(),
    "a_flag": dm.Boolean(),
    "a_bigint": dm.Int64(),
    "a_double": dm.Float64(),
    "a_time": dm.Timestamp(),
}
TABLES = [
    "assets",
    "events",
    "time_series",
    "files",
    "sequences",
    "relationships",
    "labels",
    "extraction_pipelines",
    "extraction_pipeline_runs",
    "cdf.data_sets",
    "double_datapoints",
    "string_datapoints",
    "cdf.double_datapoints",
    "cdf.string_datapoints",
    "sequence_rows",
    "raw_rows",
    "raw_tables",
    "views",
    "containers",
    *KEYS,
    "things",
]


def make_view(client) -> None:
    client.data_modeling.spaces.apply(dm.SpaceApply("plant"))
    properties = {name: dm.ContainerProperty(type_) for name, type_ in PROPERTIES.items()}
    container = client.data_modeling.containers.apply(
        dm.ContainerApply(space="plant", external_id="Thing", properties=properties, used_for="node")
    )
    mapped = {name: dm.MappedPropertyApply(container.as_id(), name) for name in properties}
    client.data_modeling.views.apply(
        dm.ViewApply(space="plant", external_id="Thing", version="v1", properties=mapped)
    )


@pytest.fixture(scope="module")
def pair(local_cdf, tmp_path_factory):
    """Connections to a gateway and to a PostgreSQL 15."""
    make_view(local_cdf.client(project=PROJECT))
    cluster = Cluster("fsync = off")
    try:
        directory = tmp_path_factory.mktemp("twin")
        with ConfiguredGateway(directory, local_cdf.url, tables=(*RAW_TABLES, VIEW)) as gateway:
            options = {"autocommit": True, "options": "-c TimeZone=Europe/Oslo"}
            with (
                psycopg.connect(**gateway.server.keywords(**options)) as asked,
                psycopg.connect(**cluster.server.keywords(**options)) as twin,
            ):
                rows = AssortedRows(asked, SEED)
                rows.fill_all()
                for table, (_, keys) in KEYS.items():
                    rows.fill(table, keys, "key")
                nodes = [f"{text}{number}" for number, text in enumerate(STRINGS[:-2]) if text.strip()]
                rows.fill("things", nodes, "external_id", space="plant")
                yield asked, twin
    finally:
        cluster.stop()


@pytest.mark.parametrize("table", TABLES)
def test_every_question_has_the_answer_of_postgresql(pair, table):
    asked, twin = pair
    twins = TwinTable(asked, twin, table)
    assert twins.rows
    values = {
        column.name: sorted({row[place].decode() for row in twins.rows if row[place] is not None})
        for place, column in enumerate(twins.columns)
    }
    questions = RandomQuestions(table, twins.columns, values, SEED)
    answered = 0
    for number in range(QUESTIONS):
        question = questions.next()
        try:
            answered += twins.compare(question.statement, question.parameters, question.is_ordered)
        except AssertionError as difference:
            raise AssertionError(f"seed {SEED}, question {number}: {difference}") from None
    # Most answers have rows, or the questions would ask nothing.
    assert answered > QUESTIONS / 5
