//! Access tokens in the place of passwords, over real sockets.

use crate::client::{Body, Client, startup_packet};
use crate::gateway::{Gateway, PASSWORD, USER};
use crate::tls::{handshake, identity, socket};
use crate::token_issuer::{ADA, TokenIssuer, everybody, now_s, stored};
use penstock::wire::{SignInMethod, SignInRule, WireSettings};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

const INSERT: &str = "insert into double_datapoints (external_id, timestamp, value) \
                      values ('pump', '2026-01-01T00:00:00Z', 1)";

/// A gateway where everybody but its own user signs in by token.
pub struct ByToken {
    pub issuer: TokenIssuer,
    pub gateway: Gateway,
    certificate: CertificateDer<'static>,
}

impl ByToken {
    pub fn start(method: SignInMethod) -> Self {
        Self::start_with(method, |_, _| {})
    }

    pub fn start_with(
        method: SignInMethod,
        change: impl FnOnce(&mut WireSettings, &TokenIssuer),
    ) -> Self {
        let issuer = TokenIssuer::start();
        let (tls, certificate) = identity();
        let gateway = Gateway::start_with(
            |settings| {
                settings.sign_in = vec![
                    SignInRule::of(USER, SignInMethod::Scram),
                    SignInRule::of("*", method),
                ];
                settings.tokens = Some(issuer.check());
                change(settings, &issuer);
            },
            Some(tls),
        );
        ByToken {
            issuer,
            gateway,
            certificate,
        }
    }

    /// A client over TLS that has said who it wants to be.
    pub fn client(&self, user: &str) -> Client {
        let socket = socket(self.gateway.address);
        let mut client = handshake(socket, self.certificate.clone(), &[b"postgresql"]);
        client.send_bytes(&startup_packet(
            3 << 16,
            &[("user", user), ("database", "postgres")],
        ));
        client
    }

    /// Sends `token` as the password of `user`.
    fn sign_in(&self, user: &str, token: &str) -> (Client, Vec<String>) {
        let mut client = self.client(user);
        let request = client.receive();
        assert_eq!((request.kind, &request.body[..]), (b'R', &[0, 0, 0, 3][..]));
        client.send(b'p', Body::default().text(token));
        let lines = client.transcript();
        (client, lines)
    }

    /// The SQLSTATE and the words that a bad token is answered with.
    fn refusal(&self, user: &str, claims: Value) -> (String, String) {
        let (client, lines) = self.sign_in(user, &self.issuer.token(claims));
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[1], "closed");
        (lines[0].clone(), format!("{:?}", client.fields))
    }
}

fn token() -> SignInMethod {
    SignInMethod::Token { issuer: None }
}

#[test]
fn a_token_signs_its_owner_in_and_rows_go_as_its_principal() {
    let by_token = ByToken::start(token());
    for user in [ADA, "ada-object-id", "loaders"] {
        let (mut client, lines) = by_token.sign_in(user, &by_token.issuer.token(json!({})));
        assert_eq!(lines, ["Ready I"]);
        assert_eq!(client.parameters["session_authorization"], user);
        assert_eq!(client.query(INSERT), ["Complete INSERT 0 1", "Ready I"]);
    }
    let written_as = by_token.gateway.pipeline.identities();
    assert!(
        written_as
            .iter()
            .all(|identity| identity.name == "plant-client")
    );
    assert_eq!(written_as.len(), 3);
}

#[test]
fn users_with_passwords_sign_in_beside_those_with_tokens() {
    let by_token = ByToken::start(token());
    let mut client = by_token.client(USER);
    assert_eq!(client.authenticate(PASSWORD).last().unwrap(), "Ready I");
}

#[test]
fn a_plain_connection_is_told_that_tokens_need_tls_and_not_asked_for_one() {
    let by_token = ByToken::start(token());
    let mut client = Client::connect(by_token.gateway.address);
    client.send_bytes(&startup_packet(3 << 16, &[("user", ADA)]));
    assert_eq!(client.transcript(), ["fatal 28000", "closed"]);
    assert!(client.fields[&'M'].contains("TLS"));
    assert!(client.fields[&'H'].contains("sslmode=require"));
}

