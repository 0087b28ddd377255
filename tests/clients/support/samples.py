"""Names and times that tests write.

Names are unique per test, so that tests share a gateway without seeing each other's rows.
"""

from __future__ import annotations

import datetime
import itertools

UTC = datetime.UTC
START = datetime.datetime(2026, 11, 1, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)

_numbers = itertools.count(1)


def unique(prefix: str) -> str:
    """A name that no other test of this process uses."""
    return f"{prefix}-{next(_numbers)}"


def moment(second: int) -> datetime.datetime:
    return START + datetime.timedelta(seconds=second)


def moment_ms(second: int) -> int:
    return START_MS + second * 1000


def seconds(values) -> list[tuple[int, float | str]]:
    """The points that `values` make, one a second from the start."""
    return [(moment_ms(second), value) for second, value in enumerate(values)]
