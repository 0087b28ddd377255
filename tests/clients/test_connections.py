"""Clients that leave, cancel, send too much or stay too long do no harm to others."""

import asyncio
import io
import socket
import struct
import threading

import asyncpg
import psycopg
import psycopg2
import psycopg2.errors
import pytest
from support import frames
from support.frames import Frames, signed_in
from support.gateway import Gateway
from support.samples import moment, seconds

COPY = "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
POINT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"


def line(series, second=0):
    return f"{series}\t{moment(second):%Y-%m-%d %H:%M:%S+00}\t1\n".encode()


@pytest.mark.parametrize("abrupt", [False, True], ids=["closed", "reset"])
def test_a_client_that_vanishes_in_the_middle_of_a_copy_harms_nobody(server, store, series, abrupt):
    with psycopg.connect(**server.keywords(), autocommit=True) as other:
        with signed_in(server) as client:
            client.send(frames.query(COPY))
            client.read_until("G")
            client.send(frames.copy_data(line(f"{series}-lost") * 1000), b"d\0\0\1\0half a message")
            if abrupt:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for n in range(20):
            other.execute(POINT, (series, moment(n), 1.0))
    assert store.points(series) == seconds([1.0] * 20)


@pytest.mark.parametrize("stage", ["connected", "half a start", "started", "in SASL"])
def test_a_client_that_vanishes_while_signing_in_harms_nobody(server, stage):
    with Frames(server) as client:
        start = frames.startup({"user": server.user, "database": server.database})
        if stage == "half a start":
            client.send(start[:9])
        elif stage == "started":
            client.send(start)
        elif stage == "in SASL":
            client.send(start)
            client.read_until("R")
            client.send(b"p\0\0\1\0SCRAM")
    signed_in(server).socket.close()


def test_a_client_that_leaves_without_a_word_in_a_transaction_stores_nothing(server, store, series):
    with signed_in(server) as client:
        client.ask(frames.query("BEGIN"))
        client.ask(frames.query(f"INSERT INTO double_datapoints VALUES (1, '2026-11-01Z', '{series}')"))
    signed_in(server).socket.close()
    assert store.points(series) == []


@pytest.mark.gateway_only
@pytest.mark.parametrize("kind", ["Q", "P", "B", "d"])
def test_a_message_beyond_the_bound_is_refused_and_ends_that_connection_only(server, kind):
    with signed_in(server) as client:
        client.send(kind.encode() + struct.pack("!i", 512 << 20) + b"x" * 1000)
        refused = client.read_until("E")[-1].fields
        assert refused["S"] == "FATAL"
        assert refused["C"] in ("08P01", "54000")
        assert client.is_closed_by_server()
    signed_in(server).socket.close()


@pytest.mark.gateway_only
def test_a_message_that_is_too_large_before_sign_in_ends_the_connection(server):
    with Frames(server) as client:
        client.send(frames.startup({"user": server.user, "database": server.database}))
        client.read_until("R")
        client.send(b"p" + struct.pack("!i", 1 << 24) + b"x" * 100_000)
        assert client.is_closed_by_server()
    signed_in(server).socket.close()


@pytest.fixture
def slow_cdf(server, emulator, series):
    """Writes of datapoints wait longer than any cancel here, and then give their slots back."""
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        # The series is there, so that one request is all that is delayed.
        connection.execute(POINT, (series, moment(1), 0.0))
    emulator.inject(operation="datapoints.insert", kind="delay", delay_ms=5_000)
    yield
    # What was cancelled is served to its end, which the next test must not take for its own.
    emulator.await_none_in_flight("datapoints.insert")


@pytest.mark.gateway_only
def test_a_cancelled_statement_ends_with_57014_and_the_session_lives(server, slow_cdf, emulator, series):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        cancel = threading.Thread(target=cancel_once_sent, args=(connection, emulator))
        cancel.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(POINT, (series, moment(0), 1.0))
        cancel.join()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def cancel_once_sent(connection, emulator):
    emulator.await_in_flight("datapoints.insert")
    connection.cancel_safe(timeout=10)


