"""Npgsql 9 and COPY: the binary importer, the text import, and both given up."""

import pytest
from support import npgsql
from support.npgsql import PostgresException, Type, import_rows, opened, scalar
from support.samples import moment, seconds

COPY = "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
BINARY = f"{COPY} (FORMAT BINARY)"


@pytest.fixture
def connection(server):
    with opened(server, Pooling="false") as connection:
        yield connection


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "untyped"])
def test_imported_rows_arrive(connection, store, series, typed):
    rows = [(series, moment(n), n / 3) for n in range(3000)]
    types = [Type.Varchar, Type.TimestampTz, Type.Double] if typed else None
    assert import_rows(connection, BINARY, rows, types) == 3000
    assert store.points(series) == seconds(n / 3 for n in range(3000))


def test_the_quoted_names_that_loaders_write_are_understood(connection, store, series):
    copy = 'COPY "public"."double_datapoints" ("external_id","timestamp","value") FROM STDIN BINARY'
    assert import_rows(connection, copy, [(series, moment(0), 1.0)]) == 1
    assert store.points(series) == seconds([1.0])


def test_imported_nulls_leave_their_columns_out(connection, store, series):
    copy = "COPY double_datapoints (external_id, id, timestamp, value) FROM STDIN (FORMAT BINARY)"
    assert import_rows(connection, copy, [(series, None, moment(0), 1.0)]) == 1
    assert store.points(series) == seconds([1.0])


def test_imported_json_arrives(connection, store, raw_database):
    copy = "COPY raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) FROM STDIN (FORMAT BINARY)"
    rows = [(raw_database, "t", f"k{n}", f'{{"n": {n}}}') for n in range(100)]
    assert import_rows(connection, copy, rows, [Type.Varchar, Type.Varchar, Type.Text, Type.Json]) == 100
    assert store.raw(raw_database, "t") == {f"k{n}": {"n": n} for n in range(100)}


def test_an_importer_disposed_without_complete_stores_nothing_and_spares_the_connection(
    connection, store, series
):
    rows = [(series, moment(n), 1.0) for n in range(10)]
    # Dispose throws unless the server answers the cancelled COPY with 57014.
    assert import_rows(connection, BINARY, rows, complete=False) is None
    assert scalar(connection, "SELECT 1") == 1
    assert store.points(series) == []


def test_an_import_into_an_unknown_table_fails_before_its_rows_are_sent(connection):
    with pytest.raises(PostgresException) as caught:
        import_rows(connection, "COPY nowhere FROM STDIN (FORMAT BINARY)", [])
    assert caught.value.SqlState == "42P01"
    assert scalar(connection, "SELECT 1") == 1


def test_an_import_of_a_wrong_width_is_refused(connection, store, series):
    copy = "COPY double_datapoints (external_id, id, timestamp, value) FROM STDIN (FORMAT BINARY)"
    importer = connection.BeginBinaryImport(copy)
    importer.StartRow()
    importer.Write[npgsql.System.String](series)
    importer.Write[npgsql.System.Int32](npgsql.System.Int32(5))
    importer.Write[npgsql.System.DateTime](npgsql.value(moment(0)))
    importer.Write[npgsql.System.Double](1.0)
    with pytest.raises(PostgresException) as caught:
        importer.Complete()
    assert caught.value.SqlState in ("08P01", "22P03")
    assert store.points(series) == []


@pytest.mark.parametrize(
    ("options", "separator"),
    [("", "\t"), (" WITH (FORMAT csv, NULL '', ENCODING 'UTF8')", ",")],
    ids=["text", "csv"],
)
def test_an_imported_text_arrives(connection, store, series, options, separator):
    writer = connection.BeginTextImport(COPY + options)
    for n in range(2000):
        writer.Write(separator.join([series, moment(n).isoformat(), str(n)]) + "\n")
    writer.Dispose()
    assert store.points(series) == seconds(float(n) for n in range(2000))


def test_an_import_inside_a_transaction_waits_for_its_commit(connection, store, series):
    transaction = connection.BeginTransaction()
    assert import_rows(connection, BINARY, [(series, moment(0), 1.0)]) == 1
    assert store.points(series) == []
    transaction.Commit()
    assert store.points(series) == seconds([1.0])


def test_an_import_inside_a_rolled_back_transaction_is_discarded(connection, store, series):
    transaction = connection.BeginTransaction()
    assert import_rows(connection, BINARY, [(series, moment(0), 1.0)]) == 1
    transaction.Rollback()
    assert store.points(series) == []


def test_ready_made_binary_bytes_arrive(connection, store, series):
    import struct

    name = series.encode()
    time = int((moment(0).timestamp() - 946_684_800) * 1_000_000)
    data = b"PGCOPY\n\xff\r\n\0" + bytes(8)
    data += struct.pack(f"!hi{len(name)}siqid", 3, len(name), name, 8, time, 8, 2.5) + b"\xff\xff"
    stream = connection.BeginRawBinaryCopy(BINARY)
    stream.Write(npgsql.System.Array[npgsql.System.Byte](data), 0, len(data))
    stream.Dispose()
    assert store.points(series) == seconds([2.5])
