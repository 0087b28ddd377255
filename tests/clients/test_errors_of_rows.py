"""Answers of CDF that are about rows: those at fault are named and left out, the others are written.

Each row of the table in docs/errors.md has a test here, in test_errors_of_cdf.py or in test_errors_of_late_rows.py.
"""

import pytest
from support.errors_document import ANSWERS, WHAT_HAPPENS, proves
from support.samples import moment, seconds
from support.scripted_http import cdf_error
from support.told import told
from support.troubled import Troubled, copy_points, copy_raw

pytestmark = pytest.mark.gateway_only

POINT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)"
WORDS = "The moon is in the wrong phase"


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    with Troubled(tmp_path_factory.mktemp("cdf")) as troubled:
        yield troubled


@pytest.fixture
def cdf(troubled):
    yield troubled
    troubled.front.calm()


@pytest.fixture
def connection(cdf):
    with cdf.connect() as connection:
        yield connection


def last_scripted(cdf, path):
    return [exchange for exchange in cdf.front.asked(path) if exchange.is_scripted][-1]


# Answers to requests that hold a bad row, where CDF does not say which it is.
NOT_NAMED = {
    "400 with `missingFields`": (
        cdf_error(400, WORDS, missingFields=["columns"]),
        "23502",
        "CDF wants a value for columns",
        "every row",
    ),
    "400": (cdf_error(400, WORDS), "22023", "CDF refused the RAW rows", "Correct the value"),
    "422": (cdf_error(422, WORDS), "22023", "CDF refused the RAW rows", "Correct the value"),
    "413": (cdf_error(413, WORDS), "54000", "too large", "bytes_max"),
}


@proves(WHAT_HAPPENS, {"split": ()})
@proves(
    ANSWERS,
    {"400 with `missingFields`": "23502", "400, 422 otherwise": "22023", "413": "54000"},
)
@pytest.mark.parametrize("name", NOT_NAMED)
def test_a_bad_row_is_found_and_the_others_are_written(cdf, connection, raw_database, name):
    reply, sqlstate, message, hint = NOT_NAMED[name]
    cdf.front.script("/rows", reply, holding=b'"bad"')
    keys = ["bad" if n == 16 else f"k{n}" for n in range(40)]
    error = told(copy_raw, connection, raw_database, keys)
    refused = last_scripted(cdf, "/rows")
    detail = (f"CDF said: {WORDS} (HTTP {reply.status}", refused.request_id)
    error.must_have(sqlstate, message=message, detail=detail, hint=hint)
    assert "39 of 40 rows are in CDF, 1 was refused." in error.detail
    assert "COPY raw_rows, row 17" in error.context
    assert set(cdf.store.raw(raw_database, "t")) == set(keys) - {"bad"}


@proves(WHAT_HAPPENS, {"split": ()})
@proves(ANSWERS, {"400, 422 with `missing`": "23503"})
@pytest.mark.parametrize("status", [400, 422])
def test_a_series_that_does_not_exist_is_named_and_the_others_are_written(cdf, connection, series, status):
    cdf.store.make_series(series)
    nowhere = f"{series}-nowhere"
    reply = cdf_error(status, WORDS, missing=[{"externalId": nowhere}])
    cdf.front.script("/timeseries/data", reply, holding=nowhere.encode())
    points = [(nowhere if n == 7 else series, moment(n), float(n)) for n in range(30)]
    error = told(copy_points, connection, points)
    (refused,) = (exchange for exchange in cdf.front.asked("/timeseries/data") if exchange.is_scripted)
    detail = (WORDS, refused.request_id, "29 of 30 rows are in CDF, 1 was refused.")
    message = f'time series "{nowhere}" does not exist'
    error.must_have("23503", message=message, detail=detail, hint="time_series")
    assert "COPY double_datapoints, row 8" in error.context
    assert len(cdf.store.points(series)) == 29


# What names an object that does not exist, and where CDF is asked.
VAIN_CHANGES = {
    "UPDATE time_series SET name = 'new' WHERE external_id = %s": "/timeseries/update",
    "DELETE FROM labels WHERE external_id = %s": "/labels/delete",
    "DELETE FROM double_datapoints WHERE external_id = %s AND timestamp = '2026-11-01Z'": "/data/delete",
}


@proves(ANSWERS, {"400, 422 with `missing`": ()})
@pytest.mark.parametrize("statement", VAIN_CHANGES)
def test_what_is_changed_or_deleted_and_does_not_exist_is_skipped(cdf, connection, series, statement):
    assert connection.execute(statement, (series,)).rowcount == 0
    assert cdf.front.asked(VAIN_CHANGES[statement])[0].status == 400


