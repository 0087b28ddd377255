//! Which rule is for whom.

use crate::client::{Client, startup_packet};
use crate::gateway::{Gateway, PASSWORD, USER};
use crate::tls::{handshake, identity, socket};
use penstock::oidc::{NamePattern, Names};
use penstock::wire::{SignInMethod, SignInRule};

fn gateway(rules: Vec<SignInRule>) -> Gateway {
    Gateway::start_with(|settings| settings.sign_in = rules, None)
}

fn answer(gateway: &Gateway, user: &str, database: &str) -> (Client, Vec<String>) {
    let mut client = Client::connect(gateway.address);
    client.send_bytes(&startup_packet(
        3 << 16,
        &[("user", user), ("database", database)],
    ));
    let lines = client.authenticate(PASSWORD);
    (client, lines)
}

#[test]
fn who_is_rejected_is_told_who_by_a_rule_and_not_whether_it_exists() {
    let gateway = gateway(vec![SignInRule::of("*", SignInMethod::Reject)]);
    let mut words = Vec::new();
    for user in [USER, "nobody"] {
        let (client, lines) = answer(&gateway, user, "postgres");
        assert_eq!(lines, ["fatal 28000"]);
        words.push(client.fields[&'M'].replace(user, "USER"));
    }
    assert_eq!(words[0], words[1]);
    assert!(
        words[0].contains("127.0.0.1") && words[0].contains("without TLS"),
        "{}",
        words[0]
    );
}

#[test]
fn whom_no_rule_is_for_stays_out() {
    let gateway = gateway(vec![SignInRule {
        databases: Names::new([NamePattern::new("postgres")]),
        ..SignInRule::of(USER, SignInMethod::Scram)
    }]);
    let (_, lines) = answer(&gateway, USER, "postgres");
    assert_eq!(lines.last().unwrap(), "Ready I");
    for (user, database) in [(USER, USER), ("nobody", "postgres")] {
        let (client, lines) = answer(&gateway, user, database);
        assert_eq!(lines, ["fatal 28000"]);
        assert!(
            client.fields[&'M'].contains("no sign-in rule"),
            "{:?}",
            client.fields
        );
    }
}

#[test]
fn an_address_that_no_rule_has_stays_out() {
    let from = |network: &str| {
        gateway(vec![SignInRule {
            addresses: vec![network.parse().unwrap()],
            ..SignInRule::of("*", SignInMethod::Scram)
        }])
    };
    let (_, lines) = answer(&from("10.0.0.0/8"), USER, USER);
    assert_eq!(lines, ["fatal 28000"]);
    let (_, lines) = answer(&from("127.0.0.0/8"), USER, USER);
    assert_eq!(lines.last().unwrap(), "Ready I");
}

#[test]
fn a_rule_for_tls_tells_a_plain_client_so() {
    let (tls, certificate) = identity();
    let rules = vec![SignInRule {
        tls: Some(true),
        ..SignInRule::of(USER, SignInMethod::Scram)
    }];
    let gateway = Gateway::start_with(|settings| settings.sign_in = rules, Some(tls));
    let (client, lines) = answer(&gateway, USER, USER);
    assert_eq!(lines, ["fatal 28000"]);
    assert!(
        client.fields[&'H'].contains("sslmode=require"),
        "{:?}",
        client.fields
    );
    let mut client = handshake(socket(gateway.address), certificate, &[b"postgresql"]);
    client.send_bytes(&startup_packet(3 << 16, &[("user", USER)]));
    assert_eq!(client.authenticate(PASSWORD).last().unwrap(), "Ready I");
}

#[test]
fn names_are_only_names_whatever_is_in_them() {
    let gateway = gateway(vec![SignInRule::of("*", SignInMethod::Scram)]);
    for name in [
        "'; drop table users; --",
        "a\"b",
        "%s%n",
        "../../etc/passwd",
        "\u{202e}ada",
        "* ",
    ] {
        let (client, lines) = answer(&gateway, name, "postgres");
        assert_eq!(lines, ["fatal 28P01"], "{name}");
        assert!(client.fields[&'M'].contains(name));
    }
    let (_, lines) = answer(&gateway, USER, "postgres");
    assert_eq!(lines.last().unwrap(), "Ready I");
}
