"""A pgAdmin 4 as people run it on their own machine, driven by the HTTP that its window sends.

Owns the process, with a directory for all that it keeps, and the session of its one user; what is
behind its addresses is `support.pgadmin_tree`'s. scripts/test installs it into an environment of its
own: it wants other versions of what the tests have.
"""

from __future__ import annotations

import http.cookiejar
import json
import os
import pathlib
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request

from .dotnet import environment
from .process import ServerProcess

READY = r"Please navigate to (?P<url>http://\S+)"
ANSWERS_WITHIN_S = 90


class PgAdminError(AssertionError):
    """pgAdmin could not do it, and says why: most often with the words of the database server."""


def _configuration(directory: pathlib.Path) -> str:
    """What differs from a desktop: files here, nobody's keyring, no look for a newer version."""
    settings = {
        "SERVER_MODE": False,
        "DEFAULT_SERVER": "127.0.0.1",
        "DATA_DIR": str(directory),
        "LOG_FILE": str(directory / "pgadmin4.log"),
        "SQLITE_PATH": str(directory / "pgadmin4.db"),
        "SESSION_DB_PATH": str(directory / "sessions"),
        "STORAGE_DIR": str(directory / "storage"),
        "MASTER_PASSWORD_REQUIRED": False,
        "USE_OS_SECRET_STORAGE": False,
        "UPGRADE_CHECK_ENABLED": False,
    }
    return "".join(f"{name} = {value!r}\n" for name, value in settings.items())


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class PgAdmin:
    def __init__(self, directory: pathlib.Path):
        python = environment() / "pgadmin" / "bin" / "python"
        [program] = (environment() / "pgadmin" / "lib").glob("python3*/site-packages/pgadmin4/pgAdmin4.py")
        configuration = directory / "configuration.py"
        configuration.write_text(_configuration(directory))
        self.log = directory / "pgadmin4.log"
        port = _free_port()
        # Nothing of the caller's shell names a database server to it.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        variables = {
            "CONFIG_DISTRO_FILE_PATH": str(configuration),
            "PGADMIN_SERVER_MODE": "OFF",
            "PGADMIN_INT_PORT": str(port),
        }
        self.process = ServerProcess(
            [str(python), str(program)],
            READY,
            directory / "output",
            environment=inherited | variables,
            ready_within_s=ANSWERS_WITHIN_S,
        )
        self._base = f"http://127.0.0.1:{port}"
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        try:
            self._await_answer()
            self._open("/browser/")
            script = self._open("/browser/js/utils.js").decode()
            self._token = re.search(r"csrf_token'\] = '([^']+)'", script)[1]
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        # It has no wish to end cleanly, and nothing to lose.
        self.process.kill()

    def _open(self, path: str) -> bytes:
        with self._opener.open(self._base + path, timeout=ANSWERS_WITHIN_S) as answer:
            return answer.read()

    def _await_answer(self) -> None:
        """It says that it is there a moment before it listens."""
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while True:
            try:
                self._open("/misc/ping")
                return
            except urllib.error.URLError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def call(self, method: str, path: str, body=None, form: dict | None = None):
        """One request; the answer's JSON, or its text where it is none.

        Raises PgAdminError with pgAdmin's words where it says that it failed.
        """
        headers = {"X-pgA-CSRFToken": self._token, "Accept": "application/json"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        elif form is not None:
            data = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self._base + path, data=data, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=ANSWERS_WITHIN_S) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            raise PgAdminError(f"{method} {path}: {error.code} {_failure(text)}") from None
        try:
            said = json.loads(text)
        except ValueError:
            return text
        if isinstance(said, dict) and said.get("success") == 0:
            raise PgAdminError(f"{method} {path}: {_failure(text)}")
        return said

    def get(self, path: str):
        return self.call("GET", path)


def _failure(text: str) -> str:
    """pgAdmin's words, or what it sent instead of any."""
    try:
        said = json.loads(text)
    except ValueError:
        return text[:2000]
    return str(said.get("errormsg") or said)
