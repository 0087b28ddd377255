"""psqlODBC 13 under pyodbc: what the driver asks by itself, writes in each way, catalog functions, types."""

import datetime
import threading

import pyodbc
import pytest
from support import every_type
from support.every_type import VALUES
from support.samples import UTC, moment, seconds, unique
from support.silence import END_WHEN_SILENT, until_one_is_ended

DRIVER = "/usr/lib/x86_64-linux-gnu/odbc/psqlodbcw.so"
INSERT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (?, ?, ?)"

# The driver's own pool would hand a test the connection of another.
pyodbc.pooling = False


@pytest.fixture(scope="module")
def target(typed_target):
    return typed_target


def connect(server, autocommit: bool = False, **options: str):
    pairs = {
        "DRIVER": DRIVER,
        "SERVER": server.host,
        "PORT": str(server.port),
        "DATABASE": server.database,
        "UID": server.user,
        "PWD": server.password,
        **options,
    }
    return pyodbc.connect(";".join(f"{key}={value}" for key, value in pairs.items()), autocommit=autocommit)


@pytest.fixture
def connection(server):
    connection = connect(server)
    yield connection
    connection.close()


def naive(second: int) -> datetime.datetime:
    """ODBC's times have no zone: the session's is meant, which is UTC here."""
    return moment(second).replace(tzinfo=None)


def test_the_driver_connects_and_says_to_what(connection, server):
    assert connection.getinfo(pyodbc.SQL_DBMS_NAME) == "PostgreSQL"
    assert int(connection.getinfo(pyodbc.SQL_DBMS_VER).split(".")[0]) >= 14
    assert connection.getinfo(pyodbc.SQL_DATABASE_NAME) == server.database
    assert connection.getinfo(pyodbc.SQL_USER_NAME) == server.user
    assert connection.execute("SELECT 1").fetchone()[0] == 1


@pytest.mark.parametrize(
    "options",
    [{}, {"UseServerSidePrepare": "0"}, {"Protocol": "7.4-0"}, {"Protocol": "7.4-1"}, {"Protocol": "7.4-2"}],
    ids=["prepared", "literals", "no rollback", "transaction rollback", "statement rollback"],
)
def test_rows_with_parameters_are_stored_at_commit(server, store, series, options):
    connection = connect(server, **options)
    cursor = connection.cursor()
    cursor.executemany(INSERT, [(series, naive(n), n / 2) for n in range(40)])
    assert store.points(series) == []
    connection.commit()
    assert store.points(series) == seconds(n / 2 for n in range(40))
    connection.close()


def test_an_array_of_parameters_is_stored(connection, store, series):
    cursor = connection.cursor()
    cursor.fast_executemany = True
    cursor.executemany(INSERT, [(series, naive(n), n / 2) for n in range(300)])
    connection.commit()
    assert store.points(series) == seconds(n / 2 for n in range(300))


def test_one_statement_of_many_rows_is_stored(server, store, series):
    connection = connect(server, autocommit=True)
    rows = ", ".join(f"('{series}', '{moment(n).isoformat()}', {n})" for n in range(500))
    cursor = connection.execute(
        f"INSERT INTO double_datapoints (external_id, timestamp, value) VALUES {rows}"
    )
    assert cursor.rowcount == 500
    assert store.points(series) == seconds(float(n) for n in range(500))
    connection.close()


def test_transactions_commit_and_roll_back(connection, store, series):
    connection.execute(INSERT, (series, naive(0), 1.0))
    connection.rollback()
    connection.execute(INSERT, (series, naive(0), 2.0))
    assert store.points(series) == []
    connection.commit()
    assert store.points(series) == seconds([2.0])


def test_a_failed_statement_has_its_code_and_leaves_the_rest_of_the_transaction(connection, store, series):
    # The driver sets a savepoint before every statement.
    connection.execute(INSERT, (series, naive(0), 1.0))
    for statement, sqlstate in [
        ("INSERT INTO nowhere VALUES (1)", "42P01"),
        ("INSERT INTO double_datapoints (nonsense) VALUES (1)", "42703"),
        ("INSERT INTO double_datapoints (value) VALUES ('one')", "22P02"),
        ("SELECT 1 / (n - n) FROM generate_series(1, 2) AS n", "22012"),
    ]:
        with pytest.raises(pyodbc.Error) as caught:
            connection.execute(statement)
        # ODBC has older names for some of these.
        assert caught.value.args[0] in (sqlstate, {"42P01": "42S02", "42703": "42S22"}.get(sqlstate))
    connection.commit()
    assert store.points(series) == seconds([1.0])


def test_a_syntax_error_has_its_code(server):
    connection = connect(server, autocommit=True)
    with pytest.raises(pyodbc.Error) as caught:
        connection.execute("SELECT count(*) FROM generate_series(1, 2) GROUP")
    assert caught.value.args[0] == "42601"
    assert connection.execute("SELECT 1").fetchone()[0] == 1
    connection.close()


