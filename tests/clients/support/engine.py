"""Whether the gateway under test has a PostgreSQL of its own.

It is a feature of the build, which takes 200 packages more: `scripts/test cold-road` builds with it.
"""

from __future__ import annotations

import subprocess

import pytest

from .binary import binary


def _has_engine() -> bool:
    # Without the feature there is no such command.
    return subprocess.run([binary(), "engine", "--help"], capture_output=True).returncode == 0


needs_engine = pytest.mark.skipif(not _has_engine(), reason="built without the feature embedded-postgres")
