"""psycopg 3 and COPY: rows, raw blocks, binary, and every way in which it can end early."""

import psycopg
import pytest
from support.samples import moment, seconds, unique

COPY = "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
TYPES = ["varchar", "timestamptz", "float8"]


@pytest.fixture
def connection(server):
    with psycopg.connect(**server.keywords()) as connection:
        yield connection


def test_rows_written_as_text_arrive(connection, store, series):
    with connection.cursor() as cursor:
        with cursor.copy(COPY) as copy:
            for n in range(5000):
                copy.write_row((series, moment(n), n / 3))
        assert cursor.rowcount == 5000
    connection.commit()
    assert store.points(series) == seconds(n / 3 for n in range(5000))


def test_rows_written_as_binary_arrive(connection, store, series):
    with connection.cursor() as cursor:
        with cursor.copy(f"{COPY} (FORMAT BINARY)") as copy:
            copy.set_types(TYPES)
            for n in range(5000):
                copy.write_row((series, moment(n), n / 3))
        assert cursor.rowcount == 5000
    connection.commit()
    assert store.points(series) == seconds(n / 3 for n in range(5000))


def test_binary_nulls_and_json_arrive(connection, store, raw_database):
    statement = "COPY raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) FROM STDIN BINARY"
    with connection.cursor().copy(statement) as copy:
        copy.set_types(["varchar", "varchar", "text", "json"])
        copy.write_row((raw_database, "t", "k", psycopg.types.json.Json({"a": [1, {"b": None}]})))
    connection.commit()
    assert store.raw(raw_database, "t") == {"k": {"a": [1, {"b": None}]}}


def test_a_null_in_binary_leaves_its_column_out(connection, store, series):
    statement = "COPY double_datapoints (external_id, id, timestamp, value) FROM STDIN (FORMAT BINARY)"
    with connection.cursor().copy(statement) as copy:
        copy.set_types(["varchar", "int8", "timestamptz", "float8"])
        copy.write_row((series, None, moment(0), 1.0))
    connection.commit()
    assert store.points(series) == seconds([1.0])


@pytest.mark.parametrize("size", [1, 2, 7, 4096])
def test_a_row_cut_anywhere_between_messages_is_put_together(connection, store, series, size):
    content = "".join(f"{series}\t{moment(n):%Y-%m-%d %H:%M:%S+00}\t{n}\\x2e5\n" for n in range(20)).encode()
    with connection.cursor().copy(COPY) as copy:
        for start in range(0, len(content), size):
            copy.write(content[start : start + size])
    connection.commit()
    assert store.points(series) == seconds(n + 0.5 for n in range(20))


def test_an_int2_in_a_binary_bigint_column_is_refused_as_postgresql_does(connection, store, series):
    statement = "COPY double_datapoints (external_id, id, timestamp, value) FROM STDIN (FORMAT BINARY)"
    with pytest.raises(psycopg.errors.ProtocolViolation, match="insufficient data left in message") as caught:
        with connection.cursor().copy(statement) as copy:
            copy.set_types(["varchar", "int2", "timestamptz", "float8"])
            copy.write_row((series, 5, moment(0), 1.0))
    assert caught.value.diag.context == "COPY double_datapoints, line 1, column id"


def test_a_client_that_gives_up_is_told_57014_and_nothing_is_stored(connection, store, series):
    class Changed(Exception):
        pass

    with pytest.raises(Changed), connection.cursor().copy(COPY) as copy:
        copy.write_row((series, moment(0), 1.0))
        raise Changed
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    connection.rollback()
    assert connection.execute("SELECT 1").fetchone() == (1,)
    assert store.points(series) == []


def test_a_given_reason_to_give_up_comes_back_with_57014(connection):
    connection.pgconn.exec_(COPY.encode())
    connection.pgconn.put_copy_data(b"x\t2026-11-01Z\t1\n")
    connection.pgconn.put_copy_end(b"tank is empty")
    result = connection.pgconn.get_result()
    field = psycopg.pq.DiagnosticField
    assert result.error_field(field.SQLSTATE) == b"57014"
    assert result.error_field(field.MESSAGE_PRIMARY) == b"COPY from stdin failed: tank is empty"
    assert connection.pgconn.get_result() is None