@pytest.mark.gateway_only
def test_psycopg2_cancels_a_copy_that_waits(server, slow_cdf, emulator, series):
    connection = psycopg2.connect(**server.keywords())
    connection.autocommit = True

    def cancel():
        emulator.await_in_flight("datapoints.insert")
        connection.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(psycopg2.errors.QueryCanceled):
        connection.cursor().copy_expert(COPY, io.StringIO(line(series).decode()))
    canceller.join()
    connection.cursor().execute("SELECT 1")
    connection.close()


@pytest.mark.gateway_only
def test_asyncpgs_timeout_cancels_the_statement(server, slow_cdf, series):
    async def whole():
        connection = await asyncpg.connect(**server.asyncpg())
        insert = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ($1, $2, $3)"
        with pytest.raises(asyncio.TimeoutError):
            await connection.execute(insert, series, moment(0), 1.0, timeout=1)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()

    asyncio.run(whole())


@pytest.mark.gateway_only
def test_npgsqls_command_timeout_cancels_the_statement(server, slow_cdf, series):
    from support import npgsql

    with npgsql.opened(server, Pooling="false") as connection:
        insert = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (@s, @t, @v)"
        command = npgsql.command(connection, insert, s=series, t=moment(0), v=1.0)
        command.CommandTimeout = 1
        with pytest.raises(npgsql.Npgsql.NpgsqlException):
            command.ExecuteNonQuery()
        assert npgsql.scalar(connection, "SELECT 1") == 1


def cancel_request(server, process, key):
    with Frames(server) as canceller:
        canceller.send(
            struct.pack("!iI", 12 + len(key), frames.CANCEL_REQUEST) + struct.pack("!I", process) + key
        )
        assert canceller.is_closed_by_server()


def test_a_cancel_request_with_a_wrong_key_is_ignored(server, store, series):
    with signed_in(server) as client:
        (process,) = struct.unpack("!I", client.key_data[:4])
        wrong = bytes(byte ^ 255 for byte in client.key_data[4:])
        client.send(frames.query(COPY))
        client.read_until("G")
        cancel_request(server, process, wrong)
        answer = client.ask(frames.copy_data(line(series)), frames.COPY_DONE)
        assert answer[0].texts == ["COPY 1"]
    assert store.points(series) == seconds([1.0])


def test_a_copy_that_waits_for_data_can_be_cancelled(server, store, series):
    with signed_in(server) as client:
        client.send(frames.query(COPY))
        client.read_until("G")
        client.send(frames.copy_data(line(series)))
        cancel_request(server, struct.unpack("!I", client.key_data[:4])[0], client.key_data[4:])
        # PostgreSQL notices when more data comes, a gateway may notice at once.
        client.send(frames.copy_data(line(series)), frames.COPY_DONE)
        answer = client.read_until("Z")
        assert (answer[0].kind, answer[0].fields["C"]) == ("E", "57014")
        assert client.ask(frames.query("SELECT 1"))[-1].body == b"I"


def test_a_cancel_request_for_nobody_is_ignored(server):
    cancel_request(server, 4_000_000_000, b"none")
    signed_in(server).socket.close()


def test_many_connections_write_at_the_same_time(server, store, series):
    def write(number):
        with psycopg.connect(**server.keywords(), autocommit=True) as connection:
            for n in range(25):
                connection.execute(POINT, (series, moment(number * 25 + n), float(n)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.points(series) == seconds(float(n % 25) for n in range(500))


@pytest.mark.gateway_only
def test_a_statement_in_flight_is_finished_before_the_process_ends(tmp_path, series):
    gateway = Gateway(tmp_path / "gateway.log", "--create-missing-time-series")
    gateway.emulator.inject(operation="datapoints.insert", kind="delay", delay_ms=2000, count=1)
    outcome = []

    def write():
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            outcome.append(connection.execute(POINT, (series, moment(0), 1.0)).statusmessage)

    writer = threading.Thread(target=write)
    writer.start()
    gateway.emulator.await_in_flight("datapoints.insert")
    gateway.stop()
    writer.join()
    assert outcome == ["INSERT 0 1"]


@pytest.mark.gateway_only
def test_an_idle_client_is_told_of_the_shutdown_with_57P01(tmp_path):
    gateway = Gateway(tmp_path / "gateway.log")
    with signed_in(gateway.server) as client:
        gateway.stop()
        assert client.read_until("E")[-1].fields["C"] == "57P01"
        assert client.is_closed_by_server()
