"""Transactions and time: each way in which they fail, with what the client is told of its rows."""

import os
import pathlib
import re
import select

import psycopg
import pytest
from support.errors_document import TRANSACTIONS, proves
from support.samples import moment, seconds
from support.scripted_http import SILENCE, cdf_error
from support.told import Told, told
from support.troubled import HASTY, Troubled, copy_points

pytestmark = pytest.mark.gateway_only

POINT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"
POINTS = f"{POINT}, (%s, %s, %s)"
RAW = "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES (%s, 't', %s, '{}')"
WORDS = "The moon is in the wrong phase"
# Memory for one batch of 1,000 points; every batch is 16 kB on disk.
SMALL = {"staged_bytes_max": 50_000, "staged_bytes_max_total": 100_000}
BATCHES = {"batch_rows": 1000}
LIMIT = "a transaction, or a staged COPY, holds more than it may, in memory and on disk"


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    """A gateway that waits for CDF for longer than any test."""
    with Troubled(tmp_path_factory.mktemp("cdf"), retry={"request_timeout_s": 60}) as troubled:
        yield troubled


@pytest.fixture
def cdf(troubled):
    yield troubled
    troubled.front.calm()


@pytest.fixture
def spooling(tmp_path):
    """A gateway with little memory for transactions, and a spool directory."""
    transactions = SMALL | {"spool_directory": str(tmp_path / "spool"), "spool_bytes_max": 400_000}
    with Troubled(tmp_path, transactions=transactions, copy=BATCHES) as troubled:
        yield troubled


def numbered(series, rows):
    return [(series, moment(row), float(row)) for row in rows]


def spool_file(gateway) -> pathlib.Path:
    """The one spool file that the gateway has open; it has no name."""
    opened = pathlib.Path(f"/proc/{gateway.process.pid}/fd").iterdir()
    (found,) = (path for path in opened if re.search(r"/spool/.*\(deleted\)$", os.readlink(path)))
    return found


@proves(TRANSACTIONS, {LIMIT: "53400"})
def test_a_transaction_beyond_its_memory_says_how_many_rows_wait(tmp_path, series):
    with Troubled(tmp_path, transactions=SMALL, copy=BATCHES) as cdf:
        cdf.store.make_series(series)
        with cdf.connect(autocommit=False) as connection:
            error = told(copy_points, connection, numbered(series, range(20_000)))
            error.must_have("53400", message="COMMIT", hint="Commit more often")
            assert re.fullmatch(r"\d+ rows wait in memory, none were sent\.", error.detail), error
            connection.rollback()
        assert cdf.store.points(series) == []


@proves(TRANSACTIONS, {LIMIT: "53400"})
@pytest.mark.parametrize("how", ["in a transaction", "in a staged COPY"])
def test_rows_beyond_their_room_on_disk_are_told_by_number(spooling, series, how):
    spooling.store.make_series(series)
    with spooling.connect(autocommit=how == "in a staged COPY") as connection:
        connection.execute("SET penstock.copy = 'staged'")
        error = told(copy_points, connection, numbered(series, range(50_000)))
        error.must_have("53400", message="400000 bytes of rows on disk", hint="spool_bytes_max")
        waits = r"\d+ rows wait, \d+ of them in \d+ bytes on disk; none were sent\."
        assert re.fullmatch(waits, error.detail), error
    assert spooling.store.points(series) == []


