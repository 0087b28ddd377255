//! Passwords, TLS, and limits before sign-in.

use crate::client::{Body, Client, packet, startup_packet};
use crate::gateway::{Gateway, PASSWORD, USER};
use crate::tls::{handshake, identity, socket};
use postgres_protocol::authentication::sasl::ChannelBinding;
use std::io::{Read, Write};

const SSL_REQUEST: i32 = 80_877_103;

fn startup(user: &str) -> Vec<u8> {
    startup_packet(3 << 16, &[("user", user)])
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_refused_with_the_same_words() {
    let gateway = Gateway::start();
    let mut messages = Vec::new();
    for (user, password) in [(USER, "wrong"), ("nobody", PASSWORD)] {
        let mut client = Client::connect(gateway.address);
        client.send_bytes(&startup(user));
        assert_eq!(client.authenticate(password), ["fatal 28P01"]);
        messages.push(client.fields[&'M'].replace(user, "USER"));
        assert!(client.is_closed());
    }
    assert_eq!(
        messages[0],
        "password authentication failed for user \"USER\""
    );
    assert_eq!(messages[0], messages[1]);
}

#[test]
fn an_unknown_user_is_asked_with_the_same_salt_each_time() {
    let gateway = Gateway::start();
    let salt = |user: &str| {
        let mut client = Client::connect(gateway.address);
        client.send_bytes(&startup(user));
        client.receive();
        let first = b"n,,n=,r=abcdef";
        let body = Body::default()
            .text("SCRAM-SHA-256")
            .int4(i32::try_from(first.len()).unwrap())
            .bytes(first);
        client.send(b'p', body);
        let server_first = String::from_utf8(client.receive().body[4..].to_vec()).unwrap();
        let salt = server_first.split(",s=").nth(1).unwrap().to_owned();
        // 16 bytes of salt: clients refuse less than 12.
        assert_eq!(salt.split(',').next().unwrap().len(), 24, "{salt}");
        salt
    };
    assert_eq!(salt("nobody"), salt("nobody"));
    assert_ne!(salt("nobody"), salt("noone"));
    assert_eq!(salt(USER), salt(USER));
}

#[test]
fn a_client_that_thinks_channel_binding_is_missing_signs_in_without_tls() {
    let gateway = Gateway::start();
    let mut client = Client::connect(gateway.address);
    client.send_bytes(&startup(USER));
    // "y,,": Npgsql says so, and libpq over TLS where PLUS is not offered.
    let lines = client.authenticate_by("SCRAM-SHA-256", PASSWORD, ChannelBinding::unrequested());
    assert_eq!(lines.last().unwrap(), "Ready I");
}

#[test]
fn channel_binding_is_offered_over_tls_only() {
    let (tls, certificate) = identity();
    let gateway = Gateway::start_with(|_| {}, Some(tls));
    let mut plain = Client::connect(gateway.address);
    plain.send_bytes(&startup(USER));
    let offer = String::from_utf8_lossy(&plain.receive().body).into_owned();
    assert!(!offer.contains("PLUS"), "{offer}");

    let mut socket = socket(gateway.address);
    socket
        .write_all(&packet(Body::default().int4(SSL_REQUEST)))
        .unwrap();
    let mut answer = [0];
    socket.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"S");
    let mut client = handshake(socket, certificate.clone(), &[]);
    client.send_bytes(&startup(USER));
    let digest = ring_digest(&certificate);
    let lines = client.authenticate_by(
        "SCRAM-SHA-256-PLUS",
        PASSWORD,
        ChannelBinding::tls_server_end_point(digest),
    );
    assert_eq!(lines.last().unwrap(), "Ready I");
    assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
}

#[test]
fn a_binding_to_another_certificate_is_refused() {
    let (tls, certificate) = identity();
    let gateway = Gateway::start_with(|_| {}, Some(tls));
    let mut client = handshake(socket(gateway.address), certificate, &[b"postgresql"]);
    client.send_bytes(&startup(USER));
    let lines = client.authenticate_by(
        "SCRAM-SHA-256-PLUS",
        PASSWORD,
        ChannelBinding::tls_server_end_point(vec![0; 32]),
    );
    assert_eq!(lines, ["fatal 08P01"]);
}

/// What `tls-server-end-point` hashes: the certificate, by the hash of its signature.
fn ring_digest(certificate: &[u8]) -> Vec<u8> {
    let algorithm = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256
        .tls13()
        .unwrap()
        .common
        .hash_provider;
    algorithm.hash(certificate).as_ref().to_vec()
}

#[test]
fn tls_may_start_at_once_with_the_protocol_name() {
    let (tls, certificate) = identity();
    let gateway = Gateway::start_with(|_| {}, Some(tls));
    let mut client = handshake(
        socket(gateway.address),
        certificate.clone(),
        &[b"postgresql"],
    );
    client.send_bytes(&startup(USER));
    assert_eq!(client.authenticate(PASSWORD).last().unwrap(), "Ready I");

    let mut nameless = handshake(socket(gateway.address), certificate, &[]);
    assert_eq!(nameless.transcript(), ["fatal 08P01", "closed"]);
}

