"""What statements that take a plan are tried on: four assets and two events, and how they are read back.

Owns those rows and their names. Never removes them: each test has its own.
"""

from __future__ import annotations

import json

import psycopg
from cognite.client import CogniteClient

from .samples import unique


def make_plant(connection: psycopg.Connection) -> str:
    """The prefix of the four assets, `-1` to `-4`, and of the two events, `-e1` and `-e2`."""
    prefix = unique("plant")
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO assets (external_id, name, description, source, metadata) VALUES (%s, %s, %s, %s, %s)",
            [
                (f"{prefix}-1", "Pump 1", "old", "sap", json.dumps({"bar": "7"})),
                (f"{prefix}-2", "Pump 2", None, "sap", json.dumps({"bar": "9"})),
                (f"{prefix}-3", "Valve", "", "pi", None),
                (f"{prefix}-4", 'Odd "name", \\ (x)', None, None, None),
            ],
        )
        cursor.executemany(
            "INSERT INTO events (external_id, type, subtype, start_time) VALUES (%s, %s, %s, %s)",
            [(f"{prefix}-e{n}", prefix, f"{prefix}-{n}", f"2026-11-0{n}T10:00:00.123Z") for n in (1, 2)],
        )
    return prefix


def assets(cdf: CogniteClient, prefix: str) -> dict:
    """The assets of a plant, by what comes behind their prefix."""
    found = cdf.assets.list(external_id_prefix=prefix, limit=None)
    return {asset.external_id.removeprefix(f"{prefix}-"): asset for asset in found}
