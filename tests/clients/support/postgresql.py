"""A PostgreSQL 15 with the gateway's tables as plain tables, in a directory of its own.

The measure of the client tests: where the gateway must behave as PostgreSQL does, the same
test passes against this. Also what `benches/compare-postgres` compares with. Owns the
cluster; removes it when stopped. PostgreSQL refuses to run as root, so root hands over to
the user `postgres` that Debian's package makes.
"""

from __future__ import annotations

import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import tempfile

from .server import Server

BINARIES = pathlib.Path("/usr/lib/postgresql/15/bin")
USER = "writer"

TABLES = """
CREATE TABLE double_datapoints (value double precision NOT NULL,
    timestamp timestamptz NOT NULL, external_id varchar(255), id bigint);
CREATE TABLE string_datapoints (value varchar(255) NOT NULL,
    timestamp timestamptz NOT NULL, external_id varchar(255), id bigint);
CREATE TABLE raw_rows (_raw_database varchar(32) NOT NULL, _raw_table varchar(64) NOT NULL,
    _raw_key text NOT NULL, _raw_columns json NOT NULL, _raw_last_updated_time timestamptz);
CREATE TABLE raw_tables (_raw_database varchar(32) NOT NULL, _raw_table varchar(64) NOT NULL);
CREATE TABLE time_series (id bigint GENERATED ALWAYS AS IDENTITY,
    external_id varchar(255) UNIQUE, name varchar(255), is_string bool, is_step bool,
    metadata json, unit varchar(32), unit_external_id varchar(64), asset_id bigint,
    description varchar(1000), security_categories bigint[], data_set_id bigint,
    created_time timestamptz, last_updated_time timestamptz);
"""


def _as_postgres(command: list[str], **more) -> subprocess.CompletedProcess:
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    return subprocess.run(command, check=True, cwd="/", capture_output=True, text=True, **more)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Cluster:
    """`settings` are lines of postgresql.conf; the rest is as Debian ships it."""

    def __init__(self, *settings: str):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="postgresql-15-"))
        self._data = self.directory / "data"
        password = secrets.token_urlsafe(12)
        self.server = Server("127.0.0.1", _free_port(), USER, password, USER)
        try:
            if os.geteuid() == 0:
                shutil.chown(self.directory, "postgres")
            self._start(settings)
            self.run_sql(f"CREATE ROLE {USER} LOGIN PASSWORD '{password}'", database="postgres")
            self.run_sql(f"CREATE DATABASE {USER} OWNER {USER}", database="postgres")
            self.run_sql(f"SET ROLE {USER}; {TABLES}")
        except BaseException:
            self.stop()
            raise

    def _start(self, settings: tuple[str, ...]) -> None:
        _as_postgres(
            [str(BINARIES / "initdb"), "-D", str(self._data), "-U", "postgres"]
            + ["--auth-local=trust", "--auth-host=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]
        )
        lines = [f"port = {self.server.port}", "listen_addresses = '127.0.0.1'"]
        lines += [f"unix_socket_directories = '{self.directory}'", "timezone = 'UTC'"]
        with (self._data / "postgresql.conf").open("a") as configuration:
            configuration.write("\n".join([*lines, *settings]) + "\n")
        # pg_ctl must not inherit our pipes: the server would hold them open.
        log = str(self.directory / "log")
        subprocess.run(
            (["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else [])
            + [str(BINARIES / "pg_ctl"), "-D", str(self._data), "-l", log, "-w", "start"],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def run_sql(self, sql: str, database: str = USER) -> str:
        """Runs `sql` as the superuser; returns what psql prints, unaligned."""
        command = [str(BINARIES / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", str(self.directory), "-p", str(self.server.port), "-U", "postgres"]
        return _as_postgres([*command, "-d", database, "-c", sql]).stdout

    def stop(self) -> None:
        if (self._data / "postmaster.pid").exists():
            _as_postgres([str(BINARIES / "pg_ctl"), "-D", str(self._data), "-m", "immediate", "stop"])
        shutil.rmtree(self.directory, ignore_errors=True)


class TableStore:
    """Reads the plain tables, with the answers that `CdfStore` would give."""

    def __init__(self, server: Server):
        import psycopg

        self._connection = psycopg.connect(**server.keywords(), autocommit=True)
        self._connection.execute("SET timezone = 'UTC'")

    def make_series(self, external_id: str, is_string: bool = False) -> int:
        insert = "INSERT INTO time_series (external_id, is_string) VALUES (%s, %s) RETURNING id"
        return self._connection.execute(insert, (external_id, is_string)).fetchone()[0]

    def points(self, external_id: str) -> list:
        identify = "external_id = %(id)s OR id = (SELECT id FROM time_series WHERE external_id = %(id)s)"
        found = []
        for table in ("double_datapoints", "string_datapoints"):
            select = f"SELECT extract(epoch FROM timestamp), value FROM {table} WHERE {identify}"
            rows = self._connection.execute(select, {"id": external_id}).fetchall()
            found += [(round(seconds * 1000), value) for seconds, value in rows]
        return sorted(found)

    def raw(self, database: str, table: str) -> dict[str, dict]:
        select = "SELECT _raw_key, _raw_columns FROM raw_rows WHERE _raw_database = %s AND _raw_table = %s"
        return dict(self._connection.execute(select, (database, table)).fetchall())

    def raw_tables(self, database: str) -> list[str]:
        select = "SELECT _raw_table FROM raw_tables WHERE _raw_database = %s ORDER BY 1"
        return [table for (table,) in self._connection.execute(select, (database,))]

    def series(self, external_id: str) -> dict | None:
        select = """SELECT json_strip_nulls(json_build_object('externalId', external_id,
            'name', name, 'isString', coalesce(is_string, false),
            'isStep', coalesce(is_step, false), 'metadata', metadata, 'unit', unit,
            'description', description, 'securityCategories', security_categories))
            FROM time_series WHERE external_id = %s"""
        row = self._connection.execute(select, (external_id,)).fetchone()
        return row[0] if row else None

    def close(self) -> None:
        self._connection.close()
