//! Who issues tokens, and which of them count.
//!
//! Owns what an operator says of one identity provider. Promises that an algorithm without a
//! public key cannot be written down. Never fetches anything.

use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The address of the keys themselves.
    KeySet(String),
    /// The address of the OpenID configuration, which names that of the keys.
    Discovery(String),
}

/// The ways of signing that may be allowed: none of them has a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum SigningAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
}

impl SigningAlgorithm {
    pub(super) fn of_library(self) -> Algorithm {
        match self {
            SigningAlgorithm::RS256 => Algorithm::RS256,
            SigningAlgorithm::RS384 => Algorithm::RS384,
            SigningAlgorithm::RS512 => Algorithm::RS512,
            SigningAlgorithm::PS256 => Algorithm::PS256,
            SigningAlgorithm::PS384 => Algorithm::PS384,
            SigningAlgorithm::PS512 => Algorithm::PS512,
            SigningAlgorithm::ES256 => Algorithm::ES256,
            SigningAlgorithm::ES384 => Algorithm::ES384,
        }
    }
}

/// One identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// What rules call it.
    pub name: String,
    /// Accepted values of `iss`; at least one. Some providers have several.
    pub iss: Vec<String>,
    pub keys: KeySource,
    /// Accepted values of `aud` of tokens that are made for PostgreSQL.
    pub audiences: Vec<String>,
    /// The same for tokens that are made for CDF, which CDF takes itself.
    pub cdf_audiences: Vec<String>,
    /// What `tid` must be; `None`: it is not looked at.
    pub tenant: Option<String>,
    pub algorithms: Vec<SigningAlgorithm>,
    /// The claims of which one must equal the name that somebody signs in under.
    pub name_claims: Vec<String>,
    /// The claim that lists groups.
    pub group_claim: String,
    /// Names under which the members of a group may sign in, with the group's id in the claim.
    pub group_names: BTreeMap<String, String>,
    /// How far the provider's clock may be from ours, in seconds.
    pub leeway_s: u64,
    /// Keys older than this are fetched again.
    pub keys_refresh_s: u64,
    /// Not fetched more often than this, whatever tokens come.
    pub keys_interval_min_s: u64,
}

impl Issuer {
    /// Every accepted audience.
    pub(super) fn all_audiences(&self) -> impl Iterator<Item = &String> {
        self.audiences.iter().chain(&self.cdf_audiences)
    }

    /// The address of the OpenID configuration, for clients that want to fetch a token.
    pub fn discovery_url(&self) -> String {
        match &self.keys {
            KeySource::Discovery(url) => url.clone(),
            KeySource::KeySet(_) => Self::discovery_of(self.iss.first().map_or("", String::as_str)),
        }
    }

    /// Where an issuer's OpenID configuration stands unless something else is said.
    pub fn discovery_of(iss: &str) -> String {
        format!(
            "{}/.well-known/openid-configuration",
            iss.trim_end_matches('/')
        )
    }
}

#[cfg(test)]
impl Issuer {
    /// An issuer as the defaults have it.
    pub(super) fn for_tests() -> Self {
        Issuer {
            name: "entra".to_owned(),
            iss: vec!["https://issuer.example.com/v2.0".to_owned()],
            keys: KeySource::KeySet("http://127.0.0.1:1/keys".to_owned()),
            audiences: vec!["postgresql".to_owned()],
            cdf_audiences: vec!["cdf".to_owned()],
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