@proves(TRANSACTIONS, {"the disk of the spool files is full": "53100"})
def test_a_full_disk_fails_the_statement_and_spares_what_was_staged_before(tmp_path, series):
    # A file of the process may have 64 kB: the system says so as a full disk would.
    under = ("bash", "-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "bash")
    transactions = SMALL | {"spool_directory": str(tmp_path / "spool")}
    quiet = {"logs": {"filter": "warn"}}
    with Troubled(tmp_path, transactions=transactions, copy=BATCHES, under=under, **quiet) as cdf:
        cdf.store.make_series(series)
        with cdf.connect(autocommit=False) as connection:
            copy_points(connection, numbered(series, range(3000)))
            connection.execute("SAVEPOINT before")
            error = told(copy_points, connection, numbered(series, range(3000, 20_000)))
            error.must_have("53100", message="the disk of the spool files is full", hint="spool_directory")
            waits = r"\d+ rows wait, \d+ of them in \d+ bytes on disk; none were sent\."
            assert re.fullmatch(waits, error.detail), error
            connection.execute("ROLLBACK TO before")
            connection.commit()
        assert len(cdf.store.points(series)) == 3000


@proves(TRANSACTIONS, {"a spool file cannot be written or read": "58030"})
def test_a_spool_directory_that_is_gone_fails_the_statement(spooling, series, tmp_path):
    spooling.store.make_series(series)
    (tmp_path / "spool").rmdir()
    with spooling.connect(autocommit=False) as connection:
        error = told(copy_points, connection, numbered(series, range(20_000)))
        error.must_have("58030", message="a spool file cannot be written or read", hint="spool_directory")
        assert "none were sent" in error.detail
        connection.rollback()
    assert spooling.store.points(series) == []


# What is done to the second half of the file, and what is told then.
DAMAGES = {
    "a spool file cannot be written or read": (
        lambda file, half: os.truncate(file, half),
        "58030",
        "a spool file cannot be written or read",
    ),
    "what was read of a spool file is not what was written": (
        lambda file, half: overwrite(file, half),
        "XX001",
        "rows on disk are not as they were written",
    ),
}


def overwrite(file, half):
    with file.open("r+b") as opened:
        opened.seek(half)
        opened.write(b"\xff" * half)


@proves(TRANSACTIONS, {name: sqlstate for name, (_, sqlstate, _) in DAMAGES.items()})
@pytest.mark.parametrize("name", DAMAGES)
def test_a_commit_of_rows_that_the_disk_has_lost_says_how_many_are_in_cdf(spooling, series, name):
    damage, sqlstate, message = DAMAGES[name]
    spooling.store.make_series(series)
    with spooling.connect(autocommit=False) as connection:
        copy_points(connection, numbered(series, range(16_000)))
        file = spool_file(spooling.gateway)
        damage(file, file.stat().st_size // 2)
        error = told(connection.commit)
        error.must_have(sqlstate, message=message, hint="spool_directory")
        assert "16000 rows are in CDF" in error.detail
        # The connection may be used again.
        connection.execute(POINT, (series, moment(20_000), 1.0))
        connection.commit()
    in_cdf = int(re.search(r"(\d+) of 16000 rows are in CDF", error.detail)[1])
    assert len(spooling.store.points(series)) == in_cdf + 1


@proves(TRANSACTIONS, {"a COMMIT fails": ()})
def test_a_commit_that_fails_says_which_row_failed_and_where_the_others_are(cdf, series, raw_database):
    cdf.store.make_series(series)
    cdf.front.script("/rows", cdf_error(403, WORDS))
    with cdf.connect(autocommit=False) as connection:
        connection.execute(POINTS, (series, moment(0), 0.0, series, moment(1), 1.0))
        connection.execute(RAW, (raw_database, "k"))
        connection.execute(POINTS, (series, moment(2), 2.0, series, moment(3), 3.0))
        error = told(connection.commit)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    (refused,) = cdf.front.asked("/rows")
    detail = (WORDS, refused.request_id, "2 of 5 rows are in CDF, 1 was refused, 2 were not sent.")
    error.must_have("42501", message="CDF does not allow", detail=detail, hint="rawAcl")
    assert error.context == "INSERT INTO raw_rows, row 1 (statement 2 of 3 with rows)"
    assert cdf.store.points(series) == seconds([0.0, 1.0])


@proves(TRANSACTIONS, {"a COMMIT fails": ()})
@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_no_failure_of_a_commit_asks_a_client_to_run_the_transaction_again(tmp_path, series, status):
    # Clients take 40001 and 40P01 for "nothing was written".
    with Troubled(tmp_path, retry=HASTY) as cdf:
        cdf.store.make_series(series)
        cdf.front.script("/timeseries/data", cdf_error(status, "conflict: serialization failure"))
        with cdf.connect(autocommit=False) as connection:
            connection.execute(POINT, (series, moment(0), 1.0))
            error = told(connection.commit)
    assert error.sqlstate in ("08006", "53000", "40003")


@proves(TRANSACTIONS, {"a streaming transaction is rolled back": "01000"})
def test_a_streaming_transaction_that_is_rolled_back_warns_of_what_stays(cdf, series):
    cdf.store.make_series(series)
    notices = []
    with cdf.connect(autocommit=False) as connection:
        connection.add_notice_handler(
            # What a notice holds is gone after its handler.
            lambda notice: notices.append((notice.severity, notice.sqlstate, notice.message_detail))
        )
        connection.execute("SET penstock.transaction = 'streaming'")
        connection.execute(POINTS, (series, moment(0), 0.0, series, moment(1), 1.0))
        connection.rollback()
    assert notices == [("WARNING", "01000", "2 rows of the transaction are in CDF and stay there.")]
    assert cdf.store.points(series) == seconds([0.0, 1.0])


IN_DOUBT = "0 of 1 rows are in CDF, 1 was sent without an answer, so that they may be in CDF."


@proves(TRANSACTIONS, {"`statement_timeout` passed": "57014"})
@pytest.mark.parametrize("where", ["a statement", "COMMIT"])
def test_a_statement_that_takes_too_long_says_how_many_rows_are_in_cdf(cdf, series, where):
    cdf.front.script("/timeseries/data", SILENCE)
    with cdf.connect() as connection:
        connection.execute("SET statement_timeout = 300")
        if where == "COMMIT":
            connection.execute("BEGIN")
            connection.execute(POINT, (series, moment(0), 1.0))
            error = told(connection.execute, "COMMIT")
        else:
            error = told(connection.execute, POINT, (series, moment(0), 1.0))
        assert (error.severity, error.sqlstate) == ("ERROR", "57014")
        assert "statement timeout" in error.message
        assert error.detail == IN_DOUBT
        assert connection.execute("SELECT 1").fetchone() == (1,)


@proves(TRANSACTIONS, {"`transaction_timeout` passed": "25P04"})
def test_a_transaction_that_takes_too_long_ends_the_connection_and_says_so_too(cdf, series):
    cdf.front.script("/timeseries/data", SILENCE)
    with cdf.connect() as connection:
        connection.execute("SET transaction_timeout = 300")
        error = told(connection.execute, POINT, (series, moment(0), 1.0))
        assert (error.severity, error.sqlstate) == ("FATAL", "25P04")
        assert error.detail == IN_DOUBT
        assert connection.closed


def last_words(connection) -> Told:
    """What the server says unasked; then the connection is over."""
    assert select.select([connection.fileno()], [], [], 30)[0]
    error = told(connection.execute, "SELECT 1")
    assert connection.closed
    return error


@proves(TRANSACTIONS, {"`idle_in_transaction_session_timeout` passed": "25P03"})
def test_silence_in_a_transaction_ends_the_connection_and_drops_its_rows(cdf, series):
    cdf.store.make_series(series)
    with cdf.connect() as connection:
        connection.execute("SET idle_in_transaction_session_timeout = 200")
        connection.execute("BEGIN")
        connection.execute(POINT, (series, moment(0), 1.0))
        error = last_words(connection)
    assert (error.severity, error.sqlstate) == ("FATAL", "25P03")
    assert "idle-in-transaction timeout" in error.message
    assert cdf.store.points(series) == []


@proves(TRANSACTIONS, {"`idle_session_timeout` passed": "57P05"})
def test_silence_outside_of_a_transaction_ends_the_connection(cdf):
    with cdf.connect() as connection:
        connection.execute("SET idle_session_timeout = 200")
        error = last_words(connection)
    assert (error.severity, error.sqlstate) == ("FATAL", "57P05")
    assert "idle-session timeout" in error.message
