"""How a server refuses a sign-in, field by field.

Owns the reading of asyncpg's errors: libpq shows no SQLSTATE of a sign-in. Never signs in for long.
"""

from __future__ import annotations

import asyncio
import dataclasses

import asyncpg
import pytest

from .frames import Message
from .server import Server


@dataclasses.dataclass(frozen=True)
class Refusal:
    severity: str
    sqlstate: str
    message: str
    hint: str

    @classmethod
    def in_message(cls, message: Message) -> Refusal:
        """An ErrorResponse, as it is on the wire."""
        assert message.kind == "E", message
        fields = message.fields
        return cls(fields["V"], fields["C"], fields["M"], fields.get("H", ""))


def refusal(server: Server, ssl=False, **changes) -> Refusal:
    """Signs in to `server`, with some things changed, and must be refused. `ssl` is a context."""

    async def connect():
        connection = await asyncpg.connect(**server.asyncpg(ssl=ssl, **changes))
        await connection.close()

    with pytest.raises(asyncpg.PostgresError) as caught:
        asyncio.run(connect())
    error = caught.value
    return Refusal(error.severity, error.sqlstate, str(error.args[0]), error.hint or "")


def signs_in(server: Server, ssl=False, **changes) -> bool:
    """Signs in to `server`, runs a statement and leaves."""

    async def connect():
        connection = await asyncpg.connect(**server.asyncpg(ssl=ssl, **changes))
        try:
            return await connection.fetchval("SELECT 1") == 1
        finally:
            await connection.close()

    return asyncio.run(connect())
