//! `[state]`: where a gateway remembers what its users define.
//!
//! Owns the place of the state store. Promises that nothing is remembered unless a place is
//! named. Never holds a secret.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The state store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StateSettings {
    /// The file; `None`: there is none, and users have no custom tables.
    pub path: Option<PathBuf>,
}
