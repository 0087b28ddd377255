"""cdf.double_datapoints and cdf.string_datapoints: statuses and instance ids, read back by Cognite's SDK."""

import json
import math
import threading
import urllib.request

import psycopg
import pytest
from cognite.client.data_classes.data_modeling import NodeId, SpaceApply
from cognite.client.data_classes.data_modeling.cdm.v1 import CogniteTimeSeriesApply
from cognite.client.utils import MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS
from support.configured import ConfiguredGateway
from support.gateway import Gateway
from support.samples import moment, moment_ms

pytestmark = pytest.mark.gateway_only

SPACE = "plant"
GOOD, UNCERTAIN, BAD = 0, 0x40000000, 0x80000000
COLUMNS = "value, timestamp, instance_space, external_id, status_code, status_symbol"


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def space(store):
    store.client.data_modeling.spaces.apply(SpaceApply(SPACE))
    return SPACE


def make_node(store, external_id: str, kind: str = "numeric") -> NodeId:
    store.client.data_modeling.instances.apply(
        nodes=CogniteTimeSeriesApply(SPACE, external_id, is_step=False, time_series_type=kind)
    )
    return NodeId(SPACE, external_id)


def read(store, **reference) -> list[tuple]:
    """(milliseconds, value, code, symbol) of every point, whatever its status."""
    points = store.client.time_series.data.retrieve(
        **reference,
        start=MIN_TIMESTAMP_MS,
        end=MAX_TIMESTAMP_MS + 1,
        limit=None,
        include_status=True,
        ignore_bad_datapoints=False,
        treat_uncertain_as_bad=False,
    )
    columns = (points.timestamp, points.value, points.status_code, points.status_symbol)
    return list(zip(*columns, strict=True))


def insert(connection, table: str, **values):
    marks = ", ".join(["%s"] * len(values))
    statement = f"INSERT INTO cdf.{table} ({', '.join(values)}) VALUES ({marks})"
    return connection.execute(statement, list(values.values()))


ROWS = [
    (1.5, moment(0), SPACE, None, None),
    (2.5, moment(1), SPACE, UNCERTAIN, None),
    (None, moment(2), SPACE, None, "BadNoData, Low"),
    (-0.0, moment(3), SPACE, BAD, "Bad"),
    (math.inf, moment(4), SPACE, BAD, None),
    (1e300, moment(5), SPACE, BAD, None),
]
EXPECTED = [
    (moment_ms(0), 1.5, GOOD, "Good"),
    (moment_ms(1), 2.5, UNCERTAIN, "Uncertain"),
    (moment_ms(2), None, 0x809B0500, "BadNoData, Low"),
    (moment_ms(3), 0.0, BAD, "Bad"),
    (moment_ms(4), math.inf, BAD, "Bad"),
    (moment_ms(5), 1e300, BAD, "Bad"),
]


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_copy_writes_statuses_by_instance_id(connection, store, space, series, binary):
    node = make_node(store, series)
    options = " (FORMAT BINARY)" if binary else ""
    with connection.cursor().copy(f"COPY cdf.double_datapoints ({COLUMNS}) FROM STDIN{options}") as copy:
        if binary:
            copy.set_types(["float8", "timestamptz", "varchar", "varchar", "int8", "varchar"])
        for value, at, of, code, symbol in ROWS:
            copy.write_row((value, at, of, series, code, symbol))
    assert read(store, instance_id=node) == EXPECTED


def test_copy_reads_csv_with_nan_and_without_a_value(connection, store, space, series):
    node = make_node(store, series)
    options = "(FORMAT csv, HEADER true)"
    with connection.cursor().copy(f"COPY cdf.double_datapoints ({COLUMNS}) FROM STDIN {options}") as copy:
        copy.write(
            f"{COLUMNS}\n"
            f"NaN,2026-11-01T00:00:00Z,{SPACE},{series},,Bad\n"
            f",2026-11-01T00:00:01Z,{SPACE},{series},2147483648,\n"
        )
    first, second = read(store, instance_id=node)
    assert math.isnan(first[1]) and first[2] == BAD
    assert second == (moment_ms(1), None, BAD, "Bad")


