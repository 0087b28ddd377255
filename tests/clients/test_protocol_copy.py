"""COPY as drivers of every kind send it, message by message."""

import pytest
from support import frames
from support.frames import signed_in
from support.samples import seconds

COPY = "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"


def kinds(messages):
    return "".join(part.kind for part in messages)


@pytest.fixture
def client(server):
    with signed_in(server) as client:
        yield client


def test_a_copy_answers_the_status_of_the_transaction_around_it(client, store, series):
    client.ask(frames.query("BEGIN"))
    client.send(frames.query(COPY))
    assert kinds(client.read_until("G")) == "G"
    line = f"{series}\t2026-11-01 00:00:00Z\t1\n".encode()
    answer = client.ask(frames.copy_data(line), frames.copy_data(b""), frames.COPY_DONE)
    assert (kinds(answer), answer[0].texts, answer[1].body) == ("CZ", ["COPY 1"], b"T")
    client.ask(frames.query("COMMIT"))
    assert store.points(series) == seconds([1.0])


def test_copy_data_sent_before_it_is_asked_for_is_taken(client, store, series):
    line = f"{series}\t2026-11-01 00:00:00Z\t1\n".encode()
    answer = client.ask(frames.query(COPY), frames.copy_data(line), frames.COPY_DONE)
    assert kinds(answer) == "GCZ"
    assert store.points(series) == seconds([1.0])


def test_a_copy_in_the_extended_protocol_ignores_the_early_sync(client, store, series):
    client.send(
        frames.parse(COPY), frames.describe("S"), frames.bind(), frames.execute(), frames.FLUSH, frames.SYNC
    )
    assert kinds(client.read_until("G")) == "1tn2G"
    line = f"{series}\t2026-11-01 00:00:00Z\t1\n".encode()
    answer = client.ask(frames.copy_data(line), frames.COPY_DONE, frames.SYNC)
    assert kinds(answer) == "CZ"
    assert store.points(series) == seconds([1.0])


def test_flush_and_sync_in_the_middle_of_copy_data_are_ignored(client, store, series):
    client.send(frames.query(COPY))
    client.read_until("G")
    lines = [frames.copy_data(f"{series}\t2026-11-01 00:00:0{n}Z\t{n}\n".encode()) for n in range(2)]
    answer = client.ask(lines[0], frames.FLUSH, frames.SYNC, lines[1], frames.COPY_DONE)
    assert kinds(answer) == "CZ"
    assert store.points(series) == seconds([0.0, 1.0])


def test_copy_messages_that_nobody_asked_for_are_dropped(client):
    client.send(frames.copy_data(b"x"), frames.COPY_DONE, frames.copy_fail("late"))
    assert kinds(client.ask(frames.query("SELECT 1"))) == "TDCZ"


def test_another_message_in_the_middle_of_copy_data_ends_the_copy(client, store, series):
    client.send(frames.query(COPY))
    client.read_until("G")
    line = frames.copy_data(f"{series}\t2026-11-01 00:00:00Z\t1\n".encode())
    client.send(line, frames.query("SELECT 1"))
    assert client.read_until("E")[-1].fields["C"] == "08P01"
    assert store.points(series) == []


def test_a_copy_that_fails_reads_its_data_to_the_end_and_is_answered_once(client, store, series):
    client.send(frames.query(COPY))
    client.read_until("G")
    bad = frames.copy_data(b"x\tnever\t1\n")
    answer = client.ask(bad, *[bad] * 100, frames.COPY_DONE)
    assert (kinds(answer), answer[0].fields["C"]) == ("EZ", "22007")
    assert kinds(client.ask(frames.query("SELECT 1"))) == "TDCZ"


def test_statements_around_a_copy_in_one_query_are_one_transaction(client, store, series):
    insert = f"INSERT INTO double_datapoints VALUES ({{}}, '2026-11-01 00:00:0{{}}Z', '{series}')"
    client.send(frames.query(f"{insert.format(1, 0)}; {COPY}; {insert.format(3, 2)}"))
    assert kinds(client.read_until("G")) == "CG"
    line = f"{series}\t2026-11-01 00:00:01Z\t2\n".encode()
    answer = client.ask(frames.copy_data(line), frames.COPY_DONE)
    assert (kinds(answer), answer[0].texts, answer[1].texts) == ("CCZ", ["COPY 1"], ["INSERT 0 1"])
    assert store.points(series) == seconds([1.0, 2.0, 3.0])


def test_an_error_after_a_copy_in_one_query_discards_the_copy(client, store, series):
    client.send(frames.query(f"{COPY}; INSERT INTO nowhere VALUES (1)"))
    client.read_until("G")
    line = f"{series}\t2026-11-01 00:00:00Z\t1\n".encode()
    answer = client.ask(frames.copy_data(line), frames.COPY_DONE)
    assert (kinds(answer)[-2:], answer[-2].fields["C"]) == ("EZ", "42P01")
    assert store.points(series) == []


def test_an_error_in_the_data_of_a_copy_discards_the_statements_before_it_in_the_query(client, store, series):
    insert = f"INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ('{series}', now(), 1)"
    client.send(frames.query(f"{insert}; {COPY}; {COPY}"))
    client.read_until("G")
    line = f"{series}\t2026-11-01 00:00:00Z\t1\n".encode()
    client.send(frames.copy_data(line), frames.COPY_DONE)
    client.read_until("G")
    answer = client.ask(frames.copy_data(b"not a row\n"), frames.COPY_DONE)
    assert (kinds(answer)[-2:], answer[-2].fields["C"]) == ("EZ", "22P04")
    assert store.points(series) == []


def test_a_commit_within_a_query_delivers_the_copy_before_it(client, store, series):
    client.send(frames.query(f"{COPY}; COMMIT; INSERT INTO nowhere VALUES (1)"))
    client.read_until("G")
    line = f"{series}\t2026-11-01 00:00:00Z\t1\n".encode()
    answer = client.ask(frames.copy_data(line), frames.COPY_DONE)
    assert (kinds(answer)[-2:], answer[-2].fields["C"]) == ("EZ", "42P01")
    assert store.points(series) == seconds([1.0])
