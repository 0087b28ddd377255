"""DELETE and UPDATE of points and of sequence rows, read back with Cognite's SDK."""

import datetime

import psycopg
import pytest
from cognite.client.data_classes import SequenceColumnWrite, SequenceWrite
from support.configured import ConfiguredGateway
from support.samples import unique

pytestmark = pytest.mark.gateway_only

# Long ago by any machine's clock, for conditions with now().
FIRST = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
FIRST_MS = int(FIRST.timestamp() * 1000)


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        yield connection


def at(second: int) -> datetime.datetime:
    return FIRST + datetime.timedelta(seconds=second)


def write(connection, series, seconds, value=None):
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (%s, %s, %s)",
            [(series, at(second), second if value is None else value) for second in seconds],
        )


def seconds(store, series) -> list[int]:
    return [(time_ms - FIRST_MS) // 1000 for time_ms, _ in store.points(series)]


def tag(cursor) -> str:
    return cursor.statusmessage


@pytest.mark.parametrize(
    ("condition", "values", "left"),
    [
        ("timestamp = %s", (4,), [0, 1, 2, 3, 5, 6, 7, 8, 9]),
        ("timestamp IN (%s, %s)", (4, 77), [0, 1, 2, 3, 5, 6, 7, 8, 9]),
        ("timestamp >= %s", (7,), [0, 1, 2, 3, 4, 5, 6]),
        ("timestamp > %s", (7,), [0, 1, 2, 3, 4, 5, 6, 7]),
        ("timestamp < %s", (7,), [7, 8, 9]),
        ("timestamp <= %s", (7,), [8, 9]),
        ("timestamp BETWEEN %s AND %s", (2, 7), [0, 1, 8, 9]),
        ("timestamp > %s AND timestamp <= %s", (2, 7), [0, 1, 2, 8, 9]),
        ("timestamp > %s::timestamptz AND timestamp < now()", (2,), [0, 1, 2]),
        ("timestamp > now()", (), list(range(10))),
    ],
)
def test_a_delete_takes_the_times_that_its_condition_names(
    connection, store, series, condition, values, left
):
    write(connection, series, range(10))
    other = f"{series}-other"
    write(connection, other, range(3))
    moments = tuple(at(value) for value in values)
    connection.execute(
        f"DELETE FROM double_datapoints WHERE external_id = %s AND {condition}", (series, *moments)
    )
    assert seconds(store, series) == left
    assert seconds(store, other) == [0, 1, 2]


def test_a_delete_without_a_time_empties_its_series_and_no_other(connection, store, series):
    write(connection, series, range(5))
    write(connection, f"{series}-2", range(5))
    done = connection.execute("DELETE FROM double_datapoints WHERE external_id = %s", (series,))
    assert tag(done) == "DELETE 1"
    assert seconds(store, series) == []
    assert seconds(store, f"{series}-2") == [0, 1, 2, 3, 4]


def test_a_delete_by_id_or_array_and_in_binary(connection, store, series):
    write(connection, series, range(5))
    identity = store.series(series)["id"]
    cursor = connection.cursor(binary=True)
    cursor.execute(
        "DELETE FROM double_datapoints WHERE id = %b AND timestamp = ANY(%b)", (identity, [at(1), at(3)])
    )
    assert tag(cursor) == "DELETE 2"
    assert seconds(store, series) == [0, 2, 4]
    cursor.execute(
        "DELETE FROM double_datapoints WHERE external_id = ANY(%b) AND timestamp > %b", ([series], at(2))
    )
    assert seconds(store, series) == [0, 2]


def test_a_delete_without_a_series_is_refused(connection, store, series):
    write(connection, series, range(2))
    for text in (
        "DELETE FROM double_datapoints",
        "DELETE FROM double_datapoints WHERE timestamp < now()",
        "TRUNCATE double_datapoints",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
            connection.execute(text)
        assert caught.value.diag.message_hint
    assert seconds(store, series) == [0, 1]


def test_series_that_do_not_exist_or_are_of_the_other_type_have_nothing_to_delete(connection, store, series):
    store.make_series(series, is_string=True)
    connection.execute(
        "INSERT INTO string_datapoints (external_id, timestamp, value) VALUES (%s, %s, 'on')", (series, FIRST)
    )
    done = connection.execute(
        "DELETE FROM double_datapoints WHERE external_id IN (%s, %s)", (series, f"{series}-none")
    )
    assert tag(done) == "DELETE 0"
    assert store.points(series) == [(FIRST_MS, "on")]
    assert store.series(f"{series}-none") is None
    assert (
        tag(connection.execute("DELETE FROM string_datapoints WHERE external_id = %s", (series,)))
        == "DELETE 1"
    )
    assert store.points(series) == []


def test_a_pipeline_of_deletes_needs_few_requests(connection, store, emulator, series):
    names = [f"{series}-{n}" for n in range(40)]
    for name in names:
        write(connection, name, range(10))
    since = emulator.next_sequence()
    with connection.cursor() as cursor:
        cursor.executemany(
            "DELETE FROM double_datapoints WHERE external_id = %s AND timestamp >= %s AND timestamp < %s",
            [(name, at(2), at(8)) for name in names],
        )
        assert cursor.rowcount == 40
    assert all(seconds(store, name) == [0, 1, 8, 9] for name in names)
    deletes = emulator.requests("datapoints.delete", since)
    assert sum(request["items"] for request in deletes) == 40
    assert len(deletes) <= 4


def test_counts_are_exact_where_the_session_wants_them(connection, store, emulator, series):
    write(connection, series, range(10))
    connection.execute("SET penstock.exact_row_counts = on")
    since = emulator.next_sequence()
    done = connection.execute(
        "DELETE FROM double_datapoints WHERE external_id IN (%s, 'none') AND timestamp < %s", (series, at(4))
    )
    assert tag(done) == "DELETE 4"
    assert len(emulator.requests("datapoints.delete", since)) <= 2
    assert (
        tag(connection.execute("DELETE FROM double_datapoints WHERE external_id = %s", (series,)))
        == "DELETE 6"
    )
    assert (
        tag(connection.execute("DELETE FROM double_datapoints WHERE external_id = %s", (series,)))
        == "DELETE 0"
    )
    assert store.points(series) == []


def test_an_update_changes_the_points_that_exist(connection, store, series):
    write(connection, series, range(4))
    done = connection.execute(
        "UPDATE double_datapoints SET value = %s WHERE external_id IN (%s, 'none') AND timestamp IN (%s, %s, %s)",
        (7.5, series, at(1), at(2), at(9)),
    )
    assert tag(done) == "UPDATE 2"
    assert [value for _, value in store.points(series)] == [0, 7.5, 7.5, 3]
    cursor = connection.execute(
        "UPDATE double_datapoints SET value = 9 WHERE external_id = %s AND timestamp IN (%s, %s)"
        " RETURNING value, timestamp",
        (series, at(0), at(9)),
    )
    assert cursor.fetchall() == [(9.0, at(0))]
    with pytest.raises(psycopg.errors.NotNullViolation):
        connection.execute(
            "UPDATE double_datapoints SET value = NULL WHERE external_id = %s AND timestamp = %s",
            (series, at(0)),
        )


def test_a_prepared_pipeline_of_updates_reads_and_writes_in_few_requests(connection, store, emulator, series):
    write(connection, series, range(0, 600, 2))
    since = emulator.next_sequence()
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE double_datapoints SET value = %s WHERE external_id = %s AND timestamp = %s",
            [(-second, series, at(second)) for second in range(600)],
        )
        assert cursor.rowcount == 300
    assert store.points(series)[7] == (FIRST_MS + 14_000, -14.0)
    assert len(store.points(series)) == 300
    requests = emulator.requests(since=since)
    lists = [request for request in requests if request["operation"] == "datapoints.list"]
    inserts = [request for request in requests if request["operation"] == "datapoints.insert"]
    assert len(inserts) <= 6
    assert len(lists) <= 12


@pytest.mark.parametrize("mode", ["autocommit", "pipeline", "transaction", "streaming"])
def test_writes_and_deletes_of_one_point_end_as_in_postgresql(server, store, series, mode):
    with psycopg.connect(**server.keywords(), autocommit=mode != "transaction") as connection:
        if mode == "streaming":
            connection.execute("SET penstock.transaction = 'streaming'")
            connection.execute("BEGIN")

        def run():
            for value in range(10):
                write(connection, series, range(20), value)
                connection.execute(
                    "DELETE FROM double_datapoints WHERE external_id = %s AND timestamp >= %s",
                    (series, at(10)),
                )
                write(connection, series, [12], value)
                connection.execute(
                    f"UPDATE double_datapoints SET value = {-value} WHERE external_id = %s AND timestamp = %s",
                    (series, at(12)),
                )
                connection.execute(
                    "DELETE FROM double_datapoints WHERE external_id = %s AND timestamp = %s", (series, at(3))
                )

        if mode == "pipeline":
            with connection.pipeline():
                run()
        else:
            run()
        if mode == "transaction":
            connection.commit()
        elif mode == "streaming":
            connection.execute("COMMIT")
    expected = [(second, 9.0) for second in range(10) if second != 3] + [(12, -9.0)]
    assert [((ms - FIRST_MS) // 1000, value) for ms, value in store.points(series)] == expected


def test_a_rollback_takes_deletes_back(server, store, series):
    with psycopg.connect(**server.keywords()) as connection:
        write(connection, series, range(3))
        connection.commit()
        connection.execute("DELETE FROM double_datapoints WHERE external_id = %s", (series,))
        connection.rollback()
    assert seconds(store, series) == [0, 1, 2]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 429},
        {"kind": "reset_before_commit"},
        {"kind": "reset_after_commit"},
    ],
)
def test_deletes_outlast_a_cdf_that_fails(connection, store, emulator, series, fault):
    write(connection, series, range(5))
    emulator.inject(operation="datapoints.delete", count=2, **fault)
    connection.execute(
        "DELETE FROM double_datapoints WHERE external_id = %s AND timestamp > %s", (series, at(2))
    )
    assert emulator.fault_hits() == 2
    assert seconds(store, series) == [0, 1, 2]


