"""Values that do not fit are refused before anything is sent, with PostgreSQL's codes."""

import psycopg
import pytest
from support.samples import moment, seconds

POINT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"
TEXT = "INSERT INTO string_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"
RAW = "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES (%s, %s, %s, %s)"


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        yield connection


REFUSED_EVERYWHERE = {
    "a word as a double": (POINT, ("s", moment(0), "one"), "22P02"),
    "a double beyond the type": (POINT, ("s", moment(0), "1e400"), "22003"),
    "a word as a time": (POINT, ("s", "noon-ish", 1.0), "22007"),
    "a day that is none": (POINT, ("s", "2026-02-30 00:00:00Z", 1.0), "22008"),
    "a zone that is none": (POINT, ("s", "2026-11-01 00:00:00 Mars/Olympus", 1.0), "22023"),
    "a NULL value": (POINT, ("s", moment(0), None), "23502"),
    "a NULL time": (POINT, ("s", None, 1.0), "23502"),
    "an external id that is too long": (POINT, ("x" * 256, moment(0), 1.0), "22001"),
    "a text that is too long": (TEXT, ("s", moment(0), "x" * 256), "22001"),
    "a text that is too long in characters": (TEXT, ("s", moment(0), "é" * 256), "22001"),
    "a RAW database name that is too long": (RAW, ("d" * 33, "t", "k", "{}"), "22001"),
    "a RAW table name that is too long": (RAW, ("d", "t" * 65, "k", "{}"), "22001"),
    "JSON that is none": (RAW, ("d", "t", "k", "{a: 1}"), "22P02"),
    "JSON that ends early": (RAW, ("d", "t", "k", '{"a": '), "22P02"),
}


@pytest.mark.parametrize("name", REFUSED_EVERYWHERE)
def test_a_value_that_does_not_fit_its_column_is_refused(connection, name):
    statement, values, code = REFUSED_EVERYWHERE[name]
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement, values)
    assert caught.value.sqlstate == code
    assert connection.execute("SELECT 1").fetchone() == (1,)


REFUSED_BY_CDF = {
    "not a number": (POINT, ("s", moment(0), float("nan")), "22003"),
    "infinity": (POINT, ("s", moment(0), float("inf")), "22003"),
    "a double of 1e100": (POINT, ("s", moment(0), 1e100), "22003"),
    "a double of -1e100": (POINT, ("s", moment(0), -1e100), "22003"),
    "a time in 1899": (POINT, ("s", "1899-12-31 23:59:59.999Z", 1.0), "22008"),
    "a time in 2100": (POINT, ("s", "2100-01-01 00:00:00Z", 1.0), "22008"),
    "a time without end": (POINT, ("s", "infinity", 1.0), "22008"),
    "neither id nor external id": (POINT, (None, moment(0), 1.0), "23502"),
    "a RAW key that is too long": (RAW, ("d", "t", "k" * 1025, "{}"), "22001"),
    "RAW columns that are no object": (RAW, ("d", "t", "k", "[1, 2]"), "22023"),
}


@pytest.mark.gateway_only
@pytest.mark.parametrize("name", REFUSED_BY_CDF)
def test_a_value_that_cdf_would_refuse_is_refused_before_it_is_sent(connection, emulator, name):
    statement, values, code = REFUSED_BY_CDF[name]
    before = emulator.statistics()["operations"]
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement, values)
    assert caught.value.sqlstate == code
    assert emulator.statistics()["operations"] == before


@pytest.mark.parametrize(
    "time", ["1900-01-01 00:00:00Z", "2099-12-31 23:59:59.999Z", "1969-12-31 23:59:59.999Z"]
)
def test_the_first_and_the_last_time_that_cdf_takes_are_stored(connection, store, series, time):
    connection.execute(POINT, (series, time, 1.0))
    [(time_ms, value)] = store.points(series)
    assert time_ms in (-2_208_988_800_000, 4_102_444_799_999, -1)
    assert value == 1.0


