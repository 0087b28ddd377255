"""How a connection begins: requests for encryption, versions, settings, SCRAM."""

import struct

import psycopg
import pytest
from support import frames
from support.frames import Frames, SignInRefused, signed_in
from support.psql import psql
from support.samples import seconds

# Debian's PostgreSQL is built with GSSAPI and says yes to it.
GSSENC = pytest.param(frames.GSSENC_REQUEST, id="gssenc", marks=pytest.mark.gateway_only)


@pytest.mark.parametrize("request_code", [pytest.param(frames.SSL_REQUEST, id="ssl"), GSSENC])
def test_a_refused_encryption_request_is_followed_by_a_plain_start_on_the_same_socket(server, request_code):
    with Frames(server) as client:
        client.send(struct.pack("!iI", 8, request_code))
        assert client.read_exactly(1) == b"N"
        client.sign_in()
        assert client.ask(frames.query("SELECT 1"))[-1].body == b"I"


@pytest.mark.gateway_only
def test_gssenc_and_ssl_may_be_asked_one_after_the_other(server):
    with Frames(server) as client:
        for code in (frames.GSSENC_REQUEST, frames.SSL_REQUEST):
            client.send(struct.pack("!iI", 8, code))
            assert client.read_exactly(1) == b"N"
        client.sign_in()


def test_a_client_that_leaves_after_the_answer_to_its_ssl_request_harms_nobody(server):
    with Frames(server) as client:
        client.send(struct.pack("!iI", 8, frames.SSL_REQUEST))
        assert client.read_exactly(1) == b"N"
    signed_in(server).socket.close()


def test_direct_tls_without_a_certificate_ends_that_connection_only(server):
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**server.keywords(sslmode="require", sslnegotiation="direct"))
    signed_in(server).socket.close()


def test_tls_that_is_preferred_but_not_to_be_had_falls_back_to_plain(server):
    with psycopg.connect(**server.keywords(sslmode="prefer")) as connection:
        assert connection.pgconn.ssl_in_use is False


@pytest.mark.parametrize("gs2", ["n,,", "y,,"])
@pytest.mark.parametrize("name", ["", "*", "somebody else"])
def test_scram_takes_the_user_from_the_start_and_either_channel_binding_flag(server, gs2, name):
    with signed_in(server, gs2=gs2, name=name) as client:
        assert client.parameters["session_authorization"] == server.user


def test_scrams_salt_is_long_enough_for_every_client(server):
    with signed_in(server) as client:
        assert client.sasl_mechanisms[-1] == "SCRAM-SHA-256"
        assert len(client.salt) >= 12


def test_a_wrong_password_is_refused_with_28P01(server):
    with pytest.raises(SignInRefused) as caught:
        signed_in(server, password="not the password")
    assert caught.value.fields["C"] == "28P01"
    assert caught.value.fields["S"] == "FATAL"
    assert caught.value.fields["M"] == f'password authentication failed for user "{server.user}"'


def test_an_unknown_user_is_refused_like_a_wrong_password(server):
    with pytest.raises(SignInRefused) as caught:
        signed_in(server, user="nobody", database="nobody")
    assert caught.value.fields["C"] == "28P01"
    assert caught.value.fields["M"] == 'password authentication failed for user "nobody"'


def test_an_unknown_database_is_refused_with_3D000(server):
    with pytest.raises(SignInRefused) as caught:
        signed_in(server, database="elsewhere")
    assert caught.value.fields["C"] == "3D000"
    assert caught.value.fields["M"] == 'database "elsewhere" does not exist'


def test_an_unknown_minor_version_and_options_are_negotiated_by_name(server):
    parameters = {"_pq_.test_protocol_negotiation": "", "_pq_.other": "x"}
    with signed_in(server, version=(3 << 16) | 9999, **parameters) as client:
        version, count = struct.unpack("!Ii", client.negotiated.body[:8])
        assert version >> 16 == 3
        assert version & 0xFFFF in (0, 2)
        names = client.negotiated.body[8:].split(b"\0")[:-1]
        assert (count, sorted(names)) == (2, [b"_pq_.other", b"_pq_.test_protocol_negotiation"])
        assert client.ask(frames.query("SELECT 1"))[-1].body == b"I"


def test_an_unknown_option_alone_is_negotiated_too(server):
    with signed_in(server, **{"_pq_.something": "1"}) as client:
        assert client.negotiated.body.endswith(b"_pq_.something\0")


