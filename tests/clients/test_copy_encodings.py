"""COPY of data in an encoding that the statement names, where a PostgreSQL takes the data."""

import psycopg
import pytest
from support.samples import unique


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        connection.execute("CREATE TEMP TABLE staged (encoding text, n int)")
        yield connection


def copied(connection, statement: str, data: bytes) -> list[tuple]:
    with connection.cursor().copy(statement) as copy:
        # Cut within what would be a character of UTF-8.
        for byte in data:
            copy.write(bytes([byte]))
    return connection.execute("SELECT encoding, n FROM staged ORDER BY n").fetchall()


@pytest.mark.parametrize(
    "options",
    [
        "(ENCODING 'LATIN1', DELIMITER ';')",
        "WITH (delimiter ';', encoding latin1)",
        "DELIMITER ';' ENCODING 'iso-8859-1'",
    ],
)
def test_data_in_latin_1_arrive_in_a_temporary_table(connection, options):
    data = "café;1\nå;2\n".encode("latin1")
    statement = f"COPY staged (encoding, n) FROM STDIN {options}"
    assert copied(connection, statement, data) == [("café", 1), ("å", 2)]


def test_the_named_encoding_counts_and_not_the_clients(server):
    with psycopg.connect(**server.keywords(autocommit=True), client_encoding="latin1") as connection:
        connection.execute("CREATE TEMP TABLE staged (encoding text, n int)")
        utf8 = "COPY staged FROM STDIN (ENCODING 'UTF8')"
        assert copied(connection, utf8, "é\t1\n".encode()) == [("é", 1)]
        assert copied(connection, "COPY staged FROM STDIN", b"\xe9\t2\n") == [("é", 1), ("é", 2)]


def test_bytes_that_are_none_of_the_encoding_are_refused_and_the_session_goes_on(connection):
    with pytest.raises(psycopg.errors.CharacterNotInRepertoire):
        copied(connection, "COPY staged FROM STDIN (ENCODING 'UTF8')", b"caf\xe9\t1\n")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="encoding"):
        copied(connection, "COPY staged FROM STDIN (ENCODING 'nope')", b"")
    assert connection.execute("SELECT count(*) FROM staged").fetchone() == (0,)


@pytest.mark.gateway_only
def test_a_condition_sees_the_data_as_text(connection, store):
    name = unique("encoded")
    with connection.cursor().copy(
        "COPY assets (external_id, name) FROM STDIN (ENCODING 'LATIN1') WHERE name LIKE 'é%'"
    ) as copy:
        copy.write(f"{name}-1\témile\n{name}-2\temil\n".encode("latin1"))
    found = store.client.assets.list(external_id_prefix=name)
    assert [(asset.external_id, asset.name) for asset in found] == [(f"{name}-1", "émile")]
