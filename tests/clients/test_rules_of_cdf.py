"""Rules that only CDF can check: references, types of series and cells, keys that exist.

The good rows of a statement are written, the bad one is named, and the client's error says how many
were written. Cognite's SDK says what is there.
"""

import datetime
import pathlib

import psycopg
import pytest
from psycopg.types.json import Json
from support.configured import ConfiguredGateway
from support.samples import moment, unique

pytestmark = pytest.mark.gateway_only

NOBODY = 4711


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def strict(strict_target):
    with psycopg.connect(**strict_target.server.keywords(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def data_set(connection, store, series):
    connection.execute("INSERT INTO cdf.data_sets (external_id, name) VALUES (%s, 's')", (series,))
    return store.client.data_sets.retrieve(external_id=series).id


def insert(connection, table: str, *rows: dict):
    names = list(rows[0])
    marks = ", ".join(["(" + ", ".join(["%s"] * len(names)) + ")"] * len(rows))
    columns = ", ".join(f'"{name}"' for name in names)
    values = [row[name] for row in rows for name in names]
    return connection.execute(f"INSERT INTO {table} ({columns}) VALUES {marks}", values)


def refused(connection, table: str, rows: list[dict], sqlstate: str, row: int, column: str | None = None):
    """The statement fails for that row, and the others are told to be in CDF."""
    with pytest.raises(psycopg.Error) as caught:
        insert(connection, table, *rows)
    diagnostic = caught.value.diag
    assert diagnostic.sqlstate == sqlstate, diagnostic.message_primary
    assert diagnostic.context == f"INSERT INTO {table.removeprefix('cdf.')}, row {row}"
    assert f"{len(rows) - 1} of {len(rows)} rows are in CDF, 1 was refused" in diagnostic.message_detail
    assert diagnostic.message_hint
    if column:
        assert diagnostic.column_name == column
    return diagnostic


def five(series: str, **columns) -> list[dict]:
    """Five rows; the third one has these columns, the others have none of them."""
    return [
        {"external_id": f"{series}-{number}"}
        | {name: value if number == 2 else None for name, value in columns.items()}
        for number in range(5)
    ]


def names(found) -> list[str]:
    return sorted(one.external_id for one in found)


def four_of(series: str) -> list[str]:
    return [f"{series}-{number}" for number in (0, 1, 3, 4)]


def every(series: str) -> list[str]:
    return [f"{series}-{number}" for number in range(5)]


@pytest.mark.parametrize(
    "table, fixed, column, value",
    [
        ("assets", {"name": "n"}, "data_set_id", NOBODY),
        ("assets", {"name": "n"}, "parent_id", NOBODY),
        ("assets", {"name": "n"}, "parent_external_id", "nobody"),
        ("assets", {"name": "n"}, "labels", ["nobody"]),
        ("events", {}, "data_set_id", NOBODY),
        ("events", {}, "asset_ids", [NOBODY]),
        ("time_series", {}, "data_set_id", NOBODY),
        ("time_series", {}, "asset_id", NOBODY),
        ("files", {"name": "n"}, "data_set_id", NOBODY),
        ("files", {"name": "n"}, "asset_ids", [NOBODY]),
        ("files", {"name": "n"}, "labels", ["nobody"]),
        ("sequences", {"columns": Json([{"externalId": "c"}])}, "data_set_id", NOBODY),
        ("sequences", {"columns": Json([{"externalId": "c"}])}, "asset_id", NOBODY),
    ],
)
def test_a_reference_to_nothing_fails_its_row_only(connection, store, series, table, fixed, column, value):
    rows = [row | fixed for row in five(series, **{column: value})]
    refused(connection, table, rows, "23503", 3, column)
    api = getattr(store.client, table)
    found = api.retrieve_multiple(external_ids=every(series), ignore_unknown_ids=True)
    assert names(found) == four_of(series)


def test_labels_relationships_and_pipelines_name_the_data_set_that_is_not(
    connection, store, emulator, series, data_set
):
    rows = [row | {"name": "n"} for row in five(series, data_set_id=[NOBODY])]
    refused(connection, "labels", rows, "23503", 3, "data_set_id")
    listed = [label.external_id for label in store.client.labels.list(limit=None)]
    assert [name for name in every(series) if name in listed] == four_of(series)

    ends = {
        "source_external_id": "s",
        "source_type": "asset",
        "target_external_id": "t",
        "target_type": "event",
    }
    rows = [row | ends for row in five(series, data_set_id=NOBODY)]
    refused(connection, "relationships", rows, "23503", 3, "data_set_id")
    found = store.client.relationships.retrieve_multiple(every(series), ignore_unknown_ids=True)
    assert names(found) == four_of(series)

    rows = [
        {"external_id": name, "name": "n", "data_set_id": NOBODY if name.endswith("-2") else data_set}
        for name in every(series)
    ]
    refused(connection, "extraction_pipelines", rows, "23503", 3, "data_set_id")
    found = store.client.extraction_pipelines.retrieve_multiple(
        external_ids=every(series), ignore_unknown_ids=True
    )
    assert names(found) == four_of(series)
    # Runs go one a request: those of pipelines that there are arrive.
    before = emulator.next_sequence()
    rows = [{"external_id": name, "status": "seen"} for name in every(series)]
    refused(connection, "extraction_pipeline_runs", rows, "23503", 3)
    requests = emulator.requests("extraction_pipeline_runs.create", before)
    assert {request["items"] for request in requests} == {1}
    assert [request["status"] for request in requests].count(200) == 4
    for name in four_of(series):
        assert len(store.client.extraction_pipelines.runs.list(external_id=name)) == 1


@pytest.mark.parametrize(
    "table, row",
    [
        ("assets", {"name": "n"}),
        ("events", {"type": "t"}),
        ("time_series", {"name": "n"}),
        ("files", {"name": "n"}),
        ("sequences", {"columns": Json([{"externalId": "c"}])}),
        ("labels", {"name": "n"}),
        (
            "relationships",
            {
                "source_external_id": "s",
                "source_type": "asset",
                "target_external_id": "t",
                "target_type": "file",
            },
        ),
        ("cdf.data_sets", {"name": "n"}),
    ],
)
def test_a_key_twice_in_a_statement_and_a_key_that_exists_are_both_23505(
    connection, store, series, table, row
):
    rows = [{"external_id": name} | row for name in ("a", "b", "a", "c")]
    rows = [one | {"external_id": f"{series}-{one['external_id']}"} for one in rows]
    said = refused(connection, table, rows, "23505", 3)
    assert f'"{series}-a"' in said.message_detail
    again = [{"external_id": f"{series}-{name}"} | row for name in ("d", "b")]
    refused(connection, table, again, "23505", 2)
    api = {"cdf.data_sets": "data_sets"}.get(table, table)
    if table == "labels":
        found = [label.external_id for label in store.client.labels.list(limit=None)]
        assert [f"{series}-{name}" in found for name in "abcd"] == [True] * 4
    else:
        expected = [f"{series}-{name}" for name in "abcd"]
        assert names(getattr(store.client, api).retrieve_multiple(external_ids=expected)) == expected


def test_raw_tables_are_made_with_their_databases_and_the_ones_that_exist_are_named(
    connection, store, raw_database
):
    other = f"{raw_database}-2"
    rows = [(raw_database, "a"), (other, "a"), (raw_database, "b")]
    rows = [{"_raw_database": database, "_raw_table": table} for database, table in rows]
    assert insert(connection, "raw_tables", *rows).statusmessage == "INSERT 0 3"
    assert store.raw_tables(raw_database) == ["a", "b"]
    assert store.raw_tables(other) == ["a"]
    again = [{"_raw_database": raw_database, "_raw_table": table} for table in ("c", "a")]
    refused(connection, "raw_tables", again, "23505", 2)
    assert store.raw_tables(raw_database) == ["a", "b", "c"]
    skipped = connection.execute(
        "INSERT INTO raw_tables VALUES (%s, 'a'), (%s, 'd') ON CONFLICT (_raw_database, _raw_table) DO NOTHING",
        (raw_database, raw_database),
    )
    assert skipped.statusmessage == "INSERT 0 1"
    assert store.raw_tables(raw_database) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "statement, sqlstate",
    [
        ("UPDATE labels SET name = 'x' WHERE external_id = 'l'", "55000"),
        (
            "INSERT INTO labels (external_id, name) VALUES ('l', 'n')"
            " ON CONFLICT (external_id) DO UPDATE SET name = excluded.name",
            "0A000",
        ),
        ("UPDATE raw_tables SET _raw_table = 'x' WHERE _raw_database = 'd' AND _raw_table = 't'", "0A000"),
        ("DELETE FROM raw_tables WHERE _raw_database = 'd' AND _raw_table = 't'", "0A000"),
        ("UPDATE extraction_pipeline_runs SET message = 'x' WHERE external_id = 'p'", "0A000"),
        ("DELETE FROM extraction_pipeline_runs WHERE external_id = 'p'", "0A000"),
        ("DELETE FROM cdf.data_sets WHERE external_id = 'd'", "55000"),
        ("UPDATE files SET name = 'x' WHERE external_id = 'f'", "0A000"),
        ("UPDATE sequences SET columns = '[]' WHERE external_id = 'f'", "0A000"),
    ],
)
def test_what_cdf_has_no_call_for_is_refused_before_anything_is_sent(
    connection, emulator, statement, sqlstate
):
    before = emulator.next_sequence()
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)
    assert caught.value.sqlstate == sqlstate
    assert caught.value.diag.message_hint or caught.value.diag.message_detail
    assert emulator.next_sequence() == before