@proves(WHAT_HAPPENS, {"split": ()})
@proves(ANSWERS, {"400, 422 with `duplicated`": "23505", "409 on a create": "23505"})
@pytest.mark.parametrize("status", [400, 409, 422])
def test_what_exists_already_is_named_and_the_others_are_made(cdf, connection, series, status):
    there = f"{series}-2"
    reply = cdf_error(status, WORDS, duplicated=[{"externalId": there}])
    cdf.front.script("/timeseries", reply, holding=f'"{there}"'.encode())
    statement = "INSERT INTO time_series (external_id) VALUES (%s), (%s), (%s), (%s)"
    error = told(connection.execute, statement, [f"{series}-{n}" for n in range(4)])
    (refused,) = (exchange for exchange in cdf.front.asked("/timeseries") if exchange.is_scripted)
    detail = (f'external_id "{there}" already exists.', WORDS, refused.request_id, "3 of 4 rows are in CDF")
    message = 'duplicate key value violates unique constraint "time_series_pkey"'
    error.must_have("23505", message=message, detail=detail, hint="Leave out")
    assert "INSERT INTO time_series, row 3" in error.context
    assert [cdf.store.series(f"{series}-{n}") is not None for n in range(4)] == [True, True, False, True]


@proves(ANSWERS, {"400 `Expected string value…`, `Expected numeric value…`": "42804"})
@pytest.mark.parametrize(
    ("table", "value", "message"),
    [
        ("double_datapoints", 1.0, "has string values, a number was written"),
        ("string_datapoints", "one", "has numeric values, a string was written"),
    ],
)
def test_a_value_of_the_wrong_type_spoils_only_its_own_series(cdf, connection, series, table, value, message):
    is_string = table == "string_datapoints"
    cdf.store.make_series(series, is_string=is_string)
    cdf.store.make_series(f"{series}-other", is_string=not is_string)
    statement = f"INSERT INTO {table} (external_id, timestamp, value) VALUES (%s, %s, %s), (%s, %s, %s)"
    error = told(
        connection.execute, statement, (series, moment(0), value, f"{series}-other", moment(0), value)
    )
    refused = next(exchange for exchange in cdf.front.asked("/timeseries/data") if exchange.status == 400)
    detail = ("CDF said: Expected", refused.request_id, "1 of 2 rows are in CDF, 1 was refused.")
    message = f'time series "{series}-other" {message}'
    error.must_have("42804", message=message, detail=detail, hint="never changes")
    assert f"INSERT INTO {table}, row 2" in error.context
    assert cdf.store.points(series) == seconds([value])


# What rows point at: the statement with a good and a bad row, the column, and what is in the message.
POINTERS = {
    "a data set": (
        "INSERT INTO time_series (external_id, data_set_id) VALUES (%s, NULL), (%s, 404404)",
        "data_set_id",
        "404404",
    ),
    "an asset": (
        "INSERT INTO events (external_id, asset_ids) VALUES (%s, NULL), (%s, ARRAY[404404])",
        "asset_ids",
        "404404",
    ),
    "a label": (
        "INSERT INTO assets (external_id, name, labels) VALUES (%s, 'a', NULL), (%s, 'b', ARRAY['no-label'])",
        "labels",
        "labels",
    ),
    "a parent": (
        "INSERT INTO assets (external_id, name, parent_id) VALUES (%s, 'a', NULL), (%s, 'b', 404404)",
        "parent_id",
        "404404",
    ),
    "a parent by name": (
        "INSERT INTO assets (external_id, name, parent_external_id) VALUES (%s, 'a', NULL), (%s, 'b', 'no-parent')",
        "parent_external_id",
        "no-parent",
    ),
}


@proves(ANSWERS, {"400 about data sets, assets, labels or parents that do not exist": "23503"})
@pytest.mark.parametrize("name", POINTERS)
def test_what_a_row_points_at_and_does_not_exist_is_told_with_its_column(cdf, connection, series, name):
    statement, column, words = POINTERS[name]
    error = told(connection.execute, statement, (f"{series}-good", f"{series}-bad"))
    path = f"/{statement.split()[2].replace('_', '')}"
    refused = [exchange for exchange in cdf.front.asked(path) if exchange.status == 400][-1]
    detail = ("CDF said: ", refused.request_id, "1 of 2 rows are in CDF, 1 was refused.")
    error.must_have("23503", message=words, detail=detail, hint="exists")
    assert error.column == column
    assert error.context.endswith(", row 2")


@proves(ANSWERS, {"404 with `missing`": "23503"})
def test_a_404_that_names_what_is_missing_is_about_rows(cdf, connection, series):
    cdf.store.make_series(series)
    nowhere = f"{series}-nowhere"
    reply = cdf_error(404, WORDS, missing=[{"externalId": nowhere}])
    cdf.front.script("/timeseries/data", reply, holding=nowhere.encode())
    points = [(series, moment(0), 0.0), (nowhere, moment(1), 1.0), (series, moment(1), 1.0)]
    error = told(copy_points, connection, points)
    refused = last_scripted(cdf, "/timeseries/data")
    detail = (WORDS, refused.request_id, "2 of 3 rows are in CDF, 1 was refused.")
    error.must_have("23503", message=f'"{nowhere}" does not exist', detail=detail, hint="time_series")
    assert cdf.store.points(series) == seconds([0.0, 1.0])
