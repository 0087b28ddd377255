"""A web server that writes down what it is sent, and sends its callers elsewhere if told so.

Owns a thread. Never answers with a token.
"""

from __future__ import annotations

import http.server
import threading


class Listener:
    """`location` is where it redirects to; without one it answers with nothing."""

    def __init__(self, location: str = "", status: int = 307):
        self.heard: list[str] = []
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                listener.heard.append(f"{self.requestline}\n{self.headers}\n{body.decode('latin-1')}")
                self.send_response(status if location else 200)
                if location:
                    self.send_header("location", location)
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
