"""Connections that the server ends, as a pool meets them.

Owns how a server is made to end one connection and no other: it finds it silent for too long.
Promises to return only once the end has come.
"""

from __future__ import annotations

import contextlib
import re
import select

# Says to the server how long it may be silent. PostgreSQL knows it from version 14 on.
END_WHEN_SILENT = "SET idle_session_timeout = 100"
LAST_WORDS = "last_words=FATAL 57P05"
WITHIN_S = 20


def await_end(socket) -> None:
    """Returns once the server has said something to a silent connection, which is that it ends.

    `socket` is one, or its number."""
    readable, _, _ = select.select([socket], [], [], WITHIN_S)
    assert readable, f"the server did not end a silent connection within {WITHIN_S} s"


@contextlib.contextmanager
def until_one_is_ended(process):
    """Leaves when the gateway's log tells of one more connection that was silent: for clients that do
    not show their sockets."""
    before = process.log_text().count(LAST_WORDS)
    yield
    process.await_log(rf"(?s)({re.escape(LAST_WORDS)}.*){{{before + 1}}}")
