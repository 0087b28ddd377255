//! `[dead_letters]`: where refused rows are kept, and for how long.
//!
//! Owns the directory and the bounds. Promises that both bounds are counted and logged when they
//! delete anything. Never names a default directory: rows are not put where nobody looks.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The store of dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLetterSettings {
    /// Where the store is; `None`: there is none, and what needs it is refused.
    pub directory: Option<PathBuf>,
    /// Days after which a letter is deleted; 0: never by age.
    pub keep_days: u64,
    /// Bytes of the store; past it the oldest letters go, replayed ones first.
    pub bytes_max: u64,
}

impl Default for DeadLetterSettings {
    fn default() -> Self {
        DeadLetterSettings {
            directory: None,
            keep_days: 90,
            bytes_max: 1 << 30,
        }
    }
}
