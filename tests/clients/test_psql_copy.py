"""psql 15 and COPY: `\\copy` of files in every format, and COPY inside scripts."""

import struct

import pytest
from support.psql import psql
from support.samples import moment_ms, seconds

COPY_COLUMNS = "double_datapoints (external_id, timestamp, value)"


def copy_file(server, tmp_path, content, options="", columns=COPY_COLUMNS):
    path = tmp_path / "rows"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return psql(server, "-c", f"\\copy {columns} from '{path}' {options}")


def test_a_text_file_is_copied_whole(server, store, series, tmp_path):
    lines = [f"{series}\t2026-11-01 00:00:{second:02}+00\t{second}.5\n" for second in range(60)]
    done = copy_file(server, tmp_path, "".join(lines))
    assert (done.out, done.error, done.code) == ("COPY 60\n", "", 0)
    assert store.points(series) == seconds(second + 0.5 for second in range(60))


def test_a_text_file_of_many_chunks_is_copied_whole(server, store, series, tmp_path):
    # psql sends about 8 kB at a time and cuts rows wherever that falls.
    count = 20_000
    content = "".join(
        f"{series}\t2026-11-01 {n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z\t{n}\n" for n in range(count)
    )
    done = copy_file(server, tmp_path, content)
    assert done.out == f"COPY {count}\n", done.error
    assert store.points(series) == seconds(float(n) for n in range(count))


def test_a_csv_file_with_header_quotes_and_nulls_is_copied(server, store, raw_database, tmp_path):
    content = (
        "_raw_database,_raw_table,_raw_key,_raw_columns\r\n"
        f'{raw_database},t,plain,"{{""a"": 1}}"\r\n'
        f'{raw_database},t,"a, ""quoted"" key","{{""text"": ""line 1\nline 2"", ""none"": null}}"\r\n'
    ).replace("line 1\nline 2", "line 1\\nline 2")
    columns = "raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
    done = copy_file(server, tmp_path, content, "with (format csv, header true)", columns)
    assert done.out == "COPY 2\n", done.error
    assert store.raw(raw_database, "t") == {
        "plain": {"a": 1},
        'a, "quoted" key': {"text": "line 1\nline 2", "none": None},
    }


def test_a_newline_inside_csv_quotes_belongs_to_the_value(server, store, raw_database, tmp_path):
    content = f'{raw_database},t,"two\nlines",{{}}\n'
    columns = "raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
    done = copy_file(server, tmp_path, content, "csv", columns)
    assert done.out == "COPY 1\n", done.error
    assert list(store.raw(raw_database, "t")) == ["two\nlines"]


def test_the_old_csv_spelling_of_the_options_is_understood(server, store, series, tmp_path):
    content = f"external_id;timestamp;value\n{series};2026-11-01T00:00:00Z;~1~\n"
    options = "csv header delimiter as ';' quote as '~'"
    done = copy_file(server, tmp_path, content, options)
    assert done.out == "COPY 1\n", done.error
    assert store.points(series) == seconds([1.0])


def test_force_null_makes_a_quoted_empty_string_null(server, store, series, tmp_path):
    content = f'"{series}","","2026-11-01 00:00:00+00","2"\n'
    columns = "double_datapoints (external_id, id, timestamp, value)"
    options = "with (format csv, force_null (id))"
    done = copy_file(server, tmp_path, content, options, columns)
    assert done.out == "COPY 1\n", done.error
    assert store.points(series) == seconds([2.0])


def test_force_not_null_makes_an_empty_field_an_empty_string(server, store, series, tmp_path):
    content = f"{series},2026-11-01 00:00:00+00,\n"
    columns = "string_datapoints (external_id, timestamp, value)"
    done = copy_file(server, tmp_path, content, "with (format csv, force_not_null (value))", columns)
    assert done.out == "COPY 1\n", done.error
    assert store.points(series) == seconds([""])


def test_a_file_in_latin1_is_decoded_by_the_encoding_option(server, store, raw_database, tmp_path):
    content = f'{raw_database},t,Ærø,"{{""ø"": ""å""}}"\n'.encode("latin-1")
    columns = "raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
    done = copy_file(server, tmp_path, content, "with (format csv, encoding 'LATIN1')", columns)
    assert done.out == "COPY 1\n", done.error
    assert store.raw(raw_database, "t") == {"Ærø": {"ø": "å"}}


def test_text_escapes_and_the_null_marker_are_decoded(server, store, raw_database, series, tmp_path):
    content = (
        f"{raw_database}\tt\ttab\\tnewline\\nback\\\\slash\t{{}}\n"
        f"{raw_database}\tt\toctal\\101hex\\x42\t{{}}\n"
    )
    columns = "raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
    done = copy_file(server, tmp_path, content, columns=columns)
    assert done.out == "COPY 2\n", done.error
    assert set(store.raw(raw_database, "t")) == {"tab\tnewline\nback\\slash", "octalAhexB"}
    columns = "double_datapoints (external_id, id, timestamp, value)"
    done = copy_file(server, tmp_path, f"{series}\t\\N\t2026-11-01 00:00:00Z\t3\n", columns=columns)
    assert done.out == "COPY 1\n", done.error
    assert store.points(series) == seconds([3.0])


