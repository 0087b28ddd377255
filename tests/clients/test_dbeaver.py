"""DBeaver: what it asks through pgjdbc to draw its tree, and how it reads rows.

DBeaver is in none of the registries that the tests install from, so its driver asks here: the calls of
DatabaseMetaData, and questions about the catalog of the kind that DBeaver puts, in words of our own:
whole catalog rows by `c.*`, with descriptions, by the number of the schema or the table.
"""

import pytest
from cognite.client.data_classes import AssetWrite
from support.jdbc_session import JdbcError, JdbcSession
from support.samples import unique

pytestmark = pytest.mark.gateway_only

# Every catalog row beside what else of it is asked.
OF_DESCRIPTION = "LEFT JOIN pg_catalog.pg_description AS d ON d.objoid = {0}.oid AND d.objsubid = 0"

BUILT_IN = [
    "assets", "containers", "data_models", "double_datapoints", "events", "extraction_pipeline_runs",
    "extraction_pipelines", "files", "labels", "raw_rows", "raw_tables", "relationships", "sequence_rows",
    "sequences", "string_datapoints", "time_series", "unit_systems", "units", "views",
]  # fmt: skip


@pytest.fixture(scope="module")
def jdbc(target):
    with JdbcSession(target.server, ApplicationName="DBeaver 25.1 - Main") as session:
        yield session


def number_of(jdbc, table: str, schema: str = "public") -> int:
    asked = (
        "SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname = ? AND c.relname = ?"
    )
    return int(jdbc.query(asked, schema, table).values[0][0])


def test_the_server_is_known_by_its_version_and_the_session_by_its_user(jdbc, server):
    assert jdbc.metadata("getDatabaseProductName").values == [["PostgreSQL"]]
    assert jdbc.metadata("getDatabaseMajorVersion").values == [["17"]]
    assert jdbc.metadata("getUserName").values == [[server.user]]
    assert jdbc.query("SELECT version()").values[0][0].startswith("PostgreSQL 17")
    found = jdbc.query("SELECT current_schema(), session_user, current_database()").values
    assert found == [["public", server.user, server.database]]


def test_settings_are_told_with_their_defaults(jdbc):
    asked = "SELECT s.name, s.setting, s.reset_val FROM pg_catalog.pg_settings AS s WHERE s.name IN (?, ?) ORDER BY 1"
    found = jdbc.query(asked, "standard_conforming_strings", "search_path").records
    assert [row["name"] for row in found] == ["search_path", "standard_conforming_strings"]
    assert found[0]["reset_val"] == '"$user", public'
    assert found[1]["setting"] == "on"


def test_the_databases_are_the_one_of_the_session(jdbc, server):
    rows = jdbc.query(
        "SELECT db.oid, db.*, pg_catalog.pg_encoding_to_char(db.encoding) AS encoding_name,"
        " pg_catalog.shobj_description(db.oid, 'pg_database') AS description"
        " FROM pg_catalog.pg_database AS db WHERE db.datallowconn AND NOT db.datistemplate ORDER BY db.datname"
    )
    assert rows.column("datname") == [server.database]
    assert rows.column("encoding_name") == ["UTF8"]
    assert jdbc.metadata("getCatalogs").values == [[server.database]]


def test_the_schemas_are_those_with_tables_and_those_of_postgresql(jdbc):
    rows = jdbc.query(
        "SELECT n.oid, n.*, d.description, pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS may_use"
        f" FROM pg_catalog.pg_namespace AS n {OF_DESCRIPTION.format('n')}"
        " AND d.classoid = 'pg_catalog.pg_namespace'::regclass ORDER BY n.nspname"
    )
    found = {row["nspname"]: row for row in rows.records}
    assert {"public", "cdf", "pg_catalog", "information_schema"} <= set(found)
    assert found["cdf"]["description"] == "Tables that Cognite's gateway does not have"
    assert (found["public"]["may_use"], found["cdf"]["may_use"]) == ("t", "t")
    assert {"public", "cdf"} <= set(jdbc.metadata("getSchemas").column("TABLE_SCHEM"))


