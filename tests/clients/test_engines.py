"""The PostgreSQLs behind the gateway: when they are up, what ends them, what stays behind."""

import os
import pathlib
import signal
import tempfile
import threading
import time

import psycopg
import pytest
from support.configured import ConfiguredGateway
from support.engines import WITHIN_S, await_figure, figure, processes, state

pytestmark = pytest.mark.gateway_only

SPARES = 'penstock_engines{state="spare"}'
IDLE = 'penstock_engines{state="idle"}'
LONG = "SELECT count(*), pg_sleep(600) FROM generate_series(1, 2) AS n"


def ended(gateway, why: str) -> float:
    return figure(gateway, f'penstock_engines_ended_total{{end="{why}"}}')


def ask(gateway) -> None:
    """Has a statement run that is never answered from what was kept."""
    with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
        row = connection.execute("SELECT count(*), max(random()) < 1 FROM generate_series(1, 3)").fetchone()
        assert row == (3, True)


def await_none(gateway) -> None:
    """Returns once no engine is left."""
    deadline = time.monotonic() + WITHIN_S
    while processes(gateway.process.pid):
        assert time.monotonic() < deadline, "engines are still up"
        time.sleep(0.05)


@pytest.fixture
def files():
    """Where engines keep their files: names of sockets have to be short."""
    # What an engine still writes while its gateway ends is the next gateway's to sweep.
    with tempfile.TemporaryDirectory(prefix="engines-", ignore_cleanup_errors=True) as directory:
        yield pathlib.Path(directory)


@pytest.fixture
def started(local_cdf, tmp_path, files):
    """Starts gateways whose engines keep their files in a directory of the test."""
    running = []

    def start(**engine) -> ConfiguredGateway:
        settings = {"directory": str(files), **engine}
        gateway = ConfiguredGateway(tmp_path, local_cdf.url, engine=settings)
        running.append(gateway)
        return gateway

    yield start
    for gateway in running:
        if gateway.process.child.poll() is None:
            gateway.process.stop()


def test_a_spare_is_up_before_it_is_needed_and_another_takes_its_place(started):
    gateway = started(engines_max=2)
    await_figure(gateway, SPARES, 1)
    (spare,) = processes(gateway.process.pid)
    ask(gateway)
    await_figure(gateway, SPARES, 1)
    await_figure(gateway, IDLE, 1)
    assert spare in processes(gateway.process.pid)
    assert len(processes(gateway.process.pid)) == 2


def test_without_spares_an_engine_starts_when_a_statement_needs_it(started):
    gateway = started(spares=0)
    with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
        # The gateway's own.
        connection.execute("SELECT 1")
    assert figure(gateway, "penstock_engines_started_total") == 0
    assert processes(gateway.process.pid) == []
    ask(gateway)
    assert figure(gateway, "penstock_engines_started_total") == 1
    await_figure(gateway, IDLE, 1)


def test_a_first_statement_waits_for_the_spare_that_is_starting(started):
    gateway = started()
    ask(gateway)
    await_figure(gateway, SPARES, 1)
    # The one that it took, and the next spare.
    assert figure(gateway, "penstock_engines_started_total") == 2


def test_engines_that_were_killed_are_replaced_before_anybody_notices(started):
    gateway = started()
    ask(gateway)
    await_figure(gateway, SPARES, 1)
    await_figure(gateway, IDLE, 1)
    for process in processes(gateway.process.pid):
        os.kill(process, signal.SIGKILL)
    await_none(gateway)
    ask(gateway)
    assert ended(gateway, "broken") == 2


def test_a_spare_never_keeps_a_statement_from_its_place(started):
    gateway = started(engines_max=1, wait_s=60)
    await_figure(gateway, SPARES, 1)
    for _ in range(2):
        ask(gateway)
    assert len(processes(gateway.process.pid)) == 1


def test_an_engine_that_nobody_uses_ends(started):
    gateway = started(idle_s=1, spares=0)
    ask(gateway)
    await_figure(gateway, 'penstock_engines_ended_total{end="rested"}', 1)
    await_none(gateway)
    assert figure(gateway, "penstock_engine_start_seconds_count") == 1
    assert figure(gateway, "penstock_engine_wait_seconds_count") == 1


