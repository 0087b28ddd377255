"""Clients that are slow to read the rows of a PostgreSQL behind the gateway, or do not read at all."""

import psycopg
import pytest
from support.configured import ConfiguredGateway
from support.engines import await_figure, figure

pytestmark = pytest.mark.gateway_only

ROWS = 40_000
MANY = f"SELECT n, repeat('x', 1000) FROM generate_series(1, {ROWS}) AS n"

IDLE = 'penstock_engines{state="idle"}'
LEASED = 'penstock_engines{state="leased"}'
INTERRUPTED = 'penstock_engines_ended_total{end="interrupted"}'


@pytest.fixture
def started(local_cdf, tmp_path):
    """Starts gateways with one engine at most."""
    running = []

    def start(**engine) -> ConfiguredGateway:
        gateway = ConfiguredGateway(tmp_path, local_cdf.url, engine={"engines_max": 1, "wait_s": 1, **engine})
        running.append(gateway)
        return gateway

    yield start
    for gateway in running:
        gateway.process.stop()


def connect(gateway) -> psycopg.Connection:
    return psycopg.connect(**gateway.server.keywords(autocommit=True))


def ask(gateway) -> None:
    with connect(gateway) as connection:
        row = connection.execute("SELECT count(*), max(random()) < 1 FROM generate_series(1, 3)").fetchone()
        assert row == (3, True)


def test_an_engine_does_not_wait_for_a_client_that_is_slow(started):
    gateway = started()
    with connect(gateway) as slow:
        rows = slow.cursor().stream(MANY)
        assert next(rows)[0] == 1
        # 40 MB are more than the sockets hold.
        await_figure(gateway, IDLE, 1)
        ask(gateway)
        numbers = [1] + [number for number, _ in rows]
        assert numbers == list(range(1, ROWS + 1))
        assert slow.execute("SELECT max(n) FROM generate_series(1, 3) AS n").fetchone() == (3,)
    assert figure(gateway, INTERRUPTED) == 0


def test_what_follows_in_a_query_comes_after_rows_that_waited(started):
    gateway = started()
    with connect(gateway) as slow:
        slow.pgconn.send_query(f"{MANY}; SELECT 'behind'; SELECT 1 / 0".encode())
        await_figure(gateway, IDLE, 1)
        results = []
        while result := slow.pgconn.get_result():
            results.append(result)
        first, second, third = results
        assert (first.ntuples, first.get_value(ROWS - 1, 0)) == (ROWS, str(ROWS).encode())
        assert second.get_value(0, 0) == b"behind"
        assert third.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"22012"


def test_past_the_bound_an_engine_waits_and_then_ends(started):
    gateway = started(spool_bytes_max=1 << 20, stall_s=1)
    with connect(gateway) as slow:
        rows = slow.cursor().stream(MANY)
        assert next(rows)[0] == 1
        await_figure(gateway, INTERRUPTED, 1)
        ask(gateway)
        with pytest.raises(psycopg.errors.QueryCanceled, match="not read"):
            for _ in rows:
                pass
        assert slow.execute("SELECT max(n) FROM generate_series(1, 3) AS n").fetchone() == (3,)


def test_past_the_bound_a_client_that_reads_on_gets_every_row(started):
    gateway = started(spool_bytes_max=1 << 20, stall_s=60)
    with connect(gateway) as slow:
        rows = slow.cursor().stream(MANY)
        assert next(rows)[0] == 1
        with pytest.raises(psycopg.Error, match="engines_max"):
            ask(gateway)
        assert figure(gateway, LEASED) == 1
        numbers = [1] + [number for number, _ in rows]
        assert numbers == list(range(1, ROWS + 1))


def test_without_room_for_unread_rows_their_engine_ends(started):
    gateway = started(spool_bytes_max=0, stall_s=1)
    with connect(gateway) as slow:
        rows = slow.cursor().stream(MANY)
        assert next(rows)[0] == 1
        await_figure(gateway, INTERRUPTED, 1)
        with pytest.raises(psycopg.errors.QueryCanceled, match="not read"):
            for _ in rows:
                pass


def test_a_statement_whose_rows_wait_can_be_cancelled(started):
    gateway = started()
    with connect(gateway) as slow:
        rows = slow.cursor().stream(MANY)
        assert next(rows)[0] == 1
        await_figure(gateway, IDLE, 1)
        slow.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            for _ in rows:
                pass
        assert slow.execute("SELECT max(n) FROM generate_series(1, 3) AS n").fetchone() == (3,)
    assert figure(gateway, INTERRUPTED) == 0
