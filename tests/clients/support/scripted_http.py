"""An HTTP server that answers as told, and passes everything else on to the server behind it.

Owns a thread and a log of what was asked. Gives the answers that the local CDF cannot be made to
give: redirects, web pages, promises, silence. Never changes what it passes on.
"""

from __future__ import annotations

import dataclasses
import http.client
import http.server
import itertools
import json
import socket
import ssl
import struct
import threading
import time
import urllib.parse

WAIT_S = 30


@dataclasses.dataclass(frozen=True)
class Reply:
    """An answer. A body that is no text is sent as JSON."""

    status: int
    body: object = ""
    headers: dict = dataclasses.field(default_factory=dict)


# Nothing is answered: the connection is reset at once, or held until the script ends.
RESET = "reset"
SILENCE = "silence"


def cdf_error(status: int, message: str, **more) -> Reply:
    """An error in CDF's shape."""
    return Reply(status, {"error": {"code": status, "message": message, **more}})


@dataclasses.dataclass
class Rule:
    path: str
    reply: Reply | str
    holding: bytes
    count: int | None


@dataclasses.dataclass(frozen=True)
class Exchange:
    """What was asked, and what was answered."""

    method: str
    path: str
    body: bytes
    arrived: float
    status: int
    request_id: str | None
    is_scripted: bool


class ScriptedHttp:
    """`behind` is the address of the other server; without one, what is not scripted is a 404.
    `tls` are files of a certificate and its key."""

    def __init__(self, behind: str = "", tls: tuple[str, str] | None = None, port: int = 0):
        self._behind = urllib.parse.urlsplit(behind)
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._numbers = itertools.count(1)
        self.exchanges: list[Exchange] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def script(self, path: str, reply: Reply | str, holding: bytes = b"", count: int | None = None) -> None:
        """Answers requests so whose path holds `path` and whose body holds `holding`, the first
        `count` of them or all."""
        with self._lock:
            self._rules.append(Rule(path, reply, holding, count))

    def calm(self) -> None:
        """Ends the script and forgets what was asked."""
        with self._lock:
            self._rules.clear()
            self.exchanges.clear()
            self._over.set()
            self._over = threading.Event()

    def asked(self, path: str) -> list[Exchange]:
        """What was asked of addresses that hold `path`, in the order of the answers."""
        with self._lock:
            return [exchange for exchange in self.exchanges if path in exchange.path]

    def await_asked(self, path: str, count: int) -> None:
        """Returns once so many requests were answered."""
        deadline = time.monotonic() + WAIT_S
        while len(self.asked(path)) < count:
            assert time.monotonic() < deadline, f"fewer than {count} requests of {path}"
            time.sleep(0.01)

    def stop(self) -> None:
        self.calm()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(WAIT_S)

    def __enter__(self) -> ScriptedHttp:
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def _reply_to(self, path: str, body: bytes) -> Reply | str | None:
        with self._lock:
            for rule in self._rules:
                if rule.path in path and rule.holding in body and rule.count != 0:
                    rule.count = None if rule.count is None else rule.count - 1
                    return rule.reply
        return None

    def _note(self, exchange: Exchange) -> None:
        with self._lock:
            self.exchanges.append(exchange)

    def _handler(self):
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _serve(self):
                arrived = time.monotonic()
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                reply = front._reply_to(self.path, body)
                over = front._over

                def note(status: int, request_id: str | None = None):
                    seen = (self.command, self.path, body, arrived, status, request_id)
                    front._note(Exchange(*seen, is_scripted=reply is not None))

                if reply == RESET:
                    note(0)
                    self._reset()
                elif reply == SILENCE:
                    note(0)
                    over.wait(WAIT_S)
                    self._reset()
                elif reply is None:
                    self._pass_on(body, note)
                else:
                    self._answer(reply, note)

            do_GET = do_POST = do_PUT = do_DELETE = _serve

            def _reset(self):
                # With no time to linger, closing is a reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()

            def _answer(self, reply: Reply, note):
                is_json = not isinstance(reply.body, str)
                payload = (json.dumps(reply.body) if is_json else reply.body).encode()
                request_id = f"scripted-{next(front._numbers)}"
                headers = {"x-request-id": request_id}
                headers |= {"content-type": "application/json"} if is_json else {}
                note(reply.status, request_id)
                self._send(reply.status, headers | reply.headers, payload)

            def _pass_on(self, body: bytes, note):
                if not front._behind.hostname:
                    return self._answer(cdf_error(404, "nobody is behind this server"), note)
                connection = http.client.HTTPConnection(
                    front._behind.hostname, front._behind.port, timeout=WAIT_S
                )
                own = ("host", "connection", "content-length")
                headers = {name: value for name, value in self.headers.items() if name.lower() not in own}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                payload = answer.read()
                connection.close()
                note(answer.status, answer.headers.get("x-request-id"))
                kept = ("content-type", "x-request-id", "date")
                passed = {name: value for name, value in answer.headers.items() if name.lower() in kept}
                self._send(answer.status, passed, payload)

            def _send(self, status: int, headers: dict, payload: bytes):
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_):
                pass

        return Handler
