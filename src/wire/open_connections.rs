//! The open connections, for those who watch over users.
//!
//! Owns the way in from outside of the event loops. Promises that a user who signed in before a
//! call of [`OpenConnections::depart`] is told by it, and that the call does not block. Never
//! reads from a connection.

use super::departure::Departure;
use super::registry::Registry;
use super::user::GatewayUser;
use std::sync::Arc;

/// The connections of one gateway. Clones mean the same ones.
#[derive(Clone, Debug, Default)]
pub struct OpenConnections {
    pub(super) registry: Arc<Registry>,
}

impl OpenConnections {
    /// Ends the connections of the users whom `is_meant` picks, each with FATAL and the words of
    /// `departure`; tells how many there were.
    pub fn depart(&self, departure: Departure, is_meant: impl Fn(&GatewayUser) -> bool) -> usize {
        self.registry.depart(departure, is_meant)
    }

    /// The users who are signed in now, one for each connection.
    pub fn users(&self) -> Vec<Arc<GatewayUser>> {
        self.registry.users()
    }
}
