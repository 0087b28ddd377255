"""A gateway whose CDF answers as scripted: the setting of the tests of errors.

Owns a local CDF, a server before it that answers what it is told to, and a gateway. What is in CDF is
read past the server before it.
"""

from __future__ import annotations

import contextlib
import pathlib
import urllib.request

import psycopg

from .binary import PROJECT
from .configured import ConfiguredGateway
from .emulator import Emulator
from .local_cdf import LocalCdf
from .scripted_http import ScriptedHttp
from .store import CdfStore
from .told import Told, told

# Repeats come quickly, and for longer than any test takes.
SOON = {
    "initial_interval_ms": 20,
    "interval_max_ms": 100,
    "elapsed_max_s": 60,
    "request_timeout_s": 30,
    "stale_write_guard_ms": 50,
}
# What does not pass is given up.
HASTY = {"elapsed_max_s": 2, "request_timeout_s": 2}
# One test's failures must not make an endpoint rest in the next one.
UNPACED = {
    "breaker_failures": 0,
    "breaker_open_initial_ms": 100,
    "breaker_open_max_ms": 500,
    "adaptive_concurrency": False,
}
SECRET = "the-secret-of-the-loader"
COPY_RAW = "COPY raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) FROM STDIN"
COPY_POINTS = "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"


class Troubled:
    """`retry` changes how it repeats, `cdf` makes the credentials from this setting; what else is
    given goes to the gateway."""

    def __init__(self, directory: pathlib.Path, retry: dict | None = None, cdf=None, **gateway):
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self.local = LocalCdf(directory / "cdf.log")
            stack.callback(self.local.stop)
            self.front = stack.enter_context(ScriptedHttp(self.local.url))
            self.emulator = Emulator(self.local.url)
            self.store = CdfStore(self.local.url, PROJECT)
            credentials = cdf(self) if cdf else {"token": "any-token-will-do"}
            principal = credentials | {"create_missing_time_series": False}
            gateway = {"retry": SOON | (retry or {}), "pacing": UNPACED} | gateway
            self.gateway = stack.enter_context(
                ConfiguredGateway(directory, self.front.url, principal, **gateway)
            )
            self._stack = stack.pop_all()

    def __enter__(self) -> Troubled:
        return self

    def __exit__(self, *why) -> None:
        self.front.calm()
        self._stack.__exit__(*why)

    def connect(self, **options) -> psycopg.Connection:
        return psycopg.connect(**self.gateway.server.keywords(), **({"autocommit": True} | options))


def copy_raw(connection: psycopg.Connection, database: str, keys) -> int:
    """Copies one row for each key into the table t; returns how many were written."""
    with connection.cursor() as cursor:
        with cursor.copy(COPY_RAW) as copy:
            for key in keys:
                copy.write_row((database, "t", key, '{"n": 1}'))
        return cursor.rowcount


def copy_points(connection: psycopg.Connection, points) -> int:
    """Copies points, each a triple of series, moment and value; returns how many were written."""
    with connection.cursor() as cursor:
        with cursor.copy(COPY_POINTS) as copy:
            for point in points:
                copy.write_row(point)
        return cursor.rowcount


def free_port() -> int:
    """A port that nobody listens at."""
    with ScriptedHttp() as nobody:
        return int(nobody.url.rpartition(":")[2])


def alone(directory, cdf_url, cdf=None, retry=None, **more) -> ConfiguredGateway:
    """A gateway without a CDF of its own; `cdf` are its credentials."""
    retry = SOON | (retry or {})
    return ConfiguredGateway(directory, cdf_url, cdf, retry=retry, pacing=UNPACED, **more)


def failure_of(gateway, statement, *values) -> Told:
    """Runs a statement that must fail, in a session that must live; returns the error."""
    with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
        error = told(connection.execute, statement, values)
        assert connection.execute("SELECT 1").fetchone() == (1,)
    return error


def retries(gateway, cause) -> float:
    """How often requests were repeated for this cause, or for any."""
    with urllib.request.urlopen(f"{gateway.http_url}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    counts = [line for line in lines if line.startswith("penstock_retries_total") and cause in line]
    return sum(float(line.rpartition(" ")[2]) for line in counts)


def credentials_of(provider) -> dict:
    """Client credentials whose tokens come from this server."""
    return {
        "token_url": f"{provider.url}/token",
        "client_id": "loader",
        "client_secret": SECRET,
        "scope": "https://api.cognitedata.com/.default",
    }
