"""The extended protocol as drivers of every kind use it, message by message."""

import struct

import pytest
from support import frames
from support.frames import Frames, signed_in
from support.samples import seconds

INSERT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ($1, $2, $3)"
TIME = b"2026-11-01 00:00:00+00"


def kinds(messages):
    return "".join(part.kind for part in messages)


@pytest.fixture
def client(server):
    with signed_in(server) as client:
        yield client


def test_flush_brings_answers_without_a_sync(client, series):
    client.send(frames.parse(INSERT), frames.describe("S"), frames.FLUSH)
    answer = client.read_until("n")
    assert kinds(answer) == "1tn"
    assert struct.unpack("!h3I", answer[1].body) == (3, 1043, 1184, 701)
    assert kinds(client.ask(frames.SYNC)) == "Z"


def test_a_row_is_stored_when_sync_is_answered(client, store, series):
    answer = client.ask(
        frames.parse(INSERT),
        frames.bind([series.encode(), TIME, b"1.5"]),
        frames.describe("P"),
        frames.execute(),
        frames.SYNC,
    )
    assert kinds(answer) == "12nCZ"
    assert answer[3].texts == ["INSERT 0 1"]
    assert store.points(series) == seconds([1.5])


def test_everything_after_an_error_is_skipped_up_to_sync(client, store, series):
    answer = client.ask(
        frames.parse(INSERT),
        frames.bind([series.encode(), TIME, b"1"]),
        frames.execute(),
        frames.bind([series.encode(), TIME, b"one"]),
        frames.execute(),
        frames.query("SELECT 1"),
        frames.parse("SELECT 1", name="never"),
        frames.SYNC,
    )
    # Whether Bind or Execute finds the fault, no driver can tell apart.
    assert kinds(answer) in ("12CEZ", "12C2EZ")
    assert answer[-2].fields["C"] == "22P02"
    assert store.points(series) == []
    assert client.ask(frames.describe("S", "never"), frames.SYNC)[0].fields["C"] == "26000"


def test_execute_with_a_row_limit_of_one_completes_an_insert(client, store, series):
    answer = client.ask(
        frames.parse(INSERT),
        frames.bind([series.encode(), TIME, b"1"]),
        frames.execute(rows_max=1),
        frames.SYNC,
    )
    assert kinds(answer) == "12CZ"
    assert store.points(series) == seconds([1.0])


def test_an_empty_statement_is_answered_as_empty_in_both_protocols(client):
    assert kinds(client.ask(frames.query(""))) == "IZ"
    assert kinds(client.ask(frames.query(";"))) == "IZ"
    assert kinds(client.ask(frames.query(" -- nothing\n"))) == "IZ"
    answer = client.ask(frames.parse(""), frames.bind(), frames.describe("P"), frames.execute(), frames.SYNC)
    assert kinds(answer) == "12nIZ"


@pytest.mark.parametrize(
    ("formats", "value"),
    [((), b"1.5"), ((0,), b"1.5"), ((0, 0, 1), struct.pack("!d", 1.5))],
    ids=["none", "one for all", "one each"],
)
def test_parameter_formats_may_be_none_one_or_one_each(client, store, series, formats, value):
    answer = client.ask(
        frames.parse(INSERT),
        frames.bind([series.encode(), TIME, value], formats=formats),
        frames.execute(),
        frames.SYNC,
    )
    assert kinds(answer) == "12CZ"
    assert store.points(series) == seconds([1.5])


def test_one_binary_format_holds_for_all_parameters(client, store, series):
    values = [series.encode(), struct.pack("!q", 846_806_400_000_000), struct.pack("!d", 2.5)]
    answer = client.ask(
        frames.parse(INSERT), frames.bind(values, formats=(1,)), frames.execute(), frames.SYNC
    )
    assert kinds(answer) == "12CZ"
    assert store.points(series) == seconds([2.5])


@pytest.mark.parametrize(
    "formats", [(0, 1), (7,), (1, 1, 1, 1)], ids=["two for three", "unknown", "four for three"]
)
def test_impossible_parameter_formats_are_a_protocol_error_that_spares_the_session(client, formats):
    answer = client.ask(
        frames.parse(INSERT), frames.bind([b"x", TIME, b"1"], formats=formats), frames.execute(), frames.SYNC
    )
    assert kinds(answer) == "1EZ"
    assert answer[1].fields["C"] in ("08P01", "22023")
    assert kinds(client.ask(frames.query("SELECT 1"))) == "TDCZ"


INTEGERS = {"int2": (21, "!h"), "int4": (23, "!i"), "int8": (20, "!q")}


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_of_each_width_fit_a_bigint_column(client, store, series, name):
    identity = store.make_series(series)
    oid, layout = INTEGERS[name]
    if identity >= 1 << (8 * struct.calcsize(layout) - 1):
        # Too long for this width: the row goes by its external id instead, and a NULL by id.
        identity = None
    insert = "INSERT INTO double_datapoints (external_id, id, timestamp, value) VALUES ($1, $2, $3, $4)"
    external_id = series.encode() if identity is None else None
    number = None if identity is None else struct.pack(layout, identity)
    answer = client.ask(
        frames.parse(insert, types=(0, oid, 1184, oid)),
        frames.bind([external_id, number, TIME, struct.pack(layout, 3)], formats=(0, 1, 0, 1)),
        frames.execute(),
        frames.SYNC,
    )
    assert kinds(answer) == "12CZ"
    assert store.points(series) == seconds([3.0])


