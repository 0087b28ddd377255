"""The comparison with PostgreSQL runs, counts, and reports; how fast is not judged here."""

import json
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.gateway_only

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "benches" / "compare-postgres"


@pytest.mark.timeout(300)
def test_a_small_comparison_reports_every_case_and_the_outage():
    command = [sys.executable, str(PROGRAM), "--scale", "0.01", "--rounds", "1", "--outage", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [case["name"] for case in report["cases"]] == [
        "copy-text",
        "copy-binary",
        "copy-raw",
        "insert",
        "insert-one",
    ]
    for case in report["cases"]:
        assert case["gateway_rows_per_s"] > 0
        assert case["postgresql_rows_per_s"] > 0
        assert case["gateway_peak_bytes"] > 0
    assert report["outage"]["took_s"] >= 1
