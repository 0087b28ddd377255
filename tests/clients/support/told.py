"""What a client was told of an error, field by field.

Owns the reading of psycopg's errors. Promises that an error without one of the fields that every
error of CDF's has fails the test. Never provokes one.
"""

from __future__ import annotations

import dataclasses
import typing

import psycopg
import pytest


@dataclasses.dataclass(frozen=True)
class Told:
    sqlstate: str
    severity: str
    message: str
    detail: str
    hint: str
    context: str
    column: str | None

    @classmethod
    def by(cls, error: psycopg.Error) -> Told:
        diag = error.diag
        return cls(
            error.sqlstate or "",
            diag.severity or "",
            diag.message_primary or "",
            diag.message_detail or "",
            diag.message_hint or "",
            diag.context or "",
            diag.column_name,
        )

    def must_have(self, sqlstate: str, *, message: str, detail: tuple[str, ...] = (), hint: str = "") -> None:
        """Fails unless the error has this SQLSTATE, these words in its message, in its DETAIL and in
        its HINT, and any HINT at all."""
        assert self.sqlstate == sqlstate, self
        assert message in self.message, self
        for words in detail:
            assert words in self.detail, self
        assert self.hint and hint in self.hint, self


def told(work: typing.Callable, *arguments, **keywords) -> Told:
    """Does what must fail; returns the error."""
    with pytest.raises(psycopg.Error) as caught:
        work(*arguments, **keywords)
    return Told.by(caught.value)


def refusal(connection: psycopg.Connection, statement: str, parameters=None) -> psycopg.Error:
    """The error of a statement that must fail."""
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement, parameters)
    return caught.value
