"""The two that are compared, each in processes of its own.

Owns starting and ending them. PostgreSQL runs as Debian configures it, with fsync on. The
gateway runs with its defaults, but for CDF's budget of RAW bytes: at 2.2 MB/s it would be
all that is measured.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import time
import typing

from support.binary import binary
from support.configured import ConfiguredGateway
from support.emulator import Emulator
from support.postgresql import Cluster
from support.process import ServerProcess
from support.server import Server

STILL_S = 30
"""Journaled rows that do not move for so long are lost."""

SINK_READY = r"^penstock emulator ready cdf=(?P<cdf>http://\S+)"
UNPACED = {
    "limits.raw_rows": {
        "bytes_per_window": 0,
        "project.bytes_per_window": 0,
        "window_s": 0,
        "concurrency": 48,
    }
}


@dataclasses.dataclass(frozen=True)
class PostgreSql:
    cluster: Cluster

    @property
    def server(self) -> Server:
        return self.cluster.server

    def prepare_round(self, table: str) -> None:
        """An empty table, and nothing left to write from the round before."""
        self.cluster.run_sql(f"TRUNCATE {table}")
        self.cluster.run_sql("CHECKPOINT")

    def rows(self, table: str) -> int:
        return int(self.cluster.run_sql(f"SELECT count(*) FROM {table}"))


@dataclasses.dataclass(frozen=True)
class PenstockGateway:
    gateway: ConfiguredGateway
    sink: ServerProcess
    emulator: Emulator

    @property
    def server(self) -> Server:
        return self.gateway.server

    @property
    def pid(self) -> int:
        return self.gateway.process.pid

    def rows(self, table: str) -> tuple[int, str]:
        """(count, checksum) of the rows of a table's kind that reached the sink so far."""
        kind = "rows" if table == "raw_rows" else "points"
        sums = self.emulator.statistics()["checksums"][kind]
        return sums["count"], sums["sum"]

    def delivered(self, table: str, count: int) -> tuple[int, str]:
        """The same once `count` rows are there, or nothing has come for a while."""
        now = self.rows(table)
        until = time.monotonic() + STILL_S
        while now[0] < count and time.monotonic() < until:
            time.sleep(0.05)
            before, now = now, self.rows(table)
            if now != before:
                until = time.monotonic() + STILL_S
        return now


@contextlib.contextmanager
def started(
    folder: pathlib.Path, ack: str = "delivered"
) -> typing.Iterator[tuple[PostgreSql, PenstockGateway]]:
    with contextlib.ExitStack() as stack:
        cluster = Cluster()
        stack.callback(cluster.stop)
        command = [binary(), "emulator", "--sink", "--listen", "127.0.0.1:0"]
        sink = ServerProcess(command, SINK_READY, folder / "sink.log")
        stack.callback(sink.stop)
        url = sink.ready["cdf"]
        sections = dict(UNPACED)
        if ack == "journaled":
            sections["journal"] = {"directory": str(folder / "journal"), "ack": ack, "bytes_max": 512 << 20}
            sections["dead_letters"] = {"directory": str(folder / "dead-letters")}
        gateway = stack.enter_context(ConfiguredGateway(folder, url, None, **sections))
        yield PostgreSql(cluster), PenstockGateway(gateway, sink, Emulator(url))