#[test]
fn everything_that_is_wrong_with_a_token_sounds_the_same() {
    let by_token = ByToken::start(token());
    let mut answers = vec![
        by_token.refusal("bob@example.com", json!({})),
        by_token.refusal(
            "bob@example.com",
            json!({"exp": now_s() - 3_600, "upn": "bob@example.com"}),
        ),
        by_token.refusal("bob@example.com", json!({"nbf": now_s() + 3_600})),
        by_token.refusal("bob@example.com", json!({"aud": "another"})),
        by_token.refusal("bob@example.com", json!({"iss": "another"})),
    ];
    for text in ["", "not a token", &by_token.issuer.forged(json!({}))] {
        let (client, lines) = by_token.sign_in("bob@example.com", text);
        answers.push((lines[0].clone(), format!("{:?}", client.fields)));
    }
    assert_eq!(answers[0].0, "fatal 28P01");
    assert!(!answers[0].1.contains("expired"), "{}", answers[0].1);
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[test]
fn a_good_token_of_another_tenant_or_without_a_principal_is_refused_with_28000() {
    let by_token = ByToken::start(token());
    let (sqlstate, _) = by_token.refusal(ADA, json!({"tid": "another"}));
    assert_eq!(sqlstate, "fatal 28000");
    let unmapped = ByToken::start_with(token(), |settings, issuer| {
        let mut rule = everybody(stored());
        rule.groups = vec!["nobody".to_owned()];
        settings.tokens = Some(issuer.check_with(|_| {}, vec![rule]));
    });
    let (sqlstate, words) = unmapped.refusal(ADA, json!({}));
    assert_eq!(sqlstate, "fatal 28000");
    assert!(words.contains("[[principals]]"), "{words}");
}

#[test]
fn a_token_of_an_issuer_that_the_rule_does_not_name_is_refused() {
    let by_token = ByToken::start(SignInMethod::Token {
        issuer: Some("another".to_owned()),
    });
    let (sqlstate, _) = by_token.refusal(ADA, json!({}));
    assert_eq!(sqlstate, "fatal 28P01");
}

#[test]
fn a_token_beyond_the_bound_is_refused_by_its_length_before_it_is_read() {
    let by_token = ByToken::start(token());
    let mut client = by_token.client(ADA);
    client.receive();
    let mut header = vec![b'p'];
    header.extend(17_000i32.to_be_bytes());
    client.send_bytes(&header);
    assert_eq!(client.transcript(), ["fatal 08P01", "closed"]);
    // One that just fits is judged.
    let groups: Vec<String> = (0..300).map(|n| format!("{n:036}")).collect();
    let long = by_token.issuer.token(json!({"groups": groups}));
    assert!(long.len() > 12_000 && long.len() < 16_384, "{}", long.len());
    let (_, lines) = by_token.sign_in(ADA, &long);
    assert_eq!(lines, ["Ready I"]);
}

#[test]
fn a_message_without_its_end_is_no_token() {
    let by_token = ByToken::start(token());
    for body in [&b""[..], b"no end", b"\xff\xfe\0"] {
        let mut client = by_token.client(ADA);
        client.receive();
        client.send(b'p', Body(body.to_vec()));
        assert_eq!(client.transcript(), ["fatal 08P01", "closed"], "{body:?}");
    }
}

/// Sign-in counts a token for eight seconds after its end, so that there is time for one.
fn short_lived(drain_s: u64) -> (ByToken, String) {
    let by_token = ByToken::start_with(token(), |settings, issuer| {
        settings.tokens =
            Some(issuer.check_with(|issuer| issuer.leeway_s = 8, vec![everybody(stored())]));
        settings.timeouts.token_grace_s = 0;
        settings.timeouts.drain_s = drain_s;
    });
    let token = by_token.issuer.token(json!({"exp": now_s() - 4}));
    (by_token, token)
}

#[test]
fn a_session_ends_when_its_token_has_expired() {
    let (by_token, token) = short_lived(60);
    let (mut client, lines) = by_token.sign_in(ADA, &token);
    assert_eq!(lines, ["Ready I"]);
    assert_eq!(client.transcript(), ["fatal 57P01", "closed"]);
    assert!(client.fields[&'M'].contains("token"), "{:?}", client.fields);
}

#[test]
fn a_statement_in_flight_is_answered_before_its_session_ends() {
    let (by_token, token) = short_lived(60);
    by_token.gateway.pipeline.hold();
    let (mut idle, _) = by_token.sign_in(ADA, &token);
    let (mut busy, _) = by_token.sign_in(ADA, &token);
    busy.send_query(INSERT);
    by_token.gateway.pipeline.wait_for_rows(1);
    assert_eq!(idle.transcript(), ["fatal 57P01", "closed"]);
    by_token.gateway.pipeline.release();
    assert_eq!(busy.transcript(), ["Complete INSERT 0 1", "Ready I"]);
    assert_eq!(busy.transcript(), ["fatal 57P01", "closed"]);
}

#[test]
fn a_statement_that_takes_too_long_after_that_is_broken_off_and_told_what_became_of_its_rows() {
    let (by_token, token) = short_lived(0);
    by_token.gateway.pipeline.hold();
    let (mut client, _) = by_token.sign_in(ADA, &token);
    client.send_query(INSERT);
    by_token.gateway.pipeline.wait_for_rows(1);
    assert_eq!(client.transcript(), ["fatal 57P01", "closed"]);
    assert!(client.fields[&'D'].contains("row"), "{:?}", client.fields);
    by_token.gateway.pipeline.wait_for_abort();
}

#[test]
fn bad_tokens_shown_on_many_connections_at_once_count_like_those_shown_one_by_one() {
    let by_token = ByToken::start_with(token(), |settings, _| {
        settings.sign_in_failures.per_user_max = 3;
        settings.sign_in_failures.per_address_max = 0;
        settings.sign_in_failures.forgotten_s = 10_000;
    });
    // All are let begin, because none has failed yet.
    let mut clients: Vec<Client> = (0..6)
        .map(|_| {
            let mut client = by_token.client(ADA);
            client.receive();
            client
        })
        .collect();
    let answers: Vec<String> = clients
        .iter_mut()
        .map(|client| {
            client.send(b'p', Body::default().text("no.token.at-all"));
            client.line()
        })
        .collect();
    assert_eq!(answers[..3], ["fatal 28P01"; 3]);
    assert_eq!(answers[3..], ["fatal 53300"; 3]);
}
