"""Every form of INSERT that clients write, and every type that they declare for its values.

The forms are those that drivers and tools were seen to send. Cognite's SDK says what arrived.
"""

import asyncio
import datetime
import decimal
import json
import uuid

import asyncpg
import pg8000.native
import psycopg
import psycopg2
import psycopg2.extras
import pytest
from psycopg.types.json import Json, Jsonb
from psycopg.types.numeric import Float8, Int2, Int4, Int8
from support.configured import ConfiguredGateway
from support.frames import SYNC, bind, describe, execute, parse, signed_in

pytestmark = pytest.mark.gateway_only

UTC = datetime.UTC
TIME = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
TIME_MS = int(TIME.timestamp() * 1000)


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        yield connection


# A value of a column as SQL, and what CDF then has.
TEXTS = {
    "a string": ("'a'", "a"),
    "a cast to VARCHAR": ("'a'::VARCHAR", "a"),
    "a cast to text": ("'a'::text", "a"),
    "a cast to varchar(n), which cuts": ("'abc'::varchar(2)", "ab"),
    "a cast to char(n), which pads in vain": ("'a'::char(5)", "a"),
    "an escape string": (r"E'a\tb\'c\\d\u00e9'", "a\tb'c\\dé"),
    "quotes doubled": ("'it''s'", "it's"),
    "dollar quotes": ("$tag$it's $1$tag$", "it's $1"),
    "parentheses": ("(('a'))", "a"),
    "a string over lines": ("'a'\n  'b'", "ab"),
    "a bigint": ("5", "5"),
    "a cast of a bigint": ("5::int8::text", "5"),
    "a decimal": ("1.50", "1.50"),
    "a boolean as text": ("true::text", "true"),
    "CAST": ("CAST('a' AS character varying(10))", "a"),
    "a typed constant": ("text 'a'", "a"),
    "the schema of the types": ("'a'::pg_catalog.text", "a"),
    "an empty string": ("''", ""),
    "NULL": ("NULL", None),
    "a typed NULL": ("NULL::VARCHAR", None),
    "DEFAULT": ("DEFAULT", None),
}

TIMES = {
    "a string": "'2026-01-02 03:04:05.678+00'",
    "with T and Z": "'2026-01-02T03:04:05.678Z'",
    "an offset": "'2026-01-02 05:04:05.678+02:00'",
    "a cast": "'2026-01-02 03:04:05.678Z'::timestamptz",
    "a cast in words": "'2026-01-02 03:04:05.678Z'::TIMESTAMP WITH TIME ZONE",
    "a cast with a precision": "'2026-01-02 03:04:05.678Z'::timestamp(3) with time zone",
    "a time without a zone, which is of the session": "'2026-01-02 03:04:05.678'::timestamp",
    "a typed constant": "timestamptz '2026-01-02 03:04:05.678Z'",
    "a typed constant in words": "TIMESTAMP WITH TIME ZONE '2026-01-02 03:04:05.678Z'",
    "CAST": "CAST('2026-01-02 03:04:05.678Z' AS timestamptz)",
    "a zone by name": "'2026-01-02 04:04:05.678 Europe/Oslo'",
}

NUMBERS = {
    "an integer": ("1", 1.0),
    "a negative": ("-1", -1.0),
    "a decimal": ("1.5", 1.5),
    "an exponent": ("1.5e3", 1500.0),
    "a string": ("'1.5'", 1.5),
    "a cast to float8": ("'1.5'::float8", 1.5),
    "a cast to FLOAT": ("1.5::FLOAT", 1.5),
    "a cast to double precision": ("'1.5'::double precision", 1.5),
    "a cast to numeric": ("1.5::numeric(10,2)", 1.5),
    "a cast to real": ("1.5::real", 1.5),
    "a cast to integer, which rounds": ("2.5::int", 3.0),
    "a cast of a string to int8": ("('100'::int8)", 100.0),
    "CAST": ("CAST('1.5' AS float)", 1.5),
    "a sign before parentheses": ("+(1.5)", 1.5),
    "without a leading zero": (".5", 0.5),
}

