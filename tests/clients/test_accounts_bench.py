"""The bench of users and connections runs, counts, and reports; how fast is not judged here."""

import json
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.gateway_only

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "benches" / "accounts"


@pytest.mark.timeout(300)
def test_a_small_bench_reports_users_and_connections():
    command = [
        sys.executable,
        str(PROGRAM),
        "--users",
        "60",
        "--connections",
        "20",
        "--sample",
        "12",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    (store,) = report["stores"]
    assert store["store"] == "SQLite"
    counts = {name: store[name]["count"] for name in ("first_one_by_one", "side_by_side", "last_one_by_one")}
    # The other ten are there for the first sign-ins.
    assert counts == {"first_one_by_one": 12, "side_by_side": 26, "last_one_by_one": 12}
    assert (store["list"]["users"], store["list"]["count"]) == (60, 1)
    assert store["sign_in_with_all"]["count"] == 12
    assert store["delete"]["count"] == 4
    for kind in ("plain", "tls"):
        held = report["connections"][kind]
        open_ones = held["idle"]["descriptors"] - held["before"]["descriptors"]
        # What the gateway itself opens meanwhile, to CDF, is some more.
        assert 20 <= open_ones < 40
        assert held["after_a_large_insert"]["resident_bytes"] > 0
