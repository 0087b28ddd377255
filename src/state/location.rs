//! Where the state store is.
//!
//! Owns the two kinds of places. Promises a form to show that holds no password. Never opens one.

use crate::cdf::Secret;
use std::path::PathBuf;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

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
            StateLocation::PostgreSql(url) => match url.expose().parse::<Config>() {
                Ok(config) if is_plain(url.expose()) => {
                    format!("in PostgreSQL{}", place_of(&config))
                }
                // Any part of it may be a secret.
                _ => "in PostgreSQL".to_owned(),
            },
        }
    }
}

/// Whether everybody reads the URL in the same parts: the rest of a secret that holds an `@` as it is
/// would be taken for the host.
fn is_plain(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.rfind('@')
        .is_none_or(|at| !rest[..at].contains(['@', '/', '?']))
}

/// Hosts and database, which no secret is part of.
fn place_of(config: &Config) -> String {
    let ports = config.get_ports();
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(index, host)| {
            let name = match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(directory) => directory.display().to_string(),
            };
            // One port may stand for all hosts.
            match ports.get(index).or(ports.first()) {
                Some(port) => format!("{name}:{port}"),
                None => name,
            }
        })
        .collect();
    let database = config.get_dbname().map(|name| format!("/{name}"));
    format!(
        " at {}{}",
        hosts.join(","),
        database.as_deref().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let shown = |url: &str| StateLocation::PostgreSql(Secret::new(url)).shown();
        for (url, place) in [
            (
                "postgres://ada:s%40cret@db.example:5432/state?sslmode=require",
                " at db.example:5432/state",
            ),
            ("postgresql://localhost/state", " at localhost:5432/state"),
            (
                "postgres://one,two:5433/state?user=ada&password=s3cret",
                " at one:5432,two:5433/state",
            ),
            (
                "password=s3cret host=/run/db dbname=state",
                " at /run/db/state",
            ),
            ("password='s3cret", ""),
            ("postgres://ada:s@cret@db.example/state", ""),
            ("postgres://ada:s@cr/et@db.example/state", ""),
            ("postgres://db.example:5432/state?password=s@cret", ""),
        ] {
            assert_eq!(shown(url), format!("in PostgreSQL{place}"), "{url}");
        }
    }
}
