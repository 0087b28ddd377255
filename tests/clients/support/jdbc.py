"""programs/Jdbc.java as Python sees it: compiled once, run once for each thing that it is to do.

Owns where Debian has pgjdbc, the class path and the URL. Returns what the program printed and judges
nothing but its exit code.
"""

from __future__ import annotations

import pathlib
import subprocess
import urllib.parse

from .server import Server

DRIVER = pathlib.Path("/usr/share/java/postgresql.jar")
PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "programs" / "Jdbc.java"


class Jdbc:
    """`directory` gets the compiled classes."""

    def __init__(self, server: Server, directory: pathlib.Path):
        self._server = server
        self._class_path = f"{directory}:{DRIVER}"
        compiler = ["javac", "-encoding", "UTF-8", "-cp", str(DRIVER), "-d", str(directory), str(PROGRAM)]
        subprocess.run(compiler, check=True, timeout=100)

    def run(self, *words: str, **options: str) -> str:
        """What the scenario printed; `options` are parameters of the connection's URL."""
        server = self._server
        url = f"jdbc:postgresql://{server.host}:{server.port}/{server.database}"
        if options:
            url += "?" + urllib.parse.urlencode(options)
        environment = server.environment(
            JDBC_URL=url, JDBC_USER=server.user, JDBC_PASSWORD=server.password, LC_ALL="C.UTF-8"
        )
        # Less work for the compiler within: these programs live for a second.
        java = ["java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dfile.encoding=UTF-8"]
        done = subprocess.run(
            [*java, "-Dsun.stdout.encoding=UTF-8", "-cp", self._class_path, "Jdbc", *words],
            env=environment,
            capture_output=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
        return done.stdout.decode("utf-8")

    def lines(self, *words: str, **options: str) -> list[str]:
        return self.run(*words, **options).splitlines()
