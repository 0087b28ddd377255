//! Identities that were turned away while they wrote.
//!
//! Owns their names until somebody looks at them. Promises that a denial costs next to nothing, and
//! that a thousand of one identity are one. Never asks CDF.

use crate::cdf::{Denials, Identity};
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The names, each once.
#[derive(Debug, Default)]
pub(super) struct DeniedIdentities {
    names: Mutex<HashSet<String>>,
    changed: Notify,
}

impl DeniedIdentities {
    /// Waits until there is one.
    pub(super) async fn wait(&self) {
        while self.names().is_empty() {
            self.changed.notified().await;
        }
    }

    /// All of them; from now on they are gathered anew.
    pub(super) fn take(&self) -> HashSet<String> {
        std::mem::take(&mut *self.names())
    }

    fn names(&self) -> MutexGuard<'_, HashSet<String>> {
        // Whole names come and go: the set is right whoever panicked.
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Denials for DeniedIdentities {
    fn denied(&self, identity: &Identity) {
        let mut names = self.names();
        if !names.contains(&identity.name) {
            names.insert(identity.name.clone());
            drop(names);
            self.changed.notify_one();
        }
    }
}