def test_a_series_that_is_missing_or_of_the_other_type_fails_its_points_only(strict, strict_target, series):
    store = strict_target.store
    numbers, strings = f"{series}-n", f"{series}-s"
    store.make_series(numbers)
    store.make_series(strings, is_string=True)

    def rows(third: str, value) -> list[dict]:
        return [
            {"external_id": third if second == 2 else numbers, "timestamp": moment(second), "value": value}
            for second in range(5)
        ]

    said = refused(strict, "double_datapoints", rows("nobody", 1.0), "23503", 3)
    assert "nobody" in said.message_primary
    refused(strict, "double_datapoints", rows(strings, 2.0), "42804", 3)
    assert [value for _, value in store.points(numbers)] == [2.0] * 4
    assert store.points(strings) == []


def test_cells_that_their_columns_do_not_take_fail_their_row_only(connection, store, series):
    columns = [{"externalId": "n"}, {"externalId": "s", "valueType": "STRING"}]
    insert(connection, "sequences", {"external_id": series, "columns": Json(columns)})

    def rows(third: dict) -> list[dict]:
        good = {"external_id": series, "columns": ["n", "s"], "values": Json([1, "a"])}
        return [good | {"row_number": number} | (third if number == 2 else {}) for number in range(5)]

    for third, sqlstate in [
        ({"values": Json(["a", 1])}, "42804"),
        ({"columns": ["n", "x"]}, "42703"),
        ({"external_id": "nobody"}, "23503"),
    ]:
        with pytest.raises(psycopg.Error) as caught:
            insert(connection, "sequence_rows", *rows(third))
        diagnostic = caught.value.diag
        assert "row 3" in diagnostic.context
        assert "4 of 5 rows are in CDF" in diagnostic.message_detail
        assert diagnostic.sqlstate in (sqlstate, "22023", "23503")
    data = store.client.sequences.data.retrieve(external_id=series, start=0, end=None)
    assert [number for number, _ in data.items()] == [0, 1, 3, 4]


