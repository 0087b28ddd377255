"""psql 15 and what it asks about tables: its backslash commands, its completion of names; how it is
cancelled, how it connects again, how it shows each type."""

import json
import os
import pty
import re
import select
import signal
import subprocess

import pytest
from support import every_type
from support.psql import program, psql
from support.samples import unique
from support.silence import END_WHEN_SILENT, until_one_is_ended

WITHIN_S = 30


@pytest.fixture(scope="module")
def target(typed_target):
    return typed_target


@pytest.mark.gateway_only
@pytest.mark.parametrize(
    ("command", "part"),
    [
        (r"\dt", "public|assets|table|penstock"),
        (r"\dt cdf.*", "cdf|double_datapoints|table|penstock"),
        (r"\dt+ assets", "Assets"),
        (r"\d", "public|time_series|table|penstock"),
        (r"\d assets", "external_id|character varying(255)|||"),
        (r"\d assets_pkey", "external_id|character varying(255)|yes|external_id"),
        (r"\d+ time_series", "security_categories|bigint[]"),
        (rf"\d {every_type.TABLE}", "reals|real[]"),
        (r"\dn+", "cdf|penstock|"),
        (r"\du", "writer|"),
        (r"\dg", "penstock|"),
        (r"\df lower", "pg_catalog|lower|text|text|func"),
        (r"\dT json", "pg_catalog|json|"),
        (r"\di", "public|assets_pkey|index|penstock|assets"),
        (r"\dp assets", "public|assets|table|"),
        (r"\dd", ""),
        (r"\ds", ""),
        (r"\dv", ""),
        (r"\dm", ""),
        (r"\dx", ""),
        (r"\dy", ""),
        (r"\des", ""),
        (r"\dL", "plpgsql|"),
        (r"\dC integer", "integer|bigint|"),
        (r"\da count", "pg_catalog|count|bigint|"),
        (r"\db", "pg_default|"),
        (r"\drds", ""),
        (r"\conninfo", 'database "writer" as user "writer"'),
        (r"\encoding", "UTF8"),
        (r"\sf pg_catalog.lpad(text,integer)", "CREATE OR REPLACE FUNCTION pg_catalog.lpad"),
    ],
)
def test_a_backslash_command_shows_what_there_is(server, command, part):
    done = psql(server, "-c", command)
    assert done.code == 0, done.error
    assert done.error == "" or "Did not find any" in done.error
    assert part in done.out, done.out


@pytest.mark.gateway_only
def test_a_table_is_described_with_types_keys_and_comment(server):
    done = psql(server, "-c", r"\d+ assets", "-c", r"\dt+ assets")
    lines = done.lines
    assert any(line.startswith("external_id|character varying(255)|||") for line in lines), lines
    assert any(line.startswith("metadata|json|||") for line in lines), lines
    assert any(line.startswith("public|assets|table|penstock|permanent|heap|") for line in lines), lines
    assert lines[-1].split("|")[-1].startswith("Assets")


@pytest.mark.gateway_only
def test_the_footer_of_a_table_names_its_key(server):
    # Rows only, as other tests have them, means without footers.
    done = psql(server, "-P", "tuples_only=off", "-c", r"\d assets")
    assert "Indexes:" in done.lines
    assert '    "assets_pkey" PRIMARY KEY, btree (external_id)' in done.lines


@pytest.mark.gateway_only
def test_a_table_that_is_not_there_is_not_found(server):
    done = psql(server, "-c", r"\d nowhere")
    assert (done.code, done.out) == (1, "")
    assert 'Did not find any relation named "nowhere".' in done.error


@pytest.mark.gateway_only
@pytest.mark.parametrize("command", [r"\l", r"\dO"])
def test_commands_that_psql_15_cannot_ask_a_postgresql_17_name_the_column(server, command):
    # PostgreSQL 17 has renamed columns: psql 17 asks for datlocale, and for colllocale.
    done = psql(server, "-c", command)
    assert done.code == 1
    assert "iculocale" in done.error


