"""docs/errors.md and the tests of it agree: no row without a test, no test of a row that is not there.

The tests are in test_errors_of_*.py, by section, and in test_revocation.py. Each is marked with the rows that it shows, and with
the SQLSTATEs that it asserts for them.
"""

import pytest
import test_errors_of_cdf
import test_errors_of_identity_provider
import test_errors_of_late_rows
import test_errors_of_no_answer
import test_errors_of_rows
import test_errors_of_sign_in
import test_errors_of_transactions
import test_revocation
from support.errors_document import Row, proven_by, rows_of_document

MODULES = [
    test_errors_of_cdf,
    test_errors_of_identity_provider,
    test_errors_of_late_rows,
    test_errors_of_no_answer,
    test_errors_of_rows,
    test_errors_of_sign_in,
    test_errors_of_transactions,
    test_revocation,
]
DOCUMENTED = rows_of_document()
PROVEN = proven_by(MODULES)


def name_of(row: Row) -> str:
    return f"{row.section}: {row.name}"


def test_the_document_has_the_tables_that_it_says_it_has():
    assert {row.section for row in DOCUMENTED} == {
        "What happens to the rows",
        "Answers of CDF",
        "No answer",
        "Sign-in",
        "Transactions and time",
        "The identity provider",
    }
    assert len(DOCUMENTED) > 50


@pytest.mark.parametrize("row", DOCUMENTED, ids=name_of)
def test_each_row_of_the_document_is_shown_with_its_sqlstates(row):
    assert row in PROVEN, "no test shows this row"
    assert PROVEN[row] == DOCUMENTED[row]


def test_no_test_shows_a_row_that_the_document_does_not_have():
    assert [name_of(row) for row in PROVEN if row not in DOCUMENTED] == []
