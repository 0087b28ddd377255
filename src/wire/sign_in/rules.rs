//! `[[sign_in]]`: by which method a client signs in.
//!
//! Owns the rules, of which the first that fits counts, as in PostgreSQL's pg_hba.conf. Promises
//! that a known name and an unknown one meet the same rules, and that who would only have needed TLS
//! is told so. Never checks a password or a token.

use crate::oidc::{NamePattern, Names};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// How a client proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInMethod {
    /// A password, by SCRAM-SHA-256.
    Scram,
    /// An access token in the place of the password; over TLS only.
    Token {
        /// The issuer's name; `None`: any.
        issuer: Option<String>,
    },
    /// An access token by SASL OAUTHBEARER; over TLS only.
    Oauth {
        /// The issuer's name, which the client is told of.
        issuer: String,
        /// What the client is to ask the issuer for.
        scope: String,
    },
    /// Not at all.
    Reject,
}

impl SignInMethod {
    fn needs_tls(&self) -> bool {
        matches!(
            self,
            SignInMethod::Token { .. } | SignInMethod::Oauth { .. }
        )
    }
}

/// What certificate the client must have shown, besides the method. The names are those of
/// pg_hba.conf's `clientcert`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificate {
    /// None is asked for by the rule.
    #[default]
    Any,
    /// One of an authority of `listen.tls_client_ca`.
    VerifyCa,
    /// Such a one whose common name is the user's.
    VerifyFull,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInRule {
    pub users: Names,
    pub databases: Names,
    /// Empty: from everywhere.
    pub addresses: Vec<IpNet>,
    /// With TLS only, without only, or either.
    pub tls: Option<bool>,
    pub client_certificate: ClientCertificate,
    pub method: SignInMethod,
}

impl SignInRule {
    /// For users whose names fit `pattern`, wherever they come from.
    pub fn of(pattern: &str, method: SignInMethod) -> Self {
        SignInRule {
            users: Names::new([NamePattern::new(pattern)]),
            method,
            ..Self::password_for_everybody()
        }
    }

    /// The rule of gateways without rules.
    pub(super) const fn password_for_everybody() -> Self {
        SignInRule {
            users: Names::everything(),
            databases: Names::everything(),
            addresses: Vec::new(),
            tls: None,
            client_certificate: ClientCertificate::Any,
            method: SignInMethod::Scram,
        }
    }

    fn fits(&self, stranger: &Stranger<'_>) -> bool {
        let is_from_there = self.addresses.is_empty()
            || self
                .addresses
                .iter()
                .any(|network| network.contains(&stranger.address));
        is_from_there
            && self.tls.is_none_or(|tls| tls == stranger.is_encrypted)
            && self.users.include(stranger.user)
            && self.databases.include(stranger.database)
    }
}

/// A client that has said who it wants to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stranger<'a> {
    pub(super) user: &'a str,
    pub(super) database: &'a str,
    /// Without the prefix that maps IPv4 into IPv6.
    pub(super) address: IpAddr,
    pub(super) is_encrypted: bool,
}

/// What the rules say of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision<'a> {
    Rule(&'a SignInRule),
    /// A rule would fit with TLS.
    TlsNeeded,
    NoRule,
}

/// The first rule that fits.
pub(super) fn choose<'a>(rules: &'a [SignInRule], stranger: &Stranger<'_>) -> Decision<'a> {
    let first = |stranger: &Stranger<'_>| rules.iter().find(|rule| rule.fits(stranger));
    match first(stranger) {
        Some(rule) if rule.method.needs_tls() && !stranger.is_encrypted => Decision::TlsNeeded,
        Some(rule) => Decision::Rule(rule),
        None if stranger.is_encrypted => Decision::NoRule,
        None => {
            let encrypted = Stranger {
                is_encrypted: true,
                ..*stranger
            };
            match first(&encrypted) {
                Some(rule) if rule.method != SignInMethod::Reject => Decision::TlsNeeded,
                _ => Decision::NoRule,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(users: &str, tls: Option<bool>, method: SignInMethod) -> SignInRule {
        SignInRule {
            tls,
            ..SignInRule::of(users, method)
        }
    }

    fn stranger<'a>(user: &'a str, address: &str, is_encrypted: bool) -> Stranger<'a> {
        Stranger {
            user,
            database: "postgres",
            address: address.parse().expect("an address"),
            is_encrypted,
        }
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let rules = [
            rule("mallory", None, SignInMethod::Reject),
            rule(
                "*@example.com",
                Some(true),
                SignInMethod::Token { issuer: None },
            ),
            rule("*", None, SignInMethod::Scram),
        ];
        let decide = |user, tls| choose(&rules, &stranger(user, "10.0.0.1", tls));
        assert_eq!(decide("mallory", true), Decision::Rule(&rules[0]));
        assert_eq!(decide("ada@example.com", true), Decision::Rule(&rules[1]));
        assert_eq!(decide("ada@example.com", false), Decision::Rule(&rules[2]));
        assert_eq!(decide("ada", false), Decision::Rule(&rules[2]));
    }

    #[test]
    fn who_lacks_only_tls_is_told_so() {
        let token = || SignInMethod::Token { issuer: None };
        for tls in [None, Some(true)] {
            let rules = [rule("ada", tls, token())];
            let decide = |user, tls| choose(&rules, &stranger(user, "10.0.0.1", tls));
            assert_eq!(decide("ada", false), Decision::TlsNeeded);
            assert_eq!(decide("ada", true), Decision::Rule(&rules[0]));
            assert_eq!(decide("bob", false), Decision::NoRule);
        }
        let rejected = [rule("ada", Some(true), SignInMethod::Reject)];
        let plain = stranger("ada", "10.0.0.1", false);
        assert_eq!(choose(&rejected, &plain), Decision::NoRule);
    }

    #[test]
    fn addresses_and_databases_narrow_a_rule() {
        let rules = [SignInRule {
            databases: Names::new([NamePattern::new("plant")]),
            addresses: ["10.0.0.0/8", "fd00::/8"]
                .map(|network| network.parse().expect("a network"))
                .to_vec(),
            ..SignInRule::password_for_everybody()
        }];
        let from = |address, database| {
            let stranger = Stranger {
                database,
                ..stranger("ada", address, true)
            };
            choose(&rules, &stranger) == Decision::Rule(&rules[0])
        };
        assert!(from("10.200.0.1", "plant") && from("fd12::1", "plant"));
        assert!(!from("11.0.0.1", "plant") && !from("fe80::1", "plant"));
        assert!(!from("10.0.0.1", "postgres"));
    }
}