@pytest.mark.gateway_only
def test_a_statement_is_cancelled(connection, emulator, series):
    emulator.inject(operation="datapoints.insert", kind="delay", delay_ms=5_000)
    connection.autocommit = True
    cursor = connection.cursor()

    def cancel():
        emulator.await_in_flight("datapoints.insert")
        cursor.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(pyodbc.Error) as caught:
        cursor.execute(INSERT, (series, naive(0), 1.0))
    canceller.join()
    assert caught.value.args[0] in ("57014", "HY008"), caught.value
    assert connection.execute("SELECT 1").fetchone()[0] == 1


@pytest.mark.gateway_only
def test_a_connection_that_the_server_ended_says_so_and_another_is_had(server, target):
    connection = connect(server, autocommit=True)
    with until_one_is_ended(target.process):
        connection.execute(END_WHEN_SILENT)
    with pytest.raises(pyodbc.Error) as caught:
        connection.execute("SELECT 1")
    assert caught.value.args[0] in ("57P05", "08S01", "08003", "HY000"), caught.value
    again = connect(server)
    assert again.execute("SELECT 1").fetchone()[0] == 1
    again.close()


def test_each_type_is_read_back(server):
    key = unique("odbc")
    # Booleans as ODBC's bits, and times in UTC.
    connection = connect(server, autocommit=True, BoolsAsChar="0", ConnSettings="SET TimeZone TO 'UTC'")
    texts = {name: value for name, value in every_type.with_json_as_text().items()}
    texts["a_time"] = VALUES["a_time"].replace(tzinfo=None)
    # ODBC has no arrays: they go as PostgreSQL's text of them.
    arrays = {
        "texts": r'{a,"b \"c\", {d}","","\\"}',
        "varchars": '{x,"NULL"}',
        "bools": "{t,f}",
        "bigints": "{1,-4611686018427387904}",
        "doubles": "{0.1,-1e+300}",
        "reals": "{0.5,-0.25}",
        "jsons": r'{"{\"a\": 1}","[2, null]"}',
    }
    texts |= arrays
    connection.execute(every_type.insert(*["?"] * (len(texts) + 1)), [key, *texts.values()])
    row = connection.execute(every_type.select("?"), [key]).fetchone()
    found = dict(zip(every_type.NAMES, row, strict=True))
    assert found == texts
    assert isinstance(found["a_bool"], bool) and isinstance(found["a_time"], datetime.datetime)
    assert found["a_time"].replace(tzinfo=UTC) == VALUES["a_time"]
    connection.close()


def test_columns_of_a_result_have_their_types_and_lengths(connection):
    described = connection.execute("SELECT * FROM double_datapoints WHERE 1 = 0").description
    assert [(column[0], column[1]) for column in described] == [
        ("value", float),
        ("timestamp", datetime.datetime),
        ("external_id", str),
        ("id", int),
    ]
    assert described[2][3] == 255


@pytest.mark.gateway_only
def test_catalog_functions_list_tables_columns_and_keys(connection):
    cursor = connection.cursor()
    tables = {(row.table_schem, row.table_name): row for row in cursor.tables(schema="public")}
    assert tables["public", "assets"].table_type == "TABLE"
    assert tables["public", "assets"].remarks in (None, "") or "Assets" in tables["public", "assets"].remarks
    columns = {row.column_name: row for row in cursor.columns(table="assets", schema="public")}
    assert columns["external_id"].type_name == "varchar"
    assert columns["external_id"].column_size == 255
    assert columns["id"].type_name == "int8"
    assert columns["metadata"].type_name == "json"
    keys = cursor.primaryKeys(table="assets", schema="public").fetchall()
    assert [row.column_name for row in keys] == ["external_id"]
    statistics = cursor.statistics(table="assets", schema="public", unique=True).fetchall()
    assert "assets_pkey" in {row.index_name for row in statistics}
    assert cursor.foreignKeys(table="assets", schema="public").fetchall() == []
    types = {row.type_name for row in cursor.getTypeInfo()}
    assert {"int8", "float8", "varchar", "text", "bool", "timestamptz", "bytea"} <= types
    procedures = cursor.procedures(procedure="lower", schema="pg_catalog").fetchall()
    assert {row.procedure_name for row in procedures} == {"lower"}


@pytest.mark.gateway_only
def test_rows_are_fetched_through_a_cursor_of_the_driver(server):
    # DECLARE … WITH HOLD and FETCH instead of the whole result at once.
    connection = connect(server, UseDeclareFetch="1", Fetch="100")
    rows = connection.execute("SELECT n, n * 2 FROM generate_series(1, 1000) AS n").fetchall()
    assert [tuple(row) for row in rows] == [(n, n * 2) for n in range(1, 1001)]
    connection.close()
