"""Answers about the catalog that the gateway keeps: found again, and only by the same question."""

import asyncio

import asyncpg
import psycopg
import pytest
from support.configured import ConfiguredGateway
from support.engines import figure
from support.psql import psql
from support.samples import unique

pytestmark = pytest.mark.gateway_only

KEPT = 'penstock_catalog_answers_total{answer="kept"}'
STARTED = "penstock_engines_started_total"


def kept(target) -> float:
    return figure(target, KEPT)


@pytest.mark.parametrize(
    "question",
    [
        "SELECT relname, relkind FROM pg_class WHERE relname LIKE 'asset%' ORDER BY 1",
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'assets' ORDER BY 1",
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'assets'::regclass",
        "SELECT array_agg(n ORDER BY n DESC) FROM unnest(ARRAY[1, 2, 3]) AS n",
    ],
)
def test_a_question_that_was_asked_before_needs_no_engine(server, target, question):
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        first = connection.execute(question).fetchall()
    before = kept(target)
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        assert connection.execute(question).fetchall() == first
    assert first
    assert kept(target) > before


def test_psqls_questions_are_kept(server, target):
    commands = ("-c", r"\d assets", "-c", r"\dt+", "-c", r"\dn")
    first = psql(server, *commands)
    before = kept(target)
    again = psql(server, *commands)
    assert (again.code, again.out) == (0, first.out)
    assert "external_id|character varying(255)" in again.out
    assert kept(target) >= before + 6


@pytest.mark.parametrize(
    "question",
    [
        "SELECT random() FROM pg_am LIMIT 1",
        "SELECT clock_timestamp() FROM pg_am LIMIT 1",
        "SELECT max(now()) FROM pg_am",
        "SELECT max(x) FROM (VALUES (now()), (now())) AS t(x)",
        "SELECT max(CURRENT_TIMESTAMP) FROM pg_am",
        "SELECT max('now'::timestamptz) FROM pg_am",
        "SELECT max(timestamptz 'now') FROM pg_am",
    ],
)
def test_what_is_of_the_moment_is_never_kept(connection, question):
    assert connection.execute(question).fetchone() != connection.execute(question).fetchone()


def test_a_parameter_that_means_the_present_does_so_each_time(connection):
    question = "SELECT max(x) FROM (VALUES (%t::timestamptz)) AS t(x)"
    moments = [connection.execute(question, ["now"]).fetchone() for _ in range(2)]
    assert moments[0] != moments[1]


def test_parameters_are_part_of_a_question(connection):
    question = "SELECT relkind FROM pg_class WHERE relname = %s"
    for _ in range(2):
        assert connection.execute(question, ["assets"]).fetchall() == [("r",)]
        assert connection.execute(question, ["assets_pkey"]).fetchall() == [("i",)]
        assert connection.execute(question, [None]).fetchall() == []


def test_settings_are_part_of_a_question(connection):
    question = "SELECT max(x)::text FROM (VALUES ('2026-07-01 12:00:00Z'::timestamptz)) AS t(x)"
    for _ in range(2):
        connection.execute("SET DateStyle = 'ISO'")
        connection.execute("SET TimeZone = 'UTC'")
        assert connection.execute(question).fetchone() == ("2026-07-01 12:00:00+00",)
        connection.execute("SET TimeZone = 'Europe/Oslo'")
        assert connection.execute(question).fetchone() == ("2026-07-01 14:00:00+02",)
        connection.execute("SET DateStyle = 'German'")
        assert connection.execute(question).fetchone() == ("01.07.2026 14:00:00 CEST",)


def test_the_search_path_is_part_of_a_question(connection):
    question = "SELECT oid::regclass::text FROM pg_class WHERE relname = 'data_sets'"
    for _ in range(2):
        connection.execute("SET search_path = public")
        assert connection.execute(question).fetchone() == ("cdf.data_sets",)
        connection.execute("SET search_path = cdf")
        assert connection.execute(question).fetchone() == ("data_sets",)


def test_each_form_of_the_result_has_its_own_answer(connection):
    question = "SELECT relnatts::int8 FROM pg_class WHERE relname = 'raw_tables'"
    for _ in range(2):
        for binary, wanted in ((False, b"2"), (True, b"\0\0\0\0\0\0\0\2")):
            cursor = connection.execute(question, binary=binary)
            assert cursor.pgresult.get_value(0, 0) == wanted
            assert cursor.fetchone() == (2,)


def test_rows_of_an_answer_that_was_kept_may_be_fetched_in_parts(server, target):
    async def fetch():
        connection = await asyncpg.connect(**server.asyncpg())
        parts = []
        async with connection.transaction():
            cursor = await connection.cursor(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'assets'::regclass AND attnum > 0 ORDER BY attnum"
            )
            while part := await cursor.fetch(5):
                parts.append([name for (name,) in part])
        await connection.close()
        return parts

    first = asyncio.run(fetch())
    before = kept(target)
    assert asyncio.run(fetch()) == first
    assert kept(target) > before
    assert len(first) > 1 and "external_id" in sum(first, [])


def test_text_in_latin1_comes_in_latin1_from_what_was_kept_in_utf8(server):
    question = "SELECT string_agg(x, '') FROM (VALUES ('é'), ('ø')) AS t(x)"
    for encoding in ("utf8", "latin1", "utf8"):
        with psycopg.connect(**server.keywords(client_encoding=encoding)) as connection:
            assert connection.execute(question).fetchone() == ("éø",)


def test_rows_of_tables_are_never_kept(connection):
    name = unique("counted")
    question = "SELECT count(*) FROM assets WHERE name = %s"
    assert connection.execute(question, [name]).fetchone() == (0,)
    connection.execute("INSERT INTO assets (external_id, name) VALUES (%s, %s)", [name, name])
    assert connection.execute(question, [name]).fetchone() == (1,)


def test_errors_are_not_kept(connection):
    for _ in range(2):
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1 / (oid::int8 - oid::int8) FROM pg_class")


def test_what_is_kept_has_a_bound(local_cdf, tmp_path):
    bytes_max = 64 << 10
    with ConfiguredGateway(tmp_path, local_cdf.url, engine={"catalog_bytes_max": bytes_max}) as gateway:
        with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
            for number in range(60):
                question = f"SELECT relname, {number} FROM pg_class ORDER BY oid LIMIT 40"
                assert len(connection.execute(question).fetchall()) == 40
        assert 0 < figure(gateway, "penstock_catalog_answers_bytes") <= bytes_max


def test_nothing_is_kept_if_the_operator_says_so(local_cdf, tmp_path):
    with ConfiguredGateway(tmp_path, local_cdf.url, engine={"catalog_bytes_max": 0}) as gateway:
        with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
            for _ in range(2):
                assert connection.execute("SELECT count(*) > 0 FROM pg_class").fetchone() == (True,)
        assert kept(gateway) == 0
        assert figure(gateway, "penstock_catalog_answers_bytes") == 0
