"""What is in CDF, read with Cognite's own Python SDK, unpatched.

The SDK is the judge: it knows nothing of the gateway, nor of the emulator behind it.
"""

from __future__ import annotations

from cognite.client import ClientConfig, CogniteClient, global_config
from cognite.client.credentials import Token
from cognite.client.data_classes import TimeSeriesWrite
from cognite.client.utils import MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS

# It would ask PyPI for a newer version of itself, which no test should need.
global_config.disable_pypi_version_check = True
global_config.max_retries = 2


class CdfStore:
    def __init__(self, base_url: str, project: str):
        self.client = CogniteClient(
            ClientConfig(
                client_name="penstock-client-tests",
                project=project,
                base_url=base_url,
                credentials=Token("any-token-will-do"),
            )
        )

    def make_series(self, external_id: str, is_string: bool = False) -> int:
        """Creates a time series; returns its id."""
        series = TimeSeriesWrite(external_id=external_id, is_string=is_string)
        return self.client.time_series.create(series).id

    def points(self, external_id: str) -> list[tuple[int, float | str]]:
        """(milliseconds, value) of every point of a series, by time; none if there is none."""
        points = self.client.time_series.data.retrieve(
            external_id=external_id,
            start=MIN_TIMESTAMP_MS,
            # The end is not part of what is asked for, and the last moment is a good one.
            end=MAX_TIMESTAMP_MS + 1,
            limit=None,
            ignore_unknown_ids=True,
        )
        return list(zip(points.timestamp, points.value, strict=True)) if points else []

    def raw(self, database: str, table: str) -> dict[str, dict]:
        """Columns of every row of a RAW table, by key; none if there is no such table."""
        if not any(found.name == database for found in self.client.raw.databases.list(limit=None)):
            return {}
        tables = self.client.raw.tables.list(database, limit=None)
        if not any(found.name == table for found in tables):
            return {}
        rows = self.client.raw.rows.list(database, table, limit=None)
        return {row.key: row.columns for row in rows}

    def raw_tables(self, database: str) -> list[str]:
        return sorted(table.name for table in self.client.raw.tables.list(database, limit=None))

    def series(self, external_id: str) -> dict | None:
        """A time series as the API gives it, with its camelCase fields."""
        found = self.client.time_series.retrieve(external_id=external_id)
        return found.dump(camel_case=True) if found else None
