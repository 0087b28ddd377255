"""The emulator's own HTTP calls: faults, figures, requests seen.

Owns nothing but the address. Faults hold for the whole emulator, so tests that inject
them share a gateway with nobody else while they run.
"""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request


class Emulator:
    def __init__(self, base_url: str):
        self._base_url = base_url

    def _call(self, method: str, path: str, body=None):
        request = urllib.request.Request(
            f"{self._base_url}/_emulator/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def register_application(self, client_id: str, client_secret: str, groups: list[str]) -> None:
        """An application at the local identity provider."""
        body = {"client_id": client_id, "secrets": [client_secret], "groups": groups}
        self._call("PUT", "identity/applications", body)

    def mint_token(self, **order) -> str:
        """A token of any kind, as docs/emulator.md describes orders of them."""
        return self._call("POST", "identity/tokens", order)["token"]

    def delete_application(self, client_id: str) -> None:
        """As an administrator of Entra ID does; its sessions end with it."""
        self._call("DELETE", f"identity/applications/{urllib.parse.quote(client_id, safe='')}")

    def expire_tokens(self) -> None:
        """Lets every token expire that was issued so far."""
        self._call("DELETE", "tokens")

    def pass_time(self, seconds: int) -> None:
        """Lets time pass for tokens, nonces and sessions."""
        self._call("PUT", "identity/clock", {"advance_ms": 1000 * seconds})

    def inject(self, **rule) -> None:
        """Adds one fault rule, as docs/emulator.md describes it."""
        self._call("POST", "faults", [rule])

    def faults(self) -> list[dict]:
        return self._call("GET", "faults")["items"]

    def fault_hits(self) -> int:
        return sum(rule["hits"] for rule in self.faults())

    def clear_faults(self) -> None:
        self._call("DELETE", "faults")

    def statistics(self) -> dict:
        return self._call("GET", "statistics")

    def operation(self, name: str) -> dict:
        """Figures of one operation, such as `datapoints.insert`; empty if never asked for."""
        return self.statistics()["operations"].get(name, {})

    def requests(self, operation: str = "", since: int = 0) -> list[dict]:
        """The requests that ended, oldest first."""
        query = urllib.parse.urlencode({"operation": operation, "since": since, "limit": 10_000})
        return self._call("GET", f"requests?{query}")["items"]

    def next_sequence(self) -> int:
        """Sequence number that the next request will get at the earliest."""
        return max((entry["sequence"] + 1 for entry in self.requests()), default=0)

    def await_in_flight(self, operation: str, within_s: float = 20) -> None:
        """Returns once a request of that operation is being served."""
        deadline = time.monotonic() + within_s
        while not self.operation(operation).get("in_flight"):
            if time.monotonic() > deadline:
                raise AssertionError(f"no request of {operation} arrived within {within_s} s")

    def await_none_in_flight(self, operation: str, within_s: float = 20) -> None:
        """Returns once every request of that operation is served, also those that nobody waits for."""
        deadline = time.monotonic() + within_s
        while self.operation(operation).get("in_flight"):
            if time.monotonic() > deadline:
                raise AssertionError(f"requests of {operation} are in flight after {within_s} s")
            time.sleep(0.02)
