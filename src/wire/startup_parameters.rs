//! What a StartupMessage says about the session: user, database, settings.
//!
//! Owns the reading of the `options` parameter, which carries command-line switches. Promises
//! the settings in the order in which they count: switches first, named parameters after them.
//! Never applies a setting.

use crate::diagnostic::{Diagnostic, SqlState};
use std::collections::BTreeMap;

/// The database that tools use for maintenance connections; it leads to the same tables.
const MAINTENANCE_DATABASE: &str = "postgres";

/// What the client wants its session to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SessionRequest {
    pub(super) user: String,
    pub(super) database: String,
    /// Names and values, to be set in this order.
    pub(super) settings: Vec<(String, String)>,
}

impl SessionRequest {
    /// Sorts the parameters.
    ///
    /// # Errors
    /// FATAL 28000 without a user, 42601 for a switch that no server has, 0A000 for replication.
    pub(super) fn of(parameters: BTreeMap<String, String>) -> Result<Self, Box<Diagnostic>> {
        let mut user = String::new();
        let mut database = String::new();
        let mut settings = Vec::new();
        let mut named = Vec::new();
        for (name, value) in parameters {
            match name.as_str() {
                "user" => user = value,
                "database" => database = value,
                "options" => settings = switches(&value)?,
                "replication" if is_off(&value) => {}
                "replication" => {
                    return Err(Box::new(Diagnostic::fatal(
                        SqlState::FEATURE_NOT_SUPPORTED,
                        "replication connections are not served",
                    )));
                }
                _ => named.push((name, value)),
            }
        }
        if user.is_empty() {
            return Err(Box::new(Diagnostic::fatal(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "no PostgreSQL user name specified in startup packet",
            )));
        }
        if database.is_empty() {
            database.clone_from(&user);
        }
        settings.extend(named);
        Ok(SessionRequest {
            user,
            database,
            settings,
        })
    }

    /// Whether the database is one that this user has.
    ///
    /// # Errors
    /// FATAL 3D000.
    pub(super) fn check_database(&self) -> Result<(), Box<Diagnostic>> {
        if self.database == self.user || self.database == MAINTENANCE_DATABASE {
            return Ok(());
        }
        let diagnostic = Diagnostic::fatal(
            SqlState::INVALID_CATALOG_NAME,
            format!("database \"{}\" does not exist", self.database),
        );
        Err(Box::new(diagnostic.with_hint(format!(
            "Every user has one database, named like the user: connect to \"{}\".",
            self.user
        ))))
    }
}

fn is_off(value: &str) -> bool {
    ["false", "off", "no", "0"]
        .iter()
        .any(|off| value.eq_ignore_ascii_case(off))
}

/// Reads `-c name=value`, `-cname=value` and `--name=value`.
fn switches(options: &str) -> Result<Vec<(String, String)>, Box<Diagnostic>> {
    let mut settings = Vec::new();
    let mut words = words(options).into_iter();
    while let Some(word) = words.next() {
        let setting = if word == "-c" {
            words.next()
        } else if let Some(setting) = word.strip_prefix("--") {
            Some(setting.to_owned())
        } else {
            word.strip_prefix("-c").map(str::to_owned)
        };
        let pair = setting
            .as_deref()
            .and_then(|setting| setting.split_once('='));
        let Some((name, value)) = pair else {
            return Err(Box::new(Diagnostic::fatal(
                SqlState::SYNTAX_ERROR,
                format!("invalid command-line argument for server process: {word}"),
            )));
        };
        // Switches may spell names with dashes.
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

/// Splits at blanks; a backslash takes the next character as it is.
fn words(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            _ if character.is_ascii_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(character),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(parameters: &[(&str, &str)]) -> Result<SessionRequest, Box<Diagnostic>> {
        let parameters = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        SessionRequest::of(parameters.collect())
    }

    fn settings(options: &str) -> Vec<(String, String)> {
        request(&[("user", "ada"), ("options", options)])
            .expect("the options are well formed")
            .settings
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn options_come_in_three_spellings() {
        assert_eq!(
            settings("-c geqo=off -cjit=on --statement-timeout=5min"),
            [
                pair("geqo", "off"),
                pair("jit", "on"),
                pair("statement_timeout", "5min"),
            ]
        );
        assert_eq!(
            settings(" -csearch_path=\"ds\",public"),
            [pair("search_path", "\"ds\",public")]
        );
        assert_eq!(
            settings(r"-c DateStyle=ISO,\ MDY"),
            [pair("DateStyle", "ISO, MDY")]
        );
    }

    #[test]
    fn an_option_that_is_no_setting_is_refused() {
        for options in ["-d 5", "-c", "-c nonsense", "geqo=off"] {
            let error = request(&[("user", "ada"), ("options", options)]).expect_err(options);
            assert_eq!(error.sqlstate, SqlState::SYNTAX_ERROR, "{options}");
        }
    }

    #[test]
    fn a_named_parameter_counts_more_than_a_switch() {
        let request = request(&[
            ("DateStyle", "German"),
            ("options", "-c DateStyle=ISO"),
            ("user", "ada"),
        ])
        .expect("the parameters are well formed");
        assert_eq!(
            request.settings,
            [pair("DateStyle", "ISO"), pair("DateStyle", "German")]
        );
        assert_eq!(request.database, "ada");
    }

    #[test]
    fn a_startup_without_a_user_is_refused() {
        assert!(request(&[("database", "ada")]).is_err());
    }

    #[test]
    fn the_databases_are_the_users_own_and_the_maintenance_one() {
        let database = |name| {
            request(&[("user", "ada"), ("database", name)])
                .expect("the parameters are well formed")
                .check_database()
        };
        assert!(database("ada").is_ok());
        assert!(database("postgres").is_ok());
        let error = database("plant").expect_err("there is no such database");
        assert_eq!(error.sqlstate, SqlState::INVALID_CATALOG_NAME);
    }

    #[test]
    fn replication_is_refused() {
        assert!(request(&[("user", "ada"), ("replication", "database")]).is_err());
        assert!(request(&[("user", "ada"), ("replication", "false")]).is_ok());
    }
}