def test_rows_of_sequences_are_cut_to_cdfs_requests(connection, store, emulator, series):
    """10,000 rows and 100,000 values a request, whatever the order of their sequences and columns."""
    columns = [{"externalId": f"c{number}"} for number in range(30)]
    both = [f"{series}-a", f"{series}-b"]
    for name in both:
        insert(connection, "sequences", {"external_id": name, "columns": Json(columns)})
    before = emulator.next_sequence()
    listed = "{" + ",".join(f"c{number}" for number in range(30)) + "}"
    values = "[" + ",".join(["1.5"] * 30) + "]"
    with connection.cursor().copy(
        'COPY sequence_rows (external_id, row_number, columns, "values") FROM STDIN'
    ) as copy:
        for number in range(10_000):
            copy.write_row((both[number % 2], number, listed, values))
            if number % 100 == 0:
                copy.write_row((both[0], 10_000 + number, "{c1}", "[2]"))
    requests = emulator.requests("sequence_rows.insert", before)
    assert all(request["status"] == 200 for request in requests)
    assert len(requests) < 20
    for name in both:
        data = store.client.sequences.data.retrieve(external_id=name, start=0, end=10_000, columns=["c29"])
        assert len(data) == 5000
    more = store.client.sequences.data.retrieve(external_id=both[0], start=10_000, end=None, columns=["c1"])
    assert [list(values) for _, values in more.items()] == [[2]] * 100