def test_inserts_of_every_form_write_the_same(connection, store, space, series):
    node = make_node(store, series)
    for value, at, of, code, symbol in ROWS[:3]:
        insert(
            connection,
            "double_datapoints",
            value=value,
            timestamp=at,
            instance_space=of,
            external_id=series,
            status_code=code,
            status_symbol=symbol,
        )
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO cdf.double_datapoints ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s)",
            [(value, at, of, series, code, symbol) for value, at, of, code, symbol in ROWS[3:5]],
        )
    connection.execute(
        f"INSERT INTO cdf.double_datapoints ({COLUMNS}) VALUES"
        f" ('1e300'::float8, '2026-11-01 00:00:05+00'::timestamptz, '{SPACE}', '{series}', 2147483648, DEFAULT)"
    )
    assert read(store, instance_id=node) == EXPECTED


def test_the_classic_series_of_a_name_is_another_one_than_the_node(connection, store, space, series):
    node = make_node(store, series)
    for of, value in ((SPACE, 1.0), (None, 2.0)):
        insert(
            connection,
            "double_datapoints",
            value=value,
            timestamp=moment(0),
            instance_space=of,
            external_id=series,
        )
    assert read(store, instance_id=node) == [(moment_ms(0), 1.0, GOOD, "Good")]
    assert read(store, external_id=series) == [(moment_ms(0), 2.0, GOOD, "Good")]


def test_one_series_keeps_its_order_under_all_its_names(connection, store, space, series):
    node = make_node(store, series)
    number = store.client.time_series.retrieve(instance_id=node).id
    with connection.pipeline():
        for value in range(20):
            name = {"id": number} if value % 2 else {"instance_space": SPACE, "external_id": series}
            insert(connection, "double_datapoints", value=value, timestamp=moment(0), **name)
    assert read(store, instance_id=node) == [(moment_ms(0), 19.0, GOOD, "Good")]


def test_strings_have_up_to_1023_bytes_and_statuses_too(connection, store, space, series):
    node = make_node(store, series, "string")
    long = "é" * 511
    rows = [(long, moment(0), None), ("", moment(1), "Uncertain"), (None, moment(2), "Bad")]
    for value, at, symbol in rows:
        insert(
            connection,
            "string_datapoints",
            value=value,
            timestamp=at,
            instance_space=SPACE,
            external_id=series,
            status_symbol=symbol,
        )
    assert read(store, instance_id=node) == [
        (moment_ms(0), long, GOOD, "Good"),
        (moment_ms(1), "", UNCERTAIN, "Uncertain"),
        (moment_ms(2), None, BAD, "Bad"),
    ]
    with pytest.raises(psycopg.errors.StringDataRightTruncation) as refused:
        insert(connection, "string_datapoints", value="é" * 512, timestamp=moment(0), external_id=series)
    assert refused.value.diag.column_name == "value"
    with pytest.raises(psycopg.errors.StringDataRightTruncation) as refused:
        connection.execute(
            "INSERT INTO string_datapoints (value, timestamp, external_id) VALUES (%s, now(), 'a')",
            ("x" * 256,),
        )
    assert "cdf.string_datapoints" in refused.value.diag.message_hint


@pytest.mark.parametrize(
    ("values", "sqlstate", "column"),
    [
        ({"value": math.nan}, "22003", "value"),
        ({"value": 1e100, "status_symbol": "Uncertain"}, "22003", "value"),
        ({"value": None}, "23502", "value"),
        ({"value": 1.0, "status_code": 0, "status_symbol": "Bad"}, "22023", "status_symbol"),
        ({"value": 1.0, "status_code": 1}, "22023", "status_code"),
        ({"value": 1.0, "status_code": -1}, "22003", "status_code"),
        ({"value": 1.0, "status_symbol": "Mediocre"}, "22023", "status_symbol"),
        ({"value": 1.0, "instance_space": ""}, "22023", "instance_space"),
        ({"value": 1.0, "instance_space": "s" * 44}, "22001", "instance_space"),
        ({"value": 1.0, "instance_space": SPACE, "external_id": None, "id": 7}, "23502", "external_id"),
    ],
)
def test_what_cdf_would_not_take_is_refused_with_its_column(
    connection, store, series, values, sqlstate, column
):
    given = {"timestamp": moment(0), "external_id": series} | values
    with pytest.raises(psycopg.Error) as refused:
        insert(connection, "double_datapoints", **given)
    diagnostic = refused.value.diag
    assert (diagnostic.sqlstate, diagnostic.column_name) == (sqlstate, column), diagnostic.message_primary