def binary_copy(rows, trailer=True):
    """PGCOPY bytes of (external_id, milliseconds, value)."""
    epoch_2000_ms = 946_684_800_000
    parts = [b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)]
    for external_id, time_ms, value in rows:
        name = external_id.encode()
        parts.append(struct.pack(f"!hi{len(name)}s", 3, len(name), name))
        parts.append(struct.pack("!iqid", 8, (time_ms - epoch_2000_ms) * 1000, 8, value))
    return b"".join(parts) + (struct.pack("!h", -1) if trailer else b"")


@pytest.mark.parametrize("trailer", [True, False], ids=["with trailer", "without trailer"])
def test_a_binary_file_is_copied_whole(server, store, series, tmp_path, trailer):
    rows = [(series, moment_ms(n), n / 8) for n in range(3000)]
    done = copy_file(server, tmp_path, binary_copy(rows, trailer), "with (format binary)")
    assert done.out == "COPY 3000\n", done.error
    assert store.points(series) == seconds(n / 8 for n in range(3000))


def test_a_copy_inside_a_script_ends_at_its_marker(server, store, series):
    script = (
        f"BEGIN;\nCOPY {COPY_COLUMNS} FROM STDIN;\n{series}\t2026-11-01 00:00:00Z\t1\n\\.\n"
        f"INSERT INTO double_datapoints VALUES (2, '2026-11-01 00:00:01Z', '{series}');\nCOMMIT;\n"
    )
    done = psql(server, "-v", "ON_ERROR_STOP=1", script=script)
    assert done.lines == ["BEGIN", "COPY 1", "INSERT 0 1", "COMMIT"], done.error
    assert store.points(series) == seconds([1.0, 2.0])


def test_an_empty_file_copies_no_rows(server, tmp_path):
    done = copy_file(server, tmp_path, "")
    assert (done.out, done.code) == ("COPY 0\n", 0), done.error


BAD_LINES = [
    (
        "1\t2026-11-01Z\tx",
        "22P02",
        'invalid input syntax for type double precision: "x"',
        ', column value: "x"',
    ),
    (
        "1\tyesterdayish\t1",
        "22007",
        "invalid input syntax for type timestamp with time zone",
        ", column timestamp",
    ),
    ("1\t2026-11-01Z", "22P04", 'missing data for column "value"', ': "1'),
    ("1\t2026-11-01Z\t1\t2", "22P04", "extra data after last expected column", ': "1'),
    ("", "22P04", 'missing data for column "timestamp"', ': ""'),
    ("1\t2026-11-01Z\t\\N", "23502", "null value in column", ""),
]


@pytest.mark.parametrize(
    ("line", "code", "message", "context"), BAD_LINES, ids=lambda value: repr(value)[:24]
)
def test_a_bad_line_is_named_with_its_number_and_column(
    server, store, series, tmp_path, line, code, message, context
):
    content = f"{series}\t2026-11-01 00:00:00Z\t1\n{line}\n{series}\t2026-11-01 00:00:02Z\t1\n"
    path = tmp_path / "rows"
    path.write_text(content)
    done = psql(server, "-v", "VERBOSITY=verbose", "-c", f"\\copy {COPY_COLUMNS} from '{path}'")
    assert done.code == 1
    assert f"ERROR:  {code}: " in done.error
    assert message in done.error
    assert f"COPY double_datapoints, line 2{context}" in done.error


def test_a_copy_of_an_unknown_table_fails_before_its_data_is_sent(server, tmp_path):
    done = copy_file(server, tmp_path, "1\n", columns="no_such_table")
    assert done.code == 1
    assert 'relation "no_such_table" does not exist' in done.error


REFUSED = [
    ("COPY double_datapoints FROM STDIN (SPEED 9)", "42601"),
    ("COPY double_datapoints FROM STDIN (FORMAT parquet)", "22023"),
    ("COPY double_datapoints (value, nonsense) FROM STDIN", "42703"),
    ("COPY double_datapoints (value, value) FROM STDIN", "42701"),
    ("COPY double_datapoints FROM '/etc/passwd'", "42501"),
    ("COPY double_datapoints FROM PROGRAM 'id'", "42501"),
]


@pytest.mark.parametrize(("statement", "code"), REFUSED)
def test_a_copy_that_cannot_be_is_refused_with_postgresqls_code(server, statement, code):
    done = psql(server, "-v", "VERBOSITY=verbose", "-c", statement)
    assert f"ERROR:  {code}: " in done.error
    assert done.code == 1


def test_a_session_goes_on_after_a_failed_copy(server, store, series):
    script = (
        f"COPY {COPY_COLUMNS} FROM STDIN;\n{series}\tnever\t1\n{series}\tnever\t2\n\\.\n"
        f"INSERT INTO double_datapoints VALUES (7, '2026-11-01Z', '{series}');\n"
    )
    done = psql(server, script=script)
    assert done.lines == ["INSERT 0 1"], done.error
    assert "invalid input syntax" in done.error
    assert store.points(series) == seconds([7.0])
