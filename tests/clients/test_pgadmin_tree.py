"""pgAdmin 4 itself: signed in with a token over TLS, its tree opened, rows shown and edited."""

import dataclasses

import pytest
from cognite.client.data_classes import AssetWrite
from support.certificates import write_certificate
from support.configured import ConfiguredGateway
from support.gateway import Gateway
from support.pgadmin import PgAdmin, PgAdminError
from support.pgadmin_tree import OpenServer
from support.samples import unique
from support.token_issuer import ADA, TokenIssuer

pytestmark = pytest.mark.gateway_only

BUILT_IN = {
    "assets", "containers", "data_models", "double_datapoints", "events", "extraction_pipeline_runs",
    "extraction_pipelines", "files", "labels", "raw_rows", "raw_tables", "relationships", "sequence_rows",
    "sequences", "string_datapoints", "time_series", "unit_systems", "units", "views",
}  # fmt: skip


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("behind") / "log", "--create-missing-time-series")
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, behind):
    """A gateway where Ada signs in with a token, over TLS."""
    directory = tmp_path_factory.mktemp("gateway")
    certificate, key = write_certificate(directory)
    issuer = TokenIssuer()
    sections = {
        "listen": {"tls_certificate": certificate, "tls_private_key": key},
        "sign_in": [{"user": "*@example.com", "method": "token"}, {"method": "scram"}],
        "issuers": [issuer.section()],
        "principals": [{"user": ADA, "cdf": "plant"}],
    }
    with ConfiguredGateway(directory, behind.cdf_url, **sections) as gateway:
        yield dataclasses.replace(gateway.server, user=ADA, password=issuer.token(), database="postgres")
    issuer.stop()


@pytest.fixture(scope="module")
def pgadmin(tmp_path_factory):
    pgadmin = PgAdmin(tmp_path_factory.mktemp("pgadmin"))
    yield pgadmin
    pgadmin.stop()


@pytest.fixture(scope="module")
def opened(pgadmin, gateway):
    return OpenServer.sign_in(pgadmin, gateway, "plant", "require")


@pytest.fixture(scope="module")
def database(opened):
    return opened.database("postgres")


def test_a_wrong_token_is_refused_with_the_gateways_words(pgadmin, gateway):
    wrong = dataclasses.replace(gateway, password="not-a-token")
    with pytest.raises(PgAdminError, match="token authentication failed"):
        OpenServer.sign_in(pgadmin, wrong, "wrong token", "require")


def test_a_connection_without_tls_is_refused_with_what_to_do(pgadmin, gateway):
    with pytest.raises(PgAdminError, match="can sign in with TLS only"):
        OpenServer.sign_in(pgadmin, gateway, "no tls", "disable")


def test_the_server_is_connected_and_the_user_known_as_one_who_may_make_nothing(opened):
    assert opened.about["connected"] and opened.about["server_type"] == "pg"
    assert opened.about["version"] // 10_000 == 17
    user = opened.about["user"]
    assert user["name"] == ADA
    may = ["is_superuser", "can_create_role", "can_create_db", "can_signal_backend"]
    assert [user[name] for name in may] == [False] * 4


def test_the_tree_shows_the_database_and_the_roles(opened):
    databases = opened.nodes("database")
    assert list(databases) == ["postgres"]
    assert not databases["postgres"]["canCreate"]
    roles = opened.nodes("role")
    assert {ADA, "penstock"} <= set(roles)
    about = opened.properties("role", roles[ADA]["_id"])
    assert (about["rolname"], about["rolcanlogin"], about["rolsuper"]) == (ADA, True, False)
    assert "pg_default" in opened.nodes("tablespace")


def test_the_tree_shows_the_schemas_and_every_table_with_its_comment(database):
    schemas = database.nodes("schema")
    assert set(schemas) == {"public", "cdf", "penstock"}
    tables = database.nodes("table", schemas["public"]["_id"])
    assert set(tables) == BUILT_IN
    assert tables["assets"]["description"] == "Assets; an existing external_id is refused"
    wider = database.nodes("table", schemas["cdf"]["_id"])
    assert set(wider) == {"data_sets", "double_datapoints", "string_datapoints"}
    state = database.nodes("table", schemas["penstock"]["_id"])
    assert set(state) == {"budgets", "connections", "dead_letters", "queues"}


@pytest.mark.parametrize(
    "kind",
    [
        "collation",
        "domain",
        "fts_configuration",
        "function",
        "mview",
        "procedure",
        "sequence",
        "type",
        "view",
    ],
)
def test_other_collections_of_a_schema_are_empty(database, kind):
    assert database.nodes(kind, database.nodes("schema")["public"]["_id"]) == {}


@pytest.mark.parametrize("kind", ["cast", "event_trigger", "extension", "foreign_data_wrapper", "language"])
def test_other_collections_of_the_database_open(database, kind):
    found = database.nodes(kind)
    assert set(found) <= {"plpgsql"}


def test_a_table_shows_its_columns_with_types_and_comments(database):
    schema, table = database.table("public", "assets")
    columns = database.nodes("column", schema, table)
    shown = {name: about["displaytypname"] for name, about in columns.items()}
    assert shown == {
        "id": "bigint",
        "external_id": "character varying(255)",
        "name": "character varying(140)",
        "parent_id": "bigint",
        "parent_external_id": "character varying(255)",
        "description": "character varying(500)",
        "data_set_id": "bigint",
        "metadata": "json",
        "source": "character varying(128)",
        "labels": "text[]",
        "geo_location": "json",
        "root_id": "bigint",
        "created_time": "timestamp with time zone",
        "last_updated_time": "timestamp with time zone",
    }
    about = database.properties("column", schema, table, columns["name"]["_id"])
    assert (about["name"], about["attlen"], about["attnotnull"]) == ("name", "140", True)
    assert about["description"] == "name in CDF; required; not empty"


