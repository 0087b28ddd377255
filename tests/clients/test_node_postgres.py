"""node-postgres 8 and pg-copy-streams 7: queries with parameters, by name, streams, pools, types.

programs/node_postgres.js does what a program in JavaScript would; here is what it must have been told.
"""

import json
import pathlib
import subprocess

import pytest
from support import every_type
from support.dotnet import environment
from support.every_type import COLUMNS, VALUES
from support.samples import seconds, unique

PROGRAM = pathlib.Path(__file__).parent / "programs" / "node_postgres.js"


@pytest.fixture(scope="module")
def target(typed_target):
    return typed_target


def started(server, *words) -> subprocess.Popen:
    packages = environment() / "npm" / "node_modules"
    return subprocess.Popen(
        ["node", str(PROGRAM), *words],
        env=server.environment(NODE_PATH=str(packages)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def node(server):
    def run(*words):
        child = started(server, *words)
        out, error = child.communicate(timeout=60)
        assert child.returncode == 0, error
        return json.loads(out)

    return run


def test_a_client_connects(node, server):
    assert node("connect") == {"name": server.user, "two": 2, "version": "PostgreSQL"}


@pytest.mark.parametrize("way", ["insert", "named", "many"])
def test_rows_with_parameters_are_stored(node, store, series, way):
    assert node(way, series, "100") == 100
    assert store.points(series) == seconds(n / 2 for n in range(100))


@pytest.mark.parametrize("options", ["", "FORMAT csv"], ids=["text", "csv"])
def test_a_stream_is_copied(node, store, series, options):
    assert node("copy", series, "5000", options) == 5000
    assert store.points(series) == seconds(n / 2 for n in range(5000))


def test_a_stream_that_ends_early_stores_nothing_and_spares_the_client(node, store, series):
    found = node("copy given up", series)
    assert found["one"] == 1, found
    assert store.points(series) == []


def test_a_bad_line_of_a_stream_is_named(node, store, series):
    assert node("copy failed", series) == {
        "code": "22P02",
        "where": 'COPY double_datapoints, line 1, column value: "one"',
        "one": 1,
    }
    assert store.points(series) == []


def test_rows_are_copied_out_as_a_stream(node):
    assert node("copy out") == 1000


def test_errors_have_postgresqls_codes_and_positions(node):
    assert node("errors") == [
        ["42P01", "ERROR", "13"],
        ["42703", "ERROR", "32"],
        ["22P02", "ERROR", "47"],
        ["42601", "ERROR", "36"],
        1,
    ]


@pytest.mark.gateway_only
def test_a_statement_is_ended_by_its_time_out(node, emulator, series):
    emulator.inject(operation="datapoints.insert", kind="delay", delay_ms=5_000)
    assert node("time out", series) == {"code": "57014", "one": 1}


@pytest.mark.gateway_only
def test_a_statement_is_cancelled_through_another_connection(server, emulator, series):
    emulator.inject(operation="datapoints.insert", kind="delay", delay_ms=5_000)
    child = started(server, "cancel", series)
    assert child.stdout.readline() == "running\n"
    emulator.await_in_flight("datapoints.insert")
    out, error = child.communicate("now\n", timeout=60)
    assert child.returncode == 0, error
    assert json.loads(out) == {"code": "57014", "one": 1}


def test_transactions_commit_and_roll_back_with_savepoints(node, store, series):
    assert node("transaction", series) == ["42P01", "COMMIT"]
    assert store.points(series) == seconds([2.0, 4.0])


def test_a_pool_replaces_a_client_whose_connection_the_server_ended(node):
    assert node("reconnect") == {"code": "57P05", "another": True}


def test_each_type_is_read_back(node):
    key = unique("node")
    values = dict(VALUES)
    values["a_json"] = json.dumps(values["a_json"])
    values["jsons"] = [json.dumps(value) for value in values["jsons"]]
    values["some_bytes"] = values["some_bytes"].hex()
    values["a_time"] = values["a_time"].isoformat()
    # JavaScript's numbers end at 2^53.
    values["a_bigint"] = str(values["a_bigint"])
    values["bigints"] = [str(value) for value in values["bigints"]]
    statements = {
        "insert": every_type.insert(*[f"${number}" for number in range(1, len(COLUMNS) + 2)]),
        "select": every_type.select("$1"),
        "values": values,
        "key": key,
        "names": every_type.NAMES,
    }
    found = node("types", json.dumps(statements))
    assert found["rowCount"] == 1
    assert found["row"] == values | {
        "a_json": VALUES["a_json"],
        "jsons": VALUES["jsons"],
        "a_time": "2026-11-01T12:34:56.789Z",
    }
