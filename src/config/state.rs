//! `[state]`: where a gateway remembers its users and what they define.
//!
//! Owns the place of the state store, its keys and its lease. Promises that nothing is remembered
//! unless a place is named, and that a key that cannot be one is found before the start. Never
//! prints a secret.

use super::problem::Findings;
use super::secret_source::{SecretSource, Surroundings};
use crate::cdf::Secret;
use crate::state::{SealingKeys, StateLocation};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Shorter leases would be lost by a slow disk.
const LEASE_S_MIN: u64 = 3;

/// The section as written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StateKeys {
    /// The file of SQLite.
    pub path: Option<PathBuf>,
    /// How long a gateway that is gone keeps others from taking over, in seconds.
    pub lease_s: u64,
    #[serde(skip_serializing)]
    pub url: Option<Secret>,
    #[serde(skip_serializing)]
    pub url_env: Option<String>,
    #[serde(skip_serializing)]
    pub url_file: Option<PathBuf>,
    #[serde(skip_serializing)]
    pub key: Option<Secret>,
    #[serde(skip_serializing)]
    pub key_env: Option<String>,
    #[serde(skip_serializing)]
    pub key_file: Option<PathBuf>,
    #[serde(skip_serializing)]
    pub previous_key: Option<Secret>,
    #[serde(skip_serializing)]
    pub previous_key_env: Option<String>,
    #[serde(skip_serializing)]
    pub previous_key_file: Option<PathBuf>,
}

impl Default for StateKeys {
    fn default() -> Self {
        StateKeys {
            path: None,
            lease_s: 15,
            url: None,
            url_env: None,
            url_file: None,
            key: None,
            key_env: None,
            key_file: None,
            previous_key: None,
            previous_key_env: None,
            previous_key_file: None,
        }
    }
}

/// The state store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSettings {
    /// `None`: there is none, and users are those of the configuration, without custom tables.
    pub location: Option<StateLocation>,
    /// What secrets are sealed with; without it there are no users in the store.
    pub key: Option<Secret>,
    /// What they were sealed with before.
    pub previous_key: Option<Secret>,
    pub lease_s: u64,
}

impl Default for StateSettings {
    /// None.
    fn default() -> Self {
        StateSettings {
            location: None,
            key: None,
            previous_key: None,
            lease_s: StateKeys::default().lease_s,
        }
    }
}

impl StateSettings {
    /// The keys, if there are any. They were checked when the configuration was read.
    pub fn keys(&self) -> Option<SealingKeys> {
        let older: Vec<Secret> = self.previous_key.iter().cloned().collect();
        SealingKeys::new(self.key.as_ref()?, &older).ok()
    }
}

impl StateKeys {
    /// Whether any place is named.
    pub(super) fn is_named(&self) -> bool {
        self.path.is_some() || self.url_source().is_named()
    }

    fn url_source(&self) -> SecretSource<'_> {
        SecretSource {
            section: "state",
            name: "url",
            value: self.url.as_ref(),
            variable: self.url_env.as_deref(),
            file: self.url_file.as_deref(),
        }
    }

    /// Reads the secrets and checks what they are.
    pub(super) fn resolve(
        &self,
        surroundings: &Surroundings<'_>,
        findings: &mut Findings,
    ) -> StateSettings {
        if self.lease_s < LEASE_S_MIN {
            findings.note(
                "state.lease_s",
                format!(
                    "{} s are too short: a slow disk would lose the lease",
                    self.lease_s
                ),
                format!("Set it to {LEASE_S_MIN} or more"),
            );
        }
        let url = self.url_source();
        let location = match (&self.path, url.is_named()) {
            (Some(_), true) => {
                findings.note(
                    "state.path",
                    "there are both a file and a PostgreSQL",
                    "Keep state.path or state.url",
                );
                None
            }
            (Some(path), false) => Some(StateLocation::File(surroundings.directory.join(path))),
            (None, true) => url
                .read(surroundings, findings)
                .map(StateLocation::PostgreSql),
            (None, false) => None,
        };
        let mut read_key =
            |name, value: &Option<Secret>, variable: &Option<String>, file: &Option<PathBuf>| {
                let source = SecretSource {
                    section: "state",
                    name,
                    value: value.as_ref(),
                    variable: variable.as_deref(),
                    file: file.as_deref(),
                };
                let key = source
                    .is_named()
                    .then(|| source.read(surroundings, findings))
                    .flatten()?;
                if let Err(fault) = SealingKeys::new(&key, &[]) {
                    findings.note(
                        format!("state.{name}"),
                        fault.to_string(),
                        "Make one with: openssl rand -hex 32",
                    );
                    return None;
                }
                Some(key)
            };
        StateSettings {
            key: read_key("key", &self.key, &self.key_env, &self.key_file),
            previous_key: read_key(
                "previous_key",
                &self.previous_key,
                &self.previous_key_env,
                &self.previous_key_file,
            ),
            location,
            lease_s: self.lease_s,
        }
    }
}