def test_conflicts_are_overwritten_by_the_key_with_the_space(connection, store, space, series):
    node = make_node(store, series)
    statement = (
        f"INSERT INTO cdf.double_datapoints ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, NULL)"
        " ON CONFLICT {target} DO UPDATE SET value = excluded.value,"
        " status_code = excluded.status_code, status_symbol = excluded.status_symbol"
    )
    target = "(instance_space, external_id, timestamp)"
    for value, code in ((1.0, BAD), (2.0, None)):
        given = (value, moment(0), SPACE, series, code)
        assert connection.execute(statement.format(target=target), given).statusmessage == "INSERT 0 1"
    assert read(store, instance_id=node) == [(moment_ms(0), 2.0, GOOD, "Good")]
    with pytest.raises(psycopg.errors.InvalidColumnReference):
        connection.execute(statement.format(target="(external_id, timestamp)"), given)
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute(
            f"INSERT INTO cdf.double_datapoints ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, NULL)"
            " ON CONFLICT DO NOTHING",
            given,
        )


def test_returning_gives_the_point_as_it_was_written(connection, store, space, series):
    make_node(store, series)
    row = connection.execute(
        "INSERT INTO cdf.double_datapoints (timestamp, instance_space, external_id, status_symbol)"
        " VALUES (%s, %s, %s, 'Bad, Low') RETURNING *",
        (moment(0), SPACE, series),
    ).fetchone()
    assert row[0] is None and row[1] == moment(0)
    assert row[2:] == (SPACE, series, None, 0x80000500, "Bad, Low")


def test_a_staged_transaction_writes_at_commit(connection, store, space, series):
    node = make_node(store, series)
    with connection.transaction():
        for value, at, of, code, symbol in ROWS:
            insert(
                connection,
                "double_datapoints",
                value=value,
                timestamp=at,
                instance_space=of,
                external_id=series,
                status_code=code,
                status_symbol=symbol,
            )
        assert read(store, instance_id=node) == []
    assert read(store, instance_id=node) == EXPECTED
    with pytest.raises(ZeroDivisionError), connection.transaction():
        insert(
            connection,
            "double_datapoints",
            value=0,
            timestamp=moment(0),
            instance_space=SPACE,
            external_id=series,
        )
        raise ZeroDivisionError
    assert read(store, instance_id=node) == EXPECTED


def test_spooled_and_journaled_rows_keep_statuses_and_instance_ids(tmp_path, target, store, space, series):
    node = make_node(store, series)
    sections = {
        "journal": {"directory": str(tmp_path / "journal")},
        "transactions": {"spool_directory": str(tmp_path / "spool"), "staged_bytes_max": 64 << 10},
    }
    cdf = {"token": "any-token-will-do", "create_missing_time_series": False}
    with ConfiguredGateway(tmp_path, target.cdf_url, cdf, **sections) as gateway:
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            with connection.transaction():
                with connection.cursor().copy(f"COPY cdf.double_datapoints ({COLUMNS}) FROM STDIN") as copy:
                    for second in range(20_000):
                        bad = second % 3 == 0
                        value = None if second % 6 == 0 else second
                        copy.write_row((value, moment(second), SPACE, series, BAD if bad else None, None))
            connection.execute("SET penstock.ack = 'journaled'")
            insert(
                connection,
                "double_datapoints",
                timestamp=moment(20_000),
                instance_space=SPACE,
                external_id=series,
                status_symbol="BadSensorFailure",
            )
            # A delivered statement stands behind what is in the journal.
            connection.execute("SET penstock.ack = 'delivered'")
            insert(connection, "double_datapoints", value=1, timestamp=moment(20_001), external_id=series,
                   instance_space=SPACE)  # fmt: skip
    points = read(store, instance_id=node)
    assert len(points) == 20_002
    for second, (at, value, code, _) in enumerate(points[:20_000]):
        assert at == moment_ms(second)
        assert value == (None if second % 6 == 0 else second)
        assert code == (BAD if second % 3 == 0 else GOOD)
    assert points[20_000][1:] == (None, 0x808C0000, "BadSensorFailure")


