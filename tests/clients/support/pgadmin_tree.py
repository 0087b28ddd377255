"""What a pgAdmin shows: its tree, the tabs beside it, its query tool, and its grid of rows.

Knows the addresses that pgAdmin's window calls; what pgAdmin asks the server for them is pgAdmin's own.
Owns no process and no connection.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time

from .pgadmin import ANSWERS_WITHIN_S, PgAdmin

# The group of servers that pgAdmin makes for a new user.
GROUP = 1
# Its number for the first hundred rows in "View/Edit Data".
FIRST_ROWS = 1

# pgAdmin's windows number their tools.
_transactions = itertools.count(1_000_001)


@dataclasses.dataclass(frozen=True)
class OpenServer:
    """A server that pgAdmin is signed in to; `about` is what it found out when it connected."""

    pgadmin: PgAdmin
    number: int
    about: dict

    @classmethod
    def sign_in(
        cls, pgadmin: PgAdmin, server, name: str, ssl_mode: str, post_connection_sql: str = ""
    ) -> OpenServer:
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
        node = pgadmin.call("POST", f"/browser/server/obj/{GROUP}/", about)["node"]
        path = f"/browser/server/connect/{GROUP}/{node['_id']}"
        said = pgadmin.call("POST", path, form={"password": server.password})
        return cls(pgadmin, int(node["_id"]), said["data"])

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

    @contextlib.contextmanager
    def grid(self, table: int):
        """The first hundred rows of a table, as its "View/Edit Data" shows them."""
        number = next(_transactions)
        path = f"/sqleditor/initialize/viewdata/{number}/{FIRST_ROWS}/table/{self.path}/{table}"
        self.pgadmin.call("POST", path, {})
        try:
            started = self.pgadmin.get(f"/sqleditor/view_data/start/{number}")["data"]
            yield Grid(self.pgadmin, number, started, self._polled(number))
        finally:
            self.pgadmin.call("DELETE", f"/sqleditor/close/{number}")

    def query(self, sql: str) -> dict:
        """What the query tool shows of one query string."""
        with self._query_tool(sql) as number:
            return self._polled(number)

    def cancelled_query(self, sql: str) -> dict:
        """The same of one that is stopped by its button."""
        with self._query_tool(sql) as number:
            # Pressed again as long as it runs: the first time it may not have begun yet.
            while (said := self.pgadmin.get(f"/sqleditor/poll/{number}")["data"])["status"] == "Busy":
                self.pgadmin.call("POST", f"/sqleditor/cancel/{number}")
            return said

    @contextlib.contextmanager
    def _query_tool(self, sql: str):
        number = next(_transactions)
        path = f"/sqleditor/initialize/sqleditor/{number}/{self.path}"
        self.pgadmin.call("POST", path, {"dbname": self.name})
        try:
            path = f"/sqleditor/query_tool/start/{number}"
            started = self.pgadmin.call("POST", path, {"sql": sql})["data"]
            assert started["status"], started
            yield number
        finally:
            self.pgadmin.call("DELETE", f"/sqleditor/close/{number}")

    def _polled(self, number: int) -> dict:
        """pgAdmin's window asks again and again, too."""
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while True:
            said = self.pgadmin.get(f"/sqleditor/poll/{number}")["data"]
            if said["status"] != "Busy":
                return said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)

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
