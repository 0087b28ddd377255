"""Many connections that stay, and what the gateway holds for them.

Owns the connections. A gateway of its own for each kind, started on the store with all users, so
that nothing that was freed before hides what is needed now. Promises that a reading is taken only
when neither memory nor processor move any more, and that every INSERT was confirmed.
"""

from __future__ import annotations

import json
import os
import pathlib
import socket
import ssl
import struct
import sys
import time

from comparison.process_figures import cpu_s, resident_bytes
from support.frames import Frames, query
from support.server import Server

from . import plant
from .accounts import User
from .plant import Cdf, Gateway
from .times import Times

STILL_READINGS = 4
STILL_WITHIN_S = 900
READING_EVERY_S = 0.5
QUIET_CPU_S = 0.02
"""What timers of the gateway's own take between two readings."""
STILL_BYTES = 16 << 10

WARM_UP = 16
LARGE_BYTES = 256 << 10


class NeverStill(Exception):
    """The gateway did not come to rest."""


class Refused(Exception):
    """An INSERT was not confirmed."""


class _Encrypted(Frames):
    """The same over TLS, spoken at once."""

    _context: ssl.SSLContext | None = None

    def __init__(self, server: Server):
        super().__init__(server)
        if _Encrypted._context is None:
            # The certificate signs itself, and who answers is known here.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["postgresql"])
            _Encrypted._context = context
        self.socket: socket.socket = _Encrypted._context.wrap_socket(self.socket)


def _settled(gateway: Gateway) -> int:
    """Bytes in memory once nothing moves."""
    until = time.monotonic() + STILL_WITHIN_S
    still, resident, cpu = 0, resident_bytes(gateway.pid), cpu_s(gateway.pid)
    while still < STILL_READINGS:
        if time.monotonic() > until:
            raise NeverStill(f"memory or processor still moved after {STILL_WITHIN_S} s")
        time.sleep(READING_EVERY_S)
        resident_now, cpu_now = resident_bytes(gateway.pid), cpu_s(gateway.pid)
        is_still = abs(resident_now - resident) <= STILL_BYTES and cpu_now - cpu <= QUIET_CPU_S
        still = still + 1 if is_still else 0
        resident, cpu = resident_now, cpu_now
    return resident


def _holds(gateway: Gateway) -> dict:
    resident = _settled(gateway)
    process = pathlib.Path(f"/proc/{gateway.pid}")
    return {
        "resident_bytes": resident,
        "descriptors": len(os.listdir(process / "fd")),
        "threads": len(os.listdir(process / "task")),
    }


def _insert(key: str, value_bytes: int) -> bytes:
    columns = json.dumps({"value": "x" * value_bytes})
    return query(
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
        f" VALUES ('crowd', 'rows', '{key}', '{columns}')"
    )


def _each_inserts(clients: list[Frames], value_bytes: int) -> None:
    for number, client in enumerate(clients):
        answer = client.ask(_insert(f"{number}", value_bytes))
        if [message.kind for message in answer] != ["C", "Z"] or answer[0].texts != ["INSERT 0 1"]:
            raise Refused(str(answer))


def _close(clients: list[Frames]) -> None:
    for client in clients:
        # Reset rather than closed: a thousand ports would wait for a minute.
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.close()


def _kind(
    cdf: Cdf, folder: pathlib.Path, state_url: str | None, users: list[User], count: int, encrypted: bool
) -> dict:
    client = _Encrypted if encrypted else Frames
    with plant.gateway(cdf, folder, state_url, count + 100, encrypted) as gateway:

        def open_one(user: User) -> Frames:
            return client(gateway.server(user.name, user.password)).sign_in()

        # Threads, code and what all connections share are there before the first reading. What
        # large statements leave to the next ones is not: it would hide what connections hold.
        warm = [open_one(user) for user in users[:WARM_UP]]
        _each_inserts(warm, 100)
        _close(warm)
        figures: dict = {"ready_s": round(gateway.ready_s, 2), "before": _holds(gateway)}

        times, clients = Times(), []
        for user in users[-count:]:
            with times.one():
                clients.append(open_one(user))
        figures["sign_in"] = times.figures()
        figures["idle"] = _holds(gateway)
        _each_inserts(clients, 100)
        figures["after_a_small_insert"] = _holds(gateway)
        _each_inserts(clients, LARGE_BYTES)
        figures["after_a_large_insert"] = _holds(gateway)
        _close(clients)
        figures["closed"] = _holds(gateway)
    before = figures["before"]["resident_bytes"]
    for state in ("idle", "after_a_small_insert", "after_a_large_insert"):
        held = figures[state]["resident_bytes"] - before
        figures[state]["kib_per_connection"] = round(held / count / 1024, 1)
    return figures


def run(cdf: Cdf, folder: pathlib.Path, state_url: str | None, users: list[User], count: int) -> dict:
    figures: dict = {"count": count}
    for name, encrypted in (("plain", False), ("tls", True)):
        print(f"opening {count:,} connections, {name}", file=sys.stderr)
        figures[name] = _kind(cdf, folder, state_url, users, count, encrypted)
    return figures
