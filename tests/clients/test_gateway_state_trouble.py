"""What schema penstock shows while CDF makes trouble, and that nobody sees what is another's."""

import time

import psycopg
import pytest
from support.binary import PROJECT, USER
from support.configured import ConfiguredGateway
from support.emulator import Emulator
from support.local_cdf import LocalCdf
from support.samples import unique

pytestmark = pytest.mark.gateway_only

OTHER = "other"
OTHER_PASSWORD = "the other's password"
WITHIN_S = 60
BUSY = "SELECT FROM penstock.queues WHERE state <> 'idle' OR journal_records + parked_records > 0"
RELATIONS = ["budgets", "connections", "dead_letters", "queues"]


class Plant:
    """A gateway with a journal and dead letters, two users of one project, and a CDF of its own."""

    def __init__(self, directory):
        self.cdf = LocalCdf(directory / "cdf.log", "--project", PROJECT)
        self.emulator = Emulator(self.cdf.url)
        self.gateway = ConfiguredGateway(
            directory,
            self.cdf.url,
            journal={"directory": str(directory / "journal"), "parked_retry_s": 1},
            dead_letters={"directory": str(directory / "letters")},
            retry={"initial_interval_ms": 20, "interval_max_ms": 200},
            pacing={"breaker_failures": 0},
            users=[{"name": OTHER, "password": OTHER_PASSWORD, "cdf": "second"}],
            **{"cdf.second": {"base_url": self.cdf.url, "project": PROJECT, "token": "another-token"}},
        )

    def connect(self, user: str = USER) -> psycopg.Connection:
        keywords = self.gateway.server.keywords(autocommit=True)
        if user == OTHER:
            keywords |= {"user": OTHER, "password": OTHER_PASSWORD, "dbname": "postgres"}
        return psycopg.connect(**keywords)

    def refuse(self, **rule) -> None:
        self.emulator.inject(**({"kind": "status", "operation": "raw.rows.insert"} | rule))

    def stop(self) -> None:
        self.gateway.process.stop()
        self.cdf.stop()


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    plant = Plant(tmp_path_factory.mktemp("plant"))
    with plant.connect() as connection:
        # The engine is there from here on.
        connection.execute("SELECT max(n) FROM generate_series(1, 2) AS n")
    yield plant
    plant.stop()


@pytest.fixture
def connection(plant):
    with plant.connect() as connection:
        yield connection
        # The next test's faults are for its own rows.
        plant.emulator.clear_faults()
        await_row(connection, f"SELECT 1 WHERE NOT EXISTS ({BUSY})")


def insert(connection, key: str) -> None:
    connection.execute(
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)"
        """ VALUES ('state', 't', %s, '{"a": "of this key"}')""",
        (key,),
    )


def await_row(connection, question: str, parameters=()):
    """The first row of a question, once there is one."""
    deadline = time.monotonic() + WITHIN_S
    while (row := connection.execute(question, parameters).fetchone()) is None:
        assert time.monotonic() < deadline, question
        time.sleep(0.1)
    return row


def everything(connection) -> str:
    """All that a user can read of the gateway's state."""
    rows = [connection.execute(f"SELECT * FROM penstock.{relation}").fetchall() for relation in RELATIONS]
    return repr(rows)


def test_a_journaled_row_that_cdf_refuses_appears_with_its_reason(plant, connection):
    plant.refuse(status=400, message="no such thing", count=1)
    key = unique("refused")
    connection.execute("SET penstock.ack = 'journaled'")
    insert(connection, key)
    row = await_row(
        connection,
        "SELECT state, source, project, table_name, action, sqlstate, message || coalesce(detail, ''),"
        " cdf_code, row_values ->> '_raw_columns', acknowledged_time <= refused_time, replays"
        " FROM penstock.dead_letters WHERE key ->> 2 = %s",
        (key,),
    )
    assert row[:6] == ("open", "journaled", PROJECT, "raw_rows", "insert", "22023")
    assert "no such thing" in row[6]
    assert row[7:] == (400, '{"a": "of this key"}', True, 0)


def test_conditions_narrow_what_is_read_of_dead_letters(plant, connection):
    connection.execute("SET penstock.ack = 'journaled'")
    keys = [unique("narrow") for _ in range(3)]
    for key in keys:
        plant.refuse(status=400, count=1)
        insert(connection, key)
        await_row(connection, "SELECT 1 FROM penstock.dead_letters WHERE key ->> 2 = %s", (key,))
    letters = connection.execute(
        "SELECT id, key ->> 2 FROM penstock.dead_letters WHERE key ->> 2 = ANY (%s) ORDER BY id", (keys,)
    ).fetchall()
    assert [key for _, key in letters] == keys
    (first, _), (second, _), _ = letters
    question = "SELECT count(*) FROM penstock.dead_letters WHERE key ->> 2 = ANY (%s) AND "
    for condition, count in [
        ("state = 'open' AND source = 'journaled' AND table_name = 'raw_rows'", 3),
        ("sqlstate = '22023'", 3),
        ("sqlstate = '23505'", 0),
        ("state = 'no such state'", 0),
        ("table_name = 'assets'", 0),
        (f"id > {first}", 2),
        (f"id >= {second}", 2),
        (f"id = {second}", 1),
        (f"id = {second} AND id = {first}", 0),
        (f"id < {second}", 1),
    ]:
        assert connection.execute(question + condition, (keys,)).fetchone() == (count,), condition


