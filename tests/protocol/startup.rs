//! Encryption requests, protocol versions, startup parameters.

use crate::client::{Body, Client, packet, startup_packet};
use crate::gateway::{Gateway, PASSWORD, USER};

const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;

#[test]
fn encryption_requests_are_answered_and_the_startup_follows_on_the_same_socket() {
    let gateway = Gateway::start();
    let mut client = Client::connect(gateway.address);
    client.send_bytes(&packet(Body::default().int4(GSS_REQUEST)));
    assert_eq!(client.receive_byte(), b'N');
    client.send_bytes(&packet(Body::default().int4(SSL_REQUEST)));
    assert_eq!(client.receive_byte(), b'N');
    client.send_bytes(&startup_packet(3 << 16, &[("user", USER)]));
    assert_eq!(client.authenticate(PASSWORD).last().unwrap(), "Ready I");
}

#[test]
fn a_client_that_leaves_after_the_answer_to_its_ssl_request_may_come_back() {
    let gateway = Gateway::start();
    for _ in 0..3 {
        let mut client = Client::connect(gateway.address);
        client.send_bytes(&packet(Body::default().int4(SSL_REQUEST)));
        assert_eq!(client.receive_byte(), b'N');
        client.vanish();
    }
    let mut client = Client::signed_in(&gateway);
    assert_eq!(client.query(";"), ["EmptyQuery", "Ready I"]);
}

#[test]
fn a_second_ssl_request_is_a_protocol_error() {
    let gateway = Gateway::start();
    let mut client = Client::connect(gateway.address);
    client.send_bytes(&packet(Body::default().int4(SSL_REQUEST)));
    assert_eq!(client.receive_byte(), b'N');
    client.send_bytes(&packet(Body::default().int4(SSL_REQUEST)));
    assert_eq!(client.transcript(), ["fatal 0A000", "closed"]);
}

#[test]
fn protocol_3_0_has_a_short_cancel_key_and_3_2_a_long_one() {
    let gateway = Gateway::start();
    for (version, key_bytes) in [(3 << 16, 4), ((3 << 16) | 2, 32)] {
        let mut client = Client::connect(gateway.address);
        client.send_bytes(&startup_packet(version, &[("user", USER)]));
        assert_eq!(client.authenticate(PASSWORD).last().unwrap(), "Ready I");
        assert_eq!(client.cancel_key.len(), key_bytes);
        assert!(client.process_id > 0);
    }
}

/// A NegotiateProtocolVersion, as `Client` shows it.
fn negotiation(minor: i32, options: &[&str]) -> String {
    let mut body = Body::default()
        .int4((3 << 16) | minor)
        .int4(i32::try_from(options.len()).unwrap());
    for option in options {
        body = body.text(option);
    }
    format!("Negotiate {:?}", body.0)
}

#[test]
fn an_unknown_minor_version_is_negotiated_down() {
    let gateway = Gateway::start();
    for (asked, served) in [(9999, 2), (3, 2), (1, 0)] {
        let mut client = Client::connect(gateway.address);
        client.send_bytes(&startup_packet((3 << 16) | asked, &[("user", USER)]));
        assert_eq!(client.line(), negotiation(served, &[]), "3.{asked}");
        assert_eq!(client.authenticate(PASSWORD).last().unwrap(), "Ready I");
    }
}

#[test]
fn unknown_protocol_options_are_listed_by_name() {
    let gateway = Gateway::start();
    let parameters = [
        ("user", USER),
        ("_pq_.test_protocol_negotiation", "on"),
        ("_pq_.another", "1"),
    ];
    for (asked, served) in [(0, 0), (2, 2), (9999, 2)] {
        let mut client = Client::connect(gateway.address);
        client.send_bytes(&startup_packet((3 << 16) | asked, &parameters));
        let options = ["_pq_.another", "_pq_.test_protocol_negotiation"];
        assert_eq!(client.line(), negotiation(served, &options), "3.{asked}");
        assert_eq!(client.authenticate(PASSWORD).last().unwrap(), "Ready I");
    }
}