def test_a_delete_that_cdf_forbids_fails_with_its_reason(connection, store, emulator, series):
    write(connection, series, range(2))
    emulator.inject(operation="datapoints.delete", kind="status", status=403)
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        connection.execute("DELETE FROM double_datapoints WHERE external_id = %s", (series,))
    assert "timeSeriesAcl" in caught.value.diag.message_hint
    assert seconds(store, series) == [0, 1]


def test_a_delete_names_no_more_rows_than_the_operator_allows(tmp_path, target, store, series):
    statements = {"delete_rows_max": 2, "exact_row_counts": True}
    with ConfiguredGateway(tmp_path, target.cdf_url, statements=statements) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            write(connection, series, range(9))
            with pytest.raises(psycopg.errors.ProgramLimitExceeded):
                connection.execute("DELETE FROM double_datapoints WHERE external_id IN ('a', 'b', 'c')")
            done = connection.execute("DELETE FROM double_datapoints WHERE external_id = %s", (series,))
            assert tag(done) == "DELETE 9"
    assert store.points(series) == []


# --- rows of sequences -----------------------------------------------------------------


@pytest.fixture
def sequence(store):
    name = unique("sequence")
    columns = [
        SequenceColumnWrite(external_id="n", value_type="DOUBLE"),
        SequenceColumnWrite(external_id="s", value_type="STRING"),
    ]
    store.client.sequences.create(SequenceWrite(columns=columns, external_id=name))
    return name


