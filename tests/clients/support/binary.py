"""The binary under test: where it is, and the names that tests give it.

PENSTOCK_BINARY says where; without it, this project's target directory is looked into.
"""

from __future__ import annotations

import os
import pathlib

PROJECT = "client-tests"
USER = "writer"


def binary() -> str:
    if given := os.environ.get("PENSTOCK_BINARY"):
        return given
    root = pathlib.Path(__file__).resolve().parents[3]
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    for profile in ("release", "debug"):
        if (target / profile / "penstock").exists():
            return str(target / profile / "penstock")
    raise FileNotFoundError("no penstock binary: run cargo build --release, or set PENSTOCK_BINARY")
