"""HTTP calls on one connection that stays open, as an SDK makes them.

Owns the connection. Anything but an answer of 2xx is an error that says what was answered.
"""

from __future__ import annotations

import http.client
import json
import urllib.parse


class CallFailed(Exception):
    """The server did not do what it was asked."""


class Calls:
    def __init__(self, base_url: str, token: str):
        self._connection = http.client.HTTPConnection(urllib.parse.urlsplit(base_url).netloc, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, data, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if not 200 <= answer.status < 300:
            raise CallFailed(f"{method} {path}: {answer.status} {text.decode('utf-8', 'replace')}")
        return json.loads(text) if text else {}

    def close(self) -> None:
        self._connection.close()
