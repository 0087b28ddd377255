"""docs/clients.md and the tests of clients agree: no cell without a test that shows it."""

import pytest
from support.clients_document import CAPABILITIES, overview, python_tests, rows_of, rust_tests

CLIENTS = overview()
TESTS = python_tests() | rust_tests()
CELLS = [(client, capability) for client in CLIENTS for capability in CAPABILITIES]


def test_the_document_has_the_clients_that_it_must_have():
    assert len(CLIENTS) >= 14


@pytest.mark.parametrize(("client", "capability"), CELLS, ids=map(": ".join, CELLS))
def test_each_cell_is_shown_by_tests_that_must_pass(client, capability):
    said, row = CLIENTS[client][capability], rows_of(client).get(capability)
    assert row, "nothing is said of this cell"
    unknown = [name for name in row.tests if name not in TESTS]
    assert not unknown, f"there are no such tests: {unknown}"
    passing = [name for name in row.tests if TESTS[name]]
    assert said in ("yes", "in part", "no", "-")
    if said == "yes":
        assert row.tests, "no test shows this cell"
        assert passing == list(row.tests), "some of these are not run or are expected to fail"
    elif said == "in part":
        assert row.how and passing, "no test shows any part of this cell"
    elif said == "no":
        assert row.how and row.tests, "no test shows that it does not work"
        assert not passing, "it works by now"
    else:
        assert row.how and not row.tests, "it is to be said why there is nothing"


@pytest.mark.parametrize("client", CLIENTS)
def test_each_client_has_a_way_to_connect_and_a_version(client):
    from support.document import Document

    section = Document("clients.md").text(client)
    assert "Tested: " in section
    assert "USER" in section
