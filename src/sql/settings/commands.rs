//! Commands about the session, as far as they change settings.
//!
//! Owns what SET, RESET, SET TRANSACTION and their relatives do. Promises PostgreSQL's warnings
//! and errors. Never parses a command.

use super::Settings;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::session_command::{DiscardTarget, SessionCommand, SetScope};
use crate::sql::statement::TransactionModes;

impl Settings {
    /// Runs a command as far as it concerns settings; the others (DEALLOCATE, CLOSE …) change
    /// nothing here. What it returns are warnings for the client. `in_transaction`: inside
    /// BEGIN … COMMIT.
    ///
    /// # Errors
    /// 42704, 22023, 55P02, 42602, 25001.
    pub fn apply(
        &mut self,
        command: &SessionCommand,
        in_transaction: bool,
    ) -> Result<Vec<Diagnostic>, Box<Diagnostic>> {
        let mut warnings = Vec::new();
        match command {
            SessionCommand::Set {
                scope,
                name,
                values,
            } => {
                if *scope == SetScope::Local && !in_transaction {
                    self.checked_or_default(name, values)?;
                    warnings.push(only_in_transaction("SET LOCAL"));
                } else {
                    self.set(name, values, *scope)?;
                }
            }
            SessionCommand::SetTransaction(modes) => {
                if in_transaction {
                    self.set_modes(modes, "transaction", SetScope::Local)?;
                } else {
                    warnings.push(only_in_transaction("SET TRANSACTION"));
                }
            }
            SessionCommand::SetSessionCharacteristics(modes) => {
                self.set_modes(modes, "default_transaction", SetScope::Session)?;
            }
            SessionCommand::SetSessionAuthorization(user) => self.become_user(user.as_deref())?,
            SessionCommand::ResetSessionAuthorization => self.become_user(None)?,
            SessionCommand::SetRole(role) => self.become_role(role.as_deref())?,
            SessionCommand::Reset(name) => self.set(name, &[], SetScope::Session)?,
            SessionCommand::ResetAll => self.reset_all(),
            SessionCommand::Discard(DiscardTarget::All) => {
                if in_transaction {
                    return Err(Box::new(Diagnostic::error(
                        SqlState::ACTIVE_SQL_TRANSACTION,
                        "DISCARD ALL cannot run inside a transaction block",
                    )));
                }
                self.reset_all();
            }
            SessionCommand::SetConstraints
            | SessionCommand::Discard(_)
            | SessionCommand::Deallocate(_)
            | SessionCommand::CloseCursor(_)
            | SessionCommand::Listen(_)
            | SessionCommand::Notify { .. }
            | SessionCommand::Unlisten(_) => {}
        }
        Ok(warnings)
    }

    /// Sets the settings that begin with `prefix` to the modes that are named.
    pub(super) fn set_modes(
        &mut self,
        modes: &TransactionModes,
        prefix: &str,
        scope: SetScope,
    ) -> Result<(), Box<Diagnostic>> {
        let switch = |value: bool| if value { "on" } else { "off" };
        let values = [
            ("isolation", modes.isolation.map(|level| level.name())),
            ("read_only", modes.read_only.map(switch)),
            ("deferrable", modes.deferrable.map(switch)),
        ];
        for (mode, value) in values {
            if let Some(value) = value {
                self.set(&format!("{prefix}_{mode}"), &[value.to_owned()], scope)?;
            }
        }
        Ok(())
    }

    fn become_user(&self, user: Option<&str>) -> Result<(), Box<Diagnostic>> {
        match user {
            Some(user) if user != self.known("session_authorization") => {
                Err(Box::new(Diagnostic::error(
                    SqlState::INSUFFICIENT_PRIVILEGE,
                    "permission denied to set session authorization",
                )))
            }
            _ => Ok(()),
        }
    }

    fn become_role(&mut self, role: Option<&str>) -> Result<(), Box<Diagnostic>> {
        match role {
            None => self.set("role", &[], SetScope::Session),
            Some(role) if role == self.known("session_authorization") => {
                self.set("role", &[role.to_owned()], SetScope::Session)
            }
            Some(role) => Err(Box::new(Diagnostic::error(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied to set role \"{role}\""),
            ))),
        }
    }

    fn reset_all(&mut self) {
        self.remember();
        self.changes.session.clear();
        self.changes
            .local
            .retain(|key, _| key.starts_with("transaction_"));
        self.refresh();
    }
}

fn only_in_transaction(what: &str) -> Diagnostic {
    Diagnostic::warning(
        SqlState::NO_ACTIVE_SQL_TRANSACTION,
        format!("{what} can only be used in transaction blocks"),
    )
}