DECLARED = {
    "text into varchar": ((25, 1184, 701), ()),
    "timestamp without zone": ((1043, 1114, 701), ()),
    "date": ((1043, 1082, 701), ()),
    "numeric into double": ((1043, 1184, 1700), ()),
    "float4 into double": ((1043, 1184, 700), ()),
    "all left to the server": ((0, 0, 0), ()),
    "none given": ((), ()),
}


@pytest.mark.parametrize("name", DECLARED)
def test_each_type_that_drivers_declare_is_taken(client, store, series, name):
    types, _ = DECLARED[name]
    time = b"2026-11-01" if 1082 in types else b"2026-11-01 00:00:00"
    client.ask(frames.query("SET timezone TO 'UTC'"))
    answer = client.ask(
        frames.parse(INSERT, types=types),
        frames.bind([series.encode(), time, b"1.5"]),
        frames.execute(),
        frames.SYNC,
    )
    assert kinds(answer) == "12CZ"
    assert store.points(series) == seconds([1.5])


@pytest.mark.parametrize(
    ("types", "column"),
    [((1043, 25, 701), "timestamp"), ((1043, 1184, 16), "value")],
    ids=["text into timestamptz", "bool into double"],
)
def test_a_type_that_postgresql_refuses_is_refused_with_42804(client, types, column):
    answer = client.ask(frames.parse(INSERT, types=types), frames.SYNC)
    assert kinds(answer) == "EZ"
    assert answer[0].fields["C"] == "42804"
    assert f'column "{column}" is of type' in answer[0].fields["M"]


def test_a_named_statement_lives_until_it_is_closed(client, store, series):
    assert kinds(client.ask(frames.parse(INSERT, name="s"), frames.SYNC)) == "1Z"
    assert client.ask(frames.parse(INSERT, name="s"), frames.SYNC)[0].fields["C"] == "42P05"
    run = [frames.bind([series.encode(), TIME, b"1"], statement="s"), frames.execute(), frames.SYNC]
    assert kinds(client.ask(*run)) == "2CZ"
    assert kinds(client.ask(frames.close("S", "s"), frames.close("S", "unknown"), frames.SYNC)) == "33Z"
    assert client.ask(*run)[0].fields["C"] == "26000"
    assert store.points(series) == seconds([1.0])


def test_the_unnamed_statement_lives_across_syncs(client, store, series):
    client.ask(frames.parse(INSERT), frames.SYNC)
    client.ask(frames.describe("S"), frames.SYNC)
    answer = client.ask(frames.bind([series.encode(), TIME, b"1"]), frames.execute(), frames.SYNC)
    assert kinds(answer) == "2CZ"
    assert store.points(series) == seconds([1.0])


def test_a_portal_ends_with_its_transaction(client, series):
    client.ask(frames.parse(INSERT), frames.bind([series.encode(), TIME, b"1"], portal="p"), frames.SYNC)
    answer = client.ask(frames.execute("p"), frames.SYNC)
    assert (kinds(answer), answer[0].fields["C"]) == ("EZ", "34000")


def test_a_wrong_number_of_parameters_is_refused(client):
    answer = client.ask(frames.parse(INSERT), frames.bind([b"x", TIME]), frames.SYNC)
    assert (kinds(answer), answer[1].fields["C"]) == ("1EZ", "08P01")
    assert "requires 3" in answer[1].fields["M"]


def test_rollback_is_taken_in_the_extended_protocol_while_failed(client):
    client.ask(frames.query("BEGIN"))
    assert client.ask(frames.query("INSERT INTO nowhere VALUES (1)"))[-1].body == b"E"
    answer = client.ask(frames.parse("SELECT 1"), frames.SYNC)
    assert (answer[0].fields["C"], answer[-1].body) == ("25P02", b"E")
    answer = client.ask(
        frames.parse("ROLLBACK"), frames.bind(), frames.describe("P"), frames.execute(), frames.SYNC
    )
    assert (kinds(answer), answer[-1].body) == ("12nCZ", b"I")


def test_begin_sent_ahead_of_the_next_message_is_answered_in_order(client, store, series):
    client.send(
        frames.query("BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED"),
        frames.parse(INSERT),
        frames.bind([series.encode(), TIME, b"1"]),
        frames.execute(),
        frames.SYNC,
    )
    assert [kinds(client.read_until("Z")), kinds(client.read_until("Z"))] == ["CZ", "12CZ"]
    assert store.points(series) == []
    assert client.ask(frames.query("COMMIT"))[-1].body == b"I"
    assert store.points(series) == seconds([1.0])


def test_a_message_of_unknown_kind_ends_the_connection_with_08P01(client, server):
    client.send(frames.message("!", b"?"))
    assert client.read_until("E")[-1].fields["C"] == "08P01"
    assert client.is_closed_by_server()
    signed_in(server).socket.close()


@pytest.mark.parametrize("length", [0, 3, -1, -2147483648])
def test_a_message_of_impossible_length_ends_the_connection_only(client, server, length):
    client.send(b"Q" + struct.pack("!i", length))
    assert client.is_closed_by_server()
    signed_in(server).socket.close()


@pytest.mark.parametrize(
    "packet",
    [struct.pack("!i", 1 << 30), struct.pack("!iI", 8, 77), b"GET / HTTP/1.1\r\n\r\n"],
    ids=["huge", "unknown code", "http"],
)
def test_a_start_packet_that_is_none_ends_the_connection_only(server, packet):
    with Frames(server) as client:
        client.send(packet)
        assert client.is_closed_by_server()
    signed_in(server).socket.close()