JSONS = {
    "a string": '\'{"k": "v"}\'',
    "a cast to JSON": '\'{"k": "v"}\'::JSON',
    "a cast to jsonb": '\'{"k": "v"}\'::jsonb',
    "CAST": 'CAST(\'{"k": "v"}\' AS json)',
    "a typed constant": 'json \'{"k": "v"}\'',
    "an escape string": 'E\'{"k": "v"}\'::json',
}

LISTS = {
    "the text of an array": "'{a,\"b c\"}'",
    "a cast": "'{a,\"b c\"}'::text[]",
    "ARRAY": "ARRAY['a', 'b c']",
    "ARRAY with a cast": "ARRAY['a', 'b c']::varchar[]",
    "ARRAY of casts": "ARRAY['a'::text, 'b c'::text]",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_taken_as_it_is_written(connection, store, series, name):
    sql, expected = TEXTS[name]
    connection.execute(f"INSERT INTO events (external_id, description) VALUES ('{series}', {sql})")
    assert store.client.events.retrieve(external_id=series).description == expected


@pytest.mark.parametrize("name", TIMES)
def test_a_time_is_taken_as_it_is_written(connection, store, series, name):
    connection.execute("SET TIME ZONE 'UTC'")
    connection.execute(f"INSERT INTO events (external_id, start_time) VALUES ('{series}', {TIMES[name]})")
    assert store.client.events.retrieve(external_id=series).start_time == TIME_MS


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_taken_as_it_is_written(connection, store, series, name):
    sql, expected = NUMBERS[name]
    connection.execute(
        f"INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ('{series}', '2026-01-01', {sql})"
    )
    assert [value for _, value in store.points(series)] == [expected]


@pytest.mark.parametrize("name", JSONS)
def test_json_is_taken_as_it_is_written(connection, store, series, name):
    connection.execute(f"INSERT INTO events (external_id, metadata) VALUES ('{series}', {JSONS[name]})")
    assert store.client.events.retrieve(external_id=series).metadata == {"k": "v"}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_taken_as_it_is_written(connection, store, series, name):
    for label in ("a", "b c"):
        connection.execute(
            "INSERT INTO labels (external_id, name) VALUES (%s, 'n') ON CONFLICT (external_id) DO NOTHING",
            (label,),
        )
    connection.execute(
        f"INSERT INTO assets (external_id, name, labels) VALUES ('{series}', 'n', {LISTS[name]})"
    )
    labels = store.client.assets.retrieve(external_id=series).labels
    assert [label.external_id for label in labels] == ["a", "b c"]


def test_the_current_time_has_many_names(connection, store, series):
    names = [
        "now()",
        "pg_catalog.now()",
        "current_timestamp",
        "CURRENT_TIMESTAMP(3)",
        "localtimestamp",
        "transaction_timestamp()",
        "statement_timestamp()",
        "clock_timestamp()",
        "'now'",
        "now()::timestamp with time zone",
    ]
    rows = ", ".join(f"('{series}-{number}', {name})" for number, name in enumerate(names))
    before = datetime.datetime.now(UTC).timestamp() * 1000 - 1
    connection.execute(f"INSERT INTO events (external_id, start_time) VALUES {rows}")
    after = datetime.datetime.now(UTC).timestamp() * 1000 + 1
    for number, name in enumerate(names):
        time = store.client.events.retrieve(external_id=f"{series}-{number}").start_time
        assert before <= time <= after, name


def test_the_current_date_is_midnight_in_the_sessions_zone(connection, store, series):
    connection.execute("SET TIME ZONE 'Asia/Tokyo'")
    connection.execute(
        f"INSERT INTO events (external_id, start_time, end_time) VALUES ('{series}', current_date, 'today')"
    )
    event = store.client.events.retrieve(external_id=series)
    assert event.start_time == event.end_time
    assert (event.start_time + 9 * 3_600_000) % 86_400_000 == 0


def test_rows_may_leave_out_columns_and_give_defaults(connection, store, series):
    done = connection.execute(
        "INSERT INTO public.events AS e VALUES"
        f" (DEFAULT, '{series}-1', now(), DEFAULT, 't'),"
        f" (DEFAULT, '{series}-2', DEFAULT, DEFAULT, DEFAULT),"
        f" (NULL, '{series}-3', NULL, NULL, 'u')"
    )
    assert done.statusmessage == "INSERT 0 3"
    types = [store.client.events.retrieve(external_id=f"{series}-{number}").type for number in (1, 2, 3)]
    assert types == ["t", None, "u"]
    connection.execute(
        f"INSERT INTO events (type, external_id, created_time) VALUES ('v', '{series}-4', DEFAULT)"
    )
    assert store.client.events.retrieve(external_id=f"{series}-4").type == "v"


def test_default_values_make_a_row_where_nothing_is_required(connection, store):
    before = len(store.client.events.list(limit=None))
    assert connection.execute("INSERT INTO events DEFAULT VALUES").statusmessage == "INSERT 0 1"
    assert len(store.client.events.list(limit=None)) == before + 1
    with pytest.raises(psycopg.errors.NotNullViolation) as caught:
        connection.execute("INSERT INTO assets DEFAULT VALUES")
    assert caught.value.diag.column_name == "name"


@pytest.fixture(scope="module")
def without_engines(target, tmp_path_factory):
    """A gateway in front of the same CDF that has no PostgreSQL."""
    directory = tmp_path_factory.mktemp("without-engines")
    with ConfiguredGateway(directory, target.cdf_url, engine={"kind": "off"}) as gateway:
        yield gateway.server


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO events (external_id) VALUES ('a' || 'b')",
        "INSERT INTO events (external_id) VALUES (lower('A'))",
        "INSERT INTO events (external_id) VALUES (gen_random_uuid())",
        "INSERT INTO events (external_id) VALUES ((SELECT 'a'))",
        "INSERT INTO events (start_time) VALUES (now() - interval '1 day')",
        "INSERT INTO events (start_time) VALUES (to_timestamp(1))",
        "INSERT INTO double_datapoints (value) VALUES (1 + 1)",
    ],
)
def test_what_would_have_to_be_computed_is_refused_where_nothing_computes_it(without_engines, emulator, sql):
    before = emulator.next_sequence()
    with (
        psycopg.connect(**without_engines.keywords(autocommit=True)) as connection,
        pytest.raises(psycopg.errors.FeatureNotSupported) as caught,
    ):
        connection.execute(sql)
    assert caught.value.diag.statement_position
    assert caught.value.diag.message_hint
    assert emulator.next_sequence() == before


