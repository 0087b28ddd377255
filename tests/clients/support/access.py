"""A CDF with access control, and a gateway with an accounts API before it.

Owns both processes and the few calls of the local identity provider. The administrator of the
CDF project makes groups with Cognite's SDK, as a person would in CDF; applications and people
are registered at the local identity provider, as a person would in Entra ID.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import secrets
import ssl
import subprocess
import urllib.error
import urllib.request

from cognite.client import ClientConfig, CogniteClient
from cognite.client.credentials import OAuthClientCredentials, Token
from cognite.client.data_classes import ClientCredentials, GroupWrite
from cognite.client.data_classes.postgres_gateway import SessionCredentials

from .binary import PROJECT, binary
from .configured import toml
from .emulator import Emulator
from .process import ServerProcess
from .server import Server

CDF_READY = r"^penstock emulator ready cdf=(?P<cdf>\S+) token_url=(?P<token_url>\S+)"
GATEWAY_READY = r"^penstock serve ready postgres=(?P<host>[\d.]+):(?P<port>\d+) http=(?P<http>\S+) accounts=(?P<accounts>\S+)$"

# What the setup guide asks for in both versions.
FIRST_MINIMUM = [
    {"projectsAcl": {"actions": ["LIST"], "scope": {"all": {}}}},
    {"groupsAcl": {"actions": ["LIST"], "scope": {"all": {}}}},
]
SECOND_MINIMUM = [
    *FIRST_MINIMUM,
    {"postgresGatewayAcl": {"actions": ["READ", "WRITE"], "scope": {"all": {}}}},
    {"sessionsAcl": {"actions": ["CREATE"], "scope": {"all": {}}}},
]


def acl(name: str, *actions: str) -> dict:
    return {f"{name}Acl": {"actions": list(actions or ("READ", "WRITE")), "scope": {"all": {}}}}


@dataclasses.dataclass(frozen=True)
class Application:
    """An application at the identity provider, member of one group there."""

    client_id: str
    client_secret: str
    source_id: str


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    body: dict


class GuardedCdf:
    """A local CDF that enforces capabilities."""

    def __init__(self, directory: pathlib.Path, *flags: str):
        secret = secrets.token_urlsafe(16)
        command = [binary(), "emulator", "--listen", "127.0.0.1:0", "--require-token", "--enforce-access"]
        command += ["--admin-client-id", "administrator", f"--admin-client-secret={secret}", *flags]
        self.process = ServerProcess(command, CDF_READY, directory / "cdf.log")
        self.url = self.process.ready["cdf"]
        self.token_url = self.process.ready["token_url"]
        self.emulator = Emulator(self.url)
        self._admin = Application("administrator", secret, "")
        self.administrator = self.client(self._admin)

    def client(self, application: Application, project: str = PROJECT) -> CogniteClient:
        """Cognite's SDK as that application."""
        credentials = OAuthClientCredentials(
            token_url=self.token_url,
            client_id=application.client_id,
            client_secret=application.client_secret,
            scopes=[f"{self.url}/.default"],
        )
        config = ClientConfig("penstock-client-tests", project, credentials, base_url=self.url)
        return CogniteClient(config)

    def administrator_of(self, project: str) -> CogniteClient:
        return self.client(self._admin, project)

    def register(self, name: str) -> Application:
        """Steps 1 and 2 of the guide: an application, and a group that it is a member of."""
        application = Application(
            f"{name}-{secrets.token_hex(4)}", secrets.token_urlsafe(16), secrets.token_hex(16)
        )
        self.emulator.register_application(
            client_id=application.client_id,
            client_secret=application.client_secret,
            groups=[application.source_id],
        )
        return application

    def change(
        self, application: Application, secret: str | None = None, is_member: bool = True
    ) -> Application:
        """Gives the application another secret, or takes it out of its group; returns what it is now."""
        changed = dataclasses.replace(application, client_secret=secret or application.client_secret)
        self.emulator.register_application(
            client_id=changed.client_id,
            client_secret=changed.client_secret,
            groups=[changed.source_id] if is_member else [],
        )
        return changed

    def link(self, application: Application, *capabilities: dict, client: CogniteClient | None = None) -> int:
        """Step 3: a CDF group with these capabilities; returns its id."""
        group = GroupWrite.load(
            {
                "name": f"{application.client_id}-{secrets.token_hex(4)}",
                "sourceId": application.source_id,
                "capabilities": list(capabilities),
            }
        )
        return (client or self.administrator).iam.groups.create(group).id

    def nonce(self, application: Application, project: str = PROJECT) -> SessionCredentials:
        """Of a new session of the application."""
        credentials = ClientCredentials(application.client_id, application.client_secret)
        sessions = self.client(application, project).iam.sessions
        return SessionCredentials(sessions.create(credentials, session_type="CLIENT_CREDENTIALS").nonce)

    def unlink(self, group: int) -> None:
        self.administrator.iam.groups.delete(group)

    def session(self, application: Application) -> tuple[str, int]:
        """A session made by and for the application: its nonce and its id."""
        credentials = ClientCredentials(application.client_id, application.client_secret)
        sessions = self.client(application).iam.sessions
        made = sessions.create(credentials, session_type="CLIENT_CREDENTIALS")
        return made.nonce, made.id

    def expire_tokens(self) -> None:
        """Lets all tokens expire, so that new ones say what the directory has now."""
        self.emulator.expire_tokens()
        self.administrator = self.client(self._admin)

    def token(self, application: Application) -> str:
        """A bearer token, by a Basic header."""
        credentials = self.client(application).config.credentials
        return credentials.authorization_header()[1].removeprefix("Bearer ")


