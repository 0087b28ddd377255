//! `[[sign_in]]` and `[sign_in_failures]`: by which method somebody signs in, and how often that
//! may fail.
//!
//! Owns the rules as operators write them. Promises that a rule which could let nobody in, or which
//! would send a token in clear text, is refused at start. Never checks a client.

use super::problem::Findings;
use super::tree::Tree;
use crate::oidc::Names;
use crate::wire::{ClientCertificate, SignInMethod, SignInRule};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The methods by their names in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MethodName {
    Scram,
    Token,
    Oauth,
    Reject,
}

/// One text or a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts")]
pub(super) enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Default for Texts {
    fn default() -> Self {
        Texts::Many(Vec::new())
    }
}

impl Texts {
    pub fn list(&self) -> Vec<String> {
        match self {
            Texts::One(text) => vec![text.clone()],
            Texts::Many(texts) => texts.clone(),
        }
    }
}

/// One `[[sign_in]]` entry as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SignInSettings {
    pub user: Names,
    pub database: Names,
    pub address: Texts,
    pub tls: Option<bool>,
    pub method: Option<MethodName>,
    /// The `[[issuers]]` entry whose tokens count; by default any.
    pub issuer: Option<String>,
    /// What clients of `oauth` ask the provider for.
    pub scope: String,
    pub client_certificate: ClientCertificate,
}

/// How often sign-ins may fail.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignInFailureSettings {
    /// Failures of one user name in a row; 0: no bound.
    pub per_user_max: u32,
    /// Failures from one address in a row; 0: no bound.
    pub per_address_max: u32,
    /// One failure is forgotten after so many seconds.
    pub forgotten_s: u64,
}

impl Default for SignInFailureSettings {
    fn default() -> Self {
        SignInFailureSettings {
            per_user_max: 10,
            per_address_max: 50,
            forgotten_s: 10,
        }
    }
}

/// The rules, checked.
pub(super) fn resolve_rules(tree: &Tree, findings: &mut Findings) -> Vec<SignInRule> {
    if tree.sign_in_failures.forgotten_s == 0 {
        findings.note(
            "sign_in_failures.forgotten_s",
            "the value is 0, so no failure would count",
            "Set it to 1 or more; to have no bound, set the two maxima to 0",
        );
    }
    let rules = tree.sign_in.iter().enumerate();
    rules
        .filter_map(|(position, settings)| {
            settings.resolve(&format!("sign_in.{position}"), tree, findings)
        })
        .collect()
}

impl SignInSettings {
    fn resolve(&self, section: &str, tree: &Tree, findings: &mut Findings) -> Option<SignInRule> {
        let Some(method) = self.method else {
            findings.note(
                format!("{section}.method"),
                "the rule has no method",
                "Set it to scram, token, oauth or reject",
            );
            return None;
        };
        let by_token = matches!(method, MethodName::Token | MethodName::Oauth);
        if by_token {
            self.check_token_rule(section, tree, findings);
        } else if self.issuer.is_some() {
            findings.note(
                format!("{section}.issuer"),
                "only the methods token and oauth have an issuer",
                "Remove it, or change the method",
            );
        }
        if method != MethodName::Oauth && !self.scope.is_empty() {
            findings.note(
                format!("{section}.scope"),
                "only the method oauth tells clients a scope",
                "Remove it, or change the method",
            );
        }
        if self.tls == Some(true) && tree.listen.tls_certificate.is_none() {
            findings.note(
                format!("{section}.tls"),
                "the rule is for TLS and there is no certificate, so it would fit nobody",
                "Set listen.tls_certificate and listen.tls_private_key",
            );
        }
        if self.client_certificate != ClientCertificate::Any {
            self.check_client_certificate(section, method, tree, findings);
        }
        Some(SignInRule {
            users: self.user.clone(),
            databases: self.database.clone(),
            addresses: self.networks(section, findings),
            tls: self.tls,
            client_certificate: self.client_certificate,
            method: match method {
                MethodName::Scram => SignInMethod::Scram,
                MethodName::Reject => SignInMethod::Reject,
                MethodName::Token => SignInMethod::Token {
                    issuer: self.issuer.clone(),
                },
                MethodName::Oauth => SignInMethod::Oauth {
                    issuer: self.oauth_issuer(section, tree, findings)?,
                    scope: self.scope.clone(),
                },
            },
        })
    }

    fn check_token_rule(&self, section: &str, tree: &Tree, findings: &mut Findings) {
        if tree.issuers.is_empty() {
            findings.note(
                format!("{section}.method"),
                "there is no issuer whose tokens could be checked",
                "Add a section [[issuers]]",
            );
        } else if let Some(name) = &self.issuer
            && !tree.issuers.iter().any(|issuer| issuer.name == *name)
        {
            findings.note(
                format!("{section}.issuer"),
                format!("there is no section [[issuers]] with the name \"{name}\""),
                "Name one, or remove the key to accept every issuer",
            );
        }
        if tree.listen.tls_certificate.is_none() {
            findings.note(
                format!("{section}.method"),
                "tokens are taken over TLS only and there is no certificate, so nobody could sign in",
                "Set listen.tls_certificate and listen.tls_private_key",
            );
        } else if self.tls == Some(false) {
            findings.note(
                format!("{section}.tls"),
                "tokens are taken over TLS only, so this rule could let nobody in",
                "Remove tls, or set it to true",
            );
        }
        if tree.principals.is_empty() {
            findings.note(
                format!("{section}.method"),
                "no rule maps the owners of tokens to principals of CDF, so nobody could sign in",
                "Add a section [[principals]]",
            );
        }
    }

    fn check_client_certificate(
        &self,
        section: &str,
        method: MethodName,
        tree: &Tree,
        findings: &mut Findings,
    ) {
        let key = format!("{section}.client_certificate");
        if method == MethodName::Reject {
            findings.note(key, "who is rejected needs no certificate", "Remove it");
        } else if tree.listen.tls_client_ca.is_none() {
            findings.note(
                key,
                "there is no authority that certificates of clients could be checked by",
                "Set listen.tls_client_ca to a PEM file",
            );
        } else if self.tls == Some(false) {
            findings.note(
                key,
                "connections without TLS have no certificates",
                "Remove tls, or set it to true",
            );
        }
    }

    /// The one issuer that clients are told of.
    fn oauth_issuer(&self, section: &str, tree: &Tree, findings: &mut Findings) -> Option<String> {
        match (&self.issuer, tree.issuers.as_slice()) {
            (Some(name), _) => Some(name.clone()),
            (None, [only]) => Some(only.name.clone()),
            (None, []) => None,
            (None, _) => {
                findings.note(
                    format!("{section}.issuer"),
                    "there is more than one issuer, and clients can be told of one",
                    "Set it to the name of a section [[issuers]]",
                );
                None
            }
        }
    }

    fn networks(&self, section: &str, findings: &mut Findings) -> Vec<IpNet> {
        let texts = self.address.list();
        let networks = texts.iter().filter_map(|text| {
            let network = text
                .parse::<IpNet>()
                .ok()
                .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
            if network.is_none() {
                findings.note(
                    format!("{section}.address"),
                    format!("\"{text}\" is no address"),
                    "Write networks such as 10.0.0.0/8 or fd00::/8, or single addresses",
                );
            }
            network
        });
        networks.collect()
    }
}
