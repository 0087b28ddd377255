"""Reads that share little memory: all of them end, and none of them needs what writes hold."""

import concurrent.futures
import contextlib
import threading

import psycopg
import pytest
from support import frames
from support.configured import ConfiguredGateway
from support.engines import figure
from support.local_cdf import LocalCdf

pytestmark = pytest.mark.gateway_only

SCANS_BYTES = 1 << 20
EVENTS = 3_000


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """One whose reads share a mebibyte, and whose transactions stage three."""
    directory = tmp_path_factory.mktemp("scan-memory")
    with contextlib.ExitStack() as stack:
        cdf = LocalCdf(directory / "cdf.log")
        stack.callback(cdf.stop)
        gateway = stack.enter_context(
            ConfiguredGateway(
                directory,
                cdf.url,
                memory={"scans_bytes_max": SCANS_BYTES},
                transactions={"staged_bytes_max": 3 << 20},
                # Those who wait their turn do wait.
                engine={"wait_s": 300},
            )
        )
        with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
            with connection.cursor().copy("COPY events (external_id, type, description) FROM STDIN") as copy:
                for event in range(EVENTS):
                    copy.write_row((f"e{event:05}", "pump", "ä" * 400))
        yield gateway


def count(connection) -> tuple[int, int]:
    return connection.execute("SELECT count(*), sum(length(description)) FROM events").fetchone()


def test_many_reads_at_once_keep_within_the_memory_and_all_end(gateway):
    done = threading.Event()
    held = []

    def watch():
        while not done.is_set():
            held.append(figure(gateway, "penstock_scan_memory_used_bytes"))
            done.wait(0.02)

    def read(_):
        with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
            return count(connection)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            assert list(clients.map(read, range(6))) == [(EVENTS, 400 * EVENTS)] * 6
    finally:
        done.set()
        watching.join()
    assert max(held) <= SCANS_BYTES
    assert max(held) > 0
    assert figure(gateway, "penstock_scan_memory_budget_bytes") == SCANS_BYTES
    assert figure(gateway, "penstock_scan_memory_used_bytes") == 0


def test_a_transaction_that_holds_all_that_it_may_reads_all_the_same(gateway):
    with psycopg.connect(**gateway.server.keywords()) as connection:
        with connection.cursor().copy("COPY events (external_id, type, description) FROM STDIN") as copy:
            for event in range(3_000):
                copy.write_row((f"staged-{event:05}", "pump", "ä" * 400))
        assert figure(gateway, "penstock_staged_bytes") > 1 << 20
        assert count(connection) == (EVENTS + 3_000, 400 * (EVENTS + 3_000))
        connection.rollback()
        assert count(connection) == (EVENTS, 400 * EVENTS)


def test_portals_of_a_connection_keep_no_more_rows_than_it_may_hold(gateway):
    """Outside of a block the rest of each portal's rows waits in the gateway: 12 MB of each here."""
    with frames.signed_in(gateway.server) as client:
        portals = [f"p{portal}" for portal in range(8)]
        parts = [frames.parse("SELECT repeat('x', 1000) FROM generate_series(1, 12000)", "rows")]
        for portal in portals:
            parts += [frames.bind(portal=portal, statement="rows"), frames.execute(portal, 1)]
        answers = client.ask(*parts, frames.message("S"))
        kinds = [answer.kind for answer in answers]
        refused = next(answer for answer in answers if answer.kind == "E").fields
        assert (refused["C"], kinds.count("s")) == ("53400", 5)
        assert "Close" in refused["H"]
        # The next ones find room again.
        answers = client.ask(
            frames.bind(portal="p", statement="rows"), frames.execute("p", 1), frames.message("S")
        )
        assert "s" in [answer.kind for answer in answers]
