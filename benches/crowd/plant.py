"""The processes that are measured: a CDF that enforces access, and a gateway with an accounts API.

Owns starting and ending them, and the one application that may make users. What would take an
operator a minute each in CDF and at an identity provider is one call each here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import resource
import secrets
import subprocess
import time
import typing
import urllib.parse
import urllib.request

from support.binary import PROJECT, binary
from support.emulator import Emulator
from support.process import ServerProcess
from support.server import Server

from .calls import Calls

CDF_READY = r"^penstock emulator ready cdf=(?P<cdf>\S+) token_url=(?P<token_url>\S+)"
GATEWAY_READY = (
    r"^penstock serve ready postgres=(?P<host>[\d.]+):(?P<port>\d+) http=(?P<http>\S+)"
    r" accounts=(?P<accounts>\S+)$"
)
STATE_URL = "PENSTOCK_ACCOUNTS_BENCH_STATE_URL"
TOKEN_LIFETIME_S = 12 * 3_600
"""Longer than any run: the bench measures no renewals."""


def allow_descriptors(count: int) -> None:
    """Lets this process, and those that it starts, open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def _acl(name: str, *actions: str) -> dict:
    return {f"{name}Acl": {"actions": list(actions), "scope": {"all": {}}}}


CAPABILITIES = [
    _acl("projects", "LIST"),
    _acl("groups", "LIST"),
    _acl("postgresGateway", "READ", "WRITE"),
    _acl("sessions", "CREATE"),
    _acl("raw", "READ", "WRITE", "LIST"),
]


@dataclasses.dataclass(frozen=True)
class Cdf:
    url: str
    emulator: Emulator
    token: str
    """Of the application that makes users, and that all of them write as."""

    def calls(self) -> Calls:
        return Calls(self.url, self.token)


def _token(token_url: str, url: str, client_id: str, client_secret: str) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
        "scope": f"{url}/.default",
    }
    data = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(urllib.request.Request(token_url, data=data), timeout=30) as answer:
        return json.loads(answer.read())["access_token"]


@contextlib.contextmanager
def cdf(folder: pathlib.Path) -> typing.Iterator[Cdf]:
    secret, source_id = secrets.token_urlsafe(16), secrets.token_hex(16)
    command = [binary(), "emulator", "--listen", "127.0.0.1:0", "--require-token", "--enforce-access"]
    command += ["--admin-client-id", "administrator", "--admin-client-secret", secret]
    command += ["--token-lifetime-s", str(TOKEN_LIFETIME_S)]
    process = ServerProcess(command, CDF_READY, folder / "cdf.log")
    try:
        url, token_url = process.ready["cdf"], process.ready["token_url"]
        emulator = Emulator(url)
        emulator.register_application("loader", secret, [source_id])
        administrator = Calls(url, _token(token_url, url, "administrator", secret))
        group = {"name": "loaders", "sourceId": source_id, "capabilities": CAPABILITIES}
        administrator.call("POST", f"/api/v1/projects/{PROJECT}/groups", {"items": [group]})
        yield Cdf(url, emulator, _token(token_url, url, "loader", secret))
    except BaseException:
        process.kill()
        raise
    process.stop()


def _certificate(folder: pathlib.Path) -> dict[str, str]:
    """A certificate for 127.0.0.1 that signs itself, as the keys of `[listen]`."""
    files = {"tls_certificate": str(folder / "server.crt"), "tls_private_key": str(folder / "server.key")}
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-out", files["tls_certificate"], "-keyout", files["tls_private_key"]]
    subprocess.run(command, check=True, capture_output=True)
    return files


@dataclasses.dataclass(frozen=True)
class Gateway:
    process: ServerProcess
    api: str
    ready_s: float
    """From its start until clients were let in."""

    @property
    def pid(self) -> int:
        return self.process.pid

    def server(self, user: str, password: str) -> Server:
        ready = self.process.ready
        return Server(ready["host"], int(ready["port"]), user, password, user)

    def calls(self, token: str) -> Calls:
        return Calls(self.api, token)


@contextlib.contextmanager
def gateway(
    cdf: Cdf,
    folder: pathlib.Path,
    state_url: str | None,
    connections_max: int = 1_000,
    encrypted: bool = False,
) -> typing.Iterator[Gateway]:
    """A gateway on the store of `folder`, or on the PostgreSQL; the next one finds what it left."""
    key = folder / "state.key"
    if not key.exists():
        key.write_text(secrets.token_hex(32) + "\n")
    listen = {"postgres": "127.0.0.1:0", "http": "127.0.0.1:0", "connections_max": connections_max}
    place = {"url_env": STATE_URL} if state_url else {"path": "state.sqlite"}
    sections = {
        "listen": listen | (_certificate(folder) if encrypted else {}),
        "state": {**place, "key_file": "state.key"},
        "accounts": {
            "listen": "127.0.0.1:0",
            "cdf_base_url": cdf.url,
            "token_hosts": [cdf.url],
            # A round of looks at a thousand users would never let a busy machine come to rest.
            "check_interval_s": 3_600,
        },
        # One line for each user would be measured, too.
        "logs": {"filter": "warn"},
    }
    lines = []
    for name, values in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{option} = {json.dumps(value)}" for option, value in values.items()]
    file = folder / "penstock.toml"
    file.write_text("\n".join(lines) + "\n")
    environment = os.environ | ({STATE_URL: state_url} if state_url else {})
    begun = time.perf_counter()
    process = ServerProcess(
        [binary(), "serve", str(file)], GATEWAY_READY, folder / "gateway.log", environment
    )
    ready_s = time.perf_counter() - begun
    try:
        yield Gateway(process, f"http://{process.ready['accounts']}", ready_s)
    except BaseException:
        process.kill()
        raise
    process.stop()
