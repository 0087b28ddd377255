//! `[admin]`: who may see and change rows by HTTP.
//!
//! Owns the bearer token. Promises that it has one source and is long enough not to be guessed.
//! Never prints it.

use super::problem::Findings;
use super::secret_source::{SecretSource, Surroundings};
use crate::cdf::Secret;
use serde::Deserialize;
use std::path::PathBuf;

/// Shorter tokens are refused: they can be tried out.
const TOKEN_CHARACTERS_MIN: usize = 16;

/// The section as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AdminKeys {
    pub token: Option<Secret>,
    pub token_env: Option<String>,
    pub token_file: Option<PathBuf>,
}

/// Administration by HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminSettings {
    /// What callers must show; `None`: what needs it is closed.
    pub token: Option<Secret>,
}

impl AdminKeys {
    /// Reads the token from its source, if one is named.
    pub fn resolve(
        &self,
        surroundings: &Surroundings<'_>,
        findings: &mut Findings,
    ) -> AdminSettings {
        let source = SecretSource {
            section: "admin",
            name: "token",
            value: self.token.as_ref(),
            variable: self.token_env.as_deref(),
            file: self.token_file.as_deref(),
        };
        if !source.is_named() {
            return AdminSettings::default();
        }
        let token = source.read(surroundings, findings);
        if let Some(token) = &token
            && token.expose().chars().count() < TOKEN_CHARACTERS_MIN
        {
            findings.note(
                "admin.token",
                format!("the token has fewer than {TOKEN_CHARACTERS_MIN} characters"),
                "Make a random one, for example with: openssl rand -hex 32",
            );
        }
        AdminSettings { token }
    }
}