def test_a_table_shows_its_key_and_its_index(database):
    schema, table = database.table("public", "raw_rows")
    [key] = database.listed("primary_key", schema, table)
    about = database.properties("primary_key", schema, table, key["oid"])
    assert [column["column"] for column in about["columns"]] == ["_raw_database", "_raw_table", "_raw_key"]
    assert list(database.nodes("constraints", schema, table)) == ["raw_rows_pkey"]
    for kind in ("index", "trigger", "rule"):
        assert database.nodes(kind, schema, table) == {}, kind


def test_a_tables_sql_is_what_makes_it(database):
    sql = database.sql("table", *database.table("public", "time_series"))
    assert "CREATE TABLE IF NOT EXISTS public.time_series" in sql
    assert 'external_id character varying(255) COLLATE pg_catalog."default",' in sql
    assert "security_categories bigint[]" in sql
    assert "CONSTRAINT time_series_pkey PRIMARY KEY (external_id)" in sql
    assert "IS 'Time series; an existing external_id is refused'" in sql
    assert "COMMENT ON COLUMN public.time_series.external_id" in sql


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_tables_properties_open(database, name):
    schema, table = database.table("public", name)
    about = database.properties("table", schema, table)
    assert (about["name"], about["relowner"], about["schema"]) == (name, "penstock", "public")
    assert [column["name"] for column in about["columns"]] == list(database.nodes("column", schema, table))


def test_the_query_tool_shows_rows_and_errors_with_their_place(database):
    said = database.query("SELECT n, n * 1.5 AS half FROM generate_series(1, 3) AS n")
    assert [column["name"] for column in said["colinfo"]] == ["n", "half"]
    assert said["result"] == [[1, "1.5"], [2, "3.0"], [3, "4.5"]]
    with pytest.raises(PgAdminError, match='column "nonsense" does not exist'):
        database.query("SELECT nonsense FROM assets")


def test_the_button_stops_a_query(database):
    # A query that ends by an error is one that pgAdmin raises for.
    with pytest.raises(PgAdminError, match="canceling statement due to user request"):
        database.cancelled_query("SELECT pg_sleep(60)")


@pytest.fixture
def assets(behind):
    """Three assets of the test's own, by external id."""
    begins = unique("grid")
    made = behind.store.client.assets.create(
        [AssetWrite(external_id=f"{begins}-{n}", name=f"asset {n}", metadata={"n": str(n)}) for n in range(3)]
    )
    yield {asset.external_id: asset for asset in made}
    behind.store.client.assets.delete(
        external_id=[asset.external_id for asset in made], ignore_unknown_ids=True
    )


def test_the_grid_shows_the_rows_of_a_table_in_the_order_of_its_key(database, assets):
    _, table = database.table("public", "assets")
    with database.grid(table) as grid:
        assert grid.started["can_edit"] and grid.started["limit"] == 100
        assert list(grid.polled["primary_keys"]) == ["external_id"]
        shown = {row["external_id"]: row for row in grid.rows}
        assert list(shown) == sorted(assets)
        for external_id, asset in assets.items():
            assert int(shown[external_id]["id"]) == asset.id
            assert shown[external_id]["name"] == asset.name


def test_the_grid_shows_the_first_hundred_rows(database, behind, raw_database):
    rows = {f"k{n:03}": {"n": n} for n in range(250)}
    behind.store.client.raw.rows.insert(raw_database, "t", rows, ensure_parent=True)
    _, table = database.table("public", "raw_rows")
    with database.grid(table) as grid:
        assert [row["_raw_key"] for row in grid.rows] == [f"k{n:03}" for n in range(100)]


def test_the_grid_changes_and_deletes_rows(database, behind, assets):
    _, table = database.table("public", "assets")
    first, second, _ = sorted(assets)
    with database.grid(table) as grid:
        saved = grid.save(updated=[({"external_id": first}, {"description": "seen in pgAdmin"})])
        assert saved["status"], saved
        saved = grid.save(deleted=[{"external_id": second}])
        assert saved["status"], saved
    client = behind.store.client
    assert client.assets.retrieve(external_id=first).description == "seen in pgAdmin"
    assert client.assets.retrieve(external_id=second) is None


def add_an_asset(database, external_id):
    _, table = database.table("public", "assets")
    with database.grid(table) as grid:
        return grid.save(added=[{"external_id": external_id, "name": "added in pgAdmin"}])


def test_the_grid_adds_rows(database, behind):
    """pgAdmin reads the new row back before it commits."""
    external_id = unique("added")
    saved = add_an_asset(database, external_id)
    assert saved["status"], saved
    assert behind.store.client.assets.retrieve(external_id=external_id).name == "added in pgAdmin"


def test_the_grid_adds_rows_where_transactions_are_streamed(pgadmin, gateway, behind):
    external_id = unique("streamed")
    opened = OpenServer.sign_in(
        pgadmin, gateway, "streaming", "require", post_connection_sql="SET penstock.transaction = 'streaming'"
    )
    saved = add_an_asset(opened.database("postgres"), external_id)
    assert saved["status"], saved
    assert behind.store.client.assets.retrieve(external_id=external_id).name == "added in pgAdmin"


@pytest.mark.parametrize("tab", ["activity", "locks", "prepared", "config"])
def test_the_tabs_of_the_dashboard_open(pgadmin, opened, tab):
    assert pgadmin.get(f"/dashboard/{tab}/{opened.number}") is not None
