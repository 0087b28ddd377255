//! The open connections, for those who watch over users.
//!
//! Owns the way in from outside of the event loops. Promises that a call of
//! [`OpenConnections::depart`] reaches every connection that was accepted before it, and that it does
//! not block. Never
//! reads from a connection.

use super::departure::{Departure, Whom};
use super::registry::Registry;
use super::user::GatewayUser;
use std::sync::Arc;

/// The connections of one gateway. Clones mean the same ones.
#[derive(Clone, Debug, Default)]
pub struct OpenConnections {
    pub(super) registry: Arc<Registry>,
}

impl OpenConnections {
    /// Ends the connections of those who are meant, each with FATAL and the words of `departure`;
    /// tells how many there were. One of them that is still signing in ends when it has signed in.
    pub fn depart(&self, departure: Departure, whom: Whom) -> usize {
        self.registry.depart(departure, whom)
    }

    /// The users who are signed in now, one for each connection.
    pub fn users(&self) -> Vec<Arc<GatewayUser>> {
        self.registry.users()
    }
}