POINT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(
    "value, expected",
    [
        (Int2(3), 3.0),
        (Int4(3), 3.0),
        (Int8(3), 3.0),
        (Float8(1.5), 1.5),
        (decimal.Decimal("1.50"), 1.5),
        (2, 2.0),
        (70_000, 70_000.0),
        (1e-300, 1e-300),
    ],
)
def test_psycopg_numbers_of_every_declared_type(connection, store, series, value, expected, binary):
    mark = "%b" if binary else "%t"
    connection.execute(POINT.replace("%s)", f"{mark})"), (series, TIME, value))
    assert store.points(series) == [(TIME_MS, expected)]


@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_values_of_every_other_declared_type(connection, store, series, binary):
    mark = "%b" if binary else "%t"
    asset = connection.execute(
        "INSERT INTO assets (external_id, name) VALUES (%s, 'a') RETURNING id", (series,)
    ).fetchone()[0]
    for number, (kind, value, column, field, expected) in enumerate(
        [
            ("timestamptz", TIME, "start_time", "start_time", TIME_MS),
            ("timestamp", TIME.replace(tzinfo=None), "start_time", "start_time", TIME_MS),
            ("date", TIME.date(), "start_time", "start_time", TIME_MS - TIME_MS % 86_400_000),
            ("json", Json({"k": "v"}), "metadata", "metadata", {"k": "v"}),
            ("jsonb", Jsonb({"k": "v"}), "metadata", "metadata", {"k": "v"}),
            ("int8 of a list", [asset], "asset_ids", "asset_ids", [asset]),
            ("text", "é", "type", "type", "é"),
            ("int8 as text", Int8(5), "type", "type", "5"),
        ]
    ):
        name = f"{series}-{number}"
        connection.execute(
            f"INSERT INTO events (external_id, {column}) VALUES (%s, {mark})",
            (name, value),
        )
        assert getattr(store.client.events.retrieve(external_id=name), field) == expected, kind