def test_a_statement_that_is_broken_off_takes_its_engine_along(started):
    gateway = started()
    ask(gateway)
    with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
        connection.execute("SET statement_timeout = '500ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(LONG)
    await_figure(gateway, 'penstock_engines_ended_total{end="interrupted"}', 1)
    assert state(gateway, "leased") == 0


def test_a_statement_that_finds_all_engines_in_use_is_refused_and_counted(started):
    gateway = started(engines_max=1, wait_s=1)
    holder = psycopg.connect(**gateway.server.keywords(autocommit=True))
    failed = []

    def hold():
        try:
            holder.execute(LONG)
        except psycopg.Error as error:
            failed.append(error.sqlstate)

    thread = threading.Thread(target=hold)
    thread.start()
    await_figure(gateway, 'penstock_engines{state="leased"}', 1)
    with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
        with pytest.raises(psycopg.Error, match="engines_max") as caught:
            connection.execute("SELECT count(*) FROM generate_series(1, 3)")
    assert caught.value.sqlstate == "53300"
    assert figure(gateway, "penstock_engines_refused_total") == 1
    holder.cancel_safe()
    thread.join()
    assert failed == ["57014"]
    holder.close()


def test_what_is_read_from_cdf_is_counted_by_resource(started):
    gateway = started()
    with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
        connection.execute("INSERT INTO labels (external_id, name) VALUES ('counted', 'Counted')")
        assert connection.execute("SELECT count(*) FROM labels WHERE external_id = 'counted'").fetchone() == (
            1,
        )
    labelled = '{resource="labels"}'
    assert figure(gateway, f"penstock_scan_rows_total{labelled}") == 1
    assert figure(gateway, f"penstock_scan_requests_total{labelled}") >= 1
    assert figure(gateway, f"penstock_scan_answer_bytes_total{labelled}") > 20


def test_files_are_the_gateways_alone_and_go_when_another_starts(started, files):
    gateway = started()
    ask(gateway)
    (left,) = files.iterdir()
    assert left.stat().st_mode & 0o777 == 0o700
    gateway.process.kill()
    gateway = started()
    ask(gateway)
    (own,) = files.iterdir()
    assert own != left


def await_files(files: pathlib.Path) -> None:
    """Returns once an engine has a directory of its own, which it gets before it is up."""
    deadline = time.monotonic() + WITHIN_S
    while not any(files.glob("*/[0-9]*")):
        assert time.monotonic() < deadline, "no engine has files"
        time.sleep(0.005)


def test_nothing_stays_of_engines_when_their_gateway_ends(started, files):
    gateway = started(engines_max=2)
    ask(gateway)
    await_figure(gateway, SPARES, 1)
    gateway.process.stop()
    assert list(files.iterdir()) == []


def test_nothing_stays_of_an_engine_that_was_only_starting(started, files):
    gateway = started()
    await_files(files)
    gateway.process.stop()
    assert list(files.iterdir()) == []


def test_users_of_both_versions_in_turns_leave_each_others_spare_alone(local_cdf, tmp_path, files):
    def user(name: str, **more) -> dict:
        return {"name": name, "password": "secret", "cdf": "plant", **more}

    users = [user(f"new-{n}") for n in (1, 2)] + [user(f"old-{n}", dialect="1.0") for n in (1, 2)]
    engine = {"directory": str(files), "engines_max": 8, "spares": 1}
    with ConfiguredGateway(tmp_path, local_cdf.url, engine=engine, users=users) as gateway:

        def ask_as(name: str) -> None:
            server = gateway.server
            with psycopg.connect(
                host=server.host, port=server.port, user=name, password="secret", dbname=name, autocommit=True
            ) as connection:
                assert connection.execute("SELECT count(*) FROM generate_series(1, 3)").fetchone() == (3,)

        await_figure(gateway, SPARES, 1)
        for name in ("old-1", "new-1", "old-2", "new-2"):
            ask_as(name)
            await_figure(gateway, SPARES, 1)
        assert ended(gateway, "displaced") == 0
        # One that was there before anybody asked, and one for each of four who asked.
        assert figure(gateway, "penstock_engines_started_total") == 5


def test_a_directory_with_too_long_a_name_is_told_in_the_log(started, files):
    directory = files / ("x" * 100)
    directory.mkdir()
    gateway = started(directory=str(directory), spares=0)
    with pytest.raises(psycopg.errors.CannotConnectNow):
        ask(gateway)
    gateway.process.await_log("engine.directory .*is too long")
