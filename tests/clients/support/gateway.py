"""A gateway with its emulator, as `penstock dev` starts them.

Owns one such process with ports and a password of its own, so that test modules can run
side by side. Where the binary is: PENSTOCK_BINARY, or this project's target directory.
"""

from __future__ import annotations

import os
import pathlib
import secrets

from .emulator import Emulator
from .process import ServerProcess
from .server import Server
from .store import CdfStore

PROJECT = "client-tests"
USER = "writer"
READY = (
    r"^penstock dev ready postgres=(?P<host>[\d.]+):(?P<port>\d+) cdf=(?P<cdf>http://\S+) "
    r"http=(?P<http>\S+) project=(?P<project>\S+) user=(?P<user>\S+) password=(?P<password>\S+)$"
)


def binary() -> str:
    """Path of the binary under test."""
    if given := os.environ.get("PENSTOCK_BINARY"):
        return given
    root = pathlib.Path(__file__).resolve().parents[3]
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    for profile in ("release", "debug"):
        if (target / profile / "penstock").exists():
            return str(target / profile / "penstock")
    raise FileNotFoundError("no penstock binary: run scripts/test, or set PENSTOCK_BINARY")


class Gateway:
    """`flags` are added to the command line."""

    def __init__(self, log: pathlib.Path, *flags: str):
        anywhere = "127.0.0.1:0"
        password = secrets.token_urlsafe(12)
        command = [binary(), "dev", "--listen", anywhere, "--cdf-listen", anywhere]
        command += ["--http-listen", anywhere, "--project", PROJECT, "--user", USER]
        command += [f"--password={password}", *flags]
        self.process = ServerProcess(command, READY, log)
        ready = self.process.ready
        self.server = Server(
            host=ready["host"],
            port=int(ready["port"]),
            user=ready["user"],
            password=ready["password"],
            database=ready["user"],
        )
        self.cdf_url = ready["cdf"]
        self.http_url = f"http://{ready['http']}"
        self.emulator = Emulator(self.cdf_url)
        self.store = CdfStore(self.cdf_url, ready["project"])

    def stop(self) -> None:
        self.process.stop()
