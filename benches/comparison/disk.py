"""What one fsync costs on the disk of the comparison, by PostgreSQL's own measure."""

from __future__ import annotations

import pathlib
import re
import subprocess

from support.postgresql import BINARIES


def fsync_s(folder: pathlib.Path) -> float:
    """Seconds of one fdatasync after 8 kB, which is what both sides wait for."""
    file = folder / "pg_test_fsync"
    command = [str(BINARIES / "pg_test_fsync"), "--secs-per-test", "1", "--filename", str(file)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"^\s*fdatasync\s+[\d.]+ ops/sec\s+([\d.]+) usecs/op", printed, re.MULTILINE)
    if not found:
        raise ValueError(f"pg_test_fsync printed {printed!r}")
    return float(found[1]) / 1e6
