"""PgBouncer between clients and a server, in transaction mode, as people put it before many clients.

Owns the process and its configuration, in a directory of its own. PgBouncer refuses to run as root, so
root hands over to the user `postgres` that Debian's package makes.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from .server import Server

WITHIN_S = 20

CONFIGURATION = """[databases]
{database} = host={host} port={port} dbname={database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory}/users
admin_users = {user}
pool_mode = transaction
default_pool_size = {servers}
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
"""


class PgBouncer:
    """`servers` connections to `behind`, at most. `server` is where clients connect."""

    def __init__(self, behind: Server, servers: int = 2):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="pgbouncer-"))
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.server = dataclasses.replace(behind, host="127.0.0.1", port=port)
        configuration = CONFIGURATION.format(
            database=behind.database,
            host=behind.host,
            port=behind.port,
            user=behind.user,
            listen=port,
            directory=self.directory,
            servers=servers,
        )
        (self.directory / "pgbouncer.ini").write_text(configuration)
        (self.directory / "users").write_text(f'"{behind.user}" "{behind.password}"\n')
        command = ["pgbouncer", str(self.directory / "pgbouncer.ini")]
        if os.geteuid() == 0:
            for path in (self.directory, *self.directory.iterdir()):
                shutil.chown(path, "postgres")
            command = ["runuser", "-u", "postgres", "--", *command]
        self._log = (self.directory / "log").open("wb")
        self.child = subprocess.Popen(command, stdout=self._log, stderr=self._log, cwd="/")
        self._await_listener()

    def _await_listener(self) -> None:
        deadline = time.monotonic() + WITHIN_S
        while True:
            try:
                socket.create_connection((self.server.host, self.server.port)).close()
                return
            except ConnectionRefusedError:
                if time.monotonic() > deadline or self.child.poll() is not None:
                    raise AssertionError((self.directory / "log").read_text()) from None
                time.sleep(0.02)

    def stop(self) -> None:
        self.child.terminate()
        self.child.wait(WITHIN_S)
        self._log.close()
        shutil.rmtree(self.directory, ignore_errors=True)
