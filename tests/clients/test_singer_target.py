"""A Singer target for PostgreSQL, meltanolabs-target-postgres, loads a stream into a custom table."""

import json
import subprocess

import psycopg
import pytest
from support.configured import ConfiguredGateway
from support.dotnet import environment
from support.local_cdf import LocalCdf

pytestmark = [pytest.mark.gateway_only, pytest.mark.timeout(300)]

PUMPS = {
    "type": "raw_rows",
    "tablename": "pumps",
    "options": {"database": "singer", "table": "pumps", "primaryKey": "id"},
    "columns": {
        "id": {"type": "BIGINT"},
        "name": {"type": "VARCHAR"},
        "started": {"type": "TIMESTAMPTZ"},
        "is_on": {"type": "BOOL"},
    },
}
PROPERTIES = {
    "id": {"type": "integer"},
    "name": {"type": ["string", "null"]},
    "started": {"type": "string", "format": "date-time"},
    "is_on": {"type": "boolean"},
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    directory = tmp_path_factory.mktemp("singer")
    local = LocalCdf(directory / "cdf.log")
    with ConfiguredGateway(directory, local.url, tables=(PUMPS,)) as gateway:
        yield gateway
    local.stop()


@pytest.fixture
def load(gateway, tmp_path):
    """Pipes records of a stream into the target."""

    def run(stream: str, records: list[dict], **options) -> subprocess.CompletedProcess:
        server = gateway.server
        configuration = {
            "host": server.host,
            "port": server.port,
            "user": server.user,
            "password": server.password,
            "database": server.database,
            "default_target_schema": "public",
            "dialect+driver": "postgresql+psycopg",
            # Columns and versions of its own would need ALTER TABLE.
            "add_record_metadata": False,
            "activate_version": False,
            **options,
        }
        file = tmp_path / "target.json"
        file.write_text(json.dumps(configuration))
        schema = {"properties": PROPERTIES}
        messages = [{"type": "SCHEMA", "stream": stream, "key_properties": ["id"], "schema": schema}]
        messages += [{"type": "RECORD", "stream": stream, "record": record} for record in records]
        return subprocess.run(
            [str(environment() / "singer" / "bin" / "target-postgres"), "--config", str(file)],
            input="".join(json.dumps(message) + "\n" for message in messages),
            capture_output=True,
            text=True,
            timeout=100,
        )

    return run


def pumps(gateway) -> list[tuple]:
    with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
        return connection.execute("SELECT id, name, is_on FROM pumps ORDER BY id").fetchall()


def record(number: int, name: str | None) -> dict:
    return {"id": number, "name": name, "started": "2026-11-01T00:00:00Z", "is_on": number % 2 == 0}


@pytest.mark.parametrize("use_copy", [False, True], ids=["insert", "copy"])
def test_records_are_merged_by_their_key(gateway, load, use_copy):
    with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
        connection.execute("TRUNCATE pumps")
    first = load("pumps", [record(n, f"it's pump {n}") for n in range(50)], use_copy=use_copy)
    assert first.returncode == 0, first.stderr
    second = load("pumps", [record(n, None) for n in range(40, 60)], use_copy=use_copy)
    assert second.returncode == 0, second.stderr
    expected = [(n, f"it's pump {n}" if n < 40 else None, n % 2 == 0) for n in range(60)]
    assert pumps(gateway) == expected


def test_a_stream_without_a_table_is_refused_with_the_reason(gateway, load):
    before = pumps(gateway)
    done = load("valves", [record(1, "valve")])
    assert done.returncode != 0
    assert "CREATE statement is not supported" in done.stderr or "permission denied" in done.stderr
    assert pumps(gateway) == before
