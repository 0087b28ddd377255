//! What a setting is: its name, its kind of value, who may change it.
//!
//! Owns the description of a setting as data. Promises that a value that `canonical` returned
//! is one that PostgreSQL's SHOW could print. Never holds a session's values.

use super::{date_style, encoding, number, time_zone};
use crate::diagnostic::{Diagnostic, SqlState};

/// The kind of value of a setting.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Bool,
    /// Between the two, in `unit`.
    Integer {
        least: i64,
        most: i64,
        unit: Unit,
    },
    /// Between the two.
    Real {
        least: f64,
        most: f64,
    },
    /// One of these words.
    Enum(&'static [&'static str]),
    Text,
    /// Names, quoted where they need it.
    Names,
    TimeZone,
    DateStyle,
    ClientEncoding,
}

/// What a bare number of a setting means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    None,
    Milliseconds,
    Seconds,
    Kilobytes,
}

/// Who may change a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The session.
    Session,
    /// Nobody: it tells a fact.
    Never,
    /// The operator, with a restart.
    Restart,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Definition {
    /// As SHOW and ParameterStatus spell it.
    pub name: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    pub change: Change,
    /// Whether clients learn of changes by ParameterStatus.
    pub reported: bool,
    /// One line for SHOW ALL.
    pub description: &'static str,
}

impl Definition {
    /// The value as SHOW prints it.
    ///
    /// # Errors
    /// 22023 as PostgreSQL words it.
    pub fn canonical(&self, values: &[String]) -> Result<String, Box<Diagnostic>> {
        let joined;
        let value = match (self.kind, values) {
            (Kind::Names, names) => return Ok(join_names(names)),
            (_, [value]) => value.as_str(),
            (Kind::DateStyle, several) => {
                joined = several.join(", ");
                joined.as_str()
            }
            _ => {
                return Err(self.invalid(format!("SET {} takes only one argument", self.name)));
            }
        };
        let canonical = match self.kind {
            Kind::Bool => {
                let value = parse_bool(value).ok_or_else(|| {
                    self.invalid(format!(
                        "parameter \"{}\" requires a Boolean value",
                        self.name
                    ))
                })?;
                Some(if value { "on" } else { "off" }.to_owned())
            }
            Kind::Integer { least, most, unit } => {
                return number::canonical_integer(self, value, least..=most, unit);
            }
            Kind::Real { least, most } => {
                return number::canonical_real(self, value, least..=most);
            }
            Kind::Enum(words) => {
                return words
                    .iter()
                    .find(|word| word.eq_ignore_ascii_case(value))
                    .map(|word| (*word).to_owned())
                    .ok_or_else(|| {
                        let mut diagnostic = self.invalid_value(value);
                        diagnostic.hint = Some(format!("Available values: {}.", words.join(", ")));
                        diagnostic
                    });
            }
            Kind::Text | Kind::Names => Some(value.to_owned()),
            Kind::TimeZone => time_zone::canonical(value),
            Kind::DateStyle => date_style::canonical(value),
            Kind::ClientEncoding => {
                encoding::client_encoding(value).map(|(_, name)| name.to_owned())
            }
        };
        canonical.ok_or_else(|| self.invalid_value(value))
    }

    /// 22023 for a value that is none.
    pub fn invalid_value(&self, value: &str) -> Box<Diagnostic> {
        self.invalid(format!(
            "invalid value for parameter \"{}\": \"{value}\"",
            self.name
        ))
    }

    /// 22023.
    pub fn invalid(&self, message: String) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(
            SqlState::INVALID_PARAMETER_VALUE,
            message,
        ))
    }
}

/// A Boolean as settings and COPY options spell it: unique prefixes of true, false, yes, no,
/// on, off, and 1 and 0.
pub(crate) fn parse_bool(value: &str) -> Option<bool> {
    let value = value.to_ascii_lowercase();
    let prefix_of = |word: &str, least: usize| value.len() >= least && word.starts_with(&value);
    if value == "1" || prefix_of("true", 1) || prefix_of("yes", 1) || prefix_of("on", 2) {
        Some(true)
    } else if value == "0" || prefix_of("false", 1) || prefix_of("no", 1) || prefix_of("off", 2) {
        Some(false)
    } else {
        None
    }
}

/// `"$user", public`: what SHOW search_path prints.
fn join_names(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quote_name(name)).collect();
    quoted.join(", ")
}

/// An identifier, quoted unless it can stand bare.
fn quote_name(name: &str) -> String {
    let bare = name.bytes().enumerate().all(|(index, byte)| {
        byte.is_ascii_lowercase() || byte == b'_' || (index > 0 && byte.is_ascii_digit())
    });
    if bare && !name.is_empty() {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}