#[test]
fn bytes_sent_before_the_handshake_never_count_as_sent_inside_it() {
    let (tls, _) = identity();
    let gateway = Gateway::start_with(|_| {}, Some(tls));
    let mut client = Client::connect(gateway.address);
    let mut bytes = packet(Body::default().int4(SSL_REQUEST));
    bytes.extend(startup(USER));
    client.send_bytes(&bytes);
    assert_eq!(client.transcript(), ["fatal 08P01", "closed"]);
}

#[test]
fn where_tls_is_required_a_plain_client_is_told_so() {
    let (tls, certificate) = identity();
    let gateway = Gateway::start_with(|settings| settings.listen.require_tls = true, Some(tls));
    let mut plain = Client::connect(gateway.address);
    plain.send_bytes(&startup(USER));
    assert_eq!(plain.transcript(), ["fatal 28000", "closed"]);
    assert!(plain.fields[&'M'].contains("TLS"));

    let mut client = handshake(socket(gateway.address), certificate, &[b"postgresql"]);
    client.send_bytes(&startup(USER));
    assert_eq!(client.authenticate(PASSWORD).last().unwrap(), "Ready I");
}

#[test]
fn a_startup_without_a_user_is_refused() {
    let gateway = Gateway::start();
    let mut client = Client::connect(gateway.address);
    client.send_bytes(&startup_packet(3 << 16, &[("database", "ada")]));
    assert_eq!(client.transcript(), ["fatal 28000", "closed"]);
}

#[test]
fn a_message_of_a_stranger_is_refused_by_its_length_before_it_is_read() {
    let gateway = Gateway::start();
    let mut client = Client::connect(gateway.address);
    client.send_bytes(&startup(USER));
    client.receive();
    let mut header = vec![b'p'];
    header.extend((300i32 << 20).to_be_bytes());
    client.send_bytes(&header);
    assert_eq!(client.transcript(), ["fatal 08P01", "closed"]);
    assert!(
        client.fields[&'M'].contains("65536"),
        "{}",
        client.fields[&'M']
    );
}

#[test]
fn a_startup_packet_of_impossible_length_is_refused_by_its_length() {
    let gateway = Gateway::start();
    for length in [0i32, 7, 10_001, 1 << 30, -1] {
        let mut client = Client::connect(gateway.address);
        client.send_bytes(&length.to_be_bytes());
        assert_eq!(client.transcript(), ["fatal 08P01", "closed"], "{length}");
    }
}

#[test]
fn a_query_before_sign_in_is_refused() {
    let gateway = Gateway::start();
    let mut client = Client::connect(gateway.address);
    client.send_bytes(&startup(USER));
    client.receive();
    client.send_query("select 1");
    assert_eq!(client.transcript(), ["fatal 08P01", "closed"]);
}

#[test]
fn malformed_sasl_messages_end_in_an_error() {
    let gateway = Gateway::start();
    for body in [
        &b""[..],
        b"SCRAM-SHA-256",
        b"SCRAM-SHA-256\0",
        b"SCRAM-SHA-256\0\x7f\xff\xff\xffn,,n=,r=a",
        b"SCRAM-SHA-256\0\0\0\0\x02n,",
        b"PLAIN\0\0\0\0\x01a",
        b"SCRAM-SHA-256\0\0\0\0\x0dp=x,,n=,r=abc",
    ] {
        let mut client = Client::connect(gateway.address);
        client.send_bytes(&startup(USER));
        client.receive();
        client.send(b'p', Body(body.to_vec()));
        assert_eq!(client.transcript(), ["fatal 08P01", "closed"], "{body:?}");
    }
}

#[test]
fn who_does_not_sign_in_in_time_is_told_and_closed() {
    let gateway = Gateway::start_with(|settings| settings.timeouts.sign_in_s = 1, None);
    let mut silent = Client::connect(gateway.address);
    let mut slow = Client::connect(gateway.address);
    slow.send_bytes(&startup(USER));
    slow.receive();
    assert_eq!(slow.transcript(), ["fatal 57014", "closed"]);
    assert!(silent.is_closed());
}

#[test]
fn one_connection_too_many_is_told_so_and_a_place_is_given_back() {
    let gateway = Gateway::start_with(|settings| settings.listen.connections_max = 1, None);
    let mut first = Client::signed_in(&gateway);
    let mut second = Client::connect(gateway.address);
    second.send_bytes(&startup(USER));
    assert_eq!(second.transcript(), ["fatal 53300", "closed"]);
    first.send(b'X', Body::default());
    assert!(first.is_closed());
    // The place is given back right after the socket is closed, by another thread.
    loop {
        let mut third = Client::connect(gateway.address);
        third.send_bytes(&startup(USER));
        let lines = third.authenticate(PASSWORD);
        if lines.last().unwrap() == "Ready I" {
            break;
        }
        assert_eq!(lines, ["fatal 53300"]);
    }
}
