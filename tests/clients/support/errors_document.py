"""docs/errors.md as data: the rows of its tables, and which tests show them.

Owns the reading of the document and the mark on tests. Promises that a row counts as shown only
with the SQLSTATEs that the document has for it. Never says how a row is shown.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "errors.md"
SQLSTATE = re.compile(r"\b(?=\w*\d)[0-9A-Z]{5}\b")

WHAT_HAPPENS = "What happens to the rows"
ANSWERS = "Answers of CDF"
NO_ANSWER = "No answer"
SIGN_IN = "Sign-in"
TRANSACTIONS = "Transactions and time"
IDENTITY_PROVIDER = "The identity provider"


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table: the section that it is in, and its first cell."""

    section: str
    name: str


def rows_of_document() -> dict[Row, set[str]]:
    """Every row of every table, with the SQLSTATEs in it."""
    found: dict[Row, set[str]] = {}
    section, heads = "", []
    for line in DOCUMENT.read_text("utf-8").splitlines():
        if line.startswith("#"):
            section, heads = line.lstrip("# "), []
        elif not line.startswith("|"):
            heads = []
        elif not heads:
            heads = _cells(line)
        elif not set(line) <= set("|- "):
            cells = dict(zip(heads, _cells(line), strict=True))
            row = Row(section, _cells(line)[0])
            assert row not in found, f"{row} is there twice"
            # What never comes is named, too.
            said = cells.get("SQLSTATE", "").partition("never")[0]
            found[row] = set(SQLSTATE.findall(said))
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def proves(section: str, shown: dict[str, tuple[str, ...] | str]):
    """Marks a test that shows rows of a section: by first cell, the SQLSTATEs that it asserts."""

    def mark(test):
        known = getattr(test, "proven_rows", [])
        for name, sqlstates in shown.items():
            codes = (sqlstates,) if isinstance(sqlstates, str) else tuple(sqlstates)
            known.append((Row(section, name), codes))
        test.proven_rows = known
        return test

    return mark


def proven_by(modules) -> dict[Row, set[str]]:
    """The rows that the marked tests of these modules show, with the SQLSTATEs."""
    proven: dict[Row, set[str]] = {}
    for module in modules:
        for name, test in vars(module).items():
            if name.startswith("test_"):
                for row, codes in getattr(test, "proven_rows", ()):
                    proven.setdefault(row, set()).update(codes)
    return proven
