//! Whatever a client sends: a clear error, no panic, no effect on others.

use crate::client::{Body, Client, startup_packet};
use crate::gateway::{Gateway, USER};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A client that must not notice what another one sends.
fn bystander(gateway: &Gateway) -> Client {
    let mut client = Client::signed_in(gateway);
    assert_eq!(client.query("begin"), ["Complete BEGIN", "Ready T"]);
    client
}

#[test]
fn an_unknown_message_type_is_told_before_the_end() {
    let gateway = Gateway::start();
    let mut other = bystander(&gateway);
    let mut client = Client::signed_in(&gateway);
    client.send(b'!', Body::default());
    assert_eq!(client.transcript(), ["fatal 08P01", "closed"]);
    assert_eq!(other.query("commit"), ["Complete COMMIT", "Ready I"]);
}

#[test]
fn a_message_beyond_the_bound_is_told_with_the_bound() {
    let gateway = Gateway::start_with(|settings| settings.listen.message_bytes_max = 100_000, None);
    let mut client = Client::signed_in(&gateway);
    client.send_bytes(&[b'Q', 0, 1, 0x86, 0xa1]);
    assert_eq!(client.transcript(), ["fatal 08P01", "closed"]);
    assert!(
        client.fields[&'M'].contains("100000"),
        "{}",
        client.fields[&'M']
    );
}

#[test]
fn a_message_with_an_impossible_length_is_told() {
    let gateway = Gateway::start();
    for length in [0u32, 3, u32::MAX, 1 << 31] {
        let mut client = Client::signed_in(&gateway);
        let mut bytes = vec![b'Q'];
        bytes.extend(length.to_be_bytes());
        client.send_bytes(&bytes);
        assert_eq!(client.transcript(), ["fatal 08P01", "closed"], "{length}");
    }
}

#[test]
fn bodies_that_lie_about_their_contents_are_told() {
    let gateway = Gateway::start();
    for (kind, body) in [
        (b'Q', &b"no terminator"[..]),
        (b'P', b"s\0select 1\0\x00\x02\0\0\0\x14"),
        (b'P', b"s"),
        (b'B', b"\0\0\0\0\x00\x01\0\0\0\x7f"),
        (b'B', b"\0\0\xff\xff"),
        (b'E', b"\0\0\0"),
        (b'D', b"X\0"),
        (b'S', b"extra"),
        (b'p', b"password\0"),
    ] {
        let mut client = Client::signed_in(&gateway);
        client.send(kind, Body(body.to_vec()));
        assert_eq!(
            client.transcript(),
            ["fatal 08P01", "closed"],
            "{kind} {body:?}"
        );
    }
}

#[test]
fn text_that_is_no_utf8_is_refused_and_the_connection_lives() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.send(b'Q', Body(b"show \xff\0".to_vec()));
    assert_eq!(client.transcript(), ["error 22021", "Ready I"]);
    client.send(b'P', Body(b"\0show \xff\0\0\0".to_vec()));
    client.sync();
    assert_eq!(client.transcript(), ["error 22021", "Ready I"]);
    assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
}

#[test]
fn wrong_tables_columns_types_and_values_are_told_and_the_connection_lives() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    for (sql, error) in [
        ("insert into nowhere values (1)", "error 42P01"),
        ("copy nowhere from stdin", "error 42P01"),
        (
            "insert into double_datapoints (nothing) values (1)",
            "error 42703",
        ),
        ("copy double_datapoints (nothing) from stdin", "error 42703"),
        (
            "copy double_datapoints (value, value) from stdin",
            "error 42701",
        ),
        ("copy double_datapoints from '/etc/passwd'", "error 42501"),
        (
            "insert into double_datapoints (external_id, timestamp, value) \
             values ('a', '2026-01-01', 1, 2)",
            "error 42601",
        ),
        (
            "insert into double_datapoints (external_id, timestamp, value) \
             values ('a', '2026-01-01', 'x')",
            "error 22P02",
        ),
        (
            "insert into double_datapoints (external_id, timestamp, value) \
             values ('a', '1800-01-01', 1)",
            "error 22008",
        ),
        (
            "insert into double_datapoints (external_id, timestamp, value) \
             values ('a', '2026-01-01', 1e200)",
            "error 22003",
        ),
    ] {
        assert_eq!(client.query(sql), [error, "Ready I"], "{sql}");
    }
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
}

#[test]
fn a_client_that_dies_at_any_point_of_its_startup_harms_nobody() {
    let gateway = Gateway::start();
    let mut other = bystander(&gateway);
    let startup = startup_packet(3 << 16, &[("user", USER)]);
    for length in 0..startup.len() {
        let mut client = Client::connect(gateway.address);
        client.send_bytes(&startup[..length]);
        client.vanish();
    }
    assert_eq!(other.query("commit"), ["Complete COMMIT", "Ready I"]);
}

/// Frames of known types with random bodies, some of them with a lying length.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop::sample::select(&b"QPBDECHSXFdcfp?"[..]);
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "[a-z0-9 ;'$(),]{0,40}".prop_map(|text| {
            let mut bytes = text.into_bytes();
            bytes.push(0);
            bytes
        }),
    ];
    let frame = (kinds, body, prop::option::weighted(0.1, any::<u32>()));
    prop::collection::vec(frame, 1..12).prop_map(|frames| {
        let mut bytes = Vec::new();
        for (kind, body, lie) in frames {
            let length = lie.unwrap_or(body.len() as u32 + 4);
            bytes.push(kind);
            bytes.extend(length.to_be_bytes());
            bytes.extend(body);
        }
        bytes
    })
}

/// Runs a property a bounded number of times; a failure prints its input.
fn check<S: Strategy>(strategy: S, property: impl Fn(S::Value)) {
    let config = Config {
        cases: 150,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&strategy, |value| {
        property(value);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn no_sequence_of_frames_ends_without_an_answer_or_harms_another_client() {
    let gateway = Gateway::start();
    let mut other = bystander(&gateway);
    check(frames(), |bytes| {
        let mut client = Client::signed_in(&gateway);
        // The gateway may close before it has read all.
        client.send_what_can_be_sent(&bytes);
        client.stop_sending();
        // Answers and the end, and never silence, which would be a panic of the client.
        while client.try_receive().is_some() {}
    });
    assert_eq!(other.query("commit"), ["Complete COMMIT", "Ready I"]);
}

#[test]
fn no_first_bytes_of_a_stranger_end_without_an_answer_or_harm_another_client() {
    let gateway = Gateway::start();
    let mut other = bystander(&gateway);
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..60),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|body| {
            let mut bytes = startup_packet(3 << 16, &[("user", USER)]);
            bytes.push(b'p');
            bytes.extend((body.len() as u32 + 4).to_be_bytes());
            bytes.extend(body);
            bytes
        }),
    ];
    check(bytes, |bytes| {
        let mut client = Client::connect(gateway.address);
        client.send_what_can_be_sent(&bytes);
        client.stop_sending();
        while client.try_receive_any() {}
    });
    assert_eq!(other.query("commit"), ["Complete COMMIT", "Ready I"]);
}