def test_cells_that_come_again_in_one_load_end_as_they_came_last(connection, store, series):
    columns = [{"externalId": "a"}, {"externalId": "b"}]
    insert(connection, "sequences", {"external_id": series, "columns": Json(columns)})
    with connection.cursor().copy(
        'COPY sequence_rows (external_id, row_number, columns, "values") FROM STDIN'
    ) as copy:
        for row in [(0, "{a,b}", "[1, 1]"), (0, "{a}", "[2]"), (0, "{a,b}", "[3, 3]"), (1, "{b}", "[4]")]:
            copy.write_row((series, *row))
        copy.write_row((series, 1, "{a,b}", "[5, 5]"))
        copy.write_row((series, 1, "{b}", "[6]"))
    data = store.client.sequences.data.retrieve(external_id=series, start=0, end=None)
    assert [list(values) for _, values in data.items()] == [[3, 3], [5, 6]]


def test_parents_come_in_any_order_and_one_that_never_comes_takes_its_children_along(
    connection, store, series
):
    rows = [
        {"external_id": f"{series}-leaf", "name": "n", "parent_external_id": f"{series}-stem"},
        {"external_id": f"{series}-lost", "name": "n", "parent_external_id": f"{series}-gone"},
        {"external_id": f"{series}-stem", "name": "n", "parent_external_id": f"{series}-root"},
        {"external_id": f"{series}-root", "name": "n", "parent_external_id": None},
    ]
    refused(connection, "assets", rows, "23503", 2, "parent_external_id")
    root = store.client.assets.retrieve(external_id=f"{series}-root")
    assert store.client.assets.retrieve(external_id=f"{series}-leaf").root_id == root.id
    assert store.client.assets.retrieve(external_id=f"{series}-lost") is None


@pytest.fixture(scope="module")
def keeping(target, tmp_path_factory):
    """A gateway that keeps dead letters, without which ON_ERROR ignore is refused."""
    directory = tmp_path_factory.mktemp("keeping")
    letters = {"directory": str(directory / "letters")}
    with ConfiguredGateway(directory, target.cdf_url, dead_letters=letters) as gateway:
        yield gateway


