"""A gateway with a configuration file, as operators run it: `penstock serve FILE`.

Owns the file and the process. The file names one user, the one of `support.gateway`, and
one CDF principal; tests give the sections that matter to them.
"""

from __future__ import annotations

import json
import pathlib
import secrets
import subprocess

from .binary import PROJECT, USER, binary
from .process import ServerProcess
from .server import Server

READY = r"^penstock serve ready postgres=(?P<host>[\d.]+):(?P<port>\d+) http=(?P<http>\S+)$"


def toml(sections: dict[str, dict | list[dict]]) -> str:
    """Sections of plain values; TOML spells strings, numbers and booleans as JSON does. A list is a
    section that is there several times."""
    lines = []
    for name, value in sections.items():
        several = value if isinstance(value, list) else [value]
        for values in several:
            lines.append(f"[[{name}]]" if isinstance(value, list) else f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def create_tables(file: pathlib.Path, tables: tuple[dict, ...]) -> None:
    """Gives the user of a configuration file custom tables, as an operator does."""
    definitions = file.with_name("tables.json")
    definitions.write_text(json.dumps({"items": tables}))
    command = [binary(), "table", "create", "--config", str(file), "--user", USER, str(definitions)]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr


class ConfiguredGateway:
    """`sections` are added to the file; `cdf` replaces the fixed token, `user` adds to the user,
    `under` is a command that runs the gateway, and `tables` are custom tables that the user has from
    the start."""

    def __init__(
        self,
        directory: pathlib.Path,
        cdf_url: str,
        cdf: dict | None = None,
        user: dict | None = None,
        under: tuple[str, ...] = (),
        tables: tuple[dict, ...] = (),
        **sections: dict | list[dict],
    ):
        password = secrets.token_urlsafe(12)
        principal = {"base_url": cdf_url, "project": PROJECT, "create_missing_time_series": True}
        principal |= cdf or {"token": "any-token-will-do"}
        listen = {"postgres": "127.0.0.1:0", "http": "127.0.0.1:0"} | sections.pop("listen", {})
        file = directory / "penstock.toml"
        if tables:
            sections.setdefault("state", {"path": str(directory / "state.sqlite")})
        users = {"name": USER, "password": password, "cdf": "plant"} | (user or {})
        file.write_text(toml({"[users]": users, "cdf.plant": principal, "listen": listen, **sections}))
        if tables:
            create_tables(file, tables)
        command = [*under, binary(), "serve", str(file)]
        self.process = ServerProcess(command, READY, directory / "gateway.log")
        ready = self.process.ready
        self.server = Server(ready["host"], int(ready["port"]), USER, password, USER)
        self.http_url = f"http://{ready['http']}"

    def __enter__(self) -> ConfiguredGateway:
        return self

    def __exit__(self, kind, *_) -> None:
        # A failing test keeps its own error; a clean one also wants a clean end.
        if kind is None:
            self.process.stop()
        else:
            self.process.kill()
