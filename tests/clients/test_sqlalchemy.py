"""SQLAlchemy 2 and pandas: what they ask when they connect, reflection, `to_sql`, transactions, types."""

import datetime
import threading
import warnings

import pandas
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from support import every_type
from support.every_type import VALUES, with_json_read
from support.samples import moment, seconds, unique
from support.silence import END_WHEN_SILENT, await_end

DRIVERS = ["psycopg2", "psycopg", "pg8000"]


@pytest.fixture(scope="module")
def target(typed_target):
    return typed_target


def url(server, driver: str) -> sa.URL:
    return sa.URL.create(
        f"postgresql+{driver}", server.user, server.password, server.host, server.port, server.database
    )


@pytest.fixture(params=DRIVERS)
def engine(request, server):
    engine = sa.create_engine(url(server, request.param))
    yield engine
    engine.dispose()


@pytest.fixture
def one_engine(server):
    """For what is the same with every driver."""
    engine = sa.create_engine(url(server, "psycopg"))
    yield engine
    engine.dispose()


def frame(series, count):
    rows = [(series, moment(n), n / 4) for n in range(count)]
    return pandas.DataFrame(rows, columns=["external_id", "timestamp", "value"])


@pytest.mark.parametrize("method", [None, "multi"], ids=["many", "multi"])
def test_a_frame_is_written_by_to_sql(engine, store, series, method):
    frame(series, 1000).to_sql(
        "double_datapoints", engine, if_exists="append", index=False, method=method, chunksize=250
    )
    assert store.points(series) == seconds(n / 4 for n in range(1000))


def test_a_frame_is_written_by_a_copy_of_the_users(one_engine, store, series):
    # The way that pandas' documentation gives for PostgreSQL.
    def copy(table, connection, names, rows):
        statement = f"COPY {table.name} ({', '.join(names)}) FROM STDIN"
        with connection.connection.cursor().copy(statement) as writing:
            for row in rows:
                writing.write_row(row)

    frame(series, 2000).to_sql("double_datapoints", one_engine, if_exists="append", index=False, method=copy)
    assert store.points(series) == seconds(n / 4 for n in range(2000))


def test_a_frame_of_json_is_written_with_its_type(one_engine, store, raw_database):
    rows = [(raw_database, "t", f"k{n}", {"n": n, "æ": [None]}) for n in range(50)]
    names = ["_raw_database", "_raw_table", "_raw_key", "_raw_columns"]
    pandas.DataFrame(rows, columns=names).to_sql(
        "raw_rows", one_engine, if_exists="append", index=False, dtype={"_raw_columns": sa.JSON}
    )
    assert store.raw(raw_database, "t") == {f"k{n}": {"n": n, "æ": [None]} for n in range(50)}


