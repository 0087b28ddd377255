"""What drivers say before and between writes: settings, resets, questions, probes."""

import psycopg
import pytest
from support import frames
from support.frames import signed_in


@pytest.fixture
def client(server):
    with signed_in(server) as client:
        yield client


def tags(messages):
    return [part.texts[0] for part in messages if part.kind == "C"]


def rows(messages):
    """First column of each DataRow, as text."""
    found = []
    for part in messages:
        if part.kind == "D":
            length = int.from_bytes(part.body[2:6], "big", signed=True)
            found.append(None if length < 0 else part.body[6 : 6 + length].decode())
    return found


RESETS = {
    "DISCARD ALL": ["DISCARD ALL"],
    # Npgsql, when something is prepared.
    "SET SESSION AUTHORIZATION DEFAULT;RESET ALL;CLOSE ALL;UNLISTEN *;"
    "SELECT pg_advisory_unlock_all();DISCARD SEQUENCES;DISCARD TEMP": [
        "SET",
        "RESET",
        "CLOSE CURSOR ALL",
        "UNLISTEN",
        "SELECT 1",
        "DISCARD SEQUENCES",
        "DISCARD TEMP",
    ],
    # asyncpg, when a connection goes back to its pool.
    "SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;": [
        "SELECT 1",
        "CLOSE CURSOR ALL",
        "UNLISTEN",
        "RESET",
    ],
    # psqlODBC, when it connects.
    "SET DateStyle = 'ISO';SET extra_float_digits = 2;show transaction_isolation": ["SET", "SET", "SHOW"],
    "DEALLOCATE ALL": ["DEALLOCATE ALL"],
    "DISCARD PLANS": ["DISCARD PLANS"],
    "RESET SESSION AUTHORIZATION": ["RESET"],
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ UNCOMMITTED": ["SET"],
}


@pytest.mark.parametrize("text", RESETS)
def test_a_reset_has_exactly_the_replies_that_drivers_count(client, text):
    answer = client.ask(frames.query(text))
    assert tags(answer) == RESETS[text]
    assert (answer[-1].kind, answer[-1].body) == ("Z", b"I")


def test_discard_all_drops_prepared_statements_and_settings(client):
    client.ask(frames.parse("SELECT 1", name="s"), frames.SYNC)
    client.ask(frames.query("SET extra_float_digits = 0"))
    client.ask(frames.query("DISCARD ALL"))
    assert client.ask(frames.describe("S", "s"), frames.SYNC)[0].fields["C"] == "26000"
    assert rows(client.ask(frames.query("SHOW extra_float_digits"))) == ["1"]


def test_discard_all_inside_a_transaction_is_refused(client):
    client.ask(frames.query("BEGIN"))
    assert client.ask(frames.query("DISCARD ALL"))[0].fields["C"] == "25001"
    client.ask(frames.query("ROLLBACK"))


def test_deallocate_drops_one_statement_by_name(client):
    client.ask(frames.parse("SELECT 1", name="Odd Name"), frames.SYNC)
    assert tags(client.ask(frames.query('DEALLOCATE "Odd Name"'))) == ["DEALLOCATE"]
    assert client.ask(frames.query('DEALLOCATE "Odd Name"'))[0].fields["C"] == "26000"


@pytest.mark.parametrize("question", ["SELECT 1", "select 1;", "SELECT 1 AS one", "/* ping */ SELECT 1"])
def test_a_ping_is_answered(client, question):
    assert rows(client.ask(frames.query(question))) == ["1"]


def test_the_plain_questions_of_a_connect_are_answered(client, server):
    def ask(question):
        return rows(client.ask(frames.query(question)))

    assert ask("SELECT version()")[0].startswith("PostgreSQL ")
    assert ask("select pg_catalog.version()")[0].startswith("PostgreSQL ")
    assert ask("SELECT current_database()") == [server.database]
    assert ask("SELECT current_schema()") == ["public"]
    assert ask("SELECT CURRENT_SETTING('TIMEZONE')") == [client.parameters["TimeZone"]]
    assert ask("show transaction isolation level") == ["read committed"]
    assert ask("show standard_conforming_strings") == ["on"]
    assert ask("SHOW server_version")[0].split()[0] == client.parameters["server_version"].split()[0]


