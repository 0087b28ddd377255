"""A running `penstock emulator` and Cognite's own SDK as its client.

The SDK is the judge of the emulator: what it can do against CDF it has to be able to do
here, unpatched.
"""

from __future__ import annotations

import json
import pathlib
import urllib.request

from cognite.client import ClientConfig, CogniteClient
from cognite.client.credentials import Token

from .binary import binary
from .process import ServerProcess

READY = r"^penstock emulator ready cdf=(?P<cdf>http://\S+) token_url=(?P<token>http://\S+)$"


class LocalCdf:
    """A running `penstock emulator`."""

    def __init__(self, log: pathlib.Path, *flags: str):
        command = [binary(), "emulator", "--listen", "127.0.0.1:0", *flags]
        self.process = ServerProcess(command, READY, log)
        self.url, self.token_url = self.process.ready["cdf"], self.process.ready["token"]

    def admin(self, method: str, path: str, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    def requests(self, operation: str) -> list[dict]:
        """The requests of an operation, oldest first."""
        return self.admin("GET", f"requests?operation={operation}")["items"]

    def forget(self) -> None:
        """Drops the data, the faults and the figures of earlier tests."""
        for what in ("data", "faults", "statistics", "requests"):
            self.admin("DELETE", what)

    def client(self, credentials=None, project: str = "plant") -> CogniteClient:
        credentials = credentials or Token("fixed")
        return CogniteClient(
            ClientConfig("penstock-tests", project, credentials, base_url=self.url, timeout=30)
        )

    def stop(self) -> None:
        self.process.stop()
