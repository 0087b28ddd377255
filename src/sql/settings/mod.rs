//! The settings of a session: what SET, RESET, SHOW and set_config work on.
//!
//! Owns the values, their scopes (startup, session, transaction, savepoint) and which of them
//! the client must hear of. Promises PostgreSQL's names, values and errors. Never acts upon a
//! setting itself.

mod commands;
mod date_style;
mod definition;
mod encoding;
mod list;
mod number;
mod scopes;
#[cfg(test)]
mod tests;
mod time_zone;
mod timeouts;

pub(crate) use definition::parse_bool;
pub(crate) use encoding::client_encoding;
pub use timeouts::SessionTimeouts;

pub(crate) use time_zone::{interval_seconds, posix as posix_time_zone};

use super::CopyEncoding;
use super::session_command::SetScope;
use crate::config::{AckMode, CopyMode, OnDuplicate, TransactionMode};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::value::DateOrder;
use definition::{Change, Definition, Kind};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// Values by lower-case name.
type Values = BTreeMap<String, String>;

/// What a SET has changed so far.
#[derive(Clone, Debug, Default)]
struct Changes {
    session: Values,
    /// By SET LOCAL: gone at the end of the transaction.
    local: Values,
}

/// One session's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What RESET goes back to: the startup parameters, and facts about the session.
    startup: Values,
    changes: Changes,
    /// The changes as they were when the transaction and each of its savepoints began; `None`
    /// while nothing changed since.
    marks: Vec<Option<Changes>>,
    /// What the client was last told, in the order of the list.
    told: BTreeMap<&'static str, String>,
    time_zone: TimeZone,
}

/// What SHOW ALL tells of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingRow {
    pub name: &'static str,
    pub value: String,
    pub description: &'static str,
}

impl Settings {
    /// The settings of a new session of `user`. `parameters` are those of the StartupMessage;
    /// `user`, `database`, `options` and `replication` among them are skipped, the words of
    /// `options` have to be given as parameters of their own.
    ///
    /// # Errors
    /// 42704, 22023, 55P02: the connection must end with them as FATAL.
    pub fn new<'a>(
        user: &str,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Box<Diagnostic>> {
        let mut settings = Settings {
            startup: Values::new(),
            changes: Changes::default(),
            marks: Vec::new(),
            told: BTreeMap::new(),
            time_zone: TimeZone::UTC,
        };
        settings
            .startup
            .insert("session_authorization".to_owned(), user.to_owned());
        for (name, value) in parameters {
            if matches!(name, "user" | "database" | "options" | "replication")
                || name.starts_with("_pq_.")
            {
                continue;
            }
            let value = settings.checked_text(name, value)?;
            settings.startup.insert(name.to_ascii_lowercase(), value);
        }
        settings.refresh();
        Ok(settings)
    }

    /// The value as SHOW prints it.
    ///
    /// # Errors
    /// 42704.
    pub fn get(&self, name: &str) -> Result<&str, Box<Diagnostic>> {
        let key = name.to_ascii_lowercase();
        self.value(&key)
            .or_else(|| list::find(&key).map(|definition| definition.default))
            .ok_or_else(|| unrecognized(name))
    }

    /// Every setting, as SHOW ALL lists them.
    pub fn all(&self) -> Vec<SettingRow> {
        list::DEFINITIONS
            .iter()
            .map(|definition| SettingRow {
                name: definition.name,
                value: self.shown(definition).to_owned(),
                description: definition.description,
            })
            .collect()
    }

    /// Sets a setting; no values: its default. What SET and set_config do.
    ///
    /// # Errors
    /// 42704, 22023, 55P02, 42602.
    pub fn set(
        &mut self,
        name: &str,
        values: &[String],
        scope: SetScope,
    ) -> Result<(), Box<Diagnostic>> {
        let value = self.checked_or_default(name, values)?;
        self.store(name.to_ascii_lowercase(), value, scope);
        Ok(())
    }