class GatewayWithAccounts:
    """`penstock serve` with a state store and an accounts API. `sections` add to its file, a list being
    a section that is there several times."""

    def __init__(self, directory: pathlib.Path, cdf: GuardedCdf, **sections: dict):
        key = directory / "state.key"
        key.write_text(secrets.token_hex(32) + "\n")
        accounts = {"listen": "127.0.0.1:0", "cdf_base_url": cdf.url, "token_hosts": [cdf.url]}
        listen = {"postgres": "127.0.0.1:0", "http": "127.0.0.1:0"} | sections.pop("listen", {})
        tables = {
            "listen": listen,
            "state": {"path": "state.sqlite", "key_file": "state.key"},
            "accounts": accounts | sections.pop("accounts", {}),
            **sections,
        }
        self.certificate = listen.get("tls_certificate")
        self.sealing_key = key.read_text().strip()
        self.file = directory / "penstock.toml"
        self.file.write_text(toml(tables))
        self._log = directory / "gateway.log"
        self.restart()

    def restart(self) -> None:
        """Starts it, for the first time or once more."""
        command = [binary(), "serve", str(self.file)]
        self.process = ServerProcess(command, GATEWAY_READY, self._log)
        ready = self.process.ready
        self.host, self.port = ready["host"], int(ready["port"])
        self.api = f"{'https' if self.certificate else 'http'}://{ready['accounts']}"
        self.http_url = f"http://{ready['http']}"

    @property
    def api_address(self) -> tuple[str, int]:
        host, port = self.api.split("//")[1].split(":")
        return host, int(port)

    def sdk(self, token: str, project: str = PROJECT) -> CogniteClient:
        """Cognite's SDK, unpatched, for its `postgres_gateway`."""
        return CogniteClient(ClientConfig("penstock-client-tests", project, Token(token), base_url=self.api))

    def call(self, method: str, path: str, token: str | None = None, body=None) -> Answer:
        """One call to the accounts API, whatever it answers. With a certificate it must be that one."""
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.api + path, data=data, method=method, headers=headers)
        try:
            context = ssl.create_default_context(cafile=self.certificate)
            with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                return Answer(answer.status, json.loads(answer.read() or b"{}"))
        except urllib.error.HTTPError as error:
            text = error.read()
            return Answer(error.code, json.loads(text) if text else {})

    def create_by_nonce(self, cdf: GuardedCdf, application: Application, project: str = PROJECT) -> Answer:
        """`/postgresgateway` with the nonce of a new session."""
        nonce, _ = cdf.session(application)
        return self.send_nonce(cdf.token(application), nonce, project)

    def send_nonce(self, token: str, nonce: str, project: str = PROJECT) -> Answer:
        body = {"items": [{"credentials": {"nonce": nonce}}]}
        return self.call("POST", f"/api/v1/projects/{project}/postgresgateway", token, body)

    def create_by_secret(self, cdf: GuardedCdf, application: Application, token: str | None = None) -> Answer:
        """`/create` with the application's own secret."""
        auth = {
            "token_url": cdf.token_url,
            "client_id": application.client_id,
            "client_secret": application.client_secret,
            "scope": f"{cdf.url}/.default",
        }
        return self.call(
            "POST", "/create", token or cdf.token(application), {"auth": auth, "project": PROJECT}
        )

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        """`penstock` with the gateway's own file, as its administrator would run it beside it."""
        return subprocess.run(
            [binary(), *arguments[:2], "--config", str(self.file), *arguments[2:]],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | environment,
        )

    def metric(self, name: str) -> float:
        """The sum of a metric's values over the labels that are not given."""
        with urllib.request.urlopen(f"{self.http_url}/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        values = [line.rpartition(" ")[2] for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(map(float, values))

    def server(self, user: str, password: str, database: str = "") -> Server:
        """Where a user of the API connects."""
        return Server(self.host, self.port, user, password, database or user)

    def keywords(self, user: str, password: str, **more) -> dict:
        """Keyword arguments of psycopg for a user of the API."""
        return {
            "host": self.host,
            "port": self.port,
            "user": user,
            "password": password,
            "dbname": user,
            "connect_timeout": 20,
            **more,
        }
