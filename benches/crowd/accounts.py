"""Users, from the first to the last: made, listed, signed in, deleted.

Owns the order of what is measured. Promises that every user that is counted was answered with a
password, and that the list at the end shows each of them and nobody else.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import pathlib
import queue
import sys
import threading
import time
import urllib.parse

from comparison.process_figures import cpu_s, resident_bytes
from support.binary import PROJECT
from support.frames import query, signed_in

from . import plant
from .calls import Calls
from .plant import Cdf, Gateway
from .times import Times

USERS = f"/api/v1/projects/{PROJECT}/postgresgateway"
SESSIONS = f"/api/v1/projects/{PROJECT}/sessions"
FEW = 10
"""Users that there are when sign-ins are measured first."""


@dataclasses.dataclass(frozen=True)
class User:
    name: str
    password: str


class WrongList(Exception):
    """The list does not show the users that there are."""


class _Maker:
    """Makes users, one after the other."""

    def __init__(self, cdf: Cdf, gateway: Gateway):
        self._cdf, self._api = cdf.calls(), gateway.calls(cdf.token)

    def make(self, times: Times) -> User:
        """The session is CDF's affair, and not measured: the creation is."""
        session = self._cdf.call("POST", SESSIONS, {"items": [{"tokenExchange": True}]})
        body = {"items": [{"credentials": {"nonce": session["items"][0]["nonce"]}}]}
        with times.one():
            (made,) = self._api.call("POST", USERS, body)["items"]
        return User(made["username"], made["password"])

    def close(self) -> None:
        self._cdf.close()
        self._api.close()


def _one_by_one(cdf: Cdf, gateway: Gateway, count: int) -> tuple[list[User], dict]:
    maker, times = _Maker(cdf, gateway), Times()
    users = [maker.make(times) for _ in range(count)]
    maker.close()
    return users, times.figures()


def _side_by_side(cdf: Cdf, gateway: Gateway, count: int, in_flight: int) -> tuple[list[User], dict]:
    tickets: queue.SimpleQueue[None] = queue.SimpleQueue()
    for _ in range(count):
        tickets.put(None)
    times = Times()

    def work() -> list[User]:
        maker, users = _Maker(cdf, gateway), []
        while True:
            try:
                tickets.get_nowait()
            except queue.Empty:
                maker.close()
                return users
            users.append(maker.make(times))

    begun, cpu = time.perf_counter(), cpu_s(gateway.pid)
    with concurrent.futures.ThreadPoolExecutor(in_flight) as pool:
        workers = [pool.submit(work) for _ in range(in_flight)]
        users = [user for worker in workers for user in worker.result()]
    took_s = time.perf_counter() - begun
    figures = times.figures() | {
        "in_flight": in_flight,
        "users_per_s": round(len(users) / took_s, 1),
        "gateway_cpu_ms_per_user": round(1000 * (cpu_s(gateway.pid) - cpu) / len(users), 2),
    }
    return users, figures


def _sign_ins(gateway: Gateway, users: list[User], count: int) -> dict:
    times = Times()
    for number in range(count):
        user = users[number * len(users) // count]
        with times.one():
            client = signed_in(gateway.server(user.name, user.password))
        client.socket.close()
    return times.figures()


class _Bystander:
    """A client whose statements have nothing to do with what others do meanwhile."""

    def __init__(self, gateway: Gateway, user: User):
        self._client = signed_in(gateway.server(user.name, user.password))
        self._times, self._done = Times(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._done.is_set():
            with self._times.one():
                self._client.ask(query("SELECT 1"))
            # One at a time, as people ask: the core is the others'.
            self._done.wait(0.005)

    def __enter__(self) -> _Bystander:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._done.set()
        self._thread.join()
        self._client.socket.close()

    def figures(self) -> dict:
        return self._times.figures()


def _listed(api: Calls) -> tuple[list[str], dict]:
    names: list[str] = []
    times, cursor = Times(), None
    begun = time.perf_counter()
    while True:
        asked = {"limit": 100} | ({"cursor": cursor} if cursor else {})
        with times.one():
            page = api.call("GET", f"{USERS}?{urllib.parse.urlencode(asked)}")
        names += [item["username"] for item in page["items"]]
        if not (cursor := page.get("nextCursor")):
            break
    took_s = round(time.perf_counter() - begun, 3)
    return names, times.figures() | {"users": len(names), "took_s": took_s}


def _deleted(api: Calls, users: list[User]) -> dict:
    times = Times()
    for user in users:
        with times.one():
            api.call("POST", f"{USERS}/delete", {"items": [{"username": user.name}]})
    return times.figures()


def run(
    cdf: Cdf, folder: pathlib.Path, state_url: str | None, count: int, in_flight: int, sample: int
) -> tuple[list[User], dict]:
    """Makes `count` users; returns those that are left, and the figures."""
    figures: dict = {}

    def say(what: str) -> None:
        print(what, file=sys.stderr)

    with plant.gateway(cdf, folder, state_url) as gateway:
        users, _ = _one_by_one(cdf, gateway, FEW)
        figures["sign_in_with_few"] = _sign_ins(gateway, users, sample)
        with _Bystander(gateway, users[0]) as bystander:
            time.sleep(2)
        figures["statement_alone"] = bystander.figures()
        say(f"making {sample} users one by one")
        made, figures["first_one_by_one"] = _one_by_one(cdf, gateway, sample)
        users += made
        rest = count - sample - len(users)
        say(f"making {rest:,} users, {in_flight} at a time")
        before = resident_bytes(gateway.pid)
        with _Bystander(gateway, users[0]) as bystander:
            made, figures["side_by_side"] = _side_by_side(cdf, gateway, rest, in_flight)
        figures["statement_meanwhile"] = bystander.figures()
        figures["resident_bytes_per_user"] = round((resident_bytes(gateway.pid) - before) / rest)
        users += made
        say(f"making {sample} more one by one, listing, signing in, deleting")
        made, figures["last_one_by_one"] = _one_by_one(cdf, gateway, sample)
        users += made
        api = gateway.calls(cdf.token)
        names, figures["list"] = _listed(api)
        if names != sorted(user.name for user in users):
            raise WrongList(f"{len(users)} users were made, and {len(names)} are listed")
        figures["sign_in_with_all"] = _sign_ins(gateway, users, sample)
        figures["delete"] = _deleted(api, users[-sample // 3 :])
        del users[-sample // 3 :]
        if (left := len(_listed(api)[0])) != len(users):
            raise WrongList(f"{len(users)} users are left, and {left} are listed")
        api.close()
    return users, figures
