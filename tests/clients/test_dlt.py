"""dlt loads into custom tables: those of the data and the three of its own, which it finds made.

dlt makes tables where they are missing; behind the gateway they are made with the tables API, each with
the column that dlt itself has as its key.
"""

import datetime
import os
import subprocess
import sys

import psycopg
import pytest
from support.configured import ConfiguredGateway
from support.local_cdf import LocalCdf

pytestmark = [
    pytest.mark.gateway_only,
    # A process of dlt's takes seconds to begin, on a busy machine many.
    pytest.mark.timeout(300),
    # Its own affair: it warns of what it will change.
    pytest.mark.filterwarnings("ignore"),
]

OWN = {"_dlt_load_id": "VARCHAR", "_dlt_id": "VARCHAR"}


def table(tablename: str, key: str, /, **columns: str) -> dict:
    return {
        "type": "raw_rows",
        "tablename": tablename,
        "options": {"database": "dlt", "table": tablename, "primaryKey": key},
        "columns": {name: {"type": type_name} for name, type_name in columns.items()},
    }


VERSIONS = {"version": "BIGINT", "engine_version": "BIGINT"}
TABLES = (
    table(
        "_dlt_version",
        "version_hash",
        **VERSIONS,
        inserted_at="TIMESTAMPTZ",
        schema_name="VARCHAR",
        version_hash="VARCHAR",
        schema="VARCHAR",
    ),
    table(
        "_dlt_loads",
        "load_id",
        load_id="VARCHAR",
        schema_name="VARCHAR",
        status="BIGINT",
        inserted_at="TIMESTAMPTZ",
        schema_version_hash="VARCHAR",
    ),
    table(
        "_dlt_pipeline_state",
        "_dlt_id",
        **VERSIONS,
        pipeline_name="VARCHAR",
        state="VARCHAR",
        created_at="TIMESTAMPTZ",
        version_hash="VARCHAR",
        **OWN,
    ),
    table(
        "pumps",
        "_dlt_id",
        name="VARCHAR",
        number="BIGINT",
        started="TIMESTAMPTZ",
        pressure="DOUBLE PRECISION",
        is_on="BOOL",
        **OWN,
    ),
)

# A process of its own for each run: dlt keeps much about a process, and reads its state back from the
# destination when the next one begins.
PROGRAM = """
import datetime, sys
import dlt

url, directory, name, disposition, form, count = sys.argv[1:]

@dlt.resource(name="pumps", write_disposition=disposition, primary_key="name")
def pumps(seen=dlt.sources.incremental("number", initial_value=-1)):
    for number in range(int(count)):
        yield {
            "name": f"it's pump {number}\\\\\\n",
            "number": number,
            "started": datetime.datetime(2026, 11, 1, 12, number, tzinfo=datetime.timezone.utc),
            "pressure": number / 2,
            "is_on": number % 2 == 0,
        }

pipeline = dlt.pipeline(
    name, destination=dlt.destinations.postgres(url), dataset_name="public", pipelines_dir=directory
)
print(pipeline.run(pumps(), loader_file_format=form))
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    directory = tmp_path_factory.mktemp("dlt")
    local = LocalCdf(directory / "cdf.log")
    with ConfiguredGateway(directory, local.url, tables=TABLES) as gateway:
        yield gateway
    local.stop()


@pytest.fixture
def load(gateway, tmp_path):
    """Runs a pipeline that has nothing on its own disk."""

    def run(name: str, disposition: str, count: int, form: str = "insert_values"):
        server = gateway.server
        url = f"postgresql://{server.user}:{server.password}@{server.host}:{server.port}/{server.database}"
        words = [url, str(tmp_path / f"{name}-{count}-{form}"), name, disposition, form, str(count)]
        environment = os.environ | {"RUNTIME__DLTHUB_TELEMETRY": "false", "HOME": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=110,
            cwd=tmp_path,
        )

    return run


def pumps(gateway) -> list[tuple]:
    with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
        connection.execute("SET TimeZone TO 'UTC'")
        select = "SELECT name, number, started, pressure, is_on FROM pumps ORDER BY number"
        return connection.execute(select).fetchall()


def rows(numbers) -> list[tuple]:
    start = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)
    return [
        (f"it's pump {n}\\\n", n, start + datetime.timedelta(minutes=n), n / 2, n % 2 == 0) for n in numbers
    ]


def test_rows_are_replaced_in_either_form(gateway, load):
    for form, count in [("insert_values", 7), ("csv", 5)]:
        done = load("replace", "replace", count, form)
        assert "contains no failed jobs" in done.stdout, done.stdout + done.stderr
        assert pumps(gateway) == rows(range(count))


def test_rows_are_appended_from_where_the_last_run_ended_and_each_load_is_noted(gateway, load):
    before = len(pumps(gateway))
    first, second = load("append", "append", 3), load("append", "append", 5)
    assert "contains no failed jobs" in first.stdout, first.stdout + first.stderr
    # The second run has the first one's state from the gateway alone.
    assert "contains no failed jobs" in second.stdout, second.stdout + second.stderr
    assert len(pumps(gateway)) - before == 5
    with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
        noted = connection.execute(
            "SELECT l.status, v.schema_name FROM _dlt_loads l"
            " JOIN _dlt_version v ON v.version_hash = l.schema_version_hash WHERE v.schema_name = 'append'"
        ).fetchall()
    assert noted == [(0, "append")] * 2


def test_a_merge_is_refused_for_its_staging_schema(gateway, load):
    # It would make a schema, which is not the gateway's to make.
    before = pumps(gateway)
    done = load("merge", "merge", 3)
    assert done.returncode == 1
    assert "CREATE statement is not supported" in done.stderr or "permission denied" in done.stderr
    assert pumps(gateway) == before
