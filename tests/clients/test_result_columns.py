"""What results say of their columns: numbers of types, lengths, tables and places, in text and in binary,
the same whether the gateway answers or the PostgreSQL within it, and as pg_attribute has them."""

import struct

import psycopg
import pytest
from support import every_type, frames
from support.every_type import TABLE
from support.frames import signed_in
from support.samples import unique

pytestmark = pytest.mark.gateway_only

HOT = f"SELECT * FROM {TABLE} WHERE 1 = 0"
# What has to be worked out is not the gateway's.
COLD = f"SELECT t.* FROM {TABLE} AS t WHERE length(t.name) < 0"


@pytest.fixture(scope="module")
def target(typed_target):
    return typed_target


@pytest.fixture
def client(server):
    with signed_in(server) as client:
        yield client


def columns(messages) -> list[tuple]:
    """Name, table, place, type, size of type, modifier and format of each column of a result."""
    [described] = [part.body for part in messages if part.kind == "T"]
    (count,) = struct.unpack("!h", described[:2])
    found, rest = [], described[2:]
    for _ in range(count):
        name, _, rest = rest.partition(b"\0")
        found.append((name.decode(), *struct.unpack("!IhIhih", rest[:18])))
        rest = rest[18:]
    return found


def attributes(server, table: str) -> list[tuple]:
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        return connection.execute(
            "SELECT attname, attrelid, attnum, atttypid, attlen, atttypmod FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [table],
        ).fetchall()


@pytest.mark.parametrize("table", [TABLE, "assets", "double_datapoints", "raw_rows", "cdf.data_sets"])
def test_the_gateways_columns_are_those_of_pg_attribute(client, server, table):
    described = columns(client.ask(frames.query(f"SELECT * FROM {table} WHERE 1 = 0")))
    assert [column[:6] for column in described] == attributes(server, table)


@pytest.mark.parametrize("results", [(), (0,), (1,)], ids=["none", "text", "binary"])
def test_hot_and_cold_answers_describe_their_columns_alike(client, results):
    described = []
    for text in (HOT, COLD):
        answer = client.ask(
            frames.parse(text),
            frames.bind(results=results),
            frames.describe("P"),
            frames.execute(),
            frames.SYNC,
        )
        described.append(columns(answer))
    hot, cold = described
    assert hot == cold
    assert {column[6] for column in hot} == {results[0] if results else 0}


def test_types_have_postgresqls_numbers(client):
    numbers = {column[0]: column[3] for column in columns(client.ask(frames.query(COLD)))}
    assert numbers == {
        "name": 25,
        "a_text": 25,
        "a_varchar": 1043,
        "a_bool": 16,
        "a_bigint": 20,
        "a_double": 701,
        "a_real": 700,
        "a_time": 1184,
        "a_json": 114,
        "some_bytes": 17,
        "texts": 1009,
        "varchars": 1015,
        "bools": 1000,
        "bigints": 1016,
        "doubles": 1022,
        "reals": 1021,
        "jsons": 199,
    }


def cells(messages) -> list[bytes | None]:
    [row] = [part.body for part in messages if part.kind == "D"]
    found, rest = [], row[2:]
    while rest:
        (length,) = struct.unpack("!i", rest[:4])
        found.append(rest[4 : 4 + length] if length >= 0 else None)
        rest = rest[4 + max(length, 0) :]
    return found


def array(number: int, *elements: bytes) -> bytes:
    head = struct.pack("!iiIii", 1, 0, number, len(elements), 1)
    return head + b"".join(struct.pack("!i", len(element)) + element for element in elements)


def test_binary_forms_are_postgresqls_both_ways(client):
    key = unique("binary").encode()
    # Microseconds since 2000.
    time = round((every_type.TIME.timestamp() - 946_684_800) * 1000) * 1000
    values = [
        b"text \xc3\xa6",
        b"short",
        b"\x01",
        struct.pack("!q", 2**53 + 1),
        struct.pack("!d", 0.1),
        struct.pack("!f", 0.5),
        struct.pack("!q", time),
        b'{"a": [1, null]}',
        b"\x00\xff",
        array(25, b"a", b"", b'"'),
        array(1043, b"x"),
        array(16, b"\x01", b"\x00"),
        array(20, struct.pack("!q", 1), struct.pack("!q", -(2**62))),
        array(701, struct.pack("!d", 0.1)),
        array(700, struct.pack("!f", 0.5), struct.pack("!f", -0.25)),
        array(114, b'{"a": 1}', b"[2, null]"),
    ]
    placeholders = [f"${number}" for number in range(1, len(values) + 2)]
    written = client.ask(
        frames.parse(every_type.insert(*placeholders)),
        frames.bind([key, *values], formats=(1,)),
        frames.execute(),
        frames.SYNC,
    )
    assert [part.texts for part in written if part.kind == "C"] == [["INSERT 0 1"]], written
    read = client.ask(
        frames.parse(every_type.select("$1")),
        frames.bind([key], formats=(1,), results=(1,)),
        frames.execute(),
        frames.SYNC,
    )
    assert cells(read) == values


@pytest.mark.parametrize(
    ("probe", "count"),
    [
        (f"SELECT * FROM {TABLE} LIMIT 0", 17),
        (f'SELECT "name", "a_json" FROM "public"."{TABLE}" LIMIT 1', 2),
        (f'SELECT name FROM "writer"."public"."{TABLE}" WHERE 1=0', 1),
        (f"SELECT a_bigint FROM {TABLE}", 1),
        (f"TABLE {TABLE}", 17),
    ],
)
def test_a_probe_that_is_only_described_has_its_columns(client, probe, count):
    answer = client.ask(frames.parse(probe), frames.describe("S"), frames.SYNC)
    assert len(columns(answer)) == count


def test_a_table_is_found_by_its_name_in_a_parameter(client):
    # As ADBC asks, with blanks around the dot.
    answer = client.ask(
        frames.parse(
            "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = $1::regclass::oid AND attnum = 1"
        ),
        frames.bind([f'"public" . "{TABLE}"'.encode()]),
        frames.execute(),
        frames.SYNC,
    )
    assert cells(answer) == [b"name"]
