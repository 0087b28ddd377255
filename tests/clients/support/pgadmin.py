"""A pgAdmin 4 as people run it on their own machine, driven by the HTTP that its window sends.

Owns the process, with a directory for all that it keeps, and the session of its one user.
Knows the addresses of its tree and of its grid of rows; what pgAdmin asks the server for them
is pgAdmin's own. scripts/test installs it beside the other Python packages, which it would
otherwise drag along.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.cookiejar
import json
import os
import pathlib
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request

from .dotnet import environment
from .process import ServerProcess

READY = r"Please navigate to (?P<url>http://\S+)"
ANSWERS_WITHIN_S = 90
# The group of servers that pgAdmin makes for a new user.
GROUP = 1


class PgAdminError(AssertionError):
    """pgAdmin could not do it, and says why: most often with the words of the database server."""


def _configuration(directory: pathlib.Path) -> str:
    """What differs from a desktop: files here, nobody's keyring, no look for a newer version."""
    settings = {
        "SERVER_MODE": False,
        "DEFAULT_SERVER": "127.0.0.1",
        "DATA_DIR": str(directory),
        "LOG_FILE": str(directory / "pgadmin4.log"),
        "SQLITE_PATH": str(directory / "pgadmin4.db"),
        "SESSION_DB_PATH": str(directory / "sessions"),
        "STORAGE_DIR": str(directory / "storage"),
        "MASTER_PASSWORD_REQUIRED": False,
        "USE_OS_SECRET_STORAGE": False,
        "UPGRADE_CHECK_ENABLED": False,
    }
    return "".join(f"{name} = {value!r}\n" for name, value in settings.items())


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class PgAdmin:
    def __init__(self, directory: pathlib.Path):
        python = environment() / "pgadmin" / "bin" / "python"
        [program] = (environment() / "pgadmin" / "lib").glob("python3*/site-packages/pgadmin4/pgAdmin4.py")
        configuration = directory / "configuration.py"
        configuration.write_text(_configuration(directory))
        self.log = directory / "pgadmin4.log"
        port = _free_port()
        # Nothing of the caller's shell names a database server to it.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        variables = {
            "CONFIG_DISTRO_FILE_PATH": str(configuration),
            "PGADMIN_SERVER_MODE": "OFF",
            "PGADMIN_INT_PORT": str(port),
        }
        self.process = ServerProcess(
            [str(python), str(program)],
            READY,
            directory / "output",
            environment=inherited | variables,
            ready_within_s=ANSWERS_WITHIN_S,
        )
        self._base = f"http://127.0.0.1:{port}"
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        self._transactions = 0
        try:
            self._await_answer()
            self._open("/browser/")
            script = self._open("/browser/js/utils.js").decode()
            self._token = re.search(r"csrf_token'\] = '([^']+)'", script)[1]
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        # It has no wish to end cleanly, and nothing to lose.
        self.process.kill()

    def _open(self, path: str) -> bytes:
        with self._opener.open(self._base + path, timeout=ANSWERS_WITHIN_S) as answer:
            return answer.read()

    def _await_answer(self) -> None:
        """It says that it is there a moment before it listens."""
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while True:
            try:
                self._open("/misc/ping")
                return
            except urllib.error.URLError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def call(self, method: str, path: str, body=None, form: dict | None = None):
        """One request; the answer's JSON, or its text where it is none.

        Raises PgAdminError with pgAdmin's words where it says that it failed.
        """
        headers = {"X-pgA-CSRFToken": self._token, "Accept": "application/json"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        elif form is not None:
            data = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self._base + path, data=data, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=ANSWERS_WITHIN_S) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            raise PgAdminError(f"{method} {path}: {error.code} {_failure(text)}") from None
        try:
            said = json.loads(text)
        except ValueError:
            return text
        if isinstance(said, dict) and said.get("success") == 0:
            raise PgAdminError(f"{method} {path}: {_failure(text)}")
        return said

    def get(self, path: str):
        return self.call("GET", path)

    def connect(self, server, name: str, ssl_mode: str, post_connection_sql: str = "") -> OpenServer:
        """Registers a server and signs in; the password is given when asked for, and not kept."""
        about = {
            "name": name,
            "gid": GROUP,
            "host": server.host,
            "port": server.port,
            "db": server.database,
            "username": server.user,
            "save_password": False,
            "connect_now": False,
            "connection_params": [{"name": "sslmode", "value": ssl_mode}],
            "post_connection_sql": post_connection_sql,
            "comment": "",
        }
        node = self.call("POST", f"/browser/server/obj/{GROUP}/", about)["node"]
        path = f"/browser/server/connect/{GROUP}/{node['_id']}"
        said = self.call("POST", path, form={"password": server.password})
        return OpenServer(self, int(node["_id"]), said["data"])

    @contextlib.contextmanager
    def grid(self, database: Database, table: int, first_rows: bool = True):
        """Rows of a table as its "View/Edit Data" shows them: the first 100, or all."""
        number = self._next_transaction()
        path = (
            f"/sqleditor/initialize/viewdata/{number}/{1 if first_rows else 3}/table/{database.path}/{table}"
        )
        self.call("POST", path, {})
        try:
            started = self.get(f"/sqleditor/view_data/start/{number}")["data"]
            yield Grid(self, number, started, self._poll(number))
        finally:
            self.call("DELETE", f"/sqleditor/close/{number}")

    def query(self, database: Database, sql: str) -> dict:
        """What the query tool shows of one query string."""
        number = self._open_query_tool(database)
        try:
            started = self.call("POST", f"/sqleditor/query_tool/start/{number}", {"sql": sql})["data"]
            assert started["status"], started
            return self._poll(number)
        finally:
            self.call("DELETE", f"/sqleditor/close/{number}")

    def cancelled_query(self, database: Database, sql: str) -> dict:
        """What the query tool shows of a query that is stopped by its button."""
        number = self._open_query_tool(database)
        try:
            self.call("POST", f"/sqleditor/query_tool/start/{number}", {"sql": sql})
            # Pressed again as long as it runs: the first time it may not have begun yet.
            while (said := self.get(f"/sqleditor/poll/{number}")["data"])["status"] == "Busy":
                self.call("POST", f"/sqleditor/cancel/{number}")
            return said
        finally:
            self.call("DELETE", f"/sqleditor/close/{number}")

    def _open_query_tool(self, database: Database) -> int:
        number = self._next_transaction()
        path = f"/sqleditor/initialize/sqleditor/{number}/{database.path}"
        self.call("POST", path, {"dbname": database.name})
        return number

    def _next_transaction(self) -> int:
        self._transactions += 1
        return 1_000_000 + self._transactions

    def _poll(self, number: int) -> dict:
        """pgAdmin's window asks again and again, too."""
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while True:
            said = self.get(f"/sqleditor/poll/{number}")["data"]
            if said["status"] != "Busy":
                return said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)


