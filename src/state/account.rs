//! A user of the gateway who was made by the API or the command line.
//!
//! Owns what is kept of such a user. Promises that the password is known only to whoever gets a
//! [`NewUser`]: an account holds a verifier. Never talks to CDF.

use crate::catalog::Dialect;
use crate::cdf::{Project, Secret};
use crate::wire::ScramVerifier;
use jiff::Timestamp;
use rand::Rng;
use rand::distr::Alphanumeric;

/// Characters of a generated password: 238 bits.
const PASSWORD_CHARACTERS: usize = 40;

/// Characters of a generated name behind its prefix: some 10^18 names.
const NAME_CHARACTERS: usize = 12;

/// Bytes of a name: PostgreSQL's bound, which clients rely on.
const NAME_BYTES_MAX: usize = 63;

/// A user, as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Unique in the store.
    pub name: String,
    pub project: Project,
    /// Whose names of tables and columns the user writes.
    pub dialect: Dialect,
    pub verifier: ScramVerifier,
    /// Whom CDF counts the user's requests for: a client id, or the subject of a session.
    pub principal: String,
    pub credentials: AccountCredentials,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_ms: i64,
    /// When the credentials or the password changed last, likewise.
    pub updated_ms: i64,
}

/// How the user's rows get to CDF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountCredentials {
    Client {
        token_url: String,
        client_id: String,
        client_secret: Secret,
        scope: String,
    },
    Session {
        id: i64,
        key: Secret,
    },
    /// They were taken away: nobody can sign in.
    None,
}

/// An account with its password, which exists nowhere else.
#[derive(Debug)]
pub struct NewUser {
    pub account: Account,
    pub password: Secret,
}

impl NewUser {
    /// A user with a generated name and password.
    pub fn generate(
        project: Project,
        dialect: Dialect,
        principal: String,
        credentials: AccountCredentials,
        now: Timestamp,
    ) -> Self {
        let name = format!("pg_{}", random(NAME_CHARACTERS).to_ascii_lowercase());
        Self::named(name, project, dialect, principal, credentials, now)
    }

    /// A user with a given name and a generated password.
    pub fn named(
        name: String,
        project: Project,
        dialect: Dialect,
        principal: String,
        credentials: AccountCredentials,
        now: Timestamp,
    ) -> Self {
        let password = new_password();
        let now_ms = now.as_millisecond();
        NewUser {
            account: Account {
                name,
                project,
                dialect,
                verifier: ScramVerifier::from_password(password.expose()),
                principal,
                credentials,
                created_ms: now_ms,
                updated_ms: now_ms,
            },
            password,
        }
    }
}

/// A password that nobody guesses.
pub fn new_password() -> Secret {
    Secret::new(random(PASSWORD_CHARACTERS))
}

fn random(characters: usize) -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(characters)
        .map(char::from)
        .collect()
}

/// Why a name cannot be a user's; `None`: it can.
pub fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("the name is empty")
    } else if name.len() > NAME_BYTES_MAX {
        Some("the name is longer than 63 bytes, where clients cut it")
    } else if name.contains('\0') {
        Some("the name holds a zero byte, which no client can send")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_and_passwords_are_long_and_differ() {
        let user = || {
            NewUser::generate(
                Project {
                    base_url: "https://cdf.example".to_owned(),
                    name: "p".to_owned(),
                },
                Dialect::Second,
                "client".to_owned(),
                AccountCredentials::None,
                Timestamp::UNIX_EPOCH,
            )
        };
        let (one, other) = (user(), user());
        assert_ne!(one.account.name, other.account.name);
        assert_ne!(one.password, other.password);
        assert!(one.password.expose().len() >= 32);
        assert_eq!(name_fault(&one.account.name), None);
    }

    #[test]
    fn names_may_hold_blanks_at_signs_and_capitals_and_have_a_length() {
        for good in ["ada@example.com", "Ada L", "ÅSE", "x"] {
            assert_eq!(name_fault(good), None);
        }
        for bad in ["", "a\0b", &"x".repeat(64)] {
            assert!(name_fault(bad).is_some());
        }
    }
}
