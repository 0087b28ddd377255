"""Clients that connect and ask what they ask of every new connection, and how long that takes.

Owns one function a client: it gives a list of seconds for each thing that is measured, in the order
of the times. Never compares.
"""

from __future__ import annotations

import pathlib
import subprocess
import time

from support.psql import program
from support.server import Server

CONNECT_JAVA = pathlib.Path(__file__).with_name("Connect.java")
PGJDBC = pathlib.Path("/usr/share/java/postgresql.jar")

Seconds = dict[str, list[float]]


def psql(server: Server, times: int) -> Seconds:
    """The whole program: start, connect, one question, end."""
    measured: Seconds = {}
    for what, question in [
        ("psql -c 'SELECT 1'", "SELECT 1"),
        (r"psql -c '\d time_series'", r"\d time_series"),
    ]:
        measured[what] = []
        for _ in range(times):
            began = time.perf_counter()
            command = [program(), "-X", "-A", "-t", "-c", question]
            subprocess.run(
                command, env=server.environment(), check=True, stdout=subprocess.DEVNULL, timeout=60
            )
            measured[what].append(time.perf_counter() - began)
    return measured


def npgsql(server: Server, times: int) -> Seconds:
    """Open() without a pool, which loads the types of the database."""
    from support.npgsql import opened

    seconds = []
    for number in range(times):
        began = time.perf_counter()
        # Types are loaded once for each connection string.
        with opened(server, Pooling="false", Application_Name=f"connect-{began}-{number}"):
            seconds.append(time.perf_counter() - began)
    return {"Npgsql Open(), with types": seconds}


def pgjdbc(server: Server, times: int) -> Seconds:
    """getConnection, then getTables, getColumns and getPrimaryKeys."""
    url = f"jdbc:postgresql://{server.host}:{server.port}/{server.database}"
    command = ["java", "-cp", str(PGJDBC), str(CONNECT_JAVA), url, server.user, server.password, str(times)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    lines = [line.split() for line in done.stdout.splitlines()]
    return {
        "pgjdbc getConnection": [int(connect) / 1e6 for connect, _ in lines],
        "pgjdbc metadata of a table": [int(asked) / 1e6 for _, asked in lines],
    }


CLIENTS = {"psql": psql, "npgsql": npgsql, "pgjdbc": pgjdbc}