@pytest.mark.parametrize("version", ["3.0", "3.2", "latest"])
def test_libpq_18_connects_with_each_protocol_version_it_may_ask_for(server, version):
    with psycopg.connect(**server.keywords(max_protocol_version=version)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_version_of_long_ago_is_refused(server):
    with Frames(server) as client:
        client.send(frames.startup({"user": "x"}, version=2 << 16))
        # Clients of that time read another layout of errors, so only its first byte is sure.
        assert client.read_exactly(1) == b"E"
        assert client.is_closed_by_server()


REPORTED = {
    "client_encoding": "UTF8",
    "server_encoding": "UTF8",
    "integer_datetimes": "on",
    "standard_conforming_strings": "on",
    "is_superuser": "off",
    "in_hot_standby": "off",
    "default_transaction_read_only": "off",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "application_name": "tests",
}


def test_the_settings_that_drivers_rely_on_are_reported_at_the_start(server):
    with signed_in(server, application_name="tests", client_encoding="UTF8") as client:
        assert {name: client.parameters.get(name) for name in REPORTED} == REPORTED
        assert client.parameters["session_authorization"] == server.user
        assert client.parameters["TimeZone"]
        major = client.parameters["server_version"].split()[0].split(".")[0]
        assert int(major) >= 14
        assert len(client.key_data) == 8


@pytest.mark.parametrize(
    ("setting", "value", "reported"),
    [
        ("timezone", "'Europe/Oslo'", ("TimeZone", "Europe/Oslo")),
        ("DateStyle", "'DMY'", ("DateStyle", "ISO, DMY")),
        ("client_encoding", "'latin1'", ("client_encoding", "LATIN1")),
        ("application_name", "'loader'", ("application_name", "loader")),
    ],
)
def test_a_reported_setting_is_reported_again_when_it_changes(server, setting, value, reported):
    with signed_in(server) as client:
        client.ask(frames.query(f"SET {setting} TO {value}"))
        name, expected = reported
        assert client.parameters[name] == expected
        client.ask(frames.query("RESET ALL"))
        assert client.parameters[name] != expected


@pytest.mark.parametrize(
    ("given", "name", "shown"),
    [
        ({"client_encoding": "'utf-8'"}, "client_encoding", "UTF8"),
        ({"client_encoding": "latin1"}, "client_encoding", "LATIN1"),
        ({"DateStyle": "ISO"}, "datestyle", "ISO, MDY"),
        ({"TimeZone": "Asia/Tokyo"}, "timezone", "Asia/Tokyo"),
        ({"extra_float_digits": "2"}, "extra_float_digits", "2"),
        ({"search_path": "public"}, "search_path", "public"),
        ({"options": " -c timezone=Asia/Tokyo"}, "timezone", "Asia/Tokyo"),
        ({"options": "-ctimezone=Asia/Tokyo -c datestyle=ISO,\\ DMY"}, "datestyle", "ISO, DMY"),
        ({"options": "--extra-float-digits=3"}, "extra_float_digits", "3"),
    ],
)
def test_settings_in_the_start_message_hold_for_the_session(server, given, name, shown):
    with signed_in(server, **given) as client:
        answer = client.ask(frames.query(f"SHOW {name}"))
        assert [part.kind for part in answer] == ["T", "D", "C", "Z"]
        value = answer[1].body[6:].decode()
        assert value == shown


@pytest.mark.parametrize("given", [{"client_encoding": "UNICODE"}, {"options": ' -csearch_path="ds",public'}])
def test_settings_that_loaders_send_and_nobody_reads_are_accepted(server, given):
    signed_in(server, **given).socket.close()


def test_an_invalid_setting_in_the_start_message_is_refused(server):
    with pytest.raises(SignInRefused) as caught:
        signed_in(server, client_encoding="klingon")
    assert caught.value.fields["C"] == "22023"


def test_target_session_attrs_are_answered_from_what_is_reported(server):
    with psycopg.connect(**server.keywords(target_session_attrs="read-write")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_psql_writes_with_a_password_from_its_environment(server, store, series):
    done = psql(server, "-c", f"INSERT INTO double_datapoints VALUES (1, '2026-11-01Z', '{series}')")
    assert done.lines == ["INSERT 0 1"], done.error
    assert store.points(series) == seconds([1.0])
