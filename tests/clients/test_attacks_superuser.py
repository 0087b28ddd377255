"""More of a superuser's tricks: what nobody may do, and what stays with who did it."""

import contextlib

import psycopg
import pytest
from support.configured import ConfiguredGateway

pytestmark = pytest.mark.gateway_only

# All that another session could see of what one has done in its engine.
LOOK = """SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_type),
    (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM pg_event_trigger),
    (SELECT count(*) FROM pg_extension), (SELECT count(*) FROM pg_language), (SELECT count(*) FROM pg_cast),
    (SELECT count(*) FROM pg_operator), (SELECT count(*) FROM pg_prepared_xacts),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_foreign_server),
    (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_largeobject_metadata),
    (SELECT string_agg(rolname || rolsuper || rolcreaterole, ',' ORDER BY oid) FROM pg_roles),
    (SELECT string_agg(nspname || coalesce(nspacl::text, ''), ',' ORDER BY oid) FROM pg_namespace
        WHERE nspname !~ 'temp'),
    (SELECT md5(string_agg(prosrc || prosecdef, ',' ORDER BY oid)) FROM pg_proc),
    (SELECT md5(string_agg(relname || coalesce(relacl::text, ''), ',' ORDER BY oid)) FROM pg_class),
    current_user, session_user, current_setting('search_path'), current_setting('work_mem'),
    current_setting('role'), nullif(current_setting('a.b', true), ''),
    current_setting('transaction_read_only') FROM generate_series(1, 1)"""


@pytest.fixture(scope="module")
def look(target):
    with psycopg.connect(**target.server.keywords(autocommit=True)) as connection:
        return connection.execute(LOOK).fetchone()


@pytest.fixture
def connection(server, look):
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        yield connection


REFUSED = [
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT pg_stat_file('/etc/passwd')",
    "SELECT pg_ls_logdir(), pg_ls_waldir()",
    "SELECT lo_export(1, '/tmp/x')",
    "SELECT lo_import('/etc/passwd', 4711)",
    "COPY labels FROM '/etc/passwd'",
    "COPY labels FROM PROGRAM 'id'",
    "COPY (TABLE labels) TO PROGRAM 'id'",
    "SELECT pg_switch_wal()",
    "SELECT pg_rotate_logfile()",
    "SELECT pg_create_restore_point('x')",
    "SELECT pg_promote()",
    "SELECT pg_create_physical_replication_slot('x')",
    "SELECT pg_logical_emit_message(false, 'a', 'b'), pg_create_logical_replication_slot('a', 'b')",
    "SELECT set_config('session_preload_libraries', 'x', false), count(*) FROM pg_am",
    "SELECT set_config('log_statement', 'all', false), count(*) FROM pg_am",
    "SELECT set_config('allow_system_table_mods', 'on', false), count(*) FROM pg_am",
    "SELECT set_config('role', 'penstock', false), count(*) FROM pg_am",
    "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()",
    "CREATE EXTENSION dblink",
    "CREATE SUBSCRIPTION s CONNECTION 'host=localhost' PUBLICATION p",
    "CREATE PUBLICATION p FOR ALL TABLES",
    "CREATE SERVER s FOREIGN DATA WRAPPER w",
    "CREATE FOREIGN DATA WRAPPER w",
    "CREATE LANGUAGE l HANDLER h",
    "CREATE CAST (text AS int) WITH INOUT",
    "CREATE ROLE r SUPERUSER",
    "CREATE DATABASE d",
    "CREATE TABLESPACE t LOCATION '/tmp'",
    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE c AS '/lib/x86_64-linux-gnu/libc.so.6', 'abort'",
    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE internal AS 'pg_backend_pid'",
    "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER DATABASE writer SET search_path = 'x'",
    "ALTER ROLE ALL SET search_path = 'x'",
    "ALTER TABLE labels DISABLE TRIGGER ALL",
    "ALTER TABLE pg_catalog.pg_class ADD COLUMN a int",
    "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC",
    "CREATE RULE r AS ON SELECT TO labels DO INSTEAD SELECT 1",
    "CREATE TRIGGER t BEFORE INSERT ON labels EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE POLICY p ON labels",
    "GRANT penstock TO PUBLIC",
    "UPDATE pg_catalog.pg_authid SET rolsuper = true",
    "UPDATE pg_catalog.pg_proc SET prosecdef = true",
    "UPDATE pg_catalog.pg_class SET relacl = NULL",
    "INSERT INTO pg_catalog.pg_class SELECT * FROM pg_class LIMIT 1",
    "DELETE FROM pg_catalog.pg_attribute WHERE lower(attname::text) = 'name'",
    "SELECT pg_cancel_backend(1), pg_terminate_backend(1) FROM pg_am",
    "PREPARE TRANSACTION 'x'",
    "REASSIGN OWNED BY penstock TO PUBLIC",
    "SECURITY LABEL ON TABLE labels IS 'x'",
    "CHECKPOINT",
    "CLUSTER",
]