def cells(store, sequence) -> dict:
    found = store.client.sequences.data.retrieve(external_id=sequence, start=0, end=None)
    return {row.row_number: tuple(row.values) for row in found.rows}


def write_rows(connection, sequence, numbers):
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO sequence_rows (external_id, row_number, columns, values) VALUES (%s, %s, '{n,s}', %s)",
            [(sequence, number, f'[{number}, "s{number}"]') for number in numbers],
        )


def test_rows_of_a_sequence_are_deleted_by_number(connection, store, emulator, sequence):
    write_rows(connection, sequence, range(10))
    since = emulator.next_sequence()
    done = connection.execute(
        "DELETE FROM sequence_rows WHERE external_id IN (%s, 'none') AND row_number BETWEEN 2 AND 4",
        (sequence,),
    )
    assert tag(done) == "DELETE 3"
    assert list(cells(store, sequence)) == [0, 1, 5, 6, 7, 8, 9]
    assert len(emulator.requests("sequence_rows.delete", since)) <= 2
    identity = store.client.sequences.retrieve(external_id=sequence).id
    with connection.cursor() as cursor:
        cursor.executemany(
            "DELETE FROM sequence_rows WHERE id = %s AND row_number = %s", [(identity, n) for n in (7, 8, 99)]
        )
        assert cursor.rowcount == 3
    connection.execute("SET penstock.exact_row_counts = on")
    done = connection.execute(
        "DELETE FROM sequence_rows WHERE external_id = %s AND row_number IN (0, 1, 77)", (sequence,)
    )
    assert tag(done) == "DELETE 2"
    assert list(cells(store, sequence)) == [5, 6, 9]
    for condition in (" AND row_number > 3", " AND row_number < 1000000"):
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute(f"DELETE FROM sequence_rows WHERE external_id = 'a'{condition}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM sequence_rows WHERE row_number = 1")


def test_rows_of_a_sequence_are_updated_where_they_exist(connection, store, emulator, sequence):
    write_rows(connection, sequence, range(0, 200, 2))
    since = emulator.next_sequence()
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE sequence_rows SET values = %s, columns = '{n}' WHERE external_id = %s AND row_number = %s",
            [(f"[{-number}]", sequence, number) for number in range(200)],
        )
        assert cursor.rowcount == 100
    requests = emulator.requests(since=since)
    assert len([one for one in requests if one["operation"] == "sequence_rows.insert"]) <= 4
    assert len([one for one in requests if one["operation"] == "sequence_rows.list"]) <= 6
    found = cells(store, sequence)
    assert len(found) == 100
    assert found[198] == (-198, "s198")
    done = connection.execute(
        "UPDATE sequence_rows SET values = '{\"s\": \"new\"}' WHERE external_id IN (%s, 'none')"
        " AND row_number BETWEEN 0 AND 4",
        (sequence,),
    )
    assert tag(done) == "UPDATE 3"
    assert cells(store, sequence)[4] == (-4, "new")
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        connection.execute(
            "UPDATE sequence_rows SET values = '[1, 2]', columns = '{n}' WHERE external_id = %s AND row_number = 0",
            (sequence,),
        )


def test_rows_made_deleted_and_made_again_in_one_pipeline_end_as_told(connection, store, sequence):
    with connection.pipeline():
        for _ in range(5):
            write_rows(connection, sequence, range(6))
            connection.execute(
                "DELETE FROM sequence_rows WHERE external_id = %s AND row_number >= 2 AND row_number < 6",
                (sequence,),
            )
            write_rows(connection, sequence, [3])
    assert list(cells(store, sequence)) == [0, 1, 3]
