"""Npgsql 8: everything that Npgsql 9 is tested for. .NET takes one Npgsql a process, so these tests are
run once more, in a process that has the other one."""

import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

import pytest

MODULES = ["test_npgsql.py", "test_npgsql_import.py", "test_npgsql_reading.py"]
WITHIN_S = 240


@pytest.fixture(scope="module")
def outcomes(request, tmp_path_factory) -> dict[str, str]:
    """Tests by name, each with what went wrong."""
    directory = pathlib.Path(__file__).parent
    report = tmp_path_factory.mktemp("npgsql-8") / "report.xml"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junit-xml={report}", "-q"]
    command += ["--against", request.config.getoption("--against"), *MODULES]
    environment = os.environ | {"PENSTOCK_NPGSQL": "8"}
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST", "PYTEST_ADDOPTS"):
        environment.pop(name, None)
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=WITHIN_S
    )
    assert report.exists(), done.stdout + done.stderr
    found = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        trouble = [child for child in case if child.tag in ("failure", "error", "skipped")]
        name = f"{case.get('classname')}::{case.get('name')}"
        found[name] = "\n".join(child.text or child.get("message") or "" for child in trouble)
    return found


@pytest.mark.timeout(WITHIN_S + 20)
def test_npgsql_8_does_what_npgsql_9_does(outcomes):
    wrong = {name: trouble for name, trouble in outcomes.items() if trouble}
    assert not wrong, "\n\n".join(f"{name}\n{trouble}" for name, trouble in wrong.items())
    assert len(outcomes) > 30


def test_the_other_process_really_has_npgsql_8():
    shown = subprocess.run(
        [
            sys.executable,
            "-c",
            "from support import npgsql; print(npgsql.Npgsql.NpgsqlConnection().GetType().Assembly.FullName)",
        ],
        cwd=pathlib.Path(__file__).parent,
        env=os.environ | {"PENSTOCK_NPGSQL": "8"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert shown.stdout.startswith("Npgsql, Version=8.0.7.0,"), shown.stdout + shown.stderr