def test_copy_with_on_error_ignore_leaves_out_what_either_refuses_and_counts_it(keeping, store, series):
    notices = []
    with psycopg.connect(**keeping.server.keywords(), autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        cursor = connection.cursor()
        with cursor.copy(
            "COPY events (external_id, type, asset_ids) FROM STDIN (ON_ERROR ignore, LOG_VERBOSITY verbose)"
        ) as copy:
            copy.write_row((f"{series}-0", "good", None))
            copy.write_row((f"{series}-1", "t" * 65, None))
            copy.write_row((f"{series}-2", "unknown", "{4711}"))
            copy.write_row((f"{series}-0", "again", None))
            copy.write_row((f"{series}-4", "good", None))
        assert cursor.statusmessage == "COPY 2"
    assert "line 2" in notices[0]
    assert "type" in notices[0]
    assert notices[1] == "1 row was skipped due to data type incompatibility"
    assert [notice.split(":")[0] for notice in notices[2:4]] == [
        "skipping row 3 because CDF refused it",
        "skipping row 4 because CDF refused it",
    ]
    assert notices[4:] == ["2 rows were skipped because CDF refused them"]
    found = store.client.events.retrieve_multiple(external_ids=every(series), ignore_unknown_ids=True)
    assert names(found) == [f"{series}-0", f"{series}-4"]


def test_null_leaves_a_field_out_of_an_insert_and_clears_it_in_an_update(connection, store, series):
    insert(
        connection,
        "assets",
        {
            "external_id": series,
            "name": "n",
            "description": "",
            "source": None,
            "metadata": Json({"k": ""}),
            "labels": [],
        },
    )
    asset = store.client.assets.retrieve(external_id=series).dump()
    assert asset["description"] == ""
    assert asset["metadata"] == {"k": ""}
    assert "source" not in asset
    connection.execute(
        "UPDATE assets SET description = NULL, metadata = NULL, source = DEFAULT, labels = NULL"
        " WHERE external_id = %s",
        (series,),
    )
    asset = store.client.assets.retrieve(external_id=series).dump()
    assert "description" not in asset
    assert not asset.get("metadata")
    for column, sqlstate in [("name", "23502"), ("parent_id", "0A000"), ("parent_external_id", "0A000")]:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(f"UPDATE assets SET {column} = NULL WHERE external_id = %s", (series,))
        assert (caught.value.sqlstate, caught.value.diag.column_name) == (sqlstate, column)


@pytest.mark.parametrize(
    "statement, sqlstate, hint",
    [
        ("INSERT INTO timeseries (external_id) VALUES ('a')", "42P01", "time_series"),
        ("COPY public.datapoints FROM STDIN", "42P01", "double_datapoints"),
        ("UPDATE raw SET columns = '{}' WHERE key = 'a'", "42P01", "raw_rows"),
        ("DELETE FROM timeseries WHERE external_id = 'a'", "42P01", "time_series"),
        ("SELECT * FROM raw", "42P01", "raw_rows"),
        ("INSERT INTO raw_rows (database) VALUES ('d')", "42703", "_raw_database"),
        ('COPY raw_rows ("table") FROM STDIN', "42703", "_raw_table"),
        ("INSERT INTO raw_rows (key) VALUES ('k')", "42703", "_raw_key"),
        ("INSERT INTO raw_rows (columns) VALUES ('{}')", "42703", "_raw_columns"),
        ("INSERT INTO sequence_rows (row_values) VALUES ('[]')", "42703", "values"),
        ("INSERT INTO time_series (legacy_name) VALUES ('l')", "42703", "ignores"),
    ],
)
def test_names_of_version_1_get_a_hint_with_todays(connection, statement, sqlstate, hint):
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)
    assert caught.value.sqlstate == sqlstate
    assert hint in caught.value.diag.message_hint


def test_version_1_keeps_the_same_rules_under_its_own_names(target, store, series, tmp_path: pathlib.Path):
    with ConfiguredGateway(tmp_path, target.cdf_url, user={"dialect": "1.0"}) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            notices = []
            connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
            for statement, values, sqlstate, column in [
                ("raw (database, key, columns)", ("d" * 33, "k", "{}"), "22001", "database"),
                ("timeseries (external_id, unit)", (series, "u" * 33), "22001", "unit"),
                ("datapoints (external_id, timestamp, value)", ("s", moment(0), 1e100), "22003", "value"),
                ("sequence_rows (external_id, row_values)", ("s", "[1]"), "23502", "row_number"),
                (
                    "sequence_rows (external_id, row_number, row_values, columns)",
                    ("s", 1, "[true]", ["c"]),
                    "22023",
                    "row_values",
                ),
                ("events (start_time, end_time)", (moment(1), moment(0)), "23514", "end_time"),
                ("labels (external_id, name)", ("l", None), "23502", "name"),
                ("extraction_pipeline_runs (external_id, status)", ("p", "no"), "23514", "status"),
            ]:
                marks = ", ".join(["%s"] * len(values))
                with pytest.raises(psycopg.Error) as caught:
                    connection.execute(f"INSERT INTO {statement} VALUES ({marks})", values)
                diagnostic = caught.value.diag
                assert (diagnostic.sqlstate, diagnostic.column_name) == (sqlstate, column), statement
            with connection.cursor() as cursor:
                with cursor.copy("COPY timeseries (external_id, legacy_name) FROM STDIN") as copy:
                    copy.write_row((series, "old"))
            connection.execute(
                "UPDATE timeseries SET name = 'n', legacy_name = 'older' WHERE external_id = %s", (series,)
            )
            # Once a statement.
            assert notices == ['values for column "legacy_name" are ignored: CDF takes none'] * 2
    assert store.series(series)["name"] == "n"


