"""Time series: written as rows, named by datapoints, and what happens when they are missing."""

import psycopg
import pytest
from support.samples import moment, seconds

POINT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def strict(strict_target):
    with psycopg.connect(**strict_target.server.keywords(), autocommit=True) as connection:
        yield connection


def test_a_time_series_is_created_with_its_properties(connection, store, series):
    connection.execute(
        "INSERT INTO time_series (external_id, name, is_string, is_step, metadata, unit, description)"
        " VALUES (%s, 'Pressure æ', false, true, '{\"site\": \"north\"}', 'bar', NULL)",
        (series,),
    )
    made = store.series(series)
    expected = {
        "externalId": series,
        "name": "Pressure æ",
        "isString": False,
        "isStep": True,
        "metadata": {"site": "north"},
        "unit": "bar",
    }
    assert {key: made.get(key) for key in expected} == expected
    assert "description" not in made


def test_a_time_series_that_exists_is_refused_with_23505(connection, store, series):
    connection.execute("INSERT INTO time_series (external_id, name) VALUES (%s, 'first')", (series,))
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO time_series (external_id, name) VALUES (%s, 'second')", (series,))
    assert store.series(series)["name"] == "first"


def test_a_copy_creates_many_time_series(connection, store, series):
    with connection.cursor().copy(
        "COPY time_series (external_id, is_string) FROM STDIN (FORMAT csv)"
    ) as copy:
        for n in range(1500):
            copy.write(f"{series}-{n},{'t' if n % 2 else 'f'}\n")
    assert store.series(f"{series}-0")["isString"] is False
    assert store.series(f"{series}-1499")["isString"] is True


def test_a_point_may_name_its_series_by_id(connection, store, series):
    identity = store.make_series(series)
    connection.execute(
        "INSERT INTO double_datapoints (id, timestamp, value) VALUES (%s, %s, 1)", (identity, moment(0))
    )
    assert store.points(series) == seconds([1.0])


@pytest.mark.gateway_only
def test_a_point_of_an_unknown_series_makes_it_where_that_is_allowed(connection, store, series):
    connection.execute(POINT, (series, moment(0), 1.0))
    connection.execute("INSERT INTO string_datapoints VALUES ('one', %s, %s)", (moment(0), f"{series}-text"))
    assert store.series(series)["isString"] is False
    assert store.series(f"{series}-text")["isString"] is True


@pytest.mark.gateway_only
def test_a_point_of_an_unknown_series_is_refused_with_23503_and_its_name(strict, series):
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught:
        strict.execute(POINT, (series, moment(0), 1.0))
    assert series in str(caught.value)
    assert strict.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.gateway_only
def test_a_point_of_an_unknown_id_is_refused_with_23503_and_the_id(strict):
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="4503599627370496"):
        strict.execute(
            "INSERT INTO double_datapoints (id, timestamp, value) VALUES (4503599627370496, now(), 1)"
        )


@pytest.mark.gateway_only
def test_the_known_series_of_a_copy_are_written_when_another_is_missing(strict, strict_target, series):
    known = [f"{series}-{n}" for n in range(20)]
    for name in known:
        strict_target.store.make_series(name)
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught:
        with strict.cursor().copy(
            "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
        ) as copy:
            for n in range(2000):
                copy.write_row((f"{series}-nowhere" if n == 777 else known[n % 20], moment(n), float(n)))
    assert f"{series}-nowhere" in str(caught.value)
    assert "1999" in caught.value.diag.message_detail
    written = sum(len(strict_target.store.points(name)) for name in known)
    assert written == 1999


@pytest.mark.gateway_only
def test_a_number_for_a_series_of_strings_is_refused_with_42804(connection, store, series):
    store.make_series(series, is_string=True)
    with pytest.raises(psycopg.errors.DatatypeMismatch) as caught:
        connection.execute(POINT, (series, moment(0), 1.0))
    assert "Expected string value" in str(caught.value)
    assert caught.value.diag.context == "INSERT INTO double_datapoints, row 1"
    assert store.points(series) == []


@pytest.mark.gateway_only
def test_a_series_of_the_wrong_kind_spoils_only_its_own_rows(connection, store, series):
    store.make_series(f"{series}-text", is_string=True)
    with pytest.raises(psycopg.errors.DatatypeMismatch):
        with connection.cursor().copy(
            "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
        ) as copy:
            for n in range(100):
                copy.write_row((f"{series}-text" if n == 50 else series, moment(n), float(n)))
    assert len(store.points(series)) == 99


@pytest.mark.gateway_only
def test_a_series_made_after_it_was_missed_is_found(strict, strict_target, series):
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        strict.execute(POINT, (series, moment(0), 1.0))
    strict_target.store.make_series(series)
    strict.execute(POINT, (series, moment(0), 2.0))
    assert strict_target.store.points(series) == seconds([2.0])


def test_raw_tables_are_created_with_their_database(connection, store, raw_database):
    connection.execute("INSERT INTO raw_tables VALUES (%s, 'one'), (%s, 'two')", (raw_database, raw_database))
    assert store.raw_tables(raw_database) == ["one", "two"]


def test_raw_rows_of_many_databases_and_tables_arrive_where_they_belong(connection, store, raw_database):
    with connection.cursor().copy(
        "COPY raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) FROM STDIN"
    ) as copy:
        for n in range(300):
            copy.write_row((f"{raw_database}-{n % 3}", f"table {n % 5}/x", f"k{n}", f'{{"n": {n}}}'))
    for database in range(3):
        for table in range(5):
            expected = {f"k{n}": {"n": n} for n in range(300) if (n % 3, n % 5) == (database, table)}
            assert store.raw(f"{raw_database}-{database}", f"table {table}/x") == expected