def test_an_error_in_the_middle_of_a_large_copy_leaves_the_session_usable(server, store, series):
    with psycopg.connect(**server.keywords(), autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation) as caught:
            with connection.cursor().copy(COPY) as copy:
                for n in range(50_000):
                    copy.write(f"{series}\t{moment(n):%Y-%m-%d %H:%M:%S+00}\t{'bad' if n == 40_000 else n}\n")
        assert caught.value.diag.context == 'COPY double_datapoints, line 40001, column value: "bad"'
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with connection.cursor().copy(COPY) as copy:
            copy.write_row((series, moment(0), 1.0))
    assert store.points(series)[0] == seconds([1.0])[0]


def test_a_copy_inside_a_transaction_is_rolled_back_with_it(connection, store, series):
    with connection.cursor().copy(COPY) as copy:
        copy.write_row((series, moment(0), 1.0))
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    connection.rollback()
    assert store.points(series) == []


def test_a_copy_inside_a_rolled_back_savepoint_is_discarded(connection, store, series):
    with connection.transaction():
        connection.execute("SAVEPOINT s")
        with connection.cursor().copy(COPY) as copy:
            copy.write_row((series, moment(0), 1.0))
        connection.execute("ROLLBACK TO s")
        with connection.cursor().copy(COPY) as copy:
            copy.write_row((series, moment(0), 2.0))
    assert store.points(series) == seconds([2.0])


HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
BAD_STREAMS = {
    "nothing": (b"", "COPY file signature not recognized"),
    "signature": (b"PGCOPY\n\xff\r\n\1" + bytes(8), "COPY file signature not recognized"),
    "with oids": (b"PGCOPY\n\xff\r\n\0\0\1\0\0" + bytes(4), "invalid COPY file header .WITH OIDS"),
    "field count": (HEADER + b"\0\4", "row field count is 4, expected 3"),
    "cut row": (HEADER + b"\0\3\0\0\0\5x", "unexpected EOF in COPY data"),
    "after the end": (HEADER + b"\xff\xff\0", "received copy data after EOF marker"),
}


@pytest.mark.parametrize(("stream", "message"), BAD_STREAMS.values(), ids=BAD_STREAMS)
def test_a_malformed_binary_stream_is_refused_by_its_fault(connection, stream, message):
    with pytest.raises(psycopg.errors.BadCopyFileFormat, match=message):
        with connection.cursor().copy(f"{COPY} (FORMAT BINARY)") as copy:
            copy.write(stream)
    connection.rollback()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_binary_double_of_the_wrong_size_is_refused(connection, series):
    with pytest.raises(psycopg.errors.InvalidBinaryRepresentation, match="incorrect binary data format"):
        with connection.cursor().copy("COPY double_datapoints (value) FROM STDIN BINARY") as copy:
            copy.write(HEADER + b"\0\1\0\0\0\x0c" + bytes(12))


@pytest.mark.parametrize(("options", "separator"), [("", "\t"), ("FORMAT csv, ", ",")])
def test_a_field_equal_to_the_default_leaves_its_column_out(connection, store, options, separator):
    external_id = unique("default")
    statement = (
        "COPY time_series (external_id, name, description, unit)"
        rf" FROM STDIN ({options}DEFAULT '\D', NULL 'nil')"
    )
    with connection.cursor().copy(statement) as copy:
        copy.write(separator.join([external_id, r"\D", "a text", "nil"]) + "\n")
    connection.commit()
    made = store.series(external_id)
    assert made["description"] == "a text"
    assert made.get("name") is None and made.get("unit") is None


def test_a_default_where_a_row_must_have_a_value_is_refused(connection, store, series):
    with pytest.raises(
        psycopg.errors.BadCopyFileFormat, match="unexpected default marker in COPY data"
    ) as caught:
        with connection.cursor().copy(f"{COPY} (FORMAT csv, DEFAULT '!')") as copy:
            copy.write(f"{series},2026-01-01,1\n{series},2026-01-02,!\n")
    assert caught.value.diag.message_detail == 'Column "value" has no default value.'
    assert caught.value.diag.context == f'COPY double_datapoints, line 2: "{series},2026-01-02,!"'
    connection.rollback()
    assert store.points(series) == []