def test_missing_nodes_are_made_for_a_user_who_wants_it(connection, store, space, series):
    insert(
        connection,
        "string_datapoints",
        value="open",
        timestamp=moment(0),
        instance_space=SPACE,
        external_id=series,
    )
    node = NodeId(SPACE, series)
    assert read(store, instance_id=node) == [(moment_ms(0), "open", GOOD, "Good")]
    assert store.client.time_series.retrieve(instance_id=node).is_string
    with pytest.raises(psycopg.errors.DatatypeMismatch) as refused:
        insert(
            connection,
            "double_datapoints",
            value=1,
            timestamp=moment(0),
            instance_space=SPACE,
            external_id=series,
        )
    assert f'time series "{series}" of space "{SPACE}"' in refused.value.diag.message_primary


def test_rows_wait_for_the_series_of_a_node_and_are_refused_if_it_never_comes(strict_target, series):
    store = strict_target.store
    store.client.data_modeling.spaces.apply(SpaceApply(SPACE))
    late, never = f"{series}-late", f"{series}-never"
    with psycopg.connect(**strict_target.server.keywords(), autocommit=True) as connection:
        tried = strict_target.emulator.operation("datapoints.insert").get("requests", 0)

        def make_once_it_was_tried():
            while strict_target.emulator.operation("datapoints.insert").get("requests", 0) == tried:
                pass
            make_node(store, late)

        maker = threading.Thread(target=make_once_it_was_tried)
        maker.start()
        point = {"value": 1, "timestamp": moment(0), "instance_space": SPACE}
        insert(connection, "double_datapoints", **point, external_id=late)
        maker.join()
        assert read(store, instance_id=NodeId(SPACE, late)) == [(moment_ms(0), 1.0, GOOD, "Good")]
        with pytest.raises(psycopg.errors.ForeignKeyViolation) as refused:
            insert(connection, "double_datapoints", **point, external_id=never)
    diagnostic = refused.value.diag
    assert diagnostic.message_primary == f'time series "{never}" of space "{SPACE}" does not exist'
    assert "CogniteTimeSeries" in diagnostic.message_hint