def test_psycopg_types_that_postgresql_does_not_assign_are_refused(connection):
    for column, value in [("start_time", 5), ("data_set_id", True), ("start_time", 1.5), ("metadata", 5)]:
        with pytest.raises(psycopg.errors.DatatypeMismatch) as caught:
            connection.execute(f"INSERT INTO events ({column}) VALUES (%s)", (value,))
        assert caught.value.diag.column_name == column
    # A parameter that is cast may be anything that the cast takes.
    connection.execute("INSERT INTO events (external_id) VALUES (%s::uuid)", (str(uuid.uuid4()),))


def test_parameters_with_the_casts_of_sqlalchemy_and_hibernate(connection, store, series):
    connection.execute(
        "INSERT INTO events (external_id, data_set_id, start_time, metadata, type) VALUES"
        " (%s::VARCHAR, %s::BIGINT, %s::TIMESTAMP WITH TIME ZONE, cast(%s as json), %s::TEXT)",
        (series, None, TIME, '{"k": "v"}', "t"),
    )
    event = store.client.events.retrieve(external_id=series)
    assert (event.start_time, event.metadata, event.type) == (TIME_MS, {"k": "v"}, "t")
    connection.execute(
        POINT.replace("%s, %s, %s", "%s::VARCHAR, %s::TIMESTAMP WITH TIME ZONE, %s::FLOAT"),
        (series, TIME, 1.5),
    )
    assert store.points(series) == [(TIME_MS, 1.5)]


def test_psycopg2_writes_its_literals(server, store, series):
    with psycopg2.connect(**server.keywords()) as connection, connection.cursor() as cursor:
        psycopg2.extras.execute_values(
            cursor,
            "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES %s",
            [(series, TIME + datetime.timedelta(seconds=n), decimal.Decimal(n)) for n in range(250)],
        )
        psycopg2.extras.execute_batch(
            cursor,
            "INSERT INTO events (external_id, start_time, metadata, type) VALUES (%s, %s, %s, %s)",
            [(f"{series}-{n}", TIME, psycopg2.extras.Json({"n": str(n)}), None) for n in range(10)],
        )
    assert len(store.points(series)) == 250
    assert store.client.events.retrieve(external_id=f"{series}-9").metadata == {"n": "9"}
    connection.close()


def test_asyncpg_describes_every_parameter_by_its_column(server, store, series):
    async def write():
        connection = await asyncpg.connect(**server.asyncpg())
        try:
            label = f"{series}-l"
            await connection.execute("INSERT INTO labels (external_id, name) VALUES ($1, $2)", label, "n")
            await connection.execute(
                "INSERT INTO assets (external_id, name, metadata, labels) VALUES ($1, $2, $3, $4)",
                series,
                "n",
                json.dumps({"k": "v"}),
                [label],
            )
            asset = store.client.assets.retrieve(external_id=series)
            await connection.executemany(
                "INSERT INTO events (external_id, start_time, asset_ids, type) VALUES ($1, $2, $3, $4)",
                [(f"{series}-{n}", TIME, [asset.id], None) for n in range(300)],
            )
            await connection.executemany(
                "INSERT INTO relationships VALUES ($1, $2, $3, $4, $5, $6, DEFAULT, $7)",
                [(series, "s", "asset", "t", "event", TIME, 0.5)],
            )
        finally:
            await connection.close()

    asyncio.run(write())
    asset = store.client.assets.retrieve(external_id=series)
    assert asset.metadata == {"k": "v"}
    event = store.client.events.retrieve(external_id=f"{series}-299")
    assert (event.start_time, event.asset_ids) == (TIME_MS, [asset.id])
    assert store.client.relationships.retrieve(external_id=series).confidence == 0.5


