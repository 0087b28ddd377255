//! SASL OAUTHBEARER, as libpq of PostgreSQL 18 speaks it.

use crate::client::{Body, Client};
use crate::token_issuer::{ADA, now_s};
use crate::token_sign_in::ByToken;
use penstock::wire::SignInMethod;
use serde_json::{Value, json};

fn oauth() -> ByToken {
    ByToken::start(SignInMethod::Oauth {
        issuer: "entra".to_owned(),
        scope: "openid offline".to_owned(),
    })
}

fn respond(client: &mut Client, mechanism: &str, response: &[u8]) {
    let body = Body::default()
        .text(mechanism)
        .int4(i32::try_from(response.len()).unwrap())
        .bytes(response);
    client.send(b'p', body);
}

fn bearer(token: &str) -> Vec<u8> {
    format!("n,,\x01auth=Bearer {token}\x01\x01").into_bytes()
}

/// Reads the offer, which has the one mechanism.
fn offered(by_token: &ByToken, user: &str) -> Client {
    let mut client = by_token.client(user);
    let offer = client.receive();
    assert_eq!(offer.kind, b'R');
    assert_eq!(&offer.body[..], b"\0\0\0\x0aOAUTHBEARER\0\0");
    client
}

#[test]
fn a_bearer_token_signs_its_owner_in() {
    let by_token = oauth();
    let mut client = offered(&by_token, ADA);
    respond(
        &mut client,
        "OAUTHBEARER",
        &bearer(&by_token.issuer.token(json!({}))),
    );
    assert_eq!(client.transcript(), ["Ready I"]);
    assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
}

/// The server's JSON in answer to a message.
fn failure(client: &mut Client, message: &[u8]) -> Value {
    respond(client, "OAUTHBEARER", message);
    let answer = client.receive();
    assert_eq!(answer.kind, b'R');
    assert_eq!(&answer.body[..4], [0, 0, 0, 11]);
    serde_json::from_slice(&answer.body[4..]).unwrap()
}

#[test]
fn a_client_without_a_token_is_told_where_to_get_one() {
    let by_token = oauth();
    let mut client = offered(&by_token, ADA);
    let told = failure(&mut client, b"n,,\x01auth=\x01\x01");
    let discovery = format!("{}/.well-known/openid-configuration", by_token.issuer.iss());
    assert_eq!(
        told,
        json!({"status": "invalid_token", "openid-configuration": discovery, "scope": "openid offline"})
    );
    client.send(b'p', Body(vec![1]));
    assert_eq!(client.transcript(), ["fatal 28000", "closed"]);
}

#[test]
fn bad_tokens_are_refused_in_json_and_then_in_words() {
    let by_token = oauth();
    for (user, claims, sqlstate) in [
        ("bob@example.com", json!({}), "fatal 28P01"),
        (ADA, json!({"exp": now_s() - 3_600}), "fatal 28P01"),
        (ADA, json!({"aud": "another"}), "fatal 28P01"),
        (ADA, json!({"tid": "another"}), "fatal 28000"),
    ] {
        let mut client = offered(&by_token, user);
        let told = failure(&mut client, &bearer(&by_token.issuer.token(claims)));
        assert_eq!(told["status"], "invalid_token");
        client.send(b'p', Body(vec![1]));
        assert_eq!(client.transcript(), [sqlstate, "closed"]);
    }
}

#[test]
fn malformed_messages_are_protocol_errors() {
    let by_token = oauth();
    let token = by_token.issuer.token(json!({}));
    let good = bearer(&token);
    for (mechanism, message) in [
        ("SCRAM-SHA-256", good.clone()),
        ("OAUTHBEARER", b"".to_vec()),
        ("OAUTHBEARER", good[..good.len() - 1].to_vec()),
        ("OAUTHBEARER", [b"p=tls-unique,,", &good[3..]].concat()),
        ("OAUTHBEARER", [b"n,a=bob,", &good[3..]].concat()),
        ("OAUTHBEARER", b"n,,\x01auth=Basic abc\x01\x01".to_vec()),
    ] {
        let mut client = offered(&by_token, ADA);
        respond(&mut client, mechanism, &message);
        assert_eq!(client.transcript(), ["fatal 08P01", "closed"]);
        assert!(!format!("{:?}", client.fields).contains(&token));
    }
    let mut client = offered(&by_token, ADA);
    client.send(b'p', Body(b"OAUTHBEARER\0\x7f\xff\xff\xffn,,".to_vec()));
    assert_eq!(client.transcript(), ["fatal 08P01", "closed"]);
    let mut client = offered(&by_token, ADA);
    failure(&mut client, b"n,,\x01auth=\x01\x01");
    client.send(b'p', Body(bearer(&token)));
    assert_eq!(client.transcript(), ["fatal 08P01", "closed"]);
}