def test_a_letter_of_the_wider_table_is_mended_and_replayed(tmp_path_factory, series):
    directory = tmp_path_factory.mktemp("letters")
    token = "a token for these tests"
    flags = [
        "--create-missing-time-series",
        "--dead-letters",
        str(directory / "store"),
        "--admin-token",
        token,
    ]
    gateway = Gateway(directory / "gateway.log", *flags)

    def call(method: str, path: str, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{gateway.http_url}/dead-letters{path}", data, headers, method=method
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()

    try:
        gateway.store.client.data_modeling.spaces.apply(SpaceApply(SPACE))
        with psycopg.connect(**gateway.server.keywords(), autocommit=True) as connection:
            statement = f"COPY cdf.double_datapoints ({COLUMNS}) FROM STDIN (ON_ERROR ignore)"
            with connection.cursor().copy(statement) as copy:
                copy.write_row((1.0, moment(0), SPACE, series, None, None))
                copy.write_row((None, moment(1), SPACE, series, None, "Mediocre"))
        (letter,) = json.loads(call("GET", "?table=cdf.double_datapoints"))["items"]
        assert (letter["table"], letter["sqlstate"], letter["column"]) == (
            "cdf.double_datapoints",
            "22023",
            "status_symbol",
        )
        assert json.loads(letter["key"])[:3] == ["instance_id", SPACE, series]
        assert json.loads(call("GET", "?table=double_datapoints"))["items"] == []
        exported = call("GET", "/export?format=csv&table=cdf.double_datapoints").decode()
        assert "status_symbol" in exported.splitlines()[0] and "Mediocre" in exported
        values = [value if value != "Mediocre" else "Bad" for value in letter["values"]]
        call("PUT", f"/{letter['id']}", {"columns": letter["columns"], "values": values})
        report = json.loads(call("POST", "/replay", {"filter": {"ids": [letter["id"]]}}))
        assert [end["outcome"] for end in report["letters"]] == ["accepted"]
        assert read(gateway.store, instance_id=NodeId(SPACE, series)) == [
            (moment_ms(0), 1.0, GOOD, "Good"),
            (moment_ms(1), None, BAD, "Bad"),
        ]
    finally:
        gateway.stop()


def test_npgsql_imports_them(server, store, space, series):
    from support.npgsql import Type, import_rows, opened

    node = make_node(store, series)
    copy = f"COPY cdf.double_datapoints ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
    types = [Type.Double, Type.TimestampTz, Type.Varchar, Type.Varchar, Type.Bigint, Type.Varchar]
    rows = [(value, at, of, series, code, symbol) for value, at, of, code, symbol in ROWS]
    with opened(server, Pooling="false") as connection:
        assert import_rows(connection, copy, rows, types) == len(rows)
    assert read(store, instance_id=node) == EXPECTED


def test_the_catalog_lists_both_schemas(connection):
    found = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relname IN ('double_datapoints', 'string_datapoints') ORDER BY n.nspname, c.relname"
    ).fetchall()
    names = ["double_datapoints", "string_datapoints"]
    assert found == [(schema, name) for schema in ("cdf", "public") for name in names]
    columns = connection.execute(
        "SELECT a.attname FROM pg_catalog.pg_attribute a"
        " WHERE a.attrelid = 'cdf.double_datapoints'::regclass AND a.attnum > 0 ORDER BY a.attnum"
    ).fetchall()
    assert [name for (name,) in columns] == [
        "value",
        "timestamp",
        "instance_space",
        "external_id",
        "id",
        "status_code",
        "status_symbol",
    ]


def test_points_of_a_node_are_deleted_and_changed_with_their_statuses(connection, store, space, series):
    node = make_node(store, series)
    other = make_node(store, f"{series}-other")
    for number in range(4):
        for name in (series, f"{series}-other"):
            insert(
                connection,
                "double_datapoints",
                value=number,
                timestamp=moment(number),
                instance_space=space,
                external_id=name,
            )
    done = connection.execute(
        "DELETE FROM cdf.double_datapoints WHERE instance_space = %s AND external_id IN (%s, 'none')"
        " AND timestamp BETWEEN %s AND %s",
        (space, series, moment(1), moment(2)),
    )
    assert done.statusmessage == "DELETE 1"
    done = connection.execute(
        "UPDATE cdf.double_datapoints SET value = 7, status_symbol = 'Uncertain'"
        " WHERE instance_space = %s AND external_id = %s AND timestamp IN (%s, %s)",
        (space, series, moment(3), moment(9)),
    )
    assert done.statusmessage == "UPDATE 1"
    assert read(store, instance_id=node) == [
        (moment_ms(0), 0.0, GOOD, "Good"),
        (moment_ms(3), 7.0, UNCERTAIN, "Uncertain"),
    ]
    assert len(read(store, instance_id=other)) == 4
    # A value without a status takes the point that there is.
    done = connection.execute(
        "UPDATE cdf.double_datapoints SET value = value + 1 WHERE instance_space = %s AND external_id = %s"
        " AND status_symbol <> 'Good'",
        (space, series),
    )
    assert done.statusmessage == "UPDATE 1"
    assert read(store, instance_id=node)[1] == (moment_ms(3), 8.0, UNCERTAIN, "Uncertain")