@pytest.mark.parametrize("statement", REFUSED)
@pytest.mark.parametrize("owns", [False, True], ids=["shared", "owned"])
def test_nobody_may(server, connection, look, statement, owns):
    if owns:
        connection.execute("CREATE TEMP TABLE mine (a int)")
    with pytest.raises(psycopg.Error) as refused:
        connection.execute(statement)
        # Some are found out when their transaction ends.
        connection.execute("SELECT 1")
    assert refused.value.sqlstate[:2] in {"42", "0A", "25", "22", "55"}, refused.value
    assert not connection.closed
    connection.close()
    assert_unseen(server, look)


def assert_unseen(server, look) -> None:
    with psycopg.connect(**server.keywords(autocommit=True)) as other:
        assert other.execute(LOOK).fetchone() == look


def as_owner(statements: str) -> str:
    return f"DO $$ BEGIN SET SESSION AUTHORIZATION penstock; {statements} END $$"


OWNERS = [
    "SET allow_system_table_mods = on; UPDATE pg_proc SET prosrc = 'int4um' WHERE proname = 'upper';",
    "UPDATE pg_class SET relacl = NULL;",
    "UPDATE pg_authid SET rolsuper = true;",
    "CREATE FUNCTION public.f() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT ''x''::text';",
    "GRANT ALL ON SCHEMA public TO PUBLIC;",
    "CREATE TABLE public.evil (a int); CREATE SCHEMA evil;",
    "CREATE ROLE evil SUPERUSER;",
    "PERFORM pg_advisory_lock(4711);",
    "PERFORM lo_create(4711);",
    "PERFORM set_config('a.b', 'evil', false);",
    "PERFORM set_config('search_path', 'evil', false);",
    "CREATE CAST (text AS int) WITH INOUT;",
    "CREATE PUBLICATION p FOR ALL TABLES;",
    "ALTER TABLE labels DISABLE TRIGGER ALL;",
    "INSERT INTO labels (external_id, name) VALUES ('evil', 'evil');",
    "DROP TABLE labels CASCADE;",
    "DELETE FROM pg_attribute WHERE attrelid = 'labels'::regclass;",
    "ALTER DATABASE writer SET work_mem = '77MB';",
    "DROP OWNED BY writer;",
]


@pytest.mark.parametrize("statements", OWNERS)
@pytest.mark.parametrize("owns", [False, True], ids=["shared", "owned"])
def test_what_the_owner_within_an_engine_does_is_its_sessions_alone(server, store, look, statements, owns):
    try:
        with psycopg.connect(**server.keywords(autocommit=True)) as connection:
            if owns:
                connection.execute("CREATE TEMP TABLE mine (a int)")
            connection.execute(as_owner(statements))
            connection.execute("SELECT count(*) FROM generate_series(1, 2)")
    except psycopg.Error:
        # It may hurt itself.
        pass
    assert_unseen(server, look)
    assert store.client.labels.list(external_id_prefix="evil") == []


def test_locks_and_settings_end_with_their_session(server, look):
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        connection.execute("CREATE TEMP TABLE mine (a int)")
        connection.execute("SELECT pg_advisory_lock(4711) FROM mine")
        connection.execute("SELECT pg_advisory_lock(n) FROM generate_series(1, 3) AS n")
        connection.execute("SELECT set_config('a.b', 'evil', false) FROM generate_series(1, 1)")
    assert_unseen(server, look)


def test_another_user_sees_nothing_of_it(tmp_path, local_cdf):
    other = {"name": "other", "password": "a-long-password", "cdf": "plant"}
    engine = {"engines_max": 1, "spares": 0}
    with ConfiguredGateway(tmp_path, local_cdf.url, engine=engine, users=[other]) as gateway:

        def seen() -> tuple:
            keywords = gateway.server.keywords(user="other", password="a-long-password", dbname="other")
            with psycopg.connect(**keywords, autocommit=True) as second:
                return second.execute(LOOK).fetchone()

        before = seen()
        assert before[18:20] == ("other", "other")
        for statements in OWNERS:
            with psycopg.connect(**gateway.server.keywords(autocommit=True)) as first:
                with contextlib.suppress(psycopg.Error):
                    first.execute(as_owner(statements))
        assert seen() == before