def test_the_roles_are_the_user_and_the_owner(jdbc, server):
    rows = jdbc.query(
        "SELECT r.oid, r.* FROM pg_catalog.pg_roles AS r WHERE r.rolname NOT LIKE 'pg\\_%' ORDER BY 2"
    )
    found = {row["rolname"]: row for row in rows.records}
    assert set(found) == {server.user, "penstock"}
    may = ["rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls"]
    assert [found[server.user][name] for name in may] == ["f"] * 5
    members = "SELECT m.*, a.rolname FROM pg_catalog.pg_auth_members AS m JOIN pg_catalog.pg_roles AS a ON a.oid = m.roleid"
    members += " WHERE m.member = ?"
    assert jdbc.query(members, int(found[server.user]["oid"])).values == []


def test_the_types_of_a_schema_come_with_what_they_are_made_of(jdbc):
    rows = jdbc.query(
        "SELECT t.oid, t.*, c.relkind, pg_catalog.format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base, d.description"
        f" FROM pg_catalog.pg_type AS t LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid {OF_DESCRIPTION.format('t')}"
        " WHERE t.typnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = ?) ORDER BY t.oid",
        "pg_catalog",
    )
    types = {row["typname"]: row for row in rows.records}
    numbers = {"int8": "20", "varchar": "1043", "timestamptz": "1184", "json": "114", "_text": "1009"}
    assert {name: types[name]["oid"] for name in numbers} == numbers
    assert types["_int8"]["typelem"] == "20"
    named = {row["TYPE_NAME"]: row for row in jdbc.metadata("getTypeInfo").records}
    assert {"int8", "varchar", "timestamptz", "json", "float8", "bool"} <= set(named)


def test_the_tables_of_a_schema_come_with_their_comments(jdbc):
    rows = jdbc.query(
        "SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_of,"
        " pg_catalog.pg_get_partkeydef(c.oid) AS partition_key"
        f" FROM pg_catalog.pg_class AS c {OF_DESCRIPTION.format('c')}"
        " AND d.classoid = 'pg_catalog.pg_class'::regclass"
        " WHERE c.relnamespace = ? AND c.relkind NOT IN ('i', 'I', 'c') ORDER BY c.relname",
        2200,
    )
    assert rows.column("relname") == BUILT_IN
    assert set(rows.column("relkind")) == {"r"}
    assert all(rows.column("description"))


def test_the_drivers_tables_have_comments(jdbc):
    rows = jdbc.metadata("getTables", None, "public", "%", "TABLE,VIEW,FOREIGN TABLE").records
    assert [row["TABLE_NAME"] for row in rows] == BUILT_IN
    assert {row["TABLE_TYPE"] for row in rows} == {"TABLE"}
    assets = next(row for row in rows if row["TABLE_NAME"] == "assets")
    assert assets["REMARKS"] == "Assets; an existing external_id is refused"


def test_the_columns_of_a_table_come_with_types_and_comments(jdbc):
    rows = jdbc.query(
        "SELECT c.relname, a.*, pg_catalog.pg_get_expr(v.adbin, v.adrelid, true) AS default_value, d.description,"
        " pg_catalog.format_type(a.atttypid, a.atttypmod) AS full_type"
        " FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid"
        " LEFT JOIN pg_catalog.pg_attrdef AS v ON v.adrelid = a.attrelid AND v.adnum = a.attnum"
        " LEFT JOIN pg_catalog.pg_description AS d ON d.objoid = c.oid AND d.objsubid = a.attnum"
        " WHERE NOT a.attisdropped AND a.attnum > 0 AND c.oid = ? ORDER BY a.attnum",
        number_of(jdbc, "time_series"),
    )
    shown = {row["attname"]: (row["full_type"], row["attnotnull"]) for row in rows.records}
    # It is the key, and CDF has time series without one.
    assert shown["external_id"] == ("character varying(255)", "f")
    assert shown["is_string"] == ("boolean", "f")
    assert shown["security_categories"] == ("bigint[]", "f")
    comments = dict(zip(rows.column("attname"), rows.column("description"), strict=True))
    assert comments["is_string"].startswith("isString in CDF")
    assert comments["external_id"] == "externalId in CDF; key"
    assert comments["created_time"] == "createdTime in CDF; made by CDF"