#[test]
fn another_major_version_is_refused_with_the_versions_that_are_served() {
    let gateway = Gateway::start();
    let mut client = Client::connect(gateway.address);
    client.send_bytes(&startup_packet(2 << 16, &[("user", USER)]));
    assert_eq!(client.line(), "fatal 0A000");
    assert!(client.fields[&'M'].contains("3.0 to 3.2"));
    assert!(client.is_closed());
}

#[test]
fn the_reported_settings_come_at_startup() {
    let gateway = Gateway::start();
    let client = Client::signed_in_with(
        &gateway,
        &[("application_name", "probe"), ("TimeZone", "Europe/Oslo")],
    );
    for (name, value) in [
        ("server_encoding", "UTF8"),
        ("client_encoding", "UTF8"),
        ("DateStyle", "ISO, MDY"),
        ("IntervalStyle", "postgres"),
        ("TimeZone", "Europe/Oslo"),
        ("integer_datetimes", "on"),
        ("standard_conforming_strings", "on"),
        ("is_superuser", "off"),
        ("session_authorization", USER),
        ("application_name", "probe"),
        ("in_hot_standby", "off"),
        ("default_transaction_read_only", "off"),
    ] {
        assert_eq!(
            client.parameters.get(name).map(String::as_str),
            Some(value),
            "{name}"
        );
    }
    let version = &client.parameters["server_version"];
    assert!(
        version.starts_with(|first: char| first.is_ascii_digit()),
        "{version}"
    );
}

#[test]
fn client_encodings_are_understood_in_every_spelling_that_drivers_use() {
    let gateway = Gateway::start();
    for (spelling, reported) in [
        ("UTF8", "UTF8"),
        ("'utf-8'", "UTF8"),
        ("UNICODE", "UTF8"),
        ("latin1", "LATIN1"),
    ] {
        let client = Client::signed_in_with(&gateway, &[("client_encoding", spelling)]);
        assert_eq!(client.parameters["client_encoding"], reported, "{spelling}");
    }
    let mut client = Client::connect(gateway.address);
    client.send_bytes(&startup_packet(
        3 << 16,
        &[("user", USER), ("client_encoding", "EBCDIC")],
    ));
    assert_eq!(client.authenticate(PASSWORD), ["fatal 22023", "closed"]);
}

#[test]
fn options_set_settings_like_parameters_do() {
    let gateway = Gateway::start();
    let options = r" -c DateStyle=ISO,\ DMY -cTimeZone=Asia/Tokyo --application-name=loader";
    let client = Client::signed_in_with(&gateway, &[("options", options)]);
    assert_eq!(client.parameters["DateStyle"], "ISO, DMY");
    assert_eq!(client.parameters["TimeZone"], "Asia/Tokyo");
    assert_eq!(client.parameters["application_name"], "loader");
}

#[test]
fn a_setting_that_does_not_exist_ends_the_startup() {
    let gateway = Gateway::start();
    let mut client = Client::connect(gateway.address);
    let parameters = [("user", USER), ("no_such_setting", "1")];
    client.send_bytes(&startup_packet(3 << 16, &parameters));
    assert_eq!(client.authenticate(PASSWORD), ["fatal 42704", "closed"]);
}

#[test]
fn a_database_that_does_not_exist_is_named_with_a_hint() {
    let gateway = Gateway::start();
    for database in [USER, "postgres"] {
        let mut client = Client::signed_in_with(&gateway, &[("database", database)]);
        assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
    }
    let mut client = Client::connect(gateway.address);
    client.send_bytes(&startup_packet(
        3 << 16,
        &[("user", USER), ("database", "plant")],
    ));
    assert_eq!(client.authenticate(PASSWORD), ["fatal 3D000", "closed"]);
    assert!(client.fields[&'H'].contains(USER));
}
