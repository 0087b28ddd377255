"""Npgsql 9, which Azure Data Factory writes with: type loading, commands, batches, pools."""

import pytest
from support import npgsql
from support.npgsql import PostgresException, Type, command, opened, run, scalar
from support.samples import moment, seconds

INSERT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (@series, @time, @value)"
POSITIONAL = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ($1, $2, $3)"


@pytest.fixture
def connection(server):
    with opened(server, Pooling="false") as connection:
        yield connection


def test_types_are_loaded_when_a_connection_opens(connection):
    # Npgsql gives a column its .NET type from what it has loaded, by PostgreSQL's names.
    assert int(connection.PostgreSqlVersion.Major) >= 14
    reader = command(connection, "SELECT * FROM time_series WHERE 1=0").ExecuteReader()
    columns = {
        reader.GetName(n): (reader.GetDataTypeName(n), reader.GetFieldType(n).Name)
        for n in range(reader.FieldCount)
    }
    reader.Close()
    assert columns["id"] == ("bigint", "Int64")
    assert columns["external_id"] == ("character varying(255)", "String")
    assert columns["is_string"] == ("boolean", "Boolean")
    assert columns["metadata"] == ("json", "String")
    assert columns["security_categories"] == ("bigint[]", "Array")
    assert columns["created_time"] == ("timestamp with time zone", "DateTime")


def test_a_row_with_named_parameters_is_stored(connection, store, series):
    assert run(connection, INSERT, series=series, time=moment(0), value=1.5) == 1
    assert store.points(series) == seconds([1.5])


def test_a_null_parameter_leaves_its_column_out(connection, store, series):
    insert = "INSERT INTO double_datapoints (external_id, id, timestamp, value) VALUES (@series, @id, @time, @value)"
    assert run(connection, insert, series=series, id=npgsql.NULL, time=moment(0), value=1.5) == 1
    assert store.points(series) == seconds([1.5])


def test_a_prepared_command_runs_many_times(connection, store, series):
    prepared = command(connection, INSERT, series=series, time=moment(0), value=0.0)
    prepared.Prepare()
    for second in range(20):
        prepared.Parameters["time"].Value = npgsql.value(moment(second))
        prepared.Parameters["value"].Value = npgsql.value(float(second))
        assert prepared.ExecuteNonQuery() == 1
    assert store.points(series) == seconds(float(n) for n in range(20))


def test_an_insert_of_many_rows_with_many_parameters_is_stored(connection, store, series):
    count = 500
    rows = ",".join(f"(@s, @t{n}, @v{n})" for n in range(count))
    values = {f"t{n}": moment(n) for n in range(count)} | {f"v{n}": n / 4 for n in range(count)}
    statement = f"INSERT INTO double_datapoints (external_id, timestamp, value) VALUES {rows}"
    assert run(connection, statement, s=series, **values) == count
    assert store.points(series) == seconds(n / 4 for n in range(count))


def test_two_statements_in_one_command_are_counted_together(connection, store, series):
    both = f"{INSERT}; {INSERT.replace('@time', '@later')}"
    assert run(connection, both, series=series, time=moment(0), later=moment(1), value=1.0) == 2
    assert store.points(series) == seconds([1.0, 1.0])


def batch(connection, rows):
    made = npgsql.Npgsql.NpgsqlBatch(connection)
    for row in rows:
        part = npgsql.Npgsql.NpgsqlBatchCommand(POSITIONAL)
        for given in row:
            parameter = npgsql.Npgsql.NpgsqlParameter()
            parameter.Value = npgsql.value(given)
            part.Parameters.Add(parameter)
        made.BatchCommands.Add(part)
    return made


def test_a_batch_is_stored_whole(connection, store, series):
    rows = [(series, moment(n), n / 2) for n in range(200)]
    assert batch(connection, rows).ExecuteNonQuery() == 200
    assert store.points(series) == seconds(n / 2 for n in range(200))


def test_a_bad_row_in_a_batch_discards_the_batch_and_names_its_place(connection, store, series):
    rows = [("x" * 256 if n == 3 else series, moment(n), 1.0) for n in range(5)]
    with pytest.raises(PostgresException) as caught:
        batch(connection, rows).ExecuteNonQuery()
    assert caught.value.SqlState == "22001"
    assert store.points(series) == []
    assert scalar(connection, "SELECT 1") == 1


