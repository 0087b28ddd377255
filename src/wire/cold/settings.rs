//! The session's settings in an engine, and back.
//!
//! Owns which settings those are: what changes the meaning of a statement or the looks of its values,
//! and what PostgreSQL tells of a session.
//! Promises that an engine has the session's before it runs a statement, and that the session has
//! what a statement or a function in it set. Never takes a setting that the gateway does not know.

use super::owned::OwnedEngine;
use crate::engine::{EngineFault, EngineLink, SESSION_FACTS, literal};
use crate::sql::SetScope;
use crate::wire::session::Session;

/// Settings of the session that change what a statement means or how its values look.
pub(super) const SETTINGS: [&str; 8] = [
    "search_path",
    "TimeZone",
    "DateStyle",
    "IntervalStyle",
    "extra_float_digits",
    "bytea_output",
    "standard_conforming_strings",
    "client_min_messages",
];

/// What an engine is told of the session itself; all but the first are settings of the gateway's own,
/// from which an engine's functions and views read.
const FACTS: [&str; 8] = [
    "application_name",
    SESSION_FACTS.process_id,
    SESSION_FACTS.connected_at,
    SESSION_FACTS.client_address,
    SESSION_FACTS.client_port,
    SESSION_FACTS.server_address,
    SESSION_FACTS.server_port,
    SESSION_FACTS.is_encrypted,
];

/// Settings as an owned engine has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Applied {
    /// As the session said them.
    said: Vec<String>,
    /// As the engine shows them.
    pub(super) shown: Vec<String>,
}

impl Session {
    /// Sets them until the transaction ends.
    pub(in crate::wire) async fn apply_settings_for_transaction(
        &self,
        link: &mut EngineLink,
    ) -> Result<(), EngineFault> {
        link.run(&setting(&self.settings_now(), true)).await?;
        Ok(())
    }

    /// Sets them in an engine that stays, if it has others.
    pub(super) async fn apply_settings(&self, engine: &mut OwnedEngine) -> Result<(), EngineFault> {
        let said = self.settings_now();
        if let Some(applied) = &engine.applied
            && applied.said == said
        {
            return Ok(());
        }
        let rows = engine.link()?.run(&setting(&said, false)).await?;
        let shown = rows.into_iter().flatten().flatten();
        let shown = shown.take(SETTINGS.len()).collect();
        engine.applied = Some(Applied { said, shown });
        Ok(())
    }

    /// Takes over what is another in the engine than it was there before, and no longer the same as
    /// the session's: until the transaction ends, or for good.
    pub(super) fn take_settings(
        &mut self,
        engine: &mut OwnedEngine,
        shown: Vec<String>,
        scope: SetScope,
    ) {
        let Some(applied) = &mut engine.applied else {
            return;
        };
        let mut has_changed = false;
        for ((name, before), now) in SETTINGS.iter().zip(&applied.shown).zip(&shown) {
            if before != now && self.settings.set_text(name, now, scope).is_ok() {
                has_changed = true;
            }
        }
        applied.shown = shown;
        if has_changed {
            applied.said = self.settings_now();
            self.settings_changed();
        }
    }

    /// What the functions and views about sessions say of this one, in the order of [`FACTS`].
    fn facts(&self) -> [String; FACTS.len()] {
        let server = self.transport.local_address();
        let application_name = self.settings.get("application_name");
        [
            application_name.unwrap_or_default().to_owned(),
            self.process_id.to_string(),
            self.connected_at.to_string(),
            self.peer.ip().to_canonical().to_string(),
            self.peer.port().to_string(),
            server.map_or_else(String::new, |server| server.ip().to_canonical().to_string()),
            server.map_or_else(String::new, |server| server.port().to_string()),
            self.transport.is_encrypted().to_string(),
        ]
    }

    fn settings_now(&self) -> Vec<String> {
        SETTINGS
            .iter()
            .map(|name| self.settings.get(name).unwrap_or_default().to_owned())
            .chain(self.facts())
            .collect()
    }
}

/// SQL that sets them, for the transaction or for the session.
fn setting(values: &[String], is_local: bool) -> String {
    let calls: Vec<String> = SETTINGS
        .iter()
        .chain(&FACTS)
        .zip(values)
        .map(|(name, value)| {
            format!(
                "pg_catalog.set_config('{name}', {}, {is_local})",
                literal(value)
            )
        })
        .collect();
    format!("SELECT {}", calls.join(", "))
}