def test_an_unknown_setting_is_refused_as_postgresql_does(client):
    assert client.ask(frames.query("SET no_such_setting = 1"))[0].fields["C"] == "42704"
    assert client.ask(frames.query("SHOW no_such_setting"))[0].fields["C"] == "42704"
    assert client.ask(frames.query("SET timezone TO 'Mars/Olympus'"))[0].fields["C"] == "22023"
    assert client.ask(frames.query("SET integer_datetimes = off"))[0].fields["C"] == "55P02"


def test_a_setting_made_in_a_transaction_goes_with_its_rollback(client):
    before = rows(client.ask(frames.query("SHOW timezone")))
    client.ask(frames.query("BEGIN"))
    client.ask(frames.query("SET timezone TO 'Asia/Tokyo'"))
    assert client.parameters["TimeZone"] == "Asia/Tokyo"
    client.ask(frames.query("ROLLBACK"))
    assert rows(client.ask(frames.query("SHOW timezone"))) == before
    assert client.parameters["TimeZone"] == before[0]
    client.ask(frames.query("BEGIN"))
    client.ask(frames.query("SET LOCAL timezone TO 'Asia/Tokyo'"))
    client.ask(frames.query("COMMIT"))
    assert rows(client.ask(frames.query("SHOW timezone"))) == before


PROBES = [
    "SELECT * FROM string_datapoints LIMIT 0",
    "SELECT * FROM string_datapoints WHERE 1=0",
    "SELECT * FROM string_datapoints WHERE 1 = 0",
    'SELECT "value", "timestamp", "external_id", "id" FROM "public"."string_datapoints" WHERE 1=0',
    "SELECT value, timestamp, external_id, id FROM string_datapoints LIMIT 0;",
    "select * from public.string_datapoints where false",
]


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_of_a_table_gives_its_columns_with_types_and_lengths(server, probe):
    with psycopg.connect(**server.keywords()) as connection:
        cursor = connection.execute(probe)
        assert cursor.fetchall() == []
        described = [(column.name, column.type_code, column.display_size) for column in cursor.description]
    assert described == [
        ("value", 1043, 255),
        ("timestamp", 1184, None),
        ("external_id", 1043, 255),
        ("id", 20, None),
    ]


@pytest.mark.parametrize(
    "select", ["SELECT value, id FROM double_datapoints", "SELECT value, id FROM double_datapoints LIMIT 1"]
)
def test_a_select_that_is_only_described_gives_its_columns(client, select):
    answer = client.ask(frames.parse(select), frames.describe("S"), frames.SYNC)
    assert "".join(part.kind for part in answer) == "1tTZ"
    count, description = int.from_bytes(answer[2].body[:2], "big"), answer[2].body[2:]
    assert (count, description.split(b"\0")[0]) == (2, b"value")


def test_a_three_part_name_is_understood_where_its_database_is_the_own(server, store, series):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        columns = '("external_id", "timestamp", "value")'
        connection.execute(
            f'INSERT INTO "{server.database}"."public"."double_datapoints" {columns} VALUES (%s, now(), 1)',
            (series,),
        )
        assert len(store.points(series)) == 1
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute(
                f'INSERT INTO "elsewhere"."public"."double_datapoints" {columns} VALUES (%s, now(), 1)',
                (series,),
            )


def test_columns_of_a_probe_name_their_table_and_place(client):
    answer = client.ask(frames.query("SELECT external_id, value FROM double_datapoints WHERE 1=0"))
    fields = answer[0].body[2:]
    first = fields.split(b"\0", 1)[1]
    table, place = int.from_bytes(first[:4], "big"), int.from_bytes(first[4:6], "big")
    assert table >= 16384
    assert place == 3


@pytest.mark.gateway_only
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t (a int)",
        "UPDATE double_datapoints SET value = 1",
    ],
)
def test_what_is_not_supported_yet_is_refused_with_0A000_and_a_hint(client, statement):
    refused = client.ask(frames.query(statement))[0].fields
    assert refused["C"] == "0A000"
    assert refused["H"]
    assert client.ask(frames.query("SELECT 1"))[-1].body == b"I"
