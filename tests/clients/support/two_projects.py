"""Two CDF projects behind one gateway, with a user in each, for those who reach for the other's.

Owns the processes: a CDF, a gateway with an accounts API, a server that should never hear anything, and
an identity provider that sends its callers there.
"""

from __future__ import annotations

import pathlib

import psycopg
from cognite.client.data_classes.postgres_gateway import Column, RawTableOptions, RawTableWrite, UserWrite

from .access import SECOND_MINIMUM, Application, GatewayWithAccounts, GuardedCdf, acl
from .binary import PROJECT
from .listener import Listener
from .samples import unique

OTHER = "other"
USERS = f"/api/v1/projects/{PROJECT}/postgresgateway"


class TwoProjects:
    """`ours` and `theirs` are users with a table `rows`; `loader` and `stranger` the applications that
    may administer them."""

    def __init__(self, directory: pathlib.Path):
        self.cdf = GuardedCdf(directory)
        self.evil = Listener()
        self.redirecting = Listener(f"{self.evil.url}/token")
        hosts = ["login.microsoftonline.com", self.cdf.url, self.redirecting.url]
        self.gateway = GatewayWithAccounts(directory, self.cdf, accounts={"token_hosts": hosts})
        access = [*SECOND_MINIMUM, acl("raw", "READ", "WRITE", "LIST")]
        self.loader = self.cdf.register("loader")
        self.cdf.link(self.loader, *access)
        self.stranger = self.cdf.register("stranger")
        self.cdf.link(self.stranger, *access, client=self.cdf.administrator_of(OTHER))
        self.ours, self.our_sdk = self._user(self.loader, PROJECT)
        self.theirs, self.their_sdk = self._user(self.stranger, OTHER)

    def _user(self, application: Application, project: str):
        """A user as the API shows it, and the SDK that made it."""
        sdk = self.gateway.sdk(self.cdf.token(application), project).postgres_gateway
        user = sdk.users.create(UserWrite(self.cdf.nonce(application, project)))
        table = RawTableWrite("rows", RawTableOptions("own", "rows", "k"), [Column("k", "TEXT")])
        sdk.tables.create(user.username, table)
        return user, sdk

    def connected(self, user) -> psycopg.Connection:
        return psycopg.connect(**self.gateway.keywords(user.username, user.password), autocommit=True)

    def serve_a_good_client(self) -> None:
        """Both ways in are as good as before."""
        assert self.our_sdk.users.retrieve(self.ours.username).username == self.ours.username
        key = unique("good")
        with self.connected(self.ours) as connection:
            connection.execute("INSERT INTO rows (k) VALUES (%s)", (key,))
        assert self.cdf.administrator.raw.rows.retrieve("own", "rows", key) is not None

    def stop(self) -> None:
        self.gateway.process.stop()
        self.cdf.process.stop()
        self.evil.stop()
        self.redirecting.stop()
