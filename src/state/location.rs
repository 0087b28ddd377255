//! Where the state store is.
//!
//! Owns the two kinds of places. Promises a form to show that holds no password. Never opens one.

use crate::cdf::Secret;
use std::path::PathBuf;

/// A file, or a PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateLocation {
    /// A file of SQLite.
    File(PathBuf),
    /// A URL of libpq's form; it holds a password.
    PostgreSql(Secret),
}

impl StateLocation {
    /// For messages.
    pub fn shown(&self) -> String {
        match self {
            StateLocation::File(path) => path.display().to_string(),
            StateLocation::PostgreSql(url) => {
                let host = url.expose().rsplit('@').next().unwrap_or_default();
                let host = host.split(['?', ' ']).next().unwrap_or_default();
                let host = host.trim_start_matches("postgresql://");
                format!(
                    "in PostgreSQL at {}",
                    host.trim_start_matches("postgres://")
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        let url = "postgres://ada:s@cret@db.example:5432/state?sslmode=require";
        let location = StateLocation::PostgreSql(Secret::new(url));
        assert_eq!(location.shown(), "in PostgreSQL at db.example:5432/state");
        let location = StateLocation::PostgreSql(Secret::new("postgresql://localhost/state"));
        assert_eq!(location.shown(), "in PostgreSQL at localhost/state");
    }
}
