"""A web server between a gateway and the local CDF that writes down what passes.

Owns a thread. Passes everything on as it came, and the answer back.
"""

from __future__ import annotations

import http.server
import threading
import urllib.error
import urllib.request

PASSED_ON = ("authorization", "content-type", "content-encoding", "accept", "x-cdp-app")


class Proxy:
    """`bodies` are those of requests and of answers, in the order in which they came."""

    def __init__(self, target: str):
        self.bodies: list[str] = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
                request = urllib.request.Request(
                    target + self.path, data=body or None, method=self.command, headers=headers
                )
                try:
                    with urllib.request.urlopen(request, timeout=20) as answer:
                        status, answered = answer.status, answer.read()
                except urllib.error.HTTPError as error:
                    status, answered = error.code, error.read()
                proxy.bodies += [body.decode("latin-1"), answered.decode("latin-1")]
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answered)))
                self.end_headers()
                self.wfile.write(answered)

            do_GET = do_POST = pass_on

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
