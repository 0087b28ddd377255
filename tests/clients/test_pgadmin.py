"""pgAdmin's way in: a token in the place of the password, and what pgAdmin asks when it connects."""

import dataclasses

import psycopg
import pytest
from support.certificates import write_certificate
from support.configured import ConfiguredGateway
from support.gateway import Gateway
from support.psql import psql
from support.samples import moment, seconds
from support.token_issuer import ADA, TokenIssuer

pytestmark = pytest.mark.gateway_only

# As pgAdmin 9 sends it: one query. It closes the connection on an error.
SETTINGS = (
    "SET DateStyle=ISO; "
    "SET client_min_messages=notice; "
    "SELECT set_config('bytea_output','hex',false)"
    " FROM pg_show_all_settings()"
    " WHERE name = 'bytea_output'; "
    "SET client_encoding='utf-8';"
)


@pytest.fixture(scope="module")
def entra(tmp_path_factory):
    """(gateway that takes tokens made for PostgreSQL, their issuer, the store behind)"""
    directory = tmp_path_factory.mktemp("pgadmin")
    certificate, key = write_certificate(directory)
    behind = Gateway(directory / "behind.log", "--create-missing-time-series")
    issuer = TokenIssuer()
    sections = {
        "listen": {"tls_certificate": certificate, "tls_private_key": key},
        "sign_in": [{"user": "*@example.com", "method": "token"}, {"method": "scram"}],
        "issuers": [issuer.section()],
        "principals": [{"user": ADA, "cdf": "plant"}],
    }
    with ConfiguredGateway(directory, behind.cdf_url, **sections) as gateway:
        yield gateway, issuer, behind.store
    issuer.stop()
    behind.stop()


def server(entra, database):
    gateway, issuer, _ = entra
    return dataclasses.replace(gateway.server, user=ADA, password=issuer.token(), database=database)


@pytest.mark.parametrize("database", ["postgres", ADA])
def test_psql_writes_with_a_token_from_its_environment_to_either_database(entra, series, database):
    statement = f"INSERT INTO double_datapoints VALUES (1, '2026-11-01Z', '{series}')"
    done = psql(server(entra, database), "-c", statement, PGSSLMODE="require")
    assert done.lines == ["INSERT 0 1"], done.error
    assert entra[2].points(series) == seconds([1.0])


@pytest.mark.parametrize("database", ["postgres", ADA])
def test_pgadmin_gets_through_its_first_queries_and_writes(entra, series, database):
    keywords = server(entra, database).keywords(sslmode="prefer", application_name="pgAdmin 4 - DB:postgres")
    with psycopg.connect(**keywords, autocommit=True) as connection:
        cursor = connection.cursor()
        # Without parameters psycopg sends one simple query, as pgAdmin does.
        cursor.execute(SETTINGS)
        said = []
        while True:
            said.append(cursor.statusmessage)
            if cursor.statusmessage.startswith("SELECT"):
                assert cursor.fetchall() == [("hex",)]
            if not cursor.nextset():
                break
        assert said == ["SET", "SET", "SELECT 1", "SET"]
        (version,) = connection.execute("SELECT version()").fetchone()
        assert version.startswith("PostgreSQL ")
        assert connection.info.server_version >= 120_000
        asked = "SELECT current_database(), current_user, session_user, current_schema()"
        assert connection.execute(asked).fetchone() == (database, ADA, ADA, "public")
        connection.execute("INSERT INTO double_datapoints VALUES (1, %s, %s)", (moment(0), series))
    assert entra[2].points(series) == seconds([1.0])
