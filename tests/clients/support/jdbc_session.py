"""pgjdbc, PostgreSQL's driver of Java: one connection, asked from Python.

Owns a Java process that runs `JdbcSession.java` beside this file, with Debian's pgjdbc. Values come as
the driver's `getString` gives them.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess

DRIVER = "/usr/share/java/postgresql.jar"
PROGRAM = pathlib.Path(__file__).with_name("JdbcSession.java")


class JdbcError(Exception):
    """An SQLException."""

    def __init__(self, said: dict):
        super().__init__(said["message"])
        self.sqlstate = said["sqlstate"]
        self.position = said["position"]


@dataclasses.dataclass(frozen=True)
class Rows:
    columns: list[str]
    types: list[str]
    values: list[list[str | None]]

    @property
    def records(self) -> list[dict[str, str | None]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.values]

    def column(self, name: str) -> list[str | None]:
        place = self.columns.index(name)
        return [row[place] for row in self.values]


def _word(value) -> str:
    if value is None:
        return r"\N"
    return str(value).replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n")


class JdbcSession:
    """`properties` are those of the driver."""

    def __init__(self, server, **properties: str):
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", DRIVER, str(PROGRAM)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        url = f"jdbc:postgresql://{server.host}:{server.port}/{server.database}"
        pairs = {"user": server.user, "password": server.password} | properties
        try:
            self._ask(url, *(word for pair in pairs.items() for word in pair))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> JdbcSession:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    def _ask(self, *words) -> Rows:
        self._process.stdin.write("\t".join(_word(word) for word in words) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the Java program ended; its standard error says why"
        said = json.loads(line)
        if "message" in said:
            raise JdbcError(said)
        return Rows(said["columns"], said.get("types", []), said["rows"])

    def query(self, sql: str, *parameters: int | str, fetch_size: int = 0) -> Rows:
        """A prepared statement; numbers go as bigint, texts as varchar."""
        typed = (f"{'l' if isinstance(value, int) else 's'}:{value}" for value in parameters)
        return self._ask("query", fetch_size, sql, *typed)

    def cancelled_query(self, sql: str) -> Rows:
        """A query that is cancelled from another thread while it runs."""
        return self._ask("cancelled", sql)

    def metadata(self, call: str, *arguments) -> Rows:
        """A call of DatabaseMetaData. Its columns are in capitals: JDBC asks for them in either case."""
        rows = self._ask("metadata", call, *arguments)
        return dataclasses.replace(rows, columns=[column.upper() for column in rows.columns])

    def set_autocommit(self, on: bool) -> None:
        self._ask("autocommit", str(on).lower())

    def commit(self) -> None:
        self._ask("commit")