def test_who_has_the_name_of_a_user_of_another_project_sees_none_of_their_dead_letters(tmp_path):
    cdf = LocalCdf(tmp_path / "cdf.log", "--project", PROJECT)
    sections = {
        "journal": {"directory": str(tmp_path / "journal")},
        "dead_letters": {"directory": str(tmp_path / "letters")},
    }
    count = "SELECT count(*) FROM penstock.dead_letters"

    def gateway(project: str):
        return ConfiguredGateway(
            tmp_path, cdf.url, {"token": "any-token-will-do", "project": project}, **sections
        )

    with gateway(PROJECT) as first, psycopg.connect(**first.server.keywords(autocommit=True)) as connection:
        Emulator(cdf.url).inject(kind="status", operation="raw.rows.insert", status=400, count=1)
        connection.execute("SET penstock.ack = 'journaled'")
        insert(connection, unique("named"))
        await_row(connection, f"{count} HAVING count(*) = 1")
    with gateway("another-project") as second, psycopg.connect(**second.server.keywords()) as connection:
        assert connection.execute(count).fetchone() == (0,)
    with gateway(PROJECT) as again, psycopg.connect(**again.server.keywords()) as connection:
        assert connection.execute(count).fetchone() == (1,)
    cdf.stop()


def test_rows_that_cdf_does_not_take_are_shown_waiting_and_then_no_more(plant, connection):
    plant.refuse(status=503, message="closed for repair")
    connection.execute("SET penstock.ack = 'journaled'")
    for _ in range(3):
        insert(connection, unique("late"))
    question = (
        "SELECT state, reason, requested_rows + waiting_rows, oldest_age_s >= 0, parked_records"
        " FROM penstock.queues WHERE resource = 'raw_rows'"
    )
    row = await_row(connection, question + " AND reason LIKE '%%closed for repair%%'")
    assert row[0] in ("retrying", "held")
    assert row[2:] == (3, True, 0)
    plant.emulator.clear_faults()
    row = await_row(connection, question + " AND state = 'idle'")
    assert row[1:] == (None, 0, None, 0)


def test_rows_of_a_principal_that_may_not_write_are_shown_as_parked(plant, connection):
    plant.refuse(status=403, message="not yours")
    connection.execute("SET penstock.ack = 'journaled'")
    insert(connection, unique("parked"))
    question = "SELECT state FROM penstock.queues WHERE resource = 'raw_rows' AND parked_records "
    assert await_row(connection, question + "= 1 AND state = 'stopped'")
    plant.emulator.clear_faults()
    assert await_row(connection, question + "= 0 AND state = 'idle'")


def test_a_budget_that_cdf_throttles_tells_it(plant, connection):
    question = (
        "SELECT throttled, throttled_time IS NOT NULL, reason FROM penstock.budgets"
        " WHERE scope = 'operation' AND budget = 'insert_raw_rows'"
    )
    insert(connection, unique("before"))
    (before, _, _) = connection.execute(question).fetchone()
    plant.refuse(status=429, message="slow down", count=2)
    insert(connection, unique("throttled"))
    throttled, has_time, reason = connection.execute(question).fetchone()
    assert (throttled, has_time) == (before + 2, True)
    assert "slow down" in reason


def test_budgets_show_what_is_kept_and_what_is_spent(plant, connection):
    insert(connection, unique("spent"))
    rows = connection.execute(
        "SELECT scope, window_s, window_bytes > available_bytes, spent_bytes > 0, slots"
        " FROM penstock.budgets WHERE budget = 'raw_rows' ORDER BY scope"
    ).fetchall()
    assert rows == [("identity", 600, True, True, 48), ("project", 600, True, True, None)]


def test_a_pause_that_cdf_asks_for_is_shown_with_its_end(plant, connection):
    with plant.connect() as writer:
        writer.execute("SET penstock.ack = 'journaled'")
        plant.refuse(status=429, headers={"Retry-After": "15"}, count=1)
        insert(writer, unique("paused"))
        (is_ahead,) = await_row(
            connection,
            "SELECT until_time > now() - interval '1 min' FROM penstock.budgets"
            " WHERE budget = 'insert_raw_rows' AND state = 'paused'",
        )
        assert is_ahead


def test_nobody_sees_what_is_another_users(plant, connection):
    secret = unique("secret")
    plant.refuse(status=400, message=f"not {secret}", count=1)
    connection.execute("SET penstock.ack = 'journaled'")
    connection.execute(f"SET application_name = '{secret}'")
    insert(connection, secret)
    await_row(connection, "SELECT 1 FROM penstock.dead_letters WHERE key ->> 2 = %s", (secret,))
    plant.refuse(status=503, message=f"closed for {secret}")
    insert(connection, f"{secret}-waits")
    await_row(connection, "SELECT 1 FROM penstock.queues WHERE reason LIKE %s", (f"%{secret}%",))
    assert secret in everything(connection)
    with plant.connect(OTHER) as other:
        seen = everything(other)
        assert secret not in seen
        assert USER not in seen.replace(PROJECT, "")
        assert other.execute("SELECT count(*) FROM penstock.dead_letters").fetchone() == (0,)
        assert other.execute("SELECT DISTINCT user_name FROM penstock.connections").fetchall() == [(OTHER,)]
        assert other.execute("SELECT count(*) FROM penstock.connections").fetchone() == (1,)
        # The project's budgets are everybody's; the principal's and its operations are not.
        scopes = other.execute("SELECT DISTINCT scope FROM penstock.budgets").fetchall()
        assert scopes == [("project",)]
        rows = other.execute(
            "SELECT coalesce(sum(waiting_rows + requested_rows + parked_records), 0) FROM penstock.queues"
        ).fetchone()
        assert rows == (0,)
