//! When something was created and last changed.
//!
//! Owns the two times that every part of a data model carries, and the rule that an
//! unchanged one keeps both.

use crate::emulator::clock;
use serde_json::{Value, json};

/// Creation and last change, in ms since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamps {
    pub created_time: i64,
    pub last_updated_time: i64,
}

impl Stamps {
    /// Of something new.
    pub fn now() -> Self {
        let now_ms = clock::now_ms();
        Self {
            created_time: now_ms,
            last_updated_time: now_ms,
        }
    }

    /// After a change.
    pub fn touched(self) -> Self {
        Self {
            last_updated_time: clock::now_ms(),
            ..self
        }
    }

    /// Of what replaces `old`, which may be the same as it.
    pub fn after(old: Option<Self>, unchanged: bool) -> Self {
        match old {
            Some(old) if unchanged => old,
            Some(old) => old.touched(),
            None => Self::now(),
        }
    }

    /// Adds the times, and whether it belongs to the system, to what an answer shows.
    pub fn show(self, shown: &mut Value, is_global: bool) {
        shown["createdTime"] = json!(self.created_time);
        shown["lastUpdatedTime"] = json!(self.last_updated_time);
        shown["isGlobal"] = json!(is_global);
    }
}
