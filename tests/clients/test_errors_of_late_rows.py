"""Rows that CDF does not take yet: how long they are repeated, and what is told of them in the end."""

import json
import time
import urllib.request

import pytest
from support.binary import PROJECT
from support.errors_document import ANSWERS, WHAT_HAPPENS, proves
from support.samples import moment, seconds
from support.scripted_http import cdf_error
from support.told import told
from support.troubled import HASTY, Troubled, copy_points, copy_raw

pytestmark = pytest.mark.gateway_only

WORDS = "The moon is in the wrong phase"


@proves(WHAT_HAPPENS, {"split": ()})
@proves(ANSWERS, {"400, 422 with `missing`": "23503"})
def test_rows_that_wait_in_vain_for_a_series_to_be_made_are_the_only_ones_refused(tmp_path, series):
    with Troubled(tmp_path, retry=HASTY) as cdf, cdf.connect() as connection:
        # For some seconds after this one other series may be on their way, too.
        connection.execute("INSERT INTO time_series (external_id) VALUES (%s)", (series,))
        nowhere = f"{series}-nowhere"
        points = [(series, moment(0), 0.0), (nowhere, moment(0), 0.0), (series, moment(1), 1.0)]
        error = told(copy_points, connection, points)
        detail = ("2 of 3 rows are in CDF, 1 was refused.",)
        error.must_have("23503", message=f'time series "{nowhere}" does not exist', detail=detail)
        assert cdf.store.points(series) == seconds([0.0, 1.0])


NODE_POINT = (
    "INSERT INTO cdf.double_datapoints (instance_space, external_id, timestamp, value)"
    " VALUES ('plant', %s, %s, %s), ('plant', %s, %s, %s)"
)
OF_NODES = "400 with `missing` that names `instanceId`s"


def missing_node(name):
    return cdf_error(400, WORDS, missing=[{"instanceId": {"space": "plant", "externalId": name}}])


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """A gateway, and two series that are nodes."""
    with Troubled(tmp_path_factory.mktemp("nodes")) as troubled:
        body = {"project": PROJECT, "items": [{"space": "plant", "externalId": name} for name in ("a", "b")]}
        troubled.local.admin("POST", "instances", body)
        yield troubled
        troubled.front.calm()


@proves(ANSWERS, {OF_NODES: ()})
def test_the_series_of_a_new_node_is_waited_for(nodes):
    nodes.front.script("/timeseries/data", missing_node("b"), count=5)
    with nodes.connect() as connection:
        connection.execute(NODE_POINT, ("a", moment(0), 1.0, "b", moment(0), 1.0))
    assert len(nodes.front.asked("/timeseries/data")) == 6
    nodes.front.calm()


@proves(ANSWERS, {OF_NODES: "23503"})
def test_a_node_that_never_becomes_a_series_is_named_after_ten_seconds(nodes):
    nodes.front.script("/timeseries/data", missing_node("nowhere"), holding=b"nowhere")
    with nodes.connect() as connection:
        error = told(connection.execute, NODE_POINT, ("a", moment(1), 1.0, "nowhere", moment(1), 1.0))
    asked = nodes.front.asked("/timeseries/data")
    refused = [exchange for exchange in asked if exchange.is_scripted]
    assert refused[-1].arrived - refused[0].arrived > 9
    detail = (WORDS, refused[-1].request_id, "1 of 2 rows are in CDF, 1 was refused.")
    message = 'time series "nowhere" of space "plant" does not exist'
    error.must_have("23503", message=message, detail=detail, hint="CogniteTimeSeries")
    assert asked[-1].status == 200
    nodes.front.calm()


JOURNALED = "500 for a journaled row again and again, while others of its endpoint succeed"
LETTER_TOKEN = "a-token-for-dead-letters"


def letters(gateway):
    request = urllib.request.Request(
        f"{gateway.http_url}/dead-letters", headers={"Authorization": f"Bearer {LETTER_TOKEN}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())["items"]


@proves(ANSWERS, {JOURNALED: "HV000"})
def test_a_journaled_row_that_cdf_fails_with_while_it_takes_others_becomes_a_letter(tmp_path, raw_database):
    sections = {
        "journal": {"directory": str(tmp_path / "journal")},
        "dead_letters": {"directory": str(tmp_path / "letters")},
        "admin": {"token": LETTER_TOKEN},
    }
    with Troubled(tmp_path, **sections) as cdf, cdf.connect() as connection:
        connection.execute("SET penstock.ack = 'journaled'")
        cdf.front.script("/rows", cdf_error(500, WORDS), holding=b'"bad"')
        copy_raw(connection, raw_database, ["bad"])
        deadline = time.monotonic() + 60
        written = 0
        while not (kept := letters(cdf.gateway)):
            assert time.monotonic() < deadline, "the row is still repeated"
            # Others get through meanwhile: that tells a bad row from a CDF that is down.
            copy_raw(connection, raw_database, [f"k{written}"])
            written += 1
        (letter,) = kept
        assert (letter["sqlstate"], letter["cdf_code"]) == ("HV000", 500)
        assert "again and again" in letter["message"]
        assert letter["request_id"] in {exchange.request_id for exchange in cdf.front.asked("/rows")}
        cdf.front.calm()
        assert "bad" not in cdf.store.raw(raw_database, "t")
