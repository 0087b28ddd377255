"""Superuser's tricks in an engine: refused, or contained in it and gone with it."""

import os
import pathlib

import psycopg
import pytest

pytestmark = pytest.mark.gateway_only


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("SELECT pg_read_file('/etc/passwd')", "42501"),
        ("SELECT pg_ls_dir('/')", "42501"),
        ("SELECT lo_import('/etc/passwd')", "42501"),
        ("SELECT * FROM pg_authid", "42501"),
        ("SELECT pg_reload_conf()", "42501"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", "42501"),
        ("SELECT current_setting('data_directory')", "42501"),
        ("COPY (SELECT 1) TO PROGRAM 'id'", "0A000"),
        ("COPY (SELECT 1) TO '/tmp/x'", "0A000"),
        ("SET SESSION AUTHORIZATION penstock", "42501"),
        ("SET ROLE penstock", "42501"),
        ("DROP TABLE assets", "42501"),
        ("ALTER TABLE assets ADD COLUMN a int", "42501"),
        ("CREATE TABLE stays (a int)", "0A000"),
        ("CREATE EXTENSION plpgsql", "0A000"),
        ("LOAD 'plpgsql'", "0A000"),
        ("ALTER SYSTEM SET work_mem = '1GB'", "0A000"),
        ("ALTER ROLE penstock NOSUPERUSER", "0A000"),
        ("VACUUM", "0A000"),
    ],
)
def test_what_only_a_superuser_may_do_is_refused(connection, statement, sqlstate):
    with pytest.raises(psycopg.Error) as refused:
        connection.execute(statement)
    assert refused.value.sqlstate == sqlstate, refused.value
    # The session goes on, as nobody else.
    name = connection.info.user
    assert connection.execute("SELECT current_user, session_user").fetchone() == (name, name)


def as_owner(statements: str) -> str:
    """A block that makes itself the owner of the tables in its engine, which nothing there can forbid."""
    return f"DO $$ BEGIN SET SESSION AUTHORIZATION penstock; {statements} END $$"


def test_who_becomes_the_owner_within_an_engine_is_the_user_again_afterwards(connection):
    connection.execute(as_owner("ALTER ROLE penstock CREATEROLE;"))
    row = connection.execute(
        "SELECT current_user, session_user, rolsuper FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row == (connection.info.user, connection.info.user, False)


def test_the_owner_within_an_engine_reaches_no_file_and_no_program_of_the_machine(connection, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("plant keys")
    told = []
    connection.add_notice_handler(lambda notice: told.append(notice.message_primary))
    for statements in (
        f"RAISE NOTICE '%', pg_read_file('{secret}');",
        "RAISE NOTICE '%', pg_read_file('/proc/self/environ');",
        "EXECUTE 'COPY (SELECT 1) TO PROGRAM ''id''';",
        f"EXECUTE 'COPY (SELECT 1) TO ''{tmp_path}/written''';",
    ):
        with pytest.raises(psycopg.Error):
            connection.execute(as_owner(statements))
    assert told == []
    assert os.listdir(tmp_path) == ["secret"]


def test_what_the_owner_within_an_engine_makes_is_seen_by_no_other_session(server, connection):
    connection.execute(as_owner("CREATE TABLE public.evil (a int);"))
    with psycopg.connect(**server.keywords(autocommit=True)) as other:
        for either in (connection, other):
            with pytest.raises(psycopg.errors.UndefinedTable):
                either.execute("SELECT * FROM public.evil")


def test_a_flood_of_sleepers_leaves_room_for_others_when_they_go(server):
    sleepers = [psycopg.connect(**server.keywords(autocommit=True)) for _ in range(3)]
    for sleeper in sleepers:
        sleeper.pgconn.send_query(b"SELECT pg_sleep(600)")
    for sleeper in sleepers:
        sleeper.cancel_safe()
        sleeper.close()
    with psycopg.connect(**server.keywords(autocommit=True)) as connection:
        assert connection.execute("SELECT max(n) FROM generate_series(1, 3) AS n").fetchone() == (3,)


def test_settings_of_a_statement_do_not_outlive_its_session(server, connection):
    connection.execute("SELECT set_config('search_path', 'pg_catalog', false), count(*) FROM pg_class")
    connection.execute("DO $$ BEGIN PERFORM set_config('work_mem', '77MB', false); END $$")
    connection.close()
    with psycopg.connect(**server.keywords(autocommit=True)) as other:
        row = other.execute(
            "SELECT current_setting('search_path'), current_setting('work_mem'), count(*) > 0 FROM pg_class"
        ).fetchone()
        assert row[0] == '"$user", public'
        assert row[1] != "77MB"


def test_engines_files_are_the_gateways_alone(connection, target):
    connection.execute("SELECT count(*) FROM pg_class")
    directories = [
        directory
        for directory in pathlib.Path("/tmp").glob(f"penstock-engine-{target.process.pid}-*")
        if directory.is_dir()
    ]
    assert directories
    assert all(directory.stat().st_mode & 0o077 == 0 for directory in directories)