def test_a_transaction_sends_begin_ahead_and_commits(connection, store, series):
    transaction = connection.BeginTransaction()
    run(connection, INSERT, series=series, time=moment(0), value=0.0)
    transaction.Save("before")
    run(connection, INSERT, series=series, time=moment(1), value=1.0)
    transaction.Rollback("before")
    run(connection, INSERT, series=series, time=moment(1), value=2.0)
    transaction.Save("after")
    transaction.Release("after")
    assert store.points(series) == []
    transaction.Commit()
    assert store.points(series) == seconds([0.0, 2.0])


def test_a_failed_transaction_is_rolled_back(connection, store, series):
    transaction = connection.BeginTransaction(npgsql.System.Data.IsolationLevel.Serializable)
    run(connection, INSERT, series=series, time=moment(0), value=0.0)
    with pytest.raises(PostgresException) as caught:
        run(connection, "INSERT INTO nowhere VALUES (1)")
    assert caught.value.SqlState == "42P01"
    transaction.Rollback()
    assert store.points(series) == []
    assert scalar(connection, "SELECT 1") == 1


@pytest.mark.parametrize("db_type", [Type.Json, Type.Jsonb, Type.Unknown], ids=["json", "jsonb", "unknown"])
def test_json_parameters_of_each_declared_type_are_stored(connection, store, raw_database, db_type):
    insert = "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) VALUES (@db, 't', 'k', @columns)"
    columns = npgsql.typed("columns", db_type, '{"a": [1, null, "æ"]}')
    assert run(connection, insert, db=raw_database, columns=columns) == 1
    assert store.raw(raw_database, "t") == {"k": {"a": [1, None, "æ"]}}


def test_an_error_carries_code_severity_and_position(connection):
    with pytest.raises(PostgresException) as caught:
        run(connection, "INSERT INTO double_datapoints (nonsense) VALUES (1)")
    assert caught.value.SqlState == "42703"
    assert caught.value.InvariantSeverity == "ERROR"
    assert 'column "nonsense" of relation "double_datapoints" does not exist' in caught.value.MessageText


def test_the_columns_of_a_table_are_probed_with_their_types(connection):
    reader = command(connection, "SELECT * FROM double_datapoints WHERE 1=0").ExecuteReader()
    names = [(reader.GetName(n), reader.GetDataTypeName(n)) for n in range(reader.FieldCount)]
    assert not reader.Read()
    reader.Close()
    assert names == [
        ("value", "double precision"),
        ("timestamp", "timestamp with time zone"),
        ("external_id", "character varying(255)"),
        ("id", "bigint"),
    ]


def pooled(server, series):
    """Options of a pool of one connection that no other test shares."""
    return {"Maximum_Pool_Size": "1", "Application_Name": series[-60:]}


def test_a_pooled_connection_is_reset_before_it_is_used_again(server, store, series):
    options = pooled(server, series)
    with opened(server, **options) as connection:
        process = connection.ProcessID
        run(connection, "SET timezone TO 'Asia/Tokyo'")
        run(connection, INSERT, series=series, time=moment(0), value=1.0)
    with opened(server, **options) as connection:
        assert connection.ProcessID == process
        assert scalar(connection, "SHOW timezone") != "Asia/Tokyo"
        run(connection, INSERT, series=series, time=moment(1), value=2.0)
        npgsql.Npgsql.NpgsqlConnection.ClearPool(connection)
    assert store.points(series) == seconds([1.0, 2.0])


def test_a_pooled_connection_with_prepared_statements_keeps_them_through_its_reset(server, store, series):
    options = pooled(server, series) | {"Max_Auto_Prepare": "10", "Auto_Prepare_Min_Usages": "1"}
    for second in range(4):
        with opened(server, **options) as connection:
            run(connection, INSERT, series=series, time=moment(second), value=float(second))
            if second == 3:
                npgsql.Npgsql.NpgsqlConnection.ClearPool(connection)
    assert store.points(series) == seconds([0.0, 1.0, 2.0, 3.0])


def test_a_pooled_connection_left_in_a_transaction_is_rolled_back(server, store, series):
    options = pooled(server, series)
    with opened(server, **options) as connection:
        connection.BeginTransaction()
        run(connection, INSERT, series=series, time=moment(0), value=1.0)
    with opened(server, **options) as connection:
        run(connection, INSERT, series=series, time=moment(1), value=2.0)
        npgsql.Npgsql.NpgsqlConnection.ClearPool(connection)
    assert [value for _, value in store.points(series)] == [2.0]