def test_a_frame_is_read_back_with_its_types(engine, series):
    frame(series, 100).to_sql("double_datapoints", engine, if_exists="append", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = pandas.read_sql(
            sa.text("SELECT timestamp, value FROM double_datapoints WHERE external_id = :s ORDER BY 1"),
            engine,
            params={"s": series},
        )
    assert list(found["value"]) == [n / 4 for n in range(100)]
    assert [time.timestamp() for time in found["timestamp"]] == [moment(n).timestamp() for n in range(100)]
    assert str(found.dtypes["value"]) == "float64"


@pytest.mark.gateway_only
def test_a_frame_that_would_replace_a_table_is_refused(one_engine, series):
    with pytest.raises(sa.exc.DBAPIError) as caught:
        frame(series, 1).to_sql("double_datapoints", one_engine, if_exists="replace", index=False)
    assert caught.value.orig.sqlstate in ("0A000", "42501")


@pytest.mark.gateway_only
def test_a_frame_for_a_table_that_is_not_there_is_refused(one_engine, series):
    with pytest.raises(sa.exc.DBAPIError) as caught:
        frame(series, 1).to_sql(unique("table"), one_engine, index=False)
    assert caught.value.orig.sqlstate in ("0A000", "42501")


@pytest.mark.gateway_only
def test_tables_are_reflected_with_columns_types_and_keys(engine):
    inspector = sa.inspect(engine)
    assert {"assets", "double_datapoints", "raw_rows", "every_type"} <= set(inspector.get_table_names())
    assert {"public", "cdf"} <= set(inspector.get_schema_names())
    assert "data_sets" in inspector.get_table_names(schema="cdf")
    assert inspector.has_table("assets") and not inspector.has_table("nowhere")
    assert inspector.get_pk_constraint("assets") == {
        "constrained_columns": ["external_id"],
        "name": "assets_pkey",
        "comment": None,
        "dialect_options": {"postgresql_include": []},
    }
    assert inspector.get_foreign_keys("assets") == []
    assert inspector.get_view_names() == []
    assert inspector.get_check_constraints("assets") == []
    assert inspector.get_unique_constraints("assets") == []
    assert inspector.get_table_comment("assets")["text"].startswith("Assets")
    indexes = inspector.get_indexes("assets")
    assert [index["name"] for index in indexes] in ([], ["assets_pkey"])


@pytest.mark.gateway_only
def test_the_whole_schema_is_reflected_at_once(one_engine):
    metadata = sa.MetaData()
    metadata.reflect(one_engine)
    metadata.reflect(one_engine, schema="cdf")
    assets = metadata.tables["assets"]
    assert [column.name for column in assets.primary_key] == ["external_id"]
    assert isinstance(assets.c.metadata.type, postgresql.JSON)
    assert isinstance(assets.c.id.type, sa.BIGINT)
    assert assets.c.external_id.type.length == 255
    assert assets.c.external_id.nullable
    assert assets.c.created_time.type.timezone
    assert "cdf.data_sets" in metadata.tables


KINDS = {
    "TEXT": sa.TEXT,
    "VARCHAR": sa.VARCHAR,
    "BOOL": sa.BOOLEAN,
    "BIGINT": sa.BIGINT,
    "DOUBLE PRECISION": sa.DOUBLE_PRECISION,
    "REAL": sa.REAL,
    "TIMESTAMPTZ": sa.TIMESTAMP,
    "JSON": postgresql.JSON,
    "BYTEA": postgresql.BYTEA,
}


@pytest.fixture
def table(engine):
    """The table of every type, as SQLAlchemy finds it."""
    return sa.Table(every_type.TABLE, sa.MetaData(), autoload_with=engine)


def test_each_type_is_reflected(table):
    for name, type_name in every_type.TYPES.items():
        kind = table.c[name].type
        if type_name.endswith("[]"):
            assert isinstance(kind, postgresql.ARRAY), name
            kind = kind.item_type
        assert isinstance(kind, KINDS[type_name.removesuffix("[]")]), (name, kind)


def test_each_type_is_read_back_through_a_reflected_table(engine, table):
    key = unique("sqlalchemy")
    values = dict(VALUES)
    if engine.driver != "psycopg":
        # SQLAlchemy leaves lists of JSON values to the driver, and the other two cannot send them.
        del values["jsons"]
    with engine.begin() as connection:
        connection.execute(table.insert(), {"name": key, **values})
    with engine.connect() as connection:
        columns = [table.c[name] for name in values]
        row = connection.execute(sa.select(*columns).where(table.c.name == key)).one()
    assert with_json_read(row, list(values)) == values


def test_rows_go_in_thousands_a_statement(engine, store, series):
    points = sa.table("double_datapoints", *map(sa.column, ["external_id", "timestamp", "value"]))
    rows = [{"external_id": series, "timestamp": moment(n), "value": float(n)} for n in range(3000)]
    with engine.begin() as connection:
        connection.execute(points.insert(), rows)
    assert store.points(series) == seconds(float(n) for n in range(3000))


POINT = sa.text("INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (:s, :t, :v)")


def test_transactions_commit_and_roll_back_with_savepoints(engine, store, series):
    def write(connection, second, value):
        connection.execute(POINT, {"s": series, "t": moment(second), "v": value})

    with engine.connect() as connection:
        with connection.begin() as transaction:
            write(connection, 0, 1.0)
            transaction.rollback()
        with connection.begin():
            write(connection, 0, 2.0)
            with connection.begin_nested() as nested:
                write(connection, 1, 3.0)
                nested.rollback()
            with connection.begin_nested():
                write(connection, 1, 4.0)
            assert store.points(series) == []
    assert store.points(series) == seconds([2.0, 4.0])


@pytest.mark.parametrize("level", ["AUTOCOMMIT", "REPEATABLE READ", "SERIALIZABLE", "READ COMMITTED"])
def test_isolation_levels_are_taken(one_engine, store, series, level):
    engine = one_engine.execution_options(isolation_level=level)
    with engine.connect() as connection:
        connection.execute(POINT, {"s": series, "t": moment(0), "v": 1.0})
        connection.commit()
    assert store.points(series) == seconds([1.0])


def test_errors_come_as_sqlalchemys_with_postgresqls_codes(engine):
    codes = {
        "SELECT * FROM nowhere": (sa.exc.ProgrammingError, "42P01"),
        "SELECT nothing FROM double_datapoints": (sa.exc.ProgrammingError, "42703"),
        "INSERT INTO double_datapoints (value) VALUES ('one')": (sa.exc.DataError, "22P02"),
        "SELECT 1 / (n - n) FROM generate_series(1, 2) AS n": (sa.exc.DataError, "22012"),
    }
    for statement, (kind, sqlstate) in codes.items():
        with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
            connection.execute(sa.text(statement))
        original = caught.value.orig
        code = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
        if code is None:
            # pg8000 has all fields in one dictionary, and one class for all errors.
            code, kind = original.args[0]["C"], sa.exc.DBAPIError
        assert (code, isinstance(caught.value, kind)) == (sqlstate, True), statement


@pytest.mark.gateway_only
@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_statement_is_cancelled_by_its_drivers_connection(server, emulator, series, driver):
    engine = sa.create_engine(url(server, driver))
    with engine.begin() as connection:
        # The series is there, so that one request is all that is delayed.
        connection.execute(POINT, {"s": series, "t": moment(0), "v": 1.0})
    emulator.inject(operation="datapoints.insert", kind="delay", delay_ms=5_000)
    with engine.connect() as connection:

        def cancel():
            emulator.await_in_flight("datapoints.insert")
            connection.connection.driver_connection.cancel()

        canceller = threading.Thread(target=cancel)
        canceller.start()
        with pytest.raises(sa.exc.OperationalError, match="canceling statement due to user request"):
            connection.execute(POINT, {"s": series, "t": moment(0), "v": 1.0})
            connection.commit()
        canceller.join()
        connection.rollback()
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    engine.dispose()
    # The local CDF serves what was cancelled to its end, which the next test must not take for its own.
    emulator.await_none_in_flight("datapoints.insert")


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_pool_that_pings_replaces_a_connection_that_the_server_ended(server, driver):
    engine = sa.create_engine(url(server, driver), pool_pre_ping=True, pool_size=1, max_overflow=0)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(END_WHEN_SILENT))
        socket = connection.connection.driver_connection.fileno()
    await_end(socket)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
        # A connection of its own, without the settings of the one that has ended.
        assert connection.execute(sa.text("SHOW idle_session_timeout")).scalar_one() == "0"
    engine.dispose()


def test_what_a_connection_is_asked_first_is_answered(one_engine, server):
    with one_engine.connect() as connection:
        assert one_engine.dialect.server_version_info >= (14,)
        assert one_engine.dialect.default_schema_name == "public"
        assert connection.get_isolation_level() == "READ COMMITTED"
        row = connection.execute(sa.select(sa.func.current_user(), sa.func.now())).one()
        assert row[0] == server.user
        assert isinstance(row[1], datetime.datetime)
