"""PostgreSQL's protocol, message by message, for what no driver does on request.

Owns one socket. Builds messages as told, also wrong ones; reads messages with a bound on
every wait. Knows SCRAM-SHA-256, also bound to TLS, well enough to sign in and to show what the server
sent. Never checks who the server is.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import secrets
import socket
import ssl
import struct

from .server import Server

SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102
PROTOCOL_3_0 = 196608
WAIT_S = 20


@dataclasses.dataclass(frozen=True)
class Message:
    kind: str
    body: bytes

    @property
    def fields(self) -> dict[str, str]:
        """Fields of an ErrorResponse or NoticeResponse, by their letter."""
        texts = self.body.rstrip(b"\0").split(b"\0")
        return {text[:1].decode(): text[1:].decode() for text in texts if text}

    @property
    def texts(self) -> list[str]:
        return [text.decode() for text in self.body.split(b"\0")[:-1]]


def message(kind: str, body: bytes = b"") -> bytes:
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def query(sql: str) -> bytes:
    return message("Q", text(sql))


def parse(sql: str, name: str = "", types: tuple[int, ...] = ()) -> bytes:
    return message("P", text(name) + text(sql) + struct.pack(f"!h{len(types)}I", len(types), *types))


def bind(values=(), portal: str = "", statement: str = "", formats=(), results=()) -> bytes:
    """`values` are bytes, or None for NULL."""
    body = text(portal) + text(statement) + struct.pack(f"!h{len(formats)}h", len(formats), *formats)
    body += struct.pack("!h", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message("B", body + struct.pack(f"!h{len(results)}h", len(results), *results))


def describe(what: str, name: str = "") -> bytes:
    """`what` is S for a statement, P for a portal."""
    return message("D", what.encode() + text(name))


def execute(portal: str = "", rows_max: int = 0) -> bytes:
    return message("E", text(portal) + struct.pack("!i", rows_max))


def close(what: str, name: str) -> bytes:
    return message("C", what.encode() + text(name))


SYNC = message("S")
FLUSH = message("H")
COPY_DONE = message("c")
TERMINATE = message("X")


def copy_data(data: bytes) -> bytes:
    return message("d", data)


def copy_fail(reason: str) -> bytes:
    return message("f", text(reason))


def startup(parameters: dict[str, str], version: int = PROTOCOL_3_0) -> bytes:
    body = struct.pack("!I", version)
    body += b"".join(text(key) + text(value) for key, value in parameters.items()) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


class Frames:
    """A connection that is not signed in yet; `source` is the address that it comes from."""

    def __init__(self, server: Server, source: str = ""):
        self.server = server
        origin = (source, 0) if source else None
        self.socket = socket.create_connection(
            (server.host, server.port), timeout=WAIT_S, source_address=origin
        )
        self._buffer = b""
        self.parameters: dict[str, str] = {}
        self.negotiated: Message | None = None
        self.sasl_mechanisms: list[str] = []
        self.salt = b""
        self.key_data = b""

    def __enter__(self) -> Frames:
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def encrypt(self, context: ssl.SSLContext | None = None) -> Frames:
        """Asks for TLS and does the handshake; returns self. Without a context any server will do."""
        self.send(struct.pack("!iI", 8, SSL_REQUEST))
        assert self.read_exactly(1) == b"S"
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, server_hostname=self.server.host)
        return self

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))

    def read_exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            part = self.socket.recv(65536)
            if not part:
                raise EOFError(f"the server closed the connection; {self._buffer!r} was left")
            self._buffer += part
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def read(self) -> Message:
        kind, length = struct.unpack("!ci", self.read_exactly(5))
        return Message(kind.decode("latin-1"), self.read_exactly(length - 4))

    def read_until(self, kind: str) -> list[Message]:
        """Messages up to and with the first of `kind`; changes of settings are set aside."""
        found = []
        while not found or found[-1].kind != kind:
            got = self.read()
            if got.kind == "S":
                name, value = got.texts
                self.parameters[name] = value
            else:
                found.append(got)
        return found

    def ask(self, *parts: bytes) -> list[Message]:
        """Sends, then reads up to ReadyForQuery."""
        self.send(*parts)
        return self.read_until("Z")

    def is_closed_by_server(self) -> bool:
        """Reads to the end of the stream; what was still to come is dropped."""
        with contextlib.suppress(ConnectionError):
            while self.socket.recv(65536):
                pass
        return True

    def sign_in(
        self,
        version: int = PROTOCOL_3_0,
        gs2: str = "n,,",
        name: str = "",
        password=None,
        is_bound: bool = False,
        **parameters,
    ):
        """Signs in and reads up to the first ReadyForQuery; returns self. `is_bound`: by
        SCRAM-SHA-256-PLUS."""
        mechanism, bound = "SCRAM-SHA-256", b""
        if is_bound:
            mechanism, gs2 = "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,"
            bound = hashlib.sha256(self.socket.getpeercert(binary_form=True)).digest()
        given = {"user": self.server.user, "database": self.server.database, **parameters}
        self.send(startup(given, version))
        nonce = base64.b64encode(secrets.token_bytes(18)).decode()
        first = f"n={name},r={nonce}"
        while True:
            got = self.read()
            if got.kind == "v":
                self.negotiated = got
            elif got.kind == "R" and (code := struct.unpack("!i", got.body[:4])[0]):
                if code == 10:
                    self.sasl_mechanisms = [t.decode() for t in got.body[4:].split(b"\0") if t]
                    initial = (gs2 + first).encode()
                    self.send(message("p", text(mechanism) + struct.pack("!i", len(initial)) + initial))
                elif code == 11:
                    head = gs2.encode() + bound
                    self.send(message("p", self._proof(head, first, got.body[4:].decode(), password)))
            elif got.kind == "E":
                raise SignInRefused(got.fields)
            elif got.kind == "S":
                name_of, value = got.texts
                self.parameters[name_of] = value
            elif got.kind == "K":
                self.key_data = got.body
            elif got.kind == "Z":
                return self

    def _proof(self, head: bytes, first: str, server_first: str, password) -> bytes:
        attributes = dict(part.split("=", 1) for part in server_first.split(","))
        self.salt = base64.b64decode(attributes["s"])
        secret = (self.server.password if password is None else password).encode()
        salted = hashlib.pbkdf2_hmac("sha256", secret, self.salt, int(attributes["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        final = f"c={base64.b64encode(head).decode()},r={attributes['r']}"
        signed = f"{first},{server_first},{final}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return f"{final},p={base64.b64encode(proof).decode()}".encode()


class SignInRefused(Exception):
    """The server answered the sign-in with an error; `fields` are the error's."""

    def __init__(self, fields: dict[str, str]):
        super().__init__(fields)
        self.fields = fields


def signed_in(server: Server, **options) -> Frames:
    return Frames(server).sign_in(**options)