    fn store(&mut self, key: String, value: Option<String>, scope: SetScope) {
        self.remember();
        match (scope, value) {
            (SetScope::Local, value) => {
                let value = match value {
                    Some(value) => value,
                    None => self.default(&key).unwrap_or_default().to_owned(),
                };
                self.changes.local.insert(key, value);
            }
            (SetScope::Session, Some(value)) => {
                self.changes.local.remove(&key);
                self.changes.session.insert(key, value);
            }
            (SetScope::Session, None) => {
                self.changes.local.remove(&key);
                self.changes.session.remove(&key);
            }
        }
        self.refresh();
    }

    /// Sets a setting to a text that may be a whole list, as set_config takes it. Returns the
    /// value as SHOW prints it.
    ///
    /// # Errors
    /// 42704, 22023, 55P02, 42602.
    pub fn set_text(
        &mut self,
        name: &str,
        value: &str,
        scope: SetScope,
    ) -> Result<String, Box<Diagnostic>> {
        let value = self.checked_text(name, value)?;
        self.store(name.to_ascii_lowercase(), Some(value.clone()), scope);
        Ok(value)
    }

    /// The value that a setting would have if it were set to that text.
    ///
    /// # Errors
    /// 42704, 22023, 55P02, 42602.
    pub fn canonical(&self, name: &str, value: &str) -> Result<String, Box<Diagnostic>> {
        self.checked_text(name, value)
    }

    /// What ParameterStatus must tell now: all reported settings the first time, later those
    /// that changed since. To be asked before each ReadyForQuery.
    pub fn take_reports(&mut self) -> Vec<(&'static str, String)> {
        let mut reports = Vec::new();
        for definition in list::DEFINITIONS
            .iter()
            .filter(|definition| definition.reported)
        {
            let value = self.shown(definition);
            if self.told.get(definition.name).map(String::as_str) != Some(value) {
                let value = value.to_owned();
                self.told.insert(definition.name, value.clone());
                reports.push((definition.name, value));
            }
        }
        reports
    }

    /// The zone of timestamps that name none.
    pub fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// TimeZone as SHOW prints it.
    pub fn time_zone_name(&self) -> &str {
        self.known("timezone")
    }

    pub fn date_order(&self) -> DateOrder {
        date_style::order(self.known("datestyle"))
    }

    pub fn client_encoding(&self) -> CopyEncoding {
        client_encoding(self.known("client_encoding"))
            .map_or(CopyEncoding::Utf8, |(encoding, _)| encoding)
    }

    pub fn application_name(&self) -> &str {
        self.known("application_name")
    }

    /// Whether the transaction (or the next statement outside of one) must not write.
    pub fn read_only(&self) -> bool {
        self.known("transaction_read_only") == "on"
    }

    /// When the session wants its rows acknowledged; `None`: as the table is configured.
    pub fn ack(&self) -> Option<AckMode> {
        match self.known("penstock.ack") {
            "delivered" => Some(AckMode::Delivered),
            "journaled" => Some(AckMode::Journaled),
            _ => None,
        }
    }

    /// When rows of transactions are to be sent.
    pub fn transaction_mode(&self) -> TransactionMode {
        match self.known("penstock.transaction") {
            "streaming" => TransactionMode::Streaming,
            _ => TransactionMode::Staged,
        }
    }

    /// What plain INSERTs and COPYs do with existing keys, if the session says so.
    pub fn on_duplicate(&self) -> Option<OnDuplicate> {
        match self.known("penstock.on_duplicate") {
            "error" => Some(OnDuplicate::Error),
            "update" => Some(OnDuplicate::Update),
            "ignore" => Some(OnDuplicate::Ignore),
            _ => None,
        }
    }

    /// Whether deletes of points and sequence rows count what there was, if the session says so.
    pub fn exact_row_counts(&self) -> Option<bool> {
        match self.known("penstock.exact_row_counts") {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        }
    }

    /// When rows of a COPY are to be sent.
    pub fn copy_mode(&self) -> CopyMode {
        match self.known("penstock.copy") {
            "staged" => CopyMode::Staged,
            _ => CopyMode::Streaming,
        }
    }

    /// The value of a setting that is in the list.
    fn known(&self, key: &str) -> &str {
        self.get(key).unwrap_or_default()
    }

    fn shown(&self, definition: &'static Definition) -> &str {
        self.value(&definition.name.to_ascii_lowercase())
            .unwrap_or(definition.default)
    }

