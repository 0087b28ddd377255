"""The clients: psql for COPY, a socket for INSERT statements that were made before, and pgbench
for many connections.

The second one lexes and parses nothing, as psql would: it sends a statement and waits for
its ReadyForQuery. All report failure instead of a time.
"""

from __future__ import annotations

import pathlib
import re
import socket
import struct
import subprocess
import time

from support.frames import signed_in
from support.postgresql import BINARIES
from support.psql import program
from support.server import Server

from .cases import PGBENCH_CLIENTS

READY_FOR_QUERY = b"Z\0\0\0\5I"


class SendFailed(Exception):
    """The server did not take all rows."""


def copy_s(server: Server, copy: str, options: str, file: pathlib.Path, rows: int) -> float:
    """Seconds of psql's whole run: connect, send, wait for the answer."""
    command = [program(), "-X", "-c", f"\\copy {copy} from '{file}' {options}"]
    begun = time.perf_counter()
    done = subprocess.run(command, env=server.environment(), capture_output=True, text=True)
    took = time.perf_counter() - begun
    if done.returncode != 0 or done.stdout != f"COPY {rows}\n":
        raise SendFailed(f"psql said {done.stdout!r} {done.stderr!r}")
    return took


def _messages(content: bytes) -> list[memoryview]:
    view, messages, start = memoryview(content), [], 0
    while start < len(content):
        (length,) = struct.unpack_from("!i", content, start + 1)
        messages.append(view[start : start + 1 + length])
        start += 1 + length
    return messages


def _await_answer(connection: socket.socket, expected: bytes) -> None:
    received = b""
    while not received.endswith(READY_FOR_QUERY):
        part = connection.recv(65_536)
        if not part:
            raise SendFailed("the server closed the connection")
        received += part
    if received != expected:
        raise SendFailed(f"the server said {received!r}")


def insert_s(server: Server, file: pathlib.Path, rows_per_statement: int) -> float:
    """Seconds from the first statement to the last answer."""
    messages = _messages(file.read_bytes())
    tag = f"INSERT 0 {rows_per_statement}\0".encode()
    expected = b"C" + struct.pack("!i", len(tag) + 4) + tag + READY_FOR_QUERY
    with signed_in(server) as client:
        client.socket.settimeout(60)
        begun = time.perf_counter()
        for message in messages:
            client.socket.sendall(message)
            _await_answer(client.socket, expected)
        return time.perf_counter() - begun


def pgbench_s(server: Server, script: pathlib.Path, rows: int) -> float:
    """Seconds of all transactions, without those of connecting."""
    command = [str(BINARIES / "pgbench"), "--no-vacuum", "--file", str(script), "--define", "n=0"]
    command += ["--client", str(PGBENCH_CLIENTS), "--jobs", "2", "--protocol", "prepared"]
    command += ["--transactions", str(rows // PGBENCH_CLIENTS)]
    done = subprocess.run(command, env=server.environment(), capture_output=True, text=True)
    processed = re.search(r"actually processed: (\d+)/", done.stdout)
    per_s = re.search(r"tps = ([\d.]+) \(without initial connection time\)", done.stdout)
    if done.returncode != 0 or not processed or not per_s or int(processed[1]) != rows:
        raise SendFailed(f"pgbench said {done.stdout!r} {done.stderr!r}")
    return rows / float(per_s[1])
