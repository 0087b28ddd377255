"""Many times of one thing, and what is told of them."""

from __future__ import annotations

import contextlib
import time
import typing


class Times:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    @contextlib.contextmanager
    def one(self) -> typing.Iterator[None]:
        """Measures what happens inside; nothing where that fails."""
        begun = time.perf_counter()
        yield
        self.seconds.append(time.perf_counter() - begun)

    def figures(self) -> dict:
        """Milliseconds that half, 99 in 100, and all took at most."""
        ordered = sorted(self.seconds)

        def quantile(part: float) -> float:
            return round(1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))], 2)

        return {
            "count": len(ordered),
            "p50_ms": quantile(0.5),
            "p99_ms": quantile(0.99),
            "max_ms": quantile(1.0),
        }
