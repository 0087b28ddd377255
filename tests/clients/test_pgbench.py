"""pgbench 15: many clients, in every mode of the protocol that it knows."""

import subprocess

import pytest
from support.postgresql import BINARIES

CLIENTS = 4
TRANSACTIONS = 50
COUNT_UP = "\\set n :n + 1\n\\set key :client_id * 1000000 + :n\n"


def pgbench(server, tmp_path, script, *arguments):
    path = tmp_path / "script.sql"
    path.write_text(script)
    command = [str(BINARIES / "pgbench"), "--no-vacuum", "--file", str(path), "--define", "n=0"]
    command += ["--client", str(CLIENTS), "--transactions", str(TRANSACTIONS), *arguments]
    return subprocess.run(command, env=server.environment(), capture_output=True, text=True, timeout=90)


def keys(per_transaction=1):
    numbers = range(1, TRANSACTIONS * per_transaction + 1)
    return {str(client * 1_000_000 + number) for client in range(CLIENTS) for number in numbers}


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_every_transaction_of_every_client_is_stored(server, store, raw_database, tmp_path, mode):
    script = (
        f"{COUNT_UP}INSERT INTO raw_rows VALUES ('{raw_database}', 't', :key, '{{\"mode\": \"{mode}\"}}');\n"
    )
    done = pgbench(server, tmp_path, script, "--protocol", mode)
    assert done.returncode == 0, done.stderr
    assert f"number of transactions actually processed: {CLIENTS * TRANSACTIONS}/" in done.stdout
    assert set(store.raw(raw_database, "t")) == keys()


def test_pipelines_of_every_client_are_stored(server, store, raw_database, tmp_path):
    insert = f"{COUNT_UP}INSERT INTO raw_rows VALUES ('{raw_database}', 't', :key, '{{}}');\n"
    done = pgbench(
        server, tmp_path, f"\\startpipeline\n{insert * 5}\\endpipeline\n", "--protocol", "prepared"
    )
    assert done.returncode == 0, done.stderr
    assert set(store.raw(raw_database, "t")) == keys(per_transaction=5)


def test_transactions_of_several_statements_are_stored(server, store, raw_database, tmp_path):
    insert = f"{COUNT_UP}INSERT INTO raw_rows VALUES ('{raw_database}', 't', :key, '{{}}');\n"
    done = pgbench(server, tmp_path, f"BEGIN;\n{insert * 3}COMMIT;\n", "--protocol", "extended")
    assert done.returncode == 0, done.stderr
    assert set(store.raw(raw_database, "t")) == keys(per_transaction=3)
