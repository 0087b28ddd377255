"""docs/clients.md as data: what works with which client, and the tests that show it.

Owns the reading of the document and of the tests' names. Promises that a test counts only if it is
there and is neither skipped nor expected to fail. Never runs one.
"""

from __future__ import annotations

import ast
import dataclasses
import pathlib
import re

from .document import Document

ROOT = pathlib.Path(__file__).resolve().parents[3]
CLIENT_TESTS = ROOT / "tests" / "clients"
OVERVIEW = "What works"
CAPABILITIES = ("connect", "write", "errors", "cancel", "transactions", "reconnect", "read", "catalog")


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a client's own table."""

    capability: str
    how: str
    tests: tuple[str, ...]


def overview() -> dict[str, dict[str, str]]:
    """What the first table says: by client and capability."""
    lines = table_lines(OVERVIEW)
    heads = cells(lines[0])
    assert tuple(heads[1:]) == CAPABILITIES
    return {cells(line)[0]: dict(zip(heads[1:], cells(line)[1:], strict=True)) for line in lines[2:]}


def rows_of(client: str) -> dict[str, Row]:
    """The rows of the client's own section, by capability."""
    found = {}
    for line in table_lines(client)[2:]:
        capability, how, shown = cells(line)
        assert capability in CAPABILITIES and capability not in found, (client, capability)
        found[capability] = Row(capability, how, tuple(re.findall(r"`([^`]+)`", shown)))
    return found


def table_lines(heading: str) -> list[str]:
    document = Document("clients.md")
    return [line for line in document.lines(heading) if line.startswith("|")]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def python_tests() -> dict[str, bool]:
    """`module::test` of every test in Python, without their `test_`; whether it is run and must pass."""
    found = {}
    for file in CLIENT_TESTS.glob("test_*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
                name = f"{file.stem.removeprefix('test_')}::{node.name.removeprefix('test_')}"
                found[name] = "mark.skip" not in marks and "xfail" not in marks
    return found


def rust_tests() -> dict[str, bool]:
    """`target::module::test` of every test in Rust whose name a document may give."""
    found = {}
    for target in ("promises", "protocol"):
        for file in (ROOT / "tests" / target).glob("*.rs"):
            marked = re.findall(
                r"^#\[(?:tokio::)?test\]\n((?:#\[.*\]\n)*)(?:async )?fn (\w+)", file.read_text(), re.MULTILINE
            )
            for marks, name in marked:
                found[f"{target}::{file.stem}::{name}"] = "ignore" not in marks
    return found
