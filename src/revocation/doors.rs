//! The open connections, as the watch sees them.
//!
//! Owns what it takes to see and end them. Promises that all connections of an identity are meant,
//! whichever users they belong to. Never decides.

use crate::cdf::Identity;
use crate::wire::{Departure, OpenConnections, Whom};
use std::collections::HashSet;
use std::sync::Arc;

/// Connections that can be ended.
pub(super) trait Doors: Send + Sync + 'static {
    /// The identities that have open connections, each once.
    fn identities(&self) -> Vec<Arc<Identity>>;

    /// Ends the connections of `identity`; tells how many there were.
    fn close(&self, identity: &Arc<Identity>) -> usize;
}

impl Doors for OpenConnections {
    fn identities(&self) -> Vec<Arc<Identity>> {
        let users = self.users();
        let identities = users.iter().map(|user| user.identity.clone());
        identities
            .collect::<HashSet<Arc<Identity>>>()
            .into_iter()
            .collect()
    }

    fn close(&self, identity: &Arc<Identity>) -> usize {
        self.depart(Departure::Revoked, Whom::Identity(identity.clone()))
    }
}
