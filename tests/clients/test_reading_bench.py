"""The bench of reading runs, checks what it read, and reports; how fast is not judged here."""

import json
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.gateway_only

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "benches" / "reading"


@pytest.mark.timeout(120)
def test_a_small_bench_reads_all_rows_in_every_way():
    command = [sys.executable, str(PROGRAM), "--points", "1000", "--assets", "200", "--rounds", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [way["rows"] for way in report["ways"]] == [1000, 1000, 1000, 200, 200]
    assert all(way["rows_per_s"] > 0 and way["engine_peak_bytes"] > 0 for way in report["ways"])
    assert report["first_statement"]["engine_bytes"] > 0
