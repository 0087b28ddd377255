//! `[[users]]`: who may sign in, and as whom they write.
//!
//! Owns the users of the gateway. Promises that a user's name is unique, that the password has
//! one source, and that the CDF principal exists. Never stores a password in a printable form.

use super::cdf::Principal;
use super::problem::Findings;
use super::secret_source::{SecretSource, Surroundings};
use super::tree::Tree;
use super::{CopyMode, DialectVersion, TransactionMode, UserModes};
use crate::cdf::{Identity, Secret};
use crate::wire::ScramVerifier;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// PostgreSQL cuts names after this many bytes; clients rely on it.
const NAME_BYTES_MAX: usize = 63;

/// One `[[users]]` entry as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct UserSettings {
    pub name: String,
    pub password: Option<Secret>,
    pub password_env: Option<String>,
    pub password_file: Option<PathBuf>,
    /// The `[cdf.<name>]` section to write with.
    pub cdf: String,
    /// Instead of `transactions.mode`.
    pub transaction: Option<TransactionMode>,
    /// Instead of `copy.mode`.
    pub copy: Option<CopyMode>,
    /// Whose names of tables and columns the user writes.
    pub dialect: DialectVersion,
}

/// How a user proves to be that user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    Plain(Secret),
    /// Only checkable, as PostgreSQL stores it.
    Verifier(ScramVerifier),
}

/// A gateway user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub password: Password,
    /// Whose credentials the user's rows are sent with.
    pub identity: Arc<Identity>,
    pub modes: UserModes,
}

impl UserSettings {
    /// Checks the name; `section` is the dotted key of this entry.
    fn check_name(&self, section: &str, earlier: &[UserSettings], findings: &mut Findings) {
        let key = format!("{section}.name");
        if self.name.is_empty() {
            findings.note(key, "the user has no name", "Give the user a name");
        } else if self.name.len() > NAME_BYTES_MAX {
            findings.note(
                key,
                format!("the name is longer than {NAME_BYTES_MAX} bytes"),
                "Shorten it: clients cut longer names",
            );
        } else if self.name.contains('\0') {
            findings.note(
                key,
                "the name holds a zero byte, which no client can send",
                "Remove it",
            );
        } else if earlier.iter().any(|other| other.name == self.name) {
            findings.note(
                key,
                format!("the user \"{}\" is there twice", self.name),
                "Remove one of the entries",
            );
        }
    }

    /// Reads the password from its source.
    fn password(
        &self,
        section: &str,
        surroundings: &Surroundings<'_>,
        findings: &mut Findings,
    ) -> Option<Password> {
        let secret = SecretSource {
            section,
            name: "password",
            value: self.password.as_ref(),
            variable: self.password_env.as_deref(),
            file: self.password_file.as_deref(),
        }
        .read(surroundings, findings)?;
        if !secret.expose().starts_with(ScramVerifier::PREFIX) {
            return Some(Password::Plain(secret));
        }
        let verifier = ScramVerifier::parse(secret.expose());
        if verifier.is_none() {
            findings.note(
                format!("{section}.password"),
                "the value starts like a SCRAM verifier and is none",
                "Copy it whole from PostgreSQL: SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>",
            );
        }
        verifier.map(Password::Verifier)
    }
}

/// Every `[cdf.<name>]` section by its name; `None`: something is wrong with it, which became a
/// finding.
pub(super) fn resolve_cdf<'a>(
    tree: &'a Tree,
    surroundings: &Surroundings<'_>,
    findings: &mut Findings,
) -> BTreeMap<&'a str, Option<Principal>> {
    tree.cdf
        .iter()
        .map(|(name, settings)| {
            let principal = settings.resolve(name, surroundings, findings);
            (name.as_str(), principal)
        })
        .collect()
}

/// Every user with its password and identity; what is wrong becomes a finding.
pub(super) fn resolve_users(
    tree: &Tree,
    principals: &BTreeMap<&str, Option<Principal>>,
    surroundings: &Surroundings<'_>,
    findings: &mut Findings,
) -> Vec<User> {
    if tree.users.is_empty() && tree.principals.is_empty() && !tree.state.is_named() {
        findings.note(
            "users",
            "there are no users, so nobody could sign in",
            "Add a section [[users]] with name, password_env and cdf, or a state store with users",
        );
    }
    let mut users = Vec::with_capacity(tree.users.len());
    for (position, settings) in tree.users.iter().enumerate() {
        let section = format!("users.{position}");
        settings.check_name(&section, &tree.users[..position], findings);
        let password = settings.password(&section, surroundings, findings);
        let Some(principal) = principals.get(settings.cdf.as_str()) else {
            findings.note(
                format!("{section}.cdf"),
                if settings.cdf.is_empty() {
                    "the user has no CDF principal".to_owned()
                } else {
                    format!("there is no section [cdf.{}]", settings.cdf)
                },
                match principals.keys().copied().collect::<Vec<_>>().join(", ") {
                    names if names.is_empty() => {
                        "Add a section [cdf.<name>] and name it".to_owned()
                    }
                    names => format!("Name one of {names}, or add the section"),
                },
            );
            continue;
        };
        if let (Some(password), Some(principal)) = (password, principal) {
            users.push(User {
                name: settings.name.clone(),
                password,
                identity: principal.identity(&settings.name),
                modes: UserModes {
                    transaction: settings.transaction,
                    copy: settings.copy,
                    dialect: settings.dialect.into(),
                },
            });
        }
    }
    users
}
