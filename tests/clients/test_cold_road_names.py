"""Users whose names an engine has for something else, or that hold what SQL has for something else."""

import psycopg
import pytest
from support.configured import ConfiguredGateway

pytestmark = pytest.mark.gateway_only

# The owner of the gateway's tables in an engine, PostgreSQL's own superuser, one of its roles, one of
# its databases, and what has to be quoted.
NAMES = ["penstock", "postgres", "pg_monitor", "template0", """O"Neill's role; DROP ROLE x --"""]


@pytest.mark.parametrize("name", NAMES)
def test_a_user_of_any_name_has_engines_of_that_name(tmp_path, name):
    # No row is read: there need be no CDF.
    with ConfiguredGateway(tmp_path, "http://127.0.0.1:9", user={"name": name}) as gateway:
        keywords = gateway.server.keywords(user=name, dbname=name, autocommit=True)
        with psycopg.connect(**keywords) as connection:
            told = connection.execute(
                "SELECT current_user, session_user, current_database(), rolsuper, count(*) OVER ()"
                " FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            assert told == (name, name, name, False, 1)
            owner = connection.execute(
                "SELECT tableowner FROM pg_tables WHERE tablename = 'assets'"
            ).fetchone()[0]
            assert owner != name
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT rolpassword FROM pg_authid")
