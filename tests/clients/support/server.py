"""Where a client connects, in the spellings that the clients want.

Owns the address and the sign-in of one server that speaks PostgreSQL's protocol. Says
nothing of what is behind it: a gateway or, as the measure of the tests, a PostgreSQL.
"""

from __future__ import annotations

import dataclasses
import os


@dataclasses.dataclass(frozen=True)
class Server:
    host: str
    port: int
    user: str
    password: str
    database: str

    def environment(self, **more: str) -> dict[str, str]:
        """Environment of a libpq program, without what the caller's own shell has set."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        return inherited | {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.database,
            "PGCONNECT_TIMEOUT": "20",
            **more,
        }

    def keywords(self, **more) -> dict:
        """Keyword arguments of psycopg and psycopg2."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": self.database,
            "connect_timeout": 20,
            **more,
        }

    def asyncpg(self, **more) -> dict:
        """Keyword arguments of asyncpg and pg8000, which agree on them."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "timeout": 20,
            **more,
        }

    def npgsql(self, **more: str) -> str:
        """Connection string of Npgsql; underscores in names of options become spaces."""
        pairs = {
            "Host": self.host,
            "Port": str(self.port),
            "Username": self.user,
            "Password": self.password,
            "Database": self.database,
            "Timeout": "20",
            # The first statement may have to wait for an engine on a busy machine.
            "Command Timeout": "90",
        } | {key.replace("_", " "): value for key, value in more.items()}
        return ";".join(f"{key}={value}" for key, value in pairs.items())
