"""Statements that would take all memory, disk or time: they are ended, and what follows is as before."""

import contextlib
import pathlib
import tempfile

import psycopg
import pytest
from support.configured import ConfiguredGateway
from support.engines import processes

pytestmark = pytest.mark.gateway_only

MEMORY = 256 << 20
DISK = 200 << 20
# A gateway is no smaller for having refused something large.
MEMORY_OF_GATEWAY = 400 << 20


@pytest.fixture(scope="module")
def gateway(local_cdf, tmp_path_factory):
    # Names of sockets have to be short.
    with tempfile.TemporaryDirectory(prefix="engines-", ignore_cleanup_errors=True) as files:
        engine = {"memory_bytes_max": MEMORY, "disk_bytes_max": DISK, "engines_max": 2, "directory": files}
        directory = tmp_path_factory.mktemp("exhaustion")
        with ConfiguredGateway(directory, local_cdf.url, engine=engine) as gateway:
            yield gateway


@pytest.fixture
def connection(gateway):
    # What ends an engine of the session's own ends the session.
    with contextlib.suppress(psycopg.OperationalError):
        with psycopg.connect(**gateway.server.keywords(autocommit=True)) as connection:
            yield connection


def is_clean(gateway) -> None:
    """The next session finds nothing of it, and the gateway has kept none of it."""
    with psycopg.connect(**gateway.server.keywords(autocommit=True)) as next_one:
        told = next_one.execute(
            "SELECT count(*), (SELECT count(*) FROM pg_class WHERE relname ~ 'endless|big'),"
            " current_setting('work_mem') FROM generate_series(1, 3)"
        ).fetchone()
    assert told == (3, 0, "4MB")
    assert len(processes(gateway.process.pid)) <= 3
    status = pathlib.Path(f"/proc/{gateway.process.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident * 1024 < MEMORY_OF_GATEWAY


ENDLESS = [
    "SELECT count(*) FROM generate_series(1, 100000) AS a, generate_series(1, 100000) AS b",
    "SELECT count(*) FROM pg_class AS a, pg_class AS b, pg_class AS c, pg_class AS d",
    "WITH RECURSIVE endless (n) AS (VALUES (1) UNION ALL SELECT n FROM endless) SELECT count(*) FROM endless WHERE n > 1",
    "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' ~ '^(((a+)+)+)+$', pg_sleep(600)",
    "DO $$ BEGIN LOOP END LOOP; END $$",
]


@pytest.mark.parametrize("statement", ENDLESS)
def test_a_statement_without_end_is_ended_by_its_time_out(gateway, connection, statement):
    connection.execute("SET statement_timeout = '2s'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute(statement)
    connection.execute("SET statement_timeout = 0")
    assert connection.execute("SELECT count(*) FROM generate_series(1, 3)").fetchone() == (3,)
    is_clean(gateway)


GREEDY = [
    ("SELECT length(repeat('x', 1000000000))", {"53400", "53200"}),
    ("SELECT length(repeat('x', 2000000000))", {"54000", "53400", "53200"}),
    (
        "SELECT count(*) FROM (SELECT repeat(md5(n::text), 30000) AS t FROM generate_series(1, 5000) AS n) AS s"
        " WHERE length(t) > 0 AND array_length(ARRAY(SELECT repeat('y', 1000000) FROM generate_series(1, 2000)), 1) > 0",
        {"53400", "53200", "54000"},
    ),
    (
        "SELECT array_agg(repeat(md5(n::text), 1000)) FROM generate_series(1, 100000) AS n",
        {"53400", "53200", "54000"},
    ),
    (
        "SELECT string_agg(repeat('x', 1000), '') FROM generate_series(1, 10000000)",
        {"53400", "53200", "54000"},
    ),
    (
        "SELECT md5(n::text) FROM generate_series(1, 100000000) AS n ORDER BY 1 LIMIT 1",
        {"53400", "53200", "53100"},
    ),
    (
        "WITH RECURSIVE endless (n, t) AS (VALUES (1, '') UNION SELECT n + 1, repeat(md5(n::text), 50) FROM endless)"
        " SELECT count(*) FROM endless",
        {"53400", "53200", "53100"},
    ),
    (
        "CREATE TEMP TABLE big AS SELECT n, repeat(md5(n::text), 20) AS t FROM generate_series(1, 100000000) AS n",
        {"53400", "53200", "53100"},
    ),
    ("DO $$ DECLARE t text := 'x'; BEGIN LOOP t := t || t; END LOOP; END $$", {"53400", "53200", "54000"}),
    (
        "WITH RECURSIVE f (n) AS (SELECT 1 UNION ALL SELECT 1) SELECT repeat('(', 100000)::json FROM f",
        {"22P02", "54001", "53400", "53200"},
    ),
    ("SELECT " + "(" * 20000 + "1" + ")" * 20000, {"54001", "42601", "58000"}),
    ("SELECT " + " + ".join(["1"] * 100_000), {"54001", "58000"}),
]


@pytest.mark.parametrize(("statement", "codes"), GREEDY, ids=[statement[:60] for statement, _ in GREEDY])
def test_a_statement_that_takes_too_much_is_ended_with_what_it_lacks(gateway, connection, statement, codes):
    connection.execute("SET statement_timeout = '60s'")
    with pytest.raises(psycopg.Error) as ended:
        connection.execute(statement)
    assert ended.value.sqlstate in codes, ended.value
    is_clean(gateway)


def chain(operator: str, length: int, item: str = "id = 1") -> str:
    return operator.join([item] * length)


DEEP = [
    "SELECT count(*) FROM assets WHERE " + chain(" OR ", 300),
    "SELECT count(*) FROM assets WHERE " + chain(" OR ", 20_000),
    "SELECT count(*) FROM assets WHERE " + chain(" AND ", 20_000, "id <> 1"),
    "EXPLAIN SELECT count(*) FROM assets WHERE " + chain(" OR ", 20_000),
    "EXPLAIN (ANALYZE) SELECT count(*) FROM assets WHERE " + chain(" OR ", 3_000),
    "COPY (SELECT 1 FROM assets WHERE " + chain(" OR ", 20_000) + ") TO STDOUT",
    "SELECT count(*) FROM (" + chain(" UNION ALL ", 300, "SELECT name FROM assets") + ") AS a",
    "UPDATE assets SET name = 'x' WHERE " + chain(" OR ", 20_000, "external_id = 'nobody'"),
    "DELETE FROM assets WHERE lower(name) = 'x' AND (" + chain(" OR ", 20_000) + ")",
    "SELECT " + "(" * 40 + "1" + ")" * 40 + " FROM assets WHERE name = " + chain(" || ", 300, "'x'"),
    "SELECT count(*) FROM assets WHERE id IN (" + ", ".join(map(str, range(1, 50_000))) + ")",
    "SELECT " + "(" * 3_000 + "1" + ")" * 3_000,
    "INSERT INTO assets (name) VALUES (" + "(" * 3_000 + "'x'" + ")" * 3_000 + ")",
]


@pytest.mark.parametrize("statement", DEEP, ids=[statement[:60] for statement in DEEP])
@pytest.mark.parametrize("is_prepared", [False, True], ids=["simple", "prepared"])
def test_a_statement_of_any_depth_leaves_the_gateway_up(gateway, connection, statement, is_prepared):
    wire = connection.pgconn
    result = wire.exec_params(statement.encode(), []) if is_prepared else wire.exec_(statement.encode())
    status = psycopg.pq.ExecStatus
    if result.status == status.COPY_OUT:
        while wire.get_copy_data(0)[0] > 0:
            pass
        result = wire.get_result()
        assert wire.get_result() is None
    answers = {status.TUPLES_OK, status.COMMAND_OK}
    code = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
    assert result.status in answers or code in {b"54000", b"54001"}, result.error_message
    assert connection.execute("SELECT count(*) FROM generate_series(1, 3)").fetchone() == (3,)
    is_clean(gateway)


def test_many_parameters_and_columns_are_counted(gateway, connection):
    with pytest.raises(psycopg.Error) as refused:
        connection.execute("SELECT " + ", ".join(["1"] * 2000) + " FROM generate_series(1, 2)")
    assert refused.value.sqlstate == "54011"
    is_clean(gateway)
