"""Changes that take a plan, resource by resource: points, series, files, sequences, labels, RAW rows."""

import psycopg
import pytest
from cognite.client.data_classes import SequenceColumnWrite, SequenceWrite
from support.samples import unique

pytestmark = pytest.mark.gateway_only


def test_points_are_changed_by_their_values(connection, store, series):
    start = 1_700_000_000_000
    with connection.cursor().copy(
        "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
    ) as copy:
        for n in range(10):
            copy.write_row((series, f"2023-11-14 22:13:{20 + n}Z", n))
    done = connection.execute(
        "UPDATE double_datapoints SET value = value * 10 WHERE external_id = %s AND value > 7 RETURNING value",
        [series],
    )
    assert sorted(done.fetchall()) == [(80.0,), (90.0,)]
    done = connection.execute(
        "DELETE FROM double_datapoints WHERE external_id = %s AND value BETWEEN 2 AND 6", [series]
    )
    assert done.statusmessage == "DELETE 5"
    assert store.points(series) == [
        (start + n * 1000, value) for n, value in ((0, 0), (1, 1), (7, 7), (8, 80), (9, 90))
    ]
    done = connection.execute(
        "INSERT INTO double_datapoints (external_id, timestamp, value)"
        " SELECT external_id, timestamp, value / 4 FROM double_datapoints WHERE external_id = %s"
        " ON CONFLICT (external_id, timestamp) DO UPDATE SET value = excluded.value",
        [series],
    )
    assert done.statusmessage == "INSERT 0 5"
    assert [value for _, value in store.points(series)] == [0, 0.25, 1.75, 20, 22.5]


def test_points_with_statuses_keep_what_is_not_set(connection, series, cdf):
    connection.execute(
        "INSERT INTO cdf.double_datapoints (external_id, timestamp, value, status_symbol) VALUES"
        " (%s, '2026-11-01Z', 1.5, 'Uncertain'), (%s, '2026-11-02Z', 2.5, 'Good')",
        [series, series],
    )
    done = connection.execute(
        "UPDATE cdf.double_datapoints SET value = value + 1 WHERE external_id = %s AND value < 2", [series]
    )
    assert done.statusmessage == "UPDATE 1"
    points = cdf.time_series.data.retrieve(
        external_id=series, include_status=True, treat_uncertain_as_bad=False, ignore_bad_datapoints=False
    )
    assert list(points.value) == [2.5, 2.5]
    assert list(points.status_symbol) == ["Uncertain", "Good"]


def test_time_series_and_files_are_changed_by_any_condition(connection, store, cdf, series):
    connection.execute("INSERT INTO time_series (external_id, name) VALUES (%s, 'a')", [series])
    connection.execute(
        "UPDATE time_series SET unit = 'bar', description = initcap(name) WHERE lower(name) = 'a'"
        " AND external_id = %s",
        [series],
    )
    assert (store.series(series)["unit"], store.series(series)["description"]) == ("bar", "A")
    connection.execute(
        "INSERT INTO files (external_id, name, metadata, source_created_time) SELECT %s, 'f.txt', '{\"a\": \"b\"}',"
        " '2026-11-01 12:00:00.5Z'",
        [series],
    )
    connection.execute(
        "UPDATE files SET source = name, source_created_time = source_created_time + interval '1 hour'"
        " WHERE external_id = %s AND metadata ->> 'a' = 'b'",
        [series],
    )
    file = cdf.files.retrieve(external_id=series)
    assert (file.source, file.metadata) == ("f.txt", {"a": "b"})
    assert file.source_created_time == 1_793_538_000_500
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="name"):
        connection.execute("UPDATE files SET name = upper(name) WHERE external_id = %s", [series])


def test_sequences_and_their_rows_are_changed(connection, cdf, series):
    cdf.sequences.create(
        SequenceWrite(
            external_id=series,
            columns=[
                SequenceColumnWrite("a", value_type="Long"),
                SequenceColumnWrite("b", value_type="String"),
            ],
        )
    )
    connection.execute(
        "INSERT INTO sequence_rows (external_id, row_number, columns, values)"
        " SELECT %s, n, '{a,b}', json_build_array(n, 'row ' || n) FROM generate_series(1, 5) AS n",
        [series],
    )
    done = connection.execute(
        "UPDATE sequence_rows SET values = json_build_array((values ->> 0)::int * 10, NULL)"
        " WHERE external_id = %s AND values ->> 1 IN ('row 2', 'row 4')",
        [series],
    )
    assert done.statusmessage == "UPDATE 2"
    done = connection.execute(
        "DELETE FROM sequence_rows WHERE external_id = %s AND (values ->> 0)::int < 4", [series]
    )
    assert done.statusmessage == "DELETE 2"
    rows = cdf.sequences.data.retrieve(external_id=series)
    found = {row.row_number: list(row.values) for row in rows.rows}
    assert found == {2: [20, None], 4: [40, None], 5: [5, "row 5"]}
    done = connection.execute(
        "UPDATE sequences SET name = external_id || '!' WHERE external_id = %s AND name IS NULL", [series]
    )
    assert done.statusmessage == "UPDATE 1"
    assert cdf.sequences.retrieve(external_id=series).name == f"{series}!"


def test_labels_are_made_and_deleted_and_never_updated(connection, cdf):
    prefix = unique("label")
    done = connection.execute(
        "INSERT INTO labels (external_id, name) SELECT %s || n, 'Label ' || n FROM generate_series(1, 3) AS n",
        [prefix],
    )
    assert done.statusmessage == "INSERT 0 3"
    done = connection.execute(
        "DELETE FROM labels WHERE external_id LIKE %s AND right(name, 1)::int > 1", [f"{prefix}%"]
    )
    assert done.statusmessage == "DELETE 2"
    found = [label.external_id for label in cdf.labels.list(external_id_prefix=prefix)]
    assert found == [f"{prefix}1"]
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="does not allow updates"):
        connection.execute("UPDATE labels SET name = upper(name) WHERE external_id LIKE %s", [f"{prefix}%"])


def test_raw_rows_are_changed_and_copied(connection, store, raw_database):
    connection.execute(
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
        " SELECT %s, 't', n::text, json_build_object('n', n, 'text', E'a\\nb\"') FROM generate_series(1, 4) AS n",
        [raw_database],
    )
    done = connection.execute(
        "UPDATE raw_rows SET _raw_columns = json_build_object('n', (_raw_columns ->> 'n')::int * 2)"
        " WHERE _raw_database = %s AND _raw_table = 't' AND (_raw_columns ->> 'n')::int > 2",
        [raw_database],
    )
    assert done.statusmessage == "UPDATE 2"
    done = connection.execute(
        "DELETE FROM raw_rows WHERE _raw_database = %s AND _raw_columns ->> 'n' = '1'", [raw_database]
    )
    assert done.statusmessage == "DELETE 1"
    # RAW overwrites what exists: no key is violated, and the last of two wins.
    done = connection.execute(
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
        " SELECT _raw_database, _raw_table, k, '{}' FROM raw_rows, (VALUES ('2'), ('5'), ('5')) AS t (k)"
        " WHERE _raw_database = %s AND _raw_table = 't' AND _raw_key = '2'",
        [raw_database],
    )
    assert done.statusmessage == "INSERT 0 3"
    assert store.raw(raw_database, "t") == {"2": {}, "3": {"n": 6}, "4": {"n": 8}, "5": {}}
