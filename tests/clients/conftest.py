"""Fixtures of the client tests: one gateway per module, and what belongs to it.

With `--against postgresql` the same tests run against a PostgreSQL 15 with plain tables,
but for those marked `gateway_only`: that proves that the tests ask for PostgreSQL's
behaviour and nothing else. With `--engine external` the gateway of `target` has its engines in a
PostgreSQL by URL.
"""

from __future__ import annotations

import dataclasses
import pathlib
import typing

import psycopg
import pytest
from support import every_type
from support.binary import PROJECT
from support.samples import unique

LOG_LINES_ON_FAILURE = 60


def pytest_addoption(parser):
    parser.addoption("--against", choices=("gateway", "postgresql"), default="gateway")
    parser.addoption(
        "--engine", choices=("embedded", "external"), default="embedded", help="who runs cold statements"
    )


def pytest_collection_modifyitems(config, items):
    marks = set()
    if config.getoption("--against") == "postgresql":
        marks.add("gateway_only")
    if config.getoption("--engine") == "external":
        marks.add("embedded_only")
    left_out = [item for item in items if marks & {mark.name for mark in item.iter_markers()}]
    if not left_out:
        return
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@dataclasses.dataclass(frozen=True)
class Target:
    """A server under test and the way to see what it has stored."""

    server: object
    store: object
    emulator: object = None
    process: object = None
    cdf_url: str = ""
    http_url: str = ""


@pytest.fixture(scope="session")
def engine_server():
    """A PostgreSQL for gateways to have engines in."""
    from support.engine_server import EngineServer

    server = EngineServer()
    yield server
    server.remove()


def _gateway_target(log: pathlib.Path, *flags: str) -> tuple[Target, typing.Callable]:
    from support.gateway import Gateway

    gateway = Gateway(log, *flags)
    target = Target(
        gateway.server, gateway.store, gateway.emulator, gateway.process, gateway.cdf_url, gateway.http_url
    )
    return target, gateway.stop


def _postgresql_target() -> tuple[Target, typing.Callable]:
    from support.postgresql import Cluster, TableStore

    cluster = Cluster("fsync = off")
    store = TableStore(cluster.server)

    def stop():
        store.close()
        cluster.stop()

    return Target(cluster.server, store), stop


def _typed_gateway_target(directory: pathlib.Path) -> tuple[Target, typing.Callable]:
    from support.configured import ConfiguredGateway
    from support.emulator import Emulator
    from support.local_cdf import LocalCdf
    from support.store import CdfStore

    local = LocalCdf(directory / "cdf.log")
    gateway = ConfiguredGateway(directory, local.url, tables=(every_type.DEFINITION,))
    store, emulator = CdfStore(local.url, PROJECT), Emulator(local.url)

    def stop():
        gateway.process.stop()
        local.stop()

    return Target(gateway.server, store, emulator, gateway.process, local.url, gateway.http_url), stop


def _target(request, tmp_path_factory, *flags: str):
    if request.config.getoption("--against") == "postgresql":
        target, stop = _postgresql_target()
    else:
        log = tmp_path_factory.mktemp(request.module.__name__) / "gateway.log"
        if request.config.getoption("--engine") == "external":
            flags += ("--engine-url", request.getfixturevalue("engine_server").url)
        target, stop = _gateway_target(log, *flags)
    yield target
    stop()


@pytest.fixture(scope="module")
def target(request, tmp_path_factory):
    """A gateway that makes the time series that datapoints name."""
    yield from _target(request, tmp_path_factory, "--create-missing-time-series")


@pytest.fixture(scope="module")
def strict_target(request, tmp_path_factory):
    """A gateway that refuses datapoints of unknown time series, which is the default."""
    yield from _target(request, tmp_path_factory)


@pytest.fixture(scope="module")
def typed_target(request, tmp_path_factory):
    """A server whose user has a table with a column of each type, see `support.every_type`."""
    if request.config.getoption("--against") == "postgresql":
        target, stop = _postgresql_target()
        with psycopg.connect(**target.server.keywords(autocommit=True)) as connection:
            connection.execute(every_type.CREATE_TABLE)
    else:
        target, stop = _typed_gateway_target(tmp_path_factory.mktemp(request.module.__name__))
    with psycopg.connect(**target.server.keywords(autocommit=True)) as connection:
        # The engine is there from here on: on a busy machine its start takes longer than some clients wait.
        connection.execute("SELECT max(n) FROM generate_series(1, 2) AS n")
    yield target
    stop()


@pytest.fixture
def server(target):
    return target.server


@pytest.fixture
def store(target):
    return target.store


@pytest.fixture
def connection(server):
    """A connection of psycopg on which each statement stands for itself."""
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        yield connection


@pytest.fixture
def cdf(store):
    """Cognite's SDK, connected to what the gateway writes to."""
    return store.client


@pytest.fixture
def emulator(target):
    """The emulator of the module's gateway; what a test injects ends with the test."""
    yield target.emulator
    target.emulator.clear_faults()


@pytest.fixture
def series(request):
    """An external id of its own for each test."""
    return unique(request.node.name[:150])


@pytest.fixture
def raw_database():
    return unique("db")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of the log of each gateway that it used."""
    report = (yield).get_result()
    if not report.failed:
        return
    for name in ("target", "strict_target"):
        process = getattr(item.funcargs.get(name), "process", None)
        if process is not None:
            report.sections.append((f"log of {name}", process.log_tail(LOG_LINES_ON_FAILURE)))


@pytest.fixture(scope="module")
def local_cdf(tmp_path_factory):
    """An emulator of its own for the module, and Cognite's SDK with few and short retries."""
    from cognite.client import global_config
    from support.local_cdf import LocalCdf

    # The settings belong to the process, so they are put back.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(global_config, "disable_pypi_version_check", True)
        patch.setattr(global_config, "max_retries", 2)
        patch.setattr(global_config, "max_retry_backoff", 1)
        local = LocalCdf(tmp_path_factory.mktemp("emulator") / "log")
        yield local
        local.stop()


@pytest.fixture
def sdk(local_cdf):
    """Cognite's SDK on an empty project."""
    local_cdf.forget()
    return local_cdf.client()