    fn value(&self, key: &str) -> Option<&str> {
        let own = self
            .changes
            .local
            .get(key)
            .or_else(|| self.changes.session.get(key))
            .or_else(|| self.startup.get(key));
        match own {
            Some(value) => Some(value),
            // A transaction takes its modes from the session's defaults.
            None => {
                let mode = key.strip_prefix("transaction_")?;
                let default = list::find(&format!("default_transaction_{mode}"))?;
                Some(self.shown(default))
            }
        }
    }

    fn default(&self, key: &str) -> Option<&str> {
        match self.startup.get(key) {
            Some(value) => Some(value),
            None => list::find(key).map(|definition| definition.default),
        }
    }

    fn checked_or_default(
        &self,
        name: &str,
        values: &[String],
    ) -> Result<Option<String>, Box<Diagnostic>> {
        if values.is_empty() {
            if let Some(definition) = list::find(name) {
                changeable(definition)?;
            } else {
                check_custom_name(name)?;
            }
            return Ok(None);
        }
        self.checked(name, values).map(Some)
    }

    /// The canonical value of a text that may be a whole list.
    fn checked_text(&self, name: &str, value: &str) -> Result<String, Box<Diagnostic>> {
        match list::find(name) {
            Some(definition) if matches!(definition.kind, Kind::Names) => {
                changeable(definition)?;
                Ok(value.to_owned())
            }
            _ => self.checked(name, &[value.to_owned()]),
        }
    }

    /// The canonical value, if the setting exists and may be set to it.
    fn checked(&self, name: &str, values: &[String]) -> Result<String, Box<Diagnostic>> {
        let Some(definition) = list::find(name) else {
            check_custom_name(name)?;
            return match values {
                [value] => Ok(value.clone()),
                _ => Err(Box::new(Diagnostic::error(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("SET {name} takes only one argument"),
                ))),
            };
        };
        changeable(definition)?;
        if definition.name == "standard_conforming_strings"
            && values
                .first()
                .is_some_and(|value| parse_bool(value) == Some(false))
        {
            return Err(Box::new(
                Diagnostic::error(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "standard_conforming_strings cannot be turned off",
                )
                .with_hint("Write backslash escapes in E'…' constants."),
            ));
        }
        if definition.name == "DateStyle" {
            return definition
                .canonical(&date_style::merge(self.shown(definition), values))
                .map_err(|_| {
                    let refused = definition.invalid_value(&values.join(", "));
                    date_style::explain(refused, values)
                });
        }
        definition.canonical(values).map_err(|mut diagnostic| {
            if matches!(definition.kind, Kind::ClientEncoding) {
                diagnostic.hint = Some("Supported are UTF8, LATIN1 and SQL_ASCII.".to_owned());
            }
            diagnostic
        })
    }

    fn refresh(&mut self) {
        self.time_zone = time_zone::zone(self.known("timezone"));
    }
}

/// How PostgreSQL spells a setting's name.
pub(crate) fn spelling(name: &str) -> Option<&'static str> {
    list::find(name).map(|definition| definition.name)
}

fn changeable(definition: &Definition) -> Result<(), Box<Diagnostic>> {
    let message = match definition.change {
        Change::Session => return Ok(()),
        Change::Never => format!("parameter \"{}\" cannot be changed", definition.name),
        Change::Restart => format!(
            "parameter \"{}\" cannot be changed without restarting the server",
            definition.name
        ),
    };
    Err(Box::new(Diagnostic::error(
        SqlState::CANT_CHANGE_RUNTIME_PARAM,
        message,
    )))
}

/// A setting that is not in the list must be somebody's own: `prefix.name`.
fn check_custom_name(name: &str) -> Result<(), Box<Diagnostic>> {
    let Some((prefix, _)) = name.split_once('.') else {
        return Err(unrecognized(name));
    };
    if prefix.eq_ignore_ascii_case("penstock") {
        return Err(Box::new(
            Diagnostic::error(
                SqlState::INVALID_NAME,
                format!("invalid configuration parameter name \"{name}\""),
            )
            .with_detail("\"penstock\" is a reserved prefix."),
        ));
    }
    Ok(())
}

fn unrecognized(name: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::UNDEFINED_OBJECT,
        format!("unrecognized configuration parameter \"{name}\""),
    ))
}
