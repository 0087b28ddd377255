//! `[[issuers]]`: the identity providers whose tokens let clients in.
//!
//! Owns the issuers as operators write them. Promises that keys come by https only, unless from this
//! machine, and that an issuer without an audience is refused: it would let in whoever has any
//! token of the provider. Never fetches anything.

use super::problem::Findings;
use super::sign_in::Texts;
use super::tree::Tree;
use crate::oidc::{Issuer, KeySource, SigningAlgorithm, is_trustworthy};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Clocks that differ by more than this are broken.
const LEEWAY_S_MAX: u64 = 600;

/// One `[[issuers]]` entry as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct IssuerSettings {
    pub name: String,
    pub iss: Texts,
    pub discovery_url: Option<String>,
    pub jwks_url: Option<String>,
    pub audiences: Texts,
    pub cdf_audiences: Texts,
    pub tenant: Option<String>,
    pub algorithms: Vec<SigningAlgorithm>,
    pub name_claims: Vec<String>,
    pub group_claim: String,
    pub group_names: BTreeMap<String, String>,
    pub leeway_s: u64,
    pub keys_refresh_s: u64,
    pub keys_interval_min_s: u64,
}

impl Default for IssuerSettings {
    fn default() -> Self {
        IssuerSettings {
            name: String::new(),
            iss: Texts::default(),
            discovery_url: None,
            jwks_url: None,
            audiences: Texts::default(),
            cdf_audiences: Texts::default(),
            tenant: None,
            algorithms: vec![SigningAlgorithm::RS256, SigningAlgorithm::ES256],
            name_claims: ["upn", "preferred_username", "oid", "appid", "azp"]
                .map(str::to_owned)
                .to_vec(),
            group_claim: "groups".to_owned(),
            group_names: BTreeMap::new(),
            leeway_s: 60,
            keys_refresh_s: 3_600,
            keys_interval_min_s: 30,
        }
    }
}

/// The issuers, checked.
pub(super) fn resolve_issuers(tree: &Tree, findings: &mut Findings) -> Vec<Issuer> {
    let mut issuers: Vec<Issuer> = Vec::with_capacity(tree.issuers.len());
    for (position, settings) in tree.issuers.iter().enumerate() {
        let section = format!("issuers.{position}");
        let earlier = &tree.issuers[..position];
        settings.check(&section, earlier, findings);
        issuers.extend(settings.resolve(&section, findings));
    }
    issuers
}

impl IssuerSettings {
    fn check(&self, section: &str, earlier: &[IssuerSettings], findings: &mut Findings) {
        if self.name.is_empty() {
            findings.note(
                format!("{section}.name"),
                "the issuer has no name",
                "Give it one, for rules to name it by",
            );
        } else if earlier.iter().any(|other| other.name == self.name) {
            findings.note(
                format!("{section}.name"),
                format!("the issuer \"{}\" is there twice", self.name),
                "Rename one of the entries",
            );
        }
        let iss = self.iss.list();
        if let Some(twice) = iss
            .iter()
            .find(|form| earlier.iter().any(|other| other.iss.list().contains(form)))
        {
            findings.note(
                format!("{section}.iss"),
                format!("an earlier issuer has \"{twice}\" too"),
                "Put what is accepted of one issuer into one section",
            );
        }
        if self.audiences.list().is_empty() && self.cdf_audiences.list().is_empty() {
            findings.note(
                format!("{section}.audiences"),
                "no audience is accepted",
                "Set audiences to what tokens for PostgreSQL are made for, such as https://ossrdbms-aad.database.windows.net",
            );
        }
        if self.algorithms.is_empty() {
            findings.note(
                format!("{section}.algorithms"),
                "no algorithm is allowed",
                "Set it to [\"RS256\", \"ES256\"], or remove it",
            );
        }
        if self.name_claims.is_empty() && self.group_names.is_empty() {
            findings.note(
                format!("{section}.name_claims"),
                "no claim names the user, so nobody could sign in",
                "Set it to the claims that users sign in by, such as [\"upn\", \"oid\", \"appid\"]",
            );
        }
        if self.leeway_s > LEEWAY_S_MAX {
            findings.note(
                format!("{section}.leeway_s"),
                format!("expired tokens would count for {} seconds", self.leeway_s),
                format!("Set it to {LEEWAY_S_MAX} or less"),
            );
        }
        for (key, value) in [
            ("keys_refresh_s", self.keys_refresh_s),
            ("keys_interval_min_s", self.keys_interval_min_s),
        ] {
            super::checks::not_zero(&format!("{section}.{key}"), value, findings);
        }
    }

    fn resolve(&self, section: &str, findings: &mut Findings) -> Option<Issuer> {
        let iss = self.iss.list();
        let Some(first) = iss.first().filter(|first| !first.is_empty()) else {
            findings.note(
                format!("{section}.iss"),
                "the issuer has no iss",
                "Set it to the iss of its tokens, such as https://login.microsoftonline.com/TENANT/v2.0",
            );
            return None;
        };
        let (key, keys) = match (&self.jwks_url, &self.discovery_url) {
            (Some(_), Some(_)) => {
                findings.note(
                    format!("{section}.jwks_url"),
                    "there are two addresses of the keys",
                    "Keep one of jwks_url and discovery_url",
                );
                return None;
            }
            (Some(url), None) => ("jwks_url", KeySource::KeySet(url.clone())),
            (None, Some(url)) => ("discovery_url", KeySource::Discovery(url.clone())),
            (None, None) => ("iss", KeySource::Discovery(Issuer::discovery_of(first))),
        };
        let (KeySource::KeySet(url) | KeySource::Discovery(url)) = &keys;
        if reqwest::Url::parse(url).is_err() || !is_trustworthy(url) {
            findings.note(
                format!("{section}.{key}"),
                format!("the keys would be fetched from \"{url}\", which is no https address"),
                "Write an address that starts with https://; http is for this machine only",
            );
            return None;
        }
        Some(Issuer {
            name: self.name.clone(),
            iss,
            keys,
            audiences: self.audiences.list(),
            cdf_audiences: self.cdf_audiences.list(),
            tenant: self.tenant.clone(),
            algorithms: self.algorithms.clone(),
            name_claims: self.name_claims.clone(),
            group_claim: self.group_claim.clone(),
            group_names: self.group_names.clone(),
            leeway_s: self.leeway_s,
            keys_refresh_s: self.keys_refresh_s,
            keys_interval_min_s: self.keys_interval_min_s,
        })
    }
}