def test_the_drivers_columns_agree(jdbc):
    rows = jdbc.metadata("getColumns", None, "public", "assets", "%").records
    found = {row["COLUMN_NAME"]: row for row in rows}
    assert [row["ORDINAL_POSITION"] for row in rows] == [str(n + 1) for n in range(len(rows))]
    assert (found["name"]["TYPE_NAME"], found["name"]["COLUMN_SIZE"]) == ("varchar", "140")
    assert (found["name"]["IS_NULLABLE"], found["description"]["IS_NULLABLE"]) == ("NO", "YES")
    assert found["labels"]["TYPE_NAME"] == "_text"
    assert found["parent_id"]["REMARKS"].startswith("parentId in CDF")


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("assets", ["external_id"]),
        ("raw_rows", ["_raw_database", "_raw_table", "_raw_key"]),
        ("raw_tables", ["_raw_database", "_raw_table"]),
        ("extraction_pipeline_runs", []),
    ],
)
def test_the_key_of_a_table_is_told_in_every_way(jdbc, table, key):
    driver = jdbc.metadata("getPrimaryKeys", None, "public", table).records
    assert [row["COLUMN_NAME"] for row in sorted(driver, key=lambda row: int(row["KEY_SEQ"]))] == key
    constraints = jdbc.query(
        "SELECT k.oid, k.*, t.relname AS of_table, f.relnamespace AS to_schema, d.description,"
        " pg_catalog.pg_get_constraintdef(k.oid) AS definition FROM pg_catalog.pg_constraint AS k"
        " JOIN pg_catalog.pg_class AS t ON t.oid = k.conrelid LEFT JOIN pg_catalog.pg_class AS f ON f.oid = k.confrelid"
        f" {OF_DESCRIPTION.format('k')} WHERE k.conrelid = ? ORDER BY k.oid",
        number_of(jdbc, table),
    ).records
    assert [row["definition"] for row in constraints] == ([f"PRIMARY KEY ({', '.join(key)})"] if key else [])
    indexes = jdbc.query(
        "SELECT x.*, x.indkey AS columns, c.relname, c.relam, t.relname AS of_table, d.description,"
        " pg_catalog.pg_get_expr(x.indpred, x.indrelid) AS only_where, pg_catalog.pg_relation_size(x.indexrelid) AS bytes"
        " FROM pg_catalog.pg_index AS x JOIN pg_catalog.pg_class AS c ON c.oid = x.indexrelid"
        f" JOIN pg_catalog.pg_class AS t ON t.oid = x.indrelid {OF_DESCRIPTION.format('c')} WHERE x.indrelid = ?",
        number_of(jdbc, table),
    ).records
    assert [(row["indisprimary"], row["relname"]) for row in indexes] == (
        [("t", f"{table}_pkey")] if key else []
    )
    listed = jdbc.metadata("getIndexInfo", None, "public", table, "false", "true").records
    assert [row["COLUMN_NAME"] for row in listed] == key
    row_identifier = jdbc.metadata("getBestRowIdentifier", None, "public", table, "2", "true").records
    assert [row["COLUMN_NAME"] for row in row_identifier] == key


@pytest.mark.parametrize("call", ["getImportedKeys", "getExportedKeys"])
def test_no_table_refers_to_another(jdbc, call):
    assert jdbc.metadata(call, None, "public", "events").values == []


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("getFunctions", [None, "public", "%"]),
        ("getProcedures", [None, "public", "%"]),
        ("getUDTs", [None, "public", "%", None]),
        ("getColumnPrivileges", [None, "public", "assets", "%"]),
        ("getTablePrivileges", [None, "public", "assets"]),
        ("getTableTypes", []),
        ("getClientInfoProperties", []),
    ],
)
def test_other_calls_of_the_driver_are_answered(jdbc, call, arguments):
    rows = jdbc.metadata(call, *arguments)
    assert rows.columns
    if call in ("getFunctions", "getProcedures"):
        assert rows.values == []


