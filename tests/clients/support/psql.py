"""psql 15 as a child process.

Owns how it is called: no start-up file, plain output, every wait bounded. Returns what it
printed, with the exit code, and judges neither.
"""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import subprocess

from .server import Server


@dataclasses.dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    error: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def program() -> str:
    debian = pathlib.Path("/usr/lib/postgresql/15/bin/psql")
    return str(debian) if debian.exists() else shutil.which("psql") or "psql"


def psql(server: Server, *arguments: str, script: str | bytes | None = None, **environment: str) -> Outcome:
    """Runs psql with `arguments`; `script` is its standard input."""
    given = script.encode() if isinstance(script, str) else script
    done = subprocess.run(
        [program(), "-X", "-A", "-t", *arguments],
        input=given or b"",
        env=server.environment(**environment),
        capture_output=True,
        timeout=60,
    )
    decoded = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    return Outcome(done.returncode, *decoded)
