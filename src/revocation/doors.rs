//! The open connections, as the watch sees them.
//!
//! Owns what it takes to see and end them, and to keep new ones out. Promises that all connections
//! of an identity are meant, whichever users they belong to. Never decides.

use crate::cdf::Identity;
use crate::diagnostic::Diagnostic;
use crate::wire::{Departure, OpenConnections, Users, Whom};
use std::collections::HashSet;
use std::sync::Arc;

/// Connections that can be ended.
pub(super) trait Doors: Send + Sync + 'static {
    /// The identities that have open connections, each once.
    fn identities(&self) -> Vec<Arc<Identity>>;

    /// Ends the connections of `identity`; tells how many there were. New ones may come: what they
    /// write is refused by CDF itself.
    fn close(&self, identity: &Arc<Identity>) -> usize;

    /// The same, and new ones are refused until it is let in again.
    fn shut_out(&self, identity: &Arc<Identity>, lacking: Box<Diagnostic>) -> usize;

    /// Those who are shut out and still somebody's.
    fn shut_out_identities(&self) -> Vec<Arc<Identity>>;

    fn let_in(&self, identity: &Identity);
}

/// The doors of a gateway.
pub(super) struct GatewayDoors {
    pub connections: OpenConnections,
    pub users: Users,
}

impl Doors for GatewayDoors {
    fn identities(&self) -> Vec<Arc<Identity>> {
        let users = self.connections.users();
        let identities = users.iter().map(|user| user.identity.clone());
        identities
            .collect::<HashSet<Arc<Identity>>>()
            .into_iter()
            .collect()
    }

    fn close(&self, identity: &Arc<Identity>) -> usize {
        let whom = Whom::Identity(identity.clone());
        self.connections.depart(Departure::Revoked, whom)
    }

    fn shut_out(&self, identity: &Arc<Identity>, lacking: Box<Diagnostic>) -> usize {
        self.connections.shut_out(identity, lacking)
    }

    fn shut_out_identities(&self) -> Vec<Arc<Identity>> {
        let mut shut_out = self.connections.shut_out_identities();
        if shut_out.is_empty() {
            return shut_out;
        }
        // Users who were deleted, or write as somebody else now, would be looked at for ever.
        let known: HashSet<Arc<Identity>> = self.users.account_identities().into_iter().collect();
        shut_out.retain(|identity| {
            let stays = known.contains(identity);
            if !stays {
                self.connections.let_in(identity);
            }
            stays
        });
        shut_out
    }

    fn let_in(&self, identity: &Identity) {
        self.connections.let_in(identity);
    }
}