@pytest.fixture(scope="module")
def counting(target, tmp_path_factory):
    """A gateway that reads before it deletes, to count."""
    directory = tmp_path_factory.mktemp("counting")
    statements = {"exact_row_counts": True}
    with ConfiguredGateway(directory, target.cdf_url, statements=statements) as gateway:
        yield gateway


def test_deleted_raw_rows_are_counted_exactly_where_that_is_wanted(counting, connection, store):
    database = unique("db")
    rows = [
        {"_raw_database": database, "_raw_table": "t", "_raw_key": f"k{number}", "_raw_columns": Json({})}
        for number in range(3)
    ]
    insert(connection, "raw_rows", *rows)
    delete = f"DELETE FROM raw_rows WHERE _raw_database = '{database}' AND _raw_table = 't' AND _raw_key IN (%s, %s)"
    with psycopg.connect(**counting.server.keywords(), autocommit=True) as exact:
        assert exact.execute(delete, ("k0", "gone")).statusmessage == "DELETE 1"
        assert exact.execute(delete, ("k0", "gone")).statusmessage == "DELETE 0"
        assert sorted(store.raw(database, "t")) == ["k1", "k2"]
        # In one pipeline the second delete of a row finds nothing.
        with exact.pipeline():
            first, second = exact.execute(delete, ("k1", "k1")), exact.execute(delete, ("k1", "k9"))
        assert (first.rowcount, second.rowcount) == (1, 0)
        exact.execute("SET penstock.exact_row_counts = off")
        assert exact.execute(delete, ("k2", "gone")).statusmessage == "DELETE 2"
    assert store.raw(database, "t") == {}


def test_points_older_than_an_interval_are_deleted(connection, store, series):
    connection.execute(
        "INSERT INTO double_datapoints (external_id, timestamp, value)"
        " VALUES (%s, now(), 1), (%s, '2020-01-01', 2), (%s, '2099-01-01', 3)",
        (series,) * 3,
    )
    done = connection.execute(
        "DELETE FROM double_datapoints WHERE external_id = %s AND timestamp < now() - interval '1 day'",
        (series,),
    )
    assert done.statusmessage == "DELETE 1"
    assert [value for _, value in store.points(series)] == [1.0, 3.0]
    connection.execute(
        "DELETE FROM double_datapoints WHERE external_id = %s"
        " AND timestamp BETWEEN current_timestamp - '1 hour'::interval AND now() + %s",
        (series, datetime.timedelta(hours=1)),
    )
    assert [value for _, value in store.points(series)] == [3.0]
    connection.execute(
        "DELETE FROM double_datapoints WHERE external_id = %s AND timestamp >= date '2098-12-31'", (series,)
    )
    assert store.points(series) == []


def test_raw_rows_are_not_read_for_a_conflict_unless_the_operator_says_so(connection, emulator):
    before = emulator.next_sequence()
    with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
        connection.execute("INSERT INTO raw_rows VALUES ('d', 't', 'k', '{}') ON CONFLICT DO NOTHING")
    assert "statements.on_conflict_reads" in caught.value.diag.message_hint
    assert emulator.next_sequence() == before