def test_pg8000_declares_nothing(server, store, series):
    connection = pg8000.native.Connection(**server.asyncpg())
    try:
        connection.run(
            "INSERT INTO time_series (external_id, is_step, name, unit) VALUES (:name, :step, :title, DEFAULT)",
            name=series,
            step=True,
            title=None,
        )
        connection.run(
            "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (:name, :at, :value)",
            name=series,
            at=TIME,
            value=2.5,
        )
    finally:
        connection.close()
    assert store.series(series)["isStep"] is True
    assert store.points(series) == [(TIME_MS, 2.5)]


BIGINT, VARCHAR, TIMESTAMPTZ, DOUBLE, JSON = "data_set_id", "type", "start_time", "confidence", "metadata"

# Declared types by column, as drivers declare them: the OID, the value as text, and its fate.
DECLARED = [
    (BIGINT, 0, b"SET", "taken"),
    (BIGINT, 20, b"SET", "taken"),
    (BIGINT, 21, b"7", "23503"),
    (BIGINT, 23, b"SET", "taken"),
    (BIGINT, 701, b"7.0", "23503"),
    (BIGINT, 1700, b"7.2", "23503"),
    (BIGINT, 25, b"7", "42804"),
    (BIGINT, 16, b"t", "42804"),
    (VARCHAR, 0, b"a", "a"),
    (VARCHAR, 25, b"a", "a"),
    (VARCHAR, 1043, b"a", "a"),
    (VARCHAR, 705, b"a", "a"),
    (VARCHAR, 20, b"5", "5"),
    (VARCHAR, 2950, b"550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000"),
    (TIMESTAMPTZ, 0, b"2026-01-02 03:04:05.678Z", TIME_MS),
    (TIMESTAMPTZ, 1184, b"2026-01-02 03:04:05.678+00", TIME_MS),
    (TIMESTAMPTZ, 1114, b"2026-01-02 03:04:05.678", TIME_MS),
    (TIMESTAMPTZ, 1082, b"2026-01-02", TIME_MS - TIME_MS % 86_400_000),
    (TIMESTAMPTZ, 25, b"2026-01-02", "42804"),
    (TIMESTAMPTZ, 20, b"5", "42804"),
    (DOUBLE, 0, b"0.5", 0.5),
    (DOUBLE, 701, b"0.5", 0.5),
    (DOUBLE, 700, b"0.5", 0.5),
    (DOUBLE, 1700, b"0.5", 0.5),
    (DOUBLE, 21, b"1", 1.0),
    (DOUBLE, 25, b"0.5", "42804"),
    (JSON, 0, b'{"k": "v"}', {"k": "v"}),
    (JSON, 114, b'{"k": "v"}', {"k": "v"}),
    (JSON, 705, b'{"k": "v"}', {"k": "v"}),
    (JSON, 3802, b'{"k": "v"}', {"k": "v"}),
    # PostgreSQL wants a cast there; tools that know no JSON send text.
    (JSON, 25, b'{"k": "v"}', {"k": "v"}),
    (JSON, 1043, b'{"k": "v"}', {"k": "v"}),
    (JSON, 20, b"5", "42804"),
]


@pytest.mark.parametrize("case", DECLARED, ids=lambda case: f"{case[0]}-{case[1]}")
def test_a_parameter_of_a_declared_type_is_assigned_as_postgresql_assigns_it(server, store, series, case):
    column, oid, value, fate = case
    if value == b"SET":
        value = str(store.client.data_sets.create({"externalId": series, "name": "s"}).id).encode()
    if column == DOUBLE:
        columns = "external_id, source_external_id, source_type, target_external_id, target_type"
        head = f"relationships ({columns}, confidence) VALUES ('{series}', 's', 'asset', 't', 'file', $1)"
    else:
        head = f"events (external_id, {column}) VALUES ('{series}', $1)"
    with signed_in(server) as frames:
        answer = frames.ask(
            parse(f"INSERT INTO {head}", types=(oid,)), describe("S"), bind([value]), execute(), SYNC
        )
    errors = [message.fields["C"] for message in answer if message.kind == "E"]
    if fate in ("42804", "23503"):
        assert errors == [fate]
        return
    assert errors == []
    api = store.client.relationships if column == DOUBLE else store.client.events
    made = api.retrieve(external_id=series)
    if fate == "taken":
        assert str(made.data_set_id).encode() == value
    else:
        assert getattr(made, column) == fate
