"""A gateway with its emulator, as `penstock dev` starts them.

Owns one such process with ports and a password of its own, so that test modules can run
side by side.
"""

from __future__ import annotations

import pathlib
import secrets

from .binary import PROJECT, USER, binary
from .emulator import Emulator
from .process import ServerProcess
from .server import Server
from .store import CdfStore

READY = (
    r"^penstock dev ready postgres=(?P<host>[\d.]+):(?P<port>\d+) cdf=(?P<cdf>http://\S+) "
    r"http=(?P<http>\S+) project=(?P<project>\S+) user=(?P<user>\S+) password=(?P<password>\S+)$"
)


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