@dataclasses.dataclass(frozen=True)
class OpenServer:
    """A server that pgAdmin is signed in to; `about` is what it found out when it connected."""

    pgadmin: PgAdmin
    number: int
    about: dict

    def nodes(self, kind: str) -> dict[str, dict]:
        """What hangs directly on the server, by label."""
        return _by_label(self.pgadmin.get(f"/browser/{kind}/nodes/{GROUP}/{self.number}/"))

    def properties(self, kind: str, node: int) -> dict:
        return self.pgadmin.get(f"/browser/{kind}/obj/{GROUP}/{self.number}/{node}")

    def database(self, label: str) -> Database:
        """Opens a database of the tree."""
        node = self.nodes("database")[label]
        database = Database(self.pgadmin, label, f"{GROUP}/{self.number}/{node['_id']}")
        self.pgadmin.call("POST", f"/browser/database/connect/{database.path}")
        return database


@dataclasses.dataclass(frozen=True)
class Database:
    """An open database of the tree; what is in it is named by the numbers on the way there."""

    pgadmin: PgAdmin
    name: str
    path: str

    def _address(self, kind: str, what: str, numbers: tuple[int, ...]) -> str:
        return f"/browser/{kind}/{what}/" + "/".join([self.path, *map(str, numbers)])

    def nodes(self, kind: str, *parents: int) -> dict[str, dict]:
        """The nodes of a kind under the schema, or the schema and the table, by label."""
        return _by_label(self.pgadmin.get(self._address(kind, "nodes", parents) + "/"))

    def listed(self, kind: str, *parents: int) -> list[dict]:
        """The same as the tab "Properties" of their collection shows them."""
        return self.pgadmin.get(self._address(kind, "obj", parents) + "/")

    def properties(self, kind: str, *numbers: int) -> dict:
        """What the tab "Properties" shows of one node."""
        return self.pgadmin.get(self._address(kind, "obj", numbers))

    def sql(self, kind: str, *numbers: int) -> str:
        """What the tab "SQL" shows."""
        return self.pgadmin.get(self._address(kind, "sql", numbers))

    def table(self, schema: str, name: str) -> tuple[int, int]:
        """The numbers of a table's schema and of the table, found by opening the tree."""
        namespace = int(self.nodes("schema")[schema]["_id"])
        return namespace, int(self.nodes("table", namespace)[name]["_id"])


@dataclasses.dataclass(frozen=True)
class Grid:
    """Rows of a table, editable where pgAdmin found a primary key."""

    pgadmin: PgAdmin
    number: int
    started: dict
    polled: dict

    @property
    def columns(self) -> list[str]:
        return [column["name"] for column in self.polled["colinfo"]]

    @property
    def rows(self) -> list[dict]:
        # Without rows it shows the server's tag.
        found = self.polled["result"]
        return [] if isinstance(found, str) else [dict(zip(self.columns, row, strict=True)) for row in found]

    def save(self, added: list[dict] = (), updated: list[tuple[dict, dict]] = (), deleted: list[dict] = ()):
        """Saves changes of the grid: `updated` are pairs of key and new values, `deleted` keys."""
        body = {
            "added": {str(n): {"err": False, "data": row} for n, row in enumerate(added)},
            "added_index": {str(n): str(n) for n, _ in enumerate(added)},
            "updated": {
                str(n): {"err": False, "data": new, "primary_keys": key}
                for n, (key, new) in enumerate(updated)
            },
            "deleted": {str(n): key for n, key in enumerate(deleted)},
        }
        return self.pgadmin.call("POST", f"/sqleditor/save/{self.number}", body)["data"]


def _by_label(answer: dict) -> dict[str, dict]:
    found = answer["data"] if answer["data"] is not None else answer["result"]
    return {node["label"]: node for node in found}


def _failure(text: str) -> str:
    """pgAdmin's words, or what it sent instead of any."""
    try:
        said = json.loads(text)
    except ValueError:
        return text[:2000]
    return str(said.get("errormsg") or said)
