"""COPY … (ON_ERROR ignore), as psql and psycopg see it, and the dead letters it leaves.

PostgreSQL has the option since version 17, so these tests run against the gateway alone. The
words of the notices are those of PostgreSQL 18.
"""

from __future__ import annotations

import json
import urllib.request

import psycopg
import pytest
from support.gateway import Gateway
from support.psql import psql

pytestmark = pytest.mark.gateway_only

TOKEN = "a token for these tests"
COLUMNS = "double_datapoints (external_id, timestamp, value)"


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A gateway that keeps dead letters."""
    directory = tmp_path_factory.mktemp("letters")
    flags = ["--create-missing-time-series", "--dead-letters", str(directory / "store")]
    gateway = Gateway(directory / "gateway.log", *flags, "--admin-token", TOKEN)
    yield gateway
    gateway.stop()


@pytest.fixture
def letters(target):
    """Reads the letters whose values name a series."""

    def read(series: str) -> list[dict]:
        request = urllib.request.Request(
            f"{target.http_url}/dead-letters?limit=1000",
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            items = json.load(answer)["items"]
        return [item for item in items if series in item["values"]]

    return read


def test_psql_loads_a_file_with_bad_lines(server, store, series, tmp_path, letters):
    file = tmp_path / "points.tsv"
    file.write_text(
        f"{series}\t2026-11-01 00:00:00Z\t1\n"
        f"{series}\t2026-11-01 00:00:01Z\tone\n"
        f"{series}\t2026-11-01 00:00:02Z\t3\n"
    )
    command = f"\\copy {COLUMNS} from '{file}' with (on_error ignore, log_verbosity verbose)"
    done = psql(server, "-c", command)
    assert done.out == "COPY 2\n", done.error
    assert done.error.splitlines() == [
        'NOTICE:  skipping row due to data type incompatibility at line 2 for column "value": "one"',
        "NOTICE:  1 row was skipped due to data type incompatibility",
    ]
    assert [point[1] for point in store.points(series)] == [1.0, 3.0]
    (letter,) = letters(series)
    assert (letter["line"], letter["column"], letter["sqlstate"]) == (2, "value", "22P02")
    assert letter["values"] == [series, "2026-11-01 00:00:01Z", "one"]


def test_psycopg_hears_the_notice_and_the_count(server, store, series, letters):
    notices = []
    with psycopg.connect(**server.keywords()) as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        with connection.cursor() as cursor:
            statement = f"COPY {COLUMNS} FROM STDIN (FORMAT csv, ON_ERROR ignore)"
            with cursor.copy(statement) as copy:
                for second in range(1000):
                    value = "x" if second % 10 == 0 else second
                    copy.write(f"{series},2026-11-01 00:{second // 60:02}:{second % 60:02}Z,{value}\n")
            # Inside a block the rows are staged.
            assert cursor.rowcount == 900
    assert notices == ["100 rows were skipped due to data type incompatibility"]
    assert len(store.points(series)) == 900
    assert len(letters(series)) == 100


def test_psycopg_is_told_when_the_limit_is_passed(server, store, series):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation) as raised:
            with connection.cursor() as cursor:
                statement = f"COPY {COLUMNS} FROM STDIN (ON_ERROR ignore, REJECT_LIMIT 2)"
                with cursor.copy(statement) as copy:
                    copy.write(f"{series}\tnever\t1\n" * 3)
        diagnostic = raised.value.diag
        assert diagnostic.message_primary == (
            "skipped more than REJECT_LIMIT (2) rows due to data type incompatibility"
        )
        assert diagnostic.context == 'COPY double_datapoints, line 3, column timestamp: "never"'
        assert connection.execute("SELECT 1").fetchone() == (1,)