def test_trailing_blanks_beyond_the_length_are_cut_in_silence_by_copy_only_if_blank(
    connection, store, series
):
    with connection.cursor().copy(
        "COPY string_datapoints (external_id, timestamp, value) FROM STDIN"
    ) as copy:
        copy.write_row((series, moment(0), "x" * 255 + "   "))
    with pytest.raises(psycopg.errors.StringDataRightTruncation):
        connection.execute(TEXT, (series, moment(1), "x" * 255 + " y"))
    assert store.points(series) == seconds(["x" * 255])


@pytest.mark.gateway_only
def test_a_time_between_milliseconds_is_rounded(connection, store, series):
    for second, fraction in enumerate(["0004", "0006", "9996"]):
        connection.execute(POINT, (series, f"2026-11-01 00:00:0{second}.{fraction}Z", float(second)))
    offsets = [time_ms - moment(0).timestamp() * 1000 for time_ms, _ in store.points(series)]
    assert offsets == [0, 1001, 3000]


@pytest.mark.gateway_only
def test_the_last_of_equal_points_wins(connection, store, series):
    with connection.cursor().copy(
        "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
    ) as copy:
        for value in range(10):
            copy.write_row((series, moment(0), float(value)))
    connection.execute(POINT, (series, moment(1), 1.0))
    connection.execute(POINT, (series, moment(1), 2.0))
    assert store.points(series) == seconds([9.0, 2.0])


@pytest.mark.gateway_only
def test_a_raw_row_with_an_existing_key_is_replaced_whole(connection, store, raw_database):
    connection.execute(RAW, (raw_database, "t", "k", '{"a": 1, "b": 2}'))
    connection.execute(RAW, (raw_database, "t", "k", '{"c": 3}'))
    assert store.raw(raw_database, "t") == {"k": {"c": 3}}


def test_json_keeps_its_numbers_order_and_escapes(connection, store, raw_database):
    text = (
        '{"big": 12345678901234567890, "small": 1e-7, "nested": [[], {}, [{"x": "\\u00e6\\n"}]], "empty": ""}'
    )
    connection.execute(RAW, (raw_database, "t", "k", text))
    columns = store.raw(raw_database, "t")["k"]
    assert columns == {
        "big": 12345678901234567890,
        "small": 1e-7,
        "nested": [[], {}, [{"x": "æ\n"}]],
        "empty": "",
    }


MISTAKES = {
    "more values than columns": ("INSERT INTO double_datapoints (value) VALUES (1, 2)", "42601"),
    "fewer values than columns": ("INSERT INTO double_datapoints (value, timestamp) VALUES (1)", "42601"),
    "rows of unequal length": (
        "INSERT INTO double_datapoints (external_id, value, timestamp) VALUES ('x', 1, now()), ('y', 2)",
        "42601",
    ),
    "a column twice": ("INSERT INTO double_datapoints (value, value) VALUES (1, 2)", "42701"),
    "a column that is none": ("INSERT INTO double_datapoints (colour) VALUES (1)", "42703"),
    "a table that is none": ("INSERT INTO datapoints_of_doubles VALUES (1)", "42P01"),
    "a schema that is none": ("INSERT INTO elsewhere.double_datapoints VALUES (1)", "42P01"),
    "a number as a time": ("INSERT INTO double_datapoints (timestamp) VALUES (5)", "42804"),
    "a sentence": ("PLEASE INSERT SOMETHING", "42601"),
    "a parameter that nobody gave": ("INSERT INTO double_datapoints (value) VALUES ($1)", "42P02"),
    "a string without its end": ("INSERT INTO double_datapoints (external_id) VALUES ('x", "42601"),
    "a made column": ("INSERT INTO time_series (id, external_id) VALUES (1, 'x')", "428C9"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistaken_statement_gets_postgresqls_code(connection, name):
    statement, code = MISTAKES[name]
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)
    assert caught.value.sqlstate == code
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_default_and_the_current_time_are_values(connection, store, series):
    tag = connection.execute(
        f"INSERT INTO double_datapoints (value, timestamp, external_id, id) VALUES (1, now(), '{series}', DEFAULT)"
    ).statusmessage
    assert tag == "INSERT 0 1"
    assert [value for _, value in store.points(series)] == [1.0]