@pytest.mark.parametrize(
    "question",
    [
        "SELECT p.oid, p.*, pg_catalog.pg_get_expr(p.proargdefaults, 0) FROM pg_catalog.pg_proc AS p"
        " WHERE p.pronamespace = 2200",
        "SELECT e.oid, e.*, n.nspname FROM pg_catalog.pg_extension AS e"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace",
        "SELECT s.oid, s.*, pg_catalog.pg_tablespace_location(s.oid) FROM pg_catalog.pg_tablespace AS s",
        "SELECT l.oid, l.* FROM pg_catalog.pg_language AS l",
        "SELECT m.oid, m.* FROM pg_catalog.pg_am AS m",
        "SELECT o.oid, o.* FROM pg_catalog.pg_collation AS o ORDER BY o.collname",
        "SELECT DISTINCT c.contoencoding, pg_catalog.pg_encoding_to_char(c.contoencoding) FROM pg_catalog.pg_conversion AS c",
        "SELECT e.oid, e.* FROM pg_catalog.pg_enum AS e",
        "SELECT t.oid, t.*, pg_catalog.pg_get_triggerdef(t.oid) FROM pg_catalog.pg_trigger AS t WHERE NOT t.tgisinternal",
        "SELECT r.oid, r.*, pg_catalog.pg_get_ruledef(r.oid) FROM pg_catalog.pg_rewrite AS r WHERE r.rulename <> '_RETURN'",
        "SELECT w.oid, w.* FROM pg_catalog.pg_foreign_data_wrapper AS w",
        "SELECT s.* FROM pg_catalog.pg_stat_activity AS s",
        "SELECT l.* FROM pg_catalog.pg_locks AS l",
        "SELECT c.oid, pg_catalog.pg_total_relation_size(c.oid) FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 2200"
        " AND c.relkind = 'r'",
        "SELECT i.inhparent, i.* FROM pg_catalog.pg_inherits AS i",
        "SELECT q.*, s.* FROM pg_catalog.pg_class AS q JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = q.oid",
    ],
)
def test_other_folders_of_the_tree_open(jdbc, question):
    assert jdbc.query(question).columns


@pytest.fixture
def rows(store, raw_database):
    store.client.raw.rows.insert(
        raw_database, "t", {f"k{n:03}": {"n": n} for n in range(450)}, ensure_parent=True
    )
    return raw_database


@pytest.mark.parametrize("fetch_size", [0, 200])
def test_the_rows_of_a_table_are_shown(jdbc, rows, fetch_size):
    shown = jdbc.query(
        "SELECT r.* FROM public.raw_rows AS r WHERE r._raw_database = ? ORDER BY r._raw_key",
        rows,
        fetch_size=fetch_size,
    )
    assert shown.types == ["varchar", "varchar", "text", "json", "timestamptz"]
    assert shown.column("_raw_key") == [f"k{n:03}" for n in range(450)]
    assert shown.column("_raw_columns")[7] == '{"n":7}'


def test_rows_are_fetched_in_parts_where_commits_are_by_hand(jdbc, rows):
    jdbc.set_autocommit(False)
    try:
        asked = "SELECT r._raw_key FROM public.raw_rows AS r WHERE r._raw_database = ? ORDER BY 1"
        assert len(jdbc.query(asked, rows, fetch_size=200).values) == 450
        jdbc.commit()
    finally:
        jdbc.set_autocommit(True)


def test_the_rows_of_a_table_are_counted(jdbc, rows):
    assert jdbc.query("SELECT count(*) FROM public.raw_rows WHERE _raw_database = ?", rows).values == [
        ["450"]
    ]


def test_a_cell_is_edited_by_the_key_of_its_row(jdbc, store):
    external_id = unique("dbeaver")
    store.client.assets.create(AssetWrite(external_id=external_id, name="before"))
    jdbc.set_autocommit(False)
    try:
        jdbc.query("UPDATE public.assets SET description=? WHERE external_id=?", "edited", external_id)
        jdbc.commit()
    finally:
        jdbc.set_autocommit(True)
    assert store.client.assets.retrieve(external_id=external_id).description == "edited"


def test_a_row_is_added_and_what_cdf_made_of_it_comes_back(jdbc, store):
    external_id = unique("dbeaver")
    # The driver adds the last words where its caller asks for generated keys.
    insert = "INSERT INTO public.assets (external_id, name) VALUES (?, ?) RETURNING *"
    [row] = jdbc.query(insert, external_id, "added").records
    asset = store.client.assets.retrieve(external_id=external_id)
    assert (row["external_id"], row["name"], row["id"]) == (external_id, "added", str(asset.id))
    assert row["created_time"]


def test_a_query_is_stopped(jdbc):
    with pytest.raises(JdbcError) as caught:
        jdbc.cancelled_query("SELECT pg_sleep(60)")
    assert caught.value.sqlstate == "57014"
    assert jdbc.query("SELECT 1").values == [["1"]]


def test_an_error_in_an_editor_has_its_place(jdbc):
    with pytest.raises(JdbcError) as caught:
        jdbc.query("SELECT nonsense FROM assets")
    assert (caught.value.sqlstate, caught.value.position) == ("42703", 8)