class Terminal:
    """psql as a person has it: on a terminal, with completion by the tabulator key."""

    def __init__(self, server):
        self._master, slave = pty.openpty()
        environment = server.environment(TERM="dumb", PAGER="cat", INPUTRC="/dev/null")
        self.child = subprocess.Popen(
            [program(), "-X", "-v", r"PROMPT1=ready> "],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def await_text(self, pattern: str) -> re.Match:
        """Returns once the terminal shows it; what is shown up to there is not looked at again."""
        while not (found := re.search(pattern, self.shown)):
            assert self.says_more_within(WITHIN_S), f"no {pattern!r} in {self.shown!r}"
            self.read()
        self.shown = self.shown[found.end() :]
        return found

    def says_more_within(self, seconds: float) -> bool:
        readable, _, _ = select.select([self._master], [], [], seconds)
        return bool(readable)

    def read(self) -> None:
        try:
            self.shown += os.read(self._master, 65536).decode("utf-8", "replace")
        except OSError as error:
            # Nobody has the terminal open any more.
            raise AssertionError(f"psql ended with {self.child.wait()}, it showed {self.shown!r}") from error

    def interrupt(self) -> None:
        os.kill(self.child.pid, signal.SIGINT)

    def __enter__(self):
        self.await_text("ready> ")
        return self

    def __exit__(self, *_):
        self.type("\\q\n")
        try:
            self.child.wait(WITHIN_S)
        finally:
            self.child.kill()
            self.child.wait()
            os.close(self._master)


@pytest.mark.gateway_only
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("SELECT * FROM extraction_pipeline_r", "extraction_pipeline_runs"),
        ("INSERT INTO double_d", "double_datapoints"),
        ("UPDATE asse", "assets"),
        ("DELETE FROM every", "every_type"),
        ("TABLE cdf.data_", "cdf.data_sets"),
        ("\\d sequence_", "sequence_rows"),
        ("ALTER TABLE sequence_", "sequence_rows"),
        ("SELECT * FROM assets WHERE parent_external_", "parent_external_id"),
        ("SET search_pa", "search_path"),
        ("\\df array_to_js", "array_to_json"),
    ],
)
def test_the_tabulator_key_completes_names(server, typed, completed):
    with Terminal(server) as terminal:
        terminal.type(typed + "\t")
        terminal.await_text(re.escape(completed))
        # Forgets the line, so that psql can be told to end.
        terminal.type("\x15")


def test_control_c_cancels_the_statement_and_not_psql(server):
    with Terminal(server) as terminal:
        terminal.type("SELECT 40 + 2 AS before;\n")
        terminal.await_text(r"\b42\b")
        terminal.type("\\set ECHO queries\n")
        terminal.type("\\set what rows\n")
        terminal.type("SELECT count(*) AS :what FROM generate_series(1, 1000000000000) AS n;\n")
        # Shown so only when psql sends it: an interrupt before that would take the line back. One
        # that comes just then may find nothing to cancel yet.
        terminal.await_text("AS rows FROM")
        while "canceling statement due to user request" not in terminal.shown:
            terminal.interrupt()
            while terminal.says_more_within(2):
                terminal.read()
        terminal.await_text("canceling statement due to user request")
        terminal.type("SELECT 6 * 7 AS after;\n")
        terminal.await_text(r"\b42\b")


@pytest.mark.gateway_only
def test_psql_connects_again_when_the_server_has_ended_its_connection(server, target):
    with Terminal(server) as terminal:
        with until_one_is_ended(target.process):
            terminal.type(f"{END_WHEN_SILENT};\n")
        terminal.type("SELECT 6 * 7 AS answer;\n")
        terminal.await_text("The connection to the server was lost. Attempting reset: Succeeded.")
        terminal.type("SELECT 6 * 7 AS answer;\n")
        terminal.await_text(r"\b42\b")


def test_connect_again_by_command_begins_a_new_session(server):
    done = psql(server, "-c", "SET timezone TO 'Asia/Tokyo'", "-c", r"\c", "-c", "SHOW timezone")
    assert done.code == 0, done.error
    assert done.lines[-1] != "Asia/Tokyo"


def test_each_type_is_shown_as_postgresql_writes_it(server):
    key = unique("psql")
    values = every_type.with_json_as_text()
    script = every_type.insert(
        f"'{key}'",
        *[f":'{name}'" for name in every_type.NAMES],
    )
    texts = {name: text_of(value) for name, value in values.items()}
    variables = [part for name, text in texts.items() for part in ("-v", f"{name}={text}")]
    done = psql(server, *variables, "-v", "ON_ERROR_STOP=1", script=f"{script};\n")
    assert done.lines == ["INSERT 0 1"], done.error
    done = psql(server, "-F", "\1", "-c", every_type.select(f"'{key}'"), PGTZ="UTC")
    shown = dict(zip(every_type.NAMES, done.out.removesuffix("\n").split("\1"), strict=True))
    assert json.loads(shown.pop("a_json")) == every_type.VALUES["a_json"]
    assert shown.pop("a_bool") == "t"
    assert shown.pop("bools") == "{t,f}"
    assert shown.pop("a_time") == "2026-11-01 12:34:56.789+00"
    assert shown.pop("texts") == r'{a,"b \"c\", {d}","","\\"}'
    assert shown.pop("varchars") == '{x,"NULL"}'
    assert shown.pop("jsons") == r'{"{\"a\": 1}","[2, null]"}'
    assert shown.pop("doubles") == "{0.1,-1e+300}"
    assert shown == {name: texts[name] for name in shown}


def text_of(value) -> str:
    """A value as PostgreSQL reads it."""
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, list):
        return "{" + ",".join(quoted(text_of(element)) for element in value) + "}"
    if isinstance(value, bool):
        return "t" if value else "f"
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def quoted(element: str) -> str:
    if re.fullmatch(r"[-\w.+]+", element) and element.upper() != "NULL":
        return element
    escaped = element.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
